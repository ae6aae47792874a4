/* SPDX-License-Identifier: Apache-2.0 */
/* f16, f16x2, bf16 and bf16x2 arithmetic, PTX ISA 9.7.4. A register of two halves is two elements in a row, so an operation
 * works on 32 or 64 elements alike.
 *
 * Every result is the exact one rounded once. Sums and products of two halves are computed in f32, whose 24 bits are more
 * than twice a half's 11 (8) plus 2, so that the second rounding cannot change the first. The fused multiply-add keeps the
 * information that a first rounding would lose by rounding to odd (Boldo and Melquiond, 2008). */
#include "interp/lanes_float.h"


/* a * b + c of f16 values: the product is exact in f32, TwoSum finds what the sum loses. */
static inline float fused_f16(float a, float b, float c)
{
    float p = a * b, s = p + c, t = s - p, lost = (p - (s - t)) + (c - t);
    uint32_t u = f32_bits(s), away = (lost > 0.0f) == (s > 0.0f) ? 1u : -1u;
    uint32_t inexact = lost != 0.0f && (u & 0x7f800000u) != 0x7f800000u;

    return bits_f32(inexact && !(u & 1) ? u + away : u);
}

/* The same for bf16, whose product needs f64's exponents; rounded to odd twice, to 53 and to 24 bits. */
static inline float fused_bf16(float a, float b, float c)
{
    double p = (double)a * b, s = p + c, t = s - p, lost = (p - (s - t)) + (c - t);
    uint64_t w = f64_bits(s), away = (lost > 0.0) == (s > 0.0) ? 1u : -1ull;
    double odd = bits_f64(lost != 0.0 && s - s == 0.0 && !(w & 1) ? w + away : w);
    float f = (float)odd;
    uint32_t u = f32_bits(f), truncated = __builtin_fabs((double)f) > __builtin_fabs(odd) ? u - 1 : u;

    return bits_f32((double)f == odd || odd != odd ? u : truncated | 1);
}

/* What distinguishes the two formats when looking at bits. */
struct half_format {
    uint16_t infinity, one;
};
static const struct half_format f16 = {0x7c00, 0x3c00}, bf16 = {0x7f80, 0x3f80};

static inline __attribute__((always_inline)) uint16_t ftz_half(uint16_t h, const struct half_format *f)
{
    return h & f->infinity ? h : h & 0x8000u;
}

static inline int is_nan_half(uint16_t h, const struct half_format *f)
{
    return (h & 0x7fffu) > f->infinity;
}

/* The elements of source i, flushed where the instruction asks for it. */
static inline __attribute__((always_inline)) void half_source(uint16_t *out, const struct lane_args *args, unsigned i,
                                                               unsigned n, const struct half_format *f)
{
    memcpy(out, args->s[i], n * sizeof *out);
    if (args->insn->flags & PTX_FLAG_FTZ)
        for (unsigned j = 0; j < n; j++)
            out[j] = ftz_half(out[j], f);
}

/* Apply .ftz, .sat and .relu, and write the active lanes. */
static inline __attribute__((always_inline)) void half_result(const struct lane_args *args, uint16_t *r, unsigned n,
                                                               const struct half_format *f)
{
    uint32_t flags = args->insn->flags;

    if (flags & PTX_FLAG_FTZ)
        for (unsigned i = 0; i < n; i++)
            r[i] = ftz_half(r[i], f);
    if (flags & PTX_FLAG_SAT) /* negative and NaN: both are above one as unsigned numbers, or are -0 */
        for (unsigned i = 0; i < n; i++)
            r[i] = r[i] & 0x8000u || is_nan_half(r[i], f) ? 0 : r[i] < f->one ? r[i] : f->one;
    if (flags & PTX_FLAG_RELU)
        for (unsigned i = 0; i < n; i++)
            r[i] = r[i] & 0x8000u ? 0 : r[i];
    if (n == LANES_PER_WARP) {
        uint16_t *d = args->d[0];
        LANE_STORE(args->mask, d, r[l]);
    } else {
        uint32_t *d = args->d[0], pair[LANES_PER_WARP];
        memcpy(pair, r, sizeof pair);
        LANE_STORE(args->mask, d, pair[l]);
    }
}

#define HALF_OP(name, F, N, SOURCES, EXPR) \
    static void name(const struct lane_args *args) \
    { \
        uint16_t s[2][N], r[N]; \
        for (unsigned i = 0; i < (SOURCES); i++) \
            half_source(s[i], args, i, N, &F); \
        for (unsigned i = 0; i < (N); i++) { \
            const uint16_t a = s[0][i], b = (SOURCES) > 1 ? s[1][i] : 0; \
            (void)b; \
            r[i] = (EXPR); \
        } \
        half_result(args, r, N, &F); \
    }

/* Both formats, one and two to a register. */
#define HALF_OPS(name, SOURCES, EXPR) \
    HALF_OP(name##_f16, f16, 32, SOURCES, EXPR(f16)) \
    HALF_OP(name##_f16x2, f16, 64, SOURCES, EXPR(f16)) \
    HALF_OP(name##_bf16, bf16, 32, SOURCES, EXPR(bf16)) \
    HALF_OP(name##_bf16x2, bf16, 64, SOURCES, EXPR(bf16))

/* The same through floats a, b and c. */
#define WIDE_OP(name, F, N, SOURCES, EXPR) \
    static void name(const struct lane_args *args) \
    { \
        uint16_t r[N]; \
        float wide[3][N], result[N]; \
        for (unsigned i = 0; i < (SOURCES); i++) { \
            half_source(r, args, i, N, &F); \
            widen_##F(wide[i], r, N); \
        } \
        for (unsigned i = 0; i < (N); i++) { \
            const float a = wide[0][i], b = wide[1][i], c = (SOURCES) > 2 ? wide[2][i] : 0.0f; \
            (void)c; \
            result[i] = (EXPR); \
        } \
        narrow_##F(r, result, N); \
        half_result(args, r, N, &F); \
    }
#define WIDE_OPS(name, SOURCES, EXPR) \
    WIDE_OP(name##_f16, f16, 32, SOURCES, EXPR(f16)) \
    WIDE_OP(name##_f16x2, f16, 64, SOURCES, EXPR(f16)) \
    WIDE_OP(name##_bf16, bf16, 32, SOURCES, EXPR(bf16)) \
    WIDE_OP(name##_bf16x2, bf16, 64, SOURCES, EXPR(bf16))

#define ADD(F) a + b
#define SUB(F) a - b
#define MUL(F) a * b
#define FMA(F) fused_##F(a, b, c)
WIDE_OPS(add, 2, ADD)
WIDE_OPS(sub, 2, SUB)
WIDE_OPS(mul, 2, MUL)
WIDE_OPS(fma, 3, FMA)

/* As for f32, abs and neg make a NaN canonical. */
#define ABS(F) (is_nan_half(a, &F) ? NAN_16 : a & 0x7fffu)
#define NEG(F) (is_nan_half(a, &F) ? NAN_16 : a ^ 0x8000u)
HALF_OPS(abs, 1, ABS)
HALF_OPS(neg, 1, NEG)

static inline int16_t order_half(uint16_t h)
{
    return (int16_t)(h ^ ((uint16_t)((int16_t)h >> 15) & 0x7fffu));
}

static inline __attribute__((always_inline)) uint16_t minmax_half(uint16_t a, uint16_t b, const struct half_format *f,
                                                                  int is_max, int nan, int xorsign)
{
    uint16_t x = xorsign ? a & 0x7fffu : a, y = xorsign ? b & 0x7fffu : b, sign = xorsign ? (a ^ b) & 0x8000u : 0;
    int first = is_max ? order_half(x) > order_half(y) : order_half(x) < order_half(y);
    int nan_x = is_nan_half(x, f), nan_y = is_nan_half(y, f);
    uint16_t r = first ? x : y;

    r = nan_x ? y : nan_y ? x : r;
    return (nan ? nan_x | nan_y : nan_x & nan_y) ? NAN_16 : r | sign;
}

#define MIN(F) minmax_half(a, b, &F, 0, 0, 0)
#define MIN_NAN(F) minmax_half(a, b, &F, 0, 1, 0)
#define MIN_X(F) minmax_half(a, b, &F, 0, 0, 1)
#define MIN_NAN_X(F) minmax_half(a, b, &F, 0, 1, 1)
#define MAX(F) minmax_half(a, b, &F, 1, 0, 0)
#define MAX_NAN(F) minmax_half(a, b, &F, 1, 1, 0)
#define MAX_X(F) minmax_half(a, b, &F, 1, 0, 1)
#define MAX_NAN_X(F) minmax_half(a, b, &F, 1, 1, 1)
HALF_OPS(min, 2, MIN)
HALF_OPS(min_nan, 2, MIN_NAN)
HALF_OPS(min_x, 2, MIN_X)
HALF_OPS(min_nan_x, 2, MIN_NAN_X)
HALF_OPS(max, 2, MAX)
HALF_OPS(max_nan, 2, MAX_NAN)
HALF_OPS(max_x, 2, MAX_X)
HALF_OPS(max_nan_x, 2, MAX_NAN_X)

/* Which suffixes each may carry beside those that choose the operation. bf16 has neither .ftz nor .sat. */
#define F_ PTX_FLAG_FTZ
#define S_ PTX_FLAG_SAT
#define R_ PTX_FLAG_RELU
#define N_ PTX_FLAG_NAN
#define X_ (PTX_FLAG_XORSIGN | PTX_FLAG_ABS)
#define ROWS_F16(op, flags, fn) \
    {PTX_OP_##op, PTX_TYPE_f16, 0, 0, flags, fn##_f16}, {PTX_OP_##op, PTX_TYPE_f16x2, 0, 0, flags, fn##_f16x2}
#define ROWS(op, flags, fn) \
    ROWS_F16(op, flags, fn), \
    {PTX_OP_##op, PTX_TYPE_bf16, 0, 0, flags, fn##_bf16}, {PTX_OP_##op, PTX_TYPE_bf16x2, 0, 0, flags, fn##_bf16x2}
#define ARITHMETIC(op) ROWS(op, 0, op), ROWS_F16(op, F_, op), ROWS_F16(op, S_, op), ROWS_F16(op, F_ | S_, op)
#define SIGNS(op) ROWS(op, 0, op), ROWS_F16(op, F_, op)
#define MINMAX(op) \
    ROWS(op, 0, op), ROWS(op, N_, op##_nan), ROWS(op, X_, op##_x), ROWS(op, N_ | X_, op##_nan_x), \
    ROWS_F16(op, F_, op), ROWS_F16(op, F_ | N_, op##_nan), ROWS_F16(op, F_ | X_, op##_x), \
    ROWS_F16(op, F_ | N_ | X_, op##_nan_x)
static const struct lane_row rows[] = {
    ARITHMETIC(add), ARITHMETIC(sub), ARITHMETIC(mul), ARITHMETIC(fma), ROWS(fma, R_, fma), ROWS_F16(fma, F_ | R_, fma),
    SIGNS(abs), SIGNS(neg), MINMAX(min), MINMAX(max),
};

lane_op *LANES(lanes_select_half)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    return round_class(insn) == ROUND_NEAREST ? LANE_FIND(rows, insn, 0) : NULL;
}
