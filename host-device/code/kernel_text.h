/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel as PTX text of its own: what it takes to compile it and nothing else, written so that kernels with the same body give
 * the same text whatever they are called and whatever stands around them in their module. */
#ifndef VGPU_CODE_KERNEL_TEXT_H
#define VGPU_CODE_KERNEL_TEXT_H

#include <glib.h>

#include "ptx/ir.h"

struct kernel_text {
    GString *text;      /* PTX: declarations of what the entry names, then the entry */
    const char *entry;  /* its name there */
    GArray *offsets;    /* uint64_t: where the .global and .const variables that the text declares, in its order, lie in the
                           image of the module they come from; empty when the text is the whole module */
};

/* The text of f, an entry closed by ptx_function_close(). A kernel that calls functions with bodies, or handles their addresses,
 * comes with its whole module. */
void kernel_text_make(struct kernel_text *t, struct ptx_module *m, const struct ptx_function *f);
void kernel_text_clear(struct kernel_text *t);

/* In the module made of the text: have its variables lie where they do in the module that the text was made from. False
 * when the numbers do not fit. */
bool kernel_text_place(struct ptx_module *m, const uint64_t *offsets, uint32_t n);

#endif
