/* SPDX-License-Identifier: Apache-2.0 */
/* Collectives whose member mask names part of a warp, on both sides of a branch: each side's lanes meet among themselves. */
#include "own.h"

#define OUT32(r) "cvt.u64.u32 %o0, " r ";"
#define W_OF(thread, slot) ((uint32_t)IN_OF(thread, slot))

/* How a warp is split: side A are the lanes of 'mask'. 'groups' is a set of lane distances d such that lanes l and l ^ d are
 * always on the same side. */
static const struct split {
    const char *name;
    uint32_t mask, distances;
} splits[] = {
    {"half", 0x0000ffff, 0x0f},
    {"odd", 0xaaaaaaaa, 0x1e},
    {"pairs", 0x33333333, 0x1d},
    {"one", 0x00400000, 0},
    {"mixed", 0x0ff0c35a, 0},
};

/* Which lanes take part with lane l; that is what its mask says too. */
static uint32_t side(const struct split *s, unsigned l)
{
    return s->mask >> l & 1 ? s->mask : ~s->mask;
}

/* The body: %r0 = the lane's value on side A, %r1 on side B; 'op' has %s for the value's register, %s for the mask. */
static char *both_sides(const struct split *s, const char *before, const char *a, const char *b)
{
    return own_text("mov.u32 %%r10, 0x%08x; shr.u32 %%r11, %%r10, %%lane; and.b32 %%r11, %%r11, 1; setp.eq.u32 %%p0, %%r11, 0;"
                    "mov.u32 %%r0, %%w0; mad.lo.u32 %%r1, %%w0, 3, 1; %s @%%p0 bra B;\n%s bra E;\nB: %s\nE: %s",
                    s->mask, before, a, b, OUT32("%r9"));
}

/* A lane's operand: the values differ by side. */
static uint32_t operand(const struct split *s, const uint64_t *in, unsigned thread, unsigned bits)
{
    uint32_t v = (uint32_t)in[thread * IN_SLOTS];

    v = s->mask >> (thread & 31) & 1 ? v : v * 3 + 1;
    return bits < 32 ? v & ((1u << bits) - 1) : v;
}

/* ---- redux ---- */

static uint32_t fold(const char *op, uint32_t x, uint32_t y)
{
    if (!strcmp(op, "add.u32") || !strcmp(op, "add.s32"))
        return x + y;
    if (!strcmp(op, "min.u32"))
        return x < y ? x : y;
    if (!strcmp(op, "max.u32"))
        return x > y ? x : y;
    if (!strcmp(op, "min.s32"))
        return (int32_t)x < (int32_t)y ? x : y;
    if (!strcmp(op, "max.s32"))
        return (int32_t)x > (int32_t)y ? x : y;
    return !strcmp(op, "and.b32") ? x & y : !strcmp(op, "or.b32") ? x | y : x ^ y;
}

static void reductions(const struct split *s)
{
    static const char *const ops[] = {"add.u32", "add.s32", "min.u32", "max.u32", "min.s32", "max.s32", "and.b32", "or.b32",
        "xor.b32"};

    for (unsigned k = 0; k < sizeof ops / sizeof *ops; k++)
        ENTRY(.name = own_text("redux_%.*s_%s_%s", (int)strcspn(ops[k], "."), ops[k], strchr(ops[k], '.') + 1, s->name),
              .body = both_sides(s, "", own_text("redux.sync.%s %%r9, %%r0, 0x%08x;", ops[k], s->mask),
                                 own_text("redux.sync.%s %%r9, %%r1, 0x%08x;", ops[k], ~s->mask))) {
            uint32_t set = side(s, own.lane), x = 0;
            bool first = true;

            for (unsigned l = 0; l < 32; l++)
                if (set >> l & 1) {
                    uint32_t y = operand(s, own.in, own.i - own.lane + l, 32);

                    x = first ? y : fold(ops[k], x, y);
                    first = false;
                }
            OUT(0) = x;
        }
}

/* ---- vote, match ---- */

static void votes(const struct split *s)
{
    static const char *const modes[] = {"all", "any", "uni", "ballot"};

    for (unsigned k = 0; k < 4; k++) {
        const char *type = k == 3 ? "b32 %r9" : "pred %p2", *end = k == 3 ? "" : "selp.u32 %r9, 1, 0, %p2;";

        ENTRY(.name = own_text("vote_%s_%s", modes[k], s->name),
              .body = both_sides(s, own_text("shr.u32 %%r2, %%r0, 20; and.b32 %%r2, %%r2, %u; setp.%s.u32 %%p1, %%r2, 0;",
                  k == 3 ? 1 : 31,
                                             k == 1 ? "eq" : "ne"),
                                 own_text("vote.sync.%s.%s, %%p1, 0x%08x; %s", modes[k], type, s->mask, end),
                                 own_text("vote.sync.%s.%s, %%p1, 0x%08x; %s", modes[k], type, ~s->mask, end))) {
            uint32_t set = side(s, own.lane), yes = 0;

            for (unsigned l = 0; l < 32; l++) {
                uint32_t bits = W_OF(own.i - own.lane + l, 0) >> 20 & (k == 3 ? 1 : 31);

                yes |= (uint32_t)(k == 1 ? !bits : !!bits) << l;
            }
            yes &= set;
            OUT(0) = k == 0 ? yes == set : k == 1 ? yes != 0 : k == 2 ? yes == set || !yes : yes;
        }
    }
    for (unsigned wide = 0; wide < 2; wide++)
        for (unsigned all = 0; all < 2; all++) {
            /* Few different values, so that some are equal; in match.all all lanes agree in every second warp. */
            const char *value = all ? "and.b32 %r0, %ci, 3; shr.u32 %r2, %w0, 8; and.b32 %r2, %r2, %warp; and.b32 %r2, %r2, 1;"
                                      "add.u32 %r0, %r0, %r2;"
                                      "add.u32 %r1, %r0, 9;"
                                    : "and.b32 %r0, %r0, 3; and.b32 %r1, %r1, 3;";
            const char *pair = wide ? "mov.b64 %d0, {%r5, %r0}; mov.b64 %d1, {%r5, %r1}; mov.u32 %r5, 7;" : "";
            const char *fix = wide ? "mov.u32 %r5, 7;" : "";
            const char *op = all ? "match.all.sync" : "match.any.sync", *d = all ? "%r9|%p2" : "%r9";
            const char *end = all ? "selp.u32 %r8, 0x100, 0, %p2; xor.b32 %r9, %r9, %r8;" : "";

            ENTRY(.name = own_text("match_%s_b%d_%s", all ? "all" : "any", wide ? 64 : 32, s->name),
                  .body = both_sides(s, own_text("%s%s%s", fix, value, pair),
                                     own_text("%s.b%d %s, %s, 0x%08x; %s", op, wide ? 64 : 32, d, wide ? "%d0" : "%r0",
                                         s->mask, end),
                                     own_text("%s.b%d %s, %s, 0x%08x; %s", op, wide ? 64 : 32, d, wide ? "%d1" : "%r1",
                                         ~s->mask, end))) {
                uint32_t set = side(s, own.lane), same = 0, mine = 0, v;

                for (int pass = 0; pass < 2; pass++)
                    for (unsigned l = 0; l < 32; l++) {
                        unsigned j = own.i - own.lane + l;

                        v = all ? (own.cta & 3) + (W_OF(j, 0) >> 8 & (own.tid / 32) & 1) : operand(s, own.in, j, 2);
                        if (!pass && l == own.lane)
                            mine = v;
                        if (pass && set >> l & 1 && v == mine)
                            same |= 1u << l;
                    }
                OUT(0) = !all ? same : same == set ? set ^ 0x100 : 0;
            }
        }
}

/* ---- shfl ---- */

/* shfl among the lanes of a side; from a lane of the other side, which does not take part, comes 0. */
static void shuffle(const struct split *s, const char *mode, unsigned by, unsigned c)
{
    ENTRY(.name = own_text("shfl_%s_%u_%x_%s", mode, by, c, s->name), .nout = 2,
          .body = own_text("%s selp.u32 %%r8, 1, 0, %%p2; cvt.u64.u32 %%o1, %%r8;",
                           both_sides(s, "", own_text("shfl.sync.%s.b32 %%r9|%%p2, %%r0, %u, %u, 0x%08x;", mode, by, c, s->mask),
                                      own_text("shfl.sync.%s.b32 %%r9|%%p2, %%r1, %u, %u, 0x%08x;", mode, by, c, ~s->mask)))) {
        unsigned l = own.lane, segment = c >> 8, clamp = c & 31;
        unsigned min = l & segment, max = min | (clamp & ~segment & 31), j = 0;
        bool in = false;

        if (!strcmp(mode, "up")) {
            j = l - by;
            in = (int)j >= (int)max;
        } else if (!strcmp(mode, "down")) {
            j = l + by;
            in = j <= max;
        } else if (!strcmp(mode, "bfly")) {
            j = l ^ by;
            in = j <= max;
        } else {
            j = min | (by & ~segment & 31);
            in = j <= max;
        }
        j = in ? j : l;
        OUT(0) = side(s, l) >> j & 1 ? operand(s, own.in, own.i - l + j, 32) : 0;
        OUT(1) = in;
    }
}

static void shuffles(void)
{
    const struct split *half = &splits[0], *odd = &splits[1], *pairs = &splits[2];

    for (unsigned by = 1; by < 16; by *= 2) {
        shuffle(half, "bfly", by, 0x1f);
        shuffle(half, "up", by, 0x1000);
        shuffle(half, "down", by, 0x101f);
        shuffle(half, "idx", by + 1, 0x101f);
        shuffle(odd, "bfly", 2 * by, 0x1f);
        shuffle(odd, "up", 2 * by, 0);
        shuffle(odd, "down", 2 * by, 0x1f);
        shuffle(half, "down", by, 0x1f);
    }
    shuffle(odd, "bfly", 1, 0x1f);
    shuffle(half, "bfly", 16, 0x1f);
    shuffle(pairs, "idx", 3, 0x1f);
    shuffle(pairs, "bfly", 1, 0x1f);
    shuffle(pairs, "bfly", 12, 0x1f);
    shuffle(pairs, "down", 4, 0x1f);
    shuffle(pairs, "up", 8, 0x1000);
    shuffle(pairs, "idx", 1, 0x1e1f);
    for (const struct split *s = splits; s < splits + 5; s++)
        /* From the lowest lane of the side, wherever it is. */
        ENTRY(.name = own_text("shfl_first_%s", s->name),
              .body = both_sides(s, "", own_text("shfl.sync.idx.b32 %%r9, %%r0, %d, 0x1f, 0x%08x;", __builtin_ctz(s->mask),
                  s->mask),
                                 own_text("shfl.sync.idx.b32 %%r9, %%r1, %d, 0x1f, 0x%08x;", __builtin_ctz(~s->mask), ~s->mask)))
            OUT(0) = operand(s, own.in, own.i - own.lane + (unsigned)__builtin_ctz(side(s, own.lane)), 32);
}

/* ---- bar.warp.sync, elect, masks that differ by lane ---- */

static void others(void)
{
    for (const struct split *s = splits; s < splits + 5; s++) {
        ENTRY(.name = own_text("bar_warp_%s", s->name), /* each lane reads what the next lane of its side wrote */
              .body = own_text(".shared .align 4 .b8 sm[256]; mov.u32 %%r20, sm; mad.lo.u32 %%r21, %%ti, 4, %%r20;%s",
                               both_sides(s, /* %r16: where the next lane of the side wrote */
                                          "selp.u32 %r12, -1, 0, %p0; xor.b32 %r10, %r10, %r12; brev.b32 %r15, %r10;"
                                          "clz.b32 %r15, %r15;"
                                          "add.u32 %r13, %lane, 1; shr.u32 %r14, %r10, %r13; brev.b32 %r14, %r14;"
                                          "clz.b32 %r16, %r14;"
                                          "add.u32 %r16, %r16, %r13; setp.ge.u32 %p3, %r16, 32; selp.u32 %r16, %r15, %r16, %p3;"
                                          "shl.b32 %r17, %warp, 5; add.u32 %r16, %r16, %r17; mad.lo.u32 %r16, %r16, 4, %r20;",
                                          own_text("st.shared.u32 [%%r21], %%r0; bar.warp.sync 0x%08x;"
                                                   "ld.shared.u32 %%r9, [%%r16];", s->mask),
                                          own_text("st.shared.u32 [%%r21], %%r1; bar.warp.sync 0x%08x;"
                                                   "ld.shared.u32 %%r9, [%%r16];", ~s->mask)))) {
            uint32_t set = side(s, own.lane);
            unsigned l = own.lane;

            do
                l = (l + 1) % 32;
            while (!(set >> l & 1));
            OUT(0) = operand(s, own.in, own.i - own.lane + l, 32);
        }
        ENTRY(.name = own_text("elect_%s", s->name),
              .body = both_sides(s, "", own_text("elect.sync %%r8|%%p2, 0x%08x; selp.u32 %%r9, 0x100, 0, %%p2;"
                                                 "or.b32 %%r9, %%r9, %%r8;", s->mask),
                                 own_text("elect.sync %%r8|%%p2, 0x%08x; selp.u32 %%r9, 0x100, 0, %%p2;"
                                          "or.b32 %%r9, %%r9, %%r8;", ~s->mask))) {
            unsigned first = (unsigned)__builtin_ctz(side(s, own.lane));

            OUT(0) = first | (own.lane == first ? 0x100 : 0);
        }
        ENTRY(.name = own_text("activemask_%s", s->name), .body = both_sides(s, "", "activemask.b32 %r9;", "activemask.b32 %r9;"))
            OUT(0) = side(s, own.lane);
    }
    ENTRY(.name = "redux_among_equals", /* every set of equal values reduces for itself, all at one instruction */
          .body = "and.b32 %r0, %w0, 3; match.any.sync.b32 %r1, %r0, -1; redux.sync.add.u32 %r2, %w1, %r1;" OUT32("%r2")) {
        uint32_t x = 0;

        for (unsigned j = own.i - own.lane; j < own.i - own.lane + 32; j++)
            if ((W_OF(j, 0) & 3) == (W_OF(own.i, 0) & 3))
                x += W_OF(j, 1);
        OUT(0) = x;
    }
    ENTRY(.name = "shfl_among_equals", /* from the first of them */
          .body = "and.b32 %r0, %w0, 3; match.any.sync.b32 %r1, %r0, -1; brev.b32 %r2, %r1; clz.b32 %r2, %r2;"
                  "shfl.sync.idx.b32 %r3, %w1, %r2, 0x1f, %r1;" OUT32("%r3")) {
        unsigned j = own.i - own.lane;

        while ((W_OF(j, 0) & 3) != (W_OF(own.i, 0) & 3))
            j++;
        OUT(0) = W_OF(j, 1);
    }
    ENTRY(.name = "shfl_from_loop_of_survivors", /* the lanes left in a loop shuffle among themselves */
          .body = "and.b32 %r0, %w0, 15; mov.u32 %r1, 0; mov.u32 %r5, 0; L: setp.gt.u32 %p0, %r1, %r0;"
                  "vote.sync.ballot.b32 %r2, %p0, -1; @%p0 bra N;"
                  "not.b32 %r2, %r2; redux.sync.add.u32 %r3, %w1, %r2; mad.lo.u32 %r5, %r5, 3, %r3; N: bar.warp.sync -1;"
                  "add.u32 %r1, %r1, 1;"
                  "setp.lt.u32 %p1, %r1, 16; @%p1 bra L;" OUT32("%r5")) {
        uint32_t x = 0;

        for (uint32_t k = 0; k <= (W_OF(own.i, 0) & 15); k++) {
            uint32_t sum = 0;

            for (unsigned j = own.i - own.lane; j < own.i - own.lane + 32; j++)
                sum += (W_OF(j, 0) & 15) >= k ? W_OF(j, 1) : 0;
            x = x * 3 + sum;
        }
        OUT(0) = x;
    }
    ENTRY(.name = "ballot_met_from_two_places", /* the full mask, from both sides of a branch */
          .body = "setp.lt.s32 %p0, %w0, 0; setp.lt.u32 %p1, %lane, 11; @%p1 bra A; vote.sync.ballot.b32 %r0, %p0, -1;"
                  "add.u32 %r0, %r0, 1; bra E;"
                  "A: vote.sync.ballot.b32 %r0, %p0, -1; E:" OUT32("%r0")) {
        uint32_t x = 0;

        for (unsigned l = 0; l < 32; l++)
            x |= (W_OF(own.i - own.lane + l, 0) >> 31) << l;
        OUT(0) = own.lane < 11 ? x : (uint32_t)(x + 1);
    }
}

void gen_masks(void)
{
    own_family("masks", "");
    for (const struct split *s = splits; s < splits + 5; s++) {
        votes(s);
    }
    reductions(&splits[0]);
    reductions(&splits[4]);
    shuffles();
    others();
}
