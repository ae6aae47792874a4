/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu test [options] [SCENARIO...]: plays scenario files, judges, prints TAP. */
#include <stdio.h>
#include <string.h>

#include "play.h"

static struct {
    gboolean list, no_fault, both, keep, local, plain;
    char *profile, *output;
    int memory, vcpus;
    char **files;
} o = { .memory = BENCH_MEMORY, .vcpus = BENCH_VCPUS };

static const GOptionEntry entries[] = {
    { "list", 'l', 0, G_OPTION_ARG_NONE, &o.list, "say what there is, and play nothing", NULL },
    { "local", 0, 0, G_OPTION_ARG_NONE, &o.local, "without a VM, under `vgpu run`: the scenarios that say `where local`", NULL },
    { "no-fault", 0, 0, G_OPTION_ARG_NONE, &o.no_fault, "leave the faults out: each scenario that has one must then be not ok", NULL },
    { "both", 0, 0, G_OPTION_ARG_NONE, &o.both, "play with the fault, then without, which must be seen to differ", NULL },
    { "profile", 'p', 0, G_OPTION_ARG_STRING, &o.profile, "play only as this GPU", "NAME" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &o.output, "logs and report.html go here (default: a new directory)", "DIR" },
    { "keep", 'k', 0, G_OPTION_ARG_NONE, &o.keep, "keep the run's disks too", NULL },
    { "boot", 0, 0, G_OPTION_ARG_NONE, &o.plain, "boot each VM; neither save nor restore one", NULL },
    { "memory", 0, 0, G_OPTION_ARG_INT, &o.memory, "of the VM (2048)", "MIB" },
    { "vcpus", 0, 0, G_OPTION_ARG_INT, &o.vcpus, "of the VM (2)", "N" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o.files, NULL, "[SCENARIO...]" },
    G_OPTION_ENTRY_NULL,
};

/* ---- Which scenarios ---- */

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A file, a name in scenarios/, or a directory of files. */
static bool add_files(GPtrArray *files, const char *what, GError **error)
{
    g_autofree char *own = NULL, *relative = g_strdup_printf("scenarios/%s.vg", what);
    g_autoptr(GDir) dir = NULL;

    if (!g_file_test(what, G_FILE_TEST_EXISTS)) {
        own = bench_source(relative, NULL);
        if (!own) {
            g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "there is no scenario '%s'", what);
            return false;
        }
        g_ptr_array_add(files, g_steal_pointer(&own));
        return true;
    }
    if (!g_file_test(what, G_FILE_TEST_IS_DIR)) {
        g_ptr_array_add(files, g_strdup(what));
        return true;
    }
    dir = g_dir_open(what, 0, error);
    if (!dir)
        return false;
    for (const char *name; (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".vg"))
            g_ptr_array_add(files, g_build_filename(what, name, NULL));
    return true;
}

static GPtrArray *load(GError **error)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)scenario_free);
    g_autofree char *own = o.files ? NULL : bench_source("scenarios", error);

    if (!o.files && (!own || !add_files(files, own, error)))
        return NULL;
    for (char **f = o.files; f && *f; f++)
        if (!add_files(files, *f, error))
            return NULL;
    if (!o.files)
        g_ptr_array_sort(files, by_name);
    for (guint i = 0; i < files->len; i++) {
        g_autofree char *text = NULL;
        gsize length;
        struct scenario *s;

        if (!g_file_get_contents(files->pdata[i], &text, &length, error))
            return NULL;
        s = scenario_parse(files->pdata[i], text, length, error);
        if (!s)
            return NULL;
        g_ptr_array_add(all, s);
    }
    return g_steal_pointer(&all);
}

/* One playing: a scenario, as one GPU, with or without its fault. */
struct item {
    const struct scenario *scenario;
    const char *profile;
    bool without_fault, must_fail;
};

static void add_item(GArray *items, const struct scenario *s, const char *profile, bool without_fault, bool must_fail)
{
    struct item item = { s, profile, without_fault, must_fail };

    g_array_append_val(items, item);
}

static GArray *plan(GPtrArray *scenarios)
{
    GArray *items = g_array_new(FALSE, FALSE, sizeof(struct item));

    for (guint i = 0; i < scenarios->len; i++) {
        const struct scenario *s = scenarios->pdata[i];

        if (!(o.local ? s->in_local : s->in_vm))
            continue;
        for (guint k = 0; k < s->profiles->len; k++) {
            const char *profile = s->profiles->pdata[k];

            if (o.profile && strcmp(o.profile, profile))
                continue;
            add_item(items, s, profile, o.no_fault && s->has_fault, false);
            if (o.both && s->has_fault && !o.no_fault)
                add_item(items, s, profile, true, true);
        }
    }
    return items;
}

static char *title(const struct item *item)
{
    return g_strdup_printf("%s [%s]%s", item->scenario->name, item->profile,
                           item->must_fail ? ", its fault left out, is seen to differ" : item->without_fault ? ", its fault left out" : "");
}

/* ---- TAP ---- */

static void say(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line; line++)
        printf("# %s\n", *line);
}

static bool required(void)
{
    return !g_strcmp0(g_getenv("VGPU_REQUIRE"), "1");
}

/* True unless it counts as failed. */
static bool print_result(guint number, const struct item *item, const struct played *p)
{
    g_autofree char *name = title(item);
    bool skipped = g_error_matches(p->error, BENCH_ERROR, BENCH_ERROR_ABSENT) && !required();
    bool good = item->must_fail ? !p->error && !played_well(p) : played_well(p);

    if (skipped)
        printf("ok %u # SKIP %s: %s\n", number, name, p->error->message);
    else
        printf("%sok %u - %s\n", good ? "" : "not ", number, name);
    for (guint i = 0; i < p->facts->len; i++)
        printf("#   %s\n", (char *)p->facts->pdata[i]);
    if (p->error && !skipped) {
        g_autofree char *text = g_strdup_printf("  not judged: %s", p->error->message);

        say(text);
    }
    for (guint i = 0; i < p->verdicts->len; i++) {
        const struct verdict *v = p->verdicts->pdata[i];
        g_autofree char *text = g_strdup_printf("  %s %s%s%s", v->held ? "ok    " : "NOT OK", v->expectation->text, v->why ? ": " : "",
                                                v->why ? v->why : "");

        say(text);
    }
    if (!skipped)
        printf("#   %.1f s, %s\n", (double)(p->end - p->begin) / 1e6, p->dir);
    fflush(stdout);
    return good || skipped;
}

/* ---- The run ---- */

/* What is needed and missing makes a result without a playing. */
static struct played *play_item(struct bench *b, const struct item *item, guint number)
{
    g_autofree char *name = g_strdup_printf("%02u-%s-%s%s", number, item->scenario->name, item->profile,
                                            item->without_fault ? "-without-fault" : "");
    g_autofree char *dir = g_build_filename(b->result_dir, name, NULL);
    struct played *p;
    GError *error = NULL;

    if (bench_payload(b, &error) || !scenario_needs(item->scenario, "payload")) {
        g_clear_error(&error);
        return play(b, item->scenario, item->profile, o.local, item->without_fault, dir);
    }
    p = g_new0(struct played, 1);
    *p = (struct played){ .scenario = item->scenario, .profile = item->profile, .local = o.local, .error = error,
                          .dir = g_strdup(dir), .facts = g_ptr_array_new(), .runs = g_ptr_array_new(), .verdicts = g_ptr_array_new() };
    return p;
}

static int play_all(struct bench *b, GArray *items)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)played_free);
    g_autofree char *report = g_build_filename(b->result_dir, "report.html", NULL);
    g_autoptr(GError) error = NULL;
    guint failed = 0;

    printf("1..%u\n", items->len);
    fflush(stdout);
    for (guint i = 0; i < items->len && !interrupted(); i++) {
        const struct item *item = &g_array_index(items, struct item, i);
        struct played *p = play_item(b, item, i + 1);

        g_ptr_array_add(all, p);
        if (interrupted())
            break;
        failed += !print_result(i + 1, item, p);
    }
    if (!report_write(report, all, &error))
        say(error->message);
    else
        printf("# report: %s\n", report);
    if (interrupted()) {
        printf("Bail out! interrupted\n");
        return 128 + interrupted();
    }
    printf("# %u of %u failed\n", failed, items->len);
    return failed != 0;
}

static void print_list(GArray *items)
{
    for (guint i = 0; i < items->len; i++) {
        const struct item *item = &g_array_index(items, struct item, i);

        printf("%-28s %-10s %s%s\n", item->scenario->name, item->profile, item->scenario->has_fault ? "" : "(no fault) ",
               item->scenario->story);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) scenarios = NULL;
    g_autoptr(GArray) items = NULL;
    struct bench bench = { 0 };
    int status = 2;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context, "Plays scenarios, each in a VM of its own, and judges what is seen.");
    if (!g_option_context_parse(context, &argc, &argv, &error) || !(scenarios = load(&error))) {
        fprintf(stderr, "vgpu test: %s\n", error->message);
        return 2;
    }
    items = plan(scenarios);
    if (o.list) {
        print_list(items);
        return 0;
    }
    if (!items->len) {
        printf("1..0 # SKIP no scenario is for this\n");
        return 0;
    }
    bench.plain_boot = o.plain;
    bench.keep = o.keep;
    bench.memory_mib = o.memory;
    bench.vcpus = o.vcpus;
    if (bench_open(&bench, o.output, &error))
        status = play_all(&bench, items);
    else
        printf("Bail out! %s\n", error->message);
    bench_close(&bench);
    return status;
}
