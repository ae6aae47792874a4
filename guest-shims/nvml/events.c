/* SPDX-License-Identifier: Apache-2.0 */
/* Event sets: they can be made and waited for, but the device raises no events, so that there is nothing to register. */
#include <stdlib.h>
#include <time.h>

#include "nvml/nvml.h"

struct nvmlEventSet_st {
    uint64_t magic;
};
#define SET_MAGIC UINT64_C(0x7465736c6d766e)

static nvmlReturn_t check(nvmlEventSet_t set)
{
    nvmlReturn_t status = nvml_enter_system();

    return status ? status : set && set->magic == SET_MAGIC ? NVML_SUCCESS : NVML_INVALID_ARGUMENT;
}

nvmlReturn_t impl_nvmlEventSetCreate(nvmlEventSet_t *set)
{
    nvmlReturn_t status = nvml_enter_system();

    if (!status && !set)
        status = NVML_INVALID_ARGUMENT;
    if (status)
        return status;
    *set = malloc(sizeof **set);
    if (!*set)
        return NVML_UNKNOWN;
    (*set)->magic = SET_MAGIC;
    return NVML_SUCCESS;
}

nvmlReturn_t impl_nvmlEventSetFree(nvmlEventSet_t set)
{
    nvmlReturn_t status = check(set);

    if (!status) {
        set->magic = 0;
        free(set);
    }
    return status;
}

nvmlReturn_t impl_nvmlDeviceRegisterEvents(nvmlDevice_t device, uint64_t types, nvmlEventSet_t set)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status)
        status = check(set);
    return status ? status : types ? NVML_NOT_SUPPORTED : NVML_SUCCESS;
}

nvmlReturn_t impl_nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, uint32_t milliseconds)
{
    enum { TIMEOUT = 10 };
    struct timespec wait = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    nvmlReturn_t status = check(set);

    if (!status && !data)
        status = NVML_INVALID_ARGUMENT;
    if (status)
        return status;
    nanosleep(&wait, NULL);
    return TIMEOUT;
}

nvmlReturn_t impl_nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, uint32_t milliseconds)
{
    return impl_nvmlEventSetWait_v2(set, data, milliseconds);
}
