/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* Between the register table (registers.c) and what its registers do (device.c). */
#ifndef VGPU_DEVICE_REGISTERS_H
#define VGPU_DEVICE_REGISTERS_H

#include "device.h"

enum vgpu_device_error vgpu_write_channel_open(struct vgpu_device *dev, uint32_t index, uint32_t n);
enum vgpu_device_error vgpu_write_channel_close(struct vgpu_device *dev, uint32_t index, uint32_t n);
enum vgpu_device_error vgpu_write_doorbell(struct vgpu_device *dev, uint32_t n, uint32_t value);
enum vgpu_device_error vgpu_write_reset(struct vgpu_device *dev, uint32_t index, uint32_t value);

#endif
