/* SPDX-License-Identifier: Apache-2.0 */
/* Streams. The ring runs in order, so work on any stream waits for all work submitted before it: what CUDA lets overlap is
 * merely allowed to. A stream remembers its last command, which is all that waiting for it needs. */
#include <stdlib.h>

#include "cuda/driver.h"

enum { NON_BLOCKING = 1, PRIORITY_GREATEST = -5 };
#define LEGACY_HANDLE ((CUstream)1)
#define PER_THREAD_HANDLE ((CUstream)VGPU_PER_THREAD_STREAM)

static struct CUstream_st *per_thread(struct CUctx_st *context)
{
    static _Thread_local struct CUstream_st stream;

    if (!stream.id)
        stream.id = vgpu_new_id();
    stream.context = context;
    return &stream;
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
    return 0;
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
    return vgpu_wait(&vgpu_driver.channel, vgpu_stream_last(stream));
}

int vgpu_stream_queue(struct CUstream_st *stream, uint16_t command, void *fixed, size_t fixed_size, const void *tail,
                      size_t tail_size)
{
    uint64_t seq;

    *(uint64_t *)fixed = stream->id;
    int status = vgpu_submit(&vgpu_driver.channel, command, fixed, fixed_size, tail, tail_size, &seq);
    if (!status)
        vgpu_stream_advance(stream, seq);
    return status;
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
    if (!vgpu_done(&vgpu_driver.channel, vgpu_stream_last(stream)))
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
    if (!status && !taken && !stream->legacy)
        vgpu_stream_advance(stream, event->seq);
    return status;
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

static int write_value(CUstream handle, CUdeviceptr address, const void *value, size_t size, uint32_t flags)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    struct vgpu_cmd_write command = {.dst = address};
    int status = enter(handle, &context, &stream);

    if (!status && ((flags & ~1u) || address % size || !vgpu_memory_reachable(&vgpu_driver.memory, address, size)))
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : vgpu_stream_submit(stream, VGPU_CMD_WRITE, &command, sizeof command, value, size);
}

CUresult impl_cuStreamWriteValue32_v2(CUstream stream, CUdeviceptr address, uint32_t value, uint32_t flags)
{
    return write_value(stream, address, &value, sizeof value, flags);
}

CUresult impl_cuStreamWriteValue64_v2(CUstream stream, CUdeviceptr address, uint64_t value, uint32_t flags)
{
    return write_value(stream, address, &value, sizeof value, flags);
}

CUresult impl_cuStreamWriteValue32(CUstream stream, CUdeviceptr address, uint32_t value, uint32_t flags)
{
    return write_value(stream, address, &value, sizeof value, flags);
}

CUresult impl_cuStreamWriteValue64(CUstream stream, CUdeviceptr address, uint64_t value, uint32_t flags)
{
    return write_value(stream, address, &value, sizeof value, flags);
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

/* ---- host functions: the stream is drained, then they run on the calling thread. Later work on the stream has to wait for
 * them, and nothing but this process can make the ring wait for it. ---- */

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
    if (!status)
        status = vgpu_stream_wait(stream);
    if (!status)
        fn(data);
    return status;
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
    if (status)
        return status;
    callback(handle, vgpu_stream_wait(stream), data);
    return 0;
}
