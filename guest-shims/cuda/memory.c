/* SPDX-License-Identifier: Apache-2.0 */
/* Allocating: device, pinned, managed and registered memory. */
#include "cuda/defer.h"
#include "cuda/graph_memory.h"

enum { PITCH_UNIT = 512, HOST_PORTABLE = 1, HOST_DEVICEMAP = 2, HOST_FLAGS = 7, REGISTER_FLAGS = 0xf };
#define FREEABLE (1u << VGPU_RANGE_DEVICE | 1u << VGPU_RANGE_MANAGED)

/* For calls that a capture does not allow. */
static int enter(struct CUctx_st **context)
{
    int status = vgpu_enter(context);

    return status ? status : vgpu_capture_unsafe();
}

static int allocate(uint64_t *va, size_t bytes, enum vgpu_range_kind kind, uint32_t flags)
{
    struct CUctx_st *context;
    int status = enter(&context);

    if (!status && (!va || !bytes))
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : vgpu_memory_alloc(&vgpu_driver.memory, bytes, kind, flags, context, va);
}

CUresult impl_cuMemAlloc_v2(CUdeviceptr *va, size_t bytes)
{
    return allocate(va, bytes, VGPU_RANGE_DEVICE, 0);
}

CUresult impl_cuMemAllocPitch_v2(CUdeviceptr *va, size_t *pitch, size_t width, size_t height, uint32_t element)
{
    if (!pitch || !width || !height || (element != 4 && element != 8 && element != 16) || width > VGPU_WINDOW_SIZE)
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    uint64_t row = vgpu_round_up(width, PITCH_UNIT);
    if (height > VGPU_WINDOW_SIZE / row)
        return CUDA_ERROR_OUT_OF_MEMORY;
    int status = allocate(va, row * height, VGPU_RANGE_DEVICE, 0);
    if (!status)
        *pitch = row;
    return status;
}

/* Memory is unmapped in ring order: what was submitted before still finds it, and what is kept from the ring has to be there
 * before. */
static int enter_free(void)
{
    struct CUctx_st *context;
    int status = enter(&context);

    if (!status)
        vgpu_defer_settle_all(context);
    return status;
}

CUresult impl_cuMemFree_v2(CUdeviceptr va)
{
    int status = enter_free();

    if (!status && vgpu_graph_memory_release(va))
        return 0;
    return status ? status : vgpu_memory_free(&vgpu_driver.memory, va, FREEABLE);
}

CUresult impl_cuMemAllocManaged(CUdeviceptr *va, size_t bytes, uint32_t flags)
{
    return flags != 1 && flags != 2 ? vgpu_refuse(CUDA_ERROR_INVALID_VALUE) : allocate(va, bytes, VGPU_RANGE_MANAGED, flags);
}

CUresult impl_cuMemHostAlloc(void **pointer, size_t bytes, uint32_t flags)
{
    uint64_t va;

    if (!pointer || (flags & ~(uint32_t)HOST_FLAGS))
        return vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
    int status = allocate(&va, bytes, VGPU_RANGE_HOST, flags | HOST_DEVICEMAP);
    if (!status)
        *pointer = (void *)(uintptr_t)va;
    return status;
}

CUresult impl_cuMemAllocHost_v2(void **pointer, size_t bytes)
{
    return impl_cuMemHostAlloc(pointer, bytes, HOST_PORTABLE);
}

CUresult impl_cuMemFreeHost(void *pointer)
{
    int status = enter_free();

    return status ? status : vgpu_memory_free(&vgpu_driver.memory, (uintptr_t)pointer, 1u << VGPU_RANGE_HOST);
}

CUresult impl_cuMemHostRegister_v2(void *pointer, size_t bytes, uint32_t flags)
{
    struct CUctx_st *context;
    int status = enter(&context);

    if (!status && (!pointer || !bytes || (flags & ~(uint32_t)REGISTER_FLAGS)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && (flags & 4))
        status = CUDA_ERROR_NOT_SUPPORTED; /* device registers of others */
    return status ? status
                  : vgpu_memory_register(&vgpu_driver.memory, pointer, bytes, flags | HOST_DEVICEMAP, context);
}

CUresult impl_cuMemHostUnregister(void *pointer)
{
    int status = enter_free();

    return status ? status : vgpu_memory_unregister(&vgpu_driver.memory, pointer);
}

CUresult impl_cuMemHostGetDevicePointer_v2(CUdeviceptr *va, void *pointer, uint32_t flags)
{
    struct CUctx_st *context;
    uint64_t found;
    int status = vgpu_enter(&context);

    if (!status && (!va || flags || !vgpu_memory_of_host(&vgpu_driver.memory, pointer, &found)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *va = found;
    return status;
}

CUresult impl_cuMemHostGetFlags(uint32_t *flags, void *pointer)
{
    struct CUctx_st *context;
    struct vgpu_allocation allocation;
    uint64_t va;
    int status = vgpu_enter(&context);

    if (!status && (!flags || !vgpu_memory_of_host(&vgpu_driver.memory, pointer, &va) ||
                    !vgpu_memory_find(&vgpu_driver.memory, va, &allocation) || allocation.kind == VGPU_RANGE_MANAGED))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *flags = allocation.flags;
    return status;
}

/* Free is what the host may still grant to this guest, and what this process was granted and does not use. */
CUresult impl_cuMemGetInfo_v2(size_t *free_bytes, size_t *total)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (!free_bytes || !total))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status) /* what was given back has been, when that command is done */
        status = vgpu_wait(&vgpu_driver.channel, vgpu_driver.memory.returned);
    if (status)
        return status;
    uint64_t quota = vgpu_device_register(&vgpu_driver.device, VGPU_REG_MEM_TOTAL_MIB) * VGPU_MIB;
    uint64_t granted = vgpu_device_register(&vgpu_driver.device, VGPU_REG_MEM_GRANTED_MIB) * VGPU_MIB;
    uint64_t left = (quota > granted ? quota - granted : 0) + vgpu_memory_slack(&vgpu_driver.memory);
    *total = vgpu_profile()->memory;
    *free_bytes = left < *total ? left : *total;
    return 0;
}

CUresult impl_cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *size, CUdeviceptr va)
{
    struct CUctx_st *context;
    struct vgpu_allocation allocation;
    int status = vgpu_enter(&context);

    if (!status && !vgpu_memory_find(&vgpu_driver.memory, va, &allocation))
        status = CUDA_ERROR_NOT_FOUND;
    if (status)
        return status;
    if (base)
        *base = allocation.va;
    if (size)
        *size = allocation.bytes;
    return 0;
}

/* The first version; only a flag was added. */
CUresult impl_cuMemHostRegister(void *pointer, size_t bytes, uint32_t flags)
{
    return impl_cuMemHostRegister_v2(pointer, bytes, flags);
}
