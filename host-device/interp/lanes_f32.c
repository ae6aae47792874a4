/* SPDX-License-Identifier: Apache-2.0 */
/* f32 and f32x2 arithmetic, PTX ISA 9.7.3, in every rounding, with .ftz and .sat. The approximate functions are in
 * lanes_approx.c. Division, reciprocal and square root without .approx are correctly rounded. */
#include "interp/lanes_float.h"

/* Operands and result as floats; FTZ and SAT are constants where these are expanded. */
#define F32_IN(u, FTZ) bits_f32((FTZ) ? ftz_f32(u) : (u))
#define F32_UNARY(EXPR, FTZ, SAT, A) \
    ({ \
        const float x = F32_IN(A, FTZ); \
        f32_result((EXPR), FTZ, SAT); \
    })
#define F32_BINARY(EXPR, FTZ, SAT, A, B) \
    ({ \
        const float x = F32_IN(A, FTZ), y = F32_IN(B, FTZ); \
        f32_result((EXPR), FTZ, SAT); \
    })
#define F32_TERNARY(EXPR, FTZ, SAT, A, B, C) \
    ({ \
        const float x = F32_IN(A, FTZ), y = F32_IN(B, FTZ), z = F32_IN(C, FTZ); \
        f32_result((EXPR), FTZ, SAT); \
    })

#define ADD (x + y)
#define SUB (x - y)
#define MUL (x * y)
#define DIV (x / y)
#define FMA __builtin_fmaf(x, y, z)
#define RCP (1.0f / x)
#define SQRT __builtin_sqrtf(x)

#define OP1(name, EXPR, FTZ, SAT) \
    LANE_OP1(name, uint32_t, uint32_t, F32_UNARY(EXPR, FTZ, SAT, a)) \
    LANE_DIRECTED(name)
#define OP2(name, EXPR, FTZ, SAT) \
    LANE_OP2(name, uint32_t, uint32_t, uint32_t, F32_BINARY(EXPR, FTZ, SAT, a, b)) \
    LANE_DIRECTED(name)
#define OP3(name, EXPR, FTZ, SAT) \
    LANE_OP3(name, uint32_t, uint32_t, uint32_t, uint32_t, F32_TERNARY(EXPR, FTZ, SAT, a, b, c)) \
    LANE_DIRECTED(name)

#define FTZ_AND_SAT(OP, name, EXPR) \
    OP(name, EXPR, 0, 0) \
    OP(name##_ftz, EXPR, 1, 0) \
    OP(name##_sat, EXPR, 0, 1) \
    OP(name##_ftz_sat, EXPR, 1, 1)
#define FTZ_ALONE(OP, name, EXPR) \
    OP(name, EXPR, 0, 0) \
    OP(name##_ftz, EXPR, 1, 0)

FTZ_AND_SAT(OP2, add_f32, ADD)
FTZ_AND_SAT(OP2, sub_f32, SUB)
FTZ_AND_SAT(OP2, mul_f32, MUL)
FTZ_AND_SAT(OP3, fma_f32, FMA)
FTZ_ALONE(OP2, div_f32, DIV)
FTZ_ALONE(OP1, rcp_f32, RCP)
FTZ_ALONE(OP1, sqrt_f32, SQRT)

/* f32x2: two floats in a 64-bit register. */
#define LOW(u) ((uint32_t)(u))
#define HIGH(u) ((uint32_t)((u) >> 32))
#define X2_OP2(name, EXPR, FTZ, SAT) \
    LANE_OP2(name, uint64_t, uint64_t, uint64_t, \
             (uint64_t)F32_BINARY(EXPR, FTZ, SAT, HIGH(a), HIGH(b)) << 32 | F32_BINARY(EXPR, FTZ, SAT, LOW(a), LOW(b))) \
    LANE_DIRECTED(name)
#define X2_OP3(name, EXPR, FTZ, SAT) \
    LANE_OP3(name, uint64_t, uint64_t, uint64_t, uint64_t, \
             (uint64_t)F32_TERNARY(EXPR, FTZ, SAT, HIGH(a), HIGH(b), HIGH(c)) << 32 | \
                 F32_TERNARY(EXPR, FTZ, SAT, LOW(a), LOW(b), LOW(c))) \
    LANE_DIRECTED(name)

FTZ_ALONE(X2_OP2, add_f32x2, ADD)
FTZ_ALONE(X2_OP2, sub_f32x2, SUB)
FTZ_ALONE(X2_OP2, mul_f32x2, MUL)
FTZ_ALONE(X2_OP3, fma_f32x2, FMA)

/* Signs. abs and neg are arithmetic to the hardware: they turn a NaN into the canonical one; copysign only moves a bit. */
static inline uint32_t is_nan_f32(uint32_t u)
{
    return (u & 0x7fffffffu) > 0x7f800000u;
}

#define SIGN_OP(name, EXPR, FTZ) \
    LANE_OP1(name, uint32_t, uint32_t, ({ \
        const uint32_t u = (FTZ) ? ftz_f32(a) : a; \
        is_nan_f32(u) ? NAN_F32 : (EXPR); \
    }))
SIGN_OP(abs_f32, u & 0x7fffffffu, 0)
SIGN_OP(abs_f32_ftz, u & 0x7fffffffu, 1)
SIGN_OP(neg_f32, u ^ 0x80000000u, 0)
SIGN_OP(neg_f32_ftz, u ^ 0x80000000u, 1)
LANE_OP2(copysign_f32, uint32_t, uint32_t, uint32_t, (a & 0x80000000u) | (b & 0x7fffffffu))

/* Minimum and maximum, 9.7.3.11: compared as integers whose order is that of the floats, -0 below +0. */
static inline int32_t order_f32(uint32_t u)
{
    return (int32_t)(u ^ ((uint32_t)((int32_t)u >> 31) & 0x7fffffffu));
}

static inline __attribute__((always_inline)) uint32_t pick_f32(uint32_t a, uint32_t b, int is_max, int nan)
{
    uint32_t first = is_max ? order_f32(a) > order_f32(b) : order_f32(a) < order_f32(b);
    uint32_t r = first ? a : b;
    uint32_t nan_a = is_nan_f32(a), nan_b = is_nan_f32(b);

    if (nan)
        return nan_a | nan_b ? NAN_F32 : r;
    r = nan_a ? b : nan_b ? a : r;
    return nan_a & nan_b ? NAN_F32 : r;
}

enum { SIGNED, ABS, XORSIGN };

static inline __attribute__((always_inline)) uint32_t minmax_f32(uint32_t a, uint32_t b, int is_max, int ftz, int nan,
                                                                 int sign)
{
    uint32_t xor_sign = (a ^ b) & 0x80000000u, r;

    if (ftz) {
        a = ftz_f32(a);
        b = ftz_f32(b);
    }
    if (sign != SIGNED) {
        a &= 0x7fffffffu;
        b &= 0x7fffffffu;
    }
    r = pick_f32(a, b, is_max, nan);
    return sign == XORSIGN && !is_nan_f32(r) ? r | xor_sign : r;
}

#define MINMAX2(name, MAX, FTZ, NAN_, SIGN) \
    LANE_OP2(name, uint32_t, uint32_t, uint32_t, minmax_f32(a, b, MAX, FTZ, NAN_, SIGN))
#define MINMAX3(name, MAX, FTZ, NAN_, SIGN) \
    LANE_OP3(name, uint32_t, uint32_t, uint32_t, uint32_t, \
             minmax_f32(minmax_f32(a, b, MAX, FTZ, NAN_, SIGN), c, MAX, FTZ, NAN_, SIGN))
#define MINMAX(name, MAX) \
    MINMAX2(name, MAX, 0, 0, SIGNED) \
    MINMAX2(name##_ftz, MAX, 1, 0, SIGNED) \
    MINMAX2(name##_nan, MAX, 0, 1, SIGNED) \
    MINMAX2(name##_ftz_nan, MAX, 1, 1, SIGNED) \
    MINMAX2(name##_x, MAX, 0, 0, XORSIGN) \
    MINMAX2(name##_ftz_x, MAX, 1, 0, XORSIGN) \
    MINMAX2(name##_nan_x, MAX, 0, 1, XORSIGN) \
    MINMAX2(name##_ftz_nan_x, MAX, 1, 1, XORSIGN) \
    MINMAX3(name##_3, MAX, 0, 0, SIGNED) \
    MINMAX3(name##_3_ftz, MAX, 1, 0, SIGNED) \
    MINMAX3(name##_3_nan, MAX, 0, 1, SIGNED) \
    MINMAX3(name##_3_ftz_nan, MAX, 1, 1, SIGNED) \
    MINMAX3(name##_3_a, MAX, 0, 0, ABS) \
    MINMAX3(name##_3_ftz_a, MAX, 1, 0, ABS) \
    MINMAX3(name##_3_nan_a, MAX, 0, 1, ABS) \
    MINMAX3(name##_3_ftz_nan_a, MAX, 1, 1, ABS)
MINMAX(min_f32, 0)
MINMAX(max_f32, 1)

#define F_ PTX_FLAG_FTZ
#define S_ PTX_FLAG_SAT
#define N_ PTX_FLAG_NAN
#define X_ (PTX_FLAG_XORSIGN | PTX_FLAG_ABS)
#define A_ PTX_FLAG_ABS
#define ROUNDED(op, type, flags, fn) \
    {PTX_OP_##op, PTX_TYPE_##type, 0, ROUND_NEAREST, flags, fn}, \
    {PTX_OP_##op, PTX_TYPE_##type, 0, ROUND_DIRECTED, flags, fn##_directed}
#define ROWS_FTZ(op, type, fn) ROUNDED(op, type, 0, fn), ROUNDED(op, type, F_, fn##_ftz)
#define ROWS_FTZ_SAT(op, type, fn) \
    ROWS_FTZ(op, type, fn), ROUNDED(op, type, S_, fn##_sat), ROUNDED(op, type, F_ | S_, fn##_ftz_sat)
static const struct lane_row rounded_rows[] = {
    ROWS_FTZ_SAT(add, f32, add_f32), ROWS_FTZ_SAT(sub, f32, sub_f32), ROWS_FTZ_SAT(mul, f32, mul_f32),
    ROWS_FTZ_SAT(fma, f32, fma_f32), ROWS_FTZ_SAT(mad, f32, fma_f32),
    ROWS_FTZ(div, f32, div_f32), ROWS_FTZ(rcp, f32, rcp_f32), ROWS_FTZ(sqrt, f32, sqrt_f32),
    ROWS_FTZ(add, f32x2, add_f32x2), ROWS_FTZ(sub, f32x2, sub_f32x2), ROWS_FTZ(mul, f32x2, mul_f32x2),
    ROWS_FTZ(fma, f32x2, fma_f32x2),
};

#define PLAIN(op, operands, flags, fn) {PTX_OP_##op, PTX_TYPE_f32, 0, operands, flags, fn}
#define MINMAX_ROWS(op, fn) \
    PLAIN(op, 3, 0, fn), PLAIN(op, 3, F_, fn##_ftz), PLAIN(op, 3, N_, fn##_nan), PLAIN(op, 3, F_ | N_, fn##_ftz_nan), \
    PLAIN(op, 3, X_, fn##_x), PLAIN(op, 3, F_ | X_, fn##_ftz_x), PLAIN(op, 3, N_ | X_, fn##_nan_x), \
    PLAIN(op, 3, F_ | N_ | X_, fn##_ftz_nan_x), \
    PLAIN(op, 4, 0, fn##_3), PLAIN(op, 4, F_, fn##_3_ftz), PLAIN(op, 4, N_, fn##_3_nan), \
    PLAIN(op, 4, F_ | N_, fn##_3_ftz_nan), PLAIN(op, 4, A_, fn##_3_a), PLAIN(op, 4, F_ | A_, fn##_3_ftz_a), \
    PLAIN(op, 4, N_ | A_, fn##_3_nan_a), PLAIN(op, 4, F_ | N_ | A_, fn##_3_ftz_nan_a)
/* Told apart by the number of operands. */
static const struct lane_row plain_rows[] = {
    PLAIN(abs, 2, 0, abs_f32), PLAIN(abs, 2, F_, abs_f32_ftz), PLAIN(neg, 2, 0, neg_f32), PLAIN(neg, 2, F_, neg_f32_ftz),
    PLAIN(copysign, 3, 0, copysign_f32), MINMAX_ROWS(min, min_f32), MINMAX_ROWS(max, max_f32),
};

lane_op *LANES(lanes_select_f32)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    lane_op *op = LANE_FIND(rounded_rows, insn, round_class(insn));

    return op ? op : insn->round ? NULL : LANE_FIND(plain_rows, insn, insn->nops);
}
