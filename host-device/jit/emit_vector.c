/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors taken apart and put together: what instructions on whole warps are made of. */
#include "jit/emit.h"

LLVMValueRef emit_shuffle(struct emit *e, LLVMValueRef a, LLVMValueRef b, const unsigned *pick, unsigned n)
{
    LLVMValueRef list[EMIT_SHUFFLE_MAX];

    for (unsigned k = 0; k < n; k++)
        list[k] = emit_i32(e, pick[k]);
    return LLVMBuildShuffleVector(e->b, a, b ? b : LLVMGetPoison(LLVMTypeOf(a)), LLVMConstVector(list, n), "");
}

LLVMValueRef emit_part(struct emit *e, LLVMValueRef v, unsigned first, unsigned n)
{
    unsigned pick[EMIT_SHUFFLE_MAX];

    for (unsigned k = 0; k < n; k++)
        pick[k] = first + k;
    return LLVMGetVectorSize(LLVMTypeOf(v)) == n ? v : emit_shuffle(e, v, NULL, pick, n);
}

LLVMValueRef emit_join(struct emit *e, LLVMValueRef *parts, unsigned n)
{
    unsigned width = LLVMGetVectorSize(LLVMTypeOf(parts[0])), pick[EMIT_SHUFFLE_MAX];

    for (unsigned k = 0; k < n * width; k++)
        pick[k] = k;
    for (; n > 1; n /= 2, width *= 2)
        for (unsigned k = 0; k < n / 2; k++)
            parts[k] = emit_shuffle(e, parts[2 * k], parts[2 * k + 1], pick, 2 * width);
    return parts[0];
}

LLVMTypeRef emit_many(struct emit *e, unsigned bits, unsigned n)
{
    return LLVMVectorType(emit_int(e, bits), n);
}

LLVMValueRef emit_fill(struct emit *e, unsigned bits, unsigned n, uint64_t v)
{
    LLVMValueRef all[EMIT_SHUFFLE_MAX];

    for (unsigned k = 0; k < n; k++)
        all[k] = LLVMConstInt(emit_int(e, bits), v, false);
    return LLVMConstVector(all, n);
}

LLVMTypeRef emit_floats(struct emit *e, unsigned n)
{
    return LLVMVectorType(LLVMFloatTypeInContext(e->context), n);
}

unsigned emit_native(const struct emit *e)
{
    static const unsigned lanes[] = {[JIT_ISA_BASE] = 4, [JIT_ISA_V3] = 8, [JIT_ISA_V4] = 16};

    return lanes[e->shape.isa];
}

LLVMValueRef emit_scratch(struct emit *e, unsigned bytes)
{
    LLVMBasicBlockRef back = LLVMGetInsertBlock(e->b), entry = LLVMGetEntryBasicBlock(e->fn);
    LLVMValueRef at;

    LLVMPositionBuilderBefore(e->b, LLVMGetFirstInstruction(entry));
    at = LLVMBuildAlloca(e->b, LLVMArrayType2(e->i8, bytes), "");
    LLVMSetAlignment(at, 64);
    LLVMPositionBuilderAtEnd(e->b, back);
    return at;
}
