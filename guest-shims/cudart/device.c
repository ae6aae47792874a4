/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: how many, which one, and what may be set. Nothing here makes a context that the call does not need. */
#include <string.h>

#include "cudart/runtime.h"

/* A call on a device that needs no context. */
#define DEVICE_PASS(name, params, call)             \
    cudaError_t impl_##name params                  \
    {                                               \
        cudaError_t error = runtime_device(device); \
        return report(error ? error : (call));      \
    }

cudaError_t impl_cudaGetDeviceCount(int32_t *count)
{
    cudaError_t error = count ? runtime_init() : CUDA_ERROR_INVALID_VALUE;

    if (!error)
        error = cuDeviceGetCount(count);
    if (error && count)
        *count = 0;
    return report(error || *count ? error : CUDA_ERROR_NO_DEVICE);
}

cudaError_t impl_cudaDriverGetVersion(int32_t *version)
{
    return report(version ? cuDriverGetVersion(version) : CUDA_ERROR_INVALID_VALUE);
}

cudaError_t impl_cudaRuntimeGetVersion(int32_t *version)
{
    if (!version)
        return report(CUDA_ERROR_INVALID_VALUE);
    *version = RUNTIME_VERSION;
    return 0;
}

/* cudaDeviceAttr has the driver's numbers. */
DEVICE_PASS(cudaDeviceGetAttribute, (int32_t *value, cudaDeviceAttr attr, int32_t device),
            value ? cuDeviceGetAttribute(value, attr, device) : CUDA_ERROR_INVALID_VALUE)
DEVICE_PASS(cudaDeviceGetPCIBusId, (char *id, int32_t length, int32_t device), cuDeviceGetPCIBusId(id, length, device))

cudaError_t impl_cudaDeviceGetByPCIBusId(int32_t *device, const char *id)
{
    cudaError_t error = runtime_init();

    return report(error ? error : cuDeviceGetByPCIBusId(device, id));
}

/* ---- peers: a device has none ---- */

cudaError_t impl_cudaDeviceCanAccessPeer(int32_t *can, int32_t device, int32_t peer)
{
    cudaError_t error = can ? runtime_device(device) : CUDA_ERROR_INVALID_VALUE;

    if (!error)
        error = runtime_device(peer);
    return report(error ? error : cuDeviceCanAccessPeer(can, device, peer));
}

cudaError_t impl_cudaDeviceGetP2PAttribute(int32_t *value, cudaDeviceP2PAttr attr, int32_t device, int32_t peer)
{
    cudaError_t error = value ? runtime_device(device) : CUDA_ERROR_INVALID_VALUE;

    if (!error)
        error = runtime_device(peer);
    return report(error ? error : cuDeviceGetP2PAttribute(value, attr, device, peer));
}

cudaError_t impl_cudaDeviceEnablePeerAccess(int32_t peer, uint32_t flags)
{
    cudaError_t error = runtime_device(peer);

    if (!error && flags)
        error = CUDA_ERROR_INVALID_VALUE;
    return report(error ? error : CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
}

cudaError_t impl_cudaDeviceDisablePeerAccess(int32_t peer)
{
    cudaError_t error = runtime_device(peer);

    return report(error ? error : 705); /* cudaErrorPeerAccessNotEnabled */
}

/* ---- settings of the context ---- */

PASS(cudaDeviceSetLimit, (cudaLimit limit, size_t value), cuCtxSetLimit(limit, value))
PASS(cudaDeviceGetLimit, (size_t *value, cudaLimit limit), cuCtxGetLimit(value, limit))
PASS(cudaDeviceSetCacheConfig, (cudaFuncCache config), cuCtxSetCacheConfig(config))
PASS(cudaDeviceGetCacheConfig, (cudaFuncCache *config), cuCtxGetCacheConfig(config))
PASS(cudaDeviceSetSharedMemConfig, (cudaSharedMemConfig config), cuCtxSetSharedMemConfig(config))
PASS(cudaDeviceGetSharedMemConfig, (cudaSharedMemConfig *config), cuCtxGetSharedMemConfig(config))
PASS(cudaDeviceGetStreamPriorityRange, (int32_t *least, int32_t *greatest), cuCtxGetStreamPriorityRange(least, greatest))
PASS(cudaCtxResetPersistingL2Cache, (void), cuCtxResetPersistingL2Cache())

cudaError_t impl_cudaThreadSetLimit(cudaLimit limit, size_t value)
{
    return impl_cudaDeviceSetLimit(limit, value);
}

cudaError_t impl_cudaThreadGetLimit(size_t *value, cudaLimit limit)
{
    return impl_cudaDeviceGetLimit(value, limit);
}

cudaError_t impl_cudaThreadSetCacheConfig(cudaFuncCache config)
{
    return impl_cudaDeviceSetCacheConfig(config);
}

cudaError_t impl_cudaThreadGetCacheConfig(cudaFuncCache *config)
{
    return impl_cudaDeviceGetCacheConfig(config);
}

cudaError_t impl_cudaSetValidDevices(int32_t *devices, int32_t count)
{
    cudaError_t error = !devices && count ? CUDA_ERROR_INVALID_VALUE : runtime_init();

    for (int i = 0; i < count && !error; i++)
        error = runtime_device(devices[i]);
    return report(error);
}

/* ---- the driver's entry points, by name ---- */

static cudaError_t entry_point(const char *symbol, void **pointer, uint32_t version, uint64_t flags, int *status)
{
    enum { PER_THREAD_DEFAULT_STREAM = 2 };
    int found = 0;
    cudaError_t error = runtime_init();

    if (!error && (!symbol || !pointer))
        error = CUDA_ERROR_INVALID_VALUE;
    if (!error) {
        *pointer = NULL;
        error = cuGetProcAddress_v2(symbol, pointer, (int)version,
                                    !flags && vgpu_per_thread_stream ? PER_THREAD_DEFAULT_STREAM : flags, &found);
    }
    /* With a place for the status, a symbol that is not there is an answer and no error. */
    if (status)
        *status = found;
    return report(error == CUDA_ERROR_NOT_FOUND && status ? 0 : error);
}

cudaError_t impl_cudaGetDriverEntryPoint(const char *symbol, void **pointer, uint64_t flags,
                                         cudaDriverEntryPointQueryResult *status)
{
    return entry_point(symbol, pointer, RUNTIME_VERSION, flags, status);
}

cudaError_t impl_cudaGetDriverEntryPointByVersion(const char *symbol, void **pointer, uint32_t version, uint64_t flags,
                                                  cudaDriverEntryPointQueryResult *status)
{
    return entry_point(symbol, pointer, version, flags, status);
}

/* ---- other ---- */

PASS(cudaProfilerStart, (void), cuProfilerStart())
PASS(cudaProfilerStop, (void), cuProfilerStop())

cudaChannelFormatDesc impl_cudaCreateChannelDesc(int32_t x, int32_t y, int32_t z, int32_t w, cudaChannelFormatKind f)
{
    return (cudaChannelFormatDesc){x, y, z, w, f};
}
