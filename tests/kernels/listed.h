/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels that run with blocks of every size and shape of block_shapes (kernels.c), in one place: X(kernel, what it is), a list
 * for each group. A group has a function of each kernel's name, void kernel(struct shape block), which launches it and compares
 * what it wrote with a reference in C. */
#ifndef VGPU_TESTS_KERNELS_LISTED_H
#define VGPU_TESTS_KERNELS_LISTED_H

#define LISTED_REDUCE(X) \
    X(reduce_int, "reduction by halves in shared memory") \
    X(reduce_float, "the same, floats") \
    X(reduce_double, "the same, doubles") \
    X(reduce_shuffle, "reduction by shuffles") \
    X(reduce_grid, "reduction of a 3-D grid by atomics; the last block publishes") \
    X(reduce_barrier, "reduction by barriers that count") \
    X(histogram_global, "histogram, atomics on global memory") \
    X(histogram_shared, "histogram, atomics on shared memory") \
    X(histogram_match, "histogram, an atomic for all lanes with one bin") \
    X(filter_aggregated, "warp-aggregated atomics") \
    X(scan_blocks, "scan of blocks by shuffles") \
    X(scan_steps, "scan of blocks, Hillis and Steele") \
    X(scan_lookback, "scan of everything, decoupled look-back") \
    X(softmax, "softmax of rows")

#define LISTED_GRIDS(X) \
    X(matmul_naive, "naive matrix products, a batch of them") \
    X(matmul_strided, "naive matrix product, any thread any element") \
    X(matmul_tiles, "tiled matrix product, barriers between tiles") \
    X(transpose, "transpose through tiles in shared memory") \
    X(stencil_1d, "stencil of radius 3 through shared memory") \
    X(stencil_2d, "stencil in two dimensions") \
    X(stencil_3d, "stencil in three dimensions") \
    X(nbody, "n-body, tiles in dynamic shared memory") \
    X(bitonic_block, "bitonic sort in shared memory") \
    X(bitonic_step, "bitonic sort, a launch a step")

#define LISTED_FLOW(X) \
    X(collatz, "divergent Collatz") \
    X(recursion, "recursion, plain, nested, mutual, with arrays in the frames") \
    X(towers, "recursion that writes") \
    X(pointers, "pointers to functions, uniform and not") \
    X(virtual_calls, "pointers to functions in tables of classes")

#define LISTED_SYNC(X) \
    X(diffusion, "cooperative grid sync") \
    X(relay, "a token from block to block") \
    X(produce_consume, "producer and consumer blocks")

#endif
