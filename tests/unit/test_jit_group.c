/* SPDX-License-Identifier: Apache-2.0 */
/* Loads of one structure, which compiled code does together: what they give is what the interpreter's give, and where one of them leads
 * out of memory or is not aligned, it is that one's fault.
 *
 *   test_jit_group [FIRST [COUNT]]     which random kernels */
#include "interp_fixture.h"
#include "random/text.h"

#define END 0x200000e00000u /* of what is mapped */

static uint32_t want[FX_BYTES / 4];

/* Which warp comes first, with its fault, is the engine's affair. */
static bool same_fault(const struct vg_fault *a, const struct vg_fault *b, uint32_t block)
{
    if (block > 32)
        return !a->code == !b->code;
    return a->code == b->code && a->line == b->line && a->address == b->address && !memcmp(a->thread, b->thread, sizeof a->thread);
}

static bool same(const char *body, uint32_t block)
{
    struct vg_fault fault;

    fx.quiet = true;
    for (uint32_t k = 0; k < FX_BYTES / 4; k++)
        fx_in[k] = k * 2654435761u;
    fx_interprets = true;
    fx_run(body, .block = block);
    memcpy(want, fx_out, sizeof want);
    fault = fx.fault;
    fx_interprets = false;
    fx_report.why[0] = 0;
    fx_run(body, .block = block);
    if (!fx_report.why[0] && fault.code != -1 && same_fault(&fault, &fx.fault, block) && (fault.code || !memcmp(want, fx_out, sizeof want)))
        return true;
    for (uint32_t k = 0, n = 0; k < FX_BYTES / 4 && n < 4; k++)
        if (want[k] != fx_out[k] && ++n)
            diag("word %u: %#x, the interpreter has %#x", k, fx_out[k], want[k]);
    diag("interpreted: %d %s", fault.code, fault.code == -1 ? fx.err.message : fault.message);
    diag("compiled: %d %s %s", fx.fault.code, fx.fault.message, fx_report.why);
    return false;
}

#define SUM(value) "mad.lo.u32 %%r30, %%r30, 31, " value ";\n"

/* Pointers: %rd0 to a thread's structure, %rd1 into it by its part of that, %rd2 and %rd3 somewhere near; %rd4 another one. Halves go
 * to registers of their own, two of which become a word now and then. */
static void load(unsigned each, unsigned *halves, bool ends)
{
    static const char *const types[] = {"u8", "s8", "u16", "s16", "b16", "u32", "s32", "b64"};
    static const unsigned bytes[] = {1, 1, 2, 2, 2, 4, 4, 8};
    unsigned p = pick(10) < 6 ? 1 : pick(5), t = pick(8), offset = pick(each), odd = pick(200);

    if (pick(3) == 0)
        t = 2 + 2 * pick(2);
    if (bytes[t] == 8 && pick(2))
        t = 5;
    offset -= odd ? offset % bytes[t] : 0;
    if (pick(12) == 0 && p < 4) {
        add("ld.global.v2.u32 {%%r10, %%r11}, [%%rd%u+%u];\n" SUM("%%r10") SUM("%%r11"), p, offset & ~7u);
    } else if (bytes[t] == 2 && pick(4)) {
        add("ld.global.%s %%h%u, [%%rd%u+%u];\n", types[t], *halves % 8, p, offset);
        if (pick(2)) { /* the one behind it, or before */
            add("ld.global.%s %%h%u, [%%rd%u+%u];\n", types[t], (*halves + 1) % 8, p, pick(4) || offset < 2 ? offset + 2 : offset - 2);
            add("mov.b32 %%r12, {%%h%u, %%h%u};\n" SUM("%%r12"), *halves % 8, (*halves + 1) % 8);
        } else {
            add("cvt.u32.u16 %%r12, %%h%u;\n" SUM("%%r12"), *halves % 8);
        }
        *halves += 2;
    } else if (bytes[t] == 8) {
        add("ld.global.b64 %%rd12, [%%rd%u+%u]; cvt.u32.u64 %%r12, %%rd12;\n" SUM("%%r12"), p, offset);
    } else {
        add("%sld.global.%s %%r12, [%%rd%u+%u];\n" SUM("%%r12"), ends || pick(15) ? "" : "@%p2 ", types[t], p, offset);
    }
}

static void between(void)
{
    switch (pick(14)) {
    case 0:
        add("st.global.u32 [%%o+65536], %%r30;\n");
        break;
    case 1:
        add("add.u64 %%rd%u, %%rd%u, 8;\n", 2 + pick(2), pick(4));
        break;
    case 2:
        add("mov.u16 %%h%u, 7;\n", pick(8));
        break;
    case 3:
        add("shfl.sync.bfly.b32 %%r13, %%r30, 1, 31, -1; add.u32 %%r30, %%r30, %%r13;\n");
        break;
    case 4:
        add("cvta.to.global.u64 %%rd2, %%rd1;\n");
        break;
    case 5:
        add("ld.shared.u32 %%r14, [sm]; xor.b32 %%r30, %%r30, %%r14;\n");
        break;
    }
}

static const char *random_kernel(uint64_t seed)
{
    static const unsigned strides[] = {34, 36, 18, 20, 22, 24, 66, 8, 32, 64, 84, 144, 2, 4}, parts[] = {2, 4, 8, 4, 12, 16};
    unsigned shift, part, stride, halves = 0, ends, rounds;

    begin_text(seed);
    shift = pick(4);
    stride = strides[pick(14)];
    part = parts[pick(6)];
    ends = pick(4) == 0;
    rounds = 1 + pick(6);
    add(".shared .align 8 .b8 sm[64];\nmov.u32 %%r30, 0; shr.u32 %%r1, %%ti, %u; and.b32 %%r2, %%ti, %u; setp.lt.u32 %%p2, %%ti, %u;\n"
        "st.shared.u32 [sm], %%r30; bar.sync 0; mov.u32 %%r12, 3;\n", shift,
        (1u << shift) - 1, pick(60));
    if (ends) { /* rounds lead over the end of memory, or down from below it */
        int step = pick(2) ? 8 * (int)(1 + pick(9)) : -8 * (int)(1 + pick(9));

        rounds = 90;
        add("mov.u64 %%rd10, %lld; mov.u64 %%rd11, %d;\n", (long long)END - 64 * (long long)stride + (step < 0 ? 1500 : -600), step);
        if (pick(2))
            add("mov.u64 %%rd10, 0x200000200%03x; mov.u64 %%rd11, -%d;\n", 8 * pick(256), abs(step));
    } else {
        add("add.u64 %%rd10, %%in, %u; mov.u64 %%rd11, %u;\n", 4096 + 2 * pick(3) * pick(9), 2 * pick(2) * stride * 8);
    }
    add("mad.wide.u32 %%rd0, %%r1, %u, %%rd10; mul.wide.u32 %%rd5, %%r2, %u; mad.wide.u32 %%rd4, %%ti, 4, %%in; mov.u32 %%r20, 0;\n", stride, part);
    for (unsigned k = 0; k < 8; k++)
        add("mov.u16 %%h%u, %u;\n", k, k);
    add("L: add.u64 %%rd1, %%rd0, %%rd5; add.u64 %%rd2, %%rd1, %u; sub.u64 %%rd3, %%rd1, %%rd5; add.u64 %%rd3, %%rd3, %u;\n", 2 * pick(9), 4 * pick(9));
    for (unsigned n = 2 + pick(9); n; n--) {
        load(stride < 8 ? 8 : stride, &halves, ends);
        between();
    }
    add("add.u64 %%rd0, %%rd0, %%rd11; add.u32 %%r20, %%r20, 1; setp.lt.u32 %%p1, %%r20, %u; @%%p1 bra L; st.global.u32 [%%o], %%r30;", rounds);
    return text;
}

/* ---- By hand ---- */

static const struct {
    const char *name, *body;
} rows[] = {
    {"blocks of 34 bytes",
     "shr.u32 %r1, %ti, 2; and.b32 %r2, %ti, 3; mad.wide.u32 %rd0, %r1, 34, %in; mul.wide.u32 %rd1, %r2, 8; add.u64 %rd1, %rd0, %rd1;\n"
     "ld.global.nc.u16 %h0, [%rd1+2]; ld.global.nc.u16 %h1, [%rd1+4]; mov.b32 %r3, {%h0, %h1}; ld.global.nc.u16 %h2, [%rd1+6];\n"
     "ld.global.nc.u16 %h3, [%rd1+8]; mov.b32 %r4, {%h2, %h3}; ld.global.nc.u16 %h4, [%rd0]; cvt.u32.u16 %r5, %h4; mad.lo.u32 %r3, %r3, 31, %r4;\n"
     "mad.lo.u32 %r3, %r3, 31, %r5; st.global.u32 [%o], %r3;"},
    {"halves the other way round", "mad.wide.u32 %rd0, %ti, 6, %in; ld.global.u16 %h0, [%rd0+2]; ld.global.u16 %h1, [%rd0+4]; mov.b32 %r3, {%h1, %h0}; st.global.u32 [%o], %r3;"},
    {"a half that is another by then",
     "mad.wide.u32 %rd0, %ti, 6, %in; ld.global.u16 %h0, [%rd0+2]; ld.global.u16 %h1, [%rd0+4]; add.u16 %h0, %h0, 1; mov.b32 %r3, {%h0, %h1}; st.global.u32 [%o], %r3;"},
    {"one register for two loads", "mad.wide.u32 %rd0, %ti, 6, %in; ld.global.u32 %r1, [%rd0]; mov.u32 %r2, %r1; ld.global.u16 %r1, [%rd0+4]; add.u32 %r1, %r1, %r2; st.global.u32 [%o], %r1;"},
    {"a store between", "mad.wide.u32 %rd0, %ti, 8, %out; st.global.u32 [%rd0+4], 5; ld.global.u32 %r1, [%rd0]; st.global.u32 [%rd0+4], %ti; ld.global.u32 %r2, [%rd0+4];"
     "add.u32 %r1, %r1, %r2; st.global.u32 [%o+65536], %r1;"},
    {"a pointer that moves", "mad.wide.u32 %rd0, %ti, 8, %in; ld.global.u32 %r1, [%rd0]; add.u64 %rd0, %rd0, 4; ld.global.u32 %r2, [%rd0]; add.u64 %rd0, %rd0, %rd0;"
     "sub.u64 %rd0, %rd0, %in; ld.global.u32 %r3, [%in]; mad.lo.u32 %r1, %r1, 31, %r2; st.global.u32 [%o], %r1;"},
    {"the second one is not aligned", "mad.wide.u32 %rd0, %ti, 8, %in;\nld.global.u16 %h0, [%rd0+2];\nld.global.u32 %r1, [%rd0+2];\nst.global.u32 [%o], %r1;"},
    {"neither is", "ld.global.u64 %rd1, [%in]; and.b64 %rd1, %rd1, 0; add.u64 %rd1, %rd1, %in; mad.wide.u32 %rd0, %ti, 6, %rd1;\nld.global.u32 %r1, [%rd0];\nld.global.u32 %r2, [%rd0+4];\nst.global.u32 [%o], %r1;"},
    {"the second one is not there", "mov.u64 %rd1, 0x200000dffff0; mad.wide.u32 %rd0, %ti, 0, %rd1;\nadd.u64 %rd0, %rd0, %rd1; sub.u64 %rd0, %rd0, %rd1;\nmul.wide.u32 %rd2, %ti, 2; sub.u64 %rd0, %rd0, %rd2;\n"
     "ld.global.u16 %h0, [%rd0];\nld.global.u16 %h1, [%rd0+32];\nmov.b32 %r1, {%h0, %h1}; st.global.u32 [%o], %r1;"},
};

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoull(argv[2], NULL, 0) : 120;
    static const uint32_t blocks[] = {32, 64, 96, 40};
    unsigned faults = 0;

    fx_setup();
    for (size_t i = 0; i < sizeof rows / sizeof *rows && argc < 2; i++)
        ok(same(rows[i].body, 32) && same(rows[i].body, 64), "%s", rows[i].name);
    for (uint64_t seed = first; seed < first + n; seed++) {
        bool good = same(random_kernel(seed), blocks[seed % 4]);

        faults += fx.fault.code != 0;
        if (!good) {
            ok(false, "random kernel %llu", (unsigned long long)seed);
            diag("%s", text);
            return tap_done();
        }
    }
    ok(true, "%llu random kernels, %u of them with a fault", (unsigned long long)n, faults);
    return tap_done();
}
