/* SPDX-License-Identifier: Apache-2.0 */
/* wmma, whose fragments are opaque, from memory to memory; ldmatrix, stmatrix and movmatrix element by element; and that no
 * byte is touched unchecked. */
#include "lane_matrices.h"

static struct lane_registers before;

static uint64_t memory[3][8192 / 8], result[8192 / 8];

/* Which bytes of a memory the operation had checked. */
static uint8_t checked[8192];
static const void *checked_memory;

static void note_checked(uint64_t address, size_t n)
{
    const uint64_t at = address - (uint64_t)(uintptr_t)checked_memory;

    if (at < sizeof checked && n <= sizeof checked - at)
        memset(checked + at, 1, n);
}

static void watch(const void *m)
{
    checked_memory = m;
    memset(checked, 0, sizeof checked);
    lane_checked = note_checked;
}

/* Element i's bytes were checked. */
static bool was_checked(unsigned type, unsigned i)
{
    const unsigned bits = bits_of(type);

    return checked[i * bits / 8] && checked[(i * bits + bits - 1) / 8];
}

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
        watch(memory[i]);
        op(&args);
        if (types[i] == PTX_TYPE_f32 && !accumulator_layout(&w->sh, (const float *)memory[i], stride[i], layouts[i], s + at))
            return "accumulator layout";
        at += count[i];
        for (unsigned r = 0; r < rows; r++)
            for (unsigned k = 0; k < columns; k++) {
                const unsigned offset = offset_of(layouts[i], stride[i], r, k);
                const double v = value_of(types[i], element(memory[i], types[i], offset));
                *(i == 0 ? &a[r][k] : i == 1 ? &b[r][k] : &c[r][k]) = v;
                if (!was_checked(types[i], offset))
                    return "loaded without a check";
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
    watch(result);
    op(&args);
    for (size_t i = 0; i < sizeof result; i++)
        if (!checked[i] && ((const uint8_t *)result)[i] != 0xa5)
            return "stored without a check";
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
    before = s[0];
    watch(rows);
    if (op)
        op(&args);
    for (unsigned m = 0; good && opcode != PTX_OP_movmatrix && m < 8 * num; m++)
        for (unsigned i = 0; i < 8; i++)
            good = good && was_checked(PTX_TYPE_f16, (m * 7 + 3) % 32 * 8 + i);
    for (unsigned m = 0; good && m < num; m++)
        for (unsigned row = 0; row < 8; row++)
            for (unsigned column = 0; column < 8; column++) {
                const unsigned r = trans ? column : row, k = trans ? row : column;
                const uint16_t *memory_row = rows[((8 * m + r) * 7 + 3) % 32];
                const uint16_t in_memory = memory_row[k];
                if (opcode == PTX_OP_movmatrix)
                    good = good && fragment_get(s, PTX_TYPE_f16, 4 * row + column / 2, column % 2) ==
                                       fragment_get(&before, PTX_TYPE_f16, 4 * column + row / 2, row % 2);
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
    test_wmma();
    test_saturation();
    test_moves();
    test_refusals();
    return tap_done();
}
