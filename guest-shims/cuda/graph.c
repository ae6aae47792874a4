/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs as data: nodes, edges, clones. */
#include "cuda/graph.h"

#include <stdlib.h>
#include <string.h>

#include "cuda/graph_memory.h"

struct CUgraph_st *vgpu_graph_new(struct CUctx_st *context)
{
    struct CUgraph_st *graph = calloc(1, sizeof *graph);

    if (!graph)
        return NULL;
    graph->context = context;
    if (vgpu_handle_add(graph, KIND_GRAPH, context)) {
        free(graph);
        return NULL;
    }
    return graph;
}

void vgpu_node_clear(struct CUgraphNode_st *node)
{
    if (vgpu_node_ops[node->type]->clear)
        vgpu_node_ops[node->type]->clear(node);
}

static void free_node(struct CUgraphNode_st *node)
{
    vgpu_handle_remove(node);
    vgpu_node_clear(node);
    free(node->dependencies);
    free(node);
}

void vgpu_graph_free(struct CUgraph_st *graph)
{
    if (!graph)
        return;
    vgpu_handle_remove(graph);
    for (size_t i = 0; i < graph->count; i++)
        free_node(graph->nodes[i]);
    vgpu_graph_let_go(graph);
    free(graph->nodes);
    free(graph);
}

void vgpu_graphs_destroy(struct CUctx_st *context)
{
    for (struct CUgraphExec_st *exec; (exec = vgpu_handle_of(context, KIND_EXEC));)
        impl_cuGraphExecDestroy(exec);
    for (struct CUgraph_st *graph; (graph = vgpu_handle_of(context, KIND_GRAPH));)
        vgpu_graph_free(graph);
}

int vgpu_node_depend(struct CUgraphNode_st *node, struct CUgraphNode_st *on)
{
    for (size_t i = 0; i < node->dependency_count; i++)
        if (node->dependencies[i] == on)
            return 0;
    struct CUgraphNode_st **grown = realloc(node->dependencies, (node->dependency_count + 1) * sizeof *grown);
    if (!grown)
        return CUDA_ERROR_OUT_OF_MEMORY;
    node->dependencies = grown;
    grown[node->dependency_count++] = on;
    return 0;
}

int vgpu_node_add(struct CUgraph_st *graph, int type, struct CUgraphNode_st *const *dependencies, size_t count,
                  struct CUgraphNode_st **result)
{
    struct CUgraphNode_st *node;
    int status = 0;

    if (count && !dependencies)
        return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; i++)
        if (!vgpu_handle_is(dependencies[i], KIND_NODE) || dependencies[i]->graph != graph)
            return CUDA_ERROR_INVALID_VALUE;
    if (graph->count == graph->room) {
        size_t room = graph->room ? graph->room * 2 : 16;
        struct CUgraphNode_st **grown = realloc(graph->nodes, room * sizeof *grown);
        if (!grown)
            return CUDA_ERROR_OUT_OF_MEMORY;
        graph->nodes = grown;
        graph->room = room;
    }
    node = calloc(1, sizeof *node);
    if (!node)
        return CUDA_ERROR_OUT_OF_MEMORY;
    node->graph = graph;
    node->type = type;
    for (size_t i = 0; !status && i < count; i++)
        status = vgpu_node_depend(node, dependencies[i]);
    if (!status)
        status = vgpu_handle_add(node, KIND_NODE, NULL);
    if (status) {
        free(node->dependencies);
        free(node);
        return status;
    }
    graph->nodes[graph->count++] = node;
    *result = node;
    return 0;
}

int vgpu_node_assign(struct CUgraphNode_st *to, const struct CUgraphNode_st *from)
{
    struct CUgraphNode_st fresh = {.type = from->type, .graph = to->graph, .as = from->as};
    int status = vgpu_node_ops[from->type]->clone ? vgpu_node_ops[from->type]->clone(&fresh) : 0;

    if (status)
        return status;
    vgpu_node_clear(to);
    to->as = fresh.as;
    return 0;
}

int vgpu_graph_clone(const struct CUgraph_st *graph, struct CUgraph_st **result)
{
    struct CUgraph_st *clone = vgpu_graph_new(graph->context);
    int status = clone ? 0 : CUDA_ERROR_OUT_OF_MEMORY;

    for (size_t i = 0; !status && i < graph->count; i++) {
        struct CUgraphNode_st *node, *from = graph->nodes[i];
        from->index = i;
        status = vgpu_node_add(clone, from->type, NULL, 0, &node);
        if (status)
            break;
        node->origin = from;
        node->disabled = from->disabled;
        status = vgpu_node_assign(node, from);
    }
    for (size_t i = 0; !status && i < graph->count; i++)
        for (size_t d = 0; !status && d < graph->nodes[i]->dependency_count; d++)
            status = vgpu_node_depend(clone->nodes[i], clone->nodes[graph->nodes[i]->dependencies[d]->index]);
    if (!status)
        status = vgpu_graph_share(clone, graph);
    if (status)
        vgpu_graph_free(clone);
    else
        *result = clone;
    return status;
}

/* Repeatedly takes the first node whose dependencies are all taken; nodes that were added in such an order stay in it. */
bool vgpu_graph_sort(struct CUgraph_st *graph)
{
    struct CUgraphNode_st **sorted = malloc((graph->count + 1) * sizeof *sorted);
    size_t taken = 0, before;

    if (!sorted)
        return false;
    for (size_t i = 0; i < graph->count; i++)
        graph->nodes[i]->index = SIZE_MAX;
    do {
        before = taken;
        for (size_t i = 0; i < graph->count; i++) {
            struct CUgraphNode_st *node = graph->nodes[i];
            bool ready = node->index == SIZE_MAX;
            for (size_t d = 0; ready && d < node->dependency_count; d++)
                ready = node->dependencies[d]->index != SIZE_MAX;
            if (!ready)
                continue;
            node->index = taken;
            sorted[taken++] = node;
        }
    } while (taken > before && taken < graph->count);
    if (taken == graph->count)
        memcpy(graph->nodes, sorted, taken * sizeof *sorted);
    free(sorted);
    return taken == graph->count;
}

/* ---- entry points ---- */

int vgpu_graph_check(CUgraph graph)
{
    int status = vgpu_enter_init();

    return status ? status : vgpu_handle_is(graph, KIND_GRAPH) ? 0 : CUDA_ERROR_INVALID_VALUE;
}

int vgpu_node_check(CUgraphNode node, int type)
{
    int status = vgpu_enter_init();

    return status ? status
                  : vgpu_handle_is(node, KIND_NODE) && (type < 0 || node->type == type) ? 0 : CUDA_ERROR_INVALID_VALUE;
}

CUresult impl_cuGraphCreate(CUgraph *graph, uint32_t flags)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (!graph || flags))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && !(*graph = vgpu_graph_new(context)))
        status = CUDA_ERROR_OUT_OF_MEMORY;
    return status;
}

CUresult impl_cuGraphDestroy(CUgraph graph)
{
    int status = vgpu_graph_check(graph);

    if (!status && graph->inner)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        vgpu_graph_free(graph);
    return status;
}

CUresult impl_cuGraphClone(CUgraph *clone, CUgraph graph)
{
    int status = vgpu_graph_check(graph);

    if (!status && !clone)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && vgpu_graph_has_memory(graph))
        status = CUDA_ERROR_NOT_SUPPORTED;
    return status ? status : vgpu_graph_clone(graph, clone);
}

CUresult impl_cuGraphNodeFindInClone(CUgraphNode *found, CUgraphNode original, CUgraph clone)
{
    int status = vgpu_node_check(original, -1);

    if (!status)
        status = vgpu_graph_check(clone);
    if (!status && !found)
        status = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; !status && i < clone->count; i++) {
        if (clone->nodes[i]->origin == original) {
            *found = clone->nodes[i];
            return 0;
        }
    }
    return status ? status : CUDA_ERROR_INVALID_VALUE;
}

CUresult impl_cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type)
{
    int status = vgpu_node_check(node, -1);

    if (!status && !type)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *type = node->type;
    return status;
}

/* A list for a caller: as many as fit; without a list, their number. The rest of the list is set to null. */
struct list {
    CUgraphNode *nodes, *others;
    size_t room, count;
};

static void put(struct list *list, CUgraphNode node, CUgraphNode other)
{
    if (list->nodes && list->count < list->room) {
        list->nodes[list->count] = node;
        if (list->others)
            list->others[list->count] = other;
    }
    list->count++;
}

static void finish(struct list *list, size_t *count)
{
    if (!list->nodes) {
        *count = list->count;
        return;
    }
    for (size_t i = list->count; i < list->room; i++) {
        list->nodes[i] = NULL;
        if (list->others)
            list->others[i] = NULL;
    }
    *count = list->count < list->room ? list->count : list->room;
}

CUresult impl_cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
    int status = vgpu_graph_check(graph);

    if (!status && !count)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct list list = {.nodes = nodes, .room = *count};
    for (size_t i = 0; i < graph->count; i++)
        put(&list, graph->nodes[i], NULL);
    finish(&list, count);
    return 0;
}

CUresult impl_cuGraphGetRootNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
    int status = vgpu_graph_check(graph);

    if (!status && !count)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct list list = {.nodes = nodes, .room = *count};
    for (size_t i = 0; i < graph->count; i++)
        if (!graph->nodes[i]->dependency_count)
            put(&list, graph->nodes[i], NULL);
    finish(&list, count);
    return 0;
}

/* Edges carry no data here but the default. */
static void no_data(CUgraphEdgeData *data, size_t count)
{
    if (data)
        memset(data, 0, count * sizeof *data);
}

CUresult impl_cuGraphGetEdges_v2(CUgraph graph, CUgraphNode *from, CUgraphNode *to, CUgraphEdgeData *data, size_t *count)
{
    int status = vgpu_graph_check(graph);

    if (!status && (!count || !from != !to))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct list list = {.nodes = from, .others = to, .room = *count};
    for (size_t i = 0; i < graph->count; i++)
        for (size_t d = 0; d < graph->nodes[i]->dependency_count; d++)
            put(&list, graph->nodes[i]->dependencies[d], graph->nodes[i]);
    finish(&list, count);
    no_data(from ? data : NULL, *count);
    return 0;
}

CUresult impl_cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *count)
{
    return impl_cuGraphGetEdges_v2(graph, from, to, NULL, count);
}

CUresult impl_cuGraphNodeGetDependencies_v2(CUgraphNode node, CUgraphNode *nodes, CUgraphEdgeData *data, size_t *count)
{
    int status = vgpu_node_check(node, -1);

    if (!status && !count)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct list list = {.nodes = nodes, .room = *count};
    for (size_t i = 0; i < node->dependency_count; i++)
        put(&list, node->dependencies[i], NULL);
    finish(&list, count);
    no_data(nodes ? data : NULL, *count);
    return 0;
}

CUresult impl_cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode *nodes, size_t *count)
{
    return impl_cuGraphNodeGetDependencies_v2(node, nodes, NULL, count);
}

static bool depends(const struct CUgraphNode_st *node, const struct CUgraphNode_st *on)
{
    for (size_t i = 0; i < node->dependency_count; i++)
        if (node->dependencies[i] == on)
            return true;
    return false;
}

CUresult impl_cuGraphNodeGetDependentNodes_v2(CUgraphNode node, CUgraphNode *nodes, CUgraphEdgeData *data, size_t *count)
{
    int status = vgpu_node_check(node, -1);

    if (!status && !count)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct list list = {.nodes = nodes, .room = *count};
    for (size_t i = 0; i < node->graph->count; i++)
        if (depends(node->graph->nodes[i], node))
            put(&list, node->graph->nodes[i], NULL);
    finish(&list, count);
    no_data(nodes ? data : NULL, *count);
    return 0;
}

CUresult impl_cuGraphNodeGetDependentNodes(CUgraphNode node, CUgraphNode *nodes, size_t *count)
{
    return impl_cuGraphNodeGetDependentNodes_v2(node, nodes, NULL, count);
}

static int check_edges(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count, bool present)
{
    int status = vgpu_graph_check(graph);

    if (!status && count && (!from || !to))
        status = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; !status && i < count; i++)
        if (!vgpu_handle_is(from[i], KIND_NODE) || !vgpu_handle_is(to[i], KIND_NODE) || from[i]->graph != graph ||
            to[i]->graph != graph || from[i] == to[i] || depends(to[i], from[i]) != present)
            status = CUDA_ERROR_INVALID_VALUE;
    return status;
}

CUresult impl_cuGraphAddDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
                                        const CUgraphEdgeData *data, size_t count)
{
    int status = check_edges(graph, from, to, count, false);

    for (size_t i = 0; !status && i < count; i++)
        status = vgpu_node_depend(to[i], from[i]);
    return status;
}

CUresult impl_cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count)
{
    return impl_cuGraphAddDependencies_v2(graph, from, to, NULL, count);
}

static void independ(struct CUgraphNode_st *node, const struct CUgraphNode_st *of)
{
    size_t out = 0;

    for (size_t i = 0; i < node->dependency_count; i++)
        if (node->dependencies[i] != of)
            node->dependencies[out++] = node->dependencies[i];
    node->dependency_count = out;
}

CUresult impl_cuGraphRemoveDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
                                           const CUgraphEdgeData *data, size_t count)
{
    int status = check_edges(graph, from, to, count, true);

    if (!status && count && vgpu_graph_has_memory(graph))
        status = CUDA_ERROR_NOT_SUPPORTED;
    for (size_t i = 0; !status && i < count; i++)
        independ(to[i], from[i]);
    return status;
}

CUresult impl_cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count)
{
    return impl_cuGraphRemoveDependencies_v2(graph, from, to, NULL, count);
}

void vgpu_node_remove(struct CUgraphNode_st *node)
{
    struct CUgraph_st *graph = node->graph;
    size_t out = 0;

    for (size_t i = 0; i < graph->count; i++) {
        if (graph->nodes[i] == node)
            continue;
        independ(graph->nodes[i], node);
        graph->nodes[out++] = graph->nodes[i];
    }
    graph->count = out;
    free_node(node);
}

CUresult impl_cuGraphDestroyNode(CUgraphNode node)
{
    int status = vgpu_node_check(node, -1);

    if (!status && node->graph->inner)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && vgpu_graph_has_memory(node->graph))
        status = CUDA_ERROR_NOT_SUPPORTED;
    if (!status)
        vgpu_node_remove(node);
    return status;
}
