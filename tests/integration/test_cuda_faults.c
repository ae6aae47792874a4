/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong, and what the driver API says then: kernels that fault, freed memory, forks, a hostd that is killed. Each case
 * runs in a process of its own, whose exit status is its verdict. argv[1]: vgpu-hostd. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"
#include "vgpu_protocol.h"

static CUmodule module;

static int begin(void)
{
    CUcontext context;

    return cuInit(0) || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context) ||
           cuModuleLoadData(&module, test_ptx);
}

static int launch(const char *name, CUdeviceptr p)
{
    CUfunction function;
    void *params[] = {&p};
    int status = cuModuleGetFunction(&function, module, name);

    return status ? status : cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL);
}

/* Expects STATUS from the kernel, then from everything. */
static int faults(const char *name, CUdeviceptr p, int status)
{
    CUdeviceptr other;

    if (launch(name, p))
        return 1;
    if (cuCtxSynchronize() != status)
        return 2;
    if (cuMemAlloc_v2(&other, 4) != status || cuCtxSynchronize() != status || launch(name, p) != status)
        return 3;
    return 0;
}

static int null_pointer(void)
{
    return faults("store", 0, 700);
}

static int wild_pointer(void)
{
    return faults("store", VGPU_HEAP_BASE + 512 * VGPU_GIB, 700);
}

static int host_pointer(void)
{
    int on_stack = 1;
    int status = faults("store", (uintptr_t)&on_stack, 700);

    return status ? status : on_stack != 1;
}

static int freed_pointer(void)
{
    CUdeviceptr p;

    if (cuMemAlloc_v2(&p, 1000) || launch("store", p) || cuCtxSynchronize() || cuMemFree_v2(p))
        return 10;
    return faults("store", p, 700);
}

static int misaligned(void)
{
    CUdeviceptr p;

    return cuMemAlloc_v2(&p, 1000) ? 10 : faults("store", p + 2, 716);
}

static int trap(void)
{
    return faults("stop", 0, 719);
}

/* A lost context is got rid of with the primary context's reset. */
static int recovery(void)
{
    CUdeviceptr p;
    unsigned value = 0;

    if (faults("store", 0, 700))
        return 10;
    cuDevicePrimaryCtxReset_v2(0);
    if (begin() || cuMemAlloc_v2(&p, 4) || launch("store", p) || cuMemcpyDtoH_v2(&value, p, 4))
        return 11;
    return value != 7;
}

static int forked_child(void)
{
    CUcontext context;
    CUdeviceptr p;
    int n, status, value;
    pid_t child;

    if (cuMemAlloc_v2(&p, 4096))
        return 10;
    child = fork();
    if (!child)
        _exit(cuDeviceGetCount(&n) != 3 || cuInit(0) != 3 || cuCtxGetCurrent(&context) != 3 || cuMemAlloc_v2(&p, 4) != 3 ||
              cuCtxSynchronize() != 3);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status))
        return 11;
    /* The parent goes on. */
    return launch("store", p) || cuMemcpyDtoH_v2(&value, p, 4) || value != 7 ? 12 : 0;
}

static int invisible(void)
{
    int n;

    return cuInit(0) != CUDA_ERROR_NO_DEVICE || cuDeviceGetCount(&n) != CUDA_ERROR_NOT_INITIALIZED;
}

static int wrong_socket(void)
{
    return cuInit(0) != CUDA_ERROR_NO_DEVICE;
}

static int stale_handles(void)
{
    CUdeviceptr p;
    CUevent event;
    CUstream stream;
    int bad = 0;

    if (cuEventCreate(&event, 0) || cuEventDestroy_v2(event) || cuStreamCreate(&stream, 0) || cuStreamDestroy_v2(stream))
        return 10;
    bad += cuEventRecord(event, NULL) != 400;
    bad += cuEventRecord((CUevent)(uintptr_t)0xdeadbeef, NULL) != 400;
    bad += cuStreamWaitEvent(NULL, (CUevent)(uintptr_t)3, 0) != 400;
    bad += cuMemAllocAsync(&p, 4, stream) != 400;
    bad += cuGraphLaunch((CUgraphExec)&p, NULL) != 400;
    bad += cuModuleUnload((CUmodule)(uintptr_t)~0ull) != 400;
    return bad;
}

/* The process that started hostd kills it when told so through the pipe. */
static int tell[2], told[2];

static int killed_hostd(void)
{
    CUdeviceptr p;
    char byte = 1;
    int status = 0;

    if (cuMemAlloc_v2(&p, 4096) || write(tell[1], &byte, 1) != 1 || read(told[0], &byte, 1) != 1)
        return 10;
    for (int i = 0; i < 1000 && !status; i++) {
        status = launch("store", p);
        if (!status)
            status = cuCtxSynchronize();
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return status != CUDA_ERROR_UNKNOWN || cuCtxSynchronize() != CUDA_ERROR_UNKNOWN;
}

static int run(int (*test)(void), int ready, int kill_hostd)
{
    int status;
    char byte;

    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        status = ready && begin() ? 99 : test();
        _exit(status);
    }
    if (kill_hostd && read(tell[0], &byte, 1) == 1) {
        kill(hostd_pid, SIGKILL);
        waitpid(hostd_pid, NULL, 0);
        hostd_pid = 0;
        status = write(told[1], &byte, 1) == 1;
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    if (pipe(tell) || pipe(told))
        return 2;
    is_u64(run(null_pointer, 1, 0), 0, "a null pointer: 700, for good");
    is_u64(run(wild_pointer, 1, 0), 0, "a wild pointer");
    is_u64(run(host_pointer, 1, 0), 0, "a pointer to the host's stack, which stays as it is");
    is_u64(run(freed_pointer, 1, 0), 0, "a freed pointer");
    is_u64(run(misaligned, 1, 0), 0, "a misaligned pointer: 716");
    is_u64(run(trap, 1, 0), 0, "a trap: 719");
    is_u64(run(recovery, 1, 0), 0, "a fresh context after all that");
    is_u64(run(forked_child, 1, 0), 0, "a forked child: 3");
    is_u64(run(stale_handles, 1, 0), 0, "stale and wrong handles: 400");
    setenv("CUDA_VISIBLE_DEVICES", "-1", 1);
    is_u64(run(invisible, 0, 0), 0, "CUDA_VISIBLE_DEVICES=-1: 100");
    unsetenv("CUDA_VISIBLE_DEVICES");
    is_u64(run(killed_hostd, 1, 1), 0, "hostd is killed: 999");
    is_u64(run(wrong_socket, 0, 0), 0, "nobody answers: 100");
    return tap_done();
}
