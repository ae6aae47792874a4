/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile device model or local client may send to hostd's socket: its connections and its books of memory, in this
 * process, with channels that start no process.
 *
 * Input: records of {u8 who, u8 how, u16 size} and 'size' bytes. who: connection number (2 bits); 4: its far end closes; 8: the
 * bytes go out as they are, not behind a good magic and length; 16: not a message, but what an executor asks for: {u8 channel,
 * u8 return, u64 a, u64 b}. how: descriptors that ride along, two bits each: none, a sealed memfd, an unsealed one, an eventfd. */
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fcntl.h>

#include "fuzz.h"
#include "hostd/hostd.h"

#define PEERS 4

struct options options = {.profile = "gtx1080"};
char *executor_path;

/* ---- Channels without a process ---- */

struct channel {
    struct guest *guest;
    unsigned index;
    void *owner;
    guint later;
};

void *channel_owner(const struct channel *c)
{
    return c->owner;
}

unsigned channel_index(const struct channel *c)
{
    return c->index;
}

static gboolean opened(gpointer data)
{
    struct channel *c = data;

    c->later = 0;
    c->guest->ops->channel_opened(c->guest, c, 0);
    return G_SOURCE_REMOVE;
}

bool channel_open(struct guest *g, unsigned index, int doorbell, void *owner)
{
    struct channel *c;

    if (index >= VGPU_CHANNELS || g->channels[index])
        return false;
    c = g_new0(struct channel, 1);
    *c = (struct channel){g, index, owner, g_idle_add(opened, c)};
    g->channels[index] = c;
    return true;
}

static gboolean closed(gpointer data)
{
    struct channel c = *(struct channel *)data;

    g_free(data);
    c.guest->channels[c.index] = NULL;
    guest_return_all(c.guest, c.index);
    c.guest->ops->channel_closed(c.guest, c.index, c.owner);
    return G_SOURCE_REMOVE;
}

void channel_close(struct guest *g, unsigned index)
{
    struct channel *c = index < VGPU_CHANNELS ? g->channels[index] : NULL;

    if (!c)
        return;
    if (c->later)
        g_source_remove(c->later);
    c->later = g_idle_add(closed, c);
}

void guest_code_free(struct guest *g)
{
}

void channel_destroy(struct channel *c)
{
    if (c->later)
        g_source_remove(c->later);
    c->guest->channels[c->index] = NULL;
    g_free(c);
}

/* ---- Peers ---- */

static int peers[PEERS];

static int peer(unsigned i)
{
    int pair[2];

    if (peers[i] >= 0)
        return peers[i];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        abort();
    connection_new(pair[1]);
    return peers[i] = pair[0];
}

static int descriptor(unsigned kind)
{
    int fd;

    if (kind == 3)
        return eventfd(0, EFD_CLOEXEC);
    fd = memfd_create("bar2", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (ftruncate(fd, (off_t)(VGPU_MEMORY_OFFSET + 8 * VGPU_EXTENT)) || (kind == 1 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)))
        abort();
    return fd;
}

static void send_record(unsigned who, unsigned how, const uint8_t *bytes, size_t n)
{
    uint8_t message[sizeof(struct vgpu_msg) + VGPU_MSG_MAX_PAYLOAD + 64];
    struct iovec iov = {message, 0};
    union {
        char buffer[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control = {.buffer = {0}};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    struct vgpu_msg head;
    int fds[4], n_fds = 0;

    iov.iov_len = n < sizeof message ? n : sizeof message;
    memcpy(message, bytes, iov.iov_len);
    if (!(who & 8) && iov.iov_len >= sizeof head) {
        memcpy(&head, message, sizeof head);
        head.magic = VGPU_MSG_MAGIC;
        head.payload = (uint16_t)(iov.iov_len - sizeof head);
        memcpy(message, &head, sizeof head);
    }
    for (; how && n_fds < 4; how >>= 2)
        if (how & 3)
            fds[n_fds++] = descriptor(how & 3);
    if (n_fds) {
        struct cmsghdr *c = &control.align;

        m.msg_control = control.buffer;
        m.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
        *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int))};
        memcpy(CMSG_DATA(c), fds, (size_t)n_fds * sizeof(int));
    }
    sendmsg(peer(who & 3), &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n_fds)
        close(fds[--n_fds]);
}

static void executor_asks(const uint8_t *bytes, size_t n)
{
    struct guest *g = local_guest(NULL);
    uint64_t a, b;

    if (n < 18 || !g || !g->channels[bytes[0] % VGPU_CHANNELS])
        return;
    memcpy(&a, bytes + 2, 8);
    memcpy(&b, bytes + 10, 8);
    if (bytes[1] & 1)
        guest_return(g, bytes[0] % VGPU_CHANNELS, a, b);
    else
        guest_grant(g, bytes[0] % VGPU_CHANNELS, a, &a, &b);
}

static void settle(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    for (int i = 0; i < PEERS; i++)
        peers[i] = -1;
    while (n >= 4) {
        unsigned who = data[0];
        uint16_t size;

        memcpy(&size, data + 2, 2);
        size = size > n - 4 ? (uint16_t)(n - 4) : size;
        if (who & 16)
            executor_asks(data + 4, size);
        else
            send_record(who, data[1], data + 4, size);
        if (who & 4) {
            close(peer(who & 3));
            peers[who & 3] = -1;
        }
        settle();
        data += 4 + size;
        n -= 4 + size;
    }
    for (int i = 0; i < PEERS; i++)
        if (peers[i] >= 0)
            close(peers[i]);
    settle();
    return 0;
}
