/* SPDX-License-Identifier: Apache-2.0 */
/* ld and st. Compiled for each instruction set, as lane operations are.
 *
 * Lanes that read or write neighbouring elements, in order, are one copy; lanes that read one element are a broadcast; the
 * rest goes lane by lane. Volatile, relaxed and stronger accesses to several elements are one access a lane, as on a GPU: a
 * flag and the value that it announces often travel in one vector (CUB's scans across blocks). */
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

/* What a lane accesses as one, 2 to 16 bytes. On CPUs with AVX that of 16 is one access too. */
union whole {
    uint8_t bytes[16];
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    uint64_t u128 __attribute__((vector_size(16)));
};

static inline bool is_whole(const struct uop *u, unsigned element, unsigned n)
{
    return u->volatile_access && (u->vec > 1 || element > 8) && n <= sizeof(union whole);
}

#define WHOLES(X) X(2, u16) X(4, u32) X(8, u64) X(16, u128)
static void load_whole(const struct warp *w, unsigned n, union whole *whole)
{
    for (uint32_t m = w->args.mask; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);
        const volatile union whole *from = host(w->ea[l]);

        switch (n) {
#define CASE(size, member) case size: whole[l].member = from->member; break;
        WHOLES(CASE)
#undef CASE
        }
    }
}

static void store_whole(const struct warp *w, unsigned n, const union whole *whole)
{
    for (uint32_t m = w->args.mask; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);
        volatile union whole *to = (void *)(uintptr_t)w->ea[l];

        switch (n) {
#define CASE(size, member) case size: to->member = whole[l].member; break;
        WHOLES(CASE)
#undef CASE
        }
    }
}

#define LOAD(M, R) \
    static const struct uop *load_##M##_##R(struct warp *w, const struct uop *u) \
    { \
        const unsigned n = sizeof(M) * u->vec; \
        const struct address_operand a = address_operand(u); \
        const bool one = is_whole(u, sizeof(M), n); \
        const enum address_pattern p = one ? SCATTERED : address_pattern(w, u->insn, &a, n); \
        union whole whole[VG_WARP]; \
\
        if (p == SCATTERED) \
            address_resolve(w, u->insn, &a, n); \
        if (u->volatile_access) \
            warp_polls(w); \
        if (one) \
            load_whole(w, n, whole); \
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
                    d[l] = CONVERT(R, (one ? (const M *)whole[l].bytes : (const M *)host(w->ea[l]))[e]); \
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
        const bool one = is_whole(u, sizeof(M), n); \
        const enum address_pattern p = one ? SCATTERED : address_pattern(w, u->insn, &a, n); \
        union whole whole[VG_WARP]; \
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
                    (one ? (M *)whole[l].bytes : (M *)(uintptr_t)w->ea[l])[e] = CONVERT(M, s[l]); \
                } \
            } \
        } \
        if (one) \
            store_whole(w, n, whole); \
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
