/* SPDX-License-Identifier: Apache-2.0 */
/* .func calls: parameters of every type, nesting, recursion, function pointers, calls and returns under divergence. */
#include "own.h"

/* A call of a function from u32 to u32: %r(d) = name(%r(s)). */
#define CALL(d, name, s) \
    "{ .param .b32 ca, cr; st.param.b32 [ca], " s "; call (cr), " name ", (ca); ld.param.b32 " d ", [cr]; }\n"
#define GUARDED_CALL(p, d, name, s) \
    "{ .param .b32 ca, cr; st.param.b32 [ca], " s "; @" p " call (cr), " name ", (ca); ld.param.b32 %r63, [cr]; }\n" \
    "selp.b32 " d ", %r63, " d ", " p ";\n"
#define FUNC(name, body) \
    ".func (.param .b32 y) " name "(.param .b32 x)\n{ .reg .b32 %r<8>; .reg .pred %p<4>; ld.param.b32 %r0, [x];\n" \
    body "\nst.param.b32 [y], %r0; ret; }\n"
#define OUT32(r) "cvt.u64.u32 %o0, " r ";"
#define W(slot) ((uint32_t)IN(slot))

/* One function for each type: it adds in that type, or multiplies. */
static void types(void)
{
    static const struct {
        const char *type, *memory, *reg, *op;
    } t[] = {
        {"u8", "b8", "b32", "add.u32"},     {"s8", "b8", "b32", "add.s32"},    {"u16", "b16", "b16", "add.u16"},
        {"s16", "b16", "b16", "mul.lo.s16"}, {"u32", "b32", "b32", "add.u32"},  {"s32", "b32", "b32", "mul.lo.s32"},
        {"u64", "b64", "b64", "add.u64"},   {"s64", "b64", "b64", "mul.lo.s64"}, {"f32", "f32", "f32", "add.f32"},
        {"f64", "f64", "f64", "mul.f64"},
    };

    for (unsigned k = 0; k < sizeof t / sizeof *t; k++) {
        bool real = t[k].type[0] == 'f', wide = !strcmp(t[k].type + 1, "64"), eight = t[k].type[1] == '8';
        const char *word = wide ? "b64" : !strcmp(t[k].reg, "b16") ? "b16" : "b32";

        ENTRY(.name = own_text("call_type_%s", t[k].type), .pool = real ? wide ? POOL_F64 : POOL_F32 : POOL_BITS,
              .before = own_text(".func (.param .%s y) of_%s(.param .%s a, .param .%s b)\n{ .reg .%s %%x, %%y;"
                                 "ld.param.%s %%x, [a];"
                                 "ld.param.%s %%y, [b]; %s %%x, %%x, %%y; st.param.%s [y], %%x; ret; }",
                                 t[k].memory, t[k].type, t[k].memory, t[k].memory, t[k].reg, eight ? t[k].type : t[k].memory,
                                 eight ? t[k].type : t[k].memory, t[k].op, t[k].memory),
              .body = own_text(".reg .%s %%x, %%y; { .param .%s a, b, y;"
                               "%s st.param.%s [a], %%x; st.param.%s [b], %%y; call (y), of_%s, (a, b); ld.param.%s %%x, [y]; }"
                               "%s",
                               t[k].reg, t[k].memory,
                               wide ? "mov.b64 %x, %a0; mov.b64 %y, %a1;"
                               : !strcmp(word, "b16") ? "cvt.u16.u32 %x, %w0; cvt.u16.u32 %y, %w1;"
                                                      : "mov.b32 %x, %w0; mov.b32 %y, %w1;",
                               t[k].memory, t[k].memory, t[k].type, eight ? t[k].type : t[k].memory,
                               wide ? "mov.b64 %o0, %x;"
                               : !strcmp(word, "b16") ? "cvt.u64.u16 %o0, %x;"
                                                      : "mov.b32 %r0, %x; cvt.u64.u32 %o0, %r0;"),
              .types = real ? t[k].type : NULL) {
            switch (k) {
            case 0: OUT(0) = (uint8_t)(IN(0) + IN(1)); break;
            case 1: OUT(0) = (uint32_t)(int8_t)(IN(0) + IN(1)); break;
            case 2: OUT(0) = (uint16_t)(IN(0) + IN(1)); break;
            case 3: OUT(0) = (uint16_t)((uint32_t)(uint16_t)IN(0) * (uint16_t)IN(1)); break;
            case 4: OUT(0) = W(0) + W(1); break;
            case 5: OUT(0) = W(0) * W(1); break;
            case 6: OUT(0) = IN(0) + IN(1); break;
            case 7: OUT(0) = IN(0) * IN(1); break;
            case 8: OUT(0) = bits_f32(f32_bits(IN(0)) + f32_bits(IN(1))); break;
            case 9: OUT(0) = bits_f64(f64_bits(IN(0)) * f64_bits(IN(1))); break;
            }
        }
    }
}

static uint32_t mix(uint32_t x)
{
    return (x ^ x >> 15) * 0x2c1b3c6d;
}
#define MIX FUNC("mix", "shr.u32 %r1, %r0, 15; xor.b32 %r0, %r0, %r1; mul.lo.u32 %r0, %r0, 0x2c1b3c6d;")

static void shapes(void)
{
    ENTRY(.name = "call_once", .before = MIX, .body = CALL("%r0", "mix", "%w0") OUT32("%r0"))
        OUT(0) = mix(W(0));
    ENTRY(.name = "call_uni", .body = "{ .param .b32 x, y; st.param.b32 [x], %w0; call.uni (y), mix, (x); ld.param.b32 %r0, [y]; }"
                                      OUT32("%r0"))
        OUT(0) = mix(W(0));
    ENTRY(.name = "call_chain", .body = CALL("%r0", "mix", "%w0") CALL("%r1", "mix", "%r0") CALL("%r2", "mix", "%r1")
                                "add.u32 %r2, %r2, %r0;" OUT32("%r2"))
        OUT(0) = mix(mix(mix(W(0)))) + mix(W(0));
    ENTRY(.name = "call_nested", .before = FUNC("mid", CALL("%r1", "mix", "%r0") "add.u32 %r0, %r1, 5;")
                                 FUNC("outer", "mov.u32 %r2, %r0;" CALL("%r1", "mid", "%r0") "xor.b32 %r0, %r1, %r2;"),
          .body = CALL("%r0", "outer", "%w0") OUT32("%r0"))
        OUT(0) = (mix(W(0)) + 5) ^ W(0);
    ENTRY(.name = "call_no_result", .before = ".func store(.param .b64 p, .param .b32 v)\n{ .reg .b64 %d; .reg .b32 %r;"
                                              "ld.param.b64 %d, [p]; ld.param.b32 %r, [v]; st.u32 [%d], %r; }",
          .body = "{ .param .b64 p; .param .b32 v; st.param.b64 [p], %po; st.param.b32 [v], %w1; call store, (p, v); }"
                  "ld.global.u32 %r0, [%po];" OUT32("%r0"))
        OUT(0) = W(1);
    ENTRY(.name = "call_no_parameters", .before = ".func (.param .b32 y) lane_times_3()\n{ .reg .b32 %r; mov.u32 %r, %tid.x;"
                                                  "mul.lo.u32 %r, %r, 3; st.param.b32 [y], %r; ret; }",
          .body = "{ .param .b32 y; call (y), lane_times_3; ld.param.b32 %r0, [y]; }" OUT32("%r0"))
        OUT(0) = own.tid * 3;
    ENTRY(.name = "call_struct",
          .before = ".func (.param .align 8 .b8 y[16]) swap(.param .align 8 .b8 s[24])\n"
                    "{ .reg .b64 %d; .reg .b32 %r<4>; .reg .b16 %h<3>; ld.param.u32 %r0, [s]; ld.param.u64 %d, [s+8];"
                    "ld.param.u16 %h0, [s+16]; ld.param.s8 %h1, [s+18]; cvt.s32.s16 %r1, %h1; cvt.u32.u16 %r2, %h0;"
                    "add.u32 %r2, %r2, %r1; st.param.b32 [y+4], %r0; st.param.b32 [y], %r2; st.param.b64 [y+8], %d; ret; }",
          .body = "{ .param .align 8 .b8 s[24]; .param .align 8 .b8 y[16]; st.param.b32 [s], %w0; st.param.b64 [s+8], %a1;"
                  "cvt.u16.u32 %h0, %w2; st.param.b16 [s+16], %h0; cvt.u16.u32 %h0, %w3; st.param.b8 [s+18], %h0;"
                  "call (y), swap, (s); ld.param.b32 %r0, [y]; ld.param.b32 %r1, [y+4]; ld.param.b64 %o1, [y+8]; }"
                  "mov.b64 %o0, {%r0, %r1};",
          .nout = 2) {
        OUT(0) = (uint32_t)((uint16_t)IN(2) + (int8_t)IN(3)) | (uint64_t)W(0) << 32;
        OUT(1) = IN(1);
    }
    ENTRY(.name = "call_vector_parameters",
          .before = ".func (.param .align 16 .b8 y[16]) turn(.param .align 16 .b8 s[16])\n{ .reg .b32 %r<4>;"
                    "ld.param.v4.b32 {%r0, %r1, %r2, %r3}, [s]; st.param.v4.b32 [y], {%r1, %r2, %r3, %r0}; ret; }",
          .body = "{ .param .align 16 .b8 s[16]; .param .align 16 .b8 y[16]; st.param.v4.b32 [s], {%w0, %w1, %w2, %w3};"
                  "call (y), turn, (s); ld.param.v2.b32 {%r0, %r1}, [y]; ld.param.v2.b32 {%r2, %r3}, [y+8]; }"
                  "mov.b64 %o0, {%r0, %r1}; mov.b64 %o1, {%r2, %r3};",
          .nout = 2) {
        OUT(0) = W(1) | (uint64_t)W(2) << 32;
        OUT(1) = W(3) | (uint64_t)W(0) << 32;
    }
    ENTRY(.name = "call_many_parameters",
          .before = ".func (.param .b64 y) many(.param .b32 a, .param .b64 b, .param .b16 c, .param .b64 d, .param .b32 e,"
                    ".param .f32 f, .param .b8 g, .param .b64 h)\n{ .reg .b64 %d<8>; .reg .b32 %r<3>; .reg .f32 %f;"
                    "ld.param.u32 %d0, [a]; ld.param.u64 %d1, [b]; ld.param.u16 %d2, [c]; ld.param.u64 %d3, [d];"
                    "ld.param.u32 %d4, [e]; ld.param.f32 %f, [f]; ld.param.u8 %d5, [g]; ld.param.u64 %d6, [h];"
                    "mov.b32 %r0, %f; cvt.u64.u32 %d7, %r0;"
                    "mad.lo.u64 %d0, %d0, 3, %d1; mad.lo.u64 %d0, %d0, 3, %d2; mad.lo.u64 %d0, %d0, 3, %d3;"
                    "mad.lo.u64 %d0, %d0, 3, %d4; mad.lo.u64 %d0, %d0, 3, %d7; mad.lo.u64 %d0, %d0, 3, %d5;"
                    "mad.lo.u64 %d0, %d0, 3, %d6; st.param.b64 [y], %d0; ret; }",
          .body = "{ .param .b32 a; .param .b64 b; .param .b16 c; .param .b64 d; .param .b32 e; .param .f32 f; .param .b8 g;"
                  ".param .b64 h, y; mov.b32 %f0, %w3; cvt.u16.u32 %h0, %w2; st.param.b32 [a], %w0; st.param.b64 [b], %a1;"
                  "st.param.b16 [c], %h0; st.param.b64 [d], %a3; st.param.b32 [e], %w1; st.param.f32 [f], %f0;"
                  "st.param.b8 [g], %h0; st.param.b64 [h], %a0; call (y), many, (a, b, c, d, e, f, g, h); ld.param.b64 %o0, [y];"
                  "}") {
        uint64_t list[] = {W(0), IN(1), (uint16_t)IN(2), IN(3), W(1), W(3), (uint8_t)IN(2), IN(0)}, x = 0;

        for (int k = 0; k < 8; k++)
            x = x * 3 + list[k];
        OUT(0) = x;
    }
    ENTRY(.name = "call_declared_before_defined",
          .before = ".func (.param .b32 y) later(.param .b32 x);\n" FUNC("sooner", CALL("%r0", "later", "%r0") "not.b32 %r0, %r0;")
                    FUNC("later", "add.u32 %r0, %r0, 77;"),
          .body = CALL("%r0", "sooner", "%w0") OUT32("%r0"))
        OUT(0) = ~(W(0) + 77);
    ENTRY(.name = "call_local_array",
          .before = FUNC("tops", ".local .align 4 .b8 t[64]; mov.u32 %r1, t; mov.u32 %r2, 0;"
                                 "A: shl.b32 %r3, %r2, 2; add.u32 %r3, %r1, %r3; mul.lo.u32 %r4, %r0, %r2; st.local.u32 [%r3], %r4;"
                                 "add.u32 %r2, %r2, 1; setp.lt.u32 %p0, %r2, 16; @%p0 bra A;"
                                 "and.b32 %r3, %r0, 15; shl.b32 %r3, %r3, 2; add.u32 %r3, %r1, %r3; ld.local.u32 %r0, [%r3];"),
          .body = CALL("%r0", "tops", "%w0") CALL("%r1", "tops", "%w1") "xor.b32 %r0, %r0, %r1;" OUT32("%r0"))
        OUT(0) = W(0) * (W(0) & 15) ^ W(1) * (W(1) & 15);
    ENTRY(.name = "call_callers_local_array",
          .before = ".func sum_into(.param .b64 p, .param .b32 n)\n{ .reg .b64 %d; .reg .b32 %r<4>; .reg .pred %p;"
                    "ld.param.b64 %d, [p];"
                    "ld.param.b32 %r0, [n]; mov.u32 %r1, 0; A: ld.u32 %r2, [%d+4]; add.u32 %r1, %r1, %r2; st.u32 [%d], %r1;"
                    "add.u64 %d, %d, 4; sub.u32 %r0, %r0, 1; setp.ne.u32 %p, %r0, 0; @%p bra A; ret; }",
          .body = ".local .align 16 .b8 t[32]; mov.u64 %d0, t; cvta.local.u64 %d0, %d0; st.v4.b32 [%d0], {%w0, %w1, %w2, %w3};"
                  "st.v4.b32 [%d0+16], {%w3, %w2, %w1, %w0};"
                  "{ .param .b64 p; .param .b32 n; st.param.b64 [p], %d0; st.param.b32 [n], 6; call sum_into, (p, n); }"
                  "ld.local.v2.u32 {%r0, %r1}, [t+16]; mov.b64 %o0, {%r0, %r1};")
        OUT(0) = (uint32_t)(W(1) + W(2) + W(3) + W(3) + W(2)) | (uint64_t)(uint32_t)(W(1) + W(2) + W(3) + W(3) + W(2) + W(1)) << 32;
}

static uint32_t fib(uint32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint32_t ackermann(uint32_t m, uint32_t n)
{
    return !m ? n + 1 : !n ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
    return b ? gcd(b, a % b) : a;
}

static void recursion(void)
{
    ENTRY(.name = "call_recursive_sum",
          .before = FUNC("down", "setp.eq.u32 %p0, %r0, 0; @%p0 bra E; mov.u32 %r2, %r0; sub.u32 %r1, %r0, 1;" CALL("%r0",
              "down", "%r1")
                                 "mad.lo.u32 %r0, %r0, 3, %r2; E:"),
          .body = "and.b32 %r0, %w0, 31;" CALL("%r0", "down", "%r0") OUT32("%r0")) {
        uint32_t x = 0;

        for (uint32_t k = 1; k <= (W(0) & 31); k++)
            x = x * 3 + k;
        OUT(0) = x;
    }
    ENTRY(.name = "call_fibonacci",
          .before = FUNC("fib", "setp.lt.u32 %p0, %r0, 2; @%p0 bra E; sub.u32 %r1, %r0, 1; sub.u32 %r2, %r0, 2;" CALL("%r3",
              "fib", "%r1")
                                CALL("%r4", "fib", "%r2") "add.u32 %r0, %r3, %r4; E:"),
          .body = "and.b32 %r0, %w0, 7;" CALL("%r0", "fib", "%r0") OUT32("%r0"))
        OUT(0) = fib(W(0) & 7);
    ENTRY(.name = "call_mutual_recursion",
          .before = ".func (.param .b32 y) odd(.param .b32 x);\n"
                    FUNC("even", "setp.eq.u32 %p0, %r0, 0; @%p0 mov.u32 %r0, 1; @%p0 bra E; sub.u32 %r0, %r0, 1;" CALL("%r0",
                        "odd", "%r0") "E:")
                    FUNC("odd", "setp.eq.u32 %p0, %r0, 0; @%p0 bra E; sub.u32 %r0, %r0, 1;" CALL("%r0", "even", "%r0") "E:"),
          .body = "and.b32 %r0, %w0, 63;" CALL("%r0", "even", "%r0") OUT32("%r0"))
        OUT(0) = !(W(0) & 1);
    ENTRY(.name = "call_ackermann",
          .before = ".func (.param .b32 y) ack(.param .b32 m, .param .b32 n)\n{ .reg .b32 %r<8>; .reg .pred %p<2>;"
                    ".param .b32 a, b, c;"
                    "ld.param.b32 %r0, [m]; ld.param.b32 %r1, [n]; setp.ne.u32 %p0, %r0, 0; @%p0 bra A; add.u32 %r2, %r1, 1; bra R;"
                    "A: sub.u32 %r3, %r0, 1; setp.ne.u32 %p1, %r1, 0; mov.u32 %r4, 1; @!%p1 bra B; sub.u32 %r5, %r1, 1;"
                    "st.param.b32 [a], %r0; st.param.b32 [b], %r5; call (c), ack, (a, b); ld.param.b32 %r4, [c];"
                    "B: st.param.b32 [a], %r3; st.param.b32 [b], %r4; call (c), ack, (a, b); ld.param.b32 %r2, [c];"
                    "R: st.param.b32 [y], %r2; ret; }",
          .body = "and.b32 %r0, %w0, 1; and.b32 %r1, %w1, 3; { .param .b32 m, n, y; st.param.b32 [m], %r0; st.param.b32 [n], %r1;"
                  "call (y), ack, (m, n); ld.param.b32 %r0, [y]; }" OUT32("%r0"))
        OUT(0) = ackermann(W(0) & 1, W(1) & 3);
    ENTRY(.name = "call_gcd",
          .before = ".func (.param .b32 y) gcd(.param .b32 m, .param .b32 n)\n{ .reg .b32 %r<4>; .reg .pred %p;"
                    ".param .b32 a, b, c;"
                    "ld.param.b32 %r0, [m]; ld.param.b32 %r1, [n]; setp.eq.u32 %p, %r1, 0; @%p st.param.b32 [y], %r0; @%p ret;"
                    "rem.u32 %r2, %r0, %r1; st.param.b32 [a], %r1; st.param.b32 [b], %r2; call (c), gcd, (a, b);"
                    "ld.param.b32 %r3, [c]; st.param.b32 [y], %r3; ret; }",
          .body = "and.b32 %r0, %w0, 0xffff; and.b32 %r1, %w1, 0xffff; { .param .b32 m, n, y; st.param.b32 [m], %r0;"
                  "st.param.b32 [n], %r1; call (y), gcd, (m, n); ld.param.b32 %r0, [y]; }" OUT32("%r0"))
        OUT(0) = gcd(W(0) & 0xffff, W(1) & 0xffff);
    ENTRY(.name = "call_recursive_local",
          .before = FUNC("bits", ".local .align 4 .b8 t[4]; st.local.u32 [t], %r0; setp.eq.u32 %p0, %r0, 0; @%p0 bra E;"
                                 "shr.u32 %r1, %r0, 1;"
                                 CALL("%r2", "bits", "%r1") "ld.local.u32 %r3, [t]; and.b32 %r3, %r3, 1; add.u32 %r0, %r2, %r3;"
                                                            "E:"),
          .body = "and.b32 %r0, %w0, 0xfff;" CALL("%r0", "bits", "%r0") OUT32("%r0"))
        OUT(0) = (uint64_t)__builtin_popcount(W(0) & 0xfff);
}

static void divergence(void)
{
    ENTRY(.name = "call_in_one_branch",
          .body = "mov.u32 %r0, %w0; and.b32 %r1, %w1, 1; setp.eq.u32 %p0, %r1, 0; @%p0 bra E;" CALL("%r0", "mix",
              "%w0") "E:" OUT32("%r0"))
        OUT(0) = W(1) & 1 ? mix(W(0)) : W(0);
    ENTRY(.name = "call_guarded",
          .body = "mov.u32 %r0, 9; setp.lt.s32 %p0, %w1, 0;" GUARDED_CALL("%p0", "%r0", "mix", "%w0") OUT32("%r0"))
        OUT(0) = (int32_t)W(1) < 0 ? mix(W(0)) : 9;
    ENTRY(.name = "call_others_in_branches",
          .before = FUNC("twice", "shl.b32 %r0, %r0, 1;") FUNC("minus", "neg.s32 %r0, %r0;"),
          .body = "and.b32 %r1, %w1, 3; setp.eq.u32 %p0, %r1, 0; @%p0 bra A; setp.eq.u32 %p1, %r1, 1; @%p1 bra B;"
                  CALL("%r0", "mix", "%w0") "bra E; A:" CALL("%r0", "twice", "%w0") "bra E; B:" CALL("%r0", "minus",
                      "%w0") "E:" OUT32("%r0"))
        OUT(0) = (W(1) & 3) == 0 ? W(0) * 2 : (W(1) & 3) == 1 ? -W(0) : mix(W(0));
    ENTRY(.name = "call_same_from_branches",
          .body = "setp.lt.u32 %p0, %lane, 13; @%p0 bra A;" CALL("%r0", "mix", "%w0") "add.u32 %r0, %r0, 1; bra E; A:"
                  CALL("%r0", "mix", "%w1") "E:" OUT32("%r0"))
        OUT(0) = own.lane < 13 ? mix(W(1)) : (uint32_t)(mix(W(0)) + 1);
    ENTRY(.name = "call_in_divergent_loop",
          .body = "and.b32 %r1, %w1, 15; mov.u32 %r0, %w0; L: setp.eq.u32 %p0, %r1, 0; @%p0 bra E;" CALL("%r0", "mix", "%r0")
                  "sub.u32 %r1, %r1, 1; bra L; E:" OUT32("%r0")) {
        uint32_t x = W(0);

        for (uint32_t k = W(1) & 15; k; k--)
            x = mix(x);
        OUT(0) = x;
    }
    ENTRY(.name = "call_returns_under_divergence",
          .before = ".func (.param .b32 y) early(.param .b32 x)\n{ .reg .b32 %r<4>; .reg .pred %p<4>; ld.param.b32 %r0, [x];"
                    "and.b32 %r1, %r0, 3; setp.eq.u32 %p0, %r1, 0; st.param.b32 [y], 100; @%p0 ret; setp.eq.u32 %p1, %r1, 1;"
                    "@!%p1 bra A;"
                    "st.param.b32 [y], 101; ret; A: setp.eq.u32 %p2, %r1, 2; add.u32 %r0, %r0, 7; st.param.b32 [y], %r0; @%p2 ret;"
                    "mul.lo.u32 %r0, %r0, 5; st.param.b32 [y], %r0; }",
          .body = CALL("%r0", "early", "%w0") "activemask.b32 %r1; add.u32 %r0, %r0, %w1;" OUT32("%r0")) {
        uint32_t k = W(0) & 3;

        OUT(0) = (uint32_t)(W(1) + (k == 0 ? 100 : k == 1 ? 101 : k == 2 ? W(0) + 7 : (W(0) + 7) * 5));
    }
    ENTRY(.name = "call_returns_from_loop",
          .before = FUNC("steps", "mov.u32 %r1, 0; L: setp.le.u32 %p0, %r0, 1; @%p0 bra E; and.b32 %r2, %r0, 1;"
                                  "setp.eq.u32 %p1, %r2, 0;"
                                  "@%p1 shr.u32 %r0, %r0, 1; @!%p1 mad.lo.u32 %r0, %r0, 3, 1; add.u32 %r1, %r1, 1;"
                                  "setp.ge.u32 %p2, %r1, 40; @%p2 st.param.b32 [y], 4000; @%p2 ret; bra L; E: mov.u32 %r0, %r1;"),
          .body = "and.b32 %r0, %w0, 127;" CALL("%r0", "steps", "%r0") OUT32("%r0")) {
        uint32_t n = W(0) & 127, k = 0;

        for (; n > 1 && k < 40; k++)
            n = n & 1 ? 3 * n + 1 : n / 2;
        OUT(0) = k == 40 ? 4000 : k;
    }
    ENTRY(.name = "call_exit_inside",
          .before = FUNC("leave", "setp.lt.u32 %p0, %r0, 0x40000000; @%p0 exit; shr.u32 %r0, %r0, 3;"),
          .body = "mov.u64 %d0, 1; st.global.u64 [%po], %d0;" CALL("%r0", "leave", "%w0") OUT32("%r0"))
        OUT(0) = W(0) < 0x40000000 ? 1 : W(0) >> 3;
    ENTRY(.name = "call_shuffle_inside",
          .before = FUNC("other", "shfl.sync.bfly.b32 %r0, %r0, 1, 0x1f, 0xffffffff;"), .body = CALL("%r0", "other",
              "%w0") OUT32("%r0"))
        OUT(0) = (uint32_t)IN_OF(own.i ^ 1, 0);
    ENTRY(.name = "call_barrier_inside",
          .before = ".shared .align 4 .b8 board[256];\n"
                    FUNC("pass_on", "mov.u32 %r1, %tid.x; mov.u32 %r2, board; shl.b32 %r3, %r1, 2; add.u32 %r3, %r2, %r3;"
                                    "st.shared.u32 [%r3], %r0;"
                                    "bar.sync 0; xor.b32 %r1, %r1, 37; shl.b32 %r3, %r1, 2; add.u32 %r3, %r2, %r3;"
                                    "ld.shared.u32 %r0, [%r3];"
                                    "bar.sync 0;"),
          .body = CALL("%r0", "pass_on", "%w0") CALL("%r1", "pass_on", "%w1") "xor.b32 %r0, %r0, %r1;" OUT32("%r0"))
        OUT(0) = (uint32_t)(IN_OF(own.i ^ 37, 0) ^ IN_OF(own.i ^ 37, 1));
    ENTRY(.name = "call_keeps_registers",
          .before = FUNC("spoil", "mov.u32 %r1, -1; mov.u32 %r2, -1; mov.u32 %r3, -1; mov.u32 %r4, -1;"
                                  "setp.eq.u32 %p0, %r0, %r0; not.b32 %r0, %r0;"),
          .body = "mov.u32 %r1, %w1; mov.u32 %r2, %w2; mov.u32 %r4, 0; setp.lt.s32 %p0, %w3, 0; and.b32 %r3, %w0, 1;"
                  "setp.eq.u32 %p1, %r3, 1;"
                  GUARDED_CALL("%p1", "%r4", "spoil", "%w0") "selp.u32 %r1, %r1, %r2, %p0; add.u32 %r1, %r1, %r4;"
                  OUT32("%r1"))
        OUT(0) = (uint32_t)(((int32_t)W(3) < 0 ? W(1) : W(2)) + (W(0) & 1 ? ~W(0) : 0));
}

#define TABLE_FUNCS(p) \
    FUNC(p "0", "add.u32 %r0, %r0, 11;") FUNC(p "1", "mul.lo.u32 %r0, %r0, 13;") \
    FUNC(p "2", "brev.b32 %r0, %r0;") FUNC(p "3", "not.b32 %r0, %r0;")
#define INDIRECT(d, target, s, how) \
    "{ .param .b32 ca, cr; st.param.b32 [ca], " s "; call (cr), " target ", (ca), " how "; ld.param.b32 " d ", [cr]; }\n"
#define PROTO "proto: .callprototype (.param .b32 _) _ (.param .b32 _);\n"

static uint32_t table_function(uint32_t k, uint32_t x)
{
    uint32_t y = 0;

    for (int b = 0; b < 32; b++)
        y |= (x >> b & 1) << (31 - b);
    return k == 0 ? x + 11 : k == 1 ? x * 13 : k == 2 ? y : ~x;
}

static void indirect(void)
{
    ENTRY(.name = "call_table_divergent", .before = TABLE_FUNCS("td") ".global .align 8 .u64 td_table[4] = {td0, td1, td2, td3};",
          .body = PROTO "and.b32 %r0, %w1, 3; mov.u64 %d0, td_table; mad.wide.u32 %d0, %r0, 8, %d0; ld.global.u64 %d1, [%d0];"
                  INDIRECT("%r1", "%d1", "%w0", "proto") OUT32("%r1"))
        OUT(0) = table_function(W(1) & 3, W(0));
    ENTRY(.name = "call_table_uniform",
          .body = PROTO "and.b32 %r0, %ci, 3; mov.u64 %d0, td_table; mad.wide.u32 %d0, %r0, 8, %d0; ld.global.u64 %d1, [%d0];"
                  INDIRECT("%r1", "%d1", "%w0", "proto") OUT32("%r1"))
        OUT(0) = table_function(own.cta & 3, W(0));
    ENTRY(.name = "call_table_constant", .before = ".const .align 8 .u64 tc_table[4] = {td3, td2, td1, td0};",
          .body = PROTO "and.b32 %r0, %w1, 3; mov.u64 %d0, tc_table; mad.wide.u32 %d0, %r0, 8, %d0; ld.const.u64 %d1, [%d0];"
                  INDIRECT("%r1", "%d1", "%w0", "proto") OUT32("%r1"))
        OUT(0) = table_function(3 - (W(1) & 3), W(0));
    ENTRY(.name = "call_pointer_moved",
          .body = PROTO "mov.u64 %d0, td1; mov.u64 %d1, td2; setp.lt.s32 %p0, %w1, 0; selp.b64 %d2, %d0, %d1, %p0;"
                  INDIRECT("%r1", "%d2", "%w0", "proto") OUT32("%r1"))
        OUT(0) = table_function((int32_t)W(1) < 0 ? 1 : 2, W(0));
    ENTRY(.name = "call_targets",
          .body = "targets: .calltargets td0, td3;\nmov.u64 %d0, td0; mov.u64 %d1, td3; setp.lt.s32 %p0, %w1, 0;"
                  "selp.b64 %d2, %d0, %d1, %p0;"
                  INDIRECT("%r1", "%d2", "%w0", "targets") OUT32("%r1"))
        OUT(0) = table_function((int32_t)W(1) < 0 ? 0 : 3, W(0));
    ENTRY(.name = "call_table_in_loop",
          .body = PROTO "mov.u32 %r1, %w0; mov.u32 %r2, %w1; and.b32 %r3, %w2, 7; L: setp.eq.u32 %p0, %r3, 0; @%p0 bra E;"
                  "and.b32 %r0, %r2, 3; shr.u32 %r2, %r2, 2; mov.u64 %d0, td_table; mad.wide.u32 %d0, %r0, 8, %d0;"
                  "ld.global.u64 %d1, [%d0];"
                  INDIRECT("%r1", "%d1", "%r1", "proto") "sub.u32 %r3, %r3, 1; bra L; E:" OUT32("%r1")) {
        uint32_t x = W(0), k = W(1);

        for (uint32_t n = W(2) & 7; n; n--, k >>= 2)
            x = table_function(k & 3, x);
        OUT(0) = x;
    }
    ENTRY(.name = "call_pointer_passed",
          .before = ".func (.param .b32 y) apply(.param .b64 f, .param .b32 v)\n{ .reg .b64 %d; .reg .b32 %r<3>; " PROTO
                    "ld.param.b64 %d, [f]; ld.param.b32 %r0, [v];" INDIRECT("%r1", "%d", "%r0", "proto") INDIRECT("%r1", "%d",
                        "%r1", "proto")
                    "st.param.b32 [y], %r1; ret; }",
          .body = "mov.u64 %d0, td0; mov.u64 %d1, td1; setp.lt.s32 %p0, %w1, 0; selp.b64 %d2, %d0, %d1, %p0;"
                  "{ .param .b64 f; .param .b32 v, y; st.param.b64 [f], %d2; st.param.b32 [v], %w0; call (y), apply, (f, v);"
                  "ld.param.b32 %r0, [y]; }" OUT32("%r0")) {
        uint32_t k = (int32_t)W(1) < 0 ? 0 : 1;

        OUT(0) = table_function(k, table_function(k, W(0)));
    }
    ENTRY(.name = "call_pointer_guarded",
          .body = PROTO "and.b32 %r0, %w1, 3; mov.u32 %r1, 5; setp.ne.u32 %p0, %r0, 2; mov.u64 %d0, 0; mov.u64 %d1, td_table;"
                  "mad.wide.u32 %d1, %r0, 8, %d1; @%p0 ld.global.u64 %d0, [%d1];"
                  "{ .param .b32 x, y; st.param.b32 [x], %w0; @%p0 call (y), %d0, (x), proto; ld.param.b32 %r2, [y]; }"
                  "selp.b32 %r1, %r2, %r1, %p0;" OUT32("%r1"))
        OUT(0) = (W(1) & 3) == 2 ? 5 : table_function(W(1) & 3, W(0));
}

void gen_call(void)
{
    own_family("call", "");
    types();
    shapes();
    recursion();
    divergence();
    indirect();
}
