/* SPDX-License-Identifier: Apache-2.0 */
/* Writing values to memory, and waiting for them, in a stream's order. Barriers and flushes have nothing to do: commands see
 * what was done before them. */
#include "cuda/memop.h"

#include <stdlib.h>
#include <string.h>

#include "cuda/defer.h"
#include "cuda/graph.h"

enum { WAIT_32 = 1, WRITE_32, FLUSH, WAIT_64, WRITE_64, BARRIER };
enum { CONDITIONS = 4, WAIT_FLUSH = 1 << 30, WRITE_NO_BARRIER = 1, ATTR_CAN_FLUSH = 98, OPERATIONS_MAX = 256 };

static bool is_64(const struct CUstreamBatchMemOpParams *op)
{
    return op->operation == WAIT_64 || op->operation == WRITE_64;
}

static bool is_wait(const struct CUstreamBatchMemOpParams *op)
{
    return op->operation == WAIT_32 || op->operation == WAIT_64;
}

/* V2: the second version of the calls, which knows barriers, and no writes without one. */
static int check_one(const struct CUstreamBatchMemOpParams *op, bool v2)
{
    size_t size = is_64(op) ? 8 : 4;

    switch (op->operation) {
    case FLUSH:
        return op->short_flags ? CUDA_ERROR_INVALID_VALUE : vgpu_attribute(ATTR_CAN_FLUSH) ? 0 : CUDA_ERROR_NOT_SUPPORTED;
    case BARRIER:
        return !v2 ? CUDA_ERROR_NOT_SUPPORTED : op->short_flags > 1 ? CUDA_ERROR_INVALID_VALUE : 0;
    case WAIT_32:
    case WAIT_64:
        if ((op->flags & ~(uint32_t)WAIT_FLUSH) >= CONDITIONS)
            return CUDA_ERROR_INVALID_VALUE;
        if ((op->flags & WAIT_FLUSH) && !vgpu_attribute(ATTR_CAN_FLUSH))
            return CUDA_ERROR_NOT_SUPPORTED;
        break;
    case WRITE_32:
    case WRITE_64:
        if (op->flags & ~(v2 ? 0u : (uint32_t)WRITE_NO_BARRIER))
            return CUDA_ERROR_INVALID_VALUE;
        break;
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
    return op->address % size || !vgpu_memory_reachable(&vgpu_driver.memory, op->address, size) ? CUDA_ERROR_INVALID_VALUE : 0;
}

int vgpu_memops_check(const struct CUstreamBatchMemOpParams *ops, uint32_t count, uint32_t flags, bool v2)
{
    int status = !count || count > OPERATIONS_MAX || !ops || flags ? CUDA_ERROR_INVALID_VALUE : 0;

    for (uint32_t i = 0; !status && i < count; i++)
        status = check_one(&ops[i], v2);
    return status;
}

int vgpu_memops_run(struct CUstream_st *stream, const struct CUstreamBatchMemOpParams *ops, uint32_t count)
{
    int status = 0;

    for (uint32_t i = 0; !status && i < count; i++) {
        const struct CUstreamBatchMemOpParams *op = &ops[i];
        size_t size = is_64(op) ? 8 : 4;
        struct vgpu_cmd_write write = {.dst = op->address};
        if (is_wait(op))
            status = vgpu_defer_value(stream, op->address, is_64(op) ? op->value : (uint32_t)op->value, size,
                                      (int)(op->flags & ~(uint32_t)WAIT_FLUSH));
        else if (op->operation == WRITE_32 || op->operation == WRITE_64)
            status = vgpu_stream_queue(stream, VGPU_CMD_WRITE, &write, sizeof write, &op->value, size);
    }
    return status;
}

static int batch(CUstream handle, const struct CUstreamBatchMemOpParams *ops, uint32_t count, uint32_t flags, bool v2)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = vgpu_enter(&context);

    if (!status)
        status = vgpu_stream(handle, context, &stream);
    if (!status)
        status = vgpu_memops_check(ops, count, flags, v2);
    if (status)
        return status;
    if (vgpu_capturing(stream))
        return v2 ? vgpu_capture_memops(stream, ops, count) : vgpu_capture_forbids(stream);
    status = vgpu_capture_implicit(stream);
    return status ? status : vgpu_memops_run(stream, ops, count);
}

static int single(CUstream stream, int operation, CUdeviceptr address, uint64_t value, uint32_t flags, bool v2)
{
    struct CUstreamBatchMemOpParams op = {.operation = operation, .address = address, .value = value, .flags = flags};

    return batch(stream, &op, 1, 0, v2);
}

CUresult impl_cuStreamBatchMemOp_v2(CUstream stream, uint32_t count, CUstreamBatchMemOpParams *ops, uint32_t flags)
{
    return batch(stream, ops, count, flags, true);
}

CUresult impl_cuStreamBatchMemOp(CUstream stream, uint32_t count, CUstreamBatchMemOpParams *ops, uint32_t flags)
{
    return batch(stream, ops, count, flags, false);
}

#define SINGLE(NAME, TYPE, OPERATION) \
    CUresult impl_##NAME##_v2(CUstream stream, CUdeviceptr address, TYPE value, uint32_t flags) \
    { \
        return single(stream, OPERATION, address, value, flags, true); \
    } \
    CUresult impl_##NAME(CUstream stream, CUdeviceptr address, TYPE value, uint32_t flags) \
    { \
        return single(stream, OPERATION, address, value, flags, false); \
    }

SINGLE(cuStreamWaitValue32, uint32_t, WAIT_32)
SINGLE(cuStreamWaitValue64, uint64_t, WAIT_64)
SINGLE(cuStreamWriteValue32, uint32_t, WRITE_32)
SINGLE(cuStreamWriteValue64, uint64_t, WRITE_64)
