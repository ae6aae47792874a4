/* SPDX-License-Identifier: Apache-2.0 */
/* Triangular solves. */
#include "cublas/cublas.h"

struct trsm {
    int side, uplo, op, diag;
    int64_t m, n;
    const void *alpha, *a;
    int64_t lda;
    const void *b;
    int64_t ldb, batch;
    int type;
    bool pointer_arrays;
};

static cublasStatus_t trsm(cublasHandle_t handle, const struct trsm *t)
{
    cublasStatus_t status = handle_check(handle);
    int64_t order = t->side == 0 ? t->m : t->n;

    if (status)
        return status;
    if (t->side < 0 || t->side > 1 || t->uplo < 0 || t->uplo > 1 || t->op < OP_N || t->op > OP_C || t->diag < 0 ||
        t->diag > 1 || t->m < 0 || t->n < 0 || t->batch < 0 || t->lda < (order > 1 ? order : 1) ||
        t->ldb < (t->m > 1 ? t->m : 1))
        return CUBLAS_INVALID_VALUE;
    if (t->m > INT32_MAX || t->n > INT32_MAX || t->lda > INT32_MAX || t->ldb > INT32_MAX || t->batch > INT32_MAX)
        return not_supported("a triangular solve with a dimension above 2^31 - 1");
    if (!t->m || !t->n || !t->batch)
        return CUBLAS_SUCCESS;
    if (!t->alpha || !t->a || !t->b)
        return CUBLAS_INVALID_VALUE;
    struct vgpu_cmd_blas_trsm command = {
        .a = (uintptr_t)t->a,
        .b = (uintptr_t)t->b,
        .alpha = scalar(handle, t->alpha, t->type == TYPE_64F ? 8 : 4),
        .m = (uint32_t)t->m,
        .n = (uint32_t)t->n,
        .batch = (uint32_t)t->batch,
        .lda = (uint32_t)t->lda,
        .ldb = (uint32_t)t->ldb,
        .side = (uint32_t)t->side,
        .uplo = (uint32_t)t->uplo,
        .op = (uint32_t)t->op,
        .diag = (uint32_t)t->diag,
        .type = (uint32_t)t->type,
        .flags = (t->pointer_arrays ? BLAS_POINTER_ARRAYS : 0) |
                 (handle->pointer_mode == POINTER_MODE_DEVICE ? BLAS_DEVICE_SCALARS : 0),
    };
    return submit(handle->stream, VGPU_CMD_BLAS_TRSM, &command, sizeof command);
}

#define HEAD(I) \
    cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t op, cublasDiagType_t diag, I m, I n
#define BODY(number, arrays, count)                                                                                       \
    return trsm(handle, &(struct trsm){side, uplo, op, diag, m, n, alpha, a, lda, b, ldb, count, number, arrays})

#define TRSM(plain, batched, I, T, type)                                                                                  \
    cublasStatus_t impl_cublas##plain(HEAD(I), const T *alpha, const T *a, I lda, T *b, I ldb)                            \
    {                                                                                                                     \
        BODY(type, false, 1);                                                                                             \
    }                                                                                                                     \
    cublasStatus_t impl_cublas##batched(HEAD(I), const T *alpha, void *const *a, I lda, void *const *b, I ldb, I batch)   \
    {                                                                                                                     \
        BODY(type, true, batch);                                                                                          \
    }
TRSM(Strsm_v2, StrsmBatched, int32_t, float, TYPE_32F)
TRSM(Strsm_v2_64, StrsmBatched_64, int64_t, float, TYPE_32F)
TRSM(Dtrsm_v2, DtrsmBatched, int32_t, double, TYPE_64F)
TRSM(Dtrsm_v2_64, DtrsmBatched_64, int64_t, double, TYPE_64F)
