/* SPDX-License-Identifier: Apache-2.0 */
/* The loops that lane operations are made of. The compiler turns them into vector code for the instruction set that a copy of
 * the file is compiled for; nothing here uses intrinsics.
 *
 *   LANE_OP2(add_u32, uint32_t, uint32_t, uint32_t, a + b)
 *
 * defines lane operation add_u32: d[0][l] = s[0][l] + s[1][l] for every active lane l. In the expressions 'l' is the lane,
 * a b c e are its elements of the sources (first to fourth) and 'args' is the struct lane_args. Expressions are evaluated for
 * inactive lanes too, so they must not trap whatever the registers hold. */
#ifndef VGPU_INTERP_LANES_UTIL_H
#define VGPU_INTERP_LANES_UTIL_H

#include <stdint.h>
#include <string.h>

#include "interp/lanes.h"

#define LANES_PER_WARP 32
#define FULL_MASK 0xffffffffu

/* lane_bit[l] = 1 << l, as a table: baseline x86-64 has no vector shift by a vector. */
static const uint32_t lane_bit[LANES_PER_WARP] __attribute__((aligned(64), unused)) = {
#define X(n) 1u << (n), 2u << (n), 4u << (n), 8u << (n)
    X(0), X(4), X(8), X(12), X(16), X(20), X(24), X(28)
#undef X
};

/* A destination is either the same array as a source, element for element, or does not overlap it: no dependence
 * crosses from lane to lane. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed" /* some loops cannot be vectors: 64-bit division, say */
#define LANE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define LANE_INDEPENDENT _Pragma("GCC ivdep")
#endif
#define FOR_LANES(l) LANE_INDEPENDENT for (unsigned l = 0; l < LANES_PER_WARP; l++)

/* dst[l] = EXPR for the active lanes. */
#define LANE_STORE(mask, dst, EXPR) \
    do { \
        const uint32_t mask_ = (mask); \
        if (mask_ == FULL_MASK) { \
            FOR_LANES(l) (dst)[l] = (EXPR); \
        } else { \
            FOR_LANES(l) (dst)[l] = mask_ & lane_bit[l] ? (EXPR) : (dst)[l]; \
        } \
    } while (0)

/* The predicate whose bit l is the truth of COND, for all 32 lanes. */
#define LANE_BALLOT(COND) \
    ({ \
        uint32_t bits_ = 0; \
        for (unsigned l = 0; l < LANES_PER_WARP; l++) \
            bits_ |= (COND) ? lane_bit[l] : 0; \
        bits_; \
    })

/* Write a predicate's active lanes; an absent one ('_') takes nothing. */
static inline void lane_set_pred(uint32_t mask, void *dst, uint32_t bits)
{
    uint32_t *p = dst;

    if (p)
        *p = (*p & ~mask) | (bits & mask);
}

#define LANE_OP1(name, TD, TA, EXPR) \
    static void name(const struct lane_args *args) \
    { \
        TD *d_ = args->d[0]; \
        const TA *a_ = args->s[0]; \
        LANE_STORE(args->mask, d_, ({ const TA a = a_[l]; (TD)(EXPR); })); \
    }

#define LANE_OP2(name, TD, TA, TB, EXPR) \
    static void name(const struct lane_args *args) \
    { \
        TD *d_ = args->d[0]; \
        const TA *a_ = args->s[0]; \
        const TB *b_ = args->s[1]; \
        LANE_STORE(args->mask, d_, ({ const TA a = a_[l]; const TB b = b_[l]; (TD)(EXPR); })); \
    }

#define LANE_OP3(name, TD, TA, TB, TC, EXPR) \
    static void name(const struct lane_args *args) \
    { \
        TD *d_ = args->d[0]; \
        const TA *a_ = args->s[0]; \
        const TB *b_ = args->s[1]; \
        const TC *c_ = args->s[2]; \
        LANE_STORE(args->mask, d_, ({ const TA a = a_[l]; const TB b = b_[l]; const TC c = c_[l]; (TD)(EXPR); })); \
    }

#define LANE_OP4(name, TD, TA, TB, TC, TE, EXPR) \
    static void name(const struct lane_args *args) \
    { \
        TD *d_ = args->d[0]; \
        const TA *a_ = args->s[0]; \
        const TB *b_ = args->s[1]; \
        const TC *c_ = args->s[2]; \
        const TE *e_ = args->s[3]; \
        LANE_STORE(args->mask, d_, \
                   ({ const TA a = a_[l]; const TB b = b_[l]; const TC c = c_[l]; const TE e = e_[l]; (TD)(EXPR); })); \
    }

/* d[0], a predicate, = COND of the sources. */
#define LANE_TEST1(name, TA, COND) \
    static void name(const struct lane_args *args) \
    { \
        const TA *a_ = args->s[0]; \
        lane_set_pred(args->mask, args->d[0], LANE_BALLOT(({ const TA a = a_[l]; (COND); }))); \
    }

#define LANE_TEST2(name, TA, TB, COND) \
    static void name(const struct lane_args *args) \
    { \
        const TA *a_ = args->s[0]; \
        const TB *b_ = args->s[1]; \
        lane_set_pred(args->mask, args->d[0], LANE_BALLOT(({ const TA a = a_[l]; const TB b = b_[l]; (COND); }))); \
    }

/* A row of a selector's table. An instruction matches when its opcode, first two types and flags are equal to the row's and 'sub',
 * what else the family tells its operations apart by (insn->mul, round, mode ...), is equal too; so a suffix that no row
 * names is refused, never ignored. */
struct lane_row {
    uint16_t op;
    uint8_t type, type2;
    uint16_t sub;
    uint32_t flags;
    lane_op *run;
};

static inline lane_op *lane_find(const struct lane_row *rows, size_t n, const struct ptx_insn *insn, unsigned sub)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].op == insn->op && rows[i].type == insn->types[0] && rows[i].type2 == insn->types[1] &&
            rows[i].sub == sub && rows[i].flags == insn->flags)
            return rows[i].run;
    return NULL;
}
#define LANE_FIND(rows, insn, sub) lane_find(rows, sizeof(rows) / sizeof *(rows), insn, sub)

static inline float bits_f32(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint32_t f32_bits(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

static inline double bits_f64(uint64_t u)
{
    double f;

    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint64_t f64_bits(double f)
{
    uint64_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

/* .ftz: a subnormal becomes a zero of its sign. */
static inline uint32_t ftz_f32(uint32_t u)
{
    return u & 0x7f800000u ? u : u & 0x80000000u;
}

#endif
