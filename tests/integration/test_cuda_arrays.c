/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays, batches of copies, and advice about managed memory. argv[1]: vgpu-hostd. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)
enum { U8 = 1, U32 = 3, F32 = 0x20, LAYERED = 1, SPARSE = 0x40 };

static void test_arrays(void)
{
    CUDA_ARRAY_DESCRIPTOR flat = {37, 11, F32, 2}, told;
    CUDA_ARRAY3D_DESCRIPTOR solid = {9, 7, 5, U8, 1, 0}, told3;
    CUarray a, b, row, bad;
    CUdeviceptr linear;
    unsigned char in[9 * 7 * 5], out[9 * 7 * 5];
    float numbers[11][37][2], back[11][37][2], part[4][10][2];
    int same = 1;

    OK(cuArrayCreate_v2(&a, &flat), "an array of pairs of floats");
    OK(cuArrayGetDescriptor_v2(&told, a), "its descriptor");
    ok(told.width == 37 && told.height == 11 && told.format == F32 && told.channels == 2, "is what was asked for");
    for (int y = 0; y < 11; y++)
        for (int x = 0; x < 37; x++)
            numbers[y][x][0] = (float)(y * 100 + x), numbers[y][x][1] = -numbers[y][x][0];
    struct CUDA_MEMCPY2D copy = {.src_type = CU_MEMORYTYPE_HOST, .src_host = numbers, .src_pitch = sizeof numbers[0],
                                 .dst_type = CU_MEMORYTYPE_ARRAY, .dst_array = a, .width = sizeof numbers[0], .height = 11};
    OK(cuMemcpy2D_v2(&copy), "filled from the host");
    copy = (struct CUDA_MEMCPY2D){.src_type = CU_MEMORYTYPE_ARRAY, .src_array = a, .src_x = 3 * 8, .src_y = 5,
                                  .dst_type = CU_MEMORYTYPE_HOST, .dst_host = part, .dst_pitch = sizeof part[0],
                                  .width = sizeof part[0], .height = 4};
    OK(cuMemcpy2DAsync_v2(&copy, NULL), "a part of it");
    OK(cuStreamSynchronize(NULL), "is there");
    for (int y = 0; y < 4; y++)
        same = same && !memcmp(part[y], numbers[5 + y][3], sizeof part[0]);
    ok(same, "and right");
    copy.height = 7;
    is_u64(cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE, "more rows than there are");

    OK(cuArrayCreate_v2(&b, &flat), "another");
    OK(cuMemcpyAtoA_v2(b, 8, a, 8, sizeof numbers - 8), "array to array, across rows");
    OK(cuMemcpyAtoA_v2(b, 0, a, 0, 8), "the rest");
    OK(cuMemcpyAtoH_v2(back, b, 0, sizeof back), "array to host");
    ok(!memcmp(back, numbers, sizeof back), "holds the same");
    is_u64(cuMemcpyAtoH_v2(back, b, 8, sizeof back), CUDA_ERROR_INVALID_VALUE, "beyond its end");
    OK(cuMemAlloc_v2(&linear, sizeof numbers), "linear memory");
    OK(cuMemcpyAtoD_v2(linear, a, 37 * 8, 37 * 8 * 2), "two rows to it");
    OK(cuMemcpyDtoA_v2(b, 0, linear, 37 * 8 * 2), "and to the other array's first");
    OK(cuMemcpyAtoHAsync_v2(back, b, 0, 37 * 8 * 2, NULL), "read");
    OK(cuCtxSynchronize(), "done");
    ok(!memcmp(back, numbers[1], 37 * 8 * 2), "as they were");
    flat = (CUDA_ARRAY_DESCRIPTOR){100, 0, U32, 1};
    OK(cuArrayCreate_v2(&row, &flat), "one row");
    OK(cuMemcpyHtoAAsync_v2(row, 40, numbers, 4 * 90, NULL), "host to array");
    is_u64(cuMemcpyHtoA_v2(row, 44, numbers, 4 * 90), CUDA_ERROR_INVALID_VALUE, "too much");
    OK(cuMemcpyAtoH_v2(back, row, 40, 4 * 90), "back");
    ok(!memcmp(back, numbers, 4 * 90), "as written");

    OK(cuArray3DCreate_v2(&bad, &solid), "three dimensions");
    OK(cuArray3DGetDescriptor_v2(&told3, bad), "descriptor");
    ok(told3.depth == 5 && told3.format == U8, "of three");
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)(i * 3);
    struct CUDA_MEMCPY3D box = {.src_type = CU_MEMORYTYPE_HOST, .src_host = in, .src_pitch = 9, .src_height = 7,
                                .dst_type = CU_MEMORYTYPE_ARRAY, .dst_array = bad, .width = 9, .height = 7, .depth = 5};
    OK(cuMemcpy3D_v2(&box), "a box");
    box = (struct CUDA_MEMCPY3D){.src_type = CU_MEMORYTYPE_ARRAY, .src_array = bad, .src_x = 2, .src_y = 1, .src_z = 3,
                                 .dst_type = CU_MEMORYTYPE_HOST, .dst_host = out, .dst_pitch = 5, .dst_height = 4,
                                 .width = 5, .height = 4, .depth = 2};
    OK(cuMemcpy3D_v2(&box), "a part");
    same = 1;
    for (int z = 0; z < 2; z++)
        for (int y = 0; y < 4; y++)
            same = same && !memcmp(out + (z * 4 + y) * 5, in + ((z + 3) * 7 + y + 1) * 9 + 2, 5);
    ok(same, "is right");
    OK(cuArrayDestroy(bad), "destroyed");
    is_u64(cuArrayDestroy(bad), CUDA_ERROR_INVALID_HANDLE, "once");
    is_u64(cuMemcpy3D_v2(&box), CUDA_ERROR_INVALID_HANDLE, "and not used any more");

    solid.flags = SPARSE;
    is_u64(cuArray3DCreate_v2(&bad, &solid), CUDA_ERROR_NOT_SUPPORTED, "sparse");
    solid = (CUDA_ARRAY3D_DESCRIPTOR){9, 0, 5, U8, 1, 0};
    is_u64(cuArray3DCreate_v2(&bad, &solid), CUDA_ERROR_INVALID_VALUE, "depth without height");
    solid.flags = LAYERED;
    OK(cuArray3DCreate_v2(&bad, &solid), "layers of rows");
    OK(cuArrayDestroy(bad), "destroyed");
    flat = (CUDA_ARRAY_DESCRIPTOR){4, 4, U32, 3};
    is_u64(cuArrayCreate_v2(&bad, &flat), CUDA_ERROR_INVALID_VALUE, "three channels");
    flat = (CUDA_ARRAY_DESCRIPTOR){4, 4, 0x77, 1};
    is_u64(cuArrayCreate_v2(&bad, &flat), CUDA_ERROR_INVALID_VALUE, "no format");
    is_u64(cuArrayCreate_v2(&bad, NULL), CUDA_ERROR_INVALID_VALUE, "no shape");
    OK(cuArrayDestroy(a), "destroyed");
    OK(cuArrayDestroy(b), "destroyed");
    OK(cuArrayDestroy(row), "destroyed");
    OK(cuMemFree_v2(linear), "free");
}

static void test_batches(void)
{
    enum { N = 5, BYTES = 1000 };
    CUdeviceptr memory, dsts[N], srcs[N];
    CUmemcpyAttributes attributes[2] = {{.order = 1}, {.order = 3}};
    size_t sizes[N], indices[2] = {0, 2}, failed;
    unsigned char in[N][BYTES], out[N][BYTES];
    CUstream stream;
    CUarray array;

    OK(cuStreamCreate(&stream, 0), "stream");
    OK(cuMemAlloc_v2(&memory, sizeof in), "memory");
    for (int i = 0; i < N; i++) {
        memset(in[i], i + 1, BYTES);
        dsts[i] = memory + (size_t)(N - 1 - i) * BYTES;
        srcs[i] = (uintptr_t)in[i];
        sizes[i] = BYTES;
    }
    OK(cuMemcpyBatchAsync(dsts, srcs, sizes, N, attributes, indices, 2, &failed, stream), "cuMemcpyBatchAsync");
    OK(cuMemcpyDtoHAsync_v2(out, memory, sizeof out, stream), "read");
    OK(cuStreamSynchronize(stream), "done");
    int same = 1;
    for (int i = 0; i < N; i++)
        same = same && !memcmp(out[N - 1 - i], in[i], BYTES);
    ok(same, "all were copied");
    sizes[3] = 0;
    is_u64(cuMemcpyBatchAsync(dsts, srcs, sizes, N, attributes, indices, 2, &failed, stream), CUDA_ERROR_INVALID_VALUE, "one of no bytes");
    is_u64(failed, 3, "is named");
    sizes[3] = BYTES;
    is_u64(cuMemcpyBatchAsync(dsts, srcs, sizes, N, attributes, indices, 2, &failed, NULL), CUDA_ERROR_INVALID_VALUE,
           "the null stream");
    indices[1] = 0;
    is_u64(cuMemcpyBatchAsync_v2(dsts, srcs, sizes, N, attributes, indices, 2, stream), CUDA_ERROR_INVALID_VALUE, "indices that do not grow");
    indices[1] = 2;
    attributes[0].order = 0;
    is_u64(cuMemcpyBatchAsync_v2(dsts, srcs, sizes, N, attributes, indices, 2, stream), CUDA_ERROR_INVALID_VALUE, "no order");

    CUDA_ARRAY_DESCRIPTOR flat = {8, 6, U32, 1};
    unsigned numbers[6][10], part[3][4];
    OK(cuArrayCreate_v2(&array, &flat), "array");
    for (unsigned y = 0; y < 6; y++)
        for (unsigned x = 0; x < 10; x++)
            numbers[y][x] = y * 1000 + x;
    CUDA_MEMCPY3D_BATCH_OP ops[2] = {
        {.src = {OPERAND_POINTER, .as.pointer = {(uintptr_t)numbers, 10, 6, {0, 0}}}, .dst = {OPERAND_ARRAY, .as.array = {array, 0, 0, 0}},
         .width = 8, .height = 6, .depth = 1, .order = 1},
        {.src = {OPERAND_ARRAY, .as.array = {array, 3, 2, 0}}, .dst = {OPERAND_POINTER, .as.pointer = {(uintptr_t)part, 0, 0, {0, 0}}},
         .width = 4, .height = 3, .depth = 1, .order = 1},
    };
    OK(cuMemcpy3DBatchAsync(2, ops, &failed, 0, stream), "cuMemcpy3DBatchAsync");
    OK(cuStreamSynchronize(stream), "done");
    same = 1;
    for (unsigned y = 0; y < 3; y++)
        same = same && !memcmp(part[y], &numbers[y + 2][3], sizeof part[0]);
    ok(same, "to an array and back");
    ops[1].width = 7;
    is_u64(cuMemcpy3DBatchAsync(2, ops, &failed, 0, stream), CUDA_ERROR_INVALID_VALUE, "beyond the array");
    is_u64(failed, 1, "is named");
    is_u64(cuMemcpy3DBatchAsync_v2(2, ops, 1, stream), CUDA_ERROR_INVALID_VALUE, "flags");
    OK(cuArrayDestroy(array), "destroyed");
    OK(cuMemFree_v2(memory), "free");
    OK(cuStreamDestroy_v2(stream), "destroyed");
}

static void test_advice(void)
{
    enum { SIZE = 1 << 20 };
    CUdeviceptr p, device;
    int value[3];
    CUmemLocation host = {CU_MEM_LOCATION_HOST, 0}, gpu = {CU_MEM_LOCATION_DEVICE, 0};
    size_t sizes[2] = {4, 4}, ranges[2] = {SIZE / 2, SIZE / 2}, indices[2] = {0, 1};
    int kinds[2] = {1, 4}, a, b;
    void *data[2] = {&a, &b};

    OK(cuMemAllocManaged(&p, SIZE, 1), "managed memory");
    OK(cuMemAlloc_v2(&device, SIZE), "device memory");
    OK(cuMemRangeGetAttribute(value, 4, 1, p, SIZE), "read mostly");
    is_u64((unsigned)value[0], 0, "no");
    OK(cuMemAdvise(p, SIZE, 1, 0), "advised");
    OK(cuMemRangeGetAttribute(value, 4, 1, p, SIZE), "read mostly");
    is_u64((unsigned)value[0], 1, "yes");
    OK(cuMemAdvise(p + 4096, 4096, 2, 0), "a part is not");
    OK(cuMemRangeGetAttribute(value, 4, 1, p, SIZE), "all of it");
    is_u64((unsigned)value[0], 0, "is not");
    OK(cuMemRangeGetAttribute(value, 4, 1, p + 8192, 100), "another part");
    is_u64((unsigned)value[0], 1, "is");
    OK(cuMemRangeGetAttribute(value, 4, 2, p, SIZE), "preferred location");
    ok(value[0] == -2, "none");
    OK(cuMemAdvise_v2(p, SIZE, 3, host), "the host");
    OK(cuMemRangeGetAttribute(value, 4, 2, p, SIZE), "preferred location");
    ok(value[0] == -1, "the CPU");
    OK(cuMemRangeGetAttribute(value, 4, 5, p, SIZE), "its type");
    is_u64((unsigned)value[0], CU_MEM_LOCATION_HOST, "host");
    OK(cuMemAdvise_v2(p, SIZE, 5, gpu), "accessed by the device");
    OK(cuMemRangeGetAttribute(value, sizeof value, 3, p, SIZE), "by whom");
    ok(!value[0] && value[1] == -2 && value[2] == -2, "by it alone");
    OK(cuMemPrefetchAsync(p, SIZE, 0, NULL), "prefetched");
    OK(cuMemRangeGetAttributes(data, sizes, kinds, 2, p, SIZE), "two attributes");
    ok(!a && !b, "the device was the last");
    is_u64(cuMemPrefetchAsync(p, SIZE, 3, NULL), CUDA_ERROR_INVALID_DEVICE, "to a device that is none");
    is_u64(cuMemRangeGetAttribute(value, 4, 1, device, SIZE), CUDA_ERROR_INVALID_VALUE, "of memory that is not managed");
    is_u64(cuMemRangeGetAttribute(value, 5, 1, p, SIZE), CUDA_ERROR_INVALID_VALUE, "of a wrong size");
    is_u64(cuMemRangeGetAttribute(value, 4, 1, p, SIZE + 1), CUDA_ERROR_INVALID_VALUE, "too long");

    CUdeviceptr parts[2] = {p, p + SIZE / 2};
    CUmemLocation places[2] = {gpu, host};
    OK(cuMemPrefetchBatchAsync(parts, ranges, 2, places, indices, 2, 0, NULL), "in a batch");
    OK(cuMemRangeGetAttribute(value, 4, 4, parts[1], SIZE / 2), "the second half");
    ok(value[0] == -1, "was fetched to the CPU");
    OK(cuMemRangeGetAttribute(value, 4, 4, p, SIZE), "all of it");
    ok(value[0] == -2, "to no one place");
    OK(cuMemDiscardBatchAsync(parts, ranges, 2, 0, NULL), "discarded");
    OK(cuMemDiscardAndPrefetchBatchAsync(parts, ranges, 2, places, indices, 1, 0, NULL), "and fetched");
    is_u64(cuMemDiscardBatchAsync(&device, ranges, 1, 0, NULL), CUDA_ERROR_INVALID_VALUE, "device memory is not");
    OK(cuMemFree_v2(p), "free");
    OK(cuMemAllocManaged(&p, SIZE, 1), "again");
    OK(cuMemRangeGetAttribute(value, 4, 2, p, SIZE), "preferred location");
    ok(value[0] == -2, "of new memory: none");
    OK(cuMemFree_v2(p), "free");
    OK(cuMemFree_v2(device), "free");
}

int main(int argc, char **argv)
{
    CUcontext context;

    (void)argc;
    start_hostd(argv[1], "h100-pcie", NULL);
    OK(cuInit(0), "cuInit");
    OK(cuCtxCreate_v2(&context, 0, 0), "context");
    test_arrays();
    test_batches();
    test_advice();
    OK(cuCtxDestroy_v2(context), "destroyed");
    return tap_done();
}
