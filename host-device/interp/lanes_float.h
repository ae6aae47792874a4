/* SPDX-License-Identifier: Apache-2.0 */
/* Floating point pieces that several lane families share: NaNs as the hardware writes them, 16-bit formats, and rounding
 * towards zero or an infinity. Everything here is free of branches, so that loops over it become vector code. */
#ifndef VGPU_INTERP_LANES_FLOAT_H
#define VGPU_INTERP_LANES_FLOAT_H

#ifdef __F16C__
#include <immintrin.h>
#endif

#include "interp/lanes_util.h"

/* The one NaN that sm_90 produces for f32, and for f16 and bf16; f64 keeps the payload of an operand, as x86 does. */
#define NAN_F32 0x7fffffffu
#define NAN_16 0x7fffu

/* What .ftz and .sat make of a rounded f32 result. .sat turns NaN and -0 into +0 (PTX ISA 9.7.3.3). */
static inline __attribute__((always_inline)) uint32_t f32_result(float r, int ftz, int sat)
{
    uint32_t u = f32_bits(r);

    if (sat)
        u = r > 0.0f ? (r < 1.0f ? u : 0x3f800000u) : 0;
    else
        u = r != r ? NAN_F32 : u;
    return ftz ? ftz_f32(u) : u;
}

static inline float f16_to_f32(uint32_t h)
{
    uint32_t m = h & 0x7fffu, sign = (h & 0x8000u) << 16;
    uint32_t normal = (m << 13) + (112u << 23), special = (m << 13) | 0x7f800000u;
    uint32_t subnormal = f32_bits((float)(int32_t)m * 0x1p-24f);

    return bits_f32(sign | (m < 0x400u ? subnormal : m < 0x7c00u ? normal : special));
}

/* Nearest even. Subnormal results come from adding 0.5, whose unit in the last place is the smallest f16. */
static inline uint32_t f32_to_f16(float f)
{
    uint32_t u = f32_bits(f), m = u & 0x7fffffffu, sign = u >> 16 & 0x8000u;
    uint32_t normal = ((m + 0xfffu + (m >> 13 & 1)) >> 13) - (112u << 10);
    uint32_t subnormal = f32_bits(bits_f32(m) + 0.5f) - 0x3f000000u;
    uint32_t r = m < 0x38800000u ? subnormal : m < 0x477ff000u ? normal : 0x7c00u;

    return m > 0x7f800000u ? NAN_16 : sign | r;
}

static inline float bf16_to_f32(uint32_t h)
{
    return bits_f32(h << 16);
}

static inline uint32_t f32_to_bf16(float f)
{
    uint32_t u = f32_bits(f);

    return (u & 0x7fffffffu) > 0x7f800000u ? NAN_16 : (u + 0x7fffu + (u >> 16 & 1)) >> 16;
}

/* The same for n elements, a multiple of 16, by the conversion instructions where there are any. */
static inline __attribute__((always_inline)) void widen_f16(float *out, const uint16_t *in, unsigned n)
{
#if defined __AVX512F__
    for (unsigned i = 0; i < n; i += 16)
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(in + i))));
#elif defined __F16C__
    for (unsigned i = 0; i < n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(in + i))));
#else
    for (unsigned i = 0; i < n; i++)
        out[i] = f16_to_f32(in[i]);
#endif
}

static inline __attribute__((always_inline)) void narrow_f16(uint16_t *out, const float *in, unsigned n)
{
#if defined __AVX512F__
    for (unsigned i = 0; i < n; i += 16)
        _mm256_storeu_si256((__m256i *)(out + i), _mm512_cvtps_ph(_mm512_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
#elif defined __F16C__
    for (unsigned i = 0; i < n; i += 8)
        _mm_storeu_si128((__m128i *)(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
#else
    for (unsigned i = 0; i < n; i++)
        out[i] = (uint16_t)f32_to_f16(in[i]);
#endif
    for (unsigned i = 0; i < n; i++)
        out[i] = (out[i] & 0x7fffu) > 0x7c00u ? NAN_16 : out[i];
}

static inline void widen_bf16(float *out, const uint16_t *in, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = bf16_to_f32(in[i]);
}

static inline void narrow_bf16(uint16_t *out, const float *in, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = (uint16_t)f32_to_bf16(in[i]);
}

/* Run 'op' with the rounding that its instruction names. The operations hold no constant arithmetic that a compiler could
 * round beforehand, and 'op' is reached through a pointer, so nothing of it moves out from between the two writes of MXCSR. */
static inline void run_rounded(lane_op *volatile op, const struct lane_args *args)
{
    static const uint16_t control[PTX_round_count] = {[PTX_round_rm] = 1u << 13, [PTX_round_rp] = 2u << 13,
                                                      [PTX_round_rz] = 3u << 13};
    unsigned saved = __builtin_ia32_stmxcsr();

    __builtin_ia32_ldmxcsr((saved & ~(3u << 13)) | control[args->insn->round]);
    op(args);
    __builtin_ia32_ldmxcsr(saved);
}

/* Define NAME_directed, which is NAME under .rz, .rm or .rp. */
#define LANE_DIRECTED(name) \
    static void name##_directed(const struct lane_args *args) \
    { \
        run_rounded(name, args); \
    }

/* What a row's 'sub' holds for instructions with a rounding. An absent one is .rn. */
enum { ROUND_NEAREST, ROUND_DIRECTED, ROUND_REFUSED };

static inline unsigned round_class(const struct ptx_insn *insn)
{
    switch (insn->round) {
    case PTX_round_none:
    case PTX_round_rn:
        return ROUND_NEAREST;
    case PTX_round_rz:
    case PTX_round_rm:
    case PTX_round_rp:
        return ROUND_DIRECTED;
    default:
        return ROUND_REFUSED;
    }
}

#endif
