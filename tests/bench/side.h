/* SPDX-License-Identifier: Apache-2.0 */
/* One side of a row: a program that sets itself up, checks its own result, and is then asked for one measurement at a time,
 * alternately with the other side. It says "ready", then a number for each line that it reads; or "absent REASON" when this
 * machine lacks something, and ends well; or "failed REASON", and ends badly. */
#ifndef VGPU_BENCH_SIDE_H
#define VGPU_BENCH_SIDE_H

#include <stdbool.h>

/* Tiny sizes: does it run at all? (BENCH_QUICK) */
bool side_quick(void);
/* One of two sizes. */
#define SIDE_SIZE(full, quick) (side_quick() ? (quick) : (full))

/* Monotonic, in seconds. */
double side_now(void);

/* Answers until the runner has enough. The measure's number is in the row's unit. */
int side_serve(double (*measure)(void *), void *state);

/* How often a second STEP can be done: for at least a fiftieth of a second, quickly once. */
double side_rate(void (*step)(void *), void *state);

__attribute__((noreturn, format(printf, 1, 2))) void side_absent(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void side_fail(const char *format, ...);

#endif
