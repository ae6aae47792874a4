/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime API, in the form of CUDA 12 or 13 (VGPU_CUDA_MAJOR): devices, errors, memory, kernels and streams. */
#include "cudart_program.h"

enum { N = 1000 };

static void test_device(void)
{
    unsigned char bytes[2048];
    int count = -1, value = 0, version = 0;
    char pci[16], expected[16];
    struct cudaDeviceProp *prop = (struct cudaDeviceProp *)bytes;

    ok(!RT(cudaGetDeviceCount)(&count) && count == 1, "one device");
    ok(!RT(cudaRuntimeGetVersion)(&version) && version == (VGPU_CUDA_MAJOR == 12 ? 12090 : 13000), "the runtime's version");
    ok(!RT(cudaDriverGetVersion)(&version) && version >= 13000, "the driver's version");
    memset(bytes, 0x99, sizeof bytes);
    __typeof__(&cudaGetDeviceProperties) get =
        RT_AS(VGPU_CUDA_MAJOR == 12 ? "cudaGetDeviceProperties_v2" : "cudaGetDeviceProperties", cudaGetDeviceProperties);
    ok(!get(prop, 0), "properties");
    ok(bytes[sizeof *prop] == 0x99 && bytes[sizeof *prop + 100] == 0x99, "nothing is written behind the struct");
    static const struct {
        int at_12, at_13, attribute;
        const char *name;
    } fields[] = {
        {308, 308, 10, "warpSize"},       {360, 360, 75, "major"},
        {364, 364, 76, "minor"},          {388, 384, 16, "multiProcessorCount"},
        {396, 388, 18, "integrated"},     {584, 568, 33, "pciBusID"},
        {588, 572, 34, "pciDeviceID"},    {592, 576, 50, "pciDomainID"},
        {696, 672, 97, "sharedMemPerBlockOptin"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        int in_struct;
        memcpy(&in_struct, bytes + (VGPU_CUDA_MAJOR == 12 ? fields[i].at_12 : fields[i].at_13), sizeof in_struct);
        ok(!RT(cudaDeviceGetAttribute)(&value, fields[i].attribute, 0) && value == in_struct, "%s lies where programs read it",
           fields[i].name);
    }
    /* As ggml formats it; a wrong layout shows as 15 characters of garbage. */
    snprintf(expected, sizeof expected, "%04x:%02x:%02x.0", prop->pci_domain, prop->pci_bus, prop->pci_device);
    ok(!RT(cudaDeviceGetPCIBusId)(pci, sizeof pci, 0) && !strcmp(pci, expected), "the PCI id is %s", expected);
    ok(!RT(cudaDeviceGetByPCIBusId)(&value, pci) && value == 0, "and names the device");
    ok(prop->name[0] && memchr(prop->name, 0, sizeof prop->name), "its name is %s", prop->name);
    ok(prop->total_memory > 1u << 30, "its memory");
    if (VGPU_CUDA_MAJOR == 12) {
        unsigned char old[2048];
        memset(old, 0x99, sizeof old);
        ok(!RT(cudaGetDeviceProperties)((struct cudaDeviceProp *)old, 0) && !memcmp(old, bytes, 728) && old[728] == 0x99,
           "the plain name fills the shorter struct of CUDA 11");
    }
    is_u64(get(prop, 1), CUDA_ERROR_INVALID_DEVICE, "there is no second device");
    is_u64(RT(cudaSetDevice)(1), CUDA_ERROR_INVALID_DEVICE, "and it cannot be set");
    ok(!RT(cudaGetDevice)(&value) && value == 0, "device 0 is current");
    ok(!RT(cudaDeviceCanAccessPeer)(&value, 0, 0) && !value, "a device is no peer of itself");
    ok(!RT(cudaDeviceGetStreamPriorityRange)(&value, &count) && value >= count, "stream priorities");
}

static void test_errors(void)
{
    RT(cudaGetLastError)();
    is_u64(RT(cudaFree)((void *)64), CUDA_ERROR_INVALID_VALUE, "freeing what was never allocated");
    is_u64(RT(cudaPeekAtLastError)(), 1, "the last error is kept");
    is_u64(RT(cudaGetLastError)(), 1, "and returned");
    is_u64(RT(cudaGetLastError)(), 0, "once");
    is_str(RT(cudaGetErrorName)(35), "cudaErrorInsufficientDriver", "an error's name");
    is_str(RT(cudaGetErrorString)(2), "out of memory", "an error's text");
    is_str(RT(cudaGetErrorName)(77777), "unrecognized error code", "no such error");
    void *huge = NULL;
    is_u64(RT(cudaMalloc)(&huge, (size_t)1 << 60), CUDA_ERROR_OUT_OF_MEMORY, "an exabyte");
    is_u64(RT(cudaMallocMipmappedArray)(NULL, NULL, (cudaExtent){1, 1, 1}, 1, 0), CUDA_ERROR_NOT_SUPPORTED,
           "mipmapped arrays are not supported");
    RT(cudaGetLastError)();
}

static void test_memory(void)
{
    unsigned char host[N], back[N];
    void *a = NULL, *b = NULL, *pinned = NULL, *none = &a;
    size_t pitch = 0, before = 0, after = 0, total = 0;
    struct cudaPointerAttributes attributes;
    unsigned flags = 7;

    for (int i = 0; i < N; i++)
        host[i] = (unsigned char)(i * 7);
    ok(!RT(cudaMalloc)(&none, 0) && !none, "no bytes are no pointer");
    ok(!RT(cudaFree)(NULL), "and freeing it is right");
    RT(cudaMemGetInfo)(&before, &total);
    ok(!RT(cudaMalloc)(&a, N) && !RT(cudaMalloc)(&b, N) && a != b, "two allocations");
    ok(before && total && before <= total, "memory: %zu of %zu MiB free", before >> 20, total >> 20);
    ok(!RT(cudaMemcpy)(a, host, N, COPY_HOST_TO_DEVICE) && !RT(cudaMemcpy)(b, a, N, COPY_DEVICE_TO_DEVICE) &&
           !RT(cudaMemcpy)(back, b, N, COPY_DEVICE_TO_HOST) && !memcmp(host, back, N),
       "there, across and back");
    memset(back, 0, N);
    ok(!RT(cudaMemcpy)(b, host, N, COPY_DEFAULT) && !RT(cudaMemcpy)(back, b, N, COPY_DEFAULT) && !memcmp(host, back, N),
       "the same, as the pointers say");
    is_u64(RT(cudaMemcpy)(b, host, N, 9), RT_INVALID_MEMCPY_DIRECTION, "no such direction");
    is_u64(RT(cudaMemcpy)(b, host, 1 << 30, COPY_HOST_TO_DEVICE), CUDA_ERROR_INVALID_VALUE, "more than fits");
    ok(!RT(cudaMemset)(a, 0x5a, N) && !RT(cudaMemset)((char *)a + 10, 1, 3) &&
           !RT(cudaMemcpy)(back, a, N, COPY_DEVICE_TO_HOST) && back[9] == 0x5a && back[10] == 1 && back[13] == 0x5a,
       "fills");
    is_u64(RT(cudaMemcpyPeer)(b, 0, a, 0, N), 0, "a copy from the device to itself");
    is_u64(RT(cudaMemcpyPeer)(b, 0, a, 1, N), CUDA_ERROR_INVALID_DEVICE, "from a device that is not there");

    void *parts[2] = {a, (char *)b + 8}, *sources[2] = {host, host + 50};
    size_t sizes[2] = {8, 16};
#if VGPU_CUDA_MAJOR == 12
    is_u64(((cudaError_t(*)(void **, void **, size_t *, size_t, void *, size_t *, size_t, size_t *, cudaStream_t))need(
               "cudaMemcpyBatchAsync"))(parts, sources, sizes, 2, NULL, NULL, 0, NULL, NULL),
           0, "a batch of copies");
#else
    is_u64(RT(cudaMemcpyBatchAsync)(parts, sources, sizes, 2, NULL, NULL, 0, NULL), 0, "a batch of copies");
#endif
    ok(!RT(cudaMemcpy)(back, a, N, COPY_DEVICE_TO_HOST) && !memcmp(back, host, 8) && back[8] == 0x5a &&
           !RT(cudaMemcpy)(back, b, N, COPY_DEVICE_TO_HOST) && !memcmp(back + 8, host + 50, 16),
       "made all of them");

    void *rows = NULL;
    unsigned char image[6][10], image_back[6][10] = {{0}};
    for (int i = 0; i < 60; i++)
        image[i / 10][i % 10] = (unsigned char)(i + 1);
    ok(!RT(cudaMallocPitch)(&rows, &pitch, 10, 6) && pitch >= 10, "rows");
    ok(!RT(cudaMemcpy2D)(rows, pitch, image, 10, 10, 6, COPY_HOST_TO_DEVICE) &&
           !RT(cudaMemset2D)((char *)rows + 2 * pitch, pitch, 0xee, 4, 2) &&
           !RT(cudaMemcpy2D)(image_back, 10, rows, pitch, 10, 6, COPY_DEVICE_TO_HOST),
       "two-dimensional copies and fills");
    memset(&image[2][0], 0xee, 4);
    memset(&image[3][0], 0xee, 4);
    ok(!memcmp(image, image_back, sizeof image), "moved what they should");
    is_u64(RT(cudaMemcpy2D)(rows, 5, image, 10, 10, 6, COPY_HOST_TO_DEVICE), RT_INVALID_PITCH, "rows that overlap");
    unsigned char box[2][6][10];
    const struct cudaMemcpy3DParms params = {
        .src = {rows, pitch, 10, 3}, .dst = {box, 10, 10, 6}, .extent = {5, 3, 2}, .kind = COPY_DEVICE_TO_HOST};
    memset(box, 0, sizeof box);
    ok(!RT(cudaMemcpy3D)(&params) && box[0][2][1] == image[2][1] && box[1][0][4] == image[3][4] && !box[0][3][0] &&
           !box[0][0][5],
       "a box");

    ok(!RT(cudaHostAlloc)(&pinned, N, 0) && !RT(cudaHostGetFlags)(&flags, pinned), "pinned memory");
    memcpy(pinned, host, N);
    ok(!RT(cudaMemcpyAsync)(a, pinned, N, COPY_HOST_TO_DEVICE, NULL) && !RT(cudaDeviceSynchronize)() &&
           !RT(cudaMemcpy)(back, a, N, COPY_DEVICE_TO_HOST) && !memcmp(back, host, N),
       "is copied from");
    ok(!RT(cudaPointerGetAttributes)(&attributes, pinned) && attributes.type == 1 && attributes.device == 0, "is host memory");
    ok(!RT(cudaPointerGetAttributes)(&attributes, a) && attributes.type == 2 && attributes.device_pointer == a,
       "device memory is device memory");
    ok(!RT(cudaPointerGetAttributes)(&attributes, host) && attributes.type == 0, "and other memory neither");
    void *managed = NULL;
    ok(!RT(cudaMallocManaged)(&managed, N, 1) && !RT(cudaPointerGetAttributes)(&attributes, managed) && attributes.type == 3,
       "managed memory");
    if (managed) {
        memset(managed, 3, N);
        ok(!RT(cudaMemcpy)(back, managed, N, COPY_DEFAULT) && back[N - 1] == 3, "is written by the CPU");
    }
    ok(!RT(cudaMallocAsync)(&rows, 4096, NULL) && !RT(cudaMemsetAsync)(rows, 1, 4096, NULL) && !RT(cudaFreeAsync)(rows, NULL) &&
           !RT(cudaStreamSynchronize)(NULL),
       "allocation in stream order");
    ok(!RT(cudaFree)(managed) && !RT(cudaFreeHost)(pinned) && !RT(cudaFree)(a) && !RT(cudaFree)(b), "all is freed");
    RT(cudaMemGetInfo)(&after, &total);
    RT(cudaGetLastError)();
}

/* What scale makes of I. */
static float scaled(int i, float factor, float add)
{
    return (float)i * factor + add;
}

static int wrong_elements(void *device, float factor, float add)
{
    float back[N];
    int wrong = 0;

    if (RT(cudaMemcpy)(back, device, sizeof back, COPY_DEVICE_TO_HOST))
        return N;
    for (int i = 0; i < N; i++)
        wrong += back[i] != scaled(i, factor, add);
    return wrong;
}

static void fill(void *device)
{
    float values[N];

    for (int i = 0; i < N; i++)
        values[i] = (float)i;
    RT(cudaMemcpy)(device, values, sizeof values, COPY_HOST_TO_DEVICE);
}

static void test_kernels(void)
{
    struct cudaFuncAttributes attributes;
    uint32_t count = 0, n = N;
    float factor = 3, add = 1;
    void *data = NULL, *address = NULL;
    size_t size = 0;
    int blocks = 0;
    const char *name = NULL;
    dim3 one = {1, 1, 1};
    void *args[] = {&data, &n, &add};

    RT(cudaMalloc)(&data, N * sizeof(float));
    fill(data);
    is_u64(launch_scale(data, N, 0.5f, NULL), 0, "a launch as nvcc writes it");
    is_u64(wrong_elements(data, 2, 0.5f), 0, "does its work");
    ok(!RT(cudaMemcpyFromSymbol)(&count, &counter_host, 4, 0, COPY_DEVICE_TO_HOST) && count == 5 + N, "a variable counted it");
    count = 100;
    ok(!RT(cudaMemcpyToSymbol)(&counter_host, &count, 4, 0, COPY_HOST_TO_DEVICE) &&
           !RT(cudaMemcpyToSymbol)(&factor_host, &factor, 4, 0, COPY_HOST_TO_DEVICE),
       "variables are set");
    fill(data);
    ok(!RT(cudaLaunchKernel)(&scale_stub, (dim3){16, 1, 1}, (dim3){64, 1, 1}, args, 0, NULL) && !wrong_elements(data, 3, 1),
       "and what is set is used");
    ok(!RT(cudaGetSymbolAddress)(&address, &counter_host) && !RT(cudaGetSymbolSize)(&size, &counter_host) && size == 4 &&
           !RT(cudaMemcpy)(&count, address, 4, COPY_DEVICE_TO_HOST) && count == 100 + N,
       "a variable's address and size");
    is_u64(RT(cudaMemcpyToSymbol)(&counter_host, &count, 4, 1, COPY_HOST_TO_DEVICE), CUDA_ERROR_INVALID_VALUE,
           "beyond a variable's end");
    is_u64(RT(cudaGetSymbolAddress)(&address, &data), RT_INVALID_SYMBOL, "no variable of ours");
    is_u64(RT(cudaGetSymbolAddress)(&address, &scale_stub), RT_INVALID_SYMBOL, "a kernel is no variable");

    cudaKernel_t kernel = NULL;
    ok(!RT(__cudaGetKernel)(&kernel, &scale_stub) && kernel, "the kernel behind a stub");
    fill(data);
    ok(!RT(__cudaLaunchKernel)(kernel, (dim3){16, 1, 1}, (dim3){64, 1, 1}, args, 0, NULL) && !wrong_elements(data, 3, 1),
       "is launched as nvcc 13 does");
    const struct cudaLaunchConfig_t config = {.grid = {16, 1, 1}, .block = {64, 1, 1}};
    fill(data);
    ok(!RT(cudaLaunchKernelExC)(&config, &scale_stub, args) && !wrong_elements(data, 3, 1), "and with a configuration struct");
    fill(data);
    ok(!RT(cudaLaunchCooperativeKernel)(&scale_stub, (dim3){16, 1, 1}, (dim3){64, 1, 1}, args, 0, NULL) &&
           !wrong_elements(data, 3, 1),
       "and cooperatively");
    fill(data);
    ok(!RT_AS("cudaLaunchKernel_ptsz", cudaLaunchKernel)(&scale_stub, (dim3){16, 1, 1}, (dim3){64, 1, 1}, args, 0, NULL) &&
           !RT(cudaStreamSynchronize)((cudaStream_t)2) && !wrong_elements(data, 3, 1),
       "and on the per-thread default stream");

    is_u64(RT(cudaLaunchKernel)(&scale_stub, (dim3){0, 1, 1}, one, args, 0, NULL), RT_INVALID_CONFIGURATION, "no blocks");
    is_u64(RT(cudaLaunchKernel)(&scale_stub, one, (dim3){2048, 1, 1}, args, 0, NULL), RT_INVALID_CONFIGURATION,
           "too many threads");
    is_u64(RT(cudaLaunchKernel)(&data, one, one, args, 0, NULL), RT_INVALID_DEVICE_FUNCTION, "no kernel of ours");
    is_u64(RT(cudaLaunchKernel)(&missing_stub, one, one, args, 0, NULL), RT_INVALID_DEVICE_FUNCTION,
           "a kernel that its fat binary does not hold");
    is_u64(RT(cudaGetLastError)(), RT_INVALID_DEVICE_FUNCTION, "launches leave their error");

    ok(!RT(cudaFuncGetAttributes)(&attributes, &bounded_stub) && attributes.max_threads == 64 && attributes.ptx_version == 50 &&
       attributes.binary_version == 90, "a kernel's attributes");
    ok(!RT(cudaFuncGetName)(&name, &scale_stub) && !strcmp(name, "scale"), "its name");
    ok(!RT(cudaFuncSetAttribute)(&scale_stub, 8, 8192), "its dynamic shared memory can be raised");
    ok(!RT(cudaOccupancyMaxActiveBlocksPerMultiprocessor)(&blocks, &scale_stub, 128, 0) && blocks > 0, "blocks fit");
    RT(cudaFree)(data);
    RT(cudaGetLastError)();
}

static void note(void *data)
{
    ++*(int *)data;
}

static void test_streams(void)
{
    cudaStream_t stream = NULL;
    cudaEvent_t start = NULL, end = NULL;
    void *data = NULL;
    int called = 0;
    float ms = -1;

    RT(cudaMalloc)(&data, N * sizeof(float));
    fill(data);
    ok(!RT(cudaStreamCreateWithFlags)(&stream, 1) && !RT(cudaEventCreate)(&start) && !RT(cudaEventCreate)(&end), "a stream");
    ok(!RT(cudaEventRecord)(start, stream) && !launch_scale(data, N, 2, stream) && !RT(cudaLaunchHostFunc)(stream, note, &called) &&
           !RT(cudaEventRecord)(end, stream) && !RT(cudaEventSynchronize)(end),
       "runs a kernel and a host function between two events");
    ok(called == 1 && !wrong_elements(data, 3, 2), "both done");
    ok(!RT(cudaEventElapsedTime)(&ms, start, end) && ms >= 0, "time passed");
    ok(!RT(cudaStreamWaitEvent)(NULL, end, 0) && !RT(cudaStreamQuery)(stream) && !RT(cudaEventQuery)(end), "nothing is left");
    ok(!RT(cudaEventDestroy)(start) && !RT(cudaEventDestroy)(end) && !RT(cudaStreamDestroy)(stream), "and all goes");
    is_u64(RT(cudaStreamSynchronize)(stream), CUDA_ERROR_INVALID_HANDLE, "a stream that is gone");
    RT(cudaFree)(data);
    RT(cudaGetLastError)();
}

static void test_entry_points(void)
{
    void *pointer = NULL;
    int found = -1;

    ok(!RT(cudaGetDriverEntryPointByVersion)("cuMemAlloc", &pointer, 12000, 0, &found) && pointer && !found,
       "a driver call by name");
    ok(!RT(cudaGetDriverEntryPointByVersion)("cuNoSuchCall", &pointer, 12000, 0, &found) && !pointer && found == 1,
       "a name that the driver does not have");
}

static void test_faults(void)
{
    void *to = NULL, *data = NULL, *args[] = {&to};
    dim3 one = {1, 1, 1};

    is_u64(RT(cudaLaunchKernel)(&stray_stub, one, one, args, 0, NULL), 0, "a store through a null pointer starts");
    is_u64(RT(cudaDeviceSynchronize)(), 700, "and ends the context");
    is_u64(RT(cudaMalloc)(&data, 64), 700, "for every call");
    is_u64(RT(cudaGetLastError)(), 700, "the error stays");
    is_u64(RT(cudaGetLastError)(), 700, "however often it is asked");
    is_u64(RT(cudaDeviceReset)(), 0, "until the device is reset");
    is_u64(RT(cudaGetLastError)(), 0, "then it is gone");
    ok(!RT(cudaMalloc)(&data, N * sizeof(float)), "and there is memory");
    fill(data);
    is_u64(launch_scale(data, N, 7, NULL), 0, "and kernels are launched");
    is_u64(wrong_elements(data, 2, 7), 0, "with variables as they were at first");
    RT(cudaFree)(data);
}

int main(int argc, char **argv)
{
    open_library(argc > 1 ? argv[1] : VGPU_CUDA_MAJOR == 12 ? "libcudart.so.12" : "libcudart.so.13");
    register_program();
    test_device();
    test_errors();
    test_memory();
    test_kernels();
    test_streams();
    test_entry_points();
    test_faults();
    RT(__cudaUnregisterFatBinary)(program_handle);
    return tap_done();
}
