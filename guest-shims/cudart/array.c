/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays, which are the driver's: their shapes are told by channel descriptions, and copies count their elements. */
#include <string.h>

#include "cudart/array.h"

enum { KIND_SIGNED, KIND_UNSIGNED, KIND_FLOAT, KIND_NONE };

static CUarray driver_array(cudaArray_const_t array)
{
    return (CUarray)(uintptr_t)array;
}

/* CUarray_format, as (kind, bits). */
static const struct {
    int format, kind, bits;
} formats[] = {
    {0x01, KIND_UNSIGNED, 8}, {0x02, KIND_UNSIGNED, 16}, {0x03, KIND_UNSIGNED, 32}, {0x08, KIND_SIGNED, 8},
    {0x09, KIND_SIGNED, 16},  {0x0a, KIND_SIGNED, 32},   {0x10, KIND_FLOAT, 16},    {0x20, KIND_FLOAT, 32},
};
#define FORMATS (sizeof formats / sizeof *formats)

/* Channels are all of x's bits, in order. */
static bool describe(const cudaChannelFormatDesc *desc, struct CUDA_ARRAY3D_DESCRIPTOR *shape)
{
    const int32_t bits[4] = {desc->x, desc->y, desc->z, desc->w};
    uint32_t channels = 0;

    while (channels < 4 && bits[channels])
        channels++;
    for (uint32_t i = 1; i < 4; i++)
        if (bits[i] != (i < channels ? bits[0] : 0))
            return false;
    for (size_t i = 0; channels && i < FORMATS; i++) {
        if (formats[i].kind != desc->f || formats[i].bits != bits[0])
            continue;
        shape->format = formats[i].format;
        shape->channels = channels;
        return channels != 3;
    }
    return false;
}

cudaError_t impl_cudaMalloc3DArray(cudaArray_t *array, const cudaChannelFormatDesc *desc, cudaExtent extent, uint32_t flags)
{
    struct CUDA_ARRAY3D_DESCRIPTOR shape = {.width = extent.width, .height = extent.height, .depth = extent.depth, .flags = flags};
    CUarray made = NULL;
    cudaError_t error = runtime_enter();

    if (!error && (!array || !desc))
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error && !describe(desc, &shape))
        error = RT_INVALID_CHANNEL_DESCRIPTOR;
    if (!error)
        error = cuArray3DCreate_v2(&made, &shape);
    if (!error)
        *array = (cudaArray_t)(uintptr_t)made;
    return report(error);
}

cudaError_t impl_cudaMallocArray(cudaArray_t *array, const cudaChannelFormatDesc *desc, size_t width, size_t height,
                                 uint32_t flags)
{
    return impl_cudaMalloc3DArray(array, desc, (cudaExtent){width, height, 0}, flags);
}

cudaError_t impl_cudaFreeArray(cudaArray_t array)
{
    cudaError_t error = runtime_enter();

    return report(error || !array ? error : cuArrayDestroy(driver_array(array)));
}

cudaError_t impl_cudaArrayGetInfo(cudaChannelFormatDesc *desc, cudaExtent *extent, uint32_t *flags, cudaArray_t array)
{
    struct CUDA_ARRAY3D_DESCRIPTOR shape;
    cudaError_t error = runtime_enter();

    if (!error)
        error = cuArray3DGetDescriptor_v2(&shape, driver_array(array));
    if (error)
        return report(error);
    for (size_t i = 0; desc && i < FORMATS; i++) {
        const int bits = formats[i].bits;
        if (formats[i].format == shape.format)
            *desc = (cudaChannelFormatDesc){bits, shape.channels > 1 ? bits : 0, shape.channels > 2 ? bits : 0,
                                            shape.channels > 3 ? bits : 0, formats[i].kind};
    }
    if (extent)
        *extent = (cudaExtent){shape.width, shape.height, shape.depth};
    if (flags)
        *flags = shape.flags;
    return report(0);
}

cudaError_t impl_cudaGetChannelDesc(cudaChannelFormatDesc *desc, cudaArray_const_t array)
{
    return desc ? impl_cudaArrayGetInfo(desc, NULL, NULL, (cudaArray_t)(uintptr_t)array) : report(CUDA_ERROR_INVALID_VALUE);
}

/* ---- copies ---- */

static cudaError_t submit(const struct CUDA_MEMCPY3D *copy, int kind, cudaStream_t stream, bool async)
{
    cudaError_t error = runtime_enter();

    if (!error && (kind < COPY_HOST_TO_HOST || kind > COPY_DEFAULT))
        error = RT_INVALID_MEMCPY_DIRECTION;
    if (!error && async)
        error = cuMemcpy3DAsync_v2(copy, stream);
    else if (!error)
        error = stream ? finish(cuMemcpy3DAsync_v2(copy, stream), stream) : cuMemcpy3D_v2(copy);
    return report(error);
}

/* Bytes of an element. */
static cudaError_t element_of(cudaArray_const_t array, size_t *bytes)
{
    cudaChannelFormatDesc desc = {0};
    cudaError_t error = impl_cudaGetChannelDesc(&desc, array);

    *bytes = (size_t)(desc.x + desc.y + desc.z + desc.w) / 8;
    return error;
}

#define SIDE(copy, p, S, element) \
    do { \
        copy.S##_type = (p)->S##_array ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_UNIFIED; \
        copy.S##_array = driver_array((p)->S##_array); \
        copy.S##_device = (uintptr_t)(p)->S.ptr; \
        copy.S##_pitch = (p)->S.pitch; \
        copy.S##_height = (p)->S.ysize; \
        copy.S##_x = (p)->S##_pos.x * element; \
        copy.S##_y = (p)->S##_pos.y; \
        copy.S##_z = (p)->S##_pos.z; \
    } while (0)

cudaError_t array_copy_box(const struct cudaMemcpy3DParms *p, cudaStream_t stream, bool async)
{
    size_t element = 1, other = 1;
    cudaError_t error = element_of(p->src_array ? p->src_array : p->dst_array, &element);

    if (!error && p->src_array && p->dst_array)
        error = element_of(p->dst_array, &other);
    if (!error && p->src_array && p->dst_array && element != other)
        error = report(CUDA_ERROR_INVALID_VALUE);
    if (error)
        return error;
    struct CUDA_MEMCPY3D copy = {.width = p->extent.width * element, .height = p->extent.height, .depth = p->extent.depth};
    SIDE(copy, p, src, element);
    SIDE(copy, p, dst, element);
    return submit(&copy, p->kind, stream, async);
}

/* A rectangle at (x bytes, y) of ARRAY, to or from memory. */
static cudaError_t rectangle(cudaArray_const_t array, size_t x, size_t y, const void *memory, size_t pitch, size_t width,
                             size_t height, bool to_array, int kind, cudaStream_t stream, bool async)
{
    struct CUDA_MEMCPY3D copy = {.width = width, .height = height, .depth = 1};
    const uint64_t va = (uintptr_t)memory;

    if (height > 1 && width > pitch)
        return report(RT_INVALID_PITCH);
    if (to_array) {
        copy.src_type = CU_MEMORYTYPE_UNIFIED, copy.src_device = va, copy.src_pitch = pitch;
        copy.dst_type = CU_MEMORYTYPE_ARRAY, copy.dst_array = driver_array(array), copy.dst_x = x, copy.dst_y = y;
    } else {
        copy.dst_type = CU_MEMORYTYPE_UNIFIED, copy.dst_device = va, copy.dst_pitch = pitch;
        copy.src_type = CU_MEMORYTYPE_ARRAY, copy.src_array = driver_array(array), copy.src_x = x, copy.src_y = y;
    }
    return submit(&copy, kind, stream, async);
}

cudaError_t impl_cudaMemcpy2DToArray(cudaArray_t dst, size_t x, size_t y, const void *src, size_t pitch, size_t width,
                                     size_t height, cudaMemcpyKind kind)
{
    return rectangle(dst, x, y, src, pitch, width, height, true, kind, default_stream(), false);
}

cudaError_t impl_cudaMemcpy2DToArrayAsync(cudaArray_t dst, size_t x, size_t y, const void *src, size_t pitch, size_t width,
                                          size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
    return rectangle(dst, x, y, src, pitch, width, height, true, kind, stream, true);
}

cudaError_t impl_cudaMemcpy2DFromArray(void *dst, size_t pitch, cudaArray_const_t src, size_t x, size_t y, size_t width,
                                       size_t height, cudaMemcpyKind kind)
{
    return rectangle(src, x, y, dst, pitch, width, height, false, kind, default_stream(), false);
}

cudaError_t impl_cudaMemcpy2DFromArrayAsync(void *dst, size_t pitch, cudaArray_const_t src, size_t x, size_t y, size_t width,
                                            size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
    return rectangle(src, x, y, dst, pitch, width, height, false, kind, stream, true);
}

/* COUNT bytes of an array's rows from (x, y) on: the rest of a row, whole rows, the beginning of one. */
static cudaError_t run(cudaArray_const_t array, size_t x, size_t y, const void *memory, size_t count, bool to_array, int kind,
                       cudaStream_t stream, bool async)
{
    struct CUDA_ARRAY3D_DESCRIPTOR shape;
    const char *at = memory;
    size_t element, row;
    cudaError_t error = element_of(array, &element);

    if (!error)
        error = report(cuArray3DGetDescriptor_v2(&shape, driver_array(array)));
    if (!error && x >= (row = shape.width * element))
        error = report(CUDA_ERROR_INVALID_VALUE);
    while (!error && count) {
        size_t width = count < row - x ? count : row - x, rows = !x && count >= row ? count / row : 1;
        error = rectangle(array, x, y, at, width, width, rows, to_array, kind, stream, async);
        at += width * rows;
        count -= width * rows;
        y += rows;
        x = 0;
    }
    return error;
}

cudaError_t impl_cudaMemcpyToArray(cudaArray_t dst, size_t x, size_t y, const void *src, size_t count, cudaMemcpyKind kind)
{
    return run(dst, x, y, src, count, true, kind, default_stream(), false);
}

cudaError_t impl_cudaMemcpyToArrayAsync(cudaArray_t dst, size_t x, size_t y, const void *src, size_t count, cudaMemcpyKind kind,
                                        cudaStream_t stream)
{
    return run(dst, x, y, src, count, true, kind, stream, true);
}

cudaError_t impl_cudaMemcpyFromArray(void *dst, cudaArray_const_t src, size_t x, size_t y, size_t count, cudaMemcpyKind kind)
{
    return run(src, x, y, dst, count, false, kind, default_stream(), false);
}

cudaError_t impl_cudaMemcpyFromArrayAsync(void *dst, cudaArray_const_t src, size_t x, size_t y, size_t count,
                                          cudaMemcpyKind kind, cudaStream_t stream)
{
    return run(src, x, y, dst, count, false, kind, stream, true);
}

cudaError_t impl_cudaMemcpy2DArrayToArray(cudaArray_t dst, size_t dst_x, size_t dst_y, cudaArray_const_t src, size_t src_x,
                                          size_t src_y, size_t width, size_t height, cudaMemcpyKind kind)
{
    const struct CUDA_MEMCPY3D copy = {
        .src_type = CU_MEMORYTYPE_ARRAY, .src_array = driver_array(src), .src_x = src_x, .src_y = src_y,
        .dst_type = CU_MEMORYTYPE_ARRAY, .dst_array = driver_array(dst), .dst_x = dst_x, .dst_y = dst_y,
        .width = width, .height = height, .depth = 1,
    };
    return submit(&copy, kind, default_stream(), false);
}

/* As bytes in a row, which is how the driver sees it when it is asked so. */
cudaError_t impl_cudaMemcpyArrayToArray(cudaArray_t dst, size_t dst_x, size_t dst_y, cudaArray_const_t src, size_t src_x,
                                        size_t src_y, size_t count, cudaMemcpyKind kind)
{
    struct CUDA_ARRAY3D_DESCRIPTOR to, from;
    size_t to_element, from_element;
    cudaError_t error = element_of(dst, &to_element);

    if (!error)
        error = element_of(src, &from_element);
    if (error)
        return error;
    if (kind != COPY_DEVICE_TO_DEVICE && kind != COPY_DEFAULT)
        return report(RT_INVALID_MEMCPY_DIRECTION);
    error = cuArray3DGetDescriptor_v2(&to, driver_array(dst));
    if (!error)
        error = cuArray3DGetDescriptor_v2(&from, driver_array(src));
    if (!error)
        error = cuMemcpyAtoA_v2(driver_array(dst), dst_y * to.width * to_element + dst_x, driver_array(src),
                                src_y * from.width * from_element + src_x, count);
    return report(error);
}
