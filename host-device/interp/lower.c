/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel and all it can call, to micro-operations. */
#include "interp/lower.h"
#include "interp/slots.h"
#include "ptx/flat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK_MIN (16u << 10)

void lower_fail(struct lower *lo, const char *fmt, ...)
{
    char what[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    lo->err->code = 218;
    lo->err->line = lo->insn ? lo->insn->line : lo->f ? lo->f->line : 0;
    lo->err->column = 0;
    snprintf(lo->err->message, sizeof lo->err->message, "line %u: %s%s%s", lo->err->line,
             lo->insn ? ptx_op_names[lo->insn->op] : lo->f ? lo->f->name : "", lo->insn || lo->f ? ": " : "", what);
    longjmp(lo->fail, 1);
}

void lower_out_of_memory(struct lower *lo)
{
    lower_fail(lo, "out of memory");
}

void *lower_grow(struct lower *lo, void *array, uint32_t n, uint32_t *room, size_t size)
{
    uint32_t more = *room ? 2 * *room : size == 1 ? 4096 : 16;

    if (n < *room)
        return array;
    if (more <= *room || !(array = realloc(array, more * size)))
        lower_out_of_memory(lo);
    *room = more;
    return array;
}

void *lower_keep(struct lower *lo, size_t n)
{
    struct kept *k = calloc(1, sizeof *k + n);

    if (!k)
        lower_out_of_memory(lo);
    k->next = lo->fn->extra;
    lo->fn->extra = k;
    return k + 1;
}

void lower_want(struct lower *lo, int32_t f)
{
    if (lo->wanted[f])
        return;
    lo->pending = lower_grow(lo, lo->pending, lo->n_pending, &lo->pending_room, sizeof *lo->pending);
    lo->pending[lo->n_pending++] = (uint32_t)f;
    lo->wanted[f] = true;
}

/* ---- One function ---- */

static uint32_t align_up(uint64_t n, uint32_t to)
{
    return (uint32_t)((n + to - 1) / to * to);
}

/* A lane's local memory of a frame: locals, parameters of the calls it makes, its own parameters and results. */
static void lay_out_locals(struct lower *lo)
{
    const struct ptx_function *f = lo->f;

    lo->locals_end = align_up(f->local_size, 16);
    lo->fn->first_formal = align_up((uint64_t)lo->locals_end + f->call_param_size, 16);
    lo->fn->local_bytes = align_up((uint64_t)lo->fn->first_formal + (f->is_entry ? 0 : f->param_size), 32);
    if (f->local_size > (512u << 10) || f->call_param_size > (64u << 10) || f->param_size > (64u << 10))
        lower_fail(lo, "%u bytes of local memory a thread", lo->fn->local_bytes);
}

/* The function's own side of calls to it. */
static void describe_formals(struct lower *lo)
{
    const struct ptx_function *f = lo->f;
    struct func *fn = lo->fn;

    fn->n_params = f->is_entry ? 0 : f->nparams;
    fn->n_rets = f->nrets;
    fn->params = lower_keep(lo, (fn->n_params + fn->n_rets + 1) * sizeof *fn->params);
    for (uint32_t i = 0; i < fn->n_params + fn->n_rets; i++) {
        const struct ptx_symbol *s =
            &lo->k->m->symbols[i < fn->n_params ? f->first_param + i : f->first_ret + i - fn->n_params];

        if (s->space == PTX_SPACE_reg)
            fn->params[i] = (struct call_value){true, lo->place[s->offset] | BASE_FRAME, reg_bits(lo, (int32_t)s->offset) / 8};
        else
            fn->params[i] = (struct call_value){false, fn->first_formal + (uint32_t)s->offset, (uint32_t)s->size};
    }
}

static const struct uop *target_of(const struct lower *lo, const struct func *fn, const struct uop *index)
{
    return fn->code + lo->first_uop[(uintptr_t)index];
}

/* Indices become pointers. */
static void link_code(struct lower *lo, struct func *fn)
{
    for (uint32_t i = 0; i < fn->n_code; i++) {
        struct uop *u = &fn->code[i];

        u->refs = fn->refs + (uintptr_t)u->refs;
        if (u->run == run_bra || u->run == run_bra_if)
            u->target = target_of(lo, fn, u->target);
        if (u->run == run_brx) {
            struct branch_table *t = (struct branch_table *)(uintptr_t)u->table;

            for (uint32_t k = 0; k < t->n; k++)
                t->targets[k] = target_of(lo, fn, t->targets[k]);
        }
    }
}

static void lower_function(struct lower *lo, uint32_t index)
{
    struct interp_kernel *k = lo->k;
    struct func *fn = &k->funcs[index];

    lo->fn = fn;
    lo->f = fn->f = index == k->f->index ? k->f : &k->m->functions[index];
    lo->insn = NULL;
    lo->n_code = lo->n_refs = 0;
    if (!lo->f->parsed)
        lower_fail(lo, "function %s has no parsed body", lo->f->name);
    lay_out_locals(lo);
    lo->place = realloc(lo->place, (lo->f->nregs + 1) * sizeof *lo->place);
    lo->first_uop = realloc(lo->first_uop, (lo->f->ninsns + 2) * sizeof *lo->first_uop);
    if (!lo->place || !lo->first_uop ||
        !slots_assign(k->m, lo->f, FRAME_TEMPS + FRAME_TEMP_BYTES, lo->place, &fn->frame_bytes))
        lower_out_of_memory(lo);
    describe_formals(lo);
    for (uint32_t i = 0; i < lo->f->ninsns; i++) {
        lo->insn = &lo->f->insns[i];
        lo->first_uop[i] = lo->n_code;
        lower_insn(lo);
    }
    lo->first_uop[lo->f->ninsns] = lo->n_code;
    lower_emit(lo, run_ret, NULL, 0, 0); /* the end of the body returns */
    fn->place = lower_keep(lo, (lo->f->nregs + 1) * sizeof *fn->place);
    memcpy(fn->place, lo->place, lo->f->nregs * sizeof *fn->place);
    fn->first_uop = lower_keep(lo, (lo->f->ninsns + 1) * sizeof *fn->first_uop);
    memcpy(fn->first_uop, lo->first_uop, (lo->f->ninsns + 1) * sizeof *fn->first_uop);

    fn->n_code = lo->n_code;
    fn->code = malloc(lo->n_code * sizeof *fn->code);
    fn->refs = malloc((lo->n_refs + 1) * sizeof *fn->refs);
    if (!fn->code || !fn->refs) {
        free(fn->code);
        fn->code = NULL;
        lower_out_of_memory(lo);
    }
    memcpy(fn->code, lo->code, lo->n_code * sizeof *fn->code);
    if (lo->n_refs)
        memcpy(fn->refs, lo->refs, lo->n_refs * sizeof *fn->refs);
    link_code(lo, fn);
}

/* An indirect call may reach every function that the kernel can; others know nothing of its shared memory. */
static void want_all(struct lower *lo)
{
    for (uint32_t i = 0; i < lo->k->f->nreach; i++) {
        const struct ptx_function *g = &lo->k->m->functions[lo->k->f->reach[i]];

        if (!g->is_entry && g->parsed)
            lower_want(lo, (int32_t)g->index);
    }
}

/* ---- The kernel ---- */

static _Atomic uint32_t stack_bytes = STACK_MIN;

void interp_set_stack(uint32_t bytes)
{
    stack_bytes = bytes > STACK_MIN ? align_up(bytes, 32) : STACK_MIN;
}

uint32_t interp_kernel_stack(const struct interp_kernel *k)
{
    return k->stack;
}

static void finish(struct lower *lo)
{
    struct interp_kernel *k = lo->k;
    uint64_t local = k->entry->local_bytes;

    k->const_bytes = lo->const_bytes;
    k->consts = aligned_alloc(64, align_up((uint64_t)lo->const_bytes + 1, 64));
    if (!k->consts)
        lower_out_of_memory(lo);
    if (lo->const_bytes)
        memcpy(k->consts, lo->consts, lo->const_bytes);
    for (uint32_t i = 0; k->has_stack && i < k->m->nfunctions; i++)
        if (k->funcs[i].code && &k->funcs[i] != k->entry)
            local += 2 * k->funcs[i].local_bytes;
    k->stack = k->has_stack ? stack_bytes : 0;
    k->local_stride = align_up(local + k->stack, 32);
}

struct interp_kernel *interp_kernel_new(struct ptx_module *m, struct ptx_function *f, const struct vg_binding *b,
                                        struct ptx_error *err)
{
    struct lower lo = {.err = err, .f = f, .k = calloc(1, sizeof *lo.k)};

    if (setjmp(lo.fail)) {
        interp_kernel_free(lo.k);
        lo.k = NULL;
    } else {
        if (!lo.k || !(lo.k->funcs = calloc(m->nfunctions, sizeof *lo.k->funcs)) || !(lo.wanted = calloc(m->nfunctions, 1)))
            lower_out_of_memory(&lo);
        lo.k->flat = calloc(1, sizeof *lo.k->flat);
        if (!lo.k->flat)
            lower_out_of_memory(&lo);
        lo.k->m = m;
        lo.k->f = f;
        lo.k->binding = *b;
        lo.k->entry = &lo.k->funcs[f->index];
        if (!f->is_entry)
            lower_fail(&lo, "%s is no kernel", f->name);
        lower_want(&lo, (int32_t)f->index);
        while (lo.n_pending) {
            lower_function(&lo, lo.pending[--lo.n_pending]);
            if (lo.any_indirect && !lo.n_pending)
                want_all(&lo);
        }
        lo.insn = NULL;
        finish(&lo);
    }
    free(lo.place);
    free(lo.code);
    free(lo.refs);
    free(lo.first_uop);
    free(lo.consts);
    free(lo.const_slots);
    free(lo.pending);
    free(lo.wanted);
    return lo.k;
}

static struct interp_kernel *make_flat(const struct interp_kernel *k)
{
    struct ptx_flat *source;
    struct interp_kernel *flat;
    struct ptx_error err;

    if (!ptx_flat_new(k->m, k->f, &source))
        return NULL;
    if (!source)
        return (struct interp_kernel *)k;
    flat = interp_kernel_new(&source->m, &source->f, &k->binding, &err);
    if (!flat) {
        ptx_flat_free(source);
        return (struct interp_kernel *)k;
    }
    flat->source = source;
    return flat;
}

struct interp_kernel *interp_kernel_flat(const struct interp_kernel *k)
{
    struct interp_kernel *flat = atomic_load(k->flat), *none = NULL;

    if (!flat && (flat = make_flat(k)) && !atomic_compare_exchange_strong(k->flat, &none, flat)) {
        if (flat != k)
            interp_kernel_free(flat);
        flat = none;
    }
    return flat;
}

void interp_kernel_free(struct interp_kernel *k)
{
    if (!k)
        return;
    for (uint32_t i = 0; k->funcs && i < k->m->nfunctions; i++) {
        struct func *fn = &k->funcs[i];

        for (struct kept *x = fn->extra, *next; x; x = next) {
            next = x->next;
            free(x);
        }
        free(fn->code);
        free(fn->refs);
    }
    for (struct interp_native *n = k->native, *next; n; n = next) {
        next = n->next;
        n->free(n);
    }
    if (k->flat && *k->flat != k)
        interp_kernel_free(*k->flat);
    free(k->flat);
    ptx_flat_free(k->source);
    free(k->funcs);
    free(k->consts);
    free(k->specials);
    free(k);
}
