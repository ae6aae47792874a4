/* SPDX-License-Identifier: Apache-2.0 */
/* NVML, as ggml, Ollama and nvidia-smi call it, and in agreement with the driver API. Argument: the profile. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "cuda/cuda_abi.h"
#include "cuda_api.h"
#include "nvml/nvml.h"
#include "nvml_api.h"
#include "tap.h"

static void *nvml_library, *cuda_library;

static void *need(void *library, const char *name)
{
    void *symbol = dlsym(library, name);

    if (!symbol) {
        printf("Bail out! %s is not exported\n", name);
        exit(1);
    }
    return symbol;
}
#define NVML(name) ((__typeof__(&name))need(nvml_library, #name))
#define CUDA(name) ((__typeof__(&name))need(cuda_library, #name))

static void test_system(void)
{
    char text[80];
    uint32_t count = 9;
    int version = 0, driver = -1;

    is_u64(NVML(nvmlDeviceGetCount_v2)(&count), NVML_UNINITIALIZED, "before nvmlInit");
    is_str(NVML(nvmlErrorString)(1), "Uninitialized", "an error's text, before nvmlInit too");
    ok(!NVML(nvmlInit_v2)() && !NVML(nvmlInit_v2)(), "initialised, twice");
    ok(!NVML(nvmlShutdown)() && !NVML(nvmlDeviceGetCount_v2)(&count) && count == 1, "and counted: one device");
    ok(!NVML(nvmlSystemGetDriverVersion)(text, sizeof text) && strtod(text, NULL) >= 570, "a driver that Ollama takes for CUDA 12");
    is_u64(NVML(nvmlSystemGetDriverVersion)(text, 3), NVML_INSUFFICIENT_SIZE, "a short buffer");
    ok(!CUDA(cuDriverGetVersion)(&driver) && !NVML(nvmlSystemGetCudaDriverVersion_v2)(&version) && version == driver,
       "CUDA's version is the driver's");
}

static void test_identity(nvmlDevice_t device, const char *profile)
{
    char text[96], name[96], uuid[48], expected[48];
    CUuuid id;
    nvmlDevice_t again = NULL;
    nvmlPciInfo_t pci;
    int major = 0, minor = 0, cc[2] = {0, 0}, pci_bus = -1;
    const unsigned char *u = (const unsigned char *)id.bytes;

    ok(!CUDA(cuDeviceGetName)(name, sizeof name, 0) && !NVML(nvmlDeviceGetName)(device, text, sizeof text), "its name");
    is_str(text, name, "is the driver's");
    ok(!CUDA(cuDeviceGetUuid_v2)(&id, 0) && !NVML(nvmlDeviceGetUUID)(device, uuid, sizeof uuid), "its UUID");
    snprintf(expected, sizeof expected, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2],
             u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
    is_str(uuid, expected, "is the driver's");
    ok(!NVML(nvmlDeviceGetHandleByUUID)(uuid, &again) && again == device, "finds it again");
    is_u64(NVML(nvmlDeviceGetHandleByUUID)("GPU-00000000-0000-0000-0000-000000000000", &again), NVML_NOT_FOUND, "no such UUID");
    ok(!NVML(nvmlDeviceGetPciInfo_v3)(device, &pci) && (pci.pci_device_id & 0xffff) == 0x10de, "its PCI address");
    CUDA(cuDeviceGetAttribute)(&pci_bus, 33, 0);
    is_u64(pci.bus, pci_bus, "on the driver's bus");
    ok(!NVML(nvmlDeviceGetHandleByPciBusId_v2)(pci.bus_id, &again) && again == device, "finds it again");
    ok(!NVML(nvmlDeviceGetHandleByPciBusId_v2)(pci.bus_id_legacy, &again) && again == device, "also in the short form");
    is_u64(NVML(nvmlDeviceGetHandleByPciBusId_v2)("0000:7f:1f.0", &again), NVML_NOT_FOUND, "no such address");
    CUDA(cuDeviceGetAttribute)(&cc[0], 75, 0);
    CUDA(cuDeviceGetAttribute)(&cc[1], 76, 0);
    ok(!NVML(nvmlDeviceGetCudaComputeCapability)(device, &major, &minor) && major == cc[0] && minor == cc[1],
       "compute capability");
    ok(strcmp(profile, "gtx1080") ? major == 9 : major == 6 && minor == 1, "as profile %s says", profile);
}

static void test_state(nvmlDevice_t device)
{
    nvmlMemory_t memory, after;
    nvmlMemory_v2_t memory_v2 = {.version = NVML_VERSION_OF(nvmlMemory_v2_t, 2)};
    nvmlUtilization_t utilization;
    nvmlFieldValue_t fields[2] = {{.field = 1}, {.field = 2}};
    size_t free_bytes = 0, total = 0;
    uint32_t count = 7, value = 0;
    CUcontext context = NULL;
    CUdeviceptr va = 0;

    is_u64(NVML(nvmlDeviceGetMemoryInfo)(device, &memory), 0, "memory");
    ok(memory.free && memory.free + memory.used == memory.total, "is %llu of %llu MiB free", (unsigned long long)memory.free >> 20, (unsigned long long)memory.total >> 20);
    ok(!NVML(nvmlDeviceGetMemoryInfo_v2)(device, &memory_v2) && memory_v2.total == memory.total && memory_v2.free == memory.free &&
           !memory_v2.used,
       "nothing is used");
    memory_v2.version = 1;
    is_u64(NVML(nvmlDeviceGetMemoryInfo_v2)(device, &memory_v2), NVML_ARGUMENT_VERSION_MISMATCH, "another struct's version");
    ok(!NVML(nvmlDeviceGetUtilizationRates)(device, &utilization) && !utilization.gpu, "idle");
    ok(!NVML(nvmlDeviceGetTemperature)(device, 0, &value) && value > 0 && value < 100, "temperature");
    ok(!NVML(nvmlDeviceGetPowerUsage)(device, &value) && value > 0, "power");
    ok(!NVML(nvmlDeviceGetMaxClockInfo)(device, 1, &value) && value > 100, "clock");
    is_u64(NVML(nvmlDeviceGetFanSpeed)(device, &value), NVML_NOT_SUPPORTED, "no fan");
    ok(!NVML(nvmlDeviceGetComputeRunningProcesses_v3)(device, &count, NULL) && !count, "no processes");
    ok(!NVML(nvmlDeviceGetFieldValues)(device, 2, fields) && fields[1].result == NVML_NOT_SUPPORTED, "no fields");
    is_u64(NVML(nvmlDeviceGetIndex)((nvmlDevice_t)&value, &value), NVML_INVALID_ARGUMENT, "a handle that is none");
    is_u64(NVML(nvmlDeviceGetIndex)(device, NULL), NVML_INVALID_ARGUMENT, "no place for the answer");

    ok(!CUDA(cuDevicePrimaryCtxRetain)(&context, 0) && !CUDA(cuCtxSetCurrent)(context) && !CUDA(cuMemAlloc_v2)(&va, 256u << 20),
       "256 MiB are allocated");
    ok(!NVML(nvmlDeviceGetMemoryInfo)(device, &after) && memory.free - after.free >= 256u << 20, "and missing");
    ok(!CUDA(cuMemGetInfo_v2)(&free_bytes, &total) && free_bytes >= after.free, "the driver has as much free, or what it holds ready");
}

/* As Ollama asks for free memory, each time anew; what is left open is counted. */
static void test_cycles(void)
{
    int failed = 0, first = dup(0), last;

    close(first);
    for (int i = 0; i < 100; i++) {
        void *library = dlopen("libnvidia-ml.so.1", RTLD_LAZY);
        __typeof__(&nvmlInit_v2) init = need(library, "nvmlInit_v2");
        __typeof__(&nvmlShutdown) done = need(library, "nvmlShutdown");
        failed += init() || done() || dlclose(library);
    }
    last = dup(0);
    close(last);
    is_u64(failed, 0, "opened and closed a hundred times");
    ok(last <= first + 2, "nothing is left open: descriptor %d after %d", last, first);
}

int main(int argc, char **argv)
{
    test_cycles();
    nvmlDevice_t device = NULL;

    nvml_library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    cuda_library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!nvml_library || !cuda_library || CUDA(cuInit)(0)) {
        printf("Bail out! no libraries\n");
        return 1;
    }
    test_system();
    is_u64(NVML(nvmlDeviceGetHandleByIndex_v2)(1, &device), NVML_INVALID_ARGUMENT, "there is no second device");
    if (ok(!NVML(nvmlDeviceGetHandleByIndex_v2)(0, &device) && device, "the device")) {
        test_identity(device, argc > 1 ? argv[1] : "h100-pcie");
        test_state(device);
    }
    ok(!NVML(nvmlShutdown)() && NVML(nvmlShutdown)() == NVML_UNINITIALIZED, "shut down, once");
    return tap_done();
}
