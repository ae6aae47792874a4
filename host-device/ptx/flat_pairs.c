/* SPDX-License-Identifier: Apache-2.0 */
/* Halves that go in pairs. An accumulator of type half2 is two registers of 16 bits in PTX, packed into a word before each operation
 * on it and taken apart behind it. Where two registers are always packed together and come out of a word together, the word becomes
 * the register, and packing a move; what else knows one of the two gets it from there. */
#include "ptx/flat.h"

#include <string.h>

struct half {
    int32_t other;            /* register of 16 bits: the one it goes with; -1: none so far */
    bool high, bad;
    uint16_t packs, unpacks, uses;
    int32_t word;             /* what both have become */
};

struct pairs {
    struct ptx_flat *flat;
    struct half *half;        /* by register */
    uint32_t n;
};

static bool is_half(const struct pairs *p, const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_REG && ptx_type_bits[p->flat->f.regs[o->reg].type] == 16;
}

static bool is_two(const struct pairs *p, const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_VEC && o->n == 2 && is_half(p, &o->elems[0]) && is_half(p, &o->elems[1]) &&
           o->elems[0].reg != o->elems[1].reg && !o->elems[0].negated && !o->elems[1].negated;
}

/* mov.b32 word, {low, high}, or the other way round: which operand has the two; -1: neither. */
static int two_of(const struct pairs *p, const struct ptx_insn *i)
{
    if (i->op != PTX_OP_mov || i->nops != 2 || ptx_type_bits[i->types[0]] != 32)
        return -1;
    if (is_two(p, &i->ops[0]) && i->ops[1].kind == PTX_OPERAND_REG)
        return 0;
    return is_two(p, &i->ops[1]) && i->ops[0].kind == PTX_OPERAND_REG ? 1 : -1;
}

/* The first operand is the result, the others are sources. */
static bool is_plain(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_mov: case PTX_OP_cvt: case PTX_OP_add: case PTX_OP_sub: case PTX_OP_mul: case PTX_OP_fma: case PTX_OP_neg: case PTX_OP_abs:
    case PTX_OP_min: case PTX_OP_max: case PTX_OP_selp:
        return i->dst2.kind == PTX_OPERAND_NONE;
    default:
        return false;
    }
}

/* ---- Which ---- */

static void note(struct pairs *p, int32_t reg, int32_t other, bool high)
{
    struct half *h = &p->half[reg];

    h->bad |= h->other >= 0 && (h->other != other || h->high != high);
    h->other = other;
    h->high = high;
}

static void give_up(struct pairs *p, const struct ptx_operand *o)
{
    if (o->kind == PTX_OPERAND_REG || (o->kind == PTX_OPERAND_MEM && o->reg >= 0))
        p->half[o->reg].bad = true;
    for (unsigned k = 0; o->kind == PTX_OPERAND_VEC && k < o->n; k++)
        give_up(p, &o->elems[k]);
}

static void look_at(struct pairs *p, const struct ptx_insn *i)
{
    int two = two_of(p, i);

    if (two >= 0) {
        const struct ptx_operand *low = &i->ops[two].elems[0], *high = &i->ops[two].elems[1];

        note(p, low->reg, high->reg, false);
        note(p, high->reg, low->reg, true);
        p->half[low->reg].packs += two;
        p->half[low->reg].unpacks += !two;
        return;
    }
    for (unsigned k = 0; k < i->nops; k++)
        if (is_plain(i) && is_half(p, &i->ops[k]))
            p->half[i->ops[k].reg].uses++;
        else
            give_up(p, &i->ops[k]);
    give_up(p, &i->dst2);
}

/* Worth it where that makes the kernel no longer. */
static bool is_pair(const struct pairs *p, int32_t low)
{
    const struct half *a = &p->half[low], *b;

    if (a->other < 0 || a->bad || a->high || !a->packs || !a->unpacks)
        return false;
    b = &p->half[a->other];
    return b->other == low && !b->bad && b->high && a->uses + b->uses <= a->packs + a->unpacks;
}

static void choose(struct pairs *p, uint32_t nregs)
{
    for (uint32_t r = 0; r < nregs; r++)
        if (is_pair(p, (int32_t)r)) {
            int32_t word = ptx_flat_reg(p->flat, PTX_TYPE_b32);

            p->half[r].word = p->half[p->half[r].other].word = word;
            p->n++;
        }
}

/* ---- The new body ---- */

static struct ptx_operand both(struct pairs *p, int32_t low, int32_t high)
{
    struct ptx_operand o = {.kind = PTX_OPERAND_VEC, .reg = -1, .sym = -1, .n = 2};

    o.elems = ptx_flat_keep(p->flat, 2, sizeof *o.elems);
    o.elems[0] = ptx_operand_reg(low);
    o.elems[1] = ptx_operand_reg(high);
    return o;
}

static int32_t word_of(const struct pairs *p, const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_REG ? p->half[o->reg].word : -1;
}

/* Both halves are taken out before the instruction and, where one is its result, packed again behind it. */
static void replace(struct pairs *p, struct ptx_edit *e, const struct ptx_insn *old)
{
    struct ptx_insn i = *old, before, behind;
    bool writes = false;

    for (unsigned k = 0; k < i.nops; k++) {
        int32_t word = word_of(p, &old->ops[k]), halves[2];
        const struct half *h;

        if (word < 0)
            continue;
        h = &p->half[old->ops[k].reg];
        halves[0] = ptx_flat_reg(p->flat, PTX_TYPE_b16);
        halves[1] = ptx_flat_reg(p->flat, PTX_TYPE_b16);
        before = ptx_insn_move(old, PTX_TYPE_b32, both(p, halves[0], halves[1]), ptx_operand_reg(word));
        before.guard = -1;
        ptx_edit_add(e, &before);
        i.ops[k].reg = halves[h->high];
        if (k == 0) {
            behind = ptx_insn_move(old, PTX_TYPE_b32, ptx_operand_reg(word), both(p, halves[0], halves[1]));
            writes = true;
        }
    }
    ptx_edit_add(e, &i);
    if (writes)
        ptx_edit_add(e, &behind);
}

static void edit(struct pairs *p, struct ptx_edit *e, const struct ptx_insn *i)
{
    int two = two_of(p, i);
    int32_t word = two < 0 ? -1 : p->half[i->ops[two].elems[0].reg].word;

    if (word >= 0) {
        struct ptx_insn to = ptx_insn_move(i, PTX_TYPE_b32, two ? i->ops[0] : ptx_operand_reg(word), two ? ptx_operand_reg(word) : i->ops[1]);

        ptx_edit_add(e, &to);
    } else {
        replace(p, e, i);
    }
}

bool ptx_flat_pairs(struct ptx_flat *flat)
{
    struct pairs p = {.flat = flat};
    uint32_t nregs = flat->f.nregs;
    struct ptx_edit e;

    p.half = ptx_flat_keep(flat, nregs, sizeof *p.half);
    for (uint32_t r = 0; r < nregs; r++)
        p.half[r] = (struct half){.other = -1, .word = -1};
    for (uint32_t i = 0; i < flat->f.ninsns; i++)
        look_at(&p, &flat->f.insns[i]);
    choose(&p, nregs);
    if (!p.n)
        return false;
    ptx_edit_begin(&e, flat);
    for (uint32_t i = 0; i < flat->f.ninsns; i++) {
        ptx_edit_old(&e, i);
        edit(&p, &e, &flat->f.insns[i]);
    }
    ptx_edit_end(&e);
    return true;
}
