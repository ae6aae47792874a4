/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile text: whatever it is, the front end answers with a module or an error, in bounded memory, and touches nothing else
 * (the sanitizer builds see that). Argument: the folder with the .ptx texts of test_ptx. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "ptx/ir.h"
#include "tap.h"

#define HEAD ".version 8.4\n.target sm_90\n.address_size 64\n"

static unsigned long parsed, refused;

/* Parse all of it. True when nothing was refused; an error always has a code and a message. */
static int swallow(const char *text, size_t n)
{
    struct ptx_error err;
    struct ptx_module *m = ptx_module_open(text, n, &err);
    int good = m != NULL, described = 1;

    if (!m)
        described = err.code && *err.message;
    for (uint32_t i = 0; m && i < m->nfunctions; i++) {
        if (!m->functions[i].has_body || ptx_function_close(m, &m->functions[i], &err))
            continue;
        good = 0;
        described &= err.code && *err.message;
    }
    ptx_module_close(m);
    ++*(good ? &parsed : &refused);
    if (!described)
        ok(0, "an error has a code and a message");
    return good;
}

static char *slurp(const char *folder, const char *name, size_t *n)
{
    char path[4096], *text;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "r");
    if (!f)
        return NULL;
    text = malloc(1 << 20);
    *n = fread(text, 1, 1 << 20, f);
    fclose(f);
    return text;
}

static void test_truncated(const char *text, size_t n, const char *name)
{
    char *copy;

    for (size_t k = 0; k <= n; k++) {
        copy = malloc(k ? k : 1); /* of the exact size, so that reading past it shows */
        memcpy(copy, text, k);
        swallow(copy, k);
        free(copy);
    }
    ok(1, "%s, cut at every byte", name);
}

static uint64_t state = 0x9e3779b97f4a7c15;
static uint64_t roll(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Flip bits, and copy, double and drop pieces. */
static void mutate(char *text, size_t *n, size_t room)
{
    size_t a, b, len;

    for (unsigned times = 1 + roll() % 4; times; times--) {
        a = roll() % *n;
        b = roll() % *n;
        len = 1 + roll() % 40;
        if (len > *n - a)
            len = *n - a;
        switch (roll() % 4) {
        case 0:
            text[a] ^= 1 << roll() % 8;
            break;
        case 1:
            text[a] = " {}()[]<>,;:.|!@%_-+0123456789abcdefrs\"/*"[roll() % 42];
            break;
        case 2:
            if (*n + len > room)
                break;
            memmove(text + b + len, text + b, *n - b);
            memmove(text + b, text + (a < b || a + len <= b ? a : b), len);
            *n += len;
            break;
        case 3:
            if (len >= *n)
                break;
            memmove(text + a, text + a + len, *n - a - len);
            *n -= len;
            break;
        }
    }
}

static void test_mutated(const char *text, size_t n, const char *name)
{
    size_t room = 2 * n + 256, k;
    char *copy = malloc(room), *exact;

    for (int i = 0; i < 3000; i++) {
        memcpy(copy, text, n);
        k = n;
        mutate(copy, &k, room);
        exact = malloc(k);
        memcpy(exact, copy, k);
        swallow(exact, k);
        free(exact);
    }
    free(copy);
    ok(1, "%s, changed at random", name);
}

/* head, then 'piece' n times, then tail */
static int repeated(const char *head, const char *piece, unsigned n, const char *tail)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    int good;

    fputs(head, f);
    while (n--)
        fputs(piece, f);
    fputs(tail, f);
    fclose(f);
    good = swallow(text, size);
    free(text);
    return good;
}

static void test_extremes(void)
{
    static const char entry[] = HEAD ".entry k() { .reg .b32 %r<4000000000>; .reg .pred p; ";

    ok(repeated(entry, "{", 200, "mov.b32 %r3999999999, 1;") == 0, "blocks without an end");
    ok(!repeated(entry, "{", 100000, ""), "100,000 blocks without an end");
    ok(repeated(HEAD ".entry k() ", "{", 200, "") == 0, "a body without an end");
    {
        char *closed = malloc(500);

        memset(closed, '}', 499);
        closed[499] = 0;
        closed[201] = 0;
        ok(repeated(entry, "{", 200, closed), "200 blocks");
        free(closed);
    }
    ok(!repeated(entry, "mov.b32 %r1, (((((((((((", 10000, ""), "parentheses");
    ok(!repeated(entry, "mov.b32 %r1, -~!+-~", 10000, "1;"), "unary operators");
    ok(!repeated(entry, "mov.b32 %r1, 1?1:", 10000, "1;"), "conditional operators");
    ok(!repeated(HEAD ".global .u32 x = ", "1?", 100000, ";"), "half of them");
    ok(repeated(entry, "mov.b32 %r1, 1+1*1-1|1&1;", 1000, "}"), "binary operators");
    ok(!repeated(HEAD ".global .b8 x[2] = ", "{", 100000, ""), "initial values");
    ok(!repeated(HEAD ".global .b8 x", "[2]", 17, ";"), "dimensions");
    ok(!repeated(HEAD ".global .b8 x", "[0x100000000]", 3, ";"), "dimensions whose product overflows");
    ok(!swallow(HEAD ".global .b64 x[0x2000000000000000];", sizeof HEAD + 35), "a huge variable");
    ok(!repeated(HEAD, ".global .b8 x[0x10000000000];", 1, ".global .b8 y;"), "a data image beyond all memory");
    ok(!swallow(HEAD ".entry k(.param .b8 x[0x40000000]) {}", sizeof HEAD + 36), "a huge parameter");
    ok(!swallow(HEAD ".entry k() {.shared .b8 x[0x60000000]; .reg .b32 r; mov.b32 r, x; }", sizeof HEAD + 67), "huge shared");
    ok(!swallow(HEAD ".entry k() {.local .b8 x[0x80000000];}", sizeof HEAD + 37), "huge local");
    ok(repeated(entry, "mov.b32 %r1, %r2;", 50000, "}"), "a long body");
    ok(repeated(entry, "@p bra X; X0: ", 1, "X: }"), "a label at the end");
    ok(!repeated(entry, "bra Y;", 1000, "}"), "labels that do not exist");
    ok(!repeated(entry, "mov.b32", 1, "."), "a mnemonic that ends in a dot");
    ok(!repeated(entry, "mov", 1, "") && !repeated(entry, "add.", 2000, "f32 %r1;"), "suffixes");
    ok(!repeated(entry, "add", 1, " .rn .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz "
                 ".ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .ftz .f32 %r1;"), "too many suffixes");
    ok(!repeated(entry, "call f, (", 1, "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1);"), "a call of nothing");
    ok(!repeated(HEAD ".func f(.reg .b32 a", ", .reg .b32 b", 300, ") {}"), "300 parameters");
    ok(!repeated(entry, "mov.b64 {", 1, "%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,"
                 "%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1},%r1;"), "a long vector");
    ok(!repeated(HEAD ".global .u64 x = ", "9", 400, ";"), "a long number");
    ok(!repeated(HEAD ".version 8.", "9", 400, ""), "a long version");
    ok(!repeated(HEAD, "/*", 1, "") && repeated(HEAD, "//", 1, ""), "comments without an end");
    ok(!repeated(HEAD ".func f() { call f; ", "call f;", 1, "") && repeated(HEAD ".func f() { call f; ", "call f;", 1, "}"),
       "recursion");
    ok(!repeated(HEAD ".entry k() { .reg .b32 ", "a,", 2, "b; }"), "a register twice");
    ok(repeated(HEAD ".file 65536 \"x\"\n", "", 0, "") && !repeated(HEAD ".file 65537 \"x\"\n", "", 0, ""), "file numbers");
}

static int is_ptx(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return n > 4 && !strcmp(e->d_name + n - 4, ".ptx");
}

int main(int argc, char **argv)
{
    struct rlimit memory = {8ul << 30, 8ul << 30};
    struct dirent **files;
    size_t size;
    char *text;
    int n;

    if (argc != 2)
        return 2;
#ifndef __SANITIZE_ADDRESS__
    setrlimit(RLIMIT_AS, &memory);
#else
    (void)memory;
#endif
    n = scandir(argv[1], &files, is_ptx, alphasort);
    ok(n > 0, "there are texts");
    for (int i = 0; i < n; i++) {
        text = slurp(argv[1], files[i]->d_name, &size);
        if (text && size) {
            test_truncated(text, size, files[i]->d_name);
            test_mutated(text, size, files[i]->d_name);
        }
        free(text);
        free(files[i]);
    }
    if (n >= 0)
        free(files);
    test_extremes();
    diag("%lu texts taken, %lu refused", parsed, refused);
    return tap_done();
}
