/* SPDX-License-Identifier: Apache-2.0 */
/* Halves of which some are NaNs, of any kind: in pairs and alone, added up, kept in loops, looked at as bits. What they write is what
 * the interpreter writes. */
#include "interp_fixture.h"

enum { WORDS = FX_BYTES / 4 };

/* %q0 and %q1: pairs of any bits, %x and %y: sums of a loop's rounds. */
#define HEAD \
    "{ .reg .b16 %x, %y, %a, %b; .reg .b32 %q<12>; mul.wide.u32 %rd2, %ti, 4; add.u64 %rd1, %in, %rd2; ld.global.u32 %q0, [%rd1];\n" \
    "ld.global.u32 %q1, [%rd1+64]; ld.global.f32 %f1, [%rd1+128]; ld.global.f32 %f2, [%rd1+192]; mov.u32 %r30, 0; mov.u32 %r31, 0; mov.u32 %r10, 0;\n"
#define OUT "mul.wide.u32 %rd9, %gi, 8; add.u64 %rd9, %rd9, %out; st.global.v2.b32 [%rd9], {%r30, %r31}; }"
#define PAIR HEAD "mul.wide.u32 %rd3, %ti, 8; add.u64 %rd3, %in, %rd3; ld.global.v2.f32 {%f3, %f4}, [%rd3+256];\n"
#define BEGIN "mov.u16 %x, 0; mov.u16 %y, 0;\nL:\n"
#define NEXT "ld.global.u32 %q0, [%rd1+32]; add.u64 %rd1, %rd1, 128; add.u32 %r10, %r10, 1; setp.lt.u32 %p1, %r10, 4; @%p1 bra L;\n"

static const struct {
    const char *what, *body;
} kernels[] = {
    {"a sum's bits", HEAD "add.f16x2 %q2, %q0, %q1; mul.f16x2 %q3, %q2, %q0; mov.b32 %r30, %q3; xor.b32 %r31, %q2, 5;\n" OUT},
    {"taken apart", HEAD "add.f16x2 %q2, %q0, %q1; mov.b32 {%a, %b}, %q2; cvt.u32.u16 %r30, %a; cvt.s32.s16 %r31, %b;\n" OUT},
    {"put together", HEAD "cvt.rn.f16.f32 %a, %f1; cvt.rn.f16.f32 %b, %f2; mov.b32 %q2, {%a, %b}; mov.b32 %r30, %q2; add.f16x2 %r31, %q2, %q0;\n" OUT},
    {"a pair of floats from memory", PAIR "cvt.rn.f16.f32 %a, %f3; cvt.rn.f16.f32 %b, %f4; mov.b32 %q2, {%a, %b}; mul.f16x2 %r30, %q2, %q0; mov.b32 %r31, %q2;\n" OUT},
    {"a pair from memory the other way round", PAIR "cvt.rn.f16.f32 %a, %f4; cvt.rn.f16.f32 %b, %f3; mov.b32 %r30, {%a, %b}; mov.b32 %r31, {%a, %a};\n" OUT},
    {"halves of two pairs from memory", PAIR "ld.global.v2.f32 {%f5, %f6}, [%rd3+512]; cvt.rn.f16.f32 %a, %f3; cvt.rn.f16.f32 %b, %f6; mov.b32 %r30, {%a, %b};\n"
     "cvt.rn.f16.f32 %b, %f5; mov.b32 %r31, {%b, %a};\n" OUT},
    {"a pair from memory, one of which some lanes change", PAIR "setp.gt.f32 %p2, %f1, %f2; @%p2 mov.f32 %f4, %f1; cvt.rn.f16.f32 %a, %f3;\n"
     "cvt.rn.f16.f32 %b, %f4; mov.b32 %r30, {%a, %b}; @%p2 cvt.rn.f16.f32 %b, %f3; mov.b32 %r31, {%a, %b};\n" OUT},
    {"a pair that some lanes load", HEAD "mov.f32 %f3, %f1; mov.f32 %f4, %f2; setp.gt.f32 %p2, %f1, %f2; mul.wide.u32 %rd3, %ti, 8; add.u64 %rd3, %in, %rd3;\n"
     "@%p2 ld.global.v2.f32 {%f3, %f4}, [%rd3+256]; cvt.rn.f16.f32 %a, %f3; cvt.rn.f16.f32 %b, %f4; mov.b32 %r30, {%a, %b}; mov.b32 %r31, %f4;\n" OUT},
    {"a pair of integers from memory", PAIR "ld.global.v2.u32 {%q4, %q5}, [%rd3+128]; cvt.u16.u32 %a, %q4; cvt.u16.u32 %b, %q5; mov.b32 %r30, {%a, %b}; mov.b32 %r31, %f4;\n" OUT},
    {"a pair of floats", HEAD "cvt.rn.f16x2.f32 %q2, %f1, %f2; fma.rn.f16x2 %q3, %q2, %q0, %q1; mov.b32 %r30, %q2; mov.b32 %r31, %q3;\n" OUT},
    {"two sums in a loop", HEAD BEGIN "mul.f16x2 %q2, %q0, %q1; mov.b32 %q3, {%x, %y}; add.f16x2 %q4, %q3, %q2; mov.b32 {%x, %y}, %q4;\n" NEXT
     "cvt.u32.u16 %r30, %x; cvt.u32.u16 %r31, %y;\n" OUT},
    {"two sums, one of which is known alone", HEAD BEGIN "mul.f16x2 %q2, %q0, %q1; mov.b32 %q3, {%x, %y}; add.f16x2 %q4, %q3, %q2;\n"
     "mov.b32 {%x, %y}, %q4; add.f16 %x, %x, %y; cvt.u32.u16 %q5, %y; mad.lo.u32 %r31, %r31, 3, %q5;\n" NEXT "mov.b32 %r30, {%x, %y};\n" OUT},
    {"two sums, one of which some lanes change", HEAD BEGIN "and.b32 %r5, %ti, 3; setp.eq.u32 %p2, %r5, 1; mov.b32 %q3, {%x, %y}; add.f16x2 %q4, %q3, %q0;\n"
     "mov.b32 {%x, %y}, %q4; @%p2 cvt.rn.f16.f32 %y, %f1; @%p2 mov.b16 %x, 0x7d00;\n" NEXT "mov.b32 %r30, {%x, %y};\n" OUT},
    {"two sums that change places", HEAD BEGIN "mov.b32 %q3, {%x, %y}; add.f16x2 %q4, %q3, %q0; mov.b32 {%y, %x}, %q4;\n" NEXT "mov.b32 %r30, {%x, %y};\n" OUT},
    {"two sums that some lanes take", HEAD BEGIN "setp.gt.f32 %p2, %f1, %f2; mov.b32 %q3, {%x, %y}; add.f16x2 %q4, %q3, %q0; @%p2 mov.b32 {%x, %y}, %q4;\n" NEXT
     "mov.b32 %r30, {%x, %y};\n" OUT},
    {"chosen and passed on", HEAD "mul.f16x2 %q2, %q0, %q1; setp.gt.f32 %p2, %f1, %f2; selp.b32 %q3, %q2, 0x3c007fff, %p2; shfl.sync.bfly.b32 %q4, %q3, 1, 31, -1;\n"
     "mov.b32 %r30, %q4; add.f16x2 %r31, %q4, %q3;\n" OUT},
    {"as a float's bits", HEAD "add.f16x2 %q2, %q0, %q1; add.f32 %f3, %q2, 0f00000000; mov.b32 %r30, %f3; min.f32 %f4, %q2, %f1; mov.b32 %r31, %f4;\n" OUT},
    {"as bf16", HEAD "add.f16x2 %q2, %q0, %q1; fma.rn.bf16x2 %r30, %q2, %q0, %q1; neg.bf16x2 %r31, %q2;\n" OUT},
    {"no less than zero", HEAD "fma.rn.relu.f16x2 %q2, %q0, %q1, %q0; fma.rn.sat.f16x2 %q3, %q2, %q0, %q1; mov.b32 %r30, %q2; mov.b32 %r31, %q3;\n" OUT},
    {"extremes and signs", HEAD "add.f16x2 %q2, %q0, %q1; min.f16x2 %q3, %q2, %q1; max.NaN.f16x2 %q4, %q2, %q3; neg.f16x2 %q5, %q4; abs.f16x2 %q6, %q2;\n"
     "xor.b32 %r30, %q3, %q5; xor.b32 %r31, %q4, %q6;\n" OUT},
    {"widened", HEAD "add.f16x2 %q2, %q0, %q1; mov.b32 {%a, %b}, %q2; cvt.f32.f16 %f3, %a; cvt.f32.f16 %f4, %b; add.ftz.f32 %f5, %f3, %f4; mov.b32 %r30, %f3;\n"
     "mov.b32 %r31, %f5;\n" OUT},
    /* The CPU may flush: halves' subnormals are not f32's. */
    {"subnormal", HEAD "and.b32 %q2, %q0, 0x83ff83ff; add.f16x2 %q3, %q2, %q2; mov.b32 {%a, %b}, %q3; cvt.f32.f16 %f3, %a; add.ftz.f32 %f4, %f3, %f3;\n"
     "cvt.rn.f16.f32 %b, %f4; mov.b32 %r30, {%a, %b}; and.b32 %q4, %q1, 0x807fffff; mov.b32 %f5, %q4; cvt.rn.f16.f32 %a, %f5; cvt.rzi.s32.f32 %r31, %f5;\n"
     "mov.b32 %r5, {%a, %a}; xor.b32 %r30, %r30, %r5;\n" OUT},
};

static void same(const char *what, const char *body, uint32_t block)
{
    fx_setup();
    fx.quiet = true;
    for (uint32_t k = 0; k < WORDS; k++) {
        fx_in[k] = k * 2654435761u;
        if (k % 3 == 1)
            fx_in[k] |= 0x7c00u << (k & 16);
    }
    ok(fx_same(body, .block = block), "%s: %u threads", what, block);
}

int main(void)
{
    for (unsigned k = 0; k < sizeof kernels / sizeof *kernels; k++) {
        same(kernels[k].what, kernels[k].body, 64);
        same(kernels[k].what, kernels[k].body, 40);
    }
    return tap_done();
}
