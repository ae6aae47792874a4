/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of neighbours, taken apart and put together again. A load of pairs gives each element of the pair a vector of its own; where
 * both only went through the same conversion before they are packed into one register, the conversion is done to what memory holds,
 * and nothing is taken apart. That is looked for in what has been emitted, since the compiler's own passes do not move a conversion
 * across a permutation. */
#include "jit/emit.h"

typedef LLVMValueRef V;

#define DEPTH 6 /* conversions and joins of ways, one on top of the other */

static bool is_vector(V v)
{
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
}

static unsigned width(V v)
{
    return LLVMGetVectorSize(LLVMTypeOf(v));
}

/* Lane l is 2 l + k of the only operand. */
static bool picks(V v, unsigned k)
{
    unsigned n = LLVMGetNumMaskElements(v);

    if (width(LLVMGetOperand(v, 0)) != 2 * n)
        return false;
    for (unsigned l = 0; l < n; l++)
        if (LLVMGetMaskValue(v, l) != (int)(2 * l + k))
            return false;
    return true;
}

static V converted(V v)
{
    return LLVMGetOperand(v, 0);
}

static bool same_ways(V a, V b)
{
    unsigned n = LLVMCountIncoming(a);

    if (LLVMGetInstructionParent(a) != LLVMGetInstructionParent(b) || n != LLVMCountIncoming(b))
        return false;
    for (unsigned k = 0; k < n; k++)
        if (LLVMGetIncomingBlock(a, k) != LLVMGetIncomingBlock(b, k))
            return false;
    return true;
}

/* Somewhere below, both come from the same pairs. */
static bool comes_from_pairs(V a, V b, unsigned depth)
{
    LLVMOpcode op;

    if (!depth || !LLVMIsAInstruction(a) || !LLVMIsAInstruction(b) || LLVMTypeOf(a) != LLVMTypeOf(b) || !is_vector(a))
        return false;
    op = LLVMGetInstructionOpcode(a);
    if (op != LLVMGetInstructionOpcode(b))
        return false;
    switch (op) {
    case LLVMShuffleVector:
        return LLVMGetOperand(a, 0) == LLVMGetOperand(b, 0) && picks(a, 0) && picks(b, 1);
    case LLVMBitCast:
        return is_vector(converted(a)) && width(converted(a)) == width(a) && comes_from_pairs(converted(a), converted(b), depth - 1);
    case LLVMFPTrunc:
        return comes_from_pairs(converted(a), converted(b), depth - 1);
    case LLVMPHI:
        for (unsigned k = 0; same_ways(a, b) && k < LLVMCountIncoming(a); k++)
            if (comes_from_pairs(LLVMGetIncomingValue(a, k), LLVMGetIncomingValue(b, k), depth - 1))
                return true;
        return false;
    default:
        return false;
    }
}

static LLVMTypeRef twice(V v)
{
    return LLVMVectorType(LLVMGetElementType(LLVMTypeOf(v)), 2 * width(v));
}

static V interleave(struct emit *e, V a, V b)
{
    unsigned pick[2 * VG_WARP], n = width(a);

    for (unsigned l = 0; l < 2 * n; l++)
        pick[l] = l / 2 + (l % 2 ? n : 0);
    return emit_shuffle(e, a, b, pick, 2 * n);
}

static V zip(struct emit *e, V a, V b, unsigned depth);

/* Each way brings its own: behind the way's last instruction, and here in front of this block's. */
static V zip_ways(struct emit *e, V a, V b, unsigned depth)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b), way;
    V phi, v;

    LLVMPositionBuilderBefore(e->b, a);
    phi = LLVMBuildPhi(e->b, twice(a), "");
    for (unsigned k = 0; k < LLVMCountIncoming(a); k++) {
        way = LLVMGetIncomingBlock(a, k);
        LLVMPositionBuilderBefore(e->b, LLVMGetBasicBlockTerminator(way));
        v = zip(e, LLVMGetIncomingValue(a, k), LLVMGetIncomingValue(b, k), depth);
        LLVMAddIncoming(phi, &v, &way, 1);
    }
    LLVMPositionBuilderAtEnd(e->b, here);
    return phi;
}

static V zip(struct emit *e, V a, V b, unsigned depth)
{
    if (!comes_from_pairs(a, b, depth))
        return interleave(e, a, b);
    switch (LLVMGetInstructionOpcode(a)) {
    case LLVMShuffleVector:
        return LLVMGetOperand(a, 0);
    case LLVMBitCast:
        return LLVMBuildBitCast(e->b, zip(e, converted(a), converted(b), depth - 1), twice(a), "");
    case LLVMFPTrunc:
        return LLVMBuildFPTrunc(e->b, zip(e, converted(a), converted(b), depth - 1), twice(a), "");
    default:
        return zip_ways(e, a, b, depth - 1);
    }
}

LLVMValueRef emit_zip(struct emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return comes_from_pairs(a, b, DEPTH) ? zip(e, a, b, DEPTH) : NULL;
}
