/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 8 or 16 threads a row: addresses that follow from a row's number and a column, in compiled code as interpreted. */
#include "interp_fixture.h"

enum { WORDS = FX_BYTES / 4 };

static const struct {
    const char *type, *moved, *store; /* of a column's access; what makes %r20 of it; the same way back */
    unsigned bytes;
} kinds[] = {
    {"u8 %r20", "", "u8 [%rd3+65536], %r30", 1},
    {"s16 %r20", "", "u16 [%rd3+65536], %h0", 2},
    {"u32 %r20", "", "u32 [%rd3+65536], %r30", 4},
    {"u64 %rd9", "cvt.u32.u64 %r20, %rd9;", "u64 [%rd3+65536], %rd1", 8},
    {"v2.u32 {%r20, %r21}", "mad.lo.u32 %r20, %r21, 7, %r20;", "v2.u32 [%rd3+65536], {%r30, %r20}", 8},
    {"v4.u32 {%r20, %r21, %r22, %r23}", "mad.lo.u32 %r20, %r21, 7, %r20; mad.lo.u32 %r20, %r22, %r23, %r20;", "v4.u32 [%rd3+65536], {%r30, %r20, %r31, %r6}", 16},
};
/* Columns between neighbours: rows in a row, one place, every third, backwards. */
static const char *const steps[] = {"1", "0", "3", "-1"};
static const struct {
    uint32_t x, y;
} shapes[] = {{16, 4}, {8, 8}, {16, 3}, {8, 1}};
/* Of rows, and of the first: the last two lead out of memory, or wrap. */
static const struct {
    uint32_t stride, start;
} places[] = {{64, 32}, {0, 40}, {1003, 77}, {1u << 28, 40}, {~0u, 0xfffffff9u}};

/* %ti: column, %r1: row, %r10: place, %gi: thread. */
#define HEAD \
    "mov.u32 %%r1, %%tid.y; mad.lo.u32 %%gi, %%r1, %%n1, %%ti; ld.global.u32 %%r2, [%%in]; ld.global.u32 %%r3, [%%in+4];\n" \
    "mad.lo.u32 %%r10, %%r1, %%r2, %%r3; mul.lo.u32 %%r4, %%ti, "
#define OUT "mad.wide.u32 %%o, %%gi, 8, %%out; st.global.v2.u32 [%%o], {%%r30, %%r31};"

/* Which of several threads a fault names is open. */
static void same(const char *body, uint32_t x, uint32_t y, uint32_t stride, uint32_t start, const char *what)
{
    static uint32_t want[WORDS];
    struct vg_fault fault;
    bool first, second;

    fx_setup();
    fx.quiet = true;
    for (uint32_t k = 0; k < WORDS; k++)
        fx_in[k] = k * 2654435761u;
    fx_in[0] = stride;
    fx_in[1] = start;
    fx_interprets = true;
    first = fx_run(body, .block = x, .block_y = y);
    memcpy(want, fx_out, sizeof want);
    fault = fx.fault;
    fx_interprets = false;
    fx_report.why[0] = 0;
    second = fx_run(body, .block = x, .block_y = y);
    ok(first == second && !fx_report.why[0] && fault.code == fx.fault.code && fault.line == fx.fault.line &&
           (!first || !memcmp(want, fx_out, sizeof want)),
       "%s, %u x %u, rows of %u from %u", what, x, y, stride, start);
}

int main(void)
{
    static char body[4096];

    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (unsigned s = 0; s < 4; s++)
            for (unsigned p = 0; p < 4; p++) {
                unsigned shape = (k + s + p) % 4;

                /* A load, then one by some threads, along a loop of rows; and a store. */
                snprintf(body, sizeof body, HEAD "%s; add.u32 %%r10, %%r10, %%r4; mov.u32 %%r30, 0; mov.u32 %%r31, 0; and.b32 %%r5, %%gi, 5;\n"
                         "setp.eq.u32 %%p1, %%r5, 4; mov.u32 %%r6, 0;\n"
                         "L: mul.wide.u32 %%rd1, %%r10, %u; add.u64 %%rd2, %%in, %%rd1; ld.global.%s, [%%rd2]; %s\n"
                         "mad.lo.u32 %%r30, %%r30, 31, %%r20;\n@!%%p1 bra M; ld.global.%s, [%%rd2+64]; %s mad.lo.u32 %%r31, %%r31, 31, %%r20;\n"
                         "M: add.u32 %%r10, %%r10, %%r2; add.u32 %%r6, %%r6, 1; setp.lt.u32 %%p2, %%r6, 3; @%%p2 bra L;\n"
                         "cvt.u16.u32 %%h0, %%r30; add.u64 %%rd3, %%out, %%rd1; st.global.%s;\n" OUT,
                         steps[s], kinds[k].bytes, kinds[k].type, kinds[k].moved, kinds[k].type, kinds[k].moved,
                         kinds[k].store);
                same(body, shapes[shape].x, shapes[shape].y, places[p].stride, places[p].start, kinds[k].type);
            }
    for (unsigned p = 0; p < 5; p++)
        for (unsigned s = 0; s < 4; s++) {
            /* Extended to 64 bits, which does not commute with adding columns where these wrap. */
            snprintf(body, sizeof body, HEAD "%s; add.u32 %%r10, %%r10, %%r4; cvt.u64.u32 %%rd1, %%r10; cvt.s64.s32 %%rd2, %%r10;\n"
                     "mul.wide.s32 %%rd3, %%r10, 12; mad.wide.u32 %%rd4, %%r10, 5, %%rd1; shl.b64 %%rd5, %%rd2, 3; sub.u64 %%rd5, %%rd5, %%rd4;\n"
                     "mov.b64 {%%r20, %%r21}, %%rd5; mov.b64 {%%r22, %%r23}, %%rd3; mad.lo.u32 %%r30, %%r20, 3, %%r22;\n"
                     "mad.lo.u32 %%r31, %%r21, 3, %%r23;\nmul.lo.u32 %%r7, %%r1, %%r10; not.b32 %%r8, %%r7; shr.u32 %%r8, %%r8, 2;\n"
                     "and.b32 %%r9, %%r10, 12; neg.s32 %%r9, %%r9; xor.b32 %%r8, %%r8, %%r9; mad.lo.u32 %%r31, %%r31, 5, %%r8;\n" OUT, steps[s]);
            same(body, shapes[s].x, shapes[s].y, places[p].stride, places[p].start, "extended");
        }
    return tap_done();
}
