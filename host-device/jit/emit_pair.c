/* SPDX-License-Identifier: Apache-2.0 */
/* Two stores by which each lane writes two neighbours: lanes leave gaps in both, and together they are a row. The first waits for the
 * second, past computations and past loads, of which code makes sure that they are of other memory. */
#include <string.h>

#include "jit/emit_pattern.h"

#define DISTANCE 48 /* instructions between the two */

static bool writes(const struct ptx_insn *i, int32_t reg)
{
    struct jit_regs r;

    jit_regs_of(i, &r);
    for (unsigned k = 0; k < r.n_written; k++)
        if (r.written[k] == reg)
            return true;
    return false;
}

static bool is_weak(const struct ptx_insn *i)
{
    return i->sem == PTX_sem_none || i->sem == PTX_sem_weak;
}

/* Every other place, of one element each. */
static bool leaves_gaps(const struct access *a, const struct places *p)
{
    if (a->n > 1 || p->lanes != VG_WARP)
        return false;
    for (unsigned l = 0; l < VG_WARP; l++)
        if (p->at[l] != (int64_t)(2 * l * a->bytes))
            return false;
    return true;
}

/* The instruction stores to the gaps of the other. */
static bool fills(const struct ptx_insn *i, const struct ptx_insn *other)
{
    const struct ptx_operand *o = &i->ops[0], *p = &other->ops[0];
    int64_t bytes = ptx_type_bits[i->types[0]] / 8;

    return i->op == PTX_OP_st && i->guard < 0 && is_weak(i) && i->space == other->space && i->types[0] == other->types[0] && i->vec <= 1 &&
           o->kind == PTX_OPERAND_MEM && o->reg == p->reg && o->sym < 0 && (o->imm - p->imm == bytes || p->imm - o->imm == bytes) &&
           (i->ops[1].kind == PTX_OPERAND_REG || i->ops[1].kind == PTX_OPERAND_IMM);
}

/* Memory that nobody writes during the launch, or none of the device's. */
static bool reads_elsewhere(const struct ptx_insn *i)
{
    return i->space == PTX_SPACE_param || i->space == PTX_SPACE_shared || (i->space == PTX_SPACE_global && i->flags & PTX_FLAG_NC);
}

/* ---- A load in between ---- */

/* Whether what it reads lies apart from [low, low + span): i1, or NULL when that is not known here. */
static V lies_apart(struct emit *e, uint32_t load, V low, uint64_t span)
{
    const struct ptx_insn *back = e->insn, *i = &e->f->insns[load];
    const struct ptx_operand *o = &i->ops[1], *data = &i->ops[0];
    struct access b = {.n = data->kind == PTX_OPERAND_VEC ? data->n : 1, .bytes = ptx_type_bits[i->types[0]] / 8};
    uint32_t index = e->index;
    struct places q;
    V apart = NULL;

    if (o->kind != PTX_OPERAND_MEM || o->reg < 0 || o->sym >= 0 || jit_is_vector(e->u, o->reg) || !b.bytes)
        return NULL;
    for (uint32_t k = e->index; k < load; k++)
        if (writes(&e->f->insns[k], o->reg))
            return NULL;
    b.total = b.n * b.bytes;
    e->insn = i;
    e->index = load;
    if (access_find_address(e, &b, true) && !b.shared && (b.pattern ? places_find(&b, &q) && q.lanes == VG_WARP : !b.varies)) {
        uint64_t more = b.pattern ? q.span[0] : b.total;
        V first = access_widen(e, b.offset);

        if (b.pattern)
            first = LLVMBuildSub(e->b, first, emit_i64(e, (uint64_t)q.first[0]), "");
        first = LLVMBuildAdd(e->b, LLVMBuildSub(e->b, first, low, ""), emit_i64(e, more - 1), "");
        apart = LLVMBuildICmp(e->b, LLVMIntUGE, first, emit_i64(e, more + span - 1), "");
    }
    e->insn = back;
    e->index = index;
    return apart;
}

/* ---- The two ---- */

/* The store that fills this one's gaps, and when the two may be one: i1. 0: none. */
static uint32_t find_second(struct emit *e, const struct access *a, V low, uint64_t span, V *cond)
{
    const struct ptx_insn *first = e->insn;
    uint32_t end = e->flow->blocks[e->block].end;

    for (uint32_t k = e->index + 1; k < end && k - e->index < DISTANCE; k++) {
        const struct ptx_insn *i = &e->f->insns[k];
        V apart;

        if (fills(i, first))
            return k;
        if (writes(i, first->ops[0].reg) || (a->data->kind == PTX_OPERAND_REG && writes(i, a->data->reg)))
            return 0;
        if (i->op == PTX_OP_ld && is_weak(i)) {
            if (reads_elsewhere(i))
                continue;
            if (!(apart = lies_apart(e, k, low, span)))
                return 0;
            *cond = LLVMBuildAnd(e->b, *cond, apart, "");
        } else if (!emit_is_pure(i)) {
            return 0;
        }
    }
    return 0;
}

static bool begin(struct emit *e, struct access *a, struct places *p)
{
    uint64_t span = p->span[0] + a->bytes;
    V low, good = LLVMConstInt(e->i1, 1, false);
    LLVMBasicBlockRef alone, on;
    uint32_t second;

    places_offsets(e, a, p);
    low = LLVMBuildSub(e->b, p->low[0], emit_i64(e, a->bytes), ""); /* whichever way: one element more, either side */
    second = find_second(e, a, low, span + a->bytes, &good);
    if (!second)
        return false;
    if (e->f->insns[second].ops[0].imm > e->insn->ops[0].imm)
        low = p->low[0];
    good = LLVMBuildAnd(e->b, good, access_fits(e, a, low, span), "");
    good = LLVMBuildAnd(e->b, good, LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildAnd(e->b, low, emit_i64(e, 2 * a->bytes - 1), ""), emit_i64(e, 0), ""), "");
    e->pair = (struct emit_two){.copy = e->u, .first = e->index, .second = second, .good = good, .low = LLVMBuildAdd(e->b, a->base, low, "")};
    alone = emit_block(e, "alone");
    on = emit_block(e, "on");
    emit_branch(e, good, on, alone);
    LLVMPositionBuilderAtEnd(e->b, alone);
    if (!pattern_alone(e, a))
        emit_fail(e, "a store that was found is none");
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, on);
    return true;
}

/* Both rows, element by element, for the first instruction's sake where the hardware stops it: a pair lies in one page. */
static void store_both(struct emit *e, const struct access *a)
{
    const struct ptx_insn *first = &e->f->insns[e->pair.first];
    bool later = e->insn->ops[0].imm > first->ops[0].imm;
    struct access b = *a;
    unsigned pick[2 * VG_WARP];
    uint32_t index = e->index;
    V own, other;

    b.data = &first->ops[1];
    own = access_to_memory(e, a, access_data(e, a, 0, true), true);
    other = access_to_memory(e, &b, access_data(e, &b, 0, true), true);
    for (unsigned l = 0; l < VG_WARP; l++) {
        pick[2 * l] = l;
        pick[2 * l + 1] = VG_WARP + l;
    }
    own = later ? emit_shuffle(e, other, own, pick, 2 * VG_WARP) : emit_shuffle(e, own, other, pick, 2 * VG_WARP);
    e->index = e->pair.first;
    emit_note(e, 2 * a->bytes, 2 * a->bytes, NULL, e->pair.low);
    e->index = index;
    emit_stream_store(e, own, access_pointer(e, e->pair.low), 2 * a->bytes);
}

static void end(struct emit *e, struct access *a)
{
    LLVMBasicBlockRef both = emit_block(e, "both"), alone = emit_block(e, "alone"), on = emit_block(e, "on");

    emit_branch(e, e->pair.good, both, alone);
    LLVMPositionBuilderAtEnd(e->b, both);
    store_both(e, a);
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, alone);
    if (!pattern_alone(e, a))
        emit_fail(e, "a store that was found is none");
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, on);
}

bool emit_pair(struct emit *e, struct access *a)
{
    struct places p;

    if (!emit_is_full(e->mask) || e->insn->op != PTX_OP_st || a->shared || !places_find(a, &p) || !leaves_gaps(a, &p))
        return false;
    if (e->pair.second == e->index && e->pair.copy == e->u) {
        end(e, a);
        return true;
    }
    return begin(e, a, &p);
}
