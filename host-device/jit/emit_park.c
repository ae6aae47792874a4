/* SPDX-License-Identifier: Apache-2.0 */
/* From warp to warp of a block.
 *
 * A warp that comes with all its lanes to barrier 0, for all of the block, is parked: its registers go to its frame, each where
 * operations look for it (a scalar as lane 0, or those at which rows begin), and code goes on with the next warp whose turn it is.
 * When all that there are have been parked, the next round begins with the first of them. So a barrier costs what it takes to store
 * and load the registers that live across it, and of these only those are stored that have changed since the last one, and none that a
 * loop with barriers only reads: these are stored where they are computed. Warps are close enough behind each other for the CPU to work
 * on several at once.
 *
 * In LLVM's eyes the function is one loop over turns. Whatever lives across a barrier is in a register's variable: nothing else that is
 * computed before it exists behind it. */
#include "jit/emit.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 128u /* instructions */

static LLVMValueRef block_at(struct emit *e, size_t offset)
{
    return emit_at(e, e->field[JIT_ENV_block], offset);
}

static LLVMValueRef block_word(struct emit *e, size_t offset)
{
    return LLVMBuildLoad2(e->b, e->i32, block_at(e, offset), "");
}

/* Add or subtract the threads of this warp that have not ended. */
static void count(struct emit *e, LLVMOpcode op, size_t offset)
{
    LLVMValueRef lanes = LLVMBuildLoad2(e->b, e->i32, e->present, ""), n = emit_i32(e, VG_WARP);

    if (!e->stays)
        n = emit_call(e, "llvm.ctpop", &e->i32, 1, &lanes, 1);
    LLVMBuildStore(e->b, LLVMBuildBinOp(e->b, op, block_word(e, offset), n, ""), block_at(e, offset));
}

/* ---- Which barriers ---- */

/* Behind a guard in a block that does not run for all lanes, nobody would know which lanes go on. */
static bool parks(const struct emit *e, uint32_t b, const struct ptx_insn *i)
{
    uint32_t number;

    return emit_barrier_number(e, i, &number) && !number && (i->guard < 0 || jit_is_whole(e->u, b));
}

static bool any_parks(const struct emit *e)
{
    for (uint32_t b = 0; b < e->flow->n; b++)
        for (uint32_t i = e->flow->blocks[b].first; i < e->flow->blocks[b].end; i++)
            if (parks(e, b, &e->f->insns[i]))
                return true;
    return false;
}

/* ---- What is stored where it is computed ---- */

/* By register, the block with its one definition, for all lanes; or JIT_NONE. */
static void find_homes(const struct emit *e, uint32_t *home)
{
    const struct jit_flow *w = e->flow;
    struct jit_regs r;

    for (uint32_t b = 0; b < w->n; b++)
        for (uint32_t i = w->blocks[b].first; i < w->blocks[b].end; i++) {
            bool all = e->f->insns[i].guard < 0 && jit_is_whole(e->u, b) && (!e->other.u || jit_is_whole(e->other.u, b));

            jit_regs_of(&e->f->insns[i], &r);
            for (unsigned k = 0; k < r.n_written; k++)
                home[r.written[k]] = all && e->written[r.written[k]] == 1 ? b : JIT_NONE;
        }
}

/* Those that live across a barrier in a loop without the definition. */
static void settle(struct emit *e, const uint32_t *home, uint32_t b, uint32_t i)
{
    const struct jit_flow *w = e->flow;
    uint64_t *live = emit_live_at(e, b, i + 1);

    for (uint32_t k = 0; k < w->words; k++)
        for (uint64_t m = live[k] & ~w->live_in[k]; m; m &= m - 1) {
            uint32_t reg = k * 64 + (uint32_t)__builtin_ctzll(m);

            if (!e->common[reg] && home[reg] != JIT_NONE && jit_common_loop(w, home[reg], b) != w->blocks[b].loop)
                jit_set(e->settled, reg);
        }
    free(live);
}

void emit_find_settled(struct emit *e)
{
    const struct jit_flow *w = e->flow;
    uint32_t *home = calloc(e->f->nregs + 1, sizeof *home);

    if (!home)
        emit_fail(e, "out of memory");
    find_homes(e, home);
    for (uint32_t b = 0; b < w->n; b++)
        for (uint32_t i = w->blocks[b].first; i < w->blocks[b].end; i++)
            if (e->f->insns[i].guard < 0 && parks(e, b, &e->f->insns[i]))
                settle(e, home, b, i);
    free(home);
}

/* ---- What has changed since a warp was parked last ---- */

static void step_over(const struct emit *e, uint32_t b, uint32_t i, uint64_t *changed)
{
    const struct ptx_insn *x = &e->f->insns[i];
    struct jit_regs r;

    if (x->guard < 0 && parks(e, b, x))
        memset(changed, 0, e->flow->words * sizeof *changed);
    jit_regs_of(x, &r);
    for (unsigned k = 0; k < r.n_written; k++)
        if (!jit_test(e->settled, (uint32_t)r.written[k]))
            jit_set(changed, (uint32_t)r.written[k]);
}

static bool join(uint64_t *into, const uint64_t *set, uint32_t words)
{
    uint64_t more = 0;

    for (uint32_t k = 0; k < words; k++) {
        more |= set[k] & ~into[k];
        into[k] |= set[k];
    }
    return more;
}

void emit_find_changed(struct emit *e)
{
    const struct jit_flow *w = e->flow;
    uint64_t *at = e->changed + (size_t)w->n * w->words;

    memset(e->changed, 0, (size_t)w->n * w->words * sizeof *at);
    for (uint32_t k = 0; k < w->words; k++)
        e->changed[k] = ~e->settled[k];
    for (bool more = true; more;) {
        more = false;
        for (uint32_t b = 0; b < w->n; b++) {
            memcpy(at, e->changed + (size_t)b * w->words, w->words * sizeof *at);
            for (uint32_t i = w->blocks[b].first; i < w->blocks[b].end; i++)
                step_over(e, b, i, at);
            for (uint32_t s = 0; s < w->blocks[b].n_succ; s++)
                if (w->blocks[b].succ[s] != JIT_EXIT)
                    more |= join(e->changed + (size_t)w->blocks[b].succ[s] * w->words, at, w->words);
        }
    }
}

/* It is in the copies of the kernel in different ways: what one has stored does not do for the other. */
static bool differs(const struct emit *e, int32_t reg)
{
    return e->other.u && (jit_is_vector(e->u, reg) != jit_is_vector(e->other.u, reg) || jit_row(e->u, reg) != jit_row(e->other.u, reg));
}

/* ---- Registers and the frame ---- */

/* Where a part of its variable lies in the frame, as an offset from the register's place. */
static void move_parts(struct emit *e, int32_t reg, bool store)
{
    LLVMValueRef place = emit_operation_place(e, reg), var, at, v;
    unsigned bits = emit_reg_bits(e, reg), row = jit_row(e->u, reg);
    LLVMTypeRef type = emit_int(e, bits), kept;

    if (jit_is_vector(e->u, reg))
        type = emit_vector(type);
    kept = bits == 1 ? e->i32 : type;
    for (unsigned l = 0; l < VG_WARP; l += row ? row : VG_WARP) {
        var = row ? emit_at(e, e->var[reg], (uint64_t)(l / row) * bits / 8) : e->var[reg];
        at = emit_at(e, place, (uint64_t)l * bits / 8);
        v = LLVMBuildLoad2(e->b, store ? type : kept, store ? var : at, "");
        if (kept != type)
            v = type == e->i1 ? (store ? LLVMBuildZExt : LLVMBuildTrunc)(e->b, v, store ? kept : type, "")
                              : (store ? emit_bits : emit_lanes)(e, v);
        LLVMBuildStore(e->b, v, store ? at : var);
    }
}

static void for_each(struct emit *e, const uint64_t *live, const uint64_t *changed)
{
    for (uint32_t k = 0; k < e->flow->words; k++)
        for (uint64_t m = live[k]; m; m &= m - 1) {
            int32_t reg = (int32_t)(k * 64 + (uint32_t)__builtin_ctzll(m));

            if (e->var[reg] && !e->common[reg] && (!changed || jit_test(changed, (uint32_t)reg) || differs(e, reg)))
                move_parts(e, reg, changed);
        }
}

void emit_settle(struct emit *e)
{
    struct jit_regs r;

    jit_regs_of(e->insn, &r);
    for (unsigned k = 0; k < r.n_written; k++)
        if (e->var[r.written[k]] && jit_test(e->settled, (uint32_t)r.written[k]))
            move_parts(e, r.written[k], true);
}

/* ---- A barrier ---- */

static LLVMValueRef own_place(struct emit *e, size_t offset)
{
    return emit_at(e, e->parked, offset);
}

static void set_parked(struct emit *e, uint32_t at)
{
    LLVMBuildStore(e->b, emit_i32(e, at), own_place(e, offsetof(struct parked, at)));
}

static LLVMValueRef all_lanes(struct emit *e)
{
    return e->stays ? emit_i32(e, ~0u) : LLVMBuildLoad2(e->b, e->i32, e->present, "");
}

bool emit_park(struct emit *e)
{
    LLVMBasicBlockRef park, wait, resume;
    uint64_t *live, *changed = e->changed + (size_t)e->flow->n * e->flow->words;
    uint32_t label = PARKED_AT(e->index, e->u->together);

    if (!parks(e, e->block, e->insn))
        return false;
    park = emit_block(e, "park");
    wait = emit_block(e, "wait");
    resume = emit_block(e, "resume");
    live = emit_live_at(e, e->block, e->index + 1);
    memcpy(changed, e->changed + (size_t)e->block * e->flow->words, e->flow->words * sizeof *changed);
    for (uint32_t i = e->flow->blocks[e->block].first; i < e->index; i++)
        step_over(e, e->block, i, changed);
    for_each(e, live, changed);
    LLVMBuildStore(e->b, all_lanes(e), own_place(e, offsetof(struct parked, lanes)));
    emit_branch(e, LLVMBuildICmp(e->b, LLVMIntEQ, block_word(e, offsetof(struct block, active_barriers)), emit_i32(e, 0), ""), park, wait);

    LLVMPositionBuilderAtEnd(e->b, park);
    set_parked(e, label);
    count(e, LLVMAdd, offsetof(struct block, met));
    LLVMBuildBr(e->b, e->turn);

    /* Somebody waits who is not parked. The registers are taken from the frame here, too: that they come from nowhere else spares loads
     * of those that are not needed before the next barrier. */
    LLVMPositionBuilderAtEnd(e->b, wait);
    emit_barrier_wait(e, 0);
    LLVMBuildBr(e->b, resume);

    LLVMPositionBuilderAtEnd(e->b, resume);
    LLVMAddCase(e->dispatch, emit_i32(e, label), resume);
    set_parked(e, PARKED_BEGIN);
    if (!e->stays)
        LLVMBuildStore(e->b, LLVMBuildLoad2(e->b, e->i32, own_place(e, offsetof(struct parked, lanes)), ""), e->present);
    for_each(e, live, NULL);
    free(live);
    e->was_parked = true;
    e->stretch++;
    return true;
}

void emit_park_end(struct emit *e)
{
    if (e->was_parked)
        e->block_mask = all_lanes(e);
    e->was_parked = false;
}

/* ---- Turns ---- */

static LLVMValueRef warps_own(struct emit *e, enum jit_env_field field, enum jit_env_field step)
{
    LLVMValueRef at = LLVMBuildMul(e->b, e->field[JIT_ENV_warp], e->field[step], "");

    return field == JIT_ENV_local ? LLVMBuildAdd(e->b, e->field[field], at, "")
                                  : LLVMBuildGEP2(e->b, e->i8, e->field[field], &at, 1, "");
}

static uint32_t threads_of(const struct emit *e)
{
    return e->shape.block[0] * e->shape.block[1] * e->shape.block[2];
}

/* Lanes that the warp starts with. */
static LLVMValueRef first_lanes(struct emit *e)
{
    uint32_t threads = threads_of(e);
    LLVMValueRef last = emit_i64(e, threads / VG_WARP);

    if (threads % VG_WARP == 0)
        return emit_i32(e, ~0u);
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, e->field[JIT_ENV_warp], last, ""),
                           emit_i32(e, (1u << threads % VG_WARP) - 1), emit_i32(e, ~0u), "");
}

void emit_turn_begin(struct emit *e)
{
    /* Code without loops is done sooner than a call costs. */
    e->parks = any_parks(e);
    e->takes_all = e->parks || (!e->flow->n_loops && e->f->ninsns <= SMALL && threads_of(e) > VG_WARP);
    e->over = emit_block(e, "over");
    e->turn = emit_block(e, "turn");
    e->taken = emit_block(e, "warp");
    e->warp = emit_variable(e, e->i64, e->field[JIT_ENV_warp]);
    e->begin = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderAtEnd(e->b, e->taken);
    e->field[JIT_ENV_warp] = LLVMBuildLoad2(e->b, e->i64, e->warp, "");
    e->field[JIT_ENV_frame] = warps_own(e, JIT_ENV_frame, JIT_ENV_warp_bytes);
    e->field[JIT_ENV_special] = warps_own(e, JIT_ENV_special, JIT_ENV_warp_bytes);
    e->field[JIT_ENV_local] = warps_own(e, JIT_ENV_local, JIT_ENV_local_bytes);
    e->present = emit_variable(e, e->i32, first_lanes(e));
    e->fuel = emit_variable(e, e->i32, emit_i32(e, WARP_FUEL));
}

void emit_turn_go(struct emit *e)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMValueRef at;

    /* How far blocks lie apart is the same for all warps: one that goes on behind a barrier still knows it. */
    LLVMPositionBuilderAtEnd(e->b, e->begin);
    emit_ahead_begin(e);
    emit_common(e);
    LLVMBuildBr(e->b, e->taken);
    LLVMPositionBuilderAtEnd(e->b, here);
    at = LLVMBuildMul(e->b, e->field[JIT_ENV_warp], emit_i64(e, sizeof(struct parked)), "");
    if (!e->parks) {
        LLVMBuildBr(e->b, e->at[0]);
        return;
    }
    e->parked = LLVMBuildGEP2(e->b, e->i8, block_at(e, offsetof(struct block, parked)), &at, 1, "");
    at = LLVMBuildLoad2(e->b, e->i32, own_place(e, offsetof(struct parked, at)), "");
    e->dispatch = LLVMBuildSwitch(e->b, at, e->at[0], 4);
    LLVMAddCase(e->dispatch, emit_i32(e, PARKED_ENDED), e->turn);
}

/* A warp is over, as code sees it, unless somebody is to be told. */
static void end_warp(struct emit *e)
{
    LLVMBasicBlockRef alone = emit_block(e, "alone"), told = emit_block(e, "told"), done = emit_block(e, "ended");
    LLVMValueRef one, others;

    LLVMPositionBuilderAtEnd(e->b, e->over);
    one = LLVMBuildTrunc(e->b, e->field[JIT_ENV_warp], e->i32, "");
    one = LLVMBuildAnd(e->b, LLVMBuildLShr(e->b, block_word(e, offsetof(struct block, made)), one, ""), emit_i32(e, 1), "");
    others = LLVMBuildOr(e->b, one, block_word(e, offsetof(struct block, active_barriers)), "");
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, others, emit_i32(e, 0), ""), alone, told);
    LLVMPositionBuilderAtEnd(e->b, told);
    emit_call_out(e, offsetof(struct jit_env, over), NULL, 0, false);
    LLVMBuildBr(e->b, done);
    LLVMPositionBuilderAtEnd(e->b, alone);
    count(e, LLVMSub, offsetof(struct block, present));
    LLVMBuildBr(e->b, done);
    LLVMPositionBuilderAtEnd(e->b, done);
    if (e->parks)
        set_parked(e, PARKED_ENDED);
    LLVMBuildBr(e->b, e->turn);
}

static void take(struct emit *e, LLVMValueRef n)
{
    LLVMBuildStore(e->b, LLVMBuildAdd(e->b, n, emit_i32(e, 1), ""), block_at(e, offsetof(struct block, begun)));
    n = LLVMBuildZExt(e->b, n, e->i64, "");
    LLVMBuildStore(e->b, n, emit_at(e, e->env, offsetof(struct jit_env, field) + 8 * JIT_ENV_warp));
    LLVMBuildStore(e->b, emit_i32(e, 1), emit_at(e, e->env, offsetof(struct jit_env, fresh)));
    LLVMBuildStore(e->b, n, e->warp);
    LLVMBuildBr(e->b, e->taken);
}

/* All have had their turn: if all wait for each other, the next round begins. */
static void next_round(struct emit *e)
{
    LLVMBasicBlockRef met = emit_block(e, "met"), round = emit_block(e, "round"), first = emit_block(e, "first"), none = emit_block(e, "none");
    LLVMValueRef threads = block_word(e, offsetof(struct block, met)), at = emit_at(e, e->env, offsetof(struct jit_env, rounds)), left;

    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, threads, block_word(e, offsetof(struct block, present)), ""), met, none);
    LLVMPositionBuilderAtEnd(e->b, met);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntNE, threads, emit_i32(e, 0), ""), round, none);
    LLVMPositionBuilderAtEnd(e->b, round);
    LLVMBuildStore(e->b, emit_i32(e, 0), block_at(e, offsetof(struct block, met)));
    LLVMBuildStore(e->b, emit_i32(e, 0), block_at(e, offsetof(struct block, begun)));
    left = LLVMBuildSub(e->b, LLVMBuildLoad2(e->b, e->i32, at, ""), emit_i32(e, 1), "");
    LLVMBuildStore(e->b, left, at);
    emit_branch(e, LLVMBuildICmp(e->b, LLVMIntNE, left, emit_i32(e, 0), ""), first, none);
    LLVMPositionBuilderAtEnd(e->b, first);
    take(e, emit_i32(e, 0));
    LLVMPositionBuilderAtEnd(e->b, none);
    LLVMBuildRetVoid(e->b);
}

void emit_turn_end(struct emit *e)
{
    LLVMBasicBlockRef more, all;
    LLVMValueRef n;

    end_warp(e);
    LLVMPositionBuilderAtEnd(e->b, e->turn);
    if (!e->takes_all) {
        LLVMBuildRetVoid(e->b);
        return;
    }
    more = emit_block(e, "more");
    all = emit_block(e, "all");
    n = block_word(e, offsetof(struct block, begun));
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntULT, n, emit_i32(e, (threads_of(e) + VG_WARP - 1) / VG_WARP), ""), more, all);
    LLVMPositionBuilderAtEnd(e->b, more);
    take(e, n);
    LLVMPositionBuilderAtEnd(e->b, all);
    if (e->parks)
        next_round(e);
    else
        LLVMBuildRetVoid(e->b);
}
