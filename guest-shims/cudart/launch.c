/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel launches. */
#include "cudart/runtime.h"

/* ---- <<<...>>>: the configuration waits here while the arguments are evaluated, which may launch in turn ---- */

enum { CONFIGS_MAX = 32 };
static _Thread_local struct config {
    dim3 grid, block;
    size_t shared;
    cudaStream_t stream;
} configs[CONFIGS_MAX];
static _Thread_local int config_depth;

uint32_t impl___cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, cudaStream_t stream)
{
    if (config_depth == CONFIGS_MAX)
        return (uint32_t)report(CUDA_ERROR_INVALID_VALUE);
    configs[config_depth++] = (struct config){grid, block, shared, stream};
    return 0;
}

cudaError_t impl___cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream)
{
    if (!config_depth)
        return report(RT_MISSING_CONFIGURATION);
    const struct config *config = &configs[--config_depth];
    *grid = config->grid;
    *block = config->block;
    *shared = config->shared;
    *(cudaStream_t *)stream = config->stream;
    return 0;
}

/* ---- launching ---- */

/* The driver says "invalid value" of a grid or block that no kernel can have; the runtime has an error of its own for that. */
static cudaError_t explain(cudaError_t error, dim3 grid, dim3 block)
{
    /* CUdevice_attribute 2 to 7 are the largest block and grid, 1 the largest number of threads. */
    const uint32_t sizes[] = {0, 0, block.x, block.y, block.z, grid.x, grid.y, grid.z};
    CUdevice device;
    int32_t limit;

    if (error != CUDA_ERROR_INVALID_VALUE || cuCtxGetDevice(&device))
        return error;
    for (int i = 2; i < 8; i++)
        if (!cuDeviceGetAttribute(&limit, i, device) && (!sizes[i] || sizes[i] > (uint32_t)limit))
            return RT_INVALID_CONFIGURATION;
    if (!cuDeviceGetAttribute(&limit, 1, device) && (uint64_t)block.x * block.y * block.z > (uint64_t)limit)
        return RT_INVALID_CONFIGURATION;
    return error;
}

static cudaError_t launch(const void *func, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t stream,
                          bool cooperative)
{
    CUkernel kernel = NULL;
    cudaError_t error = runtime_enter();

    if (!error)
        error = registry_kernel(func, &kernel);
    if (!error && shared > UINT32_MAX)
        error = CUDA_ERROR_INVALID_VALUE;
    if (error)
        return report(error);
    if (cooperative)
        error = cuLaunchCooperativeKernel(as_function(kernel), grid.x, grid.y, grid.z, block.x, block.y, block.z,
                                          (uint32_t)shared, stream, args);
    else
        error = cuLaunchKernel(as_function(kernel), grid.x, grid.y, grid.z, block.x, block.y, block.z, (uint32_t)shared,
                               stream, args, NULL);
    return report(explain(error, grid, block));
}

cudaError_t impl_cudaLaunchKernel(const void *func, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t stream)
{
    return launch(func, grid, block, args, shared, stream, false);
}

/* What nvcc 13 generates: the kernel comes from __cudaGetKernel. Where that failed, its error is the launch's. */
cudaError_t impl___cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args, size_t shared,
                                    cudaStream_t stream)
{
    cudaError_t before = impl_cudaPeekAtLastError();

    return !kernel && before ? before : launch(kernel, grid, block, args, shared, stream, false);
}

cudaError_t impl_cudaLaunchCooperativeKernel(const void *func, dim3 grid, dim3 block, void **args, size_t shared,
                                             cudaStream_t stream)
{
    return launch(func, grid, block, args, shared, stream, true);
}

cudaError_t impl_cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *func, void **args)
{
    CUkernel kernel = NULL;
    cudaError_t error = runtime_enter();

    if (!error && !config)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = registry_kernel(func, &kernel);
    if (!error && config->shared > UINT32_MAX)
        error = CUDA_ERROR_INVALID_VALUE;
    if (error)
        return report(error);
    const struct CUlaunchConfig driver_config = {
        .grid = {config->grid.x, config->grid.y, config->grid.z},
        .block = {config->block.x, config->block.y, config->block.z},
        .shared = (uint32_t)config->shared,
        /* The stream hides in the struct, where the generated _ptsz variant cannot replace it. */
        .stream = config->stream ? config->stream : default_stream(),
        .attributes = config->attributes,
        .attribute_count = config->attribute_count,
    };
    error = cuLaunchKernelEx(&driver_config, as_function(kernel), args, NULL);
    return report(explain(error, config->grid, config->block));
}
