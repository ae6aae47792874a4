/* SPDX-License-Identifier: Apache-2.0 */
/* Local mode: no PCI device; vgpu-hostd hands out registers, memory and doorbell over its Unix socket. The connection is
 * the channel's lease: its close, by whatever death, closes the channel. */
#include "channel/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "channel/hooks.h"

enum { FDS_MAX = 4, REPLY_MS = 60000 }; /* four: what the control buffer of three could hold */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void close_fds(int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

/* One packet; its descriptors land in FDS, which has room for FDS_MAX. False: the connection is of no use. */
static bool receive(int socket, struct vgpu_msg *msg, int *fds, int *fd_count)
{
    struct {
        struct vgpu_msg msg;
        char payload[VGPU_MSG_MAX_PAYLOAD];
    } packet;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = {&packet, sizeof packet};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct pollfd wait = {.fd = socket, .events = POLLIN};
    ssize_t n;

    *fd_count = 0;
    if (poll(&wait, 1, REPLY_MS) != 1)
        return false;
    do
        n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        *fd_count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(c), (size_t)*fd_count * sizeof(int));
    }
    if (n < (ssize_t)sizeof packet.msg || packet.msg.magic != VGPU_MSG_MAGIC ||
        packet.msg.payload != n - (ssize_t)sizeof packet.msg || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        close_fds(fds, *fd_count);
        return false;
    }
    *msg = packet.msg;
    return true;
}

static int ask(struct vgpu_device *device, uint16_t type, int wanted_fds, struct vgpu_msg *reply, int *fds)
{
    const char *profile = secure_getenv("VGPU_PROFILE");
    struct {
        struct vgpu_msg msg;
        char profile[32];
    } packet = {.msg = {.magic = VGPU_MSG_MAGIC, .type = type}};
    int count;

    if (profile && strlen(profile) < sizeof packet.profile) {
        strcpy(packet.profile, profile);
        packet.msg.payload = (uint16_t)strlen(profile);
    }
    size_t size = sizeof packet.msg + packet.msg.payload;
    if (send(device->socket, &packet, size, MSG_NOSIGNAL) != (ssize_t)size ||
        !receive(device->socket, reply, fds, &count)) {
        vgpu_log(VGPU_LOG_ERROR, "%s: vgpu-hostd did not answer", device->where);
        return VGPU_ERROR_UNKNOWN;
    }
    if (reply->type != VGPU_MSG_LOCAL_READY || reply->status || count != wanted_fds) {
        close_fds(fds, count);
        vgpu_log(VGPU_LOG_ERROR, "%s: vgpu-hostd refused: status %u", device->where, reply->status);
        return reply->status ? (int)reply->status : VGPU_ERROR_UNKNOWN;
    }
    return 0;
}

static void local_ring(struct vgpu_device *device)
{
    uint64_t one = 1;
    ssize_t n = write(device->doorbell, &one, sizeof one);

    (void)n; /* a full counter rings as well */
}

/* hostd sends nothing on an open channel's connection, so readable means closed. It keeps the connection when the executor has
 * gone: that shows in the registers. */
static bool local_alive(struct vgpu_device *device)
{
    struct pollfd wait = {.fd = device->socket, .events = POLLIN};

    return poll(&wait, 1, 0) == 0 &&
           vgpu_device_register(device, VGPU_REG_CHANNEL_STATE + 4 * device->channel) != VGPU_CHANNEL_DEAD;
}

static int local_connect(struct vgpu_device *device)
{
    if (device->socket >= 0)
        return 0;
    device->socket = connect_to(device->where);
    if (device->socket >= 0)
        return 0;
    vgpu_log(VGPU_LOG_ERROR, "no vgpu-hostd answers at %s: %m", device->where);
    return VGPU_ERROR_UNKNOWN;
}

static int local_open(struct vgpu_device *device)
{
    struct vgpu_msg reply;
    int fds[FDS_MAX];
    int status = local_connect(device);

    if (!status)
        status = ask(device, VGPU_MSG_LOCAL_OPEN, 3, &reply, fds);
    if (status)
        return status;
    close(fds[0]); /* the registers are mapped already */
    device->bar2_fd = fds[1];
    device->doorbell = fds[2];
    if (reply.channel >= VGPU_CHANNELS) {
        vgpu_log(VGPU_LOG_ERROR, "%s: vgpu-hostd named channel %u", device->where, reply.channel);
        return VGPU_ERROR_UNKNOWN;
    }
    device->channel = reply.channel;
    device->bar2_size = reply.a;
    return 0;
}

static void local_close(struct vgpu_device *device)
{
    close_fds((int[]){device->socket, device->bar2_fd, device->doorbell}, 3);
    device->socket = device->bar2_fd = device->doorbell = -1;
}

static void local_forget(struct vgpu_device *device)
{
    int *fds[] = {&device->socket, &device->bar2_fd, &device->doorbell};

    for (int i = 0; i < 3; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

static const struct vgpu_transport local = {"local", true, local_open, local_close, local_ring, local_alive, local_forget};

int vgpu_local_find(struct vgpu_device *device, const char *path, bool *nothing)
{
    struct vgpu_msg reply;
    int fds[FDS_MAX];

    *nothing = true;
    snprintf(device->where, sizeof device->where, "%s", path);
    device->socket = connect_to(path);
    if (device->socket < 0)
        return VGPU_ERROR_NO_DEVICE;
    *nothing = false;
    int status = ask(device, VGPU_MSG_LOCAL_INFO, 1, &reply, fds);
    if (!status) {
        void *bar0 = mmap(NULL, VGPU_BAR0_SIZE, PROT_READ, MAP_SHARED, fds[0], 0);
        close(fds[0]);
        if (bar0 == MAP_FAILED) {
            vgpu_log(VGPU_LOG_ERROR, "%s: mapping the registers: %m", path);
            status = VGPU_ERROR_UNKNOWN;
        } else {
            device->bar0 = bar0;
        }
    }
    if (!status && vgpu_device_register(device, VGPU_REG_MAGIC) != VGPU_MAGIC) {
        vgpu_log(VGPU_LOG_ERROR, "%s: not vgpu-hostd: the registers begin with %#x", path,
                 vgpu_device_register(device, VGPU_REG_MAGIC));
        status = VGPU_ERROR_NO_DEVICE;
    }
    if (!status)
        status = vgpu_device_identify(device);
    close(device->socket); /* a look, not a lease: the channel gets a connection of its own */
    device->socket = -1;
    if (!status)
        device->transport = &local;
    return status;
}
