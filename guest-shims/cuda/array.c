/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays: pitched memory of the library's own, whose elements are reached by copies. No kernel sees them, since textures and
 * surfaces are not executed. */
#include <stdlib.h>

#include "cuda/copy.h"
#include "cuda/defer.h"

enum { LAYERED = 1, CUBEMAP = 4, FLAGS_KNOWN = 0x37, PITCH_UNIT = 512, DIMENSION_MAX = 1 << 27 };

/* Bytes of a channel of CUarray_format; 0: none that is offered. */
static uint32_t channel_size(int format)
{
    static const unsigned char plain[] = {
        [0x01] = 1, [0x02] = 2, [0x03] = 4, [0x08] = 1, [0x09] = 2, [0x0a] = 4, [0x10] = 2, [0x20] = 4,
    };

    return format > 0 && format < (int)sizeof plain ? plain[format] : 0;
}

static int check(CUarray array)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_handle_is(array, KIND_ARRAY) ? 0 : CUDA_ERROR_INVALID_HANDLE;
}

static bool shape_wrong(const struct CUDA_ARRAY3D_DESCRIPTOR *shape)
{
    bool layered = shape->flags & LAYERED, cube = shape->flags & CUBEMAP;

    if (!shape->width || shape->width > DIMENSION_MAX || shape->height > DIMENSION_MAX || shape->depth > DIMENSION_MAX)
        return true;
    if (!channel_size(shape->format) || (shape->channels != 1 && shape->channels != 2 && shape->channels != 4))
        return true;
    if (cube && (shape->width != shape->height || !shape->depth || shape->depth % 6 || (!layered && shape->depth != 6)))
        return true;
    return layered ? !shape->depth : shape->depth && !shape->height;
}

CUresult impl_cuArray3DCreate_v2(CUarray *result, const CUDA_ARRAY3D_DESCRIPTOR *shape)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status)
        status = vgpu_capture_unsafe();
    if (!status && (!result || !shape || shape_wrong(shape)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && (shape->flags & ~(uint32_t)FLAGS_KNOWN))
        status = CUDA_ERROR_NOT_SUPPORTED; /* sparse, deferred mapping, video */
    if (status)
        return status;
    struct CUarray_st *array = calloc(1, sizeof *array);
    if (!array)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *array = (struct CUarray_st){.context = context, .shape = *shape, .element = channel_size(shape->format) * shape->channels,
                                 .height = shape->height ? shape->height : 1, .depth = shape->depth ? shape->depth : 1};
    array->width = shape->width * array->element;
    array->pitch = vgpu_round_up(array->width, PITCH_UNIT);
    unsigned __int128 bytes = (unsigned __int128)array->pitch * array->height * array->depth;
    status = bytes > VGPU_WINDOW_SIZE ? CUDA_ERROR_OUT_OF_MEMORY
                                      : vgpu_memory_alloc(&vgpu_driver.memory, (uint64_t)bytes, VGPU_RANGE_INTERNAL, 0, context,
                                                          &array->va);
    if (!status) {
        status = vgpu_handle_add(array, KIND_ARRAY, context);
        if (status)
            vgpu_memory_free(&vgpu_driver.memory, array->va, 1u << VGPU_RANGE_INTERNAL);
    }
    if (status)
        free(array);
    else
        *result = array;
    return status;
}

CUresult impl_cuArrayCreate_v2(CUarray *array, const CUDA_ARRAY_DESCRIPTOR *flat)
{
    if (!flat)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    struct CUDA_ARRAY3D_DESCRIPTOR shape = {flat->width, flat->height, 0, flat->format, flat->channels, 0};
    return impl_cuArray3DCreate_v2(array, &shape);
}

CUresult impl_cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR *shape, CUarray array)
{
    int status = check(array);

    if (!status && !shape)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *shape = array->shape;
    return status;
}

CUresult impl_cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR *flat, CUarray array)
{
    int status = check(array);

    if (!status && !flat)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *flat = (struct CUDA_ARRAY_DESCRIPTOR){array->shape.width, array->shape.height, array->shape.format,
                                               array->shape.channels};
    return status;
}

static void destroy(struct CUarray_st *array)
{
    vgpu_handle_remove(array);
    vgpu_memory_free(&vgpu_driver.memory, array->va, 1u << VGPU_RANGE_INTERNAL);
    free(array);
}

CUresult impl_cuArrayDestroy(CUarray array)
{
    int status = check(array);

    if (!status)
        status = vgpu_capture_unsafe();
    if (status)
        return status;
    vgpu_defer_settle_all(array->context);
    destroy(array);
    return 0;
}

void vgpu_arrays_destroy(struct CUctx_st *context)
{
    for (struct CUarray_st *array; (array = vgpu_handle_of(context, KIND_ARRAY));)
        destroy(array);
}

/* ---- copies that see an array as its bytes in a row ---- */

/* One side: an array from a byte on, or linear memory. */
struct place {
    int type;
    CUarray array;
    uint64_t at; /* byte of the array, or address */
};

static uint64_t left_in_row(const struct place *place, uint64_t size)
{
    uint64_t left = place->array ? place->array->width - place->at % place->array->width : size;

    return left < size ? left : size;
}

static bool beyond(const struct place *place, uint64_t size)
{
    const struct CUarray_st *array = place->array;
    uint64_t all = array ? (uint64_t)array->width * array->height * array->depth : 0;

    return array && (place->at > all || size > all - place->at);
}

#define SIDE(box, place, S) \
    do { \
        box.S##_type = (place)->type; \
        if ((place)->array) { \
            box.S##_array = (place)->array; \
            box.S##_x = (place)->at % (place)->array->width; \
            box.S##_y = (place)->at / (place)->array->width % (place)->array->height; \
            box.S##_z = (place)->at / (place)->array->width / (place)->array->height; \
        } else { \
            box.S##_host = (void *)(uintptr_t)(place)->at; \
            box.S##_device = (place)->at; \
        } \
    } while (0)

static int copy(struct place dst, struct place src, uint64_t size, CUstream stream, bool async)
{
    int status = dst.type == CU_MEMORYTYPE_ARRAY ? check(dst.array) : 0;

    if (!status && src.type == CU_MEMORYTYPE_ARRAY)
        status = check(src.array);
    if (!status && (beyond(&dst, size) || beyond(&src, size)))
        status = CUDA_ERROR_INVALID_VALUE;
    while (!status && size) {
        uint64_t n = left_in_row(&dst, left_in_row(&src, size));
        struct CUDA_MEMCPY3D box = {.width = n, .height = 1, .depth = 1};
        SIDE(box, &dst, dst);
        SIDE(box, &src, src);
        status = vgpu_copy_call(stream, &box, async);
        dst.at += n;
        src.at += n;
        size -= n;
    }
    return status;
}

static struct place in_array(CUarray array, size_t offset)
{
    return (struct place){CU_MEMORYTYPE_ARRAY, array, offset};
}

static struct place on_device(CUdeviceptr address)
{
    return (struct place){CU_MEMORYTYPE_DEVICE, NULL, address};
}

static struct place on_host(const void *address)
{
    return (struct place){CU_MEMORYTYPE_HOST, NULL, (uintptr_t)address};
}

CUresult impl_cuMemcpyDtoA_v2(CUarray dst, size_t offset, CUdeviceptr src, size_t size)
{
    return copy(in_array(dst, offset), on_device(src), size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpyAtoD_v2(CUdeviceptr dst, CUarray src, size_t offset, size_t size)
{
    return copy(on_device(dst), in_array(src, offset), size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpyHtoA_v2(CUarray dst, size_t offset, const void *src, size_t size)
{
    return copy(in_array(dst, offset), on_host(src), size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpyAtoH_v2(void *dst, CUarray src, size_t offset, size_t size)
{
    return copy(on_host(dst), in_array(src, offset), size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpyAtoA_v2(CUarray dst, size_t dst_offset, CUarray src, size_t src_offset, size_t size)
{
    return copy(in_array(dst, dst_offset), in_array(src, src_offset), size, vgpu_default_stream(), false);
}

CUresult impl_cuMemcpyHtoAAsync_v2(CUarray dst, size_t offset, const void *src, size_t size, CUstream stream)
{
    return copy(in_array(dst, offset), on_host(src), size, stream, true);
}

CUresult impl_cuMemcpyAtoHAsync_v2(void *dst, CUarray src, size_t offset, size_t size, CUstream stream)
{
    return copy(on_host(dst), in_array(src, offset), size, stream, true);
}
