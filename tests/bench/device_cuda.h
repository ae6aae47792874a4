/* SPDX-License-Identifier: Apache-2.0 */
/* What the measurements of the driver itself use of device_cuda.c. */
#ifndef VGPU_BENCH_DEVICE_CUDA_H
#define VGPU_BENCH_DEVICE_CUDA_H

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

/* An entry point of libcuda.so.1: CU(cuInit)(0). */
void *cuda_symbol(const char *name);
#define CU(name) ((__typeof__(&name))cuda_symbol(#name))

void cuda_must(int status, const char *what);
/* A context, and nothing loaded. */
void cuda_open(void);
/* The whole file, with a zero behind it. */
char *cuda_read_file(const char *path);
CUfunction cuda_function(const char *name);

#endif
