/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool vg_msg_send(int fd, const struct vgpu_msg *msg, const void *payload, size_t n, const int *fds, int n_fds)
{
    struct vgpu_msg head = *msg;
    struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)(uintptr_t)payload, n } };
    union {
        char buffer[CMSG_SPACE(VG_MSG_MAX_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr m = { .msg_iov = iov, .msg_iovlen = n ? 2 : 1 };
    ssize_t sent;

    if (n > VGPU_MSG_MAX_PAYLOAD || n_fds > VG_MSG_MAX_FDS) {
        errno = EMSGSIZE;
        return false;
    }
    head.magic = VGPU_MSG_MAGIC;
    head.payload = (uint16_t)n;
    if (n_fds) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        m.msg_control = control.buffer;
        m.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, (size_t)n_fds * sizeof(int));
    }
    do
        sent = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)(sizeof(head) + n);
}

static void take_fds(struct msghdr *m, struct vg_packet *p)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (p->n_fds < VG_MSG_MAX_FDS)
                p->fds[p->n_fds++] = fd;
            else
                close(fd);
        }
    }
}

enum vg_msg_result vg_msg_receive(int fd, struct vg_packet *p)
{
    struct iovec iov[2] = { { &p->msg, sizeof(p->msg) }, { p->payload, sizeof(p->payload) } };
    union {
        char buffer[CMSG_SPACE(VG_MSG_MAX_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = control.buffer,
                        .msg_controllen = sizeof(control.buffer) };
    ssize_t got;

    p->n_fds = 0;
    do
        got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? VG_MSG_AGAIN : VG_MSG_CLOSED;
    take_fds(&m, p); /* an empty message reads like the end, but can bring descriptors */
    if (!got) {
        vg_packet_close_fds(p);
        return VG_MSG_CLOSED;
    }
    if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)got < sizeof(p->msg) || p->msg.magic != VGPU_MSG_MAGIC ||
        (size_t)got != sizeof(p->msg) + p->msg.payload) {
        vg_packet_close_fds(p);
        return VG_MSG_BAD;
    }
    return VG_MSG_OK;
}

void vg_packet_close_fds(struct vg_packet *p)
{
    for (int i = 0; i < p->n_fds; i++)
        close(p->fds[i]);
    p->n_fds = 0;
}
