/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-hostd: the supervisor. It runs no guest work: it keeps the books of each guest's memory, starts an executor for each
 * channel, and sees to it that what a dead process held is returned and zeroed.
 *
 *   main.c        options, the listening socket, signals
 *   connection.c  one connection: a device model with its guest, or a local client
 *   guest.c       a guest: BAR2, extents and quota
 *   channel.c     a channel: its executor process, grants, death
 *   code.c        a guest's compiled code: its part of the cache, its compiler process
 *   confine.c     what hostd, and all that it starts, may ask of the kernel
 *   local.c       the guest that all local clients share: BAR2 of hostd's own and a page that reads like BAR0
 *
 * Everything runs on one GLib main loop; nothing blocks. A guest belongs to one device connection and dies with it; the
 * local guest lives as long as hostd. */
#ifndef VGPU_HOSTD_HOSTD_H
#define VGPU_HOSTD_HOSTD_H

#include <glib.h>
#include <stdbool.h>

#include "executor/log.h"
#include "executor/privileges.h"
#include "executor/socket.h"
#include "vgpu_protocol.h"

struct guest;
struct channel;

struct options {
    char *socket;          /* path */
    char *profile;         /* of local clients */
    uint64_t memory;       /* bytes of local clients' GPU; 0: the profile's */
    uint64_t quota;        /* bytes a guest may be granted; 0: the smaller of its memory and half the host's */
    char *user;            /* that hostd becomes; NULL: executors become nobody's user instead, when hostd is root */
    double watchdog;       /* seconds that a kernel may run; 0: for ever, or as the profile says */
};
extern struct options options;
extern struct vg_user executor_user; /* whom executors become */
extern char *executor_path;
extern char *compiler_path;    /* NULL: there is none */

/* ---- guest.c ---- */
struct guest_ops {
    void (*channel_opened)(struct guest *g, struct channel *c, uint32_t status);
    void (*channel_dead)(struct guest *g, struct channel *c, uint32_t status, const char *why);
    void (*channel_closed)(struct guest *g, unsigned index, void *owner);
    void (*memory_changed)(struct guest *g);
};

struct guest {
    char name[64];
    char identity[64];          /* that its code is kept under: a file name; empty: nowhere */
    const struct guest_ops *ops;
    void *owner;                /* the device's connection; NULL for the local guest */
    int bar2;                   /* owned */
    uint64_t bar2_size, quota, granted;
    struct vgpu_profile profile;
    uint32_t watchdog_ms;       /* 0: kernels may run for ever */
    struct channel *channels[VGPU_CHANNELS];
    uint8_t *unit_owner;        /* a byte an extent unit (VGPU_EXTENT): 0 free, else channel index + 1 */
    uint32_t units;
    struct guest_code *code;    /* NULL before it is asked for */
};

/* Takes bar2 over. 'name' is its identity too, until that is set. NULL and error when its size or seals are not as the protocol wants. */
struct guest *guest_new(const char *name, int bar2, uint64_t quota, const struct vgpu_profile *profile,
                        const struct guest_ops *ops, void *owner, GError **error);
/* Ends all channels at once and frees the guest; ops are not called any more. */
void guest_free(struct guest *g);
/* An extent of at least 'size' bytes for channel c: status 0 or 2 (out of memory or quota). */
uint32_t guest_grant(struct guest *g, unsigned channel, uint64_t size, uint64_t *offset, uint64_t *granted);
/* Return [offset, offset + size) of channel's extents; false when they are not its. */
bool guest_return(struct guest *g, unsigned channel, uint64_t offset, uint64_t size);
/* Zero and free all that the channel held. */
void guest_return_all(struct guest *g, unsigned channel);
/* The default quota for a device of this much memory. */
uint64_t guest_default_quota(uint64_t memory);

/* ---- channel.c ---- */
/* Start channel 'index' with an executor; ops->channel_opened follows. The doorbell is duplicated. False: already in use or
 * cannot start. 'owner' is handed back to ops. */
bool channel_open(struct guest *g, unsigned index, int doorbell, void *owner);
/* End its executor; ops->channel_closed follows when the process is gone and its memory is returned. */
void channel_close(struct guest *g, unsigned index);
void *channel_owner(const struct channel *c);
unsigned channel_index(const struct channel *c);
void channel_destroy(struct channel *c); /* at once, silently: for guest_free() */

/* ---- code.c ---- */
/* Kept code for this key, a sealed memory file; or -1. */
int guest_code_find(struct guest *g, const uint8_t *key);
/* A connection to the guest's compiler, which is started if need be; or -1. */
int guest_code_connect(struct guest *g);
void guest_code_free(struct guest *g);

/* ---- connection.c ---- */
void connection_new(int socket);

/* ---- local.c ---- */
/* The local guest, made at the first use; NULL and error when it cannot be. */
struct guest *local_guest(GError **error);
int local_bar0(void); /* descriptor of the read-only register page */

#define HOSTD_ERROR g_quark_from_static_string("vgpu-hostd")

#endif
