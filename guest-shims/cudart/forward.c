/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are the driver's own, with structs of the same layout. */
#include "cudart/runtime.h"

#define VA(pointer) ((CUdeviceptr)(uintptr_t)(pointer))

/* ---- the device ---- */

PASS(cudaDeviceFlushGPUDirectRDMAWrites,
     (cudaFlushGPUDirectRDMAWritesTarget target, cudaFlushGPUDirectRDMAWritesScope scope),
     cuFlushGPUDirectRDMAWrites(target, scope))
PASS(cudaDeviceGetHostAtomicCapabilities,
     (uint32_t *capabilities, const cudaAtomicOperation *operations, uint32_t count, int32_t device),
     cuDeviceGetHostAtomicCapabilities(capabilities, operations, count, device))
PASS(cudaDeviceGetP2PAtomicCapabilities,
     (uint32_t *capabilities, const cudaAtomicOperation *operations, uint32_t count, int32_t source, int32_t target),
     cuDeviceGetP2PAtomicCapabilities(capabilities, operations, count, source, target))
PASS(cudaDeviceGraphMemTrim, (int32_t device), cuDeviceGraphMemTrim(device))
PASS(cudaDeviceGetGraphMemAttribute, (int32_t device, cudaGraphMemAttributeType attribute, void *value),
     cuDeviceGetGraphMemAttribute(device, attribute, value))
PASS(cudaDeviceSetGraphMemAttribute, (int32_t device, cudaGraphMemAttributeType attribute, void *value),
     cuDeviceSetGraphMemAttribute(device, attribute, value))

/* ---- memory ---- */

PASS(cudaMemRangeGetAttribute, (void *data, size_t size, cudaMemRangeAttribute attribute, const void *pointer, size_t count),
     cuMemRangeGetAttribute(data, size, attribute, VA(pointer), count))
PASS(cudaMemRangeGetAttributes,
     (void **data, size_t *sizes, cudaMemRangeAttribute *attributes, size_t number, const void *pointer, size_t count),
     cuMemRangeGetAttributes(data, sizes, attributes, number, VA(pointer), count))
PASS(cudaMemPrefetchBatchAsync,
     (void **pointers, size_t *sizes, size_t count, cudaMemLocation *locations, size_t *indices, size_t location_count,
      uint64_t flags, cudaStream_t stream),
     cuMemPrefetchBatchAsync((CUdeviceptr *)pointers, sizes, count, (CUmemLocation *)locations, indices, location_count, flags,
                             stream))
PASS(cudaMemDiscardBatchAsync, (void **pointers, size_t *sizes, size_t count, uint64_t flags, cudaStream_t stream),
     cuMemDiscardBatchAsync((CUdeviceptr *)pointers, sizes, count, flags, stream))
PASS(cudaMemDiscardAndPrefetchBatchAsync,
     (void **pointers, size_t *sizes, size_t count, cudaMemLocation *locations, size_t *indices, size_t location_count,
      uint64_t flags, cudaStream_t stream),
     cuMemDiscardAndPrefetchBatchAsync((CUdeviceptr *)pointers, sizes, count, (CUmemLocation *)locations, indices,
                                       location_count, flags, stream))
PASS(cudaMemcpy3DBatchAsync, (size_t count, cudaMemcpy3DBatchOp *ops, uint64_t flags, cudaStream_t stream),
     cuMemcpy3DBatchAsync_v2(count, (CUDA_MEMCPY3D_BATCH_OP *)ops, flags, stream))
PASS(cudaMemcpy3DBatchAsync_v12,
     (size_t count, cudaMemcpy3DBatchOp *ops, size_t *failed, uint64_t flags, cudaStream_t stream),
     cuMemcpy3DBatchAsync(count, (CUDA_MEMCPY3D_BATCH_OP *)ops, failed, flags, stream))
PASS(cudaMemGetDefaultMemPool, (cudaMemPool_t *pool, cudaMemLocation *location, cudaMemAllocationType type),
     cuMemGetDefaultMemPool(pool, (CUmemLocation *)location, type))
PASS(cudaMemGetMemPool, (cudaMemPool_t *pool, cudaMemLocation *location, cudaMemAllocationType type),
     cuMemGetMemPool(pool, (CUmemLocation *)location, type))
PASS(cudaMemSetMemPool, (cudaMemLocation *location, cudaMemAllocationType type, cudaMemPool_t pool),
     cuMemSetMemPool((CUmemLocation *)location, type, pool))

/* ---- graphs ---- */

PASS(cudaGraphAddMemAllocNode,
     (cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count, cudaMemAllocNodeParams *params),
     cuGraphAddMemAllocNode(node, graph, dependencies, count, (CUDA_MEM_ALLOC_NODE_PARAMS *)params))
PASS(cudaGraphMemAllocNodeGetParams, (cudaGraphNode_t node, cudaMemAllocNodeParams *params),
     cuGraphMemAllocNodeGetParams(node, (CUDA_MEM_ALLOC_NODE_PARAMS *)params))
PASS(cudaGraphAddMemFreeNode,
     (cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count, void *pointer),
     cuGraphAddMemFreeNode(node, graph, dependencies, count, VA(pointer)))
PASS(cudaGraphMemFreeNodeGetParams, (cudaGraphNode_t node, void *pointer), cuGraphMemFreeNodeGetParams(node, pointer))
PASS(cudaGraphDebugDotPrint, (cudaGraph_t graph, const char *path, uint32_t flags), cuGraphDebugDotPrint(graph, path, flags))

/* ---- logs: they need no context ---- */

#define LOG(name, params, call)          \
    cudaError_t impl_##name params       \
    {                                    \
        return report(call);             \
    }

LOG(cudaLogsRegisterCallback, (cudaLogsCallback_t function, void *data, cudaLogsCallbackHandle *handle),
    cuLogsRegisterCallback((CUlogsCallback)function, data, handle))
LOG(cudaLogsUnregisterCallback, (cudaLogsCallbackHandle handle), cuLogsUnregisterCallback(handle))
LOG(cudaLogsCurrent, (cudaLogIterator *iterator, uint32_t flags), cuLogsCurrent(iterator, flags))
LOG(cudaLogsDumpToFile, (cudaLogIterator *iterator, const char *path, uint32_t flags), cuLogsDumpToFile(iterator, path, flags))
LOG(cudaLogsDumpToMemory, (cudaLogIterator *iterator, char *buffer, size_t *size, uint32_t flags),
    cuLogsDumpToMemory(iterator, buffer, size, flags))
