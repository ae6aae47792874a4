/* SPDX-License-Identifier: Apache-2.0 */
/* Literals, from how they are written to the bits of the type that takes them: chapter 4.5. Integers go with integer and
 * untyped operands, floating-point numbers with .f32 and .f64, and as bits with untyped operands of their width. */
#include "ptx/parse.h"

static uint64_t to_f32(uint8_t literal, uint64_t bits)
{
    uint32_t b;
    double d;
    float f;

    if (literal == PTX_LITERAL_F32)
        return bits; /* a signalling NaN stays one */
    memcpy(&d, &bits, sizeof d);
    f = d;
    memcpy(&b, &f, sizeof b);
    return b;
}

static uint64_t to_f64(uint8_t literal, uint64_t bits)
{
    uint32_t b = bits;
    double d;
    float f;

    if (literal == PTX_LITERAL_F64)
        return bits;
    memcpy(&f, &b, sizeof f);
    d = f;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

bool ptx_convert_literal(uint8_t literal, uint64_t bits, uint8_t type, uint64_t *out)
{
    unsigned width = ptx_type_bits[type];

    if (literal == PTX_LITERAL_INT) {
        if (type == PTX_TYPE_pred)
            *out = bits != 0;
        else if (ptx_type_class[type] == 'f')
            return false;
        else
            *out = width < 64 ? (uint64_t)((int64_t)(bits << (64 - width)) >> (64 - width)) : bits;
        return true;
    }
    if (type == PTX_TYPE_f32 || (type == PTX_TYPE_b32 && literal == PTX_LITERAL_F32))
        *out = to_f32(literal, bits);
    else if (type == PTX_TYPE_f64 || (type == PTX_TYPE_b64 && literal == PTX_LITERAL_F64))
        *out = to_f64(literal, bits);
    else
        return false;
    return true;
}
