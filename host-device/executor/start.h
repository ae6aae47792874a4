/* SPDX-License-Identifier: Apache-2.0 */
/* How vgpu-hostd starts vgpu-executor: as arguments the channel's number, the milliseconds that a kernel may run (0: for
 * ever) and the user to become ("UID:GID", or "-"); descriptors at fixed places, everything else closed. */
#ifndef VGPU_EXECUTOR_START_H
#define VGPU_EXECUTOR_START_H

#define VGX_FD_BAR2 3     /* BAR2's memfd */
#define VGX_FD_DOORBELL 4 /* eventfd */
#define VGX_FD_CONTROL 5  /* SOCK_SEQPACKET to hostd: VGPU_MSG_GRANT ... VGPU_MSG_FAILED */
#define VGX_FD_END 6      /* nothing from here on */

#endif
