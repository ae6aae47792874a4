/* SPDX-License-Identifier: Apache-2.0 */
/* ldmatrix, stmatrix and movmatrix of 8x8 matrices of b16 (PTX ISA 9.7.14.5.15 to 17). A register holds a matrix in row order, so
 * a row is 16 bytes in memory and four lanes of a vector.
 *
 * Code moves rows when all lanes run and all their addresses are good; everything else, faults included, is the operation's. */
#include "jit/emit_rows.h"

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
        rows[k] = LLVMBuildLoad2(e->b, emit_many(e, 32, 4), rows_at(e, addresses, ROWS * i + k), "");
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
        LLVMSetAlignment(LLVMBuildStore(e->b, emit_part(e, matrix, 4 * k, 4), rows_at(e, addresses, ROWS * i + k)), ROW_BYTES);
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

    if (n > MAX_MATRICES || n != i->num || !rows_find(e, &i->ops[!store], i->space, ROW_BYTES, ROWS * n, &r))
        return false;
    for (unsigned k = 0; store && k < n; k++)
        if (!(matrix[0][k] = emit_source(e, &data[k], 32)))
            return false;
    fast = emit_block(e, "rows");
    slow = emit_block(e, "slow");
    join = emit_block(e, "moved");
    emit_branch(e, LLVMBuildAnd(e->b, r.good, LLVMBuildICmp(e->b, LLVMIntEQ, e->mask, emit_i32(e, ~0u), ""), ""), fast, slow);
    LLVMPositionBuilderAtEnd(e->b, fast);
    addresses = rows_note(e, &r, ROW_BYTES);
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
