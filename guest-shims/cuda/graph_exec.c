/* SPDX-License-Identifier: Apache-2.0 */
/* Executable graphs: a clone in running order, that is launched as one command after another on the launching stream. */
#include <stdlib.h>

#include "cuda/graph_memory.h"

enum { AUTO_FREE = 1, INSTANTIATE_FLAGS = 0xf };
enum { UPDATE_SUCCESS, UPDATE_ERROR, UPDATE_TOPOLOGY, UPDATE_TYPE, UPDATE_FUNCTION, UPDATE_PARAMETERS };

static int instantiate(CUgraphExec *result, CUgraph graph, uint64_t flags)
{
    struct CUgraph_st *clone;
    int status = vgpu_graph_check(graph);

    if (!status && (!result || (flags & ~(uint64_t)INSTANTIATE_FLAGS)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && (flags & 4))
        status = CUDA_ERROR_NOT_SUPPORTED; /* launches from the device */
    if (!status)
        status = vgpu_graph_clone(graph, &clone);
    if (status)
        return status;
    struct CUgraphExec_st *exec = calloc(1, sizeof *exec);
    clone->inner = true;
    if (!exec)
        status = CUDA_ERROR_OUT_OF_MEMORY;
    else if (!vgpu_graph_sort(clone))
        status = CUDA_ERROR_INVALID_VALUE;
    else
        status = vgpu_graph_memory_instantiate(clone, true);
    if (!status) {
        status = vgpu_handle_add(exec, KIND_EXEC, graph->context);
        if (status)
            vgpu_graph_memory_instantiate(clone, false);
    }
    if (status) {
        vgpu_graph_free(clone);
        free(exec);
        return status;
    }
    *exec = (struct CUgraphExec_st){graph->context, clone, flags};
    *result = exec;
    return 0;
}

CUresult impl_cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, uint64_t flags)
{
    return instantiate(exec, graph, flags);
}

CUresult impl_cuGraphInstantiate_v2(CUgraphExec *exec, CUgraph graph, CUgraphNode *error_node, char *log, size_t log_size)
{
    if (error_node)
        *error_node = NULL;
    if (log && log_size)
        *log = 0;
    return instantiate(exec, graph, 0);
}

CUresult impl_cuGraphInstantiate(CUgraphExec *exec, CUgraph graph, CUgraphNode *error_node, char *log, size_t log_size)
{
    return impl_cuGraphInstantiate_v2(exec, graph, error_node, log, log_size);
}

CUresult impl_cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
    if (!params)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    int status = instantiate(exec, graph, params->flags);
    params->error_node = NULL;
    params->result = status ? 1 : 0;
    return status;
}

static int check(CUgraphExec exec)
{
    int status = vgpu_enter_init();

    return status ? status : vgpu_handle_is(exec, KIND_EXEC) ? 0 : CUDA_ERROR_INVALID_HANDLE;
}

CUresult impl_cuGraphExecGetFlags(CUgraphExec exec, uint64_t *flags)
{
    int status = check(exec);

    if (!status && !flags)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *flags = exec->flags;
    return status;
}

CUresult impl_cuGraphExecDestroy(CUgraphExec exec)
{
    int status = check(exec);

    if (status)
        return status;
    vgpu_handle_remove(exec);
    vgpu_graph_memory_instantiate(exec->graph, false);
    vgpu_graph_free(exec->graph);
    free(exec);
    return 0;
}

static int enter_stream(CUgraphExec exec, CUstream handle, struct CUstream_st **stream)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && !vgpu_handle_is(exec, KIND_EXEC))
        status = CUDA_ERROR_INVALID_HANDLE;
    return status ? status : vgpu_stream(handle, context, stream);
}

CUresult impl_cuGraphLaunch(CUgraphExec exec, CUstream handle)
{
    struct CUstream_st *stream;
    int status = enter_stream(exec, handle, &stream);

    if (status)
        return status;
    if (vgpu_capturing(stream))
        return vgpu_graph_has_memory(exec->graph) ? CUDA_ERROR_NOT_SUPPORTED : vgpu_capture_graph(stream, exec->graph);
    status = vgpu_capture_implicit(stream);
    if (!status)
        status = vgpu_graph_memory_launch(exec->graph, exec->flags & AUTO_FREE);
    for (size_t i = 0; !status && i < exec->graph->count; i++) {
        struct CUgraphNode_st *node = exec->graph->nodes[i];
        if (!node->disabled)
            status = vgpu_node_run(node, stream);
    }
    return status;
}

/* Nothing needs to be moved ahead of a launch. */
CUresult impl_cuGraphUpload(CUgraphExec exec, CUstream handle)
{
    struct CUstream_st *stream;

    return enter_stream(exec, handle, &stream);
}

/* ---- changing what is executed ---- */

int vgpu_node_in(CUgraphExec exec, CUgraphNode node, int type, struct CUgraphNode_st **found)
{
    int status = check(exec);

    if (!status)
        status = vgpu_node_check(node, type);
    for (size_t i = 0; !status && i < exec->graph->count; i++) {
        if (exec->graph->nodes[i]->origin == node) {
            *found = exec->graph->nodes[i];
            return 0;
        }
    }
    return status ? status : CUDA_ERROR_INVALID_VALUE;
}

CUresult impl_cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, NODE_KERNEL, &found);

    return status ? status : impl_cuGraphKernelNodeSetParams_v2(found, params);
}

CUresult impl_cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1 *params)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, NODE_KERNEL, &found);

    return status ? status : impl_cuGraphKernelNodeSetParams(found, params);
}

CUresult impl_cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMCPY3D *params,
                                             CUcontext context)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, NODE_MEMCPY, &found);

    return status ? status : impl_cuGraphMemcpyNodeSetParams(found, params);
}

CUresult impl_cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS *params,
                                             CUcontext context)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, NODE_MEMSET, &found);

    return status ? status : impl_cuGraphMemsetNodeSetParams(found, params);
}

CUresult impl_cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_HOST_NODE_PARAMS *params)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, NODE_HOST, &found);

    return status ? status : impl_cuGraphHostNodeSetParams(found, params);
}

CUresult impl_cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, NODE_RECORD_EVENT, &found);

    return status ? status : impl_cuGraphEventRecordNodeSetEvent(found, event);
}

CUresult impl_cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, NODE_WAIT_EVENT, &found);

    return status ? status : impl_cuGraphEventWaitNodeSetEvent(found, event);
}

CUresult impl_cuGraphExecChildGraphNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraph child)
{
    struct CUgraphNode_st *found, contents = {.type = NODE_GRAPH, .as.child = child};
    int status = vgpu_node_in(exec, node, NODE_GRAPH, &found);

    if (!status)
        status = vgpu_graph_check(child);
    return status ? status : vgpu_node_assign(found, &contents);
}

CUresult impl_cuGraphExecNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraphNodeParams *params)
{
    struct CUgraphNode_st *found;
    int status = params ? vgpu_node_in(exec, node, params->type, &found) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    return status ? status : impl_cuGraphNodeSetParams(found, params);
}

CUresult impl_cuGraphNodeSetEnabled(CUgraphExec exec, CUgraphNode node, uint32_t enabled)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, -1, &found);

    if (!status && found->type > NODE_MEMSET)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        found->disabled = !enabled;
    return status;
}

CUresult impl_cuGraphNodeGetEnabled(CUgraphExec exec, CUgraphNode node, uint32_t *enabled)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, -1, &found);

    if (!status && !enabled)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *enabled = !found->disabled;
    return status;
}

/* Whether GRAPH, sorted, has the shape of TO: nodes pair up in order. *BAD gets the first that does not. */
static int compare(const struct CUgraph_st *to, const struct CUgraph_st *graph, struct CUgraphNode_st **bad)
{
    if (to->count != graph->count)
        return UPDATE_TOPOLOGY;
    for (size_t i = 0; i < graph->count; i++) {
        to->nodes[i]->index = graph->nodes[i]->index = i;
        *bad = graph->nodes[i]->origin;
        if (to->nodes[i]->type != graph->nodes[i]->type)
            return UPDATE_TYPE;
        if (to->nodes[i]->dependency_count != graph->nodes[i]->dependency_count)
            return UPDATE_TOPOLOGY;
        for (size_t d = 0; d < graph->nodes[i]->dependency_count; d++)
            if (to->nodes[i]->dependencies[d]->index != graph->nodes[i]->dependencies[d]->index)
                return UPDATE_TOPOLOGY;
    }
    *bad = NULL;
    return UPDATE_SUCCESS;
}

CUresult impl_cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *info)
{
    struct CUgraphNode_st *bad = NULL;
    struct CUgraph_st *sorted;
    int status = check(exec);

    if (!status)
        status = vgpu_graph_check(graph);
    if (!status && !info)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_graph_clone(graph, &sorted);
    if (status)
        return status;
    int result = vgpu_graph_sort(sorted) ? compare(exec->graph, sorted, &bad) : UPDATE_ERROR;
    for (size_t i = 0; !status && result == UPDATE_SUCCESS && i < sorted->count; i++) {
        status = vgpu_node_assign(exec->graph->nodes[i], sorted->nodes[i]);
        exec->graph->nodes[i]->origin = sorted->nodes[i]->origin;
    }
    vgpu_graph_free(sorted);
    *info = (struct CUgraphExecUpdateResultInfo){.result = status ? UPDATE_ERROR : result, .node = bad};
    return status ? status : result == UPDATE_SUCCESS ? 0 : CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
}

CUresult impl_cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode *error_node, CUgraphExecUpdateResult *result)
{
    struct CUgraphExecUpdateResultInfo info = {0};
    int status = error_node && result ? impl_cuGraphExecUpdate_v2(exec, graph, &info) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    if (error_node)
        *error_node = info.node;
    if (result)
        *result = info.result;
    return status;
}
