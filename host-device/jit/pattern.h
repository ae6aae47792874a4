/* SPDX-License-Identifier: Apache-2.0 */
/* How a register's value changes from lane to lane. In lane l it is
 *
 *     base + lane[l]     (modulo 2^bits of the register)
 *
 * with a table known here and a base that is the same for all lanes: such a register is a scalar in code, the value of lane 0, to
 * which lane[l] - lane[0] is added where all lanes are wanted. The base is a multiple of 2^align, and 0 where align is 64: then
 * every lane's value is known.
 *
 * In blocks of 8 or 16 threads a row, addresses are mostly known so only within each row of lanes: each has a base of its own then,
 * and the register a scalar for each row, the value of the row's first lane, whose lane[l] is 0. */
#ifndef VGPU_JIT_PATTERN_H
#define VGPU_JIT_PATTERN_H

#include "interp/lanes.h"
#include "jit/flow.h"

#define JIT_ROWS 4 /* a warp has so many rows of a block at most */

struct jit_pattern {
    int64_t lane[VG_WARP];
    uint64_t high;           /* every lane's value, as an unsigned number, is at most this */
    uint8_t align;           /* 0 to 64 */
    uint8_t row;             /* lanes that share a base; 0: all do */
    uint32_t base;           /* a name: what has the same is of the same base, in a warp. 0: none */
};
/* Names of bases: of a register that is written once, and of special registers that do not change. */
#define JIT_BASE_OF(reg) (1 + (uint32_t)(reg))
#define JIT_BASE_SPECIAL(sreg, component) (UINT32_MAX - 4 * (uint32_t)(sreg) - (uint32_t)(component))

/* What is known of an operand or a register. */
enum jit_shape_of { JIT_UNSEEN, JIT_PATTERN, JIT_VARYING }; /* no definition so far; see above; anything */

/* The operand's pattern, of so many bits. */
typedef enum jit_shape_of jit_operand_fn(void *arg, const struct ptx_operand *o, unsigned bits, struct jit_pattern *p);

/* Code for the instruction on the values of lane 0 gives the result's lane 0, if its pattern is known. */
bool jit_pattern_op(const struct ptx_insn *i);
/* The result's pattern, from those of its operands; where there is none for all lanes, one by rows of so many (0: none). 'guard' (may be NULL): it holds only where this source operand, extended to
 * 64 bits, does not wrap between its lanes; NULL means that such a result varies. */
enum jit_shape_of jit_pattern_result(const struct ptx_insn *i, jit_operand_fn *operand, void *arg, unsigned row, struct jit_pattern *p,
                                     const struct ptx_operand **guard);
/* The thread's index in a block of this shape; false when warps differ in more than where they begin. */
bool jit_pattern_tid(const uint32_t block[3], unsigned component, struct jit_pattern *p);
/* What is the same for all lanes and not known. */
void jit_pattern_uniform(struct jit_pattern *p);
void jit_pattern_constant(struct jit_pattern *p, uint64_t v, unsigned bits);
bool jit_pattern_is_uniform(const struct jit_pattern *p);
/* *into becomes what holds for both, maybe by rows; false when there is nothing of the kind. */
bool jit_pattern_join(struct jit_pattern *into, const struct jit_pattern *p, unsigned bits, unsigned row);

#endif
