/* SPDX-License-Identifier: Apache-2.0 */
/* Places for a function's registers in its frame. */
#ifndef VGPU_INTERP_SLOTS_H
#define VGPU_INTERP_SLOTS_H

#include "ptx/ir.h"

/* Give every register of f that is named a place: place[r] is its offset in the frame, from 'first' (a multiple of 64) on,
 * aligned to 64 bytes (predicates: 4); UINT32_MAX for a register that no instruction names. *total: where the frame ends.
 * False when memory is short. */
bool slots_assign(const struct ptx_module *m, const struct ptx_function *f, uint32_t first, uint32_t *place, uint32_t *total);

/* ops[0] is written. */
bool slots_has_destination(const struct ptx_insn *i);

#endif
