/* SPDX-License-Identifier: Apache-2.0 */
/* Managed variables. argv[1]: vgpu-hostd. */
#include "tap.h"
#include "with_hostd.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)

static const char managed_ptx[] =
    ".version 7.0\n.target sm_50\n.address_size 64\n"
    ".visible .global .attribute(.managed) .align 4 .u32 counter = 5;\n"
    ".visible .global .align 8 .u64 where = generic(counter);\n"
    ".visible .global .align 4 .attribute(.managed) .b8 text[16] = {104, 105};\n"
    ".visible .const .align 4 .u32 step = 3;\n"
    /* count(): counter += step, through the pointer; text[2] = '!' */
    ".visible .entry count() {\n"
    "  .reg .b32 %r<3>; .reg .b64 %d0; .reg .b16 %h0;\n"
    "  ld.global.u64 %d0, [where]; ld.const.u32 %r0, [step]; ld.u32 %r1, [%d0]; add.u32 %r1, %r1, %r0; st.u32 [%d0], %r1;\n"
    "  mov.u16 %h0, 33; st.global.u8 [text+2], %h0; ret; }\n";

static void test_managed(void)
{
    CUlibrary library;
    CUkernel kernel;
    CUmodule module;
    CUfunction count;
    CUdeviceptr p, again;
    size_t size;
    unsigned managed;

    OK(cuModuleLoadData(&module, managed_ptx), "a module with managed variables");
    OK(cuModuleGetGlobal_v2(&p, &size, module, "counter"), "one of them");
    is_u64(size, 4, "its size");
    volatile unsigned *counter = (void *)(uintptr_t)p;
    is_u64(*counter, 5, "the CPU reads its initial value");
    *counter = 40;
    OK(cuModuleGetFunction(&count, module, "count"), "kernel");
    OK(cuLaunchKernel(count, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), "launched");
    OK(cuCtxSynchronize(), "done");
    is_u64(*counter, 43, "the kernel sees what the CPU wrote, and the CPU what it did");
    OK(cuModuleGetGlobal_v2(&p, NULL, module, "text"), "another");
    is_str((const char *)(uintptr_t)p, "hi!", "is shared too");
    OK(cuPointerGetAttribute(&managed, 8, p), "what it is");
    is_u64(managed, 1, "managed");
    OK(cuMemcpyDtoH_v2(&size, p, 4), "copied as any memory");
    OK(cuModuleUnload(module), "unloaded");
    is_u64(cuPointerGetAttribute(&managed, 8, p), CUDA_ERROR_INVALID_VALUE, "with its memory");

    OK(cuLibraryLoadData(&library, managed_ptx, NULL, NULL, 0, NULL, NULL, 0), "as a library");
    OK(cuLibraryGetManaged(&p, &size, library, "counter"), "cuLibraryGetManaged");
    OK(cuLibraryGetGlobal(&again, NULL, library, "counter"), "and as any variable");
    ok(p == again && size == 4, "is the same");
    is_u64(cuLibraryGetManaged(&p, &size, library, "where"), CUDA_ERROR_NOT_FOUND, "one that is not managed");
    is_u64(cuLibraryGetManaged(&p, &size, library, "nothing"), CUDA_ERROR_NOT_FOUND, "one that is not there");
    OK(cuLibraryGetKernel(&kernel, library, "count"), "kernel");
    for (int i = 0; i < 3; i++)
        OK(cuLaunchKernel((CUfunction)kernel, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), "launched");
    OK(cuCtxSynchronize(), "done");
    is_u64(*(volatile unsigned *)(uintptr_t)again, 14, "three times");
    OK(cuLibraryUnload(library), "unloaded");
}

int main(int argc, char **argv)
{
    CUcontext context;

    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    OK(cuInit(0), "cuInit");
    OK(cuCtxCreate_v2(&context, 0, 0), "context");
    test_managed();
    OK(cuCtxDestroy_v2(context), "destroyed");
    return tap_done();
}
