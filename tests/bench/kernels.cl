/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels in OpenCL C. */
#define KERNEL __kernel void
#define FUNCTION static inline
#define GLOBAL __global
#define SHARED __local
#define LOCAL_X ((int)get_local_id(0))
#define LOCAL_Y ((int)get_local_id(1))
#define GROUP_X ((int)get_group_id(0))
#define GROUP_Y ((int)get_group_id(1))
#define WIDTH_X ((int)get_local_size(0))
#define WIDTH_Y ((int)get_local_size(1))
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define FMA(a, b, c) fma(a, b, c)
#define ABS(x) fabs(x)
#define SQRT(x) native_sqrt(x)
#define RSQRT(x) native_rsqrt(x)
#define EXP(x) native_exp(x)
#define LOG(x) native_log(x)
#define ADD_SHARED(p, n) atomic_add((volatile __local int *)(p), n)
#define ADD_GLOBAL(p, n) atomic_add((volatile __global int *)(p), n)
#include "kernels.h"
