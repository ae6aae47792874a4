/* SPDX-License-Identifier: Apache-2.0 */
/* Streams. The ring runs in order, so work on any stream waits for all work submitted before it: what CUDA lets overlap is
 * merely allowed to. A stream remembers its last command, which is all that waiting for it needs. */
#include <stdlib.h>

#include "cuda/defer.h"

enum { NON_BLOCKING = 1, PRIORITY_GREATEST = -5 };
#define LEGACY_HANDLE ((CUstream)1)
#define PER_THREAD_HANDLE ((CUstream)VGPU_PER_THREAD_STREAM)

static pthread_key_t own_stream;

static void end_per_thread(void *stream)
{
    if (vgpu_defer_stream_gone(stream))
        free(stream);
}

static void make_key(void)
{
    pthread_key_create(&own_stream, end_per_thread);
}

/* It goes with its thread, but not before what it keeps. */
static struct CUstream_st *per_thread(struct CUctx_st *context)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_key);
    struct CUstream_st *stream = pthread_getspecific(own_stream);
    if (!stream && (stream = calloc(1, sizeof *stream))) {
        stream->id = vgpu_new_id();
        pthread_setspecific(own_stream, stream);
    }
    if (stream)
        stream->context = context;
    return stream;
}

CUstream vgpu_default_stream(void)
{
    return vgpu_per_thread_stream ? PER_THREAD_HANDLE : NULL;
}

int vgpu_stream(CUstream handle, struct CUctx_st *context, struct CUstream_st **stream)
{
    if (!handle)
        handle = vgpu_default_stream();
    if (!handle || handle == LEGACY_HANDLE)
        *stream = &context->legacy;
    else if (handle == PER_THREAD_HANDLE)
        *stream = per_thread(context);
    else if (vgpu_handle_is(handle, KIND_STREAM))
        *stream = handle;
    else
        return CUDA_ERROR_INVALID_HANDLE;
    return *stream ? 0 : CUDA_ERROR_OUT_OF_MEMORY;
}

/* A context, and what a stream argument means in it. */
static int enter(CUstream handle, struct CUctx_st **context, struct CUstream_st **stream)
{
    int status = vgpu_enter(context);

    return status ? status : vgpu_stream(handle, *context, stream);
}

/* Relaxed: numbers only grow, and who needs to see another thread's has synchronised with it. */
void vgpu_stream_advance(struct CUstream_st *stream, uint64_t seq)
{
    if (seq > __atomic_load_n(&stream->last, __ATOMIC_RELAXED))
        __atomic_store_n(&stream->last, seq, __ATOMIC_RELAXED);
}

uint64_t vgpu_stream_last(struct CUstream_st *stream)
{
    return stream->legacy ? vgpu_last_seq(&vgpu_driver.channel) : __atomic_load_n(&stream->last, __ATOMIC_RELAXED);
}

int vgpu_stream_wait(struct CUstream_st *stream)
{
    vgpu_defer_settle(stream);
    return vgpu_wait(&vgpu_driver.channel, vgpu_stream_last(stream));
}

int vgpu_stream_put(struct CUstream_st *stream, uint16_t command, void *fixed, size_t fixed_size, const void *tail,
                    size_t tail_size)
{
    uint64_t seq;

    *(uint64_t *)fixed = stream->id;
    int status = vgpu_submit(&vgpu_driver.channel, command, fixed, fixed_size, tail, tail_size, &seq);
    if (!status)
        vgpu_stream_advance(stream, seq);
    return status;
}

int vgpu_stream_queue(struct CUstream_st *stream, uint16_t command, void *fixed, size_t fixed_size, const void *tail,
                      size_t tail_size)
{
    if (vgpu_deferring(stream))
        return vgpu_defer_command(stream, command, fixed, fixed_size, tail, tail_size);
    return vgpu_stream_put(stream, command, fixed, fixed_size, tail, tail_size);
}

int vgpu_stream_submit(struct CUstream_st *stream, uint16_t command, void *fixed, size_t fixed_size, const void *tail,
                       size_t tail_size)
{
    if (vgpu_capturing(stream))
        return vgpu_capture_command(stream, command, fixed, fixed_size, tail, tail_size);
    int status = vgpu_capture_implicit(stream);
    return status ? status : vgpu_stream_queue(stream, command, fixed, fixed_size, tail, tail_size);
}

CUresult impl_cuStreamCreateWithPriority(CUstream *result, uint32_t flags, int32_t priority)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (!result || (flags & ~(uint32_t)NON_BLOCKING)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct CUstream_st *stream = calloc(1, sizeof *stream);
    if (!stream)
        return CUDA_ERROR_OUT_OF_MEMORY;
    stream->context = context;
    stream->id = vgpu_new_id();
    stream->flags = flags;
    stream->priority = priority > 0 ? 0 : priority < PRIORITY_GREATEST ? PRIORITY_GREATEST : priority;
    status = vgpu_handle_add(stream, KIND_STREAM, context);
    if (status)
        free(stream);
    else
        *result = stream;
    return status;
}

CUresult impl_cuStreamCreate(CUstream *stream, uint32_t flags)
{
    return impl_cuStreamCreateWithPriority(stream, flags, 0);
}

static void destroy(struct CUstream_st *stream)
{
    vgpu_handle_remove(stream);
    free(stream->tails);
    stream->tails = NULL;
    if (vgpu_defer_stream_gone(stream))
        free(stream);
}

/* What was submitted still runs. */
CUresult impl_cuStreamDestroy_v2(CUstream stream)
{
    int status = vgpu_enter_init();

    if (!status && !vgpu_handle_is(stream, KIND_STREAM))
        status = CUDA_ERROR_INVALID_HANDLE;
    if (status)
        return status;
    vgpu_capture_stream_gone(stream);
    destroy(stream);
    return 0;
}

CUresult impl_cuStreamDestroy(CUstream stream)
{
    return impl_cuStreamDestroy_v2(stream);
}

void vgpu_streams_destroy(struct CUctx_st *context)
{
    for (struct CUstream_st *stream; (stream = vgpu_handle_of(context, KIND_STREAM));)
        destroy(stream);
}

CUresult impl_cuStreamSynchronize(CUstream handle)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status)
        status = vgpu_capture_forbids(stream);
    return status ? status : vgpu_stream_wait(stream);
}

CUresult impl_cuStreamQuery(CUstream handle)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status)
        status = vgpu_capture_forbids(stream);
    if (status)
        return status;
    if (vgpu_deferring(stream) || !vgpu_done(&vgpu_driver.channel, vgpu_stream_last(stream)))
        return CUDA_ERROR_NOT_READY;
    vgpu_drain_print(&vgpu_driver.channel);
    return vgpu_channel_status(&vgpu_driver.channel);
}

/* Commands run in ring order: what EVENT stands for is before whatever STREAM gets from now on. */
CUresult impl_cuStreamWaitEvent(CUstream handle, CUevent event, uint32_t flags)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    bool taken = false;
    int status = enter(handle, &context, &stream);

    if (!status && (flags & ~1u))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && !vgpu_handle_is(event, KIND_EVENT))
        status = CUDA_ERROR_INVALID_HANDLE;
    if (!status)
        status = vgpu_capture_wait(stream, event, &taken);
    return status || taken ? status : vgpu_event_wait(event, stream);
}

CUresult impl_cuStreamGetFlags(CUstream handle, uint32_t *flags)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status && !flags)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *flags = stream->flags;
    return status;
}

CUresult impl_cuStreamGetPriority(CUstream handle, int32_t *priority)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status && !priority)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *priority = stream->priority;
    return status;
}

CUresult impl_cuStreamGetId(CUstream handle, uint64_t *id)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status && !id)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *id = stream->id;
    return status;
}

CUresult impl_cuStreamGetDevice(CUstream handle, CUdevice *device)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status && !device)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *device = 0;
    return status;
}

CUresult impl_cuStreamGetCtx(CUstream handle, CUcontext *result)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status && !result)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *result = stream->context;
    return status;
}

CUresult impl_cuStreamGetCtx_v2(CUstream handle, CUcontext *result, CUgreenCtx *green)
{
    int status = impl_cuStreamGetCtx(handle, result);

    if (!status && green)
        *green = NULL;
    return status;
}

/* Managed memory is coherent as it is. */
CUresult impl_cuStreamAttachMemAsync(CUstream handle, CUdeviceptr pointer, size_t length, uint32_t flags)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    struct vgpu_allocation allocation;
    int status = enter(handle, &context, &stream);

    if (!status && (!vgpu_memory_find(&vgpu_driver.memory, pointer, &allocation) ||
                    allocation.kind != VGPU_RANGE_MANAGED || (flags != 1 && flags != 2 && flags != 4)))
        status = CUDA_ERROR_INVALID_VALUE;
    return status;
}

/* ---- functions of the program's: the library's thread runs them, and the stream goes on when they return ---- */

CUresult impl_cuLaunchHostFunc(CUstream handle, CUhostFn fn, void *data)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status && !fn)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    if (vgpu_capturing(stream))
        return vgpu_capture_host(stream, fn, data);
    status = vgpu_capture_implicit(stream);
    return status ? status : vgpu_defer_host(stream, fn, data);
}

CUresult impl_cuStreamAddCallback(CUstream handle, CUstreamCallback callback, void *data, uint32_t flags)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status && (!callback || flags))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_capture_forbids(stream);
    return status ? status : vgpu_defer_callback(stream, handle, callback, data);
}
