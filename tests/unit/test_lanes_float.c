/* SPDX-License-Identifier: Apache-2.0 */
/* f32 and f64 lane operations against C's scalar arithmetic in the rounding mode of the instruction, halves against exact
 * integers rounded once. */
#include <fenv.h>
#include <math.h>
#include <stdio.h>

#include "lane_check.h"

LANE_SELECTOR(f32);
LANE_SELECTOR(f64);
LANE_SELECTOR(half);

static float f32_of(uint64_t u)
{
    uint32_t v = (uint32_t)u;
    float f;

    memcpy(&f, &v, 4);
    return f;
}

static uint32_t bits_of_f32(float f)
{
    uint32_t u;

    memcpy(&u, &f, 4);
    return u;
}

static double f64_of(uint64_t u)
{
    double f;

    memcpy(&f, &u, 8);
    return f;
}

static uint64_t bits_of_f64(double f)
{
    uint64_t u;

    memcpy(&u, &f, 8);
    return u;
}

static int mode_of(const struct ptx_insn *insn)
{
    switch (insn->round) {
    case PTX_round_rz: return FE_TOWARDZERO;
    case PTX_round_rm: return FE_DOWNWARD;
    case PTX_round_rp: return FE_UPWARD;
    default: return FE_TONEAREST;
    }
}

/* ---- f32 ---- */

static uint32_t flush(uint32_t u, const struct ptx_insn *insn)
{
    return insn->flags & PTX_FLAG_FTZ && !(u & 0x7f800000) ? u & 0x80000000 : u;
}

static uint32_t arithmetic_f32(const struct ptx_insn *insn, uint32_t a, uint32_t b, uint32_t c)
{
    volatile float x = f32_of(flush(a, insn)), y = f32_of(flush(b, insn)), z = f32_of(flush(c, insn)), r;
    uint32_t u;

    fesetround(mode_of(insn));
    switch (insn->op) {
    case PTX_OP_add: r = x + y; break;
    case PTX_OP_sub: r = x - y; break;
    case PTX_OP_mul: r = x * y; break;
    case PTX_OP_div: r = x / y; break;
    case PTX_OP_rcp: r = 1.0f / x; break;
    case PTX_OP_sqrt: r = sqrtf(x); break;
    default: r = fmaf(x, y, z);
    }
    fesetround(FE_TONEAREST);
    u = isnan(r) ? 0x7fffffff : bits_of_f32(r);
    if (insn->flags & PTX_FLAG_SAT)
        u = !(r > 0) ? 0 : r > 1 ? 0x3f800000 : u;
    return flush(u, insn);
}

static void reference_f32(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    d[0] = arithmetic_f32(insn, (uint32_t)s[0], (uint32_t)s[1], (uint32_t)s[2]);
}

static void reference_f32x2(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    d[0] = arithmetic_f32(insn, (uint32_t)s[0], (uint32_t)s[1], (uint32_t)s[2]) |
           (uint64_t)arithmetic_f32(insn, (uint32_t)(s[0] >> 32), (uint32_t)(s[1] >> 32), (uint32_t)(s[2] >> 32)) << 32;
}

/* The smaller or larger of two, by C's comparison; -0 counts as less than 0. */
static double picked(const struct ptx_insn *insn, double x, double y)
{
    const bool less = x < y || (x == y && signbit(x) > signbit(y));

    if (isnan(x) || isnan(y))
        return insn->flags & PTX_FLAG_NAN ? NAN : isnan(x) ? y : x;
    return less == (insn->op == PTX_OP_min) ? x : y;
}

static void reference_minmax_f32(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    uint32_t a = flush((uint32_t)s[0], insn), sign = 0;

    for (int i = 1; i < insn->nops - 1; i++) {
        uint32_t b = flush((uint32_t)s[i], insn);
        double r;
        if (insn->flags & PTX_FLAG_XORSIGN)
            sign = (a ^ b) & 0x80000000;
        if (insn->flags & PTX_FLAG_ABS)
            r = picked(insn, fabs((double)f32_of(a)), fabs((double)f32_of(b)));
        else
            r = picked(insn, f32_of(a), f32_of(b));
        a = isnan(r) ? 0x7fffffff : bits_of_f32((float)r) | sign;
    }
    d[0] = a;
}

static void reference_sign_f32(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const uint32_t a = flush((uint32_t)s[0], insn);

    d[0] = insn->op == PTX_OP_copysign ? (s[0] & 0x80000000) | (s[1] & 0x7fffffff)
         : isnan(f32_of(a)) ? 0x7fffffff : insn->op == PTX_OP_abs ? a & 0x7fffffff : a ^ 0x80000000;
}

/* ---- f64 ---- */

static void reference_f64(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    volatile double x = f64_of(s[0]), y = f64_of(s[1]), z = f64_of(s[2]), r;

    fesetround(mode_of(insn));
    switch (insn->op) {
    case PTX_OP_add: r = x + y; break;
    case PTX_OP_sub: r = x - y; break;
    case PTX_OP_mul: r = x * y; break;
    case PTX_OP_div: r = x / y; break;
    case PTX_OP_rcp: r = 1.0 / x; break;
    case PTX_OP_sqrt: r = sqrt(x); break;
    case PTX_OP_min: case PTX_OP_max: r = picked(insn, x, y); break;
    case PTX_OP_abs: r = fabs(x); break;
    case PTX_OP_neg: r = -x; break;
    case PTX_OP_copysign: r = copysign(y, x); break;
    default: r = fma(x, y, z);
    }
    fesetround(FE_TONEAREST);
    d[0] = bits_of_f64(r);
}

/* Which operand's NaN comes out is open. */
static bool same_f64(const struct ptx_insn *insn, uint64_t got, uint64_t expected)
{
    return isnan(f64_of(got)) && isnan(f64_of(expected));
}

/* ---- Halves ---- */

struct format {
    int exponent_bits, fraction_bits;
};

static struct format format_of(const struct ptx_insn *insn)
{
    return insn->types[0] == PTX_TYPE_f16 || insn->types[0] == PTX_TYPE_f16x2 ? (struct format){5, 10} : (struct format){8, 7};
}

/* m * 2^e */
struct exact {
    __int128 m;
    int e;
};

static struct exact exact_of(uint32_t h, struct format f)
{
    const int bias = (1 << (f.exponent_bits - 1)) - 1, e = h >> f.fraction_bits & ((1 << f.exponent_bits) - 1);
    const int fraction = h & ((1 << f.fraction_bits) - 1), m = e ? fraction | 1 << f.fraction_bits : fraction;

    return (struct exact){h & 0x8000 ? -m : m, (e ? e : 1) - bias - f.fraction_bits};
}

/* x + y; when they lie far apart the smaller one only says on which side of the larger the sum is. */
static struct exact sum_of(struct exact x, struct exact y)
{
    struct exact t;

    if (!x.m || !y.m)
        return x.m ? x : y;
    if (x.e < y.e)
        t = x, x = y, y = t;
    if (x.e - y.e > 80) {
        y.m = y.m < 0 ? -1 : 1;
        y.e = x.e - 80;
    }
    x.m = x.m * ((__int128)1 << (x.e - y.e)) + y.m;
    x.e = y.e;
    return x;
}

/* Nearest even, to f's fraction or to its smallest number. */
static uint32_t rounded(struct exact x, struct format f)
{
    const int bias = (1 << (f.exponent_bits - 1)) - 1, least = 1 - bias - f.fraction_bits;
    const uint32_t sign = x.m < 0 ? 0x8000 : 0, infinity = ((1u << f.exponent_bits) - 1) << f.fraction_bits;
    unsigned __int128 m = x.m < 0 ? -(unsigned __int128)x.m : (unsigned __int128)x.m, r, rest, half;
    int top = 0, e;

    while (top < 127 && m >> (top + 1))
        top++;
    e = top + x.e - f.fraction_bits;
    e = e < least ? least : e;
    if (e - x.e > 126)
        return sign;
    if (e <= x.e) {
        r = m << (x.e - e);
    } else {
        half = (unsigned __int128)1 << (e - x.e - 1);
        r = m >> (e - x.e);
        rest = m & (2 * half - 1);
        r += rest > half || (rest == half && r & 1);
    }
    if (r >> (f.fraction_bits + 1)) {
        r >>= 1;
        e++;
    }
    if (!(r >> f.fraction_bits))
        return sign | (uint32_t)r;
    return sign | (e - least + 1 >= (1 << f.exponent_bits) - 1 ? infinity : ((uint32_t)(e - least) << f.fraction_bits) + (uint32_t)r);
}

static uint32_t arithmetic_half(const struct ptx_insn *insn, uint32_t a, uint32_t b, uint32_t c)
{
    const struct format f = format_of(insn);
    const uint32_t infinity = ((1u << f.exponent_bits) - 1) << f.fraction_bits;
    struct exact x, y, r;
    uint32_t h[3] = {a, b, c}, u;
    bool finite = true;

    for (int i = 0; i < 3; i++) {
        if (insn->flags & PTX_FLAG_FTZ && !(h[i] & infinity))
            h[i] &= 0x8000;
        finite = finite && (i == 2 && insn->op != PTX_OP_fma ? true : (h[i] & infinity) != infinity);
    }
    if (insn->op == PTX_OP_sub)
        h[1] ^= 0x8000;
    x = exact_of(h[0], f);
    y = exact_of(h[1], f);
    if (insn->op == PTX_OP_add || insn->op == PTX_OP_sub) {
        r = sum_of(x, y);
        u = r.m ? rounded(r, f) : h[0] & h[1] & 0x8000;
    } else {
        const uint32_t sign = (h[0] ^ h[1]) & 0x8000;
        r = (struct exact){x.m * y.m, x.e + y.e};
        if (insn->op == PTX_OP_fma) {
            const bool zero_product = !r.m;
            r = sum_of(r, exact_of(h[2], f));
            u = r.m ? rounded(r, f) : zero_product ? sign & h[2] & 0x8000 : 0;
        } else {
            u = r.m ? rounded(r, f) | sign : sign;
        }
    }
    if (!finite) { /* infinities and NaNs only: C's double says which */
        double v[3], d;
        for (int i = 0; i < 3; i++)
            v[i] = (h[i] & 0x7fff) > infinity ? NAN
                 : (h[i] & infinity) == infinity ? (h[i] & 0x8000 ? -INFINITY : INFINITY)
                 : ldexp((double)exact_of(h[i], f).m, exact_of(h[i], f).e);
        d = insn->op == PTX_OP_mul ? v[0] * v[1] : insn->op == PTX_OP_fma ? v[0] * v[1] + v[2] : v[0] + v[1];
        u = isnan(d) ? 0x7fff : (d < 0 ? 0x8000 : 0) | infinity;
    }
    if (insn->flags & PTX_FLAG_FTZ && !(u & infinity))
        u &= 0x8000;
    if (insn->flags & PTX_FLAG_SAT)
        u = u & 0x8000 || u > infinity ? 0 : u > (uint32_t)((1 << (f.exponent_bits - 1)) - 1) << f.fraction_bits
              ? (uint32_t)((1 << (f.exponent_bits - 1)) - 1) << f.fraction_bits : u;
    if (insn->flags & PTX_FLAG_RELU && u & 0x8000)
        u = 0;
    return u;
}

static uint32_t select_half(const struct ptx_insn *insn, uint32_t a, uint32_t b, uint32_t c)
{
    const struct format f = format_of(insn);
    const uint32_t infinity = ((1u << f.exponent_bits) - 1) << f.fraction_bits;
    uint32_t h[2] = {a, b}, sign = insn->flags & PTX_FLAG_XORSIGN ? (a ^ b) & 0x8000 : 0, u;
    double v[2], r;

    for (int i = 0; i < 2; i++) {
        if (insn->flags & PTX_FLAG_FTZ && !(h[i] & infinity))
            h[i] &= 0x8000;
        if (insn->flags & PTX_FLAG_ABS)
            h[i] &= 0x7fff;
        v[i] = (h[i] & 0x7fff) > infinity ? NAN : (double)(h[i] & 0x7fff);
        v[i] = h[i] & 0x8000 ? -v[i] : v[i]; /* in the order of the numbers */
    }
    if (insn->op == PTX_OP_abs || insn->op == PTX_OP_neg)
        return isnan(v[0]) ? 0x7fff : insn->op == PTX_OP_abs ? h[0] & 0x7fff : h[0] ^ 0x8000;
    r = picked(insn, v[0], v[1]);
    u = isnan(r) ? 0x7fff : (uint32_t)fabs(r) | (signbit(r) ? 0x8000 : 0);
    return isnan(r) ? u : u | sign;
}

typedef uint32_t half_reference(const struct ptx_insn *insn, uint32_t a, uint32_t b, uint32_t c);

static void reference_half(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const bool arithmetic = insn->op == PTX_OP_add || insn->op == PTX_OP_sub || insn->op == PTX_OP_mul || insn->op == PTX_OP_fma;
    half_reference *f = arithmetic ? arithmetic_half : select_half;

    d[0] = f(insn, s[0] & 0xffff, s[1] & 0xffff, s[2] & 0xffff);
    if (insn->types[0] == PTX_TYPE_f16x2 || insn->types[0] == PTX_TYPE_bf16x2)
        d[0] |= (uint64_t)f(insn, s[0] >> 16 & 0xffff, s[1] >> 16 & 0xffff, s[2] >> 16 & 0xffff) << 16;
}

/* ---- What is tested ---- */

static const uint8_t rounds[] = {PTX_round_none, PTX_round_rn, PTX_round_rz, PTX_round_rm, PTX_round_rp};

struct op_case {
    const char *name, *signature;
    uint16_t op;
    uint8_t type, nops;
    uint32_t flags; /* all subsets are run */
    bool rounds;
};

static void run_cases(const struct lane_set *set, const struct op_case *cases, size_t n, lane_reference *reference)
{
    for (size_t i = 0; i < n; i++) {
        const struct op_case *c = &cases[i];
        for (uint32_t flags = c->flags;; flags = (flags - 1) & c->flags) {
            /* .xorsign always has .abs with it; .sat and .relu exclude each other. */
            const bool legal = (!(flags & PTX_FLAG_XORSIGN) || flags & PTX_FLAG_ABS) &&
                               !(flags & PTX_FLAG_ABS && !(flags & PTX_FLAG_XORSIGN) && c->nops == 3) &&
                               !(flags & PTX_FLAG_SAT && flags & PTX_FLAG_RELU);
            for (size_t r = 0; legal && r < (c->rounds ? sizeof rounds : 1); r++) {
                const struct ptx_insn insn = {.op = c->op, .types = {c->type}, .ntypes = 1, .nops = c->nops, .flags = flags,
                                              .round = rounds[r]};
                char name[96];
                snprintf(name, sizeof name, "%s flags %#x rounding %zu", c->name, flags, r);
                lane_compare(set, name, &insn, c->signature, reference);
            }
            if (!flags)
                break;
        }
    }
}
#define RUN(set, cases, reference) run_cases(set, cases, sizeof(cases) / sizeof *(cases), reference)

#define F PTX_FLAG_FTZ
#define S PTX_FLAG_SAT
#define R PTX_FLAG_RELU
#define N PTX_FLAG_NAN
#define X (PTX_FLAG_XORSIGN | PTX_FLAG_ABS)
#define CASE(op, type, signature, nops, flags, rounds) {#op "." #type, signature, PTX_OP_##op, PTX_TYPE_##type, nops, flags, rounds}

int main(void)
{
    static const struct op_case f32[] = {
        CASE(add, f32, "4=44", 3, F | S, 1), CASE(sub, f32, "4=44", 3, F | S, 1), CASE(mul, f32, "4=44", 3, F | S, 1),
        CASE(fma, f32, "4=444", 4, F | S, 1), CASE(mad, f32, "4=444", 4, F | S, 1), CASE(div, f32, "4=44", 3, F, 1),
        CASE(rcp, f32, "4=4", 2, F, 1), CASE(sqrt, f32, "4=4", 2, F, 1),
    };
    static const struct op_case f32x2[] = {
        CASE(add, f32x2, "8=88", 3, F, 1), CASE(sub, f32x2, "8=88", 3, F, 1), CASE(mul, f32x2, "8=88", 3, F, 1),
        CASE(fma, f32x2, "8=888", 4, F, 1),
    };
    static const struct op_case minmax_f32[] = {
        CASE(min, f32, "4=44", 3, F | N | X, 0), CASE(max, f32, "4=44", 3, F | N | X, 0),
        CASE(min, f32, "4=444", 4, F | N | PTX_FLAG_ABS, 0), CASE(max, f32, "4=444", 4, F | N | PTX_FLAG_ABS, 0),
    };
    static const struct op_case sign_f32[] = {
        CASE(abs, f32, "4=4", 2, F, 0), CASE(neg, f32, "4=4", 2, F, 0), CASE(copysign, f32, "4=44", 3, 0, 0),
    };
    static const struct op_case f64[] = {
        CASE(add, f64, "8=88", 3, 0, 1), CASE(sub, f64, "8=88", 3, 0, 1), CASE(mul, f64, "8=88", 3, 0, 1),
        CASE(div, f64, "8=88", 3, 0, 1), CASE(fma, f64, "8=888", 4, 0, 1), CASE(rcp, f64, "8=8", 2, 0, 1),
        CASE(sqrt, f64, "8=8", 2, 0, 1), CASE(min, f64, "8=88", 3, 0, 0), CASE(max, f64, "8=88", 3, 0, 0),
        CASE(abs, f64, "8=8", 2, 0, 0), CASE(neg, f64, "8=8", 2, 0, 0), CASE(copysign, f64, "8=88", 3, 0, 0),
    };
#define BOTH(op, in1, in2, nops, f16_flags, bf16_flags) \
    CASE(op, f16, "2=" in1, nops, f16_flags, 0), CASE(op, f16x2, "4=" in2, nops, f16_flags, 0), \
    CASE(op, bf16, "2=" in1, nops, bf16_flags, 0), CASE(op, bf16x2, "4=" in2, nops, bf16_flags, 0)
    static const struct op_case half[] = {
        BOTH(add, "22", "44", 3, F | S, 0), BOTH(sub, "22", "44", 3, F | S, 0), BOTH(mul, "22", "44", 3, F | S, 0),
        BOTH(fma, "222", "444", 4, F | S | R, R), BOTH(min, "22", "44", 3, F | N | X, N | X),
        BOTH(max, "22", "44", 3, F | N | X, N | X), BOTH(abs, "2", "4", 2, F, 0), BOTH(neg, "2", "4", 2, F, 0),
    };
    static const struct ptx_insn refused[] = {
        {.op = PTX_OP_add, .types = {PTX_TYPE_f32}, .nops = 3, .flags = PTX_FLAG_RELU},
        {.op = PTX_OP_add, .types = {PTX_TYPE_f32}, .nops = 3, .round = PTX_round_rna},
        {.op = PTX_OP_div, .types = {PTX_TYPE_f32}, .nops = 3, .flags = PTX_FLAG_APPROX},
        {.op = PTX_OP_min, .types = {PTX_TYPE_f32}, .nops = 3, .flags = PTX_FLAG_XORSIGN},
    };
    const struct lane_widths w = {0};

    RUN(&f32_set, f32, reference_f32);
    RUN(&f32_set, f32x2, reference_f32x2);
    RUN(&f32_set, minmax_f32, reference_minmax_f32);
    RUN(&f32_set, sign_f32, reference_sign_f32);
    RUN(&half_set, half, reference_half);
    lane_same = same_f64;
    RUN(&f64_set, f64, reference_f64);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ok(!lanes_select_f32_base(&refused[i], &w), "refused form %zu", i);
    return tap_done();
}
