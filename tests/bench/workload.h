/* SPDX-License-Identifier: Apache-2.0 */
/* A workload: arrays, a step that is repeated, and a check of what one step wrote against C on this machine. */
#ifndef VGPU_BENCH_WORKLOAD_H
#define VGPU_BENCH_WORKLOAD_H

#include "device.h"

struct workload {
    const char *name;
    /* Make the arrays; the work of a step, in units of 10^9 (operations, bytes or elements). */
    double (*prepare)(void);
    void (*step)(void); /* queued */
    void (*check)(void);
};

/* Ends with one without a name. */
extern const struct workload compute_workloads[], memory_workloads[];
/* What runs them. */
extern const struct device *device;

/* A device array with these contents. */
buffer workload_array(const void *data, size_t bytes);
/* Reproducible numbers in [low, high), and where they were put. */
float *workload_floats(size_t n, float low, float high);
uint32_t workload_random(void);
/* malloc that ends the program instead of failing. */
void *workload_room(size_t bytes);
/* The array's contents; the caller frees them. */
void *workload_result(buffer from, size_t bytes);
/* GOT must be within TOLERANCE * max(1, |WANT|) of WANT; else the program ends. */
void workload_compare(size_t index, double got, double want, double tolerance);
/* Sizes in one and two dimensions. */
void workload_launch(const char *kernel, unsigned blocks_x, unsigned blocks_y, unsigned threads_x, unsigned threads_y,
                     const struct argument *arguments);

#endif
