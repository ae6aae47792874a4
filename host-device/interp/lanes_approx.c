/* SPDX-License-Identifier: Apache-2.0 */
/* The .approx and .full functions, PTX ISA 9.7.3 and 9.7.4. The ISA bounds their errors; these stay within the bounds and
 * treat zeros, infinities, NaNs and subnormals as an H200 does. All are polynomials without branches, so that softmax and
 * its like run in vector registers. */
#include "interp/lanes_float.h"

/* 2^x = 2^n * 2^f with |f| <= 1/2: degree 6, 2 units in the last place of f32. The power of two is applied in halves, for
 * results below the smallest normal number. */
static inline float exp2_f32(float x)
{
    const float shift = 0x1.8p23f; /* adding it leaves the nearest integer in the low bits */
    float y = x > 128.0f ? 128.0f : x < -151.0f ? -151.0f : x;
    float t = y + shift, f = y - (t - shift);
    uint32_t n = f32_bits(t) - f32_bits(shift), half = (uint32_t)((int32_t)n >> 1);
    float p = 0x1.42889ap-13f;

    p = p * f + 0x1.5f0588p-10f;
    p = p * f + 0x1.3b2b7ap-7f;
    p = p * f + 0x1.c6aee0p-5f;
    p = p * f + 0x1.ebfbdep-3f;
    p = p * f + 0x1.62e430p-1f;
    p = p * f + 1.0f;
    p = p * bits_f32((half + 127u) << 23) * bits_f32((n - half + 127u) << 23);
    return x != x ? x : p;
}

/* log2 x = e + log2 m with m around 1: the series of the inverse hyperbolic tangent of (m - 1) / (m + 1). */
static inline float log2_f32(float x)
{
    uint32_t tiny = x < 0x1p-126f;
    float scaled = tiny ? x * 0x1p24f : x;
    uint32_t u = f32_bits(scaled);
    int32_t e = (int32_t)(u - 0x3f3504f3u) >> 23;
    float m = bits_f32(u - ((uint32_t)e << 23)), s = (m - 1.0f) / (m + 1.0f), q = s * s;
    float p = 0x1.484b14p-2f; /* 2 / (9 ln 2) and so on to 2 / ln 2 */

    p = p * q + 0x1.a61762p-2f;
    p = p * q + 0x1.2776c6p-1f;
    p = p * q + 0x1.ec709ep-1f;
    p = p * q + 0x1.715476p+1f;
    p = p * s + (float)(e - (tiny ? 24 : 0));
    p = x == 0.0f ? -__builtin_inff() : x < 0.0f ? __builtin_nanf("") : p;
    return x < __builtin_inff() ? p : x; /* infinity and NaN */
}

/* Below 1/4 a series that keeps the relative error, above the exponential. */
static inline float tanh_f32(float x)
{
    float t = bits_f32(f32_bits(x) & 0x7fffffffu), q = x * x;
    float series = x * (1.0f + q * (-0x1.555556p-2f + q * (0x1.111112p-3f + q * -0x1.ba1ba2p-5f)));
    float e = exp2_f32(t * -0x1.715476p+1f), large = (1.0f - e) / (1.0f + e);

    return t < 0.25f ? series : bits_f32(f32_bits(large) | (f32_bits(x) & 0x80000000u));
}

/* sin and cos are, to the hardware, of revolutions: the argument times 1/(2 pi), rounded towards zero to f32, whose fraction
 * counts. Subnormal arguments are flushed with or without .ftz. */
static inline double revolutions(float x)
{
    const double shift = 0x1.8p52;
    float flushed = bits_f32(ftz_f32(f32_bits(x)));
    double r = bits_f64(f64_bits((double)flushed * 0x1.45f306p-3) & ~0x1fffffffull);
    double fraction = r - (r + shift - shift);

    return __builtin_fabs(r) < 0x1p24 ? fraction : r - r; /* NaN for infinities */
}

/* sin 2 pi r for |r| <= 1/4. */
static inline float sin_quarter(double r)
{
    double y = r * 0x1.921fb54442d18p+2, q = y * y;
    double p = -1.0 / 39916800;

    p = p * q + 1.0 / 362880;
    p = p * q - 1.0 / 5040;
    p = p * q + 1.0 / 120;
    p = p * q - 1.0 / 6;
    return (float)(y + y * q * p);
}

static inline float sin_f32(float x)
{
    double r = revolutions(x);

    return sin_quarter(r > 0.25 ? 0.5 - r : r < -0.25 ? -0.5 - r : r);
}

static inline float cos_f32(float x)
{
    return sin_quarter(0.25 - __builtin_fabs(revolutions(x)));
}

#define F32_1(name, EXPR) \
    LANE_OP1(name, uint32_t, uint32_t, ({ const float x = bits_f32(a); f32_result((EXPR), 0, 0); })) \
    LANE_OP1(name##_ftz, uint32_t, uint32_t, ({ const float x = bits_f32(ftz_f32(a)); f32_result((EXPR), 1, 0); }))
F32_1(ex2_f32, exp2_f32(x))
F32_1(lg2_f32, log2_f32(x))
F32_1(sine_f32, sin_f32(x))
F32_1(cosine_f32, cos_f32(x))
F32_1(rcp_f32, 1.0f / x)
F32_1(sqrt_f32, __builtin_sqrtf(x))
F32_1(rsqrt_f32, 1.0f / __builtin_sqrtf(x))
LANE_OP1(tanhyp_f32, uint32_t, uint32_t, f32_result(tanh_f32(bits_f32(a)), 0, 0))

/* div.approx multiplies by a reciprocal that underflows for divisors above 2^126: they count as infinite (9.7.3.8).
 * div.full scales and has no such range. */
static inline uint32_t reachable_divisor(uint32_t b)
{
    return (b & 0x7fffffffu) > 0x7e800000u && (b & 0x7fffffffu) < 0x7f800000u ? (b & 0x80000000u) | 0x7f800000u : b;
}

#define DIV(FTZ, B) f32_result(bits_f32((FTZ) ? ftz_f32(a) : a) / bits_f32((FTZ) ? ftz_f32(B) : (B)), FTZ, 0)
LANE_OP2(div_f32, uint32_t, uint32_t, uint32_t, DIV(0, reachable_divisor(b)))
LANE_OP2(div_f32_ftz, uint32_t, uint32_t, uint32_t, DIV(1, reachable_divisor(b)))
LANE_OP2(div_full_f32, uint32_t, uint32_t, uint32_t, DIV(0, b))
LANE_OP2(div_full_f32_ftz, uint32_t, uint32_t, uint32_t, DIV(1, b))

/* Halves, one and two to a register, through f32. The hardware rounds these results towards zero. */
static inline uint32_t truncate_f16(float f)
{
    uint32_t u = f32_bits(f), m = u & 0x7fffffffu;
    uint32_t subnormal = (uint32_t)(int32_t)(bits_f32(m < 0x38800000u ? m : 0) * 0x1p24f);
    uint32_t r = m < 0x38800000u ? subnormal : m < 0x47800000u ? (m >> 13) - (112u << 10) : 0x7c00u;

    return m > 0x7f800000u ? NAN_16 : (u >> 16 & 0x8000u) | r;
}

static inline uint32_t truncate_bf16(float f)
{
    return f != f ? NAN_16 : f32_bits(f) >> 16;
}

#define HALF(name, F, EXPR) \
    LANE_OP1(name##_##F, uint16_t, uint16_t, ({ const float x = F##_to_f32(a); truncate_##F(EXPR); })) \
    LANE_OP1(name##_##F##x2, uint32_t, uint32_t, ({ \
        const float low = F##_to_f32(a & 0xffffu), high = F##_to_f32(a >> 16); \
        const uint32_t l_ = ({ const float x = low; truncate_##F(EXPR); }); \
        const uint32_t h_ = ({ const float x = high; truncate_##F(EXPR); }); \
        h_ << 16 | l_; \
    }))
#define FLUSHED(x) bits_f32(ftz_f32(f32_bits(x)))
HALF(tanhyp, f16, tanh_f32(x))
HALF(tanhyp, bf16, tanh_f32(x))
HALF(ex2, f16, exp2_f32(x))
HALF(ex2_ftz, bf16, FLUSHED(exp2_f32(FLUSHED(x)))) /* bf16 has f32's exponents */

/* The coarse f64 functions look at the high words alone, and write a low word of zero. */
static inline uint64_t high_word(uint64_t u)
{
    uint64_t w = u & 0xffffffff00000000u;

    return w & 0x7ff0000000000000u ? w : w & 0x8000000000000000u;
}

static inline uint64_t coarse_f64(double r)
{
    return r != r ? 0x7fffffff00000000u : high_word(f64_bits(r));
}
LANE_OP1(rcp_ftz_f64, uint64_t, uint64_t, coarse_f64(1.0 / bits_f64(high_word(a))))
LANE_OP1(rsqrt_ftz_f64, uint64_t, uint64_t, coarse_f64(1.0 / __builtin_sqrt(bits_f64(high_word(a)))))
LANE_OP1(rsqrt_f64, uint64_t, uint64_t, f64_bits(1.0 / __builtin_sqrt(bits_f64(a))))

#define ROW(op, type, flags, fn) {PTX_OP_##op, PTX_TYPE_##type, 0, 0, flags, fn}
#define P_ PTX_FLAG_APPROX
#define F_ PTX_FLAG_FTZ
#define FTZ_ROWS(op, fn) ROW(op, f32, P_, fn), ROW(op, f32, P_ | F_, fn##_ftz)
static const struct lane_row rows[] = {
    FTZ_ROWS(ex2, ex2_f32), FTZ_ROWS(lg2, lg2_f32), FTZ_ROWS(sin, sine_f32), FTZ_ROWS(cos, cosine_f32),
    FTZ_ROWS(rcp, rcp_f32), FTZ_ROWS(sqrt, sqrt_f32), FTZ_ROWS(rsqrt, rsqrt_f32), FTZ_ROWS(div, div_f32),
    ROW(div, f32, PTX_FLAG_FULL, div_full_f32), ROW(div, f32, PTX_FLAG_FULL | F_, div_full_f32_ftz),
    ROW(tanh, f32, P_, tanhyp_f32),
    ROW(tanh, f16, P_, tanhyp_f16), ROW(tanh, f16x2, P_, tanhyp_f16x2),
    ROW(tanh, bf16, P_, tanhyp_bf16), ROW(tanh, bf16x2, P_, tanhyp_bf16x2),
    ROW(ex2, f16, P_, ex2_f16), ROW(ex2, f16x2, P_, ex2_f16x2),
    ROW(ex2, bf16, P_ | F_, ex2_ftz_bf16), ROW(ex2, bf16x2, P_ | F_, ex2_ftz_bf16x2),
    ROW(rcp, f64, P_ | F_, rcp_ftz_f64), ROW(rsqrt, f64, P_ | F_, rsqrt_ftz_f64), ROW(rsqrt, f64, P_, rsqrt_f64),
};

lane_op *LANES(lanes_select_approx)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    return insn->round ? NULL : LANE_FIND(rows, insn, 0);
}
