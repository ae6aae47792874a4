/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked and set about kernels. */
#include <string.h>

#include "cudart/runtime.h"

/* CUfunction_attribute 0 to 15, in the order of the numbers. */
enum { FUNC_ATTRIBUTES = 16 };

cudaError_t impl_cudaFuncGetAttributes(cudaFuncAttributes *attr, const void *func)
{
    int32_t values[FUNC_ATTRIBUTES] = {0};
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error && !attr)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = registry_function(func, &function);
    for (int i = 0; i < FUNC_ATTRIBUTES && !error; i++)
        error = cuFuncGetAttribute(&values[i], i, function);
    if (error)
        return report(error);
    *attr = (cudaFuncAttributes){
        .max_threads = values[0],
        .shared_bytes = (size_t)values[1],
        .const_bytes = (size_t)values[2],
        .local_bytes = (size_t)values[3],
        .registers = values[4],
        .ptx_version = values[5],
        .binary_version = values[6],
        .cache_mode_ca = values[7],
        .max_dynamic_shared = values[8],
        .carveout = values[9],
        .cluster_must_be_set = values[10],
        .cluster_width = values[11],
        .cluster_height = values[12],
        .cluster_depth = values[13],
        .nonportable_cluster = values[14],
        .cluster_policy = values[15],
    };
    return 0;
}

/* cudaFuncAttribute has the driver's numbers; the first eight are not for setting. */
cudaError_t impl_cudaFuncSetAttribute(const void *func, cudaFuncAttribute attr, int32_t value)
{
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error && (attr < 8 || attr >= FUNC_ATTRIBUTES))
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = registry_function(func, &function);
    return report(error ? error : cuFuncSetAttribute(function, attr, value));
}

cudaError_t impl_cudaKernelSetAttributeForDevice(cudaKernel_t kernel, cudaFuncAttribute attr, int32_t value, int32_t device)
{
    cudaError_t error = runtime_device(device);

    if (!error)
        error = runtime_enter();
    if (!error && (attr < 8 || attr >= FUNC_ATTRIBUTES))
        error = CUDA_ERROR_INVALID_VALUE;
    return report(error ? error : cuKernelSetAttribute(attr, value, kernel, device));
}

cudaError_t impl_cudaFuncSetCacheConfig(const void *func, cudaFuncCache config)
{
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error)
        error = registry_function(func, &function);
    return report(error ? error : cuFuncSetCacheConfig(function, config));
}

cudaError_t impl_cudaFuncSetSharedMemConfig(const void *func, cudaSharedMemConfig config)
{
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error)
        error = registry_function(func, &function);
    return report(error ? error : cuFuncSetSharedMemConfig(function, config));
}

cudaError_t impl_cudaFuncGetName(const char **name, const void *func)
{
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error && !name)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = registry_function(func, &function);
    return report(error ? error : cuFuncGetName(name, function));
}

cudaError_t impl_cudaFuncGetParamInfo(const void *func, size_t index, size_t *offset, size_t *size)
{
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error)
        error = registry_function(func, &function);
    return report(error ? error : cuFuncGetParamInfo(function, index, offset, size));
}

/* ---- occupancy ---- */

cudaError_t impl_cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int32_t *blocks, const void *func, int32_t threads,
                                                                        size_t shared, uint32_t flags)
{
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error)
        error = registry_function(func, &function);
    return report(error ? error
                        : cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads, shared, flags));
}

cudaError_t impl_cudaOccupancyMaxActiveBlocksPerMultiprocessor(int32_t *blocks, const void *func, int32_t threads,
                                                               size_t shared)
{
    return impl_cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, func, threads, shared, 0);
}

cudaError_t impl_cudaOccupancyAvailableDynamicSMemPerBlock(size_t *bytes, const void *func, int32_t blocks, int32_t threads)
{
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error)
        error = registry_function(func, &function);
    return report(error ? error : cuOccupancyAvailableDynamicSMemPerBlock(bytes, function, blocks, threads));
}

static struct CUlaunchConfig driver_config(const cudaLaunchConfig_t *config)
{
    return (struct CUlaunchConfig){
        .grid = {config->grid.x, config->grid.y, config->grid.z},
        .block = {config->block.x, config->block.y, config->block.z},
        .shared = (uint32_t)config->shared,
        .stream = config->stream,
        .attributes = config->attributes,
        .attribute_count = config->attribute_count,
    };
}

cudaError_t impl_cudaOccupancyMaxPotentialClusterSize(int32_t *size, const void *func, const cudaLaunchConfig_t *config)
{
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error && (!config || !size))
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = registry_function(func, &function);
    if (error)
        return report(error);
    struct CUlaunchConfig copy = driver_config(config);
    return report(cuOccupancyMaxPotentialClusterSize(size, function, &copy));
}

cudaError_t impl_cudaOccupancyMaxActiveClusters(int32_t *count, const void *func, const cudaLaunchConfig_t *config)
{
    CUfunction function = NULL;
    cudaError_t error = runtime_enter();

    if (!error && (!config || !count))
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = registry_function(func, &function);
    if (error)
        return report(error);
    struct CUlaunchConfig copy = driver_config(config);
    return report(cuOccupancyMaxActiveClusters(count, function, &copy));
}
