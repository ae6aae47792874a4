/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: an image that was sent once, under a number of the guest's; functions and variables by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/defer.h"

enum {
    LOG_MAX = 4096,
    NAME_LIMIT = 16384,
};

static int send_image(uint64_t module, const struct vgpu_image *image)
{
    const char *bytes = image->bytes;
    int status = 0;

    for (size_t at = 0; !status && at < image->size;) {
        size_t n = image->size - at < VGPU_STAGE_CHUNK ? image->size - at : VGPU_STAGE_CHUNK;
        struct vgpu_cmd_module_data command = {.module = module, .total = image->size, .at = at, .size = n};
        status = vgpu_submit_staged(&vgpu_driver.channel, VGPU_CMD_MODULE_DATA, &command, sizeof command,
                                    offsetof(struct vgpu_cmd_module_data, staging), bytes + at, n, NULL);
        at += n;
    }
    return status;
}

/* As ptxas would say it: TEXT begins with "line N: " where there is one. */
static void explain(struct vgpu_jit_log *log, const char *text, size_t size)
{
    unsigned line;
    int skip = 0;

    size = strnlen(text, size);
    if (sscanf(text, "line %u: %n", &line, &skip) == 1 && skip)
        vgpu_jit_error(log, "ptxas application ptx input, line %u; error   : %.*s", line, (int)size - skip, text + skip);
    else
        vgpu_jit_error(log, "ptxas error   : %.*s", (int)size, text);
    vgpu_jit_error(log, "ptxas fatal   : Ptx assembly aborted due to errors");
}

/* A module with managed variables has all of them in managed memory. */
static int place(struct CUmod_st *module, uint64_t size)
{
    struct vgpu_cmd_module_place command = {.module = module->id};
    int status = vgpu_memory_alloc(&vgpu_driver.memory, size, VGPU_RANGE_MANAGED, 1, module->context, &module->managed);

    if (status)
        return status;
    command.va = module->managed;
    status = vgpu_submit(&vgpu_driver.channel, VGPU_CMD_MODULE_PLACE, &command, sizeof command, NULL, 0, NULL);
    return status ? status : vgpu_wait_idle(&vgpu_driver.channel); /* the CPU may look at them at once */
}

static void describe(struct vgpu_jit_log *log, struct CUmod_st *module)
{
    const struct vgpu_profile *profile = vgpu_profile();
    char *names;
    uint32_t count;

    if (vgpu_module_names(module, &names, &count))
        return;
    const char *name = names;
    for (uint32_t i = 0; i < count; i++, name += strlen(name) + 1)
        vgpu_jit_info(log, "ptxas info    : Compiling entry function '%s' for 'sm_%u%u'", name, profile->cc_major, profile->cc_minor);
    free(names);
}

static int load_image(uint64_t id, const struct vgpu_image *image, int check, struct vgpu_jit_log *log,
                      struct vgpu_reply_module_load *answer)
{
    char text[LOG_MAX];
    struct vgpu_call_reply reply = {.fixed = answer, .fixed_size = sizeof *answer, .tail = text, .tail_room = sizeof text};
    const struct vgpu_profile *profile = vgpu_profile();
    struct vgpu_cmd_module_load command = {
        .module = id, .cc = profile->cc_major * 10 + profile->cc_minor, .check = (uint32_t)check};
    int status = send_image(id, image);

    if (status)
        return status;
    status = vgpu_call(&vgpu_driver.channel, VGPU_CMD_MODULE_LOAD, &command, sizeof command, NULL, 0, &reply);
    if (status && reply.tail_size) {
        vgpu_log(VGPU_LOG_WARN, "module refused (%d): %.*s", status, (int)reply.tail_size, text);
        explain(log, text, reply.tail_size);
    }
    return status;
}

int vgpu_module_check_part(const struct vgpu_image *image, struct vgpu_jit_log *log)
{
    struct vgpu_reply_module_load answer;

    return load_image(vgpu_new_id(), image, CHECK_PART, log, &answer);
}

int vgpu_module_load(struct CUctx_st *context, const struct vgpu_image *image, struct vgpu_jit_log *log,
                     struct CUmod_st **result)
{
    struct vgpu_reply_module_load answer;
    struct CUmod_st *module = calloc(1, sizeof *module);

    if (!module)
        return CUDA_ERROR_OUT_OF_MEMORY;
    module->context = context;
    module->id = vgpu_new_id();
    pthread_mutex_init(&module->lock, NULL);
    int status = load_image(module->id, image, image->check, log, &answer);
    if (!status && answer.managed) {
        status = place(module, answer.managed);
        if (status) {
            struct vgpu_cmd_module_unload unload = {module->id};
            vgpu_submit(&vgpu_driver.channel, VGPU_CMD_MODULE_UNLOAD, &unload, sizeof unload, NULL, 0, NULL);
        }
    }
    if (!status) {
        module->function_count = answer.functions;
        module->global_count = answer.globals;
        status = vgpu_handle_add(module, KIND_MODULE, context);
    }
    if (status) {
        free(module);
        return status;
    }
    *result = module;
    if (log && log->verbose)
        describe(log, module);
    return 0;
}

void vgpu_module_unload(struct CUmod_st *module)
{
    struct vgpu_cmd_module_unload command = {module->id};

    vgpu_handle_remove(module);
    while (module->functions) {
        struct CUfunc_st *function = module->functions;
        module->functions = function->next;
        vgpu_handle_remove(function);
        free(function->name);
        free(function->params);
        free(function->staged);
        free(function);
    }
    vgpu_submit(&vgpu_driver.channel, VGPU_CMD_MODULE_UNLOAD, &command, sizeof command, NULL, 0, NULL);
    if (module->managed)
        vgpu_memory_free(&vgpu_driver.memory, module->managed, 1u << VGPU_RANGE_MANAGED);
    free(module);
}

void vgpu_modules_destroy(struct CUctx_st *context)
{
    for (struct CUmod_st *module; (module = vgpu_handle_of(context, KIND_MODULE));)
        vgpu_module_unload(module);
}

static int load(CUmodule *result, const void *bytes, size_t max, struct vgpu_jit_log *log)
{
    struct CUctx_st *context;
    struct vgpu_image image;
    int status = vgpu_enter(&context);

    if (!status && (!result || !bytes))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_image_take(bytes, max, &image);
    if (status)
        return status;
    status = vgpu_module_load(context, &image, log, result);
    vgpu_image_drop(&image);
    return status;
}

CUresult impl_cuModuleLoadData(CUmodule *module, const void *image)
{
    return load(module, image, SIZE_MAX, NULL);
}

CUresult impl_cuModuleLoadFatBinary(CUmodule *module, const void *image)
{
    return load(module, image, SIZE_MAX, NULL);
}

CUresult impl_cuModuleLoad(CUmodule *module, const char *path)
{
    void *bytes;
    size_t size;
    int status = vgpu_enter_init();

    if (!status && (!module || !path))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_read_file(path, &bytes, &size);
    if (status)
        return status;
    status = load(module, bytes, size, NULL);
    free(bytes);
    return status;
}

CUresult impl_cuModuleLoadDataEx(CUmodule *module, const void *image, uint32_t count, CUjit_option *options, void **values)
{
    struct vgpu_jit_log log;
    int status = vgpu_enter_init();

    if (!status)
        status = vgpu_jit_options(count, options, values, &log);
    if (status)
        return status;
    status = load(module, image, SIZE_MAX, &log);
    vgpu_jit_finish(count, options, values, &log);
    return status;
}

/* ---- what a module holds ---- */

static int check(CUmodule module)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_handle_is(module, KIND_MODULE) ? 0 : CUDA_ERROR_INVALID_HANDLE;
}

CUresult impl_cuModuleUnload(CUmodule module)
{
    int status = check(module);

    if (!status && module->hidden)
        status = CUDA_ERROR_NOT_PERMITTED;
    if (status)
        return status;
    vgpu_defer_settle_all(module->context); /* launches of its kernels may be kept */
    vgpu_module_unload(module);
    return 0;
}

CUresult impl_cuModuleGetLoadingMode(CUmoduleLoadingMode *mode)
{
    int status = vgpu_enter_init();
    const char *wanted = getenv("CUDA_MODULE_LOADING");

    if (!status && !mode)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *mode = wanted && !strcmp(wanted, "EAGER") ? 1 : 2; /* lazy */
    return status;
}

static int fetch_function(struct CUmod_st *module, const char *name, struct CUfunc_st **result)
{
    uint32_t pairs[2 * 4096];
    struct CUfunc_st *function = calloc(1, sizeof *function);
    struct vgpu_call_reply reply = {.tail = pairs, .tail_room = sizeof pairs};
    int status = CUDA_ERROR_OUT_OF_MEMORY;

    if (function && (function->name = strdup(name))) {
        function->module = module;
        function->id = vgpu_new_id();
        reply.fixed = &function->info;
        reply.fixed_size = sizeof function->info;
        struct vgpu_cmd_function_get command = {.module = module->id, .function = function->id};
        status = vgpu_call(&vgpu_driver.channel, VGPU_CMD_FUNCTION_GET, &command, sizeof command, name, strlen(name), &reply);
    }
    if (!status && (function->info.params > 4096 || reply.tail_size != function->info.params * sizeof *function->params ||
                    function->info.param_size > VGPU_TAIL_MAX))
        status = vgpu_channel_fail(&vgpu_driver.channel, CUDA_ERROR_UNKNOWN, "the host described a kernel that cannot be");
    if (!status) {
        function->params = malloc(reply.tail_size + 1);
        status = function->params ? 0 : CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (!status) {
        memcpy(function->params, pairs, reply.tail_size);
        for (uint32_t i = 0; !status && i < function->info.params; i++) {
            const struct vgpu_param *param = &function->params[i];
            if (param->offset > function->info.param_size || param->size > function->info.param_size - param->offset)
                status = vgpu_channel_fail(&vgpu_driver.channel, CUDA_ERROR_UNKNOWN,
                                           "the host described a kernel whose parameters overlap its end");
        }
    }
    if (!status) {
        int whole = vgpu_attribute(ATTR_MAX_SHARED_MEMORY_PER_BLOCK);
        function->max_dynamic_shared = whole > (int)function->info.static_shared ? whole - (int)function->info.static_shared : 0;
        function->carveout = -1;
        status = vgpu_handle_add(function, KIND_FUNCTION, module->context);
    }
    if (status) {
        if (function) {
            free(function->name);
            free(function->params);
        }
        free(function);
        return status;
    }
    function->next = module->functions;
    module->functions = function;
    *result = function;
    return 0;
}

int vgpu_module_function(struct CUmod_st *module, const char *name, struct CUfunc_st **result)
{
    int status = 0;

    if (!*name || strlen(name) > NAME_LIMIT)
        return CUDA_ERROR_NOT_FOUND;
    pthread_mutex_lock(&module->lock);
    struct CUfunc_st *function = module->functions;
    while (function && strcmp(function->name, name))
        function = function->next;
    if (function)
        *result = function;
    else
        status = fetch_function(module, name, result);
    pthread_mutex_unlock(&module->lock);
    return status;
}

CUresult impl_cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    int status = check(module);

    if (!status && (!function || !name))
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : vgpu_module_function(module, name, function);
}

int vgpu_module_global(struct CUmod_st *module, const char *name, bool managed, uint64_t *address, size_t *size)
{
    struct vgpu_cmd_global_get command = {module->id};
    struct vgpu_reply_global_get answer;
    struct vgpu_call_reply reply = {.fixed = &answer, .fixed_size = sizeof answer};

    if (!*name || strlen(name) > NAME_LIMIT)
        return CUDA_ERROR_NOT_FOUND;
    int status =
        vgpu_call(&vgpu_driver.channel, VGPU_CMD_GLOBAL_GET, &command, sizeof command, name, strlen(name), &reply);
    if (!status && managed && !(answer.flags & 1))
        status = CUDA_ERROR_NOT_FOUND;
    if (status)
        return status;
    if (address)
        *address = answer.address;
    if (size)
        *size = answer.size;
    return 0;
}

CUresult impl_cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *size, CUmodule module, const char *name)
{
    int status = check(module);

    if (!status && !name)
        status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : vgpu_module_global(module, name, false, address, size);
}

int vgpu_module_names(struct CUmod_st *module, char **names, uint32_t *count)
{
    struct vgpu_reply_module_names answer;
    size_t used = 0;
    char *all = NULL;
    int status = 0;

    *count = 0;
    while (!status && *count < module->function_count) {
        struct vgpu_cmd_module_names command = {.module = module->id, .first = *count};
        char *grown = realloc(all, used + VGPU_REPLY_SIZE);
        if (!grown) {
            status = CUDA_ERROR_OUT_OF_MEMORY;
            break;
        }
        all = grown;
        struct vgpu_call_reply reply = {.fixed = &answer, .fixed_size = sizeof answer, .tail = all + used,
                                        .tail_room = VGPU_REPLY_SIZE};
        status = vgpu_call(&vgpu_driver.channel, VGPU_CMD_MODULE_NAMES, &command, sizeof command, NULL, 0, &reply);
        if (!status && (!answer.count || !reply.tail_size || all[used + reply.tail_size - 1]))
            status = vgpu_channel_fail(&vgpu_driver.channel, CUDA_ERROR_UNKNOWN, "the host listed no kernels' names");
        used += reply.tail_size;
        *count += answer.count;
    }
    /* As many names as were counted. */
    size_t at = 0;
    for (uint32_t i = 0; !status && i < *count; i++) {
        if (at >= used)
            status = vgpu_channel_fail(&vgpu_driver.channel, CUDA_ERROR_UNKNOWN, "the host miscounted kernels' names");
        else
            at += strlen(all + at) + 1;
    }
    if (status)
        free(all);
    else
        *names = all;
    return status;
}

CUresult impl_cuModuleGetFunctionCount(uint32_t *count, CUmodule module)
{
    int status = check(module);

    if (!status && !count)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        *count = module->function_count;
    return status;
}

CUresult impl_cuModuleEnumerateFunctions(CUfunction *functions, uint32_t room, CUmodule module)
{
    char *names;
    uint32_t count;
    int status = check(module);

    if (!status && (!functions || !room))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_module_names(module, &names, &count);
    if (status)
        return status;
    const char *name = names;
    for (uint32_t i = 0; !status && i < count && i < room; i++, name += strlen(name) + 1)
        status = vgpu_module_function(module, name, &functions[i]);
    free(names);
    return status;
}
