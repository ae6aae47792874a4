/* SPDX-License-Identifier: Apache-2.0 */
#include "device_cuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "side.h"

enum { FUNCTIONS_MAX = 32 };

static void *library;
static CUmodule module;
static struct {
    const char *name;
    CUfunction function;
} functions[FUNCTIONS_MAX];

void *cuda_symbol(const char *name)
{
    void *p = dlsym(library, name);

    if (!p)
        side_fail("%s", dlerror());
    return p;
}

void cuda_must(int status, const char *what)
{
    if (status)
        side_fail("%s: error %d", what, status);
}

char *cuda_read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long size;

    if (f && !fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET) && (text = malloc((size_t)size + 1)))
        text[fread(text, 1, (size_t)size, f)] = 0;
    if (f)
        fclose(f);
    if (!text)
        side_absent("%s cannot be read (clang-19 makes it: ./configure --install-deps)", path);
    return text;
}

void cuda_open(void)
{
    CUcontext context;

    library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        side_fail("%s", dlerror());
    cuda_must(CU(cuInit)(0), "cuInit");
    cuda_must(CU(cuDevicePrimaryCtxRetain)(&context, 0), "cuDevicePrimaryCtxRetain");
    cuda_must(CU(cuCtxSetCurrent)(context), "cuCtxSetCurrent");
}

static void open_program(const char *program)
{
    char *text = cuda_read_file(program);

    cuda_open();
    cuda_must(CU(cuModuleLoadData)(&module, text), program);
    free(text);
}

CUfunction cuda_function(const char *name)
{
    int i = 0;

    for (; i < FUNCTIONS_MAX && functions[i].name; i++)
        if (!strcmp(functions[i].name, name))
            return functions[i].function;
    if (i == FUNCTIONS_MAX)
        side_fail("more than %d kernels", FUNCTIONS_MAX);
    cuda_must(CU(cuModuleGetFunction)(&functions[i].function, module, name), name);
    functions[i].name = name;
    return functions[i].function;
}

static buffer alloc(size_t bytes)
{
    CUdeviceptr p;

    cuda_must(CU(cuMemAlloc_v2)(&p, bytes), "cuMemAlloc");
    return p;
}

static void write_buffer(buffer to, const void *data, size_t bytes)
{
    cuda_must(CU(cuMemcpyHtoD_v2)(to, data, bytes), "cuMemcpyHtoD");
}

static void read_buffer(void *data, buffer from, size_t bytes)
{
    cuda_must(CU(cuMemcpyDtoH_v2)(data, from, bytes), "cuMemcpyDtoH");
}

static void launch(const char *kernel, const unsigned blocks[2], const unsigned threads[2], const struct argument *arguments)
{
    void *values[ARGUMENTS_MAX];

    for (int i = 0; arguments[i].value; i++)
        values[i] = (void *)arguments[i].value;
    cuda_must(CU(cuLaunchKernel)(cuda_function(kernel), blocks[0], blocks[1], 1, threads[0], threads[1], 1, 0, NULL, values, NULL), kernel);
}

static void finish(void)
{
    cuda_must(CU(cuCtxSynchronize)(), "cuCtxSynchronize");
}

const struct device device_cuda = {"cuda", open_program, alloc, write_buffer, read_buffer, launch, finish};
