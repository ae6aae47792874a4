/* SPDX-License-Identifier: Apache-2.0 */
/* Where a function's registers lie in its frame. Registers that are never live at the same time share a place: what a warp
 * touches stays small enough for the caches.
 *
 * Liveness is that of one thread (lanes own their element of every array, so divergence does not matter): data flow over
 * basic blocks, then one interval of positions a register, then a sweep. A guarded write does not end the life of the old
 * value. Instruction i reads at position 2i and writes at 2i + 1; operations with several results, or whose lanes read each
 * other, write at 2i, which keeps results apart from operands. */
#include "interp/slots.h"

#include <stdlib.h>
#include <string.h>

struct block {
    uint32_t first, last;
};

struct flow {
    const struct ptx_module *m;
    const struct ptx_function *f;
    uint32_t *block_of;          /* by instruction */
    struct block *blocks;
    uint32_t n_blocks;
    uint32_t *wide;              /* by register: its bit among those that several blocks name, or NONE */
    uint32_t *wide_reg;
    uint32_t n_wide, words;
    uint64_t *use, *kill, *in, *out; /* by block, 'words' each */
    uint32_t *start, *end;       /* by register: interval; start > end: never named */
};
#define NONE UINT32_MAX

bool slots_has_destination(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_st:
    case PTX_OP_red:
    case PTX_OP_stmatrix:
    case PTX_OP_bra:
    case PTX_OP_brx:
    case PTX_OP_call:
    case PTX_OP_cp:
    case PTX_OP_prefetch:
    case PTX_OP_prefetchu:
    case PTX_OP_applypriority:
    case PTX_OP_discard:
    case PTX_OP_membar:
    case PTX_OP_fence:
    case PTX_OP_nanosleep:
    case PTX_OP_pmevent:
    case PTX_OP_setmaxnreg:
    case PTX_OP_stackrestore:
        return false;
    case PTX_OP_bar:
    case PTX_OP_barrier:
        return i->mode == PTX_mode_red;
    case PTX_OP_wmma:
        return i->mode != PTX_mode_store;
    default:
        return i->nops > 0;
    }
}

typedef void visit(struct flow *w, uint32_t insn, int32_t reg, bool write);

static void visit_operand(struct flow *w, uint32_t i, const struct ptx_operand *o, bool write, visit *fn)
{
    if (o->kind == PTX_OPERAND_REG)
        fn(w, i, o->reg, write);
    else if (o->kind == PTX_OPERAND_MEM && o->reg >= 0)
        fn(w, i, o->reg, false);
    else if (o->kind == PTX_OPERAND_VEC)
        for (unsigned k = 0; k < o->n; k++)
            visit_operand(w, i, &o->elems[k], write, fn);
}

/* Reads first, then writes. */
static void visit_insn(struct flow *w, uint32_t i, visit *fn)
{
    const struct ptx_insn *insn = &w->f->insns[i];
    bool first_is_result = slots_has_destination(insn), call = insn->op == PTX_OP_call;

    if (insn->guard >= 0)
        fn(w, i, insn->guard, false);
    for (unsigned k = first_is_result; k < insn->nops; k++)
        if (!(call && k == 1))
            visit_operand(w, i, &insn->ops[k], false, fn);
    if (first_is_result)
        visit_operand(w, i, &insn->ops[0], true, fn);
    if (call && insn->nops > 1)
        visit_operand(w, i, &insn->ops[1], true, fn);
    visit_operand(w, i, &insn->dst2, true, fn);
}

/* ---- Blocks ---- */

static bool ends_block(const struct ptx_insn *i)
{
    return i->op == PTX_OP_bra || i->op == PTX_OP_brx || i->op == PTX_OP_ret || i->op == PTX_OP_exit;
}

static bool find_blocks(struct flow *w)
{
    const struct ptx_function *f = w->f;
    uint8_t *leader = calloc(f->ninsns + 1, 1);

    w->block_of = malloc((f->ninsns + 1) * sizeof *w->block_of);
    if (!leader || !w->block_of) {
        free(leader);
        return false;
    }
    leader[0] = 1;
    for (uint32_t i = 0; i < f->ninsns; i++) {
        const struct ptx_insn *insn = &f->insns[i];

        if (ends_block(insn))
            leader[i + 1] = 1;
        if (insn->op == PTX_OP_bra)
            leader[insn->ops[0].sym] = 1;
        if (insn->op == PTX_OP_brx)
            for (uint32_t k = 0; k < f->tables[insn->ops[1].sym].n; k++)
                leader[f->tables[insn->ops[1].sym].targets[k]] = 1;
    }
    for (uint32_t i = 0; i < f->ninsns; i++)
        w->n_blocks += leader[i];
    w->blocks = calloc(w->n_blocks + 1, sizeof *w->blocks);
    if (w->blocks) {
        uint32_t b = 0;

        for (uint32_t i = 0; i < f->ninsns; i++) {
            if (leader[i] && i)
                b++;
            if (leader[i])
                w->blocks[b].first = i;
            w->blocks[b].last = i;
            w->block_of[i] = b;
        }
    }
    free(leader);
    return w->blocks;
}

/* ---- Data flow over the registers that more than one block names ---- */

static bool full_write(const struct flow *w, uint32_t i, bool write)
{
    return write && w->f->insns[i].guard < 0;
}

/* Before numbering, w->wide holds for each register the one block that names it, + 1, when the first naming there is a full
 * write: such a register is live nowhere else. NONE: any other. */
static void note_block(struct flow *w, uint32_t i, int32_t reg, bool write)
{
    uint32_t b = w->block_of[i] + 1, *seen = &w->wide[reg];

    if (!*seen)
        *seen = full_write(w, i, write) ? b : NONE;
    else if (*seen != b)
        *seen = NONE;
}

static void note_use(struct flow *w, uint32_t i, int32_t reg, bool write)
{
    uint32_t bit = w->wide[reg];
    size_t at = (size_t)w->block_of[i] * w->words + bit / 64;

    if (bit == NONE)
        return;
    if (!write && !(w->kill[at] >> bit % 64 & 1))
        w->use[at] |= 1ull << bit % 64;
    if (full_write(w, i, write))
        w->kill[at] |= 1ull << bit % 64;
}

static bool number_registers(struct flow *w)
{
    const struct ptx_function *f = w->f;
    size_t words;

    w->wide = calloc(f->nregs + 1, sizeof *w->wide);
    w->wide_reg = malloc((f->nregs + 1) * sizeof *w->wide_reg);
    if (!w->wide || !w->wide_reg)
        return false;
    for (uint32_t i = 0; i < f->ninsns; i++)
        visit_insn(w, i, note_block);
    for (uint32_t r = 0; r < f->nregs; r++) {
        if (w->wide[r] == NONE) {
            w->wide_reg[w->n_wide] = r;
            w->wide[r] = w->n_wide++;
        } else {
            w->wide[r] = NONE;
        }
    }
    w->words = w->n_wide / 64 + 1;
    words = (size_t)w->n_blocks * w->words;
    w->use = calloc(4 * words, sizeof *w->use);
    if (!w->use)
        return false;
    w->kill = w->use + words;
    w->in = w->kill + words;
    w->out = w->in + words;
    for (uint32_t i = 0; i < f->ninsns; i++)
        visit_insn(w, i, note_use);
    return true;
}

static bool merge_successor(struct flow *w, uint32_t b, uint32_t target)
{
    uint64_t *out, *in, more = 0;

    if (target >= w->f->ninsns)
        return false;
    out = w->out + (size_t)b * w->words;
    in = w->in + (size_t)w->block_of[target] * w->words;
    for (uint32_t k = 0; k < w->words; k++) {
        more |= in[k] & ~out[k];
        out[k] |= in[k];
    }
    return more;
}

static void solve(struct flow *w)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t b = w->n_blocks; b-- > 0;) {
            const struct ptx_insn *last = &w->f->insns[w->blocks[b].last];
            size_t at = (size_t)b * w->words;

            if (last->op == PTX_OP_bra)
                changed |= merge_successor(w, b, (uint32_t)last->ops[0].sym);
            if (last->op == PTX_OP_brx)
                for (uint32_t k = 0; k < w->f->tables[last->ops[1].sym].n; k++)
                    changed |= merge_successor(w, b, (uint32_t)w->f->tables[last->ops[1].sym].targets[k]);
            if (!ends_block(last) || last->guard >= 0)
                changed |= merge_successor(w, b, w->blocks[b].last + 1);
            for (uint32_t k = 0; k < w->words; k++)
                w->in[at + k] = w->use[at + k] | (w->out[at + k] & ~w->kill[at + k]);
        }
    }
}

/* ---- Intervals ---- */

static void extend(struct flow *w, uint32_t reg, uint32_t position)
{
    if (position < w->start[reg])
        w->start[reg] = position;
    if (position > w->end[reg] || w->end[reg] == NONE)
        w->end[reg] = position;
}

/* The result may take the place of an operand: one result, and each lane reads its own elements alone. */
static bool elementwise(const struct ptx_insn *i)
{
    static const uint16_t across[] = {PTX_OP_shfl, PTX_OP_match, PTX_OP_redux, PTX_OP_movmatrix, PTX_OP_mma, PTX_OP_wmma,
                                      PTX_OP_ldmatrix, PTX_OP_call};

    for (size_t k = 0; k < sizeof across / sizeof *across; k++)
        if (i->op == across[k])
            return false;
    return i->ops[0].kind == PTX_OPERAND_REG && i->dst2.kind == PTX_OPERAND_NONE;
}

static void note_position(struct flow *w, uint32_t i, int32_t reg, bool write)
{
    extend(w, (uint32_t)reg, 2 * i + (write && elementwise(&w->f->insns[i])));
}

static bool find_intervals(struct flow *w)
{
    const struct ptx_function *f = w->f;

    w->start = malloc((f->nregs + 1) * sizeof *w->start);
    w->end = malloc((f->nregs + 1) * sizeof *w->end);
    if (!w->start || !w->end)
        return false;
    memset(w->start, 0xff, f->nregs * sizeof *w->start);
    memset(w->end, 0xff, f->nregs * sizeof *w->end);
    for (uint32_t i = 0; i < f->ninsns; i++)
        visit_insn(w, i, note_position);
    for (uint32_t b = 0; b < w->n_blocks; b++)
        for (uint32_t k = 0; k < w->words; k++) {
            size_t at = (size_t)b * w->words + k;

            for (uint64_t m = w->in[at]; m; m &= m - 1)
                extend(w, w->wide_reg[k * 64 + (uint32_t)__builtin_ctzll(m)], 2 * w->blocks[b].first);
            for (uint64_t m = w->out[at]; m; m &= m - 1)
                extend(w, w->wide_reg[k * 64 + (uint32_t)__builtin_ctzll(m)], 2 * w->blocks[b].last + 1);
        }
    /* Formal parameters in registers are set before the first instruction and read after the last. */
    for (uint32_t k = 0; !f->is_entry && k < f->nparams + f->nrets; k++) {
        const struct ptx_symbol *s = &w->m->symbols[k < f->nparams ? f->first_param + k : f->first_ret + k - f->nparams];

        if (s->space == PTX_SPACE_reg) {
            extend(w, (uint32_t)s->offset, 0);
            extend(w, (uint32_t)s->offset, 2 * f->ninsns);
        }
    }
    return true;
}

/* ---- Places ---- */

static const uint32_t class_bytes[] = {4, 64, 128, 256, 512};
#define CLASSES (sizeof class_bytes / sizeof *class_bytes)

static unsigned class_of(uint8_t type)
{
    unsigned bits = ptx_type_bits[type];

    return bits == 1 ? 0 : bits <= 16 ? 1 : bits == 32 ? 2 : bits == 64 ? 3 : 4;
}

static uint32_t new_place(unsigned class, uint32_t *top, uint32_t *pred_top)
{
    uint32_t at;

    if (class == 0) { /* predicates fill a line before the next is begun */
        if (*pred_top % 64 == 0) {
            *pred_top = *top;
            *top += 64;
        }
        at = *pred_top;
        *pred_top += 4;
        return at;
    }
    at = *top;
    *top += class_bytes[class];
    return at;
}

/* Lists threaded through arrays: registers by the position where they begin or end, free places by class. */
static bool sweep(struct flow *w, uint32_t first, uint32_t *place, uint32_t *total)
{
    const struct ptx_function *f = w->f;
    uint32_t positions = 2 * f->ninsns + 2, top = first, pred_top = 0, free_head[CLASSES];
    uint32_t *begins = malloc(2 * positions * sizeof *begins), *ends = begins + positions;
    uint32_t *next_begin = malloc(3 * (f->nregs + 1) * sizeof *next_begin);
    uint32_t *next_end = next_begin + f->nregs + 1, *next_free = next_end + f->nregs + 1;

    if (!begins || !next_begin) {
        free(begins);
        free(next_begin);
        return false;
    }
    memset(begins, 0xff, 2 * positions * sizeof *begins);
    memset(free_head, 0xff, sizeof free_head);
    for (uint32_t r = 0; r < f->nregs; r++) {
        place[r] = NONE;
        if (w->end[r] == NONE)
            continue;
        next_begin[r] = begins[w->start[r]];
        begins[w->start[r]] = r;
        next_end[r] = ends[w->end[r]];
        ends[w->end[r]] = r;
    }
    for (uint32_t p = 0; p < positions; p++) {
        for (uint32_t r = p ? ends[p - 1] : NONE; r != NONE; r = next_end[r]) {
            unsigned class = class_of(f->regs[r].type);

            next_free[r] = free_head[class];
            free_head[class] = r;
        }
        for (uint32_t r = begins[p]; r != NONE; r = next_begin[r]) {
            unsigned class = class_of(f->regs[r].type);

            if (free_head[class] != NONE) {
                place[r] = place[free_head[class]];
                free_head[class] = next_free[free_head[class]];
            } else {
                place[r] = new_place(class, &top, &pred_top);
            }
        }
    }
    *total = (top + 63) & ~63u;
    free(begins);
    free(next_begin);
    return true;
}

bool slots_assign(const struct ptx_module *m, const struct ptx_function *f, uint32_t first, uint32_t *place, uint32_t *total)
{
    struct flow w = {.m = m, .f = f};
    bool good = find_blocks(&w) && number_registers(&w);

    if (good) {
        solve(&w);
        good = find_intervals(&w) && sweep(&w, first, place, total);
    }
    free(w.block_of);
    free(w.blocks);
    free(w.wide);
    free(w.wide_reg);
    free(w.use);
    free(w.start);
    free(w.end);
    return good;
}
