/* SPDX-License-Identifier: Apache-2.0 */
/* Barriers of a block: reductions, names, thread counts, arrivals without waiting, divergent arrivals. */
#include "own.h"

#define OUT32(r) "cvt.u64.u32 %o0, " r ";"
#define W_OF(thread, slot) ((uint32_t)IN_OF(thread, slot))
#define BOARD ".shared .align 4 .b8 sm[2048]; mov.u32 %%r20, sm; mad.lo.u32 %%r21, %%ti, 4, %%r20;\n"

static bool truth(const uint64_t *in, unsigned thread, unsigned rare)
{
    uint32_t x = (uint32_t)in[thread * IN_SLOTS] >> 8;

    return rare == 0 ? x & 1 : rare == 1 ? (x & 255) == 0 : (x & 255) != 0;
}

static void reductions(void)
{
    static const char *const ops[] = {"popc.u32", "and.pred", "or.pred"}, *const kinds[] = {"bar", "barrier.cta", "barrier"};
    static const int blocks[] = {32, 64, 128};

    for (unsigned k = 0; k < 3; k++)
        for (unsigned rare = 0; rare < 3; rare++)
            for (unsigned b = 0; b < 3; b++) {
                const char *kind = kinds[(k + rare + b) % 3];
                char *op = own_text("%s.red%s.%s", kind, b == 1 && kind[3] ? ".aligned" : "", ops[k]);

                ENTRY(.name = own_text("red_%.*s_%u_%d", (int)strcspn(ops[k], "."), ops[k], rare, blocks[b]), .block = blocks[b],
                      .body = own_text("shr.u32 %%r0, %%w0, 8; and.b32 %%r0, %%r0, %d; setp.%s.u32 %%p0, %%r0, 0;"
                                       "%s %s, %d%s, %%p0; %s", rare ? 255 : 1,
                                       rare == 1 ? "eq" : "ne", op, k ? "%p1" : "%r1", (int)(k + b), b == 2 ? ", 128" : "",
                                       k ? "selp.u64 %o0, 1, 0, %p1;" : OUT32("%r1"))) {
                    unsigned first = own.cta * (unsigned)own.block, n = 0;

                    for (int j = 0; j < own.block; j++)
                        n += truth(own.in, first + (unsigned)j, rare);
                    OUT(0) = k == 0 ? n : k == 1 ? n == (unsigned)own.block : n > 0;
                }
            }
    ENTRY(.name = "red_of_negated", .block = 128,
          .body = "setp.lt.s32 %p0, %w0, 0; bar.red.popc.u32 %r1, 0, !%p0; barrier.red.or.pred %p1, 1, !%p0;"
                  "selp.u32 %r2, 0x1000, 0, %p1; or.b32 %r1, %r1, %r2;" OUT32("%r1")) {
        unsigned n = 0;

        for (unsigned j = own.cta * 128; j < own.cta * 128 + 128; j++)
            n += (int32_t)W_OF(j, 0) >= 0;
        OUT(0) = n | (n ? 0x1000 : 0);
    }
    ENTRY(.name = "red_in_loop", .block = 128, /* until no lane has work left; every lane counts the rounds */
          .body = "and.b32 %r0, %w0, 63; mov.u32 %r1, 0; L: setp.ne.u32 %p0, %r0, 0; bar.red.or.pred %p1, 0, %p0; @!%p1 bra E;"
                  "@%p0 sub.u32 %r0, %r0, 1; add.u32 %r1, %r1, 1; bra L; E:"
                  OUT32("%r1")) {
        uint32_t most = 0;

        for (unsigned j = own.cta * 128; j < own.cta * 128 + 128; j++)
            most = (W_OF(j, 0) & 63) > most ? W_OF(j, 0) & 63 : most;
        OUT(0) = most;
    }
}

static void names(void)
{
    for (int id = 0; id < 16; id += 5)
        ENTRY(.name = own_text("named_%d", id), .block = 128,
              .body = own_text(BOARD "st.shared.u32 [%%r21], %%w0; bar.sync %d; xor.b32 %%r0, %%ti, 95;"
                                     "mad.lo.u32 %%r0, %%r0, 4, %%r20; ld.shared.u32 %%r1, [%%r0]; %s", id, OUT32("%r1")))
            OUT(0) = W_OF(own.i ^ 95, 0);
    ENTRY(.name = "named_by_register", .block = 128,
          .body = own_text(BOARD "add.u32 %%r5, %%ci, 3; mov.u32 %%r6, 128; st.shared.u32 [%%r21], %%w0; bar.sync %%r5, %%r6;"
                                 "xor.b32 %%r0, %%ti, 95; mad.lo.u32 %%r0, %%r0, 4, %%r20;"
                           "ld.shared.u32 %%r1, [%%r0]; %s", OUT32("%r1")))
        OUT(0) = W_OF(own.i ^ 95, 0);
    ENTRY(.name = "two_halves", .block = 128, /* warps 0 and 1 meet at one barrier, 2 and 3 at another,
        in different numbers of rounds */
          .body = own_text(BOARD "shr.u32 %%r5, %%ti, 6; add.u32 %%r5, %%r5, 1; mad.lo.u32 %%r6, %%r5, 2, 1; mov.u32 %%r7, %%w0;"
                                 "L: st.shared.u32 [%%r21], %%r7; bar.sync %%r5, 64;"
                           "xor.b32 %%r0, %%ti, 37; mad.lo.u32 %%r0, %%r0, 4, %%r20; ld.shared.u32 %%r1, [%%r0];"
                           "mad.lo.u32 %%r7, %%r1, 3, %%ti; bar.sync %%r5, 64; sub.u32 %%r6, %%r6, 1;"
                           "setp.ne.u32 %%p0, %%r6, 0; @%%p0 bra L; %s", OUT32("%r7"))) {
        uint32_t x[2] = {W_OF(own.i, 0), W_OF(own.i ^ 37, 0)};

        for (unsigned k = 0; k < 2 * (own.tid / 64 + 1) + 1; k++) {
            uint32_t mine = x[1] * 3 + own.tid, mates = x[0] * 3 + (own.tid ^ 37);

            x[0] = mine;
            x[1] = mates;
        }
        OUT(0) = x[0];
    }
    ENTRY(.name = "producer_and_consumer", .block = 64, /* warp 0 writes and goes on; warp 1 waits for it, eight times */
          .body = own_text(BOARD "mov.u32 %%r7, 0; mov.u32 %%r6, 0; setp.ne.u32 %%p0, %%warp, 0; @%%p0 bra C;"
                           "P: bar.sync 2, 64; mad.lo.u32 %%r0, %%w0, %%r6, %%ti; st.shared.u32 [%%r21], %%r0; membar.cta;"
                           "bar.arrive 1, 64; add.u32 %%r6, %%r6, 1; setp.lt.u32 %%p1, %%r6, 8; @%%p1 bra P;"
                           "mov.u32 %%r7, %%r0; bra E; C: bar.arrive 2, 64; bar.sync 1, 64; ld.shared.u32 %%r1, [%%r21+-128];"
                           "mad.lo.u32 %%r7, %%r7, 5, %%r1; add.u32 %%r6, %%r6, 1; setp.lt.u32 %%p1, %%r6, 8;"
                           "@%%p1 bra C; E: %s", OUT32("%r7"))) {
        uint32_t x = 0;

        for (uint32_t k = 0; k < 8; k++)
            x = own.tid < 32 ? W_OF(own.i, 0) * k + own.tid : x * 5 + W_OF(own.i - 32, 0) * k + own.tid - 32;
        OUT(0) = x;
    }
    ENTRY(.name = "arrive_of_many", .block = 256, /* seven warps arrive, the last waits for all */
          .body = own_text(BOARD "st.shared.u32 [%%r21], %%w0; mov.u32 %%r7, %%w1; setp.eq.u32 %%p0, %%warp, 7; @%%p0 bra W;"
                                 "barrier.cta.arrive 4, 256; bra E;"
                           "W: barrier.cta.sync 4, 256; mov.u32 %%r7, 0; mov.u32 %%r6, 0; L: mad.lo.u32 %%r0, %%r6, 32, %%lane;"
                           "mad.lo.u32 %%r0, %%r0, 4, %%r20; ld.shared.u32 %%r1, [%%r0];"
                           "mad.lo.u32 %%r7, %%r7, 3, %%r1; add.u32 %%r6, %%r6, 1; setp.lt.u32 %%p1, %%r6, 8; @%%p1 bra L;"
                           "E: %s", OUT32("%r7"))) {
        uint32_t x = W_OF(own.i, 1);

        if (own.tid >= 224) {
            x = 0;
            for (unsigned k = 0; k < 8; k++)
                x = x * 3 + W_OF(own.cta * 256 + k * 32 + own.lane, 0);
        }
        OUT(0) = x;
    }
}

static void divergent(void)
{
    ENTRY(.name = "met_from_branches", .block = 128, /* lanes of a warp come to the barrier from two places */
          .body = own_text(BOARD "st.shared.u32 [%%r21], %%w0; and.b32 %%r0, %%w1, 1; setp.eq.u32 %%p0, %%r0, 0; @%%p0 bra A;"
                                 "barrier.sync 0; mov.u32 %%r5, 95; bra E; A: barrier.sync 0;"
                           "mov.u32 %%r5, 64; E: xor.b32 %%r0, %%ti, %%r5; mad.lo.u32 %%r0, %%r0, 4, %%r20;"
                           "ld.shared.u32 %%r1, [%%r0]; %s", OUT32("%r1")))
        OUT(0) = W_OF(own.i ^ (W_OF(own.i, 1) & 1 ? 95 : 64), 0);
    ENTRY(.name = "reduced_from_branches", .block = 128,
          .body = "setp.lt.s32 %p1, %w0, 0; and.b32 %r0, %w1, 1; setp.eq.u32 %p0, %r0, 0; @%p0 bra A;"
                  "barrier.red.popc.u32 %r1, 0, %p1; bra E; A: barrier.red.popc.u32 %r1, 0, %p1; add.u32 %r1, %r1, 1000; E:"
                  OUT32("%r1")) {
        uint32_t n = 0;

        for (unsigned j = own.cta * 128; j < own.cta * 128 + 128; j++)
            n += W_OF(j, 0) >> 31;
        OUT(0) = n + (W_OF(own.i, 1) & 1 ? 0 : 1000);
    }
    ENTRY(.name = "after_some_warps_left", .block = 256, /* the barrier is for those that are still there */
          .body = own_text(BOARD "st.global.u64 [%%po], %%a1; setp.ge.u32 %%p0, %%ti, 160; @%%p0 exit;"
                                 "st.shared.u32 [%%r21], %%w0; bar.sync 0; add.u32 %%r0, %%ti, 41; rem.u32 %%r0, %%r0, 160;"
                           "mad.lo.u32 %%r0, %%r0, 4, %%r20; ld.shared.u32 %%r1, [%%r0]; %s", OUT32("%r1")))
        OUT(0) = own.tid >= 160 ? IN(1) : W_OF(own.cta * 256 + (own.tid + 41) % 160, 0);
    ENTRY(.name = "rounds_of_odd_even_sort", .block = 64,
          .body = own_text(BOARD "st.shared.u32 [%%r21], %%w0; mov.u32 %%r6, 0; L: bar.sync 0; add.u32 %%r0, %%ti, %%r6;"
                                 "and.b32 %%r0, %%r0, 1; setp.eq.u32 %%p0, %%r0, 0; setp.lt.and.u32 %%p0, %%ti, 63, %%p0;"
                           "@!%%p0 bra N; ld.shared.u32 %%r1, [%%r21]; ld.shared.u32 %%r2, [%%r21+4]; min.u32 %%r3, %%r1, %%r2;"
                           "max.u32 %%r4, %%r1, %%r2; st.shared.u32 [%%r21], %%r3; st.shared.u32 [%%r21+4], %%r4;"
                           "N: add.u32 %%r6, %%r6, 1; setp.lt.u32 %%p1, %%r6, 64; @%%p1 bra L; bar.sync 0;"
                           "ld.shared.u32 %%r1, [%%r21]; %s", OUT32("%r1"))) {
        unsigned first = own.cta * 64, below = 0;

        /* The value with as many smaller ones before it as the thread's index. */
        for (unsigned j = first; j < first + 64; j++) {
            below = 0;
            for (unsigned k = first; k < first + 64; k++)
                below += W_OF(k, 0) < W_OF(j, 0) || (W_OF(k, 0) == W_OF(j, 0) && k < j);
            if (below == own.tid)
                OUT(0) = W_OF(j, 0);
        }
    }
    ENTRY(.name = "fences", .block = 64,
          .body = "membar.cta; membar.gl; membar.sys; fence.sc.cta; fence.sc.gpu; fence.acq_rel.sys; fence.acq_rel.cluster;"
                  "fence.sc.cluster; fence.proxy.alias; bar.sync 0; nanosleep.u32 20; mov.u64 %o0, %a0;")
        OUT(0) = IN(0);
    ENTRY(.name = "cluster_of_one", .block = 64,
          .body = own_text(BOARD "st.shared.u32 [%%r21], %%w0; barrier.cluster.arrive.release; barrier.cluster.wait.acquire;"
                                 "xor.b32 %%r0, %%ti, 33; mad.lo.u32 %%r0, %%r0, 4, %%r20; ld.shared.u32 %%r1, [%%r0]; %s",
                           OUT32("%r1")))
        OUT(0) = W_OF(own.i ^ 33, 0);
}

void gen_barrier(void)
{
    own_family("barrier", "");
    reductions();
    names();
    divergent();
}
