/* SPDX-License-Identifier: Apache-2.0 */
/* div and rem of 64 bits. The CPU divides scalars; of vectors it divides doubles, so where all operands are below 2^32, as sizes
 * and indices mostly are, the quotient is that of doubles, and the operation does the rest. x / 0 and x % 0 are all ones. */
#include "jit/emit.h"

typedef LLVMValueRef V;

static bool is_signed(const struct emit *e)
{
    return ptx_type_class[e->insn->types[0]] == 's';
}

static bool is_rest(const struct emit *e)
{
    return e->insn->op == PTX_OP_rem;
}

/* What is left when q is the quotient. */
static V finish(struct emit *e, V a, V b, V zero, V q)
{
    V r = is_rest(e) ? LLVMBuildSub(e->b, a, LLVMBuildMul(e->b, q, b, ""), "") : q;

    return LLVMBuildSelect(e->b, zero, emit_const(e, 64, ~0ull), r, "");
}

static V negate_if(struct emit *e, V negative, V v)
{
    return LLVMBuildSelect(e->b, negative, LLVMBuildNeg(e->b, v, ""), v, "");
}

/* Magnitudes are divided: the least number by -1 would stop the CPU. */
static V divide_scalar(struct emit *e, V a, V b)
{
    V none = emit_i64(e, 0), zero = LLVMBuildICmp(e->b, LLVMIntEQ, b, none, ""), by = LLVMBuildSelect(e->b, zero, emit_i64(e, 1), b, ""), below[2];

    if (!is_signed(e))
        return finish(e, a, b, zero, LLVMBuildUDiv(e->b, a, by, ""));
    below[0] = LLVMBuildICmp(e->b, LLVMIntSLT, a, none, "");
    below[1] = LLVMBuildICmp(e->b, LLVMIntSLT, by, none, "");
    by = LLVMBuildUDiv(e->b, negate_if(e, below[0], a), negate_if(e, below[1], by), "");
    return finish(e, a, b, zero, negate_if(e, LLVMBuildXor(e->b, below[0], below[1], ""), by));
}

/* Of numbers below 2^32 the quotient, rounded to a double, is not below the next integer if the true one is. */
static V divide_small(struct emit *e, V a, V b)
{
    LLVMTypeRef real = emit_vector(LLVMDoubleTypeInContext(e->context)), narrow = emit_vector(e->i32);
    V zero = LLVMBuildICmp(e->b, LLVMIntEQ, b, emit_const(e, 64, 0), ""), x, y, q;

    x = LLVMBuildUIToFP(e->b, LLVMBuildTrunc(e->b, a, narrow, ""), real, "");
    y = LLVMBuildTrunc(e->b, LLVMBuildSelect(e->b, zero, emit_const(e, 64, 1), b, ""), narrow, "");
    y = LLVMBuildUIToFP(e->b, y, real, "");
    q = LLVMBuildFPToUI(e->b, LLVMBuildFDiv(e->b, x, y, ""), narrow, "");
    return finish(e, a, b, zero, LLVMBuildZExt(e->b, q, emit_vector(e->i64), ""));
}

bool emit_divide(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    LLVMBasicBlockRef small, large, join, from[2];
    V a, b, high, both[2], phi;

    if ((i->op != PTX_OP_div && i->op != PTX_OP_rem) || (i->types[0] != PTX_TYPE_u64 && i->types[0] != PTX_TYPE_s64) || i->flags ||
        !(a = emit_source(e, &i->ops[1], 64)) || !(b = emit_source(e, &i->ops[2], 64)))
        return false;
    if (!e->wide) {
        emit_result(e, &i->ops[0], divide_scalar(e, a, b));
        return true;
    }
    if (i->ops[0].kind != PTX_OPERAND_REG)
        return false;
    high = LLVMBuildAnd(e->b, LLVMBuildOr(e->b, a, b, ""), emit_const(e, 64, 0xffffffff00000000u), "");
    high = LLVMBuildICmp(e->b, LLVMIntNE, high, emit_const(e, 64, 0), "");
    high = LLVMBuildAnd(e->b, emit_bits(e, high), e->mask, "");
    small = emit_block(e, "small");
    large = emit_block(e, "large");
    join = emit_block(e, "divided");
    emit_branch(e, LLVMBuildICmp(e->b, LLVMIntEQ, high, emit_i32(e, 0), ""), small, large);
    LLVMPositionBuilderAtEnd(e->b, small);
    both[0] = divide_small(e, a, b);
    from[0] = LLVMGetInsertBlock(e->b);
    LLVMBuildBr(e->b, join);
    LLVMPositionBuilderAtEnd(e->b, large);
    emit_operation_aside(e, e->mask);
    both[1] = emit_operation_result(e, i->ops[0].reg);
    if (LLVMTypeOf(both[1]) != LLVMTypeOf(both[0]))
        both[1] = emit_splat(e, both[1]);
    from[1] = LLVMGetInsertBlock(e->b);
    LLVMBuildBr(e->b, join);
    LLVMPositionBuilderAtEnd(e->b, join);
    phi = LLVMBuildPhi(e->b, LLVMTypeOf(both[0]), "");
    LLVMAddIncoming(phi, both, from, 2);
    emit_result(e, &i->ops[0], phi);
    return true;
}
