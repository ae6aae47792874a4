/* SPDX-License-Identifier: Apache-2.0 */
/* What nvidia-smi asks of every board and this one does not have: fans, inforom, counters, links. That is an answer, so it is
 * not logged as a call that is missing here. */
#include "nvml/nvml.h"

#define ABSENT(name, ...)                                                 \
    nvmlReturn_t impl_##name(nvmlDevice_t device __VA_OPT__(, ) __VA_ARGS__) \
    {                                                                     \
        nvmlReturn_t status = nvml_enter(device);                         \
        return status ? status : NVML_NOT_SUPPORTED;                      \
    }

ABSENT(nvmlDeviceGetFanSpeed, uint32_t *speed)
ABSENT(nvmlDeviceGetFanSpeed_v2, uint32_t fan, uint32_t *speed)
ABSENT(nvmlDeviceGetNumFans, uint32_t *count)
ABSENT(nvmlDeviceValidateInforom)
ABSENT(nvmlDeviceGetInforomVersion, nvmlInforomObject_t object, char *version, uint32_t length)
ABSENT(nvmlDeviceGetInforomImageVersion, char *version, uint32_t length)
ABSENT(nvmlDeviceGetInforomConfigurationChecksum, uint32_t *checksum)
ABSENT(nvmlDeviceGetTotalEnergyConsumption, uint64_t *energy)
ABSENT(nvmlDeviceGetEncoderUtilization, uint32_t *utilization, uint32_t *period)
ABSENT(nvmlDeviceGetDecoderUtilization, uint32_t *utilization, uint32_t *period)
ABSENT(nvmlDeviceGetPcieThroughput, nvmlPcieUtilCounter_t counter, uint32_t *value)
ABSENT(nvmlDeviceGetTemperatureThreshold, nvmlTemperatureThresholds_t type, uint32_t *degrees)
ABSENT(nvmlDeviceGetNvLinkState, uint32_t link, nvmlEnableState_t *state)
ABSENT(nvmlDeviceGetRetiredPagesPendingStatus, nvmlEnableState_t *pending)
ABSENT(nvmlDeviceGetRemappedRows, uint32_t *corrected, uint32_t *uncorrected, uint32_t *pending, uint32_t *failed)
