/* SPDX-License-Identifier: Apache-2.0 */
/* Written by apigen from ring.api. */
#ifndef VGPU_RING_DECODE_H
#define VGPU_RING_DECODE_H

/* The executor defines these. CMD and TAIL are the host's own copy, 8-aligned; a handler
 * checks values, sizes are checked already. It returns a status for the guest; a reply is zeroed
 * before and travels only with status 0, a reply's tail always. */
#include "decode.h"
#include "ring_commands.h"

uint32_t vgx_cmd_empty(void *executor);
uint32_t vgx_cmd_move(void *executor, const struct vgpu_cmd_move *cmd);
uint32_t vgx_cmd_ask(void *executor, const struct vgpu_cmd_ask *cmd, const void *tail, size_t tail_size, struct vgpu_reply_ask *reply, struct vgpu_reply_tail *reply_tail);
uint32_t vgx_cmd_text(void *executor, const void *tail, size_t tail_size, struct vgpu_reply_tail *reply_tail);

#define VGPU_REPLY_MAX 16 /* bytes of the largest reply */

#endif
