/* SPDX-License-Identifier: Apache-2.0 */
/* Variable declarations, chapter 5.4, of modules and bodies. */
#include "ptx/parse.h"

/* Larger variables are refused: sums of sizes and offsets stay far from overflow. */
#define MAX_BYTES ((uint64_t)1 << 40)

static uint32_t parse_align(struct ptx_parser *ps)
{
    uint64_t v = ptx_expect_u64(ps, 1u << 20, "alignment out of range");

    if (!v || v & (v - 1))
        ptx_fail_here(ps, "alignment is not a power of two");
    return v;
}

static uint64_t align_up(uint64_t v, uint64_t align)
{
    return (v + align - 1) & ~(align - 1);
}

/* .ptr [.space] [.align N]: what a kernel's pointer parameter points at. Nothing depends on it. */
static void skip_ptr(struct ptx_parser *ps)
{
    static const char *const spaces[] = {".const", ".global", ".local", ".shared", ".generic"};

    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        if (ptx_accept_word(ps, spaces[i]))
            break;
    if (ptx_accept_word(ps, ".align"))
        parse_align(ps);
}

/* .attribute(.managed, .unified(hi, lo)), section 5.4.8: of these .managed means something here. */
static bool parse_attribute(struct ptx_parser *ps)
{
    bool managed = false;
    int depth = 0;

    do {
        if (ps->lx.t.kind == PTX_TOKEN_END)
            ptx_fail_here(ps, "')' expected");
        managed = managed || ptx_at_word(ps, ".managed");
        depth += ptx_at_punct(ps, '(') - ptx_at_punct(ps, ')');
        ptx_next(ps);
    } while (depth);
    return managed;
}

struct ptx_symbol ptx_parse_declarator_head(struct ptx_parser *ps)
{
    struct ptx_symbol s = {.vec = 1, .owner = -1};
    uint32_t natural;

    for (;;) {
        if (ptx_accept_word(ps, ".align")) {
            s.align = parse_align(ps);
        } else if (ptx_accept_word(ps, ".ptr")) {
            skip_ptr(ps);
        } else if (ptx_accept_word(ps, ".attribute")) {
            if (!ptx_at_punct(ps, '('))
                ptx_fail_here(ps, "'(' expected");
            s.managed = parse_attribute(ps) || s.managed;
        } else if (ptx_accept_word(ps, ".v2")) {
            s.vec = 2;
        } else if (ptx_accept_word(ps, ".v4")) {
            s.vec = 4;
        } else if (ptx_accept_word(ps, ".v8")) {
            s.vec = 8;
        } else if (!s.type && (s.type = ptx_accept_type(ps))) {
            continue;
        } else {
            break;
        }
    }
    if (!s.type)
        ptx_fail_here(ps, "type expected");
    natural = (ptx_type_bits[s.type] + 7) / 8 * s.vec;
    if (!s.align)
        s.align = natural;
    return s;
}

/* [N][M]...; the first may be empty. Gives the element count (0 when unsized). */
static uint64_t parse_dims(struct ptx_parser *ps, uint64_t *dims, unsigned *ndims)
{
    uint64_t n = 1;

    for (*ndims = 0; ptx_accept(ps, '['); ++*ndims) {
        if (*ndims == PTX_MAX_DIMS)
            ptx_fail_here(ps, "too many array dimensions");
        if (ptx_at_punct(ps, ']')) {
            if (*ndims)
                ptx_fail_here(ps, "array dimension expected");
            dims[0] = 0;
        } else {
            dims[*ndims] = ptx_expect_u64(ps, MAX_BYTES, "array dimension out of range");
            if (!dims[*ndims])
                ptx_fail_here(ps, "array dimension is zero");
        }
        ptx_expect(ps, ']');
        if (__builtin_mul_overflow(n, dims[*ndims], &n) || n > MAX_BYTES)
            ptx_fail_here(ps, "array is too large");
    }
    return n;
}

static uint64_t element_bytes(const struct ptx_symbol *s)
{
    return (uint64_t)(ptx_type_bits[s->type] + 7) / 8 * s->vec;
}

static void parse_dims_and_size(struct ptx_parser *ps, struct ptx_symbol *s, uint64_t *dims, unsigned *ndims)
{
    uint64_t n = parse_dims(ps, dims, ndims);

    s->is_array = *ndims;
    s->unsized = *ndims && !dims[0];
    if (__builtin_mul_overflow(n, element_bytes(s), &s->size) || s->size > MAX_BYTES)
        ptx_fail_here(ps, "variable is too large");
}

void ptx_parse_declarator(struct ptx_parser *ps, struct ptx_symbol *s)
{
    struct ptx_token name = ptx_expect_id(ps, "name expected");
    uint64_t dims[PTX_MAX_DIMS];
    unsigned ndims;

    s->name = ptx_keep_string(ps, name.s, name.n);
    parse_dims_and_size(ps, s, dims, &ndims);
}

uint32_t ptx_add_symbol(struct ptx_parser *ps, const struct ptx_symbol *s)
{
    struct ptx_module *m = ps->m;

    /* Another thread may be reading the array: it is never moved, only copied and replaced. */
    if (m->nsymbols == ps->mp->symbol_room)
        m->symbols = ptx_grow(ps, true, m->symbols, m->nsymbols, &ps->mp->symbol_room, sizeof *m->symbols);
    m->symbols[m->nsymbols] = *s;
    return m->nsymbols++;
}

/* Declare s under its name; a module's .extern declaration is filled in by the definition. */
static struct ptx_symbol *declare(struct ptx_parser *ps, const struct ptx_symbol *s, const struct ptx_token *name)
{
    struct ptx_names *names = ps->f ? &ps->names : &ps->mp->names;
    struct ptx_name *e = ptx_names_find(names, name->s, name->n);
    struct ptx_symbol *old;

    if (e && e->depth == names->depth) {
        old = e->kind == PTX_NAME_SYMBOL ? &ps->m->symbols[e->value] : NULL;
        if (old && s->linkage == PTX_LINK_EXTERN && old->space == s->space)
            return NULL;
        if (!old || old->linkage != PTX_LINK_EXTERN || old->space != s->space)
            ptx_fail(ps, PTX_ERROR_INVALID, name->line, "'%.*s' is already declared", (int)name->n, name->s);
        *old = *s;
        return old;
    }
    e = ptx_names_add(names, name->s, name->n, PTX_NAME_SYMBOL, names->depth);
    if (!e)
        ptx_fail(ps, PTX_ERROR_MEMORY, name->line, "out of memory while parsing PTX");
    e->value = ptx_add_symbol(ps, s);
    return &ps->m->symbols[e->value];
}

/* The place of a variable whose size is known now. */
static void place(struct ptx_parser *ps, struct ptx_symbol *s)
{
    struct ptx_module *m = ps->m;
    struct ptx_function *f = ps->f;
    uint64_t offset;

    switch (s->space) {
    case PTX_SPACE_global:
    case PTX_SPACE_const:
        if (s->linkage == PTX_LINK_EXTERN)
            return;
        m->has_managed = m->has_managed || s->managed;
        s->offset = align_up(m->data_size, s->align);
        m->data_size = s->offset + s->size;
        if (m->data_size > MAX_BYTES)
            ptx_fail_here(ps, "variables of the module are too large");
        if (m->data_align < s->align)
            m->data_align = s->align;
        return;
    case PTX_SPACE_local:
        s->offset = align_up(f->local_size, s->align);
        if (s->offset + s->size > UINT32_MAX / 2)
            ptx_fail_here(ps, "local variables are too large");
        f->local_size = s->offset + s->size;
        return;
    case PTX_SPACE_param:
        offset = align_up(ps->blocks[ps->depth].param_top, s->align);
        if (offset + s->size > UINT32_MAX / 2)
            ptx_fail_here(ps, "parameters are too large");
        s->offset = offset;
        ps->blocks[ps->depth].param_top = offset + s->size;
        if (f->call_param_size < offset + s->size)
            f->call_param_size = offset + s->size;
        return;
    }
}

static const char *check_space(struct ptx_parser *ps, const struct ptx_symbol *s)
{
    bool in_body = ps->f;

    if (s->type == PTX_TYPE_pred)
        return "a variable cannot be a predicate";
    if (s->space == PTX_SPACE_local && !in_body)
        return "a .local variable of the module is not allowed";
    if (s->space == PTX_SPACE_param && !in_body)
        return "a .param variable of the module is not allowed";
    if (s->unsized && !(s->space == PTX_SPACE_shared || s->linkage == PTX_LINK_EXTERN))
        return "array without a size";
    if (s->space == PTX_SPACE_shared && s->unsized && s->linkage != PTX_LINK_EXTERN)
        return "a shared array without a size has to be .extern";
    return NULL;
}

static int parse_space(struct ptx_parser *ps)
{
    static const uint8_t spaces[] = {
        PTX_SPACE_global, PTX_SPACE_const, PTX_SPACE_shared, PTX_SPACE_local, PTX_SPACE_param, PTX_SPACE_tex};
    const struct ptx_token *t = &ps->lx.t;

    for (size_t i = 0; t->kind == PTX_TOKEN_DOT && i < sizeof spaces; i++) {
        if (strlen(ptx_space_names[spaces[i]]) == t->n - 1 && !memcmp(ptx_space_names[spaces[i]], t->s + 1, t->n - 1)) {
            ptx_next(ps);
            return spaces[i];
        }
    }
    ptx_fail_here(ps, "unknown directive");
}

void ptx_parse_variables(struct ptx_parser *ps, uint8_t linkage, int32_t owner)
{
    int space = parse_space(ps);
    struct ptx_symbol head;

    if (space == PTX_SPACE_const && ptx_accept(ps, '[')) {
        if (ptx_expect_u64(ps, 10, "constant bank out of range"))
            ptx_fail_here(ps, "constant banks other than 0 are not supported");
        ptx_expect(ps, ']');
    }
    head = ptx_parse_declarator_head(ps);
    head.space = space;
    if (ps->f && (space == PTX_SPACE_global || space == PTX_SPACE_const)) /* the data image is made before bodies are parsed */
        ptx_fail(ps, PTX_ERROR_UNSUPPORTED, ps->lx.t.line, "'%.*s': a .%s variable inside a function is not supported",
                 ps->lx.t.n > 100 ? 100 : (int)ps->lx.t.n, ps->lx.t.s, ptx_space_names[space]);
    head.linkage = linkage;
    head.owner = owner;
    do {
        struct ptx_symbol s = head;
        struct ptx_token name = ps->lx.t;
        uint64_t dims[PTX_MAX_DIMS];
        unsigned ndims;
        const char *why;
        struct ptx_symbol *declared;

        ptx_expect_id(ps, "variable name expected");
        s.name = ptx_keep_string(ps, name.s, name.n);
        parse_dims_and_size(ps, &s, dims, &ndims);
        if (ptx_at_punct(ps, '=')) {
            if (space != PTX_SPACE_global && space != PTX_SPACE_const)
                ptx_fail_here(ps, "only .global and .const variables can have initial values,");
            if (linkage == PTX_LINK_EXTERN)
                ptx_fail_here(ps, "an .extern variable cannot have an initial value,");
            ptx_next(ps);
            ptx_parse_initialiser(ps, &s, dims, ndims);
        }
        why = check_space(ps, &s);
        if (why)
            ptx_fail(ps, PTX_ERROR_INVALID, name.line, "'%s': %s", s.name, why);
        declared = declare(ps, &s, &name);
        if (declared)
            place(ps, declared);
    } while (ptx_accept(ps, ','));
    ptx_expect(ps, ';');
}
