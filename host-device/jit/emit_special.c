/* SPDX-License-Identifier: Apache-2.0 */
/* Approximations, step by step as interp/lanes_approx.c has them: both engines give the same bits. Values are scalars or
 * vectors of any length. */
#include "jit/emit_half.h"

typedef LLVMValueRef V;

/* ---- Floats as LLVM has them ---- */

static unsigned lanes_of(V like)
{
    LLVMTypeRef type = LLVMTypeOf(like);

    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetVectorSize(type) : 0;
}

static LLVMTypeRef shaped(V like, LLVMTypeRef element)
{
    return lanes_of(like) ? LLVMVectorType(element, lanes_of(like)) : element;
}

static V word(struct emit *e, V like, unsigned bits, uint64_t v)
{
    return lanes_of(like) ? emit_fill(e, bits, lanes_of(like), v) : LLVMConstInt(emit_int(e, bits), v, false);
}

static V words(struct emit *e, V v)
{
    return LLVMBuildBitCast(e->b, v, shaped(v, e->i32), "");
}

static V floats(struct emit *e, V v)
{
    return LLVMBuildBitCast(e->b, v, shaped(v, LLVMFloatTypeInContext(e->context)), "");
}

static V number(struct emit *e, V like, double v)
{
    V one = LLVMConstReal(LLVMFloatTypeInContext(e->context), v), all[EMIT_SHUFFLE_MAX];

    for (unsigned k = 0; k < lanes_of(like); k++)
        all[k] = one;
    return lanes_of(like) ? LLVMConstVector(all, lanes_of(like)) : one;
}

static V doubles(struct emit *e, V like, double v)
{
    V one = LLVMConstReal(LLVMDoubleTypeInContext(e->context), v), all[EMIT_SHUFFLE_MAX];

    for (unsigned k = 0; k < lanes_of(like); k++)
        all[k] = one;
    return lanes_of(like) ? LLVMConstVector(all, lanes_of(like)) : one;
}

static V add(struct emit *e, V a, V b)
{
    return LLVMBuildFAdd(e->b, a, b, "");
}

static V sub(struct emit *e, V a, V b)
{
    return LLVMBuildFSub(e->b, a, b, "");
}

static V mul(struct emit *e, V a, V b)
{
    return LLVMBuildFMul(e->b, a, b, "");
}

static V pick(struct emit *e, LLVMRealPredicate relation, V a, V b, V yes, V no)
{
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, relation, a, b, ""), yes, no, "");
}

static V absolute(struct emit *e, V v)
{
    LLVMTypeRef type = LLVMTypeOf(v);

    return emit_call(e, "llvm.fabs", &type, 1, &v, 1);
}

/* ((c[0] x + c[1]) x + c[2]) ..., each step rounded twice. */
static V polynomial(struct emit *e, V x, const double *c, unsigned n, V (*constant)(struct emit *e, V like, double v))
{
    V p = constant(e, x, c[0]);

    for (unsigned k = 1; k < n; k++)
        p = add(e, mul(e, p, x), constant(e, x, c[k]));
    return p;
}

/* ---- The functions ---- */

/* 2^n for n from -126 on. */
static V power_of_two(struct emit *e, V n)
{
    return floats(e, LLVMBuildShl(e->b, LLVMBuildAdd(e->b, n, word(e, n, 32, 127), ""), word(e, n, 32, 23), ""));
}

V emit_exp2(struct emit *e, V x)
{
    static const double c[] = {0x1.42889ap-13, 0x1.5f0588p-10, 0x1.3b2b7ap-7, 0x1.c6aee0p-5, 0x1.ebfbdep-3, 0x1.62e430p-1, 1.0};
    V low = number(e, x, -151.0), high = number(e, x, 128.0), shift = number(e, x, 0x1.8p23), y, t, n, half, p;

    y = pick(e, LLVMRealOLT, x, low, low, x);
    y = pick(e, LLVMRealOGT, x, high, high, y);
    t = add(e, y, shift);
    n = LLVMBuildSub(e->b, words(e, t), words(e, shift), "");
    half = LLVMBuildAShr(e->b, n, word(e, n, 32, 1), "");
    p = polynomial(e, sub(e, y, sub(e, t, shift)), c, sizeof c / sizeof *c, number);
    p = mul(e, p, power_of_two(e, half));
    p = mul(e, p, power_of_two(e, LLVMBuildSub(e->b, n, half, "")));
    return pick(e, LLVMRealUNO, x, x, x, p);
}

static V log2_of(struct emit *e, V x)
{
    static const double c[] = {0x1.484b14p-2, 0x1.a61762p-2, 0x1.2776c6p-1, 0x1.ec709ep-1, 0x1.715476p+1};
    V tiny = LLVMBuildFCmp(e->b, LLVMRealOLT, x, number(e, x, 0x1p-126), ""), one = number(e, x, 1.0), zero = number(e, x, 0.0), u, n, m, s, p;

    u = words(e, LLVMBuildSelect(e->b, tiny, mul(e, x, number(e, x, 0x1p24)), x, ""));
    n = LLVMBuildAShr(e->b, LLVMBuildSub(e->b, u, word(e, u, 32, 0x3f3504f3), ""), word(e, u, 32, 23), "");
    m = floats(e, LLVMBuildSub(e->b, u, LLVMBuildShl(e->b, n, word(e, u, 32, 23), ""), ""));
    s = LLVMBuildFDiv(e->b, sub(e, m, one), add(e, m, one), "");
    p = polynomial(e, mul(e, s, s), c, sizeof c / sizeof *c, number);
    n = LLVMBuildSub(e->b, n, LLVMBuildSelect(e->b, tiny, word(e, u, 32, 24), word(e, u, 32, 0), ""), "");
    p = add(e, mul(e, p, s), LLVMBuildSIToFP(e->b, n, LLVMTypeOf(x), ""));
    p = pick(e, LLVMRealOLT, x, zero, floats(e, word(e, u, 32, 0x7fffffff)), p);
    p = pick(e, LLVMRealOEQ, x, zero, floats(e, word(e, u, 32, 0xff800000)), p);
    return pick(e, LLVMRealOLT, x, floats(e, word(e, u, 32, 0x7f800000)), p, x);
}

static V tanh_of(struct emit *e, V x)
{
    static const double c[] = {-0x1.ba1ba2p-5, 0x1.111112p-3, -0x1.555556p-2, 1.0};
    V t = absolute(e, x), one = number(e, x, 1.0), series = mul(e, x, polynomial(e, mul(e, x, x), c, 4, number)), large, sign;
    V power = emit_exp2(e, mul(e, t, number(e, x, -0x1.715476p+1)));

    large = LLVMBuildFDiv(e->b, sub(e, one, power), add(e, one, power), "");
    sign = LLVMBuildAnd(e->b, words(e, x), word(e, x, 32, 0x80000000), "");
    large = floats(e, LLVMBuildOr(e->b, words(e, large), sign, ""));
    return pick(e, LLVMRealOLT, t, number(e, x, 0.25), series, large);
}

static V revolutions(struct emit *e, V x)
{
    LLVMTypeRef type = shaped(x, LLVMDoubleTypeInContext(e->context));
    V flushed = floats(e, emit_flush(e, words(e, x))), shift = doubles(e, x, 0x1.8p52), r, fraction;

    r = mul(e, LLVMBuildFPExt(e->b, flushed, type, ""), doubles(e, x, 0x1.45f306p-3));
    r = LLVMBuildAnd(e->b, LLVMBuildBitCast(e->b, r, shaped(x, e->i64), ""), word(e, x, 64, ~0x1fffffffull), "");
    r = LLVMBuildBitCast(e->b, r, type, "");
    fraction = sub(e, r, sub(e, add(e, r, shift), shift));
    return pick(e, LLVMRealOLT, absolute(e, r), doubles(e, x, 0x1p24), fraction, sub(e, r, r));
}

static V sin_quarter(struct emit *e, V r)
{
    static const double c[] = {-1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6};
    V y = mul(e, r, doubles(e, r, 0x1.921fb54442d18p+2)), q = mul(e, y, y), p = polynomial(e, q, c, 5, doubles);

    p = add(e, y, mul(e, mul(e, y, q), p));
    return LLVMBuildFPTrunc(e->b, p, shaped(r, LLVMFloatTypeInContext(e->context)), "");
}

static V sin_of(struct emit *e, V x)
{
    V r = revolutions(e, x), s;

    s = pick(e, LLVMRealOLT, r, doubles(e, r, -0.25), sub(e, doubles(e, r, -0.5), r), r);
    return sin_quarter(e, pick(e, LLVMRealOGT, r, doubles(e, r, 0.25), sub(e, doubles(e, r, 0.5), r), s));
}

static V cos_of(struct emit *e, V x)
{
    return sin_quarter(e, sub(e, doubles(e, x, 0.25), absolute(e, revolutions(e, x))));
}

/* ---- Halves: the hardware rounds them towards zero ---- */

static V truncated(struct emit *e, V x, bool bf16)
{
    V u = words(e, x), m = LLVMBuildAnd(e->b, u, word(e, u, 32, 0x7fffffff), ""), sign, tiny, far, r, zero = word(e, u, 32, 0);

    if (bf16) {
        r = LLVMBuildLShr(e->b, u, word(e, u, 32, 16), "");
    } else {
        tiny = LLVMBuildICmp(e->b, LLVMIntULT, m, word(e, u, 32, 0x38800000), "");
        far = LLVMBuildICmp(e->b, LLVMIntUGE, m, word(e, u, 32, 0x47800000), "");
        r = LLVMBuildSub(e->b, LLVMBuildLShr(e->b, m, word(e, u, 32, 13), ""), word(e, u, 32, 112u << 10), "");
        r = LLVMBuildSelect(e->b, far, word(e, u, 32, 0x7c00), r, "");
        m = mul(e, floats(e, LLVMBuildSelect(e->b, tiny, m, zero, "")), number(e, x, 0x1p24));
        r = LLVMBuildSelect(e->b, tiny, LLVMBuildFPToSI(e->b, m, LLVMTypeOf(u), ""), r, "");
        sign = LLVMBuildAnd(e->b, LLVMBuildLShr(e->b, u, word(e, u, 32, 16), ""), word(e, u, 32, 0x8000), "");
        r = LLVMBuildOr(e->b, r, sign, "");
    }
    r = pick(e, LLVMRealUNO, x, x, word(e, u, 32, NAN_16), r);
    return LLVMBuildTrunc(e->b, r, shaped(x, e->i16), "");
}

static V flushed_floats(struct emit *e, V x)
{
    return floats(e, emit_flush(e, words(e, x)));
}

typedef V function(struct emit *e, V x);

static bool of_halves(struct emit *e, function *f)
{
    uint8_t t = e->insn->types[0];
    bool bf16 = t == PTX_TYPE_bf16 || t == PTX_TYPE_bf16x2, two = t == PTX_TYPE_f16x2 || t == PTX_TYPE_bf16x2;
    bool ftz = e->insn->flags & PTX_FLAG_FTZ;
    V x;

    if ((!bf16 && e->shape.isa == JIT_ISA_BASE) || ftz != (bf16 && e->insn->op == PTX_OP_ex2) ||
        !(x = half_elements(e, &e->insn->ops[1], two ? 32 : 16)))
        return false;
    x = half_widen(e, x, bf16);
    x = f(e, ftz ? flushed_floats(e, x) : x);
    half_result(e, &e->insn->ops[0], truncated(e, ftz ? flushed_floats(e, x) : x, bf16));
    return true;
}

static bool of_floats(struct emit *e, function *f)
{
    V s = emit_source(e, &e->insn->ops[1], 32), r, u;

    if (!s)
        return false;
    r = f(e, floats(e, e->insn->flags & PTX_FLAG_FTZ ? emit_flush(e, s) : s));
    u = pick(e, LLVMRealUNO, r, r, word(e, r, 32, 0x7fffffff), words(e, r));
    emit_result(e, &e->insn->ops[0], e->insn->flags & PTX_FLAG_FTZ ? emit_flush(e, u) : u);
    return true;
}

static const struct {
    uint16_t op;
    function *f;
    bool f32, halves;
} rows[] = {
    {PTX_OP_ex2, emit_exp2, false, true}, {PTX_OP_tanh, tanh_of, true, true}, {PTX_OP_lg2, log2_of, true, false},
    {PTX_OP_sin, sin_of, true, false}, {PTX_OP_cos, cos_of, true, false},
};

bool emit_special(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    uint8_t t = i->types[0];

    if (i->round || (i->flags & ~(uint32_t)PTX_FLAG_FTZ) != PTX_FLAG_APPROX)
        return false;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (rows[k].op == i->op)
            return t == PTX_TYPE_f32 ? rows[k].f32 && of_floats(e, rows[k].f)
                 : ptx_type_bits[t] <= 32 && rows[k].halves && of_halves(e, rows[k].f);
    return false;
}
