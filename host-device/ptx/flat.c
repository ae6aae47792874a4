/* SPDX-License-Identifier: Apache-2.0 */
/* The drive through the passes, and what they edit a body with. */
#include "ptx/flat.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (256u << 20)
#define LABEL (1 << 30) /* branch targets from here on are labels */

void *ptx_flat_keep(struct ptx_flat *flat, size_t n, size_t size)
{
    void *p = ptx_arena_alloc(flat->arena, n ? n : 1, size);

    if (!p)
        longjmp(flat->fail, 1);
    return p;
}

void *ptx_flat_grow(struct ptx_flat *flat, void *array, uint32_t n, uint32_t *room, size_t size)
{
    uint32_t more = 2 * n + 16;
    void *p;

    if (n < *room)
        return array;
    p = ptx_flat_keep(flat, more, size);
    if (n)
        memcpy(p, array, n * size);
    *room = more;
    return p;
}

int32_t ptx_flat_reg(struct ptx_flat *flat, uint8_t type)
{
    struct ptx_function *f = &flat->f;

    f->regs = ptx_flat_grow(flat, f->regs, f->nregs, &flat->reg_room, sizeof *f->regs);
    f->regs[f->nregs] = (struct ptx_reg){"%flat", type};
    return (int32_t)f->nregs++;
}

struct ptx_insn ptx_insn_like(const struct ptx_insn *like, enum ptx_op op, uint8_t type)
{
    struct ptx_insn i = {.op = (uint16_t)op, .ntypes = type != PTX_TYPE_NONE, .types = {type}, .guard = -1, .line = like->line, .loc = like->loc};

    for (unsigned k = 0; k < PTX_MAX_OPERANDS; k++)
        i.ops[k].reg = i.ops[k].sym = -1;
    i.dst2.reg = i.dst2.sym = -1;
    return i;
}

struct ptx_insn ptx_insn_move(const struct ptx_insn *like, uint8_t type, struct ptx_operand to, struct ptx_operand from)
{
    struct ptx_insn i = ptx_insn_like(like, PTX_OP_mov, type);

    i.vec = 1;
    i.nops = 2;
    i.guard = like->guard;
    i.guard_negated = like->guard_negated;
    i.ops[0] = to;
    i.ops[1] = from;
    return i;
}

/* ---- Editing ---- */

void ptx_edit_begin(struct ptx_edit *e, struct ptx_flat *flat)
{
    *e = (struct ptx_edit){.flat = flat};
    e->at = ptx_flat_keep(flat, flat->f.ninsns + 1, sizeof *e->at);
}

void ptx_edit_old(struct ptx_edit *e, uint32_t i)
{
    e->at[i] = e->n;
}

void ptx_edit_add(struct ptx_edit *e, const struct ptx_insn *insn)
{
    e->out = ptx_flat_grow(e->flat, e->out, e->n, &e->room, sizeof *e->out);
    e->out[e->n++] = *insn;
}

int32_t ptx_edit_labels(struct ptx_edit *e, uint32_t n)
{
    int32_t first = (int32_t)(LABEL + e->n_labels);

    for (uint32_t k = 0; k < n; k++) {
        e->labels = ptx_flat_grow(e->flat, e->labels, e->n_labels, &e->label_room, sizeof *e->labels);
        e->labels[e->n_labels++] = 0;
    }
    return first;
}

void ptx_edit_place(struct ptx_edit *e, int32_t label)
{
    e->labels[label - LABEL] = e->n;
}

void ptx_edit_branch(struct ptx_edit *e, int32_t to, int32_t guard, bool negated, const struct ptx_insn *like)
{
    struct ptx_insn i = ptx_insn_like(like, PTX_OP_bra, PTX_TYPE_NONE);

    i.nops = 1;
    i.guard = guard;
    i.guard_negated = negated;
    i.ops[0] = (struct ptx_operand){.kind = PTX_OPERAND_LABEL, .reg = -1, .sym = to};
    ptx_edit_add(e, &i);
}

static int32_t resolve(const struct ptx_edit *e, int32_t target)
{
    return (int32_t)(target >= LABEL ? e->labels[target - LABEL] : e->at[target]);
}

void ptx_edit_end(struct ptx_edit *e)
{
    struct ptx_function *f = &e->flat->f;
    struct ptx_table *tables = ptx_flat_keep(e->flat, f->ntables, sizeof *tables);

    e->at[f->ninsns] = e->n;
    for (uint32_t i = 0; i < e->n; i++)
        if (e->out[i].op == PTX_OP_bra)
            e->out[i].ops[0].sym = resolve(e, e->out[i].ops[0].sym);
    for (uint32_t t = 0; t < f->ntables; t++) {
        tables[t] = f->tables[t];
        if (tables[t].kind != 'b')
            continue;
        tables[t].targets = ptx_flat_keep(e->flat, tables[t].n, sizeof *tables[t].targets);
        for (uint32_t k = 0; k < tables[t].n; k++)
            tables[t].targets[k] = resolve(e, f->tables[t].targets[k]);
    }
    f->tables = tables;
    e->flat->table_room = f->ntables;
    f->insns = e->out;
    f->ninsns = e->n;
}

/* ---- A kernel ---- */

static bool run_passes(struct ptx_flat *flat)
{
    bool changed = ptx_flat_inline(flat);

    changed |= ptx_flat_promote(flat);
    changed |= ptx_flat_pairs(flat);
    changed |= ptx_flat_tables(flat);
    changed |= ptx_flat_reduce(flat);
    return changed;
}

bool ptx_flat_new(const struct ptx_module *m, const struct ptx_function *f, struct ptx_flat **result)
{
    struct ptx_flat *volatile flat = calloc(1, sizeof *flat);
    volatile bool changed = false, good = true;

    *result = NULL;
    if (!flat)
        return false;
    flat->m = *m;
    flat->f = *f;
    flat->arena = ptx_arena_new(ARENA_LIMIT);
    if (!flat->arena) {
        free(flat);
        return false;
    }
    if (!setjmp(flat->fail))
        changed = run_passes(flat);
    else
        good = false;
    if (changed)
        *result = flat;
    else
        ptx_flat_free(flat);
    return good;
}

void ptx_flat_free(struct ptx_flat *flat)
{
    if (!flat)
        return;
    ptx_arena_free(flat->arena);
    free(flat);
}
