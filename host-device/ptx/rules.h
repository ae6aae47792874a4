/* SPDX-License-Identifier: Apache-2.0 */
/* Which instructions exist: mnemonics ("add.rn.ftz.f32") are decoded against the rows of rules_table.h.
 *
 * Suffixes are taken in any order, but for those of the same kind (types, layouts), whose order carries their meaning. A
 * decoded mnemonic is kept, so each costs one hash look-up from its second use on. */
#ifndef VGPU_PTX_RULES_H
#define VGPU_PTX_RULES_H

#include "ptx/parse.h"

/* What stands at one place of an instruction's operand list. */
struct ptx_operand_rule {
    char role;        /* see rules_table.h */
    char fragment;    /* role F: which */
    uint8_t type;     /* fixed type, or PTX_TYPE_NONE: see type_index */
    uint8_t type_index; /* suffix that gives the type; PTX_TYPE_WIDE: twice the width of the first */
    bool optional, sink, wider, or_pred, second;
};
#define PTX_TYPE_WIDE 4

struct ptx_rule {
    uint16_t op;
    uint8_t nops, nrequired; /* of ops[]; nrequired leaves out second destinations too */
    struct ptx_operand_rule ops[PTX_MAX_OPERANDS];
    struct ptx_suffix *suffixes;
    unsigned nsuffixes;
};

struct ptx_mnemonic {
    const char *text;
    uint32_t n, hash;
    const struct ptx_rule *rule;
    bool has_policy;       /* .L2::cache_hint: the last operand is a cache policy, which is dropped */
    const char *refused;   /* valid PTX that is not executed: why */
    struct ptx_insn insn;  /* with the suffixes' fields */
    struct ptx_mnemonic *next;
};

/* Decode text[0..n); fails the parse when no rule has it. line: for the message. */
const struct ptx_mnemonic *ptx_decode_mnemonic(struct ptx_parser *ps, const char *text, uint32_t n, uint32_t line);

/* Registers of an mma or wmma operand: count of elements and the type whose width each has; 0 when the shape does not take
 * the types. 'fragment' is 'a', 'b', 'c' or 'd'. */
unsigned ptx_fragment_registers(const struct ptx_insn *insn, char fragment, uint8_t *type);

/* mma.sp: how many sparsity selectors there are, 4, 2 or 1. The metadata of 16 rows lies in 1, 2 or all 4 lanes of each four. */
unsigned ptx_sparsity_selectors(const struct ptx_insn *insn);

#endif
