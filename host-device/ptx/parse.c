/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, memory and token helpers of the parser. */
#include <stdarg.h>
#include <stdio.h>

#include "ptx/parse.h"

_Noreturn void ptx_fail(struct ptx_parser *ps, int code, uint32_t line, const char *format, ...)
{
    struct ptx_error *err = ps->err;
    va_list ap;
    int n = 0;

    err->code = code;
    err->line = line;
    err->column = line == ps->lx.t.line ? ps->lx.t.column : 0;
    if (line)
        n = snprintf(err->message, sizeof err->message, "line %u: ", line);
    va_start(ap, format);
    vsnprintf(err->message + n, sizeof err->message - n, format, ap);
    va_end(ap);
    longjmp(ps->fail, 1);
}

_Noreturn void ptx_fail_here(struct ptx_parser *ps, const char *what)
{
    const struct ptx_token *t = &ps->lx.t;

    if (t->kind == PTX_TOKEN_END)
        ptx_fail(ps, PTX_ERROR_INVALID, t->line, "%s at the end of the text", what);
    ptx_fail(ps, PTX_ERROR_INVALID, t->line, "%s at '%.*s'", what, t->n > 60 ? 60 : (int)t->n, t->s);
}

static void *check_memory(struct ptx_parser *ps, void *p)
{
    if (!p)
        ptx_fail(ps, PTX_ERROR_MEMORY, ps->lx.t.line, "out of memory while parsing PTX");
    return p;
}

void *ptx_keep(struct ptx_parser *ps, size_t n, size_t size)
{
    return check_memory(ps, ptx_arena_alloc(ps->keep, n, size));
}

void *ptx_temp(struct ptx_parser *ps, size_t n, size_t size)
{
    return check_memory(ps, ptx_arena_alloc(ps->temp, n, size));
}

char *ptx_keep_string(struct ptx_parser *ps, const char *s, size_t n)
{
    char *copy = ptx_keep(ps, n + 1, 1);

    memcpy(copy, s, n);
    return copy;
}

void *ptx_grow(struct ptx_parser *ps, bool keep, const void *array, uint32_t n, uint32_t *room, size_t size)
{
    uint32_t more = *room ? *room * 2 : 16;
    void *copy;

    if (more <= *room)
        check_memory(ps, NULL);
    copy = keep ? ptx_keep(ps, more, size) : ptx_temp(ps, more, size);
    if (n)
        memcpy(copy, array, n * size);
    *room = more;
    return copy;
}

void ptx_next(struct ptx_parser *ps)
{
    ptx_lex_next(&ps->lx);
    if (ps->lx.t.kind == PTX_TOKEN_BAD)
        ptx_fail(ps, PTX_ERROR_INVALID, ps->lx.t.line, "%.*s", (int)ps->lx.t.n, ps->lx.t.s);
}

bool ptx_accept(struct ptx_parser *ps, char c)
{
    if (!ptx_at_punct(ps, c))
        return false;
    ptx_next(ps);
    return true;
}

bool ptx_accept_word(struct ptx_parser *ps, const char *word)
{
    if (!ptx_at_word(ps, word))
        return false;
    ptx_next(ps);
    return true;
}

void ptx_expect(struct ptx_parser *ps, char c)
{
    char what[32];

    if (ptx_accept(ps, c))
        return;
    snprintf(what, sizeof what, "'%c' expected", c);
    ptx_fail_here(ps, what);
}

struct ptx_token ptx_expect_id(struct ptx_parser *ps, const char *what)
{
    struct ptx_token t = ps->lx.t;

    if (t.kind != PTX_TOKEN_ID)
        ptx_fail_here(ps, what);
    ptx_next(ps);
    return t;
}

uint64_t ptx_expect_u64(struct ptx_parser *ps, uint64_t max, const char *what)
{
    int64_t v = ptx_parse_constant_int(ps);

    if (v < 0 || (uint64_t)v > max)
        ptx_fail_here(ps, what);
    return v;
}

int ptx_accept_type(struct ptx_parser *ps)
{
    int type = -1;

    if (ps->lx.t.kind == PTX_TOKEN_DOT)
        type = ptx_word_index(ptx_type_names, PTX_TYPE_COUNT, ps->lx.t.s + 1, ps->lx.t.n - 1);
    if (type <= 0)
        return PTX_TYPE_NONE;
    ptx_next(ps);
    return type;
}

struct ptx_name *ptx_lookup(struct ptx_parser *ps, const char *s, uint32_t n)
{
    struct ptx_name *e = NULL, *range;

    if (ps->f) {
        e = ptx_names_find(&ps->names, s, n);
        if (!e || ps->names.inner_ranges) {
            range = ptx_names_find_range(&ps->names, s, n);
            if (range && (!e || range->depth > e->depth)) {
                e = check_memory(ps, ptx_names_add(&ps->names, s, n, PTX_NAME_REG, range->depth));
                e->type = range->type;
                e->value = ptx_new_reg(ps, s, n, range->type);
            }
        }
    }
    return e ? e : ptx_names_find(&ps->mp->names, s, n);
}
