/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: lanes give addresses, each of a few bytes that are moved as a whole.
 *
 * What moves them is a function beside the kernel, one for each form of the instruction: it stands where the call of the
 * operation would, with operands and results where operations have theirs, and leaves to the operation what it does not do.
 * So the kernel keeps few blocks, and compiles the faster for it. */
#ifndef VGPU_JIT_EMIT_ROWS_H
#define VGPU_JIT_EMIT_ROWS_H

#include "jit/emit.h"

struct rows {
    const struct ptx_operand *operand;
    bool shared, wide;           /* where it points, and whether its register has 64 bits */
    unsigned bytes, lanes;       /* of a row; the first lanes that give one */
    LLVMValueRef place, add;     /* in the function: where the register's lanes lie, the constant */
    LLVMValueRef address;        /* <32 x i64> */
    LLVMValueRef good;           /* i1: aligned rows that may be touched */
};

/* What an operand says; false when only the operation knows where it lies. bytes is a power of two. */
bool rows_find(struct emit *e, const struct ptx_operand *o, uint8_t space, unsigned bytes, unsigned lanes, struct rows *r);
/* Move rows of n operands, all good. places: of data registers. */
typedef void rows_body(struct emit *e, struct rows *r, LLVMValueRef *places);
/* Emit the instruction as a call of the function of this name, which is made when it is not there. */
void rows_call(struct emit *e, const char *name, struct rows *r, unsigned n, const struct ptx_operand *data, unsigned n_data, rows_body *body);
/* In the body: note who is going to touch the last operand's rows, as run.h wants it. Gives the place where addresses lie in memory. */
LLVMValueRef rows_note(struct emit *e, const struct rows *r);
/* Lane's row. 'addresses' is memory that holds them: from there they come cheaper, one by one, than out of vectors. */
LLVMValueRef rows_at(struct emit *e, LLVMValueRef addresses, unsigned lane);

#endif
