/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The device model against a fake host: the register map, a channel's life, and a guest that writes anything anywhere. */
#include <errno.h>
#include <stdlib.h>

#include "device/device.h"
#include "tap.h"

/* What the device asked for, and how the fake host answers. */
static struct host {
    unsigned opens, closes, resets, rings, changes, errors;
    uint32_t last;
    int refuse;       /* errno that open, close and reset fail with */
    bool answer;      /* answer at once, within the call */
    bool lost_on_use; /* the link breaks when it is used */
    struct vgpu_device *dev;
} host;

static int asked(enum vgpu_msg_type reply, uint32_t n)
{
    struct vgpu_msg msg = { .magic = VGPU_MSG_MAGIC, .type = (uint16_t)reply, .channel = n };

    host.last = n;
    if (host.lost_on_use) {
        vgpu_device_lost(host.dev);
        return -EPIPE;
    }
    if (host.refuse)
        return -host.refuse;
    if (host.answer)
        vgpu_device_message(host.dev, &msg);
    return 0;
}

static int host_open(void *opaque, uint32_t n)
{
    host.opens++;
    return asked(VGPU_MSG_OPENED, n);
}

static int host_close(void *opaque, uint32_t n)
{
    host.closes++;
    return asked(VGPU_MSG_CLOSED, n);
}

static int host_reset(void *opaque)
{
    host.resets++;
    return asked(VGPU_MSG_RESET_DONE, 0);
}

static void host_ring(void *opaque, uint32_t n)
{
    host.rings++;
    host.last = n;
}

static void host_changed(void *opaque, uint32_t n, enum vgpu_channel_state state)
{
    host.changes++;
}

static void host_guest_error(void *opaque, enum vgpu_device_error error, uint32_t offset, uint64_t value)
{
    host.errors++;
}

static const struct vgpu_device_ops ops = { host_open, host_close, host_reset, host_ring, host_changed, host_guest_error };

static uint32_t bar0[VGPU_BAR0_SIZE / 4 + 2];
static struct vgpu_profile profile;

static void start(struct vgpu_device *dev, bool attached)
{
    const struct vgpu_device_config config = { .bar2_size = UINT64_C(0x2000000000) };

    memset(bar0, 0xee, sizeof bar0);
    host = (struct host){ .dev = dev };
    vgpu_device_init(dev, bar0, &config, &ops, NULL);
    if (attached)
        vgpu_device_attached(dev, &profile, UINT64_C(0x1122334455667788));
}

static uint32_t rd(struct vgpu_device *dev, uint32_t offset)
{
    return (uint32_t)vgpu_device_read(dev, offset, 4);
}

/* Writes, and gives the error that it left. */
static uint32_t wr(struct vgpu_device *dev, uint32_t offset, uint32_t value)
{
    vgpu_device_write(dev, VGPU_REG_ERROR, 0, 4);
    vgpu_device_write(dev, offset, value, 4);
    return rd(dev, VGPU_REG_ERROR);
}

static bool says(struct vgpu_device *dev, enum vgpu_msg_type type, uint32_t channel, uint32_t status)
{
    struct vgpu_msg msg = { .magic = VGPU_MSG_MAGIC, .type = (uint16_t)type, .channel = channel, .status = status };

    return vgpu_device_message(dev, &msg);
}

static void test_registers(void)
{
    struct vgpu_device dev;
    uint32_t end = 0;
    unsigned overlaps = 0, wrong_reset = 0, writable = 0;

    for (size_t i = 0; i < vgpu_register_count; i++) {
        overlaps += vgpu_registers[i].offset < end || vgpu_registers[i].offset % 4;
        end = vgpu_registers[i].offset + 4 * vgpu_registers[i].count;
        overlaps += (vgpu_registers[i].access == VGPU_WO) != (vgpu_registers[i].write != NULL);
    }
    ok(!overlaps && end <= VGPU_PROFILE_OFFSET, "registers are in order, aligned, apart, before the profile, with their effects");

    start(&dev, false);
    for (size_t i = 0; i < vgpu_register_count; i++)
        if (vgpu_registers[i].reset)
            wrong_reset += rd(&dev, vgpu_registers[i].offset) != vgpu_registers[i].reset;
    is_u64(wrong_reset, 0, "reset values");
    is_u64(rd(&dev, VGPU_REG_MAGIC), VGPU_MAGIC, "MAGIC");
    is_u64(rd(&dev, VGPU_REG_BAR2_SIZE_HI), 0x20, "BAR2_SIZE_HI");
    is_u64(rd(&dev, VGPU_REG_STATUS), 0, "no host yet");

    for (size_t i = 0; i < vgpu_register_count; i++) {
        const struct vgpu_register *reg = &vgpu_registers[i];
        uint32_t before = rd(&dev, reg->offset);

        if (reg->access != VGPU_RO)
            continue;
        writable += wr(&dev, reg->offset, ~before) != VGPU_DEVICE_BAD_REGISTER;
        writable += rd(&dev, reg->offset) != before;
    }
    is_u64(writable, 0, "read-only registers keep their values and say so");
    ok(bar0[VGPU_BAR0_SIZE / 4] == 0xeeeeeeee, "nothing is written behind BAR0");

    strcpy(profile.name, "NVIDIA H100 PCIe");
    profile.version = VGPU_PROFILE_VERSION;
    profile.size = sizeof profile;
    vgpu_device_attached(&dev, &profile, UINT64_C(0x1122334455667788));
    is_u64(rd(&dev, VGPU_REG_API_HASH_LO), 0x55667788, "API_HASH_LO");
    is_u64(rd(&dev, VGPU_REG_API_HASH_HI), 0x11223344, "API_HASH_HI");
    is_u64(rd(&dev, VGPU_REG_STATUS), VGPU_STATUS_HOST, "the host is there");
    is_u64(vgpu_device_read(&dev, VGPU_PROFILE_OFFSET + offsetof(struct vgpu_profile, name) + 1, 8),
           UINT64_C(0x4820414944495600) >> 8 | UINT64_C(0x31) << 56, "the profile is read at any alignment and size");
    is_u64(vgpu_device_read(&dev, VGPU_PROFILE_OFFSET + sizeof profile - 4, 8), 0, "but not across its end");
    is_u64(rd(&dev, VGPU_REG_ERROR), VGPU_DEVICE_BAD_REGISTER, "which is an error");
}

static void test_channel(void)
{
    struct vgpu_device dev;

    start(&dev, false);
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, 0), VGPU_DEVICE_NO_HOST, "no channel without hostd");
    is_u64(host.opens, 0, "nobody was asked");

    start(&dev, true);
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, VGPU_CHANNELS), VGPU_DEVICE_BAD_VALUE, "no such channel");
    is_u64(wr(&dev, VGPU_REG_DOORBELL + 4 * 5, 1), VGPU_DEVICE_BAD_STATE, "a free channel cannot be rung");
    is_u64(wr(&dev, VGPU_REG_CHANNEL_CLOSE, 5), VGPU_DEVICE_BAD_STATE, "nor closed");
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, 5), VGPU_DEVICE_OK, "open");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * 5), VGPU_CHANNEL_OPENING, "opening");
    is_u64(dev.busy, 1, "the device cannot be saved now");
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, 5), VGPU_DEVICE_BAD_STATE, "not twice");
    ok(says(&dev, VGPU_MSG_OPENED, 5, 0), "hostd answers");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * 5), VGPU_CHANNEL_OPEN, "open");
    is_u64(wr(&dev, VGPU_REG_DOORBELL + 4 * 5, 1), VGPU_DEVICE_OK, "ring");
    ok(host.rings == 1 && host.last == 5, "its executor is woken");
    ok(says(&dev, VGPU_MSG_DEAD, 5, 999), "the executor dies");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * 5), VGPU_CHANNEL_DEAD, "dead");
    is_u64(wr(&dev, VGPU_REG_DOORBELL + 4 * 5, 1), VGPU_DEVICE_BAD_STATE, "a dead channel cannot be rung");
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, 5), VGPU_DEVICE_BAD_STATE, "nor opened again");
    is_u64(wr(&dev, VGPU_REG_CHANNEL_CLOSE, 5), VGPU_DEVICE_OK, "only closed");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * 5), VGPU_CHANNEL_CLOSING, "closing");
    ok(says(&dev, VGPU_MSG_DEAD, 5, 999), "a late death");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * 5), VGPU_CHANNEL_CLOSING, "changes nothing");
    ok(says(&dev, VGPU_MSG_CLOSED, 5, 0), "closed");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * 5), VGPU_CHANNEL_FREE, "free");
    is_u64(dev.busy, 0, "the device can be saved");

    wr(&dev, VGPU_REG_CHANNEL_OPEN, 6);
    says(&dev, VGPU_MSG_OPENED, 6, 2);
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * 6), VGPU_CHANNEL_DEAD, "an executor that could not start is a dead channel");

    wr(&dev, VGPU_REG_CHANNEL_OPEN, 7);
    wr(&dev, VGPU_REG_CHANNEL_CLOSE, 7);
    says(&dev, VGPU_MSG_OPENED, 7, 0);
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * 7), VGPU_CHANNEL_CLOSING, "closed before it was open: stays closing");

    host.refuse = EBUSY;
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, 8), VGPU_DEVICE_BAD_STATE, "a refused open is an error");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * 8), VGPU_CHANNEL_FREE, "and leaves the channel free");

    ok(!says(&dev, VGPU_MSG_OPENED, VGPU_CHANNELS, 0), "hostd naming a channel that does not exist is refused");
    ok(!says(&dev, VGPU_MSG_ATTACH, 0, 0), "hostd sending a request is refused");
}

static void test_exhaustion_and_reset(void)
{
    struct vgpu_device dev;
    unsigned failed = 0, closing = 0, freed = 0;

    start(&dev, true);
    host.answer = true;
    for (uint32_t n = 0; n < VGPU_CHANNELS; n++)
        failed += wr(&dev, VGPU_REG_CHANNEL_OPEN, n) != VGPU_DEVICE_OK;
    is_u64(failed, 0, "all channels open, answered within the call");
    is_u64(dev.busy, VGPU_CHANNELS, "all busy");
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, 3), VGPU_DEVICE_BAD_STATE, "and no more");

    host.answer = false;
    is_u64(wr(&dev, VGPU_REG_RESET, 1), VGPU_DEVICE_BAD_VALUE, "a reset needs its magic");
    is_u64(host.resets, 0, "hostd does not hear of it");
    is_u64(wr(&dev, VGPU_REG_RESET, VGPU_RESET_MAGIC), VGPU_DEVICE_OK, "reset");
    for (uint32_t n = 0; n < VGPU_CHANNELS; n++)
        closing += rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * n) == VGPU_CHANNEL_CLOSING;
    is_u64(closing, VGPU_CHANNELS, "all channels close");
    wr(&dev, VGPU_REG_RESET, VGPU_RESET_MAGIC);
    is_u64(host.resets, 1, "a reset within a reset is the same one");
    says(&dev, VGPU_MSG_CLOSED, 3, 0);
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, 3), VGPU_DEVICE_BAD_STATE, "nothing opens before it is done");
    says(&dev, VGPU_MSG_RESET_DONE, 0, 0);
    for (uint32_t n = 0; n < VGPU_CHANNELS; n++)
        freed += rd(&dev, VGPU_REG_CHANNEL_STATE + 4 * n) == VGPU_CHANNEL_FREE;
    is_u64(freed, VGPU_CHANNELS, "all channels are free");
    is_u64(dev.busy, 0, "none is busy");

    vgpu_device_reset(&dev);
    is_u64(host.resets, 1, "a machine that starts does not trouble hostd");
    wr(&dev, VGPU_REG_CHANNEL_OPEN, 0);
    wr(&dev, VGPU_REG_CHANNEL_OPEN, VGPU_CHANNELS);
    vgpu_device_reset(&dev);
    is_u64(host.resets, 2, "one that restarts with open channels does");
    is_u64(rd(&dev, VGPU_REG_ERROR), 0, "and ERROR is cleared");
    is_u64(rd(&dev, VGPU_REG_STATUS), VGPU_STATUS_HOST, "the host stays attached");
}

static void test_lost(void)
{
    struct vgpu_device dev;

    start(&dev, true);
    for (uint32_t n = 0; n < 3; n++)
        wr(&dev, VGPU_REG_CHANNEL_OPEN, n);
    says(&dev, VGPU_MSG_OPENED, 1, 0);
    wr(&dev, VGPU_REG_CHANNEL_CLOSE, 2);
    vgpu_device_lost(&dev);
    is_u64(rd(&dev, VGPU_REG_STATUS), VGPU_STATUS_LOST, "hostd went away");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE), VGPU_CHANNEL_DEAD, "an opening channel is dead");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 4), VGPU_CHANNEL_DEAD, "an open one too");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE + 8), VGPU_CHANNEL_FREE, "a closing one is free");
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, 3), VGPU_DEVICE_NO_HOST, "no new ones");
    is_u64(wr(&dev, VGPU_REG_CHANNEL_CLOSE, 0), VGPU_DEVICE_OK, "closing needs no host");
    is_u64(rd(&dev, VGPU_REG_CHANNEL_STATE), VGPU_CHANNEL_FREE, "and is done at once");
    is_u64(wr(&dev, VGPU_REG_RESET, VGPU_RESET_MAGIC), VGPU_DEVICE_OK, "nor does a reset");
    is_u64(dev.busy, 0, "all is free");

    start(&dev, true);
    host.lost_on_use = true;
    is_u64(wr(&dev, VGPU_REG_CHANNEL_OPEN, 0), VGPU_DEVICE_NO_HOST, "the link breaks on open");
    is_u64(dev.busy, 0, "no channel stays");
    start(&dev, true);
    wr(&dev, VGPU_REG_CHANNEL_OPEN, 0);
    host.lost_on_use = true;
    wr(&dev, VGPU_REG_RESET, VGPU_RESET_MAGIC);
    is_u64(dev.busy, 0, "the link breaks on reset: all is free all the same");
}

static uint64_t rnd(void)
{
    static uint64_t state = 42;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Offsets that mean something are rare in 64 bits: mostly near a register, sometimes anywhere. */
static uint64_t random_offset(void)
{
    const struct vgpu_register *reg = &vgpu_registers[rnd() % vgpu_register_count];

    switch (rnd() % 8) {
    case 0: return rnd();
    case 1: return rnd() % (2 * VGPU_BAR0_SIZE);
    case 2: return VGPU_PROFILE_OFFSET + rnd() % (sizeof(struct vgpu_profile) + 16);
    case 3: return reg->offset + rnd() % 9;
    default: return reg->offset + 4 * (rnd() % reg->count);
    }
}

static uint64_t random_value(void)
{
    switch (rnd() % 4) {
    case 0: return rnd();
    case 1: return VGPU_RESET_MAGIC;
    default: return rnd() % (VGPU_CHANNELS + 2);
    }
}

static void test_hostile(void)
{
    struct vgpu_device dev;
    unsigned bad_count = 0, bad_magic = 0, bad_state = 0;

    for (unsigned round = 0; round < 50; round++) {
        start(&dev, round % 5);
        for (unsigned i = 0; i < 20000; i++) {
            uint32_t busy = 0;

            host.answer = rnd() % 2;
            host.refuse = rnd() % 16 ? 0 : EBUSY;
            switch (rnd() % 16) {
            case 0: {
                struct vgpu_msg msg = { .type = (uint16_t)(rnd() % 80), .channel = (uint32_t)random_value(),
                                        .status = rnd() % 2, .a = rnd(), .b = rnd() };
                vgpu_device_message(&dev, &msg);
                break;
            }
            case 1: if (rnd() % 512 == 0) vgpu_device_lost(&dev); break;
            case 2: if (rnd() % 64 == 0) vgpu_device_reset(&dev); break;
            case 3: case 4: case 5: case 6: case 7:
                vgpu_device_read(&dev, random_offset(), 1 + rnd() % 16);
                break;
            default:
                vgpu_device_write(&dev, random_offset(), random_value(), rnd() % 4 ? 4 : 1 + rnd() % 16);
            }
            if (i % 64)
                continue;
            for (uint32_t n = 0; n < VGPU_CHANNELS; n++) {
                busy += vgpu_device_channel(&dev, n) != VGPU_CHANNEL_FREE;
                bad_state += vgpu_device_channel(&dev, n) > VGPU_CHANNEL_DEAD;
            }
            bad_count += busy != dev.busy;
            bad_magic += rd(&dev, VGPU_REG_MAGIC) != VGPU_MAGIC;
        }
        bad_magic += bar0[VGPU_BAR0_SIZE / 4] != 0xeeeeeeee;
    }
    is_u64(bad_state, 0, "a million random accesses and messages: every channel is in a state that exists");
    is_u64(bad_count, 0, "the busy ones are counted");
    is_u64(bad_magic, 0, "what the guest cannot write is unchanged");
}

static void test_document(const char *path)
{
    char *want = NULL, *got = calloc(1, 65536);
    size_t size = 0;
    FILE *out = open_memstream(&want, &size), *in = fopen(path, "r");

    vgpu_registers_document(out);
    fclose(out);
    ok(in != NULL, "docs/REGISTERS.md is there");
    if (in) {
        size_t n = fread(got, 1, 65535, in);

        ok(n == size && !memcmp(got, want, n), "docs/REGISTERS.md is what vgpu-registers prints");
        fclose(in);
    }
    free(want);
    free(got);
}

int main(int argc, char **argv)
{
    test_registers();
    test_channel();
    test_exhaustion_and_reset();
    test_lost();
    test_hostile();
    if (argc > 1)
        test_document(argv[1]);
    return tap_done();
}
