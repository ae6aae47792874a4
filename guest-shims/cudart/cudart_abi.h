/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime API's structs that travel by pointer, as CUDA 12 and 13 lay them out, and the numbers that are used here. */
#ifndef VGPU_CUDART_ABI_H
#define VGPU_CUDART_ABI_H

#include "cuda/cuda_abi.h"
#include "cuda_api.h"
#include "cudart_impl.h"
#include "cudart_types.h"

#ifndef VGPU_CUDA_MAJOR
#error "VGPU_CUDA_MAJOR is 12 or 13"
#endif

/* cudaError_t, where the driver has no such number; every other error has the driver's. */
enum {
    RT_INVALID_CONFIGURATION = 9,
    RT_INVALID_PITCH = 12,
    RT_INVALID_SYMBOL = 13,
    RT_INVALID_CHANNEL_DESCRIPTOR = 20,
    RT_INVALID_MEMCPY_DIRECTION = 21,
    RT_INSUFFICIENT_DRIVER = 35,
    RT_MISSING_CONFIGURATION = 52,
    RT_INVALID_DEVICE_FUNCTION = 98,
};

enum { COPY_HOST_TO_HOST, COPY_HOST_TO_DEVICE, COPY_DEVICE_TO_HOST, COPY_DEVICE_TO_DEVICE, COPY_DEFAULT };

/* cudaDeviceProp: CUDA 13 took eight fields out. */
#if VGPU_CUDA_MAJOR == 12
#define ONLY_12(field) field;
#else
#define ONLY_12(field)
#endif

struct cudaDeviceProp {
    char name[256];
    unsigned char uuid[16];
    char luid[8];
    uint32_t luid_node_mask;
    size_t total_memory, shared_per_block;
    int registers_per_block, warp_size;
    size_t pitch;
    int max_threads_per_block, max_threads_dim[3], max_grid_size[3];
    ONLY_12(int clock_rate)
    size_t total_const;
    int major, minor;
    size_t texture_alignment, texture_pitch_alignment;
    ONLY_12(int device_overlap)
    int multiprocessors;
    ONLY_12(int kernel_timeout)
    int integrated, can_map_host;
    ONLY_12(int compute_mode)
    int texture_1d, texture_1d_mipmap;
    ONLY_12(int texture_1d_linear)
    int texture_2d[2], texture_2d_mipmap[2], texture_2d_linear[3], texture_2d_gather[2], texture_3d[3], texture_3d_alt[3];
    int texture_cubemap, texture_1d_layered[2], texture_2d_layered[3], texture_cubemap_layered[2];
    int surface_1d, surface_2d[2], surface_3d[3], surface_1d_layered[2], surface_2d_layered[3], surface_cubemap;
    int surface_cubemap_layered[2];
    size_t surface_alignment;
    int concurrent_kernels, ecc, pci_bus, pci_device, pci_domain, tcc, async_engines, unified_addressing;
    ONLY_12(int memory_clock_rate)
    int memory_bus_width, l2_size, persisting_l2_max, max_threads_per_multiprocessor, stream_priorities;
    int global_l1, local_l1;
    size_t shared_per_multiprocessor;
    int registers_per_multiprocessor, managed_memory, multi_gpu_board, multi_gpu_group, host_native_atomics;
    ONLY_12(int single_to_double)
    int pageable_access, concurrent_managed, preemption, host_pointer_for_registered, cooperative;
    ONLY_12(int cooperative_multi)
    size_t shared_per_block_optin;
    int pageable_host_tables, direct_managed_from_host, max_blocks_per_multiprocessor, access_policy_window;
    size_t reserved_shared_per_block;
    /* What CUDA 11 did not have: its struct ends here. */
    int host_register, sparse_arrays, host_register_readonly, timeline_semaphores, memory_pools, gpudirect;
    uint32_t gpudirect_flush;
    int gpudirect_order;
    uint32_t pool_handle_types;
    int deferred_arrays, ipc_events, cluster_launch, unified_functions;
#if VGPU_CUDA_MAJOR == 12
    int reserved[63];
#else
    int numa_config, numa_id, mps, host_numa_id;
    uint32_t pci_id, pci_subsystem;
    int numa_ipc, reserved[56];
#endif
};
#define PROP_AT(field, in_12, in_13) \
    _Static_assert(offsetof(struct cudaDeviceProp, field) == (VGPU_CUDA_MAJOR == 12 ? (in_12) : (in_13)), #field)
PROP_AT(uuid, 256, 256);
PROP_AT(total_memory, 288, 288);
PROP_AT(shared_per_block, 296, 296);
PROP_AT(warp_size, 308, 308);
PROP_AT(total_const, 352, 352);
PROP_AT(major, 360, 360);
PROP_AT(minor, 364, 364);
PROP_AT(multiprocessors, 388, 384);
PROP_AT(integrated, 396, 388);
PROP_AT(texture_2d, 420, 404);
PROP_AT(surface_alignment, 568, 552);
PROP_AT(pci_bus, 584, 568);
PROP_AT(pci_device, 588, 572);
PROP_AT(pci_domain, 592, 576);
PROP_AT(memory_bus_width, 612, 592);
PROP_AT(shared_per_multiprocessor, 640, 624);
PROP_AT(shared_per_block_optin, 696, 672);
PROP_AT(reserved_shared_per_block, 720, 696);
PROP_AT(host_register, 728, 704);
PROP_AT(unified_functions, 776, 752);
_Static_assert(sizeof(struct cudaDeviceProp) == (VGPU_CUDA_MAJOR == 12 ? 1032 : 1008), "cudaDeviceProp");
#undef PROP_AT

struct cudaFuncAttributes {
    size_t shared_bytes, const_bytes, local_bytes;
    int max_threads, registers, ptx_version, binary_version, cache_mode_ca, max_dynamic_shared, carveout;
    int cluster_must_be_set, cluster_width, cluster_height, cluster_depth, cluster_policy, nonportable_cluster;
    int reserved[16];
};
_Static_assert(sizeof(struct cudaFuncAttributes) == 144, "cudaFuncAttributes");

struct cudaPointerAttributes {
    int type; /* cudaMemoryType: 0 unregistered, 1 host, 2 device, 3 managed */
    int device;
    void *device_pointer, *host_pointer;
#if VGPU_CUDA_MAJOR >= 13
    long reserved[8];
#endif
};
_Static_assert(sizeof(struct cudaPointerAttributes) == (VGPU_CUDA_MAJOR == 12 ? 24 : 88), "cudaPointerAttributes");

struct cudaPos {
    size_t x, y, z;
};

struct cudaMemcpy3DParms {
    cudaArray_t src_array;
    struct cudaPos src_pos;
    cudaPitchedPtr src;
    cudaArray_t dst_array;
    struct cudaPos dst_pos;
    cudaPitchedPtr dst;
    cudaExtent extent;
    int kind;
};
_Static_assert(sizeof(struct cudaMemcpy3DParms) == 160, "cudaMemcpy3DParms");

struct cudaMemcpy3DPeerParms {
    cudaArray_t src_array;
    struct cudaPos src_pos;
    cudaPitchedPtr src;
    int src_device;
    cudaArray_t dst_array;
    struct cudaPos dst_pos;
    cudaPitchedPtr dst;
    int dst_device;
    cudaExtent extent;
};
_Static_assert(sizeof(struct cudaMemcpy3DPeerParms) == 168, "cudaMemcpy3DPeerParms");

/* The driver's struct laid out alike, its attributes numbered alike. */
struct cudaLaunchConfig_t {
    dim3 grid, block;
    size_t shared;
    cudaStream_t stream;
    struct vgpu_launch_attribute *attributes;
    uint32_t attribute_count;
};
_Static_assert(sizeof(struct cudaLaunchConfig_t) == 56, "cudaLaunchConfig_t");

struct cudaKernelNodeParams {
    void *func;
    dim3 grid, block;
    uint32_t shared;
    void **params, **extra;
};
_Static_assert(sizeof(struct cudaKernelNodeParams) == 56, "cudaKernelNodeParams");

struct cudaMemsetParams {
    void *dst;
    size_t pitch;
    uint32_t value, element_size;
    size_t width, height;
};
_Static_assert(sizeof(struct cudaMemsetParams) == sizeof(struct CUDA_MEMSET_NODE_PARAMS), "cudaMemsetParams");

/* A node of any type (cudaGraphAddNode). What is not named here is laid out as in the driver's struct. */
struct cudaGraphNodeParams {
    int type, reserved0[3];
    union {
        int64_t reserved1[29];
        struct cudaKernelNodeParams kernel;
        struct {
            int flags, reserved[3];
            struct cudaMemcpy3DParms copy;
        } memcpy;
        struct CUDA_MEM_ALLOC_NODE_PARAMS alloc;
    } as;
    int64_t reserved2;
};
_Static_assert(sizeof(struct cudaGraphNodeParams) == sizeof(struct CUgraphNodeParams), "cudaGraphNodeParams");

#endif
