/* SPDX-License-Identifier: Apache-2.0 */
/* Halves as vectors of i16: one element a lane, or two in a row; a uniform operand has one lane. */
#ifndef VGPU_JIT_EMIT_HALF_H
#define VGPU_JIT_EMIT_HALF_H

#include "jit/emit.h"

#define NAN_16 0x7fffu /* the one that the hardware writes */

/* The elements of a source of 16 or 32 bits, NULL as emit_source(). */
LLVMValueRef half_elements(struct emit *e, const struct ptx_operand *o, unsigned bits);
/* The same for f16 arithmetic, to which any NaN is one. */
LLVMValueRef half_raw_elements(struct emit *e, const struct ptx_operand *o, unsigned bits);
void half_result(struct emit *e, const struct ptx_operand *o, LLVMValueRef halves);
/* To f32, and back to nearest even. f16 needs more than the baseline instruction set. */
LLVMValueRef half_widen(struct emit *e, LLVMValueRef halves, bool bf16);
LLVMValueRef half_narrow(struct emit *e, LLVMValueRef floats, bool bf16);
/* To what is the instruction's result: a NaN of f16 may stay as it comes where that is raw. */
LLVMValueRef half_narrow_result(struct emit *e, LLVMValueRef floats, bool bf16);

#endif
