/* SPDX-License-Identifier: Apache-2.0 */
/* Function heads: .entry and .func with their parameters and performance directives, chapters 11.2 to 11.4. */
#include "ptx/parse.h"

#define MAX_PARAM_BYTES (1u << 20)

static uint32_t align_up(uint32_t v, uint32_t align)
{
    return (v + align - 1) & ~(align - 1);
}

uint32_t ptx_parse_formals(struct ptx_parser *ps, struct ptx_symbol **out)
{
    uint32_t n = 0, room = 0;

    *out = NULL;
    ptx_expect(ps, '(');
    if (ptx_accept(ps, ')'))
        return 0;
    do {
        struct ptx_symbol s;
        bool is_reg = ptx_at_word(ps, ".reg");

        if (!is_reg && !ptx_at_word(ps, ".param"))
            ptx_fail_here(ps, "parameter expected");
        ptx_next(ps);
        s = ptx_parse_declarator_head(ps);
        ptx_parse_declarator(ps, &s);
        s.space = is_reg ? PTX_SPACE_reg : PTX_SPACE_param;
        if (is_reg && (s.is_array || s.vec > 1))
            ptx_fail_here(ps, "a register parameter has to be a scalar");
        if (!is_reg && s.type == PTX_TYPE_pred)
            ptx_fail_here(ps, "a .param variable cannot be a predicate");
        if (s.size > MAX_PARAM_BYTES)
            ptx_fail_here(ps, "parameter is too large");
        if (n == PTX_MAX_ELEMENTS)
            ptx_fail_here(ps, "too many parameters");
        if (n == room)
            *out = ptx_grow(ps, false, *out, n, &room, sizeof s);
        (*out)[n++] = s;
    } while (ptx_accept(ps, ','));
    ptx_expect(ps, ')');
    return n;
}

uint32_t ptx_lay_out_params(struct ptx_parser *ps, struct ptx_symbol *s, uint32_t n, uint32_t top)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s[i].space == PTX_SPACE_reg)
            continue;
        s[i].offset = align_up(top, s[i].align);
        top = s[i].offset + s[i].size;
        if (top > MAX_PARAM_BYTES)
            ptx_fail_here(ps, "parameters are too large");
    }
    return top;
}

static void dimensions(struct ptx_parser *ps, uint32_t *d)
{
    unsigned n = 0;

    d[0] = d[1] = d[2] = 1;
    do {
        if (n == 3)
            ptx_fail_here(ps, "at most three dimensions expected");
        d[n++] = ptx_expect_u64(ps, UINT32_MAX, "dimension out of range");
    } while (ptx_accept(ps, ','));
}

static void one_number(struct ptx_parser *ps, uint32_t *v)
{
    *v = ptx_expect_u64(ps, UINT32_MAX, "number out of range");
}

static void parse_performance(struct ptx_parser *ps, struct ptx_function *f)
{
    uint32_t ignored;

    for (;;) {
        if (ptx_accept_word(ps, ".maxntid"))
            dimensions(ps, f->maxntid);
        else if (ptx_accept_word(ps, ".reqntid"))
            dimensions(ps, f->reqntid);
        else if (ptx_accept_word(ps, ".reqnctapercluster"))
            dimensions(ps, f->cluster);
        else if (ptx_accept_word(ps, ".minnctapersm"))
            one_number(ps, &f->minnctapersm);
        else if (ptx_accept_word(ps, ".maxnreg"))
            one_number(ps, &f->maxnreg);
        else if (ptx_accept_word(ps, ".maxnctapersm") || ptx_accept_word(ps, ".maxclusterrank") ||
                 ptx_accept_word(ps, ".abi_preserve") || ptx_accept_word(ps, ".abi_preserve_control"))
            one_number(ps, &ignored);
        else if (ptx_accept_word(ps, ".noreturn"))
            f->noreturn = true;
        else if (ptx_accept_word(ps, ".explicitcluster") || ptx_accept_word(ps, ".blocksareclusters") ||
                 ptx_accept_word(ps, ".language"))
            continue;
        else if (!ptx_at_word(ps, ".pragma") || !ptx_skip_directive(ps))
            return;
    }
}

/* The formals become symbols of the function; the first declaration's are kept when a definition repeats them. */
static uint32_t add_formals(struct ptx_parser *ps, struct ptx_function *f, struct ptx_symbol *s, uint32_t n)
{
    uint32_t first = ps->m->nsymbols;

    for (uint32_t i = 0; i < n; i++) {
        s[i].owner = f->index;
        ptx_add_symbol(ps, &s[i]);
    }
    return first;
}

static bool same_formals(const struct ptx_module *m, uint32_t first, const struct ptx_symbol *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (m->symbols[first + i].type != s[i].type || m->symbols[first + i].size != s[i].size)
            return false;
    return true;
}

static struct ptx_function *new_function(struct ptx_parser *ps, const struct ptx_token *name)
{
    struct ptx_module *m = ps->m;
    struct ptx_name *e = ptx_names_find(&ps->mp->names, name->s, name->n);
    struct ptx_function *f;

    if (e) {
        if (e->kind != PTX_NAME_FUNC)
            ptx_fail(ps, PTX_ERROR_INVALID, name->line, "'%.*s' is already declared", (int)name->n, name->s);
        return &m->functions[e->value];
    }
    if (m->nfunctions == ps->function_room)
        m->functions = ptx_grow(ps, true, m->functions, m->nfunctions, &ps->function_room, sizeof *f);
    e = ptx_names_add(&ps->mp->names, name->s, name->n, PTX_NAME_FUNC, 0);
    if (!e)
        ptx_fail(ps, PTX_ERROR_MEMORY, name->line, "out of memory while parsing PTX");
    e->value = m->nfunctions;
    f = &m->functions[m->nfunctions];
    f->name = ptx_keep_string(ps, name->s, name->n);
    f->index = m->nfunctions++;
    return f;
}

void ptx_parse_function(struct ptx_parser *ps, uint8_t linkage, bool is_entry)
{
    struct ptx_symbol *params = NULL, *rets = NULL;
    uint32_t nparams = 0, nrets = 0, top;
    struct ptx_function *f, head = {.is_entry = is_entry, .linkage = linkage};
    struct ptx_token name;
    const char *close;
    bool has_body, is_new;

    if (ps->lx.t.kind == PTX_TOKEN_DOT && ptx_at_word(ps, ".attribute")) {
        do
            ptx_next(ps);
        while (ps->lx.t.kind != PTX_TOKEN_END && !ptx_at_punct(ps, ')'));
        ptx_expect(ps, ')');
    }
    if (!is_entry && ptx_at_punct(ps, '('))
        nrets = ptx_parse_formals(ps, &rets);
    name = ptx_expect_id(ps, "function name expected");
    if (ptx_at_punct(ps, '('))
        nparams = ptx_parse_formals(ps, &params);
    for (uint32_t i = 0; is_entry && i < nparams; i++)
        if (params[i].space == PTX_SPACE_reg || params[i].unsized)
            ptx_fail(ps, PTX_ERROR_INVALID, name.line, ".entry %.*s: parameter %u has to be a sized .param variable",
                     (int)name.n, name.s, i);
    parse_performance(ps, &head);
    has_body = ptx_at_punct(ps, '{');
    is_new = !ptx_names_find(&ps->mp->names, name.s, name.n);
    f = new_function(ps, &name);
    if (!is_new && (f->is_entry != is_entry || f->nparams != nparams || f->nrets != nrets))
        ptx_fail(ps, PTX_ERROR_INVALID, name.line, "'%s' is declared in two ways", f->name);
    if (!is_new && !(same_formals(ps->m, f->first_param, params, nparams) && same_formals(ps->m, f->first_ret, rets, nrets)))
        ptx_fail(ps, PTX_ERROR_INVALID, name.line, "'%s' is declared with other parameters", f->name);
    if (!is_new && has_body && f->has_body)
        ptx_fail(ps, PTX_ERROR_INVALID, name.line, "'%s' has two bodies", f->name);
    if (is_new || has_body) {
        head.name = f->name;
        head.index = f->index;
        head.line = name.line;
        head.nparams = nparams;
        head.nrets = nrets;
        top = ptx_lay_out_params(ps, rets, nrets, 0);
        head.param_size = ptx_lay_out_params(ps, params, nparams, top);
        head.first_ret = add_formals(ps, f, rets, nrets);
        head.first_param = add_formals(ps, f, params, nparams);
        *f = head;
    }
    if (!has_body) {
        ptx_expect(ps, ';');
        return;
    }
    f->has_body = true;
    f->body = ps->lx.t.s;
    f->body_line = ps->lx.t.line;
    if (!ptx_lex_skip_block(&ps->lx, &close))
        ptx_fail(ps, PTX_ERROR_INVALID, name.line, "the body of '%s' has no end", f->name);
    f->body_size = close + 1 - f->body;
    if (ps->lx.t.kind == PTX_TOKEN_BAD)
        ptx_fail(ps, PTX_ERROR_INVALID, ps->lx.t.line, "%.*s", (int)ps->lx.t.n, ps->lx.t.s);
}
