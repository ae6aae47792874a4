/* SPDX-License-Identifier: Apache-2.0 */
/* The body is copied token by token, so comments, spacing and .loc vanish. Names that a compiler made for this kernel ($L__BB12_3,
 * __local_depot12), names of the module's variables and of parameters become $0, $1 ... in the order in which they come. All
 * names that begin with $ or _ are replaced, so no new name can be one that is kept. */
#include "code/kernel_text.h"

#include <inttypes.h>
#include <string.h>

#include "ptx/lexer.h"

struct writer {
    struct ptx_module *m;
    const struct ptx_function *f;
    GHashTable *names;      /* as written -> new; the module's own strings and new ones alike are owned */
    GHashTable *symbols;    /* module-level symbols that were named, by index + 1 -> new name */
    GHashTable *functions;  /* functions that were named, by index + 1 */
    GString *out;
    unsigned counter;
};

static const char *new_name(struct writer *w, const char *old)
{
    char *name = g_strdup_printf("$%u", w->counter++);

    g_hash_table_insert(w->names, g_strdup(old), name);
    return name;
}

static bool is_formal(const struct writer *w, const char *name)
{
    for (uint32_t i = 0; i < w->f->nparams; i++)
        if (!strcmp(w->m->symbols[w->f->first_param + i].name, name))
            return true;
    return false;
}

/* What stands for the name in the new text. */
static const char *translate(struct writer *w, const char *name)
{
    const char *known = g_hash_table_lookup(w->names, name);
    const struct ptx_function *function;
    const struct ptx_symbol *symbol;

    if (known || *name == '%')
        return known ? known : name;
    symbol = ptx_find_symbol(w->m, name);
    function = symbol ? NULL : ptx_find_function(w->m, name);
    if (function) {
        g_hash_table_add(w->functions, GUINT_TO_POINTER(function->index + 1));
        return name;
    }
    if (!symbol && *name != '$' && *name != '_' && !is_formal(w, name))
        return name;
    known = new_name(w, name);
    if (symbol)
        g_hash_table_insert(w->symbols, GUINT_TO_POINTER((guint)(symbol - w->m->symbols) + 1), (gpointer)known);
    return known;
}

/* ---- The body ---- */

static bool is_punct(const struct ptx_lexer *lx, char c)
{
    return lx->t.kind == PTX_TOKEN_PUNCT && lx->t.value == (uint64_t)c;
}

static bool is_word(const struct ptx_lexer *lx, const char *word)
{
    return (lx->t.kind == PTX_TOKEN_DOT || lx->t.kind == PTX_TOKEN_ID) && lx->t.n == strlen(word) && !memcmp(lx->t.s, word, lx->t.n);
}

static bool skip(struct ptx_lexer *lx, enum ptx_token_kind kind)
{
    bool there = lx->t.kind == kind;

    ptx_lex_next(lx);
    return there;
}

/* .loc file line column [, function_name name [+ n], inlined_at file line column]: PTX 11.5.3. The lexer stands on .loc and is
 * left behind it. */
static bool skip_loc(struct ptx_lexer *lx)
{
    ptx_lex_next(lx);
    for (int i = 0; i < 3; i++)
        if (!skip(lx, PTX_TOKEN_INT))
            return false;
    while (is_punct(lx, ',')) {
        ptx_lex_next(lx);
        if (is_word(lx, "function_name")) {
            ptx_lex_next(lx);
            if (!skip(lx, PTX_TOKEN_ID))
                return false;
            if (is_punct(lx, '+')) {
                ptx_lex_next(lx);
                if (!skip(lx, PTX_TOKEN_INT))
                    return false;
            }
        } else if (is_word(lx, "inlined_at")) {
            ptx_lex_next(lx);
            for (int i = 0; i < 3; i++)
                if (!skip(lx, PTX_TOKEN_INT))
                    return false;
        } else {
            return false;
        }
    }
    return true;
}

/* What an identifier becomes. At a statement's start it is an opcode, whatever else may have that name, or a label. */
static void copy_name(struct writer *w, const struct ptx_lexer *lx, bool starts)
{
    g_autofree char *name = g_strndup(lx->t.s, lx->t.n);
    struct ptx_lexer ahead = *lx;

    if (starts)
        ptx_lex_next(&ahead);
    g_string_append(w->out, starts && !is_punct(&ahead, ':') ? name : translate(w, name));
}

static bool copy_token(struct writer *w, const struct ptx_lexer *lx, bool starts)
{
    const struct ptx_token *t = &lx->t;

    switch (t->kind) {
    case PTX_TOKEN_ID:
        copy_name(w, lx, starts);
        return true;
    case PTX_TOKEN_DOT:
        g_string_append_len(w->out, t->s, t->n);
        return true;
    case PTX_TOKEN_INT:
        g_string_append_printf(w->out, "0x%" PRIx64 "%s", t->value, t->is_unsigned ? "U" : "");
        return true;
    case PTX_TOKEN_F32:
        g_string_append_printf(w->out, "0f%08" PRIX64, t->value);
        return true;
    case PTX_TOKEN_F64:
        g_string_append_printf(w->out, "0d%016" PRIX64, t->value);
        return true;
    case PTX_TOKEN_STR:
        g_string_append_printf(w->out, "\"%.*s\"", (int)t->n, t->s);
        return true;
    case PTX_TOKEN_PUNCT:
        g_string_append_c(w->out, (char)t->value);
        if (strchr(";{}", (char)t->value))
            g_string_append_c(w->out, '\n');
        return true;
    default:
        return false;
    }
}

static bool copy_body(struct writer *w)
{
    const struct ptx_function *f = w->f;
    const char *end = f->body + f->body_size;
    uint8_t before = PTX_TOKEN_PUNCT;
    bool starts = true, guard = false;
    struct ptx_lexer lx;

    ptx_lex_init(&lx, f->body, w->m->text + w->m->text_size, 1);
    ptx_lex_next(&lx);
    while (lx.t.kind != PTX_TOKEN_END) {
        bool word = lx.t.kind != PTX_TOKEN_PUNCT;

        if (is_word(&lx, ".loc")) {
            if (!skip_loc(&lx))
                return false;
            if (lx.p > end)
                break;
            continue;
        }
        if (word && before != PTX_TOKEN_PUNCT &&
            !(lx.t.kind == PTX_TOKEN_DOT && (before == PTX_TOKEN_ID || before == PTX_TOKEN_DOT)))
            g_string_append_c(w->out, ' ');
        if (!copy_token(w, &lx, starts && !guard))
            return false;
        /* @p and @!p stand before the opcode, which then starts the statement. */
        if (is_punct(&lx, '@'))
            guard = true;
        else if (guard && lx.t.kind == PTX_TOKEN_ID)
            guard = false;
        else if (!guard)
            starts = !word && strchr(";{}:", (char)lx.t.value);
        before = lx.t.kind;
        if (lx.p >= end)
            break;
        ptx_lex_next(&lx);
    }
    return true;
}

/* ---- What stands before it ---- */

static const char *space_name(uint8_t space)
{
    switch (space) {
    case PTX_SPACE_global:
        return ".global";
    case PTX_SPACE_const:
        return ".const";
    case PTX_SPACE_shared:
        return ".shared";
    case PTX_SPACE_param:
        return ".param";
    case PTX_SPACE_reg:
        return ".reg";
    default:
        return NULL;
    }
}

static void declare(GString *out, const struct ptx_symbol *s, const char *name)
{
    bool scalar = !s->is_array && s->vec <= 1;

    g_string_append(out, space_name(s->space));
    if (scalar && (s->space == PTX_SPACE_param || s->space == PTX_SPACE_reg))
        g_string_append_printf(out, " .%s %s", ptx_type_names[s->type], name);
    else if (s->unsized)
        g_string_append_printf(out, " .align %u .b8 %s[]", s->align, name);
    else
        g_string_append_printf(out, " .align %u .b8 %s[%" PRIu64 "]", s->align, name, s->size);
}

static void declare_formals(struct writer *w, GString *out, uint32_t first, uint32_t n)
{
    g_string_append_c(out, '(');
    for (uint32_t i = 0; i < n; i++) {
        const struct ptx_symbol *s = &w->m->symbols[first + i];
        const char *name = g_hash_table_lookup(w->names, s->name);
        g_autofree char *fresh = name ? NULL : g_strdup_printf("$%u", w->counter++);

        g_string_append(out, i ? "," : "");
        declare(out, s, name ? name : fresh);
    }
    g_string_append_c(out, ')');
}

/* Callees have no bodies: the engines know them by name. */
static bool declare_function(struct writer *w, GString *out, const struct ptx_function *g)
{
    if (g->has_body)
        return false;
    g_string_append(out, ".extern .func ");
    if (g->nrets)
        declare_formals(w, out, g->first_ret, g->nrets);
    g_string_append_printf(out, " %s", g->name);
    declare_formals(w, out, g->first_param, g->nparams);
    g_string_append(out, g->noreturn ? " .noreturn;\n" : ";\n");
    return true;
}

static bool declare_all(struct writer *w, GString *out, GArray *offsets)
{
    const struct ptx_module *m = w->m;

    g_string_append_printf(out, ".version %d.%d\n.target sm_%d%s\n.address_size 64\n", m->version_major, m->version_minor, m->target,
                           m->target_arch_specific ? "a" : "");
    for (uint32_t i = 0; i < m->nsymbols; i++) {
        const struct ptx_symbol *s = &m->symbols[i];
        const char *name = g_hash_table_lookup(w->symbols, GUINT_TO_POINTER(i + 1));

        if (!name)
            continue;
        if (!space_name(s->space))
            return false;
        g_string_append(out, s->linkage == PTX_LINK_EXTERN ? ".extern " : "");
        declare(out, s, name);
        g_string_append(out, ";\n");
        if (s->space == PTX_SPACE_global || s->space == PTX_SPACE_const)
            g_array_append_val(offsets, s->offset);
    }
    for (uint32_t i = 0; i < m->nfunctions; i++)
        if (g_hash_table_contains(w->functions, GUINT_TO_POINTER(i + 1)) && !declare_function(w, out, &m->functions[i]))
            return false;
    return true;
}

/* ---- */

/* Function addresses are places in the module's list of functions. */
static bool stands_alone(const struct ptx_module *m, const struct ptx_function *f)
{
    for (uint32_t i = 0; i < f->nreach; i++)
        if (&m->functions[f->reach[i]] != f && m->functions[f->reach[i]].has_body)
            return false;
    for (uint32_t i = 0; i < f->ninsns; i++)
        for (unsigned k = f->insns[i].op == PTX_OP_call; k < f->insns[i].nops; k++)
            if (f->insns[i].ops[k].kind == PTX_OPERAND_FUNC)
                return false;
    return !f->has_indirect_calls;
}

static bool write_alone(struct writer *w, struct kernel_text *t)
{
    g_autoptr(GString) body = g_string_sized_new(w->f->body_size);

    w->out = body;
    if (!copy_body(w) || !declare_all(w, t->text, t->offsets))
        return false;
    g_string_append(t->text, ".visible .entry $k");
    declare_formals(w, t->text, w->f->first_param, w->f->nparams);
    g_string_append_c(t->text, '\n');
    g_string_append_len(t->text, body->str, (gssize)body->len);
    t->entry = "$k";
    return true;
}

void kernel_text_make(struct kernel_text *t, struct ptx_module *m, const struct ptx_function *f)
{
    struct writer w = {
        .m = m,
        .f = f,
        .names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
        .symbols = g_hash_table_new(NULL, NULL),
        .functions = g_hash_table_new(NULL, NULL),
    };

    *t = (struct kernel_text){.text = g_string_new(NULL), .offsets = g_array_new(FALSE, FALSE, sizeof(uint64_t))};
    if (!stands_alone(m, f) || !write_alone(&w, t)) {
        g_string_truncate(t->text, 0);
        g_string_append_len(t->text, m->text, (gssize)m->text_size);
        g_array_set_size(t->offsets, 0);
        t->entry = f->name;
    }
    g_hash_table_destroy(w.names);
    g_hash_table_destroy(w.symbols);
    g_hash_table_destroy(w.functions);
}

void kernel_text_clear(struct kernel_text *t)
{
    g_string_free(t->text, TRUE);
    g_array_free(t->offsets, TRUE);
}

bool kernel_text_place(struct ptx_module *m, const uint64_t *offsets, uint32_t n)
{
    uint32_t k = 0;

    for (uint32_t i = 0; n && i < m->nsymbols; i++) {
        struct ptx_symbol *s = &m->symbols[i];

        if (s->owner >= 0 || (s->space != PTX_SPACE_global && s->space != PTX_SPACE_const))
            continue;
        if (k == n || offsets[k] > UINT32_MAX)
            return false;
        s->offset = offsets[k++];
    }
    return k == n;
}
