/* SPDX-License-Identifier: Apache-2.0 */
/* What a context may be told about stacks, heaps and caches. */
#include <string.h>

#include "cuda/driver.h"

enum { LIMIT_STACK, LIMIT_PRINTF, LIMIT_HEAP, LIMIT_SYNC_DEPTH, LIMIT_PENDING, LIMIT_L2_FETCH, LIMIT_PERSISTING_L2, LIMITS };

/* What is reported before anything was set. */
static const size_t default_limits[LIMITS] = {
    [LIMIT_STACK] = 1024,      [LIMIT_PRINTF] = 7u << 20,   [LIMIT_HEAP] = 8u << 20,         [LIMIT_SYNC_DEPTH] = 2,
    [LIMIT_PENDING] = 2048,    [LIMIT_L2_FETCH] = 64,       [LIMIT_PERSISTING_L2] = 0,
};

void vgpu_limits_reset(struct CUctx_st *context)
{
    memcpy(context->limits, default_limits, sizeof default_limits);
}

CUresult impl_cuCtxGetLimit(size_t *value, CUlimit limit)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && !value)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && (limit < 0 || limit >= LIMITS))
        status = CUDA_ERROR_UNSUPPORTED_LIMIT;
    if (!status)
        *value = context->limits[limit];
    return status;
}

/* What the executor has for kernels is fixed: a heap of the default's size, and a stack beyond what their frames are known to
 * need. Smaller values are kept and reported, larger ones are refused. The print area is emptied while one waits, and the L2
 * sizes are hints: any value will do. */
static const size_t largest_limits[LIMITS] = {
    [LIMIT_STACK] = 16u << 10, [LIMIT_HEAP] = 8u << 20,
};

CUresult impl_cuCtxSetLimit(CUlimit limit, size_t value)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (limit < 0 || limit >= LIMITS))
        status = CUDA_ERROR_UNSUPPORTED_LIMIT;
    if (!status && limit == LIMIT_L2_FETCH && value > 128)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && largest_limits[limit] && value > largest_limits[limit]) {
        vgpu_log(VGPU_LOG_WARN, "cuCtxSetLimit: %zu is more than this device has for limit %d (%zu)", value, limit,
                 largest_limits[limit]);
        status = CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (!status)
        context->limits[limit] = value;
    return status;
}

CUresult impl_cuCtxGetCacheConfig(CUfunc_cache *config)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && !config)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *config = context->cache_config;
    return status;
}

CUresult impl_cuCtxSetCacheConfig(CUfunc_cache config)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (config < 0 || config > 3))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        context->cache_config = config;
    return status;
}

CUresult impl_cuCtxGetSharedMemConfig(CUsharedconfig *config)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && !config)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *config = 1; /* banks of four bytes: the only kind since 5.0 */
    return status;
}

CUresult impl_cuCtxSetSharedMemConfig(CUsharedconfig config)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : config < 0 || config > 2 ? CUDA_ERROR_INVALID_VALUE : 0;
}

CUresult impl_cuCtxGetStreamPriorityRange(int32_t *least, int32_t *greatest)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (status)
        return status;
    if (least)
        *least = 0;
    if (greatest)
        *greatest = -5;
    return 0;
}

CUresult impl_cuCtxResetPersistingL2Cache(void)
{
    struct CUctx_st *context;

    return vgpu_enter(&context);
}
