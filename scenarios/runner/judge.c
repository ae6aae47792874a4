/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "play.h"
#include "select.h"

static const struct run *find_run(const struct played *p, const char *name)
{
    for (guint i = 0; i < p->runs->len; i++) {
        const struct run *run = p->runs->pdata[i];

        if (!strcmp(run->step->name, name))
            return run;
    }
    return NULL;
}

/* ${NAME} by the machine's variables; what is none stays as it is. */
static char *expand(const struct played *p, const char *text)
{
    GString *all = g_string_new(NULL);
    const char *open, *close;

    while ((open = strstr(text, "${")) && (close = strchr(open, '}'))) {
        g_autofree char *name = g_strndup(open + 2, (gsize)(close - open - 2));
        const char *value = g_environ_getenv(p->variables, name);

        g_string_append_len(all, text, open - text);
        if (value)
            g_string_append(all, value);
        else
            g_string_append_len(all, open, close + 1 - open);
        text = close + 1;
    }
    return g_string_free(g_string_append(all, text), FALSE);
}

static bool matches(const char *pattern, const char *text)
{
    return g_regex_match_simple(pattern, text, G_REGEX_MULTILINE, 0);
}

/* Numbers are compared as numbers, everything else byte by byte. */
static bool compare(enum expect_op op, const char *seen, const char *wanted)
{
    switch (op) {
    case OP_EQUAL:
        return !strcmp(seen, wanted);
    case OP_DIFFERS:
        return strcmp(seen, wanted) != 0;
    case OP_MATCHES:
        return matches(wanted, seen);
    case OP_MATCHES_NOT:
        return !matches(wanted, seen);
    case OP_AT_LEAST:
    case OP_AT_MOST: {
        char *seen_end, *wanted_end;
        double a = g_ascii_strtod(seen, &seen_end), b = g_ascii_strtod(wanted, &wanted_end);

        if (seen_end == seen || *seen_end || wanted_end == wanted || *wanted_end)
            return false;
        return op == OP_AT_LEAST ? a >= b : a <= b;
    }
    case OP_ABSENT:
        break;
    }
    return false;
}

/* What an expectation compares with: its text, or another run's value. NULL when that run has none. */
static char *wanted_value(const struct played *p, const struct expectation *e)
{
    g_autofree char *text = expand(p, e->value), *name = NULL;
    g_autoptr(GPtrArray) values = NULL;
    const struct run *other;
    const char *colon;
    bool some;

    if (*text != '@' || e->op == OP_MATCHES || e->op == OP_MATCHES_NOT)
        return g_steal_pointer(&text);
    colon = strchr(text, ':');
    name = g_strndup(text + 1, (gsize)(colon - text - 1));
    other = find_run(p, name);
    values = select_values(other ? other->report : NULL, colon + 1, &some);
    return values->len ? g_strdup(values->pdata[0]) : NULL;
}

static char *list(GPtrArray *values)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < values->len && i < 8; i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", values->pdata[i] ? (char *)values->pdata[i] : "nothing");
    if (values->len > 8)
        g_string_append_printf(text, " and %u more", values->len - 8);
    return g_string_free(text, FALSE);
}

static char *judge_value(const struct played *p, const struct expectation *e, const struct run *run)
{
    bool some, any = false, all = true;
    g_autoptr(GPtrArray) seen = select_values(run->report, e->path, &some);
    g_autofree char *wanted = NULL, *listed = list(seen);

    if (!run->report)
        return g_strdup("the run printed neither JSON nor KEY=VALUE lines");
    if (e->op == OP_ABSENT) {
        for (guint i = 0; i < seen->len; i++)
            if (seen->pdata[i])
                return g_strdup_printf("it is %s", listed);
        return NULL;
    }
    wanted = wanted_value(p, e);
    if (!wanted)
        return g_strdup_printf("there is no %s to compare with", e->value);
    for (guint i = 0; i < seen->len; i++) {
        bool held = seen->pdata[i] && compare(e->op, seen->pdata[i], wanted);

        any |= held;
        all &= held;
    }
    if (some ? any : seen->len && all)
        return NULL;
    return seen->len ? g_strdup_printf("it is %s", listed) : g_strdup("there is no such value");
}

static char *judge_line(const struct played *p, const struct expectation *e, const struct run *run)
{
    const char *texts[] = { run ? run->output.out : !strcmp(e->run, RUN_HOSTD) ? p->hostd : p->console, run ? run->output.err : NULL };
    g_autofree char *pattern = expand(p, e->value);
    bool found = false;

    for (int i = 0; i < 2; i++)
        found |= texts[i] && matches(pattern, texts[i]);
    if (found == (e->kind == EXPECT_LINE))
        return NULL;
    return g_strdup(found ? "there is such a line" : "there is no such line");
}

static char *judge_exit(const struct expectation *e, const struct run *run)
{
    if (run->output.status == atoi(e->value))
        return NULL;
    return g_strdup_printf("it is %d", run->output.status);
}

void judge(struct played *p)
{
    for (guint i = 0; i < p->scenario->expectations->len; i++) {
        const struct expectation *e = p->scenario->expectations->pdata[i];
        const struct run *run = find_run(p, e->run);
        struct verdict *v = g_new0(struct verdict, 1);

        v->expectation = e;
        switch (e->kind) {
        case EXPECT_EXIT:
            v->why = judge_exit(e, run);
            break;
        case EXPECT_VALUE:
            v->why = judge_value(p, e, run);
            break;
        case EXPECT_LINE:
        case EXPECT_NO_LINE:
            v->why = judge_line(p, e, run);
            break;
        }
        v->held = !v->why;
        g_ptr_array_add(p->verdicts, v);
    }
}
