/* SPDX-License-Identifier: Apache-2.0 */
/* cudaMemset and its like: bytes only. */
#include "cudart/runtime.h"

#define VA(pointer) ((CUdeviceptr)(uintptr_t)(pointer))

/* Rows of WIDTH bytes, PITCH apart. A synchronous fill of device memory need not have ended, but comes before what follows. */
static cudaError_t fill(void *pointer, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream, bool async)
{
    unsigned char byte = (unsigned char)value;
    cudaError_t error = runtime_enter();

    if (error || !width || !height)
        return report(error);
    if (height > 1 && pitch < width)
        return report(RT_INVALID_PITCH);
    bool plain = height == 1 || pitch == width;
    if (async || stream)
        error = plain ? cuMemsetD8Async(VA(pointer), byte, width * height, stream)
                      : cuMemsetD2D8Async(VA(pointer), pitch, byte, width, height, stream);
    else
        error = plain ? cuMemsetD8_v2(VA(pointer), byte, width * height)
                      : cuMemsetD2D8_v2(VA(pointer), pitch, byte, width, height);
    return report(error);
}

/* Layers of a box whose rows do not fill its slices are filled one by one. */
static cudaError_t fill_box(cudaPitchedPtr box, int value, cudaExtent extent, cudaStream_t stream, bool async)
{
    cudaError_t error = 0;

    if (extent.height == box.ysize || extent.depth == 1)
        return fill(box.ptr, box.pitch, value, extent.width, extent.height * extent.depth, stream, async);
    for (size_t z = 0; z < extent.depth && !error; z++)
        error = fill((char *)box.ptr + z * box.ysize * box.pitch, box.pitch, value, extent.width, extent.height, stream, async);
    return error;
}

cudaError_t impl_cudaMemset(void *pointer, int32_t value, size_t size)
{
    return fill(pointer, size, value, size, 1, default_stream(), false);
}

cudaError_t impl_cudaMemset2D(void *pointer, size_t pitch, int32_t value, size_t width, size_t height)
{
    return fill(pointer, pitch, value, width, height, default_stream(), false);
}

cudaError_t impl_cudaMemset3D(cudaPitchedPtr box, int32_t value, cudaExtent extent)
{
    return fill_box(box, value, extent, default_stream(), false);
}

cudaError_t impl_cudaMemsetAsync(void *pointer, int32_t value, size_t size, cudaStream_t stream)
{
    return fill(pointer, size, value, size, 1, stream, true);
}

cudaError_t impl_cudaMemset2DAsync(void *pointer, size_t pitch, int32_t value, size_t width, size_t height,
                                   cudaStream_t stream)
{
    return fill(pointer, pitch, value, width, height, stream, true);
}

cudaError_t impl_cudaMemset3DAsync(cudaPitchedPtr box, int32_t value, cudaExtent extent, cudaStream_t stream)
{
    return fill_box(box, value, extent, stream, true);
}
