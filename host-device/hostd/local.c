/* SPDX-License-Identifier: Apache-2.0 */
/* Local mode: all clients of this hostd share one guest whose BAR2 is hostd's own memfd. Clients read the registers from a page
 * that hostd keeps as the device model would. */
#include "hostd/hostd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostd/local.h"
#include "profiles/profile.h"
#include "ring_commands.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static struct guest *guest;
static uint8_t *bar0;
static int bar0_fd = -1;

static void put(uint32_t reg, uint32_t value)
{
    __atomic_store_n((uint32_t *)(bar0 + reg), value, __ATOMIC_RELEASE);
}

static void set_state(unsigned index, enum vgpu_channel_state state)
{
    put(VGPU_REG_CHANNEL_STATE + 4 * index, state);
}

static void opened(struct guest *g, struct channel *c, uint32_t status)
{
    set_state(channel_index(c), status ? VGPU_CHANNEL_DEAD : VGPU_CHANNEL_OPEN);
    local_channel_opened(g, c, status);
}

static void dead(struct guest *g, struct channel *c, uint32_t status, const char *why)
{
    set_state(channel_index(c), VGPU_CHANNEL_DEAD);
    local_channel_dead(g, c, status, why);
}

static void closed(struct guest *g, unsigned index, void *owner)
{
    set_state(index, VGPU_CHANNEL_FREE);
    local_channel_closed(g, index, owner);
}

static void memory_changed(struct guest *g)
{
    put(VGPU_REG_MEM_TOTAL_MIB, (uint32_t)(g->quota / VGPU_MIB));
    put(VGPU_REG_MEM_GRANTED_MIB, (uint32_t)(g->granted / VGPU_MIB));
}

static const struct guest_ops ops = { opened, dead, closed, memory_changed };

static uint64_t next_power_of_two(uint64_t n)
{
    uint64_t p = 1;

    while (p < n)
        p <<= 1;
    return p;
}

static int sealed_memfd(const char *name, uint64_t size, int seals)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | seals)) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool make_registers(const struct guest *g)
{
    bar0_fd = sealed_memfd("vgpu-bar0", VGPU_BAR0_SIZE, 0);
    if (bar0_fd < 0)
        return false;
    bar0 = mmap(NULL, VGPU_BAR0_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, bar0_fd, 0);
    /* After our own mapping: nobody else may map it writable. */
    if (bar0 == MAP_FAILED || fcntl(bar0_fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE))
        return false;
    put(VGPU_REG_MAGIC, VGPU_MAGIC);
    put(VGPU_REG_PROTOCOL, VGPU_PROTOCOL_MAJOR << 16 | VGPU_PROTOCOL_MINOR);
    put(VGPU_REG_API_HASH_LO, (uint32_t)VGPU_API_HASH);
    put(VGPU_REG_API_HASH_HI, (uint32_t)(VGPU_API_HASH >> 32));
    put(VGPU_REG_FEATURES, VGPU_FEATURE_LOCAL);
    put(VGPU_REG_STATUS, VGPU_STATUS_HOST);
    put(VGPU_REG_CHANNELS, VGPU_CHANNELS);
    put(VGPU_REG_CHANNEL_SIZE, VGPU_CHANNEL_SIZE);
    put(VGPU_REG_BAR2_SIZE_LO, (uint32_t)g->bar2_size);
    put(VGPU_REG_BAR2_SIZE_HI, (uint32_t)(g->bar2_size >> 32));
    put(VGPU_REG_PROFILE_OFFSET, VGPU_PROFILE_OFFSET);
    put(VGPU_REG_PROFILE_SIZE, sizeof(struct vgpu_profile));
    memcpy(bar0 + VGPU_PROFILE_OFFSET, &g->profile, sizeof(g->profile));
    return true;
}

struct guest *local_guest(GError **error)
{
    /* Where the board would sit in the VM: one place for PCI ids in both modes. */
    struct profile_place place = { .pci_device = 5, .memory = options.memory };
    struct vgpu_profile profile;
    int bar2;

    if (guest)
        return guest;
    if (!profile_load(options.profile, &place, &profile, error))
        return NULL;
    bar2 = sealed_memfd("vgpu-bar2", next_power_of_two(profile.memory + VGPU_MEMORY_OFFSET), 0);
    if (bar2 < 0) {
        g_set_error(error, HOSTD_ERROR, errno, "cannot make the GPU's memory: %s", g_strerror(errno));
        return NULL;
    }
    guest = guest_new("local", bar2, options.quota, &profile, &ops, NULL, error);
    if (!guest) {
        close(bar2);
        return NULL;
    }
    if (!make_registers(guest)) {
        g_set_error(error, HOSTD_ERROR, errno, "cannot make the register page: %s", g_strerror(errno));
        guest_free(guest);
        guest = NULL;
        return NULL;
    }
    memory_changed(guest);
    return guest;
}

int local_bar0(void)
{
    return bar0_fd;
}
