/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of stream memory operations. */
#include <stdlib.h>
#include <string.h>

#include "cuda/graph.h"
#include "cuda/memop.h"

static int run(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    return vgpu_memops_run(stream, node->as.memops.ops, node->as.memops.count);
}

static int copy_ops(struct CUgraphNode_st *node)
{
    size_t bytes = node->as.memops.count * sizeof *node->as.memops.ops;
    struct CUstreamBatchMemOpParams *copy = malloc(bytes);

    if (!copy)
        return CUDA_ERROR_OUT_OF_MEMORY;
    node->as.memops.ops = memcpy(copy, node->as.memops.ops, bytes);
    return 0;
}

static void clear(struct CUgraphNode_st *node)
{
    free(node->as.memops.ops);
}

const struct vgpu_node_ops vgpu_memop_ops = {run, copy_ops, clear};

int vgpu_capture_memops(struct CUstream_st *stream, const struct CUstreamBatchMemOpParams *ops, uint32_t count)
{
    return vgpu_capture_node(stream, &(struct CUgraphNode_st){
                                         .type = NODE_BATCH_MEM_OP,
                                         .as.memops = {stream->context, count, (struct CUstreamBatchMemOpParams *)ops, 0}});
}

static int set(struct CUgraphNode_st *node, const CUDA_BATCH_MEM_OP_NODE_PARAMS *params)
{
    int status = params ? vgpu_memops_check(params->ops, params->count, params->flags, true) : CUDA_ERROR_INVALID_VALUE;

    return status ? status : vgpu_node_assign(node, &(struct CUgraphNode_st){.type = NODE_BATCH_MEM_OP, .as.memops = *params});
}

CUresult impl_cuGraphAddBatchMemOpNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                       const CUDA_BATCH_MEM_OP_NODE_PARAMS *params)
{
    struct CUgraphNode_st *node;
    int status = vgpu_graph_check(graph);

    if (!status && (!result || !params))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_node_add(graph, NODE_BATCH_MEM_OP, dependencies, count, &node);
    if (status)
        return status;
    status = set(node, params);
    if (status)
        vgpu_node_remove(node);
    else
        *result = node;
    return status;
}

/* The operations are the node's: they stay valid until it changes. */
CUresult impl_cuGraphBatchMemOpNodeGetParams(CUgraphNode node, CUDA_BATCH_MEM_OP_NODE_PARAMS *params)
{
    int status = vgpu_node_check(node, NODE_BATCH_MEM_OP);

    if (!status && !params)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *params = node->as.memops;
    return status;
}

CUresult impl_cuGraphBatchMemOpNodeSetParams(CUgraphNode node, const CUDA_BATCH_MEM_OP_NODE_PARAMS *params)
{
    int status = vgpu_node_check(node, NODE_BATCH_MEM_OP);

    return status ? status : set(node, params);
}

CUresult impl_cuGraphExecBatchMemOpNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_BATCH_MEM_OP_NODE_PARAMS *params)
{
    struct CUgraphNode_st *found;
    int status = vgpu_node_in(exec, node, NODE_BATCH_MEM_OP, &found);

    return status ? status : set(found, params);
}
