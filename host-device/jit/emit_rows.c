/* SPDX-License-Identifier: Apache-2.0 */
#include "jit/emit_rows.h"

#include <stddef.h>

#include "jit/code.h"

typedef LLVMValueRef V;
/* env, instruction, mask, record (emit_site()); place and constant of two operands, or of one and four places of data */
enum { SITE = 3, FIRST = 4, MAX_PARAMS = 11 };

bool rows_find(struct emit *e, const struct ptx_operand *o, uint8_t space, unsigned bytes, unsigned lanes, struct rows *r)
{
    *r = (struct rows){.operand = o, .bytes = bytes, .lanes = lanes};
    if (o->kind != PTX_OPERAND_MEM || o->reg < 0 || e->func->place[o->reg] == JIT_NONE)
        return false;
    r->wide = emit_reg_bits(e, o->reg) == 64;
    if ((o->sym >= 0 ? e->flow->m->symbols[o->sym].space : space) == PTX_SPACE_shared) {
        r->shared = true;
        return o->sym < 0 || ptx_shared_offset(e->f, o->sym) >= 0;
    }
    return (space == PTX_SPACE_generic || space == PTX_SPACE_global) && o->sym < 0 && r->wide;
}

/* ---- In the function ---- */

static V field(struct emit *e, unsigned k)
{
    return LLVMBuildLoad2(e->b, e->i64, emit_at(e, e->env, offsetof(struct jit_env, field) + 8 * k), "");
}

static V any_bit(struct emit *e, V v, V bits)
{
    return LLVMBuildICmp(e->b, LLVMIntNE, LLVMBuildAnd(e->b, v, emit_splat(e, bits), ""), emit_splat(e, emit_i64(e, 0)), "");
}

static uint32_t lanes_of(const struct rows *r)
{
    return r->lanes == VG_WARP ? ~0u : (1u << r->lanes) - 1;
}

static void find_addresses(struct emit *e, struct rows *r)
{
    V mask = emit_i32(e, lanes_of(r)), offset, bad, size, n = emit_i64(e, r->bytes);
    LLVMTypeRef type = r->wide ? e->i64 : e->i32;

    offset = LLVMBuildLoad2(e->b, emit_vector(type), r->place, "");
    offset = LLVMBuildAdd(e->b, offset, emit_splat(e, r->wide ? r->add : LLVMBuildTrunc(e->b, r->add, e->i32, "")), "");
    if (r->shared) {
        size = field(e, JIT_ENV_shared_size);
        offset = r->wide ? offset : LLVMBuildZExt(e->b, offset, emit_vector(e->i64), "");
        bad = LLVMBuildICmp(e->b, LLVMIntUGT, offset, emit_splat(e, LLVMBuildSub(e->b, size, n, "")), "");
        bad = LLVMBuildOr(e->b, bad, any_bit(e, offset, emit_i64(e, r->bytes - 1)), "");
        r->good = LLVMBuildICmp(e->b, LLVMIntUGE, size, n, "");
        r->address = LLVMBuildAdd(e->b, offset, emit_splat(e, field(e, JIT_ENV_shared)), "");
    } else {
        r->address = offset;
        offset = LLVMBuildSub(e->b, offset, emit_splat(e, emit_i64(e, VGPU_WINDOW_BASE)), "");
        bad = any_bit(e, offset, emit_i64(e, ~(VGPU_WINDOW_SIZE - 1) | (r->bytes - 1)));
        r->good = LLVMConstInt(e->i1, 1, false);
    }
    bad = LLVMBuildAnd(e->b, emit_bits(e, bad), mask, "");
    r->good = LLVMBuildAnd(e->b, r->good, LLVMBuildICmp(e->b, LLVMIntEQ, bad, emit_i32(e, 0), ""), "");
}

static void make(struct emit *e, V fn, struct rows *r, unsigned n, unsigned n_data, rows_body *body)
{
    V good = LLVMBuildICmp(e->b, LLVMIntEQ, LLVMGetParam(fn, 2), emit_i32(e, ~0u), ""), places[4], args[3];
    LLVMBasicBlockRef fast = LLVMAppendBasicBlockInContext(e->context, fn, "rows"), slow = LLVMAppendBasicBlockInContext(e->context, fn, "slow");
    LLVMTypeRef params[3] = {e->ptr, e->i32, e->i32};

    for (unsigned k = 0; k < n; k++) {
        r[k].place = LLVMGetParam(fn, FIRST + 2 * k);
        r[k].add = LLVMGetParam(fn, FIRST + 1 + 2 * k);
        find_addresses(e, &r[k]);
        good = LLVMBuildAnd(e->b, good, r[k].good, "");
    }
    for (unsigned k = 0; k < n_data; k++)
        places[k] = LLVMGetParam(fn, FIRST + 2 * n + k);
    emit_branch(e, good, fast, slow);
    LLVMPositionBuilderAtEnd(e->b, fast);
    body(e, r, places);
    LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, slow);
    for (unsigned k = 0; k < 3; k++)
        args[k] = LLVMGetParam(fn, k);
    LLVMBuildCall2(e->b, LLVMFunctionType(e->none, params, 3, false),
                   LLVMBuildLoad2(e->b, e->ptr, emit_at(e, e->env, offsetof(struct jit_env, operation)), ""), args, 3, "");
    LLVMBuildRetVoid(e->b);
}

V rows_note(struct emit *e, const struct rows *r)
{
    V at = emit_at(e, e->env, offsetof(struct jit_env, address)), fn = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->b)), store;

    store = LLVMBuildStore(e->b, LLVMGetParam(fn, SITE), emit_at(e, e->env, offsetof(struct jit_env, site)));
    LLVMSetVolatile(store, true);
    store = LLVMBuildStore(e->b, r->address, at);
    LLVMSetVolatile(store, true);
    LLVMSetAlignment(store, 8);
    return at;
}

V rows_at(struct emit *e, V addresses, unsigned lane)
{
    V address = LLVMBuildLoad2(e->b, e->i64, emit_at(e, addresses, 8u * lane), "");

    LLVMSetVolatile(address, true); /* or LLVM takes it out of the vector after all */
    return LLVMBuildIntToPtr(e->b, address, e->ptr, "");
}

/* ---- The call ---- */

static V function_of(struct emit *e, const char *name, LLVMTypeRef type, struct rows *r, unsigned n, unsigned n_data, rows_body *body)
{
    LLVMBasicBlockRef back = LLVMGetInsertBlock(e->b);
    V fn = LLVMGetNamedFunction(e->module, name), kernel_fn = e->fn, kernel_env = e->env;

    if (fn)
        return fn;
    fn = LLVMAddFunction(e->module, name, type);
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    jit_code_attributes(fn, &e->shape);
    LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->context, fn, ""));
    e->fn = fn;
    e->env = LLVMGetParam(fn, 0);
    make(e, fn, r, n, n_data, body);
    e->fn = kernel_fn;
    e->env = kernel_env;
    LLVMPositionBuilderAtEnd(e->b, back);
    return fn;
}

static uint64_t constant_of(const struct emit *e, const struct rows *r)
{
    int64_t place = r->shared && r->operand->sym >= 0 ? ptx_shared_offset(e->f, r->operand->sym) : 0;

    return (uint64_t)place + (uint64_t)r->operand->imm;
}

void rows_call(struct emit *e, const char *name, struct rows *r, unsigned n, const struct ptx_operand *data, unsigned n_data, rows_body *body)
{
    uint32_t site = emit_site(e, lanes_of(&r[n - 1]), r[n - 1].bytes, JIT_STEP_EACH, NULL);
    LLVMTypeRef types[MAX_PARAMS] = {e->ptr, e->i32, e->i32, e->i32}, type;
    V args[MAX_PARAMS] = {e->env, emit_i32(e, e->index), e->mask, emit_i32(e, site)};
    unsigned at = FIRST;

    for (unsigned k = 0; k < n; k++) {
        args[at] = emit_operation_place(e, r[k].operand->reg);
        types[at++] = e->ptr;
        args[at] = emit_i64(e, constant_of(e, &r[k]));
        types[at++] = e->i64;
    }
    for (unsigned k = 0; k < n_data; k++) {
        args[at] = emit_operation_place(e, data[k].reg);
        types[at++] = e->ptr;
    }
    type = LLVMFunctionType(e->none, types, at, false);
    emit_operation_operands(e);
    LLVMBuildCall2(e->b, type, function_of(e, name, type, r, n, n_data, body), args, at, "");
    emit_operation_results(e, e->mask);
}
