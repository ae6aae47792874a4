/* SPDX-License-Identifier: Apache-2.0 */
/* What NVML's files share: its one device, and NVML's structs and numbers. */
#ifndef VGPU_NVML_NVML_H
#define VGPU_NVML_NVML_H

#include <stdbool.h>

#include "channel/channel.h"
#include "channel/hooks.h"
#include "nvml_impl.h"
#include "nvml_types.h"

enum {
    NVML_SUCCESS = 0,
    NVML_UNINITIALIZED = 1,
    NVML_INVALID_ARGUMENT = 2,
    NVML_NOT_SUPPORTED = 3,
    NVML_NOT_FOUND = 6,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_DRIVER_NOT_LOADED = 9,
    NVML_LIB_RM_VERSION_MISMATCH = 18,
    NVML_ARGUMENT_VERSION_MISMATCH = 25,
    NVML_UNKNOWN = 999,
};

struct nvmlPciInfo_t {
    char bus_id_legacy[16];
    uint32_t domain, bus, device, pci_device_id, subsystem_id; /* ids: device << 16 | vendor */
    char bus_id[32];                                           /* from version 3 on */
};
_Static_assert(sizeof(struct nvmlPciInfo_t) == 68, "nvmlPciInfo_t");

struct nvmlPciInfoExt_t {
    uint32_t version, domain, bus, device, pci_device_id, subsystem_id, base_class, sub_class;
    char bus_id[32];
};
_Static_assert(sizeof(struct nvmlPciInfoExt_t) == 64, "nvmlPciInfoExt_t");

struct nvmlMemory_t {
    uint64_t total, free, used;
};
struct nvmlMemory_v2_t {
    uint32_t version;
    uint64_t total, reserved, free, used;
};
struct nvmlBAR1Memory_t {
    uint64_t total, free, used;
};
struct nvmlUtilization_t {
    uint32_t gpu, memory;
};
struct nvmlFieldValue_t {
    uint32_t field, scope;
    int64_t timestamp, latency;
    uint32_t type;
    int32_t result;
    uint64_t value;
};
_Static_assert(sizeof(struct nvmlFieldValue_t) == 40, "nvmlFieldValue_t");

/* How a struct says which version of it was passed. */
#define NVML_VERSION_OF(type, number) ((uint32_t)(sizeof(type) | (number) << 24))

/* 0, or what a call on DEVICE returns: the library is initialised and DEVICE is a handle of it. */
nvmlReturn_t nvml_enter(nvmlDevice_t device);
/* The same for calls without a device. */
nvmlReturn_t nvml_enter_system(void);
const struct vgpu_profile *nvml_profile(void);
/* A device attribute of the profile (CUdevice_attribute); false: it is not known. */
bool nvml_attribute(int attribute, int *value);
uint32_t nvml_register(uint32_t offset);
/* Copies TEXT into a caller's buffer of LENGTH bytes. */
nvmlReturn_t nvml_text(char *buffer, uint32_t length, const char *text);

#endif
