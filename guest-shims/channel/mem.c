/* SPDX-License-Identifier: Apache-2.0 */
/* Allocating, freeing, looking up. */
#include "channel/mem.h"

#include <stdlib.h>
#include <string.h>

int vgpu_memory_init(struct vgpu_memory *memory, struct vgpu_channel *channel)
{
    *memory = (struct vgpu_memory){
        .channel = channel,
        .cursor = VGPU_HEAP_BASE,
        .reserve_cursor = VGPU_RESERVE_BASE,
        .next_id = 1,
        .view_count = channel->device->bar2_size / VGPU_EXTENT,
    };
    pthread_mutex_init(&memory->lock, NULL);
    memory->views = calloc(memory->view_count, sizeof *memory->views);
    return memory->views ? 0 : VGPU_ERROR_OUT_OF_MEMORY;
}

void vgpu_memory_destroy(struct vgpu_memory *memory)
{
    while (memory->range_count) {
        struct vgpu_range *range = memory->ranges[memory->range_count - 1];
        if (range->kind == VGPU_RANGE_REGISTERED && !vgpu_memory_unregister(memory, range->host))
            continue;
        if (range->slab)
            vgpu_slab_destroy(memory, range);
        else
            vgpu_range_destroy(memory, range);
    }
    vgpu_view_drop(memory, 0, memory->view_count * VGPU_EXTENT);
    for (size_t i = 0; i < memory->extent_count; i++)
        free(memory->extents[i]);
    free(memory->extents);
    free(memory->ranges);
    free(memory->reservations);
    free(memory->views);
    memset(memory, 0, sizeof *memory);
}

int vgpu_memory_alloc(struct vgpu_memory *memory, uint64_t bytes, enum vgpu_range_kind kind, uint32_t flags, void *owner,
                      uint64_t *va)
{
    struct vgpu_range *range;
    int status;

    if (!bytes)
        return VGPU_ERROR_INVALID_VALUE;
    if (bytes > VGPU_RESERVE_BASE - VGPU_HEAP_BASE)
        return VGPU_ERROR_OUT_OF_MEMORY;
    pthread_mutex_lock(&memory->lock);
    if (bytes <= VGPU_SLAB_MAX) {
        status = vgpu_slab_alloc(memory, bytes, kind, flags, owner, va);
    } else {
        status = vgpu_range_create(memory, bytes, kind, flags, owner, &range);
        if (!status)
            *va = range->va;
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

int vgpu_memory_free(struct vgpu_memory *memory, uint64_t va, unsigned kinds)
{
    int status = VGPU_ERROR_INVALID_VALUE;

    pthread_mutex_lock(&memory->lock);
    struct vgpu_range *range = vgpu_range_at(memory, va);
    if (range && (kinds >> range->kind & 1)) {
        if (range->slab) {
            status = vgpu_slab_free(memory, range, va);
        } else if (range->va == va) {
            vgpu_range_destroy(memory, range);
            status = 0;
        }
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

void vgpu_memory_free_owner(struct vgpu_memory *memory, void *owner)
{
    void *registered = NULL;

    pthread_mutex_lock(&memory->lock);
    for (size_t i = memory->range_count; i-- > 0;) {
        struct vgpu_range *range = memory->ranges[i];
        if (range->owner != owner)
            continue;
        if (range->kind == VGPU_RANGE_REGISTERED)
            registered = range->host;
        else if (range->slab)
            vgpu_slab_destroy(memory, range);
        else
            vgpu_range_destroy(memory, range);
    }
    pthread_mutex_unlock(&memory->lock);
    if (registered && !vgpu_memory_unregister(memory, registered))
        vgpu_memory_free_owner(memory, owner);
}

bool vgpu_memory_find(struct vgpu_memory *memory, uint64_t va, struct vgpu_allocation *allocation)
{
    pthread_mutex_lock(&memory->lock);
    struct vgpu_range *range = vgpu_range_at(memory, va);
    bool found = range != NULL;
    if (found) {
        *allocation = (struct vgpu_allocation){
            .va = range->va, .bytes = range->bytes, .id = range->id, .kind = range->kind, .flags = range->flags,
            .owner = range->owner, .accessible = range->accessible, .readonly = range->readonly,
        };
        if (range->slab)
            found = vgpu_slab_slot(range, va, &allocation->va, &allocation->bytes, &allocation->id);
        if (range->host)
            allocation->host = (char *)range->host + (allocation->va - range->va);
    }
    pthread_mutex_unlock(&memory->lock);
    return found && va - allocation->va < allocation->bytes;
}

bool vgpu_memory_of_host(struct vgpu_memory *memory, const void *host, uint64_t *va)
{
    uint64_t address = (uintptr_t)host;
    bool found = false;

    pthread_mutex_lock(&memory->lock);
    if (address >= VGPU_WINDOW_BASE && address < VGPU_WINDOW_END) {
        struct vgpu_range *range = vgpu_range_at(memory, address);
        found = range && range->host;
        *va = address;
    }
    for (size_t i = 0; !found && memory->registered && i < memory->range_count; i++) {
        const struct vgpu_range *range = memory->ranges[i];
        if (range->kind != VGPU_RANGE_REGISTERED || address < (uintptr_t)range->host ||
            address - (uintptr_t)range->host >= range->host_size)
            continue;
        *va = range->va + (address - (uintptr_t)range->host);
        found = true;
    }
    pthread_mutex_unlock(&memory->lock);
    return found;
}
