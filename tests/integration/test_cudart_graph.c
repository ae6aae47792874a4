/* SPDX-License-Identifier: Apache-2.0 */
/* Captures and graphs through the runtime API, as ggml uses them and as a program builds them by hand. */
#include "cudart_program.h"

enum { N = 256 };

static float first(void *data)
{
    float value = -1;

    RT(cudaMemcpy)(&value, data, sizeof value, COPY_DEVICE_TO_HOST);
    return value;
}

static void set(void *data, float value)
{
    float values[N];

    for (int i = 0; i < N; i++)
        values[i] = value;
    RT(cudaMemcpy)(data, values, sizeof values, COPY_HOST_TO_DEVICE);
}

/* Captures twice scale, with ADD. */
static cudaGraph_t capture(void *data, float add, cudaStream_t stream)
{
    cudaGraph_t graph = NULL;
    int state = -1;

    ok(!RT(cudaStreamBeginCapture)(stream, 2), "a capture begins");
    ok(!RT(cudaStreamIsCapturing)(stream, &state) && state == 1, "the stream is captured");
    ok(!launch_scale(data, N, add, stream) && !launch_scale(data, N, add, stream), "launches are recorded");
    ok(!RT(cudaStreamEndCapture)(stream, &graph) && graph, "a capture ends");
    ok(!RT(cudaStreamIsCapturing)(stream, &state) && state == 0, "the stream is free again");
    return graph;
}

static void test_capture(void *data, cudaStream_t stream)
{
    cudaGraphExec_t exec = NULL;
    size_t nodes = 0;
    struct CUgraphExecUpdateResultInfo info = {0};
    uint64_t id = 0;
    int state = 0;

    set(data, 1);
    cudaGraph_t graph = capture(data, 1, stream);
    ok(first(data) == 1, "nothing ran so far");
    ok(!RT(cudaGraphGetNodes)(graph, NULL, &nodes) && nodes == 2, "two nodes");
    ok(!RT(cudaGraphInstantiate)(&exec, graph, 0) && exec, "the graph is instantiated");
    ok(!RT(cudaGraphLaunch)(exec, stream) && !RT(cudaStreamSynchronize)(stream) && first(data) == 7, "and runs");
    ok(!RT(cudaGraphLaunch)(exec, stream) && !RT(cudaStreamSynchronize)(stream) && first(data) == 31, "again");
    ok(!RT(cudaGraphDestroy)(graph), "the graph goes, its executable stays");

    graph = capture(data, 10, stream);
    ok(!RT(cudaGraphExecUpdate)(exec, graph, (void *)&info) && info.result == 0, "it takes another graph's parameters");
    set(data, 1);
    ok(!RT(cudaGraphLaunch)(exec, stream) && !RT(cudaStreamSynchronize)(stream) && first(data) == 34, "and runs with them");
    ok(!RT(cudaGraphDestroy)(graph), "the other graph goes");

    RT(cudaStreamBeginCapture)(stream, 2);
    launch_scale(data, N, 1, stream);
    RT(cudaStreamEndCapture)(stream, &graph);
    is_u64(RT(cudaGraphExecUpdate)(exec, graph, (void *)&info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE,
           "a graph of another shape is refused");
    is_u64(RT(cudaGetLastError)(), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, "which is the last error");
    ok(!RT(cudaGraphDestroy)(graph) && !RT(cudaGraphExecDestroy)(exec), "all goes");

    /* A wild pointer may be captured: nothing looks at it before the launch. */
    RT(cudaStreamBeginCapture)(stream, 2);
    ok(!launch_scale((void *)128, N, 1, stream), "a fake pointer is captured");
#if VGPU_CUDA_MAJOR == 12
    ok(!RT_AS("cudaStreamGetCaptureInfo_v3", cudaStreamGetCaptureInfo)(stream, &state, &id, NULL, NULL, NULL, NULL) && state == 1 &&
           id,
       "what is captured is told");
#else
    ok(!RT(cudaStreamGetCaptureInfo)(stream, &state, &id, NULL, NULL, NULL, NULL) && state == 1 && id, "what is captured is told");
#endif
    ok(!RT(cudaStreamEndCapture)(stream, &graph) && !RT(cudaGraphDestroy)(graph), "and thrown away");

    RT(cudaStreamBeginCapture)(stream, 0);
    ok(RT(cudaStreamSynchronize)(stream) != 0, "a captured stream cannot be waited for");
    ok(RT(cudaStreamEndCapture)(stream, &graph) == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED && !graph,
       "after which the capture is void");
    RT(cudaGetLastError)();
}

static void test_nodes(void *data, cudaStream_t stream)
{
    cudaGraph_t graph = NULL;
    cudaGraphNode_t zero = NULL, kernel = NULL, copy = NULL;
    cudaGraphExec_t exec = NULL;
    float add = 4, out = -1;
    uint32_t n = N;
    void *args[] = {&data, &n, &add};
    int type = -1;
    struct cudaKernelNodeParams params = {&scale_stub, {4, 1, 1}, {64, 1, 1}, 0, args, NULL}, read = {0};
    const struct cudaMemsetParams fill = {data, 0, 0, 4, N, 1};

    ok(!RT(cudaGraphCreate)(&graph, 0), "an empty graph");
    ok(!RT(cudaGraphAddMemsetNode)(&zero, graph, NULL, 0, &fill) &&
           !RT(cudaGraphAddKernelNode)(&kernel, graph, &zero, 1, &params) &&
           !RT(cudaGraphAddMemcpyNode1D)(&copy, graph, &kernel, 1, &out, data, 4, COPY_DEVICE_TO_HOST),
       "a fill, a kernel, a copy");
    ok(!RT(cudaGraphNodeGetType)(kernel, &type) && type == 0, "a kernel node");
    ok(!RT(cudaGraphKernelNodeGetParams)(kernel, &read) && read.func == &scale_stub && read.grid.x == 4 && read.block.x == 64,
       "knows its kernel by the host's address");
    ok(!RT(cudaGraphInstantiate)(&exec, graph, 0) && !RT(cudaGraphLaunch)(exec, stream) && !RT(cudaStreamSynchronize)(stream),
       "runs");
    ok(out == 4, "in order: %g", (double)out);
    add = 9;
    ok(!RT(cudaGraphExecKernelNodeSetParams)(exec, kernel, &params) && !RT(cudaGraphLaunch)(exec, stream) &&
           !RT(cudaStreamSynchronize)(stream) && out == 9,
       "with another parameter");
    ok(!RT(cudaGraphExecDestroy)(exec) && !RT(cudaGraphDestroy)(graph), "and goes");
}

static cudaError_t add_node(cudaGraphNode_t *node, cudaGraph_t graph, cudaGraphNode_t *after, cudaGraphNodeParams *params)
{
#if VGPU_CUDA_MAJOR == 12
    return RT_AS("cudaGraphAddNode_v2", cudaGraphAddNode)(node, graph, after, NULL, after != NULL, params);
#else
    return RT(cudaGraphAddNode)(node, graph, after, NULL, after != NULL, params);
#endif
}

/* The same by the call for nodes of any type, in memory that the graph allocates. */
static void test_any_nodes(cudaStream_t stream)
{
    cudaGraph_t graph = NULL;
    cudaGraphNode_t alloc = NULL, zero = NULL, kernel = NULL, copy = NULL, gone = NULL;
    cudaGraphExec_t exec = NULL;
    cudaGraphNodeParams memory = {.type = 10}, fill = {.type = 2}, scale = {.type = 0}, read = {.type = 1}, free_it = {.type = 11};
    float add = 4, out = -1;
    uint32_t n = N;
    void *data = NULL, *args[] = {&data, &n, &add};

    memory.as.alloc.pool = (struct CUmemPoolProps){.type = 1, .location = {.type = 1}};
    memory.as.alloc.bytes = N * sizeof(float);
    ok(!RT(cudaGraphCreate)(&graph, 0) && !add_node(&alloc, graph, NULL, &memory), "a node that allocates");
    data = (void *)(uintptr_t)memory.as.alloc.address;
    ok(data, "says where");
    memcpy(&fill.as, &(struct cudaMemsetParams){data, 0, 0, 4, N, 1}, sizeof(struct cudaMemsetParams));
    scale.as.kernel = (struct cudaKernelNodeParams){&scale_stub, {4, 1, 1}, {64, 1, 1}, 0, args, NULL};
    read.as.memcpy.copy = (cudaMemcpy3DParms){
        .src = {data, 4, 4, 1}, .dst = {&out, 4, 4, 1}, .extent = {4, 1, 1}, .kind = COPY_DEVICE_TO_HOST};
    free_it.as.reserved1[0] = (int64_t)(uintptr_t)data;
    ok(!add_node(&zero, graph, &alloc, &fill) && !add_node(&kernel, graph, &zero, &scale) &&
           !add_node(&copy, graph, &kernel, &read) && !add_node(&gone, graph, &copy, &free_it),
       "a fill, a kernel, a copy, its end");
    ok(!RT(cudaGraphInstantiate)(&exec, graph, 0) && !RT(cudaGraphLaunch)(exec, stream) && !RT(cudaStreamSynchronize)(stream) &&
           out == 4,
       "run: %g", (double)out);
    add = 9;
    ok(!RT(cudaGraphExecNodeSetParams)(exec, kernel, &scale) && !RT(cudaGraphLaunch)(exec, stream) &&
           !RT(cudaStreamSynchronize)(stream) && out == 9,
       "with another parameter: %g", (double)out);
    ok(!RT(cudaGraphNodeSetParams)(kernel, &scale), "also in the graph");
    scale.as.kernel.func = &missing_stub;
    ok(RT(cudaGraphNodeSetParams)(kernel, &scale) && add_node(&kernel, graph, NULL, &scale), "not a kernel that is none");
    scale.type = 99;
    is_u64(add_node(&kernel, graph, NULL, &scale), CUDA_ERROR_NOT_SUPPORTED, "a type that is none");
    RT(cudaGetLastError)();
    ok(!RT(cudaGraphExecDestroy)(exec) && !RT(cudaGraphDestroy)(graph), "and go");
}

static void test_symbols(cudaStream_t stream)
{
    cudaGraph_t graph = NULL;
    cudaGraphNode_t to = NULL, from = NULL;
    cudaGraphExec_t exec = NULL;
    uint32_t in = 77, out = 0;

    ok(!RT(cudaGraphCreate)(&graph, 0) &&
           !RT(cudaGraphAddMemcpyNodeToSymbol)(&to, graph, NULL, 0, &counter_host, &in, 4, 0, COPY_HOST_TO_DEVICE) &&
           !RT(cudaGraphAddMemcpyNodeFromSymbol)(&from, graph, &to, 1, &out, &counter_host, 4, 0, COPY_DEVICE_TO_HOST),
       "copies to a variable and from it");
    is_u64(RT(cudaGraphAddMemcpyNodeToSymbol)(&to, graph, NULL, 0, &counter_host, &in, 4, 4, COPY_HOST_TO_DEVICE),
           CUDA_ERROR_INVALID_VALUE, "not beyond its end");
    ok(!RT(cudaGraphInstantiate)(&exec, graph, 0) && !RT(cudaGraphLaunch)(exec, stream) && !RT(cudaStreamSynchronize)(stream),
       "run");
    is_u64(out, 77, "and copy");
    ok(!RT(cudaGraphExecDestroy)(exec) && !RT(cudaGraphDestroy)(graph), "and go");
}

int main(int argc, char **argv)
{
    cudaStream_t stream = NULL;
    void *data = NULL;

    open_library(argc > 1 ? argv[1] : VGPU_CUDA_MAJOR == 12 ? "libcudart.so.12" : "libcudart.so.13");
    register_program();
    ok(!RT(cudaStreamCreateWithFlags)(&stream, 1) && !RT(cudaMalloc)(&data, N * sizeof(float)), "a stream and memory");
    test_capture(data, stream);
    test_nodes(data, stream);
    test_any_nodes(stream);
    test_symbols(stream);
    return tap_done();
}
