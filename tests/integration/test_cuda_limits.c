/* SPDX-License-Identifier: Apache-2.0 */
/* Heaps and stacks of kernels, as large as they are asked to be. argv[1]: vgpu-hostd. */
#include "tap.h"
#include "with_hostd.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)
enum { STACK, PRINTF, HEAP, SYNC_DEPTH, PENDING, L2_FETCH, PERSISTING, SHARED, CIG, CIG_SHARED };

static const char ptx[] =
    ".version 7.0\n.target sm_50\n.address_size 64\n"
    ".extern .func (.param .b64 r) malloc(.param .b64 n);\n"
    /* fill(u32 *out, u64 bytes): how many pieces of so many bytes malloc gives, of 64; the last one's last word is written */
    ".visible .entry fill(.param .u64 out, .param .u64 bytes) {\n"
    "  .reg .b64 %d<6>; .reg .b32 %r<4>; .reg .pred %p, %q;\n"
    "  ld.param.u64 %d0, [out]; ld.param.u64 %d1, [bytes]; mov.u32 %r0, 0;\n"
    "again:\n"
    "  { .param .b64 n0; .param .b64 r0; st.param.b64 [n0], %d1; call (r0), malloc, (n0); ld.param.b64 %d2, [r0]; }\n"
    "  setp.eq.u64 %p, %d2, 0; @%p bra done; add.u64 %d3, %d2, %d1; st.u32 [%d3+-4], %r0;\n"
    "  add.u32 %r0, %r0, 1; setp.lt.u32 %q, %r0, 64; @%q bra again;\n"
    "done: st.global.u32 [%d0], %r0; ret; }\n"
    /* sum(n) = n + sum(n - 1), with 64 bytes of its own */
    ".func (.param .b32 r) sum(.param .b32 n) {\n"
    "  .local .align 4 .b8 own[64]; .reg .b32 %a, %b; .reg .b64 %l; .reg .pred %p;\n"
    "  ld.param.b32 %a, [n]; mov.u64 %l, own; st.local.u32 [%l+60], %a; setp.eq.u32 %p, %a, 0; @%p bra end;\n"
    "  sub.u32 %b, %a, 1;\n"
    "  { .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %b; call (r0), sum, (p0); ld.param.b32 %b, [r0]; }\n"
    "  ld.local.u32 %a, [%l+60]; add.u32 %a, %a, %b;\n"
    "end: st.param.b32 [r], %a; ret; }\n"
    ".visible .entry deep(.param .u64 out, .param .u32 n) {\n"
    "  .reg .b64 %d; .reg .b32 %a;\n"
    "  ld.param.u64 %d, [out]; ld.param.u32 %a, [n];\n"
    "  { .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %a; call (r0), sum, (p0); ld.param.b32 %a, [r0]; }\n"
    "  st.global.u32 [%d], %a; ret; }\n";

static CUcontext context;
static CUmodule module;
static CUfunction fill, deep;
static CUdeviceptr out;

static void begin(void)
{
    if (!OK(cuCtxCreate_v2(&context, 0, 0), "context") || !OK(cuModuleLoadData(&module, ptx), "module") ||
        !OK(cuModuleGetFunction(&fill, module, "fill"), "fill") || !OK(cuModuleGetFunction(&deep, module, "deep"), "deep") ||
        !OK(cuMemAlloc_v2(&out, 4), "memory"))
        exit(tap_done());
}

static unsigned run(CUfunction function, uint64_t argument)
{
    void *params[] = {&out, &argument};
    unsigned value = 0;

    OK(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), "launched");
    OK(cuMemcpyDtoH_v2(&value, out, 4), "done");
    return value;
}

static void test_values(void)
{
    size_t value;

    OK(cuCtxGetLimit(&value, SHARED), "shared memory");
    is_u64(value, 232448, "is the device's");
    is_u64(cuCtxSetLimit(SHARED, 1), CUDA_ERROR_UNSUPPORTED_LIMIT, "and cannot be set");
    is_u64(cuCtxGetLimit(&value, SYNC_DEPTH), CUDA_ERROR_UNSUPPORTED_LIMIT, "waiting in kernels is of older devices");
    is_u64(cuCtxGetLimit(&value, CIG_SHARED), CUDA_ERROR_UNSUPPORTED_LIMIT, "graphics");
    is_u64(cuCtxGetLimit(NULL, STACK), CUDA_ERROR_INVALID_VALUE, "nowhere");
    OK(cuCtxSetLimit(PRINTF, 1 << 26), "the print area");
    OK(cuCtxGetLimit(&value, PRINTF), "is kept");
    is_u64(value, 1 << 26, "as it was set");
    is_u64(cuCtxSetLimit(L2_FETCH, 1000), CUDA_ERROR_INVALID_VALUE, "a granularity that none is");
}

int main(int argc, char **argv)
{
    size_t value, before, after, total;

    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    OK(cuInit(0), "cuInit");

    begin();
    test_values();
    is_u64(run(fill, 1 << 20), 8, "a heap of 8 MiB");
    is_u64(cuCtxSetLimit(HEAP, 64 << 20), CUDA_ERROR_INVALID_VALUE, "cannot grow once it was used");
    is_u64(run(deep, 100), 5050, "a hundred calls deep");
    OK(cuCtxSetLimit(STACK, 128 << 10), "a larger stack");
    OK(cuCtxGetLimit(&value, STACK), "the limit");
    is_u64(value, 128 << 10, "is as set");
    is_u64(run(deep, 1000), 500500, "a thousand");
    OK(cuCtxDestroy_v2(context), "destroyed");

    begin();
    OK(cuMemGetInfo_v2(&before, &total), "free memory");
    OK(cuCtxSetLimit(HEAP, 60 << 20), "a heap of 60 MiB");
    OK(cuCtxGetLimit(&value, HEAP), "the limit");
    is_u64(value, 60 << 20, "is as set");
    OK(cuMemGetInfo_v2(&after, &total), "free memory");
    ok(before - after >= 60 << 20, "the heap counts");
    OK(cuCtxSetLimit(HEAP, 100 << 20), "larger still, in place of it");
    OK(cuCtxSetLimit(STACK, 128 << 10), "and a stack of 128 KiB");
    ok(run(fill, 1 << 20) == 64, "64 MiB are there");
    is_u64(run(deep, 1000), 500500, "a thousand calls deep");
    is_u64(cuCtxSetLimit(STACK, 1 << 20), CUDA_ERROR_INVALID_VALUE, "a stack that no device has");
    is_u64(cuCtxSetLimit(HEAP, (size_t)1 << 40), CUDA_ERROR_OUT_OF_MEMORY, "a heap that it does not have");
    OK(cuCtxDestroy_v2(context), "destroyed");

    begin();
    void *params[] = {&out, &(unsigned){1000}};
    OK(cuLaunchKernel(deep, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), "a thousand calls");
    is_u64(cuCtxSynchronize(), 714, "are more than the default's stack holds");
    return tap_done();
}
