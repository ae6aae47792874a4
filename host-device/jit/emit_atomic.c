/* SPDX-License-Identifier: Apache-2.0 */
/* atom and red on integers, and sums of f32 and f64. Lanes go in order, 0 to 31, as the interpreter's do. Where all lanes name one
 * place and nobody wants the old value, they are one operation; where each adds the same, the old values are known from one. Floats
 * are added one after the other in any case, and where all lanes name one place nobody comes between.
 *
 * A block's shared memory is touched by the thread that runs the block alone, so nothing there needs to be atomic. */
#include "jit/emit.h"

#include <stddef.h>

#include "jit/emit_memory.h"

enum { SWAP = -1, SUM = -2 }; /* cas: the exchange that compares; the sum of floats */

struct atomic {
    struct access a;
    const struct ptx_operand *result, *b, *c;
    int op;                   /* LLVMAtomicRMWBinOp, SWAP or SUM */
    unsigned bits;
    bool used;                /* the old value */
    V old;                    /* place for 32 old values */
    V b_at, c_at;             /* and for operands */
};

static bool find_operation(struct emit *e, struct atomic *t)
{
    static const struct { uint8_t atom; int op, with_sign; } rows[] = {
        {PTX_atom_and, LLVMAtomicRMWBinOpAnd, LLVMAtomicRMWBinOpAnd},
        {PTX_atom_or, LLVMAtomicRMWBinOpOr, LLVMAtomicRMWBinOpOr},
        {PTX_atom_xor, LLVMAtomicRMWBinOpXor, LLVMAtomicRMWBinOpXor},
        {PTX_atom_exch, LLVMAtomicRMWBinOpXchg, LLVMAtomicRMWBinOpXchg},
        {PTX_atom_add, LLVMAtomicRMWBinOpAdd, LLVMAtomicRMWBinOpAdd},
        {PTX_atom_min, LLVMAtomicRMWBinOpUMin, LLVMAtomicRMWBinOpMin},
        {PTX_atom_max, LLVMAtomicRMWBinOpUMax, LLVMAtomicRMWBinOpMax},
        {PTX_atom_inc, LLVMAtomicRMWBinOpUIncWrap, LLVMAtomicRMWBinOpUIncWrap},
        {PTX_atom_dec, LLVMAtomicRMWBinOpUDecWrap, LLVMAtomicRMWBinOpUDecWrap},
        {PTX_atom_cas, SWAP, SWAP},
    };
    const struct ptx_insn *i = e->insn;
    bool red = i->op == PTX_OP_red;
    char class = ptx_type_class[i->types[0]];
    bool sums = i->atom == PTX_atom_add && (i->types[0] == PTX_TYPE_f32 || i->types[0] == PTX_TYPE_f64);

    t->bits = ptx_type_bits[i->types[0]];
    if (i->vec > 1 || (t->bits != 32 && t->bits != 64) || (class == 'f' && !sums))
        return false;
    t->result = red ? NULL : &i->ops[0];
    t->b = &i->ops[red ? 1 : 2];
    t->c = i->nops > 3 && !red ? &i->ops[3] : NULL;
    t->used = !red && t->result->kind == PTX_OPERAND_REG && e->read[t->result->reg];
    if (t->b->kind == PTX_OPERAND_VEC || (i->atom == PTX_atom_cas && !t->c))
        return false;
    if (t->used && !jit_varies(e->u, t->result->reg))
        return false;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (rows[k].atom == i->atom) {
            t->op = sums ? SUM : class == 's' ? rows[k].with_sign : rows[k].op;
            return true;
        }
    return false;
}

/* ---- One at a time ---- */

/* In the function's first block, so that a loop does not take it again and again. */
static V place_for(struct emit *e, LLVMTypeRef type)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    V place;

    LLVMPositionBuilderBefore(e->b, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(e->fn)));
    place = LLVMBuildAlloca(e->b, type, "");
    LLVMPositionBuilderAtEnd(e->b, here);
    return place;
}

static V element(struct emit *e, LLVMTypeRef type, V array, V lane)
{
    return LLVMBuildGEP2(e->b, type, array, &lane, 1, "");
}

static V choose(struct emit *e, LLVMIntPredicate p, V x, V y)
{
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, p, x, y, ""), x, y, "");
}

#define PAGE 4096u /* shared memory takes whole ones */

/* f32 in global memory takes subnormals for zeros, in shared memory it does not (PTX ISA 9.1, 9.7.13.4). */
static V flush(struct emit *e, const struct atomic *t, V address, V v)
{
    V inside, end = LLVMBuildAdd(e->b, e->field[JIT_ENV_shared_size], emit_i64(e, PAGE - 1), "");

    if (t->a.shared || t->bits == 64)
        return v;
    inside = LLVMBuildSub(e->b, address, e->field[JIT_ENV_shared], "");
    inside = LLVMBuildICmp(e->b, LLVMIntULT, inside, LLVMBuildAnd(e->b, end, emit_i64(e, -(uint64_t)PAGE), ""), "");
    return LLVMBuildSelect(e->b, inside, v, emit_flush(e, v), "");
}

/* NaNs are the hardware's one in f32; f64 keeps the first of them. */
static V sum(struct emit *e, const struct atomic *t, V address, V old, V b)
{
    LLVMTypeRef type = emit_int(e, t->bits);
    LLVMTypeRef real = t->bits == 32 ? LLVMFloatTypeInContext(e->context) : LLVMDoubleTypeInContext(e->context);
    V x = LLVMBuildBitCast(e->b, flush(e, t, address, old), real, ""), y = LLVMBuildBitCast(e->b, flush(e, t, address, b), real, "");
    V r = LLVMBuildFAdd(e->b, x, y, ""), bits = LLVMBuildBitCast(e->b, r, type, ""), quiet, nan;

    if (t->bits == 32) {
        nan = LLVMBuildFCmp(e->b, LLVMRealUNO, r, r, "");
        return LLVMBuildSelect(e->b, nan, LLVMConstInt(type, 0x7fffffff, false), flush(e, t, address, bits), "");
    }
    quiet = LLVMConstInt(type, UINT64_C(1) << 51, false);
    nan = LLVMBuildFCmp(e->b, LLVMRealUNO, y, y, "");
    bits = LLVMBuildSelect(e->b, nan, LLVMBuildOr(e->b, b, quiet, ""), bits, "");
    nan = LLVMBuildFCmp(e->b, LLVMRealUNO, x, x, "");
    return LLVMBuildSelect(e->b, nan, LLVMBuildOr(e->b, old, quiet, ""), bits, "");
}

/* The new value, where the operation is not one of the CPU's. */
static V combine(struct emit *e, int op, V old, V b)
{
    LLVMTypeRef type = LLVMTypeOf(old);
    V one = LLVMConstInt(type, 1, false), zero = LLVMConstNull(type), wraps;

    switch (op) {
    case LLVMAtomicRMWBinOpAnd:
        return LLVMBuildAnd(e->b, old, b, "");
    case LLVMAtomicRMWBinOpOr:
        return LLVMBuildOr(e->b, old, b, "");
    case LLVMAtomicRMWBinOpXor:
        return LLVMBuildXor(e->b, old, b, "");
    case LLVMAtomicRMWBinOpAdd:
        return LLVMBuildAdd(e->b, old, b, "");
    case LLVMAtomicRMWBinOpMin:
        return choose(e, LLVMIntSLT, old, b);
    case LLVMAtomicRMWBinOpMax:
        return choose(e, LLVMIntSGT, old, b);
    case LLVMAtomicRMWBinOpUMin:
        return choose(e, LLVMIntULT, old, b);
    case LLVMAtomicRMWBinOpUMax:
        return choose(e, LLVMIntUGT, old, b);
    case LLVMAtomicRMWBinOpUIncWrap:
        return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntUGE, old, b, ""), zero, LLVMBuildAdd(e->b, old, one, ""), "");
    case LLVMAtomicRMWBinOpUDecWrap:
        wraps = LLVMBuildOr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, old, zero, ""), LLVMBuildICmp(e->b, LLVMIntUGT, old, b, ""), "");
        return LLVMBuildSelect(e->b, wraps, b, LLVMBuildSub(e->b, old, one, ""), "");
    default:
        return b;
    }
}

/* Compute the new value from the old one, until nobody has come between. Between begin and end *old is a value of this round. */
struct retry {
    LLVMBasicBlockRef from, loop;
    V first, at;
};

static V begin_retry(struct emit *e, const struct atomic *t, V at, struct retry *r)
{
    V old;

    r->at = at;
    r->first = LLVMBuildLoad2(e->b, emit_int(e, t->bits), at, "");
    LLVMSetAlignment(r->first, t->bits / 8);
    LLVMSetOrdering(r->first, LLVMAtomicOrderingMonotonic);
    r->from = LLVMGetInsertBlock(e->b);
    r->loop = emit_block(e, "try");
    LLVMBuildBr(e->b, r->loop);
    LLVMPositionBuilderAtEnd(e->b, r->loop);
    old = LLVMBuildPhi(e->b, emit_int(e, t->bits), "");
    return old;
}

static void end_retry(struct emit *e, const struct retry *r, V old, V next)
{
    LLVMBasicBlockRef tried, done = emit_block(e, "done");
    V both = LLVMBuildAtomicCmpXchg(e->b, r->at, old, next, LLVMAtomicOrderingSequentiallyConsistent,
                                    LLVMAtomicOrderingSequentiallyConsistent, false), found = LLVMBuildExtractValue(e->b, both, 0, "");

    tried = LLVMGetInsertBlock(e->b);
    LLVMAddIncoming(old, (V[]){r->first, found}, (LLVMBasicBlockRef[]){r->from, tried}, 2);
    LLVMBuildCondBr(e->b, LLVMBuildExtractValue(e->b, both, 1, ""), done, r->loop);
    LLVMPositionBuilderAtEnd(e->b, done);
}

static V update(struct emit *e, const struct atomic *t, V address, V b, V c)
{
    V at = access_pointer(e, address), old, next;
    struct retry r;

    if (t->a.shared) {
        old = LLVMBuildLoad2(e->b, emit_int(e, t->bits), at, "");
        next = t->op == SWAP  ? LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, old, b, ""), c, old, "")
               : t->op == SUM ? sum(e, t, address, old, b)
                              : combine(e, t->op, old, b);
        LLVMBuildStore(e->b, next, at);
        return old;
    }
    if (t->op == SUM) {
        old = begin_retry(e, t, at, &r);
        end_retry(e, &r, old, sum(e, t, address, old, b));
        return old;
    }
    if (t->op == SWAP) {
        old = LLVMBuildAtomicCmpXchg(e->b, at, b, c, LLVMAtomicOrderingSequentiallyConsistent, LLVMAtomicOrderingSequentiallyConsistent, false);
        return LLVMBuildExtractValue(e->b, old, 0, "");
    }
    return LLVMBuildAtomicRMW(e->b, (LLVMAtomicRMWBinOp)t->op, at, b, LLVMAtomicOrderingSequentiallyConsistent, false);
}

/* address: of all lanes, or NULL: env's addresses. */
static V one_by_one(struct emit *e, struct atomic *t, V address)
{
    LLVMTypeRef type = emit_int(e, t->bits), vector = emit_vector(type);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b), loop = emit_block(e, "lane"), done = emit_block(e, "lanes");
    V left, next, lane, at = address, b, c = NULL, old;

    LLVMBuildStore(e->b, emit_source(e, t->b, t->bits), t->b_at = place_for(e, vector));
    if (t->op == SWAP)
        LLVMBuildStore(e->b, emit_source(e, t->c, t->bits), t->c_at = place_for(e, vector));
    t->old = place_for(e, vector);
    if (t->used)
        LLVMBuildStore(e->b, LLVMConstNull(vector), t->old);
    LLVMBuildBr(e->b, loop);
    LLVMPositionBuilderAtEnd(e->b, loop);
    left = LLVMBuildPhi(e->b, e->i32, "");
    lane = emit_first_lane(e, left);
    if (!at)
        at = LLVMBuildLoad2(e->b, e->i64, element(e, e->i64, emit_at(e, e->env, offsetof(struct jit_env, address)), lane), "");
    b = LLVMBuildLoad2(e->b, type, element(e, type, t->b_at, lane), "");
    if (t->op == SWAP)
        c = LLVMBuildLoad2(e->b, type, element(e, type, t->c_at, lane), "");
    old = update(e, t, at, b, c);
    if (t->used)
        LLVMBuildStore(e->b, old, element(e, type, t->old, lane));
    next = LLVMBuildAnd(e->b, left, LLVMBuildSub(e->b, left, emit_i32(e, 1), ""), "");
    LLVMAddIncoming(left, (V[]){e->mask, next}, (LLVMBasicBlockRef[]){before, LLVMGetInsertBlock(e->b)}, 2);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntNE, next, emit_i32(e, 0), ""), loop, done);
    LLVMPositionBuilderAtEnd(e->b, done);
    return t->used ? LLVMBuildLoad2(e->b, vector, t->old, "") : NULL;
}

static bool is_same_everywhere(const struct emit *e, const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_IMM || (o->kind == PTX_OPERAND_REG && !jit_varies(e->u, o->reg));
}

static V same_value(struct emit *e, const struct atomic *t)
{
    return t->b->kind == PTX_OPERAND_IMM ? LLVMConstInt(emit_int(e, t->bits), (uint64_t)t->b->imm, false) : emit_reg(e, t->b->reg, false);
}

/* In shared memory, for all lanes, with nobody who wants old values: a few lanes a round, from offsets in memory. */
#define ROUND 8

static void round_by_round(struct emit *e, struct atomic *t)
{
    LLVMTypeRef type = emit_int(e, t->bits), offset = LLVMGetElementType(LLVMTypeOf(t->a.offset));
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b), loop = emit_block(e, "round"), done = emit_block(e, "rounds");
    bool same = is_same_everywhere(e, t->b);
    V offsets = place_for(e, LLVMTypeOf(t->a.offset)), value = same ? same_value(e, t) : NULL, first, next, lane, at;

    LLVMBuildStore(e->b, t->a.offset, offsets);
    if (!same)
        LLVMBuildStore(e->b, emit_source(e, t->b, t->bits), t->b_at = place_for(e, emit_vector(type)));
    LLVMBuildBr(e->b, loop);
    LLVMPositionBuilderAtEnd(e->b, loop);
    first = LLVMBuildPhi(e->b, e->i64, "");
    for (unsigned l = 0; l < ROUND; l++) {
        lane = LLVMBuildAdd(e->b, first, emit_i64(e, l), "");
        at = access_widen(e, LLVMBuildLoad2(e->b, offset, element(e, offset, offsets, lane), ""));
        update(e, t, LLVMBuildAdd(e->b, t->a.base, at, ""), same ? value : LLVMBuildLoad2(e->b, type, element(e, type, t->b_at, lane), ""), NULL);
    }
    next = LLVMBuildAdd(e->b, first, emit_i64(e, ROUND), "");
    LLVMAddIncoming(first, (V[]){emit_i64(e, 0), next}, (LLVMBasicBlockRef[]){before, loop}, 2);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntULT, next, emit_i64(e, VG_WARP), ""), loop, done);
    LLVMPositionBuilderAtEnd(e->b, done);
}

/* ---- All at once ---- */

static V count(struct emit *e, const struct atomic *t, V mask)
{
    V n = emit_call(e, "llvm.ctpop", (LLVMTypeRef[]){LLVMTypeOf(mask)}, 1, &mask, 1);
    LLVMTypeRef type = emit_int(e, t->bits);

    if (LLVMGetTypeKind(LLVMTypeOf(mask)) == LLVMVectorTypeKind)
        type = emit_vector(type);
    return t->bits == 32 ? n : LLVMBuildZExt(e->b, n, type, "");
}

/* Lane l adds after as many as run before it. */
static V add_the_same(struct emit *e, struct atomic *t, V address)
{
    V value = same_value(e, t), old = update(e, t, address, LLVMBuildMul(e->b, value, count(e, t, e->mask), ""), NULL), before[VG_WARP], n;

    if (!t->used)
        return NULL;
    for (unsigned l = 0; l < VG_WARP; l++)
        before[l] = emit_i32(e, (1u << l) - 1);
    n = count(e, t, LLVMBuildAnd(e->b, emit_splat(e, e->mask), LLVMConstVector(before, VG_WARP), ""));
    return LLVMBuildAdd(e->b, emit_splat(e, old), LLVMBuildMul(e->b, emit_splat(e, value), n, ""), "");
}

/* Lanes that do not run take part with what changes nothing. */
static bool reduce(struct emit *e, struct atomic *t, V address)
{
    static const struct { int op; const char *name; uint64_t neutral; } rows[] = {
        {LLVMAtomicRMWBinOpAdd, "llvm.vector.reduce.add", 0}, {LLVMAtomicRMWBinOpXor, "llvm.vector.reduce.xor", 0},
        {LLVMAtomicRMWBinOpOr, "llvm.vector.reduce.or", 0}, {LLVMAtomicRMWBinOpAnd, "llvm.vector.reduce.and", UINT64_MAX},
        {LLVMAtomicRMWBinOpUMax, "llvm.vector.reduce.umax", 0}, {LLVMAtomicRMWBinOpUMin, "llvm.vector.reduce.umin", UINT64_MAX},
        {LLVMAtomicRMWBinOpMax, "llvm.vector.reduce.smax", 1}, {LLVMAtomicRMWBinOpMin, "llvm.vector.reduce.smin", 2},
    };

    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        LLVMTypeRef type = emit_int(e, t->bits), vector = emit_vector(type);
        uint64_t neutral = rows[k].neutral;
        V values;

        if (rows[k].op != t->op)
            continue;
        if (neutral == 1 || neutral == 2) /* the least and the greatest with a sign */
            neutral = (UINT64_C(1) << (t->bits - 1)) - (neutral == 2);
        values = LLVMBuildSelect(e->b, emit_lanes(e, e->mask), emit_source(e, t->b, t->bits),
                                 emit_splat(e, LLVMConstInt(type, neutral, false)), "");
        update(e, t, address, emit_call(e, rows[k].name, &vector, 1, &values, 1), NULL);
        return true;
    }
    return false;
}

/* Lanes' values added to 'old' in their order. */
static V add_in_order(struct emit *e, const struct atomic *t, V address, V old)
{
    LLVMTypeRef type = emit_int(e, t->bits);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b), loop = emit_block(e, "lane"), done = emit_block(e, "lanes");
    V left, so_far, lane, next, more;

    LLVMBuildBr(e->b, loop);
    LLVMPositionBuilderAtEnd(e->b, loop);
    left = LLVMBuildPhi(e->b, e->i32, "");
    so_far = LLVMBuildPhi(e->b, type, "");
    lane = emit_first_lane(e, left);
    if (t->used)
        LLVMBuildStore(e->b, so_far, element(e, type, t->old, lane));
    next = sum(e, t, address, so_far, LLVMBuildLoad2(e->b, type, element(e, type, t->b_at, lane), ""));
    more = LLVMBuildAnd(e->b, left, LLVMBuildSub(e->b, left, emit_i32(e, 1), ""), "");
    LLVMAddIncoming(left, (V[]){e->mask, more}, (LLVMBasicBlockRef[]){before, loop}, 2);
    LLVMAddIncoming(so_far, (V[]){old, next}, (LLVMBasicBlockRef[]){before, loop}, 2);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntNE, more, emit_i32(e, 0), ""), loop, done);
    LLVMPositionBuilderAtEnd(e->b, done);
    return next;
}

static V add_at_one_place(struct emit *e, struct atomic *t, V address)
{
    LLVMTypeRef type = emit_int(e, t->bits), vector = emit_vector(type);
    V at = access_pointer(e, address), old, v = emit_source(e, t->b, t->bits);
    struct retry r;

    if (LLVMTypeOf(v) == type)
        v = emit_splat(e, v);
    LLVMBuildStore(e->b, v, t->b_at = place_for(e, vector));
    t->old = place_for(e, vector);
    if (t->used)
        LLVMBuildStore(e->b, LLVMConstNull(vector), t->old);
    if (t->a.shared) {
        old = LLVMBuildLoad2(e->b, type, at, "");
        LLVMBuildStore(e->b, add_in_order(e, t, address, old), at);
    } else {
        old = begin_retry(e, t, at, &r);
        end_retry(e, &r, old, add_in_order(e, t, address, old));
    }
    return t->used ? LLVMBuildLoad2(e->b, vector, t->old, "") : NULL;
}

static V at_one_place(struct emit *e, struct atomic *t, V address)
{
    if (t->op == SUM)
        return add_at_one_place(e, t, address);
    if (t->op == LLVMAtomicRMWBinOpAdd && is_same_everywhere(e, t->b))
        return add_the_same(e, t, address);
    if (!t->used && reduce(e, t, address))
        return NULL;
    return one_by_one(e, t, address);
}

/* ---- Both ---- */

/* A loop may wait for what an old value says: it costs as much as in the interpreter, and is known to look at memory. */
static void polls(struct emit *e)
{
    V left = LLVMBuildSub(e->b, LLVMBuildLoad2(e->b, e->i32, e->fuel, ""), emit_i32(e, SPIN_COST), "");

    LLVMBuildStore(e->b, left, e->fuel);
    LLVMBuildStore(e->b, emit_i32(e, 1), emit_at(e, e->env, offsetof(struct jit_env, polled)));
}

bool emit_atomic(struct emit *e)
{
    struct atomic t = {.old = NULL};
    struct ways w = {.join = NULL};
    LLVMBasicBlockRef fast, slow = NULL;
    V address;

    if ((e->insn->op != PTX_OP_atom && e->insn->op != PTX_OP_red) || !find_operation(e, &t))
        return false;
    t.a = (struct access){.store = e->insn->op == PTX_OP_red, .n = 1, .bytes = t.bits / 8, .total = t.bits / 8, .bits = t.bits};
    if (!access_find_address(e, &t.a, false) || !emit_source(e, t.b, t.bits) || (t.c && !emit_source(e, t.c, t.bits)))
        return false;
    t.a.store = !t.used;
    t.a.data = t.result;
    w.join = emit_block(e, "updated");
    if (!access_is_sure(e, &t.a)) {
        fast = emit_block(e, "update");
        slow = emit_block(e, "slow");
        emit_branch(e, t.a.varies ? access_all_fit(e, &t.a)
                                  : LLVMBuildAnd(e->b, access_fits(e, &t.a, t.a.offset, t.a.total), access_aligned(e, &t.a, t.a.offset), ""),
                    fast, slow);
        LLVMPositionBuilderAtEnd(e->b, fast);
    }
    if (t.used)
        polls(e);
    if (t.a.varies && t.a.shared && !t.used && t.op != SWAP && emit_is_full(e->mask)) {
        round_by_round(e, &t);
    } else {
        address = access_widen(e, t.a.offset);
        address = LLVMBuildAdd(e->b, address, t.a.varies ? emit_splat(e, t.a.base) : t.a.base, "");
        emit_note(e, t.a.total, t.a.varies ? JIT_STEP_EACH : 0, NULL, address);
        w.values[w.n][0] = t.a.varies ? one_by_one(e, &t, NULL) : at_one_place(e, &t, address);
    }
    access_end_way(e, &w, true);
    LLVMBuildBr(e->b, w.join);
    if (slow) {
        LLVMPositionBuilderAtEnd(e->b, slow);
        access_operation_way(e, &t.a, &w);
    }
    access_join_ways(e, &t.a, &w);
    return true;
}
