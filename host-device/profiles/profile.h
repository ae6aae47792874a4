/* SPDX-License-Identifier: Apache-2.0 */
/* GPU models: an .ini file each, built into the program, read into the protocol's struct vgpu_profile. */
#ifndef VGPU_PROFILES_PROFILE_H
#define VGPU_PROFILES_PROFILE_H

#include <glib.h>

#include "vgpu_protocol.h"

/* What differs from one machine to the next, for the same model. */
struct profile_place {
    uint8_t machine[16];   /* the VM's uuid; all zero: this host's machine id */
    uint32_t device_index;
    uint32_t pci_domain, pci_bus, pci_device, pci_function;
    uint64_t memory;       /* bytes; 0: the model's */
};

/* Read model 'name' ("h100-pcie", or the path of an .ini file when it holds a '/'). False and error when there is no such
 * profile, or a key is missing, unknown or not a number in range: the message names file, group and key. */
gboolean profile_load(const char *name, const struct profile_place *place, struct vgpu_profile *out, GError **error);

/* Names of the built-in profiles, sorted, NULL-terminated; free with g_strfreev(). */
char **profile_names(void);

/* UUIDv5 (RFC 9562, 5.5) of the device: namespace = the machine's uuid, name = "vgpu-stub/<index>". */
void profile_uuid(const uint8_t machine[16], uint32_t device_index, uint8_t uuid[16]);

#define VGPU_DEFAULT_PROFILE "h100-pcie"

#endif
