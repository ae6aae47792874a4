/* SPDX-License-Identifier: Apache-2.0 */
/* Written by apigen from ring.api. */
#ifndef VGPU_RING_COMMANDS_H
#define VGPU_RING_COMMANDS_H

#include <stddef.h>
#include <stdint.h>

/* Changes whenever the table says something else. */
#define VGPU_API_HASH 0x2c0274af07e64d15u

enum vgpu_ring_command {
    VGPU_CMD_EMPTY = 0x1,
    VGPU_CMD_MOVE = 0x2,
    VGPU_CMD_ASK = 0x5,
    VGPU_CMD_TEXT = 0x6,
};

struct vgpu_cmd_move {
    uint64_t dst;
    int64_t by;
    uint32_t count;
    int32_t step;
    uint16_t half[2];
    uint8_t bytes[4];
    float scale;
    uint32_t pad;
    double factor;
};
_Static_assert(sizeof(struct vgpu_cmd_move) == 48, "move");
_Static_assert(offsetof(struct vgpu_cmd_move, dst) == 0, "dst");
_Static_assert(offsetof(struct vgpu_cmd_move, by) == 8, "by");
_Static_assert(offsetof(struct vgpu_cmd_move, count) == 16, "count");
_Static_assert(offsetof(struct vgpu_cmd_move, step) == 20, "step");
_Static_assert(offsetof(struct vgpu_cmd_move, half) == 24, "half");
_Static_assert(offsetof(struct vgpu_cmd_move, bytes) == 28, "bytes");
_Static_assert(offsetof(struct vgpu_cmd_move, scale) == 32, "scale");
_Static_assert(offsetof(struct vgpu_cmd_move, pad) == 36, "pad");
_Static_assert(offsetof(struct vgpu_cmd_move, factor) == 40, "factor");

struct vgpu_cmd_ask {
    uint32_t what;
    uint32_t pad[1];
};
_Static_assert(sizeof(struct vgpu_cmd_ask) == 8, "ask");
_Static_assert(offsetof(struct vgpu_cmd_ask, what) == 0, "what");
_Static_assert(offsetof(struct vgpu_cmd_ask, pad) == 4, "pad");

struct vgpu_reply_ask {
    uint64_t answer;
    uint32_t parts[2];
};
_Static_assert(sizeof(struct vgpu_reply_ask) == 16, "ask");
_Static_assert(offsetof(struct vgpu_reply_ask, answer) == 0, "answer");
_Static_assert(offsetof(struct vgpu_reply_ask, parts) == 8, "parts");

#endif
