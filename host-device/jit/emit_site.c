/* SPDX-License-Identifier: Apache-2.0 */
/* Code says where it is going to touch memory, so that a fault has an instruction, a lane and an address: by two stores, the
 * number of a record and an address. What does not change is in the record. */
#include "jit/emit.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool same_site(const uint32_t *a, const struct jit_site *site, const uint32_t *table, uint32_t words)
{
    uint32_t head = sizeof *site / sizeof *a;

    return !memcmp(a, site, sizeof *site) && (words == head || !memcmp(a + head, table, (words - head) * sizeof *a));
}

uint32_t emit_site(struct emit *e, uint32_t mask, uint32_t bytes, uint32_t step, const uint32_t *table)
{
    struct jit_site site = {.insn = e->index, .mask = mask, .bytes = bytes, .step = step};
    uint32_t head = sizeof site / sizeof *e->sites, words = head, at = e->n_sites;

    if (UINT32_MAX - step <= VG_WARP && step != JIT_STEP_EACH)
        words += VG_WARP;
    if (at >= words && same_site(e->sites + at - words, &site, table, words)) /* of a row, twice */
        return at - words;
    if (at + words > e->room_sites) {
        uint32_t room = 2 * (at + words), *more = realloc(e->sites, room * sizeof *more);

        if (!more)
            emit_fail(e, "out of memory");
        e->sites = more;
        e->room_sites = room;
    }
    memcpy(e->sites + at, &site, sizeof site);
    if (words > head)
        memcpy(e->sites + at + head, table, (words - head) * sizeof *table);
    e->n_sites += words;
    return at;
}

void emit_site_more(struct emit *e, uint32_t first, uint32_t bytes, const uint32_t *table)
{
    emit_site(e, ~0u, bytes, JIT_STEP_TABLE(VG_WARP), table);
    e->sites[first + offsetof(struct jit_site, more) / sizeof *e->sites]++;
}

/* Volatile: or LLVM drops a note when another one follows and nothing in between reads it. */
static void put(struct emit *e, LLVMValueRef v, size_t offset)
{
    LLVMValueRef store = LLVMBuildStore(e->b, v, emit_at(e, e->env, offset));

    LLVMSetVolatile(store, true);
    if (LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind)
        LLVMSetAlignment(store, 8);
}

void emit_note(struct emit *e, uint32_t bytes, uint32_t step, const uint32_t *table, LLVMValueRef address)
{
    uint32_t mask = emit_is_full(e->mask) ? ~0u : 0;

    put(e, emit_i32(e, emit_site(e, mask, bytes, step, table)), offsetof(struct jit_env, site));
    if (!mask)
        put(e, e->mask, offsetof(struct jit_env, mask));
    put(e, address, offsetof(struct jit_env, address));
}

void emit_note_site(struct emit *e, uint32_t site, LLVMValueRef address)
{
    put(e, emit_i32(e, site), offsetof(struct jit_env, site));
    put(e, address, offsetof(struct jit_env, address));
}

void emit_note_row(struct emit *e, unsigned row, LLVMValueRef address)
{
    put(e, address, offsetof(struct jit_env, address) + 8 * row);
}

void emit_sites(struct emit *e)
{
    LLVMValueRef *words, table;
    LLVMTypeRef type = LLVMArrayType2(e->i32, e->n_sites);

    if (!e->n_sites) /* an empty table would be in no section */
        return;
    words = malloc(e->n_sites * sizeof *words);
    if (!words)
        emit_fail(e, "out of memory");
    for (uint32_t k = 0; k < e->n_sites; k++)
        words[k] = emit_i32(e, e->sites[k]);
    table = LLVMAddGlobal(e->module, type, "sites");
    LLVMSetInitializer(table, LLVMConstArray2(e->i32, words, e->n_sites));
    LLVMSetGlobalConstant(table, true);
    LLVMSetLinkage(table, LLVMPrivateLinkage);
    LLVMSetAlignment(table, sizeof(uint32_t));
    free(words);
    LLVMPositionBuilderBefore(e->b, LLVMGetBasicBlockTerminator(LLVMGetEntryBasicBlock(e->fn)));
    LLVMBuildStore(e->b, table, emit_at(e, e->env, offsetof(struct jit_env, sites)));
}
