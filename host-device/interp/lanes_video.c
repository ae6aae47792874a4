/* SPDX-License-Identifier: Apache-2.0 */
/* Video instructions, scalar (PTX ISA 9.7.17) and SIMD (9.7.18), and the dot products dp4a and dp2a.
 *
 * A video instruction has four steps: select and extend parts of its sources, combine them, saturate, and then merge with or
 * accumulate into c. Each step is a loop over lanes on 64-bit values, in which no step overflows; so every combination of
 * suffixes is one pass through the same four functions. */
#include "interp/lanes_util.h"

typedef int64_t vector[LANES_PER_WARP] __attribute__((aligned(64)));

/* Step 2. The comparisons give 1 or 0. */
typedef void combine_fn(int64_t *restrict t, const int64_t *restrict a, const int64_t *restrict b);
#define COMBINES(X) \
    X(add, a[l] + b[l]) X(sub, a[l] - b[l]) X(absdiff, a[l] < b[l] ? b[l] - a[l] : a[l] - b[l]) \
    X(min, a[l] < b[l] ? a[l] : b[l]) X(max, a[l] > b[l] ? a[l] : b[l]) \
    X(avrg, (a[l] + b[l] + (a[l] + b[l] >= 0)) >> 1) \
    X(shl_clamp, a[l] * ((int64_t)1 << (b[l] < 32 ? b[l] : 32))) X(shr_clamp, a[l] >> (b[l] < 32 ? b[l] : 32)) \
    X(shl_wrap, a[l] * ((int64_t)1 << (b[l] & 31))) X(shr_wrap, a[l] >> (b[l] & 31)) \
    X(eq, a[l] == b[l]) X(ne, a[l] != b[l]) X(lt, a[l] < b[l]) X(le, a[l] <= b[l]) X(gt, a[l] > b[l]) X(ge, a[l] >= b[l])
#define X(name, EXPR) \
    static void combine_##name(int64_t *restrict t, const int64_t *restrict a, const int64_t *restrict b) \
    { \
        FOR_LANES(l) t[l] = (EXPR); \
    }
COMBINES(X)
#undef X

/* 'parts': 1 for scalar instructions, 2 or 4 for SIMD. */
#define VIDEO_OPS(X) \
    X(vadd, 1, add) X(vsub, 1, sub) X(vabsdiff, 1, absdiff) X(vmin, 1, min) X(vmax, 1, max) \
    X(vadd2, 2, add) X(vsub2, 2, sub) X(vabsdiff2, 2, absdiff) X(vmin2, 2, min) X(vmax2, 2, max) X(vavrg2, 2, avrg) \
    X(vadd4, 4, add) X(vsub4, 4, sub) X(vabsdiff4, 4, absdiff) X(vmin4, 4, min) X(vmax4, 4, max) X(vavrg4, 4, avrg)
static combine_fn *const combine_of_op[PTX_OP_COUNT] = {
#define X(op, parts, name) [PTX_OP_##op] = combine_##name,
    VIDEO_OPS(X)
#undef X
};
static combine_fn *const combine_of_cmp[PTX_cmp_count] = {
#define X(name) [PTX_cmp_##name] = combine_##name,
    X(eq) X(ne) X(lt) X(le) X(gt) X(ge)
#undef X
};

static combine_fn *combine_of(const struct ptx_insn *insn)
{
    if (insn->op == PTX_OP_vshl)
        return insn->clampmode == PTX_mode_wrap ? combine_shl_wrap : combine_shl_clamp;
    if (insn->op == PTX_OP_vshr)
        return insn->clampmode == PTX_mode_wrap ? combine_shr_wrap : combine_shr_clamp;
    return insn->cmp ? combine_of_cmp[insn->cmp] : combine_of_op[insn->op];
}

/* The part of a 32-bit register that a selector names: its place and width in bits. */
struct part {
    unsigned shift, bits;
};

static struct part part_of(unsigned sub)
{
    if (sub >= 1 && sub <= 4)
        return (struct part){ 8 * (sub - 1), 8 };
    if (sub == 5 || sub == 6)
        return (struct part){ 16 * (sub - 5), 16 };
    return (struct part){ 0, 32 };
}

static bool is_signed(unsigned type)
{
    return type == PTX_TYPE_s32;
}

/* Step 1: a part of a register, sign- or zero-extended. */
static void extract(int64_t *restrict t, const uint32_t *restrict v, struct part p, bool with_sign)
{
    const unsigned up = 32 - p.shift - p.bits, down = 32 - p.bits;

    if (with_sign)
        FOR_LANES(l) t[l] = (int32_t)(v[l] << up) >> down;
    else
        FOR_LANES(l) t[l] = v[l] << up >> down;
}

static int64_t type_min(bool with_sign, unsigned bits)
{
    return with_sign ? -((int64_t)1 << (bits - 1)) : 0;
}

static int64_t type_max(bool with_sign, unsigned bits)
{
    return ((int64_t)1 << (with_sign ? bits - 1 : bits)) - 1;
}

/* Step 3. */
static void saturate(int64_t *t, bool with_sign, unsigned bits)
{
    const int64_t lo = type_min(with_sign, bits), hi = type_max(with_sign, bits);

    FOR_LANES(l) t[l] = t[l] < lo ? lo : t[l] > hi ? hi : t[l];
}

/* Bits of part p of t, everything else of c. */
static inline uint32_t merge(uint32_t c, int64_t t, struct part p)
{
    uint32_t mask = (p.bits < 32 ? (1u << p.bits) - 1 : ~0u) << p.shift;

    return (c & ~mask) | ((uint32_t)t << p.shift & mask);
}

/* The types of destination and sources: vset has no destination type, its results are unsigned. */
struct video_types {
    bool d, a, b;
};

static struct video_types types_of(const struct ptx_insn *insn)
{
    const uint8_t *t = insn->types;

    if (insn->cmp)
        return (struct video_types){ false, is_signed(t[0]), is_signed(t[1]) };
    return (struct video_types){ is_signed(t[0]), is_signed(t[1]), is_signed(t[2]) };
}

/* Step 4 of a scalar instruction: insn->ops[0].sub merges a part into c, .add .min .max join the whole with c. */
static void finish_scalar(const struct lane_args *args, const int64_t *t, bool with_sign)
{
    const struct ptx_insn *insn = args->insn;
    const struct part p = part_of(insn->ops[0].sub);
    const uint32_t *c = args->s[2];
    uint32_t *d = args->d[0];
    vector x, y, joined;

    if (insn->flags & PTX_FLAG_ACCUM) {
        LANE_STORE(args->mask, d, (uint32_t)t[l] + c[l]);
    } else if (insn->atom) {
        FOR_LANES(l) x[l] = with_sign ? (int64_t)(int32_t)t[l] : (int64_t)(uint32_t)t[l];
        extract(y, c, part_of(0), with_sign);
        (insn->atom == PTX_atom_min ? combine_min : combine_max)(joined, x, y);
        LANE_STORE(args->mask, d, (uint32_t)joined[l]);
    } else if (p.bits < 32) {
        LANE_STORE(args->mask, d, merge(c[l], t[l], p));
    } else {
        LANE_STORE(args->mask, d, (uint32_t)t[l]);
    }
}

static void video_scalar(const struct lane_args *args)
{
    const struct ptx_insn *insn = args->insn;
    const struct video_types types = types_of(insn);
    vector a, b, t;

    extract(a, args->s[0], part_of(insn->ops[1].sub), types.a);
    extract(b, args->s[1], part_of(insn->ops[2].sub), types.b);
    combine_of(insn)(t, a, b);
    if (insn->flags & PTX_FLAG_SAT)
        saturate(t, types.d, part_of(insn->ops[0].sub).bits);
    finish_scalar(args, t, types.d);
}

/* vmad: (a * b + c) >> scale. The product is negated if one of a and b is; .po adds one. It is signed if a factor is
 * or it is negated, c then too; the result also if c is negated (9.7.17). 65 bits suffice for the sum: a * b of two u32 and
 * c fit 64 unsigned bits, everything signed fits 64 signed ones, so one 128-bit type serves both. */
static void video_mad(const struct lane_args *args)
{
    const struct ptx_insn *insn = args->insn;
    const struct video_types types = types_of(insn);
    const uint32_t *c = args->s[2];
    const bool negate = insn->ops[1].negated != insn->ops[2].negated, negate_c = insn->ops[3].negated;
    const bool middle_signed = types.a || types.b || negate, final_signed = middle_signed || negate_c;
    const unsigned scale = insn->submode == PTX_mode_shr7 ? 7 : insn->submode == PTX_mode_shr15 ? 15 : 0;
    const __int128 lo = type_min(final_signed, 32), hi = type_max(final_signed, 32);
    uint32_t *d = args->d[0];
    vector a, b;

    extract(a, args->s[0], part_of(insn->ops[1].sub), types.a);
    extract(b, args->s[1], part_of(insn->ops[2].sub), types.b);
    for (unsigned l = 0; l < LANES_PER_WARP; l++) {
        __int128 product = (__int128)a[l] * b[l], addend = middle_signed ? (__int128)(int32_t)c[l] : (__int128)c[l];
        __int128 t = (negate ? -product : product) + (negate_c ? -addend : addend) + !!(insn->flags & PTX_FLAG_PO);

        t >>= scale;
        if (insn->flags & PTX_FLAG_SAT)
            t = t < lo ? lo : t > hi ? hi : t;
        if (args->mask & lane_bit[l])
            d[l] = (uint32_t)t;
    }
}

/* SIMD. Selector digit i names the part of b:a for element i; the mask's digits are the elements that are computed. */
static unsigned selector_digits(const struct ptx_operand *op, unsigned otherwise)
{
    return op->sub >= 7 ? (unsigned)op->imm : otherwise;
}

static unsigned element_mask(const struct ptx_operand *op, unsigned parts)
{
    unsigned mask = 0;

    if (op->sub == 0)
        return (1u << parts) - 1;
    if (op->sub < 7)
        return op->sub <= 4 ? 1u << (op->sub - 1) : 1u << (op->sub - 5);
    for (unsigned i = 0; i < op->n; i++)
        mask |= 1u << (op->imm >> (4 * i) & 3);
    return mask;
}

static void extract_element(int64_t *t, const struct lane_args *args, unsigned digit, unsigned parts, bool with_sign)
{
    const unsigned bits = 32 / parts;

    extract(t, args->s[digit / parts & 1], (struct part){ bits * (digit % parts), bits }, with_sign);
}

static void video_simd(const struct lane_args *args, unsigned parts)
{
    const struct ptx_insn *insn = args->insn;
    const struct video_types types = types_of(insn);
    const unsigned bits = 32 / parts;
    const unsigned asel = selector_digits(&insn->ops[1], parts == 2 ? 0x10 : 0x3210);
    const unsigned bsel = selector_digits(&insn->ops[2], parts == 2 ? 0x32 : 0x7654);
    const unsigned elements = element_mask(&insn->ops[0], parts);
    const bool accumulate = insn->flags & PTX_FLAG_ACCUM;
    uint32_t result[LANES_PER_WARP] __attribute__((aligned(64)));
    uint32_t *d = args->d[0];
    vector a, b, t;

    memcpy(result, args->s[2], sizeof result);
    for (unsigned i = 0; i < parts; i++) {
        const struct part p = { bits * i, bits };

        if (!(elements >> i & 1))
            continue;
        extract_element(a, args, asel >> (4 * i) & 15, parts, types.a);
        extract_element(b, args, bsel >> (4 * i) & 15, parts, types.b);
        combine_of(insn)(t, a, b);
        if (insn->flags & PTX_FLAG_SAT)
            saturate(t, types.d, bits);
        if (accumulate)
            FOR_LANES(l) result[l] += (uint32_t)t[l];
        else
            FOR_LANES(l) result[l] = merge(result[l], t[l], p);
    }
    LANE_STORE(args->mask, d, result[l]);
}

static void video_simd2(const struct lane_args *args)
{
    video_simd(args, 2);
}

static void video_simd4(const struct lane_args *args)
{
    video_simd(args, 4);
}

/* dp4a, dp2a: byte i of a register as the type says; dp2a takes halves of a and the lower or upper two bytes of b. */
#define BYTE_u32(v, i) ((uint32_t)(uint8_t)((v) >> (8 * (i))))
#define BYTE_s32(v, i) ((uint32_t)(int8_t)((v) >> (8 * (i))))
#define HALF_u32(v, i) ((uint32_t)(uint16_t)((v) >> (16 * (i))))
#define HALF_s32(v, i) ((uint32_t)(int16_t)((v) >> (16 * (i))))
#define TYPE_PAIRS(X) X(u32, u32) X(u32, s32) X(s32, u32) X(s32, s32)
#define DP2A(ta, tb, i) (HALF_##ta(a, 0) * BYTE_##tb(b, i) + HALF_##ta(a, 1) * BYTE_##tb(b, i + 1))
#define X(ta, tb) \
    LANE_OP3(dp4a_##ta##_##tb, uint32_t, uint32_t, uint32_t, uint32_t, \
             c + BYTE_##ta(a, 0) * BYTE_##tb(b, 0) + BYTE_##ta(a, 1) * BYTE_##tb(b, 1) + \
                 BYTE_##ta(a, 2) * BYTE_##tb(b, 2) + BYTE_##ta(a, 3) * BYTE_##tb(b, 3)) \
    LANE_OP3(dp2a_lo_##ta##_##tb, uint32_t, uint32_t, uint32_t, uint32_t, c + DP2A(ta, tb, 0)) \
    LANE_OP3(dp2a_hi_##ta##_##tb, uint32_t, uint32_t, uint32_t, uint32_t, c + DP2A(ta, tb, 2))
TYPE_PAIRS(X)
#undef X

static const struct lane_row rows[] = {
#define X(ta, tb) \
    { PTX_OP_dp4a, PTX_TYPE_##ta, PTX_TYPE_##tb, 0, 0, dp4a_##ta##_##tb }, \
    { PTX_OP_dp2a, PTX_TYPE_##ta, PTX_TYPE_##tb, PTX_mul_lo, 0, dp2a_lo_##ta##_##tb }, \
    { PTX_OP_dp2a, PTX_TYPE_##ta, PTX_TYPE_##tb, PTX_mul_hi, 0, dp2a_hi_##ta##_##tb },
    TYPE_PAIRS(X)
#undef X
};

/* What a video opcode admits: the operation, how many types and which flags it has. */
static const struct video_rule {
    uint16_t op;
    uint8_t ntypes;
    uint32_t flags;
    lane_op *run;
} rules[] = {
#define RUN_1 video_scalar
#define RUN_2 video_simd2
#define RUN_4 video_simd4
#define X(op, parts, name) { PTX_OP_##op, 3, PTX_FLAG_SAT | PTX_FLAG_ACCUM, RUN_##parts },
    VIDEO_OPS(X)
#undef X
    { PTX_OP_vshl, 3, PTX_FLAG_SAT | PTX_FLAG_ACCUM, video_scalar },
    { PTX_OP_vshr, 3, PTX_FLAG_SAT | PTX_FLAG_ACCUM, video_scalar },
    { PTX_OP_vmad, 3, PTX_FLAG_SAT | PTX_FLAG_PO, video_mad },
    { PTX_OP_vset, 2, PTX_FLAG_ACCUM, video_scalar },
    { PTX_OP_vset2, 2, PTX_FLAG_ACCUM, video_simd2 },
    { PTX_OP_vset4, 2, PTX_FLAG_ACCUM, video_simd4 },
};

lane_op *LANES(lanes_select_video)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct video_rule *rule = &rules[i];

        if (rule->op != insn->op)
            continue;
        if (insn->ntypes != rule->ntypes || (insn->flags & ~rule->flags))
            return NULL;
        for (unsigned t = 0; t < rule->ntypes; t++)
            if (insn->types[t] != PTX_TYPE_u32 && insn->types[t] != PTX_TYPE_s32)
                return NULL;
        if (rule->ntypes == 2 && (insn->cmp >= PTX_cmp_count || !combine_of_cmp[insn->cmp]))
            return NULL;
        return rule->run;
    }
    return LANE_FIND(rows, insn, insn->mul);
}
