/* SPDX-License-Identifier: Apache-2.0 */
/* Video instructions in random combinations of types, selectors, masks, saturation and secondary operations, and dot
 * products, against one lane's arithmetic in 128 bits. */
#include "lane_check.h"

LANE_SELECTOR(video);

typedef __int128 wide;

static bool is_signed(unsigned type)
{
    return type == PTX_TYPE_s32;
}

static wide part(uint64_t v, unsigned at, unsigned bits, bool with_sign)
{
    v = v >> at & (((uint64_t)1 << bits) - 1);
    return with_sign && v >> (bits - 1) ? (wide)v - ((wide)1 << bits) : (wide)v;
}

/* .b0 ... .b3, .h0, .h1 as ptx_operand.sub has them. */
static unsigned sub_at(unsigned sub)
{
    static const uint8_t at[7] = { 0, 0, 8, 16, 24, 0, 16 };

    return at[sub];
}

static unsigned sub_bits(unsigned sub)
{
    return sub == 0 ? 32 : sub < 5 ? 8 : 16;
}

static wide saturated(wide v, unsigned bits, bool with_sign)
{
    const wide hi = ((wide)1 << (bits - with_sign)) - 1, lo = with_sign ? -hi - 1 : 0;

    return v < lo ? lo : v > hi ? hi : v;
}

static wide combined(const struct ptx_insn *insn, wide a, wide b)
{
    const unsigned n = insn->clampmode == PTX_mode_wrap ? (unsigned)b % 32 : b > 32 ? 32 : (unsigned)b;

    switch (insn->op) {
    case PTX_OP_vadd: case PTX_OP_vadd2: case PTX_OP_vadd4: return a + b;
    case PTX_OP_vsub: case PTX_OP_vsub2: case PTX_OP_vsub4: return a - b;
    case PTX_OP_vabsdiff: case PTX_OP_vabsdiff2: case PTX_OP_vabsdiff4: return a < b ? b - a : a - b;
    case PTX_OP_vmin: case PTX_OP_vmin2: case PTX_OP_vmin4: return a < b ? a : b;
    case PTX_OP_vmax: case PTX_OP_vmax2: case PTX_OP_vmax4: return a > b ? a : b;
    case PTX_OP_vavrg2: case PTX_OP_vavrg4: return (a + b + (a + b >= 0)) >> 1;
    case PTX_OP_vshl: return a * ((wide)1 << n);
    case PTX_OP_vshr: return a >> n;
    }
    switch (insn->cmp) {
    case PTX_cmp_eq: return a == b;
    case PTX_cmp_ne: return a != b;
    case PTX_cmp_lt: return a < b;
    case PTX_cmp_le: return a <= b;
    case PTX_cmp_gt: return a > b;
    default: return a >= b;
    }
}

static uint64_t merged(uint64_t c, wide t, unsigned at, unsigned bits)
{
    const uint64_t mask = (((uint64_t)1 << bits) - 1) << at;

    return (c & ~mask) | ((uint64_t)t << at & mask);
}

static void scalar(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const uint8_t *types = insn->types + (insn->cmp ? 0 : 1);
    const bool result_signed = !insn->cmp && is_signed(insn->types[0]);
    const unsigned dsel = insn->ops[0].sub, asel = insn->ops[1].sub, bsel = insn->ops[2].sub;
    wide t = combined(insn, part(s[0], sub_at(asel), sub_bits(asel), is_signed(types[0])),
                      part(s[1], sub_at(bsel), sub_bits(bsel), is_signed(types[1])));

    if (insn->flags & PTX_FLAG_SAT)
        t = saturated(t, sub_bits(dsel), result_signed);
    if (insn->flags & PTX_FLAG_ACCUM) {
        d[0] = (uint64_t)t + s[2];
    } else if (insn->atom) {
        const wide c = part(s[2], 0, 32, result_signed), r = part((uint64_t)t, 0, 32, result_signed);
        d[0] = (uint64_t)(insn->atom == PTX_atom_min ? (r < c ? r : c) : r > c ? r : c);
    } else {
        d[0] = merged(s[2], t, sub_at(dsel), sub_bits(dsel));
    }
}

static void mad(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const unsigned asel = insn->ops[1].sub, bsel = insn->ops[2].sub;
    const bool negate = insn->ops[1].negated != insn->ops[2].negated;
    const bool middle = is_signed(insn->types[1]) || is_signed(insn->types[2]) || negate;
    wide p = part(s[0], sub_at(asel), sub_bits(asel), is_signed(insn->types[1])) *
             part(s[1], sub_at(bsel), sub_bits(bsel), is_signed(insn->types[2]));
    wide c = part(s[2], 0, 32, middle), t = negate ? -p : p;

    t += insn->ops[3].negated ? -c : c;
    t += insn->flags & PTX_FLAG_PO ? 1 : 0;
    t >>= insn->submode == PTX_mode_shr7 ? 7 : insn->submode == PTX_mode_shr15 ? 15 : 0;
    if (insn->flags & PTX_FLAG_SAT)
        t = saturated(t, 32, middle || insn->ops[3].negated);
    d[0] = (uint64_t)t;
}

static unsigned parts;

static void simd(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const uint8_t *types = insn->types + (insn->cmp ? 0 : 1);
    const unsigned bits = 32 / parts;
    const uint64_t both = s[0] | s[1] << 32;
    uint64_t r = s[2];

    for (unsigned i = 0; i < parts; i++) {
        unsigned at[2];
        bool computed = insn->ops[0].sub == 0;
        wide t;

        for (unsigned k = 0; k < insn->ops[0].n; k++)
            computed |= (insn->ops[0].imm >> (4 * k) & 15) == i;
        if (insn->ops[0].sub && insn->ops[0].sub < 7)
            computed = i == (insn->ops[0].sub - 1u) % 4;
        for (unsigned k = 0; k < 2; k++)
            at[k] = bits * (insn->ops[1 + k].sub ? (unsigned)(insn->ops[1 + k].imm >> (4 * i)) & 15 : i + k * parts);
        t = combined(insn, part(both, at[0], bits, is_signed(types[0])), part(both, at[1], bits, is_signed(types[1])));
        if (insn->flags & PTX_FLAG_SAT)
            t = saturated(t, bits, !insn->cmp && is_signed(insn->types[0]));
        if (computed)
            r = insn->flags & PTX_FLAG_ACCUM ? r + (uint64_t)t : merged(r, t, bits * i, bits);
    }
    d[0] = r;
}

static void dot(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const bool sa = is_signed(insn->types[0]), sb = is_signed(insn->types[1]);
    const unsigned n = insn->op == PTX_OP_dp4a ? 4 : 2, first = insn->mul == PTX_mul_hi ? 2 : 0;
    wide t = (wide)s[2];

    for (unsigned i = 0; i < n; i++)
        t += part(s[0], 32 / n * i, 32 / n, sa) * part(s[1], 8 * (first + i), 8, sb);
    d[0] = (uint64_t)t;
}

static unsigned any(unsigned n)
{
    return (unsigned)(lane_random() >> 33) % n;
}

static uint8_t any_type(void)
{
    return any(2) ? PTX_TYPE_s32 : PTX_TYPE_u32;
}

static const uint8_t relations[] = { PTX_cmp_eq, PTX_cmp_ne, PTX_cmp_lt, PTX_cmp_le, PTX_cmp_gt, PTX_cmp_ge };

static struct ptx_insn instruction(unsigned op, bool comparison)
{
    struct ptx_insn insn = { .op = (uint16_t)op, .ntypes = comparison ? 2 : 3, .nops = 4 };

    for (unsigned i = 0; i < insn.ntypes; i++)
        insn.types[i] = any_type();
    if (comparison)
        insn.cmp = relations[any(6)];
    return insn;
}

static void check_scalar(unsigned op, const char *name)
{
    struct ptx_insn insn = instruction(op, op == PTX_OP_vset);
    bool shift = op == PTX_OP_vshl || op == PTX_OP_vshr;
    const char *signature = "4=444";

    insn.ops[1].sub = (uint8_t)any(7);
    insn.ops[2].sub = (uint8_t)any(7);
    if (shift) {
        insn.types[2] = PTX_TYPE_u32;
        insn.clampmode = any(2) ? PTX_mode_clamp : PTX_mode_wrap;
    }
    if (op != PTX_OP_vset && any(2))
        insn.flags |= PTX_FLAG_SAT;
    switch (any(4)) {
    case 0: insn.flags |= PTX_FLAG_ACCUM; break;
    case 1: insn.atom = any(2) ? PTX_atom_min : PTX_atom_max; break;
    case 2: insn.ops[0].sub = (uint8_t)(1 + any(6)); break;
    default: signature = "4=44"; insn.nops = 3;
    }
    lane_compare(&video_set, name, &insn, signature, scalar);
}

static void check_mad(void)
{
    struct ptx_insn insn = instruction(PTX_OP_vmad, false);

    insn.ops[1].sub = (uint8_t)any(7);
    insn.ops[2].sub = (uint8_t)any(7);
    if (any(3) == 0)
        insn.flags |= PTX_FLAG_PO;
    else
        insn.ops[1 + any(3)].negated = any(2);
    if (any(2))
        insn.flags |= PTX_FLAG_SAT;
    insn.submode = (uint8_t[]){ 0, PTX_mode_shr7, PTX_mode_shr15 }[any(3)];
    lane_compare(&video_set, "vmad", &insn, "4=444", mad);
}

static void check_simd(unsigned op, const char *name, unsigned n, bool comparison)
{
    struct ptx_insn insn = instruction(op, comparison);
    /* Masks with their digits, the single elements as .h0 .h1 or .b0 ... .b3. */
    static const struct { uint8_t sub, n; uint16_t imm; } masks2[] = { { 0, 0, 0 }, { 5, 0, 0 }, { 6, 0, 0 }, { 7, 2, 0x10 } };
    static const struct { uint8_t sub, n; uint16_t imm; } masks4[] = {
        { 0, 0, 0 }, { 1, 0, 0 }, { 4, 0, 0 }, { 8, 2, 0x20 }, { 8, 3, 0x321 }, { 8, 4, 0x3210 }, { 8, 2, 0x31 } };

    parts = n;
    if (n == 2) {
        unsigned m = any(4);
        insn.ops[0].sub = masks2[m].sub, insn.ops[0].n = masks2[m].n, insn.ops[0].imm = masks2[m].imm;
    } else {
        unsigned m = any(7);
        insn.ops[0].sub = masks4[m].sub, insn.ops[0].n = masks4[m].n, insn.ops[0].imm = masks4[m].imm;
    }
    for (unsigned k = 1; k <= 2; k++)
        if (any(2)) {
            insn.ops[k].sub = n == 2 ? 7 : 8;
            insn.ops[k].n = (uint8_t)n;
            for (unsigned i = 0; i < n; i++)
                insn.ops[k].imm |= (int64_t)any(2 * n) << (4 * i);
        }
    switch (any(3)) {
    case 0: insn.flags |= PTX_FLAG_ACCUM; break;
    case 1: insn.flags |= comparison ? 0 : PTX_FLAG_SAT; break;
    }
    lane_compare(&video_set, name, &insn, "4=444", simd);
}

int main(void)
{
    for (unsigned i = 0; i < 8; i++) {
#define X(op) check_scalar(PTX_OP_##op, #op);
        X(vadd) X(vsub) X(vabsdiff) X(vmin) X(vmax) X(vshl) X(vshr) X(vset)
#undef X
        check_mad();
#define X(op) check_simd(PTX_OP_##op##2, #op "2", 2, PTX_OP_##op##2 == PTX_OP_vset2); \
        check_simd(PTX_OP_##op##4, #op "4", 4, PTX_OP_##op##2 == PTX_OP_vset2);
        X(vadd) X(vsub) X(vabsdiff) X(vmin) X(vmax) X(vavrg) X(vset)
#undef X
    }
    for (unsigned i = 0; i < 4; i++) {
        struct ptx_insn insn = { .op = PTX_OP_dp4a, .ntypes = 2,
                                 .types = { i & 1 ? PTX_TYPE_s32 : PTX_TYPE_u32, i & 2 ? PTX_TYPE_s32 : PTX_TYPE_u32 } };

        lane_compare(&video_set, "dp4a", &insn, "4=444", dot);
        insn.op = PTX_OP_dp2a;
        insn.mul = PTX_mul_lo;
        lane_compare(&video_set, "dp2a.lo", &insn, "4=444", dot);
        insn.mul = PTX_mul_hi;
        lane_compare(&video_set, "dp2a.hi", &insn, "4=444", dot);
    }

    struct ptx_insn bad = { .op = PTX_OP_vadd, .ntypes = 3, .types = { PTX_TYPE_u32, PTX_TYPE_u32, PTX_TYPE_u64 } };
    ok(!lanes_select_video_base(&bad, &(struct lane_widths){ { 32 }, { 32, 32 } }), "vadd of u64 is refused");
    return tap_done();
}
