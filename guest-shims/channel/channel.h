/* SPDX-License-Identifier: Apache-2.0 */
/* One guest process's way to the GPU: find the device, open a channel, submit commands, wait.
 *
 * Functions that can fail return 0 or the CUresult that the application should see. All may be called from any thread.
 *
 * The descriptor of resource0 is never closed again once a device was found: closing any descriptor of that file would drop
 * the process's lock on its channel (POSIX record locks belong to the process, not to the descriptor). */
#ifndef VGPU_CHANNEL_CHANNEL_H
#define VGPU_CHANNEL_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring_commands.h"
#include "vgpu_protocol.h"

/* The CUresults that the channel itself gives. */
enum {
    VGPU_SUCCESS = 0,
    VGPU_ERROR_INVALID_VALUE = 1,
    VGPU_ERROR_OUT_OF_MEMORY = 2,
    VGPU_ERROR_NOT_INITIALIZED = 3,
    VGPU_ERROR_NO_DEVICE = 100,
    VGPU_ERROR_NOT_SUPPORTED = 801,
    VGPU_ERROR_DRIVER_MISMATCH = 803,
    VGPU_ERROR_UNKNOWN = 999,
};

struct vgpu_device;

/* How registers, memory and doorbell are reached: over PCI, or over hostd's socket (local mode). */
struct vgpu_transport {
    const char *name;
    bool same_kernel; /* guest and host: one can wake the other, and they number CPUs alike */
    int (*open)(struct vgpu_device *device);   /* claim a channel: sets channel, and bar2_fd when it was not open */
    void (*close)(struct vgpu_device *device); /* give it back */
    void (*ring)(struct vgpu_device *device);  /* the doorbell */
    bool (*alive)(struct vgpu_device *device); /* the host still serves the channel */
    void (*forget)(struct vgpu_device *device); /* in a forked child: let go without telling the host */
};

struct vgpu_device {
    const struct vgpu_transport *transport; /* NULL: none found */
    struct vgpu_profile profile;
    volatile uint32_t *bar0; /* in local mode a read-only page that reads like it */
    uint64_t bar2_size;
    uint32_t channel;
    int bar0_fd, bar2_fd, socket, doorbell; /* -1: not open */
    char where[128];                        /* a sysfs folder or a socket's path, for messages */
};

/* Finds the GPU: VGPU_SOCKET names hostd's socket; else the first PCI function of ours; else hostd's default socket. */
int vgpu_device_find(struct vgpu_device *device);
/* The two ways. NOTHING tells apart "there is none" from "there is one, and it cannot be used", which was logged. */
int vgpu_pci_find(struct vgpu_device *device, const char *sysfs, bool *nothing);
int vgpu_local_find(struct vgpu_device *device, const char *path, bool *nothing);
/* Closes the channels of a PCI device whose owners are gone (the lock on their byte is free), so that the host can grant their
 * memory again. Returns how many. */
unsigned vgpu_pci_sweep(struct vgpu_device *device);
/* Checks magic, version and host, reads the profile; for the two above. */
int vgpu_device_identify(struct vgpu_device *device);

uint32_t vgpu_device_register(const struct vgpu_device *device, uint32_t offset);

/* ---- the channel ---- */

#define VGPU_STAGED_MAX 64u

struct vgpu_channel {
    struct vgpu_device *device;
    struct vgpu_control *control;
    uint8_t *ring, *reply, *print, *staging;

    pthread_mutex_t lock; /* ring and staging area; below every other lock */
    uint64_t head, tail;  /* bytes submitted, and of those, taken by the host when it was last looked at */
    uint64_t seq;         /* number of the last command submitted */
    uint32_t status;      /* sticky CUresult */
    bool reported;
    bool one_cpu;

    uint64_t stage_head, stage_tail; /* bytes of the staging area handed out and free again, never wrapping */
    struct vgpu_staged {
        uint64_t end, seq; /* free up to 'end' once 'seq' is done */
    } staged[VGPU_STAGED_MAX];
    unsigned staged_first, staged_count;

    pthread_mutex_t sleep_lock; /* whose holder 'wake_at' is */
    pthread_mutex_t call_lock; /* one sync command at a time; taken before 'lock' */
    pthread_mutex_t print_lock;
};

int vgpu_channel_open(struct vgpu_channel *channel, struct vgpu_device *device);
void vgpu_channel_close(struct vgpu_channel *channel);
/* As close, but what it maps stays: for a process that ends, whose other threads may still look. */
void vgpu_channel_leave(struct vgpu_channel *channel);
/* The same on memory that the caller has mapped (CHANNEL_SIZE bytes): what vgpu_channel_open uses, and tests. */
void vgpu_channel_init(struct vgpu_channel *channel, struct vgpu_device *device, void *memory);

/* The sticky error, or 0. */
int vgpu_channel_status(struct vgpu_channel *channel);
/* Makes STATUS sticky, and logs WHY once. Returns the status that is now sticky. */
int vgpu_channel_fail(struct vgpu_channel *channel, uint32_t status, const char *why);

/* Appends a queued command: its struct and, if it has one, its tail. *SEQ (may be NULL) gets its number. */
int vgpu_submit(struct vgpu_channel *channel, uint16_t command, const void *fixed, size_t fixed_size, const void *tail,
                size_t tail_size, uint64_t *seq);
/* Largest tail. */
#define VGPU_TAIL_MAX (VGPU_RING_SIZE - 1024u)

/* As vgpu_submit, with SIZE bytes copied into the staging area first; their offset in it is stored at STAGING_FIELD bytes
 * into the struct. SIZE is at most VGPU_STAGE_CHUNK. */
int vgpu_submit_staged(struct vgpu_channel *channel, uint16_t command, void *fixed, size_t fixed_size,
                       size_t staging_field, const void *data, size_t size, uint64_t *seq);
#define VGPU_STAGE_CHUNK (256u * 1024)

/* What a sync command answers. With an error the tail holds a text. */
struct vgpu_call_reply {
    void *fixed;
    size_t fixed_size;
    void *tail;
    size_t tail_room, tail_size;
};

/* Submits a sync command and waits. REPLY may be NULL. */
int vgpu_call(struct vgpu_channel *channel, uint16_t command, const void *fixed, size_t fixed_size, const void *tail,
              size_t tail_size, struct vgpu_call_reply *reply);

uint64_t vgpu_last_seq(struct vgpu_channel *channel);
/* Command SEQ and all before it are done. Never waits. */
bool vgpu_done(struct vgpu_channel *channel, uint64_t seq);
/* Nothing is under way: what was submitted is done, and the CPU may touch device memory. */
bool vgpu_idle(struct vgpu_channel *channel);
int vgpu_wait(struct vgpu_channel *channel, uint64_t seq);
int vgpu_wait_idle(struct vgpu_channel *channel);

/* ---- waiting: spins briefly, then sleeps ever longer ---- */

struct vgpu_backoff {
    uint64_t seq; /* 0, or the command that is waited for */
    uint64_t began;
    long sleep_ns;
    unsigned sleeps;
};

uint64_t vgpu_now_ns(void);
/* One step; nonzero: the channel is lost. */
int vgpu_backoff(struct vgpu_channel *channel, struct vgpu_backoff *backoff);

/* Copies what kernels printed to stdout. */
void vgpu_drain_print(struct vgpu_channel *channel);

#endif
