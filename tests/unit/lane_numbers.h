/* SPDX-License-Identifier: Apache-2.0 */
/* What registers of each PTX type mean, as a double or an integer: the tests' own reading of the formats. */
#ifndef VGPU_TESTS_LANE_NUMBERS_H
#define VGPU_TESTS_LANE_NUMBERS_H

#include <math.h>

#include "lane_check.h"

/* A binary format of e exponent and m fraction bits; 'top' says whether its topmost exponent means infinity and NaN. */
static inline double number_of(uint64_t bits, int e, int m, int top)
{
    const int bias = (1 << (e - 1)) - 1;
    const int exponent = (int)(bits >> m) & ((1 << e) - 1);
    const double fraction = (double)(bits & (((uint64_t)1 << m) - 1)), sign = bits >> (e + m) & 1 ? -1 : 1;

    if (top && exponent == (1 << e) - 1)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(fraction + ldexp(1, m), exponent - bias - m) : ldexp(fraction, 1 - bias - m));
}

static inline double double_of(unsigned type, uint64_t bits)
{
    double d;

    switch (type) {
    case PTX_TYPE_f16: case PTX_TYPE_f16x2: return number_of(bits & 0xffff, 5, 10, 1);
    case PTX_TYPE_bf16: case PTX_TYPE_bf16x2: return number_of(bits & 0xffff, 8, 7, 1);
    case PTX_TYPE_tf32: return number_of((bits & 0xffffffff) >> 13, 8, 10, 1);
    case PTX_TYPE_f32: return number_of(bits & 0xffffffff, 8, 23, 1);
    case PTX_TYPE_e5m2x2: return number_of(bits & 0xff, 5, 2, 1);
    case PTX_TYPE_e4m3x2: return (bits & 0x7f) == 0x7f ? NAN : number_of(bits & 0xff, 4, 3, 0);
    case PTX_TYPE_e2m1x2: return number_of(bits & 0xf, 2, 1, 0);
    case PTX_TYPE_e2m3x2: return number_of(bits & 0x3f, 2, 3, 0);
    case PTX_TYPE_e3m2x2: return number_of(bits & 0x3f, 3, 2, 0);
    default: memcpy(&d, &bits, 8); return d;
    }
}

struct int_meaning {
    unsigned bits;
    bool with_sign;
};

static inline struct int_meaning meaning_of(unsigned type)
{
    switch (type) {
    case PTX_TYPE_u4: return (struct int_meaning){ 4, 0 };
    case PTX_TYPE_s4: return (struct int_meaning){ 4, 1 };
    case PTX_TYPE_u8: return (struct int_meaning){ 8, 0 };
    case PTX_TYPE_s8: return (struct int_meaning){ 8, 1 };
    case PTX_TYPE_u16: case PTX_TYPE_b16: return (struct int_meaning){ 16, 0 };
    case PTX_TYPE_s16: return (struct int_meaning){ 16, 1 };
    case PTX_TYPE_u32: case PTX_TYPE_b32: return (struct int_meaning){ 32, 0 };
    case PTX_TYPE_s32: return (struct int_meaning){ 32, 1 };
    case PTX_TYPE_u64: case PTX_TYPE_b64: return (struct int_meaning){ 64, 0 };
    case PTX_TYPE_s64: return (struct int_meaning){ 64, 1 };
    default: return (struct int_meaning){ 0, 0 };
    }
}

static inline __int128 int_of(unsigned type, uint64_t bits)
{
    const struct int_meaning t = meaning_of(type);

    bits &= ~(uint64_t)0 >> (64 - t.bits);
    return t.with_sign && bits >> (t.bits - 1) ? (__int128)bits - ((__int128)1 << t.bits) : (__int128)bits;
}

static inline __int128 int_least(unsigned type)
{
    const struct int_meaning t = meaning_of(type);

    return t.with_sign ? -((__int128)1 << (t.bits - 1)) : 0;
}

static inline __int128 int_most(unsigned type)
{
    const struct int_meaning t = meaning_of(type);

    return ((__int128)1 << (t.bits - t.with_sign)) - 1;
}

#endif
