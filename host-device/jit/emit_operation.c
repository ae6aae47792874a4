/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that the interpreter's operations execute: operands are stored where the operations look for them, results are
 * fetched from there. */
#include "jit/emit.h"

#include <stddef.h>

LLVMValueRef emit_operation_place(struct emit *e, int32_t reg)
{
    return emit_at(e, e->field[JIT_ENV_frame], e->func->place[reg]);
}

static void store_register(struct emit *e, int32_t reg)
{
    LLVMValueRef v = emit_reg(e, reg, true);

    if (e->func->place[reg] == JIT_NONE)
        return;
    if (emit_reg_bits(e, reg) == 1)
        v = emit_bits(e, v);
    LLVMBuildStore(e->b, v, emit_operation_place(e, reg));
}

void emit_operation_operands(struct emit *e)
{
    struct jit_regs r;

    jit_regs_of(e->insn, &r);
    for (unsigned i = 0; i < r.n_read; i++)
        store_register(e, r.read[i]);
}

void emit_call_out(struct emit *e, size_t function, LLVMValueRef *numbers, unsigned n, bool keeps)
{
    LLVMTypeRef params[4] = {e->ptr, e->i32, e->i32, e->i32};
    LLVMValueRef args[4] = {e->env}, call;
    static const char name[] = "no_caller_saved_registers";

    for (unsigned k = 0; k < n; k++)
        args[1 + k] = numbers[k];
    call = LLVMBuildCall2(e->b, LLVMFunctionType(e->none, params, 1 + n, false),
                          LLVMBuildLoad2(e->b, e->ptr, emit_at(e, e->env, function), ""), args, 1 + n, "");
    if (keeps)
        LLVMAddCallSiteAttribute(call, LLVMAttributeFunctionIndex, LLVMCreateStringAttribute(e->context, name, sizeof name - 1, "", 0));
}

void emit_operation_call(struct emit *e, LLVMValueRef lanes)
{
    emit_operation_operands(e);
    emit_call_out(e, offsetof(struct jit_env, operation), (LLVMValueRef[]){emit_i32(e, e->index), lanes}, 2, false);
}

void emit_operation_aside(struct emit *e, LLVMValueRef lanes)
{
    emit_operation_operands(e);
    emit_call_out(e, offsetof(struct jit_env, keep_operation), (LLVMValueRef[]){emit_i32(e, e->index), lanes}, 2, true);
}

/* Where a register is a scalar, all lanes that ran have the same. */
static LLVMValueRef fetch(struct emit *e, int32_t reg, LLVMValueRef lanes)
{
    unsigned bits = emit_reg_bits(e, reg);
    LLVMTypeRef type = emit_int(e, bits);
    LLVMValueRef at = emit_operation_place(e, reg), lane, v;

    if (jit_is_vector(e->u, reg)) {
        if (bits != 1)
            return LLVMBuildLoad2(e->b, emit_vector(type), at, "");
        return emit_lanes(e, LLVMBuildLoad2(e->b, e->i32, at, ""));
    }
    lane = jit_row(e->u, reg) ? emit_i32(e, e->first) : emit_first_lane(e, lanes);
    if (bits == 1) {
        v = LLVMBuildLoad2(e->b, e->i32, at, "");
        return LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, v, lane, ""), e->i1, "");
    }
    at = LLVMBuildGEP2(e->b, type, at, &lane, 1, "");
    return LLVMBuildLoad2(e->b, type, at, "");
}

LLVMValueRef emit_operation_result(struct emit *e, int32_t reg)
{
    return fetch(e, reg, e->mask);
}

static void fetch_operand(struct emit *e, const struct ptx_operand *o, LLVMValueRef lanes)
{
    if (o->kind == PTX_OPERAND_VEC)
        for (unsigned k = 0; k < o->n; k++)
            fetch_operand(e, &o->elems[k], lanes);
    if (o->kind == PTX_OPERAND_REG)
        emit_result(e, o, fetch(e, o->reg, lanes));
}

void emit_operation_results(struct emit *e, LLVMValueRef lanes)
{
    struct jit_regs r;

    jit_regs_of(e->insn, &r);
    if (!r.n_written)
        return;
    fetch_operand(e, &e->insn->ops[e->insn->op == PTX_OP_call], lanes);
    if (e->insn->op != PTX_OP_call)
        fetch_operand(e, &e->insn->dst2, lanes);
}

void emit_operation(struct emit *e, LLVMValueRef lanes)
{
    emit_operation_call(e, lanes);
    emit_operation_results(e, lanes);
}
