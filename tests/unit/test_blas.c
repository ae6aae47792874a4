/* SPDX-License-Identifier: Apache-2.0 */
/* Products and solves against triple loops in double, over shapes, transpositions, types and strides. */
#include <math.h>
#include <stdlib.h>

#include "blas/blas.h"
#include "blas/convert.h"
#include "tap.h"

static uint64_t seed = 1;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)seed / 9.3e18;
}

static void store(void *m, uint32_t type, size_t i, double v)
{
    float f = (float)v;

    if (type == BLAS_R_64F)
        ((double *)m)[i] = v;
    else if (type == BLAS_R_8I)
        ((int8_t *)m)[i] = (int8_t)(v * 127);
    else if (type == BLAS_R_32I)
        ((int32_t *)m)[i] = (int32_t)(v * 1000);
    else
        convert_from_f32((char *)m + i * blas_type_size(type), &f, type, 1);
}

static double load(const void *m, uint32_t type, size_t i)
{
    float f;

    if (type == BLAS_R_64F)
        return ((const double *)m)[i];
    if (type == BLAS_R_32I)
        return ((const int32_t *)m)[i];
    convert_to_f32(&f, (const char *)m + i * blas_type_size(type), type, 1);
    return f;
}

static void *random_matrix(uint32_t type, size_t n)
{
    void *m = malloc(n * blas_type_size(type) + 1);

    for (size_t i = 0; i < n; i++)
        store(m, type, i, uniform());
    return m;
}

static double element(const void *m, uint32_t type, uint32_t op, uint32_t ld, uint32_t r, uint32_t c)
{
    return load(m, type, op ? (size_t)r * ld + c : (size_t)c * ld + r);
}

static void test_gemm(uint32_t ta, uint32_t tb, uint32_t tc, uint32_t m, uint32_t n, uint32_t k, uint32_t op_a, uint32_t op_b,
                      double alpha, double beta, double tolerance)
{
    struct blas_gemm g = { m, n, k, op_a, op_b, ta, tb, tc, (op_a ? k : m) + 3, (op_b ? n : k) + 1, m + 2, alpha, beta };
    size_t nc = (size_t)g.ldc * n;
    void *a = random_matrix(ta, (size_t)g.lda * (op_a ? m : k)), *b = random_matrix(tb, (size_t)g.ldb * (op_b ? k : n));
    void *c = random_matrix(tc, nc), *before = malloc(nc * blas_type_size(tc) + 1);
    double worst = 0;
    bool outside = true;

    memcpy(before, c, nc * blas_type_size(tc));
    ok(blas_gemm_supported(&g) && blas_gemm_run(&g, a, b, c), "types %u %u %u, %ux%ux%u, ops %u %u runs", ta, tb, tc, m, n, k, op_a, op_b);
    for (uint32_t j = 0; j < n; j++)
        for (uint32_t i = 0; i < g.ldc; i++) {
            size_t at = (size_t)j * g.ldc + i;
            double want = 0, scale = 1;

            if (i >= m) {
                outside = outside && load(c, tc, at) == load(before, tc, at);
                continue;
            }
            for (uint32_t p = 0; p < k; p++)
                want += element(a, ta, op_a, g.lda, i, p) * element(b, tb, op_b, g.ldb, p, j);
            want = alpha * want + (beta ? beta * load(before, tc, at) : 0);
            scale = fmax(1, fabs(want));
            worst = fmax(worst, fabs(load(c, tc, at) - want) / scale);
        }
    ok(worst <= tolerance, "  and agrees with the definition (worst %g)", worst);
    ok(outside, "  and touches nothing between the columns");
    free(a);
    free(b);
    free(c);
    free(before);
}

static void test_trsm(bool right, bool upper, uint32_t op, bool unit)
{
    enum { M = 7, N = 5 };
    struct blas_trsm t = { M, N, right, upper, unit, op, BLAS_R_64F, 9, 8, 2.0 };
    uint32_t order = right ? N : M;
    double a[9 * 9], b[8 * N], x[8 * N], worst = 0;

    for (int i = 0; i < 81; i++)
        a[i] = uniform() + (i % 10 ? 0 : 4);
    for (int i = 0; i < 8 * N; i++)
        x[i] = b[i] = uniform();
    blas_trsm_run(&t, a, x);
    for (uint32_t i = 0; i < M; i++)
        for (uint32_t j = 0; j < N; j++) {
            double sum = 0;

            for (uint32_t p = 0; p < order; p++) {
                uint32_t r = right ? p : i, c = right ? j : p, row = op ? c : r, column = op ? r : c;
                double v = row == column ? (unit ? 1 : a[column * 9 + row]) : (row < column) == upper ? a[column * 9 + row] : 0;

                sum += v * (right ? x[p * 8 + i] : x[j * 8 + p]);
            }
            worst = fmax(worst, fabs(sum - 2.0 * b[j * 8 + i]));
        }
    ok(worst < 1e-10, "trsm right %d upper %d op %u unit %d (worst %g)", right, upper, op, unit, worst);
}

/* Every f16 there is, and what lies between two of them: as rows, and one by one. */
static void test_rows_of_halves(void)
{
    enum { ALL = 1 << 16, ODD = 5 };
    static uint16_t half[ALL], back[ALL], one;
    static float wide[ALL], f;
    bool widened = true, narrowed = true;

    for (uint32_t k = 0; k < ALL; k++)
        half[k] = (uint16_t)k;
    convert_to_f32(wide, half, BLAS_R_16F, ALL - ODD);
    for (uint32_t k = 0; k < ALL - ODD; k++) {
        convert_to_f32(&f, &half[k], BLAS_R_16F, 1);
        widened &= !memcmp(&f, &wide[k], sizeof f);
        wide[k] *= 1 + (float)(k % 7) / 4096;
    }
    convert_from_f32(back, wide, BLAS_R_16F, ALL - ODD);
    for (uint32_t k = 0; k < ALL - ODD; k++) {
        convert_from_f32(&one, &wide[k], BLAS_R_16F, 1);
        narrowed &= one == back[k];
    }
    ok(widened, "a row of halves is widened as each of them is");
    ok(narrowed, "a row of floats is rounded to halves as each of them is");
}

int main(void)
{
    test_rows_of_halves();
    static const uint32_t shapes[][3] = { { 1, 1, 1 }, { 4, 3, 5 }, { 17, 33, 9 }, { 64, 2, 128 }, { 5, 4, 0 } };

    for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++)
        for (uint32_t ops = 0; ops < 4; ops++) {
            const uint32_t *d = shapes[s];

            test_gemm(BLAS_R_32F, BLAS_R_32F, BLAS_R_32F, d[0], d[1], d[2], ops & 1, ops >> 1, 1.5, 0.5, 1e-5);
            test_gemm(BLAS_R_64F, BLAS_R_64F, BLAS_R_64F, d[0], d[1], d[2], ops & 1, ops >> 1, 1.5, 0, 1e-13);
            test_gemm(BLAS_R_16F, BLAS_R_16F, BLAS_R_16F, d[0], d[1], d[2], ops & 1, ops >> 1, 1, 1, 1e-3);
            test_gemm(BLAS_R_16F, BLAS_R_16F, BLAS_R_32F, d[0], d[1], d[2], ops & 1, ops >> 1, 1, 0, 1e-5);
            test_gemm(BLAS_R_16BF, BLAS_R_16BF, BLAS_R_16BF, d[0], d[1], d[2], ops & 1, ops >> 1, 1, 1, 1e-2);
            test_gemm(BLAS_R_16BF, BLAS_R_16BF, BLAS_R_32F, d[0], d[1], d[2], ops & 1, ops >> 1, 1, 0, 1e-5);
            test_gemm(BLAS_R_8I, BLAS_R_8I, BLAS_R_32I, d[0], d[1], d[2], ops & 1, ops >> 1, 1, 1, 0);
        }
    for (int i = 0; i < 16; i++)
        test_trsm(i & 1, i & 2, (uint32_t)(i >> 2 & 1), i & 8);

    struct blas_gemm g = { 4, 4, 4, 0, 0, BLAS_R_32F, BLAS_R_32F, BLAS_R_32F, 3, 4, 4, 1, 0 };
    ok(!blas_gemm_supported(&g), "a leading dimension shorter than a column is refused");
    g.lda = 4;
    g.type_c = BLAS_R_8I;
    ok(!blas_gemm_supported(&g), "types that do not go together are refused");
    g.type_c = BLAS_R_32F;
    g.op_a = 3;
    ok(!blas_gemm_supported(&g), "an unknown operation is refused");
    return tap_done();
}
