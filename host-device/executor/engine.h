/* SPDX-License-Identifier: Apache-2.0 */
/* Which engine runs a launch. */
#ifndef VGPU_EXECUTOR_ENGINE_H
#define VGPU_EXECUTOR_ENGINE_H

#include "ptx/launch.h"

struct interp_kernel;

/* What a function remembers between launches. */
struct vgx_engine {
    unsigned launches;
    uint32_t refused[3];   /* the block shape that the compiler gave back last; 0: none */
    uint32_t compiled[4][3];
    unsigned n_compiled;
};

/* Read VGPU_ENGINE: "interp" (the default), "jit" (compile before the first launch) or "auto" (compile what is launched
 * again and again), and load the compiler for the latter two: true when there is one. Once, before the process confines
 * itself. */
bool vgx_engine_init(void);
/* Before a launch of k: compile it for the launch's blocks if it is time to. */
void vgx_engine_prepare(struct vgx_engine *e, struct interp_kernel *k, const char *name, const struct vg_launch *launch);

#endif
