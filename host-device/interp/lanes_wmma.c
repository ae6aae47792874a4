/* SPDX-License-Identifier: Apache-2.0 */
/* wmma.load, wmma.store and wmma.mma, PTX ISA 9.7.14.4. The layout of fragments is the implementation's own, but for the f32
 * accumulators, which programs know:
 *
 *   A, B         the matrix in row order, 32 words a register; further registers are zero
 *   C, D         blocks of 8x8, two registers each, as in mma.sync: lane 4 g + t holds row g, columns 2 t and 2 t + 1 (an
 *                8x32 matrix: of the transposed block); 16x16 goes down first
 *   m8n8 shapes  as mma.sync's, which executes them: B in column order */
#include "interp/lanes_mma.h"

/* What an instruction's fragment is: rows x columns elements of so many bits. */
struct fragment {
    unsigned rows, columns, bits, registers;
    int accumulator, as_mma;
};

static unsigned element_bits(unsigned type)
{
    const struct mma_format *f = mma_format_of(type);

    return f ? f->bits : type == PTX_TYPE_b1 ? 1 : type == PTX_TYPE_f64 ? 64 : 32;
}

/* 'type' is that of the fragment's elements. All registers have 32 bits, those of f64 64. */
static struct fragment fragment_of(const struct ptx_insn *insn, unsigned which, unsigned type)
{
    const struct mma_shape s = mma_shapes[insn->shape];
    struct fragment f = {.bits = element_bits(type), .as_mma = s.m == 8 && s.n == 8};

    f.rows = which == 'b' ? s.k : s.m;
    f.columns = which == 'a' ? s.k : s.n;
    f.accumulator = which == 'c' || which == 'd';
    f.registers = f.rows * f.columns * f.bits / 32 / (f.bits == 64 ? 64 : 32);
    if (type == PTX_TYPE_f16 && !f.accumulator)
        f.registers = 8; /* whatever the shape */
    return f;
}

/* Elements of 8 bits and more: where element (row, column) of a fragment lies, as an index into the registers' elements. */
static unsigned element_index(const struct ptx_insn *insn, const struct fragment *f, unsigned row, unsigned column)
{
    const struct mma_shape s = mma_shapes[insn->shape];

    if (f->as_mma && insn->fragment == 'b')
        return column * f->rows + row;
    if (!f->accumulator)
        return row * f->columns + column;

    const unsigned block = s.n == 32 ? column / 8 : row / 8 + column / 8 * 2;
    const unsigned at = s.n == 32 ? column % 8 * 8 + row : row % 8 * 8 + column % 8;

    /* f16 packs the pair; elsewhere the even elements come first. */
    return block * 64 + (f->bits == 16 ? at : at % 2 * 32 + at / 2);
}

/* ---- Memory ----
 * A matrix is 'lines' rows or columns of 'length' elements, 'stride' elements apart. */

#define MAX_ELEMENTS 512
struct matrix_lines {
    uint64_t address;
    uint64_t stride; /* in bytes */
    unsigned lane, lines, length, line_bytes;
    int by_row;
};

static struct matrix_lines find_lines(const struct lane_args *args, const struct fragment *f, const uint32_t *stride)
{
    struct matrix_lines m = {.lane = (unsigned)__builtin_ctz(args->mask), .by_row = args->insn->layout_a == 'r'};

    m.lines = m.by_row ? f->rows : f->columns;
    m.length = m.by_row ? f->columns : f->rows;
    m.line_bytes = m.length * f->bits / 8;
    m.address = ((const uint64_t *)args->s[0])[m.lane];
    m.stride = (stride ? (uint64_t)stride[m.lane] : m.length) * f->bits / 8;
    for (unsigned i = 0; i < m.lines; i++)
        lane_check(args, m.lane, m.address + i * m.stride, m.line_bytes, f->bits < 8 ? 4 : f->bits / 8);
    return m;
}

/* Move elements between memory and the flat registers. */
#define MOVE_ELEMENTS(T, TO, FROM) \
    for (unsigned i = 0; i < m.lines; i++) \
        for (unsigned j = 0; j < m.length; j++) { \
            T *line = (T *)(uintptr_t)(m.address + i * m.stride) + j; \
            T *flat = (T *)registers + element_index(args->insn, &f, m.by_row ? i : j, m.by_row ? j : i); \
            *TO = *FROM; \
        }
#define MOVE(TO, FROM) \
    switch (f.bits) { \
    case 8: MOVE_ELEMENTS(uint8_t, TO, FROM) break; \
    case 16: MOVE_ELEMENTS(uint16_t, TO, FROM) break; \
    case 32: MOVE_ELEMENTS(uint32_t, TO, FROM) break; \
    case 64: MOVE_ELEMENTS(uint64_t, TO, FROM) break; \
    default: /* less than a byte: A by rows and B by columns only, whose lines are the registers */ \
        for (unsigned i = 0; i < m.lines; i++) { \
            uint8_t *line = (uint8_t *)(uintptr_t)(m.address + i * m.stride); \
            uint8_t *flat = (uint8_t *)registers + i * m.line_bytes; \
            memcpy(TO, FROM, m.line_bytes); \
        } \
    }

static void wmma_load(const struct lane_args *args)
{
    const struct fragment f = fragment_of(args->insn, args->insn->fragment, args->insn->types[0]);
    const struct matrix_lines m = find_lines(args, &f, args->s[1]);
    uint64_t registers[MAX_ELEMENTS / 2] = {0};

    MOVE(flat, line)
    for (unsigned i = 0; i < f.registers; i++)
        if (f.bits == 64) {
            uint64_t *d = args->d[i];
            if (d)
                LANE_STORE(args->mask, d, registers[32 * i + l]);
        } else {
            const uint32_t *from = (const uint32_t *)registers + 32 * i;
            uint32_t *d = args->d[i];
            if (d)
                LANE_STORE(args->mask, d, from[l]);
        }
}

static void wmma_store(const struct lane_args *args)
{
    const struct fragment f = fragment_of(args->insn, 'd', args->insn->types[0]);
    const struct matrix_lines m = find_lines(args, &f, args->s[1 + f.registers]);
    const size_t bytes = f.bits == 64 ? 256 : 128;
    uint64_t registers[MAX_ELEMENTS / 2];

    for (unsigned i = 0; i < f.registers; i++)
        memcpy((uint8_t *)registers + i * bytes, args->s[1 + i], bytes);
    MOVE(line, flat)
}

/* ---- Product ---- */

static void wmma_mma(const struct lane_args *args)
{
    const struct ptx_insn *insn = args->insn;
    const unsigned d_type = insn->types[0], c_type = insn->types[insn->ntypes - 1];
    const unsigned a_type = insn->ntypes == 2 ? PTX_TYPE_f16 : insn->types[1];
    const unsigned b_type = insn->ntypes == 2 ? PTX_TYPE_f16 : insn->types[2];
    const struct mma_shape s = mma_shapes[insn->shape];
    const struct mma_format *a_format = mma_format_of(a_type), *b_format = mma_format_of(b_type);
    const struct fragment fa = fragment_of(insn, 'a', a_type), fb = fragment_of(insn, 'b', b_type);
    const void *const *sc = args->s + fa.registers + fb.registers;
    const unsigned per_register = 32 * 32 / a_format->bits;
    float a[MAX_ELEMENTS], b[MAX_ELEMENTS], block[64], turned[64];
    uint32_t out[8][LANES_PER_WARP];

    for (unsigned i = 0; i * per_register < s.m * s.k; i++)
        a_format->rows(a + i * per_register, args->s[i]);
    for (unsigned i = 0; i * per_register < s.k * s.n; i++)
        b_format->rows(b + i * per_register, args->s[fa.registers + i]);
    for (unsigned i = 0; i < s.m * s.n / 64; i++) {
        const unsigned row = s.m == 16 ? i % 2 : s.m == 32 ? i : 0, column = s.m == 16 ? i / 2 : s.m == 32 ? 0 : i;
        const void *const *c = sc + i * mma_registers(c_type);
        uint32_t *d = out[i * mma_registers(d_type)];
        mma_block(block, a + row * 8 * s.k, s.k, b + column * 8, s.n, s.k, 1);
        if (s.m == 8)
            for (unsigned j = 0; j < 64; j++)
                turned[j] = block[j % 8 * 8 + j / 8];
        mma_accumulate(d, d_type, s.m == 8 ? turned : block, c, c_type, insn->flags & PTX_FLAG_SATFINITE);
    }
    mma_store(args, out, s.m * s.n / 64 * mma_registers(d_type));
}

/* ---- Selection ---- */

/* The element types of A and B that each shape has, and of C and D. */
struct wmma_rule {
    uint8_t shapes[3], multiplicands[2], accumulators[2];
};
static const struct wmma_rule rules[] = {
#define SHAPES_K16 {PTX_shape_m16n16k16, PTX_shape_m8n32k16, PTX_shape_m32n8k16}
    {SHAPES_K16, {PTX_TYPE_f16}, {PTX_TYPE_f16, PTX_TYPE_f32}},
    {SHAPES_K16, {PTX_TYPE_bf16}, {PTX_TYPE_f32}},
    {SHAPES_K16, {PTX_TYPE_s8, PTX_TYPE_u8}, {PTX_TYPE_s32}},
    {{PTX_shape_m16n16k8}, {PTX_TYPE_tf32}, {PTX_TYPE_f32}},
    {{PTX_shape_m8n8k4}, {PTX_TYPE_f64}, {PTX_TYPE_f64}},
    {{PTX_shape_m8n8k32}, {PTX_TYPE_s4, PTX_TYPE_u4}, {PTX_TYPE_s32}},
    {{PTX_shape_m8n8k128}, {PTX_TYPE_b1}, {PTX_TYPE_s32}},
};

static int is_one_of(unsigned x, const uint8_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] && list[i] == x)
            return 1;
    return 0;
}
#define IS_ONE_OF(x, list) is_one_of(x, list, sizeof(list))

static int mma_fits(const struct ptx_insn *insn, const struct wmma_rule *r)
{
    const uint8_t *t = insn->types;

    if (insn->ntypes == 2)
        return r->multiplicands[0] == PTX_TYPE_f16 && IS_ONE_OF(t[0], r->accumulators) && IS_ONE_OF(t[1], r->accumulators);
    return insn->ntypes == 4 && r->multiplicands[0] != PTX_TYPE_f16 && IS_ONE_OF(t[0], r->accumulators) && t[3] == t[0] &&
           IS_ONE_OF(t[1], r->multiplicands) && (t[2] == t[1] || t[0] == PTX_TYPE_s32) && IS_ONE_OF(t[2], r->multiplicands);
}

static int memory_fits(const struct ptx_insn *insn, const struct wmma_rule *r)
{
    const int narrow = r->multiplicands[0] == PTX_TYPE_s4 || r->multiplicands[0] == PTX_TYPE_b1;

    switch (insn->fragment) {
    case 'a':
        return IS_ONE_OF(insn->types[0], r->multiplicands) && (!narrow || insn->layout_a == 'r');
    case 'b':
        return IS_ONE_OF(insn->types[0], r->multiplicands) && (!narrow || insn->layout_a == 'c');
    default:
        return IS_ONE_OF(insn->types[0], r->accumulators);
    }
}

/* Integers, and f16 (mma.h's satf). */
static int saturates(const struct ptx_insn *insn)
{
    return insn->ntypes == 2 || insn->types[0] == PTX_TYPE_s32;
}

static lane_op *select_product(const struct ptx_insn *insn, const struct lane_widths *w, uint32_t flags)
{
    struct ptx_insn as_mma = *insn;

    as_mma.op = PTX_OP_mma;
    if (mma_shapes[insn->shape].m == 8 && mma_shapes[insn->shape].n == 8)
        return LANES(mma_select)(&as_mma, w);
    return insn->layout_a && insn->layout_b && !insn->round && (!flags || (flags == PTX_FLAG_SATFINITE && saturates(insn)))
               ? wmma_mma : NULL;
}

lane_op *LANES(wmma_select)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    const uint32_t flags = insn->flags & ~(uint32_t)(PTX_FLAG_SYNC | PTX_FLAG_ALIGNED);

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!IS_ONE_OF(insn->shape, rules[i].shapes))
            continue;
        if (insn->mode == PTX_mode_mma) {
            if (mma_fits(insn, &rules[i]))
                return select_product(insn, w, flags);
        } else if (memory_fits(insn, &rules[i]) && insn->layout_a && !flags) {
            return insn->mode == PTX_mode_load ? wmma_load : insn->mode == PTX_mode_store ? wmma_store : NULL;
        }
    }
    return NULL;
}
