/* SPDX-License-Identifier: Apache-2.0 */
/* Control flow of a kernel as the compiler sees it: basic blocks in the order in which a warp works through them, loops, and
 * which registers live where. */
#ifndef VGPU_JIT_FLOW_H
#define VGPU_JIT_FLOW_H

#include "ptx/ir.h"

#define JIT_NONE UINT32_MAX
#define JIT_EXIT (UINT32_MAX - 1) /* as a successor: the lanes end */

struct jit_block {
    uint32_t first, end;      /* instructions [first, end) */
    uint32_t succ[2];         /* with a branch: where its guard holds, where it does not; else succ[0] alone */
    uint32_t n_succ;
    const struct ptx_insn *branch; /* the instruction whose guard decides, NULL when there is one successor */
    uint32_t loop;            /* innermost loop, or JIT_NONE */
    uint32_t idom;            /* the nearest block that every way here leads through, an earlier one; the first block's own is itself */
};

struct jit_loop {
    uint32_t header, parent, depth; /* depth of an outermost loop: 1 */
};

struct jit_flow {
    const struct ptx_module *m;
    const struct ptx_function *f;
    struct jit_block *blocks;
    uint32_t n;
    struct jit_loop *loops;
    uint32_t n_loops;
    uint32_t words;           /* of a set of registers */
    uint64_t *live_in;        /* n sets: registers that a lane at the block's start may still read */
};

/* Find out all of it, or say why this kernel is not for the compiler (false, 'why' filled in). Blocks that nothing reaches
 * are left out. Every loop is contiguous in the order, its header first; an edge to a block at or before its source is a back edge of a loop
 * that holds both. */
bool jit_flow_find(struct jit_flow *w, const struct ptx_module *m, const struct ptx_function *f, char *why, size_t size);
void jit_flow_free(struct jit_flow *w);
void jit_flow_dump(const struct jit_flow *w, void *file);

/* Is block q in loop l (l may be JIT_NONE: the whole function)? */
bool jit_in_loop(const struct jit_flow *w, uint32_t q, uint32_t l);
/* The innermost loop that holds both blocks. */
uint32_t jit_common_loop(const struct jit_flow *w, uint32_t a, uint32_t b);
static inline uint32_t jit_depth(const struct jit_flow *w, uint32_t l)
{
    return l == JIT_NONE ? 0 : w->loops[l].depth;
}

/* Of two blocks that lanes wait at while block b ends: does the warp go on with p before q? What is left of the innermost
 * loop comes first, then its next round, then what lies behind it. */
bool jit_runs_before(const struct jit_flow *w, uint32_t b, uint32_t p, uint32_t q);

/* Registers that an instruction names. A guarded write is no end of the old value. */
#define JIT_MAX_REGS 64
struct jit_regs {
    int32_t read[JIT_MAX_REGS], written[JIT_MAX_REGS];
    unsigned n_read, n_written;
};
void jit_regs_of(const struct ptx_insn *insn, struct jit_regs *r);

static inline bool jit_test(const uint64_t *set, uint32_t i)
{
    return set[i / 64] >> i % 64 & 1;
}
static inline void jit_set(uint64_t *set, uint32_t i)
{
    set[i / 64] |= 1ull << i % 64;
}

#endif
