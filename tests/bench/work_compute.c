/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads that arithmetic bounds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "side.h"
#include "workload.h"

enum { SAMPLES = 500 }; /* elements that are checked where checking each would take long */

/* ---- FMA chains ---- */

enum { CHAINS = 8, FMA_THREADS = 256 };

static struct {
    buffer out;
    float a, b;
    int n;
    unsigned blocks;
} fma_chain;

static double fma_prepare(void)
{
    fma_chain.a = 0.75f;
    fma_chain.b = 0.25f;
    fma_chain.n = SIDE_SIZE(4000, 20);
    fma_chain.blocks = SIDE_SIZE(256, 2);
    fma_chain.out = device->alloc(fma_chain.blocks * FMA_THREADS * sizeof(float));
    return 2.0 * CHAINS * fma_chain.n * fma_chain.blocks * FMA_THREADS;
}

static void fma_step(void)
{
    workload_launch("fma_chain", fma_chain.blocks, 1, FMA_THREADS, 1,
                    ARGUMENTS(ARG(fma_chain.out), ARG(fma_chain.a), ARG(fma_chain.b), ARG(fma_chain.n)));
}

static void fma_check(void)
{
    float *got = workload_result(fma_chain.out, fma_chain.blocks * FMA_THREADS * sizeof(float));

    for (unsigned i = 0; i < fma_chain.blocks * FMA_THREADS; i += 37) {
        float sum = 0;

        for (int c = 0; c < CHAINS; c++) {
            float x = (float)(i % FMA_THREADS + (unsigned)c);

            for (int k = 0; k < fma_chain.n && k < 500; k++) /* the fixed point is reached before */
                x = fmaf(x, fma_chain.a, fma_chain.b);
            sum += x;
        }
        workload_compare(i, got[i], sum, 1e-5);
    }
    free(got);
}

/* ---- Products of square matrices ---- */

static struct {
    int n;
    float *a, *b;
    buffer da, db, dc;
} matmul;

static double matmul_prepare_size(int n)
{
    size_t count = (size_t)n * (size_t)n;

    matmul.n = n;
    matmul.a = workload_floats(count, -1, 1);
    matmul.b = workload_floats(count, -1, 1);
    matmul.da = workload_array(matmul.a, count * sizeof(float));
    matmul.db = workload_array(matmul.b, count * sizeof(float));
    matmul.dc = device->alloc(count * sizeof(float));
    return 2.0 * n * n * n;
}

static double matmul_tiled_prepare(void)
{
    return matmul_prepare_size(SIDE_SIZE(768, 64));
}

static double matmul_naive_prepare(void)
{
    return matmul_prepare_size(SIDE_SIZE(512, 64));
}

static void matmul_step(const char *kernel)
{
    unsigned tiles = (unsigned)matmul.n / 16;

    workload_launch(kernel, tiles, tiles, 16, 16, ARGUMENTS(ARG(matmul.da), ARG(matmul.db), ARG(matmul.dc), ARG(matmul.n)));
}

static void matmul_tiled_step(void)
{
    matmul_step("matmul_tiled");
}

static void matmul_naive_step(void)
{
    matmul_step("matmul_naive");
}

static void matmul_check(void)
{
    size_t n = (size_t)matmul.n;
    float *got = workload_result(matmul.dc, n * n * sizeof(float));

    for (int s = 0; s < SAMPLES; s++) {
        size_t i = workload_random() % (n * n);
        double sum = 0;

        for (size_t k = 0; k < n; k++)
            sum += (double)matmul.a[i / n * n + k] * (double)matmul.b[k * n + i % n];
        workload_compare(i, got[i], sum, 1e-4);
    }
    free(got);
}

/* ---- Mandelbrot: how often it goes round differs from point to point ---- */

static struct {
    int width, most;
    float left, top, pixel;
    buffer steps;
} mandelbrot;

static int mandelbrot_point(int px, int py)
{
    float cx = mandelbrot.left + (float)px * mandelbrot.pixel, cy = mandelbrot.top + (float)py * mandelbrot.pixel;
    float x = 0, y = 0, xx = 0, yy = 0;
    int i = 0;

    while (i < mandelbrot.most && xx + yy <= 4) {
        y = fmaf(2 * x, y, cy);
        x = xx - yy + cx;
        xx = x * x;
        yy = y * y;
        i++;
    }
    return i;
}

static double mandelbrot_prepare(void)
{
    mandelbrot.width = SIDE_SIZE(1024, 64);
    mandelbrot.most = 256;
    mandelbrot.left = -2;
    mandelbrot.top = -1.25f;
    mandelbrot.pixel = 2.5f / (float)mandelbrot.width;
    mandelbrot.steps = device->alloc((size_t)mandelbrot.width * (size_t)mandelbrot.width * sizeof(int));
    return (double)mandelbrot.width * mandelbrot.width;
}

static void mandelbrot_step(void)
{
    unsigned width = (unsigned)mandelbrot.width;

    workload_launch("mandelbrot", width / 32, width / 8, 32, 8,
                    ARGUMENTS(ARG(mandelbrot.steps), ARG(mandelbrot.width), ARG(mandelbrot.left), ARG(mandelbrot.top),
                              ARG(mandelbrot.pixel), ARG(mandelbrot.most)));
}

/* Compilers may contract x * x - y * y + c as they like, which moves the few points at the set's border. */
static void mandelbrot_check(void)
{
    size_t n = (size_t)mandelbrot.width * (size_t)mandelbrot.width, different = 0;
    int *got = workload_result(mandelbrot.steps, n * sizeof(int));

    for (size_t i = 0; i < n; i++)
        different += got[i] != mandelbrot_point((int)(i % (size_t)mandelbrot.width), (int)(i / (size_t)mandelbrot.width));
    workload_compare(0, (double)different / (double)n, 0, 0.01);
    free(got);
}

/* ---- n bodies ---- */

enum { BODIES = 256 };

static struct {
    int n;
    float *bodies;
    buffer in, out;
} nbody;

static double nbody_prepare(void)
{
    nbody.n = SIDE_SIZE(8192, 512);
    nbody.bodies = workload_floats(4 * (size_t)nbody.n, 0, 1);
    nbody.in = workload_array(nbody.bodies, 4 * (size_t)nbody.n * sizeof(float));
    nbody.out = device->alloc(3 * (size_t)nbody.n * sizeof(float));
    return 20.0 * nbody.n * nbody.n; /* as is customary */
}

static void nbody_step(void)
{
    workload_launch("nbody", (unsigned)nbody.n / BODIES, 1, BODIES, 1, ARGUMENTS(ARG(nbody.in), ARG(nbody.out), ARG(nbody.n)));
}

static void nbody_check(void)
{
    float *got = workload_result(nbody.out, 3 * (size_t)nbody.n * sizeof(float));

    for (int s = 0; s < 50; s++) {
        size_t me = workload_random() % (size_t)nbody.n;
        double force[3] = {0};

        for (size_t i = 0; i < (size_t)nbody.n; i++) {
            double d[3], r2 = 0.01;

            for (int c = 0; c < 3; c++) {
                d[c] = (double)nbody.bodies[4 * i + (size_t)c] - (double)nbody.bodies[4 * me + (size_t)c];
                r2 += d[c] * d[c];
            }
            for (int c = 0; c < 3; c++)
                force[c] += d[c] * nbody.bodies[4 * i + 3] / (r2 * sqrt(r2));
        }
        for (size_t c = 0; c < 3; c++)
            workload_compare(3 * me + c, got[3 * me + c], force[c], 2e-3);
    }
    free(got);
}

/* ---- Black-Scholes ---- */

static struct {
    size_t n;
    float *price, *strike, *years, rate, volatility;
    buffer in[3], out[2];
} options;

static double options_prepare(void)
{
    options.n = SIDE_SIZE(4 << 20, 4096);
    options.rate = 0.02f;
    options.volatility = 0.3f;
    options.price = workload_floats(options.n, 5, 30);
    options.strike = workload_floats(options.n, 1, 100);
    options.years = workload_floats(options.n, 0.25f, 10);
    options.in[0] = workload_array(options.price, options.n * sizeof(float));
    options.in[1] = workload_array(options.strike, options.n * sizeof(float));
    options.in[2] = workload_array(options.years, options.n * sizeof(float));
    options.out[0] = device->alloc(options.n * sizeof(float));
    options.out[1] = device->alloc(options.n * sizeof(float));
    return (double)options.n;
}

static void options_step(void)
{
    workload_launch("black_scholes", (unsigned)(options.n / 256), 1, 256, 1,
                    ARGUMENTS(ARG(options.in[0]), ARG(options.in[1]), ARG(options.in[2]), ARG(options.out[0]), ARG(options.out[1]),
                              ARG(options.rate), ARG(options.volatility)));
}

static double cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

static void options_check(void)
{
    float *call = workload_result(options.out[0], options.n * sizeof(float)), *put = workload_result(options.out[1], options.n * sizeof(float));

    for (size_t i = 0; i < options.n; i += options.n / SAMPLES) {
        double s = options.price[i], k = options.strike[i], t = options.years[i], v = options.volatility, r = options.rate;
        double d1 = (log(s / k) + (r + v * v / 2) * t) / (v * sqrt(t)), d2 = d1 - v * sqrt(t), now = k * exp(-r * t);

        workload_compare(i, call[i], s * cdf(d1) - now * cdf(d2), 1e-3);
        workload_compare(i, put[i], now * cdf(-d2) - s * cdf(-d1), 1e-3);
    }
    free(call);
    free(put);
}

/* ---- mma ---- */

enum { MMA_ROWS = 2, MMA_COLUMNS = 4, MMA_THREADS = 128, MMA_FRAGMENTS = MMA_ROWS * 4 + MMA_COLUMNS * 2, MMA_SUMS = MMA_ROWS * MMA_COLUMNS * 4 };

static struct {
    int n;
    unsigned blocks;
    uint32_t fragments[MMA_FRAGMENTS][32];
    buffer in, out;
} mma;

static double mma_prepare(void)
{
    mma.n = SIDE_SIZE(2000, 10);
    mma.blocks = SIDE_SIZE(64, 2);
    for (int i = 0; i < MMA_FRAGMENTS * 32; i++)
        mma.fragments[i / 32][i % 32] = workload_random();
    mma.in = workload_array(mma.fragments, sizeof mma.fragments);
    mma.out = device->alloc(mma.blocks * MMA_THREADS * MMA_SUMS * sizeof(int));
    return 2.0 * 16 * 8 * 32 * MMA_ROWS * MMA_COLUMNS * mma.n * mma.blocks * (MMA_THREADS / 32);
}

static void mma_step(void)
{
    workload_launch("mma_loop", mma.blocks, 1, MMA_THREADS, 1, ARGUMENTS(ARG(mma.in), ARG(mma.out), ARG(mma.n)));
}

/* PTX ISA, fragments of m16n8k32 with 8-bit elements: row of A lane / 4, 8 more in registers 1 and 3; k is 4 (lane % 4) and 16
 * more in registers 2 and 3. Column of B lane / 4; k as A's, 16 more in register 1. C: two columns 2 (lane % 4), rows as A's. */
static int mma_sum(int tile_row, int tile_column, int row, int column)
{
    uint32_t sum = 0;

    for (int k = 0; k < 32; k++) {
        int a = tile_row * 4 + (row >= 8) + 2 * (k >= 16), b = MMA_ROWS * 4 + tile_column * 2 + (k >= 16);
        int8_t x = (int8_t)(mma.fragments[a][row % 8 * 4 + k % 16 / 4] >> 8 * (k % 4));
        int8_t y = (int8_t)(mma.fragments[b][column * 4 + k % 16 / 4] >> 8 * (k % 4));

        sum += (uint32_t)(x * y);
    }
    return (int)(sum * (uint32_t)mma.n);
}

static void mma_check(void)
{
    unsigned threads = mma.blocks * MMA_THREADS;
    int *got = workload_result(mma.out, threads * MMA_SUMS * sizeof(int));

    for (unsigned i = 0; i < MMA_THREADS * MMA_SUMS; i++) { /* the first block; then that the last is the same */
        unsigned lane = i / MMA_SUMS % 32, tile = i % MMA_SUMS / 4, e = i % 4;
        int want = mma_sum((int)tile / MMA_COLUMNS, (int)tile % MMA_COLUMNS, (int)(lane / 4 + e / 2 * 8), (int)(lane % 4 * 2 + e % 2));

        workload_compare(i, got[i], want, 0);
        workload_compare(i, got[(threads - MMA_THREADS) * MMA_SUMS + i], want, 0);
    }
    free(got);
}

const struct workload compute_workloads[] = {
    {"fma", fma_prepare, fma_step, fma_check},
    {"matmul", matmul_tiled_prepare, matmul_tiled_step, matmul_check},
    {"matmul-naive", matmul_naive_prepare, matmul_naive_step, matmul_check},
    {"mandelbrot", mandelbrot_prepare, mandelbrot_step, mandelbrot_check},
    {"nbody", nbody_prepare, nbody_step, nbody_check},
    {"black-scholes", options_prepare, options_step, options_check},
    {"mma", mma_prepare, mma_step, mma_check},
    {0},
};
