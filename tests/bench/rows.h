/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured, against what, and what it should be. */
#ifndef VGPU_BENCH_ROWS_H
#define VGPU_BENCH_ROWS_H

#include <stdbool.h>

enum form { A_OVER_B, A_MINUS_B, A_ALONE };

struct row {
    const char *name;
    const char *what;
    /* Commands of sh, with B the build's folder and BENCH this one. Without b, a's number is the figure. */
    const char *a, *b;
    const char *mean_of; /* instead: the geometric mean of all earlier rows whose names begin so */
    const char *unit;
    enum form form;
    double target; /* 0: none */
    bool at_most;  /* the target is a ceiling, not a floor */
};

enum { ROWS_MAX = 64 };

/* Ends with one without a name. */
extern const struct row rows[];

#endif
