/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's memory: which extents of BAR2 are granted to which channel. */
#include "hostd/hostd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTRIBUTE_KERNEL_EXEC_TIMEOUT 17 /* CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT */
#define DISPLAY_WATCHDOG_MS 5000

uint64_t guest_default_quota(uint64_t memory)
{
    uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    return MIN(memory, ram / 2);
}

/* A board that drives a display ends kernels that run long, and says so. */
static void set_watchdog(struct guest *g)
{
    int32_t *has = &g->profile.attributes[ATTRIBUTE_KERNEL_EXEC_TIMEOUT];

    if (options.watchdog > 0)
        *has = 1;
    g->watchdog_ms = !*has ? 0 : options.watchdog > 0 ? (uint32_t)(options.watchdog * 1e3 + 1) : DISPLAY_WATCHDOG_MS;
}

struct guest *guest_new(const char *name, int bar2, uint64_t quota, const struct vgpu_profile *profile,
                        const struct guest_ops *ops, void *owner, GError **error)
{
    struct guest *g;
    struct stat st;
    int seals = fcntl(bar2, F_GET_SEALS);

    /* A peer that could shrink the file under our executors would crash them. */
    if (fstat(bar2, &st) || st.st_size < (off_t)(VGPU_MEMORY_OFFSET + VGPU_EXTENT) || seals < 0 || !(seals & F_SEAL_SHRINK)) {
        g_set_error(error, HOSTD_ERROR, EINVAL, "BAR2 is not a memfd with a sealed size");
        return NULL;
    }
    g = g_new0(struct guest, 1);
    g_strlcpy(g->name, name, sizeof(g->name));
    g_strlcpy(g->identity, name, sizeof(g->identity));
    g->bar2 = bar2;
    g->bar2_size = (uint64_t)st.st_size;
    g->quota = quota ? quota : guest_default_quota(profile->memory);
    g->profile = *profile;
    set_watchdog(g);
    g->ops = ops;
    g->owner = owner;
    g->units = (uint32_t)((g->bar2_size - VGPU_MEMORY_OFFSET) / VGPU_EXTENT);
    g->unit_owner = g_malloc0(g->units);
    return g;
}

void guest_free(struct guest *g)
{
    for (unsigned i = 0; i < VGPU_CHANNELS; i++)
        if (g->channels[i])
            channel_destroy(g->channels[i]);
    guest_code_free(g);
    close(g->bar2);
    g_free(g->unit_owner);
    g_free(g);
}

/* First run of 'want' free units, or -1. */
static int64_t find_units(const struct guest *g, uint64_t want)
{
    uint64_t run = 0;

    for (uint32_t i = 0; i < g->units; i++) {
        run = g->unit_owner[i] ? 0 : run + 1;
        if (run == want)
            return (int64_t)(i + 1 - want);
    }
    return -1;
}

uint32_t guest_grant(struct guest *g, unsigned channel, uint64_t size, uint64_t *offset, uint64_t *granted)
{
    uint64_t units = size / VGPU_EXTENT + !!(size % VGPU_EXTENT);
    int64_t first;

    if (!size || units > g->units || units * VGPU_EXTENT > g->quota - MIN(g->granted, g->quota))
        return 2;
    first = find_units(g, units);
    if (first < 0)
        return 2;
    memset(g->unit_owner + first, (int)channel + 1, units);
    *offset = VGPU_MEMORY_OFFSET + (uint64_t)first * VGPU_EXTENT;
    *granted = units * VGPU_EXTENT;
    g->granted += *granted;
    g->ops->memory_changed(g);
    return 0;
}

bool guest_return(struct guest *g, unsigned channel, uint64_t offset, uint64_t size)
{
    uint64_t first = (offset - VGPU_MEMORY_OFFSET) / VGPU_EXTENT, units = size / VGPU_EXTENT;

    if (offset < VGPU_MEMORY_OFFSET || offset % VGPU_EXTENT || size % VGPU_EXTENT || !units || first >= g->units ||
        units > g->units - first)
        return false;
    for (uint64_t i = first; i < first + units; i++)
        if (g->unit_owner[i] != channel + 1)
            return false;
    memset(g->unit_owner + first, 0, units);
    g->granted -= size;
    g->ops->memory_changed(g);
    return true;
}

void guest_return_all(struct guest *g, unsigned channel)
{
    uint64_t before = g->granted;

    for (uint32_t i = 0; i < g->units; i++) {
        if (g->unit_owner[i] != channel + 1)
            continue;
        if (fallocate(g->bar2, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(VGPU_MEMORY_OFFSET + i * VGPU_EXTENT),
                      VGPU_EXTENT)) {
            vg_log(VG_LOG_ERROR, "%s: cannot zero memory of channel %u, keeping it: %s", g->name, channel, g_strerror(errno));
            continue;
        }
        g->unit_owner[i] = 0;
        g->granted -= VGPU_EXTENT;
    }
    /* Its control page, ring and staging area too: the next owner must not read them. */
    if (fallocate(g->bar2, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)channel * VGPU_CHANNEL_SIZE, VGPU_CHANNEL_SIZE))
        vg_log(VG_LOG_ERROR, "%s: cannot zero channel %u: %s", g->name, channel, g_strerror(errno));
    if (before != g->granted)
        g->ops->memory_changed(g);
}
