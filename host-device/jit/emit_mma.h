/* SPDX-License-Identifier: Apache-2.0 */
/* The product of matrices that mma.sync is, on vectors.
 *
 * Of all fragments (PTX ISA 9.7.14.5), with lane l = 4 g + t: a register is a block of 8 rows, row g of which lies in the four
 * lanes 4 g ... 4 g + 3; B's blocks are transposed. Element (g, 2 t + p) of an 8x8 block of C is lane l of its register p. So
 * for each four bytes (two halves, one word) of k, the lane of A with them is spread over its four lanes, and of B the same
 * four columns 2 t + p come to all: one permutation of B serves the whole warp. */
#ifndef VGPU_JIT_EMIT_MMA_H
#define VGPU_JIT_EMIT_MMA_H

#include "jit/emit.h"

struct mma {
    uint8_t types[4];        /* of d, a, b, c */
    bool saturate;
    unsigned rows, columns;  /* blocks of 8 rows; registers along k */
    unsigned n_c;            /* registers of C and D */
    LLVMValueRef a[4], b[2], c[4]; /* a[column * rows + row] */
    LLVMValueRef d[4];
};

/* Fill in d. */
typedef void mma_body(struct emit *e, struct mma *m);
mma_body emit_mma_integer, emit_mma_float;

/* n lanes, each with lane q of its four. */
LLVMValueRef mma_spread(struct emit *e, LLVMValueRef a, unsigned q);
/* n lanes of B's 32: lane t of each four has column 2 t + p, there lane q. */
LLVMValueRef mma_columns(struct emit *e, LLVMValueRef b, unsigned q, unsigned p, unsigned n);

#endif
