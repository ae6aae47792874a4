/* SPDX-License-Identifier: Apache-2.0 */
/* cuGetExportTable: our own table; those of NVIDIA's runtime are runtime_tables.c. */
#include <string.h>

#include "cuda/driver.h"
#include "cuda/runtime_tables.h"
#include "cuda/vgpu_private.h"

static int enter(CUstream handle, struct CUstream_st **stream)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_stream(handle, context, stream);
}

static int submit(CUstream handle, uint16_t command, void *fixed, size_t fixed_size, const void *tail, size_t tail_size)
{
    struct CUstream_st *stream;
    int status = enter(handle, &stream);

    return status ? status : vgpu_stream_submit(stream, command, fixed, fixed_size, tail, tail_size);
}

static int check_stream(CUstream handle)
{
    struct CUstream_st *stream;

    return enter(handle, &stream);
}

static int device_address(const void *pointer, uint64_t *address)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (status)
        return status;
    *address = (uintptr_t)pointer;
    if (*address >= VGPU_WINDOW_BASE && *address < VGPU_WINDOW_END)
        return 0;
    return vgpu_memory_of_host(&vgpu_driver.memory, pointer, address) ? 0 : CUDA_ERROR_INVALID_VALUE;
}

static int alloc(size_t bytes, uint64_t *address)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status
                  : vgpu_memory_alloc(&vgpu_driver.memory, bytes, VGPU_RANGE_DEVICE, 0, context, address);
}

static int free_memory(uint64_t address)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_memory_free(&vgpu_driver.memory, address, 1u << VGPU_RANGE_DEVICE);
}

static int move(CUstream handle, const struct CUDA_MEMCPY3D *copy)
{
    struct CUstream_st *stream;
    int status = enter(handle, &stream);

    if (!status)
        status = vgpu_capture_forbids(stream);
    return status ? status : vgpu_copy_3d(stream, copy, false);
}

static int read_memory(CUstream stream, uint64_t address, void *bytes, size_t size)
{
    return move(stream, &(struct CUDA_MEMCPY3D){.src_type = CU_MEMORYTYPE_DEVICE, .src_device = address,
                                                .dst_type = CU_MEMORYTYPE_HOST, .dst_host = bytes,
                                                .width = size, .height = 1, .depth = 1});
}

static int write_memory(CUstream stream, uint64_t address, const void *bytes, size_t size)
{
    return move(stream, &(struct CUDA_MEMCPY3D){.src_type = CU_MEMORYTYPE_HOST, .src_host = bytes,
                                                .dst_type = CU_MEMORYTYPE_DEVICE, .dst_device = address,
                                                .width = size, .height = 1, .depth = 1});
}

static const struct vgpu_private table = {
    sizeof table, submit, check_stream, device_address, alloc, free_memory, read_memory, write_memory,
};

CUresult impl_cuGetExportTable(void **result, const CUuuid *id)
{
    static const unsigned char own[16] = VGPU_PRIVATE_UUID;

    if (!result || !id)
        return CUDA_ERROR_INVALID_VALUE;
    *result = (void *)(uintptr_t)(!memcmp(id->bytes, own, sizeof own) ? &table : vgpu_runtime_table(id->bytes));
    return *result ? 0 : CUDA_ERROR_NOT_FOUND;
}
