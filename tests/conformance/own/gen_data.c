/* SPDX-License-Identifier: Apache-2.0 */
/* Constant memory, variables with initial values, and addresses among them. */
#include "own.h"

#define W(slot) ((uint32_t)IN(slot))

void gen_data(void)
{
    static const uint32_t primes[] = {2, 3, 5, 7, 11, 13, 17, 19};

    own_family("data", "");
    ENTRY(.name = "data_const_table", .before = ".const .align 4 .u32 primes[8] = {2, 3, 5, 7, 11, 13, 17, 19};",
          .body = "and.b32 %r0, %w0, 7; mov.u64 %d0, primes; mad.wide.u32 %d0, %r0, 4, %d0; ld.const.u32 %r1, [%d0];"
                  "ld.const.v4.u32 {%r2, %r3, %r4, %r5}, [primes+16];"
                  "mad.lo.u32 %r1, %r1, %w1, %r2; add.u32 %r1, %r1, %r5; cvt.u64.u32 %o0, %r1;")
        OUT(0) = (uint32_t)(primes[W(0) & 7] * W(1) + 11 + 19);
    ENTRY(.name = "data_const_generic", .body = "and.b32 %r0, %w0, 7; mov.u64 %d0, primes; cvta.const.u64 %d0, %d0;"
                                                "mad.wide.u32 %d0, %r0, 4, %d0; ld.u32 %r1, [%d0]; cvt.u64.u32 %o0, %r1;")
        OUT(0) = primes[W(0) & 7];
    ENTRY(.name = "data_const_to_const", .body = "mov.u64 %d0, primes; cvta.const.u64 %d0, %d0; cvta.to.const.u64 %d1, %d0;"
                                                 "ld.const.u32 %r1, [%d1+12]; cvt.u64.u32 %o0, %r1;")
        OUT(0) = 7;
    ENTRY(.name = "data_types", .nout = 9,
          .before = ".global .s8 t_s8 = -5; .global .u8 t_u8 = 250; .global .s16 t_s16 = -1234; .global .u16 t_u16 = 0xfedc;"
                    ".global .s32 t_s32 = -7; .global .u64 t_u64 = 0x123456789abcdef0;"
                    ".global .f32 t_f32 = 0f3fc00000; .global .f64 t_f64 = 0d3ff8000000000000; .global .f32 t_plain = 2.5;",
          .body = "ld.global.s8 %o0, [t_s8]; ld.global.u8 %o1, [t_u8]; ld.global.s16 %o2, [t_s16]; ld.global.u16 %o3, [t_u16];"
                  "ld.global.s32 %o4, [t_s32]; ld.global.u64 %o5, [t_u64];"
                  "ld.global.u32 %o6, [t_f32]; ld.global.b64 %o7, [t_f64]; ld.global.u32 %o8, [t_plain];") {
        OUT(0) = (uint64_t)-5;
        OUT(1) = 250;
        OUT(2) = (uint64_t)-1234;
        OUT(3) = 0xfedc;
        OUT(4) = (uint64_t)-7;
        OUT(5) = 0x123456789abcdef0;
        OUT(6) = bits_f32(1.5f);
        OUT(7) = bits_f64(1.5);
        OUT(8) = bits_f32(2.5f);
    }
    ENTRY(.name = "data_short_list", .before = ".global .align 4 .u32 short_list[8] = {1, 2, 3};", /* the rest is zero */
          .body = "and.b32 %r0, %w0, 7; mov.u64 %d0, short_list; mad.wide.u32 %d0, %r0, 4, %d0; ld.global.u32 %o0, [%d0];")
        OUT(0) = (W(0) & 7) < 3 ? (W(0) & 7) + 1 : 0;
    ENTRY(.name = "data_uninitialised", .before = ".global .align 8 .b8 nothing[4096];", .body = "mov.u64 %d0, nothing;"
            "mad.wide.u32 %d0, %gi, 8, %d0; ld.global.u64 %o0, [%d0];")
        OUT(0) = 0;
    ENTRY(.name = "data_two_dimensions", .before = ".global .align 2 .u16 square[3][4] = {{1, 2, 3, 4}, {5, 6}, {9, 10, 11, 12}};",
          .body = "rem.u32 %r0, %w0, 12; mov.u64 %d0, square; mad.wide.u32 %d0, %r0, 2, %d0; ld.global.u16 %o0, [%d0];") {
        static const uint16_t square[12] = {1, 2, 3, 4, 5, 6, 0, 0, 9, 10, 11, 12};

        OUT(0) = square[W(0) % 12];
    }
    ENTRY(.name = "data_expressions",
          .before = ".global .align 4 .u32 sums[5] = {1 + 2 * 3, (1 << 12) | 0x0f, ~0xff, 100 / 7 % 5, 3 > 2 ? 44 : 55};",
          .body = "rem.u32 %r0, %w0, 5; mov.u64 %d0, sums; mad.wide.u32 %d0, %r0, 4, %d0; ld.global.u32 %o0, [%d0];") {
        static const uint32_t sums[] = {7, 0x100f, 0xffffff00, 4, 44};

        OUT(0) = sums[W(0) % 5];
    }
    ENTRY(.name = "pointer_to_variable", .before = ".global .align 4 .u32 target[4] = {10, 20, 30, 40};"
                                                   ".global .align 8 .u64 to_target = target;"
                                                   ".global .align 8 .u64 to_middle = target + 8;",
          .body = "ld.global.u64 %d0, [to_target]; ld.global.u32 %r0, [%d0+4]; ld.global.u64 %d1, [to_middle];"
                  "ld.global.u32 %r1, [%d1]; mov.b64 %o0, {%r0, %r1};")
        OUT(0) = 20 | UINT64_C(30) << 32;
    ENTRY(.name = "pointer_generic", .before = ".global .align 8 .u64 anywhere[2] = {generic(target), generic(target) + 12};",
          .body = "ld.global.u64 %d0, [anywhere]; ld.u32 %r0, [%d0]; ld.global.u64 %d1, [anywhere+8]; ld.u32 %r1, [%d1];"
                  "mov.b64 %o0, {%r0, %r1};")
        OUT(0) = 10 | UINT64_C(40) << 32;
    ENTRY(.name = "pointer_in_constant", .before = ".const .align 8 .u64 way[3] = {generic(target), 77, generic(primes)};",
          .body = "ld.const.u64 %d0, [way]; ld.u32 %r0, [%d0+8]; ld.const.u64 %d1, [way+16]; ld.u32 %r1, [%d1+20];"
                  "ld.const.u64 %o1, [way+8]; mov.b64 %o0, {%r0, %r1};", .nout = 2) {
        OUT(0) = 30 | UINT64_C(13) << 32;
        OUT(1) = 77;
    }
    ENTRY(.name = "pointer_bytes", /* an address in bytes, as compilers write packed structures */
          .before = ".global .align 8 .u8 packed[16] = {0xff(target), 0xff00(target), 0xff0000(target), 0xff000000(target), "
                    "0xff00000000(target), 0xff0000000000(target),"
                    "0xff000000000000(target), 0xff00000000000000(target), 1, 2, 3, 4, 5, 6, 7, 8};",
          .body = "ld.global.u64 %d0, [packed]; ld.global.u32 %r0, [%d0+12]; ld.global.u32 %r1, [packed+12];"
                  "mov.b64 %o0, {%r0, %r1};")
        OUT(0) = 40 | UINT64_C(0x08070605) << 32;
    ENTRY(.name = "data_list_of_nodes", /* each points at the next, in another order than they are declared */
          .before = ".global .align 16 .u64 node_c[2] = {0, 300}; .global .align 16 .u64 node_a[2] = {node_c, 100};"
                    ".global .align 16 .u64 node_b[2] = {node_a, 200};",
          .body = "mov.u64 %d0, node_b; mov.u64 %o0, 0; L: ld.global.v2.u64 {%d0, %d1}, [%d0]; mad.lo.u64 %o0, %o0, 3, %d1;"
                  "setp.ne.u64 %p0, %d0, 0; @%p0 bra L;")
        OUT(0) = (200 * 3 + 100) * 3 + 300;
    ENTRY(.name = "data_text",
          .before = ".global .align 1 .b8 words[14] = {104, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100, 33};",
          .body = "mov.u64 %d0, words; rem.u32 %r0, %w0, 14; cvt.u64.u32 %d1, %r0; add.u64 %d0, %d0, %d1; ld.global.u8 %o0, [%d0];")
        OUT(0) = (uint8_t)"hello, world!"[W(0) % 14];
    ENTRY(.name = "data_written_variable", .before = ".global .align 4 .u32 changing = 41;", .block = 512,
          .body = "ld.volatile.global.u32 %r0, [changing]; bar.sync 0; setp.eq.u32 %p0, %ti, 77; add.u32 %r1, %r0, 1;"
                  "@%p0 st.volatile.global.u32 [changing], %r1; bar.sync 0;"
                  "ld.volatile.global.u32 %r2, [changing]; mov.b64 %o0, {%r0, %r2};")
        OUT(0) = 41 | UINT64_C(42) << 32;
    ENTRY(.name = "data_aligned", .before = ".global .align 1 .b8 odd_one = 1; .global .align 256 .b8 wide[256];"
                                            ".shared .align 128 .b8 wide_s[128];",
          .body = ".shared .b8 odd_s; .local .align 16 .b8 wide_l[16]; mov.u64 %d0, wide; and.b64 %o0, %d0, 255;"
                  "mov.u64 %d1, wide_s; and.b64 %d1, %d1, 127; or.b64 %o0, %o0, %d1; mov.u64 %d2, wide_l;"
                  "and.b64 %d2, %d2, 15; or.b64 %o0, %o0, %d2; ld.global.u8 %o1, [odd_one]; mov.u16 %h0, 3;"
                  "st.shared.u8 [odd_s], %h0; st.shared.u8 [wide_s], %h0; st.local.u8 [wide_l], %h0;", .nout = 2) {
        OUT(0) = 0;
        OUT(1) = 1;
    }
    ENTRY(.name = "data_module_shared", /* shared variables of the module: every block has its own */
          .before = ".shared .align 4 .u32 counter_s; .shared .align 4 .b8 other_s[64];",
          .body = "setp.eq.u32 %p0, %ti, 0; mov.u32 %r0, 100; @%p0 st.shared.u32 [counter_s], %r0;"
                  "st.shared.u32 [other_s+60], %r0; bar.sync 0; red.shared.add.u32 [counter_s], %ti; bar.sync 0;"
                  "ld.shared.u32 %r1, [counter_s]; cvt.u64.u32 %o0, %r1;")
        OUT(0) = 100 + 63 * 64 / 2;
}
