/* SPDX-License-Identifier: Apache-2.0 */
/* atom, red and cp.async. Blocks of a launch run on several threads, and the guest's CPU may look on, so these are the host's
 * own atomics: each operation is a function from the old value to the new one, retried until nobody came between. Lanes
 * go in order, 0 to 31. */
#include "interp/address.h"

#include <math.h>
#include <string.h>

/* New value from the old one and the operands b and c. 'flush': subnormals count as zero. */
typedef uint64_t atom_fn(uint64_t old, uint64_t b, uint64_t c, bool flush);

#define INTEGER(name, T, EXPR) \
    static uint64_t name(uint64_t old_, uint64_t b_, uint64_t c_, bool flush) \
    { \
        const T old = (T)old_, b = (T)b_, c = (T)c_; \
\
        (void)c, (void)b, (void)old; \
        return (uint64_t)(EXPR); \
    }

INTEGER(exch, uint64_t, b)
INTEGER(cas, uint64_t, old == b ? c : old)
INTEGER(add, uint64_t, old + b)
INTEGER(and, uint64_t, old & b)
INTEGER(or, uint64_t, old | b)
INTEGER(xor, uint64_t, old ^ b)
INTEGER(inc, uint32_t, old >= b ? 0 : old + 1)
INTEGER(dec, uint32_t, old == 0 || old > b ? b : old - 1)
INTEGER(min_u, uint64_t, old < b ? old : b)
INTEGER(max_u, uint64_t, old > b ? old : b)
INTEGER(min_s32, int32_t, old < b ? old : b)
INTEGER(max_s32, int32_t, old > b ? old : b)
INTEGER(min_s64, int64_t, old < b ? old : b)
INTEGER(max_s64, int64_t, old > b ? old : b)

static float f32_of(uint64_t bits)
{
    uint32_t u = (uint32_t)bits;
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

static uint32_t bits_of(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

static uint64_t flushed(uint64_t bits)
{
    return bits & 0x7f800000u ? bits : bits & 0x80000000u;
}

/* A NaN is the one that the hardware writes. */
static uint64_t add_f32(uint64_t old, uint64_t b, uint64_t c, bool flush)
{
    float sum = flush ? f32_of(flushed(old)) + f32_of(flushed(b)) : f32_of(old) + f32_of(b);

    if (isnan(sum))
        return 0x7fffffffu;
    return flush ? flushed(bits_of(sum)) : bits_of(sum);
}

static uint64_t add_f64(uint64_t old, uint64_t b, uint64_t c, bool flush)
{
    const uint64_t quiet = UINT64_C(1) << 51;
    double x, y;
    uint64_t r;

    memcpy(&x, &old, sizeof x);
    memcpy(&y, &b, sizeof y);
    if (isnan(x) || isnan(y)) /* the first NaN, as in arithmetic */
        return (isnan(x) ? old : b) | quiet;
    x += y;
    memcpy(&r, &x, sizeof r);
    return r;
}

/* 16-bit floats: exact in f32, and a sum rounded to f32 and then to them is rounded once (24 >= 2 * 11 + 2 bits). */
static float half_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
    float f;

    if (e == 31)
        return f32_of(sign | 0x7f800000u | m << 13);
    if (!e) {
        f = (float)m * 0x1p-24f;
        return sign ? -f : f;
    }
    return f32_of(sign | (e + 112) << 23 | m << 13);
}

static uint16_t f32_to_half(float f)
{
    uint32_t u = bits_of(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;

    if (a > 0x7f800000u)
        return 0x7fff;
    if (a >= 0x477ff000u) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00);
    if (a < 0x38800000u) /* subnormal: the sum's own rounding at 2^-24 does it */
        return (uint16_t)(sign | (bits_of(f32_of(a) + 0.5f) - 0x3f000000u));
    a += 0xfff + (a >> 13 & 1);
    return (uint16_t)(sign | (a - 0x38000000u) >> 13);
}

static float bhalf_to_f32(uint16_t h)
{
    return f32_of((uint32_t)h << 16);
}

static uint16_t f32_to_bhalf(float f)
{
    uint32_t u = bits_of(f);

    if ((u & 0x7fffffff) > 0x7f800000u)
        return 0x7fff;
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static float lesser(float a, float b)
{
    return isnan(a) ? b : isnan(b) ? a : a < b || (a == b && signbit(a)) ? a : b;
}

static float greater(float a, float b)
{
    return isnan(a) ? b : isnan(b) ? a : a > b || (a == b && !signbit(a)) ? a : b;
}

#define SUM(a, b) ((a) + (b))
#define HALF(name, kind, OP) \
    static uint64_t name(uint64_t old, uint64_t b, uint64_t c, bool flush) \
    { \
        return f32_to_##kind(OP(kind##_to_f32((uint16_t)old), kind##_to_f32((uint16_t)b))); \
    } \
    static uint64_t name##x2(uint64_t old, uint64_t b, uint64_t c, bool flush) \
    { \
        return name(old & 0xffff, b & 0xffff, c, flush) | name(old >> 16 & 0xffff, b >> 16 & 0xffff, c, flush) << 16; \
    }
HALF(add_f16, half, SUM)
HALF(min_f16, half, lesser)
HALF(max_f16, half, greater)
HALF(add_bf16, bhalf, SUM)
HALF(min_bf16, bhalf, lesser)
HALF(max_bf16, bhalf, greater)

/* class: of the type; or the type itself where only that one has the operation. */
static const struct row {
    uint8_t atom, type;
    char type_class;
    atom_fn *fn;
} rows[] = {
    {PTX_atom_exch, 0, 0, exch},
    {PTX_atom_cas, 0, 0, cas},
    {PTX_atom_and, 0, 'b', and},
    {PTX_atom_or, 0, 'b', or},
    {PTX_atom_xor, 0, 'b', xor},
    {PTX_atom_add, 0, 'u', add},
    {PTX_atom_add, 0, 's', add},
    {PTX_atom_min, 0, 'u', min_u},
    {PTX_atom_max, 0, 'u', max_u},
    {PTX_atom_min, PTX_TYPE_s32, 0, min_s32},
    {PTX_atom_max, PTX_TYPE_s32, 0, max_s32},
    {PTX_atom_min, PTX_TYPE_s64, 0, min_s64},
    {PTX_atom_max, PTX_TYPE_s64, 0, max_s64},
    {PTX_atom_inc, PTX_TYPE_u32, 0, inc},
    {PTX_atom_dec, PTX_TYPE_u32, 0, dec},
    {PTX_atom_add, PTX_TYPE_f32, 0, add_f32},
    {PTX_atom_add, PTX_TYPE_f64, 0, add_f64},
#define ROWS(type) \
    {PTX_atom_add, PTX_TYPE_##type, 0, add_##type}, {PTX_atom_min, PTX_TYPE_##type, 0, min_##type}, \
    {PTX_atom_max, PTX_TYPE_##type, 0, max_##type}
    ROWS(f16), ROWS(f16x2), ROWS(bf16), ROWS(bf16x2),
};

static atom_fn *find(const struct ptx_insn *insn)
{
    uint8_t type = insn->types[0];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].atom == insn->atom && (!rows[i].type || rows[i].type == type) &&
            (!rows[i].type_class || rows[i].type_class == ptx_type_class[type]))
            return rows[i].fn;
    return NULL;
}

#define UPDATE(T) \
    ({ \
        T *p_ = (T *)(uintptr_t)address, old_ = __atomic_load_n(p_, __ATOMIC_RELAXED); \
        while (!__atomic_compare_exchange_n(p_, &old_, (T)fn(old_, b, c, flush), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) \
            ; \
        (uint64_t)old_; \
    })

static uint64_t update(uint64_t address, unsigned bytes, atom_fn *fn, uint64_t b, uint64_t c, bool flush)
{
    switch (bytes) {
    case 2:
        return UPDATE(uint16_t);
    case 4:
        return UPDATE(uint32_t);
    default:
        return UPDATE(uint64_t);
    }
}

static uint64_t element(const void *array, unsigned bytes, unsigned l)
{
    if (!array)
        return 0;
    switch (bytes) {
    case 2:
        return ((const uint16_t *)array)[l];
    case 4:
        return ((const uint32_t *)array)[l];
    default:
        return ((const uint64_t *)array)[l];
    }
}

static void set_element(void *array, unsigned bytes, unsigned l, uint64_t v)
{
    if (bytes == 2)
        ((uint16_t *)array)[l] = (uint16_t)v;
    else if (bytes == 4)
        ((uint32_t *)array)[l] = (uint32_t)v;
    else
        ((uint64_t *)array)[l] = v;
}

/* refs: address, 'vec' destinations, 'vec' values of b, c. */
static const struct uop *run_atom(struct warp *w, const struct uop *u)
{
    const struct address_operand a = address_operand(u);
    atom_fn *fn = (atom_fn *)u->fn;

    address_resolve(w, u->insn, &a, u->bytes * u->vec);
    warp_polls(w);
    for (uint32_t m = w->args.mask; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);
        /* On global memory atom.add.f32 flushes subnormals, on shared memory it does not (PTX ISA 9.1, 9.7.13.4). */
        bool flush = w->ea[l] - w->block->shared_base >= w->block->worker->shared_bytes;

        for (unsigned e = 0; e < u->vec; e++) {
            void *d = warp_at(w, u->refs[1 + e]);
            uint64_t b = element(warp_at(w, u->refs[1 + u->vec + e]), u->bytes, l);
            uint64_t c = element(warp_at(w, u->refs[1 + 2 * u->vec]), u->bytes, l);
            uint64_t old = update(w->ea[l] + e * u->bytes, u->bytes, fn, b, c, flush);

            if (d)
                set_element(d, u->bytes, l, old);
        }
    }
    return u + 1;
}

/* b128: exch and cas. */
struct wide {
    uint64_t lo, hi;
};

static bool compare_exchange_128(struct wide *p, struct wide *expected, struct wide desired)
{
    bool done;

    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(done), "+m"(*p), "+a"(expected->lo), "+d"(expected->hi)
                     : "b"(desired.lo), "c"(desired.hi)
                     : "memory");
    return done;
}

static const struct uop *run_atom_128(struct warp *w, const struct uop *u)
{
    const struct address_operand a = address_operand(u);

    address_resolve(w, u->insn, &a, 16);
    warp_polls(w);
    for (uint32_t m = w->args.mask; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);
        struct wide *p = (struct wide *)(uintptr_t)w->ea[l], *d = warp_at(w, u->refs[1]);
        const struct wide *b = warp_at(w, u->refs[2]), *c = warp_at(w, u->refs[3]);
        struct wide old = u->insn->atom == PTX_atom_cas ? b[l] : *p;

        if (u->insn->atom == PTX_atom_cas)
            compare_exchange_128(p, &old, c[l]);
        else
            while (!compare_exchange_128(p, &old, b[l]))
                ;
        if (d)
            d[l] = old;
    }
    return u + 1;
}

uop_fn *atom_select(const struct ptx_insn *insn, void (**fn)(void))
{
    atom_fn *f = find(insn);
    unsigned bits = ptx_type_bits[insn->types[0]];

    if (!f || bits < 16)
        return NULL;
    *fn = (void (*)(void))f;
    if (bits == 128)
        return insn->atom == PTX_atom_exch || insn->atom == PTX_atom_cas ? run_atom_128 : NULL;
    return run_atom;
}

/* cp.async as a copy made now, which is one of the orders it may happen in. refs: destination, source, bytes to take from the
 * source (the rest is zero; none: all), predicate to ignore the source (or none). */
const struct uop *run_cp_async(struct warp *w, const struct uop *u)
{
    struct address_operand a = address_operand(u);
    const uint32_t *size = warp_at(w, u->refs[2]), *ignore = warp_at(w, u->refs[3]);
    uint32_t all = w->args.mask, from = all;
    uint64_t to[VG_WARP];
    unsigned n = u->bytes;

    address_resolve(w, u->insn, &a, n);
    memcpy(to, w->ea, sizeof to);
    if (ignore)
        from &= ~*ignore;
    for (unsigned l = 0; size && l < VG_WARP; l++)
        if (!size[l])
            from &= ~(1u << l);
    if (from) {
        a = (struct address_operand){u->refs[1], ADDRESS_DEVICE, true, u->imm2};
        w->args.mask = from;
        address_resolve(w, u->insn, &a, n);
        w->args.mask = all;
    }
    for (uint32_t m = all; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m), take = from >> l & 1 ? n : 0;
        char *d = (char *)(uintptr_t)to[l];

        if (size && size[l] < take)
            take = size[l];
        if (take == 16)
            memcpy(d, (const void *)(uintptr_t)w->ea[l], 16);
        else {
            memcpy(d, (const void *)(uintptr_t)w->ea[l], take);
            memset(d + take, 0, n - take);
        }
    }
    return u + 1;
}
