/* SPDX-License-Identifier: Apache-2.0 */
/* Selection among the copies of the lane operations (lanes.h). */
#ifndef VGPU_INTERP_ISA_H
#define VGPU_INTERP_ISA_H

#include "interp/lanes.h"

/* Use "base", "v3" or "v4" from now on; NULL: the best one that this CPU runs. False, changing nothing, when the CPU does not
 * run it. For tests, and before the first kernel is lowered. */
bool interp_force_isa(const char *name);

/* Does this CPU run the set of that name? */
bool interp_isa_supported(const char *name);

/* The lane operation for an instruction, or NULL when no family has it. */
lane_op *interp_select(const struct ptx_insn *insn, const struct lane_widths *w);

#endif
