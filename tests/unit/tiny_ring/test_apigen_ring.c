/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding, decoding and printing of ring commands, with the table of test_apigen/tiny.ring. */
#include <stdlib.h>

#include "ring_decode.h"
#include "ring_encode.h"
#include "tap.h"
#include "vgpu_protocol.h"

static int executor, calls;
static struct vgpu_cmd_move moved;

uint32_t vgx_cmd_empty(void *e)
{
    calls += e == &executor;
    return 0;
}

uint32_t vgx_cmd_move(void *e, const struct vgpu_cmd_move *cmd)
{
    calls += e == &executor;
    moved = *cmd;
    return 7;
}

uint32_t vgx_cmd_ask(void *e, const struct vgpu_cmd_ask *cmd, const void *tail, size_t tail_size,
                     struct vgpu_reply_ask *reply, struct vgpu_reply_tail *reply_tail)
{
    calls++;
    if (reply->answer || reply->parts[0] || reply->parts[1])
        return 1; /* the reply was not zeroed */
    reply->answer = tail_size;
    reply->parts[1] = cmd->what;
    reply_tail->used = tail_size < reply_tail->room ? tail_size : reply_tail->room;
    memcpy(reply_tail->bytes, tail, reply_tail->used);
    return cmd->what == 99 ? 400 : 0;
}

uint32_t vgx_cmd_text(void *e, const void *tail, size_t tail_size, struct vgpu_reply_tail *reply_tail)
{
    calls++;
    return 0;
}

struct wire {
    struct vgpu_ring_cmd head;
    unsigned char body[240];
};

static size_t frame(struct wire *wire, unsigned command, size_t body)
{
    wire->head = (struct vgpu_ring_cmd){.command = (uint16_t)command, .size = (uint32_t)(sizeof wire->head + body), .seq = 1};
    return wire->head.size;
}

static size_t frame_move(struct wire *wire)
{
    memset(wire, 0xff, sizeof *wire);
    vgpu_encode_move((struct vgpu_cmd_move *)wire->body, 0x200000200000, -5, 3, -1, (const uint16_t[]){1, 2},
                     (const uint8_t[]){1, 2, 3, 4}, 0.5f, 2.25);
    return frame(wire, VGPU_CMD_MOVE, sizeof(struct vgpu_cmd_move));
}

static void test_decode(void)
{
    _Alignas(8) unsigned char room[64];
    struct vgpu_answer answer = {.bytes = room, .room = sizeof room};
    struct wire wire;
    size_t size = frame_move(&wire);

    is_u64(vgpu_decode(&wire, size, &executor, NULL), VGPU_DECODE_OK, "a queued command, its status not wanted");
    is_u64(vgpu_decode(&wire, sizeof wire, &executor, &answer), VGPU_DECODE_OK, "more bytes behind it");
    is_u64(answer.status, 7, "the handler's status");
    is_u64(answer.used, 0, "a queued command has no reply");
    is_u64(calls, 2, "the handler got the executor");
    ok(moved.by == -5 && moved.step == -1 && moved.half[1] == 2 && moved.bytes[3] == 4 && moved.factor == 2.25 &&
           moved.pad == 0, "every field arrives");

    memset(room, 0xee, sizeof room);
    vgpu_encode_ask((struct vgpu_cmd_ask *)wire.body, 5);
    memcpy(wire.body + sizeof(struct vgpu_cmd_ask), "hello", 5);
    size = frame(&wire, VGPU_CMD_ASK, sizeof(struct vgpu_cmd_ask) + 5);
    is_u64(vgpu_decode(&wire, size, &executor, &answer), VGPU_DECODE_OK, "a sync command with tails");
    const struct vgpu_reply_ask *reply = (const void *)room;
    ok(answer.status == 0 && reply->answer == 5 && reply->parts[1] == 5, "the reply's fields");
    is_u64(answer.used, sizeof *reply + 5, "the reply's size");
    ok(!memcmp(room + sizeof *reply, "hello", 5), "the reply's tail follows its fields");
    vgpu_encode_ask((struct vgpu_cmd_ask *)wire.body, 99);
    vgpu_decode(&wire, size, &executor, &answer);
    ok(answer.status == 400 && answer.used == 5 && !memcmp(room, "hello", 5), "a failed command answers with a text alone");

    ok(vgpu_ring_info(VGPU_CMD_ASK)->sync && !vgpu_ring_info(VGPU_CMD_MOVE)->sync, "what is sync");
    ok(!vgpu_ring_info(0) && !vgpu_ring_info(3) && !vgpu_ring_info(7) && !vgpu_ring_info(0xffff), "gaps in the numbers");
    is_u64(VGPU_REPLY_MAX, 16, "the largest reply");
}

static void test_refused(void)
{
    _Alignas(8) unsigned char room[64];
    struct vgpu_answer answer = {.bytes = room, .room = sizeof room};
    struct wire wire;
    size_t size = frame_move(&wire);
    int before = calls;

    is_u64(vgpu_decode(&wire, 0, &executor, &answer), VGPU_DECODE_SIZE, "no bytes");
    is_u64(vgpu_decode(&wire, sizeof wire.head - 1, &executor, &answer), VGPU_DECODE_SIZE, "half a header");
    is_u64(vgpu_decode(&wire, size - 1, &executor, &answer), VGPU_DECODE_SIZE, "the header says more than is there");
    wire.head.size = 0;
    is_u64(vgpu_decode(&wire, size, &executor, &answer), VGPU_DECODE_SIZE, "size 0");
    wire.head.size = (uint32_t)size - 8;
    is_u64(vgpu_decode(&wire, size, &executor, &answer), VGPU_DECODE_SIZE, "too short for its struct");
    wire.head.size = (uint32_t)size + 8;
    is_u64(vgpu_decode(&wire, sizeof wire, &executor, &answer), VGPU_DECODE_SIZE, "a tail where none belongs");
    wire.head.size = 0xffffffff;
    is_u64(vgpu_decode(&wire, sizeof wire, &executor, &answer), VGPU_DECODE_SIZE, "size 2^32 - 1");
    frame_move(&wire);
    wire.head.flags = 1;
    is_u64(vgpu_decode(&wire, size, &executor, &answer), VGPU_DECODE_RESERVED, "flags");
    frame_move(&wire);
    ((struct vgpu_cmd_move *)wire.body)->pad = 1;
    is_u64(vgpu_decode(&wire, size, &executor, &answer), VGPU_DECODE_RESERVED, "a pad");
    for (unsigned command = 0; command < 0x10000; command += command == 8 ? 0xfff0 : 1) {
        wire.head.command = (uint16_t)command;
        if (!vgpu_ring_info(command) && vgpu_decode(&wire, size, &executor, &answer) != VGPU_DECODE_UNKNOWN)
            ok(0, "command %#x", command);
    }
    frame(&wire, VGPU_CMD_ASK, sizeof(struct vgpu_cmd_ask));
    vgpu_encode_ask((struct vgpu_cmd_ask *)wire.body, 1);
    answer.room = sizeof(struct vgpu_reply_ask) - 1;
    is_u64(vgpu_decode(&wire, sizeof wire, &executor, &answer), VGPU_DECODE_ROOM, "no room for the reply");
    is_u64(vgpu_decode(&wire, sizeof wire, &executor, NULL), VGPU_DECODE_ROOM, "nobody takes the reply");
    is_u64(calls, before, "none of these reached a handler");
}

static void test_random(void)
{
    _Alignas(8) unsigned char room[32];
    uint32_t seed = 7;
    char text[64];
    int bad = 0;

    for (int round = 0; round < 20000; round++) {
        struct vgpu_answer answer = {.bytes = room, .room = sizeof room};
        size_t size = (size_t)round % (sizeof(struct wire) + 1);
        unsigned char *bytes = malloc(size ? size : 1); /* exactly sized, for the sanitizer */
        for (size_t i = 0; i < size; i++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[i] = (unsigned char)(seed >> 24);
        }
        if (size >= 8 && round % 2) { /* near-valid headers reach further */
            bytes[0] = (unsigned char)(seed % 8);
            bytes[1] = bytes[2] = bytes[3] = 0;
            bytes[4] = (unsigned char)(size - round % 3);
            bytes[5] = bytes[6] = bytes[7] = 0;
        }
        vgpu_decode(bytes, size, &executor, &answer);
        bad += answer.used > sizeof room;
        bad += vgpu_ring_print(text, sizeof text, bytes, size) != strlen(text);
        bad += vgpu_reply_print(text, sizeof text, round % 9, bytes, size) != strlen(text);
        free(bytes);
    }
    is_u64(bad, 0, "random bytes");
}

static void test_print(void)
{
    char text[256];
    struct wire wire;
    size_t size = frame_move(&wire);

    vgpu_ring_print(text, sizeof text, &wire, size);
    is_str(text, "move dst=0x200000200000 by=-5 count=3 step=-1 half=1,2 bytes=1,2,3,4 scale=0.5 factor=2.25", "a command");
    vgpu_ring_print(text, 12, &wire, size);
    is_str(text, "move dst=0x", "cut to the room");
    is_u64(vgpu_ring_print(text, 0, &wire, size), 0, "no room at all");
    frame(&wire, VGPU_CMD_ASK, sizeof(struct vgpu_cmd_ask) + 9);
    vgpu_encode_ask((struct vgpu_cmd_ask *)wire.body, 1);
    vgpu_ring_print(text, sizeof text, &wire, sizeof wire);
    is_str(text, "ask what=1 tail=9", "a tail");
    frame(&wire, 0x77, 8);
    vgpu_ring_print(text, sizeof text, &wire, sizeof wire);
    is_str(text, "? command=0x77 flags=0 size=24: no such command", "an unknown command");
    struct vgpu_reply_ask reply = {.answer = 16, .parts = {1, 2}};
    vgpu_reply_print(text, sizeof text, VGPU_CMD_ASK, &reply, sizeof reply);
    is_str(text, " answer=0x10 parts=1,2", "a reply");
    vgpu_reply_print(text, sizeof text, VGPU_CMD_ASK, &reply, 3);
    is_str(text, "3 bytes", "a reply that is too short");
    for (int result = VGPU_DECODE_OK; result <= VGPU_DECODE_ROOM; result++)
        ok(strcmp(vgpu_decode_text((enum vgpu_decode_result)result), "unknown error"), "result %d has a text", result);
}

int main(void)
{
    test_decode();
    test_refused();
    test_random();
    test_print();
    return tap_done();
}
