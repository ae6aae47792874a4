/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime API in the ways that processes use it: hidden devices, looking without touching, threads, forks, images that
 * cannot be loaded. */
#include "cudart_program.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vgpu_protocol.h"

enum { N = 512, THREADS = 4, ROUNDS = 20 };

static const char *soname = VGPU_CUDA_MAJOR == 12 ? "libcudart.so.12" : "libcudart.so.13";

/* Runs FN in a child; its exit status. */
static int in_child(int (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (!pid)
        _exit(fn());
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int count_devices(void)
{
    int count = 9, error;

    open_library(soname);
    error = RT(cudaGetDeviceCount)(&count);
    return count ? 200 : error;
}

static int hidden(void)
{
    setenv("CUDA_VISIBLE_DEVICES", "-1", 1);
    return count_devices();
}

static int no_hostd(void)
{
    setenv("VGPU_SOCKET", "/nonexistent/hostd.sock", 1);
    setenv("VGPU_LOG", "error:/dev/null", 1);
    return count_devices();
}

/* Whether discovery as ggml does it leaves the device untouched. */
static int discover(void)
{
    struct cudaDeviceProp prop;
    int count = 0, active = 1, value = 0;
    uint32_t flags;
    char pci[32];

    open_library(soname);
    register_program();
    if (RT(cudaGetDeviceCount)(&count) || count != 1 || RT(cudaGetDevice)(&value) || value ||
        RT_AS(VGPU_CUDA_MAJOR == 12 ? "cudaGetDeviceProperties_v2" : "cudaGetDeviceProperties", cudaGetDeviceProperties)(&prop, 0) ||
        RT(cudaDeviceGetAttribute)(&value, 95, 0) || RT(cudaDeviceGetPCIBusId)(pci, sizeof pci, 0))
        return 1;
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    __typeof__(&cuDevicePrimaryCtxGetState) state = driver ? dlsym(driver, "cuDevicePrimaryCtxGetState") : NULL;
    return !state || state(0, &flags, &active) || active ? 2 : 0;
}

static int after_fork(void)
{
    void *data;
    int error = RT(cudaMalloc)(&data, 16);

    return error ? error : 200;
}

/* ---- threads ---- */

static void *work(void *argument)
{
    float add = (float)(uintptr_t)argument, back[N];
    intptr_t wrong = 0;
    void *data = NULL;
    uint32_t n = N;
    void *args[] = {&data, &n, &add};
    const cudaStream_t own = (cudaStream_t)2;

    wrong += RT(cudaMalloc)(&data, sizeof back) != 0;
    for (int round = 0; round < ROUNDS; round++) {
        wrong += RT(cudaMemsetAsync)(data, 0, sizeof back, own) != 0;
        wrong += RT(cudaLaunchKernel)(&scale_stub, (dim3){N / 64, 1, 1}, (dim3){64, 1, 1}, args, 0, own) != 0;
        wrong += RT(cudaMemcpyAsync)(back, data, sizeof back, COPY_DEVICE_TO_HOST, own) != 0;
        wrong += RT(cudaStreamSynchronize)(own) != 0;
        for (int i = 0; i < N; i++)
            wrong += back[i] != add;
    }
    RT(cudaFree)((void *)1); /* the error is this thread's alone */
    wrong += RT(cudaGetLastError)() != CUDA_ERROR_INVALID_VALUE;
    wrong += RT(cudaFree)(data) != 0;
    return (void *)wrong;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    uint32_t count = 0;
    intptr_t wrong = 0;

    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        wrong += (intptr_t)result;
    }
    is_u64(wrong, 0, "%d threads with memory and a stream each", THREADS);
    is_u64(RT(cudaPeekAtLastError)(), 0, "their errors are not ours");
    ok(!RT(cudaMemcpyFromSymbol)(&count, &counter_host, 4, 0, COPY_DEVICE_TO_HOST), "a variable");
    is_u64(count, 5 + THREADS * ROUNDS * N, "counted all of them");
}

/* ---- images ---- */

static void test_images(void)
{
    static const char nonsense[64] = "this is no image";
    static const char broken[] = ".version 7.0\n.target sm_50\n.address_size 64\n.visible .entry k() { add.u32 %none, 1; }\n";
    static const struct {
        uint32_t magic, version;
        const void *data;
        void *others;
    } wrappers[] = {{0x466243b1, 1, nonsense, NULL}, {0x466243b1, 1, broken, NULL}, {0x12345678, 1, broken, NULL},
                    {0x466243b1, 1, NULL, NULL}};
    static char stubs[4];
    dim3 one = {1, 1, 1};

    for (int i = 0; i < 4; i++) {
        void **handle = RT(__cudaRegisterFatBinary)((void *)&wrappers[i]);
        RT(__cudaRegisterFunction)(handle, &stubs[i], &stubs[i], "k", -1, NULL, NULL, NULL, NULL, NULL);
        RT(__cudaRegisterFatBinaryEnd)(handle);
        int error = RT(cudaLaunchKernel)(&stubs[i], one, one, NULL, 0, NULL);
        ok(error == CUDA_ERROR_INVALID_IMAGE || error == 218, "image %d is refused: %d", i, error);
        is_u64(RT(cudaLaunchKernel)(&stubs[i], one, one, NULL, 0, NULL), error, "again");
        cudaKernel_t kernel = (cudaKernel_t)&one;
        is_u64(RT(__cudaGetKernel)(&kernel, &stubs[i]), error, "also as nvcc 13 asks");
        is_u64(RT(__cudaLaunchKernel)(kernel, one, one, NULL, 0, NULL), error, "and launches");
        RT(__cudaUnregisterFatBinary)(handle);
        is_u64(RT(cudaLaunchKernel)(&stubs[i], one, one, NULL, 0, NULL), RT_INVALID_DEVICE_FUNCTION, "a kernel that is gone");
    }
    RT(cudaGetLastError)();
}

/* ---- nonsense ---- */

static void test_nonsense(void)
{
    int here = 0;
    void *const wild[] = {(void *)8, (void *)0x1234567, &here, (void *)~(uintptr_t)7, (void *)(VGPU_WINDOW_BASE + 64)};
    void *out = NULL;
    dim3 one = {1, 1, 1};
    int accepted = 0, calls = 0;

#define TRY(call) (calls++, accepted += (call) == 0)
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
        void *w = wild[i];
        TRY(RT(cudaStreamSynchronize)(w));
        TRY(RT(cudaStreamDestroy)(w));
        TRY(RT(cudaStreamBeginCapture)(w, 0));
        TRY(RT(cudaStreamWaitEvent)(NULL, w, 0));
        TRY(RT(cudaEventRecord)(w, NULL));
        TRY(RT(cudaEventDestroy)(w));
        TRY(RT(cudaEventElapsedTime)((float *)&here, w, w));
        TRY(RT(cudaGraphInstantiate)((cudaGraphExec_t *)&out, w, 0));
        TRY(RT(cudaGraphLaunch)(w, NULL));
        TRY(RT(cudaGraphExecUpdate)(w, w, NULL));
        TRY(RT(cudaGraphExecDestroy)(w));
        TRY(RT(cudaGraphDestroy)(w));
        TRY(RT(cudaGraphNodeGetType)(w, &here));
        TRY(RT(cudaLibraryUnload)(w));
        TRY(RT(cudaLibraryGetKernel)((cudaKernel_t *)&out, w, "k"));
        TRY(RT(cudaLaunchKernel)(w, one, one, NULL, 0, NULL));
        TRY(RT(__cudaLaunchKernel)(w, one, one, NULL, 0, NULL));
        TRY(RT(cudaFuncGetAttributes)((struct cudaFuncAttributes[1]){{0}}, w));
        TRY(RT(cudaMemcpyToSymbol)(w, &here, 4, 0, COPY_HOST_TO_DEVICE));
        TRY(RT(cudaFree)(w));
        TRY(RT(cudaFreeHost)(w));
        TRY(RT(cudaHostUnregister)(w));
        TRY(RT(cudaMemPoolDestroy)(w));
        TRY(RT(cudaMemcpy)(w, w, 1 << 20, COPY_DEVICE_TO_DEVICE));
        TRY(RT(cudaMemset)(w, 0, 1 << 20));
    }
    TRY(RT(cudaMalloc)(NULL, 16));
    TRY(RT(cudaGetDeviceProperties)(NULL, 0));
    TRY(RT(cudaGetDeviceCount)(NULL));
    TRY(RT(cudaDeviceGetAttribute)(NULL, 1, 0));
    TRY(RT(cudaDeviceGetAttribute)(&here, -5, 0));
    TRY(RT(cudaDeviceGetAttribute)(&here, 100000, 0));
    TRY(RT(cudaDeviceGetPCIBusId)(NULL, 32, 0));
    TRY(RT(cudaDeviceGetPCIBusId)((char *)&here, 2, 0));
    TRY(RT(cudaDeviceGetByPCIBusId)(&here, "zz:zz"));
    TRY(RT(cudaFuncGetAttributes)(NULL, &scale_stub));
    TRY(RT(cudaStreamCreate)(NULL));
    TRY(RT(cudaEventCreateWithFlags)((cudaEvent_t *)&out, 0xffff));
    TRY(RT(cudaPointerGetAttributes)(NULL, &here));
    TRY(RT(cudaLaunchKernelExC)(NULL, &scale_stub, NULL));
    TRY(RT(cudaLaunchKernel)(&scale_stub, one, one, NULL, 0, NULL)); /* it has parameters */
#undef TRY
    is_u64(accepted, 0, "%d calls with nonsense are refused", calls);
    RT(cudaGetLastError)();
}

int main(void)
{
    is_u64(in_child(hidden), CUDA_ERROR_NO_DEVICE, "a device that CUDA_VISIBLE_DEVICES hides");
    is_u64(in_child(no_hostd), CUDA_ERROR_NO_DEVICE, "no device at all");
    is_u64(in_child(discover), 0, "discovery makes no context");
    open_library(soname);
    register_program();
    test_images();
    test_nonsense();
    test_threads();
    is_u64(in_child(after_fork), CUDA_ERROR_NOT_INITIALIZED, "a forked child has no CUDA");
    void *data = NULL;
    ok(!RT(cudaMalloc)(&data, 16) && !RT(cudaFree)(data), "its parent still has");
    return tap_done();
}
