/* SPDX-License-Identifier: Apache-2.0 */
#include "jit/brief.h"

#include <stdlib.h>
#include <string.h>

static void add(uint64_t *to, const uint64_t *set, uint32_t words)
{
    for (uint32_t k = 0; k < words; k++)
        to[k] |= set[k];
}

/* Warps may wait there, and others run meanwhile. */
static bool is_barrier(const struct ptx_insn *i)
{
    return (i->op == PTX_OP_bar && i->mode != PTX_mode_warp) || i->op == PTX_OP_barrier;
}

/* Adds to 'long_lived' what is live behind barriers in the block; 'live' has room for a set. */
static void walk(const struct jit_flow *w, uint32_t b, uint64_t *live, uint64_t *long_lived)
{
    const struct jit_block *x = &w->blocks[b];
    struct jit_regs r;

    memset(live, 0, w->words * sizeof *live);
    for (uint32_t s = 0; s < x->n_succ; s++)
        if (x->succ[s] != JIT_EXIT)
            add(live, w->live_in + (size_t)x->succ[s] * w->words, w->words);
    for (uint32_t i = x->end; i-- > x->first;) {
        const struct ptx_insn *insn = &w->f->insns[i];

        if (is_barrier(insn))
            add(long_lived, live, w->words);
        jit_regs_of(insn, &r);
        for (unsigned k = 0; k < r.n_written && insn->guard < 0; k++)
            live[r.written[k] / 64] &= ~(1ull << r.written[k] % 64);
        for (unsigned k = 0; k < r.n_read; k++)
            jit_set(live, (uint32_t)r.read[k]);
    }
}

bool jit_brief_find(const struct jit_flow *w, bool *brief)
{
    uint64_t *live = calloc(w->words + 1, sizeof *live), *long_lived = calloc(w->words + 1, sizeof *long_lived);
    bool good = live && long_lived;

    for (uint32_t b = 0; good && b < w->n; b++) {
        add(long_lived, w->live_in + (size_t)b * w->words, w->words);
        walk(w, b, live, long_lived);
    }
    for (uint32_t reg = 0; good && reg < w->f->nregs; reg++)
        brief[reg] = !jit_test(long_lived, reg);
    free(live);
    free(long_lived);
    return good;
}
