/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_CUDA_GRAPH_MEMORY_H
#define VGPU_CUDA_GRAPH_MEMORY_H

#include "cuda/graph.h"

extern const struct vgpu_node_ops vgpu_alloc_ops, vgpu_free_ops;

/* Graphs that allocate or free are not cloned, nested or changed. */
bool vgpu_graph_has_memory(const struct CUgraph_st *graph);
/* GRAPH, an executable one, begins or ends: INVALID_VALUE when there is another with the same allocations. */
int vgpu_graph_memory_instantiate(struct CUgraph_st *graph, bool begin);
/* It is to be launched: INVALID_VALUE when what it allocates was not freed since the last time, unless that is done for it. */
int vgpu_graph_memory_launch(struct CUgraph_st *graph, bool auto_free);
/* Frees what a launch allocated at VA; false: that is no such memory. */
bool vgpu_graph_memory_release(uint64_t va);

int vgpu_capture_alloc(struct CUstream_st *stream, size_t bytes, uint64_t *va);
int vgpu_capture_free(struct CUstream_st *stream, uint64_t va);

#endif
