/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual memory management: reservations, physical memory with handles, mappings, access. */
#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"

struct handle {
    struct vgpu_phys *phys;
    struct CUmemAllocationProp prop;
    unsigned refs;
    struct handle *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the handles' counts and list */
static struct handle *handles;

static int enter(void)
{
    struct CUctx_st *context;

    return vgpu_enter(&context);
}

static bool is_device(const CUmemLocation *location)
{
    return location->type == CU_MEM_LOCATION_DEVICE && !location->id;
}

static int check_prop(const struct CUmemAllocationProp *prop)
{
    if (!prop || prop->type != CU_MEM_ALLOCATION_PINNED)
        return CUDA_ERROR_INVALID_VALUE;
    if (prop->location.type == CU_MEM_LOCATION_DEVICE)
        return prop->location.id ? CUDA_ERROR_INVALID_DEVICE : prop->handle_types ? CUDA_ERROR_NOT_SUPPORTED : 0;
    return CUDA_ERROR_NOT_SUPPORTED;
}

CUresult impl_cuMemGetAllocationGranularity(size_t *granularity, const CUmemAllocationProp *prop,
                                            CUmemAllocationGranularity_flags option)
{
    int status = vgpu_enter_init();

    if (!status && (!granularity || option < 0 || option > 1))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = check_prop(prop);
    if (!status)
        *granularity = VGPU_GRANULE;
    return status;
}

CUresult impl_cuMemAddressReserve(CUdeviceptr *va, size_t size, size_t alignment, CUdeviceptr wanted, uint64_t flags)
{
    int status = enter();

    if (!status && (!va || flags))
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : vgpu_memory_reserve(&vgpu_driver.memory, size, alignment, wanted, va);
}

CUresult impl_cuMemAddressFree(CUdeviceptr va, size_t size)
{
    int status = enter();

    return status ? status : vgpu_memory_unreserve(&vgpu_driver.memory, va, size);
}

/* A handle that takes the caller's reference to PHYS over. With the lock. */
static int add_handle(struct vgpu_phys *phys, const struct CUmemAllocationProp *prop, CUmemGenericAllocationHandle *result)
{
    struct handle *handle = calloc(1, sizeof *handle);
    int status = handle ? vgpu_handle_add(handle, KIND_PHYS, NULL) : CUDA_ERROR_OUT_OF_MEMORY;

    if (status) {
        vgpu_phys_drop(&vgpu_driver.memory, phys);
        free(handle);
        return status;
    }
    *handle = (struct handle){phys, *prop, 1, handles};
    handles = handle;
    *result = (uintptr_t)handle;
    return 0;
}

CUresult impl_cuMemCreate(CUmemGenericAllocationHandle *result, size_t size, const CUmemAllocationProp *prop, uint64_t flags)
{
    int status = enter();

    if (!status)
        status = check_prop(prop);
    if (!status && (!result || !size || size % VGPU_GRANULE || flags))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct vgpu_phys *phys;
    status = vgpu_phys_create(&vgpu_driver.memory, size, &phys);
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    status = add_handle(phys, prop, result);
    pthread_mutex_unlock(&lock);
    return status;
}

static int check(CUmemGenericAllocationHandle value, struct handle **handle)
{
    int status = enter();

    *handle = (struct handle *)(uintptr_t)value;
    return status ? status : vgpu_handle_is(*handle, KIND_PHYS) ? 0 : CUDA_ERROR_INVALID_VALUE;
}

/* Mappings keep the memory. */
CUresult impl_cuMemRelease(CUmemGenericAllocationHandle value)
{
    struct handle *handle;
    int status = check(value, &handle);

    if (status)
        return status;
    pthread_mutex_lock(&lock);
    bool last = !--handle->refs;
    if (last) {
        struct handle **at = &handles;
        while (*at != handle)
            at = &(*at)->next;
        *at = handle->next;
        vgpu_handle_remove(handle);
    }
    pthread_mutex_unlock(&lock);
    if (last) {
        vgpu_phys_drop(&vgpu_driver.memory, handle->phys);
        free(handle);
    }
    return 0;
}

CUresult impl_cuMemMap(CUdeviceptr va, size_t size, size_t offset, CUmemGenericAllocationHandle value, uint64_t flags)
{
    struct handle *handle;
    int status = check(value, &handle);

    if (!status && (offset || flags)) /* CUDA itself takes only 0 */
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : vgpu_memory_map(&vgpu_driver.memory, va, size, handle->phys, vgpu_current());
}

/* The handle of what is mapped there, once more; memory whose handle was released meanwhile gets another. */
CUresult impl_cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *result, void *address)
{
    static const struct CUmemAllocationProp plain = {.type = CU_MEM_ALLOCATION_PINNED, .location = {CU_MEM_LOCATION_DEVICE, 0}};
    struct vgpu_phys *phys = NULL;
    int status = enter();

    if (!status && (!result || !(phys = vgpu_memory_phys_at(&vgpu_driver.memory, (uintptr_t)address))))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    struct handle *handle = handles;
    while (handle && handle->phys != phys)
        handle = handle->next;
    if (handle) {
        handle->refs++;
        *result = (uintptr_t)handle;
    } else {
        status = add_handle(phys, &plain, result);
        phys = NULL;
    }
    pthread_mutex_unlock(&lock);
    if (phys)
        vgpu_phys_drop(&vgpu_driver.memory, phys);
    return status;
}

CUresult impl_cuMemUnmap(CUdeviceptr va, size_t size)
{
    int status = enter();

    return status ? status : vgpu_memory_unmap(&vgpu_driver.memory, va, size);
}

CUresult impl_cuMemSetAccess(CUdeviceptr va, size_t size, const CUmemAccessDesc *descriptions, size_t count)
{
    int status = enter();

    if (!status && (!descriptions || !count))
        status = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; !status && i < count; i++) {
        int flags = descriptions[i].flags;
        if (!is_device(&descriptions[i].location))
            status = CUDA_ERROR_INVALID_DEVICE;
        else if (flags != VGPU_ACCESS_NONE && flags != VGPU_ACCESS_READ && flags != VGPU_ACCESS_READWRITE)
            status = CUDA_ERROR_INVALID_VALUE;
        else
            status = vgpu_memory_access(&vgpu_driver.memory, va, size, (enum vgpu_access)flags);
    }
    return status;
}

CUresult impl_cuMemGetAccess(uint64_t *flags, const CUmemLocation *location, CUdeviceptr va)
{
    struct vgpu_allocation allocation;
    int status = enter();

    if (!status && (!flags || !location || !is_device(location) ||
                    !vgpu_memory_find(&vgpu_driver.memory, va, &allocation)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *flags = !allocation.accessible ? VGPU_ACCESS_NONE : allocation.readonly ? VGPU_ACCESS_READ : VGPU_ACCESS_READWRITE;
    return status;
}

CUresult impl_cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp *prop, CUmemGenericAllocationHandle value)
{
    struct handle *handle;
    int status = check(value, &handle);

    if (!status && !prop)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *prop = handle->prop;
    return status;
}
