/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions from and to e4m3 and e5m2. Those from f16 and to f16 cover every code. */
#include "own.h"

#include <math.h>

static const struct {
    const char *type;
    const struct own_format *format;
} formats[] = {{"e4m3x2", &own_e4m3}, {"e5m2x2", &own_e5m2}};

static unsigned encode(const struct own_format *f, double x, bool relu)
{
    return own_encode(f, relu && signbit(x) && !isnan(x) ? 0.0 : x, true);
}

static void to_f16(int k, bool relu)
{
    /* The low byte goes through all codes, the high one through all in another order. */
    ENTRY(.name = own_text("cvt_f16x2_%s%s", formats[k].type, relu ? "_relu" : ""), .types = "f16x2",
          .body = own_text("and.b32 %%r0, %%gi, 255; mad.lo.u32 %%r1, %%gi, 91, 17; and.b32 %%r1, %%r1, 255;"
                           "shl.b32 %%r1, %%r1, 8; or.b32 %%r0, %%r0, %%r1; cvt.u16.u32 %%h0, %%r0;"
                           "cvt.rn.f16x2%s.%s %%r2, %%h0; cvt.u64.u32 %%o0, %%r2;", relu ? ".relu" : "", formats[k].type)) {
        double low = own_decode(formats[k].format, own.i & 255), high = own_decode(formats[k].format, (own.i * 91 + 17) & 255);

        OUT(0) = own_encode(&own_f16, relu && low <= 0 ? 0.0 : low, false) | (uint64_t)own_encode(&own_f16,
            relu && high <= 0 ? 0.0 : high, false) << 16;
    }
}

/* 128 codes a thread, in pairs: all of f16. */
static void from_f16(int k, bool relu)
{
    char *body = own_text("mov.u32 %%r0, %%gi; shl.b32 %%r0, %%r0, 7; mad.lo.u32 %%r1, %%r0, 0x10001, 0x10000;\n");

    for (int i = 0; i < 64; i++)
        body = own_text("%scvt.rn.satfinite%s.%s.f16x2 %%h%d, %%r1; add.u32 %%r1, %%r1, 0x20002; %s\n", body,
            relu ? ".relu" : "", formats[k].type, i % 4,
                        i % 4 < 3 ? "" : own_text("mov.b64 %%o%d, {%%h0, %%h1, %%h2, %%h3};", i / 4));
    ENTRY(.name = own_text("cvt_%s_f16x2%s", formats[k].type, relu ? "_relu" : ""), .nout = 16, .body = body)
        for (unsigned j = 0; j < 128; j++)
            OUT(j / 8) |= (uint64_t)encode(formats[k].format, own_decode(&own_f16, own.i * 128 + j), relu) << j % 8 * 8;
}

/* Numbers around the format's range, with random mantissas or with those that lie at ties. */
static void from_f32(int k, bool relu, bool ties)
{
    ENTRY(.name = own_text("cvt_%s_f32%s%s", formats[k].type, relu ? "_relu" : "", ties ? "_ties" : ""), .nout = 2,
          .body = own_text("and.b32 %%r0, %%w0, 0x%x; rem.u32 %%r1, %%w1, 40; add.u32 %%r1, %%r1, 106; shl.b32 %%r1, %%r1, 23;"
                           "or.b32 %%r0, %%r0, %%r1; mov.b32 %%f0, %%r0;"
                           "and.b32 %%r2, %%w2, 0x%x; rem.u32 %%r3, %%w3, 18; add.u32 %%r3, %%r3, 119; shl.b32 %%r3, %%r3, 23;"
                           "or.b32 %%r2, %%r2, %%r3; mov.b32 %%f1, %%r2;"
                           "cvt.rn.satfinite%s.%s.f32 %%h0, %%f0, %%f1; cvt.u64.u16 %%o0, %%h0; mov.b32 %%f2, %%w0;"
                           "mov.b32 %%f3, %%w1; cvt.rn.satfinite%s.%s.f32 %%h0, %%f2, %%f3; cvt.u64.u16 %%o1, %%h0;",
                           ties ? 0x80700000 : 0x807fffff, ties ? 0x80780000 : 0x807fffff, relu ? ".relu" : "",
                               formats[k].type, relu ? ".relu" : "", formats[k].type)) {
        const struct own_format *f = formats[k].format;
        uint32_t a = ((uint32_t)IN(0) & (ties ? 0x80700000 : 0x807fffff)) | ((uint32_t)IN(1) % 40 + 106) << 23;
        uint32_t b = ((uint32_t)IN(2) & (ties ? 0x80780000 : 0x807fffff)) | ((uint32_t)IN(3) % 18 + 119) << 23;

        OUT(0) = encode(f, f32_bits(a), relu) << 8 | encode(f, f32_bits(b), relu);
        OUT(1) = encode(f, f32_bits(IN(0)), relu) << 8 | encode(f, f32_bits(IN(1)), relu);
    }
}

/* Each lane one of the numbers at an edge. */
static void edges(int k)
{
    static const uint32_t numbers[32] = {
        0x00000000, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffc00000, 0x00000001, 0x43e00000, 0x43e80000,
            0x43e80001, 0x43f00000, 0xc3e80000, 0xc3e80001, 0x47600000, 0x47700000,
        0x476fffff, 0x47780000, 0xc7700000, 0x7f7fffff, 0x3b000000, 0x3a800000, 0x3a800001, 0x3ac00000, 0x37800000, 0x37000000,
            0x37000001, 0xb7000001, 0x3c800000, 0x3c780000, 0x38800000, 0x38700000,
    };
    char *list = own_text("0x%x", numbers[0]);

    for (int i = 1; i < 32; i++)
        list = own_text("%s, 0x%x", list, numbers[i]);
    ENTRY(.name = own_text("cvt_%s_edges", formats[k].type), .before = own_text(".const .align 4 .u32 edges_%d[32] = {%s};", k,
        list),
          .body = own_text("mov.u64 %%d0, edges_%d; mad.wide.u32 %%d0, %%lane, 4, %%d0; ld.const.f32 %%f0, [%%d0];"
                           "neg.f32 %%f1, %%f0; cvt.rn.satfinite.%s.f32 %%h0, %%f0, %%f1; cvt.u64.u16 %%o0, %%h0;", k,
                           formats[k].type)) {
        double x = f32_bits(numbers[own.lane]);

        OUT(0) = encode(formats[k].format, x, false) << 8 | encode(formats[k].format, -x, false);
    }
}

void gen_fp8(void)
{
    own_family("fp8", "");
    for (int k = 0; k < 2; k++) {
        for (int relu = 0; relu < 2; relu++) {
            to_f16(k, relu);
            from_f16(k, relu);
            from_f32(k, relu, false);
            from_f32(k, relu, true);
        }
        edges(k);
    }
}
