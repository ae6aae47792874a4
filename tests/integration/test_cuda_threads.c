/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on one device at once, each with streams, memory, events, modules and graphs of its own. argv[1]: vgpu-hostd. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include <pthread.h>

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

enum { THREADS = 8, ROUNDS = 60, N = 2000 };

static CUcontext context;
static CUmodule shared;

struct job {
    pthread_t thread;
    unsigned seed;
    int failed, wrong;
};

static int round_of(struct job *job, int i, CUstream stream)
{
    CUmodule module = shared;
    CUfunction add;
    CUdeviceptr p, small[10];
    CUevent event;
    unsigned n = N, value = job->seed + (unsigned)i, data[N], *pinned;
    void *params[] = {&p, &n, &value};
    int bad = 0;

    if (i % 7 == 0)
        bad += cuModuleLoadData(&module, test_ptx) != 0;
    bad += cuModuleGetFunction(&add, module, "add") != 0;
    bad += cuMemAlloc_v2(&p, i % 3 ? sizeof data : 5u << 20) != 0;
    for (int k = 0; k < 10; k++)
        bad += cuMemAlloc_v2(&small[k], (job->seed >> k) % 5000 + 1) != 0;
    bad += cuEventCreate(&event, i % 2 ? 0 : 2) != 0;
    bad += cuMemAllocHost_v2((void **)&pinned, sizeof data) != 0;
    for (unsigned k = 0; k < n; k++)
        data[k] = k * value;
    bad += cuMemcpyHtoDAsync_v2(p, data, sizeof data, stream) != 0;
    memset(data, 0, sizeof data);
    bad += cuLaunchKernel(add, 16, 1, 1, 128, 1, 1, 0, stream, params, NULL) != 0;
    if (i % 5 == 0) {
        CUgraph graph;
        CUgraphExec exec;
        bad += cuStreamBeginCapture_v2(stream, CAPTURE_MODE_RELAXED) != 0;
        bad += cuLaunchKernel(add, 16, 1, 1, 128, 1, 1, 0, stream, params, NULL) != 0;
        bad += cuStreamEndCapture(stream, &graph) != 0;
        bad += cuGraphInstantiateWithFlags(&exec, graph, 0) != 0;
        bad += cuGraphLaunch(exec, stream) != 0;
        bad += cuGraphExecDestroy(exec) != 0;
        bad += cuGraphDestroy(graph) != 0;
    }
    bad += cuEventRecord(event, stream) != 0;
    bad += cuMemcpyDtoHAsync_v2(pinned, p, sizeof data, stream) != 0;
    bad += cuEventSynchronize(event) != 0;
    bad += cuStreamSynchronize(stream) != 0;
    bad += cuMemcpyDtoH_v2(data, p, sizeof data) != 0;
    for (unsigned k = 0; k < n; k++)
        job->wrong += data[k] != k * value + value * (i % 5 == 0 ? 2 : 1) || pinned[k] != data[k];
    for (int k = 0; k < 10; k++)
        bad += cuMemFree_v2(small[k]) != 0;
    bad += cuMemFreeHost(pinned) != 0;
    bad += cuEventDestroy_v2(event) != 0;
    bad += cuMemFree_v2(p) != 0;
    if (module != shared)
        bad += cuModuleUnload(module) != 0;
    return bad;
}

static void *work(void *arg)
{
    struct job *job = arg;
    CUstream stream;

    job->failed += cuCtxSetCurrent(context) != 0;
    job->failed += cuStreamCreate(&stream, 1) != 0;
    /* Stream 2 is the thread's own, a blocking one: it never captures here (rounds 0, 5, ..), since another thread's synchronous
     * copy during that is an error (906) and ends the capture (test_cuda_graph). */
    for (int i = 0; i < ROUNDS; i++)
        job->failed += round_of(job, i, i % 4 == 3 && i % 5 ? (CUstream)2 : stream);
    job->failed += cuStreamDestroy_v2(stream) != 0;
    return NULL;
}

int main(int argc, char **argv)
{
    struct job jobs[THREADS] = {0};

    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    if (cuInit(0) || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context) ||
        cuModuleLoadData(&shared, test_ptx))
        return !ok(0, "a context and a module");
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i].seed = i * 7919 + 1;
        pthread_create(&jobs[i].thread, NULL, work, &jobs[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(jobs[i].thread, NULL);
        is_u64(jobs[i].failed, 0, "thread %d: no call failed", i);
        is_u64(jobs[i].wrong, 0, "thread %d: no value is wrong", i);
    }
    is_u64(cuCtxSynchronize(), 0, "no error is left");
    is_u64(cuDevicePrimaryCtxRelease_v2(0), 0, "all goes");
    return tap_done();
}
