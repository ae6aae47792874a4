/* SPDX-License-Identifier: Apache-2.0 */
/* What nvcc's generated code registers before main: fat binaries, and which host address stands for which kernel or
 * variable in them. Registering only takes notes (ggml registers 145 fat binaries with thousands of kernels in every process,
 * also in those that never launch one); a fat binary becomes a CUlibrary when something in it is first used. */
#include <pthread.h>
#include <stdlib.h>

#include "cudart/runtime.h"

/* The struct that nvcc's __fatBinC_Wrapper_t is. */
enum { FATBIN_WRAPPER_MAGIC = 0x466243b1 };
struct fatbin_wrapper {
    uint32_t magic, version;
    const void *data;
    void *others;
};

struct fatbin {
    const struct fatbin_wrapper *wrapper;
    pthread_mutex_t lock;
    CUlibrary library; /* NULL: not loaded */
    cudaError_t error; /* what is wrong with the image: then loading it is not tried again */
    struct managed {
        void **host;
        const char *name;
        struct managed *next;
    } *managed;
};

struct symbol {
    const void *host; /* NULL: a free place */
    struct fatbin *fatbin; /* NULL: it was here and is gone */
    const char *name;
    size_t size;
    bool variable;
    CUkernel kernel; /* NULL: not asked for yet */
};

/* Open addressing; never more than half full. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct symbol *table;
static size_t table_room, table_used;

static size_t place_of(const struct symbol *symbols, size_t room, const void *host)
{
    size_t i = (size_t)(((uintptr_t)host >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (room - 1);

    while (symbols[i].host && symbols[i].host != host)
        i = (i + 1) & (room - 1);
    return i;
}

static bool grow(void)
{
    size_t room = table_room ? 2 * table_room : 1024;
    struct symbol *bigger = calloc(room, sizeof *bigger);

    if (!bigger)
        return false;
    table_used = 0;
    for (size_t i = 0; i < table_room; i++)
        if (table[i].fatbin) {
            bigger[place_of(bigger, room, table[i].host)] = table[i];
            table_used++;
        }
    free(table);
    table = bigger;
    table_room = room;
    return true;
}

static void add_symbol(struct fatbin *fatbin, const void *host, const char *name, size_t size, bool variable)
{
    if (!fatbin || !host || !name)
        return;
    pthread_mutex_lock(&table_lock);
    if (2 * (table_used + 1) <= table_room || grow()) {
        struct symbol *symbol = &table[place_of(table, table_room, host)];
        table_used += !symbol->host;
        *symbol = (struct symbol){host, fatbin, name, size, variable, NULL};
    } else {
        vgpu_log(VGPU_LOG_ERROR, "no memory to register %s", name);
    }
    pthread_mutex_unlock(&table_lock);
}

static bool find_symbol(const void *host, bool variable, struct symbol *found)
{
    bool is_there = false;

    if (!host)
        return false;
    pthread_mutex_lock(&table_lock);
    if (table_room) {
        *found = table[place_of(table, table_room, host)];
        is_there = found->host && found->fatbin && found->variable == variable;
    }
    pthread_mutex_unlock(&table_lock);
    return is_there;
}

/* ---- what generated code calls ---- */

void *impl___cudaRegisterFatBinary(void *wrapper)
{
    struct fatbin *fatbin = calloc(1, sizeof *fatbin);

    if (fatbin) {
        fatbin->wrapper = wrapper;
        pthread_mutex_init(&fatbin->lock, NULL);
    } else {
        vgpu_log(VGPU_LOG_ERROR, "no memory to register a fat binary");
    }
    return fatbin;
}

void impl___cudaRegisterFatBinaryEnd(void **handle)
{
}

void impl___cudaUnregisterFatBinary(void **handle)
{
    struct fatbin *fatbin = (struct fatbin *)handle;

    if (!fatbin)
        return;
    pthread_mutex_lock(&table_lock);
    for (size_t i = 0; i < table_room; i++)
        if (table[i].fatbin == fatbin)
            table[i].fatbin = NULL;
    pthread_mutex_unlock(&table_lock);
    if (fatbin->library)
        cuLibraryUnload(fatbin->library); /* at exit the driver may have ended before us; then it says so */
    while (fatbin->managed) {
        struct managed *next = fatbin->managed->next;
        free(fatbin->managed);
        fatbin->managed = next;
    }
    pthread_mutex_destroy(&fatbin->lock);
    free(fatbin);
}

void impl___cudaRegisterFunction(void **handle, void *host, void *device_fun, const char *name, int32_t thread_limit,
                                 void *tid, void *bid, void *block, void *grid, int32_t *warp_size)
{
    add_symbol((struct fatbin *)handle, host, name, 0, false);
}

void impl___cudaRegisterVar(void **handle, void *host, void *device_address, const char *name, int32_t ext, size_t bytes,
                            int32_t constant, int32_t global)
{
    add_symbol((struct fatbin *)handle, host, name, bytes, true);
}

/* The host's variable is a pointer, which the runtime fills in when the fat binary is loaded. */
void impl___cudaRegisterManagedVar(void **handle, void **host, void *device_address, const char *name, int32_t ext,
                                   size_t bytes, int32_t constant, int32_t global)
{
    struct fatbin *fatbin = (struct fatbin *)handle;
    struct managed *managed = fatbin ? malloc(sizeof *managed) : NULL;

    if (!managed)
        return;
    *managed = (struct managed){host, name, fatbin->managed};
    fatbin->managed = managed;
    add_symbol(fatbin, host, name, bytes, true);
}

/* ---- loading ---- */

static void fill_managed(struct fatbin *fatbin)
{
    for (struct managed *m = fatbin->managed; m; m = m->next) {
        uint64_t address = 0;
        size_t size;
        CUresult error = cuLibraryGetManaged(&address, &size, fatbin->library, m->name);
        if (error)
            vgpu_log(VGPU_LOG_ERROR, "managed variable %s: %s", m->name, impl_cudaGetErrorString(error));
        else
            *m->host = (void *)(uintptr_t)address;
    }
}

/* Errors that are the image's, whatever the state of the context. */
static bool is_of_image(cudaError_t error)
{
    enum { INVALID_PTX = 218, UNSUPPORTED_PTX_VERSION = 222, INVALID_SOURCE = 300 };

    return error == CUDA_ERROR_INVALID_IMAGE || error == CUDA_ERROR_NO_BINARY_FOR_GPU || error == INVALID_PTX ||
           error == UNSUPPORTED_PTX_VERSION || error == INVALID_SOURCE;
}

static cudaError_t load(struct fatbin *fatbin)
{
    const struct fatbin_wrapper *wrapper = fatbin->wrapper;

    pthread_mutex_lock(&fatbin->lock);
    cudaError_t error = fatbin->error;
    if (!fatbin->library && !error) {
        if (!wrapper || wrapper->magic != FATBIN_WRAPPER_MAGIC || !wrapper->data)
            error = CUDA_ERROR_INVALID_IMAGE;
        else
            error = cuLibraryLoadData(&fatbin->library, wrapper->data, NULL, NULL, 0, NULL, NULL, 0);
        if (error) {
            fatbin->library = NULL;
            fatbin->error = is_of_image(error) ? error : 0;
            vgpu_log(VGPU_LOG_ERROR, "a registered fat binary cannot be loaded: %s", impl_cudaGetErrorString(error));
        } else {
            fill_managed(fatbin);
        }
    }
    pthread_mutex_unlock(&fatbin->lock);
    return error;
}

char impl___cudaInitModule(void **handle)
{
    struct fatbin *fatbin = (struct fatbin *)handle;

    return fatbin && !report(runtime_enter()) && !report(load(fatbin));
}

cudaError_t registry_kernel(const void *host, CUkernel *kernel)
{
    struct symbol symbol;
    CUfunction function;
    cudaError_t error;

    if (!host)
        return RT_INVALID_DEVICE_FUNCTION;
    if (!find_symbol(host, false, &symbol)) {
        /* The driver looks handles up before it reads through them. */
        *kernel = (CUkernel)host;
        return cuKernelGetFunction(&function, *kernel) ? RT_INVALID_DEVICE_FUNCTION : 0;
    }
    *kernel = symbol.kernel;
    if (symbol.kernel)
        return 0;
    error = load(symbol.fatbin);
    if (!error)
        error = cuLibraryGetKernel(kernel, symbol.fatbin->library, symbol.name);
    if (error == CUDA_ERROR_NOT_FOUND)
        return RT_INVALID_DEVICE_FUNCTION;
    if (error)
        return error;
    pthread_mutex_lock(&table_lock);
    struct symbol *entry = &table[place_of(table, table_room, host)];
    if (entry->fatbin == symbol.fatbin)
        entry->kernel = *kernel;
    pthread_mutex_unlock(&table_lock);
    return 0;
}

cudaError_t registry_function(const void *host, CUfunction *function)
{
    CUkernel kernel;
    cudaError_t error = registry_kernel(host, &kernel);

    return error ? error : cuKernelGetFunction(function, kernel);
}

cudaError_t registry_variable(const void *host, uint64_t *address, size_t *size)
{
    struct symbol symbol;
    size_t bytes = 0;

    if (!find_symbol(host, true, &symbol))
        return RT_INVALID_SYMBOL;
    cudaError_t error = load(symbol.fatbin);
    if (!error)
        error = cuLibraryGetGlobal(address, &bytes, symbol.fatbin->library, symbol.name);
    if (size)
        *size = symbol.size ? symbol.size : bytes;
    return error == CUDA_ERROR_NOT_FOUND ? RT_INVALID_SYMBOL : error;
}

cudaError_t registry_range(const void *host, size_t size, size_t offset, uint64_t *address)
{
    size_t room = 0;
    cudaError_t error = registry_variable(host, address, &room);

    if (!error && (offset > room || size > room - offset))
        error = CUDA_ERROR_INVALID_VALUE;
    *address += offset;
    return error;
}

void *registry_host(void *kernel, void *function)
{
    const void *host = NULL;

    pthread_mutex_lock(&table_lock);
    for (size_t i = 0; i < table_room && !host; i++) {
        CUfunction same;
        if (!table[i].fatbin || !table[i].kernel)
            continue;
        if ((void *)table[i].kernel == kernel || (void *)table[i].kernel == function ||
            (function && !cuKernelGetFunction(&same, table[i].kernel) && (void *)same == function))
            host = table[i].host;
    }
    pthread_mutex_unlock(&table_lock);
    return host ? (void *)host : kernel ? kernel : function;
}

/* ---- addresses and handles ---- */

cudaError_t impl_cudaGetSymbolAddress(void **address, const void *symbol)
{
    uint64_t va = 0;
    cudaError_t error = runtime_enter();

    if (!error && !address)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = registry_variable(symbol, &va, NULL);
    if (!error)
        *address = (void *)(uintptr_t)va;
    return report(error);
}

cudaError_t impl_cudaGetSymbolSize(size_t *size, const void *symbol)
{
    uint64_t va;
    cudaError_t error = runtime_enter();

    if (!error && !size)
        error = CUDA_ERROR_INVALID_VALUE;
    return report(error ? error : registry_variable(symbol, &va, size));
}

cudaError_t impl_cudaGetFuncBySymbol(cudaFunction_t *function, const void *symbol)
{
    cudaError_t error = runtime_enter();

    if (!error && !function)
        error = CUDA_ERROR_INVALID_VALUE;
    return report(error ? error : registry_function(symbol, function));
}

cudaError_t impl_cudaGetKernel(cudaKernel_t *kernel, const void *host)
{
    CUkernel found = NULL;
    cudaError_t error = runtime_enter();

    if (!error && !kernel)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = registry_kernel(host, &found);
    if (kernel)
        *kernel = error ? NULL : found;
    return report(error);
}

cudaError_t impl___cudaGetKernel(cudaKernel_t *kernel, const void *host)
{
    return impl_cudaGetKernel(kernel, host);
}
