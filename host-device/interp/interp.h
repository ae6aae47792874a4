/* SPDX-License-Identifier: Apache-2.0 */
/* The warp interpreter: the reference engine. It executes every instruction the front end accepts, for all lanes of a warp at
 * once, and runs until compiled code is there.
 *
 * A kernel is lowered once (interp_kernel_new) into micro-operations that point at lane operations (lanes.h). A launch is run
 * by any number of workers: each calls interp_run() on its own worker state and takes blocks, in index order, from the
 * launch's shared counter until none is left. A barrier suspends a warp, a loop makes it give way to others from time to time.
 * Blocks that only poll memory are joined by further ones, which they may wait for; in a cooperative launch all blocks are
 * resident, spread evenly over the workers.
 *
 * Every access to device memory is confined: an address outside the window, or to memory that is not mapped there, ends the
 * launch with a fault and touches nothing else (window.h). */
#ifndef VGPU_INTERP_INTERP_H
#define VGPU_INTERP_INTERP_H

#include <stdatomic.h>

#include "ptx/launch.h"

struct interp_kernel;
struct interp_worker;

/* Lower function f (an entry, closed by ptx_function_close) of module m, bound at b. NULL and err on what this engine cannot
 * run (the message names line and instruction). The kernel keeps m and f referenced by pointer; the caller keeps them. */
struct interp_kernel *interp_kernel_new(struct ptx_module *m, struct ptx_function *f, const struct vg_binding *b,
                                        struct ptx_error *err);
void interp_kernel_free(struct interp_kernel *k);

/* Bytes a thread for calls whose depth is not known and for alloca, of kernels that are lowered from now on; at least the 16 KiB
 * that they have without. */
#define INTERP_MAX_STACK (256u << 10)
void interp_set_stack(uint32_t bytes);
/* What a kernel has; 0 when it needs none. */
uint32_t interp_kernel_stack(const struct interp_kernel *k);

/* Worker 'index' (0, 1, ...) of its process, with its own slots of shared and local memory in the window; used by one thread
 * at a time. */
struct interp_worker *interp_worker_new(unsigned index);
void interp_worker_free(struct interp_worker *w);

/* State that the workers of one launch share. Zero it, then set n_workers. */
struct interp_grid {
    _Atomic uint64_t next_block;  /* the next linear block index to start */
    _Atomic uint32_t stop;        /* a fault happened or the launch was cancelled */
    uint32_t n_workers;
    uint32_t lock;                /* guards fault */
    struct vg_fault fault;        /* the first one */
};

/* Run blocks of the launch on this thread until none is left or the launch stops. True when no fault was seen. */
bool interp_run(struct interp_worker *w, struct interp_kernel *k, const struct vg_launch *launch, struct interp_grid *grid);

/* Bytes of shared memory that a launch may ask for in all: static + dynamic. */
#define INTERP_MAX_SHARED (228u << 10)

#endif
