/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of random kernels that neither branch nor call, by family (template.h). */
#ifndef VGPU_TESTS_RANDOM_STATEMENTS_H
#define VGPU_TESTS_RANDOM_STATEMENTS_H

#include "template.h"

/* Arithmetic; anywhere. Comparisons set $P; what is guarded reads it. */
extern const struct table integers, wides, shorts, floats, doubles, halves, conversions, comparisons, guarded;
/* Memory; anywhere. */
extern const struct table loads, patterns, shares, locals, atomics;
/* For lanes that are together and known, with or without others: $T. %p5 is set. */
extern const struct table gatherings;
/* For whole blocks: any; of several whole warps; of whole warps. */
extern const struct table meetings, warp_meetings, full_meetings;
/* For the threads of a block that are left. */
extern const struct table late_meetings;

#endif
