/* SPDX-License-Identifier: Apache-2.0 */
/* Launching as before CUDA 4: shape and parameters are set one by one on the function, then it is launched. */
#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"

enum { PARAMS_MAX = 4096 };

struct vgpu_staged_launch {
    int block[3];
    uint32_t shared, size;
    unsigned char params[PARAMS_MAX];
};

static int enter(CUfunction handle, struct CUfunc_st **function)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status)
        status = vgpu_function_of(handle, context, function);
    if (!status && !(*function)->staged && !((*function)->staged = calloc(1, sizeof *(*function)->staged)))
        status = CUDA_ERROR_OUT_OF_MEMORY;
    return status;
}

CUresult impl_cuFuncSetBlockShape(CUfunction handle, int32_t x, int32_t y, int32_t z)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && (x <= 0 || y <= 0 || z <= 0))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        memcpy(function->staged->block, (int[]){x, y, z}, sizeof function->staged->block);
    return status;
}

CUresult impl_cuFuncSetSharedSize(CUfunction handle, uint32_t bytes)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status)
        function->staged->shared = bytes;
    return status;
}

CUresult impl_cuParamSetSize(CUfunction handle, uint32_t bytes)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && bytes > PARAMS_MAX)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        function->staged->size = bytes;
    return status;
}

CUresult impl_cuParamSetv(CUfunction handle, int32_t offset, void *value, uint32_t bytes)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && (offset < 0 || offset > PARAMS_MAX || bytes > PARAMS_MAX - (uint32_t)offset || (bytes && !value)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && bytes)
        memcpy(function->staged->params + offset, value, bytes);
    return status;
}

CUresult impl_cuParamSeti(CUfunction function, int32_t offset, uint32_t value)
{
    return impl_cuParamSetv(function, offset, &value, sizeof value);
}

CUresult impl_cuParamSetf(CUfunction function, int32_t offset, float value)
{
    return impl_cuParamSetv(function, offset, &value, sizeof value);
}

CUresult impl_cuLaunchGridAsync(CUfunction handle, int32_t width, int32_t height, CUstream stream)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && (width <= 0 || height <= 0))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct vgpu_staged_launch *staged = function->staged;
    size_t size = staged->size;
    void *extra[] = {(void *)1, staged->params, (void *)2, &size, (void *)0}; /* CU_LAUNCH_PARAM_BUFFER_POINTER, _SIZE, _END */
    return impl_cuLaunchKernel((CUfunction)function, (uint32_t)width, (uint32_t)height, 1, (uint32_t)staged->block[0],
                               (uint32_t)staged->block[1], (uint32_t)staged->block[2], staged->shared, stream, NULL, extra);
}

CUresult impl_cuLaunchGrid(CUfunction function, int32_t width, int32_t height)
{
    return impl_cuLaunchGridAsync(function, width, height, vgpu_default_stream());
}

CUresult impl_cuLaunch(CUfunction function)
{
    return impl_cuLaunchGrid(function, 1, 1);
}
