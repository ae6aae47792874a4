/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries: images without a context. Each context that uses one gets a module of it at first use. */
#include <stdlib.h>
#include <string.h>

#include "cuda/defer.h"

enum { OPTION_BINARY_IS_PRESERVED = 1 };

struct loaded {
    struct CUctx_st *context;
    struct CUmod_st *module;
    struct loaded *next;
};

struct CUlib_st {
    struct vgpu_image image;
    struct loaded *loaded;
    struct CUkern_st *kernels;
    struct CUlib_st *next;
};

struct CUkern_st {
    struct CUlib_st *library;
    char *name;
    struct CUkern_st *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct CUlib_st *libraries;

/* LIBRARY's module in CONTEXT. */
static int module_in(struct CUlib_st *library, struct CUctx_st *context, struct CUmod_st **module)
{
    int status = 0;

    pthread_mutex_lock(&lock);
    struct loaded *loaded = library->loaded;
    while (loaded && loaded->context != context)
        loaded = loaded->next;
    if (!loaded) {
        loaded = calloc(1, sizeof *loaded);
        status = loaded ? vgpu_module_load(context, &library->image, NULL, &loaded->module) : CUDA_ERROR_OUT_OF_MEMORY;
        if (status) {
            free(loaded);
        } else {
            loaded->context = context;
            loaded->module->hidden = true;
            loaded->next = library->loaded;
            library->loaded = loaded;
        }
    }
    if (!status)
        *module = loaded->module;
    pthread_mutex_unlock(&lock);
    return status;
}

/* CONTEXT ends; its modules are unloaded elsewhere. */
void vgpu_libraries_forget(struct CUctx_st *context)
{
    pthread_mutex_lock(&lock);
    for (struct CUlib_st *library = libraries; library; library = library->next) {
        for (struct loaded **at = &library->loaded; *at;) {
            struct loaded *loaded = *at;
            if (loaded->context != context) {
                at = &loaded->next;
                continue;
            }
            *at = loaded->next;
            free(loaded);
        }
    }
    pthread_mutex_unlock(&lock);
}

static int load(CUlibrary *result, const void *bytes, size_t max)
{
    struct CUlib_st *library = calloc(1, sizeof *library);
    int status = library ? vgpu_image_take(bytes, max, &library->image) : CUDA_ERROR_OUT_OF_MEMORY;

    if (!status)
        status = vgpu_handle_add(library, KIND_LIBRARY, NULL);
    if (status) {
        if (library)
            vgpu_image_drop(&library->image);
        free(library);
        return status;
    }
    pthread_mutex_lock(&lock);
    library->next = libraries;
    libraries = library;
    pthread_mutex_unlock(&lock);
    *result = library;
    return 0;
}

/* The image is parsed when it is first used; that it is one is found out now. */
static int load_with_options(CUlibrary *library, const void *code, size_t max, CUjit_option *options, void **values,
                             uint32_t count, CUlibraryOption *library_options, uint32_t library_count)
{
    struct vgpu_jit_log log;
    int status = library && code && (!library_count || library_options) ? 0 : CUDA_ERROR_INVALID_VALUE;

    for (uint32_t i = 0; !status && i < library_count; i++)
        if (library_options[i] < 0 || library_options[i] > OPTION_BINARY_IS_PRESERVED)
            status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_jit_options(count, options, values, &log);
    if (status)
        return status;
    status = load(library, code, max);
    vgpu_jit_finish(count, options, values, &log);
    return status;
}

CUresult impl_cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *options, void **values, uint32_t count,
                                CUlibraryOption *library_options, void **library_values, uint32_t library_count)
{
    int status = vgpu_enter_init();

    return status ? status
                  : load_with_options(library, code, SIZE_MAX, options, values, count, library_options, library_count);
}

CUresult impl_cuLibraryLoadFromFile(CUlibrary *library, const char *path, CUjit_option *options, void **values,
                                    uint32_t count, CUlibraryOption *library_options, void **library_values,
                                    uint32_t library_count)
{
    void *bytes;
    size_t size;
    int status = vgpu_enter_init();

    if (!status && (!library || !path))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_read_file(path, &bytes, &size);
    if (status)
        return status;
    status = load_with_options(library, bytes, size, options, values, count, library_options, library_count);
    free(bytes);
    return status;
}

static int check(CUlibrary library)
{
    int status = vgpu_enter_init();

    return status ? status : vgpu_handle_is(library, KIND_LIBRARY) ? 0 : CUDA_ERROR_INVALID_HANDLE;
}

CUresult impl_cuLibraryUnload(CUlibrary library)
{
    int status = check(library);

    if (status)
        return status;
    vgpu_defer_settle_all(NULL); /* launches of its kernels may be kept */
    pthread_mutex_lock(&lock);
    vgpu_handle_remove(library);
    struct CUlib_st **at = &libraries;
    while (*at != library)
        at = &(*at)->next;
    *at = library->next;
    while (library->loaded) {
        struct loaded *loaded = library->loaded;
        library->loaded = loaded->next;
        vgpu_module_unload(loaded->module);
        free(loaded);
    }
    while (library->kernels) {
        struct CUkern_st *kernel = library->kernels;
        library->kernels = kernel->next;
        vgpu_handle_remove(kernel);
        free(kernel->name);
        free(kernel);
    }
    pthread_mutex_unlock(&lock);
    vgpu_image_drop(&library->image);
    free(library);
    return 0;
}

static int kernel_by_name(struct CUlib_st *library, const char *name, struct CUkern_st **result)
{
    int status = 0;

    pthread_mutex_lock(&lock);
    struct CUkern_st *kernel = library->kernels;
    while (kernel && strcmp(kernel->name, name))
        kernel = kernel->next;
    if (!kernel) {
        kernel = calloc(1, sizeof *kernel);
        status = CUDA_ERROR_OUT_OF_MEMORY;
        if (kernel && (kernel->name = strdup(name)))
            status = vgpu_handle_add(kernel, KIND_KERNEL, NULL);
        if (status) {
            if (kernel)
                free(kernel->name);
            free(kernel);
        } else {
            kernel->library = library;
            kernel->next = library->kernels;
            library->kernels = kernel;
        }
    }
    if (!status)
        *result = kernel;
    pthread_mutex_unlock(&lock);
    return status;
}

/* A context is needed to know what is in an image; without one a wrong name is found at first use. */
CUresult impl_cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name)
{
    struct CUctx_st *context;
    struct CUmod_st *module;
    struct CUfunc_st *function;
    int status = check(library);

    if (!status && (!kernel || !name))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && vgpu_current()) {
        status = vgpu_enter(&context);
        if (!status)
            status = module_in(library, context, &module);
        if (!status)
            status = vgpu_module_function(module, name, &function);
    }
    return status ? status : kernel_by_name(library, name, kernel);
}

static int current_module(CUlibrary library, struct CUmod_st **module)
{
    struct CUctx_st *context;
    int status = check(library);

    if (!status)
        status = vgpu_enter(&context);
    return status ? status : module_in(library, context, module);
}

CUresult impl_cuLibraryGetModule(CUmodule *module, CUlibrary library)
{
    return module ? current_module(library, module) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
}

CUresult impl_cuLibraryGetGlobal(CUdeviceptr *address, size_t *size, CUlibrary library, const char *name)
{
    struct CUmod_st *module;
    int status = name ? current_module(library, &module) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    return status ? status : vgpu_module_global(module, name, false, address, size);
}

/* NVIDIA's runtime asks before there is a context: the CPU may use the variable first. */
CUresult impl_cuLibraryGetManaged(CUdeviceptr *address, size_t *size, CUlibrary library, const char *name)
{
    struct CUctx_st *context;
    struct CUmod_st *module;
    int status = name ? check(library) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    if (!status)
        status = vgpu_enter_any(&context);
    if (!status)
        status = module_in(library, context, &module);
    return status ? status : vgpu_module_global(module, name, true, address, size);
}

CUresult impl_cuLibraryGetKernelCount(uint32_t *count, CUlibrary library)
{
    struct CUmod_st *module;
    int status = count ? current_module(library, &module) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    if (!status)
        *count = module->function_count;
    return status;
}

CUresult impl_cuLibraryEnumerateKernels(CUkernel *kernels, uint32_t room, CUlibrary library)
{
    struct CUmod_st *module;
    char *names;
    uint32_t count;
    int status = kernels && room ? current_module(library, &module) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);

    if (!status)
        status = vgpu_module_names(module, &names, &count);
    if (status)
        return status;
    const char *name = names;
    for (uint32_t i = 0; !status && i < count && i < room; i++, name += strlen(name) + 1)
        status = kernel_by_name(library, name, &kernels[i]);
    free(names);
    return status;
}

/* ---- kernels ---- */

static int kernel_function(CUkernel kernel, struct CUctx_st *context, struct CUfunc_st **function)
{
    struct CUmod_st *module;
    int status = module_in(kernel->library, context, &module);

    return status ? status : vgpu_module_function(module, kernel->name, function);
}

int vgpu_function_of(void *handle, struct CUctx_st *context, struct CUfunc_st **function)
{
    if (vgpu_handle_is(handle, KIND_FUNCTION)) {
        *function = handle;
        return 0;
    }
    return vgpu_handle_is(handle, KIND_KERNEL) ? kernel_function(handle, context, function) : CUDA_ERROR_INVALID_HANDLE;
}

static int enter_kernel(CUkernel kernel, struct CUfunc_st **function)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && !vgpu_handle_is(kernel, KIND_KERNEL))
        status = CUDA_ERROR_INVALID_HANDLE;
    return status ? status : kernel_function(kernel, context, function);
}

CUresult impl_cuKernelGetFunction(CUfunction *function, CUkernel kernel)
{
    return function ? enter_kernel(kernel, function) : vgpu_refuse(CUDA_ERROR_INVALID_VALUE);
}

CUresult impl_cuKernelGetLibrary(CUlibrary *library, CUkernel kernel)
{
    int status = vgpu_enter_init();

    if (!status && !library)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && !vgpu_handle_is(kernel, KIND_KERNEL))
        status = CUDA_ERROR_INVALID_HANDLE;
    if (!status)
        *library = kernel->library;
    return status;
}

CUresult impl_cuKernelGetName(const char **name, CUkernel kernel)
{
    int status = vgpu_enter_init();

    if (!status && !name)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && !vgpu_handle_is(kernel, KIND_KERNEL))
        status = CUDA_ERROR_INVALID_HANDLE;
    if (!status)
        *name = kernel->name;
    return status;
}

CUresult impl_cuKernelGetAttribute(int32_t *value, CUfunction_attribute attribute, CUkernel kernel, CUdevice device)
{
    struct CUfunc_st *function;
    int status = vgpu_enter_device(device);

    if (!status && !value)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = enter_kernel(kernel, &function);
    return status ? status : vgpu_function_attribute(function, attribute, value);
}

CUresult impl_cuKernelSetAttribute(CUfunction_attribute attribute, int32_t value, CUkernel kernel, CUdevice device)
{
    struct CUfunc_st *function;
    int status = vgpu_enter_device(device);

    if (!status)
        status = enter_kernel(kernel, &function);
    return status ? status : vgpu_function_set_attribute(function, attribute, value);
}

CUresult impl_cuKernelSetCacheConfig(CUkernel kernel, CUfunc_cache config, CUdevice device)
{
    struct CUfunc_st *function;
    int status = vgpu_enter_device(device);

    if (!status)
        status = enter_kernel(kernel, &function);
    return status ? status : config < 0 || config > 3 ? CUDA_ERROR_INVALID_VALUE : 0;
}

CUresult impl_cuKernelGetParamInfo(CUkernel kernel, size_t index, size_t *offset, size_t *size)
{
    struct CUfunc_st *function;
    int status = enter_kernel(kernel, &function);

    if (!status && (!offset || index >= function->info.params))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    *offset = function->params[index].offset;
    if (size)
        *size = function->params[index].size;
    return 0;
}
