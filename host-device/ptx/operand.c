/* SPDX-License-Identifier: Apache-2.0 */
/* Operands, chapter 6, as far as they can be read without knowing the instruction. */
#include "ptx/parse.h"

static bool token_is(const struct ptx_token *t, const char *s)
{
    return t->n == strlen(s) && !memcmp(t->s, s, t->n);
}

/* .x .y .z .w (or .r .g .b .a): 0...3, -1 for anything else. */
static int component(const struct ptx_token *t)
{
    static const char names[] = "xyzwrgba";
    const char *p;

    if (t->kind != PTX_TOKEN_DOT || t->n != 2)
        return -1;
    p = strchr(names, t->s[1]);
    return p && t->s[1] ? (p - names) & 3 : -1;
}

/* Special registers whose names end in a number. */
static const struct {
    uint8_t sreg;
    const char *prefix;
    uint32_t count;
} numbered[] = {
    {PTX_SREG_envreg, "envreg", 32}, {PTX_SREG_pm, "pm", 8}, {PTX_SREG_reserved_smem_offset, "reserved_smem_offset_", 2},
};

static bool is_numbered(int sreg)
{
    for (size_t i = 0; i < sizeof numbered / sizeof *numbered; i++)
        if (numbered[i].sreg == sreg)
            return true;
    return false;
}

static bool numbered_register(const char *s, uint32_t n, struct ptx_operand *o)
{
    for (size_t i = 0; i < sizeof numbered / sizeof *numbered; i++) {
        uint32_t prefix = strlen(numbered[i].prefix), number = 0, k = prefix;

        if (n <= prefix || memcmp(s, numbered[i].prefix, prefix))
            continue;
        if (numbered[i].sreg == PTX_SREG_pm && n > 5 && !memcmp(s + n - 3, "_64", 3))
            n -= 3;
        for (; k < n && k < prefix + 2 && s[k] >= '0' && s[k] <= '9'; k++)
            number = number * 10 + (s[k] - '0');
        if (k != n || number >= numbered[i].count)
            continue;
        o->kind = PTX_OPERAND_SREG;
        o->sreg = numbered[i].sreg;
        o->component = number;
        return true;
    }
    return false;
}

/* %tid.x, %envreg3, %pm2, %pm2_64. False when t names no special register. */
static bool special_register(struct ptx_parser *ps, const struct ptx_token *t, struct ptx_operand *o)
{
    const char *s = t->s + 1;
    uint32_t n = t->n - 1;
    int c;

    if (t->s[0] != '%')
        return false;
    for (int i = 1; i < PTX_SREG_COUNT; i++) {
        const struct ptx_sreg_info *r = &ptx_sregs[i];

        if (strlen(r->name) != n || memcmp(r->name, s, n) || is_numbered(i))
            continue;
        o->kind = PTX_OPERAND_SREG;
        o->sreg = i;
        if (r->components > 1) {
            c = component(&ps->lx.t);
            if (c < 0)
                ptx_fail_here(ps, "special register without its component");
            o->component = c;
            ptx_next(ps);
        }
        return true;
    }
    return numbered_register(s, n, o);
}

/* .b0 .h1 .b3210 .h10 behind a register: operands of video instructions. */
static void selector(struct ptx_parser *ps, struct ptx_operand *o)
{
    const struct ptx_token *t = &ps->lx.t;
    bool bytes = t->s[1] == 'b';
    int max = bytes ? '7' : '3';

    if ((!bytes && t->s[1] != 'h') || t->n < 3 || t->n > 6)
        ptx_fail_here(ps, "unknown selector");
    o->n = t->n - 2;
    for (uint32_t i = 2; i < t->n; i++) {
        if (t->s[i] < '0' || t->s[i] > max)
            ptx_fail_here(ps, "unknown selector");
        o->imm = o->imm << 4 | (t->s[i] - '0');
    }
    if (o->n == 1 && o->imm < (bytes ? 4 : 2)) {
        o->sub = (bytes ? 1 : 5) + o->imm;
        o->imm = 0;
        o->n = 0;
    } else {
        o->sub = bytes ? 8 : 7;
    }
    ptx_next(ps);
}

static void immediate(struct ptx_parser *ps, struct ptx_operand *o)
{
    uint64_t bits;

    o->kind = PTX_OPERAND_IMM;
    ptx_parse_constant(ps, &o->sub, &bits);
    o->imm = bits;
}

static int64_t offset(struct ptx_parser *ps)
{
    bool negative = ptx_at_punct(ps, '-');
    int64_t v;

    if (!negative && !ptx_at_punct(ps, '+'))
        return 0;
    ptx_next(ps);
    v = ptx_parse_constant_int(ps);
    return negative ? (int64_t)-(uint64_t)v : v;
}

static void vector_register(struct ptx_parser *ps, struct ptx_operand *o, const struct ptx_name *e)
{
    int c = component(&ps->lx.t);

    if (c >= 0) {
        if ((uint32_t)c >= e->count)
            ptx_fail_here(ps, "the vector has no such component,");
        o->kind = PTX_OPERAND_REG;
        o->reg = e->value + c;
        ptx_next(ps);
        return;
    }
    o->kind = PTX_OPERAND_VEC;
    o->n = e->count;
    o->elems = ptx_keep(ps, e->count, sizeof *o->elems);
    for (uint32_t i = 0; i < e->count; i++)
        o->elems[i] = (struct ptx_operand){.kind = PTX_OPERAND_REG, .reg = e->value + i, .sym = -1};
}

static void name_operand(struct ptx_parser *ps, struct ptx_operand *o)
{
    struct ptx_token t = ps->lx.t;
    struct ptx_name *e;

    if (t.n == 1 && t.s[0] == '_') {
        ptx_next(ps);
        return; /* NONE: the sink */
    }
    e = ptx_lookup(ps, t.s, t.n);
    if (!e && token_is(&t, "WARP_SZ")) {
        immediate(ps, o);
        return;
    }
    ptx_next(ps);
    if (!e) {
        if (special_register(ps, &t, o))
            return;
        ptx_fail(ps, PTX_ERROR_INVALID, t.line, "'%.*s' is not declared", t.n > 100 ? 100 : (int)t.n, t.s);
    }
    switch (e->kind) {
    case PTX_NAME_REG:
        o->kind = PTX_OPERAND_REG;
        o->reg = e->value;
        if (ps->lx.t.kind == PTX_TOKEN_DOT)
            selector(ps, o);
        return;
    case PTX_NAME_VREG:
        vector_register(ps, o, e);
        return;
    case PTX_NAME_SYMBOL:
        o->kind = PTX_OPERAND_SYM;
        o->sym = e->value;
        o->imm = offset(ps);
        return;
    case PTX_NAME_FUNC:
        o->kind = PTX_OPERAND_FUNC;
        o->sym = e->value;
        return;
    case PTX_NAME_TABLE:
        o->kind = PTX_OPERAND_TABLE;
        o->sym = e->value;
        return;
    }
    ptx_fail(ps, PTX_ERROR_INVALID, t.line, "label '%.*s' cannot stand here", t.n > 100 ? 100 : (int)t.n, t.s);
}

static void address(struct ptx_parser *ps, struct ptx_operand *o)
{
    ptx_next(ps);
    if (ps->lx.t.kind == PTX_TOKEN_ID) {
        name_operand(ps, o);
        if (o->kind == PTX_OPERAND_REG && !o->sub)
            o->imm = offset(ps);
        else if (o->kind != PTX_OPERAND_SYM)
            ptx_fail_here(ps, "an address has to be a register, a variable or a number,");
    } else {
        o->imm = ptx_parse_constant_int(ps);
    }
    o->kind = PTX_OPERAND_MEM;
    ptx_expect(ps, ']');
    ptx_accept_word(ps, ".unified");
}

static void vector(struct ptx_parser *ps, struct ptx_operand *o)
{
    struct ptx_operand elems[32] = {0};

    ptx_next(ps);
    o->kind = PTX_OPERAND_VEC;
    do {
        struct ptx_operand *e = &elems[o->n];

        if (o->n == 32)
            ptx_fail_here(ps, "vector is too long");
        if (ptx_at_punct(ps, '{') || ptx_at_punct(ps, '['))
            ptx_fail_here(ps, "a vector element has to be a register or a number,");
        ptx_parse_operand(ps, e);
        if (e->kind != PTX_OPERAND_REG && e->kind != PTX_OPERAND_IMM && e->kind != PTX_OPERAND_NONE)
            ptx_fail_here(ps, "a vector element has to be a register or a number,");
        o->n++;
    } while (ptx_accept(ps, ','));
    ptx_expect(ps, '}');
    o->elems = ptx_keep(ps, o->n, sizeof *elems);
    memcpy(o->elems, elems, o->n * sizeof *elems);
}

void ptx_parse_operand(struct ptx_parser *ps, struct ptx_operand *o)
{
    struct ptx_lexer here;

    *o = (struct ptx_operand){.reg = -1, .sym = -1};
    if (ps->lx.t.kind == PTX_TOKEN_ID) {
        name_operand(ps, o);
        return;
    }
    if (ps->lx.t.kind == PTX_TOKEN_PUNCT) {
        switch (ps->lx.t.value) {
        case '[':
            address(ps, o);
            return;
        case '{':
            vector(ps, o);
            return;
        case '!':
        case '-': /* a negated register, or the sign of a number */
            here = ps->lx;
            ptx_next(ps);
            if (ps->lx.t.kind == PTX_TOKEN_ID && !ptx_at_word(ps, "WARP_SZ")) {
                name_operand(ps, o);
                if (o->kind != PTX_OPERAND_REG)
                    ptx_fail_here(ps, "only a register can be negated,");
                o->negated = true;
                return;
            }
            ps->lx = here;
        }
    }
    immediate(ps, o);
}

int32_t ptx_parse_guard(struct ptx_parser *ps, bool *negated)
{
    struct ptx_operand o;

    *negated = ptx_accept(ps, '!');
    ptx_parse_operand(ps, &o);
    if (o.kind != PTX_OPERAND_REG || o.negated || o.sub || ps->f->regs[o.reg].type != PTX_TYPE_pred)
        ptx_fail_here(ps, "a guard has to be a predicate register,");
    return o.reg;
}
