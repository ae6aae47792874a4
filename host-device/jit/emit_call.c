/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of functions that are not part of the kernel's own body (ptx/flat.h): recursion, and through pointers. The interpreter runs
 * the function, on a frame of its own, and code goes on when all lanes are back. */
#include "jit/emit.h"

#include <stddef.h>

bool emit_calls_function(const struct emit *e)
{
    const struct ptx_operand *callee = &e->insn->ops[0];

    return e->insn->op == PTX_OP_call && (callee->kind != PTX_OPERAND_FUNC || e->flow->m->functions[callee->sym].has_body);
}

/* Lanes that have ended there are no lanes of the block any more: from the next instruction on the interpreter has the warp. */
static void check_back(struct emit *e)
{
    LLVMBasicBlockRef all = emit_block(e, "back"), some = emit_block(e, "ended");
    LLVMValueRef here = LLVMBuildLoad2(e->b, e->i32, emit_at(e, e->env, offsetof(struct jit_env, present)), "");
    LLVMValueRef gone = LLVMBuildNot(e->b, here, ""), mask = e->block_mask;

    gone = LLVMBuildAnd(e->b, gone, LLVMBuildLoad2(e->b, e->i32, e->present, ""), "");
    emit_branch(e, LLVMBuildICmp(e->b, LLVMIntEQ, gone, emit_i32(e, 0), ""), all, some);
    LLVMPositionBuilderAtEnd(e->b, some);
    LLVMBuildStore(e->b, here, e->present);
    e->block_mask = LLVMBuildAnd(e->b, mask, here, "");
    emit_leave_behind(e);
    e->block_mask = mask;
    LLVMPositionBuilderAtEnd(e->b, all);
}

bool emit_calls(struct emit *e)
{
    if (!emit_calls_function(e))
        return false;
    emit_operation(e, e->mask);
    e->operations++;
    check_back(e);
    return true;
}
