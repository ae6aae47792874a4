/* SPDX-License-Identifier: Apache-2.0 */
/* The workers that run kernels: one thread a CPU, of which the caller of vg_pool_launch() is one. */
#ifndef VGPU_EXECUTOR_POOL_H
#define VGPU_EXECUTOR_POOL_H

#include <stdbool.h>

#include "ptx/launch.h"

struct interp_kernel;
struct vg_pool;

/* A pool of n workers (0: as many as CPUs that it may use), the calling thread counted. Threads start here and nowhere else. NULL
 * with errno when they or the device window cannot be had. */
struct vg_pool *vg_pool_new(unsigned n);
void vg_pool_free(struct vg_pool *p);
unsigned vg_pool_workers(const struct vg_pool *p);

/* Run a launch to its end. One launch at a time. True when it ended well; else *fault says what happened. */
bool vg_pool_launch(struct vg_pool *p, struct interp_kernel *k, const struct vg_launch *launch, struct vg_fault *fault);

#endif
