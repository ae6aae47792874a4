/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix family's selector. */
#include "interp/lanes_mma.h"

lane_op *LANES(lanes_select_matrix)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    switch (insn->op) {
    case PTX_OP_mma:
        return (insn->flags & PTX_FLAG_SP ? LANES(mma_sparse_select) : LANES(mma_select))(insn, w);
    case PTX_OP_wmma:
        return LANES(wmma_select)(insn, w);
    case PTX_OP_ldmatrix:
    case PTX_OP_stmatrix:
    case PTX_OP_movmatrix:
        return LANES(ldmatrix_select)(insn, w);
    default:
        return NULL;
    }
}
