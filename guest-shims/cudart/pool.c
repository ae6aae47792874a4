/* SPDX-License-Identifier: Apache-2.0 */
/* Stream-ordered allocation. */
#include "cudart/runtime.h"

#define VA(pointer) ((CUdeviceptr)(uintptr_t)(pointer))

static cudaError_t allocate(void **pointer, size_t size, cudaMemPool_t pool, cudaStream_t stream)
{
    CUdeviceptr va = 0;
    cudaError_t error = runtime_enter();

    if (!error && !pointer)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error && size)
        error = pool ? cuMemAllocFromPoolAsync(&va, size, pool, stream) : cuMemAllocAsync(&va, size, stream);
    if (!error)
        *pointer = (void *)(uintptr_t)va;
    return report(error);
}

cudaError_t impl_cudaMallocAsync(void **pointer, size_t size, cudaStream_t stream)
{
    return allocate(pointer, size, NULL, stream);
}

cudaError_t impl_cudaMallocFromPoolAsync(void **pointer, size_t size, cudaMemPool_t pool, cudaStream_t stream)
{
    return pool ? allocate(pointer, size, pool, stream) : report(CUDA_ERROR_INVALID_VALUE);
}

cudaError_t impl_cudaFreeAsync(void *pointer, cudaStream_t stream)
{
    cudaError_t error = runtime_enter();

    return report(error || !pointer ? error : cuMemFreeAsync(VA(pointer), stream));
}

cudaError_t impl_cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int32_t device)
{
    cudaError_t error = runtime_device(device);

    return report(error ? error : cuDeviceGetDefaultMemPool(pool, device));
}

cudaError_t impl_cudaDeviceGetMemPool(cudaMemPool_t *pool, int32_t device)
{
    cudaError_t error = runtime_device(device);

    return report(error ? error : cuDeviceGetMemPool(pool, device));
}

cudaError_t impl_cudaDeviceSetMemPool(int32_t device, cudaMemPool_t pool)
{
    cudaError_t error = runtime_device(device);

    return report(error ? error : cuDeviceSetMemPool(device, pool));
}

cudaError_t impl_cudaMemPoolCreate(cudaMemPool_t *pool, const cudaMemPoolProps *props)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemPoolCreate(pool, (const CUmemPoolProps *)props)); /* laid out alike */
}

cudaError_t impl_cudaMemPoolDestroy(cudaMemPool_t pool)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemPoolDestroy(pool));
}

cudaError_t impl_cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemPoolTrimTo(pool, keep));
}

cudaError_t impl_cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attr, void *value)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemPoolSetAttribute(pool, attr, value));
}

cudaError_t impl_cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attr, void *value)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemPoolGetAttribute(pool, attr, value));
}

cudaError_t impl_cudaMemPoolSetAccess(cudaMemPool_t pool, const cudaMemAccessDesc *list, size_t count)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuMemPoolSetAccess(pool, (const CUmemAccessDesc *)list, count));
}

cudaError_t impl_cudaMemPoolGetAccess(cudaMemAccessFlags *flags, cudaMemPool_t pool, cudaMemLocation *location)
{
    cudaError_t error = runtime_enter();

    if (!error && !location)
        error = CUDA_ERROR_INVALID_VALUE;
    return report(error ? error : cuMemPoolGetAccess(flags, pool, &(CUmemLocation){location->type, location->id}));
}
