/* SPDX-License-Identifier: Apache-2.0 */
/* Random kernels, for tests that compare engines.
 *
 * A kernel is a few registers of each kind, straight code of every family of instructions, branches, tables of branches and loops on
 * values that are uniform or not, with one entry or two, left from inside, calls (direct, recursive, through pointers, with numbers
 * and with structures), loads and stores in a row and scattered, shared and local memory, atomics in any order that does not matter,
 * shuffles and votes of the lanes that are there, and, where all threads are together, barriers of blocks and of some warps. Blocks
 * and grids have one, two or three dimensions. Threads may end before the others.
 *
 * It is text for interp_fixture.h: what a kernel writes depends on its seed and the input alone, in any order of blocks and warps. */
#ifndef VGPU_TESTS_RANDOM_KERNEL_H
#define VGPU_TESTS_RANDOM_KERNEL_H

#include <stdint.h>

/* Words of output: a result a thread; sums that all threads add to; 32 and 64 bits of each thread's own; 64 bits of each warp's. */
enum {
    RANDOM_THREADS = 4096,
    RANDOM_SUMS = RANDOM_THREADS,
    RANDOM_OWN = RANDOM_SUMS + 512,
    RANDOM_WIDE = RANDOM_OWN + RANDOM_THREADS,
    RANDOM_WARPS = RANDOM_WIDE + 2 * RANDOM_THREADS,
    RANDOM_WORDS = RANDOM_WARPS + 1024,
    RANDOM_INPUT = 1 << 14 /* words of input that are read, or less */
};

struct random_kernel {
    const char *functions, *body; /* valid until the next one is made */
    uint32_t block[3], grid[3], shared;
};

void random_kernel_make(struct random_kernel *k, uint64_t seed);

/* Below n, from the seed's sequence. */
uint32_t random_pick(uint32_t n);

#endif
