/* SPDX-License-Identifier: Apache-2.0 */
#include "blas/convert.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "blas/blas.h"

static float bits_to_float(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof(f));
    return f;
}

static uint32_t float_to_bits(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof(u));
    return u;
}

static uint16_t to_bf16(float f)
{
    uint32_t u = float_to_bits(f);

    if ((u & 0x7fffffff) > 0x7f800000)
        return 0x7fff;
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* ---- f16: for the baseline instruction set compilers call a function for each; CPUs that convert eight at once do, as far as that
 * goes. How many have been. ---- */

__attribute__((target("avx,f16c"))) static size_t widen_eights(float *to, const _Float16 *from, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + i))));
    return i;
}

__attribute__((target("avx,f16c"))) static size_t narrow_eights(_Float16 *to, const float *from, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(to + i), _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
    return i;
}

static bool has_eights(void)
{
    return __builtin_cpu_supports("x86-64-v3");
}

void convert_to_f32(float *to, const void *from, uint32_t type, size_t n)
{
    const _Float16 *half = from;
    const uint16_t *brain = from;
    const int8_t *byte = from;

    if (type == BLAS_R_16F)
        for (size_t i = has_eights() ? widen_eights(to, half, n) : 0; i < n; i++)
            to[i] = (float)half[i];
    else if (type == BLAS_R_16BF)
        for (size_t i = 0; i < n; i++)
            to[i] = bits_to_float((uint32_t)brain[i] << 16);
    else if (type == BLAS_R_8I)
        for (size_t i = 0; i < n; i++)
            to[i] = byte[i];
    else
        memcpy(to, from, n * sizeof(*to));
}

void convert_from_f32(void *to, const float *from, uint32_t type, size_t n)
{
    _Float16 *half = to;
    uint16_t *brain = to;

    if (type == BLAS_R_16F)
        for (size_t i = has_eights() ? narrow_eights(half, from, n) : 0; i < n; i++)
            half[i] = (_Float16)from[i];
    else if (type == BLAS_R_16BF)
        for (size_t i = 0; i < n; i++)
            brain[i] = to_bf16(from[i]);
    else
        memcpy(to, from, n * sizeof(*from));
}
