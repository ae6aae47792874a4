/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel that goes wrong is reported with its place in the source, where its PTX has .loc and .file, as clang and nvcc write
 * them; with block and thread; and with what the bad address is near to. argv: vgpu-hostd, libcuda.so.1. */
#include "bad.h"

#include "vgpu_protocol.h"

static const char places_ptx[] =
    ".version 7.8\n.target sm_70\n.address_size 64\n"
    ".extern .func __assertfail(.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);\n"
    ".global .align 1 .b8 said[7] = {120, 32, 61, 61, 32, 50, 0};\n"
    ".visible .entry plain(.param .u64 p)\n{\n.reg .b64 %d;\n.loc 1 12 3\nld.param.u64 %d, [p];\n.loc 1 13 7\n"
    "st.global.u32 [%d], 1;\nret;\n}\n"
    /* nvcc's -lineinfo: the callee's place, its name in .debug_str, and where it was inlined */
    ".visible .entry inlined(.param .u64 p)\n{\n.reg .b64 %d;\n.loc 1 20 1\nld.param.u64 %d, [p];\n"
    ".loc 2 5 9, function_name $L__info_string1, inlined_at 1 21 4\nst.global.u32 [%d], 1;\nret;\n}\n"
    ".visible .entry offset(.param .u64 p)\n{\n.reg .b64 %d;\nld.param.u64 %d, [p];\n"
    ".loc 2 6 1, function_name $L__info_string0+4, inlined_at 1 22 4\nst.global.u32 [%d], 1;\nret;\n}\n"
    ".func callee(.param .b64 q)\n{\n.reg .b64 %d;\n.reg .b32 %r;\n.loc 2 40 2\nld.param.b64 %d, [q];\n"
    "atom.global.add.u32 %r, [%d], 1;\nret;\n}\n"
    ".visible .entry caller(.param .u64 p)\n{\n.reg .b64 %d;\n.param .b64 a;\n.loc 1 50 1\nld.param.u64 %d, [p];\n"
    "st.param.b64 [a], %d;\ncall callee, (a);\nret;\n}\n"
    ".visible .entry stop()\n{\n.loc 1 60 5\ntrap;\n}\n"
    ".visible .entry says()\n{ .param .b64 a, b, d, e; .param .b32 c; .reg .b64 %d; mov.u64 %d, said; cvta.global.u64 %d, %d;\n"
    "st.param.b64 [a], %d; st.param.b64 [d], %d; st.param.b64 [b], %d; st.param.b32 [c], 41; st.param.b64 [e], 1;\n"
    ".loc 1 41 2\ncall __assertfail, (a, b, c, d, e); ret; }\n"
    ".visible .entry lane(.param .u64 p)\n{\n.reg .b64 %d, %e;\n.reg .b32 %t, %c;\n.reg .pred %q;\nld.param.u64 %d, [p];\n"
    "mov.u32 %t, %tid.x;\nmov.u32 %c, %ctaid.x;\nsetp.eq.u32 %q, %t, 37;\nmov.u64 %e, 64;\nselp.b64 %d, %e, %d, %q;\n"
    ".loc 1 70 1\nst.global.u32 [%d], %c;\nret;\n}\n"
    ".visible .entry shares()\n{\n.shared .align 4 .b8 sm[64];\n.reg .b32 %r;\nmov.u32 %r, sm;\n.loc 1 80 3\n"
    "ld.shared.u32 %r, [%r+64];\nst.shared.u32 [sm], %r;\nret;\n}\n"
    ".file 1 \"/src/kernels/scale.cu\"\n.file 2 \"helper.cuh\", 1700000000, 123\n"
    ".section .debug_str\n{\n$L__info_string0:\n.b8 120,120,120,120,108,97,116,101,114,0\n"
    "$L__info_string1:\n.b8 112\n.b8 117\n.b8 116\n.b8 0\n}\n";

static CUmodule places;

static int launch(const char *name, CUdeviceptr p, unsigned threads)
{
    CUfunction f;
    void *params[] = {&p};
    int status = CU(cuModuleGetFunction)(&f, places, name);

    return status ? status : CU(cuLaunchKernel)(f, 1, 1, 1, threads, 1, 1, 0, NULL, params, NULL);
}

static int fails(const char *name, CUdeviceptr p, unsigned threads, int status)
{
    dup2(STDERR_FILENO, STDOUT_FILENO); /* an assertion's text is no TAP */
    if (CU(cuModuleLoadData)(&places, places_ptx))
        return 1;
    if (launch(name, p, threads))
        return 2;
    return CU(cuCtxSynchronize)() == status ? 0 : 3;
}

static int null_store(struct bad_client *c) { return fails("plain", 16, 1, 700); }
static int host_pointer(struct bad_client *c) { return fails("plain", (uintptr_t)&places, 1, 700); }
static int inlined(struct bad_client *c) { return fails("inlined", 0, 1, 700); }
static int offset(struct bad_client *c) { return fails("offset", 0, 1, 700); }
static int called(struct bad_client *c) { return fails("caller", 8, 1, 700); }
static int trap(struct bad_client *c) { return fails("stop", 0, 1, 719); }
static int assertion(struct bad_client *c) { return fails("says", 0, 1, 710); }
static int beyond_shared(struct bad_client *c) { return fails("shares", 0, 1, 700); }

static int misaligned(struct bad_client *c)
{
    CUdeviceptr p;

    return CU(cuMemAlloc_v2)(&p, 64) ? 10 : fails("plain", p + 1, 1, 716);
}

static int one_lane(struct bad_client *c)
{
    CUdeviceptr p;

    return CU(cuMemAlloc_v2)(&p, 64) ? 10 : fails("lane", p, 64, 700);
}

/* Large ones, which are mapped for themselves. */
static int past_the_end(struct bad_client *c)
{
    CUdeviceptr p;

    return CU(cuMemAlloc_v2)(&p, 256 * VGPU_MIB) ? 10 : fails("plain", p + 512 * VGPU_MIB + 12, 1, 700);
}

static int freed(struct bad_client *c)
{
    CUdeviceptr p;

    if (CU(cuMemAlloc_v2)(&p, 256 * VGPU_MIB) || CU(cuMemFree_v2)(p))
        return 10;
    return fails("plain", p + VGPU_MIB, 1, 700);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*test)(struct bad_client *);
        const char *one, *other;
    } tests[] = {
        {"a null pointer", null_store, "scale.cu:13:7, PTX line 12 'st.global.u32 [%d], 1;', block (0,0,0), thread (0,0,0)",
         "address 0x10 (a null pointer)"},
        {"a pointer to host memory", host_pointer, "scale.cu:13:7", "(not a device pointer)"},
        {"inlined code", inlined, "helper.cuh:5:9 (inlined from put into scale.cu:21:4)", "address 0 (a null pointer)"},
        {"inlined code, its name behind an offset", offset, "kernel offset", "helper.cuh:6:1 (inlined from later into scale.cu:22:4)"},
        {"in a function that the kernel calls", called, "kernel caller", "helper.cuh:40:2, PTX line"},
        {"a trap", trap, "kernel stop", "scale.cu:60:5"},
        {"a failed assertion", assertion, "kernel says", "scale.cu:41:2"},
        {"shared memory", beyond_shared, "kernel shares", "scale.cu:80:3"},
        {"a misaligned address", misaligned, "not aligned to 4 bytes", "scale.cu:13:7"},
        {"one lane of two warps", one_lane, "scale.cu:70:1", "thread (37,0,0), address 0x40"},
        {"past the end", past_the_end, "scale.cu:13:7", "bytes past the end of the memory at 0x2"},
        {"freed memory", freed, "scale.cu:13:7", "(memory that has been freed)"},
    };

    (void)argc;
    bad_setup(argv, "warn");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        is_u64(bad_run(tests[i].test), 0, "%s: its error", tests[i].name);
        ok(log_names(tests[i].one, tests[i].other), "%s: where", tests[i].name);
    }
    return tap_done();
}
