/* SPDX-License-Identifier: Apache-2.0 */
/* Bit lane operations against loops over single bits. */
#include "lane_check.h"

LANE_SELECTOR(bits);

static unsigned bits_of(const struct ptx_insn *insn)
{
    switch (insn->types[0]) {
    case PTX_TYPE_b16: case PTX_TYPE_u16: case PTX_TYPE_s16: return 16;
    case PTX_TYPE_b32: case PTX_TYPE_u32: case PTX_TYPE_s32: return 32;
    default: return 64;
    }
}

static bool is_signed(const struct ptx_insn *insn)
{
    return insn->types[0] == PTX_TYPE_s16 || insn->types[0] == PTX_TYPE_s32 || insn->types[0] == PTX_TYPE_s64;
}

static unsigned bit(uint64_t v, uint64_t n)
{
    return n < 64 ? v >> n & 1 : 0;
}

static uint64_t field(const struct ptx_insn *insn, uint64_t v, uint64_t pos, uint64_t len, unsigned bits)
{
    uint64_t top = pos + len - 1 < bits - 1 ? pos + len - 1 : bits - 1, r = 0;

    if (!len)
        return 0;
    for (unsigned i = 0; i < bits; i++) {
        unsigned b = i < len && pos + i < bits ? bit(v, pos + i) : is_signed(insn) ? bit(v, top) : 0;
        r |= (uint64_t)b << i;
    }
    return r;
}

static uint64_t find(const struct ptx_insn *insn, uint64_t v, unsigned bits)
{
    unsigned sign = is_signed(insn) ? bit(v, bits - 1) : 0;

    for (int i = (int)bits - 1; i >= 0; i--)
        if (bit(v, (uint64_t)i) != sign)
            return insn->flags & PTX_FLAG_SHIFTAMT ? bits - 1 - (unsigned)i : (unsigned)i;
    return ~0u;
}

static uint64_t nth(uint32_t mask, uint32_t base, int32_t n)
{
    int32_t step = n < 0 ? -1 : 1;

    base &= 31;
    if (n == 0)
        return mask >> base & 1 ? base : ~0u;
    for (int64_t i = base, left = n < 0 ? -(int64_t)n : n; i >= 0 && i < 32; i += step)
        if ((mask >> i & 1) && --left == 0)
            return (uint64_t)i;
    return ~0u;
}

static uint64_t permute(const struct ptx_insn *insn, uint32_t a, uint32_t b, uint32_t c)
{
    const uint8_t bytes[8] = { (uint8_t)a, (uint8_t)(a >> 8), (uint8_t)(a >> 16), (uint8_t)(a >> 24),
                               (uint8_t)b, (uint8_t)(b >> 8), (uint8_t)(b >> 16), (uint8_t)(b >> 24) };
    uint64_t r = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned n = c & 3, pick, byte;

        switch (insn->mode) {
        case PTX_mode_f4e: pick = n + i; break;
        case PTX_mode_b4e: pick = (n - i) & 7; break;
        case PTX_mode_rc8: pick = n; break;
        case PTX_mode_ecl: pick = i > n ? i : n; break;
        case PTX_mode_ecr: pick = i < n ? i : n; break;
        case PTX_mode_rc16: pick = (n & 1) * 2 + (i & 1); break;
        default: pick = c >> (4 * i) & 15;
        }
        byte = bytes[pick & 7];
        if (pick & 8)
            byte = byte & 0x80 ? 0xff : 0;
        r |= (uint64_t)byte << (8 * i);
    }
    return r;
}

static uint64_t lut(const struct ptx_insn *insn, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t r = 0;

    for (unsigned i = 0; i < 32; i++)
        r |= (uint64_t)bit((uint64_t)insn->ops[4].imm, bit(a, i) * 4 + bit(b, i) * 2 + bit(c, i)) << i;
    return r;
}

static uint64_t ones(uint64_t pos, uint64_t n)
{
    uint64_t r = 0;

    for (uint64_t i = 0; i < 32; i++)
        if (i >= pos && i < pos + n)
            r |= (uint64_t)1 << i;
    return r;
}

static void reference(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry)
{
    const unsigned bits = bits_of(insn);
    const bool wrap = insn->clampmode == PTX_mode_wrap;
    const uint64_t a = s[0], b = s[1], c = s[2], narrow = bits == 32 ? 0xff : ~(uint64_t)0;
    uint64_t r = 0, n;

    switch (insn->op) {
    case PTX_OP_and: r = a & b; break;
    case PTX_OP_or: r = a | b; break;
    case PTX_OP_xor: r = a ^ b; break;
    case PTX_OP_not: r = ~a; break;
    case PTX_OP_cnot: r = a == 0; break;
    case PTX_OP_popc: for (unsigned i = 0; i < bits; i++) r += bit(a, i); break;
    case PTX_OP_clz: while (r < bits && !bit(a, bits - 1 - r)) r++; break;
    case PTX_OP_brev: for (unsigned i = 0; i < bits; i++) r |= (uint64_t)bit(a, i) << (bits - 1 - i); break;
    case PTX_OP_bfind: r = find(insn, a, bits); break;
    case PTX_OP_fns: r = nth((uint32_t)a, (uint32_t)b, (int32_t)c); break;
    case PTX_OP_shl: for (unsigned i = 0; i < bits; i++) r |= (uint64_t)(i >= b ? bit(a, i - b) : 0) << i; break;
    case PTX_OP_shr:
        for (unsigned i = 0; i < bits; i++)
            r |= (uint64_t)(i + b < bits ? bit(a, i + b) : is_signed(insn) ? bit(a, bits - 1) : 0) << i;
        break;
    case PTX_OP_shf:
        n = wrap ? c % 32 : c < 32 ? c : 32;
        for (unsigned i = 0; i < 32; i++)
            r |= (uint64_t)bit(a | b << 32, insn->mode == PTX_mode_l ? 32 + i - n : i + n) << i;
        break;
    case PTX_OP_bfe: r = field(insn, a, b & narrow, c & narrow, bits); break;
    case PTX_OP_bfi:
        for (uint64_t i = 0; i < bits; i++) {
            bool inside = i >= (c & narrow) && i - (c & narrow) < (s[3] & narrow);
            r |= (uint64_t)(inside ? bit(a, i - (c & narrow)) : bit(b, i)) << i;
        }
        break;
    case PTX_OP_bmsk: r = wrap ? ones(a % 32, b % 32) : ones(a, b); break;
    case PTX_OP_szext: r = field(insn, a, 0, wrap ? b % 32 : b < 32 ? b : 32, 32); break;
    case PTX_OP_prmt: r = permute(insn, (uint32_t)a, (uint32_t)b, (uint32_t)c); break;
    case PTX_OP_lop3: r = lut(insn, a, b, c); break;
    default: abort();
    }
    d[0] = r;
    if (insn->boolop) {
        uint64_t nonzero = (uint32_t)r != 0;
        d[1] = insn->boolop == PTX_bool_and ? nonzero & s[4] : nonzero | s[4];
    }
}

static void check(const char *title, struct ptx_insn insn, const char *signature)
{
    insn.ntypes = 1;
    lane_compare(&bits_set, title, &insn, signature, reference);
}
#define CHECK(opcode, type, signature, ...) \
    check(#opcode "." #type " " #__VA_ARGS__, \
          (struct ptx_insn){ .op = PTX_OP_##opcode, .types = { PTX_TYPE_##type }, __VA_ARGS__ }, signature)

int main(void)
{
#define X(op) CHECK(op, b16, "2=22"); CHECK(op, b32, "4=44"); CHECK(op, b64, "8=88");
    X(and) X(or) X(xor)
#undef X
#define X(op) CHECK(op, b16, "2=2"); CHECK(op, b32, "4=4"); CHECK(op, b64, "8=8");
    X(not) X(cnot)
#undef X
#define X(op) CHECK(op, b32, "4=4"); CHECK(op, b64, "4=8");
    X(popc) X(clz)
#undef X
    CHECK(brev, b32, "4=4"); CHECK(brev, b64, "8=8");
    for (unsigned k = 0; k < 2; k++) {
        const uint32_t flags = k ? PTX_FLAG_SHIFTAMT : 0;
        CHECK(bfind, u32, "4=4", .flags = flags); CHECK(bfind, s32, "4=4", .flags = flags);
        CHECK(bfind, u64, "4=8", .flags = flags); CHECK(bfind, s64, "4=8", .flags = flags);
    }
    CHECK(fns, b32, "4=444");
    CHECK(shl, b16, "2=24"); CHECK(shl, b32, "4=44"); CHECK(shl, b64, "8=84");
    CHECK(shr, b16, "2=24"); CHECK(shr, b32, "4=44"); CHECK(shr, b64, "8=84");
    CHECK(shr, u16, "2=24"); CHECK(shr, u32, "4=44"); CHECK(shr, u64, "8=84");
    CHECK(shr, s16, "2=24"); CHECK(shr, s32, "4=44"); CHECK(shr, s64, "8=84");
    CHECK(bfe, u32, "4=444"); CHECK(bfe, s32, "4=444"); CHECK(bfe, u64, "8=844"); CHECK(bfe, s64, "8=844");
    CHECK(bfi, b32, "4=4444"); CHECK(bfi, b64, "8=8844");
    for (uint8_t mode = PTX_mode_clamp; mode <= PTX_mode_wrap; mode++) {
        CHECK(shf, b32, "4=444", .mode = PTX_mode_l, .clampmode = mode);
        CHECK(shf, b32, "4=444", .mode = PTX_mode_r, .clampmode = mode);
        CHECK(bmsk, b32, "4=44", .clampmode = mode);
        CHECK(szext, u32, "4=44", .clampmode = mode);
        CHECK(szext, s32, "4=44", .clampmode = mode);
    }
    CHECK(prmt, b32, "4=444");
    for (uint8_t mode = PTX_mode_f4e; mode <= PTX_mode_rc16; mode++)
        CHECK(prmt, b32, "4=444", .mode = mode);
    for (int table = 0; table < 256; table += 5)
        CHECK(lop3, b32, "4=4444", .ops[4].imm = table);
    CHECK(lop3, b32, "4p=4444p", .ops[4].imm = 0x80, .boolop = PTX_bool_and);
    CHECK(lop3, b32, "4p=4444p", .ops[4].imm = 0x01, .boolop = PTX_bool_or);
    return tap_done();
}
