/* SPDX-License-Identifier: Apache-2.0 */
/* shfl with a known pattern, and votes: permutations of a vector and tests of a mask. Only for all lanes that there are; with
 * any other member mask it is the operation that sorts out who takes part. */
#include "jit/emit.h"

typedef LLVMValueRef V;

/* A register with one definition, which moves an immediate into it, is that number. */
static bool constant(const struct emit *e, const struct ptx_operand *o, uint64_t *v)
{
    if (o->kind == PTX_OPERAND_REG && e->constant[o->reg]) {
        const struct ptx_insn *def = e->constant[o->reg];

        *v = (uint64_t)def->ops[1].imm;
        return true;
    }
    *v = (uint64_t)o->imm;
    return o->kind == PTX_OPERAND_IMM;
}

static bool is_for_all(const struct emit *e, const struct ptx_operand *members)
{
    uint64_t v;

    return e->wide && !e->guard && constant(e, members, &v) && (uint32_t)v == ~0u;
}

/* Where lane l reads, and whether that is inside its segment (as interp/lanes_warp.c). */
static uint32_t source_lane(unsigned mode, uint32_t l, uint32_t b, uint32_t c, bool *inside)
{
    uint32_t clamp = c & 31, segment = c >> 8 & 31, first = l & segment;
    int32_t last = (int32_t)(first | (clamp & ~segment)), j;

    b &= 31;
    j = mode == PTX_mode_up ? (int32_t)(l - b) : mode == PTX_mode_down ? (int32_t)(l + b)
      : mode == PTX_mode_bfly ? (int32_t)(l ^ b) : (int32_t)(first | (b & ~segment));
    *inside = mode == PTX_mode_up ? j >= last : j <= last;
    return *inside ? (uint32_t)j & 31 : l;
}

static bool shuffle(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V from[VG_WARP], inside[VG_WARP], a, r, pattern, there;
    uint64_t b, c;

    if (!(i->flags & PTX_FLAG_SYNC) || i->nops != 5 || !is_for_all(e, &i->ops[4]) || !constant(e, &i->ops[2], &b) ||
        !constant(e, &i->ops[3], &c) || !(a = emit_passed_source(e, &i->ops[0], &i->ops[1], 32)))
        return false;
    for (unsigned l = 0; l < VG_WARP; l++) {
        bool in;

        from[l] = emit_i32(e, source_lane(i->mode, l, (uint32_t)b, (uint32_t)c, &in));
        inside[l] = LLVMConstInt(e->i1, in, false);
    }
    pattern = LLVMConstVector(from, VG_WARP);
    r = LLVMBuildShuffleVector(e->b, a, a, pattern, "");
    there = emit_lanes(e, e->mask); /* a lane that has ended gives nothing: its reader keeps its own */
    there = LLVMBuildShuffleVector(e->b, there, there, pattern, "");
    r = LLVMBuildSelect(e->b, there, r, a, "");
    emit_result(e, &i->ops[0], r);
    emit_result(e, &i->dst2, LLVMConstVector(inside, VG_WARP));
    return true;
}

static bool vote(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V p, votes, r;
    uint64_t members;

    if (!(i->flags & PTX_FLAG_SYNC) || i->nops != 3 || e->guard || !constant(e, &i->ops[2], &members) || (uint32_t)members != ~0u)
        return false;
    e->wide = true;
    p = emit_source(e, &i->ops[1], 1);
    e->wide = false;
    if (!p)
        return false;
    votes = LLVMBuildAnd(e->b, emit_bits(e, p), e->mask, "");
    switch (i->mode) {
    case PTX_mode_ballot:
        r = votes;
        break;
    case PTX_mode_any:
        r = LLVMBuildICmp(e->b, LLVMIntNE, votes, emit_i32(e, 0), "");
        break;
    case PTX_mode_all:
        r = LLVMBuildICmp(e->b, LLVMIntEQ, votes, e->mask, "");
        break;
    default:
        return false;
    }
    emit_result(e, &i->ops[0], r);
    return true;
}

bool emit_warp(struct emit *e)
{
    return e->insn->op == PTX_OP_shfl ? shuffle(e) : e->insn->op == PTX_OP_vote && vote(e);
}
