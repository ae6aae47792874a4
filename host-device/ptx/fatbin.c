/* SPDX-License-Identifier: Apache-2.0 */
#include <lz4.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "ptx/fatbin.h"
#include "ptx/link.h"

enum { LINK_MAX = 4096 }; /* texts that are joined */
enum { ERROR_MEMORY = 2, ERROR_INVALID_IMAGE = 200, ERROR_NO_BINARY = 209 };

__attribute__((format(printf, 3, 4))) static bool fail(struct ptx_error *err, int code, const char *format, ...)
{
    va_list ap;

    *err = (struct ptx_error){.code = code};
    va_start(ap, format);
    vsnprintf(err->message, sizeof err->message, format, ap);
    va_end(ap);
    return false;
}

/* "sm_86, compute_90a": binaries and PTX that the image holds. */
static void list_members(struct vg_fatbin_walk w, char *list, size_t room)
{
    struct vg_fatbin_member m;
    size_t at = 0;

    *list = 0;
    while (vg_fatbin_next(&w, &m) > 0 && at < room) {
        const char *suffix = m.flags & VG_FATBIN_ARCH_SPECIFIC ? "a" : m.flags & VG_FATBIN_FAMILY ? "f" : "";

        if (m.kind == VG_FATBIN_PTX || m.kind == VG_FATBIN_ELF)
            at += snprintf(list + at, room - at, "%s%s_%u%s", at ? ", " : "", m.kind == VG_FATBIN_PTX ? "compute" : "sm",
                           m.sm, suffix);
    }
}

static bool select_member(const void *image, size_t n, uint32_t cc, struct vg_fatbin_member *best, struct ptx_error *err)
{
    struct vg_fatbin_walk w, start;
    struct vg_fatbin_member m;
    bool found = false;
    char list[160];
    int more;

    if (!vg_fatbin_begin(&w, image, n))
        return fail(err, ERROR_INVALID_IMAGE, "the fatbin is truncated");
    start = w;
    while ((more = vg_fatbin_next(&w, &m)) > 0) {
        if (m.kind != VG_FATBIN_PTX ||
            !vg_ptx_runs_on(m.sm, m.flags & VG_FATBIN_ARCH_SPECIFIC, m.flags & VG_FATBIN_FAMILY, cc))
            continue;
        if (!found || vg_fatbin_better(&m, best))
            *best = m;
        found = true;
    }
    if (more < 0)
        return fail(err, ERROR_INVALID_IMAGE, "the fatbin is damaged: a member does not fit in it");
    if (found)
        return true;
    list_members(start, list, sizeof list);
    return fail(err, ERROR_NO_BINARY, "no PTX in the image runs on sm_%u; it has: %s", cc, *list ? list : "nothing");
}

bool fatbin_select(const void *image, size_t n, uint32_t cc, struct vg_fatbin_member *member, struct ptx_error *err)
{
    const uint8_t *p = image;

    *err = (struct ptx_error){0};
    switch (vg_image_kind(image, n)) {
    case VG_IMAGE_FATBIN:
        return select_member(image, n, cc, member, err);
    case VG_IMAGE_PTX:
        *member = (struct vg_fatbin_member){.kind = VG_FATBIN_PTX, .data = image, .size = n, .unpacked = n};
        return true;
    case VG_IMAGE_ELF: /* e_flags of a cubin holds the architecture in its second or its lowest byte */
        if (n < 64)
            return fail(err, ERROR_INVALID_IMAGE, "the cubin is truncated");
        return fail(err, ERROR_NO_BINARY, "no PTX in the image: it is a cubin for sm_%u",
                    p[7] == 0x33 ? p[48] : p[49]);
    default:
        return fail(err, ERROR_INVALID_IMAGE, "the image is neither a fatbin nor PTX");
    }
}

static bool unpack(const struct vg_fatbin_member *m, char *text, struct ptx_error *err)
{
    size_t got;

    if (m->flags & VG_FATBIN_ZSTD) {
        got = ZSTD_decompress(text, m->unpacked, m->data, m->size);
        if (ZSTD_isError(got))
            return fail(err, ERROR_INVALID_IMAGE, "zstd data of the fatbin is damaged: %s", ZSTD_getErrorName(got));
    } else if (m->flags & VG_FATBIN_LZ4) {
        int n = m->size > LZ4_MAX_INPUT_SIZE ? -1
                                             : LZ4_decompress_safe((const char *)m->data, text, m->size, m->unpacked);

        if (n < 0)
            return fail(err, ERROR_INVALID_IMAGE, "LZ4 data of the fatbin is damaged");
        got = n;
    } else {
        memcpy(text, m->data, m->size);
        got = m->size;
    }
    if (got != m->unpacked)
        return fail(err, ERROR_INVALID_IMAGE, "the fatbin's data has %zu bytes, not %zu", got, m->unpacked);
    return true;
}

/* Whether the data can become as many bytes as its header says: LZ4 makes at most 255 of one, zstd a block of 128 KiB of four. */
static bool plausible(const struct vg_fatbin_member *m)
{
    size_t most = m->flags & VG_FATBIN_ZSTD ? 32768 : m->flags & VG_FATBIN_LZ4 ? 255 : 1;

    return m->unpacked / most <= m->size;
}

char *fatbin_text(const struct vg_fatbin_member *m, size_t *size, struct ptx_error *err)
{
    char *text;

    if (!plausible(m)) {
        fail(err, ERROR_INVALID_IMAGE, "the fatbin is damaged: %zu bytes cannot become %zu", m->size, m->unpacked);
        return NULL;
    }
    if (m->unpacked > FATBIN_MAX_TEXT) {
        fail(err, ERROR_MEMORY, "PTX of %zu bytes is more than is taken", m->unpacked);
        return NULL;
    }
    text = malloc(m->unpacked + 1);
    if (!text) {
        fail(err, ERROR_MEMORY, "out of memory while unpacking PTX");
        return NULL;
    }
    if (!unpack(m, text, err)) {
        free(text);
        return NULL;
    }
    *size = m->unpacked;
    while (*size && !text[*size - 1])
        --*size;
    text[*size] = 0;
    return text;
}

static char *linked_text(const void *image, size_t n, size_t *size, struct ptx_error *err)
{
    struct ptx_link_input *inputs = calloc(LINK_MAX, sizeof *inputs);
    struct vg_fatbin_member m;
    struct vg_fatbin_walk w;
    unsigned count = 0;
    char *joined = NULL;
    bool whole = inputs && vg_fatbin_begin(&w, image, n);
    int more = 0;

    if (!inputs)
        fail(err, ERROR_MEMORY, "out of memory while unpacking PTX");
    while (whole && (more = vg_fatbin_next(&w, &m)) > 0) {
        whole = count < LINK_MAX && m.kind == VG_FATBIN_PTX;
        if (!whole)
            fail(err, ERROR_INVALID_IMAGE, "the linked program is damaged: %u parts", count);
        else
            whole = (inputs[count].text = fatbin_text(&m, &inputs[count].size, err)) != NULL;
        count += whole;
    }
    if (whole && more < 0)
        fail(err, ERROR_INVALID_IMAGE, "the linked program is damaged: a part does not fit in it");
    else if (whole)
        joined = ptx_link(inputs, count, size, err);
    for (unsigned i = 0; i < count; i++)
        free((char *)inputs[i].text);
    free(inputs);
    return joined;
}

char *fatbin_program(const void *image, size_t n, uint32_t cc, size_t *size, struct ptx_error *err)
{
    struct vg_fatbin_member member;

    if (vg_image_kind(image, n) == VG_IMAGE_FATBIN && vg_fatbin_is_linked(image, n))
        return linked_text(image, n, size, err);
    return fatbin_select(image, n, cc, &member, err) ? fatbin_text(&member, size, err) : NULL;
}
