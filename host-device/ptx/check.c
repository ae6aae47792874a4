/* SPDX-License-Identifier: Apache-2.0 */
/* An instruction's operands against its rule: number, kind, width and class. What passes here can be executed. */
#include <stdarg.h>
#include <stdio.h>

#include "ptx/rules.h"

struct check {
    struct ptx_parser *ps;
    struct ptx_insn *insn;
    const struct ptx_mnemonic *mn;
    unsigned place; /* of the operand, from 1, for messages */
    unsigned nmem;  /* memory operands seen */
};

__attribute__((format(printf, 2, 3))) static _Noreturn void refuse(const struct check *c, const char *format, ...)
{
    char what[160];
    va_list ap;

    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    if (c->place)
        ptx_fail(c->ps, PTX_ERROR_INVALID, c->insn->line, "%.*s: operand %u %s", c->mn->n > 80 ? 80 : (int)c->mn->n,
                 c->mn->text, c->place, what);
    ptx_fail(c->ps, PTX_ERROR_INVALID, c->insn->line, "%.*s: %s", c->mn->n > 80 ? 80 : (int)c->mn->n, c->mn->text, what);
}

static uint8_t wide_type(uint8_t type)
{
    switch (type) {
    case PTX_TYPE_u16: return PTX_TYPE_u32;
    case PTX_TYPE_s16: return PTX_TYPE_s32;
    case PTX_TYPE_u32: return PTX_TYPE_u64;
    default: return PTX_TYPE_s64;
    }
}

static uint8_t operand_type(const struct check *c, const struct ptx_operand_rule *r)
{
    if (r->type)
        return r->type;
    if (r->type_index == PTX_TYPE_WIDE)
        return wide_type(c->insn->types[0]);
    return c->insn->types[r->type_index];
}

/* Whether a register of type 'reg' may stand where 'type' is meant, widths apart: chapter 9.4, table 25. Untyped goes with
 * everything; integers do not go with floats; a predicate only with itself. */
static bool same_class(uint8_t type, uint8_t reg)
{
    char a = ptx_type_class[type], b = ptx_type_class[reg];

    if (a == 'p' || b == 'p')
        return a == b;
    if (a == 'b' || b == 'b')
        return true;
    return (a == 'f') == (b == 'f');
}

static void check_register(const struct check *c, const struct ptx_operand *o, uint8_t type, bool wider)
{
    uint8_t reg = c->ps->f->regs[o->reg].type;
    unsigned have = ptx_type_bits[reg], want = ptx_type_bits[type];
    bool video = c->insn->op >= PTX_OP_vadd && c->insn->op <= PTX_OP_vset4;

    if ((type == PTX_TYPE_pred) != (reg == PTX_TYPE_pred))
        refuse(c, type == PTX_TYPE_pred ? "has to be a predicate" : "is a predicate");
    if (wider && ptx_type_class[type] == 'f' && ptx_type_class[reg] == 'f')
        wider = false; /* floats never change width on the way */
    if (wider ? have < want : have != want)
        refuse(c, "has %u bits, expected %u%s", have, want, wider ? " or more" : "");
    if (!same_class(type, reg))
        refuse(c, "is a .%s register, expected .%s", ptx_type_names[reg], ptx_type_names[type]);
    if (o->sub && !video)
        refuse(c, "has a selector");
    if (o->negated && type != PTX_TYPE_pred && c->insn->op != PTX_OP_vmad)
        refuse(c, "cannot be negated");
}

static void check_immediate(const struct check *c, struct ptx_operand *o, uint8_t type)
{
    uint64_t value;

    if (!ptx_convert_literal(o->sub, o->imm, type, &value))
        refuse(c, "is not a number that .%s takes", ptx_type_names[type]);
    o->imm = value;
    o->sub = 0;
}

static void check_symbol(const struct check *c, const struct ptx_operand *o)
{
    const struct ptx_symbol *s = &c->ps->m->symbols[o->sym];

    if (s->linkage == PTX_LINK_EXTERN && s->space != PTX_SPACE_shared && !c->ps->m->is_part)
        refuse(c, "names '%.80s', which has no definition", s->name);
    if (s->space == PTX_SPACE_shared)
        ptx_note_shared(c->ps, o->sym);
}

static void check_address_of(const struct check *c, const struct ptx_operand *o, uint8_t type)
{
    uint8_t in = c->ps->m->symbols[o->sym].space;
    bool fits = ptx_type_bits[type] == 64 || (ptx_type_bits[type] == 32 && in != PTX_SPACE_global && in != PTX_SPACE_const);

    if (!fits || ptx_type_class[type] == 'f')
        refuse(c, "is an address in .%s, expected .%s", ptx_space_names[in], ptx_type_names[type]);
    check_symbol(c, o);
    if (c->insn->op == PTX_OP_cvta || c->insn->op == PTX_OP_mapa || c->insn->op == PTX_OP_getctarank) {
        if (c->insn->space && c->insn->space != in)
            refuse(c, "is a variable in .%s", ptx_space_names[in]);
    }
}

static void check_sreg(const struct check *c, const struct ptx_operand *o, uint8_t type)
{
    uint8_t sreg = ptx_sregs[o->sreg].type;
    unsigned have = ptx_type_bits[sreg], want = ptx_type_bits[type];
    bool narrow = want == 16 && ptx_sregs[o->sreg].components > 1; /* %tid.x was 16 bits wide in PTX 1.x */

    if (c->insn->op != PTX_OP_mov && c->insn->op != PTX_OP_cvt)
        refuse(c, "cannot be a special register");
    if ((type == PTX_TYPE_pred) != (sreg == PTX_TYPE_pred) || ptx_type_class[type] == 'f')
        refuse(c, "is %%%s, expected .%s", ptx_sregs[o->sreg].name, ptx_type_names[type]);
    if (have != want && !narrow && !(o->sreg == PTX_SREG_gridid && want == 32) && c->insn->op != PTX_OP_cvt)
        refuse(c, "has %u bits, expected %u", have, want);
    if (have < want)
        refuse(c, "has %u bits, expected %u", have, want);
}

static void check_source(const struct check *c, struct ptx_operand *o, uint8_t type, const struct ptx_operand_rule *r)
{
    bool address = r->role == 'a' || r->role == 'k';

    switch (o->kind) {
    case PTX_OPERAND_REG:
        if (r->or_pred && c->ps->f->regs[o->reg].type == PTX_TYPE_pred)
            type = PTX_TYPE_pred;
        check_register(c, o, type, r->wider);
        return;
    case PTX_OPERAND_IMM:
        check_immediate(c, o, type);
        return;
    case PTX_OPERAND_SREG:
        check_sreg(c, o, type);
        return;
    case PTX_OPERAND_SYM:
        if (!address)
            break;
        check_address_of(c, o, type);
        return;
    case PTX_OPERAND_FUNC:
        if (!address || ptx_type_bits[type] != 64)
            break;
        return;
    }
    refuse(c, "has to be a register or a number");
}

/* A vector of n elements (0: 2, 4 or 8 that fill the type) of 'type'. */
static void check_vector(const struct check *c, struct ptx_operand *o, unsigned n, uint8_t type, bool destination, bool wider)
{
    if (o->n != n)
        refuse(c, "has %u elements, expected %u", o->n, n);
    for (unsigned i = 0; i < n; i++) {
        struct ptx_operand *e = &o->elems[i];

        if (e->kind == PTX_OPERAND_REG)
            check_register(c, e, type, wider);
        else if (e->kind == PTX_OPERAND_IMM && !destination)
            check_immediate(c, e, type);
        else if (e->kind != PTX_OPERAND_NONE || !destination)
            refuse(c, "has an element that cannot stand there");
    }
}

/* mov.b64 {a, b}, c and its like: the elements have equal widths and fill the type. */
static void check_pack(const struct check *c, struct ptx_operand *o, uint8_t type, bool destination)
{
    static const uint8_t by_width[] = {[1] = PTX_TYPE_b8, [2] = PTX_TYPE_b16, [4] = PTX_TYPE_b32, [8] = PTX_TYPE_b64};
    unsigned width = o->n ? ptx_type_bits[type] / 8 / o->n : 0;

    if (ptx_type_class[type] != 'b' || (o->n != 2 && o->n != 4 && o->n != 8) || !width || width > 8)
        refuse(c, "cannot be a vector of %u", o->n);
    check_vector(c, o, o->n, by_width[width], destination, false);
}

/* These name shared memory even where .shared is left out. */
static bool is_matrix(unsigned op)
{
    return op == PTX_OP_ldmatrix || op == PTX_OP_stmatrix;
}

static bool is_input(const struct check *c, int32_t sym)
{
    return (uint32_t)sym - c->ps->f->first_param < c->ps->f->nparams;
}

static void check_memory(struct check *c, struct ptx_operand *o)
{
    struct ptx_insn *insn = c->insn;
    uint8_t space = insn->op == PTX_OP_cp && c->nmem ? insn->space2 : insn->space;
    uint64_t bytes = insn->ntypes ? (uint64_t)ptx_type_bits[insn->types[0]] / 8 * insn->vec : 0;
    const struct ptx_symbol *s;

    c->nmem++;
    if (o->reg >= 0) {
        uint8_t type = c->ps->f->regs[o->reg].type;

        bool narrow = ptx_type_bits[type] == 32 && space != PTX_SPACE_generic && space != PTX_SPACE_global;

        if ((ptx_type_bits[type] != 64 && !(narrow || is_matrix(insn->op))) || ptx_type_class[type] == 'f')
            refuse(c, "is an address in a .%s register", ptx_type_names[type]);
        return;
    }
    if (o->sym < 0)
        return;
    check_symbol(c, o);
    s = &c->ps->m->symbols[o->sym];
    if (space == PTX_SPACE_generic && (s->space == PTX_SPACE_shared || s->space == PTX_SPACE_local))
        space = insn->space = s->space; /* the variable says it */
    if (space != s->space && !(space == PTX_SPACE_generic && s->space == PTX_SPACE_global))
        refuse(c, "names '%.80s', which is in .%s", s->name, ptx_space_names[s->space]);
    if (insn->op == PTX_OP_st && is_input(c, o->sym))
        refuse(c, "writes parameter '%.80s'", s->name);
    if (s->space == PTX_SPACE_param && !s->unsized && (o->imm < 0 || (uint64_t)o->imm + bytes > s->size))
        refuse(c, "lies outside of '%.80s'", s->name);
}

static void check_destination(const struct check *c, const struct ptx_operand *o, uint8_t type,
                              const struct ptx_operand_rule *r)
{
    if (o->kind == PTX_OPERAND_NONE && r->sink)
        return;
    if (o->kind != PTX_OPERAND_REG)
        refuse(c, "has to be a register");
    if (o->negated)
        refuse(c, "cannot be negated");
    check_register(c, o, type, r->wider);
}

static void check_data(const struct check *c, struct ptx_operand *o, uint8_t type, bool destination)
{
    struct ptx_operand_rule plain = {.role = destination ? 'd' : 's', .wider = c->insn->op != PTX_OP_atom && c->insn->op != PTX_OP_red};

    if (c->insn->vec > 1) {
        if (o->kind != PTX_OPERAND_VEC)
            refuse(c, "has to be a vector of %u", c->insn->vec);
        check_vector(c, o, c->insn->vec, type, destination, plain.wider);
    } else if (destination) {
        check_destination(c, o, type, &plain);
    } else {
        check_source(c, o, type, &plain);
    }
}

static void check_fragment(const struct check *c, struct ptx_operand *o, unsigned n, uint8_t type, bool destination)
{
    if (!n)
        refuse(c, "has a type that this shape does not take");
    if (o->kind != PTX_OPERAND_VEC)
        refuse(c, "has to be a vector of %u", n);
    check_vector(c, o, n, type, destination, false);
}

static void check_operand(struct check *c, struct ptx_operand *o, const struct ptx_operand_rule *r)
{
    uint8_t type = operand_type(c, r);
    unsigned n;

    switch (r->role) {
    case 'd':
        check_destination(c, o, type, r);
        return;
    case 'u':
        if (o->kind == PTX_OPERAND_VEC)
            check_pack(c, o, type, true);
        else
            check_destination(c, o, type, r);
        return;
    case 'k':
        if (o->kind == PTX_OPERAND_VEC)
            check_pack(c, o, type, false);
        else
            check_source(c, o, type, r);
        return;
    case 's':
    case 'a':
        check_source(c, o, type, r);
        return;
    case 'i':
        if (o->kind != PTX_OPERAND_IMM)
            refuse(c, "has to be a number");
        check_immediate(c, o, type);
        return;
    case 'm':
        if (o->kind != PTX_OPERAND_MEM)
            refuse(c, "has to be an [address]");
        check_memory(c, o);
        return;
    case 'v':
    case 'V':
        check_data(c, o, type, r->role == 'v');
        return;
    case 'F':
        n = ptx_fragment_registers(c->insn, r->fragment, &type);
        check_fragment(c, o, n, type, r->fragment == 'd' ? c->insn->mode != PTX_mode_store : c->insn->mode == PTX_mode_load);
        return;
    case 'N':
        check_fragment(c, o, c->insn->num, PTX_TYPE_b32, c->insn->op == PTX_OP_ldmatrix);
        return;
    case 'T':
        if (o->kind != PTX_OPERAND_TABLE || c->ps->f->tables[o->sym].kind != 'b')
            refuse(c, "has to be a list of branch targets");
        return;
    case 'L':
    case 'x':
        return;
    }
}

/* Put what was written in the places of the rule: missing operands leave a NONE, unless nothing follows. */
static void arrange(struct check *c)
{
    const struct ptx_rule *r = c->mn->rule;
    struct ptx_insn *insn = c->insn;
    struct ptx_operand given[PTX_MAX_OPERANDS];
    unsigned written = insn->nops, seconds = 0, spare, n = 0;

    if (c->mn->has_policy && written) /* the policy only advises */
        written--;
    for (unsigned i = 0; i < r->nops; i++)
        seconds += r->ops[i].second;
    if (written < r->nrequired || written > r->nops - seconds)
        refuse(c, "has %u operands, expected %u", written, r->nrequired);
    spare = written - r->nrequired;
    memcpy(given, insn->ops, sizeof given);
    insn->nops = 0;
    for (unsigned i = 0; i < r->nops; i++) {
        struct ptx_operand *o = &insn->ops[insn->nops];

        if (r->ops[i].second)
            continue;
        *o = (struct ptx_operand){.reg = -1, .sym = -1};
        if (!r->ops[i].optional || spare) {
            spare -= r->ops[i].optional;
            *o = given[n++];
            if (r->ops[i].role == 'x')
                continue;
        } else if (r->ops[i].role == 'x' || n == written) {
            continue;
        }
        insn->nops++;
    }
}

/* Barrier numbers, chapter 9.7.13.1: 0 ... 15. */
static void note_barrier(struct check *c)
{
    const struct ptx_insn *insn = c->insn;
    const struct ptx_operand *o = &insn->ops[insn->mode == PTX_mode_red];
    struct ptx_function *f = c->ps->f;
    uint32_t n = 16;

    if (insn->mode == PTX_mode_warp)
        return;
    f->has_barrier = true;
    if (insn->scope == PTX_scope_cluster)
        return;
    c->place = insn->mode == PTX_mode_red ? 2 : 1;
    if (o->kind == PTX_OPERAND_IMM) {
        if (o->imm < 0 || o->imm > 15)
            refuse(c, "is not a barrier number");
        n = o->imm + 1;
    }
    if (f->barriers < n)
        f->barriers = n;
}

/* cp.async copies 4, 8 or 16 bytes, past L1 (.cg) only 16. */
static void check_copy(struct check *c)
{
    const struct ptx_insn *insn = c->insn;
    int64_t n = insn->ops[2].imm;

    c->place = 3;
    if (n != 16 && ((n != 4 && n != 8) || insn->flags & PTX_FLAG_CG))
        refuse(c, "is not a size that can be copied");
}

/* mma.sp, chapter 9.7.14.6.1: a selector that names no metadata has no defined result. */
static void check_selector(struct check *c)
{
    unsigned n = ptx_sparsity_selectors(c->insn);

    c->place = 6;
    if (c->insn->ops[5].imm >= n)
        refuse(c, "is not a sparsity selector of this shape, which has %u", n);
}

void ptx_check_insn(struct ptx_parser *ps, struct ptx_insn *insn, const struct ptx_mnemonic *mn)
{
    struct check c = {.ps = ps, .insn = insn, .mn = mn};
    const struct ptx_rule *r = mn->rule;
    unsigned at = 0;

    arrange(&c);
    for (unsigned i = 0; i < r->nops; i++) {
        if (r->ops[i].role == 'x')
            continue;
        c.place = at + 1;
        if (r->ops[i].second) {
            if (insn->dst2.kind != PTX_OPERAND_NONE) {
                c.place = 1;
                check_destination(&c, &insn->dst2, operand_type(&c, &r->ops[i]), &r->ops[i]);
            }
            continue;
        }
        if (at == insn->nops)
            break;
        if (!r->ops[i].optional || insn->ops[at].kind != PTX_OPERAND_NONE)
            check_operand(&c, &insn->ops[at], &r->ops[i]);
        at++;
    }
    if (insn->op == PTX_OP_bar || insn->op == PTX_OP_barrier)
        note_barrier(&c);
    if (insn->op == PTX_OP_cp && !insn->submode)
        check_copy(&c);
    if (insn->op == PTX_OP_mma && insn->flags & PTX_FLAG_SP)
        check_selector(&c);
}
