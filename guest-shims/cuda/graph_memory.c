/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that allocate and free memory. An allocation's address is fixed when its node is made, and has memory behind it from then
 * on until the last graph that holds the node goes; running the nodes only says whether it is in use. */
#include "cuda/graph_memory.h"

#include <stdlib.h>

#include "cuda/defer.h"

enum { ATTR_USED, ATTR_USED_HIGH, ATTR_RESERVED, ATTR_RESERVED_HIGH, ATTRIBUTES };

struct vgpu_graph_memory {
    uint64_t va, bytes;
    struct CUDA_MEM_ALLOC_NODE_PARAMS params;
    unsigned refs;  /* nodes that allocate it: the graph's, its executable graph's */
    unsigned execs; /* executable graphs among them: one at most */
    bool live;      /* allocated by a launch, and not freed since */
    struct vgpu_graph_memory *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vgpu_graph_memory *all;
static uint64_t attributes[ATTRIBUTES];

static void count(int attribute, uint64_t bytes, bool more)
{
    attributes[attribute] += more ? bytes : -bytes;
    if (attributes[attribute + 1] < attributes[attribute])
        attributes[attribute + 1] = attributes[attribute];
}

static struct vgpu_graph_memory *by_address(uint64_t va)
{
    struct vgpu_graph_memory *memory = all;

    while (memory && memory->va != va)
        memory = memory->next;
    return memory;
}

static void set_live(struct vgpu_graph_memory *memory, bool live)
{
    if (memory->live != live)
        count(ATTR_USED, memory->bytes, live);
    memory->live = live;
}

/* ---- what the nodes do ---- */

static int run_alloc(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    pthread_mutex_lock(&lock);
    set_live(node->as.memory, true);
    pthread_mutex_unlock(&lock);
    return 0;
}

static int clone_alloc(struct CUgraphNode_st *node)
{
    pthread_mutex_lock(&lock);
    node->as.memory->refs++;
    pthread_mutex_unlock(&lock);
    return 0;
}

static void clear_alloc(struct CUgraphNode_st *node)
{
    struct vgpu_graph_memory *memory = node->as.memory, **at = &all;

    if (!memory)
        return;
    pthread_mutex_lock(&lock);
    bool last = !--memory->refs;
    if (last) {
        while (*at != memory)
            at = &(*at)->next;
        *at = memory->next;
        set_live(memory, false);
        count(ATTR_RESERVED, memory->bytes, false);
    }
    pthread_mutex_unlock(&lock);
    if (!last)
        return;
    vgpu_defer_settle_all(node->graph->context); /* launches may be kept that use it */
    vgpu_memory_free(&vgpu_driver.memory, memory->va, 1u << VGPU_RANGE_INTERNAL);
    free(memory);
}

static int run_free(struct CUgraphNode_st *node, struct CUstream_st *stream)
{
    return vgpu_graph_memory_release(node->as.address) ? 0 : CUDA_ERROR_INVALID_VALUE;
}

const struct vgpu_node_ops vgpu_alloc_ops = {run_alloc, clone_alloc, clear_alloc}, vgpu_free_ops = {.run = run_free};

bool vgpu_graph_memory_release(uint64_t va)
{
    pthread_mutex_lock(&lock);
    struct vgpu_graph_memory *memory = by_address(va);
    bool was = memory && memory->live;
    if (was)
        set_live(memory, false);
    pthread_mutex_unlock(&lock);
    return was;
}

bool vgpu_graph_has_memory(const struct CUgraph_st *graph)
{
    for (size_t i = 0; i < graph->count; i++)
        if (graph->nodes[i]->type == NODE_MEM_ALLOC || graph->nodes[i]->type == NODE_MEM_FREE)
            return true;
    return false;
}

int vgpu_graph_memory_instantiate(struct CUgraph_st *graph, bool begin)
{
    int status = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; begin && !status && i < graph->count; i++)
        if (graph->nodes[i]->type == NODE_MEM_ALLOC && graph->nodes[i]->as.memory->execs)
            status = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; !status && i < graph->count; i++)
        if (graph->nodes[i]->type == NODE_MEM_ALLOC)
            graph->nodes[i]->as.memory->execs = begin;
    pthread_mutex_unlock(&lock);
    return status;
}

int vgpu_graph_memory_launch(struct CUgraph_st *graph, bool auto_free)
{
    int status = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; !status && i < graph->count; i++) {
        if (graph->nodes[i]->type != NODE_MEM_ALLOC)
            continue;
        if (auto_free)
            set_live(graph->nodes[i]->as.memory, false);
        else if (graph->nodes[i]->as.memory->live)
            status = CUDA_ERROR_INVALID_VALUE;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

/* ---- making them ---- */

static int alloc_contents(struct CUgraphNode_st *node, struct CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
    const CUmemLocation *location = &params->pool.location;
    struct CUctx_st *context = node->graph->context;

    if (params->pool.type != CU_MEM_ALLOCATION_PINNED || !params->bytes)
        return CUDA_ERROR_INVALID_VALUE;
    if (location->type != CU_MEM_LOCATION_DEVICE || params->pool.handle_types)
        return CUDA_ERROR_NOT_SUPPORTED;
    if (location->id)
        return CUDA_ERROR_INVALID_DEVICE;
    struct vgpu_graph_memory *memory = calloc(1, sizeof *memory);
    int status = !memory ? CUDA_ERROR_OUT_OF_MEMORY
                         : vgpu_memory_alloc(&vgpu_driver.memory, params->bytes, VGPU_RANGE_INTERNAL, 0, context, &memory->va);
    if (status) {
        free(memory);
        return status;
    }
    memory->bytes = params->bytes;
    memory->refs = 1;
    params->address = memory->va;
    memory->params = *params;
    memory->params.access = NULL; /* the caller's, and of its own device alone */
    memory->params.access_count = 0;
    pthread_mutex_lock(&lock);
    memory->next = all;
    all = memory;
    count(ATTR_RESERVED, memory->bytes, true);
    pthread_mutex_unlock(&lock);
    node->as.memory = memory;
    return 0;
}

CUresult impl_cuGraphAddMemAllocNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t dependency_count,
                                     CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
    struct CUgraphNode_st *node;
    int status = vgpu_graph_check(graph);

    if (!status && (!result || !params))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_node_add(graph, NODE_MEM_ALLOC, dependencies, dependency_count, &node);
    if (status)
        return status;
    status = alloc_contents(node, params);
    if (status)
        vgpu_node_remove(node);
    else
        *result = node;
    return status;
}

CUresult impl_cuGraphMemAllocNodeGetParams(CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
    int status = vgpu_node_check(node, NODE_MEM_ALLOC);

    if (!status && !params)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *params = node->as.memory->params;
    return status;
}

/* An allocation is freed by one node of a graph. */
static int check_free(const struct CUgraph_st *graph, uint64_t va)
{
    pthread_mutex_lock(&lock);
    bool known = by_address(va) != NULL;
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < graph->count; i++)
        if (graph->nodes[i]->type == NODE_MEM_FREE && graph->nodes[i]->as.address == va)
            return CUDA_ERROR_INVALID_VALUE;
    return known ? 0 : CUDA_ERROR_INVALID_VALUE;
}

CUresult impl_cuGraphAddMemFreeNode(CUgraphNode *result, CUgraph graph, const CUgraphNode *dependencies, size_t dependency_count,
                                    CUdeviceptr va)
{
    struct CUgraphNode_st *node;
    int status = vgpu_graph_check(graph);

    if (!status && !result)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = check_free(graph, va);
    if (!status)
        status = vgpu_node_add(graph, NODE_MEM_FREE, dependencies, dependency_count, &node);
    if (status)
        return status;
    node->as.address = va;
    *result = node;
    return 0;
}

CUresult impl_cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr *va)
{
    int status = vgpu_node_check(node, NODE_MEM_FREE);

    if (!status && !va)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *va = node->as.address;
    return status;
}

/* ---- stream-ordered allocation, captured ---- */

int vgpu_capture_alloc(struct CUstream_st *stream, size_t bytes, uint64_t *va)
{
    struct CUDA_MEM_ALLOC_NODE_PARAMS params = {
        .pool = {.type = CU_MEM_ALLOCATION_PINNED, .location = {CU_MEM_LOCATION_DEVICE, 0}}, .bytes = bytes};
    struct CUgraph_st graph = {.context = stream->context};
    struct CUgraphNode_st contents = {.type = NODE_MEM_ALLOC, .graph = &graph};
    int status = alloc_contents(&contents, &params);

    if (status)
        return status;
    status = vgpu_capture_node(stream, &contents);
    clear_alloc(&contents); /* the node has a reference of its own */
    if (!status)
        *va = params.address;
    return status;
}

int vgpu_capture_free(struct CUstream_st *stream, uint64_t va)
{
    pthread_mutex_lock(&lock);
    bool known = by_address(va) != NULL;
    pthread_mutex_unlock(&lock);
    return known ? vgpu_capture_node(stream, &(struct CUgraphNode_st){.type = NODE_MEM_FREE, .as.address = va})
                 : CUDA_ERROR_INVALID_VALUE;
}

/* ---- the device's account ---- */

CUresult impl_cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void *value)
{
    int status = vgpu_enter_device(device);

    if (!status && (!value || attribute < 0 || attribute >= ATTRIBUTES))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    *(uint64_t *)value = attributes[attribute];
    pthread_mutex_unlock(&lock);
    return 0;
}

/* High marks can be reset, to 0. */
CUresult impl_cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void *value)
{
    int status = vgpu_enter_device(device);

    if (!status && (!value || (attribute != ATTR_USED_HIGH && attribute != ATTR_RESERVED_HIGH) || *(uint64_t *)value))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    attributes[attribute] = attributes[attribute - 1];
    pthread_mutex_unlock(&lock);
    return 0;
}

/* Nothing is kept that no graph holds. */
CUresult impl_cuDeviceGraphMemTrim(CUdevice device)
{
    return vgpu_enter_device(device);
}
