/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fatbin_walk.h"

#define CONTAINER_HEADER 16
#define MEMBER_HEADER 64 /* the least that a member's header has */

static uint16_t u16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t u32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t u64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

bool vg_fatbin_begin(struct vg_fatbin_walk *w, const void *data, size_t n)
{
    const uint8_t *p = data;
    uint64_t header, size;

    if (n < CONTAINER_HEADER || u32(p) != VG_FATBIN_MAGIC)
        return false;
    header = u16(p + 6);
    size = u64(p + 8);
    /* Without a bound (n is SIZE_MAX), at least not beyond what one object can be. */
    if (header < CONTAINER_HEADER || header > n || size > n - header || size > PTRDIFF_MAX - (uintptr_t)p - header)
        return false;
    w->at = p + header;
    w->end = w->at + size;
    return true;
}

int vg_fatbin_next(struct vg_fatbin_walk *w, struct vg_fatbin_member *m)
{
    const uint8_t *p = w->at;
    uint64_t left = w->end - p, header, stored, compressed, unpacked;

    if (!left)
        return 0;
    if (left < MEMBER_HEADER)
        return -1;
    header = u32(p + 4);
    stored = u64(p + 8);
    if (header < MEMBER_HEADER || header > left || stored > left - header)
        return -1;
    compressed = u32(p + 16);
    unpacked = u64(p + 56);
    m->kind = u16(p);
    m->isa_minor = u16(p + 24);
    m->isa_major = u16(p + 26);
    m->sm = u32(p + 28);
    m->flags = u64(p + 40);
    m->data = p + header;
    m->size = stored;
    if (m->flags & (VG_FATBIN_LZ4 | VG_FATBIN_ZSTD)) {
        if (compressed > stored)
            return -1;
        m->size = compressed ? compressed : stored;
        m->unpacked = unpacked;
    } else {
        m->unpacked = stored;
    }
    w->at = m->data + stored;
    return 1;
}

bool vg_fatbin_is_linked(const void *data, size_t n)
{
    struct vg_fatbin_member m;
    struct vg_fatbin_walk w;

    return vg_fatbin_begin(&w, data, n) && vg_fatbin_next(&w, &m) > 0 && (m.flags & VG_FATBIN_LINKED);
}

/* ELF64: the section header table, which the compilers put last, or what the segments reach. */
static size_t elf_size(const uint8_t *p, size_t max)
{
    uint64_t end = 64, offset, size, table;

    if (max < 64)
        return 0;
    table = u64(p + 40);
    if (table > max || __builtin_add_overflow(table, (uint64_t)u16(p + 58) * u16(p + 60), &offset))
        return 0;
    if (end < offset)
        end = offset;
    table = u64(p + 32);
    size = (uint64_t)u16(p + 54) * u16(p + 56);
    if (table > max || size > max - table || u16(p + 54) < 56)
        return end <= max && !size ? end : 0;
    if (end < table + size)
        end = table + size;
    for (unsigned i = 0; i < u16(p + 56); i++) {
        const uint8_t *segment = p + table + (uint64_t)i * u16(p + 54);

        if (__builtin_add_overflow(u64(segment + 8), u64(segment + 32), &offset))
            return 0;
        if (end < offset)
            end = offset;
    }
    return end <= max ? end : 0;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* PTX starts with white space and comments, then .version. */
/* Byte by byte up to the first that differs: an image without a size may be as short as an empty string. */
static bool starts_with(const uint8_t *p, size_t max, const void *start, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (i >= max || p[i] != ((const uint8_t *)start)[i])
            return false;
    return true;
}

static bool is_ptx(const uint8_t *p, size_t max)
{
    size_t i = 0;

    while (i < max && is_space(p[i]))
        i++;
    if (max - i >= 2 && p[i] == '/' && (p[i + 1] == '/' || p[i + 1] == '*'))
        return true;
    return i < max && starts_with(p + i, max - i, ".version", 8);
}

enum vg_image_kind vg_image_kind(const void *image, size_t max)
{
    static const uint32_t container = VG_FATBIN_MAGIC, wrapper = VG_FATBIN_WRAPPER_MAGIC; /* little-endian, as we are */

    if (starts_with(image, max, &container, sizeof container))
        return VG_IMAGE_FATBIN;
    if (starts_with(image, max, &wrapper, sizeof wrapper))
        return VG_IMAGE_WRAPPER;
    if (starts_with(image, max, "\x7f" "ELF", 4))
        return VG_IMAGE_ELF;
    return is_ptx(image, max) ? VG_IMAGE_PTX : VG_IMAGE_UNKNOWN;
}

size_t vg_image_size(const void *image, size_t max)
{
    struct vg_fatbin_walk w;
    const uint8_t *p = image;
    size_t n;

    switch (vg_image_kind(image, max)) {
    case VG_IMAGE_FATBIN:
        return vg_fatbin_begin(&w, image, max) ? (size_t)(w.end - p) : 0;
    case VG_IMAGE_ELF:
        return elf_size(p, max);
    case VG_IMAGE_PTX:
        n = strnlen(image, max);
        return n < max ? n + 1 : n;
    default:
        return 0;
    }
}

bool vg_ptx_runs_on(uint32_t sm, bool arch_specific, bool family, uint32_t cc)
{
    if (arch_specific)
        return sm == cc;
    if (family && sm / 10 != cc / 10)
        return false;
    return sm <= cc;
}

/* The newest architecture; of equal ones the plain one, which asks least of the GPU. */
bool vg_fatbin_better(const struct vg_fatbin_member *a, const struct vg_fatbin_member *b)
{
    const uint64_t special = VG_FATBIN_ARCH_SPECIFIC | VG_FATBIN_FAMILY;

    if (a->sm != b->sm)
        return a->sm > b->sm;
    return !(a->flags & special) && (b->flags & special);
}
