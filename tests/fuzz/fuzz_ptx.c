/* SPDX-License-Identifier: Apache-2.0 */
/* PTX text: open it, parse, print and lower every function, make its data image. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "interp/interp.h"

#define MAX_IMAGE ((uint64_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static FILE *nowhere;
    struct vg_binding b = {.data = 0x200000400000, .functions = 0x1f0000000000};
    struct interp_kernel *k;
    struct ptx_error err;
    struct ptx_module *m = ptx_module_open((const char *)data, n, &err);
    uint8_t *image;

    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    if (!m)
        return 0;
    for (uint32_t i = 0; i < m->nfunctions; i++)
        if (ptx_function_close(m, &m->functions[i], &err)) {
            ptx_function_print(m, &m->functions[i], nowhere);
            k = m->functions[i].is_entry ? interp_kernel_new(m, &m->functions[i], &b, &err) : NULL;
            if (k)
                interp_kernel_free(k);
        }
    image = m->data_size <= MAX_IMAGE ? malloc(m->data_size) : NULL;
    if (image)
        vg_image_fill(m, &b, image);
    free(image);
    ptx_module_close(m);
    return 0;
}
