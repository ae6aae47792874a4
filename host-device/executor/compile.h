/* SPDX-License-Identifier: Apache-2.0 */
/* Code from elsewhere: out of the cache, which hostd keeps, or from the guest's compiler. One thread uses this: the ring's. */
#ifndef VGPU_EXECUTOR_COMPILE_H
#define VGPU_EXECUTOR_COMPILE_H

#include <glib.h>
#include <stdbool.h>

#include "code/entry.h"

/* A kernel that is to be compiled. */
struct vgx_want {
    double worth;                   /* what is worth most is asked for first */
    /* Its turn has come: the request (code/request.h), to be unreferenced. */
    GByteArray *(*request)(struct vgx_want *w);
    /* The answer: a memory file that is not checked yet, and is closed afterwards; or -1 and why not. It comes once, from
     * vgx_compile_poll(). */
    void (*answer)(struct vgx_want *w, int fd, const char *why);
};

/* Where hostd is asked. */
void vgx_compile_init(int control_socket, unsigned channel);

/* The cache's entry as a memory file that is not checked yet, or -1. */
int vgx_compile_cached(const uint8_t key[CODE_KEY_SIZE]);

void vgx_compile_ask(struct vgx_want *w);
/* No answer is wanted any more. */
void vgx_compile_forget(struct vgx_want *w);
/* Send and receive what goes without waiting; with 'wait', after waiting until something goes. */
void vgx_compile_poll(bool wait);

#endif
