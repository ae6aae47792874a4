/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The device model: BAR0's registers and what they do. One library under every transport: QEMU's front end answers the
 * guest's accesses with it, hostd keeps the page that local clients map with it, unit tests drive it with a fake host.
 *
 * It knows neither QEMU nor CUDA nor sockets. What leaves the device goes through vgpu_device_ops, what hostd says comes in
 * by vgpu_device_message(). Nothing here blocks, allocates or trusts the guest: an access that makes no sense changes nothing
 * but the register ERROR. Not thread-safe: the caller holds one lock (QEMU's big lock) around every call. */
#ifndef VGPU_DEVICE_H
#define VGPU_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vgpu_protocol.h"

struct vgpu_device;

/* What the device asks of its surroundings. The calls that return int give 0 or a negative errno; a refused one leaves the
 * channel as it was, and the guest reads why from ERROR. */
struct vgpu_device_ops {
    /* Ask hostd for channel n's executor, for its end, for the end of all. Answered by vgpu_device_message(). */
    int (*open)(void *opaque, uint32_t n);
    int (*close)(void *opaque, uint32_t n);
    int (*reset)(void *opaque);
    /* Wake channel n's executor. */
    void (*ring)(void *opaque, uint32_t n);
    /* Channel n has entered 'state'. */
    void (*changed)(void *opaque, uint32_t n, enum vgpu_channel_state state);
    /* The guest did what it must not (for a log; its access had no effect). */
    void (*guest_error)(void *opaque, enum vgpu_device_error error, uint32_t offset, uint64_t value);
};

/* What a device is from its creation to its end. */
struct vgpu_device_config {
    uint32_t features; /* VGPU_FEATURE_* */
    uint64_t bar2_size;
};

struct vgpu_device {
    const struct vgpu_device_ops *ops;
    void *opaque;
    uint32_t *bar0; /* VGPU_BAR0_SIZE bytes that read as BAR0 does */
    uint32_t busy;  /* channels that are not free */
    bool resetting; /* hostd has been told, RESET_DONE is awaited */
};

/* 'bar0' is VGPU_BAR0_SIZE bytes, 8-aligned, the caller's, and lives as long as the device. The device starts without a host. */
void vgpu_device_init(struct vgpu_device *dev, void *bar0, const struct vgpu_device_config *config,
                      const struct vgpu_device_ops *ops, void *opaque);

/* hostd has taken the device: it is this GPU, and hostd was built with the API table of this hash. */
void vgpu_device_attached(struct vgpu_device *dev, const struct vgpu_profile *profile, uint64_t api_hash);

/* hostd went away: open channels are dead, closing ones are free, new ones are refused. */
void vgpu_device_lost(struct vgpu_device *dev);

/* A message of hostd's that is not a reply to the attaching. False: it makes no sense; the connection should be given up. */
bool vgpu_device_message(struct vgpu_device *dev, const struct vgpu_msg *msg);

/* An access of the guest's: any offset, any size. A read that is refused gives 0. */
uint64_t vgpu_device_read(struct vgpu_device *dev, uint64_t offset, unsigned size);
void vgpu_device_write(struct vgpu_device *dev, uint64_t offset, uint64_t value, unsigned size);

/* The machine is reset: no channel survives it. */
void vgpu_device_reset(struct vgpu_device *dev);

enum vgpu_channel_state vgpu_device_channel(const struct vgpu_device *dev, uint32_t n);

/* The state of a device that may be saved (busy == 0) is what the guest last did wrong. */
uint32_t vgpu_device_error(const struct vgpu_device *dev);
void vgpu_device_set_error(struct vgpu_device *dev, uint32_t error);

/* ---- The register table: it drives every access, the reset and the documentation. ---- */
enum vgpu_register_access {
    VGPU_RO,
    VGPU_WO,    /* reads 0; a write has an effect and leaves no value */
    VGPU_CLEAR, /* a write of any value clears it */
};

struct vgpu_register {
    const char *name;
    uint32_t offset;
    uint32_t count; /* registers of 32 bits in a row */
    enum vgpu_register_access access;
    uint32_t reset; /* value after creation and after the machine's reset, where it does not come from the configuration */
    enum vgpu_device_error (*write)(struct vgpu_device *dev, uint32_t index, uint32_t value);
    const char *text;
};

extern const struct vgpu_register vgpu_registers[];
extern const size_t vgpu_register_count;

/* The register that holds the 32 bits at 'offset', or NULL. */
const struct vgpu_register *vgpu_register_at(uint64_t offset);

/* docs/REGISTERS.md is what this prints. */
void vgpu_registers_document(FILE *out);

#endif
