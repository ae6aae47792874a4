/* SPDX-License-Identifier: Apache-2.0 */
/* What f32 registers never hold: subnormals (what .ftz has to do to operands is done already), and any NaN but the one that
 * the hardware writes; the latter of f16, too. */
#include "jit/flushed.h"

#include <stdlib.h>
#include <string.h>

#define NAN_F32 0x7fffffffu

static bool is_flushed_bits(uint64_t v)
{
    return (v & 0x7f800000) || !(v & 0x007fffff);
}

/* Every value of this result is a normal number, zero, infinity or NaN. */
static bool defines_flushed(const struct ptx_insn *i, const uint8_t *flushed)
{
    switch (i->op) {
    case PTX_OP_add: case PTX_OP_sub: case PTX_OP_mul: case PTX_OP_fma: case PTX_OP_mad: case PTX_OP_div: case PTX_OP_sqrt:
    case PTX_OP_rsqrt: case PTX_OP_rcp: case PTX_OP_ex2: case PTX_OP_lg2: case PTX_OP_sin: case PTX_OP_cos: case PTX_OP_min:
    case PTX_OP_max: case PTX_OP_abs: case PTX_OP_neg:
        return i->types[0] == PTX_TYPE_f32 && i->flags & PTX_FLAG_FTZ;
    case PTX_OP_cvt: /* integers and halves: their smallest numbers are normal as f32 */
        return i->types[0] == PTX_TYPE_f32 && (ptx_type_class[i->types[1]] == 'u' || ptx_type_class[i->types[1]] == 's' ||
                                               i->types[1] == PTX_TYPE_f16);
    case PTX_OP_mov:
        return (i->ops[1].kind == PTX_OPERAND_IMM && is_flushed_bits((uint64_t)i->ops[1].imm)) ||
               (i->ops[1].kind == PTX_OPERAND_REG && i->ops[0].kind == PTX_OPERAND_REG && flushed[i->ops[1].reg]);
    case PTX_OP_selp:
        return (i->ops[1].kind == PTX_OPERAND_REG ? flushed[i->ops[1].reg]
                                                  : i->ops[1].kind == PTX_OPERAND_IMM && is_flushed_bits((uint64_t)i->ops[1].imm)) &&
               (i->ops[2].kind == PTX_OPERAND_REG ? flushed[i->ops[2].reg]
                                                  : i->ops[2].kind == PTX_OPERAND_IMM && is_flushed_bits((uint64_t)i->ops[2].imm));
    case PTX_OP_shfl: /* lanes of one register */
        return i->ops[1].kind == PTX_OPERAND_REG && flushed[i->ops[1].reg];
    default:
        return false;
    }
}

/* Take back, from all registers of 32 bits (or 'least', if that is less), those that some instruction gives another value to than 'defines' stands for. */
static void find(const struct ptx_function *f, unsigned least, uint8_t *set, bool (*defines)(const struct ptx_insn *i, const uint8_t *set))
{
    struct jit_regs r;

    for (uint32_t k = 0; k < f->nregs; k++)
        set[k] = ptx_type_bits[f->regs[k].type] <= 32 && ptx_type_bits[f->regs[k].type] >= least;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < f->ninsns; i++) {
            if (defines(&f->insns[i], set))
                continue;
            jit_regs_of(&f->insns[i], &r);
            for (unsigned k = 0; k < r.n_written; k++) {
                changed |= set[r.written[k]];
                set[r.written[k]] = 0;
            }
        }
    }
}

void jit_flushed_find(const struct ptx_function *f, uint8_t *flushed)
{
    find(f, 32, flushed, defines_flushed);
}

/* ---- NaNs ---- */

/* Code computes it as the CPU does, and leaves a NaN as it comes. */
static bool computes(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_add: case PTX_OP_sub: case PTX_OP_mul: case PTX_OP_fma: case PTX_OP_mad: case PTX_OP_div: case PTX_OP_sqrt:
    case PTX_OP_rsqrt: case PTX_OP_rcp: case PTX_OP_ex2: case PTX_OP_abs: case PTX_OP_neg:
        return i->types[0] == PTX_TYPE_f32;
    case PTX_OP_cvt:
        return i->types[0] == PTX_TYPE_f32 && i->types[1] == PTX_TYPE_f16;
    default:
        return false;
    }
}

static bool is_one_nan(const struct ptx_operand *o, const uint8_t *set)
{
    uint32_t magnitude = (uint32_t)o->imm & 0x7fffffff;

    return o->kind == PTX_OPERAND_REG ? set[o->reg]
         : o->kind == PTX_OPERAND_IMM && (magnitude <= 0x7f800000 || (uint32_t)o->imm == NAN_F32);
}

static bool passes_on(const struct ptx_insn *i)
{
    return i->op == PTX_OP_mov || i->op == PTX_OP_selp || i->op == PTX_OP_shfl;
}

static bool defines_one_nan(const struct ptx_insn *i, const uint8_t *set)
{
    if (passes_on(i))
        return is_one_nan(&i->ops[1], set) && (i->op != PTX_OP_selp || is_one_nan(&i->ops[2], set));
    return computes(i) || ((i->op == PTX_OP_min || i->op == PTX_OP_max) && i->types[0] == PTX_TYPE_f32) ||
           (i->op == PTX_OP_cvt && i->types[0] == PTX_TYPE_f32 &&
            (ptx_type_class[i->types[1]] == 'u' || ptx_type_class[i->types[1]] == 's'));
}

static bool reads_any(const struct ptx_insn *i, const uint8_t *set)
{
    struct jit_regs r;

    jit_regs_of(i, &r);
    for (unsigned k = 0; k < r.n_read; k++)
        if (set[r.read[k]])
            return true;
    return false;
}

/* ---- NaNs of halves: of one register, or of a pair, which mov makes and takes apart ---- */

static bool is_f16(uint8_t type)
{
    return type == PTX_TYPE_f16 || type == PTX_TYPE_f16x2;
}

static bool computes_halves(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_add: case PTX_OP_sub: case PTX_OP_mul: case PTX_OP_fma:
        return is_f16(i->types[0]);
    case PTX_OP_cvt:
        return is_f16(i->types[0]) && i->types[1] == PTX_TYPE_f32;
    default:
        return false;
    }
}

static bool is_one_half_nan(uint16_t h)
{
    return (h & 0x7fff) <= 0x7c00 || h == 0x7fff;
}

static bool has_one_half_nan(const struct ptx_operand *o, const uint8_t *set)
{
    switch (o->kind) {
    case PTX_OPERAND_REG:
        return set[o->reg];
    case PTX_OPERAND_IMM:
        return is_one_half_nan((uint16_t)o->imm) && is_one_half_nan((uint16_t)(o->imm >> 16));
    case PTX_OPERAND_VEC:
        for (unsigned k = 0; k < o->n; k++)
            if (!has_one_half_nan(&o->elems[k], set))
                return false;
        return true;
    default:
        return false;
    }
}

static bool defines_one_half_nan(const struct ptx_insn *i, const uint8_t *set)
{
    if (passes_on(i))
        return has_one_half_nan(&i->ops[1], set) && (i->op != PTX_OP_selp || has_one_half_nan(&i->ops[2], set));
    return computes_halves(i) || (is_f16(i->types[0]) && (i->op == PTX_OP_min || i->op == PTX_OP_max || i->op == PTX_OP_abs || i->op == PTX_OP_neg));
}

static bool sees_halves(const struct ptx_insn *i, const uint8_t *set)
{
    struct jit_regs r;

    if (computes_halves(i) || (i->op == PTX_OP_cvt && i->types[0] == PTX_TYPE_f32 && i->types[1] == PTX_TYPE_f16))
        return false;
    jit_regs_of(i, &r);
    for (unsigned k = 0; k < r.n_written; k++)
        if (!set[r.written[k]])
            return true;
    return !passes_on(i);
}

/* What is looked at is better put right once, where it is computed. */
static void keep_unseen(const struct ptx_function *f, uint8_t *set)
{
    struct jit_regs r;

    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < f->ninsns; i++) {
            if (!sees_halves(&f->insns[i], set))
                continue;
            jit_regs_of(&f->insns[i], &r);
            for (unsigned k = 0; k < r.n_read; k++) {
                changed |= set[r.read[k]];
                set[r.read[k]] = 0;
            }
        }
    }
}

/* ---- Both ---- */

/* Of the registers with one NaN those to which something computed comes. */
static bool find_raw(const struct ptx_function *f, uint8_t *raw, uint8_t kind, bool (*defines)(const struct ptx_insn *i, const uint8_t *set),
                     bool (*computes_some)(const struct ptx_insn *i))
{
    uint8_t *one_nan = calloc(f->nregs + 1, 1), *found = calloc(f->nregs + 1, 1);
    bool ready = one_nan && found;
    struct jit_regs r;

    if (ready)
        find(f, kind == JIT_RAW_HALVES ? 16 : 32, one_nan, defines);
    for (bool changed = ready; changed;) {
        changed = false;
        for (uint32_t i = 0; i < f->ninsns; i++) {
            if (!computes_some(&f->insns[i]) && !(passes_on(&f->insns[i]) && reads_any(&f->insns[i], found)))
                continue;
            jit_regs_of(&f->insns[i], &r);
            for (unsigned k = 0; k < r.n_written; k++) {
                changed |= one_nan[r.written[k]] && !found[r.written[k]];
                found[r.written[k]] |= one_nan[r.written[k]];
            }
        }
    }
    if (ready && kind == JIT_RAW_HALVES)
        keep_unseen(f, found);
    for (uint32_t k = 0; ready && k < f->nregs; k++)
        if (found[k])
            raw[k] = kind;
    free(one_nan);
    free(found);
    return ready;
}

bool jit_raw_find(const struct ptx_function *f, uint8_t *raw)
{
    memset(raw, 0, f->nregs);
    return find_raw(f, raw, JIT_RAW_REAL, defines_one_nan, computes) && find_raw(f, raw, JIT_RAW_HALVES, defines_one_half_nan, computes_halves);
}

/* ---- Subnormal operands ---- */

static bool moves(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_mov: case PTX_OP_ld: case PTX_OP_ldu: case PTX_OP_st: case PTX_OP_selp: case PTX_OP_shfl:
        return true;
    default:
        return false;
    }
}

/* Integers and halves: no f32 that they become is subnormal. */
static bool has_no_subnormals(uint8_t type)
{
    return ptx_type_class[type] != 'f' || type == PTX_TYPE_f16 || type == PTX_TYPE_f16x2;
}

static bool reads_flushed(const struct ptx_insn *i, const uint8_t *flushed)
{
    for (unsigned k = 1; k < i->nops; k++) {
        const struct ptx_operand *o = &i->ops[k];

        if (!(o->kind == PTX_OPERAND_REG ? flushed[o->reg] || ptx_type_class[i->types[0]] == 'p'
                                         : o->kind == PTX_OPERAND_IMM && is_flushed_bits((uint64_t)o->imm)))
            return false;
    }
    return true;
}

/* Halves and integers nearest to the subnormals of f32 are zeros. */
static bool loses_subnormals(const struct ptx_insn *i)
{
    return has_no_subnormals(i->types[0]) && (i->round == PTX_round_rn || i->round == PTX_round_rni || i->round == PTX_round_rz ||
                                              i->round == PTX_round_rzi);
}

/* Nothing changes for it when the CPU takes subnormal operands for zeros. */
static bool may_flush(const struct ptx_insn *i, const uint8_t *flushed)
{
    bool real = false;

    if (moves(i))
        return true;
    for (unsigned t = 0; t < i->ntypes; t++) {
        if (!has_no_subnormals(i->types[t]) && i->types[t] != PTX_TYPE_f32)
            return false;
        real |= !has_no_subnormals(i->types[t]);
    }
    switch (i->op) {
    case PTX_OP_call:
        return false;
    case PTX_OP_mma: case PTX_OP_wmma: case PTX_OP_atom: case PTX_OP_red:
        return !real;
    case PTX_OP_cvt:
        return has_no_subnormals(i->types[1]) || i->flags & PTX_FLAG_FTZ || loses_subnormals(i) || reads_flushed(i, flushed);
    default:
        return !real || i->flags & PTX_FLAG_FTZ || reads_flushed(i, flushed);
    }
}

bool jit_all_flush(const struct ptx_function *f, const uint8_t *flushed)
{
    bool any = false;

    for (uint32_t k = 0; k < f->ninsns; k++) {
        if (!may_flush(&f->insns[k], flushed))
            return false;
        any |= computes(&f->insns[k]) && f->insns[k].flags & PTX_FLAG_FTZ;
    }
    return any;
}
