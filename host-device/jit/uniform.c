/* SPDX-License-Identifier: Apache-2.0 */
/* Begins with everything uniform and takes back what is not, until nothing changes: lanes that differ make branches part,
 * and where lanes wait for others, what is written must be kept apart by lane. */
#include "jit/uniform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jit/hammock.h"

static const uint8_t sreg_uniform[PTX_SREG_COUNT] = {
#define X(name, components, type, uniform) [PTX_SREG_##name] = uniform,
    PTX_SREGS(X)
#undef X
};

bool jit_operand_varies(const struct jit_uniform *u, const struct ptx_operand *o)
{
    switch (o->kind) {
    case PTX_OPERAND_REG:
        return jit_varies(u, o->reg);
    case PTX_OPERAND_MEM:
        return o->reg >= 0 && jit_varies(u, o->reg);
    case PTX_OPERAND_SREG:
        return !sreg_uniform[o->sreg];
    case PTX_OPERAND_VEC:
        for (unsigned k = 0; k < o->n; k++)
            if (jit_operand_varies(u, &o->elems[k]))
                return true;
        return false;
    default:
        return false;
    }
}

static bool sources_vary(const struct jit_uniform *u, const struct ptx_insn *insn)
{
    for (unsigned k = 1; k < insn->nops; k++)
        if (jit_operand_varies(u, &insn->ops[k]))
            return true;
    return false;
}

static bool reads_carry(const struct ptx_insn *insn)
{
    return insn->op == PTX_OP_addc || insn->op == PTX_OP_subc || insn->op == PTX_OP_madc;
}

/* Memory that each lane has of its own: the same address is another place. */
static bool own_memory(const struct jit_uniform *u, const struct ptx_insn *insn)
{
    const struct ptx_operand *o = &insn->ops[1];

    if (insn->space == PTX_SPACE_local)
        return true;
    if (insn->space != PTX_SPACE_param)
        return false;
    return !(o->kind == PTX_OPERAND_MEM && o->sym >= 0 &&
             (uint32_t)o->sym - u->flow->f->first_param < u->flow->f->nparams);
}

bool jit_result_varies(const struct jit_uniform *u, const struct ptx_insn *insn, bool second)
{
    switch (insn->op) {
    case PTX_OP_atom:
    case PTX_OP_call:
    case PTX_OP_mma:
    case PTX_OP_wmma:
    case PTX_OP_ldmatrix:
    case PTX_OP_movmatrix:
    case PTX_OP_alloca:
        return true;
    case PTX_OP_shfl: /* a lane may read itself or another: the value is the same, the truth is not */
        return second || jit_operand_varies(u, &insn->ops[1]);
    case PTX_OP_match:
        return insn->mode != PTX_mode_all || jit_operand_varies(u, &insn->ops[2]);
    case PTX_OP_elect:
        return second || jit_operand_varies(u, &insn->ops[1]);
    case PTX_OP_vote:
        return insn->nops > 2 && jit_operand_varies(u, &insn->ops[2]);
    case PTX_OP_redux:
        return jit_operand_varies(u, &insn->ops[2]);
    case PTX_OP_activemask:
    case PTX_OP_bar:
    case PTX_OP_barrier:
        return false;
    case PTX_OP_ld:
    case PTX_OP_ldu:
        return own_memory(u, insn) || jit_operand_varies(u, &insn->ops[1]);
    case PTX_OP_cvta:
        return insn->space == PTX_SPACE_local || jit_operand_varies(u, &insn->ops[1]);
    case PTX_OP_isspacep:
        return insn->space == PTX_SPACE_local || jit_operand_varies(u, &insn->ops[1]);
    default:
        return (reads_carry(insn) && u->carry_varies) || sources_vary(u, insn);
    }
}

/* ---- Patterns ---- */

bool jit_has_lanes(const struct jit_uniform *u, int32_t reg)
{
    return u->seen[reg] == 2 && !u->varying[reg];
}

unsigned jit_row(const struct jit_uniform *u, int32_t reg)
{
    return jit_has_lanes(u, reg) ? u->patterns[reg].row : 0;
}

static enum jit_shape_of special_pattern(const struct jit_uniform *u, const struct ptx_operand *o, struct jit_pattern *p)
{
    switch (o->sreg) {
    case PTX_SREG_tid:
        if (o->component > 2)
            jit_pattern_constant(p, 0, 32);
        else if (!jit_pattern_tid(u->block, o->component, p))
            return JIT_VARYING;
        else if (p->align < 64)
            p->base = JIT_BASE_SPECIAL(o->sreg, o->component);
        return JIT_PATTERN;
    case PTX_SREG_ntid:
        jit_pattern_constant(p, o->component < 3 ? u->block[o->component] : 1, 32);
        return JIT_PATTERN;
    case PTX_SREG_laneid:
        *p = (struct jit_pattern){.high = VG_WARP - 1, .align = 64};
        for (unsigned l = 0; l < VG_WARP; l++)
            p->lane[l] = l;
        return JIT_PATTERN;
    case PTX_SREG_ctaid:
    case PTX_SREG_nctaid:
        jit_pattern_uniform(p);
        p->high = o->component ? UINT16_MAX : INT32_MAX;
        return JIT_PATTERN;
    default:
        jit_pattern_uniform(p);
        return sreg_uniform[o->sreg] ? JIT_PATTERN : JIT_VARYING;
    }
}

static enum jit_shape_of operand_pattern(void *arg, const struct ptx_operand *o, unsigned bits, struct jit_pattern *p)
{
    const struct jit_uniform *u = arg;

    switch (o->kind) {
    case PTX_OPERAND_REG:
        if (u->varying[o->reg])
            return JIT_VARYING;
        if (u->seen[o->reg]) {
            *p = u->patterns[o->reg];
            return JIT_PATTERN;
        }
        jit_pattern_constant(p, 0, bits);
        return u->defined[o->reg] ? JIT_UNSEEN : JIT_PATTERN;
    case PTX_OPERAND_IMM:
        jit_pattern_constant(p, (uint64_t)o->imm, bits);
        return JIT_PATTERN;
    case PTX_OPERAND_SREG:
        return special_pattern(u, o, p);
    case PTX_OPERAND_SYM:
        jit_pattern_uniform(p);
        if (o->sym >= 0 && u->flow->m->symbols[o->sym].space == PTX_SPACE_shared && ptx_shared_offset(u->flow->f, o->sym) >= 0)
            jit_pattern_constant(p, (uint64_t)ptx_shared_offset(u->flow->f, o->sym) + (uint64_t)o->imm, bits);
        return JIT_PATTERN;
    default:
        jit_pattern_uniform(p);
        return jit_operand_varies(u, o) ? JIT_VARYING : JIT_PATTERN;
    }
}

static enum jit_shape_of result_pattern(const struct jit_uniform *u, const struct ptx_insn *insn, struct jit_pattern *p,
                                        const struct ptx_operand **guard)
{
    if (insn->ops[0].kind != PTX_OPERAND_REG || !jit_pattern_op(insn))
        return JIT_VARYING;
    return jit_pattern_result(insn, operand_pattern, (void *)u, u->row, p, u->guards ? guard : NULL);
}

bool jit_guard(const struct jit_uniform *u, const struct ptx_insn *insn, const struct ptx_operand **o, struct jit_pattern *p)
{
    struct jit_pattern result;

    *o = NULL;
    if (!u->guards || insn->nops < 2 || insn->ops[0].kind != PTX_OPERAND_REG || !jit_has_lanes(u, insn->ops[0].reg) ||
        result_pattern(u, insn, &result, o) != JIT_PATTERN || !*o)
        return false;
    return operand_pattern((void *)u, *o, 32, p) == JIT_PATTERN;
}

/* ---- Where lanes wait ---- */

bool jit_is_whole(const struct jit_uniform *u, uint32_t b)
{
    const uint64_t *p = jit_pending(u, b);
    uint64_t any = 0;

    for (uint32_t k = 0; k < u->words; k++)
        any |= p[k];
    return !any;
}

bool jit_parts(const struct jit_uniform *u, uint32_t b)
{
    const struct ptx_insn *branch = u->flow->blocks[b].branch;

    return branch && (!u->together || u->parted[b]) && u->varying[branch->guard];
}

void jit_next_find(const struct jit_uniform *u, uint32_t b, const uint32_t *to, uint32_t n_to, struct jit_next *next)
{
    const uint64_t *p = jit_pending(u, b);
    uint32_t last = JIT_NONE;

    next->n = 0;
    next->sure = true;
    for (uint32_t k = 0; k < u->words; k++)
        for (uint64_t m = p[k]; m; m &= m - 1)
            next->list[next->n++] = k * 64 + (uint32_t)__builtin_ctzll(m);
    for (uint32_t k = 0; k < n_to; k++) {
        uint32_t have = 0;

        if (to[k] == JIT_EXIT) {
            next->sure = false;
            continue;
        }
        while (have < next->n && next->list[have] != to[k])
            have++;
        if (have == next->n)
            next->list[next->n++] = to[k];
        if (last == JIT_NONE || jit_runs_before(u->flow, b, last, to[k]))
            last = to[k];
    }
    for (uint32_t i = 1; i < next->n; i++) /* insertion sort: lists are short, and mostly in order */
        for (uint32_t k = i; k && jit_runs_before(u->flow, b, next->list[k], next->list[k - 1]); k--) {
            uint32_t t = next->list[k];

            next->list[k] = next->list[k - 1];
            next->list[k - 1] = t;
        }
    /* All lanes that ran are at one of 'to': nothing behind the last of these is tried. */
    if (next->sure && last != JIT_NONE)
        while (next->list[next->n - 1] != last)
            next->n--;
}

/* Whoever is tried after 'next' may hold lanes while it runs. */
static bool spread(struct jit_uniform *u, uint32_t b, const uint32_t *to, uint32_t n_to, struct jit_next *next)
{
    const uint64_t *p = jit_pending(u, b);
    bool changed = false;

    jit_next_find(u, b, to, n_to, next);
    if (!next->n)
        return false;
    for (uint32_t i = 0; i < next->n; i++) {
        uint64_t *mine = u->pending + (size_t)next->list[i] * u->words;

        for (uint32_t k = 0; k < u->words; k++) {
            uint64_t add = p[k], before = mine[k];

            for (uint32_t j = 0; j <= i; j++)
                if (next->list[j] / 64 == k)
                    add &= ~(1ull << next->list[j] % 64);
            for (uint32_t j = i + 1; j < next->n; j++)
                if (next->list[j] / 64 == k)
                    add |= 1ull << next->list[j] % 64;
            mine[k] |= add;
            changed |= mine[k] != before;
        }
    }
    return changed;
}

static bool find_pending(struct jit_uniform *u, struct jit_next *next)
{
    const struct jit_flow *w = u->flow;
    bool any = false;

    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t b = 0; b < w->n; b++) {
            const struct jit_block *x = &w->blocks[b];

            if (jit_parts(u, b))
                changed |= spread(u, b, x->succ, x->n_succ, next);
            else
                for (uint32_t s = 0; s < x->n_succ; s++)
                    changed |= spread(u, b, &x->succ[s], 1, next);
        }
        any |= changed;
    }
    return any;
}

static void find_spared(struct jit_uniform *u)
{
    const struct jit_flow *w = u->flow;

    memset(u->spared, 0, (size_t)w->n * w->words * sizeof *u->spared);
    for (uint32_t b = 0; b < w->n; b++)
        for (uint32_t q = 0; q < w->n; q++)
            if (jit_test(jit_pending(u, b), q))
                for (uint32_t k = 0; k < w->words; k++)
                    u->spared[(size_t)b * w->words + k] |= w->live_in[(size_t)q * w->words + k];
}

/* ---- Registers ---- */

static bool mark(struct jit_uniform *u, int32_t reg)
{
    bool change = !u->varying[reg];

    u->varying[reg] = 1;
    return change;
}

/* By rows only what all instructions with code for each row write. */
static bool mark_pattern(struct jit_uniform *u, int32_t reg, const struct jit_pattern *p, unsigned row)
{
    struct jit_pattern *mine = &u->patterns[reg], before = *mine;
    uint8_t type = u->flow->f->regs[reg].type;

    if (u->varying[reg])
        return false;
    if (!u->seen[reg]) {
        u->seen[reg] = jit_pattern_is_uniform(p) ? 1 : 2;
        *mine = *p;
        return true;
    }
    if (type == PTX_TYPE_pred)
        return false;
    if (!jit_pattern_join(mine, p, ptx_type_bits[type], row))
        return mark(u, reg);
    if (mine->row)
        u->seen[reg] = 2;
    return mine->align != before.align || mine->high != before.high || mine->row != before.row || mine->base != before.base;
}

static bool mark_operand(struct jit_uniform *u, uint32_t b, const struct ptx_operand *o, bool varies)
{
    struct jit_pattern same;
    bool changed = false;

    jit_pattern_uniform(&same);
    if (o->kind == PTX_OPERAND_REG)
        return varies || jit_spares(u, b, o->reg) ? mark(u, o->reg) : mark_pattern(u, o->reg, &same, 0);
    if (o->kind == PTX_OPERAND_VEC)
        for (unsigned k = 0; k < o->n; k++)
            changed |= mark_operand(u, b, &o->elems[k], varies);
    return changed;
}

/* Its result has a pattern: written where all lanes that may read it run. */
static bool mark_result(struct jit_uniform *u, uint32_t b, const struct ptx_insn *insn)
{
    int32_t reg = insn->ops[0].reg;
    const struct ptx_operand *guard = NULL;
    struct jit_pattern p;

    switch (result_pattern(u, insn, &p, &guard)) {
    case JIT_UNSEEN:
        return false;
    case JIT_VARYING:
        return mark(u, reg);
    default:
        if (!p.base && p.align < 64 && !p.row && u->once[reg])
            p.base = JIT_BASE_OF(reg);
        if (!jit_pattern_is_uniform(&p) && insn->op == PTX_OP_cvt &&
            ptx_type_bits[u->flow->f->regs[reg].type] != ptx_type_bits[insn->types[0]])
            return mark(u, reg);
        return jit_spares(u, b, reg) ? mark(u, reg) : mark_pattern(u, reg, &p, u->row);
    }
}

static bool mark_insn(struct jit_uniform *u, uint32_t b, const struct ptx_insn *insn)
{
    bool guard = insn->guard >= 0 && u->varying[insn->guard], changed = false;
    bool first = guard || jit_result_varies(u, insn, false), second = guard || jit_result_varies(u, insn, true);
    struct jit_regs r;

    if (insn->flags & PTX_FLAG_CC && (first || !jit_is_whole(u, b)) && !u->carry_varies)
        u->carry_varies = changed = true;
    jit_regs_of(insn, &r);
    if (!r.n_written)
        return changed;
    if (insn->op == PTX_OP_call) {
        for (unsigned k = 0; k < r.n_written; k++)
            changed |= mark(u, r.written[k]);
        return changed;
    }
    if (!guard && insn->ops[0].kind == PTX_OPERAND_REG && jit_pattern_op(insn))
        return changed | mark_result(u, b, insn);
    changed |= mark_operand(u, b, &insn->ops[0], first);
    changed |= mark_operand(u, b, &insn->dst2, second);
    return changed;
}

/* What is only computed from itself has no pattern. */
static bool mark_unseen(struct jit_uniform *u)
{
    bool changed = false;

    for (uint32_t r = 0; r < u->flow->f->nregs; r++)
        if (u->defined[r] && !u->seen[r])
            changed |= mark(u, (int32_t)r);
    return changed;
}

/* ---- Lanes that do something on the side ---- */

/* Would a register lose what is the same for all lanes, or its pattern, if some lanes alone went through these blocks? */
static bool loses(const struct jit_uniform *u, const uint64_t *inside, uint32_t join)
{
    const struct jit_flow *w = u->flow;
    struct jit_regs r;

    for (uint32_t b = 0; b < join; b++)
        for (uint32_t i = w->blocks[b].first; jit_test(inside, b) && i < w->blocks[b].end; i++) {
            jit_regs_of(&w->f->insns[i], &r);
            for (unsigned k = 0; k < r.n_written; k++)
                for (uint32_t q = b; q <= join && !u->varying[r.written[k]]; q++)
                    if ((q == join || jit_test(inside, q)) && jit_test(w->live_in + (size_t)q * w->words, (uint32_t)r.written[k]))
                        return true;
        }
    return false;
}

/* Not together, then: a warp that goes to other code for a few instructions of some lanes is slower than one that waits for them. */
static bool mark_parted(struct jit_uniform *u)
{
    uint64_t *inside = malloc(u->words * sizeof *inside);
    bool changed = false;
    uint32_t join;

    for (uint32_t b = 0; u->together && inside && b < u->flow->n; b++) {
        const struct ptx_insn *branch = u->flow->blocks[b].branch;

        if (!branch || u->parted[b] || !u->varying[branch->guard])
            continue;
        memset(inside, 0, u->words * sizeof *inside);
        if (!jit_is_whole(u, b) || (jit_hammock_find(u->flow, b, inside, &join) && !loses(u, inside, join)))
            u->parted[b] = changed = true;
    }
    free(inside);
    return changed;
}

/* The instruction runs once, first of all that have to do with the register. */
static bool is_once(const struct jit_flow *flow, const struct ptx_insn *insn, uint32_t reg)
{
    const struct jit_block *first = &flow->blocks[0];

    return insn->guard < 0 && first->loop == JIT_NONE && insn >= &flow->f->insns[first->first] && insn < &flow->f->insns[first->end] &&
           !jit_test(flow->live_in, reg);
}

static bool allocate(struct jit_uniform *u)
{
    const struct jit_flow *flow = u->flow;
    struct jit_regs r;

    u->varying = calloc(flow->f->nregs + 1, 1);
    u->seen = calloc(flow->f->nregs + 1, 1);
    u->defined = calloc(flow->f->nregs + 1, 1);
    u->patterns = calloc(flow->f->nregs + 1, sizeof *u->patterns);
    u->pending = calloc((size_t)flow->n * u->words, sizeof *u->pending);
    u->spared = calloc((size_t)flow->n * flow->words, sizeof *u->spared);
    u->parted = calloc(flow->n + 1, 1);
    u->once = calloc(flow->f->nregs + 1, 1);
    if (!u->once || !u->parted || !u->varying || !u->seen || !u->defined || !u->patterns || !u->pending || !u->spared)
        return false;
    for (uint32_t i = 0; i < flow->f->ninsns; i++) {
        jit_regs_of(&flow->f->insns[i], &r);
        for (unsigned k = 0; k < r.n_written; k++) {
            int32_t reg = r.written[k];

            u->once[reg] = !u->defined[reg] && is_once(flow, &flow->f->insns[i], (uint32_t)reg);
            u->defined[reg] = 1;
        }
    }
    return true;
}

bool jit_uniform_find(struct jit_uniform *u, const struct jit_flow *flow, const uint32_t block[3], bool together)
{
    struct jit_next next = {.list = malloc((flow->n + 2) * sizeof *next.list)};

    *u = (struct jit_uniform){.flow = flow, .words = (flow->n + 63) / 64, .together = together, .guards = true};
    memcpy(u->block, block, sizeof u->block);
    u->row = block[0] == VG_WARP / 2 || block[0] == VG_WARP / 4 ? (uint8_t)block[0] : 0;
    if (!next.list || !allocate(u)) {
        free(next.list);
        jit_uniform_free(u);
        return false;
    }
    for (bool changed = true; changed || mark_unseen(u) || mark_parted(u);) {
        changed = find_pending(u, &next);
        if (changed)
            find_spared(u);
        for (bool more = true; more;) {
            more = false;
            for (uint32_t b = 0; b < flow->n; b++)
                for (uint32_t i = flow->blocks[b].first; i < flow->blocks[b].end; i++)
                    more |= mark_insn(u, b, &flow->f->insns[i]);
            changed |= more;
        }
    }
    free(next.list);
    return true;
}

bool jit_better_together(const struct jit_uniform *together, const struct jit_uniform *any)
{
    const struct jit_flow *w = any->flow;
    struct jit_regs r;

    for (uint32_t b = 0; b < w->n; b++)
        for (uint32_t i = w->blocks[b].first; w->blocks[b].loop != JIT_NONE && i < w->blocks[b].end; i++) {
            jit_regs_of(&w->f->insns[i], &r);
            for (unsigned k = 0; k < r.n_written; k++)
                if (any->varying[r.written[k]] && !together->varying[r.written[k]])
                    return true;
        }
    return false;
}

void jit_uniform_free(struct jit_uniform *u)
{
    free(u->varying);
    free(u->seen);
    free(u->defined);
    free(u->patterns);
    free(u->pending);
    free(u->spared);
    free(u->parted);
    free(u->once);
    u->once = u->parted = u->varying = u->seen = u->defined = NULL;
    u->patterns = NULL;
    u->pending = u->spared = NULL;
}

void jit_uniform_dump(const struct jit_uniform *u, void *file)
{
    for (uint32_t b = 0; b < u->flow->n; b++) {
        fprintf(file, "b%u: %s%s", b, jit_is_whole(u, b) ? "whole" : "some lanes, others at", jit_parts(u, b) ? ", parts" : "");
        for (uint32_t q = 0; q < u->flow->n; q++)
            if (jit_test(jit_pending(u, b), q))
                fprintf(file, " b%u", q);
        fprintf(file, "\n");
    }
    for (uint32_t r = 0; r < u->flow->f->nregs; r++)
        if (jit_has_lanes(u, (int32_t)r)) {
            const struct jit_pattern *p = &u->patterns[r];

            fprintf(file, "%s: 2^%u + %lld %lld %lld ... %lld, at most %#llx", u->flow->f->regs[r].name, p->align, (long long)p->lane[0],
                    (long long)p->lane[1], (long long)p->lane[2], (long long)p->lane[VG_WARP - 1], (unsigned long long)p->high);
            fprintf(file, p->row ? ", by rows of %u\n" : "\n", p->row);
        }
    fprintf(file, "varying:");
    for (uint32_t r = 0; r < u->flow->f->nregs; r++)
        if (u->varying[r])
            fprintf(file, " %s", u->flow->f->regs[r].name);
    fprintf(file, "\n");
}
