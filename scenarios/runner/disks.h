/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_RUNNER_DISKS_H
#define VGPU_RUNNER_DISKS_H

#include <glib.h>
#include <stdbool.h>

/* The read-only disks of a VM, in the order of their PCI slots. */
extern const struct disk {
    const char *name; /* its serial, and its directory under /vgpu */
    int mib;
} disks[]; /* a NULL name ends them */

/* A sparse file; what exists is not touched. */
bool disk_make_empty(const char *path, int mib, GError **error);

#endif
