/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation, pinned memory, and what is known about a pointer. */
#include <string.h>

#include "cudart/runtime.h"

#define VA(pointer) ((CUdeviceptr)(uintptr_t)(pointer))

cudaError_t impl_cudaMalloc(void **pointer, size_t size)
{
    CUdeviceptr va = 0;
    cudaError_t error = runtime_enter();

    if (!error && !pointer)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error && size)
        error = cuMemAlloc_v2(&va, size);
    if (!error)
        *pointer = (void *)(uintptr_t)va; /* nothing for no bytes */
    return report(error);
}

cudaError_t impl_cudaFree(void *pointer)
{
    cudaError_t error = runtime_enter(); /* also for a null pointer: programs make the context so */

    return report(error || !pointer ? error : cuMemFree_v2(VA(pointer)));
}

cudaError_t impl_cudaMallocManaged(void **pointer, size_t size, uint32_t flags)
{
    CUdeviceptr va = 0;
    cudaError_t error = runtime_enter();

    if (!error && (!pointer || !size))
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = cuMemAllocManaged(&va, size, flags);
    if (!error)
        *pointer = (void *)(uintptr_t)va;
    return report(error);
}

cudaError_t impl_cudaHostAlloc(void **pointer, size_t size, uint32_t flags)
{
    cudaError_t error = runtime_enter();

    if (!error && !pointer)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error && !size)
        *pointer = NULL;
    else if (!error)
        error = cuMemHostAlloc(pointer, size, flags);
    return report(error);
}

cudaError_t impl_cudaMallocHost(void **pointer, size_t size)
{
    return impl_cudaHostAlloc(pointer, size, 0);
}

cudaError_t impl_cudaFreeHost(void *pointer)
{
    cudaError_t error = runtime_enter();

    return report(error || !pointer ? error : cuMemFreeHost(pointer));
}

cudaError_t impl_cudaMallocPitch(void **pointer, size_t *pitch, size_t width, size_t height)
{
    CUdeviceptr va = 0;
    cudaError_t error = runtime_enter();

    if (!error && (!pointer || !pitch))
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error && (!width || !height))
        *pitch = 0;
    else if (!error)
        error = cuMemAllocPitch_v2(&va, pitch, width, height, 4);
    if (!error)
        *pointer = (void *)(uintptr_t)va;
    return report(error);
}

cudaError_t impl_cudaMalloc3D(cudaPitchedPtr *pitched, cudaExtent extent)
{
    size_t rows;

    if (!pitched || __builtin_mul_overflow(extent.height, extent.depth, &rows))
        return report(CUDA_ERROR_INVALID_VALUE);
    pitched->xsize = extent.width;
    pitched->ysize = extent.height;
    return impl_cudaMallocPitch(&pitched->ptr, &pitched->pitch, extent.width, rows);
}

cudaError_t impl_cudaMemGetInfo(size_t *free, size_t *total)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemGetInfo_v2(free, total));
}

/* ---- host memory ---- */

cudaError_t impl_cudaHostRegister(void *pointer, size_t size, uint32_t flags)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemHostRegister_v2(pointer, size, flags));
}

cudaError_t impl_cudaHostUnregister(void *pointer)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemHostUnregister(pointer));
}

cudaError_t impl_cudaHostGetDevicePointer(void **device, void *host, uint32_t flags)
{
    CUdeviceptr va = 0;
    cudaError_t error = runtime_enter();

    if (!error && !device)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = cuMemHostGetDevicePointer_v2(&va, host, flags);
    if (!error)
        *device = (void *)(uintptr_t)va;
    return report(error);
}

cudaError_t impl_cudaHostGetFlags(uint32_t *flags, void *host)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemHostGetFlags(flags, host));
}

/* ---- pointers ---- */

enum { POINTER_MEMORY_TYPE = 2, POINTER_DEVICE_POINTER = 3, POINTER_HOST_POINTER = 4, POINTER_IS_MANAGED = 8, POINTER_DEVICE_ORDINAL = 9 };
enum { TYPE_UNREGISTERED, TYPE_HOST, TYPE_DEVICE, TYPE_MANAGED, INVALID_DEVICE = -2 };

cudaError_t impl_cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *pointer)
{
    uint32_t type = 0, managed = 0;
    int32_t device = INVALID_DEVICE;
    CUdeviceptr va = 0;
    void *host = NULL;
    int which[] = {POINTER_MEMORY_TYPE, POINTER_DEVICE_POINTER, POINTER_HOST_POINTER, POINTER_IS_MANAGED,
                   POINTER_DEVICE_ORDINAL};
    void *values[] = {&type, &va, &host, &managed, &device};
    cudaError_t error = runtime_enter();

    if (!error && !attributes)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = cuPointerGetAttributes(sizeof which / sizeof *which, which, values, VA(pointer));
    if (error)
        return report(error);
    memset(attributes, 0, sizeof *attributes);
    if (!type) {
        attributes->device = INVALID_DEVICE;
        attributes->host_pointer = (void *)pointer;
        return 0;
    }
    attributes->type = managed ? TYPE_MANAGED : type == CU_MEMORYTYPE_HOST ? TYPE_HOST : TYPE_DEVICE;
    attributes->device = device;
    attributes->device_pointer = (void *)(uintptr_t)va;
    attributes->host_pointer = host;
    return 0;
}

/* ---- managed memory's hints: all of it lies where both sides reach it, so there is nowhere to move it. Checked, then done. ---- */

static cudaError_t advise(const void *pointer, size_t size, int advice, CUmemLocation location)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemAdvise_v2(VA(pointer), size, advice, location));
}

/* Device numbers below 0 mean the CPU. */
static CUmemLocation location_of(int device)
{
    CUmemLocation location = {CU_MEM_LOCATION_DEVICE, device};

    if (device < 0)
        location = (CUmemLocation){CU_MEM_LOCATION_HOST, 0};
    return location;
}

cudaError_t impl_cudaMemAdvise(const void *pointer, size_t size, cudaMemoryAdvise advice, cudaMemLocation location)
{
    return advise(pointer, size, advice, (CUmemLocation){location.type, location.id});
}

cudaError_t impl_cudaMemAdvise_v12(const void *pointer, size_t size, cudaMemoryAdvise advice, int32_t device)
{
    return advise(pointer, size, advice, location_of(device));
}

cudaError_t impl_cudaMemPrefetchAsync(const void *pointer, size_t size, cudaMemLocation location, uint32_t flags,
                                      cudaStream_t stream)
{
    cudaError_t error = runtime_enter();
    CUmemLocation where = {location.type, location.id};

    return report(error ? error : cuMemPrefetchAsync_v2(VA(pointer), size, where, flags, stream));
}

cudaError_t impl_cudaMemPrefetchAsync_v12(const void *pointer, size_t size, int32_t device, cudaStream_t stream)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemPrefetchAsync_v2(VA(pointer), size, location_of(device), 0, stream));
}
