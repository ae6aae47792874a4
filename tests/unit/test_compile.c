/* SPDX-License-Identifier: Apache-2.0 */
/* The executor's side of cache and compiler (executor/compile.h), with this test as hostd and as compilers that answer well, badly,
 * late or never. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "executor/compile.h"
#include "executor/socket.h"
#include "tap.h"

static int hostd = -1, compiler = -1; /* our ends */

static void pair_of(int *ours, int *theirs)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        exit(2);
    *ours = pair[0];
    *theirs = pair[1];
}

static void say(int fd, uint16_t type, uint32_t status, uint64_t a, int file)
{
    if (!vg_msg_send(fd, &(struct vgpu_msg){.type = type, .status = status, .a = a}, "so", status ? 3 : 0, &file, file >= 0))
        exit(2);
}

/* The answer to the executor's next question for a compiler. */
static void offer_compiler(void)
{
    int theirs;

    if (compiler >= 0)
        close(compiler);
    pair_of(&compiler, &theirs);
    say(hostd, VGPU_MSG_COMPILER_IS, 0, 0, theirs);
    close(theirs);
}

static unsigned asked(int fd, uint16_t type)
{
    struct vg_packet p;
    unsigned n = 0;

    while (fd >= 0 && vg_msg_receive(fd, &p) == VG_MSG_OK)
        n += p.msg.type == type;
    return n;
}

/* ---- Wants ---- */

struct want {
    struct vgx_want want;
    size_t bytes;
    int value;
    int answers, fd;
    char why[64];
};

static void answered(struct vgx_want *w, int fd, const char *why)
{
    struct want *mine = (struct want *)w;

    mine->answers++;
    mine->fd = fd;
    g_strlcpy(mine->why, why, sizeof mine->why);
}

static GByteArray *request(struct vgx_want *w)
{
    const struct want *mine = (const struct want *)w;
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_set_size(bytes, (guint)mine->bytes);
    memset(bytes->data, mine->value, mine->bytes);
    return bytes;
}

/* A request of n bytes, each of which is what it is worth. */
static void ask(struct want *w, size_t n, double worth)
{
    *w = (struct want){.want = {.request = request, .worth = worth, .answer = answered}, .bytes = n, .value = (int)worth, .fd = -2};
    vgx_compile_ask(&w->want);
}

/* The next whole request's number, and the byte it is made of; 0 when there is none. */
static uint64_t next_request(int *byte)
{
    struct vg_packet p;
    uint64_t got = 0;

    for (;;) {
        if (vg_msg_receive(compiler, &p) != VG_MSG_OK)
            return 0;
        got += p.msg.payload;
        *byte = p.payload[0];
        if (p.msg.type != VGPU_MSG_COMPILE || got > p.msg.b)
            return 0;
        if (got == p.msg.b)
            return p.msg.a;
    }
}

/* ---- */

static void cached(void)
{
    static const uint8_t key[CODE_KEY_SIZE] = {1};
    int file = open("/dev/null", O_RDONLY), fd;

    say(hostd, VGPU_MSG_CODE_IS, 0, 0, file);
    fd = vgx_compile_cached(key);
    ok(fd >= 0 && asked(hostd, VGPU_MSG_CODE) == 1, "hostd has it");
    close(fd);
    say(hostd, VGPU_MSG_CODE_IS, 500, 0, -1);
    ok(vgx_compile_cached(key) < 0, "hostd has it not");
    say(hostd, VGPU_MSG_CODE_IS, 0, 0, -1);
    ok(vgx_compile_cached(key) < 0, "hostd has it, but does not send it");
    say(hostd, VGPU_MSG_GRANTED, 0, 0, file);
    ok(vgx_compile_cached(key) < 0, "another answer");
    close(file);
    asked(hostd, 0);
}

static void order(void)
{
    struct want w[4];
    int byte = 0, file = open("/dev/null", O_RDONLY);
    uint64_t first, second;

    offer_compiler();
    for (int i = 0; i < 4; i++)
        ask(&w[i], 20000, 1 + i);
    vgx_compile_poll(false);
    first = next_request(&byte);
    ok(first && byte == 4, "what is worth most comes first");
    second = next_request(&byte);
    ok(second && byte == 3 && !next_request(&byte), "then the next, and no more than two");
    w[0].want.worth = 9;
    say(compiler, VGPU_MSG_COMPILED, 0, second, file);
    vgx_compile_poll(true);
    ok(w[2].answers == 1 && w[2].fd >= 0, "an answer in another order");
    ok(next_request(&byte) && byte == 1, "what is worth most by now");
    vgx_compile_forget(&w[3].want);
    say(compiler, VGPU_MSG_COMPILED, 0, first, file);
    vgx_compile_poll(true);
    ok(!w[3].answers, "nobody is told what nobody wants any more");
    ok(next_request(&byte) && byte == 2, "and the queue goes on");
    close(compiler);
    compiler = -1;
    offer_compiler();
    vgx_compile_poll(false);
    ok(w[0].answers == 1 && w[0].fd == -1 && w[1].answers == 1 && w[1].fd == -1, "what a lost compiler had is not tried again: %s", w[0].why);
    close(file);
}

/* Answers that end the connection; the next compiler is asked for what is asked after that. */
static void nonsense(void)
{
    static const char *const names[] = {"another number", "no file", "a file with a failure", "another message", "no message"};
    int file = open("/dev/null", O_RDONLY), byte;

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct want w;
        uint64_t number;

        ask(&w, 100, 1);
        vgx_compile_poll(false);
        number = next_request(&byte);
        switch (i) {
        case 0:
            say(compiler, VGPU_MSG_COMPILED, 0, number + 1, file);
            break;
        case 1:
            say(compiler, VGPU_MSG_COMPILED, 0, number, -1);
            break;
        case 2:
            say(compiler, VGPU_MSG_COMPILED, 999, number, file);
            break;
        case 3:
            say(compiler, VGPU_MSG_GRANTED, 0, number, file);
            break;
        case 4:
            send(compiler, names, 5, 0);
            break;
        }
        vgx_compile_poll(true);
        ok(number && w.answers == 1 && w.fd == -1, "%s: the compiler is given up, the kernel is refused", names[i]);
        offer_compiler();
    }
    close(file);
}

static void slow(void)
{
    uint64_t got = 0, number = 0;
    struct vg_packet p;
    struct want w;

    ask(&w, 8 << 20, 1);
    for (int i = 0; i < 5; i++)
        vgx_compile_poll(false);
    ok(!w.answers, "a compiler that does not read is not waited for");
    while (got < 8 << 20) {
        while (vg_msg_receive(compiler, &p) == VG_MSG_OK) {
            got += p.msg.payload;
            number = p.msg.a;
        }
        vgx_compile_poll(false);
    }
    say(compiler, VGPU_MSG_COMPILED, 999, number, -1);
    vgx_compile_poll(true);
    ok(w.answers == 1 && w.fd == -1 && !strcmp(w.why, "so"), "it gets all of a large request at last, and its reason is heard");
}

static void given_up(void)
{
    struct want w;

    for (int i = 0; i < 20; i++) {
        offer_compiler();
        ask(&w, 10, 1);
        vgx_compile_poll(false);
        close(compiler);
        compiler = -1;
        vgx_compile_poll(false);
    }
    asked(hostd, 0);
    ask(&w, 10, 1);
    vgx_compile_poll(true);
    ok(w.answers == 1 && w.fd == -1 && !asked(hostd, VGPU_MSG_COMPILER), "after many compilers no more are asked for: %s", w.why);
}

int main(void)
{
    int theirs;

    pair_of(&hostd, &theirs);
    vgx_compile_init(theirs, 0);
    cached();
    order();
    nonsense();
    slow();
    given_up();
    return tap_done();
}
