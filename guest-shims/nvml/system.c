/* SPDX-License-Identifier: Apache-2.0 */
/* Initialisation, handles and versions. */
#include "nvml/nvml.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The device is found once and kept: closing it again would be a different moment to lose it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vgpu_device the_device = {.bar0_fd = -1, .bar2_fd = -1, .socket = -1, .doorbell = -1};
static bool found;
static unsigned users; /* nvmlInit without its nvmlShutdown; atomic */

#define HANDLE ((nvmlDevice_t)&the_device)
enum { INIT_NO_GPUS = 1 };

static nvmlReturn_t of_cuda(int status)
{
    switch (status) {
    case 0: return NVML_SUCCESS;
    case VGPU_ERROR_NO_DEVICE: return NVML_DRIVER_NOT_LOADED;
    case VGPU_ERROR_DRIVER_MISMATCH: return NVML_LIB_RM_VERSION_MISMATCH;
    default: return NVML_UNKNOWN;
    }
}

nvmlReturn_t impl_nvmlInitWithFlags(uint32_t flags)
{
    nvmlReturn_t status = NVML_SUCCESS;

    if (flags & ~3u)
        return NVML_INVALID_ARGUMENT;
    pthread_mutex_lock(&lock);
    if (!found) {
        status = of_cuda(vgpu_device_find(&the_device));
        found = !status;
    }
    if (status == NVML_DRIVER_NOT_LOADED && flags & INIT_NO_GPUS)
        status = NVML_SUCCESS;
    if (!status)
        __atomic_add_fetch(&users, 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
    return status;
}

nvmlReturn_t impl_nvmlInit_v2(void)
{
    return impl_nvmlInitWithFlags(0);
}

nvmlReturn_t impl_nvmlInit(void)
{
    return impl_nvmlInitWithFlags(0);
}

nvmlReturn_t impl_nvmlShutdown(void)
{
    nvmlReturn_t status = NVML_UNINITIALIZED;

    pthread_mutex_lock(&lock);
    if (users) {
        __atomic_sub_fetch(&users, 1, __ATOMIC_RELEASE);
        status = NVML_SUCCESS;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

nvmlReturn_t nvml_enter_system(void)
{
    return __atomic_load_n(&users, __ATOMIC_ACQUIRE) ? NVML_SUCCESS : NVML_UNINITIALIZED;
}

nvmlReturn_t nvml_enter(nvmlDevice_t device)
{
    nvmlReturn_t status = nvml_enter_system();

    return status ? status : device == HANDLE && found ? NVML_SUCCESS : NVML_INVALID_ARGUMENT;
}

const struct vgpu_profile *nvml_profile(void)
{
    return &the_device.profile;
}

bool nvml_attribute(int attribute, int *value)
{
    const struct vgpu_profile *profile = nvml_profile();

    *value = profile->attributes[attribute];
    return profile->attribute_known[attribute / 64] >> attribute % 64 & 1;
}

uint32_t nvml_register(uint32_t offset)
{
    return vgpu_device_register(&the_device, offset);
}

nvmlReturn_t nvml_text(char *buffer, uint32_t length, const char *text)
{
    if (!buffer)
        return NVML_INVALID_ARGUMENT;
    if (!*text)
        return NVML_NOT_SUPPORTED;
    if (length <= strlen(text))
        return NVML_INSUFFICIENT_SIZE;
    strcpy(buffer, text);
    return NVML_SUCCESS;
}

/* ---- texts of errors ---- */

const char *impl_nvmlErrorString(nvmlReturn_t result)
{
    static const struct {
        int result;
        const char *text;
    } texts[] = {
        {0, "Success"},
        {1, "Uninitialized"},
        {2, "Invalid Argument"},
        {3, "Not Supported"},
        {4, "Insufficient Permissions"},
        {5, "Already Initialized"},
        {6, "Not Found"},
        {7, "Insufficient Size"},
        {8, "Insufficient External Power"},
        {9, "Driver Not Loaded"},
        {10, "Timeout"},
        {11, "Interrupt Request Issue"},
        {12, "NVML Shared Library Not Found"},
        {13, "Function Not Found"},
        {14, "Corrupted infoROM"},
        {15, "GPU is lost"},
        {16, "GPU requires reset"},
        {17, "GPU access blocked by the operating system"},
        {18, "Driver/library version mismatch"},
        {19, "In use by another client"},
        {20, "Insufficient Memory"},
        {21, "No data"},
        {22, "vGPU ECC not supported"},
        {23, "Insufficient Resources"},
        {24, "Frequency not supported"},
        {25, "Argument version mismatch"},
        {26, "Deprecated"},
        {27, "Not ready"},
        {28, "GPU not found"},
        {29, "Invalid state"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].result == result)
            return texts[i].text;
    return "Unknown Error";
}

/* ---- versions ---- */

nvmlReturn_t impl_nvmlSystemGetDriverVersion(char *version, uint32_t length)
{
    nvmlReturn_t status = nvml_enter_system();

    return status ? status : nvml_text(version, length, nvml_profile()->nvml_driver);
}

/* NVML's own version is the driver's with the CUDA major version in front. */
nvmlReturn_t impl_nvmlSystemGetNVMLVersion(char *version, uint32_t length)
{
    char text[48];
    nvmlReturn_t status = nvml_enter_system();

    if (status)
        return status;
    snprintf(text, sizeof text, "%u.%s", nvml_profile()->driver_version / 1000, nvml_profile()->nvml_driver);
    return nvml_text(version, length, text);
}

nvmlReturn_t impl_nvmlSystemGetCudaDriverVersion_v2(int32_t *version)
{
    nvmlReturn_t status = nvml_enter_system();

    if (!status && !version)
        status = NVML_INVALID_ARGUMENT;
    if (!status)
        *version = (int32_t)nvml_profile()->driver_version;
    return status;
}

nvmlReturn_t impl_nvmlSystemGetCudaDriverVersion(int32_t *version)
{
    return impl_nvmlSystemGetCudaDriverVersion_v2(version);
}

nvmlReturn_t impl_nvmlSystemGetProcessName(uint32_t pid, char *name, uint32_t length)
{
    char path[32], text[256];
    nvmlReturn_t status = nvml_enter_system();

    if (status)
        return status;
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return NVML_NOT_FOUND;
    size_t n = fread(text, 1, sizeof text - 1, file); /* the first argument ends with a NUL of its own */
    fclose(file);
    text[n] = 0;
    return n ? nvml_text(name, length, text) : NVML_NOT_FOUND;
}

/* ---- handles ---- */

nvmlReturn_t impl_nvmlDeviceGetCount_v2(uint32_t *count)
{
    nvmlReturn_t status = nvml_enter_system();

    if (!status && !count)
        status = NVML_INVALID_ARGUMENT;
    if (!status)
        *count = found;
    return status;
}

nvmlReturn_t impl_nvmlDeviceGetCount(uint32_t *count)
{
    return impl_nvmlDeviceGetCount_v2(count);
}

/* The device if it IS the one asked for. */
static nvmlReturn_t handle(nvmlDevice_t *device, bool is, nvmlReturn_t otherwise)
{
    if (!found || !is)
        return otherwise;
    *device = HANDLE;
    return NVML_SUCCESS;
}

nvmlReturn_t impl_nvmlDeviceGetHandleByIndex_v2(uint32_t index, nvmlDevice_t *device)
{
    nvmlReturn_t status = nvml_enter_system();

    if (!status && !device)
        status = NVML_INVALID_ARGUMENT;
    return status ? status : handle(device, index == 0, NVML_INVALID_ARGUMENT);
}

nvmlReturn_t impl_nvmlDeviceGetHandleByIndex(uint32_t index, nvmlDevice_t *device)
{
    return impl_nvmlDeviceGetHandleByIndex_v2(index, device);
}

nvmlReturn_t impl_nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    char text[48];
    nvmlReturn_t status = nvml_enter_system();

    if (!status && (!uuid || !device))
        status = NVML_INVALID_ARGUMENT;
    if (!status && found)
        status = impl_nvmlDeviceGetUUID(HANDLE, text, sizeof text);
    return status ? status : handle(device, found && !strcasecmp(uuid, text), NVML_NOT_FOUND);
}

nvmlReturn_t impl_nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device)
{
    nvmlReturn_t status = nvml_enter_system();

    if (!status && (!serial || !device))
        status = NVML_INVALID_ARGUMENT;
    return status ? status : handle(device, *serial && !strcmp(serial, nvml_profile()->serial), NVML_NOT_FOUND);
}

/* "domain:bus:device.function" in hex, the domain and the function may be missing. */
nvmlReturn_t impl_nvmlDeviceGetHandleByPciBusId_v2(const char *id, nvmlDevice_t *device)
{
    const struct vgpu_profile *p = nvml_profile();
    unsigned domain = 0, bus, slot, function = 0;
    nvmlReturn_t status = nvml_enter_system();

    if (!status && (!id || !device))
        status = NVML_INVALID_ARGUMENT;
    if (status)
        return status;
    if (sscanf(id, "%x:%x:%x.%x", &domain, &bus, &slot, &function) < 3) {
        domain = function = 0;
        if (sscanf(id, "%x:%x.%x", &bus, &slot, &function) < 2)
            return NVML_INVALID_ARGUMENT;
    }
    bool is = domain == p->pci_domain && bus == p->pci_bus && slot == p->pci_device && function == p->pci_function;
    return handle(device, is, NVML_NOT_FOUND);
}

nvmlReturn_t impl_nvmlDeviceGetHandleByPciBusId(const char *id, nvmlDevice_t *device)
{
    return impl_nvmlDeviceGetHandleByPciBusId_v2(id, device);
}
