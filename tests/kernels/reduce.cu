/* SPDX-License-Identifier: Apache-2.0 */
/* Sums, scans, histograms, softmax: what blocks compute together. Blocks may have any shape and any number of threads. */
#include "cuda_mini.h"
#include "both.h"

extern __shared__ int dynamic[];

/* Halve what is left, rounding up, until one element is left: any count works, and the order of additions is fixed. */
template <typename T> static __device__ T block_sum(T value, T *s)
{
    u32 t = linear_thread();

    s[t] = value;
    __syncthreads();
    for (u32 count = threads(); count > 1;) {
        u32 half_count = (count + 1) / 2;

        if (t + half_count < count)
            s[t] += s[t + half_count];
        __syncthreads();
        count = half_count;
    }
    value = s[0];
    __syncthreads();
    return value;
}

KERNEL reduce_int(const int *in, u32 n, int *out)
{
    u32 i = global_thread();
    int sum = block_sum(i < n ? in[i] : 0, dynamic);

    if (linear_thread() == 0)
        out[linear_block()] = sum;
}

KERNEL reduce_float(const float *in, u32 n, float *out)
{
    u32 i = global_thread();
    float sum = block_sum(i < n ? in[i] : 0.0f, (float *)dynamic);

    if (linear_thread() == 0)
        out[linear_block()] = sum;
}

KERNEL reduce_double(const double *in, u32 n, double *out)
{
    u32 i = global_thread();
    double sum = block_sum(i < n ? in[i] : 0.0, (double *)dynamic);

    if (linear_thread() == 0)
        out[linear_block()] = sum;
}

/* Shuffles inside the warp, the last of which may be short; then one warp adds the warps' sums. */
static __device__ int warp_sum(int value, u32 mask)
{
    u32 lanes = __builtin_popcount(mask);

    for (u32 by = 16; by; by /= 2) {
        int other = __shfl_down_sync(mask, value, by);

        if (lane() + by < lanes)
            value += other;
    }
    return value;
}

KERNEL reduce_shuffle(const int *in, u32 n, int *out)
{
    __shared__ int sums[32];
    u32 i = global_thread(), t = linear_thread(), warps = (threads() + 31) / 32;
    int sum = warp_sum(i < n ? in[i] : 0, warp_lanes());

    if (t % 32 == 0)
        sums[t / 32] = sum;
    __syncthreads();
    if (t < 32) {
        sum = warp_sum(t < warps ? sums[t] : 0, warp_lanes());
        if (t == 0)
            out[linear_block()] = sum;
    }
}

/* A stride of the whole grid, 64-bit sums, atomics of every operation; the block that comes last publishes. */
KERNEL reduce_grid(const int *in, u32 n, u64 *sum, int *extremes, u32 *bits, u32 *ticket, u32 *last_saw)
{
    __shared__ u64 block_total;
    __shared__ int is_last;
    u64 mine = 0;

    if (linear_thread() == 0)
        block_total = 0;
    __syncthreads();
    for (u32 i = global_thread(); i < n; i += blocks() * threads()) {
        mine += (u32)in[i];
        atomicMin(&extremes[0], in[i]);
        atomicMax(&extremes[1], in[i]);
        atomicAnd(&bits[0], (u32)in[i]);
        atomicOr(&bits[1], (u32)in[i]);
        atomicXor(&bits[2], (u32)in[i]);
    }
    atomicAdd(&block_total, mine);
    __syncthreads();
    if (linear_thread() == 0) {
        atomicAdd(sum, block_total);
        __threadfence();
        is_last = atomicInc(ticket, blocks() - 1) == blocks() - 1;
    }
    __syncthreads();
    if (is_last && linear_thread() == 0)
        *last_saw = (u32)*(volatile u64 *)sum;
}

/* The barriers that count. */
KERNEL reduce_barrier(const int *in, u32 n, int *out)
{
    u32 i = global_thread();
    int odd = i < n && (in[i] & 1);
    int count = __nvvm_bar0_popc(odd), all = __nvvm_bar0_and(odd), any = __nvvm_bar0_or(odd);

    if (linear_thread() == 0) {
        out[linear_block() * 3] = count;
        out[linear_block() * 3 + 1] = !!all;
        out[linear_block() * 3 + 2] = !!any;
    }
}

/* ---- Histograms of 64 bins ---- */

KERNEL histogram_global(const u8 *in, u32 n, u32 *bins)
{
    for (u32 i = global_thread(); i < n; i += blocks() * threads())
        atomicAdd(&bins[in[i] & 63], 1u);
}

KERNEL histogram_shared(const u8 *in, u32 n, u32 *bins)
{
    __shared__ u32 local[64];

    for (u32 i = linear_thread(); i < 64; i += threads())
        local[i] = 0;
    __syncthreads();
    for (u32 i = global_thread(); i < n; i += blocks() * threads())
        atomicAdd(&local[in[i] & 63], 1u);
    __syncthreads();
    for (u32 i = linear_thread(); i < 64; i += threads())
        atomicAdd(&bins[i], local[i]);
}

/* One atomic for all lanes with the same bin. */
KERNEL histogram_match(const u8 *in, u32 n, u32 *bins)
{
    for (u32 i = global_thread(); i < n; i += blocks() * threads()) {
        u32 bin = in[i] & 63, peers = __nvvm_match_any_sync_i32(active_mask(), bin);

        if (!(peers & lanes_below()))
            atomicAdd(&bins[bin], (u32)__builtin_popcount(peers));
    }
}

/* What passes the filter, in any order: one atomic a warp reserves the room. */
KERNEL filter_aggregated(const u32 *in, u32 n, u32 *count, u32 *out)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    if (in[i] % 3 == 0) {
        u32 mask = active_mask(), leader = __builtin_ctz(mask), at = 0;

        if (lane() == leader)
            at = atomicAdd(count, (u32)__builtin_popcount(mask));
        at = __shfl_sync(mask, at, leader);
        out[at + __builtin_popcount(mask & lanes_below())] = in[i];
    }
}

/* ---- Inclusive scans ---- */

static __device__ u32 warp_scan(u32 value, u32 mask)
{
    for (u32 by = 1; by < 32; by *= 2) {
        u32 other = __shfl_up_sync(mask, value, by);

        if (lane() >= by)
            value += other;
    }
    return value;
}

static __device__ u32 block_scan(u32 value, u32 *warp_sums)
{
    u32 t = linear_thread(), warps = (threads() + 31) / 32;

    value = warp_scan(value, warp_lanes());
    if (t % 32 == 31 || t == threads() - 1)
        warp_sums[t / 32] = value;
    __syncthreads();
    if (t == 0)
        for (u32 w = 1; w < warps; w++)
            warp_sums[w] += warp_sums[w - 1];
    __syncthreads();
    if (t >= 32)
        value += warp_sums[t / 32 - 1];
    return value;
}

KERNEL scan_blocks(const u32 *in, u32 n, u32 *out)
{
    __shared__ u32 warp_sums[32];
    u32 i = global_thread(), value = block_scan(i < n ? in[i] : 0, warp_sums);

    if (i < n)
        out[i] = value;
}

/* Hillis and Steele: log2(n) steps, a barrier before and after each. */
KERNEL scan_steps(const u32 *in, u32 n, u32 *out)
{
    u32 *s = (u32 *)dynamic, i = global_thread(), t = linear_thread();

    s[t] = i < n ? in[i] : 0;
    __syncthreads();
    for (u32 by = 1; by < threads(); by *= 2) {
        u32 left = t >= by ? s[t - by] : 0;

        __syncthreads();
        s[t] += left;
        __syncthreads();
    }
    if (i < n)
        out[i] = s[t];
}

/* One pass over everything with decoupled look-back: a block publishes its own sum, spins on its predecessors' until it meets
 * one that knows all before it, and publishes that. state: flag in the upper half, value in the lower. Blocks take their
 * number when they start, so that a predecessor has always started. */
#define OWN_SUM (1ull << 32)
#define FULL_SUM (2ull << 32)

KERNEL scan_lookback(const u32 *in, u32 n, u32 *out, u32 *ticket, u64 *state)
{
    __shared__ u32 warp_sums[32], number, before;
    u32 t = linear_thread(), i, value;

    if (t == 0)
        number = atomicAdd(ticket, 1u);
    __syncthreads();
    i = number * threads() + t;
    value = block_scan(i < n ? in[i] : 0, warp_sums);
    if (t == threads() - 1) {
        u32 sum = 0;

        *(volatile u64 *)&state[number] = (number ? OWN_SUM : FULL_SUM) | value;
        for (u32 k = number; k > 0;) {
            u64 seen = *(volatile u64 *)&state[k - 1];

            if (!(seen >> 32))
                continue;
            sum += (u32)seen;
            k = (seen & FULL_SUM) ? 0 : k - 1;
        }
        if (number)
            *(volatile u64 *)&state[number] = FULL_SUM | (u32)(sum + value);
        before = sum;
    }
    __syncthreads();
    if (i < n)
        out[i] = value + before;
}

/* ---- Softmax: a block a row ---- */

KERNEL softmax(const float *in, u32 columns, float *out)
{
    float *s = (float *)dynamic;
    const float *row = in + linear_block() * columns;
    u32 t = linear_thread();
    float largest = -1e30f, sum = 0;
    u32 mask = warp_lanes();
    __shared__ float warp_largest[32];

    for (u32 c = t; c < columns; c += threads())
        largest = largest > row[c] ? largest : row[c];
    for (u32 by = 16; by; by /= 2) {
        float other = __shfl_xor_sync(mask, largest, by);

        if ((lane() ^ by) < (u32)__builtin_popcount(mask))
            largest = largest > other ? largest : other;
    }
    /* In a short warp the butterfly reaches lane 0 from every lane, but not every lane from every other. */
    if (t % 32 == 0)
        warp_largest[t / 32] = largest;
    __syncthreads();
    for (u32 w = 0; w < (threads() + 31) / 32; w++)
        largest = w == 0 || warp_largest[w] > largest ? warp_largest[w] : largest;
    for (u32 c = t; c < columns; c += threads())
        sum += own_exp(row[c] - largest);
    sum = block_sum(sum, s);
    for (u32 c = t; c < columns; c += threads())
        out[linear_block() * columns + c] = own_exp(row[c] - largest) / sum;
}

#if __CUDA_ARCH__ >= 800
KERNEL reduce_redux(const int *in, int *out)
{
    u32 mask = warp_lanes(), i = global_thread();
    int sum = __nvvm_redux_sync_add(in[i], mask), low = __nvvm_redux_sync_min(in[i], mask), high = __nvvm_redux_sync_max(in[i], mask);

    out[i] = sum ^ low ^ high;
}
#endif
