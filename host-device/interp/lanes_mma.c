/* SPDX-License-Identifier: Apache-2.0 */
/* mma.sync, PTX ISA 9.7.14.5, for dense operands of every type. */
#include "interp/lanes_mma.h"

/* ---- Element formats ---- */

static inline float e5m2_to_f32(uint32_t v)
{
    return f16_to_f32(v << 8);
}

/* e4m3: f16's layout after a shift, but for the exponent's bias and for 0x7f, its only NaN. */
static inline float e4m3_to_f32(uint32_t v)
{
    float f = f16_to_f32((v & 0x80u) << 8 | (v & 0x7fu) << 7) * 256.0f;

    return (v & 0x7fu) == 0x7fu ? __builtin_nanf("") : f;
}

#define FORMAT(name, T, BITS, KIND, EXPR) \
    static void name##_rows(float *out, const void *words) \
    { \
        const T *in = words; \
        for (unsigned i = 0; i < 32 * 32 / (BITS); i++) { \
            const uint32_t v = in[i]; \
            out[i] = (EXPR); \
        } \
    } \
    FORMAT_COLUMNS(name, BITS, EXPR) \
    static const struct mma_format name##_format = {BITS, KIND, name##_rows, name##_columns};
#define FORMAT_COLUMNS(name, BITS, EXPR) \
    static void name##_columns(float *out, const uint32_t *words) \
    { \
        for (unsigned t = 0; t < 4; t++) \
            for (unsigned i = 0; i < 32 / (BITS); i++) \
                for (unsigned n = 0; n < 8; n++) { \
                    const uint32_t v = words[4 * n + t] >> (i * (BITS)) & (uint32_t)((1ull << (BITS)) - 1); \
                    out[(t * (32 / (BITS)) + i) * 8 + n] = (EXPR); \
                } \
    }
#define FORMAT4(name, EXPR) \
    static void name##_rows(float *out, const void *words) \
    { \
        const uint8_t *in = words; \
        for (unsigned i = 0; i < 128; i++) { \
            out[2 * i] = ({ const uint32_t v = in[i] & 15; (EXPR); }); \
            out[2 * i + 1] = ({ const uint32_t v = in[i] >> 4; (EXPR); }); \
        } \
    } \
    FORMAT_COLUMNS(name, 4, EXPR) \
    static const struct mma_format name##_format = {4, 'i', name##_rows, name##_columns};

static void f16_rows(float *out, const void *words)
{
    widen_f16(out, words, 64);
}

static void f16_columns(float *out, const uint32_t *words)
{
    uint16_t turned[64];

    for (unsigned t = 0; t < 4; t++)
        for (unsigned n = 0; n < 8; n++) {
            turned[16 * t + n] = (uint16_t)words[4 * n + t];
            turned[16 * t + 8 + n] = (uint16_t)(words[4 * n + t] >> 16);
        }
    widen_f16(out, turned, 64);
}
static const struct mma_format f16_format = {16, 'f', f16_rows, f16_columns};

FORMAT(bf16, uint16_t, 16, 'f', bf16_to_f32(v))
FORMAT(tf32, uint32_t, 32, 'f', bits_f32(v & 0xffffe000u))
FORMAT(e4m3, uint8_t, 8, 'f', e4m3_to_f32(v))
FORMAT(e5m2, uint8_t, 8, 'f', e5m2_to_f32(v))
FORMAT(s8, uint8_t, 8, 'i', (float)(int8_t)v)
FORMAT(u8, uint8_t, 8, 'i', (float)(int32_t)v)
FORMAT4(s4, (float)((int32_t)(v << 28) >> 28))
FORMAT4(u4, (float)(int32_t)v)

const struct mma_format *mma_format_of(unsigned type)
{
    static const struct mma_format *const formats[PTX_TYPE_COUNT] = {
#define X(name) [PTX_TYPE_##name] = &name##_format
        X(f16), X(bf16), X(tf32), X(e4m3), X(e5m2), X(s8), X(u8), X(s4), X(u4)
#undef X
    };

    return formats[type];
}

/* ---- Accumulators ---- */

static inline uint32_t canonical_f32(float f)
{
    return f != f ? NAN_F32 : f32_bits(f);
}

void mma_accumulate(uint32_t *out, unsigned d_type, float *block, const void *const *c, unsigned c_type, int saturate)
{
    if (c_type == PTX_TYPE_s32) {
        for (unsigned i = 0; i < 2; i++) {
            const uint32_t *in = c[i];
            for (unsigned l = 0; l < LANES_PER_WARP; l++) {
                const uint32_t a = (uint32_t)(int32_t)block[2 * l + i], sum = a + in[l];
                const uint32_t overflow = (~(a ^ in[l]) & (a ^ sum)) >> 31;
                out[32 * i + l] = saturate && overflow ? (a >> 31) + 0x7fffffffu : sum;
            }
        }
        return;
    }
    if (c_type == PTX_TYPE_f16) {
        float wide[64];
        widen_f16(wide, c[0], 64);
        for (unsigned i = 0; i < 64; i++)
            block[i] += wide[i];
    } else {
        const float *even = c[0], *odd = c[1];
        for (unsigned l = 0; l < LANES_PER_WARP; l++) {
            block[2 * l] += even[l];
            block[2 * l + 1] += odd[l];
        }
    }
    if (saturate) { /* infinities become the largest number, NaN becomes zero */
        const float most = d_type == PTX_TYPE_f16 ? 65504.0f : 0x1.fffffep127f;
        for (unsigned i = 0; i < 64; i++)
            block[i] = block[i] != block[i] ? 0.0f : block[i] > most ? most : block[i] < -most ? -most : block[i];
    }
    if (d_type == PTX_TYPE_f16) {
        narrow_f16((uint16_t *)out, block, 64);
    } else {
        for (unsigned l = 0; l < LANES_PER_WARP; l++) {
            out[l] = canonical_f32(block[2 * l]);
            out[32 + l] = canonical_f32(block[2 * l + 1]);
        }
    }
}

void mma_store(const struct lane_args *args, const uint32_t (*out)[LANES_PER_WARP], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t *d = args->d[i];
        if (d)
            LANE_STORE(args->mask, d, out[i][l]);
    }
}

/* ---- m16n8 and m8n8 ---- */

#define MAX_K 64

/* Registers: A has a block for each 8 rows, then the next columns; B a block for each 4 e rows; C and D follow. */
static void mma_float(const struct lane_args *args)
{
    const struct ptx_insn *insn = args->insn;
    const struct mma_format *a = mma_format_of(insn->types[1]), *b = mma_format_of(insn->types[2]);
    const struct mma_shape shape = mma_shapes[insn->shape];
    const unsigned rows = shape.m / 8, width = 4 * 32 / a->bits, columns = shape.k / width;
    const void *const *sa = args->s, *const *sb = sa + rows * columns, *const *sc = sb + columns;
    const unsigned regs = mma_registers(insn->types[0]);
    float wide_b[MAX_K * 8], wide_a[8 * 32], block[2][64];
    uint32_t out[4][LANES_PER_WARP];

    for (unsigned j = 0; j < columns; j++)
        b->columns(wide_b + j * width * 8, sb[j]);
    for (unsigned r = 0; r < rows; r++)
        for (unsigned j = 0; j < columns; j++) {
            a->rows(wide_a, sa[j * rows + r]);
            mma_block(block[r], wide_a, width, wide_b + j * width * 8, 8, width, j == 0);
        }
    for (unsigned r = 0; r < rows; r++)
        mma_accumulate(out[r * regs], insn->types[0], block[r], sc + r * regs, insn->types[3],
                       insn->flags & PTX_FLAG_SATFINITE);
    mma_store(args, out, rows * regs);
}

static void mma_f64(const struct lane_args *args)
{
    const struct mma_shape shape = mma_shapes[args->insn->shape];
    const unsigned rows = shape.m / 8, columns = shape.k / 4;
    const void *const *sa = args->s, *const *sb = sa + rows * columns, *const *sc = sb + columns;
    double b[16][8], block[16][8];

    for (unsigned j = 0; j < columns; j++)
        for (unsigned l = 0; l < LANES_PER_WARP; l++)
            b[4 * j + l % 4][l / 4] = ((const double *)sb[j])[l];
    for (unsigned r = 0; r < rows; r++)
        for (unsigned l = 0; l < LANES_PER_WARP; l++)
            for (unsigned i = 0; i < 2; i++)
                block[8 * r + l / 4][2 * (l % 4) + i] = ((const double *)sc[2 * r + i])[l];
    for (unsigned r = 0; r < rows; r++)
        for (unsigned k = 0; k < shape.k; k++)
            for (unsigned m = 0; m < 8; m++) {
                const double a = ((const double *)sa[(k / 4) * rows + r])[4 * m + k % 4];
                for (unsigned n = 0; n < 8; n++)
                    block[8 * r + m][n] = __builtin_fma(a, b[k][n], block[8 * r + m][n]);
            }
    for (unsigned r = 0; r < rows; r++)
        for (unsigned i = 0; i < 2; i++) {
            double *out = args->d[2 * r + i];
            if (out)
                LANE_STORE(args->mask, out, block[8 * r + l / 4][2 * (l % 4) + i]);
        }
}

LANE_DIRECTED(mma_f64)

/* Single bits: the number of ones in row XOR (or AND) column. */
static void mma_b1(const struct lane_args *args)
{
    const struct ptx_insn *insn = args->insn;
    const struct mma_shape shape = mma_shapes[insn->shape];
    const unsigned rows = shape.m / 8, columns = shape.k / 128;
    const int is_xor = insn->boolop == PTX_bool_xor || insn->atom == PTX_atom_xor;
    const uint32_t *const *sa = (const uint32_t *const *)args->s, *const *sb = sa + rows * columns, *const *sc = sb + columns;
    uint32_t out[4][LANES_PER_WARP];

    for (unsigned r = 0; r < rows; r++)
        for (unsigned i = 0; i < 64; i++) {
            uint32_t ones = sc[2 * r + i % 2][i / 2];
            for (unsigned k = 0; k < 4 * columns; k++) {
                const uint32_t a = sa[(k / 4) * rows + r][i / 8 * 4 + k % 4], b = sb[k / 4][i % 8 * 4 + k % 4];
                ones += (uint32_t)__builtin_popcount(is_xor ? a ^ b : a & b);
            }
            out[2 * r + i % 2][i / 2] = ones;
        }
    mma_store(args, out, 2 * rows);
}

/* ---- m8n8k4 of f16 ----
 * Four products, one to each four lanes 4 p ... and the four lanes 16 above them (9.7.14.5.1). Lane j of the eight holds row
 * or column j of A and B (or, in the other order, its share of each: four elements of line j % 4), and of C either row j or,
 * in f32, a scatter. */

static inline float fragment_f16(const void *const *regs, unsigned lane, unsigned i)
{
    return f16_to_f32(((const uint16_t *)regs[i / 2])[2 * lane + i % 2]);
}

struct place {
    unsigned row, column;
};

static inline struct place accumulator_place(unsigned lane, unsigned i, int f32)
{
    const unsigned upper = lane >= 16 ? 4 : 0;

    return f32 ? (struct place){(lane & 1) + (i & 2) + upper, (i & 4) + (lane & 2) + (i & 1)}
               : (struct place){lane % 4 + upper, i};
}

static void mma_m8n8k4_f16(const struct lane_args *args)
{
    const struct ptx_insn *insn = args->insn;
    const int d_f32 = insn->types[0] == PTX_TYPE_f32, c_f32 = insn->types[3] == PTX_TYPE_f32;
    float a[4][8][4], b[4][4][8], acc[4][8][8];

    for (unsigned l = 0; l < LANES_PER_WARP; l++) {
        const unsigned p = l / 4 % 4, j = l % 4, upper = l >= 16 ? 4 : 0;
        for (unsigned i = 0; i < 4; i++) {
            const float x = fragment_f16(args->s, l, i), y = fragment_f16(args->s + 2, l, i);
            if (insn->layout_a == 'r')
                a[p][j + upper][i] = x;
            else
                a[p][i + upper][j] = x;
            if (insn->layout_b == 'c')
                b[p][i][j + upper] = y;
            else
                b[p][j][i + upper] = y;
        }
        for (unsigned i = 0; i < 8; i++) {
            const struct place at = accumulator_place(l, i, c_f32);
            acc[p][at.row][at.column] = c_f32 ? ((const float *)args->s[4 + i])[l] : fragment_f16(args->s + 4, l, i);
        }
    }
    for (unsigned p = 0; p < 4; p++)
        for (unsigned m = 0; m < 8; m++) {
            float sum[8] = {0};
            for (unsigned k = 0; k < 4; k++)
                for (unsigned n = 0; n < 8; n++)
                    sum[n] += a[p][m][k] * b[p][k][n];
            for (unsigned n = 0; n < 8; n++)
                acc[p][m][n] += sum[n];
        }
    for (unsigned l = 0; l < LANES_PER_WARP; l++)
        for (unsigned i = 0; i < 8; i++) {
            const struct place at = accumulator_place(l, i, d_f32);
            const float r = acc[l / 4 % 4][at.row][at.column];
            if (!(args->mask & lane_bit[l]))
                continue;
            if (d_f32 && args->d[i])
                ((uint32_t *)args->d[i])[l] = canonical_f32(r);
            else if (!d_f32 && args->d[i / 2])
                ((uint16_t *)args->d[i / 2])[2 * l + i % 2] = (uint16_t)f32_to_f16(r);
        }
}

/* ---- Selection ---- */

static int is_f16_or_f32(unsigned type)
{
    return type == PTX_TYPE_f16 || type == PTX_TYPE_f32;
}

/* Registers are 4 e columns wide: 1 or 2 of them make up k (f64: 4), and only 1 in the m8n8 shapes. */
static int has_width(const struct mma_shape *shape, unsigned width, unsigned most)
{
    const unsigned n = shape->k / width;

    return shape->n == 8 && shape->k % width == 0 && (n == 1 || (shape->m == 16 && (n == 2 || n == most)));
}

lane_op *LANES(mma_select)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    const struct mma_shape *shape = &mma_shapes[insn->shape];
    const uint8_t *t = insn->types;
    const uint32_t flags = insn->flags & ~(uint32_t)(PTX_FLAG_SYNC | PTX_FLAG_ALIGNED);
    const struct mma_format *a = mma_format_of(t[1]), *b = mma_format_of(t[2]);

    if (insn->op != PTX_OP_mma || insn->ntypes != 4 || !shape->m)
        return NULL;
    if (insn->shape == PTX_shape_m8n8k4 && t[1] == PTX_TYPE_f16)
        return !flags && t[2] == t[1] && is_f16_or_f32(t[0]) && is_f16_or_f32(t[3]) &&
                       (t[0] == PTX_TYPE_f32 || t[3] == PTX_TYPE_f16) ? mma_m8n8k4_f16 : NULL;
    if (insn->layout_a != 'r' || insn->layout_b != 'c' || t[0] != t[3])
        return NULL;
    if (t[1] == PTX_TYPE_b1)
        return t[2] == t[1] && t[0] == PTX_TYPE_s32 && flags == PTX_FLAG_POPC && has_width(shape, 128, 0) ? mma_b1 : NULL;
    if (t[1] == PTX_TYPE_f64)
        return t[2] != t[1] || t[0] != t[1] || flags || !has_width(shape, 4, 4) ? NULL
             : round_class(insn) == ROUND_NEAREST ? mma_f64 : round_class(insn) == ROUND_DIRECTED ? mma_f64_directed : NULL;
    if (!a || !b || a->bits != b->bits || a->kind != b->kind || !has_width(shape, 4 * 32 / a->bits, 0))
        return NULL;
    if (a->kind == 'i')
        return t[0] == PTX_TYPE_s32 && !(flags & ~(uint32_t)PTX_FLAG_SATFINITE) ? mma_float : NULL;
    /* Floats: m16n8 only; f16 accumulators for f16 and the 8-bit formats; mixed formats only among those. */
    if (flags || shape->m != 16 || !is_f16_or_f32(t[0]) || (a->bits != 8 && t[1] != t[2]))
        return NULL;
    return t[0] == PTX_TYPE_f16 && a->bits != 8 && t[1] != PTX_TYPE_f16 ? NULL : mma_float;
}
