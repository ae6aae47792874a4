/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of streams and of kernel nodes (both are launch attributes), and the profiler's switch. */
#include <string.h>

#include "cuda/graph.h"

/* Of a stream: its priority, and hints, which are given back as they were set. */
static char *hint(struct CUstream_st *stream, int attribute)
{
    switch (attribute) {
    case LAUNCH_ATTR_ACCESS_POLICY_WINDOW:
        return stream->hints[0];
    case LAUNCH_ATTR_SYNCHRONIZATION_POLICY:
        return stream->hints[1];
    case LAUNCH_ATTR_MEM_SYNC_DOMAIN:
        return stream->hints[2];
    default:
        return NULL;
    }
}

static int enter(CUstream handle, struct CUstream_st **stream)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_stream(handle, context, stream);
}

CUresult impl_cuStreamGetAttribute(CUstream handle, CUstreamAttrID attribute, CUstreamAttrValue *value)
{
    struct CUstream_st *stream;
    int status = enter(handle, &stream);

    if (!status && !value)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    memset(value, 0, sizeof *value);
    const char *bytes = hint(stream, attribute);
    if (bytes)
        memcpy(value->bytes, bytes, sizeof value->bytes);
    else if (attribute == LAUNCH_ATTR_PRIORITY)
        memcpy(value->bytes, &stream->priority, sizeof stream->priority);
    else
        return CUDA_ERROR_NOT_SUPPORTED;
    return 0;
}

CUresult impl_cuStreamSetAttribute(CUstream handle, CUstreamAttrID attribute, const CUstreamAttrValue *value)
{
    struct CUstream_st *stream;
    int status = enter(handle, &stream);

    if (!status && !value)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    char *bytes = hint(stream, attribute);
    if (bytes)
        memcpy(bytes, value->bytes, sizeof value->bytes);
    else if (attribute == LAUNCH_ATTR_PRIORITY)
        memcpy(&stream->priority, value->bytes, sizeof stream->priority);
    else
        return CUDA_ERROR_NOT_SUPPORTED;
    return 0;
}

CUresult impl_cuStreamCopyAttributes(CUstream to_handle, CUstream from_handle)
{
    struct CUstream_st *to, *from;
    int status = enter(to_handle, &to);

    if (!status)
        status = enter(from_handle, &from);
    if (status)
        return status;
    memcpy(to->hints, from->hints, sizeof to->hints);
    to->priority = from->priority;
    return 0;
}

/* ---- kernel nodes: what changes the launch lies in its command ---- */

static int launch_of(CUgraphNode node, struct vgpu_cmd_launch **launch)
{
    int status = vgpu_node_check(node, NODE_KERNEL);

    if (!status && !node->as.kernel.function)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *launch = (struct vgpu_cmd_launch *)node->as.kernel.record.bytes;
    return status;
}

CUresult impl_cuGraphKernelNodeGetAttribute(CUgraphNode node, CUkernelNodeAttrID attribute, CUkernelNodeAttrValue *value)
{
    struct vgpu_cmd_launch *launch;
    int status = value ? launch_of(node, &launch) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    if (status)
        return status;
    memset(value, 0, sizeof *value);
    if (attribute == LAUNCH_ATTR_COOPERATIVE)
        memcpy(value->bytes, &(int){launch->flags & 1}, sizeof(int));
    else if (attribute == LAUNCH_ATTR_CLUSTER_DIMENSION)
        memcpy(value->bytes, launch->cluster, sizeof launch->cluster);
    else
        return CUDA_ERROR_NOT_SUPPORTED;
    return 0;
}

CUresult impl_cuGraphKernelNodeSetAttribute(CUgraphNode node, CUkernelNodeAttrID attribute,
                                            const CUkernelNodeAttrValue *value)
{
    struct vgpu_cmd_launch *launch, changed;
    int cooperative, status = value ? launch_of(node, &launch) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    if (status)
        return status;
    changed = *launch;
    if (attribute == LAUNCH_ATTR_COOPERATIVE) {
        memcpy(&cooperative, value->bytes, sizeof cooperative);
        changed.flags = cooperative ? changed.flags | 1 : changed.flags & ~1u;
    } else if (attribute == LAUNCH_ATTR_CLUSTER_DIMENSION) {
        memcpy(changed.cluster, value->bytes, sizeof changed.cluster);
    } else {
        return CUDA_ERROR_NOT_SUPPORTED;
    }
    status = vgpu_handle_is(node->as.kernel.function, KIND_FUNCTION) ? vgpu_launch_check(node->as.kernel.function, &changed)
                                                                     : CUDA_ERROR_INVALID_HANDLE;
    if (!status)
        *launch = changed;
    return status;
}

CUresult impl_cuGraphKernelNodeCopyAttributes(CUgraphNode to, CUgraphNode from)
{
    struct vgpu_cmd_launch *target, *source;
    int status = launch_of(to, &target);

    if (!status)
        status = launch_of(from, &source);
    if (status)
        return status;
    target->flags = source->flags;
    memcpy(target->cluster, source->cluster, sizeof target->cluster);
    return 0;
}

/* ---- the profiler's switch: no profiler is attached, so there is nothing to switch ---- */

CUresult impl_cuProfilerStart(void)
{
    struct CUctx_st *context;

    return vgpu_enter(&context);
}

CUresult impl_cuProfilerStop(void)
{
    struct CUctx_st *context;

    return vgpu_enter(&context);
}
