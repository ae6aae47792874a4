/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel rewritten for the compiler: IR to IR, the same in meaning. Calls of functions are replaced by their bodies, tables of
 * branches by comparisons, loops with several entries by loops with one, variables of a lane's own whose address nobody takes
 * by registers. What cannot be rewritten (recursion, calls through pointers) stays as it is. */
#ifndef VGPU_PTX_FLAT_H
#define VGPU_PTX_FLAT_H

#include <setjmp.h>

#include "ptx/arena.h"
#include "ptx/ir.h"

struct ptx_flat {
    struct ptx_module m;      /* the module, with symbols for the variables of what was put in place of calls */
    struct ptx_function f;    /* the kernel */
    struct ptx_arena *arena;
    jmp_buf fail;             /* while it is made */
    uint32_t copies;          /* of functions, in place of calls */
    uint32_t symbol_room, reg_room, table_room, loc_room;
};

/* Rewrite kernel f, closed (ptx_function_close). The result refers to m's own data. *flat is NULL when there is nothing to
 * rewrite, or too much; false when memory is short. */
bool ptx_flat_new(const struct ptx_module *m, const struct ptx_function *f, struct ptx_flat **flat);
void ptx_flat_free(struct ptx_flat *flat);

/* ---- For the passes, one a file; each returns whether it changed anything ---- */
bool ptx_flat_inline(struct ptx_flat *flat);
bool ptx_flat_promote(struct ptx_flat *flat);
bool ptx_flat_pairs(struct ptx_flat *flat);
bool ptx_flat_tables(struct ptx_flat *flat);
bool ptx_flat_reduce(struct ptx_flat *flat);

/* A pass copies the body, instruction by instruction, and changes what it wants to. A branch target is the number of an
 * instruction of the old body or a label of the pass; at the end both become numbers in the new one. */
struct ptx_edit {
    struct ptx_flat *flat;
    struct ptx_insn *out;
    uint32_t n, room;
    uint32_t *at;             /* by old instruction, and one behind the last: where it has gone */
    uint32_t *labels;
    uint32_t n_labels, label_room;
};
void ptx_edit_begin(struct ptx_edit *e, struct ptx_flat *flat);
void ptx_edit_end(struct ptx_edit *e);
/* The old instruction i begins here. */
void ptx_edit_old(struct ptx_edit *e, uint32_t i);
void ptx_edit_add(struct ptx_edit *e, const struct ptx_insn *insn);
/* n new labels; returns the first, as a branch target. */
int32_t ptx_edit_labels(struct ptx_edit *e, uint32_t n);
void ptx_edit_place(struct ptx_edit *e, int32_t label);
void ptx_edit_branch(struct ptx_edit *e, int32_t to, int32_t guard, bool negated, const struct ptx_insn *like);

void *ptx_flat_keep(struct ptx_flat *flat, size_t n, size_t size);
/* Room for one more element: the array, moved if need be. */
void *ptx_flat_grow(struct ptx_flat *flat, void *array, uint32_t n, uint32_t *room, size_t size);
int32_t ptx_flat_reg(struct ptx_flat *flat, uint8_t type);

static inline struct ptx_operand ptx_operand_reg(int32_t reg)
{
    return (struct ptx_operand){.kind = PTX_OPERAND_REG, .reg = reg, .sym = -1};
}
static inline struct ptx_operand ptx_operand_imm(int64_t imm)
{
    return (struct ptx_operand){.kind = PTX_OPERAND_IMM, .reg = -1, .sym = -1, .imm = imm};
}
/* op.type ops..., unguarded, where 'like' stood. */
struct ptx_insn ptx_insn_like(const struct ptx_insn *like, enum ptx_op op, uint8_t type);
/* mov.type to, from; under its guard. */
struct ptx_insn ptx_insn_move(const struct ptx_insn *like, uint8_t type, struct ptx_operand to, struct ptx_operand from);

#endif
