/* SPDX-License-Identifier: Apache-2.0 */
/* setp and selp. */
#include "jit/emit.h"

typedef LLVMValueRef V;

static const int signed_relations[PTX_cmp_count] = {
    [PTX_cmp_eq] = LLVMIntEQ, [PTX_cmp_ne] = LLVMIntNE, [PTX_cmp_lt] = LLVMIntSLT, [PTX_cmp_le] = LLVMIntSLE,
    [PTX_cmp_gt] = LLVMIntSGT, [PTX_cmp_ge] = LLVMIntSGE, [PTX_cmp_lo] = LLVMIntULT, [PTX_cmp_ls] = LLVMIntULE,
    [PTX_cmp_hi] = LLVMIntUGT, [PTX_cmp_hs] = LLVMIntUGE,
};
static const int unsigned_relations[PTX_cmp_count] = {
    [PTX_cmp_eq] = LLVMIntEQ, [PTX_cmp_ne] = LLVMIntNE, [PTX_cmp_lt] = LLVMIntULT, [PTX_cmp_le] = LLVMIntULE,
    [PTX_cmp_gt] = LLVMIntUGT, [PTX_cmp_ge] = LLVMIntUGE, [PTX_cmp_lo] = LLVMIntULT, [PTX_cmp_ls] = LLVMIntULE,
    [PTX_cmp_hi] = LLVMIntUGT, [PTX_cmp_hs] = LLVMIntUGE,
};
static const int real_relations[PTX_cmp_count] = {
    [PTX_cmp_eq] = LLVMRealOEQ, [PTX_cmp_ne] = LLVMRealONE, [PTX_cmp_lt] = LLVMRealOLT, [PTX_cmp_le] = LLVMRealOLE,
    [PTX_cmp_gt] = LLVMRealOGT, [PTX_cmp_ge] = LLVMRealOGE, [PTX_cmp_equ] = LLVMRealUEQ, [PTX_cmp_neu] = LLVMRealUNE,
    [PTX_cmp_ltu] = LLVMRealULT, [PTX_cmp_leu] = LLVMRealULE, [PTX_cmp_gtu] = LLVMRealUGT, [PTX_cmp_geu] = LLVMRealUGE,
    [PTX_cmp_num] = LLVMRealORD, [PTX_cmp_nan] = LLVMRealUNO,
};

static bool is_flushed(const struct emit *e, const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_REG && (e->daz || e->flushed[o->reg]);
}

/* The truth of the comparison, or NULL when it is an operation's. */
static V compare(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    uint8_t t = i->types[0];
    char class = ptx_type_class[t];
    unsigned bits = ptx_type_bits[t];
    const int *relations = class == 's' ? signed_relations : unsigned_relations;
    V a, b;
    LLVMTypeRef real;

    a = (t == PTX_TYPE_f32 ? emit_raw_source : emit_source)(e, &i->ops[1], bits);
    b = (t == PTX_TYPE_f32 ? emit_raw_source : emit_source)(e, &i->ops[2], bits);
    if (!a || !b)
        return NULL;
    if (t == PTX_TYPE_f32 || t == PTX_TYPE_f64) {
        if (!real_relations[i->cmp])
            return NULL;
        real = bits == 64 ? LLVMDoubleTypeInContext(e->context) : LLVMFloatTypeInContext(e->context);
        real = e->wide ? emit_vector(real) : real;
        if (i->flags & PTX_FLAG_FTZ) {
            a = is_flushed(e, &i->ops[1]) ? a : emit_flush(e, a);
            b = is_flushed(e, &i->ops[2]) ? b : emit_flush(e, b);
        }
        return LLVMBuildFCmp(e->b, (LLVMRealPredicate)real_relations[i->cmp], LLVMBuildBitCast(e->b, a, real, ""),
                             LLVMBuildBitCast(e->b, b, real, ""), "");
    }
    if (class == 'f' || i->flags || !relations[i->cmp] || (bits != 16 && bits != 32 && bits != 64))
        return NULL;
    return LLVMBuildICmp(e->b, (LLVMIntPredicate)relations[i->cmp], a, b, "");
}

V emit_boolop(struct emit *e, V truth, V other)
{
    switch (e->insn->boolop) {
    case PTX_bool_and:
        return LLVMBuildAnd(e->b, truth, other, "");
    case PTX_bool_or:
        return LLVMBuildOr(e->b, truth, other, "");
    case PTX_bool_xor:
        return LLVMBuildXor(e->b, truth, other, "");
    default:
        return truth;
    }
}

static bool setp(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    V truth, other = NULL, p, q;

    if (i->boolop && (i->nops < 4 || !(other = emit_source(e, &i->ops[3], 1))))
        return false;
    if (!(truth = compare(e)))
        return false;
    p = emit_boolop(e, truth, other);
    q = emit_boolop(e, LLVMBuildNot(e->b, truth, ""), other);
    emit_result(e, &i->ops[0], p);
    emit_result(e, &i->dst2, q);
    return true;
}

static bool selp(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]];
    V a = emit_passed_source(e, &i->ops[0], &i->ops[1], bits), b = emit_passed_source(e, &i->ops[0], &i->ops[2], bits);
    V p = emit_source(e, &i->ops[3], 1);

    if (!a || !b || !p)
        return false;
    emit_result(e, &i->ops[0], LLVMBuildSelect(e->b, p, a, b, ""));
    return true;
}

bool emit_compare(struct emit *e)
{
    return e->insn->op == PTX_OP_setp ? setp(e) : e->insn->op == PTX_OP_selp && selp(e);
}
