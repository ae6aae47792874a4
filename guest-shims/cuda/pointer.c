/* SPDX-License-Identifier: Apache-2.0 */
/* cuPointerGetAttribute: what an address is. */
#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"

enum {
    POINTER_CONTEXT = 1,
    POINTER_MEMORY_TYPE,
    POINTER_DEVICE_POINTER,
    POINTER_HOST_POINTER,
    POINTER_P2P_TOKENS,
    POINTER_SYNC_MEMOPS,
    POINTER_BUFFER_ID,
    POINTER_IS_MANAGED,
    POINTER_DEVICE_ORDINAL,
    POINTER_IS_LEGACY_IPC,
    POINTER_RANGE_START,
    POINTER_RANGE_SIZE,
    POINTER_MAPPED,
    POINTER_HANDLE_TYPES,
    POINTER_IS_RDMA,
    POINTER_ACCESS_FLAGS,
    POINTER_POOL,
    POINTER_MAPPING_SIZE,
    POINTER_MAPPING_BASE,
    POINTER_BLOCK_ID,
    POINTER_IS_HW_DECOMPRESS,
    POINTER_ATTRIBUTES,
};

/* Bytes that each attribute's value takes. */
static const unsigned char value_size[POINTER_ATTRIBUTES] = {
    [POINTER_CONTEXT] = 8,      [POINTER_MEMORY_TYPE] = 4,  [POINTER_DEVICE_POINTER] = 8, [POINTER_HOST_POINTER] = 8,
    [POINTER_SYNC_MEMOPS] = 4,  [POINTER_BUFFER_ID] = 8,    [POINTER_IS_MANAGED] = 4,     [POINTER_DEVICE_ORDINAL] = 4,
    [POINTER_IS_LEGACY_IPC] = 4, [POINTER_RANGE_START] = 8, [POINTER_RANGE_SIZE] = 8,     [POINTER_MAPPED] = 4,
    [POINTER_HANDLE_TYPES] = 8, [POINTER_IS_RDMA] = 4,      [POINTER_ACCESS_FLAGS] = 4,   [POINTER_POOL] = 8,
    [POINTER_MAPPING_SIZE] = 8, [POINTER_MAPPING_BASE] = 8, [POINTER_BLOCK_ID] = 8,       [POINTER_IS_HW_DECOMPRESS] = 4,
};

struct found {
    uint64_t address, va;
    struct vgpu_allocation allocation;
};

static bool find(uint64_t address, struct found *found)
{
    found->address = found->va = address;
    if (address >= VGPU_IMAGE_BASE && address < VGPU_FUNCTION_BASE) { /* a module's variable */
        found->allocation = (struct vgpu_allocation){
            .va = address, .bytes = 1, .kind = VGPU_RANGE_DEVICE, .owner = vgpu_current(), .accessible = true};
        return true;
    }
    if (address < VGPU_WINDOW_BASE || address >= VGPU_WINDOW_END)
        vgpu_memory_of_host(&vgpu_driver.memory, (void *)(uintptr_t)address, &found->va);
    return vgpu_memory_find(&vgpu_driver.memory, found->va, &found->allocation);
}

/* ---- memory whose copies are all waited for: its allocations' numbers ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t *synchronous;
static size_t synchronous_count; /* atomic: mostly 0 */

static bool is_synchronous(uint64_t id)
{
    bool found = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < synchronous_count; i++)
        found = found || synchronous[i] == id;
    pthread_mutex_unlock(&lock);
    return found;
}

bool vgpu_pointer_synchronous(uint64_t dst, uint64_t src)
{
    struct vgpu_allocation allocation;

    if (!__atomic_load_n(&synchronous_count, __ATOMIC_RELAXED))
        return false;
    return (vgpu_memory_find(&vgpu_driver.memory, dst, &allocation) && is_synchronous(allocation.id)) ||
           (vgpu_memory_find(&vgpu_driver.memory, src, &allocation) && is_synchronous(allocation.id));
}

static int set_synchronous(uint64_t id, bool on)
{
    int status = 0;
    size_t out = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < synchronous_count; i++)
        if (synchronous[i] != id)
            synchronous[out++] = synchronous[i];
    uint64_t *grown = on ? realloc(synchronous, (out + 1) * sizeof *grown) : NULL;
    if (grown) {
        synchronous = grown;
        grown[out++] = id;
    } else if (on) {
        status = CUDA_ERROR_OUT_OF_MEMORY;
    }
    __atomic_store_n(&synchronous_count, out, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&lock);
    return status;
}

/* ---- attributes ---- */

static bool on_host(const struct vgpu_allocation *allocation)
{
    return allocation->kind == VGPU_RANGE_HOST || allocation->kind == VGPU_RANGE_REGISTERED;
}

static int value_of(const struct found *found, int attribute, uint64_t *value)
{
    const struct vgpu_allocation *a = &found->allocation;

    switch (attribute) {
    case POINTER_CONTEXT:
        *value = (uintptr_t)a->owner;
        return 0;
    case POINTER_MEMORY_TYPE:
        *value = on_host(a) ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        return 0;
    case POINTER_DEVICE_POINTER:
        *value = found->va;
        return 0;
    case POINTER_HOST_POINTER:
        if (!a->host)
            return CUDA_ERROR_INVALID_VALUE;
        *value = (uintptr_t)a->host + (found->va - a->va);
        return 0;
    case POINTER_BUFFER_ID:
    case POINTER_BLOCK_ID:
        *value = a->id;
        return 0;
    case POINTER_IS_MANAGED:
        *value = a->kind == VGPU_RANGE_MANAGED;
        return 0;
    case POINTER_RANGE_START:
    case POINTER_MAPPING_BASE:
        *value = a->va;
        return 0;
    case POINTER_RANGE_SIZE:
    case POINTER_MAPPING_SIZE:
        *value = a->bytes;
        return 0;
    case POINTER_MAPPED:
        *value = a->accessible;
        return 0;
    case POINTER_ACCESS_FLAGS:
        *value = !a->accessible ? 0 : a->readonly ? 1 : 3;
        return 0;
    case POINTER_SYNC_MEMOPS:
        *value = is_synchronous(a->id);
        return 0;
    case POINTER_DEVICE_ORDINAL:
    case POINTER_IS_LEGACY_IPC:
    case POINTER_HANDLE_TYPES:
    case POINTER_IS_RDMA:
    case POINTER_POOL:
    case POINTER_IS_HW_DECOMPRESS:
        *value = 0;
        return 0;
    default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
}

CUresult impl_cuPointerSetAttribute(const void *value, CUpointer_attribute attribute, CUdeviceptr pointer)
{
    struct CUctx_st *context;
    struct found found;
    unsigned on;
    int status = vgpu_enter(&context);

    if (!status && (!value || attribute != POINTER_SYNC_MEMOPS || !find(pointer, &found)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    memcpy(&on, value, sizeof on);
    return set_synchronous(found.allocation.id, on);
}

static bool is_attribute(int attribute)
{
    return attribute >= POINTER_CONTEXT && attribute < POINTER_ATTRIBUTES;
}

CUresult impl_cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr pointer)
{
    struct CUctx_st *context;
    struct found found;
    uint64_t value;
    int status = vgpu_enter(&context);

    if (!status && (!data || !is_attribute(attribute) || !find(pointer, &found)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = value_of(&found, attribute, &value);
    if (!status)
        memcpy(data, &value, value_size[attribute]);
    return status;
}

/* An unknown pointer is no error here: each value is 0, and the device -2 (no device). */
CUresult impl_cuPointerGetAttributes(uint32_t count, CUpointer_attribute *attributes, void **data, CUdeviceptr pointer)
{
    struct CUctx_st *context;
    struct found found;
    int status = vgpu_enter(&context);

    if (!status && (!attributes || !data || !count))
        status = CUDA_ERROR_INVALID_VALUE;
    for (uint32_t i = 0; !status && i < count; i++)
        if (!is_attribute(attributes[i]) || !value_size[attributes[i]] || !data[i])
            status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    bool known = find(pointer, &found);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = 0;
        if (!known && attributes[i] == POINTER_DEVICE_ORDINAL)
            value = (uint64_t)-2;
        else if (known && value_of(&found, attributes[i], &value))
            value = 0;
        memcpy(data[i], &value, value_size[attributes[i]]);
    }
    return 0;
}
