/* SPDX-License-Identifier: Apache-2.0 */
/* ld and st. Compiled for each instruction set, as lane operations are.
 *
 * Lanes that read or write neighbouring elements, in order, are one copy; lanes that read one element are a broadcast; the
 * rest goes lane by lane. */
#include "interp/address.h"
#include "interp/lanes_util.h"

#include <string.h>

struct wide128 {
    uint64_t lo, hi;
};

static inline const void *host(uint64_t address)
{
    return (const void *)(uintptr_t)address;
}

#define LOAD(M, R) \
    static const struct uop *load_##M##_##R(struct warp *w, const struct uop *u) \
    { \
        const unsigned n = sizeof(M) * u->vec; \
        const struct address_operand a = address_operand(u); \
        const enum address_pattern p = address_pattern(w, u->insn, &a, n); \
\
        if (p == SCATTERED) \
            address_resolve(w, u->insn, &a, n); \
        if (u->volatile_access) \
            warp_polls(w); \
        for (unsigned e = 0; e < u->vec; e++) { \
            R *d = warp_at(w, u->refs[1 + e]); \
\
            if (!d) \
                continue; \
            d = __builtin_assume_aligned(d, 64); \
            if (p == ROW && u->vec == 1) { \
                const M *s = host(w->ea[0]); \
                FOR_LANES(l) \
                    d[l] = CONVERT(R, s[l]); \
            } else if (p == ROW) { \
                const M *s = (const M *)host(w->ea[0]) + e; \
                FOR_LANES(l) \
                    d[l] = CONVERT(R, s[l * u->vec]); \
            } else if (p == UNIFORM) { \
                const M s = ((const M *)host(w->ea[0]))[e]; \
                FOR_LANES(l) \
                    d[l] = CONVERT(R, s); \
            } else { \
                for (uint32_t m = w->args.mask; m; m &= m - 1) { \
                    unsigned l = (unsigned)__builtin_ctz(m); \
                    d[l] = CONVERT(R, ((const M *)host(w->ea[l]))[e]); \
                } \
            } \
        } \
        return u + 1; \
    }

#define STORE(M, R) \
    static const struct uop *store_##M##_##R(struct warp *w, const struct uop *u) \
    { \
        const unsigned n = sizeof(M) * u->vec; \
        const struct address_operand a = address_operand(u); \
        const enum address_pattern p = address_pattern(w, u->insn, &a, n); \
\
        if (p == SCATTERED) \
            address_resolve(w, u->insn, &a, n); \
        for (unsigned e = 0; e < u->vec; e++) { \
            const R *s = warp_at(w, u->refs[1 + e]); \
\
            if (!s) \
                continue; \
            s = __builtin_assume_aligned(s, 64); \
            if (p == ROW && u->vec == 1) { \
                M *d = (M *)(uintptr_t)w->ea[0]; \
                FOR_LANES(l) \
                    d[l] = CONVERT(M, s[l]); \
            } else if (p == ROW) { \
                M *d = (M *)(uintptr_t)w->ea[0] + e; \
                for (unsigned l = 0; l < VG_WARP; l++) \
                    d[l * u->vec] = CONVERT(M, s[l]); \
            } else if (p == UNIFORM) { /* the last lane's store is the one that stays */ \
                ((M *)(uintptr_t)w->ea[0])[e] = CONVERT(M, s[VG_WARP - 1]); \
            } else { \
                for (uint32_t m = w->args.mask; m; m &= m - 1) { \
                    unsigned l = (unsigned)__builtin_ctz(m); \
                    ((M *)(uintptr_t)w->ea[l])[e] = CONVERT(M, s[l]); \
                } \
            } \
        } \
        return u + 1; \
    }

/* Memory type, register type: narrower values are extended by the signedness of the memory type (PTX ISA 9.1, 9.4.1). */
#define CONVERT(R, v) ((R)(v))
#define LOADS(X) \
    X(uint8_t, uint16_t) X(uint8_t, uint32_t) X(uint8_t, uint64_t) X(int8_t, uint16_t) X(int8_t, uint32_t) X(int8_t, uint64_t) \
    X(uint16_t, uint16_t) X(uint16_t, uint32_t) X(uint16_t, uint64_t) X(int16_t, uint32_t) X(int16_t, uint64_t) \
    X(uint32_t, uint32_t) X(uint32_t, uint64_t) X(int32_t, uint64_t) X(uint64_t, uint64_t)
#define STORES(X) \
    X(uint8_t, uint16_t) X(uint8_t, uint32_t) X(uint8_t, uint64_t) X(uint16_t, uint16_t) X(uint16_t, uint32_t) \
    X(uint16_t, uint64_t) X(uint32_t, uint32_t) X(uint32_t, uint64_t) X(uint64_t, uint64_t)
LOADS(LOAD)
STORES(STORE)
#undef CONVERT
#define CONVERT(R, v) (v)
typedef struct wide128 wide;
LOAD(wide, wide)
STORE(wide, wide)

struct row {
    bool store, is_signed;
    uint8_t bytes, bits;
    uop_fn *run;
};

#define IS_SIGNED(M) ((M)-1 < (M)1)
#define LOAD_ROW(M, R) {false, IS_SIGNED(M), sizeof(M), sizeof(R) * 8, load_##M##_##R},
#define STORE_ROW(M, R) {true, false, sizeof(M), sizeof(R) * 8, store_##M##_##R},
static const struct row rows[] = {
    LOADS(LOAD_ROW) STORES(STORE_ROW)
    {false, false, 16, 128, load_wide_wide},
    {true, false, 16, 128, store_wide_wide},
};

uop_fn *LANES(memory_select)(bool store, bool is_signed, unsigned bytes, unsigned bits)
{
    is_signed = is_signed && !store && bytes * 8 < bits;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].store == store && rows[i].is_signed == is_signed && rows[i].bytes == bytes && rows[i].bits == bits)
            return rows[i].run;
    return NULL;
}
