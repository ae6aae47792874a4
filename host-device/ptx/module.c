/* SPDX-License-Identifier: Apache-2.0 */
/* A module: its directives, chapter 11.1; life and death; look-ups. */
#include <stdio.h>
#include <stdlib.h>

#include "ptx/parse.h"
#include "ptx/rules.h"

#define MEMORY_LIMIT ((size_t)4 << 30) /* of what one module's text may become */
#define NEWEST_VERSION 901             /* PTX ISA 9.1 */
#define OLDEST_TARGET 20
#define NEWEST_TARGET 121

static uint32_t number(const char **p, const char *end)
{
    uint32_t v = 0;

    while (*p < end && **p >= '0' && **p <= '9' && v < 100000)
        v = v * 10 + (*(*p)++ - '0');
    return v;
}

static void parse_version(struct ptx_parser *ps)
{
    const struct ptx_token t = ps->lx.t;
    const char *p = t.s, *end = t.s + t.n;
    uint32_t major, minor;

    if (t.kind != PTX_TOKEN_F64)
        ptx_fail_here(ps, ".version: major.minor expected");
    major = number(&p, end);
    if (p == end || *p++ != '.')
        ptx_fail_here(ps, ".version: major.minor expected");
    minor = number(&p, end);
    if (p != end)
        ptx_fail_here(ps, ".version: major.minor expected");
    if (!major || major > 99 || minor > 99 || major * 100 + minor > NEWEST_VERSION)
        ptx_fail(ps, PTX_ERROR_VERSION, t.line, ".version %u.%u is not supported (newest: %d.%d)", major, minor,
                 NEWEST_VERSION / 100, NEWEST_VERSION % 100);
    ps->m->version_major = major;
    ps->m->version_minor = minor;
    ptx_next(ps);
}

static void parse_target(struct ptx_parser *ps)
{
    do {
        struct ptx_token t = ptx_expect_id(ps, "target expected");
        const char *p = t.s + 3, *end = t.s + t.n;
        uint32_t sm;

        if (t.n < 4 || memcmp(t.s, "sm_", 3))
            continue; /* debug, texmode_... : nothing depends on them */
        sm = number(&p, end);
        if (p + 1 == end && (*p == 'a' || *p == 'f')) {
            ps->m->target_arch_specific = *p == 'a';
            p++;
        }
        if (p != end || sm < OLDEST_TARGET || sm > NEWEST_TARGET)
            ptx_fail(ps, PTX_ERROR_INVALID, t.line, ".target %.*s is not known", (int)t.n, t.s);
        ps->m->target = sm;
    } while (ptx_accept(ps, ','));
    if (!ps->m->target)
        ptx_fail_here(ps, ".target without an sm_NN");
}

static void parse_file(struct ptx_parser *ps)
{
    struct ptx_module *m = ps->m;
    uint32_t number = ptx_expect_u64(ps, 1u << 16, ".file: number out of range");
    const char **files;

    if (ps->lx.t.kind != PTX_TOKEN_STR)
        ptx_fail_here(ps, ".file: name expected");
    if (number >= m->nfiles) {
        if (number >= ps->mp->file_room) {
            ps->mp->file_room = number + 1 > 2 * ps->mp->file_room ? number + 1 : 2 * ps->mp->file_room;
            files = ptx_keep(ps, ps->mp->file_room, sizeof *files);
            if (m->nfiles)
                memcpy(files, m->files, m->nfiles * sizeof *files);
            m->files = files;
        }
        m->nfiles = number + 1;
    }
    m->files[number] = ptx_keep_string(ps, ps->lx.t.s, ps->lx.t.n);
    ptx_next(ps);
    while (ptx_accept(ps, ',')) /* time stamp, size */
        ptx_parse_constant_int(ps);
}

/* .section .debug_...: the debugger's, not ours. */
static void skip_section(struct ptx_parser *ps)
{
    const char *close;

    if (ps->lx.t.kind != PTX_TOKEN_DOT && ps->lx.t.kind != PTX_TOKEN_ID)
        ptx_fail_here(ps, ".section: name expected");
    ptx_next(ps);
    if (!ptx_at_punct(ps, '{'))
        ptx_fail_here(ps, "'{' expected");
    if (!ptx_lex_skip_block(&ps->lx, &close))
        ptx_fail_here(ps, ".section without an end");
    if (ps->lx.t.kind == PTX_TOKEN_BAD)
        ptx_fail_here(ps, "malformed text");
}

bool ptx_skip_directive(struct ptx_parser *ps)
{
    if (ptx_accept_word(ps, ".pragma")) {
        do {
            if (ps->lx.t.kind != PTX_TOKEN_STR)
                ptx_fail_here(ps, ".pragma: string expected");
            ptx_next(ps);
        } while (ptx_accept(ps, ','));
        ptx_expect(ps, ';');
        return true;
    }
    if (ptx_accept_word(ps, ".file")) {
        parse_file(ps);
        return true;
    }
    if (ptx_accept_word(ps, ".section")) {
        skip_section(ps);
        return true;
    }
    return false;
}

/* .alias name, aliasee; calls of one are calls of the other. */
static void parse_alias(struct ptx_parser *ps)
{
    struct ptx_token from = ptx_expect_id(ps, "function name expected"), to;
    struct ptx_name *a, *b;

    ptx_expect(ps, ',');
    to = ptx_expect_id(ps, "function name expected");
    ptx_expect(ps, ';');
    a = ptx_names_find(&ps->mp->names, from.s, from.n);
    b = ptx_names_find(&ps->mp->names, to.s, to.n);
    if (!a || !b || a->kind != PTX_NAME_FUNC || b->kind != PTX_NAME_FUNC || ps->m->functions[a->value].has_body)
        ptx_fail(ps, PTX_ERROR_INVALID, from.line, ".alias: two functions, the first without a body, expected");
    a->value = b->value;
}

static uint8_t parse_linkage(struct ptx_parser *ps)
{
    if (ptx_accept_word(ps, ".visible"))
        return PTX_LINK_VISIBLE;
    if (ptx_accept_word(ps, ".extern"))
        return PTX_LINK_EXTERN;
    if (ptx_accept_word(ps, ".weak"))
        return PTX_LINK_WEAK;
    if (ptx_accept_word(ps, ".common"))
        return PTX_LINK_COMMON;
    return PTX_LINK_LOCAL;
}

/* Initial values may name what is defined later, but not what never is. */
static void check_addresses(struct ptx_parser *ps)
{
    const struct ptx_module *m = ps->m;

    for (uint32_t i = 0; i < m->nsymbols; i++) {
        for (uint32_t k = 0; k < m->symbols[i].nrelocs; k++) {
            const struct ptx_reloc *r = &m->symbols[i].relocs[k];

            if (!r->function && m->symbols[r->sym].linkage == PTX_LINK_EXTERN)
                ptx_fail(ps, PTX_ERROR_INVALID, 0, "the initial value of '%.80s' names '%.80s', which has no definition",
                         m->symbols[i].name, m->symbols[r->sym].name);
        }
    }
}

static void parse_module(struct ptx_parser *ps)
{
    uint8_t linkage;

    if (!ptx_accept_word(ps, ".version"))
        ptx_fail_here(ps, ".version expected");
    parse_version(ps);
    if (!ptx_accept_word(ps, ".target"))
        ptx_fail_here(ps, ".target expected");
    parse_target(ps);
    ps->m->address_size = 32;
    if (ptx_accept_word(ps, ".address_size"))
        ps->m->address_size = ptx_expect_u64(ps, 64, ".address_size: 64 expected");
    if (ps->m->address_size != 64)
        ptx_fail_here(ps, ".address_size 64 expected: 32-bit PTX is not supported,");
    while (ps->lx.t.kind != PTX_TOKEN_END) {
        if (ptx_skip_directive(ps))
            continue;
        if (ptx_accept_word(ps, ".alias")) {
            parse_alias(ps);
            continue;
        }
        if (ptx_at_word(ps, ".version") || ptx_at_word(ps, ".target") || ptx_at_word(ps, ".address_size"))
            ptx_fail_here(ps, "directive out of place");
        linkage = parse_linkage(ps);
        if (ptx_accept_word(ps, ".entry"))
            ptx_parse_function(ps, linkage, true);
        else if (ptx_accept_word(ps, ".func"))
            ptx_parse_function(ps, linkage, false);
        else
            ptx_parse_variables(ps, linkage, -1);
    }
    if (!ps->m->is_part)
        check_addresses(ps);
    if (!ps->m->data_align)
        ps->m->data_align = 1;
}

/* Run 'parse' with a parser on text from p in line 'line'; false when it failed. */
static bool run(struct ptx_module_private *mp, struct ptx_function *f, const char *p, uint32_t line,
                void (*parse)(struct ptx_parser *), struct ptx_error *err)
{
    struct ptx_parser *ps = calloc(1, sizeof *ps);
    volatile bool done = false; /* read after longjmp */

    *err = (struct ptx_error){.code = PTX_ERROR_MEMORY, .message = "out of memory while parsing PTX"};
    if (!ps)
        return false;
    ps->err = err;
    ps->mp = mp;
    ps->m = &mp->m;
    ps->f = f;
    ps->keep = mp->m.arena;
    ps->temp = ptx_arena_new(MEMORY_LIMIT);
    ptx_lex_init(&ps->lx, p, mp->m.text + mp->m.text_size, line);
    if (ps->temp && !setjmp(ps->fail)) {
        ptx_next(ps);
        parse(ps);
        *err = (struct ptx_error){0};
        done = true;
    }
    ptx_arena_free(ps->temp);
    free(ps);
    return done;
}

static struct ptx_module *open_module(const char *text, size_t size, bool is_part, struct ptx_error *err)
{
    struct ptx_arena *arena = ptx_arena_new(MEMORY_LIMIT);
    struct ptx_module_private *mp = arena ? ptx_arena_alloc(arena, 1, sizeof *mp) : NULL;
    char *copy;

    while (size && !text[size - 1])
        size--;
    copy = mp ? ptx_arena_alloc(arena, size + 1, 1) : NULL;
    if (!copy || !ptx_names_init(&mp->names, arena)) {
        *err = (struct ptx_error){.code = PTX_ERROR_MEMORY, .message = "out of memory while parsing PTX"};
        ptx_arena_free(arena);
        return NULL;
    }
    memcpy(copy, text, size);
    pthread_mutex_init(&mp->lock, NULL);
    mp->m.arena = arena;
    mp->m.text = copy;
    mp->m.text_size = size;
    mp->m.lock = &mp->lock;
    mp->m.is_part = is_part;
    if (!run(mp, NULL, copy, 1, parse_module, err)) {
        ptx_module_close(&mp->m);
        return NULL;
    }
    return &mp->m;
}

struct ptx_module *ptx_module_open(const char *text, size_t size, struct ptx_error *err)
{
    return open_module(text, size, false, err);
}

struct ptx_module *ptx_module_open_part(const char *text, size_t size, struct ptx_error *err)
{
    return open_module(text, size, true, err);
}

void ptx_module_close(struct ptx_module *m)
{
    if (!m)
        return;
    pthread_mutex_destroy(m->lock);
    ptx_arena_free(m->arena); /* m itself lies in it */
}

/* What a failed parse left lies in memory that is gone. */
static void drop_body(struct ptx_function *f)
{
    f->regs = NULL;
    f->insns = NULL;
    f->tables = NULL;
    f->locs = NULL;
    f->shared_uses = NULL;
    f->nregs = f->ninsns = f->ntables = f->nlocs = f->nshared_uses = 0;
}

/* A body is parsed once: asked again, its error is given again. Without the memory to note it the next call parses again. */
static void remember_failure(struct ptx_module_private *mp, struct ptx_function *f, const struct ptx_error *err)
{
    struct ptx_error *copy = ptx_arena_alloc(mp->m.arena, 1, sizeof *copy);

    if (!mp->failures)
        mp->failures = ptx_arena_alloc(mp->m.arena, mp->m.nfunctions, sizeof *mp->failures);
    if (!copy || !mp->failures)
        return;
    *copy = *err;
    mp->failures[f->index] = copy;
    f->failed = true;
}

bool ptx_function_parse(struct ptx_module *m, struct ptx_function *f, struct ptx_error *err)
{
    struct ptx_module_private *mp = (struct ptx_module_private *)m;
    bool done = true;

    *err = (struct ptx_error){0};
    pthread_mutex_lock(&mp->lock);
    if (!f->has_body) {
        err->code = PTX_ERROR_INVALID;
        snprintf(err->message, sizeof err->message, "function '%s' has no body", f->name);
        done = false;
    } else if (f->failed) {
        *err = *mp->failures[f->index];
        done = false;
    } else if (!f->parsed) {
        done = run(mp, f, f->body, f->body_line, ptx_parse_body, err);
        if (!done) {
            drop_body(f);
            remember_failure(mp, f, err);
        }
        f->parsed = done;
    }
    pthread_mutex_unlock(&mp->lock);
    return done;
}

struct ptx_function *ptx_find_function(struct ptx_module *m, const char *name)
{
    struct ptx_name *e = ptx_names_find(&((struct ptx_module_private *)m)->names, name, strlen(name));

    return e && e->kind == PTX_NAME_FUNC ? &m->functions[e->value] : NULL;
}

struct ptx_symbol *ptx_find_symbol(struct ptx_module *m, const char *name)
{
    struct ptx_name *e = ptx_names_find(&((struct ptx_module_private *)m)->names, name, strlen(name));

    return e && e->kind == PTX_NAME_SYMBOL ? &m->symbols[e->value] : NULL;
}
