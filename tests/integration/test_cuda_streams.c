/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that wait: for values in memory, for functions of the program's, for one another. argv[1]: vgpu-hostd. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include <pthread.h>
#include <semaphore.h>

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)
enum { GEQ, EQ, AND, NOR };

static CUstream a, b, other; /* 'other' does not wait for the legacy stream */
static CUdeviceptr x;
static volatile unsigned *flags; /* pinned: the device's addresses are the same */

static CUdeviceptr flag(int i)
{
    return (uintptr_t)&flags[i];
}

/* After all that is on its way to be done; what waits does not matter. */
static unsigned read_x(int i)
{
    unsigned value = 0;

    cuMemsetD32Async(x + 4092, 0, 1, other);
    cuMemcpyDtoHAsync_v2(&value, x + 4 * (unsigned)i, 4, other);
    return value;
}

static void test_values(void)
{
    CUevent event;

    OK(cuEventCreate(&event, 0), "event");
    OK(cuMemsetD32Async(x, 1, 1, a), "one");
    OK(cuStreamWaitValue32_v2(a, flag(0), 5, EQ), "until the flag is five");
    OK(cuMemsetD32Async(x, 2, 1, a), "two");
    OK(cuMemcpyHtoDAsync_v2(x + 4, &(unsigned){77}, 4, a), "a small copy, whose source goes");
    OK(cuEventRecord(event, a), "event");
    is_u64(cuStreamQuery(a), CUDA_ERROR_NOT_READY, "the stream waits");
    is_u64(cuEventQuery(event), CUDA_ERROR_NOT_READY, "so does the event");
    is_u64(cuEventElapsedTime(&(float){0}, event, event), CUDA_ERROR_NOT_READY, "and its time");
    OK(cuStreamWaitEvent(b, event, 0), "another stream waits for it");
    OK(cuMemsetD32Async(x + 8, 3, 1, b), "three");
    is_u64(cuStreamQuery(b), CUDA_ERROR_NOT_READY, "it waits too");
    OK(cuMemsetD32Async(x + 12, 4, 1, other), "a third stream");
    OK(cuStreamSynchronize(other), "does not");
    is_u64(read_x(3), 4, "its work is done");
    is_u64(read_x(0), 1, "what follows the wait is not");
    flags[0] = 4;
    is_u64(cuStreamQuery(a), CUDA_ERROR_NOT_READY, "four is not five");
    flags[0] = 5;
    OK(cuStreamSynchronize(b), "five is");
    OK(cuEventQuery(event), "the event is reached");
    is_u64(read_x(0), 2, "two");
    is_u64(read_x(1), 77, "the copy is as it was");
    is_u64(read_x(2), 3, "three");
    OK(cuEventDestroy_v2(event), "destroyed");
}

static void test_conditions(void)
{
    CUdeviceptr wide = flag(2);
    volatile uint64_t *value = (volatile uint64_t *)&flags[2];

    flags[1] = 10;
    OK(cuStreamWaitValue32_v2(a, flag(1), 10, GEQ), "at least 10");
    OK(cuStreamWaitValue32_v2(a, flag(1), 0xfffffff0u, GEQ), "cyclically at least -16");
    OK(cuStreamWaitValue32_v2(a, flag(1), 6, AND), "a bit of 6");
    OK(cuStreamWaitValue32_v2(a, flag(1), 5, NOR), "a bit of neither");
    OK(cuStreamSynchronize(a), "all hold");
    OK(cuStreamWaitValue32_v2(a, flag(1), 11, GEQ), "at least 11");
    is_u64(cuStreamQuery(a), CUDA_ERROR_NOT_READY, "does not");
    OK(cuStreamWriteValue32_v2(other, flag(1), 11, 0), "another stream writes it");
    OK(cuStreamSynchronize(a), "it holds");
    *value = 0;
    OK(cuStreamWaitValue64_v2(a, wide, UINT64_C(1) << 40, AND), "bit 40");
    is_u64(cuStreamQuery(a), CUDA_ERROR_NOT_READY, "is not set");
    OK(cuStreamWriteValue64_v2(other, wide, UINT64_C(3) << 40, 0), "is set");
    OK(cuStreamSynchronize(a), "and seen");
    OK(cuStreamWaitValue64(a, wide, 1, GEQ), "first versions");
    OK(cuStreamWriteValue32(a, flag(1), 1, 1), "know a flag");
    OK(cuStreamSynchronize(a), "work");
    is_u64(flags[1], 1, "too");
    is_u64(cuStreamWriteValue32_v2(a, flag(1), 1, 1), CUDA_ERROR_INVALID_VALUE, "that the second ones do not");
    is_u64(cuStreamWaitValue32_v2(a, flag(1), 1, 4), CUDA_ERROR_INVALID_VALUE, "no condition");
    is_u64(cuStreamWaitValue32_v2(a, flag(1) + 2, 1, 0), CUDA_ERROR_INVALID_VALUE, "misaligned");
    is_u64(cuStreamWaitValue64_v2(a, flag(1), 1, 0), CUDA_ERROR_INVALID_VALUE, "misaligned for 64 bits");
    is_u64(cuStreamWaitValue32_v2(a, 4096, 1, 0), CUDA_ERROR_INVALID_VALUE, "no memory");
}

static void test_batch(void)
{
    CUstreamBatchMemOpParams ops[] = {
        {.operation = 2, .address = flag(4), .value = 1},
        {.operation = 6},
        {.operation = 1, .address = flag(5), .value = 2, .flags = GEQ},
        {.operation = 5, .address = flag(6), .value = UINT64_C(0x300000004)},
    };

    OK(cuStreamBatchMemOp_v2(a, 4, ops, 0), "write, barrier, wait, write");
    for (int i = 0; i < 1000 && !flags[4]; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    is_u64(flags[4], 1, "the first write is seen");
    is_u64(flags[6], 0, "the last one waits");
    flags[5] = 3;
    OK(cuStreamSynchronize(a), "done");
    ok(flags[6] == 4 && flags[7] == 3, "it was written");
    ops[1].operation = 9;
    is_u64(cuStreamBatchMemOp_v2(a, 4, ops, 0), CUDA_ERROR_INVALID_VALUE, "no operation");
    is_u64(cuStreamBatchMemOp_v2(a, 0, ops, 0), CUDA_ERROR_INVALID_VALUE, "none");
    is_u64(cuStreamBatchMemOp_v2(a, 1, NULL, 0), CUDA_ERROR_INVALID_VALUE, "nowhere");
    ops[1].operation = 6;
    is_u64(cuStreamBatchMemOp(a, 4, ops, 0), CUDA_ERROR_NOT_SUPPORTED, "the first version knows no barriers");
    flags[4] = 0;
    OK(cuStreamSynchronize(a), "nothing of them");
    is_u64(flags[4], 0, "was done");
}

static sem_t go;
static int order, first, second, refused;

static void wait_then_note(void *data)
{
    sem_wait(&go);
    refused = cuMemAlloc_v2(&(CUdeviceptr){0}, 4);
    *(int *)data = ++order;
}

static void note(void *data)
{
    *(int *)data = ++order;
}

static CUresult told = -1;
static CUstream told_stream;

static void callback(CUstream stream, CUresult status, void *data)
{
    told = status;
    told_stream = stream;
    *(int *)data = ++order;
}

static void test_functions(void)
{
    int third = 0;

    sem_init(&go, 0, 0);
    OK(cuMemsetD32Async(x, 10, 1, a), "work");
    OK(cuLaunchHostFunc(a, wait_then_note, &first), "a function that waits for this thread");
    OK(cuMemsetD32Async(x, 11, 1, a), "more work");
    OK(cuLaunchHostFunc(a, note, &second), "a second function");
    OK(cuStreamAddCallback(a, callback, &third, 0), "a callback");
    is_u64(cuStreamQuery(a), CUDA_ERROR_NOT_READY, "the stream waits");
    is_u64(read_x(0), 10, "with its work");
    sem_post(&go);
    OK(cuStreamSynchronize(a), "done");
    ok(first == 1 && second == 2 && third == 3, "in order");
    is_u64((unsigned)refused, CUDA_ERROR_NOT_PERMITTED, "such a function may not call CUDA");
    ok(!told && told_stream == a, "the callback is told of no error");
    is_u64(read_x(0), 11, "the work is done");
    is_u64(cuLaunchHostFunc(a, NULL, NULL), CUDA_ERROR_INVALID_VALUE, "no function");
}

/* The legacy stream and blocking streams wait for each other; 'other' for neither. */
static void test_legacy(void)
{
    flags[0] = 0;
    OK(cuStreamWaitValue32_v2(a, flag(0), 1, EQ), "a blocking stream waits");
    OK(cuMemsetD32Async(x, 20, 1, NULL), "the legacy stream waits for it");
    OK(cuMemsetD32Async(x + 4, 21, 1, b), "and another blocking one for that");
    OK(cuMemsetD32Async(x + 8, 22, 1, other), "but not this");
    OK(cuStreamSynchronize(other), "done");
    is_u64(cuStreamQuery(NULL), CUDA_ERROR_NOT_READY, "waits");
    is_u64(cuStreamQuery(b), CUDA_ERROR_NOT_READY, "waits");
    ok(read_x(0) != 20 && read_x(1) != 21 && read_x(2) == 22, "nothing of it was done");
    flags[0] = 1;
    OK(cuStreamSynchronize(b), "done");
    ok(read_x(0) == 20 && read_x(1) == 21, "all of it was");
}

static void *set_later(void *unused)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    flags[0] = 9;
    return unused;
}

static void test_context(void)
{
    CUstream gone;
    CUcontext doomed, back;
    CUdeviceptr p;
    pthread_t thread;

    flags[0] = 0;
    OK(cuStreamCreate(&gone, 1), "a stream");
    OK(cuStreamWaitValue32_v2(gone, flag(0), 9, EQ), "waits");
    OK(cuMemAllocAsync(&p, 4096, gone), "memory");
    OK(cuMemsetD32Async(p, 30, 1, gone), "work");
    OK(cuMemcpyDtoDAsync_v2(x, p, 4, gone), "more");
    OK(cuMemFreeAsync(p, gone), "freed behind it");
    OK(cuStreamDestroy_v2(gone), "and is destroyed");
    pthread_create(&thread, NULL, set_later, NULL);
    OK(cuCtxSynchronize(), "all of the context is waited for");
    is_u64(flags[0], 9, "long enough");
    pthread_join(thread, NULL);
    is_u64(read_x(0), 30, "what it had been given was done");
    is_u64(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE, "the memory is freed");

    flags[0] = 0;
    OK(cuCtxGetCurrent(&back), "this context");
    OK(cuCtxCreate_v2(&doomed, 0, 0), "another context");
    OK(cuStreamCreate(&gone, 0), "a stream");
    OK(cuStreamWaitValue32_v2(gone, flag(0), 9, EQ), "waits for ever");
    OK(cuCtxPushCurrent_v2(back), "the first context");
    OK(cuCtxSynchronize(), "does not wait for it");
    OK(cuMemAlloc_v2(&p, 16), "nor does memory");
    OK(cuMemFree_v2(p), "of its");
    OK(cuCtxPopCurrent_v2(NULL), "back to the other");
    OK(cuMemsetD32Async(x, 31, 1, gone), "work");
    first = 0;
    OK(cuLaunchHostFunc(NULL, note, &first), "and the legacy stream with it");
    OK(cuCtxDestroy_v2(doomed), "ends with its context");
    ok(!first, "nothing of it was done");
    is_u64(read_x(0), 30, "nothing");
    OK(cuCtxGetCurrent(&back), "the other context");
    OK(cuCtxSynchronize(), "lives");
}

static void test_graph(void)
{
    CUgraph graph, copy;
    CUgraphExec exec, twice;
    CUgraphNode node, set, await;
    CUgraphNodeType type;
    CUdeviceptr p;
    CUstreamBatchMemOpParams op = {.operation = 1, .address = flag(8), .value = 1, .flags = EQ}, *held;
    CUDA_BATCH_MEM_OP_NODE_PARAMS params = {.count = 1, .ops = &op};
    uint64_t used, most, zero = 0;

    OK(cuStreamBeginCapture_v2(a, 0), "captured:");
    OK(cuMemAllocAsync(&p, 1 << 16, a), "an allocation");
    OK(cuStreamWaitValue32_v2(a, flag(8), 1, EQ), "a wait");
    OK(cuMemsetD32Async(p, 40, 1 << 14, a), "its use");
    OK(cuLaunchHostFunc(a, note, &second), "a function");
    OK(cuMemcpyDtoDAsync_v2(x, p + 4096, 4, a), "more use");
    OK(cuStreamWriteValue32_v2(a, flag(9), 1, 0), "a write");
    OK(cuMemFreeAsync(p, a), "and its end");
    OK(cuStreamEndCapture(a, &graph), "that was all");
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0), "instantiated");
    is_u64(cuGraphInstantiateWithFlags(&twice, graph, 0), CUDA_ERROR_INVALID_VALUE, "once");
    is_u64(cuGraphClone(&copy, graph), CUDA_ERROR_NOT_SUPPORTED, "nor cloned");
    flags[8] = flags[9] = 0;
    for (int i = 0; i < 3; i++) {
        order = 0;
        OK(cuGraphLaunch(exec, a), "launched");
        OK(cuMemsetD32Async(x + 4, 41, 1, a), "something behind it");
        is_u64(cuStreamQuery(a), CUDA_ERROR_NOT_READY, "waits");
        flags[8] = 1;
        OK(cuStreamSynchronize(a), "done");
        ok(read_x(0) == 40 && second == 1 && flags[9] == 1, "all of it");
        flags[8] = flags[9] = 0;
        cuMemsetD32Async(x, 0, 1, a);
        second = 0;
    }
    OK(cuDeviceGetGraphMemAttribute(0, 0, &used), "memory in use");
    OK(cuDeviceGetGraphMemAttribute(0, 1, &most), "and the most");
    ok(!used && most == 1 << 16, "are told");
    OK(cuDeviceSetGraphMemAttribute(0, 1, &zero), "reset");
    is_u64(cuDeviceSetGraphMemAttribute(0, 0, &zero), CUDA_ERROR_INVALID_VALUE, "this one cannot be");
    OK(cuDeviceGraphMemTrim(0), "trimmed");
    OK(cuGraphExecDestroy(exec), "destroyed");
    OK(cuGraphDestroy(graph), "destroyed");
    OK(cuDeviceGetGraphMemAttribute(0, 2, &used), "reserved");
    is_u64(used, 0, "nothing");

    CUDA_MEM_ALLOC_NODE_PARAMS alloc = {.pool = {.type = 1, .location = {CU_MEM_LOCATION_DEVICE, 0}}, .bytes = 1000};
    OK(cuGraphCreate(&graph, 0), "a graph");
    OK(cuGraphAddMemAllocNode(&node, graph, NULL, 0, &alloc), "with an allocation");
    ok(alloc.address, "whose address is known");
    OK(cuGraphAddMemsetNode(&set, graph, &node, 1, &(CUDA_MEMSET_NODE_PARAMS){alloc.address, 0, 50, 4, 10, 1}, NULL), "used");
    OK(cuGraphAddBatchMemOpNode(&await, graph, &set, 1, &params), "and a wait");
    OK(cuGraphBatchMemOpNodeGetParams(await, &params), "its operations");
    held = params.ops;
    ok(params.count == 1 && held != &op && held->value == 1, "are the node's");
    OK(cuGraphNodeGetType(await, &type), "type");
    is_u64((unsigned)type, NODE_BATCH_MEM_OP, "of it");
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0), "instantiated");
    op.value = 7;
    OK(cuGraphExecBatchMemOpNodeSetParams(exec, await, &(CUDA_BATCH_MEM_OP_NODE_PARAMS){.count = 1, .ops = &op}), "another value");
    flags[8] = 7;
    OK(cuGraphLaunch(exec, a), "launched");
    OK(cuStreamSynchronize(a), "done");
    is_u64(cuGraphLaunch(exec, a), CUDA_ERROR_INVALID_VALUE, "again, with its memory not freed");
    OK(cuMemcpyDtoDAsync_v2(x, alloc.address + 36, 4, a), "used outside the graph");
    OK(cuMemFreeAsync(alloc.address, a), "and freed there");
    is_u64(cuMemFreeAsync(alloc.address, a), CUDA_ERROR_INVALID_VALUE, "once");
    OK(cuStreamSynchronize(a), "done");
    is_u64(read_x(0), 50, "it was what the graph wrote");
    OK(cuGraphLaunch(exec, a), "launched again");
    OK(cuStreamSynchronize(a), "done");
    OK(cuGraphExecDestroy(exec), "destroyed");
    OK(cuGraphInstantiateWithFlags(&exec, graph, 1), "that frees by itself");
    flags[8] = 1;
    OK(cuGraphLaunch(exec, a), "launched");
    OK(cuGraphLaunch(exec, a), "twice");
    is_u64(cuGraphDestroyNode(node), CUDA_ERROR_NOT_SUPPORTED, "such graphs do not change");
    OK(cuGraphAddMemFreeNode(&set, graph, &await, 1, alloc.address), "a node that frees it");
    is_u64(cuGraphAddMemFreeNode(&set, graph, &await, 1, alloc.address), CUDA_ERROR_INVALID_VALUE, "and no second one");
    is_u64(cuGraphAddMemFreeNode(&set, graph, &await, 1, x), CUDA_ERROR_INVALID_VALUE, "nor one for other memory");
    OK(cuGraphExecDestroy(exec), "destroyed");
    OK(cuGraphDestroy(graph), "destroyed");
}

/* Many streams that wait for each other in a ring of values. */
static void test_many(void)
{
    enum { N = 16, ROUNDS = 20 };
    CUstream streams[N];
    int failed = 0, wrong = 0;

    for (int i = 0; i < N; i++) {
        flags[16 + i] = 0;
        failed += cuStreamCreate(&streams[i], 1) != 0;
    }
    for (unsigned r = 1; r <= ROUNDS; r++)
        for (int i = 0; i < N; i++) {
            failed += cuStreamWaitValue32_v2(streams[i], flag(16 + i), r, GEQ) != 0;
            failed += cuMemsetD32Async(x + 4 * (unsigned)i, r * 100 + (unsigned)i, 1, streams[i]) != 0;
            failed += cuStreamWriteValue32_v2(streams[i], flag(16 + (i + 1) % N), i == N - 1 ? r + 1 : r, 0) != 0;
        }
    flags[16] = 1;
    for (int i = 0; i < N; i++) {
        failed += cuStreamSynchronize(streams[i]) != 0;
        failed += cuStreamDestroy_v2(streams[i]) != 0;
    }
    for (int i = 0; i < N; i++)
        wrong += read_x(i) != ROUNDS * 100 + (unsigned)i;
    is_u64((unsigned)failed, 0, "calls that failed");
    is_u64((unsigned)wrong, 0, "values that are wrong");
    is_u64(flags[16], ROUNDS + 1, "the last flag");
}

static void test_error(void)
{
    int last = 0;

    flags[0] = 0;
    OK(cuStreamWaitValue32_v2(a, flag(0), 1, EQ), "a wait");
    OK(cuStreamAddCallback(a, callback, &last, 0), "a callback");
    CUmodule module;
    CUfunction stop;
    OK(cuModuleLoadData(&module, test_ptx), "module");
    OK(cuModuleGetFunction(&stop, module, "stop"), "a kernel that traps");
    OK(cuLaunchKernel(stop, 1, 1, 1, 1, 1, 1, 0, other, NULL, NULL), "launched");
    is_u64(cuStreamSynchronize(other), 719, "launch failure");
    is_u64(cuStreamSynchronize(a), 719, "the stream that waited is told, and waits no more");
    is_u64(cuMemAlloc_v2(&(CUdeviceptr){0}, 4), 719, "the error stays");
    for (int i = 0; i < 1000 && told != 719; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    is_u64((unsigned)told, 719, "the callback is told");
}

int main(int argc, char **argv)
{
    CUcontext context;
    void *pinned;

    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    if (!OK(cuInit(0), "cuInit") || !OK(cuCtxCreate_v2(&context, 0, 0), "context"))
        return tap_done();
    OK(cuMemHostAlloc(&pinned, 4096, 0), "pinned memory");
    flags = pinned;
    OK(cuMemAlloc_v2(&x, 4096), "memory");
    OK(cuStreamCreate(&a, 0), "stream");
    OK(cuStreamCreate(&b, 0), "stream");
    OK(cuStreamCreate(&other, 1), "stream");
    test_values();
    test_conditions();
    test_batch();
    test_functions();
    test_legacy();
    test_context();
    test_graph();
    test_many();
    test_error();
    return tap_done();
}
