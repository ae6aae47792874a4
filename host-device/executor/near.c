/* SPDX-License-Identifier: Apache-2.0 */
/* What a bad address is near to, in words: the executor knows what is mapped, not what the guest's library made of it. */
#include <inttypes.h>
#include <stdio.h>

#include "executor/executor.h"

#define NEAR VGPU_GIB /* further away from everything, an address is just wild */

void vgx_note_unmapped(struct vgx *x, uint64_t va, uint64_t size)
{
    x->unmapped[x->n_unmapped++ % G_N_ELEMENTS(x->unmapped)] = (struct vgx_mapping){ va, size, 0 };
}

static bool was_unmapped(const struct vgx *x, uint64_t va)
{
    for (guint i = 0; i < G_N_ELEMENTS(x->unmapped); i++)
        if (va - x->unmapped[i].va < x->unmapped[i].size)
            return true;
    return false;
}

static size_t tell_mappings(const struct vgx *x, uint64_t va, char *text, size_t room)
{
    const struct vgx_mapping *below = NULL, *above = NULL;
    int n = 0;

    for (guint i = 0; i < x->mappings->len; i++) {
        const struct vgx_mapping *m = &g_array_index(x->mappings, struct vgx_mapping, i);

        if (m->va <= va)
            below = m;
        else if (!above)
            above = m;
    }
    if (below && va - below->va < below->size)
        return 0;
    if (below && va - (below->va + below->size) < NEAR)
        n = snprintf(text, room, "%" PRIu64 " bytes past the end of the memory at %#" PRIx64 " of %" PRIu64 " MiB",
                     va - (below->va + below->size), below->va, below->size / VGPU_MIB);
    else if (above && above->va - va < NEAR)
        n = snprintf(text, room, "%" PRIu64 " bytes before the memory at %#" PRIx64, above->va - va, above->va);
    else
        n = snprintf(text, room, "no device memory is near");
    return n < 0 ? 0 : (size_t)n;
}

size_t vgx_tell_near(struct vgx *x, uint64_t va, char *text, size_t room)
{
    const char *what = NULL;
    int n;

    if (va < VGPU_WINDOW_GUARD)
        what = "a null pointer";
    else if (va - VGPU_WINDOW_BASE >= VGPU_WINDOW_SIZE)
        what = "not a device pointer";
    else if (va >= VGPU_IMAGE_BASE)
        what = "beyond the module's variables";
    else if (va >= VGPU_SCRATCH_BASE)
        what = "shared or local memory of no running block";
    else if (was_unmapped(x, va) && !vgx_range_mapped(x, va, 1))
        what = "memory that has been freed";
    if (!what)
        return tell_mappings(x, va, text, room);
    n = snprintf(text, room, "%s", what);
    return n < 0 ? 0 : (size_t)n;
}
