/* SPDX-License-Identifier: Apache-2.0 */
/* Ends kernels, and batches of the matrix library, that run for too long. A thread looks at the clock a few times a limit; a launch pays two stores for it. */
#ifndef VGPU_EXECUTOR_WATCHDOG_H
#define VGPU_EXECUTOR_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

/* Watch launches from now on; 0: nothing is watched. Once a process, before it confines itself. False with errno. */
bool vgx_watchdog_start(unsigned milliseconds);

/* A launch begins; what is returned is its struct vg_launch's 'cancel', NULL when nothing is watched. */
const volatile uint32_t *vgx_watchdog_begin(void);
void vgx_watchdog_end(void);

#endif
