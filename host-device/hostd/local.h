/* SPDX-License-Identifier: Apache-2.0 */
/* What local.c tells connection.c: a local client's connection owns its channel. */
#ifndef VGPU_HOSTD_LOCAL_H
#define VGPU_HOSTD_LOCAL_H

#include "hostd/hostd.h"

void local_channel_opened(struct guest *g, struct channel *c, uint32_t status);
void local_channel_dead(struct guest *g, struct channel *c, uint32_t status, const char *why);
void local_channel_closed(struct guest *g, unsigned index, void *owner);

#endif
