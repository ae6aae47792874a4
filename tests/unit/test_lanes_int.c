/* SPDX-License-Identifier: Apache-2.0 */
/* Integer lane operations against the same arithmetic in 128 bits, where nothing overflows. */
#include "lane_check.h"

LANE_SELECTOR(int);

typedef __int128 wide;

static const struct type {
    uint8_t type, bits;
    bool with_sign;
    char letter;
    const char *name;
} types[] = {
    { PTX_TYPE_u16, 16, 0, '2', "u16" }, { PTX_TYPE_s16, 16, 1, '2', "s16" }, { PTX_TYPE_u32, 32, 0, '4', "u32" },
    { PTX_TYPE_s32, 32, 1, '4', "s32" }, { PTX_TYPE_u64, 64, 0, '8', "u64" }, { PTX_TYPE_s64, 64, 1, '8', "s64" },
};

static struct type type_of(const struct ptx_insn *insn)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == insn->types[0])
            return types[i];
    return (struct type){ .bits = 16, .with_sign = insn->types[0] == PTX_TYPE_s16x2 };
}

static wide value(uint64_t v, unsigned bits, bool with_sign)
{
    v &= ~(uint64_t)0 >> (64 - bits);
    return with_sign && v >> (bits - 1) & 1 ? (wide)v - ((wide)1 << bits) : (wide)v;
}

static wide clamp(wide v, wide lo, wide hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* What the product contributes to mul, mad and their 24-bit forms. */
static wide product(const struct ptx_insn *insn, wide a, wide b, unsigned bits)
{
    const bool is24 = insn->op == PTX_OP_mul24 || insn->op == PTX_OP_mad24;

    const unsigned __int128 p = (unsigned __int128)a * (unsigned __int128)b; /* of two u64 it fills all 128 bits */
    const unsigned shift = insn->mul != PTX_mul_hi ? 0 : is24 ? 16 : bits;

    return a < 0 || b < 0 ? (wide)p >> shift : (wide)(p >> shift);
}

static void reference(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const struct type t = type_of(insn);
    const bool is24 = insn->op == PTX_OP_mul24 || insn->op == PTX_OP_mad24;
    const bool with_carry = insn->op == PTX_OP_addc || insn->op == PTX_OP_subc || insn->op == PTX_OP_madc;
    const unsigned in_bits = is24 ? 24 : t.bits;
    const wide a = value(s[0], in_bits, t.with_sign), b = value(s[1], in_bits, t.with_sign);
    const wide all_ones = ~(wide)0, modulus = (wide)1 << t.bits;
    const wide carry_in = with_carry ? *carry : 0;
    wide r = 0, x, y;

    switch (insn->op) {
    case PTX_OP_add: case PTX_OP_addc: r = a + b + carry_in; break;
    case PTX_OP_sub: case PTX_OP_subc: r = a - b - carry_in; break;
    case PTX_OP_mul: case PTX_OP_mul24: r = product(insn, a, b, t.bits); break;
    case PTX_OP_mad: case PTX_OP_mad24: case PTX_OP_madc:
        x = insn->mul == PTX_mul_wide ? (wide)s[2] : value(s[2], t.bits, t.with_sign);
        r = (wide)((unsigned __int128)product(insn, a, b, t.bits) + (unsigned __int128)(x + carry_in));
        break;
    case PTX_OP_sad: r = (a < b ? b - a : a - b) + (wide)s[2]; break;
    case PTX_OP_div: r = b ? a / b : all_ones; break;
    case PTX_OP_rem: r = b ? a % b : all_ones; break;
    case PTX_OP_abs: r = a < 0 ? -a : a; break;
    case PTX_OP_neg: r = -a; break;
    case PTX_OP_min: r = a < b ? a : b; break;
    case PTX_OP_max: r = a > b ? a : b; break;
    default: abort();
    }
    if (insn->flags & PTX_FLAG_SAT)
        r = clamp(r, INT32_MIN, INT32_MAX);
    if ((insn->flags & PTX_FLAG_RELU) && r < 0)
        r = 0;
    if (insn->flags & PTX_FLAG_CC) {
        x = insn->op == PTX_OP_mad || insn->op == PTX_OP_madc ? product(insn, a, b, t.bits) : a;
        y = insn->op == PTX_OP_mad || insn->op == PTX_OP_madc ? (wide)s[2] : b;
        x = value((uint64_t)x, t.bits, false);
        y = value((uint64_t)y, t.bits, false);
        *carry = insn->op == PTX_OP_sub || insn->op == PTX_OP_subc ? x - y - carry_in < 0 : x + y + carry_in >= modulus;
    }
    d[0] = (uint64_t)r;
}

/* Packed halves: the reference for one, twice. */
static void reference2(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const uint64_t low[2] = { s[0] & 0xffff, s[1] & 0xffff }, high[2] = { s[0] >> 16, s[1] >> 16 };
    uint64_t l, h;

    reference(insn, &l, low, carry);
    reference(insn, &h, high, carry);
    d[0] = (l & 0xffff) | (h & 0xffff) << 16;
}

static void check(unsigned op, const char *name, const struct type *t, unsigned mul, uint32_t flags, char dst, unsigned ns)
{
    struct ptx_insn insn = { .op = (uint16_t)op, .ntypes = 1, .types = { t->type }, .mul = (uint8_t)mul, .flags = flags };
    char signature[8] = { dst, '=', t->letter, ns > 1 ? t->letter : 0, ns > 2 ? dst : 0 };
    char title[64];

    snprintf(title, sizeof title, "%s.%s%s%s%s%s", name, mul == PTX_mul_lo ? "lo." : mul == PTX_mul_hi ? "hi." :
             mul == PTX_mul_wide ? "wide." : "", flags & PTX_FLAG_SAT ? "sat." : "", flags & PTX_FLAG_CC ? "cc." : "",
             flags & PTX_FLAG_RELU ? "relu." : "", t->name);
    lane_compare(&int_set, title, &insn, signature,
                 t->type == PTX_TYPE_u16x2 || t->type == PTX_TYPE_s16x2 ? reference2 : reference);
}

int main(void)
{
    static const struct { uint16_t op; const char *name; uint8_t ns; bool unsigned_too; } plain[] = {
        { PTX_OP_add, "add", 2, 1 }, { PTX_OP_sub, "sub", 2, 1 }, { PTX_OP_div, "div", 2, 1 }, { PTX_OP_rem, "rem", 2, 1 },
        { PTX_OP_min, "min", 2, 1 }, { PTX_OP_max, "max", 2, 1 }, { PTX_OP_sad, "sad", 3, 1 }, { PTX_OP_abs, "abs", 1, 0 },
        { PTX_OP_neg, "neg", 1, 0 },
    };
    static const struct type u16x2 = { PTX_TYPE_u16x2, 32, 0, '4', "u16x2" }, s16x2 = { PTX_TYPE_s16x2, 32, 1, '4', "s16x2" };
    const struct type *s32 = &types[3];

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct type *t = &types[i];
        const char wider = t->bits == 16 ? '4' : '8';

        for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
            if (t->with_sign || plain[k].unsigned_too)
                check(plain[k].op, plain[k].name, t, 0, 0, t->letter, plain[k].ns);
        for (unsigned mul = PTX_mul_lo; mul <= PTX_mul_hi; mul++) {
            check(PTX_OP_mul, "mul", t, mul, 0, t->letter, 2);
            check(PTX_OP_mad, "mad", t, mul, 0, t->letter, 3);
        }
        if (t->bits < 64) {
            check(PTX_OP_mul, "mul", t, PTX_mul_wide, 0, wider, 2);
            check(PTX_OP_mad, "mad", t, PTX_mul_wide, 0, wider, 3);
        }
        if (t->bits < 32)
            continue;
        check(PTX_OP_add, "add", t, 0, PTX_FLAG_CC, t->letter, 2);
        check(PTX_OP_sub, "sub", t, 0, PTX_FLAG_CC, t->letter, 2);
        for (uint32_t cc = 0; cc <= PTX_FLAG_CC; cc += PTX_FLAG_CC) {
            check(PTX_OP_addc, "addc", t, 0, cc, t->letter, 2);
            check(PTX_OP_subc, "subc", t, 0, cc, t->letter, 2);
            check(PTX_OP_madc, "madc", t, PTX_mul_lo, cc, t->letter, 3);
            check(PTX_OP_madc, "madc", t, PTX_mul_hi, cc, t->letter, 3);
        }
        check(PTX_OP_mad, "mad", t, PTX_mul_lo, PTX_FLAG_CC, t->letter, 3);
        check(PTX_OP_mad, "mad", t, PTX_mul_hi, PTX_FLAG_CC, t->letter, 3);
        if (t->bits == 32)
            for (unsigned mul = PTX_mul_lo; mul <= PTX_mul_hi; mul++) {
                check(PTX_OP_mul24, "mul24", t, mul, 0, '4', 2);
                check(PTX_OP_mad24, "mad24", t, mul, 0, '4', 3);
            }
    }
    check(PTX_OP_add, "add", s32, 0, PTX_FLAG_SAT, '4', 2);
    check(PTX_OP_sub, "sub", s32, 0, PTX_FLAG_SAT, '4', 2);
    check(PTX_OP_mad, "mad", s32, PTX_mul_hi, PTX_FLAG_SAT, '4', 3);
    check(PTX_OP_mad24, "mad24", s32, PTX_mul_hi, PTX_FLAG_SAT, '4', 3);
    check(PTX_OP_min, "min", s32, 0, PTX_FLAG_RELU, '4', 2);
    check(PTX_OP_max, "max", s32, 0, PTX_FLAG_RELU, '4', 2);
    check(PTX_OP_min, "min", &s16x2, 0, PTX_FLAG_RELU, '4', 2);
    check(PTX_OP_max, "max", &s16x2, 0, PTX_FLAG_RELU, '4', 2);
    check(PTX_OP_add, "add", &u16x2, 0, 0, '4', 2);
    check(PTX_OP_add, "add", &s16x2, 0, 0, '4', 2);
    check(PTX_OP_min, "min", &u16x2, 0, 0, '4', 2);
    check(PTX_OP_max, "max", &u16x2, 0, 0, '4', 2);
    check(PTX_OP_min, "min", &s16x2, 0, 0, '4', 2);
    check(PTX_OP_max, "max", &s16x2, 0, 0, '4', 2);

    struct ptx_insn bad = { .op = PTX_OP_add, .ntypes = 1, .types = { PTX_TYPE_u32 }, .flags = PTX_FLAG_SAT };
    ok(!lanes_select_int_base(&bad, &(struct lane_widths){ { 32 }, { 32, 32 } }), "add.sat.u32 is refused");
    return tap_done();
}
