/* SPDX-License-Identifier: Apache-2.0 */
#include "real.h"

#include <math.h>

/* x = n ln 2 + f with |f| <= ln 2 / 2; then the Taylor series of e^f. ln 2 in two parts, so that
 * n times the first is exact. */
double real_exp(double x)
{
    static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    double n = rint(x * 0x1.71547652b82fep0), f = (x - n * ln2_high) - n * ln2_low, sum = 1;

    for (int i = 14; i > 0; i--)
        sum = 1 + sum * f / i;
    return ldexp(sum, (int)n);
}

/* Newton's method on real_exp, from the power of two below x. */
double real_log(double x)
{
    double y = ilogb(x) * 0x1.62e42fefa39efp-1;

    for (int i = 0; i < 6; i++)
        y += x / real_exp(y) - 1;
    return y;
}

/* x = n pi/2 + f with |f| <= pi/4, pi/2 in two parts as above; the quarter says which series of f
 * is wanted. */
static double circular(double x, int quarter)
{
    static const double half_pi_high = 0x1.921fb54400000p0, half_pi_low = 0x1.0b4611a626331p-34;
    double n = rint(x * 0x1.45f306dc9c883p-1), f = (x - n * half_pi_high) - n * half_pi_low;
    int q = (int)((long long)n + quarter) & 3, odd = !(q & 1);
    double sum = 1;

    for (int i = 20 + odd; i > 1; i -= 2)
        sum = 1 - sum * f * f / (i * (i - 1));
    if (odd)
        sum *= f;
    return q & 2 ? -sum : sum;
}

double real_sin(double x)
{
    return circular(x, 0);
}

double real_cos(double x)
{
    return circular(x, 1);
}
