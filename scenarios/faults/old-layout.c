/* SPDX-License-Identifier: Apache-2.0 */
/* A libcudart.so.12 that fills cudaDeviceProp in another layout, as one that was written from an old header did: no uuid and luid
 * in front of the memory's size, the compute capability where nobody looks for it, and the PCI numbers never written, so that
 * they are what the stack held. All else is the real shim's, which lies beside it as libcudart-whole.so. */
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

/* Where programs built for CUDA 12 read. */
enum { NAME_SIZE = 256, TRUE_MEMORY = 288, TRUE_SHARED = 296, TRUE_MAJOR = 360, TRUE_PROCESSORS = 388, TRUE_PCI_BUS = 584, SIZE = 1032 };
/* Where this one writes. */
enum { OLD_MEMORY = 256, OLD_SHARED = 264, OLD_MAJOR = 328, OLD_PROCESSORS = 352 };

__attribute__((visibility("default"))) int cudaGetDeviceProperties_v2(void *prop, int device);

int cudaGetDeviceProperties_v2(void *prop, int device)
{
    /* Bus, device and domain: halves of addresses. */
    static const uint32_t stack[] = { 0x99fff940, 0x00007ffc, 0x99fff950 };
    int (*whole)(void *, int) = NULL;
    void *symbol = dlsym(RTLD_NEXT, "cudaGetDeviceProperties_v2");
    unsigned char right[4096], *old = prop;
    int error;

    if (!symbol)
        return 999;
    memcpy(&whole, &symbol, sizeof(whole));
    error = whole(right, device);
    if (error)
        return error;
    memset(old, 0, SIZE);
    memcpy(old, right, NAME_SIZE);
    memcpy(old + OLD_MEMORY, right + TRUE_MEMORY, 8);
    memcpy(old + OLD_SHARED, right + TRUE_SHARED, 8);
    memcpy(old + OLD_MAJOR, right + TRUE_MAJOR, 8);
    memcpy(old + OLD_PROCESSORS, right + TRUE_PROCESSORS, 4);
    memcpy(old + TRUE_PCI_BUS, stack, sizeof(stack));
    return 0;
}
