/* SPDX-License-Identifier: Apache-2.0 */
/* A channel: one executor process. Its life: started -> ready (opened) -> dead or closing -> gone (closed). A dead channel keeps
 * its memory until it is closed, since the guest's process may still touch it. */
#include "hostd/hostd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "code/request.h"
#include "executor/start.h"

struct channel {
    struct guest *guest;
    unsigned index;
    void *owner;
    GPid pid;                /* 0 when the process is gone */
    int socket;              /* to the executor, -1 when closed */
    guint socket_watch, child_watch;
    bool ready, dead, closing;
};

void *channel_owner(const struct channel *c)
{
    return c->owner;
}

unsigned channel_index(const struct channel *c)
{
    return c->index;
}

static void close_socket(struct channel *c)
{
    if (c->socket_watch)
        g_source_remove(c->socket_watch);
    c->socket_watch = 0;
    if (c->socket >= 0)
        close(c->socket);
    c->socket = -1;
}

static void release(struct channel *c)
{
    c->guest->channels[c->index] = NULL;
    guest_return_all(c->guest, c->index);
    g_free(c);
}

/* The process is gone. */
static void executor_gone(GPid pid, gint status, gpointer data)
{
    struct channel *c = data;
    struct guest *g = c->guest;
    unsigned index = c->index;
    void *owner = c->owner;

    g_spawn_close_pid(pid);
    c->pid = 0;
    c->child_watch = 0;
    close_socket(c);
    if (c->closing) {
        release(c);
        vg_log(VG_LOG_INFO, "%s: channel %u closed", g->name, index);
        g->ops->channel_closed(g, index, owner);
        return;
    }
    if (!c->dead) {
        g_autofree char *why = WIFSIGNALED(status)
                                   ? g_strdup_printf("its executor was killed by signal %d", WTERMSIG(status))
                                   : g_strdup_printf("its executor ended with status %d", WEXITSTATUS(status));

        vg_log(VG_LOG_ERROR, "%s: channel %u lost: %s", g->name, index, why);
        c->dead = true;
        if (c->ready)
            g->ops->channel_dead(g, c, 999, why);
        else
            g->ops->channel_opened(g, c, 999);
    }
}

static void reply_grant(struct channel *c, uint64_t size)
{
    struct vgpu_msg m = { .type = VGPU_MSG_GRANTED, .channel = c->index };

    m.status = guest_grant(c->guest, c->index, size, &m.a, &m.b);
    if (m.status)
        vg_log(VG_LOG_WARN, "%s: channel %u: %" G_GUINT64_FORMAT " MiB refused: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                            " MiB are granted", c->guest->name, c->index, size / VGPU_MIB, c->guest->granted / VGPU_MIB,
               c->guest->quota / VGPU_MIB);
    vg_msg_send(c->socket, &m, NULL, 0, NULL, 0);
}

/* An answer that is a descriptor, or its lack. */
static void reply_file(struct channel *c, uint16_t type, int fd, uint32_t status_without)
{
    struct vgpu_msg m = { .type = type, .channel = c->index, .status = fd < 0 ? status_without : 0 };

    vg_msg_send(c->socket, &m, NULL, 0, &fd, fd >= 0);
    if (fd >= 0)
        close(fd);
}

/* False: the executor broke the protocol. */
static bool executor_message(struct channel *c, struct vg_packet *p)
{
    switch (p->msg.type) {
    case VGPU_MSG_READY:
        if (c->ready)
            return false;
        c->ready = true;
        if (!c->closing)
            c->guest->ops->channel_opened(c->guest, c, 0);
        return true;
    case VGPU_MSG_GRANT:
        reply_grant(c, p->msg.a);
        return true;
    case VGPU_MSG_RETURN:
        return guest_return(c->guest, c->index, p->msg.a, p->msg.b) &&
               vg_msg_send(c->socket, &(struct vgpu_msg){ .type = VGPU_MSG_RETURNED, .channel = c->index }, NULL, 0, NULL, 0);
    case VGPU_MSG_CODE:
        if (p->msg.payload != CODE_KEY_SIZE)
            return false;
        reply_file(c, VGPU_MSG_CODE_IS, guest_code_find(c->guest, p->payload), 500);
        return true;
    case VGPU_MSG_COMPILER:
        reply_file(c, VGPU_MSG_COMPILER_IS, guest_code_connect(c->guest), 801);
        return true;
    case VGPU_MSG_FAILED:
        p->payload[MIN(p->msg.payload, VGPU_MSG_MAX_PAYLOAD - 1)] = 0;
        vg_log(VG_LOG_ERROR, "%s: channel %u given up: %s", c->guest->name, c->index, (char *)p->payload);
        c->dead = true;
        if (!c->closing)
            c->guest->ops->channel_dead(c->guest, c, p->msg.status, (char *)p->payload);
        return true;
    default:
        return false;
    }
}

static gboolean executor_readable(gint fd, GIOCondition condition, gpointer data)
{
    struct channel *c = data;
    struct vg_packet p;

    if (vg_msg_receive(fd, &p) == VG_MSG_OK) {
        bool good = executor_message(c, &p);

        vg_packet_close_fds(&p);
        if (good)
            return G_SOURCE_CONTINUE;
        vg_log(VG_LOG_ERROR, "%s: channel %u: its executor sent nonsense", c->guest->name, c->index);
    }
    /* Closed or broken: the process ends, executor_gone() does the rest. */
    c->socket_watch = 0;
    if (c->pid)
        kill(c->pid, SIGKILL);
    return G_SOURCE_REMOVE;
}

/* In the child, between fork and exec: put the descriptors where start.h says. Async-signal-safe calls only. */
static void place_descriptors(gpointer data)
{
    const int *from = data;
    int high[3];

    for (int i = 0; i < 3; i++)
        high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], VGX_FD_BAR2 + i) < 0)
            _exit(127);
}

bool channel_open(struct guest *g, unsigned index, int doorbell, void *owner)
{
    g_autofree char *number = g_strdup_printf("%u", index), *watchdog = g_strdup_printf("%u", g->watchdog_ms);
    char user[VG_USER_TEXT];
    char *argv[] = { executor_path, number, watchdog, vg_user_print(executor_user, user), NULL };
    g_autoptr(GError) error = NULL;
    int pair[2], place[3];
    struct channel *c;

    if (index >= VGPU_CHANNELS || g->channels[index] || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return false;
    c = g_new0(struct channel, 1);
    c->guest = g;
    c->index = index;
    c->owner = owner;
    c->socket = pair[0];
    place[VGX_FD_BAR2 - VGX_FD_BAR2] = g->bar2;
    place[VGX_FD_DOORBELL - VGX_FD_BAR2] = doorbell;
    place[VGX_FD_CONTROL - VGX_FD_BAR2] = pair[1];
    if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN, place_descriptors, place,
                       &c->pid, &error)) {
        vg_log(VG_LOG_ERROR, "%s: cannot start %s: %s", g->name, executor_path, error->message);
        close(pair[0]);
        close(pair[1]);
        g_free(c);
        return false;
    }
    close(pair[1]);
    c->socket_watch = g_unix_fd_add(c->socket, G_IO_IN | G_IO_HUP, executor_readable, c);
    c->child_watch = g_child_watch_add(c->pid, executor_gone, c);
    g->channels[index] = c;
    vg_log(VG_LOG_INFO, "%s: channel %u opened, executor %d", g->name, index, (int)c->pid);
    return true;
}

static gboolean closed_later(gpointer data)
{
    struct channel *c = data;
    struct guest *g = c->guest;
    unsigned index = c->index;
    void *owner = c->owner;

    release(c);
    g->ops->channel_closed(g, index, owner);
    return G_SOURCE_REMOVE;
}

/* Name the process that leaves work behind, under way or not yet taken: killed in mid-launch, most often. What the control page
 * says is the guest's word, good enough for a log. */
static void warn_at_work(const struct channel *c)
{
    struct vgpu_control ctl;

    if (!c->ready || c->dead ||
        pread(c->guest->bar2, &ctl, sizeof(ctl), (off_t)c->index * VGPU_CHANNEL_SIZE + VGPU_CONTROL_OFFSET) != sizeof(ctl))
        return;
    ctl.guest_comm[sizeof(ctl.guest_comm) - 1] = 0;
    g_strcanon(ctl.guest_comm, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS " ._-+:[]()", '?');
    /* A process that closes its channel takes its name away first. */
    if ((ctl.busy || ctl.head != ctl.tail) && ctl.guest_comm[0])
        vg_log(VG_LOG_WARN, "%s: process %u (%s) left channel %u while it was at work", c->guest->name, ctl.guest_pid,
               ctl.guest_comm, c->index);
}

void channel_close(struct guest *g, unsigned index)
{
    struct channel *c = index < VGPU_CHANNELS ? g->channels[index] : NULL;

    if (!c || c->closing)
        return;
    warn_at_work(c);
    c->closing = true;
    if (c->pid)
        kill(c->pid, SIGKILL); /* it may be in a kernel that never ends; executor_gone() follows */
    else
        c->child_watch = g_idle_add(closed_later, c);
}

void channel_destroy(struct channel *c)
{
    close_socket(c);
    if (c->child_watch)
        g_source_remove(c->child_watch);
    if (c->pid) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
    }
    c->guest->channels[c->index] = NULL;
    g_free(c);
}
