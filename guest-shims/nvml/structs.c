/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are structs: PCI address, memory, utilisation, processes, fields. */
#include <stdio.h>

#include "nvml/nvml.h"

/* ---- PCI ---- */

static nvmlReturn_t pci_info(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    const struct vgpu_profile *p = nvml_profile();
    nvmlReturn_t status = nvml_enter(device);

    if (!status && !pci)
        status = NVML_INVALID_ARGUMENT;
    if (status)
        return status;
    snprintf(pci->bus_id_legacy, sizeof pci->bus_id_legacy, "%04X:%02X:%02X.0", p->pci_domain & 0xffff, p->pci_bus & 0xff,
             p->pci_device & 0xff);
    pci->domain = p->pci_domain;
    pci->bus = p->pci_bus;
    pci->device = p->pci_device;
    pci->pci_device_id = p->pci_device_id << 16 | p->pci_vendor_id;
    pci->subsystem_id = p->pci_subsystem << 16 | p->pci_subsystem_vendor;
    return NVML_SUCCESS;
}

nvmlReturn_t impl_nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    nvmlReturn_t status = pci_info(device, pci);

    if (!status)
        snprintf(pci->bus_id, sizeof pci->bus_id, "%08X:%02X:%02X.0", pci->domain, pci->bus & 0xff, pci->device & 0xff);
    return status;
}

/* Older callers pass four reserved words behind the subsystem id, and no long bus id. */
nvmlReturn_t impl_nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    return pci_info(device, pci);
}

nvmlReturn_t impl_nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    return pci_info(device, pci);
}

nvmlReturn_t impl_nvmlDeviceGetPciInfoExt(nvmlDevice_t device, nvmlPciInfoExt_t *pci)
{
    nvmlPciInfo_t info;
    nvmlReturn_t status = pci ? impl_nvmlDeviceGetPciInfo_v3(device, &info) : NVML_INVALID_ARGUMENT;

    if (!status && pci->version != NVML_VERSION_OF(nvmlPciInfoExt_t, 1))
        status = NVML_ARGUMENT_VERSION_MISMATCH;
    if (status)
        return status;
    pci->domain = info.domain;
    pci->bus = info.bus;
    pci->device = info.device;
    pci->pci_device_id = info.pci_device_id;
    pci->subsystem_id = info.subsystem_id;
    pci->base_class = nvml_profile()->pci_class >> 16 & 0xff;
    pci->sub_class = nvml_profile()->pci_class >> 8 & 0xff;
    memcpy(pci->bus_id, info.bus_id, sizeof pci->bus_id);
    return NVML_SUCCESS;
}

/* ---- memory ---- */

/* What all processes of this machine together have been granted, of what the host grants at most. */
static nvmlMemory_v2_t memory(void)
{
    const struct vgpu_profile *p = nvml_profile();
    uint64_t quota = nvml_register(VGPU_REG_MEM_TOTAL_MIB) * VGPU_MIB;
    uint64_t granted = nvml_register(VGPU_REG_MEM_GRANTED_MIB) * VGPU_MIB;
    uint64_t usable = quota < p->memory ? quota : p->memory;
    nvmlMemory_v2_t m = {.reserved = p->fb_reserved_mib * VGPU_MIB, .used = granted};

    m.total = p->memory + m.reserved;
    m.free = usable > granted ? usable - granted : 0;
    return m;
}

nvmlReturn_t impl_nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *info)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && !info)
        status = NVML_INVALID_ARGUMENT;
    if (!status) {
        nvmlMemory_v2_t m = memory();
        *info = (nvmlMemory_t){m.total, m.free, m.total - m.free};
    }
    return status;
}

nvmlReturn_t impl_nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *info)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && !info)
        status = NVML_INVALID_ARGUMENT;
    if (!status && info->version != NVML_VERSION_OF(nvmlMemory_v2_t, 2))
        status = NVML_ARGUMENT_VERSION_MISMATCH;
    if (!status) {
        uint32_t version = info->version;
        *info = memory();
        info->version = version;
    }
    return status;
}

nvmlReturn_t impl_nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *info)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && !info)
        status = NVML_INVALID_ARGUMENT;
    if (!status) {
        uint64_t total = nvml_profile()->bar1_mib * VGPU_MIB;
        *info = (nvmlBAR1Memory_t){total, total, 0};
    }
    return status;
}

/* ---- activity: what the device does is not counted, and no process is known to it by a number that means anything here ---- */

nvmlReturn_t impl_nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && !utilization)
        status = NVML_INVALID_ARGUMENT;
    if (!status)
        *utilization = (nvmlUtilization_t){0, 0};
    return status;
}

static nvmlReturn_t no_processes(nvmlDevice_t device, uint32_t *count)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && !count)
        status = NVML_INVALID_ARGUMENT;
    if (!status)
        *count = 0;
    return status;
}

#define PROCESSES(name, type)                                                             \
    nvmlReturn_t impl_nvmlDeviceGet##name(nvmlDevice_t device, uint32_t *count, type *infos) \
    {                                                                                     \
        return no_processes(device, count);                                               \
    }
PROCESSES(ComputeRunningProcesses_v3, nvmlProcessInfo_t)
PROCESSES(ComputeRunningProcesses_v2, nvmlProcessInfo_v2_t)
PROCESSES(ComputeRunningProcesses, nvmlProcessInfo_v1_t)
PROCESSES(GraphicsRunningProcesses_v3, nvmlProcessInfo_t)
PROCESSES(GraphicsRunningProcesses_v2, nvmlProcessInfo_v2_t)
PROCESSES(GraphicsRunningProcesses, nvmlProcessInfo_v1_t)
PROCESSES(MPSComputeRunningProcesses_v3, nvmlProcessInfo_t)
PROCESSES(MPSComputeRunningProcesses_v2, nvmlProcessInfo_v2_t)
PROCESSES(MPSComputeRunningProcesses, nvmlProcessInfo_v1_t)

/* Each field says for itself that it is not there. */
nvmlReturn_t impl_nvmlDeviceGetFieldValues(nvmlDevice_t device, int32_t count, nvmlFieldValue_t *values)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && (count < 1 || !values))
        status = NVML_INVALID_ARGUMENT;
    for (int32_t i = 0; i < count && !status; i++)
        values[i].result = NVML_NOT_SUPPORTED;
    return status;
}
