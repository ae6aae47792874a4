/* SPDX-License-Identifier: Apache-2.0 */
/* bench-kernels cuda|opencl PROGRAM WORKLOAD: a side (side.h) whose number is billions of operations, bytes or elements a second. */
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
        device = !strcmp(argv[1], "cuda") ? &device_cuda : !strcmp(argv[1], "opencl") ? &device_opencl : NULL;
        workload = find(argv[3]);
    }
    if (!device || !workload) {
        fputs("usage: bench-kernels cuda|opencl PROGRAM WORKLOAD\n", stderr);
        return 2;
    }
    device->open(argv[2]);
    work = workload->prepare() * 1e-9;
    workload->step();
    device->finish();
    workload->check();
    return side_serve(measure, NULL);
}
