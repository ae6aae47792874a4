/* SPDX-License-Identifier: Apache-2.0 */
/* Occupancy: how many blocks a multiprocessor of the profile would hold, by its threads, blocks, registers and shared memory. */
#include "cuda/driver.h"

enum { WARP = 32, REGISTER_UNIT = 256, SHARED_UNIT = 128, DEFAULT_BLOCKS = 32 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int round_up(int value, int unit)
{
    return (value + unit - 1) / unit * unit;
}

static int blocks_per_sm(const struct CUfunc_st *function, int block, uint64_t dynamic)
{
    int warps = (block + WARP - 1) / WARP;
    int most = vgpu_attribute(ATTR_MAX_BLOCKS_PER_MULTIPROCESSOR);
    uint64_t shared = function->info.static_shared + dynamic;

    if (block <= 0 || block > vgpu_attribute(ATTR_MAX_THREADS_PER_BLOCK) || (uint32_t)block > function->info.max_threads ||
        dynamic > (uint64_t)function->max_dynamic_shared)
        return 0;
    if (!most)
        most = DEFAULT_BLOCKS;
    most = least(most, vgpu_attribute(ATTR_MAX_THREADS_PER_MULTIPROCESSOR) / (warps * WARP));
    if (function->info.registers)
        most = least(most, vgpu_attribute(ATTR_MAX_REGISTERS_PER_MULTIPROCESSOR) /
                               (warps * round_up((int)function->info.registers * WARP, REGISTER_UNIT)));
    if (shared) {
        shared = (uint64_t)round_up((int)shared, SHARED_UNIT) + (uint64_t)vgpu_attribute(ATTR_RESERVED_SHARED_MEMORY_PER_BLOCK);
        most = least(most, (int)((uint64_t)vgpu_attribute(ATTR_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR) / shared));
    }
    return most;
}

static int enter(CUfunction handle, struct CUfunc_st **function)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_function_of(handle, context, function);
}

CUresult impl_cuOccupancyMaxActiveBlocksPerMultiprocessor(int32_t *blocks, CUfunction handle, int32_t block, size_t dynamic)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && (!blocks || block <= 0))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *blocks = blocks_per_sm(function, block, dynamic);
    return status;
}

CUresult impl_cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int32_t *blocks, CUfunction function, int32_t block,
                                                                   size_t dynamic, uint32_t flags)
{
    if (flags & ~1u)
        return CUDA_ERROR_INVALID_VALUE;
    return impl_cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, block, dynamic);
}

CUresult impl_cuOccupancyMaxPotentialBlockSizeWithFlags(int32_t *grid, int32_t *block, CUfunction handle,
                                                        CUoccupancyB2DSize dynamic_of, size_t dynamic, int32_t limit,
                                                        uint32_t flags)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function), best_threads = 0;

    if (!status && (!grid || !block || (flags & ~1u)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    int largest = least((int)function->info.max_threads, vgpu_attribute(ATTR_MAX_THREADS_PER_BLOCK));
    if (limit > 0)
        largest = least(largest, limit);
    *grid = *block = 0;
    for (int size = largest; size > 0; size = size % WARP ? size / WARP * WARP : size - WARP) {
        int blocks = blocks_per_sm(function, size, dynamic_of ? dynamic_of(size) : dynamic);
        if (blocks * size <= best_threads)
            continue;
        best_threads = blocks * size;
        *block = size;
        *grid = blocks * vgpu_attribute(ATTR_MULTIPROCESSOR_COUNT);
    }
    return 0;
}

CUresult impl_cuOccupancyMaxPotentialBlockSize(int32_t *grid, int32_t *block, CUfunction function,
                                               CUoccupancyB2DSize dynamic_of, size_t dynamic, int32_t limit)
{
    return impl_cuOccupancyMaxPotentialBlockSizeWithFlags(grid, block, function, dynamic_of, dynamic, limit, 0);
}

CUresult impl_cuOccupancyAvailableDynamicSMemPerBlock(size_t *dynamic, CUfunction handle, int32_t blocks, int32_t block)
{
    struct CUfunc_st *function;
    int status = enter(handle, &function);

    if (!status && (!dynamic || blocks <= 0 || block <= 0))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && blocks_per_sm(function, block, 0) < blocks)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    int share = vgpu_attribute(ATTR_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR) / blocks -
                vgpu_attribute(ATTR_RESERVED_SHARED_MEMORY_PER_BLOCK);
    share = share / SHARED_UNIT * SHARED_UNIT - (int)function->info.static_shared;
    *dynamic = share > 0 ? (size_t)least(share, function->max_dynamic_shared) : 0;
    return 0;
}

/* ---- clusters: as many blocks of one as its multiprocessors hold ---- */

enum { PORTABLE_CLUSTER = 8, LARGEST_CLUSTER = 16 };

static int cluster_of(const CUlaunchConfig *config, uint32_t cluster[3])
{
    cluster[0] = cluster[1] = cluster[2] = 1;
    for (uint32_t i = 0; i < config->attribute_count; i++)
        if (config->attributes[i].id == LAUNCH_ATTR_CLUSTER_DIMENSION)
            for (int d = 0; d < 3; d++)
                cluster[d] = config->attributes[i].value.dim[d];
    return (int)(cluster[0] * cluster[1] * cluster[2]);
}

static int enter_config(CUfunction handle, const CUlaunchConfig *config, struct CUfunc_st **function)
{
    if (!config || (config->attribute_count && !config->attributes))
        return CUDA_ERROR_INVALID_VALUE;
    if (vgpu_profile()->cc_major < 9)
        return CUDA_ERROR_NOT_SUPPORTED;
    return enter(handle, function);
}

static int blocks_of(const struct CUfunc_st *function, const CUlaunchConfig *config)
{
    return blocks_per_sm(function, (int)(config->block[0] * config->block[1] * config->block[2]), config->shared);
}

CUresult impl_cuOccupancyMaxPotentialClusterSize(int32_t *size, CUfunction handle, const CUlaunchConfig *config)
{
    struct CUfunc_st *function;
    int status = size ? enter_config(handle, config, &function) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    if (!status)
        *size = !blocks_of(function, config) ? 0 : function->nonportable_cluster ? LARGEST_CLUSTER : PORTABLE_CLUSTER;
    return status;
}

CUresult impl_cuOccupancyMaxActiveClusters(int32_t *clusters, CUfunction handle, const CUlaunchConfig *config)
{
    struct CUfunc_st *function;
    uint32_t cluster[3];
    int status = clusters ? enter_config(handle, config, &function) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    if (status)
        return status;
    int blocks = cluster_of(config, cluster);
    if (blocks <= 0 || blocks > (function->nonportable_cluster ? LARGEST_CLUSTER : PORTABLE_CLUSTER))
        return CUDA_ERROR_INVALID_CLUSTER_SIZE;
    *clusters = blocks_of(function, config) * vgpu_attribute(ATTR_MULTIPROCESSOR_COUNT) / blocks;
    return 0;
}
