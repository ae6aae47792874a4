/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes that wait for each other: warp-wide operations with a member mask, and the block's barriers.
 *
 * Arrival is by lane, as on sm_70 and later: the lanes that a mask names may come in several groups, from different
 * instructions even, and the operation is executed once all have come that have not exited (PTX ISA 9.1, 9.7.9.10 shfl.sync,
 * 9.7.13.1 barrier). */
#include "interp/warp.h"

#include <string.h>

/* ---- Warp-wide operations ---- */

static void run_for(struct warp *w, const struct uop *u, uint32_t mask)
{
    uint32_t all = w->args.mask;

    if (!u->lane)
        return; /* bar.warp.sync: to have met is all */
    w->args.mask = mask;
    w->args.insn = u->insn;
    for (unsigned i = 0; i < u->nd; i++)
        w->args.d[i] = warp_at(w, u->refs[i]);
    for (unsigned i = 0; i < u->ns; i++)
        w->args.s[i] = warp_at(w, u->refs[u->nd + i]);
    u->lane(&w->args);
    w->args.mask = all;
}

/* Copy the lanes in 'mask' of an operand's array. */
static void copy_lanes(void *to, const void *from, unsigned bits, uint32_t mask)
{
    if (bits == 1) {
        uint32_t *p = to;

        *p = (*p & ~mask) | (*(const uint32_t *)from & mask);
        return;
    }
    for (; mask; mask &= mask - 1) {
        size_t at = (size_t)__builtin_ctz(mask) * (bits / 8);

        memcpy((char *)to + at, (const char *)from + at, bits / 8);
    }
}

/* Execute for lanes that wait in several groups: gather their operands, run once, give each group its results. */
static void run_joint(struct warp *w, const struct uop *lead, uint32_t lanes)
{
    struct uop u = *lead;
    unsigned n = u.nd + u.ns;

    for (unsigned i = 0; i < n; i++) {
        char *array = (char *)w->joint + (size_t)i * 16 * VG_WARP;

        for (unsigned k = 0; k < w->n_groups; k++) {
            struct group *g = &w->groups[k];

            if (g->wait != WAIT_LANES || !(g->mask & lanes) || !g->pc->bits[i])
                continue;
            warp_enter_frame(w, g->frame);
            if (i >= u.nd)
                copy_lanes(array, warp_at(w, g->pc->refs[i]), g->pc->bits[i], g->mask & lanes);
        }
        if (i < u.nd)
            w->args.d[i] = array;
        else
            w->args.s[i - u.nd] = u.bits[i] ? array : NULL;
    }
    w->args.mask = lanes;
    w->args.insn = u.insn;
    u.lane(&w->args);
    w->args.mask = 0;
    for (unsigned i = 0; i < u.nd; i++)
        for (unsigned k = 0; k < w->n_groups; k++) {
            struct group *g = &w->groups[k];

            if (g->wait != WAIT_LANES || !(g->mask & lanes) || !g->pc->bits[i])
                continue;
            warp_enter_frame(w, g->frame);
            copy_lanes(warp_at(w, g->pc->refs[i]), w->args.d[i], g->pc->bits[i], g->mask & lanes);
        }
}

static struct group *group_of(struct warp *w, unsigned lane)
{
    for (unsigned k = 0; k < w->n_groups; k++)
        if (w->groups[k].wait == WAIT_LANES && w->groups[k].mask >> lane & 1)
            return &w->groups[k];
    return NULL;
}

static bool same_operation(const struct uop *a, const struct uop *b)
{
    return a == b || (a->insn->op == b->insn->op && a->insn->mode == b->insn->mode && a->nd == b->nd && a->ns == b->ns &&
                      !memcmp(a->insn->types, b->insn->types, sizeof a->insn->types));
}

/* The lanes that would execute together with this one, or 0 when some have not come yet. */
static uint32_t complete_set(struct warp *w, unsigned lane)
{
    const struct uop *u = group_of(w, lane)->pc;
    uint32_t set = w->wait_mask[lane] & w->args.present;

    for (uint32_t m = set; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);
        const struct group *g = group_of(w, l);

        if (!g || (w->wait_mask[l] & w->args.present) != set || !same_operation(u, g->pc))
            return 0;
    }
    return set;
}

static void execute_set(struct warp *w, unsigned lane, uint32_t set)
{
    struct group *lead = group_of(w, lane);
    unsigned n = w->n_groups;

    if (!(set & ~lead->mask)) {
        warp_enter_frame(w, lead->frame);
        run_for(w, lead->pc, set);
    } else if (lead->pc->lane) {
        run_joint(w, lead->pc, set);
    }
    for (unsigned k = 0; k < n; k++) {
        struct group *g = &w->groups[k];
        uint32_t done = g->mask & set;

        if (g->wait != WAIT_LANES || !done)
            continue;
        if (g->mask & ~done) {
            struct group *rest = &w->groups[w->n_groups++];

            *rest = *g;
            rest->mask &= ~done;
            g->mask = done;
        }
        g->wait = READY;
        g->pc++;
    }
}

void converge_lanes(struct warp *w)
{
    uint32_t waiting = 0;

    for (unsigned k = 0; k < w->n_groups; k++)
        if (w->groups[k].wait == WAIT_LANES)
            waiting |= w->groups[k].mask;
    while (waiting) {
        unsigned lane = (unsigned)__builtin_ctz(waiting);
        uint32_t set = complete_set(w, lane);

        if (set)
            execute_set(w, lane, set);
        waiting &= ~(set | 1u << lane);
    }
}

static const struct uop *wait_for_lanes(struct warp *w, const struct uop *u)
{
    group_push(w, u, w->args.mask, WAIT_LANES);
    w->args.mask = 0;
    converge_lanes(w);
    return warp_schedule(w);
}

/* A warp-wide operation whose last source is its member mask. */
const struct uop *run_collective(struct warp *w, const struct uop *u)
{
    uint32_t ref = u->refs[u->nd + u->ns - 1], mask = w->args.mask;
    const uint32_t *members = warp_at(w, ref);
    uint32_t first = members[__builtin_ctz(mask)], differ = 0;

    if ((ref & 3) != BASE_CONST)
        for (unsigned l = 0; l < VG_WARP; l++)
            differ |= (members[l] ^ first) & -(mask >> l & 1);
    if (!differ && (first & w->args.present) == mask) {
        run_for(w, u, mask);
        return u + 1;
    }
    for (uint32_t m = mask; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);

        if (!(members[l] >> l & 1))
            warp_fault(w, u->insn, (int)l, VG_FAULT_ILLEGAL_INSTRUCTION, 0,
                       "member mask %#x of %s leaves out the lane that executes it", members[l], ptx_op_names[u->insn->op]);
        w->wait_mask[l] = members[l];
    }
    return wait_for_lanes(w, u);
}

/* One that all lanes of the warp take part in (.aligned, without a mask). */
const struct uop *run_collective_all(struct warp *w, const struct uop *u)
{
    if (w->args.mask == w->args.present) {
        run_for(w, u, w->args.mask);
        return u + 1;
    }
    for (unsigned l = 0; l < VG_WARP; l++)
        if (w->args.mask >> l & 1)
            w->wait_mask[l] = ~0u;
    return wait_for_lanes(w, u);
}

/* ---- The block's barriers ---- */

/* All threads that there are have parked: the next round begins. */
static void let_go(struct block *b)
{
    b->met = 0;
    b->begun = 0;
}

const struct uop *parked_at(const struct block *b, unsigned warp)
{
    const struct func *f = b->worker->k->entry;

    return f->code + f->first_uop[PARKED_INSN(b->parked[warp].at)];
}

bool is_parked(const struct block *b, unsigned warp)
{
    return warp < b->begun && b->parked[warp].at != PARKED_BEGIN && b->parked[warp].at != PARKED_ENDED &&
           !(b->made >> warp & 1 && b->warps[warp]->n_groups);
}

static bool barrier_complete(const struct block *b, const struct barrier *bar)
{
    uint32_t threads = bar->again;

    if (!bar->expected && (bar->threads < b->present || b->begun < b->n_warps))
        return false;
    for (unsigned i = 0; i < b->n_warps; i++) {
        uint32_t present = b->warps[i]->args.present, arrived = bar->arrived[i];
        bool whole = (arrived & present) == present;

        if (!bar->expected && !whole)
            return false;
        if (arrived) /* a warp whose lanes have all come counts for 32, also where the block has fewer */
            threads += whole ? VG_WARP : (uint32_t)__builtin_popcount(arrived);
    }
    return threads >= bar->expected;
}

static void deliver(struct group *g, const struct barrier *bar)
{
    const struct uop *u = g->pc;
    void *d = u->nd && (u->refs[0] & 3) == BASE_FRAME ? g->frame->regs + (u->refs[0] & ~3u) : NULL;
    uint32_t truth;

    if (d && u->insn->flags & PTX_FLAG_POPC) {
        for (unsigned l = 0; l < VG_WARP; l++)
            if (g->mask >> l & 1)
                ((uint32_t *)d)[l] = bar->popc;
    } else if (d) {
        truth = (u->insn->boolop == PTX_bool_or || u->insn->atom == PTX_atom_or ? bar->popc > 0 : bar->popc == bar->asked)
                    ? g->mask : 0;
        *(uint32_t *)d = (*(uint32_t *)d & ~g->mask) | truth;
    }
    g->pc++;
    g->wait = READY;
}

static void check_barrier(struct block *b, unsigned number)
{
    struct barrier *bar = &b->barriers[number];

    if (!barrier_complete(b, bar))
        return;
    for (unsigned i = 0; i < b->n_warps; i++) {
        struct warp *w = b->warps[i];

        for (unsigned k = 0; k < w->n_groups; k++)
            if (w->groups[k].wait == WAIT_BARRIER && w->groups[k].barrier == number)
                deliver(&w->groups[k], bar);
    }
    memset(bar, 0, sizeof *bar);
    b->active_barriers &= ~(1u << number);
}

void converge_block(struct block *b)
{
    if (b->met && b->met == b->present)
        let_go(b);
    for (uint32_t m = b->active_barriers; m; m &= m - 1)
        check_barrier(b, (unsigned)__builtin_ctz(m));
}

/* A warp comes by lanes, or in another way: those that are parked wait as groups from now on. */
static void part(struct block *b)
{
    struct barrier *bar = &b->barriers[0];

    for (unsigned i = 0; i < b->n_warps; i++) {
        uint32_t lanes = b->parked[i].lanes;

        if (!is_parked(b, i))
            continue;
        warp_make(b->warps[i]);
        group_push(b->warps[i], parked_at(b, i), lanes, WAIT_BARRIER)->barrier = 0;
        bar->arrived[i] = lanes;
        bar->threads += mask_threads(lanes);
        b->active_barriers |= 1;
    }
    b->met = 0;
}

/* bar and barrier: sources are the barrier's number, how many threads it is for (or none: all), and the predicate of .red. */
const struct uop *run_barrier(struct warp *w, const struct uop *u)
{
    const uint32_t *numbers = warp_at(w, u->refs[u->nd]), *counts = warp_at(w, u->refs[u->nd + 1]);
    const uint32_t *predicate = warp_at(w, u->refs[u->nd + 2]);
    unsigned first = (unsigned)__builtin_ctz(w->args.mask);
    uint32_t number = numbers[first], count = counts ? counts[first] : 0, lanes = 0;
    struct barrier *bar;

    if (w->block->met && !number)
        part(w->block);
    for (uint32_t m = w->args.mask; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);

        if (numbers[l] == number && (!counts || counts[l] == count))
            lanes |= 1u << l;
    }
    if (number >= sizeof w->block->barriers / sizeof *w->block->barriers)
        warp_fault(w, u->insn, (int)first, VG_FAULT_ILLEGAL_INSTRUCTION, 0, "barrier %u: a block has barriers 0 to 15", number);
    if (counts && (!count || count % VG_WARP))
        warp_fault(w, u->insn, (int)first, VG_FAULT_ILLEGAL_INSTRUCTION, 0,
                   "barrier for %u threads: not a multiple of the warp's size", count);
    if (count == w->block->n_warps * VG_WARP)
        count = 0;
    bar = &w->block->barriers[number];
    if (w->block->active_barriers >> number & 1 && bar->expected != count)
        warp_fault(w, u->insn, (int)first, VG_FAULT_ILLEGAL_INSTRUCTION, 0,
                   "barrier %u for %u threads, but others expect %u", number, count, bar->expected);
    w->block->active_barriers |= 1u << number;
    bar->expected = count;
    bar->again += (uint32_t)__builtin_popcount(bar->arrived[w->index] & lanes);
    bar->threads += (uint32_t)__builtin_popcount(lanes & ~bar->arrived[w->index]);
    bar->arrived[w->index] |= lanes;
    if (predicate) {
        bar->popc += (uint32_t)__builtin_popcount(*predicate & lanes);
        bar->asked += (uint32_t)__builtin_popcount(lanes);
    }
    if (w->args.mask & ~lanes)
        group_push(w, u, w->args.mask & ~lanes, READY);
    if (u->insn->mode == PTX_mode_arrive)
        group_push(w, u + 1, lanes, READY);
    else
        group_push(w, u, lanes, WAIT_BARRIER)->barrier = (uint8_t)number;
    w->args.mask = 0;
    check_barrier(w->block, number);
    return warp_schedule(w);
}

bool barrier_arrive(struct warp *w, const struct uop *u, unsigned number)
{
    struct barrier *bar = &w->block->barriers[number];
    uint32_t lanes = w->args.mask;

    if (w->block->met && !number)
        part(w->block);
    if (bar->expected || bar->arrived[w->index]) { /* it is for some threads, or for some a second time */
        run_barrier(w, u);
        return false;
    }
    w->block->active_barriers |= 1u << number;
    bar->arrived[w->index] = lanes;
    bar->threads += lanes == ~0u ? VG_WARP : (unsigned)__builtin_popcount(lanes);
    if (bar->threads >= w->block->present && !bar->again) {
        w->args.mask = 0;
        check_barrier(w->block, number);
        if (!(w->block->active_barriers >> number & 1)) {
            w->args.mask = lanes;
            return true;
        }
    }
    group_push(w, u, lanes, WAIT_BARRIER)->barrier = (uint8_t)number;
    w->args.mask = 0;
    return false;
}
