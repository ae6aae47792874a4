/* SPDX-License-Identifier: Apache-2.0 */
#include "jit/pattern.h"

#include <string.h>

#define KNOWN 64 /* align of a base that is 0 */

static uint64_t ones(unsigned bits)
{
    return bits >= 64 ? ~0ull : (1ull << bits) - 1;
}

static int64_t wrap(int64_t v, unsigned bits)
{
    unsigned spare = bits < 64 ? 64 - bits : 0;

    return (int64_t)((uint64_t)v << spare) >> spare;
}

void jit_pattern_uniform(struct jit_pattern *p)
{
    *p = (struct jit_pattern){.high = ~0ull};
}

void jit_pattern_constant(struct jit_pattern *p, uint64_t v, unsigned bits)
{
    for (unsigned l = 0; l < VG_WARP; l++)
        p->lane[l] = wrap((int64_t)v, bits);
    p->high = v & ones(bits);
    p->align = KNOWN;
    p->base = 0;
}

/* The same in all lanes that share a base, by rows of so many (0: all lanes). */
static bool is_steady(const struct jit_pattern *p, unsigned row)
{
    for (unsigned l = 1; l < VG_WARP; l++)
        if (p->lane[l] != p->lane[row ? l - l % row : 0])
            return false;
    return row || !p->row;
}

bool jit_pattern_is_uniform(const struct jit_pattern *p)
{
    return is_steady(p, 0);
}

static bool is_constant(const struct jit_pattern *p)
{
    return p->align == KNOWN && jit_pattern_is_uniform(p);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned zeros(uint64_t v)
{
    return v ? (unsigned)__builtin_ctzll(v) : KNOWN;
}

/* Every lane's part is below what the base is a multiple of: adding them carries nothing. */
static bool is_split(const struct jit_pattern *p)
{
    for (unsigned l = 0; l < VG_WARP; l++)
        if (p->lane[l] < 0 || (p->align < 63 && p->lane[l] >> p->align))
            return false;
    return true;
}

static void settle(struct jit_pattern *p, unsigned bits)
{
    for (unsigned l = 0; l < VG_WARP; l++)
        p->lane[l] = wrap(p->lane[l], bits);
    p->high = p->high > ones(bits) ? ones(bits) : p->high;
    if (p->align != KNOWN)
        return;
    p->high = 0;
    for (unsigned l = 0; l < VG_WARP; l++) {
        uint64_t v = (uint64_t)p->lane[l] & ones(bits);

        p->high = v > p->high ? v : p->high;
    }
}

/* A base for each row, so that its first lane adds nothing. */
static void divide(struct jit_pattern *p, unsigned row, unsigned bits)
{
    p->row = (uint8_t)row;
    p->base = 0;
    for (unsigned l = VG_WARP; l--;) {
        int64_t first = p->lane[l - l % row];

        p->align = (uint8_t)least(least(p->align, zeros((uint64_t)first)), KNOWN - 1);
        p->lane[l] = wrap(p->lane[l] - first, bits);
    }
}

static bool join_rows(struct jit_pattern *into, struct jit_pattern p, unsigned bits, unsigned row)
{
    struct jit_pattern mine = *into;

    divide(&mine, row, bits);
    divide(&p, row, bits);
    if (memcmp(mine.lane, p.lane, sizeof p.lane))
        return false;
    *into = mine;
    into->align = (uint8_t)least(mine.align, p.align);
    if (p.high > into->high)
        into->high = ~0ull;
    return true;
}

bool jit_pattern_join(struct jit_pattern *into, const struct jit_pattern *p, unsigned bits, unsigned row)
{
    int64_t by = wrap(p->lane[0] - into->lane[0], bits);

    for (unsigned l = 0; l < VG_WARP; l++)
        if (into->row || p->row || wrap(p->lane[l] - into->lane[l], bits) != by)
            return row && join_rows(into, *p, bits, row);
    into->align = (uint8_t)least(least(into->align, p->align), zeros((uint64_t)by));
    if (by || into->base != p->base)
        into->base = 0;
    if (p->high > into->high)
        into->high = ~0ull; /* it may go on growing, round after round of a loop */
    return true;
}

static uint32_t tid(const uint32_t block[3], unsigned component, uint32_t t)
{
    return component == 0 ? t % block[0] : component == 1 ? t / block[0] % block[1] : t / block[0] / block[1];
}

bool jit_pattern_tid(const uint32_t block[3], unsigned component, struct jit_pattern *p)
{
    uint32_t threads = block[0] * block[1] * block[2];

    *p = (struct jit_pattern){.align = KNOWN};
    for (uint32_t l = 0; l < VG_WARP; l++)
        p->lane[l] = tid(block, component, l);
    for (uint32_t t = 0; t < threads; t++) {
        uint32_t v = tid(block, component, t), base = tid(block, component, t - t % VG_WARP);

        if ((int64_t)v - base != p->lane[t % VG_WARP] - p->lane[0])
            return false;
        p->align = (uint8_t)least(p->align, zeros((uint64_t)(base - p->lane[0])));
        p->high = v > p->high ? v : p->high;
    }
    return true;
}

/* ---- Results ---- */

struct at {
    const struct ptx_insn *i;
    unsigned row;
    struct jit_pattern a, b, c;
    struct jit_pattern *r;
};

static bool add(struct at *x, const struct jit_pattern *a, const struct jit_pattern *b, int sign)
{
    for (unsigned l = 0; l < VG_WARP; l++)
        x->r->lane[l] = a->lane[l] + sign * b->lane[l];
    x->r->align = (uint8_t)least(a->align, b->align);
    x->r->base = b->align == KNOWN ? a->base : a->align == KNOWN && sign > 0 ? b->base : 0;
    if (sign < 0 && a->base && a->base == b->base)
        x->r->align = KNOWN;
    x->r->high = sign < 0 || __builtin_add_overflow(a->high, b->high, &x->r->high) ? ~0ull : x->r->high;
    return true;
}

/* Every lane's value is a multiple of 2 to this. */
static unsigned surely_zeros(const struct jit_pattern *p)
{
    unsigned n = p->align;

    for (unsigned l = 0; l < VG_WARP; l++)
        n = least(n, zeros((uint64_t)p->lane[l]));
    return n;
}

static bool multiply(struct at *x, const struct jit_pattern *a, const struct jit_pattern *b, struct jit_pattern *r)
{
    bool known = a->align == KNOWN && b->align == KNOWN;
    uint64_t high;

    if (__builtin_mul_overflow(a->high, b->high, &high))
        high = ~0ull;
    if (!known && is_constant(a) && !is_constant(b))
        return multiply(x, b, a, r);
    if (!known && !is_constant(b)) { /* of two bases: uniform at most */
        unsigned align = surely_zeros(a) + surely_zeros(b);

        if (!is_steady(a, x->row) || !is_steady(b, x->row))
            return false;
        *r = (struct jit_pattern){.high = high, .align = (uint8_t)least(align, 63)};
        return true;
    }
    for (unsigned l = 0; l < VG_WARP; l++)
        r->lane[l] = (int64_t)((uint64_t)a->lane[l] * (uint64_t)b->lane[l]);
    r->align = (uint8_t)(known ? KNOWN : least(a->align + zeros((uint64_t)b->lane[0]), 63));
    r->high = high;
    return true;
}

static bool shift_left(struct at *x, unsigned bits)
{
    uint64_t by = (uint64_t)x->b.lane[0] & 0xffffffff;

    if (!is_constant(&x->b) || by >= bits)
        return false;
    for (unsigned l = 0; l < VG_WARP; l++)
        x->r->lane[l] = (int64_t)((uint64_t)x->a.lane[l] << by);
    x->r->align = (uint8_t)(x->a.align == KNOWN ? KNOWN : least(x->a.align + (unsigned)by, 63));
    x->r->high = x->a.high > ones(64 - (unsigned)by) ? ~0ull : x->a.high << by;
    return true;
}

static bool shift_right(struct at *x, unsigned bits)
{
    uint64_t by = (uint64_t)x->b.lane[0] & 0xffffffff;
    bool with_sign = ptx_type_class[x->i->types[0]] == 's';

    if (!is_constant(&x->b) || by >= bits)
        return false;
    if (x->a.align == KNOWN) {
        for (unsigned l = 0; l < VG_WARP; l++)
            x->r->lane[l] = with_sign ? x->a.lane[l] >> by : (int64_t)(((uint64_t)x->a.lane[l] & ones(bits)) >> by);
        x->r->align = KNOWN;
        return true;
    }
    if (x->a.high <= ones(bits - 1) && x->a.high >> by == 0) {
        jit_pattern_constant(x->r, 0, bits);
        return true;
    }
    if (!is_split(&x->a))
        return false;
    for (unsigned l = 0; l < VG_WARP; l++)
        x->r->lane[l] = x->a.lane[l] >> by;
    x->r->align = (uint8_t)(x->a.align > by ? x->a.align - by : 0);
    if (x->a.align <= by)
        memset(x->r->lane, 0, sizeof x->r->lane);
    x->r->high = with_sign && x->a.high > ones(bits - 1) ? ~0ull : x->a.high >> by;
    return true;
}

static int64_t bitwise(uint16_t op, int64_t a, int64_t b)
{
    return op == PTX_OP_and ? a & b : op == PTX_OP_or ? a | b : a ^ b;
}

/* One side is known in every lane; what it does to the other side's base must be the same in all. */
static bool combine(struct at *x, unsigned bits)
{
    const struct jit_pattern *a = &x->a, *b = &x->b;
    uint16_t op = x->i->op;
    unsigned align = a->align;

    if (a->align == KNOWN) {
        a = &x->b;
        b = &x->a;
        align = a->align;
    }
    if (b->align != KNOWN)
        return false;
    for (unsigned l = 0; l < VG_WARP; l++) {
        x->r->lane[l] = bitwise(op, a->lane[l], b->lane[l]);
        /* The part of b over the base's bits is the same in all lanes. */
        if (align != KNOWN && (b->lane[l] ^ b->lane[0]) >> least(align, 63))
            return false;
    }
    x->r->high = op == PTX_OP_and ? (a->high < b->high ? a->high : b->high) : ~0ull;
    x->r->align = KNOWN;
    if (align == KNOWN)
        return true;
    if (!is_split(a))
        return false;
    if (op == PTX_OP_and) {
        uint64_t over = ((uint64_t)b->lane[0] & ones(bits)) >> align;

        for (unsigned l = 0; l < VG_WARP; l++)
            x->r->lane[l] &= (int64_t)ones(align);
        x->r->align = (uint8_t)(over ? align + zeros(over) : KNOWN);
        x->r->base = over == ones(bits) >> align ? a->base : 0;
        return true;
    }
    if ((uint64_t)b->lane[0] >> align) /* bits that the base may have, too */
        return false;
    x->r->align = (uint8_t)align;
    x->r->base = a->base;
    return true;
}

/* Zero- or sign-extension from 'bits' to 64 commutes with adding lanes. */
static bool extends(const struct jit_pattern *p, unsigned row, unsigned bits, bool with_sign)
{
    if (p->align == KNOWN || is_steady(p, row))
        return true;
    if (p->high <= ones(bits - 1))
        return true;
    return is_split(p) && p->align < bits - with_sign;
}

/* In code the base is lane 0's value: what is extended is that. */
static enum jit_shape_of extend(struct jit_pattern *p, unsigned row, unsigned bits, bool with_sign, const struct ptx_operand *o,
                                const struct ptx_operand **guard)
{
    if (!extends(p, row, bits, with_sign)) {
        if (!guard || bits != 32)
            return JIT_VARYING;
        *guard = o;
    }
    if (p->align != KNOWN)
        p->align = (uint8_t)least(p->align, bits);
    if (p->align == KNOWN && !with_sign)
        for (unsigned l = 0; l < VG_WARP; l++)
            p->lane[l] &= (int64_t)ones(bits);
    if (with_sign && p->high > ones(bits - 1))
        p->high = ~0ull;
    return JIT_PATTERN;
}

static bool is_integer(uint8_t type)
{
    char c = ptx_type_class[type];

    return (c == 'u' || c == 's' || c == 'b') && type != PTX_TYPE_u16x2 && type != PTX_TYPE_s16x2 && ptx_type_bits[type] <= 64;
}

bool jit_pattern_op(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_add: case PTX_OP_sub: case PTX_OP_shl: case PTX_OP_shr: case PTX_OP_and: case PTX_OP_or: case PTX_OP_xor:
        return is_integer(i->types[0]) && !i->flags && i->nops == 3;
    case PTX_OP_mul:
        return is_integer(i->types[0]) && !i->flags && (i->mul == PTX_mul_lo || (i->mul == PTX_mul_wide && ptx_type_bits[i->types[0]] == 32));
    case PTX_OP_mad:
        return is_integer(i->types[0]) && !i->flags && (i->mul == PTX_mul_lo || (i->mul == PTX_mul_wide && ptx_type_bits[i->types[0]] == 32));
    case PTX_OP_mov:
        return i->ops[0].kind == PTX_OPERAND_REG && i->ops[1].kind != PTX_OPERAND_VEC && is_integer(i->types[0]);
    case PTX_OP_cvt:
        return i->ntypes == 2 && is_integer(i->types[0]) && is_integer(i->types[1]) && !i->flags && !i->mode;
    case PTX_OP_cvta:
        return (i->space == PTX_SPACE_global || i->space == PTX_SPACE_const || i->space == PTX_SPACE_shared) &&
               ptx_type_bits[i->types[0]] == 64;
    case PTX_OP_neg: case PTX_OP_not:
        return is_integer(i->types[0]) && !i->flags;
    default:
        return false;
    }
}

static enum jit_shape_of convert(struct at *x, jit_operand_fn *operand, void *arg, const struct ptx_operand **guard)
{
    const struct ptx_insn *i = x->i;
    unsigned from = ptx_type_bits[i->types[1]], to = ptx_type_bits[i->types[0]];
    bool with_sign = ptx_type_class[i->types[1]] == 's';
    enum jit_shape_of s = operand(arg, &i->ops[1], from, x->r);

    if (s != JIT_PATTERN)
        return s;
    settle(x->r, from);
    if (to != from)
        x->r->base = 0;
    if (to > from) {
        s = extend(x->r, x->r->row, from, with_sign, &i->ops[1], guard);
        if (s != JIT_PATTERN)
            return s;
    }
    if (to < 32) { /* registers are wider, and filled up with the result's sign */
        if (to < 16 || !jit_pattern_is_uniform(x->r))
            return jit_pattern_is_uniform(x->r) ? jit_pattern_uniform(x->r), JIT_PATTERN : JIT_VARYING;
    }
    settle(x->r, to);
    return JIT_PATTERN;
}

static enum jit_shape_of worse(enum jit_shape_of a, enum jit_shape_of b)
{
    return a == JIT_VARYING || b == JIT_VARYING ? JIT_VARYING : a == JIT_UNSEEN || b == JIT_UNSEEN ? JIT_UNSEEN : JIT_PATTERN;
}

static bool all_uniform(const struct at *x, unsigned n)
{
    return is_steady(&x->a, x->row) && (n < 2 || is_steady(&x->b, x->row)) && (n < 3 || is_steady(&x->c, x->row));
}

/* The result's pattern where those of its operands are there, by rows of x->row lanes. */
static bool operate(struct at *x, const struct ptx_operand **guard)
{
    const struct ptx_insn *i = x->i;
    struct jit_pattern *p = x->r;
    unsigned bits = ptx_type_bits[i->types[0]];
    bool wide = (i->op == PTX_OP_mul || i->op == PTX_OP_mad) && i->mul == PTX_mul_wide, good;
    bool with_sign = ptx_type_class[i->types[0]] == 's';

    *p = (struct jit_pattern){.high = ~0ull};
    switch (i->op) {
    case PTX_OP_mov:
        *p = x->a;
        good = true;
        break;
    case PTX_OP_cvta: /* a block's shared memory begins at a page */
        *p = x->a;
        p->high = ~0ull;
        if (i->space == PTX_SPACE_shared) {
            p->align = (uint8_t)least(p->align, 12);
            p->base = 0;
        }
        good = true;
        break;
    case PTX_OP_add:
        good = add(x, &x->a, &x->b, 1);
        break;
    case PTX_OP_sub:
        good = add(x, &x->a, &x->b, -1);
        break;
    case PTX_OP_neg:
        x->b = x->a;
        jit_pattern_constant(&x->a, 0, bits);
        good = add(x, &x->a, &x->b, -1);
        break;
    case PTX_OP_not:
        x->b = x->a;
        jit_pattern_constant(&x->a, ~0ull, bits);
        good = add(x, &x->a, &x->b, -1);
        break;
    case PTX_OP_shl:
        good = shift_left(x, bits);
        break;
    case PTX_OP_shr:
        good = shift_right(x, bits);
        break;
    case PTX_OP_mul:
    case PTX_OP_mad: {
        struct jit_pattern product = {.high = ~0ull};

        if (wide && !all_uniform(x, 2) &&
            (extend(&x->a, x->row, bits, with_sign, &i->ops[1], guard) != JIT_PATTERN ||
             extend(&x->b, x->row, bits, with_sign, &i->ops[2], !guard || *guard ? NULL : guard) != JIT_PATTERN)) {
            good = false;
            break;
        }
        if (wide && all_uniform(x, 2)) {
            product.align = (uint8_t)least(surely_zeros(&x->a) + surely_zeros(&x->b), 63);
            good = true;
        } else {
            good = multiply(x, &x->a, &x->b, &product);
        }
        if (good && i->op == PTX_OP_mad) {
            settle(&product, wide ? 64 : bits);
            good = add(x, &product, &x->c, 1);
        } else {
            *p = product;
        }
        break;
    }
    default:
        good = combine(x, bits);
    }
    if (!good && all_uniform(x, i->nops - 1u)) {
        jit_pattern_uniform(p);
        good = true;
    }
    if (good)
        settle(p, wide ? 64 : bits);
    if (good && x->row && p->align != KNOWN)
        divide(p, x->row, wide ? 64 : bits);
    return good;
}

enum jit_shape_of jit_pattern_result(const struct ptx_insn *i, jit_operand_fn *operand, void *arg, unsigned row, struct jit_pattern *p,
                                     const struct ptx_operand **guard)
{
    unsigned bits = ptx_type_bits[i->types[0]], n = i->nops - 1u;
    bool wide = (i->op == PTX_OP_mul || i->op == PTX_OP_mad) && i->mul == PTX_mul_wide;
    bool shifts = i->op == PTX_OP_shl || i->op == PTX_OP_shr;
    struct at x = {.i = i, .r = p}, rows;
    enum jit_shape_of s;

    if (i->op == PTX_OP_cvt)
        return convert(&x, operand, arg, guard);
    s = operand(arg, &i->ops[1], bits, &x.a);
    if (n > 1)
        s = worse(s, operand(arg, &i->ops[2], shifts ? 32 : bits, &x.b));
    if (n > 2)
        s = worse(s, operand(arg, &i->ops[3], wide ? 64 : bits, &x.c));
    if (s != JIT_PATTERN)
        return s;
    settle(&x.a, bits);
    settle(&x.b, shifts ? 32 : bits);
    settle(&x.c, wide ? 64 : bits);
    rows = x;
    rows.row = row;
    if (!x.a.row && !x.b.row && !x.c.row && operate(&x, guard))
        return JIT_PATTERN;
    if (guard)
        *guard = NULL;
    return row && operate(&rows, guard) ? JIT_PATTERN : JIT_VARYING;
}
