/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions against 128-bit integers, the processor's own rounding (f32, f64) and a search among all values of the format
 * (everything narrower); moves between registers and vectors. */
#include <fenv.h>

#include "lane_numbers.h"

LANE_SELECTOR(cvt);

static const struct format {
    uint8_t type, exponent, fraction, stride;
    bool top;
    uint32_t max, nan; /* greatest finite magnitude; what a NaN becomes */
} formats[] = {
    { PTX_TYPE_f16, 5, 10, 16, 1, 0x7bff, 0x7fff }, { PTX_TYPE_bf16, 8, 7, 16, 1, 0x7f7f, 0x7fff },
    { PTX_TYPE_tf32, 8, 10, 32, 1, 0x3fbff, 0x3ffff },
    { PTX_TYPE_f16x2, 5, 10, 16, 1, 0x7bff, 0x7fff }, { PTX_TYPE_bf16x2, 8, 7, 16, 1, 0x7f7f, 0x7fff },
    { PTX_TYPE_e4m3x2, 4, 3, 8, 0, 0x7e, 0x7f }, { PTX_TYPE_e5m2x2, 5, 2, 8, 1, 0x7b, 0x7f },
    { PTX_TYPE_e2m1x2, 2, 1, 4, 0, 7, 7 }, { PTX_TYPE_e2m3x2, 2, 3, 8, 0, 0x1f, 0x1f }, { PTX_TYPE_e3m2x2, 3, 2, 8, 0, 0x1f, 0x1f },
};

static const struct format *format_of(unsigned type)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].type == type)
            return &formats[i];
    return NULL;
}

static double magnitude(const struct format *f, uint32_t code)
{
    return number_of(code, f->exponent, f->fraction, 0); /* beyond the greatest: as if exponents went on */
}

/* |v| in a narrow format: the neighbours by bisection, then the rounding's choice. */
static uint32_t narrowed(const struct format *f, long double v, unsigned round, bool satfinite)
{
    const bool negative = signbit(v);
    const long double m = fabsl(v);
    uint32_t lo = 0, hi = f->max + 1;
    bool up;

    if (isinf(m))
        return satfinite ? f->max : ((1u << f->exponent) - 1) << f->fraction;
    while (hi - lo > 1) {
        uint32_t mid = (lo + hi) / 2;
        if (magnitude(f, mid) <= m)
            lo = mid;
        else
            hi = mid;
    }
    const long double below = magnitude(f, lo), above = magnitude(f, hi), half = (below + above) / 2;
    if (m >= above) /* beyond even the first number that is too great */
        up = round == PTX_round_rz ? 0 : round == PTX_round_rm ? negative : round == PTX_round_rp ? !negative : 1;
    else if (m == below)
        up = 0;
    else if (round == PTX_round_rn || round == PTX_round_none)
        up = m > half || (m == half && (lo & 1));
    else if (round == PTX_round_rna)
        up = m >= half;
    else
        up = round == PTX_round_rm ? negative : round == PTX_round_rp ? !negative : 0;
    return satfinite && lo + up > f->max ? f->max : lo + up;
}

static int mode_of(unsigned round)
{
    return round == PTX_round_rz ? FE_TOWARDZERO : round == PTX_round_rm ? FE_DOWNWARD : round == PTX_round_rp ? FE_UPWARD :
           FE_TONEAREST;
}

static uint64_t nan_of(unsigned dst, unsigned src, uint64_t bits)
{
    static const struct { uint8_t type; int size, fraction; } ieee[] = {
        { PTX_TYPE_f16, 16, 10 }, { PTX_TYPE_bf16, 16, 7 }, { PTX_TYPE_f32, 32, 23 }, { PTX_TYPE_f64, 64, 52 } };
    int from = 3, to = 3;

    if (src == PTX_TYPE_bf16 && dst == PTX_TYPE_f32)
        return bits << 16;
    if (src != PTX_TYPE_f64 && dst != PTX_TYPE_f64)
        return dst == PTX_TYPE_f32 ? 0x7fffffff : dst == PTX_TYPE_tf32 ? 0x7fffe000 : format_of(dst)->nan;
    for (int i = 0; i < 4; i++) {
        if (ieee[i].type == src)
            from = i;
        if (ieee[i].type == dst)
            to = i;
    }
    uint64_t payload = bits << (64 - ieee[from].fraction) >> 12, sign = bits >> (ieee[from].size - 1) & 1;
    uint64_t top = (((uint64_t)1 << (ieee[to].size - 1 - ieee[to].fraction)) - 1) << ieee[to].fraction;
    return sign << (ieee[to].size - 1) | top | (uint64_t)1 << (ieee[to].fraction - 1) | payload >> (52 - ieee[to].fraction);
}

/* One element of type dst from the register bits of a source. */
static uint64_t element(const struct ptx_insn *insn, unsigned dst, unsigned src, uint64_t bits)
{
    const bool sat = insn->flags & PTX_FLAG_SAT, ftz = insn->flags & PTX_FLAG_FTZ;
    const bool is_int = meaning_of(src).bits != 0;
    long double v = is_int ? (long double)int_of(src, bits) : (long double)double_of(src, bits);
    uint64_t r;

    if (src == PTX_TYPE_f32 && ftz && fabsl(v) < 0x1p-126L)
        v = copysignl(0, v);
    if (isnan(v))
        return sat ? 0 : nan_of(dst, src, bits);
    if ((sat || (insn->flags & PTX_FLAG_RELU)) && signbit(v))
        v = 0;
    switch (insn->round) {
    case PTX_round_rni: v = rintl(v); break;
    case PTX_round_rzi: v = truncl(v); break;
    case PTX_round_rmi: v = floorl(v); break;
    case PTX_round_rpi: v = ceill(v); break;
    }
    if (sat && v > 1)
        v = 1;
    if (dst == PTX_TYPE_f32 || dst == PTX_TYPE_f64) {
        volatile long double in = v;
        volatile float f = 0;
        volatile double d = 0;
        float f_;
        double d_;
        uint32_t u;

        fesetround(mode_of(insn->round));
        if (dst == PTX_TYPE_f32)
            f = (float)in;
        else
            d = (double)in;
        fesetround(FE_TONEAREST);
        f_ = f;
        d_ = d;
        if (dst == PTX_TYPE_f64) {
            memcpy(&r, &d_, 8);
            return r;
        }
        if (ftz && fabsf(f_) < 0x1p-126f)
            f_ = copysignf(0, f_);
        memcpy(&u, &f_, 4);
        return u;
    }
    const struct format *f = format_of(dst);
    r = narrowed(f, v, insn->round, insn->flags & PTX_FLAG_SATFINITE || !f->top) |
        (uint64_t)!!signbit(v) << (f->exponent + f->fraction);
    return dst == PTX_TYPE_tf32 ? r << 13 : r;
}

/* tf32 of infinities and NaNs with .rna: truncated, as recorded on the H200. */
static void reference_tf32(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    d[0] = (s[0] & 0x7f800000) == 0x7f800000 ? s[0] & ~(uint64_t)0x1fff : element(insn, PTX_TYPE_tf32, PTX_TYPE_f32, s[0]);
}

static void reference_float(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    d[0] = element(insn, insn->types[0], insn->types[1], s[0]);
}

static void reference_int(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const unsigned dst = insn->types[0], src = insn->types[1];
    const struct int_meaning t = meaning_of(dst);
    __int128 v;

    if (meaning_of(src).bits) {
        v = int_of(src, s[0]);
        if (insn->flags & PTX_FLAG_SAT)
            v = v < int_least(dst) ? int_least(dst) : v > int_most(dst) ? int_most(dst) : v;
        d[0] = (uint64_t)int_of(dst, (uint64_t)v);
        return;
    }
    double x = double_of(src, s[0]);
    if (src == PTX_TYPE_f32 && (insn->flags & PTX_FLAG_FTZ) && fabs(x) < 0x1p-126)
        x = 0;
    if (isnan(x)) {
        d[0] = t.bits == 64 || src == PTX_TYPE_f64 ? (uint64_t)int_of(dst, (uint64_t)1 << (t.bits - 1)) : 0;
        return;
    }
    x = insn->round == PTX_round_rni ? rint(x) : insn->round == PTX_round_rzi ? trunc(x) :
        insn->round == PTX_round_rmi ? floor(x) : ceil(x);
    if (x >= 0x1p100)
        v = int_most(dst);
    else if (x <= -0x1p100)
        v = int_least(dst);
    else
        v = (__int128)x < int_least(dst) ? int_least(dst) : (__int128)x > int_most(dst) ? int_most(dst) : (__int128)x;
    d[0] = (uint64_t)v;
}

static void reference_packed(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const unsigned dst = insn->types[0], src = insn->types[1];
    const struct format *f = format_of(src);

    if (src == PTX_TYPE_f32)
        d[0] = element(insn, dst, src, s[1]) | element(insn, dst, src, s[0]) << format_of(dst)->stride;
    else
        d[0] = element(insn, dst, src, s[0] & ((1u << f->stride) - 1)) |
               element(insn, dst, src, s[0] >> f->stride & ((1u << f->stride) - 1)) << format_of(dst)->stride;
}

static void reference_pack(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const unsigned type = insn->types[0], bits = meaning_of(type).bits;
    uint64_t r = insn->ntypes == 3 ? s[2] << (2 * bits) : 0;

    for (unsigned i = 0; i < 2; i++) {
        __int128 v = (int32_t)s[i];
        v = v < int_least(type) ? int_least(type) : v > int_most(type) ? int_most(type) : v;
        r |= ((uint64_t)v & ((1u << bits) - 1)) << (i ? 0 : bits);
    }
    d[0] = r;
}

static const struct named {
    uint8_t type;
    char letter;
    const char *name;
} ints[] = { { PTX_TYPE_u8, '2', "u8" }, { PTX_TYPE_s8, '2', "s8" }, { PTX_TYPE_u16, '2', "u16" }, { PTX_TYPE_s16, '2', "s16" },
             { PTX_TYPE_u32, '4', "u32" }, { PTX_TYPE_s32, '4', "s32" }, { PTX_TYPE_u64, '8', "u64" }, { PTX_TYPE_s64, '8', "s64" } },
  floats[] = { { PTX_TYPE_f16, '2', "f16" }, { PTX_TYPE_bf16, '2', "bf16" }, { PTX_TYPE_f32, '4', "f32" }, { PTX_TYPE_f64, '8', "f64" } };

static void check(const struct named *dst, const struct named *src, char d, char s, unsigned round, uint32_t flags,
                  lane_reference *reference)
{
    struct ptx_insn insn = { .op = PTX_OP_cvt, .ntypes = 2, .types = { dst->type, src->type }, .round = (uint8_t)round, .flags = flags };
    const char signature[] = { d, '=', s, src->type == PTX_TYPE_f32 && reference == reference_packed ? '4' : 0, 0 };
    char title[80];

    snprintf(title, sizeof title, "cvt.%s.%s round %u flags %#x registers %s", dst->name, src->name, round, flags, signature);
    lane_compare(&cvt_set, title, &insn, signature, reference);
}

static void check_ints(void)
{
    for (size_t i = 0; i < 8; i++)
        for (size_t k = 0; k < 8; k++)
            for (const char *d = strchr("248", ints[i].letter); *d; d++)
                for (const char *s = strchr("248", ints[k].letter); *s; s++)
                    check(&ints[i], &ints[k], *d, *s, 0, (*d ^ *s) & 2 ? PTX_FLAG_SAT : 0, reference_int);
    for (size_t i = 0; i < 8; i++)
        for (size_t k = 0; k < 8; k++) {
            check(&ints[i], &ints[k], ints[i].letter, ints[k].letter, 0, PTX_FLAG_SAT, reference_int);
            check(&ints[i], &ints[k], ints[i].letter, ints[k].letter, 0, 0, reference_int);
        }
}

static void check_floats(void)
{
    for (size_t i = 0; i < 8; i++)
        for (size_t k = 0; k < 4; k++) {
            for (unsigned round = PTX_round_rni; round <= PTX_round_rpi; round++) {
                check(&ints[i], &floats[k], ints[i].letter, floats[k].letter, round, 0, reference_int);
                check(&ints[i], &floats[k], '8', floats[k].letter, round, floats[k].type == PTX_TYPE_f32 ? PTX_FLAG_FTZ : 0,
                      reference_int);
            }
            for (unsigned round = PTX_round_rn; round <= PTX_round_rp; round++) {
                check(&floats[k], &ints[i], floats[k].letter, ints[i].letter, round, 0, reference_float);
                check(&floats[k], &ints[i], floats[k].letter, '8', round, 0, reference_float);
            }
        }
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) {
            const bool f32 = floats[i].type == PTX_TYPE_f32 || floats[k].type == PTX_TYPE_f32;
            const bool half = i < 2 && floats[k].type == PTX_TYPE_f32;

            for (unsigned round = i == k || i > k ? PTX_round_none : PTX_round_rn; round <= PTX_round_rp; round++) {
                const char d = floats[i].letter, s = floats[k].letter;

                check(&floats[i], &floats[k], d, s, round, 0, reference_float);
                check(&floats[i], &floats[k], d, s, round, PTX_FLAG_SAT, reference_float);
                if (f32)
                    check(&floats[i], &floats[k], d, s, round, PTX_FLAG_FTZ, reference_float);
                if (half) {
                    check(&floats[i], &floats[k], d, s, round, PTX_FLAG_RELU, reference_float);
                    check(&floats[i], &floats[k], d, s, round, PTX_FLAG_RELU | PTX_FLAG_SATFINITE, reference_float);
                }
            }
            for (unsigned round = PTX_round_rni; i == k && round <= PTX_round_rpi; round++)
                check(&floats[i], &floats[k], floats[i].letter, floats[k].letter, round, 0, reference_float);
        }
}

static void check_packed(void)
{
    static const struct named f32 = { PTX_TYPE_f32, '4', "f32" }, tf32 = { PTX_TYPE_tf32, '4', "tf32" };
    static const struct named halves[] = { { PTX_TYPE_f16x2, '4', "f16x2" }, { PTX_TYPE_bf16x2, '4', "bf16x2" } };
    static const struct named small[] = { { PTX_TYPE_e4m3x2, '2', "e4m3x2" }, { PTX_TYPE_e5m2x2, '2', "e5m2x2" },
                                          { PTX_TYPE_e2m1x2, '1', "e2m1x2" }, { PTX_TYPE_e2m3x2, '2', "e2m3x2" },
                                          { PTX_TYPE_e3m2x2, '2', "e3m2x2" } };
    static const uint32_t flags[] = { 0, PTX_FLAG_RELU, PTX_FLAG_SATFINITE, PTX_FLAG_RELU | PTX_FLAG_SATFINITE, PTX_FLAG_FTZ };

    for (size_t k = 0; k < 5; k++)
        for (size_t i = 0; i < 2; i++) {
            check(&halves[i], &f32, '4', '4', PTX_round_rn, flags[k], reference_packed);
            check(&halves[i], &f32, '4', '4', PTX_round_rz, flags[k], reference_packed);
        }
    for (size_t i = 0; i < 5; i++)
        for (uint32_t relu = 0; relu <= PTX_FLAG_RELU; relu += PTX_FLAG_RELU) {
            check(&small[i], &f32, '2', '4', PTX_round_rn, relu | PTX_FLAG_SATFINITE, reference_packed);
            check(&small[i], &halves[0], '2', '4', PTX_round_rn, relu | PTX_FLAG_SATFINITE, reference_packed);
            check(&halves[0], &small[i], '4', '2', PTX_round_rn, relu, reference_packed);
        }
    check(&tf32, &f32, '4', '4', PTX_round_rna, 0, reference_tf32);
    check(&tf32, &f32, '4', '4', PTX_round_rn, PTX_FLAG_RELU, reference_float);
    check(&tf32, &f32, '4', '4', PTX_round_rz, PTX_FLAG_SATFINITE, reference_float);
}

static void check_pack(unsigned type, unsigned ntypes)
{
    struct ptx_insn insn = { .op = PTX_OP_cvt, .mode = PTX_mode_pack, .flags = PTX_FLAG_SAT, .ntypes = (uint8_t)ntypes,
                             .types = { (uint8_t)type, PTX_TYPE_s32, ntypes == 3 ? PTX_TYPE_b32 : 0 } };

    lane_compare(&cvt_set, "cvt.pack.sat", &insn, ntypes == 3 ? "4=444" : "4=44", reference_pack);
}

/* mov: elements of 'bits' of the whole. */
static unsigned element_bits;

static void reference_unpack(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    for (unsigned i = 0; i < insn->ops[0].n; i++)
        d[i] = s[0] >> (i * element_bits) & (~(uint64_t)0 >> (64 - element_bits));
}

static void reference_gather(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    d[0] = 0;
    for (unsigned i = 0; i < insn->ops[1].n; i++)
        d[0] |= (s[i] & (~(uint64_t)0 >> (64 - element_bits))) << (i * element_bits);
}

static void reference_copy(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    d[0] = s[0];
}

static void check_moves(void)
{
    static const struct { uint8_t type, n, bits; const char *unpack, *pack; } vectors[] = {
        { PTX_TYPE_b16, 2, 8, "22=2", "2=22" }, { PTX_TYPE_b32, 2, 16, "22=4", "4=22" }, { PTX_TYPE_b32, 4, 8, "2222=4", "4=2222" },
        { PTX_TYPE_b64, 2, 32, "44=8", "8=44" }, { PTX_TYPE_b64, 4, 16, "2222=8", "8=2222" } };
    static const char *const plain[] = { "2=2", "4=4", "8=8", "8=4", "4=2", "2=4", "4=8" };
    static const uint8_t plain_types[] = { PTX_TYPE_b16, PTX_TYPE_f32, PTX_TYPE_u64, PTX_TYPE_u32, PTX_TYPE_u16, PTX_TYPE_u16,
                                           PTX_TYPE_u32 };

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct ptx_insn insn = { .op = PTX_OP_mov, .ntypes = 1, .types = { vectors[i].type } };

        element_bits = vectors[i].bits;
        insn.ops[0].kind = PTX_OPERAND_VEC;
        insn.ops[0].n = vectors[i].n;
        lane_compare(&cvt_set, "mov: unpack", &insn, vectors[i].unpack, reference_unpack);
        insn.ops[0].kind = PTX_OPERAND_REG;
        insn.ops[1].kind = PTX_OPERAND_VEC;
        insn.ops[1].n = vectors[i].n;
        lane_compare(&cvt_set, "mov: pack", &insn, vectors[i].pack, reference_gather);
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        struct ptx_insn insn = { .op = PTX_OP_mov, .ntypes = 1, .types = { plain_types[i] } };

        lane_compare(&cvt_set, "mov", &insn, plain[i], reference_copy);
    }

    /* 128 bits, and an element that nobody wants. */
    static uint64_t whole[64] __attribute__((aligned(64))), back[64] __attribute__((aligned(64)));
    static uint64_t low[32] __attribute__((aligned(64))), high[32] __attribute__((aligned(64)));
    struct ptx_insn insn = { .op = PTX_OP_mov, .ntypes = 1, .types = { PTX_TYPE_b128 } };
    struct lane_args a = { .mask = ~0u, .insn = &insn };
    int same = 1;

    for (unsigned i = 0; i < 64; i++)
        whole[i] = lane_random();
    insn.ops[0] = (struct ptx_operand){ .kind = PTX_OPERAND_VEC, .n = 2 };
    a.s[0] = whole, a.d[0] = low, a.d[1] = high;
    lanes_select_cvt_base(&insn, &(struct lane_widths){ { 64, 64 }, { 128 } })(&a);
    insn.ops[0].kind = PTX_OPERAND_REG;
    insn.ops[1] = (struct ptx_operand){ .kind = PTX_OPERAND_VEC, .n = 2 };
    a.d[0] = back, a.s[0] = low, a.s[1] = high;
    lanes_select_cvt_base(&insn, &(struct lane_widths){ { 128 }, { 64, 64 } })(&a);
    for (unsigned i = 0; i < 32; i++)
        same &= low[i] == whole[2 * i] && high[i] == whole[2 * i + 1];
    ok(same && !memcmp(whole, back, sizeof whole), "mov.b128 unpacks and packs");
    insn.ops[1].kind = PTX_OPERAND_REG;
    memset(back, 0, sizeof back);
    a.s[0] = whole, a.mask = 0x80000001;
    lanes_select_cvt_base(&insn, &(struct lane_widths){ { 128 }, { 128 } })(&a);
    ok(back[0] == whole[0] && back[63] == whole[63] && !back[2] && !back[61], "mov.b128 of active lanes");
    insn.types[0] = PTX_TYPE_b64;
    insn.ops[0] = (struct ptx_operand){ .kind = PTX_OPERAND_VEC, .n = 2 };
    a.s[0] = whole, a.d[0] = NULL, a.d[1] = high, a.mask = ~0u;
    lanes_select_cvt_base(&insn, &(struct lane_widths){ { 0, 32 }, { 64 } })(&a);
    ok(((uint32_t *)high)[3] == whole[3] >> 32, "mov.b64 {_, r}");
}

int main(void)
{
    check_ints();
    check_floats();
    check_packed();
    check_pack(PTX_TYPE_u16, 2);
    check_pack(PTX_TYPE_s16, 2);
    check_pack(PTX_TYPE_u8, 3);
    check_pack(PTX_TYPE_s8, 3);
    check_pack(PTX_TYPE_u4, 3);
    check_pack(PTX_TYPE_s4, 3);
    check_moves();

    struct ptx_insn bad = { .op = PTX_OP_cvt, .ntypes = 2, .types = { PTX_TYPE_u32, PTX_TYPE_f32 }, .round = PTX_round_rn };
    ok(!lanes_select_cvt_base(&bad, &(struct lane_widths){ { 32 }, { 32 } }), "cvt.rn.u32.f32 is refused");
    bad.types[0] = PTX_TYPE_u64, bad.round = PTX_round_rzi;
    ok(!lanes_select_cvt_base(&bad, &(struct lane_widths){ { 32 }, { 32 } }), "cvt.u64 into 32 bits is refused");
    bad.types[0] = PTX_TYPE_ue8m0x2, bad.round = PTX_round_rz;
    ok(!lanes_select_cvt_base(&bad, &(struct lane_widths){ { 16 }, { 32, 32 } }), "cvt.ue8m0x2 is refused");
    return tap_done();
}
