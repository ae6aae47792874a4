/* SPDX-License-Identifier: Apache-2.0 */
/* pci-probe [ROUNDS]: what a process finds. Initialises CUDA, uses it, and prints as JSON what each call gave and what the
 * mappings of the device cost in page tables. With ROUNDS, goes on launching until an error comes or they are over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

/* A value in KiB from /proc/self/status. */
static unsigned long status_kib(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    unsigned long kib = 0;
    char line[256];

    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            kib = strtoul(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

/* KiB that are mapped from files whose name holds NAME, and the largest mapping. */
static void mapped_kib(const char *name, unsigned long *all, unsigned long *largest)
{
    FILE *file = fopen("/proc/self/maps", "r");
    char line[512];

    *all = *largest = 0;
    while (file && fgets(line, sizeof line, file)) {
        char *end;
        unsigned long from = strtoul(line, &end, 16), to = strtoul(end + 1, NULL, 16), kib = (to - from) >> 10;
        if (!strstr(line, name))
            continue;
        *all += kib;
        if (kib > *largest)
            *largest = kib;
    }
    if (file)
        fclose(file);
}

static void print_cost(const char *when, unsigned long before)
{
    unsigned long bar0, bar2, largest;

    mapped_kib("resource0", &bar0, &largest);
    mapped_kib("resource2", &bar2, &largest);
    printf(",\n \"%s\": {\"page_tables_kib\": %lu, \"bar0_kib\": %lu, \"bar2_kib\": %lu, \"bar2_largest_kib\": %lu}", when,
           status_kib("VmPTE") - before, bar0, bar2, largest);
}

static int launch_rounds(device_ptr p, int rounds, int *done)
{
    int error = 0;

    for (*done = 0; *done < rounds && !error; *done += !error) {
        error = cuda_works(p, (uint32_t)*done);
        if (!*done && !error) { /* who waits for this process to be at work sees that it is */
            printf(",\n \"launched\": true");
            fflush(stdout);
        }
        nap_ms(50);
    }
    return error;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1, count = 0, done = 0;
    static char data[1 << 20];
    unsigned long before;
    char name[128] = "";
    device_ptr p = 0;

    cuda_load("libcuda.so.1");
    before = status_kib("VmPTE");
    int init = cu.cuInit(0);
    printf("{\"init\": %d", init);
    if (!init) {
        cu.cuDeviceGetCount(&count);
        cu.cuDeviceGetName(name, sizeof name, 0);
        printf(", \"devices\": %d, \"name\": \"%s\"", count, name);
        init = cuda_open();
        printf(", \"open\": %d", init);
    }
    if (!init) {
        print_cost("initialised", before);
        init = cu.cuMemAlloc_v2(&p, sizeof data);
        print_cost("allocated", before);
    }
    if (!init) {
        init = cu.cuMemcpyHtoD_v2(p, data, sizeof data);
        print_cost("touched", before);
    }
    if (!init) {
        printf(",\n \"works\": %d", launch_rounds(p, rounds, &done));
        printf(", \"rounds\": %d", done);
    }
    puts("}");
    return 0;
}
