/* SPDX-License-Identifier: Apache-2.0 */
#include "jit/emit_rows.h"

#include <stddef.h>

typedef LLVMValueRef V;

/* Lanes [0, lanes) count. */
static V none_of(struct emit *e, V bad, unsigned lanes)
{
    V mask = emit_i32(e, lanes == VG_WARP ? ~0u : (1u << lanes) - 1);

    return LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildAnd(e->b, emit_bits(e, bad), mask, ""), emit_i32(e, 0), "");
}

static V any_bit(struct emit *e, V v, uint64_t bits)
{
    return LLVMBuildICmp(e->b, LLVMIntNE, LLVMBuildAnd(e->b, v, emit_splat(e, emit_i64(e, bits)), ""), emit_splat(e, emit_i64(e, 0)), "");
}

static bool find_shared(struct emit *e, const struct ptx_operand *o, unsigned n, unsigned lanes, struct rows *r)
{
    int64_t place = o->sym >= 0 ? ptx_shared_offset(e->f, o->sym) : 0;
    unsigned bits = emit_reg_bits(e, o->reg);
    V offset, bad, size = e->field[JIT_ENV_shared_size], row = emit_i64(e, n);

    if (place < 0)
        return false;
    offset = emit_splat(e, LLVMConstInt(emit_int(e, bits), (uint64_t)place + (uint64_t)o->imm, false));
    offset = LLVMBuildAdd(e->b, emit_reg(e, o->reg, true), offset, "");
    if (bits == 32)
        offset = LLVMBuildZExt(e->b, offset, emit_vector(e->i64), "");
    bad = LLVMBuildICmp(e->b, LLVMIntUGT, offset, emit_splat(e, LLVMBuildSub(e->b, size, row, "")), "");
    bad = LLVMBuildOr(e->b, bad, any_bit(e, offset, n - 1), "");
    r->good = LLVMBuildAnd(e->b, none_of(e, bad, lanes), LLVMBuildICmp(e->b, LLVMIntUGE, size, row, ""), "");
    r->address = LLVMBuildAdd(e->b, offset, emit_splat(e, e->field[JIT_ENV_shared]), "");
    return true;
}

bool rows_find(struct emit *e, const struct ptx_operand *o, uint8_t space, unsigned n, unsigned lanes, struct rows *r)
{
    V offset;

    if (o->kind != PTX_OPERAND_MEM || o->reg < 0)
        return false;
    if ((o->sym >= 0 ? e->flow->m->symbols[o->sym].space : space) == PTX_SPACE_shared)
        return find_shared(e, o, n, lanes, r);
    if ((space != PTX_SPACE_generic && space != PTX_SPACE_global) || o->sym >= 0 || emit_reg_bits(e, o->reg) != 64)
        return false;
    r->address = LLVMBuildAdd(e->b, emit_reg(e, o->reg, true), emit_splat(e, emit_i64(e, (uint64_t)o->imm)), "");
    offset = LLVMBuildSub(e->b, r->address, emit_splat(e, emit_i64(e, VGPU_WINDOW_BASE)), "");
    r->good = none_of(e, any_bit(e, offset, ~(VGPU_WINDOW_SIZE - 1) | (n - 1)), lanes);
    return true;
}

V rows_note(struct emit *e, const struct rows *r, unsigned n)
{
    V at = emit_at(e, e->env, offsetof(struct jit_env, address)), store;

    LLVMBuildStore(e->b, emit_i32(e, e->index), emit_at(e, e->env, offsetof(struct jit_env, insn)));
    LLVMBuildStore(e->b, e->mask, emit_at(e, e->env, offsetof(struct jit_env, mask)));
    LLVMBuildStore(e->b, emit_i32(e, JIT_STEP_EACH), emit_at(e, e->env, offsetof(struct jit_env, step)));
    LLVMBuildStore(e->b, emit_i32(e, n), emit_at(e, e->env, offsetof(struct jit_env, bytes)));
    store = LLVMBuildStore(e->b, r->address, at);
    LLVMSetAlignment(store, 8);
    return at;
}

V rows_at(struct emit *e, V addresses, unsigned lane)
{
    V address = LLVMBuildLoad2(e->b, e->i64, emit_at(e, addresses, 8u * lane), "");

    LLVMSetVolatile(address, true); /* or LLVM takes it out of the vector after all */
    return LLVMBuildIntToPtr(e->b, address, e->ptr, "");
}
