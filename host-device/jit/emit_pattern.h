/* SPDX-License-Identifier: Apache-2.0 */
/* Where the lanes of an access by a pattern are. */
#ifndef VGPU_JIT_EMIT_PATTERN_H
#define VGPU_JIT_EMIT_PATTERN_H

#include "jit/emit_memory.h"

/* In bytes from the lowest of all or, where each row has its own address, of their row. */
struct places {
    int64_t at[VG_WARP];
    unsigned lanes;          /* of a row; VG_WARP: there is but one address */
    int64_t first[VG_WARP];  /* by row: its first lane, from the lowest */
    uint64_t span[VG_WARP];  /* by row: from the lowest to the end of the highest */
    V low[VG_WARP];          /* by row: the lowest */
    bool row;                /* one address, and each behind the one before */
};

/* False when they are too far apart, or not by multiples of the access's size. Leaves low open. */
bool places_find(const struct access *a, struct places *p);
/* Offsets (i64) of the lowest. */
void places_offsets(struct emit *e, const struct access *a, struct places *p);

/* The access as if it were alone; as access_pattern(). */
bool pattern_alone(struct emit *e, struct access *a);

/* ---- emit_pair.c ---- */
/* A store whose lanes leave room for what another one soon stores: both in one, where that is right. False: it is to be alone. */
bool emit_pair(struct emit *e, struct access *a);

#endif
