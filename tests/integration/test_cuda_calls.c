/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that stand beside the usual ways: use counts, launches as before CUDA 4, handles got back from addresses, pools by place,
 * what one device answers about several. argv[1]: vgpu-hostd. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)
enum { GRANULE = 2 << 20 };

static void test_device(void)
{
    int ops[2] = {0, 9}, n = 7;
    unsigned capabilities[2] = {9, 9};

    is_u64(cuFlushGPUDirectRDMAWrites(0, 100), CUDA_ERROR_INVALID_CONTEXT, "without a context");
    OK(cuDeviceGetHostAtomicCapabilities(capabilities, ops, 2, 0), "atomics on host memory");
    ok(!capabilities[0] && !capabilities[1], "not over PCIe");
    ops[1] = 99;
    is_u64(cuDeviceGetHostAtomicCapabilities(capabilities, ops, 2, 0), CUDA_ERROR_INVALID_VALUE, "no operation");
    is_u64(cuDeviceGetP2PAtomicCapabilities(capabilities, ops, 1, 0, 0), CUDA_ERROR_INVALID_DEVICE, "with a second device");
    OK(cuDeviceGetExecAffinitySupport(&n, 0, 0), "cuDeviceGetExecAffinitySupport");
    is_u64((unsigned)n, 0, "no");
}

static void test_use_counts(void)
{
    CUcontext context, again;
    struct CUexecAffinityParam *affinity = (void *)&again;

    OK(cuCtxCreate_v2(&context, 0, 0), "context");
    OK(cuCtxAttach(&again, 0), "cuCtxAttach");
    ok(again == context, "is the current one");
    is_u64(cuCtxAttach(&again, 1), CUDA_ERROR_INVALID_VALUE, "no flags");
    OK(cuCtxDetach(context), "cuCtxDetach");
    OK(cuCtxSynchronize(), "it lives");
    is_u64(cuCtxGetExecAffinity(affinity, 0), CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY, "cuCtxGetExecAffinity");
    CUevent event;
    OK(cuEventCreate(&event, 2), "event");
    OK(cuCtxRecordEvent(context, event), "cuCtxRecordEvent");
    OK(cuCtxWaitEvent(context, event), "cuCtxWaitEvent");
    OK(cuEventSynchronize(event), "is reached");
    is_u64(cuCtxRecordEvent((CUcontext)&event, event), CUDA_ERROR_INVALID_CONTEXT, "of what is no context");
    is_u64(cuCtxRecordEvent(context, (CUevent)&event), CUDA_ERROR_INVALID_HANDLE, "what is no event");
    OK(cuCtxDetach(context), "the last");
    is_u64(cuCtxDetach(context), CUDA_ERROR_CONTEXT_IS_DESTROYED, "ends it");
}

static void test_old_launch(void)
{
    CUmodule module;
    CUfunction add;
    CUdeviceptr p;
    CUstream stream;
    unsigned numbers[100], wrong = 0;

    OK(cuModuleLoadData(&module, test_ptx), "module");
    OK(cuModuleGetFunction(&add, module, "add"), "add");
    OK(cuMemAlloc_v2(&p, sizeof numbers), "memory");
    OK(cuMemsetD32_v2(p, 5, 100), "filled");
    is_u64(cuLaunch(add), CUDA_ERROR_INVALID_VALUE, "without a shape");
    OK(cuFuncSetBlockShape(add, 32, 1, 1), "cuFuncSetBlockShape");
    is_u64(cuFuncSetBlockShape(add, 0, 1, 1), CUDA_ERROR_INVALID_VALUE, "of nothing");
    is_u64(cuLaunchGrid(add, 4, 1), CUDA_ERROR_INVALID_VALUE, "without parameters");
    OK(cuParamSetv(add, 0, &p, sizeof p), "cuParamSetv");
    OK(cuParamSeti(add, 8, 100), "cuParamSeti");
    OK(cuParamSeti(add, 12, 3), "cuParamSeti");
    OK(cuParamSetSize(add, 16), "cuParamSetSize");
    is_u64(cuParamSetSize(add, 100000), CUDA_ERROR_INVALID_VALUE, "of too much");
    is_u64(cuParamSetv(add, 4090, &p, sizeof p), CUDA_ERROR_INVALID_VALUE, "a value beyond the end");
    OK(cuFuncSetSharedSize(add, 64), "cuFuncSetSharedSize");
    OK(cuLaunchGrid(add, 4, 1), "cuLaunchGrid");
    OK(cuLaunch(add), "cuLaunch");
    OK(cuStreamCreate(&stream, 0), "stream");
    OK(cuLaunchGridAsync(add, 4, 1, stream), "cuLaunchGridAsync");
    void *params[] = {&p, &(unsigned){100}, &(unsigned){1}};
    CUDA_LAUNCH_PARAMS launch = {.function = add, .grid = {4, 1, 1}, .block = {32, 1, 1}, .stream = stream, .params = params};
    OK(cuLaunchCooperativeKernelMultiDevice(&launch, 1, 0), "cuLaunchCooperativeKernelMultiDevice");
    is_u64(cuLaunchCooperativeKernelMultiDevice(&launch, 2, 0), CUDA_ERROR_INVALID_DEVICE, "on two");
    OK(cuStreamSynchronize(stream), "done");
    OK(cuMemcpyDtoH_v2(numbers, p, sizeof numbers), "read");
    for (unsigned i = 0; i < 100; i++)
        wrong += numbers[i] != 5 + 3 + (i < 32 ? 3 : 0) + 3 + 1;
    is_u64(wrong, 0, "sums that are wrong");
    OK(cuStreamDestroy_v2(stream), "destroyed");
    OK(cuMemFree_v2(p), "free");
    OK(cuModuleUnload(module), "unloaded");
}

static void test_handles(void)
{
    CUmemAllocationProp prop = {.type = CU_MEM_ALLOCATION_PINNED, .location = {CU_MEM_LOCATION_DEVICE, 0}};
    CUmemAccessDesc access = {{CU_MEM_LOCATION_DEVICE, 0}, 3};
    CUmemGenericAllocationHandle handle, again;
    CUdeviceptr a, b;
    unsigned seen = 0;

    OK(cuMemCreate(&handle, GRANULE, &prop, 0), "cuMemCreate");
    OK(cuMemAddressReserve(&a, GRANULE, 0, 0, 0), "addresses");
    OK(cuMemAddressReserve(&b, GRANULE, 0, 0, 0), "and more");
    OK(cuMemMap(a, GRANULE, 0, handle, 0), "mapped");
    OK(cuMemSetAccess(a, GRANULE, &access, 1), "access");
    OK(cuMemRetainAllocationHandle(&again, (void *)(uintptr_t)(a + 4096)), "cuMemRetainAllocationHandle");
    ok(again == handle, "is the same");
    OK(cuMemRelease(again), "released");
    OK(cuMemRelease(handle), "and again");
    is_u64(cuMemRelease(handle), CUDA_ERROR_INVALID_VALUE, "gone");
    OK(cuMemRetainAllocationHandle(&again, (void *)(uintptr_t)a), "from what is still mapped");
    OK(cuMemMap(b, GRANULE, 0, again, 0), "mapped once more");
    OK(cuMemSetAccess(b, GRANULE, &access, 1), "access");
    OK(cuMemsetD32_v2(a + 64, 77, 1), "written through one");
    OK(cuMemcpyDtoH_v2(&seen, b + 64, 4), "read through the other");
    is_u64(seen, 77, "is one memory");
    is_u64(cuMemRetainAllocationHandle(&again, &seen), CUDA_ERROR_INVALID_VALUE, "of memory that is none");
    OK(cuMemRelease(again), "released");
    OK(cuMemUnmap(a, GRANULE), "unmapped");
    OK(cuMemUnmap(b, GRANULE), "unmapped");
    OK(cuMemAddressFree(a, GRANULE), "free");
    OK(cuMemAddressFree(b, GRANULE), "free");
}

static void test_pools(void)
{
    CUmemLocation gpu = {CU_MEM_LOCATION_DEVICE, 0}, host = {CU_MEM_LOCATION_HOST, 0};
    CUmemoryPool by_device, by_place;

    OK(cuDeviceGetDefaultMemPool(&by_device, 0), "the default pool");
    OK(cuMemGetDefaultMemPool(&by_place, &gpu, CU_MEM_ALLOCATION_PINNED), "by its place");
    ok(by_place == by_device, "is the same");
    OK(cuMemGetMemPool(&by_place, &gpu, CU_MEM_ALLOCATION_PINNED), "the current one");
    OK(cuMemSetMemPool(&gpu, CU_MEM_ALLOCATION_PINNED, by_place), "set");
    is_u64(cuMemGetMemPool(&by_place, &host, CU_MEM_ALLOCATION_PINNED), CUDA_ERROR_NOT_SUPPORTED, "the host's");
}

static void test_pointers(void)
{
    CUdeviceptr p;
    unsigned on = 1, value = 0;
    static char own[3 << 20];
    char *page = (char *)(((uintptr_t)own + 4095) & ~(uintptr_t)4095);

    OK(cuMemAlloc_v2(&p, 4096), "memory");
    OK(cuPointerSetAttribute(&on, 6, p + 100), "cuPointerSetAttribute: synchronous");
    OK(cuPointerGetAttribute(&value, 6, p), "read back");
    is_u64(value, 1, "on");
    OK(cuMemcpyDtoD_v2(p, p + 2048, 1024), "a copy");
    on = 0;
    OK(cuPointerSetAttribute(&on, 6, p), "off");
    OK(cuPointerGetAttribute(&value, 6, p), "read back");
    is_u64(value, 0, "off");
    is_u64(cuPointerSetAttribute(&on, 2, p), CUDA_ERROR_INVALID_VALUE, "another attribute");
    is_u64(cuPointerSetAttribute(&on, 6, 12345), CUDA_ERROR_INVALID_VALUE, "another pointer");
    OK(cuMemFree_v2(p), "free");
    OK(cuMemHostRegister(page, 1 << 20, 0), "cuMemHostRegister, first version");
    is_u64(cuMemHostRegister(page, 1 << 20, 0), 712, "once");
    OK(cuMemHostUnregister(page), "unregistered");
}

static unsigned told;
static char last[300];

static void log_line(void *data, CUlogLevel level, char *message, size_t length)
{
    told += *(unsigned *)data;
    snprintf(last, sizeof last, "%d %.*s", level, (int)length, message);
    cuModuleLoadData(&(CUmodule){0}, "nor is this"); /* what a callback causes is not told again */
}

static void test_logs(void)
{
    CUlogIterator here, again;
    CUlogsCallbackHandle handle;
    CUmodule module;
    char text[4096], path[64];
    size_t size = sizeof text;
    unsigned one = 1;

    OK(cuLogsCurrent(&here, 0), "cuLogsCurrent");
    again = here;
    OK(cuLogsDumpToMemory(&again, text, &size, 0), "nothing yet");
    is_u64(size, 0, "since then");
    OK(cuLogsRegisterCallback(log_line, &one, &handle), "a callback");
    is_u64(cuModuleLoadData(&module, ".version 7.0 .target sm_50 .address_size 64 .entry k() { bad; }"), 218, "an error");
    is_u64(told, 1, "is told");
    ok(strstr(last, "module refused") && strstr(last, "[CUDA][W]") && *last == '1', "what and how bad it is");
    OK(cuLogsUnregisterCallback(handle), "no callback");
    is_u64(cuLogsUnregisterCallback(handle), CUDA_ERROR_INVALID_VALUE, "any more");
    cuModuleLoadData(&module, ".version 7.0 .target sm_50 .address_size 64 .entry k() { worse; }");
    is_u64(told, 1, "nobody is told");
    size = sizeof text;
    OK(cuLogsDumpToMemory(&here, text, &size, 0), "all of it");
    ok(size == strlen(text) && strstr(text, "bad") && strstr(text, "worse") && text[size - 1] == '\n', "is there");
    size = sizeof text;
    OK(cuLogsDumpToMemory(&here, text, &size, 0), "nothing");
    is_u64(size, 0, "is left");
    size = 10;
    is_u64(cuLogsDumpToMemory(NULL, text, &size, 0), CUDA_ERROR_INVALID_VALUE, "ten bytes");
    is_u64(size, 0, "hold nothing");
    size = 150;
    OK(cuLogsDumpToMemory(NULL, text, &size, 0), "a hundred and fifty");
    ok(size < 150 && !strstr(text, "bad") && strstr(text, "worse") && strstr(text, "truncated"), "hold the latest");
    for (int i = 0; i < 150; i++)
        cuModuleLoadData(&module, ".version 7.0 .target sm_50 .address_size 64 .entry k() { many; }");
    snprintf(path, sizeof path, "%s.log", hostd_dir);
    OK(cuLogsDumpToFile(NULL, path, 0), "into a file");
    FILE *file = fopen(path, "r");
    int lines = 0;
    while (file && fgets(text, sizeof text, file))
        lines++;
    if (file)
        fclose(file);
    unlink(path);
    is_u64((unsigned)lines, 101, "a hundred lines, and that there were more");
    is_u64(cuLogsDumpToFile(NULL, "/nonexistent/file", 0), CUDA_ERROR_INVALID_VALUE, "no file");
    is_u64(cuLogsCurrent(&here, 1), CUDA_ERROR_INVALID_VALUE, "flags");
}

static void test_dot(void)
{
    CUgraph graph, child;
    CUgraphNode a, b, c;
    CUDA_MEMSET_NODE_PARAMS fill = {0x1000, 0, 7, 4, 10, 1};
    char path[64], text[4096];

    OK(cuGraphCreate(&graph, 0), "graph");
    OK(cuGraphCreate(&child, 0), "another");
    OK(cuGraphAddEmptyNode(&a, child, NULL, 0), "a node in it");
    OK(cuGraphAddMemsetNode(&a, graph, NULL, 0, &fill, NULL), "memset");
    OK(cuGraphAddEmptyNode(&b, graph, &a, 1), "then nothing");
    OK(cuGraphAddChildGraphNode(&c, graph, &b, 1, child), "then the other graph");
    snprintf(path, sizeof path, "%s.dot", hostd_dir);
    OK(cuGraphDebugDotPrint(graph, path, 1), "cuGraphDebugDotPrint");
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = 0;
    unlink(path);
    ok(strstr(text, "digraph") && strstr(text, "MEMSET") && strstr(text, "value 7, 10 x 1 elements of 4") &&
           strstr(text, "\"graph_0_node_0\" -> \"graph_0_node_1\"") && strstr(text, "cluster_1"), "what is in it");
    is_u64(cuGraphDebugDotPrint(graph, "/nonexistent/file", 0), CUDA_ERROR_OPERATING_SYSTEM, "no file");
    is_u64(cuGraphDebugDotPrint((CUgraph)&graph, path, 0), CUDA_ERROR_INVALID_VALUE, "no graph");
    OK(cuGraphDestroy(graph), "destroyed");
    OK(cuGraphDestroy(child), "destroyed");
}

int main(int argc, char **argv)
{
    CUcontext context;

    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    OK(cuInit(0), "cuInit");
    test_device();
    test_use_counts();
    OK(cuCtxCreate_v2(&context, 0, 0), "context");
    test_old_launch();
    test_handles();
    test_pools();
    test_pointers();
    test_logs();
    test_dot();
    OK(cuCtxDestroy_v2(context), "destroyed");
    return tap_done();
}
