/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel needs beyond its own body: everything it can call. */
#include <stdio.h>
#include <stdlib.h>

#include "ptx/parse.h"

struct reach {
    struct ptx_module *m;
    uint32_t *list; /* functions reached, in the order found */
    bool *seen;
    uint32_t n;
};

static void reach_function(struct reach *r, uint32_t index)
{
    if (!r->seen[index]) {
        r->seen[index] = true;
        r->list[r->n++] = index;
    }
}

/* What f names itself. A kernel's address is of no use to a kernel. */
static void reach_callees(struct reach *r, const struct ptx_function *f)
{
    for (uint32_t i = 0; i < f->ninsns; i++)
        for (unsigned k = 0; k < f->insns[i].nops; k++)
            if (f->insns[i].ops[k].kind == PTX_OPERAND_FUNC && !r->m->functions[f->insns[i].ops[k].sym].is_entry)
                reach_function(r, f->insns[i].ops[k].sym);
    for (uint32_t i = 0; i < f->ntables; i++)
        for (uint32_t k = 0; f->tables[i].kind == 'c' && k < f->tables[i].n; k++)
            reach_function(r, f->tables[i].targets[k]);
}

/* A function that an indirect call may meet; one that is refused is left out, and calling it faults. */
static void reach_pointer(struct reach *r, uint32_t index)
{
    struct ptx_function *f = &r->m->functions[index];
    struct ptx_error ignored;

    if (!f->is_entry && f->has_body && ptx_function_parse(r->m, f, &ignored))
        reach_function(r, index);
}

/* An indirect call can meet every function whose address is taken: in initial values, or by any function of the module, since
 * one kernel may store a pointer that another calls. */
static void reach_pointers(struct reach *r)
{
    struct ptx_module *m = r->m;
    struct ptx_error ignored;

    for (uint32_t i = 0; i < m->nfunctions; i++) {
        const struct ptx_function *f = &m->functions[i];

        if (!f->has_body || !ptx_function_parse(m, &m->functions[i], &ignored))
            continue;
        for (uint32_t k = 0; k < f->ninsns; k++)
            if (f->insns[k].op == PTX_OP_mov && f->insns[k].ops[1].kind == PTX_OPERAND_FUNC)
                reach_pointer(r, f->insns[k].ops[1].sym);
    }
    for (uint32_t i = 0; i < m->nsymbols; i++)
        for (uint32_t k = 0; k < m->symbols[i].nrelocs; k++)
            if (m->symbols[i].relocs[k].function)
                reach_pointer(r, m->symbols[i].relocs[k].sym);
}

static bool merge_shared(struct ptx_module *m, struct ptx_function *f, const struct reach *r, struct ptx_error *err)
{
    uint32_t n = 0, unique = 0;
    struct ptx_shared_use *uses;

    for (uint32_t i = 0; i < r->n; i++)
        n += m->functions[r->list[i]].nshared_uses;
    uses = ptx_arena_alloc(m->arena, n, sizeof *uses);
    if (!uses) {
        *err = (struct ptx_error){.code = PTX_ERROR_MEMORY, .message = "out of memory while parsing PTX"};
        return false;
    }
    n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        const struct ptx_function *g = &m->functions[r->list[i]];

        if (g->nshared_uses)
            memcpy(uses + n, g->shared_uses, g->nshared_uses * sizeof *uses);
        n += g->nshared_uses;
    }
    ptx_sort_shared(uses, n);
    for (uint32_t i = 0; i < n; i++)
        if (!unique || uses[unique - 1].sym != uses[i].sym)
            uses[unique++] = uses[i];
    f->shared_uses = uses;
    f->nshared_uses = unique;
    if (ptx_lay_out_shared(m, f))
        return true;
    err->code = PTX_ERROR_INVALID;
    err->line = f->line;
    snprintf(err->message, sizeof err->message, "line %u: '%.100s' uses too much shared memory", f->line, f->name);
    return false;
}

static bool keep_reach(struct ptx_module *m, struct ptx_function *f, const struct reach *r, struct ptx_error *err)
{
    uint32_t *list = ptx_arena_alloc(m->arena, r->n, sizeof *list);

    if (!list) {
        *err = (struct ptx_error){.code = PTX_ERROR_MEMORY, .message = "out of memory while parsing PTX"};
        return false;
    }
    memcpy(list, r->list, r->n * sizeof *list);
    f->reach = list;
    f->nreach = r->n;
    return true;
}

/* Parse all that f reaches, then take over what they use. */
static bool close_over(struct ptx_module *m, struct ptx_function *f, struct reach *r, struct ptx_error *err)
{
    bool pointers = false;

    reach_function(r, f->index);
    for (uint32_t i = 0; i < r->n; i++) {
        struct ptx_function *g = &m->functions[r->list[i]];

        if (!g->has_body && g != f) /* the engine's own, such as vprintf, or an error when it is called */
            continue;
        if (!ptx_function_parse(m, g, err))
            return false;
        reach_callees(r, g);
        if (g->has_indirect_calls && !pointers) {
            reach_pointers(r);
            pointers = true;
        }
    }
    return true;
}

bool ptx_function_close(struct ptx_module *m, struct ptx_function *f, struct ptx_error *err)
{
    struct ptx_module_private *mp = (struct ptx_module_private *)m;
    struct reach r = {.m = m};
    bool done = false;

    r.list = calloc(m->nfunctions, sizeof *r.list);
    r.seen = calloc(m->nfunctions, sizeof *r.seen);
    if (!r.list || !r.seen) {
        *err = (struct ptx_error){.code = PTX_ERROR_MEMORY, .message = "out of memory while parsing PTX"};
    } else if (close_over(m, f, &r, err)) {
        pthread_mutex_lock(&mp->lock);
        done = f->closed || (merge_shared(m, f, &r, err) && keep_reach(m, f, &r, err));
        for (uint32_t i = 1; done && !f->closed && i < r.n; i++) {
            const struct ptx_function *g = &m->functions[r.list[i]];

            f->has_barrier |= g->has_barrier;
            if (f->barriers < g->barriers)
                f->barriers = g->barriers;
        }
        f->closed |= done;
        pthread_mutex_unlock(&mp->lock);
    }
    free(r.list);
    free(r.seen);
    return done;
}
