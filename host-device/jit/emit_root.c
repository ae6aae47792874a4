/* SPDX-License-Identifier: Apache-2.0 */
/* Where an address comes from: back from sum to sum to a register that the block does not make of another one and something known.
 * Accesses with the same root lie apart in a way that is known for each lane. */
#include "jit/emit_memory.h"

#include <stdlib.h>
#include <string.h>

static bool known_lanes(const struct emit *e, const struct ptx_operand *o, int64_t *lane)
{
    if (o->kind == PTX_OPERAND_IMM) {
        for (unsigned l = 0; l < VG_WARP; l++)
            lane[l] = o->imm;
        return true;
    }
    if (o->kind != PTX_OPERAND_REG || jit_is_vector(e->u, o->reg) || e->u->patterns[o->reg].align < 64 || !e->u->seen[o->reg] ||
        emit_reg_bits(e, o->reg) != 64)
        return false;
    memcpy(lane, e->u->patterns[o->reg].lane, sizeof e->u->patterns[0].lane);
    return true;
}

static int32_t named(const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_REG || o->kind == PTX_OPERAND_MEM ? o->reg : -1;
}

bool emit_root_begin(struct emit *e)
{
    uint32_t *last = malloc((e->f->nregs + 1) * sizeof *last);
    struct jit_regs r;

    if (!last)
        return false;
    memset(last, 0xff, (e->f->nregs + 1) * sizeof *last);
    for (uint32_t b = 0; b < e->flow->n; b++)
        for (uint32_t i = e->flow->blocks[b].first; i < e->flow->blocks[b].end; i++) {
            const struct ptx_insn *insn = &e->f->insns[i];

            for (unsigned k = 0; k < 2; k++) {
                int32_t reg = insn->nops > k + 1 ? named(&insn->ops[k + 1]) : -1;

                e->origin[i][k] = reg >= 0 && last[reg] >= e->flow->blocks[b].first && last[reg] < i ? last[reg] : JIT_NONE;
            }
            jit_regs_of(insn, &r);
            for (unsigned k = 0; k < r.n_written; k++)
                last[r.written[k]] = i;
        }
    free(last);
    return true;
}

/* One step back; false: the register is no sum. */
static bool step_back(const struct emit *e, struct access_root *r)
{
    const struct ptx_insn *i = &e->f->insns[r->def];
    const struct ptx_operand *from = &i->ops[1];
    int64_t lane[VG_WARP];
    int sign = i->op == PTX_OP_sub ? -1 : 1;

    if (i->guard >= 0 || i->flags & ~(uint32_t)PTX_FLAG_TO || ptx_type_bits[i->types[0]] != 64 || ptx_type_class[i->types[0]] == 'f')
        return false;
    switch (i->op) {
    case PTX_OP_mov:
    case PTX_OP_cvta:
        if (i->op == PTX_OP_cvta && i->space != PTX_SPACE_global)
            return false;
        memset(lane, 0, sizeof lane);
        break;
    case PTX_OP_add:
    case PTX_OP_sub:
        if (!known_lanes(e, &i->ops[2], lane)) {
            if (sign < 0 || !known_lanes(e, &i->ops[1], lane))
                return false;
            from = &i->ops[2];
        }
        break;
    default:
        return false;
    }
    if (from->kind != PTX_OPERAND_REG)
        return false;
    r->reg = from->reg;
    r->def = e->origin[r->def][from == &i->ops[2]];
    for (unsigned l = 0; l < VG_WARP; l++)
        r->plus[l] = (int64_t)((uint64_t)r->plus[l] + (uint64_t)(sign * lane[l]));
    return true;
}

bool access_find_root(const struct emit *e, uint32_t index, struct access_root *r)
{
    const struct ptx_operand *o = &e->f->insns[index].ops[1];
    const int64_t *lane;

    r->reg = o->reg;
    r->def = e->origin[index][0];
    for (unsigned l = 0; l < VG_WARP; l++)
        r->plus[l] = o->imm;
    while (r->def != JIT_NONE && step_back(e, r))
        ;
    if (jit_is_vector(e->u, r->reg) || e->u->patterns[r->reg].row)
        return false;
    lane = e->u->patterns[r->reg].lane;
    for (unsigned l = 0; l < VG_WARP; l++)
        r->plus[l] = (int64_t)((uint64_t)r->plus[l] + (uint64_t)lane[l] - (uint64_t)lane[0]);
    return true;
}
