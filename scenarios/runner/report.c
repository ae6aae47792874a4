/* SPDX-License-Identifier: Apache-2.0 */
/* The page that a person reads when a scenario surprises: what was expected and seen, and a timeline of who loaded which library
 * and which call went wrong. */
#include <string.h>

#include "play.h"

#define MAX_EVENTS 4000

struct event {
    gint64 when; /* our clock, microseconds; 0: unknown, stays behind its predecessor */
    const char *kind;
    char *who, *what;
};

static void event_free(gpointer data)
{
    struct event *e = data;

    g_free(e->who);
    g_free(e->what);
    g_free(e);
}

static void add(GPtrArray *events, gint64 when, const char *kind, char *who, char *what)
{
    struct event *e = g_new0(struct event, 1);

    *e = (struct event){ when, kind, who, what };
    g_ptr_array_add(events, e);
}

static void add_lines(GPtrArray *events, gint64 when, const char *kind, const char *who, const char *text, const char *pattern)
{
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

    for (char **line = lines; *line && events->len < MAX_EVENTS; line++) {
        g_strchomp(*line);
        if (**line && (!pattern || g_regex_match_simple(pattern, *line, G_REGEX_CASELESS, 0)))
            add(events, when, kind, g_strdup(who), g_strdup(*line));
    }
}

/* Lines of vgpu-loader-trace: SECONDS.MICROSECONDS PID COMMAND what happened. */
static void add_trace(GPtrArray *events, const struct played *p)
{
    g_auto(GStrv) lines = g_strsplit(p->trace ? p->trace : "", "\n", -1);

    for (char **line = lines; *line && events->len < MAX_EVENTS; line++) {
        g_auto(GStrv) part = g_strsplit(*line, " ", 4);
        char *end;
        gint64 when;

        /* Each directory has a dozen subdirectories for kinds of CPU, where nothing ever is. */
        if (g_strv_length(part) < 4 || (g_str_has_prefix(part[3], "tried ") &&
                                        g_regex_match_simple("(^| |/)(tls|x86_64|glibc-hwcaps)/", part[3], 0, 0)))
            continue;
        when = (gint64)(g_ascii_strtod(part[0], &end) * 1e6);
        add(events, when - p->clock_ahead, g_str_has_prefix(part[3], "loaded") ? "load" : "search",
            g_strdup_printf("%s[%s]", part[2], part[1]), g_strdup(part[3]));
    }
}

/* What a run's report calls an error: dlerror's text for a backend that could not be loaded, and the like. */
static void add_errors(GPtrArray *events, const struct run *run, const struct json *value, const char *path)
{
    for (guint i = 0; value && value->type >= JSON_ARRAY && i < value->values->len && events->len < MAX_EVENTS; i++) {
        const struct json *member = value->values->pdata[i];
        const char *name = value->names ? value->names->pdata[i] : NULL;
        g_autofree char *at = name ? g_strdup_printf("%s%s%s", path, *path ? "." : "", name) : g_strdup_printf("%s[%u]", path, i);

        if (member->type == JSON_STRING && !g_strcmp0(name, "error"))
            add(events, run->output.end, "bad", g_strdup(run->step->name), g_strdup_printf("%s: %s", at, member->text));
        else
            add_errors(events, run, member, at);
    }
}

static gint by_time(gconstpointer a, gconstpointer b)
{
    const struct event *x = *(struct event *const *)a, *y = *(struct event *const *)b;

    return x->when < y->when ? -1 : x->when > y->when;
}

static GPtrArray *timeline(const struct played *p)
{
    GPtrArray *events = g_ptr_array_new_with_free_func(event_free);

    add_trace(events, p);
    for (guint i = 0; i < p->runs->len; i++) {
        const struct run *run = p->runs->pdata[i];

        add(events, run->output.begin, "run", g_strdup(run->step->name), g_strdup(run->step->shell));
        add_lines(events, run->output.end, "said", run->step->name, run->output.err, NULL);
        add_errors(events, run, run->report, "");
        add(events, run->output.end, "run", g_strdup(run->step->name), g_strdup_printf("ended with %d", run->output.status));
    }
    g_ptr_array_sort(events, by_time); /* stable: equal times keep their order */
    return events;
}

static void G_GNUC_PRINTF(2, 3) put(GString *page, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, format);
    text = g_markup_vprintf_escaped(format, ap);
    va_end(ap);
    g_string_append(page, text);
    g_string_append_c(page, '\n');
}

static void put_verdicts(GString *page, const struct played *p)
{
    if (p->error)
        put(page, "<p class='bad'>not judged: %s</p>", p->error->message);
    put(page, "<table><tr><th></th><th>expected</th><th>seen instead</th></tr>");
    for (guint i = 0; i < p->verdicts->len; i++) {
        const struct verdict *v = p->verdicts->pdata[i];

        put(page, "<tr class='%s'><td>%s</td><td>%s</td><td>%s</td></tr>", v->held ? "good" : "bad", v->held ? "ok" : "not ok",
            v->expectation->text, v->why ? v->why : "");
    }
    put(page, "</table>");
}

static void put_timeline(GString *page, const struct played *p)
{
    g_autoptr(GPtrArray) events = timeline(p);

    put(page, "<table><tr><th>seconds</th><th>who</th><th>what</th></tr>");
    for (guint i = 0; i < events->len; i++) {
        const struct event *e = events->pdata[i];

        put(page, "<tr class='%s'><td>%.3f</td><td>%s</td><td>%s</td></tr>", e->kind, (double)(e->when - p->begin) / 1e6, e->who, e->what);
    }
    put(page, "</table>");
}

static void put_hostd(GString *page, const struct played *p)
{
    g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func(event_free);

    add_lines(events, 0, "hostd", "", p->hostd, ": (error|warn|info): ");
    if (!events->len)
        return;
    put(page, "<h3>Said on the host</h3><table>");
    for (guint i = 0; i < events->len; i++) {
        const struct event *e = events->pdata[i];

        put(page, "<tr class='%s'><td>%s</td></tr>", strstr(e->what, ": error: ") || strstr(e->what, ": warn: ") ? "bad" : "hostd", e->what);
    }
    put(page, "</table>");
}

static void put_scenario(GString *page, const struct played *p)
{
    bool good = played_well(p);

    put(page, "<h2 class='%s'>%s &mdash; %s%s, %s</h2><p>%s</p>", good ? "good" : "bad", p->scenario->name, p->local ? "local" : "VM",
        p->without_fault ? ", without its fault" : "", p->profile, p->scenario->story);
    for (guint i = 0; i < p->facts->len; i++)
        put(page, "<p>The VM: %s.</p>", (char *)p->facts->pdata[i]);
    put(page, "<p>%.1f s; logs in %s</p>", (double)(p->end - p->begin) / 1e6, p->dir);
    put_verdicts(page, p);
    put(page, "<h3>What happened</h3>");
    put_timeline(page, p);
    put_hostd(page, p);
}

bool report_write(const char *path, GPtrArray *played, GError **error)
{
    g_autoptr(GString) page = g_string_new(
        "<!DOCTYPE html><meta charset='utf-8'><title>vgpu test</title><style>\n"
        "body{font:15px sans-serif;max-width:75em;margin:2em auto;padding:0 1em}\n"
        "table{border-collapse:collapse;font:13px monospace;margin:1em 0}td,th{text-align:left;vertical-align:top;padding:1px 1em 1px 0;"
        "white-space:pre-wrap;overflow-wrap:anywhere}\n"
        ".bad,.bad td{color:#b00020}.good td:first-child{color:#18794e}.run td{font-weight:bold;border-top:1px solid #ccc}"
        ".search td{color:#777}\n</style>\n<h1>vgpu test</h1>\n");

    for (guint i = 0; i < played->len; i++)
        put_scenario(page, played->pdata[i]);
    return g_file_set_contents(path, page->str, (gssize)page->len, error);
}
