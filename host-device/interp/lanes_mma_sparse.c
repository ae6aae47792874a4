/* SPDX-License-Identifier: Apache-2.0 */
/* mma.sp, PTX ISA 9.7.14.6: A holds half of its columns, and metadata says which. Its packed columns are spread out as the
 * metadata says, then the product is the dense one.
 *
 * A packed register is a block of 8 rows like a dense one (lanes_mma.h) and stands for twice as many columns. Four bits of
 * metadata, two indices of two bits, describe a chunk of columns:
 *
 *   16 and 8 bits   4 columns, of which two elements are kept; an index is a column
 *   4 bits          8 columns, of which two pairs of elements are kept; an index is a pair of columns
 *   tf32            2 columns, of which one element is kept: the first (0b0100) or the second (0b1110); bit 1 tells them apart
 *
 * .sp::ordered_metadata promises increasing indices, which makes no difference here; an index named twice, whose result the
 * ISA leaves open, adds both elements up there.
 *
 * Which lane's word holds what, with lane 4 g + t (the ISA has it in figures 119 ... 147 only; tests/conformance/own/README.md
 * says what settles each):
 *
 *   tf32, 16 bits   a word describes one register in two rows: row g in its lower half, row g + 8 in its upper half. One
 *                   register: t is the selector. Two: t is twice the selector, plus 1 for the second.
 *   8, 4 bits       a word describes one register in one row: row g in an even lane, row g + 8 in the odd one that follows.
 *                   One register: t is twice the selector, or one more. Two: t / 2 is the register. */
#include "interp/lanes_mma.h"

#define MAX_K 128

/* Columns of A that four bits of metadata describe. */
static inline unsigned chunk_columns(unsigned bits)
{
    return bits == 4 ? 8 : bits == 32 ? 2 : 4;
}

/* A row of a register: 'codes' for 'columns' columns of 'out'. */
static inline void spread_row(float *out, const float *packed, unsigned columns, uint32_t codes, unsigned bits)
{
    const unsigned chunk = chunk_columns(bits);

    for (unsigned i = 0; i < columns; i++)
        out[i] = 0;
    for (unsigned i = 0; i < columns; i += chunk, codes >>= 4, packed += chunk / 2) {
        const unsigned first = codes & 3, second = codes >> 2 & 3;

        if (bits == 32) {
            out[i + first / 2] = packed[0];
        } else if (bits == 4) {
            out[i + 2 * first] += packed[0];
            out[i + 2 * first + 1] += packed[1];
            out[i + 2 * second] += packed[2];
            out[i + 2 * second + 1] += packed[3];
        } else {
            out[i + first] += packed[0];
            out[i + second] += packed[1];
        }
    }
}

/* The metadata of row g + 8 * half of register j, lowest columns in the lowest bits. */
static inline uint32_t row_codes(const uint32_t *words, unsigned g, unsigned half, unsigned j, unsigned registers,
                                 unsigned selector, unsigned bits)
{
    if (bits >= 16)
        return words[4 * g + selector * registers + j] >> 16 * half;
    return words[4 * g + 2 * (selector + j) + half];
}

/* Sources: A, for each register 8 rows and the 8 below them; B, a register for each half of those; C; metadata; selector. */
static void mma_sparse(const struct lane_args *args)
{
    const struct ptx_insn *insn = args->insn;
    const struct mma_format *a = mma_format_of(insn->types[1]), *b = mma_format_of(insn->types[2]);
    const unsigned k = mma_shapes[insn->shape].k, packed = 4 * 32 / a->bits, width = 2 * packed, registers = k / width;
    const void *const *sa = args->s, *const *sb = sa + 2 * registers, *const *sc = sb + 2 * registers;
    const unsigned regs = mma_registers(insn->types[0]);
    const uint32_t *words = sc[2 * regs], selector = *(const uint32_t *)sc[2 * regs + 1];
    float wide_b[MAX_K * 8], kept[8 * 32], wide_a[8 * 64], block[2][64];
    uint32_t out[4][LANES_PER_WARP];

    for (unsigned j = 0; j < 2 * registers; j++)
        b->columns(wide_b + j * packed * 8, sb[j]);
    for (unsigned half = 0; half < 2; half++)
        for (unsigned j = 0; j < registers; j++) {
            a->rows(kept, sa[2 * j + half]);
            for (unsigned g = 0; g < 8; g++)
                spread_row(wide_a + g * width, kept + g * packed, width,
                           row_codes(words, g, half, j, registers, selector, a->bits), a->bits);
            mma_block(block[half], wide_a, width, wide_b + j * width * 8, 8, width, j == 0);
        }
    for (unsigned half = 0; half < 2; half++)
        mma_accumulate(out[half * regs], insn->types[0], block[half], sc + half * regs, insn->types[3],
                       insn->flags & PTX_FLAG_SATFINITE);
    mma_store(args, out, 2 * regs);
}

/* A's registers, two blocks of 8 rows each, make up one or two times the columns. */
lane_op *LANES(mma_sparse_select)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    const struct mma_shape *shape = &mma_shapes[insn->shape];
    const uint8_t *t = insn->types;
    const uint32_t flags = insn->flags & ~(uint32_t)(PTX_FLAG_SYNC | PTX_FLAG_ALIGNED | PTX_FLAG_SP | PTX_FLAG_ORDERED);
    const struct mma_format *a = mma_format_of(t[1]), *b = mma_format_of(t[2]);
    unsigned columns;

    if (insn->op != PTX_OP_mma || insn->ntypes != 4 || insn->layout_a != 'r' || insn->layout_b != 'c' || t[0] != t[3])
        return NULL;
    if (!a || !b || a->bits != b->bits || a->kind != b->kind || shape->m != 16 || shape->n != 8)
        return NULL;
    columns = 2 * 4 * 32 / a->bits;
    if (shape->k != 2 * columns && (shape->k != columns || (a->bits == 8 && a->kind == 'f')))
        return NULL;
    if (a->kind == 'i')
        return t[0] == PTX_TYPE_s32 && !(flags & ~(uint32_t)PTX_FLAG_SATFINITE) ? mma_sparse : NULL;
    if (flags || (a->bits != 8 && t[1] != t[2]))
        return NULL;
    return t[0] == PTX_TYPE_f32 || (t[0] == PTX_TYPE_f16 && (a->bits == 8 || t[1] == PTX_TYPE_f16)) ? mma_sparse : NULL;
}
