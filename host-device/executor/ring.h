/* SPDX-License-Identifier: Apache-2.0 */
/* One channel's command ring, as the executor reads it. */
#ifndef VGPU_EXECUTOR_RING_H
#define VGPU_EXECUTOR_RING_H

#include "executor/executor.h"

/* Take one command from the ring and run it; false when the ring is empty. */
bool vgx_ring_step(struct vgx *x);

/* Publish the sticky status, with x->message; the guest sees it at the latest when it next waits. */
void vgx_lose_context(struct vgx *x, uint32_t status, uint64_t seq);

/* The guest broke the protocol: nothing it sends can be trusted any more. Defined by the program that reads the ring. */
_Noreturn void vgx_give_up(struct vgx *x, const char *why);

#endif
