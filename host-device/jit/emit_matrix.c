/* SPDX-License-Identifier: Apache-2.0 */
/* ldmatrix, stmatrix and movmatrix of 8x8 matrices of b16 (PTX ISA 9.7.14.5.15 to 17). A register holds a matrix in row order, so
 * a row is 16 bytes in memory and four lanes of a vector.
 *
 * Code moves rows when all lanes run and all their addresses are good; everything else, faults included, is the operation's. */
#include "jit/emit_rows.h"

#include <stdio.h>

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

static void load(struct emit *e, struct rows *r, V *places)
{
    V addresses = rows_note(e, r);

    for (unsigned i = 0; i < r->lanes / ROWS; i++) {
        V rows[ROWS], matrix;

        for (unsigned k = 0; k < ROWS; k++) {
            rows[k] = LLVMBuildLoad2(e->b, emit_many(e, 32, 4), rows_at(e, addresses, ROWS * i + k), "");
            LLVMSetAlignment(rows[k], ROW_BYTES);
        }
        matrix = emit_join(e, rows, ROWS);
        LLVMBuildStore(e->b, e->insn->flags & PTX_FLAG_TRANS ? transposed(e, matrix) : matrix, places[i]);
    }
}

static void store(struct emit *e, struct rows *r, V *places)
{
    V addresses = rows_note(e, r);

    for (unsigned i = 0; i < r->lanes / ROWS; i++) {
        V matrix = LLVMBuildLoad2(e->b, emit_vector(e->i32), places[i], "");

        matrix = e->insn->flags & PTX_FLAG_TRANS ? transposed(e, matrix) : matrix;
        for (unsigned k = 0; k < ROWS; k++)
            LLVMSetAlignment(LLVMBuildStore(e->b, emit_part(e, matrix, 4 * k, 4), rows_at(e, addresses, ROWS * i + k)), ROW_BYTES);
    }
}

static bool load_or_store(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    bool is_store = i->op == PTX_OP_stmatrix;
    const struct ptx_operand *o = &i->ops[is_store], *data = o->kind == PTX_OPERAND_VEC ? o->elems : o;
    unsigned n = o->kind == PTX_OPERAND_VEC ? o->n : 1;
    char name[48];
    struct rows r;

    if (n != i->num || n > MAX_MATRICES || !rows_find(e, &i->ops[!is_store], i->space, ROW_BYTES, ROWS * n, &r))
        return false;
    for (unsigned k = 0; k < n; k++)
        if (data[k].kind != PTX_OPERAND_REG || e->func->place[data[k].reg] == JIT_NONE)
            return false;
    snprintf(name, sizeof name, "%s.%u.%u.%u.%u", ptx_op_names[i->op], n, !!(i->flags & PTX_FLAG_TRANS), r.shared, r.wide);
    rows_call(e, name, &r, 1, data, n, is_store ? store : load);
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
