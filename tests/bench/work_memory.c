/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads that memory bounds. Bytes are those that a kernel reads and writes, once each. */
#include <stdlib.h>
#include <string.h>

#include "side.h"
#include "workload.h"

enum { STREAM_THREADS = 256, SAMPLES = 5000 };

/* ---- copy and saxpy: far larger than any cache ---- */

static struct {
    unsigned n;
    float a, *x, *y;
    buffer dx, dy;
} stream;

static void stream_prepare(void)
{
    stream.n = SIDE_SIZE(32u << 20, 4096);
    stream.a = 0.5f;
    stream.x = workload_floats(stream.n, 0, 1);
    stream.y = workload_floats(stream.n, 0, 1);
    stream.dx = workload_array(stream.x, stream.n * sizeof(float));
    stream.dy = workload_array(stream.y, stream.n * sizeof(float));
}

static double copy_prepare(void)
{
    stream_prepare();
    return 2.0 * sizeof(float) * stream.n;
}

static void copy_step(void)
{
    workload_launch("copy", stream.n / STREAM_THREADS, 1, STREAM_THREADS, 1, ARGUMENTS(ARG(stream.dx), ARG(stream.dy)));
}

static void copy_check(void)
{
    float *got = workload_result(stream.dy, stream.n * sizeof(float));

    for (unsigned i = 0; i < stream.n; i++)
        workload_compare(i, got[i], stream.x[i], 0);
    free(got);
}

static double saxpy_prepare(void)
{
    stream_prepare();
    return 3.0 * sizeof(float) * stream.n;
}

static void saxpy_step(void)
{
    workload_launch("saxpy", stream.n / STREAM_THREADS, 1, STREAM_THREADS, 1, ARGUMENTS(ARG(stream.a), ARG(stream.dx), ARG(stream.dy)));
}

static void saxpy_check(void)
{
    float *got = workload_result(stream.dy, stream.n * sizeof(float));

    for (unsigned i = 0; i < stream.n; i++)
        workload_compare(i, got[i], (double)(stream.a * stream.x[i] + stream.y[i]), 1e-6);
    free(got);
}

/* ---- Weights of 8 bits with a scale for each 32 of them, to 16-bit floating point ---- */

struct block_q8 {
    _Float16 scale;
    int8_t q[32];
} __attribute__((packed));

static struct {
    unsigned n;
    struct block_q8 *in;
    buffer din, dout;
} dequantise;

static double dequantise_prepare(void)
{
    size_t blocks;

    dequantise.n = SIDE_SIZE(64u << 20, 4096);
    blocks = dequantise.n / 32;
    dequantise.in = workload_room(blocks * sizeof *dequantise.in);
    for (size_t i = 0; i < blocks; i++) {
        dequantise.in[i].scale = (_Float16)((float)(workload_random() % 1000) / 8192);
        for (int j = 0; j < 32; j++)
            dequantise.in[i].q[j] = (int8_t)workload_random();
    }
    dequantise.din = workload_array(dequantise.in, blocks * sizeof *dequantise.in);
    dequantise.dout = device->alloc(dequantise.n * sizeof(_Float16));
    return (double)blocks * (double)(sizeof *dequantise.in + 32 * sizeof(_Float16));
}

static void dequantise_step(void)
{
    workload_launch("dequantise", dequantise.n / STREAM_THREADS / 2, 1, STREAM_THREADS, 1, ARGUMENTS(ARG(dequantise.din), ARG(dequantise.dout)));
}

static void dequantise_check(void)
{
    _Float16 *got = workload_result(dequantise.dout, dequantise.n * sizeof(_Float16));

    for (unsigned i = 0; i < dequantise.n; i += 7) {
        float want = (float)dequantise.in[i / 32].scale * (float)dequantise.in[i / 32].q[i % 32];

        workload_compare(i, (double)(float)got[i], (double)(float)(_Float16)want, 0);
    }
    free(got);
}

/* ---- Reduction ---- */

enum { REDUCE = 256 };

static struct {
    unsigned n;
    float *in;
    buffer din, dsums;
} reduce;

static double reduce_prepare(void)
{
    reduce.n = SIDE_SIZE(16u << 20, 8192);
    reduce.in = workload_floats(reduce.n, 0, 1);
    reduce.din = workload_array(reduce.in, reduce.n * sizeof(float));
    reduce.dsums = device->alloc(reduce.n / (2 * REDUCE) * sizeof(float));
    return (double)sizeof(float) * reduce.n;
}

static void reduce_step(void)
{
    workload_launch("reduce", reduce.n / (2 * REDUCE), 1, REDUCE, 1, ARGUMENTS(ARG(reduce.din), ARG(reduce.dsums)));
}

static void reduce_check(void)
{
    unsigned groups = reduce.n / (2 * REDUCE);
    float *got = workload_result(reduce.dsums, groups * sizeof(float));

    for (unsigned g = 0; g < groups; g++) {
        double sum = 0;

        for (unsigned i = 0; i < 2 * REDUCE; i++)
            sum += (double)reduce.in[g * 2 * REDUCE + i];
        workload_compare(g, got[g], sum, 1e-5);
    }
    free(got);
}

/* ---- Scan: of each group, of the groups' totals, of their groups' totals, and back ---- */

enum { SCAN = 256, LEVELS = 3 };

static struct {
    unsigned n[LEVELS]; /* elements */
    int *in;
    buffer data[LEVELS], out[LEVELS], none;
} scan;

static double scan_prepare(void)
{
    scan.n[0] = SIDE_SIZE(8u << 20, SCAN * SCAN);
    scan.in = workload_room(scan.n[0] * sizeof(int));
    for (unsigned i = 0; i < scan.n[0]; i++)
        scan.in[i] = (int)(workload_random() % 100);
    for (int l = 0; l < LEVELS; l++) {
        unsigned groups = (scan.n[l] + SCAN - 1) / SCAN;
        void *zeros = calloc(groups * SCAN, sizeof(int));

        if (!zeros)
            side_fail("out of memory");
        scan.data[l] = workload_array(zeros, groups * SCAN * sizeof(int));
        scan.out[l] = device->alloc(groups * SCAN * sizeof(int));
        free(zeros);
        if (l + 1 < LEVELS)
            scan.n[l + 1] = groups;
    }
    scan.none = device->alloc(SCAN * sizeof(int));
    device->write(scan.data[0], scan.in, scan.n[0] * sizeof(int));
    return (double)scan.n[0];
}

static void scan_step(void)
{
    for (int l = 0; l < LEVELS; l++)
        workload_launch("scan_groups", (scan.n[l] + SCAN - 1) / SCAN, 1, SCAN, 1,
                        ARGUMENTS(ARG(scan.data[l]), ARG(scan.out[l]), ARG(*(l + 1 < LEVELS ? &scan.data[l + 1] : &scan.none))));
    for (int l = LEVELS - 2; l >= 0; l--)
        workload_launch("scan_add", (scan.n[l] + SCAN - 1) / SCAN, 1, SCAN, 1, ARGUMENTS(ARG(scan.out[l]), ARG(scan.out[l + 1])));
}

static void scan_check(void)
{
    int *got = workload_result(scan.out[0], scan.n[0] * sizeof(int)), sum = 0;

    for (unsigned i = 0; i < scan.n[0]; i++)
        workload_compare(i, got[i], sum += scan.in[i], 0);
    free(got);
}

/* ---- Transpose ---- */

enum { SQUARE = 32 };

static struct {
    int n;
    float *in;
    buffer din, dout;
} plane;

static void plane_prepare(int n)
{
    size_t count = (size_t)n * (size_t)n;

    plane.n = n;
    plane.in = workload_floats(count, 0, 1);
    plane.din = workload_array(plane.in, count * sizeof(float));
    plane.dout = device->alloc(count * sizeof(float));
}

static double transpose_prepare(void)
{
    plane_prepare(SIDE_SIZE(2048, 64));
    return 2.0 * sizeof(float) * plane.n * plane.n;
}

static void transpose_step(void)
{
    unsigned squares = (unsigned)plane.n / SQUARE;

    workload_launch("transpose", squares, squares, SQUARE, 8, ARGUMENTS(ARG(plane.din), ARG(plane.dout), ARG(plane.n)));
}

static void transpose_check(void)
{
    size_t n = (size_t)plane.n;
    float *got = workload_result(plane.dout, n * n * sizeof(float));

    for (size_t i = 0; i < n * n; i++)
        workload_compare(i, got[i], plane.in[i % n * n + i / n], 0);
    free(got);
}

/* ---- Histogram of bytes ---- */

enum { BINS = 256 };

static struct {
    unsigned words;
    int each;
    uint32_t *in;
    buffer din, dbins;
} histogram;

static double histogram_prepare(void)
{
    static const int zeros[BINS];

    histogram.words = SIDE_SIZE(4u << 20, 8192);
    histogram.each = 16;
    histogram.in = workload_room(histogram.words * sizeof(uint32_t));
    for (unsigned i = 0; i < histogram.words; i++)
        histogram.in[i] = workload_random();
    histogram.din = workload_array(histogram.in, histogram.words * sizeof(uint32_t));
    histogram.dbins = workload_array(zeros, sizeof zeros);
    return 4.0 * histogram.words;
}

static void histogram_step(void)
{
    workload_launch("histogram", histogram.words / (BINS * (unsigned)histogram.each), 1, BINS, 1,
                    ARGUMENTS(ARG(histogram.din), ARG(histogram.dbins), ARG(histogram.each)));
}

static void histogram_check(void)
{
    int *got = workload_result(histogram.dbins, BINS * sizeof(int)), want[BINS] = {0};

    for (unsigned i = 0; i < histogram.words; i++)
        for (int b = 0; b < 4; b++)
            want[histogram.in[i] >> 8 * b & 255]++;
    for (unsigned i = 0; i < BINS; i++)
        workload_compare(i, got[i], want[i], 0);
    free(got);
}

/* ---- Stencil ---- */

static double stencil_prepare(void)
{
    plane_prepare(SIDE_SIZE(4096, 64));
    return (double)plane.n * plane.n;
}

static void stencil_step(void)
{
    unsigned n = (unsigned)plane.n;

    workload_launch("stencil", n / 32, n / 8, 32, 8, ARGUMENTS(ARG(plane.din), ARG(plane.dout), ARG(plane.n)));
}

static void stencil_check(void)
{
    size_t n = (size_t)plane.n;
    float *got = workload_result(plane.dout, n * n * sizeof(float));

    for (int s = 0; s < SAMPLES; s++) {
        size_t i = s < 200 ? (size_t)s % n : workload_random() % (n * n), x = i % n, y = i / n;
        const float *at = plane.in + i;
        double want = x && x < n - 1 && y && y < n - 1 ? 0.5 * at[0] + 0.125 * ((double)at[-1] + at[1] + *(at - n) + at[n]) : (double)at[0];

        workload_compare(i, got[i], want, 1e-6);
    }
    free(got);
}

const struct workload memory_workloads[] = {
    {"copy", copy_prepare, copy_step, copy_check},
    {"saxpy", saxpy_prepare, saxpy_step, saxpy_check},
    {"dequantise", dequantise_prepare, dequantise_step, dequantise_check},
    {"reduce", reduce_prepare, reduce_step, reduce_check},
    {"scan", scan_prepare, scan_step, scan_check},
    {"transpose", transpose_prepare, transpose_step, transpose_check},
    {"histogram", histogram_prepare, histogram_step, histogram_check},
    {"stencil", stencil_prepare, stencil_step, stencil_check},
    {0},
};
