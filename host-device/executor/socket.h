/* SPDX-License-Identifier: Apache-2.0 */
/* One message of hostd's protocol (struct vgpu_msg) with its payload and descriptors, over a SOCK_SEQPACKET socket. */
#ifndef VGPU_EXECUTOR_SOCKET_H
#define VGPU_EXECUTOR_SOCKET_H

#include <stdbool.h>

#include "vgpu_protocol.h"

#define VG_MSG_MAX_FDS 3

struct vg_packet {
    struct vgpu_msg msg;
    unsigned char payload[VGPU_MSG_MAX_PAYLOAD];
    int fds[VG_MSG_MAX_FDS]; /* received descriptors are the receiver's to close, and close-on-exec */
    int n_fds;
};

/* Send one message; payload may be NULL with n 0. False with errno. Never raises SIGPIPE. */
bool vg_msg_send(int socket, const struct vgpu_msg *msg, const void *payload, size_t n, const int *fds, int n_fds);

enum vg_msg_result { VG_MSG_OK, VG_MSG_AGAIN, VG_MSG_CLOSED, VG_MSG_BAD };
/* Receive one message, checked: magic, length, descriptors. VG_MSG_AGAIN only on a non-blocking socket. */
enum vg_msg_result vg_msg_receive(int socket, struct vg_packet *packet);
void vg_packet_close_fds(struct vg_packet *packet);

#endif
