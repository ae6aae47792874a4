/* SPDX-License-Identifier: Apache-2.0 */
/* Barriers of whole blocks, round after round, in blocks of every size: warps and lanes that leave early, that come from several
 * places or by lanes, that give way in between, and what each thread has in its registers meanwhile. */
#include "interp_fixture.h"

enum { MOST = 1024 };
static const uint32_t sizes[] = {1, 31, 32, 33, 64, 96, 250, 256, 1000, 1024};

/* Each thread has a word of shared memory at [%r0], its right neighbour's is at [%r1]; both are %r2 = t at first. */
#define WORDS \
    ".shared .b32 sm[1024]; mov.u32 %r39, sm; mad.lo.u32 %r0, %ti, 4, %r39; add.u32 %r1, %ti, 1; rem.u32 %r1, %r1, %n1;" \
    "mad.lo.u32 %r1, %r1, 4, %r39; mov.u32 %r2, %ti;"
/* One round: what the neighbour had, times three, joins the thread's own. */
#define SHOW "st.shared.u32 [%r0], %r2; "
#define LOOK " ld.shared.u32 %r3, [%r1]; mad.lo.u32 %r2, %r3, 3, %r2; "
#define ROUND SHOW "bar.sync 0;" LOOK "bar.sync 0;"

static uint32_t want[MOST];

/* What the threads have when thread t goes through rounds(t) of them and ends then. */
static void simulate(uint32_t n, uint32_t (*rounds)(uint32_t t))
{
    static uint32_t shown[MOST];
    bool more = true;

    for (uint32_t t = 0; t < n; t++)
        want[t] = t;
    for (uint32_t r = 0; more; r++) {
        more = false;
        for (uint32_t t = 0; t < n; t++)
            if (r < rounds(t))
                shown[t] = want[t];
        for (uint32_t t = 0; t < n; t++)
            if (r < rounds(t)) {
                want[t] += 3 * shown[(t + 1) % n];
                more = true;
            }
    }
}

static uint32_t eight(uint32_t t)
{
    return 8;
}

static uint32_t many(uint32_t t)
{
    return 700;
}

static uint32_t by_warp(uint32_t t)
{
    return t / 32 * 7 % 5 + 1;
}

static uint32_t by_lane(uint32_t t)
{
    return t % 7 + 1;
}

/* Eight rounds through two loops, of which warps go through the first for different times. */
#define TWO_LOOPS \
    WORDS "mov.u32 %r4, 0; shr.u32 %r5, %ti, 5; and.b32 %r5, %r5, 3; add.u32 %r5, %r5, 2; A: " ROUND "add.u32 %r4, %r4, 1;" \
    "setp.lt.u32 %p0, %r4, %r5; @%p0 bra A; B: " ROUND "add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 8; @%p0 bra B; st.global.u32 [%o], %r2;"
/* In the first warp lanes come from two places. */
#define BY_LANES \
    WORDS "mov.u32 %r4, 0; setp.lt.u32 %p1, %ti, 10; L: " SHOW "@%p1 bra X; barrier.sync 0; bra Y; X: barrier.sync 0; Y:" LOOK "bar.sync 0;" \
    "add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 8; @%p0 bra L; st.global.u32 [%o], %r2;"
/* Code cannot tell that this one's number is 0. */
#define BY_NUMBER \
    WORDS "ld.global.u32 %r6, [%in]; mov.u32 %r4, 0; shr.u32 %r5, %ti, 5; and.b32 %r5, %r5, 1; setp.eq.u32 %p1, %r5, 1; L: " SHOW \
    "@%p1 bra X; bar.sync %r6; bra Y; X: bar.sync 0; Y:" LOOK "bar.sync 0;" \
    "add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 8; @%p0 bra L; st.global.u32 [%o], %r2;"
/* A barrier behind a guard that warps differ in, and its other half. */
#define GUARDED \
    WORDS "mov.u32 %r4, 0; shr.u32 %r5, %ti, 5; and.b32 %r5, %r5, 1; setp.eq.u32 %p1, %r5, 1; L: " SHOW "@%p1 bar.sync 0; @!%p1 bar.sync 0;" \
    LOOK "@!%p1 bar.sync 0; @%p1 bar.sync 0; add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 8; @%p0 bra L; st.global.u32 [%o], %r2;"
/* Between barriers warps go round so often that they give way, the odd ones more often. */
#define GIVES_WAY \
    WORDS "mov.u32 %r4, 0; shr.u32 %r5, %ti, 5; and.b32 %r5, %r5, 1; mad.lo.u32 %r5, %r5, 900, 300; L: " SHOW "mov.u32 %r6, 0; W: add.u32 %r6, %r6, 1;" \
    "setp.lt.u32 %p1, %r6, %r5; @%p1 bra W; bar.sync 0;" LOOK "bar.sync 0; add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 8;" \
    "@%p0 bra L; st.global.u32 [%o], %r2;"
/* Other barriers in between, which the interpreter has. */
#define OTHERS \
    WORDS "mov.u32 %r4, 0; setp.ne.u32 %p1, %ti, 5000; L: " SHOW "bar.red.and.pred %p2, 0, %p1;" LOOK "bar.sync 0; bar.red.popc.u32 %r6, 1, %p2;" \
    "bar.sync 0; add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 8; @%p0 bra L; setp.eq.u32 %p0, %r6, %n1; selp.b32 %r2, %r2, 0, %p0;" \
    "st.global.u32 [%o], %r2;"

/* Lanes go a way together that they could part on, and then one on which they do: registers that were one number for all of them are
 * not any more, in the other copy of the code, though none has changed. */
#define APART \
    WORDS "mov.u32 %r4, 0; rem.u32 %r5, %ti, 5; add.u32 %r5, %r5, 1; ld.global.u32 %r9, [%i+64]; mov.u32 %r8, 0; V: add.u32 %r8, %r8, 1;" \
    "setp.lt.u32 %p1, %r8, %r9; @%p1 bra V; bar.sync 0; L: " SHOW "mov.u32 %r6, 0; W: add.u32 %r6, %r6, 1; setp.lt.u32 %p1, %r6, %r5; @%p1 bra W;" \
    "bar.sync 0;" LOOK "sub.u32 %r7, %r6, %r5; add.u32 %r2, %r2, %r7; bar.sync 0; add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 8; @%p0 bra L;" \
    "sub.u32 %r8, %r8, 3; add.u32 %r2, %r2, %r8; st.global.u32 [%o], %r2;"

static void test_rounds(void)
{
    static const struct { const char *name, *body, *before; uint32_t (*rounds)(uint32_t t); } rows[] = {
        {"rounds", WORDS "mov.u32 %r4, 0; L: " ROUND "add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 8; @%p0 bra L; st.global.u32 [%o], %r2;", "", eight},
        {"many rounds", WORDS "mov.u32 %r4, 0; L: " ROUND "add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 700; @%p0 bra L; st.global.u32 [%o], %r2;", "", many},
        {"warps leave early", WORDS "mov.u32 %r4, 0; shr.u32 %r5, %ti, 5; mul.lo.u32 %r5, %r5, 7; rem.u32 %r5, %r5, 5; L: " ROUND
         "add.u32 %r4, %r4, 1; setp.le.u32 %p0, %r4, %r5; @%p0 bra L; st.global.u32 [%o], %r2;", "", by_warp},
        {"lanes leave early", WORDS "mov.u32 %r4, 0; rem.u32 %r5, %ti, 7; L: " ROUND
         "setp.eq.u32 %p0, %r4, %r5; @%p0 st.global.u32 [%o], %r2; @%p0 exit; add.u32 %r4, %r4, 1; bra L;", "", by_lane},
        {"two loops", TWO_LOOPS, "", eight},
        {"one warp comes by lanes", BY_LANES, "", eight},
        {"a number from memory", BY_NUMBER, "", eight},
        {"behind guards", GUARDED, "", eight},
        {"warps give way in between", GIVES_WAY, "", eight},
        {"other barriers in between", OTHERS, "", eight},
        {"lanes part in between", APART, "", eight},
        {"in a function", WORDS "mov.u32 %r4, 0; L: " SHOW "call meet, ();" LOOK "call meet, (); add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 8;"
         "@%p0 bra L; st.global.u32 [%o], %r2;", ".func meet () { bar.sync 0; ret; }\n", eight},
        {"in a function that calls itself", WORDS "mov.u32 %r4, 0; L: " SHOW "mov.u32 %r6, 3; call meet, (%r6);" LOOK "bar.sync 0; add.u32 %r4, %r4, 1;"
         "setp.lt.u32 %p0, %r4, 8; @%p0 bra L; st.global.u32 [%o], %r2;",
         ".func meet (.reg .u32 a) { .reg .pred %q; .reg .u32 %a; setp.eq.u32 %q, a, 0; @%q bra E; sub.u32 %a, a, 1; call meet, (%a); ret;"
         "E: bar.sync 0; ret; }\n", eight},
    };

    fx_setup();
    fx_in[0] = 0;
    for (uint32_t i = 0; i < 3 * MOST; i++)
        fx_in[16 + i] = 3;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            char name[128];
            uint32_t n = sizes[s];

            snprintf(name, sizeof name, "%s, blocks of %u", rows[i].name, n);
            simulate(n, rows[i].rounds);
            fx_expect(name, 3 * n, want[t % n], fx_run(rows[i].body, .before = rows[i].before, .block = n, .grid = 3));
        }
}

/* Registers of every kind are across a barrier what they were: some change in each round, some in none; some are the same for all
 * lanes, some lie apart in a known way, in rows of the block too. */
static void test_registers(void)
{
    static const struct { uint32_t x, y; } shapes[] = {{32, 1}, {16, 16}, {8, 8}, {64, 4}, {33, 3}, {5, 7}};

    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        fx_expect("registers live across barriers", shapes[s].x * shapes[s].y,
                  5 * (t * 3 + (t & 1)) + (t % shapes[s].x) * 7 + t / shapes[s].x * 11 + (t % 3 == 0) * 1000 + 45 + 10 * (t * t & 0xffff) + 123456,
                  fx_run("mov.u32 %r0, %tid.x; mov.u32 %r1, %tid.y; mad.lo.u32 %r2, %r1, %n1, %r0; mad.wide.u32 %rd0, %r2, 4, %out;"
                         "mul.wide.u32 %rd1, %r2, 3; and.b32 %r3, %r2, 1; cvt.u64.u32 %rd2, %r3; add.u64 %rd1, %rd1, %rd2;"
                         "mul.lo.u32 %r4, %r2, %r2; cvt.u16.u32 %h0, %r4; rem.u32 %r5, %r2, 3; setp.eq.u32 %p0, %r5, 0;"
                         "mul.lo.u32 %r6, %r0, 7; mul.lo.u32 %r7, %r1, 11; mov.u32 %r8, 123456; setp.ne.u32 %p1, %r8, 0; mov.f32 %f0, 0f00000000;"
                         "mov.f32 %f1, 0f3f800000; mov.u32 %r9, 0; mov.u32 %r10, 0; mov.u64 %rd3, 0;"
                         "L: bar.sync 0; cvt.u32.u16 %r11, %h0; add.u32 %r10, %r10, %r11; cvt.rn.f32.u32 %f2, %r9; fma.rn.f32 %f0, %f2, %f1, %f0;"
                         "bar.sync 0; add.u32 %r9, %r9, 1; and.b32 %r12, %r9, 1; setp.eq.u32 %p2, %r12, 0; bar.sync 0; @%p2 add.u64 %rd3, %rd3, %rd1;"
                         "bar.sync 0; setp.lt.u32 %p3, %r9, 10; @%p3 bra L;"
                         "cvt.u32.u64 %r13, %rd3; add.u32 %r13, %r13, %r6; add.u32 %r13, %r13, %r7; @%p0 add.u32 %r13, %r13, 1000;"
                         "cvt.rzi.u32.f32 %r14, %f0; add.u32 %r13, %r13, %r14; add.u32 %r13, %r13, %r10; @%p1 add.u32 %r13, %r13, %r8;"
                         "st.global.u32 [%rd0], %r13;", .block = shapes[s].x, .block_y = shapes[s].y));
}

static void test_company(void)
{
    for (uint32_t n = 64; n <= 1024; n *= 2)
        fx_expect("a warp polls until another, which gives way, has stored; the others wait", n, n - 1,
                  fx_run(".shared .b32 sm[4]; setp.eq.u32 %p0, %ti, 0; mov.u32 %r0, 0; @%p0 st.shared.u32 [sm], %r0; bar.sync 0;"
                         "setp.lt.u32 %p0, %ti, 32; @%p0 bra W; add.u32 %r1, %n1, -32; setp.lt.u32 %p0, %ti, %r1; @%p0 bra E; mov.u32 %r2, 0;"
                         "S: add.u32 %r2, %r2, 1; setp.lt.u32 %p1, %r2, 2000; @%p1 bra S; st.volatile.shared.u32 [sm], %ti; bra E;"
                         "W: ld.volatile.shared.u32 %r2, [sm]; setp.eq.u32 %p1, %r2, 0; @%p1 bra W;"
                         "E: bar.sync 0; ld.shared.u32 %r2, [sm]; st.global.u32 [%o], %r2;", .block = n));
    for (uint32_t n = 64; n <= 1024; n *= 4)
        fx_expect("some arrive at another barrier meanwhile", n, t < 32 ? 1 : 2,
                  fx_run("setp.lt.u32 %p0, %ti, 32; mov.u32 %r0, 1; @%p0 bra A; bar.sync 0; mov.u32 %r0, 2; bar.arrive 1, %n1; bra E;"
                         "A: bar.sync 0; bar.sync 1, %n1; E: st.global.u32 [%o], %r0;", .block = n));
    for (uint32_t n = 96; n <= 1024; n *= 3)
        fx_expect("warps end while others wait, in either way", n, t < 32 ? 32 : 0xa5a5a5a5,
                  fx_run("shr.u32 %r1, %ti, 5; setp.ne.u32 %p0, %r1, 0; @%p0 bra X; bar.sync 0; setp.eq.u32 %p1, %ti, %ti; bar.red.popc.u32 %r0, 0, %p1;"
                         "bra E; X: bar.sync 0; exit; E: st.global.u32 [%o], %r0;", .block = n));
    fx_in[0] = fx_in[1] = 0;
    fx_expect("one ends, once, whose lanes have waited for each other", 128, t / 32 == 3 ? 0xa5a5a5a5 : 32,
              fx_run("setp.lt.u32 %p0, %ti, 96; mov.u32 %r2, 0; @%p0 bra B; A: atom.global.cas.b32 %r1, [%in], 0, 1; setp.ne.u32 %p1, %r1, 0;"
                     "@%p1 bra A; ld.volatile.global.u32 %r0, [%in+4]; add.u32 %r0, %r0, 1; st.volatile.global.u32 [%in+4], %r0;"
                     "st.volatile.global.u32 [%in], %r2; exit; B: bar.sync 0; bar.sync 0; bar.sync 0; ld.volatile.global.u32 %r0, [%in+4];"
                     "st.global.u32 [%o], %r0;", .block = 128));
    fx_expect("half of a warp ends, by itself and where others wait at another barrier", 96, t % 32 < 16 ? 0xa5a5a5a5 : t < 32 ? 64 : 32,
              fx_run("and.b32 %r0, %ti, 31; mov.u32 %r2, 64; setp.lt.u32 %p0, %r0, 16; setp.ge.u32 %p1, %ti, 32; @%p1 bra B; bar.sync 0; @%p0 exit;"
                     "bar.sync 0; bra E; B: bar.sync 0; @%p0 exit; setp.ne.u32 %p2, %ti, 999; mov.u32 %r2, 32; bar.sync 0; E: st.global.u32 [%o], %r2;",
                     .block = 96));
}

int main(void)
{
    test_rounds();
    test_registers();
    test_company();
    fx.pool = vg_pool_new(2);
    test_rounds();
    vg_pool_free(fx.pool);
    return tap_done();
}
