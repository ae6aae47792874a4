/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL through its loader, which is a program's choice at run time: nothing of it is needed to build. Names and numbers are
 * those of the OpenCL 1.2 specification. */
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "side.h"

#define NEEDED "OpenCL on the CPU: packages pocl-opencl-icd and ocl-icd-libopencl1 (./configure --install-deps --bench)"

typedef int32_t cl_int;
typedef uint32_t cl_uint;
typedef struct cl_object *cl_object; /* each handle of OpenCL is a pointer */

enum { CL_DEVICE_TYPE_CPU = 2, CL_MEM_READ_WRITE = 1, CL_PROGRAM_BUILD_LOG = 0x1183, KERNELS_MAX = 32 };

#define FUNCTIONS(F)                                                                                                           \
    F(cl_int, clGetPlatformIDs, cl_uint, cl_object *, cl_uint *)                                                               \
    F(cl_int, clGetDeviceIDs, cl_object, uint64_t, cl_uint, cl_object *, cl_uint *)                                            \
    F(cl_object, clCreateContext, const intptr_t *, cl_uint, const cl_object *, void *, void *, cl_int *)                      \
    F(cl_object, clCreateCommandQueue, cl_object, cl_object, uint64_t, cl_int *)                                               \
    F(cl_object, clCreateBuffer, cl_object, uint64_t, size_t, void *, cl_int *)                                                \
    F(cl_object, clCreateProgramWithSource, cl_object, cl_uint, const char **, const size_t *, cl_int *)                       \
    F(cl_int, clBuildProgram, cl_object, cl_uint, const cl_object *, const char *, void *, void *)                             \
    F(cl_int, clGetProgramBuildInfo, cl_object, cl_object, cl_uint, size_t, void *, size_t *)                                  \
    F(cl_object, clCreateKernel, cl_object, const char *, cl_int *)                                                            \
    F(cl_int, clSetKernelArg, cl_object, cl_uint, size_t, const void *)                                                        \
    F(cl_int, clEnqueueNDRangeKernel, cl_object, cl_object, cl_uint, const size_t *, const size_t *, const size_t *, cl_uint,  \
      const cl_object *, cl_object *)                                                                                          \
    F(cl_int, clEnqueueWriteBuffer, cl_object, cl_object, cl_uint, size_t, size_t, const void *, cl_uint, const cl_object *,   \
      cl_object *)                                                                                                             \
    F(cl_int, clEnqueueReadBuffer, cl_object, cl_object, cl_uint, size_t, size_t, void *, cl_uint, const cl_object *,          \
      cl_object *)                                                                                                             \
    F(cl_int, clFinish, cl_object)

#define DECLARE(result, name, ...) static result (*name)(__VA_ARGS__);
FUNCTIONS(DECLARE)

static cl_object device, context, queue, program;
static struct {
    const char *name;
    cl_object kernel;
} kernels[KERNELS_MAX];

static void must(cl_int status, const char *what)
{
    if (status)
        side_fail("OpenCL, %s: error %d", what, status);
}

static void load(void)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW);

    if (!library)
        side_absent("%s", NEEDED);
#define LOAD(result, name, ...)                                                                                                \
    *(void **)&name = dlsym(library, #name);                                                                                   \
    if (!name)                                                                                                                 \
        side_fail("%s", dlerror());
    FUNCTIONS(LOAD)
}

static void build(const char *path)
{
    char source[64], options[4096], log[4096] = "", *copy = strdup(path), *copy2 = strdup(path);
    const char *text = source;
    cl_int status;

    snprintf(source, sizeof source, "#include \"%s\"\n", basename(copy));
    snprintf(options, sizeof options, "-I%s", dirname(copy2));
    free(copy);
    free(copy2);
    program = clCreateProgramWithSource(context, 1, &text, NULL, &status);
    must(status, "clCreateProgramWithSource");
    status = clBuildProgram(program, 1, &device, options, NULL, NULL);
    if (status) {
        clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
        fputs(log, stderr);
    }
    must(status, "clBuildProgram");
}

static void open_program(const char *path)
{
    cl_object platform;
    cl_int status;

    load();
    if (clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_CPU, 1, &device, NULL))
        side_absent("%s", NEEDED);
    context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
    must(status, "clCreateContext");
    queue = clCreateCommandQueue(context, device, 0, &status);
    must(status, "clCreateCommandQueue");
    build(path);
}

static cl_object kernel_named(const char *name)
{
    cl_int status;
    int i = 0;

    for (; i < KERNELS_MAX && kernels[i].name; i++)
        if (!strcmp(kernels[i].name, name))
            return kernels[i].kernel;
    if (i == KERNELS_MAX)
        side_fail("more than %d kernels", KERNELS_MAX);
    kernels[i].kernel = clCreateKernel(program, name, &status);
    must(status, name);
    kernels[i].name = name;
    return kernels[i].kernel;
}

static buffer alloc(size_t bytes)
{
    cl_int status;
    cl_object memory = clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, NULL, &status);

    must(status, "clCreateBuffer");
    return (buffer)(uintptr_t)memory;
}

static void write_buffer(buffer to, const void *data, size_t bytes)
{
    must(clEnqueueWriteBuffer(queue, (cl_object)(uintptr_t)to, 1, 0, bytes, data, 0, NULL, NULL), "clEnqueueWriteBuffer");
}

static void read_buffer(void *data, buffer from, size_t bytes)
{
    must(clEnqueueReadBuffer(queue, (cl_object)(uintptr_t)from, 1, 0, bytes, data, 0, NULL, NULL), "clEnqueueReadBuffer");
}

static void launch(const char *name, const unsigned blocks[2], const unsigned threads[2], const struct argument *arguments)
{
    size_t global[2] = {(size_t)blocks[0] * threads[0], (size_t)blocks[1] * threads[1]}, local[2] = {threads[0], threads[1]};
    cl_object kernel = kernel_named(name);

    for (cl_uint i = 0; arguments[i].value; i++)
        must(clSetKernelArg(kernel, i, arguments[i].size, arguments[i].value), name);
    must(clEnqueueNDRangeKernel(queue, kernel, 2, NULL, global, local, 0, NULL, NULL), name);
}

static void finish(void)
{
    must(clFinish(queue), "clFinish");
}

const struct device device_opencl = {"opencl", open_program, alloc, write_buffer, read_buffer, launch, finish};
