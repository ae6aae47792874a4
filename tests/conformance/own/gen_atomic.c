/* SPDX-License-Identifier: Apache-2.0 */
/* Atomics: every operation and type on places of a thread's own, where the old value and the new are known, and with all
 * threads of a block on few places, where what is left is known. */
#include "own.h"

#include <math.h>

#define W(slot) ((uint32_t)IN(slot))

enum kind { K_B16, K_32, K_64 };

struct atomic {
    const char *op, *type;
    enum kind kind;
    enum own_pool pool;
    bool contend;   /* what is left does not depend on the order */
    bool red;       /* red has it too */
};

static const struct atomic atomics[] = {
    {"and", "b32", K_32, POOL_BITS, true, true},   {"or", "b32", K_32, POOL_BITS, true, true},    {"xor", "b32", K_32,
        POOL_BITS, true, true},
    {"and", "b64", K_64, POOL_BITS, true, true},   {"or", "b64", K_64, POOL_BITS, true, true},    {"xor", "b64", K_64,
        POOL_BITS, true, true},
    {"exch", "b32", K_32, POOL_BITS, false, false}, {"exch", "b64", K_64, POOL_BITS, false, false},
    {"add", "u32", K_32, POOL_BITS, true, true},   {"add", "s32", K_32, POOL_BITS, true, true},   {"add", "u64", K_64,
        POOL_BITS, true, true},
    {"inc", "u32", K_32, POOL_SMALL, false, true}, {"dec", "u32", K_32, POOL_SMALL, false, true},
    {"min", "u32", K_32, POOL_BITS, true, true},   {"max", "u32", K_32, POOL_BITS, true, true},   {"min", "s32", K_32,
        POOL_BITS, true, true},
    {"max", "s32", K_32, POOL_BITS, true, true},   {"min", "u64", K_64, POOL_BITS, true, true},   {"max", "u64", K_64,
        POOL_BITS, true, true},
    {"min", "s64", K_64, POOL_BITS, true, true},   {"max", "s64", K_64, POOL_BITS, true, true},
    {"add", "f32", K_32, POOL_F32, false, true},   {"add", "f64", K_64, POOL_F64, false, true},
    {"add.noftz", "f16", K_B16, POOL_F16X2, false, true}, {"add.noftz", "bf16", K_B16, POOL_BF16X2, false, true},
    {"add.noftz", "f16x2", K_32, POOL_F16X2, false, true}, {"add.noftz", "bf16x2", K_32, POOL_BF16X2, false, true},
};
enum { ATOMICS = sizeof atomics / sizeof *atomics };

static unsigned add_small(const struct own_format *f, unsigned a, unsigned b)
{
    return own_encode(f, own_decode(f, a & 0xffff) + own_decode(f, b & 0xffff), false);
}

static uint64_t apply(const struct atomic *a, uint64_t old, uint64_t x)
{
    const char *op = a->op, *type = a->type;
    uint32_t o = (uint32_t)old, v = (uint32_t)x;
    bool wide = a->kind == K_64, less;

    if (!strncmp(type, "f16", 3) || !strncmp(type, "bf16", 4)) {
        const struct own_format *f = type[0] == 'f' ? &own_f16 : &own_bf16;

        return add_small(f, o, v) | (a->kind == K_32 ? add_small(f, o >> 16, v >> 16) << 16 : 0);
    }
    if (!strcmp(type, "f32"))
        return bits_f32(f32_bits(old) + f32_bits(x));
    if (!strcmp(type, "f64"))
        return bits_f64(f64_bits(old) + f64_bits(x));
    if (!strcmp(op, "inc"))
        return o >= v ? 0 : o + 1;
    if (!strcmp(op, "dec"))
        return o == 0 || o > v ? v : o - 1;
    if (!strcmp(op, "min") || !strcmp(op, "max")) {
        less = type[0] == 's' ? wide ? (int64_t)x < (int64_t)old : (int32_t)v < (int32_t)o : wide ? x < old : v < o;
        return (op[1] == 'i') == less ? x : old;
    }
    old = !strcmp(op, "and") ? old & x : !strcmp(op, "or") ? old | x : !strcmp(op, "xor") ? old ^ x : !strcmp(op,
        "exch") ? x : old + x;
    return wide ? old : (uint32_t)old;
}

static uint64_t narrow(const struct atomic *a, uint64_t x)
{
    return a->kind == K_64 ? x : a->kind == K_32 ? (uint32_t)x : (uint16_t)x;
}

static char *flat(const char *name)
{
    char *s = own_text("%s", name);

    for (char *p = s; *p; p++)
        *p = *p == '.' || *p == ':' ? '_' : *p;
    return s;
}

/* Registers by size: value of a slot, and how a result becomes a slot. */
static const char *const move_in[] = {"cvt.u16.u32 %%h%d, %%w%d;", "mov.b32 %%r%d, %%w%d;", "mov.b64 %%d%d, %%a%d;"};
static const char *const reg[] = {"%h", "%r", "%d"}, *const bits[] = {"b16", "b32", "b64"};
static const char *const move_out[] = {"cvt.u64.u16 %o0, %h9;", "cvt.u64.u32 %o0, %r9;", "mov.b64 %o0, %d9;"};

static char *load_slot(enum kind kind, int r, int slot)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return own_text(move_in[kind], r, slot, r, slot);
#pragma GCC diagnostic pop
}

#define OWN_PLACE ".global .align 16 .b8 places[16384];"
static const struct {
    const char *name, *suffix, *address;
} places[] = {
    {"global", ".global", "mov.u64 %%d20, places; mad.wide.u32 %%d20, %%gi, 32, %%d20;"},
    {"shared", ".shared", ".shared .align 16 .b8 places_s[2048]; mov.u64 %%d20, places_s; mad.wide.u32 %%d20, %%ti, 32, %%d20;"},
    {"generic", "", "mov.u64 %%d20, places; cvta.global.u64 %%d20, %%d20; mad.wide.u32 %%d20, %%gi, 32, %%d20;"},
};

static char *address_of(int p)
{
    char *s = own_text("%s", places[p].address), *to = s;

    for (char *from = s; *from; from++)
        if (*(to++) = *from, from[0] == '%' && from[1] == '%')
            from++;
    *to = 0;
    return s;
}

/* atom: the old value and what is there afterwards. */
static void alone(const struct atomic *a, int p)
{
    const char *s = places[p].suffix;
    char r = reg[a->kind][1];

    ENTRY(.name = flat(own_text("atom_%s_%s_%s", a->op, a->type, places[p].name)), .pool = a->pool, .nout = 2,
          .body = own_text("%s %s %s st%s.%s [%%d20+8], %%%c0; atom%s.%s.%s %%%c9, [%%d20+8], %%%c1;"
                           "%s ld%s.%s %%%c9, [%%d20+8]; cvt.u64.u%d %%o1, %%%c9;", address_of(p),
                           load_slot(a->kind, 0, 0), load_slot(a->kind, 1, 1), s, bits[a->kind], r, s, a->op, a->type, r, r,
                               move_out[a->kind], s, bits[a->kind], r,
                           16 << a->kind, r)) {
        OUT(0) = narrow(a, IN(0));
        OUT(1) = narrow(a, apply(a, narrow(a, IN(0)), narrow(a, IN(1))));
    }
}

/* The whole block on eight places, first filled with slot 1 of the first eight threads. */
static void contended(const struct atomic *a, int p, const char *op)
{
    const char *s = places[p].suffix, *old = own_text("%%%c9, ", reg[a->kind][1]);
    char r = reg[a->kind][1];
    const char *at = p == 1 ? ".shared .align 16 .b8 few_s[64]; mov.u64 %d20, few_s;" : "mov.u64 %d20, few;"
            "mad.wide.u32 %d20, %ci, 64, %d20;";

    ENTRY(.name = flat(own_text("%s_%s_%s_contended_%s", op, a->op, a->type, places[p].name)), .pool = a->pool, .block = 256,
          .body = own_text("%s %s and.b32 %%r30, %%ti, 7; mad.wide.u32 %%d20, %%r30, 8, %%d20; %s setp.lt.u32 %%p0, %%ti, 8;"
                           "@%%p0 st%s.%s [%%d20], %%%c1; bar.sync 0;"
                           "%s%s.%s.%s %s[%%d20], %%%c0; bar.sync 0; ld%s.%s %%%c9, [%%d20]; %s",
                           at, load_slot(a->kind, 0, 0), load_slot(a->kind, 1, 1), s, bits[a->kind], r, op, s, a->op, a->type,
                               strcmp(op, "atom") ? "" : old, r, s,
                           bits[a->kind], r, move_out[a->kind])) {
        unsigned first = own.cta * 256;
        uint64_t x = narrow(a, IN_OF(first + own.tid % 8, 1));

        for (unsigned j = first + own.tid % 8; j < first + 256; j += 8)
            x = apply(a, x, narrow(a, IN_OF(j, 0)));
        OUT(0) = x;
    }
}

/* Small whole numbers add up exactly in any order. */
static void contended_floats(void)
{
    static const struct {
        const char *type;
        enum kind kind;
        const char *value; /* of %r0, a number of 0...3 */
    } t[] = {
        {"f32", K_32, "cvt.rn.f32.u32 %f0, %r0; mov.b32 %r1, %f0;"},
        {"f64", K_64, "cvt.rn.f64.u32 %e0, %r0; mov.b64 %d1, %e0;"},
        {"noftz.f16", K_B16, "cvt.rn.f16.u32 %h1, %r0;"},
        {"noftz.bf16", K_B16, "cvt.rn.f32.u32 %f0, %r0; cvt.rn.bf16.f32 %h1, %f0;"},
        {"noftz.f16x2", K_32, "cvt.rn.f16.u32 %h1, %r0; mov.b32 %r1, {%h1, %h1};"},
        {"noftz.bf16x2", K_32, "cvt.rn.f32.u32 %f0, %r0; cvt.rn.bf16.f32 %h1, %f0; mov.b32 %r1, {%h1, %h1};"},
    };

    for (unsigned k = 0; k < sizeof t / sizeof *t; k++)
        for (int p = 0; p < 2; p++)
            for (int red = 0; red < 2; red++)
                ENTRY(.name = flat(own_text("%s_add_%s_counts_%s", red ? "red" : "atom", t[k].type, places[p].name)), .block = 128,
                      .body = own_text("%s and.b32 %%r30, %%ti, 3; mad.wide.u32 %%d20, %%r30, 8, %%d20; mov.u64 %%d21, 0;"
                                       "st%s.u64 [%%d20], %%d21; and.b32 %%r0, %%w0, 3; %s bar.sync 0;"
                                       "%s%s.add.%s %s[%%d20], %%%c1; bar.sync 0; ld%s.u64 %%o0, [%%d20];",
                                       p ? ".shared .align 8 .b8 few_s[64]; mov.u64 %d20, few_s;" : "mov.u64 %d20, few;"
                                               "mad.wide.u32 %d20, %ci, 64, %d20;", places[p].suffix,
                                       t[k].value, red ? "red" : "atom", places[p].suffix, t[k].type,
                                           red ? "" : own_text("%%%c9, ", reg[t[k].kind][1]), reg[t[k].kind][1],
                                       places[p].suffix)) {
                    unsigned n = 0, code;

                    for (unsigned j = own.cta * 128 + own.tid % 4; j < own.cta * 128 + 128; j += 4)
                        n += (unsigned)IN_OF(j, 0) & 3;
                    code = own_encode(strchr(t[k].type, 'b') ? &own_bf16 : &own_f16, n, false);
                    OUT(0) = k == 0 ? bits_f32((float)n) : k == 1 ? bits_f64(n) : k < 4 ? code : code | code << 16;
                }
}

static void swaps(void)
{
    for (int p = 0; p < 3; p++) {
        const char *s = places[p].suffix;

        for (int kind = 0; kind < 3; kind++) /* compared with what is there in half of the lanes */
            ENTRY(.name = own_text("atom_cas_%s_%s", bits[kind], places[p].name), .nout = 2,
                  .body = own_text("%s %s %s %s st%s.%s [%%d20+8], %%%c0; setp.lt.s32 %%p0, %%w3, 0; @%%p0 mov.%s %%%c1, %%%c0;"
                                   "atom%s.cas.%s %%%c9, [%%d20+8], %%%c1, %%%c2; %s"
                                   "ld%s.u%d %%o1, [%%d20+8];",
                                   address_of(p), load_slot(kind, 0, 0), load_slot(kind, 1, 1), load_slot(kind, 2, 2), s,
                                       bits[kind], reg[kind][1], bits[kind], reg[kind][1],
                                   reg[kind][1], s, bits[kind], reg[kind][1], reg[kind][1], reg[kind][1], move_out[kind], s,
                                       16 << kind)) {
                struct atomic a = {.kind = kind};

                OUT(0) = narrow(&a, IN(0));
                OUT(1) = narrow(&a, (int32_t)W(3) < 0 || narrow(&a, IN(0)) == narrow(&a, IN(1)) ? IN(2) : IN(0));
            }
        ENTRY(.name = own_text("atom_cas_b128_%s", places[p].name), .nout = 4,
              .body = own_text("%s .reg .b128 %%q<4>; st%s.v2.b64 [%%d20], {%%a0, %%a1}; mov.b64 %%d0, %%a1;"
                               "setp.lt.s32 %%p0, %%w3, 0; @%%p0 not.b64 %%d0, %%d0; mov.b128 %%q0, {%%a0, %%d0};"
                               "mov.b128 %%q1, {%%a2, %%a3}; atom%s.cas.b128 %%q2, [%%d20], %%q0, %%q1;"
                               "mov.b128 {%%o0, %%o1}, %%q2; ld%s.v2.b64 {%%o2, %%o3}, [%%d20];",
                               address_of(p), s, s, s)) {
            bool same = (int32_t)W(3) >= 0;

            OUT(0) = IN(0);
            OUT(1) = IN(1);
            OUT(2) = same ? IN(2) : IN(0);
            OUT(3) = same ? IN(3) : IN(1);
        }
        ENTRY(.name = own_text("atom_exch_b128_%s", places[p].name), .nout = 4,
              .body = own_text("%s .reg .b128 %%q<4>; st%s.v2.b64 [%%d20], {%%a0, %%a1}; mov.b128 %%q1, {%%a2, %%a3};"
                               "atom%s.exch.b128 %%q2, [%%d20], %%q1; mov.b128 {%%o0, %%o1}, %%q2;"
                               "ld%s.v2.b64 {%%o2, %%o3}, [%%d20];",
                               address_of(p), s, s, s)) {
            for (unsigned k = 0; k < 4; k++)
                OUT(k) = IN(k);
        }
    }
    ENTRY(.name = "cas_loop_multiplies", .block = 128, /* an operation made of cas: a product that all threads of a block share */
          .body = "mov.u64 %d20, few; mad.wide.u32 %d20, %ci, 64, %d20; mov.u32 %r0, 1; st.global.u32 [%d20], %r0; bar.sync 0;"
                  "or.b32 %r1, %w0, 1; ld.volatile.global.u32 %r2, [%d20];"
                  "L: mul.lo.u32 %r3, %r2, %r1; atom.global.cas.b32 %r4, [%d20], %r2, %r3; setp.eq.u32 %p0, %r4, %r2;"
                  "mov.u32 %r2, %r4; @!%p0 bra L; bar.sync 0;"
                  "ld.volatile.global.u32 %r5, [%d20]; cvt.u64.u32 %o0, %r5;") {
        uint32_t x = 1;

        for (unsigned j = own.cta * 128; j < own.cta * 128 + 128; j++)
            x *= (uint32_t)IN_OF(j, 0) | 1;
        OUT(0) = x;
    }
    ENTRY(.name = "spin_lock", .block = 64, /* every lane of a warp takes the block's lock in turn */
          .body = "mov.u64 %d20, few; mad.wide.u32 %d20, %ci, 64, %d20; mov.u32 %r0, 0; st.global.v2.u32 [%d20], {%r0, %r0};"
                  "bar.sync 0;"
                  "L: atom.global.acquire.gpu.cas.b32 %r1, [%d20], 0, 1; setp.ne.u32 %p0, %r1, 0; @%p0 bra L;"
                  "ld.volatile.global.u32 %r2, [%d20+4]; add.u32 %r2, %r2, %w0;"
                  "st.volatile.global.u32 [%d20+4], %r2; membar.gl; atom.global.release.gpu.exch.b32 %r3, [%d20], 0; bar.sync 0;"
                  "ld.volatile.global.u32 %r4, [%d20+4]; cvt.u64.u32 %o0, %r4;") {
        uint32_t x = 0;

        for (unsigned j = own.cta * 64; j < own.cta * 64 + 64; j++)
            x += (uint32_t)IN_OF(j, 0);
        OUT(0) = x;
    }
    ENTRY(.name = "tickets", .block = 512, /* numbers handed out once each: their sum and their bits say so */
          .body = "mov.u64 %d20, few; mov.u64 %d0, 0; st.global.v2.u64 [%d20], {%d0, %d0}; bar.sync 0;"
                  "atom.global.add.u32 %r0, [%d20], 1; mul.lo.u32 %r1, %r0, %r0; red.global.add.u32 [%d20+4], %r0;"
                  "red.global.add.u32 [%d20+8], %r1; bar.sync 0; ld.global.u32 %r2, [%d20]; ld.global.u32 %r3, [%d20+4];"
                  "ld.global.u32 %r4, [%d20+8]; mad.lo.u32 %r3, %r3, 7, %r4; mov.b64 %o0, {%r2, %r3};")
        OUT(0) = 512 | (uint64_t)(511 * 512 / 2 * 7 + 511 * 512 * 1023 / 6) << 32;
    ENTRY(.name = "wrapping_counter", .block = 256,
          .body = "mov.u64 %d20, few; mad.wide.u32 %d20, %ci, 64, %d20; mov.u32 %r0, 0; st.global.v2.u32 [%d20], {%r0, %r0};"
                  "bar.sync 0; atom.global.inc.u32 %r1, [%d20], 10; red.global.dec.u32 [%d20+4], 6;"
                  "bar.sync 0; ld.global.v2.u32 {%r2, %r3}, [%d20]; mov.b64 %o0, {%r2, %r3};")
        OUT(0) = 256 % 11 | (uint64_t)((7 - 256 % 7) % 7) << 32;
}

/* Vectors: each element for itself. */
static void vectors(void)
{
    static const struct {
        const char *op, *type;
        int n;
        char r;
        enum own_pool pool;
    } t[] = {
        {"add", "f32", 2, 'f', POOL_F32},            {"add", "f32", 4, 'f', POOL_F32},           {"add.noftz", "f16", 2, 'h',
            POOL_F16X2},
        {"add.noftz", "f16", 4, 'h', POOL_F16X2},    {"add.noftz", "f16", 8, 'h', POOL_F16X2},   {"add.noftz", "bf16", 8, 'h',
            POOL_BF16X2},
        {"min.noftz", "f16", 4, 'h', POOL_F16X2},    {"max.noftz", "bf16", 4, 'h', POOL_BF16X2}, {"add.noftz", "f16x2", 2, 'r',
            POOL_F16X2},
        {"add.noftz", "bf16x2", 4, 'r', POOL_BF16X2}, {"max.noftz", "f16x2", 4, 'r', POOL_F16X2},  {"min.noftz", "bf16x2", 2,
            'r', POOL_BF16X2},
    };

    for (unsigned k = 0; k < sizeof t / sizeof *t; k++)
        for (int red = 0; red < 2; red++) {
            const char *old = "", *x = "", *got = "", *load = "";
            const struct own_format *f = t[k].type[0] == 'f' ? &own_f16 : &own_bf16;
            int size = t[k].r == 'h' ? 2 : 4;

            /* Old values from slots 0 and 1, others from 2 and 3, each register the low part of one of them, halves
             * exchanged for a second use. */
            for (int i = 0; i < t[k].n; i++) {
                load = own_text("%s%s%s", load, own_text("mov.b32 %%r40, %%w%d; mov.b32 %%r41, %%w%d;", i & 1, 2 + (i & 1)),
                                i & 2 && t[k].r != 'f' ? "shl.b32 %r42, %r40, 16; shr.u32 %r40, %r40, 16;"
                                                         "or.b32 %r40, %r40, %r42; shl.b32 %r42, %r41, 16;"
                                                         "shr.u32 %r41, %r41, 16; or.b32 %r41, %r41, %r42;" : "");
                load = own_text("%s%s", load,
                                t[k].r == 'h'   ? own_text("cvt.u16.u32 %%h%d, %%r40; cvt.u16.u32 %%h%d, %%r41;", i, 10 + i)
                                : t[k].r == 'f' ? own_text("mov.b32 %%f%d, %%r40; mov.b32 %%f%d, %%r41;", i, 10 + i)
                                                : own_text("mov.b32 %%r%d, %%r40; mov.b32 %%r%d, %%r41;", i, 10 + i));
                old = own_text("%s st.global.b%d [%%d20+%d], %%%c%d;", old, 8 * size, i * size, t[k].r, i);
                x = own_text("%s%s%%%c%d", x, i ? ", " : "", t[k].r, 10 + i);
                got = own_text("%s%s%%%c%d", got, i ? ", " : "", t[k].r, 20 + i);
            }
            ENTRY(.name = flat(own_text("%s_%s_v%d_%s", red ? "red" : "atom", t[k].op, t[k].n, t[k].type)), .pool = t[k].pool,
                .nout = 4,
                  .body = red ? own_text("mov.u64 %%d20, places; mad.wide.u32 %%d20, %%gi, 32, %%d20; %s mov.u64 %%d21, 0;"
                                         "st.global.v2.b64 [%%d20], {%%d21, %%d21}; %s red.global.%s.v%d.%s [%%d20], {%s};"
                                         "ld.global.v2.b64 {%%o0, %%o1}, [%%d20];",
                                         load, old, t[k].op, t[k].n, t[k].type, x)
                              : own_text("mov.u64 %%d20, places; mad.wide.u32 %%d20, %%gi, 32, %%d20; %s mov.u64 %%d21, 0;"
                                         "st.global.v2.b64 [%%d20], {%%d21, %%d21};"
                                         "st.global.v2.b64 [%%d20+16], {%%d21, %%d21}; %s"
                                         "atom.global.%s.v%d.%s {%s}, [%%d20], {%s}; ld.global.v2.b64 {%%o0, %%o1}, [%%d20];"
                                         "%s ld.global.v2.b64 {%%o2, %%o3}, [%%d20+16];",
                                         load, old, t[k].op, t[k].n, t[k].type, got, x,
                                         t[k].n == 8 ? "st.global.v4.b16 [%d20+16], {%h20, %h21, %h22, %h23};"
                                                       "st.global.v4.b16 [%d20+24], {%h24, %h25, %h26, %h27};"
                                                     : own_text("st.global.v%d.b%d [%%d20+16], {%s};", t[k].n, 8 * size, got))) {
                char was[16] = {0}, is[16] = {0};

                for (int i = 0; i < t[k].n; i++) {
                    uint32_t o = W(i & 1), v = W(2 + (i & 1)), y;

                    if (i & 2 && t[k].r != 'f') {
                        o = o << 16 | o >> 16;
                        v = v << 16 | v >> 16;
                    }
                    if (t[k].r == 'f') {
                        y = bits_f32(f32_bits(o) + f32_bits(v));
                    } else {
                        y = 0;
                        for (int h = 0; h < 32; h += 16) {
                            double a = own_decode(f, o >> h & 0xffff), b = own_decode(f, v >> h & 0xffff);

                            y |= own_encode(f, t[k].op[0] == 'a' ? a + b : t[k].op[1] == 'i' ? fmin(a, b) : fmax(a, b), false) << h;
                        }
                    }
                    memcpy(was + i * size, &o, (size_t)size);
                    memcpy(is + i * size, &y, (size_t)size);
                }
                memcpy(&OUT(0), is, 16);
                if (!red)
                    memcpy(&OUT(2), was, 16);
            }
        }
}

/* Order and scope change no value when a thread is alone. */
static void orders(void)
{
    static const char *const sems[] = {"relaxed", "acquire", "release", "acq_rel"}, *const scopes[] = {"cta", "cluster", "gpu",
        "sys"};

    for (int p = 0; p < 3; p++) {
        char *body = own_text("%s st%s.u32 [%%d20], %%w0; mov.u32 %%r5, 0;\n", address_of(p), places[p].suffix);

        for (int s = 0; s < 4; s++)
            for (int c = 0; c < 4; c++)
                body = own_text("%satom.%s.%s%s.add.u32 %%r1, [%%d20], %%w1; mad.lo.u32 %%r5, %%r5, 3, %%r1;\n", body, sems[s],
                    scopes[c], places[p].suffix);
        body = own_text("%sred.relaxed.cta%s.add.u32 [%%d20], 1; red.release.gpu%s.max.s32 [%%d20], 0;"
                        "red.relaxed.sys%s.or.b32 [%%d20], 1; ld%s.u32 %%r2, [%%d20]; mov.b64 %%o0, {%%r5, %%r2};", body,
                        places[p].suffix, places[p].suffix, places[p].suffix, places[p].suffix);
        ENTRY(.name = own_text("orders_%s", places[p].name), .body = body) {
            uint32_t at = W(0), x = 0;

            for (int k = 0; k < 16; k++, at += W(1))
                x = x * 3 + at;
            at++;
            at = (int32_t)at < 0 ? 0 : at;
            OUT(0) = x | (uint64_t)(at | 1) << 32;
        }
    }
}

/* Subnormal sums: flushed in global memory, kept in shared memory (PTX ISA, atom: add.f32). */
static void subnormals(void)
{
    for (int p = 0; p < 2; p++)
        ENTRY(.name = own_text("atom_add_f32_subnormal_%s", places[p].name),
              .body = own_text("%s and.b32 %%r0, %%w0, 0x807fffff; and.b32 %%r1, %%w1, 0x807fffff; mov.b32 %%f1, %%r1;"
                               "st%s.u32 [%%d20], %%r0; atom%s.add.f32 %%f2, [%%d20], %%f1; ld%s.u32 %%r2, [%%d20];"
                               "mov.b32 %%r3, %%f2; mov.b64 %%o0, {%%r3, %%r2};",
                               address_of(p), places[p].suffix, places[p].suffix, places[p].suffix)) {
            uint32_t a = W(0) & 0x807fffff, b = W(1) & 0x807fffff, sum = bits_f32(f32_bits(a) + f32_bits(b));

            if (!p)
                sum = (a & b) >> 31 << 31; /* zeros of either sign */
            OUT(0) = a | (uint64_t)sum << 32;
        }
}

void gen_atomic(void)
{
    own_family("atomic", OWN_PLACE "\n.global .align 16 .b8 few[512];\n");
    for (const struct atomic *a = atomics; a < atomics + ATOMICS; a++) {
        for (int p = 0; p < 3; p++)
            alone(a, p);
        for (int p = 0; p < 2; p++) {
            if (a->contend)
                contended(a, p, p ? "atom" : "red");
            if (a->contend && a->kind == K_64)
                contended(a, p, p ? "red" : "atom");
        }
    }
    contended_floats();
    swaps();
    vectors();
    orders();
    subnormals();
}
