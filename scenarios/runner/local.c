/* SPDX-License-Identifier: Apache-2.0 */
/* This machine as a scenario's machine: each step is `vgpu run`'s, all with one private hostd. */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bench.h"
#include "hostd.h"
#include "machine.h"

struct local {
    struct machine base;
    struct hostd hostd;
    char *vgpu_run;
};

static bool local_exec(struct machine *m, const char *shell, const char *const *settings, int timeout, struct output *output,
                       GError **error)
{
    struct local *local = (struct local *)m;
    g_autofree char *limit = g_strdup_printf("%d", timeout), *out = NULL, *err = NULL;
    const char *argv[] = { "timeout", "-k", "5", limit, local->vgpu_run, "--", "/bin/sh", "-c", shell, NULL };
    g_auto(GStrv) env = g_environ_setenv(g_get_environ(), "VGPU_SOCKET", local->hostd.socket, TRUE);
    int status;

    for (char **v = m->variables; *v; v++) {
        g_autofree char *name = g_strndup(*v, (gsize)(strchr(*v, '=') - *v));

        env = g_environ_setenv(env, name, strchr(*v, '=') + 1, TRUE);
    }
    for (; settings && *settings; settings++) {
        g_autofree char *name = g_strndup(*settings, (gsize)(strchr(*settings, '=') - *settings));

        env = g_environ_setenv(env, name, strchr(*settings, '=') + 1, TRUE);
    }
    output->begin = g_get_real_time();
    if (!g_spawn_sync(NULL, (char **)argv, env, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, error))
        return false;
    output->end = g_get_real_time();
    output->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    output->out = g_utf8_make_valid(out, -1);
    output->err = g_utf8_make_valid(err, -1);
    if (!interrupted())
        return true;
    g_set_error(error, BENCH_ERROR, BENCH_ERROR_INTERRUPTED, "interrupted");
    return false;
}

static void local_end(struct machine *m)
{
    struct local *local = (struct local *)m;

    hostd_stop(&local->hostd);
    g_ptr_array_unref(m->facts);
    g_strfreev(m->variables);
    g_free(m->dir);
    g_free(local->vgpu_run);
    g_free(local);
}

static void local_kill_hostd(struct machine *m)
{
    hostd_kill(&((struct local *)m)->hostd);
}

static const struct machine_ops local_ops = { local_exec, local_kill_hostd, local_end };

static void set(struct machine *m, const char *name, const char *value)
{
    m->variables = g_environ_setenv(m->variables, name, value ? value : "", TRUE);
}

/* As /proc/PID/maps shows it: links followed. */
static void set_library(struct machine *m, const char *name, const char *dir, const char *file, bool its_dir)
{
    g_autofree char *path = g_build_filename(dir, file, NULL), *real = realpath(path, NULL);
    g_autofree char *real_dir = real ? g_path_get_dirname(real) : NULL;

    set(m, name, its_dir ? real_dir : real);
}

struct machine *local_begin(struct bench *bench, const char *profile, const char *dir, GError **error)
{
    struct local *local;
    g_autofree char *socket = g_build_filename(bench->run_dir, "local.sock", NULL), *log = g_build_filename(dir, "hostd.log", NULL);
    g_autofree char *infer = bench_program("vgpu-infer", error), *bin = infer ? g_path_get_dirname(infer) : NULL;
    g_autofree char *path = g_strdup_printf("%s:%s", bin ? bin : "", g_getenv("PATH"));
    g_autofree char *ollama = bench->payload ? g_build_filename(bench->payload, "lib/ollama", NULL) : NULL;

    if (!infer || !bench_models(bench, error))
        return NULL;
    local = g_new0(struct local, 1);
    local->base = (struct machine){ .ops = &local_ops, .dir = g_strdup(dir), .facts = g_ptr_array_new_with_free_func(g_free) };
    set(&local->base, "PATH", path);
    set(&local->base, "BIN", bin);
    set(&local->base, "OLLAMA", ollama);
    set(&local->base, "PAYLOAD", ollama);
    set(&local->base, "MODELS", bench->models);
    set_library(&local->base, "LIBCUDA", bench->libs, "libcuda.so.1", false);
    set_library(&local->base, "CUDA12_LIBS", bench->libs, "libcudart.so.12", true);
    set_library(&local->base, "CUDA13_LIBS", bench->libs, "libcudart.so.13", true);
    set_library(&local->base, "CUBLAS12_LIBS", bench->libs, "libcublas.so.12", true);
    set_library(&local->base, "CUBLAS13_LIBS", bench->libs, "libcublas.so.13", true);
    local->vgpu_run = bench_program("vgpu-run", error);
    if (local->vgpu_run && hostd_start(&local->hostd, socket, log, profile, error))
        return &local->base;
    local_end(&local->base);
    return NULL;
}
