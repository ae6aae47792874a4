/* SPDX-License-Identifier: Apache-2.0 */
/* A graph as DOT text, for people who debug theirs. */
#include <inttypes.h>
#include <stdio.h>

#include "cuda/graph.h"

enum {
    DOT_VERBOSE = 1 << 0,
    DOT_KERNEL = 1 << 2,
    DOT_MEMCPY = 1 << 3,
    DOT_MEMSET = 1 << 4,
    DOT_HOST = 1 << 5,
    DOT_EVENT = 1 << 6,
    DOT_HANDLES = 1 << 10,
    DOT_MEM_FREE = 1 << 12,
    DOT_BATCH_MEM_OP = 1 << 13,
    DOT_FLAGS = 1 << 16,
};

static const char *const names[VGPU_NODE_TYPES] = {
    [NODE_KERNEL] = "KERNEL",         [NODE_MEMCPY] = "MEMCPY",       [NODE_MEMSET] = "MEMSET",
    [NODE_HOST] = "HOST",             [NODE_GRAPH] = "GRAPH",         [NODE_EMPTY] = "EMPTY",
    [NODE_WAIT_EVENT] = "WAIT_EVENT", [NODE_RECORD_EVENT] = "EVENT_RECORD",
    [NODE_MEM_ALLOC] = "MEM_ALLOC",   [NODE_MEM_FREE] = "MEM_FREE",   [NODE_BATCH_MEM_OP] = "BATCH_MEM_OP",
};

static void print_params(FILE *file, const struct CUgraphNode_st *node, uint32_t flags)
{
    switch (node->type) {
    case NODE_KERNEL:
        if (!(flags & DOT_KERNEL) || !node->as.kernel.function || !vgpu_handle_is(node->as.kernel.function, KIND_FUNCTION))
            return;
        const struct vgpu_cmd_launch *launch = (const void *)node->as.kernel.record.bytes;
        fprintf(file, "\\n%s\\n<<<(%u,%u,%u),(%u,%u,%u),%u>>>", node->as.kernel.function->name, launch->grid[0], launch->grid[1],
                launch->grid[2], launch->block[0], launch->block[1], launch->block[2], launch->shared);
        return;
    case NODE_MEMCPY:
        if (flags & DOT_MEMCPY)
            fprintf(file, "\\n%zu x %zu x %zu bytes", node->as.copy.width, node->as.copy.height, node->as.copy.depth);
        return;
    case NODE_MEMSET:
        if (flags & DOT_MEMSET)
            fprintf(file, "\\n%#" PRIx64 "\\nvalue %u, %zu x %zu elements of %u", node->as.fill.dst, node->as.fill.value,
                    node->as.fill.width, node->as.fill.height, node->as.fill.element_size);
        return;
    case NODE_HOST:
        if (flags & DOT_HOST)
            fprintf(file, "\\n%p(%p)", (void *)(uintptr_t)node->as.host.fn, node->as.host.data);
        return;
    case NODE_WAIT_EVENT:
    case NODE_RECORD_EVENT:
        if (flags & DOT_EVENT)
            fprintf(file, "\\nevent %p", (void *)node->as.event);
        return;
    case NODE_MEM_FREE:
        if (flags & DOT_MEM_FREE)
            fprintf(file, "\\n%#" PRIx64, node->as.address);
        return;
    case NODE_BATCH_MEM_OP:
        if (flags & DOT_BATCH_MEM_OP)
            fprintf(file, "\\n%u operations", node->as.memops.count);
        return;
    }
}

/* Nodes are named by their graph's and their own number, so that graphs within graphs do not mix. */
static void print_graph(FILE *file, const struct CUgraph_st *graph, unsigned *last, uint32_t flags)
{
    unsigned number = (*last)++;

    fprintf(file, "subgraph cluster_%u {\nlabel=\"graph_%u\"\n", number, number);
    for (size_t i = 0; i < graph->count; i++)
        graph->nodes[i]->index = i;
    for (size_t i = 0; i < graph->count; i++) {
        const struct CUgraphNode_st *node = graph->nodes[i];
        fprintf(file, "\"graph_%u_node_%zu\" [shape=\"box\" label=\"%zu\\n%s", number, i, i, names[node->type]);
        if (flags & DOT_HANDLES)
            fprintf(file, "\\nnode %p", (const void *)node);
        print_params(file, node, flags);
        fprintf(file, "\"]\n");
    }
    for (size_t i = 0; i < graph->count; i++)
        for (size_t d = 0; d < graph->nodes[i]->dependency_count; d++)
            fprintf(file, "\"graph_%u_node_%zu\" -> \"graph_%u_node_%zu\"\n", number, graph->nodes[i]->dependencies[d]->index, number, i);
    fprintf(file, "}\n");
    for (size_t i = 0; i < graph->count; i++)
        if (graph->nodes[i]->type == NODE_GRAPH)
            print_graph(file, graph->nodes[i]->as.child, last, flags);
}

CUresult impl_cuGraphDebugDotPrint(CUgraph graph, const char *path, uint32_t flags)
{
    unsigned last = 0;
    int status = vgpu_graph_check(graph);

    if (!status && (!path || flags >= DOT_FLAGS))
        status = CUDA_ERROR_INVALID_VALUE;
    FILE *file = status ? NULL : fopen(path, "w");
    if (!file)
        return status ? status : CUDA_ERROR_OPERATING_SYSTEM;
    fprintf(file, "digraph dot {\n");
    print_graph(file, graph, &last, flags & DOT_VERBOSE ? UINT32_MAX : flags);
    fprintf(file, "}\n");
    bool failed = ferror(file);
    return fclose(file) || failed ? CUDA_ERROR_OPERATING_SYSTEM : 0;
}
