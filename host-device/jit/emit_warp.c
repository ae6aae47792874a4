/* SPDX-License-Identifier: Apache-2.0 */
/* shfl, votes and redux: permutations of a vector and tests of a mask. Only for all lanes that there are; with
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
    there = emit_lanes(e, e->mask); /* a lane that has ended gives 0 */
    there = LLVMBuildShuffleVector(e->b, there, there, pattern, "");
    r = LLVMBuildSelect(e->b, there, r, emit_const(e, 32, 0), "");
    emit_result(e, &i->ops[0], r);
    emit_result(e, &i->dst2, LLVMConstVector(inside, VG_WARP));
    return true;
}

/* The same with a pattern that code computes. */
static bool shuffle_by(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V lane[VG_WARP], own, a, b, c, clamp, segment, first, last, j, inside, from, there, halves[2];

    if (!(i->flags & PTX_FLAG_SYNC) || i->nops != 5 || e->shape.isa != JIT_ISA_V4 || !is_for_all(e, &i->ops[4]) ||
        !(a = emit_source(e, &i->ops[1], 32)) || !(b = emit_source(e, &i->ops[2], 32)) || !(c = emit_source(e, &i->ops[3], 32)))
        return false;
    for (unsigned l = 0; l < VG_WARP; l++)
        lane[l] = emit_i32(e, l);
    own = LLVMConstVector(lane, VG_WARP);
    b = LLVMBuildAnd(e->b, b, emit_const(e, 32, 31), "");
    clamp = LLVMBuildAnd(e->b, c, emit_const(e, 32, 31), "");
    segment = LLVMBuildAnd(e->b, LLVMBuildLShr(e->b, c, emit_const(e, 32, 8), ""), emit_const(e, 32, 31), "");
    first = LLVMBuildAnd(e->b, own, segment, "");
    last = LLVMBuildOr(e->b, first, LLVMBuildAnd(e->b, clamp, LLVMBuildNot(e->b, segment, ""), ""), "");
    j = i->mode == PTX_mode_up ? LLVMBuildSub(e->b, own, b, "") : i->mode == PTX_mode_down ? LLVMBuildAdd(e->b, own, b, "")
      : i->mode == PTX_mode_bfly ? LLVMBuildXor(e->b, own, b, "")
      : LLVMBuildOr(e->b, first, LLVMBuildAnd(e->b, b, LLVMBuildNot(e->b, segment, ""), ""), "");
    inside = LLVMBuildICmp(e->b, i->mode == PTX_mode_up ? LLVMIntSGE : LLVMIntSLE, j, last, "");
    from = LLVMBuildSelect(e->b, inside, j, own, "");
    there = LLVMBuildLShr(e->b, emit_splat(e, e->mask), LLVMBuildAnd(e->b, from, emit_const(e, 32, 31), ""), "");
    there = LLVMBuildTrunc(e->b, there, emit_vector(e->i1), "");
    for (unsigned h = 0; h < 2; h++) {
        V args[3] = {emit_part(e, a, 0, 16), emit_part(e, from, 16 * h, 16), emit_part(e, a, 16, 16)};

        halves[h] = emit_call(e, "llvm.x86.avx512.vpermi2var.d.512", NULL, 0, args, 3);
    }
    emit_result(e, &i->ops[0], LLVMBuildSelect(e->b, there, emit_join(e, halves, 2), emit_const(e, 32, 0), ""));
    emit_result(e, &i->dst2, inside);
    return true;
}

/* Lanes that have ended give what changes nothing. */
static bool reduce(struct emit *e)
{
    static const struct {
        uint8_t operation;
        const char *name[2]; /* of unsigned, of signed numbers */
        uint32_t neutral[2];
    } rows[] = {
        {PTX_atom_add, {"llvm.vector.reduce.add", "llvm.vector.reduce.add"}, {0, 0}},
        {PTX_atom_min, {"llvm.vector.reduce.umin", "llvm.vector.reduce.smin"}, {~0u, 0x7fffffff}},
        {PTX_atom_max, {"llvm.vector.reduce.umax", "llvm.vector.reduce.smax"}, {0, 0x80000000}},
        {PTX_atom_and, {"llvm.vector.reduce.and", NULL}, {~0u, 0}}, {PTX_atom_or, {"llvm.vector.reduce.or", NULL}, {0, 0}},
        {PTX_atom_xor, {"llvm.vector.reduce.xor", NULL}, {0, 0}},
    };
    const struct ptx_insn *i = e->insn;
    bool with_sign = i->types[0] == PTX_TYPE_s32, wide = e->wide;
    LLVMTypeRef type = emit_vector(e->i32);
    unsigned row = 0;
    uint64_t members;
    V v, neutral;

    while (row < sizeof rows / sizeof *rows && rows[row].operation != i->atom)
        row++;
    if (row == sizeof rows / sizeof *rows || !rows[row].name[with_sign] || i->types[0] == PTX_TYPE_f32 || e->guard || i->nops != 3 ||
        !constant(e, &i->ops[2], &members) || (uint32_t)members != ~0u)
        return false;
    e->wide = true;
    v = emit_source(e, &i->ops[1], 32);
    neutral = emit_const(e, 32, rows[row].neutral[with_sign]);
    e->wide = wide;
    if (!v)
        return false;
    v = LLVMBuildSelect(e->b, emit_lanes(e, e->mask), v, neutral, "");
    emit_result(e, &i->ops[0], emit_call(e, rows[row].name[with_sign], &type, 1, &v, 1));
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
    case PTX_mode_uni:
        r = LLVMBuildOr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, votes, e->mask, ""), LLVMBuildICmp(e->b, LLVMIntEQ, votes, emit_i32(e, 0), ""), "");
        break;
    default:
        return false;
    }
    emit_result(e, &i->ops[0], r);
    return true;
}

/* bar.warp.sync: that all lanes are here has been seen to; there is nothing else to it. */
static bool meet(const struct emit *e)
{
    return e->insn->mode == PTX_mode_warp && is_for_all(e, &e->insn->ops[0]);
}

bool emit_warp(struct emit *e)
{
    switch (e->insn->op) {
    case PTX_OP_bar:
        return meet(e);
    case PTX_OP_shfl:
        return shuffle(e) || shuffle_by(e);
    case PTX_OP_vote:
        return vote(e);
    case PTX_OP_redux:
        return reduce(e);
    default:
        return false;
    }
}
