/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes hold and do. */
#include <stdlib.h>
#include <string.h>

#include "cuda/defer.h"
#include "cuda/graph.h"
#include "cuda/graph_memory.h"

int vgpu_record_set(struct vgpu_record *record, uint16_t command, const void *fixed, size_t fixed_size, const void *tail,
                    size_t tail_size)
{
    unsigned char *bytes = malloc(fixed_size + tail_size);

    if (!bytes)
        return CUDA_ERROR_OUT_OF_MEMORY;
    memcpy(bytes, fixed, fixed_size);
    if (tail_size)
        memcpy(bytes + fixed_size, tail, tail_size);
    *record = (struct vgpu_record){command, fixed_size, tail_size, bytes};
    return 0;
}

static int run_record(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    struct vgpu_record *record = &node->as.kernel.record;

    return vgpu_stream_queue(stream, record->command, record->bytes, record->fixed_size, record->bytes + record->fixed_size,
                             record->tail_size);
}

static int clone_record(struct CUgraphNode_st *node)
{
    struct vgpu_record from = node->as.kernel.record;

    node->as.kernel.pointers = NULL;
    return vgpu_record_set(&node->as.kernel.record, from.command, from.bytes, from.fixed_size,
                           from.bytes + from.fixed_size, from.tail_size);
}

static void clear_record(struct CUgraphNode_st *node)
{
    free(node->as.kernel.record.bytes);
    free(node->as.kernel.pointers);
}

static int run_copy(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    return vgpu_copy_3d(stream, &node->as.copy, true);
}

static int run_fill(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    return vgpu_fill(stream, &node->as.fill, true);
}

static int run_host(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    return vgpu_defer_host(stream, node->as.host.fn, node->as.host.data);
}

static int run_event(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    return vgpu_handle_is(node->as.event, KIND_EVENT) ? vgpu_event_record(node->as.event, stream)
                                                      : CUDA_ERROR_INVALID_HANDLE;
}

static int run_wait(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    return vgpu_handle_is(node->as.event, KIND_EVENT) ? vgpu_event_wait(node->as.event, stream) : CUDA_ERROR_INVALID_HANDLE;
}

static int run_child(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    struct CUgraph_st *graph = node->as.child;
    int status = 0;

    for (size_t i = 0; !status && i < graph->count; i++)
        status = vgpu_node_run(graph->nodes[i], stream);
    return status;
}

static int clone_child(struct CUgraphNode_st *node)
{
    struct CUgraph_st *clone;
    int status = vgpu_graph_clone(node->as.child, &clone);

    if (!status && !vgpu_graph_sort(clone)) {
        vgpu_graph_free(clone);
        status = CUDA_ERROR_INVALID_VALUE;
    }
    if (status)
        return status;
    clone->inner = true;
    node->as.child = clone;
    return 0;
}

static void clear_child(struct CUgraphNode_st *node)
{
    vgpu_graph_free(node->as.child);
}

static const struct vgpu_node_ops kernel_ops = {run_record, clone_record, clear_record}, copy_ops = {.run = run_copy},
                                  fill_ops = {.run = run_fill}, host_ops = {.run = run_host},
                                  child_ops = {run_child, clone_child, clear_child}, wait_ops = {.run = run_wait},
                                  event_ops = {.run = run_event}, no_ops = {NULL, NULL, NULL};

const struct vgpu_node_ops *const vgpu_node_ops[VGPU_NODE_TYPES] = {
    [NODE_KERNEL] = &kernel_ops,      [NODE_MEMCPY] = &copy_ops,
    [NODE_MEMSET] = &fill_ops,        [NODE_HOST] = &host_ops,
    [NODE_GRAPH] = &child_ops,        [NODE_EMPTY] = &no_ops, /* the ring's order is all that it asks for */
    [NODE_WAIT_EVENT] = &wait_ops,    [NODE_RECORD_EVENT] = &event_ops,
    [NODE_MEM_ALLOC] = &vgpu_alloc_ops, [NODE_MEM_FREE] = &vgpu_free_ops,
    [NODE_BATCH_MEM_OP] = &vgpu_memop_ops,
};

int vgpu_node_run(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    return vgpu_node_ops[node->type]->run ? vgpu_node_ops[node->type]->run(node, stream) : 0;
}

/* ---- kernel nodes ---- */

static int kernel_contents(struct CUgraphNode_st *node, const struct CUDA_KERNEL_NODE_PARAMS *params)
{
    struct vgpu_cmd_launch launch = {.cluster = {1, 1, 1}, .shared = params->shared};
    void *handle = params->func ? (void *)params->func : (void *)params->kernel;
    struct CUfunc_st *function;
    int status = vgpu_function_of(handle, node->graph->context, &function);

    if (status)
        return status;
    memcpy(launch.grid, params->grid, sizeof launch.grid);
    memcpy(launch.block, params->block, sizeof launch.block);
    launch.function = function->id;
    status = vgpu_launch_check(function, &launch);
    if (status)
        return status;
    unsigned char *tail = malloc(function->info.param_size + 1);
    struct vgpu_record record;
    if (!tail)
        return CUDA_ERROR_OUT_OF_MEMORY;
    status = vgpu_params_gather(function, params->params, params->extra, tail);
    if (!status)
        status = vgpu_record_set(&record, VGPU_CMD_LAUNCH, &launch, sizeof launch, tail, function->info.param_size);
    free(tail);
    if (status)
        return status;
    clear_record(node);
    node->as.kernel.record = record;
    node->as.kernel.function = function;
    node->as.kernel.pointers = NULL;
    return 0;
}

/* Adds a node and fills it. */
#define ADD(TYPE, FILL) \
    struct CUgraphNode_st *node; \
    int status = vgpu_graph_check(graph); \
    if (!status && !result) \
        status = CUDA_ERROR_INVALID_VALUE; \
    if (!status) \
        status = vgpu_node_add(graph, TYPE, dependencies, count, &node); \
    if (status) \
        return status; \
    status = FILL; \
    if (status) \
        vgpu_node_remove(node); \
    else \
        *result = node; \
    return status

CUresult impl_cuGraphAddKernelNode_v2(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                      const CUDA_KERNEL_NODE_PARAMS *params)
{
    if (!params)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    ADD(NODE_KERNEL, kernel_contents(node, params));
}

CUresult impl_cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params)
{
    int status = vgpu_node_check(node, NODE_KERNEL);

    if (!status && !params)
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : kernel_contents(node, params);
}

/* The parameters' addresses stay valid until the node changes. */
CUresult impl_cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS *params)
{
    struct vgpu_cmd_launch launch;
    int status = vgpu_node_check(node, NODE_KERNEL);

    if (!status && !params)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct CUfunc_st *function = node->as.kernel.function;
    if (!function || !vgpu_handle_is(function, KIND_FUNCTION))
        return CUDA_ERROR_INVALID_VALUE; /* a library's command, or its module is gone */
    if (!node->as.kernel.pointers) {
        node->as.kernel.pointers = calloc(function->info.params + 1, sizeof(void *));
        if (!node->as.kernel.pointers)
            return CUDA_ERROR_OUT_OF_MEMORY;
        for (uint32_t i = 0; i < function->info.params; i++)
            node->as.kernel.pointers[i] = node->as.kernel.record.bytes + sizeof launch + function->params[i].offset;
    }
    memcpy(&launch, node->as.kernel.record.bytes, sizeof launch);
    *params = (struct CUDA_KERNEL_NODE_PARAMS){
        .func = function, .shared = launch.shared, .params = node->as.kernel.pointers, .context = node->graph->context};
    memcpy(params->grid, launch.grid, sizeof launch.grid);
    memcpy(params->block, launch.block, sizeof launch.block);
    return 0;
}

/* The first version has neither kernel nor context; what it has lies at the same places. */
struct CUDA_KERNEL_NODE_PARAMS_v1 {
    struct CUfunc_st *func;
    uint32_t grid[3], block[3], shared;
    void **params, **extra;
};
_Static_assert(sizeof(struct CUDA_KERNEL_NODE_PARAMS_v1) == offsetof(struct CUDA_KERNEL_NODE_PARAMS, kernel), "a prefix");

static struct CUDA_KERNEL_NODE_PARAMS from_v1(const CUDA_KERNEL_NODE_PARAMS_v1 *params)
{
    struct CUDA_KERNEL_NODE_PARAMS full = {0};

    memcpy(&full, params, sizeof *params);
    return full;
}

CUresult impl_cuGraphAddKernelNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                   const CUDA_KERNEL_NODE_PARAMS_v1 *params)
{
    if (!params)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    struct CUDA_KERNEL_NODE_PARAMS full = from_v1(params);
    return impl_cuGraphAddKernelNode_v2(result, graph, dependencies, count, &full);
}

CUresult impl_cuGraphKernelNodeSetParams(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1 *params)
{
    if (!params)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    struct CUDA_KERNEL_NODE_PARAMS full = from_v1(params);
    return impl_cuGraphKernelNodeSetParams_v2(node, &full);
}

CUresult impl_cuGraphKernelNodeGetParams(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS_v1 *params)
{
    struct CUDA_KERNEL_NODE_PARAMS full;
    int status = params ? impl_cuGraphKernelNodeGetParams_v2(node, &full) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    if (!status)
        memcpy(params, &full, sizeof *params);
    return status;
}

/* ---- nodes that hold their parameters as given ---- */

#define SET(FIELD, VALUE) (node->as.FIELD = (VALUE), 0)

CUresult impl_cuGraphAddMemcpyNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                   const CUDA_MEMCPY3D *params, CUcontext context)
{
    if (!params)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    ADD(NODE_MEMCPY, SET(copy, *params));
}

CUresult impl_cuGraphAddMemsetNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                   const CUDA_MEMSET_NODE_PARAMS *params, CUcontext context)
{
    if (!params)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    ADD(NODE_MEMSET, SET(fill, *params));
}

CUresult impl_cuGraphAddHostNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                 const CUDA_HOST_NODE_PARAMS *params)
{
    if (!params || !params->fn)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    ADD(NODE_HOST, SET(host, *params));
}

CUresult impl_cuGraphAddEmptyNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count)
{
    ADD(NODE_EMPTY, 0);
}

CUresult impl_cuGraphAddEventRecordNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                        CUevent event)
{
    if (!vgpu_handle_is(event, KIND_EVENT))
        return vgpu_refuse(CUDA_ERROR_INVALID_HANDLE);
    ADD(NODE_RECORD_EVENT, SET(event, event));
}

CUresult impl_cuGraphAddEventWaitNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                      CUevent event)
{
    if (!vgpu_handle_is(event, KIND_EVENT))
        return vgpu_refuse(CUDA_ERROR_INVALID_HANDLE);
    ADD(NODE_WAIT_EVENT, SET(event, event));
}

static int child_contents(struct CUgraphNode_st *node, struct CUgraph_st *child)
{
    node->as.child = child;
    int status = clone_child(node);
    if (status)
        node->as.child = NULL;
    return status;
}

CUresult impl_cuGraphAddChildGraphNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                       CUgraph child)
{
    if (!vgpu_handle_is(child, KIND_GRAPH) || child == graph)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    if (vgpu_graph_has_memory(child))
        return CUDA_ERROR_NOT_SUPPORTED;
    ADD(NODE_GRAPH, child_contents(node, child));
}

CUresult impl_cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph *graph)
{
    int status = vgpu_node_check(node, NODE_GRAPH);

    if (!status && !graph)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *graph = node->as.child;
    return status;
}

#define GET_AND_SET(NAME, TYPE, PARAMS, FIELD) \
    CUresult impl_cuGraph##NAME##NodeGetParams(CUgraphNode node, PARAMS *params) \
    { \
        int status = vgpu_node_check(node, TYPE); \
        if (!status && !params) \
            status = CUDA_ERROR_INVALID_VALUE; \
        if (!status) \
            *params = node->as.FIELD; \
        return status; \
    } \
    CUresult impl_cuGraph##NAME##NodeSetParams(CUgraphNode node, const PARAMS *params) \
    { \
        int status = vgpu_node_check(node, TYPE); \
        if (!status && !params) \
            status = CUDA_ERROR_INVALID_VALUE; \
        if (!status) \
            node->as.FIELD = *params; \
        return status; \
    }

GET_AND_SET(Memcpy, NODE_MEMCPY, CUDA_MEMCPY3D, copy)
GET_AND_SET(Memset, NODE_MEMSET, CUDA_MEMSET_NODE_PARAMS, fill)
GET_AND_SET(Host, NODE_HOST, CUDA_HOST_NODE_PARAMS, host)

static int get_event(CUgraphNode node, int type, CUevent *event)
{
    int status = vgpu_node_check(node, type);

    if (!status && !event)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *event = node->as.event;
    return status;
}

CUresult impl_cuGraphEventRecordNodeGetEvent(CUgraphNode node, CUevent *event)
{
    return get_event(node, NODE_RECORD_EVENT, event);
}

CUresult impl_cuGraphEventWaitNodeGetEvent(CUgraphNode node, CUevent *event)
{
    return get_event(node, NODE_WAIT_EVENT, event);
}

static int set_event(CUgraphNode node, int type, CUevent event)
{
    int status = vgpu_node_check(node, type);

    if (!status && !vgpu_handle_is(event, KIND_EVENT))
        status = CUDA_ERROR_INVALID_HANDLE;
    if (!status)
        node->as.event = event;
    return status;
}

CUresult impl_cuGraphEventRecordNodeSetEvent(CUgraphNode node, CUevent event)
{
    return set_event(node, NODE_RECORD_EVENT, event);
}

CUresult impl_cuGraphEventWaitNodeSetEvent(CUgraphNode node, CUevent event)
{
    return set_event(node, NODE_WAIT_EVENT, event);
}

/* ---- nodes of any type ---- */

CUresult impl_cuGraphAddNode_v2(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies,
                                const CUgraphEdgeData *data, size_t count, CUgraphNodeParams *params)
{
    if (!params)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    switch (params->type) {
    case NODE_KERNEL:
        return impl_cuGraphAddKernelNode_v2(result, graph, dependencies, count, &params->as.kernel);
    case NODE_MEMCPY:
        return impl_cuGraphAddMemcpyNode(result, graph, dependencies, count, &params->as.memcpy.copy, NULL);
    case NODE_MEMSET:
        return impl_cuGraphAddMemsetNode(result, graph, dependencies, count, &params->as.memset, NULL);
    case NODE_HOST:
        return impl_cuGraphAddHostNode(result, graph, dependencies, count, &params->as.host);
    case NODE_GRAPH:
        return impl_cuGraphAddChildGraphNode(result, graph, dependencies, count, params->as.graph);
    case NODE_EMPTY:
        return impl_cuGraphAddEmptyNode(result, graph, dependencies, count);
    case NODE_WAIT_EVENT:
        return impl_cuGraphAddEventWaitNode(result, graph, dependencies, count, params->as.event);
    case NODE_RECORD_EVENT:
        return impl_cuGraphAddEventRecordNode(result, graph, dependencies, count, params->as.event);
    case NODE_MEM_ALLOC:
        return impl_cuGraphAddMemAllocNode(result, graph, dependencies, count, &params->as.alloc);
    case NODE_MEM_FREE:
        return impl_cuGraphAddMemFreeNode(result, graph, dependencies, count, params->as.free);
    case NODE_BATCH_MEM_OP:
        return impl_cuGraphAddBatchMemOpNode(result, graph, dependencies, count, &params->as.memops);
    default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
}

CUresult impl_cuGraphAddNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                             CUgraphNodeParams *params)
{
    return impl_cuGraphAddNode_v2(result, graph, dependencies, NULL, count, params);
}

CUresult impl_cuGraphNodeSetParams(CUgraphNode node, CUgraphNodeParams *params)
{
    if (!params)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    switch (params->type) {
    case NODE_KERNEL:
        return impl_cuGraphKernelNodeSetParams_v2(node, &params->as.kernel);
    case NODE_MEMCPY:
        return impl_cuGraphMemcpyNodeSetParams(node, &params->as.memcpy.copy);
    case NODE_MEMSET:
        return impl_cuGraphMemsetNodeSetParams(node, &params->as.memset);
    case NODE_HOST:
        return impl_cuGraphHostNodeSetParams(node, &params->as.host);
    case NODE_WAIT_EVENT:
        return impl_cuGraphEventWaitNodeSetEvent(node, params->as.event);
    case NODE_RECORD_EVENT:
        return impl_cuGraphEventRecordNodeSetEvent(node, params->as.event);
    case NODE_BATCH_MEM_OP:
        return impl_cuGraphBatchMemOpNodeSetParams(node, &params->as.memops);
    default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
}
