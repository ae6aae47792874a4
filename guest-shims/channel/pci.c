/* SPDX-License-Identifier: Apache-2.0 */
/* The device as a PCI function, through sysfs. */
#include "channel/channel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "channel/hooks.h"

enum { OPEN_SECONDS = 30 };

static bool file_in(const char *folder, const char *name, char path[static PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%s", folder, name);

    return n > 0 && n < PATH_MAX;
}

static bool read_text(const char *folder, const char *name, char *text, size_t room)
{
    char path[PATH_MAX];
    int fd = file_in(folder, name, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, room - 1);
    close(fd);
    if (n < 0)
        return false;
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return true;
}

/* A display controller with NVIDIA's vendor number; BAR0's magic tells ours from a real one. */
static bool looks_like_gpu(const char *folder)
{
    char vendor[32], class[32];

    return read_text(folder, "vendor", vendor, sizeof vendor) && read_text(folder, "class", class, sizeof class) &&
           strtoul(vendor, NULL, 16) == 0x10de && strtoul(class, NULL, 16) >> 16 == 0x03;
}

static int open_resource(const char *folder, const char *name)
{
    char path[PATH_MAX];

    return file_in(folder, name, path) ? open(path, O_RDWR | O_CLOEXEC) : -1;
}

static const char *bound_driver(const char *folder, char *text, size_t room)
{
    char path[PATH_MAX];
    ssize_t n = file_in(folder, "driver", path) ? readlink(path, text, room - 1) : -1;

    if (n <= 0)
        return NULL;
    text[n] = 0;
    char *slash = strrchr(text, '/');
    return slash ? slash + 1 : text;
}

static void pci_ring(struct vgpu_device *device)
{
    device->bar0[(VGPU_REG_DOORBELL + 4 * device->channel) / 4] = 1;
}

static uint32_t channel_state(const struct vgpu_device *device, uint32_t n)
{
    return vgpu_device_register(device, VGPU_REG_CHANNEL_STATE + 4 * n);
}

static bool pci_alive(struct vgpu_device *device)
{
    return channel_state(device, device->channel) == VGPU_CHANNEL_OPEN &&
           !(vgpu_device_register(device, VGPU_REG_STATUS) & VGPU_STATUS_LOST);
}

/* The lock on byte N of resource0 says that a living process owns channel N. */
static bool lock_channel(struct vgpu_device *device, uint32_t n, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = n, .l_len = 1};

    return !fcntl(device->bar0_fd, F_SETLK, &lock);
}

/* Waits until channel N is in one of two states; false after OPEN_SECONDS. */
static bool wait_state(const struct vgpu_device *device, uint32_t n, uint32_t wanted, uint32_t or_wanted)
{
    struct timespec nap = {.tv_nsec = 200000};

    for (uint64_t end = vgpu_now_ns() + OPEN_SECONDS * UINT64_C(1000000000); vgpu_now_ns() < end;) {
        uint32_t state = channel_state(device, n);
        if (state == wanted || state == or_wanted)
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

static uint32_t channel_count(const struct vgpu_device *device)
{
    uint32_t count = vgpu_device_register(device, VGPU_REG_CHANNELS);

    return count < VGPU_CHANNELS ? count : VGPU_CHANNELS;
}

/* Whether channel N is this process's own, opened by another copy of this library. The lock would not tell: it is the process's,
 * too, so that it could be had a second time, and would then be dropped. */
static bool own_channel(const struct vgpu_device *device, uint32_t n)
{
    const size_t page = 4096;
    struct vgpu_control *control = mmap(NULL, page, PROT_READ, MAP_SHARED, device->bar2_fd, (off_t)n * VGPU_CHANNEL_SIZE);

    if (control == MAP_FAILED)
        return true; /* whose it is cannot be known: somebody else will sweep it */
    bool own = __atomic_load_n(&control->guest_pid, __ATOMIC_RELAXED) == (uint32_t)getpid();
    munmap(control, page);
    return own;
}

unsigned vgpu_pci_sweep(struct vgpu_device *device)
{
    uint32_t count = channel_count(device);
    unsigned swept = 0;

    for (uint32_t n = 0; n < count; n++) {
        if (channel_state(device, n) == VGPU_CHANNEL_FREE || own_channel(device, n) || !lock_channel(device, n, F_WRLCK))
            continue;
        /* Its owner may have closed it in between, and only then have let go of the lock. */
        if (channel_state(device, n) != VGPU_CHANNEL_FREE) {
            vgpu_log(VGPU_LOG_INFO, "%s: channel %u was left open by a process that is gone; closing it", device->where, n);
            device->bar0[VGPU_REG_CHANNEL_CLOSE / 4] = n;
            swept += wait_state(device, n, VGPU_CHANNEL_FREE, VGPU_CHANNEL_FREE);
        }
        lock_channel(device, n, F_UNLCK);
    }
    return swept;
}

/* Locks a channel that nobody uses. */
static bool claim(struct vgpu_device *device)
{
    uint32_t count = channel_count(device);

    for (uint32_t n = 0; n < count; n++) {
        if (channel_state(device, n) != VGPU_CHANNEL_FREE || !lock_channel(device, n, F_WRLCK))
            continue;
        device->channel = n;
        /* Another may have had it, and died, since its state was read. */
        if (channel_state(device, n) == VGPU_CHANNEL_FREE)
            return true;
        lock_channel(device, n, F_UNLCK);
    }
    return false;
}

static int pci_open(struct vgpu_device *device)
{
    vgpu_pci_sweep(device);
    if (!claim(device)) {
        vgpu_log(VGPU_LOG_ERROR, "%s: all %u channels are taken by other processes", device->where, channel_count(device));
        return VGPU_ERROR_OUT_OF_MEMORY;
    }
    device->bar0[VGPU_REG_CHANNEL_OPEN / 4] = device->channel;
    if (!wait_state(device, device->channel, VGPU_CHANNEL_OPEN, VGPU_CHANNEL_DEAD) || !pci_alive(device)) {
        vgpu_log(VGPU_LOG_ERROR, "%s: the host did not open channel %u (state %u, device error %u)", device->where,
                 device->channel, channel_state(device, device->channel), vgpu_device_register(device, VGPU_REG_ERROR));
        device->bar0[VGPU_REG_CHANNEL_CLOSE / 4] = device->channel;
        lock_channel(device, device->channel, F_UNLCK);
        return VGPU_ERROR_UNKNOWN;
    }
    return 0;
}

static void pci_close(struct vgpu_device *device)
{
    device->bar0[VGPU_REG_CHANNEL_CLOSE / 4] = device->channel;
    wait_state(device, device->channel, VGPU_CHANNEL_FREE, VGPU_CHANNEL_FREE);
    lock_channel(device, device->channel, F_UNLCK);
}

/* The child of a fork inherits no record lock, so its descriptors say nothing about the parent's channel. */
static void pci_forget(struct vgpu_device *device)
{
    close(device->bar0_fd);
    close(device->bar2_fd);
}

static const struct vgpu_transport pci = {"pci", false, pci_open, pci_close, pci_ring, pci_alive, pci_forget};

/* Whether the function answers accesses to its memory at all (bit 1 of PCI's command register). */
static bool decodes_memory(const char *folder)
{
    char path[PATH_MAX];
    uint8_t command[2] = {0xff, 0xff};
    int fd = file_in(folder, "config", path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return true; /* then BAR0 has the word */
    ssize_t n = pread(fd, command, sizeof command, 4);
    close(fd);
    return n != sizeof command || command[0] & 2;
}

/* Maps BAR0. What an earlier try opened or mapped is used again: the descriptor of a device of ours is never closed. */
static bool map_registers(struct vgpu_device *device, const char *folder)
{
    bool again = !strcmp(device->where, folder);

    if (again && device->bar0)
        return true;
    snprintf(device->where, sizeof device->where, "%.*s", (int)sizeof device->where - 1, folder);
    if (!again || device->bar0_fd < 0)
        device->bar0_fd = open_resource(folder, "resource0");
    if (device->bar0_fd < 0) {
        vgpu_log(VGPU_LOG_ERROR, "%s/resource0: %m%s", folder,
                 errno == EACCES ? " (is this user in the group that owns it?)" : "");
        return false;
    }
    void *bar0 = mmap(NULL, VGPU_BAR0_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, device->bar0_fd, 0);
    if (bar0 == MAP_FAILED) {
        vgpu_log(VGPU_LOG_ERROR, "%s: BAR0 cannot be mapped: %m", folder);
        return false;
    }
    device->bar0 = bar0;
    return true;
}

/* Whether BAR0 is that of our device; if not, lets go of it and says why. */
static bool is_ours(struct vgpu_device *device, const char *folder)
{
    bool decodes = decodes_memory(folder);
    uint32_t magic = decodes ? vgpu_device_register(device, VGPU_REG_MAGIC) : UINT32_MAX;
    char link[PATH_MAX];
    const char *driver = bound_driver(folder, link, sizeof link);

    if (magic == VGPU_MAGIC)
        return true;
    if (magic == UINT32_MAX)
        vgpu_log(VGPU_LOG_ERROR, "%s: BAR disabled%s%s (echo 1 > enable switches it on)", folder,
                 driver ? ", driver bound: " : "", driver ? driver : "");
    else
        vgpu_log(VGPU_LOG_ERROR, "%s: not a VGPU-STUB device: BAR0 begins with %#x, not %#x%s%s", folder, magic, VGPU_MAGIC,
                 driver ? "; driver bound: " : "", driver ? driver : "");
    if (decodes) {
        munmap((void *)(uintptr_t)device->bar0, VGPU_BAR0_SIZE);
        close(device->bar0_fd); /* not ours, so nothing is locked there */
        device->bar0 = NULL;
        device->bar0_fd = -1;
    }
    return false;
}

static int try_function(struct vgpu_device *device, const char *folder)
{
    if (!map_registers(device, folder) || !is_ours(device, folder))
        return VGPU_ERROR_NO_DEVICE;
    int status = vgpu_device_identify(device);
    if (status)
        return status;
    device->bar2_fd = open_resource(folder, "resource2_wc");
    if (device->bar2_fd < 0)
        device->bar2_fd = open_resource(folder, "resource2");
    if (device->bar2_fd < 0) {
        vgpu_log(VGPU_LOG_ERROR, "%s/resource2: %m", folder);
        return VGPU_ERROR_NO_DEVICE;
    }
    device->transport = &pci;
    return 0;
}

int vgpu_pci_find(struct vgpu_device *device, const char *sysfs, bool *nothing)
{
    char folder[PATH_MAX];
    int status = VGPU_ERROR_NO_DEVICE;
    DIR *functions = opendir(sysfs);

    *nothing = true;
    if (!functions)
        return status;
    for (struct dirent *entry; (entry = readdir(functions));) {
        if (entry->d_name[0] == '.' || !file_in(sysfs, entry->d_name, folder) || !looks_like_gpu(folder))
            continue;
        *nothing = false;
        status = try_function(device, folder);
        if (!status)
            break;
    }
    closedir(functions);
    return status;
}
