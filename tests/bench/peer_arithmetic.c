/* SPDX-License-Identifier: Apache-2.0 */
/* The most that the cores can do: independent chains that keep every multiplier busy, in the widest registers there are. */
#include <immintrin.h>
#include <stdint.h>

#include "peer.h"
#include "side.h"

enum { CHAINS = 12 };

static void (*kernel)(uint64_t steps);
static uint64_t steps;
static double operations; /* of a step of one thread */

/* Twelve registers that are advanced together: x = OP(x, a, b). The compiler must not see that it could do less. */
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define PEAK(name, isa, type, start, op)                                                                                       \
    __attribute__((target(isa))) static void name(uint64_t n)                                                                  \
    {                                                                                                                          \
        type a = start(1), b = start(2), EACH(NAME) last = b;                                                                  \
                                                                                                                               \
        EACH(SET)                                                                                                              \
        for (; n; n--) {                                                                                                       \
            EACH(op)                                                                                                           \
        }                                                                                                                      \
        EACH(USE)                                                                                                              \
        __asm__ volatile("" : : "v"(last));                                                                                    \
    }
#define NAME(i) x##i,
#define SET(i) x##i = a;
#define USE(i) __asm__ volatile("" : : "v"(x##i));
#define STEP(i, value) x##i = value; __asm__("" : "+v"(x##i));

#define FMA_512(i) STEP(i, _mm512_fmadd_ps(x##i, a, b))
#define FMA_256(i) STEP(i, _mm256_fmadd_ps(x##i, a, b))
#define FMA_128(i) STEP(i, _mm_add_ps(_mm_mul_ps(x##i, a), b))
PEAK(fma_512, "avx512f", __m512, _mm512_set1_ps, FMA_512)
PEAK(fma_256, "avx2,fma", __m256, _mm256_set1_ps, FMA_256)
PEAK(fma_128, "sse2", __m128, _mm_set1_ps, FMA_128)

#define DOT_512(i) STEP(i, _mm512_dpbusd_epi32(x##i, a, b))
#define DOT_256(i) STEP(i, _mm256_add_epi32(x##i, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), a)))
#define DOT_128(i) STEP(i, _mm_add_epi32(x##i, _mm_madd_epi16(_mm_maddubs_epi16(a, b), a)))
PEAK(dot_512, "avx512f,avx512vnni", __m512i, _mm512_set1_epi32, DOT_512)
PEAK(dot_256, "avx2", __m256i, _mm256_set1_epi32, DOT_256)
PEAK(dot_128, "ssse3", __m128i, _mm_set1_epi32, DOT_128)

static void set(void (*best)(uint64_t), double lanes, double each)
{
    kernel = best;
    operations = CHAINS * lanes * each;
    steps = SIDE_SIZE(20u << 20, 1000);
}

static void fma_prepare(void)
{
    if (__builtin_cpu_supports("avx512f"))
        set(fma_512, 16, 2);
    else if (__builtin_cpu_supports("fma"))
        set(fma_256, 8, 2);
    else
        set(fma_128, 4, 2);
}

/* A lane takes four products. */
static void vnni_prepare(void)
{
    if (__builtin_cpu_supports("avx512vnni"))
        set(dot_512, 16, 8);
    else if (__builtin_cpu_supports("avx2"))
        set(dot_256, 8, 8);
    else if (__builtin_cpu_supports("ssse3"))
        set(dot_128, 4, 8);
    else
        side_absent("no instruction multiplies bytes on this CPU");
}

static void run(unsigned index, unsigned threads)
{
    (void)index;
    (void)threads;
    kernel(steps);
}

static double work(void)
{
    return 2 * operations * (double)steps;
}

const struct peer peers_arithmetic[] = {
    {.name = "fma", .prepare = fma_prepare, .run = run, .work = work},
    {.name = "vnni", .prepare = vnni_prepare, .run = run, .work = work},
    {0},
};
