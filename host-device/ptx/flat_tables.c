/* SPDX-License-Identifier: Apache-2.0 */
/* brx.idx as a tree of comparisons. An index outside the table meets the brx.idx that is left, which faults. */
#include "ptx/flat.h"

struct table_branch {
    struct ptx_edit *e;
    const struct ptx_insn *insn;
    const int32_t *targets;
};

static int32_t compare(struct table_branch *b, enum ptx_cmp relation, uint32_t with)
{
    struct ptx_insn i = ptx_insn_like(b->insn, PTX_OP_setp, PTX_TYPE_u32);

    i.cmp = (uint8_t)relation;
    i.nops = 3;
    i.ops[0] = ptx_operand_reg(ptx_flat_reg(b->e->flat, PTX_TYPE_pred));
    i.ops[1] = b->insn->ops[0];
    i.ops[2] = ptx_operand_imm(with);
    ptx_edit_add(b->e, &i);
    return i.ops[0].reg;
}

/* The index is in [first, end). */
static void choose(struct table_branch *b, uint32_t first, uint32_t end)
{
    uint32_t middle = (first + end) / 2, same = first;
    int32_t left;

    while (same < end && b->targets[same] == b->targets[first])
        same++;
    if (same == end) {
        ptx_edit_branch(b->e, b->targets[first], -1, false, b->insn);
        return;
    }
    left = ptx_edit_labels(b->e, 1);
    ptx_edit_branch(b->e, left, compare(b, PTX_cmp_lt, middle), false, b->insn);
    choose(b, middle, end);
    ptx_edit_place(b->e, left);
    choose(b, first, middle);
}

static void expand(struct ptx_edit *e, const struct ptx_insn *insn)
{
    const struct ptx_table *t = &e->flat->f.tables[insn->ops[1].sym];
    struct table_branch b = {e, insn, t->targets};
    struct ptx_insn outside = *insn;
    int32_t around = 0;

    if (insn->guard >= 0) {
        around = ptx_edit_labels(e, 1);
        ptx_edit_branch(e, around, insn->guard, !insn->guard_negated, insn);
    }
    outside.guard = compare(&b, PTX_cmp_ge, t->n);
    outside.guard_negated = false;
    ptx_edit_add(e, &outside);
    choose(&b, 0, t->n);
    if (insn->guard >= 0)
        ptx_edit_place(e, around);
}

static bool is_table_branch(const struct ptx_flat *flat, const struct ptx_insn *i)
{
    return i->op == PTX_OP_brx && i->ops[0].kind == PTX_OPERAND_REG && flat->f.tables[i->ops[1].sym].n;
}

bool ptx_flat_tables(struct ptx_flat *flat)
{
    const struct ptx_function *f = &flat->f;
    struct ptx_edit e;
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->ninsns; i++)
        n += is_table_branch(flat, &f->insns[i]);
    if (!n)
        return false;
    ptx_edit_begin(&e, flat);
    for (uint32_t i = 0; i < f->ninsns; i++) {
        ptx_edit_old(&e, i);
        if (is_table_branch(flat, &f->insns[i]))
            expand(&e, &f->insns[i]);
        else
            ptx_edit_add(&e, &f->insns[i]);
    }
    ptx_edit_end(&e);
    return true;
}
