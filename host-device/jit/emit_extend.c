/* SPDX-License-Identifier: Apache-2.0 */
/* 32 bits that become 64 in an address: what lanes lie apart by is known of the wide value only where the narrow one does not wrap
 * between them, which code tests. */
#include "jit/emit.h"

/* Lanes that the instruction's result has one scalar for. */
unsigned emit_row(const struct emit *e)
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
    LLVMValueRef more[VG_WARP], lane = LLVMBuildSelect(e->b, emit_nonzero(e, lanes), emit_first_lane(e, lanes), emit_i32(e, from), "");

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
    unsigned row = emit_row(e);
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
        return e->extended[e->first / emit_row(e)];
    return with_sign ? LLVMBuildSExt(e->b, v, emit_type(e, bits), "") : LLVMBuildZExt(e->b, v, emit_type(e, bits), "");
}

/* Lanes of a 32-bit operand that is extended to 64 lie apart as its pattern says, unless it wraps in between. */
void emit_check_wrap(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    const struct ptx_operand *o;
    struct jit_pattern p;
    int64_t least = ptx_type_class[i->types[i->op == PTX_OP_cvt]] == 's' ? INT32_MIN : 0;
    unsigned row = emit_row(e);
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
