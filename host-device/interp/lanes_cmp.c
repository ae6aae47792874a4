/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison and selection (PTX ISA 9.7.6, 9.7.7), testp, and what is done with predicates alone.
 *
 * A comparison comes down to a few tests per type: of integers a == b and a < b, of floats (where unordered operands fail
 * every test) also a <= b, a <> b and "both are numbers". The other relations swap the operands or negate the outcome. */
#include "interp/lanes_util.h"

enum test { TEST_EQ, TEST_LT, TEST_LE, TEST_LG, TEST_NUM };

struct relation {
    uint8_t test;
    bool swap, negate;
};

static const struct relation int_relations[PTX_cmp_count] = {
    [PTX_cmp_eq] = { TEST_EQ, 0, 0 }, [PTX_cmp_ne] = { TEST_EQ, 0, 1 },
    [PTX_cmp_lt] = { TEST_LT, 0, 0 }, [PTX_cmp_ge] = { TEST_LT, 0, 1 },
    [PTX_cmp_gt] = { TEST_LT, 1, 0 }, [PTX_cmp_le] = { TEST_LT, 1, 1 },
    [PTX_cmp_lo] = { TEST_LT, 0, 0 }, [PTX_cmp_hs] = { TEST_LT, 0, 1 },
    [PTX_cmp_hi] = { TEST_LT, 1, 0 }, [PTX_cmp_ls] = { TEST_LT, 1, 1 },
};

static const struct relation float_relations[PTX_cmp_count] = {
    [PTX_cmp_eq] = { TEST_EQ, 0, 0 }, [PTX_cmp_neu] = { TEST_EQ, 0, 1 },
    [PTX_cmp_lt] = { TEST_LT, 0, 0 }, [PTX_cmp_geu] = { TEST_LT, 0, 1 },
    [PTX_cmp_gt] = { TEST_LT, 1, 0 }, [PTX_cmp_leu] = { TEST_LT, 1, 1 },
    [PTX_cmp_le] = { TEST_LE, 0, 0 }, [PTX_cmp_gtu] = { TEST_LE, 0, 1 },
    [PTX_cmp_ge] = { TEST_LE, 1, 0 }, [PTX_cmp_ltu] = { TEST_LE, 1, 1 },
    [PTX_cmp_ne] = { TEST_LG, 0, 0 }, [PTX_cmp_equ] = { TEST_LG, 0, 1 },
    [PTX_cmp_num] = { TEST_NUM, 0, 0 }, [PTX_cmp_nan] = { TEST_NUM, 0, 1 },
};

/* The outcome with the third source, a predicate, joined to it. */
static uint32_t join(const struct lane_args *args, uint32_t bits)
{
    const uint32_t *c = args->s[2];

    switch (args->insn->boolop) {
    case PTX_bool_and: return bits & *c;
    case PTX_bool_or: return bits | *c;
    case PTX_bool_xor: return bits ^ *c;
    default: return bits;
    }
}

/* setp p|q of one comparison: q is its complement, joined likewise. */
static void finish_setp(const struct lane_args *args, uint32_t bits)
{
    uint32_t p = join(args, bits), q = join(args, ~bits);

    lane_set_pred(args->mask, args->d[0], p);
    lane_set_pred(args->mask, args->d[1], q);
}

/* setp p|q of two packed comparisons: p is the low one's outcome, q the high one's. */
static void finish_setp2(const struct lane_args *args, uint32_t low, uint32_t high)
{
    uint32_t p = join(args, low), q = join(args, high);

    lane_set_pred(args->mask, args->d[0], p);
    lane_set_pred(args->mask, args->d[1], q);
}

/* What set writes for true: 1.0 in the destination's format, all ones in an integer. */
static uint32_t truth_of(unsigned type)
{
    switch (type) {
    case PTX_TYPE_f32: return 0x3f800000;
    case PTX_TYPE_f16: case PTX_TYPE_f16x2: return 0x3c00;
    case PTX_TYPE_bf16: case PTX_TYPE_bf16x2: return 0x3f80;
    default: return ~0u;
    }
}

static bool is_half_size(unsigned type)
{
    return type == PTX_TYPE_u16 || type == PTX_TYPE_s16 || type == PTX_TYPE_f16 || type == PTX_TYPE_bf16;
}

static void finish_set(const struct lane_args *args, uint32_t bits)
{
    const uint32_t joined = join(args, bits), truth = truth_of(args->insn->types[0]);

    if (is_half_size(args->insn->types[0])) {
        uint16_t *d = args->d[0];
        LANE_STORE(args->mask, d, joined & lane_bit[l] ? (uint16_t)truth : 0);
    } else {
        uint32_t *d = args->d[0];
        LANE_STORE(args->mask, d, joined & lane_bit[l] ? truth : 0);
    }
}

static void finish_set2(const struct lane_args *args, uint32_t low, uint32_t high)
{
    const uint32_t p = join(args, low), q = join(args, high), truth = truth_of(args->insn->types[0]) & 0xffff;
    uint32_t *d = args->d[0];

    LANE_STORE(args->mask, d, (p & lane_bit[l] ? truth : 0) | (q & lane_bit[l] ? truth << 16 : 0));
}

/* Order of 16-bit floats as integers: the sign folded in, so that -0 == +0. NaNs are tested for apart. */
static inline int16_t half_key(uint16_t v)
{
    int16_t magnitude = v & 0x7fff;

    return v & 0x8000 ? (int16_t)-magnitude : magnitude;
}

static inline uint16_t half_ftz(uint16_t v, uint16_t exponent)
{
    return v & exponent ? v : v & 0x8000;
}

/* How elements are read for comparison; .ftz flushes subnormal operands. */
#define LOAD(v) (v)
#define LOAD_ftz_f32(v) bits_f32(ftz_f32(v))
#define LOAD_ftz_f16(v) half_ftz(v, 0x7c00)
#define IS_NAN_f16(v) (((v) & 0x7fff) > 0x7c00)
#define IS_NAN_bf16(v) (((v) & 0x7fff) > 0x7f80)

/* A comparison function for one test, and the operations of set and setp with it. */
#define COMPARISON(name, T, relations, COND) \
    static uint32_t ballot_##name(const T *a_, const T *b_) \
    { \
        return LANE_BALLOT(({ const T a = a_[l], b = b_[l]; (COND); })); \
    } \
    static uint32_t outcome_##name(const struct lane_args *args) \
    { \
        const struct relation r = relations[args->insn->cmp]; \
        const uint32_t bits = r.swap ? ballot_##name(args->s[1], args->s[0]) : ballot_##name(args->s[0], args->s[1]); \
\
        return r.negate ? ~bits : bits; \
    } \
    static void setp_##name(const struct lane_args *args) \
    { \
        finish_setp(args, outcome_##name(args)); \
    } \
    static void set_##name(const struct lane_args *args) \
    { \
        finish_set(args, outcome_##name(args)); \
    }

/* The same for two packed elements. */
#define COMPARISON2(name, relations, COND) \
    static uint32_t ballot_##name(const uint32_t *a_, const uint32_t *b_, unsigned half) \
    { \
        return LANE_BALLOT(({ const uint16_t a = (uint16_t)(a_[l] >> (16 * half)), b = (uint16_t)(b_[l] >> (16 * half)); \
                              (COND); })); \
    } \
    static void outcome_##name(const struct lane_args *args, uint32_t bits[2]) \
    { \
        const struct relation r = relations[args->insn->cmp]; \
\
        for (unsigned i = 0; i < 2; i++) \
            bits[i] = ballot_##name(args->s[r.swap], args->s[!r.swap], i) ^ (r.negate ? ~0u : 0); \
    } \
    static void setp_##name(const struct lane_args *args) \
    { \
        uint32_t bits[2]; \
\
        outcome_##name(args, bits); \
        finish_setp2(args, bits[0], bits[1]); \
    } \
    static void set_##name(const struct lane_args *args) \
    { \
        uint32_t bits[2]; \
\
        outcome_##name(args, bits); \
        finish_set2(args, bits[0], bits[1]); \
    }

COMPARISON(eq_16, uint16_t, int_relations, a == b)
COMPARISON(eq_32, uint32_t, int_relations, a == b)
COMPARISON(eq_64, uint64_t, int_relations, a == b)
#define INTEGERS(X) \
    X(u16, uint16_t) X(s16, int16_t) X(u32, uint32_t) X(s32, int32_t) X(u64, uint64_t) X(s64, int64_t)
#define X(t, T) COMPARISON(lt_##t, T, int_relations, a < b)
INTEGERS(X)
#undef X

#define FLOAT(t, T, LOAD) \
    COMPARISON(eq_##t, T, float_relations, LOAD(a) == LOAD(b)) \
    COMPARISON(lt_##t, T, float_relations, LOAD(a) < LOAD(b)) \
    COMPARISON(le_##t, T, float_relations, LOAD(a) <= LOAD(b)) \
    COMPARISON(lg_##t, T, float_relations, LOAD(a) < LOAD(b) || LOAD(a) > LOAD(b)) \
    COMPARISON(num_##t, T, float_relations, LOAD(a) == LOAD(a) && LOAD(b) == LOAD(b))
FLOAT(f32, float, LOAD)
FLOAT(ftz_f32, uint32_t, LOAD_ftz_f32)
FLOAT(f64, double, LOAD)

/* 16-bit floats, alone and packed. */
#define HALF_TEST(t, test, LOAD, NAN_OF, COND) \
    COMPARISON(test##_##t, uint16_t, float_relations, !(NAN_OF(a) | NAN_OF(b)) & (COND(half_key(LOAD(a)), half_key(LOAD(b))))) \
    COMPARISON2(test##_##t##x2, float_relations, \
                !(NAN_OF(a) | NAN_OF(b)) & (COND(half_key(LOAD(a)), half_key(LOAD(b)))))
#define EQ(a, b) ((a) == (b))
#define LT(a, b) ((a) < (b))
#define LE(a, b) ((a) <= (b))
#define NE(a, b) ((a) != (b))
#define ANY(a, b) 1
#define HALF(t, LOAD, NAN_OF) \
    HALF_TEST(t, eq, LOAD, NAN_OF, EQ) HALF_TEST(t, lt, LOAD, NAN_OF, LT) HALF_TEST(t, le, LOAD, NAN_OF, LE) \
    HALF_TEST(t, lg, LOAD, NAN_OF, NE) HALF_TEST(t, num, LOAD, NAN_OF, ANY)
HALF(f16, LOAD, IS_NAN_f16)
HALF(ftz_f16, LOAD_ftz_f16, IS_NAN_f16)
HALF(bf16, LOAD, IS_NAN_bf16)

/* selp, slct, mov by width; slct's condition is c >= 0, which a NaN is not. */
#define WIDTHS(X) X(16, uint16_t) X(32, uint32_t) X(64, uint64_t)
#define X(bits, T) \
    static void selp_##bits(const struct lane_args *args) \
    { \
        const T *a = args->s[0], *b = args->s[1]; \
        const uint32_t *p = args->s[2], pick = *p; \
        T *d = args->d[0]; \
\
        LANE_STORE(args->mask, d, pick & lane_bit[l] ? a[l] : b[l]); \
    } \
    LANE_OP3(slct_##bits##_s32, T, T, T, int32_t, c >= 0 ? a : b) \
    LANE_OP3(slct_##bits##_f32, T, T, T, float, c >= 0 ? a : b) \
    LANE_OP3(slct_##bits##_ftz_f32, T, T, T, uint32_t, LOAD_ftz_f32(c) >= 0 ? a : b)
WIDTHS(X)
#undef X

/* testp: classes by exponent and fraction; a zero counts as normal on an H200. */
#define CLASSES(t, T, EXPONENT, MAGNITUDE) \
    LANE_TEST1(testp_finite_##t, T, (a & EXPONENT) != EXPONENT) \
    LANE_TEST1(testp_infinite_##t, T, (a & MAGNITUDE) == EXPONENT) \
    LANE_TEST1(testp_number_##t, T, (a & MAGNITUDE) <= EXPONENT) \
    LANE_TEST1(testp_notanumber_##t, T, (a & MAGNITUDE) > EXPONENT) \
    LANE_TEST1(testp_normal_##t, T, ((a & EXPONENT) != 0 || (a & MAGNITUDE) == 0) && (a & EXPONENT) != EXPONENT) \
    LANE_TEST1(testp_subnormal_##t, T, (a & EXPONENT) == 0 && (a & MAGNITUDE) != 0)
CLASSES(f32, uint32_t, 0x7f800000u, 0x7fffffffu)
CLASSES(f64, uint64_t, 0x7ff0000000000000u, 0x7fffffffffffffffu)

/* Predicates: 32 lanes in one word. */
#define PREDICATE_OP(name, EXPR) \
    static void name(const struct lane_args *args) \
    { \
        const uint32_t *a = args->s[0], *b __attribute__((unused)) = args->s[1]; \
\
        lane_set_pred(args->mask, args->d[0], (EXPR)); \
    }
PREDICATE_OP(and_pred, *a & *b)
PREDICATE_OP(or_pred, *a | *b)
PREDICATE_OP(xor_pred, *a ^ *b)
PREDICATE_OP(not_pred, ~*a)
PREDICATE_OP(mov_pred, *a)

/* By source type, the operations that a comparison comes down to; tests that a type lacks are NULL. */
struct comparisons {
    uint8_t type;
    uint32_t flags;
    const struct relation *relations;
    lane_op *setp[5], *set[5];
};
static const struct comparisons comparisons[] = {
#define X(t, bits) \
    { PTX_TYPE_##t, 0, int_relations, { setp_eq_##bits, setp_lt_##t }, { set_eq_##bits, set_lt_##t } },
    X(u16, 16) X(s16, 16) X(u32, 32) X(s32, 32) X(u64, 64) X(s64, 64)
#undef X
#define X(bits) { PTX_TYPE_b##bits, 0, int_relations, { setp_eq_##bits }, { set_eq_##bits } },
    X(16) X(32) X(64)
#undef X
#define X(type, flags, t) \
    { PTX_TYPE_##type, flags, float_relations, { setp_eq_##t, setp_lt_##t, setp_le_##t, setp_lg_##t, setp_num_##t }, \
      { set_eq_##t, set_lt_##t, set_le_##t, set_lg_##t, set_num_##t } },
    X(f32, 0, f32) X(f32, PTX_FLAG_FTZ, ftz_f32) X(f64, 0, f64)
    X(f16, 0, f16) X(f16, PTX_FLAG_FTZ, ftz_f16) X(bf16, 0, bf16)
    X(f16x2, 0, f16x2) X(f16x2, PTX_FLAG_FTZ, ftz_f16x2) X(bf16x2, 0, bf16x2)
#undef X
};

/* The destination types of set for a source type. */
static bool set_admits(unsigned dst, unsigned src)
{
    _Static_assert(PTX_TYPE_COUNT <= 64, "types fit a 64-bit set");
    static const uint64_t scalar = 1ull << PTX_TYPE_u32 | 1ull << PTX_TYPE_s32 | 1ull << PTX_TYPE_f32 |
                                   1ull << PTX_TYPE_f16 | 1ull << PTX_TYPE_bf16;
    static const uint64_t of_half = 1ull << PTX_TYPE_u16 | 1ull << PTX_TYPE_s16;
    uint64_t admitted = scalar;

    if (src == PTX_TYPE_f16 || src == PTX_TYPE_bf16)
        admitted |= of_half;
    else if (src == PTX_TYPE_f16x2 || src == PTX_TYPE_bf16x2)
        admitted = 1ull << src | 1ull << PTX_TYPE_u32 | 1ull << PTX_TYPE_s32;
    return admitted >> dst & 1;
}

static lane_op *select_comparison(const struct ptx_insn *insn, unsigned src)
{
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++) {
        const struct comparisons *c = &comparisons[i];
        const struct relation r = insn->cmp < PTX_cmp_count ? c->relations[insn->cmp] : (struct relation){ 0 };

        if (c->type != src || c->flags != insn->flags)
            continue;
        /* An empty row of the relations reads as "eq"; only eq may. */
        if (r.test == TEST_EQ && !r.swap && !r.negate && insn->cmp != PTX_cmp_eq)
            return NULL;
        return insn->op == PTX_OP_setp ? c->setp[r.test] : c->set[r.test];
    }
    return NULL;
}

#define ROW(op, type, type2, sub, flags, run) { PTX_OP_##op, PTX_TYPE_##type, type2, sub, flags, run }
static const struct lane_row rows[] = {
#define X(bits, t) \
    ROW(selp, t, 0, 0, 0, selp_##bits), ROW(slct, t, PTX_TYPE_s32, 0, 0, slct_##bits##_s32), \
    ROW(slct, t, PTX_TYPE_f32, 0, 0, slct_##bits##_f32), ROW(slct, t, PTX_TYPE_f32, 0, PTX_FLAG_FTZ, slct_##bits##_ftz_f32),
    X(16, b16) X(16, u16) X(16, s16) X(16, f16) X(16, bf16) X(32, b32) X(32, u32) X(32, s32) X(32, f32)
    X(64, b64) X(64, u64) X(64, s64) X(64, f64)
#undef X
#define X(mode, t) ROW(testp, t, 0, PTX_mode_##mode, 0, testp_##mode##_##t),
    X(finite, f32) X(infinite, f32) X(number, f32) X(notanumber, f32) X(normal, f32) X(subnormal, f32)
    X(finite, f64) X(infinite, f64) X(number, f64) X(notanumber, f64) X(normal, f64) X(subnormal, f64)
#undef X
#define X(op) ROW(op, pred, 0, 0, 0, op##_pred),
    X(and) X(or) X(xor) X(not) X(mov)
#undef X
};

lane_op *LANES(lanes_select_cmp)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    if (insn->op == PTX_OP_setp)
        return select_comparison(insn, insn->types[0]);
    if (insn->op == PTX_OP_set)
        return set_admits(insn->types[0], insn->types[1]) ? select_comparison(insn, insn->types[1]) : NULL;
    return LANE_FIND(rows, insn, insn->mode);
}
