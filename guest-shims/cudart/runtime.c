/* SPDX-License-Identifier: Apache-2.0 */
/* Initialisation, and the device that a thread uses. */
#include "cudart/runtime.h"

#include <pthread.h>

/* Set by cudaSetDevice; the first device otherwise. */
static _Thread_local int thread_device;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static CUcontext primary[RUNTIME_MAX_DEVICES]; /* retained by the runtime, once for the process */
static CUcontext was_primary[RUNTIME_MAX_DEVICES]; /* until cudaDeviceReset */
static bool resets; /* there were any; atomic */

cudaError_t runtime_init(void)
{
    static int ready; /* atomic: cuInit succeeded and the version was compared */
    int32_t version = 0;

    if (__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
        return 0;
    CUresult error = cuInit(0);
    if (!error)
        error = cuDriverGetVersion(&version);
    if (error)
        return error;
    /* Within a major version a newer runtime works on an older driver; that is CUDA's minor version compatibility. */
    if (version / 1000 < VGPU_CUDA_MAJOR) {
        vgpu_log(VGPU_LOG_ERROR, "the driver is of CUDA %d.%d, this runtime needs %d.0", version / 1000, version % 1000 / 10,
                 VGPU_CUDA_MAJOR);
        return RT_INSUFFICIENT_DRIVER;
    }
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    return 0;
}

cudaError_t runtime_device(int device)
{
    int32_t count = 0;
    cudaError_t error = runtime_init();

    if (!error)
        error = cuDeviceGetCount(&count);
    if (error)
        return error;
    if (!count)
        return CUDA_ERROR_NO_DEVICE;
    return device < 0 || device >= count || device >= RUNTIME_MAX_DEVICES ? CUDA_ERROR_INVALID_DEVICE : 0;
}

/* Makes DEVICE's primary context current. */
static cudaError_t bind(int device)
{
    cudaError_t error = runtime_device(device);
    CUcontext context = NULL;

    if (error)
        return error;
    pthread_mutex_lock(&lock);
    if (!primary[device])
        error = cuDevicePrimaryCtxRetain(&primary[device], device);
    if (error)
        primary[device] = NULL;
    context = primary[device];
    pthread_mutex_unlock(&lock);
    return error ? error : cuCtxSetCurrent(context);
}

/* A primary context that another thread's cudaDeviceReset ended is made anew by whoever needs it next. */
static bool ended(CUcontext context)
{
    bool is_ended = false;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < RUNTIME_MAX_DEVICES; i++)
        is_ended |= !primary[i] && was_primary[i] == context;
    pthread_mutex_unlock(&lock);
    return is_ended;
}

cudaError_t runtime_enter(void)
{
    CUcontext context = NULL;
    cudaError_t error = runtime_init();

    if (!error)
        error = cuCtxGetCurrent(&context);
    if (error)
        return error;
    return context && !(__atomic_load_n(&resets, __ATOMIC_ACQUIRE) && ended(context)) ? 0 : bind(thread_device);
}

cudaError_t runtime_current(int *device)
{
    CUcontext context = NULL;
    cudaError_t error = runtime_init();

    if (!error && !cuCtxGetCurrent(&context) && context && !cuCtxGetDevice(device))
        return 0;
    *device = thread_device;
    return error;
}

cudaError_t finish(cudaError_t error, cudaStream_t stream)
{
    return error ? error : cuStreamSynchronize(stream);
}

cudaError_t impl_cudaSetDevice(int32_t device)
{
    cudaError_t error = bind(device);

    if (!error)
        thread_device = device;
    return report(error);
}

cudaError_t impl_cudaInitDevice(int32_t device, uint32_t device_flags, uint32_t flags)
{
    CUcontext before = NULL;
    cudaError_t error = runtime_device(device);

    /* The one flag, cudaInitDeviceFlagsAreValid, says that device_flags counts. */
    if (!error && flags & ~1u)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error && flags & 1)
        error = cuDevicePrimaryCtxSetFlags_v2(device, device_flags);
    if (error)
        return report(error);
    cuCtxGetCurrent(&before);
    error = bind(device);
    if (!error)
        error = cuCtxSetCurrent(before);
    return report(error);
}

cudaError_t impl_cudaGetDevice(int32_t *device)
{
    if (!device)
        return report(CUDA_ERROR_INVALID_VALUE);
    return report(runtime_current(device));
}

cudaError_t impl_cudaDeviceReset(void)
{
    int device;
    cudaError_t error = runtime_current(&device);

    if (!error)
        error = runtime_device(device);
    if (error)
        return report(error);
    pthread_mutex_lock(&lock);
    error = cuDevicePrimaryCtxReset_v2(device);
    if (primary[device])
        was_primary[device] = primary[device];
    primary[device] = NULL;
    __atomic_store_n(&resets, true, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
    cuCtxSetCurrent(NULL);
    thread_device = device;
    forget_error();
    return report(error);
}

cudaError_t impl_cudaThreadExit(void)
{
    return impl_cudaDeviceReset();
}

cudaError_t impl_cudaDeviceSynchronize(void)
{
    cudaError_t error = runtime_enter();

    return report(error ? error : cuCtxSynchronize());
}

cudaError_t impl_cudaThreadSynchronize(void)
{
    return impl_cudaDeviceSynchronize();
}

cudaError_t impl_cudaSetDeviceFlags(uint32_t flags)
{
    int device;
    cudaError_t error = runtime_current(&device);

    if (!error)
        error = runtime_device(device);
    return report(error ? error : cuDevicePrimaryCtxSetFlags_v2(device, flags));
}

cudaError_t impl_cudaGetDeviceFlags(uint32_t *flags)
{
    int device;
    int32_t active;
    CUcontext context = NULL;
    cudaError_t error = runtime_current(&device);

    if (!error && !flags)
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error)
        error = runtime_device(device);
    if (error)
        return report(error);
    if (!cuCtxGetCurrent(&context) && context)
        error = cuCtxGetFlags(flags);
    else
        error = cuDevicePrimaryCtxGetState(device, flags, &active);
    *flags |= 8; /* cudaDeviceMapHost: always so */
    return report(error);
}
