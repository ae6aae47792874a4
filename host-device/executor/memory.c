/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory: extents granted by hostd, their mappings in the window, and the commands that move bytes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "executor/executor.h"
#include "executor/socket.h"
#include "interp/window.h"
#include "ring_commands.h"
#include "ring_decode.h"

bool vgx_memory_init(struct vgx *x)
{
    x->extents = g_array_new(FALSE, FALSE, sizeof(struct vgx_extent));
    x->mappings = g_array_new(FALSE, FALSE, sizeof(struct vgx_mapping));
    return vgx_pages_init(x) && window_reserve();
}

static bool is_multiple(uint64_t n, uint64_t unit)
{
    return n % unit == 0;
}

/* Index of the extent that holds all of [offset, offset + size), or -1. */
static int find_extent(struct vgx *x, uint64_t offset, uint64_t size)
{
    for (guint i = 0; i < x->extents->len; i++) {
        struct vgx_extent *e = &g_array_index(x->extents, struct vgx_extent, i);

        if (offset >= e->offset && size <= e->size && offset - e->offset <= e->size - size)
            return (int)i;
    }
    return -1;
}

uint32_t vgx_cmd_grant(void *executor, const struct vgpu_cmd_grant *c, struct vgpu_reply_grant *reply)
{
    struct vgx *x = executor;
    struct vgpu_msg ask = { .type = VGPU_MSG_GRANT, .channel = x->channel, .a = c->size };
    struct vg_packet answer;
    struct vgx_extent e;

    if (!c->size || !is_multiple(c->size, VGPU_GRANULE) || c->size > VGPU_WINDOW_SIZE)
        return CU_INVALID_VALUE;
    if (!vg_msg_send(x->control_socket, &ask, NULL, 0, NULL, 0) ||
        vg_msg_receive(x->control_socket, &answer) != VG_MSG_OK || answer.msg.type != VGPU_MSG_GRANTED)
        return vgx_fail(x, CU_UNKNOWN, "the supervisor does not answer a request for memory");
    vg_packet_close_fds(&answer);
    if (answer.msg.status)
        return answer.msg.status;
    e = (struct vgx_extent){ answer.msg.a, answer.msg.b };
    g_array_append_val(x->extents, e);
    reply->offset = e.offset;
    reply->size = e.size;
    return CU_OK;
}

static bool discard(struct vgx *x, uint64_t offset, uint64_t size)
{
    return !fallocate(x->bar2, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
}

uint32_t vgx_cmd_ungrant(void *executor, const struct vgpu_cmd_ungrant *c)
{
    struct vgx *x = executor;
    struct vgpu_msg back = { .type = VGPU_MSG_RETURN, .channel = x->channel, .a = c->offset, .b = c->size };
    struct vg_packet answer;
    int i = find_extent(x, c->offset, c->size);

    if (i < 0 || g_array_index(x->extents, struct vgx_extent, i).size != c->size)
        return vgx_fail(x, CU_INVALID_VALUE, "the guest returns memory that it was not granted");
    for (guint m = 0; m < x->mappings->len; m++) {
        struct vgx_mapping *map = &g_array_index(x->mappings, struct vgx_mapping, m);

        if (map->offset < c->offset + c->size && c->offset < map->offset + map->size)
            return vgx_fail(x, CU_INVALID_VALUE, "the guest returns memory that is still mapped");
    }
    g_array_remove_index_fast(x->extents, (guint)i);
    if (!discard(x, c->offset, c->size))
        return vgx_fail(x, CU_UNKNOWN, "cannot return memory to the host: %s", g_strerror(errno));
    /* When this command is done, the memory shows as free. */
    if (!vg_msg_send(x->control_socket, &back, NULL, 0, NULL, 0) ||
        vg_msg_receive(x->control_socket, &answer) != VG_MSG_OK || answer.msg.type != VGPU_MSG_RETURNED)
        return vgx_fail(x, CU_UNKNOWN, "the supervisor is gone");
    vg_packet_close_fds(&answer);
    return CU_OK;
}

uint32_t vgx_cmd_mem_discard(void *executor, const struct vgpu_cmd_mem_discard *c)
{
    struct vgx *x = executor;

    if (!c->size || !is_multiple(c->size | c->offset, 4096) || find_extent(x, c->offset, c->size) < 0)
        return vgx_fail(x, CU_INVALID_VALUE, "the guest discards memory that it was not granted");
    if (!discard(x, c->offset, c->size))
        return vgx_fail(x, CU_UNKNOWN, "cannot discard memory: %s", g_strerror(errno));
    return CU_OK;
}

/* The first mapping that ends behind va. */
static guint first_mapping(struct vgx *x, uint64_t va)
{
    guint low = 0, high = x->mappings->len;

    while (low < high) {
        guint mid = (low + high) / 2;
        struct vgx_mapping *m = &g_array_index(x->mappings, struct vgx_mapping, mid);

        if (m->va + m->size <= va)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool guest_may_map(uint64_t va, uint64_t size)
{
    return size && is_multiple(va | size, VGPU_GRANULE) && va >= VGPU_HEAP_BASE && va < VGPU_SCRATCH_BASE &&
           size <= VGPU_SCRATCH_BASE - va;
}

uint32_t vgx_cmd_mem_map(void *executor, const struct vgpu_cmd_mem_map *c)
{
    struct vgx *x = executor;
    struct vgx_mapping m = { c->va, c->size, c->offset };
    guint at = first_mapping(x, c->va);

    if (!guest_may_map(c->va, c->size) || !is_multiple(c->offset, VGPU_GRANULE) || find_extent(x, c->offset, c->size) < 0)
        return vgx_fail(x, CU_INVALID_VALUE, "the guest maps [%#" PRIx64 ", +%" PRIu64 ") to memory it was not granted", c->va,
                        c->size);
    if (at < x->mappings->len && g_array_index(x->mappings, struct vgx_mapping, at).va < c->va + c->size)
        return vgx_fail(x, CU_INVALID_VALUE, "the guest maps %#" PRIx64 " twice", c->va);
    if (!window_map(c->va, c->size, x->bar2, c->offset))
        return vgx_fail(x, CU_OUT_OF_MEMORY, "cannot map device memory: %s", g_strerror(errno));
    g_array_insert_val(x->mappings, at, m);
    return CU_OK;
}

uint32_t vgx_cmd_mem_unmap(void *executor, const struct vgpu_cmd_mem_unmap *c)
{
    struct vgx *x = executor;
    uint64_t end = c->va + c->size;
    guint at = first_mapping(x, c->va);

    if (!guest_may_map(c->va, c->size))
        return vgx_fail(x, CU_INVALID_VALUE, "the guest unmaps [%#" PRIx64 ", +%" PRIu64 "), which it cannot have mapped",
                        c->va, c->size);
    if (!window_unmap(c->va, c->size))
        return vgx_fail(x, CU_UNKNOWN, "cannot unmap device memory: %s", g_strerror(errno));
    vgx_note_unmapped(x, c->va, c->size);
    vgx_pages_forget(x, c->va, c->size);
    while (at < x->mappings->len) {
        struct vgx_mapping m = g_array_index(x->mappings, struct vgx_mapping, at);
        struct vgx_mapping left = { m.va, c->va > m.va ? c->va - m.va : 0, m.offset };
        struct vgx_mapping right = { end, m.va + m.size > end ? m.va + m.size - end : 0, m.offset + (end - m.va) };

        if (m.va >= end)
            break;
        g_array_remove_index(x->mappings, at);
        if (left.size)
            g_array_insert_val(x->mappings, at++, left);
        if (right.size)
            g_array_insert_val(x->mappings, at++, right);
    }
    return CU_OK;
}

bool vgx_range_mapped(struct vgx *x, uint64_t va, uint64_t n)
{
    if (!window_contains(va, n))
        return false;
    if (va >= VGPU_IMAGE_BASE) {
        GHashTableIter it;
        gpointer value;

        g_hash_table_iter_init(&it, x->modules);
        while (g_hash_table_iter_next(&it, NULL, &value)) {
            struct vgx_module *m = value;

            if (!m->placed && va >= m->binding.data && n <= m->image_size && va - m->binding.data <= m->image_size - n)
                return true;
        }
        return false;
    }
    for (guint i = first_mapping(x, va); n; i++) {
        struct vgx_mapping *m;
        uint64_t here;

        if (i >= x->mappings->len)
            return false;
        m = &g_array_index(x->mappings, struct vgx_mapping, i);
        if (va < m->va)
            return false;
        here = MIN(n, m->va + m->size - va);
        va += here;
        n -= here;
    }
    return true;
}

bool vgx_is_device_range(uint64_t va, uint64_t n)
{
    return window_contains(va, n) && va >= VGPU_HEAP_BASE &&
           (va + n <= VGPU_SCRATCH_BASE || (va >= VGPU_IMAGE_BASE && va + n <= VGPU_FUNCTION_BASE));
}

/* A box of rows in layers; its extent is first to last byte, computed without overflow. Rows and layers do not overlap (the shims
 * refuse that): so there is never more to do than there is memory. */
struct box {
    uint64_t va, width, height, depth, pitch, slice;
};

static bool box_is_device(const struct box *b)
{
    unsigned __int128 last = (unsigned __int128)(b->depth - 1) * b->slice + (unsigned __int128)(b->height - 1) * b->pitch +
                             b->width;

    if ((b->height > 1 && b->pitch < b->width) ||
        (b->depth > 1 && b->slice < (unsigned __int128)(b->height - 1) * b->pitch + b->width))
        return false;
    return last <= VGPU_WINDOW_SIZE && vgx_is_device_range(b->va, (uint64_t)last);
}

static uint32_t bad_range(struct vgx *x, const char *what, uint64_t va)
{
    return vgx_fail(x, CU_ILLEGAL_ADDRESS, "%s touches %#" PRIx64 ", which is not device memory", what, va);
}

uint32_t vgx_cmd_copy(void *executor, const struct vgpu_cmd_copy *c)
{
    struct vgx *x = executor;
    struct box dst = { c->dst, c->width, c->height, c->depth, c->dst_pitch, c->dst_slice };
    struct box src = { c->src, c->width, c->height, c->depth, c->src_pitch, c->src_slice };
    struct window_guard g;

    if (!c->width || !c->height || !c->depth)
        return CU_OK;
    if (!box_is_device(&dst))
        return bad_range(x, "a copy", c->dst);
    if (!box_is_device(&src))
        return bad_range(x, "a copy", c->src);
    if (sigsetjmp(g.env, 0))
        return bad_range(x, "a copy", g.address);
    window_guard_enter(&g);
    if (c->height == 1 && c->depth == 1)
        vgx_pages_expect(x, c->dst, c->width);
    for (uint64_t z = 0; z < c->depth; z++)
        for (uint64_t y = 0; y < c->height; y++)
            memmove((void *)(dst.va + z * dst.slice + y * dst.pitch), (void *)(src.va + z * src.slice + y * src.pitch),
                    c->width);
    window_guard_leave(&g);
    return CU_OK;
}

static uint32_t write_bytes(struct vgx *x, uint64_t dst, const void *bytes, size_t n)
{
    struct window_guard g;

    if (!vgx_is_device_range(dst, n))
        return bad_range(x, "a copy", dst);
    if (sigsetjmp(g.env, 0))
        return bad_range(x, "a copy", g.address);
    window_guard_enter(&g);
    vgx_pages_expect(x, dst, n);
    memcpy((void *)dst, bytes, n);
    window_guard_leave(&g);
    return CU_OK;
}

uint32_t vgx_cmd_write(void *executor, const struct vgpu_cmd_write *c, const void *tail, size_t tail_size)
{
    return write_bytes(executor, c->dst, tail, tail_size);
}

uint32_t vgx_cmd_write_staged(void *executor, const struct vgpu_cmd_write_staged *c)
{
    struct vgx *x = executor;
    const uint8_t *bytes = vgx_staging(x, c->staging, c->size);

    if (!bytes)
        return vgx_fail(x, CU_INVALID_VALUE, "the guest names bytes outside its staging area");
    return write_bytes(x, c->dst, bytes, c->size);
}

#define FILL(type) \
    for (uint64_t y = 0; y < c->height; y++) { \
        type *row = (type *)(c->dst + y * c->pitch); \
        for (uint64_t i = 0; i < c->count; i++) \
            row[i] = (type)c->value; \
    }

uint32_t vgx_cmd_fill(void *executor, const struct vgpu_cmd_fill *c)
{
    struct vgx *x = executor;
    struct box dst = { c->dst, c->count * c->width, c->height, 1, c->pitch, 0 };
    struct window_guard g;

    if (!c->count || !c->height)
        return CU_OK;
    if ((c->width != 1 && c->width != 2 && c->width != 4) || c->count > VGPU_WINDOW_SIZE)
        return vgx_fail(x, CU_INVALID_VALUE, "a fill with elements of %u bytes", c->width);
    if (!box_is_device(&dst))
        return bad_range(x, "a memset", c->dst);
    if (!is_multiple(c->dst | (c->height > 1 ? c->pitch : 0), c->width))
        return vgx_fail(x, CU_INVALID_VALUE, "a memset of %u-byte elements at %#" PRIx64, c->width, c->dst);
    if (sigsetjmp(g.env, 0))
        return bad_range(x, "a memset", g.address);
    window_guard_enter(&g);
    if (c->height == 1)
        vgx_pages_expect(x, c->dst, c->count * c->width);
    if (c->width == 1)
        for (uint64_t y = 0; y < c->height; y++)
            memset((void *)(c->dst + y * c->pitch), (int)c->value, c->count);
    else if (c->width == 2)
        FILL(uint16_t)
    else
        FILL(uint32_t)
    window_guard_leave(&g);
    return CU_OK;
}

uint32_t vgx_cmd_stamp(void *executor, const struct vgpu_cmd_stamp *c)
{
    struct timespec now;
    uint64_t ns;

    clock_gettime(CLOCK_MONOTONIC, &now);
    ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    return write_bytes(executor, c->address, &ns, sizeof(ns));
}
