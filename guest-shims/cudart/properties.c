/* SPDX-License-Identifier: Apache-2.0 */
/* cudaGetDeviceProperties: all fields from the driver's device attributes, so that no two libraries can disagree. */
#include <string.h>

#include "cudart/runtime.h"

/* Which CUdevice_attribute a field is. What a profile does not know stays 0. */
#define FIELD(field, attribute) \
    {offsetof(struct cudaDeviceProp, field), sizeof(((struct cudaDeviceProp *)0)->field), attribute}

static const struct field {
    uint16_t offset, size, attribute;
} fields[] = {
    FIELD(shared_per_block, 8),
    FIELD(registers_per_block, 12),
    FIELD(warp_size, 10),
    FIELD(pitch, 11),
    FIELD(max_threads_per_block, 1),
    FIELD(max_threads_dim[0], 2),
    FIELD(max_threads_dim[1], 3),
    FIELD(max_threads_dim[2], 4),
    FIELD(max_grid_size[0], 5),
    FIELD(max_grid_size[1], 6),
    FIELD(max_grid_size[2], 7),
    FIELD(total_const, 9),
    FIELD(major, 75),
    FIELD(minor, 76),
    FIELD(texture_alignment, 14),
    FIELD(texture_pitch_alignment, 51),
    FIELD(multiprocessors, 16),
    FIELD(integrated, 18),
    FIELD(can_map_host, 19),
    FIELD(texture_1d, 21),
    FIELD(texture_1d_mipmap, 77),
    FIELD(texture_2d[0], 22),
    FIELD(texture_2d[1], 23),
    FIELD(texture_2d_mipmap[0], 73),
    FIELD(texture_2d_mipmap[1], 74),
    FIELD(texture_2d_linear[0], 70),
    FIELD(texture_2d_linear[1], 71),
    FIELD(texture_2d_linear[2], 72),
    FIELD(texture_2d_gather[0], 45),
    FIELD(texture_2d_gather[1], 46),
    FIELD(texture_3d[0], 24),
    FIELD(texture_3d[1], 25),
    FIELD(texture_3d[2], 26),
    FIELD(texture_3d_alt[0], 47),
    FIELD(texture_3d_alt[1], 48),
    FIELD(texture_3d_alt[2], 49),
    FIELD(texture_cubemap, 52),
    FIELD(texture_1d_layered[0], 42),
    FIELD(texture_1d_layered[1], 43),
    FIELD(texture_2d_layered[0], 27),
    FIELD(texture_2d_layered[1], 28),
    FIELD(texture_2d_layered[2], 29),
    FIELD(texture_cubemap_layered[0], 53),
    FIELD(texture_cubemap_layered[1], 54),
    FIELD(surface_1d, 55),
    FIELD(surface_2d[0], 56),
    FIELD(surface_2d[1], 57),
    FIELD(surface_3d[0], 58),
    FIELD(surface_3d[1], 59),
    FIELD(surface_3d[2], 60),
    FIELD(surface_1d_layered[0], 61),
    FIELD(surface_1d_layered[1], 62),
    FIELD(surface_2d_layered[0], 63),
    FIELD(surface_2d_layered[1], 64),
    FIELD(surface_2d_layered[2], 65),
    FIELD(surface_cubemap, 66),
    FIELD(surface_cubemap_layered[0], 67),
    FIELD(surface_cubemap_layered[1], 68),
    FIELD(surface_alignment, 30),
    FIELD(concurrent_kernels, 31),
    FIELD(ecc, 32),
    FIELD(pci_bus, 33),
    FIELD(pci_device, 34),
    FIELD(pci_domain, 50),
    FIELD(tcc, 35),
    FIELD(async_engines, 40),
    FIELD(unified_addressing, 41),
    FIELD(memory_bus_width, 37),
    FIELD(l2_size, 38),
    FIELD(persisting_l2_max, 108),
    FIELD(max_threads_per_multiprocessor, 39),
    FIELD(stream_priorities, 78),
    FIELD(global_l1, 79),
    FIELD(local_l1, 80),
    FIELD(shared_per_multiprocessor, 81),
    FIELD(registers_per_multiprocessor, 82),
    FIELD(managed_memory, 83),
    FIELD(multi_gpu_board, 84),
    FIELD(multi_gpu_group, 85),
    FIELD(host_native_atomics, 86),
    FIELD(pageable_access, 88),
    FIELD(concurrent_managed, 89),
    FIELD(preemption, 90),
    FIELD(host_pointer_for_registered, 91),
    FIELD(cooperative, 95),
    FIELD(shared_per_block_optin, 97),
    FIELD(pageable_host_tables, 100),
    FIELD(direct_managed_from_host, 101),
    FIELD(max_blocks_per_multiprocessor, 106),
    FIELD(access_policy_window, 109),
    FIELD(reserved_shared_per_block, 111),
    FIELD(host_register, 99),
    FIELD(sparse_arrays, 112),
    FIELD(host_register_readonly, 113),
    FIELD(timeline_semaphores, 114),
    FIELD(memory_pools, 115),
    FIELD(gpudirect, 116),
    FIELD(gpudirect_flush, 117),
    FIELD(gpudirect_order, 118),
    FIELD(pool_handle_types, 119),
    FIELD(cluster_launch, 120),
    FIELD(deferred_arrays, 121),
    FIELD(ipc_events, 125),
    FIELD(unified_functions, 129),
#if VGPU_CUDA_MAJOR == 12
    FIELD(clock_rate, 13),
    FIELD(device_overlap, 15),
    FIELD(kernel_timeout, 17),
    FIELD(compute_mode, 20),
    FIELD(texture_1d_linear, 69),
    FIELD(memory_clock_rate, 36),
    FIELD(single_to_double, 87),
    FIELD(cooperative_multi, 96),
#else
    FIELD(numa_config, 130),
    FIELD(numa_id, 131),
    FIELD(mps, 133),
    FIELD(host_numa_id, 134),
    FIELD(pci_id, 139),
    FIELD(pci_subsystem, 140),
    FIELD(numa_ipc, 143),
#endif
};

static cudaError_t properties(struct cudaDeviceProp *prop, int device)
{
    cudaError_t error = runtime_device(device);

    memset(prop, 0, sizeof *prop);
    if (!error)
        error = cuDeviceGetName(prop->name, sizeof prop->name, device);
    if (!error)
        error = cuDeviceGetUuid_v2((CUuuid *)prop->uuid, device);
    if (!error)
        error = cuDeviceTotalMem_v2(&prop->total_memory, device);
    for (size_t i = 0; i < sizeof fields / sizeof *fields && !error; i++) {
        const struct field *field = &fields[i];
        int32_t value = 0;
        size_t wide;
        if (cuDeviceGetAttribute(&value, field->attribute, device))
            continue;
        wide = (size_t)value;
        memcpy((char *)prop + field->offset, field->size == sizeof wide ? (void *)&wide : (void *)&value, field->size);
    }
    return error;
}

cudaError_t impl_cudaGetDeviceProperties(cudaDeviceProp *prop, int32_t device)
{
    return report(prop ? properties(prop, device) : CUDA_ERROR_INVALID_VALUE);
}

/* Under the plain name, CUDA 12 still has CUDA 11's shorter struct. */
cudaError_t impl_cudaGetDeviceProperties_v12(cudaDeviceProp *prop, int32_t device)
{
    struct cudaDeviceProp whole;
    cudaError_t error = prop ? properties(&whole, device) : CUDA_ERROR_INVALID_VALUE;

    if (!error)
        memcpy(prop, &whole, offsetof(struct cudaDeviceProp, host_register));
    return report(error);
}

/* The device that comes closest: the one of the wanted compute capability or above, else the first. */
cudaError_t impl_cudaChooseDevice(int32_t *device, const cudaDeviceProp *wanted)
{
    struct cudaDeviceProp prop;
    int32_t count = 0;
    cudaError_t error = device && wanted ? runtime_device(0) : CUDA_ERROR_INVALID_VALUE;

    if (!error)
        error = cuDeviceGetCount(&count);
    if (!error)
        *device = 0;
    for (int i = 0; i < count && !error; i++) {
        error = properties(&prop, i);
        if (!error && (prop.major > wanted->major || (prop.major == wanted->major && prop.minor >= wanted->minor))) {
            *device = i;
            break;
        }
    }
    return report(error);
}
