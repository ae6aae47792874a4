/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes of compiled code never pass each other. What may need them to, so that the interpreter has to take the warp over there. */
#ifndef VGPU_JIT_MEET_H
#define VGPU_JIT_MEET_H

#include "jit/uniform.h"

/* An instruction at which lanes meet that have come from different places. */
bool jit_is_meeting(const struct ptx_insn *i);
/* Its last operand is a mask of the lanes that take part. */
bool jit_has_members(const struct ptx_insn *i);
/* Some function that the kernel's calls can reach has one, or waits for memory to change. */
bool jit_call_meets(const struct jit_flow *w);

/* A loop in which lanes wait for what others of their warp do behind it. A lane that leaves a loop waits for those that
 * stay: where these look at memory that it is to write, nothing moves. spins: by loop. False when memory is short. */
bool jit_find_spins(const struct jit_uniform *u, bool *spins);

#endif
