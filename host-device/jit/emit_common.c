/* SPDX-License-Identifier: Apache-2.0 */
/* What all warps of a block compute alike: parameters, the block's number, and integers that are made of these. Code that takes one
 * warp after another computes them once, before the first; they live on in the CPU's registers or on the stack, and no barrier has
 * to keep them for anybody. Not floats: these are mostly wanted in all lanes, as vectors, which no call lets live. Where a kernel
 * would come to them only by some of its ways they are computed for nothing, which is why nothing is among them that takes longer
 * than a product. */
#include "jit/emit.h"

#include <string.h>

/* ---- Which instructions ---- */

static bool is_integer(const struct ptx_insn *i)
{
    for (unsigned k = 0; k < i->ntypes; k++)
        if (!strchr("bsu", ptx_type_class[i->types[k]]) || ptx_type_bits[i->types[k]] < 16 || ptx_type_bits[i->types[k]] > 64)
            return false;
    return i->ntypes && !(i->flags & ~(i->op == PTX_OP_cvta ? PTX_FLAG_TO : 0u));
}

static bool is_cheap(const struct emit *e, const struct ptx_insn *i)
{
    const struct ptx_symbol *s = i->nops > 1 && i->ops[1].sym >= 0 ? &e->flow->m->symbols[i->ops[1].sym] : NULL;

    switch (i->op) {
    case PTX_OP_ld:
        return i->vec <= 1 && i->ops[1].kind == PTX_OPERAND_MEM && i->ops[1].reg < 0 && s && s->space == PTX_SPACE_param &&
               (uint32_t)i->ops[1].sym - e->f->first_param < e->f->nparams && is_integer(i);
    case PTX_OP_mov: case PTX_OP_add: case PTX_OP_sub: case PTX_OP_mul: case PTX_OP_mad: case PTX_OP_shl: case PTX_OP_shr:
    case PTX_OP_and: case PTX_OP_or: case PTX_OP_xor: case PTX_OP_not: case PTX_OP_neg: case PTX_OP_min: case PTX_OP_max:
    case PTX_OP_cvt: case PTX_OP_cvta: case PTX_OP_setp: case PTX_OP_selp:
        return is_integer(i);
    default:
        return false;
    }
}

static bool is_common_source(const struct emit *e, const struct ptx_operand *o)
{
    const struct ptx_symbol *s = o->kind == PTX_OPERAND_SYM ? &e->flow->m->symbols[o->sym] : NULL;

    switch (o->kind) {
    case PTX_OPERAND_REG:
        return e->common[o->reg] || e->constant[o->reg];
    case PTX_OPERAND_IMM:
        return true;
    case PTX_OPERAND_SREG:
        return o->sreg == PTX_SREG_ctaid || (o->sreg == PTX_SREG_ntid && o->component < 3);
    case PTX_OPERAND_SYM:
        return s->space == PTX_SPACE_shared && ptx_shared_offset(e->f, o->sym) >= 0;
    default:
        return false;
    }
}

static bool is_scalar(const struct emit *e, int32_t reg)
{
    const struct jit_uniform *copies[2] = {e->u, e->other.u ? e->other.u : e->u};

    for (unsigned k = 0; k < 2; k++)
        if (jit_varies(copies[k], reg) || jit_row(copies[k], reg))
            return false;
    return true;
}

static bool is_common(const struct emit *e, const struct ptx_insn *i)
{
    int32_t reg = i->nops && i->ops[0].kind == PTX_OPERAND_REG ? i->ops[0].reg : -1;

    if (reg < 0 || i->guard >= 0 || i->dst2.kind != PTX_OPERAND_NONE || !is_cheap(e, i) || !e->read[reg] || e->written[reg] > 1 || e->constant[reg] ||
        !is_scalar(e, reg) || jit_test(e->flow->live_in, (uint32_t)reg))
        return false;
    for (unsigned k = 1; k < i->nops; k++)
        if (i->op != PTX_OP_ld && !is_common_source(e, &i->ops[k]))
            return false;
    return true;
}

/* In this order what a value is made of comes before it: a definition that reaches every use is in a block before the use's. */
void emit_find_common(struct emit *e)
{
    for (uint32_t b = 0; b < e->flow->n && e->takes_all; b++)
        for (uint32_t k = e->flow->blocks[b].first; k < e->flow->blocks[b].end; k++) {
            const struct ptx_insn *i = &e->f->insns[k];

            if (is_common(e, i)) {
                e->common[i->ops[0].reg] = true;
                e->brief[i->ops[0].reg] = false;
            }
        }
}

/* ---- Their values ---- */

bool emit_is_common(const struct emit *e, const struct ptx_insn *i)
{
    return i->nops && i->ops[0].kind == PTX_OPERAND_REG && e->common[i->ops[0].reg];
}

/* What has no code of its own here is left to each warp, and with it all that is made of it. */
void emit_common(struct emit *e)
{
    e->before = true;
    e->block_mask = emit_i32(e, ~0u);
    for (uint32_t b = 0; b < e->flow->n; b++)
        for (uint32_t k = e->flow->blocks[b].first; k < e->flow->blocks[b].end; k++) {
            e->block = b;
            e->index = k;
            e->insn = &e->f->insns[k];
            if (!emit_is_common(e, e->insn))
                continue;
            e->left_out = !is_common(e, e->insn);
            if (!e->left_out)
                emit_insn(e);
            e->common[e->insn->ops[0].reg] = !e->left_out;
        }
    e->before = false;
}
