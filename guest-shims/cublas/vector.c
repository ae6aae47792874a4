/* SPDX-License-Identifier: Apache-2.0 */
/* What of levels 1 and 2 is a matrix product in disguise. A vector with step inc is the one row of a matrix with leading
 * dimension inc, or, transposed, its one column. Negative steps would run backwards: not supported. */
#include "cublas/cublas.h"

/* The handle's device memory: 1.0 as f64 at 0, as f32 at 8; at 16 a result on its way to the host. */
enum { ONE_F64 = 0, ONE_F32 = 8, RESULT = 16, SLOT_BYTES = 32 };

static cublasStatus_t slot(cublasHandle_t handle, CUdeviceptr *address)
{
    const struct {
        double f64;
        float f32, rest[5];
    } ones = {1, 1, {0}};
    CUresult error = 0;

    if (!handle->slot) {
        error = cuMemAlloc_v2(address, SLOT_BYTES);
        if (!error)
            error = cuMemcpyHtoD_v2(*address, &ones, SLOT_BYTES);
        if (error)
            return status_of(error);
        handle->slot = *address;
    }
    *address = handle->slot;
    return CUBLAS_SUCCESS;
}

/* What the real types differ in. */
struct real {
    int type, compute, one_at;
    size_t size;
    union {
        float f32;
        double f64;
    } one, zero;
};
static const struct real f32 = {TYPE_32F, COMPUTE_32F, ONE_F32, 4, {.f32 = 1}, {.f32 = 0}};
static const struct real f64 = {TYPE_64F, COMPUTE_64F, ONE_F64, 8, {.f64 = 1}, {.f64 = 0}};

static cublasStatus_t steps(cublasHandle_t handle, int64_t n, int64_t incx, int64_t incy)
{
    cublasStatus_t status = handle_check(handle);

    if (status)
        return status;
    if (n < 0 || !incx || !incy)
        return CUBLAS_INVALID_VALUE;
    return incx < 0 || incy < 0 ? not_supported("vectors with a negative step") : CUBLAS_SUCCESS;
}

/* y = alpha op(A) x + beta y, as y' = x' op(A)'. */
static cublasStatus_t gemv(cublasHandle_t handle, const struct real *r, int op, int64_t m, int64_t n, const void *alpha,
                           const void *a, int64_t lda, const void *x, int64_t incx, const void *beta, void *y, int64_t incy)
{
    cublasStatus_t status = steps(handle, m < n ? m : n, incx, incy);
    int64_t rows = op == OP_N ? m : n, columns = op == OP_N ? n : m;

    if (!status && (op < OP_N || op > OP_C || lda < (m > 1 ? m : 1)))
        status = CUBLAS_INVALID_VALUE;
    if (status)
        return status;
    return gemm(handle, &(struct gemm){.op_b = op == OP_N ? OP_T : OP_N, .m = 1, .n = rows, .k = columns, .alpha = alpha,
                                       .a = x, .type_a = r->type, .lda = incx, .b = a, .type_b = r->type, .ldb = lda,
                                       .beta = beta, .c = y, .type_c = r->type, .ldc = incy, .batch = 1,
                                       .compute = r->compute});
}

/* A = alpha x y' + A */
static cublasStatus_t ger(cublasHandle_t handle, const struct real *r, int64_t m, int64_t n, const void *alpha, const void *x,
                          int64_t incx, const void *y, int64_t incy, void *a, int64_t lda)
{
    cublasStatus_t status = steps(handle, m < n ? m : n, incx, incy);
    const void *one = &r->one;
    CUdeviceptr at = 0;

    if (!status && handle->pointer_mode == POINTER_MODE_DEVICE) {
        status = slot(handle, &at);
        one = (const void *)(uintptr_t)(at + (CUdeviceptr)r->one_at);
    }
    if (status)
        return status;
    return gemm(handle, &(struct gemm){.op_a = OP_T, .m = m, .n = n, .k = 1, .alpha = alpha, .a = x, .type_a = r->type,
                                       .lda = incx, .b = y, .type_b = r->type, .ldb = incy, .beta = one, .c = a,
                                       .type_c = r->type, .ldc = lda, .batch = 1, .compute = r->compute});
}

/* x = alpha x: a product over nothing. */
static cublasStatus_t scal(cublasHandle_t handle, const struct real *r, int64_t n, const void *alpha, void *x, int64_t incx)
{
    cublasStatus_t status = steps(handle, n, incx, 1);

    if (status || !n)
        return status;
    return gemm(handle, &(struct gemm){.m = 1, .n = n, .k = 0, .alpha = alpha, .a = x, .type_a = r->type, .lda = 1, .b = x,
                                       .type_b = r->type, .ldb = 1, .beta = alpha, .c = x, .type_c = r->type, .ldc = incx,
                                       .batch = 1, .compute = r->compute});
}

/* y = alpha x + y */
static cublasStatus_t axpy(cublasHandle_t handle, const struct real *r, int64_t n, const void *alpha, const void *x,
                           int64_t incx, void *y, int64_t incy)
{
    cublasStatus_t status = steps(handle, n, incx, incy);
    CUdeviceptr at = 0;

    if (!status && n)
        status = slot(handle, &at);
    if (status || !n)
        return status;
    const void *one = (const void *)(uintptr_t)(at + (CUdeviceptr)r->one_at);
    return gemm(handle, &(struct gemm){.m = 1, .n = n, .k = 1, .alpha = alpha, .a = one, .type_a = r->type, .lda = 1, .b = x,
                                       .type_b = r->type, .ldb = incx,
                                       .beta = handle->pointer_mode == POINTER_MODE_DEVICE ? one : &r->one, .c = y,
                                       .type_c = r->type, .ldc = incy, .batch = 1, .compute = r->compute});
}

/* x' y. A result for the host is waited for. */
static cublasStatus_t dot(cublasHandle_t handle, const struct real *r, int64_t n, const void *x, int64_t incx, const void *y,
                          int64_t incy, void *result)
{
    cublasStatus_t status = steps(handle, n, incx, incy);
    CUdeviceptr at = 0;
    bool to_host;

    if (!status && !result)
        status = CUBLAS_INVALID_VALUE;
    if (!status)
        status = slot(handle, &at);
    if (status)
        return status;
    to_host = handle->pointer_mode == POINTER_MODE_HOST;
    struct cublasContext with_host_scalars = *handle;
    with_host_scalars.pointer_mode = POINTER_MODE_HOST;
    void *out = to_host ? (void *)(uintptr_t)(at + RESULT) : result;
    status = gemm(&with_host_scalars,
                  &(struct gemm){.op_b = OP_T, .m = 1, .n = 1, .k = n, .alpha = &r->one, .a = x, .type_a = r->type, .lda = incx,
                                 .b = y, .type_b = r->type, .ldb = incy, .beta = &r->zero, .c = out, .type_c = r->type,
                                 .ldc = 1, .batch = 1, .compute = r->compute});
    if (!status && to_host)
        status = status_of(cuMemcpyDtoHAsync_v2(result, at + RESULT, r->size, handle->stream));
    if (!status && to_host)
        status = status_of(cuStreamSynchronize(handle->stream));
    return status;
}

#define FORMS(P, suffix, I, T, real)                                                                                         \
    cublasStatus_t impl_cublas##P##gemv_v2##suffix(cublasHandle_t handle, cublasOperation_t op, I m, I n, const T *alpha,    \
                                                   const T *a, I lda, const T *x, I incx, const T *beta, T *y, I incy)       \
    {                                                                                                                        \
        return gemv(handle, &real, op, m, n, alpha, a, lda, x, incx, beta, y, incy);                                         \
    }                                                                                                                        \
    cublasStatus_t impl_cublas##P##ger_v2##suffix(cublasHandle_t handle, I m, I n, const T *alpha, const T *x, I incx,       \
                                                  const T *y, I incy, T *a, I lda)                                           \
    {                                                                                                                        \
        return ger(handle, &real, m, n, alpha, x, incx, y, incy, a, lda);                                                    \
    }                                                                                                                        \
    cublasStatus_t impl_cublas##P##scal_v2##suffix(cublasHandle_t handle, I n, const T *alpha, T *x, I incx)                 \
    {                                                                                                                        \
        return scal(handle, &real, n, alpha, x, incx);                                                                       \
    }                                                                                                                        \
    cublasStatus_t impl_cublas##P##axpy_v2##suffix(cublasHandle_t handle, I n, const T *alpha, const T *x, I incx, T *y,     \
                                                   I incy)                                                                   \
    {                                                                                                                        \
        return axpy(handle, &real, n, alpha, x, incx, y, incy);                                                              \
    }                                                                                                                        \
    cublasStatus_t impl_cublas##P##dot_v2##suffix(cublasHandle_t handle, I n, const T *x, I incx, const T *y, I incy,        \
                                                  T *result)                                                                 \
    {                                                                                                                        \
        return dot(handle, &real, n, x, incx, y, incy, result);                                                              \
    }
FORMS(S, , int32_t, float, f32)
FORMS(S, _64, int64_t, float, f32)
FORMS(D, , int32_t, double, f64)
FORMS(D, _64, int64_t, double, f64)
