/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations of addresses, and memory mapped into them. */
#include <stdlib.h>
#include <string.h>

#include "channel/mem.h"

/* Of the first reservation that ends above VA. */
static size_t reservation_index(const struct vgpu_memory *memory, uint64_t va)
{
    size_t i = 0;

    while (i < memory->reservation_count && memory->reservations[i].offset + memory->reservations[i].size <= va)
        i++;
    return i;
}

static bool is_free(const struct vgpu_memory *memory, uint64_t va, uint64_t size)
{
    size_t i = reservation_index(memory, va);

    return va >= VGPU_RESERVE_BASE && va < VGPU_SCRATCH_BASE && size <= VGPU_SCRATCH_BASE - va &&
           (i == memory->reservation_count || memory->reservations[i].offset >= va + size);
}

static bool place(const struct vgpu_memory *memory, uint64_t from, uint64_t size, uint64_t alignment, uint64_t *va)
{
    for (size_t i = reservation_index(memory, from);; i++) {
        uint64_t at = vgpu_round_up(from, alignment);
        if (is_free(memory, at, size)) {
            *va = at;
            return true;
        }
        if (i >= memory->reservation_count)
            return false;
        from = memory->reservations[i].offset + memory->reservations[i].size;
    }
}

int vgpu_memory_reserve(struct vgpu_memory *memory, uint64_t size, uint64_t alignment, uint64_t wanted, uint64_t *va)
{
    int status = 0;

    if (!alignment)
        alignment = VGPU_GRANULE;
    if (!size || size % VGPU_GRANULE || (alignment & (alignment - 1)))
        return VGPU_ERROR_INVALID_VALUE;
    if (size > VGPU_SCRATCH_BASE - VGPU_RESERVE_BASE || alignment > VGPU_TIB)
        return VGPU_ERROR_OUT_OF_MEMORY;
    if (alignment < VGPU_GRANULE)
        alignment = VGPU_GRANULE;
    pthread_mutex_lock(&memory->lock);
    if (wanted && wanted % alignment == 0 && is_free(memory, wanted, size))
        *va = wanted; /* the caller's address is a wish, not an order */
    else if (!place(memory, memory->reserve_cursor, size, alignment, va) &&
             !place(memory, VGPU_RESERVE_BASE, size, alignment, va))
        status = VGPU_ERROR_OUT_OF_MEMORY;
    if (!status && memory->reservation_count == memory->reservation_room) {
        size_t room = memory->reservation_room ? memory->reservation_room * 2 : 16;
        struct vgpu_piece *grown = realloc(memory->reservations, room * sizeof *grown);
        if (grown) {
            memory->reservations = grown;
            memory->reservation_room = room;
        } else {
            status = VGPU_ERROR_OUT_OF_MEMORY;
        }
    }
    if (!status) {
        size_t i = reservation_index(memory, *va);
        memmove(memory->reservations + i + 1, memory->reservations + i,
                (memory->reservation_count++ - i) * sizeof *memory->reservations);
        memory->reservations[i] = (struct vgpu_piece){*va, size};
        memory->reserve_cursor = *va + size;
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

/* A range overlaps [va, va + size). */
static bool occupied(const struct vgpu_memory *memory, uint64_t va, uint64_t size)
{
    size_t i = vgpu_range_index(memory, va);

    return i < memory->range_count && memory->ranges[i]->va < va + size;
}

int vgpu_memory_unreserve(struct vgpu_memory *memory, uint64_t va, uint64_t size)
{
    int status = VGPU_ERROR_INVALID_VALUE;

    pthread_mutex_lock(&memory->lock);
    size_t i = reservation_index(memory, va);
    if (i < memory->reservation_count && memory->reservations[i].offset == va && memory->reservations[i].size == size &&
        !occupied(memory, va, size)) {
        memory->reservation_count--;
        memmove(memory->reservations + i, memory->reservations + i + 1,
                (memory->reservation_count - i) * sizeof *memory->reservations);
        status = 0;
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

int vgpu_memory_map(struct vgpu_memory *memory, uint64_t va, uint64_t size, struct vgpu_phys *phys, void *owner)
{
    int status = VGPU_ERROR_INVALID_VALUE;

    pthread_mutex_lock(&memory->lock);
    size_t i = reservation_index(memory, va);
    const struct vgpu_piece *reservation = i < memory->reservation_count ? &memory->reservations[i] : NULL;
    if (reservation && va >= reservation->offset && va % VGPU_GRANULE == 0 && size && size == phys->size &&
        size <= reservation->offset + reservation->size - va && !occupied(memory, va, size)) {
        struct vgpu_range *range = calloc(1, sizeof *range);
        status = VGPU_ERROR_OUT_OF_MEMORY;
        if (range) {
            *range = (struct vgpu_range){.va = va, .size = size, .bytes = size, .kind = VGPU_RANGE_MAPPED, .owner = owner,
                                         .id = memory->next_id++, .phys = phys};
            status = vgpu_range_insert(memory, range);
        }
        if (status)
            free(range);
        else
            phys->refs++;
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

/* The mapped ranges that make up exactly [va, va + size): index of the first and their number; 0: they do not. */
static size_t exact_ranges(const struct vgpu_memory *memory, uint64_t va, uint64_t size, size_t *first)
{
    size_t count = 0;
    uint64_t at = va;

    *first = vgpu_range_index(memory, va);
    for (size_t i = *first; i < memory->range_count && at < va + size; i++) {
        const struct vgpu_range *range = memory->ranges[i];
        if (range->va != at || range->kind != VGPU_RANGE_MAPPED)
            return 0;
        at += range->size;
        count++;
    }
    return at == va + size ? count : 0;
}

int vgpu_memory_unmap(struct vgpu_memory *memory, uint64_t va, uint64_t size)
{
    size_t first;

    pthread_mutex_lock(&memory->lock);
    size_t count = exact_ranges(memory, va, size, &first);
    for (size_t i = count; i-- > 0;)
        vgpu_range_destroy(memory, memory->ranges[first + i]);
    pthread_mutex_unlock(&memory->lock);
    return count ? 0 : VGPU_ERROR_INVALID_VALUE;
}

int vgpu_memory_access(struct vgpu_memory *memory, uint64_t va, uint64_t size, enum vgpu_access access)
{
    size_t first;
    int status = 0;

    pthread_mutex_lock(&memory->lock);
    size_t count = exact_ranges(memory, va, size, &first);
    if (!count)
        status = VGPU_ERROR_INVALID_VALUE;
    for (size_t i = first; !status && i < first + count; i++) {
        struct vgpu_range *range = memory->ranges[i];
        bool accessible = access != VGPU_ACCESS_NONE, readonly = access == VGPU_ACCESS_READ;
        if (range->accessible == accessible && range->readonly == readonly)
            continue;
        if (range->accessible)
            status = vgpu_range_hide(memory, range);
        range->accessible = accessible;
        range->readonly = readonly;
        if (!status && accessible)
            status = vgpu_range_show(memory, range);
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

struct vgpu_phys *vgpu_memory_phys_at(struct vgpu_memory *memory, uint64_t va)
{
    pthread_mutex_lock(&memory->lock);
    struct vgpu_range *range = vgpu_range_at(memory, va);
    struct vgpu_phys *phys = range && range->kind == VGPU_RANGE_MAPPED ? range->phys : NULL;
    if (phys)
        phys->refs++;
    pthread_mutex_unlock(&memory->lock);
    return phys;
}
