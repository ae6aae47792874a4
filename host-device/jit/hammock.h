/* SPDX-License-Identifier: Apache-2.0 */
/* Branches whose ways meet again soon: a few instructions for some lanes, such as those of thread 0, on the side. */
#ifndef VGPU_JIT_HAMMOCK_H
#define VGPU_JIT_HAMMOCK_H

#include "jit/flow.h"

/* Do all ways from block b's branch come to one block without a loop, an end, a call or a meeting of lanes in between? inside: a
 * set of w->n bits, all clear: the blocks in between. */
bool jit_hammock_find(const struct jit_flow *w, uint32_t b, uint64_t *inside, uint32_t *join);

#endif
