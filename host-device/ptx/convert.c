/* SPDX-License-Identifier: Apache-2.0 */
/* Immediates, from how they are written to the bits of the type that takes them. */
#include "ptx/parse.h"

/* Round a double to a small format with 'mantissa' stored bits and 'exponent' bits, to nearest even: f16 (10, 5) and
 * bf16 (7, 8). */
static uint16_t round_small(double d, int mantissa, int exponent)
{
    uint64_t bits, m, half, rest;
    int bias = (1 << (exponent - 1)) - 1, e, shift;
    uint16_t sign, infinity = ((1 << exponent) - 1) << mantissa;

    memcpy(&bits, &d, sizeof bits);
    sign = bits >> 63 << 15;
    e = bits >> 52 & 0x7ff;
    m = bits & 0xfffffffffffff;
    if (e == 0x7ff)
        return m ? sign | 0x7fff : sign | infinity;
    if (!e)
        return sign; /* far below the smallest subnormal */
    e += bias - 1023;
    m |= (uint64_t)1 << 52;
    shift = 52 - mantissa;
    if (e <= 0) {
        shift += 1 - e;
        e = 1;
        if (shift > 63)
            return sign;
    }
    half = (uint64_t)1 << (shift - 1);
    rest = m & ((half << 1) - 1);
    m >>= shift;
    if (rest > half || (rest == half && m & 1))
        m++;
    /* A carry out of the mantissa steps the exponent: m holds the hidden bit of a normal number. */
    m += (uint64_t)(e - 1) << mantissa;
    return m >= infinity ? sign | infinity : sign | m;
}

static double widen(uint8_t literal, uint64_t bits)
{
    double d;

    if (literal == PTX_LITERAL_F32) {
        uint32_t b = bits;
        float f;

        memcpy(&f, &b, sizeof f);
        return f;
    }
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t to_f32(uint8_t literal, uint64_t bits)
{
    uint32_t b;
    float f;

    if (literal == PTX_LITERAL_F32)
        return bits; /* a signalling NaN stays one */
    f = widen(literal, bits);
    memcpy(&b, &f, sizeof b);
    return b;
}

static uint64_t to_f64(uint8_t literal, uint64_t bits)
{
    double d = widen(literal, bits);

    memcpy(&bits, &d, sizeof d);
    return bits;
}

bool ptx_convert_literal(uint8_t literal, uint64_t bits, uint8_t type, uint64_t *out)
{
    unsigned width = ptx_type_bits[type];

    if (literal == PTX_LITERAL_INT) {
        double d = (double)(int64_t)bits;

        if (type == PTX_TYPE_f32 || type == PTX_TYPE_f64) {
            memcpy(&bits, &d, sizeof d);
            *out = type == PTX_TYPE_f32 ? to_f32(PTX_LITERAL_F64, bits) : bits;
        } else if (type == PTX_TYPE_pred) {
            *out = bits != 0;
        } else if (width < 64) { /* integers and, as bits, packed and small floats */
            *out = (uint64_t)((int64_t)(bits << (64 - width)) >> (64 - width));
        } else {
            *out = bits;
        }
        return true;
    }
    switch (type) {
    case PTX_TYPE_f32: case PTX_TYPE_tf32: case PTX_TYPE_b32:
        *out = to_f32(literal, bits);
        return true;
    case PTX_TYPE_f64: case PTX_TYPE_b64:
        *out = to_f64(literal, bits);
        return true;
    case PTX_TYPE_f16:
        *out = round_small(widen(literal, bits), 10, 5);
        return true;
    case PTX_TYPE_bf16:
        *out = round_small(widen(literal, bits), 7, 8);
        return true;
    }
    return false;
}
