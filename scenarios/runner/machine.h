/* SPDX-License-Identifier: Apache-2.0 */
/* Where a scenario's steps run: a VM of its own (vm.c), or this machine under `vgpu run` (local.c). Either has a vgpu-hostd of
 * its own, whose log is the scenario's. */
#ifndef VGPU_RUNNER_MACHINE_H
#define VGPU_RUNNER_MACHINE_H

#include <glib.h>
#include <stdbool.h>

/* Why nothing could be judged. A failed expectation is no error. */
#define BENCH_ERROR bench_error_quark()
GQuark bench_error_quark(void);
enum bench_error {
    BENCH_ERROR_ABSENT,      /* what is needed is not there: QEMU, image, payload; a reason to skip */
    BENCH_ERROR_INFRA,       /* this host failed: files, libvirt, vgpu-hostd */
    BENCH_ERROR_BOOT,        /* the VM did not come up */
    BENCH_ERROR_SETUP,       /* a step that prepares, or breaks, failed */
    BENCH_ERROR_INTERRUPTED, /* by a signal */
};

struct output {
    int status; /* exit status, 128 + N for a signal, 124 when out of time */
    char *out, *err;
    gint64 begin, end; /* g_get_real_time() */
};
void output_clear(struct output *output);

struct machine {
    const struct machine_ops *ops;
    char *dir;          /* its files: console.log, hostd.log; absolute */
    GPtrArray *facts;   /* char *: how it came up, for the report */
    GStrv variables;    /* NAME=VALUE: the environment of each step, and ${NAME} in expectations */
    gint64 clock_ahead; /* its clock minus ours, microseconds */
};

struct machine_ops {
    /* /bin/sh -c SHELL with 'settings' (NAME=VALUE) added to the environment. False: no answer could be had. */
    bool (*exec)(struct machine *m, const char *shell, const char *const *settings, int timeout, struct output *output,
                 GError **error);
    /* Its vgpu-hostd is killed. */
    void (*kill_hostd)(struct machine *m);
    void (*end)(struct machine *m);
};

struct bench; /* bench.h */

struct machine *vm_begin(struct bench *bench, const char *profile, const char *dir, GError **error);
/* The socket of a VM's console, on which root is logged in. */
const char *vm_console(const struct machine *m);
struct machine *local_begin(struct bench *bench, const char *profile, const char *dir, GError **error);

/* The signal's number once SIGINT or SIGTERM came, else 0; whoever waits looks. */
int interrupted(void);

#endif
