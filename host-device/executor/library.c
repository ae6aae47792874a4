/* SPDX-License-Identifier: Apache-2.0 */
/* Library calls of the guest's cuBLAS, run on the host's BLAS. OpenBLAS works on threads of its own, where a fault could not be
 * turned into the guest's error: so all memory is checked to be mapped before, not while, it is used. */
#include <inttypes.h>
#include <string.h>

#include "blas/blas.h"
#include "executor/executor.h"
#include "executor/watchdog.h"
#include "ring_commands.h"
#include "ring_decode.h"

#define POINTER_ARRAYS 1u
#define DEVICE_SCALARS 2u

/* A scalar of cudaDataType 'type', given as its bits or as a device address. */
static bool take_scalar(struct vgx *x, uint64_t bits, uint32_t type, bool is_address, double *out)
{
    union {
        uint64_t u;
        float f;
        double d;
        int32_t i;
        _Float16 h;
        uint16_t b;
    } v = { bits };

    if (is_address) {
        size_t n = blas_type_size(type);

        if (!n || !vgx_range_mapped(x, bits, n))
            return false;
        memcpy(&v, (const void *)bits, n);
    }
    switch (type) {
    case BLAS_R_32F: *out = v.f; return true;
    case BLAS_R_64F: *out = v.d; return true;
    case BLAS_R_16F: *out = (double)v.h; return true;
    case BLAS_R_32I: *out = v.i; return true;
    case BLAS_R_16BF:
        v.u = (uint64_t)v.b << 16;
        *out = v.f;
        return true;
    default: return false;
    }
}

/* The i-th matrix of a batch: from a device array of pointers, or by stride. 0 when the array is not mapped. */
static uint64_t matrix(struct vgx *x, uint64_t base, uint64_t stride, size_t element, uint32_t i, bool pointers)
{
    uint64_t address;

    if (!pointers)
        return base + i * stride * element;
    if (!vgx_range_mapped(x, base + 8ull * i, 8))
        return 0;
    memcpy(&address, (const void *)(base + 8ull * i), 8);
    return address;
}

static bool mapped(struct vgx *x, uint64_t va, uint64_t elements, size_t element)
{
    return elements <= VGPU_WINDOW_SIZE / 8 && vgx_range_mapped(x, va, elements * element);
}

/* A kernel of the library's would stop at it. */
static bool misaligned(uint64_t va, uint64_t elements, size_t element)
{
    return elements && va % element;
}

/* A batch is watched as a kernel is, between its members. */
static uint32_t late(struct vgx *x, uint32_t done, uint32_t batch)
{
    return vgx_fail(x, CU_TIMEOUT, "the watchdog ended a batch of the matrix library after %u of %u", done, batch);
}

uint32_t vgx_cmd_blas_gemm(void *executor, const struct vgpu_cmd_blas_gemm *c)
{
    struct vgx *x = executor;
    struct blas_gemm g = { c->m,      c->n,      c->k,   c->op_a, c->op_b, c->type_a, c->type_b,
                           c->type_c, c->lda,    c->ldb, c->ldc,  0,       0 };
    bool pointers = c->flags & POINTER_ARRAYS, device_scalars = c->flags & DEVICE_SCALARS;
    uint64_t na = blas_extent(c->op_a ? c->k : c->m, c->op_a ? c->m : c->k, c->lda);
    uint64_t nb = blas_extent(c->op_b ? c->n : c->k, c->op_b ? c->k : c->n, c->ldb);
    uint64_t nc = blas_extent(c->m, c->n, c->ldc);
    const volatile uint32_t *cancel;
    uint32_t status = CU_OK;

    if (!blas_gemm_supported(&g) || (c->flags & ~(POINTER_ARRAYS | DEVICE_SCALARS)))
        return vgx_fail(x, CU_NOT_SUPPORTED, "a matrix product of types %u, %u -> %u is not supported", c->type_a, c->type_b, c->type_c);
    if (!take_scalar(x, c->alpha, c->scale_type, device_scalars, &g.alpha) ||
        !take_scalar(x, c->beta, c->scale_type, device_scalars, &g.beta))
        return vgx_fail(x, CU_ILLEGAL_ADDRESS, "a matrix product's alpha or beta cannot be read");
    if (!nc)
        return CU_OK;
    cancel = vgx_watchdog_begin();
    for (uint32_t i = 0; i < c->batch && !status; i++) {
        uint64_t a = matrix(x, c->a, c->stride_a, blas_type_size(c->type_a), i, pointers);
        uint64_t b = matrix(x, c->b, c->stride_b, blas_type_size(c->type_b), i, pointers);
        uint64_t out = matrix(x, c->c, c->stride_c, blas_type_size(c->type_c), i, pointers);

        if (!mapped(x, a, na, blas_type_size(c->type_a)) || !mapped(x, b, nb, blas_type_size(c->type_b)) ||
            !mapped(x, out, nc, blas_type_size(c->type_c)))
            status = vgx_fail(x, CU_ILLEGAL_ADDRESS, "a matrix product touches memory that is not allocated (A %#" PRIx64
                              ", B %#" PRIx64 ", C %#" PRIx64 ")", a, b, out);
        else if (misaligned(a, na, blas_type_size(c->type_a)) || misaligned(b, nb, blas_type_size(c->type_b)) ||
                 misaligned(out, nc, blas_type_size(c->type_c)))
            status = vgx_fail(x, CU_MISALIGNED_ADDRESS, "a matrix product's matrices are not aligned (A %#" PRIx64 ", B %#" PRIx64
                              ", C %#" PRIx64 ")", a, b, out);
        else if (cancel && *cancel)
            status = late(x, i, c->batch);
        else if (!blas_gemm_run(&g, (const void *)a, (const void *)b, (void *)out))
            status = vgx_fail(x, CU_OUT_OF_MEMORY, "no host memory for a matrix product");
    }
    vgx_watchdog_end();
    return status;
}

uint32_t vgx_cmd_blas_trsm(void *executor, const struct vgpu_cmd_blas_trsm *c)
{
    struct vgx *x = executor;
    struct blas_trsm t = { c->m, c->n, c->side, c->uplo, c->diag, c->op, c->type, c->lda, c->ldb, 0 };
    uint64_t order = c->side ? c->n : c->m, nb = blas_extent(c->m, c->n, c->ldb);
    const volatile uint32_t *cancel;
    uint32_t status = CU_OK;

    if (!blas_trsm_supported(&t) || (c->flags & ~(POINTER_ARRAYS | DEVICE_SCALARS)))
        return vgx_fail(x, CU_NOT_SUPPORTED, "a triangular solve of type %u is not supported", c->type);
    if (!take_scalar(x, c->alpha, c->type, c->flags & DEVICE_SCALARS, &t.alpha))
        return vgx_fail(x, CU_ILLEGAL_ADDRESS, "a triangular solve's alpha cannot be read");
    if (!nb)
        return CU_OK;
    cancel = vgx_watchdog_begin();
    for (uint32_t i = 0; i < c->batch && !status; i++) {
        uint64_t a = matrix(x, c->a, 0, 0, i, c->flags & POINTER_ARRAYS);
        uint64_t b = matrix(x, c->b, 0, 0, i, c->flags & POINTER_ARRAYS);
        size_t element = blas_type_size(c->type);

        if (!mapped(x, a, blas_extent(order, order, c->lda), element) || !mapped(x, b, nb, element))
            status = vgx_fail(x, CU_ILLEGAL_ADDRESS, "a triangular solve touches memory that is not allocated");
        else if (misaligned(a, order, element) || misaligned(b, nb, element))
            status = vgx_fail(x, CU_MISALIGNED_ADDRESS, "a triangular solve's matrices are not aligned (A %#" PRIx64 ", B %#" PRIx64 ")",
                              a, b);
        else if (cancel && *cancel)
            status = late(x, i, c->batch);
        else
            blas_trsm_run(&t, (const void *)a, (void *)b);
    }
    vgx_watchdog_end();
    return status;
}
