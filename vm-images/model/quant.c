/* SPDX-License-Identifier: Apache-2.0 */
#include "quant.h"

#include <math.h>
#include <string.h>

uint16_t half_from_float(float f)
{
    uint32_t bits;
    uint16_t sign;
    int exponent;

    memcpy(&bits, &f, 4);
    sign = bits >> 16 & 0x8000;
    exponent = (int)(bits >> 23 & 0xff) - 127;
    if (exponent == 128)
        return sign | 0x7c00 | (bits & 0x7fffff ? 0x200 : 0);
    if (exponent < -25)
        return sign;

    /* The significand with its leading one, cut at the last bit that a half of this exponent keeps. */
    uint32_t significand = (bits & 0x7fffff) | 0x800000;
    int drop = exponent < -14 ? 13 + (-14 - exponent) : 13;
    uint32_t kept = significand >> drop, rest = significand & ((1u << drop) - 1), tie = 1u << (drop - 1);

    kept += rest > tie || (rest == tie && (kept & 1));
    /* A normal half's leading one adds itself to the exponent; so does a carry out of the rounding. */
    if (exponent >= -14)
        kept += (uint32_t)(exponent + 14) << 10;
    return sign | (kept >= 0x7c00 ? 0x7c00 : kept);
}

float half_to_float(uint16_t h)
{
    int exponent = h >> 10 & 0x1f, fraction = h & 0x3ff;
    float magnitude = exponent == 0x1f ? (fraction ? NAN : INFINITY)
                    : exponent ? ldexpf((float)(fraction | 0x400), exponent - 25)
                    : ldexpf((float)fraction, -24);

    return h & 0x8000 ? -magnitude : magnitude;
}

static void encode_f32(const float *in, uint8_t *out)
{
    memcpy(out, in, 4);
}

static void decode_f32(const uint8_t *in, float *out)
{
    memcpy(out, in, 4);
}

static void encode_f16(const float *in, uint8_t *out)
{
    uint16_t h = half_from_float(*in);

    memcpy(out, &h, 2);
}

static void decode_f16(const uint8_t *in, float *out)
{
    uint16_t h;

    memcpy(&h, in, 2);
    *out = half_to_float(h);
}

static void encode_q8_0(const float *in, uint8_t *out)
{
    float largest = 0, d;
    uint16_t scale;

    for (int i = 0; i < QUANT_BLOCK; i++)
        largest = fmaxf(largest, fabsf(in[i]));
    scale = half_from_float(largest / 127);
    d = half_to_float(scale);
    memcpy(out, &scale, 2);
    for (int i = 0; i < QUANT_BLOCK; i++) {
        float q = d > 0 ? rintf(in[i] / d) : 0;

        out[2 + i] = (uint8_t)(int8_t)fminf(fmaxf(q, -127), 127);
    }
}

static void decode_q8_0(const uint8_t *in, float *out)
{
    uint16_t scale;

    memcpy(&scale, in, 2);
    for (int i = 0; i < QUANT_BLOCK; i++)
        out[i] = half_to_float(scale) * (int8_t)in[2 + i];
}

const struct quant_type quant_f32 = { "f32", 0, 0, 1, 4, encode_f32, decode_f32 };
const struct quant_type quant_f16 = { "f16", 1, 1, 1, 2, encode_f16, decode_f16 };
const struct quant_type quant_q8_0 = { "q8_0", 8, 7, QUANT_BLOCK, 34, encode_q8_0, decode_q8_0 };
const struct quant_type *const quant_types[3] = { &quant_f32, &quant_f16, &quant_q8_0 };

const struct quant_type *quant_by_name(const char *name)
{
    for (size_t i = 0; i < 3; i++)
        if (!strcmp(quant_types[i]->name, name))
            return quant_types[i];
    return NULL;
}

size_t quant_bytes(const struct quant_type *type, size_t n)
{
    return n / type->block * type->block_bytes;
}

void quant_encode(const struct quant_type *type, const float *in, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i += type->block, out += type->block_bytes)
        type->encode(in + i, out);
}

void quant_round(const struct quant_type *type, float *weights, size_t n)
{
    uint8_t block[34];

    for (size_t i = 0; i < n; i += type->block) {
        type->encode(weights + i, block);
        type->decode(block, weights + i);
    }
}
