/* SPDX-License-Identifier: Apache-2.0 */
/* Device malloc and free: a buddy allocator over a range of addresses, whose book-keeping is out of the kernels' reach. */
#ifndef VGPU_EXECUTOR_HEAP_H
#define VGPU_EXECUTOR_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#define VGX_HEAP_SIZE (UINT64_C(8) << 20) /* CUDA's default for CU_LIMIT_MALLOC_HEAP_SIZE */

struct vgx_heap;

#define VGX_HEAP_MAX (UINT64_C(64) << 30)

/* A heap of 'size' bytes (a power of two, VGX_HEAP_SIZE to VGX_HEAP_MAX) at 'base', which is not touched; NULL without memory for
 * the book-keeping. Freed by free(). */
struct vgx_heap *vgx_heap_new(uint64_t base, uint64_t size);

/* n bytes, aligned to 16 and to 'size' / 2^23; 0 when n is 0 or no room is left. 'heap' is void for struct vg_launch's sake. Not for several
 * threads at once. */
uint64_t vgx_heap_malloc(void *heap, uint64_t n);

/* False for anything but NULL and the address of a living allocation; nothing changes then. */
bool vgx_heap_free(void *heap, uint64_t address);

#endif
