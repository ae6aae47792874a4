/* SPDX-License-Identifier: Apache-2.0 */
/* The driver API against a real hostd and executor: initialisation, device, contexts, modules, launches, streams, events.
 * argv[1]: vgpu-hostd. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)

static void test_before_init(void)
{
    int n;
    CUdevice device;
    CUcontext context;
    const char *text;

    is_u64(cuDeviceGetCount(&n), CUDA_ERROR_NOT_INITIALIZED, "cuDeviceGetCount before cuInit");
    is_u64(cuDeviceGet(&device, 0), CUDA_ERROR_NOT_INITIALIZED, "cuDeviceGet before cuInit");
    is_u64(cuCtxGetCurrent(&context), CUDA_ERROR_NOT_INITIALIZED, "cuCtxGetCurrent before cuInit");
    OK(cuDriverGetVersion(&n), "cuDriverGetVersion needs no cuInit");
    is_u64(n, 13010, "it is 13.1");
    OK(cuGetErrorName(700, &text), "cuGetErrorName");
    is_str(text, "CUDA_ERROR_ILLEGAL_ADDRESS", "of 700");
    OK(cuGetErrorString(2, &text), "cuGetErrorString");
    is_str(text, "out of memory", "of 2");
    is_u64(cuGetErrorName(12345, &text), CUDA_ERROR_INVALID_VALUE, "an unknown code");
    ok(!text, "has no name");
    is_u64(cuInit(1), CUDA_ERROR_INVALID_VALUE, "cuInit's flags must be 0");
}

static void test_device(void)
{
    int n, major, minor;
    CUdevice device;
    CUuuid a, b;
    size_t bytes;
    char text[64];

    OK(cuInit(0), "cuInit");
    OK(cuInit(0), "again");
    OK(cuDeviceGetCount(&n), "cuDeviceGetCount");
    is_u64(n, 1, "one device");
    is_u64(cuDeviceGetCount(NULL), CUDA_ERROR_INVALID_VALUE, "into nothing");
    OK(cuDeviceGet(&device, 0), "cuDeviceGet");
    is_u64(cuDeviceGet(&device, 1), CUDA_ERROR_INVALID_DEVICE, "device 1");
    is_u64(cuDeviceGet(&device, -1), CUDA_ERROR_INVALID_DEVICE, "device -1");
    OK(cuDeviceGetName(text, sizeof text, 0), "cuDeviceGetName");
    is_str(text, "NVIDIA H100 PCIe", "is the profile's");
    OK(cuDeviceGetName(text, 7, 0), "into 7 bytes");
    is_str(text, "NVIDIA", "is cut");
    OK(cuDeviceGetUuid(&a, 0), "cuDeviceGetUuid");
    OK(cuDeviceGetUuid_v2(&b, 0), "cuDeviceGetUuid_v2");
    ok(!memcmp(&a, &b, sizeof a), "agree");
    OK(cuDeviceTotalMem_v2(&bytes, 0), "cuDeviceTotalMem");
    ok(bytes > UINT64_C(70) << 30, "is an H100's");
    OK(cuDeviceGetAttribute(&major, ATTR_COMPUTE_CAPABILITY_MAJOR, 0), "compute capability");
    OK(cuDeviceComputeCapability(&n, &minor, 0), "both ways");
    is_u64(n, major, "agree");
    is_u64(cuDeviceGetAttribute(&n, 100000, 0), CUDA_ERROR_INVALID_VALUE, "an attribute that is none");
    is_u64(cuDeviceGetAttribute(&n, 1, 3), CUDA_ERROR_INVALID_DEVICE, "of a device that is none");
    OK(cuDeviceGetPCIBusId(text, sizeof text, 0), "cuDeviceGetPCIBusId");
    OK(cuDeviceGetByPCIBusId(&device, text), "and back (%s)", text);
    is_u64(cuDeviceGetByPCIBusId(&device, "0123:45:67.0"), CUDA_ERROR_INVALID_DEVICE, "another bus id");
    is_u64(cuDeviceGetByPCIBusId(&device, "nonsense"), CUDA_ERROR_INVALID_VALUE, "no bus id");
}

static void test_contexts(void)
{
    CUcontext primary, other, current;
    CUdevice device;
    unsigned flags, version;
    int active;
    size_t limit;

    is_u64(cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT, "without a context");
    OK(cuDevicePrimaryCtxGetState(0, &flags, &active), "cuDevicePrimaryCtxGetState");
    is_u64(active, 0, "is not active");
    OK(cuDevicePrimaryCtxRetain(&primary, 0), "cuDevicePrimaryCtxRetain");
    OK(cuDevicePrimaryCtxGetState(0, &flags, &active), "state");
    is_u64(active, 1, "is active");
    OK(cuCtxGetCurrent(&current), "retaining");
    ok(!current, "does not make it current");
    OK(cuCtxSetCurrent(primary), "cuCtxSetCurrent");
    OK(cuCtxGetDevice(&device), "cuCtxGetDevice");
    OK(cuCtxCreate_v2(&other, 0, 0), "cuCtxCreate");
    OK(cuCtxGetCurrent(&current), "creating");
    ok(current == other, "makes it current");
    OK(cuCtxPopCurrent_v2(&current), "cuCtxPopCurrent");
    OK(cuCtxGetCurrent(&current), "leaves");
    ok(current == primary, "the one below");
    OK(cuCtxPushCurrent_v2(other), "cuCtxPushCurrent");
    OK(cuCtxDestroy_v2(other), "cuCtxDestroy");
    OK(cuCtxGetCurrent(&current), "pops");
    ok(current == primary, "the destroyed context");
    is_u64(cuCtxPushCurrent_v2(other), CUDA_ERROR_CONTEXT_IS_DESTROYED, "pushing a destroyed context");
    is_u64(cuCtxPushCurrent_v2((CUcontext)&limit), CUDA_ERROR_INVALID_CONTEXT, "pushing what is no context");
    is_u64(cuCtxDestroy_v2(primary), CUDA_ERROR_INVALID_CONTEXT, "destroying the primary context");
    OK(cuCtxGetLimit(&limit, 1), "cuCtxGetLimit");
    OK(cuCtxSetLimit(1, limit * 2), "cuCtxSetLimit");
    is_u64(cuCtxGetLimit(&limit, 77), 215, "a limit that is none");
    OK(cuCtxGetApiVersion(primary, &version), "cuCtxGetApiVersion");
    OK(cuCtxSynchronize(), "cuCtxSynchronize");
}

static CUmodule module;

static void test_modules(void)
{
    CUfunction add, again;
    CUmodule bad;
    CUdeviceptr address;
    size_t size, offset;
    unsigned count;
    int value;
    char log[512] = "x";
    int options[] = {5, 6};
    void *values[] = {log, (void *)sizeof log};
    static const char elf[64] = "\177ELF\2\1\1";

    OK(cuModuleLoadData(&module, test_ptx), "cuModuleLoadData");
    OK(cuModuleGetFunction(&add, module, "add"), "cuModuleGetFunction");
    OK(cuModuleGetFunction(&again, module, "add"), "again");
    ok(add == again, "is the same");
    is_u64(cuModuleGetFunction(&again, module, "nothing"), CUDA_ERROR_NOT_FOUND, "a kernel that is not there");
    is_u64(cuModuleGetFunction(&again, module, ""), CUDA_ERROR_NOT_FOUND, "a kernel without a name");
    is_u64(cuModuleGetFunction(&again, (CUmodule)add, "add"), CUDA_ERROR_INVALID_HANDLE, "a module that is none");
    OK(cuFuncGetAttribute(&value, 0, add), "cuFuncGetAttribute");
    is_u64(value, 1024, "threads a block");
    OK(cuFuncGetParamInfo(add, 2, &offset, &size), "cuFuncGetParamInfo");
    is_u64(offset, 12, "offset");
    is_u64(size, 4, "size");
    is_u64(cuFuncGetParamInfo(add, 3, &offset, &size), CUDA_ERROR_INVALID_VALUE, "a parameter that is none");
    OK(cuModuleGetFunctionCount(&count, module), "cuModuleGetFunctionCount");
    is_u64(count, 5, "kernels");
    CUfunction all[8] = {0};
    OK(cuModuleEnumerateFunctions(all, 8, module), "cuModuleEnumerateFunctions");
    ok(all[0] && all[4] && !all[5], "finds them");
    OK(cuModuleGetGlobal_v2(&address, &size, module, "numbers"), "cuModuleGetGlobal");
    is_u64(size, 16, "size");
    is_u64(cuModuleGetGlobal_v2(&address, &size, module, "add"), CUDA_ERROR_NOT_FOUND, "a variable that is a kernel");

    is_u64(cuModuleLoadData(&bad, ""), CUDA_ERROR_INVALID_IMAGE, "an empty image");
    is_u64(cuModuleLoadData(&bad, "what is this?"), CUDA_ERROR_INVALID_IMAGE, "an unknown image");
    is_u64(cuModuleLoadData(&bad, NULL), CUDA_ERROR_INVALID_VALUE, "no image");
    is_u64(cuModuleLoadData(&bad, elf), CUDA_ERROR_NO_BINARY_FOR_GPU, "machine code alone");
    is_u64(cuModuleLoadDataEx(&bad, ".version 7.0\n.target sm_50\n.visible .entry k( { }\n", 2, options, values), 218,
           "bad PTX");
    ok(strlen(log) > 5, "the log says why");
    is_u64((uintptr_t)values[1], strlen(log) + 1, "and how long that is");
    is_u64(cuModuleLoadData(&bad, ".version 99.0\n.target sm_50\n"), 222, "PTX from the future");
    is_u64(cuModuleLoad(&bad, "/nonexistent"), CUDA_ERROR_FILE_NOT_FOUND, "a file that is not there");
    is_u64(cuModuleUnload((CUmodule)&bad), CUDA_ERROR_INVALID_HANDLE, "unloading what is no module");
}

static void test_launches(void)
{
    CUfunction add, dynamic, sum;
    CUdeviceptr p, numbers;
    unsigned data[1000], n = 1000, value = 5, got[4];
    void *params[] = {&p, &n, &value};
    struct {
        CUdeviceptr p;
        unsigned n, value;
    } packed;
    size_t size = sizeof packed;
    void *extra[] = {(void *)1, &packed, (void *)2, &size, NULL};
    int attribute;

    for (unsigned i = 0; i < n; i++)
        data[i] = i;
    OK(cuModuleGetFunction(&add, module, "add"), "add");
    OK(cuModuleGetFunction(&dynamic, module, "dynamic"), "dynamic");
    OK(cuModuleGetFunction(&sum, module, "sum"), "sum");
    OK(cuMemAlloc_v2(&p, sizeof data), "cuMemAlloc");
    OK(cuMemcpyHtoD_v2(p, data, sizeof data), "cuMemcpyHtoD");
    OK(cuLaunchKernel(add, 8, 1, 1, 128, 1, 1, 0, NULL, params, NULL), "cuLaunchKernel");
    packed.p = p, packed.n = 10, packed.value = 100;
    OK(cuLaunchKernel(add, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, extra), "with packed parameters");
    OK(cuMemcpyDtoH_v2(data, p, sizeof data), "cuMemcpyDtoH");
    is_u64(data[3], 3 + 5 + 100, "both ran");
    is_u64(data[999], 999 + 5, "to the last thread");
    size = 12;
    is_u64(cuLaunchKernel(add, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, extra), CUDA_ERROR_INVALID_VALUE, "too few bytes");
    is_u64(cuLaunchKernel(add, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE, "no parameters");
    is_u64(cuLaunchKernel(add, 0, 1, 1, 32, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE, "an empty grid");
    is_u64(cuLaunchKernel(add, 1, 1, 1, 1025, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE, "a large block");
    is_u64(cuLaunchKernel(add, 1, 70000, 1, 1, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE, "a large grid");
    is_u64(cuLaunchKernel(dynamic, 1, 1, 1, 128, 1, 1, 0, NULL, params, NULL), 701, "more threads than .maxntid");
    is_u64(cuLaunchKernel((CUfunction)&p, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_HANDLE,
           "what is no function");
    is_u64(cuLaunchKernel(add, 1, 1, 1, 1, 1, 1, 0, (CUstream)&p, params, NULL), CUDA_ERROR_INVALID_HANDLE,
           "on what is no stream");
    is_u64(cuLaunchKernel(dynamic, 1, 1, 1, 1, 1, 1, 60000, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE,
           "more shared memory than allowed");
    OK(cuFuncSetAttribute(dynamic, 8, 60000), "allowing it");
    OK(cuFuncGetAttribute(&attribute, 8, dynamic), "which");
    is_u64(attribute, 60000, "is remembered");
    OK(cuLaunchKernel(dynamic, 1, 1, 1, 1, 1, 1, 60000, NULL, params, NULL), "works");
    OK(cuMemcpyDtoH_v2(got, p, 4), "and");
    is_u64(got[0], 60000, "the kernel has it");

    struct vgpu_launch_attribute attributes[] = {{.id = LAUNCH_ATTR_PROGRAMMATIC_STREAM_SERIALIZATION, .value.i32 = 1},
                                                 {.id = LAUNCH_ATTR_CLUSTER_DIMENSION, .value.dim = {2, 1, 1}}};
    struct CUlaunchConfig config = {.grid = {8, 1, 1}, .block = {128, 1, 1}, .attributes = attributes, .attribute_count = 1};
    OK(cuLaunchKernelEx(&config, add, params, NULL), "cuLaunchKernelEx");
    attributes[0].id = 99;
    is_u64(cuLaunchKernelEx(&config, add, params, NULL), CUDA_ERROR_NOT_SUPPORTED, "an attribute that is unknown");
    OK(cuLaunchCooperativeKernel(add, 8, 1, 1, 128, 1, 1, 0, NULL, params), "cuLaunchCooperativeKernel");
    is_u64(cuLaunchCooperativeKernel(add, 1000000, 1, 1, 128, 1, 1, 0, NULL, params), 720, "with more blocks than fit");

    OK(cuModuleGetGlobal_v2(&numbers, NULL, module, "numbers"), "a module's variable");
    OK(cuMemcpyDtoH_v2(got, numbers, 16), "can be read");
    ok(got[0] == 1 && got[3] == 4, "and has its initial value");
    got[3] = 94;
    OK(cuMemcpyHtoD_v2(numbers, got, 16), "can be written");
    OK(cuLaunchKernel(sum, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), "and");
    OK(cuMemcpyDtoH_v2(got, p, 4), "kernels");
    is_u64(got[0], 100, "see it");
    OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&attribute, add, 256, 0), "occupancy");
    ok(attribute > 0 && attribute <= 8, "is plausible: %d", attribute);
    OK(cuMemFree_v2(p), "cuMemFree");
}

static void test_libraries(void)
{
    CUlibrary library;
    CUkernel kernel;
    CUfunction function;
    CUmodule inner;
    const char *name;
    unsigned n, count = 4;
    CUdeviceptr p;

    OK(cuLibraryLoadData(&library, test_ptx, NULL, NULL, 0, NULL, NULL, 0), "cuLibraryLoadData");
    OK(cuLibraryGetKernel(&kernel, library, "add"), "cuLibraryGetKernel");
    is_u64(cuLibraryGetKernel(&kernel, library, "none"), CUDA_ERROR_NOT_FOUND, "a kernel that is not there");
    OK(cuKernelGetName(&name, kernel), "cuKernelGetName");
    is_str(name, "add", "its name");
    OK(cuKernelGetFunction(&function, kernel), "cuKernelGetFunction");
    OK(cuLibraryGetModule(&inner, library), "cuLibraryGetModule");
    is_u64(cuModuleUnload(inner), CUDA_ERROR_NOT_PERMITTED, "its module stays");
    OK(cuMemAlloc_v2(&p, 16), "memory");
    OK(cuMemsetD32_v2(p, 7, 4), "cuMemsetD32");
    void *params[] = {&p, &count, &count};
    OK(cuLaunchKernel((CUfunction)kernel, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL), "launching a CUkernel");
    OK(cuMemcpyDtoH_v2(&n, p, 4), "and");
    is_u64(n, 11, "it ran");
    OK(cuLibraryUnload(library), "cuLibraryUnload");
    is_u64(cuLibraryUnload(library), CUDA_ERROR_INVALID_HANDLE, "once");
    is_u64(cuLaunchKernel((CUfunction)kernel, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_HANDLE,
           "a kernel of an unloaded library");
    OK(cuMemFree_v2(p), "free");
}

static void host_function(void *data)
{
    *(int *)data += 1;
}

static void test_streams(void)
{
    CUstream a, b;
    CUevent start, end, plain;
    CUfunction add;
    CUdeviceptr p;
    unsigned n = 256, value = 1, got, flags;
    int least, greatest, priority, called = 0;
    uint64_t id_a, id_b;
    float ms = -1;
    void *params[] = {&p, &n, &value};

    OK(cuStreamCreate(&a, 0), "cuStreamCreate");
    OK(cuCtxGetStreamPriorityRange(&least, &greatest), "priorities");
    OK(cuStreamCreateWithPriority(&b, 1, -100), "cuStreamCreateWithPriority");
    OK(cuStreamGetPriority(b, &priority), "is");
    is_u64(priority, greatest, "clamped");
    OK(cuStreamGetFlags(b, &flags), "flags");
    is_u64(flags, 1, "non-blocking");
    OK(cuStreamGetId(a, &id_a), "id");
    OK(cuStreamGetId(b, &id_b), "id");
    ok(id_a != id_b, "differ");
    is_u64(cuStreamCreate(&a, 16), CUDA_ERROR_INVALID_VALUE, "unknown flags");
    OK(cuModuleGetFunction(&add, module, "add"), "add");
    OK(cuMemAlloc_v2(&p, 4 * n), "memory");
    OK(cuEventCreate(&start, 0), "cuEventCreate");
    OK(cuEventCreate(&end, 0), "cuEventCreate");
    OK(cuEventCreate(&plain, 2), "without timing");
    is_u64(cuEventElapsedTime(&ms, start, end), CUDA_ERROR_INVALID_HANDLE, "events never recorded");
    OK(cuEventQuery(start), "are complete");
    OK(cuMemsetD32Async(p, 0, n, a), "cuMemsetD32Async");
    OK(cuEventRecord(start, a), "cuEventRecord");
    for (int i = 0; i < 100; i++)
        if (cuLaunchKernel(add, 1, 1, 1, 256, 1, 1, 0, a, params, NULL))
            ok(0, "launch %d", i);
    OK(cuEventRecord(end, a), "cuEventRecord");
    OK(cuStreamWaitEvent(b, end, 0), "cuStreamWaitEvent");
    OK(cuMemcpyDtoHAsync_v2(&got, p + 400, 4, b), "on another stream");
    OK(cuStreamSynchronize(b), "cuStreamSynchronize");
    is_u64(got, 100, "sees what the first did");
    OK(cuStreamQuery(a), "cuStreamQuery");
    OK(cuEventSynchronize(end), "cuEventSynchronize");
    OK(cuEventElapsedTime(&ms, start, end), "cuEventElapsedTime");
    ok(ms >= 0 && ms < 60000, "is %g ms", (double)ms);
    OK(cuEventRecord(plain, b), "recording");
    is_u64(cuEventElapsedTime(&ms, start, plain), CUDA_ERROR_INVALID_HANDLE, "an event without time");
    OK(cuLaunchHostFunc(a, host_function, &called), "cuLaunchHostFunc");
    OK(cuStreamSynchronize(a), "after it");
    is_u64(called, 1, "the function was called");
    OK(cuLaunchKernel(add, 1, 1, 1, 256, 1, 1, 0, (CUstream)2, params, NULL), "on the per-thread stream");
    OK(cuStreamSynchronize_ptsz(NULL), "cuStreamSynchronize_ptsz");
    OK(cuStreamSynchronize((CUstream)1), "the legacy stream");
    OK(cuStreamDestroy_v2(a), "cuStreamDestroy");
    is_u64(cuStreamSynchronize(a), CUDA_ERROR_INVALID_HANDLE, "a destroyed stream");
    is_u64(cuStreamDestroy_v2(a), CUDA_ERROR_INVALID_HANDLE, "destroyed twice");
    OK(cuEventDestroy_v2(start), "cuEventDestroy");
    is_u64(cuEventQuery(start), CUDA_ERROR_INVALID_HANDLE, "a destroyed event");
    OK(cuMemFree_v2(p), "free");
}

static void test_proc_address(void)
{
    void *f;
    int found = -1;
    const void *table;
    CUuuid unknown = {"0123456789abcde"};

    OK(cuGetProcAddress_v2("cuMemAlloc", &f, 12000, 0, &found), "cuGetProcAddress");
    ok(f == (void *)cuMemAlloc_v2 && !found, "cuMemAlloc of today is _v2");
    OK(cuGetProcAddress_v2("cuMemAlloc", &f, 2000, 0, &found), "of CUDA 2");
    ok(f == (void *)cuMemAlloc, "is the first");
    OK(cuGetProcAddress_v2("cuLaunchKernel", &f, 13000, 2, &found), "per-thread");
    ok(f == (void *)cuLaunchKernel_ptsz, "is _ptsz");
    OK(cuGetProcAddress_v2("cuInit", &f, 13000, 2, &found), "per-thread");
    ok(f == (void *)cuInit, "where there is no difference");
    OK(cuGetProcAddress_v2("cuGraphAddMemAllocNode", &f, 11040, 0, &found), "in the version that it came with");
    is_u64(cuGetProcAddress_v2("cuGraphAddMemAllocNode", &f, 11030, 0, &found), CUDA_ERROR_NOT_FOUND, "in the one before");
    ok(!f && found == 2, "which is why");
    OK(cuGetProcAddress_v2("cuInit", &f, 2000, 0, &found), "the oldest");
    is_u64(cuGetProcAddress_v2("cuNothing", &f, 13000, 0, &found), CUDA_ERROR_NOT_FOUND, "an unknown name");
    ok(!f && found == 1, "is said to be");
    is_u64(cuGetExportTable((void **)&table, &unknown), CUDA_ERROR_NOT_FOUND, "an unknown export table");
}

static void test_end(void)
{
    CUcontext context;
    unsigned flags;
    int active;
    CUdeviceptr p;

    OK(cuModuleUnload(module), "cuModuleUnload");
    is_u64(cuModuleUnload(module), CUDA_ERROR_INVALID_HANDLE, "once");
    OK(cuMemAlloc_v2(&p, 1 << 20), "memory");
    OK(cuDevicePrimaryCtxReset_v2(0), "cuDevicePrimaryCtxReset");
    OK(cuDevicePrimaryCtxGetState(0, &flags, &active), "state");
    is_u64(active, 0, "not active");
    is_u64(cuMemFree_v2(p), CUDA_ERROR_CONTEXT_IS_DESTROYED, "its memory went with it");
    OK(cuDevicePrimaryCtxRetain(&context, 0), "retained again");
    OK(cuMemAlloc_v2(&p, 1 << 20), "it works");
    OK(cuDevicePrimaryCtxRelease_v2(0), "cuDevicePrimaryCtxRelease");
    is_u64(cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT, "once");
}

int main(int argc, char **argv)
{
    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    test_before_init();
    test_device();
    test_contexts();
    test_modules();
    test_launches();
    test_libraries();
    test_streams();
    test_proc_address();
    test_end();
    return tap_done();
}
