/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's own state: which device a thread uses, which fat binaries the program brought, the last error.
 *
 * Functions return a cudaError_t. The runtime's numbers for driver errors are the driver's own, so a CUresult is handed on as
 * it is. Entry points end with report(). */
#ifndef VGPU_CUDART_RUNTIME_H
#define VGPU_CUDART_RUNTIME_H

#include <stdbool.h>

#include "channel/hooks.h"
#include "cudart/cudart_abi.h"

#define RUNTIME_VERSION (VGPU_CUDA_MAJOR == 12 ? 12090 : 13000)
#define RUNTIME_MAX_DEVICES 16

/* Keeps ERROR as the thread's last error, if it is one, and returns it. */
cudaError_t report(cudaError_t error);
void forget_error(void);

/* The driver is up and new enough. */
cudaError_t runtime_init(void);
/* And the calling thread has a context: its own, or else the primary one of its device, which is made now if need be. */
cudaError_t runtime_enter(void);
/* And DEVICE exists. */
cudaError_t runtime_device(int device);
/* The calling thread's device, without making anything. */
cudaError_t runtime_current(int *device);

/* The stream of a call that has no stream argument. */
static inline cudaStream_t default_stream(void)
{
    return vgpu_per_thread_stream ? (cudaStream_t)VGPU_PER_THREAD_STREAM : NULL;
}
/* Ends a synchronous call that submitted its work to STREAM. */
cudaError_t finish(cudaError_t error, cudaStream_t stream);

/* Defines a call that is the driver's own once there is a context. */
#define PASS(name, params, call)                 \
    cudaError_t impl_##name params               \
    {                                            \
        cudaError_t error = runtime_enter();     \
        return report(error ? error : (call));   \
    }

/* ---- what the program registered ---- */

/* The kernel behind a __global__ function's host address; a cudaKernel_t or cudaFunction_t is taken as itself. In the driver
 * either may be used as a CUfunction. */
cudaError_t registry_kernel(const void *host, CUkernel *kernel);
/* Its function in the current context. */
cudaError_t registry_function(const void *host, CUfunction *function);
/* Address and size of the __device__ or __constant__ variable behind a host address. */
cudaError_t registry_variable(const void *host, uint64_t *address, size_t *size);
/* The address of SIZE bytes at OFFSET in it; INVALID_VALUE when it ends before. */
cudaError_t registry_range(const void *host, size_t size, size_t offset, uint64_t *address);
/* The host address that was registered for a kernel, or KERNEL itself. */
void *registry_host(void *kernel, void *function);

static inline CUfunction as_function(CUkernel kernel)
{
    return (CUfunction)kernel;
}

#endif
