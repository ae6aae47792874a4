/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that never end: the watchdog ends them, where there is one; and everything that a process may do meanwhile works.
 * argv: vgpu-hostd, libcuda.so.1. */
#include "bad.h"

static int limited(struct bad_client *c)
{
    int value = -1;

    return CU(cuDeviceGetAttribute)(&value, 17, 0) || value != 1;
}

/* One block, and many on all workers; 702 stays. */
static int ended(struct bad_client *c, const char *kernel, unsigned blocks)
{
    CUdeviceptr p;
    CUfunction f;
    void *params[] = {&p};

    if (CU(cuMemAlloc_v2)(&p, 64) || CU(cuMemsetD8_v2)(p, 0, 64) || CU(cuModuleGetFunction)(&f, c->module, kernel) ||
        CU(cuLaunchKernel)(f, blocks, 1, 1, 64, 1, 1, 0, NULL, params, NULL))
        return 1;
    if (CU(cuCtxSynchronize)() != 702)
        return 2;
    if (CU(cuMemAlloc_v2)(&p, 4) != 702 || CU(cuCtxSynchronize)() != 702 || bad_launch(c, "stop", 0, 0) != 702)
        return 3;
    CU(cuDevicePrimaryCtxReset_v2)(0);
    if (CU(cuDevicePrimaryCtxRetain)(&c->context, 0) || CU(cuCtxSetCurrent)(c->context) ||
        CU(cuModuleLoadData)(&c->module, bad_ptx))
        return 4;
    return bad_works(c) ? 0 : 5;
}

static int forever(struct bad_client *c) { return ended(c, "forever", 1); }
static int forever_everywhere(struct bad_client *c) { return ended(c, "forever", 1000); }
static int polling(struct bad_client *c) { return ended(c, "waits", 4); }

/* A launch that is over in time is none of the watchdog's business, and short ones do not add up. */
static int short_ones(struct bad_client *c)
{
    for (int i = 0; i < 300; i++) {
        if (!bad_works(c))
            return 1;
        usleep(2000);
    }
    return 0;
}

static int leaves(struct bad_client *c)
{
    return bad_launch(c, "forever", 0, 0);
}

static int resets(struct bad_client *c)
{
    if (bad_launch(c, "forever", 0, 0) || CU(cuDevicePrimaryCtxReset_v2)(0))
        return 1;
    if (CU(cuDevicePrimaryCtxRetain)(&c->context, 0) || CU(cuCtxSetCurrent)(c->context) ||
        CU(cuModuleLoadData)(&c->module, bad_ptx))
        return 2;
    return bad_works(c) ? 0 : 3;
}

static int unlimited(struct bad_client *c)
{
    int value = -1;

    return CU(cuDeviceGetAttribute)(&value, 17, 0) || value != 0;
}

static int executors(void)
{
    pid_t found[16];
    int n = 0;

    for (int i = 0; i < 500 && (n = children_of(hostd_pid, "vgpu-executor", found, 16)) > 1; i++)
        usleep(10000);
    return n;
}

int main(int argc, char **argv)
{
    (void)argc;
    setenv("VGPU_WATCHDOG", "0.3", 1);
    bad_setup(argv, "warn");
    witness_start();
    is_u64(bad_run(limited), 0, "VGPU_WATCHDOG: the device says that kernels are limited");
    is_u64(bad_run(forever), 0, "an endless kernel: 702, for good, and a fresh context works");
    ok(log_names("kernel forever", "watchdog"), "the log names it");
    is_u64(bad_run(forever_everywhere), 0, "a thousand endless blocks: 702");
    is_u64(bad_run(polling), 0, "blocks that wait for memory that nobody writes: 702");
    is_u64(bad_run(short_ones), 0, "short kernels are left alone");
    ok(witness_works(), "another client is unharmed");
    witness_stop();
    stop_hostd();

    unsetenv("VGPU_WATCHDOG");
    strcpy(hostd_dir, "/tmp/vgpu-test-XXXXXX");
    start_hostd(argv[1], "h100-pcie", NULL);
    witness_start();
    is_u64(bad_run(unlimited), 0, "without it they are not");
    is_u64(bad_run(leaves), 0, "a process that leaves an endless kernel behind ends");
    is_u64(executors(), 1, "and so does its executor");
    is_u64(bad_run(resets), 0, "a context with an endless kernel is reset");
    ok(witness_works(), "another client is unharmed");
    witness_stop();
    return tap_done();
}
