/* SPDX-License-Identifier: Apache-2.0 */
/* Launches that write so much that compiled code stores past the caches: what lies in memory afterwards, and what a thread and its
 * block see of it before. */
#include "interp_fixture.h"

enum { BYTES = 2 * FX_BYTES, WORDS = BYTES / 4 }; /* of both buffers, one behind the other */

static uint32_t want[WORDS];

static bool same(const char *body, uint32_t block, uint32_t bytes)
{
    uint32_t grid = BYTES / bytes / block;
    bool good[2];

    for (int compiled = 0; compiled < 2; compiled++) {
        fx_interprets = !compiled;
        fx_report.why[0] = 0;
        for (uint32_t k = 0; k < WORDS; k++)
            fx_out[k] = k;
        good[compiled] = fx_run(body, .block = block, .grid = grid, .keep_out = true);
        if (!compiled)
            memcpy(want, fx_out, BYTES);
    }
    return good[0] && good[1] && !fx_report.why[0] && !memcmp(want, fx_out, BYTES);
}

#define AT(bytes) "mad.wide.u32 %rd0, %gi, " bytes ", %out;"
static const struct {
    const char *name, *body;
    uint32_t block, bytes; /* of a thread */
} rows[] = {
    {"words", "mul.lo.u32 %r0, %gi, 3; st.global.u32 [%o], %r0;", 256, 4},
    {"halves", AT("2") "cvt.u16.u32 %h0, %gi; st.global.u16 [%rd0], %h0;", 256, 2},
    {"pairs", AT("8") "not.b32 %r0, %gi; st.global.v2.u32 [%rd0], {%gi, %r0};", 128, 8},
    {"fours", AT("16") "not.b32 %r0, %gi; st.global.v4.u32 [%rd0], {%gi, %r0, %ti, %n0};", 64, 16},
    {"double words", AT("8") "mul.wide.u32 %rd1, %gi, %gi; st.global.u64 [%rd0], %rd1;", 96, 8},
    {"rows that begin anywhere", "setp.lt.u32 %p0, %gi, 2000000; add.u64 %rd0, %o, 20; mul.lo.u32 %r0, %gi, 3; @%p0 st.global.u32 [%rd0], %r0;", 256, 4},
    {"blocks that are no whole warps", "mul.lo.u32 %r0, %gi, 5; st.global.u32 [%o], %r0;", 40, 4},
    {"what a thread has stored itself", "mul.lo.u32 %r0, %gi, 7; st.global.u32 [%o], %r0; ld.global.u32 %r1, [%o]; xor.b32 %r1, %r1, %gi; st.global.u32 [%o], %r1;", 256, 4},
    {"what the block has stored", "mul.lo.u32 %r0, %gi, 7; st.global.u32 [%o], %r0; bar.sync 0; shl.b32 %r1, %ti, 3; sub.u32 %r1, 1020, %r1; cvt.s64.s32 %rd0, %r1;"
     "add.u64 %rd0, %rd0, %o; ld.global.u32 %r2, [%rd0]; bar.sync 0; st.global.u32 [%o], %r2;", 256, 4},
    {"in place", "ld.global.u32 %r0, [%o]; mad.lo.u32 %r0, %r0, 3, 1; st.global.u32 [%o], %r0;", 256, 4},
    {"with atomics", "mul.lo.u32 %r0, %gi, 3; st.global.u32 [%o], %r0; membar.gl; red.global.add.u32 [%o], 1;", 256, 4},
};

int main(void)
{
    fx_setup();
    for (int pool = 0; pool < 2; pool++) {
        fx.pool = pool ? vg_pool_new(2) : NULL;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            ok(same(rows[i].body, rows[i].block, rows[i].bytes), "%s, %s", rows[i].name, pool ? "two workers" : "one worker");
        vg_pool_free(fx.pool);
    }
    return tap_done();
}
