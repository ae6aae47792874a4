/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and the stack. Lanes that call together share one activation of the callee: a frame of registers and, for each of them, a piece of
 * its local memory behind the caller's, where .param variables lie too. They come back in whatever groups they return in. */
#include "interp/warp.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX (64u << 20) /* bytes of register frames a warp, beyond the entry's */

static void *value_place(const struct warp *w, const struct frame *f, const struct call_value *v, unsigned l)
{
    if (!v->in_reg)
        return (void *)(uintptr_t)(w->local_base + (uint64_t)l * w->block->worker->k->local_stride + f->local + v->at);
    return ((v->at & 3) == BASE_FRAME ? f->regs : w->base[v->at & 3]) + (v->at & ~3u) + (size_t)l * v->bytes;
}

uint64_t call_value_get(const struct warp *w, const struct frame *f, const struct call_value *v, unsigned l)
{
    uint64_t x = 0;

    memcpy(&x, value_place(w, f, v, l), v->bytes < sizeof x ? v->bytes : sizeof x);
    return x;
}

void call_value_set(struct warp *w, const struct frame *f, const struct call_value *v, unsigned l, uint64_t x)
{
    memcpy(value_place(w, f, v, l), &x, v->bytes < sizeof x ? v->bytes : sizeof x);
}

/* Pass a list of values between frames. The two sides were declared apart: an indirect call's prototype may differ from the
 * function it reaches, so each value is as long as the shorter of its sides, the list too. */
static void pass(struct warp *w, const struct frame *from, const struct call_value *a, uint32_t na, const struct frame *to,
                 const struct call_value *b, uint32_t nb, uint32_t mask)
{
    for (uint32_t i = 0; i < na && i < nb; i++) {
        size_t n = a[i].bytes < b[i].bytes ? a[i].bytes : b[i].bytes;

        for (uint32_t m = mask; m; m &= m - 1) {
            unsigned l = (unsigned)__builtin_ctz(m);

            memmove(value_place(w, to, &b[i], l), value_place(w, from, &a[i], l), n);
        }
    }
}

/* ---- alloca: behind the frame's own part of local memory, where callees' frames come too ---- */

static uint32_t stack_start(const struct frame *f)
{
    return f->local + f->func->local_bytes;
}

/* Of the lanes in mask, in whole units of the alignment. */
static uint32_t highest_top(const struct frame *f, uint32_t mask)
{
    uint32_t top = 0;

    for (; mask; mask &= mask - 1)
        if (top < f->top[__builtin_ctz(mask)])
            top = f->top[__builtin_ctz(mask)];
    return (top + VG_STACK_ALIGN - 1) & ~(VG_STACK_ALIGN - 1);
}

static uint64_t lane_get(const struct warp *w, uint32_t ref, bool wide, unsigned l)
{
    return wide ? ((const uint64_t *)warp_at(w, ref))[l] : ((const uint32_t *)warp_at(w, ref))[l];
}

static void lane_set(struct warp *w, uint32_t ref, unsigned bytes, unsigned l, uint64_t v)
{
    memcpy((char *)warp_at(w, ref) + (size_t)l * bytes, &v, bytes);
}

const struct uop *run_alloca(struct warp *w, const struct uop *u)
{
    struct frame *f = w->frame;
    uint64_t align = (uint64_t)u->imm, limit = w->block->worker->k->local_stride;

    for (uint32_t m = w->args.mask; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);
        uint64_t n = lane_get(w, u->refs[1], u->wide, l), at = (stack_start(f) + f->top[l] + align - 1) & ~(align - 1);

        if (at > limit || n > limit - at)
            warp_fault(w, u->insn, (int)l, VG_FAULT_STACK, 0, "stack overflow: alloca of %llu bytes", (unsigned long long)n);
        lane_set(w, u->refs[0], u->bytes, l, at);
        f->top[l] = (uint32_t)(at + n) - stack_start(f);
    }
    return u + 1;
}

const struct uop *run_stacksave(struct warp *w, const struct uop *u)
{
    for (uint32_t m = w->args.mask; m; m &= m - 1)
        lane_set(w, u->refs[0], u->bytes, (unsigned)__builtin_ctz(m), stack_start(w->frame) + w->frame->top[__builtin_ctz(m)]);
    return u + 1;
}

/* The stack only shrinks: a value that no stacksave of this frame gave, or an outdated one, changes nothing. */
const struct uop *run_stackrestore(struct warp *w, const struct uop *u)
{
    struct frame *f = w->frame;

    for (uint32_t m = w->args.mask; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);
        uint64_t top = lane_get(w, u->refs[0], u->wide, l) - stack_start(f);

        if (top < f->top[l])
            f->top[l] = (uint32_t)top;
    }
    return u + 1;
}

/* ---- Frames ---- */

static struct frame *frame_new(struct warp *w, const struct uop *u, const struct func *callee)
{
    struct frame *caller = w->frame, *f;
    uint32_t local = stack_start(caller) + highest_top(caller, w->args.mask);
    size_t n = sizeof *f + 64 + callee->frame_bytes;
    int lane = __builtin_ctz(w->args.mask);

    if (local + callee->local_bytes > w->block->worker->k->local_stride || w->frame_total + n > FRAMES_MAX)
        warp_fault(w, u->insn, lane, VG_FAULT_STACK, 0, "call stack overflow, %u calls deep", caller->depth);
    f = calloc(1, n);
    if (!f)
        warp_fault(w, u->insn, lane, VG_FAULT_OUT_OF_MEMORY, 0, "out of memory for a call");
    *f = (struct frame){.parent = caller, .func = callee, .return_to = u + 1, .site = u->call, .lanes = w->args.mask,
                        .local = local, .depth = caller->depth + 1, .bytes = n, .next = w->frames};
    f->regs = (char *)(((uintptr_t)(f + 1) + 63) & ~(uintptr_t)63);
    w->frames = f;
    w->frame_total += n;
    return f;
}

static void frame_free(struct warp *w, struct frame *f)
{
    struct frame **p = &w->frames;

    while (*p != f)
        p = &(*p)->next;
    *p = f->next;
    w->frame_total -= f->bytes;
    free(f);
}

void frame_drop_lanes(struct warp *w, struct frame *f, uint32_t mask)
{
    for (struct frame *parent; f; f = parent) {
        parent = f->parent;
        f->lanes &= ~mask;
        if (!f->lanes && parent)
            frame_free(w, f);
    }
}

void frame_free_all(struct warp *w)
{
    while (w->frames)
        frame_free(w, w->frames);
}

static const struct uop *enter(struct warp *w, const struct uop *u, const struct func *callee)
{
    const struct call_site *site = u->call;
    struct frame *caller = w->frame, *f = frame_new(w, u, callee);

    pass(w, caller, site->args, site->n_args, f, callee->params, callee->n_params, w->args.mask);
    group_push(w, callee->code, w->args.mask, READY);
    w->groups[w->n_groups - 1].frame = f;
    return warp_schedule(w);
}

const struct uop *run_call(struct warp *w, const struct uop *u)
{
    w->args.insn = u->insn;
    if (u->call->builtin) {
        builtin_run(w, u->call);
        return u + 1;
    }
    if (--w->fuel <= 0) /* recursion is a loop too */
        return run_yield_at(w, u);
    return enter(w, u, u->call->callee);
}

/* Lanes may call different functions: those that call the first one's go, the others come back to this operation. */
const struct uop *run_call_indirect(struct warp *w, const struct uop *u)
{
    const struct interp_kernel *k = w->block->worker->k;
    const uint64_t *target = warp_at(w, u->call->target);
    int first = __builtin_ctz(w->args.mask);
    uint64_t offset = target[first] - k->binding.functions;
    const struct func *callee;
    uint32_t same = 0;

    w->args.insn = u->insn;
    if (--w->fuel <= 0)
        return run_yield_at(w, u);
    callee = offset % VG_FUNCTION_STRIDE || offset / VG_FUNCTION_STRIDE >= k->m->nfunctions
                 ? NULL : &k->funcs[offset / VG_FUNCTION_STRIDE];
    if (!callee || !callee->code || callee->f->is_entry)
        warp_fault(w, u->insn, first, VG_FAULT_INVALID_PC, target[first], "indirect call to what is no function");
    for (unsigned l = 0; l < VG_WARP; l++)
        same |= (uint32_t)(target[l] == target[first]) << l;
    same &= w->args.mask;
    if (w->args.mask & ~same) {
        group_push(w, u, w->args.mask & ~same, READY);
        w->args.mask = same;
    }
    return enter(w, u, callee);
}

const struct uop *run_ret(struct warp *w, const struct uop *u)
{
    struct frame *f = w->frame, *caller = f->parent;
    uint32_t mask = w->args.mask;
    const struct uop *to = f->return_to;

    if (!caller)
        return warp_exit(w);
    pass(w, f, f->func->params + f->func->n_params, f->func->n_rets, caller, f->site->args + f->site->n_args, f->site->n_rets,
         mask);
    f->lanes &= ~mask;
    if (!f->lanes)
        frame_free(w, f);
    w->frame = caller;
    group_push(w, to, mask, READY);
    return warp_schedule(w);
}
