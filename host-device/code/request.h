/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent to the compiler: a kernel and what to compile it for, in one piece of bytes whose hash is the name under which the
 * result is kept. */
#ifndef VGPU_CODE_REQUEST_H
#define VGPU_CODE_REQUEST_H

#include <glib.h>

#include "interp/interp.h"
#include "jit/target.h"

#define CODE_KEY_SIZE 32
#define CODE_REQUEST_MAX (64u << 20)

/* How the asker sees the kernel: the compiler's own parse has to come to the same. */
struct code_measures {
    uint32_t instructions, registers, frame_bytes, special_bytes, local_stride, param_size, shared_size, unused;
};

/* Head of a request; then n_offsets uint64_t, then the entry's name, then the text (code/kernel_text.h). */
struct code_request {
    uint32_t block[3], isa, extensions;
    uint32_t n_offsets, name_size, text_size;
    struct code_measures measures;
};

struct code_measures code_measure(const struct interp_kernel *k);

/* The request for kernel k. */
GByteArray *code_request_new(const struct interp_kernel *k, const struct jit_shape *shape);
/* SHA-256 of the request and of what else decides on the code: this build of the compiler, and LLVM. */
void code_request_key(const void *request, size_t n, uint8_t key[CODE_KEY_SIZE]);

/* A request's parts, checked; pointers into the bytes. False when they are no request. */
struct code_request_view {
    struct code_request head;
    const uint64_t *offsets;
    const char *name;       /* not terminated: name_size */
    const char *text;
};
bool code_request_read(const void *request, size_t n, struct code_request_view *v);

#endif
