/* SPDX-License-Identifier: Apache-2.0 */
/* Constant expressions, chapter 4.6: C's operators on 64-bit integers and doubles. */
#include "ptx/parse.h"

#define MAX_DEPTH 64

struct value {
    uint8_t literal;
    bool is_unsigned;
    uint64_t bits;
};

static struct value binary(struct ptx_parser *ps, int min_level, int depth);

static struct value integer(uint64_t bits, bool is_unsigned)
{
    return (struct value){PTX_LITERAL_INT, is_unsigned, bits};
}

static double as_double(const struct value *v)
{
    double d;

    if (v->literal == PTX_LITERAL_INT)
        return v->is_unsigned ? (double)v->bits : (double)(int64_t)v->bits;
    if (v->literal == PTX_LITERAL_F32) {
        uint32_t bits = v->bits;
        float f;

        memcpy(&f, &bits, sizeof f);
        return f;
    }
    memcpy(&d, &v->bits, sizeof d);
    return d;
}

static struct value from_double(double d)
{
    struct value v = {PTX_LITERAL_F64, false, 0};

    memcpy(&v.bits, &d, sizeof d);
    return v;
}

static bool truth(const struct value *v)
{
    return v->literal == PTX_LITERAL_INT ? v->bits != 0 : as_double(v) != 0;
}

static struct value primary(struct ptx_parser *ps, int depth)
{
    struct ptx_token t = ps->lx.t;
    struct value v;

    if (depth > MAX_DEPTH)
        ptx_fail_here(ps, "constant expression is nested too deeply");
    switch (t.kind) {
    case PTX_TOKEN_INT:
        ptx_next(ps);
        return integer(t.value, t.is_unsigned);
    case PTX_TOKEN_F32:
        ptx_next(ps);
        return (struct value){PTX_LITERAL_F32, false, t.value};
    case PTX_TOKEN_F64:
        ptx_next(ps);
        return (struct value){PTX_LITERAL_F64, false, t.value};
    case PTX_TOKEN_ID:
        if (ptx_accept_word(ps, "WARP_SZ"))
            return integer(32, false);
        break;
    case PTX_TOKEN_PUNCT:
        ptx_next(ps);
        switch (t.value) {
        case '(':
            if (ptx_at_word(ps, ".s64") || ptx_at_word(ps, ".u64")) { /* a cast */
                bool is_unsigned = ps->lx.t.s[1] == 'u';

                ptx_next(ps);
                ptx_expect(ps, ')');
                v = primary(ps, depth + 1);
                if (v.literal != PTX_LITERAL_INT)
                    ptx_fail_here(ps, "cast of a floating-point constant");
                return integer(v.bits, is_unsigned);
            }
            v = binary(ps, 0, depth + 1);
            ptx_expect(ps, ')');
            return v;
        case '-':
            v = primary(ps, depth + 1);
            if (v.literal == PTX_LITERAL_INT)
                return integer(-v.bits, v.is_unsigned);
            v.bits ^= v.literal == PTX_LITERAL_F32 ? 1u << 31 : (uint64_t)1 << 63;
            return v;
        case '+':
            return primary(ps, depth + 1);
        case '~':
            v = primary(ps, depth + 1);
            if (v.literal == PTX_LITERAL_INT)
                return integer(~v.bits, v.is_unsigned);
            break;
        case '!':
            v = primary(ps, depth + 1);
            return integer(!truth(&v), false);
        }
    }
    ptx_fail_here(ps, "constant expected");
}

enum { OP_NONE, OP_SHL = 256, OP_SHR, OP_LE, OP_GE, OP_EQ, OP_NE, OP_AND, OP_OR };

/* The operator at the current token: tokens are single characters, so two of them may make one. */
static int operator_at(struct ptx_parser *ps, int *level)
{
    static const struct {
        char text[3];
        int op, level;
    } ops[] = {
        {"||", OP_OR, 1}, {"&&", OP_AND, 2}, {"|", '|', 3}, {"^", '^', 4}, {"&", '&', 5}, {"==", OP_EQ, 6},
        {"!=", OP_NE, 6}, {"<<", OP_SHL, 8}, {">>", OP_SHR, 8}, {"<=", OP_LE, 7}, {">=", OP_GE, 7}, {"<", '<', 7},
        {">", '>', 7}, {"+", '+', 9}, {"-", '-', 9}, {"*", '*', 10}, {"/", '/', 10}, {"%", '%', 10},
    };
    const char *s = ps->lx.t.s;

    if (ps->lx.t.kind != PTX_TOKEN_PUNCT)
        return OP_NONE;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (s[0] == ops[i].text[0] && (!ops[i].text[1] || s[1] == ops[i].text[1])) {
            *level = ops[i].level;
            return ops[i].op;
        }
    }
    return OP_NONE;
}

static struct value apply_double(struct ptx_parser *ps, int op, double a, double b)
{
    switch (op) {
    case '+': return from_double(a + b);
    case '-': return from_double(a - b);
    case '*': return from_double(a * b);
    case '/': return from_double(a / b);
    case '<': return integer(a < b, false);
    case '>': return integer(a > b, false);
    case OP_LE: return integer(a <= b, false);
    case OP_GE: return integer(a >= b, false);
    case OP_EQ: return integer(a == b, false);
    case OP_NE: return integer(a != b, false);
    }
    ptx_fail_here(ps, "operator that floating-point constants do not have");
}

static struct value apply_int(struct ptx_parser *ps, int op, struct value x, struct value y)
{
    bool u = x.is_unsigned || y.is_unsigned;
    uint64_t a = x.bits, b = y.bits;
    int64_t sa = a, sb = b;

    switch (op) {
    case '+': return integer(a + b, u);
    case '-': return integer(a - b, u);
    case '*': return integer(a * b, u);
    case '/':
    case '%':
        if (!b)
            ptx_fail_here(ps, "division by zero in a constant expression");
        if (u)
            return integer(op == '/' ? a / b : a % b, true);
        if (sb == -1) /* the smallest number has no negative */
            return integer(op == '/' ? -a : 0, false);
        return integer(op == '/' ? sa / sb : sa % sb, false);
    case '|': return integer(a | b, u);
    case '^': return integer(a ^ b, u);
    case '&': return integer(a & b, u);
    case OP_SHL: return integer(b < 64 ? a << b : 0, x.is_unsigned);
    case OP_SHR:
        if (x.is_unsigned)
            return integer(b < 64 ? a >> b : 0, true);
        return integer(sa >> (b < 64 ? b : 63), false);
    case '<': return integer(u ? a < b : sa < sb, false);
    case '>': return integer(u ? a > b : sa > sb, false);
    case OP_LE: return integer(u ? a <= b : sa <= sb, false);
    case OP_GE: return integer(u ? a >= b : sa >= sb, false);
    case OP_EQ: return integer(a == b, false);
    case OP_NE: return integer(a != b, false);
    }
    ptx_fail_here(ps, "constant expression expected");
}

/* Precedence climbing; level 0 also takes ?: (right-associative). */
static struct value binary(struct ptx_parser *ps, int min_level, int depth)
{
    struct value a = primary(ps, depth), b, c;
    int op, level;

    while ((op = operator_at(ps, &level)) && level > min_level) {
        ptx_next(ps);
        if (op >= OP_SHL)
            ptx_next(ps);
        b = binary(ps, level, depth + 1);
        if (op == OP_AND || op == OP_OR)
            a = integer(op == OP_AND ? truth(&a) && truth(&b) : truth(&a) || truth(&b), false);
        else if (a.literal == PTX_LITERAL_INT && b.literal == PTX_LITERAL_INT)
            a = apply_int(ps, op, a, b);
        else
            a = apply_double(ps, op, as_double(&a), as_double(&b));
    }
    if (!min_level && ptx_at_punct(ps, '?')) {
        if (depth > MAX_DEPTH)
            ptx_fail_here(ps, "constant expression is nested too deeply");
        ptx_next(ps);
        b = binary(ps, 0, depth + 1);
        ptx_expect(ps, ':');
        c = binary(ps, 0, depth + 1);
        return truth(&a) ? b : c;
    }
    return a;
}

void ptx_parse_constant(struct ptx_parser *ps, uint8_t *literal, uint64_t *bits)
{
    struct value v = binary(ps, 0, 0);

    *literal = v.literal;
    *bits = v.bits;
}

int64_t ptx_parse_constant_int(struct ptx_parser *ps)
{
    struct value v = binary(ps, 0, 0);

    if (v.literal != PTX_LITERAL_INT)
        ptx_fail_here(ps, "integer constant expected");
    return v.bits;
}
