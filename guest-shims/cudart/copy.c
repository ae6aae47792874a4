/* SPDX-License-Identifier: Apache-2.0 */
/* Copies. With unified addressing the kind only says what the caller believes; the driver looks at the pointers. What
 * arrays take part in is in array.c: here every copy is one of rows between linear memory. */
#include "cudart/array.h"

#define VA(pointer) ((CUdeviceptr)(uintptr_t)(pointer))

/* One copy, as (width, height, depth); pitches and slice heights in the driver's terms. */
struct copy {
    void *dst;
    const void *src;
    size_t dst_pitch, src_pitch, dst_height, src_height, width, height, depth;
};

static cudaError_t check(const struct copy *copy, int kind)
{
    if (kind < COPY_HOST_TO_HOST || kind > COPY_DEFAULT)
        return RT_INVALID_MEMCPY_DIRECTION;
    if (copy->height > 1 && (copy->width > copy->dst_pitch || copy->width > copy->src_pitch))
        return RT_INVALID_PITCH;
    return 0;
}

static cudaError_t copy_3d(const struct copy *copy, cudaStream_t stream, bool async)
{
    const struct CUDA_MEMCPY3D driver_copy = {
        .src_type = CU_MEMORYTYPE_UNIFIED,
        .src_device = VA(copy->src),
        .src_pitch = copy->src_pitch,
        .src_height = copy->src_height,
        .dst_type = CU_MEMORYTYPE_UNIFIED,
        .dst_device = VA(copy->dst),
        .dst_pitch = copy->dst_pitch,
        .dst_height = copy->dst_height,
        .width = copy->width,
        .height = copy->height,
        .depth = copy->depth,
    };
    if (async)
        return cuMemcpy3DAsync_v2(&driver_copy, stream);
    return stream ? finish(cuMemcpy3DAsync_v2(&driver_copy, stream), stream) : cuMemcpy3D_v2(&driver_copy);
}

/* A plain run of bytes. The driver's directed calls are the quicker ones. */
static cudaError_t copy_run(void *dst, const void *src, size_t size, int kind, cudaStream_t stream, bool async)
{
    if (!async && !stream)
        switch (kind) {
        case COPY_HOST_TO_DEVICE: return cuMemcpyHtoD_v2(VA(dst), src, size);
        case COPY_DEVICE_TO_HOST: return cuMemcpyDtoH_v2(dst, VA(src), size);
        case COPY_DEVICE_TO_DEVICE: return cuMemcpyDtoD_v2(VA(dst), VA(src), size);
        default: return cuMemcpy(VA(dst), VA(src), size);
        }
    cudaError_t error;
    switch (kind) {
    case COPY_HOST_TO_DEVICE: error = cuMemcpyHtoDAsync_v2(VA(dst), src, size, stream); break;
    case COPY_DEVICE_TO_HOST: error = cuMemcpyDtoHAsync_v2(dst, VA(src), size, stream); break;
    case COPY_DEVICE_TO_DEVICE: error = cuMemcpyDtoDAsync_v2(VA(dst), VA(src), size, stream); break;
    default: error = cuMemcpyAsync(VA(dst), VA(src), size, stream); break;
    }
    return async ? error : finish(error, stream);
}

/* Every copy goes through here. */
static cudaError_t copy(struct copy copy, int kind, cudaStream_t stream, bool async)
{
    cudaError_t error = runtime_enter();

    if (!error)
        error = check(&copy, kind);
    if (error || !copy.width || !copy.height || !copy.depth)
        return report(error);
    if (!copy.dst || !copy.src)
        error = CUDA_ERROR_INVALID_VALUE;
    else if (copy.height == 1 && copy.depth == 1)
        error = copy_run(copy.dst, copy.src, copy.width, kind, stream, async);
    else
        error = copy_3d(&copy, stream, async);
    return report(error);
}

static cudaError_t copy_1d(void *dst, const void *src, size_t size, int kind, cudaStream_t stream, bool async)
{
    return copy((struct copy){dst, src, size, size, 1, 1, size, 1, 1}, kind, stream, async);
}

cudaError_t impl_cudaMemcpy(void *dst, const void *src, size_t size, cudaMemcpyKind kind)
{
    return copy_1d(dst, src, size, kind, default_stream(), false);
}

cudaError_t impl_cudaMemcpyAsync(void *dst, const void *src, size_t size, cudaMemcpyKind kind, cudaStream_t stream)
{
    return copy_1d(dst, src, size, kind, stream, true);
}

cudaError_t impl_cudaMemcpy2D(void *dst, size_t dst_pitch, const void *src, size_t src_pitch, size_t width, size_t height,
                              cudaMemcpyKind kind)
{
    return copy((struct copy){dst, src, dst_pitch, src_pitch, height, height, width, height, 1}, kind, default_stream(), false);
}

cudaError_t impl_cudaMemcpy2DAsync(void *dst, size_t dst_pitch, const void *src, size_t src_pitch, size_t width, size_t height,
                                   cudaMemcpyKind kind, cudaStream_t stream)
{
    return copy((struct copy){dst, src, dst_pitch, src_pitch, height, height, width, height, 1}, kind, stream, true);
}

/* ---- three dimensions ---- */

/* The first byte of a box in pitched memory; x counts bytes where no array takes part. */
static void *corner(cudaPitchedPtr base, struct cudaPos pos)
{
    return base.ptr ? (char *)base.ptr + (pos.z * base.ysize + pos.y) * base.pitch + pos.x : NULL;
}

static cudaError_t copy_box(const cudaMemcpy3DParms *p, cudaStream_t stream, bool async)
{
    if (!p)
        return report(CUDA_ERROR_INVALID_VALUE);
    if (p->src_array || p->dst_array)
        return array_copy_box(p, stream, async);
    return copy((struct copy){corner(p->dst, p->dst_pos), corner(p->src, p->src_pos), p->dst.pitch, p->src.pitch, p->dst.ysize,
                              p->src.ysize, p->extent.width, p->extent.height, p->extent.depth},
                p->kind, stream, async);
}

cudaError_t impl_cudaMemcpy3D(const cudaMemcpy3DParms *params)
{
    return copy_box(params, default_stream(), false);
}

cudaError_t impl_cudaMemcpy3DAsync(const cudaMemcpy3DParms *params, cudaStream_t stream)
{
    return copy_box(params, stream, true);
}

/* ---- between devices: only a device and itself, so these are ordinary copies ---- */

static cudaError_t check_devices(int dst_device, int src_device)
{
    cudaError_t error = runtime_device(dst_device);

    if (!error)
        error = runtime_device(src_device);
    return error || dst_device == src_device ? error : CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
}

static cudaError_t copy_peer_box(const cudaMemcpy3DPeerParms *p, cudaStream_t stream, bool async)
{
    cudaError_t error = p ? check_devices(p->dst_device, p->src_device) : CUDA_ERROR_INVALID_VALUE;

    if (error)
        return report(error);
    const cudaMemcpy3DParms same = {p->src_array, p->src_pos, p->src, p->dst_array, p->dst_pos, p->dst, p->extent,
                                    COPY_DEVICE_TO_DEVICE};
    return copy_box(&same, stream, async);
}

cudaError_t impl_cudaMemcpyPeer(void *dst, int32_t dst_device, const void *src, int32_t src_device, size_t size)
{
    cudaError_t error = check_devices(dst_device, src_device);

    return error ? report(error) : copy_1d(dst, src, size, COPY_DEVICE_TO_DEVICE, default_stream(), false);
}

cudaError_t impl_cudaMemcpyPeerAsync(void *dst, int32_t dst_device, const void *src, int32_t src_device, size_t size,
                                     cudaStream_t stream)
{
    cudaError_t error = check_devices(dst_device, src_device);

    return error ? report(error) : copy_1d(dst, src, size, COPY_DEVICE_TO_DEVICE, stream, true);
}

cudaError_t impl_cudaMemcpy3DPeer(const cudaMemcpy3DPeerParms *params)
{
    return copy_peer_box(params, default_stream(), false);
}

cudaError_t impl_cudaMemcpy3DPeerAsync(const cudaMemcpy3DPeerParms *params, cudaStream_t stream)
{
    return copy_peer_box(params, stream, true);
}

/* ---- variables ---- */

static cudaError_t to_symbol(const void *symbol, const void *src, size_t size, size_t offset, int kind, cudaStream_t stream,
                             bool async)
{
    CUdeviceptr address = 0;
    cudaError_t error = runtime_enter();

    if (!error)
        error = registry_range(symbol, size, offset, &address);
    if (!error && kind != COPY_HOST_TO_DEVICE && kind != COPY_DEVICE_TO_DEVICE && kind != COPY_DEFAULT)
        error = RT_INVALID_MEMCPY_DIRECTION;
    return error ? report(error) : copy_1d((void *)(uintptr_t)address, src, size, kind, stream, async);
}

static cudaError_t from_symbol(void *dst, const void *symbol, size_t size, size_t offset, int kind, cudaStream_t stream,
                               bool async)
{
    CUdeviceptr address = 0;
    cudaError_t error = runtime_enter();

    if (!error)
        error = registry_range(symbol, size, offset, &address);
    if (!error && kind != COPY_DEVICE_TO_HOST && kind != COPY_DEVICE_TO_DEVICE && kind != COPY_DEFAULT)
        error = RT_INVALID_MEMCPY_DIRECTION;
    return error ? report(error) : copy_1d(dst, (const void *)(uintptr_t)address, size, kind, stream, async);
}

cudaError_t impl_cudaMemcpyToSymbol(const void *symbol, const void *src, size_t size, size_t offset, cudaMemcpyKind kind)
{
    return to_symbol(symbol, src, size, offset, kind, default_stream(), false);
}

cudaError_t impl_cudaMemcpyToSymbolAsync(const void *symbol, const void *src, size_t size, size_t offset, cudaMemcpyKind kind,
                                         cudaStream_t stream)
{
    return to_symbol(symbol, src, size, offset, kind, stream, true);
}

cudaError_t impl_cudaMemcpyFromSymbol(void *dst, const void *symbol, size_t size, size_t offset, cudaMemcpyKind kind)
{
    return from_symbol(dst, symbol, size, offset, kind, default_stream(), false);
}

cudaError_t impl_cudaMemcpyFromSymbolAsync(void *dst, const void *symbol, size_t size, size_t offset, cudaMemcpyKind kind,
                                           cudaStream_t stream)
{
    return from_symbol(dst, symbol, size, offset, kind, stream, true);
}

/* ---- batches: one copy after the other in the stream's order, which is one of the orders that are allowed ---- */

static cudaError_t batch(void *const *dsts, void *const *srcs, const size_t *sizes, size_t count, size_t *failed,
                         cudaStream_t stream)
{
    cudaError_t error = 0;

    if (!dsts || !srcs || !sizes || !count)
        return report(CUDA_ERROR_INVALID_VALUE);
    for (size_t i = 0; i < count && !error; i++) {
        error = copy_1d(dsts[i], srcs[i], sizes[i], COPY_DEFAULT, stream, true);
        if (error && failed)
            *failed = i;
    }
    return error;
}

cudaError_t impl_cudaMemcpyBatchAsync(void *const *dsts, void *const *srcs, const size_t *sizes, size_t count,
                                      cudaMemcpyAttributes *attributes, size_t *indices, size_t attribute_count,
                                      cudaStream_t stream)
{
    return batch(dsts, srcs, sizes, count, NULL, stream);
}

cudaError_t impl_cudaMemcpyBatchAsync_v12(void **dsts, void **srcs, size_t *sizes, size_t count,
                                          cudaMemcpyAttributes *attributes, size_t *indices, size_t attribute_count,
                                          size_t *failed, cudaStream_t stream)
{
    return batch(dsts, srcs, sizes, count, failed, stream);
}
