/* SPDX-License-Identifier: Apache-2.0 */
/* A driver library without a GPU: what is left on a machine whose card, or whose driver, was taken out. It has every name of
 * the driver API, and each call says CUDA_ERROR_NO_DEVICE. */
static int no_device(void)
{
    return 100;
}

#define NAME(name) __attribute__((alias("no_device"), visibility("default"))) int name(void);
#include "decoy_names.h"
