/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays and arguments for calling one lane operation (interp/lanes.h) from a test.
 *
 *     struct lane_fixture f;
 *     struct ptx_insn insn = {.op = PTX_OP_add, .ntypes = 1, .types = {PTX_TYPE_u32}};
 *     lane_op *op = lane_fixture_select(&f, &insn, (uint8_t[]){32, 0}, (uint8_t[]){32, 32, 0});
 *     f.s32[0][lane] = ...; f.a.mask = ...; op(&f.a); f.d32[0][lane] ... */
#ifndef VGPU_TESTS_LANE_FIXTURE_H
#define VGPU_TESTS_LANE_FIXTURE_H

#include <string.h>

#include "interp/isa.h"

struct lane_fixture {
    struct lane_args a;
    uint32_t carry;
    union {
        uint16_t d16[LANE_MAX_DST][256];
        uint32_t d32[LANE_MAX_DST][128];
        uint64_t d64[LANE_MAX_DST][64];
    } __attribute__((aligned(64)));
    union {
        uint16_t s16[LANE_MAX_SRC][256];
        uint32_t s32[LANE_MAX_SRC][128];
        uint64_t s64[LANE_MAX_SRC][64];
    } __attribute__((aligned(64)));
};

/* Select the operation for insn with destinations and sources of the given widths (bits, 0 ends the list) and wire the
 * arguments to the fixture's arrays, all lanes active. NULL when no family has the instruction. */
static inline lane_op *lane_fixture_select(struct lane_fixture *f, const struct ptx_insn *insn, const uint8_t *d,
                                           const uint8_t *s)
{
    struct lane_widths w = {0};

    memset(f, 0, sizeof *f);
    f->a.mask = f->a.present = ~0u;
    f->a.insn = insn;
    f->a.carry = &f->carry;
    for (int i = 0; i < LANE_MAX_DST && d[i]; i++) {
        w.d[i] = d[i];
        f->a.d[i] = f->d64[i];
    }
    for (int i = 0; i < LANE_MAX_SRC && s[i]; i++) {
        w.s[i] = s[i];
        f->a.s[i] = f->s64[i];
    }
    return interp_select(insn, &w);
}

#endif
