/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks and grids: barriers of every kind, warps that wait for each other, many blocks on several workers, cooperative
 * launches, special registers. */
#include "interp_fixture.h"

static void test_barriers(void)
{
    fx_expect("bar.sync over eight warps, the last one partial", 250, (t + 100) % 250,
              fx_run(".shared .b32 sm[256]; mov.u32 %r0, sm; mad.lo.u32 %r1, %ti, 4, %r0; st.shared.u32 [%r1], %ti; bar.sync 0;"
                     "add.u32 %r2, %ti, 100; rem.u32 %r2, %r2, 250; mad.lo.u32 %r1, %r2, 4, %r0; ld.shared.u32 %r3, [%r1];"
                     "st.global.u32 [%o], %r3;", .block = 250));
    fx_expect("bar.red", 96, 32 * 3 / 2 | 0x100,
              fx_run("and.b32 %r0, %ti, 1; setp.eq.u32 %p0, %r0, 0; bar.red.popc.u32 %r1, 0, %p0; bar.red.and.pred %p1, 0, %p0;"
                     "bar.red.or.pred %p2, 0, %p0; @%p2 or.b32 %r1, %r1, 0x100; @%p1 or.b32 %r1, %r1, 0x200;"
                     "setp.eq.u32 %p3, %ti, 1000; bar.red.or.pred %p3, 1, %p3; @%p3 or.b32 %r1, %r1, 0x400;"
                     "bar.red.and.pred %p3, 2, !%p3; @!%p3 or.b32 %r1, %r1, 0x800; st.global.u32 [%o], %r1;", .block = 96));
    fx_expect("named barriers: a producer and a consumer, 40 rounds", 64, t < 32 ? 0xa5a5a5a5 : 40 * (t - 32) + 39 * 40 / 2,
              fx_run(".shared .b32 sm[32]; mov.u32 %r0, sm; and.b32 %r1, %ti, 31; mad.lo.u32 %r0, %r1, 4, %r0; mov.u32 %r2, 0;"
                     "mov.u32 %r4, 0; setp.ge.u32 %p0, %ti, 32; @%p0 bra C;"
                     "P: bar.sync 2, 64; add.u32 %r3, %r1, %r2; st.shared.u32 [%r0], %r3; bar.arrive 1, 64; add.u32 %r2, %r2, 1;"
                     "setp.lt.u32 %p1, %r2, 40; @%p1 bra P; exit;"
                     "C: bar.arrive 2, 64; bar.sync 1, 64; ld.shared.u32 %r3, [%r0]; add.u32 %r4, %r4, %r3; add.u32 %r2, %r2, 1;"
                     "setp.lt.u32 %p1, %r2, 40; @%p1 bra C; st.global.u32 [%o], %r4;", .block = 64));
    fx_expect("exited warps and lanes are not waited for", 128, t < 40 ? 0xa5a5a5a5 : 88,
              fx_run("setp.lt.u32 %p0, %ti, 40; @%p0 exit; setp.ne.u32 %p1, %ti, 1; bar.red.popc.u32 %r0, 0, %p1;"
                     "st.global.u32 [%o], %r0;", .block = 128));
    fx_expect("barrier reached on both sides of a branch", 64, 64,
              fx_run("setp.lt.u32 %p0, %ti, 10; setp.ne.u32 %p1, %ti, 99; @%p0 bra A; barrier.red.popc.u32 %r0, 3, %p1; bra E;"
                     "A: barrier.red.popc.u32 %r0, 3, %p1; E: st.global.u32 [%o], %r0;", .block = 64));
    fx_expect("arrive and exit, others wait", 64, t < 32 ? 0xa5a5a5a5 : 1,
              fx_run("setp.ge.u32 %p0, %ti, 32; @%p0 bra C; bar.arrive 4, 64; exit; C: bar.sync 4, 64; mov.u32 %r0, 1;"
                     "st.global.u32 [%o], %r0;", .block = 64));
    fx_expect("warps that spin on shared memory", 96, t / 32 * 10,
              fx_run(".shared .b32 sm[4]; setp.eq.u32 %p0, %ti, 0; mov.u32 %r0, 0; @%p0 st.shared.u32 [sm], %r0; bar.sync 0;"
                     "shr.u32 %r1, %ti, 5; W: ld.volatile.shared.u32 %r2, [sm]; setp.ne.u32 %p1, %r2, %r1; @%p1 bra W;"
                     "mul.lo.u32 %r3, %r1, 10; st.global.u32 [%o], %r3; bar.warp.sync -1; add.u32 %r1, %r1, 1;"
                     "st.volatile.shared.u32 [sm], %r1;", .block = 96));
    fx_expect("warps that spin without saying so", 64, 1,
              fx_run(".shared .b32 sm[4]; setp.eq.u32 %p0, %ti, 0; mov.u32 %r0, 0; @%p0 st.shared.u32 [sm], %r0; bar.sync 0;"
                     "setp.ge.u32 %p1, %ti, 32; @%p1 bra S; W: ld.shared.u32 %r2, [sm]; setp.eq.u32 %p1, %r2, 0; @%p1 bra W;"
                     "bra E; S: mov.u32 %r2, 1; st.shared.u32 [sm], %r2; E: st.global.u32 [%o], %r2;", .block = 64));
}

#define GRID_SYNC /* as cooperative groups do: thread 0 of each block adds, the first block the rest of a sign bit */ \
    "bar.sync 0; setp.ne.u32 %p9, %ti, 0; @%p9 bra J$; mov.u32 %r30, 1; mov.u32 %r31, %nctaid.x; mov.u32 %r32, %ctaid.x;" \
    "setp.eq.u32 %p8, %r32, 0; sub.u32 %r31, 0x80000001, %r31; selp.b32 %r30, %r31, 1, %p8; fence.acq_rel.gpu;" \
    "atom.add.release.gpu.u32 %r33, [%rd19+4], %r30;" \
    "K$: ld.acquire.gpu.u32 %r34, [%rd19+4]; xor.b32 %r34, %r34, %r33; setp.ge.s32 %p7, %r34, 0; @%p7 bra K$; J$: bar.sync 0;"

static char *replace_dollar(const char *text, char c)
{
    char *s = strdup(text);

    for (char *p = s; *p; p++)
        if (*p == '$')
            *p = c;
    return s;
}

static void test_grids(void)
{
    char *one = replace_dollar(GRID_SYNC, '1'), *two = replace_dollar(GRID_SYNC, '2'), body[8192];

    fx_expect("many blocks", 64 * 300, t * 3, fx_run("mul.lo.u32 %r0, %gi, 3; st.global.u32 [%o], %r0;", .grid = 300, .block = 64));
    fx_expect("all blocks add to one word", 1, 64 * 300,
              fx_run("red.global.add.u32 [%out], 1;", .grid = 300, .block = 64, .keep_out = (fx_out[0] = 0, true)));
    /* Each block writes, the grid meets, each block reads its neighbour's value; twice. */
    snprintf(body, sizeof body,
             "mov.u32 %%r0, %%envreg2; mov.u32 %%r1, %%envreg1; mov.b64 %%rd19, {%%r0, %%r1}; mov.u32 %%r2, %%nctaid.x;"
             "st.global.u32 [%%i], %%gi; %s add.u32 %%r3, %%n0, 1; rem.u32 %%r3, %%r3, %%r2; mad.lo.u32 %%r4, %%r3, %%n1, %%ti;"
             "mad.wide.u32 %%rd0, %%r4, 4, %%in; ld.global.u32 %%r5, [%%rd0]; %s st.global.u32 [%%i], %%r5; st.global.u32 [%%o], %%r5;",
             one, two);
    for (uint32_t n = 1; n <= 40; n += 13) {
        memset(fx_in + FX_BYTES / 8, 0, 64);
        fx_expect("cooperative grid", 48 * n, (t + 48) % (48 * n),
                  fx_run(body, .grid = n, .block = 48, .cooperative = true, .workspace = FX_IN + FX_BYTES / 2));
    }
    free(one);
    free(two);
    /* Blocks of an ordinary launch that hardware would have resident together. */
    for (uint32_t n = 2; n <= 70; n = n * 4 + 1) {
        fx_in[0] = n;
        fx_expect("a block waits for the one after it", 32 * n, t / 32,
                  fx_run("mov.u32 %r0, %ctaid.x; add.u32 %r0, %r0, 1; W: ld.volatile.global.u32 %r1, [%in]; setp.ne.u32 %p0, %r1, %r0;"
                         "@%p0 bra W; bar.warp.sync -1; sub.u32 %r0, %r0, 1; st.global.u32 [%o], %r0; st.volatile.global.u32 [%in], %r0;",
                         .grid = n, .block = 32));
        fx_in[0] = 0;
        fx_expect("blocks wait until all have come", 64 * n, n,
                  fx_run("bar.sync 0; setp.ne.u32 %p0, %ti, 0; @%p0 bra J; red.global.add.u32 [%in], 1; mov.u32 %r2, %nctaid.x;"
                         "W: atom.global.or.b32 %r1, [%in], 0; setp.ne.u32 %p0, %r1, %r2; @%p0 bra W; J: bar.sync 0;"
                         "ld.volatile.global.u32 %r1, [%in]; st.global.u32 [%o], %r1;",
                         .grid = n, .block = 64));
    }
}

static void test_special(void)
{
    fx_expect("thread numbers in two dimensions", 60, (t % 12) | (t / 12) << 8 | (t % 32) << 16 | (t / 32) << 24,
              fx_run("mov.u32 %r0, %tid.x; mov.u32 %r1, %tid.y; mov.u32 %r2, %laneid; mov.u32 %r3, %warpid; mov.u32 %r4, %ntid.x;"
                     "mad.lo.u32 %r5, %r1, %r4, %r0; mad.wide.u32 %rd0, %r5, 4, %out; shl.b32 %r1, %r1, 8; shl.b32 %r2, %r2, 16;"
                     "shl.b32 %r3, %r3, 24; or.b32 %r0, %r0, %r1; or.b32 %r0, %r0, %r2; or.b32 %r0, %r0, %r3;"
                     "st.global.u32 [%rd0], %r0;", .block = 12, .block_y = 5));
    fx_expect("lane masks", 32, (1u << t) + ((1u << t) - 1) + ~((1u << t) - 1),
              fx_run("mov.u32 %r0, %lanemask_eq; mov.u32 %r1, %lanemask_lt; mov.u32 %r2, %lanemask_ge; add.u32 %r0, %r0, %r1;"
                     "add.u32 %r0, %r0, %r2; st.global.u32 [%o], %r0;"));
    fx_expect("16-bit and 64-bit reads, grid and shared size", 32, t + 7 + 4 + 96,
              fx_run(".shared .b8 sm[64]; mov.u16 %h0, %tid.x; cvt.u32.u16 %r0, %h0; mov.u64 %rd0, %gridid; cvt.u32.u64 %r1, %rd0;"
                     "add.u32 %r0, %r0, %r1; mov.u32 %r2, %nsmid; add.u32 %r0, %r0, %r2; mov.u32 %r3, %total_smem_size;"
                     "add.u32 %r0, %r0, %r3; st.shared.u8 [sm], %h0; st.global.u32 [%o], %r0;", .shared = 32));
    fx_expect("the clock moves on", 32, 1,
              fx_run("mov.u64 %rd0, %clock64; mov.u64 %rd1, %globaltimer; nanosleep.u32 100; mov.u64 %rd2, %clock64;"
                     "mov.u64 %rd3, %globaltimer; setp.gt.u64 %p0, %rd2, %rd0; setp.ge.and.u64 %p0, %rd3, %rd1, %p0;"
                     "selp.u32 %r0, 1, 0, %p0; st.global.u32 [%o], %r0;"));
}

int main(void)
{
    fx_setup();
    test_barriers();
    test_grids();
    test_special();
    for (unsigned n = 1; n <= 4; n += 3) {
        fx.pool = vg_pool_new(n);
        if (!ok(fx.pool && vg_pool_workers(fx.pool) == n, "a pool of %u workers", n))
            return tap_done();
        for (int i = 0; i < 5; i++)
            test_grids();
        test_barriers();
        vg_pool_free(fx.pool);
    }
    return tap_done();
}
