/* SPDX-License-Identifier: Apache-2.0 */
/* The driver API's structs that travel by pointer, and the numbers that programs pass: only what is used here. */
#ifndef VGPU_CUDA_ABI_H
#define VGPU_CUDA_ABI_H

#include "cuda_impl.h"
#include "cuda_types.h"

/* CUresult */
enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_DEINITIALIZED = 4,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
    CUDA_ERROR_UNSUPPORTED_LIMIT = 215,
    CUDA_ERROR_PEER_ACCESS_UNSUPPORTED = 217,
    CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY = 224,
    CUDA_ERROR_FILE_NOT_FOUND = 301,
    CUDA_ERROR_OPERATING_SYSTEM = 304,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_ILLEGAL_STATE = 401,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
    CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE = 708,
    CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
    CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE = 720,
    CUDA_ERROR_NOT_PERMITTED = 800,
    CUDA_ERROR_NOT_SUPPORTED = 801,
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
    CUDA_ERROR_STREAM_CAPTURE_MERGE = 902,
    CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = 903,
    CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904,
    CUDA_ERROR_STREAM_CAPTURE_ISOLATION = 905,
    CUDA_ERROR_STREAM_CAPTURE_IMPLICIT = 906,
    CUDA_ERROR_CAPTURED_EVENT = 907,
    CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD = 908,
    CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE = 910,
    CUDA_ERROR_INVALID_CLUSTER_SIZE = 912,
    CUDA_ERROR_UNKNOWN = 999,
};

/* CUdevice_attribute, as far as the library itself asks its profile */
enum {
    ATTR_MAX_THREADS_PER_BLOCK = 1,
    ATTR_MAX_BLOCK_DIM_X = 2,
    ATTR_MAX_GRID_DIM_X = 5,
    ATTR_MAX_SHARED_MEMORY_PER_BLOCK = 8,
    ATTR_TOTAL_CONSTANT_MEMORY = 9,
    ATTR_WARP_SIZE = 10,
    ATTR_MAX_PITCH = 11,
    ATTR_MAX_REGISTERS_PER_BLOCK = 12,
    ATTR_CLOCK_RATE = 13,
    ATTR_TEXTURE_ALIGNMENT = 14,
    ATTR_MULTIPROCESSOR_COUNT = 16,
    ATTR_MAX_THREADS_PER_MULTIPROCESSOR = 39,
    ATTR_COMPUTE_CAPABILITY_MAJOR = 75,
    ATTR_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
    ATTR_MAX_REGISTERS_PER_MULTIPROCESSOR = 82,
    ATTR_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
    ATTR_MAX_BLOCKS_PER_MULTIPROCESSOR = 106,
    ATTR_RESERVED_SHARED_MEMORY_PER_BLOCK = 111,
};

struct CUuuid {
    char bytes[16];
};

struct CUdevprop {
    int max_threads_per_block, max_threads_dim[3], max_grid_size[3];
    int shared_mem_per_block, total_constant_memory, simd_width, mem_pitch, regs_per_block, clock_rate, texture_align;
};

enum { CU_MEMORYTYPE_HOST = 1, CU_MEMORYTYPE_DEVICE = 2, CU_MEMORYTYPE_ARRAY = 3, CU_MEMORYTYPE_UNIFIED = 4 };

struct CUDA_MEMCPY2D {
    size_t src_x, src_y;
    int src_type;
    const void *src_host;
    uint64_t src_device;
    void *src_array;
    size_t src_pitch;
    size_t dst_x, dst_y;
    int dst_type;
    void *dst_host;
    uint64_t dst_device;
    void *dst_array;
    size_t dst_pitch;
    size_t width, height;
};

struct CUDA_MEMCPY3D {
    size_t src_x, src_y, src_z, src_lod;
    int src_type;
    const void *src_host;
    uint64_t src_device;
    void *src_array, *src_context; /* of the plain copy: reserved */
    size_t src_pitch, src_height;
    size_t dst_x, dst_y, dst_z, dst_lod;
    int dst_type;
    void *dst_host;
    uint64_t dst_device;
    void *dst_array, *dst_context;
    size_t dst_pitch, dst_height;
    size_t width, height, depth;
};
_Static_assert(sizeof(struct CUDA_MEMCPY2D) == 128 && sizeof(struct CUDA_MEMCPY3D) == 200, "as cuda.h lays them out");

struct CUDA_MEMCPY3D_PEER {
    struct CUDA_MEMCPY3D copy; /* the same layout */
};

/* ---- arrays and batches of copies ---- */

struct CUDA_ARRAY_DESCRIPTOR {
    size_t width, height;
    int format;
    uint32_t channels;
};

struct CUDA_ARRAY3D_DESCRIPTOR {
    size_t width, height, depth;
    int format;
    uint32_t channels, flags;
};
_Static_assert(sizeof(struct CUDA_ARRAY3D_DESCRIPTOR) == 40, "as cuda.h lays it out");

struct CUmemcpyAttributes {
    int order;
    CUmemLocation src_hint, dst_hint;
    uint32_t flags;
};

enum { OPERAND_POINTER = 1, OPERAND_ARRAY = 2 };

struct vgpu_copy_operand {
    int type;
    union {
        struct {
            uint64_t address;
            size_t row, rows; /* elements; 0: those of the copy */
            CUmemLocation hint;
        } pointer;
        struct {
            void *array;
            size_t x, y, z;
        } array;
    } as;
};

struct CUDA_MEMCPY3D_BATCH_OP {
    struct vgpu_copy_operand src, dst;
    size_t width, height, depth;
    int order;
    uint32_t flags;
};
_Static_assert(sizeof(struct CUDA_MEMCPY3D_BATCH_OP) == 112, "as cuda.h lays it out");

struct CUDA_LAUNCH_PARAMS {
    struct CUfunc_st *function;
    uint32_t grid[3], block[3], shared;
    struct CUstream_st *stream;
    void **params;
};

/* CUlaunchAttributeID */
enum {
    LAUNCH_ATTR_IGNORE,
    LAUNCH_ATTR_ACCESS_POLICY_WINDOW,
    LAUNCH_ATTR_COOPERATIVE,
    LAUNCH_ATTR_SYNCHRONIZATION_POLICY,
    LAUNCH_ATTR_CLUSTER_DIMENSION,
    LAUNCH_ATTR_CLUSTER_SCHEDULING_POLICY,
    LAUNCH_ATTR_PROGRAMMATIC_STREAM_SERIALIZATION,
    LAUNCH_ATTR_PROGRAMMATIC_EVENT,
    LAUNCH_ATTR_PRIORITY,
    LAUNCH_ATTR_MEM_SYNC_DOMAIN_MAP,
    LAUNCH_ATTR_MEM_SYNC_DOMAIN,
    LAUNCH_ATTR_PREFERRED_CLUSTER_DIMENSION,
    LAUNCH_ATTR_LAUNCH_COMPLETION_EVENT,
    LAUNCH_ATTR_DEVICE_UPDATABLE_KERNEL_NODE,
    LAUNCH_ATTR_PREFERRED_SHARED_CARVEOUT,
    LAUNCH_ATTR_COUNT,
};

struct vgpu_launch_attribute {
    int32_t id;
    char pad[4];
    union {
        char bytes[64];
        int32_t i32;
        uint32_t dim[3];
        struct {
            struct CUevent_st *event;
            int flags, trigger;
        } event;
    } value;
};
_Static_assert(sizeof(struct vgpu_launch_attribute) == 72, "as cuda.h lays it out");

struct CUlaunchConfig {
    uint32_t grid[3], block[3], shared;
    struct CUstream_st *stream;
    struct vgpu_launch_attribute *attributes;
    uint32_t attribute_count;
};

struct CUstreamAttrValue {
    char bytes[64];
};
struct CUkernelNodeAttrValue {
    char bytes[64];
};

struct CUctxCreateParams {
    void *affinity;
    int affinity_count;
    void *cig;
};

struct CUmemAllocationProp {
    int type, handle_types;
    CUmemLocation location;
    void *win32;
    struct {
        unsigned char compression, rdma;
        unsigned short usage;
        unsigned char reserved[4];
    } flags;
};
_Static_assert(sizeof(struct CUmemAllocationProp) == 32, "as cuda.h lays it out");

struct CUmemAccessDesc {
    CUmemLocation location;
    int flags;
};

struct CUmemPoolProps {
    int type, handle_types;
    CUmemLocation location;
    void *win32;
    size_t max_size;
    unsigned short usage;
    unsigned char reserved[54];
};
_Static_assert(sizeof(struct CUmemPoolProps) == 88, "as cuda.h lays it out");

enum { CU_MEM_LOCATION_DEVICE = 1, CU_MEM_LOCATION_HOST = 2, CU_MEM_ALLOCATION_PINNED = 1 };

/* CUgraphNodeType */
enum {
    NODE_KERNEL,
    NODE_MEMCPY,
    NODE_MEMSET,
    NODE_HOST,
    NODE_GRAPH,
    NODE_EMPTY,
    NODE_WAIT_EVENT,
    NODE_RECORD_EVENT,
    NODE_MEM_ALLOC = 10,
    NODE_MEM_FREE,
    NODE_BATCH_MEM_OP,
};

struct CUstreamBatchMemOpParams {
    int operation;
    uint32_t short_flags; /* of barriers and flushes */
    uint64_t address, value;
    uint32_t flags, pad;
    uint64_t alias, reserved;
};
_Static_assert(sizeof(struct CUstreamBatchMemOpParams) == 48, "as cuda.h lays it out");

struct CUDA_BATCH_MEM_OP_NODE_PARAMS {
    struct CUctx_st *context;
    uint32_t count;
    struct CUstreamBatchMemOpParams *ops;
    uint32_t flags;
};

struct CUDA_MEM_ALLOC_NODE_PARAMS {
    struct CUmemPoolProps pool;
    const struct CUmemAccessDesc *access;
    size_t access_count, bytes;
    uint64_t address;
};
_Static_assert(sizeof(struct CUDA_MEM_ALLOC_NODE_PARAMS) == 120, "as cuda.h lays it out");

struct CUDA_KERNEL_NODE_PARAMS {
    struct CUfunc_st *func;
    uint32_t grid[3], block[3], shared;
    void **params, **extra;
    struct CUkern_st *kernel;
    struct CUctx_st *context;
};

struct CUDA_MEMSET_NODE_PARAMS {
    uint64_t dst;
    size_t pitch;
    uint32_t value, element_size;
    size_t width, height;
};

struct CUDA_HOST_NODE_PARAMS {
    void (*fn)(void *);
    void *data;
};

/* A node of any type (cuGraphAddNode). */
struct CUgraphNodeParams {
    int type, reserved0[3];
    union {
        int64_t reserved1[29];
        struct CUDA_KERNEL_NODE_PARAMS kernel;
        struct {
            int flags, reserved;
            struct CUctx_st *context;
            struct CUDA_MEMCPY3D copy;
        } memcpy;
        struct CUDA_MEMSET_NODE_PARAMS memset;
        struct CUDA_HOST_NODE_PARAMS host;
        struct CUgraph_st *graph;
        struct CUevent_st *event;
        struct CUDA_BATCH_MEM_OP_NODE_PARAMS memops;
        struct CUDA_MEM_ALLOC_NODE_PARAMS alloc;
        uint64_t free;
    } as;
    int64_t reserved2;
};
_Static_assert(sizeof(struct CUgraphNodeParams) == 256, "as cuda.h lays it out");

struct CUDA_GRAPH_INSTANTIATE_PARAMS {
    uint64_t flags;
    struct CUstream_st *upload_stream;
    struct CUgraphNode_st *error_node;
    int result;
};

struct CUgraphEdgeData {
    unsigned char from_port, to_port, type, reserved[5];
};

struct CUgraphExecUpdateResultInfo {
    int result;
    struct CUgraphNode_st *node, *from;
};

enum { CAPTURE_NONE, CAPTURE_ACTIVE, CAPTURE_INVALIDATED };
enum { CAPTURE_MODE_GLOBAL, CAPTURE_MODE_THREAD_LOCAL, CAPTURE_MODE_RELAXED };

#endif
