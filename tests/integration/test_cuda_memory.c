/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory through the driver API: allocation, copies of all shapes, pinned, managed and registered memory, virtual memory
 * management, pools. argv[1]: vgpu-hostd. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include <sys/mman.h>
#include <unistd.h>

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)
enum { MIB = 1 << 20, GRANULE = 2 * MIB };

static CUfunction add;

static int launch_add(CUdeviceptr p, unsigned n, unsigned value, CUstream stream)
{
    void *params[] = {&p, &n, &value};

    return cuLaunchKernel(add, (n + 127) / 128, 1, 1, 128, 1, 1, 0, stream, params, NULL);
}

static void test_allocation(void)
{
    CUdeviceptr p[300], base, huge;
    size_t size, before, after, total;
    int distinct = 1;

    OK(cuMemGetInfo_v2(&before, &total), "cuMemGetInfo");
    ok(before <= total && before, "%zu of %zu MiB are free", before >> 20, total >> 20);
    is_u64(cuMemAlloc_v2(&p[0], 0), CUDA_ERROR_INVALID_VALUE, "no bytes");
    is_u64(cuMemAlloc_v2(NULL, 4), CUDA_ERROR_INVALID_VALUE, "nowhere");
    is_u64(cuMemAlloc_v2(&huge, (size_t)1 << 60), CUDA_ERROR_OUT_OF_MEMORY, "an exabyte");
    is_u64(cuMemAlloc_v2(&huge, total * 2), CUDA_ERROR_OUT_OF_MEMORY, "twice all memory");
    for (int i = 0; i < 300; i++)
        if (cuMemAlloc_v2(&p[i], (size_t)i * i * 37 + 1) || p[i] % 256)
            distinct = 0;
    for (int i = 1; i < 300; i++)
        for (int j = 0; j < i; j++)
            if (p[j] < p[i] + (size_t)i * i * 37 + 1 && p[i] < p[j] + (size_t)j * j * 37 + 1)
                distinct = 0;
    ok(distinct, "300 allocations are aligned and apart");
    OK(cuMemGetAddressRange_v2(&base, &size, p[200] + 1000), "cuMemGetAddressRange");
    ok(base == p[200] && size == 200 * 200 * 37 + 1, "is the allocation");
    is_u64(cuMemGetAddressRange_v2(&base, &size, 12345), CUDA_ERROR_NOT_FOUND, "of an address that is none");
    is_u64(cuMemFree_v2(p[200] + 256), CUDA_ERROR_INVALID_VALUE, "freeing a middle");
    int freed = 1;
    for (int i = 0; i < 300; i++)
        freed = freed && !cuMemFree_v2(p[i]);
    ok(freed, "all are freed");
    is_u64(cuMemFree_v2(p[5]), CUDA_ERROR_INVALID_VALUE, "once");
    is_u64(cuMemFree_v2(p[299]), CUDA_ERROR_INVALID_VALUE, "also a large one");
    OK(cuCtxSynchronize(), "the host agrees with all of it");
    /* The executor has told the supervisor; that may take it a moment to read. */
    for (int i = 0; i < 500 && !cuMemGetInfo_v2(&after, &total) && after + 128 * MIB < before; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    ok(after + 128 * MIB >= before, "the memory is free again");

    OK(cuMemAllocPitch_v2(&p[0], &size, 1000, 100, 4), "cuMemAllocPitch");
    is_u64(size, 1024, "pitch");
    OK(cuMemFree_v2(p[0]), "free");
    /* New memory holds nothing of what was there. */
    unsigned char bytes[256];
    int clean = 1;
    OK(cuMemAlloc_v2(&p[0], 4 * MIB), "large");
    OK(cuMemsetD8_v2(p[0], 0xaa, 4 * MIB), "filled");
    OK(cuMemFree_v2(p[0]), "freed");
    OK(cuMemAlloc_v2(&p[0], 4 * MIB), "allocated");
    OK(cuMemcpyDtoH_v2(bytes, p[0] + 3 * MIB, sizeof bytes), "read");
    for (size_t i = 0; i < sizeof bytes; i++)
        clean = clean && !bytes[i];
    ok(clean, "reads as zero");
    OK(cuMemFree_v2(p[0]), "free");
}

/* Copies of random boxes, with and without work under way, against the same done on the host. */
static void test_copies(void)
{
    enum { SIZE = 3 * MIB };
    unsigned char *want = malloc(SIZE), *got = malloc(SIZE), *source = malloc(SIZE);
    CUdeviceptr a, scratch;
    CUstream stream;
    unsigned seed = 1;
    int wrong = 0, failed = 0;

    OK(cuMemAlloc_v2(&a, SIZE), "memory");
    OK(cuMemAlloc_v2(&scratch, SIZE), "more");
    OK(cuStreamCreate(&stream, 1), "stream");
    for (int i = 0; i < SIZE; i++)
        want[i] = (unsigned char)(i * 7 + i / 251);
    OK(cuMemcpyHtoD_v2(a, want, SIZE), "all of it");
    for (int round = 0; round < 200; round++) {
        seed = seed * 1664525 + 1013904223;
        size_t width = 1 + (seed >> 8) % (round % 5 ? 300 : 4000), height = 1 + (seed >> 20) % (round % 3 ? 20 : 150);
        size_t pitch = width + (seed >> 4) % 50, from = (seed >> 3) % 100000, to = (seed >> 5) % 1000000;
        if (round & 1)
            failed += launch_add(scratch, 10000, 1, stream) != 0;
        for (size_t i = 0; i < pitch * height; i++)
            source[i] = (unsigned char)(seed >> (i % 24));
        struct CUDA_MEMCPY2D in = {.src_type = CU_MEMORYTYPE_HOST, .src_host = source, .src_pitch = pitch,
                                   .dst_type = CU_MEMORYTYPE_DEVICE, .dst_device = a + to, .dst_pitch = pitch + 3,
                                   .width = width, .height = height};
        failed += cuMemcpy2DAsync_v2(&in, stream) != 0;
        memset(source + pitch * height, 0, 16);
        for (size_t y = 0; y < height; y++)
            memcpy(want + to + y * (pitch + 3), source + y * pitch, width);
        memset(source, 0, pitch * height); /* the call has taken what it needs */
        struct CUDA_MEMCPY2D move = {.src_type = CU_MEMORYTYPE_DEVICE, .src_device = a, .src_x = 5, .src_y = 1, .src_pitch = pitch + 5,
                                     .dst_type = CU_MEMORYTYPE_UNIFIED, .dst_device = a + 2 * MIB + from % 1000,
                                     .dst_pitch = pitch, .width = width, .height = height};
        failed += cuMemcpy2DAsync_v2(&move, stream) != 0;
        for (size_t y = 0; y < height; y++)
            memmove(want + 2 * MIB + from % 1000 + y * pitch, want + (y + 1) * (pitch + 5) + 5, width);
        failed += cuMemsetD2D8Async(a + from, pitch, (unsigned char)round, width, height, stream) != 0;
        for (size_t y = 0; y < height; y++)
            memset(want + from + y * pitch, round, width);
        if (round % 20 && round != 199)
            continue;
        failed += cuMemcpyDtoHAsync_v2(got, a, SIZE, stream) != 0;
        failed += cuStreamSynchronize(stream) != 0;
        wrong += memcmp(got, want, SIZE) != 0;
    }
    is_u64(failed, 0, "calls that failed");
    is_u64(wrong, 0, "differences");
    is_u64(cuMemcpyHtoD_v2(a + SIZE, want, 8 * MIB), CUDA_ERROR_INVALID_VALUE, "beyond the end");
    is_u64(cuMemcpyDtoH_v2(got, 4096, 16), CUDA_ERROR_INVALID_VALUE, "from an address that is none");
    is_u64(cuMemcpyHtoD_v2(a, NULL, 16), CUDA_ERROR_INVALID_VALUE, "from nothing");
    OK(cuMemcpyHtoD_v2(a, NULL, 0), "no bytes from nothing");
    OK(cuMemsetD32_v2(a, 0x01020304, 16), "cuMemsetD32");
    OK(cuMemsetD16_v2(a + 2, 0x0506, 1), "cuMemsetD16");
    is_u64(cuMemsetD32_v2(a + 2, 0, 1), CUDA_ERROR_INVALID_VALUE, "misaligned");
    OK(cuMemcpyDtoH_v2(got, a, 8), "read");
    ok(!memcmp(got, "\4\3\6\5\4\3\2\1", 8), "as written");
    OK(cuMemcpy(a, a + 1024, 100), "cuMemcpy");
    OK(cuMemFree_v2(a), "free");
    OK(cuMemFree_v2(scratch), "free");
    OK(cuStreamDestroy_v2(stream), "stream");
    free(want);
    free(got);
    free(source);
}

static void test_pinned(void)
{
    unsigned *pinned, *managed, flags, host[4] = {0};
    CUdeviceptr p, device;
    int type;
    uint64_t pointer;
    unsigned is_managed;

    OK(cuMemAllocHost_v2((void **)&pinned, 4096), "cuMemAllocHost");
    OK(cuMemHostGetDevicePointer_v2(&p, pinned, 0), "cuMemHostGetDevicePointer");
    is_u64(p, (uintptr_t)pinned, "is the same address");
    for (int i = 0; i < 1024; i++)
        pinned[i] = (unsigned)i;
    OK(launch_add(p, 1024, 3, NULL), "a kernel on it");
    OK(cuCtxSynchronize(), "done");
    ok(pinned[0] == 3 && pinned[1023] == 1026, "is seen by the CPU");
    OK(cuMemHostGetFlags(&flags, pinned), "flags");
    ok(flags & 2, "mapped");
    OK(cuMemAlloc_v2(&device, 4096), "device memory");
    OK(cuMemcpyHtoDAsync_v2(device, pinned, 4096, NULL), "copied from it");
    OK(cuMemcpyDtoH_v2(host, device + 4092, 4), "and back");
    is_u64(host[0], 1026, "is the same");
    OK(cuMemsetD32_v2(p, 9, 1024), "a memset");
    is_u64(pinned[1000], 9, "is done when it returns");
    OK(cuPointerGetAttribute(&type, 2, p), "memory type");
    is_u64(type, CU_MEMORYTYPE_HOST, "is host's");
    OK(cuPointerGetAttribute(&type, 2, device), "of device memory");
    is_u64(type, CU_MEMORYTYPE_DEVICE, "is device");
    is_u64(cuPointerGetAttribute(&pointer, 4, device), CUDA_ERROR_INVALID_VALUE, "it has no host pointer");
    is_u64(cuPointerGetAttribute(&type, 2, (uintptr_t)host), CUDA_ERROR_INVALID_VALUE, "the stack is no device's");
    is_u64(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE, "cuMemFree of host memory");
    OK(cuMemFreeHost(pinned), "cuMemFreeHost");
    is_u64(cuMemFreeHost(pinned), CUDA_ERROR_INVALID_VALUE, "once");
    is_u64(cuMemFreeHost(host), CUDA_ERROR_INVALID_VALUE, "of other memory");

    OK(cuMemAllocManaged(&p, 5 * MIB, 1), "cuMemAllocManaged");
    managed = (unsigned *)(uintptr_t)p;
    managed[MIB] = 40;
    OK(launch_add(p + 4 * MIB, 1, 2, NULL), "a kernel on it");
    OK(cuCtxSynchronize(), "done");
    is_u64(managed[MIB], 42, "both see it");
    OK(cuPointerGetAttribute(&is_managed, 8, p), "managed");
    is_u64(is_managed, 1, "it is");
    OK(cuMemPrefetchAsync(p, 4096, 0, NULL), "cuMemPrefetchAsync");
    OK(cuMemFree_v2(p), "free");
    OK(cuMemFree_v2(device), "free");
}

static void test_registered(void)
{
    long page = sysconf(_SC_PAGESIZE);
    size_t size = 64 * (size_t)page;
    unsigned *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *file = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0);
    CUdeviceptr p, device;
    unsigned value;
    int on_stack;

    for (unsigned i = 0; i < size / 4; i++)
        pages[i] = i;
    OK(cuMemHostRegister_v2(pages, size, 0), "cuMemHostRegister");
    is_u64(cuMemHostRegister_v2(pages + 100, 4, 0), 712, "twice");
    ok(pages[1000] == 1000, "its contents stay");
    OK(cuMemHostGetDevicePointer_v2(&p, pages + 16, 0), "device pointer");
    OK(launch_add(p, 1000, 1, NULL), "a kernel on it");
    OK(cuCtxSynchronize(), "done");
    ok(pages[15] == 15 && pages[16] == 17 && pages[1015] == 1016 && pages[1016] == 1016, "is seen through the old pointer");
    OK(cuMemAlloc_v2(&device, size), "device memory");
    OK(cuMemcpyHtoDAsync_v2(device, pages, size, NULL), "copied from it");
    OK(cuMemcpyDtoH_v2(&value, device + 64, 4), "read");
    is_u64(value, 17, "is right");
    OK(cuMemHostUnregister(pages), "cuMemHostUnregister");
    ok(pages[16] == 17 && pages[size / 4 - 1] == size / 4 - 1, "its contents stay");
    is_u64(cuMemHostUnregister(pages), 713, "once");
    is_u64(cuMemHostRegister_v2(&on_stack, 4, 0), CUDA_ERROR_NOT_SUPPORTED, "the stack");
    is_u64(cuMemHostRegister_v2((void *)test_ptx, 4, 0), CUDA_ERROR_NOT_SUPPORTED, "read-only memory");
    if (file != MAP_FAILED)
        munmap(file, (size_t)page);
    munmap(pages, size);
    OK(cuMemFree_v2(device), "free");
}

static void test_virtual(void)
{
    struct CUmemAllocationProp prop = {.type = 1, .location = {1, 0}};
    struct CUmemAccessDesc access = {.location = {1, 0}, .flags = 3};
    CUmemGenericAllocationHandle h[2];
    CUdeviceptr va, other;
    size_t granularity;
    uint64_t flags;
    unsigned value;
    const size_t reserve = (size_t)32 << 30;

    OK(cuMemGetAllocationGranularity(&granularity, &prop, 0), "granularity");
    is_u64(granularity, GRANULE, "is a granule");
    OK(cuMemAddressReserve(&va, reserve, 0, 0, 0), "32 GiB reserved");
    OK(cuMemAddressReserve(&other, GRANULE, 0, va, 0), "wanting a taken address");
    ok(other != va && (other >= va + reserve || other + GRANULE <= va), "gives another");
    is_u64(cuMemAddressReserve(&other, 1000, 0, 0, 0), CUDA_ERROR_INVALID_VALUE, "an odd size");
    OK(cuMemCreate(&h[0], 4 * GRANULE, &prop, 0), "cuMemCreate");
    OK(cuMemCreate(&h[1], GRANULE, &prop, 0), "cuMemCreate");
    is_u64(cuMemCreate(&h[1], 1000, &prop, 0), CUDA_ERROR_INVALID_VALUE, "an odd size");
    OK(cuMemMap(va, 4 * GRANULE, 0, h[0], 0), "cuMemMap");
    is_u64(cuMemMap(va + GRANULE, GRANULE, 0, h[1], 0), CUDA_ERROR_INVALID_VALUE, "over it");
    OK(cuMemMap(va + 4 * GRANULE, GRANULE, 0, h[1], 0), "behind it");
    is_u64(cuMemcpyDtoH_v2(&value, va, 4), CUDA_ERROR_INVALID_VALUE, "no access yet");
    OK(cuMemSetAccess(va, 5 * GRANULE, &access, 1), "cuMemSetAccess");
    OK(cuMemGetAccess(&flags, &access.location, va), "cuMemGetAccess");
    is_u64(flags, 3, "read and write");
    OK(cuMemRelease(h[0]), "cuMemRelease");
    OK(cuMemRelease(h[1]), "cuMemRelease");
    is_u64(cuMemRelease(h[1]), CUDA_ERROR_INVALID_VALUE, "once");
    OK(cuMemsetD32_v2(va, 5, 5 * GRANULE / 4), "across both");
    OK(launch_add(va + 4 * GRANULE - 4, 2, 1, NULL), "a kernel across both");
    OK(cuMemcpyDtoH_v2(&value, va + 4 * GRANULE, 4), "read");
    is_u64(value, 6, "is right");
    is_u64(cuMemAddressFree(va, reserve), CUDA_ERROR_INVALID_VALUE, "freeing what is mapped");
    is_u64(cuMemUnmap(va, GRANULE), CUDA_ERROR_INVALID_VALUE, "unmapping a part");
    OK(cuMemUnmap(va, 5 * GRANULE), "cuMemUnmap");
    is_u64(cuMemcpyDtoH_v2(&value, va, 4), CUDA_ERROR_INVALID_VALUE, "gone");
    OK(cuMemAddressFree(va, reserve), "cuMemAddressFree");
    is_u64(cuMemAddressFree(va, reserve), CUDA_ERROR_INVALID_VALUE, "once");
    prop.location.type = 2;
    is_u64(cuMemCreate(&h[0], GRANULE, &prop, 0), CUDA_ERROR_NOT_SUPPORTED, "on the host");
    OK(cuCtxSynchronize(), "the host agrees");
}

static void test_pools(void)
{
    CUmemoryPool pool;
    CUdeviceptr p, q;
    CUstream stream;
    uint64_t used;
    unsigned value;

    OK(cuStreamCreate(&stream, 1), "stream");
    OK(cuDeviceGetDefaultMemPool(&pool, 0), "default pool");
    OK(cuMemAllocAsync(&p, 4096, stream), "cuMemAllocAsync");
    OK(cuMemPoolGetAttribute(pool, 7, &used), "used");
    is_u64(used, 4096, "is counted");
    OK(cuMemsetD32Async(p, 1, 1024, stream), "used");
    OK(launch_add(p, 1024, 1, stream), "in a kernel");
    OK(cuMemAllocAsync(&q, 3 * MIB, stream), "another");
    OK(cuMemcpyDtoDAsync_v2(q, p, 4096, stream), "copied");
    OK(cuMemFreeAsync(p, stream), "cuMemFreeAsync");
    OK(cuMemcpyDtoHAsync_v2(&value, q + 4092, 4, stream), "read");
    OK(cuStreamSynchronize(stream), "done");
    is_u64(value, 2, "in order");
    OK(cuMemFree_v2(q), "cuMemFree takes it too");
    is_u64(cuMemFreeAsync(p, stream), CUDA_ERROR_INVALID_VALUE, "freed twice");
    is_u64(cuMemPoolGetAttribute((CUmemoryPool)&p, 7, &used), CUDA_ERROR_INVALID_VALUE, "what is no pool");
    OK(cuStreamDestroy_v2(stream), "stream");
}

int main(int argc, char **argv)
{
    CUcontext context;
    CUmodule module;

    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    if (!OK(cuInit(0), "cuInit") || !OK(cuDevicePrimaryCtxRetain(&context, 0), "context") ||
        !OK(cuCtxSetCurrent(context), "current") || !OK(cuModuleLoadData(&module, test_ptx), "module") ||
        !OK(cuModuleGetFunction(&add, module, "add"), "kernel"))
        return tap_done();
    test_allocation();
    test_copies();
    test_pinned();
    test_registered();
    test_virtual();
    test_pools();
    OK(cuCtxSynchronize(), "no error is left");
    return tap_done();
}
