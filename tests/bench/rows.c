/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include <stddef.h>

#define JIT "VGPU_ENGINE=jit "
#define GPU "exec $B/vgpu run -- $B/tests/bench/"
#define KERNELS GPU "bench-kernels cuda $B/tests/bench/kernels.ptx "
#define OPENCL "exec $B/tests/bench/bench-kernels opencl $BENCH/kernels.cl "
#define PEER "exec $B/tests/bench/bench-peer "
#define DRIVER(what) JIT GPU "bench-driver " what " $B/tests/bench/kernels.ptx"

#define AGAINST_POCL(kernel) {"pocl/" kernel, "the same kernel in OpenCL C under PoCL", JIT KERNELS kernel, OPENCL kernel, .unit = "G/s"}

const struct row rows[] = {
    {"fma", "FMA chains in CUDA C : FMA peak of both cores", JIT KERNELS "fma", PEER "fma", .unit = "GF/s", .target = 0.85},
    {"matmul", "tiled product, 16x16 with barriers : FMA peak", JIT KERNELS "matmul", PEER "fma", .unit = "GF/s", .target = 0.25},
    {"matmul-openblas", "tiled product, 16x16 : sgemm of OpenBLAS", JIT KERNELS "matmul", PEER "sgemm", .unit = "GF/s"},
    {"mma", "m16n8k32 of 8-bit integers : VNNI peak of both cores", JIT KERNELS "mma", PEER "vnni", .unit = "Gop/s", .target = 0.3},

    {"memory/copy", "copy : read bandwidth", JIT KERNELS "copy", PEER "read", .unit = "GB/s", .target = 0.95},
    {"memory/saxpy", "saxpy : read bandwidth", JIT KERNELS "saxpy", PEER "read", .unit = "GB/s", .target = 0.95},
    {"memory/dequantise", "8 bits to 16 : read bandwidth", JIT KERNELS "dequantise", PEER "read", .unit = "GB/s", .target = 0.95},
    {"native/copy", "copy : memcpy on both cores", JIT KERNELS "copy", PEER "copy", .unit = "GB/s"},
    {"native/saxpy", "saxpy : the same in C on both cores", JIT KERNELS "saxpy", PEER "saxpy", .unit = "GB/s"},

    AGAINST_POCL("saxpy"),
    AGAINST_POCL("matmul-naive"),
    AGAINST_POCL("matmul"),
    AGAINST_POCL("reduce"),
    AGAINST_POCL("scan"),
    AGAINST_POCL("transpose"),
    AGAINST_POCL("mandelbrot"),
    AGAINST_POCL("nbody"),
    AGAINST_POCL("black-scholes"),
    AGAINST_POCL("histogram"),
    AGAINST_POCL("stencil"),
    {"pocl", "geometric mean of the above : PoCL", .mean_of = "pocl/", .target = 8},

    {"launch", "launch and wait : condition-variable ping-pong", DRIVER("launch"), PEER "ping-pong", .unit = "us", .target = 0.2, .at_most = true},
    {"queue", "empty launches queued", DRIVER("queue"), .unit = " K/s"},
    {0},
};
