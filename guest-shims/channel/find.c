/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "channel/hooks.h"

uint32_t vgpu_device_register(const struct vgpu_device *device, uint32_t offset)
{
    return device->bar0[offset / 4];
}

/* Registers are read one 32-bit access at a time: that is all the device answers. */
static int read_profile(struct vgpu_device *device)
{
    uint32_t offset = vgpu_device_register(device, VGPU_REG_PROFILE_OFFSET);
    uint32_t size = vgpu_device_register(device, VGPU_REG_PROFILE_SIZE);
    uint32_t words[sizeof(struct vgpu_profile) / 4];

    if (offset % 4 || offset > VGPU_BAR0_SIZE || size < sizeof words || size > VGPU_BAR0_SIZE - offset) {
        vgpu_log(VGPU_LOG_ERROR, "%s: the device's profile page (offset %#x, %u bytes) cannot be read", device->where,
                 offset, size);
        return VGPU_ERROR_DRIVER_MISMATCH;
    }
    for (size_t i = 0; i < sizeof words / 4; i++)
        words[i] = vgpu_device_register(device, offset + 4 * (uint32_t)i);
    memcpy(&device->profile, words, sizeof words);
    if (device->profile.version != VGPU_PROFILE_VERSION) {
        vgpu_log(VGPU_LOG_ERROR, "%s: profile version %u, this library reads %u", device->where,
                 device->profile.version, VGPU_PROFILE_VERSION);
        return VGPU_ERROR_DRIVER_MISMATCH;
    }
    device->profile.profile[sizeof device->profile.profile - 1] = 0;
    device->profile.name[sizeof device->profile.name - 1] = 0;
    return 0;
}

int vgpu_device_identify(struct vgpu_device *device)
{
    uint32_t protocol = vgpu_device_register(device, VGPU_REG_PROTOCOL);
    uint32_t status = vgpu_device_register(device, VGPU_REG_STATUS);

    if (protocol >> 16 != VGPU_PROTOCOL_MAJOR) {
        vgpu_log(VGPU_LOG_ERROR, "%s: the device speaks protocol %u.%u, this library %u.%u: they must be of one major version",
                 device->where, protocol >> 16, protocol & 0xffff, VGPU_PROTOCOL_MAJOR, VGPU_PROTOCOL_MINOR);
        return VGPU_ERROR_DRIVER_MISMATCH;
    }
    if (!(status & VGPU_STATUS_HOST) || (status & VGPU_STATUS_LOST)) {
        vgpu_log(VGPU_LOG_ERROR, "%s: vgpu-hostd is not attached to the device on the host", device->where);
        return VGPU_ERROR_UNKNOWN;
    }
    if (vgpu_device_register(device, VGPU_REG_CHANNEL_SIZE) != VGPU_CHANNEL_SIZE) {
        vgpu_log(VGPU_LOG_ERROR, "%s: channels of %u bytes, this library knows %u", device->where,
                 vgpu_device_register(device, VGPU_REG_CHANNEL_SIZE), VGPU_CHANNEL_SIZE);
        return VGPU_ERROR_DRIVER_MISMATCH;
    }
    device->bar2_size = vgpu_device_register(device, VGPU_REG_BAR2_SIZE_LO) |
                        (uint64_t)vgpu_device_register(device, VGPU_REG_BAR2_SIZE_HI) << 32;
    return read_profile(device);
}

static int find_local(struct vgpu_device *device, const char *path)
{
    bool nothing;
    int status = vgpu_local_find(device, path, &nothing);

    if (status && nothing)
        vgpu_log(VGPU_LOG_ERROR, "no vgpu-hostd answers at %s: %m", path);
    return status;
}

int vgpu_device_find(struct vgpu_device *device)
{
    const char *asked = secure_getenv("VGPU_SOCKET");
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    char path[108];
    bool nothing;
    int status;

    if (asked && *asked)
        return find_local(device, asked);
    status = vgpu_pci_find(device, "/sys/bus/pci/devices", &nothing);
    if (!status || !nothing)
        return status;
    if (runtime && *runtime && strlen(runtime) < sizeof path - sizeof "/vgpu/hostd.sock") {
        snprintf(path, sizeof path, "%s/vgpu/hostd.sock", runtime);
        status = vgpu_local_find(device, path, &nothing);
        if (!status || !nothing)
            return status;
    }
    status = vgpu_local_find(device, "/run/vgpu/hostd.sock", &nothing);
    if (status && nothing)
        vgpu_log(VGPU_LOG_WARN, "no GPU: no PCI device of ours, and no vgpu-hostd (VGPU_SOCKET is not set)");
    return status;
}
