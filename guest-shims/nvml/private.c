/* SPDX-License-Identifier: Apache-2.0 */
/* nvmlInternalGetExportTable: nvidia-smi asks for private tables and takes a library without them for one of another driver.
 * The table it gets is empty: its first word is its size in bytes, as in all of NVIDIA's, and every function says "not
 * supported", at which nvidia-smi goes on with what is public. */
#include "nvml/nvml.h"

enum { ENTRIES = 256 };

static nvmlReturn_t nothing(void)
{
    return NVML_NOT_SUPPORTED;
}

nvmlReturn_t impl_nvmlInternalGetExportTable(void **table, const void *id)
{
    static union {
        size_t size;
        nvmlReturn_t (*function)(void);
    } entries[ENTRIES];

    if (!table || !id)
        return NVML_INVALID_ARGUMENT;
    for (int i = 1; i < ENTRIES; i++)
        entries[i].function = nothing;
    entries[0].size = sizeof entries;
    *table = entries;
    return NVML_SUCCESS;
}
