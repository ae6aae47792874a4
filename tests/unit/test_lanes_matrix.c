/* SPDX-License-Identifier: Apache-2.0 */
/* mma.sync against triple loops over the fragment layouts that the PTX ISA documents (9.7.14.5), element by element. */
#include <fenv.h>
#include <stdio.h>

#include "lane_matrices.h"

static struct lane_registers before[8];

static struct place place_a(const struct shape *sh, unsigned type, unsigned lane, unsigned i)
{
    const unsigned g = lane / 4, t = lane % 4, e = bits_of(type) == 64 ? 1 : 32 / bits_of(type), r = i / e;

    return sh->m == 16 ? (struct place){r % 2 ? g + 8 : g, t * e + i % e + r / 2 * 4 * e}
                       : (struct place){g, t * e + i % e + r * 4 * e};
}

static bool mma_once(lane_op *op, const struct ptx_insn *insn, const struct shape *sh, bool alias)
{
    const unsigned ta = insn->types[1], tb = insn->types[2], tc = insn->types[3], td = insn->types[0];
    const unsigned na = sh->m * sh->k / 32, nb = sh->k * 8 / 32, nc = sh->m * 8 / 32;
    const unsigned ra = bits_of(ta) == 64 ? na : na * bits_of(ta) / 32, rb = bits_of(tb) == 64 ? nb : nb * bits_of(tb) / 32;
    const unsigned rc = tc == PTX_TYPE_f16 ? nc / 2 : nc;
    struct lane_args args = {.mask = ~0u, .present = ~0u, .insn = insn};

    fragment_fill(s, ta, ra);
    fragment_fill(s + ra, tb, rb);
    fragment_fill(s + ra + rb, tc, rc);
    for (unsigned i = 0; i < ra + rb + rc; i++)
        args.s[i] = &s[i];
    for (unsigned i = 0; i < rc; i++) /* aliased: D is C with the registers in reverse */
        args.d[i] = alias ? &s[ra + rb + rc - 1 - i] : &d[i];
    for (unsigned l = 0; l < 32; l++) {
        for (unsigned i = 0; i < na; i++)
            a[place_a(sh, ta, l, i).row][place_a(sh, ta, l, i).column] = value_of(ta, fragment_get(s, ta, l, i));
        for (unsigned i = 0; i < nb; i++)
            b[place_b(tb, l, i).row][place_b(tb, l, i).column] = value_of(tb, fragment_get(s + ra, tb, l, i));
        for (unsigned i = 0; i < nc; i++)
            c[place_c(l, i).row][place_c(l, i).column] = value_of(tc, fragment_get(s + ra + rb, tc, l, i));
    }
    op(&args);
    for (unsigned i = 0; i < rc; i++)
        before[i] = *(struct lane_registers *)args.d[i];
    for (unsigned l = 0; l < 32; l++)
        for (unsigned i = 0; i < nc; i++) {
            const struct place at = place_c(l, i);
            if (!right(insn, sh, td, at.row, at.column, fragment_get(before, td, l, i))) {
                diag("lane %u element %u: %#" PRIx64, l, i, fragment_get(before, td, l, i));
                return false;
            }
        }
    return true;
}

/* Eight lanes, 4 p ... and 16 + 4 p ..., have each of four products. */
static bool mma_m8n8k4_once(lane_op *op, const struct ptx_insn *insn, const struct shape *sh, bool alias)
{
    const unsigned tc = insn->types[3], td = insn->types[0];
    struct lane_args args = {.mask = ~0u, .present = ~0u, .insn = insn};

    fragment_fill(s, PTX_TYPE_f16, 4);
    fragment_fill(s + 4, tc, 8);
    for (unsigned i = 0; i < 12; i++)
        args.s[i] = &s[i];
    for (unsigned i = 0; i < 8; i++)
        args.d[i] = &d[i];
    op(&args);
    for (unsigned p = 0; p < 4; p++) {
        for (unsigned l = 0; l < 32; l++) {
            const unsigned half = l < 16 ? 0 : 4;
            if (l / 4 % 4 != p)
                continue;
            for (unsigned i = 0; i < 4; i++) {
                const double x = value_of(PTX_TYPE_f16, fragment_get(s, PTX_TYPE_f16, l, i));
                const double y = value_of(PTX_TYPE_f16, fragment_get(s + 2, PTX_TYPE_f16, l, i));
                *(insn->layout_a == 'r' ? &a[l % 4 + half][i] : &a[i + half][l % 4]) = x;
                *(insn->layout_b == 'c' ? &b[i][l % 4 + half] : &b[l % 4][i + half]) = y;
            }
            for (unsigned i = 0; i < 8; i++)
                if (tc == PTX_TYPE_f16)
                    c[l % 4 + half][i] = value_of(tc, fragment_get(s + 4, tc, l, i));
                else
                    c[(l & 1) + (i & 2) + half][(i & 4) + (l & 2) + (i & 1)] = value_of(tc, fragment_get(s + 4, tc, l, i));
        }
        for (unsigned l = 0; l < 32; l++)
            for (unsigned i = 0; l / 4 % 4 == p && i < 8; i++) {
                const unsigned half = l < 16 ? 0 : 4;
                const unsigned row = td == PTX_TYPE_f16 ? l % 4 + half : (l & 1) + (i & 2) + half;
                const unsigned column = td == PTX_TYPE_f16 ? i : (i & 4) + (l & 2) + (i & 1);
                if (!right(insn, sh, td, row, column, fragment_get(d, td, l, i)))
                    return false;
            }
    }
    return true;
}

typedef bool once(lane_op *op, const struct ptx_insn *insn, const struct shape *sh, bool alias);

static void run(const struct ptx_insn *insn, const struct shape *sh, once *f)
{
    const struct lane_widths w = {0};
    char name[128];

    snprintf(name, sizeof name, "mma m%un%uk%u types %u %u %u %u layouts %c %c flags %#x", sh->m, sh->n, sh->k, insn->types[0],
             insn->types[1], insn->types[2], insn->types[3], insn->layout_a, insn->layout_b, insn->flags);
    for (unsigned copy = 0; copy < 3; copy++) {
        lane_op *op = lane_cpu_runs(copy) ? matrix_set.copy[copy](insn, &w) : NULL;
        if (!lane_cpu_runs(copy))
            continue;
        for (unsigned round = 0; round < 20; round++)
            if (!op || !f(op, insn, sh, round & 1)) {
                ok(0, "%s, copy %u", name, copy);
                return;
            }
    }
    ok(1, "%s", name);
}

static void test_mma(void)
{
    static const struct {
        uint8_t a[2], d[2];
        struct shape shapes[3];
        uint32_t flags;
    } rules[] = {
        {{PTX_TYPE_f16}, {PTX_TYPE_f16, PTX_TYPE_f32}, {SHAPE(16, 8, 8), SHAPE(16, 8, 16)}, 0},
        {{PTX_TYPE_bf16}, {PTX_TYPE_f32}, {SHAPE(16, 8, 8), SHAPE(16, 8, 16)}, 0},
        {{PTX_TYPE_tf32}, {PTX_TYPE_f32}, {SHAPE(16, 8, 4), SHAPE(16, 8, 8)}, 0},
        {{PTX_TYPE_e4m3, PTX_TYPE_e5m2}, {PTX_TYPE_f16, PTX_TYPE_f32}, {SHAPE(16, 8, 16), SHAPE(16, 8, 32)}, 0},
        {{PTX_TYPE_s8, PTX_TYPE_u8}, {PTX_TYPE_s32}, {SHAPE(8, 8, 16), SHAPE(16, 8, 16), SHAPE(16, 8, 32)}, PTX_FLAG_SATFINITE},
        {{PTX_TYPE_s4, PTX_TYPE_u4}, {PTX_TYPE_s32}, {SHAPE(8, 8, 32), SHAPE(16, 8, 32), SHAPE(16, 8, 64)}, PTX_FLAG_SATFINITE},
        {{PTX_TYPE_b1}, {PTX_TYPE_s32}, {SHAPE(8, 8, 128), SHAPE(16, 8, 128), SHAPE(16, 8, 256)}, 0},
        {{PTX_TYPE_f64}, {PTX_TYPE_f64}, {SHAPE(8, 8, 4), SHAPE(16, 8, 4), SHAPE(16, 8, 8)}, 0},
        {{PTX_TYPE_f64}, {PTX_TYPE_f64}, {SHAPE(16, 8, 16)}, 0},
    };
    static const struct shape m8n8k4 = SHAPE(8, 8, 4);

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (unsigned n = 0; n < 3 && rules[i].shapes[n].m; n++)
            for (unsigned v = 0; v < 16; v++) {
                const unsigned ta = rules[i].a[v & 1], tb = rules[i].a[v >> 1 & 1], td = rules[i].d[v >> 2 & 1];
                struct ptx_insn insn = {.op = PTX_OP_mma, .shape = rules[i].shapes[n].id, .ntypes = 4, .layout_a = 'r',
                                        .layout_b = 'c', .types = {(uint8_t)td, (uint8_t)ta, (uint8_t)tb, (uint8_t)td},
                                        .flags = PTX_FLAG_SYNC | PTX_FLAG_ALIGNED | (v & 8 ? rules[i].flags : 0)};
                if (!ta || !tb || !td || (v & 8 && !rules[i].flags && ta != PTX_TYPE_b1))
                    continue;
                if (ta == PTX_TYPE_b1) {
                    insn.flags |= PTX_FLAG_POPC;
                    insn.boolop = v & 8 ? PTX_bool_xor : PTX_bool_and;
                }
                run(&insn, &rules[i].shapes[n], mma_once);
            }
    for (unsigned v = 0; v < 12; v++) {
        static const uint8_t types[3][2] = {{PTX_TYPE_f32, PTX_TYPE_f32}, {PTX_TYPE_f32, PTX_TYPE_f16}, {PTX_TYPE_f16, PTX_TYPE_f16}};
        const struct ptx_insn insn = {.op = PTX_OP_mma, .shape = m8n8k4.id, .ntypes = 4, .layout_a = v & 1 ? 'r' : 'c',
                                      .layout_b = v & 2 ? 'r' : 'c',
                                      .types = {types[v / 4][0], PTX_TYPE_f16, PTX_TYPE_f16, types[v / 4][1]}};
        run(&insn, &m8n8k4, mma_m8n8k4_once);
    }
}

/* f64 in every rounding: a chain of fma in order of k. */
static void test_f64_rounding(void)
{
    static const struct {
        uint8_t round;
        int mode;
    } modes[] = {{PTX_round_rn, FE_TONEAREST}, {PTX_round_rz, FE_TOWARDZERO}, {PTX_round_rm, FE_DOWNWARD}, {PTX_round_rp, FE_UPWARD}};
    static const struct lane_widths none;

    for (size_t i = 0; i < 4; i++) {
        const struct ptx_insn insn = {.op = PTX_OP_mma, .shape = PTX_shape_m8n8k4, .ntypes = 4, .layout_a = 'r', .layout_b = 'c',
                                      .types = {PTX_TYPE_f64, PTX_TYPE_f64, PTX_TYPE_f64, PTX_TYPE_f64}, .round = modes[i].round};
        const struct lane_args args = {.mask = ~0u, .insn = &insn, .d = {&d[0], &d[1]}, .s = {&s[0], &s[1], &s[2], &s[3]}};
        bool good = true;

        fragment_fill(s, PTX_TYPE_f64, 4);
        for (unsigned copy = 0; copy < 3; copy++) {
            lane_op *op = lane_cpu_runs(copy) ? matrix_set.copy[copy](&insn, &none) : NULL;
            if (op)
                op(&args);
            for (unsigned l = 0; op && l < 32; l++)
                for (unsigned e = 0; e < 2; e++) {
                    volatile double sum = double_of(PTX_TYPE_f64, s[2 + e].u64[l]);
                    fesetround(modes[i].mode);
                    for (unsigned k = 0; k < 4; k++)
                        sum = fma(double_of(PTX_TYPE_f64, s[0].u64[l / 4 * 4 + k]),
                                  double_of(PTX_TYPE_f64, s[1].u64[(l % 4 * 2 + e) * 4 + k]), sum);
                    fesetround(FE_TONEAREST);
                    good = good && sum == double_of(PTX_TYPE_f64, d[e].u64[l]);
                }
            good = good && (op || !lane_cpu_runs(copy));
        }
        ok(good, "mma m8n8k4 f64, rounding %zu", i);
    }
}

static void test_refusals(void)
{
    static const struct ptx_insn refused[] = {
        {.op = PTX_OP_mma, .shape = PTX_shape_m16n8k64, .ntypes = 4, .layout_a = 'r', .layout_b = 'c',
         .types = {PTX_TYPE_f32, PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f32}},
        {.op = PTX_OP_mma, .shape = PTX_shape_m16n8k16, .ntypes = 4, .layout_a = 'r', .layout_b = 'c',
         .types = {PTX_TYPE_f32, PTX_TYPE_f16, PTX_TYPE_s8, PTX_TYPE_f32}},
        {.op = PTX_OP_mma, .shape = PTX_shape_m16n16k16, .ntypes = 4, .layout_a = 'r', .layout_b = 'c',
         .types = {PTX_TYPE_s32, PTX_TYPE_s8, PTX_TYPE_s8, PTX_TYPE_s32}},
    };
    const struct lane_widths w = {0};

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ok(!lanes_select_matrix_base(&refused[i], &w), "refused form %zu", i);
}

int main(void)
{
    test_mma();
    test_f64_rounding();
    test_refusals();
    return tap_done();
}
