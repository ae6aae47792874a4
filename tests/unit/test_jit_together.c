/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels whose lanes mostly stay together, and part here and there: thread 0 does something on the side, loops are left early, rounds
 * differ. What they write is what the interpreter writes. */
#include "interp_fixture.h"

enum { WORDS = FX_BYTES / 4 };

/* %ti: thread, %r1: warp, %r2: lane, %r3 and %r4: numbers of the input, %r30 and %r31: results. */
#define HEAD \
    ".shared .align 16 .b8 sm[64];\nshr.u32 %r1, %ti, 5; and.b32 %r2, %ti, 31; ld.global.u32 %r3, [%in]; ld.global.u32 %r4, [%in+4]; mov.u32 %r30, 0; mov.u32 %r31, 1;\n"
#define OUT "mul.wide.u32 %rd9, %gi, 8; add.u64 %rd9, %rd9, %out; st.global.v2.u32 [%rd9], {%r30, %r31};"
/* Rounds of a loop over the input, 32 words a round: a pointer for all lanes, and a sum. */
#define BEGIN "mul.wide.u32 %rd2, %ti, 4; add.u64 %rd1, %in, %rd2; mov.u32 %r10, 0;\n"
#define ROUND "ld.global.u32 %r20, [%rd1+64]; mad.lo.u32 %r30, %r30, 31, %r20; add.u64 %rd1, %rd1, 128; add.u32 %r10, %r10, 1;\n"
#define AGAIN "setp.lt.u32 %p1, %r10, %r3; @%p1 bra L;\n"

static const struct {
    const char *what, *body;
} kernels[] = {
    {"thread 0 on the side, then a loop",
     HEAD "or.b32 %r5, %r1, %r2; setp.ne.u32 %p2, %r5, 0; @%p2 bra S; ld.global.u32 %r31, [%in+8];\nS:\n" BEGIN "L: " ROUND AGAIN OUT},
    {"some lanes on the side in each round", HEAD BEGIN "L: " ROUND "setp.gt.u32 %p2, %r2, %r10; @%p2 bra S; mad.lo.u32 %r31, %r31, 3, %r20;\nS: " AGAIN OUT},
    {"two ways in each round",
     HEAD BEGIN "L: " ROUND "and.b32 %r5, %r20, 1; setp.eq.u32 %p2, %r5, 0; @%p2 bra S; mad.lo.u32 %r31, %r31, 3, %r20; bra T;\n"
     "S: xor.b32 %r31, %r31, %r20;\nT: " AGAIN OUT},
    {"one way within another", HEAD BEGIN "L: " ROUND "setp.gt.u32 %p2, %r2, %r4; @%p2 bra S; add.u32 %r31, %r31, 1; setp.gt.u32 %p3, %r2, 3;\n"
     "@%p3 bra T; mad.lo.u32 %r31, %r31, 5, %r20;\nT: xor.b32 %r31, %r31, %r10;\nS: " AGAIN OUT},
    /* What is the same for all lanes, or has a pattern, and is not any more. */
    {"some lanes count differently", HEAD BEGIN "mov.u32 %r11, 0;\nL: " ROUND "setp.ne.u32 %p2, %r2, %r4; @%p2 bra S; add.u32 %r11, %r11, 7;\nS: "
     "add.u32 %r31, %r31, %r11;\n" AGAIN OUT},
    {"some lanes go elsewhere", HEAD BEGIN "setp.lt.u32 %p2, %r2, %r4; @!%p2 bra S; add.u64 %rd1, %rd1, 256;\nS:\nL: " ROUND AGAIN OUT},
    {"and come back", HEAD BEGIN "setp.lt.u32 %p2, %r2, %r4; @!%p2 bra S; add.u64 %rd1, %rd1, 256;\nS: add.u32 %r31, %r31, 2;\n"
     "setp.lt.u32 %p2, %r2, %r4; @!%p2 bra T; sub.u64 %rd1, %rd1, 256;\nT:\nL: " ROUND AGAIN OUT},
    /* Loops that lanes leave one by one, and one after that. */
    {"lanes that leave early", HEAD BEGIN "add.u32 %r12, %r3, %r2; and.b32 %r12, %r12, 7;\nL: " ROUND
     "setp.lt.u32 %p1, %r10, %r12; @%p1 bra L;\nmov.u32 %r10, 0;\nM: add.u32 %r31, %r31, %r30; " ROUND "setp.lt.u32 %p1, %r10, %r3; @%p1 bra M;\n" OUT},
    {"a loop in a loop that lanes leave early", HEAD BEGIN "mov.u32 %r13, 0;\nM: mov.u32 %r10, 0; add.u32 %r12, %r2, %r13; and.b32 %r12, %r12, 3;\n"
     "L: " ROUND "setp.lt.u32 %p1, %r10, %r12; @%p1 bra L;\nmov.u64 %rd3, %in; mad.wide.u32 %rd1, %r13, 128, %rd3; add.u64 %rd1, %rd1, %rd2;\n"
     "add.u32 %r13, %r13, 1; setp.lt.u32 %p2, %r13, %r3; @%p2 bra M;\n" OUT},
    {"a loop that begins where lanes ended", HEAD "setp.eq.u32 %p2, %r2, %r4; @%p2 ret;\n" BEGIN "L: " ROUND AGAIN OUT},
    {"lanes that end on the way", HEAD BEGIN "L: " ROUND "setp.gt.u32 %p2, %r10, %r4; setp.eq.u32 %p3, %r2, 5; and.pred %p2, %p2, %p3; @%p2 bra X;\n"
     AGAIN OUT " ret;\nX: mul.wide.u32 %rd9, %gi, 8; add.u64 %rd9, %rd9, %out; st.global.u32 [%rd9], %r10;"},
    {"lanes that meet after a side way", HEAD BEGIN "L: " ROUND "setp.gt.u32 %p2, %r2, %r4; @%p2 bra S; mad.lo.u32 %r31, %r31, 3, %r20;\n"
     "S: shfl.sync.bfly.b32 %r6, %r31, 1, 31, -1; add.u32 %r31, %r31, %r6;\n" AGAIN OUT},
    /* Differences of what has the same base, or seems to. */
#define SUM(r) "mad.lo.u32 %r30, %r30, 31, " r ";\n"
    {"remainders", HEAD "and.b32 %r5, %ti, -4; sub.u32 %r6, %ti, %r5; and.b32 %r7, %ti, -64; sub.u32 %r8, %ti, %r7; and.b32 %r9, %ti, 96;\n"
     "sub.u32 %r10, %ti, %r9; or.b32 %r11, %ti, 1; sub.u32 %r12, %r11, %ti; add.u32 %r13, %ti, %ti; sub.u32 %r14, %r13, %ti; sub.u32 %r15, %r5, %r7;\n"
     "cvt.u64.u32 %rd1, %ti; cvt.u64.u32 %rd2, %r5; sub.u64 %rd1, %rd1, %rd2; cvt.u32.u64 %r16, %rd1; neg.s32 %r17, %ti; add.u32 %r17, %r17, %ti;\n"
     "shl.b32 %r18, %ti, 3; shl.b32 %r19, %r5, 3; sub.u32 %r18, %r18, %r19; mov.u32 %r20, sm; add.u32 %r20, %r20, %ti; sub.u32 %r20, %r20, %r5;\n"
     SUM("%r6") SUM("%r8") SUM("%r10") SUM("%r12") SUM("%r14") SUM("%r15") SUM("%r16") SUM("%r17") SUM("%r18") SUM("%r20") OUT},
    {"remainders in a loop", HEAD "mov.u32 %r5, %ti; mov.u32 %r10, 0;\nL: and.b32 %r6, %r5, -8; sub.u32 %r7, %r5, %r6; sub.u32 %r8, %ti, %r6;\n"
     SUM("%r7") SUM("%r8") "add.u32 %r5, %r5, 5; add.u32 %r10, %r10, 1;\n" AGAIN OUT},
    {"a number that was another before", HEAD "mov.u32 %r5, %ti; and.b32 %r6, %r5, -4; shl.b32 %r5, %r5, 1; sub.u32 %r7, %r5, %r6;\n" SUM("%r7") OUT},
    {"a number with or without something", HEAD "and.b32 %r6, %r4, 1; setp.eq.u32 %p2, %r1, %r6; mov.u32 %r5, %ti; @!%p2 bra S; add.u32 %r5, %ti, 8;\n"
     "S: sub.u32 %r7, %r5, %ti;\n" SUM("%r7") OUT},
    {"the last store of one lane", HEAD BEGIN "L: " ROUND AGAIN "setp.ne.u32 %p2, %r2, 0; @%p2 bra S; " OUT "\nS: ret;"},
    /* Ends that all wait for, behind ways that part. */
    {"two ways to the last store of some lanes", HEAD BEGIN "L: " ROUND AGAIN "setp.gt.u32 %p2, %r2, %r4; @%p2 bra S; setp.gt.u32 %p3, %r2, 2; @%p3 bra T;\n"
     "add.u32 %r31, %r31, %r30; bra U;\nT: mul.lo.u32 %r31, %r30, 3;\nU: " OUT "\nS: ret;"},
    {"two ends within the last ways", HEAD BEGIN "L: " ROUND AGAIN "setp.gt.u32 %p2, %r2, %r4; @%p2 bra S; setp.gt.u32 %p3, %r2, 2; @%p3 bra S;\n"
     "add.u32 %r31, %r31, %r30; " OUT "\nS: ret;"},
    {"another end within the last ways", HEAD BEGIN "L: " ROUND AGAIN "setp.gt.u32 %p2, %r2, %r4; @%p2 bra S; setp.gt.u32 %p3, %r2, 2; @%p3 ret;\n"
     "add.u32 %r31, %r31, %r30; " OUT "\nS: ret;"},
    {"a loop before the last store of some lanes", HEAD BEGIN "setp.gt.u32 %p2, %r2, %r4; @%p2 bra S;\nL: " ROUND AGAIN OUT "\nS: ret;"},
    {"lanes that meet before the last store", HEAD BEGIN "setp.gt.u32 %p2, %r2, 7; @%p2 bra S; setp.gt.u32 %p3, %r2, 2; @%p3 bra T; add.u32 %r31, %r31, 9;\n"
     "T: shfl.sync.down.b32 %r31, %r31, 1, 31, 255; " OUT "\nS: ret;"},
};

static void same(const char *what, const char *body, uint32_t block, uint32_t rounds, uint32_t lane)
{
    fx_setup();
    fx.quiet = true;
    for (uint32_t k = 0; k < WORDS; k++)
        fx_in[k] = k * 2654435761u;
    fx_in[0] = rounds;
    fx_in[1] = lane;
    ok(fx_same(body, .block = block), "%s: %u threads, %u rounds, lane %u", what, block, rounds, lane);
}

int main(void)
{
    static const uint32_t blocks[] = {32, 64, 40}, lanes[] = {0, 5, 31, 40};

    for (unsigned k = 0; k < sizeof kernels / sizeof *kernels; k++)
        for (unsigned n = 0; n < 4; n++)
            same(kernels[k].what, kernels[k].body, blocks[n % 3], 1 + 3 * n, lanes[n]);
    return tap_done();
}
