/* SPDX-License-Identifier: Apache-2.0 */
/* Graph nodes: the runtime names kernels by host address and memory by pitched pointers, the driver does not. */
#include "cudart/runtime.h"

#define VA(pointer) ((CUdeviceptr)(uintptr_t)(pointer))

PASS(cudaGraphNodeGetType, (cudaGraphNode_t node, cudaGraphNodeType *type), cuGraphNodeGetType(node, type))
PASS(cudaGraphDestroyNode, (cudaGraphNode_t node), cuGraphDestroyNode(node))
PASS(cudaGraphNodeSetEnabled, (cudaGraphExec_t exec, cudaGraphNode_t node, uint32_t enabled),
     cuGraphNodeSetEnabled(exec, node, enabled))
PASS(cudaGraphNodeGetEnabled, (cudaGraphExec_t exec, cudaGraphNode_t node, uint32_t *enabled),
     cuGraphNodeGetEnabled(exec, node, enabled))

/* ---- kernels ---- */

static cudaError_t kernel_params(const cudaKernelNodeParams *params, CUDA_KERNEL_NODE_PARAMS *out)
{
    CUkernel kernel;
    cudaError_t error = runtime_enter();

    if (!error && !params)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = registry_kernel(params->func, &kernel);
    if (error)
        return error;
    *out = (CUDA_KERNEL_NODE_PARAMS){
        .kernel = kernel,
        .grid = {params->grid.x, params->grid.y, params->grid.z},
        .block = {params->block.x, params->block.y, params->block.z},
        .shared = params->shared,
        .params = params->params,
        .extra = params->extra,
    };
    return 0;
}

cudaError_t impl_cudaGraphAddKernelNode(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
                                        size_t count, const cudaKernelNodeParams *params)
{
    CUDA_KERNEL_NODE_PARAMS driver_params;
    cudaError_t error = kernel_params(params, &driver_params);

    return report(error ? error : cuGraphAddKernelNode_v2(node, graph, dependencies, count, &driver_params));
}

cudaError_t impl_cudaGraphKernelNodeSetParams(cudaGraphNode_t node, const cudaKernelNodeParams *params)
{
    CUDA_KERNEL_NODE_PARAMS driver_params;
    cudaError_t error = kernel_params(params, &driver_params);

    return report(error ? error : cuGraphKernelNodeSetParams_v2(node, &driver_params));
}

cudaError_t impl_cudaGraphExecKernelNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                  const cudaKernelNodeParams *params)
{
    CUDA_KERNEL_NODE_PARAMS driver_params;
    cudaError_t error = kernel_params(params, &driver_params);

    return report(error ? error : cuGraphExecKernelNodeSetParams_v2(exec, node, &driver_params));
}

cudaError_t impl_cudaGraphKernelNodeGetParams(cudaGraphNode_t node, cudaKernelNodeParams *params)
{
    CUDA_KERNEL_NODE_PARAMS p = {0};
    cudaError_t error = runtime_enter();

    if (!error && !params)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = cuGraphKernelNodeGetParams_v2(node, &p);
    if (!error)
        *params = (cudaKernelNodeParams){
            .func = registry_host(p.kernel, p.func),
            .grid = {p.grid[0], p.grid[1], p.grid[2]},
            .block = {p.block[0], p.block[1], p.block[2]},
            .shared = p.shared,
            .params = p.params,
            .extra = p.extra,
        };
    return report(error);
}

PASS(cudaGraphKernelNodeCopyAttributes, (cudaGraphNode_t dst, cudaGraphNode_t src), cuGraphKernelNodeCopyAttributes(dst, src))
PASS(cudaGraphKernelNodeGetAttribute, (cudaGraphNode_t node, cudaLaunchAttributeID attr, cudaLaunchAttributeValue *value),
     cuGraphKernelNodeGetAttribute(node, attr, (CUkernelNodeAttrValue *)value))
PASS(cudaGraphKernelNodeSetAttribute,
     (cudaGraphNode_t node, cudaLaunchAttributeID attr, const cudaLaunchAttributeValue *value),
     cuGraphKernelNodeSetAttribute(node, attr, (const CUkernelNodeAttrValue *)value))

/* ---- copies ---- */

static CUcontext current(void)
{
    CUcontext context = NULL;

    cuCtxGetCurrent(&context);
    return context;
}

static cudaError_t copy_params(const cudaMemcpy3DParms *p, CUDA_MEMCPY3D *out)
{
    cudaError_t error = runtime_enter();

    if (!error && !p)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error && (p->src_array || p->dst_array))
        error = CUDA_ERROR_NOT_SUPPORTED;
    if (!error && (p->kind < COPY_HOST_TO_HOST || p->kind > COPY_DEFAULT))
        error = RT_INVALID_MEMCPY_DIRECTION;
    if (!error)
        *out = (CUDA_MEMCPY3D){
            .src_x = p->src_pos.x,
            .src_y = p->src_pos.y,
            .src_z = p->src_pos.z,
            .src_type = CU_MEMORYTYPE_UNIFIED,
            .src_device = VA(p->src.ptr),
            .src_pitch = p->src.pitch,
            .src_height = p->src.ysize,
            .dst_x = p->dst_pos.x,
            .dst_y = p->dst_pos.y,
            .dst_z = p->dst_pos.z,
            .dst_type = CU_MEMORYTYPE_UNIFIED,
            .dst_device = VA(p->dst.ptr),
            .dst_pitch = p->dst.pitch,
            .dst_height = p->dst.ysize,
            .width = p->extent.width,
            .height = p->extent.height,
            .depth = p->extent.depth,
        };
    return error;
}

static cudaMemcpy3DParms run_of_bytes(void *dst, const void *src, size_t size, int kind)
{
    return (cudaMemcpy3DParms){
        .src = {(void *)src, size, size, 1}, .dst = {dst, size, size, 1}, .extent = {size, 1, 1}, .kind = kind};
}

cudaError_t impl_cudaGraphAddMemcpyNode(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
                                        size_t count, const cudaMemcpy3DParms *params)
{
    CUDA_MEMCPY3D copy;
    cudaError_t error = copy_params(params, &copy);

    return report(error ? error : cuGraphAddMemcpyNode(node, graph, dependencies, count, &copy, current()));
}

cudaError_t impl_cudaGraphAddMemcpyNode1D(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
                                          size_t count, void *dst, const void *src, size_t size, cudaMemcpyKind kind)
{
    cudaMemcpy3DParms params = run_of_bytes(dst, src, size, kind);

    return impl_cudaGraphAddMemcpyNode(node, graph, dependencies, count, &params);
}

cudaError_t impl_cudaGraphMemcpyNodeSetParams(cudaGraphNode_t node, const cudaMemcpy3DParms *params)
{
    CUDA_MEMCPY3D copy;
    cudaError_t error = copy_params(params, &copy);

    return report(error ? error : cuGraphMemcpyNodeSetParams(node, &copy));
}

cudaError_t impl_cudaGraphMemcpyNodeSetParams1D(cudaGraphNode_t node, void *dst, const void *src, size_t size,
                                                cudaMemcpyKind kind)
{
    cudaMemcpy3DParms params = run_of_bytes(dst, src, size, kind);

    return impl_cudaGraphMemcpyNodeSetParams(node, &params);
}

cudaError_t impl_cudaGraphExecMemcpyNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node, const cudaMemcpy3DParms *params)
{
    CUDA_MEMCPY3D copy;
    cudaError_t error = copy_params(params, &copy);

    return report(error ? error : cuGraphExecMemcpyNodeSetParams(exec, node, &copy, current()));
}

cudaError_t impl_cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t exec, cudaGraphNode_t node, void *dst, const void *src,
                                                    size_t size, cudaMemcpyKind kind)
{
    cudaMemcpy3DParms params = run_of_bytes(dst, src, size, kind);

    return impl_cudaGraphExecMemcpyNodeSetParams(exec, node, &params);
}

/* To and from variables: WHERE is a call's first parameters, CALL what it is with plain memory. */
#define SYMBOL_COPIES(name_to, name_from, WHERE, call)                                                                    \
    cudaError_t impl_##name_to(WHERE, const void *symbol, const void *src, size_t size, size_t offset, cudaMemcpyKind kind) \
    {                                                                                                                     \
        uint64_t dst = 0;                                                                                                 \
        cudaError_t error = runtime_enter();                                                                              \
        if (!error)                                                                                                       \
            error = registry_range(symbol, size, offset, &dst);                                                           \
        if (error)                                                                                                        \
            return report(error);                                                                                         \
        cudaMemcpy3DParms params = run_of_bytes((void *)(uintptr_t)dst, src, size, kind);                                 \
        return call;                                                                                                      \
    }                                                                                                                     \
    cudaError_t impl_##name_from(WHERE, void *dst, const void *symbol, size_t size, size_t offset, cudaMemcpyKind kind)   \
    {                                                                                                                     \
        uint64_t src = 0;                                                                                                 \
        cudaError_t error = runtime_enter();                                                                              \
        if (!error)                                                                                                       \
            error = registry_range(symbol, size, offset, &src);                                                           \
        if (error)                                                                                                        \
            return report(error);                                                                                         \
        cudaMemcpy3DParms params = run_of_bytes(dst, (const void *)(uintptr_t)src, size, kind);                           \
        return call;                                                                                                      \
    }
#define NEW_NODE cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count
#define OLD_NODE cudaGraphNode_t node
#define EXEC_NODE cudaGraphExec_t exec, cudaGraphNode_t node
SYMBOL_COPIES(cudaGraphAddMemcpyNodeToSymbol, cudaGraphAddMemcpyNodeFromSymbol, NEW_NODE,
              impl_cudaGraphAddMemcpyNode(node, graph, dependencies, count, &params))
SYMBOL_COPIES(cudaGraphMemcpyNodeSetParamsToSymbol, cudaGraphMemcpyNodeSetParamsFromSymbol, OLD_NODE,
              impl_cudaGraphMemcpyNodeSetParams(node, &params))
SYMBOL_COPIES(cudaGraphExecMemcpyNodeSetParamsToSymbol, cudaGraphExecMemcpyNodeSetParamsFromSymbol, EXEC_NODE,
              impl_cudaGraphExecMemcpyNodeSetParams(exec, node, &params))

static void *pointer_of(int type, const void *host, CUdeviceptr device)
{
    return type == CU_MEMORYTYPE_HOST ? (void *)host : (void *)(uintptr_t)device;
}

cudaError_t impl_cudaGraphMemcpyNodeGetParams(cudaGraphNode_t node, cudaMemcpy3DParms *params)
{
    CUDA_MEMCPY3D c = {0};
    cudaError_t error = runtime_enter();

    if (!error && !params)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = cuGraphMemcpyNodeGetParams(node, &c);
    if (!error)
        *params = (cudaMemcpy3DParms){
            .src_pos = {c.src_x, c.src_y, c.src_z},
            .src = {pointer_of(c.src_type, c.src_host, c.src_device), c.src_pitch, c.src_pitch, c.src_height},
            .dst_pos = {c.dst_x, c.dst_y, c.dst_z},
            .dst = {pointer_of(c.dst_type, c.dst_host, c.dst_device), c.dst_pitch, c.dst_pitch, c.dst_height},
            .extent = {c.width, c.height, c.depth},
            .kind = COPY_DEFAULT,
        };
    return report(error);
}

/* ---- fills: laid out alike ---- */

PASS(cudaGraphAddMemsetNode,
     (cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count,
      const cudaMemsetParams *params),
     cuGraphAddMemsetNode(node, graph, dependencies, count, (const CUDA_MEMSET_NODE_PARAMS *)params, current()))
PASS(cudaGraphMemsetNodeGetParams, (cudaGraphNode_t node, cudaMemsetParams *params),
     cuGraphMemsetNodeGetParams(node, (CUDA_MEMSET_NODE_PARAMS *)params))
PASS(cudaGraphMemsetNodeSetParams, (cudaGraphNode_t node, const cudaMemsetParams *params),
     cuGraphMemsetNodeSetParams(node, (const CUDA_MEMSET_NODE_PARAMS *)params))
PASS(cudaGraphExecMemsetNodeSetParams, (cudaGraphExec_t exec, cudaGraphNode_t node, const cudaMemsetParams *params),
     cuGraphExecMemsetNodeSetParams(exec, node, (const CUDA_MEMSET_NODE_PARAMS *)params, current()))

/* ---- host functions, events, nested graphs ---- */

PASS(cudaGraphAddHostNode,
     (cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count,
      const cudaHostNodeParams *params),
     cuGraphAddHostNode(node, graph, dependencies, count, (const CUDA_HOST_NODE_PARAMS *)params))
PASS(cudaGraphHostNodeGetParams, (cudaGraphNode_t node, cudaHostNodeParams *params),
     cuGraphHostNodeGetParams(node, (CUDA_HOST_NODE_PARAMS *)params))
PASS(cudaGraphHostNodeSetParams, (cudaGraphNode_t node, const cudaHostNodeParams *params),
     cuGraphHostNodeSetParams(node, (const CUDA_HOST_NODE_PARAMS *)params))
PASS(cudaGraphExecHostNodeSetParams, (cudaGraphExec_t exec, cudaGraphNode_t node, const cudaHostNodeParams *params),
     cuGraphExecHostNodeSetParams(exec, node, (const CUDA_HOST_NODE_PARAMS *)params))
PASS(cudaGraphAddEmptyNode,
     (cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count),
     cuGraphAddEmptyNode(node, graph, dependencies, count))
PASS(cudaGraphAddChildGraphNode,
     (cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count, cudaGraph_t child),
     cuGraphAddChildGraphNode(node, graph, dependencies, count, child))
PASS(cudaGraphChildGraphNodeGetGraph, (cudaGraphNode_t node, cudaGraph_t *graph), cuGraphChildGraphNodeGetGraph(node, graph))
PASS(cudaGraphExecChildGraphNodeSetParams, (cudaGraphExec_t exec, cudaGraphNode_t node, cudaGraph_t child),
     cuGraphExecChildGraphNodeSetParams(exec, node, child))
PASS(cudaGraphAddEventRecordNode,
     (cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count, cudaEvent_t event),
     cuGraphAddEventRecordNode(node, graph, dependencies, count, event))
PASS(cudaGraphEventRecordNodeGetEvent, (cudaGraphNode_t node, cudaEvent_t *event), cuGraphEventRecordNodeGetEvent(node, event))
PASS(cudaGraphEventRecordNodeSetEvent, (cudaGraphNode_t node, cudaEvent_t event), cuGraphEventRecordNodeSetEvent(node, event))
PASS(cudaGraphExecEventRecordNodeSetEvent, (cudaGraphExec_t exec, cudaGraphNode_t node, cudaEvent_t event),
     cuGraphExecEventRecordNodeSetEvent(exec, node, event))
PASS(cudaGraphAddEventWaitNode,
     (cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count, cudaEvent_t event),
     cuGraphAddEventWaitNode(node, graph, dependencies, count, event))
PASS(cudaGraphEventWaitNodeGetEvent, (cudaGraphNode_t node, cudaEvent_t *event), cuGraphEventWaitNodeGetEvent(node, event))
PASS(cudaGraphEventWaitNodeSetEvent, (cudaGraphNode_t node, cudaEvent_t event), cuGraphEventWaitNodeSetEvent(node, event))
PASS(cudaGraphExecEventWaitNodeSetEvent, (cudaGraphExec_t exec, cudaGraphNode_t node, cudaEvent_t event),
     cuGraphExecEventWaitNodeSetEvent(exec, node, event))

/* ---- a node of any type ---- */

static cudaError_t node_params(const cudaGraphNodeParams *params, CUgraphNodeParams *out)
{
    if (!params)
        return CUDA_ERROR_INVALID_VALUE;
    memcpy(out, params, sizeof *out);
    if (params->type == NODE_KERNEL)
        return kernel_params(&params->as.kernel, &out->as.kernel);
    if (params->type != NODE_MEMCPY)
        return runtime_enter();
    out->as.memcpy.context = current();
    return copy_params(&params->as.memcpy.copy, &out->as.memcpy.copy);
}

static cudaError_t add_node(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
                            const cudaGraphEdgeData *edges, size_t count, cudaGraphNodeParams *params)
{
    CUgraphNodeParams driver_params;
    cudaError_t error = node_params(params, &driver_params);

    if (!error)
        error = cuGraphAddNode_v2(node, graph, dependencies, (const CUgraphEdgeData *)edges, count, &driver_params);
    if (!error && params->type == NODE_MEM_ALLOC)
        params->as.alloc.address = driver_params.as.alloc.address;
    return report(error);
}

cudaError_t impl_cudaGraphAddNode(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
                                  const cudaGraphEdgeData *edges, size_t count, cudaGraphNodeParams *params)
{
    return add_node(node, graph, dependencies, edges, count, params);
}

cudaError_t impl_cudaGraphAddNode_v12(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
                                      size_t count, cudaGraphNodeParams *params)
{
    return add_node(node, graph, dependencies, NULL, count, params);
}

cudaError_t impl_cudaGraphNodeSetParams(cudaGraphNode_t node, cudaGraphNodeParams *params)
{
    CUgraphNodeParams driver_params;
    cudaError_t error = node_params(params, &driver_params);

    return report(error ? error : cuGraphNodeSetParams(node, &driver_params));
}

cudaError_t impl_cudaGraphExecNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node, cudaGraphNodeParams *params)
{
    CUgraphNodeParams driver_params;
    cudaError_t error = node_params(params, &driver_params);

    return report(error ? error : cuGraphExecNodeSetParams(exec, node, &driver_params));
}
