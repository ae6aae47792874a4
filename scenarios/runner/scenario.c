/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario.h"

#include <string.h>

#include "select.h"

struct parser {
    struct scenario *s;
    const char *file;
    int line;
    const char *at;         /* next unread byte of the directive; zero-terminated */
    GString *joined;        /* the directive with its continuation lines */
    GError **error;
};

G_DEFINE_QUARK(vgpu-scenario-error, scenario_error)

/* Points at 'where' in the directive's joined text; continuation lines are shown as the line they stand in. */
static bool wrong(struct parser *p, const char *where, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool wrong(struct parser *p, const char *where, const char *format, ...)
{
    const char *begin = p->joined->str, *newline, *end;
    g_autofree char *what = NULL, *shown = NULL;
    g_autoptr(GString) caret = g_string_new(NULL);
    int line = p->line;
    va_list ap;

    va_start(ap, format);
    what = g_strdup_vprintf(format, ap);
    va_end(ap);
    while ((newline = memchr(begin, '\n', (gsize)(where - begin)))) {
        begin = newline + 1;
        line++;
    }
    end = strchrnul(begin, '\n');
    shown = g_strndup(begin, (gsize)(end - begin));
    for (const char *c = begin; c < where; c++)
        g_string_append_c(caret, *c == '\t' ? '\t' : ' ');
    g_set_error(p->error, SCENARIO_ERROR, 0, "%s:%d:%d: %s\n  %s\n  %s^", p->file, line, (int)(where - begin) + 1, what, shown,
                caret->str);
    return false;
}

static bool is_name_char(char c)
{
    return g_ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
}

static void skip_blanks(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n')
        p->at++;
}

/* The next word up to a blank; "" at the end. */
static char *read_word(struct parser *p)
{
    const char *begin;

    skip_blanks(p);
    begin = p->at;
    while (*p->at && !strchr(" \t\n", *p->at))
        p->at++;
    return g_strndup(begin, (gsize)(p->at - begin));
}

static bool read_name(struct parser *p, const char *what, char **name)
{
    const char *begin;

    skip_blanks(p);
    begin = p->at;
    while (is_name_char(*p->at))
        p->at++;
    if (p->at == begin || (*p->at && !strchr(" \t\n", *p->at)))
        return wrong(p, p->at, "%s is letters, digits, '-', '_' and '.'", what);
    g_free(*name);
    *name = g_strndup(begin, (gsize)(p->at - begin));
    return true;
}

static char *read_rest(struct parser *p)
{
    char *rest;

    skip_blanks(p);
    rest = g_strchomp(g_strdup(p->at));
    p->at += strlen(p->at);
    return rest;
}

static bool at_end(struct parser *p)
{
    skip_blanks(p);
    return !*p->at || wrong(p, p->at, "nothing more belongs here");
}

/* ---- One function a directive ---- */

static bool read_scenario(struct parser *p)
{
    g_autofree char *base = g_path_get_basename(p->file);
    const char *begin;

    skip_blanks(p);
    begin = p->at;
    if (p->s->name)
        return wrong(p, p->joined->str, "one file is one scenario");
    if (!read_name(p, "a scenario's name", &p->s->name) || !at_end(p))
        return false;
    if (g_str_has_suffix(base, ".vg"))
        base[strlen(base) - 3] = 0;
    return !strcmp(base, p->s->name) || wrong(p, begin, "the file is named '%s'", base);
}

static bool read_story(struct parser *p)
{
    GString *story = g_string_new(p->s->story);

    for (skip_blanks(p); *p->at; skip_blanks(p)) {
        g_autofree char *word = read_word(p);

        g_string_append_printf(story, "%s%s", story->len ? " " : "", word);
    }
    g_free(p->s->story);
    p->s->story = g_string_free(story, FALSE);
    return *p->s->story || wrong(p, p->at, "a story has words");
}

static bool read_where(struct parser *p)
{
    p->s->in_vm = p->s->in_local = false;
    do {
        g_autofree char *word = NULL;
        const char *begin;

        skip_blanks(p);
        begin = p->at;
        word = read_word(p);
        if (!strcmp(word, "vm"))
            p->s->in_vm = true;
        else if (!strcmp(word, "local"))
            p->s->in_local = true;
        else
            return wrong(p, begin, "a scenario is played in 'vm', 'local', or both");
        skip_blanks(p);
    } while (*p->at);
    return true;
}

static bool read_names(struct parser *p, const char *what, GPtrArray *into)
{
    do {
        char *name = NULL;

        if (!read_name(p, what, &name))
            return false;
        g_ptr_array_add(into, name);
        skip_blanks(p);
    } while (*p->at);
    return true;
}

static bool read_profile(struct parser *p)
{
    return read_names(p, "a profile", p->s->profiles);
}

static bool read_needs(struct parser *p)
{
    const char *begin;

    skip_blanks(p);
    begin = p->at;
    if (!read_names(p, "what is needed", p->s->needs))
        return false;
    for (guint i = 0; i < p->s->needs->len; i++) {
        const char *name = p->s->needs->pdata[i];

        if (strcmp(name, "payload") && strcmp(name, "models"))
            return wrong(p, begin, "what can be needed is 'payload' and 'models'");
    }
    return true;
}

static bool read_guest(struct parser *p)
{
    return read_name(p, "a guest", &p->s->guest) && at_end(p);
}

static bool read_timeout(struct parser *p)
{
    g_autofree char *word = NULL;
    const char *begin;
    guint64 seconds;

    skip_blanks(p);
    begin = p->at;
    word = read_word(p);
    if (!g_ascii_string_to_unsigned(word, 10, 1, 3600, &seconds, NULL))
        return wrong(p, begin, "a timeout is 1 to 3600 seconds");
    p->s->timeout = (int)seconds;
    return at_end(p);
}

static bool read_setting(struct parser *p, bool fault)
{
    struct setting *setting = g_new0(struct setting, 1);
    const char *begin;

    g_ptr_array_add(p->s->settings, setting);
    setting->fault = fault;
    skip_blanks(p);
    begin = p->at;
    while (g_ascii_isalnum(*p->at) || *p->at == '_')
        p->at++;
    if (p->at == begin || *p->at != '=')
        return wrong(p, p->at, "a setting is NAME=VALUE");
    setting->name = g_strndup(begin, (gsize)(p->at - begin));
    p->at++;
    setting->value = g_strchomp(g_strdup(p->at));
    p->s->has_fault |= fault;
    return true;
}

static bool read_env(struct parser *p)
{
    return read_setting(p, false);
}

static bool read_fault_env(struct parser *p)
{
    return read_setting(p, true);
}

static const struct step *find_run(const struct scenario *s, const char *name)
{
    for (guint i = 0; i < s->steps->len; i++) {
        const struct step *step = s->steps->pdata[i];

        if (step->kind == STEP_RUN && !strcmp(step->name, name))
            return step;
    }
    return NULL;
}

static bool read_step(struct parser *p, enum step_kind kind)
{
    struct step *step = g_new0(struct step, 1);
    g_autofree char *name = NULL;
    const char *begin;

    skip_blanks(p);
    begin = p->at;
    if (kind == STEP_RUN && (!read_name(p, "a run's name", &name) || find_run(p->s, name) || !strcmp(name, RUN_HOSTD) ||
                             !strcmp(name, RUN_CONSOLE))) {
        g_free(step);
        return name ? wrong(p, begin, "'%s' is taken", name) : false;
    }
    step->kind = kind;
    step->line = p->line;
    step->name = g_steal_pointer(&name);
    step->shell = read_rest(p);
    g_ptr_array_add(p->s->steps, step);
    p->s->has_fault |= kind == STEP_FAULT;
    return *step->shell || wrong(p, p->at, "a command is missing");
}

static bool read_setup(struct parser *p)
{
    return read_step(p, STEP_SETUP);
}

static bool read_fault(struct parser *p)
{
    return read_step(p, STEP_FAULT);
}

static bool read_fault_kill(struct parser *p)
{
    struct step *step = g_new0(struct step, 1);
    const char *begin;

    skip_blanks(p);
    begin = p->at;
    step->kind = STEP_FAULT_KILL;
    step->line = p->line;
    step->shell = read_rest(p);
    g_ptr_array_add(p->s->steps, step);
    p->s->has_fault = true;
    return !strcmp(step->shell, "hostd") || wrong(p, begin, "what can be killed on the host is 'hostd'");
}

static bool read_run(struct parser *p)
{
    return read_step(p, STEP_RUN);
}

static bool check_regex(struct parser *p, const char *begin, const char *pattern)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, &error);

    return regex || wrong(p, begin, "%s", error->message);
}

static bool read_value_expectation(struct parser *p, struct expectation *e)
{
    static const char *const ops[] = { [OP_EQUAL] = "=", [OP_DIFFERS] = "!=", [OP_MATCHES] = "~", [OP_MATCHES_NOT] = "!~",
                                       [OP_AT_LEAST] = ">=", [OP_AT_MOST] = "<=", [OP_ABSENT] = "absent" };
    g_autofree char *word = NULL;
    const char *begin, *bad;

    skip_blanks(p);
    begin = p->at;
    e->path = read_word(p);
    bad = select_check(e->path);
    if (bad)
        return wrong(p, begin + (bad - e->path), "a path is names, '.', and [N], [*], [?] or [#]");
    skip_blanks(p);
    begin = p->at;
    word = read_word(p);
    for (e->op = 0; e->op <= OP_ABSENT && strcmp(ops[e->op], word); e->op++)
        ;
    if (e->op > OP_ABSENT)
        return wrong(p, begin, "values are compared by =, !=, ~, !~, >=, <= or are absent");
    if (e->op == OP_ABSENT)
        return at_end(p);
    skip_blanks(p);
    begin = p->at;
    e->value = read_rest(p);
    if (e->op == OP_MATCHES || e->op == OP_MATCHES_NOT)
        return check_regex(p, begin, e->value);
    if (*e->value == '@') {
        const char *colon = strchr(e->value, ':');
        g_autofree char *run = colon ? g_strndup(e->value + 1, (gsize)(colon - e->value - 1)) : NULL;

        if (!run || !find_run(p->s, run))
            return wrong(p, begin, "@RUN:PATH needs a run that stands above");
        bad = select_check(colon + 1);
        if (bad)
            return wrong(p, begin + (bad - e->value), "a path is names, '.', and [N], [*], [?] or [#]");
    }
    return true;
}

static bool read_expect(struct parser *p)
{
    static const char *const kinds[] = { [EXPECT_EXIT] = "exit", [EXPECT_LINE] = "line", [EXPECT_NO_LINE] = "no-line",
                                         [EXPECT_VALUE] = "value" };
    struct expectation *e = g_new0(struct expectation, 1);
    g_autofree char *word = NULL;
    const char *begin;
    guint64 status;

    g_ptr_array_add(p->s->expectations, e);
    e->line = p->line;
    skip_blanks(p);
    begin = p->at;
    e->text = g_strdelimit(g_strchomp(g_strdup(p->at)), "\n\t", ' ');
    if (!read_name(p, "a run's name", &e->run))
        return false;
    if (!find_run(p->s, e->run) && strcmp(e->run, RUN_HOSTD) && strcmp(e->run, RUN_CONSOLE))
        return wrong(p, begin, "no run above is named '%s'", e->run);
    skip_blanks(p);
    begin = p->at;
    word = read_word(p);
    for (e->kind = 0; e->kind <= EXPECT_VALUE && strcmp(kinds[e->kind], word); e->kind++)
        ;
    if (e->kind > EXPECT_VALUE)
        return wrong(p, begin, "what is expected is exit, line, no-line or value");
    if (!find_run(p->s, e->run) && e->kind != EXPECT_LINE && e->kind != EXPECT_NO_LINE)
        return wrong(p, begin, "a log has only lines");
    if (e->kind == EXPECT_VALUE)
        return read_value_expectation(p, e);
    skip_blanks(p);
    begin = p->at;
    e->value = read_rest(p);
    if (e->kind == EXPECT_EXIT)
        return g_ascii_string_to_unsigned(e->value, 10, 0, 255, &status, NULL) || wrong(p, begin, "an exit status is 0 to 255");
    return *e->value ? check_regex(p, begin, e->value) : wrong(p, begin, "a pattern is missing");
}

static const struct {
    const char *word;
    bool (*read)(struct parser *p);
} directives[] = {
    { "scenario", read_scenario }, { "story", read_story }, { "where", read_where }, { "profile", read_profile },
    { "needs", read_needs }, { "guest", read_guest }, { "timeout", read_timeout }, { "env", read_env },
    { "setup", read_setup }, { "fault", read_fault }, { "fault-env", read_fault_env }, { "fault-kill", read_fault_kill }, { "run", read_run },
    { "expect", read_expect },
};

static bool read_directive(struct parser *p)
{
    g_autofree char *word = NULL;

    p->at = p->joined->str;
    word = read_word(p);
    if (!p->s->name && strcmp(word, "scenario"))
        return wrong(p, p->joined->str, "a file begins with 'scenario NAME'");
    for (gsize i = 0; i < G_N_ELEMENTS(directives); i++)
        if (!strcmp(directives[i].word, word))
            return directives[i].read(p);
    return wrong(p, p->joined->str, "there is no directive '%s'", word);
}

static bool complete(struct parser *p)
{
    struct scenario *s = p->s;

    g_string_truncate(p->joined, 0);
    if (!s->name)
        return wrong(p, p->joined->str, "a file begins with 'scenario NAME'");
    if (!s->story)
        return wrong(p, p->joined->str, "what happened to whom? ('story')");
    if (!s->expectations->len)
        return wrong(p, p->joined->str, "nothing is expected");
    if (s->in_local && s->has_fault)
        return wrong(p, p->joined->str, "a fault changes its machine: it cannot be 'where local'");
    if (!s->profiles->len)
        g_ptr_array_add(s->profiles, g_strdup("h100-pcie"));
    return true;
}

static bool read_all(struct parser *p, const char *text, gsize length)
{
    const char *end = text + length;

    for (int line = 1; text < end; line++) {
        const char *newline = memchr(text, '\n', (gsize)(end - text)), *stop = newline ? newline : end;

        p->line = line;
        g_string_assign(p->joined, "");
        g_string_append_len(p->joined, text, stop - text);
        text = newline ? newline + 1 : end;
        if (*p->joined->str == ' ' || *p->joined->str == '\t') {
            const char *c = p->joined->str;

            if (strspn(c, " \t") != strlen(c))
                return wrong(p, c, "a directive begins at the line's begin");
        }
        if (*p->joined->str == '#' || !p->joined->str[strspn(p->joined->str, " \t")])
            continue;
        /* Lines that begin with a blank continue the directive. */
        while (text < end && (*text == ' ' || *text == '\t')) {
            newline = memchr(text, '\n', (gsize)(end - text));
            stop = newline ? newline : end;
            g_string_append_c(p->joined, '\n');
            g_string_append_len(p->joined, text, stop - text);
            text = newline ? newline + 1 : end;
            line++;
        }
        if (!read_directive(p))
            return false;
    }
    return complete(p);
}

static void step_free(gpointer data)
{
    struct step *step = data;

    g_free(step->name);
    g_free(step->shell);
    g_free(step);
}

static void setting_free(gpointer data)
{
    struct setting *setting = data;

    g_free(setting->name);
    g_free(setting->value);
    g_free(setting);
}

static void expectation_free(gpointer data)
{
    struct expectation *e = data;

    g_free(e->text);
    g_free(e->run);
    g_free(e->path);
    g_free(e->value);
    g_free(e);
}

void scenario_free(struct scenario *s)
{
    if (!s)
        return;
    g_free(s->file);
    g_free(s->name);
    g_free(s->story);
    g_free(s->guest);
    g_ptr_array_unref(s->profiles);
    g_ptr_array_unref(s->needs);
    g_ptr_array_unref(s->steps);
    g_ptr_array_unref(s->settings);
    g_ptr_array_unref(s->expectations);
    g_free(s);
}

struct scenario *scenario_parse(const char *file, const char *text, gsize length, GError **error)
{
    g_autoptr(Scenario) s = g_new0(struct scenario, 1);
    g_autoptr(GString) joined = g_string_new(NULL);
    struct parser p = { .s = s, .file = file, .line = 1, .joined = joined, .error = error };
    const char *zero;

    s->file = g_strdup(file);
    s->in_vm = true;
    s->timeout = SCENARIO_DEFAULT_TIMEOUT;
    s->profiles = g_ptr_array_new_with_free_func(g_free);
    s->needs = g_ptr_array_new_with_free_func(g_free);
    s->steps = g_ptr_array_new_with_free_func(step_free);
    s->settings = g_ptr_array_new_with_free_func(setting_free);
    s->expectations = g_ptr_array_new_with_free_func(expectation_free);
    if (length > SCENARIO_MAX_SIZE) {
        g_set_error(error, SCENARIO_ERROR, 0, "%s:1:1: a scenario file has at most %d bytes", file, SCENARIO_MAX_SIZE);
        return NULL;
    }
    zero = memchr(text, 0, length);
    if (zero || !g_utf8_validate_len(text, length, NULL)) {
        g_set_error(error, SCENARIO_ERROR, 0, "%s:1:1: not a text in UTF-8", file);
        return NULL;
    }
    return read_all(&p, text, length) ? g_steal_pointer(&s) : NULL;
}

bool scenario_needs(const struct scenario *s, const char *what)
{
    return g_ptr_array_find_with_equal_func(s->needs, what, g_str_equal, NULL);
}
