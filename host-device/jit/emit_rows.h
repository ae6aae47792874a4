/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: lanes give addresses, each of a few bytes that are moved as a whole. */
#ifndef VGPU_JIT_EMIT_ROWS_H
#define VGPU_JIT_EMIT_ROWS_H

#include "jit/emit.h"

struct rows {
    LLVMValueRef address;    /* <32 x i64> */
    LLVMValueRef good;       /* i1: n bytes may be touched at each of the first 'lanes' ones, and these are aligned */
};

/* False when only the operation knows where the operand lies. n is a power of two. */
bool rows_find(struct emit *e, const struct ptx_operand *o, uint8_t space, unsigned n, unsigned lanes, struct rows *r);
/* Note who is going to touch the rows, as run.h wants it. Gives the place where addresses lie in memory. */
LLVMValueRef rows_note(struct emit *e, const struct rows *r, unsigned n);
/* Lane's row. 'addresses' is memory that holds them: from there they come cheaper, one by one, than out of vectors. */
LLVMValueRef rows_at(struct emit *e, LLVMValueRef addresses, unsigned lane);

#endif
