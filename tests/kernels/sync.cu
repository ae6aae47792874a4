/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that wait for one another, and atomics. */
#include "cuda_mini.h"
#include "both.h"

/* ---- A barrier of the whole grid: a counter that all arrive at and a generation that the last one advances ---- */

struct grid_barrier {
    u32 arrived, generation;
};

static __device__ void grid_sync(grid_barrier *b)
{
    __syncthreads();
    if (linear_thread() == 0) {
        u32 generation = load_volatile(&b->generation);

        __threadfence();
        if (atomicAdd(&b->arrived, 1u) == blocks() - 1) {
            b->arrived = 0;
            __threadfence();
            atomicAdd(&b->generation, 1u);
        } else
            while (load_volatile(&b->generation) == generation)
                ;
        __threadfence();
    }
    __syncthreads();
}

/* Rounds of one-dimensional diffusion: every round reads what other blocks wrote in the one before. */
KERNEL diffusion(u32 *a, u32 *b, u32 n, u32 rounds, grid_barrier *barrier)
{
    for (u32 round = 0; round < rounds; round++) {
        for (u32 i = global_thread(); i < n; i += blocks() * threads())
            b[i] = a[(i + n - 1) % n] + 2 * a[i] + a[(i + 1) % n];
        grid_sync(barrier);
        u32 *swap = a;

        a = b;
        b = swap;
    }
}

/* The same with the memory model's own release and acquire, through inline PTX and through the language's atomics. */
KERNEL relay(u32 *tokens, u32 rounds, u32 *log)
{
    u32 me = linear_block(), n = blocks();

    for (u32 round = 0; round < rounds; round++) {
        if (linear_thread() == 0) {
            u32 want = round * n + me;

            if (round & 1) {
                while (load_acquire(tokens) != want)
                    ;
                log[want] = want ? log[want - 1] * 3 + me : 1;
                store_release(tokens, want + 1);
            } else {
                while (atomicAdd(tokens, 0u) != want)
                    __nvvm_membar_gl();
                log[want] = want ? *(volatile u32 *)&log[want - 1] * 3 + me : 1;
                __threadfence();
                atomicExch(tokens, want + 1);
            }
        }
        __syncthreads();
    }
}

/* ---- Producers and consumers: even blocks fill a ring of eight, odd ones empty it. The first block of a pair waits for the
 * second, which starts after it ---- */

struct ring {
    u32 head, tail, slots[8];
};

KERNEL produce_consume(ring *rings, u32 items, u32 *out)
{
    u32 pair = linear_block() / 2;
    ring *r = &rings[pair];

    if (linear_block() & 1) { /* the producer: thread 0 waits for room, as many threads as there is room write */
        for (u32 made = 0; made < items;) {
            __shared__ u32 room;

            if (linear_thread() == 0) {
                while ((room = 8 - (made - load_acquire(&r->tail))) == 0)
                    ;
                if (room > items - made)
                    room = items - made;
            }
            __syncthreads();
            for (u32 k = linear_thread(); k < room; k += threads())
                r->slots[(made + k) % 8] = mix(pair * 1000 + made + k);
            made += room;
            __threadfence();
            __syncthreads();
            if (linear_thread() == 0)
                store_release(&r->head, made);
        }
    } else
        for (u32 used = 0; used < items;) {
            __shared__ u32 filled;

            if (linear_thread() == 0)
                while ((filled = load_acquire(&r->head) - used) == 0)
                    ;
            __syncthreads();
            for (u32 k = linear_thread(); k < filled; k += threads())
                out[pair * items + used + k] = *(volatile u32 *)&r->slots[(used + k) % 8] + 1;
            used += filled;
            __syncthreads();
            if (linear_thread() == 0)
                store_release(&r->tail, used);
        }
}

/* A flag and its value in one vector, by the first block; the second counts the vectors whose halves do not belong together. Each
 * thread has a place of its own. */
KERNEL announced(u32 *at, u32 rounds, u32 *torn)
{
    u32 *two = at + linear_thread() * 8, *four = two + 4, a, b, c, d;

    if (linear_block() == 0) {
        for (u32 i = 1; i <= rounds; i++) {
            asm volatile("st.relaxed.gpu.v2.u32 [%0], {%1, %2};" ::"l"(two), "r"(i), "r"(~i) : "memory");
            asm volatile("st.volatile.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(four), "r"(i), "r"(~i), "r"(i * 3), "r"(i ^ 5) : "memory");
        }
        return;
    }
    u32 count = 0;
    do {
        asm volatile("ld.relaxed.gpu.v2.u32 {%0, %1}, [%2];" : "=r"(a), "=r"(b) : "l"(two) : "memory");
        count += a && b != ~a;
        asm volatile("ld.volatile.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(a), "=r"(b), "=r"(c), "=r"(d) : "l"(four) : "memory");
        count += a && (b != ~a || c != a * 3 || d != (a ^ 5));
    } while (a != rounds);
    torn[linear_thread()] = count;
}

/* Warps of one block pass a value through shared memory, spinning. */
KERNEL warp_chain(u32 *out)
{
    __shared__ volatile u32 flag[33];
    __shared__ volatile u32 value[33];
    u32 t = linear_thread(), warp = t / 32;

    for (u32 i = t; i < 33; i += threads()) {
        flag[i] = i == 0;
        value[i] = 1;
    }
    __syncthreads();
    if (t % 32 == 0) {
        while (!flag[warp])
            ;
        value[warp + 1] = value[warp] * 7 + warp;
        __threadfence_block();
        flag[warp + 1] = 1;
    }
    __syncthreads();
    out[t] = value[warp + 1];
}

/* ---- Locks ---- */

/* One lane at a time from each warp takes the lock: the classic form, which needs no progress of its warp's other lanes. */
KERNEL locked_count(u32 *lock, u32 *counter, u32 rounds)
{
    for (u32 k = 0; k < rounds; k++)
        for (u32 turn = 0; turn < 32; turn++) {
            if (turn == linear_thread() % 32) {
                while (atomicCAS(lock, 0u, 1u))
                    ;
                __threadfence();
                *(volatile u32 *)counter = *(volatile u32 *)counter + 1;
                __threadfence();
                atomicExch(lock, 0u);
            }
            __syncwarp(warp_lanes());
        }
}

/* Every lane spins for itself: lanes of one warp must be scheduled independently (sm_70 and later). */
KERNEL lane_lock(u32 *lock, u32 *counter)
{
    while (atomicCAS(lock, 0u, 1u))
        ;
    __threadfence();
    *(volatile u32 *)counter = *(volatile u32 *)counter + 1;
    __threadfence();
    atomicExch(lock, 0u);
}

/* ---- Atomics ---- */

static __device__ void atomic_double_max(u64 *p, double v)
{
    union {
        u64 bits;
        double value;
    } old = {*(volatile u64 *)p}, mine;

    mine.value = v;
    while (old.value < v) {
        u64 seen = atomicCAS(p, old.bits, mine.bits);

        if (seen == old.bits)
            break;
        old.bits = seen;
    }
}

KERNEL atomics(u32 *words, u64 *longs, float *floats, double *doubles, u32 n)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    u32 v = mix(i);

    atomicAdd(&words[0], v);
    atomicXor(&words[1], v);
    atomicMax(&words[2], v);
    atomicInc(&words[3], 99u);
    atomicDec(&words[4], 77u);
    atomicOr(&words[5], 1u << (v & 31));
    atomicAnd(&words[6], ~(1u << (i & 7)));
    __nvvm_atom_min_gen_ui(&words[7], v);
    atomicAdd(&longs[0], (u64)v << 20);
    atomicMax(&longs[1], (u64)v << 20 | i);
    __nvvm_atom_min_gen_ll((i64 *)&longs[2], (i64)((u64)v << 32) >> 5);
    __nvvm_atom_xor_gen_ll((i64 *)&longs[3], (i64)v * v);
    atomicAdd(&floats[0], 0.5f);
    atomicAdd(&floats[1], (float)(v & 1023));
    atomicAdd(&doubles[0], 0.25);
    atomic_double_max((u64 *)&doubles[1], (double)v);
    /* The language's own, each width and order the compiler has. */
    __atomic_fetch_add(&words[8], v, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&words[9], v, __ATOMIC_ACQ_REL);
    __atomic_fetch_or(&words[10], 1u << (v & 31), __ATOMIC_SEQ_CST);
    __atomic_fetch_nand(&words[11], ~0u, __ATOMIC_RELAXED);
    __atomic_fetch_add(&longs[4], (u64)v * v, __ATOMIC_RELAXED);
    __atomic_fetch_add((u8 *)&words[12], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add((u16 *)&words[13], 3, __ATOMIC_RELAXED);
}

/* What the atomics return: every value exactly once. */
KERNEL tickets(u32 *counter, u32 *taken)
{
    __shared__ u32 local;

    if (linear_thread() == 0)
        local = 0;
    __syncthreads();
    u32 inside = atomicAdd(&local, 1u), outside = atomicAdd(counter, 1u);

    atomicAdd(&taken[outside], 1u + (inside >= threads() ? 100u : 0u));
}

/* Time goes on, and sleeping ends. */
KERNEL clocks(u32 *out)
{
    u64 start = __nvvm_read_ptx_sreg_clock64(), now;

    __nvvm_nanosleep(1000);
    do
        now = __nvvm_read_ptx_sreg_clock64();
    while (now == start);
    out[global_thread()] = now > start;
}
