/* SPDX-License-Identifier: Apache-2.0 */
/* The scenario language: what the parser takes, refuses and how it says so; JSON; paths into it; judging. No VM.
 * argv[1]: the folder of the scenarios, which are also what the hostile input is made from. */
#include <glib.h>
#include <stdlib.h>

#include "play.h"
#include "select.h"
#include "tap.h"

#define HEAD "scenario x\nstory s\n"

static char *parse_error(const char *text)
{
    GError *error = NULL;
    struct scenario *s = scenario_parse("dir/x.vg", text, strlen(text), &error);
    char *message = error ? g_strdup(error->message) : NULL;

    if (!s == !error)
        diag("the parser must give a scenario or an error");
    scenario_free(s);
    g_clear_error(&error);
    return message;
}

static void test_errors(void)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "", "dir/x.vg:1:1: a file begins with 'scenario NAME'\n  \n  ^" },
        { "story s\n", "dir/x.vg:1:1: a file begins with 'scenario NAME'\n  story s\n  ^" },
        { "scenario y\n", "dir/x.vg:1:10: the file is named 'x'\n  scenario y\n           ^" },
        { "scenario x\n", "dir/x.vg:1:1: what happened to whom? ('story')\n  \n  ^" },
        { "scenario x\nscenario x\n", "dir/x.vg:2:1: one file is one scenario\n  scenario x\n  ^" },
        { "# c\n  scenario x\n", "dir/x.vg:2:1: a directive begins at the line's begin\n    scenario x\n  ^" },
        { HEAD, "dir/x.vg:2:1: nothing is expected\n  \n  ^" },
        { HEAD "burn it\n", "dir/x.vg:3:1: there is no directive 'burn'\n  burn it\n  ^" },
        { HEAD "where vm moon\n", "dir/x.vg:3:10: a scenario is played in 'vm', 'local', or both\n  where vm moon\n           ^" },
        { HEAD "timeout 0\n", "dir/x.vg:3:9: a timeout is 1 to 3600 seconds\n  timeout 0\n          ^" },
        { HEAD "needs payload luck\n", "dir/x.vg:3:7: what can be needed is 'payload' and 'models'\n  needs payload luck\n        ^" },
        { HEAD "env A B\n", "dir/x.vg:3:6: a setting is NAME=VALUE\n  env A B\n       ^" },
        { HEAD "fault\n", "dir/x.vg:3:6: a command is missing\n  fault\n       ^" },
        { HEAD "fault-kill qemu\n", "dir/x.vg:3:12: what can be killed on the host is 'hostd'\n  fault-kill qemu\n             ^" },
        { HEAD "run hostd ls\n", "dir/x.vg:3:5: 'hostd' is taken\n  run hostd ls\n      ^" },
        { HEAD "run a ls\nrun a ls\n", "dir/x.vg:4:5: 'a' is taken\n  run a ls\n      ^" },
        { HEAD "expect a exit 0\n", "dir/x.vg:3:8: no run above is named 'a'\n  expect a exit 0\n         ^" },
        { HEAD "run a ls\nexpect a exit 256\n", "dir/x.vg:4:15: an exit status is 0 to 255\n  expect a exit 256\n                ^" },
        { HEAD "run a ls\nexpect a smell 1\n",
          "dir/x.vg:4:10: what is expected is exit, line, no-line or value\n  expect a smell 1\n           ^" },
        { HEAD "expect console exit 0\n", "dir/x.vg:3:16: a log has only lines\n  expect console exit 0\n                 ^" },
        { HEAD "run a ls\nexpect a value x[ = 1\n",
          "dir/x.vg:4:17: a path is names, '.', and [N], [*], [?] or [#]\n  expect a value x[ = 1\n                  ^" },
        { HEAD "run a ls\nexpect a value x is 1\n",
          "dir/x.vg:4:18: values are compared by =, !=, ~, !~, >=, <= or are absent\n  expect a value x is 1\n                   ^" },
        { HEAD "run a ls\nexpect a value x = @b:y\n",
          "dir/x.vg:4:20: @RUN:PATH needs a run that stands above\n  expect a value x = @b:y\n                     ^" },
        { HEAD "run a ls\nexpect a value x absent 1\n",
          "dir/x.vg:4:25: nothing more belongs here\n  expect a value x absent 1\n                          ^" },
        { HEAD "run a ls\nexpect a\n\tvalue x ~ (\n",
          "dir/x.vg:5:12: Error while compiling regular expression ( at char 1: missing )\n  \tvalue x ~ (\n  \t          ^" },
        { HEAD "where local\nrun a ls\nfault ls\nexpect a exit 0\n",
          "dir/x.vg:6:1: a fault changes its machine: it cannot be 'where local'\n  \n  ^" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        g_autofree char *got = parse_error(cases[i].text), *first = g_strndup(cases[i].error, strcspn(cases[i].error, "\n"));
        g_autofree char *want = g_strdup(cases[i].error);

        /* GLib's wording of a pattern's fault is its own. */
        if (strstr(want, "regular expression")) {
            ok(got && g_str_has_prefix(got, "dir/x.vg:5:12: ") && g_str_has_suffix(got, "\n  \tvalue x ~ (\n  \t          ^"),
               "a bad pattern is shown in its continuation line");
            continue;
        }
        is_str(got, want, "%s", first);
    }
}

static void test_parse(void)
{
    static const char text[] = "# comment\nscenario x\nstory one\n   two\nprofile a b\nneeds payload\nguest g\n\nenv A=b c\nfault-env C=d\n"
                               "setup s1\nfault f1\n  f2\nrun r cmd 'a  b'\nexpect r exit 3\nexpect r value a.b[*].c >= 4\nexpect hostd line ^x$\n";
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) s = scenario_parse("x.vg", text, strlen(text), &error);
    const struct step *fault, *run;
    const struct expectation *e;

    if (!ok(s, "a whole file is read"))
        return;
    fault = s->steps->pdata[1];
    run = s->steps->pdata[2];
    e = s->expectations->pdata[1];
    is_str(s->story, "one two", "continuation lines join");
    ok(s->profiles->len == 2 && !strcmp(s->profiles->pdata[1], "b"), "profiles");
    ok(s->has_fault && s->in_vm && !s->in_local && scenario_needs(s, "payload") && !scenario_needs(s, "models"), "what it is");
    is_str(fault->shell, "f1\n  f2", "a command's lines stay lines");
    is_str(run->shell, "cmd 'a  b'", "a command is not taken apart");
    ok(e->kind == EXPECT_VALUE && e->op == OP_AT_LEAST && !strcmp(e->path, "a.b[*].c") && !strcmp(e->value, "4"), "an expectation");
    is_u64(s->timeout, SCENARIO_DEFAULT_TIMEOUT, "the default time limit");
}

static void test_json(void)
{
    static const char *const bad[] = { "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "-", "1e", "\"", "\"\\x\"", "\"\\u12\"",
                                       "\"\\ud800\"", "\"\\udc00\"", "\"\\u0000\"", "\"\n\"", "tru", "1 2", "nul", "[1 2]" };
    static const char good[] = " {\"a\": [1, -2.5e+3, \"x\\u00e9\\ud83d\\ude00\\n\"], \"b\": null, \"c\": {}, \"d\": true} ";
    g_autoptr(Json) value = json_parse(good, strlen(good), NULL), keys = json_from_keys("a=1\n\nb=x=y\n");
    g_autoptr(GString) deep = g_string_new(NULL);
    g_autofree char *quoted = json_quote("a\"\\\n");

    ok(value && value->names->len == 4, "an object");
    is_str(json_text(value, "d"), "true", "its member");
    is_str(((struct json *)json_member(value, "a")->values->pdata[1])->text, "-2.5e+3", "a number as it was written");
    is_str(((struct json *)json_member(value, "a")->values->pdata[2])->text, "x\xc3\xa9\xf0\x9f\x98\x80\n", "escapes");
    ok(!json_member(NULL, "a") && !json_text(value, "z"), "what is not there");
    is_str(json_text(keys, "b"), "x=y", "KEY=VALUE lines");
    ok(!json_from_keys("a=1\nb\n"), "a line that is none");
    is_str(quoted, "\"a\\\"\\\\\\u000a\"", "quoting");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        GError *error = NULL;
        struct json *none = json_parse(bad[i], strlen(bad[i]), &error);
        g_autofree char *shown = g_strescape(bad[i], NULL);

        ok(!none && error, "refused: %s", shown);
        g_clear_error(&error);
    }
    for (int i = 0; i < 100000; i++)
        g_string_append_c(deep, '[');
    ok(!json_parse(deep->str, deep->len, NULL), "nested too deeply");
}

static void test_select(void)
{
    static const char text[] = "{\"d\":[{\"n\":\"a\",\"v\":1},{\"n\":\"b\"}],\"e\":[],\"s\":\"x\",\"z\":null,\"r\":[[1,2],[3]]}";
    static const struct {
        const char *path, *found;
        bool some;
    } cases[] = {
        { "s", "x", false }, { "z", "-", false }, { "q", "-", false }, { "q.r[0]", "-", false }, { "d", "-", false },
        { "d[0].n", "a", false }, { "d[2].n", "-", false }, { "d[*].n", "a b", false }, { "d[?].v", "1 -", true }, { "d[#]", "2", false },
        { "e[#]", "0", false }, { "e[*]", "", false }, { "r[*][*]", "1 2 3", false }, { "r[1][0]", "3", false }, { "s[0]", "-", false },
    };
    static const struct {
        const char *path;
        int at;
    } bad[] = { { "", 0 }, { ".", 0 }, { "a.", 2 }, { "a..b", 2 }, { "a[", 1 }, { "a[x]", 1 }, { "a[#].b", 4 }, { "a[]", 1 }, { "a b", 1 },
                { "a[99999999999]", 1 } };
    g_autoptr(Json) root = json_parse(text, strlen(text), NULL);

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool some;
        g_autoptr(GPtrArray) found = select_values(root, cases[i].path, &some);
        g_autoptr(GString) all = g_string_new(NULL);

        for (guint k = 0; k < found->len; k++)
            g_string_append_printf(all, "%s%s", k ? " " : "", found->pdata[k] ? (char *)found->pdata[k] : "-");
        ok(!select_check(cases[i].path) && some == cases[i].some, "%s is a path", cases[i].path);
        is_str(all->str, cases[i].found, "and leads to '%s'", cases[i].found);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *at = select_check(bad[i].path);

        ok(at && at - bad[i].path == bad[i].at, "'%s' is none from byte %d", bad[i].path, bad[i].at);
    }
}

/* One run named r that ended with 3 and printed 'out'; what an expectation says of it. */
static bool holds(const char *out, const char *expectation)
{
    g_autofree char *text = g_strdup_printf(HEAD "run r ls\n%s\n", expectation);
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) s = scenario_parse("x.vg", text, strlen(text), &error);
    struct run run = { .output = { .status = 3, .out = (char *)out, .err = (char *)"oh\nno" } };
    char *variables[] = { (char *)"LIB=/l", NULL };
    struct played p = { .scenario = s, .hostd = (char *)"launch 1 f\n", .console = (char *)"", .variables = variables };
    bool all = true;

    if (!s) {
        diag("%s", error->message);
        return false;
    }
    run.step = s->steps->pdata[0];
    run.report = json_parse(out, strlen(out), NULL);
    p.runs = g_ptr_array_new();
    p.verdicts = g_ptr_array_new();
    g_ptr_array_add(p.runs, &run);
    judge(&p);
    for (guint i = 0; i < p.verdicts->len; i++) {
        struct verdict *v = p.verdicts->pdata[i];

        all &= v->held;
        if (v->held == !!v->why)
            diag("a verdict that does not hold says why, and only that");
        g_free(v->why);
        g_free(v);
    }
    g_ptr_array_unref(p.runs);
    g_ptr_array_unref(p.verdicts);
    json_free(run.report);
    return all;
}

static void test_judge(void)
{
    static const char out[] = "{\"a\":[1,2,10],\"s\":\"/l/x\",\"t\":\"/l/x\",\"n\":null,\"e\":[]}";
    static const struct {
        const char *expectation;
        bool holds;
    } cases[] = {
        { "exit 3", true }, { "exit 0", false }, { "line ^no$", true }, { "line ^yes$", false }, { "no-line yes", true }, { "no-line oh", false },
        { "value a[*] >= 1", true }, { "value a[*] >= 2", false }, { "value a[?] >= 10", true }, { "value a[?] = 3", false },
        { "value a[*] != 3", true }, { "value a[*] <= 10", true }, { "value a[0] >= x", false }, { "value s = ${LIB}/x", true },
        { "value s = ${NONE}/x", false }, { "value s ~ ^/l", true }, { "value s !~ ^/l", false }, { "value s = @r:t", true },
        { "value s = @r:q", false }, { "value s != @r:q", false }, { "value n absent", true }, { "value q absent", true },
        { "value s absent", false }, { "value q = 1", false }, { "value q != 1", false }, { "value e[*] = 1", false }, { "value e[?] = 1", false },
        { "value e[#] = 0", true },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        g_autofree char *text = g_strdup_printf("expect r %s", cases[i].expectation);

        ok(holds(out, text) == cases[i].holds, "%s: %s", cases[i].expectation, cases[i].holds ? "holds" : "does not hold");
    }
    ok(holds(out, "expect hostd line launch 1"), "the host's log");
    ok(!holds("no JSON", "expect r value s = 1"), "a run that reported nothing");
}

/* Every byte changed, cut or doubled at random: a scenario or an error, never a crash, nothing read past the end. */
static void hostile(GRand *rand, const char *text, gsize length, int rounds, bool (*parse)(const char *, gsize))
{
    int read = 0;

    for (int i = 0; i < rounds; i++) {
        gsize n = (gsize)g_rand_int_range(rand, 0, (gint32)length + 1);
        char *copy = g_memdup2(text, MAX(n, 1)); /* exact, so that a sanitizer sees what is read beyond */

        for (int k = g_rand_int_range(rand, 0, 6); k > 0 && n; k--) {
            static const char likely[] = " \t\n\"\\{}[]:,.@$#*?=~<>!0aA\0";
            gsize at = (gsize)g_rand_int_range(rand, 0, (gint32)n);

            copy[at] = g_rand_boolean(rand) ? likely[g_rand_int_range(rand, 0, sizeof(likely))] : (char)g_rand_int(rand);
        }
        read += parse(copy, n);
        g_free(copy);
    }
    diag("%d of %d hostile inputs were acceptable", read, rounds);
}

static bool parse_hostile_scenario(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) s = scenario_parse("healthy.vg", text, length, &error);

    if (!s == !error)
        abort();
    return s;
}

static bool parse_hostile_json(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) value = json_parse(text, length, &error);

    if (!value == !error)
        abort();
    return value;
}

static void test_hostile(const char *dir)
{
    static const char json[] = "{\"a\":[1,-2.5e3,{\"b\":[\"x\\u00e9\\ud83d\\ude00\",null,true,false,[[[]]]]}],\"c\":{\"d\":\"\\n\\\"\"}}";
    g_autofree char *path = g_build_filename(dir, "healthy.vg", NULL), *text = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    gsize length;

    if (!ok(g_file_get_contents(path, &text, &length, NULL), "a scenario to damage"))
        return;
    hostile(rand, text, length, 4000, parse_hostile_scenario);
    hostile(rand, json, strlen(json), 40000, parse_hostile_json);
    ok(true, "hostile input does no harm");
}

static void test_all_files(const char *dir)
{
    g_autoptr(GDir) files = g_dir_open(dir, 0, NULL);
    int n = 0;

    for (const char *name; files && (name = g_dir_read_name(files));) {
        g_autofree char *path = g_build_filename(dir, name, NULL), *text = NULL;
        g_autoptr(GError) error = NULL;
        gsize length;
        struct scenario *s;

        if (!g_str_has_suffix(name, ".vg") || !g_file_get_contents(path, &text, &length, NULL))
            continue;
        s = scenario_parse(path, text, length, &error);
        if (!ok(s, "%s", name))
            diag("%s", error->message);
        scenario_free(s);
        n++;
    }
    ok(n >= 6, "there are scenarios");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    test_parse();
    test_errors();
    test_json();
    test_select();
    test_judge();
    test_all_files(argv[1]);
    test_hostile(argv[1]);
    return tap_done();
}
