/* SPDX-License-Identifier: Apache-2.0 */
/* Ridge regression, in closed form. */
#ifndef VGPU_MODEL_SOLVE_H
#define VGPU_MODEL_SOLVE_H

#include <stdbool.h>
#include <stddef.h>

/* Of all matrices w (n_out rows of n_in) finds the one with the least
 *     sum over samples s of |w x_s - y_s|^2  +  ridge |w|^2,
 * from n samples: x is n rows of n_in, y n rows of n_out. False when the system is singular, which a
 * positive ridge rules out. */
bool ridge_solve(const double *x, size_t n, size_t n_in, const double *y, size_t n_out, double ridge, float *w);

#endif
