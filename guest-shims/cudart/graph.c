/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs: made, asked about, instantiated, updated and launched by the driver. Its nodes are in graph_node.c. */
#include "cudart/runtime.h"

PASS(cudaGraphCreate, (cudaGraph_t *graph, uint32_t flags), cuGraphCreate(graph, flags))
PASS(cudaGraphDestroy, (cudaGraph_t graph), cuGraphDestroy(graph))
PASS(cudaGraphClone, (cudaGraph_t *clone, cudaGraph_t graph), cuGraphClone(clone, graph))
PASS(cudaGraphNodeFindInClone, (cudaGraphNode_t *node, cudaGraphNode_t original, cudaGraph_t clone),
     cuGraphNodeFindInClone(node, original, clone))
PASS(cudaGraphGetNodes, (cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count), cuGraphGetNodes(graph, nodes, count))
PASS(cudaGraphGetRootNodes, (cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count),
     cuGraphGetRootNodes(graph, nodes, count))

PASS(cudaGraphGetEdges,
     (cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to, cudaGraphEdgeData *edges, size_t *count),
     cuGraphGetEdges_v2(graph, from, to, (CUgraphEdgeData *)edges, count))
PASS(cudaGraphGetEdges_v12, (cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to, size_t *count),
     cuGraphGetEdges_v2(graph, from, to, NULL, count))
PASS(cudaGraphNodeGetDependencies, (cudaGraphNode_t node, cudaGraphNode_t *nodes, cudaGraphEdgeData *edges, size_t *count),
     cuGraphNodeGetDependencies_v2(node, nodes, (CUgraphEdgeData *)edges, count))
PASS(cudaGraphNodeGetDependencies_v12, (cudaGraphNode_t node, cudaGraphNode_t *nodes, size_t *count),
     cuGraphNodeGetDependencies_v2(node, nodes, NULL, count))
PASS(cudaGraphNodeGetDependentNodes, (cudaGraphNode_t node, cudaGraphNode_t *nodes, cudaGraphEdgeData *edges, size_t *count),
     cuGraphNodeGetDependentNodes_v2(node, nodes, (CUgraphEdgeData *)edges, count))
PASS(cudaGraphNodeGetDependentNodes_v12, (cudaGraphNode_t node, cudaGraphNode_t *nodes, size_t *count),
     cuGraphNodeGetDependentNodes_v2(node, nodes, NULL, count))
PASS(cudaGraphAddDependencies,
     (cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to, const cudaGraphEdgeData *edges, size_t count),
     cuGraphAddDependencies_v2(graph, from, to, (const CUgraphEdgeData *)edges, count))
PASS(cudaGraphAddDependencies_v12,
     (cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to, size_t count),
     cuGraphAddDependencies_v2(graph, from, to, NULL, count))
PASS(cudaGraphRemoveDependencies,
     (cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to, const cudaGraphEdgeData *edges, size_t count),
     cuGraphRemoveDependencies_v2(graph, from, to, (const CUgraphEdgeData *)edges, count))
PASS(cudaGraphRemoveDependencies_v12,
     (cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to, size_t count),
     cuGraphRemoveDependencies_v2(graph, from, to, NULL, count))

/* ---- execution ---- */

PASS(cudaGraphInstantiate, (cudaGraphExec_t *exec, cudaGraph_t graph, uint64_t flags),
     cuGraphInstantiateWithFlags(exec, graph, flags))
PASS(cudaGraphInstantiateWithFlags, (cudaGraphExec_t *exec, cudaGraph_t graph, uint64_t flags),
     cuGraphInstantiateWithFlags(exec, graph, flags))
PASS(cudaGraphInstantiateWithParams, (cudaGraphExec_t *exec, cudaGraph_t graph, cudaGraphInstantiateParams *params),
     cuGraphInstantiateWithParams(exec, graph, (CUDA_GRAPH_INSTANTIATE_PARAMS *)params)) /* laid out alike */
PASS(cudaGraphExecGetFlags, (cudaGraphExec_t exec, uint64_t *flags), cuGraphExecGetFlags(exec, flags))
PASS(cudaGraphExecUpdate, (cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo *info),
     cuGraphExecUpdate_v2(exec, graph, (CUgraphExecUpdateResultInfo *)info)) /* laid out alike */
PASS(cudaGraphUpload, (cudaGraphExec_t exec, cudaStream_t stream), cuGraphUpload(exec, stream))
PASS(cudaGraphLaunch, (cudaGraphExec_t exec, cudaStream_t stream), cuGraphLaunch(exec, stream))
PASS(cudaGraphExecDestroy, (cudaGraphExec_t exec), cuGraphExecDestroy(exec))

/* ---- objects that live as long as the graphs that use them ---- */

PASS(cudaUserObjectCreate, (cudaUserObject_t *object, void *pointer, cudaHostFn_t destroy, uint32_t count, uint32_t flags),
     cuUserObjectCreate(object, pointer, destroy, count, flags))
PASS(cudaUserObjectRetain, (cudaUserObject_t object, uint32_t count), cuUserObjectRetain(object, count))
PASS(cudaUserObjectRelease, (cudaUserObject_t object, uint32_t count), cuUserObjectRelease(object, count))
PASS(cudaGraphRetainUserObject, (cudaGraph_t graph, cudaUserObject_t object, uint32_t count, uint32_t flags),
     cuGraphRetainUserObject(graph, object, count, flags))
PASS(cudaGraphReleaseUserObject, (cudaGraph_t graph, cudaUserObject_t object, uint32_t count),
     cuGraphReleaseUserObject(graph, object, count))
