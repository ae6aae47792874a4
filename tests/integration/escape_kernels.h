/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that try to get out, a row each. Every one is the entry k(p, q): %d0 is the address under attack, %d1 a buffer of 4096
 * bytes, %r0 the thread; sm is 256 bytes of shared memory, lo 64 of local memory. */
#ifndef VGPU_TESTS_ESCAPE_KERNELS_H
#define VGPU_TESTS_ESCAPE_KERNELS_H

/* Where p points. HOST_...: into the executor itself. */
enum place {
    BUFFER, NOWHERE, NEAR_NULL, BELOW_WINDOW, WINDOW_START, WINDOW_END, ABOVE_WINDOW, UNGRANTED, FREED, LAST_BYTES, NEGATIVE_HALF,
    NOT_CANONICAL, FUNCTIONS, SCRATCH, IMAGES_END, BUFFER_END,
    HOST_STACK, HOST_HEAP, HOST_CODE, HOST_VDSO, HOST_LIBRARY, HOST_CHANNEL,
};

struct escape {
    const char *name, *body;
    enum place at;
    int status;        /* of the launch, or REFUSED + the load's */
    unsigned threads;  /* 0: 1 */
    const char *module; /* text before the entry */
};
#define REFUSED 1000

#define STORE "st.global.u32 [%d0], %r0;"
#define LOAD "ld.u32 %r1, [%d0]; st.global.u32 [%d1], %r1;"
#define PRINTF ".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);\n" \
    ".global .align 8 .b8 fmt[32] = {37, 115, 37, 110, 37, 42, 100, 37, 57, 57, 57, 57, 57, 57, 100, 37, 115, 37, 108, 108, 110, 0};\n"
#define CALL_PRINTF(format, arguments) \
    "{ .param .b64 a0, a1; .param .b32 r; st.param.b64 [a0], " format "; st.param.b64 [a1], " arguments "; call (r), vprintf, (a0, a1); }"
#define HEAP ".extern .func (.param .b64 r) malloc(.param .b64 n);\n.extern .func free(.param .b64 p);\n"
#define CALL_MALLOC(n) "{ .param .b64 a; .param .b64 r; st.param.b64 [a], " n "; call (r), malloc, (a); ld.param.b64 %d2, [r]; }"
#define CALL_FREE(p) "{ .param .b64 a; st.param.b64 [a], " p "; call free, (a); }"

static const struct escape escapes[] = {
    /* Addresses. */
    {"a store through the null pointer", STORE, NOWHERE, 700},
    {"a load beside it", LOAD, NEAR_NULL, 700},
    {"a store just below the window", STORE, BELOW_WINDOW, 700},
    {"a load that begins below the window", "ld.global.u64 %d2, [%d0]; st.global.u64 [%d1], %d2;", BELOW_WINDOW, 700},
    {"a store at the window's start", STORE, WINDOW_START, 700},
    {"a store at the window's end", STORE, WINDOW_END, 700},
    {"a store above the window", STORE, ABOVE_WINDOW, 700},
    {"a store to memory that was never granted", STORE, UNGRANTED, 700},
    {"a load from it", LOAD, UNGRANTED, 700},
    {"a store to freed memory", STORE, FREED, 700},
    {"a load from freed memory", LOAD, FREED, 700},
    {"a store to the last bytes of all", STORE, LAST_BYTES, 700},
    {"a store to the kernel's half", STORE, NEGATIVE_HALF, 700},
    {"a store to an address that is none", STORE, NOT_CANONICAL, 700},
    {"a load from an address that is none", LOAD, NOT_CANONICAL, 700},
    {"an address plus an offset that wraps round", "st.global.u32 [%d0+64], %r0;", LAST_BYTES, 700},
    {"a sum that wraps round into host memory", "add.u64 %d2, %d1, %d0; sub.u64 %d2, %d2, %d1; st.u32 [%d2+8], %r0;", HOST_STACK, 700},
    {"a large negative offset", "st.global.u32 [%d0+-2147483648], %r0;", WINDOW_START, 700},
    {"a negative offset from the first byte", "st.global.u32 [%d0+-4194304], %r0;", BUFFER, 700},
    {"a store to a function's address", STORE, FUNCTIONS, 700},
    {"a load of a function's code", "mov.u64 %d2, f; ld.u64 %d2, [%d2]; st.global.u64 [%d1], %d2;", BUFFER, 700, 0, ".func f() { ret; }\n"},
    {"a store far behind the modules' images", STORE, IMAGES_END, 700},
    {"the host's stack", STORE, HOST_STACK, 700},
    {"the host's heap", STORE, HOST_HEAP, 700},
    {"the host's code", STORE, HOST_CODE, 700},
    {"reading the host's code", LOAD, HOST_CODE, 700},
    {"reading the host's stack, a byte", "ld.u8 %h0, [%d0]; st.u8 [%d1], %h0;", HOST_STACK, 700},
    {"one lane of 32 on host memory", "setp.eq.u32 %p0, %r0, 21; selp.b64 %d2, %d0, %d1, %p0; st.u32 [%d2], %r0;", HOST_STACK, 700, 32},
    {"the host's kernel page", LOAD, HOST_VDSO, 700},
    {"the C library's data", STORE, HOST_LIBRARY, 700},
    {"the executor's own ring", STORE, HOST_CHANNEL, 700},
    {"all lanes on host memory", STORE, HOST_LIBRARY, 700, 32},
    {"all lanes in a row on host memory", "mul.wide.u32 %d2, %r0, 4; add.u64 %d2, %d0, %d2; ld.u32 %r1, [%d2]; st.global.u32 [%d1], %r1;", HOST_STACK, 700, 64},
    {"a diverged lane on host memory", "setp.ne.u32 %p0, %r0, 31; @%p0 bra E; st.u32 [%d0], %r0; E:", HOST_HEAP, 700, 64},
    {"addresses in a row that walk out of the window", "mul.wide.u32 %d2, %r0, 4; add.u64 %d2, %d0, %d2; st.global.u32 [%d2+-64], %r0;", WINDOW_END, 700, 32},
    {"a loop that walks out of the buffer", "L: st.global.u32 [%d1], %r0; add.u64 %d1, %d1, 65536; bra L;", BUFFER, 700},
    {"a uniform 32-bit address", "cvt.u32.u64 %r1, %d0; cvt.u64.u32 %d2, %r1; st.global.u32 [%d2], %r0;", HOST_HEAP, 700},
    /* Widths, whole and across an end. */
    {"16 bits", "st.global.u16 [%d0], %h0;", HOST_STACK, 700},
    {"a byte just below the window", "st.global.u8 [%d0+3], %h0;", BELOW_WINDOW, 700},
    {"a byte just above it", "ld.global.u8 %h0, [%d0]; st.global.u8 [%d1], %h0;", WINDOW_END, 700},
    {"eight bytes of one each", "ld.global.v4.u8 {%h0, %h1, %h2, %h3}, [%d0]; st.global.u8 [%d1], %h0;", HOST_HEAP, 700},
    {"64 bits through the read-only cache", "ld.global.nc.u64 %d2, [%d0]; st.global.u64 [%d1], %d2;", HOST_LIBRARY, 700},
    {"a volatile store", "st.volatile.global.u32 [%d0], %r0;", HOST_LIBRARY, 700},
    {"an acquiring load", "ld.acquire.sys.global.u32 %r1, [%d0]; st.global.u32 [%d1], %r1;", HOST_CHANNEL, 700},
    {"a releasing store", "st.release.sys.global.u64 [%d0], %d1;", HOST_CHANNEL, 700},
    {"64 bits", "st.global.u64 [%d0], %d0;", HOST_STACK, 700},
    {"two of 32 bits", "st.global.v2.u32 [%d0], {%r0, %r0};", HOST_STACK, 700},
    {"four of 32 bits", "st.global.v4.u32 [%d0], {%r0, %r0, %r0, %r0};", HOST_HEAP, 700},
    {"two of 64 bits", "ld.global.v2.u64 {%d2, %d3}, [%d0]; st.u64 [%d1], %d2;", HOST_HEAP, 700},
    {"a vector across the window's end", "st.global.v4.u32 [%d0+-8], {%r0, %r0, %r0, %r0};", WINDOW_END, 700},
    {"a vector that is not aligned", "st.global.v4.u32 [%d1+4], {%r0, %r0, %r0, %r0};", BUFFER, 716},
    {"a vector across the end of what is mapped", "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d0+-8]; st.u32 [%d1], %r1;", BUFFER_END, 716},
    {"a prefetch of anything", "prefetch.global.L2 [%d0]; st.global.u32 [%d1], %r0;", HOST_STACK, 0},
    {"a cache line of host memory discarded", "discard.global.L2 [%d0], 128; st.global.u32 [%d1], %r0;", HOST_HEAP, 0},
    /* Shared memory. */
    {"shared memory, beyond its end", "mov.u32 %r1, sm; st.shared.u32 [%r1+256], %r1;", BUFFER, 700},
    {"shared memory, far beyond", "mov.u32 %r1, 0x7ffffff0; st.shared.u32 [%r1], %r1; st.shared.u32 [sm], %r1;", BUFFER, 700},
    {"shared memory, below", "mov.u32 %r1, sm; st.shared.u32 [%r1+-4], %r1;", BUFFER, 700},
    {"shared memory, by a 64-bit offset", "mov.u64 %d2, 0x100000000; st.shared.u32 [%d2], %r0; st.shared.u32 [sm], %r0;", BUFFER, 700},
    {"shared memory, a vector across its end", "mov.u32 %r1, sm; ld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%r1+248]; st.global.u32 [%d1], %r2;", BUFFER, 700},
    {"shared memory, generic, of the next block", "mov.u64 %d2, sm; cvta.shared.u64 %d2, %d2; add.u64 %d2, %d2, 0x10000000; st.u32 [%d2], %r0; st.shared.u32 [sm], %r0;", BUFFER, 700},
    {"another block's scratch memory", STORE, SCRATCH, 700},
    {"host memory made shared by cvta.to", "cvta.to.shared.u64 %d2, %d0; st.shared.u32 [%d2], %r0; st.shared.u32 [sm], %r0;", HOST_STACK, 700},
    {"an atomic beyond shared memory", "mov.u32 %r1, sm; atom.shared.add.u32 %r2, [%r1+65536], 1;", BUFFER, 700},
    {"compare and swap below shared memory", "mov.u32 %r1, sm; atom.shared.cas.b32 %r2, [%r1+-4], 0, 1;", BUFFER, 700},
    {"a reduction beyond shared memory", "mov.u32 %r1, sm; red.shared.add.u32 [%r1+256], 1;", BUFFER, 700, 32},
    {"a byte beyond shared memory", "mov.u32 %r1, sm; st.shared.u8 [%r1+256], %h0;", BUFFER, 700},
    {"shared memory, one lane beyond", "mov.u32 %r1, sm; setp.eq.u32 %p0, %r0, 30; selp.u32 %r2, 65536, 0, %p0; add.u32 %r1, %r1, %r2; st.shared.u32 [%r1], %r0;", BUFFER, 700, 32},
    {"shared memory, lanes that walk out", "mov.u32 %r1, sm; shl.b32 %r2, %r0, 2; add.u32 %r1, %r1, %r2; st.shared.u32 [%r1], %r0;", BUFFER, 700, 96},
    {"the cluster's shared memory, beyond", "mov.u32 %r1, sm; ld.shared::cluster.u32 %r2, [%r1+1048576]; st.global.u32 [%d1], %r2;", BUFFER, 700},
    {"a block of the cluster that there is not", "mov.u32 %r1, sm; mapa.shared::cluster.u32 %r2, %r1, 7; ld.shared::cluster.u32 %r3, [%r2]; st.global.u32 [%d1], %r3;", BUFFER, 0},
    /* Local memory, parameters, constants. */
    {"local memory, beyond its end", "mov.u64 %d2, lo; st.local.u32 [%d2+1048576], %r0;", BUFFER, 700},
    {"local memory, below", "mov.u64 %d2, lo; st.local.u32 [%d2+-4], %r0;", BUFFER, 700},
    {"local memory, another lane's", "mov.u64 %d2, lo; st.local.u32 [%d2+0x7ffffff0], %r0;", BUFFER, 700, 32},
    {"local memory, by an index from outside", "mov.u64 %d2, lo; add.u64 %d2, %d2, %d0; st.local.u64 [%d2], %d0;", HOST_STACK, 700},
    {"local memory, generic, of everybody", "mov.u64 %d2, lo; cvta.local.u64 %d2, %d2; add.u64 %d2, %d2, 0x40000000; st.u32 [%d2], %r0;", BUFFER, 700},
    {"parameters, beyond their end", "mov.b64 %d2, p; ld.param.u64 %d3, [%d2+4096]; st.u64 [%d1], %d3;", BUFFER, 700},
    {"constants, beyond their end", "ld.const.u32 %r1, [c+1048576]; st.global.u32 [%d1], %r1;", BUFFER, 700, 0, ".const .align 4 .b32 c[4];\n"},
    {"constants, at host memory", "ld.const.u32 %r1, [%d0]; st.global.u32 [%d1], %r1;", HOST_STACK, 700},
    {"a variable, by an index from outside", "mov.u64 %d2, g; add.u64 %d2, %d2, %d0; st.global.u32 [%d2], %r0;", HOST_STACK, 700, 0, ".global .align 4 .b32 g[4];\n"},
    /* Atomics. */
    {"an atomic on host memory", "atom.global.add.u32 %r1, [%d0], 1;", HOST_STACK, 700},
    {"compare and swap on host memory", "atom.cas.b64 %d2, [%d0], %d0, %d1;", HOST_HEAP, 700},
    {"exchange on the null pointer", "atom.exch.b32 %r1, [%d0], 1;", NOWHERE, 700},
    {"an atomic of 16 bits on host memory", "atom.global.cas.b16 %h1, [%d0], %h0, %h0;", HOST_LIBRARY, 700},
    {"the largest of 64 bits, on host memory", "atom.global.max.u64 %d2, [%d0], %d1;", HOST_CHANNEL, 700},
    {"an atomic just above the window", "atom.global.inc.u32 %r1, [%d0], 5;", WINDOW_END, 700},
    {"a reduction on host memory", "red.global.or.b32 [%d0], 1;", HOST_CODE, 700},
    {"a float reduction, one lane outside", "mov.f32 %f0, 0f3F800000; setp.eq.u32 %p0, %r0, 3; selp.b64 %d2, %d0, %d1, %p0; red.add.f32 [%d2], %f0;", HOST_STACK, 700, 32},
    {"an atomic that is not aligned", "atom.global.add.u64 %d2, [%d1+4], 1;", BUFFER, 716},
    /* Whole-warp memory operations. */
    {"cp.async from host memory", "cp.async.ca.shared.global [sm], [%d0], 16; cp.async.wait_all;", HOST_STACK, 700},
    {"cp.async beyond shared memory", "mov.u32 %r1, sm; cp.async.ca.shared.global [%r1+4096], [%d1], 16; cp.async.wait_all;", BUFFER, 700},
    {"cp.async with a size from outside", "mov.u32 %r1, 0xffffffff; mov.u32 %r2, sm; cp.async.ca.shared.global [%r2], [%d1], 16, %r1; cp.async.wait_all;", BUFFER, 0},
    {"ldmatrix, rows beyond shared memory", "mov.u32 %r1, sm; shl.b32 %r2, %r0, 20; add.u32 %r1, %r1, %r2; ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r3, %r4, %r5, %r6}, [%r1];", BUFFER, 700, 32},
    {"stmatrix, rows beyond shared memory", "mov.u32 %r1, sm; shl.b32 %r2, %r0, 20; add.u32 %r1, %r1, %r2; stmatrix.sync.aligned.m8n8.x4.shared.b16 [%r1], {%r0, %r0, %r0, %r0};", BUFFER, 700, 32},
    {"wmma.load from host memory", "wmma.load.c.sync.aligned.row.m16n16k16.global.f32 {%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f7}, [%d0];", HOST_HEAP, 700, 32},
    {"wmma.store with a stride that leads out", "mov.u32 %r1, 0x7fffffff; wmma.store.d.sync.aligned.row.m16n16k16.global.f32 [%d1], {%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f7}, %r1;", BUFFER, 700, 32},
    {"a bulk copy with a size from outside", "cp.async.bulk.prefetch.L2.global [%d0], 0x7ffffff0;", BUFFER, REFUSED + 801},
    /* Stacks. */
    {"alloca of more than there is", "mov.u64 %d2, 0x7fffffff0; alloca.u64 %d3, %d2; st.local.u32 [%d3], %r0;", BUFFER, 714},
    {"alloca without an end", "L: mov.u64 %d2, 65536; alloca.u64 %d3, %d2; st.local.u32 [%d3], %r0; bra L;", BUFFER, 714},
    {"restoring a stack that never was", "cvt.u64.u32 %d2, %r0; stackrestore.u64 %d0;", HOST_STACK, 0},
    {"recursion without an end", "call f, ();", BUFFER, 714, 0, ".func f() { .local .align 4 .b8 l[128]; .reg .b32 %r; st.local.u32 [l], %r; call f, (); ld.local.u32 %r, [l]; ret; }\n"},
    {"mutual recursion in all lanes", "call f, ();", BUFFER, 714, 96, ".func g();\n.func f() { .local .align 4 .b8 l[1024]; .reg .b32 %r; st.local.u32 [l], %r; call g, (); ld.local.u32 %r, [l]; ret; }\n.func g() { call f, (); ret; }\n"},
    /* Control flow. */
    {"a call to host code", "P: .callprototype _ (); call %d0, P;", HOST_CODE, 718},
    {"a call to the null pointer", "P: .callprototype _ (); call %d0, P;", NOWHERE, 718},
    {"a call into the middle of a function", "mov.u64 %d2, f; add.u64 %d2, %d2, 1; P: .callprototype _ (); call %d2, P;", BUFFER, 718, 0, ".func f() { ret; }\n"},
    {"a call with another prototype", "mov.u64 %d2, f; P: .callprototype _ (); call %d2, P;", BUFFER, 700, 0, ".func f(.param .b8 a[256]) { .reg .b64 %x; ld.param.u64 %x, [a+248]; st.u64 [%x], %x; ret; }\n"},
    {"a jump out of a table", "T: .branchtargets A, B; mov.u32 %r1, 0x7fffffff; brx.idx %r1, T; A: st.global.u32 [%d1], %r0; B:", BUFFER, 718},
    {"a barrier that there is not", "mov.u32 %r1, 4096; bar.sync %r1;", BUFFER, 715},
    {"a barrier of more threads than there are", "bar.sync 0, 1024;", BUFFER, 719, 32},
    {"a barrier of a count from outside", "mov.u32 %r1, 0xffffffe0; bar.sync 0, %r1;", BUFFER, 719, 32},
    {"shuffles from lanes that there are not", "mov.u32 %r1, 0xffffffff; shfl.sync.idx.b32 %r2, %r0, %r1, 0xffffffff, 0xffffffff; st.global.u32 [%d1], %r2;", BUFFER, 0, 32},
    {"an endless loop", "L: bra L;", BUFFER, 702, 64},
    {"a loop of 2 to the 64", "mov.u64 %d2, 0; L: add.u64 %d2, %d2, 1; setp.ne.u64 %p0, %d2, 0; @%p0 bra L; st.global.u64 [%d1], %d2;", BUFFER, 702, 32},
    {"waiting for what never comes", "L: ld.volatile.global.u32 %r1, [%d1]; setp.ne.u32 %p0, %r1, 77; @%p0 bra L;", BUFFER, 702},
    {"sleeping for ever", "L: nanosleep.u32 1000000; bra L;", BUFFER, 702},
    {"a trap", "trap;", BUFFER, 719},
    /* printf, malloc, free. */
    {"printf with a wild format", CALL_PRINTF("%d0", "%d1"), HOST_CODE, 700, 0, PRINTF},
    {"printf of wild strings, %n, widths without an end", "st.global.u64 [%d1], %d0; mov.u64 %d2, fmt; cvta.global.u64 %d2, %d2;" CALL_PRINTF("%d2", "%d1"), HOST_STACK, 700, 0, PRINTF},
    {"printf with arguments nowhere", "mov.u64 %d2, fmt; cvta.global.u64 %d2, %d2;" CALL_PRINTF("%d2", "%d0"), HOST_HEAP, 700, 0, PRINTF},
    {"malloc of everything", "mov.u64 %d2, -1;" CALL_MALLOC("%d2") "st.global.u64 [%d1], %d2;", BUFFER, 0, 0, HEAP},
    {"malloc without an end", "mov.u32 %r1, 0; L: mov.u64 %d2, 65536;" CALL_MALLOC("%d2") "add.u32 %r1, %r1, 1; setp.lt.u32 %p0, %r1, 1000; @%p0 bra L; st.global.u64 [%d1], %d2;", BUFFER, 0, 0, HEAP},
    {"beyond what malloc gave", "mov.u64 %d2, 64;" CALL_MALLOC("%d2") "add.u64 %d2, %d2, 0x20000000; st.u32 [%d2], %r0;", BUFFER, 700, 0, HEAP},
    {"free of host memory", CALL_FREE("%d0"), HOST_HEAP, 719, 0, HEAP},
    {"free of the same twice", "mov.u64 %d2, 64;" CALL_MALLOC("%d2") CALL_FREE("%d2") CALL_FREE("%d2"), BUFFER, 719, 0, HEAP},
    {"free of the middle of an allocation", "mov.u64 %d2, 64;" CALL_MALLOC("%d2") "add.u64 %d2, %d2, 8;" CALL_FREE("%d2"), BUFFER, 719, 0, HEAP},
    /* Arithmetic that stops other processors. */
    {"division by zero, in all widths", "mov.u32 %r1, 0; mov.u64 %d2, 0; mov.u16 %h1, 0; div.u32 %r2, %r0, %r1; rem.s32 %r3, %r0, %r1; div.s64 %d3, %d1, %d2; rem.u64 %d4, %d1, %d2; div.s16 %h2, %h0, %h1; rem.u16 %h3, %h0, %h1; add.u32 %r2, %r2, %r3; st.global.u32 [%d1], %r2; st.global.u64 [%d1+8], %d3; st.global.u64 [%d1+16], %d4; st.global.u16 [%d1+24], %h2; st.global.u16 [%d1+26], %h3;", BUFFER, 0, 32},
    {"division by zero, by parameters", "cvt.u32.u64 %r1, %d0; shr.u32 %r1, %r1, 31; shr.u32 %r1, %r1, 1; div.u32 %r2, %r0, %r1; div.s32 %r3, %r0, %r1; st.global.u32 [%d1], %r2; st.global.u32 [%d1+4], %r3;", BUFFER, 0, 32},
    {"the smallest number by minus one, in all widths", "mov.u32 %r1, 0x80000000; mov.u32 %r2, -1; mov.u64 %d2, 0x8000000000000000; mov.u64 %d3, -1; mov.u16 %h0, -32768; mov.u16 %h1, -1; div.s32 %r3, %r1, %r2; rem.s32 %r4, %r1, %r2; div.s64 %d4, %d2, %d3; rem.s64 %d5, %d2, %d3; div.s16 %h2, %h0, %h1; rem.s16 %h3, %h0, %h1; st.global.u32 [%d1], %r3; st.global.u32 [%d1+4], %r4; st.global.u64 [%d1+8], %d4; st.global.u64 [%d1+16], %d5; st.global.u16 [%d1+24], %h2; st.global.u16 [%d1+26], %h3;", BUFFER, 0, 32},
    {"floats that no integer holds", "mov.f32 %f0, 0f7F800000; mov.f32 %f1, 0f7FC00000; cvt.rzi.s32.f32 %r1, %f0; cvt.rni.u64.f32 %d2, %f1; cvt.rzi.s16.f32 %h0, %f0; st.global.u32 [%d1], %r1; st.global.u64 [%d1+8], %d2; st.global.u16 [%d1+16], %h0;", BUFFER, 0, 32},
    {"shifts by more than the width", "mov.u32 %r1, 0xffffffff; shl.b32 %r2, %r1, %r1; shr.s64 %d2, %d1, %r1; bfe.u32 %r3, %r1, %r1, %r1; bfi.b32 %r4, %r1, %r1, %r1, %r1; st.global.u32 [%d1], %r2; st.global.u64 [%d1+8], %d2; st.global.u32 [%d1+16], %r3; st.global.u32 [%d1+20], %r4;", BUFFER, 0, 32},
};

#endif
