/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions with floats beyond those in emit_move.c: pairs of halves, integers of other widths, rounding to an integer. */
#include "jit/emit_half.h"

typedef LLVMValueRef V;

static char class_of(uint8_t type)
{
    return ptx_type_class[type];
}

static bool is_integer(uint8_t type)
{
    unsigned bits = ptx_type_bits[type];

    return (class_of(type) == 'u' || class_of(type) == 's') && type != PTX_TYPE_u16x2 && type != PTX_TYPE_s16x2 && bits >= 8 && bits <= 64;
}

static bool is_half(uint8_t type)
{
    return type == PTX_TYPE_f16 || type == PTX_TYPE_bf16;
}

static bool has_halves(const struct emit *e, uint8_t type)
{
    return e->shape.isa != JIT_ISA_BASE || (type != PTX_TYPE_f16 && type != PTX_TYPE_f16x2);
}

static LLVMTypeRef real(struct emit *e, unsigned bits)
{
    LLVMTypeRef t = bits == 64 ? LLVMDoubleTypeInContext(e->context) : LLVMFloatTypeInContext(e->context);

    return e->wide ? emit_vector(t) : t;
}

static bool fits(const struct emit *e, const struct ptx_operand *o, unsigned bits)
{
    return o->kind != PTX_OPERAND_REG || emit_reg_bits(e, o->reg) == bits;
}

/* f32 as a vector, of one lane where the instruction is uniform; f16 has no bits for what distinguishes NaNs and subnormals. */
static V float_lanes(struct emit *e, const struct ptx_operand *o, bool bf16)
{
    V v = (bf16 ? emit_source : emit_raw_source)(e, o, 32);

    return v ? LLVMBuildBitCast(e->b, v, emit_floats(e, e->wide ? VG_WARP : 1), "") : NULL;
}

/* ---- To halves ---- */

static bool to_half(struct emit *e, bool bf16)
{
    V v = float_lanes(e, &e->insn->ops[1], bf16);

    if (v)
        half_result(e, &e->insn->ops[0], half_narrow_result(e, v, bf16));
    return v;
}

/* cvt.f16x2.f32 d, a, b: a is the upper half. */
static bool to_pair(struct emit *e, bool bf16)
{
    V part[2] = {float_lanes(e, &e->insn->ops[2], bf16), float_lanes(e, &e->insn->ops[1], bf16)};
    unsigned pick[2 * VG_WARP], n = e->wide ? VG_WARP : 1;

    if (!part[0] || !part[1])
        return false;
    for (unsigned k = 0; k < 2 * n; k++)
        pick[k] = k % 2 * n + k / 2;
    half_result(e, &e->insn->ops[0],
                emit_shuffle(e, half_narrow_result(e, part[0], bf16), half_narrow_result(e, part[1], bf16), pick, 2 * n));
    return true;
}

/* Through f32: what it has no bits for is beyond f16's range. */
static bool integer_to_f16(struct emit *e, uint8_t from)
{
    unsigned bits = ptx_type_bits[from], n = e->wide ? VG_WARP : 1;
    V v = emit_source(e, &e->insn->ops[1], bits);

    if (!v || bits < 16 || bits > 32)
        return false;
    v = LLVMBuildBitCast(e->b, v, emit_many(e, bits, n), "");
    v = class_of(from) == 's' ? LLVMBuildSIToFP(e->b, v, emit_floats(e, n), "") : LLVMBuildUIToFP(e->b, v, emit_floats(e, n), "");
    half_result(e, &e->insn->ops[0], half_narrow(e, v, false));
    return true;
}

/* Two of e4m3 are two of f16 after a shift, but for the exponent's bias and their one NaN. */
static bool from_e4m3(struct emit *e)
{
    unsigned n = e->wide ? VG_WARP : 1;
    V v = emit_source(e, &e->insn->ops[1], 16), magnitude, bits, nan, scale[2 * VG_WARP], wide;

    if (!v)
        return false;
    v = LLVMBuildZExt(e->b, LLVMBuildBitCast(e->b, v, emit_many(e, 16, n), ""), emit_many(e, 32, n), "");
    v = LLVMBuildOr(e->b, LLVMBuildShl(e->b, v, emit_fill(e, 32, n, 8), ""), v, "");
    v = LLVMBuildAnd(e->b, v, emit_fill(e, 32, n, 0x00ff00ff), "");
    v = LLVMBuildBitCast(e->b, v, emit_many(e, 16, 2 * n), "");
    magnitude = LLVMBuildAnd(e->b, v, emit_fill(e, 16, 2 * n, 0x7f), "");
    nan = LLVMBuildICmp(e->b, LLVMIntEQ, magnitude, emit_fill(e, 16, 2 * n, 0x7f), "");
    bits = LLVMBuildShl(e->b, LLVMBuildAnd(e->b, v, emit_fill(e, 16, 2 * n, 0x80), ""), emit_fill(e, 16, 2 * n, 8), "");
    bits = LLVMBuildOr(e->b, bits, LLVMBuildShl(e->b, magnitude, emit_fill(e, 16, 2 * n, 7), ""), "");
    for (unsigned k = 0; k < 2 * n; k++)
        scale[k] = LLVMConstReal(LLVMFloatTypeInContext(e->context), 256.0);
    wide = LLVMBuildFMul(e->b, half_widen(e, bits, false), LLVMConstVector(scale, 2 * n), "");
    half_result(e, &e->insn->ops[0], LLVMBuildSelect(e->b, nan, emit_fill(e, 16, 2 * n, NAN_16), half_narrow(e, wide, false), ""));
    return true;
}

/* ---- From floats to integers ---- */

static V rounded(struct emit *e, V x)
{
    static const char *const names[PTX_round_count] = {[PTX_round_rni] = "llvm.rint", [PTX_round_rzi] = "llvm.trunc",
                                                       [PTX_round_rmi] = "llvm.floor", [PTX_round_rpi] = "llvm.ceil"};
    const char *name = names[e->insn->round];
    LLVMTypeRef type = LLVMTypeOf(x);

    return name && e->shape.isa != JIT_ISA_BASE ? emit_call(e, name, &type, 1, &x, 1) : NULL; /* else the library's functions */
}

/* The number as f32 or f64; f16 is widened. */
static V source(struct emit *e, uint8_t from)
{
    unsigned bits = ptx_type_bits[from];
    V v = emit_source(e, &e->insn->ops[1], bits), h;

    if (!v || !fits(e, &e->insn->ops[1], bits))
        return NULL;
    if (is_half(from)) {
        h = half_widen(e, LLVMBuildBitCast(e->b, v, emit_many(e, 16, e->wide ? VG_WARP : 1), ""), from == PTX_TYPE_bf16);
        return LLVMBuildBitCast(e->b, h, real(e, 32), "");
    }
    if (from == PTX_TYPE_f32 && e->insn->flags & PTX_FLAG_FTZ)
        v = emit_flush(e, v);
    return LLVMBuildBitCast(e->b, v, real(e, bits), "");
}

/* It saturates. A NaN gives 0, but from f64 or to 64 bits the type's topmost bit. */
static bool to_integer(struct emit *e, uint8_t to, uint8_t from)
{
    unsigned bits = ptx_type_bits[to], reg = emit_reg_bits(e, e->insn->ops[0].reg);
    bool with_sign = class_of(to) == 's';
    LLVMTypeRef overload[2] = {emit_type(e, bits)};
    V x = source(e, from), nan, r;

    if (!x || reg < bits || !(x = rounded(e, x)))
        return false;
    overload[1] = LLVMTypeOf(x);
    nan = LLVMBuildFCmp(e->b, LLVMRealUNO, x, x, "");
    r = emit_call(e, with_sign ? "llvm.fptosi.sat" : "llvm.fptoui.sat", overload, 2, &x, 1);
    if (bits == 64 || from == PTX_TYPE_f64)
        r = LLVMBuildSelect(e->b, nan, emit_const(e, bits, 1ull << (bits - 1)), r, "");
    if (reg > bits)
        r = with_sign ? LLVMBuildSExt(e->b, r, emit_type(e, reg), "") : LLVMBuildZExt(e->b, r, emit_type(e, reg), "");
    emit_result(e, &e->insn->ops[0], r);
    return true;
}

static bool to_integral(struct emit *e)
{
    V x = source(e, PTX_TYPE_f32), u;

    if (!x || !(x = rounded(e, x)))
        return false;
    u = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, x, x, ""), emit_const(e, 32, 0x7fffffff),
                        LLVMBuildBitCast(e->b, x, emit_type(e, 32), ""), "");
    emit_result(e, &e->insn->ops[0], u);
    return true;
}

/* ---- The rest ---- */

static bool integer_to_real(struct emit *e, uint8_t to, uint8_t from)
{
    unsigned bits = ptx_type_bits[from];
    LLVMTypeRef type = real(e, ptx_type_bits[to]);
    V v = emit_source(e, &e->insn->ops[1], bits), r;

    if (!v || bits < 32 || !fits(e, &e->insn->ops[1], bits))
        return false;
    r = class_of(from) == 's' ? LLVMBuildSIToFP(e->b, v, type, "") : LLVMBuildUIToFP(e->b, v, type, "");
    emit_result(e, &e->insn->ops[0], LLVMBuildBitCast(e->b, r, emit_type(e, ptx_type_bits[to]), ""));
    return true;
}

static bool between_reals(struct emit *e, uint8_t to, uint8_t from)
{
    V x = source(e, from);
    LLVMTypeRef type = real(e, ptx_type_bits[to]);

    if (!x)
        return false;
    x = to == PTX_TYPE_f64 ? LLVMBuildFPExt(e->b, x, type, "") : LLVMBuildFPTrunc(e->b, x, type, "");
    emit_result(e, &e->insn->ops[0], LLVMBuildBitCast(e->b, x, emit_type(e, ptx_type_bits[to]), ""));
    return true;
}

static bool widen_bf16(struct emit *e)
{
    V v = emit_source(e, &e->insn->ops[1], 16);

    if (v)
        emit_result(e, &e->insn->ops[0], LLVMBuildShl(e->b, LLVMBuildZExt(e->b, v, emit_type(e, 32), ""), emit_const(e, 32, 16), ""));
    return v;
}

/* .rna carries into the exponent by itself; infinities and NaNs only lose their low bits. */
static bool to_tf32(struct emit *e)
{
    V u = emit_source(e, &e->insn->ops[1], 32), top = emit_const(e, 32, 0x7f800000), special;

    if (!u)
        return false;
    special = LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildAnd(e->b, u, top, ""), top, "");
    u = LLVMBuildSelect(e->b, special, u, LLVMBuildAdd(e->b, u, emit_const(e, 32, 0x1000), ""), "");
    emit_result(e, &e->insn->ops[0], LLVMBuildAnd(e->b, u, emit_const(e, 32, ~0x1fffu), ""));
    return true;
}

static bool rounds_to_integer(uint8_t round)
{
    return round >= PTX_round_rni && round <= PTX_round_rpi;
}

bool emit_convert(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    uint8_t to = i->types[0], from = i->types[1];
    bool nearest = i->round == PTX_round_rn && !i->flags;

    if (i->op != PTX_OP_cvt || i->mode || i->ntypes != 2 || i->ops[0].kind != PTX_OPERAND_REG || !has_halves(e, to) || !has_halves(e, from))
        return false;
    if (from == PTX_TYPE_f32 && (to == PTX_TYPE_f16x2 || to == PTX_TYPE_bf16x2))
        return nearest && i->nops == 3 && to_pair(e, to == PTX_TYPE_bf16x2);
    if (to == PTX_TYPE_f16x2 && from == PTX_TYPE_e4m3x2)
        return nearest && i->nops == 2 && from_e4m3(e);
    if (i->nops != 2)
        return false;
    if (is_integer(to) && (from == PTX_TYPE_f32 || from == PTX_TYPE_f64 || from == PTX_TYPE_f16))
        return rounds_to_integer(i->round) && !(i->flags & ~(uint32_t)PTX_FLAG_FTZ) && to_integer(e, to, from);
    if (emit_reg_bits(e, i->ops[0].reg) != ptx_type_bits[to] || !fits(e, &i->ops[1], ptx_type_bits[from] < 16 ? 16 : ptx_type_bits[from]))
        return false;
    if (from == PTX_TYPE_f32 && is_half(to))
        return nearest && to_half(e, to == PTX_TYPE_bf16);
    if (to == PTX_TYPE_f16 && is_integer(from))
        return nearest && integer_to_f16(e, from);
    if (to == PTX_TYPE_f32 && from == PTX_TYPE_f32)
        return rounds_to_integer(i->round) && !i->flags && to_integral(e);
    if ((to == PTX_TYPE_f32 || to == PTX_TYPE_f64) && is_integer(from))
        return nearest && integer_to_real(e, to, from);
    if (to == PTX_TYPE_f64 && from == PTX_TYPE_f32)
        return !i->round && !i->flags && between_reals(e, to, from);
    if (to == PTX_TYPE_f32 && from == PTX_TYPE_f64)
        return nearest && between_reals(e, to, from);
    if (to == PTX_TYPE_f32 && from == PTX_TYPE_bf16)
        return !i->round && !i->flags && widen_bf16(e);
    return to == PTX_TYPE_tf32 && from == PTX_TYPE_f32 && i->round == PTX_round_rna && !i->flags && to_tf32(e);
}
