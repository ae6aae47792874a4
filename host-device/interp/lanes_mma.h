/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the matrix family share: shapes, element formats, and the product of 8x8 blocks.
 *
 * All fragment layouts come from one pattern (PTX ISA 9.7.14.5): with lane l = 4 g + t, a register whose 32-bit words hold e
 * elements is a block of 8 rows and 4 e columns, row g, columns t e ... t e + e - 1. That is simply the block in row order,
 * one word after the other, as it lies in a register array. So a register of A is a block of A, a register of B is a block
 * of B transposed, and a pair of accumulator registers, interleaved, is an 8x8 block of C.
 *
 * Elements become floats: every product of two elements is exact in f32, and for integers so are the sums (64 products of at
 * most 255 * 255 stay below 2^24). Float products are summed in f32, and the accumulator is added once, at the end. */
#ifndef VGPU_INTERP_LANES_MMA_H
#define VGPU_INTERP_LANES_MMA_H

#ifdef __FMA__
#include <immintrin.h>
#endif

#include "interp/lanes_float.h"

struct mma_shape {
    uint16_t m, n, k;
};
static const struct mma_shape mma_shapes[PTX_shape_count] __attribute__((unused)) = {
#define X(M, N, K) [PTX_shape_m##M##n##N##k##K] = {M, N, K}
    X(8, 8, 4), X(8, 8, 16), X(8, 8, 32), X(8, 8, 128),
    X(16, 8, 4), X(16, 8, 8), X(16, 8, 16), X(16, 8, 32), X(16, 8, 64), X(16, 8, 128), X(16, 8, 256),
    X(16, 16, 16), X(8, 32, 16), X(32, 8, 16), X(16, 16, 8),
#undef X
};

/* A format of A's and B's elements. */
struct mma_format {
    uint8_t bits;
    char kind; /* 'f' float, 'i' integer */
    /* The 32 * 32 / bits elements of a register in order, as floats. */
    void (*rows)(float *out, const void *words);
    /* The same transposed: a block of B, out[k * 8 + n]. */
    void (*columns)(float *out, const uint32_t *words);
};
/* NULL for a type that is none. Defined once for each instruction set, in lanes_mma.c. */
#define mma_format_of LANES(mma_format_of_type)
const struct mma_format *mma_format_of(unsigned type);

typedef float v8f __attribute__((vector_size(32), aligned(4), may_alias));

/* acc[8][8] += a[8][k] * b[k][8], with rows of lda and ldb floats. */
static inline __attribute__((always_inline)) void mma_block(float *out, const float *a, unsigned lda, const float *b,
                                                             unsigned ldb, unsigned k, int first)
{
    v8f acc[8];

#pragma GCC unroll 8
    for (unsigned m = 0; m < 8; m++)
        acc[m] = first ? (v8f){0} : *(const v8f *)(out + m * 8);
    for (unsigned i = 0; i < k; i++) {
        const v8f row = *(const v8f *)(b + i * ldb);
#pragma GCC unroll 8
        for (unsigned m = 0; m < 8; m++) {
            const float x = a[m * lda + i];
            const v8f spread = {x, x, x, x, x, x, x, x};
#ifdef __FMA__
            acc[m] = (v8f)_mm256_fmadd_ps((__m256)spread, (__m256)row, (__m256)acc[m]);
#else
            acc[m] += spread * row; /* the same: the product is exact */
#endif
        }
    }
#pragma GCC unroll 8
    for (unsigned m = 0; m < 8; m++)
        *(v8f *)(out + m * 8) = acc[m];
}

/* Add the accumulator in registers c to block[64], whose even elements are the first register's and odd ones the second's, and
 * write it as registers out[0..31] and out[32..63]. An f16 accumulator packs the pair in one register. */
#define mma_accumulate LANES(mma_accumulate_block)
void mma_accumulate(uint32_t *out, unsigned d_type, float *block, const void *const *c, unsigned c_type, int saturate);

static inline unsigned mma_registers(unsigned type) /* of a block */
{
    return type == PTX_TYPE_f16 ? 1 : 2;
}

/* Write n registers of results. Only now: a destination may be a source under another number. */
#define mma_store LANES(mma_store_registers)
void mma_store(const struct lane_args *args, const uint32_t (*out)[LANES_PER_WARP], unsigned n);

/* The selectors behind lanes_select_matrix. */
lane_selector LANES(mma_select), LANES(mma_sparse_select), LANES(wmma_select), LANES(ldmatrix_select);

#endif
