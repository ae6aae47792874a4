/* SPDX-License-Identifier: Apache-2.0 */
/* cp.async (PTX ISA 9.7.9.25.3.1) as a copy made at once, where all lanes run and copy all bytes; the rest is the operation's. */
#include "jit/emit_rows.h"

typedef LLVMValueRef V;

static V copied(struct emit *e, V from, unsigned n)
{
    V v = LLVMBuildLoad2(e->b, emit_many(e, 32, n / 4), from, "");

    LLVMSetAlignment(v, n);
    return v;
}

bool emit_copy(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    struct rows to, from;
    LLVMBasicBlockRef fast, slow, join;
    V good, at[2];
    unsigned n;

    if (i->op != PTX_OP_cp || i->mode != PTX_mode_async || i->submode != PTX_mode_none || i->nops < 3 || i->ops[2].kind != PTX_OPERAND_IMM)
        return false;
    n = (unsigned)i->ops[2].imm;
    if ((n != 4 && n != 8 && n != 16) || (i->nops > 3 && (i->ops[3].kind != PTX_OPERAND_IMM || (uint64_t)i->ops[3].imm < n)))
        return false;
    if (!rows_find(e, &i->ops[0], PTX_SPACE_shared, n, VG_WARP, &to) || !rows_find(e, &i->ops[1], PTX_SPACE_global, n, VG_WARP, &from))
        return false;
    if (!e->copy_to)
        e->copy_to = emit_scratch(e, 8 * VG_WARP);
    fast = emit_block(e, "copy");
    slow = emit_block(e, "slow");
    join = emit_block(e, "copied");
    good = LLVMBuildAnd(e->b, LLVMBuildAnd(e->b, to.good, from.good, ""), LLVMBuildICmp(e->b, LLVMIntEQ, e->mask, emit_i32(e, ~0u), ""), "");
    emit_branch(e, good, fast, slow);
    LLVMPositionBuilderAtEnd(e->b, fast);
    at[0] = e->copy_to;
    LLVMSetAlignment(LLVMBuildStore(e->b, to.address, at[0]), 64);
    at[1] = rows_note(e, &from, n); /* shared memory is there; the source may not be */
    for (unsigned l = 0; l < VG_WARP; l++)
        LLVMSetAlignment(LLVMBuildStore(e->b, copied(e, rows_at(e, at[1], l), n), rows_at(e, at[0], l)), n);
    LLVMBuildBr(e->b, join);
    LLVMPositionBuilderAtEnd(e->b, slow);
    emit_operation_call(e, e->mask);
    LLVMBuildBr(e->b, join);
    LLVMPositionBuilderAtEnd(e->b, join);
    return true;
}
