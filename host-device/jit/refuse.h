/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_JIT_REFUSE_H
#define VGPU_JIT_REFUSE_H

#include "jit/uniform.h"

/* May the kernel be compiled? */
bool jit_accept(const struct jit_uniform *u, char *why, size_t size);

/* Lanes of compiled code never pass each other. Two things may need them to: an instruction at which lanes meet that have come
 * from different places ... */
bool jit_is_meeting(const struct ptx_insn *i);
/* ... and a loop in which lanes wait for what others of their warp do behind it. A lane that leaves a loop waits for those that
 * stay: where these look at memory that it is to write, nothing moves. spins: by loop. False when memory is short. */
bool jit_find_spins(const struct jit_uniform *u, bool *spins);

#endif
