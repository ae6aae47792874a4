/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_JIT_REFUSE_H
#define VGPU_JIT_REFUSE_H

#include "jit/uniform.h"

/* May the kernel be compiled? Lanes of compiled code never pass each other: what lets them, or needs them to, stays with the
 * interpreter. */
bool jit_accept(const struct jit_uniform *u, char *why, size_t size);

#endif
