/* SPDX-License-Identifier: Apache-2.0 */
/* f32 and f64 arithmetic to nearest. A NaN result of f32 is written as the hardware writes it; of f64 it is left as the
 * CPU makes it. */
#include "jit/emit.h"

typedef LLVMValueRef V;
#define NAN_F32 0x7fffffffu

static LLVMTypeRef real(struct emit *e, unsigned bits)
{
    LLVMTypeRef t = bits == 64 ? LLVMDoubleTypeInContext(e->context) : LLVMFloatTypeInContext(e->context);

    return e->wide ? emit_vector(t) : t;
}

static bool ftz(const struct emit *e)
{
    return e->insn->flags & PTX_FLAG_FTZ;
}

static bool is_flushed(const struct emit *e, const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_REG && e->flushed[o->reg];
}

static bool sources(struct emit *e, unsigned n, unsigned bits, V *s)
{
    if (e->insn->nops != n + 1)
        return false;
    for (unsigned k = 0; k < n; k++) {
        s[k] = emit_raw_source(e, &e->insn->ops[k + 1], bits);
        if (!s[k])
            return false;
        if (ftz(e) && !is_flushed(e, &e->insn->ops[k + 1]) && !(e->daz && e->insn->ops[k + 1].kind == PTX_OPERAND_REG))
            s[k] = emit_flush(e, s[k]);
    }
    return true;
}

/* The result's subnormals and NaNs are dealt with where somebody looks at them. */
static bool flushes_later(const struct emit *e)
{
    return e->daz && emit_is_raw(e, &e->insn->ops[0]) && e->flushed[e->insn->ops[0].reg];
}

/* Operands whose bits are looked at, not what they are as numbers. */
static void look_at(struct emit *e, unsigned n, V *s)
{
    for (unsigned k = 0; k < n && e->daz; k++)
        if (e->insn->ops[k + 1].kind == PTX_OPERAND_REG && (ftz(e) || is_flushed(e, &e->insn->ops[k + 1])))
            s[k] = emit_flush(e, s[k]);
}

/* From a float value to the register's bits. */
static bool finish(struct emit *e, V r, unsigned bits)
{
    V u = LLVMBuildBitCast(e->b, r, emit_type(e, bits), "");

    if (bits == 32) {
        if (e->insn->flags & PTX_FLAG_SAT) { /* NaN and -0 become +0 */
            V zero = LLVMConstNull(real(e, 32)), one = LLVMBuildBitCast(e->b, emit_const(e, 32, 0x3f800000), real(e, 32), "");
            V low = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, r, one, ""), u, emit_const(e, 32, 0x3f800000), "");

            u = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, r, zero, ""), low, emit_const(e, 32, 0), "");
        } else if (!emit_is_raw(e, &e->insn->ops[0])) {
            u = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, r, r, ""), emit_const(e, 32, NAN_F32), u, "");
        }
        if (ftz(e) && e->insn->op != PTX_OP_rsqrt && !flushes_later(e)) /* rsqrt: results are far from subnormal */
            u = emit_flush(e, u);
    }
    emit_result(e, &e->insn->ops[0], u);
    return true;
}

static unsigned sources_of(uint16_t op)
{
    switch (op) {
    case PTX_OP_fma:
    case PTX_OP_mad:
        return 3;
    case PTX_OP_sqrt:
    case PTX_OP_rsqrt:
    case PTX_OP_rcp:
        return 1;
    default:
        return 2;
    }
}

/* div.approx multiplies by a reciprocal that underflows for divisors above 2^126: they count as infinite (9.7.3.8). */
static V reachable_divisor(struct emit *e, V b)
{
    V magnitude = LLVMBuildAnd(e->b, b, emit_const(e, 32, 0x7fffffff), "");
    V far = LLVMBuildICmp(e->b, LLVMIntULT, LLVMBuildSub(e->b, magnitude, emit_const(e, 32, 0x7e800001), ""),
                          emit_const(e, 32, 0x7f800000 - 0x7e800001), "");
    V infinity = LLVMBuildOr(e->b, LLVMBuildAnd(e->b, b, emit_const(e, 32, 0x80000000), ""), emit_const(e, 32, 0x7f800000), "");

    return LLVMBuildSelect(e->b, far, infinity, b, "");
}

static bool arithmetic(struct emit *e, unsigned bits)
{
    V s[3], x[3], one;
    unsigned n = sources_of(e->insn->op);
    LLVMTypeRef type = real(e, bits);

    if (n == 3 && e->shape.isa == JIT_ISA_BASE)
        return false; /* no instruction for it */
    if (!sources(e, n, bits, s))
        return false;
    if (e->insn->op == PTX_OP_div && e->insn->flags & PTX_FLAG_APPROX)
        s[1] = reachable_divisor(e, s[1]);
    one = emit_const(e, bits, bits == 64 ? 0x3ff0000000000000u : 0x3f800000u);
    one = LLVMBuildBitCast(e->b, one, type, "");
    for (unsigned k = 0; k < n; k++)
        x[k] = LLVMBuildBitCast(e->b, s[k], type, "");
    switch (e->insn->op) {
    case PTX_OP_add:
        return finish(e, LLVMBuildFAdd(e->b, x[0], x[1], ""), bits);
    case PTX_OP_sub:
        return finish(e, LLVMBuildFSub(e->b, x[0], x[1], ""), bits);
    case PTX_OP_mul:
        return finish(e, LLVMBuildFMul(e->b, x[0], x[1], ""), bits);
    case PTX_OP_fma:
    case PTX_OP_mad:
        return finish(e, emit_call(e, "llvm.fma", &type, 1, x, 3), bits);
    case PTX_OP_div:
        return finish(e, LLVMBuildFDiv(e->b, x[0], x[1], ""), bits);
    case PTX_OP_sqrt:
        return finish(e, emit_call(e, "llvm.sqrt", &type, 1, x, 1), bits);
    case PTX_OP_rsqrt:
        return finish(e, LLVMBuildFDiv(e->b, one, emit_call(e, "llvm.sqrt", &type, 1, x, 1), ""), bits);
    case PTX_OP_rcp:
        return finish(e, LLVMBuildFDiv(e->b, one, x[0], ""), bits);
    default:
        return false;
    }
}

/* ex2.approx */
static bool exponential(struct emit *e)
{
    V s[1];

    return sources(e, 1, 32, s) && finish(e, emit_exp2(e, LLVMBuildBitCast(e->b, s[0], real(e, 32), "")), 32);
}

static V is_nan(struct emit *e, V u)
{
    V magnitude = LLVMBuildAnd(e->b, u, emit_const(e, 32, 0x7fffffff), "");

    return LLVMBuildICmp(e->b, LLVMIntUGT, magnitude, emit_const(e, 32, 0x7f800000), "");
}

/* abs and neg are arithmetic to the hardware: they make a NaN canonical. */
static bool sign(struct emit *e)
{
    V s[1], r;

    if (!sources(e, 1, 32, s))
        return false;
    if (!flushes_later(e))
        look_at(e, 1, s);
    r = e->insn->op == PTX_OP_abs ? LLVMBuildAnd(e->b, s[0], emit_const(e, 32, 0x7fffffff), "")
                                  : LLVMBuildXor(e->b, s[0], emit_const(e, 32, 0x80000000), "");
    if (!emit_is_raw(e, &e->insn->ops[0]))
        r = LLVMBuildSelect(e->b, is_nan(e, s[0]), emit_const(e, 32, NAN_F32), r, "");
    emit_result(e, &e->insn->ops[0], r);
    return true;
}

static V ordered(struct emit *e, V u)
{
    V high = LLVMBuildAShr(e->b, u, emit_const(e, 32, 31), "");

    return LLVMBuildXor(e->b, u, LLVMBuildAnd(e->b, high, emit_const(e, 32, 0x7fffffff), ""), "");
}

/* Compared as integers in the order of the floats, so that -0 is below +0; one NaN is left out, two give one (9.7.3.11). */
static bool extreme(struct emit *e)
{
    LLVMIntPredicate relation = e->insn->op == PTX_OP_max ? LLVMIntSGT : LLVMIntSLT;
    V s[2], r, nan[2];

    if (!sources(e, 2, 32, s))
        return false;
    look_at(e, 2, s);
    r = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, relation, ordered(e, s[0]), ordered(e, s[1]), ""), s[0], s[1], "");
    nan[0] = is_nan(e, s[0]);
    nan[1] = is_nan(e, s[1]);
    r = LLVMBuildSelect(e->b, nan[1], s[0], r, "");
    r = LLVMBuildSelect(e->b, nan[0], s[1], r, "");
    r = LLVMBuildSelect(e->b, LLVMBuildAnd(e->b, nan[0], nan[1], ""), emit_const(e, 32, NAN_F32), r, "");
    emit_result(e, &e->insn->ops[0], r);
    return true;
}

bool emit_float(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]];
    bool nearest = i->round == PTX_round_none || i->round == PTX_round_rn;

    if (i->types[0] != PTX_TYPE_f32 && i->types[0] != PTX_TYPE_f64)
        return false;
    switch (i->op) {
    case PTX_OP_div:
    case PTX_OP_sqrt:
    case PTX_OP_rsqrt:
    case PTX_OP_rcp:
        if (i->round == PTX_round_none) /* approximate functions are as good here as the CPU's own */
            return bits == 32 && (i->flags & (PTX_FLAG_APPROX | PTX_FLAG_FULL)) &&
                   !(i->flags & ~(uint32_t)(PTX_FLAG_APPROX | PTX_FLAG_FULL | PTX_FLAG_FTZ)) && arithmetic(e, bits);
        /* fall through */
    case PTX_OP_add:
    case PTX_OP_sub:
    case PTX_OP_mul:
    case PTX_OP_fma:
    case PTX_OP_mad:
        if (!nearest || i->flags & ~(uint32_t)(PTX_FLAG_FTZ | PTX_FLAG_SAT) || (bits == 64 && i->flags))
            return false;
        return arithmetic(e, bits);
    case PTX_OP_ex2:
        return bits == 32 && (i->flags | PTX_FLAG_FTZ) == (PTX_FLAG_APPROX | PTX_FLAG_FTZ) && exponential(e);
    case PTX_OP_abs:
    case PTX_OP_neg:
        return bits == 32 && !(i->flags & ~(uint32_t)PTX_FLAG_FTZ) && sign(e);
    case PTX_OP_min:
    case PTX_OP_max:
        return bits == 32 && !(i->flags & ~(uint32_t)PTX_FLAG_FTZ) && i->nops == 3 && extreme(e);
    default:
        return false;
    }
}
