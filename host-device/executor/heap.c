/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/heap.h"

#include <stdlib.h>

#define LEVELS_MAX 24 /* larger heaps have larger units */

/* A complete binary tree, node i's children at 2i and 2i+1, each node a power of two of units. largest[i] is 1 + log2 of the
 * largest free run of units below, 0 when there is none; so an allocated node is one with 0 whose parent was split. */
struct vgx_heap {
    uint64_t base, size, unit;
    unsigned levels; /* of the tree: 1 + log2(size / unit) */
    uint8_t largest[];
};

struct vgx_heap *vgx_heap_new(uint64_t base, uint64_t size)
{
    uint64_t unit = size >> (LEVELS_MAX - 1) > 16 ? size >> (LEVELS_MAX - 1) : 16, leaves = size / unit;
    struct vgx_heap *h = malloc(sizeof *h + 2 * leaves);

    if (!h)
        return NULL;
    *h = (struct vgx_heap){.base = base, .size = size, .unit = unit, .levels = 1 + (unsigned)__builtin_ctzll(leaves)};
    for (uint32_t level = 0, i = 1; level < h->levels; level++)
        for (; i < 2u << level; i++)
            h->largest[i] = (uint8_t)(h->levels - level);
    return h;
}

/* After a change at node i, whose children are nodes of 'order'. */
static void update_parents(struct vgx_heap *h, uint32_t i, unsigned order)
{
    for (; i > 1; order++) {
        uint8_t a, b;

        i /= 2;
        a = h->largest[2 * i];
        b = h->largest[2 * i + 1];
        h->largest[i] = a == order && b == order ? (uint8_t)(order + 1) : a > b ? a : b;
    }
}

uint64_t vgx_heap_malloc(void *heap, uint64_t n)
{
    struct vgx_heap *h = heap;
    unsigned order = 1, at = h->levels;
    uint32_t i = 1;

    if (!n || n > h->size)
        return 0;
    while (h->unit << (order - 1) < n)
        order++;
    if (h->largest[1] < order)
        return 0;
    for (; at > order; at--)
        i = 2 * i + (h->largest[2 * i] < order);
    h->largest[i] = 0;
    update_parents(h, i, order);
    return h->base + ((uint64_t)i << (order - 1)) * h->unit - h->size;
}

bool vgx_heap_free(void *heap, uint64_t address)
{
    struct vgx_heap *h = heap;
    uint64_t offset = address - h->base;
    unsigned order = 1;
    uint32_t i;

    if (!address)
        return true;
    if (offset >= h->size || offset % h->unit)
        return false;
    /* The allocation is the lowest node on the way up without room: whatever lies below it was free when it was made. */
    for (i = (uint32_t)((h->size + offset) / h->unit); h->largest[i]; i /= 2, order++)
        if (i == 1 || i % 2) /* a right child's parent starts elsewhere */
            return false;
    h->largest[i] = (uint8_t)order;
    update_parents(h, i, order);
    return true;
}
