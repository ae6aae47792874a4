/* SPDX-License-Identifier: Apache-2.0 */
/* libcublasLt: handles and versions. Products are not offered; cublasLtMatmulAlgoGetHeuristic says so before any is tried. */
#include <stdlib.h>

#include "cublas/status_table.h"
#include "cublaslt_impl.h"

#define CUBLASLT_VERSION (VGPU_CUDA_MAJOR == 12 ? 120900 : 130000)
enum { LT_SUCCESS = 0, LT_NOT_INITIALIZED = 1, LT_ALLOC_FAILED = 3, LT_INVALID_VALUE = 7 };

struct cublasLtContext {
    uint64_t magic;
};
#define LT_MAGIC UINT64_C(0x746c62616c627563)

cublasStatus_t impl_cublasLtCreate(cublasLtHandle_t *handle)
{
    struct cublasLtContext *made;

    if (!handle)
        return LT_INVALID_VALUE;
    made = malloc(sizeof *made);
    if (!made)
        return LT_ALLOC_FAILED;
    made->magic = LT_MAGIC;
    *handle = made;
    return LT_SUCCESS;
}

cublasStatus_t impl_cublasLtDestroy(cublasLtHandle_t handle)
{
    if (!handle || handle->magic != LT_MAGIC)
        return LT_NOT_INITIALIZED;
    handle->magic = 0;
    free(handle);
    return LT_SUCCESS;
}

size_t impl_cublasLtGetVersion(void)
{
    return CUBLASLT_VERSION;
}

size_t impl_cublasLtGetCudartVersion(void)
{
    return VGPU_CUDA_MAJOR == 12 ? 12090 : 13000;
}

cublasStatus_t impl_cublasLtGetProperty(libraryPropertyType type, int32_t *value)
{
    const int parts[] = {CUBLASLT_VERSION / 10000, CUBLASLT_VERSION / 100 % 100, CUBLASLT_VERSION % 100};

    if (type < 0 || type > 2 || !value)
        return LT_INVALID_VALUE;
    *value = parts[type];
    return LT_SUCCESS;
}

const char *impl_cublasLtGetStatusName(cublasStatus_t status)
{
    size_t i = find_status(status);

    return i < STATUSES ? statuses[i].name : "<unknown>";
}

const char *impl_cublasLtGetStatusString(cublasStatus_t status)
{
    size_t i = find_status(status);

    return i < STATUSES ? statuses[i].text : "<unknown>";
}
