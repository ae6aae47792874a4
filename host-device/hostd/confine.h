/* SPDX-License-Identifier: Apache-2.0 */
/* What hostd, and with it everything that it starts, may still ask of the kernel. */
#ifndef VGPU_HOSTD_CONFINE_H
#define VGPU_HOSTD_CONFINE_H

#include <glib.h>
#include <stdbool.h>

#include "executor/privileges.h"

/* Confine this process for good, once its socket listens: no core dumps, no privileges gained by any program, of the capabilities
 * only those to give executors another user and to end them, and system calls by a list: no new sockets, no tracing, no mounts or
 * namespaces, no memory that is writable and executable.
 * Started as root with 'name' (NULL: none given), hostd itself becomes that user. Else *executors is who they are to become, nobody's
 * user when hostd is root. False and error when that cannot be done. */
bool hostd_confine(const char *name, struct vg_user *executors, GError **error);

#endif
