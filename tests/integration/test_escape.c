/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts to get out, a TAP line each: kernels (escape_kernels.h), launches, what the compiler is given, and commands of the
 * ring. Each is a client of its own, which has to see the error that belongs to it and has to have a working GPU again after a
 * reset; and each time the supervisor lives, and another client has its memory as it was and a GPU that works.
 * argv: vgpu-hostd, libcuda.so.1. */
#include "bad.h"

#include "escape_kernels.h"
#include "raw_client.h"
#include "vgpu_protocol.h"

static const struct escape *attempt;
static pid_t executors[64]; /* before the attempt */
static int n_executors;

/* ---- Places ---- */

/* Where the client's own executor has what is named so, as /proc tells root; anybody else has to guess from his own process. */
static CUdeviceptr host_address(const char *name, const char *rights)
{
    unsigned long long start, end, found = 0;
    char path[64] = "/proc/self/maps", line[512], r[8];
    pid_t now[64];
    FILE *f;

    for (int i = 0, n = children_of(hostd_pid, "vgpu-executor", now, 64); i < n; i++) {
        bool known = false;

        for (int k = 0; k < n_executors; k++)
            known |= executors[k] == now[i];
        if (!known)
            snprintf(path, sizeof path, "/proc/%d/maps", (int)now[i]);
    }
    f = fopen(path, "r");
    while (f && !found && fgets(line, sizeof line, f))
        if (sscanf(line, "%llx-%llx %7s", &start, &end, r) == 3 && !strncmp(r, rights, strlen(rights)) && strstr(line, name) &&
            start - VGPU_WINDOW_BASE >= VGPU_WINDOW_SIZE)
            found = start + (end - start) / 2;
    if (f)
        fclose(f);
    return found ? (found & ~UINT64_C(63)) : ((uintptr_t)&attempt & ~UINT64_C(63));
}

static CUdeviceptr place(enum place at, CUdeviceptr buffer)
{
    switch (at) {
    case BUFFER: return buffer;
    case NOWHERE: return 0;
    case NEAR_NULL: return 64;
    case BELOW_WINDOW: return VGPU_WINDOW_BASE - 4;
    case WINDOW_START: return VGPU_WINDOW_BASE;
    case WINDOW_END: return VGPU_WINDOW_END;
    case ABOVE_WINDOW: return VGPU_WINDOW_END + VGPU_GIB;
    case UNGRANTED: return VGPU_HEAP_BASE + 700 * VGPU_GIB;
    case LAST_BYTES: return UINT64_MAX - 15;
    case NEGATIVE_HALF: return UINT64_C(0xffffffff81000000);
    case NOT_CANONICAL: return UINT64_C(0x000a000000000000);
    case FUNCTIONS: return VGPU_FUNCTION_BASE + 16;
    case SCRATCH: return VGPU_SCRATCH_BASE + VGPU_GIB;
    case IMAGES_END: return VGPU_FUNCTION_BASE - 4096;
    case BUFFER_END: return (buffer | (VGPU_GRANULE - 1)) + 1;
    case HOST_STACK: return host_address("[stack]", "rw");
    case HOST_HEAP: return host_address("[heap]", "rw");
    case HOST_CODE: return host_address("vgpu-executor", "r-xp");
    case HOST_VDSO: return host_address("[vdso]", "r-x");
    case HOST_LIBRARY: return host_address("libc.so", "rw");
    case HOST_CHANNEL: return host_address("", "rw-s");
    case FREED:
        if (CU(cuMemAlloc_v2)(&buffer, 256 * VGPU_MIB) || CU(cuMemsetD8_v2)(buffer, 1, 64) || CU(cuMemFree_v2)(buffer))
            return 0;
        return buffer + VGPU_MIB;
    }
    return 0;
}

/* ---- Kernels ---- */

static const char entry[] =
    ".visible .entry k(.param .u64 p, .param .u64 q)\n{\n.reg .b64 %%d<8>;\n.reg .b32 %%r<8>;\n.reg .b16 %%h<4>;\n.reg .f32 %%f<8>;\n"
    ".reg .pred %%p<2>;\n.shared .align 16 .b8 sm[256];\n.local .align 8 .b8 lo[64];\nmov.u32 %%r0, %%tid.x;\n"
    "ld.param.u64 %%d0, [p];\nld.param.u64 %%d1, [q];\n%s\nret;\n}\n";

/* Launch k of this text, with memory at q; the status of what went wrong, be it at once or later. */
static int run_text(const char *text, enum place at, unsigned threads, unsigned shared)
{
    CUdeviceptr p, q;
    CUmodule module;
    CUfunction k;
    void *params[] = {&p, &q};
    int status;

    if (CU(cuMemAlloc_v2)(&q, 4096) || CU(cuMemsetD8_v2)(q, 0, 4096))
        return 10 * REFUSED;
    p = place(at, q);
    status = CU(cuModuleLoadData)(&module, text);
    if (!status)
        status = CU(cuModuleGetFunction)(&k, module, "k");
    if (!status)
        status = CU(cuLaunchKernel)(k, 2, 1, 1, threads, 1, 1, shared, NULL, params, NULL);
    return status ? REFUSED + status : CU(cuCtxSynchronize)();
}

/* What was seen is what had to be, stays so, and a reset makes all good. */
static int contained(struct bad_client *c, int seen, int wanted)
{
    CUdeviceptr p;

    if (seen != wanted) {
        diag("status %d, not %d", seen, wanted);
        return 1;
    }
    if (seen && seen < REFUSED && (CU(cuMemAlloc_v2)(&p, 4) != seen || CU(cuCtxSynchronize)() != seen))
        return 2;
    if (CU(cuDevicePrimaryCtxReset_v2)(0) || CU(cuDevicePrimaryCtxRetain)(&c->context, 0) || CU(cuCtxSetCurrent)(c->context) ||
        CU(cuModuleLoadData)(&c->module, bad_ptx))
        return 3;
    return bad_works(c) ? 0 : 4;
}

static int kernel(struct bad_client *c)
{
    static char body[8192], text[16384];

    dup2(STDERR_FILENO, STDOUT_FILENO); /* what it prints is no TAP */
    snprintf(body, sizeof body, entry, attempt->body);
    snprintf(text, sizeof text, ".version 8.0\n.target sm_90\n.address_size 64\n%s%s", attempt->module ? attempt->module : "", body);
    return contained(c, run_text(text, attempt->at, attempt->threads ? attempt->threads : 1, 0), attempt->status);
}

/* ---- Launches ---- */

static int dynamic_shared(struct bad_client *c)
{
    return contained(c, run_text(".version 8.0\n.target sm_90\n.address_size 64\n.extern .shared .align 4 .b8 dyn[];\n"
                                 ".visible .entry k(.param .u64 p, .param .u64 q)\n{\n.reg .b32 %r;\nmov.u32 %r, dyn;\n"
                                 "st.shared.u32 [%r+1020], %r;\nst.shared.u32 [%r+1024], %r;\nret;\n}\n", BUFFER, 1, 1024), 700);
}

static int no_dynamic_shared(struct bad_client *c)
{
    return contained(c, run_text(".version 8.0\n.target sm_90\n.address_size 64\n.extern .shared .align 4 .b8 dyn[];\n"
                                 ".visible .entry k(.param .u64 p, .param .u64 q)\n{\nst.shared.u32 [dyn], 1;\nret;\n}\n", BUFFER, 1, 0),
                     700);
}

static int too_much_shared(struct bad_client *c)
{
    return contained(c, run_text(".version 8.0\n.target sm_90\n.address_size 64\n.extern .shared .align 4 .b8 dyn[];\n"
                                 ".visible .entry k(.param .u64 p, .param .u64 q)\n{\nst.shared.u32 [dyn], 1;\nret;\n}\n", BUFFER, 1,
                                 0xfffffff0u), REFUSED + 1);
}

/* ---- What the compiler is given ---- */

static char *text_of(void (*write)(FILE *))
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    fputs(".version 8.0\n.target sm_90\n.address_size 64\n", f);
    write(f);
    fclose(f);
    return text;
}

static int compiled(struct bad_client *c, void (*write)(FILE *), int wanted)
{
    char *text = text_of(write);
    int status = run_text(text, BUFFER, 32, 0);

    free(text);
    return contained(c, status, wanted);
}

#define HEAD ".visible .entry k(.param .u64 p, .param .u64 q)\n{\n.reg .b64 %d<4>;\n.reg .b32 %r<4>;\n.reg .pred %p;\nld.param.u64 %d1, [q];\n"

static void write_long(FILE *f)
{
    fputs(HEAD "mov.u32 %r0, 1;\n", f);
    for (int i = 0; i < 4000; i++)
        fprintf(f, "mad.lo.u32 %%r0, %%r0, %%r0, %d;\n", i);
    fputs("st.global.u32 [%d1], %r0;\nret;\n}\n", f);
}

static void write_labels(FILE *f)
{
    fputs(HEAD "mov.u32 %r0, %tid.x;\n", f);
    for (int i = 0; i < 500; i++)
        fprintf(f, "L%d: setp.eq.u32 %%p, %%r0, %d; @%%p bra L%d;\n", i, i, (i * 7 + 1) % 500 > i ? (i * 7 + 1) % 500 : 500);
    fputs("L500: st.global.u32 [%d1], %r0;\nret;\n}\n", f);
}

static void write_registers(FILE *f)
{
    fputs(HEAD ".reg .b32 %x<60000>;\n", f);
    for (int i = 0; i < 3000; i++)
        fprintf(f, "ld.global.u32 %%x%d, [%%d1];\n", i * 19);
    for (int i = 1; i < 3000; i++)
        fprintf(f, "xor.b32 %%x0, %%x0, %%x%d;\n", i * 19);
    fputs("st.global.u32 [%d1], %x0;\nret;\n}\n", f);
}

static void write_many_registers(FILE *f) { fputs(HEAD ".reg .b64 %x<4294967295>;\nmov.u64 %x4294967294, 1;\nret;\n}\n", f); }

static void write_scopes(FILE *f)
{
    fputs(HEAD, f);
    for (int i = 0; i < 100000; i++)
        fputs("{\n", f);
    fputs("st.global.u32 [%d1], 1;\n", f);
    for (int i = 0; i < 100000; i++)
        fputs("}\n", f);
    fputs("ret;\n}\n", f);
}

static void write_expression(FILE *f)
{
    fputs(HEAD "mov.u32 %r0, ", f);
    for (int i = 0; i < 200000; i++)
        fputc('(', f);
    fputs("1", f);
    for (int i = 0; i < 200000; i++)
        fputc(')', f);
    fputs(";\nret;\n}\n", f);
}

/* Each function calls the next one twice: 2 to the 40 bodies, were all put in place. */
static void write_calls(FILE *f)
{
    fputs(".func f40(.param .b64 a) { ret; }\n", f);
    for (int i = 39; i >= 0; i--)
        fprintf(f, ".func f%d(.param .b64 a) { .reg .b64 %%d; .reg .b32 %%r; .reg .pred %%p; ld.param.b64 %%d, [a]; ld.global.u32 %%r, [%%d];"
                "setp.ne.u32 %%p, %%r, 0; @!%%p bra E; { .param .b64 b; st.param.b64 [b], %%d; call f%d, (b); }"
                "{ .param .b64 b; st.param.b64 [b], %%d; call f%d, (b); } E: ret; }\n", i, i + 1, i + 1);
    fputs(HEAD "{ .param .b64 b; st.param.b64 [b], %d1; call f0, (b); }\nret;\n}\n", f);
}

static void write_loops(FILE *f)
{
    fputs(HEAD "mov.u32 %r0, %tid.x;\n", f);
    for (int i = 0; i < 60; i++)
        fprintf(f, "L%d:\n", i);
    for (int i = 59; i >= 0; i--)
        fprintf(f, "add.u32 %%r0, %%r0, 1; setp.lt.u32 %%p, %%r0, %d; @%%p bra L%d;\n", 40 + 59 - i, i);
    fputs("st.global.u32 [%d1], %r0;\nret;\n}\n", f);
}

/* Every block jumps into the middle of every other's loop. */
static void write_irreducible(FILE *f)
{
    fputs(HEAD "mov.u32 %r0, %tid.x;\nmov.u32 %r1, 0;\nT: .branchtargets ", f);
    for (int i = 0; i < 40; i++)
        fprintf(f, "%sL%d", i ? ", " : "", i);
    fputs(";\nbrx.idx %r0, T;\n", f);
    for (int i = 0; i < 40; i++)
        fprintf(f, "L%d: add.u32 %%r1, %%r1, 1; setp.gt.u32 %%p, %%r1, 100; @%%p bra E; mad.lo.u32 %%r0, %%r0, 5, %d; rem.u32 %%r0, %%r0, 40;"
                "brx.idx %%r0, T;\n", i, i);
    fputs("E: st.global.u32 [%d1], %r1;\nret;\n}\n", f);
}

static void write_shared(FILE *f) { fputs(".shared .b8 huge[1099511627776];\n" HEAD "st.shared.u8 [huge], 1;\nret;\n}\n", f); }
static void write_local(FILE *f) { fputs(HEAD ".local .b8 huge[1099511627776];\nst.local.u8 [huge+549755813888], 1;\nret;\n}\n", f); }
static void write_global(FILE *f) { fputs(".global .b8 huge[18446744073709551615];\n" HEAD "st.global.u8 [huge], 1;\nret;\n}\n", f); }

static int is_long(struct bad_client *c) { return compiled(c, write_long, 0); }
static int has_labels(struct bad_client *c) { return compiled(c, write_labels, 0); }
static int has_registers(struct bad_client *c) { return compiled(c, write_registers, 0); }
static int has_names(struct bad_client *c) { return compiled(c, write_many_registers, 0); }
static int has_scopes(struct bad_client *c) { return compiled(c, write_scopes, REFUSED + 218); }
static int has_expression(struct bad_client *c) { return compiled(c, write_expression, REFUSED + 218); }
static int has_calls(struct bad_client *c) { return compiled(c, write_calls, 0); }
static int has_loops(struct bad_client *c) { return compiled(c, write_loops, 0); }
static int is_irreducible(struct bad_client *c) { return compiled(c, write_irreducible, 0); }
static int has_huge_shared(struct bad_client *c) { return compiled(c, write_shared, REFUSED + 218); }
static int has_huge_local(struct bad_client *c) { return compiled(c, write_local, REFUSED + 218); }
static int has_huge_global(struct bad_client *c) { return compiled(c, write_global, REFUSED + 218); }

/* ---- The ring ---- */

static const struct ring_escape {
    const char *name;
    int64_t head;            /* ahead of what is published */
    struct vgpu_ring_cmd c;  /* as it stands; published with 'n' bytes */
    size_t n;
} ring_escapes[] = {
    {"a head far ahead", 1 << 30, {0}, 0},
    {"a head that goes back", -64, {0}, 0},
    {"a head that is not aligned", 3, {0}, 0},
    {"a command of no bytes", 0, {.command = VGPU_CMD_NOP, .size = 0, .seq = 1}, 16},
    {"a command of 4 GiB", 0, {.command = VGPU_CMD_NOP, .size = 0xffffffff, .seq = 1}, 16},
    {"a command longer than what is published", 0, {.command = VGPU_CMD_NOP, .size = 4096, .seq = 1}, 64},
    {"a command out of sequence", 0, {.command = VGPU_CMD_NOP, .size = 16, .seq = UINT64_MAX}, 16},
    {"half a header", 0, {.command = VGPU_CMD_NOP, .size = 16, .seq = 1}, 8},
    {"a launch shorter than its fields", 0, {.command = VGPU_CMD_LAUNCH, .size = 24, .seq = 1}, 24},
};

static const struct command_escape {
    const char *name;
    uint16_t command;
    union {
        struct vgpu_cmd_mem_map map;
        struct vgpu_cmd_mem_unmap unmap;
        struct vgpu_cmd_write_staged staged;
        struct vgpu_cmd_module_data data;
        struct vgpu_cmd_stamp stamp;
    };
    size_t n;                /* bytes of it */
    uint32_t status;
} command_escapes[] = {
    {"memory mapped over the executor", VGPU_CMD_MEM_MAP, .map = {0x555555554000, VGPU_MEMORY_OFFSET, VGPU_GRANULE, 0, 0}, sizeof(struct vgpu_cmd_mem_map), 1},
    {"memory mapped at an address that wraps", VGPU_CMD_MEM_MAP, .map = {-VGPU_GRANULE, VGPU_MEMORY_OFFSET, 2 * VGPU_GRANULE, 0, 0}, sizeof(struct vgpu_cmd_mem_map), 1},
    {"memory mapped from an offset that wraps", VGPU_CMD_MEM_MAP, .map = {VGPU_HEAP_BASE, -VGPU_GRANULE, 2 * VGPU_GRANULE, 0, 0}, sizeof(struct vgpu_cmd_mem_map), 1},
    {"the scratch region unmapped", VGPU_CMD_MEM_UNMAP, .unmap = {VGPU_SCRATCH_BASE, VGPU_GRANULE}, sizeof(struct vgpu_cmd_mem_unmap), 1},
    {"the executor's memory unmapped", VGPU_CMD_MEM_UNMAP, .unmap = {0x7fff00000000, VGPU_GIB}, sizeof(struct vgpu_cmd_mem_unmap), 1},
    {"a staged write from an offset that wraps", VGPU_CMD_WRITE_STAGED, .staged = {0, VGPU_HEAP_BASE, -64, 128}, sizeof(struct vgpu_cmd_write_staged), 1},
    {"an image with a part that wraps", VGPU_CMD_MODULE_DATA, .data = {1, 4096, -64, 0, 128}, sizeof(struct vgpu_cmd_module_data), 1},
    {"the time written into the executor", VGPU_CMD_STAMP, .stamp = {0, 0x7fff00000000}, sizeof(struct vgpu_cmd_stamp), 700},
};

static int ring_attempt(const struct ring_escape *e)
{
    static const uint8_t zeros[64];
    uint8_t bytes[64] = {0};
    struct raw r;
    int bad;

    if (!raw_open(&r, getenv("VGPU_SOCKET")))
        return 10;
    r.head += (uint64_t)e->head;
    memcpy(bytes, &e->c, sizeof e->c);
    raw_publish(&r, e->n ? bytes : zeros, e->n);
    bad = !raw_wait_register(&r, VGPU_REG_CHANNEL_STATE + 4 * r.channel, VGPU_CHANNEL_DEAD);
    raw_close(&r);
    return bad;
}

static int command_attempt(const struct command_escape *e)
{
    struct raw r;
    uint32_t seen = 0;
    bool answered;

    if (!raw_open(&r, getenv("VGPU_SOCKET")))
        return 10;
    raw_send(&r, e->command, &e->map, e->n, NULL, 0);
    answered = raw_wait(&r, raw_send(&r, VGPU_CMD_SYNC, NULL, 0, NULL, 0));
    seen = answered ? raw_reply(&r, NULL, 0) : 0;
    raw_close(&r);
    if (seen != e->status)
        diag("status %u, not %u", seen, e->status);
    return !answered || seen != e->status;
}

/* ---- ---- */

static bool supervisor_lives(void)
{
    return waitpid(hostd_pid, NULL, WNOHANG) == 0 && hostd_answers(getenv("VGPU_SOCKET"));
}

static void judge(int verdict, const char *name)
{
    bool lives = supervisor_lives(), unharmed = lives && witness_works();

    if (!ok(!verdict && lives && unharmed, "contained: %s", name))
        diag("verdict %d%s%s", verdict, lives ? "" : ", the supervisor is gone", unharmed ? "" : ", another client is harmed");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*test)(struct bad_client *);
    } others[] = {
        {"dynamic shared memory, one word beyond", dynamic_shared},
        {"dynamic shared memory that was not asked for", no_dynamic_shared},
        {"4 GiB of dynamic shared memory", too_much_shared},
        {"compiler: four thousand instructions in a row", is_long},
        {"compiler: five hundred labels that branch to each other", has_labels},
        {"compiler: three thousand registers alive at once", has_registers},
        {"compiler: names for four billion registers", has_names},
        {"compiler: a hundred thousand scopes", has_scopes},
        {"compiler: two hundred thousand brackets", has_expression},
        {"compiler: calls that double forty times", has_calls},
        {"compiler: sixty loops in each other", has_loops},
        {"compiler: loops with forty entries", is_irreducible},
        {"compiler: a TiB of shared memory", has_huge_shared},
        {"compiler: a TiB of local memory", has_huge_local},
        {"compiler: variables of all the memory there is", has_huge_global},
    };

    (void)argc;
    setenv("VGPU_WATCHDOG", "1", 1);
    setenv("VGPU_COMPILE_SECONDS", "1", 1); /* what takes longer stays with the interpreter */
    bad_setup(argv, "debug");
    witness_start();
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        attempt = &escapes[i];
        n_executors = children_of(hostd_pid, "vgpu-executor", executors, 64);
        judge(bad_run(kernel), attempt->name);
    }
    if (getenv("VGPU_ENGINE") && !strcmp(getenv("VGPU_ENGINE"), "jit"))
        ok(log_names("code of k for", "came from"), "it is compiled code that tries");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        judge(bad_run(others[i].test), others[i].name);
    for (size_t i = 0; i < sizeof ring_escapes / sizeof *ring_escapes; i++)
        judge(ring_attempt(&ring_escapes[i]), ring_escapes[i].name);
    for (size_t i = 0; i < sizeof command_escapes / sizeof *command_escapes; i++)
        judge(command_attempt(&command_escapes[i]), command_escapes[i].name);
    witness_stop();
    return tap_done();
}
