/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: every form of gemm for real types comes down to one command. */
#include "cublas/cublas.h"

/* What is computed with which types: A and B have one type, the scalars have the scale type. The fast variants of 32F permit
 * less precision, the pedantic ones forbid it; the host computes in f32 either way. */
static const struct {
    uint8_t compute, type_ab, type_c, scale;
} combinations[] = {
    {COMPUTE_32F, TYPE_32F, TYPE_32F, TYPE_32F},   {COMPUTE_32F, TYPE_16F, TYPE_16F, TYPE_32F},
    {COMPUTE_32F, TYPE_16F, TYPE_32F, TYPE_32F},   {COMPUTE_32F, TYPE_16BF, TYPE_16BF, TYPE_32F},
    {COMPUTE_32F, TYPE_16BF, TYPE_32F, TYPE_32F},  {COMPUTE_32F, TYPE_8I, TYPE_32F, TYPE_32F},
    {COMPUTE_16F, TYPE_16F, TYPE_16F, TYPE_16F},   {COMPUTE_64F, TYPE_64F, TYPE_64F, TYPE_64F},
    {COMPUTE_32I, TYPE_8I, TYPE_32I, TYPE_32I},
};

static int plain_compute(int compute)
{
    switch (compute) {
    case COMPUTE_16F_PEDANTIC: return COMPUTE_16F;
    case COMPUTE_32F_PEDANTIC:
    case COMPUTE_32F_FAST_16F:
    case COMPUTE_32F_FAST_16BF:
    case COMPUTE_32F_FAST_TF32: return COMPUTE_32F;
    case COMPUTE_64F_PEDANTIC: return COMPUTE_64F;
    case COMPUTE_32I_PEDANTIC: return COMPUTE_32I;
    default: return compute;
    }
}

/* cudaDataType of alpha and beta, or -1. */
static int scale_type(const struct gemm *g)
{
    int compute = plain_compute(g->compute);

    for (size_t i = 0; i < sizeof combinations / sizeof *combinations; i++)
        if (combinations[i].compute == compute && combinations[i].type_ab == g->type_a &&
            combinations[i].type_ab == g->type_b && combinations[i].type_c == g->type_c)
            return combinations[i].scale;
    return -1;
}

static size_t scale_size(int type)
{
    return type == TYPE_64F ? 8 : type == TYPE_16F ? 2 : 4;
}

static bool shape_wrong(const struct gemm *g)
{
    int64_t rows_a = g->op_a == OP_N ? g->m : g->k, rows_b = g->op_b == OP_N ? g->k : g->n;

    return g->op_a < OP_N || g->op_a > OP_C || g->op_b < OP_N || g->op_b > OP_C || g->m < 0 || g->n < 0 || g->k < 0 ||
           g->batch < 0 || g->lda < (rows_a > 1 ? rows_a : 1) || g->ldb < (rows_b > 1 ? rows_b : 1) ||
           g->ldc < (g->m > 1 ? g->m : 1);
}

static bool too_large(const struct gemm *g)
{
    return g->m > INT32_MAX || g->n > INT32_MAX || g->k > INT32_MAX || g->lda > INT32_MAX || g->ldb > INT32_MAX ||
           g->ldc > INT32_MAX || g->batch > INT32_MAX;
}

cublasStatus_t gemm(cublasHandle_t handle, const struct gemm *g)
{
    cublasStatus_t status = handle_check(handle);
    int scale = scale_type(g);

    if (status)
        return status;
    if (shape_wrong(g))
        return CUBLAS_INVALID_VALUE;
    if (scale < 0)
        return not_supported("a matrix product of cudaDataType %d and %d into %d, computed as cublasComputeType_t %d",
                             g->type_a, g->type_b, g->type_c, g->compute);
    if (too_large(g))
        return not_supported("a matrix product with a dimension above 2^31 - 1");
    if (!g->m || !g->n || !g->batch)
        return CUBLAS_SUCCESS;
    if (!g->alpha || !g->beta || !g->c || (g->k && (!g->a || !g->b)))
        return CUBLAS_INVALID_VALUE;
    struct vgpu_cmd_blas_gemm command = {
        .a = (uintptr_t)g->a,
        .b = (uintptr_t)g->b,
        .c = (uintptr_t)g->c,
        .stride_a = (uint64_t)g->stride_a,
        .stride_b = (uint64_t)g->stride_b,
        .stride_c = (uint64_t)g->stride_c,
        .alpha = scalar(handle, g->alpha, scale_size(scale)),
        .beta = scalar(handle, g->beta, scale_size(scale)),
        .m = (uint32_t)g->m,
        .n = (uint32_t)g->n,
        .k = (uint32_t)g->k,
        .batch = (uint32_t)g->batch,
        .lda = (uint32_t)g->lda,
        .ldb = (uint32_t)g->ldb,
        .ldc = (uint32_t)g->ldc,
        .op_a = (uint32_t)g->op_a,
        .op_b = (uint32_t)g->op_b,
        .type_a = (uint32_t)g->type_a,
        .type_b = (uint32_t)g->type_b,
        .type_c = (uint32_t)g->type_c,
        .compute = (uint32_t)g->compute,
        .scale_type = (uint32_t)scale,
        .flags = (g->pointer_arrays ? BLAS_POINTER_ARRAYS : 0) |
                 (handle->pointer_mode == POINTER_MODE_DEVICE ? BLAS_DEVICE_SCALARS : 0),
    };
    return submit(handle->stream, VGPU_CMD_BLAS_GEMM, &command, sizeof command);
}

/* ---- the entry points, each for 32- and 64-bit dimensions ---- */

#define DIMS(I) cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, I m, I n, I k
#define SHAPE .op_a = op_a, .op_b = op_b, .m = m, .n = n, .k = k, .alpha = alpha, .beta = beta

#define PLAIN(name, I, T, type, as)                                                                                          \
    cublasStatus_t impl_cublas##name(DIMS(I), const T *alpha, const T *a, I lda, const T *b, I ldb, const T *beta, T *c,     \
                                     I ldc)                                                                                  \
    {                                                                                                                        \
        return gemm(handle, &(struct gemm){SHAPE, .a = a, .type_a = type, .lda = lda, .b = b, .type_b = type, .ldb = ldb,    \
                                           .c = c, .type_c = type, .ldc = ldc, .batch = 1, .compute = as});                  \
    }
#define BATCHED(name, I, T, type, as)                                                                                        \
    cublasStatus_t impl_cublas##name(DIMS(I), const T *alpha, void *const *a, I lda, void *const *b, I ldb, const T *beta,   \
                                     void *const *c, I ldc, I batch)                                                         \
    {                                                                                                                        \
        return gemm(handle, &(struct gemm){SHAPE, .a = a, .type_a = type, .lda = lda, .b = b, .type_b = type, .ldb = ldb,    \
                                           .c = c, .type_c = type, .ldc = ldc, .batch = batch, .compute = as,                \
                                           .pointer_arrays = true});                                                         \
    }
#define STRIDED(name, I, T, type, as)                                                                                        \
    cublasStatus_t impl_cublas##name(DIMS(I), const T *alpha, const T *a, I lda, int64_t stride_a, const T *b, I ldb,        \
                                     int64_t stride_b, const T *beta, T *c, I ldc, int64_t stride_c, I batch)                \
    {                                                                                                                        \
        return gemm(handle, &(struct gemm){SHAPE, .a = a, .type_a = type, .lda = lda, .stride_a = stride_a, .b = b,          \
                                           .type_b = type, .ldb = ldb, .stride_b = stride_b, .c = c, .type_c = type,         \
                                           .ldc = ldc, .stride_c = stride_c, .batch = batch, .compute = as});                \
    }
#define BOTH(FORM, name32, name64, T, type, as) \
    FORM(name32, int32_t, T, type, as)          \
    FORM(name64, int64_t, T, type, as)

BOTH(PLAIN, Sgemm_v2, Sgemm_v2_64, float, TYPE_32F, COMPUTE_32F)
BOTH(PLAIN, Dgemm_v2, Dgemm_v2_64, double, TYPE_64F, COMPUTE_64F)
BOTH(PLAIN, Hgemm, Hgemm_64, __half, TYPE_16F, COMPUTE_16F)
BOTH(BATCHED, SgemmBatched, SgemmBatched_64, float, TYPE_32F, COMPUTE_32F)
BOTH(BATCHED, DgemmBatched, DgemmBatched_64, double, TYPE_64F, COMPUTE_64F)
BOTH(BATCHED, HgemmBatched, HgemmBatched_64, __half, TYPE_16F, COMPUTE_16F)
BOTH(STRIDED, SgemmStridedBatched, SgemmStridedBatched_64, float, TYPE_32F, COMPUTE_32F)
BOTH(STRIDED, DgemmStridedBatched, DgemmStridedBatched_64, double, TYPE_64F, COMPUTE_64F)
BOTH(STRIDED, HgemmStridedBatched, HgemmStridedBatched_64, __half, TYPE_16F, COMPUTE_16F)

#define TYPES .type_a = type_a, .lda = lda, .b = b, .type_b = type_b, .ldb = ldb, .c = c, .type_c = type_c, .ldc = ldc

#define EX(sgemm_name, gemm_name, batched_name, strided_name, I)                                                             \
    cublasStatus_t impl_cublas##sgemm_name(DIMS(I), const float *alpha, const void *a, cudaDataType type_a, I lda,           \
                                           const void *b, cudaDataType type_b, I ldb, const float *beta, void *c,            \
                                           cudaDataType type_c, I ldc)                                                       \
    {                                                                                                                        \
        return gemm(handle, &(struct gemm){SHAPE, .a = a, TYPES, .batch = 1, .compute = COMPUTE_32F});                       \
    }                                                                                                                        \
    cublasStatus_t impl_cublas##gemm_name(DIMS(I), const void *alpha, const void *a, cudaDataType type_a, I lda,             \
                                          const void *b, cudaDataType type_b, I ldb, const void *beta, void *c,              \
                                          cudaDataType type_c, I ldc, cublasComputeType_t compute, cublasGemmAlgo_t algo)    \
    {                                                                                                                        \
        return gemm(handle, &(struct gemm){SHAPE, .a = a, TYPES, .batch = 1, .compute = compute});                           \
    }                                                                                                                        \
    cublasStatus_t impl_cublas##batched_name(DIMS(I), const void *alpha, void *const *a, cudaDataType type_a, I lda,         \
                                             void *const *b, cudaDataType type_b, I ldb, const void *beta, void *const *c,   \
                                             cudaDataType type_c, I ldc, I batch, cublasComputeType_t compute,               \
                                             cublasGemmAlgo_t algo)                                                          \
    {                                                                                                                        \
        return gemm(handle,                                                                                                  \
                    &(struct gemm){SHAPE, .a = a, TYPES, .batch = batch, .compute = compute, .pointer_arrays = true});       \
    }                                                                                                                        \
    cublasStatus_t impl_cublas##strided_name(DIMS(I), const void *alpha, const void *a, cudaDataType type_a, I lda,          \
                                             int64_t stride_a, const void *b, cudaDataType type_b, I ldb, int64_t stride_b,  \
                                             const void *beta, void *c, cudaDataType type_c, I ldc, int64_t stride_c,        \
                                             I batch, cublasComputeType_t compute, cublasGemmAlgo_t algo)                    \
    {                                                                                                                        \
        return gemm(handle, &(struct gemm){SHAPE, .a = a, TYPES, .stride_a = stride_a, .stride_b = stride_b,                 \
                                           .stride_c = stride_c, .batch = batch, .compute = compute});                       \
    }
EX(SgemmEx, GemmEx, GemmBatchedEx, GemmStridedBatchedEx, int32_t)
EX(SgemmEx_64, GemmEx_64, GemmBatchedEx_64, GemmStridedBatchedEx_64, int64_t)
