/* SPDX-License-Identifier: Apache-2.0 */
/* Address ranges: the table of what lies where, and where there is room. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "channel/hooks.h"
#include "channel/mem.h"

size_t vgpu_range_index(const struct vgpu_memory *memory, uint64_t va)
{
    size_t low = 0, high = memory->range_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memory->ranges[middle]->va + memory->ranges[middle]->size <= va)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct vgpu_range *vgpu_range_at(struct vgpu_memory *memory, uint64_t va)
{
    size_t i = vgpu_range_index(memory, va);

    return i < memory->range_count && memory->ranges[i]->va <= va ? memory->ranges[i] : NULL;
}

/* The first free stretch at or above FROM that ends below END. */
static bool place_from(const struct vgpu_memory *memory, uint64_t from, uint64_t end, uint64_t size, uint64_t *va)
{
    for (size_t i = vgpu_range_index(memory, from);; i++) {
        uint64_t until = i < memory->range_count && memory->ranges[i]->va < end ? memory->ranges[i]->va : end;
        if (until > from && until - from >= size) {
            *va = from;
            return true;
        }
        if (until == end)
            return false;
        from = memory->ranges[i]->va + memory->ranges[i]->size;
    }
}

/* Addresses are handed out in turn, so that one just freed is not soon another allocation's. */
int vgpu_range_place(struct vgpu_memory *memory, uint64_t size, uint64_t *va)
{
    if (size > VGPU_RESERVE_BASE - VGPU_HEAP_BASE)
        return VGPU_ERROR_OUT_OF_MEMORY;
    if (!place_from(memory, memory->cursor, VGPU_RESERVE_BASE, size, va) &&
        !place_from(memory, VGPU_HEAP_BASE, VGPU_RESERVE_BASE, size, va))
        return VGPU_ERROR_OUT_OF_MEMORY;
    memory->cursor = *va + size;
    return 0;
}

int vgpu_range_insert(struct vgpu_memory *memory, struct vgpu_range *range)
{
    if (memory->range_count == memory->range_room) {
        size_t room = memory->range_room ? memory->range_room * 2 : 64;
        struct vgpu_range **grown = realloc(memory->ranges, room * sizeof *grown);
        if (!grown)
            return VGPU_ERROR_OUT_OF_MEMORY;
        memory->ranges = grown;
        memory->range_room = room;
    }
    size_t i = vgpu_range_index(memory, range->va);
    memmove(memory->ranges + i + 1, memory->ranges + i, (memory->range_count - i) * sizeof *memory->ranges);
    memory->ranges[i] = range;
    memory->range_count++;
    memory->registered += range->kind == VGPU_RANGE_REGISTERED;
    return 0;
}

void vgpu_range_remove(struct vgpu_memory *memory, struct vgpu_range *range)
{
    size_t i = vgpu_range_index(memory, range->va);

    memory->range_count--;
    memory->registered -= range->kind == VGPU_RANGE_REGISTERED;
    memmove(memory->ranges + i, memory->ranges + i + 1, (memory->range_count - i) * sizeof *memory->ranges);
}

int vgpu_range_show(struct vgpu_memory *memory, const struct vgpu_range *range)
{
    uint64_t va = range->va;
    int status = 0;

    for (unsigned i = 0; !status && i < range->phys->count; i++) {
        struct vgpu_cmd_mem_map command = {
            .va = va,
            .offset = range->phys->pieces[i].offset,
            .size = range->phys->pieces[i].size,
            .flags = range->readonly,
        };
        status = vgpu_submit(memory->channel, VGPU_CMD_MEM_MAP, &command, sizeof command, NULL, 0, NULL);
        va += command.size;
    }
    return status;
}

int vgpu_range_hide(struct vgpu_memory *memory, const struct vgpu_range *range)
{
    struct vgpu_cmd_mem_unmap command = {range->va, range->size};

    return vgpu_submit(memory->channel, VGPU_CMD_MEM_UNMAP, &command, sizeof command, NULL, 0, NULL);
}

int vgpu_range_create(struct vgpu_memory *memory, uint64_t bytes, enum vgpu_range_kind kind, uint32_t flags, void *owner,
                      struct vgpu_range **result)
{
    struct vgpu_range *range = calloc(1, sizeof *range);

    if (!range)
        return VGPU_ERROR_OUT_OF_MEMORY;
    *range = (struct vgpu_range){.bytes = bytes, .size = vgpu_round_up(bytes, VGPU_GRANULE), .kind = kind, .flags = flags,
                                 .owner = owner, .id = memory->next_id++, .accessible = true};
    int status = vgpu_range_place(memory, range->size, &range->va);
    if (!status)
        status = vgpu_phys_alloc(memory, range->size, &range->phys);
    if (!status && (status = vgpu_range_insert(memory, range)))
        vgpu_phys_release(memory, range->phys);
    if (status) {
        free(range);
        return status;
    }
    status = vgpu_range_show(memory, range);
    if (!status && (kind == VGPU_RANGE_HOST || kind == VGPU_RANGE_MANAGED)) {
        range->host = (void *)(uintptr_t)range->va;
        range->host_size = range->size;
        status = vgpu_range_map_host(memory, range, range->host, range->size, false);
        if (status)
            range->host = NULL;
    }
    if (status)
        vgpu_range_destroy(memory, range);
    else
        *result = range;
    return status;
}

void vgpu_range_destroy(struct vgpu_memory *memory, struct vgpu_range *range)
{
    if (range->host && range->kind != VGPU_RANGE_REGISTERED)
        munmap(range->host, range->host_size);
    if (range->accessible)
        vgpu_range_hide(memory, range);
    vgpu_range_remove(memory, range);
    vgpu_phys_release(memory, range->phys);
    free(range);
}
