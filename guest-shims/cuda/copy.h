/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_CUDA_COPY_H
#define VGPU_CUDA_COPY_H

#include "cuda/driver.h"

/* A copy or memset call: checks context, stream and captures, then copies, or records. */
int vgpu_copy_call(CUstream handle, const struct CUDA_MEMCPY3D *params, bool async);
int vgpu_fill_call(CUstream handle, const struct CUDA_MEMSET_NODE_PARAMS *params, bool async);

#endif
