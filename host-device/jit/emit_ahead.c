/* SPDX-License-Identifier: Apache-2.0 */
/* Looking ahead: where a load of this block knows by how much its address will differ in the next one, which mostly runs right after
 * this one on the same CPU, it asks for that memory, too. CPUs guess what follows in one stream; a block's warps are many short ones.
 *
 * What is looked for is how much a register grows with %ctaid.x, by the sums and products that it is made of; code computes that
 * beside the register. It need not be true: nothing but the time that a load takes depends on it. */
#include "jit/emit.h"

#include <stdlib.h>
#include <string.h>

typedef LLVMValueRef V;

enum growth { NOTHING, BY_STEPS, UNKNOWN };

static bool is_block(const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_SREG && o->sreg == PTX_SREG_ctaid && !o->component;
}

static enum growth worst(enum growth a, enum growth b)
{
    return a > b ? a : b;
}

/* ---- Which registers grow ---- */

static enum growth of_operand(const struct emit *e, const uint8_t *growth, const struct ptx_operand *o)
{
    enum growth g = NOTHING;

    switch (o->kind) {
    case PTX_OPERAND_REG:
        return growth[o->reg];
    case PTX_OPERAND_MEM:
        return o->reg >= 0 ? growth[o->reg] : NOTHING;
    case PTX_OPERAND_SREG:
        return is_block(o) ? BY_STEPS : NOTHING;
    case PTX_OPERAND_VEC:
        for (unsigned k = 0; k < o->n; k++)
            g = worst(g, of_operand(e, growth, &o->elems[k]));
        return g;
    default:
        return NOTHING;
    }
}

static bool is_number(uint8_t type)
{
    return ptx_type_class[type] != 'f' && (ptx_type_bits[type] == 32 || ptx_type_bits[type] == 64);
}

static enum growth of_product(enum growth a, enum growth b)
{
    return a == BY_STEPS && b == BY_STEPS ? UNKNOWN : worst(a, b);
}

static enum growth of_result(const struct emit *e, const uint8_t *growth, const struct ptx_insn *i)
{
    enum growth s[3] = {NOTHING, NOTHING, NOTHING}, all = NOTHING;
    bool linear = i->ops[0].kind == PTX_OPERAND_REG && is_number(i->types[0]) && !i->flags && i->nops >= 2 && i->nops <= 4;

    for (unsigned k = 1; k < i->nops; k++) {
        enum growth g = of_operand(e, growth, &i->ops[k]);

        all = worst(all, g);
        if (k < 4)
            s[k - 1] = g;
    }
    if (all != BY_STEPS)
        return all;
    switch (linear ? i->op : 0) {
    case PTX_OP_mov:
        return i->ops[1].kind == PTX_OPERAND_VEC ? UNKNOWN : all;
    case PTX_OP_cvt:
        return is_number(i->types[1]) ? all : UNKNOWN;
    case PTX_OP_add: case PTX_OP_sub: case PTX_OP_cvta:
        return all;
    case PTX_OP_selp:
        return s[2] == NOTHING ? all : UNKNOWN;
    case PTX_OP_shl:
        return i->ops[2].kind == PTX_OPERAND_IMM && i->ops[2].imm >= 0 && i->ops[2].imm < 32 ? all : UNKNOWN;
    case PTX_OP_mul:
        return i->mul == PTX_mul_hi ? UNKNOWN : of_product(s[0], s[1]);
    case PTX_OP_mad:
        return i->mul == PTX_mul_hi ? UNKNOWN : worst(of_product(s[0], s[1]), s[2]);
    default:
        return UNKNOWN;
    }
}

static void find(const struct emit *e, uint8_t *growth)
{
    struct jit_regs r;

    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < e->f->ninsns; i++) {
            enum growth g = of_result(e, growth, &e->f->insns[i]);

            jit_regs_of(&e->f->insns[i], &r);
            for (unsigned k = 0; k < r.n_written; k++) {
                enum growth mine = g && jit_is_vector(e->u, r.written[k]) ? UNKNOWN : g;

                changed |= mine > growth[r.written[k]];
                growth[r.written[k]] = (uint8_t)worst(mine, growth[r.written[k]]);
            }
        }
    }
}

void emit_ahead_begin(struct emit *e)
{
    uint8_t *growth;

    /* A row of threads that loads once reads a stream, and the next row goes on with it: CPUs follow that better alone. */
    if (!e->flow->n_loops && e->shape.block[1] * e->shape.block[2] == 1) {
        e->growth = NULL;
        return;
    }
    growth = calloc(e->f->nregs + 1, 1);
    if (!growth)
        emit_fail(e, "out of memory");
    find(e, growth);
    for (uint32_t r = 0; r < e->f->nregs; r++)
        e->growth[r] = growth[r] == BY_STEPS ? emit_variable(e, e->i64, emit_i64(e, 0)) : NULL;
    free(growth);
}

/* ---- By how much ---- */

static V step_of(struct emit *e, const struct ptx_operand *o)
{
    if (is_block(o))
        return emit_i64(e, 1);
    if (o->kind != PTX_OPERAND_REG || !e->growth[o->reg])
        return emit_i64(e, 0);
    return LLVMBuildLoad2(e->b, e->i64, e->growth[o->reg], "");
}

static V factor(struct emit *e, const struct ptx_operand *o)
{
    unsigned bits = ptx_type_bits[e->insn->types[0]];
    V v = emit_source(e, o, bits);

    if (!v || bits == 64)
        return v ? v : emit_i64(e, 0);
    return e->insn->mul == PTX_mul_wide && ptx_type_class[e->insn->types[0]] == 'u' ? LLVMBuildZExt(e->b, v, e->i64, "")
                                                                                    : LLVMBuildSExt(e->b, v, e->i64, "");
}

static V product(struct emit *e)
{
    const struct ptx_operand *a = &e->insn->ops[1], *b = &e->insn->ops[2];
    bool first = is_block(a) || (a->kind == PTX_OPERAND_REG && e->growth[a->reg]);

    return LLVMBuildMul(e->b, step_of(e, first ? a : b), factor(e, first ? b : a), "");
}

void emit_ahead_insn(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V d;

    if (!e->growth || !i->nops || i->ops[0].kind != PTX_OPERAND_REG || !e->growth[i->ops[0].reg])
        return;
    e->wide = false;
    e->lane0 = true;
    switch (i->op) {
    case PTX_OP_add:
        d = LLVMBuildAdd(e->b, step_of(e, &i->ops[1]), step_of(e, &i->ops[2]), "");
        break;
    case PTX_OP_sub:
        d = LLVMBuildSub(e->b, step_of(e, &i->ops[1]), step_of(e, &i->ops[2]), "");
        break;
    case PTX_OP_shl:
        d = LLVMBuildShl(e->b, step_of(e, &i->ops[1]), emit_i64(e, (uint64_t)i->ops[2].imm & 63), "");
        break;
    case PTX_OP_mul:
        d = product(e);
        break;
    case PTX_OP_mad:
        d = LLVMBuildAdd(e->b, product(e), step_of(e, &i->ops[3]), "");
        break;
    case PTX_OP_selp:
        d = emit_source(e, &i->ops[3], 1);
        d = d ? LLVMBuildSelect(e->b, d, step_of(e, &i->ops[1]), step_of(e, &i->ops[2]), "") : emit_i64(e, 0);
        break;
    case PTX_OP_mov: case PTX_OP_cvt: case PTX_OP_cvta:
        d = step_of(e, &i->ops[1]);
        break;
    default: /* of what does not grow */
        d = emit_i64(e, 0);
    }
    LLVMBuildStore(e->b, d, e->growth[i->ops[0].reg]);
}

/* ---- The load ---- */

#define LINE 64
#define LINES_MAX 16

/* Loads of one address register mostly are of the same lines. */
static bool is_new(struct emit *e, int32_t reg, unsigned row, int64_t from, int64_t to)
{
    struct emit_asked *a = &e->asked;
    struct jit_regs r;

    if (a->block != e->block || a->copy != e->u)
        *a = (struct emit_asked){.block = e->block, .copy = e->u, .next = e->flow->blocks[e->block].first};
    for (; a->next < e->index; a->next++) {
        jit_regs_of(&e->f->insns[a->next], &r);
        for (unsigned k = 0; k < r.n_written; k++)
            for (unsigned j = 0; j < EMIT_ASKED; j++)
                if (a->list[j].reg == r.written[k])
                    a->list[j].to = a->list[j].from;
    }
    for (unsigned j = 0; j < EMIT_ASKED; j++)
        if (a->list[j].reg == reg && a->list[j].row == row && from >= a->list[j].from && to <= a->list[j].to)
            return false;
    a->list[a->turn++ % EMIT_ASKED] = (struct emit_asked_lines){reg, row, from, from + (to - from + LINE - 1) / LINE * LINE};
    return true;
}

void emit_ahead(struct emit *e, int32_t reg, unsigned row, int64_t offset, V low, uint64_t span)
{
    LLVMTypeRef type = e->ptr;
    V step, args[4] = {NULL, emit_i32(e, 0), emit_i32(e, 3), emit_i32(e, 1)};

    if (!e->growth || reg < 0 || !e->growth[reg] || span > LINES_MAX * LINE || !is_new(e, reg, row, offset, offset + (int64_t)span))
        return;
    step = LLVMBuildLoad2(e->b, e->i64, e->growth[reg], "");
    low = LLVMBuildGEP2(e->b, e->i8, low, &step, 1, "");
    for (uint64_t at = 0; at < span; at += LINE) {
        args[0] = emit_at(e, low, at);
        emit_call(e, "llvm.prefetch", &type, 1, args, 4);
    }
}
