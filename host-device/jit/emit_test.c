/* SPDX-License-Identifier: Apache-2.0 */
/* setp of halves, testp and slct. */
#include "jit/emit_half.h"

typedef LLVMValueRef V;

/* One in so many elements, as predicates of the instruction's shape. */
static V every(struct emit *e, V truths, unsigned first, unsigned step)
{
    unsigned pick[VG_WARP];

    if (!e->wide)
        return LLVMBuildExtractElement(e->b, truths, emit_i32(e, first), "");
    for (unsigned l = 0; l < VG_WARP; l++)
        pick[l] = l * step + first;
    return emit_shuffle(e, truths, NULL, pick, VG_WARP);
}

/* Halves are compared as floats. Of pairs, p is the lower's truth and q the upper's; else q is the contrary. */
static bool compare_halves(struct emit *e)
{
    static const LLVMRealPredicate relations[PTX_cmp_count] = {
        [PTX_cmp_eq] = LLVMRealOEQ, [PTX_cmp_ne] = LLVMRealONE, [PTX_cmp_lt] = LLVMRealOLT, [PTX_cmp_le] = LLVMRealOLE,
        [PTX_cmp_gt] = LLVMRealOGT, [PTX_cmp_ge] = LLVMRealOGE, [PTX_cmp_equ] = LLVMRealUEQ, [PTX_cmp_neu] = LLVMRealUNE,
        [PTX_cmp_ltu] = LLVMRealULT, [PTX_cmp_leu] = LLVMRealULE, [PTX_cmp_gtu] = LLVMRealUGT, [PTX_cmp_geu] = LLVMRealUGE,
        [PTX_cmp_num] = LLVMRealORD, [PTX_cmp_nan] = LLVMRealUNO,
    };
    const struct ptx_insn *i = e->insn;
    uint8_t t = i->types[0];
    bool bf16 = t == PTX_TYPE_bf16 || t == PTX_TYPE_bf16x2, two = t == PTX_TYPE_f16x2 || t == PTX_TYPE_bf16x2;
    V x[2], truths, p, q, other = NULL;

    if ((t != PTX_TYPE_f16 && !bf16 && !two) || (!bf16 && e->shape.isa == JIT_ISA_BASE) || i->flags || !relations[i->cmp])
        return false;
    if (i->boolop && (i->nops < 4 || !(other = emit_source(e, &i->ops[3], 1))))
        return false;
    for (unsigned k = 0; k < 2; k++) {
        if (!(x[k] = half_elements(e, &i->ops[k + 1], two ? 32 : 16)))
            return false;
        x[k] = half_widen(e, x[k], bf16);
    }
    truths = LLVMBuildFCmp(e->b, relations[i->cmp], x[0], x[1], "");
    p = every(e, truths, 0, two ? 2 : 1);
    q = two ? every(e, truths, 1, 2) : LLVMBuildNot(e->b, p, "");
    emit_result(e, &i->ops[0], emit_boolop(e, p, other));
    emit_result(e, &i->dst2, emit_boolop(e, q, other));
    return true;
}

/* Classes by exponent and fraction; a zero counts as normal on an H200. */
static bool classify(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]];
    uint64_t top = bits == 64 ? 0x7ff0000000000000u : 0x7f800000u;
    V v = emit_source(e, &i->ops[1], bits), exponent, magnitude, infinity = emit_const(e, bits, top), none = emit_const(e, bits, 0), finite, zero, tiny, r;

    if (!v || (i->types[0] != PTX_TYPE_f32 && i->types[0] != PTX_TYPE_f64))
        return false;
    exponent = LLVMBuildAnd(e->b, v, infinity, "");
    magnitude = LLVMBuildAnd(e->b, v, emit_const(e, bits, ~0ull >> (65 - bits)), "");
    finite = LLVMBuildICmp(e->b, LLVMIntNE, exponent, infinity, "");
    zero = LLVMBuildICmp(e->b, LLVMIntEQ, magnitude, none, "");
    tiny = LLVMBuildICmp(e->b, LLVMIntEQ, exponent, none, "");
    switch (i->mode) {
    case PTX_mode_finite:
        r = finite;
        break;
    case PTX_mode_infinite:
        r = LLVMBuildICmp(e->b, LLVMIntEQ, magnitude, infinity, "");
        break;
    case PTX_mode_number:
        r = LLVMBuildICmp(e->b, LLVMIntULE, magnitude, infinity, "");
        break;
    case PTX_mode_notanumber:
        r = LLVMBuildICmp(e->b, LLVMIntUGT, magnitude, infinity, "");
        break;
    case PTX_mode_normal:
        r = LLVMBuildAnd(e->b, LLVMBuildOr(e->b, LLVMBuildNot(e->b, tiny, ""), zero, ""), finite, "");
        break;
    case PTX_mode_subnormal:
        r = LLVMBuildAnd(e->b, tiny, LLVMBuildNot(e->b, zero, ""), "");
        break;
    default:
        return false;
    }
    emit_result(e, &i->ops[0], r);
    return true;
}

/* slct d, a, b, c: a where c >= 0, which a NaN is not. */
static bool choose(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    unsigned bits = ptx_type_bits[i->types[0]];
    V a = emit_source(e, &i->ops[1], bits), b = emit_source(e, &i->ops[2], bits), c = emit_source(e, &i->ops[3], 32), magnitude, p;

    if (!a || !b || !c)
        return false;
    p = LLVMBuildICmp(e->b, LLVMIntSGE, c, emit_const(e, 32, 0), "");
    if (i->types[1] == PTX_TYPE_f32) {
        c = i->flags & PTX_FLAG_FTZ ? emit_flush(e, c) : c;
        magnitude = LLVMBuildAnd(e->b, c, emit_const(e, 32, 0x7fffffff), "");
        p = LLVMBuildAnd(e->b, p, LLVMBuildICmp(e->b, LLVMIntULE, magnitude, emit_const(e, 32, 0x7f800000), ""), "");
        p = LLVMBuildOr(e->b, p, LLVMBuildICmp(e->b, LLVMIntEQ, magnitude, emit_const(e, 32, 0), ""), ""); /* -0 */
    }
    emit_result(e, &i->ops[0], LLVMBuildSelect(e->b, p, a, b, ""));
    return true;
}

bool emit_test(struct emit *e)
{
    switch (e->insn->op) {
    case PTX_OP_setp:
        return compare_halves(e);
    case PTX_OP_testp:
        return !e->insn->flags && classify(e);
    case PTX_OP_slct:
        return !(e->insn->flags & ~(uint32_t)PTX_FLAG_FTZ) && choose(e);
    default:
        return false;
    }
}
