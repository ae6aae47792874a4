/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_RUNNER_VM_XML_H
#define VGPU_RUNNER_VM_XML_H

#include <glib.h>
#include <stdbool.h>

/* The machine of every scenario. A saved VM can be restored into a machine that differs in the run's own paths alone. */
struct vm_spec {
    bool kvm;
    int memory_mib, vcpus;
    const char *name, *qemu, *image, *profile;
    /* The run's own: the root disk's overlay, the directory of the read-only disks, the console's log, hostd's socket, the second console's socket. */
    const char *root, *disks, *console, *socket, *shell;
};

char *vm_xml(const struct vm_spec *spec);

/* Names what a saved VM depends on: SHA-256, in hexadecimal, over the machine without the run's own paths, and over the host's
 * CPU where the guest sees it. */
char *vm_key(const struct vm_spec *spec);

#endif
