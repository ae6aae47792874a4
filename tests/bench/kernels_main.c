/* SPDX-License-Identifier: Apache-2.0 */
/* bench-kernels cuda|opencl PROGRAM WORKLOAD, bench-direct confined|unconfined PROGRAM WORKLOAD: a side (side.h) whose number is billions of operations, bytes or elements a second.
 *
 * Instead of a workload, what it costs that all of them run for the first time, once, at tiny sizes:
 *   compile  milliseconds for each instruction of the program (PTX)
 *   start    milliseconds in all, from the first call of the driver on */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "side.h"
#include "workload.h"

const struct device *device;

static const struct workload *workload;
static double work;

uint32_t workload_random(void)
{
    static uint32_t state = 1;

    state ^= state << 13; /* Marsaglia's xorshift32 */
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

void *workload_room(size_t bytes)
{
    void *p = malloc(bytes);

    if (!p)
        side_fail("out of memory");
    return p;
}

float *workload_floats(size_t n, float low, float high)
{
    float *p = workload_room(n * sizeof *p);

    for (size_t i = 0; i < n; i++)
        p[i] = low + (high - low) * (float)(workload_random() >> 8) / 16777216.0f;
    return p;
}

buffer workload_array(const void *data, size_t bytes)
{
    buffer b = device->alloc(bytes);

    device->write(b, data, bytes);
    return b;
}

void *workload_result(buffer from, size_t bytes)
{
    void *p = workload_room(bytes);

    device->read(p, from, bytes);
    return p;
}

void workload_compare(size_t index, double got, double want, double tolerance)
{
    double most = tolerance * (fabs(want) > 1 ? fabs(want) : 1);

    if (!(fabs(got - want) <= most))
        side_fail("%s on %s: element %zu is %g, not %g", workload->name, device->name, index, got, want);
}

void workload_launch(const char *kernel, unsigned blocks_x, unsigned blocks_y, unsigned threads_x, unsigned threads_y,
                     const struct argument *arguments)
{
    device->launch(kernel, (unsigned[]){blocks_x, blocks_y}, (unsigned[]){threads_x, threads_y}, arguments);
}

static void step(void *none)
{
    (void)none;
    workload->step();
    device->finish();
}

static double measure(void *none)
{
    return side_rate(step, none) * work;
}

/* ---- The first time ---- */

/* Lines that end as instructions do, without directives; what braces hold is a line each. */
static unsigned instructions(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[4096];
    unsigned n = 0;

    if (!f)
        side_fail("%s cannot be read", path);
    while (fgets(line, sizeof line, f)) {
        const char *at = line + strspn(line, " \t{");

        n += strchr(at, ';') && *at != '.' && *at != '/';
    }
    fclose(f);
    return n;
}

static double seconds_of_step(const struct workload *w)
{
    double start = side_now();

    w->step();
    device->finish();
    return side_now() - start;
}

/* How much longer the first steps take than the second ones. */
static double first_steps(const struct workload *w)
{
    double extra = 0;

    for (; w->name; w++) {
        workload = w;
        w->prepare();
        extra += seconds_of_step(w);
        w->check();
        extra -= seconds_of_step(w);
    }
    return extra;
}

static int first_time(const char *program, bool each)
{
    double start, spent;

    setenv("BENCH_QUICK", "1", 1);
    start = side_now();
    device->open(program);
    spent = each ? 0 : side_now() - start;
    spent += first_steps(compute_workloads) + first_steps(memory_workloads);
    printf("%.9g\n", 1e3 * spent / (each ? instructions(program) : 1));
    return 0;
}

static const struct workload *find(const char *name)
{
    for (const struct workload *w = compute_workloads; w->name; w++)
        if (!strcmp(w->name, name))
            return w;
    for (const struct workload *w = memory_workloads; w->name; w++)
        if (!strcmp(w->name, name))
            return w;
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        for (int i = 0; devices[i] && !device; i++)
            device = strcmp(argv[1], devices[i]->name) ? NULL : devices[i];
        workload = find(argv[3]);
    }
    if (device && (!strcmp(argv[3], "compile") || !strcmp(argv[3], "start")))
        return first_time(argv[2], !strcmp(argv[3], "compile"));
    if (!device || !workload) {
        fprintf(stderr, "usage: %s DEVICE PROGRAM WORKLOAD\n", argv[0]);
        return 2;
    }
    device->open(argv[2]);
    work = workload->prepare() * 1e-9;
    workload->step();
    device->finish();
    workload->check();
    return side_serve(measure, NULL);
}
