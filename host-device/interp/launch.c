/* SPDX-License-Identifier: Apache-2.0 */
/* A worker: blocks of a launch, one after another, each with its warps in turn.
 *
 * Scratch memory of worker i is one stretch of the window: the launch's parameters, then a place for each resident block,
 * which holds its shared memory and its threads' local memory. An ordinary launch has one resident block a worker, and more
 * only where blocks poll memory, since they may wait for one that has not begun. Blocks of a cooperative launch are all
 * resident, spread evenly over the workers: they may wait for each other. */
#include "interp/stack.h"
#include "interp/warp.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xmmintrin.h>

#define WORKERS_MAX 64
#define WORKER_SPAN (VGPU_SCRATCH_SIZE / WORKERS_MAX)
#define PARAM_BYTES (64u << 10)
#define KEEP_MAPPED (64 * VGPU_MIB) /* scratch that a worker keeps between launches */
#define CHUNKS 64u                       /* of a grid, a worker, at the least */
#define FEW 64u                          /* blocks taken at once, at first */
#define MANY 1024u                       /* and at the most: memory likes it when CPUs keep to places far apart */
#define PATIENCE 32                      /* passes in which blocks only poll, before they get company */
#define COMPANY_BYTES (256 * VGPU_MIB)   /* of memory and registers of an ordinary launch's resident blocks, a worker */
#define PAGE 4096u
#define LINE 64u
#define WARP_BYTES ((sizeof(struct warp) + 63) & ~(size_t)63)

static uint64_t pages(uint64_t n)
{
    return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

struct interp_worker *interp_worker_new(unsigned index)
{
    struct interp_worker *w;

    if (index >= WORKERS_MAX || !window_reserve() || !(w = calloc(1, sizeof *w)))
        return NULL;
    w->index = index;
    w->scratch = VGPU_SCRATCH_BASE + index * WORKER_SPAN;
    return w;
}

void interp_worker_free(struct interp_worker *w)
{
    if (!w)
        return;
    for (unsigned i = 0; i < w->n_blocks; i++) {
        free(w->blocks[i]->memory);
        free(w->blocks[i]);
    }
    free(w->blocks);
    if (w->native_free)
        w->native_free(w->native_state);
    if (w->mapped)
        window_unmap(w->scratch, w->mapped);
    free(w);
}

static bool fail(struct interp_worker *w, int code, const char *what)
{
    fault_record(w, NULL, NULL, -1, code, 0, what);
    return false;
}

static bool map_scratch(struct interp_worker *w, uint64_t bytes)
{
    bytes = (bytes + VGPU_GRANULE - 1) & ~(VGPU_GRANULE - 1);
    if (bytes <= w->mapped)
        return true;
    if (bytes > WORKER_SPAN || !window_map(w->scratch + w->mapped, bytes - w->mapped, -1, 0))
        return false;
    w->mapped = bytes;
    return true;
}

/* ---- Places of resident blocks ---- */

/* An odd number of lines: all warps use the same registers, which are not to meet in a few sets of the cache. */
static size_t warp_bytes(const struct interp_kernel *k)
{
    return ((WARP_BYTES + k->special_bytes + k->entry->frame_bytes + LINE - 1) / LINE | 1) * LINE;
}

static bool add_place(struct interp_worker *w)
{
    struct block **more = realloc(w->blocks, (w->n_blocks + 1) * sizeof *more);

    if (!more)
        return false;
    w->blocks = more;
    w->blocks[w->n_blocks] = calloc(1, sizeof **more);
    if (!w->blocks[w->n_blocks])
        return false;
    w->n_blocks++;
    return true;
}

/* What is there stays, whoever writes to it meanwhile: it may be the memory of another resident block. */
static void touch(uint64_t address)
{
    __atomic_fetch_or((char *)(uintptr_t)address, 0, __ATOMIC_RELAXED);
}

/* Code reads and writes whole rows, and lanes of them that do not run may lie beside shared memory. Where nothing has ever been in a
 * page it takes the CPU hundreds of cycles to find that it is not to touch it, each time. */
static void touch_neighbours(const struct interp_worker *w, const struct block *b)
{
    touch(b->shared_base - 1);
    if (b->local_base < w->scratch + w->mapped)
        touch(b->local_base);
}

/* Make place i ready for blocks of this launch: its memory, its warps, and what they know that no block changes. */
static bool prepare_place(struct interp_worker *w, unsigned i)
{
    const struct interp_kernel *k = w->k;
    size_t each = warp_bytes(k), need = each * w->n_warps;
    uint64_t base = PARAM_BYTES + i * w->place_bytes;
    struct block *b;

    if (i == w->n_blocks && !add_place(w))
        return fail(w, VG_FAULT_OUT_OF_MEMORY, "out of memory for a resident block");
    if (!map_scratch(w, base + w->place_bytes))
        return fail(w, VG_FAULT_OUT_OF_MEMORY, "out of memory for the shared and local memory of resident blocks");
    b = w->blocks[i];
    if (b->memory_size < need) {
        free(b->memory);
        b->memory_size = 0;
        b->memory = aligned_alloc(64, need);
        if (!b->memory)
            return fail(w, VG_FAULT_OUT_OF_MEMORY, "out of memory for a block's registers");
        b->memory_size = need;
    }
    b->worker = w;
    b->n_warps = w->n_warps;
    b->warp_bytes = each;
    b->shared_base = w->scratch + base;
    b->local_base = b->shared_base + w->shared_bytes;
    b->busy = false;
    touch_neighbours(w, b);
    for (unsigned n = 0; n < w->n_warps; n++) {
        struct warp *x = (struct warp *)((char *)b->memory + n * each);

        memset(x, 0, offsetof(struct warp, joint));
        b->warps[n] = x;
        x->block = b;
        x->index = n;
        x->args.warp = x;
        x->local_base = b->local_base + (uint64_t)n * VG_WARP * k->local_stride;
        x->base[BASE_CONST] = k->consts;
        x->base[BASE_SPECIAL] = (char *)x + WARP_BYTES;
        x->entry_frame = (struct frame){.func = k->entry, .regs = x->base[BASE_SPECIAL] + k->special_bytes};
    }
    special_fill(b);
    return true;
}

/* Compiled code for this launch's blocks, as soon as there is some: it may come in the middle of a launch. */
static const struct interp_native *find_native(const struct interp_worker *w)
{
    const struct interp_native *n = atomic_load_explicit(&w->k->native, memory_order_acquire);

    while (n && memcmp(n->block, w->launch->block, sizeof n->block))
        n = n->next;
    return n;
}

void warp_begin(struct warp *w)
{
    const struct interp_worker *worker = w->block->worker;

    w->args.present = warp_lanes(worker, w->index);
    w->entry_frame.lanes = w->args.present;
    if (worker->k->has_stack)
        memset(w->entry_frame.top, 0, sizeof w->entry_frame.top);
    w->turn = 0;
    w->native = NULL;
    w->n_groups = 0;
    w->yielded = w->polled = false;
    warp_enter_frame(w, &w->entry_frame);
    *w->args.carry = 0;
    special_fill_block(w);
}

void warp_make(struct warp *w)
{
    struct block *b = w->block;

    if (b->made >> w->index & 1)
        return;
    b->made |= 1u << w->index;
    warp_begin(w);
}

static void start_block(struct block *b, const uint32_t ctaid[3])
{
    const struct interp_worker *worker = b->worker;

    memcpy(b->ctaid, ctaid, sizeof b->ctaid);
    b->present = worker->threads;
    b->native = find_native(worker);
    b->busy = true;
    if (b->active_barriers) /* of a launch that was stopped */
        memset(b->barriers, 0, sizeof b->barriers);
    b->active_barriers = 0;
    b->met = 0;
    b->made = 0;
    b->begun = b->native ? 0 : b->n_warps;
    memset(b->parked, 0, b->n_warps * sizeof *b->parked);
    for (unsigned n = 0; n < b->begun; n++) {
        warp_begin(b->warps[n]);
        group_push(b->warps[n], worker->k->entry->code, b->warps[n]->args.present, READY);
    }
}

/* ---- Running ---- */

/* The watchdog says where a block of this worker is. Compiled code does not know at which instruction it gives way. */
static void time_out(struct interp_worker *worker)
{
    const struct warp *at = NULL;

    for (unsigned i = 0; i < worker->n_blocks && !at; i++)
        for (unsigned n = 0; n < worker->blocks[i]->n_warps && worker->blocks[i]->busy && !at; n++)
            at = worker->blocks[i]->warps[n]->n_groups ? worker->blocks[i]->warps[n] : NULL;
    fault_record(worker, at, at && !at->block->native ? at->groups[0].pc->insn : NULL, -1, VG_FAULT_TIMEOUT, 0,
                 "ended by the watchdog, it ran for too long");
}

static bool stopped(struct interp_worker *w)
{
    uint32_t cancel = w->launch->cancel ? *w->launch->cancel : 0;

    if (cancel == VG_FAULT_TIMEOUT)
        time_out(w);
    else if (cancel)
        fault_record(w, NULL, NULL, -1, VG_FAULT_CANCELLED, 0, "launch cancelled");
    return atomic_load_explicit(&w->grid->stop, memory_order_relaxed);
}

/* Compiled warps have groups only while they wait for what is not a plain barrier, and their turn is more than a new one's. */
static bool is_ready(const struct warp *w)
{
    for (unsigned i = 0; i < w->n_groups; i++)
        if (w->groups[i].wait == READY)
            return true;
    return false;
}

static _Noreturn void deadlocked(struct warp *w, const struct uop *at, uint32_t lanes)
{
    warp_fault(w, at->insn, __builtin_ctz(lanes), VG_FAULT_TRAP, 0, "deadlock: threads wait at %s for others that never arrive",
               ptx_op_names[at->insn->op]);
}

/* Name the lanes that wait for what cannot come. */
static void deadlock(struct block *b)
{
    for (unsigned n = 0; n < b->n_warps; n++) {
        struct warp *w = b->warps[n];

        if (is_parked(b, n))
            deadlocked(w, parked_at(b, n), b->parked[n].lanes);
        if (w->n_groups)
            deadlocked(w, w->groups[0].pc, w->groups[0].mask);
    }
}

enum progress { ENDED, POLLS, MOVES };

/* What warps have come to of which the last (NULL: it has ended, or is parked) waits or gives way. ENDED: the launch has been stopped. */
static enum progress judge(struct interp_worker *worker, const struct warp *last)
{
    if (!last)
        return MOVES;
    if (last->yielded && stopped(worker))
        return ENDED;
    return last->yielded && last->polled ? POLLS : MOVES;
}

/* Each warp of the block in turn, once. POLLS: all that happened is that warps used up their fuel looking at memory. */
static enum progress run_block(struct interp_worker *worker, struct block *b)
{
    enum progress all = POLLS, one;
    bool ran = false;

    for (unsigned n = 0; n < b->n_warps; n++) {
        struct warp *w = b->warps[n];

        if (n < b->begun && !is_ready(w))
            continue;
        ran = true;
        worker->running = w;
        if (n >= b->begun) {
            w = b->native->begin(b);
            n = n + 1 < b->begun ? b->begun - 1 : n;
        } else if (b->native) {
            w = b->native->run(w);
        } else {
            warp_run(w);
        }
        worker->running = NULL;
        one = judge(worker, w);
        if (one == ENDED)
            return ENDED;
        all = one == MOVES ? MOVES : all;
    }
    if (!b->present) {
        b->busy = false;
        return ENDED;
    }
    if (!ran)
        deadlock(b);
    return all;
}

static void set_ctaid(struct interp_worker *w)
{
    const uint32_t *grid = w->launch->grid;

    w->next_ctaid[0] = (uint32_t)(w->next_block % grid[0]);
    w->next_ctaid[1] = (uint32_t)(w->next_block / grid[0] % grid[1]);
    w->next_ctaid[2] = (uint32_t)(w->next_block / grid[0] / grid[1]);
}

/* Blocks are taken from the grid a few at a time, where there are so many that it evens out: workers that ask for each single one
 * would mostly wait for the counter. */
static bool take_block(struct interp_worker *w, struct block *b)
{
    if (w->next_block == w->last_block) {
        uint64_t few = w->grid_blocks / (w->grid->n_workers * CHUNKS);

        few = w->launch->cooperative || !few ? 1 : few < w->few ? few : w->few;
        w->few = w->few < MANY ? 2 * w->few : MANY;
        w->next_block = atomic_fetch_add(&w->grid->next_block, few);
        if (w->next_block > w->grid_blocks)
            w->next_block = w->grid_blocks;
        w->last_block = w->next_block + few < w->grid_blocks ? w->next_block + few : w->grid_blocks;
        set_ctaid(w);
    }
    if (w->next_block == w->last_block)
        return false;
    if (!w->index && w->launch->between_blocks)
        w->launch->between_blocks(w->launch->between_arg);
    start_block(b, w->next_ctaid);
    w->next_block++;
    if (++w->next_ctaid[0] == w->launch->grid[0])
        set_ctaid(w);
    return true;
}

bool block_follow(struct block *b)
{
    struct interp_worker *w = b->worker;

    if (!w->alone || (w->launch->cancel && *w->launch->cancel) || atomic_load_explicit(&w->grid->stop, memory_order_relaxed))
        return false;
    return take_block(w, b) && b->native;
}

/* How many blocks may be resident, of those that wait for others though nobody promised that those would run. Hardware has room
 * for hundreds of small ones. */
static unsigned company_limit(const struct interp_worker *w)
{
    uint64_t n = COMPANY_BYTES / (w->place_bytes + warp_bytes(w->k) * w->n_warps), fit = (WORKER_SPAN - PARAM_BYTES) / (w->place_bytes + 1);

    n = n < fit ? n : fit;
    return n < w->grid_blocks ? (unsigned)n : (unsigned)w->grid_blocks;
}

/* One pass over the resident blocks after another, with a new block wherever one has ended. When all that are resident have
 * only polled for some passes, their number doubles. */
static bool run_ordinary(struct interp_worker *w)
{
    unsigned resident = 1, limit = company_limit(w), polls = 0;

    if (!prepare_place(w, 0))
        return false;
    for (bool more = true, busy = true; busy;) {
        bool moved = false;

        busy = false;
        w->alone = resident == 1 && (w->index || !w->launch->between_blocks);
        for (unsigned i = 0; i < resident; i++) {
            struct block *b = w->blocks[i];

            if (stopped(w))
                return true;
            if (!b->busy && !(more && (more = take_block(w, b))))
                continue;
            if (run_block(w, b) != POLLS)
                moved = true;
            else
                w->few = 1; /* who waits for blocks before them is best served by few of them */
            busy = true;
        }
        polls = moved ? 0 : polls + 1;
        if (polls < PATIENCE)
            continue;
        polls = 0;
        sched_yield(); /* other workers' blocks may have what these wait for */
        for (unsigned n = resident; n && more && resident < limit; n--)
            if (!prepare_place(w, resident++))
                return false;
    }
    return true;
}

/* Every pass over the resident blocks takes in one more of this worker's share, so that all of them are resident soon. */
static bool run_cooperative(struct interp_worker *w)
{
    uint64_t share = (w->grid_blocks + w->grid->n_workers - 1) / w->grid->n_workers;
    unsigned resident = 0;

    w->alone = false;
    for (bool more = true, busy = true; more || busy;) {
        bool polls = true;

        if (stopped(w))
            return true;
        if (more && resident < share && atomic_load(&w->grid->next_block) < w->grid_blocks) {
            if (!prepare_place(w, resident))
                return false;
            more = take_block(w, w->blocks[resident]);
            resident += more;
        } else {
            more = false;
        }
        busy = false;
        for (unsigned i = 0; i < resident; i++)
            if (w->blocks[i]->busy) {
                polls &= run_block(w, w->blocks[i]) == POLLS;
                busy |= w->blocks[i]->busy;
            }
        if (polls && busy && !more) /* all wait for blocks of other workers, who may want this CPU */
            sched_yield();
    }
    return true;
}

/* ---- A launch ---- */

static bool admit(struct interp_worker *w)
{
    const struct vg_launch *l = w->launch;
    const struct interp_kernel *k = w->k;
    uint64_t threads = (uint64_t)l->block[0] * l->block[1] * l->block[2];

    for (int i = 0; i < 3; i++)
        if (!l->grid[i] || !l->block[i] || l->block[i] > 1024)
            return fail(w, VG_FAULT_TRAP, "a launch without blocks or threads, or too large a block");
    for (int i = 0; i < 3; i++)
        if (l->cluster[i] > 1 || k->f->cluster[i] > 1)
            return fail(w, VG_FAULT_TRAP, "clusters of several blocks are not supported");
    if (threads > 1024)
        return fail(w, VG_FAULT_TRAP, "a block has more than 1024 threads");
    if ((uint64_t)k->f->shared_size + l->dynamic_shared > INTERP_MAX_SHARED)
        return fail(w, VG_FAULT_TRAP, "a block has too much shared memory");
    if (l->param_size < k->f->param_size || k->f->param_size > PARAM_BYTES)
        return fail(w, VG_FAULT_TRAP, "the launch's parameters do not fit the kernel's");
    w->grid_blocks = (uint64_t)l->grid[0] * l->grid[1] * l->grid[2];
    w->threads = (uint32_t)threads;
    w->n_warps = (w->threads + VG_WARP - 1) / VG_WARP;
    w->shared_size = k->f->shared_size + l->dynamic_shared;
    w->shared_bytes = pages(w->shared_size);
    w->place_bytes = w->shared_bytes + pages((uint64_t)w->n_warps * VG_WARP * k->local_stride);
    w->param_base = w->scratch;
    if (!map_scratch(w, PARAM_BYTES))
        return fail(w, VG_FAULT_OUT_OF_MEMORY, "out of memory for the launch's parameters");
    if (k->f->param_size)
        memcpy((void *)(uintptr_t)w->param_base, l->params, k->f->param_size);
    return true;
}

static void clean_up(struct interp_worker *w)
{
    w->running = NULL;
    _mm_sfence(); /* code's stores past the caches */
    for (unsigned i = 0; i < w->n_blocks; i++)
        if (w->blocks[i]->busy) {
            for (unsigned n = 0; n < w->blocks[i]->n_warps; n++)
                frame_free_all(w->blocks[i]->warps[n]);
            w->blocks[i]->busy = false;
        }
    if (w->mapped > KEEP_MAPPED && window_unmap(w->scratch + KEEP_MAPPED, w->mapped - KEEP_MAPPED))
        w->mapped = KEEP_MAPPED;
}

bool interp_run(struct interp_worker *w, struct interp_kernel *k, const struct vg_launch *launch, struct interp_grid *grid)
{
    struct window_guard guard;

    w->k = atomic_load_explicit(k->flat, memory_order_acquire);
    if (!w->k)
        w->k = k;
    w->launch = launch;
    w->grid = grid;
    w->next_block = w->last_block = 0;
    w->few = FEW;
    w->serial++;
    if (!sigsetjmp(guard.env, 0)) {
        window_guard_enter(&guard);
        if (!sigsetjmp(w->leave, 0) && admit(w)) {
            if (launch->cooperative)
                run_cooperative(w);
            else
                run_ordinary(w);
        }
        window_guard_leave(&guard);
        if (_mm_getcsr() != guard.mxcsr) /* of warps that were stopped where they waited */
            _mm_setcsr(guard.mxcsr);
    } else {
        fault_record_access(w, guard.address);
    }
    stack_forget_below();
    clean_up(w);
    return !grid->fault.code;
}
