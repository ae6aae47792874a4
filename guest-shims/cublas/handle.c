/* SPDX-License-Identifier: Apache-2.0 */
/* Handles: a stream, some modes, and the context that was current when they were made. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cublas/cublas.h"

static cublasLogCallback logger; /* the user's; atomic */

cublasStatus_t handle_check(cublasHandle_t handle)
{
    return handle && handle->magic == HANDLE_MAGIC ? CUBLAS_SUCCESS : CUBLAS_NOT_INITIALIZED;
}

cublasStatus_t not_supported(const char *fmt, ...)
{
    cublasLogCallback callback = __atomic_load_n(&logger, __ATOMIC_ACQUIRE);
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    vgpu_log(VGPU_LOG_ERROR, "not supported: %s", text);
    if (callback)
        callback(text);
    return CUBLAS_NOT_SUPPORTED;
}

/* Without a context the first device's primary one is taken, as the runtime would. It stays for the process. */
static CUresult enter(CUcontext *context)
{
    CUresult error = cuInit(0);

    if (!error)
        error = cuCtxGetCurrent(context);
    if (error || *context)
        return error;
    error = cuDevicePrimaryCtxRetain(context, 0);
    return error ? error : cuCtxSetCurrent(*context);
}

cublasStatus_t impl_cublasCreate_v2(cublasHandle_t *handle)
{
    CUcontext context = NULL;
    struct cublasContext *made;

    if (!handle)
        return CUBLAS_INVALID_VALUE;
    *handle = NULL;
    if (enter(&context))
        return CUBLAS_NOT_INITIALIZED;
    made = calloc(1, sizeof *made);
    if (!made)
        return CUBLAS_ALLOC_FAILED;
    made->magic = HANDLE_MAGIC;
    made->context = context;
    *handle = made;
    return CUBLAS_SUCCESS;
}

cublasStatus_t impl_cublasDestroy_v2(cublasHandle_t handle)
{
    cublasStatus_t status = handle_check(handle);

    if (status)
        return status;
    if (handle->slot)
        cuMemFree_v2(handle->slot);
    handle->magic = 0;
    free(handle);
    return CUBLAS_SUCCESS;
}

/* ---- versions ---- */

cublasStatus_t impl_cublasGetVersion_v2(cublasHandle_t handle, int32_t *version)
{
    if (!version)
        return CUBLAS_INVALID_VALUE;
    *version = CUBLAS_VERSION;
    return CUBLAS_SUCCESS;
}

cublasStatus_t impl_cublasGetProperty(libraryPropertyType type, int32_t *value)
{
    const int parts[] = {CUBLAS_VERSION / 10000, CUBLAS_VERSION / 100 % 100, CUBLAS_VERSION % 100};

    if (type < 0 || type > 2 || !value)
        return CUBLAS_INVALID_VALUE;
    *value = parts[type];
    return CUBLAS_SUCCESS;
}

size_t impl_cublasGetCudartVersion(void)
{
    return VGPU_CUDA_MAJOR == 12 ? 12090 : 13000;
}

/* ---- modes ---- */

#define MODE(name, type, field, valid)                                              \
    cublasStatus_t impl_cublasSet##name(cublasHandle_t handle, type value)          \
    {                                                                               \
        cublasStatus_t status = handle_check(handle);                               \
        if (!status && !(valid))                                                    \
            status = CUBLAS_INVALID_VALUE;                                          \
        if (!status)                                                                \
            handle->field = value;                                                  \
        return status;                                                              \
    }                                                                               \
    cublasStatus_t impl_cublasGet##name(cublasHandle_t handle, type *value)         \
    {                                                                               \
        cublasStatus_t status = handle_check(handle);                               \
        if (!status && !value)                                                      \
            status = CUBLAS_INVALID_VALUE;                                          \
        if (!status)                                                                \
            *value = handle->field;                                                 \
        return status;                                                              \
    }

MODE(PointerMode_v2, cublasPointerMode_t, pointer_mode, value == POINTER_MODE_HOST || value == POINTER_MODE_DEVICE)
MODE(AtomicsMode, cublasAtomicsMode_t, atomics_mode, value == 0 || value == 1)
/* Math modes allow less precision than asked for; the host's arithmetic never uses the leave. */
MODE(MathMode, cublasMath_t, math_mode, value >= 0)
MODE(SmCountTarget, int32_t, sm_target, value >= 0)
MODE(EmulationStrategy, cublasEmulationStrategy_t, emulation, value >= 0)

cublasStatus_t impl_cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    cublasStatus_t status = handle_check(handle);

    if (!status) {
        handle->stream = stream;
        handle->workspace = NULL; /* the user's workspace belongs to the stream before */
        handle->workspace_size = 0;
    }
    return status;
}

cublasStatus_t impl_cublasGetStream_v2(cublasHandle_t handle, cudaStream_t *stream)
{
    cublasStatus_t status = handle_check(handle);

    if (!status && !stream)
        status = CUBLAS_INVALID_VALUE;
    if (!status)
        *stream = handle->stream;
    return status;
}

cublasStatus_t impl_cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t size)
{
    cublasStatus_t status = handle_check(handle);

    if (!status && ((uintptr_t)workspace % 256 || (!workspace && size)))
        status = CUBLAS_INVALID_VALUE;
    if (!status) {
        handle->workspace = workspace;
        handle->workspace_size = size;
    }
    return status;
}

/* ---- the user's logger: it is told what is not supported ---- */

cublasStatus_t impl_cublasSetLoggerCallback(cublasLogCallback callback)
{
    __atomic_store_n(&logger, callback, __ATOMIC_RELEASE);
    return CUBLAS_SUCCESS;
}

cublasStatus_t impl_cublasGetLoggerCallback(cublasLogCallback *callback)
{
    if (!callback)
        return CUBLAS_INVALID_VALUE;
    *callback = __atomic_load_n(&logger, __ATOMIC_ACQUIRE);
    return CUBLAS_SUCCESS;
}
