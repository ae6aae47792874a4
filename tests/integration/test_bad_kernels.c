/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels and calls that go wrong: each has its error, a line in the log that names it, and harms nobody else.
 * argv: vgpu-hostd, libcuda.so.1. */
#include "bad.h"

#include "vgpu_protocol.h"

/* The kernel launches, then everything says 'status', until the context is gone. */
static int fails(struct bad_client *c, const char *kernel, CUdeviceptr p, int status)
{
    CUdeviceptr other;
    int seen;

    if (bad_launch(c, kernel, p, 7))
        return 1;
    seen = CU(cuCtxSynchronize)();
    if (seen != status) {
        diag("%s: error %d, not %d", kernel, seen, status);
        return 2;
    }
    if (CU(cuMemAlloc_v2)(&other, 4) != status || bad_launch(c, kernel, p, 7) != status || CU(cuCtxSynchronize)() != status)
        return 3;
    CU(cuDevicePrimaryCtxReset_v2)(0);
    if (CU(cuDevicePrimaryCtxRetain)(&c->context, 0) || CU(cuCtxSetCurrent)(c->context) || CU(cuModuleLoadData)(&c->module,
        bad_ptx))
        return 4;
    return bad_works(c) ? 0 : 5;
}

static int null_store(struct bad_client *c) { return fails(c, "store", 0, 700); }
static int null_load(struct bad_client *c) { return fails(c, "load", 16, 700); }
static int null_atomic(struct bad_client *c) { return fails(c, "add", 0, 700); }
static int wild(struct bad_client *c) { return fails(c, "store", VGPU_HEAP_BASE + 3 * 1024 * VGPU_GIB, 700); }
static int all_ones(struct bad_client *c) { return fails(c, "store", UINT64_MAX - 3, 700); }
static int host_memory(struct bad_client *c)
{
    int on_stack = 1, status = fails(c, "store", (uintptr_t)&on_stack, 700);

    return status ? status : on_stack != 1;
}
static int trap(struct bad_client *c) { return fails(c, "stop", 0, 719); }
static int assertion(struct bad_client *c)
{
    dup2(STDERR_FILENO, STDOUT_FILENO); /* its text is no TAP */
    return fails(c, "says", 0, 710);
}
static int beyond_shared(struct bad_client *c) { return fails(c, "beyond_shared", 0, 700); }
static int beyond_local(struct bad_client *c) { return fails(c, "beyond_local", 0, 700); }
static int recursion(struct bad_client *c) { return fails(c, "recursion", 0, 714); }
static int nowhere(struct bad_client *c) { return fails(c, "nowhere", 0, 718); }

static int misaligned(struct bad_client *c)
{
    CUdeviceptr p;

    return CU(cuMemAlloc_v2)(&p, 4096) ? 10 : fails(c, "store", p + 1, 716);
}

static int misaligned_atomic(struct bad_client *c)
{
    CUdeviceptr p;

    return CU(cuMemAlloc_v2)(&p, 4096) ? 10 : fails(c, "add", p + 2, 716);
}

static int freed(struct bad_client *c)
{
    CUdeviceptr p;

    if (CU(cuMemAlloc_v2)(&p, 8 << 20) || bad_launch(c, "store", p, 1) || CU(cuCtxSynchronize)() || CU(cuMemFree_v2)(p))
        return 10;
    return fails(c, "store", p + (4 << 20), 700);
}

static int freed_twice(struct bad_client *c)
{
    CUdeviceptr p;

    if (CU(cuMemAlloc_v2)(&p, 4096) || CU(cuMemFree_v2)(p))
        return 10;
    return CU(cuMemFree_v2)(p) != 1 || CU(cuMemFree_v2)(12345) != 1 || !bad_works(c);
}

/* Unknown memory in copies and fills is an error of the call, or one that stays: but never a success. */
static int bad_copies(struct bad_client *c)
{
    char buffer[64] = "unchanged";
    CUdeviceptr p;

    if (CU(cuMemAlloc_v2)(&p, 4096))
        return 10;
    if (!CU(cuMemcpyDtoH_v2)(buffer, 0x1000, sizeof buffer) || strcmp(buffer, "unchanged"))
        return 11;
    CU(cuDevicePrimaryCtxReset_v2)(0);
    if (CU(cuDevicePrimaryCtxRetain)(&c->context, 0) || CU(cuCtxSetCurrent)(c->context) || CU(cuModuleLoadData)(&c->module,
        bad_ptx) ||
        !bad_works(c))
        return 12;
    if (CU(cuMemsetD8_v2)(VGPU_HEAP_BASE + 3 * 1024 * VGPU_GIB, 1, 4096) == 0 && CU(cuCtxSynchronize)() == 0)
        return 13;
    return 0;
}

/* What launches are given wrongly is refused at once and spoils nothing. */
static int wrong_launches(struct bad_client *c)
{
    unsigned value = 5, seen = 0;
    unsigned char packed[12];
    size_t size = sizeof packed;
    CUdeviceptr p;
    CUfunction f, none;
    void *params[] = {&p, &value}, *missing[] = {&p, NULL};
    void *extra[] = {(void *)1, packed, (void *)2, &size, NULL}, *odd[] = {(void *)9, packed, NULL}, *no_size[] = {(void *)1,
        packed, NULL};
    int bad = 0;

    if (CU(cuMemAlloc_v2)(&p, 4096) || CU(cuModuleGetFunction)(&f, c->module, "store"))
        return 100;
    memcpy(packed, &p, 8);
    memcpy(packed + 8, &value, 4);
    bad += CU(cuModuleGetFunction)(&none, c->module, "absent") != 500;
    bad += CU(cuModuleGetFunction)(&none, (CUmodule)(uintptr_t)0x5150, "store") != 400;
    bad += CU(cuLaunchKernel)((CUfunction)(uintptr_t)0x5150, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL) != 400;
    bad += CU(cuLaunchKernel)(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL) != 400;
    bad += CU(cuLaunchKernel)(f, 1, 1, 1, 1, 1, 1, 0, (CUstream)(uintptr_t)0x5150, params, NULL) != 400;
    bad += CU(cuLaunchKernel)(f, 0, 1, 1, 1, 1, 1, 0, NULL, params, NULL) != 1;
    bad += CU(cuLaunchKernel)(f, 1, 1, 1, 1025, 1, 1, 0, NULL, params, NULL) != 1;
    bad += CU(cuLaunchKernel)(f, 1, 1, 1, 32, 32, 2, 0, NULL, params, NULL) != 1;
    bad += CU(cuLaunchKernel)(f, 1, 70000, 1, 1, 1, 1, 0, NULL, params, NULL) != 1;
    bad += CU(cuLaunchKernel)(f, 1, 1, 1, 1, 1, 1, 1u << 30, NULL, params, NULL) != 1;
    bad += CU(cuLaunchKernel)(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL) != 1;
    bad += CU(cuLaunchKernel)(f, 1, 1, 1, 1, 1, 1, 0, NULL, missing, NULL) != 1;
    bad += CU(cuLaunchKernel)(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, extra) != 1;
    bad += CU(cuLaunchKernel)(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, odd) != 1;
    bad += CU(cuLaunchKernel)(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, no_size) != 1;
    for (size = 0; size < sizeof packed; size++)
        bad += CU(cuLaunchKernel)(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra) != 1;
    if (CU(cuLaunchKernel)(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra) || CU(cuMemcpyDtoH_v2)(&seen, p, 4) || seen != value)
        return 101;
    return bad ? bad : !bad_works(c);
}

static int wrong_handles(struct bad_client *c)
{
    CUdeviceptr p;
    CUevent event;
    CUstream stream;
    CUmodule module;
    int bad = 0;

    if (CU(cuEventCreate)(&event, 0) || CU(cuEventDestroy_v2)(event) || CU(cuStreamCreate)(&stream,
        0) || CU(cuStreamDestroy_v2)(stream) ||
        CU(cuModuleLoadData)(&module, bad_ptx) || CU(cuModuleUnload)(module))
        return 100;
    bad += CU(cuEventRecord)(event, NULL) != 400;
    bad += CU(cuEventSynchronize)((CUevent)(uintptr_t)0xdeadbeef) != 400;
    bad += CU(cuEventDestroy_v2)(event) != 400;
    bad += CU(cuStreamSynchronize)(stream) != 400;
    bad += CU(cuStreamDestroy_v2)((CUstream)&p) != 400;
    bad += CU(cuStreamWaitEvent)(NULL, (CUevent)(uintptr_t)3, 0) != 400;
    bad += CU(cuModuleUnload)(module) != 400;
    bad += CU(cuModuleUnload)((CUmodule)(uintptr_t)UINT64_MAX) != 400;
    bad += CU(cuGraphLaunch)((CUgraphExec)&p, NULL) != 400;
    return bad ? bad : !bad_works(c);
}

static int out_of_memory(struct bad_client *c)
{
    enum { LARGEST = 4096 };
    static CUdeviceptr list[LARGEST];
    size_t before, after, total, n = 0;
    CUdeviceptr p;
    int status = 0;

    if (CU(cuMemGetInfo_v2)(&before, &total))
        return 10;
    if (CU(cuMemAlloc_v2)(&p, (size_t)1 << 50) != 2 || CU(cuMemAlloc_v2)(&p, SIZE_MAX) != 2 || CU(cuMemAlloc_v2)(&p,
        total + 1) != 2 ||
        CU(cuMemAlloc_v2)(&p, 0) != 1)
        return 11;
    while (n < LARGEST && !(status = CU(cuMemAlloc_v2)(&list[n], (size_t)1 << 30)))
        n++;
    if (status != 2 || !n)
        return 12;
    /* What is there still works, in the first and in the last of it. */
    if (bad_launch(c, "store", list[0], 1) || bad_launch(c, "store", list[n - 1] + (1 << 30) - 4, 2) || CU(cuCtxSynchronize)())
        return 13;
    for (size_t i = 0; i < n; i++)
        if (CU(cuMemFree_v2)(list[i]))
            return 14;
    if (CU(cuMemGetInfo_v2)(&after, &total) || after + ((size_t)256 << 20) < before) {
        diag("%zu MiB were free, %zu are", before >> 20, after >> 20);
        return 15;
    }
    return bad_works(c) ? 0 : 16;
}

static int forks(struct bad_client *c)
{
    int n, status;
    CUdeviceptr p;
    pid_t child = fork();

    if (!child)
        _exit(CU(cuDeviceGetCount)(&n) != 3 || CU(cuMemAlloc_v2)(&p, 4) != 3 || CU(cuCtxSynchronize)() != 3 ||
              bad_launch(c, "store", 0, 0) != 3);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status))
        return 10;
    return bad_works(c) ? 0 : 11;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*test)(struct bad_client *);
        const char *kernel, *logged; /* in the log's line; NULL: nothing has to be there */
    } tests[] = {
        {"a store through a null pointer: 700", null_store, "kernel store", "thread (0,0,0)"},
        {"a load beside the null pointer: 700", null_load, "kernel load", "0x10"},
        {"an atomic through a null pointer: 700", null_atomic, "kernel add", "PTX line"},
        {"a wild pointer: 700", wild, "kernel store", "address 0x"},
        {"a pointer of all ones: 700", all_ones, "kernel store", "0xfffffffffffffffc"},
        {"a pointer to host memory: 700, and the memory stays", host_memory, "kernel store", "address 0x7"},
        {"beyond shared memory: 700", beyond_shared, "kernel beyond_shared", "PTX line"},
        {"beyond local memory: 700", beyond_local, "kernel beyond_local", "PTX line"},
        {"a misaligned store: 716", misaligned, "kernel store", "align"},
        {"a misaligned atomic: 716", misaligned_atomic, "kernel add", "align"},
        {"a freed pointer: 700", freed, "kernel store", "address 0x2"},
        {"a trap: 719", trap, "kernel stop", "trap"},
        {"a failed assertion: 710", assertion, "kernel says", "assertion failed"},
        {"endless recursion: 714", recursion, "kernel recursion", "stack"},
        {"a call to nowhere: 718", nowhere, "kernel nowhere", "no function"},
        {"memory freed twice, or never allocated: 1", freed_twice, NULL, NULL},
        {"copies and fills of memory that is not there", bad_copies, NULL, NULL},
        {"launches with wrong parameters, sizes and shapes", wrong_launches, NULL, NULL},
        {"handles that are stale or made up: 400", wrong_handles, NULL, NULL},
        {"out of memory: 2, and on it goes", out_of_memory, NULL, NULL},
        {"a forked child: 3, and its parent goes on", forks, NULL, NULL},
    };

    (void)argc;
    bad_setup(argv, "warn");
    witness_start();
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        is_u64(bad_run(tests[i].test), 0, "%s", tests[i].name);
        if (tests[i].kernel)
            ok(log_names(tests[i].kernel, tests[i].logged), "the log names it");
        ok(witness_works(), "another client is unharmed");
    }
    witness_stop();
    return tap_done();
}
