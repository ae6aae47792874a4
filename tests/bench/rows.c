/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include <stddef.h>

#define JIT "VGPU_ENGINE=jit "
#define ONE_CPU "taskset -p -c $CPU $$ >/dev/null; " /* the shell itself, and so what it becomes */
/* Who wakes whom is a matter of priority: what waits runs at the usual one, whatever the bench has. */
#define USUAL "chrt --other 0 "
#define GPU "exec $B/vgpu run -- $B/tests/bench/"
#define KERNELS GPU "bench-kernels cuda $B/tests/bench/kernels.ptx "
#define OPENCL "exec $B/tests/bench/bench-kernels opencl $BENCH/kernels.cl "
#define PEER "exec $B/tests/bench/bench-peer "
#define DRIVER(what) JIT "exec " USUAL "$B/vgpu run -- $B/tests/bench/bench-driver " what " $B/tests/bench/kernels.ptx"

#define EACH(state, what) "exec $BENCH/side-each " state " $B/vgpu run -- $B/tests/bench/bench-kernels cuda $B/tests/bench/kernels.ptx " what
#define GGML(type, what) JIT "exec $BENCH/side-model " GGML_PROFILE " " type " " what, "exec $BENCH/side-model cpu " type " " what
#define GGML_PROFILE "h100-pcie"

#define AGAINST_POCL(kernel) {"pocl/" kernel, "the same kernel in OpenCL C under PoCL", JIT KERNELS kernel, OPENCL kernel, .unit = "G/s"}

#define DIRECT(device, kernel) "exec $B/tests/bench/bench-direct " device " $B/tests/bench/kernels.ptx " kernel
#define CONFINEMENT(kernel) \
    {"confinement/" kernel, "time with accesses tested : not tested", DIRECT("unconfined", kernel), DIRECT("confined", kernel), .unit = "G/s"}

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

    {"launch", "launch and wait : condition-variable ping-pong", DRIVER("launch"), "exec " USUAL "$B/tests/bench/bench-peer ping-pong", .unit = "us", .target = 0.2, .at_most = true},
    {"queue", "empty launches queued", DRIVER("queue"), .unit = " K/s"},

    {"compile", "for each PTX instruction, cold", JIT EACH("cold", "compile"), .unit = " ms"},
    {"start", "start-up with a warm cache - interpreted", JIT EACH("warm", "start"), "VGPU_ENGINE=interp " EACH("warm", "start"), .unit = " ms",
     .form = A_MINUS_B, .target = 50, .at_most = true},
    CONFINEMENT("copy"),
    CONFINEMENT("saxpy"),
    CONFINEMENT("dequantise"),
    CONFINEMENT("matmul"),
    CONFINEMENT("transpose"),
    CONFINEMENT("nbody"),
    CONFINEMENT("histogram"),
    {"confinement", "accesses tested : not tested, geometric mean of the above", .mean_of = "confinement/", .target = 1.03, .at_most = true},
    {"cores", "two cores : one, n bodies", JIT KERNELS "nbody", ONE_CPU JIT KERNELS "nbody", .unit = "GF/s", .target = 1.9},

    {"ggml/q8_0-generate", "tokens generated, libggml-cuda.so : ggml-cpu", GGML("q8_0", "generate"), .unit = "t/s", .target = 0.5},
    {"ggml/q8_0-prompt", "tokens of a prompt of 512, same", GGML("q8_0", "prompt"), .unit = "t/s", .target = 0.5},
    {"ggml/f16-generate", "tokens generated, same, F16", GGML("f16", "generate"), .unit = "t/s", .target = 0.5},
    {"ggml/f16-prompt", "tokens of a prompt of 512, same, F16", GGML("f16", "prompt"), .unit = "t/s", .target = 0.5},
    {0},
};
