/* SPDX-License-Identifier: Apache-2.0 */
/* Barriers of whole blocks, as compilers write __syncthreads(). All lanes that there are have met before. */
#include "jit/emit.h"

#include <stddef.h>

bool emit_barrier_number(const struct emit *e, const struct ptx_insn *i, uint32_t *number)
{
    const struct ptx_operand *o = &i->ops[0];
    const struct ptx_insn *def = i->nops == 1 && o->kind == PTX_OPERAND_REG ? e->constant[o->reg] : NULL;

    if ((i->op != PTX_OP_bar && i->op != PTX_OP_barrier) || i->mode != PTX_mode_sync || i->nops != 1 || i->dst2.kind != PTX_OPERAND_NONE ||
        (o->kind != PTX_OPERAND_IMM && !def))
        return false;
    *number = (uint32_t)(def ? def->ops[1].imm : o->imm);
    return *number < 16;
}

void emit_barrier_wait(struct emit *e, uint32_t number)
{
    emit_call_out(e, offsetof(struct jit_env, barrier), (LLVMValueRef[]){emit_i32(e, e->index), e->mask, emit_i32(e, number)}, 3, false);
}

bool emit_barrier(struct emit *e)
{
    uint32_t number;

    if (!emit_barrier_number(e, e->insn, &number))
        return false;
    if (!emit_park(e))
        emit_barrier_wait(e, number);
    return true;
}
