/* SPDX-License-Identifier: Apache-2.0 */
/* Device malloc's allocator: aligned, disjoint, inside its range; nothing is lost; wrong addresses do no harm. */
#include <stdlib.h>

#include "executor/heap.h"
#include "tap.h"

#define BASE UINT64_C(0x3fe000000000)

static struct vgx_heap *h;

static void edges(void)
{
    uint64_t all, a, b;

    ok(!vgx_heap_malloc(h, 0), "nothing is NULL");
    ok(!vgx_heap_malloc(h, VGX_HEAP_SIZE + 1) && !vgx_heap_malloc(h, UINT64_MAX), "more than there is, is NULL");
    all = vgx_heap_malloc(h, VGX_HEAP_SIZE);
    is_u64(all, BASE, "all of it");
    ok(!vgx_heap_malloc(h, 1), "then there is no room");
    vgx_heap_free(h, all + 16);
    ok(!vgx_heap_malloc(h, 1), "an address inside an allocation is not one");
    vgx_heap_free(h, all);
    a = vgx_heap_malloc(h, 1);
    b = vgx_heap_malloc(h, 17);
    is_u64(a, BASE, "the lowest place first");
    is_u64(b, BASE + 32, "17 bytes take 32");
    ok(vgx_heap_free(h, 0), "NULL can be freed");
    ok(!vgx_heap_free(h, BASE - 16) && !vgx_heap_free(h, BASE + VGX_HEAP_SIZE) && !vgx_heap_free(h, BASE + 4096), "what is no allocation cannot");
    ok(!vgx_heap_free(h, a + 8) && !vgx_heap_free(h, a + 16) && !vgx_heap_free(h, b + 16), "nor the middle of one");
    ok(vgx_heap_free(h, a) && !vgx_heap_free(h, a), "an allocation can, once");
    ok(vgx_heap_free(h, b), "another one");
    is_u64(vgx_heap_malloc(h, VGX_HEAP_SIZE), BASE, "wrong addresses lose nothing and give nothing");
    vgx_heap_free(h, BASE);
}

static void many(void)
{
    enum { LIVE = 2000 };
    static struct {
        uint64_t at, size;
    } live[LIVE];
    static uint8_t owner[VGX_HEAP_SIZE / 16];
    unsigned bad = 0, refused = 0;
    uint32_t random = 1;

    for (int step = 0; step < 300000; step++) {
        unsigned i;

        random = random * 1664525 + 1013904223;
        i = random >> 8 & 0xffff;
        i %= LIVE;
        if (live[i].at) {
            for (uint64_t k = 0; k < (live[i].size + 15) / 16; k++)
                owner[(live[i].at - BASE) / 16 + k] = 0;
            vgx_heap_free(h, live[i].at);
            live[i].at = 0;
            continue;
        }
        live[i].size = 1 + (random >> 12) % (random >> 28 == 0 ? 100000 : 500);
        live[i].at = vgx_heap_malloc(h, live[i].size);
        refused += !live[i].at;
        if (!live[i].at)
            continue;
        bad += live[i].at % 16 || live[i].at < BASE || live[i].at + live[i].size > BASE + VGX_HEAP_SIZE;
        for (uint64_t k = 0; !bad && k < (live[i].size + 15) / 16; k++)
            bad += owner[(live[i].at - BASE) / 16 + k]++;
    }
    ok(!bad, "300,000 steps: aligned, inside, disjoint");
    diag("%u requests refused for want of room", refused);
    for (int i = 0; i < LIVE; i++)
        if (live[i].at)
            vgx_heap_free(h, live[i].at);
    is_u64(vgx_heap_malloc(h, VGX_HEAP_SIZE), BASE, "at the end it is whole again");
    vgx_heap_free(h, BASE);
}

static void units(void)
{
    uint64_t n = 0;

    while (vgx_heap_malloc(h, 16) == BASE + n * 16)
        n++;
    is_u64(n, VGX_HEAP_SIZE / 16, "every unit can be had, in order");
    for (uint64_t i = 0; i < n; i++)
        vgx_heap_free(h, BASE + (i * 7 % n) * 16);
    is_u64(vgx_heap_malloc(h, VGX_HEAP_SIZE), BASE, "and joins its neighbours");
}

/* Larger heaps are divided more coarsely. */
static void large(void)
{
    uint64_t size = UINT64_C(1) << 30, unit = size >> 23, a, b;
    struct vgx_heap *big = vgx_heap_new(BASE, size);

    ok(big != NULL, "a heap of 1 GiB");
    a = vgx_heap_malloc(big, 1);
    b = vgx_heap_malloc(big, unit + 1);
    ok(a == BASE && b == BASE + 2 * unit, "its units are larger");
    is_u64(vgx_heap_malloc(big, size / 2), BASE + size / 2, "half of it");
    ok(!vgx_heap_malloc(big, size / 2), "the other half is in use");
    vgx_heap_free(big, a);
    vgx_heap_free(big, b);
    vgx_heap_free(big, BASE + size / 2);
    is_u64(vgx_heap_malloc(big, size), BASE, "whole again");
    free(big);
}

int main(void)
{
    h = vgx_heap_new(BASE, VGX_HEAP_SIZE);
    ok(h != NULL, "a heap");
    edges();
    many();
    units();
    large();
    free(h);
    return tap_done();
}
