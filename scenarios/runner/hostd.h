/* SPDX-License-Identifier: Apache-2.0 */
/* A private vgpu-hostd. */
#ifndef VGPU_RUNNER_HOSTD_H
#define VGPU_RUNNER_HOSTD_H

#include <glib.h>
#include <stdbool.h>

struct hostd {
    GPid pid;
    char *socket;
};

/* Starts one that logs launches to 'log' and answers at 'socket'. 'profile' (NULL: its default) is what local clients see. */
bool hostd_start(struct hostd *hostd, const char *socket, const char *log, const char *profile, GError **error);
void hostd_stop(struct hostd *hostd);
/* As an accident would end it: without a word to anybody. hostd_stop() is still due. */
void hostd_kill(struct hostd *hostd);

#endif
