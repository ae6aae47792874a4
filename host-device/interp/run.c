/* SPDX-License-Identifier: Apache-2.0 */
/* Running a warp: operations one after another, and the groups that its lanes fall into where control diverges.
 *
 * The group that is furthest behind in text order runs, and groups that meet are merged; so lanes come together again as
 * early as the text allows, and a region is executed for exactly the lanes that went there (PTX ISA 9.1, 3.1 "threads of a
 * warp diverge and converge independently"). A group that keeps looping gives way to the others when its fuel is used up:
 * one lane may wait in a loop for what another lane of its warp does later. */
#include "interp/warp.h"

#include <time.h>
#include <x86intrin.h>

#define NO_LIMIT ((const struct uop *)UINTPTR_MAX)
/* A group runs out of fuel 16 times before it loses its place in text order: lanes of an ordinary long loop still wait for
 * each other behind it. */
#define TURN_SHIFT 4

/* ---- Groups ---- */

void warp_enter_frame(struct warp *w, struct frame *f)
{
    w->frame = f;
    w->base[BASE_FRAME] = f->regs;
    w->args.carry = (uint32_t *)(f->regs + FRAME_CARRY);
}

struct group *group_push(struct warp *w, const struct uop *pc, uint32_t mask, enum group_wait wait)
{
    struct group *g = &w->groups[w->n_groups++];

    *g = (struct group){.pc = pc, .frame = w->frame, .mask = mask, .turn = w->turn, .wait = (uint8_t)wait};
    return g;
}

/* Which of two ready groups runs first: the one that had fewer turns, then the deeper call (its callers' other lanes wait
 * behind the call), then the earlier operation. */
static bool runs_before(const struct group *a, const struct group *b)
{
    if (a->turn >> TURN_SHIFT != b->turn >> TURN_SHIFT)
        return a->turn >> TURN_SHIFT < b->turn >> TURN_SHIFT;
    if (a->frame->depth != b->frame->depth)
        return a->frame->depth > b->frame->depth;
    return a->pc < b->pc;
}

const struct uop *warp_schedule(struct warp *w)
{
    struct group *best = NULL;
    const struct uop *pc;

    w->limit = NULL;
    w->args.mask = 0;
    for (unsigned i = 0; i < w->n_groups; i++)
        if (w->groups[i].wait == READY && (!best || runs_before(&w->groups[i], best)))
            best = &w->groups[i];
    if (!best)
        return NULL;

    pc = best->pc;
    w->turn = best->turn;
    warp_enter_frame(w, best->frame);
    w->limit = NO_LIMIT;
    for (unsigned i = 0; i < w->n_groups;) {
        struct group *g = &w->groups[i];

        if (g->wait == READY && g->frame == w->frame && g->pc == pc) {
            w->args.mask |= g->mask;
            *g = w->groups[--w->n_groups];
            continue;
        }
        if (g->wait == READY && g->frame == w->frame && g->pc > pc && g->pc < w->limit)
            w->limit = g->pc;
        i++;
    }
    if (!w->n_groups)
        w->turn = 0;
    return pc;
}

void warp_run(struct warp *w)
{
    const struct uop *u;

    w->fuel = WARP_FUEL;
    w->yielded = w->polled = false;
    u = warp_schedule(w);
    for (;;) {
        while (u < w->limit)
            u = u->run(w, u);
        if (!w->args.mask)
            return;
        group_push(w, u, w->args.mask, READY);
        u = warp_schedule(w);
    }
}

const struct uop *warp_exit(struct warp *w)
{
    uint32_t mask = w->args.mask;

    frame_drop_lanes(w, w->frame, mask);
    w->args.present &= ~mask;
    w->block->present -= mask == ~0u ? VG_WARP : (unsigned)__builtin_popcount(mask);
    w->args.mask = 0;
    converge_block(w->block);
    if (!w->n_groups) {
        w->limit = NULL;
        return NULL;
    }
    converge_lanes(w);
    return warp_schedule(w);
}

/* The groups are all remembered: leave warp_run, so that other warps and whoever wants to stop the launch have a turn. */
static const struct uop *give_way(struct warp *w)
{
    w->args.mask = 0;
    w->limit = NULL;
    w->yielded = true;
    return NULL;
}

/* A backward branch uses up fuel; true when there is none left. */
static inline bool tired(struct warp *w, bool backward)
{
    if (!backward || --w->fuel > 0)
        return false;
    w->turn++;
    return true;
}

static inline const struct uop *jump(struct warp *w, const struct uop *from, const struct uop *to)
{
    if (!tired(w, to <= from))
        return to;
    group_push(w, to, w->args.mask, READY);
    return give_way(w);
}

const struct uop *run_yield_at(struct warp *w, const struct uop *u)
{
    w->turn++;
    group_push(w, u, w->args.mask, READY);
    return give_way(w);
}

/* nanosleep */
const struct uop *run_yield(struct warp *w, const struct uop *u)
{
    w->polled = true;
    return run_yield_at(w, u + 1);
}

/* ---- Lane operations ---- */

static inline void lane_args_common(struct warp *w, const struct uop *u)
{
    w->args.insn = u->insn;
}

const struct uop *run_lane_1_1(struct warp *w, const struct uop *u)
{
    lane_args_common(w, u);
    w->args.d[0] = warp_at(w, u->refs[0]);
    w->args.s[0] = warp_at(w, u->refs[1]);
    u->lane(&w->args);
    return u + 1;
}

const struct uop *run_lane_1_2(struct warp *w, const struct uop *u)
{
    lane_args_common(w, u);
    w->args.d[0] = warp_at(w, u->refs[0]);
    w->args.s[0] = warp_at(w, u->refs[1]);
    w->args.s[1] = warp_at(w, u->refs[2]);
    u->lane(&w->args);
    return u + 1;
}

const struct uop *run_lane_1_3(struct warp *w, const struct uop *u)
{
    lane_args_common(w, u);
    w->args.d[0] = warp_at(w, u->refs[0]);
    w->args.s[0] = warp_at(w, u->refs[1]);
    w->args.s[1] = warp_at(w, u->refs[2]);
    w->args.s[2] = warp_at(w, u->refs[3]);
    u->lane(&w->args);
    return u + 1;
}

const struct uop *run_lane(struct warp *w, const struct uop *u)
{
    lane_args_common(w, u);
    for (unsigned i = 0; i < u->nd; i++)
        w->args.d[i] = warp_at(w, u->refs[i]);
    for (unsigned i = 0; i < u->ns; i++)
        w->args.s[i] = warp_at(w, u->refs[u->nd + i]);
    u->lane(&w->args);
    return u + 1;
}

const struct uop *run_guarded(struct warp *w, const struct uop *u)
{
    uint32_t all = w->args.mask;
    uint32_t mask = all & (*(const uint32_t *)warp_at(w, u->guard) ^ u->guard_flip);

    if (mask) {
        w->args.mask = mask;
        u->inner(w, u);
        w->args.mask = all;
    }
    return u + 1;
}

/* ---- Small operations that the core has itself; each writes only the mask's lanes ---- */

static inline void splat(struct warp *w, uint32_t ref, unsigned bits, uint64_t v)
{
    void *d = warp_at(w, ref);

    for (unsigned l = 0; l < VG_WARP; l++)
        if (w->args.mask >> l & 1) {
            if (bits == 64)
                ((uint64_t *)d)[l] = v;
            else if (bits == 32)
                ((uint32_t *)d)[l] = (uint32_t)v;
            else
                ((uint16_t *)d)[l] = (uint16_t)v;
        }
}

const struct uop *run_nop(struct warp *w, const struct uop *u)
{
    return u + 1;
}

const struct uop *run_not_pred(struct warp *w, const struct uop *u)
{
    uint32_t *d = warp_at(w, u->refs[0]);
    uint32_t s = *(const uint32_t *)warp_at(w, u->refs[1]);

    *d = (*d & ~w->args.mask) | (~s & w->args.mask);
    return u + 1;
}

/* The address of a symbol in the frame's local memory: where that starts depends on the callers. */
const struct uop *run_local_address(struct warp *w, const struct uop *u)
{
    splat(w, u->refs[0], u->bytes * 8, w->frame->local + (uint64_t)u->imm);
    return u + 1;
}

const struct uop *run_move_const(struct warp *w, const struct uop *u)
{
    splat(w, u->refs[0], u->bytes * 8, (uint64_t)u->imm);
    return u + 1;
}

/* %clock, %globaltimer: read anew each time. */
const struct uop *run_clock(struct warp *w, const struct uop *u)
{
    struct timespec t;
    uint64_t v;

    switch (u->imm) {
    case PTX_SREG_globaltimer:
    case PTX_SREG_globaltimer_lo:
    case PTX_SREG_globaltimer_hi:
        clock_gettime(CLOCK_REALTIME, &t);
        v = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
        break;
    default:
        v = __rdtsc();
    }
    if (u->imm == PTX_SREG_globaltimer_hi || u->imm == PTX_SREG_clock_hi)
        v >>= 32;
    splat(w, u->refs[0], u->bytes * 8, v);
    return u + 1;
}

const struct uop *run_fence(struct warp *w, const struct uop *u)
{
    atomic_thread_fence(memory_order_seq_cst);
    w->polled = true;
    return u + 1;
}

const struct uop *run_trap(struct warp *w, const struct uop *u)
{
    warp_fault(w, u->insn, __builtin_ctz(w->args.mask), VG_FAULT_TRAP, 0, "%s executed",
               ptx_op_names[u->insn->op]);
}

/* ---- Control flow ---- */

const struct uop *run_exit(struct warp *w, const struct uop *u)
{
    return warp_exit(w);
}

const struct uop *run_bra(struct warp *w, const struct uop *u)
{
    return jump(w, u, u->target);
}

const struct uop *run_bra_if(struct warp *w, const struct uop *u)
{
    uint32_t mask = w->args.mask;
    uint32_t taken = mask & (*(const uint32_t *)warp_at(w, u->guard) ^ u->guard_flip);
    bool leave;

    if (taken == mask)
        return jump(w, u, u->target);
    if (!taken)
        return u + 1;
    leave = tired(w, u->target <= u);
    group_push(w, u->target, taken, READY);
    group_push(w, u + 1, mask & ~taken, READY);
    return leave ? give_way(w) : warp_schedule(w);
}

const struct uop *run_brx(struct warp *w, const struct uop *u)
{
    const uint32_t *index = warp_at(w, u->refs[0]);
    const struct branch_table *t = u->table;
    bool leave = tired(w, true);

    for (uint32_t left = w->args.mask, same; left; left &= ~same) {
        unsigned first = (unsigned)__builtin_ctz(left);

        if (index[first] >= t->n)
            warp_fault(w, u->insn, (int)first, VG_FAULT_INVALID_PC, index[first], "brx.idx index outside its table");
        same = 0;
        for (uint32_t m = left; m; m &= m - 1)
            if (index[__builtin_ctz(m)] == index[first])
                same |= m & -m;
        group_push(w, t->targets[index[first]], same, READY);
    }
    return leave ? give_way(w) : warp_schedule(w);
}
