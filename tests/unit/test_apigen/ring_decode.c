/* SPDX-License-Identifier: Apache-2.0 */
/* Written by apigen from ring.api. */
#include "ring_decode.h"

static uint32_t call_empty(void *executor, const void *cmd, const void *tail, size_t tail_size, void *reply,
    struct vgpu_reply_tail *reply_tail)
{
    return vgx_cmd_empty(executor);
}

static uint32_t call_move(void *executor, const void *cmd, const void *tail, size_t tail_size, void *reply,
    struct vgpu_reply_tail *reply_tail)
{
    return vgx_cmd_move(executor, cmd);
}

static const struct vgpu_ring_field fields_move[] = {
    {"dst", 'u', 8, 0, 1, 1, 0},
    {"by", 'i', 8, 8, 1, 0, 0},
    {"count", 'u', 4, 16, 1, 0, 0},
    {"step", 'i', 4, 20, 1, 0, 0},
    {"half", 'u', 2, 24, 2, 0, 0},
    {"bytes", 'u', 1, 28, 4, 0, 0},
    {"scale", 'f', 4, 32, 1, 0, 0},
    {"pad", 'u', 4, 36, 1, 0, 1},
    {"factor", 'f', 8, 40, 1, 0, 0},
};

static uint32_t call_ask(void *executor, const void *cmd, const void *tail, size_t tail_size, void *reply,
    struct vgpu_reply_tail *reply_tail)
{
    return vgx_cmd_ask(executor, cmd, tail, tail_size, reply, reply_tail);
}

static const struct vgpu_ring_field fields_ask[] = {
    {"what", 'u', 4, 0, 1, 0, 0},
    {"pad", 'u', 4, 4, 1, 0, 1},
};

static const struct vgpu_ring_field reply_ask[] = {
    {"answer", 'u', 8, 0, 1, 1, 0},
    {"parts", 'u', 4, 8, 2, 0, 0},
};

static uint32_t call_text(void *executor, const void *cmd, const void *tail, size_t tail_size, void *reply,
    struct vgpu_reply_tail *reply_tail)
{
    return vgx_cmd_text(executor, tail, tail_size, reply_tail);
}

static const struct vgpu_ring_info infos[] = {
    [0x1] = {.name = "empty", .sync = 0, .has_tail = 0, .has_reply_tail = 0, .fixed_size = 0, .reply_size = 0,
        .call = call_empty},
    [0x2] = {.name = "move", .sync = 0, .has_tail = 0, .has_reply_tail = 0, .fixed_size = 48, .reply_size = 0,
        .call = call_move, .fields = fields_move, .field_count = 9},
    [0x5] = {.name = "ask", .sync = 1, .has_tail = 1, .has_reply_tail = 1, .fixed_size = 8, .reply_size = 16,
        .call = call_ask, .fields = fields_ask, .field_count = 2, .reply_fields = reply_ask, .reply_field_count = 2},
    [0x6] = {.name = "text", .sync = 1, .has_tail = 1, .has_reply_tail = 1, .fixed_size = 0, .reply_size = 0,
        .call = call_text},
};

const struct vgpu_ring_info *vgpu_ring_info(unsigned command)
{
    if (command >= sizeof infos / sizeof *infos || !infos[command].name)
        return NULL;
    return &infos[command];
}
