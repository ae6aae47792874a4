/* SPDX-License-Identifier: Apache-2.0 */
/* Bits: counting, fields, logic, shifts and byte permutation, PTX ISA 9.7.1 (popc to szext), 9.7.8 (logic and shifts) and
 * 9.7.9 (prmt). Logic on predicates is in lanes_cmp.c. */
#include "interp/lanes_util.h"

/* Population count by adding ever wider fields: unlike the processor's instruction it vectorises everywhere. */
static inline uint32_t popc_32_(uint32_t v)
{
    v -= v >> 1 & 0x55555555u;
    v = (v & 0x33333333u) + (v >> 2 & 0x33333333u);
    v = (v + (v >> 4)) & 0x0f0f0f0fu;
    return v * 0x01010101u >> 24;
}

static inline uint32_t clz_32_(uint32_t v)
{
    return v ? (uint32_t)__builtin_clz(v) : 32;
}

static inline uint32_t clz_64_(uint64_t v)
{
    return v ? (uint32_t)__builtin_clzll(v) : 64;
}

static inline uint32_t brev_32_(uint32_t v)
{
    v = (v >> 1 & 0x55555555u) | (v & 0x55555555u) << 1;
    v = (v >> 2 & 0x33333333u) | (v & 0x33333333u) << 2;
    v = (v >> 4 & 0x0f0f0f0fu) | (v & 0x0f0f0f0fu) << 4;
    v = (v >> 8 & 0x00ff00ffu) | (v & 0x00ff00ffu) << 8;
    return v >> 16 | v << 16;
}
LANE_OP1(popc_32, uint32_t, uint32_t, popc_32_(a))
LANE_OP1(popc_64, uint32_t, uint64_t, popc_32_((uint32_t)a) + popc_32_((uint32_t)(a >> 32)))
LANE_OP1(clz_32, uint32_t, uint32_t, clz_32_(a))
LANE_OP1(clz_64, uint32_t, uint64_t, clz_64_(a))
LANE_OP1(brev_32, uint32_t, uint32_t, brev_32_(a))
LANE_OP1(brev_64, uint64_t, uint64_t, (uint64_t)brev_32_((uint32_t)a) << 32 | brev_32_((uint32_t)(a >> 32)))

/* bfind: the position of the most significant bit that is not a sign bit, or ~0; .shiftamt: by how much to shift left to
 * bring it to the top. */
#define MAGNITUDE_u32(a) (a)
#define MAGNITUDE_u64(a) (a)
#define MAGNITUDE_s32(a) ((a) ^ (0u - ((a) >> 31)))
#define MAGNITUDE_s64(a) ((a) ^ (0u - ((a) >> 63)))
#define BFIND(t, T, bits) \
    LANE_OP1(bfind_##t, uint32_t, T, MAGNITUDE_##t(a) ? bits - 1 - clz_##bits##_(MAGNITUDE_##t(a)) : ~0u) \
    LANE_OP1(bfind_shiftamt_##t, uint32_t, T, MAGNITUDE_##t(a) ? clz_##bits##_(MAGNITUDE_##t(a)) : ~0u)
BFIND(u32, uint32_t, 32)
BFIND(s32, uint32_t, 32)
BFIND(u64, uint64_t, 64)
BFIND(s64, uint64_t, 64)

/* fns: the position of the n-th set bit counted from 'base', upwards for n > 0, downwards for n < 0; n = 0: base itself, if
 * it is set; ~0 if there is none. */
static inline uint32_t fns_b32_(uint32_t mask, uint32_t base, int32_t n)
{
    int64_t left = n < 0 ? -(int64_t)n : n ? n : 1;
    int32_t pos = (int32_t)(base & 31);
    int32_t step = n < 0 ? -1 : 1, end = n < 0 ? -1 : n ? 32 : pos + 1;

    for (; pos != end; pos += step)
        if (mask >> pos & 1 && --left == 0)
            return (uint32_t)pos;
    return ~0u;
}
LANE_OP3(fns_b32, uint32_t, uint32_t, uint32_t, int32_t, fns_b32_(a, b, c))

/* Shifts of 2^n-bit values that take any amount: beyond the width everything is shifted out. The amount handed to C's
 * shift is kept in range; the compiler selects afterwards. */
#define SHL(v, n, bits) ((n) < (bits) ? (v) << ((n) & ((bits) - 1)) : 0)
#define SHR(v, n, bits) ((n) < (bits) ? (v) >> ((n) & ((bits) - 1)) : 0)
#define SAR(v, n, bits) ((v) >> ((n) < (bits) ? (n) : (bits) - 1))
LANE_OP2(shl_16, uint16_t, uint16_t, uint32_t, SHL((uint32_t)a, b, 16))
LANE_OP2(shl_32, uint32_t, uint32_t, uint32_t, SHL(a, b, 32))
LANE_OP2(shl_64, uint64_t, uint64_t, uint32_t, SHL(a, b, 64))
LANE_OP2(shr_u16, uint16_t, uint16_t, uint32_t, SHR((uint32_t)a, b, 16))
LANE_OP2(shr_u32, uint32_t, uint32_t, uint32_t, SHR(a, b, 32))
LANE_OP2(shr_u64, uint64_t, uint64_t, uint32_t, SHR(a, b, 64))
LANE_OP2(shr_s16, int16_t, int16_t, uint32_t, SAR(a, b, 16))
LANE_OP2(shr_s32, int32_t, int32_t, uint32_t, SAR(a, b, 32))
LANE_OP2(shr_s64, int64_t, int64_t, uint32_t, SAR(a, b, 64))

/* shf: the 64-bit value b:a shifted; .l gives its upper half, .r its lower. */
#define CONCAT64(hi, lo) ((uint64_t)(hi) << 32 | (lo))
#define CLAMP32(n) ((n) < 32 ? (n) : 32)
LANE_OP3(shf_l_wrap, uint32_t, uint32_t, uint32_t, uint32_t, CONCAT64(b, a) << (c & 31) >> 32)
LANE_OP3(shf_l_clamp, uint32_t, uint32_t, uint32_t, uint32_t, CONCAT64(b, a) << CLAMP32(c) >> 32)
LANE_OP3(shf_r_wrap, uint32_t, uint32_t, uint32_t, uint32_t, CONCAT64(b, a) >> (c & 31))
LANE_OP3(shf_r_clamp, uint32_t, uint32_t, uint32_t, uint32_t, CONCAT64(b, a) >> CLAMP32(c))

/* Bit fields. Bits of the register beyond the field's end read as 0 (bfe.u) or as copies of the sign (bfe.s): the field's
 * topmost bit, or the register's when the field reaches past it. Position and length are the operands' low 8 bits in
 * the 32-bit forms; the 64-bit forms take all 32 bits of them, as an H200 does. */
#define LOW_BITS(T, len, bits) ((len) < (bits) ? ((T)1 << ((len) & ((bits) - 1))) - 1 : (T)-1)
#define BIT_FIELD(T, bits, operand) \
    static inline T bfe_u##bits##_(T v, uint32_t pos, uint32_t len) \
    { \
        return SHR(v, pos, bits) & LOW_BITS(T, len, bits); \
    } \
    static inline T bfe_s##bits##_(T v, uint32_t pos, uint32_t len) \
    { \
        uint32_t room = pos < bits ? bits - pos : 0; /* bits of the register from pos on */ \
        uint32_t top = len <= room ? pos + len - 1 : bits - 1; \
        T inside = LOW_BITS(T, len, bits) & LOW_BITS(T, room, bits); \
        T sign = len ? (T)0 - (v >> (top & (bits - 1)) & 1) : 0; \
\
        return (SHR(v, pos, bits) & inside) | (sign & ~inside); \
    } \
    static inline T bfi_b##bits##_(T field, T v, uint32_t pos, uint32_t len) \
    { \
        T mask = SHL(LOW_BITS(T, len, bits), pos, bits); \
\
        return (v & ~mask) | (SHL(field, pos, bits) & mask); \
    } \
    LANE_OP3(bfe_u##bits, T, T, uint32_t, uint32_t, bfe_u##bits##_(a, operand(b), operand(c))) \
    LANE_OP3(bfe_s##bits, T, T, uint32_t, uint32_t, bfe_s##bits##_(a, operand(b), operand(c))) \
    LANE_OP4(bfi_b##bits, T, T, T, uint32_t, uint32_t, bfi_b##bits##_(a, b, operand(c), operand(e)))
#define LOW_BYTE(v) ((v) & 0xff)
#define WHOLE(v) (v)
BIT_FIELD(uint32_t, 32, LOW_BYTE)
BIT_FIELD(uint64_t, 64, WHOLE)

/* bmsk: b ones from position a on; .clamp takes large operands as 32, .wrap takes them modulo 32. */
LANE_OP2(bmsk_clamp, uint32_t, uint32_t, uint32_t, SHL(LOW_BITS(uint32_t, b, 32), a, 32))
LANE_OP2(bmsk_wrap, uint32_t, uint32_t, uint32_t, LOW_BITS(uint32_t, b & 31, 32) << (a & 31))

/* szext: extend the low b bits of a to 32. */
static inline uint32_t sext_(uint32_t v, uint32_t n)
{
    return n >= 32 ? v : n ? (uint32_t)((int32_t)(v << ((32 - n) & 31)) >> ((32 - n) & 31)) : 0;
}
LANE_OP2(szext_clamp_u32, uint32_t, uint32_t, uint32_t, a & LOW_BITS(uint32_t, b, 32))
LANE_OP2(szext_wrap_u32, uint32_t, uint32_t, uint32_t, a & LOW_BITS(uint32_t, b & 31, 32))
LANE_OP2(szext_clamp_s32, uint32_t, uint32_t, uint32_t, sext_(a, b))
LANE_OP2(szext_wrap_s32, uint32_t, uint32_t, uint32_t, sext_(a, b & 31))

#define WIDTHS(X) X(16, uint16_t) X(32, uint32_t) X(64, uint64_t)
#define X(bits, T) \
    LANE_OP2(and_##bits, T, T, T, a & b) \
    LANE_OP2(or_##bits, T, T, T, a | b) \
    LANE_OP2(xor_##bits, T, T, T, a ^ b) \
    LANE_OP1(not_##bits, T, T, ~a) \
    LANE_OP1(cnot_##bits, T, T, !a)
WIDTHS(X)
#undef X

/* lop3: bit (a,b,c) of the immediate table for each bit position. The table is a tree of selections; its leaves are all
 * ones or all zeros and the same for every lane. */
struct lut3 {
    uint32_t leaf[4], flip[4]; /* leaf i for (a,b) = i and c = 0; what changes when c = 1 */
};
#define LOP3_TABLE 4 /* the operand d, a, b, c, TABLE: an immediate */

static inline struct lut3 lut3_of(uint32_t table)
{
    struct lut3 t;

    for (unsigned i = 0; i < 4; i++) {
        t.leaf[i] = 0u - (table >> (2 * i) & 1);
        t.flip[i] = t.leaf[i] ^ (0u - (table >> (2 * i + 1) & 1));
    }
    return t;
}

static inline uint32_t lut3_select(const struct lut3 *t, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t f00 = t->leaf[0] ^ (c & t->flip[0]), f01 = t->leaf[1] ^ (c & t->flip[1]);
    uint32_t f10 = t->leaf[2] ^ (c & t->flip[2]), f11 = t->leaf[3] ^ (c & t->flip[3]);
    uint32_t f0 = f00 ^ (b & (f00 ^ f01)), f1 = f10 ^ (b & (f10 ^ f11));

    return f0 ^ (a & (f0 ^ f1));
}

static void lop3_b32(const struct lane_args *args)
{
    const uint32_t *a = args->s[0], *b = args->s[1], *c = args->s[2];
    const struct lut3 t = lut3_of((uint32_t)args->insn->ops[LOP3_TABLE].imm);
    uint32_t *d = args->d[0];

    LANE_STORE(args->mask, d, lut3_select(&t, a[l], b[l], c[l]));
}

/* lop3.BoolOp d|p, a, b, c, table, q: p = (d != 0) BoolOp q; d may be '_'. */
static void lop3_bool_b32(const struct lane_args *args)
{
    const uint32_t *a = args->s[0], *b = args->s[1], *c = args->s[2], *q = args->s[4];
    const struct lut3 t = lut3_of((uint32_t)args->insn->ops[LOP3_TABLE].imm);
    uint32_t *d = args->d[0];
    uint32_t nonzero = LANE_BALLOT(lut3_select(&t, a[l], b[l], c[l]) != 0);

    nonzero = args->insn->boolop == PTX_bool_and ? nonzero & *q : nonzero | *q;
    if (d)
        LANE_STORE(args->mask, d, lut3_select(&t, a[l], b[l], c[l]));
    lane_set_pred(args->mask, args->d[1], nonzero);
}

/* prmt: each nibble of the selector names one of the eight bytes of b:a; its top bit replicates that byte's sign. */
static inline uint32_t prmt_byte(uint64_t bytes, uint32_t nibble)
{
    uint32_t byte = (uint32_t)(bytes >> (8 * (nibble & 7))) & 0xff;

    return nibble & 8 ? (0u - (byte >> 7)) & 0xff : byte;
}

static inline uint32_t prmt_(uint64_t bytes, uint32_t selector)
{
    return prmt_byte(bytes, selector & 15) | prmt_byte(bytes, selector >> 4 & 15) << 8 |
           prmt_byte(bytes, selector >> 8 & 15) << 16 | prmt_byte(bytes, selector >> 12 & 15) << 24;
}

/* The special modes are the general one with a selector picked by the two low bits of c. */
#define PICK(n, s0, s1, s2, s3) ((n) & 2 ? ((n) & 1 ? (s3) : (s2)) : ((n) & 1 ? (s1) : (s0)))
#define PRMT(name, SELECTOR) LANE_OP3(name, uint32_t, uint32_t, uint32_t, uint32_t, prmt_(CONCAT64(b, a), (SELECTOR)))
PRMT(prmt_b32, c)
PRMT(prmt_f4e, PICK(c, 0x3210, 0x4321, 0x5432, 0x6543))
PRMT(prmt_b4e, PICK(c, 0x5670, 0x6701, 0x7012, 0x0123))
PRMT(prmt_rc8, PICK(c, 0x0000, 0x1111, 0x2222, 0x3333))
PRMT(prmt_ecl, PICK(c, 0x3210, 0x3211, 0x3222, 0x3333))
PRMT(prmt_ecr, PICK(c, 0x0000, 0x1110, 0x2210, 0x3210))
PRMT(prmt_rc16, PICK(c, 0x1010, 0x3232, 0x1010, 0x3232))

/* 'sub' of a row: the mode, and whether the operation clamps or wraps. */
#define SUB(mode, clampmode) ((mode) | (clampmode) << 8)
#define CLAMP PTX_mode_clamp
#define WRAP PTX_mode_wrap
#define ROW(op, type, sub, flags, run) { PTX_OP_##op, PTX_TYPE_##type, 0, sub, flags, run }

static const struct lane_row rows[] = {
#define X(bits, T) \
    ROW(and, b##bits, 0, 0, and_##bits), ROW(or, b##bits, 0, 0, or_##bits), ROW(xor, b##bits, 0, 0, xor_##bits), \
    ROW(not, b##bits, 0, 0, not_##bits), ROW(cnot, b##bits, 0, 0, cnot_##bits), ROW(shl, b##bits, 0, 0, shl_##bits), \
    ROW(shr, b##bits, 0, 0, shr_u##bits), ROW(shr, u##bits, 0, 0, shr_u##bits), ROW(shr, s##bits, 0, 0, shr_s##bits),
    WIDTHS(X)
#undef X
#define X(bits) \
    ROW(popc, b##bits, 0, 0, popc_##bits), ROW(clz, b##bits, 0, 0, clz_##bits), ROW(brev, b##bits, 0, 0, brev_##bits), \
    ROW(bfind, u##bits, 0, 0, bfind_u##bits), ROW(bfind, s##bits, 0, 0, bfind_s##bits), \
    ROW(bfind, u##bits, 0, PTX_FLAG_SHIFTAMT, bfind_shiftamt_u##bits), \
    ROW(bfind, s##bits, 0, PTX_FLAG_SHIFTAMT, bfind_shiftamt_s##bits), \
    ROW(bfe, u##bits, 0, 0, bfe_u##bits), ROW(bfe, s##bits, 0, 0, bfe_s##bits), ROW(bfi, b##bits, 0, 0, bfi_b##bits),
    X(32) X(64)
#undef X
    ROW(fns, b32, 0, 0, fns_b32),
    ROW(shf, b32, SUB(PTX_mode_l, WRAP), 0, shf_l_wrap), ROW(shf, b32, SUB(PTX_mode_l, CLAMP), 0, shf_l_clamp),
    ROW(shf, b32, SUB(PTX_mode_r, WRAP), 0, shf_r_wrap), ROW(shf, b32, SUB(PTX_mode_r, CLAMP), 0, shf_r_clamp),
    ROW(bmsk, b32, SUB(0, WRAP), 0, bmsk_wrap), ROW(bmsk, b32, SUB(0, CLAMP), 0, bmsk_clamp),
    ROW(szext, u32, SUB(0, WRAP), 0, szext_wrap_u32), ROW(szext, u32, SUB(0, CLAMP), 0, szext_clamp_u32),
    ROW(szext, s32, SUB(0, WRAP), 0, szext_wrap_s32), ROW(szext, s32, SUB(0, CLAMP), 0, szext_clamp_s32),
    ROW(prmt, b32, 0, 0, prmt_b32),
#define X(mode) ROW(prmt, b32, PTX_mode_##mode, 0, prmt_##mode),
    X(f4e) X(b4e) X(rc8) X(ecl) X(ecr) X(rc16)
#undef X
};

lane_op *LANES(lanes_select_bits)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    if (insn->op == PTX_OP_lop3 && insn->types[0] == PTX_TYPE_b32 && !insn->flags)
        return !insn->boolop ? lop3_b32 : insn->boolop != PTX_bool_xor ? lop3_bool_b32 : NULL;
    return LANE_FIND(rows, insn, SUB(insn->mode, insn->clampmode));
}
