/* SPDX-License-Identifier: Apache-2.0 */
/* How the CPU reaches device memory: BAR2, mapped in pieces of VGPU_EXTENT when first touched. Mapping a PCI resource fills
 * all of its page tables at once, so the whole BAR is never mapped. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "channel/hooks.h"
#include "channel/mem.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* At a whole granule: or what is a large page for the host is none here. */
static void *map_extent(int fd, uint64_t offset)
{
    char *room = mmap(NULL, VGPU_EXTENT + VGPU_GRANULE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED)
        return MAP_FAILED;
    uint64_t before = -(uintptr_t)room % VGPU_GRANULE;
    void *view = mmap(room + before, VGPU_EXTENT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, (off_t)offset);
    int error = errno;
    if (before || view == MAP_FAILED)
        munmap(room, view == MAP_FAILED ? VGPU_EXTENT + VGPU_GRANULE : before);
    if (view != MAP_FAILED)
        munmap(room + before + VGPU_EXTENT, VGPU_GRANULE - before);
    errno = error;
    return view;
}

uint8_t *vgpu_view(struct vgpu_memory *memory, uint64_t offset)
{
    uint64_t i = offset / VGPU_EXTENT;

    if (i >= memory->view_count)
        return NULL;
    if (!memory->views[i]) {
        void *view = map_extent(memory->channel->device->bar2_fd, i * VGPU_EXTENT);
        if (view == MAP_FAILED) {
            vgpu_log(VGPU_LOG_ERROR, "mapping device memory at %#llx: %m", (unsigned long long)(i * VGPU_EXTENT));
            return NULL;
        }
        madvise(view, VGPU_EXTENT, MADV_DONTFORK);
        memory->views[i] = view;
    }
    return memory->views[i] + offset % VGPU_EXTENT;
}

void vgpu_view_drop(struct vgpu_memory *memory, uint64_t offset, uint64_t size)
{
    uint64_t first = (offset + VGPU_EXTENT - 1) / VGPU_EXTENT, end = (offset + size) / VGPU_EXTENT;

    for (uint64_t i = first; i < end && i < memory->view_count; i++) {
        if (memory->views[i])
            munmap(memory->views[i], VGPU_EXTENT);
        memory->views[i] = NULL;
    }
}

int vgpu_range_map_host(struct vgpu_memory *memory, const struct vgpu_range *range, void *host, uint64_t size, bool replace)
{
    char *at = host;

    /* Its pages may still wait to be discarded: what the CPU stored before that would be lost. */
    int status = vgpu_wait_idle(memory->channel);
    for (unsigned i = 0; !status && size; i++) {
        const struct vgpu_piece *piece = &range->phys->pieces[i];
        uint64_t n = piece->size < size ? piece->size : size;
        void *got = mmap(at, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | (replace ? MAP_FIXED : MAP_FIXED_NOREPLACE),
                         memory->channel->device->bar2_fd, (off_t)piece->offset);
        if (got != at) { /* a kernel that does not know NOREPLACE takes the address as a hint */
            if (got != MAP_FAILED)
                munmap(got, n);
            vgpu_log(VGPU_LOG_ERROR, "mapping %llu bytes of device memory at %p: the address is taken",
                     (unsigned long long)n, (void *)at);
            munmap(host, (size_t)(at - (char *)host));
            return VGPU_ERROR_OUT_OF_MEMORY;
        }
        madvise(at, n, MADV_DONTFORK);
        at += n;
        size -= n;
    }
    return status;
}

/* The CPU's address of VA, and in *AVAILABLE how many bytes follow it there. NULL: not accessible. */
static uint8_t *translate(struct vgpu_memory *memory, uint64_t va, uint64_t *available)
{
    struct vgpu_range *range = vgpu_range_at(memory, va);

    if (!range || !range->accessible)
        return NULL;
    uint64_t at = va - range->va;
    const struct vgpu_piece *piece = range->phys->pieces;
    while (at >= piece->size)
        at -= (piece++)->size;
    uint64_t offset = piece->offset + at, to_chunk = VGPU_EXTENT - offset % VGPU_EXTENT;
    *available = piece->size - at < to_chunk ? piece->size - at : to_chunk;
    return vgpu_view(memory, offset);
}

static bool reachable(struct vgpu_memory *memory, uint64_t va, uint64_t size)
{
    while (size) {
        struct vgpu_range *range = vgpu_range_at(memory, va);
        if (!range || !range->accessible)
            return false;
        uint64_t n = range->va + range->size - va;
        if (n >= size)
            return true;
        va += n;
        size -= n;
    }
    return true;
}

bool vgpu_memory_reachable(struct vgpu_memory *memory, uint64_t va, uint64_t size)
{
    pthread_mutex_lock(&memory->lock);
    bool yes = reachable(memory, va, size);
    pthread_mutex_unlock(&memory->lock);
    return yes;
}

#define EXPECT_LEAST (VGPU_GRANULE / 4)

int vgpu_memory_expect(struct vgpu_memory *memory, uint64_t va, uint64_t size)
{
    int status = 0;

    if (size < EXPECT_LEAST)
        return 0;
    pthread_mutex_lock(&memory->lock);
    struct vgpu_range *range = vgpu_range_at(memory, va);
    if (range && range->accessible && size <= range->va + range->size - va) {
        uint64_t from = va - range->va, to = from + size;
        if (from < range->expected_from || to > range->expected_to) {
            struct vgpu_cmd_mem_expect command = {va, size};
            status = vgpu_submit(memory->channel, VGPU_CMD_MEM_EXPECT, &command, sizeof command, NULL, 0, NULL);
            bool apart = from > range->expected_to || to < range->expected_from;
            range->expected_from = apart || from < range->expected_from ? from : range->expected_from;
            range->expected_to = apart || to > range->expected_to ? to : range->expected_to;
        }
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

int vgpu_memory_copy(struct vgpu_memory *memory, uint64_t va, void *host, uint64_t size, enum vgpu_direction direction)
{
    char *bytes = host;

    if (!vgpu_memory_reachable(memory, va, size))
        return VGPU_ERROR_INVALID_VALUE;
    while (size) {
        uint64_t n = 0;
        /* Only the look-up is locked: a copy of gigabytes holds nobody up. */
        pthread_mutex_lock(&memory->lock);
        uint8_t *view = translate(memory, va, &n);
        pthread_mutex_unlock(&memory->lock);
        if (!view)
            return VGPU_ERROR_OUT_OF_MEMORY;
        if (n > size)
            n = size;
        if (direction == VGPU_TO_DEVICE)
            memcpy(view, bytes, n);
        else
            memcpy(bytes, view, n);
        va += n;
        bytes += n;
        size -= n;
    }
    /* The BAR may be mapped write-combining: what was stored is there before any later command is. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return 0;
}
