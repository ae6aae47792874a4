/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about kernels, answered from what the host said when they were looked up; and the attributes that can be set. */
#include "cuda/driver.h"

enum {
    FUNC_MAX_THREADS,
    FUNC_SHARED,
    FUNC_CONST,
    FUNC_LOCAL,
    FUNC_REGISTERS,
    FUNC_PTX_VERSION,
    FUNC_BINARY_VERSION,
    FUNC_CACHE_MODE_CA,
    FUNC_MAX_DYNAMIC_SHARED,
    FUNC_CARVEOUT,
    FUNC_CLUSTER_MUST_BE_SET,
    FUNC_CLUSTER_WIDTH,
    FUNC_CLUSTER_HEIGHT,
    FUNC_CLUSTER_DEPTH,
    FUNC_NONPORTABLE_CLUSTER,
    FUNC_CLUSTER_SCHEDULING,
};

int vgpu_function_attribute(const struct CUfunc_st *function, int attribute, int *value)
{
    const struct vgpu_reply_function_get *info = &function->info;

    switch (attribute) {
    case FUNC_MAX_THREADS:
        *value = (int)info->max_threads;
        break;
    case FUNC_SHARED:
        *value = (int)info->static_shared;
        break;
    case FUNC_CONST:
        *value = (int)info->const_bytes;
        break;
    case FUNC_LOCAL:
        *value = (int)info->local_bytes;
        break;
    case FUNC_REGISTERS:
        *value = (int)info->registers;
        break;
    case FUNC_PTX_VERSION:
        *value = (int)info->ptx_version;
        break;
    case FUNC_BINARY_VERSION:
        *value = (int)info->binary_version;
        break;
    case FUNC_CACHE_MODE_CA:
    case FUNC_CLUSTER_MUST_BE_SET:
        *value = 0;
        break;
    case FUNC_MAX_DYNAMIC_SHARED:
        *value = function->max_dynamic_shared;
        break;
    case FUNC_CARVEOUT:
        *value = function->carveout;
        break;
    case FUNC_CLUSTER_WIDTH:
    case FUNC_CLUSTER_HEIGHT:
    case FUNC_CLUSTER_DEPTH:
        *value = function->cluster[attribute - FUNC_CLUSTER_WIDTH];
        break;
    case FUNC_NONPORTABLE_CLUSTER:
        *value = function->nonportable_cluster;
        break;
    case FUNC_CLUSTER_SCHEDULING:
        *value = function->scheduling_policy;
        break;
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
    return 0;
}

int vgpu_function_set_attribute(struct CUfunc_st *function, int attribute, int value)
{
    int most = vgpu_attribute(ATTR_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);

    if (most < vgpu_attribute(ATTR_MAX_SHARED_MEMORY_PER_BLOCK))
        most = vgpu_attribute(ATTR_MAX_SHARED_MEMORY_PER_BLOCK);
    switch (attribute) {
    case FUNC_MAX_DYNAMIC_SHARED:
        if (value < 0 || value > most - (int)function->info.static_shared)
            return CUDA_ERROR_INVALID_VALUE;
        function->max_dynamic_shared = value;
        break;
    case FUNC_CARVEOUT:
        if (value < -1 || value > 100)
            return CUDA_ERROR_INVALID_VALUE;
        function->carveout = value;
        break;
    case FUNC_CLUSTER_WIDTH:
    case FUNC_CLUSTER_HEIGHT:
    case FUNC_CLUSTER_DEPTH:
        if (value < 0)
            return CUDA_ERROR_INVALID_VALUE;
        function->cluster[attribute - FUNC_CLUSTER_WIDTH] = value;
        break;
    case FUNC_NONPORTABLE_CLUSTER:
        function->nonportable_cluster = value != 0;
        break;
    case FUNC_CLUSTER_SCHEDULING:
        function->scheduling_policy = value;
        break;
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
    return 0;
}

static int enter(CUfunction handle, struct CUfunc_st **function)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_function_of(handle, context, function);
}

CUresult impl_cuFuncGetAttribute(int32_t *value, CUfunction_attribute attribute, CUfunction handle)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && !value)
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : vgpu_function_attribute(function, attribute, value);
}

CUresult impl_cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int32_t value)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    return status ? status : vgpu_function_set_attribute(function, attribute, value);
}

CUresult impl_cuFuncSetCacheConfig(CUfunction handle, CUfunc_cache config)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    return status ? status : config < 0 || config > 3 ? CUDA_ERROR_INVALID_VALUE : 0;
}

CUresult impl_cuFuncSetSharedMemConfig(CUfunction handle, CUsharedconfig config)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    return status ? status : config < 0 || config > 2 ? CUDA_ERROR_INVALID_VALUE : 0;
}

CUresult impl_cuFuncGetModule(CUmodule *module, CUfunction handle)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && !module)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *module = function->module;
    return status;
}

CUresult impl_cuFuncGetName(const char **name, CUfunction handle)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && !name)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *name = function->name;
    return status;
}

CUresult impl_cuFuncGetParamInfo(CUfunction handle, size_t index, size_t *offset, size_t *size)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && (!offset || index >= function->info.params))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    *offset = function->params[index].offset;
    if (size)
        *size = function->params[index].size;
    return 0;
}

CUresult impl_cuFuncIsLoaded(CUfunctionLoadingState *state, CUfunction handle)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && !state)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *state = 1;
    return status;
}

CUresult impl_cuFuncLoad(CUfunction handle)
{
    struct CUfunc_st *function;

    return enter(handle, &function);
}
