/* SPDX-License-Identifier: Apache-2.0 */
/* Integer arithmetic, PTX ISA 9.7.1 and the extended-precision instructions of 9.7.2. Where the ISA leaves a result open,
 * it is what an H200 gives: x / 0 and x % 0 are all ones, INT_MIN / -1 wraps. */
#include "interp/lanes_util.h"

/* Bits decide for add, sub, mul.lo, mad.lo and neg: signed and unsigned share one operation, on unsigned types, where
 * overflow is defined. */
LANE_OP2(add_16, uint16_t, uint16_t, uint16_t, a + b)
LANE_OP2(add_32, uint32_t, uint32_t, uint32_t, a + b)
LANE_OP2(add_64, uint64_t, uint64_t, uint64_t, a + b)
LANE_OP2(sub_16, uint16_t, uint16_t, uint16_t, a - b)
LANE_OP2(sub_32, uint32_t, uint32_t, uint32_t, a - b)
LANE_OP2(sub_64, uint64_t, uint64_t, uint64_t, a - b)
LANE_OP2(add_16x2, uint32_t, uint32_t, uint32_t, ((a + b) & 0xffff) | ((a & 0xffff0000u) + (b & 0xffff0000u)))
LANE_OP2(mul_lo_16, uint16_t, uint16_t, uint16_t, (uint32_t)a * b)
LANE_OP2(mul_lo_32, uint32_t, uint32_t, uint32_t, a * b)
LANE_OP2(mul_lo_64, uint64_t, uint64_t, uint64_t, a * b)
LANE_OP3(mad_lo_16, uint16_t, uint16_t, uint16_t, uint16_t, (uint32_t)a * b + c)
LANE_OP3(mad_lo_32, uint32_t, uint32_t, uint32_t, uint32_t, a * b + c)
LANE_OP3(mad_lo_64, uint64_t, uint64_t, uint64_t, uint64_t, a * b + c)
LANE_OP1(neg_16, uint16_t, uint16_t, 0u - a)
LANE_OP1(neg_32, uint32_t, uint32_t, 0u - a)
LANE_OP1(neg_64, uint64_t, uint64_t, 0u - a)
LANE_OP1(abs_s16, uint16_t, int16_t, a < 0 ? 0u - (uint16_t)a : (uint16_t)a)
LANE_OP1(abs_s32, uint32_t, int32_t, a < 0 ? 0u - (uint32_t)a : (uint32_t)a)
LANE_OP1(abs_s64, uint64_t, int64_t, a < 0 ? 0u - (uint64_t)a : (uint64_t)a)

static inline int32_t sat_s32(int64_t v)
{
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

/* a + b saturated: overflow shows in the sign bits, and the limit is that of a's sign. */
static inline int32_t add_sat_s32_(int32_t a, int32_t b)
{
    uint32_t sum = (uint32_t)a + (uint32_t)b;
    uint32_t limit = ((uint32_t)a >> 31) + 0x7fffffffu;

    return (int32_t)((~(a ^ b) & (a ^ (int32_t)sum)) < 0 ? limit : sum);
}

static inline int32_t sub_sat_s32_(int32_t a, int32_t b)
{
    uint32_t difference = (uint32_t)a - (uint32_t)b;
    uint32_t limit = ((uint32_t)a >> 31) + 0x7fffffffu;

    return (int32_t)(((a ^ b) & (a ^ (int32_t)difference)) < 0 ? limit : difference);
}
LANE_OP2(add_sat_s32, int32_t, int32_t, int32_t, add_sat_s32_(a, b))
LANE_OP2(sub_sat_s32, int32_t, int32_t, int32_t, sub_sat_s32_(a, b))

static inline uint64_t mulhi_u64(uint64_t a, uint64_t b)
{
    return (uint64_t)((unsigned __int128)a * b >> 64);
}

static inline int64_t mulhi_s64(int64_t a, int64_t b)
{
    return (int64_t)((__int128)a * b >> 64);
}
#define MULHI_u16(a, b) ((uint32_t)(a) * (b) >> 16)
#define MULHI_s16(a, b) ((int32_t)(a) * (b) >> 16)
#define MULHI_u32(a, b) ((uint32_t)((uint64_t)(a) * (b) >> 32))
#define MULHI_s32(a, b) ((int32_t)((int64_t)(a) * (b) >> 32))
#define MULHI_u64 mulhi_u64
#define MULHI_s64 mulhi_s64

/* Division. Up to 32 bits it is done in floating point, which vectorises: with operands of n bits a quotient that is not an
 * integer is at least 2^-n (relative) away from the next one, so neither float (n = 16) nor double (n = 32) rounds across it
 * and truncation gives the integer quotient. 'b + !b' keeps the divisor from being 0. */
static inline uint32_t quot_u16(uint32_t a, uint32_t b)
{
    return (uint32_t)(int32_t)((float)(int32_t)a / (float)(int32_t)(b + !b));
}

static inline int32_t quot_s16(int32_t a, int32_t b)
{
    return (int32_t)((float)a / (float)(b + !b));
}

static inline uint32_t quot_u32(uint32_t a, uint32_t b)
{
    return (uint32_t)((double)a / (double)(b + !b));
}

static inline int32_t quot_s32(int32_t a, int32_t b)
{
    uint32_t q = quot_u32(a < 0 ? 0u - (uint32_t)a : (uint32_t)a, b < 0 ? 0u - (uint32_t)b : (uint32_t)b);

    return (int32_t)((a ^ b) < 0 ? 0u - q : q);
}

static inline uint64_t quot_u64(uint64_t a, uint64_t b)
{
    return a / (b + !b);
}

static inline int64_t quot_s64(int64_t a, int64_t b)
{
    return b == -1 ? (int64_t)(0u - (uint64_t)a) : a / (b + !b);
}

/* What exists for every type. U: the unsigned type of the same width, W: one in which nothing overflows when multiplied. */
#define EVERY_TYPE(X) \
    X(u16, uint16_t, uint16_t, uint32_t) X(s16, int16_t, uint16_t, uint32_t) X(u32, uint32_t, uint32_t, uint32_t) \
    X(s32, int32_t, uint32_t, uint32_t) X(u64, uint64_t, uint64_t, uint64_t) X(s64, int64_t, uint64_t, uint64_t)
#define X(t, T, U, W) \
    LANE_OP2(min_##t, T, T, T, a < b ? a : b) \
    LANE_OP2(max_##t, T, T, T, a > b ? a : b) \
    LANE_OP2(mul_hi_##t, T, T, T, MULHI_##t(a, b)) \
    LANE_OP3(mad_hi_##t, U, T, T, U, (W)MULHI_##t(a, b) + c) \
    LANE_OP3(sad_##t, U, T, T, U, c + (a < b ? (W)b - (W)a : (W)a - (W)b)) \
    LANE_OP2(div_##t, U, T, T, b ? (U)quot_##t(a, b) : (U)-1) \
    LANE_OP2(rem_##t, U, T, T, b ? (U)a - (W)quot_##t(a, b) * (U)b : (U)-1)
EVERY_TYPE(X)
#undef X
LANE_OP3(mad_hi_sat_s32, int32_t, int32_t, int32_t, int32_t, add_sat_s32_(MULHI_s32(a, b), c))

LANE_OP2(mul_wide_u16, uint32_t, uint16_t, uint16_t, (uint32_t)a * b)
LANE_OP2(mul_wide_s16, int32_t, int16_t, int16_t, (int32_t)a * b)
LANE_OP2(mul_wide_u32, uint64_t, uint32_t, uint32_t, (uint64_t)a * b)
LANE_OP2(mul_wide_s32, int64_t, int32_t, int32_t, (int64_t)a * b)
LANE_OP3(mad_wide_u16, uint32_t, uint16_t, uint16_t, uint32_t, (uint32_t)a * b + c)
LANE_OP3(mad_wide_s16, uint32_t, int16_t, int16_t, uint32_t, (uint32_t)((int32_t)a * b) + c)
LANE_OP3(mad_wide_u32, uint64_t, uint32_t, uint32_t, uint64_t, (uint64_t)a * b + c)
LANE_OP3(mad_wide_s32, uint64_t, int32_t, int32_t, uint64_t, (uint64_t)((int64_t)a * b) + c)

/* 24-bit multiplication: .lo are the product's bits 31..0, .hi its bits 47..16. */
#define U24(v) ((uint64_t)((v) & 0xffffff))
#define S24(v) ((int64_t)((int32_t)((uint32_t)(v) << 8) >> 8))
LANE_OP2(mul24_lo_u32, uint32_t, uint32_t, uint32_t, U24(a) * U24(b))
LANE_OP2(mul24_hi_u32, uint32_t, uint32_t, uint32_t, U24(a) * U24(b) >> 16)
LANE_OP2(mul24_lo_s32, uint32_t, uint32_t, uint32_t, S24(a) * S24(b))
LANE_OP2(mul24_hi_s32, uint32_t, uint32_t, uint32_t, S24(a) * S24(b) >> 16)
LANE_OP3(mad24_lo_u32, uint32_t, uint32_t, uint32_t, uint32_t, U24(a) * U24(b) + c)
LANE_OP3(mad24_hi_u32, uint32_t, uint32_t, uint32_t, uint32_t, (U24(a) * U24(b) >> 16) + c)
LANE_OP3(mad24_lo_s32, uint32_t, uint32_t, uint32_t, uint32_t, (uint64_t)(S24(a) * S24(b)) + c)
LANE_OP3(mad24_hi_s32, uint32_t, uint32_t, uint32_t, uint32_t, (uint64_t)(S24(a) * S24(b) >> 16) + c)
LANE_OP3(mad24_hi_sat_s32, int32_t, int32_t, int32_t, int32_t, sat_s32((S24(a) * S24(b) >> 16) + c))

/* min and max of two packed halves, and .relu: a negative result becomes 0. */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define HALVES(T, OP) \
    ((uint32_t)(uint16_t)OP((T)a, (T)b) | (uint32_t)(uint16_t)OP((T)(a >> 16), (T)(b >> 16)) << 16)
#define RELU_MIN(a, b) MAX(MIN(a, b), 0)
#define RELU_MAX(a, b) MAX(MAX(a, b), 0)
LANE_OP2(min_u16x2, uint32_t, uint32_t, uint32_t, HALVES(uint16_t, MIN))
LANE_OP2(max_u16x2, uint32_t, uint32_t, uint32_t, HALVES(uint16_t, MAX))
LANE_OP2(min_s16x2, uint32_t, uint32_t, uint32_t, HALVES(int16_t, MIN))
LANE_OP2(max_s16x2, uint32_t, uint32_t, uint32_t, HALVES(int16_t, MAX))
LANE_OP2(min_relu_s16x2, uint32_t, uint32_t, uint32_t, HALVES(int16_t, RELU_MIN))
LANE_OP2(max_relu_s16x2, uint32_t, uint32_t, uint32_t, HALVES(int16_t, RELU_MAX))
LANE_OP2(min_relu_s32, int32_t, int32_t, int32_t, RELU_MIN(a, b))
LANE_OP2(max_relu_s32, int32_t, int32_t, int32_t, RELU_MAX(a, b))

/* Carry chains (9.7.2): x + y + CC.CF or x - y - CC.CF, where x is a, or half a product with the addend as y. After a
 * subtraction CC.CF is the borrow. The carry is computed before the destination is written, which may be a source. */
enum { CARRY_IN = 1, CARRY_OUT = 2 };
#define CARRY_OP(name, T, S, how, SOURCE_Y, X_EXPR, SUM, CARRY) \
    static void name(const struct lane_args *args) \
    { \
        const uint32_t in = (how) & CARRY_IN ? *args->carry : 0; \
        T *d = args->d[0]; \
        const S *a_ = args->s[0], *b_ = args->s[1]; \
        const T *y_ = args->s[SOURCE_Y]; \
        T x_[LANES_PER_WARP] __attribute__((aligned(64))); \
        uint32_t out = 0; \
\
        FOR_LANES(l) x_[l] = ({ const S a = a_[l]; const S b __attribute__((unused)) = b_[l]; (T)(X_EXPR); }); \
        if ((how) & CARRY_OUT) \
            out = LANE_BALLOT(({ const T x = x_[l], y = y_[l]; const T carry = in & lane_bit[l] ? 1 : 0; (CARRY); })); \
        LANE_STORE(args->mask, d, ({ const T x = x_[l], y = y_[l]; const T carry = in & lane_bit[l] ? 1 : 0; (T)(SUM); })); \
        if ((how) & CARRY_OUT) \
            lane_set_pred(args->mask, args->carry, out); \
    }
#define CARRY_ADD(name, T, S, how, SOURCE_Y, X_EXPR) \
    CARRY_OP(name, T, S, how, SOURCE_Y, X_EXPR, x + y + carry, (T)(x + y) < x || (T)(x + y + carry) < carry)
#define CARRY_SUB(name, T, how) \
    CARRY_OP(name, T, T, how, 1, a, x - y - carry, x < y || (T)(x - y) < carry)
#define CARRY_ADDS(name, T, S, SOURCE_Y, X_EXPR) \
    CARRY_ADD(name##_cc, T, S, CARRY_OUT, SOURCE_Y, X_EXPR) \
    CARRY_ADD(name##_c, T, S, CARRY_IN, SOURCE_Y, X_EXPR) \
    CARRY_ADD(name##_c_cc, T, S, CARRY_IN | CARRY_OUT, SOURCE_Y, X_EXPR)
CARRY_ADDS(add_32, uint32_t, uint32_t, 1, a)
CARRY_ADDS(add_64, uint64_t, uint64_t, 1, a)
CARRY_ADDS(mad_lo_32, uint32_t, uint32_t, 2, a * b)
CARRY_ADDS(mad_lo_64, uint64_t, uint64_t, 2, a * b)
CARRY_ADDS(mad_hi_u32, uint32_t, uint32_t, 2, MULHI_u32(a, b))
CARRY_ADDS(mad_hi_u64, uint64_t, uint64_t, 2, MULHI_u64(a, b))
CARRY_ADDS(mad_hi_s32, uint32_t, int32_t, 2, MULHI_s32(a, b))
CARRY_ADDS(mad_hi_s64, uint64_t, int64_t, 2, MULHI_s64(a, b))
CARRY_SUB(sub_32_cc, uint32_t, CARRY_OUT)
CARRY_SUB(sub_64_cc, uint64_t, CARRY_OUT)
CARRY_SUB(sub_32_c, uint32_t, CARRY_IN)
CARRY_SUB(sub_64_c, uint64_t, CARRY_IN)
CARRY_SUB(sub_32_c_cc, uint32_t, CARRY_IN | CARRY_OUT)
CARRY_SUB(sub_64_c_cc, uint64_t, CARRY_IN | CARRY_OUT)

#define ROW(op, type, sub, flags, run) { PTX_OP_##op, PTX_TYPE_##type, 0, sub, flags, run }
#define ROW_US(op, bits, sub, flags, run) ROW(op, u##bits, sub, flags, run), ROW(op, s##bits, sub, flags, run)
#define LO PTX_mul_lo
#define HI PTX_mul_hi
#define WIDE PTX_mul_wide
#define SAT PTX_FLAG_SAT
#define RELU PTX_FLAG_RELU
#define CC PTX_FLAG_CC

static const struct lane_row rows[] = {
#define X(bits) \
    ROW_US(add, bits, 0, 0, add_##bits), ROW_US(sub, bits, 0, 0, sub_##bits), ROW_US(mul, bits, LO, 0, mul_lo_##bits), \
    ROW_US(mad, bits, LO, 0, mad_lo_##bits), ROW(neg, s##bits, 0, 0, neg_##bits), ROW(abs, s##bits, 0, 0, abs_s##bits),
    X(16) X(32) X(64)
#undef X
#define X(t, T, U, W) \
    ROW(min, t, 0, 0, min_##t), ROW(max, t, 0, 0, max_##t), ROW(mul, t, HI, 0, mul_hi_##t), ROW(mad, t, HI, 0, mad_hi_##t), \
    ROW(sad, t, 0, 0, sad_##t), ROW(div, t, 0, 0, div_##t), ROW(rem, t, 0, 0, rem_##t),
    EVERY_TYPE(X)
#undef X
#define X(t) ROW(mul, t, WIDE, 0, mul_wide_##t), ROW(mad, t, WIDE, 0, mad_wide_##t),
    X(u16) X(s16) X(u32) X(s32)
#undef X
    ROW(add, s32, 0, SAT, add_sat_s32), ROW(sub, s32, 0, SAT, sub_sat_s32), ROW(mad, s32, HI, SAT, mad_hi_sat_s32),
    ROW_US(add, 16x2, 0, 0, add_16x2),
    ROW(min, u16x2, 0, 0, min_u16x2), ROW(max, u16x2, 0, 0, max_u16x2),
    ROW(min, s16x2, 0, 0, min_s16x2), ROW(max, s16x2, 0, 0, max_s16x2),
    ROW(min, s16x2, 0, RELU, min_relu_s16x2), ROW(max, s16x2, 0, RELU, max_relu_s16x2),
    ROW(min, s32, 0, RELU, min_relu_s32), ROW(max, s32, 0, RELU, max_relu_s32),
    ROW(mul24, u32, LO, 0, mul24_lo_u32), ROW(mul24, s32, LO, 0, mul24_lo_s32),
    ROW(mul24, u32, HI, 0, mul24_hi_u32), ROW(mul24, s32, HI, 0, mul24_hi_s32),
    ROW(mad24, u32, LO, 0, mad24_lo_u32), ROW(mad24, s32, LO, 0, mad24_lo_s32),
    ROW(mad24, u32, HI, 0, mad24_hi_u32), ROW(mad24, s32, HI, 0, mad24_hi_s32), ROW(mad24, s32, HI, SAT, mad24_hi_sat_s32),
#define X(bits) \
    ROW_US(add, bits, 0, CC, add_##bits##_cc), ROW_US(addc, bits, 0, 0, add_##bits##_c), \
    ROW_US(addc, bits, 0, CC, add_##bits##_c_cc), ROW_US(sub, bits, 0, CC, sub_##bits##_cc), \
    ROW_US(subc, bits, 0, 0, sub_##bits##_c), ROW_US(subc, bits, 0, CC, sub_##bits##_c_cc), \
    ROW_US(mad, bits, LO, CC, mad_lo_##bits##_cc), ROW_US(madc, bits, LO, 0, mad_lo_##bits##_c), \
    ROW_US(madc, bits, LO, CC, mad_lo_##bits##_c_cc), \
    ROW(mad, u##bits, HI, CC, mad_hi_u##bits##_cc), ROW(mad, s##bits, HI, CC, mad_hi_s##bits##_cc), \
    ROW(madc, u##bits, HI, 0, mad_hi_u##bits##_c), ROW(madc, s##bits, HI, 0, mad_hi_s##bits##_c), \
    ROW(madc, u##bits, HI, CC, mad_hi_u##bits##_c_cc), ROW(madc, s##bits, HI, CC, mad_hi_s##bits##_c_cc),
    X(32) X(64)
#undef X
};

lane_op *LANES(lanes_select_int)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    return LANE_FIND(rows, insn, insn->mul);
}
