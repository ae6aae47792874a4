/* SPDX-License-Identifier: Apache-2.0 */
/* Registers that are needed for a short time only: no block, and nothing behind a barrier, reads what was in one before. They are
 * values in the compiler's hands, one after the other; only the others are variables, which LLVM has to find the values of. */
#ifndef VGPU_JIT_BRIEF_H
#define VGPU_JIT_BRIEF_H

#include "jit/flow.h"

/* brief: by register. False when memory is short. */
bool jit_brief_find(const struct jit_flow *w, bool *brief);

#endif
