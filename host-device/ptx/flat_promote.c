/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of a lane's own as registers: .local variables, and the .param variables of calls that have been replaced. A variable
 * whose address is never taken and that is read and written in the same pieces everywhere becomes a register a piece. */
#include "ptx/flat.h"

#include <string.h>

#define MOST_BYTES 512u       /* of a variable that is looked at */
#define MOST_PIECES 1024u     /* of all variables: registers that live long cost more than memory */

struct piece {
    uint8_t bytes, bits;      /* in memory; of the register. bytes 0: no piece begins here */
    uint16_t begin;           /* of the piece that covers this byte, + 1 */
    int32_t reg;
};

struct promote {
    struct ptx_flat *flat;
    struct piece **pieces;    /* by symbol, and byte; NULL: stays in memory */
    uint32_t n_pieces;
};

static bool is_access(const struct ptx_insn *i)
{
    return (i->op == PTX_OP_ld || i->op == PTX_OP_st) && (i->sem == PTX_sem_none || i->sem == PTX_sem_weak);
}

static const struct ptx_operand *address_of(const struct ptx_insn *i)
{
    return &i->ops[i->op == PTX_OP_ld];
}

static const struct ptx_operand *data_of(const struct ptx_insn *i, unsigned *n)
{
    const struct ptx_operand *o = &i->ops[i->op == PTX_OP_st];

    *n = o->kind == PTX_OPERAND_VEC ? o->n : 1;
    return o->kind == PTX_OPERAND_VEC ? o->elems : o;
}

static bool is_candidate(const struct ptx_flat *flat, uint32_t sym)
{
    const struct ptx_symbol *s = &flat->m.symbols[sym];

    if (s->owner != (int32_t)flat->f.index || s->unsized || !s->size || s->size > MOST_BYTES)
        return false;
    return s->space == PTX_SPACE_local || (s->space == PTX_SPACE_param && sym - flat->f.first_param >= flat->f.nparams);
}

/* ---- What may be a register ---- */

static void give_up(struct promote *p, int32_t sym)
{
    if (sym >= 0)
        p->pieces[sym] = NULL;
}

static void give_up_operand(struct promote *p, const struct ptx_operand *o)
{
    if (o->kind == PTX_OPERAND_SYM || o->kind == PTX_OPERAND_MEM)
        give_up(p, o->sym);
    for (unsigned k = 0; o->kind == PTX_OPERAND_VEC && k < o->n; k++)
        give_up_operand(p, &o->elems[k]);
}

static bool add_piece(struct promote *p, const struct ptx_symbol *s, struct piece *pieces, int64_t at, unsigned bytes, unsigned bits)
{
    if (at < 0 || (uint64_t)at + bytes > s->size || bits < 16 || bits > 64 || bits < 8 * bytes)
        return false;
    for (unsigned b = 0; b < bytes; b++)
        if (pieces[at + b].begin && pieces[at + b].begin != at + 1)
            return false;
    if (pieces[at].bytes)
        return pieces[at].bytes == bytes && pieces[at].bits == bits;
    for (unsigned b = 0; b < bytes; b++)
        pieces[at + b].begin = (uint16_t)(at + 1);
    pieces[at].bytes = (uint8_t)bytes;
    pieces[at].bits = (uint8_t)bits;
    return p->n_pieces++ < MOST_PIECES;
}

static void look_at(struct promote *p, const struct ptx_insn *i)
{
    const struct ptx_operand *address = address_of(i), *data;
    unsigned n, bytes = ptx_type_bits[i->types[0]] / 8;

    if (!is_access(i) || address->kind != PTX_OPERAND_MEM || address->sym < 0) {
        for (unsigned k = 0; k < i->nops; k++)
            give_up_operand(p, &i->ops[k]);
        return;
    }
    data = data_of(i, &n);
    for (unsigned k = 0; k < n && p->pieces[address->sym]; k++) {
        unsigned bits = data[k].kind == PTX_OPERAND_REG ? ptx_type_bits[p->flat->f.regs[data[k].reg].type] : bytes < 2 ? 16 : 8 * bytes;

        if ((data[k].kind != PTX_OPERAND_REG && (data[k].kind != PTX_OPERAND_IMM || i->op == PTX_OP_ld)) || !bytes ||
            !add_piece(p, &p->flat->m.symbols[address->sym], p->pieces[address->sym], address->imm + k * bytes, bytes, bits))
            give_up(p, address->sym);
    }
}

/* ---- The new body ---- */

static uint8_t type_of(char class, unsigned bits)
{
    static const uint8_t types[3][4] = {
        {PTX_TYPE_b8, PTX_TYPE_b16, PTX_TYPE_b32, PTX_TYPE_b64},
        {PTX_TYPE_u8, PTX_TYPE_u16, PTX_TYPE_u32, PTX_TYPE_u64},
        {PTX_TYPE_s8, PTX_TYPE_s16, PTX_TYPE_s32, PTX_TYPE_s64},
    };

    return types[class == 'u' ? 1 : class == 's' ? 2 : 0][bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3];
}

/* Registers hold a piece without a sign, whatever is stored. */
static void move(struct ptx_edit *e, const struct ptx_insn *like, struct ptx_operand to, struct ptx_operand from, const struct piece *x, char class)
{
    bool narrow = 8u * x->bytes < x->bits && class != 'b';
    struct ptx_insn i = ptx_insn_move(like, type_of(narrow ? class : 'b', x->bits), to, from);

    if (narrow) {
        i.op = PTX_OP_cvt;
        i.types[1] = type_of(class, 8u * x->bytes);
        i.ntypes = 2;
    }
    ptx_edit_add(e, &i);
}

static void replace(struct promote *p, struct ptx_edit *e, const struct ptx_insn *i)
{
    const struct ptx_operand *address = address_of(i), *data;
    struct piece *pieces = p->pieces[address->sym];
    unsigned n, bytes = ptx_type_bits[i->types[0]] / 8;

    data = data_of(i, &n);
    for (unsigned k = 0; k < n; k++) {
        struct piece *x = &pieces[address->imm + k * bytes];
        struct ptx_operand value = data[k];

        if (x->reg < 0)
            x->reg = ptx_flat_reg(p->flat, type_of('b', x->bits));
        if (i->op == PTX_OP_ld) {
            move(e, i, value, ptx_operand_reg(x->reg), x, ptx_type_class[i->types[0]] == 's' ? 's' : 'b');
        } else if (value.kind == PTX_OPERAND_IMM) {
            value.imm &= bytes < 8 ? (INT64_C(1) << 8 * bytes) - 1 : -1;
            move(e, i, ptx_operand_reg(x->reg), value, x, 'b');
        } else {
            move(e, i, ptx_operand_reg(x->reg), value, x, 'u');
        }
    }
}

static bool is_replaced(const struct promote *p, const struct ptx_insn *i)
{
    const struct ptx_operand *address = address_of(i);

    return is_access(i) && address->kind == PTX_OPERAND_MEM && address->sym >= 0 && p->pieces[address->sym];
}

bool ptx_flat_promote(struct ptx_flat *flat)
{
    struct promote p = {.flat = flat};
    const struct ptx_function *f = &flat->f;
    struct ptx_edit e;
    uint32_t n = 0;

    p.pieces = ptx_flat_keep(flat, flat->m.nsymbols, sizeof *p.pieces);
    for (uint32_t s = 0; s < flat->m.nsymbols; s++) {
        if (!is_candidate(flat, s))
            continue;
        p.pieces[s] = ptx_flat_keep(flat, flat->m.symbols[s].size, sizeof **p.pieces);
        for (uint64_t b = 0; b < flat->m.symbols[s].size; b++)
            p.pieces[s][b].reg = -1;
    }
    for (uint32_t i = 0; i < f->ninsns; i++)
        look_at(&p, &f->insns[i]);
    for (uint32_t i = 0; i < f->ninsns; i++)
        n += is_replaced(&p, &f->insns[i]);
    if (!n)
        return false;
    ptx_edit_begin(&e, flat);
    for (uint32_t i = 0; i < f->ninsns; i++) {
        ptx_edit_old(&e, i);
        if (is_replaced(&p, &f->insns[i]))
            replace(&p, &e, &f->insns[i]);
        else
            ptx_edit_add(&e, &f->insns[i]);
    }
    ptx_edit_end(&e);
    return true;
}
