/* SPDX-License-Identifier: Apache-2.0 */
/* Stores past the caches. A launch that writes more than caches hold would have its lines read first, only to be written whole, and
 * pushes out of the caches what is read again. So where a row of lanes is whole lines of memory, code stores it past the caches if
 * the launch is large.
 *
 * Such stores are not in order with others: a kernel by which threads of several blocks could agree on an order has none of them, and
 * a worker waits for its own at the end of the launch (interp/launch.c). One CPU sees its own in order. */
#include "jit/emit.h"

#include <stddef.h>

typedef LLVMValueRef V;

#define LINE 64u
#define LEAST_BYTES (UINT64_C(8) << 20) /* of a launch */

static bool orders(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_atom: case PTX_OP_red: case PTX_OP_membar: case PTX_OP_fence: case PTX_OP_call:
        return true;
    case PTX_OP_ld: case PTX_OP_st:
        return i->sem != PTX_sem_none && i->sem != PTX_sem_weak;
    default:
        return false;
    }
}

/* What a loop writes may be what it writes, or reads, in the next round. */
static bool is_once(const struct emit *e, uint32_t block)
{
    return e->flow->blocks[block].loop == JIT_NONE;
}

static bool goes_to_memory(const struct ptx_insn *i)
{
    return i->op == PTX_OP_st && (i->space == PTX_SPACE_global || i->space == PTX_SPACE_generic);
}

/* Bytes that a thread stores. 0: none past the caches. */
static uint64_t bytes_of(const struct emit *e)
{
    uint64_t bytes = 0;

    for (uint32_t b = 0; b < e->flow->n; b++)
        for (uint32_t k = e->flow->blocks[b].first; k < e->flow->blocks[b].end; k++) {
            const struct ptx_insn *i = &e->f->insns[k];

            if (orders(i))
                return 0;
            if (goes_to_memory(i) && is_once(e, b))
                bytes += ptx_type_bits[i->types[0]] / 8u * (i->vec > 1 ? i->vec : 1);
        }
    return bytes;
}

void emit_stream_begin(struct emit *e)
{
    uint64_t bytes = bytes_of(e);
    V threads, large;

    if (!bytes)
        return;
    threads = LLVMBuildLoad2(e->b, e->i64, emit_at(e, e->env, offsetof(struct jit_env, threads)), "");
    large = LLVMBuildICmp(e->b, LLVMIntUGE, threads, emit_i64(e, (LEAST_BYTES + bytes - 1) / bytes), "");
    e->stream = LLVMBuildSelect(e->b, large, emit_i64(e, LINE - 1), emit_i64(e, UINT64_MAX), "");
}

static void mark(struct emit *e, V store)
{
    LLVMMetadataRef one = LLVMValueAsMetadata(emit_i32(e, 1)), node = LLVMMDNodeInContext2(e->context, &one, 1);

    LLVMSetMetadata(store, LLVMGetMDKindIDInContext(e->context, "nontemporal", 11), LLVMMetadataAsValue(e->context, node));
    LLVMSetAlignment(store, LINE);
}

void emit_stream_store(struct emit *e, V v, V at, unsigned alignment)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    unsigned bytes = LLVMGetVectorSize(type) * LLVMGetIntTypeWidth(LLVMGetElementType(type)) / 8;
    LLVMBasicBlockRef past, usual, on;
    V low;

    if (!e->stream || bytes % LINE || !goes_to_memory(e->insn) || !is_once(e, e->block)) {
        LLVMSetAlignment(LLVMBuildStore(e->b, v, at), alignment);
        return;
    }
    past = emit_block(e, "past");
    usual = emit_block(e, "usual");
    on = emit_block(e, "on");
    low = LLVMBuildAnd(e->b, LLVMBuildPtrToInt(e->b, at, e->i64, ""), e->stream, "");
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, low, emit_i64(e, 0), ""), past, usual);
    LLVMPositionBuilderAtEnd(e->b, past);
    mark(e, LLVMBuildStore(e->b, v, at));
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, usual);
    LLVMSetAlignment(LLVMBuildStore(e->b, v, at), alignment);
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, on);
}
