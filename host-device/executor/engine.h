/* SPDX-License-Identifier: Apache-2.0 */
/* Which engine runs a launch. The interpreter can at once; code for a kernel and one shape of blocks comes from the cache or the
 * compiler, and takes over at the next block when it is there. */
#ifndef VGPU_EXECUTOR_ENGINE_H
#define VGPU_EXECUTOR_ENGINE_H

#include <stdbool.h>

#include "ptx/launch.h"

struct interp_kernel;
struct vgx_variant;

/* What a function remembers between launches: the shapes of blocks that it was launched with. */
struct vgx_engine {
    struct vgx_variant *variants;
};

/* Read VGPU_ENGINE: "auto" (the default: compile what is worth it while the interpreter runs), "jit" (compile before the first
 * launch), "interp". True when code may be run, which the sandbox must allow. Once, before the process confines itself.
 * Whom to ask comes as for vgx_compile_init(). */
bool vgx_engine_init(int control_socket, unsigned channel);
/* Before and after a launch of k, which took so many seconds: code is looked for, asked for, installed. Sets the launch's
 * between_blocks. */
void vgx_engine_begin(struct vgx_engine *e, struct interp_kernel *k, const char *name, struct vg_launch *launch);
void vgx_engine_end(const struct vg_launch *launch, double seconds);
/* Before the kernel goes. */
void vgx_engine_forget(struct vgx_engine *e);

#endif
