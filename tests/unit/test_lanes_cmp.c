/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons, selections and predicate logic against the comparison operators of C on doubles and 128-bit integers. */
#include "lane_numbers.h"

LANE_SELECTOR(cmp);

static bool relation(unsigned cmp, bool less, bool equal, bool greater)
{
    const bool unordered = !less && !equal && !greater;

    switch (cmp) {
    case PTX_cmp_eq: return equal;
    case PTX_cmp_ne: return less || greater;
    case PTX_cmp_lt: case PTX_cmp_lo: return less;
    case PTX_cmp_le: case PTX_cmp_ls: return less || equal;
    case PTX_cmp_gt: case PTX_cmp_hi: return greater;
    case PTX_cmp_ge: case PTX_cmp_hs: return greater || equal;
    case PTX_cmp_equ: return equal || unordered;
    case PTX_cmp_neu: return !equal;
    case PTX_cmp_ltu: return less || unordered;
    case PTX_cmp_leu: return !greater;
    case PTX_cmp_gtu: return greater || unordered;
    case PTX_cmp_geu: return !less;
    case PTX_cmp_num: return !unordered;
    default: return unordered;
    }
}

static double flushed(unsigned type, double v)
{
    const double least = type == PTX_TYPE_f32 ? 0x1p-126 : 0x1p-14;

    return fabs(v) < least ? 0 : v;
}

static bool compared(const struct ptx_insn *insn, unsigned type, uint64_t a, uint64_t b)
{
    if (meaning_of(type).bits) {
        const __int128 x = int_of(type, a), y = int_of(type, b);
        return relation(insn->cmp, x < y, x == y, x > y);
    }
    double x = double_of(type, a), y = double_of(type, b);
    if (insn->flags & PTX_FLAG_FTZ)
        x = flushed(type, x), y = flushed(type, y);
    return relation(insn->cmp, x < y, x == y, x > y);
}

static bool joined(const struct ptx_insn *insn, bool v, uint64_t c)
{
    switch (insn->boolop) {
    case PTX_bool_and: return v && c;
    case PTX_bool_or: return v || c;
    case PTX_bool_xor: return v != !!c;
    default: return v;
    }
}

static bool is_packed(unsigned type)
{
    return type == PTX_TYPE_f16x2 || type == PTX_TYPE_bf16x2;
}

static void reference_setp(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const unsigned type = insn->types[0];
    const uint64_t c = insn->boolop ? s[2] : 0;
    const bool p = compared(insn, type, s[0], s[1]);

    d[0] = joined(insn, p, c);
    d[1] = joined(insn, is_packed(type) ? compared(insn, type, s[0] >> 16, s[1] >> 16) : !p, c);
}

static uint64_t truth(unsigned type)
{
    switch (type) {
    case PTX_TYPE_f32: return 0x3f800000;
    case PTX_TYPE_f16: case PTX_TYPE_f16x2: return 0x3c00;
    case PTX_TYPE_bf16: case PTX_TYPE_bf16x2: return 0x3f80;
    default: return 0xffffffff;
    }
}

static void reference_set(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const unsigned type = insn->types[1];
    const uint64_t c = insn->boolop ? s[2] : 0, one = truth(insn->types[0]);

    d[0] = joined(insn, compared(insn, type, s[0], s[1]), c) ? one : 0;
    if (is_packed(type))
        d[0] = (d[0] & 0xffff) | (joined(insn, compared(insn, type, s[0] >> 16, s[1] >> 16), c) ? (one & 0xffff) << 16 : 0);
}

static void reference_select(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    bool first = s[2];

    if (insn->op == PTX_OP_slct) {
        double c = double_of(PTX_TYPE_f32, s[2]);
        first = insn->types[1] == PTX_TYPE_s32 ? (int32_t)s[2] >= 0 :
                (insn->flags & PTX_FLAG_FTZ ? flushed(PTX_TYPE_f32, c) : c) >= 0;
    }
    d[0] = first ? s[0] : s[1];
}

static void reference_testp(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const double v = double_of(insn->types[0], s[0]), least = insn->types[0] == PTX_TYPE_f32 ? 0x1p-126 : 0x1p-1022;

    switch (insn->mode) {
    case PTX_mode_finite: d[0] = isfinite(v); break;
    case PTX_mode_infinite: d[0] = isinf(v) != 0; break;
    case PTX_mode_number: d[0] = !isnan(v); break;
    case PTX_mode_notanumber: d[0] = isnan(v) != 0; break;
    case PTX_mode_normal: d[0] = isfinite(v) && (v == 0 || fabs(v) >= least); break;
    default: d[0] = v != 0 && fabs(v) < least; break;
    }
}

static void reference_predicate(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    switch (insn->op) {
    case PTX_OP_and: d[0] = s[0] & s[1]; break;
    case PTX_OP_or: d[0] = s[0] | s[1]; break;
    case PTX_OP_xor: d[0] = s[0] ^ s[1]; break;
    case PTX_OP_not: d[0] = !s[0]; break;
    default: d[0] = s[0]; break;
    }
}

static const struct source {
    uint8_t type;
    char letter;
    bool ftz;
    uint8_t first, last; /* relations */
    const char *name;
} sources[] = {
    { PTX_TYPE_b16, '2', 0, PTX_cmp_eq, PTX_cmp_ne, "b16" }, { PTX_TYPE_b32, '4', 0, PTX_cmp_eq, PTX_cmp_ne, "b32" },
    { PTX_TYPE_b64, '8', 0, PTX_cmp_eq, PTX_cmp_ne, "b64" },
    { PTX_TYPE_u16, '2', 0, PTX_cmp_eq, PTX_cmp_hs, "u16" }, { PTX_TYPE_u32, '4', 0, PTX_cmp_eq, PTX_cmp_hs, "u32" },
    { PTX_TYPE_u64, '8', 0, PTX_cmp_eq, PTX_cmp_hs, "u64" }, { PTX_TYPE_s16, '2', 0, PTX_cmp_eq, PTX_cmp_ge, "s16" },
    { PTX_TYPE_s32, '4', 0, PTX_cmp_eq, PTX_cmp_ge, "s32" }, { PTX_TYPE_s64, '8', 0, PTX_cmp_eq, PTX_cmp_ge, "s64" },
    { PTX_TYPE_f16, '2', 1, PTX_cmp_eq, PTX_cmp_nan, "f16" }, { PTX_TYPE_bf16, '2', 0, PTX_cmp_eq, PTX_cmp_nan, "bf16" },
    { PTX_TYPE_f32, '4', 1, PTX_cmp_eq, PTX_cmp_nan, "f32" }, { PTX_TYPE_f64, '8', 0, PTX_cmp_eq, PTX_cmp_nan, "f64" },
    { PTX_TYPE_f16x2, '4', 1, PTX_cmp_eq, PTX_cmp_nan, "f16x2" }, { PTX_TYPE_bf16x2, '4', 0, PTX_cmp_eq, PTX_cmp_nan, "bf16x2" },
};

static void check_source(const struct source *source)
{
    const bool is_float = source->last == PTX_cmp_nan, packed = is_packed(source->type);
    char title[64];

    for (uint8_t cmp = source->first; cmp <= source->last; cmp++) {
        if (is_float && cmp >= PTX_cmp_lo && cmp <= PTX_cmp_hs)
            continue;
        for (unsigned ftz = 0; ftz <= source->ftz; ftz++) {
            struct ptx_insn insn = { .op = PTX_OP_setp, .ntypes = 1, .types = { source->type }, .cmp = cmp,
                                     .flags = ftz ? PTX_FLAG_FTZ : 0, .boolop = (uint8_t)(cmp % 4) };
            const char signature[] = { 'p', 'p', '=', source->letter, source->letter, insn.boolop ? 'p' : 0, 0 };

            snprintf(title, sizeof title, "setp.%s relation %u%s", source->name, cmp, ftz ? " ftz" : "");
            lane_compare(&cmp_set, title, &insn, signature, reference_setp);
            for (size_t i = 0; i < 7; i++) {
                static const struct { uint8_t type; char letter; bool of_half, of_packed, of_other; } results[] = {
                    { PTX_TYPE_u32, '4', 1, 1, 1 }, { PTX_TYPE_s32, '4', 1, 1, 1 }, { PTX_TYPE_f32, '4', 0, 0, 1 },
                    { PTX_TYPE_f16, '2', 1, 0, 1 }, { PTX_TYPE_u16, '2', 1, 0, 0 }, { PTX_TYPE_bf16, '2', 1, 0, 1 },
                    { PTX_TYPE_NONE, '4', 0, 1, 0 } };
                const bool half = source->type == PTX_TYPE_f16 || source->type == PTX_TYPE_bf16;
                const char set_signature[] = { results[i].letter, '=', source->letter, source->letter, insn.boolop ? 'p' : 0, 0 };
                struct ptx_insn set = insn;

                if (!(half ? results[i].of_half : packed ? results[i].of_packed : results[i].of_other))
                    continue;
                set.op = PTX_OP_set;
                set.ntypes = 2;
                set.types[0] = results[i].type ? results[i].type : source->type;
                set.types[1] = source->type;
                snprintf(title, sizeof title, "set of %s relation %u result %zu", source->name, cmp, i);
                lane_compare(&cmp_set, title, &set, set_signature, reference_set);
            }
        }
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        const uint8_t type = sources[i].type;
        const char letter = sources[i].letter;
        char signature[] = { letter, '=', letter, letter, 'p', 0 };
        struct ptx_insn selp = { .op = PTX_OP_selp, .ntypes = 1, .types = { type } };
        struct ptx_insn slct = { .op = PTX_OP_slct, .ntypes = 2, .types = { type, PTX_TYPE_s32 } };

        check_source(&sources[i]);
        if (is_packed(type))
            continue;
        lane_compare(&cmp_set, "selp", &selp, signature, reference_select);
        signature[4] = '4';
        lane_compare(&cmp_set, "slct.s32", &slct, signature, reference_select);
        slct.types[1] = PTX_TYPE_f32;
        lane_compare(&cmp_set, "slct.f32", &slct, signature, reference_select);
        slct.flags = PTX_FLAG_FTZ;
        lane_compare(&cmp_set, "slct.ftz.f32", &slct, signature, reference_select);
    }
    for (uint8_t mode = PTX_mode_finite; mode <= PTX_mode_subnormal; mode++) {
        struct ptx_insn insn = { .op = PTX_OP_testp, .ntypes = 1, .types = { PTX_TYPE_f32 }, .mode = mode };

        lane_compare(&cmp_set, "testp.f32", &insn, "p=4", reference_testp);
        insn.types[0] = PTX_TYPE_f64;
        lane_compare(&cmp_set, "testp.f64", &insn, "p=8", reference_testp);
    }
    static const uint16_t logic[] = { PTX_OP_and, PTX_OP_or, PTX_OP_xor, PTX_OP_not, PTX_OP_mov };
    for (size_t i = 0; i < sizeof logic / sizeof *logic; i++) {
        struct ptx_insn insn = { .op = logic[i], .ntypes = 1, .types = { PTX_TYPE_pred } };

        lane_compare(&cmp_set, "predicate logic", &insn, i < 3 ? "p=pp" : "p=p", reference_predicate);
    }

    struct ptx_insn bad = { .op = PTX_OP_setp, .ntypes = 1, .types = { PTX_TYPE_s32 }, .cmp = PTX_cmp_equ };
    struct lane_widths w = { { 1, 1 }, { 32, 32 } };
    ok(!lanes_select_cmp_base(&bad, &w), "setp.equ.s32 is refused");
    bad.types[0] = PTX_TYPE_b32, bad.cmp = PTX_cmp_lt;
    ok(!lanes_select_cmp_base(&bad, &w), "setp.lt.b32 is refused");
    bad.types[0] = PTX_TYPE_f32, bad.cmp = PTX_cmp_lo;
    ok(!lanes_select_cmp_base(&bad, &w), "setp.lo.f32 is refused");
    return tap_done();
}
