/* SPDX-License-Identifier: Apache-2.0 */
/* What kernels have beyond the defaults: cuCtxSetLimit. */
#include <inttypes.h>
#include <stdlib.h>

#include "executor/executor.h"
#include "executor/heap.h"
#include "interp/interp.h"
#include "ring_commands.h"
#include "ring_decode.h"

uint32_t vgx_cmd_heap_place(void *executor, const struct vgpu_cmd_heap_place *c)
{
    struct vgx *x = executor;
    struct vgx_heap *heap;

    if (x->heap_used)
        return CU_INVALID_VALUE;
    if (c->size < VGX_HEAP_SIZE || c->size > VGX_HEAP_MAX || (c->size & (c->size - 1)) || c->va % 16 ||
        c->va >= VGPU_IMAGE_BASE || !vgx_range_mapped(x, c->va, c->size))
        return CU_INVALID_VALUE;
    heap = vgx_heap_new(c->va, c->size);
    if (!heap)
        return CU_OUT_OF_MEMORY;
    free(x->heap);
    x->heap = heap;
    return CU_OK;
}

/* A kernel's stack is laid out when it is lowered, at its first launch: those with less are lowered again at their next one. */
uint32_t vgx_cmd_stack_size(void *executor, const struct vgpu_cmd_stack_size *c)
{
    struct vgx *x = executor;
    GHashTableIter it;
    gpointer value;

    if (c->bytes > INTERP_MAX_STACK)
        return CU_INVALID_VALUE;
    interp_set_stack(c->bytes);
    g_hash_table_iter_init(&it, x->functions);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        struct vgx_function *f = value;

        if (!f->kernel || !interp_kernel_stack(f->kernel) || interp_kernel_stack(f->kernel) >= c->bytes)
            continue;
        vgx_engine_forget(&f->engine);
        interp_kernel_free(f->kernel);
        f->kernel = NULL;
    }
    return CU_OK;
}
