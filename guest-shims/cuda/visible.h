/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_CUDA_VISIBLE_H
#define VGPU_CUDA_VISIBLE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether CUDA_VISIBLE_DEVICES=TEXT leaves the one device there is, whose UUID this is, visible. */
bool vgpu_visible(const char *text, const uint8_t uuid[16]);

#endif
