/* SPDX-License-Identifier: Apache-2.0 */
/* Control flow: divergence, irreducible graphs, partial masks, calls, tables. */
#include "interp_fixture.h"

static uint32_t collatz(uint32_t n)
{
    uint32_t steps = 0;

    for (; n > 1; steps++)
        n = n & 1 ? 3 * n + 1 : n / 2;
    return steps;
}

static void test_divergence(void)
{
    fx_expect("if and else", 40, t % 3 ? t * 10 : t + 1000,
              fx_run("rem.u32 %r0, %gi, 3; setp.eq.u32 %p0, %r0, 0; @%p0 bra A; mul.lo.u32 %r1, %gi, 10; bra B;"
                     "A: add.u32 %r1, %gi, 1000; B: st.global.u32 [%o], %r1;", .block = 40));
    fx_expect("loops of different lengths", 64, collatz(t),
              fx_run("mov.u32 %r0, %gi; mov.u32 %r1, 0;"
                     "L: setp.le.u32 %p0, %r0, 1; @%p0 bra E; and.b32 %r2, %r0, 1; setp.eq.u32 %p1, %r2, 0; @%p1 bra H;"
                     "mad.lo.u32 %r0, %r0, 3, 1; bra N; H: shr.u32 %r0, %r0, 1; N: add.u32 %r1, %r1, 1; bra L;"
                     "E: st.global.u32 [%o], %r1;", .block = 64));
    fx_expect("guarded instructions", 32, t < 7 ? 1 : t == 9 ? 4 : 2,
              fx_run("setp.lt.u32 %p0, %ti, 7; mov.u32 %r0, 2; @%p0 mov.u32 %r0, 1; setp.eq.u32 %p1, %ti, 9; @!%p1 bra E;"
                     "mov.u32 %r0, 4; E: st.global.u32 [%o], %r0;"));
    /* Two entries into a loop: lanes enter at A or at B. */
    fx_expect("irreducible flow", 32, (t & 1) ? 2 * 5 + 1 : 3 * 5,
              fx_run("mov.u32 %r0, 0; mov.u32 %r1, 0; and.b32 %r2, %ti, 1; setp.eq.u32 %p0, %r2, 1; @%p0 bra B;"
                     "A: add.u32 %r0, %r0, 1; B: add.u32 %r0, %r0, 2; add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 5; @!%p1 bra E;"
                     "@%p0 bra C; bra A; C: bra B;"
                     "E: @!%p0 bra S; add.u32 %r0, %r0, 1; S: st.global.u32 [%o], %r0;"));
    fx_expect("ret and exit under divergence", 64, t % 4 == 0 ? 0xa5a5a5a5 : t % 4 == 1 ? 1 : 16,
              fx_run("and.b32 %r0, %gi, 3; setp.eq.u32 %p0, %r0, 0; @%p0 exit; mov.u32 %r1, 1; st.global.u32 [%o], %r1;"
                     "setp.eq.u32 %p1, %r0, 1; @%p1 ret; activemask.b32 %r2; popc.b32 %r2, %r2; st.global.u32 [%o], %r2;",
                     .block = 64));
    fx_expect("activemask is the lanes that took the branch", 32, t < 5 ? 0x1f : 0xffffffe0,
              fx_run("setp.lt.u32 %p0, %ti, 5; @%p0 bra A; activemask.b32 %r0; bra B; A: activemask.b32 %r0;"
                     "B: st.global.u32 [%o], %r0;"));
    /* A lane that waits for another one of its warp: the lock is released by whoever holds it. */
    fx_expect("a spin lock within a warp", 1, 32,
              fx_run("setp.ne.u32 %p0, %ti, 0; @%p0 bra L; mov.u32 %r0, 0; st.global.u32 [%out], %r0; st.global.u32 [%out+4], %r0;"
                     "L: bar.warp.sync -1; W: atom.global.cas.b32 %r1, [%out+4], 0, 1; setp.ne.u32 %p1, %r1, 0; @%p1 bra W;"
                     "ld.global.u32 %r2, [%out]; add.u32 %r2, %r2, 1; st.volatile.global.u32 [%out], %r2;"
                     "atom.global.exch.b32 %r3, [%out+4], 0;"));
    fx_expect("a lane released by later code of another", 2, t == 0 ? 77 : 5,
              fx_run("mov.u32 %r0, 0; setp.eq.u32 %p0, %ti, 0; @%p0 st.global.u32 [%in], %r0; bar.warp.sync -1;"
                     "@!%p0 bra P; W: ld.volatile.global.u32 %r1, [%in]; setp.eq.u32 %p1, %r1, 0; @%p1 bra W;"
                     "st.global.u32 [%out], %r1; bra E; P: mov.u32 %r2, 77; st.global.u32 [%in], %r2; mov.u32 %r3, 5;"
                     "st.global.u32 [%o], %r3; E:"));
}

static void test_masks(void)
{
    fx_expect("shuffle among the lanes of a branch", 32, t < 8 ? ((t ^ 1) * 3) : 0,
              fx_run("mul.lo.u32 %r0, %ti, 3; mov.u32 %r1, 0; setp.ge.u32 %p0, %ti, 8; @%p0 bra E;"
                     "shfl.sync.bfly.b32 %r1, %r0, 1, 31, 0xff; E: st.global.u32 [%o], %r1;"));
    fx_expect("lanes meet from different instructions", 32, t < 16 ? 0x0000fff0 : 0x0000fff0,
              fx_run("setp.lt.u32 %p0, %ti, 16; setp.ge.u32 %p1, %ti, 4; setp.lt.and.u32 %p2, %ti, 16, %p1; @%p0 bra A;"
                     "vote.sync.ballot.b32 %r0, %p2, -1; bra E; A: vote.sync.ballot.b32 %r0, %p2, -1;"
                     "E: st.global.u32 [%o], %r0;"));
    fx_expect("different masks in one instruction", 32, t < 16 ? 0x5555 : 0xaaaa0000,
              fx_run("setp.lt.u32 %p0, %ti, 16; selp.b32 %r0, 0xffff, 0xffff0000, %p0; and.b32 %r1, %ti, 1;"
                     "selp.b32 %r2, 0, 1, %p0; setp.eq.u32 %p1, %r1, %r2; vote.sync.ballot.b32 %r3, %p1, %r0;"
                     "st.global.u32 [%o], %r3;"));
    fx_expect("redux by match groups", 32, ((t % 4) + (t % 4) + 28) * 8 / 2,
              fx_run("and.b32 %r0, %ti, 3; match.any.sync.b32 %r1, %r0, -1; redux.sync.add.u32 %r2, %ti, %r1;"
                     "st.global.u32 [%o], %r2;"));
    fx_expect("exited lanes are not waited for", 32, t < 4 ? 0xa5a5a5a5 : 0xfffffff0,
              fx_run("setp.lt.u32 %p0, %ti, 4; @%p0 exit; setp.ne.u32 %p1, %ti, 99; vote.sync.ballot.b32 %r0, %p1, -1;"
                     "st.global.u32 [%o], %r0;"));
    fx_expect("shuffle of a value from each side of a branch", 32, t < 16 ? 100 + (t ^ 16) : 200 + (t ^ 16),
              fx_run("setp.lt.u32 %p0, %ti, 16; @%p0 bra A; add.u32 %r0, %ti, 100; shfl.sync.bfly.b32 %r1, %r0, 16, 31, -1;"
                     "bra E; A: add.u32 %r2, %ti, 200; shfl.sync.bfly.b32 %r1, %r2, 16, 31, -1; E: st.global.u32 [%o], %r1;"));
    ok(!fx_run("setp.lt.u32 %p0, %ti, 4; @!%p0 bra E; shfl.sync.bfly.b32 %r1, %ti, 1, 31, 0xf0; E:"), "a mask without its lane");
    is_u64(fx.fault.code, VG_FAULT_ILLEGAL_INSTRUCTION, "is an illegal instruction");
}

static void test_calls(void)
{
    static const char square[] = ".func (.param .b32 r) square(.param .b32 a) { .reg .b32 %x; ld.param.b32 %x, [a];"
                                 "mul.lo.u32 %x, %x, %x; st.param.b32 [r], %x; ret; }\n"
                                 ".func (.reg .b32 r) twice(.reg .b32 a) { add.u32 r, a, a; ret; }\n";
    static const char fib[] = ".func (.param .b32 r) fib(.param .b32 n) { .reg .b32 %x, %y, %z; .reg .pred %q; ld.param.b32 %x, [n];"
                              "setp.lt.u32 %q, %x, 2; @%q bra E; sub.u32 %y, %x, 1;"
                              "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %y; call (b), fib, (a); ld.param.b32 %z, [b]; }"
                              "sub.u32 %y, %x, 2;"
                              "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %y; call (b), fib, (a); ld.param.b32 %x, [b]; }"
                              "add.u32 %x, %x, %z; E: st.param.b32 [r], %x; ret; }\n";
    static const char down[] = ".func (.param .b32 r) down(.param .b32 n) { .reg .b32 %x; ld.param.b32 %x, [n]; add.u32 %x, %x, 1;"
                               "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %x; call (b), down, (a); ld.param.b32 %x, [b]; }"
                               "st.param.b32 [r], %x; ret; }\n";
    static const char early[] = ".func (.param .b32 r) early(.param .b32 a) { .reg .b32 %x, %m; .reg .pred %q; ld.param.b32 %x, [a];"
                                "setp.gt.u32 %q, %x, 9; @%q bra L; st.param.b32 [r], 1; ret; L: add.u32 %x, %x, 5;"
                                "setp.gt.u32 %q, %x, 30; @%q exit; st.param.b32 [r], %x; ret; }\n";
    static const uint32_t fibs[] = {0, 1, 1, 2, 3, 5, 8, 13};

    fx_expect("a call", 32, t * t,
              fx_run("{ .param .b32 a; .param .b32 b; st.param.b32 [a], %ti; call (b), square, (a); ld.param.b32 %r0, [b]; }"
                     "st.global.u32 [%o], %r0;", .before = square));
    fx_expect("a call with registers", 32, 2 * t, fx_run("call (%r0), twice, (%ti); st.global.u32 [%o], %r0;", .before = square));
    fx_expect("recursion, each lane its own depth", 32, fibs[t % 8],
              fx_run("and.b32 %r1, %ti, 7; { .param .b32 a; .param .b32 b; st.param.b32 [a], %r1; call (b), fib, (a);"
                     "ld.param.b32 %r0, [b]; } st.global.u32 [%o], %r0;", .before = fib));
    fx_expect("divergent returns and exits in a function", 32, t > 25 ? 0xa5a5a5a5 : t > 9 ? t + 5 : 1,
              fx_run("{ .param .b32 a; .param .b32 b; st.param.b32 [a], %ti; call (b), early, (a); ld.param.b32 %r0, [b]; }"
                     "bar.warp.sync -1; st.global.u32 [%o], %r0;", .before = early));
    fx_expect("calls from both sides of a branch", 32, t < 9 ? t * t : 2 * t,
              fx_run("setp.lt.u32 %p0, %ti, 9; @%p0 bra A; call (%r0), twice, (%ti); bra E;"
                     "A: { .param .b32 a; .param .b32 b; st.param.b32 [a], %ti; call (b), square, (a); ld.param.b32 %r0, [b]; }"
                     "E: st.global.u32 [%o], %r0;", .before = square));
    fx_expect("indirect calls, two targets in a warp", 32, t & 1 ? t * t : t * t * t,
              fx_run("and.b32 %r1, %ti, 1; setp.eq.u32 %p0, %r1, 1; mov.u64 %rd0, square2; mov.u64 %rd1, cube;"
                     "selp.b64 %rd2, %rd0, %rd1, %p0;"
                     "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %ti; P: .callprototype (.param .b32 _) _ (.param .b32 _);"
                     "call (b), %rd2, (a), P; ld.param.b32 %r0, [b]; } st.global.u32 [%o], %r0;",
                     .before = ".func (.param .b32 r) square2(.param .b32 a) { .reg .b32 %x; ld.param.b32 %x, [a];"
                               "mul.lo.u32 %x, %x, %x; st.param.b32 [r], %x; ret; }\n"
                               ".func (.param .b32 r) cube(.param .b32 a) { .reg .b32 %x, %y; ld.param.b32 %x, [a];"
                               "mul.lo.u32 %y, %x, %x; mul.lo.u32 %x, %x, %y; st.param.b32 [r], %x; ret; }\n"));
    ok(!fx_run("{ .param .b32 a; .param .b32 b; st.param.b32 [a], %ti; call (b), down, (a); ld.param.b32 %r0, [b]; }",
               .before = down), "endless recursion ends");
    is_u64(fx.fault.code, VG_FAULT_STACK, "as a stack error");
    ok(!fx_run("{ .param .b32 b; P: .callprototype (.param .b32 _) _ (); mov.u64 %rd0, 12345; call (b), %rd0, (), P; }"),
       "an indirect call to nowhere");
    is_u64(fx.fault.code, VG_FAULT_INVALID_PC, "is an invalid pc");
}

/* Stack memory of sizes that only the lanes know, below and above calls. */
static void test_stack(void)
{
    /* deep(n): keeps n on the stack, calls itself with n - 1, then returns n plus what that gave. */
    static const char deep[] = ".func (.reg .b32 r) deep(.reg .b32 n) { .reg .b64 %a, %s; .reg .b32 %x, %y; .reg .pred %q; mov.u32 r, 0;"
                               "setp.eq.u32 %q, n, 0; @%q ret; mul.wide.u32 %s, n, 4; alloca.u64 %a, %s; st.local.u32 [%a], n; sub.u32 %x, n, 1;"
                               "call (%y), deep, (%x); ld.local.u32 %x, [%a]; add.u32 r, %x, %y; ret; }\n";

    fx_expect("alloca, a size a lane", 64, t * 3 + t,
              fx_run("mul.wide.u32 %rd0, %ti, 4; add.u64 %rd0, %rd0, 4; alloca.u64 %rd1, %rd0, 16; alloca.u64 %rd2, %rd0; add.u64 %rd3, %rd1, %rd0;"
                     "add.u64 %rd4, %rd2, %rd0; mul.lo.u32 %r0, %ti, 3; st.local.u32 [%rd3+-4], %r0; st.local.u32 [%rd2], %ti; st.local.u32 [%rd4+-4], %ti;"
                     "ld.local.u32 %r1, [%rd3+-4]; ld.local.u32 %r2, [%rd4+-4]; add.u32 %r1, %r1, %r2; and.b64 %rd5, %rd1, 15; cvt.u32.u64 %r3, %rd5;"
                     "add.u32 %r1, %r1, %r3; st.global.u32 [%o], %r1;", .block = 64));
    fx_expect("alloca with 32-bit addresses, under a guard, block after block", 64 * 40, t % 64 < 20 ? 7 : t,
              fx_run("mov.u32 %r3, 7; setp.ge.u32 %p0, %ti, 20; @%p0 alloca.u32 %r0, 1024, 8; @%p0 st.local.u32 [%r0+1020], %gi;"
                     "@%p0 ld.local.u32 %r3, [%r0+1020]; st.global.u32 [%o], %r3;", .grid = 40, .block = 64));
    fx_expect("alloca in every frame of a recursion", 40, t * (t + 1) / 2,
              fx_run("alloca.u64 %rd0, 64; st.local.u32 [%rd0], %ti; call (%r0), deep, (%ti); ld.local.u32 %r1, [%rd0]; sub.u32 %r1, %r1, %ti;"
                     "add.u32 %r0, %r0, %r1; st.global.u32 [%o], %r0;", .before = deep, .block = 40));
    fx_expect("stackrestore gives it back", 32, 1000 + t,
              fx_run("stacksave.u64 %rd0; mov.u32 %r0, %ti; add.u32 %r1, %ti, 1000; L: stacksave.u64 %rd1; alloca.u64 %rd2, 4096; st.local.u32 [%rd2], %r0;"
                     "ld.local.u32 %r0, [%rd2]; add.u32 %r0, %r0, 1; stackrestore.u64 %rd1; setp.lt.u32 %p0, %r0, %r1; @%p0 bra L;"
                     "stackrestore.u64 %rd0; add.u64 %rd3, %rd0, 100000; stackrestore.u64 %rd3; stacksave.u64 %rd4; setp.ne.u64 %p1, %rd4, %rd0;"
                     "@%p1 mov.u32 %r0, 0; st.global.u32 [%o], %r0;"));
    ok(!fx_run("mov.u64 %rd0, -1; alloca.u64 %rd1, %rd0;"), "more than the stack holds");
    is_u64(fx.fault.code, VG_FAULT_STACK, "is a stack error");
    ok(!fx_run("L: alloca.u64 %rd1, 512; setp.eq.u32 %p0, %ti, 99; @!%p0 bra L;"), "too often");
    is_u64(fx.fault.code, VG_FAULT_STACK, "is one too");
    ok(!fx_run("alloca.u64 %rd1, 64, 0;") && !fx_run("alloca.u64 %rd1, 64, 24;"), "an alignment that is no power of two is refused");
}

static void test_tables(void)
{
    fx_expect("brx.idx", 32, (t % 4) * 11 + 1,
              fx_run("and.b32 %r1, %ti, 3; T: .branchtargets A, B, C, D; brx.idx %r1, T;"
                     "A: mov.u32 %r0, 1; bra E; B: mov.u32 %r0, 12; bra E; C: mov.u32 %r0, 23; bra E; D: mov.u32 %r0, 34;"
                     "E: st.global.u32 [%o], %r0;"));
    ok(!fx_run("T: .branchtargets A, B; brx.idx %ti, T; A: B:"), "brx.idx beyond its table");
    is_u64(fx.fault.code, VG_FAULT_INVALID_PC, "is an invalid pc");
}

static void test_carry(void)
{
    fx_expect("the carry flag stays with its lane", 32, t & 1 ? 1 : 0,
              fx_run("and.b32 %r0, %ti, 1; setp.eq.u32 %p0, %r0, 1; mov.u32 %r1, 0; @%p0 mov.u32 %r1, 0xffffffff;"
                     "@%p0 bra A; add.cc.u32 %r2, %r1, 1; bra B; A: add.cc.u32 %r2, %r1, 1; B: addc.u32 %r3, 0, 0;"
                     "st.global.u32 [%o], %r3;"));
}

int main(void)
{
    test_divergence();
    test_masks();
    test_calls();
    test_stack();
    test_tables();
    test_carry();
    return tap_done();
}
