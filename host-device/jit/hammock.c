/* SPDX-License-Identifier: Apache-2.0 */
#include "jit/hammock.h"

#include "jit/meet.h"

#define SOON 64u /* instructions */

static bool is_plain(const struct jit_flow *w, uint32_t q)
{
    for (uint32_t i = w->blocks[q].first; i < w->blocks[q].end; i++)
        if (jit_is_meeting(&w->f->insns[i]) || w->f->insns[i].op == PTX_OP_call)
            return false;
    return true;
}

bool jit_hammock_find(const struct jit_flow *w, uint32_t b, uint64_t *inside, uint32_t *join)
{
    uint32_t last = b, instructions = 0;

    /* Blocks follow all that lead to them: in their order, the one where nothing further is left to go to is where ways meet. */
    for (uint32_t q = b; q <= last; q++) {
        const struct jit_block *x = &w->blocks[q];

        if (q > b && !jit_test(inside, q))
            continue;
        if (q > b && q == last) {
            inside[q / 64] &= ~(1ull << q % 64);
            *join = q;
            return true;
        }
        instructions += q > b ? x->end - x->first : 0;
        if (x->loop != w->blocks[b].loop || (q > b && !is_plain(w, q)) || instructions > SOON)
            return false;
        for (uint32_t s = 0; s < x->n_succ; s++) {
            if (x->succ[s] == JIT_EXIT || x->succ[s] <= q)
                return false;
            jit_set(inside, x->succ[s]);
            last = x->succ[s] > last ? x->succ[s] : last;
        }
    }
    return false;
}
