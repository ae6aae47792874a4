/* SPDX-License-Identifier: Apache-2.0 */
/* A program with a CUDA runtime built in (static_runtime.c, in the program or in a library of it) under libvgpu-static.so, and
 * the same program without: what it calls is our libcudart then, and 999 else. argv[1]: "ours" or "own", what to expect. */
#include "cudart_program.h"

#include <stdbool.h>
#include <string.h>

enum { N = 512, OWN = 999 };

extern int runtime_at_start; /* what a constructor beside the runtime got */

static void test_ours(void)
{
    float *device = NULL, host[N];
    uint32_t counted = 0;
    int version = 0;

    ok(program_handle && (uintptr_t)program_handle != OWN, "a constructor registered the program's kernels");
    is_u64((uint64_t)runtime_at_start, 0, "one that came before found our runtime too");
    is_u64(RT(cudaRuntimeGetVersion)(&version), 0, "the runtime's version");
    is_u64((uint64_t)version / 1000, VGPU_CUDA_MAJOR, "is that of the built-in one");
    is_u64(RT(cudaMalloc)((void **)&device, sizeof host), 0, "memory");
    for (int i = 0; i < N; i++)
        host[i] = (float)i;
    is_u64(RT(cudaMemcpy)(device, host, sizeof host, 1), 0, "a copy to it");
    is_u64((uint64_t)launch_scale(device, N, 0.5f, NULL), 0, "a launch with six arguments, a float among the kernel's");
    is_u64(RT(cudaMemcpy)(host, device, sizeof host, 2), 0, "a copy back");
    bool right = true;
    for (int i = 0; i < N; i++)
        right &= host[i] == 2 * (float)i + 0.5f;
    ok(right, "what the kernel computed");
    is_u64(RT(cudaMemcpyFromSymbol)(&counted, &counter_host, 4, 0, 2), 0, "a variable of the program's");
    is_u64(counted, 5 + N, "counted every thread");
    is_u64(RT(cudaGetLastError)(), 0, "no error was met");
    is_u64(RT(cudaDeviceReset)(), OWN, "a function with no room for a jump is left alone");
}

static void test_own(void)
{
    void *memory;

    is_u64((uintptr_t)program_handle, OWN, "the built-in runtime registered the kernels");
    is_u64((uint64_t)runtime_at_start, OWN, "as it did for a constructor that came before");
    is_u64(RT(cudaMalloc)(&memory, 4), OWN, "and answers");
}

__attribute__((constructor)) static void register_at_start(void)
{
    open_library(NULL);
    register_program();
}

int main(int argc, char **argv)
{
    is_u64((uint64_t)RT_AS("cudaNothingOfTheSort", cudaGetLastError)(), OWN, "a function that is no runtime's is left alone");
    if (argc > 1 && !strcmp(argv[1], "ours"))
        test_ours();
    else
        test_own();
    return tap_done();
}
