/* SPDX-License-Identifier: Apache-2.0 */
/* Warp-wide lane operations against the ISA's definitions, lane by lane, with full and partial warps. */
#include "lane_check.h"

LANE_SELECTOR(warp);

struct state {
    struct lane_registers d, p, s[4];
    struct lane_registers want, want_p;
    uint32_t mask;
};
static struct state st;

/* What the operation does to st.want and st.want_p. */
typedef void warp_reference(const struct ptx_insn *insn);

static bool in_mask(unsigned l)
{
    return st.mask >> l & 1;
}

static void expect(unsigned l, uint32_t value)
{
    if (in_mask(l))
        st.want.u32[l] = value;
}

static void expect_pred(struct lane_registers *p, unsigned l, bool value)
{
    if (in_mask(l))
        lane_put(p, 1, l, value);
}

static void shfl(const struct ptx_insn *insn)
{
    for (int lane = 0; lane < 32; lane++) {
        const int b = st.s[1].u32[lane] & 31, clamp = st.s[2].u32[lane] & 31, segment = st.s[2].u32[lane] >> 8 & 31;
        const int last = (lane & segment) | (clamp & ~segment & 31), first = lane & segment;
        int j = lane;
        bool inside = false;

        switch (insn->mode) {
        case PTX_mode_up: j = lane - b; inside = j >= last; break;
        case PTX_mode_down: j = lane + b; inside = j <= last; break;
        case PTX_mode_bfly: j = lane ^ b; inside = j <= last; break;
        default: j = first | (b & ~segment); inside = j <= last;
        }
        if (!inside)
            j = lane;
        expect((unsigned)lane, in_mask((unsigned)j) ? st.s[0].u32[j] : 0);
        expect_pred(&st.want_p, (unsigned)lane, inside);
    }
}

static void vote(const struct ptx_insn *insn)
{
    unsigned yes = 0, no = 0;

    for (unsigned l = 0; l < 32; l++)
        if (in_mask(l)) {
            yes += st.s[0].u32[0] >> l & 1;
            no += !(st.s[0].u32[0] >> l & 1);
        }
    for (unsigned l = 0; l < 32; l++) {
        if (insn->mode == PTX_mode_ballot)
            expect(l, st.s[0].u32[0] & st.mask);
        else
            expect_pred(&st.want, l, insn->mode == PTX_mode_all ? !no : insn->mode == PTX_mode_any ? yes > 0 : !yes || !no);
    }
}

static void match(const struct ptx_insn *insn)
{
    const unsigned bits = insn->types[0] == PTX_TYPE_b64 ? 64 : 32;
    bool all = true;

    for (unsigned l = 0; l < 32; l++) {
        uint32_t same = 0;
        for (unsigned i = 0; i < 32; i++)
            if (in_mask(i) && lane_get(&st.s[0], bits, i) == lane_get(&st.s[0], bits, l))
                same |= 1u << i;
        all = all && (!in_mask(l) || same == st.mask);
        if (insn->mode == PTX_mode_any)
            expect(l, same);
    }
    for (unsigned l = 0; l < 32 && insn->mode == PTX_mode_all; l++) {
        expect(l, all ? st.mask : 0);
        expect_pred(&st.want_p, l, all);
    }
}

static uint32_t combine(const struct ptx_insn *insn, uint32_t a, uint32_t b)
{
    const bool less = insn->types[0] == PTX_TYPE_s32 ? (int32_t)a < (int32_t)b : a < b;

    switch (insn->atom) {
    case PTX_atom_add: return a + b;
    case PTX_atom_min: return less ? a : b;
    case PTX_atom_max: return less ? b : a;
    case PTX_atom_and: return a & b;
    case PTX_atom_or: return a | b;
    default: return a ^ b;
    }
}

static float combine_f32(const struct ptx_insn *insn, float a, float b)
{
    if (insn->flags & PTX_FLAG_ABS) {
        a = __builtin_fabsf(a);
        b = __builtin_fabsf(b);
    }
    if (a != a || b != b)
        return insn->flags & PTX_FLAG_NAN ? __builtin_nanf("") : a != a ? b : a;
    if (a == b)
        return (insn->atom == PTX_atom_min) == (__builtin_signbit(a) != 0) ? a : b;
    return (a < b) == (insn->atom == PTX_atom_min) ? a : b;
}

static void redux(const struct ptx_insn *insn)
{
    uint32_t r = 0;
    bool first = true;

    for (unsigned l = 0; l < 32; l++) {
        uint32_t v = st.s[0].u32[l];
        float x, y;
        if (!in_mask(l))
            continue;
        if (insn->types[0] == PTX_TYPE_f32) {
            memcpy(&x, first ? &v : &r, 4);
            memcpy(&y, &v, 4);
            x = combine_f32(insn, x, y);
            memcpy(&v, &x, 4);
            r = x != x ? 0x7fffffff : v;
        } else {
            r = first ? v : combine(insn, r, v);
        }
        first = false;
    }
    for (unsigned l = 0; l < 32; l++)
        expect(l, r);
}

static void elect(const struct ptx_insn *insn)
{
    for (unsigned l = 0; l < 32; l++) {
        expect(l, (uint32_t)__builtin_ctz(st.mask));
        expect_pred(&st.want_p, l, l == (unsigned)__builtin_ctz(st.mask));
    }
}

static void activemask(const struct ptx_insn *insn)
{
    for (unsigned l = 0; l < 32; l++)
        expect(l, st.mask);
}

/* Sources: 'a' that often repeats, 'b' and 'c' of any value; the predicate of vote is s[0] of one bit. */
static void fill(unsigned round, unsigned bits)
{
    for (int i = 0; i < 4; i++)
        for (unsigned l = 0; l < 32; l++)
            lane_put(&st.s[i], bits == 64 && !i ? 64 : 32, l,
                     round % 3 == 0 ? lane_value(32) : i ? lane_random() : round % 3 == 1 ? lane_random() % 3 : 7);
    if (round % 5 == 0)
        for (unsigned l = 0; l < 32; l++) { /* as compilers write them */
            st.s[1].u32[l] = st.s[1].u32[0];
            st.s[2].u32[l] = round % 2 ? 0x1f : 0x181f;
        }
    st.s[0].u32[0] = bits != 1 ? st.s[0].u32[0] : round % 4 == 0 ? ~0u : round % 4 == 1 ? 0 : (uint32_t)lane_random();
    st.mask = round % 2 ? ~0u : (uint32_t)lane_random() | 1u << (round & 31);
    for (unsigned l = 0; l < 32; l++)
        st.d.u32[l] = (uint32_t)lane_random();
    st.p.u32[0] = (uint32_t)lane_random();
}

/* 'bits' of source a; d is a predicate when the type is. */
static void run(const char *name, const struct ptx_insn *insn, unsigned bits, warp_reference *reference)
{
    const struct lane_widths w = {0};
    const unsigned d_words = insn->types[0] == PTX_TYPE_pred ? 1 : 32;

    for (unsigned copy = 0; copy < 3; copy++) {
        lane_op *op = lane_cpu_runs(copy) ? warp_set.copy[copy](insn, &w) : NULL;
        if (!lane_cpu_runs(copy))
            continue;
        if (!op) {
            ok(0, "%s: copy %u has it", name, copy);
            return;
        }
        for (unsigned round = 0; round < 600; round++) {
            struct lane_args a = {.present = ~0u, .insn = insn};
            const bool alias = round % 7 == 3 && bits == 32, without_p = round % 7 == 5;
            struct lane_registers *d = alias ? &st.s[0] : &st.d;

            fill(round, bits);
            a.mask = st.mask;
            for (int i = 0; i < 4; i++)
                a.s[i] = &st.s[i];
            a.d[0] = d;
            a.d[1] = without_p ? NULL : &st.p;
            st.want = *d;
            st.want_p = st.p;
            reference(insn);
            op(&a);
            if (memcmp(d->u32, st.want.u32, d_words * 4) || (!without_p && st.p.u32[0] != st.want_p.u32[0])) {
                diag("mask %#x, d[0] %#x want %#x, p %#x want %#x", st.mask, d->u32[0], st.want.u32[0], st.p.u32[0],
                     st.want_p.u32[0]);
                ok(0, "%s, copy %u, round %u", name, copy, round);
                return;
            }
        }
    }
    ok(1, "%s", name);
}

int main(void)
{
#define INSN(OP, TYPE, ...) &(const struct ptx_insn){.op = PTX_OP_##OP, .types = {PTX_TYPE_##TYPE}, .ntypes = 1, __VA_ARGS__}
#define SHFL(m) run("shfl." #m, INSN(shfl, b32, .mode = PTX_mode_##m), 32, shfl); \
    run("shfl.sync." #m, INSN(shfl, b32, .mode = PTX_mode_##m, .flags = PTX_FLAG_SYNC), 32, shfl)
    SHFL(up);
    SHFL(down);
    SHFL(bfly);
    SHFL(idx);
#define VOTE(m, type) run("vote." #m, INSN(vote, type, .mode = PTX_mode_##m, .flags = PTX_FLAG_SYNC), 1, vote)
    VOTE(all, pred);
    VOTE(any, pred);
    VOTE(uni, pred);
    VOTE(ballot, b32);
#define MATCH(m, bits) run("match." #m ".b" #bits, INSN(match, b##bits, .mode = PTX_mode_##m, .flags = PTX_FLAG_SYNC), bits, match)
    MATCH(any, 32);
    MATCH(all, 32);
    MATCH(any, 64);
    MATCH(all, 64);
#define REDUX(operation, type, ...) \
    run("redux." #operation "." #type, INSN(redux, type, .atom = PTX_atom_##operation, ##__VA_ARGS__), 32, redux)
    REDUX(add, u32);
    REDUX(add, s32);
    REDUX(min, u32);
    REDUX(min, s32);
    REDUX(max, u32);
    REDUX(max, s32);
    REDUX(and, b32);
    REDUX(or, b32);
    REDUX(xor, b32);
    REDUX(min, f32, .flags = PTX_FLAG_SYNC);
    REDUX(max, f32, .flags = PTX_FLAG_SYNC | PTX_FLAG_NAN);
    REDUX(min, f32, .flags = PTX_FLAG_SYNC | PTX_FLAG_ABS);
    REDUX(max, f32, .flags = PTX_FLAG_SYNC | PTX_FLAG_ABS | PTX_FLAG_NAN);
    run("activemask", INSN(activemask, b32, .nops = 1), 32, activemask);
    run("elect", INSN(elect, NONE, .flags = PTX_FLAG_SYNC), 32, elect);
    return tap_done();
}
