/* SPDX-License-Identifier: Apache-2.0 */
/* dp4a: four products of bytes added to a word; dp2a: two of halves by bytes. With VNNI one instruction multiplies unsigned by signed bytes; signed ones become
 * unsigned by adding 128 to each, which the same instruction takes off again: (a + 128) . b - 128 . b. */
#include "jit/emit.h"

typedef LLVMValueRef V;

static bool has_vnni(const struct emit *e)
{
    return e->wide && e->shape.isa == JIT_ISA_V4 && e->shape.extensions & JIT_EXT_avx512vnni;
}

static V half_of(struct emit *e, V v, unsigned half)
{
    V pick[16];

    for (unsigned k = 0; k < 16; k++)
        pick[k] = emit_i32(e, 16 * half + k);
    return LLVMBuildShuffleVector(e->b, v, v, LLVMConstVector(pick, 16), "");
}

/* c + u . s by bytes: u unsigned, s signed. */
static V dot_vnni(struct emit *e, V c, V u, V s)
{
    V halves[2], pick[VG_WARP];

    for (unsigned h = 0; h < 2; h++) {
        V args[3] = {half_of(e, c, h), half_of(e, u, h), half_of(e, s, h)};

        halves[h] = emit_call(e, "llvm.x86.avx512.vpdpbusd.512", NULL, 0, args, 3);
    }
    for (unsigned k = 0; k < VG_WARP; k++)
        pick[k] = emit_i32(e, k);
    return LLVMBuildShuffleVector(e->b, halves[0], halves[1], LLVMConstVector(pick, VG_WARP), "");
}

/* Byte k, extended. */
static V byte_of(struct emit *e, V v, unsigned k, bool with_sign)
{
    V up = LLVMBuildShl(e->b, v, emit_const(e, 32, 24 - 8 * k), "");

    return with_sign ? LLVMBuildAShr(e->b, up, emit_const(e, 32, 24), "") : LLVMBuildLShr(e->b, up, emit_const(e, 32, 24), "");
}

/* Half k. */
static V half_word(struct emit *e, V v, unsigned k, bool with_sign)
{
    V up = k ? v : LLVMBuildShl(e->b, v, emit_const(e, 32, 16), "");

    return with_sign ? LLVMBuildAShr(e->b, up, emit_const(e, 32, 16), "") : LLVMBuildLShr(e->b, up, emit_const(e, 32, 16), "");
}

/* Halves of a by the lower or upper bytes of b. */
static V dot_of_two(struct emit *e, V c, V a, V b, bool sa, bool sb)
{
    unsigned first = e->insn->mul == PTX_mul_hi ? 2 : 0;

    for (unsigned k = 0; k < 2; k++)
        c = LLVMBuildAdd(e->b, c, LLVMBuildMul(e->b, half_word(e, a, k, sa), byte_of(e, b, first + k, sb), ""), "");
    return c;
}

bool emit_dot(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    bool sa = i->types[0] == PTX_TYPE_s32, sb = i->types[1] == PTX_TYPE_s32;
    V a, b, c;

    if ((i->op != PTX_OP_dp4a && i->op != PTX_OP_dp2a) || i->nops != 4 || i->flags)
        return false;
    a = emit_source(e, &i->ops[1], 32);
    b = emit_source(e, &i->ops[2], 32);
    c = emit_source(e, &i->ops[3], 32);
    if (!a || !b || !c)
        return false;
    if (i->op == PTX_OP_dp2a) {
        c = dot_of_two(e, c, a, b, sa, sb);
    } else if (has_vnni(e) && sa && sb) {
        V bias = emit_const(e, 32, 0x80808080);

        c = LLVMBuildSub(e->b, c, dot_vnni(e, emit_const(e, 32, 0), bias, b), "");
        c = dot_vnni(e, c, LLVMBuildXor(e->b, a, bias, ""), b);
    } else {
        for (unsigned k = 0; k < 4; k++)
            c = LLVMBuildAdd(e->b, c, LLVMBuildMul(e->b, byte_of(e, a, k, sa), byte_of(e, b, k, sb), ""), "");
    }
    emit_result(e, &i->ops[0], c);
    return true;
}
