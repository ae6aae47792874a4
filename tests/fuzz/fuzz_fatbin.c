/* SPDX-License-Identifier: Apache-2.0 */
/* A module image of any kind: choose and unpack its PTX. */
#include <stdlib.h>

#include "fuzz.h"
#include "ptx/fatbin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint32_t capabilities[] = {50, 61, 80, 90, 120};
    struct vg_fatbin_member m;
    struct ptx_error err;
    size_t size;

    vg_image_size(data, n);
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
        if (fatbin_select(data, n, capabilities[i], &m, &err) && m.unpacked <= (size_t)1 << 20)
            free(fatbin_text(&m, &size, &err));
    return 0;
}
