/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The device's states and what moves them: the guest's register accesses on one side, hostd's messages on the other. */
#include "device.h"

#include <errno.h>
#include <string.h>

#include "registers.h"

/* Local clients read BAR0's memory while the device writes it: whoever sees a channel open must see all that led to it. */
static void put(struct vgpu_device *dev, uint32_t offset, uint32_t value)
{
    __atomic_store_n(&dev->bar0[offset / 4], value, __ATOMIC_RELEASE);
}

static uint32_t get(const struct vgpu_device *dev, uint32_t offset)
{
    return __atomic_load_n(&dev->bar0[offset / 4], __ATOMIC_RELAXED);
}

static void put64(struct vgpu_device *dev, uint32_t offset_lo, uint64_t value)
{
    put(dev, offset_lo, (uint32_t)value);
    put(dev, offset_lo + 4, (uint32_t)(value >> 32));
}

static bool has_host(const struct vgpu_device *dev)
{
    return get(dev, VGPU_REG_STATUS) & VGPU_STATUS_HOST;
}

enum vgpu_channel_state vgpu_device_channel(const struct vgpu_device *dev, uint32_t n)
{
    return (enum vgpu_channel_state)get(dev, VGPU_REG_CHANNEL_STATE + 4 * n);
}

static void set_channel(struct vgpu_device *dev, uint32_t n, enum vgpu_channel_state state)
{
    enum vgpu_channel_state old = vgpu_device_channel(dev, n);

    if (state == old)
        return;
    dev->busy += (old == VGPU_CHANNEL_FREE) - (state == VGPU_CHANNEL_FREE);
    put(dev, VGPU_REG_CHANNEL_STATE + 4 * n, state);
    dev->ops->changed(dev->opaque, n, state);
}

static void set_all_channels(struct vgpu_device *dev, enum vgpu_channel_state state)
{
    for (uint32_t n = 0; n < VGPU_CHANNELS; n++)
        set_channel(dev, n, state);
}

/* ---- What the guest writes ---- */

enum vgpu_device_error vgpu_write_channel_open(struct vgpu_device *dev, uint32_t index, uint32_t n)
{
    (void)index;
    if (n >= VGPU_CHANNELS)
        return VGPU_DEVICE_BAD_VALUE;
    if (!has_host(dev))
        return VGPU_DEVICE_NO_HOST;
    if (vgpu_device_channel(dev, n) != VGPU_CHANNEL_FREE)
        return VGPU_DEVICE_BAD_STATE;
    /* Before the call, whose answer may come within it. */
    set_channel(dev, n, VGPU_CHANNEL_OPENING);
    if (dev->ops->open(dev->opaque, n) < 0) {
        set_channel(dev, n, VGPU_CHANNEL_FREE);
        return has_host(dev) ? VGPU_DEVICE_BAD_STATE : VGPU_DEVICE_NO_HOST;
    }
    return VGPU_DEVICE_OK;
}

enum vgpu_device_error vgpu_write_channel_close(struct vgpu_device *dev, uint32_t index, uint32_t n)
{
    enum vgpu_channel_state old;

    (void)index;
    if (n >= VGPU_CHANNELS)
        return VGPU_DEVICE_BAD_VALUE;
    old = vgpu_device_channel(dev, n);
    if (old == VGPU_CHANNEL_FREE || old == VGPU_CHANNEL_CLOSING)
        return VGPU_DEVICE_BAD_STATE;
    set_channel(dev, n, VGPU_CHANNEL_CLOSING);
    /* Without hostd there is no executor whose end could be waited for. */
    if (!has_host(dev) || dev->ops->close(dev->opaque, n) < 0)
        set_channel(dev, n, VGPU_CHANNEL_FREE);
    return VGPU_DEVICE_OK;
}

enum vgpu_device_error vgpu_write_doorbell(struct vgpu_device *dev, uint32_t n, uint32_t value)
{
    enum vgpu_channel_state state = vgpu_device_channel(dev, n);

    (void)value;
    if (state != VGPU_CHANNEL_OPEN && state != VGPU_CHANNEL_OPENING)
        return VGPU_DEVICE_BAD_STATE;
    dev->ops->ring(dev->opaque, n);
    return VGPU_DEVICE_OK;
}

/* Every channel reads as closing until hostd has answered, also those that were free: none can be opened in between. */
static void reset_channels(struct vgpu_device *dev)
{
    if (dev->resetting)
        return;
    set_all_channels(dev, VGPU_CHANNEL_CLOSING);
    if (has_host(dev)) {
        dev->resetting = true; /* before the call, whose answer may come within it */
        if (dev->ops->reset(dev->opaque) == 0)
            return;
        dev->resetting = false;
    }
    set_all_channels(dev, VGPU_CHANNEL_FREE);
}

enum vgpu_device_error vgpu_write_reset(struct vgpu_device *dev, uint32_t index, uint32_t value)
{
    (void)index;
    if (value != VGPU_RESET_MAGIC)
        return VGPU_DEVICE_BAD_VALUE;
    reset_channels(dev);
    return VGPU_DEVICE_OK;
}

/* ---- Accesses ---- */

static void guest_error(struct vgpu_device *dev, enum vgpu_device_error error, uint64_t offset, uint64_t value)
{
    put(dev, VGPU_REG_ERROR, error);
    dev->ops->guest_error(dev->opaque, error, (uint32_t)offset, value);
}

uint64_t vgpu_device_read(struct vgpu_device *dev, uint64_t offset, unsigned size)
{
    uint64_t profile_end = VGPU_PROFILE_OFFSET + sizeof(struct vgpu_profile);
    uint64_t value = 0;

    /* The profile is a struct to be copied by whatever loads the compiler chose. */
    if (offset >= VGPU_PROFILE_OFFSET && offset < profile_end && size <= 8 && size <= profile_end - offset) {
        memcpy(&value, (const char *)dev->bar0 + offset, size);
        return value;
    }
    if (size != 4 || !vgpu_register_at(offset)) {
        guest_error(dev, VGPU_DEVICE_BAD_REGISTER, offset, 0);
        return 0;
    }
    return get(dev, (uint32_t)offset);
}

void vgpu_device_write(struct vgpu_device *dev, uint64_t offset, uint64_t value, unsigned size)
{
    const struct vgpu_register *reg = vgpu_register_at(offset);
    enum vgpu_device_error error = VGPU_DEVICE_BAD_REGISTER;

    if (size == 4 && reg && reg->access == VGPU_CLEAR) {
        put(dev, (uint32_t)offset, 0);
        return;
    }
    if (size == 4 && reg && reg->access == VGPU_WO)
        error = reg->write(dev, (uint32_t)(offset - reg->offset) / 4, (uint32_t)value);
    if (error)
        guest_error(dev, error, offset, value);
}

/* ---- What the surroundings say ---- */

static void reset_registers(struct vgpu_device *dev)
{
    for (size_t i = 0; i < vgpu_register_count; i++) {
        const struct vgpu_register *reg = &vgpu_registers[i];

        if (reg->reset || reg->access == VGPU_CLEAR)
            for (uint32_t n = 0; n < reg->count; n++)
                put(dev, reg->offset + 4 * n, reg->reset);
    }
}

void vgpu_device_init(struct vgpu_device *dev, void *bar0, const struct vgpu_device_config *config,
                      const struct vgpu_device_ops *ops, void *opaque)
{
    *dev = (struct vgpu_device){ .ops = ops, .opaque = opaque, .bar0 = bar0 };
    memset(bar0, 0, VGPU_BAR0_SIZE);
    reset_registers(dev);
    put(dev, VGPU_REG_FEATURES, config->features);
    put64(dev, VGPU_REG_BAR2_SIZE_LO, config->bar2_size);
}

void vgpu_device_attached(struct vgpu_device *dev, const struct vgpu_profile *profile, uint64_t api_hash)
{
    memcpy((char *)dev->bar0 + VGPU_PROFILE_OFFSET, profile, sizeof *profile);
    put64(dev, VGPU_REG_API_HASH_LO, api_hash);
    put(dev, VGPU_REG_STATUS, VGPU_STATUS_HOST);
}

void vgpu_device_lost(struct vgpu_device *dev)
{
    put(dev, VGPU_REG_STATUS, VGPU_STATUS_LOST);
    put(dev, VGPU_REG_MEM_GRANTED_MIB, 0);
    dev->resetting = false;
    for (uint32_t n = 0; n < VGPU_CHANNELS; n++) {
        enum vgpu_channel_state state = vgpu_device_channel(dev, n);

        if (state == VGPU_CHANNEL_CLOSING)
            set_channel(dev, n, VGPU_CHANNEL_FREE);
        else if (state != VGPU_CHANNEL_FREE)
            set_channel(dev, n, VGPU_CHANNEL_DEAD);
    }
}

void vgpu_device_reset(struct vgpu_device *dev)
{
    /* A machine resets its devices as it starts, too: hostd need not hear of that. */
    if (dev->busy)
        reset_channels(dev);
    reset_registers(dev);
}

uint32_t vgpu_device_error(const struct vgpu_device *dev)
{
    return get(dev, VGPU_REG_ERROR);
}

void vgpu_device_set_error(struct vgpu_device *dev, uint32_t error)
{
    put(dev, VGPU_REG_ERROR, error);
}

static void on_opened(struct vgpu_device *dev, const struct vgpu_msg *msg)
{
    /* A channel that was closed or reset in the meantime stays so. */
    if (vgpu_device_channel(dev, msg->channel) == VGPU_CHANNEL_OPENING)
        set_channel(dev, msg->channel, msg->status ? VGPU_CHANNEL_DEAD : VGPU_CHANNEL_OPEN);
}

static void on_closed(struct vgpu_device *dev, const struct vgpu_msg *msg)
{
    if (vgpu_device_channel(dev, msg->channel) == VGPU_CHANNEL_CLOSING && !dev->resetting)
        set_channel(dev, msg->channel, VGPU_CHANNEL_FREE);
}

static void on_dead(struct vgpu_device *dev, const struct vgpu_msg *msg)
{
    enum vgpu_channel_state state = vgpu_device_channel(dev, msg->channel);

    if (state == VGPU_CHANNEL_OPENING || state == VGPU_CHANNEL_OPEN)
        set_channel(dev, msg->channel, VGPU_CHANNEL_DEAD);
}

static void on_reset_done(struct vgpu_device *dev, const struct vgpu_msg *msg)
{
    (void)msg;
    if (!dev->resetting)
        return;
    dev->resetting = false;
    set_all_channels(dev, VGPU_CHANNEL_FREE);
}

static void on_memory(struct vgpu_device *dev, const struct vgpu_msg *msg)
{
    put(dev, VGPU_REG_MEM_TOTAL_MIB, (uint32_t)msg->a);
    put(dev, VGPU_REG_MEM_GRANTED_MIB, (uint32_t)msg->b);
}

bool vgpu_device_message(struct vgpu_device *dev, const struct vgpu_msg *msg)
{
    static const struct {
        enum vgpu_msg_type type;
        bool names_channel;
        void (*handle)(struct vgpu_device *dev, const struct vgpu_msg *msg);
    } handlers[] = {
        { VGPU_MSG_OPENED, true, on_opened },
        { VGPU_MSG_CLOSED, true, on_closed },
        { VGPU_MSG_DEAD, true, on_dead },
        { VGPU_MSG_RESET_DONE, false, on_reset_done },
        { VGPU_MSG_MEMORY, false, on_memory },
    };

    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        if (handlers[i].type != msg->type)
            continue;
        if (handlers[i].names_channel && msg->channel >= VGPU_CHANNELS)
            return false;
        handlers[i].handle(dev, msg);
        return true;
    }
    return false;
}
