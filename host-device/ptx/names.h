/* SPDX-License-Identifier: Apache-2.0 */
/* What identifiers stand for, with block scopes. A hash table of names; closing a block removes those it declared. */
#ifndef VGPU_PTX_NAMES_H
#define VGPU_PTX_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "ptx/arena.h"

enum ptx_name_kind {
    PTX_NAME_REG,    /* value: register number */
    PTX_NAME_VREG,   /* count registers from value: .reg .v4 */
    PTX_NAME_RANGE,  /* the prefix of %r<count>, with registers made when they are first named */
    PTX_NAME_SYMBOL, /* value: index into module->symbols */
    PTX_NAME_FUNC,   /* value: index into module->functions */
    PTX_NAME_LABEL,  /* value: instruction index */
    PTX_NAME_TABLE,  /* value: index into function->tables */
};

struct ptx_name {
    struct ptx_name *next;       /* in its hash slot */
    struct ptx_name *next_scope; /* declared in the same block */
    const char *s;
    uint32_t n, hash;
    uint8_t kind, type;          /* type: of registers */
    uint16_t depth;
    uint32_t count;
    int32_t value;
};

#define PTX_NAMES_DEPTH 257

struct ptx_names {
    struct ptx_arena *arena;
    struct ptx_name **slots;
    uint32_t room, n;
    uint32_t depth;         /* of the open block; 0 is the outermost */
    uint32_t inner_ranges;  /* ranges declared in open blocks deeper than the function's own */
    struct ptx_name *scopes[PTX_NAMES_DEPTH];
};

/* All return NULL or false when memory is short. */
bool ptx_names_init(struct ptx_names *t, struct ptx_arena *arena);
/* The innermost name (ranges apart). */
struct ptx_name *ptx_names_find(const struct ptx_names *t, const char *s, uint32_t n);
/* The innermost range that holds s = prefix followed by a number below its count. */
struct ptx_name *ptx_names_find_range(const struct ptx_names *t, const char *s, uint32_t n);
/* Declare in the block at 'depth' (the open one, or for a register of a range: the range's). The caller has checked for
 * duplicates. s stays referenced. */
struct ptx_name *ptx_names_add(struct ptx_names *t, const char *s, uint32_t n, uint8_t kind, uint32_t depth);
void ptx_names_open(struct ptx_names *t);
void ptx_names_close(struct ptx_names *t);

#endif
