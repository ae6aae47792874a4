/* SPDX-License-Identifier: Apache-2.0 */
/* A function's body: statements, block scopes, labels. */
#include "ptx/parse.h"
#include "ptx/rules.h"

#define MAX_REGS (1u << 24)

uint32_t ptx_new_reg(struct ptx_parser *ps, const char *s, uint32_t n, uint8_t type)
{
    struct ptx_function *f = ps->f;

    if (f->nregs == MAX_REGS)
        ptx_fail_here(ps, "too many registers");
    if (f->nregs == ps->reg_room)
        f->regs = ptx_grow(ps, false, f->regs, f->nregs, &ps->reg_room, sizeof *f->regs);
    f->regs[f->nregs] = (struct ptx_reg){ptx_keep_string(ps, s, n), type};
    return f->nregs++;
}

static struct ptx_name *add_name(struct ptx_parser *ps, const struct ptx_token *t, uint8_t kind)
{
    struct ptx_name *e = kind == PTX_NAME_RANGE ? NULL : ptx_names_find(&ps->names, t->s, t->n);

    if (!e && (kind == PTX_NAME_REG || kind == PTX_NAME_VREG))
        e = ptx_names_find_range(&ps->names, t->s, t->n);
    if (e && e->depth == ps->names.depth)
        ptx_fail(ps, PTX_ERROR_INVALID, t->line, "'%.*s' is already declared", t->n > 100 ? 100 : (int)t->n, t->s);
    e = ptx_names_add(&ps->names, t->s, t->n, kind, ps->names.depth);
    if (!e)
        ptx_fail(ps, PTX_ERROR_MEMORY, t->line, "out of memory while parsing PTX");
    return e;
}

/* .reg [.vN] .type name, name<count>, ...; Registers of a range are made when they are first named. */
static void parse_reg(struct ptx_parser *ps)
{
    struct ptx_symbol head = ptx_parse_declarator_head(ps);

    do {
        struct ptx_token t = ptx_expect_id(ps, "register name expected");
        struct ptx_name *e;

        if (ptx_accept(ps, '<')) {
            if (head.vec > 1)
                ptx_fail_here(ps, "a range of vector registers is not supported");
            e = add_name(ps, &t, PTX_NAME_RANGE);
            /* not an expression: its > would be taken for an operator */
            if (ps->lx.t.kind != PTX_TOKEN_INT || ps->lx.t.value > UINT32_MAX)
                ptx_fail_here(ps, "register count expected");
            e->count = ps->lx.t.value;
            e->type = head.type;
            ptx_next(ps);
            ptx_expect(ps, '>');
            continue;
        }
        e = add_name(ps, &t, head.vec > 1 ? PTX_NAME_VREG : PTX_NAME_REG);
        e->type = head.type;
        e->count = head.vec;
        e->value = ps->f->nregs;
        for (unsigned i = 0; i < head.vec; i++)
            ptx_new_reg(ps, t.s, t.n, head.type);
    } while (ptx_accept(ps, ','));
    ptx_expect(ps, ';');
}

static struct ptx_insn *new_insn(struct ptx_parser *ps)
{
    struct ptx_function *f = ps->f;

    if (f->ninsns == ps->insn_room)
        f->insns = ptx_grow(ps, false, f->insns, f->ninsns, &ps->insn_room, sizeof *f->insns);
    return &f->insns[f->ninsns++];
}

void ptx_use_label(struct ptx_parser *ps, const struct ptx_token *t, int32_t *dst)
{
    struct ptx_fixup *fix = ptx_temp(ps, 1, sizeof *fix);

    *fix = (struct ptx_fixup){.next = ps->blocks[ps->depth].fixups, .name = t->s, .n = t->n, .line = t->line, .dst = dst,
                              .insn = ps->f->ninsns - 1};
    ps->blocks[ps->depth].fixups = fix;
}

/* A label of a block is seen in it and in the blocks inside, before and after where it stands. */
static void resolve_labels(struct ptx_parser *ps)
{
    struct ptx_block *b = &ps->blocks[ps->depth];
    struct ptx_fixup *fix, *next;

    for (fix = b->fixups; fix; fix = next) {
        struct ptx_name *e = ptx_names_find(&ps->names, fix->name, fix->n);

        next = fix->next;
        if (e && e->kind == PTX_NAME_LABEL && e->depth == ps->names.depth) {
            if (fix->dst)
                *fix->dst = e->value;
            else
                ps->f->insns[fix->insn].ops[0].sym = e->value;
        } else if (ps->depth > 1) {
            fix->next = ps->blocks[ps->depth - 1].fixups;
            ps->blocks[ps->depth - 1].fixups = fix;
        } else {
            ptx_fail(ps, PTX_ERROR_INVALID, fix->line, "label '%.*s' does not exist", fix->n > 100 ? 100 : (int)fix->n,
                     fix->name);
        }
    }
}

static void open_block(struct ptx_parser *ps)
{
    if (ps->depth + 1 == PTX_MAX_BLOCKS)
        ptx_fail_here(ps, "blocks are nested too deeply");
    ptx_next(ps);
    ps->blocks[ps->depth + 1] = (struct ptx_block){.param_top = ps->blocks[ps->depth].param_top};
    ps->depth++;
    ptx_names_open(&ps->names);
}

static void close_block(struct ptx_parser *ps)
{
    resolve_labels(ps);
    ptx_names_close(&ps->names);
    ps->depth--;
}

/* .loc file line column [, function_name name [+ n], inlined_at file line column] */
static void parse_loc(struct ptx_parser *ps)
{
    struct ptx_function *f = ps->f;
    struct ptx_loc loc = {0};

    loc.file = ptx_expect_u64(ps, UINT32_MAX, ".loc: file number expected");
    loc.line = ptx_expect_u64(ps, UINT32_MAX, ".loc: line expected");
    loc.column = ptx_expect_u64(ps, UINT32_MAX, ".loc: column expected");
    while (ptx_accept(ps, ',')) {
        if (ptx_accept_word(ps, "function_name")) {
            struct ptx_token name = ptx_expect_id(ps, ".loc: name expected");

            loc.name = (uint32_t)(name.s - ps->m->text);
            loc.name_size = name.n;
            if (ptx_accept(ps, '+'))
                loc.skip = (uint32_t)ptx_parse_constant_int(ps);
        } else if (ptx_accept_word(ps, "inlined_at")) {
            loc.at_file = (uint32_t)ptx_parse_constant_int(ps);
            loc.at_line = (uint32_t)ptx_parse_constant_int(ps);
            loc.at_column = (uint32_t)ptx_parse_constant_int(ps);
        } else {
            ptx_fail_here(ps, ".loc: function_name or inlined_at expected");
        }
    }
    if (f->nlocs == ps->loc_room)
        f->locs = ptx_grow(ps, false, f->locs, f->nlocs, &ps->loc_room, sizeof loc);
    f->locs[f->nlocs++] = loc;
    ps->loc = f->nlocs;
}

static void parse_directive(struct ptx_parser *ps)
{
    if (ptx_accept_word(ps, ".reg"))
        parse_reg(ps);
    else if (ptx_accept_word(ps, ".loc"))
        parse_loc(ps);
    else if (!ptx_skip_directive(ps))
        ptx_parse_variables(ps, PTX_LINK_LOCAL, ps->f->index);
}

/* The whole mnemonic, suffixes and all; the operands are next. */
static const struct ptx_mnemonic *parse_mnemonic(struct ptx_parser *ps, const struct ptx_token *first)
{
    const char *end = first->s + first->n;
    char *joined;
    uint32_t n = first->n;

    while (ps->lx.t.kind == PTX_TOKEN_DOT && ps->lx.t.s == end) {
        end += ps->lx.t.n;
        ptx_next(ps);
    }
    n = end - first->s;
    if (ps->lx.t.kind != PTX_TOKEN_DOT)
        return ptx_decode_mnemonic(ps, first->s, n, first->line);
    joined = ptx_keep_string(ps, first->s, n); /* the suffixes stand apart */
    while (ps->lx.t.kind == PTX_TOKEN_DOT) {
        char *longer = ptx_keep(ps, n + ps->lx.t.n + 1, 1);

        memcpy(longer, joined, n);
        memcpy(longer + n, ps->lx.t.s, ps->lx.t.n);
        joined = longer;
        n += ps->lx.t.n;
        if (n > 1024)
            ptx_fail_here(ps, "too many suffixes");
        ptx_next(ps);
    }
    return ptx_decode_mnemonic(ps, joined, n, first->line);
}

static void parse_operand_list(struct ptx_parser *ps, struct ptx_insn *insn, const struct ptx_mnemonic *mn)
{
    const struct ptx_rule *r = mn->rule;
    bool second = false;

    while (!ptx_at_punct(ps, ';')) {
        struct ptx_operand *o = &insn->ops[insn->nops];

        if (insn->nops == PTX_MAX_OPERANDS)
            ptx_fail(ps, PTX_ERROR_INVALID, insn->line, "%.*s: too many operands", (int)mn->n, mn->text);
        if (insn->nops < r->nops && r->ops[insn->nops].role == 'L') {
            struct ptx_token t = ptx_expect_id(ps, "label expected");

            *o = (struct ptx_operand){.kind = PTX_OPERAND_LABEL, .reg = -1, .sym = -1};
            ptx_use_label(ps, &t, NULL);
        } else {
            ptx_parse_operand(ps, o);
        }
        if (!insn->nops++ && ptx_accept(ps, '|')) {
            ptx_parse_operand(ps, &insn->dst2);
            second = true;
        }
        if (!ptx_accept(ps, ','))
            break;
        if (ptx_at_punct(ps, ';'))
            ptx_fail_here(ps, "operand expected");
    }
    if (second && !(r->nops > 1 && r->ops[1].second))
        ptx_fail(ps, PTX_ERROR_INVALID, insn->line, "%.*s: has no second destination", (int)mn->n, mn->text);
}

static void parse_insn(struct ptx_parser *ps, const struct ptx_token *first, int32_t guard, bool negated)
{
    const struct ptx_mnemonic *mn = parse_mnemonic(ps, first);
    struct ptx_insn *insn;

    if (mn->refused)
        ptx_fail(ps, PTX_ERROR_UNSUPPORTED, first->line, "%.*s: %s are not supported", mn->n > 100 ? 100 : (int)mn->n,
                 mn->text, mn->refused);
    insn = new_insn(ps);
    *insn = mn->insn;
    insn->guard = guard;
    insn->guard_negated = negated;
    insn->line = first->line;
    insn->loc = ps->loc;
    insn->dst2.reg = insn->dst2.sym = -1;
    if (insn->op == PTX_OP_call) {
        ptx_parse_call(ps, insn);
    } else {
        parse_operand_list(ps, insn, mn);
        ptx_check_insn(ps, insn, mn);
    }
    ptx_expect(ps, ';');
    ps->label_at_end = false;
}

static void parse_statement(struct ptx_parser *ps)
{
    struct ptx_token t;
    struct ptx_name *e;
    int32_t guard = -1;
    bool negated = false;

    if (ps->lx.t.kind == PTX_TOKEN_DOT) {
        parse_directive(ps);
        return;
    }
    if (ptx_accept(ps, '@'))
        guard = ptx_parse_guard(ps, &negated);
    t = ptx_expect_id(ps, "instruction expected");
    if (guard < 0 && ptx_accept(ps, ':')) {
        if (ptx_at_word(ps, ".branchtargets") || ptx_at_word(ps, ".calltargets") || ptx_at_word(ps, ".callprototype")) {
            ptx_parse_table(ps, &t);
            return;
        }
        e = add_name(ps, &t, PTX_NAME_LABEL);
        e->value = ps->f->ninsns;
        ps->label_at_end = true;
        return;
    }
    parse_insn(ps, &t, guard, negated);
}

/* Formal parameters are known in the body: variables by their symbols, registers as the first ones of the function. */
static void declare_formals(struct ptx_parser *ps, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct ptx_symbol *s = &ps->m->symbols[first + i];
        struct ptx_token t = {.s = s->name, .n = strlen(s->name), .line = ps->f->line};
        struct ptx_name *e;

        if (t.n == 1 && *s->name == '_')
            continue;
        e = add_name(ps, &t, s->space == PTX_SPACE_reg ? PTX_NAME_REG : PTX_NAME_SYMBOL);
        e->value = first + i;
        if (s->space == PTX_SPACE_reg) {
            e->type = s->type;
            e->value = s->offset = ptx_new_reg(ps, t.s, t.n, s->type);
        }
    }
}

static void *keep_copy(struct ptx_parser *ps, const void *array, uint32_t n, size_t size)
{
    void *copy = ptx_keep(ps, n, size);

    if (n)
        memcpy(copy, array, n * size);
    return copy;
}

/* An engine never runs off the end: what falls out of the body, or branches there, returns. */
static void end_with_ret(struct ptx_parser *ps)
{
    struct ptx_function *f = ps->f;
    const struct ptx_insn *last = f->ninsns ? &f->insns[f->ninsns - 1] : NULL;
    struct ptx_insn *insn;
    bool ends = last && last->guard < 0 &&
                (last->op == PTX_OP_ret || last->op == PTX_OP_exit || last->op == PTX_OP_bra || last->op == PTX_OP_brx ||
                 last->op == PTX_OP_trap);

    if (ends && !ps->label_at_end)
        return;
    insn = new_insn(ps);
    *insn = (struct ptx_insn){.op = PTX_OP_ret, .guard = -1, .vec = 1, .line = ps->lx.t.line, .loc = ps->loc};
    insn->dst2.reg = insn->dst2.sym = -1;
}

void ptx_parse_body(struct ptx_parser *ps)
{
    struct ptx_function *f = ps->f;

    /* What an attempt that ran out of memory may have left. */
    f->nregs = f->ninsns = f->ntables = f->nlocs = f->local_size = f->call_param_size = f->barriers = 0;
    f->nshared_uses = f->shared_size = 0;
    f->uses_dynamic_shared = f->has_calls = f->has_indirect_calls = f->has_barrier = false;
    if (!ptx_names_init(&ps->names, ps->temp))
        ptx_fail(ps, PTX_ERROR_MEMORY, f->line, "out of memory while parsing PTX");
    open_block(ps);
    declare_formals(ps, f->first_ret, f->nrets);
    declare_formals(ps, f->first_param, f->nparams);
    while (ps->depth) {
        if (ps->lx.t.kind == PTX_TOKEN_END)
            ptx_fail_here(ps, "'}' expected");
        if (ptx_at_punct(ps, '{')) {
            open_block(ps);
        } else if (ptx_at_punct(ps, '}')) {
            if (ps->depth == 1)
                end_with_ret(ps);
            close_block(ps);
            if (ps->depth)
                ptx_next(ps);
        } else {
            parse_statement(ps);
        }
    }
    f->regs = keep_copy(ps, f->regs, f->nregs, sizeof *f->regs);
    f->insns = keep_copy(ps, f->insns, f->ninsns, sizeof *f->insns);
    f->locs = keep_copy(ps, f->locs, f->nlocs, sizeof *f->locs);
    ptx_finish_layout(ps);
}
