/* SPDX-License-Identifier: Apache-2.0 */
/* The flow of random kernels: who is together where, functions, and how a kernel begins and ends. */
#include "kernel.h"

#include <string.h>

#include "statements.h"

/* f0 is called by lanes that are together, the others by any; the last one calls itself. s0 and s1 take a structure and numbers. */
enum { FUNCTIONS = 4, STRUCT_FUNCTIONS = 2, DEPTH = 3, LOOPS_MAX = 8 };

/* Who ends early. */
enum leaving { NOBODY, AT_THE_START, ANYWHERE };

static struct {
    unsigned budget;           /* statements */
    unsigned callees, structs; /* functions that may be called from here */
    unsigned loops[LOOPS_MAX], n_loops; /* labels of those that lanes may leave, or go round again, from here */
    unsigned threads;
    enum leaving leaving;
    bool in_function;
} g;

static void compare(unsigned predicate)
{
    maker.predicate = predicate;
    put_one_of(&comparisons);
}

/* ---- Calls ---- */

/* All functions f are alike: (number, number, out, in, lanes) to a number. */
static void call(void)
{
    unsigned first = maker.together ? 0 : 1, n = g.callees > first ? g.callees - first : 0, f, l = maker.label++;
    bool pointer = random_pick(3) == 0;

    if (!n || (g.structs && !random_pick(3))) {
        put("{ .param .align 16 .b8 r[16], s[16]; .param .b64 w; .param .f32 f; .param .b16 h; st.param.v4.b32 [s], $4; st.param.b64 [w], $W; "
            "st.param.f32 [f], $F; st.param.b16 [h], $H; call (r), s%u, (s, w, f, h); ld.param.v2.b32 $2, [r]; ld.param.b64 $W, [r+8]; }",
            random_pick(STRUCT_FUNCTIONS));
        return;
    }
    f = first + random_pick(n);
    put("{ .param .b32 r, a, b, m; .param .b64 o, i; st.param.b32 [a], $i; st.param.b64 [o], %%out; st.param.b64 [i], %%in;");
    put("mov.b32 %%r20, %s; st.param.b32 [m], %%r20; and.b32 %%r20, $i, 3; st.param.b32 [b], %%r20;", maker.together ? "$T" : "0");
    if (!pointer) {
        put("call (r), f%u, (a, b, o, i, m);", f);
    } else {
        put("mov.u64 %%rd3, f%u;", f);
        if (f && f + 1 < g.callees) {
            compare(6);
            put("mov.u64 %%rd4, f%u; selp.b64 %%rd3, %%rd3, %%rd4, %%p6;", f + 1);
        }
        put("T%u: .callprototype (.param .b32 _) _ (.param .b32 _, .param .b32 _, .param .b64 _, .param .b64 _, .param .b32 _);\n"
            "call (r), %%rd3, (a, b, o, i, m), T%u;", l, l);
    }
    put("ld.param.b32 $R, [r]; }");
}

/* ---- Branches and loops ---- */

/* 'all' names the lanes that are together here, as an operand: "-1", or a register. NULL: nobody knows. */
static void statements(unsigned depth, const char *all);

static const char *const sides[DEPTH][2] = {{"%m0", "%m1"}, {"%m2", "%m3"}, {"%m4", "%m5"}};

static void branch(unsigned depth, const char *all)
{
    unsigned l = maker.label++;
    bool other = random_pick(2);
    const char *negated = random_pick(2) ? "!" : "", *const *side = sides[depth];

    compare(1);
    if (all)
        put("vote.sync.ballot.b32 %s, %s%%p1, %s; not.b32 %s, %s; and.b32 %s, %s, %s;", side[0], negated, all, side[1], side[0], side[1], side[1], all);
    put("@%s%%p1 bra E%u;", negated, l);
    statements(depth + 1, all ? side[1] : NULL);
    if (other)
        put("bra D%u;", l);
    put("E%u:", l);
    if (other) {
        statements(depth + 1, all ? side[0] : NULL);
        put("D%u:", l);
    }
}

/* Some ways, of which some run into the next; all lanes of a block go the same one, or each its own. */
static void table(unsigned depth, const char *all)
{
    unsigned l = maker.label++, ways = 2 + random_pick(4);
    bool uniform = random_pick(3) == 0;

    put("%s; rem.u32 %%r20, %%r20, %u;", uniform ? "add.u32 %r20, %n0, #8" : "add.u32 %r20, $i, $i", ways);
    put("T%u: .branchtargets", l);
    for (unsigned k = 0; k + 1 < ways; k++)
        put("W%u_%u, ", l, k);
    put("Z%u;\nbrx.idx %%r20, T%u;", l, l);
    for (unsigned k = 0; k + 1 < ways; k++) {
        put("W%u_%u:", l, k);
        statements(depth + 1, uniform ? all : NULL);
        if (random_pick(3))
            put("bra Z%u;", l);
    }
    put("Z%u:", l);
}

/* Out of a loop around, or round again, from wherever this is. */
static void leave_loop(void)
{
    unsigned l = g.loops[random_pick(g.n_loops)];

    compare(4);
    put("@<|!>%%p4 bra <M|L>%u;", l);
}

static void enter_loop(unsigned l, const char *all)
{
    if (!all && g.n_loops < LOOPS_MAX)
        g.loops[g.n_loops++] = l;
}

static void end_loop(unsigned l)
{
    if (g.n_loops && g.loops[g.n_loops - 1] == l)
        g.n_loops--;
}

/* A counter of its own at each depth; some lanes go round more often, leave early, leave the loop around too, or begin in the
 * middle. */
static void loop(unsigned depth)
{
    unsigned l = maker.label++;
    bool two = random_pick(4) == 0;

    put("and.b32 %%c%u, $i, 7;", depth);
    if (two) {
        compare(3);
        put("@%%p3 bra N%u;", l);
    }
    put("L%u: setp.eq.u32 %%p2, %%c%u, 0; @%%p2 bra M%u; sub.u32 %%c%u, %%c%u, 1;", l, depth, l, depth, depth);
    enter_loop(l, NULL);
    statements(depth + 1, NULL);
    if (two)
        put("N%u:", l);
    if (random_pick(2))
        leave_loop();
    if (random_pick(3) == 0) {
        compare(3);
        put("@%%p3 bra L%u;", l);
        statements(depth + 1, NULL);
    }
    if (depth + 1 < DEPTH && random_pick(3) == 0)
        loop(depth + 1);
    end_loop(l);
    put("bra L%u;\nM%u:", l, l);
}

/* A block's threads share rounds out: a warp's lanes mostly end together, but need not. */
static void shared_loop(unsigned depth)
{
    unsigned l = maker.label++;

    put("shr.u32 %%c%u, %%ti, #4;\nL%u: setp.ge.u32 %%p2, %%c%u, <0|8|16|24|32|#40>; @%%p2 bra M%u;", depth, l, depth, l);
    put("mad.wide.u32 %%rd1, %%c%u, 34, %%in; ld.global.u16 $R, [%%rd1+<0|2|4|14>];", depth);
    put_one_of(&patterns);
    put("add.u32 %%c%u, %%c%u, <8|16|32|64>; bra L%u;\nM%u:", depth, depth, l, l);
}

/* Rounds that all lanes go together, unless they leave. */
static void uniform_loop(unsigned depth, const char *all)
{
    unsigned l = maker.label++;

    put("and.b32 %%c%u, %%n0, 3; add.u32 %%c%u, %%c%u, #3;\nL%u: sub.u32 %%c%u, %%c%u, 1;", depth, depth, depth, l, depth, depth);
    put("setp.lt.s32 %%p2, %%c%u, -1; @%%p2 bra M%u;", depth, l);
    enter_loop(l, all);
    statements(depth + 1, all);
    end_loop(l);
    put("bra L%u;\nM%u:", l, l);
}

/* ---- The ends ---- */

/* One number out of all of them, in %r30. */
static void finish(void)
{
    put("mov.u32 %%r30, 0;");
    for (unsigned k = 0; k < INTEGERS; k++)
        put("mad.lo.u32 %%r30, %%r30, 31, %%r%u;", k);
    for (unsigned k = 0; k < FLOATS; k++)
        put("mov.b32 %%r31, %%f%u; mad.lo.u32 %%r30, %%r30, 33, %%r31;", k);
    for (unsigned k = 0; k < WIDES; k++)
        put("mov.b64 {%%r31, %%r32}, %%rd%u; mad.lo.u32 %%r30, %%r30, %%r31, %%r32;", 10 + k);
    for (unsigned k = 0; k < DOUBLES; k++)
        put("mov.b64 {%%r31, %%r32}, %%d%u; mad.lo.u32 %%r30, %%r30, %%r31, %%r32;", k);
    for (unsigned k = 0; k < HALVES; k++)
        put("cvt.u32.u16 %%r31, %%h%u; mad.lo.u32 %%r30, %%r30, 35, %%r31;", 4 + k);
    for (unsigned k = 0; k < 8; k++)
        put("ld.local.u32 %%r31, [depot+%u]; ld.local.u32 %%r32, [array+%u]; mad.lo.u32 %%r30, %%r30, %%r31, %%r32;", 4 * k, 8 * k);
}

/* Some lanes have done enough. */
static void end_some(void)
{
    unsigned l = maker.label++;

    compare(4);
    put("setp.lt.and.u32 %%p4, $R, 0x40000000, %%p4; @!%%p4 bra X%u;", l);
    if (g.in_function) {
        put("exit;");
    } else {
        finish();
        put("st.global.u32 [%%o], %%r30; <exit|ret>;");
    }
    put("X%u:", l);
}

/* What kernels and functions begin with: values from the thread's number and from x and y. */
static void begin(const char *x, const char *y)
{
    put(".reg .b32 %%m$<8>, %%c$<8>, %%tx, %%ty, %%tz, %%lane, %%last, %%warp, %%half, %%mine; .reg .b64 %%sums, %%own, %%wide, %%warps;\n"
        ".reg .f64 %%d$<8>; .local .align 16 .b8 depot[32], array[64];");
    put("mov.u32 %%tx, %%tid.x; mov.u32 %%ty, %%tid.y; mov.u32 %%tz, %%tid.z; mov.u32 %%lane, %%laneid; sub.u32 %%last, %%n1, 1;\n"
        "shr.u32 %%half, %%n1, 6; shl.b32 %%half, %%half, 5; add.u32 %%warp, %%last, 32; shr.u32 %%warp, %%warp, 5; mul.lo.u32 %%warp, %%warp, %%n0;\n"
        "shr.u32 %%r20, %%ti, 5; add.u32 %%warp, %%warp, %%r20; shl.b32 %%mine, %%ti, 2; mov.u32 %%r20, own; add.u32 %%mine, %%mine, %%r20;");
    put("add.u64 %%sums, %%out, %u; add.u64 %%own, %%out, %u; add.u64 %%wide, %%out, %u; add.u64 %%warps, %%out, %u;", 4 * RANDOM_SUMS,
        4 * RANDOM_OWN, 4 * RANDOM_WIDE, 4 * RANDOM_WARPS);
    for (unsigned k = 0; k < INTEGERS; k++)
        put("mov.u32 %%r%u, %u;", k, random_pick(1u << 31));
    put("mov.u32 $R, %s; mov.u32 $R, %s;", x, y);
    for (unsigned k = 0; k < 4; k++)
        put("ld.global.u32 $R, [%%i+%u];", 4 * k);
    for (unsigned k = 0; k < FLOATS; k++)
        put("cvt.rn.f32.s32 %%f%u, $i;", k);
    for (unsigned k = 0; k < WIDES; k++)
        put("mul.wide.u32 %%rd%u, $i, $i;", 10 + k);
    for (unsigned k = 0; k < DOUBLES; k++)
        put("cvt.rn.f64.s32 %%d%u, $i;", k);
    for (unsigned k = 0; k < HALVES; k++)
        put("cvt.u16.u32 %%h%u, $i;", 4 + k);
    for (unsigned k = 0; k < 8; k++)
        put("st.local.u32 [depot+%u], $i; st.local.u64 [array+%u], $W;", 4 * k, 8 * k);
}

/* ---- Statements ---- */

static void gather(void)
{
    compare(5);
    put_one_of(&gatherings);
}

static void meet(void)
{
    bool full = g.threads % 32 == 0, warps = full && g.threads >= 64;
    unsigned k = random_pick(8);

    compare(5);
    put_one_of(k == 0 && full ? &full_meetings : k == 1 && warps ? &warp_meetings : &meetings);
}

static const struct table *const straight[] = {&integers, &integers, &integers, &integers, &floats, &floats, &wides, &halves,
                                               &shorts, &doubles, &conversions, &loads, &patterns, &patterns, &shares, &locals, &atomics};

static void statement(unsigned depth, const char *all)
{
    unsigned k = random_pick(24);

    maker.together = all;
    if (k < 11)
        put_one_of(straight[random_pick(sizeof straight / sizeof *straight)]);
    else if (k == 11) {
        compare(0);
        put_one_of(&guarded);
    } else if (k == 12 && g.callees + g.structs)
        call();
    else if (k == 13 && all)
        gather();
    else if (k < 16 && all && all[0] == '-')
        meet();
    else if (k == 14 && g.leaving && !depth && !g.in_function)
        put_one_of(&late_meetings);
    else if (k == 15 && g.n_loops)
        leave_loop();
    else if (k == 16 && g.leaving == ANYWHERE && depth)
        end_some();
    else if (depth == DEPTH)
        put_one_of(&integers);
    else if (k == 17)
        table(depth, all);
    else if (k == 18)
        uniform_loop(depth, all);
    else if (k == 19)
        loop(depth);
    else if (k == 20)
        shared_loop(depth);
    else
        branch(depth, all);
}

static void statements(unsigned depth, const char *all)
{
    for (unsigned n = 1 + random_pick(depth ? 4 : 10); n && g.budget; n--, g.budget--)
        statement(depth, all);
}

/* ---- Functions ---- */

#define FUNCTION_REGISTERS \
    ".reg .b32 %%ti, %%gi, %%n0, %%n1, %%r$<40>; .reg .b64 %%o, %%i, %%out, %%in, %%rd$<20>; .reg .pred %%p$<20>; .reg .b16 %%h$<8>;\n" \
    ".reg .f32 %%f$<8>; .reg .b32 %%x, %%y, %%mask;"

static void where(void)
{
    put("mov.u32 %%ti, %%tid.z; mov.u32 %%r20, %%ntid.y; mov.u32 %%r21, %%tid.y; mad.lo.u32 %%ti, %%ti, %%r20, %%r21; mov.u32 %%r20, %%ntid.x;\n"
        "mov.u32 %%r21, %%tid.x; mad.lo.u32 %%ti, %%ti, %%r20, %%r21; mov.u32 %%n1, %%ntid.y; mul.lo.u32 %%n1, %%n1, %%r20; mov.u32 %%r20, %%ntid.z;\n"
        "mul.lo.u32 %%n1, %%n1, %%r20; mov.u32 %%n0, %%ctaid.z; mov.u32 %%r20, %%nctaid.y; mov.u32 %%r21, %%ctaid.y; mad.lo.u32 %%n0, %%n0, %%r20, %%r21;\n"
        "mov.u32 %%r20, %%nctaid.x; mov.u32 %%r21, %%ctaid.x; mad.lo.u32 %%n0, %%n0, %%r20, %%r21; mad.lo.u32 %%gi, %%n0, %%n1, %%ti;\n"
        "mad.wide.u32 %%o, %%gi, 4, %%out; mad.wide.u32 %%i, %%gi, 4, %%in;");
}

static void function(unsigned f)
{
    const char *all = f ? NULL : "%mask";

    put(".func (.param .b32 result) f%u(.param .b32 x, .param .b32 y, .param .b64 pout, .param .b64 pin, .param .b32 m) {\n" FUNCTION_REGISTERS, f);
    put("ld.param.u64 %%out, [pout]; ld.param.u64 %%in, [pin]; ld.param.b32 %%x, [x]; ld.param.b32 %%y, [y]; ld.param.b32 %%mask, [m];");
    where();
    begin("%x", "%y");
    statements(1, all);
    if (f && random_pick(2)) {
        compare(3);
        finish();
        put("st.param.b32 [result], %%r30; @%%p3 ret;");
    }
    statements(1, all);
    if (f == FUNCTIONS - 1) {
        put("setp.eq.u32 %%p1, %%y, 0; @%%p1 bra LAST; sub.u32 %%y, %%y, 1;\n"
            "{ .param .b32 r, a, b, m; .param .b64 o, i; st.param.b32 [a], %%r0; st.param.b32 [b], %%y; st.param.b64 [o], %%out;\n"
            "st.param.b64 [i], %%in; st.param.b32 [m], 0; call (r), f%u, (a, b, o, i, m); ld.param.b32 %%r1, [r]; }\nLAST:", f);
        statements(1, NULL);
    }
    finish();
    put("st.param.b32 [result], %%r30;\nret;\n}");
}

static void struct_function(unsigned f)
{
    put(".func (.param .align 16 .b8 result[16]) s%u(.param .align 16 .b8 s[16], .param .b64 w, .param .f32 f, .param .b16 h) {\n"
        ".reg .b32 %%r$<40>, %%ti, %%gi, %%n0, %%tx, %%ty, %%tz, %%lane, %%last; .reg .b64 %%rd$<20>; .reg .pred %%p$<20>; .reg .b16 %%h$<8>;\n"
        ".reg .f32 %%f$<8>; .reg .f64 %%d$<8>;", f);
    put("ld.param.v4.b32 {%%r0, %%r1, %%r2, %%r3}, [s]; ld.param.v2.b64 {%%rd10, %%rd11}, [s]; ld.param.b64 %%rd12, [w]; ld.param.b16 %%h4, [h]; ld.param.f32 %%f0, [f];\n"
        "mov.u32 %%tx, %%tid.x; mov.u32 %%ty, %%tid.y; mov.u32 %%tz, %%tid.z; mov.u32 %%lane, %%laneid; mov.u32 %%last, %%ntid.x;\n"
        "mov.u32 %%n0, %%ctaid.x; add.u32 %%ti, %%tx, %%ty; add.u32 %%gi, %%r0, 1; mov.b64 %%d0, %%rd12; add.u64 %%rd13, %%rd10, 1;");
    for (unsigned k = 4; k < INTEGERS; k++)
        put("xor.b32 %%r%u, %%r%u, %u;", k, k - 4, random_pick(1u << 31));
    for (unsigned k = 1; k < FLOATS; k++)
        put("cvt.rn.f32.s32 %%f%u, %%r%u;", k, k);
    for (unsigned k = 1; k < DOUBLES; k++)
        put("cvt.rn.f64.s32 %%d%u, %%r%u;", k, k);
    for (unsigned k = 1; k < HALVES; k++)
        put("cvt.u16.u32 %%h%u, %%r%u;", 4 + k, k);
    for (unsigned k = random_pick(10); k; k--)
        put_one_of((const struct table *[]){&integers, &wides, &floats, &halves, &shorts, &doubles, &conversions}[random_pick(7)]);
    put("setp.lt.s32 %%p0, %%r0, 0; st.param.v2.b32 [result], {%%r4, %%r5}; st.param.b64 [result+8], $W; @%%p0 ret;\n"
        "mov.b32 %%r20, %%f0; st.param.b32 [result+4], %%r20; mov.b64 %%rd0, %%d0; st.param.b64 [result+8], %%rd0; ret;\n}");
}

/* ---- Kernels ---- */

static const uint32_t blocks[][3] = {
    {32, 1, 1}, {1, 1, 1}, {31, 1, 1}, {33, 1, 1}, {64, 1, 1}, {96, 1, 1}, {256, 1, 1}, {7, 1, 1}, {100, 1, 1}, {512, 1, 1},
    {8, 4, 1}, {16, 16, 1}, {5, 7, 1}, {16, 2, 1}, {32, 8, 1}, {33, 3, 1}, {1, 32, 1}, {4, 24, 1}, {3, 5, 1}, {64, 2, 1}, {2, 50, 1},
    {2, 3, 5}, {4, 4, 2}, {8, 4, 8}, {1, 1, 32}, {3, 3, 11}, {16, 2, 2}, {32, 2, 3}, {1, 1, 1}, {2, 2, 16},
};
static const uint32_t grids[][3] = {{2, 1, 1}, {2, 1, 1}, {1, 1, 1}, {5, 1, 1}, {2, 2, 1}, {1, 3, 1}, {1, 2, 2}, {3, 1, 2}};

static const uint32_t *shape_of(const uint32_t shapes[][3], unsigned n)
{
    return shapes[random_pick(n)];
}
#define SHAPE_OF(shapes) shape_of(shapes, sizeof shapes / sizeof *shapes)

static void functions(bool dynamic)
{
    bool any = random_pick(4) == 0;

    maker.to = &maker.functions;
    put(".shared .align 16 .b8 own[4096], tally[64]; %s", dynamic ? ".extern .shared .align 16 .b8 swap[];" : ".shared .align 16 .b8 swap[4096];");
    g.callees = g.structs = 0;
    if (!any)
        return;
    for (unsigned f = 0; f < STRUCT_FUNCTIONS; f++)
        struct_function(f);
    g.structs = STRUCT_FUNCTIONS;
    g.in_function = true;
    for (; g.callees < FUNCTIONS; g.callees++) {
        g.budget = 4 + random_pick(8);
        function(g.callees);
    }
    g.in_function = false;
}

static void body(bool one_dimension)
{
    const char *all = "-1";

    maker.to = &maker.body;
    g.budget = 4 + random_pick(random_pick(8) ? 20 : 90);
    if (!one_dimension)
        where();
    begin("%ti", "%n0");
    put("st.shared.u32 [%%mine], %%ti; mov.u32 %%r20, tally; st.shared.v4.u32 [%%r20], {%%r20, %%r20, %%r20, %%r20};\n"
        "mov.u32 %%r21, 0; st.shared.v4.u32 [%%r20], {%%r21, %%r21, %%r21, %%r21}; st.shared.v4.u32 [%%r20+16], {%%r21, %%r21, %%r21, %%r21};\n"
        "st.shared.v4.u32 [%%r20+32], {%%r21, %%r21, %%r21, %%r21}; mov.u32 %%r20, swap; shl.b32 %%r21, %%ti, 2; add.u32 %%r20, %%r20, %%r21;\n"
        "st.shared.u32 [%%r20], %%ti; bar.sync 0;");
    if (g.leaving == AT_THE_START) {
        put("setp.gt.u32 %%p0, %%ti, <40|0|15|70>; vote.sync.ballot.b32 %%m6, !%%p0, -1; @%%p0 ret;");
        all = "%m6";
    }
    for (unsigned k = 0; k < 4; k++)
        statements(0, g.leaving == ANYWHERE ? NULL : all);
    finish();
    put("st.global.u32 [%%o], %%r30;");
}

void random_kernel_make(struct random_kernel *k, uint64_t seed)
{
    bool dynamic;

    maker.label = 0;
    maker.state = seed * 0x9e3779b97f4a7c15u + 1;
    maker.body.n = maker.functions.n = 0;
    maker.flushes = random_pick(3) == 0;
    dynamic = random_pick(2);
    memcpy(k->block, SHAPE_OF(blocks), sizeof k->block);
    memcpy(k->grid, SHAPE_OF(grids), sizeof k->grid);
    k->shared = dynamic ? 4096 : 0;
    g.threads = k->block[0] * k->block[1] * k->block[2];
    g.leaving = (enum leaving[]){NOBODY, NOBODY, NOBODY, AT_THE_START, ANYWHERE}[random_pick(5)];
    functions(dynamic);
    body(k->block[1] == 1 && k->block[2] == 1 && k->grid[1] == 1 && k->grid[2] == 1);
    k->functions = maker.functions.s;
    k->body = maker.body.s;
}
