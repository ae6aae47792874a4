/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on numbers of many words (PTX ISA 9.7.2): add.cc, addc, sub.cc, subc, mad.cc and madc. The condition code, a bit a lane, is
 * where operations and the interpreter look for it: in the warp's frame. */
#include "jit/emit.h"

typedef LLVMValueRef V;

static V condition_code(struct emit *e)
{
    return emit_at(e, e->field[JIT_ENV_frame], FRAME_CARRY);
}

/* 0 or 1; a scalar where all lanes that run have the same. */
static V carry_in(struct emit *e, unsigned bits)
{
    V lanes = LLVMBuildLoad2(e->b, e->i32, condition_code(e), "");

    if (e->wide)
        return LLVMBuildZExt(e->b, emit_lanes(e, lanes), emit_type(e, bits), "");
    lanes = LLVMBuildLShr(e->b, lanes, emit_first_lane(e, e->mask), "");
    return LLVMBuildZExt(e->b, LLVMBuildTrunc(e->b, lanes, e->i1, ""), emit_type(e, bits), "");
}

static void set_carry(struct emit *e, V out)
{
    V lanes = e->wide ? emit_bits(e, out) : LLVMBuildSExt(e->b, out, e->i32, ""), at = condition_code(e), others;

    if (!emit_is_full(e->mask)) {
        others = LLVMBuildAnd(e->b, LLVMBuildLoad2(e->b, e->i32, at, ""), LLVMBuildNot(e->b, e->mask, ""), "");
        lanes = LLVMBuildOr(e->b, LLVMBuildAnd(e->b, lanes, e->mask, ""), others, "");
    }
    LLVMBuildStore(e->b, lanes, at);
}

static bool is_sum(const struct ptx_insn *i, bool *product, bool *minus, bool *takes)
{
    static const struct { uint16_t op; bool product, minus, takes; } rows[] = {
        {PTX_OP_add, false, false, false}, {PTX_OP_addc, false, false, true}, {PTX_OP_sub, false, true, false},
        {PTX_OP_subc, false, true, true}, {PTX_OP_mad, true, false, false}, {PTX_OP_madc, true, false, true},
    };

    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (rows[k].op == i->op) {
            *product = rows[k].product;
            *minus = rows[k].minus;
            *takes = rows[k].takes;
            return *takes || i->flags & PTX_FLAG_CC;
        }
    return false;
}

/* x + y + carry, or x - y - borrow; each of the two steps may carry, and never both. */
bool emit_carry(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]], n;
    bool product, minus, takes;
    V s[3], x, y, r, out, in;

    if (!is_sum(i, &product, &minus, &takes) || i->flags & ~PTX_FLAG_CC || (bits != 32 && bits != 64) || i->nops != 3u + product ||
        (product && i->mul != PTX_mul_lo && i->mul != PTX_mul_hi))
        return false;
    n = 2 + product;
    for (unsigned k = 0; k < n; k++)
        if (!(s[k] = emit_source(e, &i->ops[k + 1], bits)))
            return false;
    x = product ? emit_product(e, s[0], s[1]) : s[0];
    y = s[n - 1];
    r = minus ? LLVMBuildSub(e->b, x, y, "") : LLVMBuildAdd(e->b, x, y, "");
    out = LLVMBuildICmp(e->b, LLVMIntULT, minus ? x : r, minus ? y : x, "");
    if (takes) {
        in = carry_in(e, bits);
        x = r;
        r = minus ? LLVMBuildSub(e->b, x, in, "") : LLVMBuildAdd(e->b, x, in, "");
        out = LLVMBuildOr(e->b, out, LLVMBuildICmp(e->b, LLVMIntULT, minus ? x : r, in, ""), "");
    }
    if (i->flags & PTX_FLAG_CC)
        set_carry(e, out);
    emit_result(e, &i->ops[0], r);
    return true;
}
