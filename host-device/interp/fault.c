/* SPDX-License-Identifier: Apache-2.0 */
/* How a launch ends early: who did what, where. */
#include "interp/warp.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void grid_lock(struct interp_grid *g)
{
    while (__atomic_exchange_n(&g->lock, 1, __ATOMIC_ACQUIRE))
        sched_yield();
}

void grid_unlock(struct interp_grid *g)
{
    __atomic_store_n(&g->lock, 0, __ATOMIC_RELEASE);
}

static void locate_thread(const struct interp_worker *worker, const struct warp *w, int lane, uint32_t thread[3])
{
    const uint32_t *block = worker->launch->block;
    uint32_t t = w->index * VG_WARP + (uint32_t)lane;

    thread[0] = t % block[0];
    thread[1] = t / block[0] % block[1];
    thread[2] = t / block[0] / block[1];
}

/* Where in the program: the source, if the module names it, and the PTX line with its text. */
static size_t tell_place(const struct interp_kernel *k, const struct ptx_insn *insn, char *text, size_t room)
{
    char source[160], line[80];
    size_t n = ptx_source_text(k->m, k->f, insn, source, sizeof source) ? (size_t)snprintf(text, room, ", %s", source) : 0;

    if (n < room && ptx_line_text(k->m, insn->line, line, sizeof line))
        n += (size_t)snprintf(text + n, room - n, ", PTX line %u '%s'", insn->line, line);
    return n < room ? n : room - 1;
}

void fault_record(struct interp_worker *worker, const struct warp *w, const struct ptx_insn *insn, int lane, int code,
                  uint64_t address, const char *what)
{
    struct interp_grid *g = worker->grid;
    struct vg_fault *f = &g->fault;
    size_t n;

    grid_lock(g);
    if (!f->code) {
        f->code = code;
        f->line = insn ? insn->line : 0;
        f->address = address;
        f->generic = !insn || (insn->space != PTX_SPACE_shared && insn->space != PTX_SPACE_local && insn->space != PTX_SPACE_param);
        n = (size_t)snprintf(f->message, sizeof f->message, "kernel %.160s: %s", worker->k->f->name, what);
        if (n < sizeof f->message && insn)
            n += tell_place(worker->k, insn, f->message + n, sizeof f->message - n);
        if (w) {
            memcpy(f->block, w->block->ctaid, sizeof f->block);
            if (n < sizeof f->message)
                n += (size_t)snprintf(f->message + n, sizeof f->message - n, ", block (%u,%u,%u)", f->block[0], f->block[1],
                                      f->block[2]);
        }
        if (w && lane >= 0) {
            locate_thread(worker, w, lane, f->thread);
            if (n < sizeof f->message)
                n += (size_t)snprintf(f->message + n, sizeof f->message - n, ", thread (%u,%u,%u)", f->thread[0], f->thread[1],
                                      f->thread[2]);
        }
        if ((address || code == VG_FAULT_ILLEGAL_ADDRESS) && n < sizeof f->message)
            snprintf(f->message + n, sizeof f->message - n, ", address %#llx", (unsigned long long)address);
    }
    atomic_store(&g->stop, 1);
    grid_unlock(g);
}

void warp_fault(struct warp *w, const struct ptx_insn *insn, int lane, int code, uint64_t address, const char *fmt, ...)
{
    char what[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    fault_record(w->block->worker, w, insn, lane, code, address, what);
    siglongjmp(w->block->worker->leave, 1);
}

/* Engines touch lanes' memory in any order, many lanes' at once. Reported is the first lane whose memory is not there. */
static int first_stopped(const struct touch *t, uint64_t *address)
{
    for (int l = 0; l < VG_WARP && t->bytes; l++)
        if (t->mask >> l & 1 && !window_readable(t->at[l], t->bytes)) {
            *address = t->at[l];
            return l;
        }
    return -1;
}

void fault_record_access(struct interp_worker *worker, uint64_t address)
{
    const struct warp *w = worker->running;
    const struct ptx_insn *insn = NULL;
    struct touch t;
    int lane = -1;

    if (w && w->block->native)
        insn = w->block->native->locate(&w, &t);
    if (w && !insn) {
        insn = w->args.insn;
        t.mask = w->args.mask;
        t.bytes = w->ea_bytes;
        for (unsigned l = 0; l < VG_WARP; l++)
            t.at[l] = w->ea_row ? w->ea[0] + l * w->ea_bytes : w->ea[l];
    }
    if (insn)
        lane = first_stopped(&t, &address);
    fault_record(worker, w, insn, lane, VG_FAULT_ILLEGAL_ADDRESS, address, "access to memory that is not mapped");
}

/* ---- What lane operations call (lanes.h) ---- */

void lane_fault(const struct lane_args *a, unsigned lane, int code, uint64_t address, const char *what)
{
    warp_fault(a->warp, a->insn, (int)lane, code, address, "%s", what);
}

void lane_check(const struct lane_args *a, unsigned lane, uint64_t address, size_t n, size_t align)
{
    struct warp *w = a->warp;
    uint64_t shared = address - w->block->shared_base;
    const struct interp_worker *worker = w->block->worker;

    /* In the block's shared memory, or in no part of its page that lies behind it. */
    if (!window_contains(address, n) ||
        (shared < worker->shared_bytes && shared + n > worker->shared_size))
        lane_fault(a, lane, VG_FAULT_ILLEGAL_ADDRESS, address, "address outside device memory");
    if (address & (align - 1))
        lane_fault(a, lane, VG_FAULT_MISALIGNED, address, "misaligned address");
    w->ea[lane] = address;
    w->ea_bytes = (unsigned)n;
    w->ea_row = false;
}
