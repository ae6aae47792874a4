/* SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LEAST_SECONDS 0.02

bool side_quick(void)
{
    return getenv("BENCH_QUICK");
}

double side_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int side_serve(double (*measure)(void *), void *state)
{
    char line[16];

    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        printf("%.9g\n", measure(state));
        fflush(stdout);
    }
    return 0;
}

double side_rate(void (*step)(void *), void *state)
{
    double start = side_now(), spent;
    unsigned steps = 0;

    do {
        step(state);
        steps++;
        spent = side_now() - start;
    } while (spent < LEAST_SECONDS && !side_quick());
    return steps / spent;
}

static _Noreturn void end(const char *word, int status, const char *format, va_list ap)
{
    printf("%s ", word);
    vprintf(format, ap);
    putchar('\n');
    exit(status);
}

void side_absent(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    end("absent", 0, format, ap);
}

void side_fail(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    end("failed", 1, format, ap);
}
