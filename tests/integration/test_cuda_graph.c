/* SPDX-License-Identifier: Apache-2.0 */
/* Stream capture and graphs through the driver API. argv[1]: vgpu-hostd. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)
enum { N = 256 };

static CUfunction add;
static CUdeviceptr p;

static int launch_add(CUdeviceptr at, unsigned value, CUstream stream)
{
    unsigned n = N;
    void *params[] = {&at, &n, &value};

    return cuLaunchKernel(add, 2, 1, 1, 128, 1, 1, 0, stream, params, NULL);
}

static unsigned first(void)
{
    unsigned value = 0xdead;

    cuMemcpyDtoH_v2(&value, p, 4);
    return value;
}

static void test_capture(CUstream a, CUstream b)
{
    CUgraph graph, child;
    CUgraphExec exec;
    CUgraphNode nodes[8];
    CUevent fork, join;
    size_t count = 8, edges;
    int state, mode = CAPTURE_MODE_RELAXED;
    uint64_t id;
    unsigned host = 40;

    OK(cuMemsetD32_v2(p, 0, N), "start at 0");
    OK(cuEventCreate(&fork, 2), "event");
    OK(cuEventCreate(&join, 2), "event");
    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_RELAXED), "cuStreamBeginCapture");
    is_u64(cuStreamBeginCapture_v2(a, CAPTURE_MODE_RELAXED), CUDA_ERROR_ILLEGAL_STATE, "twice");
    OK(cuStreamGetCaptureInfo_v2(a, &state, &id, NULL, NULL, NULL), "info");
    is_u64(state, CAPTURE_ACTIVE, "active");
    OK(cuMemcpyHtoDAsync_v2(p, &host, 4, a), "a copy");
    OK(launch_add(p, 1, a), "a launch");
    OK(cuEventRecord(fork, a), "fork");
    OK(cuStreamWaitEvent(b, fork, 0), "to b");
    OK(launch_add(p, 10, b), "a launch on b");
    OK(cuEventRecord(join, b), "join");
    is_u64(cuEventQuery(join), CUDA_ERROR_CAPTURED_EVENT, "a captured event");
    OK(launch_add(p, 100, a), "a launch on a");
    OK(cuStreamWaitEvent(a, join, 0), "b joins");
    OK(launch_add(p, 1000, a), "a launch");
    is_u64(cuStreamEndCapture(b, &graph), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "ending in the wrong stream");
    is_u64(cuStreamEndCapture(a, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "invalidates");

    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_GLOBAL), "again");
    OK(cuMemcpyHtoDAsync_v2(p, &host, 4, a), "a copy");
    OK(launch_add(p, 1, a), "a launch");
    OK(cuEventRecord(fork, a), "fork");
    OK(cuStreamWaitEvent(b, fork, 0), "to b");
    OK(launch_add(p, 10, b), "a launch on b");
    OK(cuEventRecord(join, b), "join");
    OK(launch_add(p, 100, a), "a launch on a");
    OK(cuStreamWaitEvent(a, join, 0), "b joins");
    OK(launch_add(p, 1000, a), "a launch");
    OK(cuStreamEndCapture(a, &graph), "cuStreamEndCapture");
    OK(cuStreamIsCapturing(b, &state), "b");
    is_u64(state, CAPTURE_NONE, "is free again");
    is_u64(first(), 0, "nothing ran");
    OK(cuGraphGetNodes(graph, NULL, &count), "cuGraphGetNodes");
    is_u64(count, 5, "nodes");
    OK(cuGraphGetEdges(graph, NULL, NULL, &edges), "cuGraphGetEdges");
    is_u64(edges, 5, "edges");
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0), "cuGraphInstantiate");
    OK(cuGraphLaunch(exec, a), "cuGraphLaunch");
    OK(cuStreamSynchronize(a), "done");
    is_u64(first(), 40 + 1111, "all ran");
    host = 7;
    OK(cuGraphLaunch(exec, b), "again");
    OK(cuStreamSynchronize(b), "done");
    is_u64(first(), 7 + 1111, "the copy reads what is there now");

    /* Parameters of nodes. */
    count = 8;
    OK(cuGraphGetNodes(graph, nodes, &count), "nodes");
    struct CUDA_KERNEL_NODE_PARAMS params;
    is_u64(cuGraphKernelNodeGetParams_v2(nodes[0], &params), CUDA_ERROR_INVALID_VALUE, "a copy is no kernel");
    OK(cuGraphKernelNodeGetParams_v2(nodes[1], &params), "cuGraphKernelNodeGetParams");
    ok(params.func == add && *(unsigned *)params.params[2] == 1, "as launched");
    unsigned n = N, value = 5;
    void *pointers[] = {&p, &n, &value};
    params.params = pointers;
    OK(cuGraphExecKernelNodeSetParams_v2(exec, nodes[1], &params), "cuGraphExecKernelNodeSetParams");
    OK(cuGraphLaunch(exec, a), "launch");
    OK(cuStreamSynchronize(a), "done");
    is_u64(first(), 7 + 1115, "with the new value");

    /* The same shape again, with other values. */
    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_THREAD_LOCAL), "capture");
    OK(cuMemcpyHtoDAsync_v2(p, &host, 4, a), "a copy");
    OK(launch_add(p, 2, a), "a launch");
    OK(cuEventRecord(fork, a), "fork");
    OK(cuStreamWaitEvent(b, fork, 0), "to b");
    OK(launch_add(p, 20, b), "a launch on b");
    OK(cuEventRecord(join, b), "join");
    OK(launch_add(p, 200, a), "a launch on a");
    OK(cuStreamWaitEvent(a, join, 0), "b joins");
    OK(launch_add(p, 2000, a), "a launch");
    OK(cuStreamEndCapture(a, &child), "end");
    struct CUgraphExecUpdateResultInfo info;
    OK(cuGraphExecUpdate_v2(exec, child, &info), "cuGraphExecUpdate");
    OK(cuGraphLaunch(exec, a), "launch");
    OK(cuStreamSynchronize(a), "done");
    is_u64(first(), 7 + 2222, "updated");

    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_RELAXED), "another shape");
    OK(launch_add(p, 2, a), "a launch");
    OK(cuGraphLaunch(exec, a), "a graph in a graph");
    CUgraph other;
    OK(cuStreamEndCapture(a, &other), "end");
    is_u64(cuGraphExecUpdate_v2(exec, other, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, "does not fit");
    is_u64(info.result, 2, "topology");
    CUgraphExec outer;
    OK(cuGraphInstantiateWithFlags(&outer, other, 0), "instantiate");
    OK(cuGraphLaunch(outer, a), "launch");
    OK(cuStreamSynchronize(a), "done");
    is_u64(first(), 7 + 2222, "the inner graph ran");
    OK(cuGraphExecDestroy(outer), "destroy");
    OK(cuGraphDestroy(other), "destroy");
    OK(cuGraphDestroy(child), "destroy");
    OK(cuGraphDestroy(graph), "destroy");
    OK(cuGraphLaunch(exec, a), "an executable graph outlives its graph");
    OK(cuStreamSynchronize(a), "done");
    OK(cuGraphExecDestroy(exec), "destroy");
    is_u64(cuGraphLaunch(exec, a), CUDA_ERROR_INVALID_HANDLE, "a destroyed one");
    is_u64(cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE, "destroyed twice");
    OK(cuEventDestroy_v2(fork), "event");
    OK(cuEventDestroy_v2(join), "event");
    OK(cuThreadExchangeStreamCaptureMode(&mode), "mode");
    is_u64(mode, CAPTURE_MODE_GLOBAL, "was global");
    OK(cuThreadExchangeStreamCaptureMode(&mode), "and is again");
}

static void test_capture_errors(CUstream a, CUstream b)
{
    CUgraph graph;
    CUevent event;
    CUstream blocking;
    CUdeviceptr q;

    OK(cuEventCreate(&event, 2), "event");
    is_u64(cuStreamBeginCapture_v2(NULL, 0), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the legacy stream");
    is_u64(cuStreamEndCapture(a, &graph), CUDA_ERROR_ILLEGAL_STATE, "ending what was not begun");

    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_GLOBAL), "capture");
    is_u64(cuMemAlloc_v2(&q, 100), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "allocating in global mode");
    is_u64(cuStreamEndCapture(a, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "invalidates");
    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_RELAXED), "capture");
    OK(cuMemAlloc_v2(&q, 100), "allocating in relaxed mode");
    OK(cuMemFree_v2(q), "freeing");
    OK(cuMemsetD8_v2(p, 0, 4), "the legacy stream, with a non-blocking one captured");
    is_u64(cuStreamSynchronize(a), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "waiting for a capturing stream");
    is_u64(launch_add(p, 1, a), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "after which nothing goes in");
    is_u64(cuStreamEndCapture(a, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "end");
    ok(!graph, "no graph");

    OK(cuEventRecord(event, b), "an event outside");
    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_RELAXED), "capture");
    is_u64(cuStreamWaitEvent(a, event, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "waiting for it inside");
    cuStreamEndCapture(a, &graph);

    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_RELAXED), "capture");
    OK(cuEventRecord(event, a), "fork");
    OK(cuStreamWaitEvent(b, event, 0), "to b");
    OK(launch_add(p, 1, b), "work on b");
    is_u64(cuStreamEndCapture(a, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "b did not join");

    for (int joined = 0; joined < 2; joined++) {
        CUstream helper;

        OK(cuStreamCreate(&helper, 1), "a stream for the time of a capture");
        OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_RELAXED), "capture");
        OK(cuEventRecord(event, a), "fork");
        OK(cuStreamWaitEvent(helper, event, 0), "to it");
        OK(launch_add(p, 1, helper), "work on it");
        OK(cuEventRecord(event, helper), "its end");
        if (joined)
            OK(cuStreamWaitEvent(a, event, 0), "joins");
        OK(cuStreamDestroy_v2(helper), "destroyed while the capture goes on");
        is_u64(cuStreamEndCapture(a, &graph), joined ? 0 : CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "which %s",
               joined ? "has all of it" : "lacks its work");
        if (joined)
            OK(cuGraphDestroy(graph), "destroy");
    }

    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_RELAXED), "capture");
    OK(cuStreamBeginCapture_v2(b, CAPTURE_MODE_RELAXED), "another");
    OK(cuEventRecord(event, a), "an event of one");
    is_u64(cuStreamWaitEvent(b, event, 0), CUDA_ERROR_STREAM_CAPTURE_MERGE, "in the other");
    cuStreamEndCapture(a, &graph);
    cuStreamEndCapture(b, &graph);

    OK(cuStreamCreate(&blocking, 0), "a blocking stream");
    OK(cuStreamBeginCapture_v2(blocking, CAPTURE_MODE_RELAXED), "captured");
    is_u64(launch_add(p, 1, NULL), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "the legacy stream would wait");
    is_u64(cuStreamEndCapture(blocking, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "end");
    OK(cuStreamBeginCapture_v2(blocking, CAPTURE_MODE_RELAXED), "captured");
    OK(cuStreamDestroy_v2(blocking), "destroyed while capturing");
    OK(launch_add(p, 1, NULL), "the legacy stream is free");
    OK(cuEventDestroy_v2(event), "event");
}

/* ggml reserves memory by capturing kernels on addresses that do not exist. */
static void test_fake_pointers(CUstream a)
{
    CUgraph graph;
    CUgraphExec exec;

    OK(cuStreamBeginCapture_v2(a, CAPTURE_MODE_RELAXED), "capture");
    OK(launch_add(128, 1, a), "a launch on address 128");
    OK(cuMemcpyAsync(128, 4096, 1000, a), "a copy between addresses that are none");
    OK(cuMemsetD8Async(128, 0, 1000, a), "a memset");
    OK(cuStreamEndCapture(a, &graph), "end");
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0), "instantiate");
    OK(cuGraphExecDestroy(exec), "destroy");
    OK(cuGraphDestroy(graph), "destroy");
    OK(cuCtxSynchronize(), "nothing happened");
}

static void count_up(void *data)
{
    ++*(unsigned *)data;
}

static void test_built(CUstream a)
{
    CUgraph graph, clone;
    CUgraphExec exec;
    CUgraphNode fill, kernel, copy, host, found;
    unsigned n = N, value = 3, got = 0, called = 0;
    void *pointers[] = {&p, &n, &value};
    size_t count = 0;
    int type;
    struct CUDA_MEMSET_NODE_PARAMS fill_params = {p, 0, 39, 4, N, 1};
    struct CUDA_KERNEL_NODE_PARAMS kernel_params = {.func = add, .grid = {2, 1, 1}, .block = {128, 1, 1}, .params = pointers};
    struct CUDA_MEMCPY3D copy_params = {.src_type = 2, .src_device = p, .dst_type = 1, .dst_host = &got, .width = 4,
                                        .height = 1, .depth = 1};
    struct CUDA_HOST_NODE_PARAMS host_params = {count_up, &called};

    OK(cuGraphCreate(&graph, 0), "cuGraphCreate");
    OK(cuGraphAddMemcpyNode(&copy, graph, NULL, 0, &copy_params, NULL), "a copy, added first");
    OK(cuGraphAddMemsetNode(&fill, graph, NULL, 0, &fill_params, NULL), "a memset");
    OK(cuGraphAddKernelNode_v2(&kernel, graph, &fill, 1, &kernel_params), "a kernel");
    OK(cuGraphAddDependencies(graph, &kernel, &copy, 1), "before the copy");
    is_u64(cuGraphAddDependencies(graph, &kernel, &copy, 1), CUDA_ERROR_INVALID_VALUE, "once");
    OK(cuGraphAddHostNode(&host, graph, &copy, 1, &host_params), "a host function");
    OK(cuGraphNodeGetType(host, &type), "type");
    is_u64(type, NODE_HOST, "host");
    OK(cuGraphGetRootNodes(graph, NULL, &count), "roots");
    is_u64(count, 1, "one");
    OK(cuGraphInstantiate_v2(&exec, graph, NULL, NULL, 0), "instantiate");
    OK(cuGraphLaunch(exec, a), "launch");
    OK(cuStreamSynchronize(a), "done");
    is_u64(got, 42, "in the order of its edges");
    is_u64(called, 1, "the host function ran");
    OK(cuGraphClone(&clone, graph), "clone");
    OK(cuGraphNodeFindInClone(&found, kernel, clone), "find");
    ok(found != kernel, "another node");
    OK(cuGraphAddDependencies(clone, &host, &found, 0), "no edges");
    OK(cuGraphAddDependencies(graph, &host, &fill, 1), "a cycle");
    CUgraphExec bad;
    is_u64(cuGraphInstantiateWithFlags(&bad, graph, 0), CUDA_ERROR_INVALID_VALUE, "cannot be instantiated");
    OK(cuGraphDestroyNode(host), "cuGraphDestroyNode");
    is_u64(cuGraphDestroyNode(host), CUDA_ERROR_INVALID_VALUE, "once");
    OK(cuGraphExecDestroy(exec), "destroy");
    OK(cuGraphDestroy(clone), "destroy");
    OK(cuGraphDestroy(graph), "destroy");
}

int main(int argc, char **argv)
{
    CUcontext context;
    CUmodule module;
    CUstream a, b;

    (void)argc;
    start_hostd(argv[1], "a100", NULL);
    if (!OK(cuInit(0), "cuInit") || !OK(cuDevicePrimaryCtxRetain(&context, 0), "context") ||
        !OK(cuCtxSetCurrent(context), "current") || !OK(cuModuleLoadData(&module, test_ptx), "module") ||
        !OK(cuModuleGetFunction(&add, module, "add"), "kernel") || !OK(cuMemAlloc_v2(&p, 4 * N), "memory") ||
        !OK(cuStreamCreate(&a, 1), "stream") || !OK(cuStreamCreate(&b, 1), "stream"))
        return tap_done();
    test_capture(a, b);
    test_capture_errors(a, b);
    test_fake_pointers(a);
    test_built(a);
    OK(cuCtxSynchronize(), "no error is left");
    return tap_done();
}
