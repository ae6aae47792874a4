/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays, managed variables and memory nodes through the runtime API. */
#include "cudart_program.h"

enum { W = 13, H = 6, FLOAT = 2 };

static const cudaChannelFormatDesc pairs = {32, 32, 0, 0, FLOAT};

static void test_arrays(void)
{
    cudaArray_t array = NULL, other = NULL;
    cudaChannelFormatDesc desc;
    cudaExtent extent;
    uint32_t flags = 9;
    float in[H][W][2], out[H][W][2], part[2][4][2];
    int same = 1;

    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            in[y][x][0] = (float)(100 * y + x), in[y][x][1] = -in[y][x][0];
    ok(!RT(cudaMallocArray)(&array, &pairs, W, H, 0) && !RT(cudaMallocArray)(&other, &pairs, W, H, 0), "two arrays");
    ok(!RT(cudaArrayGetInfo)(&desc, &extent, &flags, array) && desc.x == 32 && desc.y == 32 && !desc.z && desc.f == FLOAT &&
           extent.width == W && extent.height == H && !extent.depth && !flags, "are what was asked for");
    is_u64(RT(cudaMallocArray)(&array, &(cudaChannelFormatDesc){8, 16, 0, 0, 0}, W, H, 0), 20, "unequal channels");
    is_u64(RT(cudaMallocArray)(&array, &(cudaChannelFormatDesc){8, 8, 8, 0, 0}, W, H, 0), 20, "three channels");
    ok(!RT(cudaMemcpy2DToArray)(array, 0, 0, in, sizeof in[0], sizeof in[0], H, COPY_HOST_TO_DEVICE), "filled");
    ok(!RT(cudaMemcpy2DFromArray)(part, sizeof part[0], array, 3 * 8, 2, sizeof part[0], 2, COPY_DEVICE_TO_HOST), "a part");
    for (int y = 0; y < 2; y++)
        same = same && !memcmp(part[y], in[2 + y][3], sizeof part[0]);
    ok(same, "is right");
    ok(!RT(cudaMemcpy2DArrayToArray)(other, 0, 0, array, 0, 0, sizeof in[0], H, COPY_DEVICE_TO_DEVICE), "array to array");
    memset(out, 0, sizeof out);
    ok(!RT(cudaMemcpyFromArray)(out, other, 0, 0, sizeof out, COPY_DEVICE_TO_HOST) && !memcmp(in, out, sizeof in), "all of it");
    memset(out, 0, sizeof out);
    ok(!RT(cudaMemcpyToArray)(other, 5 * 8, 1, in, 20 * 8, COPY_HOST_TO_DEVICE) &&
           !RT(cudaMemcpyFromArray)(out, other, 5 * 8, 1, 20 * 8, COPY_DEVICE_TO_HOST) && !memcmp(in, out, 20 * 8),
       "across rows");
    is_u64(RT(cudaMemcpyToArray)(other, 0, H - 1, in, sizeof in, COPY_HOST_TO_DEVICE), 1, "beyond the end");
    ok(!RT(cudaMemcpyArrayToArray)(other, 0, 0, array, 0, 1, 2 * sizeof in[0], COPY_DEVICE_TO_DEVICE) &&
           !RT(cudaMemcpyFromArray)(out, other, 0, 0, 2 * sizeof in[0], COPY_DEVICE_TO_HOST) &&
           !memcmp(in[1], out, 2 * sizeof in[0]), "rows of one in another");

    struct cudaMemcpy3DParms box = {.src_array = array, .src_pos = {2, 1, 0}, .extent = {4, 2, 1}, .kind = COPY_DEVICE_TO_HOST,
                                    .dst = {part, sizeof part[0], 4, 2}};
    ok(!RT(cudaMemcpy3D)(&box) && !memcmp(part[1], in[2][2], sizeof part[0]), "a box, counted in elements");
    ok(!RT(cudaFreeArray)(array) && !RT(cudaFreeArray)(other) && !RT(cudaFreeArray)(NULL), "freed");
    is_u64(RT(cudaFreeArray)(array), 400, "once");
}

static const char managed_ptx[] = ".version 7.0\n.target sm_50\n.address_size 64\n"
                                  ".visible .global .attribute(.managed) .align 4 .u32 shared = 11;\n"
                                  ".visible .entry twice() { .reg .b32 %a; ld.global.u32 %a, [shared]; add.u32 %a, %a, %a;\n"
                                  " st.global.u32 [shared], %a; ret; }\n";
static struct {
    uint32_t magic;
    uint16_t version, header;
    uint64_t size;
    uint16_t kind, member_version;
    uint32_t member_header;
    uint64_t stored;
    uint32_t compressed, unused0;
    uint16_t minor, major;
    uint32_t sm;
    uint64_t names, flags, unused1, unpacked;
    char text[(sizeof managed_ptx + 7) / 8 * 8];
} image = {0xba55ed50, 1, 16, sizeof image - 16, 1, 0x101, 64, sizeof image.text, 0, 0, 0, 7, 50, 0, 0, 0, 0, ""};
static struct {
    uint32_t magic, version;
    const void *data;
    void *others;
} wrapper = {0x466243b1, 1, &image, NULL};

/* What the compiler makes of __managed__ unsigned shared = 11: the program sees it through a pointer that the runtime fills. */
static void test_managed(void)
{
    static volatile uint32_t *shared;
    static char twice_stub;

    memcpy(image.text, managed_ptx, sizeof managed_ptx);
    void **handle = RT(__cudaRegisterFatBinary)((void *)&wrapper);
    RT(__cudaRegisterFunction)(handle, (void *)&twice_stub, (void *)&twice_stub, "twice", -1, NULL, NULL, NULL, NULL, NULL);
    RT(__cudaRegisterManagedVar)(handle, (void **)&shared, NULL, "shared", 0, 4, 0, 0);
    RT(__cudaRegisterFatBinaryEnd)(handle);
    RT(__cudaInitModule)(handle);
    if (!ok(shared != NULL, "a managed variable has an address"))
        return;
    is_u64(*shared, 11, "the CPU reads it");
    *shared = 20;
    ok(!RT(cudaLaunchKernel)(&twice_stub, (dim3){1, 1, 1}, (dim3){1, 1, 1}, NULL, 0, NULL) && !RT(cudaDeviceSynchronize)(),
       "a kernel writes it");
    is_u64(*shared, 40, "as the CPU sees");
    RT(__cudaUnregisterFatBinary)(handle);
}

static void test_memory_nodes(void)
{
    struct CUDA_MEM_ALLOC_NODE_PARAMS params = {.pool = {.type = 1, .location = {1, 0}}, .bytes = 4096};
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaGraphNode_t alloc, free_it;
    uint64_t used = 1;

    ok(!RT(cudaGraphCreate)(&graph, 0) && !RT(cudaGraphAddMemAllocNode)(&alloc, graph, NULL, 0, (void *)&params) &&
           params.address, "a graph that allocates");
    ok(!RT(cudaGraphAddMemFreeNode)(&free_it, graph, &alloc, 1, (void *)(uintptr_t)params.address), "and frees");
    ok(!RT(cudaGraphInstantiate)(&exec, graph, 0) && !RT(cudaGraphLaunch)(exec, NULL) && !RT(cudaGraphLaunch)(exec, NULL) &&
           !RT(cudaDeviceSynchronize)(), "runs twice");
    ok(!RT(cudaDeviceGetGraphMemAttribute)(0, 0, &used) && !used, "and keeps nothing");
    ok(!RT(cudaGraphExecDestroy)(exec) && !RT(cudaGraphDestroy)(graph), "goes");
}

int main(void)
{
    open_library(VGPU_CUDA_MAJOR == 12 ? "libcudart.so.12" : "libcudart.so.13");
    register_program();
    test_arrays();
    test_managed();
    test_memory_nodes();
    is_u64(RT(cudaGetLastError)(), 400, "the last error is the last");
    return tap_done();
}
