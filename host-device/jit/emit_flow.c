/* SPDX-License-Identifier: Apache-2.0 */
/* The function: its variables, its blocks, and how a warp goes from one to the next.
 *
 * Where all lanes go the same way, a branch is a branch. Where they part, each successor's lanes are noted in its 'waiting'
 * variable, and the warp goes on with the first block, in the order of flow.h, at which lanes wait.
 *
 * Loops whose lanes may leave at different times mostly have lanes that leave together, and much more is uniform then. Such a
 * kernel is there twice: a warp begins in the copy that knows all its lanes to be together, and at the first branch at which
 * they part it goes on in the other, for good. */
#include "jit/emit.h"

#include <stddef.h>

/* ---- Calls out ---- */

static void emit_end(struct emit *e, LLVMValueRef lanes)
{
    LLVMValueRef left;

    emit_call_out(e, offsetof(struct jit_env, end), &lanes, 1, false);
    left = LLVMBuildAnd(e->b, LLVMBuildLoad2(e->b, e->i32, e->present, ""), LLVMBuildNot(e->b, lanes, ""), "");
    LLVMBuildStore(e->b, left, e->present);
}

static void emit_yield(struct emit *e)
{
    emit_call_out(e, offsetof(struct jit_env, keep_yield), NULL, 0, true);
    LLVMBuildStore(e->b, emit_i32(e, WARP_FUEL), e->fuel);
}

/* ---- From block to block ---- */

LLVMValueRef emit_nonzero(struct emit *e, LLVMValueRef mask)
{
    return LLVMBuildICmp(e->b, LLVMIntNE, mask, emit_i32(e, 0), "");
}

/* Another round of a loop costs fuel; without any, other warps have a turn. */
static void go_back(struct emit *e, uint32_t to)
{
    LLVMValueRef left = LLVMBuildSub(e->b, LLVMBuildLoad2(e->b, e->i32, e->fuel, ""), emit_i32(e, 1), "");
    LLVMBasicBlockRef tired = emit_block(e, "tired");

    LLVMBuildStore(e->b, left, e->fuel);
    emit_branch(e, LLVMBuildICmp(e->b, LLVMIntSGT, left, emit_i32(e, 0), ""), e->at[to], tired);
    LLVMPositionBuilderAtEnd(e->b, tired);
    if (!jit_is_whole(e->u, to) && e->spins[e->flow->blocks[to].loop]) {
        emit_leave_edge(e, to);
        return;
    }
    emit_yield(e);
    LLVMBuildBr(e->b, e->at[to]);
}

static void go(struct emit *e, uint32_t from, uint32_t to)
{
    if (to <= from)
        go_back(e, to);
    else
        LLVMBuildBr(e->b, e->at[to]);
}

static void add_waiting(struct emit *e, uint32_t to, LLVMValueRef lanes)
{
    LLVMValueRef var = to == JIT_EXIT ? NULL : e->waiting[to];

    if (var)
        LLVMBuildStore(e->b, LLVMBuildOr(e->b, LLVMBuildLoad2(e->b, e->i32, var, ""), lanes, ""), var);
}

/* End block b: its lanes are at 'to' now, noted there. Go on where the order says. */
static void go_next(struct emit *e, uint32_t b, const uint32_t *to, uint32_t n_to)
{
    jit_next_find(e->u, b, to, n_to, &e->next);
    for (uint32_t i = 0; i < e->next.n; i++) {
        uint32_t q = e->next.list[i];
        LLVMBasicBlockRef there, other;
        LLVMValueRef lanes;

        if (i + 1 == e->next.n && e->next.sure) {
            go(e, b, q);
            return;
        }
        lanes = LLVMBuildLoad2(e->b, e->i32, e->waiting[q] ? e->waiting[q] : e->present, "");
        there = q > b ? e->at[q] : emit_block(e, "again");
        other = emit_block(e, "next");
        LLVMBuildCondBr(e->b, emit_nonzero(e, lanes), there, other);
        if (q <= b) {
            LLVMPositionBuilderAtEnd(e->b, there);
            go_back(e, q);
        }
        LLVMPositionBuilderAtEnd(e->b, other);
    }
    LLVMBuildBr(e->b, e->over);
}

/* All lanes of the block go to one place. */
static void go_together(struct emit *e, uint32_t b, uint32_t to)
{
    add_waiting(e, to, e->block_mask);
    if (to == JIT_EXIT && !jit_is_whole(e->u, b))
        emit_end(e, e->block_mask);
    go_next(e, b, &to, 1);
}

static void part(struct emit *e, uint32_t b, LLVMValueRef cond)
{
    const struct jit_block *x = &e->flow->blocks[b];
    LLVMValueRef taken = LLVMBuildAnd(e->b, emit_bits(e, cond), e->block_mask, "");
    LLVMValueRef lanes[2] = {taken, LLVMBuildXor(e->b, taken, e->block_mask, "")};

    for (unsigned s = 0; s < 2; s++) {
        LLVMBasicBlockRef some, none;

        if (x->succ[s] != JIT_EXIT) {
            add_waiting(e, x->succ[s], lanes[s]);
            continue;
        }
        some = emit_block(e, "end");
        none = emit_block(e, "on");
        LLVMBuildCondBr(e->b, emit_nonzero(e, lanes[s]), some, none);
        LLVMPositionBuilderAtEnd(e->b, some);
        emit_end(e, lanes[s]);
        LLVMBuildBr(e->b, none);
        LLVMPositionBuilderAtEnd(e->b, none);
    }
    go_next(e, b, x->succ, 2);
}

static LLVMValueRef branch_condition(struct emit *e, const struct ptx_insn *branch, bool wide)
{
    LLVMValueRef cond = emit_reg(e, branch->guard, wide);

    return branch->guard_negated ? LLVMBuildNot(e->b, cond, "") : cond;
}

static void change_copy(struct emit *e)
{
    struct emit_copy other = e->other;

    e->other = (struct emit_copy){e->u, e->var, e->value, e->waiting, e->at, e->changed, e->stays};
    e->u = other.u;
    e->var = other.var;
    e->value = other.value;
    e->waiting = other.waiting;
    e->at = other.at;
    e->changed = other.changed;
    e->stays = other.stays;
}

/* What the other copy has for a register: a vector, or lane 0 or those at which rows begin. */
static void pass_register(struct emit *e, int32_t reg)
{
    unsigned row = jit_row(e->other.u, reg);
    bool wide = row || jit_is_vector(e->u, reg) || jit_is_vector(e->other.u, reg);
    LLVMValueRef v;

    if (!e->written[reg] || e->common[reg])
        return;
    v = emit_raw_reg(e, reg, wide);
    wide = wide && !jit_is_vector(e->other.u, reg);
    change_copy(e);
    for (e->first = 0; e->first < VG_WARP; e->first += row ? row : VG_WARP)
        emit_set(e, reg, wide ? emit_lane(e, v, e->first) : v);
    e->first = 0;
    change_copy(e);
}

static void finish_block(struct emit *e, uint32_t b);

static void go_apart(struct emit *e, uint32_t b)
{
    const struct jit_block *x = &e->flow->blocks[b];

    for (uint32_t k = 0; k < e->flow->words; k++) {
        uint64_t live = 0;

        for (uint32_t s = 0; s < x->n_succ; s++)
            if (x->succ[s] != JIT_EXIT)
                live |= e->flow->live_in[(size_t)x->succ[s] * e->flow->words + k];
        if ((uint32_t)x->branch->guard / 64 == k)
            live |= 1ull << x->branch->guard % 64;
        for (; live; live &= live - 1)
            pass_register(e, (int32_t)(k * 64 + (uint32_t)__builtin_ctzll(live)));
    }
    change_copy(e);
    finish_block(e, b);
    change_copy(e);
}

/* A branch in the copy whose lanes are together. */
static void stay_together(struct emit *e, uint32_t b)
{
    const struct jit_block *x = &e->flow->blocks[b];
    LLVMValueRef taken = LLVMBuildAnd(e->b, emit_bits(e, branch_condition(e, x->branch, true)), e->block_mask, "");
    LLVMBasicBlockRef way[2] = {emit_block(e, "taken"), emit_block(e, "not")}, some = emit_block(e, "some"),
                      apart = emit_block(e, "apart");

    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, taken, e->block_mask, ""), way[0], some);
    LLVMPositionBuilderAtEnd(e->b, some);
    emit_branch(e, emit_nonzero(e, taken), apart, way[1]);
    for (unsigned s = 0; s < 2; s++) {
        LLVMPositionBuilderAtEnd(e->b, way[s]);
        go_together(e, b, x->succ[s]);
    }
    LLVMPositionBuilderAtEnd(e->b, apart);
    go_apart(e, b);
}

static void finish_block(struct emit *e, uint32_t b)
{
    const struct jit_block *x = &e->flow->blocks[b];
    LLVMBasicBlockRef way[2];
    LLVMValueRef cond;

    if (x->n_succ == 1) {
        go_together(e, b, x->succ[0]);
        return;
    }
    if (e->u->together && !jit_parts(e->u, b) && jit_is_vector(e->u, x->branch->guard)) {
        stay_together(e, b);
        return;
    }
    cond = branch_condition(e, x->branch, jit_parts(e->u, b));
    if (jit_parts(e->u, b)) {
        part(e, b, cond);
        return;
    }
    way[0] = emit_block(e, "taken");
    way[1] = emit_block(e, "not");
    LLVMBuildCondBr(e->b, cond, way[0], way[1]);
    for (unsigned s = 0; s < 2; s++) {
        LLVMPositionBuilderAtEnd(e->b, way[s]);
        go_together(e, b, x->succ[s]);
    }
}

/* ---- A block ---- */

static void emit_body(struct emit *e, uint32_t b)
{
    const struct jit_block *x = &e->flow->blocks[b];

    e->block = b;
    LLVMPositionBuilderAtEnd(e->b, e->at[b]);
    e->block_mask = e->stays && !e->waiting[b] ? emit_i32(e, ~0u)
                                               : LLVMBuildLoad2(e->b, e->i32, e->waiting[b] ? e->waiting[b] : e->present, "");
    if (e->waiting[b])
        LLVMBuildStore(e->b, emit_i32(e, 0), e->waiting[b]);
    e->met = false;
    e->stretch++;
    for (uint32_t i = x->first; i < x->end; i++) {
        e->insn = &e->f->insns[i];
        e->index = i;
        if (emit_is_common(e, e->insn))
            continue;
        emit_insn(e);
        emit_settle(e);
    }
    e->insn = &e->f->insns[x->end - 1];
    finish_block(e, b);
    e->insn = NULL;
}

/* ---- The start ---- */

static LLVMValueRef without_value(struct emit *e, LLVMTypeRef type)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMValueRef v;

    LLVMPositionBuilderBefore(e->b, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(e->fn)));
    v = LLVMBuildAlloca(e->b, type, "");
    LLVMPositionBuilderAtEnd(e->b, here);
    return v;
}

LLVMValueRef emit_variable(struct emit *e, LLVMTypeRef type, LLVMValueRef initial)
{
    LLVMValueRef v = without_value(e, type);

    LLVMBuildStore(e->b, initial, v);
    return v;
}

static bool is_constant(const struct emit *e, const struct ptx_insn *i, int32_t reg)
{
    return i->op == PTX_OP_mov && i->guard < 0 && i->ops[1].kind == PTX_OPERAND_IMM && emit_reg_bits(e, reg) > 1 &&
           !jit_test(e->flow->live_in, (uint32_t)reg);
}

static void note_registers(struct emit *e)
{
    struct jit_regs r;

    for (uint32_t b = 0; b < e->flow->n; b++)
        for (uint32_t i = e->flow->blocks[b].first; i < e->flow->blocks[b].end; i++) {
            jit_regs_of(&e->f->insns[i], &r);
            for (unsigned k = 0; k < r.n_read; k++)
                e->read[r.read[k]] = true;
            for (unsigned k = 0; k < r.n_written; k++) {
                int32_t reg = r.written[k];

                e->constant[reg] = !e->written[reg] && is_constant(e, &e->f->insns[i], reg) ? &e->f->insns[i] : NULL;
                e->written[reg] += e->written[reg] < 2;
            }
        }
}

static void declare_registers(struct emit *e)
{
    for (int32_t reg = 0; reg < (int32_t)e->f->nregs; reg++) {
        LLVMTypeRef type = emit_int(e, emit_reg_bits(e, reg));

        if (!e->written[reg] || e->constant[reg] || e->brief[reg])
            continue;
        if (e->common[reg]) {
            e->var[reg] = e->other.u && e->other.var[reg] ? e->other.var[reg] : without_value(e, type);
            continue;
        }
        if (jit_is_vector(e->u, reg))
            type = emit_vector(type);
        else if (jit_row(e->u, reg))
            type = LLVMArrayType2(type, VG_WARP / jit_row(e->u, reg));
        e->var[reg] = emit_variable(e, type, LLVMConstNull(type));
    }
}

static void load_fields(struct emit *e)
{
    static const bool is_number[JIT_ENV_FIELDS] = {[JIT_ENV_shared_size] = true, [JIT_ENV_warp] = true,
                                                   [JIT_ENV_shared] = true, [JIT_ENV_local] = true, [JIT_ENV_param] = true,
                                                   [JIT_ENV_warp_bytes] = true, [JIT_ENV_local_bytes] = true,
                                                   [JIT_ENV_ctaid_x] = true, [JIT_ENV_ctaid_y] = true, [JIT_ENV_ctaid_z] = true};

    for (unsigned k = 0; k < JIT_ENV_FIELDS; k++)
        e->field[k] = LLVMBuildLoad2(e->b, is_number[k] ? e->i64 : e->ptr,
                                     emit_at(e, e->env, offsetof(struct jit_env, field) + 8 * k), "");
}

/* All of the kernel's f32 arithmetic is .ftz: the CPU does it to operands. */
#define MXCSR_DAZ 0x1fc0u

static void set_mode(struct emit *e)
{
    LLVMValueRef at = emit_at(e, e->env, offsetof(struct jit_env, mxcsr));
    LLVMBasicBlockRef set = emit_block(e, "set"), on = emit_block(e, "on");

    emit_branch(e, LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildLoad2(e->b, e->i32, at, ""), emit_i32(e, MXCSR_DAZ), ""), on, set);
    LLVMPositionBuilderAtEnd(e->b, set);
    LLVMBuildStore(e->b, emit_i32(e, MXCSR_DAZ), at);
    emit_call(e, "llvm.x86.sse.ldmxcsr", NULL, 0, &at, 1);
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, on);
}

/* Lanes end all at once. */
static bool all_stay(const struct emit *e)
{
    for (uint32_t b = 0; b < e->flow->n; b++)
        for (uint32_t s = 0; s < e->flow->blocks[b].n_succ; s++)
            if (e->flow->blocks[b].succ[s] == JIT_EXIT && (!jit_is_whole(e->u, b) || jit_parts(e->u, b)))
                return false;
    return true;
}

static void declare(struct emit *e)
{
    uint32_t threads = e->shape.block[0] * e->shape.block[1] * e->shape.block[2];

    e->stays = threads % VG_WARP == 0 && all_stay(e);
    declare_registers(e);
    for (uint32_t b = 0; b < e->flow->n; b++) {
        e->at[b] = emit_block(e, "b");
        if (!jit_is_whole(e->u, b))
            e->waiting[b] = emit_variable(e, e->i32, emit_i32(e, 0));
    }
    emit_find_changed(e);
}

void emit_function(struct emit *e)
{
    LLVMPositionBuilderAtEnd(e->b, emit_block(e, "start"));
    load_fields(e);
    if (e->daz)
        set_mode(e);
    emit_stream_begin(e);
    emit_turn_begin(e);
    note_registers(e);
    emit_find_common(e);
    emit_find_settled(e);
    declare(e);
    if (e->other.u) {
        change_copy(e);
        declare(e);
    }
    emit_turn_go(e);
    for (uint32_t b = 0; b < e->flow->n; b++)
        emit_body(e, b);
    if (e->other.u) {
        change_copy(e);
        e->growth = NULL;
        for (uint32_t b = 0; b < e->flow->n; b++)
            emit_body(e, b);
    }
    emit_turn_end(e);
    emit_sites(e);
}
