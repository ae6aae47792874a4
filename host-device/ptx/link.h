/* SPDX-License-Identifier: Apache-2.0 */
/* Several PTX texts as one, as a linker joins modules: what is local to a text is renamed, so that texts may use one name for
 * different things; of definitions that are .weak or .common one is kept; .extern declarations find what another text defines. */
#ifndef VGPU_PTX_LINK_H
#define VGPU_PTX_LINK_H

#include "ptx/ir.h"

struct ptx_link_input {
    const char *text; /* a NUL follows its 'size' bytes */
    size_t size;
};

/* The joined text, to be freed, with a NUL behind its *size bytes. NULL fills err. Only the shape of statements is looked at:
 * what else is wrong with them is found when the text is opened. */
char *ptx_link(const struct ptx_link_input *inputs, unsigned n, size_t *size, struct ptx_error *err);

#endif
