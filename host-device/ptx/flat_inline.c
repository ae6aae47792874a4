/* SPDX-License-Identifier: Apache-2.0 */
/* Calls replaced by the bodies of the functions called. Each copy has registers, labels and places for its variables of its own;
 * a parameter that the caller passes as a .param variable is that variable. */
#include "ptx/flat.h"

#include <string.h>

#define MOST_INSNS 16384u     /* of a kernel, with all that is put into it */
#define MOST_LOCAL (256u << 10)
#define MOST_COPIES 1024u
#define MOST_DEPTH 32u
#define MOST_PARAM (32u << 10) /* bytes of .param variables */

/* A symbol of the function, and what it is in this copy. */
struct renamed {
    int32_t from, to;
};

struct copy {
    struct copy *caller;      /* NULL: the kernel itself */
    const struct ptx_function *f;
    int32_t reg_base, first_label;
    uint32_t table_base, loc_base;
    struct renamed *renamed;
    uint32_t n_renamed;
    uint32_t depth;
    uint32_t local_end, param_end; /* where copies that this one calls have their variables */
};

static uint32_t align_up(uint32_t n, uint32_t to)
{
    return (n + to - 1) / to * to;
}

/* ---- Names ---- */

static int32_t rename_symbol(const struct copy *c, int32_t sym)
{
    for (uint32_t k = 0; k < c->n_renamed; k++)
        if (c->renamed[k].from == sym)
            return c->renamed[k].to;
    return sym;
}

static struct ptx_operand rename_operand(struct ptx_edit *e, const struct copy *c, const struct ptx_operand *o)
{
    struct ptx_operand r = *o;

    if ((r.kind == PTX_OPERAND_REG || r.kind == PTX_OPERAND_MEM) && r.reg >= 0)
        r.reg += c->reg_base;
    if ((r.kind == PTX_OPERAND_SYM || r.kind == PTX_OPERAND_MEM) && r.sym >= 0)
        r.sym = rename_symbol(c, r.sym);
    if (r.kind == PTX_OPERAND_TABLE)
        r.sym += (int32_t)c->table_base;
    if (r.kind == PTX_OPERAND_LABEL)
        r.sym += c->first_label;
    if (r.kind == PTX_OPERAND_VEC) {
        r.elems = ptx_flat_keep(e->flat, r.n, sizeof *r.elems);
        for (unsigned k = 0; k < r.n; k++)
            r.elems[k] = rename_operand(e, c, &o->elems[k]);
    }
    return r;
}

/* A function's parameters lie in its frame, a kernel's do not: what reaches the former by an address reaches local memory. */
static bool reaches_frame(const struct copy *c, const struct ptx_insn *i)
{
    if (!c->caller || i->space != PTX_SPACE_param)
        return false;
    for (unsigned k = 0; k < i->nops; k++)
        if (i->ops[k].kind == PTX_OPERAND_MEM && i->ops[k].sym >= 0)
            return false;
    return true;
}

static struct ptx_insn rename_insn(struct ptx_edit *e, const struct copy *c, const struct ptx_insn *i)
{
    struct ptx_insn r = *i;

    if (r.guard >= 0)
        r.guard += c->reg_base;
    if (r.loc)
        r.loc += c->loc_base;
    if (reaches_frame(c, i))
        r.space = PTX_SPACE_local;
    for (unsigned k = 0; k < r.nops; k++)
        r.ops[k] = rename_operand(e, c, &i->ops[k]);
    r.dst2 = rename_operand(e, c, &i->dst2);
    return r;
}

/* ---- What may be put in place of a call ---- */

static bool uses_stack(const struct ptx_function *g)
{
    for (uint32_t i = 0; i < g->ninsns; i++)
        if (g->insns[i].op == PTX_OP_alloca || g->insns[i].op == PTX_OP_stacksave || g->insns[i].op == PTX_OP_stackrestore)
            return true;
    return false;
}

static unsigned values(const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_VEC ? o->n : 0;
}

static bool is_formal_variable(const struct ptx_symbol *s)
{
    return s->space == PTX_SPACE_param;
}

/* Each .param variable is passed once, for a formal of its size; registers are of 16 to 64 bits. */
static bool fits(const struct ptx_module *m, const struct ptx_function *caller, const struct ptx_insn *call, const struct ptx_function *g)
{
    unsigned n = values(&call->ops[1]) + values(&call->ops[2]);

    for (unsigned k = 0; k < n; k++) {
        unsigned results = values(&call->ops[1]);
        const struct ptx_operand *o = k < results ? &call->ops[1].elems[k] : &call->ops[2].elems[k - results];
        const struct ptx_symbol *s = &m->symbols[k < results ? g->first_ret + k : g->first_param + k - results];
        unsigned bits = s->space == PTX_SPACE_reg ? ptx_type_bits[g->regs[s->offset].type] : 0;

        if (s->unsized || (s->space == PTX_SPACE_reg && (bits < 16 || bits > 64)))
            return false;
        if (o->kind == PTX_OPERAND_REG && (ptx_type_bits[caller->regs[o->reg].type] < 16 || ptx_type_bits[caller->regs[o->reg].type] > 64))
            return false;
        if (o->kind != PTX_OPERAND_SYM)
            continue;
        if (m->symbols[o->sym].size != s->size || s->space == PTX_SPACE_reg)
            return false;
        for (unsigned j = 0; j < k; j++) {
            const struct ptx_operand *p = j < results ? &call->ops[1].elems[j] : &call->ops[2].elems[j - results];

            if (p->kind == PTX_OPERAND_SYM && p->sym == o->sym)
                return false;
        }
    }
    return true;
}

static bool may_inline(const struct ptx_edit *e, const struct copy *c, const struct ptx_insn *call)
{
    const struct ptx_function *g;

    if (call->op != PTX_OP_call || call->ops[0].kind != PTX_OPERAND_FUNC)
        return false;
    g = &e->flat->m.functions[call->ops[0].sym];
    if (!g->has_body || !g->parsed || c->depth == MOST_DEPTH || e->flat->copies == MOST_COPIES || e->n + g->ninsns > MOST_INSNS || uses_stack(g) ||
        c->local_end + g->local_size > MOST_LOCAL || c->param_end + g->call_param_size + g->param_size > MOST_PARAM)
        return false;
    for (const struct copy *x = c; x; x = x->caller)
        if (x->f == g)
            return false;
    return fits(&e->flat->m, c->f, call, g);
}

/* ---- A copy's own things ---- */

static void rename_to(struct copy *c, int32_t from, int32_t to)
{
    c->renamed[c->n_renamed++] = (struct renamed){from, to};
}

static int32_t new_symbol(struct ptx_flat *flat, const struct ptx_symbol *like, uint64_t offset)
{
    struct ptx_module *m = &flat->m;

    m->symbols = ptx_flat_grow(flat, m->symbols, m->nsymbols, &flat->symbol_room, sizeof *m->symbols);
    m->symbols[m->nsymbols] = *like;
    m->symbols[m->nsymbols].offset = offset;
    m->symbols[m->nsymbols].owner = (int32_t)flat->f.index;
    return (int32_t)m->nsymbols++;
}

static bool is_formal(const struct ptx_function *g, uint32_t sym)
{
    return sym - g->first_param < g->nparams || sym - g->first_ret < g->nrets;
}

static void add_variables(struct ptx_flat *flat, struct copy *c, uint32_t local, uint32_t param)
{
    uint32_t n = flat->m.nsymbols, mine = 0;

    for (uint32_t s = 0; s < n; s++)
        mine += flat->m.symbols[s].owner == (int32_t)c->f->index;
    c->renamed = ptx_flat_keep(flat, mine + c->f->nparams + c->f->nrets, sizeof *c->renamed);
    for (uint32_t s = 0; s < n; s++) {
        struct ptx_symbol symbol = flat->m.symbols[s];

        if (symbol.owner != (int32_t)c->f->index || is_formal(c->f, s))
            continue;
        if (symbol.space == PTX_SPACE_local)
            rename_to(c, (int32_t)s, new_symbol(flat, &symbol, local + symbol.offset));
        else if (symbol.space == PTX_SPACE_param)
            rename_to(c, (int32_t)s, new_symbol(flat, &symbol, param + symbol.offset));
    }
}

static void add_registers(struct ptx_flat *flat, struct copy *c)
{
    c->reg_base = (int32_t)flat->f.nregs;
    for (uint32_t k = 0; k < c->f->nregs; k++) {
        int32_t reg = ptx_flat_reg(flat, c->f->regs[k].type);

        flat->f.regs[reg].name = c->f->regs[k].name;
    }
}

static void add_tables(struct ptx_flat *flat, struct copy *c)
{
    struct ptx_function *f = &flat->f;

    c->table_base = f->ntables;
    for (uint32_t k = 0; k < c->f->ntables; k++) {
        struct ptx_table t = c->f->tables[k];

        if (t.kind == 'b') {
            t.targets = ptx_flat_keep(flat, t.n, sizeof *t.targets);
            for (uint32_t j = 0; j < t.n; j++)
                t.targets[j] = c->f->tables[k].targets[j] + c->first_label;
        }
        f->tables = ptx_flat_grow(flat, f->tables, f->ntables, &flat->table_room, sizeof t);
        f->tables[f->ntables++] = t;
    }
    c->loc_base = f->nlocs;
    for (uint32_t k = 0; k < c->f->nlocs; k++) {
        f->locs = ptx_flat_grow(flat, f->locs, f->nlocs, &flat->loc_room, sizeof *f->locs);
        f->locs[f->nlocs++] = c->f->locs[k];
    }
}

/* ---- Values in and out ---- */

static void move(struct ptx_edit *e, const struct ptx_insn *call, int32_t to, struct ptx_operand from)
{
    struct ptx_insn i = ptx_insn_like(call, PTX_OP_mov, e->flat->f.regs[to].type);

    i.nops = 2;
    i.ops[0] = ptx_operand_reg(to);
    i.ops[1] = from;
    ptx_edit_add(e, &i);
}

static void param_access(struct ptx_edit *e, const struct ptx_insn *call, bool store, uint8_t type, int32_t sym, struct ptx_operand value)
{
    struct ptx_insn i = ptx_insn_like(call, store ? PTX_OP_st : PTX_OP_ld, type);

    i.space = PTX_SPACE_param;
    i.vec = 1;
    i.nops = 2;
    i.ops[!store] = (struct ptx_operand){.kind = PTX_OPERAND_MEM, .reg = -1, .sym = sym};
    i.ops[store] = value;
    ptx_edit_add(e, &i);
}

/* A formal in memory that the caller has no variable for gets a place behind the copy's own. */
static void bind(struct ptx_edit *e, struct copy *c, const struct ptx_insn *call, uint32_t formals, const struct ptx_operand *list, bool results,
                 uint32_t param)
{
    for (unsigned k = 0; k < values(list); k++) {
        const struct ptx_symbol s = e->flat->m.symbols[formals + k];
        struct ptx_operand o = rename_operand(e, c->caller, &list->elems[k]);
        int32_t sym;

        if (is_formal_variable(&s) && o.kind == PTX_OPERAND_SYM) {
            rename_to(c, (int32_t)(formals + k), o.sym);
        } else if (is_formal_variable(&s)) {
            sym = new_symbol(e->flat, &s, param + s.offset);
            rename_to(c, (int32_t)(formals + k), sym);
            if (!results && o.kind == PTX_OPERAND_REG)
                param_access(e, call, true, e->flat->f.regs[o.reg].type, sym, o);
            if (!results && o.kind == PTX_OPERAND_IMM)
                param_access(e, call, true, s.type, sym, o);
        } else if (!results && o.kind != PTX_OPERAND_NONE) {
            move(e, call, c->reg_base + (int32_t)s.offset, o);
        }
    }
}

static void fetch_results(struct ptx_edit *e, struct copy *c, const struct ptx_insn *call)
{
    for (unsigned k = 0; k < values(&call->ops[1]); k++) {
        const struct ptx_symbol *s = &e->flat->m.symbols[c->f->first_ret + k];
        struct ptx_operand o = rename_operand(e, c->caller, &call->ops[1].elems[k]);

        if (o.kind != PTX_OPERAND_REG)
            continue;
        if (is_formal_variable(s))
            param_access(e, call, false, e->flat->f.regs[o.reg].type, rename_symbol(c, (int32_t)(c->f->first_ret + k)), o);
        else
            move(e, call, o.reg, ptx_operand_reg(c->reg_base + (int32_t)s->offset));
    }
}

/* ---- Bodies ---- */

static void copy_body(struct ptx_edit *e, struct copy *c);

static void inline_call(struct ptx_edit *e, struct copy *caller, const struct ptx_insn *call)
{
    const struct ptx_function *g = &e->flat->m.functions[call->ops[0].sym];
    struct copy c = {.caller = caller, .f = g, .depth = caller->depth + 1};
    uint32_t local = align_up(caller->local_end, 32), param = align_up(caller->param_end, 16);
    uint32_t formals = align_up(param + g->call_param_size, 16);
    struct ptx_insn like = rename_insn(e, caller, call);
    int32_t around = 0;

    e->flat->copies++;
    c.local_end = local + g->local_size;
    c.param_end = formals + g->param_size;
    if (e->flat->f.local_size < c.local_end)
        e->flat->f.local_size = c.local_end;
    if (e->flat->f.call_param_size < c.param_end)
        e->flat->f.call_param_size = c.param_end;
    if (like.guard >= 0) {
        around = ptx_edit_labels(e, 1);
        ptx_edit_branch(e, around, like.guard, !like.guard_negated, &like);
    }
    c.first_label = ptx_edit_labels(e, g->ninsns + 1);
    add_registers(e->flat, &c);
    add_tables(e->flat, &c);
    add_variables(e->flat, &c, local, param);
    bind(e, &c, &like, g->first_ret, &call->ops[1], true, formals);
    bind(e, &c, &like, g->first_param, &call->ops[2], false, formals);
    copy_body(e, &c);
    fetch_results(e, &c, &like);
    if (like.guard >= 0)
        ptx_edit_place(e, around);
}

static void copy_body(struct ptx_edit *e, struct copy *c)
{
    for (uint32_t i = 0; i < c->f->ninsns; i++) {
        const struct ptx_insn *old = &c->f->insns[i];
        struct ptx_insn insn;

        if (c->caller)
            ptx_edit_place(e, c->first_label + (int32_t)i);
        else
            ptx_edit_old(e, i);
        if (may_inline(e, c, old)) {
            inline_call(e, c, old);
            continue;
        }
        insn = rename_insn(e, c, old);
        if (c->caller && old->op == PTX_OP_ret) {
            if (i + 1 < c->f->ninsns || old->guard >= 0)
                ptx_edit_branch(e, c->first_label + (int32_t)c->f->ninsns, insn.guard, insn.guard_negated, &insn);
            continue;
        }
        ptx_edit_add(e, &insn);
    }
    if (c->caller)
        ptx_edit_place(e, c->first_label + (int32_t)c->f->ninsns);
}

bool ptx_flat_inline(struct ptx_flat *flat)
{
    const struct ptx_function kernel = flat->f;
    struct copy c = {.f = &kernel, .local_end = kernel.local_size, .param_end = kernel.call_param_size};
    struct ptx_edit e;
    bool any = false;

    ptx_edit_begin(&e, flat);
    for (uint32_t i = 0; i < kernel.ninsns && !any; i++)
        any = may_inline(&e, &c, &kernel.insns[i]);
    if (!any)
        return false;
    copy_body(&e, &c);
    ptx_edit_end(&e);
    return true;
}
