/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts. They share the process's channel and memory; the last one to go closes the channel, so that a program whose
 * channel was lost gets a fresh one from cuDevicePrimaryCtxReset. Context structs are never freed: a thread may have
 * a destroyed one current, and is told so. */
#include <stdlib.h>
#include <string.h>

#include "cuda/defer.h"

enum { STACK_MAX = 32, FLAGS_KNOWN = 0xff, SCHED_MASK = 7, API_VERSION = 3020 };
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
    vgpu_limits_reset(context);
    context->legacy = (struct CUstream_st){.context = context, .id = 1, .legacy = true};
    context->alive = true;
    vgpu_driver.contexts++;
}

/* Everything that the context owns goes, and the channel with the last context. With driver.lock held; without it, the caller
 * ends the storage that is returned. */
static struct vgpu_storage *end_context(struct CUctx_st *context)
{
    struct vgpu_storage *storage = vgpu_storage_take(context);

    context->alive = false;
    vgpu_defer_end(context);
    vgpu_captures_forget(context);
    vgpu_graphs_destroy(context);
    vgpu_links_destroy(context);
    vgpu_libraries_forget(context);
    vgpu_modules_destroy(context);
    vgpu_events_destroy(context);
    vgpu_streams_destroy(context);
    vgpu_pools_forget(context);
    vgpu_arrays_destroy(context);
    vgpu_memory_free_owner(&vgpu_driver.memory, context);
    if (--vgpu_driver.contexts)
        return storage;
    vgpu_memory_destroy(&vgpu_driver.memory);
    vgpu_channel_close(&vgpu_driver.channel);
    vgpu_driver.open = false;
    return storage;
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

/* Its handle is known from its first use on. With driver.lock held. */
static int name_primary(void)
{
    struct CUctx_st *primary = &vgpu_driver.primary;
    int status = primary->primary ? 0 : vgpu_handle_add(primary, KIND_CONTEXT, NULL);

    primary->primary = !status;
    return status;
}

/* With driver.lock held. */
static int retain_primary(void)
{
    struct CUctx_st *primary = &vgpu_driver.primary;
    int status = 0;

    if (!primary->alive) {
        status = name_primary();
        if (!status)
            status = vgpu_open_locked();
        if (!status)
            init_context(primary, primary->flags);
    }
    if (!status)
        vgpu_driver.primary_retained++;
    return status;
}

int vgpu_enter_any(struct CUctx_st **context)
{
    int status = vgpu_enter_init();

    if (status || vgpu_current())
        return status ? status : vgpu_enter(context);
    pthread_mutex_lock(&vgpu_driver.lock);
    if (!vgpu_driver.primary.alive)
        status = retain_primary();
    pthread_mutex_unlock(&vgpu_driver.lock);
    *context = &vgpu_driver.primary;
    return status ? status : vgpu_channel_status(&vgpu_driver.channel);
}

static int primary(struct CUctx_st **context, CUdevice device, int (*act)(void))
{
    int status = vgpu_enter_device(device);

    if (!status && !context)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    status = act();
    pthread_mutex_unlock(&vgpu_driver.lock);
    if (!status)
        *context = &vgpu_driver.primary;
    return status;
}

int vgpu_primary_handle(struct CUctx_st **context, CUdevice device)
{
    return primary(context, device, name_primary);
}

CUresult impl_cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    return primary(context, device, retain_primary);
}

CUresult impl_cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    struct vgpu_storage *storage = NULL;
    int status = vgpu_enter_device(device);

    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    if (!vgpu_driver.primary_retained)
        status = CUDA_ERROR_INVALID_CONTEXT;
    else if (!--vgpu_driver.primary_retained && vgpu_driver.primary.alive)
        storage = end_context(&vgpu_driver.primary);
    pthread_mutex_unlock(&vgpu_driver.lock);
    vgpu_storage_end(storage);
    return status;
}

CUresult impl_cuDevicePrimaryCtxRelease(CUdevice device)
{
    return impl_cuDevicePrimaryCtxRelease_v2(device);
}

/* Those who retained it go on with a context that is fresh once it is retained again. */
CUresult impl_cuDevicePrimaryCtxReset_v2(CUdevice device)
{
    struct vgpu_storage *storage = NULL;
    int status = vgpu_enter_device(device);

    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    if (vgpu_driver.primary.alive)
        storage = end_context(&vgpu_driver.primary);
    vgpu_driver.primary_retained = 0;
    pthread_mutex_unlock(&vgpu_driver.lock);
    vgpu_storage_end(storage);
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
    struct vgpu_storage *storage = NULL;
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
        storage = end_context(context);
        if (depth && stack[depth - 1] == context)
            depth--;
    }
    pthread_mutex_unlock(&vgpu_driver.lock);
    vgpu_storage_end(storage);
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

/* The primary context may become current before it is retained, as NVIDIA's runtime has it; calls then say that it is not
 * there. */
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
    if (status && !(status == CUDA_ERROR_CONTEXT_IS_DESTROYED && context->primary))
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
    if (status)
        return status;
    vgpu_defer_settle_all(context);
    return vgpu_wait_idle(&vgpu_driver.channel);
}

CUresult impl_cuCtxSynchronize(void)
{
    return impl_cuCtxSynchronize_v2(NULL);
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

/* ---- use counts of before CUDA 4 ---- */

CUresult impl_cuCtxAttach(CUcontext *result, uint32_t flags)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (!result || flags))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    context->attached++;
    pthread_mutex_unlock(&vgpu_driver.lock);
    *result = context;
    return 0;
}

/* The last one destroys, which a primary context's users cannot. */
CUresult impl_cuCtxDetach(CUcontext context)
{
    int status = vgpu_enter_init();

    if (!status)
        status = vgpu_context_check(context);
    if (status)
        return status;
    pthread_mutex_lock(&vgpu_driver.lock);
    bool last = !context->attached;
    if (!last)
        context->attached--;
    pthread_mutex_unlock(&vgpu_driver.lock);
    return last ? impl_cuCtxDestroy_v2(context) : 0;
}

CUresult impl_cuCtxGetExecAffinity(CUexecAffinityParam *affinity, CUexecAffinityType type)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (!affinity || type))
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
}
