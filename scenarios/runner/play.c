/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define TRACE_FILE "/run/vgpu-loader-trace"

static void run_free(gpointer data)
{
    struct run *run = data;

    output_clear(&run->output);
    json_free(run->report);
    g_free(run);
}

static void verdict_free(gpointer data)
{
    struct verdict *v = data;

    g_free(v->why);
    g_free(v);
}

void played_free(struct played *p)
{
    g_clear_error(&p->error);
    g_ptr_array_unref(p->facts);
    g_ptr_array_unref(p->runs);
    g_ptr_array_unref(p->verdicts);
    g_strfreev(p->variables);
    g_free(p->dir);
    g_free(p->hostd);
    g_free(p->console);
    g_free(p->trace);
    g_free(p);
}

bool played_well(const struct played *p)
{
    if (p->error || !p->verdicts->len)
        return false;
    for (guint i = 0; i < p->verdicts->len; i++)
        if (!((struct verdict *)p->verdicts->pdata[i])->held)
            return false;
    return true;
}

static void keep(const struct played *p, const char *name, const char *suffix, const char *text)
{
    g_autofree char *path = g_strdup_printf("%s/%s%s", p->dir, name, suffix);

    if (text && *text)
        g_file_set_contents(path, text, -1, NULL);
}

static char *read_log(const struct played *p, const char *name)
{
    g_autofree char *path = g_build_filename(p->dir, name, NULL), *raw = NULL;

    return g_file_get_contents(path, &raw, NULL, NULL) ? g_utf8_make_valid(raw, -1) : g_strdup("");
}

/* Everything that must succeed before something can be judged: the guest's preparation, setup, the fault itself. */
static bool prepare(struct played *p, struct machine *m, const char *what, const char *shell, const char *const *settings)
{
    struct output output = { 0 };
    bool done = m->ops->exec(m, shell, settings, p->scenario->timeout, &output, &p->error);

    if (done && output.status) {
        g_set_error(&p->error, BENCH_ERROR, BENCH_ERROR_SETUP, "%s ended with %d: %s", what, output.status, g_strstrip(output.err));
        done = false;
    }
    output_clear(&output);
    return done;
}

static bool play_run(struct played *p, struct machine *m, const struct step *step, const char *const *settings)
{
    struct run *run = g_new0(struct run, 1);

    run->step = step;
    if (!m->ops->exec(m, step->shell, settings, p->scenario->timeout, &run->output, &p->error)) {
        run_free(run);
        return false;
    }
    g_ptr_array_add(p->runs, run);
    run->report = json_parse(run->output.out, strlen(run->output.out), NULL);
    if (!run->report)
        run->report = json_from_keys(run->output.out);
    keep(p, step->name, ".out", run->output.out);
    keep(p, step->name, ".err", run->output.err);
    return true;
}

static GStrv settings_of(const struct scenario *s, bool without_fault)
{
    GStrvBuilder *all = g_strv_builder_new();
    GStrv list;

    for (guint i = 0; i < s->settings->len; i++) {
        const struct setting *setting = s->settings->pdata[i];
        g_autofree char *text = g_strdup_printf("%s=%s", setting->name, setting->value);

        if (!setting->fault || !without_fault)
            g_strv_builder_add(all, text);
    }
    list = g_strv_builder_end(all);
    g_strv_builder_unref(all);
    return list;
}

/* Runs, and nothing that prepares them, are traced: LD_AUDIT follows what they load. */
static GStrv traced(GStrv settings, const struct machine *m)
{
    g_autofree char *audit = g_strdup_printf("%s/vgpu-loader-trace.so", g_environ_getenv(m->variables, "BIN"));

    settings = g_environ_setenv(g_strdupv(settings), "LD_AUDIT", audit, TRUE);
    return g_environ_setenv(settings, "VGPU_LOADER_TRACE", TRACE_FILE, TRUE);
}

/* 'settings' are every step's, 'watched' those of a run. */
static bool play_step(struct played *p, struct machine *m, const struct step *step, GStrv settings, GStrv watched)
{
    g_autofree char *what = g_strdup_printf("%s:%d: %s", p->scenario->file, step->line, step->kind == STEP_FAULT ? "fault" : "setup");
    g_autofree char *strict = g_strdup_printf("set -eu\n%s", step->shell);

    switch (step->kind) {
    case STEP_RUN:
        return play_run(p, m, step, (const char *const *)watched);
    case STEP_FAULT_KILL:
        if (!p->without_fault)
            m->ops->kill_hostd(m);
        return true;
    case STEP_FAULT:
        if (p->without_fault)
            return true;
        break;
    case STEP_SETUP:
        break;
    }
    return prepare(p, m, what, strict, (const char *const *)settings);
}

static bool play_steps(struct played *p, struct machine *m)
{
    const struct scenario *s = p->scenario;
    g_auto(GStrv) settings = settings_of(s, p->without_fault), watched = p->local ? g_strdupv(settings) : traced(settings, m);

    if (s->guest && !p->local) {
        g_autofree char *shell = g_strdup_printf("sh -eu /vgpu/scenario/guest/%s", s->guest);

        if (!prepare(p, m, "preparing the guest", shell, NULL))
            return false;
    }
    for (guint i = 0; i < s->steps->len; i++)
        if (!play_step(p, m, s->steps->pdata[i], settings, watched))
            return false;
    return true;
}

static void fetch_trace(struct played *p, struct machine *m)
{
    struct output output = { 0 };

    if (!p->local && m->ops->exec(m, "cat " TRACE_FILE " 2>/dev/null", NULL, 30, &output, NULL)) {
        p->trace = g_steal_pointer(&output.out);
        keep(p, "loader", ".trace", p->trace);
    }
    output_clear(&output);
}

struct played *play(struct bench *bench, const struct scenario *s, const char *profile, bool local, bool without_fault,
                    const char *dir)
{
    struct played *p = g_new0(struct played, 1);
    struct machine *m;

    p->scenario = s;
    p->profile = profile;
    p->local = local;
    p->without_fault = without_fault;
    p->dir = g_strdup(dir);
    p->runs = g_ptr_array_new_with_free_func(run_free);
    p->verdicts = g_ptr_array_new_with_free_func(verdict_free);
    p->begin = g_get_real_time();
    bench_remove_tree(dir); /* an earlier run's logs */
    g_mkdir_with_parents(dir, 0755);
    m = local ? local_begin(bench, profile, dir, &p->error) : vm_begin(bench, profile, dir, &p->error);
    if (m) {
        p->clock_ahead = m->clock_ahead;
        p->facts = g_ptr_array_ref(m->facts);
        p->variables = g_strdupv(m->variables);
        if (play_steps(p, m))
            fetch_trace(p, m);
        m->ops->end(m);
    } else {
        p->facts = g_ptr_array_new();
    }
    p->hostd = read_log(p, "hostd.log");
    p->console = read_log(p, "console.log");
    if (!p->error)
        judge(p);
    p->end = g_get_real_time();
    return p;
}
