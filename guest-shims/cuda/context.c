/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts. They share the process's channel and memory; the last one to go closes the channel, so that a program whose
 * channel was lost gets a fresh one from cuDevicePrimaryCtxReset. Context structs are never freed: a thread may have
 * a destroyed one current, and is told so. */
#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"

enum { STACK_MAX = 32, FLAGS_KNOWN = 0xff, SCHED_MASK = 7, API_VERSION = 3020 };
enum { LIMIT_STACK, LIMIT_PRINTF, LIMIT_HEAP, LIMIT_SYNC_DEPTH, LIMIT_PENDING, LIMIT_L2_FETCH, LIMIT_PERSISTING_L2, LIMITS };

/* What is reported before anything was set. */
static const size_t default_limits[LIMITS] = {
    [LIMIT_STACK] = 1024,      [LIMIT_PRINTF] = 7u << 20,   [LIMIT_HEAP] = 8u << 20,         [LIMIT_SYNC_DEPTH] = 2,
    [LIMIT_PENDING] = 2048,    [LIMIT_L2_FETCH] = 64,       [LIMIT_PERSISTING_L2] = 0,
};

static _Thread_local struct CUctx_st *stack[STACK_MAX];
static _Thread_local int depth; /* of the stack; the current context is its top */

struct CUctx_st *vgpu_current(void)
{
    return depth ? stack[depth - 1] : NULL;
}

static void init_context(struct CUctx_st *context, uint32_t flags)
{
    context->id = vgpu_new_id();
    context->flags = flags;
    context->cache_config = context->shared_config = 0;
    memcpy(context->limits, default_limits, sizeof default_limits);
    context->legacy = (struct CUstream_st){.context = context, .id = 1, .legacy = true};
    context->alive = true;
    vgpu_driver.contexts++;
}

/* Everything that the context owns goes, and the channel with the last context. With driver.lock held. */
static void end_context(struct CUctx_st *context)
{
    context->alive = false;
    vgpu_captures_forget(context);
    vgpu_graphs_destroy(context);
    vgpu_libraries_forget(context);
    vgpu_modules_destroy(context);
    vgpu_events_destroy(context);
    vgpu_streams_destroy(context);
    vgpu_pools_forget(context);
    vgpu_memory_free_owner(&vgpu_driver.memory, context);
    if (--vgpu_driver.contexts)
        return;
    vgpu_memory_destroy(&vgpu_driver.memory);
    vgpu_channel_close(&vgpu_driver.channel);
    vgpu_driver.open = false;
}

int vgpu_context_check(struct CUctx_st *context)
{
    if (!vgpu_handle_is(context, KIND_CONTEXT))
        return CUDA_ERROR_INVALID_CONTEXT;
    return context->alive ? 0 : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

static bool flags_wrong(uint32_t flags)
{
    uint32_t schedule = flags & SCHED_MASK;

    return (flags & ~FLAGS_KNOWN) || (schedule & (schedule - 1));
}

/* ---- the primary context ---- */

CUresult impl_cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (!status && !context)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    struct CUctx_st *primary = &vgpu_driver.primary;
    if (!primary->alive) {
        if (!primary->primary) {
            primary->primary = true;
            status = vgpu_handle_add(primary, KIND_CONTEXT, NULL);
        }
        if (!status)
            status = vgpu_open_locked();
        if (!status)
            init_context(primary, primary->flags);
    }
    if (!status) {
        vgpu_driver.primary_retained++;
        *context = primary;
    }
    pthread_mutex_unlock(&vgpu_driver.lock);
    return status;
}

CUresult impl_cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    if (!vgpu_driver.primary_retained)
        status = CUDA_ERROR_INVALID_CONTEXT;
    else if (!--vgpu_driver.primary_retained && vgpu_driver.primary.alive)
        end_context(&vgpu_driver.primary);
    pthread_mutex_unlock(&vgpu_driver.lock);
    return status;
}

CUresult impl_cuDevicePrimaryCtxRelease(CUdevice device)
{
    return impl_cuDevicePrimaryCtxRelease_v2(device);
}

/* Those who retained it go on with a context that is fresh once it is retained again. */
CUresult impl_cuDevicePrimaryCtxReset_v2(CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    if (vgpu_driver.primary.alive)
        end_context(&vgpu_driver.primary);
    vgpu_driver.primary_retained = 0;
    pthread_mutex_unlock(&vgpu_driver.lock);
    return 0;
}

CUresult impl_cuDevicePrimaryCtxReset(CUdevice device)
{
    return impl_cuDevicePrimaryCtxReset_v2(device);
}

CUresult impl_cuDevicePrimaryCtxSetFlags_v2(CUdevice device, uint32_t flags)
{
    int status = vgpu_enter_device(device);

    if (!status && flags_wrong(flags))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    vgpu_driver.primary.flags = flags;
    pthread_mutex_unlock(&vgpu_driver.lock);
    return 0;
}

CUresult impl_cuDevicePrimaryCtxSetFlags(CUdevice device, uint32_t flags)
{
    return impl_cuDevicePrimaryCtxSetFlags_v2(device, flags);
}

CUresult impl_cuDevicePrimaryCtxGetState(CUdevice device, uint32_t *flags, int32_t *active)
{
    int status = vgpu_enter_device(device);

    if (!status && (!flags || !active))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    *flags = vgpu_driver.primary.flags;
    *active = vgpu_driver.primary.alive;
    pthread_mutex_unlock(&vgpu_driver.lock);
    return 0;
}

/* ---- others ---- */

static int push(struct CUctx_st *context)
{
    if (depth == STACK_MAX)
        return CUDA_ERROR_OUT_OF_MEMORY;
    stack[depth++] = context;
    return 0;
}

static int create(struct CUctx_st **result, uint32_t flags, CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (!status && (!result || flags_wrong(flags)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct CUctx_st *context = calloc(1, sizeof *context);
    if (!context)
        return CUDA_ERROR_OUT_OF_MEMORY;
    pthread_mutex_lock(&vgpu_driver.lock);
    status = vgpu_open_locked();
    if (!status)
        status = vgpu_handle_add(context, KIND_CONTEXT, NULL);
    if (!status) {
        init_context(context, flags);
        status = push(context);
        if (status) {
            vgpu_handle_remove(context);
            end_context(context);
        }
    }
    pthread_mutex_unlock(&vgpu_driver.lock);
    if (status)
        free(context);
    else
        *result = context;
    return status;
}

CUresult impl_cuCtxCreate_v2(CUcontext *context, uint32_t flags, CUdevice device)
{
    return create(context, flags, device);
}

CUresult impl_cuCtxCreate(CUcontext *context, uint32_t flags, CUdevice device)
{
    return create(context, flags, device);
}

CUresult impl_cuCtxCreate_v3(CUcontext *context, CUexecAffinityParam *affinity, int32_t count, uint32_t flags,
                             CUdevice device)
{
    return affinity || count ? CUDA_ERROR_NOT_SUPPORTED : create(context, flags, device);
}

CUresult impl_cuCtxCreate_v4(CUcontext *context, CUctxCreateParams *params, uint32_t flags, CUdevice device)
{
    if (params && (params->affinity_count || params->cig))
        return CUDA_ERROR_NOT_SUPPORTED;
    return create(context, flags, device);
}

CUresult impl_cuCtxDestroy_v2(CUcontext context)
{
    int status = vgpu_enter_init();

    if (status)
        return status;
    if (!context)
        return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&vgpu_driver.lock);
    status = vgpu_context_check(context);
    if (!status && context->primary)
        status = CUDA_ERROR_INVALID_CONTEXT;
    if (!status) {
        end_context(context);
        if (depth && stack[depth - 1] == context)
            depth--;
    }
    pthread_mutex_unlock(&vgpu_driver.lock);
    return status;
}

CUresult impl_cuCtxDestroy(CUcontext context)
{
    return impl_cuCtxDestroy_v2(context);
}

CUresult impl_cuCtxPushCurrent_v2(CUcontext context)
{
    int status = vgpu_enter_init();

    if (!status)
        status = vgpu_context_check(context);
    return status ? status : push(context);
}

CUresult impl_cuCtxPushCurrent(CUcontext context)
{
    return impl_cuCtxPushCurrent_v2(context);
}

CUresult impl_cuCtxPopCurrent_v2(CUcontext *context)
{
    int status = vgpu_enter_init();

    if (status)
        return status;
    if (!depth)
        return CUDA_ERROR_INVALID_CONTEXT;
    depth--;
    if (context)
        *context = stack[depth];
    return 0;
}

CUresult impl_cuCtxPopCurrent(CUcontext *context)
{
    return impl_cuCtxPopCurrent_v2(context);
}

CUresult impl_cuCtxSetCurrent(CUcontext context)
{
    int status = vgpu_enter_init();

    if (status)
        return status;
    if (!context) {
        if (depth)
            depth--;
        return 0;
    }
    status = vgpu_context_check(context);
    if (status)
        return status;
    if (!depth)
        return push(context);
    stack[depth - 1] = context;
    return 0;
}

CUresult impl_cuCtxGetCurrent(CUcontext *context)
{
    int status = vgpu_enter_init();

    if (!status && !context)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *context = vgpu_current();
    return status;
}

/* ---- what a context is asked ---- */

/* CONTEXT, or with NULL the current one. */
static int given(struct CUctx_st **context)
{
    if (*context) {
        int status = vgpu_enter_init();
        return status ? status : vgpu_context_check(*context);
    }
    return vgpu_enter(context);
}

CUresult impl_cuCtxGetDevice_v2(CUdevice *device, CUcontext context)
{
    int status = given(&context);

    if (!status && !device)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *device = 0;
    return status;
}

CUresult impl_cuCtxGetDevice(CUdevice *device)
{
    struct CUctx_st *context;
    int status = vgpu_enter_init();

    if (status)
        return status;
    context = vgpu_current();
    if (!context)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (!device)
        return CUDA_ERROR_INVALID_VALUE;
    *device = 0;
    return 0;
}

CUresult impl_cuCtxGetFlags(uint32_t *flags)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && !flags)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *flags = context->flags;
    return status;
}

CUresult impl_cuCtxSetFlags(uint32_t flags)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && flags_wrong(flags))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        context->flags = flags;
    return status;
}

CUresult impl_cuCtxGetId(CUcontext context, uint64_t *id)
{
    int status = given(&context);

    if (!status && !id)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *id = context->id;
    return status;
}

CUresult impl_cuCtxSynchronize_v2(CUcontext context)
{
    int status = given(&context);

    if (!status)
        status = vgpu_capture_forbids_context(context);
    return status ? status : vgpu_wait_idle(&vgpu_driver.channel);
}

CUresult impl_cuCtxSynchronize(void)
{
    return impl_cuCtxSynchronize_v2(NULL);
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

CUresult impl_cuCtxGetApiVersion(CUcontext context, uint32_t *version)
{
    int status = given(&context);

    if (!status && !version)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *version = API_VERSION;
    return status;
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

CUresult impl_cuCtxEnablePeerAccess(CUcontext peer, uint32_t flags)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && flags)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_context_check(peer);
    return status ? status : CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
}

CUresult impl_cuCtxDisablePeerAccess(CUcontext peer)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status)
        status = vgpu_context_check(peer);
    return status ? status : 705; /* CUDA_ERROR_PEER_ACCESS_NOT_ENABLED */
}
