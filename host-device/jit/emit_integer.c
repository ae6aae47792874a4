/* SPDX-License-Identifier: Apache-2.0 */
/* Integer arithmetic, logic and shifts. What the ISA leaves open is as in interp/lanes_int.c and lanes_bits.c. */
#include "jit/emit.h"

typedef LLVMValueRef V;

/* Sources of one instruction, in its shape; false when one of them is only known to operations. */
static bool sources(struct emit *e, unsigned n, unsigned bits, V *s)
{
    if (e->insn->nops != n + 1)
        return false;
    for (unsigned k = 0; k < n; k++) {
        s[k] = emit_source(e, &e->insn->ops[k + 1], bits);
        if (!s[k] || LLVMGetTypeKind(LLVMTypeOf(s[k])) == LLVMPointerTypeKind)
            return false;
    }
    return true;
}

static unsigned bits_of(const struct emit *e)
{
    unsigned bits = ptx_type_bits[e->insn->types[0]];

    return e->insn->types[0] == PTX_TYPE_pred ? 1 : bits < 16 ? 16 : bits;
}

static bool is_signed(const struct emit *e)
{
    return ptx_type_class[e->insn->types[0]] == 's';
}

static bool is_integer(const struct emit *e)
{
    uint8_t t = e->insn->types[0];
    char c = ptx_type_class[t];

    return (c == 'u' || c == 's' || c == 'b' || c == 'p') && t != PTX_TYPE_u16x2 && t != PTX_TYPE_s16x2 &&
           (ptx_type_bits[t] == 16 || ptx_type_bits[t] == 32 || ptx_type_bits[t] == 64 || t == PTX_TYPE_pred);
}

static bool done(struct emit *e, V v)
{
    emit_result(e, &e->insn->ops[0], v);
    return true;
}

static V extend(struct emit *e, V v, unsigned bits, bool with_sign)
{
    return with_sign ? LLVMBuildSExt(e->b, v, emit_type(e, bits), "") : LLVMBuildZExt(e->b, v, emit_type(e, bits), "");
}

static V intrinsic2(struct emit *e, const char *name, V a, V b)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    V args[2] = {a, b};

    return emit_call(e, name, &type, 1, args, 2);
}

static bool add(struct emit *e)
{
    V s[2];

    return sources(e, 2, bits_of(e), s) && done(e, LLVMBuildAdd(e->b, s[0], s[1], ""));
}

static bool sub(struct emit *e)
{
    V s[2];

    return sources(e, 2, bits_of(e), s) && done(e, LLVMBuildSub(e->b, s[0], s[1], ""));
}

/* The upper half of 128 bits, from products of halves. With a sign a negative factor stands for 2^64 more than it is. */
static V high_of_64(struct emit *e, V a, V b)
{
    V low = emit_const(e, 64, UINT32_MAX), half = emit_const(e, 64, 32), top = emit_const(e, 64, 63), cross, more, r;
    V part[2][2] = {{LLVMBuildAnd(e->b, a, low, ""), LLVMBuildLShr(e->b, a, half, "")},
                    {LLVMBuildAnd(e->b, b, low, ""), LLVMBuildLShr(e->b, b, half, "")}};

    cross = LLVMBuildLShr(e->b, LLVMBuildMul(e->b, part[0][0], part[1][0], ""), half, "");
    cross = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, part[0][0], part[1][1], ""), cross, "");
    more = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, part[0][1], part[1][0], ""), LLVMBuildAnd(e->b, cross, low, ""), "");
    r = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, part[0][1], part[1][1], ""), LLVMBuildLShr(e->b, cross, half, ""), "");
    r = LLVMBuildAdd(e->b, r, LLVMBuildLShr(e->b, more, half, ""), "");
    if (!is_signed(e))
        return r;
    r = LLVMBuildSub(e->b, r, LLVMBuildAnd(e->b, LLVMBuildAShr(e->b, a, top, ""), b, ""), "");
    return LLVMBuildSub(e->b, r, LLVMBuildAnd(e->b, LLVMBuildAShr(e->b, b, top, ""), a, ""), "");
}

V emit_product(struct emit *e, V a, V b)
{
    unsigned bits = bits_of(e);
    V wide;

    if (e->insn->mul == PTX_mul_lo)
        return LLVMBuildMul(e->b, a, b, "");
    if (bits == 64)
        return high_of_64(e, a, b);
    wide = LLVMBuildMul(e->b, emit_extend(e, &e->insn->ops[1], a, 2 * bits, is_signed(e)),
                        emit_extend(e, &e->insn->ops[2], b, 2 * bits, is_signed(e)), "");
    if (e->insn->mul == PTX_mul_wide)
        return wide;
    return LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, wide, emit_const(e, 2 * bits, bits), ""), emit_type(e, bits), "");
}

static bool mul(struct emit *e)
{
    V s[2];

    if (!e->insn->mul || (bits_of(e) == 64 && e->insn->mul == PTX_mul_wide))
        return false;
    return sources(e, 2, bits_of(e), s) && done(e, emit_product(e, s[0], s[1]));
}

static bool mad(struct emit *e)
{
    unsigned bits = bits_of(e);
    V a, b, c;

    if (!e->insn->mul || (bits == 64 && e->insn->mul == PTX_mul_wide))
        return false;
    a = emit_source(e, &e->insn->ops[1], bits);
    b = emit_source(e, &e->insn->ops[2], bits);
    c = emit_source(e, &e->insn->ops[3], e->insn->mul == PTX_mul_wide ? 2 * bits : bits);
    return a && b && c && done(e, LLVMBuildAdd(e->b, emit_product(e, a, b), c, ""));
}

/* mul24 and mad24: products of 24 bits, of which .lo keeps bits 0 to 31 and .hi bits 16 to 47. */
static bool product24(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    bool adds = i->op == PTX_OP_mad24, hi = i->mul == PTX_mul_hi;
    unsigned wide = hi ? 64 : 32;
    V s[3], f[2], r;

    if ((!hi && i->mul != PTX_mul_lo) || !sources(e, 2 + adds, 32, s))
        return false;
    for (unsigned k = 0; k < 2; k++) {
        f[k] = LLVMBuildShl(e->b, s[k], emit_const(e, 32, 8), "");
        f[k] = is_signed(e) ? LLVMBuildAShr(e->b, f[k], emit_const(e, 32, 8), "") : LLVMBuildLShr(e->b, f[k], emit_const(e, 32, 8), "");
        if (hi)
            f[k] = extend(e, f[k], 64, is_signed(e));
    }
    r = LLVMBuildMul(e->b, f[0], f[1], "");
    if (hi)
        r = LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, r, emit_const(e, wide, 16), ""), emit_type(e, 32), "");
    return done(e, adds ? LLVMBuildAdd(e->b, r, s[2], "") : r);
}

/* add.sat and sub.sat, which only s32 has. */
static bool saturating(struct emit *e)
{
    V s[2];

    return e->insn->types[0] == PTX_TYPE_s32 && sources(e, 2, 32, s) &&
           done(e, intrinsic2(e, e->insn->op == PTX_OP_add ? "llvm.sadd.sat" : "llvm.ssub.sat", s[0], s[1]));
}

static bool negate(struct emit *e)
{
    V s[1];

    return sources(e, 1, bits_of(e), s) && done(e, LLVMBuildNeg(e->b, s[0], ""));
}

static bool absolute(struct emit *e)
{
    V s[1], args[2];
    LLVMTypeRef type;

    if (!sources(e, 1, bits_of(e), s))
        return false;
    type = LLVMTypeOf(s[0]);
    args[0] = s[0];
    args[1] = LLVMConstInt(e->i1, 0, false);
    return done(e, emit_call(e, "llvm.abs", &type, 1, args, 2));
}

static bool minimum(struct emit *e)
{
    V s[2];

    return sources(e, 2, bits_of(e), s) && done(e, intrinsic2(e, is_signed(e) ? "llvm.smin" : "llvm.umin", s[0], s[1]));
}

static bool maximum(struct emit *e)
{
    V s[2];

    return sources(e, 2, bits_of(e), s) && done(e, intrinsic2(e, is_signed(e) ? "llvm.smax" : "llvm.umax", s[0], s[1]));
}

static bool and(struct emit *e)
{
    V s[2];

    return sources(e, 2, bits_of(e), s) && done(e, LLVMBuildAnd(e->b, s[0], s[1], ""));
}

static bool or(struct emit *e)
{
    V s[2];

    return sources(e, 2, bits_of(e), s) && done(e, LLVMBuildOr(e->b, s[0], s[1], ""));
}

static bool xor(struct emit *e)
{
    V s[2];

    return sources(e, 2, bits_of(e), s) && done(e, LLVMBuildXor(e->b, s[0], s[1], ""));
}

static bool not(struct emit *e)
{
    V s[1];

    return sources(e, 1, bits_of(e), s) && done(e, LLVMBuildNot(e->b, s[0], ""));
}

/* Amounts of the register's width and more shift everything out (PTX ISA 9.1, 9.7.8.7 and 9.7.8.8). */
static bool shift(struct emit *e)
{
    unsigned bits = bits_of(e);
    V a = emit_source(e, &e->insn->ops[1], bits), n = emit_source(e, &e->insn->ops[2], 32), amount, inside, r;
    bool arithmetic = e->insn->op == PTX_OP_shr && is_signed(e);

    if (!a || !n)
        return false;
    inside = LLVMBuildICmp(e->b, LLVMIntULT, n, emit_const(e, 32, bits), "");
    n = LLVMBuildSelect(e->b, inside, n, emit_const(e, 32, arithmetic ? bits - 1 : 0), "");
    amount = bits == 32 ? n : bits < 32 ? LLVMBuildTrunc(e->b, n, emit_type(e, bits), "") : extend(e, n, bits, false);
    if (arithmetic)
        return done(e, LLVMBuildAShr(e->b, a, amount, ""));
    r = e->insn->op == PTX_OP_shl ? LLVMBuildShl(e->b, a, amount, "") : LLVMBuildLShr(e->b, a, amount, "");
    return done(e, LLVMBuildSelect(e->b, inside, r, emit_const(e, bits, 0), ""));
}

/* shf: the 64 bits b:a shifted by n, of which .l keeps the upper and .r the lower half; .clamp limits n to 32, .wrap to n mod 32. */
static bool funnel(struct emit *e)
{
    bool left = e->insn->mode == PTX_mode_l;
    V s[3], args[3], r;
    LLVMTypeRef type;

    if (!e->insn->clampmode || !sources(e, 3, 32, s))
        return false;
    type = LLVMTypeOf(s[0]);
    args[0] = s[1];
    args[1] = s[0];
    args[2] = s[2];
    r = emit_call(e, left ? "llvm.fshl" : "llvm.fshr", &type, 1, args, 3);
    if (e->insn->clampmode == PTX_mode_clamp)
        r = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntUGE, s[2], emit_const(e, 32, 32), ""), left ? s[0] : s[1], r, "");
    return done(e, r);
}

/* lop3: the sum of the products for which the table has a bit. */
static bool lop3(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V s[3], r = emit_const(e, 32, 0);
    unsigned table = (unsigned)i->ops[4].imm & 255;

    if (i->nops != 5 || i->ops[4].kind != PTX_OPERAND_IMM || i->dst2.kind != PTX_OPERAND_NONE || i->boolop)
        return false;
    for (unsigned k = 0; k < 3; k++)
        if (!(s[k] = emit_source(e, &i->ops[k + 1], 32)))
            return false;
    for (unsigned m = 0; m < 8; m++) {
        V term = NULL;

        if (!(table >> m & 1))
            continue;
        for (unsigned k = 0; k < 3; k++) {
            V x = m >> (2 - k) & 1 ? s[k] : LLVMBuildNot(e->b, s[k], "");

            term = term ? LLVMBuildAnd(e->b, term, x, "") : x;
        }
        r = LLVMBuildOr(e->b, r, term, "");
    }
    return done(e, r);
}

/* bfe: n bits of a from position p on; what lies above the register repeats its top bit for signed types. */
static bool extract(struct emit *e)
{
    unsigned bits = bits_of(e);
    V a = emit_source(e, &e->insn->ops[1], bits), p = emit_source(e, &e->insn->ops[2], 32), n = emit_source(e, &e->insn->ops[3], 32), r, up;
    V all = emit_const(e, 32, bits), mask;

    if (!a || !p || !n || bits != 32 || is_signed(e))
        return false;
    p = LLVMBuildAnd(e->b, p, emit_const(e, 32, 255), "");
    n = LLVMBuildAnd(e->b, n, emit_const(e, 32, 255), "");
    r = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntULT, p, all, ""),
                        LLVMBuildLShr(e->b, a, LLVMBuildAnd(e->b, p, emit_const(e, 32, 31), ""), ""), emit_const(e, 32, 0), "");
    up = LLVMBuildShl(e->b, emit_const(e, 32, 1), LLVMBuildAnd(e->b, n, emit_const(e, 32, 31), ""), "");
    mask = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntULT, n, all, ""), LLVMBuildSub(e->b, up, emit_const(e, 32, 1), ""),
                           emit_const(e, 32, ~0u), "");
    return done(e, LLVMBuildAnd(e->b, r, mask, ""));
}

static bool count(struct emit *e)
{
    unsigned bits = bits_of(e);
    V a = emit_source(e, &e->insn->ops[1], bits), args[2], r;
    LLVMTypeRef type;

    if (!a)
        return false;
    type = LLVMTypeOf(a);
    args[0] = a;
    args[1] = LLVMConstInt(e->i1, 0, false);
    r = e->insn->op == PTX_OP_popc ? emit_call(e, "llvm.ctpop", &type, 1, args, 1) : emit_call(e, "llvm.ctlz", &type, 1, args, 2);
    return done(e, bits == 64 ? LLVMBuildTrunc(e->b, r, emit_type(e, 32), "") : r);
}

static bool reverse(struct emit *e)
{
    V s[1];
    LLVMTypeRef type;

    if (!sources(e, 1, bits_of(e), s))
        return false;
    type = LLVMTypeOf(s[0]);
    return done(e, emit_call(e, "llvm.bitreverse", &type, 1, s, 1));
}

/* prmt with a constant selector: bytes of b:a. */
static bool permute(struct emit *e)
{
    const struct ptx_operand *o = &e->insn->ops[3];
    V s[3], wide, r = NULL;

    if (e->insn->mode || o->kind != PTX_OPERAND_IMM || !sources(e, 3, 32, s))
        return false;
    wide = LLVMBuildOr(e->b, extend(e, s[0], 64, false),
                       LLVMBuildShl(e->b, extend(e, s[1], 64, false), emit_const(e, 64, 32), ""), "");
    for (unsigned k = 0; k < 4; k++) {
        unsigned pick = (unsigned)(o->imm >> 4 * k) & 15;
        V byte = LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, wide, emit_const(e, 64, 8 * (pick & 7)), ""), emit_type(e, 32), "");

        if (pick & 8) /* the byte's sign, eight times */
            byte = LLVMBuildAShr(e->b, LLVMBuildShl(e->b, byte, emit_const(e, 32, 24), ""), emit_const(e, 32, 31), "");
        byte = LLVMBuildShl(e->b, LLVMBuildAnd(e->b, byte, emit_const(e, 32, 255), ""), emit_const(e, 32, 8 * k), "");
        r = r ? LLVMBuildOr(e->b, r, byte, "") : byte;
    }
    return done(e, r);
}

/* Division of 32 bits through doubles, exact as in interp/lanes_int.c; x / 0 and x % 0 are all ones. */
static bool divide(struct emit *e)
{
    V s[2], a, b, zero, q, da, db, sign;
    LLVMTypeRef real = e->wide ? emit_vector(LLVMDoubleTypeInContext(e->context)) : LLVMDoubleTypeInContext(e->context);

    if (bits_of(e) != 32 || !sources(e, 2, 32, s))
        return false;
    a = s[0];
    b = s[1];
    zero = LLVMBuildICmp(e->b, LLVMIntEQ, b, emit_const(e, 32, 0), "");
    if (is_signed(e)) {
        sign = LLVMBuildAShr(e->b, LLVMBuildXor(e->b, a, b, ""), emit_const(e, 32, 31), "");
        da = LLVMBuildAShr(e->b, a, emit_const(e, 32, 31), "");
        db = LLVMBuildAShr(e->b, b, emit_const(e, 32, 31), "");
        da = LLVMBuildSub(e->b, LLVMBuildXor(e->b, a, da, ""), da, "");
        db = LLVMBuildSub(e->b, LLVMBuildXor(e->b, b, db, ""), db, "");
    } else {
        sign = emit_const(e, 32, 0);
        da = a;
        db = b;
    }
    db = LLVMBuildSelect(e->b, zero, emit_const(e, 32, 1), db, "");
    if (e->wide)
        q = LLVMBuildFPToUI(e->b, LLVMBuildFDiv(e->b, LLVMBuildUIToFP(e->b, da, real, ""), LLVMBuildUIToFP(e->b, db, real, ""), ""),
                            emit_type(e, 32), "");
    else
        q = LLVMBuildUDiv(e->b, da, db, "");
    q = LLVMBuildSub(e->b, LLVMBuildXor(e->b, q, sign, ""), sign, "");
    if (e->insn->op == PTX_OP_rem)
        q = LLVMBuildSub(e->b, a, LLVMBuildMul(e->b, q, b, ""), "");
    return done(e, LLVMBuildSelect(e->b, zero, emit_const(e, 32, ~0u), q, ""));
}

static const struct {
    uint16_t op;
    uint32_t flags;
    emit_fn *emit;
} rows[] = {
    {PTX_OP_add, 0, add}, {PTX_OP_sub, 0, sub}, {PTX_OP_mul, 0, mul}, {PTX_OP_mad, 0, mad}, {PTX_OP_neg, 0, negate},
    {PTX_OP_abs, 0, absolute}, {PTX_OP_min, 0, minimum}, {PTX_OP_max, 0, maximum}, {PTX_OP_and, 0, and}, {PTX_OP_or, 0, or},
    {PTX_OP_xor, 0, xor}, {PTX_OP_not, 0, not}, {PTX_OP_shl, 0, shift}, {PTX_OP_shr, 0, shift}, {PTX_OP_shf, 0, funnel},
    {PTX_OP_lop3, 0, lop3}, {PTX_OP_bfe, 0, extract}, {PTX_OP_popc, 0, count}, {PTX_OP_clz, 0, count}, {PTX_OP_brev, 0, reverse},
    {PTX_OP_prmt, 0, permute}, {PTX_OP_div, 0, divide}, {PTX_OP_rem, 0, divide}, {PTX_OP_mul24, 0, product24},
    {PTX_OP_mad24, 0, product24}, {PTX_OP_add, PTX_FLAG_SAT, saturating}, {PTX_OP_sub, PTX_FLAG_SAT, saturating},
};

bool emit_integer(struct emit *e)
{
    if (!is_integer(e))
        return false;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (rows[k].op == e->insn->op && rows[k].flags == e->insn->flags)
            return rows[k].emit(e);
    return false;
}
