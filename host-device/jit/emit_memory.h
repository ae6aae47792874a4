/* SPDX-License-Identifier: Apache-2.0 */
/* A load or store on its way to code, and what the ways to do it share. */
#ifndef VGPU_JIT_EMIT_MEMORY_H
#define VGPU_JIT_EMIT_MEMORY_H

#include "jit/emit.h"

typedef LLVMValueRef V;

struct access {
    bool store, with_sign;
    unsigned n, bytes, bits;     /* elements, of each in memory, of each register */
    unsigned total;              /* n * bytes */
    const struct ptx_operand *data; /* n of them */
    V base;                      /* i64: where offsets count from */
    V offset;                    /* i32 or i64, scalar or vector */
    uint64_t plus;               /* what is added to the address register */
    V size;                      /* i64: bytes behind base that may be touched */
    bool known;                  /* and this access surely lies there, aligned, in memory that is there */
    bool near;                   /* it is not far from the window, aligned to this at least, and need not be tested (reach.h) */
    uint64_t aligned;
    bool varies;
    const struct jit_pattern *pattern; /* of the address register, where that has one; offset is lane 0's then */
    V rows[VG_WARP];             /* and by rows, offsets of their first lanes */
    bool shared;
};

/* What the instruction's data operand says. */
bool access_find_data(struct emit *e, struct access *a);
/* A load that nobody reads: LLVM would drop it, and its fault with it. */
bool access_is_dead(const struct emit *e, const struct access *a);
/* Where the instruction's address operand points: base, offset, size. lanes: by the address register's pattern, if it has one. */
bool access_find_address(struct emit *e, struct access *a, bool lanes);
/* No test is needed: each lane's access is good. */
bool access_is_sure(const struct emit *e, const struct access *a);
/* Every running lane's offset (a vector) is good. */
V access_all_fit(struct emit *e, const struct access *a);
V access_pointer(struct emit *e, V address);
/* An offset, or offsets, in 64 bits. */
V access_widen(struct emit *e, V offset);
/* [offset, offset + n) lies within the size; nothing wraps. */
/* Not shared memory: there, any number of offsets may be tested as one, in which all their bits are. */
bool access_is_window(const struct access *a);
V access_fits(struct emit *e, const struct access *a, V offset, uint64_t n);
V access_aligned(struct emit *e, const struct access *a, V offset);
/* Between what registers and what memory holds. */
V access_to_register(struct emit *e, const struct access *a, V v, bool vector);
V access_to_memory(struct emit *e, const struct access *a, V v, bool vector);
/* Element k of what is stored. */
V access_data(struct emit *e, const struct access *a, unsigned k, bool vector);
/* So many lanes in a row from 'at' on: elements as they are in memory. */
void access_load_row(struct emit *e, const struct access *a, V at, unsigned lanes, V *values);
/* The same from lane 'first' on. */
void access_store_row(struct emit *e, const struct access *a, V at, unsigned first, unsigned lanes);
/* The lanes of the mask, each at its own place (a->offset is a vector). */
void access_each(struct emit *e, const struct access *a, V *values);

/* ---- Ways to do it, of which one is taken ---- */
#define WAYS 4
struct ways {
    LLVMBasicBlockRef join, from[WAYS];
    V values[WAYS][8];
    bool vector[WAYS];
    unsigned n;
};
/* One ends here, with its values. */
void access_end_way(struct emit *e, struct ways *w, bool vector);
/* The interpreter's operation does it. */
void access_operation_way(struct emit *e, const struct access *a, struct ways *w);
/* Results from whichever was taken. */
void access_join_ways(struct emit *e, const struct access *a, struct ways *w);

/* ---- emit_pattern.c ---- */
/* Lanes that lie apart in a known way; false when there is no better code for it than for any addresses. */
bool access_pattern(struct emit *e, struct access *a);
/* Lanes' elements as they are in memory, so many bytes from 'low' (pointer). */
void access_load_places(struct emit *e, const struct access *a, V low, const int64_t *at, V *values);

/* ---- emit_root.c ---- */
/* A register's value as it is in some place of a block: what another one holds there, plus something known for each lane. */
struct access_root {
    int32_t reg;
    uint32_t def;             /* by the instruction that last wrote it in the block; JIT_NONE: none did */
    int64_t plus[VG_WARP];
};
/* Of a load's address; false: by no pattern that holds for all lanes. */
bool access_find_root(const struct emit *e, uint32_t index, struct access_root *r);

/* ---- emit_group.c ---- */
/* The load goes together with others of its block, whose values are kept; or it is one of those. a: by its pattern. */
bool access_group(struct emit *e, struct access *a);

#endif
