/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_JIT_FLUSHED_H
#define VGPU_JIT_FLUSHED_H

#include "jit/flow.h"

/* flushed[r] = 1: register r never holds a subnormal f32. */
void jit_flushed_find(const struct ptx_function *f, uint8_t *flushed);

#endif
