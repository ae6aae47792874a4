/* SPDX-License-Identifier: Apache-2.0 */
/* A program as nvcc makes them, by hand: a fat binary's wrapper around PTX, host stubs that stand for kernels, host variables that
 * stand for device variables. The library under test is opened by its SONAME and called through the types of its API table. */
#ifndef VGPU_TESTS_CUDART_PROGRAM_H
#define VGPU_TESTS_CUDART_PROGRAM_H

#include <dlfcn.h>
#include <stdlib.h>

#include "cudart/cudart_abi.h"
#include "cudart_api.h"
#include "tap.h"

static void *library;

static void *need(const char *name)
{
    void *symbol = dlsym(library, name);

    if (!symbol) {
        printf("Bail out! %s is not exported\n", name);
        exit(1);
    }
    return symbol;
}
/* The library's function of that name, and the variant for per-thread default streams. */
#define RT(name) ((__typeof__(&name))need(#name))
#define RT_AS(name, like) ((__typeof__(&like))need(name))

static void open_library(const char *soname)
{
    library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        printf("Bail out! %s\n", dlerror());
        exit(1);
    }
}

/* scale: data[i] = data[i] * factor + add, for i < n, and counts its threads. stray: stores through its argument.
 * bounded: at most 64 threads. */
static const char program_ptx[] =
    ".version 7.0\n.target sm_50\n.address_size 64\n"
    ".visible .global .align 4 .u32 counter = 5;\n"
    ".visible .const .align 4 .f32 factor = 0f40000000;\n"
    ".visible .entry scale(.param .u64 data, .param .u32 n, .param .f32 add)\n{\n"
    ".reg .pred %p; .reg .b32 %r<6>; .reg .b64 %a<4>; .reg .f32 %f<4>;\n"
    "mov.u32 %r0, %ctaid.x; mov.u32 %r1, %ntid.x; mov.u32 %r2, %tid.x; mad.lo.u32 %r3, %r0, %r1, %r2;\n"
    "ld.param.u32 %r4, [n]; setp.ge.u32 %p, %r3, %r4; @%p bra done;\n"
    "ld.param.u64 %a0, [data]; mul.wide.u32 %a1, %r3, 4; add.u64 %a2, %a0, %a1; ld.param.f32 %f0, [add];\n"
    "ld.const.f32 %f1, [factor]; ld.global.f32 %f2, [%a2]; fma.rn.f32 %f3, %f2, %f1, %f0; st.global.f32 [%a2], %f3;\n"
    "mov.u64 %a3, counter; red.global.add.u32 [%a3], 1;\n"
    "done: ret;\n}\n"
    ".visible .entry stray(.param .u64 to)\n{\n.reg .b64 %a; .reg .b32 %r;\n"
    "ld.param.u64 %a, [to]; mov.u32 %r, 1; st.global.u32 [%a], %r; ret;\n}\n"
    ".visible .entry bounded(.param .u64 to)\n.maxntid 64, 1, 1\n{\nret;\n}\n";

static const struct {
    uint32_t magic, version;
    const void *data;
    void *others;
} program_wrapper = {0x466243b1, 1, program_ptx, NULL};

static char scale_stub, stray_stub, bounded_stub, missing_stub; /* only their addresses count */
static uint32_t counter_host;
static float factor_host;
static void **program_handle;

static void register_program(void)
{
    program_handle = RT(__cudaRegisterFatBinary)((void *)&program_wrapper);
    const struct {
        void *host;
        const char *name;
    } kernels[] = {
        {&scale_stub, "scale"}, {&stray_stub, "stray"}, {&bounded_stub, "bounded"}, {&missing_stub, "missing"}};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        RT(__cudaRegisterFunction)(program_handle, kernels[i].host, kernels[i].host, kernels[i].name, -1, NULL, NULL, NULL,
                                   NULL, NULL);
    RT(__cudaRegisterVar)(program_handle, &counter_host, NULL, "counter", 0, 4, 0, 0);
    RT(__cudaRegisterVar)(program_handle, &factor_host, NULL, "factor", 0, 4, 1, 0);
    RT(__cudaRegisterFatBinaryEnd)(program_handle);
}

/* What the host stub of scale<<<grid, block, 0, stream>>>(data, n, add) does. */
static __attribute__((unused)) int launch_scale(void *data, uint32_t n, float add, cudaStream_t stream)
{
    void *args[] = {&data, &n, &add};
    dim3 grid = {(n + 63) / 64, 1, 1}, block = {64, 1, 1};
    size_t shared = 9;
    cudaStream_t popped = (cudaStream_t)-1;

    if (RT(__cudaPushCallConfiguration)(grid, block, 0, stream))
        return -1;
    grid = block = (dim3){0, 0, 0};
    if (RT(__cudaPopCallConfiguration)(&grid, &block, &shared, &popped) || shared || popped != stream)
        return -1;
    return RT(cudaLaunchKernel)(&scale_stub, grid, block, args, shared, popped);
}

#endif
