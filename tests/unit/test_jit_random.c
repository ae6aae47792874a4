/* SPDX-License-Identifier: Apache-2.0 */
/* Random kernels in both engines: what they write must be the same, bit for bit.
 *
 *   test_jit_random [FIRST_SEED [COUNT]]
 *
 * A kernel is a few registers, straight code, branches and loops on values that are uniform or not, loads and stores in a
 * row and scattered, and, where all lanes are together, barriers and shuffles. */
#include <stdarg.h>

#include "interp_fixture.h"

#define COUNT 40
#define REGS 12
#define FLOATS 6

static struct {
    char text[1 << 16];
    size_t n;
    uint64_t state;
    unsigned label, budget;
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
    g.n += (size_t)vsnprintf(g.text + g.n, sizeof g.text - g.n, fmt, ap);
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
    static const char *const one[] = {"not.b32", "neg.s32", "abs.s32", "popc.b32", "clz.b32", "brev.b32", "cnot.b32"};
    unsigned d = pick(REGS), k = pick(13);

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
    } else {
        put("bfe.%s %%r%u, %s, %u, %u;\n", pick(2) ? "u32" : "s32", d, integer(), pick(40), pick(40));
    }
}

static void float_op(void)
{
    static const char *const ops[] = {"add", "sub", "mul", "fma.rn", "min", "max", "div.rn", "neg", "abs", "sqrt.rn", "ex2.approx", "rcp.approx",
                                      "rsqrt.approx", "div.approx", "div.full", "rcp.rn"};
    static const unsigned sources[] = {2, 2, 2, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 2, 2, 1};
    unsigned op = pick(16);

    put("%s%s.f32 %%f%u", ops[op], pick(2) ? ".ftz" : "", pick(FLOATS));
    for (unsigned k = 0; k < sources[op]; k++)
        put(", %%f%u", pick(FLOATS));
    put(";\n");
}

static void convert(void)
{
    unsigned d = pick(REGS), f = pick(FLOATS);

    switch (pick(6)) {
    case 0:
        put("cvt.rn.f32.%c32 %%f%u, %s;\n", "us"[pick(2)], f, integer());
        break;
    case 1:
        put("cvt.rzi.s32.f32 %%r%u, %%f%u;\n", d, f);
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
        put("setp.%s.f32 %%p%u, %%f%u, %%f%u;\n", relations[pick(6)], p, pick(FLOATS), pick(FLOATS));
}

static void select_or_guard(void)
{
    compare(0);
    if (pick(2))
        put("selp.b32 %%r%u, %s, %s, %%p0;\n", pick(REGS), integer(), integer());
    else
        put("@%s%%p0 add.u32 %%r%u, %s, %s;\n", pick(2) ? "!" : "", pick(REGS), integer(), integer());
}

/* Own words of shared memory, and input anywhere. */
static void memory(void)
{
    unsigned d = pick(REGS);

    switch (pick(5)) {
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

static void statements(unsigned depth, bool together);

static void branch(unsigned depth)
{
    unsigned l = g.label++;
    bool other = pick(2);

    compare(1);
    put("@%s%%p1 bra E%u;\n", pick(2) ? "!" : "", l);
    statements(depth + 1, false);
    if (other)
        put("bra D%u;\n", l);
    put("E%u:\n", l);
    if (other) {
        statements(depth + 1, false);
        put("D%u:\n", l);
    }
}

/* A counter of its own at each depth; some lanes go round more often, or leave early. */
static void loop(unsigned depth)
{
    unsigned l = g.label++, c = 24 + depth;

    put("and.b32 %%r%u, %s, 7;\nL%u: setp.eq.u32 %%p2, %%r%u, 0; @%%p2 bra M%u; sub.u32 %%r%u, %%r%u, 1;\n", c, integer(), l, c, l, c, c);
    statements(depth + 1, false);
    if (pick(2)) {
        compare(3);
        put("@%%p3 bra M%u;\n", l);
    }
    if (pick(3) == 0) {
        compare(3);
        put("@%%p3 bra L%u;\n", l);
        statements(depth + 1, false);
    }
    put("bra L%u;\nM%u:\n", l, l);
}

static void meet(void)
{
    unsigned d = pick(REGS);

    switch (pick(5)) {
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

static void statements(unsigned depth, bool together)
{
    unsigned n = 1 + pick(depth ? 4 : 10);

    while (n-- && g.budget) {
        unsigned k = pick(12);

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
        else if (k == 8 && together)
            meet();
        else if (depth < 3)
            (pick(2) ? branch : loop)(depth);
    }
}

static void generate(uint64_t seed, bool leaves)
{
    g.n = 0;
    g.label = 0;
    g.budget = 120;
    g.state = seed * 0x9e3779b97f4a7c15u + 1;
    put(".shared .align 16 .b8 own[4096]; .shared .align 16 .b8 swap[4096];\n");
    put("mov.u32 %%r23, %%ntid.x; sub.u32 %%r23, %%r23, 1;\n");
    for (unsigned k = 0; k < REGS; k++)
        put("mov.u32 %%r%u, %u;\n", k, pick(1u << 31));
    for (unsigned k = 0; k < 4; k++)
        put("ld.global.u32 %%r%u, [%%i+%u];\n", pick(REGS), 4 * k);
    for (unsigned k = 0; k < FLOATS; k++)
        put("cvt.rn.f32.s32 %%f%u, %s;\n", k, integer());
    if (leaves) /* some threads end early */
        put("setp.gt.u32 %%p0, %%ti, 40; @%%p0 ret;\n");
    for (unsigned k = 0; k < 4; k++)
        statements(0, !leaves);
    put("mov.u32 %%r30, 0;\n");
    for (unsigned k = 0; k < REGS; k++)
        put("mad.lo.u32 %%r30, %%r30, 31, %%r%u;\n", k);
    for (unsigned k = 0; k < FLOATS; k++)
        put("mov.b32 %%r31, %%f%u; mad.lo.u32 %%r30, %%r30, 33, %%r31;\n", k);
    put("st.global.u32 [%%o], %%r30;\n");
}

static bool same(uint64_t seed)
{
    static const uint32_t blocks[] = {32, 1, 31, 33, 64, 96, 256};
    static uint32_t want[1024];
    uint32_t block = blocks[seed % 7], at = 0;
    bool first, second;

    generate(seed, seed % 5 == 4);
    fx_setup();
    for (uint32_t k = 0; k < FX_BYTES / 4; k++)
        fx_in[k] = k * 2654435761u >> pick(20);
    fx_interprets = true;
    first = fx_run(g.text, .block = block, .grid = 2);
    memcpy(want, fx_out, sizeof want);
    fx_interprets = false;
    fx_report.why[0] = 0;
    second = fx_run(g.text, .block = block, .grid = 2);
    if (fx_report.why[0])
        diag("seed %llu stays with the interpreter: %s", (unsigned long long)seed, fx_report.why);
    while (at < 1024 && fx_out[at] == want[at])
        at++;
    if (at < 1024)
        diag("thread %u of blocks of %u: %#x, the interpreter has %#x", at, block, fx_out[at], want[at]);
    return first && second && at == 1024 && !fx_report.why[0];
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, count = argc > 2 ? strtoull(argv[2], NULL, 0) : COUNT;

    for (uint64_t seed = first; seed < first + count; seed++)
        if (!ok(same(seed), "random kernel %llu", (unsigned long long)seed) && argc > 2)
            puts(g.text);
    return tap_done();
}
