/* SPDX-License-Identifier: Apache-2.0 */
/* Joining PTX texts: names that are local, weak, common, extern; numbers of files; and texts that are cut anywhere. */
#include <stdlib.h>

#include "ptx/link.h"
#include "tap.h"

#define HEAD ".version 7.0\n.target sm_50\n.address_size 64\n"

static const char one[] =
    "// the first\n.version 7.8\n.target sm_70, debug\n.address_size 64\n"
    ".file 1 \"a.cu\", 12, 34\n"
    ".global .align 4 .b8 text[3] = {104, 105}, more = 1;\n"
    ".weak .global .align 8 .u64 counter = 3;\n"
    ".common .global .u32 pool[4];\n"
    ".extern .func outside(.param .b32 x);\n"
    ".func inner() { .reg .b32 %text; bra $text; $text: ret; }\n"
    ".weak .entry kernel(.param .u64 p) .maxntid 32 {\n"
    ".loc 1 5 3, function_name text, inlined_at 1 2 3\n call inner; ret; }\n"
    ".section .debug_info { .b32 1 }\n"
    ".pragma \"nounroll\";\n";
static const char two[] =
    ".version 7.0\n.target sm_80\n.address_size 64\n"
    ".file 2 \"b.cu\"\n"
    ".global .align 4 .b8 text[3] = {1, 2, 3};\n"
    ".weak .global .align 8 .u64 counter = 4;\n"
    ".common .global .u32 pool[4];\n"
    ".visible .func outside(.param .b32 x) { .reg .b64 %d; mov.u64 %d, text; .loc 2 1 1\n ret; }\n"
    ".func inner() { ret; }\n"
    ".weak .entry kernel(.param .u64 p) .maxntid 32 { call inner; ret; }\n"
    ".entry plain() { call inner; ret; }\n";

static char *join(const char *a, size_t a_size, const char *b, size_t b_size, struct ptx_error *err)
{
    struct ptx_link_input inputs[] = {{a, a_size}, {b, b_size}};
    size_t size;
    char *text = ptx_link(inputs, 2, &size, err);

    if (text && strlen(text) != size)
        abort();
    return text;
}

static void test_join(void)
{
    struct ptx_error err;
    char *text = join(one, sizeof one - 1, two, sizeof two - 1, &err);
    struct ptx_module *m;

    if (!ok(text != NULL, "joined"))
        return;
    ok(!strncmp(text, ".version 7.8\n.target sm_80\n", 26), "the newest version and target");
    ok(strstr(text, "text$link0") && strstr(text, "text$link1") && strstr(text, "inner$link1"), "locals have their text's number");
    ok(strstr(text, "more$link0"), "each of a statement");
    ok(!strstr(text, "%text$link"), "registers keep theirs");
    ok(strstr(text, ".file 4 \"b.cu\"") && strstr(text, ".loc 4 1 1"), "files of the second text come behind the first's");
    ok(strstr(text, "inlined_at 1 2 3"), "and keep their numbers in the first");
    ok(!strstr(text, ".section"), "debug sections go");
    m = ptx_module_open(text, strlen(text), &err);
    if (!ok(m != NULL, "opens"))
        diag("%s", err.message);
    if (m) {
        struct ptx_symbol *counter = ptx_find_symbol(m, "counter");
        ok(counter && counter->init_size && counter->init[0] == 3, "of two weak definitions the first holds");
        for (uint32_t i = 0; i < m->nfunctions; i++)
            if (m->functions[i].has_body && !ok(ptx_function_close(m, &m->functions[i], &err), "%s closes", m->functions[i].name))
                diag("%s", err.message);
    }
    ptx_module_close(m);
    free(text);

    static const char strong[] = HEAD ".visible .global .align 8 .u64 counter = 9;\n.visible .func outside(.param .b32 x) { ret; }\n";
    text = join(one, sizeof one - 1, strong, sizeof strong - 1, &err);
    m = text ? ptx_module_open(text, strlen(text), &err) : NULL;
    ok(m && ptx_find_symbol(m, "counter")->init[0] == 9, "a strong definition wins over an earlier weak one");
    ptx_module_close(m);
    free(text);
    static const char mixed[] = HEAD ".weak .global .align 8 .u64 counter = 9, other = 1;\n";
    text = join(one, sizeof one - 1, mixed, sizeof mixed - 1, &err);
    ok(!text && err.code == 218, "a statement that would be half kept is refused");
    text = join(strong, sizeof strong - 1, strong, sizeof strong - 1, &err);
    m = text ? ptx_module_open(text, strlen(text), &err) : NULL;
    ok(text && !m, "two strong ones do not go together");
    free(text);
}

static void test_refused(void)
{
    static const char *const texts[] = {
        "", "nonsense", ".version 7", ".version 7.0", ".version 7.0 .target", HEAD "{", HEAD ".func", HEAD ".func f() {",
        HEAD ".global .u32 a[", HEAD ".global .u32 a = {1", HEAD ".section .debug", HEAD ".file", HEAD ".file x", HEAD ".pragma",
        HEAD ".func f", HEAD ".func (.param .b32 r", HEAD "\"", ".version 7.0 .target sm_50 .address_size 32",
    };
    struct ptx_error err;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = join(two, sizeof two - 1, texts[i], strlen(texts[i]), &err);
        if (!ok(!text && err.code == 218 && err.message[0], "refused: %zu", i))
            diag("%s", texts[i]);
        free(text);
    }
}

/* Whatever a text is cut to, joining it and opening the result end in order. */
static void test_cut(void)
{
    struct ptx_error err;

    for (size_t n = 0; n < sizeof one; n++) {
        char *cut = strndup(one, n);
        char *text = join(cut, n, two, sizeof two - 1, &err);
        struct ptx_module *m = text ? ptx_module_open(text, strlen(text), &err) : NULL;
        ptx_module_close(m);
        free(text);
        free(cut);
    }
    ok(true, "texts cut anywhere");
}

int main(void)
{
    test_join();
    test_refused();
    test_cut();
    return tap_done();
}
