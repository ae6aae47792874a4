/* SPDX-License-Identifier: Apache-2.0 */
#include "decode.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vgpu_protocol.h"

const char *vgpu_decode_text(enum vgpu_decode_result result)
{
    switch (result) {
    case VGPU_DECODE_OK:
        return "no error";
    case VGPU_DECODE_UNKNOWN:
        return "no such command";
    case VGPU_DECODE_SIZE:
        return "wrong size";
    case VGPU_DECODE_RESERVED:
        return "reserved field not zero";
    case VGPU_DECODE_ROOM:
        return "no room for the answer";
    }
    return "unknown error";
}

static bool all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

static bool pads_zero(const struct vgpu_ring_info *info, const unsigned char *fixed)
{
    for (int i = 0; i < info->field_count; i++) {
        const struct vgpu_ring_field *field = &info->fields[i];
        if (field->pad && !all_zero(fixed + field->offset, (size_t)field->size * field->count))
            return false;
    }
    return true;
}

/* Sizes only; on success *INFO is set and *TAIL is the number of bytes behind the fixed struct. */
static enum vgpu_decode_result check(const void *bytes, size_t size, const struct vgpu_ring_info **info, size_t *tail)
{
    struct vgpu_ring_cmd head;

    if (size < sizeof head)
        return VGPU_DECODE_SIZE;
    memcpy(&head, bytes, sizeof head);
    if (head.size < sizeof head || head.size > size)
        return VGPU_DECODE_SIZE;
    *info = vgpu_ring_info(head.command);
    if (!*info)
        return VGPU_DECODE_UNKNOWN;
    size_t body = head.size - sizeof head;
    if (body < (*info)->fixed_size || (!(*info)->has_tail && body != (*info)->fixed_size))
        return VGPU_DECODE_SIZE;
    *tail = body - (*info)->fixed_size;
    if (head.flags || !pads_zero(*info, (const unsigned char *)bytes + sizeof head))
        return VGPU_DECODE_RESERVED;
    return VGPU_DECODE_OK;
}

enum vgpu_decode_result vgpu_decode(const void *bytes, size_t size, void *executor, struct vgpu_answer *answer)
{
    const struct vgpu_ring_info *info = NULL;
    size_t tail_size = 0;
    enum vgpu_decode_result result = check(bytes, size, &info, &tail_size);
    const unsigned char *fixed = (const unsigned char *)bytes + sizeof(struct vgpu_ring_cmd);
    struct vgpu_reply_tail reply_tail = {0};

    if (result != VGPU_DECODE_OK)
        return result;
    if (info->sync) {
        if (!answer || answer->room < info->reply_size)
            return VGPU_DECODE_ROOM;
        memset(answer->bytes, 0, info->reply_size);
        reply_tail.bytes = (unsigned char *)answer->bytes + info->reply_size;
        reply_tail.room = answer->room - info->reply_size;
    }
    uint32_t status = info->call(executor, fixed, fixed + info->fixed_size, tail_size, answer ? answer->bytes : NULL,
                                 &reply_tail);
    if (!answer)
        return VGPU_DECODE_OK;
    answer->status = status;
    answer->used = 0;
    if (!info->sync)
        return VGPU_DECODE_OK;
    /* A failed command's reply holds nothing; what is sent then is the text alone. */
    if (status)
        memmove(answer->bytes, reply_tail.bytes, reply_tail.used);
    answer->used = reply_tail.used + (status ? 0 : info->reply_size);
    return VGPU_DECODE_OK;
}

/* ---- printing ---- */

struct text {
    char *at;
    size_t room, length;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (text->length + 1 >= text->room)
        return;
    va_start(ap, fmt);
    n = vsnprintf(text->at + text->length, text->room - text->length, fmt, ap);
    va_end(ap);
    if (n > 0)
        text->length += (size_t)n;
    if (text->length >= text->room)
        text->length = text->room - 1;
}

static void put_value(struct text *text, const struct vgpu_ring_field *field, const unsigned char *at)
{
    uint64_t bits = 0;

    memcpy(&bits, at, field->size); /* little-endian, as the ring is */
    if (field->type == 'f' && field->size == 4) {
        float value;
        memcpy(&value, at, sizeof value);
        put(text, "%g", (double)value);
    } else if (field->type == 'f') {
        double value;
        memcpy(&value, at, sizeof value);
        put(text, "%g", value);
    } else if (field->hex) {
        put(text, "%#" PRIx64, bits);
    } else if (field->type == 'i') {
        put(text, "%" PRId64, field->size == 4 ? (int64_t)(int32_t)bits : (int64_t)bits);
    } else {
        put(text, "%" PRIu64, bits);
    }
}

static void put_fields(struct text *text, const struct vgpu_ring_field *fields, int count, const unsigned char *at)
{
    for (int i = 0; i < count; i++) {
        const struct vgpu_ring_field *field = &fields[i];
        if (field->pad)
            continue;
        put(text, " %s=", field->name);
        for (uint32_t e = 0; e < field->count; e++) {
            if (e)
                put(text, ",");
            put_value(text, field, at + field->offset + e * field->size);
        }
    }
}

size_t vgpu_ring_print(char *at, size_t room, const void *bytes, size_t size)
{
    struct text text = {at, room, 0};
    const struct vgpu_ring_info *info = NULL;
    struct vgpu_ring_cmd head = {0};
    size_t tail = 0;

    if (!room)
        return 0;
    *at = 0;
    enum vgpu_decode_result result = check(bytes, size, &info, &tail);
    memcpy(&head, bytes, size < sizeof head ? size : sizeof head);
    if (result == VGPU_DECODE_OK) {
        put(&text, "%s", info->name);
        put_fields(&text, info->fields, info->field_count, (const unsigned char *)bytes + sizeof head);
        if (info->has_tail)
            put(&text, " tail=%zu", tail);
    } else {
        put(&text, "%s command=%#x flags=%#x size=%" PRIu32 ": %s", info ? info->name : "?", head.command, head.flags,
            head.size, vgpu_decode_text(result));
    }
    return text.length;
}

size_t vgpu_reply_print(char *at, size_t room, unsigned command, const void *reply, size_t size)
{
    struct text text = {at, room, 0};
    const struct vgpu_ring_info *info = vgpu_ring_info(command);

    if (!room)
        return 0;
    *at = 0;
    if (!info || size < info->reply_size)
        put(&text, "%zu bytes", size);
    else
        put_fields(&text, info->reply_fields, info->reply_field_count, reply);
    return text.length;
}
