/* SPDX-License-Identifier: Apache-2.0 */
#include "jit/meet.h"

#include <stdlib.h>

/* Lanes of a warp look at each other's values. */
static bool is_exchange(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_shfl:
    case PTX_OP_vote:
    case PTX_OP_match:
    case PTX_OP_redux:
    case PTX_OP_elect:
        return true;
    default:
        return false;
    }
}

bool jit_has_members(const struct ptx_insn *i)
{
    return is_exchange(i) || (i->op == PTX_OP_bar && i->mode == PTX_mode_warp);
}

/* Lanes meet here, maybe from several places. */
bool jit_is_meeting(const struct ptx_insn *i)
{
    if (is_exchange(i))
        return i->flags & PTX_FLAG_SYNC;
    switch (i->op) {
    case PTX_OP_mma:
    case PTX_OP_wmma:
    case PTX_OP_ldmatrix:
    case PTX_OP_stmatrix:
    case PTX_OP_movmatrix:
    case PTX_OP_bar:
    case PTX_OP_barrier:
        return true;
    default:
        return false;
    }
}

static bool looks_around(const struct ptx_insn *i);

bool jit_call_meets(const struct jit_flow *w)
{
    for (uint32_t k = 0; k < w->f->nreach; k++) {
        const struct ptx_function *g = &w->m->functions[w->f->reach[k]];

        for (uint32_t i = 0; !g->is_entry && i < g->ninsns; i++)
            if (jit_is_meeting(&g->insns[i]) || looks_around(&g->insns[i]))
                return true;
    }
    return false;
}

/* ---- Loops in which lanes may wait for other lanes of their warp ---- */

/* What an instruction reads may be another lane's doing, now or in a later round. */
static bool looks_around(const struct ptx_insn *i)
{
    return i->op == PTX_OP_atom || ((i->op == PTX_OP_ld || i->op == PTX_OP_ldu) && i->sem != PTX_sem_none && i->sem != PTX_sem_weak);
}

static bool reads_any(const struct jit_regs *r, const uint8_t *set)
{
    for (unsigned k = 0; k < r->n_read; k++)
        if (set[r->read[k]])
            return true;
    return false;
}

/* Its result may be what was stored before, in memory that stands for registers: unoptimised code has all its variables there, and
 * what a function returns. */
static bool reloads(const struct ptx_insn *i)
{
    return i->op == PTX_OP_ld && (i->space == PTX_SPACE_local || i->space == PTX_SPACE_param || i->space == PTX_SPACE_generic);
}

static void find_observed(const struct ptx_function *f, uint8_t *set)
{
    struct jit_regs r;
    bool stored = false;

    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < f->ninsns; i++) {
            const struct ptx_insn *x = &f->insns[i];

            jit_regs_of(x, &r);
            if (!looks_around(x) && x->op != PTX_OP_call && !(stored && reloads(x)) && !reads_any(&r, set))
                continue;
            changed |= !stored && (x->op == PTX_OP_st || x->op == PTX_OP_call);
            stored |= x->op == PTX_OP_st || x->op == PTX_OP_call;
            for (unsigned k = 0; k < r.n_written; k++) {
                changed |= !set[r.written[k]];
                set[r.written[k]] = 1;
            }
        }
    }
}

bool jit_find_spins(const struct jit_uniform *u, bool *spins)
{
    const struct jit_flow *w = u->flow;
    uint8_t *observed = calloc(w->f->nregs + 1, 1);

    if (!observed)
        return false;
    find_observed(w->f, observed);
    for (uint32_t b = 0; b < w->n; b++) {
        const struct jit_block *x = &w->blocks[b];

        if (x->branch && x->loop != JIT_NONE && (jit_parts(u, b) || !jit_is_whole(u, b)) &&
            observed[x->branch->guard])
            spins[x->loop] = true;
    }
    free(observed);
    return true;
}
