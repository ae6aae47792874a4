/* SPDX-License-Identifier: Apache-2.0 */
/* Large pages for device memory. By most hosts' policy shared memory has none: it is taken in pages of 4 KiB as these are touched, and
 * code that streams through it spends much of its time on finding them. So where a granule is about to be filled it is made one
 * large page first, by MADV_COLLAPSE (Linux 6.1), which is under no such policy; to fill it takes a fraction of the time, too.
 * Where the host has no large pages to give, small ones do. */
#include <errno.h>
#include <sys/mman.h>

#include "executor/executor.h"
#include "interp/window.h"
#include "ring_commands.h"
#include "ring_decode.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define SHARE 8       /* of a granule: what is written at once is at least a part this small of the memory it takes */
#define REFUSALS 16   /* then the host is asked no more: memory is short, or its kernel is older */

static void make_large(struct vgx *x, uint64_t granule)
{
    /* There must be something to collapse. */
    if (window_readable(granule, 1) && madvise((void *)(uintptr_t)granule, VGPU_GRANULE, MADV_COLLAPSE))
        x->large_refused++;
}

void vgx_pages_expect(struct vgx *x, uint64_t va, uint64_t n)
{
    if (n < VGPU_GRANULE / SHARE || !window_contains(va, n) || va < VGPU_HEAP_BASE || va + n > VGPU_SCRATCH_BASE)
        return;
    for (uint64_t granule = va - va % VGPU_GRANULE; granule < va + n && x->large_refused < REFUSALS; granule += VGPU_GRANULE)
        if (MIN(granule + VGPU_GRANULE, va + n) - MAX(granule, va) >= VGPU_GRANULE / SHARE)
            make_large(x, granule);
}

uint32_t vgx_cmd_mem_expect(void *executor, const struct vgpu_cmd_mem_expect *c)
{
    struct vgx *x = executor;

    if (!c->size || c->va < VGPU_HEAP_BASE || c->va >= VGPU_SCRATCH_BASE || !vgx_range_mapped(x, c->va, c->size))
        return vgx_fail(x, CU_INVALID_VALUE, "the guest expects to write memory that is not mapped");
    vgx_pages_expect(x, c->va, c->size);
    return CU_OK;
}
