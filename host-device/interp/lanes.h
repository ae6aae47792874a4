/* SPDX-License-Identifier: Apache-2.0 */
/* Lane operations: what one PTX instruction does to the 32 lanes of a warp, as pure functions on arrays.
 *
 * The interpreter's core (lowering, control flow, memory, barriers) knows nothing of arithmetic; these files know nothing of
 * warps, frames or control. A lane operation reads its sources, writes the lanes in 'mask' and leaves every other lane of
 * its destinations untouched. A destination may be the same array as a source.
 *
 * Register arrays hold 32 elements, lane 0 first:
 *   8- and 16-bit types (also f16, bf16, e4m3x2): uint16_t[32], 8-bit values zero-extended
 *   32-bit types (also f16x2, bf16x2, tf32):      uint32_t[32]
 *   64-bit types:                                 uint64_t[32]
 *   128-bit types:                                struct { uint64_t lo, hi; }[32]
 *   predicates:                                   one uint32_t, bit i = lane i
 * all 64-byte aligned (predicates: 4). Immediates and special registers arrive as arrays too (an immediate predicate too). A
 * negated predicate source (!p) arrives already negated.
 *
 * A register may be wider than the instruction's type only for ld, st, cvt and mov-like moves, as PTX 9.4.1 "Operand size
 * exceeding instruction-type size" allows; selectors are told the widths through lane_widths.
 *
 * The files are compiled several times, for baseline x86-64, AVX2 (x86-64-v3) and AVX-512 (x86-64-v4); LANES(name) gives each
 * copy its own name and interp picks a set by the CPU it runs on. */
#ifndef VGPU_INTERP_LANES_H
#define VGPU_INTERP_LANES_H

#include "ptx/launch.h"

/* Operands, flattened in PTX order: vector operands contribute their elements; d holds the destinations (dst2 of d|p forms
 * last), s the sources. An absent one ('_') is NULL. */
#define LANE_MAX_DST 10
#define LANE_MAX_SRC 28
struct lane_args {
    uint32_t mask;              /* active lanes, never 0 */
    uint32_t present;           /* lanes of the warp that exist and have not exited: what collectives wait for */
    const struct ptx_insn *insn;
    void *d[LANE_MAX_DST];
    const void *s[LANE_MAX_SRC];
    uint32_t *carry;            /* the frame's condition code register CC.CF, bit i = lane i: add.cc, addc, ... */
    void *warp;                 /* opaque, for lane_fault() */
};
typedef void lane_op(const struct lane_args *a);

/* Storage bits (16, 32, 64, 128, or 1 for predicates) of each register operand, as flattened above. */
struct lane_widths {
    uint8_t d[LANE_MAX_DST], s[LANE_MAX_SRC];
};

/* Give the operation for an instruction, or NULL when this family does not have it. One selector a family; each checks
 * op, types and suffixes by its table. */
typedef lane_op *lane_selector(const struct ptx_insn *insn, const struct lane_widths *w);

#ifndef LANES_ISA
#define LANES_ISA base
#endif
#define LANES_PASTE2(name, isa) name##_##isa
#define LANES_PASTE(name, isa) LANES_PASTE2(name, isa)
#define LANES(name) LANES_PASTE(name, LANES_ISA)

#define LANE_SELECTORS(X) \
    X(lanes_select_int)     /* lanes_int.c: integer arithmetic, carries, sad, mul24, division */ \
    X(lanes_select_bits)    /* lanes_bits.c: logic, shifts, bit fields, prmt, lop3 ... */ \
    X(lanes_select_video)   /* lanes_video.c: vadd ... vset4, dp4a, dp2a */ \
    X(lanes_select_cmp)     /* lanes_cmp.c: set, setp, selp, slct, testp, predicate logic (and.pred ...), mov.pred */ \
    X(lanes_select_cvt)     /* lanes_cvt.c: cvt, cvt.pack, mov between register classes incl. vector pack/unpack */ \
    X(lanes_select_f32)     /* lanes_f32.c: f32 (f32x2) arithmetic in every rounding */ \
    X(lanes_select_f64)     /* lanes_f64.c */ \
    X(lanes_select_half)    /* lanes_half.c: f16, f16x2, bf16, bf16x2 */ \
    X(lanes_select_approx)  /* lanes_approx.c: .approx functions */ \
    X(lanes_select_warp)    /* lanes_warp.c: shfl, vote, match, redux, elect, activemask on lanes that have all arrived */ \
    X(lanes_select_matrix)  /* lanes_matrix.c: mma, wmma.mma, movmatrix, and through a->s addresses: ldmatrix, stmatrix,
                               wmma.load, wmma.store */

#define X(name) lane_selector name##_base, name##_v3, name##_v4;
LANE_SELECTORS(X)
#undef X

/* Memory operands of lanes_matrix.c: the core has turned the address operand into 32 host addresses, uint64_t[32], valid for
 * lanes in the mask. Touch device memory only after lane_check(): it does not return when [address, address + n) leaves the
 * window or is not aligned to 'align', but ends the launch with the fault that belongs to it. */
void lane_check(const struct lane_args *a, unsigned lane, uint64_t address, size_t n, size_t align);

/* End the launch with a fault at this instruction. */
_Noreturn void lane_fault(const struct lane_args *a, unsigned lane, int code, uint64_t address, const char *what);

#endif
