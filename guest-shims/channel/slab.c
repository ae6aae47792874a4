/* SPDX-License-Identifier: Apache-2.0 */
/* Small allocations: slots of equal size in one granule. Sizes are 256, 512, 768, 1024, 1536, 2048, 3072 ... so that every slot
 * is 256-byte aligned and at most half is lost. */
#include <stdlib.h>

#include "channel/mem.h"

struct vgpu_slab {
    struct vgpu_slab *next, **link; /* among those of its class with a free slot; link is NULL while full */
    struct vgpu_range *range;
    unsigned class;
    uint32_t slot, count, used, hint;
    uint64_t first_id;
    uint32_t *bytes; /* a slot's size as asked for; 0: free */
};

static uint32_t class_size(unsigned class)
{
    return class < 2 ? 256u << class : (class % 2 ? 512u : 768u) << ((class - 2) / 2 + class % 2);
}

static void unlink_slab(struct vgpu_slab *slab)
{
    *slab->link = slab->next;
    if (slab->next)
        slab->next->link = slab->link;
    slab->link = NULL;
}

static void link_slab(struct vgpu_memory *memory, struct vgpu_slab *slab)
{
    struct vgpu_slab **head = &memory->slabs[slab->range->kind][slab->class];

    slab->next = *head;
    slab->link = head;
    if (slab->next)
        slab->next->link = &slab->next;
    *head = slab;
}

static int new_slab(struct vgpu_memory *memory, unsigned class, enum vgpu_range_kind kind, uint32_t flags, void *owner,
                    struct vgpu_slab **result)
{
    uint32_t count = (uint32_t)(VGPU_GRANULE / class_size(class));
    struct vgpu_slab *slab = calloc(1, sizeof *slab);
    uint32_t *bytes = calloc(count, sizeof *bytes);
    int status = slab && bytes ? 0 : VGPU_ERROR_OUT_OF_MEMORY;

    if (!status)
        status = vgpu_range_create(memory, VGPU_GRANULE, kind, flags, owner, &slab->range);
    if (status) {
        free(slab);
        free(bytes);
        return status;
    }
    slab->class = class;
    slab->slot = class_size(class);
    slab->count = count;
    slab->bytes = bytes;
    slab->first_id = memory->next_id;
    memory->next_id += count;
    slab->range->slab = slab;
    link_slab(memory, slab);
    *result = slab;
    return 0;
}

int vgpu_slab_alloc(struct vgpu_memory *memory, uint64_t bytes, enum vgpu_range_kind kind, uint32_t flags, void *owner,
                    uint64_t *va)
{
    unsigned class = 0;

    while (class_size(class) < bytes)
        class++;
    struct vgpu_slab *slab = memory->slabs[kind][class];
    while (slab && (slab->range->flags != flags || slab->range->owner != owner))
        slab = slab->next;
    if (!slab) {
        int status = new_slab(memory, class, kind, flags, owner, &slab);
        if (status)
            return status;
    }
    while (slab->bytes[slab->hint])
        slab->hint = (slab->hint + 1) % slab->count;
    uint32_t i = slab->hint;
    slab->hint = (i + 1) % slab->count;
    slab->bytes[i] = (uint32_t)bytes;
    if (++slab->used == slab->count)
        unlink_slab(slab);
    *va = slab->range->va + (uint64_t)i * slab->slot;
    return 0;
}

bool vgpu_slab_slot(const struct vgpu_range *range, uint64_t va, uint64_t *base, uint64_t *bytes, uint64_t *id)
{
    const struct vgpu_slab *slab = range->slab;
    uint64_t i = (va - range->va) / slab->slot;

    if (i >= slab->count || !slab->bytes[i])
        return false;
    *base = range->va + i * slab->slot;
    *bytes = slab->bytes[i];
    *id = slab->first_id + i;
    return true;
}

void vgpu_slab_destroy(struct vgpu_memory *memory, struct vgpu_range *range)
{
    struct vgpu_slab *slab = range->slab;

    if (slab->link)
        unlink_slab(slab);
    vgpu_range_destroy(memory, range);
    free(slab->bytes);
    free(slab);
}

int vgpu_slab_free(struct vgpu_memory *memory, struct vgpu_range *range, uint64_t va)
{
    struct vgpu_slab *slab = range->slab;
    uint64_t base, bytes, id;

    if (!vgpu_slab_slot(range, va, &base, &bytes, &id) || base != va)
        return VGPU_ERROR_INVALID_VALUE;
    slab->bytes[(va - range->va) / slab->slot] = 0;
    slab->used--;
    if (!slab->link)
        link_slab(memory, slab);
    if (!slab->used)
        vgpu_slab_destroy(memory, range); /* unmapped, so that a stale pointer faults */
    return 0;
}
