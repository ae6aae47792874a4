/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_JIT_FLUSHED_H
#define VGPU_JIT_FLUSHED_H

#include "jit/flow.h"

/* flushed[r] = 1: register r never holds a subnormal f32. */
void jit_flushed_find(const struct ptx_function *f, uint8_t *flushed);
/* A NaN in register r is 0x7fffffff (JIT_RAW_REAL), or each of its NaNs is 0x7fff (JIT_RAW_HALVES: one f16, or two): so its variable
 * may hold whatever NaN the CPU made until somebody looks at its bits. False when memory is short. */
enum { JIT_RAW_REAL = 1, JIT_RAW_HALVES };
bool jit_raw_find(const struct ptx_function *f, uint8_t *raw);
/* The whole function may run with the CPU taking subnormal operands for zeros (MXCSR.DAZ), and has operations that want it. */
bool jit_all_flush(const struct ptx_function *f, const uint8_t *flushed);

#endif
