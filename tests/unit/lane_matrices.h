/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the matrix lane operations share: elements and fragments of every type, and whether a product is right. */
#ifndef VGPU_TESTS_LANE_MATRICES_H
#define VGPU_TESTS_LANE_MATRICES_H

#include "lane_numbers.h"

LANE_SELECTOR(matrix);

static struct lane_registers s[28], d[8];

struct shape {
    unsigned m, n, k;
    uint8_t id;
};
#define SHAPE(M, N, K) {M, N, K, PTX_shape_m##M##n##N##k##K}

static unsigned bits_of(unsigned type)
{
    switch (type) {
    case PTX_TYPE_b1: return 1;
    case PTX_TYPE_s4: case PTX_TYPE_u4: return 4;
    case PTX_TYPE_s8: case PTX_TYPE_u8: case PTX_TYPE_e4m3: case PTX_TYPE_e5m2: return 8;
    case PTX_TYPE_f16: case PTX_TYPE_bf16: return 16;
    case PTX_TYPE_f64: return 64;
    default: return 32;
    }
}

static double value_of(unsigned type, uint64_t v)
{
    switch (type) {
    case PTX_TYPE_b1: return (double)(v & 1);
    case PTX_TYPE_e4m3: return double_of(PTX_TYPE_e4m3x2, v);
    case PTX_TYPE_e5m2: return double_of(PTX_TYPE_e5m2x2, v);
    case PTX_TYPE_f16: case PTX_TYPE_bf16: case PTX_TYPE_tf32: case PTX_TYPE_f32: case PTX_TYPE_f64: return double_of(type, v);
    default: return (double)int_of(type, v);
    }
}

/* A finite one of moderate size. */
static uint64_t random_element(unsigned type)
{
    const uint64_t r = lane_random(), sign = r >> 63;

    switch (type) {
    case PTX_TYPE_f16: return sign << 15 | (9 + r % 10) << 10 | (r >> 20 & 0x3ff);
    case PTX_TYPE_bf16: return sign << 15 | (121 + r % 10) << 7 | (r >> 20 & 0x7f);
    case PTX_TYPE_tf32: case PTX_TYPE_f32: return sign << 31 | (121 + r % 10) << 23 | (r >> 20 & 0x7fffff);
    case PTX_TYPE_f64: return sign << 63 | (1017 + r % 10) << 52 | (r >> 11 & 0xfffffffffffff);
    case PTX_TYPE_e4m3: return (r & 0x7f) == 0x7f ? 0 : r & 0xff;
    case PTX_TYPE_e5m2: return (r & 0x7c) == 0x7c ? 1 : r & 0xff;
    default: return bits_of(type) == 32 && r % 4 ? (uint32_t)((int32_t)r >> 8) : r & (~(uint64_t)0 >> (64 - bits_of(type)));
    }
}

/* Element i of a fragment, in a lane: 32-bit registers (f64: 64) one after the other. */
static uint64_t fragment_get(const struct lane_registers *r, unsigned type, unsigned lane, unsigned i)
{
    const unsigned bits = bits_of(type), per = 32 / bits;

    if (bits == 64)
        return r[i].u64[lane];
    return r[i / per].u32[lane] >> (i % per * bits) & (~(uint64_t)0 >> (64 - bits));
}

static inline void fragment_fill(struct lane_registers *r, unsigned type, unsigned registers)
{
    const unsigned bits = bits_of(type), per = bits == 64 ? 1 : 32 / bits;

    for (unsigned i = 0; i < registers; i++)
        for (unsigned l = 0; l < 32; l++) {
            r[i].u64[l] = bits == 64 ? random_element(type) : r[i].u64[l];
            for (unsigned e = 0; bits < 64 && e < per; e++)
                r[i].u32[l] = (e ? r[i].u32[l] : 0) | (uint32_t)random_element(type) << (e * bits);
        }
}

/* Lane and element to row and column, as the ISA's figures have it. */
struct place {
    unsigned row, column;
};

static inline struct place place_b(unsigned type, unsigned lane, unsigned i)
{
    const unsigned g = lane / 4, t = lane % 4, e = bits_of(type) == 64 ? 1 : 32 / bits_of(type);

    return (struct place){t * e + i % e + i / e * 4 * e, g};
}

static inline struct place place_c(unsigned lane, unsigned i)
{
    return (struct place){i < 2 ? lane / 4 : lane / 4 + 8, lane % 4 * 2 + i % 2};
}

static double a[64][256], b[256][64], c[64][64];

/* d = a b + c at one place, as the accumulator type has it; for floats, whether 'got' is near it. */
static bool right(const struct ptx_insn *insn, const struct shape *sh, unsigned type, unsigned row, unsigned column, uint64_t got)
{
    double sum = 0, size = fabs(c[row][column]), bound;

    for (unsigned k = 0; k < sh->k; k++) {
        const double x = a[row][k], y = b[k][column];
        const double product = insn->types[1] != PTX_TYPE_b1 ? x * y
                             : insn->boolop == PTX_bool_xor ? (double)(x != y) : (double)(x && y);
        sum += product;
        size += fabs(product);
    }
    sum += c[row][column];
    if (type == PTX_TYPE_s32) {
        int64_t exact = (int64_t)sum;
        if (insn->flags & PTX_FLAG_SATFINITE)
            exact = exact < INT32_MIN ? INT32_MIN : exact > INT32_MAX ? INT32_MAX : exact;
        return (uint32_t)got == (uint32_t)exact;
    }
    bound = size * (type == PTX_TYPE_f64 ? 0x1p-48 : 0x1p-20);
    if (type == PTX_TYPE_f16)
        bound += fabs(sum) * 0x1p-11 + 0x1p-25;
    return fabs(value_of(type, got) - sum) <= bound || (type == PTX_TYPE_f16 && fabs(sum) >= 65504 && isinf(value_of(type, got)));
}

#endif
