/* SPDX-License-Identifier: Apache-2.0 */
/* Random kernels in both engines: what they write must be the same, bit for bit.
 *
 *   test_jit_random [FIRST_SEED [COUNT [SECONDS]]]
 *
 * COUNT 0: no end. With a time (0: none) it is a long run: one line a minute, each instruction set in turn unless VGPU_ISA
 * names one, and the end at the first difference, with the seed and the kernel.
 *
 * A kernel is a few registers, straight code, branches, tables of branches and loops on values that are uniform or not, with one
 * entry or two, calls (direct, recursive, through pointers), loads and stores in a row and scattered, local memory, atomics in
 * any order that does not matter, votes of the lanes that are there, and, where all lanes are together, barriers and shuffles. */
#include <stdarg.h>
#include <time.h>

#include "interp_fixture.h"

#define COUNT 40
#define REGS 12
#define FLOATS 6

#define FUNCTIONS 4
/* Words of the output: one a thread; then sums that all threads add to, a word of each thread's own, one of each warp's. */
#define SUMS 1024
#define OWN 1280
#define WARPS 1792
#define WORDS 2048

struct text {
    char s[1 << 16];
    size_t n;
};

static struct {
    struct text body, functions, *to;
    uint64_t state;
    unsigned label, budget;
    bool flushes; /* every operation on f32 is .ftz */
    unsigned callees;      /* functions that may be called from here */
} g;

static unsigned pick(unsigned n)
{
    g.state = g.state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(g.state >> 33) % n;
}

__attribute__((format(printf, 1, 2))) static void put(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g.to->n += (size_t)vsnprintf(g.to->s + g.to->n, sizeof g.to->s - g.to->n, fmt, ap);
    va_end(ap);
}

static const char *integer(void)
{
    static char text[4][32];
    static unsigned turn;
    char *t = text[turn++ % 4];

    switch (pick(8)) {
    case 0:
        snprintf(t, sizeof text[0], "%u", pick(1u << 31));
        break;
    case 1:
        snprintf(t, sizeof text[0], "%u", pick(40));
        break;
    case 2:
        return "%gi";
    case 3:
        return "%n0"; /* the block: uniform */
    default:
        snprintf(t, sizeof text[0], "%%r%u", pick(REGS));
    }
    return t;
}

static void integer_op(void)
{
    static const char *const two[] = {"add.u32", "sub.u32", "mul.lo.u32", "mul.hi.u32", "mul.hi.s32", "and.b32", "or.b32", "xor.b32",
                                      "min.s32", "max.u32", "shl.b32", "shr.u32", "shr.s32", "div.u32", "rem.s32", "sad.u32"};
    static const char *const half_ops[] = {"add", "mul", "sub", "min", "max"};
    static const char *const one[] = {"not.b32", "neg.s32", "abs.s32", "popc.b32", "clz.b32", "brev.b32", "cnot.b32"};
    unsigned d = pick(REGS), k = pick(16);

    if (k < 6) {
        unsigned op = pick(15);

        put("%s %%r%u, %s, %s;\n", two[op], d, integer(), integer());
    } else if (k == 6) {
        put("%s %%r%u, %s;\n", one[pick(7)], d, integer());
    } else if (k == 7) {
        put("mad.lo.u32 %%r%u, %s, %s, %s;\n", d, integer(), integer(), integer());
    } else if (k == 8) {
        put("lop3.b32 %%r%u, %s, %s, %s, %u;\n", d, integer(), integer(), integer(), pick(256));
    } else if (k == 9) {
        put("shf.%c.%s.b32 %%r%u, %s, %s, %s;\n", "lr"[pick(2)], pick(2) ? "wrap" : "clamp", d, integer(), integer(), integer());
    } else if (k == 10) {
        put("prmt.b32 %%r%u, %s, %s, %u;\n", d, integer(), integer(), pick(65536));
    } else if (k == 11) {
        put("dp4a.%c32.%c32 %%r%u, %s, %s, %s;\n", "us"[pick(2)], "us"[pick(2)], d, integer(), integer(), integer());
    } else if (k == 12) {
        put("bfe.%s %%r%u, %s, %u, %u;\n", pick(2) ? "u32" : "s32", d, integer(), pick(40), pick(40));
    } else if (k == 13) {
        put("%s %%r%u, %s, %s, %s;\n", pick(2) ? "prmt.b32" : pick(2) ? "bfe.s32" : "sad.s32", d, integer(), integer(), integer());
    } else if (k == 14) {
        put("bfi.b32 %%r%u, %s, %s, %s, %s;\n", d, integer(), integer(), integer(), integer());
    } else {
        put("%s.%s %%r%u, %%r%u, %%r%u;\n", half_ops[pick(5)], pick(2) ? "f16x2" : "bf16x2", d, pick(REGS), pick(REGS));
    }
}

static void float_op(void)
{
    static const char *const ops[] = {"add", "sub", "mul", "fma.rn", "min", "max", "div.rn", "neg", "abs", "sqrt.rn", "ex2.approx", "rcp.approx",
                                      "rsqrt.approx", "div.approx", "div.full", "rcp.rn", "lg2.approx", "sin.approx", "cos.approx", "add.rz", "fma.rm"};
    static const unsigned sources[] = {2, 2, 2, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 2, 3};
    unsigned op = pick(21);

    put("%s%s.f32 %%f%u", ops[op], g.flushes || pick(2) ? ".ftz" : "", pick(FLOATS));
    for (unsigned k = 0; k < sources[op]; k++)
        put(", %%f%u", pick(FLOATS));
    put(";\n");
}

static void wide_op(void)
{
    static const char *const ops[] = {"add.u64", "sub.u64", "mul.lo.u64", "mul.hi.u64", "and.b64", "xor.b64", "min.s64", "max.u64",
                                      "div.u64", "rem.s64"};
    unsigned d = 10 + pick(4);

    if (pick(3))
        put("%s %%rd%u, %%rd%u, %%rd%u;\n", ops[pick(10)], d, 10 + pick(4), 10 + pick(4));
    else if (pick(2))
        put("%s.b64 %%rd%u, %%rd%u, %s;\n", pick(2) ? "shl" : "shr", d, 10 + pick(4), integer());
    else
        put("cvt.u64.u32 %%rd%u, %s; cvt.u32.u64 %%r%u, %%rd%u;\n", d, integer(), pick(REGS), 10 + pick(4));
}

static void convert(void)
{
    unsigned d = pick(REGS), f = pick(FLOATS);

    switch (pick(6)) {
    case 0:
        put("cvt.rn.f32.%c32 %%f%u, %s;\n", "us"[pick(2)], f, integer());
        break;
    case 1:
        put("cvt.rzi%s.s32.f32 %%r%u, %%f%u;\n", g.flushes ? ".ftz" : "", d, f);
        break;
    case 2:
        put("mov.b32 %%r%u, %%f%u;\n", d, f);
        break;
    case 3:
        put("cvt.s32.s8 %%r%u, %%r%u;\n", d, pick(REGS));
        break;
    case 4:
        put("cvt.rn.f16.f32 %%h0, %%f%u; cvt.f32.f16 %%f%u, %%h0;\n", f, pick(FLOATS));
        break;
    default:
        put("mul.wide.s32 %%rd0, %%r%u, %s; mov.b64 {%%r%u, %%r%u}, %%rd0;\n", d, integer(), d, pick(REGS));
    }
}

static void compare(unsigned p)
{
    static const char *const relations[] = {"eq", "ne", "lt", "le", "gt", "ge"};

    if (pick(4))
        put("setp.%s.%c32 %%p%u, %s, %s;\n", relations[pick(6)], "us"[pick(2)], p, integer(), integer());
    else
        put("setp.%s%s.f32 %%p%u, %%f%u, %%f%u;\n", relations[pick(6)], g.flushes ? ".ftz" : "", p, pick(FLOATS), pick(FLOATS));
}

static void select_or_guard(void)
{
    compare(0);
    if (pick(2))
        put("selp.b32 %%r%u, %s, %s, %%p0;\n", pick(REGS), integer(), integer());
    else
        put("@%s%%p0 add.u32 %%r%u, %s, %s;\n", pick(2) ? "!" : "", pick(REGS), integer(), integer());
}

/* Addresses that lie apart in a known way: strides, backwards, the same for some lanes, of a few sizes, and rows whose lanes that
 * do not run are elsewhere. */
static void pattern(void)
{
    static const char *const types[] = {"u8", "s8", "u16", "s16", "u32"};
    static const unsigned strides[] = {2, 4, 8, 12, 16, 20, 64};
    unsigned d = pick(REGS), wide = pick(2);

    switch (pick(8)) {
    case 6: /* four lanes to each block of 34 or 36 bytes */
        put("shr.u32 %%r20, %%ti, 2; and.b32 %%r21, %%ti, 3; mad.wide.u32 %%rd1, %%r20, %u, %%in; mul.wide.u32 %%rd2, %%r21, 8; "
            "add.s64 %%rd1, %%rd1, %%rd2; ld.global.%s %%r%u, [%%rd1+%u];\n", wide ? 36 : 34, wide ? "u32" : "u16", d, 4 * pick(3));
        break;
    case 0:
        put("mad.wide.u32 %%rd1, %%ti, %u, %%in; ld.global.%s %%r%u, [%%rd1+%u];\n", strides[pick(7)], types[pick(4)], d, 2 * pick(64));
        break;
    case 1:
        put("sub.u32 %%r20, 1023, %%ti; mul.wide.s32 %%rd1, %%r20, 4; add.s64 %%rd1, %%in, %%rd1; ld.global.%s %%r%u, [%%rd1];\n",
            types[pick(5)], d);
        break;
    case 2:
        put("shr.u32 %%r20, %%gi, %u; mul.wide.s32 %%rd1, %%r20, 16; add.s64 %%rd1, %%rd1, %%in; "
            "ld.global.v4.u32 {%%r%u, %%r%u, %%r%u, %%r%u}, [%%rd1];\n", 1 + pick(5), d, (d + 1) % REGS, (d + 2) % REGS, (d + 3) % REGS);
        break;
    case 3:
        put("and.b32 %%r20, %%ti, %u; mad.wide.u32 %%rd1, %%r20, 8, %%in; ld.global.v2.u32 {%%r%u, %%r%u}, [%%rd1+%u];\n", 1 + pick(31), d,
            (d + 1) % REGS, 8 * pick(8));
        break;
    case 4:
        put("setp.ge.u32 %%p0, %%ti, %u; sub.s32 %%r20, %%ti, %u; mul.wide.s32 %%rd1, %%r20, 4; add.s64 %%rd1, %%in, %%rd1;\n"
            "@%%p0 ld.global.u32 %%r%u, [%%rd1];\n", pick(40), pick(40), d);
        break;
    case 5:
        put("shl.b32 %%r20, %%ti, 2; mov.u32 %%r21, own; or.b32 %%r20, %%r20, %u; add.u32 %%r20, %%r20, %%r21; cvt.u16.u32 %%h1, %%r%u; "
            "st.shared.u8 [%%r20], %%h1; ld.shared.u8 %%r%u, [%%r20];\n", pick(4), pick(REGS), d);
        break;
    default:
        put("add.s32 %%r20, %%r%u, %%ti; mul.wide.s32 %%rd1, %%r20, 4; cvt.s64.s32 %%rd2, %%r20; sub.s64 %%rd1, %%rd1, %%rd2; "
            "mov.b64 {%%r%u, %%r%u}, %%rd1;\n", pick(REGS), d, (d + 1) % REGS);
    }
}

/* Own words of shared memory, and input anywhere. */
static void memory(void)
{
    unsigned d = pick(REGS);

    switch (pick(8)) {
    case 5:
    case 6:
    case 7:
        pattern();
        break;
    case 0:
        put("ld.global.u32 %%r%u, [%%i];\n", d);
        break;
    case 1:
        put("and.b32 %%r20, %s, 4092; cvt.u64.u32 %%rd1, %%r20; add.u64 %%rd1, %%rd1, %%in; ld.global.u32 %%r%u, [%%rd1];\n", integer(), d);
        break;
    case 2:
        put("and.b32 %%r20, %s, 4095; cvt.u64.u32 %%rd1, %%r20; add.u64 %%rd1, %%rd1, %%in; ld.global.u8 %%r%u, [%%rd1];\n", integer(), d);
        break;
    case 3:
        put("and.b32 %%r20, %s, 4080; cvt.u64.u32 %%rd1, %%r20; add.u64 %%rd1, %%rd1, %%in; ld.global.v2.u32 {%%r%u, %%r%u}, [%%rd1];\n",
            integer(), d, pick(REGS));
        break;
    default:
        put("shl.b32 %%r20, %%ti, 2; mov.u32 %%r21, own; add.u32 %%r20, %%r20, %%r21; st.shared.u32 [%%r20], %%r%u;\n"
            "ld.shared.u32 %%r%u, [%%r20];\n", pick(REGS), d);
    }
}

/* The first 32 bytes of the depot have constant addresses only, which a compiler may make registers of. */
static void local(void)
{
    unsigned r = pick(REGS);
    bool loads = pick(2);

    switch (pick(7)) {
    case 0:
        put("st.local.u32 [depot+%u], %%r%u;\n", 4 * pick(8), r);
        break;
    case 1:
        put("ld.local.u32 %%r%u, [depot+%u];\n", r, 4 * pick(8));
        break;
    case 2:
        put("%s.local.v2.u32 ", loads ? "ld" : "st");
        if (loads)
            put("{%%r%u, %%r%u}, [depot+%u];\n", r, (r + 1) % REGS, 8 * pick(4));
        else
            put("[depot+%u], {%%r%u, %%r%u};\n", 8 * pick(4), r, pick(REGS));
        break;
    case 3:
        put("st.local.u8 [array+%u], %%r%u; ld.local.u16 %%h1, [array+%u]; cvt.u32.u16 %%r%u, %%h1;\n", pick(64), r, 2 * pick(32), r);
        break;
    case 4:
        put("mov.u64 %%rd2, array; cvta.local.u64 %%rd2, %%rd2; st.u32 [%%rd2+%u], %%r%u; ld.u64 %%rd%u, [%%rd2+%u];\n", 4 * pick(16), r,
            10 + pick(4), 8 * pick(8));
        break;
    default:
        put("and.b32 %%r20, %s, 60; mov.u32 %%r21, array; add.u32 %%r20, %%r20, %%r21; %s.local.u32 ", integer(), loads ? "ld" : "st");
        if (loads)
            put("%%r%u, [%%r20];\n", r);
        else
            put("[%%r20], %%r%u;\n", r);
    }
}

static void own_word(void)
{
    put("mul.wide.u32 %%rd1, %%gi, 4; add.u64 %%rd1, %%rd1, %%out;\n");
}

/* Sums are by operation, so that their order does not matter; a result that is used is that of a thread's own word. */
static void atomic(void)
{
    static const char *const sums[] = {"add.u32", "and.b32", "or.b32", "xor.b32", "min.s32", "max.s32", "min.u32", "max.u32", "add.u64",
                                       "min.s64", "max.u64", "xor.b64"};
    static const char *const own[] = {"add.u32", "add.s32", "and.b32", "or.b32", "xor.b32", "min.s32", "max.s32", "min.u32", "max.u32",
                                      "inc.u32", "dec.u32", "exch.b32"};
    unsigned op = pick(12);

    switch (pick(6)) {
    case 0:
        put("red.global.%s [%%out+%u], %s%u;\n", sums[op], SUMS * 4 + op * 64, op < 8 ? "%r" : "%rd1", pick(op < 8 ? REGS : 4));
        break;
    case 1:
        put("and.b32 %%r20, %s, 7; mul.wide.u32 %%rd1, %%r20, 8; add.u64 %%rd1, %%rd1, %%out; %s.global.%s %s[%%rd1+%u], %s%u;\n",
            integer(), op == 3 ? "atom" : "red", sums[op], op == 3 ? "_, " : "", SUMS * 4 + op * 64, op < 8 ? "%r" : "%rd1", pick(op < 8 ? REGS : 4));
        break;
    case 2:
        own_word();
        put("atom.%s%s %%r%u, [%%rd1+%u], %s;\n", pick(2) ? "global." : "", own[op], pick(REGS), OWN * 4, integer());
        break;
    case 3:
        own_word();
        put("atom.global.cas.b32 %%r%u, [%%rd1+%u], %%r%u, %s;\n", pick(REGS), OWN * 4, pick(REGS), integer());
        break;
    case 4:
        own_word();
        put("%s.add.f32 %s[%%rd1+%u], %%f%u;\n", op & 1 ? "atom.global" : "red.global", op & 1 ? "%f0, " : "", OWN * 4, pick(FLOATS));
        break;
    default:
        put("shl.b32 %%r20, %%ti, 2; mov.u32 %%r21, own; add.u32 %%r20, %%r20, %%r21; atom.shared.%s %%r%u, [%%r20], %s;\n", own[op], pick(REGS),
            integer());
    }
}

/* All functions are alike: (number, number, out, in) to a number. The last one calls itself, fewer than four times in a row. */
static void call(void)
{
    unsigned f = pick(g.callees), d = pick(REGS), l = g.label++;
    bool pointer = pick(3) == 0;

    put("{ .param .b32 r, a, b; .param .b64 o, i; st.param.b32 [a], %s; st.param.b64 [o], %%out; st.param.b64 [i], %%in;\n", integer());
    if (pointer && f + 1 < g.callees) {
        compare(6);
        put("mov.u64 %%rd3, f%u; mov.u64 %%rd4, f%u; selp.b64 %%rd3, %%rd3, %%rd4, %%p6;\n", f, f + 1);
    } else {
        put("mov.u64 %%rd3, f%u;\n", f);
    }
    put("and.b32 %%r20, %s, 3; st.param.b32 [b], %%r20;\n", integer());
    if (pointer)
        put("T%u: .callprototype (.param .b32 _) _ (.param .b32 _, .param .b32 _, .param .b64 _, .param .b64 _);\n"
            "call (r), %%rd3, (a, b, o, i), T%u;\n", l, l);
    else
        put("call (r), f%u, (a, b, o, i);\n", f);
    put("ld.param.b32 %%r%u, [r]; }\n", d);
}

/* 'all' names the lanes that are together here, as an operand: "-1", or a register. NULL: nobody knows. */
static void statements(unsigned depth, const char *all);

static const char *const sides[3][2] = {{"%m0", "%m1"}, {"%m2", "%m3"}, {"%m4", "%m5"}};

static void branch(unsigned depth, const char *all)
{
    unsigned l = g.label++;
    bool other = pick(2), negated = pick(2);
    const char *const *side = sides[depth];

    compare(1);
    if (all)
        put("vote.sync.ballot.b32 %s, %s%%p1, %s; not.b32 %s, %s; and.b32 %s, %s, %s;\n", side[0], negated ? "!" : "", all, side[1], side[0], side[1],
            side[1], all);
    put("@%s%%p1 bra E%u;\n", negated ? "!" : "", l);
    statements(depth + 1, all ? side[1] : NULL);
    if (other)
        put("bra D%u;\n", l);
    put("E%u:\n", l);
    if (other) {
        statements(depth + 1, all ? side[0] : NULL);
        put("D%u:\n", l);
    }
}

/* Four ways, of which some run into the next. */
static void table(unsigned depth)
{
    unsigned l = g.label++;

    put("and.b32 %%r20, %s, 3;\nT%u: .branchtargets A%u, B%u, C%u, Z%u;\nbrx.idx %%r20, T%u;\n", integer(), l, l, l, l, l, l);
    for (unsigned k = 0; k < 3; k++) {
        put("%c%u:\n", "ABC"[k], l);
        statements(depth + 1, NULL);
        if (pick(3))
            put("bra Z%u;\n", l);
    }
    put("Z%u:\n", l);
}

/* A counter of its own at each depth; some lanes go round more often, leave early, leave the loop around too, or begin in the
 * middle. */
static void loop(unsigned depth, int outer)
{
    unsigned l = g.label++, c = 24 + depth;
    bool two = pick(4) == 0;

    put("and.b32 %%r%u, %s, 7;\n", c, integer());
    if (two) {
        compare(3);
        put("@%%p3 bra N%u;\n", l);
    }
    put("L%u: setp.eq.u32 %%p2, %%r%u, 0; @%%p2 bra M%u; sub.u32 %%r%u, %%r%u, 1;\n", l, c, l, c, c);
    statements(depth + 1, NULL);
    if (two)
        put("N%u:\n", l);
    if (pick(2)) {
        compare(3);
        put("@%%p3 bra M%u;\n", outer >= 0 && pick(2) ? (unsigned)outer : l);
    }
    if (pick(3) == 0) {
        compare(3);
        put("@%%p3 bra L%u;\n", l);
        statements(depth + 1, NULL);
    }
    if (depth < 2 && pick(3) == 0)
        loop(depth + 1, (int)l);
    put("bra L%u;\nM%u:\n", l, l);
}

/* A block's threads share rounds out: a warp's lanes mostly end together, but need not. */
static void shared_loop(unsigned depth)
{
    unsigned l = g.label++, c = 28 + depth;

    put("shr.u32 %%r%u, %%ti, %u;\nL%u: setp.ge.u32 %%p2, %%r%u, %u; @%%p2 bra M%u;\n", c, pick(4), l, c, pick(3) ? 8 * pick(5) : pick(40), l);
    put("mad.wide.u32 %%rd1, %%r%u, 34, %%in; ld.global.u16 %%r%u, [%%rd1+%u];\n", c, pick(REGS), 2 * pick(8));
    pattern();
    put("add.u32 %%r%u, %%r%u, %u; bra L%u;\nM%u:\n", c, c, 8u << pick(3), l, l);
}

/* Rounds that all lanes go together. */
static void uniform_loop(unsigned depth, const char *all)
{
    unsigned l = g.label++, c = 24 + depth;

    put("and.b32 %%r%u, %%n0, 3; add.u32 %%r%u, %%r%u, %u;\nL%u:\n", c, c, c, pick(3), l);
    statements(depth + 1, all);
    put("sub.u32 %%r%u, %%r%u, 1; setp.ge.s32 %%p2, %%r%u, 0; @%%p2 bra L%u;\n", c, c, c, l);
}

/* Lanes that are together, maybe without others. */
static void gather(const char *all)
{
    unsigned d = pick(REGS);

    compare(5);
    switch (pick(4)) {
    case 0:
        put("vote.sync.ballot.b32 %%r%u, %%p5, %s;\n", d, all);
        break;
    case 1:
        put("vote.sync.%s.pred %%p7, %%p5, %s; @%%p7 add.u32 %%r%u, %%r%u, 5;\n", pick(2) ? "any" : "all", all, d, pick(REGS));
        break;
    case 2:
        put("and.b32 %%r20, %%r%u, 3; match.any.sync.b32 %%r%u, %%r20, %s;\n", pick(REGS), d, all);
        break;
    default:
        put("redux.sync.%s %%r%u, %%r%u, %s;\n", pick(2) ? "add.u32" : "xor.b32", d, pick(REGS), all);
    }
}

static void meet(void)
{
    unsigned d = pick(REGS);

    switch (pick(8)) {
    case 7:
        put("shfl.sync.%s.b32 %%r%u|%%p4, %%r%u, %s, %u, -1;\n@%%p4 add.u32 %%r%u, %%r%u, 1;\n", pick(2) ? "up" : "idx", d, pick(REGS), integer(),
            pick(32), d, d);
        break;
    case 6:
        put("redux.sync.%s %%r%u, %%r%u, -1;\n", pick(2) ? "add.u32" : pick(2) ? "min.s32" : "xor.b32", d, pick(REGS));
        break;
    case 5:
        put("mad.lo.u32 %%r20, %%n0, 8, 0; shr.u32 %%r21, %%ti, 5; add.u32 %%r20, %%r20, %%r21; mul.wide.u32 %%rd1, %%r20, 4;\n"
            "add.u64 %%rd1, %%rd1, %%out; atom.global.%s %%r%u, [%%rd1+%u], %s;\n", pick(2) ? "add.u32" : pick(2) ? "exch.b32" : "max.s32", d,
            WARPS * 4, integer());
        break;
    case 4:
        put("shfl.sync.idx.b32 %%r%u, %%r%u, %u, %u, -1;\n", d, pick(REGS), pick(32), pick(2) ? 31 : 0x1c1f);
        break;
    case 0:
        put("shfl.sync.bfly.b32 %%r%u, %%r%u, %u, 31, -1;\n", d, pick(REGS), pick(32));
        break;
    case 1:
        put("shfl.sync.%s.b32 %%r%u|%%p4, %%r%u, %u, %u, -1;\n@%%p4 add.u32 %%r%u, %%r%u, 1;\n", pick(2) ? "up" : "down", d, pick(REGS),
            pick(32), pick(2) ? 31 : 0, d, d);
        break;
    case 2:
        compare(5);
        put("vote.sync.ballot.b32 %%r%u, %%p5, -1;\n", d);
        break;
    default:
        put("bar.sync 0; shl.b32 %%r20, %%ti, 2; mov.u32 %%r21, swap; add.u32 %%r20, %%r20, %%r21; st.shared.u32 [%%r20], %%r%u; bar.sync 0;\n"
            "xor.b32 %%r22, %%ti, 1; min.u32 %%r22, %%r22, %%r23; shl.b32 %%r22, %%r22, 2; add.u32 %%r22, %%r22, %%r21;\n"
            "ld.shared.u32 %%r%u, [%%r22];\n", pick(REGS), d);
    }
}

static void statements(unsigned depth, const char *all)
{
    bool together = all && all[0] == '-';
    unsigned n = 1 + pick(depth ? 4 : 10);

    while (n-- && g.budget) {
        unsigned k = pick(20);

        g.budget--;
        if (k < 4)
            integer_op();
        else if (k == 4)
            float_op();
        else if (k == 5)
            convert();
        else if (k == 6)
            select_or_guard();
        else if (k == 7)
            memory();
        else if (k == 8)
            wide_op();
        else if (k == 9)
            local();
        else if (k == 10)
            atomic();
        else if (k == 11 && g.callees)
            call();
        else if (k == 12 && all)
            gather(all);
        else if (k < 15 && together)
            meet();
        else if (depth < 3 && k == 15)
            table(depth);
        else if (depth < 3 && k == 16)
            uniform_loop(depth, all);
        else if (depth < 3 && k == 17)
            pick(3) ? loop(depth, -1) : shared_loop(depth);
        else if (depth < 3)
            branch(depth, all);
    }
}

/* What kernels and functions begin with: values from the thread's number and from x and y. */
static void begin(const char *x, const char *y)
{
    put(".reg .b32 %%m<8>; .local .align 8 .b8 depot[32], array[64];\n");
    put("mov.u32 %%r23, %%ntid.x; sub.u32 %%r23, %%r23, 1;\n");
    for (unsigned k = 0; k < REGS; k++)
        put("mov.u32 %%r%u, %u;\n", k, pick(1u << 31));
    put("mov.u32 %%r%u, %s; mov.u32 %%r%u, %s;\n", pick(REGS), x, pick(REGS), y);
    for (unsigned k = 0; k < 4; k++)
        put("ld.global.u32 %%r%u, [%%i+%u];\n", pick(REGS), 4 * k);
    for (unsigned k = 0; k < FLOATS; k++)
        put("cvt.rn.f32.s32 %%f%u, %s;\n", k, integer());
    for (unsigned k = 0; k < 4; k++)
        put("mul.wide.u32 %%rd%u, %s, %s;\n", 10 + k, integer(), integer());
    for (unsigned k = 0; k < 8; k++)
        put("st.local.u32 [depot+%u], %s;\n", 4 * k, integer());
    for (unsigned k = 0; k < 8; k++)
        put("st.local.u64 [array+%u], %%rd%u;\n", 8 * k, 10 + pick(4));
}

/* One number out of all of them, in %r30. */
static void finish(void)
{
    put("mov.u32 %%r30, 0;\n");
    for (unsigned k = 0; k < REGS; k++)
        put("mad.lo.u32 %%r30, %%r30, 31, %%r%u;\n", k);
    for (unsigned k = 0; k < FLOATS; k++)
        put("mov.b32 %%r31, %%f%u; mad.lo.u32 %%r30, %%r30, 33, %%r31;\n", k);
    for (unsigned k = 0; k < 4; k++)
        put("mov.b64 {%%r31, %%r32}, %%rd%u; mad.lo.u32 %%r30, %%r30, %%r31, %%r32;\n", 10 + k);
    for (unsigned k = 0; k < 8; k++)
        put("ld.local.u32 %%r31, [depot+%u]; ld.local.u32 %%r32, [array+%u]; mad.lo.u32 %%r30, %%r30, %%r31, %%r32;\n", 4 * k, 8 * k);
}

static void function(unsigned f)
{
    put(".func (.param .b32 result) f%u(.param .b32 x, .param .b32 y, .param .b64 pout, .param .b64 pin) {\n"
        ".reg .b32 %%ti, %%gi, %%n0, %%n1, %%r<40>; .reg .b64 %%o, %%i, %%out, %%in, %%rd<20>; .reg .pred %%p<20>; .reg .b16 %%h<8>;\n"
        ".reg .f32 %%f<8>; .reg .b32 %%x, %%y;\n"
        "ld.param.u64 %%out, [pout]; ld.param.u64 %%in, [pin]; mov.u32 %%ti, %%tid.x; mov.u32 %%n0, %%ctaid.x; mov.u32 %%n1, %%ntid.x;\n"
        "mad.lo.u32 %%gi, %%n0, %%n1, %%ti; mad.wide.u32 %%i, %%gi, 4, %%in;\n"
        "ld.param.b32 %%x, [x]; ld.param.b32 %%y, [y];\n", f);
    begin("%x", "%y");
    statements(1, NULL);
    if (pick(2)) {
        compare(3);
        finish();
        put("st.param.b32 [result], %%r30; @%%p3 ret;\n");
    }
    statements(1, NULL);
    if (f == FUNCTIONS - 1) {
        put("setp.eq.u32 %%p1, %%y, 0; @%%p1 bra LAST; sub.u32 %%y, %%y, 1;\n"
            "{ .param .b32 r, a, b; .param .b64 o, i; st.param.b32 [a], %%r0; st.param.b32 [b], %%y; st.param.b64 [o], %%out;\n"
            "st.param.b64 [i], %%in; call (r), f%u, (a, b, o, i); ld.param.b32 %%r1, [r]; }\nLAST:\n", f);
        statements(1, NULL);
    }
    finish();
    put("st.param.b32 [result], %%r30;\nret;\n}\n");
}

static void generate(uint64_t seed, bool leaves)
{
    g.label = 0;
    g.flushes = seed % 3 == 0;
    g.state = seed * 0x9e3779b97f4a7c15u + 1;
    g.body.n = g.functions.n = 0;
    g.to = &g.functions;
    put(".shared .align 16 .b8 own[4096]; .shared .align 16 .b8 swap[4096];\n");
    for (g.callees = 0; g.callees < FUNCTIONS && seed % 3 == 0; g.callees++) {
        g.budget = 16;
        function(g.callees);
    }
    g.to = &g.body;
    g.budget = 120;
    begin("%ti", "%n0");
    put("shl.b32 %%r20, %%ti, 2; mov.u32 %%r21, own; add.u32 %%r20, %%r20, %%r21; st.shared.u32 [%%r20], %%ti;\n");
    if (leaves) /* some threads end early */
        put("setp.gt.u32 %%p0, %%ti, 40; @%%p0 ret;\n");
    for (unsigned k = 0; k < 4; k++)
        statements(0, leaves ? NULL : "-1");
    finish();
    put("st.global.u32 [%%o], %%r30;\n");
}

/* Seeds that stayed with the interpreter. */
static unsigned left_over;

static bool same(uint64_t seed)
{
    static const uint32_t blocks[] = {32, 1, 31, 33, 64, 96, 256};
    static uint32_t want[WORDS];
    uint32_t block = blocks[seed % 7], at = 0;
    bool first, second;

    generate(seed, seed % 5 == 4);
    fx_setup();
    for (uint32_t k = 0; k < FX_BYTES / 4; k++)
        fx_in[k] = k * 2654435761u >> pick(20);
    fx_interprets = true;
    first = fx_run(g.body.s, .before = g.functions.s, .block = block, .grid = 2);
    memcpy(want, fx_out, sizeof want);
    fx_interprets = false;
    fx_report.why[0] = 0;
    second = fx_run(g.body.s, .before = g.functions.s, .block = block, .grid = 2);
    if (fx_report.why[0]) {
        diag("seed %llu stays with the interpreter: %s", (unsigned long long)seed, fx_report.why);
        left_over++;
    }
    while (at < WORDS && fx_out[at] == want[at])
        at++;
    if (at < WORDS)
        diag("word %u, blocks of %u: %#x, the interpreter has %#x", at, block, fx_out[at], want[at]);
    return first && second && at == WORDS;
}

static void print_kernel(uint64_t seed)
{
    diag("seed %llu:", (unsigned long long)seed);
    printf("%s%s%s%s\nret;\n}\n", FX_MODULE, g.functions.s, FX_HEAD, g.body.s);
}

/* Until the first difference, or the time is over. */
static int long_run(uint64_t seed, uint64_t count, time_t seconds)
{
    static const char *const isas[] = {"v4", "v3", "base"};
    time_t begin = time(NULL), told = begin, now = begin;
    bool all = !getenv("VGPU_ISA"), good = true;
    uint64_t first = seed;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; good && (!count || seed < first + count) && (!seconds || now < begin + seconds); seed++, now = time(NULL)) {
        if (all)
            setenv("VGPU_ISA", isas[seed % 3], 1);
        good = same(seed);
        if (!good)
            print_kernel(seed);
        if (now >= told + 60) {
            diag("seeds %llu to %llu, %u of them interpreted", (unsigned long long)first, (unsigned long long)seed, left_over);
            told = now;
        }
    }
    ok(good, "%llu random kernels, from seed %llu", (unsigned long long)(seed - first), (unsigned long long)first);
    return tap_done();
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, count = argc > 2 ? strtoull(argv[2], NULL, 0) : COUNT;

    if (argc > 3)
        return long_run(first, count, strtol(argv[3], NULL, 0));
    for (uint64_t seed = first; seed < first + count; seed++)
        if (!ok(same(seed) && !left_over, "random kernel %llu", (unsigned long long)seed) && argc > 2)
            print_kernel(seed);
    return tap_done();
}
