/* SPDX-License-Identifier: Apache-2.0 */
/* Module images as cuModuleLoadData takes them, to PTX text: fatbin containers (plain, LZ4, zstd), PTX text, cubins. */
#ifndef VGPU_PTX_FATBIN_H
#define VGPU_PTX_FATBIN_H

#include "fatbin_walk.h"
#include "ptx/ir.h"

#define FATBIN_MAX_TEXT ((size_t)256 << 20)

/* Find the PTX for compute capability cc (10 * major + minor) in image[0..n): raw text, a container, or an ELF (which has
 * none). The member's data points into the image. False fills err: code 200 for what is no image or is truncated, 209
 * when no PTX runs on cc (the message lists what the image had). */
bool fatbin_select(const void *image, size_t n, uint32_t cc, struct vg_fatbin_member *member, struct ptx_error *err);

/* The text of a PTX member, to be freed; *size without trailing NULs, though one NUL follows. NULL fills err: 200 for damaged
 * data, 2 when it is larger than FATBIN_MAX_TEXT or memory is short. */
char *fatbin_text(const struct vg_fatbin_member *member, size_t *size, struct ptx_error *err);

/* The PTX text for compute capability cc of any image, to be freed: of what fatbin_select chooses, or of a linked container's
 * members as one text. NULL fills err. */
char *fatbin_program(const void *image, size_t n, uint32_t cc, size_t *size, struct ptx_error *err);

#endif
