/* SPDX-License-Identifier: Apache-2.0 */
/* Launching kernels: parameters are gathered and sizes checked here; the rest is one queued command. */
#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"

/* Of the array 'extra' (CU_LAUNCH_PARAM_*). */
#define EXTRA_END ((void *)0)
#define EXTRA_BUFFER ((void *)1)
#define EXTRA_SIZE ((void *)2)

enum { COOPERATIVE = 1, PARAMS_ON_STACK = 4096, PORTABLE_CLUSTER = 8, LARGEST_CLUSTER = 16 };

int vgpu_params_gather(const struct CUfunc_st *function, void **params, void **extra, unsigned char *tail)
{
    const struct vgpu_reply_function_get *info = &function->info;
    const void *buffer = NULL;
    const size_t *size = NULL;

    if (params && extra)
        return CUDA_ERROR_INVALID_VALUE;
    memset(tail, 0, info->param_size);
    if (params) {
        for (uint32_t i = 0; i < info->params; i++) {
            if (!params[i])
                return CUDA_ERROR_INVALID_VALUE;
            memcpy(tail + function->params[i].offset, params[i], function->params[i].size);
        }
        return 0;
    }
    for (; extra && *extra != EXTRA_END; extra += 2) {
        if (*extra == EXTRA_BUFFER)
            buffer = extra[1];
        else if (*extra == EXTRA_SIZE)
            size = extra[1];
        else
            return CUDA_ERROR_INVALID_VALUE;
    }
    if (!info->params)
        return 0;
    /* The last parameter's end is enough: what follows it is padding. */
    const struct vgpu_param *last = &function->params[info->params - 1];
    if (!buffer || !size || *size < last->offset + last->size)
        return CUDA_ERROR_INVALID_VALUE;
    memcpy(tail, buffer, *size < info->param_size ? *size : info->param_size);
    return 0;
}

static int check_cluster(const struct CUfunc_st *function, const struct vgpu_cmd_launch *launch)
{
    uint64_t blocks = (uint64_t)launch->cluster[0] * launch->cluster[1] * launch->cluster[2];

    if (blocks == 1)
        return 0;
    if (vgpu_profile()->cc_major < 9)
        return CUDA_ERROR_NOT_SUPPORTED;
    if (blocks > (function->nonportable_cluster ? LARGEST_CLUSTER : PORTABLE_CLUSTER))
        return CUDA_ERROR_INVALID_CLUSTER_SIZE;
    for (int i = 0; i < 3; i++)
        if (launch->grid[i] % launch->cluster[i])
            return CUDA_ERROR_INVALID_CLUSTER_SIZE;
    vgpu_log(VGPU_LOG_WARN, "%s: clusters of several blocks are not executed", function->name);
    return CUDA_ERROR_NOT_SUPPORTED;
}

int vgpu_launch_check(const struct CUfunc_st *function, const struct vgpu_cmd_launch *launch)
{
    uint64_t threads = (uint64_t)launch->block[0] * launch->block[1] * launch->block[2];
    int blocks;

    for (int i = 0; i < 3; i++)
        if (!launch->grid[i] || !launch->block[i] || !launch->cluster[i] ||
            launch->grid[i] > (uint32_t)vgpu_attribute(ATTR_MAX_GRID_DIM_X + i) ||
            launch->block[i] > (uint32_t)vgpu_attribute(ATTR_MAX_BLOCK_DIM_X + i))
            return CUDA_ERROR_INVALID_VALUE;
    if (threads > (uint64_t)vgpu_attribute(ATTR_MAX_THREADS_PER_BLOCK) ||
        launch->shared > (uint32_t)function->max_dynamic_shared)
        return CUDA_ERROR_INVALID_VALUE;
    if (threads > function->info.max_threads)
        return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    int status = check_cluster(function, launch);
    if (status || !(launch->flags & COOPERATIVE))
        return status;
    /* All blocks of a cooperative launch must be resident at once. */
    status = impl_cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, (CUfunction)function, (int)threads, launch->shared);
    if (!status && (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2] >
                       (uint64_t)blocks * (uint64_t)vgpu_attribute(ATTR_MULTIPROCESSOR_COUNT))
        status = CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
    return status;
}

/* With everything but the function filled in. */
static int launch(CUfunction handle, CUstream stream_handle, struct vgpu_cmd_launch *command, void **params, void **extra)
{
    unsigned char on_stack[PARAMS_ON_STACK], *tail = on_stack;
    struct CUctx_st *context;
    struct CUstream_st *stream;
    struct CUfunc_st *function;
    int status = vgpu_enter(&context);

    if (!status)
        status = vgpu_function_of(handle, context, &function);
    if (!status)
        status = vgpu_stream(stream_handle, context, &stream);
    if (!status)
        status = vgpu_launch_check(function, command);
    if (!status && function->info.param_size > sizeof on_stack && !(tail = malloc(function->info.param_size)))
        status = CUDA_ERROR_OUT_OF_MEMORY;
    if (status)
        return status;
    command->function = function->id;
    status = vgpu_params_gather(function, params, extra, tail);
    if (!status && vgpu_capturing(stream))
        status = vgpu_capture_launch(stream, function, command, tail, function->info.param_size);
    else if (!status)
        status = vgpu_stream_submit(stream, VGPU_CMD_LAUNCH, command, sizeof *command, tail, function->info.param_size);
    if (tail != on_stack)
        free(tail);
    return status;
}

CUresult impl_cuLaunchKernel(CUfunction function, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z, uint32_t block_x,
                             uint32_t block_y, uint32_t block_z, uint32_t shared, CUstream stream, void **params,
                             void **extra)
{
    struct vgpu_cmd_launch command = {
        .grid = {grid_x, grid_y, grid_z}, .block = {block_x, block_y, block_z}, .cluster = {1, 1, 1}, .shared = shared};

    return launch(function, stream, &command, params, extra);
}

CUresult impl_cuLaunchCooperativeKernel(CUfunction function, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z,
                                        uint32_t block_x, uint32_t block_y, uint32_t block_z, uint32_t shared,
                                        CUstream stream, void **params)
{
    struct vgpu_cmd_launch command = {.grid = {grid_x, grid_y, grid_z}, .block = {block_x, block_y, block_z},
                                      .cluster = {1, 1, 1}, .shared = shared, .flags = COOPERATIVE};

    return launch(function, stream, &command, params, NULL);
}

/* On several devices at once: on the one that there is. */
CUresult impl_cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS *list, uint32_t count, uint32_t flags)
{
    int status = vgpu_enter_init();

    if (!status && (!list || !count || flags > 3))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && count > 1)
        status = CUDA_ERROR_INVALID_DEVICE;
    if (!status && !vgpu_handle_is(list->stream, KIND_STREAM))
        status = CUDA_ERROR_INVALID_VALUE; /* each device's stream must be named */
    if (status)
        return status;
    return impl_cuLaunchCooperativeKernel(list->function, list->grid[0], list->grid[1], list->grid[2], list->block[0],
                                          list->block[1], list->block[2], list->shared, list->stream, list->params);
}

/* Launches that overlap their predecessor (programmatic serialization) may do so; here none does. Priorities, caches and
 * synchronisation domains are hints. What would need to be done and is not, is refused. */
static int apply(const struct vgpu_launch_attribute *attribute, struct vgpu_cmd_launch *command)
{
    switch (attribute->id) {
    case LAUNCH_ATTR_COOPERATIVE:
        command->flags |= attribute->value.i32 ? COOPERATIVE : 0;
        return 0;
    case LAUNCH_ATTR_CLUSTER_DIMENSION:
        memcpy(command->cluster, attribute->value.dim, sizeof command->cluster);
        return 0;
    case LAUNCH_ATTR_IGNORE:
    case LAUNCH_ATTR_ACCESS_POLICY_WINDOW:
    case LAUNCH_ATTR_SYNCHRONIZATION_POLICY:
    case LAUNCH_ATTR_CLUSTER_SCHEDULING_POLICY:
    case LAUNCH_ATTR_PROGRAMMATIC_STREAM_SERIALIZATION:
    case LAUNCH_ATTR_PRIORITY:
    case LAUNCH_ATTR_MEM_SYNC_DOMAIN_MAP:
    case LAUNCH_ATTR_MEM_SYNC_DOMAIN:
    case LAUNCH_ATTR_PREFERRED_CLUSTER_DIMENSION:
    case LAUNCH_ATTR_PREFERRED_SHARED_CARVEOUT:
        return 0;
    case LAUNCH_ATTR_PROGRAMMATIC_EVENT:
    case LAUNCH_ATTR_LAUNCH_COMPLETION_EVENT:
        return vgpu_handle_is(attribute->value.event.event, KIND_EVENT) ? 0 : CUDA_ERROR_INVALID_HANDLE;
    default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
}

static bool has_event(const struct vgpu_launch_attribute *attribute)
{
    return attribute->id == LAUNCH_ATTR_PROGRAMMATIC_EVENT || attribute->id == LAUNCH_ATTR_LAUNCH_COMPLETION_EVENT;
}

CUresult impl_cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction handle, void **params, void **extra)
{
    struct vgpu_cmd_launch command = {.cluster = {1, 1, 1}};
    struct CUctx_st *context;
    struct CUfunc_st *function;
    int status = vgpu_enter(&context);

    if (!status && (!config || (config->attribute_count && !config->attributes)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_function_of(handle, context, &function);
    if (status)
        return status;
    memcpy(command.grid, config->grid, sizeof command.grid);
    memcpy(command.block, config->block, sizeof command.block);
    command.shared = config->shared;
    for (uint32_t i = 0; !status && i < config->attribute_count; i++)
        status = apply(&config->attributes[i], &command);
    if (!status)
        status = launch((CUfunction)function, config->stream, &command, params, extra);
    for (uint32_t i = 0; !status && i < config->attribute_count; i++)
        if (has_event(&config->attributes[i]))
            status = impl_cuEventRecordWithFlags(config->attributes[i].value.event.event, config->stream, 0);
    return status;
}
