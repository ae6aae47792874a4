/* SPDX-License-Identifier: Apache-2.0 */
/* The queue lies here and not with the compiler, so that its order is always that of the latest launches: the compiler has only as
 * many requests as keep it busy. */
#include "executor/compile.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "executor/log.h"
#include "executor/socket.h"

#define SLOTS 2
#define CONNECTIONS_MAX 8 /* compilers that may be lost before this process does without */

/* A request that the compiler has, or is being sent. */
struct slot {
    uint64_t number;       /* 0: free */
    struct vgx_want *want; /* NULL: forgotten */
    GByteArray *request;
    size_t sent;
};

static int hostd = -1, compiler = -1;
static unsigned our_channel, connections;
static bool given_up;
static uint64_t last_number;
static struct slot slots[SLOTS];
static GPtrArray *queue;

void vgx_compile_init(int control_socket, unsigned channel)
{
    hostd = control_socket;
    our_channel = channel;
    queue = g_ptr_array_new();
}

/* Ask hostd; the one descriptor of its answer, or -1. */
static int ask_hostd(uint16_t type, const void *payload, size_t n, uint16_t expected)
{
    struct vgpu_msg m = {.type = type, .channel = our_channel};
    struct vg_packet p = {0};
    int fd = -1;

    if (hostd < 0 || !vg_msg_send(hostd, &m, payload, n, NULL, 0) || vg_msg_receive(hostd, &p) != VG_MSG_OK)
        return -1;
    if (p.msg.type == expected && !p.msg.status && p.n_fds == 1) {
        fd = p.fds[0];
        p.n_fds = 0;
    }
    vg_packet_close_fds(&p);
    return fd;
}

int vgx_compile_cached(const uint8_t key[CODE_KEY_SIZE])
{
    return ask_hostd(VGPU_MSG_CODE, key, CODE_KEY_SIZE, VGPU_MSG_CODE_IS);
}

void vgx_compile_ask(struct vgx_want *w)
{
    g_ptr_array_add(queue, w);
}

void vgx_compile_forget(struct vgx_want *w)
{
    g_ptr_array_remove(queue, w);
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].want == w)
            slots[i].want = NULL;
}

static void free_slot(struct slot *s)
{
    g_byte_array_unref(s->request);
    *s = (struct slot){0};
}

static void finish(struct slot *s, int fd, const char *why)
{
    struct vgx_want *w = s->want;

    free_slot(s);
    if (w)
        w->answer(w, fd, why);
}

/* What the compiler had when it went is not asked for again: it may be why. */
static void lose_compiler(void)
{
    close(compiler);
    compiler = -1;
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].number)
            finish(&slots[i], -1, "the compiler was lost");
}

static bool connect_compiler(void)
{
    if (compiler < 0 && !given_up) {
        if (connections++ < CONNECTIONS_MAX)
            compiler = ask_hostd(VGPU_MSG_COMPILER, NULL, 0, VGPU_MSG_COMPILER_IS);
        given_up = compiler < 0;
        if (given_up)
            vg_log(VG_LOG_WARN, "there is no compiler: kernels are interpreted");
    }
    return compiler >= 0;
}

static struct vgx_want *take_best(void)
{
    guint best = 0;

    for (guint i = 1; i < queue->len; i++)
        if (((struct vgx_want *)queue->pdata[i])->worth > ((struct vgx_want *)queue->pdata[best])->worth)
            best = i;
    return g_ptr_array_remove_index(queue, best);
}

static void fill_slots(void)
{
    for (unsigned i = 0; i < SLOTS && queue->len; i++) {
        struct vgx_want *w;

        if (slots[i].number)
            continue;
        w = take_best();
        if (connect_compiler())
            slots[i] = (struct slot){.number = ++last_number, .want = w, .request = w->request(w)};
        else
            w->answer(w, -1, "there is no compiler");
    }
}

/* The oldest request first: parts of two do not mix. */
static struct slot *slot_to_send(void)
{
    struct slot *first = NULL;

    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].number && slots[i].sent < slots[i].request->len && (!first || slots[i].number < first->number))
            first = &slots[i];
    return first;
}

static bool send_parts(void)
{
    for (struct slot *s; (s = slot_to_send());) {
        size_t n = MIN(s->request->len - s->sent, VGPU_MSG_MAX_PAYLOAD);
        struct vgpu_msg m = {.type = VGPU_MSG_COMPILE, .a = s->number, .b = s->request->len};

        if (!vg_msg_send(compiler, &m, s->request->data + s->sent, n, NULL, 0))
            return errno == EAGAIN || errno == EWOULDBLOCK;
        s->sent += n;
    }
    return true;
}

static bool take_answer(struct vg_packet *p)
{
    struct slot *s = NULL;

    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].number && slots[i].number == p->msg.a)
            s = &slots[i];
    if (p->msg.type != VGPU_MSG_COMPILED || !s || s->sent < s->request->len || p->n_fds != !p->msg.status)
        return false;
    p->payload[MIN(p->msg.payload, VGPU_MSG_MAX_PAYLOAD - 1)] = 0;
    finish(s, p->msg.status ? -1 : p->fds[0], (const char *)p->payload);
    return true;
}

static bool receive_answers(void)
{
    enum vg_msg_result got;
    struct vg_packet p;
    bool good = true;

    while (good && (got = vg_msg_receive(compiler, &p)) != VG_MSG_AGAIN) {
        good = got == VG_MSG_OK && take_answer(&p);
        if (got == VG_MSG_OK)
            vg_packet_close_fds(&p);
    }
    return good;
}

void vgx_compile_poll(bool wait)
{
    struct pollfd at;

    fill_slots();
    if (compiler < 0)
        return;
    if (send_parts() && wait) {
        at = (struct pollfd){compiler, slot_to_send() ? POLLIN | POLLOUT : POLLIN, 0};
        while (poll(&at, 1, -1) < 0 && errno == EINTR)
            ;
    }
    if (!send_parts() || !receive_answers())
        lose_compiler();
    fill_slots();
    if (compiler >= 0)
        send_parts();
}
