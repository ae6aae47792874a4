/* SPDX-License-Identifier: Apache-2.0 */
/* Physical memory: extents that the host granted, cut into granules. */
#include <stdlib.h>
#include <string.h>

#include "channel/hooks.h"
#include "channel/mem.h"

/* One extent stays granted while empty, so that a program that allocates and frees in turn asks once. */
enum { EMPTY_KEPT = 1 };

struct vgpu_extent {
    uint64_t offset, granules, used;
    uint64_t bits[]; /* set: taken */
};

static bool taken(const struct vgpu_extent *extent, uint64_t granule)
{
    return extent->bits[granule / 64] >> granule % 64 & 1;
}

static void mark(struct vgpu_extent *extent, uint64_t first, uint64_t count, bool take)
{
    for (uint64_t i = first; i < first + count; i++) {
        if (take)
            extent->bits[i / 64] |= UINT64_C(1) << i % 64;
        else
            extent->bits[i / 64] &= ~(UINT64_C(1) << i % 64);
    }
    extent->used += take ? count : -count;
}

static uint64_t free_granules(const struct vgpu_memory *memory)
{
    uint64_t count = 0;

    for (size_t i = 0; i < memory->extent_count; i++)
        count += memory->extents[i]->granules - memory->extents[i]->used;
    return count;
}

uint64_t vgpu_memory_slack(struct vgpu_memory *memory)
{
    pthread_mutex_lock(&memory->lock);
    uint64_t granules = free_granules(memory);
    pthread_mutex_unlock(&memory->lock);
    return granules * VGPU_GRANULE;
}

static int grant(struct vgpu_memory *memory, uint64_t size)
{
    struct vgpu_cmd_grant command = {.size = size};
    struct vgpu_reply_grant got;
    struct vgpu_call_reply reply = {.fixed = &got, .fixed_size = sizeof got};
    int status = vgpu_call(memory->channel, VGPU_CMD_GRANT, &command, sizeof command, NULL, 0, &reply);

    if (status)
        return status;
    uint64_t bar2 = memory->channel->device->bar2_size;
    if (got.size < size || got.offset % VGPU_GRANULE || got.size % VGPU_GRANULE || got.offset < VGPU_MEMORY_OFFSET ||
        got.offset > bar2 || got.size > bar2 - got.offset)
        return vgpu_channel_fail(memory->channel, VGPU_ERROR_UNKNOWN, "the host granted memory that cannot be");
    uint64_t granules = got.size / VGPU_GRANULE;
    struct vgpu_extent *extent = calloc(1, sizeof *extent + (granules + 63) / 64 * 8);
    struct vgpu_extent **extents = realloc(memory->extents, (memory->extent_count + 1) * sizeof *extents);
    if (extents)
        memory->extents = extents;
    if (!extent || !extents) {
        struct vgpu_cmd_ungrant back = {got.offset, got.size};
        vgpu_submit(memory->channel, VGPU_CMD_UNGRANT, &back, sizeof back, NULL, 0, NULL);
        free(extent);
        return VGPU_ERROR_OUT_OF_MEMORY;
    }
    extent->offset = got.offset;
    extent->granules = granules;
    memory->extents[memory->extent_count++] = extent;
    return 0;
}

/* Asks for what is missing; when the host has no extent that long, for shorter ones. */
static int ensure(struct vgpu_memory *memory, uint64_t granules)
{
    uint64_t ask = UINT64_MAX;

    for (;;) {
        uint64_t have = free_granules(memory);
        if (have >= granules)
            return 0;
        uint64_t missing = vgpu_round_up((granules - have) * VGPU_GRANULE, VGPU_EXTENT);
        if (ask > missing)
            ask = missing;
        int status = grant(memory, ask);
        if (!status)
            continue;
        if (status != VGPU_ERROR_OUT_OF_MEMORY || ask <= VGPU_EXTENT)
            return status;
        ask = vgpu_round_up(ask / 2, VGPU_EXTENT);
    }
}

/* Empty extents go back, but for EMPTY_KEPT. */
static void trim(struct vgpu_memory *memory)
{
    size_t kept = 0, out = 0;

    for (size_t i = 0; i < memory->extent_count; i++) {
        struct vgpu_extent *extent = memory->extents[i];
        if (extent->used || (extent->granules * VGPU_GRANULE <= VGPU_EXTENT && kept++ < EMPTY_KEPT)) {
            memory->extents[out++] = extent;
            continue;
        }
        struct vgpu_cmd_ungrant back = {extent->offset, extent->granules * VGPU_GRANULE};
        vgpu_view_drop(memory, back.offset, back.size);
        vgpu_submit(memory->channel, VGPU_CMD_UNGRANT, &back, sizeof back, NULL, 0, &memory->returned);
        free(extent);
    }
    memory->extent_count = out;
}

/* The first run of free granules from START on; its length, at most MOST. */
static uint64_t next_run(const struct vgpu_extent *extent, uint64_t *start, uint64_t most)
{
    uint64_t at = *start, length = 0;

    while (at < extent->granules && taken(extent, at))
        at++;
    while (length < most && at + length < extent->granules && !taken(extent, at + length))
        length++;
    *start = at;
    return length;
}

static bool add_piece(struct vgpu_phys **phys, struct vgpu_extent *extent, uint64_t first, uint64_t count)
{
    struct vgpu_phys *grown = realloc(*phys, sizeof *grown + ((*phys)->count + 1) * sizeof grown->pieces[0]);

    if (!grown)
        return false;
    *phys = grown;
    grown->pieces[grown->count++] = (struct vgpu_piece){extent->offset + first * VGPU_GRANULE, count * VGPU_GRANULE};
    grown->size += count * VGPU_GRANULE;
    mark(extent, first, count, true);
    return true;
}

/* Takes runs of at least LEAST granules until LEFT is 0. */
static bool take_runs(struct vgpu_memory *memory, struct vgpu_phys **phys, uint64_t *left, uint64_t least)
{
    for (size_t i = 0; i < memory->extent_count && *left; i++) {
        struct vgpu_extent *extent = memory->extents[i];
        if (extent->granules - extent->used < least)
            continue;
        for (uint64_t at = 0, length; *left && (length = next_run(extent, &at, *left)); at += length) {
            if (length < least)
                continue;
            if (!add_piece(phys, extent, at, length))
                return false;
            *left -= length;
        }
    }
    return true;
}

int vgpu_phys_alloc(struct vgpu_memory *memory, uint64_t size, struct vgpu_phys **result)
{
    uint64_t left = vgpu_round_up(size, VGPU_GRANULE) / VGPU_GRANULE;

    if (!left || left > memory->channel->device->bar2_size / VGPU_GRANULE)
        return VGPU_ERROR_OUT_OF_MEMORY;
    int status = ensure(memory, left);
    if (status) {
        trim(memory);
        return status;
    }
    struct vgpu_phys *phys = calloc(1, sizeof *phys + sizeof phys->pieces[0]);
    if (!phys)
        return VGPU_ERROR_OUT_OF_MEMORY;
    phys->refs = 1;
    /* In one piece where possible, else in whatever there is. */
    if (!take_runs(memory, &phys, &left, left) || !take_runs(memory, &phys, &left, 1) || left) {
        vgpu_phys_release(memory, phys);
        return VGPU_ERROR_OUT_OF_MEMORY;
    }
    *result = phys;
    return 0;
}

static struct vgpu_extent *extent_of(struct vgpu_memory *memory, uint64_t offset)
{
    for (size_t i = 0; i < memory->extent_count; i++) {
        struct vgpu_extent *extent = memory->extents[i];
        if (offset >= extent->offset && offset - extent->offset < extent->granules * VGPU_GRANULE)
            return extent;
    }
    return NULL;
}

void vgpu_phys_release(struct vgpu_memory *memory, struct vgpu_phys *phys)
{
    if (--phys->refs)
        return;
    for (unsigned i = 0; i < phys->count; i++) {
        const struct vgpu_piece *piece = &phys->pieces[i];
        struct vgpu_extent *extent = extent_of(memory, piece->offset);
        struct vgpu_cmd_mem_discard command = {piece->offset, piece->size};
        vgpu_submit(memory->channel, VGPU_CMD_MEM_DISCARD, &command, sizeof command, NULL, 0, NULL);
        mark(extent, (piece->offset - extent->offset) / VGPU_GRANULE, piece->size / VGPU_GRANULE, false);
    }
    free(phys);
    trim(memory);
}

int vgpu_phys_create(struct vgpu_memory *memory, uint64_t size, struct vgpu_phys **phys)
{
    pthread_mutex_lock(&memory->lock);
    int status = vgpu_phys_alloc(memory, size, phys);
    pthread_mutex_unlock(&memory->lock);
    return status;
}

void vgpu_phys_drop(struct vgpu_memory *memory, struct vgpu_phys *phys)
{
    pthread_mutex_lock(&memory->lock);
    vgpu_phys_release(memory, phys);
    pthread_mutex_unlock(&memory->lock);
}
