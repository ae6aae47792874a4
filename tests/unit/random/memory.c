/* SPDX-License-Identifier: Apache-2.0 */
/* Known places: %in and %i the input, anywhere and the thread's; %mine the thread's word of the shared array own; tally, 64 bytes of
 * shared sums; depot and array in local memory; %sums, %own, %wide, %warps of the output (kernel.h). */
#include "statements.h"

TABLE(loads,
    "ld.global.<u32|s32> $R, [%i];",
    "ld.global.<nc.|><u32|b32> $R, [%i];",
    "and.b32 %r20, $i, 4092; cvt.u64.u32 %rd1, %r20; add.u64 %rd1, %rd1, %in; ld.global.u32 $R, [%rd1];",
    "and.b32 %r20, $i, 4095; cvt.u64.u32 %rd1, %r20; add.u64 %rd1, %rd1, %in; ld.global.<u8|s8> $R, [%rd1];",
    "and.b32 %r20, $i, 4080; cvt.u64.u32 %rd1, %r20; add.u64 %rd1, %rd1, %in; ld.global.<v2.u32 $2|v4.u32 $4|v2.b64 $U|u64 $W|f32 $F|f64 $D>, [%rd1];",
    "and.b32 %r20, $i, 4094; cvt.u64.u32 %rd1, %r20; add.u64 %rd1, %rd1, %in; ld.<global.|>b16 $H, [%rd1];",
    "mad.wide.u32 %rd1, %gi, 8, %in; ld.global.<v2.u32 $2|u64 $W|f64 $D>, [%rd1];");

/* Addresses that lie apart in a known way: strides, backwards, the same for some lanes, of a few sizes, by coordinates, and rows
 * whose lanes that do not run are elsewhere. */
TABLE(patterns,
    "mad.wide.u32 %rd1, %ti, <2|4|8|12|16|20|64>, %in; ld.global.<u8|s8|u16|s16> $R, [%rd1+<0|2|6|30|124>];",
    "mad.wide.u32 %rd1, %ti, <4|8|12|16|20|64>, %in; ld.global.<u32 $R|f32 $F|s32 $R>, [%rd1+<0|4|12|60>];",
    "mad.wide.u32 %rd1, %ti, <8|16|24|72>, %in; ld.global.<v2.u32 $2|u64 $W|f64 $D|v2.f32 {%f0, %f1}>, [%rd1+<0|8|56>];",
    "sub.u32 %r20, 1023, %ti; mul.wide.s32 %rd1, %r20, 4; add.s64 %rd1, %in, %rd1; ld.global.<u8|s16|u32> $R, [%rd1];",
    "shr.u32 %r20, %gi, <1|2|3|4|5>; mul.wide.s32 %rd1, %r20, 16; add.s64 %rd1, %rd1, %in; ld.global.v4.u32 $4, [%rd1];",
    "and.b32 %r20, %ti, <1|3|7|15|31|6|20>; mad.wide.u32 %rd1, %r20, 8, %in; ld.global.v2.u32 $2, [%rd1+<0|8|40>];",
    "setp.ge.u32 %p0, %ti, #40; sub.s32 %r20, %ti, #40; add.s32 %r20, %r20, 40; mul.wide.s32 %rd1, %r20, 4; add.s64 %rd1, %in, %rd1; "
        "@%p0 ld.global.u32 $R, [%rd1];",
    "setp.ge.u32 %p0, %ti, <1|3|17|32|40>; mul.wide.s32 %rd1, %ti, 4; sub.s64 %rd1, %rd1, 4; add.s64 %rd1, %in, %rd1; @%p0 ld.global.u32 $R, [%rd1];",
    "shr.u32 %r20, %ti, 2; and.b32 %r21, %ti, 3; mad.wide.u32 %rd1, %r20, 34, %in; mul.wide.u32 %rd2, %r21, 8; "
        "add.s64 %rd1, %rd1, %rd2; ld.global.u16 $R, [%rd1+<0|4|8>];",
    "shr.u32 %r20, %ti, 2; and.b32 %r21, %ti, 3; mad.wide.u32 %rd1, %r20, 36, %in; mul.wide.u32 %rd2, %r21, 8; "
        "add.s64 %rd1, %rd1, %rd2; ld.global.u32 $R, [%rd1+<0|4|8>];",
    "mad.lo.u32 %r20, %ty, <16|33|40|64>, %tx; mad.lo.u32 %r20, %tz, <128|200>, %r20; and.b32 %r20, %r20, 4095; mad.wide.u32 %rd1, %r20, 4, %in; "
        "ld.global.<u32 $R|f32 $F|u16 $R|b16 $H>, [%rd1+<0|4|64>];",
    "mad.lo.u32 %r20, %tx, <16|33|64>, %ty; add.u32 %r20, %r20, %tz; and.b32 %r20, %r20, 4095; mad.wide.u32 %rd1, %r20, 4, %in; ld.global.u32 $R, [%rd1];",
    "mov.u32 %r20, %ctaid.x; mov.u32 %r21, %ntid.x; mad.lo.u32 %r20, %r20, %r21, %tx; mov.u32 %r21, %ctaid.y; mov.u32 %r22, %ntid.y; "
        "mad.lo.u32 %r21, %r21, %r22, %ty; mad.lo.u32 %r20, %r21, <32|50>, %r20; and.b32 %r20, %r20, 4095; mad.wide.u32 %rd1, %r20, 4, %in; "
        "ld.global.u32 $R, [%rd1];",
    "add.s32 %r20, $R, %ti; mul.wide.s32 %rd1, %r20, 4; cvt.s64.s32 %rd2, %r20; sub.s64 %rd1, %rd1, %rd2; mov.b64 $2, %rd1;");

TABLE(shares,
    "st.shared.<u32 [%mine], $R|f32 [%mine], $F>; ld.shared.<u32|s32> $R, [%mine];",
    "shl.b32 %r20, %ti, 2; mov.u32 %r21, own; add.u32 %r20, %r20, %r21; st.shared.u32 [%r20], $R; ld.shared.u32 $R, [%r20];",
    "shl.b32 %r20, %ti, 2; mov.u32 %r21, own; or.b32 %r20, %r20, #4; add.u32 %r20, %r20, %r21; cvt.u16.u32 %h1, $R; st.shared.u8 [%r20], %h1; "
        "ld.shared.<u8|s8> $R, [%r20];",
    "st.shared.b16 [%mine+<0|2>], $H; ld.shared.b16 $H, [%mine+<0|2>];",
    "cvt.u64.u32 %rd1, %mine; cvta.shared.u64 %rd1, %rd1; <st.u32 [%rd1], $R|ld.u32 $R, [%rd1]|st.b16 [%rd1+2], $H>;",
    "red.shared.<add.u32 [tally], $i|xor.b32 [tally+4], $i|min.s32 [tally+8], $i|max.u32 [tally+12], $i>;",
    "atom.shared.<add.u32 _, [tally], $i|xor.b32 _, [tally+4], $i|min.s32 _, [tally+8], $i|max.u32 _, [tally+12], $i>;",
    "red.shared.<add.u64 [tally+16], $W|max.s64 [tally+24], $W|or.b64 [tally+32], $W|and.b32 [tally+40], $i|min.u32 [tally+44], $i>;");

/* The first 32 bytes of the depot have constant addresses only, which a compiler may make registers of. */
TABLE(locals,
    "st.local.u32 [depot+<0|4|8|12|16|20|24|28>], $R;",
    "ld.local.u32 $R, [depot+<0|4|8|12|16|20|24|28>];",
    "ld.local.<v2.u32 $2|b64 $W|f64 $D>, [depot+<0|8|16|24>];",
    "st.local.<v2.u32 [depot+<0|8|16|24>], $2|f64 [depot+<0|8|16>], $D|f32 [depot+<0|4|8>], $F>;",
    "st.local.u8 [array+#64], $R; ld.local.u16 %h1, [array+<0|2|8|30|62>]; cvt.u32.u16 $R, %h1; st.local.b16 [array+<0|12|62>], $H;",
    "mov.u64 %rd2, array; cvta.local.u64 %rd2, %rd2; st.u32 [%rd2+<0|4|28|60>], $R; ld.u64 $W, [%rd2+<0|8|56>];",
    "and.b32 %r20, $i, 60; mov.u32 %r21, array; add.u32 %r20, %r20, %r21; <ld.local.u32 $R, [%r20]|st.local.u32 [%r20], $R>;",
    "and.b32 %r20, $i, 56; mov.u32 %r21, array; add.u32 %r20, %r20, %r21; <ld.local.b64 $W, [%r20]|st.local.b64 [%r20], $W|ld.local.v2.u32 $2, [%r20]>;");

/* Sums are by operation, 64 bytes each, so that their order does not matter; a result that is used is that of a thread's own word. */
#define SUM_ALL(op, at, value) \
    "red.global." op " [%sums+" at "+<0|8|48>], " value ";", \
    "and.b32 %r20, $i, 7; mad.wide.u32 %rd1, %r20, 8, %sums; <red.global." op "|atom." op " _,> [%rd1+" at "], " value ";"
TABLE(atomics,
    SUM_ALL("add.u32", "0", "$i"),
    SUM_ALL("and.b32", "64", "$R"),
    SUM_ALL("or.b32", "128", "$R"),
    SUM_ALL("xor.b32", "192", "$i"),
    SUM_ALL("min.s32", "256", "$R"),
    SUM_ALL("max.u32", "320", "$R"),
    SUM_ALL("add.u64", "384", "$W"),
    SUM_ALL("min.s64", "448", "$W"),
    SUM_ALL("max.u64", "512", "$W"),
    SUM_ALL("xor.b64", "576", "$W"),
    "mad.wide.u32 %rd1, %gi, 4, %own; atom.<|global.><add.u32|add.s32|and.b32|or.b32|xor.b32|min.s32|max.s32|min.u32|max.u32|inc.u32|dec.u32|exch.b32> "
        "$R, [%rd1], $i;",
    "mad.wide.u32 %rd1, %gi, 4, %own; atom<|.acq_rel.gpu|.relaxed.cta>.global.add.u32 $R, [%rd1], $i;",
    "mad.wide.u32 %rd1, %gi, 4, %own; atom.<|global.>cas.b32 $R, [%rd1], $R, $i;",
    "mad.wide.u32 %rd1, %gi, 4, %own; <red.global.add.f32|atom.global.add.f32 $F,> [%rd1], $F;",
    "mad.wide.u32 %rd1, %gi, 4, %own; <red.global.add.noftz.f16x2|atom.global.add.noftz.bf16x2 $R,> [%rd1], $R;",
    "mad.wide.u32 %rd1, %gi, 4, %own; atom.global.add.noftz.<f16|bf16> $H, [%rd1+<0|2>], $H;",
    "mad.wide.u32 %rd1, %gi, 4, %own; atom.global.cas.b16 $H, [%rd1+<0|2>], $H, $H;",
    "mad.wide.u32 %rd1, %gi, 8, %wide; atom.<|global.><add.u64|and.b64|or.b64|xor.b64|min.s64|max.s64|min.u64|max.u64|exch.b64> $W, [%rd1], $W;",
    "mad.wide.u32 %rd1, %gi, 8, %wide; atom.<|global.>cas.b64 $W, [%rd1], $W, $W;",
    "mad.wide.u32 %rd1, %gi, 8, %wide; <red.global.add.f64|atom.add.f64 $D,> [%rd1], $D;",
    "atom.shared.<add.u32|add.s32|and.b32|or.b32|xor.b32|min.s32|max.s32|min.u32|max.u32|inc.u32|dec.u32|exch.b32> $R, [%mine], $i;",
    "atom.shared.cas.b32 $R, [%mine], $R, $i;",
    "<st.global.u32 [%o], $R|mad.wide.u32 %rd1, %gi, 4, %own; ld.global.u32 $R, [%rd1]|mad.wide.u32 %rd1, %gi, 8, %wide; ld.relaxed.gpu.global.b64 $W, [%rd1]>;");

/* The number of a lane is good where the mask has it. */
#define TAKE_FROM "shr.u32 %r21, $T, %r21; and.b32 %r21, %r21, 1; setp.ne.u32 %p7, %r21, 0; selp.b32 $R, %r20, $R, %p7;"
TABLE(gatherings,
    "vote.sync.ballot.b32 $R, <|!>%p5, $T;",
    "vote.sync.<any|all|uni>.pred %p7, <|!>%p5, $T; @%p7 add.u32 $R, $R, 5;",
    "and.b32 %r20, $R, <3|1|31>; match.any.sync.b32 $R, %r20, $T;",
    "and.b32 %r20, $R, 1; match.all.sync.b32 $R|%p7, %r20, $T; @%p7 add.u32 $R, $R, 9;",
    "match.any.sync.b64 $R, $W, $T;",
    "redux.sync.<add.u32|add.s32|xor.b32|and.b32|or.b32|min.s32|max.s32|min.u32|max.u32> $R, $R, $T;",
    "shfl.sync.bfly.b32 %r20, $R, $K, 31, $T; xor.b32 %r21, %lane, $K; " TAKE_FROM,
    "shfl.sync.down.b32 %r20|%p6, $R, $K, 31, $T; add.u32 %r21, %lane, $K; min.u32 %r21, %r21, 31; selp.u32 %r21, %r21, %lane, %p6; " TAKE_FROM,
    "shfl.sync.up.b32 %r20|%p6, $R, $K, 0, $T; sub.u32 %r21, %lane, $K; selp.u32 %r21, %r21, %lane, %p6; " TAKE_FROM,
    "and.b32 %r21, $A, 31; shfl.sync.idx.b32 %r20, $R, %r21, 31, $T; " TAKE_FROM,
    "mov.b32 %r21, $T; brev.b32 %r21, %r21; clz.b32 %r21, %r21; shfl.sync.idx.b32 $R, $R, %r21, 31, $T;",
    "elect.sync $R|%p7, $T; @%p7 add.u32 $R, $R, 3;",
    "bar.warp.sync $T;");

/* A word of another thread of the block; or what the lanes of a warp leave each other in one word, in their order, where they are together. */
#define GIVE(barrier) barrier " shl.b32 %r20, %ti, 2; mov.u32 %r21, swap; add.u32 %r20, %r20, %r21; st.shared.u32 [%r20], $R; " barrier
#define GET " shl.b32 %r22, %r22, 2; add.u32 %r22, %r22, %r21; ld.shared.u32 $R, [%r22];"
#define OTHER "<xor.b32 %r22, %ti, <1|2|7|16|33>; min.u32 %r22, %r22, %last;|sub.u32 %r22, %last, %ti;|add.u32 %r22, %ti, <1|5|32>; rem.u32 %r22, %r22, %n1;>"
TABLE(meetings,
    GIVE("bar.sync 0;") OTHER GET,
    GIVE("barrier.sync 1;") OTHER GET,
    GIVE("bar.sync 0;") "mov.u32 %r22, %ntid.x; mov.u32 %r20, %ntid.y; mad.lo.u32 %r20, %tz, %r20, %ty; mad.lo.u32 %r22, %r20, %r22, %tx; sub.u32 %r22, %last, %r22;" GET,
    "bar.red.popc.u32 $R, 0, <|!>%p5; bar.red.<and|or>.pred %p7, 0, <|!>%p5; @%p7 add.u32 $R, $R, 7;",
    "bar.sync 0; ld.shared.<u32 $R, [tally+<0|4|8|12|40|44>]|b64 $W, [tally+<16|24|32>]>; bar.sync 0;",
    "bar.sync 0; setp.eq.u32 %p7, %ti, <0|%last>; @%p7 st.shared.u32 [swap], $R; bar.sync 0; ld.shared.u32 $R, [swap];",
    "shfl.sync.bfly.b32 $R, $R, #32, 31, -1;",
    "shfl.sync.<up|down>.b32 $A|%p4, $R, #32, <31|0|7192>, -1; @%p4 add.u32 $A, $A, 1;",
    "shfl.sync.idx.b32 $R, $R, #32, <31|7199>, -1;",
    "shfl.sync.<up|idx>.b32 $A|%p4, $R, $i, #32, -1; @%p4 add.u32 $A, $A, 1;",
    "redux.sync.<add.u32|min.s32|xor.b32> $R, $R, -1;",
    "vote.sync.ballot.b32 $R, %p5, -1;",
    "bar.warp.sync -1; mul.wide.u32 %rd1, %warp, 8; add.u64 %rd1, %rd1, %warps; atom.global.<add.u32|exch.b32|max.s32|inc.u32> $R, [%rd1], $i;",
    "bar.warp.sync -1; mul.wide.u32 %rd1, %warp, 8; add.u64 %rd1, %rd1, %warps; atom.global.<add.u64|exch.b64|min.s64> $W, [%rd1], $W;",
    "bar.warp.sync -1; mul.wide.u32 %rd1, %warp, 8; add.u64 %rd1, %rd1, %warps; <red.global.add.f32|atom.global.add.f32 $F,|atom.add.f32 $F,> [%rd1], $F;",
    "bar.warp.sync -1; mul.wide.u32 %rd1, %warp, 8; add.u64 %rd1, %rd1, %warps; <red.global.add.f64|atom.global.add.f64 $D,> [%rd1], $D;",
    "atom.shared.add.f32 $F, [%mine], $F; red.shared.add.f32 [%mine], $F;");

/* The first half of the warps, and what the others bring. */
TABLE(warp_meetings,
    "bar.sync 0; shl.b32 %r20, %ti, 2; mov.u32 %r21, swap; add.u32 %r20, %r20, %r21; setp.ge.u32 %p7, %ti, %half; @%p7 bra S$L; bar.sync 1, %half; "
        "st.shared.u32 [%r20], $R; bar.sync 1, %half; sub.u32 %r22, %half, 1; sub.u32 %r22, %r22, %ti;" GET " S$L: bar.sync 0;",
    "bar.sync 0; shl.b32 %r20, %ti, 2; mov.u32 %r21, swap; add.u32 %r20, %r20, %r21; setp.ge.u32 %p7, %ti, %half; @%p7 bra S$L; bar.sync 3, %n1; "
        "sub.u32 %r22, %last, %ti;" GET " bra Q$L; S$L: st.shared.u32 [%r20], $R; bar.arrive 3, %n1; Q$L: bar.sync 0;");

TABLE(full_meetings,
    "mma.sync.aligned.m16n8k32.row.col.s32.<u|s>8.<u|s>8.s32 $4, $4, $2, $4;",
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3}, $4, $2, {%f0, %f1, %f2, %f3};",
    "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, %f3}, $2, {$R}, {%f0, %f1, %f2, %f3};",
    "movmatrix.sync.aligned.m8n8.trans.b16 $R, $R;",
    GIVE("bar.sync 0;") " and.b32 %r22, %ti, 31; shl.b32 %r22, %r22, 2; and.b32 %r22, %r22, 112; add.u32 %r22, %r22, %r21; "
        "ldmatrix.sync.aligned.m8n8.x4<|.trans>.shared.b16 $4, [%r22];");

TABLE(late_meetings,
    GIVE("barrier.sync 0;") OTHER GET,
    "barrier.sync 0; ld.shared.<u32 $R, [tally+<0|4|8|12|40|44>]|b64 $W, [tally+<16|24|32>]>; barrier.sync 0;");
