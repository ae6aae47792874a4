/* SPDX-License-Identifier: Apache-2.0 */
/* What all scenarios of one run share: where things are, and what is made once. */
#ifndef VGPU_RUNNER_BENCH_H
#define VGPU_RUNNER_BENCH_H

#include "machine.h"

#define BENCH_MEMORY 2048 /* MiB, of a VM */
#define BENCH_VCPUS 2

struct bench {
    /* Made by bench_open(). */
    char *run_dir;   /* short, under /tmp: sockets, overlays, disks; removed at the end */
    char *result_dir; /* logs and report; stays */
    char *cache;     /* VGPU_CACHE */
    /* Set by the caller. */
    bool plain_boot; /* do not use saved VMs */
    bool keep;       /* leave run_dir */
    int memory_mib, vcpus; /* of the VM */

    char *libs;      /* the guest libraries, by SONAME */

    /* NULL until they are needed. */
    char *payload;   /* lib/ollama in it */
    char *qemu, *image;
    char *disks;     /* directory of the read-only disks */
    char *models;    /* directory of the models, local mode */
    struct domain_host *host; /* libvirt; NULL until a VM is wanted */
};

/* 'output': the result directory; NULL makes a new one. From here on SIGINT and SIGTERM only set interrupted(). */
bool bench_open(struct bench *bench, const char *output, GError **error);
void bench_close(struct bench *bench);
/* The payload, unless it is there already. */
bool bench_payload(struct bench *bench, GError **error);

/* A file of the build, by its place in the build tree or when installed. NULL with an error when it is not there. */
char *bench_program(const char *name, GError **error);
char *bench_libraries(GError **error);
/* A file of the sources (scenarios, recipes). */
char *bench_source(const char *path, GError **error);

/* What a recipe made before: its cached result; BENCH_ERROR_ABSENT when nobody made it. Runs `RECIPE --find`. */
char *bench_recipe(const char *recipe, const char *how, GError **error);

/* The models f32.gguf, f16.gguf, q8_0.gguf, `words` (what they say, as KEY=VALUE lines) and a file for each of its keys, made
 * once a run. */
bool bench_models(struct bench *bench, GError **error);
/* The disks shims.ext4, payload.ext4, models.ext4, scenario.ext4, made once a run. */
bool bench_disks(struct bench *bench, GError **error);

/* Runs a program; false with its stderr in the error when it fails. *out may be NULL. */
bool bench_run(const char *const *argv, char **out, GError **error);
/* Removes a directory tree that this run made. */
void bench_remove_tree(const char *path);

#endif
