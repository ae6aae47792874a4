/* SPDX-License-Identifier: Apache-2.0 */
/* Streams and events: the driver's, under other names. */
#include "cudart/runtime.h"

PASS(cudaStreamCreate, (cudaStream_t *stream), cuStreamCreate(stream, 0))
PASS(cudaStreamCreateWithFlags, (cudaStream_t *stream, uint32_t flags), cuStreamCreate(stream, flags))
PASS(cudaStreamCreateWithPriority, (cudaStream_t *stream, uint32_t flags, int32_t priority),
     cuStreamCreateWithPriority(stream, flags, priority))
PASS(cudaStreamDestroy, (cudaStream_t stream), cuStreamDestroy_v2(stream))
PASS(cudaStreamSynchronize, (cudaStream_t stream), cuStreamSynchronize(stream))
PASS(cudaStreamQuery, (cudaStream_t stream), cuStreamQuery(stream))
PASS(cudaStreamGetFlags, (cudaStream_t stream, uint32_t *flags), cuStreamGetFlags(stream, flags))
PASS(cudaStreamGetId, (cudaStream_t stream, uint64_t *id), cuStreamGetId(stream, id))
PASS(cudaStreamGetPriority, (cudaStream_t stream, int32_t *priority), cuStreamGetPriority(stream, priority))
PASS(cudaStreamGetDevice, (cudaStream_t stream, int32_t *device), cuStreamGetDevice(stream, device))
PASS(cudaStreamWaitEvent, (cudaStream_t stream, cudaEvent_t event, uint32_t flags), cuStreamWaitEvent(stream, event, flags))
PASS(cudaStreamAttachMemAsync, (cudaStream_t stream, void *pointer, size_t length, uint32_t flags),
     cuStreamAttachMemAsync(stream, (CUdeviceptr)(uintptr_t)pointer, length, flags))
PASS(cudaStreamCopyAttributes, (cudaStream_t dst, cudaStream_t src), cuStreamCopyAttributes(dst, src))
PASS(cudaStreamGetAttribute, (cudaStream_t stream, cudaLaunchAttributeID attr, cudaLaunchAttributeValue *value),
     cuStreamGetAttribute(stream, attr, (CUstreamAttrValue *)value))
PASS(cudaStreamSetAttribute, (cudaStream_t stream, cudaLaunchAttributeID attr, const cudaLaunchAttributeValue *value),
     cuStreamSetAttribute(stream, attr, (const CUstreamAttrValue *)value))
/* The callback gets a CUresult where it expects a cudaError_t: the same number. */
PASS(cudaStreamAddCallback, (cudaStream_t stream, cudaStreamCallback_t callback, void *data, uint32_t flags),
     cuStreamAddCallback(stream, (CUstreamCallback)callback, data, flags))
PASS(cudaLaunchHostFunc, (cudaStream_t stream, cudaHostFn_t fn, void *data), cuLaunchHostFunc(stream, fn, data))

PASS(cudaEventCreate, (cudaEvent_t *event), cuEventCreate(event, 0))
PASS(cudaEventCreateWithFlags, (cudaEvent_t *event, uint32_t flags), cuEventCreate(event, flags))
PASS(cudaEventDestroy, (cudaEvent_t event), cuEventDestroy_v2(event))
PASS(cudaEventQuery, (cudaEvent_t event), cuEventQuery(event))
PASS(cudaEventSynchronize, (cudaEvent_t event), cuEventSynchronize(event))
PASS(cudaEventElapsedTime, (float *ms, cudaEvent_t start, cudaEvent_t end), cuEventElapsedTime_v2(ms, start, end))
PASS(cudaEventRecord, (cudaEvent_t event, cudaStream_t stream), cuEventRecord(event, stream))
PASS(cudaEventRecordWithFlags, (cudaEvent_t event, cudaStream_t stream, uint32_t flags),
     cuEventRecordWithFlags(event, stream, flags))

/* ---- capture ---- */

PASS(cudaThreadExchangeStreamCaptureMode, (cudaStreamCaptureMode *mode), cuThreadExchangeStreamCaptureMode(mode))
PASS(cudaStreamBeginCapture, (cudaStream_t stream, cudaStreamCaptureMode mode), cuStreamBeginCapture_v2(stream, mode))
PASS(cudaStreamBeginCaptureToGraph,
     (cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges, size_t count,
      cudaStreamCaptureMode mode),
     cuStreamBeginCaptureToGraph(stream, graph, dependencies, (const CUgraphEdgeData *)edges, count, mode))
PASS(cudaStreamEndCapture, (cudaStream_t stream, cudaGraph_t *graph), cuStreamEndCapture(stream, graph))
PASS(cudaStreamIsCapturing, (cudaStream_t stream, cudaStreamCaptureStatus *status), cuStreamIsCapturing(stream, status))
PASS(cudaStreamGetCaptureInfo,
     (cudaStream_t stream, cudaStreamCaptureStatus *status, uint64_t *id, cudaGraph_t *graph, void **dependencies, void **edges,
      size_t *count),
     cuStreamGetCaptureInfo_v3(stream, status, id, graph, dependencies, edges, count))
PASS(cudaStreamGetCaptureInfo_v2,
     (cudaStream_t stream, cudaStreamCaptureStatus *status, uint64_t *id, cudaGraph_t *graph, void **dependencies,
      size_t *count),
     cuStreamGetCaptureInfo_v2(stream, status, id, graph, dependencies, count))
PASS(cudaStreamGetCaptureInfo_v12, (cudaStream_t stream, cudaStreamCaptureStatus *status, uint64_t *id),
     cuStreamGetCaptureInfo_v2(stream, status, id, NULL, NULL, NULL))
PASS(cudaStreamUpdateCaptureDependencies,
     (cudaStream_t stream, cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges, size_t count, uint32_t flags),
     cuStreamUpdateCaptureDependencies_v2(stream, dependencies, (const CUgraphEdgeData *)edges, count, flags))
PASS(cudaStreamUpdateCaptureDependencies_v12,
     (cudaStream_t stream, cudaGraphNode_t *dependencies, size_t count, uint32_t flags),
     cuStreamUpdateCaptureDependencies_v2(stream, dependencies, NULL, count, flags))
