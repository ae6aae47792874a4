/* SPDX-License-Identifier: Apache-2.0 */
/* Written by apigen from ring.api. */
#ifndef VGPU_RING_ENCODE_H
#define VGPU_RING_ENCODE_H

/* Fill a command's fixed part; pads are zeroed. Arrays are read whole. */
#include <string.h>

#include "ring_commands.h"

static inline void vgpu_encode_move(struct vgpu_cmd_move *command_, uint64_t dst, int64_t by, uint32_t count, int32_t step, const uint16_t half[2], const uint8_t bytes[4], float scale, double factor)
{
    command_->dst = dst;
    command_->by = by;
    command_->count = count;
    command_->step = step;
    memcpy(command_->half, half, sizeof command_->half);
    memcpy(command_->bytes, bytes, sizeof command_->bytes);
    command_->scale = scale;
    memset(&command_->pad, 0, sizeof command_->pad);
    command_->factor = factor;
}

static inline void vgpu_encode_ask(struct vgpu_cmd_ask *command_, uint32_t what)
{
    command_->what = what;
    memset(&command_->pad, 0, sizeof command_->pad);
}

#endif
