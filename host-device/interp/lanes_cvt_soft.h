/* SPDX-License-Identifier: Apache-2.0 */
/* Conversion to a floating point format in integer arithmetic: any format, any rounding, one lane at a time. lanes_cvt.c
 * takes this way for what has no vector form of its own; it is also the plain statement of what a conversion is. */
#ifndef VGPU_INTERP_LANES_CVT_SOFT_H
#define VGPU_INTERP_LANES_CVT_SOFT_H

#include "interp/lanes_util.h"

/* A format, PTX ISA 5.2.3. Sign, exponent and fraction bits lie side by side above 'pad' unused ones. */
struct float_format {
    uint8_t exponent, fraction, pad;
    uint8_t stride;    /* bits of one element in a packed register */
    bool infinite;     /* the topmost exponent means infinity and NaN; otherwise it is an ordinary one */
    uint64_t nan, max; /* what a NaN becomes and the greatest finite number, without pad */
};

static const struct float_format formats[PTX_TYPE_COUNT] = {
    [PTX_TYPE_f16] = { 5, 10, 0, 16, true, 0x7fff, 0x7bff },
    [PTX_TYPE_bf16] = { 8, 7, 0, 16, true, 0x7fff, 0x7f7f },
    [PTX_TYPE_tf32] = { 8, 10, 13, 32, true, 0x3ffff, 0x3fbff },
    [PTX_TYPE_f32] = { 8, 23, 0, 32, true, 0x7fffffff, 0x7f7fffff },
    [PTX_TYPE_f64] = { 11, 52, 0, 64, true, 0x7fffffffffffffff, 0x7fefffffffffffff },
    [PTX_TYPE_f16x2] = { 5, 10, 0, 16, true, 0x7fff, 0x7bff },
    [PTX_TYPE_bf16x2] = { 8, 7, 0, 16, true, 0x7fff, 0x7f7f },
    [PTX_TYPE_e4m3x2] = { 4, 3, 0, 8, false, 0x7f, 0x7e },
    [PTX_TYPE_e5m2x2] = { 5, 2, 0, 8, true, 0x7f, 0x7b },
    [PTX_TYPE_e2m1x2] = { 2, 1, 0, 4, false, 0x07, 0x07 },
    [PTX_TYPE_e2m3x2] = { 2, 3, 0, 8, false, 0x1f, 0x1f },
    [PTX_TYPE_e3m2x2] = { 3, 2, 0, 8, false, 0x1f, 0x1f },
};

/* A number: -1^negative * significand * 2^exponent, or an infinity or a NaN with its fraction left-aligned in 52 bits. */
struct number {
    bool negative, infinite, nan;
    int exponent;
    uint64_t significand, payload;
};

static inline int bias_of(const struct float_format *f)
{
    return (1 << (f->exponent - 1)) - 1;
}

static struct number decode(const struct float_format *f, uint64_t bits)
{
    const unsigned top = (1u << f->exponent) - 1;
    struct number n = { 0 };
    unsigned exponent;

    bits >>= f->pad;
    exponent = (unsigned)(bits >> f->fraction) & top;
    n.significand = bits & (((uint64_t)1 << f->fraction) - 1);
    n.negative = bits >> (f->fraction + f->exponent) & 1;
    if (f->infinite && exponent == top) {
        n.infinite = !n.significand;
        n.nan = !n.infinite;
        n.payload = n.significand << (52 - f->fraction);
    } else if (f->nan != f->max && (bits & (((uint64_t)1 << (f->fraction + f->exponent)) - 1)) == f->nan) {
        n.nan = true;
    } else if (exponent) {
        n.significand |= (uint64_t)1 << f->fraction;
        n.exponent = (int)exponent - bias_of(f) - f->fraction;
    } else {
        n.exponent = 1 - bias_of(f) - f->fraction;
    }
    return n;
}

/* significand >> drop, rounded; drop may be any positive number. */
static uint64_t round_shift(uint64_t significand, int drop, bool negative, unsigned round)
{
    uint64_t kept, rest, half;

    if (drop <= 0)
        return significand;
    if (drop > 64) { /* below half of the last place */
        kept = 0;
        rest = significand != 0;
        half = 2;
    } else {
        kept = drop < 64 ? significand >> drop : 0;
        rest = drop < 64 ? significand & (((uint64_t)1 << drop) - 1) : significand;
        half = (uint64_t)1 << (drop - 1);
    }
    switch (round) {
    case PTX_round_rm: case PTX_round_rmi: return kept + (negative && rest);
    case PTX_round_rp: case PTX_round_rpi: return kept + (!negative && rest);
    case PTX_round_rz: case PTX_round_rzi: return kept;
    case PTX_round_rna: return kept + (rest >= half);
    default: return kept + (rest > half || (rest == half && (kept & 1)));
    }
}

/* Round to an integer, as .rni .rzi .rmi .rpi between floats do. */
static void round_to_integer(struct number *n, unsigned round)
{
    if (n->nan || n->infinite || n->exponent >= 0)
        return;
    n->significand = round_shift(n->significand, -n->exponent, n->negative, round);
    n->exponent = 0;
}

/* The magnitude's bits, without sign and pad. */
static uint64_t encode_magnitude(const struct float_format *f, const struct number *n, unsigned round, bool satfinite)
{
    const uint64_t infinity = (((uint64_t)1 << f->exponent) - 1) << f->fraction;
    const int least = 1 - bias_of(f); /* exponent of the smallest normal number */
    bool outward;
    uint64_t bits;

    if (n->infinite)
        return satfinite || !f->infinite ? f->max : infinity;
    if (!n->significand)
        return 0;

    /* Bring the leading one to bit 63, whose exponent then is 'e'; the encoding of a number is that of its exponent plus
     * its fraction, so that a carry out of the fraction steps the exponent up by itself. */
    int lead = __builtin_clzll(n->significand);
    uint64_t significand = n->significand << lead;
    int e = n->exponent - lead + 63;

    if (e < least)
        bits = round_shift(significand, 63 - f->fraction + (least - e), n->negative, round);
    else
        bits = ((uint64_t)(e - least) << f->fraction) + round_shift(significand, 63 - f->fraction, n->negative, round);
    if (bits <= f->max)
        return bits;
    outward = round == PTX_round_rm ? n->negative : round == PTX_round_rp ? !n->negative : round != PTX_round_rz;
    return !satfinite && f->infinite && outward ? infinity : f->max;
}

/* What a NaN becomes. The hardware has one NaN for each format, but conversions from and to f64 keep sign and payload and make
 * it quiet, and bf16 to f32 only appends zeros. */
static uint64_t encode_nan(unsigned dst, unsigned src, const struct number *n)
{
    const struct float_format *f = &formats[dst];
    const bool widen = src == PTX_TYPE_bf16 && dst == PTX_TYPE_f32;
    uint64_t bits;

    if (src != PTX_TYPE_f64 && dst != PTX_TYPE_f64 && !widen)
        return f->nan << f->pad;
    bits = (uint64_t)n->negative << (f->exponent + f->fraction) | (((uint64_t)1 << f->exponent) - 1) << f->fraction |
           n->payload >> (52 - f->fraction);
    return widen ? bits : bits | (uint64_t)1 << (f->fraction - 1);
}

/* The element of type 'dst' that insn's rounding and suffixes make of n, which came from type 'src'. */
static uint64_t encode(const struct ptx_insn *insn, unsigned dst, unsigned src, const struct number *n)
{
    const struct float_format *f = &formats[dst];
    const bool sat = insn->flags & PTX_FLAG_SAT, relu = insn->flags & PTX_FLAG_RELU;
    uint64_t bits;

    if (n->nan)
        return sat ? 0 : encode_nan(dst, src, n);
    if ((sat || relu) && n->negative)
        return 0;
    bits = encode_magnitude(f, n, insn->round, insn->flags & PTX_FLAG_SATFINITE);
    if (sat && bits > (uint64_t)bias_of(f) << f->fraction)
        bits = (uint64_t)bias_of(f) << f->fraction;
    bits |= (uint64_t)n->negative << (f->exponent + f->fraction);
    if (dst == PTX_TYPE_f32 && (insn->flags & PTX_FLAG_FTZ))
        bits = ftz_f32((uint32_t)bits);
    return bits << f->pad;
}

/* Read a source element of a floating point type. */
static struct number decode_source(const struct ptx_insn *insn, unsigned src, uint64_t bits)
{
    if (src == PTX_TYPE_f32 && (insn->flags & PTX_FLAG_FTZ))
        bits = ftz_f32((uint32_t)bits);
    return decode(&formats[src], bits);
}

#endif
