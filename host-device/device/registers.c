/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The register table, and the page that documents it. */
#include "registers.h"

#include <inttypes.h>

#define PROTOCOL (VGPU_PROTOCOL_MAJOR << 16 | VGPU_PROTOCOL_MINOR)

/* In order of offset. */
const struct vgpu_register vgpu_registers[] = {
    { "MAGIC", VGPU_REG_MAGIC, 1, VGPU_RO, VGPU_MAGIC, NULL, "\"VGPU\" in ASCII, lowest byte first" },
    { "PROTOCOL", VGPU_REG_PROTOCOL, 1, VGPU_RO, PROTOCOL, NULL, "protocol version: major << 16 \\| minor" },
    { "API_HASH_LO", VGPU_REG_API_HASH_LO, 1, VGPU_RO, 0, NULL, "hash of the host's API table, low half" },
    { "API_HASH_HI", VGPU_REG_API_HASH_HI, 1, VGPU_RO, 0, NULL, "high half" },
    { "FEATURES", VGPU_REG_FEATURES, 1, VGPU_RO, 0, NULL, "bit 0: local mode, no PCI device" },
    { "STATUS", VGPU_REG_STATUS, 1, VGPU_RO, 0, NULL, "bit 0: hostd is attached; bit 1: it was, and went away" },
    { "ERROR", VGPU_REG_ERROR, 1, VGPU_CLEAR, 0, NULL, "the last refused access: see below" },
    { "RESET", VGPU_REG_RESET, 1, VGPU_WO, 0, vgpu_write_reset, "0x52455345 closes all channels and frees all memory" },
    { "CHANNELS", VGPU_REG_CHANNELS, 1, VGPU_RO, VGPU_CHANNELS, NULL, "number of channels" },
    { "CHANNEL_SIZE", VGPU_REG_CHANNEL_SIZE, 1, VGPU_RO, VGPU_CHANNEL_SIZE, NULL, "bytes of each at the head of BAR2" },
    { "BAR2_SIZE_LO", VGPU_REG_BAR2_SIZE_LO, 1, VGPU_RO, 0, NULL, "bytes of BAR2, low half" },
    { "BAR2_SIZE_HI", VGPU_REG_BAR2_SIZE_HI, 1, VGPU_RO, 0, NULL, "high half" },
    { "PROFILE_OFFSET", VGPU_REG_PROFILE_OFFSET, 1, VGPU_RO, VGPU_PROFILE_OFFSET, NULL, "of struct vgpu_profile in BAR0" },
    { "PROFILE_SIZE", VGPU_REG_PROFILE_SIZE, 1, VGPU_RO, sizeof(struct vgpu_profile), NULL, "its bytes" },
    { "MEM_TOTAL_MIB", VGPU_REG_MEM_TOTAL_MIB, 1, VGPU_RO, 0, NULL, "MiB that the host may grant to this guest in all" },
    { "MEM_GRANTED_MIB", VGPU_REG_MEM_GRANTED_MIB, 1, VGPU_RO, 0, NULL, "MiB granted now" },
    { "CHANNEL_OPEN", VGPU_REG_CHANNEL_OPEN, 1, VGPU_WO, 0, vgpu_write_channel_open,
      "channel number: ask for its executor; CHANNEL_STATE tells the outcome" },
    { "CHANNEL_CLOSE", VGPU_REG_CHANNEL_CLOSE, 1, VGPU_WO, 0, vgpu_write_channel_close,
      "channel number: end its executor and free its memory" },
    { "CHANNEL_STATE", VGPU_REG_CHANNEL_STATE, VGPU_CHANNELS, VGPU_RO, 0, NULL,
      "one a channel: 0 free, 1 opening, 2 open, 3 closing, 4 dead until closed" },
    { "DOORBELL", VGPU_REG_DOORBELL, VGPU_CHANNELS, VGPU_WO, 0, vgpu_write_doorbell,
      "one a channel: any value wakes its executor" },
};
const size_t vgpu_register_count = sizeof vgpu_registers / sizeof vgpu_registers[0];

const struct vgpu_register *vgpu_register_at(uint64_t offset)
{
    if (offset % 4)
        return NULL;
    for (size_t i = 0; i < vgpu_register_count; i++) {
        const struct vgpu_register *reg = &vgpu_registers[i];

        if (offset >= reg->offset && offset < reg->offset + 4 * (uint64_t)reg->count)
            return reg;
    }
    return NULL;
}

void vgpu_registers_document(FILE *out)
{
    static const char *const access[] = { [VGPU_RO] = "read", [VGPU_WO] = "write", [VGPU_CLEAR] = "read, write clears" };

    fputs("# BAR0 of VGPU-STUB\n\n"
          "Printed by `vgpu-registers` from the table in host-device/device/registers.c, which also drives the device; a test\n"
          "compares the two. The layouts of BAR2, the ring and the profile are in host-device/protocol/vgpu_protocol.h.\n\n"
          "All registers are 32 bits wide, little-endian, and take aligned 32-bit accesses only.\n\n"
          "| offset | name | access | reset | meaning |\n|---|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < vgpu_register_count; i++) {
        const struct vgpu_register *reg = &vgpu_registers[i];

        if (reg->count == 1)
            fprintf(out, "| 0x%04" PRIx32, reg->offset);
        else
            fprintf(out, "| 0x%04" PRIx32 " + 4 n, n < %" PRIu32, reg->offset, reg->count);
        fprintf(out, " | %s | %s | 0x%" PRIx32 " | %s |\n", reg->name, access[reg->access], reg->reset, reg->text);
    }
    fprintf(out,
            "| 0x%04x | (struct vgpu_profile) | read | | which GPU this is; any access that stays inside; zeros without hostd |\n\n",
            VGPU_PROFILE_OFFSET);
    fputs("## Errors\n\n"
          "An access that the device refuses changes nothing but ERROR; a refused read gives 0.\n\n"
          "| ERROR | meaning |\n|---|---|\n"
          "| 1 | no such register, or not writable, or a wrong access size |\n"
          "| 2 | channel number out of range, or a wrong reset magic |\n"
          "| 3 | opening a channel that is not free (or while the VM is being saved), closing one that is free or closing, "
          "ringing one that is not open |\n"
          "| 4 | no hostd is attached |\n\n"
          "## A channel's life\n\n"
          "CHANNEL_OPEN makes a free channel *opening*, and hostd's answer *open* or *dead*. An executor's end makes an open\n"
          "channel *dead*. CHANNEL_CLOSE makes any of the three *closing*, and hostd's answer *free*. RESET, and a reset of the\n"
          "machine, make all channels *closing* until hostd has answered. When hostd goes away, opening and open channels are\n"
          "*dead* and closing ones *free*.\n",
          out);
}
