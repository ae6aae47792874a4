/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that kernels and their references share: compiled by both compilers, neither of which may contract a*b+c, so
 * that the results are the same to the last bit. */
#ifndef VGPU_TESTS_BOTH_H
#define VGPU_TESTS_BOTH_H

#ifdef __CUDA__
#define BOTH static __device__ inline
#else
#include <stdint.h>
typedef int8_t i8;
typedef uint8_t u8;
typedef int16_t i16;
typedef uint16_t u16;
typedef int32_t i32;
typedef uint32_t u32;
typedef long long i64;
typedef unsigned long long u64;
#define BOTH static inline __attribute__((unused))
#endif

BOTH float bits_float(u32 bits)
{
    union {
        u32 u;
        float f;
    } v = {bits};

    return v.f;
}

BOTH u32 float_bits(float f)
{
    union {
        float f;
        u32 u;
    } v = {f};

    return v.u;
}

/* e to the x: 2 to the nearest whole power, times a polynomial of what is left. Out of range: 0 or infinity. */
BOTH float own_exp(float x)
{
    float t = x * 1.44269504f, p;
    int n;

    if (t > 127)
        return bits_float(0x7f800000);
    if (t < -126)
        return 0;
    n = (int)(t < 0 ? t - 0.5f : t + 0.5f);
    x = __builtin_fmaf((float)n, -0.693359375f, x);
    x = __builtin_fmaf((float)n, 2.12194440e-4f, x);
    p = 1.0f / 5040;
    p = p * x + 1.0f / 720;
    p = p * x + 1.0f / 120;
    p = p * x + 1.0f / 24;
    p = p * x + 1.0f / 6;
    p = p * x + 0.5f;
    p = p * x + 1;
    p = p * x + 1;
    return p * bits_float((u32)(n + 127) << 23);
}

/* The natural logarithm of a positive normal number: atanh's series on the mantissa. */
BOTH float own_log(float x)
{
    u32 bits = float_bits(x);
    int exponent = (int)(bits >> 23) - 127;
    float m = bits_float((bits & 0x7fffff) | 0x3f800000), s, s2;

    if (m > 1.41421356f) {
        m *= 0.5f;
        exponent++;
    }
    s = (m - 1) / (m + 1);
    s2 = s * s;
    return (float)exponent * 0.693147181f + 2 * s * (1 + s2 * (1.0f / 3 + s2 * (1.0f / 5 + s2 * (1.0f / 7 + s2 * (1.0f / 9)))));
}

/* The normal distribution's cumulative function, by a well-known polynomial of 1 / (1 + 0.2316419 |x|). */
BOTH float own_cdf(float x)
{
    float a = x < 0 ? -x : x, k = 1 / (1 + 0.2316419f * a);
    float w = k * (0.31938153f + k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f))));

    w *= 0.39894228f * own_exp(-0.5f * a * a);
    return x < 0 ? w : 1 - w;
}

BOTH void black_scholes(float price, float strike, float years, float *call, float *put)
{
    float rate = 0.02f, volatility = 0.3f, root = __builtin_sqrtf(years);
    float d1 = (own_log(price / strike) + (rate + 0.5f * volatility * volatility) * years) / (volatility * root);
    float d2 = d1 - volatility * root, discounted = strike * own_exp(-rate * years);

    *call = price * own_cdf(d1) - discounted * own_cdf(d2);
    *put = discounted * own_cdf(-d2) - price * own_cdf(-d1);
}

BOTH u32 mix(u32 x)
{
    x ^= x >> 16;
    x *= 0x7feb352d;
    x ^= x >> 15;
    x *= 0x846ca68b;
    return x ^ x >> 16;
}

#endif
