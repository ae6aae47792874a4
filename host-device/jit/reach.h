/* SPDX-License-Identifier: Apache-2.0 */
/* What accesses to device memory need not be tested for, since others before them were.
 *
 * A kernel's addresses are mostly pointers plus something bounded: an index times an element's size. Once an access through a pointer
 * has been found to lie in the device window, none that is less than WINDOW_MARGIN away can touch anything but the window and what is
 * reserved around it (interp/window.h): the hardware finds out whether memory is there. The same with alignment.
 *
 * In shared memory, whose size is known, what is bounded may be inside whatever it is.
 *
 * Facts hold lane by lane, along every path: they come from tests that code makes before it touches memory, never from the hardware
 * having let an access pass, since LLVM may put accesses into another order. */
#ifndef VGPU_JIT_REACH_H
#define VGPU_JIT_REACH_H

#include "jit/flow.h"

#define JIT_SPAN_MAX (1u << 20) /* bytes between lanes of an access that is tested by one of them */

struct jit_reach {
    uint8_t *known;          /* by instruction */
};
#define JIT_REACH_NEAR 0x80u /* in known: within the margin, or in the kernel's shared memory; and the low bits: a multiple of 2^so many */

/* False when memory is short. */
bool jit_reach_find(struct jit_reach *r, const struct jit_flow *flow);
void jit_reach_free(struct jit_reach *r);

static inline bool jit_is_near(const struct jit_reach *r, uint32_t insn)
{
    return r->known[insn] & JIT_REACH_NEAR;
}
static inline uint64_t jit_alignment(const struct jit_reach *r, uint32_t insn)
{
    return UINT64_C(1) << (r->known[insn] & ~JIT_REACH_NEAR);
}

#endif
