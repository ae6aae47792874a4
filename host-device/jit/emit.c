/* SPDX-License-Identifier: Apache-2.0 */
/* Types, values and operands. */
#include "jit/emit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void emit_fail(struct emit *e, const char *fmt, ...)
{
    size_t n = e->insn ? (size_t)snprintf(e->why, e->why_size, "line %u: ", e->insn->line) : 0;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->why + n, e->why_size - n, fmt, ap);
    va_end(ap);
    longjmp(e->fail, 1);
}

/* ---- Types and constants ---- */

LLVMTypeRef emit_int(struct emit *e, unsigned bits)
{
    return bits == 1 ? e->i1 : bits == 32 ? e->i32 : bits == 64 ? e->i64 : LLVMIntTypeInContext(e->context, bits);
}

LLVMTypeRef emit_vector(LLVMTypeRef element)
{
    return LLVMVectorType(element, VG_WARP);
}

LLVMTypeRef emit_type(struct emit *e, unsigned bits)
{
    return e->wide ? emit_vector(emit_int(e, bits)) : emit_int(e, bits);
}

LLVMValueRef emit_i32(struct emit *e, uint32_t v)
{
    return LLVMConstInt(e->i32, v, false);
}

LLVMValueRef emit_i64(struct emit *e, uint64_t v)
{
    return LLVMConstInt(e->i64, v, false);
}

LLVMValueRef emit_splat(struct emit *e, LLVMValueRef scalar)
{
    LLVMTypeRef type = emit_vector(LLVMTypeOf(scalar));
    LLVMValueRef one;

    if (LLVMIsConstant(scalar)) {
        LLVMValueRef all[VG_WARP];

        for (unsigned l = 0; l < VG_WARP; l++)
            all[l] = scalar;
        return LLVMConstVector(all, VG_WARP);
    }
    one = LLVMBuildInsertElement(e->b, LLVMGetPoison(type), scalar, emit_i32(e, 0), "");
    return LLVMBuildShuffleVector(e->b, one, LLVMGetPoison(type), LLVMConstNull(emit_vector(e->i32)), "");
}

LLVMValueRef emit_const(struct emit *e, unsigned bits, uint64_t v)
{
    LLVMValueRef c = LLVMConstInt(emit_int(e, bits), v, false);

    return e->wide ? emit_splat(e, c) : c;
}

LLVMValueRef emit_lane(struct emit *e, LLVMValueRef vector, unsigned lane)
{
    return LLVMBuildExtractElement(e->b, vector, emit_i32(e, lane), "");
}

LLVMValueRef emit_bits(struct emit *e, LLVMValueRef predicates)
{
    return LLVMBuildBitCast(e->b, predicates, e->i32, "");
}

LLVMValueRef emit_lanes(struct emit *e, LLVMValueRef mask)
{
    LLVMValueRef bit[VG_WARP], each;

    /* Not a bitcast: LLVM 19's code generator for AVX-512 does not end on one of a mask that an xor computes. */
    for (unsigned l = 0; l < VG_WARP; l++)
        bit[l] = emit_i32(e, 1u << l);
    each = LLVMBuildAnd(e->b, emit_splat(e, mask), LLVMConstVector(bit, VG_WARP), "");
    return LLVMBuildICmp(e->b, LLVMIntNE, each, LLVMConstNull(emit_vector(e->i32)), "");
}

LLVMValueRef emit_call(struct emit *e, const char *intrinsic, LLVMTypeRef *overload, unsigned n_overload, LLVMValueRef *args,
                       unsigned n)
{
    unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->module, id, overload, n_overload);

    return LLVMBuildCall2(e->b, LLVMIntrinsicGetType(e->context, id, overload, n_overload), fn, args, n, "");
}

LLVMValueRef emit_at(struct emit *e, LLVMValueRef base, uint64_t offset)
{
    LLVMValueRef at = emit_i64(e, offset);

    return LLVMBuildGEP2(e->b, e->i8, base, &at, 1, "");
}

LLVMBasicBlockRef emit_block(struct emit *e, const char *name)
{
    return LLVMAppendBasicBlockInContext(e->context, e->fn, name);
}

void emit_branch(struct emit *e, LLVMValueRef cond, LLVMBasicBlockRef likely, LLVMBasicBlockRef other)
{
    LLVMValueRef br = LLVMBuildCondBr(e->b, cond, likely, other);
    LLVMMetadataRef weights[3] = {LLVMMDStringInContext2(e->context, "branch_weights", 14),
                                  LLVMValueAsMetadata(emit_i32(e, 2000)), LLVMValueAsMetadata(emit_i32(e, 1))};

    LLVMSetMetadata(br, LLVMGetMDKindIDInContext(e->context, "prof", 4),
                    LLVMMetadataAsValue(e->context, LLVMMDNodeInContext2(e->context, weights, 3)));
}

/* ---- Operands ---- */

unsigned emit_reg_bits(const struct emit *e, int32_t reg)
{
    uint8_t type = e->f->regs[reg].type;
    unsigned bits = ptx_type_bits[type];

    return type == PTX_TYPE_pred ? 1 : bits < 16 ? 16 : bits;
}

static LLVMValueRef splat_like(struct emit *e, LLVMTypeRef type, uint32_t v)
{
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? emit_fill(e, 32, LLVMGetVectorSize(type), v) : emit_i32(e, v);
}

LLVMValueRef emit_flush(struct emit *e, LLVMValueRef v)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    LLVMValueRef exponent = LLVMBuildAnd(e->b, v, splat_like(e, type, 0x7f800000), "");

    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, exponent, LLVMConstNull(type), ""),
                           LLVMBuildAnd(e->b, v, splat_like(e, type, 0x80000000), ""), v, "");
}

static LLVMValueRef cooked_halves(struct emit *e, LLVMValueRef v)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    bool vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    unsigned n = LLVMGetIntTypeWidth(vector ? LLVMGetElementType(type) : type) / 16 * (vector ? VG_WARP : 1);
    LLVMValueRef h = LLVMBuildBitCast(e->b, v, emit_many(e, 16, n), ""), none;

    none = LLVMBuildICmp(e->b, LLVMIntUGT, LLVMBuildAnd(e->b, h, emit_fill(e, 16, n, 0x7fff), ""), emit_fill(e, 16, n, 0x7c00), "");
    return LLVMBuildBitCast(e->b, LLVMBuildSelect(e->b, none, emit_fill(e, 16, n, 0x7fff), h, ""), type, "");
}

/* The bits of a raw register's value. */
static LLVMValueRef cooked(struct emit *e, int32_t reg, LLVMValueRef v)
{
    LLVMTypeRef type = LLVMTypeOf(v), real = LLVMFloatTypeInContext(e->context);
    LLVMValueRef x;

    if (!e->raw[reg])
        return v;
    if (e->raw[reg] == JIT_RAW_HALVES)
        return cooked_halves(e, v);
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind)
        real = emit_vector(real);
    x = LLVMBuildBitCast(e->b, v, real, "");
    v = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, x, x, ""), splat_like(e, type, 0x7fffffff), v, "");
    return e->daz && e->flushed[reg] ? emit_flush(e, v) : v;
}

LLVMValueRef emit_spread(struct emit *e, const struct jit_pattern *p, LLVMValueRef *bases)
{
    LLVMTypeRef type = LLVMTypeOf(bases[0]);
    LLVMValueRef list[VG_WARP], all;

    for (unsigned l = 0; l < VG_WARP; l++)
        list[l] = LLVMConstInt(type, (uint64_t)(p->lane[l] - p->lane[0]), false);
    if (p->row) {
        LLVMValueRef parts[VG_WARP];
        unsigned zero[VG_WARP] = {0};

        for (unsigned r = 0; r < VG_WARP / p->row; r++) {
            parts[r] = LLVMBuildInsertElement(e->b, LLVMGetPoison(LLVMVectorType(type, p->row)), bases[r], emit_i32(e, 0), "");
            parts[r] = emit_shuffle(e, parts[r], NULL, zero, p->row);
        }
        all = emit_join(e, parts, VG_WARP / p->row);
    } else {
        all = emit_splat(e, bases[0]);
    }
    return LLVMBuildAdd(e->b, all, LLVMConstVector(list, VG_WARP), "");
}

/* Of registers with a value for each row: which one is the lane's. */
static unsigned row_at(const struct emit *e, int32_t reg, unsigned lane)
{
    unsigned row = jit_row(e->u, reg);

    return row ? lane / row : 0;
}

/* The variable. */
static LLVMValueRef place(struct emit *e, int32_t reg, unsigned lane)
{
    unsigned row = row_at(e, reg, lane);

    return row ? emit_at(e, e->var[reg], (uint64_t)row * emit_reg_bits(e, reg) / 8) : e->var[reg];
}

/* What a register holds: a vector, or a scalar, that of the lane's row where there are several. */
static LLVMValueRef held(struct emit *e, int32_t reg, unsigned lane)
{
    LLVMTypeRef type = emit_int(e, emit_reg_bits(e, reg));
    LLVMValueRef v;

    if (e->constant[reg]) {
        v = LLVMConstInt(type, (uint64_t)e->constant[reg]->ops[1].imm, false);
        return jit_is_vector(e->u, reg) ? emit_splat(e, v) : v;
    }
    if (jit_is_vector(e->u, reg))
        type = emit_vector(type);
    if (!e->brief[reg])
        return LLVMBuildLoad2(e->b, type, place(e, reg, lane), "");
    v = e->set_in[reg] == e->stretch ? e->value[reg][row_at(e, reg, lane)] : NULL;
    return v ? v : LLVMConstNull(type);
}

void emit_set(struct emit *e, int32_t reg, LLVMValueRef v)
{
    if (e->constant[reg])
        return;
    e->set_in[reg] = e->stretch;
    if (e->brief[reg])
        e->value[reg][row_at(e, reg, e->first)] = v;
    else
        LLVMBuildStore(e->b, v, place(e, reg, e->first));
}

/* All lanes of a register that is a scalar in code. */
static LLVMValueRef spread(struct emit *e, int32_t reg, LLVMValueRef v)
{
    const struct jit_pattern *p = &e->u->patterns[reg];
    LLVMValueRef bases[VG_WARP] = {v};

    if (!jit_has_lanes(e->u, reg))
        return emit_splat(e, v);
    for (unsigned r = 1; p->row && r < VG_WARP / p->row; r++)
        bases[r] = cooked(e, reg, held(e, reg, r * p->row));
    return emit_spread(e, p, bases);
}

static LLVMValueRef load_reg(struct emit *e, int32_t reg, bool wide, bool raw)
{
    LLVMTypeRef type = emit_int(e, emit_reg_bits(e, reg));
    bool varies = jit_is_vector(e->u, reg);
    unsigned first = wide ? 0 : e->first;
    LLVMValueRef v;

    if (!e->written[reg])
        return LLVMConstNull(wide ? emit_vector(type) : type);
    v = held(e, reg, first);
    if (!raw)
        v = cooked(e, reg, v);
    if (wide)
        return varies ? v : spread(e, reg, v);
    if (first && jit_has_lanes(e->u, reg) && !jit_row(e->u, reg)) {
        const int64_t *lane = e->u->patterns[reg].lane;

        v = LLVMBuildAdd(e->b, v, LLVMConstInt(type, (uint64_t)(lane[first] - lane[0]), false), "");
    }
    return v;
}

LLVMValueRef emit_reg(struct emit *e, int32_t reg, bool wide)
{
    return load_reg(e, reg, wide, false);
}

LLVMValueRef emit_raw_reg(struct emit *e, int32_t reg, bool wide)
{
    return load_reg(e, reg, wide, true);
}

/* A special register: a number that the block's shape fixes, the block's place, or what the warp finds in its special area. */
static LLVMValueRef special_register(struct emit *e, const struct ptx_operand *o, unsigned bits)
{
    LLVMValueRef v;

    if (o->sreg == PTX_SREG_ntid && o->component < 3)
        return emit_const(e, bits, e->shape.block[o->component]);
    if (o->sreg == PTX_SREG_ctaid || o->sreg == PTX_SREG_clusterid) {
        v = o->component < 3 ? e->field[JIT_ENV_ctaid_x + o->component] : emit_i64(e, 0);
        v = bits == 64 ? v : LLVMBuildTrunc(e->b, v, emit_int(e, bits), "");
        return e->wide ? emit_splat(e, v) : v;
    }
    for (uint32_t i = 0; i < e->k->n_specials; i++) {
        const struct special *s = &e->k->specials[i];

        if (s->sreg == o->sreg && s->component == o->component && s->bits == bits && bits != 1)
            return LLVMBuildLoad2(e->b, emit_type(e, bits), emit_at(e, e->field[JIT_ENV_special], s->offset + e->first * bits / 8), "");
    }
    return NULL;
}

static LLVMValueRef symbol_address(struct emit *e, const struct ptx_operand *o, unsigned bits)
{
    const struct ptx_symbol *s = &e->flow->m->symbols[o->sym];
    LLVMValueRef v;
    int64_t at;

    switch (s->space) {
    case PTX_SPACE_shared:
        at = ptx_shared_offset(e->f, o->sym);
        return at < 0 ? NULL : emit_const(e, bits, (uint64_t)at + (uint64_t)o->imm);
    case PTX_SPACE_local:
        return emit_const(e, bits, s->offset + (uint64_t)o->imm);
    case PTX_SPACE_global:
    case PTX_SPACE_const:
        if (s->linkage == PTX_LINK_EXTERN || bits != 64)
            return NULL;
        v = LLVMBuildAdd(e->b, LLVMBuildPtrToInt(e->b, e->field[JIT_ENV_data], e->i64, ""),
                         emit_i64(e, s->offset + (uint64_t)o->imm), "");
        return e->wide ? emit_splat(e, v) : v;
    default:
        return NULL;
    }
}

LLVMValueRef emit_source(struct emit *e, const struct ptx_operand *o, unsigned bits)
{
    LLVMValueRef v;

    switch (o->kind) {
    case PTX_OPERAND_REG:
        if (!e->wide && (e->lane0 ? jit_is_vector : jit_varies)(e->u, o->reg))
            return NULL;
        v = emit_reg(e, o->reg, e->wide);
        return o->negated && emit_reg_bits(e, o->reg) == 1 ? LLVMBuildNot(e->b, v, "") : v;
    case PTX_OPERAND_IMM:
        return emit_const(e, bits, (uint64_t)o->imm ^ (bits == 1 && o->negated));
    case PTX_OPERAND_SREG:
        return special_register(e, o, bits);
    case PTX_OPERAND_SYM:
        return symbol_address(e, o, bits);
    default:
        return NULL;
    }
}

static LLVMValueRef source_of_kind(struct emit *e, const struct ptx_operand *o, unsigned bits, uint8_t kind)
{
    if (o->kind == PTX_OPERAND_REG && e->raw[o->reg] == kind && (e->wide || !jit_varies(e->u, o->reg)))
        return emit_raw_reg(e, o->reg, e->wide);
    return emit_source(e, o, bits);
}

LLVMValueRef emit_raw_source(struct emit *e, const struct ptx_operand *o, unsigned bits)
{
    return source_of_kind(e, o, bits, JIT_RAW_REAL);
}

LLVMValueRef emit_raw_halves(struct emit *e, const struct ptx_operand *o, unsigned bits)
{
    return source_of_kind(e, o, bits, JIT_RAW_HALVES);
}

LLVMValueRef emit_passed_source(struct emit *e, const struct ptx_operand *d, const struct ptx_operand *o, unsigned bits)
{
    bool flushes = e->daz && o->kind == PTX_OPERAND_REG && e->flushed[o->reg] && !(d->kind == PTX_OPERAND_REG && e->flushed[d->reg]);

    return emit_is_raw(e, d) && !flushes ? source_of_kind(e, o, bits, e->raw[d->reg]) : emit_source(e, o, bits);
}

LLVMValueRef emit_first_lane(struct emit *e, LLVMValueRef lanes)
{
    LLVMValueRef args[2] = {lanes, LLVMConstInt(e->i1, 0, false)};

    return LLVMBuildAnd(e->b, emit_call(e, "llvm.cttz", &e->i32, 1, args, 2), emit_i32(e, VG_WARP - 1), "");
}

void emit_result(struct emit *e, const struct ptx_operand *o, LLVMValueRef v)
{
    bool varies, is_vector = LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
    LLVMValueRef keep = NULL;

    if (o->kind != PTX_OPERAND_REG || !e->written[o->reg])
        return;
    varies = jit_is_vector(e->u, o->reg);
    if (varies && !is_vector)
        v = emit_splat(e, v);
    if (!varies && is_vector && jit_row(e->u, o->reg))
        v = emit_lane(e, v, e->first);
    else if (!varies && is_vector) /* the lanes that run have the same */
        v = LLVMBuildExtractElement(e->b, v, emit_first_lane(e, e->mask), "");
    if (e->guard)
        keep = e->guard;
    if (varies && keep && LLVMTypeOf(keep) == e->i1)
        keep = emit_splat(e, keep);
    if (jit_spares(e->u, e->block, o->reg))
        keep = emit_lanes(e, e->mask);
    if (keep)
        v = LLVMBuildSelect(e->b, keep, v, held(e, o->reg, e->first), "");
    emit_set(e, o->reg, v);
}
