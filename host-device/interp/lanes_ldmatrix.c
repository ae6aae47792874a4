/* SPDX-License-Identifier: Apache-2.0 */
/* ldmatrix, stmatrix and movmatrix of 8x8 matrices of b16, PTX ISA 9.7.14.5.15 to 17. Lane 4 g + t of a fragment holds
 * elements 2 t and 2 t + 1 of row g: a register array is the matrix in row order. */
#include "interp/lanes_mma.h"

static void transpose(uint16_t *out, const uint16_t *in)
{
    for (unsigned r = 0; r < 8; r++)
        for (unsigned c = 0; c < 8; c++)
            out[c * 8 + r] = in[r * 8 + c];
}

static void store_fragment(const struct lane_args *args, uint32_t *d, const uint32_t *fragment)
{
    if (d)
        LANE_STORE(args->mask, d, fragment[l]);
}

static void movmatrix(const struct lane_args *args)
{
    uint32_t out[LANES_PER_WARP];

    transpose((uint16_t *)out, args->s[0]);
    store_fragment(args, args->d[0], out);
}

/* Lanes 8 i ... 8 i + 7 give the addresses of the rows of matrix i. The ISA wants the whole warp; a row whose lane is missing
 * reads as zero and is not written. */
#define ROW_BYTES 16

static void ldmatrix(const struct lane_args *args)
{
    const uint64_t *addresses = args->s[0];
    uint32_t matrix[4][LANES_PER_WARP] = {{0}}, turned[LANES_PER_WARP];

    for (unsigned l = 0; l < 8u * args->insn->num; l++) {
        if (!(args->mask & lane_bit[l]))
            continue;
        lane_check(args, l, addresses[l], ROW_BYTES, ROW_BYTES);
        memcpy(&matrix[l / 8][l % 8 * 4], (const void *)(uintptr_t)addresses[l], ROW_BYTES);
    }
    for (unsigned i = 0; i < args->insn->num; i++)
        if (args->insn->flags & PTX_FLAG_TRANS) {
            transpose((uint16_t *)turned, (const uint16_t *)matrix[i]);
            store_fragment(args, args->d[i], turned);
        } else {
            store_fragment(args, args->d[i], matrix[i]);
        }
}

static void stmatrix(const struct lane_args *args)
{
    const uint64_t *addresses = args->s[0];
    uint32_t turned[LANES_PER_WARP];

    for (unsigned i = 0; i < args->insn->num; i++) {
        const uint32_t *matrix = args->s[1 + i];
        if (args->insn->flags & PTX_FLAG_TRANS) {
            transpose((uint16_t *)turned, (const uint16_t *)matrix);
            matrix = turned;
        }
        for (unsigned l = 8 * i; l < 8 * i + 8; l++) {
            if (!(args->mask & lane_bit[l]))
                continue;
            lane_check(args, l, addresses[l], ROW_BYTES, ROW_BYTES);
            memcpy((void *)(uintptr_t)addresses[l], matrix + l % 8 * 4, ROW_BYTES);
        }
    }
}

lane_op *LANES(ldmatrix_select)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    const uint32_t known = PTX_FLAG_SYNC | PTX_FLAG_ALIGNED | PTX_FLAG_TRANS;
    const int count = insn->num == 1 || insn->num == 2 || insn->num == 4;

    if (insn->shape != PTX_shape_m8n8 || insn->types[0] != PTX_TYPE_b16 || insn->flags & ~known)
        return NULL;
    switch (insn->op) {
    case PTX_OP_ldmatrix:
        return count ? ldmatrix : NULL;
    case PTX_OP_stmatrix:
        return count ? stmatrix : NULL;
    case PTX_OP_movmatrix:
        return insn->flags & PTX_FLAG_TRANS ? movmatrix : NULL;
    default:
        return NULL;
    }
}
