/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions one by one in both engines, on numbers of every kind: what they write must be the same, bit for bit.
 *
 *   test_jit_forms [PART]          only rows whose text contains PART
 *
 * A row's text reads %r0 ... %r15, and the same bits as %f0 ... %f7, %h0 ... %h7 (their low halves), %rd0 ... %rd7 (pairs), %p0
 * ... %p3 (lowest bits), and writes %r16 ... %r23. */
#include "interp_fixture.h"

#define THREADS 64
#define BLOCKS 8
#define IN 16
#define OUT 8

struct form {
    const char *text;
    unsigned left; /* instructions of it that may be left to operations; the baseline instruction set may leave any, */
    bool for_v4;   /* and AVX2 too */
};

/* ---- Numbers ---- */

static uint64_t state;

static uint32_t pick(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static uint32_t any(void)
{
    return pick(1u << 16) << 16 | pick(1u << 16);
}

static uint32_t half(void)
{
    static const uint16_t special[] = {0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x3c00, 0xbc00, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00, 0x7d01,
                                       0xffff, 0x3555, 0x7f80, 0xff80, 0x7fc0, 0x0080};

    return pick(4) ? pick(1u << 16) : special[pick(sizeof special / sizeof *special)];
}

static uint32_t number(unsigned kind)
{
    static const uint32_t special[] = {0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x7f7fffff, 0xff7fffff,
                                       0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff, 0x7fffffff, 0x4b800000, 0x33000000,
                                       0x477ff000, 0x38800000, 0x37ffffff, 31, 32, 33, 255, 256, 0xffff, 0x10000, 0xffffff, 0x7e800001};

    switch (kind == 3 ? pick(6) : kind) {
    case 0: /* halves of moderate size */
        return ((any() & 0x83ff83ffu) | (12 + pick(7)) << 10 | (12 + pick(7)) << 26);
    case 1: /* floats of moderate size */
        return (any() & 0x807fffffu) | (120 + pick(14)) << 23;
    case 2:
        return any();
    case 3:
        return special[pick(sizeof special / sizeof *special)];
    case 4:
        return half() << 16 | half();
    default:
        return pick(40);
    }
}

static void fill(void)
{
    for (uint32_t k = 0; k < THREADS * BLOCKS * IN; k++)
        fx_in[k] = number(k / (32 * IN) % 4); /* each warp has its kind */
}

/* ---- A row ---- */

static const char *body(const struct form *f)
{
    static char text[16384];
    int n = snprintf(text, sizeof text, ".reg .f32 %%x<8>; .reg .b16 %%k<8>;\nmad.wide.u32 %%rd16, %%gi, %d, %%in; mad.wide.u32 %%rd17, %%gi, %d, %%out;\n", 4 * IN, 4 * OUT);

    for (int k = 0; k < IN; k += 4)
        n += snprintf(text + n, sizeof text - (size_t)n, "ld.global.v4.u32 {%%r%d, %%r%d, %%r%d, %%r%d}, [%%rd16 + %d];\n", k, k + 1, k + 2, k + 3, 4 * k);
    for (int k = 0; k < OUT; k++)
        n += snprintf(text + n, sizeof text - (size_t)n, "mov.b32 %%r%d, 0; mov.b32 %%f%d, %%r%d; cvt.u16.u32 %%h%d, %%r%d; mov.b64 %%rd%d, {%%r%d, %%r%d};\n",
                      IN + k, k, k, k, k, k, 2 * k, 2 * k + 1);
    for (int k = 0; k < 4; k++)
        n += snprintf(text + n, sizeof text - (size_t)n, "and.b32 %%r24, %%r%d, 1; setp.ne.u32 %%p%d, %%r24, 0;\n", k, k);
    n += snprintf(text + n, sizeof text - (size_t)n, "%s\n", f->text);
    for (int k = 0; k < OUT; k += 4)
        n += snprintf(text + n, sizeof text - (size_t)n, "st.global.v4.u32 [%%rd17 + %d], {%%r%d, %%r%d, %%r%d, %%r%d};\n", 4 * k, IN + k, IN + k + 1,
                      IN + k + 2, IN + k + 3);
    return text;
}

static bool same(const struct form *f, uint32_t without)
{
    static uint32_t want[THREADS * BLOCKS * OUT];
    uint32_t at = 0, n = THREADS * BLOCKS * OUT;
    bool first, second;

    fx_interprets = true;
    first = fx_run(body(f), .block = THREADS, .grid = BLOCKS);
    memcpy(want, fx_out, sizeof want);
    fx_interprets = false;
    fx_without = without;
    fx_report = (struct jit_report){.operations = 0};
    second = fx_run(body(f), .block = THREADS, .grid = BLOCKS);
    while (at < n && fx_out[at] == want[at])
        at++;
    if (at < n) {
        const uint32_t *in = fx_in + at / OUT * IN;

        diag("thread %u, %%r%u: %#x, the interpreter has %#x", at / OUT, IN + at % OUT, fx_out[at], want[at]);
        diag("from %#x %#x %#x %#x", in[0], in[1], in[2], in[3]);
    }
    if (fx_report.why[0])
        diag("%s", fx_report.why);
    if (fx_report.operations > f->left && jit_isa_default() >= (f->for_v4 ? JIT_ISA_V4 : JIT_ISA_V3)) {
        diag("%u instructions are left to operations", fx_report.operations);
        return false;
    }
    return first && second && at == n && !fx_report.why[0];
}

/* ---- The rows ---- */

#define A4 "{%r0, %r1, %r2, %r3}"
#define A2 "{%r0, %r1}"
#define B2 "{%r4, %r5}"
#define B1 "{%r4}"
#define C4 "{%r8, %r9, %r10, %r11}"
#define C2 "{%r8, %r9}"
#define D4 "{%r16, %r17, %r18, %r19}"
#define D2 "{%r16, %r17}"
#define MMA(shape, d, types, a, b, c) {"mma.sync.aligned." shape ".row.col" types " " d ", " a ", " b ", " c ";"}
#define MMA_BYTES(ta, tb) \
    MMA("m16n8k32", D4, ".s32." ta "." tb ".s32", A4, B2, C4), MMA("m16n8k16", D4, ".s32." ta "." tb ".s32", A2, B1, C4), \
    MMA("m8n8k16", D2, ".s32." ta "." tb ".s32", "{%r0}", B1, C2), \
    MMA("m16n8k32", D4, ".satfinite.s32." ta "." tb ".s32", A4, B2, C4), MMA("m8n8k16", D2, ".satfinite.s32." ta "." tb ".s32", "{%r0}", B1, C2)
#define MMA_MANY "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 " D4 ", " A4 ", " B2 ", " D4 ";"
#define MMA_MANY_BYTES "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 " D4 ", " A4 ", " B2 ", " D4 ";"
/* Rows of shared memory that lanes have filled; each lane gives the row of another. */
#define ROWS_SHARED "{ .shared .align 16 .b8 tile[1024]; .reg .b32 %at; .reg .b64 %there; and.b32 %r25, %ti, 31; shl.b32 %r26, %ti, 4; mov.u32 %at, tile;" \
    "add.u32 %r26, %r26, %at; st.shared.v4.u32 [%r26], " A4 "; bar.sync 0; mad.lo.u32 %r25, %r25, 5, 3; and.b32 %r25, %r25, 31; and.b32 %r26, %ti, 32;" \
    "add.u32 %r25, %r25, %r26; mad.lo.u32 %at, %r25, 16, %at; cvt.u64.u32 %there, %at; cvta.shared.u64 %there, %there;"
#define LDMATRIX(form, d) {ROWS_SHARED "ldmatrix.sync.aligned.m8n8." form ".shared.b16 " d ", [%at]; }", 1}, \
    {ROWS_SHARED "ldmatrix.sync.aligned.m8n8." form ".b16 " d ", [%there]; }", 1}
#define STMATRIX(form, s) \
    {ROWS_SHARED "bar.sync 0; stmatrix.sync.aligned.m8n8." form ".b16 [%at], " s "; bar.sync 0; ld.shared.v4.u32 " D4 ", [%at]; }", 3}
#define FOUR(x) x x x x
#define SIXTEEN(x) FOUR(x) FOUR(x) FOUR(x) FOUR(x)
#define HALF2(op, flags) \
    {op flags ".f16x2 %r16, %r0, %r1; " op flags ".f16 %k0, %h0, %h1; cvt.u32.u16 %r17, %k0;"}, \
    {op ".bf16x2 %r16, %r0, %r1; " op ".bf16 %k0, %h0, %h1; cvt.u32.u16 %r17, %k0;"}
#define HALF1(op) \
    {op ".f16x2 %r16, %r0; " op ".f16 %k0, %h0; cvt.u32.u16 %r17, %k0;"}, {op ".bf16x2 %r16, %r0; " op ".bf16 %k0, %h0; cvt.u32.u16 %r17, %k0;"}
#define HALF3(op, type) {op "." type "x2 %r16, %r0, %r1, %r2; " op "." type " %k0, %h0, %h1, %h2; cvt.u32.u16 %r17, %k0;"}
#define FIELDS(a, b) {a "%r2, %r3; " b "%r2, %r3; and.b32 %r2, %r2, 63; and.b32 %r3, %r3, 63; " a "%r2, %r3; mov.b32 %r18, %r16;" b "%r2, %r3;"}
#define COPY(size, arguments) \
    {"{ .shared .align 16 .b8 tile[1024]; .reg .b32 %at; .reg .b64 %from; mov.u32 %at, tile; mad.lo.u32 %at, %ti, " size ", %at; mad.wide.u32 %from, %gi, " size \
     ", %in; cp.async.ca.shared.global [%at], [%from], " arguments "; cp.async.commit_group; cp.async.wait_all; bar.sync 0; xor.b32 %r25, %ti, 5;" \
     "mov.u32 %at, tile; mad.lo.u32 %at, %r25, " size ", %at; ld.shared.u32 %r16, [%at+" size "-4]; ld.shared.u32 %r17, [%at]; }", 1}
#define SPECIAL(op) {op ".f32 %x0, %f0; mov.b32 %r16, %x0; " op ".ftz.f32 %x0, %f1; mov.b32 %r17, %x0;"}
#define ROUNDS(r) \
    {"cvt." r ".s32.f32 %r16, %f0; cvt." r ".ftz.u32.f32 %r17, %f0; cvt." r ".s64.f32 %rd5, %f0; mov.b64 {%r18, %r19}, %rd5; cvt." r ".u8.f32 %r20, %f0;" \
     "cvt." r ".s16.f16 %k0, %h0; cvt.u32.u16 %r21, %k0; cvt." r ".f32.f32 %x0, %f0; mov.b32 %r22, %x0;"}, \
    {"{ .reg .f64 %d; mov.b64 %d, {%r0, %r1}; cvt." r ".s32.f64 %r16, %d; cvt." r ".u64.f64 %rd5, %d; mov.b64 {%r18, %r19}, %rd5; mov.b64 %d, {%r1, %r0};" \
     "cvt." r ".u32.f64 %r17, %d; cvt." r ".s64.f64 %rd5, %d; mov.b64 {%r20, %r21}, %rd5; cvt." r ".s8.f64 %r22, %d; }"}
#define DIVIDE(before) {before "div.u64 %rd6, %rd0, %rd1; mov.b64 {%r16, %r17}, %rd6; rem.u64 %rd6, %rd0, %rd1; mov.b64 {%r18, %r19}, %rd6;" \
    "div.s64 %rd6, %rd0, %rd1; mov.b64 {%r20, %r21}, %rd6; rem.s64 %rd6, %rd0, %rd1; mov.b64 {%r22, %r23}, %rd6;"}
#define DIRECTED(r) \
    {"add." r ".f32 %x0, %f0, %f1; mov.b32 %r16, %x0; sub." r ".ftz.f32 %x0, %f0, %f1; mov.b32 %r17, %x0; mul." r ".sat.f32 %x0, %f0, %f1; mov.b32 %r18, %x0;" \
     "fma." r ".f32 %x0, %f0, %f1, %f2; mov.b32 %r19, %x0; div." r ".f32 %x0, %f0, %f1; mov.b32 %r20, %x0; rcp." r ".ftz.f32 %x0, %f0; mov.b32 %r21, %x0;" \
     "sqrt." r ".f32 %x0, %f0; mov.b32 %r22, %x0; mul." r ".ftz.f32 %x0, %f0, %f1; mov.b32 %r23, %x0;", .for_v4 = true}
/* Halves as floats: their bits, and in arithmetic and comparisons, which see no NaN's payload. */
#define HALF_WIDENED(ftz) \
    "cvt.f32.f16 %x0, %h0; mov.b32 %r16, %x0; cvt.f32.f16 %x2, %h1; mul" ftz ".f32 %x3, %x2, %f2; mov.b32 %r17, %x3;" \
    "setp.gt.f32 %p4, %x2, 0f3f000000; selp.u32 %r18, 1, 2, %p4; setp.nan.f32 %p4, %x2, %x2; selp.u32 %r19, 1, 2, %p4;"
#define HALF_NARROWED(compute) \
    compute "cvt.rn.f16.f32 %k0, %x1; cvt.u32.u16 %r20, %k0; cvt.rn.f16x2.f32 %r21, %x1, %x2; cvt.rn.bf16.f32 %k1, %x1; cvt.u32.u16 %r22, %k1;" \
    "cvt.rn.f16.f32 %k2, %f3; cvt.u32.u16 %r23, %k2;"
#define HALF_TESTS(relation) \
    {"setp." relation ".f16x2 %p4|%p5, %r0, %r1; selp.u32 %r16, 1, 2, %p4; selp.u32 %r17, 1, 2, %p5; setp." relation ".bf16x2 %p4|%p5, %r0, %r1;" \
     "selp.u32 %r18, 1, 2, %p4; selp.u32 %r19, 1, 2, %p5; setp." relation ".f16 %p4|%p5, %h0, %h1; selp.u32 %r20, 1, 2, %p4; selp.u32 %r21, 1, 2, %p5;" \
     "setp." relation ".and.bf16 %p4, %h0, %h1, %p0; selp.u32 %r22, 1, 2, %p4; setp." relation ".or.f16 %p4|%p5, %h0, %h1, !%p1; selp.u32 %r23, 1, 2, %p5;"}
#define TESTP(class, a, b) \
    "testp." class ".f32 %p4, %f0; selp.u32 %r" a ", 1, 2, %p4; { .reg .f64 %d; mov.b64 %d, {%r0, %r1}; testp." class ".f64 %p4, %d; selp.u32 %r" b ", 1, 2, %p4; }\n"
#define SHUFFLES(mode, b, c) \
    "shfl.sync." mode ".b32 %r24|%p4, %r0, " b ", " c ", -1; mad.lo.u32 %r16, %r16, 31, %r24; @%p4 add.u32 %r17, %r17, 77; mul.lo.u32 %r17, %r17, 3;"
static const struct form forms[] = {
    HALF2("add", ""), HALF2("sub", ".ftz"), HALF2("mul", ".ftz.sat"), HALF2("add.rn", ".sat"), HALF2("mul", ""),
    HALF2("min", ""), HALF2("max", ".ftz"), HALF2("min.NaN", ""), HALF2("max.xorsign.abs", ""), HALF2("max.NaN.xorsign.abs", ""),
    HALF1("abs"), HALF1("neg"), HALF3("fma.rn", "f16"), HALF3("fma.rn", "bf16"), HALF3("fma.rn.relu", "f16"), HALF3("fma.rn.ftz.sat", "f16"),
    HALF3("fma.rn.relu", "bf16"),
    SPECIAL("ex2.approx"), SPECIAL("lg2.approx"), SPECIAL("sin.approx"), SPECIAL("cos.approx"),
    {"tanh.approx.f32 %x0, %f0; mov.b32 %r16, %x0; tanh.approx.f16x2 %r17, %r0; tanh.approx.f16 %k0, %h0; cvt.u32.u16 %r18, %k0;"
     "tanh.approx.bf16x2 %r19, %r0; tanh.approx.bf16 %k0, %h0; cvt.u32.u16 %r20, %k0;"},
    {"ex2.approx.f16x2 %r17, %r0; ex2.approx.f16 %k0, %h0; cvt.u32.u16 %r18, %k0; ex2.approx.ftz.bf16x2 %r19, %r0; ex2.approx.ftz.bf16 %k0, %h0; cvt.u32.u16 %r20, %k0;"},
    {"ld.global.f32 %x1, [%in+4]; sin.approx.f32 %x2, %x1; lg2.approx.f32 %x3, %x2; tanh.approx.f32 %x3, %x3; add.f32 %x0, %x3, %f0; mov.b32 %r16, %x0;"},
    {"cvt.rn.f16x2.f32 %r16, %f0, %f1; cvt.rn.bf16x2.f32 %r17, %f0, %f1; cvt.rn.bf16.f32 %k0, %f0; cvt.u32.u16 %r18, %k0; cvt.f32.bf16 %x0, %h0; mov.b32 %r19, %x0;"
     "cvt.rna.tf32.f32 %r20, %f0; cvt.rn.f16x2.e4m3x2 %r21, %h0;"},
    {"cvt.rn.f16.s32 %k0, %r0; cvt.u32.u16 %r16, %k0; cvt.rn.f16.u32 %k0, %r0; cvt.u32.u16 %r17, %k0; cvt.rn.f16.u16 %k0, %h0; cvt.u32.u16 %r18, %k0;"
     "cvt.rn.f16.s16 %k0, %h0; cvt.u32.u16 %r19, %k0; cvt.rn.f32.u64 %x0, %rd0; mov.b32 %r20, %x0; cvt.rn.f32.s64 %x0, %rd0; mov.b32 %r21, %x0;"},
    {"{ .reg .f64 %d; cvt.rn.f64.s32 %d, %r0; mov.b64 {%r16, %r17}, %d; cvt.rn.f64.u64 %d, %rd0; mov.b64 {%r18, %r19}, %d; cvt.f64.f32 %d, %f0;"
     "mov.b64 {%r20, %r21}, %d; mov.b64 %d, {%r0, %r1}; cvt.rn.f32.f64 %x0, %d; mov.b32 %r22, %x0; }"},
    ROUNDS("rni"), ROUNDS("rzi"), ROUNDS("rmi"), ROUNDS("rpi"),
    DIRECTED("rz"), DIRECTED("rm"), DIRECTED("rp"),
    {"ld.global.f32 %x1, [%in+4]; ld.global.f32 %x2, [%in+8]; add.rz.f32 %x3, %x1, %x2; fma.rp.ftz.f32 %x3, %x3, %x1, %x2; add.f32 %x0, %x3, %f0; mov.b32 %r16, %x0;", .for_v4 = true},
    {HALF_WIDENED("") HALF_NARROWED("add.f32 %x1, %f0, %f1;")}, {HALF_WIDENED(".ftz") HALF_NARROWED("mul.ftz.f32 %x1, %f0, %f1;")},
    {"ld.global.u16 %k0, [%in+66]; cvt.f32.f16 %x0, %k0; mov.b32 %r16, %x0; mul.f32 %x1, %x0, %x0; cvt.rn.f16.f32 %k1, %x1; cvt.u32.u16 %r17, %k1;" /* uniform */
     "setp.gt.f32 %p4, %x0, 0f3f000000; selp.u32 %r18, 1, 2, %p4;"},
    HALF_TESTS("lt"), HALF_TESTS("ge"), HALF_TESTS("ne"), HALF_TESTS("equ"), HALF_TESTS("nan"), HALF_TESTS("num"), HALF_TESTS("gtu"),
    {TESTP("finite", "16", "17") TESTP("infinite", "18", "19") TESTP("number", "20", "21") TESTP("notanumber", "22", "23")},
    {TESTP("normal", "16", "17") TESTP("subnormal", "18", "19") "slct.u32.s32 %r20, %r0, %r1, %r2; slct.f32.f32 %x0, %f0, %f1, %f2; mov.b32 %r21, %x0;"
     "slct.ftz.b64.f32 %rd5, %rd0, %rd1, %f0; mov.b64 {%r22, %r23}, %rd5;"},
    {SHUFFLES("up", "%r1", "0") SHUFFLES("down", "%r2", "31") SHUFFLES("bfly", "%r1", "%r3") SHUFFLES("idx", "%r1", "0x1c1f"), .for_v4 = true},
    {SHUFFLES("up", "%r4", "%r3") SHUFFLES("down", "3", "%r5") SHUFFLES("idx", "%r6", "%r5") SHUFFLES("bfly", "%r4", "31"), .for_v4 = true},
    {"redux.sync.add.u32 %r16, %r0, -1; redux.sync.min.u32 %r17, %r0, -1; redux.sync.max.u32 %r18, %r0, -1; redux.sync.min.s32 %r19, %r0, -1;"
     "redux.sync.max.s32 %r20, %r0, -1; redux.sync.and.b32 %r21, %r0, -1; redux.sync.or.b32 %r22, %r0, -1; redux.sync.xor.b32 %r23, %r0, -1;"},
    {"vote.sync.uni.pred %p4, %p0, -1; selp.u32 %r16, 1, 2, %p4; setp.ge.u32 %p5, %r0, 0; vote.sync.uni.pred %p4, %p5, -1; selp.u32 %r17, 1, 2, %p4;"
     "vote.sync.all.pred %p4, !%p5, -1; selp.u32 %r18, 1, 2, %p4; vote.sync.ballot.b32 %r19, %p1, -1;"},
    {"prmt.b32 %r16, %r0, %r1, %r2; prmt.b32.f4e %r17, %r0, %r1, %r2; prmt.b32.b4e %r18, %r0, %r1, %r2; prmt.b32.rc8 %r19, %r0, %r1, %r2;"
     "prmt.b32.ecl %r20, %r0, %r1, %r2; prmt.b32.ecr %r21, %r0, %r1, %r2; prmt.b32.rc16 %r22, %r0, %r1, %r2; prmt.b32 %r23, %r0, 0, %r2;"},
    {"ld.global.u32 %r30, [%in+64]; ld.global.u32 %r31, [%in+68]; prmt.b32 %r32, %r30, %r31, %r31; add.u32 %r16, %r32, %ti;"},
    FIELDS("bfe.u32 %r16, %r0, ", "bfe.s32 %r17, %r0, "), FIELDS("bfi.b32 %r16, %r0, %r1, ", "bfi.b32 %r17, %r3, %r1, "),
    {"bfe.u64 %rd5, %rd0, %r2, %r3; mov.b64 {%r16, %r17}, %rd5; bfe.s64 %rd5, %rd0, %r2, %r3; mov.b64 {%r18, %r19}, %rd5;"
     "bfi.b64 %rd5, %rd0, %rd1, %r4, %r5; mov.b64 {%r20, %r21}, %rd5; and.b32 %r4, %r4, 63; bfe.s64 %rd5, %rd0, %r4, 7; mov.b64 {%r22, %r23}, %rd5;"},
    FIELDS("bmsk.clamp.b32 %r16, ", "bmsk.wrap.b32 %r17, "),
    {"szext.clamp.s32 %r16, %r0, %r1; szext.wrap.s32 %r17, %r0, %r1; szext.clamp.u32 %r18, %r0, %r1; szext.wrap.u32 %r19, %r0, %r1; and.b32 %r1, %r1, 63;"
     "szext.clamp.s32 %r20, %r0, %r1; szext.wrap.s32 %r21, %r0, %r1; szext.clamp.u32 %r22, %r0, %r1; szext.wrap.u32 %r23, %r0, %r1;"},
    {"bfind.u32 %r16, %r0; bfind.s32 %r17, %r0; bfind.u64 %r18, %rd0; bfind.s64 %r19, %rd0; bfind.shiftamt.u32 %r20, %r0;"
     "bfind.shiftamt.s32 %r21, %r0; bfind.shiftamt.u64 %r22, %rd0; bfind.shiftamt.s64 %r23, %rd0;"},
    {"cnot.b32 %r16, %r0; sad.s32 %r17, %r0, %r1, %r2; sad.u32 %r18, %r0, %r1, %r2; sad.u16 %k0, %h0, %h1, %h2; cvt.u32.u16 %r19, %k0;"
     "sad.s64 %rd5, %rd0, %rd1, %rd2; mov.b64 {%r20, %r21}, %rd5; cnot.b64 %rd5, %rd0; mov.b64 {%r22, %r23}, %rd5;"},
    DIVIDE(""), DIVIDE("and.b32 %r1, %r1, 0; and.b32 %r3, %r3, 0; mov.b64 %rd0, {%r0, %r1}; mov.b64 %rd1, {%r2, %r3};"),
    DIVIDE("ld.global.u64 %rd0, [%in+64]; ld.global.u64 %rd1, [%in+40]; xor.b64 %rd1, %rd1, -1;"),
    {"add.cc.u32 %r16, %r0, %r1; addc.cc.u32 %r17, %r2, %r3; addc.u32 %r18, %r4, %r5; sub.cc.u32 %r19, %r0, %r1; subc.cc.u32 %r20, %r2, %r3; subc.u32 %r21, %r4, %r5;"
     "@%p0 add.cc.u32 %r22, %r6, %r7; @!%p1 addc.u32 %r23, %r0, -1;"},
    {"add.cc.u64 %rd5, %rd0, %rd1; mov.b64 {%r16, %r17}, %rd5; addc.u64 %rd5, %rd2, %rd3; mov.b64 {%r18, %r19}, %rd5; sub.cc.s64 %rd5, %rd0, %rd1;"
     "mov.b64 {%r20, %r21}, %rd5; subc.u64 %rd5, %rd2, %rd3; mov.b64 {%r22, %r23}, %rd5;"},
    {"mad.lo.cc.u32 %r16, %r0, %r1, %r2; madc.hi.cc.u32 %r17, %r0, %r1, %r3; madc.lo.cc.u32 %r18, %r4, %r5, %r6; madc.hi.u32 %r19, %r4, %r5, 0;"
     "mad.hi.cc.s32 %r20, %r0, %r1, %r2; madc.hi.cc.s32 %r21, %r3, %r4, %r5; addc.u32 %r22, 0, 0;"},
    {"mad.lo.cc.u64 %rd5, %rd0, %rd1, %rd2; mov.b64 {%r16, %r17}, %rd5; madc.hi.cc.u64 %rd5, %rd0, %rd1, %rd3; mov.b64 {%r18, %r19}, %rd5;"
     "madc.hi.s64 %rd5, %rd0, %rd1, %rd3; mov.b64 {%r20, %r21}, %rd5; mul.hi.s64 %rd5, %rd2, %rd3; mov.b64 {%r22, %r23}, %rd5;"},
    {"mul.hi.u64 %rd5, %rd0, %rd1; mov.b64 {%r16, %r17}, %rd5; mad.hi.u64 %rd5, %rd1, %rd2, %rd3; mov.b64 {%r18, %r19}, %rd5;"
     "mad.hi.s64 %rd5, %rd0, %rd1, %rd3; mov.b64 {%r20, %r21}, %rd5; add.sat.s32 %r22, %r0, %r1; sub.sat.s32 %r23, %r0, %r1;"},
    {"mul24.lo.u32 %r16, %r0, %r1; mul24.hi.u32 %r17, %r0, %r1; mul24.lo.s32 %r18, %r0, %r1; mul24.hi.s32 %r19, %r0, %r1;"
     "mad24.lo.u32 %r20, %r0, %r1, %r2; mad24.hi.u32 %r21, %r0, %r1, %r2; mad24.lo.s32 %r22, %r0, %r1, %r2; mad24.hi.s32 %r23, %r0, %r1, %r2;"},
    {"dp2a.lo.u32.u32 %r16, %r0, %r1, %r2; dp2a.hi.u32.u32 %r17, %r0, %r1, %r2; dp2a.lo.s32.s32 %r18, %r0, %r1, %r2; dp2a.hi.s32.s32 %r19, %r0, %r1, %r2;"
     "dp2a.lo.u32.s32 %r20, %r0, %r1, %r2; dp2a.hi.s32.u32 %r21, %r0, %r1, %r2;"},
    {"mov.b32 %r24, %r0; @%p0 ld.global.u32 %r24, [%in+8]; mov.b32 %r16, %r24; mov.b32 %r24, 5; @!%p1 ld.global.v2.u32 {%r24, %r24}, [%in]; mov.b32 %r17, %r24;"},
    {"setp.eq.u64 %p4, %rd0, 0; @%p4 bra OUT; div.u64 %rd6, %rd1, %rd0; mov.b64 {%r16, %r17}, %rd6; OUT: bar.warp.sync -1;"},
    COPY("16", "16"), COPY("8", "8"), COPY("4", "4"), COPY("16", "16, 16"),
    {"ld.global.u32 %r30, [%in+64]; ld.global.u32 %r31, [%in+68]; ld.global.u32 %r32, [%in+72]; fma.rn.f16x2 %r33, %r30, %r31, %r32;" /* uniform */
     "mul.f16x2 %r34, %r33, %r30; mov.b32 {%h0, %h1}, %r34; add.f16 %h2, %h0, %h1; add.f16x2 %r16, %r34, %r0; cvt.u32.u16 %r17, %h2;"},
    MMA_BYTES("s8", "s8"), MMA_BYTES("s8", "u8"), MMA_BYTES("u8", "s8"), MMA_BYTES("u8", "u8"),
    MMA("m16n8k16", D4, ".f32.f16.f16.f32", A4, B2, C4), MMA("m16n8k8", D4, ".f32.f16.f16.f32", A2, B1, C4),
    MMA("m16n8k16", D2, ".f16.f16.f16.f16", A4, B2, C2), MMA("m16n8k8", D2, ".f16.f16.f16.f16", A2, B1, C2),
    MMA("m16n8k16", D4, ".f32.bf16.bf16.f32", A4, B2, C4), MMA("m16n8k8", D4, ".f32.bf16.bf16.f32", A2, B1, C4),
    MMA("m16n8k8", D4, ".f32.tf32.tf32.f32", A4, B2, C4), MMA("m16n8k4", D4, ".f32.tf32.tf32.f32", A2, B1, C4),
    LDMATRIX("x4", D4), LDMATRIX("x4.trans", D4), LDMATRIX("x2", D2), LDMATRIX("x1.trans", "{%r16}"),
    STMATRIX("x4.shared", C4), STMATRIX("x2.trans.shared", C2), {"movmatrix.sync.aligned.m8n8.trans.b16 %r16, %r0;"},
    {SIXTEEN(MMA_MANY)}, {SIXTEEN(MMA_MANY_BYTES)}, /* so many call a function */
};

int main(int argc, char **argv)
{
    bool extended = jit_extensions(jit_isa_default());

    fx_setup();
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
        state = k;
        fill();
        if (argc > 1 && !strstr(forms[k].text, argv[1]))
            continue;
        ok(same(&forms[k], 0), "%.100s", forms[k].text);
        if (extended && !strncmp(forms[k].text, "mma", 3))
            ok(same(&forms[k], ~0u), "%.100s, without extensions", forms[k].text);
    }
    return tap_done();
}
