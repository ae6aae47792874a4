/* SPDX-License-Identifier: Apache-2.0 */
/* ldmatrix, stmatrix and movmatrix of 8x8 matrices of b16 (PTX ISA 9.7.14.5.15 to 17). A register holds a matrix in row order, so
 * a row is 16 bytes in memory and four lanes of a vector.
 *
 * Code moves rows when all lanes run and all their addresses are good; everything else, faults included, is the operation's. */
#include "jit/emit.h"

#include <stddef.h>

typedef LLVMValueRef V;
#define ROW_BYTES 16
#define ROWS 8
#define MAX_MATRICES 4

static V transposed(struct emit *e, V matrix)
{
    unsigned pick[ROWS * ROWS];
    V halves = LLVMBuildBitCast(e->b, matrix, emit_many(e, 16, ROWS * ROWS), "");

    for (unsigned k = 0; k < ROWS * ROWS; k++)
        pick[k] = k % ROWS * ROWS + k / ROWS;
    return LLVMBuildBitCast(e->b, emit_shuffle(e, halves, NULL, pick, ROWS * ROWS), LLVMTypeOf(matrix), "");
}

/* ---- Addresses ---- */

struct rows {
    V address;      /* <32 x i64> */
    V good;         /* i1: the rows of all matrices may be touched */
};

/* Lanes [0, lanes) count: those that give rows. */
static V none_of(struct emit *e, V bad, unsigned lanes)
{
    V mask = emit_i32(e, lanes == VG_WARP ? ~0u : (1u << lanes) - 1);

    return LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildAnd(e->b, emit_bits(e, bad), mask, ""), emit_i32(e, 0), "");
}

static bool find_rows(struct emit *e, const struct ptx_operand *o, unsigned lanes, struct rows *r)
{
    uint8_t space = o->sym >= 0 ? e->flow->m->symbols[o->sym].space : e->insn->space;
    int64_t place = o->sym >= 0 ? ptx_shared_offset(e->f, o->sym) : 0;
    V offset, bad, low, size = e->field[JIT_ENV_shared_size], row = emit_i64(e, ROW_BYTES);

    if (o->kind != PTX_OPERAND_MEM || o->reg < 0 || place < 0)
        return false;
    offset = emit_reg(e, o->reg, true);
    if (space == PTX_SPACE_shared) {
        unsigned bits = emit_reg_bits(e, o->reg);

        offset = LLVMBuildAdd(e->b, offset, emit_const(e, bits, (uint64_t)place + (uint64_t)o->imm), "");
        if (bits == 32)
            offset = LLVMBuildZExt(e->b, offset, emit_vector(e->i64), "");
        bad = LLVMBuildICmp(e->b, LLVMIntUGT, offset, emit_splat(e, LLVMBuildSub(e->b, size, row, "")), "");
        low = LLVMBuildAnd(e->b, offset, emit_const(e, 64, ROW_BYTES - 1), "");
        bad = LLVMBuildOr(e->b, bad, LLVMBuildICmp(e->b, LLVMIntNE, low, emit_const(e, 64, 0), ""), "");
        r->good = LLVMBuildAnd(e->b, none_of(e, bad, lanes), LLVMBuildICmp(e->b, LLVMIntUGE, size, row, ""), "");
        r->address = LLVMBuildAdd(e->b, offset, emit_splat(e, e->field[JIT_ENV_shared]), "");
        return true;
    }
    if (space != PTX_SPACE_generic || o->sym >= 0 || emit_reg_bits(e, o->reg) != 64)
        return false;
    r->address = LLVMBuildAdd(e->b, offset, emit_const(e, 64, (uint64_t)o->imm), "");
    low = LLVMBuildSub(e->b, r->address, emit_const(e, 64, VGPU_WINDOW_BASE), "");
    low = LLVMBuildAnd(e->b, low, emit_const(e, 64, ~(VGPU_WINDOW_SIZE - 1) | (ROW_BYTES - 1)), "");
    r->good = none_of(e, LLVMBuildICmp(e->b, LLVMIntNE, low, emit_const(e, 64, 0), ""), lanes);
    return true;
}

/* Addresses go through memory: who asks after a fault finds them there, and one by one they come back cheaper than out of vectors. */
static V note_rows(struct emit *e, const struct rows *r)
{
    V at = emit_at(e, e->env, offsetof(struct jit_env, address)), store;

    LLVMBuildStore(e->b, emit_i32(e, e->index), emit_at(e, e->env, offsetof(struct jit_env, insn)));
    LLVMBuildStore(e->b, emit_i32(e, ~0u), emit_at(e, e->env, offsetof(struct jit_env, mask)));
    LLVMBuildStore(e->b, emit_i32(e, JIT_STEP_EACH), emit_at(e, e->env, offsetof(struct jit_env, step)));
    LLVMBuildStore(e->b, emit_i32(e, ROW_BYTES), emit_at(e, e->env, offsetof(struct jit_env, bytes)));
    store = LLVMBuildStore(e->b, r->address, at);
    LLVMSetAlignment(store, 8);
    return at;
}

static V row_pointer(struct emit *e, V addresses, unsigned lane)
{
    V address = LLVMBuildLoad2(e->b, e->i64, emit_at(e, addresses, 8u * lane), "");

    LLVMSetVolatile(address, true); /* or LLVM takes it out of the vector after all */
    return LLVMBuildIntToPtr(e->b, address, e->ptr, "");
}

/* ---- The instructions ---- */

static unsigned elements(const struct ptx_operand *o, const struct ptx_operand **first)
{
    *first = o->kind == PTX_OPERAND_VEC ? o->elems : o;
    return o->kind == PTX_OPERAND_VEC ? o->n : 1;
}

static V load_matrix(struct emit *e, V addresses, unsigned i)
{
    V rows[ROWS], matrix;

    for (unsigned k = 0; k < ROWS; k++) {
        rows[k] = LLVMBuildLoad2(e->b, emit_many(e, 32, 4), row_pointer(e, addresses, ROWS * i + k), "");
        LLVMSetAlignment(rows[k], ROW_BYTES);
    }
    matrix = emit_join(e, rows, ROWS);
    return e->insn->flags & PTX_FLAG_TRANS ? transposed(e, matrix) : matrix;
}

static void store_matrix(struct emit *e, V addresses, unsigned i, V matrix)
{
    if (e->insn->flags & PTX_FLAG_TRANS)
        matrix = transposed(e, matrix);
    for (unsigned k = 0; k < ROWS; k++)
        LLVMSetAlignment(LLVMBuildStore(e->b, emit_part(e, matrix, 4 * k, 4), row_pointer(e, addresses, ROWS * i + k)), ROW_BYTES);
}

static bool load_or_store(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    bool store = i->op == PTX_OP_stmatrix;
    const struct ptx_operand *data;
    LLVMBasicBlockRef fast, slow, join, from[2];
    V matrix[2][MAX_MATRICES], addresses;
    unsigned n = elements(&i->ops[store], &data);
    struct rows r;

    if (n > MAX_MATRICES || n != i->num || !find_rows(e, &i->ops[!store], ROWS * n, &r))
        return false;
    for (unsigned k = 0; store && k < n; k++)
        if (!(matrix[0][k] = emit_source(e, &data[k], 32)))
            return false;
    fast = emit_block(e, "rows");
    slow = emit_block(e, "slow");
    join = emit_block(e, "moved");
    emit_branch(e, LLVMBuildAnd(e->b, r.good, LLVMBuildICmp(e->b, LLVMIntEQ, e->mask, emit_i32(e, ~0u), ""), ""), fast, slow);
    LLVMPositionBuilderAtEnd(e->b, fast);
    addresses = note_rows(e, &r);
    for (unsigned k = 0; k < n; k++) {
        if (store)
            store_matrix(e, addresses, k, matrix[0][k]);
        else
            matrix[0][k] = load_matrix(e, addresses, k);
    }
    from[0] = LLVMGetInsertBlock(e->b);
    LLVMBuildBr(e->b, join);
    LLVMPositionBuilderAtEnd(e->b, slow);
    emit_operation_call(e, e->mask);
    for (unsigned k = 0; !store && k < n; k++)
        if (data[k].kind == PTX_OPERAND_REG)
            matrix[1][k] = emit_operation_result(e, data[k].reg);
    from[1] = LLVMGetInsertBlock(e->b);
    LLVMBuildBr(e->b, join);
    LLVMPositionBuilderAtEnd(e->b, join);
    for (unsigned k = 0; !store && k < n; k++)
        if (data[k].kind == PTX_OPERAND_REG) {
            V both[2] = {matrix[0][k], matrix[1][k]};

            matrix[0][k] = LLVMBuildPhi(e->b, emit_vector(e->i32), "");
            LLVMAddIncoming(matrix[0][k], both, from, 2);
        }
    for (unsigned k = 0; !store && k < n; k++)
        emit_result(e, &data[k], matrix[0][k]);
    return true;
}

bool emit_matrix(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V v;

    if (!e->wide || i->types[0] != PTX_TYPE_b16 || i->shape != PTX_shape_m8n8)
        return false;
    switch (i->op) {
    case PTX_OP_ldmatrix:
    case PTX_OP_stmatrix:
        return load_or_store(e);
    case PTX_OP_movmatrix:
        if (!(i->flags & PTX_FLAG_TRANS) || !(v = emit_source(e, &i->ops[1], 32)))
            return false;
        emit_result(e, &i->ops[0], transposed(e, v));
        return true;
    default:
        return false;
    }
}
