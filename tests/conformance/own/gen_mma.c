/* SPDX-License-Identifier: Apache-2.0 */
/* mma of FP8, and m8n8k4 of f16: a matrix product by loops, its elements taken from where PTX ISA 9.7.14 says that lanes hold
 * them. */
#include "own.h"

/* ---- FP8 ---- */

static const struct {
    const char *type;
    const struct own_format *format;
} formats[] = {{"e4m3", &own_e4m3}, {"e5m2", &own_e5m2}};

#define SMALL 0xbfbfbfbfu /* numbers below 2 in either format */

/* Element 'i' of the A fragment: bytes of the low words of the slots; of B: of the high words of slots 0 and 1. */
static double fragment_byte(const struct own_entry *own, unsigned lane, bool b, unsigned i, const struct own_format *f)
{
    uint64_t slot = own->in[(own->i - own->lane + lane) * IN_SLOTS + i / 4];
    uint32_t word = (uint32_t)(b ? slot >> 32 : slot) & SMALL;

    return own_decode(f, word >> i % 4 * 8 & 255);
}

/* Element i of the accumulator: the upper bits of slot 2 (i = 0, 1) or 3. */
static double fragment_c(const struct own_entry *own, unsigned lane, unsigned i)
{
    uint64_t slot = own->in[(own->i - own->lane + lane) * IN_SLOTS + 2 + i / 2];

    return (int8_t)(slot >> (i % 2 ? 56 : 32));
}

static void fp8(int a, int b, int k, bool half)
{
    const char *values = "and.b32 %r0, %w0, 0xbfbfbfbf; and.b32 %r1, %w1, 0xbfbfbfbf; and.b32 %r2, %w2, 0xbfbfbfbf;"
                         "and.b32 %r3, %w3, 0xbfbfbfbf; mov.b64 {%r10, %r4}, %a0; and.b32 %r4, %r4, 0xbfbfbfbf;"
                         "mov.b64 {%r10, %r5}, %a1; and.b32 %r5, %r5, 0xbfbfbfbf; shl.b64 %d2, %a2, 24; shr.s64 %d2, %d2, 56;"
                         "shr.s64 %d3, %a2, 56; shl.b64 %d4, %a3, 24; shr.s64 %d4, %d4, 56; shr.s64 %d5, %a3, 56;";
    const char *first = k == 32 ? "%r0, %r1, %r2, %r3" : "%r0, %r1", *second = k == 32 ? "%r4, %r5" : "%r4";
    char *body;

    if (half)
        body = own_text("%s cvt.rn.f16.s64 %%h0, %%d2; cvt.rn.f16.s64 %%h1, %%d3; cvt.rn.f16.s64 %%h2, %%d4;"
                        "cvt.rn.f16.s64 %%h3, %%d5; mov.b32 %%r6, {%%h0, %%h1}; mov.b32 %%r7, {%%h2, %%h3};"
                        "mma.sync.aligned.m16n8k%d.row.col.f16.%s.%s.f16 {%%r8, %%r9}, {%s}, {%s}, {%%r6, %%r7};"
                        "cvt.u64.u32 %%o0, %%r8; cvt.u64.u32 %%o1, %%r9;",
                        values, k, formats[a].type, formats[b].type, first, second);
    else
        body = own_text("%s cvt.rn.f32.s64 %%f0, %%d2; cvt.rn.f32.s64 %%f1, %%d3; cvt.rn.f32.s64 %%f2, %%d4;"
                        "cvt.rn.f32.s64 %%f3, %%d5;"
                        "mma.sync.aligned.m16n8k%d.row.col.f32.%s.%s.f32 {%%f4, %%f5, %%f6, %%f7}, {%s}, {%s}, {%%f0, %%f1, %%f2, %%f3};"
                        "mov.b32 %%r0, %%f4; cvt.u64.u32 %%o0, %%r0;"
                        "mov.b32 %%r0, %%f5; cvt.u64.u32 %%o1, %%r0; mov.b32 %%r0, %%f6; cvt.u64.u32 %%o2, %%r0;"
                        "mov.b32 %%r0, %%f7; cvt.u64.u32 %%o3, %%r0;",
                        values, k, formats[a].type, formats[b].type, first, second);
    ENTRY(.name = own_text("mma_m16n8k%d_%s_%s_%s", k, half ? "f16" : "f32", formats[a].type, formats[b].type),
        .nout = half ? 2 : 4,
          .types = half ? "f16x2" : "f32", .class = half ? "mma16" : "mma", .body = body) {
        double d[4];

        for (unsigned e = 0; e < 4; e++) {
            unsigned row = own.lane / 4 + e / 2 * 8, column = own.lane % 4 * 2 + e % 2;

            d[e] = fragment_c(T, own.lane, e);
            for (unsigned j = 0; j < (unsigned)k; j++) {
                /* A: four bytes of a row a register, k = 4 * (lane % 4) + byte, rows below 8 first, then k above 16.
                 * B: the same down a column. */
                unsigned in = j % 16, a_lane = row % 8 * 4 + in / 4, b_lane = column * 4 + in / 4;

                d[e] += fragment_byte(T, a_lane, false, in % 4 + row / 8 * 4 + j / 16 * 8,
                    formats[a].format) * fragment_byte(T, b_lane, true, in % 4 + j / 16 * 4, formats[b].format);
            }
        }
        for (unsigned e = 0; e < 4; e++)
            if (half)
                OUT(e / 2) |= (uint64_t)own_encode(&own_f16, d[e], false) << e % 2 * 16;
            else
                OUT(e) = bits_f32((float)d[e]);
    }
}

/* ---- m8n8k4: four products of 8 x 4 by 4 x 8 at once, each by lanes 4 q ... 4 q + 3 and those 16 further up ---- */

/* Element i of the fragment of lane 'lane': A from slots 0 and 1 (a sixteenth of them), B from 2 and 3. */
static double quad_half(const struct own_entry *own, unsigned lane, unsigned slot, unsigned i)
{
    uint64_t pair = own->in[(own->i - own->lane + lane) * IN_SLOTS + slot + i / 2];

    return own_decode(&own_f16, (unsigned)(pair >> i % 2 * 16) & 0xffff) / (slot ? 1 : 16);
}

static double quad_c(unsigned lane, unsigned i)
{
    return (lane * 8 + i) * 5 % 32;
}

static void m8n8k4(bool a_row, bool b_row, const char *d_type, const char *c_type)
{
    bool wide_d = !strcmp(d_type, "f32"), wide_c = !strcmp(c_type, "f32");
    char *body = own_text("mov.u32 %%r40, 0x2c002c00; mul.f16x2 %%r0, %%w0, %%r40; mul.f16x2 %%r1, %%w1, %%r40;"
                          "mov.b32 %%r2, %%w2; mov.b32 %%r3, %%w3;");
    char *c = own_text("%s", ""), *d = own_text("%s", "");

    for (int i = 0; i < 8; i++) {
        body = own_text("%s mad.lo.u32 %%r41, %%lane, 8, %d; mul.lo.u32 %%r41, %%r41, 5; and.b32 %%r41, %%r41, 31;"
                        "cvt.rn.f32.u32 %%f%d, %%r41; cvt.rn.f16.u32 %%h%d, %%r41;\n", body, i, i, i);
        c = wide_c ? own_text("%s%s%%f%d", c, i ? ", " : "", i) : i % 2 ? c : own_text("%s%s%%r%d", c, i ? ", " : "", 10 + i / 2);
        d = wide_d ? own_text("%s%s%%f%d", d, i ? ", " : "", 10 + i) : i % 2 ? d : own_text("%s%s%%r%d", d, i ? ", " : "",
            20 + i / 2);
    }
    body = own_text("%s mov.b32 %%r10, {%%h0, %%h1}; mov.b32 %%r11, {%%h2, %%h3}; mov.b32 %%r12, {%%h4, %%h5};"
                    "mov.b32 %%r13, {%%h6, %%h7};"
                    "mma.sync.aligned.m8n8k4.%s.%s.%s.f16.f16.%s {%s}, {%%r0, %%r1}, {%%r2, %%r3}, {%s};\n", body,
                        a_row ? "row" : "col", b_row ? "row" : "col", d_type, c_type, d, c);
    for (int i = 0; i < (wide_d ? 8 : 4); i++)
        body = wide_d ? own_text("%s mov.b32 %%r41, %%f%d; cvt.u64.u32 %%o%d, %%r41;", body, 10 + i,
            i) : own_text("%s cvt.u64.u32 %%o%d, %%r%d;", body, i, 20 + i);
    ENTRY(.name = own_text("mma_m8n8k4_%s_%s_%s_%s", a_row ? "row" : "col", b_row ? "row" : "col", d_type, c_type),
        .pool = POOL_F16X2, .nout = wide_d ? 8 : 4,
          .types = wide_d ? "f32" : "f16x2", .class = wide_d ? "mma" : "mma16", .body = body) {
        unsigned quad = own.lane % 16 / 4 * 4, upper = own.lane / 16;
        double product[8][8], sum[8][8];

        for (unsigned row = 0; row < 8; row++)
            for (unsigned column = 0; column < 8; column++) {
                product[row][column] = 0;
                for (unsigned k = 0; k < 4; k++) {
                    unsigned a_lane = quad + row / 4 * 16 + (a_row ? row % 4 : k),
                        b_lane = quad + column / 4 * 16 + (b_row ? k : column % 4);

                    product[row][column] += quad_half(T, a_lane, 0, a_row ? k : row % 4) * quad_half(T, b_lane, 2,
                        b_row ? column % 4 : k);
                }
            }
        /* C is f32 or f16, each with its own places; D likewise. */
        for (unsigned l = 0; l < 8; l++)
            for (unsigned i = 0; i < 8; i++) {
                unsigned lane = quad + l / 4 * 16 + l % 4;
                unsigned row = wide_c ? (lane & 1) + (i & 2) + l / 4 * 4 : lane % 4 + l / 4 * 4,
                    column = wide_c ? (i & 4) + (lane & 2) + (i & 1) : i;

                sum[row][column] = product[row][column] + quad_c(lane, i);
            }
        for (unsigned i = 0; i < 8; i++) {
            unsigned row = wide_d ? (own.lane & 1) + (i & 2) + upper * 4 : own.lane % 4 + upper * 4,
                column = wide_d ? (i & 4) + (own.lane & 2) + (i & 1) : i;

            if (wide_d)
                OUT(i) = bits_f32((float)sum[row][column]);
            else
                OUT(i / 2) |= (uint64_t)own_encode(&own_f16, sum[row][column], false) << i % 2 * 16;
        }
    }
}

void gen_mma(void)
{
    own_family("matrix", "");
    for (int k = 16; k <= 32; k += 16)
        for (int pair = 0; pair < 4; pair++)
            for (int half = 0; half < 2; half++)
                fp8(pair & 1, pair >> 1, k, half);
    for (int layouts = 0; layouts < 4; layouts++) {
        m8n8k4(layouts & 1, layouts >> 1, "f16", "f16");
        m8n8k4(layouts & 1, layouts >> 1, "f32", "f16");
        m8n8k4(layouts & 1, layouts >> 1, "f32", "f32");
    }
}
