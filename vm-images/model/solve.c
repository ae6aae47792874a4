/* SPDX-License-Identifier: Apache-2.0 */
#include "solve.h"
#include "net.h"

#include <math.h>
#include <stdlib.h>

/* The lower triangle l of a symmetric a = l l^T, in place. */
static bool cholesky(double *a, size_t n)
{
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c <= r; c++) {
            double sum = a[r * n + c];

            for (size_t k = 0; k < c; k++)
                sum -= a[r * n + k] * a[c * n + k];
            if (c < r)
                a[r * n + c] = sum / a[c * n + c];
            else if (sum > 0)
                a[r * n + r] = sqrt(sum);
            else
                return false;
        }
    return true;
}

/* v = (l l^T)^-1 v, v being a column of a matrix with the given stride. */
static void substitute(const double *l, size_t n, double *v, size_t stride)
{
    for (size_t r = 0; r < n; r++) {
        for (size_t k = 0; k < r; k++)
            v[r * stride] -= l[r * n + k] * v[k * stride];
        v[r * stride] /= l[r * n + r];
    }
    for (size_t r = n; r-- > 0;) {
        for (size_t k = r + 1; k < n; k++)
            v[r * stride] -= l[k * n + r] * v[k * stride];
        v[r * stride] /= l[r * n + r];
    }
}

/* There are fewer samples than inputs, so the dual form is the small one: w = a^T x where
 * (x x^T + ridge 1) a = y. */
bool ridge_solve(const double *x, size_t n, size_t n_in, const double *y, size_t n_out, double ridge, float *w)
{
    double *gram = model_alloc(n * n, sizeof(*gram)), *a = model_alloc(n * n_out, sizeof(*a));
    bool solved;

    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c <= r; c++) {
            double sum = r == c ? ridge : 0;

            for (size_t k = 0; k < n_in; k++)
                sum += x[r * n_in + k] * x[c * n_in + k];
            gram[r * n + c] = sum;
        }
    solved = cholesky(gram, n);
    for (size_t i = 0; i < n * n_out; i++)
        a[i] = y[i];
    for (size_t o = 0; solved && o < n_out; o++) {
        substitute(gram, n, a + o, n_out);
        for (size_t k = 0; k < n_in; k++) {
            double sum = 0;

            for (size_t s = 0; s < n; s++)
                sum += a[s * n_out + o] * x[s * n_in + k];
            w[o * n_in + k] = (float)sum;
        }
    }
    free(gram);
    free(a);
    return solved;
}
