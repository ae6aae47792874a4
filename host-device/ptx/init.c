/* SPDX-License-Identifier: Apache-2.0 */
/* Initial values of variables, chapter 5.4.4: numbers, nested lists, addresses. */
#include "ptx/parse.h"

/* What has been written is kept up to its end only, so that a huge array with one value costs one value. */
#define MAX_INIT_BYTES ((uint64_t)1 << 30)

struct init {
    struct ptx_symbol *s;
    uint8_t *data;
    uint32_t room, used;
    uint32_t reloc_room;
    uint64_t strides[PTX_MAX_DIMS + 2]; /* elements of one item at each nesting level */
    unsigned levels;
    unsigned width;                     /* bytes of an element */
};

static void put(struct ptx_parser *ps, struct init *in, uint64_t element, uint64_t value)
{
    uint64_t at = element * in->width, end = at + in->width;

    if (end > MAX_INIT_BYTES)
        ptx_fail_here(ps, "initial value is too large");
    if (end > in->room) {
        uint32_t room = in->room ? in->room : 64;
        uint8_t *data;

        while (room < end)
            room *= 2;
        data = ptx_temp(ps, room, 1);
        if (in->used)
            memcpy(data, in->data, in->used);
        in->data = data;
        in->room = room;
    }
    memcpy(in->data + at, &value, in->width < 8 ? in->width : 8);
    if (in->used < end)
        in->used = end;
}

static void add_reloc(struct ptx_parser *ps, struct init *in, const struct ptx_reloc *r)
{
    struct ptx_symbol *s = in->s;

    if (s->nrelocs == in->reloc_room)
        s->relocs = ptx_grow(ps, false, s->relocs, s->nrelocs, &in->reloc_room, sizeof *s->relocs);
    s->relocs[s->nrelocs++] = *r;
}

/* name, name+4, generic(name)-4 */
static void parse_address(struct ptx_parser *ps, struct init *in, uint64_t element, uint8_t shift, unsigned bytes)
{
    struct ptx_reloc r = {.offset = element * in->width, .bytes = bytes, .shift = shift};
    struct ptx_token t = ptx_expect_id(ps, "name expected in an initial value");
    struct ptx_name *e;
    bool negative;

    if (t.n == 7 && !memcmp(t.s, "generic", 7) && ptx_accept(ps, '(')) {
        r.generic = true;
        t = ptx_expect_id(ps, "variable name expected");
        ptx_expect(ps, ')');
    }
    e = ptx_lookup(ps, t.s, t.n);
    if (!e || (e->kind != PTX_NAME_SYMBOL && e->kind != PTX_NAME_FUNC))
        ptx_fail(ps, PTX_ERROR_INVALID, t.line, "'%.*s' is not a variable or function", (int)t.n, t.s);
    r.function = e->kind == PTX_NAME_FUNC;
    r.sym = e->value;
    if (!r.function) {
        uint8_t space = ps->m->symbols[r.sym].space;

        if (space != PTX_SPACE_global && space != PTX_SPACE_const)
            ptx_fail(ps, PTX_ERROR_INVALID, t.line, "initial value: '%.*s' has no fixed address", (int)t.n, t.s);
    }
    if (ptx_at_punct(ps, '+') || ptx_at_punct(ps, '-')) {
        negative = ptx_at_punct(ps, '-');
        ptx_next(ps);
        r.addend = ptx_parse_constant_int(ps);
        if (negative)
            r.addend = -(uint64_t)r.addend;
    }
    put(ps, in, element, 0);
    add_reloc(ps, in, &r);
}

/* Floating-point numbers in untyped variables: the low bits of the literal, as ptxas has it, though 0d becomes an f32 where it
 * meets .b32. (LLVM writes the initial value of a half so, which puts zero there in most cases.) */
static bool untyped_bits(uint8_t literal, uint64_t bits, uint8_t type, uint64_t *out)
{
    if (literal == PTX_LITERAL_INT || ptx_type_class[type] != 'b' || ptx_type_bits[type] > 64)
        return false;
    if (type == PTX_TYPE_b32)
        return ptx_convert_literal(literal, bits, PTX_TYPE_f32, out);
    *out = bits;
    return true;
}

static void parse_element(struct ptx_parser *ps, struct init *in, uint64_t element)
{
    uint8_t literal, shift = 0;
    uint64_t bits, value;

    if (ps->lx.t.kind == PTX_TOKEN_ID && !ptx_at_word(ps, "WARP_SZ")) {
        if (in->width < 4)
            ptx_fail_here(ps, "an address does not fit the element type");
        parse_address(ps, in, element, 0, in->width > 8 ? 8 : in->width);
        return;
    }
    ptx_parse_constant(ps, &literal, &bits);
    if (ptx_accept(ps, '(')) { /* 0xff00(name): one byte of an address */
        while (shift < 56 && bits >> shift && !(bits >> shift & 0xff))
            shift += 8;
        if (literal != PTX_LITERAL_INT || bits != (uint64_t)0xff << shift)
            ptx_fail_here(ps, "an address mask has to select one byte");
        parse_address(ps, in, element, shift, 1);
        ptx_expect(ps, ')');
        return;
    }
    if (!ptx_convert_literal(literal, bits, in->s->type, &value) && !untyped_bits(literal, bits, in->s->type, &value))
        ptx_fail_here(ps, "the initial value is not a number of the variable's type");
    put(ps, in, element, value);
}

/* A list at nesting level 'level' whose items start at element 'first', up to 'limit'. Returns the end of what it filled. */
static uint64_t parse_list(struct ptx_parser *ps, struct init *in, unsigned level, uint64_t first, uint64_t limit)
{
    uint64_t at = first, stride = in->strides[level];

    ptx_expect(ps, '{');
    while (!ptx_at_punct(ps, '}')) {
        if (at >= limit)
            ptx_fail_here(ps, "too many initial values");
        if (ptx_at_punct(ps, '{')) {
            if (level + 1 >= in->levels)
                ptx_fail_here(ps, "initial values are nested deeper than the array");
            if ((at - first) % stride)
                at += stride - (at - first) % stride;
            if (at >= limit)
                ptx_fail_here(ps, "too many initial values");
            parse_list(ps, in, level + 1, at, at + stride);
            at += stride;
        } else {
            parse_element(ps, in, at++);
        }
        if (!ptx_accept(ps, ','))
            break;
    }
    ptx_expect(ps, '}');
    return at;
}

void ptx_parse_initialiser(struct ptx_parser *ps, struct ptx_symbol *s, const uint64_t *dims, unsigned ndims)
{
    struct init in = {.s = s, .width = (ptx_type_bits[s->type] + 7) / 8};
    uint64_t stride = s->vec, end, limit = s->unsized ? UINT64_MAX : s->size / in.width;
    struct ptx_reloc *relocs;

    in.levels = ndims + (s->vec > 1);
    if (s->vec > 1)
        in.strides[ndims] = 1;
    for (unsigned i = ndims; i-- > 0; stride *= dims[i])
        in.strides[i] = stride;
    if (ptx_at_punct(ps, '{')) {
        if (!in.levels) {
            in.levels = 1;
            in.strides[0] = 1;
        }
        end = parse_list(ps, &in, 0, 0, limit);
    } else {
        if (in.levels)
            ptx_fail_here(ps, "list of initial values expected");
        parse_element(ps, &in, 0);
        end = 1;
    }
    if (s->unsized) {
        stride = in.strides[0];
        s->size = (end + stride - 1) / stride * stride * in.width;
        s->unsized = false;
        if (!s->size)
            ptx_fail_here(ps, "array without a size");
    }
    s->init = ptx_keep(ps, in.used, 1);
    s->init_size = in.used;
    if (in.used)
        memcpy((void *)s->init, in.data, in.used);
    relocs = ptx_keep(ps, s->nrelocs, sizeof *relocs);
    if (s->nrelocs)
        memcpy(relocs, s->relocs, s->nrelocs * sizeof *relocs);
    s->relocs = relocs;
}
