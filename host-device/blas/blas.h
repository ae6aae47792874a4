/* SPDX-License-Identifier: Apache-2.0 */
/* The dense linear algebra that cuBLAS offers, on OpenBLAS: column-major matrices of CUDA's data types in host memory.
 *
 * f32 and f64 run in place. f16 and bf16 are widened to f32, multiplied, and each result is rounded once; int8 is multiplied
 * exactly in int32. The caller has checked that the memory is there. */
#ifndef VGPU_BLAS_BLAS_H
#define VGPU_BLAS_BLAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* cudaDataType */
enum { BLAS_R_32F = 0, BLAS_R_64F = 1, BLAS_R_16F = 2, BLAS_R_8I = 3, BLAS_R_32I = 10, BLAS_R_16BF = 14 };
/* cublasOperation_t */
enum { BLAS_N = 0, BLAS_T = 1, BLAS_C = 2 };

/* Bytes of one element, 0 for a type that is not supported. */
size_t blas_type_size(uint32_t type);

struct blas_gemm {
    uint32_t m, n, k;            /* C is m x n, op(A) m x k, op(B) k x n */
    uint32_t op_a, op_b;
    uint32_t type_a, type_b, type_c;
    uint32_t lda, ldb, ldc;      /* elements from one column to the next */
    double alpha, beta;          /* with beta 0, C is not read */
};

/* True when this combination of types and shapes can be computed: what blas_gemm_run() requires. */
bool blas_gemm_supported(const struct blas_gemm *g);
/* C = alpha op(A) op(B) + beta C. False when there is no memory for the widened copies. */
bool blas_gemm_run(const struct blas_gemm *g, const void *a, const void *b, void *c);

struct blas_trsm {
    uint32_t m, n;               /* B is m x n */
    bool right, upper, unit;
    uint32_t op, type;           /* BLAS_R_32F or BLAS_R_64F */
    uint32_t lda, ldb;
    double alpha;
};
bool blas_trsm_supported(const struct blas_trsm *t);
/* op(A) X = alpha B, or X op(A) = alpha B; X overwrites B. */
void blas_trsm_run(const struct blas_trsm *t, const void *a, void *b);

/* Have the library start its threads now rather than at the first large product. */
void blas_start_threads(void);

/* How many columns and rows a matrix as stored has, to know its bytes: ld * (columns - 1) + rows elements. */
static inline uint64_t blas_extent(uint64_t rows, uint64_t columns, uint64_t ld)
{
    return rows && columns ? ld * (columns - 1) + rows : 0;
}

#endif
