/* SPDX-License-Identifier: Apache-2.0 */
/* Stream-ordered allocation. Memory is there at once, and freed in ring order, which is every stream's order. */
#include <stdlib.h>

#include "cuda/defer.h"
#include "cuda/graph_memory.h"

enum { FIRST_SETTABLE = 1, RELEASE_THRESHOLD = 4, RESERVED_CURRENT, RESERVED_HIGH, USED_CURRENT, USED_HIGH };

struct CUmemPoolHandle_st {
    uint32_t id; /* in the flags of its allocations */
    bool created;
    int reuse[4];
    uint64_t threshold, used, high;
    struct CUmemPoolHandle_st *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct CUmemPoolHandle_st default_pool = {.id = 1, .reuse = {0, 1, 1, 1}};
static struct CUmemPoolHandle_st *pools = &default_pool, *current = &default_pool;
static uint32_t last_id = 1;

static bool is_pool(CUmemoryPool pool)
{
    return pool == &default_pool || vgpu_handle_is(pool, KIND_POOL);
}

static struct CUmemPoolHandle_st *pool_by_id(uint32_t id)
{
    struct CUmemPoolHandle_st *pool = pools;

    while (pool && pool->id != id)
        pool = pool->next;
    return pool;
}

/* What CONTEXT's end frees counts no more; only the last context's end can tell, for all pools at once. */
void vgpu_pools_forget(struct CUctx_st *context)
{
    if (vgpu_driver.contexts > 1)
        return;
    pthread_mutex_lock(&lock);
    for (struct CUmemPoolHandle_st *pool = pools; pool; pool = pool->next)
        pool->used = 0;
    pthread_mutex_unlock(&lock);
}

static int device_pool(CUmemoryPool *result, CUdevice device, struct CUmemPoolHandle_st *pool)
{
    int status = vgpu_enter_device(device);

    if (!status && !result)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *result = pool;
    return status;
}

CUresult impl_cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device)
{
    return device_pool(pool, device, &default_pool);
}

CUresult impl_cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice device)
{
    return device_pool(pool, device, current);
}

CUresult impl_cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool)
{
    int status = vgpu_enter_device(device);

    if (!status && !is_pool(pool))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        current = pool;
    return status;
}

/* By place and kind (13.0): the device's, of pinned memory, is the one that there is. */
static int check_place(const CUmemLocation *location, CUmemAllocationType type)
{
    int status = vgpu_enter_init();

    if (!status && (!location || type < CU_MEM_ALLOCATION_PINNED))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && (location->type != CU_MEM_LOCATION_DEVICE || type != CU_MEM_ALLOCATION_PINNED))
        status = CUDA_ERROR_NOT_SUPPORTED;
    return status;
}

CUresult impl_cuMemGetDefaultMemPool(CUmemoryPool *pool, CUmemLocation *location, CUmemAllocationType type)
{
    int status = check_place(location, type);

    return status ? status : impl_cuDeviceGetDefaultMemPool(pool, location->id);
}

CUresult impl_cuMemGetMemPool(CUmemoryPool *pool, CUmemLocation *location, CUmemAllocationType type)
{
    int status = check_place(location, type);

    return status ? status : impl_cuDeviceGetMemPool(pool, location->id);
}

CUresult impl_cuMemSetMemPool(CUmemLocation *location, CUmemAllocationType type, CUmemoryPool pool)
{
    int status = check_place(location, type);

    return status ? status : impl_cuDeviceSetMemPool(location->id, pool);
}

CUresult impl_cuMemPoolCreate(CUmemoryPool *result, const CUmemPoolProps *props)
{
    int status = vgpu_enter_init();

    if (!status && (!result || !props || props->type != CU_MEM_ALLOCATION_PINNED))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && (props->location.type != CU_MEM_LOCATION_DEVICE || props->handle_types || props->max_size))
        status = CUDA_ERROR_NOT_SUPPORTED;
    if (!status && props->location.id)
        status = CUDA_ERROR_INVALID_DEVICE;
    if (status)
        return status;
    struct CUmemPoolHandle_st *pool = calloc(1, sizeof *pool);
    if (!pool)
        return CUDA_ERROR_OUT_OF_MEMORY;
    status = vgpu_handle_add(pool, KIND_POOL, NULL);
    if (status) {
        free(pool);
        return status;
    }
    pool->created = true;
    pool->reuse[1] = pool->reuse[2] = pool->reuse[3] = 1;
    pthread_mutex_lock(&lock);
    pool->id = ++last_id;
    pool->next = pools;
    pools = pool;
    pthread_mutex_unlock(&lock);
    *result = pool;
    return 0;
}

/* Its allocations live on. */
CUresult impl_cuMemPoolDestroy(CUmemoryPool pool)
{
    int status = vgpu_enter_init();

    if (!status && !vgpu_handle_is(pool, KIND_POOL))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    vgpu_handle_remove(pool);
    pthread_mutex_lock(&lock);
    struct CUmemPoolHandle_st **at = &pools;
    while (*at != pool)
        at = &(*at)->next;
    *at = pool->next;
    if (current == pool)
        current = &default_pool;
    pthread_mutex_unlock(&lock);
    free(pool);
    return 0;
}

static int check_attribute(CUmemoryPool pool, CUmemPool_attribute attribute, const void *value)
{
    int status = vgpu_enter_init();

    if (!status && (!is_pool(pool) || !value || attribute < FIRST_SETTABLE || attribute > USED_HIGH))
        status = CUDA_ERROR_INVALID_VALUE;
    return status;
}

CUresult impl_cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void *value)
{
    int status = check_attribute(pool, attribute, value);

    if (status)
        return status;
    pthread_mutex_lock(&lock);
    if (attribute < RELEASE_THRESHOLD)
        *(int *)value = pool->reuse[attribute];
    else if (attribute == RELEASE_THRESHOLD)
        *(uint64_t *)value = pool->threshold;
    else /* nothing is kept that is not used */
        *(uint64_t *)value = attribute == RESERVED_CURRENT || attribute == USED_CURRENT ? pool->used : pool->high;
    pthread_mutex_unlock(&lock);
    return 0;
}

CUresult impl_cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void *value)
{
    int status = check_attribute(pool, attribute, value);

    if (!status && (attribute == RESERVED_CURRENT || attribute == USED_CURRENT ||
                    (attribute > RESERVED_CURRENT && *(uint64_t *)value)))
        status = CUDA_ERROR_INVALID_VALUE; /* high marks can only be reset to 0 */
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    if (attribute < RELEASE_THRESHOLD)
        pool->reuse[attribute] = *(int *)value;
    else if (attribute == RELEASE_THRESHOLD)
        pool->threshold = *(uint64_t *)value;
    else
        pool->high = pool->used;
    pthread_mutex_unlock(&lock);
    return 0;
}

CUresult impl_cuMemPoolTrimTo(CUmemoryPool pool, size_t keep)
{
    int status = vgpu_enter_init();

    return status ? status : is_pool(pool) ? 0 : CUDA_ERROR_INVALID_VALUE;
}

CUresult impl_cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc *descriptions, size_t count)
{
    int status = vgpu_enter_init();

    if (!status && (!is_pool(pool) || (count && !descriptions)))
        status = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; !status && i < count; i++)
        if (descriptions[i].location.type != CU_MEM_LOCATION_DEVICE || descriptions[i].location.id ||
            descriptions[i].flags != VGPU_ACCESS_READWRITE)
            status = CUDA_ERROR_INVALID_DEVICE; /* its own device always has access, and there is no other */
    return status;
}

CUresult impl_cuMemPoolGetAccess(CUmemAccess_flags *flags, CUmemoryPool pool, CUmemLocation *location)
{
    int status = vgpu_enter_init();

    if (!status && (!flags || !location || !is_pool(pool)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *flags = location->type == CU_MEM_LOCATION_DEVICE && !location->id ? VGPU_ACCESS_READWRITE : VGPU_ACCESS_NONE;
    return status;
}

static int enter(CUstream handle, struct CUctx_st **context, struct CUstream_st **stream)
{
    int status = vgpu_enter(context);

    if (!status)
        status = vgpu_stream(handle, *context, stream);
    return status ? status : vgpu_capture_implicit(*stream);
}

CUresult impl_cuMemAllocFromPoolAsync(CUdeviceptr *va, size_t bytes, CUmemoryPool pool, CUstream handle)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = enter(handle, &context, &stream);

    if (!status && (!va || !bytes || !is_pool(pool)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && vgpu_capturing(stream))
        return vgpu_capture_alloc(stream, bytes, va);
    if (!status)
        status = vgpu_memory_alloc(&vgpu_driver.memory, bytes, VGPU_RANGE_DEVICE, pool->id, context, va);
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    pool->used += bytes;
    if (pool->high < pool->used)
        pool->high = pool->used;
    pthread_mutex_unlock(&lock);
    return 0;
}

CUresult impl_cuMemAllocAsync(CUdeviceptr *va, size_t bytes, CUstream stream)
{
    return impl_cuMemAllocFromPoolAsync(va, bytes, current, stream);
}

CUresult impl_cuMemFreeAsync(CUdeviceptr va, CUstream handle)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    struct vgpu_allocation allocation;
    int status = enter(handle, &context, &stream);

    if (!status && vgpu_capturing(stream))
        return vgpu_capture_free(stream, va);
    if (!status && vgpu_graph_memory_release(va))
        return 0;
    if (!status && (!vgpu_memory_find(&vgpu_driver.memory, va, &allocation) || allocation.va != va ||
                    allocation.kind != VGPU_RANGE_DEVICE))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && vgpu_deferring(stream))
        status = vgpu_defer_free(stream, va);
    else if (!status)
        status = vgpu_memory_free(&vgpu_driver.memory, va, 1u << VGPU_RANGE_DEVICE);
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    struct CUmemPoolHandle_st *pool = allocation.flags ? pool_by_id(allocation.flags) : NULL;
    if (pool)
        pool->used -= allocation.bytes < pool->used ? allocation.bytes : pool->used;
    pthread_mutex_unlock(&lock);
    return 0;
}
