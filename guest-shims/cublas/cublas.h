/* SPDX-License-Identifier: Apache-2.0 */
/* What cuBLAS's files share: handles, the commands they submit, and cuBLAS's numbers. */
#ifndef VGPU_CUBLAS_CUBLAS_H
#define VGPU_CUBLAS_CUBLAS_H

#include <stdbool.h>
#include <string.h>

#include "channel/hooks.h"
#include "cublas_impl.h"
#include "cublas_types.h"
#include "cuda/cuda_abi.h"
#include "cuda_api.h"
#include "ring_commands.h"

#define CUBLAS_VERSION (VGPU_CUDA_MAJOR == 12 ? 120900 : 130000)

enum {
    CUBLAS_SUCCESS = 0,
    CUBLAS_NOT_INITIALIZED = 1,
    CUBLAS_ALLOC_FAILED = 3,
    CUBLAS_INVALID_VALUE = 7,
    CUBLAS_ARCH_MISMATCH = 8,
    CUBLAS_MAPPING_ERROR = 11,
    CUBLAS_EXECUTION_FAILED = 13,
    CUBLAS_INTERNAL_ERROR = 14,
    CUBLAS_NOT_SUPPORTED = 15,
};

/* cudaDataType */
enum { TYPE_32F = 0, TYPE_64F = 1, TYPE_16F = 2, TYPE_8I = 3, TYPE_32I = 10, TYPE_16BF = 14 };
/* cublasComputeType_t */
enum {
    COMPUTE_16F = 64,
    COMPUTE_16F_PEDANTIC = 65,
    COMPUTE_32F = 68,
    COMPUTE_32F_PEDANTIC = 69,
    COMPUTE_64F = 70,
    COMPUTE_64F_PEDANTIC = 71,
    COMPUTE_32I = 72,
    COMPUTE_32I_PEDANTIC = 73,
    COMPUTE_32F_FAST_16F = 74,
    COMPUTE_32F_FAST_16BF = 75,
    COMPUTE_32F_FAST_TF32 = 77,
};
enum { OP_N, OP_T, OP_C };
enum { POINTER_MODE_HOST, POINTER_MODE_DEVICE };

/* Flags of the ring's commands. */
#define BLAS_POINTER_ARRAYS 1u
#define BLAS_DEVICE_SCALARS 2u

struct cublasContext {
    uint64_t magic; /* HANDLE_MAGIC while the handle lives */
    CUcontext context;
    cudaStream_t stream;
    int pointer_mode, atomics_mode, math_mode, sm_target, emulation;
    void *workspace; /* the user's; nothing here needs one */
    size_t workspace_size;
    CUdeviceptr slot; /* 32 bytes of device memory for vector.c, made when first needed */
};
#define HANDLE_MAGIC UINT64_C(0x7362616c62757063)

/* 0, or what a call with HANDLE returns. */
cublasStatus_t handle_check(cublasHandle_t handle);
/* A CUresult as cuBLAS says it. */
cublasStatus_t status_of(CUresult error);
/* Logs why, tells the user's logger, and is the status. */
cublasStatus_t not_supported(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Submits a command, whose struct begins with the stream's number, on STREAM. */
cublasStatus_t submit(cudaStream_t stream, uint16_t command, void *fixed, size_t size);

/* Reads a scalar that lies where the handle's pointer mode says: its bits, or its device address. */
static inline uint64_t scalar(const struct cublasContext *handle, const void *pointer, size_t size)
{
    uint64_t bits = 0;

    if (handle->pointer_mode == POINTER_MODE_DEVICE)
        return (uint64_t)(uintptr_t)pointer;
    memcpy(&bits, pointer, size);
    return bits;
}

/* C = alpha op(A) op(B) + beta C, BATCH times. */
struct gemm {
    int op_a, op_b;
    int64_t m, n, k;
    const void *alpha, *a;
    int type_a;
    int64_t lda, stride_a;
    const void *b;
    int type_b;
    int64_t ldb, stride_b;
    const void *beta;
    const void *c;
    int type_c;
    int64_t ldc, stride_c;
    int64_t batch;
    int compute;
    bool pointer_arrays; /* A, B and C are device arrays of matrices' addresses */
};
cublasStatus_t gemm(cublasHandle_t handle, const struct gemm *g);

#endif
