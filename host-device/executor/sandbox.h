/* SPDX-License-Identifier: Apache-2.0 */
/* What an executor may still ask of the kernel once it runs guest work: nothing that opens, connects, executes or reaches
 * another process. */
#ifndef VGPU_EXECUTOR_SANDBOX_H
#define VGPU_EXECUTOR_SANDBOX_H

#include <stdbool.h>

/* Confine this process for good, all its threads. Call when every thread that will ever run has been started and every file
 * that will ever be read is open. False with errno. */
bool vgx_sandbox_enter(bool compiles);

#endif
