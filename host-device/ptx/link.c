/* SPDX-License-Identifier: Apache-2.0 */
#include "ptx/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx/lexer.h"
#include "ptx/names.h"

#define MEMORY_LIMIT ((size_t)1 << 30)
#define TEXT_LIMIT ((size_t)512 << 20)
enum { ERROR_MEMORY = 2, ERROR_INVALID = 218 };
enum { LOCAL, STRONG, WEAK, EXTERN }; /* linkage, as far as it matters here */

/* [at, end) of a text becomes 'text'. */
struct edit {
    const char *at, *end, *text;
};

struct linker {
    jmp_buf fail;
    struct ptx_error *err;
    struct ptx_arena *arena;
    struct ptx_names globals; /* value: the input whose definition is kept; type: its linkage */
    struct ptx_names locals;  /* of the input at hand */
    uint32_t major, minor, target;
    char suffix;              /* of the target: 'a', 'f' or 0 */

    unsigned input, inputs;
    struct ptx_lexer lx;
    struct edit *edits;
    size_t nedits, edit_room;
    uint64_t files, files_here; /* numbers of .file that earlier inputs, and this one, use */

    char *out;
    size_t used, room;
};

__attribute__((format(printf, 2, 3))) static _Noreturn void fail(struct linker *l, const char *format, ...)
{
    va_list ap;

    *l->err = (struct ptx_error){.code = ERROR_INVALID, .line = l->lx.t.line};
    int n = snprintf(l->err->message, sizeof l->err->message, "line %u: ", l->lx.t.line);
    va_start(ap, format);
    vsnprintf(l->err->message + n, sizeof l->err->message - (size_t)n, format, ap);
    va_end(ap);
    longjmp(l->fail, 1);
}

static _Noreturn void no_memory(struct linker *l)
{
    *l->err = (struct ptx_error){.code = ERROR_MEMORY, .message = "out of memory while linking PTX"};
    longjmp(l->fail, 1);
}

static void next(struct linker *l)
{
    ptx_lex_next(&l->lx);
    if (l->lx.t.kind == PTX_TOKEN_BAD)
        fail(l, "%s", l->lx.t.s);
}

static bool at_word(const struct linker *l, const char *word)
{
    const struct ptx_token *t = &l->lx.t;

    return t->kind == PTX_TOKEN_DOT && t->n == strlen(word) && !memcmp(t->s, word, t->n);
}

static bool at_punct(const struct linker *l, char c)
{
    return l->lx.t.kind == PTX_TOKEN_PUNCT && l->lx.t.value == (uint64_t)c;
}

static void add_edit(struct linker *l, const char *at, const char *end, const char *text)
{
    if (l->nedits == l->edit_room) {
        l->edit_room = l->edit_room ? 2 * l->edit_room : 64;
        l->edits = realloc(l->edits, l->edit_room * sizeof *l->edits);
        if (!l->edits)
            no_memory(l);
    }
    l->edits[l->nedits++] = (struct edit){at, end, text};
}

static struct ptx_name *declare(struct linker *l, struct ptx_names *names, const struct ptx_token *t)
{
    struct ptx_name *name = ptx_names_find(names, t->s, t->n);

    if (!name && !(name = ptx_names_add(names, t->s, t->n, PTX_NAME_SYMBOL, 0)))
        no_memory(l);
    return name;
}

/* ---- statements of a module. COLLECT: names are noted; else the edits are, by what was noted. ---- */

/* A definition of NAME with this linkage: true when it is the one to keep. */
static bool define(struct linker *l, const struct ptx_token *name, int linkage, bool collect)
{
    if (linkage == EXTERN)
        return true;
    if (linkage == LOCAL) {
        if (l->inputs > 1)
            declare(l, &l->locals, name);
        return true;
    }
    struct ptx_name *e = ptx_names_find(&l->globals, name->s, name->n);
    if (!collect)
        return linkage == STRONG || !e || e->value == (int32_t)l->input;
    if (!e || (e->type == WEAK && linkage == STRONG)) {
        e = declare(l, &l->globals, name);
        e->value = (int32_t)l->input;
        e->type = (uint8_t)linkage;
    }
    return true;
}

static void skip_block(struct linker *l, const char **close)
{
    if (!ptx_lex_skip_block(&l->lx, close))
        fail(l, "a block has no end");
    if (l->lx.t.kind == PTX_TOKEN_BAD)
        fail(l, "%s", l->lx.t.s);
}

static void skip_to(struct linker *l, char c)
{
    while (!at_punct(l, c)) {
        if (l->lx.t.kind == PTX_TOKEN_END)
            fail(l, "'%c' expected at the end of the text", c);
        next(l);
    }
}

static void skip_parens(struct linker *l)
{
    int depth = 0;

    do {
        if (l->lx.t.kind == PTX_TOKEN_END)
            fail(l, "')' expected at the end of the text");
        depth += at_punct(l, '(') - at_punct(l, ')');
        next(l);
    } while (depth);
}

/* .func (results) name (parameters) directives { } or ;. LINKAGE_WORD: its token, or empty. */
static void function(struct linker *l, int linkage, const struct ptx_token *linkage_word, bool collect)
{
    bool entry = at_word(l, ".entry"), keep;
    const char *body, *close;

    next(l);
    if (at_word(l, ".attribute")) {
        next(l);
        skip_parens(l);
    }
    if (at_punct(l, '('))
        skip_parens(l);
    if (l->lx.t.kind != PTX_TOKEN_ID)
        fail(l, "function name expected");
    struct ptx_token name = l->lx.t;
    while (!at_punct(l, '{') && !at_punct(l, ';')) {
        if (l->lx.t.kind == PTX_TOKEN_END)
            fail(l, "';' expected at the end of the text");
        next(l);
    }
    if (entry && linkage == LOCAL)
        linkage = STRONG;
    if (at_punct(l, ';')) { /* a declaration; of a local one the name is noted with the definition */
        next(l);
        return;
    }
    keep = define(l, &name, linkage, collect);
    body = l->lx.t.s;
    skip_block(l, &close);
    if (collect || keep)
        return;
    add_edit(l, linkage_word->s, linkage_word->s + linkage_word->n, ".extern");
    add_edit(l, body, close + 1, ";");
}

/* .global .align 4 .u32 a[2] = {1, 2}, b; */
static void variables(struct linker *l, int linkage, const struct ptx_token *linkage_word, bool collect)
{
    bool keep = true, in_value = false, changed = false;
    unsigned named = 0;
    const char *value = NULL;
    int depth = 0;

    for (;; next(l)) {
        if (l->lx.t.kind == PTX_TOKEN_END)
            fail(l, "';' expected at the end of the text");
        if (at_punct(l, '(') || at_punct(l, '[') || at_punct(l, '{'))
            depth++;
        else if (at_punct(l, ')') || at_punct(l, ']') || at_punct(l, '}'))
            depth--;
        if (depth)
            continue;
        if (l->lx.t.kind == PTX_TOKEN_ID && !in_value) {
            keep = define(l, &l->lx.t, linkage, collect);
            if (named++ && changed == keep)
                fail(l, "'%.*s' is defined elsewhere, but not all of its statement is", (int)l->lx.t.n, l->lx.t.s);
            if (!collect && !keep && !changed)
                add_edit(l, linkage_word->s, linkage_word->s + linkage_word->n, ".extern");
            changed = changed || !keep;
        } else if (at_punct(l, '=')) {
            in_value = true;
            value = l->lx.t.s;
        } else if (at_punct(l, ',') || at_punct(l, ';')) {
            if (!collect && in_value && !keep)
                add_edit(l, value, l->lx.t.s, "");
            in_value = false;
            if (at_punct(l, ';'))
                break;
        }
    }
    next(l);
}

static uint32_t decimal(const char **p, const char *end)
{
    uint32_t v = 0;

    while (*p < end && **p >= '0' && **p <= '9' && v < 100000)
        v = v * 10 + (uint32_t)(*(*p)++ - '0');
    return v;
}

/* .version 7.0 .target sm_50, debug .address_size 64: the joined text has the newest of each. */
static void header(struct linker *l)
{
    const char *start = l->lx.t.s, *p, *end, *last;
    uint32_t major, minor, sm;

    if (!at_word(l, ".version"))
        fail(l, ".version expected");
    next(l);
    p = l->lx.t.s;
    end = p + l->lx.t.n;
    if (l->lx.t.kind != PTX_TOKEN_F64 || !(major = decimal(&p, end)) || p == end || *p++ != '.')
        fail(l, ".version: major.minor expected");
    minor = decimal(&p, end);
    if (major * 100 + minor > l->major * 100 + l->minor) {
        l->major = major;
        l->minor = minor;
    }
    next(l);
    if (!at_word(l, ".target"))
        fail(l, ".target expected");
    do {
        next(l);
        if (l->lx.t.kind != PTX_TOKEN_ID)
            fail(l, "target expected");
        last = l->lx.t.s + l->lx.t.n;
        if (l->lx.t.n > 3 && !memcmp(l->lx.t.s, "sm_", 3)) {
            p = l->lx.t.s + 3;
            sm = decimal(&p, last);
            if (sm > l->target || (sm == l->target && p < last)) {
                l->target = sm;
                l->suffix = p < last ? *p : 0;
            }
        }
        next(l);
    } while (at_punct(l, ','));
    if (at_word(l, ".address_size")) {
        next(l);
        if (l->lx.t.kind != PTX_TOKEN_INT || l->lx.t.value != 64)
            fail(l, ".address_size 64 expected: 32-bit PTX is not supported");
        last = l->lx.t.s + l->lx.t.n;
        next(l);
    }
    add_edit(l, start, last, "");
}

/* .file 1 "name", time, size: it has no end mark. */
static void file(struct linker *l)
{
    next(l);
    if (l->lx.t.kind != PTX_TOKEN_INT || l->lx.t.value > 1u << 16)
        fail(l, ".file: number expected");
    if (l->files_here <= l->lx.t.value)
        l->files_here = l->lx.t.value + 1;
    next(l);
    next(l);
    while (at_punct(l, ',')) {
        next(l);
        next(l);
    }
}

/* .section .debug_... { }: the debugger's, dropped. */
static void section(struct linker *l)
{
    const char *start = l->lx.t.s, *close;

    next(l);
    next(l);
    if (!at_punct(l, '{'))
        fail(l, "'{' expected");
    skip_block(l, &close);
    add_edit(l, start, close + 1, "");
}

static void statement(struct linker *l, bool collect)
{
    static const struct {
        const char *word;
        int linkage;
    } words[] = {{".visible", STRONG}, {".extern", EXTERN}, {".weak", WEAK}, {".common", WEAK}};
    struct ptx_token word = {0};
    int linkage = LOCAL;

    if (at_word(l, ".file")) {
        file(l);
        return;
    }
    if (at_word(l, ".section")) {
        section(l);
        return;
    }
    if (at_word(l, ".pragma") || at_word(l, ".alias")) {
        skip_to(l, ';');
        next(l);
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!at_word(l, words[i].word))
            continue;
        word = l->lx.t;
        linkage = words[i].linkage;
        next(l);
        break;
    }
    if (at_word(l, ".entry") || at_word(l, ".func"))
        function(l, linkage, &word, collect);
    else
        variables(l, linkage, &word, collect);
}

static void scan(struct linker *l, const struct ptx_link_input *input, bool collect)
{
    l->nedits = 0;
    l->files_here = 0;
    if (!ptx_names_init(&l->locals, l->arena))
        no_memory(l);
    ptx_lex_init(&l->lx, input->text, input->text + input->size, 1);
    next(l);
    header(l);
    while (l->lx.t.kind != PTX_TOKEN_END)
        statement(l, collect);
}

/* ---- writing ---- */

static void put(struct linker *l, const char *s, size_t n)
{
    if (n > l->room - l->used) {
        size_t room = l->room ? l->room : 65536;
        while (n > room - l->used)
            room *= 2;
        char *grown = room > TEXT_LIMIT ? NULL : realloc(l->out, room);
        if (!grown)
            no_memory(l);
        l->out = grown;
        l->room = room;
    }
    memcpy(l->out + l->used, s, n);
    l->used += n;
}

__attribute__((format(printf, 2, 3))) static void print(struct linker *l, const char *format, ...)
{
    char text[96];
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    put(l, text, (size_t)n);
}

/* The input with its edits, local names with the input's number, numbers of files behind those of earlier inputs. */
static void write_input(struct linker *l, const struct ptx_link_input *input)
{
    const char *end = input->text + input->size, *copied = input->text;
    size_t edit = 0;
    bool file_number = false;

    ptx_lex_init(&l->lx, input->text, end, 1);
    for (next(l); l->lx.t.kind != PTX_TOKEN_END; next(l)) {
        const struct ptx_token t = l->lx.t;

        if (edit < l->nedits && t.s >= l->edits[edit].at) {
            const struct edit *e = &l->edits[edit++];

            put(l, copied, (size_t)(e->at - copied));
            put(l, e->text, strlen(e->text));
            copied = e->end;
            ptx_lex_init(&l->lx, e->end, end, t.line);
        } else if (t.kind == PTX_TOKEN_ID && ptx_names_find(&l->locals, t.s, t.n)) {
            put(l, copied, (size_t)(t.s + t.n - copied));
            print(l, "$link%u", l->input);
            copied = t.s + t.n;
        } else if (file_number && t.kind == PTX_TOKEN_INT) {
            put(l, copied, (size_t)(t.s - copied));
            print(l, "%llu", (unsigned long long)(t.value + l->files));
            copied = t.s + t.n;
        }
        file_number = at_word(l, ".loc") || at_word(l, ".file") ||
                      (t.kind == PTX_TOKEN_ID && t.n == 10 && !memcmp(t.s, "inlined_at", 10));
    }
    put(l, copied, (size_t)(end - copied));
    put(l, "\n", 1);
    l->files += l->files_here;
}

static bool run(struct linker *l, const struct ptx_link_input *inputs)
{
    if (setjmp(l->fail))
        return false;
    if (!l->arena || !ptx_names_init(&l->globals, l->arena))
        no_memory(l);
    for (l->input = 0; l->input < l->inputs; l->input++)
        scan(l, &inputs[l->input], true);
    print(l, ".version %u.%u\n.target sm_%u%.1s\n.address_size 64\n", l->major, l->minor, l->target, &l->suffix);
    for (l->input = 0; l->input < l->inputs; l->input++) {
        scan(l, &inputs[l->input], false);
        write_input(l, &inputs[l->input]);
    }
    put(l, "", 1);
    return true;
}

char *ptx_link(const struct ptx_link_input *inputs, unsigned n, size_t *size, struct ptx_error *err)
{
    struct linker *l = calloc(1, sizeof *l);
    char *out = NULL;

    *err = (struct ptx_error){.code = ERROR_MEMORY, .message = "out of memory while linking PTX"};
    if (!l)
        return NULL;
    l->err = err;
    l->inputs = n;
    l->arena = ptx_arena_new(MEMORY_LIMIT);
    if (run(l, inputs)) {
        *err = (struct ptx_error){0};
        out = l->out;
        *size = l->used - 1;
    } else {
        free(l->out);
    }
    if (l->arena)
        ptx_arena_free(l->arena);
    free(l->edits);
    free(l);
    return out;
}
