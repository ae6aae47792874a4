/* SPDX-License-Identifier: Apache-2.0 */
/* What kernels print arrives whole, also when it is several times what the channel's print area holds. Limits that the device
 * does not have are refused. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda_api.h"
#include "tap.h"

enum { BLOCKS = 64, ROUNDS = 4 };

static const char ptx[] =
    ".version 7.0\n.target sm_50\n.address_size 64\n"
    ".extern .func (.param .b32 r) vprintf (.param .b64 format, .param .b64 arguments);\n"
    ".global .align 1 .b8 text[32] = {98, 108, 111, 99, 107, 32, 37, 48, 53, 117, 32, 108, 97, 110, 101, 32, 37, 48, 50, 117, 32, "
    "114, 111, 117, 110, 100, 32, 37, 48, 52, 117, 10};\n" /* "block %05u lane %02u round %04u\n", the NUL behind it */
    ".global .align 1 .b8 end[1];\n"
    ".visible .entry talk()\n{\n"
    ".local .align 8 .b8 room[16]; .reg .b64 %f, %a; .reg .b32 %i, %v, %r; .reg .pred %p;\n"
    "mov.u64 %a, room; cvta.local.u64 %a, %a; mov.u64 %f, text; cvta.global.u64 %f, %f;\n"
    "mov.u32 %v, %ctaid.x; st.u32 [%a], %v; mov.u32 %v, %tid.x; st.u32 [%a+4], %v; mov.u32 %i, 0;\n"
    "L: st.u32 [%a+8], %i;\n"
    "{ .param .b64 p0; .param .b64 p1; .param .b32 q; st.param.b64 [p0], %f; st.param.b64 [p1], %a;\n"
    "call.uni (q), vprintf, (p0, p1); ld.param.b32 %r, [q]; }\n"
    "add.u32 %i, %i, 1; setp.lt.u32 %p, %i, 4; @%p bra L; ret;\n}\n";

/* In a child: print to the pipe. */
static int talk(int out)
{
    CUcontext context;
    CUmodule module;
    CUfunction kernel;

    dup2(out, STDOUT_FILENO);
    if (cuInit(0) || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context) || cuModuleLoadData(&module, ptx) ||
        cuModuleGetFunction(&kernel, module, "talk") || cuLaunchKernel(kernel, BLOCKS, 1, 1, 32, 1, 1, 0, NULL, NULL, NULL) ||
        cuCtxSynchronize())
        return 1;
    fflush(stdout);
    return 0;
}

int main(void)
{
    static unsigned char seen[BLOCKS][32][ROUNDS];
    unsigned block, lane, round, lines = 0, once = 0, odd = 0;
    char line[256];
    int ends[2], status;
    CUcontext context;
    pid_t child;
    FILE *in;

    if (pipe(ends))
        return 2;
    child = fork();
    if (!child)
        _exit(talk(ends[1]));
    close(ends[1]);
    in = fdopen(ends[0], "r");
    while (fgets(line, sizeof line, in)) {
        lines++;
        if (sscanf(line, "block %u lane %u round %u", &block, &lane, &round) == 3 && block < BLOCKS && lane < 32 && round < ROUNDS)
            once += !seen[block][lane][round]++;
        else
            odd++;
    }
    waitpid(child, &status, 0);
    is_u64(status, 0, "a kernel prints");
    is_u64(lines, BLOCKS * 32 * ROUNDS, "as many lines as it should, four times what the print area holds");
    is_u64(once, BLOCKS * 32 * ROUNDS, "each of them once");
    is_u64(odd, 0, "and no others");

    cuInit(0);
    cuDevicePrimaryCtxRetain(&context, 0);
    cuCtxSetCurrent(context);
    is_u64(cuCtxSetLimit(2, 4 << 20), 0, "a smaller heap is as good");
    is_u64(cuCtxSetLimit(2, (size_t)1 << 40), 2, "a heap that the device does not have is refused");
    is_u64(cuCtxSetLimit(0, 1 << 20), 1, "a stack that no device has, too");
    return tap_done();
}
