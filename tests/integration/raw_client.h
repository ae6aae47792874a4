/* SPDX-License-Identifier: Apache-2.0 */
/* A client of vgpu-hostd without any shim: what a test needs to speak the protocol, rightly or wrongly. */
#ifndef VGPU_TESTS_RAW_CLIENT_H
#define VGPU_TESTS_RAW_CLIENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "executor/socket.h"
#include "ring_commands.h"
#include "vgpu_protocol.h"

struct raw {
    int socket, bar0_fd, bar2_fd, doorbell;
    unsigned channel;
    uint32_t status;             /* of LOCAL_READY */
    volatile uint32_t *bar0;
    uint8_t *base;               /* the channel */
    struct vgpu_control *control;
    uint64_t head, seq;
};

/* Start hostd at 'path' with extra arguments (NULL-terminated, or NULL); waits until it answers, and ends the test when it does not. */
pid_t raw_start_hostd(const char *hostd, const char *path, const char *const *extra);
/* Start one whose socket, 'path' from now on, is in a folder of its own. */
pid_t raw_begin(const char *hostd, char path[108]);
/* End it. False when it did not, or left its socket behind; the folder is gone anyway. */
bool raw_end(pid_t hostd, const char *path);
/* Connect and open a channel. */
bool raw_open(struct raw *r, const char *path);
int raw_connect(const char *path);
void raw_close(struct raw *r);
/* Publish one command as it should be; returns its sequence number. 'tail' may be NULL. */
uint64_t raw_send(struct raw *r, uint16_t command, const void *fixed, size_t n, const void *tail, size_t n_tail);
/* Publish bytes as they are. */
void raw_publish(struct raw *r, const void *bytes, size_t n);
/* Wait (30 s at most) until command seq is done, or the channel is dead or lost. */
bool raw_wait(struct raw *r, uint64_t seq);
/* The reply's status after raw_wait(); its struct in *reply when given. */
uint32_t raw_reply(struct raw *r, void *reply, size_t n);
/* Send one command and wait: its status, and its reply's struct in *reply when given. raw_sync: all before is done, too. */
uint32_t raw_call(struct raw *r, uint16_t command, const void *fixed, size_t n, const void *tail, size_t n_tail, void *reply,
                  size_t n_reply);
uint32_t raw_sync(struct raw *r);
uint32_t raw_state(const struct raw *r);
/* Wait until a register reads a value. */
bool raw_wait_register(const struct raw *r, uint32_t reg, uint32_t value);

#endif
