/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
#include "hostd_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A hostd that starts an executor pool or reads profiles from a cold disk is slow; one that hangs must not hang QEMU. */
#define ATTACH_TIMEOUT_S 10

struct packet {
    struct vgpu_msg msg;
    unsigned char payload[VGPU_MSG_MAX_PAYLOAD];
};

__attribute__((format(printf, 3, 4))) static void explain(char *error, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(error, size, fmt, ap);
    va_end(ap);
}

static int send_packet(int link, const struct vgpu_msg *msg, const void *payload, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec iov[2] = { { (void *)msg, sizeof *msg }, { (void *)payload, msg->payload } };
    struct msghdr mh = { .msg_iov = iov, .msg_iovlen = msg->payload ? 2 : 1 };
    ssize_t n;

    if (fd >= 0) {
        struct cmsghdr *cmsg = &control.align;

        mh.msg_control = control.bytes;
        mh.msg_controllen = sizeof control.bytes;
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
    }
    do
        n = sendmsg(link, &mh, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int vgpu_link_send(int link, enum vgpu_msg_type type, uint32_t channel, int fd)
{
    struct vgpu_msg msg = { .magic = VGPU_MSG_MAGIC, .type = (uint16_t)type, .channel = channel };

    return send_packet(link, &msg, NULL, fd);
}

/* 1: a well-formed packet; 0: none yet; -1: the end. */
static int receive_packet(int link, struct packet *packet)
{
    struct iovec iov = { packet, sizeof *packet };
    /* No room for control data: descriptors, which hostd has none of for us, are not even received. */
    struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;

    do
        n = recvmsg(link, &mh, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    if (n < (ssize_t)sizeof packet->msg || mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return -1;
    if (packet->msg.magic != VGPU_MSG_MAGIC || packet->msg.payload != (size_t)n - sizeof packet->msg)
        return -1;
    return 1;
}

int vgpu_link_receive(int link, struct vgpu_msg *msg)
{
    struct packet packet;
    int rc = receive_packet(link, &packet);

    if (rc > 0)
        *msg = packet.msg;
    return rc;
}

static bool terminated(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

static bool profile_valid(const struct vgpu_profile *p)
{
    return p->version == VGPU_PROFILE_VERSION && p->size == sizeof *p && terminated(p->profile, sizeof p->profile) &&
           terminated(p->name, sizeof p->name) && terminated(p->nvml_driver, sizeof p->nvml_driver) &&
           terminated(p->vbios, sizeof p->vbios) && terminated(p->serial, sizeof p->serial) &&
           terminated(p->part_number, sizeof p->part_number) && terminated(p->board_id, sizeof p->board_id) &&
           terminated(p->brand, sizeof p->brand) && terminated(p->architecture, sizeof p->architecture);
}

/* hostd may say why it refuses. Its text goes to a log: printable characters only. */
static void explain_refusal(const struct packet *reply, char *error, size_t error_size)
{
    char text[200];
    size_t n = strnlen((const char *)reply->payload, reply->msg.payload);

    if (n >= sizeof text)
        n = sizeof text - 1;
    for (size_t i = 0; i < n; i++)
        text[i] = reply->payload[i] >= ' ' && reply->payload[i] < 127 ? (char)reply->payload[i] : ' ';
    text[n] = 0;
    explain(error, error_size, "vgpu-hostd refuses the device: status %u%s%s", reply->msg.status, n ? ": " : "", text);
}

static int exchange_attach(int link, const struct vgpu_attach *attach, int bar2, uint64_t bar2_size,
                           struct vgpu_attached *attached, char *error, size_t error_size)
{
    struct vgpu_msg msg = {
        .magic = VGPU_MSG_MAGIC, .type = VGPU_MSG_ATTACH, .payload = sizeof *attach, .a = bar2_size
    };
    struct packet reply;
    int rc;

    rc = send_packet(link, &msg, attach, bar2);
    if (rc < 0) {
        explain(error, error_size, "sending to vgpu-hostd: %s", strerror(-rc));
        return -1;
    }
    rc = receive_packet(link, &reply);
    if (rc <= 0) {
        explain(error, error_size, rc ? "vgpu-hostd ended the connection or sent what is no message"
                                      : "vgpu-hostd did not answer in %d s", ATTACH_TIMEOUT_S);
        return -1;
    }
    if (reply.msg.type != VGPU_MSG_ATTACHED) {
        explain(error, error_size, "vgpu-hostd answered with message %u", reply.msg.type);
        return -1;
    }
    if (reply.msg.status) {
        explain_refusal(&reply, error, error_size);
        return -1;
    }
    if (reply.msg.payload != sizeof attached->profile) {
        explain(error, error_size, "vgpu-hostd's profile has %u bytes, not %zu: another version?", reply.msg.payload,
                sizeof attached->profile);
        return -1;
    }
    memcpy(&attached->profile, reply.payload, sizeof attached->profile);
    attached->api_hash = reply.msg.a;
    if (!profile_valid(&attached->profile)) {
        explain(error, error_size, "vgpu-hostd's profile is malformed");
        return -1;
    }
    return 0;
}

int vgpu_link_attach(const char *path, const struct vgpu_attach *attach, int bar2, uint64_t bar2_size,
                     struct vgpu_attached *attached, char *error, size_t error_size)
{
    const struct timeval timeout = { .tv_sec = ATTACH_TIMEOUT_S };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int link;

    if (strlen(path) >= sizeof address.sun_path) {
        explain(error, error_size, "socket path of %zu characters, at most %zu", strlen(path), sizeof address.sun_path - 1);
        return -1;
    }
    strcpy(address.sun_path, path);
    link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (link < 0) {
        explain(error, error_size, "socket: %s", strerror(errno));
        return -1;
    }
    setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(link, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(link, (struct sockaddr *)&address, sizeof address) < 0)
        explain(error, error_size, "no vgpu-hostd at %s: %s", path, strerror(errno));
    else if (exchange_attach(link, attach, bar2, bar2_size, attached, error, error_size) == 0 &&
             fcntl(link, F_SETFL, O_NONBLOCK) == 0)
        return link;
    close(link);
    return -1;
}
