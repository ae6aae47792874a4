/* SPDX-License-Identifier: Apache-2.0 */
/* Where lanes go: divergence, recursion, pointers to functions, switches, barriers that not every lane of the block reaches. */
#include "cuda_mini.h"
#include "both.h"

KERNEL collatz(const u32 *in, u32 n, u32 *steps, u32 *highest)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    u64 x = in[i], top = x;
    u32 count = 0;

    while (x > 1) {
        if (x & 1) {
            x = 3 * x + 1;
            if (x > top)
                top = x;
        } else
            x >>= 1;
        count++;
    }
    steps[i] = count;
    highest[i] = (u32)(top ^ top >> 32);
}

/* ---- Recursion ---- */

static __device__ __noinline__ u32 fibonacci(u32 n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static __device__ __noinline__ u32 ackermann(u32 m, u32 n)
{
    if (m == 0)
        return n + 1;
    if (n == 0)
        return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

static __device__ __noinline__ bool is_odd(u32 n);
static __device__ __noinline__ bool is_even(u32 n) { return n == 0 || is_odd(n - 1); }
static __device__ __noinline__ bool is_odd(u32 n) { return n != 0 && is_even(n - 1); }

/* Every frame has an array, and every lane another depth. */
static __device__ __noinline__ u32 frames(u32 depth, u32 seed)
{
    u32 local[8];

    for (u32 i = 0; i < 8; i++)
        local[i] = mix(seed + i);
    u32 below = depth ? frames(depth - 1, local[depth & 7]) : 0;

    return below + local[seed & 7];
}

KERNEL recursion(u32 *out)
{
    u32 i = global_thread();

    out[i * 4] = fibonacci(i % 12);
    out[i * 4 + 1] = ackermann(i % 3, i % 5);
    out[i * 4 + 2] = is_even(i % 40) ? 2 : 1;
    out[i * 4 + 3] = frames(i % 20, i);
}

/* Towers of Hanoi, writing down the moves. */
static __device__ __noinline__ void hanoi(u32 n, u32 from, u32 to, u8 *moves, u32 *count)
{
    if (!n)
        return;
    hanoi(n - 1, from, 3 - from - to, moves, count);
    moves[(*count)++] = (u8)(from << 4 | to);
    hanoi(n - 1, 3 - from - to, to, moves, count);
}

KERNEL towers(u8 *moves, u32 *counts)
{
    u32 i = global_thread(), count = 0;

    hanoi(i % 6, 0, 2, moves + i * 32, &count);
    counts[i] = count;
}

/* ---- Pointers to functions ---- */

typedef u32 (*function)(u32 a, u32 b);
static __device__ u32 f_add(u32 a, u32 b) { return a + b; }
static __device__ u32 f_sub(u32 a, u32 b) { return a - b; }
static __device__ u32 f_mul(u32 a, u32 b) { return a * b; }
static __device__ u32 f_xor(u32 a, u32 b) { return a ^ b; }
static __device__ u32 f_nested(u32 a, u32 b);

__device__ function in_global[5] = {f_add, f_sub, f_mul, f_xor, f_nested};
__constant__ function in_constant[5] = {f_nested, f_xor, f_mul, f_sub, f_add};

static __device__ u32 f_nested(u32 a, u32 b) { return in_global[a & 3](a, b) + in_constant[1 + (b & 3)](b, a); }

/* mode 0: all lanes the same function; 1: by lane; 2: by warp; 3: by data. */
KERNEL pointers(const u32 *a, const u32 *b, u32 *out, u32 mode)
{
    u32 i = global_thread();
    u32 which = mode == 0 ? 1 : mode == 1 ? lane() % 5 : mode == 2 ? linear_thread() / 32 % 5 : a[i] % 5;

    out[i] = in_global[which](a[i], b[i]) ^ in_constant[which](b[i], a[i]);
}

/* A pointer that was stored by another launch, and one chosen in the kernel. */
KERNEL pointer_store(function *to, u32 which) { *to = in_global[which]; }
KERNEL pointer_call(function *from, u32 *out)
{
    function f = (linear_thread() & 1) ? *from : f_xor;

    out[global_thread()] = f(linear_thread(), 1000);
}

/* What a pure virtual function's slot points at. */
extern "C" __device__ void __cxa_pure_virtual() { __builtin_trap(); }

struct shape {
    u32 a;
    __device__ shape(u32 a_) : a(a_) {}
    __device__ virtual u32 area() const { return a; }
    __device__ virtual u32 sides() const = 0;
};
struct square : shape {
    __device__ square(u32 a_) : shape(a_) {}
    __device__ u32 area() const override { return a * a; }
    __device__ u32 sides() const override { return 4; }
};
struct box : shape {
    u32 b;
    __device__ box(u32 a_, u32 b_) : shape(a_), b(b_) {}
    __device__ u32 area() const override { return 2 * (a + b) + shape::area(); }
    __device__ u32 sides() const override { return 6; }
};

KERNEL virtual_calls(u32 *out)
{
    u32 i = global_thread();
    square s(i);
    box b(i, 3);
    const shape *p = i % 3 ? (const shape *)&s : &b;

    out[i] = p->area() * 10 + p->sides();
}

/* ---- Switches ---- */

static __device__ u32 dense(u32 op, u32 x)
{
    switch (op) {
    case 0: return x + 1;
    case 1: return x * 3;
    case 2: return x ^ 0x55;
    case 3: return x >> 3;
    case 4: x += 7; /* falls through */
    case 5: return x << 2;
    case 6: return ~x;
    case 7: return x % 13;
    case 8: return x / 5;
    case 9: return __builtin_popcount(x);
    case 10: return x ? __builtin_clz(x) : 32;
    case 11: return __builtin_bitreverse32(x);
    }
    return 0;
}

static __device__ u32 sparse(u32 x)
{
    switch (x) {
    case 0: return 1;
    case 10: return 2;
    case 1000: return 3;
    case 100000: return 4;
    case 0xffffffff: return 5;
    default: return x > 500 ? 6 : 7;
    }
}

/* A machine of its own: a switch in a loop, at another instruction in every lane. */
KERNEL switches(const u32 *in, u32 n, u32 *out)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    u32 x = in[i], sum = 0;

    for (u32 step = 0; step < 20; step++) {
        x = dense((x + step) % 13, x);
        sum += x;
    }
    out[i] = sum + sparse(in[i] % 7 == 0 ? 1000 : in[i] % 11 == 0 ? 10 : in[i]);
}

/* brx.idx, which the compiler does not write by itself. */
KERNEL branch_table(const u32 *in, u32 *out)
{
    u32 i = global_thread(), x = in[i], result;

    asm volatile("{\n"
                 "  brx_table%=: .branchtargets brx_a%=, brx_b%=, brx_c%=, brx_d%=;\n"
                 "  brx.idx %1, brx_table%=;\n"
                 "brx_a%=: add.u32 %0, %2, 1; bra.uni brx_end%=;\n"
                 "brx_b%=: mul.lo.u32 %0, %2, 5; bra.uni brx_end%=;\n"
                 "brx_c%=: not.b32 %0, %2;\n"
                 "brx_d%=: xor.b32 %0, %2, 77;\n"
                 "brx_end%=:\n}"
                 : "=&r"(result)
                 : "r"(x & 3), "r"(x));
    out[i] = result;
}

/* ---- Barriers and lanes that are elsewhere ---- */

/* Threads that have returned do not hold up a barrier. */
KERNEL early_return(u32 *out, u32 keep)
{
    __shared__ u32 s[1024];
    u32 t = linear_thread();

    if (t >= keep)
        return;
    s[t] = t * 3;
    __syncthreads();
    out[linear_block() * threads() + t] = s[keep - 1 - t];
}

/* Half of the warps wait for each other at one barrier, the rest at another. */
KERNEL warp_barriers(u32 *out)
{
    __shared__ u32 s[1024];
    u32 t = linear_thread(), warps = threads() / 32, first = warps / 2 * 32;

    s[t] = mix(t);
    if (t < first) {
        for (u32 step = 0; step < 4; step++) {
            __nvvm_barrier_sync_cnt(1, first);
            u32 v = s[(t + 33) % first];
            __nvvm_barrier_sync_cnt(1, first);
            s[t] += v;
        }
    } else {
        u32 count = threads() - first, k = t - first;

        for (u32 step = 0; step < 7; step++) {
            __nvvm_barrier_sync_cnt(2, count);
            u32 v = s[first + (k + 1) % count];
            __nvvm_barrier_sync_cnt(2, count);
            s[t] ^= v * 3;
        }
    }
    __syncthreads();
    out[t] = s[threads() - 1 - t];
}

/* The same barrier from two places in the code. */
KERNEL split_barrier(u32 *out)
{
    __shared__ u32 s[1024];
    u32 t = linear_thread();

    s[t] = t;
    if (t / 32 % 2)
        __nvvm_barrier_sync(3);
    else
        __nvvm_barrier_sync(3);
    out[t] = s[threads() - 1 - t];
}

/* Lanes of one warp hand values on inside divergent code, with the mask of those that are there. */
KERNEL divergent_shuffles(u32 *out)
{
    u32 l = lane(), mask = (l & 1) ? 0xaaaaaaaa : 0x55555555, value;

    if (l & 1)
        value = __shfl_sync(mask, l * 10, (l + 2) % 32);
    else
        value = __shfl_xor_sync(mask, (int)l * 100, 4) + __builtin_popcount(__ballot_sync(mask, l > 10));
    __syncwarp(FULL);
    value += __shfl_up_sync(FULL, value, 1);
    value += (__any_sync(FULL, l == 7) ? 1000 : 0) + (__all_sync(FULL, l < 31) ? 5000 : 0) + (__all_sync(mask, l % 2 == (l & 1)) ? 20000 : 0);
    out[global_thread()] = value;
}

/* Loops whose lanes leave one by one, nested, with break, continue and goto. */
KERNEL tangled(const u32 *in, u32 n, u32 *out)
{
    u32 i = global_thread(), x, sum = 0;

    if (i >= n)
        return;
    x = in[i];
    for (u32 a = 0; a < (x & 15) + 1; a++) {
        if ((x >> a & 7) == 3)
            continue;
        for (u32 b = a;; b += 3) {
            if (b > 20)
                break;
            if ((x >> (b & 31) & 3) == 1)
                goto next;
            sum += a * b + 1;
            do {
                sum = sum * 5 + 1;
            } while (sum % 4 != 1);
        }
        if (sum % 17 == 5)
            break;
        sum += 1000;
    next:;
    }
    out[i] = sum;
}

KERNEL long_loop(u32 rounds, u32 *out)
{
    u32 i = global_thread(), x = i + 1;

    for (u32 k = 0; k < rounds; k++)
        x = x * 1664525 + 1013904223 + (k ^ i);
    out[i] = x;
}
