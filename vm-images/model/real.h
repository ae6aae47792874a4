/* SPDX-License-Identifier: Apache-2.0 */
/* Elementary functions made of IEEE 754 additions, multiplications and divisions alone.
 *
 * A model file must have the same bytes on every machine, and a libm may round differently from one
 * release or CPU to the next. Relative error below 1e-13 for what a transformer asks: |x| < 700 for
 * exp, x >= 1 for log, angles below 1e6. */
#ifndef VGPU_MODEL_REAL_H
#define VGPU_MODEL_REAL_H

double real_exp(double x);
double real_log(double x);
double real_sin(double x);
double real_cos(double x);

#endif
