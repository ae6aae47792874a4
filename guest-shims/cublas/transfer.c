/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of vectors and matrices between the host and the device: the driver's two-dimensional copies. */
#include "cublas/cublas.h"

struct transfer {
    int64_t rows, columns, element;
    const void *src;
    int64_t src_ld;
    void *dst;
    int64_t dst_ld;
};

static cublasStatus_t transfer(const struct transfer *t, cudaStream_t stream, bool async)
{
    if (t->rows < 0 || t->columns < 0 || t->element <= 0 || t->src_ld < t->rows || t->dst_ld < t->rows)
        return CUBLAS_INVALID_VALUE;
    if (!t->rows || !t->columns)
        return CUBLAS_SUCCESS;
    const CUDA_MEMCPY2D copy = {
        .src_type = CU_MEMORYTYPE_UNIFIED,
        .src_device = (uintptr_t)t->src,
        .src_pitch = (size_t)(t->src_ld * t->element),
        .dst_type = CU_MEMORYTYPE_UNIFIED,
        .dst_device = (uintptr_t)t->dst,
        .dst_pitch = (size_t)(t->dst_ld * t->element),
        .width = (size_t)(t->rows * t->element),
        .height = (size_t)t->columns,
    };
    CUresult error = async ? cuMemcpy2DAsync_v2(&copy, stream) : cuMemcpy2DUnaligned_v2(&copy);
    return error ? CUBLAS_MAPPING_ERROR : CUBLAS_SUCCESS;
}

/* A vector with a step is a matrix of one row. */
#define VECTOR(name, async_name, I)                                                                                         \
    cublasStatus_t impl_cublas##name(I n, I element, const void *x, I incx, void *y, I incy)                                \
    {                                                                                                                       \
        return incx > 0 && incy > 0 ? transfer(&(struct transfer){1, n, element, x, incx, y, incy}, NULL, false)            \
                                    : CUBLAS_INVALID_VALUE;                                                                 \
    }                                                                                                                       \
    cublasStatus_t impl_cublas##async_name(I n, I element, const void *x, I incx, void *y, I incy, cudaStream_t stream)     \
    {                                                                                                                       \
        return incx > 0 && incy > 0 ? transfer(&(struct transfer){1, n, element, x, incx, y, incy}, stream, true)           \
                                    : CUBLAS_INVALID_VALUE;                                                                 \
    }
#define MATRIX(name, async_name, I)                                                                                         \
    cublasStatus_t impl_cublas##name(I rows, I columns, I element, const void *a, I lda, void *b, I ldb)                    \
    {                                                                                                                       \
        return transfer(&(struct transfer){rows, columns, element, a, lda, b, ldb}, NULL, false);                           \
    }                                                                                                                       \
    cublasStatus_t impl_cublas##async_name(I rows, I columns, I element, const void *a, I lda, void *b, I ldb,              \
                                           cudaStream_t stream)                                                             \
    {                                                                                                                       \
        return transfer(&(struct transfer){rows, columns, element, a, lda, b, ldb}, stream, true);                          \
    }
VECTOR(SetVector, SetVectorAsync, int32_t)
VECTOR(SetVector_64, SetVectorAsync_64, int64_t)
VECTOR(GetVector, GetVectorAsync, int32_t)
VECTOR(GetVector_64, GetVectorAsync_64, int64_t)
MATRIX(SetMatrix, SetMatrixAsync, int32_t)
MATRIX(SetMatrix_64, SetMatrixAsync_64, int64_t)
MATRIX(GetMatrix, GetMatrixAsync, int32_t)
MATRIX(GetMatrix_64, GetMatrixAsync_64, int64_t)
