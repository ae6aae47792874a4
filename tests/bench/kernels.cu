/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels in CUDA C, compiled by clang alone; and those that have no twin. */
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
typedef unsigned int uint;

#define KERNEL extern "C" __global__ void
#define FUNCTION static __device__ inline
#define GLOBAL
#define SHARED __shared__
#define LOCAL_X __nvvm_read_ptx_sreg_tid_x()
#define LOCAL_Y __nvvm_read_ptx_sreg_tid_y()
#define GROUP_X __nvvm_read_ptx_sreg_ctaid_x()
#define GROUP_Y __nvvm_read_ptx_sreg_ctaid_y()
#define WIDTH_X __nvvm_read_ptx_sreg_ntid_x()
#define WIDTH_Y __nvvm_read_ptx_sreg_ntid_y()
#define BARRIER() __syncthreads()
#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#define ABS(x) __builtin_fabsf(x)
#define SQRT(x) __nvvm_sqrt_approx_ftz_f(x)
#define RSQRT(x) __nvvm_rsqrt_approx_ftz_f(x)
#define EXP(x) __nvvm_ex2_approx_ftz_f((x) * 1.44269504f)
#define LOG(x) (__nvvm_lg2_approx_ftz_f(x) * 0.693147181f)
#define ADD_SHARED(p, n) __nvvm_atom_add_gen_i(p, n)
#define ADD_GLOBAL(p, n) __nvvm_atom_add_gen_i(p, n)
#include "kernels.h"

KERNEL empty()
{
}

/* As weights of 8 bits are stored: a scale, then 32 of them. */
struct block_q8 {
    _Float16 scale;
    signed char q[32];
};

/* Two neighbours a thread. */
KERNEL dequantise(const block_q8 *in, _Float16 *out)
{
    int i = 2 * GLOBAL_X;
    const block_q8 *from = in + i / 32;
    float scale = (float)from->scale;

    out[i] = (_Float16)(scale * (float)from->q[i % 32]);
    out[i + 1] = (_Float16)(scale * (float)from->q[i % 32 + 1]);
}

#define MMA_ROWS 2
#define MMA_COLUMNS 4

static __device__ inline void mma_s8(int *c, const uint *a, const uint *b)
{
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* A 32 x 32 tile of sums in each warp, n times the same product of what its lanes' fragments hold. */
KERNEL mma_loop(const uint *fragments, int *out, int n)
{
    uint a[MMA_ROWS][4], b[MMA_COLUMNS][2];
    int c[MMA_ROWS][MMA_COLUMNS][4] = {}, lane = LOCAL_X & 31, *to = out + 32 * GLOBAL_X;

    for (int i = 0; i < MMA_ROWS * 4; i++)
        a[i / 4][i % 4] = fragments[i * 32 + lane];
    for (int i = 0; i < MMA_COLUMNS * 2; i++)
        b[i / 2][i % 2] = fragments[(MMA_ROWS * 4 + i) * 32 + lane];
    for (int k = 0; k < n; k++)
        for (int i = 0; i < MMA_ROWS; i++)
            for (int j = 0; j < MMA_COLUMNS; j++)
                mma_s8(c[i][j], a[i], b[j]);
    for (int i = 0; i < MMA_ROWS; i++)
        for (int j = 0; j < MMA_COLUMNS; j++)
            for (int e = 0; e < 4; e++)
                to[(i * MMA_COLUMNS + j) * 4 + e] = c[i][j][e];
}
