/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_CUDART_ARRAY_H
#define VGPU_CUDART_ARRAY_H

#include "cudart/runtime.h"

/* A copy in which an array takes part: extents and positions count its elements. */
cudaError_t array_copy_box(const struct cudaMemcpy3DParms *p, cudaStream_t stream, bool async);

#endif
