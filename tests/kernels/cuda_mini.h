/* SPDX-License-Identifier: Apache-2.0 */
/* As much of CUDA C as these kernels use, on clang's builtins for NVPTX, so that no toolkit is needed.
 * Blocks and grids may have any shape: linear_thread(), linear_block() and their counts number them x first. */
#ifndef VGPU_TESTS_CUDA_MINI_H
#define VGPU_TESTS_CUDA_MINI_H

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __noinline__ __attribute__((noinline))
#define KERNEL extern "C" __global__ void
#define DEVICE static __device__ inline

typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
typedef _Float16 half;

struct uint3 {
    u32 x, y, z;
};

/* Built afresh on every use: at -O0 a call that returns a struct, at -O2 one special register. */
DEVICE uint3 thread_index() { return {(u32)__nvvm_read_ptx_sreg_tid_x(), (u32)__nvvm_read_ptx_sreg_tid_y(), (u32)__nvvm_read_ptx_sreg_tid_z()}; }
DEVICE uint3 block_index() { return {(u32)__nvvm_read_ptx_sreg_ctaid_x(), (u32)__nvvm_read_ptx_sreg_ctaid_y(), (u32)__nvvm_read_ptx_sreg_ctaid_z()}; }
DEVICE uint3 block_shape() { return {(u32)__nvvm_read_ptx_sreg_ntid_x(), (u32)__nvvm_read_ptx_sreg_ntid_y(), (u32)__nvvm_read_ptx_sreg_ntid_z()}; }
DEVICE uint3 grid_shape() { return {(u32)__nvvm_read_ptx_sreg_nctaid_x(), (u32)__nvvm_read_ptx_sreg_nctaid_y(), (u32)__nvvm_read_ptx_sreg_nctaid_z()}; }
#define threadIdx thread_index()
#define blockIdx block_index()
#define blockDim block_shape()
#define gridDim grid_shape()

DEVICE u32 linear(uint3 i, uint3 n) { return (i.z * n.y + i.y) * n.x + i.x; }
DEVICE u32 volume(uint3 n) { return n.x * n.y * n.z; }
DEVICE u32 linear_thread() { return linear(threadIdx, blockDim); }
DEVICE u32 linear_block() { return linear(blockIdx, gridDim); }
DEVICE u32 threads() { return volume(blockDim); }
DEVICE u32 blocks() { return volume(gridDim); }
DEVICE u32 global_thread() { return linear_block() * threads() + linear_thread(); }
DEVICE u32 lane() { return __nvvm_read_ptx_sreg_laneid(); }

/* ---- Warps ---- */

#define FULL 0xffffffffu

/* The lanes that this warp of the block was started with: the last warp may be short. */
DEVICE u32 warp_lanes()
{
    u32 left = threads() - (linear_thread() & ~31u);

    return left >= 32 ? FULL : (1u << left) - 1;
}
DEVICE u32 active_mask()
{
    u32 mask;

    asm volatile("activemask.b32 %0;" : "=r"(mask));
    return mask;
}
DEVICE u32 lanes_below() { return (1u << lane()) - 1; }
DEVICE void __syncwarp(u32 mask) { __nvvm_bar_warp_sync(mask); }
DEVICE u32 __ballot_sync(u32 mask, int p) { return __nvvm_vote_ballot_sync(mask, p); }
DEVICE int __any_sync(u32 mask, int p) { return __nvvm_vote_any_sync(mask, p); }
DEVICE int __all_sync(u32 mask, int p) { return __nvvm_vote_all_sync(mask, p); }
DEVICE int __shfl_sync(u32 mask, int v, u32 from) { return __nvvm_shfl_sync_idx_i32(mask, v, from, 31); }
DEVICE int __shfl_up_sync(u32 mask, int v, u32 by) { return __nvvm_shfl_sync_up_i32(mask, v, by, 0); }
DEVICE int __shfl_down_sync(u32 mask, int v, u32 by) { return __nvvm_shfl_sync_down_i32(mask, v, by, 31); }
DEVICE int __shfl_xor_sync(u32 mask, int v, u32 by) { return __nvvm_shfl_sync_bfly_i32(mask, v, by, 31); }
DEVICE float __shfl_xor_sync(u32 mask, float v, u32 by) { return __nvvm_shfl_sync_bfly_f32(mask, v, by, 31); }

/* ---- Memory ---- */

DEVICE void __threadfence() { __nvvm_membar_gl(); }
DEVICE void __threadfence_block() { __nvvm_membar_cta(); }
DEVICE int atomicAdd(int *p, int v) { return __nvvm_atom_add_gen_i(p, v); }
DEVICE u32 atomicAdd(u32 *p, u32 v) { return __nvvm_atom_add_gen_i((int *)p, v); }
DEVICE u64 atomicAdd(u64 *p, u64 v) { return __nvvm_atom_add_gen_ll((i64 *)p, v); }
DEVICE float atomicAdd(float *p, float v) { return __nvvm_atom_add_gen_f(p, v); }
DEVICE double atomicAdd(double *p, double v) { return __nvvm_atom_add_gen_d(p, v); }
DEVICE int atomicMin(int *p, int v) { return __nvvm_atom_min_gen_i(p, v); }
DEVICE int atomicMax(int *p, int v) { return __nvvm_atom_max_gen_i(p, v); }
DEVICE u32 atomicMax(u32 *p, u32 v) { return __nvvm_atom_max_gen_ui(p, v); }
DEVICE u64 atomicMax(u64 *p, u64 v) { return __nvvm_atom_max_gen_ull(p, v); }
DEVICE u32 atomicAnd(u32 *p, u32 v) { return __nvvm_atom_and_gen_i((int *)p, v); }
DEVICE u32 atomicOr(u32 *p, u32 v) { return __nvvm_atom_or_gen_i((int *)p, v); }
DEVICE u32 atomicXor(u32 *p, u32 v) { return __nvvm_atom_xor_gen_i((int *)p, v); }
DEVICE u32 atomicInc(u32 *p, u32 v) { return __nvvm_atom_inc_gen_ui(p, v); }
DEVICE u32 atomicDec(u32 *p, u32 v) { return __nvvm_atom_dec_gen_ui(p, v); }
DEVICE u32 atomicExch(u32 *p, u32 v) { return __nvvm_atom_xchg_gen_i((int *)p, v); }
DEVICE u32 atomicCAS(u32 *p, u32 old, u32 v) { return __nvvm_atom_cas_gen_i((int *)p, old, v); }
DEVICE u64 atomicCAS(u64 *p, u64 old, u64 v) { return __nvvm_atom_cas_gen_ll((i64 *)p, old, v); }

/* Every form of a flag between blocks that programs use: the memory model's own, and volatile. */
DEVICE u32 load_acquire(const u32 *p)
{
    u32 v;

    asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
    return v;
}
DEVICE void store_release(u32 *p, u32 v) { asm volatile("st.release.gpu.u32 [%0], %1;" : : "l"(p), "r"(v) : "memory"); }
DEVICE u32 load_volatile(const u32 *p) { return *(volatile const u32 *)p; }

extern "C" __device__ int printf(const char *, ...);
extern "C" __device__ void *malloc(unsigned long);
extern "C" __device__ void free(void *);

#endif
