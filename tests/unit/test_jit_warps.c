/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of several warps: what they compute alike and code computes once, what each keeps across barriers, and what it does not
 * have to. What they write is what the interpreter writes. */
#include "interp_fixture.h"

/* %r1 and %r2: the same for the block's warps; %r20: a thread's own. */
#define HEAD \
    "{ .reg .b64 %a<4>; .shared .b32 box[1024]; mov.u32 %r0, %ctaid.y; mad.lo.u32 %r1, %n0, 7, %r0; shl.b32 %r2, %r1, 3; xor.b32 %r20, %ti, %r1;\n"
#define OUT "mad.lo.u32 %r39, %r0, 3000, %gi; mad.wide.u32 %o, %r39, 4, %out; st.global.u32 [%o], %r20; }"
#define BARRIER "bar.sync 0;\n"
/* Each thread adds what the one 33 away has put into its place. */
#define PASS \
    "mov.u32 %r30, box; shl.b32 %r31, %ti, 2; add.u32 %r31, %r30, %r31; st.shared.u32 [%r31], %r20; bar.sync 0; add.u32 %r32, %ti, 33; rem.u32 %r32, %r32, %n1;\n" \
    "shl.b32 %r32, %r32, 2; add.u32 %r32, %r30, %r32; ld.shared.u32 %r33, [%r32]; mad.lo.u32 %r20, %r20, 3, %r33; bar.sync 0;\n"
#define LOOP "mov.u32 %r10, 0;\nL:\n"
#define NEXT "add.u32 %r10, %r10, 1; setp.lt.u32 %p1, %r10, 5; @%p1 bra L;\n"

static const struct {
    const char *what, *body;
} kernels[] = {
    {"alike behind a barrier", HEAD PASS "add.u32 %r20, %r20, %r2; add.u32 %r20, %r20, %r1;\n" OUT},
    {"alike in a loop with barriers", HEAD LOOP PASS "add.u32 %r3, %r1, 5; mul.lo.u32 %r4, %r3, %r2; add.u32 %r20, %r20, %r4;\n" NEXT OUT},
    {"a way that all or none take", HEAD "and.b32 %r3, %r1, 1; setp.eq.u32 %p2, %r3, 0; @%p2 bra E; add.u32 %r4, %r2, 9; add.u32 %r20, %r20, %r4;\nE:\n" PASS OUT},
    {"a way that some warps take", HEAD "setp.gt.u32 %p2, %ti, 63; @%p2 bra E; add.u32 %r4, %r2, 9; add.u32 %r20, %r20, %r4;\nE:\n" PASS OUT},
    {"a way that some lanes take", HEAD "and.b32 %r3, %ti, 5; setp.eq.u32 %p2, %r3, 1; @%p2 bra E; add.u32 %r4, %r2, 9; add.u32 %r20, %r20, %r4;\nE:\n" PASS OUT},
    {"written twice", HEAD "add.u32 %r3, %r1, 1; add.u32 %r20, %r20, %r3; add.u32 %r3, %r2, 2;\n" PASS "add.u32 %r20, %r20, %r3;\n" OUT},
    {"written by some lanes", HEAD "setp.lt.u32 %p2, %ti, 40; mov.u32 %r3, %r1; @%p2 add.u32 %r3, %r2, 1;\n" PASS "add.u32 %r20, %r20, %r3;\n" OUT},
    {"written before it is read or not at all", HEAD "setp.lt.u32 %p2, %n0, 1; @%p2 bra E; add.u32 %r3, %r1, 4;\nE: selp.b32 %r4, 0, %r3, %p2; add.u32 %r20, %r20, %r4;\n" PASS OUT},
    {"grows from round to round", HEAD "mov.u32 %r3, %r1;\n" LOOP PASS "add.u32 %r3, %r3, %r2; add.u32 %r20, %r20, %r3;\n" NEXT OUT},
    {"a warp's own, computed before the loop", HEAD "mul.lo.u32 %r3, %ti, 5; shr.u32 %r4, %ti, 5; mul.lo.u32 %r5, %r4, %r2;\n" LOOP PASS
     "add.u32 %r20, %r20, %r3; sub.u32 %r20, %r20, %r5;\n" NEXT OUT},
    {"a warp's own, computed in an outer loop", HEAD "mov.u32 %r11, 0;\nK: mad.lo.u32 %r3, %ti, 5, %r11;\n" LOOP PASS "add.u32 %r20, %r20, %r3;\n" NEXT
     "add.u32 %r11, %r11, 1; setp.lt.u32 %p3, %r11, 3; @%p3 bra K;\n" OUT},
    {"a warp's own, computed in one part of it", HEAD "setp.lt.u32 %p2, %ti, 50; mov.u32 %r3, 1; @%p2 bra E; mul.lo.u32 %r3, %ti, 5;\nE:\n" LOOP PASS
     "add.u32 %r20, %r20, %r3;\n" NEXT OUT},
    {"predicates", HEAD "setp.gt.u32 %p4, %r1, 3; setp.lt.u32 %p5, %ti, 45;\n" LOOP PASS "@%p4 add.u32 %r20, %r20, 7; @%p5 add.u32 %r20, %r20, %r2; selp.u32 %r5, 1, 2, %p4;\n"
     "add.u32 %r20, %r20, %r5;\n" NEXT OUT},
    {"all widths", HEAD "cvt.u16.u32 %h1, %r2; mul.wide.u16 %r3, %h1, 77; cvt.u64.u32 %a1, %r3; mad.lo.s64 %a2, %a1, -3, %in; sub.s64 %a2, %a2, %in; mul.hi.s64 %a3, %a2, %a2;\n"
     PASS "cvt.u32.u64 %r4, %a2; add.u32 %r20, %r20, %r4; cvt.u32.u64 %r4, %a3; xor.b32 %r20, %r20, %r4; cvt.s32.s16 %r4, %h1; add.u32 %r20, %r20, %r4;\n" OUT},
    {"warps that end early", HEAD "setp.gt.u32 %p2, %ti, 95; @%p2 bra E;\n" PASS "E: add.u32 %r20, %r20, %r2;\n" OUT},
    {"no barrier", HEAD "add.u32 %r3, %r1, 4; setp.gt.u32 %p2, %r3, 9; selp.b32 %r4, %r3, %r2, %p2; add.u32 %r20, %r20, %r4;\n" OUT},
    /* What was in such a register before the barrier is nowhere: a guarded load must not want it. */
    {"a guarded load that nobody reads", HEAD "ld.global.u32 %r3, [%i]; add.u32 %r20, %r20, %r3;\n" BARRIER "setp.lt.u32 %p2, %ti, 40; @%p2 ld.global.u32 %r3, [%i+4];\n" OUT},
    {"the same, in a block of its own", HEAD "ld.global.u32 %r3, [%i]; setp.lt.u32 %p2, %ti, 40; @%p2 bra E; add.u32 %r20, %r20, %r3;\nE: and.b32 %r4, %ti, 3;\n"
     "setp.eq.u32 %p3, %r4, 1; @%p3 ld.global.u32 %r3, [%i+4];\n" OUT},
};

int main(void)
{
    static const uint32_t blocks[] = {32, 64, 100, 256};

    fx_setup();
    for (uint32_t k = 0; k < FX_BYTES / 4; k++)
        fx_in[k] = k * 2654435761u;
    for (unsigned k = 0; k < sizeof kernels / sizeof *kernels; k++)
        for (unsigned b = 0; b < sizeof blocks / sizeof *blocks; b++)
            if (!ok(fx_same(kernels[k].body, .block = blocks[b], .grid = 3, .grid_y = 2), "%s: %u threads", kernels[k].what, blocks[b]))
                diag("%s", fx_report.why);
    return tap_done();
}
