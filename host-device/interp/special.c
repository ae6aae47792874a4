/* SPDX-License-Identifier: Apache-2.0 */
/* Special registers, PTX ISA 9.1 chapter 10. */
#include "interp/warp.h"

static uint64_t component(const uint32_t v[3], uint8_t c, uint32_t fourth)
{
    return c < 3 ? v[c] : fourth;
}

/* The value that lane l of warp w of the block reads, of all but %tid. Blocks are clusters of one block. */
static uint64_t special_value(const struct block *b, const struct special *s, uint32_t w, uint32_t l)
{
    static const uint32_t ones[3] = {1, 1, 1};
    const struct interp_worker *k = b->worker;
    const struct vg_launch *launch = k->launch;

    switch (s->sreg) {
    case PTX_SREG_ntid:
        return component(launch->block, s->component, 1);
    case PTX_SREG_laneid:
        return l;
    case PTX_SREG_warpid:
        return w;
    case PTX_SREG_nwarpid:
        return 64;
    case PTX_SREG_ctaid:
    case PTX_SREG_clusterid:
        return component(b->ctaid, s->component, 0);
    case PTX_SREG_nctaid:
    case PTX_SREG_nclusterid:
        return component(launch->grid, s->component, 1);
    case PTX_SREG_cluster_nctaid:
        return component(ones, s->component, 1);
    case PTX_SREG_cluster_nctarank:
        return 1;
    case PTX_SREG_smid:
        return k->index % (launch->sm_count ? launch->sm_count : 1);
    case PTX_SREG_nsmid:
        return launch->sm_count;
    case PTX_SREG_gridid:
        return launch->grid_id;
    case PTX_SREG_lanemask_eq:
        return 1u << l;
    case PTX_SREG_lanemask_lt:
        return (1u << l) - 1;
    case PTX_SREG_lanemask_le:
        return ((1u << l) - 1) | 1u << l;
    case PTX_SREG_lanemask_gt:
        return ~(((1u << l) - 1) | 1u << l);
    case PTX_SREG_lanemask_ge:
        return ~((1u << l) - 1);
    case PTX_SREG_total_smem_size:
    case PTX_SREG_aggr_smem_size:
        return k->shared_size;
    case PTX_SREG_dynamic_smem_size:
        return launch->dynamic_shared;
    case PTX_SREG_envreg: /* 1:2, cooperative groups' grid workspace; the upper half comes first */
        return s->component == 1 ? launch->grid_workspace >> 32
             : s->component == 2 ? (uint32_t)launch->grid_workspace : 0;
    default: /* ranks in a cluster of one, no reserved shared memory, no graph, no performance counters */
        return 0;
    }
}

/* The same for all lanes: what is filled in for each block is. */
static void spread(const struct special *s, struct warp *w, uint64_t v)
{
    char *at = w->base[BASE_SPECIAL] + s->offset;

    if (s->bits == 1)
        *(uint32_t *)at = v ? ~0u : 0;
    else if (s->bits == 16)
        for (uint32_t l = 0; l < VG_WARP; l++)
            ((uint16_t *)at)[l] = (uint16_t)v;
    else if (s->bits == 32)
        for (uint32_t l = 0; l < VG_WARP; l++)
            ((uint32_t *)at)[l] = (uint32_t)v;
    else
        for (uint32_t l = 0; l < VG_WARP; l++)
            ((uint64_t *)at)[l] = v;
}

/* %tid of the thread behind this one. */
static void next_thread(const uint32_t block[3], uint32_t t[4])
{
    if (++t[0] == block[0]) {
        t[0] = 0;
        if (++t[1] == block[1]) {
            t[1] = 0;
            t[2]++;
        }
    }
}

/* Threads are counted rather than divided into coordinates: this is done for every launch. */
static void fill(const struct block *b, const struct special *s, struct warp *w)
{
    char *at = w->base[BASE_SPECIAL] + s->offset;
    const uint32_t *block = b->worker->launch->block, first = w->index * VG_WARP;
    uint32_t t[4] = {first % block[0], first / block[0] % block[1], first / block[0] / block[1], 0};

    for (uint32_t l = 0; l < VG_WARP; l++, next_thread(block, t)) {
        uint64_t v = s->sreg == PTX_SREG_tid ? t[s->component] : special_value(b, s, w->index, l);

        if (s->bits == 1)
            *(uint32_t *)at = v ? ~0u : 0;
        else if (s->bits == 16)
            ((uint16_t *)at)[l] = (uint16_t)v;
        else if (s->bits == 32)
            ((uint32_t *)at)[l] = (uint32_t)v;
        else
            ((uint64_t *)at)[l] = v;
    }
}

void special_fill(struct block *b)
{
    const struct interp_kernel *k = b->worker->k;

    for (uint32_t i = 0; i < k->n_specials; i++)
        for (unsigned w = 0; w < b->n_warps && !k->specials[i].per_block; w++)
            fill(b, &k->specials[i], b->warps[w]);
}

void special_fill_block(struct warp *w)
{
    const struct interp_kernel *k = w->block->worker->k;

    for (uint32_t i = 0; i < k->n_specials; i++)
        if (k->specials[i].per_block)
            spread(&k->specials[i], w, special_value(w->block, &k->specials[i], 0, 0));
}
