/* SPDX-License-Identifier: Apache-2.0 */
/* What a context may be told about stacks, heaps and caches. */
#include <string.h>

#include "cuda/driver.h"

enum { LIMIT_STACK, LIMIT_PRINTF, LIMIT_HEAP, LIMIT_SYNC_DEPTH, LIMIT_PENDING, LIMIT_L2_FETCH, LIMIT_PERSISTING_L2,
       LIMIT_SHARED, LIMIT_CIG, LIMIT_CIG_SHARED, LIMITS };

/* What is reported before anything was set. */
static const size_t default_limits[LIMITS] = {
    [LIMIT_STACK] = 1024,      [LIMIT_PRINTF] = 7u << 20,   [LIMIT_HEAP] = 8u << 20,         [LIMIT_SYNC_DEPTH] = 2,
    [LIMIT_PENDING] = 2048,    [LIMIT_L2_FETCH] = 64,       [LIMIT_PERSISTING_L2] = 0,
};

void vgpu_limits_reset(struct CUctx_st *context)
{
    memcpy(context->limits, default_limits, sizeof default_limits);
}

/* Kernels launch none themselves, and on newer devices cannot wait for those that they could launch; graphics runs nowhere. */
static bool is_limit(int limit, bool settable)
{
    if (limit == LIMIT_SYNC_DEPTH)
        return vgpu_profile()->cc_major < 9;
    return limit >= 0 && limit < (settable ? LIMIT_SHARED : LIMIT_CIG_SHARED);
}

CUresult impl_cuCtxGetLimit(size_t *value, CUlimit limit)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && !value)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && !is_limit(limit, false))
        status = CUDA_ERROR_UNSUPPORTED_LIMIT;
    if (!status)
        *value = limit == LIMIT_SHARED ? (size_t)vgpu_attribute(ATTR_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN) : context->limits[limit];
    return status;
}

enum { STACK_GIVEN = 16 << 10, STACK_MAX = 256 << 10, HEAP_GIVEN = 8 << 20, L2_FETCH_MAX = 128 };
#define HEAP_MAX (UINT64_C(64) << 30)

/* A larger heap is device memory like any other: it counts, and is there at once. All contexts share it, until a kernel has
 * used it. */
static int set_heap(uint64_t bytes)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct vgpu_cmd_heap_place command = {.size = HEAP_GIVEN};

    if (bytes > HEAP_MAX)
        return CUDA_ERROR_OUT_OF_MEMORY;
    while (command.size < bytes)
        command.size *= 2;
    pthread_mutex_lock(&lock);
    uint64_t before = vgpu_driver.heap;
    int status = vgpu_memory_alloc(&vgpu_driver.memory, command.size, VGPU_RANGE_INTERNAL, 0, &vgpu_driver, &command.va);
    if (!status) {
        status = vgpu_call(&vgpu_driver.channel, VGPU_CMD_HEAP_PLACE, &command, sizeof command, NULL, 0, NULL);
        uint64_t unused = status ? command.va : before;
        if (!status)
            vgpu_driver.heap = command.va;
        if (unused)
            vgpu_memory_free(&vgpu_driver.memory, unused, 1u << VGPU_RANGE_INTERNAL);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static int set_stack(size_t bytes)
{
    struct vgpu_cmd_stack_size command = {.bytes = (uint32_t)bytes};

    return bytes > STACK_MAX ? CUDA_ERROR_INVALID_VALUE
                             : vgpu_call(&vgpu_driver.channel, VGPU_CMD_STACK_SIZE, &command, sizeof command, NULL, 0, NULL);
}

/* Kernels always have the heap and the stack of which a limit up to its GIVEN asks. The print area is emptied while one waits, and
 * the L2 sizes are hints: any value will do. */
CUresult impl_cuCtxSetLimit(CUlimit limit, size_t value)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && !is_limit(limit, true))
        status = CUDA_ERROR_UNSUPPORTED_LIMIT;
    if (!status && limit == LIMIT_L2_FETCH && value > L2_FETCH_MAX)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && limit == LIMIT_HEAP && value > HEAP_GIVEN && value > context->limits[LIMIT_HEAP])
        status = set_heap(value);
    if (!status && limit == LIMIT_STACK && value > STACK_GIVEN && value > context->limits[LIMIT_STACK])
        status = set_stack(value);
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
