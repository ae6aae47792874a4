/* SPDX-License-Identifier: Apache-2.0 */
/* f16, f16x2, bf16 and bf16x2 arithmetic, as interp/lanes_half.c: through f32, in which sums and products of halves are good
 * enough to be rounded a second time; a fused multiply-add is rounded to odd there. A register of two halves is two elements
 * in a row. */
#include "jit/emit_half.h"

typedef LLVMValueRef V;

/* ---- Elements ---- */

static unsigned count_of(V v)
{
    return LLVMGetVectorSize(LLVMTypeOf(v));
}

static V splat(struct emit *e, V like, uint64_t v)
{
    return emit_fill(e, LLVMGetIntTypeWidth(LLVMGetElementType(LLVMTypeOf(like))), count_of(like), v);
}

static V as_floats(struct emit *e, V bits)
{
    return LLVMBuildBitCast(e->b, bits, emit_floats(e, count_of(bits)), "");
}

static V as_words(struct emit *e, V floats)
{
    return LLVMBuildBitCast(e->b, floats, emit_many(e, 32, count_of(floats)), "");
}

static V elements(struct emit *e, V v, unsigned bits)
{
    return v ? LLVMBuildBitCast(e->b, v, emit_many(e, 16, (e->wide ? VG_WARP : 1) * bits / 16), "") : NULL;
}

V half_elements(struct emit *e, const struct ptx_operand *o, unsigned bits)
{
    return elements(e, emit_source(e, o, bits), bits);
}

V half_raw_elements(struct emit *e, const struct ptx_operand *o, unsigned bits)
{
    return elements(e, emit_raw_halves(e, o, bits), bits);
}

void half_result(struct emit *e, const struct ptx_operand *o, V halves)
{
    unsigned bits = count_of(halves) / (e->wide ? VG_WARP : 1) * 16;

    emit_result(e, o, LLVMBuildBitCast(e->b, halves, emit_type(e, bits), ""));
}

V half_widen(struct emit *e, V halves, bool bf16)
{
    unsigned n = count_of(halves);
    LLVMTypeRef type = emit_floats(e, n);
    V words;

    if (!bf16) { /* LLVM would move a test of the result to the half, and do it lane by lane: it is to know of no half */
        words = LLVMBuildBitCast(e->b, halves, LLVMVectorType(LLVMHalfTypeInContext(e->context), n), "");
        words = LLVMBuildFPExt(e->b, words, type, "");
        return emit_call(e, "llvm.arithmetic.fence", &type, 1, &words, 1);
    }
    words = LLVMBuildZExt(e->b, halves, emit_many(e, 32, n), "");
    return as_floats(e, LLVMBuildShl(e->b, words, splat(e, words, 16), ""));
}

static V narrow_f16(struct emit *e, V floats)
{
    unsigned n = count_of(floats);
    V r = LLVMBuildFPTrunc(e->b, floats, LLVMVectorType(LLVMHalfTypeInContext(e->context), n), "");

    return LLVMBuildBitCast(e->b, r, emit_many(e, 16, n), "");
}

V half_narrow(struct emit *e, V floats, bool bf16)
{
    unsigned n = count_of(floats);
    V words = as_words(e, floats), odd, r;

    if (bf16) {
        odd = LLVMBuildAnd(e->b, LLVMBuildLShr(e->b, words, splat(e, words, 16), ""), splat(e, words, 1), "");
        r = LLVMBuildAdd(e->b, LLVMBuildAdd(e->b, words, splat(e, words, 0x7fff), ""), odd, "");
        r = LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, r, splat(e, words, 16), ""), emit_many(e, 16, n), "");
    } else {
        r = narrow_f16(e, floats);
    }
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, floats, floats, ""), splat(e, r, NAN_16), r, "");
}

/* max(r, 0) would take such a NaN's sign for one. */
V half_narrow_result(struct emit *e, V floats, bool bf16)
{
    return !bf16 && emit_is_raw(e, &e->insn->ops[0]) && !(e->insn->flags & PTX_FLAG_RELU) ? narrow_f16(e, floats) : half_narrow(e, floats, bf16);
}

static uint16_t infinity(bool bf16)
{
    return bf16 ? 0x7f80 : 0x7c00;
}

static V flush(struct emit *e, V h, bool bf16)
{
    V exponent = LLVMBuildAnd(e->b, h, splat(e, h, infinity(bf16)), "");

    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, exponent, splat(e, h, 0), ""),
                           LLVMBuildAnd(e->b, h, splat(e, h, 0x8000), ""), h, "");
}

static V is_nan(struct emit *e, V h, bool bf16)
{
    return LLVMBuildICmp(e->b, LLVMIntUGT, LLVMBuildAnd(e->b, h, splat(e, h, 0x7fff), ""), splat(e, h, infinity(bf16)), "");
}

static V is_negative(struct emit *e, V h)
{
    return LLVMBuildICmp(e->b, LLVMIntSLT, h, splat(e, h, 0), "");
}

/* .ftz, .sat (NaN and negative numbers become +0) and .relu. */
static bool finish(struct emit *e, V r, bool bf16)
{
    uint32_t flags = e->insn->flags;

    if (flags & PTX_FLAG_FTZ)
        r = flush(e, r, bf16);
    if (flags & PTX_FLAG_SAT) {
        V one = splat(e, r, bf16 ? 0x3f80 : 0x3c00), none = LLVMBuildOr(e->b, is_negative(e, r), is_nan(e, r, bf16), "");

        r = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntULT, r, one, ""), r, one, "");
        r = LLVMBuildSelect(e->b, none, splat(e, r, 0), r, "");
    }
    if (flags & PTX_FLAG_RELU)
        r = LLVMBuildSelect(e->b, is_negative(e, r), splat(e, r, 0), r, "");
    half_result(e, &e->insn->ops[0], r);
    return true;
}

/* ---- Arithmetic ---- */

/* The number that an inexact s stands for, when 'lost' is what the sum has lost: its odd neighbour. */
static V to_odd(struct emit *e, V s, V lost, unsigned bits, uint64_t top)
{
    unsigned n = count_of(s);
    LLVMTypeRef type = LLVMTypeOf(s);
    V zero = LLVMConstNull(type), u = LLVMBuildBitCast(e->b, s, emit_many(e, bits, n), ""), same, away, finite, even, wrong;

    same = LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildFCmp(e->b, LLVMRealOGT, lost, zero, ""), LLVMBuildFCmp(e->b, LLVMRealOGT, s, zero, ""), "");
    away = LLVMBuildSelect(e->b, same, splat(e, u, 1), splat(e, u, ~0ull), "");
    finite = LLVMBuildICmp(e->b, LLVMIntNE, LLVMBuildAnd(e->b, u, splat(e, u, top), ""), splat(e, u, top), "");
    even = LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildAnd(e->b, u, splat(e, u, 1), ""), splat(e, u, 0), "");
    wrong = LLVMBuildAnd(e->b, LLVMBuildFCmp(e->b, LLVMRealUNE, lost, zero, ""), LLVMBuildAnd(e->b, finite, even, ""), "");
    return LLVMBuildBitCast(e->b, LLVMBuildSelect(e->b, wrong, LLVMBuildAdd(e->b, u, away, ""), u, ""), type, "");
}

/* p + c to odd; p is exact. */
static V sum_to_odd(struct emit *e, V p, V c, unsigned bits, uint64_t top)
{
    V s = LLVMBuildFAdd(e->b, p, c, ""), t = LLVMBuildFSub(e->b, s, p, ""), lost;

    lost = LLVMBuildFSub(e->b, p, LLVMBuildFSub(e->b, s, t, ""), "");
    lost = LLVMBuildFAdd(e->b, lost, LLVMBuildFSub(e->b, c, t, ""), "");
    return to_odd(e, s, lost, bits, top);
}

static V magnitude(struct emit *e, V doubles)
{
    LLVMTypeRef type = LLVMTypeOf(doubles);

    return emit_call(e, "llvm.fabs", &type, 1, &doubles, 1);
}

/* From 53 bits to 24, to odd again. */
static V odd_to_float(struct emit *e, V odd)
{
    unsigned n = count_of(odd);
    V f = LLVMBuildFPTrunc(e->b, odd, emit_floats(e, n), ""), back = LLVMBuildFPExt(e->b, f, LLVMTypeOf(odd), ""), u = as_words(e, f), far, cut;

    far = LLVMBuildFCmp(e->b, LLVMRealOGT, magnitude(e, back), magnitude(e, odd), "");
    cut = LLVMBuildSelect(e->b, far, LLVMBuildSub(e->b, u, splat(e, u, 1), ""), u, "");
    cut = LLVMBuildOr(e->b, cut, splat(e, u, 1), "");
    return as_floats(e, LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUEQ, back, odd, ""), u, cut, ""));
}

static V fused(struct emit *e, const V *x, bool bf16)
{
    LLVMTypeRef doubles = LLVMVectorType(LLVMDoubleTypeInContext(e->context), count_of(x[0]));
    V wide[3];

    if (!bf16)
        return sum_to_odd(e, LLVMBuildFMul(e->b, x[0], x[1], ""), x[2], 32, 0x7f800000u);
    for (unsigned k = 0; k < 3; k++)
        wide[k] = LLVMBuildFPExt(e->b, x[k], doubles, "");
    return odd_to_float(e, sum_to_odd(e, LLVMBuildFMul(e->b, wide[0], wide[1], ""), wide[2], 64, 0x7ff0000000000000u));
}

static V order(struct emit *e, V h)
{
    V high = LLVMBuildAShr(e->b, h, splat(e, h, 15), "");

    return LLVMBuildXor(e->b, h, LLVMBuildAnd(e->b, high, splat(e, h, 0x7fff), ""), "");
}

/* As integers in the order of the numbers, so that -0 is below +0. */
static V extreme(struct emit *e, V a, V b, bool bf16)
{
    LLVMIntPredicate relation = e->insn->op == PTX_OP_max ? LLVMIntSGT : LLVMIntSLT;
    V sign = NULL, nan[2], none, r;

    if (e->insn->flags & PTX_FLAG_XORSIGN) {
        sign = LLVMBuildAnd(e->b, LLVMBuildXor(e->b, a, b, ""), splat(e, a, 0x8000), "");
        a = LLVMBuildAnd(e->b, a, splat(e, a, 0x7fff), "");
        b = LLVMBuildAnd(e->b, b, splat(e, b, 0x7fff), "");
    }
    nan[0] = is_nan(e, a, bf16);
    nan[1] = is_nan(e, b, bf16);
    none = e->insn->flags & PTX_FLAG_NAN ? LLVMBuildOr(e->b, nan[0], nan[1], "") : LLVMBuildAnd(e->b, nan[0], nan[1], "");
    r = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, relation, order(e, a), order(e, b), ""), a, b, "");
    r = LLVMBuildSelect(e->b, nan[1], a, r, "");
    r = LLVMBuildSelect(e->b, nan[0], b, r, "");
    r = sign ? LLVMBuildOr(e->b, r, sign, "") : r;
    return LLVMBuildSelect(e->b, none, splat(e, r, NAN_16), r, "");
}

/* They make a NaN canonical. */
static V sign(struct emit *e, V a, bool bf16)
{
    V r = e->insn->op == PTX_OP_abs ? LLVMBuildAnd(e->b, a, splat(e, a, 0x7fff), "") : LLVMBuildXor(e->b, a, splat(e, a, 0x8000), "");

    return LLVMBuildSelect(e->b, is_nan(e, a, bf16), splat(e, a, NAN_16), r, "");
}

static V arithmetic(struct emit *e, const V *halves, unsigned n, bool bf16)
{
    V x[3];

    if (!bf16 && e->shape.isa == JIT_ISA_BASE)
        return NULL; /* no instructions for f16 */
    for (unsigned k = 0; k < n; k++)
        x[k] = half_widen(e, halves[k], bf16);
    switch (e->insn->op) {
    case PTX_OP_add:
        return half_narrow_result(e, LLVMBuildFAdd(e->b, x[0], x[1], ""), bf16);
    case PTX_OP_sub:
        return half_narrow_result(e, LLVMBuildFSub(e->b, x[0], x[1], ""), bf16);
    case PTX_OP_mul:
        return half_narrow_result(e, LLVMBuildFMul(e->b, x[0], x[1], ""), bf16);
    default:
        return half_narrow_result(e, fused(e, x, bf16), bf16);
    }
}

static const struct {
    uint16_t op;
    uint8_t sources;
    uint32_t flags;
} rows[] = {
    {PTX_OP_add, 2, PTX_FLAG_FTZ | PTX_FLAG_SAT}, {PTX_OP_sub, 2, PTX_FLAG_FTZ | PTX_FLAG_SAT}, {PTX_OP_mul, 2, PTX_FLAG_FTZ | PTX_FLAG_SAT},
    {PTX_OP_fma, 3, PTX_FLAG_FTZ | PTX_FLAG_SAT | PTX_FLAG_RELU}, {PTX_OP_abs, 1, PTX_FLAG_FTZ}, {PTX_OP_neg, 1, PTX_FLAG_FTZ},
    {PTX_OP_min, 2, PTX_FLAG_FTZ | PTX_FLAG_NAN | PTX_FLAG_XORSIGN | PTX_FLAG_ABS},
    {PTX_OP_max, 2, PTX_FLAG_FTZ | PTX_FLAG_NAN | PTX_FLAG_XORSIGN | PTX_FLAG_ABS},
};

bool emit_half(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    uint8_t t = i->types[0];
    bool bf16 = t == PTX_TYPE_bf16 || t == PTX_TYPE_bf16x2, two = t == PTX_TYPE_f16x2 || t == PTX_TYPE_bf16x2;
    bool computes = i->op == PTX_OP_add || i->op == PTX_OP_sub || i->op == PTX_OP_mul || i->op == PTX_OP_fma;
    unsigned row = 0;
    V s[3], r;

    while (row < sizeof rows / sizeof *rows && rows[row].op != i->op)
        row++;
    if ((t != PTX_TYPE_f16 && !bf16 && !two) || row == sizeof rows / sizeof *rows || i->flags & ~rows[row].flags || i->ntypes != 1 ||
        i->nops != rows[row].sources + 1 || (i->round != PTX_round_none && i->round != PTX_round_rn))
        return false;
    for (unsigned k = 0; k < rows[row].sources; k++) {
        if (!(s[k] = (computes && !bf16 ? half_raw_elements : half_elements)(e, &i->ops[k + 1], two ? 32 : 16)))
            return false;
        if (i->flags & PTX_FLAG_FTZ)
            s[k] = flush(e, s[k], bf16);
    }
    switch (i->op) {
    case PTX_OP_min:
    case PTX_OP_max:
        r = extreme(e, s[0], s[1], bf16);
        break;
    case PTX_OP_abs:
    case PTX_OP_neg:
        r = sign(e, s[0], bf16);
        break;
    default:
        r = arithmetic(e, s, rows[row].sources, bf16);
    }
    return r && finish(e, r, bf16);
}
