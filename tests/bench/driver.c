/* SPDX-License-Identifier: Apache-2.0 */
/* bench-driver launch|queue|boot PTX: a side (side.h) for what the driver itself costs.
 *   launch  microseconds of an empty kernel's launch and the wait for it
 *   queue   thousands of empty launches a second, waited for once in a thousand
 *   boot    milliseconds from the first call of the driver until an empty kernel has run, once */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_cuda.h"
#include "side.h"

enum { QUEUED = 1000 };

static CUfunction empty;

static void launch(void)
{
    cuda_must(CU(cuLaunchKernel)(empty, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, NULL), "cuLaunchKernel");
}

static void wait(void)
{
    cuda_must(CU(cuCtxSynchronize)(), "cuCtxSynchronize");
}

static void launch_and_wait(void *none)
{
    (void)none;
    launch();
    wait();
}

static void launch_many(void *none)
{
    (void)none;
    for (int i = 0; i < QUEUED; i++)
        launch();
    wait();
}

static double measure_launch(void *none)
{
    return 1e6 / side_rate(launch_and_wait, none);
}

static double measure_queue(void *none)
{
    return side_rate(launch_many, none) * QUEUED * 1e-3;
}

static void start(const char *ptx)
{
    char *text = cuda_read_file(ptx);
    CUmodule module;

    cuda_open();
    cuda_must(CU(cuModuleLoadData)(&module, text), ptx);
    cuda_must(CU(cuModuleGetFunction)(&empty, module, "empty"), "empty");
    free(text);
    launch_and_wait(NULL);
}

static const struct {
    const char *name;
    double (*measure)(void *);
} measures[] = {{"launch", measure_launch}, {"queue", measure_queue}, {"boot", NULL}};

int main(int argc, char **argv)
{
    double began = side_now();

    for (unsigned i = 0; argc == 3 && i < sizeof measures / sizeof *measures; i++)
        if (!strcmp(argv[1], measures[i].name)) {
            start(argv[2]);
            if (measures[i].measure)
                return side_serve(measures[i].measure, NULL);
            printf("%.9g\n", (side_now() - began) * 1e3);
            return 0;
        }
    fputs("usage: bench-driver launch|queue|boot PTX\n", stderr);
    return 2;
}
