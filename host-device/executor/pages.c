/* SPDX-License-Identifier: Apache-2.0 */
/* Large pages for device memory. By most hosts' policy shared memory has none: it is taken in pages of 4 KiB as these are touched,
 * and code that streams through it spends much of its time on finding them. So granules that the guest or a kernel is about to
 * fill are made one large page each first, by MADV_COLLAPSE (Linux 6.1), which is under no such policy; to fill them takes a
 * fraction of the time, too. Where the host has no large pages to give, small ones do. */
#include <string.h>
#include <sys/mman.h>

#include "executor/executor.h"
#include "interp/window.h"
#include "ring_commands.h"
#include "ring_decode.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define SHARE 8          /* of a granule: what is written at once is at least a part this small of the memory it takes */
#define REFUSALS 16      /* then the host is asked no more: memory is short, or its kernel is older */
#define THREAD_WRITES 16 /* bytes: the widest access */
#define GRANULES ((VGPU_SCRATCH_BASE - VGPU_HEAP_BASE) / VGPU_GRANULE)

bool vgx_pages_init(struct vgx *x)
{
    /* Far more than is ever touched. */
    x->large = mmap(NULL, GRANULES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return x->large != MAP_FAILED;
}

static uint8_t *mark_of(struct vgx *x, uint64_t va)
{
    return &x->large[(va - VGPU_HEAP_BASE) / VGPU_GRANULE];
}

void vgx_pages_forget(struct vgx *x, uint64_t va, uint64_t n)
{
    memset(mark_of(x, va), 0, n / VGPU_GRANULE);
}

/* As many as possible at once: each call waits for all CPUs, which may be busy. */
static void make_large(struct vgx *x, uint64_t from, uint64_t to)
{
    for (uint64_t granule = from; granule < to; granule += VGPU_GRANULE)
        (void)*(const volatile char *)(uintptr_t)granule; /* there must be something to collapse */
    if (madvise((void *)(uintptr_t)from, to - from, MADV_COLLAPSE))
        x->large_refused++;
    memset(mark_of(x, from), true, (to - from) / VGPU_GRANULE);
}

static bool worth_it(struct vgx *x, uint64_t granule, uint64_t va, uint64_t end)
{
    return MIN(granule + VGPU_GRANULE, end) - MAX(granule, va) >= VGPU_GRANULE / SHARE && !*mark_of(x, granule);
}

void vgx_pages_expect(struct vgx *x, uint64_t va, uint64_t n)
{
    uint64_t at = va - va % VGPU_GRANULE, end = va + n, from;

    if (n < VGPU_GRANULE / SHARE || !window_contains(va, n) || va < VGPU_HEAP_BASE || end > VGPU_SCRATCH_BASE)
        return;
    while (at < end && x->large_refused < REFUSALS && vgx_range_mapped(x, at, 1)) {
        for (from = at; at < end && worth_it(x, at, va, end) && vgx_range_mapped(x, at, 1);)
            at += VGPU_GRANULE;
        if (at > from)
            make_large(x, from, at);
        else
            at += VGPU_GRANULE;
    }
}

/* What kernels do with the addresses they are given is not known beforehand. But many threads that are given one mostly fill
 * what comes from there on, by some words each; where they do not, no more is taken than the guest allocated. */
void vgx_pages_expect_launch(struct vgx *x, const void *params, size_t size, uint64_t threads)
{
    uint64_t n = threads * THREAD_WRITES, word;

    if (n < VGPU_GRANULE / SHARE)
        return;
    for (size_t at = 0; at + sizeof(word) <= size; at += sizeof(word)) {
        memcpy(&word, (const char *)params + at, sizeof(word));
        if (word >= VGPU_HEAP_BASE && word < VGPU_SCRATCH_BASE)
            vgx_pages_expect(x, word, MIN(n, VGPU_SCRATCH_BASE - word));
    }
}

uint32_t vgx_cmd_mem_expect(void *executor, const struct vgpu_cmd_mem_expect *c)
{
    struct vgx *x = executor;

    if (!c->size || c->va < VGPU_HEAP_BASE || c->va >= VGPU_SCRATCH_BASE || !vgx_range_mapped(x, c->va, c->size))
        return vgx_fail(x, CU_INVALID_VALUE, "the guest expects to write memory that is not mapped");
    vgx_pages_expect(x, c->va, c->size);
    return CU_OK;
}
