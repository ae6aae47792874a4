/* SPDX-License-Identifier: Apache-2.0 */
/* Barriers of whole blocks, as compilers write __syncthreads(), and of warps. All lanes that there are have met before. */
#include "jit/emit.h"

#include <stddef.h>

static bool number_of(const struct emit *e, const struct ptx_operand *o, uint32_t *number)
{
    const struct ptx_insn *def = o->kind == PTX_OPERAND_REG ? e->constant[o->reg] : NULL;

    if (o->kind != PTX_OPERAND_IMM && !def)
        return false;
    *number = (uint32_t)(def ? def->ops[1].imm : o->imm);
    return *number < 16;
}

bool emit_barrier(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    LLVMTypeRef params[4] = {e->ptr, e->i32, e->i32, e->i32};
    LLVMValueRef args[4] = {e->env, emit_i32(e, e->index), e->mask}, fn;
    uint32_t number;

    if ((i->op != PTX_OP_bar && i->op != PTX_OP_barrier) || i->mode != PTX_mode_sync || i->nops != 1 || i->dst2.kind != PTX_OPERAND_NONE ||
        !number_of(e, &i->ops[0], &number))
        return false;
    args[3] = emit_i32(e, number);
    fn = LLVMBuildLoad2(e->b, e->ptr, emit_at(e, e->env, offsetof(struct jit_env, barrier)), "");
    LLVMBuildCall2(e->b, LLVMFunctionType(e->none, params, 4, false), fn, args, 4, "");
    return true;
}
