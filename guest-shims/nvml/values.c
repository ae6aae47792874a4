/* SPDX-License-Identifier: Apache-2.0 */
/* Single values of the device, one line each: from the profile, or what holds for any board that has no fan, no display, no
 * instances and nothing running on it. */
#include <stdio.h>

#include "nvml/nvml.h"

#define VALUE(name, type, expression)                       \
    nvmlReturn_t impl_##name(nvmlDevice_t device, type *value) \
    {                                                       \
        nvmlReturn_t status = nvml_enter(device);           \
        if (!status && !value)                              \
            status = NVML_INVALID_ARGUMENT;                 \
        if (!status)                                        \
            *value = (type)(expression);                    \
        return status;                                      \
    }

#define TEXT(name, field)                                                    \
    nvmlReturn_t impl_##name(nvmlDevice_t device, char *text, uint32_t length) \
    {                                                                        \
        nvmlReturn_t status = nvml_enter(device);                            \
        return status ? status : nvml_text(text, length, nvml_profile()->field); \
    }

TEXT(nvmlDeviceGetName, name)
TEXT(nvmlDeviceGetSerial, serial)
TEXT(nvmlDeviceGetVbiosVersion, vbios)
TEXT(nvmlDeviceGetBoardPartNumber, part_number)

VALUE(nvmlDeviceGetIndex, uint32_t, 0)
VALUE(nvmlDeviceGetMinorNumber, uint32_t, 0)
VALUE(nvmlDeviceGetBoardId, uint32_t, nvml_profile()->pci_bus << 8 | nvml_profile()->pci_device << 3)
VALUE(nvmlDeviceGetMultiGpuBoard, uint32_t, 0)
VALUE(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, 1) /* the device never powers down between clients */
VALUE(nvmlDeviceGetDisplayMode, nvmlEnableState_t, 0)
VALUE(nvmlDeviceGetDisplayActive, nvmlEnableState_t, 0)
VALUE(nvmlDeviceGetComputeMode, nvmlComputeMode_t, 0)
VALUE(nvmlDeviceGetPerformanceState, nvmlPstates_t, 0)
VALUE(nvmlDeviceGetPowerState, nvmlPstates_t, 0)
VALUE(nvmlDeviceGetPowerManagementMode, nvmlEnableState_t, 1)
VALUE(nvmlDeviceGetPowerManagementLimit, uint32_t, nvml_profile()->power_limit_mw)
VALUE(nvmlDeviceGetPowerManagementDefaultLimit, uint32_t, nvml_profile()->power_limit_mw)
VALUE(nvmlDeviceGetEnforcedPowerLimit, uint32_t, nvml_profile()->power_limit_mw)
VALUE(nvmlDeviceGetPowerUsage, uint32_t, nvml_profile()->idle_power_mw)
VALUE(nvmlDeviceGetNumGpuCores, uint32_t, nvml_profile()->sm_count * nvml_profile()->cores_per_sm)
VALUE(nvmlDeviceGetMemoryBusWidth, uint32_t, nvml_profile()->bus_width_bits)
VALUE(nvmlDeviceGetMaxPcieLinkGeneration, uint32_t, nvml_profile()->pcie_gen)
VALUE(nvmlDeviceGetGpuMaxPcieLinkGeneration, uint32_t, nvml_profile()->pcie_gen)
VALUE(nvmlDeviceGetCurrPcieLinkGeneration, uint32_t, nvml_profile()->pcie_gen)
VALUE(nvmlDeviceGetMaxPcieLinkWidth, uint32_t, nvml_profile()->pcie_width)
VALUE(nvmlDeviceGetCurrPcieLinkWidth, uint32_t, nvml_profile()->pcie_width)
VALUE(nvmlDeviceGetPcieReplayCounter, uint32_t, 0)
VALUE(nvmlDeviceGetBusType, nvmlBusType_t, 2) /* PCI Express */
VALUE(nvmlDeviceGetCurrentClocksEventReasons, uint64_t, 0)
VALUE(nvmlDeviceGetCurrentClocksThrottleReasons, uint64_t, 0)
VALUE(nvmlDeviceGetSupportedClocksEventReasons, uint64_t, 0)
VALUE(nvmlDeviceGetSupportedClocksThrottleReasons, uint64_t, 0)
VALUE(nvmlDeviceGetAccountingMode, nvmlEnableState_t, 0)
VALUE(nvmlDeviceGetVirtualizationMode, nvmlGpuVirtualizationMode_t, 1) /* passed through to this machine */
VALUE(nvmlDeviceIsMigDeviceHandle, uint32_t, 0)
VALUE(nvmlDeviceGetMaxMigDeviceCount, uint32_t, 0)
VALUE(nvmlDeviceGetSupportedEventTypes, uint64_t, 0)

/* NVML_DEVICE_ARCH_*: by compute capability. */
static uint32_t architecture(void)
{
    static const struct {
        uint32_t cc, architecture;
    } table[] = {{30, 2}, {50, 3}, {60, 4}, {70, 5}, {75, 6}, {80, 7}, {89, 8}, {90, 9}, {100, 10}};
    uint32_t cc = nvml_profile()->cc_major * 10 + nvml_profile()->cc_minor, found = 0xffffffff;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (cc >= table[i].cc)
            found = table[i].architecture;
    return found;
}
VALUE(nvmlDeviceGetArchitecture, nvmlDeviceArchitecture_t, architecture())

static int brand(void)
{
    static const struct {
        const char *name;
        int brand;
    } table[] = {{"Quadro", 1}, {"Tesla", 2}, {"NVS", 3}, {"Grid", 4}, {"GeForce", 5}, {"Titan", 6}, {"NVIDIA", 14}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, nvml_profile()->brand))
            return table[i].brand;
    return 0;
}
VALUE(nvmlDeviceGetBrand, nvmlBrandType_t, brand())

nvmlReturn_t impl_nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, uint32_t length)
{
    const uint8_t *u = nvml_profile()->uuid;
    char text[48];
    nvmlReturn_t status = nvml_enter(device);

    if (status)
        return status;
    snprintf(text, sizeof text, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2],
             u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
    return nvml_text(uuid, length, text);
}

nvmlReturn_t impl_nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int32_t *major, int32_t *minor)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && (!major || !minor))
        status = NVML_INVALID_ARGUMENT;
    if (!status) {
        *major = (int32_t)nvml_profile()->cc_major;
        *minor = (int32_t)nvml_profile()->cc_minor;
    }
    return status;
}

nvmlReturn_t impl_nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, uint32_t *degrees)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && (!degrees || sensor != 0))
        status = NVML_INVALID_ARGUMENT;
    if (!status)
        *degrees = nvml_profile()->temperature_c;
    return status;
}

/* Graphics and SM clock are one; the video clock is not modelled. */
static nvmlReturn_t clock_mhz(nvmlDevice_t device, int type, uint32_t *mhz)
{
    enum { GRAPHICS, SM, MEMORY, VIDEO };
    nvmlReturn_t status = nvml_enter(device);

    if (!status && (!mhz || type < GRAPHICS || type > VIDEO))
        status = NVML_INVALID_ARGUMENT;
    if (!status && type == VIDEO)
        status = NVML_NOT_SUPPORTED;
    if (!status)
        *mhz = (type == MEMORY ? nvml_profile()->clock_mem_khz : nvml_profile()->clock_sm_khz) / 1000;
    return status;
}

nvmlReturn_t impl_nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, uint32_t *mhz)
{
    return clock_mhz(device, type, mhz);
}

nvmlReturn_t impl_nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, uint32_t *mhz)
{
    return clock_mhz(device, type, mhz);
}

nvmlReturn_t impl_nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t type, nvmlClockId_t id, uint32_t *mhz)
{
    return clock_mhz(device, type, mhz);
}

nvmlReturn_t impl_nvmlDeviceGetApplicationsClock(nvmlDevice_t device, nvmlClockType_t type, uint32_t *mhz)
{
    return clock_mhz(device, type, mhz);
}

nvmlReturn_t impl_nvmlDeviceGetDefaultApplicationsClock(nvmlDevice_t device, nvmlClockType_t type, uint32_t *mhz)
{
    return clock_mhz(device, type, mhz);
}

nvmlReturn_t impl_nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, uint32_t *least, uint32_t *most)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && (!least || !most))
        status = NVML_INVALID_ARGUMENT;
    if (!status)
        *least = *most = nvml_profile()->power_limit_mw;
    return status;
}

/* A mode and the one after the next reset. */
static nvmlReturn_t modes(nvmlDevice_t device, bool has, uint32_t mode, uint32_t *current, uint32_t *pending)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && (!current || !pending))
        status = NVML_INVALID_ARGUMENT;
    if (!status && !has)
        status = NVML_NOT_SUPPORTED;
    if (!status)
        *current = *pending = mode;
    return status;
}

static bool has_ecc(void)
{
    enum { ATTRIBUTE_ECC_ENABLED = 32 };
    int enabled;

    return nvml_attribute(ATTRIBUTE_ECC_ENABLED, &enabled) && enabled;
}

nvmlReturn_t impl_nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending)
{
    return modes(device, has_ecc(), 1, (uint32_t *)current, (uint32_t *)pending);
}

VALUE(nvmlDeviceGetDefaultEccMode, nvmlEnableState_t, has_ecc())

/* Instances can be made from A100 on; here they never are. */
nvmlReturn_t impl_nvmlDeviceGetMigMode(nvmlDevice_t device, uint32_t *current, uint32_t *pending)
{
    uint32_t cc = nvml_profile()->cc_major * 10 + nvml_profile()->cc_minor;

    return modes(device, cc == 80 || cc == 90, 0, current, pending);
}

static nvmlReturn_t no_errors(nvmlDevice_t device, uint64_t *count)
{
    nvmlReturn_t status = nvml_enter(device);

    if (!status && !count)
        status = NVML_INVALID_ARGUMENT;
    if (!status && !has_ecc())
        status = NVML_NOT_SUPPORTED;
    if (!status)
        *count = 0;
    return status;
}

nvmlReturn_t impl_nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                              uint64_t *count)
{
    return no_errors(device, count);
}

nvmlReturn_t impl_nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                                  nvmlEccCounterType_t counter, nvmlMemoryLocation_t location,
                                                  uint64_t *count)
{
    return no_errors(device, count);
}
