/* SPDX-License-Identifier: Apache-2.0 */
/* Running compiled code: a coroutine takes the warps of a block one after another. At a barrier of the whole block code parks the
 * warp, and goes on with the next by itself (emit_park.c). One that has to wait in another way keeps the coroutine, with its stack,
 * and another one goes on with the next: so a warp can wait wherever it is, and those that do not cost next to nothing.
 *
 * The warp's state is the interpreter's, made when code first calls for something. While its code runs it has no groups; where it
 * waits, the operation that makes it wait has left one, which the scheduling of blocks (interp/launch.c) sees like any other. */
#include "jit/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xmmintrin.h>

#include "interp/stack.h"
#include "interp/warp.h"
#include "jit/keep.h"

#define STACK_BYTES (1u << 20) /* touched as far as it is used */
#define PAGE 4096u

struct native {
    struct interp_native head;
    void *image;
    size_t size;
};

/* A coroutine; it lies at the top of its stack. */
struct fiber {
    struct jit_env env;     /* of the warp that it runs */
    struct block *block;
    bool waited;            /* the warp has: the scheduler is to see its end */
    void *sp;               /* of the coroutine while it waits */
    void *back;             /* of the scheduler while it runs */
    struct fiber *next;     /* of all that the worker has */
    struct fiber *next_free;
    void *stack;            /* what it was mapped as */
    bool ended;             /* with its last warp */
};

/* A worker's coroutines. The last that ended is used first: where warps do not wait, one stack, in the cache, serves all. */
struct fibers {
    struct fiber *all, *free;
    struct fiber *running;  /* NULL: the interpreter's */
    unsigned n;
    uint64_t serial;        /* of the launch: one that was stopped left some in use */
};

/* ---- Floating-point control: code may have set its own; everything else runs as the process does ---- */

#define MXCSR_HOST 0x1f80u
#define MXCSR_FLAGS 0x3fu /* of what has happened */

static void enter(const struct jit_env *env)
{
    if (env->mxcsr)
        _mm_setcsr(MXCSR_HOST);
}

static void back_to_code(const struct jit_env *env)
{
    if (env->mxcsr)
        _mm_setcsr(env->mxcsr);
}

/* ---- Switching ---- */

/* Continue on another stack, until somebody continues this one: *SAVE gets where. A jump in the middle of the caller, not a call
 * and a return, whose pairs the CPU predicts. */
static inline __attribute__((always_inline)) void switch_stack(void **save, void *to)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\t" /* the red zone */
                     "push %%rbp\n\tpush %%rbx\n\t"
                     "lea 1f(%%rip), %%rax\n\tpush %%rax\n\t"
                     "mov %%rsp, (%0)\n\tmov %1, %%rsp\n\t"
                     "pop %%rax\n\tjmp *%%rax\n"
                     "1:\tpop %%rbx\n\tpop %%rbp\n\t"
                     "lea 128(%%rsp), %%rsp"
                     : "+D"(save), "+S"(to)
                     :
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc", "xmm0", "xmm1", "xmm2",
                       "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static void suspend(struct fiber *f)
{
    f->waited = true;
    switch_stack(&f->sp, f->back);
}

/* ---- From warp to warp ---- */

/* Code goes on with this warp. */
static void take_warp(struct fiber *f, unsigned n)
{
    f->env.field[JIT_ENV_warp] = n;
    f->env.fresh = true;
}

/* Which warp code is at: it goes on by itself. */
static void keep_up(struct fiber *f)
{
    f->env.w = f->block->warps[f->env.field[JIT_ENV_warp]];
    f->block->worker->running = f->env.w;
}

static void take_block(struct fiber *f, const struct block *b)
{
    for (unsigned i = 0; i < 3; i++)
        f->env.field[JIT_ENV_ctaid_x + i] = b->ctaid[i];
    f->env.rounds = WARP_FUEL;
    f->env.polled = 0;
}

/* Go on with the block, or when it is over with another one in its place, unless the scheduler is to decide. */
static bool take_next(struct fiber *f, struct block *b)
{
    if (f->waited || !f->env.rounds)
        return false;
    if (!b->present) {
        if (!block_follow(b))
            return false;
        take_block(f, b);
    }
    if (b->begun == b->n_warps)
        return false;
    take_warp(f, b->begun++);
    return true;
}

/* The first thing on a new stack, which holds the fiber. */
__attribute__((used)) static void fiber_main(struct fiber *f)
{
    struct block *b = f->block;

    do {
        ((jit_code *)((const struct native *)b->native)->image)(&f->env);
    } while (take_next(f, b));
    enter(&f->env);
    f->ended = true;
    suspend(f);
}
void jit_fiber_start(void);
__asm__(".text\n.globl jit_fiber_start\n.hidden jit_fiber_start\n.type jit_fiber_start, @function\njit_fiber_start:\n"
        "pop %rdi\npop %rax\ncall *%rax\nud2\n.size jit_fiber_start, .-jit_fiber_start\n");

static void prepare_stack(struct fiber *f)
{
    uint64_t *sp = (uint64_t *)((uintptr_t)f & ~(uintptr_t)63);

    stack_forget(f->stack, (size_t)((char *)f - (char *)f->stack));
    *--sp = (uint64_t)(uintptr_t)fiber_main;
    *--sp = (uint64_t)(uintptr_t)f;
    *--sp = (uint64_t)(uintptr_t)jit_fiber_start;
    f->sp = sp;
}

/* ---- What code calls ---- */

static struct fiber *fiber_at(struct jit_env *env)
{
    return (struct fiber *)env;
}

/* The warp, with its state. */
static struct warp *warp_of(struct jit_env *env)
{
    struct fiber *f = fiber_at(env);

    if (env->fresh) {
        keep_up(f);
        env->fresh = false;
        warp_make(env->w);
        env->w->native = f;
    }
    return env->w;
}

/* What the warp goes on with, once the scheduler has let it: all its lanes, since compiled lanes do not part where they wait. */
static const struct uop *next_of(struct jit_env *env, uint32_t mask)
{
    struct warp *w = env->w;
    const struct uop *u;

    while (!(u = warp_schedule(w)))
        suspend(fiber_at(env));
    if (w->args.mask != mask)
        warp_fault(w, NULL, -1, VG_FAULT_TRAP, 0, "lanes that met in compiled code were let go one by one");
    return u;
}

/* The interpreter runs the function and what that calls, as a part of the warp, until all lanes are back or have ended. */
static void call(struct jit_env *env, const struct uop *u, uint32_t mask)
{
    struct warp *w = env->w;
    const struct uop *back = u + 1;

    w->args.mask = mask;
    w->fuel = WARP_FUEL;
    w->limit = back; /* no other group is anywhere */
    u = u->run(w, u);
    for (;;) {
        while (u < w->limit && u != back)
            u = u->run(w, u);
        if (w->args.mask && u != back)
            group_push(w, u, w->args.mask, READY);
        else if (!w->args.mask) {
            if (!w->n_groups)
                break;
            suspend(fiber_at(env));
            w->fuel = WARP_FUEL;
        }
        u = warp_schedule(w);
    }
    warp_enter_frame(w, &w->entry_frame);
    env->present = w->args.present;
}

static bool calls_function(const struct uop *u)
{
    return u->run == run_call_indirect || (u->run == run_call && !u->call->builtin);
}

static const struct uop *wait(struct jit_env *env, uint32_t mask)
{
    suspend(fiber_at(env));
    return next_of(env, mask);
}

static void operation(struct jit_env *env, uint32_t i, uint32_t mask)
{
    struct warp *w = warp_of(env);
    const struct func *f = w->entry_frame.func;
    const struct uop *u = f->code + f->first_uop[i], *end = f->code + f->first_uop[i + 1];

    w->args.mask = mask;
    env->site = JIT_NO_SITE;
    enter(env);
    while (u && u < end) {
        if (u->run == run_bra_if) /* a guard: the code has applied it */
            u++;
        else if (calls_function(u)) {
            call(env, u, mask);
            u++;
        } else
            u = u->run == run_guarded ? u->inner(w, u) : u->run(w, u);
        if (!u)
            u = wait(env, mask);
    }
    env->site = JIT_NO_SITE;
    back_to_code(env);
}

static void barrier(struct jit_env *env, uint32_t i, uint32_t mask, uint32_t number)
{
    struct warp *w = warp_of(env);
    const struct func *f = w->entry_frame.func;

    w->args.mask = mask;
    if (barrier_arrive(w, f->code + f->first_uop[i], number))
        return;
    enter(env);
    suspend(fiber_at(env));
    if (w->n_groups == 1 && w->groups[0].wait == READY && w->groups[0].mask == mask) {
        w->n_groups = 0;
        w->args.mask = mask;
    } else {
        while (!warp_schedule(w))
            suspend(fiber_at(env));
        if (w->args.mask != mask)
            warp_fault(w, NULL, -1, VG_FAULT_TRAP, 0, "lanes that met in compiled code were let go one by one");
    }
    back_to_code(env);
}

static void end(struct jit_env *env, uint32_t mask)
{
    struct warp *w = warp_of(env);

    enter(env);
    w->args.mask = mask;
    warp_exit(w);
    back_to_code(env);
}

static void over(struct jit_env *env)
{
    struct warp *w = warp_of(env);

    if (w->args.present)
        end(env, w->args.present);
}

static void yield(struct jit_env *env)
{
    struct warp *w = warp_of(env);
    uint32_t mask = w->args.present;

    enter(env);
    w->polled |= env->polled;
    env->polled = 0;
    w->args.mask = mask;
    run_yield_at(w, w->entry_frame.func->code);
    wait(env, mask);
    back_to_code(env);
}

static void park(struct jit_env *env, uint32_t i, uint32_t mask)
{
    struct warp *w = warp_of(env);
    const struct func *f = w->entry_frame.func;

    if (mask)
        group_push(w, f->code + f->first_uop[i], mask, READY);
}

/* What w->native is for a warp that the interpreter has taken over. */
static char left;

static void leave(struct jit_env *env)
{
    struct warp *w = warp_of(env);

    enter(env);
    w->native = &left;
    w->block->parked[w->index].at = PARKED_ENDED;
    w->args.mask = 0;
    w->yielded = true;
    suspend(fiber_at(env));
}

/* ---- Stacks, kept by the worker ---- */

#define FIBER_BYTES ((sizeof(struct fiber) + 63) & ~(size_t)63)
#define COLOURS 32u
#define COLOUR_BYTES 1088u

/* The n-th: tops of stacks must not all fall into the same lines of the cache. */
static struct fiber *new_fiber(unsigned n)
{
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct fiber *f;

    if (stack == MAP_FAILED)
        return NULL;
    if (mprotect(stack, PAGE, PROT_NONE)) {
        munmap(stack, STACK_BYTES);
        return NULL;
    }
    f = (struct fiber *)(stack + STACK_BYTES - FIBER_BYTES - n % COLOURS * COLOUR_BYTES);
    f->stack = stack;
    f->env = (struct jit_env){.operation = operation, .barrier = barrier, .end = end, .over = over, .yield = yield, .park = park, .leave = leave};
    jit_keep_set(&f->env);
    return f;
}

static void free_fibers(void *state)
{
    struct fibers *p = state;

    for (struct fiber *f = p->all, *next; f; f = next) {
        next = f->next;
        munmap(f->stack, STACK_BYTES);
    }
    free(p);
}

static struct fiber *take_fiber(struct interp_worker *worker)
{
    struct fibers *p = worker->native_state;
    struct fiber *f;

    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            return NULL;
        worker->native_state = p;
        worker->native_free = free_fibers;
    }
    if (p->serial != worker->serial) {
        p->serial = worker->serial;
        p->free = NULL;
        for (f = p->all; f; f = f->next) {
            f->next_free = p->free;
            p->free = f;
        }
    }
    f = p->free;
    if (f) {
        p->free = f->next_free;
        return f;
    }
    f = new_fiber(p->n);
    if (f) {
        p->n++;
        f->next = p->all;
        p->all = f;
    }
    return f;
}

static void give_fiber_back(struct interp_worker *worker, struct fiber *f)
{
    struct fibers *p = worker->native_state;

    f->next_free = p->free;
    p->free = f;
}

/* ---- From the scheduler ---- */

/* Continue the coroutine until its warp, which is returned, waits or gives way, or it has ended: then NULL, unless that was to let the
 * worker look around. */
static struct warp *resume(struct interp_worker *worker, struct fiber *f)
{
    struct fibers *p = worker->native_state;
    struct warp *w;

    p->running = f;
    switch_stack(&f->back, f->sp);
    if (f->ended || f->env.w->native == &left)
        give_fiber_back(worker, f);
    if (!f->ended)
        return f->env.w;
    if (f->env.rounds)
        return NULL;
    w = f->block->warps[0];
    w->yielded = true;
    w->polled = f->env.polled;
    return w;
}

/* A coroutine that takes up warp n. */
static struct warp *take_up(struct block *b, unsigned n)
{
    struct interp_worker *worker = b->worker;
    struct fiber *f = take_fiber(worker);

    if (!f)
        warp_fault(b->warps[n], NULL, -1, VG_FAULT_OUT_OF_MEMORY, 0, "out of memory for a warp's stack");
    f->block = b;
    take_warp(f, n);
    take_block(f, b);
    f->env.field[JIT_ENV_block] = (uint64_t)(uintptr_t)b;
    f->env.field[JIT_ENV_frame] = (uint64_t)(uintptr_t)b->warps[0]->entry_frame.regs;
    f->env.field[JIT_ENV_special] = (uint64_t)(uintptr_t)b->warps[0]->base[BASE_SPECIAL];
    f->env.field[JIT_ENV_warp_bytes] = b->warp_bytes;
    f->env.field[JIT_ENV_local] = b->local_base;
    f->env.field[JIT_ENV_local_bytes] = (uint64_t)VG_WARP * worker->k->local_stride;
    f->env.field[JIT_ENV_shared] = b->shared_base;
    f->env.field[JIT_ENV_param] = worker->param_base;
    f->env.field[JIT_ENV_shared_size] = worker->shared_size;
    f->env.field[JIT_ENV_data] = worker->k->binding.data;
    f->env.threads = worker->grid_blocks * worker->threads;
    f->env.site = JIT_NO_SITE;
    f->env.mxcsr = 0;
    f->waited = f->ended = false;
    prepare_stack(f);
    return resume(worker, f);
}

static struct warp *begin(struct block *b)
{
    return take_up(b, b->begun++);
}

static struct warp *run(struct warp *w)
{
    struct interp_worker *worker = w->block->worker;

    w->yielded = w->polled = false;
    if (w->native == &left) {
        ((struct fibers *)worker->native_state)->running = NULL;
        warp_run(w);
        return w;
    }
    if (w->block->parked[w->index].at == PARKED_BEGIN)
        return resume(worker, w->native);
    /* It waited as a group only since others came by lanes. */
    w->n_groups = 0;
    return take_up(w->block, w->index);
}

static void find_touch(const struct jit_env *env, const struct jit_site *site, struct touch *t)
{
    t->mask = site->mask ? site->mask : env->mask;
    t->bytes = site->bytes;
    for (unsigned l = 0; l < VG_WARP; l++) {
        unsigned row = UINT32_MAX - site->step; /* JIT_STEP_TABLE */

        t->at[l] = site->step == JIT_STEP_EACH ? env->address[l]
                 : row <= VG_WARP ? env->address[l / row] + site->table[l]
                 : env->address[0] + l * site->step;
    }
}

static bool all_there(const struct touch *t)
{
    for (unsigned l = 0; l < VG_WARP; l++)
        if (t->mask >> l & 1 && !window_readable(t->at[l], t->bytes))
            return false;
    return true;
}

/* The access of code's own that has been stopped. An operation knows its own. */
static const struct ptx_insn *locate(const struct warp **w, struct touch *t)
{
    const struct fibers *p = (*w)->block->worker->native_state;
    const struct jit_env *env = p->running ? &p->running->env : NULL;
    const struct jit_site *site;

    if (!env || env->site == JIT_NO_SITE)
        return NULL;
    if (env->fresh)
        keep_up(p->running);
    *w = env->w;
    site = (const struct jit_site *)(env->sites + env->site);
    find_touch(env, site, t);
    for (uint32_t more = site->more; more && all_there(t); more--) {
        site = (const struct jit_site *)(site->table + VG_WARP);
        find_touch(env, site, t);
    }
    return &(*w)->entry_frame.func->f->insns[site->insn];
}

static void native_free(struct interp_native *native)
{
    struct native *n = (struct native *)native;

    munmap(n->image, n->size);
    free(n);
}

bool jit_install(struct interp_kernel *k, const uint32_t block[3], void *image, size_t size)
{
    struct interp_kernel *flat = interp_kernel_flat(k);
    struct native *n = flat ? calloc(1, sizeof *n) : NULL;

    if (!n)
        return false;
    n->head = (struct interp_native){.next = flat->native, .begin = begin, .run = run, .locate = locate, .free = native_free};
    memcpy(n->head.block, block, sizeof n->head.block);
    n->image = image;
    n->size = size;
    atomic_store_explicit(&flat->native, &n->head, memory_order_release);
    return true;
}
