/* SPDX-License-Identifier: Apache-2.0 */
/* Permutations of bytes and fields of bits with any operands; what the ISA leaves open is as in interp/lanes_bits.c. */
#include "jit/emit.h"

typedef LLVMValueRef V;

static V compare(struct emit *e, LLVMIntPredicate relation, V a, V b)
{
    return LLVMBuildICmp(e->b, relation, a, b, "");
}

static V choose(struct emit *e, V p, V a, V b)
{
    return LLVMBuildSelect(e->b, p, a, b, "");
}

/* Numbers below a register's width, in its own width. */
static V in_width(struct emit *e, V n, unsigned bits)
{
    return bits == 32 ? n : LLVMBuildZExt(e->b, n, emit_type(e, bits), "");
}

static V below(struct emit *e, V n, unsigned limit)
{
    return compare(e, LLVMIntULT, n, emit_const(e, 32, limit));
}

static V masked(struct emit *e, V n, unsigned bits)
{
    return in_width(e, LLVMBuildAnd(e->b, n, emit_const(e, 32, bits - 1), ""), bits);
}

/* v << n and v >> n, with nothing left when n is the width or more. */
static V shift_up(struct emit *e, V v, V n, unsigned bits)
{
    return choose(e, below(e, n, bits), LLVMBuildShl(e->b, v, masked(e, n, bits), ""), emit_const(e, bits, 0));
}

static V shift_down(struct emit *e, V v, V n, unsigned bits)
{
    return choose(e, below(e, n, bits), LLVMBuildLShr(e->b, v, masked(e, n, bits), ""), emit_const(e, bits, 0));
}

/* The lowest n bits. */
static V low_bits(struct emit *e, V n, unsigned bits)
{
    V one = LLVMBuildShl(e->b, emit_const(e, bits, 1), masked(e, n, bits), "");

    return choose(e, below(e, n, bits), LLVMBuildSub(e->b, one, emit_const(e, bits, 1), ""), emit_const(e, bits, ~0ull));
}

/* Position or length: the low byte in the forms of 32 bits. */
static V amount(struct emit *e, const struct ptx_operand *o, unsigned bits)
{
    V n = emit_source(e, o, 32);

    return n && bits == 32 ? LLVMBuildAnd(e->b, n, emit_const(e, 32, 255), "") : n;
}

/* bfe of a signed type: above the field, or beyond the register, its topmost bit is repeated. */
static bool extract(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]];
    bool with_sign = ptx_type_class[i->types[0]] == 's';
    V v = emit_source(e, &i->ops[1], bits), p = amount(e, &i->ops[2], bits), n = amount(e, &i->ops[3], bits);
    V field, room, top, inside, sign, whole = emit_const(e, 32, bits), zero = emit_const(e, bits, 0);

    if (!v || !p || !n)
        return false;
    field = shift_down(e, v, p, bits);
    if (!with_sign) {
        emit_result(e, &i->ops[0], LLVMBuildAnd(e->b, field, low_bits(e, n, bits), ""));
        return true;
    }
    room = choose(e, below(e, p, bits), LLVMBuildSub(e->b, whole, p, ""), emit_const(e, 32, 0));
    top = LLVMBuildSub(e->b, LLVMBuildAdd(e->b, p, n, ""), emit_const(e, 32, 1), "");
    top = choose(e, compare(e, LLVMIntULE, n, room), top, emit_const(e, 32, bits - 1));
    inside = LLVMBuildAnd(e->b, low_bits(e, n, bits), low_bits(e, room, bits), "");
    sign = LLVMBuildAnd(e->b, LLVMBuildLShr(e->b, v, masked(e, top, bits), ""), emit_const(e, bits, 1), "");
    sign = choose(e, compare(e, LLVMIntEQ, n, emit_const(e, 32, 0)), zero, LLVMBuildSub(e->b, zero, sign, ""));
    field = LLVMBuildAnd(e->b, field, inside, "");
    emit_result(e, &i->ops[0], LLVMBuildOr(e->b, field, LLVMBuildAnd(e->b, sign, LLVMBuildNot(e->b, inside, ""), ""), ""));
    return true;
}

static bool insert(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]];
    V field = emit_source(e, &i->ops[1], bits), v = emit_source(e, &i->ops[2], bits), p = amount(e, &i->ops[3], bits),
      n = amount(e, &i->ops[4], bits), mask;

    if (!field || !v || !p || !n)
        return false;
    mask = shift_up(e, low_bits(e, n, bits), p, bits);
    field = LLVMBuildAnd(e->b, shift_up(e, field, p, bits), mask, "");
    emit_result(e, &i->ops[0], LLVMBuildOr(e->b, field, LLVMBuildAnd(e->b, v, LLVMBuildNot(e->b, mask, ""), ""), ""));
    return true;
}

/* .wrap takes amounts modulo 32, .clamp all from 32 on for 32. */
static V wrapped(struct emit *e, V n)
{
    return e->insn->clampmode == PTX_mode_wrap ? LLVMBuildAnd(e->b, n, emit_const(e, 32, 31), "") : n;
}

static bool ones(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V p = emit_source(e, &i->ops[1], 32), n = emit_source(e, &i->ops[2], 32);

    if (!p || !n)
        return false;
    emit_result(e, &i->ops[0], shift_up(e, low_bits(e, wrapped(e, n), 32), wrapped(e, p), 32));
    return true;
}

static bool extend(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V v = emit_source(e, &i->ops[1], 32), n = emit_source(e, &i->ops[2], 32), by, r;

    if (!v || !n)
        return false;
    n = wrapped(e, n);
    r = LLVMBuildAnd(e->b, v, low_bits(e, n, 32), "");
    if (ptx_type_class[i->types[0]] == 's') {
        by = LLVMBuildAnd(e->b, LLVMBuildSub(e->b, emit_const(e, 32, 32), n, ""), emit_const(e, 32, 31), "");
        r = LLVMBuildAShr(e->b, LLVMBuildShl(e->b, v, by, ""), by, "");
        r = choose(e, compare(e, LLVMIntEQ, n, emit_const(e, 32, 0)), n, choose(e, below(e, n, 32), r, v));
    }
    emit_result(e, &i->ops[0], r);
    return true;
}

/* bfind: where the topmost bit is that differs from the sign; all ones when there is none. */
static bool find(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]];
    V v = emit_source(e, &i->ops[1], bits), args[2], n, none;
    LLVMTypeRef type;

    if (!v)
        return false;
    if (ptx_type_class[i->types[0]] == 's')
        v = LLVMBuildXor(e->b, v, LLVMBuildAShr(e->b, v, emit_const(e, bits, bits - 1), ""), "");
    type = LLVMTypeOf(v);
    args[0] = v;
    args[1] = LLVMConstInt(e->i1, 0, false);
    none = compare(e, LLVMIntEQ, v, emit_const(e, bits, 0));
    n = emit_call(e, "llvm.ctlz", &type, 1, args, 2);
    if (!(i->flags & PTX_FLAG_SHIFTAMT))
        n = LLVMBuildSub(e->b, emit_const(e, bits, bits - 1), n, "");
    n = bits == 64 ? LLVMBuildTrunc(e->b, n, emit_type(e, 32), "") : n;
    emit_result(e, &i->ops[0], choose(e, none, emit_const(e, 32, ~0u), n));
    return true;
}

static bool is_zero(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]];
    V v = emit_source(e, &i->ops[1], bits);

    if (!v)
        return false;
    emit_result(e, &i->ops[0], LLVMBuildZExt(e->b, compare(e, LLVMIntEQ, v, emit_const(e, bits, 0)), emit_type(e, bits), ""));
    return true;
}

/* The sum of c and of the distance from a to b. */
static bool distance(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]];
    V a = emit_source(e, &i->ops[1], bits), b = emit_source(e, &i->ops[2], bits), c = emit_source(e, &i->ops[3], bits), less;

    if (!a || !b || !c)
        return false;
    less = compare(e, ptx_type_class[i->types[0]] == 's' ? LLVMIntSLT : LLVMIntULT, a, b);
    a = choose(e, less, LLVMBuildSub(e->b, b, a, ""), LLVMBuildSub(e->b, a, b, ""));
    emit_result(e, &i->ops[0], LLVMBuildAdd(e->b, c, a, ""));
    return true;
}

/* ---- prmt ---- */

/* In the special modes, the selector that two bits of c stand for (PTX ISA 9.7.9.7). */
static V selector(struct emit *e, V c)
{
    static const uint16_t modes[PTX_mode_count][4] = {
        [PTX_mode_f4e] = {0x3210, 0x4321, 0x5432, 0x6543}, [PTX_mode_b4e] = {0x5670, 0x6701, 0x7012, 0x0123},
        [PTX_mode_rc8] = {0x0000, 0x1111, 0x2222, 0x3333}, [PTX_mode_ecl] = {0x3210, 0x3211, 0x3222, 0x3333},
        [PTX_mode_ecr] = {0x0000, 0x1110, 0x2210, 0x3210}, [PTX_mode_rc16] = {0x1010, 0x3232, 0x1010, 0x3232},
    };
    const uint16_t *of = modes[e->insn->mode];
    V odd, high;

    if (!e->insn->mode)
        return c;
    odd = compare(e, LLVMIntNE, LLVMBuildAnd(e->b, c, emit_const(e, 32, 1), ""), emit_const(e, 32, 0));
    high = compare(e, LLVMIntNE, LLVMBuildAnd(e->b, c, emit_const(e, 32, 2), ""), emit_const(e, 32, 0));
    return choose(e, high, choose(e, odd, emit_const(e, 32, of[3]), emit_const(e, 32, of[2])),
                  choose(e, odd, emit_const(e, 32, of[1]), emit_const(e, 32, of[0])));
}

/* One selector for the whole warp: byte by byte, out of the 64 bits b:a. */
static V permute_scalar(struct emit *e, V a, V b, V c)
{
    V wide = LLVMBuildShl(e->b, LLVMBuildZExt(e->b, b, e->i64, ""), emit_i64(e, 32), ""), r = emit_i32(e, 0);

    wide = LLVMBuildOr(e->b, wide, LLVMBuildZExt(e->b, a, e->i64, ""), "");
    for (unsigned k = 0; k < 4; k++) {
        V nibble = LLVMBuildLShr(e->b, c, emit_i32(e, 4 * k), ""), by = LLVMBuildAnd(e->b, nibble, emit_i32(e, 7), ""), byte, sign;

        by = LLVMBuildZExt(e->b, LLVMBuildShl(e->b, by, emit_i32(e, 3), ""), e->i64, "");
        byte = LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, wide, by, ""), e->i8, "");
        sign = LLVMBuildAShr(e->b, byte, LLVMConstInt(e->i8, 7, false), "");
        byte = choose(e, compare(e, LLVMIntNE, LLVMBuildAnd(e->b, nibble, emit_i32(e, 8), ""), emit_i32(e, 0)), sign, byte);
        byte = LLVMBuildShl(e->b, LLVMBuildZExt(e->b, byte, e->i32, ""), emit_i32(e, 8 * k), "");
        r = LLVMBuildOr(e->b, r, byte, "");
    }
    return r;
}

static V shuffled_bytes(struct emit *e, V v, V pick)
{
    V args[2] = {v, pick};

    return emit_call(e, e->shape.isa == JIT_ISA_V4 ? "llvm.x86.avx512.pshuf.b.512" : "llvm.x86.avx2.pshuf.b", NULL, 0, args, 2);
}

/* n lanes: each byte's nibble becomes a byte, which picks from both words; of the two and the sign one is taken. */
static V permute_vector(struct emit *e, V a, V b, V c, unsigned n)
{
    LLVMTypeRef bytes = emit_many(e, 8, 4 * n);
    V word[VG_WARP], nibble, pick, far, sign, r, zero = LLVMConstNull(bytes);

    c = LLVMBuildAnd(e->b, c, emit_fill(e, 32, n, 0xffff), "");
    c = LLVMBuildAnd(e->b, LLVMBuildOr(e->b, c, LLVMBuildShl(e->b, c, emit_fill(e, 32, n, 8), ""), ""), emit_fill(e, 32, n, 0x00ff00ff), "");
    c = LLVMBuildAnd(e->b, LLVMBuildOr(e->b, c, LLVMBuildShl(e->b, c, emit_fill(e, 32, n, 4), ""), ""), emit_fill(e, 32, n, 0x0f0f0f0f), "");
    for (unsigned l = 0; l < n; l++)
        word[l] = emit_i32(e, l % 4 * 0x04040404u);
    pick = LLVMBuildOr(e->b, LLVMBuildAnd(e->b, c, emit_fill(e, 32, n, 0x03030303), ""), LLVMConstVector(word, n), "");
    pick = LLVMBuildBitCast(e->b, pick, bytes, "");
    nibble = LLVMBuildBitCast(e->b, c, bytes, "");
    far = compare(e, LLVMIntNE, LLVMBuildAnd(e->b, nibble, emit_fill(e, 8, 4 * n, 4), ""), zero);
    sign = compare(e, LLVMIntNE, LLVMBuildAnd(e->b, nibble, emit_fill(e, 8, 4 * n, 8), ""), zero);
    r = choose(e, far, shuffled_bytes(e, LLVMBuildBitCast(e->b, b, bytes, ""), pick), shuffled_bytes(e, LLVMBuildBitCast(e->b, a, bytes, ""), pick));
    r = choose(e, sign, LLVMBuildSExt(e->b, compare(e, LLVMIntSLT, r, zero), bytes, ""), r);
    return LLVMBuildBitCast(e->b, r, emit_many(e, 32, n), "");
}

static bool permute(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned n = emit_native(e);
    V s[3], parts[VG_WARP / 4];

    if (e->wide && e->shape.isa == JIT_ISA_BASE)
        return false; /* no instruction for it */
    for (unsigned k = 0; k < 3; k++)
        if (!(s[k] = emit_source(e, &i->ops[k + 1], 32)))
            return false;
    s[2] = selector(e, s[2]);
    if (!e->wide) {
        emit_result(e, &i->ops[0], permute_scalar(e, s[0], s[1], s[2]));
        return true;
    }
    for (unsigned h = 0; h < VG_WARP / n; h++)
        parts[h] = permute_vector(e, emit_part(e, s[0], h * n, n), emit_part(e, s[1], h * n, n), emit_part(e, s[2], h * n, n), n);
    emit_result(e, &i->ops[0], emit_join(e, parts, VG_WARP / n));
    return true;
}

static const struct {
    uint16_t op;
    uint32_t flags;
    emit_fn *emit;
} rows[] = {
    {PTX_OP_bfe, 0, extract}, {PTX_OP_bfi, 0, insert}, {PTX_OP_bmsk, 0, ones}, {PTX_OP_szext, 0, extend},
    {PTX_OP_bfind, PTX_FLAG_SHIFTAMT, find}, {PTX_OP_cnot, 0, is_zero}, {PTX_OP_sad, 0, distance}, {PTX_OP_prmt, 0, permute},
};

bool emit_fields(struct emit *e)
{
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (rows[k].op == e->insn->op)
            return !(e->insn->flags & ~rows[k].flags) && rows[k].emit(e);
    return false;
}
