/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ptx/arena.h"

#define CHUNK ((size_t)256 << 10)
#define ALIGN 16

struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(ALIGN) unsigned char data[];
};

struct ptx_arena {
    struct chunk *chunks;
    size_t used, limit;
};

struct ptx_arena *ptx_arena_new(size_t limit)
{
    struct ptx_arena *a = calloc(1, sizeof *a);

    if (a)
        a->limit = limit;
    return a;
}

void ptx_arena_free(struct ptx_arena *a)
{
    struct chunk *c, *next;

    if (!a)
        return;
    for (c = a->chunks; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

/* Chunks come from calloc, which does not touch fresh pages: large zeroed arrays cost nothing until they are written. */
static struct chunk *new_chunk(struct ptx_arena *a, size_t bytes)
{
    size_t size = bytes > CHUNK / 4 ? bytes : CHUNK;
    struct chunk *c = calloc(1, sizeof *c + size);

    if (!c)
        return NULL;
    c->size = size;
    if (a->chunks && size != CHUNK) { /* an own chunk for a big block: keep filling the current one */
        c->next = a->chunks->next;
        a->chunks->next = c;
    } else {
        c->next = a->chunks;
        a->chunks = c;
    }
    return c;
}

void *ptx_arena_alloc(struct ptx_arena *a, size_t n, size_t size)
{
    size_t bytes;
    struct chunk *c = a->chunks;
    void *p;

    if (__builtin_mul_overflow(n, size, &bytes) || bytes > a->limit - a->used)
        return NULL;
    bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!bytes)
        bytes = ALIGN;
    if (bytes > a->limit - a->used)
        return NULL;
    if (!c || bytes > c->size - c->used) {
        c = new_chunk(a, bytes);
        if (!c)
            return NULL;
    }
    p = c->data + c->used;
    c->used += bytes;
    a->used += bytes;
    return p;
}
