/* SPDX-License-Identifier: Apache-2.0 */
/* Where operands lie: registers in the frame, immediates and addresses as constant arrays, special registers in the warp's
 * special area; what changes while a warp runs is computed into a temporary by an operation of its own. */
#include "interp/lower.h"

#include <stdlib.h>
#include <string.h>

unsigned bits_of_type(uint8_t type)
{
    unsigned bits = ptx_type_bits[type];

    return type == PTX_TYPE_pred ? 1 : bits < 16 ? 16 : bits;
}

unsigned reg_bits(const struct lower *lo, int32_t reg)
{
    return bits_of_type(lo->f->regs[reg].type);
}

/* Operands whose type is not the instruction's first: shift amounts, masks, predicates and the like. */
static const struct {
    uint16_t op;
    uint8_t operand, bits; /* bits 0: of the second type; 255: twice the first's */
} odd_operands[] = {
    {PTX_OP_shl, 2, 32}, {PTX_OP_shr, 2, 32}, {PTX_OP_bfe, 2, 32}, {PTX_OP_bfe, 3, 32}, {PTX_OP_bfi, 3, 32},
    {PTX_OP_bfi, 4, 32}, {PTX_OP_set, 1, 0}, {PTX_OP_set, 2, 0}, {PTX_OP_set, 3, 1}, {PTX_OP_setp, 3, 1},
    {PTX_OP_selp, 3, 1}, {PTX_OP_slct, 3, 0}, {PTX_OP_lop3, 5, 1}, {PTX_OP_cvt, 1, 0}, {PTX_OP_cvt, 2, 0},
    {PTX_OP_cvt, 3, 32}, {PTX_OP_vote, 1, 1}, {PTX_OP_vote, 2, 32}, {PTX_OP_match, 2, 32}, {PTX_OP_mapa, 2, 32},
    {PTX_OP_isspacep, 1, 64}, {PTX_OP_elect, 1, 32}, {PTX_OP_bar, 0, 32}, {PTX_OP_bar, 1, 32}, {PTX_OP_bar, 2, 32},
    {PTX_OP_barrier, 0, 32}, {PTX_OP_barrier, 1, 32}, {PTX_OP_barrier, 2, 32}, {PTX_OP_brx, 0, 32}, {PTX_OP_cp, 2, 32},
    {PTX_OP_cp, 3, 32}, {PTX_OP_redux, 2, 32}, {PTX_OP_mma, 4, 32}, {PTX_OP_mma, 5, 32}, {PTX_OP_wmma, 2, 32},
};

unsigned operand_bits(const struct ptx_insn *insn, unsigned i)
{
    unsigned bits = insn->ntypes ? bits_of_type(insn->types[0]) : 32;

    if (insn->op == PTX_OP_mad && insn->mul == PTX_mul_wide && i == 3)
        return 2 * bits;
    for (size_t k = 0; k < sizeof odd_operands / sizeof *odd_operands; k++)
        if (odd_operands[k].op == insn->op && odd_operands[k].operand == i)
            return odd_operands[k].bits ? odd_operands[k].bits : bits_of_type(insn->types[1]);
    return bits;
}

/* ---- Constants ---- */

static size_t array_bytes(unsigned bits)
{
    return bits == 1 ? 4 : bits / 8 * VG_WARP;
}

static void splat_const(char *at, unsigned bits, uint64_t value)
{
    if (bits == 1) {
        *(uint32_t *)at = value ? ~0u : 0;
        return;
    }
    for (unsigned l = 0; l < VG_WARP; l++) {
        if (bits == 16)
            ((uint16_t *)at)[l] = (uint16_t)value;
        else if (bits == 32)
            ((uint32_t *)at)[l] = (uint32_t)value;
        else
            ((uint64_t *)at)[l * (bits / 64)] = value; /* 128 bits: the upper half stays zero */
    }
}

static uint32_t add_const(struct lower *lo, unsigned bits, uint64_t value)
{
    size_t n = (array_bytes(bits) + 63) & ~(size_t)63;
    uint32_t at = lo->const_bytes;

    while (lo->const_room - at < n) {
        lo->consts = lower_grow(lo, lo->consts, lo->const_room, &lo->const_room, 1);
    }
    memset(lo->consts + at, 0, n);
    splat_const(lo->consts + at, bits, value);
    lo->const_bytes += (uint32_t)n;
    return at | BASE_CONST;
}

static struct const_slot *const_slot(struct lower *lo, unsigned bits, uint64_t value)
{
    uint32_t i = (uint32_t)((value * 0x9e3779b97f4a7c15u + bits) >> 32);

    for (;; i++) {
        struct const_slot *s = &lo->const_slots[i & (lo->const_slots_room - 1)];

        if (!s->bits || (s->bits == bits && s->value == value))
            return s;
    }
}

uint32_t lower_const(struct lower *lo, unsigned bits, uint64_t value)
{
    struct const_slot *s;

    value &= bits == 1 ? 1 : bits < 64 ? (1ull << bits) - 1 : ~0ull;
    if (2 * lo->n_consts >= lo->const_slots_room) {
        struct const_slot *old = lo->const_slots;
        uint32_t n = lo->const_slots_room;

        lo->const_slots_room = n ? 2 * n : 64;
        lo->const_slots = calloc(lo->const_slots_room, sizeof *s);
        if (!lo->const_slots) {
            lo->const_slots = old;
            lower_out_of_memory(lo);
        }
        for (uint32_t i = 0; i < n; i++)
            if (old[i].bits)
                *const_slot(lo, old[i].bits, old[i].value) = old[i];
        free(old);
    }
    s = const_slot(lo, bits, value);
    if (!s->bits) {
        *s = (struct const_slot){value, add_const(lo, bits, value), bits};
        lo->n_consts++;
    }
    return s->at;
}

/* ---- Special registers ---- */

static bool is_per_block(uint8_t sreg)
{
    return sreg == PTX_SREG_ctaid || sreg == PTX_SREG_clusterid;
}

static bool is_clock(uint8_t sreg)
{
    return sreg == PTX_SREG_clock || sreg == PTX_SREG_clock_hi || sreg == PTX_SREG_clock64 || sreg == PTX_SREG_globaltimer ||
           sreg == PTX_SREG_globaltimer_lo || sreg == PTX_SREG_globaltimer_hi;
}

static uint32_t lower_special(struct lower *lo, const struct ptx_operand *o, unsigned bits)
{
    struct interp_kernel *k = lo->k;
    struct special s = {.sreg = o->sreg, .component = o->component, .bits = (uint8_t)bits, .per_block = is_per_block(o->sreg)};
    struct uop *u;
    uint32_t ref;

    if (is_clock(o->sreg)) {
        ref = lower_temp(lo, bits);
        u = lower_emit(lo, run_clock, &ref, 1, 0);
        u->imm = o->sreg;
        u->bytes = (uint8_t)(bits / 8);
        return ref;
    }
    for (uint32_t i = 0; i < k->n_specials; i++)
        if (k->specials[i].sreg == s.sreg && k->specials[i].component == s.component && k->specials[i].bits == s.bits)
            return k->specials[i].offset | BASE_SPECIAL;
    k->specials = lower_grow(lo, k->specials, k->n_specials, &lo->specials_room, sizeof *k->specials);
    s.offset = k->special_bytes;
    k->special_bytes += (uint32_t)((array_bytes(bits) + 63) & ~(size_t)63);
    k->specials[k->n_specials++] = s;
    return s.offset | BASE_SPECIAL;
}

/* ---- Temporaries and symbols ---- */

uint32_t lower_temp(struct lower *lo, unsigned bits)
{
    uint32_t at = FRAME_TEMPS + lo->temp_used;

    lo->temp_used += (uint32_t)((array_bytes(bits) + 63) & ~(size_t)63);
    if (lo->temp_used > FRAME_TEMP_BYTES)
        lower_fail(lo, "too many operands that have to be computed");
    return at | BASE_FRAME;
}

static bool is_formal(const struct ptx_function *f, int32_t sym)
{
    uint32_t s = (uint32_t)sym;

    return s - f->first_param < f->nparams || s - f->first_ret < f->nrets;
}

uint8_t lower_symbol(struct lower *lo, int32_t sym, uint64_t *address)
{
    const struct ptx_symbol *s = &lo->k->m->symbols[sym];
    int64_t at;

    switch (s->space) {
    case PTX_SPACE_shared:
        at = ptx_shared_offset(lo->k->f, sym);
        if (at < 0)
            lower_fail(lo, "shared variable %s has no place in kernel %s", s->name, lo->k->f->name);
        *address = (uint64_t)at;
        return ADDRESS_SHARED;
    case PTX_SPACE_local:
        *address = s->offset;
        if (s->owner < 0)
            lower_fail(lo, "local variable %s outside a function", s->name);
        return ADDRESS_FRAME;
    case PTX_SPACE_param:
        if (is_formal(lo->f, sym)) {
            *address = lo->f->is_entry ? s->offset : lo->fn->first_formal + s->offset;
            return lo->f->is_entry ? ADDRESS_PARAM : ADDRESS_FRAME;
        }
        *address = lo->locals_end + s->offset;
        return ADDRESS_FRAME;
    default:
        if (s->linkage == PTX_LINK_EXTERN)
            lower_fail(lo, "variable %s is external and nothing defines it", s->name);
        *address = lo->k->binding.data + s->offset;
        return ADDRESS_DEVICE;
    }
}

static uint32_t lower_symbol_operand(struct lower *lo, const struct ptx_operand *o, unsigned bits)
{
    uint64_t address;
    uint8_t space = lower_symbol(lo, o->sym, &address);
    struct uop *u;
    uint32_t ref;

    address += (uint64_t)o->imm;
    if (space != ADDRESS_FRAME || lo->f->is_entry)
        return lower_const(lo, bits, address);
    ref = lower_temp(lo, bits);
    u = lower_emit(lo, run_local_address, &ref, 1, 0);
    u->imm = (int64_t)address;
    u->bytes = (uint8_t)(bits / 8);
    return ref;
}

/* ---- Operands ---- */

static uint32_t place_of(struct lower *lo, int32_t reg)
{
    return lo->place[reg] | BASE_FRAME;
}

uint32_t lower_source(struct lower *lo, const struct ptx_operand *o, unsigned *bits)
{
    uint32_t refs[2];

    switch (o->kind) {
    case PTX_OPERAND_REG:
        *bits = reg_bits(lo, o->reg);
        if (!o->negated || *bits != 1) /* vmad negates its operands itself */
            return place_of(lo, o->reg);
        refs[0] = lower_temp(lo, 1);
        refs[1] = place_of(lo, o->reg);
        lower_emit(lo, run_not_pred, refs, 1, 1);
        return refs[0];
    case PTX_OPERAND_IMM:
        return lower_const(lo, *bits, (uint64_t)o->imm ^ (*bits == 1 && o->negated));
    case PTX_OPERAND_SREG:
        return lower_special(lo, o, *bits);
    case PTX_OPERAND_SYM:
        return lower_symbol_operand(lo, o, *bits);
    case PTX_OPERAND_FUNC:
        lower_want(lo, o->sym);
        return lower_const(lo, *bits, lo->k->binding.functions + (uint64_t)o->sym * VG_FUNCTION_STRIDE);
    case PTX_OPERAND_NONE:
        *bits = 0;
        return REF_NONE;
    default:
        lower_fail(lo, "operand of a kind that %s does not take", ptx_op_names[lo->insn->op]);
    }
}

uint32_t lower_destination(struct lower *lo, const struct ptx_operand *o, unsigned *bits)
{
    *bits = 0;
    if (o->kind == PTX_OPERAND_NONE)
        return REF_NONE;
    if (o->kind != PTX_OPERAND_REG)
        lower_fail(lo, "the result of %s is no register", ptx_op_names[lo->insn->op]);
    *bits = reg_bits(lo, o->reg);
    return place_of(lo, o->reg);
}

static uint8_t address_space_of(const struct lower *lo, uint8_t space)
{
    switch (space) {
    case PTX_SPACE_shared:
        return ADDRESS_SHARED;
    case PTX_SPACE_local:
        return ADDRESS_LOCAL;
    case PTX_SPACE_param:
        return lo->f->is_entry ? ADDRESS_PARAM : ADDRESS_LOCAL;
    default:
        return ADDRESS_DEVICE;
    }
}

struct memory_operand lower_memory(struct lower *lo, const struct ptx_operand *o, uint8_t space)
{
    struct memory_operand m = {REF_NONE, address_space_of(lo, space), true, o->imm};
    uint64_t address;

    if (o->sym >= 0) {
        m.space = lower_symbol(lo, o->sym, &address);
        m.imm += (int64_t)address;
    } else if (o->reg >= 0) {
        m.ref = place_of(lo, o->reg);
        m.wide = reg_bits(lo, o->reg) == 64;
    }
    return m;
}
