/* SPDX-License-Identifier: Apache-2.0 */
#include "jit/reach.h"

#include <stdlib.h>
#include <string.h>

#include "interp/window.h"

/* A register of 64 bits is, as long as it holds what it was last given, another one plus something bounded, or it is a root. */
struct link {
    int32_t root;            /* -1: none */
    uint64_t most;           /* the difference is at most this, up or down */
    uint8_t zeros;           /* and a multiple of 2^this */
};

/* What is known of an operand as a number. */
struct number {
    bool known;
    uint64_t most;           /* of 64 bits: from -most to most; else from 0 to most */
    uint8_t zeros;
    bool natural;            /* not below 0 */
};
#define ZEROS_MAX 63
#define MOST_MAX (UINT64_C(1) << 40) /* more than any margin, and few of them do not wrap */

/* Where a register is written, by the only instruction that does so. */
struct definition {
    uint32_t insn, block;    /* JIT_NONE: by none, or several, or under a guard */
};

/* What is known of a root: its distance from the window at the most, and that it is a multiple of 2^zeros. */
struct fact {
    uint64_t distance;       /* ANYWHERE */
    uint8_t zeros;
};
#define ANYWHERE UINT64_MAX
static const struct fact nothing = {ANYWHERE, 0};

#define FACTS_MAX (1u << 19) /* of all blocks; else those of a block begin with it */
#define PATIENCE 3           /* rounds in which distances may still grow */

struct find {
    const struct jit_flow *w;
    const struct ptx_function *f;
    struct definition *definitions;
    struct number *numbers;  /* by register */
    struct link *links;
    uint32_t *index;         /* by register: of a root, which of the facts are its */
    uint32_t n_roots;
    struct fact *facts, *in; /* at the start of each block; at this place */
    uint8_t *known;
};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned zeros_of(uint64_t v)
{
    return v ? (unsigned)__builtin_ctzll(v) : ZEROS_MAX;
}

/* ---- Definitions ---- */

/* What the register holds at this place is what its definition has last given. */
static bool is_settled(const struct find *k, int32_t reg, uint32_t block, uint32_t insn)
{
    const struct definition *d = &k->definitions[reg];

    if (d->insn == JIT_NONE)
        return false;
    if (d->block == block)
        return d->insn < insn;
    while (block > d->block)
        block = k->w->blocks[block].idom;
    return block == d->block;
}

static bool find_definitions(struct find *k)
{
    uint8_t *seen = calloc(k->f->nregs + 1, 1);
    struct jit_regs r;

    if (!seen)
        return false;
    for (uint32_t reg = 0; reg < k->f->nregs; reg++)
        k->definitions[reg] = (struct definition){JIT_NONE, 0};
    for (uint32_t b = 0; b < k->w->n; b++)
        for (uint32_t i = k->w->blocks[b].first; i < k->w->blocks[b].end; i++) {
            jit_regs_of(&k->f->insns[i], &r);
            for (unsigned n = 0; n < r.n_written; n++) {
                bool only = !seen[r.written[n]] && k->f->insns[i].guard < 0;

                k->definitions[r.written[n]] = only ? (struct definition){i, b} : (struct definition){JIT_NONE, 0};
                seen[r.written[n]] = 1;
            }
        }
    free(seen);
    return true;
}

/* ---- Numbers ---- */

static uint64_t ones(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static struct number immediate(uint64_t v, unsigned bits)
{
    struct number n = {true, v & ones(bits), (uint8_t)zeros_of(v), bits < 64 || (int64_t)v >= 0};

    if (!n.natural)
        n.most = -v;
    n.known = bits < 64 || n.most <= MOST_MAX;
    return n;
}

static unsigned bits_of(const struct find *k, int32_t reg)
{
    return ptx_type_bits[k->f->regs[reg].type];
}

/* An operand of so many bits, as it is read by instruction i of the block. Of what is not known, how many bits it has is. */
static struct number number_of(const struct find *k, const struct ptx_operand *o, unsigned bits, uint32_t block, uint32_t i)
{
    int64_t place;

    if (o->kind == PTX_OPERAND_IMM)
        return immediate((uint64_t)o->imm, bits);
    if (o->kind == PTX_OPERAND_SYM && k->w->m->symbols[o->sym].space == PTX_SPACE_shared && (place = ptx_shared_offset(k->f, o->sym)) >= 0)
        return immediate((uint64_t)(place + o->imm), bits);
    if (o->kind == PTX_OPERAND_REG && bits_of(k, o->reg) == bits && is_settled(k, o->reg, block, i) && k->numbers[o->reg].known)
        return k->numbers[o->reg];
    return (struct number){bits < 64, ones(bits), 0, bits < 64};
}

static struct number sum(struct number a, struct number b)
{
    return (struct number){a.known && b.known, a.most + b.most, (uint8_t)least(a.zeros, b.zeros), a.natural && b.natural};
}

static struct number product(struct number a, struct number b)
{
    struct number r = {a.known && b.known, 0, (uint8_t)least(a.zeros + b.zeros, ZEROS_MAX), a.natural && b.natural};

    if (__builtin_mul_overflow(a.most, b.most, &r.most))
        r.known = false;
    return r;
}

/* As many bits as it has, with a sign, to 64. */
static struct number with_sign(struct number n, unsigned bits)
{
    if (n.most > ones(bits - 1)) {
        n.most = UINT64_C(1) << (bits - 1);
        n.natural = false;
    }
    return n;
}

static bool is_integer(uint8_t type)
{
    char c = ptx_type_class[type];

    return (c == 'u' || c == 's' || c == 'b') && type != PTX_TYPE_u16x2 && type != PTX_TYPE_s16x2;
}

static struct number wide_product(const struct find *k, const struct ptx_insn *i, uint32_t block, uint32_t at)
{
    unsigned bits = ptx_type_bits[i->types[0]];
    struct number a = number_of(k, &i->ops[1], bits, block, at), b = number_of(k, &i->ops[2], bits, block, at);

    if (ptx_type_class[i->types[0]] == 's')
        return product(with_sign(a, bits), with_sign(b, bits));
    return product(a, b);
}

/* The result of instruction 'at', of 'bits', before it is cut to those. */
static struct number compute(const struct find *k, const struct ptx_insn *i, unsigned bits, uint32_t block, uint32_t at)
{
    unsigned from = ptx_type_bits[i->types[i->op == PTX_OP_cvt]];
    struct number a = {0}, b = {0};

    if (!is_integer(i->types[0]) || i->flags || i->nops < 2)
        return a;
    a = number_of(k, &i->ops[1], from, block, at);
    if (i->nops > 2)
        b = number_of(k, &i->ops[2], i->op == PTX_OP_shl || i->op == PTX_OP_shr ? 32 : from, block, at);
    switch (i->op) {
    case PTX_OP_mov:
        return a;
    case PTX_OP_cvt:
        if (!is_integer(i->types[1]) || i->round || from < 8)
            return (struct number){0};
        if (bits < 64 && (from > bits || ptx_type_class[i->types[1]] == 's'))
            return (struct number){true, ones(bits), a.zeros, true};
        return ptx_type_class[i->types[1]] == 's' && from < 64 ? with_sign(a, from) : a;
    case PTX_OP_add:
        return sum(a, b);
    case PTX_OP_sub:
        a = bits == 64 ? sum(a, b) : (struct number){true, ones(bits), (uint8_t)least(a.zeros, b.zeros), true};
        a.natural &= bits < 64;
        return a;
    case PTX_OP_mul:
        return i->mul == PTX_mul_wide ? wide_product(k, i, block, at) : i->mul == PTX_mul_lo ? product(a, b) : (struct number){0};
    case PTX_OP_mad:
        if (i->mul == PTX_mul_wide)
            return sum(wide_product(k, i, block, at), number_of(k, &i->ops[3], bits, block, at));
        return i->mul == PTX_mul_lo ? sum(product(a, b), number_of(k, &i->ops[3], bits, block, at)) : (struct number){0};
    case PTX_OP_shl:
        if (i->ops[2].kind != PTX_OPERAND_IMM || (uint64_t)i->ops[2].imm >= from)
            return (struct number){0};
        return product(a, immediate(UINT64_C(1) << i->ops[2].imm, 64));
    case PTX_OP_shr:
        if (i->ops[2].kind != PTX_OPERAND_IMM || (uint64_t)i->ops[2].imm >= from || bits == 64 || ptx_type_class[i->types[0]] == 's')
            return (struct number){0};
        return (struct number){true, a.most >> i->ops[2].imm, 0, true};
    case PTX_OP_and:
        a.known &= a.natural;
        b.known &= b.natural;
        return (struct number){a.known || b.known, !b.known || (a.known && a.most < b.most) ? a.most : b.most, a.zeros > b.zeros ? a.zeros : b.zeros,
                               true};
    default:
        return (struct number){0};
    }
}

static struct number result(const struct find *k, const struct ptx_insn *i, unsigned bits, uint32_t block, uint32_t at)
{
    struct number n = compute(k, i, bits, block, at);

    if (!n.known && bits < 64)
        n = (struct number){true, ones(bits), n.zeros, true};
    if (bits < 64 && (n.most > ones(bits) || !n.natural))
        n = (struct number){true, ones(bits), n.zeros, true};
    if (bits == 64 && n.most > MOST_MAX)
        n.known = false;
    return n;
}

/* ---- Links ---- */

/* The operand that the result is that plus n: NULL, none. */
static const struct ptx_operand *base_of(const struct find *k, const struct ptx_insn *i, uint32_t block, uint32_t at, struct number *n)
{
    const struct ptx_operand *base = NULL;

    if (!is_integer(i->types[0]) || i->flags & ~(uint32_t)PTX_FLAG_TO)
        return NULL;
    *n = immediate(0, 64);
    switch (i->op) {
    case PTX_OP_mov:
        base = &i->ops[1];
        break;
    case PTX_OP_cvta:
        base = i->space == PTX_SPACE_global || i->space == PTX_SPACE_const ? &i->ops[1] : NULL;
        break;
    case PTX_OP_add:
    case PTX_OP_sub:
        base = &i->ops[1];
        *n = number_of(k, &i->ops[2], 64, block, at);
        if (!n->known && i->op == PTX_OP_add) {
            base = &i->ops[2];
            *n = number_of(k, &i->ops[1], 64, block, at);
        }
        break;
    case PTX_OP_mad:
        base = i->mul == PTX_mul_wide && ptx_type_bits[i->types[0]] == 32 ? &i->ops[3] : NULL;
        *n = wide_product(k, i, block, at);
        break;
    default:
        break;
    }
    return base && base->kind == PTX_OPERAND_REG && bits_of(k, base->reg) == 64 && n->known && n->most <= MOST_MAX ? base : NULL;
}

/* What a register's value is made of, as it is at this place. */
static struct link link_at(const struct find *k, int32_t reg, uint32_t block, uint32_t at)
{
    if (k->links[reg].root >= 0 && is_settled(k, reg, block, at))
        return k->links[reg];
    return (struct link){reg, 0, ZEROS_MAX};
}

static void settle(struct find *k, int32_t reg, uint32_t block, uint32_t at)
{
    const struct ptx_insn *i = &k->f->insns[at];
    const struct ptx_operand *base;
    struct number n;
    struct link l;

    k->numbers[reg] = result(k, i, bits_of(k, reg), block, at);
    if (bits_of(k, reg) != 64 || !(base = base_of(k, i, block, at, &n)) || !is_settled(k, base->reg, block, at))
        return;
    l = link_at(k, base->reg, block, at);
    if (l.most + n.most <= MOST_MAX)
        k->links[reg] = (struct link){l.root, l.most + n.most, (uint8_t)least(l.zeros, n.zeros)};
}

static void find_links(struct find *k)
{
    for (uint32_t reg = 0; reg < k->f->nregs; reg++)
        k->links[reg].root = -1;
    for (uint32_t b = 0; b < k->w->n; b++)
        for (uint32_t i = k->w->blocks[b].first; i < k->w->blocks[b].end; i++) {
            const struct ptx_operand *o = &k->f->insns[i].ops[0];

            if (o->kind == PTX_OPERAND_REG && k->definitions[o->reg].insn == i && is_integer(k->f->regs[o->reg].type))
                settle(k, o->reg, b, i);
        }
}

/* ---- Facts ---- */

/* The operand with an address in a register, or NULL. */
static const struct ptx_operand *memory_operand(const struct ptx_insn *i)
{
    const struct ptx_operand *o;

    switch (i->op) {
    case PTX_OP_ld:
    case PTX_OP_ldu:
    case PTX_OP_atom:
        o = &i->ops[1];
        break;
    case PTX_OP_st:
    case PTX_OP_red:
        o = &i->ops[0];
        break;
    default:
        return NULL;
    }
    return o->kind == PTX_OPERAND_MEM && o->reg >= 0 ? o : NULL;
}

/* The same of an access to device memory. */
static const struct ptx_operand *address_of(const struct find *k, const struct ptx_insn *i)
{
    const struct ptx_operand *o = memory_operand(i);

    if (!o || o->sym >= 0 || bits_of(k, o->reg) != 64 ||
        (i->space != PTX_SPACE_generic && i->space != PTX_SPACE_global && i->space != PTX_SPACE_const))
        return NULL;
    return o;
}

static void add_root(struct find *k, int32_t reg)
{
    if (k->index[reg] == JIT_NONE)
        k->index[reg] = k->n_roots++;
}

/* Roots of addresses, and what those are made from where they are written several times. */
static void find_roots(struct find *k)
{
    const struct ptx_operand *o;
    struct number n;

    memset(k->index, 0xff, k->f->nregs * sizeof *k->index);
    for (uint32_t last = JIT_NONE; last != k->n_roots;) {
        last = k->n_roots;
        for (uint32_t b = 0; b < k->w->n; b++)
            for (uint32_t i = k->w->blocks[b].first; i < k->w->blocks[b].end; i++) {
                const struct ptx_insn *insn = &k->f->insns[i];

                if ((o = address_of(k, insn)))
                    add_root(k, link_at(k, o->reg, b, i).root);
                o = insn->ops;
                if (o->kind == PTX_OPERAND_REG && k->index[o->reg] != JIT_NONE && (o = base_of(k, insn, b, i, &n)))
                    add_root(k, link_at(k, o->reg, b, i).root);
            }
    }
}

static struct fact both(struct fact a, struct fact b)
{
    return (struct fact){a.distance > b.distance ? a.distance : b.distance, (uint8_t)least(a.zeros, b.zeros)};
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

static uint64_t access_bytes(const struct ptx_insn *i)
{
    return (uint64_t)(ptx_type_bits[i->types[0]] < 8 ? 8 : ptx_type_bits[i->types[0]]) / 8 * (i->vec > 1 ? i->vec : 1);
}

/* An address in the kernel's shared memory that cannot be outside. */
static void pass_shared(struct find *k, uint32_t b, uint32_t i)
{
    const struct ptx_insn *insn = &k->f->insns[i];
    const struct ptx_operand *o = memory_operand(insn);
    int64_t place = 0;
    struct number n;
    uint64_t at;

    if (!o || insn->space != PTX_SPACE_shared)
        return;
    if (o->sym >= 0 && (k->w->m->symbols[o->sym].space != PTX_SPACE_shared || (place = ptx_shared_offset(k->f, o->sym)) < 0))
        return;
    n = number_of(k, &(struct ptx_operand){.kind = PTX_OPERAND_REG, .reg = o->reg}, bits_of(k, o->reg), b, i);
    at = (uint64_t)place + (uint64_t)o->imm;
    k->known[i] = (uint8_t)least(n.zeros, zeros_of(at));
    if (n.known && n.natural && at <= k->f->shared_size && n.most <= k->f->shared_size - at &&
        access_bytes(insn) <= k->f->shared_size - at - n.most)
        k->known[i] |= JIT_REACH_NEAR;
}

static void pass_access(struct find *k, uint32_t b, uint32_t i)
{
    const struct ptx_insn *insn = &k->f->insns[i];
    const struct ptx_operand *o = address_of(k, insn);
    unsigned here, all;
    struct fact *fact;
    struct link l;
    uint64_t away;

    if (!o)
        return;
    l = link_at(k, o->reg, b, i);
    fact = &k->in[k->index[l.root]];
    here = least(l.zeros, zeros_of((uint64_t)o->imm));
    away = l.most + magnitude(o->imm) + 2 * JIT_SPAN_MAX;
    if (magnitude(o->imm) > MOST_MAX)
        return;
    k->known[i] = (uint8_t)least(fact->zeros, here);
    if (fact->distance < WINDOW_MARGIN && fact->distance + away <= WINDOW_MARGIN)
        k->known[i] |= JIT_REACH_NEAR;
    else if (insn->guard < 0)
        fact->distance = away < fact->distance ? away : fact->distance;
    all = least(zeros_of(access_bytes(insn)), here);
    if (insn->guard < 0 && all > fact->zeros)
        fact->zeros = (uint8_t)all;
}

static void pass_write(struct find *k, int32_t reg, uint32_t b, uint32_t i)
{
    const struct ptx_insn *insn = &k->f->insns[i];
    struct fact fact = nothing, *old = &k->in[k->index[reg]];
    const struct ptx_operand *base;
    struct number n;
    struct link l;

    if (insn->ops[0].kind == PTX_OPERAND_REG && insn->ops[0].reg == reg && (base = base_of(k, insn, b, i, &n))) {
        l = link_at(k, base->reg, b, i);
        fact = k->in[k->index[l.root]];
        fact.distance = fact.distance < MOST_MAX ? fact.distance + l.most + n.most : ANYWHERE;
        fact.zeros = (uint8_t)least(fact.zeros, least(l.zeros, n.zeros));
    }
    *old = insn->guard < 0 ? fact : both(fact, *old);
}

static void pass_block(struct find *k, uint32_t b)
{
    struct jit_regs r;

    for (uint32_t i = k->w->blocks[b].first; i < k->w->blocks[b].end; i++) {
        pass_access(k, b, i);
        pass_shared(k, b, i);
        jit_regs_of(&k->f->insns[i], &r);
        for (unsigned n = 0; n < r.n_written; n++)
            if (k->index[r.written[n]] != JIT_NONE)
                pass_write(k, r.written[n], b, i);
    }
}

/* Where the block leads to, no more holds than holds here. True when that is news. Distances that keep growing are without bound. */
static bool pass_on(struct find *k, uint32_t to, unsigned round)
{
    struct fact *in = k->facts + (size_t)to * k->n_roots;
    bool news = false;

    for (uint32_t r = 0; r < k->n_roots; r++) {
        struct fact f = both(in[r], k->in[r]);

        if (f.distance == in[r].distance && f.zeros == in[r].zeros)
            continue;
        if (f.distance != in[r].distance && round >= PATIENCE)
            f.distance = ANYWHERE;
        in[r] = f;
        news = true;
    }
    return news;
}

/* Facts of all blocks: at first anything holds, but at the entry. */
static bool pass_all(struct find *k)
{
    size_t n = (size_t)k->w->n * k->n_roots;

    k->facts = malloc((n + 1) * sizeof *k->facts);
    if (!k->facts)
        return false;
    for (size_t i = 0; i < n; i++)
        k->facts[i] = i < k->n_roots ? nothing : (struct fact){0, ZEROS_MAX};
    for (unsigned round = 0, more = true; more; round++) {
        more = false;
        for (uint32_t b = 0; b < k->w->n; b++) {
            memcpy(k->in, k->facts + (size_t)b * k->n_roots, k->n_roots * sizeof *k->in);
            pass_block(k, b);
            for (uint32_t s = 0; s < k->w->blocks[b].n_succ; s++)
                if (k->w->blocks[b].succ[s] != JIT_EXIT)
                    more |= pass_on(k, k->w->blocks[b].succ[s], round);
        }
    }
    return true;
}

static void pass_each(struct find *k)
{
    for (uint32_t b = 0; b < k->w->n; b++) {
        for (uint32_t r = 0; r < k->n_roots; r++)
            k->in[r] = nothing;
        pass_block(k, b);
    }
}

static bool find(struct find *k)
{
    if (!find_definitions(k))
        return false;
    find_links(k);
    find_roots(k);
    k->in = malloc((k->n_roots + 1) * sizeof *k->in);
    if (!k->in)
        return false;
    if ((uint64_t)k->w->n * k->n_roots <= FACTS_MAX)
        return pass_all(k);
    pass_each(k);
    return true;
}

bool jit_reach_find(struct jit_reach *r, const struct jit_flow *flow)
{
    uint32_t nregs = flow->f->nregs + 1;
    struct find k = {.w = flow, .f = flow->f};
    bool good = false;

    k.known = r->known = calloc(flow->f->ninsns + 1, 1);
    k.definitions = malloc(nregs * sizeof *k.definitions);
    k.numbers = calloc(nregs, sizeof *k.numbers);
    k.links = malloc(nregs * sizeof *k.links);
    k.index = malloc(nregs * sizeof *k.index);
    if (k.known && k.definitions && k.numbers && k.links && k.index)
        good = find(&k);
    free(k.definitions);
    free(k.numbers);
    free(k.links);
    free(k.index);
    free(k.in);
    free(k.facts);
    return good;
}

void jit_reach_free(struct jit_reach *r)
{
    free(r->known);
    r->known = NULL;
}
