/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_JIT_KEEP_H
#define VGPU_JIT_KEEP_H

#include "jit/run.h"

/* Fill in keep_*: as this CPU's registers want it, whatever set of instructions code has been compiled for. */
void jit_keep_set(struct jit_env *env);

#endif
