/* SPDX-License-Identifier: Apache-2.0 */
/* cuInit, and what every entry point begins with. */
#include <stdlib.h>
#include <string.h>

#include "cuda/defer.h"
#include "cuda/visible.h"

struct vgpu_driver vgpu_driver = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .device = {.bar0_fd = -1, .bar2_fd = -1, .socket = -1, .doorbell = -1},
    .next_id = 16, /* small numbers are left to the streams that have no handle */
};

/* A child of fork shares none of the parent's device memory (MADV_DONTFORK), nor its channel. */
static bool forked;
static bool ending;

static void after_fork(void)
{
    if (!vgpu_driver.initialized)
        return;
    forked = true;
    vgpu_driver.device.transport->forget(&vgpu_driver.device);
}

/* At exit the channel is closed at once, not when somebody notices. Calls of destructors that run later fail. */
__attribute__((destructor)) static void end(void)
{
    ending = true;
    if (!vgpu_driver.open || forked)
        return;
    vgpu_driver.open = false;
    vgpu_defer_stop();
    vgpu_drain_print(&vgpu_driver.channel);
    vgpu_channel_leave(&vgpu_driver.channel);
}

uint64_t vgpu_new_id(void)
{
    return __atomic_fetch_add(&vgpu_driver.next_id, 1, __ATOMIC_RELAXED);
}

int vgpu_attribute(int attribute)
{
    const struct vgpu_profile *profile = vgpu_profile();

    if (attribute < 0 || attribute >= VGPU_ATTRIBUTES || !(profile->attribute_known[attribute / 64] >> attribute % 64 & 1))
        return 0;
    return profile->attributes[attribute];
}

static int init_locked(void)
{
    struct vgpu_device *device = &vgpu_driver.device;
    int status = 0;

    if (vgpu_driver.initialized)
        return 0;
    if (!device->transport)
        status = vgpu_device_find(device);
    if (status)
        return status;
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (visible && !vgpu_visible(visible, device->profile.uuid)) {
        vgpu_log(VGPU_LOG_WARN, "CUDA_VISIBLE_DEVICES=%s names no device", visible);
        return CUDA_ERROR_NO_DEVICE;
    }
    pthread_atfork(NULL, NULL, after_fork);
    __atomic_store_n(&vgpu_driver.initialized, true, __ATOMIC_RELEASE);
    vgpu_log(VGPU_LOG_INFO, "%s at %s (%s)", device->profile.name, device->where, device->transport->name);
    return 0;
}

CUresult impl_cuInit(uint32_t flags)
{
    if (flags)
        return CUDA_ERROR_INVALID_VALUE;
    if (forked)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (ending)
        return CUDA_ERROR_DEINITIALIZED;
    vgpu_logs_begin();
    pthread_mutex_lock(&vgpu_driver.lock);
    int status = init_locked();
    pthread_mutex_unlock(&vgpu_driver.lock);
    return status;
}

int vgpu_enter_init(void)
{
    if (ending)
        return CUDA_ERROR_DEINITIALIZED;
    if (forked || !__atomic_load_n(&vgpu_driver.initialized, __ATOMIC_ACQUIRE))
        return CUDA_ERROR_NOT_INITIALIZED;
    return vgpu_in_host_function() ? CUDA_ERROR_NOT_PERMITTED : 0;
}

int vgpu_enter_device(CUdevice device)
{
    int status = vgpu_enter_init();

    return status ? status : device ? CUDA_ERROR_INVALID_DEVICE : 0;
}

int vgpu_enter(struct CUctx_st **context)
{
    int status = vgpu_enter_init();

    if (status)
        return status;
    *context = vgpu_current();
    if (!*context)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (!(*context)->alive)
        return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    return vgpu_channel_status(&vgpu_driver.channel);
}

int vgpu_open_locked(void)
{
    struct vgpu_driver *d = &vgpu_driver;

    if (d->open)
        return 0;
    int status = vgpu_channel_open(&d->channel, &d->device);
    if (status)
        return status;
    status = vgpu_memory_init(&d->memory, &d->channel);
    if (status)
        vgpu_channel_close(&d->channel);
    else
        d->open = true;
    d->heap = 0;
    return status;
}

/* What the driver itself says; it needs no cuInit. Where no device is found there is no profile to ask. */
uint32_t vgpu_driver_version(void)
{
    return vgpu_driver.device.transport && vgpu_profile()->driver_version ? vgpu_profile()->driver_version : 13010;
}

CUresult impl_cuDriverGetVersion(int32_t *version)
{
    if (!version)
        return CUDA_ERROR_INVALID_VALUE;
    *version = (int32_t)vgpu_driver_version();
    return CUDA_SUCCESS;
}
