/* SPDX-License-Identifier: Apache-2.0 */
/* f64 arithmetic, PTX ISA 9.7.3, in every rounding. The hardware passes an operand's NaN payload on, quieted, and makes
 * 0xfff8... of an invalid operation: just what x86 does. Approximate functions are in lanes_approx.c. */
#include "interp/lanes_float.h"

#define OP1(name, EXPR) \
    LANE_OP1(name, uint64_t, uint64_t, ({ const double x = bits_f64(a); f64_bits(EXPR); })) \
    LANE_DIRECTED(name)
#define OP2(name, EXPR) \
    LANE_OP2(name, uint64_t, uint64_t, uint64_t, ({ const double x = bits_f64(a), y = bits_f64(b); f64_bits(EXPR); })) \
    LANE_DIRECTED(name)
#define OP3(name, EXPR) \
    LANE_OP3(name, uint64_t, uint64_t, uint64_t, uint64_t, \
             ({ const double x = bits_f64(a), y = bits_f64(b), z = bits_f64(c); f64_bits(EXPR); })) \
    LANE_DIRECTED(name)

OP2(add_f64, x + y)
OP2(sub_f64, x - y)
OP2(mul_f64, x * y)
OP2(div_f64, x / y)
OP3(fma_f64, __builtin_fma(x, y, z))
OP1(rcp_f64, 1.0 / x)
OP1(sqrt_f64, __builtin_sqrt(x))

#define SIGN_F64 0x8000000000000000u
#define QUIET_F64 0x0008000000000000u

static inline int is_nan_f64(uint64_t u)
{
    return (u & ~SIGN_F64) > 0x7ff0000000000000u;
}

LANE_OP1(abs_f64, uint64_t, uint64_t, is_nan_f64(a) ? a | QUIET_F64 : a & ~SIGN_F64)
LANE_OP1(neg_f64, uint64_t, uint64_t, is_nan_f64(a) ? a | QUIET_F64 : a ^ SIGN_F64)
LANE_OP2(copysign_f64, uint64_t, uint64_t, uint64_t, (a & SIGN_F64) | (b & ~SIGN_F64))

/* As lanes_f32.c's: an integer in the order of the floats, -0 below +0. */
static inline int64_t order_f64(uint64_t u)
{
    return (int64_t)(u ^ ((uint64_t)((int64_t)u >> 63) & ~SIGN_F64));
}

#define MINMAX(name, LESS) \
    LANE_OP2(name, uint64_t, uint64_t, uint64_t, ({ \
        const uint64_t r = order_f64(a) LESS order_f64(b) ? a : b; \
        const uint64_t other = is_nan_f64(a) ? b : is_nan_f64(b) ? a : r; \
        is_nan_f64(other) ? other | QUIET_F64 : other; \
    }))
MINMAX(min_f64, <)
MINMAX(max_f64, >)

#define ROW(op, round, fn) {PTX_OP_##op, PTX_TYPE_f64, 0, round, 0, fn}
#define ROUNDED(op, fn) ROW(op, ROUND_NEAREST, fn), ROW(op, ROUND_DIRECTED, fn##_directed)
static const struct lane_row rows[] = {
    ROUNDED(add, add_f64), ROUNDED(sub, sub_f64), ROUNDED(mul, mul_f64), ROUNDED(div, div_f64), ROUNDED(fma, fma_f64),
    ROUNDED(mad, fma_f64), ROUNDED(rcp, rcp_f64), ROUNDED(sqrt, sqrt_f64),
    ROW(abs, ROUND_NEAREST, abs_f64), ROW(neg, ROUND_NEAREST, neg_f64), ROW(copysign, ROUND_NEAREST, copysign_f64),
    ROW(min, ROUND_NEAREST, min_f64), ROW(max, ROUND_NEAREST, max_f64),
};

lane_op *LANES(lanes_select_f64)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    return LANE_FIND(rows, insn, round_class(insn));
}
