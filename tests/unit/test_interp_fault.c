/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong in kernels: the fault that belongs to it, and nothing else harmed. And what device code prints. */
#include <pthread.h>
#include <unistd.h>

#include "interp_fixture.h"
#include "interp/isa.h"

static void expect_fault(const char *name, int code, uint64_t address, const char *body, const struct fx_launch *x)
{
    ok(!fx_run_(body, x), "%s: does not succeed", name);
    is_u64(fx.fault.code, code, "%s: %d", name, code);
    if (address)
        is_u64(fx.fault.address, address, "%s: the address", name);
    ok(fx.fault.code != -1 && strstr(fx.fault.message, "kernel k") && strlen(fx.fault.message) < sizeof fx.fault.message,
       "%s: the message names the kernel", name);
    ok(fx_run("st.global.u32 [%o], %gi;", .block = 64) && fx_out[63] == 63, "%s: the next launch runs", name);
}
#define fault(name, code, address, body, ...) expect_fault(name, code, address, body, &(struct fx_launch){__VA_ARGS__})

static void test_addresses(void)
{
    uint64_t unmapped = VGPU_HEAP_BASE + 512 * VGPU_MIB;

    fault("null", 700, 16, "mov.u64 %rd0, 0; ld.global.u32 %r0, [%rd0+16];");
    fault("null store", 700, 0, "mov.u64 %rd0, 0; st.global.u32 [%rd0], %ti;");
    fault("start of the window", 700, VGPU_WINDOW_BASE, "mov.u64 %rd0, 0x200000000000; ld.global.u32 %r0, [%rd0];");
    fault("end of the window", 700, VGPU_WINDOW_END, "mov.u64 %rd0, 0x240000000000; ld.global.u32 %r0, [%rd0];");
    fault("below the window", 700, VGPU_WINDOW_BASE - 4, "mov.u64 %rd0, 0x200000000000; ld.global.u32 %r0, [%rd0-4];");
    fault("wild", 700, 0xdeadbeefdeadbee0, "mov.u64 %rd0, 0xdeadbeefdeadbee0; ld.u32 %r0, [%rd0];");
    fault("one wild lane of 32", 700, 0xffffffff12345670,
          "setp.eq.u32 %p0, %ti, 21; mov.u64 %rd0, 0xffffffff12345670; selp.b64 %rd1, %rd0, %in, %p0; ld.u32 %r0, [%rd1];");
    is_u64(fx.fault.code, 0, "and then no fault is left over");
    ok(!fx_run("setp.eq.u32 %p0, %ti, 21; mov.u64 %rd0, 64; selp.b64 %rd1, %rd0, %in, %p0; ld.u32 %r0, [%rd1];"), "a wild lane");
    is_u64(fx.fault.thread[0], 21, "is named");
    fault("not mapped", 700, unmapped + 8, "mov.u64 %rd0, 0x200020200000; mad.wide.u32 %rd0, %ti, 4, %rd0; ld.global.u32 %r0, [%rd0+8];");
    ok(!fx_run("mov.u64 %rd0, 0x200020200000; setp.eq.u32 %p0, %ti, 5; selp.b64 %rd0, %rd0, %out, %p0; st.global.u32 [%rd0], %ti;"),
       "one lane's store to what is not mapped");
    is_u64(fx.fault.thread[0], 5, "names the lane");
    ok(fx.fault.line >= 9, "and the line (%u)", fx.fault.line);

    window_map(unmapped, VGPU_GRANULE, -1, 0);
    ok(fx_run("mov.u64 %rd0, 0x200020200000; st.global.u32 [%rd0], %ti;"), "mapped: stores");
    window_unmap(unmapped, VGPU_GRANULE);
    fault("freed", 700, unmapped, "mov.u64 %rd0, 0x200020200000; st.global.u32 [%rd0], %ti;");
    fault("freed, atomically", 700, unmapped, "mov.u64 %rd0, 0x200020200000; red.global.add.u32 [%rd0], 1;");
    ok(!window_map(VGPU_WINDOW_BASE, VGPU_GRANULE, -1, 0) && !window_map(VGPU_WINDOW_END - 4096, 8192, -1, 0) &&
       !window_map(VGPU_WINDOW_BASE - VGPU_GRANULE, 2 * VGPU_GRANULE, -1, 0) && !window_map(VGPU_HEAP_BASE + 1, 4096, -1, 0) &&
       !window_map(UINT64_MAX - 4095, 8192, -1, 0), "what does not lie in the window cannot be mapped");

    fault("misaligned", 716, FX_IN + 2, "ld.global.u32 %r0, [%in+2];");
    fault("misaligned vector", 716, FX_IN + 8, "ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%in+8];");
    fault("misaligned atomic", 716, FX_IN + 4, "atom.global.add.u64 %rd0, [%in+4], 1;");
    fault("shared, beyond its end", 700, 0, ".shared .b32 sm[32]; mov.u32 %r0, sm; mad.lo.u32 %r0, %ti, 4, %r0; ld.shared.u32 %r1, [%r0+4];");
    fault("shared, far beyond", 700, 0, ".shared .b32 sm[32]; mov.u32 %r0, 0x7ffffff0; st.shared.u32 [%r0], %ti; st.shared.u32 [sm], %r0;");
    fault("shared, 64-bit address", 700, 0, ".shared .b32 sm[32]; mov.u64 %rd0, 0x100000000; st.shared.u32 [%rd0], %ti;");
    fault("shared, none at all", 700, 0, "mov.u32 %r0, 0; ld.shared.u32 %r1, [%r0];");
    fault("shared, negative", 700, 0, ".shared .b32 sm[32]; mov.u32 %r0, sm; ld.shared.u32 %r1, [%r0-4];");
    fault("shared, misaligned", 716, 0, ".shared .b32 sm[32]; mov.u32 %r0, sm; ld.shared.u32 %r1, [%r0+2];");
    fault("ldmatrix beyond shared memory", 700, 0,
          ".shared .align 16 .b8 sm[128]; mov.u32 %r0, sm; mad.lo.u32 %r0, %ti, 16, %r0; add.u32 %r0, %r0, 16;"
          "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r0];");
    fault("ldmatrix, misaligned", 716, 0,
          ".shared .align 16 .b8 sm[256]; mov.u32 %r0, sm; add.u32 %r0, %r0, 4; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r0];");
    fault("local, beyond its end", 700, 0, ".local .b32 l[4]; mov.u64 %rd0, l; st.local.u32 [%rd0+65536], %ti;");
    fault("local, negative", 700, 0, ".local .b32 l[4]; mov.u64 %rd0, l; st.local.u32 [%rd0-4], %ti;");
    fault("parameters, beyond their end", 700, 0, "mov.b64 %rd0, pin; ld.param.u64 %rd1, [%rd0+8];");
    fault("cp.async from nowhere", 700, 64, ".shared .align 16 .b8 sm[512]; mov.u64 %rd0, 64; cp.async.ca.shared.global [sm], [%rd0], 16;");
}

/* Compiled code takes one warp after another, and knows which it is at. */
static void test_threads(void)
{
#define ONE_STORES_TO(address) "setp.eq.u32 %p0, %gi, 237; mov.u64 %rd0, " address "; selp.b64 %rd0, %rd0, %o, %p0; st.global.u32 [%rd0], %gi;"
    static const struct { const char *name, *body; int code; } rows[] = {
        {"stopped by the hardware", ONE_STORES_TO("0x200020200000"), 700}, {"misaligned", ONE_STORES_TO("0x200000400002"), 716},
        {"outside the window", ONE_STORES_TO("16"), 700}, {"trap", "setp.eq.u32 %p0, %gi, 237; @%p0 trap;", 719},
        {"behind a barrier", "bar.sync 0; " ONE_STORES_TO("0x200020200000"), 700},
        {"trap behind a barrier", "bar.sync 0; setp.eq.u32 %p0, %gi, 237; @%p0 trap; bar.sync 0;", 719},
        {"after others have ended", "setp.lt.u32 %p0, %ti, 70; @%p0 exit; " ONE_STORES_TO("0x200020200000"), 700},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ok(!fx_run(rows[i].body, .block = 136, .grid = 3), "thread 101 of block 1, %s", rows[i].name);
        is_u64(fx.fault.code, rows[i].code, "its fault");
        is_u64(fx.fault.block[0], 1, "its block");
        is_u64(fx.fault.thread[0], 101, "its number");
    }
    ok(fx_run("st.global.u32 [%o], 7; setp.gt.u32 %p0, %ti, 100; @%p0 exit; st.global.u32 [%o], %gi;", .block = 136, .grid = 3),
       "some threads of each block end early");
    for (unsigned i = 0, good = 0; i < 408; i++) {
        good += fx_out[i] == (i % 136 > 100 ? 7 : i);
        if (i == 407)
            is_u64(good, 408, "each has done its part");
    }
}

static void test_ends(void)
{
    fault("trap", 719, 0, "setp.eq.u32 %p0, %ti, 3; @%p0 trap;");
    fault("brkpt", 719, 0, "brkpt;");
    fault("deadlock in a warp", 719, 0, "setp.eq.u32 %p0, %ti, 3; @%p0 bra A; bar.sync 0; bra E; A: bar.warp.sync -1; E:");
    fault("deadlock in a block", 719, 0, "setp.lt.u32 %p0, %ti, 32; @%p0 bar.sync 1, 64; setp.ge.u32 %p1, %ti, 32; @%p1 bar.sync 2, 64;",
          .block = 64);
    fault("deadlock of two barriers", 719, 0, "setp.lt.u32 %p0, %ti, 32; @%p0 bra A; bar.sync 1; bra E; A: bar.sync 0; E:", .block = 96);
    fault("barrier of no warp", 715, 0, "bar.sync 0, 33;", .block = 64);
    fault("barrier 16", 715, 0, "mov.u32 %r0, 16; bar.sync %r0;");
    fault("too much shared memory", 719, 0, "bar.sync 0;", .shared = INTERP_MAX_SHARED + 1);
    fault("too many threads", 719, 0, "bar.sync 0;", .block = 1024, .block_y = 2);
    fault("a cluster of two blocks", 719, 0, "bar.sync 0;", .grid = 2, .cluster = 2);
    ok(!fx_run("{ call nothing, (); }", .before = ".extern .func nothing ();\n") && fx.fault.code == -1 &&
       strstr(fx.err.message, "nothing"), "an external function that nobody has is refused when the kernel is lowered");
}

static uint32_t cancel;

static void *cancel_soon(void *arg)
{
    usleep(20000);
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
    return arg;
}

static void test_endless(void)
{
    static const struct { const char *name, *body, *before; } loops[] = {
        {"an endless loop", "L: bra L;", ""},
        {"an endless divergent loop", "L: setp.lt.u32 %p0, %ti, 7; @%p0 bra L; bra L;", ""},
        {"endless jumps through a table", "mov.u32 %r0, 0; T: .branchtargets L, L; L: brx.idx %r0, T;", ""},
        {"endless calls", "L: call f, (); setp.lt.u32 %p0, %ti, 77; @%p0 bra L;", ".func f () { ret; }\n"},
        {"waiting for what never comes", "L: ld.volatile.global.u32 %r0, [%in]; setp.ne.u32 %p0, %r0, 12345; @%p0 bra L;", ""},
        {"endless sleep", "L: nanosleep.u32 1; bra L;", ""},
        {"endless barriers", "L: bar.sync 0; bra L;", ""},
        {"endless barriers of which one warp has fewer", "setp.lt.u32 %p0, %ti, 32; L: bar.sync 0; @%p0 exit; bra L;", ""},
    };

    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
        for (int pool = 0; pool < 2; pool++) {
            pthread_t t;

            cancel = 0;
            fx.pool = pool ? vg_pool_new(2) : NULL;
            pthread_create(&t, NULL, cancel_soon, NULL);
            ok(!fx_run(loops[i].body, .before = loops[i].before, .grid = 1 + (uint32_t)pool * 7, .block = 96, .cancel = &cancel) &&
               fx.fault.code == VG_FAULT_CANCELLED, "%s is cancelled", loops[i].name);
            pthread_join(t, NULL);
            vg_pool_free(fx.pool);
            fx.pool = NULL;
        }
}

#define PRINT_MODULE(format) \
    ".extern .func (.param .b32 func_retval0) vprintf (.param .b64 a, .param .b64 b);\n" \
    ".global .align 1 .b8 fmt[] = {" format ", 0};\n.global .align 1 .b8 word[6] = {104, 101, 108, 108, 111, 0};\n"
#define PRINT(setup) \
    ".local .align 16 .b8 depot[64]; .reg .b64 %SP, %SPL; mov.u64 %SPL, depot; cvta.local.u64 %SP, %SPL;" setup \
    "mov.u64 %rd1, fmt; cvta.global.u64 %rd2, %rd1; setp.ne.u32 %p9, %ti, 0; @%p9 bra E;" \
    "{ .param .b64 p0; .param .b64 p1; .param .b32 r; st.param.b64 [p0], %rd2; st.param.b64 [p1], %SP;" \
    "call.uni (r), vprintf, (p0, p1); ld.param.b32 %r9, [r]; } st.global.u32 [%out], %r9; E:"

/* The format as bytes for an initialiser. */
static const char *bytes_of(const char *s)
{
    static char out[4096];
    size_t n = 0;

    for (; *s; s++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%d", n ? ", " : "", (unsigned char)*s);
    return out;
}

static void expect_print(const char *format, const char *setup, const char *want)
{
    char module[8192], body[8192], expected[128];

    snprintf(module, sizeof module, PRINT_MODULE("%s"), bytes_of(format));
    snprintf(body, sizeof body, "%s%s%s",
             ".local .align 16 .b8 depot[64]; .reg .b64 %SP, %SPL; mov.u64 %SPL, depot; cvta.local.u64 %SP, %SPL;", setup,
             strstr(PRINT(""), "mov.u64 %rd1"));
    snprintf(expected, sizeof expected, "printf(\"%s\")", format);
    for (char *p = expected; *p; p++)
        if (*p == '\n' || *p == '#')
            *p = '.';
    if (ok(fx_run(body, .before = module), "%s runs", expected))
        is_str(fx.text, want, "%s prints", expected);
}

static void test_print(void)
{
    expect_print("hello\n", "", "hello\n");
    expect_print("%d %u %x|", "mov.u32 %r0, -5; st.local.u32 [%SPL], %r0; st.local.u32 [%SPL+4], %r0; st.local.u32 [%SPL+8], 255;",
                 "-5 4294967291 ff|");
    expect_print("%d %lld %5.2f", "st.local.u32 [%SPL], 7; mov.u64 %rd5, -12345678901; st.local.u64 [%SPL+8], %rd5;"
                 "mov.f64 %rd6, 0d400921FB54442D18; st.local.u64 [%SPL+16], %rd6;", "7 -12345678901  3.14");
    expect_print("[%s] [%8s] [%-8s] [%.2s] %c%%", "mov.u64 %rd5, word; st.local.u64 [%SPL], %rd5; st.local.u64 [%SPL+8], %rd5;"
                 "st.local.u64 [%SPL+16], %rd5; st.local.u64 [%SPL+24], %rd5; st.local.u32 [%SPL+32], 65;",
                 "[hello] [   hello] [hello   ] [he] A%");
    expect_print("%p %#lx %08X %+d %-4d|", "mov.u64 %rd5, 0x1234; st.local.u64 [%SPL], %rd5; st.local.u64 [%SPL+8], %rd5;"
                 "st.local.u32 [%SPL+16], 48879; st.local.u32 [%SPL+20], 3; st.local.u32 [%SPL+24], 4;",
                 "0x1234 0x1234 0000BEEF +3 4   |");
    expect_print("%*d|%.*f|%e %g", "st.local.u32 [%SPL], 5; st.local.u32 [%SPL+4], 42; st.local.u32 [%SPL+8], 1; mov.f64 %rd6, 0d3FF8000000000000;"
                 "st.local.u64 [%SPL+16], %rd6; st.local.u64 [%SPL+24], %rd6; st.local.u64 [%SPL+32], %rd6;",
                 "   42|1.5|1.500000e+00 1.5");
    expect_print("%s", "mov.u64 %rd5, 0; st.local.u64 [%SPL], %rd5;", "(null)");
    expect_print("%n%q%", "", "%n%q%");
    expect_print("%99999999d", "st.local.u32 [%SPL], 1;", ({
        static char wide[513];
        memset(wide, ' ', 511), wide[511] = '1';
        wide;
    }));
    ok(!fx_run(PRINT("mov.u64 %rd5, 1234; st.local.u64 [%SPL], %rd5;"), .before = PRINT_MODULE("37, 115")) &&
       fx.fault.code == 700 && fx.fault.address == 1234, "a string nowhere is an illegal address");
    ok(!fx_run(PRINT("mov.u64 %SP, 99;"), .before = PRINT_MODULE("37, 100")) && fx.fault.code == 700, "so are arguments");
    fx_run("{ .param .b64 p; .param .b64 r; st.param.b64 [p], 64; call (r), malloc, (p); ld.param.b64 %rd0, [r]; }"
           "cvt.u32.u64 %r0, %rd0; st.global.u32 [%o], %r0;",
           .before = ".extern .func (.param .b64 r) malloc (.param .b64 n);\n");
    is_u64(fx_out[0], 0, "malloc without a heap gives NULL");
    ok(fx_run("{ .param .b64 p; st.param.b64 [p], 0; call free, (p); }", .before = ".extern .func free (.param .b64 p);\n"), "NULL can be freed");
    ok(!fx_run("setp.ne.u32 %p0, %ti, 5; @%p0 exit; { .param .b64 p; st.param.b64 [p], %in; call free, (p); }", .block = 32,
               .before = ".extern .func free (.param .b64 p);\n") && fx.fault.code == VG_FAULT_TRAP && fx.fault.thread[0] == 5,
       "what malloc has not given ends the launch: %s", fx.fault.message);
    ok(!fx_run("setp.ne.u32 %p0, %ti, 33; @%p0 exit; mov.u64 %rd0, word; { .param .b64 m; .param .b64 f; .param .b32 l; .param .b64 n; .param .b64 c;"
               "st.param.b64 [m], %rd0; st.param.b64 [f], %rd0; st.param.b32 [l], 77; st.param.b64 [n], %rd0; st.param.b64 [c], 1;"
               "call.uni __assertfail, (m, f, l, n, c); }", .block = 64,
               .before = ".extern .func __assertfail (.param .b64 m, .param .b64 f, .param .b32 l, .param .b64 n, .param .b64 c) .noreturn;\n"
                         ".global .align 1 .b8 word[6] = {104, 101, 108, 108, 111, 0};\n"),
       "a failed assertion ends the launch");
    is_u64(fx.fault.code, VG_FAULT_ASSERT, "as an assertion");
    is_str(fx.text, "hello:77: hello: block: [0,0,0], thread: [33,0,0] Assertion `hello` failed.\n", "and says which");
}

int main(void)
{
    fx_setup();
    for (int i = 0; i < 3; i++) {
        static const char *const isa[] = {"base", "v3", "v4"};

        if (interp_force_isa(isa[i]))
            test_addresses();
        else
            skip(1, "this CPU does not run %s", isa[i]);
    }
    test_threads();
    test_ends();
    test_endless();
    test_print();
    return tap_done();
}
