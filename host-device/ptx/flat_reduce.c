/* SPDX-License-Identifier: Apache-2.0 */
/* Loops with several entries get one: a block that dispatches. Whoever goes to an entry notes which one it is and goes there.
 *
 * Loops are strongly connected components; the loops inside one are those that are left when nothing leads back to its entries. */
#include "ptx/flat.h"

#include <stdlib.h>

#define NONE UINT32_MAX
#define MOST_BLOCKS 8192u     /* of a kernel that is looked into */

struct node {
    uint32_t first, end;      /* instructions */
    uint32_t succ[2];         /* where its branch goes, what comes behind it; NONE */
    bool cut[2];              /* this edge leads to the entry of a loop that has been dealt with */
    uint32_t by[2];           /* it goes by this dispatcher */
    uint32_t component;       /* the innermost that is known so far */
    uint32_t number, low;     /* Tarjan's; number 0: not met yet */
    bool reached, open;
};

struct dispatcher {
    uint32_t *entries, n;     /* blocks, the earliest first */
    int32_t label, reg;       /* it tells them apart by a register */
};

struct reduce {
    struct ptx_flat *flat;
    struct node *nodes;
    uint32_t n;
    uint32_t *of;             /* block by instruction */
    uint32_t *stack;          /* blocks to look at */
    uint32_t components;
    struct dispatcher *dispatchers;
    uint32_t n_dispatchers, room;
    uint32_t start_by;        /* the kernel's own beginning is an entry of this one's loop */
};

/* ---- Blocks ---- */

static bool ends_lanes(const struct ptx_insn *i)
{
    return i->op == PTX_OP_ret || i->op == PTX_OP_exit;
}

static void find_blocks(struct reduce *r)
{
    const struct ptx_function *f = &r->flat->f;
    uint8_t *leader = ptx_flat_keep(r->flat, f->ninsns + 2, 1);

    leader[0] = 1;
    for (uint32_t i = 0; i < f->ninsns; i++) {
        if (f->insns[i].op == PTX_OP_bra)
            leader[f->insns[i].ops[0].sym] = 1;
        if (f->insns[i].op == PTX_OP_bra || ends_lanes(&f->insns[i]))
            leader[i + 1] = 1;
    }
    r->of = ptx_flat_keep(r->flat, f->ninsns + 1, sizeof *r->of);
    r->nodes = ptx_flat_keep(r->flat, f->ninsns + 1, sizeof *r->nodes);
    for (uint32_t i = 0; i < f->ninsns; i++) {
        if (leader[i])
            r->nodes[r->n++] = (struct node){.first = i, .by = {NONE, NONE}};
        r->nodes[r->n - 1].end = i + 1;
        r->of[i] = r->n - 1;
    }
    r->stack = ptx_flat_keep(r->flat, r->n, sizeof *r->stack);
    for (uint32_t k = 0; k < r->n; k++) {
        struct node *x = &r->nodes[k];
        const struct ptx_insn *last = &f->insns[x->end - 1];

        x->succ[0] = last->op == PTX_OP_bra && (uint32_t)last->ops[0].sym < f->ninsns ? r->of[last->ops[0].sym] : NONE;
        x->succ[1] = x->end == f->ninsns || ((last->op == PTX_OP_bra || ends_lanes(last)) && last->guard < 0) ? NONE : k + 1;
    }
}

static void find_reached(struct reduce *r)
{
    uint32_t n = 0;

    r->nodes[0].reached = true;
    r->stack[n++] = 0;
    while (n) {
        const struct node *x = &r->nodes[r->stack[--n]];

        for (unsigned s = 0; s < 2; s++)
            if (x->succ[s] != NONE && !r->nodes[x->succ[s]].reached) {
                r->nodes[x->succ[s]].reached = true;
                r->stack[n++] = x->succ[s];
            }
    }
}

/* ---- Components ---- */

struct tarjan {
    struct reduce *r;
    uint32_t component;       /* that is taken apart */
    uint32_t *path, depth;    /* blocks on the way, and each one's next edge */
    uint32_t *open, n_open;
    uint32_t *order, n_order; /* all blocks, those of a component together */
    uint32_t count;
};

static void enter(struct tarjan *t, uint32_t k)
{
    struct node *x = &t->r->nodes[k];

    x->number = x->low = ++t->count;
    x->open = true;
    t->open[t->n_open++] = k;
    t->path[2 * t->depth] = k;
    t->path[2 * t->depth++ + 1] = 0;
}

static void leave(struct tarjan *t, uint32_t k)
{
    struct reduce *r = t->r;
    struct node *x = &r->nodes[k];
    uint32_t y;

    t->depth--;
    if (t->depth && r->nodes[t->path[2 * t->depth - 2]].low > x->low)
        r->nodes[t->path[2 * t->depth - 2]].low = x->low;
    if (x->low != x->number)
        return;
    r->components++;
    do {
        y = t->open[--t->n_open];
        r->nodes[y].open = false;
        r->nodes[y].component = r->components;
        t->order[t->n_order++] = y;
    } while (y != k);
}

static void search(struct tarjan *t, uint32_t root)
{
    struct reduce *r = t->r;

    enter(t, root);
    while (t->depth) {
        uint32_t k = t->path[2 * t->depth - 2], s = t->path[2 * t->depth - 1]++, to;
        struct node *x = &r->nodes[k];

        if (s == 2) {
            leave(t, k);
            continue;
        }
        to = x->succ[s];
        if (to == NONE || x->cut[s])
            continue;
        if (r->nodes[to].open) {
            if (r->nodes[to].number < x->low)
                x->low = r->nodes[to].number;
        } else if (r->nodes[to].component == t->component && !r->nodes[to].number) {
            enter(t, to);
        }
    }
}

/* ---- Loops ---- */

static bool loops(const struct node *x, uint32_t k)
{
    return (x->succ[0] == k && !x->cut[0]) || (x->succ[1] == k && !x->cut[1]);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The blocks of a component that are reached from outside. */
static uint32_t find_entries(struct reduce *r, const uint32_t *list, uint32_t n, uint32_t *entries)
{
    uint32_t component = r->nodes[list[0]].component, count = 0;

    for (uint32_t i = 0; i < n; i++)
        r->nodes[list[i]].number = list[i] == 0; /* now: it is an entry */
    for (uint32_t k = 0; k < r->n; k++)
        for (unsigned s = 0; s < 2 && r->nodes[k].reached; s++)
            if (r->nodes[k].component != component && r->nodes[k].succ[s] != NONE && r->nodes[r->nodes[k].succ[s]].component == component)
                r->nodes[r->nodes[k].succ[s]].number = 1;
    for (uint32_t i = 0; i < n; i++)
        if (r->nodes[list[i]].number)
            entries[count++] = list[i];
    qsort(entries, count, sizeof *entries, by_number);
    return count;
}

static void take_apart(struct reduce *r, const uint32_t *list, uint32_t n);

static void take_loop(struct reduce *r, const uint32_t *list, uint32_t n)
{
    uint32_t *entries = ptx_flat_keep(r->flat, n, sizeof *entries), count = find_entries(r, list, n, entries), by = NONE;

    if (count > 1) {
        by = r->n_dispatchers;
        r->dispatchers = ptx_flat_grow(r->flat, r->dispatchers, by, &r->room, sizeof *r->dispatchers);
        r->dispatchers[r->n_dispatchers++] = (struct dispatcher){.entries = entries, .n = count};
    }
    for (uint32_t k = 0; k < r->n; k++)
        for (unsigned s = 0; s < 2; s++)
            if (r->nodes[k].succ[s] != NONE && bsearch(&r->nodes[k].succ[s], entries, count, sizeof *entries, by_number)) {
                r->nodes[k].cut[s] = true;
                if (by != NONE)
                    r->nodes[k].by[s] = by;
            }
    take_apart(r, list, n);
}

/* Find the loops of these blocks, all of one component. */
static void take_apart(struct reduce *r, const uint32_t *list, uint32_t n)
{
    struct tarjan t = {.r = r, .component = r->nodes[list[0]].component};

    t.path = ptx_flat_keep(r->flat, 2 * (size_t)n, sizeof *t.path);
    t.open = ptx_flat_keep(r->flat, n, sizeof *t.open);
    t.order = ptx_flat_keep(r->flat, n, sizeof *t.order);
    for (uint32_t i = 0; i < n; i++)
        r->nodes[list[i]].number = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!r->nodes[list[i]].number)
            search(&t, list[i]);
    for (uint32_t i = 0, end; i < n; i = end) {
        uint32_t component = r->nodes[t.order[i]].component;

        for (end = i + 1; end < n && r->nodes[t.order[end]].component == component;)
            end++;
        if (end > i + 1 || loops(&r->nodes[t.order[i]], t.order[i]))
            take_loop(r, t.order + i, end - i);
    }
}

/* ---- The new body ---- */

static void go_by(struct reduce *r, struct ptx_edit *e, const struct dispatcher *d, uint32_t entry, const struct ptx_insn *like)
{
    const uint32_t *place = bsearch(&entry, d->entries, d->n, sizeof *d->entries, by_number);
    struct ptx_insn i = ptx_insn_like(like, PTX_OP_mov, PTX_TYPE_u32);

    i.nops = 2;
    i.ops[0] = ptx_operand_reg(d->reg);
    i.ops[1] = ptx_operand_imm(place - d->entries);
    ptx_edit_add(e, &i);
    ptx_edit_branch(e, d->label, -1, false, like);
}

static void dispatch(struct reduce *r, struct ptx_edit *e, const struct dispatcher *d)
{
    const struct ptx_insn *like = &r->flat->f.insns[r->nodes[d->entries[0]].first];

    ptx_edit_place(e, d->label);
    for (uint32_t k = 0; k + 1 < d->n; k++) {
        struct ptx_insn i = ptx_insn_like(like, PTX_OP_setp, PTX_TYPE_u32);

        i.cmp = PTX_cmp_eq;
        i.nops = 3;
        i.ops[0] = ptx_operand_reg(ptx_flat_reg(r->flat, PTX_TYPE_pred));
        i.ops[1] = ptx_operand_reg(d->reg);
        i.ops[2] = ptx_operand_imm(k);
        ptx_edit_add(e, &i);
        ptx_edit_branch(e, (int32_t)r->nodes[d->entries[k]].first, i.ops[0].reg, false, like);
    }
    ptx_edit_branch(e, (int32_t)r->nodes[d->entries[d->n - 1]].first, -1, false, like);
}

/* Nothing runs into a dispatcher: whatever stands before it has been led elsewhere, or ends with a branch. */
static void rewrite(struct reduce *r)
{
    struct ptx_function *f = &r->flat->f;
    int32_t *stub = ptx_flat_keep(r->flat, r->n, sizeof *stub);
    struct ptx_edit e;

    ptx_edit_begin(&e, r->flat);
    for (uint32_t d = 0; d < r->n_dispatchers; d++) {
        r->dispatchers[d].label = ptx_edit_labels(&e, 1);
        r->dispatchers[d].reg = ptx_flat_reg(r->flat, PTX_TYPE_u32);
    }
    if (r->start_by != NONE)
        go_by(r, &e, &r->dispatchers[r->start_by], 0, &f->insns[0]);
    for (uint32_t k = 0; k < r->n; k++) {
        const struct node *x = &r->nodes[k];
        const struct ptx_insn *last = &f->insns[x->end - 1];

        for (uint32_t d = 0; d < r->n_dispatchers; d++)
            if (r->dispatchers[d].entries[0] == k)
                dispatch(r, &e, &r->dispatchers[d]);
        for (uint32_t i = x->first; i < x->end; i++) {
            ptx_edit_old(&e, i);
            ptx_edit_add(&e, &f->insns[i]);
        }
        if (x->by[0] != NONE) {
            stub[k] = ptx_edit_labels(&e, 1);
            e.out[e.n - 1].ops[0].sym = stub[k];
        }
        if (x->by[1] != NONE)
            go_by(r, &e, &r->dispatchers[x->by[1]], x->succ[1], last);
    }
    for (uint32_t k = 0; k < r->n; k++)
        if (r->nodes[k].by[0] != NONE) {
            ptx_edit_place(&e, stub[k]);
            go_by(r, &e, &r->dispatchers[r->nodes[k].by[0]], r->nodes[k].succ[0], &f->insns[r->nodes[k].end - 1]);
        }
    ptx_edit_end(&e);
}

bool ptx_flat_reduce(struct ptx_flat *flat)
{
    struct reduce r = {.flat = flat, .start_by = NONE};
    uint32_t n = 0;

    if (!flat->f.ninsns)
        return false;
    find_blocks(&r);
    if (r.n > MOST_BLOCKS)
        return false;
    find_reached(&r);
    for (uint32_t k = 0; k < r.n; k++)
        if (r.nodes[k].reached)
            r.stack[n++] = k;
    take_apart(&r, r.stack, n);
    if (!r.n_dispatchers)
        return false;
    for (uint32_t d = 0; d < r.n_dispatchers; d++)
        if (r.dispatchers[d].entries[0] == 0)
            r.start_by = d;
    rewrite(&r);
    return true;
}
