/* SPDX-License-Identifier: Apache-2.0 */
/* mov with packing and unpacking, and the conversions that need no more than what LLVM has as one instruction. */
#include "jit/emit_half.h"

typedef LLVMValueRef V;

static unsigned register_bits(uint8_t type)
{
    unsigned bits = ptx_type_bits[type];

    return type == PTX_TYPE_pred ? 1 : bits < 16 ? 16 : bits;
}

/* mov.b64 d, {a, b}: the first element is the lowest. */
static bool pack(struct emit *e, const struct ptx_operand *from, unsigned bits)
{
    unsigned each = bits / from->n;
    V r = emit_const(e, bits, 0), pairs, parts[4];

    for (unsigned k = 0; k < from->n; k++) {
        V v = from->elems[k].kind == PTX_OPERAND_NONE ? NULL : emit_passed_source(e, &e->insn->ops[0], &from->elems[k], each);

        if (!v || LLVMTypeOf(v) != emit_type(e, each))
            return false;
        parts[k] = v;
        v = LLVMBuildShl(e->b, LLVMBuildZExt(e->b, v, emit_type(e, bits), ""), emit_const(e, bits, (uint64_t)each * k), "");
        r = LLVMBuildOr(e->b, r, v, "");
    }
    if (from->n == 2 && (pairs = emit_zip(e, parts[0], parts[1])))
        r = LLVMBuildBitCast(e->b, pairs, emit_type(e, bits), "");
    emit_result(e, &e->insn->ops[0], r);
    return true;
}

static bool unpack(struct emit *e, const struct ptx_operand *to, unsigned bits)
{
    unsigned each = bits / to->n;
    V v;

    if (!emit_source(e, &e->insn->ops[1], bits))
        return false;
    for (unsigned k = 0; k < to->n; k++)
        if (to->elems[k].kind == PTX_OPERAND_REG && emit_reg_bits(e, to->elems[k].reg) != each)
            return false;
    for (unsigned k = 0; k < to->n; k++) {
        v = emit_passed_source(e, &to->elems[k], &e->insn->ops[1], bits);
        v = LLVMBuildLShr(e->b, v, emit_const(e, bits, (uint64_t)each * k), "");
        emit_result(e, &to->elems[k], LLVMBuildTrunc(e->b, v, emit_type(e, each), ""));
    }
    return true;
}

static bool mov(struct emit *e)
{
    const struct ptx_operand *d = &e->insn->ops[0], *s = &e->insn->ops[1];
    unsigned bits = register_bits(e->insn->types[0]);
    V v;

    if (bits > 64)
        return false;
    if (s->kind == PTX_OPERAND_VEC && d->kind == PTX_OPERAND_REG)
        return emit_reg_bits(e, d->reg) == bits && pack(e, s, bits);
    if (d->kind == PTX_OPERAND_VEC)
        return s->kind == PTX_OPERAND_REG && emit_reg_bits(e, s->reg) == bits && unpack(e, d, bits);
    if (d->kind != PTX_OPERAND_REG || emit_reg_bits(e, d->reg) != bits ||
        !(v = emit_passed_source(e, d, s, bits)) ||
        LLVMTypeOf(v) != emit_type(e, bits))
        return false;
    emit_result(e, d, v);
    return true;
}

/* Between integers: the source's low bits, extended by its own sign, cut or extended to the destination's register. */
static bool convert_integer(struct emit *e, uint8_t to, uint8_t from)
{
    unsigned sb = ptx_type_bits[from], db = ptx_type_bits[to], reg = emit_reg_bits(e, e->insn->ops[0].reg);
    const struct ptx_operand *s = &e->insn->ops[1];
    V v = emit_source(e, s, register_bits(from));
    bool s_signed = ptx_type_class[from] == 's', d_signed = ptx_type_class[to] == 's';
    unsigned have;

    if (!v)
        return false;
    have = s->kind == PTX_OPERAND_REG ? emit_reg_bits(e, s->reg) : register_bits(from);
    if (sb < have)
        v = LLVMBuildTrunc(e->b, v, emit_type(e, sb), "");
    if (db > sb)
        v = emit_extend(e, &e->insn->ops[1], v, db, s_signed);
    else if (db < sb)
        v = LLVMBuildTrunc(e->b, v, emit_type(e, db), "");
    if (reg > db)
        v = d_signed ? LLVMBuildSExt(e->b, v, emit_type(e, reg), "") : LLVMBuildZExt(e->b, v, emit_type(e, reg), "");
    else if (reg < db)
        return false;
    emit_result(e, &e->insn->ops[0], v);
    return true;
}

static LLVMTypeRef real(struct emit *e, unsigned bits)
{
    LLVMTypeRef t = bits == 64 ? LLVMDoubleTypeInContext(e->context)
                  : bits == 32 ? LLVMFloatTypeInContext(e->context) : LLVMHalfTypeInContext(e->context);

    return e->wide ? emit_vector(t) : t;
}

/* To nearest, from 32-bit integers (16 bits are exact). */
static bool convert_to_float(struct emit *e, uint8_t from)
{
    unsigned sb = ptx_type_bits[from];
    const struct ptx_operand *s = &e->insn->ops[1];
    V v, r;

    if (sb > 32 || sb < 16 || (s->kind == PTX_OPERAND_REG && emit_reg_bits(e, s->reg) != sb) || !(v = emit_source(e, s, sb)))
        return false;
    r = ptx_type_class[from] == 's' ? LLVMBuildSIToFP(e->b, v, real(e, 32), "") : LLVMBuildUIToFP(e->b, v, real(e, 32), "");
    emit_result(e, &e->insn->ops[0], LLVMBuildBitCast(e->b, r, emit_type(e, 32), ""));
    return true;
}

/* f16 to f32 is exact; the CPU quiets a NaN and keeps its payload, the hardware writes its own. */
static bool widen_half(struct emit *e)
{
    V v = half_raw_elements(e, &e->insn->ops[1], 16), r, u;

    if (!v || e->shape.isa == JIT_ISA_BASE)
        return false;
    r = half_widen(e, v, false);
    u = LLVMBuildBitCast(e->b, r, emit_type(e, 32), "");
    if (!emit_is_raw(e, &e->insn->ops[0])) {
        r = LLVMBuildBitCast(e->b, r, real(e, 32), "");
        u = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, r, r, ""), emit_const(e, 32, 0x7fffffff), u, "");
    }
    emit_result(e, &e->insn->ops[0], u);
    return true;
}

/* A subnormal f32 is zero as f16, whether the CPU flushes it or not. */
static bool narrow_half(struct emit *e)
{
    V v = emit_raw_source(e, &e->insn->ops[1], 32);

    if (!v || e->shape.isa == JIT_ISA_BASE)
        return false;
    v = LLVMBuildBitCast(e->b, v, emit_floats(e, e->wide ? VG_WARP : 1), "");
    half_result(e, &e->insn->ops[0], half_narrow_result(e, v, false));
    return true;
}

static bool is_plain_integer(uint8_t t)
{
    char c = ptx_type_class[t];

    return (c == 'u' || c == 's') && (ptx_type_bits[t] == 8 || ptx_type_bits[t] == 16 || ptx_type_bits[t] == 32 || ptx_type_bits[t] == 64) &&
           t != PTX_TYPE_u16x2 && t != PTX_TYPE_s16x2;
}

static bool cvt(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    uint8_t to = i->types[0], from = i->types[1];

    if (i->ntypes != 2 || i->nops != 2 || i->ops[0].kind != PTX_OPERAND_REG || i->flags & ~(uint32_t)PTX_FLAG_FTZ || i->mode)
        return false;
    if (is_plain_integer(to) && is_plain_integer(from))
        return !i->flags && convert_integer(e, to, from);
    if (to == PTX_TYPE_f32 && is_plain_integer(from) && i->round == PTX_round_rn)
        return !i->flags && convert_to_float(e, from);
    if (to == PTX_TYPE_f32 && from == PTX_TYPE_f16 && !i->round)
        return !i->flags && widen_half(e);
    if (to == PTX_TYPE_f16 && from == PTX_TYPE_f32 && i->round == PTX_round_rn)
        return !i->flags && emit_reg_bits(e, i->ops[0].reg) == 16 && narrow_half(e);
    return false;
}

/* Global addresses are generic ones; shared ones lie from the block's shared memory on. */
static bool cvta(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V v, base = e->field[JIT_ENV_shared];

    if ((i->space != PTX_SPACE_global && i->space != PTX_SPACE_const && i->space != PTX_SPACE_shared) ||
        i->ops[0].kind != PTX_OPERAND_REG || emit_reg_bits(e, i->ops[0].reg) != 64 ||
        (i->ops[1].kind == PTX_OPERAND_REG && emit_reg_bits(e, i->ops[1].reg) != 64) || !(v = emit_source(e, &i->ops[1], 64)))
        return false;
    if (i->space == PTX_SPACE_shared) {
        base = e->wide ? emit_splat(e, base) : base;
        v = i->flags & PTX_FLAG_TO ? LLVMBuildSub(e->b, v, base, "") : LLVMBuildAdd(e->b, v, base, "");
    }
    emit_result(e, &i->ops[0], v);
    return true;
}

bool emit_move(struct emit *e)
{
    switch (e->insn->op) {
    case PTX_OP_mov:
        return mov(e);
    case PTX_OP_cvt:
        return cvt(e);
    case PTX_OP_cvta:
        return cvta(e);
    default:
        return false;
    }
}
