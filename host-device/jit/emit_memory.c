/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores. */
#include "jit/emit.h"

bool emit_memory(struct emit *e)
{
    if (e->insn->op == PTX_OP_membar || e->insn->op == PTX_OP_fence) {
        LLVMBuildFence(e->b, LLVMAtomicOrderingSequentiallyConsistent, false, "");
        return true;
    }
    return false;
}
