/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_CUDA_MEMOP_H
#define VGPU_CUDA_MEMOP_H

#include "cuda/driver.h"

/* Stream memory operations: 0, or what the call that names them returns. */
int vgpu_memops_check(const struct CUstreamBatchMemOpParams *ops, uint32_t count, uint32_t flags, bool v2);
int vgpu_memops_run(struct CUstream_st *stream, const struct CUstreamBatchMemOpParams *ops, uint32_t count);
/* The node of a captured batch. */
int vgpu_capture_memops(struct CUstream_st *stream, const struct CUstreamBatchMemOpParams *ops, uint32_t count);

#endif
