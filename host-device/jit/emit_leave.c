/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving compiled code: lanes of it never pass each other, so where a lane needs what another one does later, the interpreter
 * takes the warp over. Its groups are what the 'waiting' variables say; registers that a group may still read go to the frame. */
#include "jit/emit.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Only these lanes: other registers of other groups may lie in the same place. */
static void save(struct emit *e, uint32_t reg, LLVMValueRef lanes)
{
    LLVMValueRef at = emit_at(e, e->field[JIT_ENV_frame], e->func->place[reg]), v, old;

    if (!e->written[reg] || e->func->place[reg] == JIT_NONE)
        return;
    v = emit_reg(e, (int32_t)reg, true);
    if (emit_reg_bits(e, (int32_t)reg) == 1) {
        old = LLVMBuildAnd(e->b, LLVMBuildLoad2(e->b, e->i32, at, ""), LLVMBuildNot(e->b, lanes, ""), "");
        v = LLVMBuildOr(e->b, LLVMBuildAnd(e->b, emit_bits(e, v), lanes, ""), old, "");
    } else {
        v = LLVMBuildSelect(e->b, emit_lanes(e, lanes), v, LLVMBuildLoad2(e->b, LLVMTypeOf(v), at, ""), "");
    }
    LLVMBuildStore(e->b, v, at);
}

static void park(struct emit *e, uint32_t insn, const uint64_t *live, LLVMValueRef lanes)
{
    for (uint32_t k = 0; k < e->flow->words; k++)
        for (uint64_t m = live[k]; m; m &= m - 1)
            save(e, k * 64 + (uint32_t)__builtin_ctzll(m), lanes);
    emit_call_out(e, offsetof(struct jit_env, keep_park), (LLVMValueRef[]){emit_i32(e, insn), lanes}, 2, true);
}

static void park_at(struct emit *e, uint32_t q, LLVMValueRef lanes)
{
    park(e, e->flow->blocks[q].first, e->flow->live_in + (size_t)q * e->flow->words, lanes);
}

static LLVMValueRef waiting_at(struct emit *e, uint32_t q)
{
    return LLVMBuildLoad2(e->b, e->i32, e->waiting[q], "");
}

/* Where all lanes come together again, those that are there already are nowhere noted: they are the rest. There is at most one
 * such block. */
static void park_waiting(struct emit *e, uint32_t b, LLVMValueRef parked)
{
    const uint64_t *p = jit_pending(e->u, b);
    uint32_t whole = JIT_NONE;

    for (uint32_t k = 0; k < e->u->words; k++)
        for (uint64_t m = p[k]; m; m &= m - 1) {
            uint32_t q = k * 64 + (uint32_t)__builtin_ctzll(m);
            LLVMValueRef lanes;

            if (!e->waiting[q]) {
                whole = q;
                continue;
            }
            lanes = waiting_at(e, q);
            park_at(e, q, lanes);
            parked = LLVMBuildOr(e->b, parked, lanes, "");
        }
    if (whole != JIT_NONE)
        park_at(e, whole, LLVMBuildAnd(e->b, LLVMBuildLoad2(e->b, e->i32, e->present, ""), LLVMBuildNot(e->b, parked, ""), ""));
}

static void leave(struct emit *e)
{
    emit_call_out(e, offsetof(struct jit_env, leave), NULL, 0, false);
    LLVMBuildUnreachable(e->b); /* leave() does not return */
}

void emit_leave_edge(struct emit *e, uint32_t to)
{
    LLVMValueRef lanes = waiting_at(e, to);

    park_at(e, to, lanes);
    park_waiting(e, to, lanes);
    leave(e);
}

uint64_t *emit_live_at(struct emit *e, uint32_t b, uint32_t i)
{
    const struct jit_block *x = &e->flow->blocks[b];
    uint32_t words = e->flow->words;
    uint64_t *live = calloc(words, sizeof *live);
    struct jit_regs r;

    if (!live)
        emit_fail(e, "out of memory");
    for (uint32_t s = 0; s < x->n_succ; s++)
        for (uint32_t k = 0; k < words && x->succ[s] != JIT_EXIT; k++)
            live[k] |= e->flow->live_in[(size_t)x->succ[s] * words + k];
    for (uint32_t k = x->end; k-- > i;) {
        jit_regs_of(&e->f->insns[k], &r);
        for (unsigned j = 0; j < r.n_written && e->f->insns[k].guard < 0; j++)
            live[r.written[j] / 64] &= ~(1ull << r.written[j] % 64);
        for (unsigned j = 0; j < r.n_read; j++)
            jit_set(live, (uint32_t)r.read[j]);
    }
    return live;
}

static void leave_at(struct emit *e, uint32_t index)
{
    uint64_t *live = emit_live_at(e, e->block, index);

    park(e, index, live, e->block_mask);
    free(live);
    park_waiting(e, e->block, e->block_mask);
    leave(e);
}

void emit_leave_here(struct emit *e)
{
    leave_at(e, e->index);
}

void emit_leave_behind(struct emit *e)
{
    leave_at(e, e->index + 1);
}

void emit_leave_unless(struct emit *e, LLVMValueRef cond)
{
    LLVMBasicBlockRef on = emit_block(e, "stay"), off = emit_block(e, "leave");

    emit_branch(e, cond, on, off);
    LLVMPositionBuilderAtEnd(e->b, off);
    emit_leave_here(e);
    LLVMPositionBuilderAtEnd(e->b, on);
}
