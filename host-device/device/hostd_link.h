/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The device's end of hostd's socket: whole messages in and out, nothing about what they mean. Needs libc alone.
 * hostd is trusted no more than a guest: what is malformed ends the link, and stray descriptors are closed. */
#ifndef VGPU_HOSTD_LINK_H
#define VGPU_HOSTD_LINK_H

#include "vgpu_protocol.h"

struct vgpu_attached {
    struct vgpu_profile profile; /* its strings are terminated */
    uint64_t api_hash;
};

/* Connects to hostd at 'path' and hands over the device: 'bar2' is a memfd of 'bar2_size' bytes whose size is sealed; it stays
 * the caller's. Waits a few seconds for the answer. Returns the connected, non-blocking socket, or -1 with a line in 'error'. */
int vgpu_link_attach(const char *path, const struct vgpu_attach *attach, int bar2, uint64_t bar2_size,
                     struct vgpu_attached *attached, char *error, size_t error_size);

/* Sends a message without payload; 'fd' rides along unless it is -1. 0, or a negative errno: the link is then of no more use
 * (hostd takes no messages). Never waits. */
int vgpu_link_send(int link, enum vgpu_msg_type type, uint32_t channel, int fd);

/* Takes the next message, if there is one: 1; 0: none is waiting; -1: the link has ended or hostd sent what is no message. A
 * payload is dropped. Never waits. */
int vgpu_link_receive(int link, struct vgpu_msg *msg);

#endif
