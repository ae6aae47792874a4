/* SPDX-License-Identifier: Apache-2.0 */
/* The host side's log: one line an event, with the time (UTC) in front, to stderr, or to the file that VGPU_LOG=LEVEL:FILE names (appended, a whole line a
 * write, so that several processes can share it). Levels: error, warn (default), info, debug (each launch), trace (each
 * command). */
#ifndef VGPU_EXECUTOR_LOG_H
#define VGPU_EXECUTOR_LOG_H

#include <stdbool.h>

enum vg_log_level { VG_LOG_ERROR, VG_LOG_WARN, VG_LOG_INFO, VG_LOG_DEBUG, VG_LOG_TRACE };

/* Read VGPU_LOG and open its file. 'who' stands in front of each line ("hostd", "executor 3"). Call before other threads
 * start and before privileges are dropped. */
void vg_log_init(const char *who);
bool vg_log_enabled(enum vg_log_level level);
__attribute__((format(printf, 2, 3))) void vg_log(enum vg_log_level level, const char *format, ...);

#endif
