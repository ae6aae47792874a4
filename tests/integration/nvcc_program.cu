/* SPDX-License-Identifier: Apache-2.0 */
/* What a program in CUDA C++ does first: compiled by NVIDIA's compiler and linked with its runtime or ours. */
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <cstdio>

namespace cg = cooperative_groups;

static int tests, failed;

static void ok(bool good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++tests, what);
    failed += !good;
}

static bool fine(cudaError_t error)
{
    if (error)
        printf("# %d %s\n", (int)error, cudaGetErrorString(error));
    return !error;
}

__constant__ int factor[4] = {1, 2, 3, 4};
__device__ int counter;
__managed__ int both = 5;

__global__ void add(const float *a, const float *b, float *c, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;

    if (i < n)
        c[i] = a[i] + b[i];
}

__global__ void scale(int *p, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;

    if (i < n)
        p[i] = i * factor[i % 4];
    if (!i)
        counter = 77;
}

__global__ void twice(int *p)
{
    p[threadIdx.x] *= 2;
    if (!threadIdx.x)
        both++;
}

__global__ void say(int x)
{
    printf("# thread %d says %d\n", threadIdx.x, x);
}

__global__ void meet(int *p, int blocks)
{
    if (!threadIdx.x)
        atomicAdd(p, 1);
    cg::this_grid().sync();
    if (!threadIdx.x && *(volatile int *)p != blocks)
        p[1] = 1;
}

__global__ void turn(int *p)
{
    extern __shared__ int s[];

    s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    p[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}

static void on_host(void *p)
{
    *(int *)p = 42;
}

enum { N = 1000 };

static void test_device()
{
    int count = 0, runtime = 0, driver = 0;
    cudaDeviceProp prop;

    ok(fine(cudaGetDeviceCount(&count)) && count == 1, "one device");
    ok(fine(cudaRuntimeGetVersion(&runtime)) && fine(cudaDriverGetVersion(&driver)) && driver >= runtime, "versions");
    ok(fine(cudaGetDeviceProperties(&prop, 0)) && prop.warpSize == 32 && prop.totalGlobalMem && prop.name[0], "properties");
}

static void test_kernel()
{
    float *a, *b, *c, h[N], g[N];
    bool good = true;

    for (int i = 0; i < N; i++)
        h[i] = (float)i;
    ok(fine(cudaMalloc(&a, sizeof h)) && fine(cudaMalloc(&b, sizeof h)) && fine(cudaMalloc(&c, sizeof h)), "cudaMalloc");
    ok(fine(cudaMemcpy(a, h, sizeof h, cudaMemcpyHostToDevice)) && fine(cudaMemcpy(b, h, sizeof h, cudaMemcpyHostToDevice)),
       "filled");
    add<<<4, 256>>>(a, b, c, N);
    ok(fine(cudaGetLastError()) && fine(cudaMemcpy(g, c, sizeof g, cudaMemcpyDeviceToHost)), "a kernel");
    for (int i = 0; i < N; i++)
        good = good && g[i] == 2 * i;
    ok(good, "adds");
    add<<<1, 2000>>>(a, b, c, N);
    ok(cudaGetLastError() != cudaSuccess, "a block too large");
    ok(fine(cudaFree(a)) && fine(cudaFree(b)) && fine(cudaFree(c)), "cudaFree");
}

static void test_stream()
{
    int *pinned, *p, other[4] = {7, 7, 7, 9}, got = 0, flag = 0;
    cudaEvent_t begin, end;
    cudaStream_t s;
    float ms = -1;
    bool good = true;

    ok(fine(cudaStreamCreate(&s)) && fine(cudaEventCreate(&begin)) && fine(cudaEventCreate(&end)), "a stream, events");
    ok(fine(cudaMallocHost(&pinned, N * sizeof *p)) && fine(cudaMallocAsync((void **)&p, N * sizeof *p, s)),
       "pinned and pooled memory");
    fine(cudaEventRecord(begin, s));
    scale<<<4, 256, 0, s>>>(p, N);
    ok(fine(cudaMemcpyAsync(pinned, p, N * sizeof *p, cudaMemcpyDeviceToHost, s)) && fine(cudaEventRecord(end, s)) &&
       fine(cudaEventSynchronize(end)), "copied in the stream");
    ok(fine(cudaEventElapsedTime(&ms, begin, end)) && ms >= 0, "events have times");
    for (int i = 0; i < N; i++)
        good = good && pinned[i] == i * (i % 4 + 1);
    ok(good, "constants as initialised");
    ok(fine(cudaMemcpyToSymbol(factor, other, sizeof other)) && fine(cudaMemcpyFromSymbol(&got, counter, sizeof got)) &&
       got == 77, "symbols");
    scale<<<4, 256, 0, s>>>(p, N);
    ok(fine(cudaMemcpyAsync(pinned, p, N * sizeof *p, cudaMemcpyDeviceToHost, s)) && fine(cudaStreamSynchronize(s)) &&
       pinned[3] == 27 && pinned[5] == 35, "constants as copied");
    ok(fine(cudaLaunchHostFunc(s, on_host, &flag)) && fine(cudaStreamSynchronize(s)) && flag == 42, "a host function");
    ok(fine(cudaFreeAsync(p, s)) && fine(cudaStreamDestroy(s)) && fine(cudaFreeHost(pinned)), "all freed");
}

static void test_memory()
{
    cudaPointerAttributes attributes;
    int *u;

    ok(fine(cudaMallocManaged(&u, 64 * sizeof *u)), "managed memory");
    ok(both == 5, "a managed variable before all kernels");
    both = 20;
    for (int i = 0; i < 64; i++)
        u[i] = i;
    twice<<<1, 64>>>(u);
    ok(fine(cudaDeviceSynchronize()) && u[63] == 126 && u[1] == 2 && both == 21, "seen from both sides");
    ok(fine(cudaPointerGetAttributes(&attributes, u)) && attributes.type == cudaMemoryTypeManaged, "is known as such");
    ok(fine(cudaFuncSetAttribute(turn, cudaFuncAttributeMaxDynamicSharedMemorySize, 60000)), "more shared memory");
    turn<<<1, 64, 60000>>>(u);
    ok(fine(cudaDeviceSynchronize()) && u[0] == 63 && u[63] == 0, "is there");
}

static void test_special()
{
    int *p, blocks = 0, grid = 8, h[2];
    void *args[] = {&p, &grid};
    cudaGraphExec_t exec;
    cudaGraph_t graph;
    cudaStream_t s;

    say<<<1, 2>>>(123);
    ok(fine(cudaDeviceSynchronize()), "printf");
    ok(fine(cudaMalloc(&p, 8)) && fine(cudaMemset(p, 0, 8)), "cudaMemset");
    ok(fine(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, meet, 64, 0)) && blocks > 0, "occupancy");
    ok(fine(cudaLaunchCooperativeKernel((void *)meet, dim3(grid), dim3(64), args, 0, 0)) &&
       fine(cudaMemcpy(h, p, 8, cudaMemcpyDeviceToHost)) && h[0] == grid && !h[1], "a cooperative launch");
    ok(fine(cudaMemset(p, 1, 8)) && fine(cudaStreamCreate(&s)) && fine(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal)),
       "a capture");
    twice<<<1, 2, 0, s>>>(p);
    ok(fine(cudaStreamEndCapture(s, &graph)) && fine(cudaGraphInstantiate(&exec, graph, 0)) && fine(cudaGraphLaunch(exec, s)) &&
       fine(cudaGraphLaunch(exec, s)) && fine(cudaStreamSynchronize(s)), "a graph, launched twice");
    ok(fine(cudaMemcpy(h, p, 8, cudaMemcpyDeviceToHost)) && h[1] == 0x01010101 * 4, "ran twice");
}

int main()
{
    void *p;

    test_device();
    test_kernel();
    test_stream();
    test_memory();
    test_special();
    ok(fine(cudaDeviceReset()), "reset");
    ok(fine(cudaMalloc(&p, 16)) && fine(cudaFree(p)), "and again");
    printf("1..%d\n", tests);
    return failed != 0;
}
