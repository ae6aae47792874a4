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
#include <stdio.h>
#include <string.h>

#include "jit/meet.h"

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

static LLVMValueRef nonzero(struct emit *e, LLVMValueRef mask)
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
        LLVMBuildCondBr(e->b, nonzero(e, lanes), there, other);
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
        LLVMBuildCondBr(e->b, nonzero(e, lanes[s]), some, none);
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

    if (!e->written[reg])
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
    emit_branch(e, nonzero(e, taken), apart, way[1]);
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

/* ---- Instructions ---- */

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

static bool has_members(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_shfl:
    case PTX_OP_vote:
    case PTX_OP_match:
    case PTX_OP_redux:
    case PTX_OP_elect:
        return true;
    case PTX_OP_bar:
        return i->mode == PTX_mode_warp;
    default:
        return false;
    }
}

/* Where lanes may have parted, an instruction at which they meet goes on with all that there are, or all that its member mask
 * names, if these are here. What has been found out for all holds until the block ends. */
static void check_meeting(struct emit *e)
{
    const struct ptx_operand *o = e->insn->nops ? &e->insn->ops[e->insn->nops - 1] : NULL;
    bool masked = has_members(e->insn) && o && !jit_operand_varies(e->u, o);
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

/* Lanes that the instruction's result has one scalar for. */
static unsigned row_of(const struct emit *e)
{
    unsigned row = e->lane0 && e->insn->ops[0].kind == PTX_OPERAND_REG ? jit_row(e->u, e->insn->ops[0].reg) : 0;

    return row ? row : VG_WARP;
}

static LLVMValueRef to_64(struct emit *e, LLVMValueRef v, bool with_sign)
{
    LLVMTypeRef type = LLVMTypeOf(v) == e->i32 ? e->i64 : emit_vector(e->i64);

    return with_sign ? LLVMBuildSExt(e->b, v, type, "") : LLVMBuildZExt(e->b, v, type, "");
}

/* The same by rows of so many, from each row's first lane on. */
static struct jit_pattern in_rows(const struct jit_pattern *p, unsigned row)
{
    struct jit_pattern q = *p;

    q.row = row < VG_WARP ? (uint8_t)row : 0;
    for (unsigned l = 0; l < VG_WARP; l++)
        q.lane[l] = p->lane[l] - p->lane[l - l % row];
    return q;
}

/* What the first of the lanes (i32) has, less what it has more than the first of the row has that begins at 'from'. */
static LLVMValueRef base_by(struct emit *e, const struct jit_pattern *p, LLVMValueRef v, LLVMValueRef lanes, unsigned from)
{
    LLVMValueRef more[VG_WARP], lane = LLVMBuildSelect(e->b, nonzero(e, lanes), emit_first_lane(e, lanes), emit_i32(e, from), "");

    for (unsigned l = 0; l < VG_WARP; l++)
        more[l] = emit_i64(e, (uint64_t)p->lane[l]);
    return LLVMBuildSub(e->b, LLVMBuildExtractElement(e->b, v, lane, ""),
                        LLVMBuildExtractElement(e->b, LLVMConstVector(more, VG_WARP), lane, ""), "");
}

/* Where the operand, extended, does not wrap between all lanes, it may still not between those that run: an index minus something has
 * mostly been tested before, and lanes for which it is negative are not here. Then it is theirs that counts. */
static void extend_some(struct emit *e, const struct ptx_operand *o, const struct jit_pattern *p, bool with_sign, LLVMValueRef good)
{
    LLVMBasicBlockRef some = emit_block(e, "some"), on = emit_block(e, "on"), from[2] = {LLVMGetInsertBlock(e->b)};
    LLVMValueRef all[JIT_ROWS], few[JIT_ROWS], v, same;
    unsigned row = row_of(e);
    struct jit_pattern q = in_rows(p, row);

    for (e->first = 0; e->first < VG_WARP; e->first += row)
        all[e->first / row] = to_64(e, emit_source(e, o, 32), with_sign);
    e->first = 0;
    emit_branch(e, good, on, some);
    LLVMPositionBuilderAtEnd(e->b, some);
    e->wide = true;
    v = to_64(e, emit_source(e, o, 32), with_sign);
    e->wide = false;
    for (unsigned l = 0; l < VG_WARP; l += row)
        few[l / row] = base_by(e, &q, v, LLVMBuildAnd(e->b, e->mask, emit_i32(e, (row < VG_WARP ? (1u << row) - 1 : ~0u) << l), ""), l);
    same = emit_bits(e, LLVMBuildICmp(e->b, LLVMIntEQ, v, emit_spread(e, &q, few), ""));
    same = LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildAnd(e->b, same, e->mask, ""), e->mask, "");
    emit_leave_unless(e, same);
    from[1] = LLVMGetInsertBlock(e->b);
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, on);
    for (unsigned r = 0; r < VG_WARP / row; r++) {
        LLVMValueRef values[2] = {all[r], few[r]};

        e->extended[r] = LLVMBuildPhi(e->b, e->i64, "");
        LLVMAddIncoming(e->extended[r], values, from, 2);
    }
    e->extends = o;
}

LLVMValueRef emit_extend(struct emit *e, const struct ptx_operand *o, LLVMValueRef v, unsigned bits, bool with_sign)
{
    if (o == e->extends)
        return e->extended[e->first / row_of(e)];
    return with_sign ? LLVMBuildSExt(e->b, v, emit_type(e, bits), "") : LLVMBuildZExt(e->b, v, emit_type(e, bits), "");
}

/* Lanes of a 32-bit operand that is extended to 64 lie apart as its pattern says, unless it wraps in between. */
static void check_wrap(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    const struct ptx_operand *o;
    struct jit_pattern p;
    int64_t least = ptx_type_class[i->types[i->op == PTX_OP_cvt]] == 's' ? INT32_MIN : 0;
    unsigned row = row_of(e);
    LLVMValueRef good = NULL, in;

    if (!jit_guard(e->u, i, &o, &p))
        return;
    for (e->first = 0; e->first < VG_WARP; e->first += row) {
        int64_t low = 0, high = 0;

        for (unsigned l = e->first; l < e->first + row; l++) {
            int64_t d = p.lane[l] - p.lane[e->first];

            low = d < low ? d : low;
            high = d > high ? d : high;
        }
        in = LLVMBuildSub(e->b, emit_source(e, o, 32), emit_i32(e, (uint32_t)(least - low)), "");
        in = LLVMBuildICmp(e->b, LLVMIntULE, in, emit_i32(e, UINT32_MAX - (uint32_t)(high - low)), "");
        good = good ? LLVMBuildAnd(e->b, good, in, "") : in;
    }
    e->first = 0;
    if (emit_is_full(e->mask))
        emit_leave_unless(e, good);
    else
        extend_some(e, o, &p, least < 0, good);
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
    unsigned row = row_of(e);
    bool own = true;

    for (e->first = 0; e->first < VG_WARP && own; e->first += row)
        own = emit_own(e);
    e->first = 0;
    return own;
}

static void operation_each_row(struct emit *e, LLVMValueRef lanes)
{
    unsigned row = row_of(e);

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

static void emit_insn(struct emit *e)
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
        check_wrap(e);
    if (e->guard && !pure) { /* what has effects is not begun for no lane */
        run = emit_block(e, "guarded");
        on = emit_block(e, "on");
        keep_values(e, &kept);
        LLVMBuildCondBr(e->b, nonzero(e, e->mask), run, on);
        LLVMPositionBuilderAtEnd(e->b, run);
    }
    if ((jit_is_meeting(e->insn) || (emit_calls_function(e) && jit_call_meets(e->flow))) && (!jit_is_whole(e->u, e->block) || (e->guard && LLVMTypeOf(e->guard) != e->i1)))
        check_meeting(e);
    if (!emit_each_row(e)) {
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
    for (uint32_t i = x->first; i < x->end; i++) {
        e->insn = &e->f->insns[i];
        e->index = i;
        emit_insn(e);
    }
    e->insn = &e->f->insns[x->end - 1];
    finish_block(e, b);
    e->insn = NULL;
}

/* ---- The start ---- */

LLVMValueRef emit_variable(struct emit *e, LLVMTypeRef type, LLVMValueRef initial)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMValueRef v;

    LLVMPositionBuilderBefore(e->b, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(e->fn)));
    v = LLVMBuildAlloca(e->b, type, "");
    LLVMPositionBuilderAtEnd(e->b, here);
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
                e->written[reg] = true;
            }
        }
}

static void declare_registers(struct emit *e)
{
    for (int32_t reg = 0; reg < (int32_t)e->f->nregs; reg++) {
        LLVMTypeRef type = emit_int(e, emit_reg_bits(e, reg));

        if (!e->written[reg] || e->constant[reg] || e->brief[reg])
            continue;
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
