/* SPDX-License-Identifier: Apache-2.0 */
/* Events: the number of the command that a stream's work ended with, and, for timing, when the executor got there. */
#include <stdlib.h>

#include "cuda/defer.h"

enum { BLOCKING_SYNC = 1, DISABLE_TIMING = 2, INTERPROCESS = 4 };

CUresult impl_cuEventCreate(CUevent *result, uint32_t flags)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (!result || (flags & ~7u) || ((flags & INTERPROCESS) && !(flags & DISABLE_TIMING))))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && (flags & INTERPROCESS))
        status = CUDA_ERROR_NOT_SUPPORTED;
    if (status)
        return status;
    struct CUevent_st *event = calloc(1, sizeof *event);
    if (!event)
        return CUDA_ERROR_OUT_OF_MEMORY;
    event->context = context;
    event->flags = flags;
    status = vgpu_handle_add(event, KIND_EVENT, context);
    if (status)
        free(event);
    else
        *result = event;
    return status;
}

static void destroy(struct CUevent_st *event)
{
    vgpu_handle_remove(event);
    vgpu_event_supersede(event);
    if (event->stamp)
        vgpu_memory_free(&vgpu_driver.memory, event->stamp, 1u << VGPU_RANGE_INTERNAL);
    free(event->tails);
    free(event);
}

static int check(CUevent event)
{
    int status = vgpu_enter_init();

    return status ? status : vgpu_handle_is(event, KIND_EVENT) ? 0 : CUDA_ERROR_INVALID_HANDLE;
}

CUresult impl_cuEventDestroy_v2(CUevent event)
{
    int status = check(event);

    if (!status)
        destroy(event);
    return status;
}

CUresult impl_cuEventDestroy(CUevent event)
{
    return impl_cuEventDestroy_v2(event);
}

void vgpu_events_destroy(struct CUctx_st *context)
{
    for (struct CUevent_st *event; (event = vgpu_handle_of(context, KIND_EVENT));)
        destroy(event);
}

int vgpu_event_put(struct CUevent_st *event, struct CUstream_st *stream)
{
    int status = 0;

    if (event->flags & DISABLE_TIMING) {
        event->seq = vgpu_stream_last(stream);
        return 0;
    }
    if (!event->stamp)
        status = vgpu_memory_alloc(&vgpu_driver.memory, sizeof(uint64_t), VGPU_RANGE_INTERNAL, 0, event->context,
                                   &event->stamp);
    if (status)
        return status;
    struct vgpu_cmd_stamp command = {.address = event->stamp};
    status = vgpu_stream_put(stream, VGPU_CMD_STAMP, &command, sizeof command, NULL, 0);
    if (!status)
        event->seq = vgpu_stream_last(stream);
    return status;
}

int vgpu_event_record(struct CUevent_st *event, struct CUstream_st *stream)
{
    event->capture_id = 0;
    if (vgpu_deferring(stream))
        return vgpu_defer_record(stream, event);
    vgpu_event_supersede(event);
    return vgpu_event_put(event, stream);
}

/* Commands run in ring order: what EVENT stands for is before whatever STREAM gets from now on. */
int vgpu_event_wait(struct CUevent_st *event, struct CUstream_st *stream)
{
    bool taken;
    int status = vgpu_defer_await(stream, event, &taken);

    if (!status && !taken && !stream->legacy)
        vgpu_stream_advance(stream, event->seq);
    return status;
}

CUresult impl_cuEventRecordWithFlags(CUevent event, CUstream handle, uint32_t flags)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = check(event);

    if (!status)
        status = vgpu_enter(&context);
    if (!status)
        status = vgpu_stream(handle, context, &stream);
    if (!status && (flags & ~1u))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && event->context != stream->context)
        status = CUDA_ERROR_INVALID_HANDLE;
    if (status)
        return status;
    if (vgpu_capturing(stream))
        return vgpu_capture_record(stream, event);
    status = vgpu_capture_implicit(stream);
    return status ? status : vgpu_event_record(event, stream);
}

CUresult impl_cuEventRecord(CUevent event, CUstream stream)
{
    return impl_cuEventRecordWithFlags(event, stream, 0);
}

CUresult impl_cuEventQuery(CUevent event)
{
    int status = check(event);

    if (!status && event->capture_id)
        status = CUDA_ERROR_CAPTURED_EVENT;
    if (status)
        return status;
    if (vgpu_event_pending(event) || !vgpu_done(&vgpu_driver.channel, event->seq))
        return CUDA_ERROR_NOT_READY;
    return vgpu_channel_status(&vgpu_driver.channel);
}

CUresult impl_cuEventSynchronize(CUevent event)
{
    int status = check(event);

    if (!status && event->capture_id)
        status = CUDA_ERROR_CAPTURED_EVENT;
    if (status)
        return status;
    vgpu_event_settle(event);
    return vgpu_wait(&vgpu_driver.channel, event->seq);
}

CUresult impl_cuEventElapsedTime_v2(float *milliseconds, CUevent start, CUevent end)
{
    uint64_t began, ended;
    int status = check(start);

    if (!status)
        status = check(end);
    if (!status && !milliseconds)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && ((start->flags | end->flags) & DISABLE_TIMING))
        status = CUDA_ERROR_INVALID_HANDLE;
    if (!status && (start->capture_id || end->capture_id))
        status = CUDA_ERROR_CAPTURED_EVENT;
    if (!status && (vgpu_event_pending(start) || vgpu_event_pending(end)))
        status = CUDA_ERROR_NOT_READY;
    if (!status && (!start->seq || !end->seq))
        status = CUDA_ERROR_INVALID_HANDLE;
    if (!status && !(vgpu_done(&vgpu_driver.channel, start->seq) && vgpu_done(&vgpu_driver.channel, end->seq)))
        status = CUDA_ERROR_NOT_READY;
    if (!status)
        status = vgpu_channel_status(&vgpu_driver.channel);
    if (!status)
        status = vgpu_memory_copy(&vgpu_driver.memory, start->stamp, &began, sizeof began, VGPU_FROM_DEVICE);
    if (!status)
        status = vgpu_memory_copy(&vgpu_driver.memory, end->stamp, &ended, sizeof ended, VGPU_FROM_DEVICE);
    if (!status)
        *milliseconds = (float)((double)(int64_t)(ended - began) / 1e6);
    return status;
}

CUresult impl_cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end)
{
    return impl_cuEventElapsedTime_v2(milliseconds, start, end);
}

/* ---- all of a context's work ---- */

static int enter_context(CUcontext context, CUevent event)
{
    int status = check(event);

    if (!status)
        status = vgpu_context_check(context);
    return status ? status : vgpu_capture_forbids_context(context);
}

CUresult impl_cuCtxRecordEvent(CUcontext context, CUevent event)
{
    int status = enter_context(context, event);

    if (!status && event->context != context)
        status = CUDA_ERROR_INVALID_HANDLE;
    if (status)
        return status;
    vgpu_defer_settle_all(context);
    return vgpu_event_record(event, &context->legacy);
}

/* What is submitted from now on comes after the event's command as it is; a command that waits to be submitted is waited for. */
CUresult impl_cuCtxWaitEvent(CUcontext context, CUevent event)
{
    int status = enter_context(context, event);

    if (!status && event->capture_id)
        status = CUDA_ERROR_CAPTURED_EVENT;
    if (!status)
        vgpu_event_settle(event);
    return status;
}
