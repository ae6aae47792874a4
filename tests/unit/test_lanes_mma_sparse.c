/* SPDX-License-Identifier: Apache-2.0 */
/* mma.sp: A is put together column by column from fragments and metadata, then multiplied by triple loops. Metadata in order,
 * out of order, and any bits at all; a product that others recorded on hardware. */
#include <stdio.h>

#include "lane_matrices.h"

enum metadata { ORDERED, UNORDERED, ANY };

/* The four bits that describe chunk 'chunk' of a row, in the figures' terms: in the word of which lane, at which bit. */
static unsigned code_of(const uint32_t *words, const struct shape *sh, unsigned type, unsigned selector, unsigned row,
                        unsigned chunk)
{
    const unsigned quad = 4 * (row % 8), low = row < 8;

    switch (bits_of(type)) {
    case 16: /* 4 chunks a word and row */
        return words[quad + (sh->k == 16 ? selector : 2 * selector + chunk / 4)] >> (chunk % 4 * 4 + (low ? 0 : 16)) & 15;
    case 32:
        return words[quad + (sh->k == 8 ? selector : 2 * selector + chunk / 4)] >> (chunk % 4 * 4 + (low ? 0 : 16)) & 15;
    case 8: /* 8 chunks a word, all of one row */
        return words[quad + (sh->k == 32 ? 2 * selector : chunk / 8 * 2) + !low] >> chunk % 8 * 4 & 15;
    default:
        return words[quad + (sh->k == 64 ? 2 * selector : chunk / 8 * 2) + !low] >> chunk % 8 * 4 & 15;
    }
}

static void fill_metadata(uint32_t *words, unsigned type, enum metadata kind)
{
    static const uint8_t ordered[] = {4, 8, 9, 12, 13, 14}, unordered[] = {1, 2, 6, 3, 7, 11}, tf32[] = {4, 14};

    for (unsigned l = 0; l < 32; l++) {
        words[l] = 0;
        for (unsigned i = 0; i < 8; i++) {
            const unsigned pick = (unsigned)(lane_random() >> 20);
            const unsigned code = kind == ANY ? pick & 15 : bits_of(type) == 32 ? tf32[pick % 2]
                                : kind == ORDERED ? ordered[pick % 6] : unordered[pick % 6];
            words[l] |= code << 4 * i;
        }
    }
}

/* Element i of lane l goes where its code says. */
static void spread(const struct shape *sh, unsigned type, const uint32_t *words, unsigned selector)
{
    const unsigned e = 32 / bits_of(type), chunk = bits_of(type) == 4 ? 8 : bits_of(type) == 32 ? 2 : 4;

    memset(a, 0, sizeof a);
    for (unsigned l = 0; l < 32; l++)
        for (unsigned i = 0; i < 16 * sh->k / 2 / 32; i++) {
            const unsigned row = i / e % 2 * 8 + l / 4, kept = (i / e / 2 * 4 + l % 4) * e + i % e; /* of the packed row */
            const unsigned n = kept / (chunk / 2), at = kept % (chunk / 2), code = code_of(words, sh, type, selector, row, n);
            const unsigned column = chunk == 2 ? code >> 1 & 1
                                  : chunk == 4 ? (at ? code >> 2 : code & 3) : (at / 2 ? code >> 2 : code & 3) * 2 + at % 2;
            a[row][n * chunk + column] += value_of(type, fragment_get(s, type, l, i));
        }
}

static bool once(lane_op *op, const struct ptx_insn *insn, const struct shape *sh, unsigned selector, enum metadata kind)
{
    const unsigned ta = insn->types[1], tb = insn->types[2], td = insn->types[0], halves = td == PTX_TYPE_f16 ? 2 : 1;
    const unsigned ra = sh->k * bits_of(ta) / 128, rb = ra, rc = 4 / halves, meta = ra + rb + rc;
    struct lane_args args = {.mask = ~0u, .present = ~0u, .insn = insn};

    fragment_fill(s, ta, ra);
    fragment_fill(s + ra, tb, rb);
    fragment_fill(s + ra + rb, td, rc);
    fill_metadata(s[meta].u32, ta, kind);
    for (unsigned l = 0; l < 32; l++)
        s[meta + 1].u32[l] = selector;
    for (unsigned i = 0; i < meta + 2; i++)
        args.s[i] = &s[i];
    for (unsigned i = 0; i < rc; i++)
        args.d[i] = &d[i];
    spread(sh, ta, s[meta].u32, selector);
    for (unsigned l = 0; l < 32; l++) {
        for (unsigned i = 0; i < sh->k * 8 / 32; i++)
            b[place_b(tb, l, i).row][place_b(tb, l, i).column] = value_of(tb, fragment_get(s + ra, tb, l, i));
        for (unsigned i = 0; i < 4; i++)
            c[place_c(l, i).row][place_c(l, i).column] = value_of(td, fragment_get(s + ra + rb, td, l, i));
    }
    op(&args);
    for (unsigned l = 0; l < 32; l++)
        for (unsigned i = 0; i < 4; i++) {
            const struct place at = place_c(l, i);

            if (!right(insn, sh, td, at.row, at.column, fragment_get(d, td, l, i))) {
                diag("selector %u, metadata %d, lane %u element %u", selector, kind, l, i);
                return false;
            }
        }
    return true;
}

static void run(const struct ptx_insn *insn, const struct shape *sh)
{
    const struct lane_widths w = {0};
    const unsigned bits = bits_of(insn->types[1]), selectors = bits >= 16 ? 1024 / (sh->k * bits) : 512 / (sh->k * bits);
    bool good = true;

    for (unsigned copy = 0; copy < 3; copy++) {
        lane_op *op = lane_cpu_runs(copy) ? matrix_set.copy[copy](insn, &w) : NULL;

        good = good && (op || !lane_cpu_runs(copy));
        for (unsigned round = 0; good && op && round < 12 * selectors; round++)
            good = once(op, insn, sh, round % selectors, round / selectors % 3);
    }
    ok(good, "mma.sp m16n8k%u types %u %u %u flags %#x, %u selectors", sh->k, insn->types[0], insn->types[1], insn->types[2],
       insn->flags, selectors);
}

static void test_forms(void)
{
    static const struct {
        uint8_t a[2], d[2];
        struct shape shapes[2];
        uint32_t flags;
    } rules[] = {
        {{PTX_TYPE_f16}, {PTX_TYPE_f16, PTX_TYPE_f32}, {SHAPE(16, 8, 16), SHAPE(16, 8, 32)}, 0},
        {{PTX_TYPE_bf16}, {PTX_TYPE_f32}, {SHAPE(16, 8, 16), SHAPE(16, 8, 32)}, 0},
        {{PTX_TYPE_tf32}, {PTX_TYPE_f32}, {SHAPE(16, 8, 8), SHAPE(16, 8, 16)}, 0},
        {{PTX_TYPE_e4m3, PTX_TYPE_e5m2}, {PTX_TYPE_f16, PTX_TYPE_f32}, {SHAPE(16, 8, 64)}, 0},
        {{PTX_TYPE_s8, PTX_TYPE_u8}, {PTX_TYPE_s32}, {SHAPE(16, 8, 32), SHAPE(16, 8, 64)}, PTX_FLAG_SATFINITE},
        {{PTX_TYPE_s4, PTX_TYPE_u4}, {PTX_TYPE_s32}, {SHAPE(16, 8, 64), SHAPE(16, 8, 128)}, PTX_FLAG_SATFINITE},
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (unsigned n = 0; n < 2 && rules[i].shapes[n].m; n++)
            for (unsigned v = 0; v < 32; v++) {
                const unsigned ta = rules[i].a[v & 1], tb = rules[i].a[v >> 1 & 1], td = rules[i].d[v >> 2 & 1];
                const struct ptx_insn insn = {
                    .op = PTX_OP_mma, .shape = rules[i].shapes[n].id, .ntypes = 4, .layout_a = 'r', .layout_b = 'c',
                    .types = {(uint8_t)td, (uint8_t)ta, (uint8_t)tb, (uint8_t)td},
                    .flags = PTX_FLAG_SYNC | PTX_FLAG_ALIGNED | PTX_FLAG_SP | (v & 8 ? rules[i].flags : 0) |
                             (v & 16 ? PTX_FLAG_ORDERED : 0)};

                if (ta && tb && td && (!(v & 8) || rules[i].flags))
                    run(&insn, &rules[i].shapes[n]);
            }
}

/* LLVM's integration test sparse-mma-2-4-f16.mlir states what hardware gives for A = i + j + 1 packed, kept in columns 0 and 2
 * of each chunk, and B = n - k. */
static void test_recorded(void)
{
    static const struct shape shape = SHAPE(16, 8, 32);
    static const struct ptx_insn insn = {
        .op = PTX_OP_mma, .shape = PTX_shape_m16n8k32, .ntypes = 4, .layout_a = 'r', .layout_b = 'c', .flags = PTX_FLAG_SP,
        .types = {PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f16}};
    static const int16_t rows[3][9] = {{0, -2720, -2584, -2448, -2312, -2176, -2040, -1904, -1768},
                                       {7, -4400, -4152, -3904, -3656, -3408, -3160, -2912, -2664},
                                       {15, -6320, -5944, -5568, -5192, -4816, -4440, -4064, -3688}};
    const struct lane_widths w = {0};
    struct lane_args args = {.mask = ~0u, .present = ~0u, .insn = &insn, .d = {&d[0], &d[1]}};
    lane_op *op = matrix_set.copy[0](&insn, &w);
    bool good = op != NULL;

    for (unsigned i = 0; i < 12; i++)
        args.s[i] = memset(&s[i], 0, sizeof s[i]);
    for (unsigned l = 0; l < 32; l++) {
        s[10].u32[l] = 0x88888888;
        for (unsigned i = 0; i < 8; i++) {
            const unsigned row = l / 4 + i / 2 % 2 * 8, kept = l % 4 * 2 + i % 2 + i / 4 * 8;
            const _Float16 x = (_Float16)(int)(row + kept + 1);
            const _Float16 y = (_Float16)((int)(l / 4) - (int)place_b(PTX_TYPE_f16, l, i).row);

            memcpy((uint16_t *)s[i / 2].u32 + 2 * l + i % 2, &x, 2);
            memcpy((uint16_t *)s[4 + i / 2].u32 + 2 * l + i % 2, &y, 2);
        }
    }
    if (good)
        op(&args);
    for (unsigned r = 0; r < 3; r++)
        for (unsigned l = 0; l < 32; l++)
            for (unsigned i = 0; i < 4; i++)
                if (place_c(l, i).row == (unsigned)rows[r][0])
                    good = good && value_of(PTX_TYPE_f16, fragment_get(d, PTX_TYPE_f16, l, i)) ==
                                   rows[r][1 + place_c(l, i).column];
    ok(good, "mma.sp m16n%uk%u as recorded", shape.n, shape.k);
}

static void test_refusals(void)
{
#define FORM(SHAPE_ID, D, A, B) \
    {.op = PTX_OP_mma, .shape = PTX_shape_##SHAPE_ID, .ntypes = 4, .layout_a = 'r', .layout_b = 'c', .flags = PTX_FLAG_SP, \
     .types = {PTX_TYPE_##D, PTX_TYPE_##A, PTX_TYPE_##B, PTX_TYPE_##D}}
    static const struct ptx_insn refused[] = {
        FORM(m16n8k8, f32, f16, f16), FORM(m16n8k64, f32, f16, f16), FORM(m16n8k16, s32, s8, s8), FORM(m16n8k32, s32, s4, s4),
        FORM(m16n8k32, f32, e4m3, e4m3), FORM(m16n8k16, f16, bf16, bf16), FORM(m16n8k32, f32, f16, bf16),
        FORM(m8n8k16, s32, s8, s8), FORM(m16n8k128, s32, b1, b1), FORM(m16n8k8, f64, f64, f64), FORM(m16n8k64, s32, s8, e4m3),
    };
    const struct lane_widths w = {0};

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ok(!lanes_select_matrix_base(&refused[i], &w), "refused form %zu", i);
}

int main(void)
{
    test_forms();
    test_recorded();
    test_refusals();
    return tap_done();
}
