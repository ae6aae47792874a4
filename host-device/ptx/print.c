/* SPDX-License-Identifier: Apache-2.0 */
/* The IR as text: PTX again, but for registers, which are numbered by function, and branch targets, which are the indices
 * that lead each line. */
#include <inttypes.h>
#include <stdio.h>

#include "ptx/parse.h"

struct printer {
    const struct ptx_module *m;
    const struct ptx_function *f;
    FILE *out;
};

static void print_operand(const struct printer *p, const struct ptx_operand *o);

static void print_list(const struct printer *p, const struct ptx_operand *o, const char *brackets)
{
    putc(brackets[0], p->out);
    for (unsigned i = 0; i < o->n; i++) {
        fputs(i ? ", " : "", p->out);
        print_operand(p, &o->elems[i]);
    }
    putc(brackets[1], p->out);
}

static void print_reg(const struct printer *p, int32_t reg)
{
    static const char letters[] = {['b'] = 'r', ['u'] = 'r', ['s'] = 'r', ['f'] = 'f', ['p'] = 'p'};
    uint8_t type = p->f->regs[reg].type;

    fprintf(p->out, "%%%c%u_%d", letters[(int)ptx_type_class[type]], ptx_type_bits[type], reg);
}

static void print_offset(const struct printer *p, int64_t imm)
{
    if (imm)
        fprintf(p->out, "%+" PRId64, imm);
}

static void print_selector(const struct printer *p, const struct ptx_operand *o)
{
    static const char *const plain[] = {"", ".b0", ".b1", ".b2", ".b3", ".h0", ".h1"};

    if (o->sub < 7)
        fputs(plain[o->sub], p->out);
    else
        fprintf(p->out, ".%c%0*" PRIx64, o->sub == 7 ? 'h' : 'b', o->n, o->imm);
}

static void print_operand(const struct printer *p, const struct ptx_operand *o)
{
    static const char xyzw[] = "xyzw";

    if (o->negated)
        putc(o->kind == PTX_OPERAND_REG && p->f->regs[o->reg].type == PTX_TYPE_pred ? '!' : '-', p->out);
    switch (o->kind) {
    case PTX_OPERAND_NONE:
        putc('_', p->out);
        return;
    case PTX_OPERAND_REG:
        print_reg(p, o->reg);
        print_selector(p, o);
        return;
    case PTX_OPERAND_IMM:
        fprintf(p->out, "0x%" PRIx64, o->imm);
        return;
    case PTX_OPERAND_SREG:
        fprintf(p->out, "%%%s", ptx_sregs[o->sreg].name);
        if (o->sreg == PTX_SREG_envreg || o->sreg == PTX_SREG_pm)
            fprintf(p->out, "%u", o->component);
        else if (o->sreg == PTX_SREG_reserved_smem_offset)
            fprintf(p->out, "_%u", o->component);
        else if (ptx_sregs[o->sreg].components > 1)
            fprintf(p->out, ".%c", xyzw[o->component]);
        return;
    case PTX_OPERAND_SYM:
        fputs(p->m->symbols[o->sym].name, p->out);
        print_offset(p, o->imm);
        return;
    case PTX_OPERAND_MEM:
        putc('[', p->out);
        if (o->reg >= 0)
            print_reg(p, o->reg);
        else if (o->sym >= 0)
            fputs(p->m->symbols[o->sym].name, p->out);
        else
            putc('0', p->out);
        print_offset(p, o->imm);
        putc(']', p->out);
        return;
    case PTX_OPERAND_VEC:
        print_list(p, o, "{}");
        return;
    case PTX_OPERAND_LABEL:
        fprintf(p->out, "@%d", o->sym);
        return;
    case PTX_OPERAND_FUNC:
        fputs(p->m->functions[o->sym].name, p->out);
        return;
    case PTX_OPERAND_TABLE:
        fputs(p->f->tables[o->sym].name, p->out);
        return;
    }
}

static void word(const struct printer *p, const char *s)
{
    if (s)
        fprintf(p->out, ".%s", s);
}

static void print_mnemonic(const struct printer *p, const struct ptx_insn *i)
{
    fputs(ptx_op_names[i->op], p->out);
    word(p, ptx_mode_names[i->mode]);
    word(p, ptx_mode_names[i->submode]);
    if (i->fragment)
        fprintf(p->out, ".%c", i->fragment);
    word(p, ptx_mul_names[i->mul]);
    word(p, ptx_cmp_names[i->cmp]);
    word(p, ptx_bool_names[i->boolop]);
    word(p, ptx_sem_names[i->sem]);
    word(p, ptx_scope_names[i->scope]);
    if (i->space != PTX_SPACE_generic)
        word(p, ptx_space_names[i->space]);
    if (i->space2 != PTX_SPACE_generic)
        word(p, ptx_space_names[i->space2]);
    word(p, ptx_atom_names[i->atom]);
    word(p, ptx_mode_names[i->clampmode]);
    word(p, ptx_round_names[i->round]);
    for (int k = 0; k < PTX_FLAG_COUNT; k++)
        if (i->flags >> k & 1)
            word(p, ptx_flag_words[k]);
    word(p, ptx_shape_names[i->shape]);
    if (i->num)
        fprintf(p->out, ".x%u", i->num);
    if (i->layout_a)
        word(p, i->layout_a == 'r' ? "row" : "col");
    if (i->layout_b)
        word(p, i->layout_b == 'r' ? "row" : "col");
    if (i->vec > 1)
        fprintf(p->out, ".v%u", i->vec);
    for (unsigned k = 0; k < i->ntypes; k++)
        word(p, ptx_type_names[i->types[k]]);
}

static void print_insn(const struct printer *p, const struct ptx_insn *i)
{
    if (i->guard >= 0) {
        fputs(i->guard_negated ? "@!" : "@", p->out);
        print_reg(p, i->guard);
        putc(' ', p->out);
    }
    print_mnemonic(p, i);
    for (unsigned k = 0; k < i->nops; k++) {
        fputs(k ? ", " : " ", p->out);
        if (i->op == PTX_OP_call && (k == 1 || k == 2))
            print_list(p, &i->ops[k], "()");
        else
            print_operand(p, &i->ops[k]);
        if (!k && i->dst2.kind != PTX_OPERAND_NONE) {
            putc('|', p->out);
            print_operand(p, &i->dst2);
        }
    }
    fputs(";\n", p->out);
}

static void print_symbol(const struct printer *p, const struct ptx_symbol *s)
{
    int64_t offset = s->space == PTX_SPACE_shared ? ptx_shared_offset(p->f, s - p->m->symbols) : (int64_t)s->offset;

    fprintf(p->out, "  .%s .align %u .%s %s[%" PRIu64 "] at %" PRId64 "\n", ptx_space_names[s->space], s->align,
            ptx_type_names[s->type], s->name, s->size, offset);
}

void ptx_function_print(const struct ptx_module *m, const struct ptx_function *f, void *file)
{
    struct printer p = {m, f, file};

    fprintf(p.out, "%s %s: params %u, shared %u, local %u, call params %u, barriers %u\n", f->is_entry ? ".entry" : ".func",
            f->name, f->param_size, f->shared_size, f->local_size, f->call_param_size, f->barriers);
    for (uint32_t i = 0; i < m->nsymbols; i++)
        if (m->symbols[i].owner == (int32_t)f->index)
            print_symbol(&p, &m->symbols[i]);
    for (uint32_t i = 0; i < f->ntables; i++) {
        const struct ptx_table *t = &f->tables[i];

        fprintf(p.out, "  %s: .%s", t->name, t->kind == 'b' ? "branchtargets" : t->kind == 'c' ? "calltargets" : "callprototype");
        for (uint32_t k = 0; k < t->n; k++) {
            if (t->kind == 'b')
                fprintf(p.out, " @%d", t->targets[k]);
            else
                fprintf(p.out, " %s", m->functions[t->targets[k]].name);
        }
        putc('\n', p.out);
    }
    for (uint32_t i = 0; i < f->ninsns; i++) {
        fprintf(p.out, "%5u  ", i);
        print_insn(&p, &f->insns[i]);
    }
}
