/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix lane operations against triple loops over the fragment layouts that the PTX ISA documents (9.7.14.5), element by
 * element; wmma, whose fragments are opaque, from memory to memory. */
#include <math.h>
#include <stdio.h>

#include "lane_numbers.h"

LANE_SELECTOR(matrix);

static struct lane_registers s[28], d[8], before[8];

struct shape {
    unsigned m, n, k;
    uint8_t id;
};
#define SHAPE(M, N, K) {M, N, K, PTX_shape_m##M##n##N##k##K}

/* ---- Elements ---- */

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

static void fragment_fill(struct lane_registers *r, unsigned type, unsigned registers)
{
    const unsigned bits = bits_of(type), per = bits == 64 ? 1 : 32 / bits;

    for (unsigned i = 0; i < registers; i++)
        for (unsigned l = 0; l < 32; l++) {
            r[i].u64[l] = bits == 64 ? random_element(type) : r[i].u64[l];
            for (unsigned e = 0; bits < 64 && e < per; e++)
                r[i].u32[l] = (e ? r[i].u32[l] : 0) | (uint32_t)random_element(type) << (e * bits);
        }
}

/* ---- mma ---- */

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

/* Lane and element to row and column, as the ISA's figures have it. */
struct place {
    unsigned row, column;
};

static struct place place_a(const struct shape *sh, unsigned type, unsigned lane, unsigned i)
{
    const unsigned g = lane / 4, t = lane % 4, e = bits_of(type) == 64 ? 1 : 32 / bits_of(type), r = i / e;

    return sh->m == 16 ? (struct place){r % 2 ? g + 8 : g, t * e + i % e + r / 2 * 4 * e}
                       : (struct place){g, t * e + i % e + r * 4 * e};
}

static struct place place_b(unsigned type, unsigned lane, unsigned i)
{
    const unsigned g = lane / 4, t = lane % 4, e = bits_of(type) == 64 ? 1 : 32 / bits_of(type);

    return (struct place){t * e + i % e + i / e * 4 * e, g};
}

static struct place place_c(unsigned lane, unsigned i)
{
    return (struct place){i < 2 ? lane / 4 : lane / 4 + 8, lane % 4 * 2 + i % 2};
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

/* ---- wmma ---- */

static uint64_t memory[3][8192 / 8], result[8192 / 8];

/* Where element (row, column) lies, in elements. */
static unsigned offset_of(char layout, unsigned stride, unsigned row, unsigned column)
{
    return layout == 'r' ? row * stride + column : column * stride + row;
}

static uint64_t element(const void *m, unsigned type, unsigned i)
{
    const unsigned bits = bits_of(type);
    uint64_t v = 0;

    if (bits < 8)
        return ((const uint8_t *)m)[i * bits / 8] >> (i * bits % 8) & ((1 << bits) - 1);
    memcpy(&v, (const uint8_t *)m + i * bits / 8, bits / 8);
    return v;
}

static void fill_memory(void *m, unsigned type)
{
    const unsigned bits = bits_of(type), bytes = bits < 8 ? 1 : bits / 8;

    for (unsigned i = 0; i < 8192 / bytes; i++) {
        const uint64_t v = bits < 8 ? lane_random() : random_element(type);
        memcpy((uint8_t *)m + i * bytes, &v, bytes);
    }
}

struct wmma_case {
    struct shape sh;
    uint8_t a, b, c, d;
    char la, lb, lc;
};

/* f32 accumulators lie where programs expect them (the layout of sm_90's compilers and hardware). */
static bool accumulator_layout(const struct shape *sh, const float *m, unsigned stride, char layout, const struct lane_registers *r)
{
    for (unsigned l = 0; l < 32; l++)
        for (unsigned q = 0; q < sh->m * sh->n / 32; q++) {
            const unsigned g = l / 4, t = l % 4;
            const unsigned row = sh->n == 32 ? 2 * t + (q & 1) : sh->m == 32 ? g + 8 * (q >> 1) : g + 8 * (q >> 1 & 1);
            const unsigned column = sh->n == 32 ? g + 8 * (q >> 1) : sh->m == 32 ? 2 * t + (q & 1) : 2 * t + (q & 1) + 8 * (q >> 2);
            uint32_t u;
            memcpy(&u, &m[offset_of(layout, stride, row, column)], 4);
            if (r[q].u32[l] != u)
                return false;
        }
    return true;
}

static struct ptx_insn memory_insn(const struct wmma_case *w, uint8_t mode, char fragment, uint8_t type, char layout)
{
    return (struct ptx_insn){.op = PTX_OP_wmma, .mode = mode, .shape = w->sh.id, .fragment = (uint8_t)fragment,
                             .types = {type}, .ntypes = 1, .layout_a = (uint8_t)layout};
}

static unsigned wmma_registers(const struct wmma_case *w, char fragment)
{
    const unsigned type = fragment == 'a' ? w->a : fragment == 'b' ? w->b : fragment == 'c' ? w->c : w->d;
    const unsigned n = fragment == 'a' ? w->sh.m * w->sh.k : fragment == 'b' ? w->sh.k * w->sh.n : w->sh.m * w->sh.n;

    if (type == PTX_TYPE_f16 && fragment < 'c')
        return 8;
    return n / 32 * bits_of(type) / (type == PTX_TYPE_f64 ? 64 : 32);
}

static const char *wmma_once(const struct wmma_case *w, unsigned copy)
{
    static const struct lane_widths none;
    const unsigned count[3] = {wmma_registers(w, 'a'), wmma_registers(w, 'b'), wmma_registers(w, 'c')};
    const uint8_t types[3] = {w->a, w->b, w->c};
    const char layouts[3] = {w->la, w->lb, w->lc};
    const bool short_form = w->a == PTX_TYPE_f16, narrow = bits_of(w->a) < 8;
    struct ptx_insn product = {.op = PTX_OP_wmma, .mode = PTX_mode_mma, .shape = w->sh.id, .layout_a = (uint8_t)w->la,
                               .layout_b = (uint8_t)w->lb, .ntypes = short_form ? 2 : 4};
    struct lane_args args = {.mask = ~0u, .present = ~0u};
    struct lane_registers address, strides;
    unsigned stride[3], at = 0, nd = wmma_registers(w, 'd');
    lane_op *op;
    struct ptx_insn insn;

    if (short_form)
        memcpy(product.types, (uint8_t[]){w->d, w->c}, 2);
    else
        memcpy(product.types, (uint8_t[]){w->d, w->a, w->b, w->c}, 4);
    if (w->a == PTX_TYPE_b1) {
        product.flags = PTX_FLAG_POPC;
        product.boolop = PTX_bool_xor;
    }
    for (int i = 0; i < 3; i++) { /* load the three */
        const unsigned rows = i == 1 ? w->sh.k : w->sh.m, columns = i == 0 ? w->sh.k : w->sh.n;
        const bool with_stride = lane_random() & 1;
        stride[i] = layouts[i] == 'r' ? columns : rows;
        stride[i] += with_stride ? (narrow && i < 2 ? 128 : 16) : 0;
        fill_memory(memory[i], types[i]);
        insn = memory_insn(w, PTX_mode_load, "abc"[i], types[i], layouts[i]);
        op = matrix_set.copy[copy](&insn, &none);
        if (!op)
            return "no load";
        args.insn = &insn;
        for (unsigned l = 0; l < 32; l++) {
            address.u64[l] = (uint64_t)(uintptr_t)memory[i];
            strides.u32[l] = stride[i];
        }
        args.s[0] = &address;
        args.s[1] = with_stride ? &strides : NULL;
        for (unsigned j = 0; j < count[i]; j++)
            args.d[j] = &s[at + j];
        op(&args);
        if (types[i] == PTX_TYPE_f32 && !accumulator_layout(&w->sh, (const float *)memory[i], stride[i], layouts[i], s + at))
            return "accumulator layout";
        at += count[i];
        for (unsigned r = 0; r < rows; r++)
            for (unsigned k = 0; k < columns; k++) {
                const double v = value_of(types[i], element(memory[i], types[i], offset_of(layouts[i], stride[i], r, k)));
                *(i == 0 ? &a[r][k] : i == 1 ? &b[r][k] : &c[r][k]) = v;
            }
    }
    op = matrix_set.copy[copy](&product, &none);
    if (!op)
        return "no mma";
    args.insn = &product;
    for (unsigned i = 0; i < at; i++)
        args.s[i] = &s[i];
    for (unsigned i = 0; i < nd; i++)
        args.d[i] = &d[i];
    op(&args);
    insn = memory_insn(w, PTX_mode_store, 'd', w->d, w->lc);
    op = matrix_set.copy[copy](&insn, &none);
    if (!op)
        return "no store";
    args.insn = &insn;
    for (unsigned l = 0; l < 32; l++) {
        address.u64[l] = (uint64_t)(uintptr_t)result;
        strides.u32[l] = 40;
    }
    args.s[0] = &address;
    for (unsigned i = 0; i < nd; i++)
        args.s[1 + i] = &d[i];
    args.s[1 + nd] = &strides;
    memset(result, 0xa5, sizeof result);
    op(&args);
    product.types[1] = w->a; /* for right() */
    for (unsigned r = 0; r < w->sh.m; r++)
        for (unsigned k = 0; k < w->sh.n; k++)
            if (!right(&product, &w->sh, w->d, r, k, element(result, w->d, offset_of(w->lc, 40, r, k))))
                return "wrong product";
    return NULL;
}

static void run_wmma(const struct wmma_case *w)
{
    for (unsigned copy = 0; copy < 3; copy++)
        for (unsigned round = 0; round < 6 && lane_cpu_runs(copy); round++) {
            const char *why = wmma_once(w, copy);
            if (why) {
                ok(0, "wmma m%un%uk%u types %u %u %u %u layouts %c %c %c, copy %u: %s", w->sh.m, w->sh.n, w->sh.k, w->a, w->b, w->c,
                   w->d, w->la, w->lb, w->lc, copy, why);
                return;
            }
        }
    ok(1, "wmma m%un%uk%u types %u %u %u %u layouts %c %c %c", w->sh.m, w->sh.n, w->sh.k, w->a, w->b, w->c, w->d, w->la, w->lb,
       w->lc);
}

static void test_wmma(void)
{
    static const struct shape k16[] = {SHAPE(16, 16, 16), SHAPE(8, 32, 16), SHAPE(32, 8, 16)};
    static const uint8_t types[][4] = {
        {PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f32, PTX_TYPE_f32}, {PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f16},
        {PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f32}, {PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f32, PTX_TYPE_f16},
        {PTX_TYPE_bf16, PTX_TYPE_bf16, PTX_TYPE_f32, PTX_TYPE_f32}, {PTX_TYPE_s8, PTX_TYPE_s8, PTX_TYPE_s32, PTX_TYPE_s32},
        {PTX_TYPE_u8, PTX_TYPE_u8, PTX_TYPE_s32, PTX_TYPE_s32},
    };
    static const struct wmma_case others[] = {
        {SHAPE(16, 16, 8), PTX_TYPE_tf32, PTX_TYPE_tf32, PTX_TYPE_f32, PTX_TYPE_f32, 'r', 'r', 'c'},
        {SHAPE(16, 16, 8), PTX_TYPE_tf32, PTX_TYPE_tf32, PTX_TYPE_f32, PTX_TYPE_f32, 'c', 'c', 'r'},
        {SHAPE(8, 8, 4), PTX_TYPE_f64, PTX_TYPE_f64, PTX_TYPE_f64, PTX_TYPE_f64, 'r', 'c', 'r'},
        {SHAPE(8, 8, 32), PTX_TYPE_s4, PTX_TYPE_s4, PTX_TYPE_s32, PTX_TYPE_s32, 'r', 'c', 'c'},
        {SHAPE(8, 8, 32), PTX_TYPE_u4, PTX_TYPE_u4, PTX_TYPE_s32, PTX_TYPE_s32, 'r', 'c', 'r'},
        {SHAPE(8, 8, 128), PTX_TYPE_b1, PTX_TYPE_b1, PTX_TYPE_s32, PTX_TYPE_s32, 'r', 'c', 'r'},
    };

    for (size_t i = 0; i < 3 * 7 * 8; i++) {
        const uint8_t *t = types[i / 8 % 7];
        run_wmma(&(struct wmma_case){k16[i / 56], t[0], t[1], t[2], t[3], i & 1 ? 'r' : 'c', i & 2 ? 'r' : 'c', i & 4 ? 'r' : 'c'});
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        run_wmma(&others[i]);
}

/* wmma's .satfinite of floats: infinities and NaN out of it are numbers. */
static void test_saturation(void)
{
    static const uint32_t wanted[2][3] = {{0x7f7fffff, 0xff7fffff, 0}, {0x7bff, 0xfbff, 0}};
    const struct lane_widths w = {0};

    for (unsigned f16 = 0; f16 < 2; f16++) {
        const uint8_t type = f16 ? PTX_TYPE_f16 : PTX_TYPE_f32;
        const struct ptx_insn insn = {.op = PTX_OP_wmma, .mode = PTX_mode_mma, .shape = PTX_shape_m16n16k16, .ntypes = 2,
                                      .layout_a = 'r', .layout_b = 'r', .types = {type, type}, .flags = PTX_FLAG_SATFINITE};
        static const uint32_t inputs[2][3] = {{0x7f800000, 0xff800000, 0x7fc00000}, {0x7c00, 0xfc00, 0x7e00}};
        bool good = true;
        for (unsigned copy = 0; copy < 3; copy++) {
            lane_op *op = lane_cpu_runs(copy) ? matrix_set.copy[copy](&insn, &w) : NULL;
            struct lane_args args = {.mask = ~0u, .present = ~0u, .insn = &insn};
            for (unsigned i = 0; i < 24; i++) {
                for (unsigned l = 0; l < 32; l++)
                    s[i].u32[l] = i < 16 ? 0 : inputs[f16][l % 3];
                args.s[i] = &s[i];
                args.d[i % 8] = &d[i % 8];
            }
            if (op)
                op(&args);
            for (unsigned l = 0; op && l < 32; l++)
                good = good && d[0].u32[l] == wanted[f16][l % 3];
            good = good && (op || !lane_cpu_runs(copy));
        }
        ok(good, "wmma.satfinite to %s", f16 ? "f16" : "f32");
    }
}

/* ---- 8x8 matrices of b16 ---- */

static bool matrix_moves(uint8_t opcode, unsigned num, bool trans, unsigned copy)
{
    const struct ptx_insn insn = {.op = opcode, .types = {PTX_TYPE_b16}, .ntypes = 1, .shape = PTX_shape_m8n8, .num = (uint8_t)num,
                                  .flags = PTX_FLAG_SYNC | PTX_FLAG_ALIGNED | (trans ? PTX_FLAG_TRANS : 0)};
    const struct lane_widths w = {0};
    static uint16_t rows[32][8] __attribute__((aligned(16)));
    struct lane_args args = {.mask = ~0u, .present = ~0u, .insn = &insn};
    struct lane_registers address;
    lane_op *op = matrix_set.copy[copy](&insn, &w);
    bool good = op != NULL;

    for (unsigned l = 0; l < 32; l++) {
        address.u64[l] = (uint64_t)(uintptr_t)rows[(l * 7 + 3) % 32]; /* lane l's row */
        for (unsigned i = 0; i < 8; i++)
            rows[l][i] = (uint16_t)lane_random();
        for (unsigned i = 0; i < 4; i++)
            s[i].u32[l] = (uint32_t)lane_random();
    }
    for (unsigned i = 0; i < 4; i++) {
        args.d[i] = &d[i];
        args.s[i + 1] = &s[i];
    }
    args.s[0] = opcode == PTX_OP_movmatrix ? (const void *)&s[0] : (const void *)&address;
    if (opcode == PTX_OP_movmatrix)
        args.d[0] = &s[0];
    before[0] = s[0];
    if (op)
        op(&args);
    for (unsigned m = 0; good && m < num; m++)
        for (unsigned row = 0; row < 8; row++)
            for (unsigned column = 0; column < 8; column++) {
                const unsigned r = trans ? column : row, k = trans ? row : column;
                const uint16_t *memory_row = rows[((8 * m + r) * 7 + 3) % 32];
                const uint16_t in_memory = memory_row[k];
                if (opcode == PTX_OP_movmatrix)
                    good = good && fragment_get(s, PTX_TYPE_f16, 4 * row + column / 2, column % 2) ==
                                       fragment_get(before, PTX_TYPE_f16, 4 * column + row / 2, row % 2);
                else
                    good = good && fragment_get((opcode == PTX_OP_ldmatrix ? d : s) + m, PTX_TYPE_f16, 4 * row + column / 2,
                                                column % 2) == in_memory;
            }
    return good;
}

static void test_moves(void)
{
    for (unsigned copy = 0; copy < 3; copy++) {
        bool good = true;
        if (!lane_cpu_runs(copy))
            continue;
        for (unsigned i = 0; i < 3; i++)
            for (unsigned trans = 0; trans < 2; trans++)
                good = good && matrix_moves(PTX_OP_ldmatrix, 1u << i, trans, copy) && matrix_moves(PTX_OP_stmatrix, 1u << i, trans, copy);
        ok(good && matrix_moves(PTX_OP_movmatrix, 1, true, copy), "ldmatrix, stmatrix, movmatrix, copy %u", copy);
    }
}

static void test_refusals(void)
{
    static const struct ptx_insn refused[] = {
        {.op = PTX_OP_mma, .shape = PTX_shape_m16n8k16, .ntypes = 4, .layout_a = 'r', .layout_b = 'c', .flags = PTX_FLAG_SP,
         .types = {PTX_TYPE_f32, PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f32}},
        {.op = PTX_OP_mma, .shape = PTX_shape_m16n8k64, .ntypes = 4, .layout_a = 'r', .layout_b = 'c',
         .types = {PTX_TYPE_f32, PTX_TYPE_f16, PTX_TYPE_f16, PTX_TYPE_f32}},
        {.op = PTX_OP_mma, .shape = PTX_shape_m16n8k16, .ntypes = 4, .layout_a = 'r', .layout_b = 'c',
         .types = {PTX_TYPE_f32, PTX_TYPE_f16, PTX_TYPE_s8, PTX_TYPE_f32}},
        {.op = PTX_OP_mma, .shape = PTX_shape_m16n16k16, .ntypes = 4, .layout_a = 'r', .layout_b = 'c',
         .types = {PTX_TYPE_s32, PTX_TYPE_s8, PTX_TYPE_s8, PTX_TYPE_s32}},
        {.op = PTX_OP_wmma, .mode = PTX_mode_load, .shape = PTX_shape_m16n16k16, .fragment = 'a', .types = {PTX_TYPE_f32},
         .ntypes = 1, .layout_a = 'r'},
        {.op = PTX_OP_wmma, .mode = PTX_mode_load, .shape = PTX_shape_m8n8k32, .fragment = 'a', .types = {PTX_TYPE_s4},
         .ntypes = 1, .layout_a = 'c'},
        {.op = PTX_OP_ldmatrix, .shape = PTX_shape_m8n8, .types = {PTX_TYPE_b16}, .ntypes = 1, .num = 3},
    };
    const struct lane_widths w = {0};

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ok(!lanes_select_matrix_base(&refused[i], &w), "refused form %zu", i);
}

int main(void)
{
    test_mma();
    test_wmma();
    test_saturation();
    test_moves();
    test_refusals();
    return tap_done();
}
