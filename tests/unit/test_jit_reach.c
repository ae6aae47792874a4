/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses that compiled code does not test, since others before them were: what goes wrong is the interpreter's fault, at the same
 * line, lane and address, and what was stored before it has been stored.
 *
 *   test_jit_reach [FIRST [COUNT]]     which random kernels */
#include "interp_fixture.h"
#include "random/text.h"

#define NEAR 2048
#define LAST (VGPU_WINDOW_END - VGPU_GRANULE) /* mapped as well */

/* ---- One kernel in both engines ---- */

static uint32_t want[3 * FX_BYTES / 4];

static void fill(void)
{
    for (uint32_t k = 0; k < FX_BYTES / 4; k++)
        fx_in[k] = k * 2654435761u;
    memset((void *)LAST, 0x5a, VGPU_GRANULE);
}

static bool same_fault(const struct vg_fault *a, const struct vg_fault *b)
{
    return a->code == b->code && a->line == b->line && a->address == b->address && !memcmp(a->thread, b->thread, sizeof a->thread) &&
           !memcmp(a->block, b->block, sizeof a->block);
}

/* What the stopped instruction itself has stored for other lanes is open; it lies near the lane that stopped it. */
static bool same_memory(const struct vg_fault *fault)
{
    uint64_t at = (uint64_t)(uintptr_t)fx_out;
    unsigned shown = 0;

    for (uint32_t k = 0; k < sizeof want / 4; k++)
        if (want[k] != fx_out[k] && (!fault->code || at + 4 * k - fault->address + NEAR >= 2 * NEAR) && shown++ < 3)
            diag("word %u: %#x, the interpreter has %#x", k, fx_out[k], want[k]);
    return !shown;
}

static bool same(const char *body, uint32_t block, int code)
{
    struct vg_fault fault;

    fx.quiet = true;
    fill();
    fx_interprets = true;
    fx_run(body, .block = block);
    memcpy(want, fx_out, sizeof want);
    fault = fx.fault;
    fill();
    fx_interprets = false;
    fx_report.why[0] = 0;
    fx_run(body, .block = block);
    if (fx_report.why[0] || !same_fault(&fault, &fx.fault) || !same_memory(&fault) || (code >= 0 && code != fault.code)) {
        diag("interpreted: %d %s", fault.code, fault.code == -1 ? fx.err.message : fault.message);
        diag("compiled: %d %s %s", fx.fault.code, fx.fault.message, fx_report.why);
        return false;
    }
    return true;
}

/* ---- By hand ---- */

#define GOOD "ld.global.u32 %r0, [%in]; st.global.u32 [%out], %r0;"
#define BIG(register) "ld.global.u32 %r1, [%in+4]; and.b32 %r1, %r1, 0; add.u32 " register ", %r1, "
/* Row by row down from the end of what is mapped, or up to it and over; what each lane writes tells the round. */
#define ROUNDS(type, register, bytes, start, step) \
    "mov.u64 %rd0, " start "; mad.wide.u32 %rd0, %ti, " bytes ", %rd0; mov.u32 %r2, 0; cvt.u16.u32 %h0, %ti;\n" \
    "L: st.global." type " [%rd0], " register "; add.s64 %rd0, %rd0, " step "; add.u32 %r2, %r2, 1; cvt.u16.u32 %h0, %r2; cvt.u64.u32 %rd1, %r2;\n" \
    "setp.lt.u32 %p0, %r2, 100; @%p0 bra L;"

/* At %rd0, so many bits; before the first, between the two, and the second's guard. %r8 is some number, %rd3 some place nearby. */
#define PAIR(bits, bytes, stride, before, between, guard) \
    "ld.global.u32 %r8, [%i]; and.b32 %r8, %r8, 0x7c; cvt.u64.u32 %rd3, %r8; add.u64 %rd3, %rd3, %out; mad.wide.u32 %rd0, %gi, " stride ", %out; add.u64 %rd0, %rd0, 4096;" \
    ".reg .b8 %v8, %w8; .reg .b16 %v16, %w16; .reg .b32 %v32, %w32; .reg .b64 %v64, %w64; mov.u32 %r9, 0; not.b32 %r10, %gi;" \
    "cvt.u" bits ".u32 %v" bits ", %gi; cvt.u" bits ".u32 %w" bits ", %r10; cvt.u16.u32 %h0, %gi;" before \
    "st.global.u" bits " [%rd0], %v" bits ";\n" between "xor.b32 %r9, %r9, %ti;\n" guard "st.global.u" bits " [%rd0+" bytes "], %w" bits ";\nst.global.u32 [%o], %r9;"

/* Some lane's is the mask itself. */
#define SHARED_INDEX(mask, more) \
    ".shared .b32 sm[256]; ld.global.u32 %r1, [%i+4]; mul.lo.u32 %r2, %ti, 4; sub.u32 %r2, 1020, %r2; setp.lt.u32 %p0, %ti, 9; selp.u32 %r1, %r2, %r1, %p0;" \
    "and.b32 %r1, %r1, " mask ";" more "cvt.u64.u32 %rd1, %r1; mov.u64 %rd0, sm; add.u64 %rd0, %rd0, %rd1;"

static const struct {
    const char *name, *body;
    int code;
} rows[] = {
    {"an index that leads beyond the memory", GOOD BIG("%r1") "0x7ffffff0; mad.wide.u32 %rd0, %r1, 8, %in; ld.global.u32 %r3, [%rd0];", 700},
    {"by lane", GOOD BIG("%r1") "0x00300000; add.u32 %r1, %r1, %ti; mad.wide.u32 %rd0, %r1, 4, %out; st.global.u32 [%rd0], %ti;", 700},
    {"an index below the window", GOOD BIG("%r1") "0x80000000; add.u32 %r1, %r1, %ti; mad.wide.s32 %rd0, %r1, 8, %in; ld.global.u32 %r3, [%rd0];", 700},
    {"an index too large", GOOD BIG("%r1") "0xffffff00; cvt.u64.u32 %rd1, %r1; mul.lo.u64 %rd1, %rd1, 0x1000; add.u64 %rd0, %in, %rd1; ld.global.u32 %r3, [%rd0];", 700},
    {"one that is only known to be large", GOOD "ld.global.u64 %rd1, [%in+8]; or.b64 %rd1, %rd1, 0x1000000000000000; add.u64 %rd0, %in, %rd1; ld.global.u32 %r3, [%rd0];", 700},
    {"a constant offset", GOOD "ld.global.u32 %r3, [%in+8388608]; st.global.u32 [%out], %r3;", 700},
    {"beyond the window's end", "mov.u64 %rd0, 0x23ffffe00000; ld.global.u32 %r0, [%rd0]; ld.global.u32 %r1, [%rd0+2097152];", 700},
    {"beyond it by an index", "mov.u64 %rd0, 0x23ffffe00000; st.global.u32 [%rd0], %ti;" BIG("%r1") "0x40000000; add.u32 %r1, %r1, %ti;"
     "mad.wide.u32 %rd1, %r1, 4, %rd0; st.global.u32 [%rd1], %ti;", 700},
    {"a row across the window's end", "mov.u64 %rd0, 0x23ffffe00000; mad.wide.u32 %rd0, %ti, 4, %rd0; st.global.u32 [%rd0], %ti; st.global.u32 [%rd0+2097088], %ti;", 700},
    {"gathers beyond it", "ld.global.u32 %r0, [%i+128]; and.b32 %r0, %r0, 0x3fffffff; mov.u64 %rd0, 0x23ffffe00000; st.global.u32 [%rd0], %ti;"
     "mad.wide.u32 %rd1, %r0, 8, %rd0; ld.global.u32 %r1, [%rd1];", 700},
    {"above and back", GOOD "add.u64 %rd0, %out, 0x1000000000; sub.u64 %rd1, %rd0, 0x0fffffff00; st.global.u32 [%rd1], %ti; st.global.u32 [%rd0], %ti;", 700},
    /* Only some lanes' pointers were good before. */
    {"lanes that did not try", "setp.lt.u32 %p0, %ti, 5; mov.u64 %rd1, 0xdeadbeef0000; selp.b64 %rd0, %o, %rd1, %p0; @!%p0 bra M; st.global.u32 [%rd0], %ti;"
     "M: st.global.u32 [%rd0+4], %ti;", 700},
    {"an access under a guard", "setp.lt.u32 %p0, %ti, 5; mov.u64 %rd1, 0xdeadbeef0000; selp.b64 %rd0, %o, %rd1, %p0; @%p0 st.global.u32 [%rd0], %ti;"
     "st.global.u32 [%rd0+4], %ti;", 700},
    {"another pointer by then", "setp.eq.u32 %p5, %n0, 77; mov.u64 %rd0, %out; st.global.u32 [%rd0], %ti; @!%p5 mov.u64 %rd0, 0xdeadbeef0000; st.global.u32 [%rd0+4], %ti;", 700},
    {"a pointer from memory", "st.global.u64 [%out], %out; ld.global.u64 %rd0, [%out]; st.global.u32 [%rd0], 7; ld.global.u64 %rd0, [%in+24]; st.global.u32 [%rd0+4], %ti;", 700},
    {"on one of two ways", "mov.u64 %rd0, 0x10; ld.global.u32 %r0, [%in]; setp.eq.u32 %p0, %r0, 0; @%p0 bra A; bra B; A: ld.global.u32 %r1, [%out]; bra C;"
     "B: ld.global.u32 %r1, [%in]; C: ld.global.u32 %r2, [%out+12]; @%p0 mov.u64 %out, %rd0; ld.global.u32 %r2, [%out];", 700},
    {"an old copy of a pointer", "mov.u32 %r0, 0; mov.u64 %rd2, 0xdeadbeef0000; mov.u64 %rd0, %rd2; L: mov.u64 %rd1, %rd0; mov.u64 %rd0, %out; st.global.u32 [%rd0], %r0;"
     "add.u32 %r0, %r0, 1; setp.eq.u32 %p0, %r0, 1; @%p0 bra L; st.global.u32 [%rd0+4], %r0; mov.u64 %rd0, %rd2; bra.uni M; M: st.global.u32 [%rd1+8], %ti; st.global.u32 [%rd0], %ti;", 700},
    /* Far away in many small steps. */
    {"steps away from what was tested", "mov.u64 %rd0, %out; st.global.u32 [%rd0], %ti; mov.u32 %r0, 0;"
     "L: add.u64 %rd0, %rd0, 0x400000000; add.u32 %r0, %r0, 1; setp.lt.u32 %p0, %r0, 1000; @%p0 bra L; st.global.u32 [%rd0], %ti;", 700},
    {"steps around the address space", "mov.u64 %rd0, %out; st.global.u32 [%rd0], %ti; mov.u32 %r0, 0;"
     "L: add.u64 %rd0, %rd0, 0x800000000000; add.u32 %r0, %r0, 1; setp.lt.u32 %p0, %r0, 0x20000; @%p0 bra L; st.global.u32 [%rd0+4], %ti;", 0},
    /* Alignment. */
    {"bytes first, then words", "ld.global.u8 %r0, [%in+1]; ld.global.u32 %r1, [%in+1];", 716},
    {"halves, then words", "add.u64 %rd0, %in, 2; ld.global.u16 %r0, [%rd0]; ld.global.u16 %r0, [%rd0+2]; ld.global.u32 %r1, [%rd0+4];", 716},
    {"words, then pairs", "ld.global.u32 %r0, [%in+4]; ld.global.v2.u32 {%r1, %r2}, [%in+4];", 716},
    {"an odd index", "ld.global.u32 %r0, [%in]; and.b32 %r0, %r0, 0; add.u32 %r0, %r0, %ti; mad.wide.u32 %rd0, %r0, 3, %in; ld.global.u8 %r1, [%rd0];"
     "ld.global.u32 %r2, [%rd0];", 716},
    {"a lane alone", "ld.global.u32 %r0, [%in]; setp.eq.u32 %p0, %ti, 17; selp.u32 %r1, 2, 4, %p0; cvt.u64.u32 %rd1, %r1; add.u64 %rd0, %in, %rd1; ld.global.u32 %r2, [%rd0];", 716},
    {"aligned ones", "ld.global.u32 %r0, [%in]; and.b32 %r0, %r0, 0; add.u32 %r0, %r0, %ti; shl.b32 %r1, %r0, 4; cvt.u64.u32 %rd1, %r1; add.u64 %rd0, %in, %rd1;"
     "ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd0]; ld.global.v2.u32 {%r6, %r7}, [%rd0+8]; add.u32 %r2, %r2, %r7; st.global.u32 [%o], %r2;", 0},
    {"atomics first", "atom.global.add.u32 %r0, [%out], 1; atom.global.add.u32 %r0, [%out+12582912], 1;", 700},
    {"atomics last", "st.global.u32 [%o], %ti; red.global.add.u32 [%o+12582912], 1;", 700},
    {"16 bits with a sign", GOOD "ld.global.u16 %h0, [%in]; or.b16 %h0, %h0, -1; mul.wide.s16 %r1, %h0, 4; mul.wide.u32 %rd1, %r1, 0x4000; add.u64 %rd0, %in, %rd1;"
     "ld.global.u32 %r2, [%rd0];", 700},
    {"64 bits cut to 32", GOOD "ld.global.u32 %r1, [%in]; cvt.u64.u32 %rd1, %r1; sub.u64 %rd1, %rd1, 4; cvt.u32.u64 %r1, %rd1; mul.wide.u32 %rd1, %r1, 0x4000; add.u64 %rd0, %in, %rd1;"
     "ld.global.u32 %r2, [%rd0];", 700},
    {"a mask of what may be negative", GOOD "ld.global.u64 %rd1, [%in+8]; or.b64 %rd1, %rd1, 0xf000000000000000; and.b64 %rd1, %rd1, -4096; add.u64 %rd0, %in, %rd1;"
     "ld.global.u32 %r2, [%rd0];", 700},
    {"a sum that wraps", GOOD "ld.global.u32 %r1, [%in]; or.b32 %r1, %r1, -1; and.b32 %r2, %r1, 0x7fffffff; add.u32 %r2, %r2, 0x80000001; and.b32 %r1, %r1, 0x7fffffff;"
     "add.u32 %r1, %r1, 0x7fffffff; mul.wide.u32 %rd1, %r1, 0x4000; mul.wide.u32 %rd2, %r2, 0x4000; add.u64 %rd0, %in, %rd1; add.u64 %rd1, %in, %rd2; ld.global.u32 %r3, [%rd1];"
     "ld.global.u32 %r2, [%rd0];", 700},
    /* Two stores of neighbours, with what comes in between. */
    {"neighbours", PAIR("16", "2", "4", "", "", ""), 0}, {"neighbours, bytes", PAIR("8", "1", "2", "", "", ""), 0}, {"neighbours, words", PAIR("32", "4", "8", "", "", ""), 0},
    {"neighbours, double words", PAIR("64", "8", "16", "", "", ""), 0}, {"neighbours from an odd place on", PAIR("16", "2", "4", "add.u64 %rd0, %rd0, 2;", "", ""), 0},
    {"neighbours, and a load of the first", PAIR("16", "2", "4", "", "ld.global.u32 %r9, [%rd0];", ""), 0},
    {"and of another lane's", PAIR("16", "2", "4", "", "ld.global.u32 %r9, [%rd0+4];", ""), 0}, {"and of the last's", PAIR("16", "2", "4", "", "ld.global.u16 %h7, [%rd0+124]; cvt.u32.u16 %r9, %h7;", ""), 0},
    {"and behind all", PAIR("16", "2", "4", "", "ld.global.u32 %r9, [%rd0+128];", ""), 0}, {"and before all", PAIR("16", "2", "4", "", "ld.global.u32 %r9, [%rd0-128];", ""), 0},
    {"and of one place", PAIR("16", "2", "4", "", "ld.global.u32 %r9, [%out+1024];", ""), 0}, {"and of anything", PAIR("16", "2", "4", "", "ld.global.u32 %r9, [%rd3];", ""), 0},
    {"and of what is not known before", PAIR("16", "2", "4", "", "mul.wide.u32 %rd4, %r8, 8; add.u64 %rd4, %rd4, %out; ld.global.u32 %r9, [%rd4];", ""), 0},
    {"and another value by then", PAIR("16", "2", "4", "", "cvt.u16.u32 %h0, %r8;", ""), 0}, {"and another place", PAIR("16", "2", "4", "", "add.u64 %rd0, %rd0, 512;", ""), 0},
    {"and a store", PAIR("16", "2", "4", "", "st.global.u32 [%rd0], %gi;", ""), 0}, {"and a guard", PAIR("16", "2", "4", "", "setp.lt.u32 %p3, %ti, 9;", "@%p3 "), 0},
    {"and an atomic", PAIR("16", "2", "4", "", "atom.global.add.u32 %r9, [%rd0], 5;", ""), 0},
    {"neighbours beyond the memory", PAIR("16", "2", "4", "add.u64 %rd0, %rd0, 12578816;", "", ""), 700},
    {"neighbours across its end", PAIR("16", "2", "4", "mov.u64 %rd0, 0x200000dfff80; mad.wide.u32 %rd0, %ti, 4, %rd0; sub.u64 %rd0, %rd0, 6;", "", ""), -1},
    {"neighbours across its end, words", PAIR("32", "4", "8", "mov.u64 %rd0, 0x200000dfffc0; mad.wide.u32 %rd0, %ti, 8, %rd0;", "", ""), -1},
    /* Shared memory, by what an index is at the most. */
    {"shared, within", SHARED_INDEX("1020", "") "st.shared.u32 [%rd0], %ti; ld.shared.u32 %r3, [%rd0]; red.shared.add.u32 [%rd0], 3; st.global.u32 [%o], %r3;", 0},
    {"shared, one beyond", SHARED_INDEX("1020", "") "st.shared.u32 [%rd0], %ti; st.shared.u32 [%rd0+4], %ti;", 700},
    {"shared, one beyond, atomically", SHARED_INDEX("1020", "") "red.shared.add.u32 [%rd0], 1; red.shared.add.u32 [%rd0+4], %ti;", 700},
    {"shared, beyond by a sum", SHARED_INDEX("1020", "add.u32 %r1, %r1, %r1;") "st.shared.u32 [%rd0], %ti;", 700},
    {"shared, below by a difference", SHARED_INDEX("1020", "sub.u32 %r1, %r1, 1000;") "st.shared.u32 [%rd0], %ti;", 700},
    {"shared, odd places", SHARED_INDEX("509", "or.b32 %r1, %r1, 1;") "st.shared.u32 [%rd0], %ti;", 716},
    {"shared, a pair at the end", SHARED_INDEX("1016", "") "st.shared.v2.u32 [%rd0], {%ti, %ti}; and.b32 %r1, %r1, 0; cvt.u64.u32 %rd1, %r1; add.u64 %rd0, %rd0, %rd1; st.shared.u64 [%rd0+8], %rd0;", 700},
    {"shared, by 32 bits", SHARED_INDEX("1020", "") "mov.u32 %r2, sm; mad.lo.u32 %r1, %r1, 1, %r2; st.shared.u32 [%r1], %ti; st.shared.u32 [%r1+4], %ti;", 700},
    /* Several in a row: the first is named. */
    {"stores one after another", GOOD "st.global.u32 [%o+12582912], %ti;\nst.global.u32 [%o+12583936], %ti;\nst.global.u32 [%o], %ti;\nst.global.u32 [%o+4096], %ti;", 700},
    {"with gaps", GOOD "mad.wide.u32 %rd0, %ti, 8, %out; st.global.u32 [%rd0], %ti;\nst.global.u32 [%rd0+12582912], %ti;\nst.global.u32 [%rd0+12582916], %ti;\nst.global.u32 [%rd0+4], %ti;", 700},
    {"after what is fine", GOOD "st.global.u32 [%o], %ti;\nst.global.u32 [%o+4096], %ti;\nst.global.u32 [%o+12582912], %ti;\nst.global.u32 [%o+8192], %ti;", 700},
    {"loads one after another", GOOD "ld.global.u32 %r1, [%o+12582912];\nld.global.u32 %r2, [%o];\nadd.u32 %r1, %r1, %r2; st.global.u32 [%o+4096], %r1;", 700},
    {"gathers one after another", GOOD "ld.global.u32 %r1, [%i]; and.b32 %r1, %r1, 0xffc; cvt.u64.u32 %rd0, %r1; add.u64 %rd0, %rd0, %out; st.global.u32 [%rd0], 1;\n"
     "st.global.u32 [%rd0+12582912], 2;\nst.global.u32 [%rd0+4], 3;", 700},
    /* Lanes of a row that leave the memory at its end. */
    {"words", ROUNDS("u32", "%r2", "4", "0x200000dff000", "96"), 700}, {"words from above", ROUNDS("u32", "%r2", "4", "0x200000200400", "-96"), 700},
    {"bytes", ROUNDS("u8", "%h0", "1", "0x200000dfff80", "3"), 700}, {"halves", ROUNDS("u16", "%h0", "2", "0x200000dfff00", "6"), 700},
    {"pairs of words", ROUNDS("v2.u32", "{%r2, %ti}", "8", "0x200000dff000", "104"), 700},
    {"every other half", ROUNDS("u16", "%h0", "4", "0x200000dff000", "44"), 700}, {"every other half, from the second", ROUNDS("u16", "%h0", "4", "0x200000dff002", "44"), 700},
    {"every third word", ROUNDS("u32", "%r2", "12", "0x200000dff000", "100"), 700}, {"bytes in pairs", ROUNDS("u8", "%h0", "2", "0x200000dfff01", "5"), 700},
    {"double words, backwards", "mul.lo.u32 %r5, %ti, -8; add.u32 %r5, %r5, 2048; mov.u64 %rd0, 0x200000dff000; cvt.u64.u32 %rd2, %r5; add.u64 %rd0, %rd0, %rd2; mov.u32 %r2, 0;"
     "L: st.global.u64 [%rd0], %rd2; add.u64 %rd0, %rd0, 104; add.u32 %r2, %r2, 1; setp.lt.u32 %p0, %r2, 100; @%p0 bra L;", 700},
    {"loads", "mov.u64 %rd0, 0x200000dff000; mad.wide.u32 %rd0, %ti, 4, %rd0; mov.u32 %r2, 0; mov.u32 %r3, 0;"
     "L: ld.global.u32 %r4, [%rd0]; add.u32 %r3, %r3, %r4; st.global.u32 [%o], %r3; add.u64 %rd0, %rd0, 96; add.u32 %r2, %r2, 1; setp.lt.u32 %p0, %r2, 100; @%p0 bra L;", 700},
    {"gathers", "and.b32 %r5, %ti, 7; mul.lo.u32 %r5, %r5, %r5; ld.global.u32 %r6, [%in]; add.u32 %r5, %r5, %r6; mov.u64 %rd0, 0x200000dff000; mad.wide.u32 %rd0, %r5, 4, %rd0; mov.u32 %r2, 0;"
     "L: ld.global.u32 %r4, [%rd0]; st.global.u32 [%o], %r4; add.u64 %rd0, %rd0, 96; add.u32 %r2, %r2, 1; setp.lt.u32 %p0, %r2, 100; @%p0 bra L;", 700},
};

static void test_rows(void)
{
    static const uint32_t blocks[] = {32, 64, 40, 7, 1};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
            ok(same(rows[i].body, blocks[b], blocks[b] < 32 ? -1 : rows[i].code), "%s, %u threads", rows[i].name, blocks[b]);
}

/* ---- Random ---- */

static unsigned labels;

/* %rd0 ... %rd3 are pointers, %rd4 ... %rd7 numbers, %r0 ... %r7 indices. Most lead to where there is memory. */
static void add_step(unsigned depth)
{
    static const char *const types[] = {"u8 ", "u16 ", "u32 ", "u64 "}, *const values[] = {"%h0", "%h0", "%r10", "%rd10"};
    static const uint32_t offsets[] = {0, 4, 8, 2, 1, 16, 4096, 0x100000, 0x7ffffff0};
    unsigned p = pick(4), q = pick(4), n = 4 + pick(4), r = pick(8), s = pick(8), t = pick(4), big = pick(12);

    switch (pick(depth ? 14 : 12)) {
    case 0:
        add("add.u64 %%rd%u, %%rd%u, %%rd%u;\n", p, q, n);
        break;
    case 1:
        add("mad.wide.%c32 %%rd%u, %%r%u, %u, %%rd%u;\n", "us"[pick(2)], p, r, 1u << pick(4), q);
        break;
    case 2:
        add("mov.u64 %%rd%u, %%%s;\n", p, pick(2) ? "out" : "in");
        break;
    case 3:
        add("mul.wide.%c32 %%rd%u, %%r%u, %u;\n", "us"[pick(2)], n, r, big ? 8 * (1 + pick(12)) : 0x20000);
        break;
    case 4:
        add(pick(2) ? "cvt.u64.u32 %%rd%u, %%r%u;\n" : "cvt.s64.s32 %%rd%u, %%r%u;\n", n, r);
        break;
    case 5:
        add("shl.b64 %%rd%u, %%rd%u, %u;\n", n, n, pick(big ? 3 : 20));
        break;
    case 6:
        add("and.b32 %%r%u, %%r%u, %u; add.u32 %%r%u, %%r%u, %%r%u;\n", r, r, pick(6) ? 0xfff0u : 0xfu, s, s, r);
        break;
    case 7:
        add("%s.u64 %%rd%u, %%rd%u, %u;\n", pick(4) ? "add" : "sub", p, q, offsets[pick(big ? 6 : 9)]);
        break;
    case 8:
    case 9:
        add("%sld.global.%s%s, [%%rd%u+%u];\n", pick(6) ? "" : "@%p1 ", types[t], values[t], p, (uint32_t)(offsets[pick(big ? 7 : 9)] & ~((1ull << t) - (pick(20) != 0))));
        add(t < 2 ? "cvt.u32.u16 %%r10, %%h0;\n" : t == 3 ? "cvt.u32.u64 %%r10, %%rd10;\n" : "\n");
        add("xor.b32 %%r11, %%r11, %%r10;\n");
        break;
    case 10:
        add("%sst.global.%s[%%rd%u+%u], %s;\n", pick(6) ? "" : "@%p1 ", types[t], p, offsets[pick(big ? 7 : 9)] & ~7u, values[t]);
        break;
    case 11:
        add("mov.u32 %%r%u, %s;\n", r, (const char *const[]){"%r12", "%r13", "16", "%r11", "%ti"}[pick(big > 2 ? 3 : 5)]);
        break;
    case 12: /* some lanes only, or none */
        add("setp.lt.u32 %%p0, %%%s, %u; @%%p0 bra M%u;\n", pick(2) ? "ti" : "n1", pick(80), labels);
        for (unsigned i = pick(6), here = labels++; ; i--) {
            add_step(depth - 1);
            if (!i) {
                add("M%u:\n", here);
                break;
            }
        }
        break;
    default:
        add("mov.u32 %%r%u, 0;\nN%u:\n", 20 + depth, labels);
        for (unsigned i = 1 + pick(6), here = labels++; ; i--) {
            add_step(depth - 1);
            if (!i) {
                add("add.u32 %%r%u, %%r%u, 1; setp.lt.u32 %%p0, %%r%u, %u; @%%p0 bra N%u;\n", 20 + depth, 20 + depth, 20 + depth, 1 + pick(9), here);
                break;
            }
        }
    }
}

static const char *random_kernel(uint64_t seed)
{
    begin_text(seed);
    used = labels = 0;
    add("setp.gt.u32 %%p1, %%ti, %u; cvt.u16.u32 %%h0, %%ti; mov.u32 %%r11, 0; mov.u32 %%r10, %%ti; mov.u64 %%rd10, %%out; shl.b32 %%r12, %%ti, 3; sub.u32 %%r13, 512, %%r12;\n", pick(40));
    for (unsigned k = 0; k < 8; k++)
        add("mov.u32 %%r%u, %s;\n", k, k % 2 ? "%r12" : "8");
    for (unsigned k = 0; k < 4; k++)
        add("mad.wide.u32 %%rd%u, %%r%u, %u, %%%s; mul.wide.u32 %%rd%u, %%r%u, 4;\n", k, pick(8), 1u << pick(4), k % 2 ? "in" : "out", 4 + k, pick(8));
    for (unsigned k = 6 + pick(30); k; k--)
        add_step(2);
    add("st.global.u32 [%%o+65536], %%r11;");
    return text;
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoull(argv[2], NULL, 0) : 100, faults = 0, misaligned = 0;

    fx_setup();
    if (!window_map(LAST, VGPU_GRANULE, -1, 0))
        return 1;
    if (argc < 2)
        test_rows();
    for (uint64_t seed = first; seed < first + n; seed++) {
        static const uint32_t blocks[] = {32, 64, 40, 20};
        bool good = same(random_kernel(seed), blocks[seed % 4], -1);

        faults += fx.fault.code == 700;
        misaligned += fx.fault.code == 716;
        if (!good || fx.fault.code == -1) {
            ok(false, "random kernel %llu", (unsigned long long)seed);
            diag("%s", text);
        }
    }
    ok(n < 100 || (faults > n / 20 && faults + misaligned < n), "%llu random kernels: %llu leave their memory, %llu have misaligned addresses",
       (unsigned long long)n, (unsigned long long)faults, (unsigned long long)misaligned);
    return tap_done();
}
