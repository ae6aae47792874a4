/* SPDX-License-Identifier: Apache-2.0 */
/* Approximate lane operations against libm, within the error bounds that the PTX ISA documents. */
#include <math.h>

#include "lane_numbers.h"

LANE_SELECTOR(approx);

/* The exact function's value as a double, and how far from it a result of the instruction may be. */
struct bound {
    const char *name;
    double (*f)(double);
    double relative, absolute;
    double from, to; /* outside of it only NaN and infinity are compared */
    uint16_t op;
    uint8_t type;
    uint32_t flags;
    bool flushed; /* subnormal arguments count as zero */
};

static double rcp(double x) { return 1 / x; }
static double rsqrt(double x) { return 1 / sqrt(x); }

#define P PTX_FLAG_APPROX
#define F PTX_FLAG_FTZ
#define ALL -INFINITY, INFINITY
static const struct bound bounds[] = {
    {"ex2.f32", exp2, 0x1p-22, 0x1p-149, ALL, PTX_OP_ex2, PTX_TYPE_f32, P, 0},
    {"ex2.ftz.f32", exp2, 0x1p-22, 0x1p-126, ALL, PTX_OP_ex2, PTX_TYPE_f32, P | F, 1},
    {"lg2.f32", log2, 0x1p-22, 0x1p-22, ALL, PTX_OP_lg2, PTX_TYPE_f32, P, 0},
    {"lg2.ftz.f32", log2, 0x1p-22, 0x1p-22, ALL, PTX_OP_lg2, PTX_TYPE_f32, P | F, 1},
    {"sin.f32", sin, 0, 0x1p-20, -3.2, 3.2, PTX_OP_sin, PTX_TYPE_f32, P, 0},
    {"cos.f32", cos, 0, 0x1p-20, -3.2, 3.2, PTX_OP_cos, PTX_TYPE_f32, P, 0},
    {"sin.f32, further out", sin, 0, 0x1p-16, -100, 100, PTX_OP_sin, PTX_TYPE_f32, P, 0},
    {"cos.ftz.f32, further out", cos, 0, 0x1p-16, -100, 100, PTX_OP_cos, PTX_TYPE_f32, P | F, 1},
    {"rcp.f32", rcp, 0x1p-23, 0x1p-149, ALL, PTX_OP_rcp, PTX_TYPE_f32, P, 0},
    {"rcp.ftz.f32", rcp, 0x1p-23, 0x1p-126, ALL, PTX_OP_rcp, PTX_TYPE_f32, P | F, 1},
    {"sqrt.f32", sqrt, 0x1p-23, 0, ALL, PTX_OP_sqrt, PTX_TYPE_f32, P, 0},
    {"sqrt.ftz.f32", sqrt, 0x1p-23, 0, ALL, PTX_OP_sqrt, PTX_TYPE_f32, P | F, 1},
    {"rsqrt.f32", rsqrt, 0x1p-22, 0, ALL, PTX_OP_rsqrt, PTX_TYPE_f32, P, 0},
    {"rsqrt.ftz.f32", rsqrt, 0x1p-22, 0, ALL, PTX_OP_rsqrt, PTX_TYPE_f32, P | F, 1},
    {"tanh.f32", tanh, 0x1p-11, 0x1p-149, ALL, PTX_OP_tanh, PTX_TYPE_f32, P, 0},
    {"tanh.f16", tanh, 0x1p-9, 0x1p-24, ALL, PTX_OP_tanh, PTX_TYPE_f16, P, 0},
    {"tanh.f16x2", tanh, 0x1p-9, 0x1p-24, ALL, PTX_OP_tanh, PTX_TYPE_f16x2, P, 0},
    {"tanh.bf16", tanh, 0x1p-6, 0x1p-133, ALL, PTX_OP_tanh, PTX_TYPE_bf16, P, 0},
    {"tanh.bf16x2", tanh, 0x1p-6, 0x1p-133, ALL, PTX_OP_tanh, PTX_TYPE_bf16x2, P, 0},
    {"ex2.f16", exp2, 0x1p-9, 0x1p-24, -30, 15.99, PTX_OP_ex2, PTX_TYPE_f16, P, 0},
    {"ex2.f16x2", exp2, 0x1p-9, 0x1p-24, -30, 15.99, PTX_OP_ex2, PTX_TYPE_f16x2, P, 0},
    {"ex2.ftz.bf16", exp2, 0x1p-6, 0x1p-126, -200, 127.9, PTX_OP_ex2, PTX_TYPE_bf16, P | F, 1},
    {"ex2.ftz.bf16x2", exp2, 0x1p-6, 0x1p-126, -200, 127.9, PTX_OP_ex2, PTX_TYPE_bf16x2, P | F, 1},
    {"rcp.ftz.f64", rcp, 0x1p-19, 0x1p-1022, ALL, PTX_OP_rcp, PTX_TYPE_f64, P | F, 1},
    {"rsqrt.ftz.f64", rsqrt, 0x1p-19, 0, ALL, PTX_OP_rsqrt, PTX_TYPE_f64, P | F, 1},
    {"rsqrt.f64", rsqrt, 0x1p-50, 0, ALL, PTX_OP_rsqrt, PTX_TYPE_f64, P, 0},
};

static unsigned bits_of(unsigned type)
{
    switch (type) {
    case PTX_TYPE_f16: case PTX_TYPE_bf16: return 16;
    case PTX_TYPE_f64: return 64;
    default: return 32;
    }
}

static double least_normal(unsigned type)
{
    return type == PTX_TYPE_f64 ? 0x1p-1022 : type == PTX_TYPE_f16 || type == PTX_TYPE_f16x2 ? 0x1p-14 : 0x1p-126;
}

static bool close_enough(const struct bound *b, uint64_t in, uint64_t out)
{
    const double largest = b->type == PTX_TYPE_f32 ? 0x1.fffffep127 : INFINITY;
    double x = double_of(b->type, in), got = double_of(b->type, out), want;

    if (b->type == PTX_TYPE_f64 && b->flags & PTX_FLAG_FTZ) { /* looks at the high word only */
        in &= 0xffffffff00000000u;
        memcpy(&x, &in, 8);
    }
    if (b->flushed && fabs(x) < least_normal(b->type))
        x = copysign(0, x);
    want = b->f(x);
    if (isnan(want))
        return isnan(got);
    if (!(x >= b->from && x <= b->to))
        return true;
    if (isinf(want) || fabs(want) > largest)
        return isinf(got) && signbit(got) == signbit(want);
    return fabs(got - want) <= b->absolute + b->relative * fabs(want);
}

static void run_bound(const struct bound *b)
{
    const struct ptx_insn insn = {.op = b->op, .types = {b->type}, .ntypes = 1, .nops = 2, .flags = b->flags};
    const unsigned bits = bits_of(b->type);
    const bool two = b->type == PTX_TYPE_f16x2 || b->type == PTX_TYPE_bf16x2;
    const struct lane_widths w = {{(uint8_t)bits}, {(uint8_t)bits}};
    static struct lane_registers s, d;

    for (unsigned copy = 0; copy < 3; copy++) {
        lane_op *op = lane_cpu_runs(copy) ? approx_set.copy[copy](&insn, &w) : NULL;
        if (!lane_cpu_runs(copy))
            continue;
        if (!op) {
            ok(0, "%s: copy %u has it", b->name, copy);
            return;
        }
        for (unsigned round = 0; round < 2000; round++) {
            struct lane_args a = {.mask = round % 2 ? ~0u : (uint32_t)lane_random() | 1, .insn = &insn, .d = {&d}, .s = {&s}};
            for (unsigned l = 0; l < 32; l++) {
                uint64_t v = lane_value(bits);
                if (round % 4 == 1 && bits == 32 && !two) { /* a number of moderate size */
                    float f = (float)((double)(int64_t)lane_random() * 0x1p-60 * (1 << round % 10));
                    memcpy(&v, &f, 4);
                    v &= 0xffffffff;
                }
                lane_put(&s, bits, l, v);
                lane_put(&d, bits, l, 0x5a5a);
            }
            op(&a);
            for (unsigned l = 0; l < 32; l++) {
                const uint64_t in = lane_get(&s, bits, l), out = lane_get(&d, bits, l);
                const bool active = a.mask >> l & 1;
                if (active ? !close_enough(b, in, out) || (two && !close_enough(b, in >> 16, out >> 16)) : out != 0x5a5a) {
                    diag("%s of %#" PRIx64 " gave %#" PRIx64, b->name, in, out);
                    ok(0, "%s, copy %u", b->name, copy);
                    return;
                }
            }
        }
    }
    ok(1, "%s", b->name);
}

static uint32_t flush(uint32_t u, uint32_t flags)
{
    return flags & PTX_FLAG_FTZ && !(u & 0x7f800000) ? u & 0x80000000 : u;
}

static void reference_div(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const double x = double_of(PTX_TYPE_f32, flush((uint32_t)s[0], insn->flags));
    const double y = double_of(PTX_TYPE_f32, flush((uint32_t)s[1], insn->flags));
    const bool unreachable = insn->flags & PTX_FLAG_APPROX && fabs(y) > 0x1p126; /* the result is 0, or NaN for infinities */
    const float r = (float)(x / (unreachable ? copysign(INFINITY, y) : y));
    uint32_t u;

    memcpy(&u, &r, 4);
    d[0] = isnan(r) ? 0x7fffffff : flush(u, insn->flags);
}

/* Two units in the last place. */
static bool same_div(const struct ptx_insn *insn, uint64_t got, uint64_t expected)
{
    const double g = double_of(PTX_TYPE_f32, got), e = double_of(PTX_TYPE_f32, expected);

    return fabs(g - e) <= fmax(0x1p-22 * fabs(e), insn->flags & PTX_FLAG_FTZ ? 0x1p-126 : 0x1p-148);
}

int main(void)
{
    static const uint32_t forms[] = {PTX_FLAG_APPROX, PTX_FLAG_APPROX | PTX_FLAG_FTZ, PTX_FLAG_FULL, PTX_FLAG_FULL | PTX_FLAG_FTZ};

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        run_bound(&bounds[i]);
    lane_same = same_div;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const struct ptx_insn insn = {.op = PTX_OP_div, .types = {PTX_TYPE_f32}, .ntypes = 1, .nops = 3, .flags = forms[i]};
        lane_compare(&approx_set, forms[i] & PTX_FLAG_FULL ? "div.full.f32" : "div.approx.f32", &insn, "4=44", reference_div);
    }
    return tap_done();
}
