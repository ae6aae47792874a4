/* SPDX-License-Identifier: Apache-2.0 */
/* Compare a lane operation (interp/lanes.h) with a plain function on one lane's values, in every copy that this CPU runs:
 * edge values mixed with random ones, full and random masks, inactive lanes untouched, destination a source or not.
 *
 *     LANE_SELECTOR(int);
 *     lane_compare(&int_set, "add.u32", &insn, "4=44", reference);
 *
 * The signature gives the registers' widths: 1 2 4 8 are bytes, p a predicate; destinations before '='. */
#ifndef VGPU_TESTS_LANE_CHECK_H
#define VGPU_TESTS_LANE_CHECK_H

#include <stdlib.h>

#include "interp/lanes.h"
#include "tap.h"

struct lane_set {
    lane_selector *copy[3];
};
#define LANE_SELECTOR(family) \
    static const struct lane_set family##_set = { \
        { lanes_select_##family##_base, lanes_select_##family##_v3, lanes_select_##family##_v4 } \
    }

/* d from s, and the carry flag, for one lane; registers as 64-bit values, predicates 0 or 1. */
typedef void lane_reference(const struct ptx_insn *insn, uint64_t *d, const uint64_t *s, uint32_t *carry);

_Noreturn void lane_fault(const struct lane_args *a, unsigned lane, int code, uint64_t address, const char *what)
{
    abort();
}

/* Told what an operation wants checked before it touches memory. */
static void (*lane_checked)(uint64_t address, size_t n);

void lane_check(const struct lane_args *a, unsigned lane, uint64_t address, size_t n, size_t align)
{
    if (lane_checked)
        lane_checked(address, n);
}

/* What counts as the expected value, where that is not equality of bits; NULL: equality. */
static bool (*lane_same)(const struct ptx_insn *insn, uint64_t got, uint64_t expected);

static uint64_t lane_random(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1du;
}

/* Values where integer and floating point operations change their mind, and random ones of random length. */
static uint64_t lane_value(unsigned bits)
{
    static const uint64_t f32_edges[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 1,
                                          0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0x4effffff, 0xcf000000,
                                          0x4f800000, 0x3f000000, 0x3fc00000, 0x5f000000, 0x477fe000, 0x477ff000, 0x33000000,
                                          0x38800000, 0x387fffff, 0x47c35000, 0x43e00000, 0x43f00000 };
    static const uint16_t f16_edges[] = { 0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 1, 0x03ff, 0x0400, 0x7bff, 0x3f80,
                                          0x7f80, 0xff80, 0x7fc0, 0x7f81, 0x007f, 0x0080 };
    const uint64_t r = lane_random();
    const unsigned pick = r >> 58;
    uint64_t v = lane_random();

    if (pick < 8)
        v = (uint64_t)1 << (v % bits);
    else if (pick < 12)
        v = ((uint64_t)1 << (v % bits)) - 1;
    else if (pick < 16)
        v = 0 - ((uint64_t)1 << (v % bits));
    else if (pick < 20)
        v = v % 5 - 2;
    else if (pick < 30)
        v = v >> (r % 64);
    else if (pick < 34)
        v = (uint64_t)((int64_t)v >> (r % 64));
    else if (pick < 46 && bits >= 32)
        v = f32_edges[v % (sizeof f32_edges / sizeof *f32_edges)];
    else if (pick < 50)
        v = f16_edges[v % 18] | (uint64_t)f16_edges[(v >> 32) % 18] << 16;
    else if (pick < 54 && bits == 64) { /* an f32 edge as f64, and its neighbours */
        float f;
        double g;
        uint32_t u = (uint32_t)f32_edges[v % (sizeof f32_edges / sizeof *f32_edges)];
        memcpy(&f, &u, 4);
        g = (double)f;
        memcpy(&v, &g, 8);
        v += r % 3 - 1;
    }
    return bits == 64 ? v : v & (((uint64_t)1 << bits) - 1);
}

struct lane_registers {
    union {
        uint16_t u16[32];
        uint32_t u32[32];
        uint64_t u64[32];
    } __attribute__((aligned(64)));
};

static uint64_t lane_get(const struct lane_registers *r, unsigned bits, unsigned l)
{
    switch (bits) {
    case 1: return r->u32[0] >> l & 1;
    case 16: return r->u16[l];
    case 32: return r->u32[l];
    default: return r->u64[l];
    }
}

static void lane_put(struct lane_registers *r, unsigned bits, unsigned l, uint64_t v)
{
    switch (bits) {
    case 1: r->u32[0] = (r->u32[0] & ~(1u << l)) | (uint32_t)(v & 1) << l; break;
    case 16: r->u16[l] = (uint16_t)v; break;
    case 32: r->u32[l] = (uint32_t)v; break;
    default: r->u64[l] = v;
    }
}

static unsigned lane_width_of(char c)
{
    return c == 'p' ? 1 : c == '1' || c == '2' ? 16 : c == '4' ? 32 : 64;
}

/* One run with random sources; false after printing the first lane that differs. */
static int lane_run(const char *name, lane_op *op, const struct ptx_insn *insn, const struct lane_widths *w, unsigned nd,
                    unsigned ns, lane_reference *reference, unsigned round)
{
    static struct lane_registers d[4], s[8];
    uint64_t before[4][32], sources[32][8];
    uint32_t carry = (uint32_t)lane_random(), carry_before = carry;
    struct lane_args a = { .insn = insn, .carry = &carry, .present = ~0u };
    /* Every fourth round destination 0 is a source of its width. */
    unsigned alias = round % 4 == 3 ? (unsigned)(lane_random() % ns) : ns;

    a.mask = round % 3 ? (uint32_t)lane_random() | 1u << (round & 31) : ~0u;
    for (unsigned i = 0; i < ns; i++) {
        for (unsigned l = 0; l < 32; l++)
            lane_put(&s[i], w->s[i], l, lane_value(w->s[i] == 1 ? 16 : w->s[i]));
        a.s[i] = &s[i];
    }
    for (unsigned i = 0; i < nd; i++) {
        for (unsigned l = 0; l < 32; l++)
            lane_put(&d[i], w->d[i], l, lane_random());
        a.d[i] = &d[i];
    }
    if (alias < ns && w->s[alias] == w->d[0])
        a.d[0] = &s[alias];
    for (unsigned l = 0; l < 32; l++) {
        for (unsigned i = 0; i < ns; i++)
            sources[l][i] = lane_get(a.s[i], w->s[i], l);
        for (unsigned i = 0; i < nd; i++)
            before[i][l] = lane_get(a.d[i], w->d[i], l);
    }
    op(&a);
    for (unsigned l = 0; l < 32; l++) {
        const int active = a.mask >> l & 1;
        uint64_t want[4] = { 0 };
        uint32_t want_carry = carry_before >> l & 1;

        if (active)
            reference(insn, want, sources[l], &want_carry);
        for (unsigned i = 0; i < nd; i++) {
            const uint64_t expected = active ? want[i] & (~(uint64_t)0 >> (64 - w->d[i])) : before[i][l];
            const uint64_t got = lane_get(a.d[i], w->d[i], l);

            if (got != expected && !(active && lane_same && lane_same(insn, got, expected))) {
                diag("%s lane %u %s: got %#" PRIx64 ", want %#" PRIx64 " of %#" PRIx64 " %#" PRIx64 " %#" PRIx64 " %#" PRIx64,
                     name, l, active ? "active" : "inactive", got, expected, sources[l][0], ns > 1 ? sources[l][1] : 0,
                     ns > 2 ? sources[l][2] : 0, ns > 3 ? sources[l][3] : 0);
                return 0;
            }
        }
        if ((carry >> l & 1) != want_carry) {
            diag("%s lane %u: carry %u of %#" PRIx64 " %#" PRIx64, name, l, carry >> l & 1, sources[l][0], sources[l][1]);
            return 0;
        }
    }
    return 1;
}

static int lane_cpu_runs(unsigned copy)
{
    if (copy == 2)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return copy == 0 || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"));
}

__attribute__((unused)) static int lane_compare(const struct lane_set *set, const char *name, const struct ptx_insn *insn, const char *signature,
                        lane_reference *reference)
{
    struct lane_widths w = { 0 };
    unsigned nd = 0, ns = 0;
    const char *p = signature;

    for (; *p != '='; p++)
        w.d[nd++] = (uint8_t)lane_width_of(*p);
    for (p++; *p; p++)
        w.s[ns++] = (uint8_t)lane_width_of(*p);
    for (unsigned copy = 0; copy < 3; copy++) {
        lane_op *op = lane_cpu_runs(copy) ? set->copy[copy](insn, &w) : NULL;

        if (!lane_cpu_runs(copy))
            continue;
        if (!op)
            return ok(0, "%s: copy %u has it", name, copy);
        for (unsigned round = 0; round < 60; round++)
            if (!lane_run(name, op, insn, &w, nd, ns, reference, round))
                return ok(0, "%s, copy %u", name, copy);
    }
    return ok(1, "%s", name);
}

#endif
