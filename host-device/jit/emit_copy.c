/* SPDX-License-Identifier: Apache-2.0 */
/* cp.async (PTX ISA 9.7.9.25.3.1) as a copy made at once, where all lanes run and copy all bytes; the rest is the operation's. */
#include "jit/emit_rows.h"

#include <stdio.h>

typedef LLVMValueRef V;

/* Shared memory is there; the source may not be. */
static void copy(struct emit *e, struct rows *r, V *places)
{
    V to = emit_scratch(e, 8 * VG_WARP), from = rows_note(e, &r[1]);
    unsigned n = r->bytes;

    LLVMSetAlignment(LLVMBuildStore(e->b, r[0].address, to), 64);
    for (unsigned l = 0; l < VG_WARP; l++) {
        V v = LLVMBuildLoad2(e->b, emit_many(e, 32, n / 4), rows_at(e, from, l), "");

        LLVMSetAlignment(v, n);
        LLVMSetAlignment(LLVMBuildStore(e->b, v, rows_at(e, to, l)), n);
    }
}

bool emit_copy(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    struct rows r[2];
    char name[32];
    unsigned n;

    if (i->op != PTX_OP_cp || i->mode != PTX_mode_async || i->submode != PTX_mode_none || i->nops < 3 || i->ops[2].kind != PTX_OPERAND_IMM)
        return false;
    n = (unsigned)i->ops[2].imm;
    if ((n != 4 && n != 8 && n != 16) || (i->nops > 3 && (i->ops[3].kind != PTX_OPERAND_IMM || (uint64_t)i->ops[3].imm < n)))
        return false;
    if (!rows_find(e, &i->ops[0], PTX_SPACE_shared, n, VG_WARP, &r[0]) || !rows_find(e, &i->ops[1], PTX_SPACE_global, n, VG_WARP, &r[1]) ||
        r[1].shared)
        return false;
    snprintf(name, sizeof name, "cp.async.%u.%u", n, r[0].wide);
    rows_call(e, name, r, 2, NULL, 0, copy);
    return true;
}
