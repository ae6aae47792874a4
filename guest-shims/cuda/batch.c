/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of copies: each is a copy on the stream; what CUDA may reorder runs in the order given. Sources that are not device
 * memory are read during the call, which every order of access allows that a program can ask for. */
#include <string.h>

#include "cuda/copy.h"

enum { ORDER_STREAM = 1, ORDER_ANY = 3, FLAGS_KNOWN = 1 };

/* "Must not be default NULL stream". */
static int check_stream(CUstream handle)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = vgpu_enter(&context);

    if (!status)
        status = vgpu_stream(handle, context, &stream);
    return status ? status : stream->legacy ? CUDA_ERROR_INVALID_VALUE : 0;
}

static bool order_wrong(int order, uint32_t flags)
{
    return order < ORDER_STREAM || order > ORDER_ANY || (flags & ~(uint32_t)FLAGS_KNOWN);
}

CUresult impl_cuMemcpyBatchAsync(CUdeviceptr *dsts, CUdeviceptr *srcs, size_t *sizes, size_t count, CUmemcpyAttributes *attributes,
                                 size_t *indices, size_t attribute_count, size_t *failed, CUstream stream)
{
    int status = check_stream(stream);

    if (failed)
        *failed = SIZE_MAX; /* no copy in particular */
    if (!status && (!dsts || !srcs || !sizes || !count || !attributes || !indices || !attribute_count ||
                    attribute_count > count || indices[0]))
        status = CUDA_ERROR_INVALID_VALUE;
    for (size_t a = 0; !status && a < attribute_count; a++)
        if (order_wrong(attributes[a].order, attributes[a].flags) ||
            (a && (indices[a] <= indices[a - 1] || indices[a] >= count)))
            status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    for (size_t i = 0; !status && i < count; i++) {
        status = sizes[i] ? impl_cuMemcpyAsync(dsts[i], srcs[i], sizes[i], stream) : CUDA_ERROR_INVALID_VALUE;
        if (status && failed)
            *failed = i;
    }
    return status;
}

CUresult impl_cuMemcpyBatchAsync_v2(CUdeviceptr *dsts, CUdeviceptr *srcs, size_t *sizes, size_t count,
                                    CUmemcpyAttributes *attributes, size_t *indices, size_t attribute_count, CUstream stream)
{
    return impl_cuMemcpyBatchAsync(dsts, srcs, sizes, count, attributes, indices, attribute_count, NULL, stream);
}

/* Bytes of an element, which an array gives; 0: the arrays differ, or are none. */
static size_t element_of(const struct CUDA_MEMCPY3D_BATCH_OP *op)
{
    const struct vgpu_copy_operand *sides[] = {&op->src, &op->dst};
    size_t element = 0;

    for (int i = 0; i < 2; i++) {
        const struct CUarray_st *array = sides[i]->as.array.array;
        if (sides[i]->type != OPERAND_ARRAY)
            continue;
        if (!vgpu_handle_is(array, KIND_ARRAY) || (element && element != array->element))
            return 0;
        element = array->element;
    }
    return element ? element : 1;
}

#define SIDE(box, operand, S, element) \
    do { \
        if ((operand)->type == OPERAND_ARRAY) { \
            box.S##_type = CU_MEMORYTYPE_ARRAY; \
            box.S##_array = (operand)->as.array.array; \
            box.S##_x = (operand)->as.array.x * element; \
            box.S##_y = (operand)->as.array.y; \
            box.S##_z = (operand)->as.array.z; \
        } else { \
            box.S##_type = CU_MEMORYTYPE_UNIFIED; \
            box.S##_device = (operand)->as.pointer.address; \
            box.S##_pitch = (operand)->as.pointer.row * element; \
            box.S##_height = (operand)->as.pointer.rows; \
        } \
    } while (0)

static bool operand_wrong(const struct vgpu_copy_operand *operand, const struct CUDA_MEMCPY3D_BATCH_OP *op)
{
    if (operand->type == OPERAND_ARRAY)
        return false;
    return operand->type != OPERAND_POINTER || (operand->as.pointer.row && operand->as.pointer.row < op->width) ||
           (operand->as.pointer.rows && operand->as.pointer.rows < op->height);
}

static int copy_box(const struct CUDA_MEMCPY3D_BATCH_OP *op, CUstream stream)
{
    size_t element = element_of(op);

    if (!element || order_wrong(op->order, op->flags) || !op->width || !op->height || !op->depth ||
        op->width > VGPU_WINDOW_SIZE || operand_wrong(&op->src, op) || operand_wrong(&op->dst, op))
        return CUDA_ERROR_INVALID_VALUE;
    struct CUDA_MEMCPY3D box = {.width = op->width * element, .height = op->height, .depth = op->depth};
    SIDE(box, &op->src, src, element);
    SIDE(box, &op->dst, dst, element);
    return vgpu_copy_call(stream, &box, true);
}

CUresult impl_cuMemcpy3DBatchAsync(size_t count, CUDA_MEMCPY3D_BATCH_OP *ops, size_t *failed, uint64_t flags, CUstream stream)
{
    int status = check_stream(stream);

    if (failed)
        *failed = SIZE_MAX;
    if (!status && (!count || !ops || flags))
        status = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; !status && i < count; i++) {
        status = copy_box(&ops[i], stream);
        if (status && failed)
            *failed = i;
    }
    return status;
}

CUresult impl_cuMemcpy3DBatchAsync_v2(size_t count, CUDA_MEMCPY3D_BATCH_OP *ops, uint64_t flags, CUstream stream)
{
    return impl_cuMemcpy3DBatchAsync(count, ops, NULL, flags, stream);
}
