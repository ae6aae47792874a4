/* SPDX-License-Identifier: Apache-2.0 */
/* The PTX front end against texts: single statements and module-level declarations that are valid or refused (lists agreed
 * with the vendor's assembler), and whole files with the IR they become. Argument: the folder with the texts.
 *
 *   statements.txt, modules.txt                   one valid text a line
 *   statements_refused.txt, modules_refused.txt   a text, then indented the message
 *   *.ptx                                         "//= " lines: what is printed, or the error */
#include <dirent.h>
#include <stdlib.h>

#include "ptx/ir.h"
#include "tap.h"

#define MODULE ".version 9.0\n.target sm_90a\n.address_size 64\n"
static const char statement_head[] = MODULE
    ".global .u32 gl[16];\n"
    ".const .u32 cs[16];\n"
    ".func f1(.param .b32 x) { ret; }\n"
    ".func (.param .b32 r) f2(.param .b32 x) { ret; }\n"
    ".visible .entry k(.param .u64 p) {\n"
    ".shared .u32 sh[16]; .local .u32 lo[4];\n"
    ".reg .b32 %r<4>; .reg .u32 %u<4>; .reg .b16 %h<4>; .reg .u16 %us<4>; .reg .b64 %rd<4>; .reg .f32 %f<4>;\n"
    ".reg .f64 %fd<4>; .reg .pred %p<4>; .reg .b128 %q<3>; .reg .b8 %b<3>;\n";
static const char statement_tail[] = "\nret;\n}\n";
static const char module_head[] = MODULE, module_tail[] = "\n";

/* Parse everything in a text; print what it becomes to 'out' when there is one. False with the error. */
static int parse(const char *text, size_t n, FILE *out, struct ptx_error *err)
{
    struct ptx_module *m = ptx_module_open(text, n, err);
    int good = 1;

    if (!m)
        return 0;
    for (uint32_t i = 0; i < m->nfunctions && good; i++) {
        if (!m->functions[i].has_body)
            continue;
        good = ptx_function_close(m, &m->functions[i], err);
        if (good && out)
            ptx_function_print(m, &m->functions[i], out);
    }
    ptx_module_close(m);
    return good;
}

static const char *without_line(const char *message)
{
    const char *colon = strstr(message, ": ");

    return !strncmp(message, "line ", 5) && colon ? colon + 2 : message;
}

static FILE *open_in(const char *folder, const char *name)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "r");
    ok(f != NULL, "open %s", name);
    return f;
}

static void chomp(char *s)
{
    s[strcspn(s, "\n")] = 0;
}

static void test_list(const char *folder, const char *name, const char *head, const char *tail, int refused)
{
    FILE *f = open_in(folder, name);
    char line[1024], want[1024], text[4096];
    struct ptx_error err;

    while (f && fgets(line, sizeof line, f)) {
        chomp(line);
        if (*line == '#' || !*line)
            continue;
        snprintf(text, sizeof text, "%s%s%s", head, line, tail);
        if (!refused) {
            if (!ok(parse(text, strlen(text), NULL, &err), "%s", line))
                diag("%s", err.message);
            continue;
        }
        if (!fgets(want, sizeof want, f))
            break;
        chomp(want);
        if (parse(text, strlen(text), NULL, &err))
            ok(0, "refuse %s", line);
        else
            is_str(without_line(err.message), want + 4, "refuse %s", line);
    }
    if (f)
        fclose(f);
}

static void test_file(const char *folder, const char *name)
{
    FILE *f = open_in(folder, name), *out, *expected;
    char line[1024], *got = NULL, *want = NULL, *text = NULL;
    size_t ngot, nwant, ntext;
    struct ptx_error err;

    if (!f)
        return;
    out = open_memstream(&got, &ngot);
    expected = open_memstream(&want, &nwant);
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "//= ", 4))
            fputs(line + 4, expected);
    fclose(expected);
    rewind(f);
    {
        FILE *copy = open_memstream(&text, &ntext);

        while (fgets(line, sizeof line, f))
            fputs(line, copy);
        fclose(copy);
    }
    fclose(f);
    if (!parse(text, ntext, out, &err))
        fprintf(out, "error %d: %s\n", err.code, err.message);
    fclose(out);
    if (!ok(!strcmp(got, want), "%s", name)) {
        for (char *p = strtok(got, "\n"); p; p = strtok(NULL, "\n"))
            diag("//= %s", p);
    }
    free(got);
    free(want);
    free(text);
}

static int is_ptx(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return n > 4 && !strcmp(e->d_name + n - 4, ".ptx");
}

int main(int argc, char **argv)
{
    struct dirent **files;
    int n;

    if (argc != 2)
        return 2;
    test_list(argv[1], "statements.txt", statement_head, statement_tail, 0);
    test_list(argv[1], "statements_refused.txt", statement_head, statement_tail, 1);
    test_list(argv[1], "modules.txt", module_head, module_tail, 0);
    test_list(argv[1], "modules_refused.txt", module_head, module_tail, 1);
    n = scandir(argv[1], &files, is_ptx, alphasort);
    ok(n > 0, "there are files");
    for (int i = 0; i < n; i++) {
        test_file(argv[1], files[i]->d_name);
        free(files[i]);
    }
    if (n >= 0)
        free(files);
    return tap_done();
}
