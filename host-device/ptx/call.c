/* SPDX-License-Identifier: Apache-2.0 */
/* call, chapter 9.7.12.5, and the tables that indirect calls and branches name. */
#include "ptx/parse.h"

/* ( a, b, ... ): an argument list. */
static void arguments(struct ptx_parser *ps, struct ptx_operand *o)
{
    struct ptx_operand *list = NULL;
    uint32_t n = 0, room = 0;

    ptx_expect(ps, '(');
    o->kind = PTX_OPERAND_VEC;
    if (ptx_accept(ps, ')'))
        return;
    do {
        if (n == PTX_MAX_ELEMENTS)
            ptx_fail_here(ps, "too many arguments");
        if (n == room)
            list = ptx_grow(ps, false, list, n, &room, sizeof *list);
        ptx_parse_operand(ps, &list[n]);
        if (list[n].kind != PTX_OPERAND_SYM && list[n].kind != PTX_OPERAND_REG && list[n].kind != PTX_OPERAND_IMM &&
            list[n].kind != PTX_OPERAND_NONE)
            ptx_fail_here(ps, "an argument has to be a .param variable, a register or a number,");
        n++;
    } while (ptx_accept(ps, ','));
    ptx_expect(ps, ')');
    o->n = n;
    o->elems = ptx_keep(ps, n, sizeof *list);
    memcpy(o->elems, list, n * sizeof *list);
}

/* One actual against its formal: sizes agree, numbers are converted. */
static void check_argument(struct ptx_parser *ps, struct ptx_operand *a, const struct ptx_symbol *formal, uint32_t line,
                           const char *what, uint32_t i)
{
    uint64_t value, bytes = 0;

    switch (a->kind) {
    case PTX_OPERAND_NONE:
        return;
    case PTX_OPERAND_IMM:
        if (!ptx_convert_literal(a->sub, a->imm, formal->type, &value))
            ptx_fail(ps, PTX_ERROR_INVALID, line, "call: %s %u is not a number of its type", what, i);
        a->imm = value;
        a->sub = 0;
        return;
    case PTX_OPERAND_REG:
        if (a->negated || a->sub)
            ptx_fail(ps, PTX_ERROR_INVALID, line, "call: %s %u has to be a plain register", what, i);
        bytes = ptx_type_bits[ps->f->regs[a->reg].type] / 8;
        break;
    case PTX_OPERAND_SYM:
        if (ps->m->symbols[a->sym].space != PTX_SPACE_param || a->imm)
            ptx_fail(ps, PTX_ERROR_INVALID, line, "call: %s %u has to be a .param variable", what, i);
        bytes = ps->m->symbols[a->sym].size;
        break;
    }
    if (!formal->unsized && bytes != formal->size)
        ptx_fail(ps, PTX_ERROR_INVALID, line, "call: %s %u has %u bytes, expected %u", what, i, (uint32_t)bytes,
                 (uint32_t)formal->size);
}

static void check_arguments(struct ptx_parser *ps, struct ptx_insn *insn, const struct ptx_symbol *rets, uint32_t nrets,
                            const struct ptx_symbol *params, uint32_t nparams)
{
    if (insn->ops[1].n != nrets || insn->ops[2].n != nparams)
        ptx_fail(ps, PTX_ERROR_INVALID, insn->line, "call: %u results and %u arguments, expected %u and %u",
                 insn->ops[1].n, insn->ops[2].n, nrets, nparams);
    for (uint32_t i = 0; i < nrets; i++) {
        if (insn->ops[1].elems[i].kind == PTX_OPERAND_IMM)
            ptx_fail(ps, PTX_ERROR_INVALID, insn->line, "call: result %u is a number", i);
        check_argument(ps, &insn->ops[1].elems[i], &rets[i], insn->line, "result", i);
    }
    for (uint32_t i = 0; i < nparams; i++)
        check_argument(ps, &insn->ops[2].elems[i], &params[i], insn->line, "argument", i);
}

static void check_target(struct ptx_parser *ps, struct ptx_insn *insn, const struct ptx_function *callee)
{
    const struct ptx_symbol *symbols = ps->m->symbols;

    if (callee->is_entry)
        ptx_fail(ps, PTX_ERROR_UNSUPPORTED, insn->line, "call: '%s' is a kernel: launches by kernels are not supported",
                 callee->name);
    check_arguments(ps, insn, symbols + callee->first_ret, callee->nrets, symbols + callee->first_param, callee->nparams);
}

static void check_call(struct ptx_parser *ps, struct ptx_insn *insn)
{
    struct ptx_operand *target = &insn->ops[0];
    const struct ptx_table *table;

    ps->f->has_calls = true;
    if (target->kind == PTX_OPERAND_FUNC) {
        if (insn->nops == 4)
            ptx_fail(ps, PTX_ERROR_INVALID, insn->line, "call: a direct call has no prototype");
        check_target(ps, insn, &ps->m->functions[target->sym]);
        return;
    }
    ps->f->has_indirect_calls = true;
    if (target->kind != PTX_OPERAND_REG || ptx_type_bits[ps->f->regs[target->reg].type] != 64)
        ptx_fail(ps, PTX_ERROR_INVALID, insn->line, "call: the target has to be a function or a 64-bit register");
    if (insn->nops != 4 || insn->ops[3].kind != PTX_OPERAND_TABLE)
        ptx_fail(ps, PTX_ERROR_INVALID, insn->line, "call: an indirect call needs a prototype or list of targets");
    table = &ps->f->tables[insn->ops[3].sym];
    if (table->kind == 'p')
        check_arguments(ps, insn, table->proto.rets, table->proto.nrets, table->proto.params, table->proto.nparams);
    else if (table->kind == 'c')
        for (uint32_t i = 0; i < table->n; i++)
            check_target(ps, insn, &ps->m->functions[table->targets[i]]);
    else
        ptx_fail(ps, PTX_ERROR_INVALID, insn->line, "call: '%s' is a list of branch targets", table->name);
}

void ptx_parse_call(struct ptx_parser *ps, struct ptx_insn *insn)
{
    for (int i = 0; i < 4; i++)
        insn->ops[i] = (struct ptx_operand){.kind = i == 1 || i == 2 ? PTX_OPERAND_VEC : PTX_OPERAND_NONE, .reg = -1, .sym = -1};
    insn->nops = 3;
    if (ptx_at_punct(ps, '(')) {
        arguments(ps, &insn->ops[1]);
        ptx_expect(ps, ',');
    }
    ptx_parse_operand(ps, &insn->ops[0]);
    if (ptx_accept(ps, ',')) {
        if (ptx_at_punct(ps, '(')) {
            arguments(ps, &insn->ops[2]);
            if (ptx_accept(ps, ',')) {
                ptx_parse_operand(ps, &insn->ops[3]);
                insn->nops = 4;
            }
        } else { /* call %r, prototype */
            ptx_parse_operand(ps, &insn->ops[3]);
            insn->nops = 4;
        }
    }
    check_call(ps, insn);
}

static void parse_prototype(struct ptx_parser *ps, struct ptx_table *t)
{
    struct ptx_symbol *list;
    struct ptx_proto *proto = &t->proto;

    if (ptx_at_punct(ps, '(')) {
        proto->nrets = ptx_parse_formals(ps, &list);
        ptx_lay_out_params(ps, list, proto->nrets, 0);
        proto->rets = ptx_keep(ps, proto->nrets, sizeof *list);
        if (list)
            memcpy(proto->rets, list, proto->nrets * sizeof *list);
    }
    ptx_expect_id(ps, "'_' expected");
    if (ptx_at_punct(ps, '(')) {
        proto->nparams = ptx_parse_formals(ps, &list);
        ptx_lay_out_params(ps, list, proto->nparams, 0);
        proto->params = ptx_keep(ps, proto->nparams, sizeof *list);
        if (list)
            memcpy(proto->params, list, proto->nparams * sizeof *list);
    }
    for (;;) {
        if (ptx_accept_word(ps, ".noreturn"))
            proto->noreturn = true;
        else if (ptx_accept_word(ps, ".abi_preserve") || ptx_accept_word(ps, ".abi_preserve_control"))
            ptx_parse_constant_int(ps);
        else
            break;
    }
}

static void parse_targets(struct ptx_parser *ps, struct ptx_table *t)
{
    struct ptx_token *names = NULL;
    uint32_t room = 0;

    do {
        if (t->n == room)
            names = ptx_grow(ps, false, names, t->n, &room, sizeof *names);
        names[t->n++] = ptx_expect_id(ps, "target expected");
    } while (ptx_accept(ps, ','));
    t->targets = ptx_keep(ps, t->n, sizeof *t->targets);
    for (uint32_t i = 0; i < t->n; i++) {
        struct ptx_name *e;

        if (t->kind == 'b') {
            ptx_use_label(ps, &names[i], &t->targets[i]);
            continue;
        }
        e = ptx_lookup(ps, names[i].s, names[i].n);
        if (!e || e->kind != PTX_NAME_FUNC)
            ptx_fail(ps, PTX_ERROR_INVALID, names[i].line, "'%.*s' is not a function", (int)names[i].n, names[i].s);
        t->targets[i] = e->value;
    }
}

void ptx_parse_table(struct ptx_parser *ps, const struct ptx_token *label)
{
    struct ptx_function *f = ps->f;
    struct ptx_table t = {.name = ptx_keep_string(ps, label->s, label->n)};
    struct ptx_name *e = ptx_names_find(&ps->names, label->s, label->n);

    if (e && e->depth == ps->names.depth)
        ptx_fail(ps, PTX_ERROR_INVALID, label->line, "'%s' is already declared", t.name);
    t.kind = ptx_at_word(ps, ".branchtargets") ? 'b' : ptx_at_word(ps, ".calltargets") ? 'c' : 'p';
    ptx_next(ps);
    if (t.kind == 'p')
        parse_prototype(ps, &t);
    else
        parse_targets(ps, &t);
    ptx_expect(ps, ';');
    if (f->ntables == ps->table_room)
        f->tables = ptx_grow(ps, true, f->tables, f->ntables, &ps->table_room, sizeof t);
    f->tables[f->ntables] = t;
    e = ptx_names_add(&ps->names, label->s, label->n, PTX_NAME_TABLE, ps->names.depth);
    if (!e)
        ptx_fail(ps, PTX_ERROR_MEMORY, label->line, "out of memory while parsing PTX");
    e->value = f->ntables++;
}
