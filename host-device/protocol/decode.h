/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding ring commands, driven by the tables that apigen writes from ring.api (ring_decode.c). */
#ifndef VGPU_DECODE_H
#define VGPU_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of variable length behind a reply: a handler writes at most ROOM bytes and sets USED. With a
 * status other than 0 they are a text for the guest's log. */
struct vgpu_reply_tail {
    void *bytes;
    size_t room, used;
};

struct vgpu_ring_field {
    const char *name;
    char type;     /* 'u', 'i' or 'f' */
    uint8_t size;  /* bytes of an element */
    uint32_t offset, count;
    bool hex, pad;
};

struct vgpu_ring_info {
    const char *name;
    bool sync, has_tail, has_reply_tail;
    uint32_t fixed_size, reply_size; /* bytes, tails not included */
    uint32_t (*call)(void *executor, const void *cmd, const void *tail, size_t tail_size, void *reply,
        struct vgpu_reply_tail *reply_tail);
    const struct vgpu_ring_field *fields, *reply_fields;
    int field_count, reply_field_count;
};

/* NULL when there is no such command. */
const struct vgpu_ring_info *vgpu_ring_info(unsigned command);

enum vgpu_decode_result {
    VGPU_DECODE_OK,       /* the handler ran; its status is in the answer */
    VGPU_DECODE_UNKNOWN,  /* well formed as far as one can tell, but not in this host's table */
    VGPU_DECODE_SIZE,     /* too short, too long, or longer than what is there */
    VGPU_DECODE_RESERVED, /* flags or pads that are not zero */
    VGPU_DECODE_ROOM,     /* no room for the answer: a mistake of the caller */
};

const char *vgpu_decode_text(enum vgpu_decode_result result);

struct vgpu_answer {
    void *bytes; /* 8-aligned; what follows struct vgpu_reply */
    size_t room; /* at least VGPU_REPLY_MAX for sync commands */
    size_t used; /* filled in */
    uint32_t status;
};

/* Runs the handler of one command. BYTES (8-aligned, the host's own copy, never shared memory) holds a
 * struct vgpu_ring_cmd and what follows it; SIZE bytes are there. Nothing is called unless the header,
 * sizes and reserved fields are right. ANSWER may be NULL for queued commands only. */
enum vgpu_decode_result vgpu_decode(const void *bytes, size_t size, void *executor, struct vgpu_answer *answer);

/* One line such as "mem_map va=0x200000200000 offset=0x10000000 size=2097152 flags=0" into TEXT, always
 * terminated; SIZE bytes are there. Malformed commands are described too. Returns the text's length. */
size_t vgpu_ring_print(char *text, size_t room, const void *bytes, size_t size);
/* The same of a reply's struct. */
size_t vgpu_reply_print(char *text, size_t room, unsigned command, const void *reply, size_t size);

#endif
