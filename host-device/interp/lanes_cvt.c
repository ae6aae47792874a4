/* SPDX-License-Identifier: Apache-2.0 */
/* cvt, cvt.pack and mov between register classes, PTX ISA 9.7.9.
 *
 * There are three ways through this file. What compilers emit most has a loop of its own (the rows of 'rows'). Everything else
 * between scalars loads its source into 64-bit values, converts these and stores them in whatever width the destination's
 * register has: three conversions, each for all types. Packed formats are converted element by element. */
#include "interp/lanes_cvt_soft.h"
#include "interp/lanes_float.h"

/* ---- integers and how they are described ---- */

struct int_type {
    uint8_t bits;
    bool with_sign;
};

static struct int_type int_type_of(unsigned type)
{
    static const struct int_type types[PTX_TYPE_COUNT] = {
        [PTX_TYPE_u4] = { 4, 0 }, [PTX_TYPE_s4] = { 4, 1 }, [PTX_TYPE_u8] = { 8, 0 }, [PTX_TYPE_s8] = { 8, 1 },
        [PTX_TYPE_u16] = { 16, 0 }, [PTX_TYPE_s16] = { 16, 1 }, [PTX_TYPE_u32] = { 32, 0 }, [PTX_TYPE_s32] = { 32, 1 },
        [PTX_TYPE_u64] = { 64, 0 }, [PTX_TYPE_s64] = { 64, 1 },
    };

    return types[type];
}

/* The low bits of v as a value of type t, sign- or zero-extended to 64. */
static inline uint64_t extend(uint64_t v, struct int_type t)
{
    const unsigned up = 64 - t.bits;

    return t.with_sign ? (uint64_t)((int64_t)(v << up) >> up) : v << up >> up;
}

static uint64_t int_max(struct int_type t)
{
    return ~(uint64_t)0 >> (64 - t.bits + t.with_sign);
}

static int64_t int_min(struct int_type t)
{
    return t.with_sign ? -(int64_t)int_max(t) - 1 : 0;
}

/* v, a value of type s, clamped to type d. */
static inline uint64_t saturate(uint64_t v, struct int_type s, struct int_type d)
{
    if (s.with_sign && (int64_t)v < int_min(d))
        return (uint64_t)int_min(d);
    if (s.with_sign && (int64_t)v < 0)
        return v;
    return v > int_max(d) ? int_max(d) : v;
}

/* ---- the general conversions between scalars, on 64-bit values ---- */

static void convert_int_int(const struct ptx_insn *insn, uint64_t *restrict r, const uint64_t *restrict a)
{
    const struct int_type d = int_type_of(insn->types[0]), s = int_type_of(insn->types[1]);

    FOR_LANES(l) r[l] = extend(a[l], s);
    if (insn->flags & PTX_FLAG_SAT)
        FOR_LANES(l) r[l] = saturate(r[l], s, d);
    FOR_LANES(l) r[l] = extend(r[l], d);
}

static void load_double(double *restrict x, const struct ptx_insn *insn, const uint64_t *restrict a)
{
    switch (insn->types[1]) {
    case PTX_TYPE_f16:
        FOR_LANES(l) x[l] = f16_to_f32((uint32_t)a[l]);
        break;
    case PTX_TYPE_bf16:
        FOR_LANES(l) x[l] = bf16_to_f32((uint32_t)a[l]);
        break;
    case PTX_TYPE_f32:
        if (insn->flags & PTX_FLAG_FTZ)
            FOR_LANES(l) x[l] = bits_f32(ftz_f32((uint32_t)a[l]));
        else
            FOR_LANES(l) x[l] = bits_f32((uint32_t)a[l]);
        break;
    default:
        FOR_LANES(l) x[l] = bits_f64(a[l]);
    }
}

static void round_double(double *x, unsigned round)
{
    switch (round) {
    case PTX_round_rni:
        FOR_LANES(l) x[l] = __builtin_rint(x[l]);
        break;
    case PTX_round_rmi:
        FOR_LANES(l) x[l] = __builtin_floor(x[l]);
        break;
    case PTX_round_rpi:
        FOR_LANES(l) x[l] = __builtin_ceil(x[l]);
        break;
    default:
        FOR_LANES(l) x[l] = __builtin_trunc(x[l]);
    }
}

/* An integral x as an integer of 64 bits, clamped; NaN is 0 here. */
static inline uint64_t double_to_u64(double x)
{
    const double high = x >= 0x1p63 && x < 0x1p64 ? x - 0x1p63 : 0, low = x >= 0 && x < 0x1p63 ? x : 0;

    return x >= 0x1p64 ? ~(uint64_t)0 : x >= 0x1p63 ? (uint64_t)(int64_t)high + ((uint64_t)1 << 63) : (uint64_t)(int64_t)low;
}

static inline int64_t double_to_s64(double x)
{
    const double inside = x >= -0x1p63 && x < 0x1p63 ? x : 0;

    return x >= 0x1p63 ? INT64_MAX : x < -0x1p63 ? INT64_MIN : (int64_t)inside;
}

/* Float to integer always saturates. A NaN gives 0, but from f64 or to 64 bits the type's topmost bit alone, as an H200
 * does. */
static void convert_float_int(const struct ptx_insn *insn, uint64_t *restrict r, const uint64_t *restrict a)
{
    const struct int_type d = int_type_of(insn->types[0]), s64 = { 64, 1 };
    const bool wide = d.bits == 64 || insn->types[1] == PTX_TYPE_f64;
    const uint64_t of_nan = wide ? extend((uint64_t)1 << (d.bits - 1), d) : 0;
    double x[LANES_PER_WARP] __attribute__((aligned(64)));

    load_double(x, insn, a);
    round_double(x, insn->round);
    if (d.bits == 64 && !d.with_sign)
        FOR_LANES(l) r[l] = double_to_u64(x[l]);
    else
        FOR_LANES(l) r[l] = saturate((uint64_t)double_to_s64(x[l]), s64, d);
    FOR_LANES(l) r[l] = x[l] != x[l] ? of_nan : r[l];
}

static struct number number_of_int(uint64_t v, struct int_type t)
{
    const uint64_t value = extend(v, t);
    const bool negative = t.with_sign && value >> 63;

    return (struct number){ .negative = negative, .significand = negative ? 0 - value : value };
}

static bool rounds_to_integer(unsigned round)
{
    return round >= PTX_round_rni && round <= PTX_round_rpi;
}

static void convert_to_float(const struct ptx_insn *insn, uint64_t *restrict r, const uint64_t *restrict a)
{
    const unsigned dst = insn->types[0], src = insn->types[1];
    const struct int_type s = int_type_of(src);

    for (unsigned l = 0; l < LANES_PER_WARP; l++) {
        struct number n = s.bits ? number_of_int(a[l], s) : decode_source(insn, src, a[l]);

        if (rounds_to_integer(insn->round))
            round_to_integer(&n, insn->round);
        r[l] = encode(insn, dst, src, &n);
    }
}

/* Each conversion for every width of the source's and the destination's register. */
#define CONVERSION(convert, ss, dd) \
    static void convert##_##ss##_##dd(const struct lane_args *args) \
    { \
        const uint##ss##_t *s = args->s[0]; \
        uint##dd##_t *d = args->d[0]; \
        uint64_t in[LANES_PER_WARP] __attribute__((aligned(64))), out[LANES_PER_WARP] __attribute__((aligned(64))); \
\
        FOR_LANES(l) in[l] = s[l]; \
        convert(args->insn, out, in); \
        LANE_STORE(args->mask, d, (uint##dd##_t)out[l]); \
    }
#define WIDTH_PAIRS(X, f) \
    X(f, 16, 16) X(f, 16, 32) X(f, 16, 64) X(f, 32, 16) X(f, 32, 32) X(f, 32, 64) X(f, 64, 16) X(f, 64, 32) X(f, 64, 64)
WIDTH_PAIRS(CONVERSION, convert_int_int)
WIDTH_PAIRS(CONVERSION, convert_float_int)
WIDTH_PAIRS(CONVERSION, convert_to_float)

enum { INT_INT, FLOAT_INT, TO_FLOAT };
static lane_op *const conversions[3][3][3] = {
#define X(f, ss, dd) [INDEX_##ss][INDEX_##dd] = f##_##ss##_##dd,
#define INDEX_16 0
#define INDEX_32 1
#define INDEX_64 2
    [INT_INT] = { WIDTH_PAIRS(X, convert_int_int) },
    [FLOAT_INT] = { WIDTH_PAIRS(X, convert_float_int) },
    [TO_FLOAT] = { WIDTH_PAIRS(X, convert_to_float) },
#undef X
};

/* ---- packed formats ---- */

static bool is_word(unsigned type)
{
    return type == PTX_TYPE_f16x2 || type == PTX_TYPE_bf16x2 || type == PTX_TYPE_f32;
}

/* Two elements: the upper one from a and the lower from b, or both from a packed a. */
static void convert_packed(const struct lane_args *args)
{
    const unsigned dst = args->insn->types[0], src = args->insn->types[1];
    const unsigned stride = formats[src].stride;
    uint32_t r[LANES_PER_WARP];

    for (unsigned l = 0; l < LANES_PER_WARP; l++) {
        uint64_t element[2];

        if (src == PTX_TYPE_f32) {
            element[0] = ((const uint32_t *)args->s[1])[l];
            element[1] = ((const uint32_t *)args->s[0])[l];
        } else {
            element[0] = is_word(src) ? ((const uint32_t *)args->s[0])[l] : ((const uint16_t *)args->s[0])[l];
            element[1] = element[0] >> stride;
        }
        r[l] = 0;
        for (unsigned i = 0; i < 2; i++) {
            struct number n = decode_source(args->insn, src, element[i]);

            r[l] |= (uint32_t)encode(args->insn, dst, src, &n) << (i * formats[dst].stride);
        }
    }
    if (is_word(dst)) {
        uint32_t *d = args->d[0];
        LANE_STORE(args->mask, d, r[l]);
    } else {
        uint16_t *d = args->d[0];
        LANE_STORE(args->mask, d, (uint16_t)r[l]);
    }
}

/* cvt.pack: saturated a above saturated b, below what c shifted up leaves of itself. */
static void convert_pack(const struct lane_args *args)
{
    const struct int_type to = int_type_of(args->insn->types[0]), from = int_type_of(args->insn->types[1]);
    const uint32_t *a = args->s[0], *b = args->s[1], *c = args->insn->ntypes > 2 ? args->s[2] : NULL;
    const uint32_t low = (uint32_t)(((uint64_t)1 << to.bits) - 1);
    uint32_t r[LANES_PER_WARP] __attribute__((aligned(64)));
    uint32_t *d = args->d[0];

    FOR_LANES(l) r[l] = ((uint32_t)saturate(extend(a[l], from), from, to) & low) << to.bits |
                        ((uint32_t)saturate(extend(b[l], from), from, to) & low);
    if (c)
        FOR_LANES(l) r[l] |= c[l] << (2 * to.bits);
    LANE_STORE(args->mask, d, r[l]);
}

/* ---- loops of their own, for registers as wide as the type (8-bit types: 16) ---- */

LANE_OP1(copy_16, uint16_t, uint16_t, a)
LANE_OP1(copy_32, uint32_t, uint32_t, a)
LANE_OP1(copy_64, uint64_t, uint64_t, a)
LANE_OP1(low16_of_32, uint16_t, uint32_t, a)
LANE_OP1(low16_of_64, uint16_t, uint64_t, a)
LANE_OP1(low32_of_64, uint32_t, uint64_t, a)
LANE_OP1(u16_to_32, uint32_t, uint16_t, a)
LANE_OP1(u16_to_64, uint64_t, uint16_t, a)
LANE_OP1(u32_to_64, uint64_t, uint32_t, a)
LANE_OP1(s16_to_32, int32_t, int16_t, a)
LANE_OP1(s16_to_64, int64_t, int16_t, a)
LANE_OP1(s32_to_64, int64_t, int32_t, a)
LANE_OP1(u8_to_32, uint32_t, uint16_t, (uint8_t)a)
LANE_OP1(s8_to_32, int32_t, uint16_t, (int8_t)a)

LANE_OP1(u8_to_f32, float, uint16_t, (int32_t)(uint8_t)a)
LANE_OP1(s8_to_f32, float, uint16_t, (int32_t)(int8_t)a)
LANE_OP1(u16_to_f32, float, uint16_t, (int32_t)a)
LANE_OP1(s16_to_f32, float, int16_t, (int32_t)a)
LANE_OP1(u32_to_f32, float, uint32_t, a)
LANE_OP1(s32_to_f32, float, int32_t, a)
LANE_OP1(u64_to_f32, float, uint64_t, a)
LANE_OP1(s64_to_f32, float, int64_t, a)
LANE_OP1(u32_to_f64, double, uint32_t, a)
LANE_OP1(s32_to_f64, double, int32_t, a)
LANE_OP1(u64_to_f64, double, uint64_t, a)
LANE_OP1(s64_to_f64, double, int64_t, a)

/* An integral r as 32 bits, clamped; NaN is 0. */
static inline int32_t float_to_s32(float r)
{
    const float inside = r >= -0x1p31f && r < 0x1p31f ? r : 0;

    return r >= 0x1p31f ? INT32_MAX : r < -0x1p31f ? INT32_MIN : (int32_t)inside;
}

static inline uint32_t float_to_u32(float r)
{
    const float high = r >= 0x1p31f && r < 0x1p32f ? r - 0x1p31f : 0, low = r >= 0 && r < 0x1p31f ? r : 0;

    return r >= 0x1p32f ? UINT32_MAX : r >= 0x1p31f ? (uint32_t)(int32_t)high + 0x80000000u : (uint32_t)(int32_t)low;
}

/* An integral r as f32 bits: every NaN is the hardware's one. */
static inline uint32_t integral_f32(float r)
{
    return r != r ? NAN_F32 : f32_bits(r);
}

/* The same for f64: a NaN keeps its payload and is quiet, whatever the library's function did with it. */
static inline uint64_t integral_f64(double r)
{
    return r != r ? f64_bits(r) | (uint64_t)1 << 51 : f64_bits(r);
}
#define INTEGER_ROUNDS(X) X(rni, rint) X(rzi, trunc) X(rmi, floor) X(rpi, ceil)
#define X(round, function) \
    LANE_OP1(f32_to_s32_##round, int32_t, float, float_to_s32(__builtin_##function##f(a))) \
    LANE_OP1(f32_to_u32_##round, uint32_t, float, float_to_u32(__builtin_##function##f(a))) \
    LANE_OP1(f32_##round, uint32_t, float, integral_f32(__builtin_##function##f(a))) \
    LANE_OP1(f64_##round, uint64_t, double, integral_f64(__builtin_##function(a)))
INTEGER_ROUNDS(X)
#undef X

static inline uint32_t f16_to_f32_bits(uint32_t h)
{
    return (h & 0x7fff) > 0x7c00 ? NAN_F32 : f32_bits(f16_to_f32(h));
}

/* .rna to tf32 carries into the exponent by itself; infinities and NaNs only lose their low bits. */
static inline uint32_t tf32_rna(uint32_t u)
{
    return ((u & 0x7f800000u) == 0x7f800000u ? u : u + 0x1000) & ~0x1fffu;
}
LANE_OP1(f16_f32, uint32_t, uint16_t, f16_to_f32_bits(a))
LANE_OP1(bf16_f32, uint32_t, uint16_t, (uint32_t)a << 16)
LANE_OP1(f32_f16, uint16_t, float, f32_to_f16(a))
LANE_OP1(f32_bf16, uint16_t, float, f32_to_bf16(a))
LANE_OP2(f32_f16x2, uint32_t, float, float, f32_to_f16(a) << 16 | f32_to_f16(b))
LANE_OP2(f32_bf16x2, uint32_t, float, float, f32_to_bf16(a) << 16 | f32_to_bf16(b))
LANE_OP1(f32_tf32, uint32_t, uint32_t, tf32_rna(a))
LANE_OP1(f32_f64, double, float, a)
LANE_OP1(f64_f32, float, double, a)

#define ROW(dst, src, round, flags, run) { PTX_OP_cvt, PTX_TYPE_##dst, PTX_TYPE_##src, PTX_round_##round, flags, run }
#define FROM_US(dst, bits, run) ROW(dst, u##bits, none, 0, run), ROW(dst, s##bits, none, 0, run)
#define TO_US(bits, src, run) ROW(u##bits, src, none, 0, run), ROW(s##bits, src, none, 0, run)
#define FTZ PTX_FLAG_FTZ
static const struct lane_row rows[] = {
    TO_US(32, u16, u16_to_32), TO_US(64, u16, u16_to_64), TO_US(64, u32, u32_to_64),
    TO_US(32, s16, s16_to_32), TO_US(64, s16, s16_to_64), TO_US(64, s32, s32_to_64),
    TO_US(32, u8, u8_to_32), TO_US(32, s8, s8_to_32),
    FROM_US(u16, 16, copy_16), FROM_US(s16, 16, copy_16), FROM_US(u32, 32, copy_32), FROM_US(s32, 32, copy_32),
    FROM_US(u64, 64, copy_64), FROM_US(s64, 64, copy_64), FROM_US(u16, 32, low16_of_32), FROM_US(s16, 32, low16_of_32),
    FROM_US(u16, 64, low16_of_64), FROM_US(s16, 64, low16_of_64), FROM_US(u32, 64, low32_of_64), FROM_US(s32, 64, low32_of_64),
#define X(t) ROW(f32, t, rn, 0, t##_to_f32),
    X(u8) X(s8) X(u16) X(s16) X(u32) X(s32) X(u64) X(s64)
#undef X
#define X(t) ROW(f64, t, rn, 0, t##_to_f64),
    X(u32) X(s32) X(u64) X(s64)
#undef X
#define X(round, function) \
    ROW(s32, f32, round, 0, f32_to_s32_##round), ROW(u32, f32, round, 0, f32_to_u32_##round), \
    ROW(f32, f32, round, 0, f32_##round), ROW(f64, f64, round, 0, f64_##round),
    INTEGER_ROUNDS(X)
#undef X
    /* A subnormal truncates to the zero that it is flushed to. */
    ROW(s32, f32, rzi, FTZ, f32_to_s32_rzi), ROW(u32, f32, rzi, FTZ, f32_to_u32_rzi),
    ROW(f32, f16, none, 0, f16_f32), ROW(f32, bf16, none, 0, bf16_f32),
    ROW(f16, f32, rn, 0, f32_f16), ROW(bf16, f32, rn, 0, f32_bf16),
    ROW(f16x2, f32, rn, 0, f32_f16x2), ROW(bf16x2, f32, rn, 0, f32_bf16x2),
    ROW(tf32, f32, rna, 0, f32_tf32), ROW(f64, f32, none, 0, f32_f64), ROW(f32, f64, rn, 0, f64_f32),
};

/* ---- mov ---- */

/* mov between a register and the elements of a vector, least significant first. An element of 8 bits lies in a 16-bit
 * register. A destination element may be '_'. The source is read before anything is written. */
typedef unsigned __int128 uint128_t;
#define UNPACK(WHOLE, ELEMENT, REGISTER) \
    static void unpack_##WHOLE##_##ELEMENT(const struct lane_args *args) \
    { \
        uint##WHOLE##_t s[LANES_PER_WARP]; \
\
        memcpy(s, args->s[0], sizeof s); \
        for (unsigned i = 0; i < WHOLE / ELEMENT; i++) { \
            uint##REGISTER##_t *d = args->d[i]; \
            if (d) \
                LANE_STORE(args->mask, d, (uint##ELEMENT##_t)(s[l] >> (i * ELEMENT))); \
        } \
    }
#define PACK(WHOLE, ELEMENT, REGISTER) \
    static void pack_##WHOLE##_##ELEMENT(const struct lane_args *args) \
    { \
        uint##WHOLE##_t *d = args->d[0]; \
        uint##WHOLE##_t r[LANES_PER_WARP] = { 0 }; \
\
        for (unsigned i = 0; i < WHOLE / ELEMENT; i++) { \
            const uint##REGISTER##_t *s = args->s[i]; \
            FOR_LANES(l) r[l] |= (uint##WHOLE##_t)(uint##ELEMENT##_t)s[l] << (i * ELEMENT); \
        } \
        LANE_STORE(args->mask, d, r[l]); \
    }
#define VECTORS(X) \
    X(16, 8, 16) X(32, 16, 16) X(32, 8, 16) X(64, 32, 32) X(64, 16, 16) X(64, 8, 16) X(128, 64, 64) X(128, 32, 32)
VECTORS(UNPACK)
VECTORS(PACK)

static void copy_128(const struct lane_args *args)
{
    const uint128_t *s = args->s[0];
    uint128_t *d = args->d[0];

    for (unsigned l = 0; l < LANES_PER_WARP; l++)
        if (args->mask & lane_bit[l])
            d[l] = s[l];
}

static const struct vector_move {
    uint8_t whole, element, storage;
    lane_op *unpack, *pack;
} vector_moves[] = {
#define X(WHOLE, ELEMENT, REGISTER) { WHOLE, ELEMENT, REGISTER, unpack_##WHOLE##_##ELEMENT, pack_##WHOLE##_##ELEMENT },
    VECTORS(X)
#undef X
};

static const struct plain_move {
    uint8_t dst, src;
    lane_op *run;
} plain_moves[] = {
    { 16, 16, copy_16 }, { 32, 32, copy_32 }, { 64, 64, copy_64 }, { 128, 128, copy_128 },
    { 16, 32, low16_of_32 }, { 16, 64, low16_of_64 }, { 32, 64, low32_of_64 },
    { 32, 16, u16_to_32 }, { 64, 16, u16_to_64 }, { 64, 32, u32_to_64 },
};

/* True when the first n registers are 'storage' bits wide; 0 stands for '_'. */
static bool all_are(const uint8_t *widths, unsigned n, unsigned storage)
{
    for (unsigned i = 0; i < n; i++)
        if (widths[i] && widths[i] != storage)
            return false;
    return true;
}

static const uint8_t type_bits[PTX_TYPE_COUNT] = {
#define X(name, bits, class, packed) [PTX_TYPE_##name] = bits,
    PTX_TYPES(X)
#undef X
};

static lane_op *select_mov(const struct ptx_insn *insn, const struct lane_widths *w)
{
    const unsigned bits = type_bits[insn->types[0]];
    const bool unpack = insn->ops[0].kind == PTX_OPERAND_VEC, pack = insn->ops[1].kind == PTX_OPERAND_VEC;

    if (insn->flags || (unpack && pack))
        return NULL;
    if (unpack || pack) {
        const unsigned n = insn->ops[unpack ? 0 : 1].n;

        for (size_t i = 0; i < sizeof vector_moves / sizeof *vector_moves; i++) {
            const struct vector_move *v = &vector_moves[i];

            if (v->whole != bits || v->whole != n * v->element)
                continue;
            if ((unpack ? w->s : w->d)[0] != bits || !all_are(unpack ? w->d : w->s, n, v->storage))
                return NULL;
            return unpack ? v->unpack : v->pack;
        }
        return NULL;
    }
    for (size_t i = 0; i < sizeof plain_moves / sizeof *plain_moves; i++)
        if (plain_moves[i].dst == w->d[0] && plain_moves[i].src == w->s[0])
            return plain_moves[i].run;
    return NULL;
}

/* ---- selection ---- */

static unsigned storage_bits(unsigned type)
{
    return type_bits[type] < 16 ? 16 : type_bits[type];
}

static int width_index(unsigned bits)
{
    return bits == 16 ? INDEX_16 : bits == 32 ? INDEX_32 : bits == 64 ? INDEX_64 : -1;
}

/* Which of a packed conversion's types go together: f32 pairs and f16x2 with everything narrower, bf16x2 with f32 alone. */
static bool packed_pair(unsigned dst, unsigned src)
{
    const bool dst_small = formats[dst].stride && formats[dst].stride <= 8;
    const bool src_small = formats[src].stride && formats[src].stride <= 8;
    const bool dst_half = dst == PTX_TYPE_f16x2 || dst == PTX_TYPE_bf16x2;

    return (src == PTX_TYPE_f32 && (dst_small || dst_half)) || (src == PTX_TYPE_f16x2 && dst_small) ||
           (dst == PTX_TYPE_f16x2 && src_small);
}

static lane_op *select_pack(const struct ptx_insn *insn, const struct lane_widths *w)
{
    const unsigned bits = int_type_of(insn->types[0]).bits;

    if (insn->flags != PTX_FLAG_SAT || insn->types[1] != PTX_TYPE_s32 || !bits || bits > 16)
        return NULL;
    if (insn->ntypes != (bits == 16 ? 2 : 3) || (bits < 16 && insn->types[2] != PTX_TYPE_b32))
        return NULL;
    return w->d[0] == 32 && all_are(w->s, insn->ntypes, 32) ? convert_pack : NULL;
}

static lane_op *select_cvt(const struct ptx_insn *insn, const struct lane_widths *w)
{
    const unsigned dst = insn->types[0], src = insn->types[1];
    const struct int_type d = int_type_of(dst), s = int_type_of(src);
    const bool natural = w->d[0] == storage_bits(dst) && w->s[0] == storage_bits(src);
    const int di = width_index(w->d[0]), si = width_index(w->s[0]);
    lane_op *op = natural ? LANE_FIND(rows, insn, insn->round) : NULL;

    if (op)
        return op;
    if (insn->round == PTX_round_rs || di < 0 || si < 0)
        return NULL;
    if (insn->flags & ~(FTZ | PTX_FLAG_SAT | PTX_FLAG_RELU | PTX_FLAG_SATFINITE))
        return NULL;
    if (packed_pair(dst, src))
        return natural ? convert_packed : NULL;
    if ((d.bits && d.bits < 8) || (s.bits && s.bits < 8) || w->d[0] < type_bits[dst] || w->s[0] < type_bits[src])
        return NULL;
    if (d.bits && s.bits)
        return insn->round ? NULL : conversions[INT_INT][si][di];
    /* Between integers and floats, and floats: the float's register has its own width. */
    if ((!d.bits && (formats[dst].stride != w->d[0] || formats[dst].stride != type_bits[dst])) ||
        (!s.bits && (formats[src].stride != w->s[0] || formats[src].stride != type_bits[src])))
        return NULL;
    if (d.bits)
        return rounds_to_integer(insn->round) && src != PTX_TYPE_tf32 ? conversions[FLOAT_INT][si][di] : NULL;
    return conversions[TO_FLOAT][si][di];
}

lane_op *LANES(lanes_select_cvt)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    if (insn->op == PTX_OP_mov)
        return select_mov(insn, w);
    if (insn->op != PTX_OP_cvt)
        return NULL;
    return insn->mode == PTX_mode_pack ? select_pack(insn, w) : select_cvt(insn, w);
}
