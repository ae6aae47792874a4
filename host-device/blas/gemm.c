/* SPDX-License-Identifier: Apache-2.0 */
#include "blas/blas.h"

#include <cblas.h>
#include <stdlib.h>

#include "blas/convert.h"

size_t blas_type_size(uint32_t type)
{
    switch (type) {
    case BLAS_R_8I: return 1;
    case BLAS_R_16F: case BLAS_R_16BF: return 2;
    case BLAS_R_32F: case BLAS_R_32I: return 4;
    case BLAS_R_64F: return 8;
    default: return 0;
    }
}

static bool is_float(uint32_t type)
{
    return type == BLAS_R_32F || type == BLAS_R_16F || type == BLAS_R_16BF;
}

/* Rows and columns of a matrix as it is stored, before op(). */
static void stored(uint32_t op, uint32_t rows, uint32_t columns, uint32_t *r, uint32_t *c)
{
    *r = op == BLAS_N ? rows : columns;
    *c = op == BLAS_N ? columns : rows;
}

bool blas_gemm_supported(const struct blas_gemm *g)
{
    uint32_t rows_a, rows_b, columns;
    bool all_f64 = g->type_a == BLAS_R_64F && g->type_b == BLAS_R_64F && g->type_c == BLAS_R_64F;
    bool floats = is_float(g->type_a) && is_float(g->type_b) && is_float(g->type_c);
    bool ints = g->type_a == BLAS_R_8I && g->type_b == BLAS_R_8I && g->type_c == BLAS_R_32I;
    bool widened = g->type_a == BLAS_R_8I && g->type_b == BLAS_R_8I && g->type_c == BLAS_R_32F;

    stored(g->op_a, g->m, g->k, &rows_a, &columns);
    stored(g->op_b, g->k, g->n, &rows_b, &columns);
    return g->op_a <= BLAS_C && g->op_b <= BLAS_C && (all_f64 || floats || ints || widened) && g->m <= INT32_MAX &&
           g->n <= INT32_MAX && g->k <= INT32_MAX && g->lda <= INT32_MAX && g->ldb <= INT32_MAX && g->ldc <= INT32_MAX &&
           g->lda >= rows_a && g->ldb >= rows_b && g->ldc >= g->m && g->lda && g->ldb && g->ldc;
}

static CBLAS_TRANSPOSE transpose(uint32_t op)
{
    return op == BLAS_N ? CblasNoTrans : CblasTrans; /* real types: conjugating changes nothing */
}

/* A matrix as f32: itself, or a packed copy to be freed. */
struct widened {
    const float *data;
    uint32_t ld;
    float *copy;
};

static bool widen(struct widened *w, const void *data, uint32_t type, uint32_t rows, uint32_t columns, uint32_t ld)
{
    size_t element = blas_type_size(type);

    if (type == BLAS_R_32F) {
        *w = (struct widened){ data, ld, NULL };
        return true;
    }
    w->copy = malloc(sizeof(float) * (size_t)rows * columns + 1);
    w->data = w->copy;
    w->ld = rows ? rows : 1;
    for (uint32_t c = 0; c < columns && w->copy; c++)
        convert_to_f32(w->copy + (size_t)c * rows, (const char *)data + (size_t)c * ld * element, type, rows);
    return w->copy;
}

static bool float_gemm(const struct blas_gemm *g, const void *a, const void *b, void *c)
{
    struct widened wa = { 0 }, wb = { 0 };
    uint32_t rows, columns;
    float *out = c;
    uint32_t ldc = g->ldc;
    bool done = false;

    stored(g->op_a, g->m, g->k, &rows, &columns);
    if (!widen(&wa, a, g->type_a, rows, columns, g->lda))
        goto end;
    stored(g->op_b, g->k, g->n, &rows, &columns);
    if (!widen(&wb, b, g->type_b, rows, columns, g->ldb))
        goto end;
    if (g->type_c != BLAS_R_32F) {
        out = malloc(sizeof(float) * (size_t)g->m * g->n + 1);
        ldc = g->m;
        if (!out)
            goto end;
        for (uint32_t j = 0; j < g->n && g->beta != 0; j++)
            convert_to_f32(out + (size_t)j * g->m, (char *)c + (size_t)j * g->ldc * blas_type_size(g->type_c), g->type_c, g->m);
    }
    cblas_sgemm(CblasColMajor, transpose(g->op_a), transpose(g->op_b), (int)g->m, (int)g->n, (int)g->k, (float)g->alpha, wa.data,
                (int)wa.ld, wb.data, (int)wb.ld, (float)g->beta, out, (int)ldc);
    for (uint32_t j = 0; j < g->n && out != c; j++)
        convert_from_f32((char *)c + (size_t)j * g->ldc * blas_type_size(g->type_c), out + (size_t)j * g->m, g->type_c, g->m);
    done = true;
end:
    free(wa.copy);
    free(wb.copy);
    if (out != c)
        free(out);
    return done;
}

static int8_t at(const int8_t *x, uint32_t op, uint32_t ld, uint32_t row, uint32_t column)
{
    return op == BLAS_N ? x[(size_t)column * ld + row] : x[(size_t)row * ld + column];
}

/* int8 products summed exactly in int32 (wrapping, as the hardware does without .satfinite). */
static void int_gemm(const struct blas_gemm *g, const int8_t *a, const int8_t *b, int32_t *c)
{
    for (uint32_t j = 0; j < g->n; j++)
        for (uint32_t i = 0; i < g->m; i++) {
            int32_t *to = &c[(size_t)j * g->ldc + i];
            uint32_t sum = 0;

            for (uint32_t p = 0; p < g->k; p++)
                sum += (uint32_t)(at(a, g->op_a, g->lda, i, p) * at(b, g->op_b, g->ldb, p, j));
            *to = (int32_t)((uint32_t)(int32_t)g->alpha * sum + (g->beta != 0 ? (uint32_t)(int32_t)g->beta * (uint32_t)*to : 0));
        }
}

bool blas_gemm_run(const struct blas_gemm *g, const void *a, const void *b, void *c)
{
    if (!g->m || !g->n)
        return true;
    if (g->type_a == BLAS_R_64F) {
        cblas_dgemm(CblasColMajor, transpose(g->op_a), transpose(g->op_b), (int)g->m, (int)g->n, (int)g->k, g->alpha, a,
                    (int)g->lda, b, (int)g->ldb, g->beta, c, (int)g->ldc);
        return true;
    }
    if (g->type_c == BLAS_R_32I) {
        int_gemm(g, a, b, c);
        return true;
    }
    return float_gemm(g, a, b, c);
}

void blas_start_threads(void)
{
    enum { N = 192 }; /* large enough to be split */
    float *m = calloc(3 * N * N, sizeof(*m));

    if (m)
        cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, m, N, m + N * N, N, 0, m + 2 * N * N, N);
    free(m);
}

bool blas_trsm_supported(const struct blas_trsm *t)
{
    return (t->type == BLAS_R_32F || t->type == BLAS_R_64F) && t->op <= BLAS_C && t->m <= INT32_MAX && t->n <= INT32_MAX &&
           t->lda <= INT32_MAX && t->ldb <= INT32_MAX && t->lda && t->ldb && t->lda >= (t->right ? t->n : t->m) && t->ldb >= t->m;
}

void blas_trsm_run(const struct blas_trsm *t, const void *a, void *b)
{
    CBLAS_SIDE side = t->right ? CblasRight : CblasLeft;
    CBLAS_UPLO uplo = t->upper ? CblasUpper : CblasLower;
    CBLAS_DIAG diag = t->unit ? CblasUnit : CblasNonUnit;

    if (!t->m || !t->n)
        return;
    if (t->type == BLAS_R_64F)
        cblas_dtrsm(CblasColMajor, side, uplo, transpose(t->op), diag, (int)t->m, (int)t->n, t->alpha, a, (int)t->lda, b, (int)t->ldb);
    else
        cblas_strsm(CblasColMajor, side, uplo, transpose(t->op), diag, (int)t->m, (int)t->n, (float)t->alpha, a, (int)t->lda, b,
                    (int)t->ldb);
}
