/* SPDX-License-Identifier: Apache-2.0 */
/* cp.async: sizes, zero filling, groups. */
#include "own.h"

#define W(slot) ((uint32_t)IN(slot))

/* The thread's 32 bytes of shared memory at %r20, full of 0x11 bytes; its input slots at %pi. */
#define TILE \
    ".shared .align 16 .b8 tile[2048]; mov.u32 %%r20, tile; mad.lo.u32 %%r20, %%ti, 32, %%r20; mov.u64 %%d9, 0x1111111111111111;" \
    "st.shared.v2.u64 [%%r20], {%%d9, %%d9}; st.shared.v2.u64 [%%r20+16], {%%d9, %%d9};\n"
/* Read the mate's tile after the block has met. */
#define MATE \
    "bar.sync 0; xor.b32 %%r21, %%ti, 33; mov.u32 %%r22, tile; mad.lo.u32 %%r22, %%r21, 32, %%r22;" \
    "ld.shared.v2.u64 {%%o0, %%o1}, [%%r22]; ld.shared.v2.u64 {%%o2, %%o3}, [%%r22+16];"

/* What a tile holds after 'n' bytes were copied to its byte 'at', only the first 'filled' of them from the source. */
static void reference(const uint64_t *slots, uint64_t *tile, unsigned at, unsigned from, unsigned n, unsigned filled)
{
    memset((char *)tile + at, 0, n);
    memcpy((char *)tile + at, (const char *)slots + from, filled);
}

void gen_async(void)
{
    static const struct {
        const char *cache;
        unsigned n;
        const char *hint;
    } forms[] = {{"ca", 4, ""}, {"ca", 8, ""}, {"ca", 16, ""}, {"cg", 16, ""}, {"cg", 16, ".L2::128B"}, {"ca", 8, ".L2::64B"}};
    uint64_t tile[4];

    own_family("async", "");
    for (unsigned k = 0; k < sizeof forms / sizeof *forms; k++) {
        unsigned n = forms[k].n;
        char *op = own_text("cp.async.%s.shared.global%s", forms[k].cache, forms[k].hint);
        char *name = own_text("%s_%u%s", forms[k].cache, n, *forms[k].hint ? forms[k].n == 8 ? "_l2_64" : "_l2_128" : "");

        ENTRY(.name = name, .nout = 4, .body = own_text(TILE "%s [%%r20+%u], [%%pi+%u], %u; cp.async.wait_all; " MATE, op, n,
            16 - n % 16, n)) {
            memset(tile, 0x11, sizeof tile);
            reference(&IN_OF(own.i ^ 33, 0), tile, n, 16 - n % 16, n, n);
            memcpy(&OUT(0), tile, sizeof tile);
        }
        if (*forms[k].hint)
            continue;
        ENTRY(.name = own_text("%s_source_size", name), .nout = 4, /* every lane fills as much as its data says */
              .body = own_text(TILE "rem.u32 %%r0, %%w3, %u; %s [%%r20], [%%pi], %u, %%r0; cp.async.wait_all; " MATE, n + 1,
                  op, n)) {
            memset(tile, 0x11, sizeof tile);
            reference(&IN_OF(own.i ^ 33, 0), tile, 0, 0, n, (unsigned)((uint32_t)IN_OF(own.i ^ 33, 3) % (n + 1)));
            memcpy(&OUT(0), tile, sizeof tile);
        }
        for (unsigned fill = 0; fill <= n; fill += n / 2)
            ENTRY(.name = own_text("%s_first_%u", name, fill), .nout = 4,
                  .body = own_text(TILE "%s [%%r20+16], [%%pi+16], %u, %u; cp.async.commit_group; cp.async.wait_group 0;"
                                        "" MATE, op, n, fill)) {
                memset(tile, 0x11, sizeof tile);
                reference(&IN_OF(own.i ^ 33, 0), tile, 16, 16, n, fill);
                memcpy(&OUT(0), tile, sizeof tile);
            }
        ENTRY(.name = own_text("%s_ignore", name), .nout = 4, /* ignored sources read as zeros */
              .body = own_text(TILE "setp.lt.s32 %%p0, %%w3, 0; %s [%%r20], [%%pi], %u, %%p0; cp.async.wait_all; " MATE, op, n)) {
            memset(tile, 0x11, sizeof tile);
            reference(&IN_OF(own.i ^ 33, 0), tile, 0, 0, n, (int32_t)IN_OF(own.i ^ 33, 3) < 0 ? 0 : n);
            memcpy(&OUT(0), tile, sizeof tile);
        }
    }
    ENTRY(.name = "guarded", .nout = 4,
          .body = own_text(TILE "setp.lt.s32 %%p0, %%w3, 0; @%%p0 cp.async.cg.shared.global [%%r20], [%%pi], 16;"
                                "cp.async.wait_all; " MATE)) {
        memset(tile, 0x11, sizeof tile);
        if ((int32_t)IN_OF(own.i ^ 33, 3) < 0)
            reference(&IN_OF(own.i ^ 33, 0), tile, 0, 0, 16, 16);
        memcpy(&OUT(0), tile, sizeof tile);
    }
    ENTRY(.name = "pipeline", /* four stages, two in flight, as a matrix kernel does it */
          .body = own_text(".shared .align 16 .b8 tile[1024]; mov.u32 %%r20, tile; mad.lo.u32 %%r20, %%ti, 8, %%r20;"
                           "mov.u32 %%r0, 0; mov.u64 %%d0, %%pi;"
                           "cp.async.ca.shared.global [%%r20], [%%d0], 8; cp.async.commit_group;"
                           "L: add.u32 %%r0, %%r0, 1; add.u64 %%d0, %%d0, 8; and.b32 %%r1, %%r0, 1;"
                           "mad.lo.u32 %%r2, %%r1, 512, %%r20; setp.ge.u32 %%p0, %%r0, 4;"
                           "@!%%p0 cp.async.ca.shared.global [%%r2], [%%d0], 8; cp.async.commit_group; cp.async.wait_group 1;"
                           "bar.sync 0;"
                           "xor.b32 %%r3, %%ti, 33; xor.b32 %%r1, %%r1, 1; mov.u32 %%r4, tile; mad.lo.u32 %%r4, %%r1, 512, %%r4;"
                           "mad.lo.u32 %%r4, %%r3, 8, %%r4; ld.shared.u64 %%d1, [%%r4];"
                           "mad.lo.u64 %%o0, %%o0, 3, %%d1; bar.sync 0; @!%%p0 bra L;")) {
        uint64_t x = 0;

        for (unsigned k = 0; k < 4; k++)
            x = x * 3 + IN_OF(own.i ^ 33, k);
        OUT(0) = x;
    }
    ENTRY(.name = "generic_addresses", .nout = 2, /* of the state space, in 64-bit registers */
          .body = ".shared .align 16 .b8 tile[1024]; mov.u64 %d0, tile; mad.wide.u32 %d0, %ti, 16, %d0;"
                  "cvta.to.global.u64 %d1, %pi; cp.async.cg.shared.global [%d0], [%d1+16], 16; cp.async.wait_all;"
                  "ld.shared.v2.u64 {%o0, %o1}, [%d0];") {
        OUT(0) = IN(2);
        OUT(1) = IN(3);
    }
}
