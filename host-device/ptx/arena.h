/* SPDX-License-Identifier: Apache-2.0 */
/* A bump allocator: everything a module is made of dies with it, so nothing is freed singly. */
#ifndef VGPU_PTX_ARENA_H
#define VGPU_PTX_ARENA_H

#include <stddef.h>

struct ptx_arena;

/* 'limit': most bytes the arena hands out in all. NULL when out of memory. */
struct ptx_arena *ptx_arena_new(size_t limit);
void ptx_arena_free(struct ptx_arena *a);

/* Zeroed memory, aligned for any type; NULL when the limit is reached, memory is short or n * size overflows. */
void *ptx_arena_alloc(struct ptx_arena *a, size_t n, size_t size);

#endif
