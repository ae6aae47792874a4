/* SPDX-License-Identifier: Apache-2.0 */
/* What the way to the device costs, as JSON: medians of repeated measurements. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

enum { ROUNDS = 201, COPIES = 5, SIZE = 64 << 20 };

static int ascending(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;

    return (d > 0) - (d < 0);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    return values[n / 2];
}

int main(void)
{
    double times[ROUNDS];
    device_ptr p, big;
    char *host = malloc(SIZE);

    cuda_load("libcuda.so.1");
    double begin = now_s();
    int error = cuda_open();
    printf("{\"open_ms\": %.1f", (now_s() - begin) * 1e3);
    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    if (!error)
        error = cu.cuMemAlloc_v2(&big, SIZE);
    for (int i = 0; i < ROUNDS && !error; i++) {
        begin = now_s();
        error = cuda_launch("fill", 32, p, 0);
        if (!error)
            error = cu.cuCtxSynchronize();
        times[i] = now_s() - begin;
    }
    if (!error)
        printf(", \"launch_and_sync_us\": %.1f", median(times, ROUNDS) * 1e6);
    begin = now_s();
    for (int i = 0; i < ROUNDS && !error; i++)
        error = cuda_launch("fill", 32, p, 0);
    if (!error)
        error = cu.cuCtxSynchronize();
    if (!error)
        printf(", \"queued_launch_us\": %.1f", (now_s() - begin) / ROUNDS * 1e6);
    memset(host, 1, SIZE);
    for (int direction = 0; direction < 2 && !error; direction++) {
        for (int i = 0; i < COPIES && !error; i++) {
            begin = now_s();
            error = direction ? cu.cuMemcpyDtoH_v2(host, big, SIZE) : cu.cuMemcpyHtoD_v2(big, host, SIZE);
            times[i] = now_s() - begin;
        }
        printf(", \"%s_mib_s\": %.0f", direction ? "dtoh" : "htod", (SIZE >> 20) / median(times, COPIES));
    }
    printf(", \"error\": %d}\n", error);
    return error != 0;
}
