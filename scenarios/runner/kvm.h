/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_RUNNER_KVM_H
#define VGPU_RUNNER_KVM_H

#include <stdbool.h>

struct bench;

/* Whether a guest runs under KVM here. /dev/kvm can exist, open, and a guest still hang in it: the image's kernel is started
 * under a time limit. Asked once a host boot (and QEMU); the answer is kept in the cache. VGPU_ACCEL=kvm or tcg overrules. */
bool kvm_works(struct bench *bench);

#endif
