/* SPDX-License-Identifier: Apache-2.0 */
/* f32 arithmetic rounded towards zero or an infinity. AVX-512 instructions say how they round; below it the rounding is the
 * operation's, which sets MXCSR for it. */
#include "jit/emit.h"

typedef LLVMValueRef V;
#define WIDTH 16

static const struct {
    uint16_t op;
    uint8_t sources;
    uint32_t flags;
    const char *name;
} rows[] = {
    {PTX_OP_add, 2, PTX_FLAG_FTZ | PTX_FLAG_SAT, "llvm.x86.avx512.add.ps.512"},
    {PTX_OP_sub, 2, PTX_FLAG_FTZ | PTX_FLAG_SAT, "llvm.x86.avx512.sub.ps.512"},
    {PTX_OP_mul, 2, PTX_FLAG_FTZ | PTX_FLAG_SAT, "llvm.x86.avx512.mul.ps.512"},
    {PTX_OP_fma, 3, PTX_FLAG_FTZ | PTX_FLAG_SAT, "llvm.x86.avx512.vfmadd.ps.512"},
    {PTX_OP_div, 2, PTX_FLAG_FTZ, "llvm.x86.avx512.div.ps.512"},
    {PTX_OP_rcp, 1, PTX_FLAG_FTZ, "llvm.x86.avx512.div.ps.512"},
    {PTX_OP_sqrt, 1, PTX_FLAG_FTZ, "llvm.x86.avx512.sqrt.ps.512"},
};

static V as_floats(struct emit *e, V v)
{
    return LLVMBuildBitCast(e->b, v, emit_floats(e, WIDTH), "");
}

/* Sixteen lanes, as bits; a scalar fills them all. */
static V part_of(struct emit *e, V v, unsigned half)
{
    return as_floats(e, e->wide ? emit_part(e, v, half * WIDTH, WIDTH) : emit_part(e, emit_splat(e, v), 0, WIDTH));
}

static V finish(struct emit *e, V r)
{
    V u = LLVMBuildBitCast(e->b, r, emit_many(e, 32, WIDTH), ""), one = emit_fill(e, 32, WIDTH, 0x3f800000), zero = emit_fill(e, 32, WIDTH, 0);

    if (e->insn->flags & PTX_FLAG_SAT) { /* NaN and -0 become +0 */
        u = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, r, as_floats(e, one), ""), u, one, "");
        u = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, r, as_floats(e, zero), ""), u, zero, "");
    } else {
        u = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, r, r, ""), emit_fill(e, 32, WIDTH, 0x7fffffff), u, "");
    }
    return e->insn->flags & PTX_FLAG_FTZ ? emit_flush(e, u) : u;
}

bool emit_rounded(struct emit *e)
{
    static const uint8_t modes[PTX_round_count] = {[PTX_round_rm] = 8 | 1, [PTX_round_rp] = 8 | 2, [PTX_round_rz] = 8 | 3};
    const struct ptx_insn *i = e->insn;
    unsigned row = 0, n;
    V s[3], args[4], parts[2];

    while (row < sizeof rows / sizeof *rows && rows[row].op != i->op)
        row++;
    if (row == sizeof rows / sizeof *rows || i->types[0] != PTX_TYPE_f32 || !modes[i->round] || i->flags & ~rows[row].flags ||
        i->nops != rows[row].sources + 1 || e->shape.isa != JIT_ISA_V4)
        return false;
    n = rows[row].sources;
    for (unsigned k = 0; k < n; k++) {
        if (!(s[k] = emit_source(e, &i->ops[k + 1], 32)))
            return false;
        if (i->flags & PTX_FLAG_FTZ)
            s[k] = emit_flush(e, s[k]);
    }
    for (unsigned h = 0; h < (e->wide ? 2 : 1); h++) {
        unsigned at = 0;

        if (i->op == PTX_OP_rcp)
            args[at++] = as_floats(e, emit_fill(e, 32, WIDTH, 0x3f800000));
        for (unsigned k = 0; k < n; k++)
            args[at++] = part_of(e, s[k], h);
        args[at++] = emit_i32(e, modes[i->round]);
        parts[h] = finish(e, emit_call(e, rows[row].name, NULL, 0, args, at));
    }
    emit_result(e, &i->ops[0], e->wide ? emit_join(e, parts, 2) : emit_lane(e, parts[0], 0));
    return true;
}
