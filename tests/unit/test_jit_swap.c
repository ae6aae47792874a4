/* SPDX-License-Identifier: Apache-2.0 */
/* Code that comes in the middle of a launch: blocks that begin then run it, others end as they began, and nobody can tell. */
#include "interp_fixture.h"

enum { BLOCKS = 64, BLOCK = 96 };

static unsigned begun, swap_at;

static void swap(void *k)
{
    static const uint32_t block[3] = {BLOCK, 1, 1};
    struct jit_shape shape = {.block = {BLOCK, 1, 1}, .isa = jit_isa_default()};
    struct jit_report report;
    void *image;

    if (begun++ != swap_at)
        return;
    shape.extensions = jit_extensions(shape.isa);
    image = jit_translate(k, &shape, &report);
    ok(image && jit_install(k, block, image, report.code_bytes), "code comes before block %u", swap_at);
}

/* Shared memory and a barrier: warps of a block wait for each other, in either engine. */
static const char body[] =
    ".shared .align 4 .b8 sm[4096];\n.reg .b32 %s;\n"
    "mov.u32 %r1, sm; shl.b32 %r2, %ti, 2; add.u32 %r1, %r1, %r2; st.shared.u32 [%r1], %gi;\n"
    "bar.sync 0;\nmov.u32 %r3, 95; sub.u32 %r3, %r3, %ti; shl.b32 %r3, %r3, 2; mov.u32 %r4, sm; add.u32 %r4, %r4, %r3;\n"
    "ld.shared.u32 %r5, [%r4];\nmov.u32 %r6, 0;\nL: add.u32 %r5, %r5, 3; add.u32 %r6, %r6, 1; setp.lt.u32 %p1, %r6, %ti; @%p1 bra L;\n"
    "st.global.u32 [%o], %r5;";

static uint32_t want(uint32_t t)
{
    uint32_t i = t % BLOCK;

    return t / BLOCK * BLOCK + (BLOCK - 1 - i) + 3 * (i ? i : 1);
}

/* One that waits for another block to be there: several are resident, of both engines. */
static const char waits[] =
    "atom.global.add.u32 %r1, [%in], 1;\nW: ld.volatile.global.u32 %r2, [%in]; setp.lt.u32 %p1, %r2, 6144; @%p1 bra W;\n"
    "add.u32 %r3, %gi, 7; st.global.u32 [%o], %r3;";

int main(void)
{
    fx.pool = vg_pool_new(2);
    for (swap_at = 0; swap_at < 5; swap_at += 2) {
        begun = 0;
        fx_expect("a kernel with barriers", BLOCKS * BLOCK, want(t), fx_run(body, .grid = BLOCKS, .block = BLOCK, .between = swap));
    }
    begun = 0;
    swap_at = 3;
    fx_setup();
    fx_in[0] = 0;
    fx_expect("blocks that wait for each other", BLOCKS * BLOCK, t + 7, fx_run(waits, .grid = BLOCKS, .block = BLOCK, .between = swap));
    begun = 0;
    swap_at = 10;
    fx_in[0] = 0;
    fx_expect("the same, all resident", BLOCKS * BLOCK, t + 7, fx_run(waits, .grid = BLOCKS, .block = BLOCK, .cooperative = true, .between = swap));
    vg_pool_free(fx.pool);
    return tap_done();
}
