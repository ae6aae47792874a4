/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction: an emitter of its own, row by row where its result has a scalar for each, or else the interpreter's operation;
 * for the lanes that its guard lets run, and where lanes meet, for all that are to be there. */
#include "jit/emit.h"

#include <stdio.h>
#include <string.h>

#include "jit/meet.h"

static bool is_clock(const struct ptx_operand *o)
{
    switch (o->kind == PTX_OPERAND_SREG ? o->sreg : 0) {
    case PTX_SREG_clock:
    case PTX_SREG_clock_hi:
    case PTX_SREG_clock64:
    case PTX_SREG_globaltimer:
    case PTX_SREG_globaltimer_lo:
    case PTX_SREG_globaltimer_hi:
        return true;
    default:
        return false;
    }
}

bool emit_is_pure(const struct ptx_insn *i)
{
    static const uint16_t not_pure[] = {
        PTX_OP_call, PTX_OP_trap, PTX_OP_brkpt, PTX_OP_ld, PTX_OP_ldu, PTX_OP_st, PTX_OP_atom, PTX_OP_red, PTX_OP_cp,
        PTX_OP_bar, PTX_OP_barrier, PTX_OP_nanosleep, PTX_OP_shfl, PTX_OP_vote, PTX_OP_match, PTX_OP_redux, PTX_OP_elect,
        PTX_OP_mma, PTX_OP_wmma, PTX_OP_ldmatrix, PTX_OP_stmatrix, PTX_OP_movmatrix, PTX_OP_activemask, PTX_OP_addc,
        PTX_OP_subc, PTX_OP_madc, PTX_OP_membar, PTX_OP_fence, PTX_OP_brx, PTX_OP_alloca, PTX_OP_stacksave, PTX_OP_stackrestore,
    };

    if (i->flags & PTX_FLAG_CC)
        return false;
    for (size_t k = 0; k < sizeof not_pure / sizeof *not_pure; k++)
        if (not_pure[k] == i->op)
            return false;
    for (unsigned k = 0; k < i->nops; k++)
        if (is_clock(&i->ops[k]))
            return false;
    return true;
}

/* Instructions that order or advise: with one thread a warp, there is nothing to do but keep the order of accesses. */
static bool is_nothing(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_prefetch:
    case PTX_OP_prefetchu:
    case PTX_OP_applypriority:
    case PTX_OP_discard:
    case PTX_OP_pmevent:
    case PTX_OP_setmaxnreg:
    case PTX_OP_griddepcontrol:
        return true;
    case PTX_OP_cp:
        return i->submode != PTX_mode_none;
    default:
        return false;
    }
}

static emit_fn *const emitters[] = {
#define X(name) emit_##name,
    JIT_EMITTERS(X)
#undef X
};

static bool emit_own(struct emit *e)
{
    for (size_t k = 0; k < sizeof emitters / sizeof *emitters; k++)
        if (emitters[k](e))
            return true;
    return false;
}

/* Where lanes may have parted, an instruction at which they meet goes on with all that there are, or all that its member mask
 * names, if these are here. What has been found out for all holds until the block ends. */
static void check_meeting(struct emit *e)
{
    const struct ptx_operand *o = e->insn->nops ? &e->insn->ops[e->insn->nops - 1] : NULL;
    bool masked = jit_has_members(e->insn) && o && !jit_operand_varies(e->u, o);
    LLVMValueRef present, members = NULL, good;
    LLVMBasicBlockRef here, apart;
    bool wide = e->wide;

    e->wide = false;
    if (masked)
        members = emit_source(e, o, 32);
    e->wide = wide;
    if (members && emit_is_full(members))
        members = NULL;
    if (e->met && !members && !e->guard)
        return;
    here = emit_block(e, "met");
    apart = emit_block(e, "apart");
    present = e->stays ? emit_i32(e, ~0u) : LLVMBuildLoad2(e->b, e->i32, e->present, "");
    good = LLVMBuildICmp(e->b, LLVMIntEQ, e->mask, members ? LLVMBuildAnd(e->b, present, members, "") : present, "");
    emit_branch(e, good, here, apart);
    LLVMPositionBuilderAtEnd(e->b, apart);
    emit_leave_here(e);
    LLVMPositionBuilderAtEnd(e->b, here);
    e->met |= !members && !e->guard;
}

/* Are the results uniform, so that scalars do? */
static bool results_vary(const struct emit *e)
{
    struct jit_regs r;

    jit_regs_of(e->insn, &r);
    for (unsigned k = 0; k < r.n_written; k++)
        if (jit_is_vector(e->u, r.written[k]))
            return true;
    return !r.n_written;
}

/* A result that is known here, whatever else there is: its lane 0. */
static bool emit_known(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]] << ((i->op == PTX_OP_mul || i->op == PTX_OP_mad) && i->mul == PTX_mul_wide);
    const struct jit_pattern *p;

    if (!e->lane0 || i->ops[0].kind != PTX_OPERAND_REG || emit_reg_bits(e, i->ops[0].reg) != bits)
        return false;
    p = &e->u->patterns[i->ops[0].reg];
    if (p->align < 64)
        return false;
    emit_result(e, &i->ops[0], emit_const(e, bits, (uint64_t)p->lane[0]));
    return true;
}

/* A result that is a scalar for each row: those, one after another. */
static bool emit_each_row(struct emit *e)
{
    unsigned row = emit_row(e);
    bool own = true;

    for (e->first = 0; e->first < VG_WARP && own; e->first += row)
        own = emit_own(e);
    e->first = 0;
    return own;
}

static void operation_each_row(struct emit *e, LLVMValueRef lanes)
{
    unsigned row = emit_row(e);

    emit_operation_call(e, lanes);
    for (e->first = 0; e->first < VG_WARP; e->first += row)
        emit_operation_results(e, lanes);
    e->first = 0;
}

/* What registers that are kept as values were before an instruction that is not always run. */
struct kept {
    int32_t reg[JIT_MAX_REGS];
    LLVMValueRef value[JIT_MAX_REGS][JIT_ROWS];
    unsigned n;
    LLVMBasicBlockRef at;
};

static bool is_kept(const struct kept *k, int32_t reg)
{
    for (unsigned i = 0; i < k->n; i++)
        if (k->reg[i] == reg)
            return true;
    return false;
}

static void keep_values(struct emit *e, struct kept *k)
{
    struct jit_regs r;

    jit_regs_of(e->insn, &r);
    k->at = LLVMGetInsertBlock(e->b);
    k->n = 0;
    for (unsigned i = 0; i < r.n_written; i++)
        if (e->brief[r.written[i]] && !is_kept(k, r.written[i])) {
            memset(k->value[k->n], 0, sizeof k->value[0]);
            if (e->set_in[r.written[i]] == e->stretch)
                memcpy(k->value[k->n], e->value[r.written[i]], sizeof k->value[0]);
            k->reg[k->n++] = r.written[i];
        }
}

/* Behind it: what they were, or what it has made of them. */
static void join_values(struct emit *e, const struct kept *k, LLVMBasicBlockRef from)
{
    for (unsigned i = 0; i < k->n; i++)
        for (unsigned row = 0; row < JIT_ROWS; row++) {
            LLVMValueRef *now = &e->value[k->reg[i]][row], ways[2] = {k->value[i][row], *now};
            LLVMBasicBlockRef at[2] = {k->at, from};

            if (ways[0] == ways[1])
                continue;
            if (!ways[0])
                ways[0] = LLVMConstNull(LLVMTypeOf(ways[1]));
            *now = LLVMBuildPhi(e->b, LLVMTypeOf(ways[1]), "");
            LLVMAddIncoming(*now, ways, at, 2);
        }
}

void emit_insn(struct emit *e)
{
    LLVMBasicBlockRef run = NULL, on = NULL;
    bool pure = emit_is_pure(e->insn);
    struct kept kept;

    e->guard = NULL;
    e->extends = NULL;
    e->mask = e->block_mask;
    emit_ahead_insn(e);
    if (e->insn->op == PTX_OP_bra || e->insn->op == PTX_OP_ret || e->insn->op == PTX_OP_exit || is_nothing(e->insn))
        return;
    if (e->insn->guard >= 0) {
        e->guard = emit_reg(e, e->insn->guard, false);
        if (e->insn->guard_negated)
            e->guard = LLVMBuildNot(e->b, e->guard, "");
        e->mask = LLVMBuildAnd(e->b, e->mask, emit_bits(e, LLVMTypeOf(e->guard) == e->i1 ? emit_splat(e, e->guard) : e->guard), "");
    }
    e->wide = results_vary(e);
    e->lane0 = !e->wide && jit_pattern_op(e->insn);
    if (emit_known(e))
        return;
    if (e->lane0)
        emit_check_wrap(e);
    if (e->guard && !pure) { /* what has effects is not begun for no lane */
        run = emit_block(e, "guarded");
        on = emit_block(e, "on");
        keep_values(e, &kept);
        LLVMBuildCondBr(e->b, emit_nonzero(e, e->mask), run, on);
        LLVMPositionBuilderAtEnd(e->b, run);
    }
    if ((jit_is_meeting(e->insn) || (emit_calls_function(e) && jit_call_meets(e->flow))) && (!jit_is_whole(e->u, e->block) || (e->guard && LLVMTypeOf(e->guard) != e->i1)))
        check_meeting(e);
    if (!emit_each_row(e)) {
        if (e->before) {
            e->left_out = true;
            return;
        }
        if (e->lists_operations)
            fprintf(stderr, "line %u: %s is left to its operation\n", e->insn->line, ptx_op_names[e->insn->op]);
        operation_each_row(e, pure ? emit_i32(e, ~0u) : e->mask);
        e->operations++;
    }
    if (on) {
        run = LLVMGetInsertBlock(e->b);
        LLVMBuildBr(e->b, on);
        LLVMPositionBuilderAtEnd(e->b, on);
        join_values(e, &kept, run);
    }
    emit_park_end(e);
}
