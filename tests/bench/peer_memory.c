/* SPDX-License-Identifier: Apache-2.0 */
/* What memory gives two cores: reading, and the memory workloads in C. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "peer.h"
#include "side.h"

enum { LINE = 64, HUGE = 2 << 20 };

static char *from, *to;
static size_t bytes, ahead; /* read or written in all; prefetched so far ahead */

void *peer_map(size_t size)
{
    char *p;

    size = (size + HUGE - 1) & ~(size_t)(HUGE - 1);
    p = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    p = (char *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
    madvise(p, size, MADV_HUGEPAGE);
    memset(p, 0, size);
    return p;
}

/* The thread's part of SIZE, in whole lines. */
static size_t part(size_t size, unsigned index, unsigned threads, size_t *length)
{
    size_t lines = size / LINE, first = lines * index / threads;

    *length = (lines * (index + 1) / threads - first) * LINE;
    return first * LINE;
}

/* ---- Reading ---- */

__attribute__((target("avx2"))) static void read_256(const char *p, size_t n, size_t prefetch)
{
    __m256i x = _mm256_setzero_si256();

    for (const char *end = p + n; p < end; p += LINE) {
        if (prefetch)
            _mm_prefetch(p + prefetch, _MM_HINT_NTA);
        x = _mm256_or_si256(x, _mm256_load_si256((const __m256i *)p));
        x = _mm256_or_si256(x, _mm256_load_si256((const __m256i *)(p + 32)));
    }
    __asm__ volatile("" : : "x"(x));
}

static void read_128(const char *p, size_t n, size_t prefetch)
{
    __m128i x = _mm_setzero_si128();

    for (const char *end = p + n; p < end; p += LINE) {
        if (prefetch)
            _mm_prefetch(p + prefetch, _MM_HINT_NTA);
        for (int i = 0; i < LINE; i += 16)
            x = _mm_or_si128(x, _mm_load_si128((const __m128i *)(p + i)));
    }
    __asm__ volatile("" : : "x"(x));
}

static void read_run(unsigned index, unsigned threads)
{
    size_t n, start = part(bytes, index, threads, &n);

    (__builtin_cpu_supports("avx2") ? read_256 : read_128)(from + start, n, ahead);
}

static void read_prepare(void)
{
    bytes = SIDE_SIZE((size_t)512 << 20, (size_t)1 << 20);
    from = peer_room(bytes);
}

static double work(void)
{
    return (double)bytes;
}

/* The best distance of several, each time. */
static double read_measure(void)
{
    static const size_t distances[] = {0, 512, 1024, 2048, 4096};
    static const struct peer one = {.run = read_run, .work = work};
    double best = 0;

    for (unsigned i = 0; i < sizeof distances / sizeof *distances; i++) {
        double rate;

        ahead = distances[i];
        rate = peer_rate(&one);
        best = rate > best ? rate : best;
    }
    return best;
}

/* ---- The memory workloads, in C ---- */

static void pair_prepare(size_t size, double all)
{
    from = peer_room(size);
    to = peer_room(size);
    bytes = (size_t)all;
}

static void copy_prepare(void)
{
    size_t size = SIDE_SIZE((size_t)128 << 20, (size_t)1 << 20);

    pair_prepare(size, 2 * (double)size);
}

static void copy_run(unsigned index, unsigned threads)
{
    size_t n, start = part(bytes / 2, index, threads, &n);

    memcpy(to + start, from + start, n);
}

static void saxpy_prepare(void)
{
    size_t size = SIDE_SIZE((size_t)128 << 20, (size_t)1 << 20);

    pair_prepare(size, 3 * (double)size);
}

__attribute__((target_clones("default", "avx2", "avx512f"), optimize("O3"))) static void saxpy(float a, const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void saxpy_run(unsigned index, unsigned threads)
{
    size_t n, start = part(bytes / 3, index, threads, &n);

    saxpy(0.5f, (const float *)(from + start), (float *)(to + start), n / sizeof(float));
}

const struct peer peers_memory[] = {
    {.name = "read", .prepare = read_prepare, .measure = read_measure},
    {.name = "copy", .prepare = copy_prepare, .run = copy_run, .work = work},
    {.name = "saxpy", .prepare = saxpy_prepare, .run = saxpy_run, .work = work},
    {0},
};
