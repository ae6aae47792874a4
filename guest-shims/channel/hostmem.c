/* SPDX-License-Identifier: Apache-2.0 */
/* cuMemHostRegister: the caller's pages move into device memory, which is then mapped over them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "channel/hooks.h"
#include "channel/mem.h"

enum { ALREADY_REGISTERED = 712, NOT_REGISTERED = 713 };

/* All of [start, end) is private, writable, anonymous memory and no thread's first stack. */
static bool is_anonymous(uintptr_t start, uintptr_t end)
{
    char line[512], permissions[8];
    uintptr_t low, high;
    unsigned long inode;
    int name;
    FILE *maps = fopen("/proc/self/maps", "re");

    if (!maps)
        return false;
    while (start < end && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %lu %n", &low, &high, permissions, &inode, &name) < 4 ||
            high <= start)
            continue;
        if (low > start || inode || strncmp(permissions, "rw", 2) || permissions[3] != 'p' ||
            !strncmp(line + name, "[stack", 6))
            break;
        start = high;
    }
    fclose(maps);
    return start >= end;
}

static struct vgpu_range *registered_at(const struct vgpu_memory *memory, uintptr_t start, uintptr_t end)
{
    for (size_t i = 0; i < memory->range_count; i++) {
        struct vgpu_range *range = memory->ranges[i];
        uintptr_t host = (uintptr_t)range->host;
        if (range->kind == VGPU_RANGE_REGISTERED && host < end && start < host + range->host_size)
            return range;
    }
    return NULL;
}

int vgpu_memory_register(struct vgpu_memory *memory, void *host, uint64_t size, uint32_t flags, void *owner)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)host & ~(page - 1), end = ((uintptr_t)host + size + page - 1) & ~(page - 1);
    struct vgpu_range *range;

    if (!size || end <= start)
        return VGPU_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&memory->lock);
    int status = 0;
    if (registered_at(memory, start, end))
        status = ALREADY_REGISTERED;
    else if (!is_anonymous(start, end))
        status = VGPU_ERROR_NOT_SUPPORTED;
    if (!status)
        status = vgpu_range_create(memory, end - start, VGPU_RANGE_REGISTERED, flags, owner, &range);
    if (!status) {
        range->host = (void *)start;
        range->host_size = end - start;
        status = vgpu_wait_idle(memory->channel);
    }
    if (!status) {
        uint64_t va = range->va;
        pthread_mutex_unlock(&memory->lock);
        status = vgpu_memory_copy(memory, va, (void *)start, end - start, VGPU_TO_DEVICE);
        pthread_mutex_lock(&memory->lock);
        if (!status)
            status = vgpu_range_map_host(memory, range, (void *)start, end - start, true);
        if (status)
            vgpu_range_destroy(memory, range);
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

int vgpu_memory_unregister(struct vgpu_memory *memory, void *host)
{
    pthread_mutex_lock(&memory->lock);
    struct vgpu_range *range = registered_at(memory, (uintptr_t)host, (uintptr_t)host + 1);
    int status = range ? 0 : NOT_REGISTERED;
    if (!status) {
        /* A lost channel has nothing under way any more. */
        vgpu_wait_idle(memory->channel);
        size_t size = range->host_size;
        void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED) {
            status = VGPU_ERROR_OUT_OF_MEMORY;
        } else {
            memcpy(pages, range->host, size);
            if (mremap(pages, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, range->host) == MAP_FAILED) {
                munmap(pages, size);
                status = VGPU_ERROR_OUT_OF_MEMORY;
            } else {
                vgpu_range_destroy(memory, range);
            }
        }
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}
