/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores.
 *
 * Code has the fast ways: one access where the address is the same for all lanes, a wide one where 32 lanes go in a row, and
 * (with AVX-512) gathers and scatters. Each is taken after a test that the whole access lies in the window and is aligned.
 * Everything else, faults included, is the operation's. */
#include "jit/emit_memory.h"

V access_pointer(struct emit *e, V address)
{
    return LLVMBuildIntToPtr(e->b, address, e->ptr, "");
}

V access_widen(struct emit *e, V offset)
{
    LLVMTypeRef type = LLVMGetTypeKind(LLVMTypeOf(offset)) == LLVMVectorTypeKind ? emit_vector(e->i64) : e->i64;

    return LLVMTypeOf(offset) == type ? offset : LLVMBuildZExt(e->b, offset, type, "");
}

/* ---- What the operand says ---- */

bool access_find_data(struct emit *e, struct access *a)
{
    const struct ptx_insn *i = e->insn;
    const struct ptx_operand *o = &i->ops[i->op == PTX_OP_st ? 1 : 0];
    unsigned bits = ptx_type_bits[i->types[0]];

    a->store = i->op == PTX_OP_st;
    a->n = o->kind == PTX_OPERAND_VEC ? o->n : 1;
    a->data = o->kind == PTX_OPERAND_VEC ? o->elems : o;
    a->bytes = bits < 8 ? 1 : bits / 8;
    a->total = a->n * a->bytes;
    a->with_sign = ptx_type_class[i->types[0]] == 's';
    a->bits = 0;
    if (a->bytes > 8 || a->total > 32 || a->n & (a->n - 1))
        return false;
    for (unsigned k = 0; k < a->n; k++) {
        if (a->data[k].kind == PTX_OPERAND_REG) {
            unsigned b = emit_reg_bits(e, a->data[k].reg);

            if (b == 1 || b > 64 || (a->bits && a->bits != b))
                return false;
            a->bits = b;
        } else if (a->data[k].kind != PTX_OPERAND_IMM || !a->store) {
            return false;
        }
    }
    if (!a->bits)
        a->bits = a->bytes < 2 ? 16 : 8 * a->bytes;
    return a->bits >= 8 * a->bytes;
}

/* The register's value and 'plus'. */
static void find_offsets(struct emit *e, struct access *a, int32_t reg, uint64_t plus)
{
    bool wide = e->wide;
    unsigned row = a->pattern && a->pattern->row ? a->pattern->row : VG_WARP;

    a->plus = plus;
    e->wide = a->varies && !a->pattern;
    for (e->first = 0; e->first < VG_WARP; e->first += row)
        a->rows[e->first / row] = LLVMBuildAdd(e->b, emit_reg(e, reg, e->wide), emit_const(e, emit_reg_bits(e, reg), plus), "");
    e->first = 0;
    a->offset = a->rows[0];
    e->wide = wide;
}

/* With 'lanes' the offset is lane 0's where the address register has a pattern. */
bool access_find_address(struct emit *e, struct access *a, bool lanes)
{
    const struct ptx_insn *i = e->insn;
    const struct ptx_operand *o = &i->ops[a->store ? 0 : 1];
    const struct ptx_symbol *s = o->sym >= 0 ? &e->flow->m->symbols[o->sym] : NULL;
    uint8_t space = s ? s->space : i->space;
    uint64_t at;

    if (o->kind != PTX_OPERAND_MEM)
        return false;
    a->varies = o->reg >= 0 && jit_varies(e->u, o->reg);
    a->pattern = lanes && o->reg >= 0 && jit_has_lanes(e->u, o->reg) ? &e->u->patterns[o->reg] : NULL;
    a->known = a->near = false;
    a->aligned = 1;
    a->shared = space == PTX_SPACE_shared;
    if (space == PTX_SPACE_param && s && (uint32_t)o->sym - e->f->first_param < e->f->nparams) {
        at = s->offset + (uint64_t)o->imm;
        a->base = e->field[JIT_ENV_param];
        a->offset = emit_i64(e, at);
        a->known = at + a->total <= e->f->param_size && at % a->total == 0;
        return a->known && !a->store;
    }
    if (a->shared) {
        int64_t place = s ? ptx_shared_offset(e->f, o->sym) : 0;

        a->base = e->field[JIT_ENV_shared];
        a->size = e->field[JIT_ENV_shared_size];
        if (place < 0)
            return false;
        at = (uint64_t)place + (uint64_t)o->imm;
        if (o->reg >= 0) {
            a->near = jit_is_near(e->reach, e->index);
            a->aligned = jit_alignment(e->reach, e->index);
            find_offsets(e, a, o->reg, at);
        } else {
            a->offset = emit_i64(e, at);
            a->known = at + a->total <= e->f->shared_size && at % a->total == 0;
        }
        return true;
    }
    if (space != PTX_SPACE_generic && space != PTX_SPACE_global && space != PTX_SPACE_const)
        return false;
    a->base = emit_i64(e, VGPU_WINDOW_BASE);
    a->size = emit_i64(e, VGPU_WINDOW_SIZE);
    if (o->reg < 0) {
        if (!s || s->linkage == PTX_LINK_EXTERN)
            return false;
        at = s->offset + (uint64_t)o->imm - VGPU_WINDOW_BASE;
        a->offset = LLVMBuildAdd(e->b, LLVMBuildPtrToInt(e->b, e->field[JIT_ENV_data], e->i64, ""), emit_i64(e, at), "");
        return true;
    }
    if (emit_reg_bits(e, o->reg) != 64)
        return false;
    a->near = jit_is_near(e->reach, e->index);
    a->aligned = jit_alignment(e->reach, e->index);
    find_offsets(e, a, o->reg, (uint64_t)o->imm - VGPU_WINDOW_BASE);
    return true;
}

/* ---- Tests ---- */

static V truth(struct emit *e)
{
    return LLVMConstInt(e->i1, 1, false);
}

bool access_is_window(const struct access *a)
{
    return LLVMIsConstant(a->size);
}

/* In shared memory [offset, offset + n) lies within its size, and nothing wraps. Of an access to the window it is enough that it
 * begins there: n is far less than what is reserved behind it. */
V access_fits(struct emit *e, const struct access *a, V offset, uint64_t n)
{
    V limit, good;

    if (e->shape.unconfined || a->near)
        return truth(e);
    if (access_is_window(a))
        return LLVMBuildICmp(e->b, LLVMIntULT, access_widen(e, offset), a->size, "");
    limit = LLVMBuildSub(e->b, a->size, emit_i64(e, n), "");
    good = LLVMBuildICmp(e->b, LLVMIntULE, access_widen(e, offset), limit, "");
    return LLVMBuildAnd(e->b, good, LLVMBuildICmp(e->b, LLVMIntUGE, a->size, emit_i64(e, n), ""), "");
}

V access_aligned(struct emit *e, const struct access *a, V offset)
{
    LLVMTypeRef type = LLVMTypeOf(offset);
    V low = LLVMBuildAnd(e->b, offset, LLVMConstInt(type, a->total - 1, false), "");

    return a->aligned >= a->total ? truth(e) : LLVMBuildICmp(e->b, LLVMIntEQ, low, LLVMConstNull(type), "");
}

/* Of bits that no good offset has: a lane that runs has some. */
static V some_bad(struct emit *e, const struct access *a, uint64_t bits)
{
    LLVMTypeRef type = LLVMTypeOf(a->offset);
    V set = LLVMBuildAnd(e->b, a->offset, emit_splat(e, LLVMConstInt(LLVMGetElementType(type), bits, false)), "");

    return LLVMBuildICmp(e->b, LLVMIntNE, set, LLVMConstNull(type), "");
}

/* Every running lane's access is good: the window is a power of two; in shared memory each lane is compared. */
V access_all_fit(struct emit *e, const struct access *a)
{
    bool inside = e->shape.unconfined || a->near, window = access_is_window(a), narrow = LLVMTypeOf(a->offset) == emit_vector(e->i32);
    uint64_t low = a->aligned >= a->total ? 0 : a->total - 1;
    V bad = NULL, limit, good;

    if (inside || window) {
        if (inside && !low)
            return truth(e);
        bad = some_bad(e, a, low | (inside ? 0 : ~(VGPU_WINDOW_SIZE - 1)));
        return LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildAnd(e->b, emit_bits(e, bad), e->mask, ""), emit_i32(e, 0), "");
    }
    limit = LLVMBuildSub(e->b, a->size, emit_i64(e, a->total), "");
    if (narrow)
        limit = LLVMBuildTrunc(e->b, limit, e->i32, "");
    bad = LLVMBuildICmp(e->b, LLVMIntUGT, a->offset, emit_splat(e, limit), "");
    if (low)
        bad = LLVMBuildOr(e->b, bad, some_bad(e, a, low), "");
    good = LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildAnd(e->b, emit_bits(e, bad), e->mask, ""), emit_i32(e, 0), "");
    return LLVMBuildAnd(e->b, good, LLVMBuildICmp(e->b, LLVMIntUGE, a->size, emit_i64(e, a->total), ""), "");
}

bool access_is_sure(const struct emit *e, const struct access *a)
{
    return a->known || ((a->near || (e->shape.unconfined && !a->shared)) && a->aligned >= a->total);
}

/* How many lanes probably follow each other: rows of a small block are rows of memory. */
static unsigned row_lanes(const struct emit *e)
{
    uint32_t x = e->shape.block[0];

    return x == VG_WARP / 2 || x == VG_WARP / 4 ? x : VG_WARP;
}

/* All 32 lanes run, and in each row one's access follows the one before. */
static V in_rows(struct emit *e, const struct access *a, unsigned n)
{
    LLVMTypeRef element = LLVMTypeOf(a->offset) == emit_vector(e->i32) ? e->i32 : e->i64;
    unsigned firsts[VG_WARP];
    V steps[VG_WARP], good;

    for (unsigned l = 0; l < VG_WARP; l++) {
        steps[l] = LLVMConstInt(element, (uint64_t)(l % n) * a->total, false);
        firsts[l] = l - l % n;
    }
    good = LLVMBuildSub(e->b, a->offset, emit_shuffle(e, a->offset, NULL, firsts, VG_WARP), "");
    good = LLVMBuildICmp(e->b, LLVMIntEQ, good, LLVMConstVector(steps, VG_WARP), "");
    good = LLVMBuildICmp(e->b, LLVMIntEQ, emit_bits(e, good), emit_i32(e, ~0u), "");
    return LLVMBuildAnd(e->b, good, LLVMBuildICmp(e->b, LLVMIntEQ, e->mask, emit_i32(e, ~0u), ""), "");
}

/* Each row lies inside, aligned. */
static V rows_fit(struct emit *e, const struct access *a, unsigned n)
{
    V good = NULL;

    for (unsigned l = 0; l < VG_WARP; l += n) {
        V first = emit_lane(e, a->offset, l);
        V one = LLVMBuildAnd(e->b, access_fits(e, a, first, (uint64_t)a->total * n), access_aligned(e, a, first), "");

        good = good ? LLVMBuildAnd(e->b, good, one, "") : one;
    }
    return good;
}

/* ---- Values between memory and registers ---- */

V access_to_register(struct emit *e, const struct access *a, V v, bool vector)
{
    LLVMTypeRef type = emit_int(e, a->bits);

    if (a->bits == 8 * a->bytes)
        return v;
    if (vector)
        type = emit_vector(type);
    return a->with_sign ? LLVMBuildSExt(e->b, v, type, "") : LLVMBuildZExt(e->b, v, type, "");
}

V access_to_memory(struct emit *e, const struct access *a, V v, bool vector)
{
    LLVMTypeRef type = emit_int(e, 8 * a->bytes);

    return a->bits == 8 * a->bytes ? v : LLVMBuildTrunc(e->b, v, vector ? emit_vector(type) : type, "");
}

V access_data(struct emit *e, const struct access *a, unsigned k, bool vector)
{
    bool wide = e->wide;
    V v;

    e->wide = vector;
    v = emit_source(e, &a->data[k], a->bits);
    e->wide = wide;
    return v;
}

static V element_pointer(struct emit *e, const struct access *a, V at, unsigned k)
{
    return emit_at(e, at, (uint64_t)k * a->bytes);
}

/* ---- The ways ---- */

/* One access for all lanes. Of several stores to one place the highest lane's stays. */
static void access_once(struct emit *e, const struct access *a, V at, V *values)
{
    V args[2] = {e->mask, LLVMConstInt(e->i1, 1, false)}, last, v;

    for (unsigned k = 0; k < a->n; k++) {
        if (!a->store) {
            values[k] = LLVMBuildLoad2(e->b, emit_int(e, 8 * a->bytes), element_pointer(e, a, at, k), "");
            LLVMSetAlignment(values[k], a->bytes);
            values[k] = access_to_register(e, a, values[k], false);
            continue;
        }
        if (a->data[k].kind == PTX_OPERAND_REG && jit_varies(e->u, a->data[k].reg)) {
            last = LLVMBuildSub(e->b, emit_i32(e, 31), emit_call(e, "llvm.ctlz", &e->i32, 1, args, 2), "");
            v = LLVMBuildExtractElement(e->b, access_data(e, a, k, true), last, "");
        } else {
            v = access_data(e, a, k, false);
        }
        v = LLVMBuildStore(e->b, access_to_memory(e, a, v, false), element_pointer(e, a, at, k));
        LLVMSetAlignment(v, a->bytes);
    }
}

void access_load_row(struct emit *e, const struct access *a, V at, unsigned lanes, V *values)
{
    V all = LLVMBuildLoad2(e->b, emit_many(e, 8 * a->bytes, lanes * a->n), at, "");
    unsigned pick[VG_WARP];

    LLVMSetAlignment(all, a->total);
    for (unsigned k = 0; k < a->n; k++) {
        for (unsigned l = 0; l < lanes; l++)
            pick[l] = l * a->n + k;
        values[k] = a->n == 1 ? all : emit_shuffle(e, all, NULL, pick, lanes);
    }
}

void access_store_row(struct emit *e, const struct access *a, V at, unsigned first, unsigned lanes)
{
    unsigned pick[8 * VG_WARP], width = lanes, n = a->n;
    V parts[8];

    for (unsigned k = 0; k < n; k++)
        parts[k] = emit_part(e, access_to_memory(e, a, access_data(e, a, k, true), true), first, lanes);
    /* Elements k and k + n / 2 side by side, then again. */
    for (; n > 1; n /= 2, width *= 2)
        for (unsigned k = 0; k < n / 2; k++) {
            unsigned together = a->n / n; /* elements of a lane that lie together already */

            for (unsigned i = 0; i < 2 * width; i++) {
                unsigned lane = i / (2 * together), in = i % (2 * together);

                /* parts[k] holds elements k, k + n, ...; those of parts[k + n / 2] come between. */
                pick[i] = in % 2 ? width + lane * together + in / 2 : lane * together + in / 2;
            }
            parts[k] = emit_shuffle(e, parts[k], parts[k + n / 2], pick, 2 * width);
        }
    emit_stream_store(e, parts[0], at, a->total);
}

/* Rows of n lanes, each from its first lane's place on. */
static void access_rows(struct emit *e, const struct access *a, unsigned n, V *values)
{
    V parts[8][VG_WARP], row[8], at;

    for (unsigned l = 0; l < VG_WARP; l += n) {
        at = access_pointer(e, LLVMBuildAdd(e->b, a->base, access_widen(e, emit_lane(e, a->offset, l)), ""));
        if (a->store) {
            access_store_row(e, a, at, l, n);
            continue;
        }
        access_load_row(e, a, at, n, row);
        for (unsigned k = 0; k < a->n; k++)
            parts[k][l / n] = row[k];
    }
    for (unsigned k = 0; k < a->n && !a->store; k++)
        values[k] = access_to_register(e, a, emit_join(e, parts[k], VG_WARP / n), true);
}

static V gather(struct emit *e, V at, LLVMTypeRef element, unsigned alignment)
{
    LLVMTypeRef overload[2] = {emit_vector(element), emit_vector(e->ptr)};
    V args[4] = {at, emit_i32(e, alignment), emit_lanes(e, e->mask), LLVMConstNull(overload[0])};

    return emit_call(e, "llvm.masked.gather", overload, 2, args, 4);
}

/* Bytes and halves come out of the aligned word around them. */
static V gather_small(struct emit *e, const struct access *a, V address)
{
    V word, by, three = emit_splat(e, emit_i64(e, 3));

    word = gather(e, LLVMBuildIntToPtr(e->b, LLVMBuildAnd(e->b, address, LLVMBuildNot(e->b, three, ""), ""), emit_vector(e->ptr), ""),
                  e->i32, 4);
    by = LLVMBuildTrunc(e->b, LLVMBuildShl(e->b, LLVMBuildAnd(e->b, address, three, ""), three, ""), emit_vector(e->i32), "");
    return LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, word, by, ""), emit_vector(emit_int(e, 8 * a->bytes)), "");
}

void access_each(struct emit *e, const struct access *a, V *values)
{
    V base = LLVMBuildAdd(e->b, access_widen(e, a->offset), emit_splat(e, a->base), "");

    if (!a->shared)
        emit_note(e, a->total, JIT_STEP_EACH, NULL, base);
    for (unsigned k = 0; k < a->n; k++) {
        V address = LLVMBuildAdd(e->b, base, emit_splat(e, emit_i64(e, (uint64_t)k * a->bytes)), "");
        V at = LLVMBuildIntToPtr(e->b, address, emit_vector(e->ptr), "");

        if (!a->store) {
            values[k] = a->bytes < 4 ? gather_small(e, a, address) : gather(e, at, emit_int(e, 8 * a->bytes), a->bytes);
            values[k] = access_to_register(e, a, values[k], true);
        } else {
            V v = access_to_memory(e, a, access_data(e, a, k, true), true);
            LLVMTypeRef overload[2] = {LLVMTypeOf(v), emit_vector(e->ptr)};
            V args[4] = {v, at, emit_i32(e, a->bytes), emit_lanes(e, e->mask)};

            emit_call(e, "llvm.masked.scatter", overload, 2, args, 4);
        }
    }
}

/* ---- Putting them together ---- */

void access_end_way(struct emit *e, struct ways *w, bool vector)
{
    w->vector[w->n] = vector;
    w->from[w->n++] = LLVMGetInsertBlock(e->b);
}

void access_operation_way(struct emit *e, const struct access *a, struct ways *w)
{
    emit_operation_aside(e, e->mask);
    for (unsigned k = 0; k < a->n && !a->store; k++)
        w->values[w->n][k] = emit_operation_result(e, a->data[k].reg);
    access_end_way(e, w, !a->store && jit_varies(e->u, a->data[0].reg));
    LLVMBuildBr(e->b, w->join);
}

/* Results from whichever way was taken, as vectors where one of them is. */
void access_join_ways(struct emit *e, const struct access *a, struct ways *w)
{
    for (unsigned k = 0; k < a->n && !a->store; k++) {
        bool vector = jit_varies(e->u, a->data[k].reg);
        LLVMTypeRef type = emit_int(e, a->bits);
        V phi, values[WAYS];

        for (unsigned i = 0; i < w->n; i++) {
            values[i] = w->values[i][k];
            if (vector && LLVMGetTypeKind(LLVMTypeOf(values[i])) != LLVMVectorTypeKind) {
                LLVMPositionBuilderBefore(e->b, LLVMGetBasicBlockTerminator(w->from[i]));
                values[i] = emit_splat(e, values[i]);
            }
        }
        LLVMPositionBuilderAtEnd(e->b, w->join);
        phi = LLVMBuildPhi(e->b, vector ? emit_vector(type) : type, "");
        LLVMAddIncoming(phi, values, w->from, w->n);
        w->values[0][k] = phi;
    }
    LLVMPositionBuilderAtEnd(e->b, w->join);
    for (unsigned k = 0; k < a->n && !a->store; k++)
        emit_result(e, &a->data[k], w->values[0][k]);
}

static void access_at(struct emit *e, const struct access *a, V *values)
{
    V at = LLVMBuildAdd(e->b, a->base, access_widen(e, a->offset), "");

    if (!a->shared && !a->known)
        emit_note(e, a->total, 0, NULL, at);
    access_once(e, a, access_pointer(e, at), values);
}

static void uniform_access(struct emit *e, const struct access *a)
{
    struct ways w = {.join = NULL};
    LLVMBasicBlockRef fast, slow;

    if (access_is_sure(e, a)) {
        access_at(e, a, w.values[0]);
        for (unsigned k = 0; k < a->n && !a->store; k++)
            emit_result(e, &a->data[k], w.values[0][k]);
        return;
    }
    w.join = emit_block(e, "accessed");
    fast = emit_block(e, "once");
    slow = emit_block(e, "slow");
    emit_branch(e, LLVMBuildAnd(e->b, access_fits(e, a, a->offset, a->total), access_aligned(e, a, a->offset), ""), fast, slow);
    LLVMPositionBuilderAtEnd(e->b, fast);
    access_at(e, a, w.values[0]);
    access_end_way(e, &w, false);
    LLVMBuildBr(e->b, w.join);
    LLVMPositionBuilderAtEnd(e->b, slow);
    access_operation_way(e, a, &w);
    access_join_ways(e, a, &w);
}

static void note_rows(struct emit *e, const struct access *a, unsigned n)
{
    if (a->shared)
        return;
    if (n == VG_WARP)
        emit_note(e, a->total, a->total, NULL, LLVMBuildAdd(e->b, a->base, access_widen(e, emit_lane(e, a->offset, 0)), ""));
    else
        emit_note(e, a->total, JIT_STEP_EACH, NULL, LLVMBuildAdd(e->b, access_widen(e, a->offset), emit_splat(e, a->base), ""));
}

/* Where some lanes run it is often one, which has a result for all: no matter how lanes lie apart then. */
static void lone_access(struct emit *e, const struct access *a, struct ways *w, LLVMBasicBlockRef slow)
{
    LLVMBasicBlockRef lone = emit_block(e, "lone"), fast = emit_block(e, "once"), more = emit_block(e, "more");
    V lanes = emit_call(e, "llvm.ctpop", &e->i32, 1, &e->mask, 1);
    struct access one = *a;

    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, lanes, emit_i32(e, 1), ""), lone, more);
    LLVMPositionBuilderAtEnd(e->b, lone);
    one.offset = LLVMBuildExtractElement(e->b, a->offset, emit_first_lane(e, e->mask), "");
    if (access_is_sure(e, a))
        LLVMBuildBr(e->b, fast);
    else
        emit_branch(e, LLVMBuildAnd(e->b, access_fits(e, a, one.offset, a->total), access_aligned(e, a, one.offset), ""), fast, slow);
    LLVMPositionBuilderAtEnd(e->b, fast);
    access_at(e, &one, w->values[w->n]);
    access_end_way(e, w, false);
    LLVMBuildBr(e->b, w->join);
    LLVMPositionBuilderAtEnd(e->b, more);
}

/* Rows, if they are any; else each lane by itself, where the CPU can; else the operation. */
static void varying_access(struct emit *e, const struct access *a)
{
    bool own = e->shape.isa == JIT_ISA_V4 && (!a->store || a->bytes >= 4), sure = access_is_sure(e, a);
    struct ways w = {.join = emit_block(e, "accessed")};
    LLVMBasicBlockRef row = emit_block(e, "row"), wide = emit_block(e, "wide"), rest = emit_block(e, "rest"),
                      each = own ? emit_block(e, "each") : NULL, slow = sure && own ? NULL : emit_block(e, "slow");
    unsigned n = row_lanes(e);

    if (!jit_is_whole(e->u, e->block))
        lone_access(e, a, &w, slow);
    LLVMBuildCondBr(e->b, in_rows(e, a, n), row, rest);
    LLVMPositionBuilderAtEnd(e->b, row);
    if (sure)
        LLVMBuildBr(e->b, wide);
    else
        emit_branch(e, rows_fit(e, a, n), wide, slow);
    LLVMPositionBuilderAtEnd(e->b, wide);
    note_rows(e, a, n);
    access_rows(e, a, n, w.values[w.n]);
    access_end_way(e, &w, true);
    LLVMBuildBr(e->b, w.join);
    LLVMPositionBuilderAtEnd(e->b, rest);
    if (!own)
        LLVMBuildBr(e->b, slow);
    else if (sure)
        LLVMBuildBr(e->b, each);
    else
        emit_branch(e, access_all_fit(e, a), each, slow);
    if (own) {
        LLVMPositionBuilderAtEnd(e->b, each);
        access_each(e, a, w.values[w.n]);
        access_end_way(e, &w, true);
        LLVMBuildBr(e->b, w.join);
    }
    if (slow) {
        LLVMPositionBuilderAtEnd(e->b, slow);
        access_operation_way(e, a, &w);
    }
    access_join_ways(e, a, &w);
}

bool access_is_dead(const struct emit *e, const struct access *a)
{
    for (unsigned k = 0; k < a->n; k++)
        if (a->store || e->read[a->data[k].reg])
            return false;
    return true;
}

static bool load_store(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    struct access a = {0};

    if (i->sem != PTX_sem_none && i->sem != PTX_sem_weak) { /* what others may be waited for by */
        V left = LLVMBuildSub(e->b, LLVMBuildLoad2(e->b, e->i32, e->fuel, ""), emit_i32(e, SPIN_COST), "");

        LLVMBuildStore(e->b, left, e->fuel);
        return false;
    }
    if (!access_find_data(e, &a) || access_is_dead(e, &a) || !access_find_address(e, &a, true))
        return false;
    if (a.pattern && (access_group(e, &a) || access_pattern(e, &a)))
        return true;
    if (a.pattern)
        access_find_address(e, &a, false);
    if (a.varies)
        varying_access(e, &a);
    else
        uniform_access(e, &a);
    return true;
}

bool emit_memory(struct emit *e)
{
    switch (e->insn->op) {
    case PTX_OP_ld:
    case PTX_OP_ldu:
    case PTX_OP_st:
        return load_store(e);
    default:
        return false;
    }
}
