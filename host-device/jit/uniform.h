/* SPDX-License-Identifier: Apache-2.0 */
/* What is the same for all lanes of a warp, or differs in a known way (pattern.h): registers that can be scalars, blocks that
 * run for all lanes that there are, and where lanes wait while others run. */
#ifndef VGPU_JIT_UNIFORM_H
#define VGPU_JIT_UNIFORM_H

#include "jit/flow.h"
#include "jit/pattern.h"

struct jit_uniform {
    const struct jit_flow *flow;
    uint32_t block[3];       /* shape */
    uint8_t *varying;        /* by register: lanes differ as they like */
    uint8_t *seen, *defined; /* by register: it has a pattern already (1: one without lanes); some instruction writes it */
    uint8_t *once;           /* by register: it is written once, and then does not change */
    struct jit_pattern *patterns; /* by register, where it is not varying */
    uint8_t row;             /* lanes of a row of the block, where there are several in a warp; else 0 */
    bool together;           /* taken for granted: all lanes go the same way at every branch but those 'parted'; code makes sure */
    uint8_t *parted;         /* by block */
    bool guards;             /* results may be assumed not to wrap, where code makes sure (jit_guard) */
    uint32_t words;          /* of a set of blocks */
    uint64_t *pending;       /* by block: the blocks where lanes may wait while it runs. None: it runs for all lanes */
    uint64_t *spared;        /* by block: the registers (flow->words) that waiting lanes may still read */
    bool carry_varies;
};

/* False when memory is short. 'together': of warps whose lanes agree at every branch. */
bool jit_uniform_find(struct jit_uniform *u, const struct jit_flow *flow, const uint32_t block[3], bool together);
void jit_uniform_free(struct jit_uniform *u);
void jit_uniform_dump(const struct jit_uniform *u, void *file);

static inline const uint64_t *jit_pending(const struct jit_uniform *u, uint32_t b)
{
    return u->pending + (size_t)b * u->words;
}
/* The block runs for all lanes that have not ended. */
bool jit_is_whole(const struct jit_uniform *u, uint32_t b);
/* A write to the register in this block must leave the lanes alone that do not run. */
static inline bool jit_spares(const struct jit_uniform *u, uint32_t b, int32_t reg)
{
    return jit_test(u->spared + (size_t)b * u->flow->words, (uint32_t)reg);
}
/* The register is a vector in code. */
static inline bool jit_is_vector(const struct jit_uniform *u, int32_t reg)
{
    return u->varying[reg];
}
/* A register whose lanes differ by what its pattern says; it is a scalar, the value of lane 0 (or jit_row()). */
bool jit_has_lanes(const struct jit_uniform *u, int32_t reg);
/* The lanes of a row, where each has its own base: the register is a scalar for each. Else 0. */
unsigned jit_row(const struct jit_uniform *u, int32_t reg);
/* Lanes may differ. */
static inline bool jit_varies(const struct jit_uniform *u, int32_t reg)
{
    return u->varying[reg] || jit_has_lanes(u, reg);
}
/* The operand, of 32 bits, between whose lanes nothing may wrap for the instruction's result to be what its pattern says (false:
 * there is none), and its pattern. */
bool jit_guard(const struct jit_uniform *u, const struct ptx_insn *insn, const struct ptx_operand **o, struct jit_pattern *p);
/* Lanes of the block may part at its end. */
bool jit_parts(const struct jit_uniform *u, uint32_t b);
/* A loop has registers that are scalars if lanes stay together, and vectors otherwise. */
bool jit_better_together(const struct jit_uniform *together, const struct jit_uniform *any);

/* The blocks that a warp may go on with when block b ends towards 'to' (a set of one or two successors), in the order in
 * which they are tried; returns how many. The last one needs no test when *sure: some lane is there. */
struct jit_next {
    uint32_t *list;          /* room for as many as there are blocks */
    uint32_t n;
    bool sure;
};
void jit_next_find(const struct jit_uniform *u, uint32_t b, const uint32_t *to, uint32_t n_to, struct jit_next *next);

/* Every lane gets the same from this operand. */
bool jit_operand_varies(const struct jit_uniform *u, const struct ptx_operand *o);
/* Results of the instruction differ between lanes, whatever its guard and place. */
bool jit_result_varies(const struct jit_uniform *u, const struct ptx_insn *insn, bool second);

#endif
