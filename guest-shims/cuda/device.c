/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about the device: all are answered from its profile. */
#include <stdio.h>
#include <string.h>

#include "cuda/driver.h"

CUresult impl_cuDeviceGetCount(int32_t *count)
{
    int status = vgpu_enter_init();

    if (!status && !count)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *count = 1;
    return status;
}

CUresult impl_cuDeviceGet(CUdevice *device, int32_t ordinal)
{
    int status = vgpu_enter_init();

    if (!status && !device)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && ordinal)
        status = CUDA_ERROR_INVALID_DEVICE;
    if (!status)
        *device = ordinal;
    return status;
}

CUresult impl_cuDeviceGetName(char *name, int32_t length, CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (!status && (!name || length <= 0))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        snprintf(name, (size_t)length, "%s", vgpu_profile()->name);
    return status;
}

CUresult impl_cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (!status && !uuid)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        memcpy(uuid->bytes, vgpu_profile()->uuid, sizeof uuid->bytes);
    return status;
}

CUresult impl_cuDeviceGetUuid(CUuuid *uuid, CUdevice device)
{
    return impl_cuDeviceGetUuid_v2(uuid, device);
}

CUresult impl_cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (!status && !bytes)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *bytes = vgpu_profile()->memory;
    return status;
}

CUresult impl_cuDeviceGetAttribute(int32_t *value, CUdevice_attribute attribute, CUdevice device)
{
    int status = vgpu_enter_device(device);
    const struct vgpu_profile *profile = vgpu_profile();

    if (!status && (!value || attribute < 0 || attribute >= VGPU_ATTRIBUTES ||
                    !(profile->attribute_known[attribute / 64] >> attribute % 64 & 1)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *value = profile->attributes[attribute];
    return status;
}

CUresult impl_cuDeviceComputeCapability(int32_t *major, int32_t *minor, CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (!status && (!major || !minor))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status) {
        *major = (int32_t)vgpu_profile()->cc_major;
        *minor = (int32_t)vgpu_profile()->cc_minor;
    }
    return status;
}

CUresult impl_cuDeviceGetProperties(CUdevprop *properties, CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (!status && !properties)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    *properties = (struct CUdevprop){
        .max_threads_per_block = vgpu_attribute(ATTR_MAX_THREADS_PER_BLOCK),
        .shared_mem_per_block = vgpu_attribute(ATTR_MAX_SHARED_MEMORY_PER_BLOCK),
        .total_constant_memory = vgpu_attribute(ATTR_TOTAL_CONSTANT_MEMORY),
        .simd_width = vgpu_attribute(ATTR_WARP_SIZE),
        .mem_pitch = vgpu_attribute(ATTR_MAX_PITCH),
        .regs_per_block = vgpu_attribute(ATTR_MAX_REGISTERS_PER_BLOCK),
        .clock_rate = vgpu_attribute(ATTR_CLOCK_RATE),
        .texture_align = vgpu_attribute(ATTR_TEXTURE_ALIGNMENT),
    };
    for (int i = 0; i < 3; i++) {
        properties->max_threads_dim[i] = vgpu_attribute(ATTR_MAX_BLOCK_DIM_X + i);
        properties->max_grid_size[i] = vgpu_attribute(ATTR_MAX_GRID_DIM_X + i);
    }
    return 0;
}

CUresult impl_cuDeviceGetPCIBusId(char *text, int32_t length, CUdevice device)
{
    const struct vgpu_profile *profile = vgpu_profile();
    int status = vgpu_enter_device(device);

    if (!status && (!text || length <= 0))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && snprintf(text, (size_t)length, "%04x:%02x:%02x.%x", profile->pci_domain, profile->pci_bus,
                            profile->pci_device, profile->pci_function) >= length)
        status = CUDA_ERROR_INVALID_VALUE;
    return status;
}

/* [domain:]bus:device[.function], in hexadecimal. */
CUresult impl_cuDeviceGetByPCIBusId(CUdevice *device, const char *text)
{
    const struct vgpu_profile *profile = vgpu_profile();
    unsigned domain = 0, bus, slot, function = 0;
    int status = vgpu_enter_init();

    if (!status && (!device || !text))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    if (sscanf(text, "%x:%x:%x.%x", &domain, &bus, &slot, &function) < 3) {
        domain = 0;
        if (sscanf(text, "%x:%x.%x", &bus, &slot, &function) < 2)
            return CUDA_ERROR_INVALID_VALUE;
    }
    if (domain != profile->pci_domain || bus != profile->pci_bus || slot != profile->pci_device ||
        function != profile->pci_function)
        return CUDA_ERROR_INVALID_DEVICE;
    *device = 0;
    return 0;
}

CUresult impl_cuDeviceCanAccessPeer(int32_t *can, CUdevice device, CUdevice peer)
{
    int status = vgpu_enter_device(device);

    if (!status)
        status = vgpu_enter_device(peer);
    if (!status && !can)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *can = 0; /* there is one device, and it is no peer of itself */
    return status;
}

CUresult impl_cuDeviceGetP2PAttribute(int32_t *value, CUdevice_P2PAttribute attribute, CUdevice source, CUdevice target)
{
    int status = vgpu_enter_device(source);

    if (!status)
        status = vgpu_enter_device(target);
    return status ? status : CUDA_ERROR_INVALID_DEVICE; /* the two must differ */
}

/* ---- what has one answer for a single emulated device ---- */

enum { ATOMIC_OPERATIONS = 13, ATTR_HOST_NATIVE_ATOMIC = 86, ATTR_FLUSH_WRITES_OPTIONS = 117, EXEC_AFFINITY_TYPES = 1 };
enum { FLUSH_BY_HOST = 1, FLUSH_TARGET_CURRENT_CONTEXT = 0, FLUSH_TO_OWNER = 100, FLUSH_TO_ALL_DEVICES = 200 };
enum { ATOMIC_SIGNED = 1, ATOMIC_UNSIGNED = 2, ATOMIC_REDUCTION = 4, ATOMIC_32 = 8, ATOMIC_64 = 16 };

/* Host memory that the device reaches is device memory here, so that atomics on it are whole whatever the bus: but programs
 * are told what the profile's bus can do. */
CUresult impl_cuDeviceGetHostAtomicCapabilities(uint32_t *capabilities, const CUatomicOperation *operations, uint32_t count,
                                                CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (!status && (!capabilities || !operations || !count))
        status = CUDA_ERROR_INVALID_VALUE;
    for (uint32_t i = 0; !status && i < count; i++)
        if (operations[i] < 0 || operations[i] >= ATOMIC_OPERATIONS)
            status = CUDA_ERROR_INVALID_VALUE;
    for (uint32_t i = 0; !status && i < count; i++)
        capabilities[i] = vgpu_attribute(ATTR_HOST_NATIVE_ATOMIC)
                              ? ATOMIC_SIGNED | ATOMIC_UNSIGNED | ATOMIC_REDUCTION | ATOMIC_32 | ATOMIC_64
                              : 0;
    return status;
}

/* Between two devices, and there is one. */
CUresult impl_cuDeviceGetP2PAtomicCapabilities(uint32_t *capabilities, const CUatomicOperation *operations, uint32_t count,
                                               CUdevice source, CUdevice target)
{
    int status = vgpu_enter_init();

    if (!status && (!capabilities || !operations || !count))
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : CUDA_ERROR_INVALID_DEVICE;
}

CUresult impl_cuDeviceGetExecAffinitySupport(int32_t *supported, CUexecAffinityType type, CUdevice device)
{
    int status = vgpu_enter_device(device);

    if (!status && (!supported || type < 0 || type >= EXEC_AFFINITY_TYPES))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *supported = 0;
    return status;
}

/* Writes of other devices would land in memory that is coherent. */
CUresult impl_cuFlushGPUDirectRDMAWrites(CUflushGPUDirectRDMAWritesTarget target, CUflushGPUDirectRDMAWritesScope scope)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (target != FLUSH_TARGET_CURRENT_CONTEXT || (scope != FLUSH_TO_OWNER && scope != FLUSH_TO_ALL_DEVICES)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && !(vgpu_attribute(ATTR_FLUSH_WRITES_OPTIONS) & FLUSH_BY_HOST))
        status = CUDA_ERROR_NOT_SUPPORTED;
    return status;
}
