/* SPDX-License-Identifier: Apache-2.0 */
/* Managed variables; linking; what the compiler says. argv[1]: vgpu-hostd. */
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

/* ---- linking: each text has a local 'secret' and 'helper'; 'shared' is weak in both ---- */

#define HEAD ".version 7.0\n.target sm_50\n.address_size 64\n"
static const char part_one[] =
    HEAD ".global .align 4 .u32 secret = 100;\n"
    ".weak .global .align 4 .u32 shared = 7;\n"
    ".extern .global .align 4 .u32 elsewhere;\n"
    ".extern .func (.param .b32 r) twice(.param .b32 x);\n"
    ".func (.param .b32 r) helper() { .reg .b32 %a; ld.global.u32 %a, [secret]; st.param.b32 [r], %a; ret; }\n"
    ".weak .func (.param .b32 r) inlined() { .reg .b32 %a; mov.u32 %a, 1000; st.param.b32 [r], %a; ret; }\n"
    /* run(u32 *out): out[0] = twice(helper() + elsewhere) + inlined(), out[1] = shared */
    ".visible .entry run(.param .u64 out) { .reg .b32 %a, %b; .reg .b64 %d;\n"
    "  { .param .b32 r0; call (r0), helper; ld.param.b32 %a, [r0]; }\n"
    "  ld.global.u32 %b, [elsewhere]; add.u32 %a, %a, %b;\n"
    "  { .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %a; call (r0), twice, (p0); ld.param.b32 %a, [r0]; }\n"
    "  { .param .b32 r0; call (r0), inlined; ld.param.b32 %b, [r0]; }\n"
    "  add.u32 %a, %a, %b; ld.param.u64 %d, [out]; st.global.u32 [%d], %a; ld.global.u32 %b, [shared]; st.global.u32 [%d+4], %b; ret; }\n";
static const char part_two[] =
    HEAD ".global .align 4 .u32 secret = 5;\n"
    ".weak .global .align 4 .u32 shared = 7;\n"
    ".visible .global .align 4 .u32 elsewhere = 20;\n"
    ".weak .func (.param .b32 r) inlined() { .reg .b32 %a; mov.u32 %a, 1000; st.param.b32 [r], %a; ret; }\n"
    ".func (.param .b32 r) helper() { .reg .b32 %a; ld.global.u32 %a, [secret]; st.param.b32 [r], %a; ret; }\n"
    /* twice(x) = 2 x + helper() */
    ".visible .func (.param .b32 r) twice(.param .b32 x) { .reg .b32 %a, %b;\n"
    "  ld.param.b32 %a, [x]; add.u32 %a, %a, %a; { .param .b32 r0; call (r0), helper; ld.param.b32 %b, [r0]; }\n"
    "  add.u32 %a, %a, %b; st.param.b32 [r], %a; ret; }\n"
    ".visible .entry bump() { .reg .b32 %a; ld.global.u32 %a, [shared]; add.u32 %a, %a, 1; st.global.u32 [shared], %a; ret; }\n";

enum { CUBIN, PTX, FATBINARY, OBJECT, LIBRARY, NVVM };

static void test_link(void)
{
    char errors[1024] = "x", info[1024] = "x";
    int options[] = {5, 6, 3, 4, 12};
    void *values[] = {errors, (void *)sizeof errors, info, (void *)sizeof info, (void *)1};
    CUlinkState link, again;
    CUmodule module;
    CUfunction run, bump;
    CUdeviceptr out;
    void *cubin;
    size_t size;
    unsigned numbers[2];
    static const char elf[64] = "\177ELF\2\1\1";

    OK(cuLinkCreate_v2(5, options, values, &link), "cuLinkCreate");
    is_u64(cuLinkComplete(link, &cubin, &size), CUDA_ERROR_INVALID_VALUE, "nothing to link");
    OK(cuLinkAddData_v2(link, PTX, (void *)part_one, sizeof part_one, "one.ptx", 0, NULL, NULL), "a part that lacks something");
    is_u64(cuLinkComplete(link, &cubin, &size), 218, "cannot be complete");
    ok(strstr(errors, "twice") || strstr(errors, "elsewhere"), "what it lacks is named");
    is_u64((uintptr_t)values[1], strlen(errors) + 1, "the log's size is told");
    OK(cuLinkAddData_v2(link, PTX, (void *)part_two, sizeof part_two - 1, "two.ptx", 0, NULL, NULL), "the other part");
    OK(cuLinkComplete(link, &cubin, &size), "complete");
    ok(strstr(info, "'run'") && strstr(info, "'bump'"), "the kernels are told");
    is_u64(cuLinkAddData_v2(link, PTX, (void *)part_two, sizeof part_two, NULL, 0, NULL, NULL), CUDA_ERROR_INVALID_VALUE, "no more parts");

    OK(cuLinkCreate(0, NULL, NULL, &again), "linked once more");
    OK(cuLinkAddData(again, CUBIN, cubin, size, NULL, 0, NULL, NULL), "from what was linked");
    void *second;
    OK(cuLinkComplete(again, &second, &size), "complete");
    OK(cuModuleLoadData(&module, second), "loaded");
    OK(cuLinkDestroy(again), "the state goes");
    OK(cuLinkDestroy(link), "the state goes");
    is_u64(cuLinkDestroy(link), CUDA_ERROR_INVALID_HANDLE, "once");
    OK(cuModuleGetFunction(&run, module, "run"), "a kernel of one part");
    OK(cuModuleGetFunction(&bump, module, "bump"), "a kernel of the other");
    OK(cuMemAlloc_v2(&out, 8), "memory");
    void *params[] = {&out};
    OK(cuLaunchKernel(bump, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), "bump");
    OK(cuLaunchKernel(run, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), "run");
    OK(cuMemcpyDtoH_v2(numbers, out, 8), "read");
    is_u64(numbers[0], 2 * (100 + 20) + 5 + 1000, "each part has its own locals");
    is_u64(numbers[1], 8, "and both one weak variable");
    OK(cuMemFree_v2(out), "free");
    OK(cuModuleUnload(module), "unloaded");

    OK(cuLinkCreate_v2(5, options, values, &link), "again");
    is_u64(cuLinkAddData_v2(link, PTX, HEAD ".visible .entry k() {\n  nonsense.u32 %a;\n}", 100, "bad.ptx", 0, NULL, NULL), 218, "bad text");
    ok(strstr(errors, "line 5"), "its line is told");
    is_u64(cuLinkAddData_v2(link, CUBIN, (void *)elf, sizeof elf, "elf", 0, NULL, NULL), CUDA_ERROR_NO_BINARY_FOR_GPU, "machine code");
    is_u64(cuLinkAddData_v2(link, LIBRARY, (void *)elf, sizeof elf, "lib", 0, NULL, NULL), CUDA_ERROR_NO_BINARY_FOR_GPU, "a library");
    is_u64(cuLinkAddData_v2(link, NVVM, (void *)elf, sizeof elf, "nvvm", 0, NULL, NULL), CUDA_ERROR_NOT_SUPPORTED, "NVVM");
    is_u64(cuLinkAddData_v2(link, 9, (void *)elf, sizeof elf, NULL, 0, NULL, NULL), CUDA_ERROR_INVALID_VALUE, "no type");
    is_u64(cuLinkAddData_v2(link, PTX, "neither", 8, NULL, 0, NULL, NULL), CUDA_ERROR_INVALID_IMAGE, "no PTX");
    is_u64(cuLinkAddFile_v2(link, PTX, "/nonexistent", 0, NULL, NULL), CUDA_ERROR_FILE_NOT_FOUND, "no file");
    OK(cuLinkDestroy(link), "destroyed");
}

static void test_logs(void)
{
    char errors[60] = "x";
    int options[] = {5, 6, 2};
    void *values[] = {errors, (void *)sizeof errors, NULL};
    CUmodule module;
    float milliseconds;

    is_u64(cuModuleLoadDataEx(&module, HEAD "\n.visible .entry k() {\n  add.u32 %r1, %r2;\n}\n", 3, options, values), 218, "a bad body");
    ok(!strncmp(errors, "ptxas application ptx input, line 6; error   : ", 40), "is explained");
    ok(strlen(errors) < sizeof errors, "in the room that there is");
    is_u64((uintptr_t)values[1], strlen(errors) + 1, "which is told");
    values[1] = (void *)sizeof errors;
    OK(cuModuleLoadDataEx(&module, HEAD ".visible .entry k() { ret; }\n", 3, options, values), "a good one");
    is_u64((uintptr_t)values[1], 0, "is not");
    memcpy(&milliseconds, &values[2], sizeof milliseconds);
    ok(milliseconds >= 0 && milliseconds < 60000, "it took %f ms", milliseconds);
    OK(cuModuleUnload(module), "unloaded");
    options[0] = 99;
    is_u64(cuModuleLoadDataEx(&module, HEAD, 3, options, values), CUDA_ERROR_INVALID_VALUE, "no option");
}

int main(int argc, char **argv)
{
    CUcontext context;

    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    OK(cuInit(0), "cuInit");
    OK(cuCtxCreate_v2(&context, 0, 0), "context");
    test_managed();
    test_link();
    test_logs();
    OK(cuCtxDestroy_v2(context), "destroyed");
    return tap_done();
}
