/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

const struct device *const devices[] = {&device_cuda, &device_opencl, NULL};
