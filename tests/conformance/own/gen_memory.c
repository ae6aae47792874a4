/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores of every type in every space, generic addresses, local arrays. */
#include "own.h"

#define OUT32(r) "cvt.u64.u32 %o0, " r ";"
#define W(slot) ((uint32_t)IN(slot))

/* Where a thread's 64 bytes lie, by space: declarations, and code that puts their address in %d0. */
static const struct space {
    const char *name, *suffix, *before, *address;
} spaces[] = {
    {"global", ".global", ".global .align 16 .b8 arena[32768];\n", "mov.u64 %d0, arena; mad.wide.u32 %d0, %gi, 64, %d0;"},
    {"shared", ".shared", "", ".shared .align 16 .b8 arena_s[4096]; mov.u64 %d0, arena_s; mad.wide.u32 %d0, %ti, 64, %d0;"},
    {"local", ".local", "", ".local .align 16 .b8 arena_l[64]; mov.u64 %d0, arena_l;"},
    {"generic_global", "", "", "mov.u64 %d0, arena; cvta.global.u64 %d0, %d0; mad.wide.u32 %d0, %gi, 64, %d0;"},
    {"generic_shared", "", "", ".shared .align 16 .b8 arena_s[4096]; mov.u64 %d0, arena_s; cvta.shared.u64 %d0, %d0;"
                               "mad.wide.u32 %d0, %ti, 64, %d0;"},
    {"generic_local", "", "", ".local .align 16 .b8 arena_l[64]; mov.u64 %d0, arena_l; cvta.local.u64 %d0, %d0;"},
};
enum { SPACES = sizeof spaces / sizeof *spaces };

/* The thread's input slots as bytes, at %d0. */
#define FILL "st%s.v2.b64 [%%d0], {%%a0, %%a1}; st%s.v2.b64 [%%d0+16], {%%a2, %%a3};\n"

static uint64_t bytes_at(const uint64_t *slots, unsigned at, unsigned n)
{
    uint64_t x = 0;

    memcpy(&x, (const char *)slots + at, n);
    return x;
}

static uint64_t extend(const char *type, uint64_t x)
{
    return type[0] != 's' ? x : !strcmp(type, "s8") ? (uint64_t)(int8_t)x : !strcmp(type, "s16") ? (uint64_t)(int16_t)x
         : !strcmp(type, "s32") ? (uint64_t)(int32_t)x : x;
}

/* Every integer type, loaded into wide registers at several places and stored to others. */
static void types(const struct space *s)
{
    static const char *const list[] = {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "b8", "b16", "b32", "b64"};
    char *fill = own_text(FILL, s->suffix, s->suffix);

    for (unsigned k = 0; k < sizeof list / sizeof *list; k++) {
        unsigned n = (unsigned)atoi(list[k] + 1) / 8;

        ENTRY(.name = own_text("ld_st_%s_%s", list[k], s->name), .before = k ? "" : s->before, .nout = 3,
              .body = own_text("%s %s ld%s.%s %%o0, [%%d0+%u]; add.u64 %%d1, %%d0, 32; ld%s.%s %%o1, [%%d1+-%u];"
                               "st%s.%s [%%d0+%u], %%a3; ld%s.b64 %%o2, [%%d0+8];",
                               s->address, fill, s->suffix, list[k], n, s->suffix, list[k], n, s->suffix, list[k], 8 + (n & 7),
                                   s->suffix)) {
            uint64_t memory[4] = {IN(0), IN(1), IN(2), IN(3)};

            OUT(0) = extend(list[k], bytes_at(memory, n, n));
            OUT(1) = extend(list[k], bytes_at(memory, 32 - n, n));
            memcpy((char *)memory + 8 + (n & 7), &memory[3], n);
            OUT(2) = memory[1];
        }
    }
    ENTRY(.name = own_text("vectors_%s", s->name), .nout = 4,
          .body = own_text("%s st%s.v4.b32 [%%d0], {%%w0, %%w1, %%w2, %%w3}; ld%s.v2.b64 {%%o0, %%o1}, [%%d0];"
                           "cvt.u16.u32 %%h0, %%w0; cvt.u16.u32 %%h1, %%w1; cvt.u16.u32 %%h2, %%w2; cvt.u16.u32 %%h3, %%w3;"
                           "st%s.v4.b16 [%%d0+16], {%%h0, %%h1, %%h2, %%h3}; st%s.v4.b8 [%%d0+24], {%%w0, %%w1, %%w2, %%w3};"
                           "st%s.v2.b16 [%%d0+28], {%%h3, %%h2};"
                           "ld%s.v2.u32 {%%r0, %%r1}, [%%d0+16]; mov.b64 %%o2, {%%r1, %%r0};"
                           "ld%s.v4.u8 {%%r0, %%r1, %%r2, %%r3}, [%%d0+24];"
                           "ld%s.v2.s16 {%%r4, %%r5}, [%%d0+28]; shl.b32 %%r1, %%r1, 8; or.b32 %%r0, %%r0, %%r1;"
                           "shl.b32 %%r3, %%r3, 8; or.b32 %%r2, %%r2, %%r3;"
                           "shl.b32 %%r2, %%r2, 16; add.u32 %%r0, %%r0, %%r2; add.u32 %%r4, %%r4, %%r5;"
                           "mov.b64 %%o3, {%%r0, %%r4};",
                           s->address, s->suffix, s->suffix, s->suffix, s->suffix, s->suffix, s->suffix, s->suffix, s->suffix)) {
        OUT(0) = W(0) | (uint64_t)W(1) << 32;
        OUT(1) = W(2) | (uint64_t)W(3) << 32;
        OUT(2) = (uint64_t)((W(0) & 0xffff) | W(1) << 16) << 32 | ((W(2) & 0xffff) | W(3) << 16);
        OUT(3) = (W(0) & 255) | (W(1) & 255) << 8 | (W(2) & 255) << 16 | (W(3) & 255) << 24 |
                 (uint64_t)(uint32_t)((int16_t)W(3) + (int16_t)W(2)) << 32;
    }
    ENTRY(.name = own_text("floats_%s", s->name), .pool = POOL_F64, .nout = 2, .types = "f64,u64",
          .body = own_text("%s cvt.rn.f64.u32 %%e2, %%ti; st%s.b64 [%%d0+8], %%a0; ld%s.f64 %%e0, [%%d0+8];"
                           "cvt.rn.f32.f64 %%f0, %%e0; st%s.f32 [%%d0+20], %%f0;"
                           "ld%s.u32 %%r0, [%%d0+20]; cvt.u64.u32 %%o1, %%r0; add.f64 %%e0, %%e0, %%e2; st%s.f64 [%%d0], %%e0;"
                           "ld%s.b64 %%o0, [%%d0];",
                           s->address, s->suffix, s->suffix, s->suffix, s->suffix, s->suffix, s->suffix)) {
        OUT(0) = bits_f64(f64_bits(IN(0)) + own.tid);
        OUT(1) = bits_f32((float)f64_bits(IN(0)));
    }
    ENTRY(.name = own_text("dynamic_index_%s", s->name),
          .body = own_text("%s st%s.v4.b32 [%%d0], {%%w0, %%w1, %%w2, %%w3}; and.b32 %%r0, %%w0, 3;"
                           "mad.wide.u32 %%d1, %%r0, 4, %%d0; ld%s.u32 %%r1, [%%d1];"
                           "and.b32 %%r2, %%r1, 7; mad.wide.u32 %%d2, %%r2, 2, %%d0; cvt.u16.u32 %%h0, %%w3;"
                           "st%s.u16 [%%d2], %%h0; ld%s.v4.u32 {%%r4, %%r5, %%r6, %%r7}, [%%d0];"
                           "xor.b32 %%r4, %%r4, %%r5; add.u32 %%r6, %%r6, %%r7; add.u32 %%r4, %%r4, %%r6; %s",
                           s->address, s->suffix, s->suffix, s->suffix, s->suffix, OUT32("%r4"))) {
        uint32_t m[4] = {W(0), W(1), W(2), W(3)};
        uint16_t low = (uint16_t)W(3);

        memcpy((char *)m + 2 * (m[m[0] & 3] & 7), &low, 2);
        OUT(0) = (uint32_t)((m[0] ^ m[1]) + (m[2] + m[3]));
    }
}

/* What ld and st may be decorated with changes no value. */
static void qualifiers(void)
{
    static const char *const loads[] = {"volatile.global", "relaxed.gpu.global", "relaxed.cta.global", "acquire.sys.global",
        "acquire.cluster.global",
                                        "global.ca", "global.cg", "global.cs", "global.lu", "global.cv", "global.nc",
                                            "global.L1::no_allocate",
                                        "global.L1::evict_last.L2::128B", "weak.global", "volatile", "relaxed.sys"};
    static const char *const stores[] = {"volatile.global", "relaxed.gpu.global", "relaxed.cta.global", "release.sys.global",
        "release.cluster.global",
                                         "global.wb", "global.cg", "global.cs", "global.wt", "weak.global", "volatile",
                                             "relaxed.sys"};

    for (unsigned k = 0; k < sizeof loads / sizeof *loads; k++) {
        char *name = own_text("ld_%s", loads[k]);

        for (char *p = name; *p; p++)
            *p = *p == '.' || *p == ':' ? '_' : *p;
        ENTRY(.name = name, .body = own_text("ld.%s.u64 %%d1, [%%pi+8]; not.b64 %%o0, %%d1;", loads[k]))
            OUT(0) = ~IN(1);
    }
    for (unsigned k = 0; k < sizeof stores / sizeof *stores; k++) {
        char *name = own_text("st_%s", stores[k]);

        for (char *p = name; *p; p++)
            *p = *p == '.' ? '_' : *p;
        ENTRY(.name = name, .nout = 2, .body = own_text("st.%s.u64 [%%po+8], %%a1; membar.gl; ld.global.u64 %%o1, [%%po+8];",
            stores[k])) {
            OUT(0) = 0;
            OUT(1) = IN(1);
        }
    }
}

static void generic(void)
{
    ENTRY(.name = "isspacep", /* of a global, a shared, a local and a constant address */
          .before = ".const .align 4 .u32 some_constant = 5;",
          .body = ".shared .align 8 .b8 sm[64]; .local .align 8 .b8 lo[64]; mov.u64 %d1, sm; cvta.shared.u64 %d1, %d1;"
                  "mov.u64 %d2, lo; cvta.local.u64 %d2, %d2;"
                  "mov.u64 %d3, some_constant; cvta.const.u64 %d3, %d3; mov.u64 %o0, 0;"
#define ASK(space, bit, d) "isspacep." space " %p1, " d "; selp.u64 %d9, " bit ", 0, %p1; or.b64 %o0, %o0, %d9;"
                  ASK("global", "0x1", "%pi") ASK("shared", "0x2", "%pi") ASK("local", "0x4", "%pi")
                  ASK("global", "0x10", "%d1") ASK("shared", "0x20", "%d1") ASK("local", "0x40", "%d1")
                  ASK("global", "0x100", "%d2") ASK("shared", "0x200", "%d2") ASK("local", "0x400", "%d2")
                  ASK("const", "0x1000", "%d3") ASK("shared", "0x2000", "%d3") ASK("local", "0x4000", "%d3") ASK("const",
                      "0x8000", "%pi"))
        OUT(0) = 0x1421;
    ENTRY(.name = "cvta_there_and_back",
          .body = ".shared .align 8 .b8 gap[24]; .shared .align 8 .b8 sm[512]; .local .align 8 .b8 lo[16]; mov.u64 %d1, sm;"
                  "mad.wide.u32 %d1, %ti, 8, %d1; cvta.shared.u64 %d2, %d1;"
                  "st.u64 [%d2], %a0; cvta.to.shared.u64 %d3, %d2; ld.shared.u64 %d4, [%d3]; mov.u64 %d5, lo;"
                  "cvta.local.u64 %d6, %d5; st.u64 [%d6+8], %a1; cvta.to.local.u64 %d7, %d6;"
                  "ld.local.u64 %d8, [%d7+8]; cvta.to.global.u64 %d9, %pi; ld.global.u64 %d10, [%d9+16]; add.u64 %d4, %d4, %d8;"
                  "add.u64 %o0, %d4, %d10;"
                  "sub.u64 %o1, %d1, %d3; sub.u64 %d5, %d5, %d7; or.b64 %o1, %o1, %d5; st.shared.u64 [gap], %a0;",
          .nout = 2) {
        OUT(0) = IN(0) + IN(1) + IN(2);
        OUT(1) = 0;
    }
    ENTRY(.name = "cvta_of_shared_32_bits",
          .body = ".shared .align 8 .b8 sm[512]; mov.u32 %r0, sm; mad.lo.u32 %r0, %ti, 8, %r0; st.shared.u64 [%r0], %a0;"
                  "cvt.u64.u32 %d1, %r0; cvta.shared.u64 %d1, %d1;"
                  "ld.u64 %d2, [%d1]; cvta.to.shared.u64 %d3, %d1; cvt.u32.u64 %r1, %d3; ld.shared.u64 %d4, [%r1];"
                  "xor.b64 %o0, %d2, %d4; add.u64 %o0, %o0, %d2;")
        OUT(0) = IN(0);
    ENTRY(.name = "generic_of_mixed_spaces", /* each third of the lanes has an address of another space */
          .before = ".global .align 8 .b8 mixed[4096];",
          .body = ".shared .align 8 .b8 sm[512]; .local .align 8 .b8 lo[8]; mov.u64 %d0, mixed; cvta.global.u64 %d0, %d0;"
                  "mad.wide.u32 %d0, %gi, 8, %d0; mov.u64 %d4, sm;"
                  "mad.wide.u32 %d4, %ti, 8, %d4; cvta.shared.u64 %d1, %d4; mov.u64 %d5, lo; cvta.local.u64 %d2, %d5;"
                  "rem.u32 %r0, %w3, 3; setp.eq.u32 %p0, %r0, 0;"
                  "setp.eq.u32 %p1, %r0, 1; selp.b64 %d3, %d1, %d2, %p1; selp.b64 %d3, %d0, %d3, %p0; st.global.u64 [%d0], %a0;"
                  "st.shared.u64 [%d4], %a0; st.local.u64 [%d5], %a0;"
                  "st.u32 [%d3+4], %w1; ld.u64 %o0, [%d3]; ld.global.u64 %o1, [%d0]; ld.shared.u64 %o2, [%d4];"
                  "ld.local.u64 %o3, [%d5];",
          .nout = 4) {
        uint64_t written = (uint32_t)IN(0) | (uint64_t)W(1) << 32;

        OUT(0) = written;
        for (unsigned k = 0; k < 3; k++)
            OUT(1 + k) = W(3) % 3 == k ? written : IN(0);
    }
    ENTRY(.name = "generic_atomics_of_mixed_spaces", .before = ".global .align 4 .b8 mixed_atom[2048];",
          .body = ".shared .align 4 .b8 sm[256]; mov.u64 %d0, mixed_atom; cvta.global.u64 %d0, %d0;"
                  "mad.wide.u32 %d0, %gi, 4, %d0; mov.u64 %d1, sm; cvta.shared.u64 %d1, %d1;"
                  "mad.wide.u32 %d1, %ti, 4, %d1; st.u32 [%d0], %w0; st.u32 [%d1], %w1; setp.lt.s32 %p0, %w3, 0;"
                  "selp.b64 %d2, %d0, %d1, %p0; atom.add.u32 %r0, [%d2], %w2;"
                  "atom.max.s32 %r1, [%d2], 0; ld.u32 %r2, [%d0]; ld.u32 %r3, [%d1]; xor.b32 %r0, %r0, %r1;"
                  "mov.b64 %o0, {%r2, %r3}; cvt.u64.u32 %o1, %r0;",
          .nout = 2) {
        bool global = (int32_t)W(3) < 0;
        uint32_t old = global ? W(0) : W(1), sum = old + W(2), last = (int32_t)sum < 0 ? 0 : sum;

        OUT(0) = (global ? last : W(0)) | (uint64_t)(global ? W(1) : last) << 32;
        OUT(1) = old ^ sum;
    }
    ENTRY(.name = "parameters_in_pieces",
          .body = "ld.param.u32 %r0, [pin]; ld.param.u32 %r1, [pin+4]; mov.b64 %d0, {%r0, %r1};"
                  "ld.param.v2.u32 {%r2, %r3}, [pout]; mov.b64 %d1, {%r2, %r3};"
                  "ld.param.u8 %r4, [pin+1]; ld.param.u16 %r5, [pin+2]; shl.b32 %r5, %r5, 16; shl.b32 %r4, %r4, 8;"
                  "or.b32 %r4, %r4, %r5; xor.b32 %r4, %r4, %r0; and.b32 %r4, %r4, 0xffffff00;"
                  "sub.u64 %d0, %d0, %in; sub.u64 %d1, %d1, %out; or.b64 %d0, %d0, %d1; cvt.u64.u32 %o0, %r4;"
                  "or.b64 %o0, %o0, %d0;")
        OUT(0) = 0;
    ENTRY(.name = "parameters_generic",
          .body = "mov.b64 %d0, pin; cvta.param.u64 %d1, %d0; ld.u64 %d2, [%d1]; sub.u64 %o0, %d2, %in; ld.param.u64 %d3, [%d0];"
                  "sub.u64 %d3, %d3, %in; or.b64 %o0, %o0, %d3;")
        OUT(0) = 0;
}

static void local_arrays(void)
{
    ENTRY(.name = "local_sort", /* insertion sort of sixteen bytes */
          .body = ".local .align 16 .b8 t[16]; st.local.v4.b32 [t], {%w0, %w1, %w2, %w3}; mov.u32 %r0, t; mov.u32 %r1, 1;"
                  "O: setp.ge.u32 %p0, %r1, 16; @%p0 bra E; add.u32 %r2, %r0, %r1; ld.local.u8 %r3, [%r2];"
                  "I: setp.eq.u32 %p1, %r2, %r0; @%p1 bra D; ld.local.u8 %r4, [%r2+-1]; setp.le.u32 %p2, %r4, %r3; @%p2 bra D;"
                  "st.local.u8 [%r2], %r4; sub.u32 %r2, %r2, 1; bra I;"
                  "D: st.local.u8 [%r2], %r3; add.u32 %r1, %r1, 1; bra O; E: ld.local.v2.u64 {%o0, %o1}, [t];",
          .nout = 2) {
        uint8_t t[16];

        for (int k = 0; k < 16; k++) {
            uint8_t x = (uint8_t)(W(k / 4) >> 8 * (k % 4));
            int at = k;

            for (; at && t[at - 1] > x; at--)
                t[at] = t[at - 1];
            t[at] = x;
        }
        OUT(0) = bytes_at((void *)t, 0, 8);
        OUT(1) = bytes_at((void *)(t + 8), 0, 8);
    }
    ENTRY(.name = "local_histogram",
          .body = ".local .align 4 .b8 t[64]; mov.u32 %r0, t; mov.u32 %r1, 0; mov.u32 %r2, 0; Z: add.u32 %r3, %r0, %r2;"
                  "st.local.u32 [%r3], %r1; add.u32 %r2, %r2, 4; setp.lt.u32 %p0, %r2, 64;"
                  "@%p0 bra Z; mov.u64 %d0, %a0; mov.u32 %r2, 16; C: cvt.u32.u64 %r3, %d0; and.b32 %r3, %r3, 15;"
                  "mad.lo.u32 %r3, %r3, 4, %r0; ld.local.u32 %r4, [%r3]; add.u32 %r4, %r4, 1;"
                  "st.local.u32 [%r3], %r4; shr.u64 %d0, %d0, 4; sub.u32 %r2, %r2, 1; setp.ne.u32 %p0, %r2, 0; @%p0 bra C;"
                  "mov.u32 %r2, 0; mov.u32 %r5, 0;"
                  "S: add.u32 %r3, %r0, %r2; ld.local.u32 %r4, [%r3]; mad.lo.u32 %r5, %r5, 7, %r4; add.u32 %r2, %r2, 4;"
                  "setp.lt.u32 %p0, %r2, 64; @%p0 bra S;" OUT32("%r5")) {
        uint32_t count[16] = {0}, x = 0;

        for (int k = 0; k < 16; k++)
            count[IN(0) >> 4 * k & 15]++;
        for (int k = 0; k < 16; k++)
            x = x * 7 + count[k];
        OUT(0) = x;
    }
    ENTRY(.name = "local_pointers_stored", /* a linked list through local memory */
          .body = ".local .align 8 .b8 t[128]; mov.u64 %d0, t; cvta.local.u64 %d0, %d0; mov.u64 %d1, 0; mov.u32 %r0, 8;"
                  "mov.u64 %d2, %a0;"
                  "P: shl.b32 %r1, %r0, 4; cvt.u64.u32 %d3, %r1; add.u64 %d3, %d0, %d3; st.u64 [%d3+-16], %d1;"
                  "st.u64 [%d3+-8], %d2; sub.u64 %d1, %d3, 16; mul.lo.u64 %d2, %d2, 3;"
                  "sub.u32 %r0, %r0, 1; setp.ne.u32 %p0, %r0, 0; @%p0 bra P; mov.u64 %d4, 0; W: setp.eq.u64 %p0, %d1, 0;"
                  "@%p0 bra E; ld.v2.u64 {%d1, %d5}, [%d1]; mad.lo.u64 %d4, %d4, 5, %d5; bra W;"
                  "E: mov.u64 %o0, %d4;") {
        uint64_t v[8], x = 0;

        for (int k = 7; k >= 0; k--)
            v[k] = k == 7 ? IN(0) : v[k + 1] * 3;
        for (int k = 0; k < 8; k++)
            x = x * 5 + v[k];
        OUT(0) = x;
    }
    ENTRY(.name = "shared_transpose", .block = 256,
          .body = ".shared .align 4 .b8 sm[1088]; mov.u32 %r0, sm; shr.u32 %r1, %ti, 4; and.b32 %r2, %ti, 15;"
                  "mad.lo.u32 %r3, %r1, 17, %r2; mad.lo.u32 %r3, %r3, 4, %r0; st.shared.u32 [%r3], %w0;"
                  "bar.sync 0; mad.lo.u32 %r3, %r2, 17, %r1; mad.lo.u32 %r3, %r3, 4, %r0; ld.shared.u32 %r4, [%r3];" OUT32("%r4"))
        OUT(0) = (uint32_t)IN_OF(own.cta * 256 + own.tid % 16 * 16 + own.tid / 16, 0);
    ENTRY(.name = "shared_prefix_sum", .block = 128,
          .body = ".shared .align 4 .b8 sm[512]; mov.u32 %r0, sm; mad.lo.u32 %r1, %ti, 4, %r0; mov.u32 %r2, %w0; mov.u32 %r3, 1;"
                  "L: st.shared.u32 [%r1], %r2; bar.sync 0; setp.lt.u32 %p0, %ti, %r3;"
                  "mov.u32 %r5, 0; shl.b32 %r4, %r3, 2; sub.u32 %r4, %r1, %r4; @!%p0 ld.shared.u32 %r5, [%r4];"
                  "add.u32 %r2, %r2, %r5; bar.sync 0; shl.b32 %r3, %r3, 1; setp.lt.u32 %p1, %r3, 128; @%p1 bra L;"
                  OUT32("%r2")) {
        uint32_t x = 0;

        for (unsigned j = own.cta * 128; j <= own.i; j++)
            x += (uint32_t)IN_OF(j, 0);
        OUT(0) = x;
    }
}

void gen_memory(void)
{
    own_family("memory", "");
    for (int k = 0; k < SPACES; k++)
        types(&spaces[k]);
    qualifiers();
    generic();
    local_arrays();
}
