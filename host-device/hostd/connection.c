/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to hostd's socket. Its first message decides what it is: a device model (ATTACH), which brings a guest and
 * opens channels for it, or a local client, which is one process with at most one channel. */
#include "hostd/hostd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostd/local.h"
#include "profiles/profile.h"
#include "ring_commands.h"

struct connection {
    int socket;
    guint watch;
    pid_t pid;            /* of the peer, for the log */
    struct guest *guest;  /* a device's, owned; or the local one */
    bool is_device, is_local;
    bool lost;            /* it does not read: nothing more is sent */
    int channel;          /* a local client's, or -1 */
    int doorbell;         /* a local client's, or -1 */
};

static void free_connection(struct connection *k)
{
    if (k->watch)
        g_source_remove(k->watch);
    close(k->socket);
    if (k->doorbell >= 0)
        close(k->doorbell);
    if (k->is_device)
        guest_free(k->guest);
    g_free(k);
}

/* The peer is gone. A local client's channel is closed first; its connection is freed when that is done. */
static void hang_up(struct connection *k)
{
    k->watch = 0;
    if (k->is_local && k->channel >= 0)
        channel_close(k->guest, (unsigned)k->channel);
    else
        free_connection(k);
}

static void send_msg(struct connection *k, const struct vgpu_msg *m, const void *payload, size_t n, const int *fds, int n_fds)
{
    if (k->lost || vg_msg_send(k->socket, m, payload, n, fds, n_fds))
        return;
    vg_log(VG_LOG_WARN, "process %d does not take messages: %s", (int)k->pid, g_strerror(errno));
    /* It has missed one: readable() finds the end. */
    k->lost = true;
    shutdown(k->socket, SHUT_RDWR);
}

/* ---- a device model ---- */

static void device_opened(struct guest *g, struct channel *c, uint32_t status)
{
    send_msg(g->owner, &(struct vgpu_msg){ .type = VGPU_MSG_OPENED, .channel = channel_index(c), .status = status }, NULL, 0, NULL, 0);
}

static void device_dead(struct guest *g, struct channel *c, uint32_t status, const char *why)
{
    send_msg(g->owner, &(struct vgpu_msg){ .type = VGPU_MSG_DEAD, .channel = channel_index(c), .status = status }, why,
             MIN(strlen(why) + 1, VGPU_MSG_MAX_PAYLOAD), NULL, 0);
}

static void device_closed(struct guest *g, unsigned index, void *owner)
{
    send_msg(g->owner, &(struct vgpu_msg){ .type = VGPU_MSG_CLOSED, .channel = index }, NULL, 0, NULL, 0);
}

static void device_memory(struct guest *g)
{
    send_msg(g->owner, &(struct vgpu_msg){ .type = VGPU_MSG_MEMORY, .a = g->quota / VGPU_MIB, .b = g->granted / VGPU_MIB },
             NULL, 0, NULL, 0);
}

static const struct guest_ops device_ops = { device_opened, device_dead, device_closed, device_memory };

/* A VM is known again by its uuid; without one, by nothing. */
static void name_identity(struct guest *g, const uint8_t uuid[16])
{
    static const uint8_t none[16];

    g->identity[0] = 0;
    if (!memcmp(uuid, none, sizeof(none)))
        return;
    g_strlcpy(g->identity, "vm-", sizeof(g->identity));
    for (int i = 0; i < 16; i++)
        g_snprintf(g->identity + 3 + 2 * i, 3, "%02x", uuid[i]);
}

static bool attach(struct connection *k, struct vg_packet *p)
{
    struct vgpu_msg reply = { .type = VGPU_MSG_ATTACHED, .a = VGPU_API_HASH };
    struct profile_place place = { 0 };
    g_autoptr(GError) error = NULL;
    struct vgpu_profile profile;
    struct vgpu_attach a;

    if (k->guest || p->msg.payload != sizeof(a) || p->n_fds != 1)
        return false;
    memcpy(&a, p->payload, sizeof(a));
    a.profile[sizeof(a.profile) - 1] = 0;
    if (a.protocol >> 16 != VGPU_PROTOCOL_MAJOR) {
        vg_log(VG_LOG_ERROR, "a device of protocol %u.%u is refused, this is %u.%u", a.protocol >> 16, a.protocol & 0xffff,
               VGPU_PROTOCOL_MAJOR, VGPU_PROTOCOL_MINOR);
        reply.status = 801;
        send_msg(k, &reply, NULL, 0, NULL, 0);
        return false;
    }
    memcpy(place.machine, a.uuid, sizeof(place.machine));
    place.device_index = a.device_index;
    place.pci_domain = a.pci_domain;
    place.pci_bus = a.pci_bus;
    place.pci_device = a.pci_device;
    place.pci_function = a.pci_function;
    place.memory = a.memory;
    /* Only built-in profiles: a path would be the device's to choose, and it is not trusted. */
    if (strchr(a.profile, '/'))
        g_set_error(&error, HOSTD_ERROR, EINVAL, "a device names a profile by path");
    else if (profile_load(a.profile[0] ? a.profile : VGPU_DEFAULT_PROFILE, &place, &profile, &error))
        k->guest = guest_new("vm", p->fds[0], options.quota, &profile, &device_ops, k, &error);
    if (!k->guest) {
        vg_log(VG_LOG_ERROR, "a device is refused: %s", error->message);
        reply.status = 1;
        send_msg(k, &reply, error->message, MIN(strlen(error->message) + 1, VGPU_MSG_MAX_PAYLOAD), NULL, 0);
        return false;
    }
    p->n_fds = 0; /* the guest keeps it */
    k->is_device = true;
    g_snprintf(k->guest->name, sizeof(k->guest->name), "vm %d", (int)k->pid);
    name_identity(k->guest, a.uuid);
    vg_log(VG_LOG_INFO, "%s: attached, %s, %" G_GUINT64_FORMAT " MiB", k->guest->name, profile.name, profile.memory / VGPU_MIB);
    send_msg(k, &reply, &k->guest->profile, sizeof(profile), NULL, 0);
    device_memory(k->guest);
    return true;
}

static bool device_message(struct connection *k, struct vg_packet *p)
{
    unsigned n = p->msg.channel;

    switch (p->msg.type) {
    case VGPU_MSG_OPEN:
        if (p->n_fds != 1 || n >= VGPU_CHANNELS)
            return false;
        if (!channel_open(k->guest, n, p->fds[0], k))
            send_msg(k, &(struct vgpu_msg){ .type = VGPU_MSG_OPENED, .channel = n, .status = 999 }, NULL, 0, NULL, 0);
        return true;
    case VGPU_MSG_CLOSE:
        if (n >= VGPU_CHANNELS)
            return false;
        if (k->guest->channels[n])
            channel_close(k->guest, n);
        else
            device_closed(k->guest, n, k);
        return true;
    case VGPU_MSG_RESET:
        for (n = 0; n < VGPU_CHANNELS; n++) {
            if (k->guest->channels[n])
                channel_destroy(k->guest->channels[n]);
            guest_return_all(k->guest, n);
        }
        send_msg(k, &(struct vgpu_msg){ .type = VGPU_MSG_RESET_DONE }, NULL, 0, NULL, 0);
        return true;
    default:
        return false;
    }
}

/* ---- a local client ---- */

static void local_ready(struct connection *k, uint32_t status)
{
    struct vgpu_msg m = { .type = VGPU_MSG_LOCAL_READY, .channel = (uint32_t)k->channel, .status = status };
    int fds[] = { local_bar0(), k->guest ? k->guest->bar2 : -1, k->doorbell };

    m.a = k->guest ? k->guest->bar2_size : 0;
    send_msg(k, &m, NULL, 0, fds, status ? 0 : k->channel < 0 ? 1 : 3);
}

void local_channel_opened(struct guest *g, struct channel *c, uint32_t status)
{
    local_ready(channel_owner(c), status);
}

void local_channel_dead(struct guest *g, struct channel *c, uint32_t status, const char *why)
{
    /* The client sees it in the register page. */
}

void local_channel_closed(struct guest *g, unsigned index, void *owner)
{
    struct connection *k = owner;

    k->channel = -1;
    free_connection(k);
}

static bool local_message(struct connection *k, struct vg_packet *p)
{
    g_autoptr(GError) error = NULL;

    if ((p->msg.type != VGPU_MSG_LOCAL_INFO && p->msg.type != VGPU_MSG_LOCAL_OPEN) || p->n_fds || k->channel >= 0)
        return false;
    k->guest = local_guest(&error);
    if (!k->guest) {
        vg_log(VG_LOG_ERROR, "%s", error->message);
        local_ready(k, 999);
        return false;
    }
    k->is_local = true;
    if (p->msg.type == VGPU_MSG_LOCAL_INFO) {
        local_ready(k, 0);
        return true;
    }
    k->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (unsigned i = 0; i < VGPU_CHANNELS && k->doorbell >= 0; i++)
        if (!k->guest->channels[i]) {
            k->channel = (int)i;
            if (channel_open(k->guest, i, k->doorbell, k))
                return true; /* answered when the executor is ready */
            break;
        }
    k->channel = -1;
    local_ready(k, 999);
    return true;
}

static gboolean readable(gint fd, GIOCondition condition, gpointer data)
{
    struct connection *k = data;
    struct vg_packet p;
    bool good;

    switch (vg_msg_receive(fd, &p)) {
    case VG_MSG_AGAIN:
        return G_SOURCE_CONTINUE;
    case VG_MSG_OK:
        good = k->is_device ? device_message(k, &p) : p.msg.type == VGPU_MSG_ATTACH ? attach(k, &p) : local_message(k, &p);
        vg_packet_close_fds(&p);
        if (good)
            return G_SOURCE_CONTINUE;
        vg_log(VG_LOG_WARN, "process %d: message %u is refused, connection closed", (int)k->pid, p.msg.type);
        break;
    default:
        break;
    }
    hang_up(k);
    return G_SOURCE_REMOVE;
}

void connection_new(int fd)
{
    struct connection *k = g_new0(struct connection, 1);
    struct ucred peer = { 0 };
    socklen_t n = sizeof(peer);

    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n);
    k->socket = fd;
    k->pid = peer.pid;
    k->channel = k->doorbell = -1;
    k->watch = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, readable, k);
}
