/* SPDX-License-Identifier: Apache-2.0 */
/* cuMemcpy... and cuMemset...: all are boxes. */
#include <string.h>

#include "cuda/copy.h"

static int linear(uint64_t dst, int dst_type, uint64_t src, int src_type, size_t size, CUstream stream, bool async)
{
    struct CUDA_MEMCPY3D box = {
        .src_type = src_type, .src_host = (void *)(uintptr_t)src, .src_device = src,
        .dst_type = dst_type, .dst_host = (void *)(uintptr_t)dst, .dst_device = dst,
        .width = size, .height = 1, .depth = 1,
    };

    return vgpu_copy_call(stream, &box, async);
}

enum { HOST = CU_MEMORYTYPE_HOST, DEVICE = CU_MEMORYTYPE_DEVICE, UNIFIED = CU_MEMORYTYPE_UNIFIED };

CUresult impl_cuMemcpyHtoD_v2(CUdeviceptr dst, const void *src, size_t size)
{
    return linear(dst, DEVICE, (uintptr_t)src, HOST, size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpyDtoH_v2(void *dst, CUdeviceptr src, size_t size)
{
    return linear((uintptr_t)dst, HOST, src, DEVICE, size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpyDtoD_v2(CUdeviceptr dst, CUdeviceptr src, size_t size)
{
    return linear(dst, DEVICE, src, DEVICE, size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t size)
{
    return linear(dst, UNIFIED, src, UNIFIED, size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpyHtoDAsync_v2(CUdeviceptr dst, const void *src, size_t size, CUstream stream)
{
    return linear(dst, DEVICE, (uintptr_t)src, HOST, size, stream, true);
}

CUresult impl_cuMemcpyDtoHAsync_v2(void *dst, CUdeviceptr src, size_t size, CUstream stream)
{
    return linear((uintptr_t)dst, HOST, src, DEVICE, size, stream, true);
}

CUresult impl_cuMemcpyDtoDAsync_v2(CUdeviceptr dst, CUdeviceptr src, size_t size, CUstream stream)
{
    return linear(dst, DEVICE, src, DEVICE, size, stream, true);
}

CUresult impl_cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t size, CUstream stream)
{
    return linear(dst, UNIFIED, src, UNIFIED, size, stream, true);
}

/* All contexts are on one device and share its addresses. */
CUresult impl_cuMemcpyPeer(CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src, CUcontext src_context, size_t size)
{
    return linear(dst, UNIFIED, src, UNIFIED, size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpyPeerAsync(CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src, CUcontext src_context, size_t size,
                                CUstream stream)
{
    return linear(dst, UNIFIED, src, UNIFIED, size, stream, true);
}

static int flat(const struct CUDA_MEMCPY2D *p, CUstream stream, bool async)
{
    if (!p)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    struct CUDA_MEMCPY3D box = {
        .src_x = p->src_x, .src_y = p->src_y, .src_type = p->src_type, .src_host = p->src_host,
        .src_device = p->src_device, .src_array = p->src_array, .src_pitch = p->src_pitch,
        .dst_x = p->dst_x, .dst_y = p->dst_y, .dst_type = p->dst_type, .dst_host = p->dst_host,
        .dst_device = p->dst_device, .dst_array = p->dst_array, .dst_pitch = p->dst_pitch,
        .width = p->width, .height = p->height, .depth = 1,
    };
    return vgpu_copy_call(stream, &box, async);
}

CUresult impl_cuMemcpy2D_v2(const CUDA_MEMCPY2D *params)
{
    return flat(params, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *params)
{
    return flat(params, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *params, CUstream stream)
{
    return flat(params, stream, true);
}

CUresult impl_cuMemcpy3D_v2(const CUDA_MEMCPY3D *params)
{
    return params ? vgpu_copy_call(vgpu_default_stream(), params, false) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
}

CUresult impl_cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D *params, CUstream stream)
{
    return params ? vgpu_copy_call(stream, params, true) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
}

CUresult impl_cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER *params)
{
    return params ? vgpu_copy_call(vgpu_default_stream(), &params->copy, false) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
}

CUresult impl_cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER *params, CUstream stream)
{
    return params ? vgpu_copy_call(stream, &params->copy, true) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
}

/* ---- memset ---- */

static int fill(CUdeviceptr dst, size_t pitch, uint32_t value, uint32_t element, size_t width, size_t height, CUstream stream,
                bool async)
{
    struct CUDA_MEMSET_NODE_PARAMS params = {dst, pitch, value, element, width, height};

    return vgpu_fill_call(stream, &params, async);
}

CUresult impl_cuMemsetD8_v2(CUdeviceptr dst, uint8_t value, size_t count)
{
    return fill(dst, 0, value, 1, count, 1, vgpu_default_stream(), false);
}

CUresult impl_cuMemsetD16_v2(CUdeviceptr dst, uint16_t value, size_t count)
{
    return fill(dst, 0, value, 2, count, 1, vgpu_default_stream(), false);
}

CUresult impl_cuMemsetD32_v2(CUdeviceptr dst, uint32_t value, size_t count)
{
    return fill(dst, 0, value, 4, count, 1, vgpu_default_stream(), false);
}

CUresult impl_cuMemsetD2D8_v2(CUdeviceptr dst, size_t pitch, uint8_t value, size_t width, size_t height)
{
    return fill(dst, pitch, value, 1, width, height, vgpu_default_stream(), false);
}

CUresult impl_cuMemsetD2D16_v2(CUdeviceptr dst, size_t pitch, uint16_t value, size_t width, size_t height)
{
    return fill(dst, pitch, value, 2, width, height, vgpu_default_stream(), false);
}

CUresult impl_cuMemsetD2D32_v2(CUdeviceptr dst, size_t pitch, uint32_t value, size_t width, size_t height)
{
    return fill(dst, pitch, value, 4, width, height, vgpu_default_stream(), false);
}

CUresult impl_cuMemsetD8Async(CUdeviceptr dst, uint8_t value, size_t count, CUstream stream)
{
    return fill(dst, 0, value, 1, count, 1, stream, true);
}

CUresult impl_cuMemsetD16Async(CUdeviceptr dst, uint16_t value, size_t count, CUstream stream)
{
    return fill(dst, 0, value, 2, count, 1, stream, true);
}

CUresult impl_cuMemsetD32Async(CUdeviceptr dst, uint32_t value, size_t count, CUstream stream)
{
    return fill(dst, 0, value, 4, count, 1, stream, true);
}

CUresult impl_cuMemsetD2D8Async(CUdeviceptr dst, size_t pitch, uint8_t value, size_t width, size_t height, CUstream stream)
{
    return fill(dst, pitch, value, 1, width, height, stream, true);
}

CUresult impl_cuMemsetD2D16Async(CUdeviceptr dst, size_t pitch, uint16_t value, size_t width, size_t height, CUstream stream)
{
    return fill(dst, pitch, value, 2, width, height, stream, true);
}

CUresult impl_cuMemsetD2D32Async(CUdeviceptr dst, size_t pitch, uint32_t value, size_t width, size_t height, CUstream stream)
{
    return fill(dst, pitch, value, 4, width, height, stream, true);
}
