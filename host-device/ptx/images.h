/* SPDX-License-Identifier: Apache-2.0 */
/* Files that hold device code: PTX text, fatbins, ELF files (programs, libraries) with a section .nv_fatbin. */
#ifndef VGPU_PTX_IMAGES_H
#define VGPU_PTX_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ptx_image_visitor {
    /* A fatbin container of n bytes; 'label' is the file's name, and a number where it has several. */
    void (*container)(void *arg, const char *label, const uint8_t *p, size_t n);
    void (*text)(void *arg, const char *label, const char *text, size_t size);
    void *arg;
};

/* Show the file's images. False when it cannot be read or is no such file, which has been said on stderr, behind 'program'. */
bool ptx_images_visit(const char *program, const char *path, const struct ptx_image_visitor *v);

#endif
