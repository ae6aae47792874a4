/* SPDX-License-Identifier: Apache-2.0 */
/* What runs kernels.h: CUDA's driver API on the emulated GPU, its engine alone, or OpenCL. Whatever fails ends the program (side.h). */
#ifndef VGPU_BENCH_DEVICE_H
#define VGPU_BENCH_DEVICE_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t buffer; /* a device pointer, or a memory object */

struct argument {
    const void *value;
    size_t size;
};
/* An array of arguments, ended by a zero one. */
#define ARGUMENTS(...) ((const struct argument[]){__VA_ARGS__, {0}})
#define ARG(x) {&(x), sizeof(x)}

enum { ARGUMENTS_MAX = 8 };

struct device {
    const char *name;
    /* With the kernels' program: PTX, or OpenCL C with the folder of what it includes. */
    void (*open)(const char *program);
    buffer (*alloc)(size_t bytes);
    void (*write)(buffer to, const void *data, size_t bytes);
    void (*read)(void *data, buffer from, size_t bytes);
    /* Queued; blocks and threads in x and y. */
    void (*launch)(const char *kernel, const unsigned blocks[2], const unsigned threads[2], const struct argument *arguments);
    void (*finish)(void);
};

extern const struct device device_cuda, device_opencl;
/* Those of this program, ended by NULL. */
extern const struct device *const devices[];

#endif
