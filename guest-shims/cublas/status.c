/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses: names, texts, and what a driver error becomes. */
#include "cublas/cublas.h"
#include "cublas/status_table.h"

const char *impl_cublasGetStatusName(cublasStatus_t status)
{
    size_t i = find_status(status);

    return i < STATUSES ? statuses[i].name : "<unknown>";
}

const char *impl_cublasGetStatusString(cublasStatus_t status)
{
    size_t i = find_status(status);

    return i < STATUSES ? statuses[i].text : "<unknown>";
}

cublasStatus_t status_of(CUresult error)
{
    switch (error) {
    case CUDA_SUCCESS: return CUBLAS_SUCCESS;
    case CUDA_ERROR_OUT_OF_MEMORY: return CUBLAS_ALLOC_FAILED;
    case CUDA_ERROR_INVALID_VALUE: return CUBLAS_INVALID_VALUE;
    case CUDA_ERROR_NOT_SUPPORTED: return CUBLAS_NOT_SUPPORTED;
    case CUDA_ERROR_NOT_INITIALIZED:
    case CUDA_ERROR_NO_DEVICE:
    case CUDA_ERROR_INVALID_CONTEXT:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED: return CUBLAS_NOT_INITIALIZED;
    default: return CUBLAS_EXECUTION_FAILED;
    }
}
