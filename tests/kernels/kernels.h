/* SPDX-License-Identifier: Apache-2.0 */
/* What every group of kernels shares: a GPU through libcuda.so.1, one PTX file at a time. A group defines kernels_test(); main()
 * is in kernels.c and calls it for each PTX file named on the command line (the same kernels, compiled differently). */
#ifndef VGPU_TESTS_KERNELS_H
#define VGPU_TESTS_KERNELS_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda_abi.h"
#include "cuda_api.h"
#include "both.h"
#include "listed.h"

struct shape {
    unsigned x, y, z;
};
#define SHAPE(...) ((struct shape){__VA_ARGS__})

/* Threads or blocks of a shape; dimensions left out count as 1. */
unsigned shape_count(struct shape s);
/* A shape in words, in one of a few static buffers. */
const char *shape_text(struct shape s);

/* Blocks of 1, 31, 32, 33, 96, 256 and 1024 threads, each in one, two and three dimensions (one thread has but one shape). Ends
 * with {0}. */
extern const struct shape block_shapes[];
#define FOR_SHAPES(s) for (const struct shape *s = block_shapes; s->x; s++)

/* A kernel of listed.h, which runs with each of these: its checks with blocks of one shape are one test. Memory is released between
 * them. */
struct listed {
    const char *kernel, *what;
    void (*run)(struct shape block);
};
#define LISTED_ROW(kernel, what) {#kernel, what, kernel},
/* The group's, up to one without a name. */
extern const struct listed listed[];
/* The group's other tests. Both with a PTX file loaded. */
void kernels_test(void);
/* How the loaded file was compiled, e.g. "O0-sm_70". */
extern const char *variant;
extern CUmodule module;

/* An entry point of libcuda.so.1: CU(cuInit)(0). */
void *kernels_symbol(const char *name);
#define CU(name) ((__typeof__(&name))kernels_symbol(#name))

/* Device memory that lives until gpu_release(). Failure ends the program. */
CUdeviceptr gpu_zeros(size_t bytes);
CUdeviceptr gpu_copy(const void *data, size_t bytes);
void gpu_read(void *data, CUdeviceptr from, size_t bytes);
void gpu_release(void);

/* Launch and wait; 1 when both went well, else a diagnosis is printed. The arguments are pointers to the kernel's. */
int gpu_launch(const char *kernel, struct shape grid, struct shape block, unsigned shared, int cooperative, void **args);
#define LAUNCH(kernel, grid, block, shared, ...) gpu_launch(kernel, grid, block, shared, 0, (void *[]){__VA_ARGS__})
#define LAUNCH_COOPERATIVE(kernel, grid, block, shared, ...) gpu_launch(kernel, grid, block, shared, 1, (void *[]){__VA_ARGS__})

/* One test, or a part of a listed one: COUNT elements of SIZE bytes at a device address are those of WANT, bit for bit; the first that differ are named. */
__attribute__((format(printf, 6, 7))) int is_array(int launched, CUdeviceptr got, const void *want, size_t count, size_t size, const char *fmt, ...);
#define IS_ARRAY(launched, got, want, count, ...) is_array(launched, got, want, count, sizeof *(want), __VA_ARGS__)

__attribute__((format(printf, 2, 3))) int is_true(int held_true, const char *fmt, ...);

/* Reproducible numbers. */
u32 rnd(void);
float rnd_float(float low, float high);

#endif
