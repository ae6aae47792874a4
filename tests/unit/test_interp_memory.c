/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: every width, vectors, spaces and generic addresses, asynchronous copies, atomics. */
#include "interp_fixture.h"

static void fill_in(void)
{
    for (uint32_t i = 0; i < FX_BYTES / 4; i++)
        fx_in[i] = i * 2654435761u + 0x80;
}

static uint32_t in_byte(uint32_t i)
{
    return ((const uint8_t *)fx_in)[i];
}

static void test_widths(void)
{
    fx_expect("ld.s8 extends its sign", 64, (int8_t)in_byte(t), fx_run("cvt.u64.u32 %rd0, %gi; add.u64 %rd0, %rd0, %in;"
              "ld.global.s8 %r0, [%rd0]; st.global.u32 [%o], %r0;", .block = 64));
    fx_expect("ld.u8 into 16 bits, st.u8", 32, 0xa5a5a500u | in_byte(t * 3),
              fx_run("mul.wide.u32 %rd0, %gi, 3; add.u64 %rd0, %rd0, %in; ld.global.u8 %h0, [%rd0]; st.global.u8 [%o], %h0;"));
    fx_expect("ld.s16 into 64 bits", 32, (uint32_t)((int64_t)(int16_t)(fx_in[t] & 0xffff) >> 20),
              fx_run("ld.global.s16 %rd1, [%i]; shr.s64 %rd1, %rd1, 20; cvt.u32.u64 %r0, %rd1; st.global.u32 [%o], %r0;"));
    fx_expect("ld.v4, st.v2", 64, t & 1 ? fx_in[t / 2 * 4 + 3] : fx_in[t / 2 * 4 + 1],
              fx_run("mad.wide.u32 %rd0, %gi, 16, %in; ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%rd0];"
                     "mad.wide.u32 %rd1, %gi, 8, %out; st.global.v2.u32 [%rd1], {%r1, %r3};"));
    fx_expect("ld.v2.b64 with a sink, scattered", 32, fx_in[(t * 7 % 32) * 4 + 2],
              fx_run("mul.lo.u32 %r0, %ti, 7; and.b32 %r0, %r0, 31; mad.wide.u32 %rd0, %r0, 16, %in;"
                     "ld.global.v2.b64 {_, %rd1}, [%rd0]; cvt.u32.u64 %r1, %rd1; st.global.u32 [%o], %r1;"));
    fx_expect("a vector's address in its own destination", 32, fx_in[t * 4 + 2],
              fx_run("mad.wide.u32 %rd0, %gi, 16, %in; ld.global.v2.b64 {%rd0, %rd1}, [%rd0]; cvt.u32.u64 %r1, %rd1;"
                     "st.global.u32 [%o], %r1;"));
    fx_expect("loads for some lanes only leave the others", 32, t % 5 ? t : fx_in[t],
              fx_run("rem.u32 %r1, %ti, 5; setp.eq.u32 %p0, %r1, 0; mov.u32 %r0, %ti; @%p0 ld.global.u32 %r0, [%i];"
                     "st.global.u32 [%o], %r0;"));
    fx_expect("uniform and constant addresses", 32, fx_in[5] + fx_in[0],
              fx_run("ld.global.u32 %r0, [%in+20]; ld.global.nc.u32 %r1, [%in]; add.u32 %r0, %r0, %r1; st.global.u32 [%o], %r0;"));
    fx_expect("128 bits", 32, fx_in[t * 4 + 3],
              fx_run(".reg .b128 %q; mad.wide.u32 %rd0, %gi, 16, %in; ld.global.b128 %q, [%rd0]; mov.b128 {%rd1, %rd2}, %q;"
                     "shr.u64 %rd2, %rd2, 32; cvt.u32.u64 %r0, %rd2; st.global.u32 [%o], %r0;"));
    fx_expect("module variables", 32, t < 4 ? 10 * (t + 1) : 77,
              fx_run("mov.u32 %r0, 77; setp.lt.u32 %p0, %ti, 4; mov.u64 %rd0, tab; mad.wide.u32 %rd0, %ti, 4, %rd0;"
                     "@%p0 ld.const.u32 %r0, [%rd0]; ld.global.u64 %rd1, [ptr]; ld.u32 %r1, [%rd1+4]; sub.u32 %r1, %r1, 20;"
                     "add.u32 %r0, %r0, %r1; st.global.u32 [%o], %r0;",
                     .before = ".const .align 4 .u32 tab[4] = {10, 20, 30, 40};\n.global .u64 ptr = generic(tab);\n"));
}

static void test_spaces(void)
{
    fx_expect("shared memory, generic and own addresses", 64, (63 - t) * 5,
              fx_run(".shared .align 8 .b32 sm[64]; mov.u32 %r0, sm; mad.lo.u32 %r1, %ti, 4, %r0; mul.lo.u32 %r2, %ti, 5;"
                     "st.shared.u32 [%r1], %r2; bar.sync 0; mov.u64 %rd0, sm; cvta.shared.u64 %rd1, %rd0; sub.u32 %r3, 63, %ti;"
                     "mad.wide.u32 %rd1, %r3, 4, %rd1; ld.u32 %r4, [%rd1]; st.global.u32 [%o], %r4;", .block = 64));
    fx_expect("static and dynamic shared memory", 64, t + 1 + (t ^ 1),
              fx_run(".shared .align 4 .b32 st[64]; mov.u32 %r0, st; mov.u32 %r1, dyn; mad.lo.u32 %r0, %ti, 4, %r0;"
                     "mad.lo.u32 %r1, %ti, 4, %r1; add.u32 %r2, %ti, 1; st.shared.u32 [%r0], %r2; st.shared.u32 [%r1], %ti;"
                     "bar.sync 0; ld.shared.u32 %r3, [%r0]; xor.b32 %r4, %r1, 4; ld.shared.u32 %r4, [%r4]; add.u32 %r3, %r3, %r4;"
                     "st.global.u32 [%o], %r3;",
                     .before = ".extern .shared .align 16 .b8 dyn[];\n", .block = 64, .shared = 256));
    fx_expect("local memory, indexed and generic", 32, t * 3 + (t & 3),
              fx_run(".local .align 16 .b8 depot[64]; .reg .b64 %SP, %SPL; mov.u64 %SPL, depot; cvta.local.u64 %SP, %SPL;"
                     "mul.lo.u32 %r0, %ti, 3; st.local.u32 [%SPL], %r0; add.u32 %r1, %r0, 1; st.local.u32 [depot+4], %r1;"
                     "add.u32 %r1, %r0, 2; st.u32 [%SP+8], %r1; add.u32 %r1, %r0, 3; st.local.u32 [%SPL+12], %r1;"
                     "and.b32 %r2, %ti, 3; mad.wide.u32 %rd0, %r2, 4, %SP; ld.u32 %r3, [%rd0]; st.global.u32 [%o], %r3;"));
    fx_expect("local memory of a function, passed by address", 32, t + 9,
              fx_run(".local .align 4 .b8 mine[8]; st.local.u32 [mine], %ti; mov.u64 %rd0, mine; cvta.local.u64 %rd0, %rd0;"
                     "{ .param .b64 a; .param .b32 b; st.param.b64 [a], %rd0; call (b), f, (a); ld.param.b32 %r0, [b]; }"
                     "st.global.u32 [%o], %r0;",
                     .before = ".func (.param .b32 r) f(.param .b64 a) { .local .align 4 .b8 own[16]; .reg .b64 %x, %y; .reg .b32 %v;"
                               "ld.param.b64 %x, [a]; mov.u64 %y, own; st.local.u32 [%y+4], 9; ld.local.u32 %v, [own+4];"
                               "cvta.local.u64 %y, %y; st.u32 [%y], %v; ld.u32 %v, [%x]; .reg .b32 %w; ld.local.u32 %w, [own];"
                               "add.u32 %v, %v, %w; st.param.b32 [r], %v; ret; }\n"));
    fx_expect("parameters by generic address", 32, t ? 1 : 1,
              fx_run("mov.b64 %rd0, pin; cvta.param.u64 %rd1, %rd0; ld.u64 %rd2, [%rd1]; setp.eq.u64 %p0, %rd2, %in;"
                     "ld.param.u64 %rd3, [%rd0]; setp.eq.and.u64 %p0, %rd3, %in, %p0; selp.u32 %r0, 1, 0, %p0; st.global.u32 [%o], %r0;"));
    fx_expect("isspacep", 32, 0x12 | 4,
              fx_run(".shared .b32 s; .local .b32 l; mov.u64 %rd0, s; cvta.shared.u64 %rd0, %rd0; mov.u64 %rd1, l;"
                     "cvta.local.u64 %rd1, %rd1; mov.u32 %r0, 0; isspacep.global %p0, %rd0; @%p0 or.b32 %r0, %r0, 1;"
                     "isspacep.shared %p0, %rd0; @%p0 or.b32 %r0, %r0, 2; isspacep.local %p0, %rd1; @%p0 or.b32 %r0, %r0, 4;"
                     "isspacep.shared %p0, %rd1; @%p0 or.b32 %r0, %r0, 8; isspacep.global %p0, %in; @%p0 or.b32 %r0, %r0, 16;"
                     "isspacep.local %p0, %in; @%p0 or.b32 %r0, %r0, 32; st.global.u32 [%o], %r0;"));
    fx_expect("cvta.to is the way back", 32, t,
              fx_run(".shared .b32 s[32]; mov.u64 %rd0, s; cvta.shared.u64 %rd1, %rd0; cvta.to.shared.u64 %rd2, %rd1;"
                     "mad.wide.u32 %rd2, %ti, 4, %rd2; st.shared.u32 [%rd2], %ti; ld.shared.u32 %r0, [%rd2]; st.global.u32 [%o], %r0;"));
}

static void test_copies(void)
{
    fx_expect("cp.async, whole and cut short", 128, t % 4 == 3 ? 0 : t % 4 == 2 ? fx_in[t] & 0xff : fx_in[t],
              fx_run(".shared .align 16 .b8 sm[512]; mov.u32 %r0, sm; mad.lo.u32 %r0, %ti, 16, %r0; mad.wide.u32 %rd0, %ti, 16, %in;"
                     "cp.async.ca.shared.global [%r0], [%rd0], 16, 9; cp.async.commit_group; cp.async.wait_group 0;"
                     "ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%r0]; mad.wide.u32 %rd1, %ti, 16, %out;"
                     "st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r4};"));
    fx_expect("cp.async that ignores its source", 32, t & 1 ? fx_in[t] : 0,
              fx_run(".shared .align 16 .b8 sm[512]; mov.u32 %r0, sm; mad.lo.u32 %r0, %ti, 4, %r0; and.b32 %r1, %ti, 1;"
                     "setp.eq.u32 %p0, %r1, 0; cp.async.ca.shared.global [%r0], [%i], 4, %p0; cp.async.wait_all;"
                     "ld.shared.u32 %r2, [%r0]; st.global.u32 [%o], %r2;"));
    fx_expect("a size of nothing does not touch the source", 32, 0,
              fx_run(".shared .align 16 .b8 sm[512]; mov.u32 %r0, sm; mad.lo.u32 %r0, %ti, 16, %r0; mov.u64 %rd0, 0; mov.u32 %r1, 0;"
                     "cp.async.cg.shared.global [%r0], [%rd0], 16, %r1; cp.async.wait_all; ld.shared.u32 %r2, [%r0];"
                     "st.global.u32 [%o], %r2;"));
}

/* Each thread applies one atomic to the word behind the thread's own; old value and result are what is compared. */
struct atomic_case {
    const char *op;
    uint64_t memory, b, c, want;
    unsigned bytes;
    const char *reg;
};

static void test_atomics(void)
{
    static const struct atomic_case cases[] = {
        {"add.u32", 5, 7, 0, 12, 4, "%r"}, {"add.s32", 5, (uint32_t)-7, 0, (uint32_t)-2, 4, "%r"},
        {"add.u64", 0xffffffff, 1, 0, 0x100000000, 8, "%rd"}, {"min.u32", 5, 0xfffffff0, 0, 5, 4, "%r"},
        {"min.s32", 5, 0xfffffff0, 0, 0xfffffff0, 4, "%r"}, {"max.u32", 5, 0xfffffff0, 0, 0xfffffff0, 4, "%r"},
        {"max.s32", 5, 0xfffffff0, 0, 5, 4, "%r"}, {"min.s64", 5, -3ull, 0, -3ull, 8, "%rd"},
        {"max.u64", 5, -3ull, 0, -3ull, 8, "%rd"}, {"inc.u32", 5, 5, 0, 0, 4, "%r"}, {"inc.u32", 4, 5, 0, 5, 4, "%r"},
        {"dec.u32", 0, 5, 0, 5, 4, "%r"}, {"dec.u32", 9, 5, 0, 5, 4, "%r"}, {"dec.u32", 4, 5, 0, 3, 4, "%r"},
        {"and.b32", 0xff, 0x3c, 0, 0x3c, 4, "%r"}, {"or.b32", 0xf0, 0x0f, 0, 0xff, 4, "%r"},
        {"xor.b64", 0xff, 0x0f, 0, 0xf0, 8, "%rd"}, {"exch.b32", 1, 2, 0, 2, 4, "%r"}, {"exch.b64", 1, 2, 0, 2, 8, "%rd"},
        {"cas.b32", 1, 1, 9, 9, 4, "%r"}, {"cas.b32", 1, 2, 9, 1, 4, "%r"}, {"cas.b64", 1, 1, 9, 9, 8, "%rd"},
        {"cas.b16", 0x10001, 1, 9, 0x10009, 2, "%h"}, {"add.f32", 0x3f800000, 0x40000000, 0, 0x40400000, 4, "%r"},
        {"add.f32", 0x00000001, 0x00000001, 0, 0, 4, "%r"}, /* flushed on global memory */
        {"add.f64", 0x3ff0000000000000, 0x4000000000000000, 0, 0x4008000000000000, 8, "%rd"},
        {"add.noftz.f16", 0x3c00, 0x4000, 0, 0x4200, 2, "%h"}, {"add.noftz.f16", 0x0001, 0x0001, 0, 0x0002, 2, "%h"},
        {"add.noftz.f16", 0x7bff, 0x7bff, 0, 0x7c00, 2, "%h"}, {"add.noftz.bf16", 0x3f80, 0x4000, 0, 0x4040, 2, "%h"},
        {"add.noftz.f16x2", 0x3c004000, 0x3c003c00, 0, 0x40004200, 4, "%r"},
        {"add.noftz.bf16x2", 0x3f804000, 0x3f803f80, 0, 0x40004040, 4, "%r"},
    };
    static const char *const spaces[] = {"global", "shared", ""};
    char body[2048], name[64];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int s = 0; s < 3; s++) {
            const struct atomic_case *c = &cases[i];
            uint64_t want = c->want, got, old;
            bool cas = !strncmp(c->op, "cas", 3);

            if (s == 1 && !strcmp(c->op, "add.f32") && c->memory == 1)
                want = 2; /* shared memory keeps subnormals */
            memcpy(fx_in, &c->memory, 8);
            memcpy(fx_in + 2, &c->b, 8);
            memcpy(fx_in + 4, &c->c, 8);
            snprintf(body, sizeof body,
                     ".shared .align 8 .b64 sm; setp.ne.u32 %%p0, %%ti, 0; @%%p0 exit; ld.global.u64 %%rd0, [%%in]; st.shared.u64 [sm], %%rd0;"
                     "mov.u64 %%rd9, %s; ld.global.b%u %s1, [%%in+8]; ld.global.b%u %s2, [%%in+16];"
                     "atom%s%s.%s %s3, [%%rd9], %s1%s%s; ld%s%s.u64 %%rd7, [%%rd9]; st.global.u64 [%%out], %%rd7; mov.b64 %%rd8, 0;"
                     "st.global.u64 [%%out+8], %%rd8; st.global.b%u [%%out+8], %s3;",
                     s == 1 ? "sm" : "%in", c->bytes * 8, c->reg, c->bytes * 8, c->reg, *spaces[s] ? "." : "", spaces[s], c->op,
                     c->reg, c->reg, cas ? ", " : "", cas ? (c->bytes == 8 ? "%rd2" : c->bytes == 4 ? "%r2" : "%h2") : "",
                     *spaces[s] ? "." : "", spaces[s], c->bytes * 8, c->reg);
            snprintf(name, sizeof name, "atom.%s.%s", spaces[s], c->op);
            if (!ok(fx_run(body), "%s runs", name))
                continue;
            memcpy(&got, fx_out, 8);
            memcpy(&old, fx_out + 2, 8);
            is_u64(got, want, "%s: memory", name);
            is_u64(old, c->memory & (c->bytes == 8 ? -1ull : (1ull << c->bytes * 8) - 1), "%s: old value", name);
        }
    fill_in();
    fx_expect("lanes add in order", 32, t * (t + 1) / 2,
              fx_run("setp.eq.u32 %p0, %ti, 0; mov.u32 %r1, 0; @%p0 st.global.u32 [%in], %r1; bar.warp.sync -1; add.u32 %r2, %ti, 1;"
                     "atom.global.add.u32 %r0, [%in], %r2; st.global.u32 [%o], %r0;"));
    fx_expect("red, and red on vectors", 8, t < 4 ? 0x42000000 : 32,
              fx_run("mov.u32 %r1, 0; setp.lt.u32 %p0, %ti, 8; @%p0 st.global.u32 [%o], %r1; bar.warp.sync -1; mov.f32 %f0, 0f3f800000;"
                     "red.global.add.v4.f32 [%out], {%f0, %f0, %f0, %f0}; mov.u32 %r3, 1; red.add.u32 [%out+16], %r3;"
                     "red.global.add.u32 [%out+20], %r3; red.global.add.u32 [%out+24], 1; red.relaxed.gpu.global.add.u32 [%out+28], %r3;"));
    fx_expect("128-bit exchange and compare", 4, t == 0 ? 3 : t == 2 ? 4 : 0,
              fx_run(".reg .b128 %a, %b, %c; setp.ne.u32 %p0, %ti, 0; @%p0 exit; mov.u64 %rd0, 1; mov.u64 %rd1, 2; mov.u64 %rd2, 3; mov.u64 %rd3, 4;"
                     "mov.b128 %a, {%rd0, %rd1}; mov.b128 %b, {%rd2, %rd3}; atom.global.exch.b128 %c, [%out], %a;"
                     "atom.global.cas.b128 %c, [%out], %a, %b; atom.global.cas.b128 %c, [%out], %a, %a;"));
}

/* Indices that are negative for lanes that do not use them, and for some that do. */
static void test_behind(void)
{
    static const struct { const char *name, *text; } ways[] = { /* from index %r0 to address %rd1 */
        {"mul.wide.u32", "mul.wide.u32 %rd0, %r0, 4; add.u64 %rd1, %in, %rd0;"}, {"mad.wide.u32", "mad.wide.u32 %rd1, %r0, 4, %in;"},
        {"cvt.u64.u32", "cvt.u64.u32 %rd0, %r0; shl.b64 %rd0, %rd0, 2; add.u64 %rd1, %in, %rd0;"},
        {"mul.wide.s32", "mul.wide.s32 %rd0, %r0, 4; add.u64 %rd1, %in, %rd0;"},
    };
    static const uint32_t by[] = {1, 5, 31, 32, 33, 70}, xs[] = {96, 100, 16, 8, 5};
    char body[1024], name[128];

    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
        for (size_t k = 0; k < sizeof by / sizeof *by; k++) {
            uint32_t b = by[k];

            snprintf(name, sizeof name, "%u before, %s, lanes that have none do not load", b, ways[w].name);
            snprintf(body, sizeof body, "mov.u32 %%r9, 7; setp.lt.u32 %%p0, %%ti, %u; @%%p0 bra E; add.u32 %%r0, %%ti, -%u; %s"
                     "ld.global.u32 %%r9, [%%rd1]; E: st.global.u32 [%%o], %%r9;", b, b, ways[w].text);
            fx_expect(name, 100, t < b ? 7 : fx_in[t - b], fx_run(body, .block = 100));
            snprintf(name, sizeof name, "%u before, %s, only some load", b, ways[w].name);
            snprintf(body, sizeof body, "mov.u32 %%r9, 7; setp.lt.u32 %%p0, %%ti, %u; rem.u32 %%r1, %%ti, 3; setp.eq.or.u32 %%p0, %%r1, 1, %%p0;"
                     "add.u32 %%r0, %%ti, -%u; @%%p0 bra E; %s ld.global.u32 %%r9, [%%rd1]; E: st.global.u32 [%%o], %%r9;", b, b, ways[w].text);
            fx_expect(name, 128, t < b || t % 3 == 1 ? 7 : fx_in[t - b], fx_run(body, .block = 128));
            if (strstr(ways[w].name, "s32"))
                continue;
            snprintf(name, sizeof name, "%u before, %s, 16 GiB too far where that wraps", b, ways[w].name);
            snprintf(body, sizeof body, "setp.lt.u32 %%p0, %%ti, %u; add.u32 %%r0, %%ti, -%u; %s @%%p0 sub.u64 %%rd1, %%rd1, 0x400000000;"
                     "ld.global.u32 %%r9, [%%rd1+400]; st.global.u32 [%%o], %%r9;", b, b, ways[w].text);
            fx_expect(name, 128, fx_in[100 + t - b], fx_run(body, .block = 128));
            snprintf(name, sizeof name, "%u before, %s, the same where not all lanes run", b, ways[w].name);
            snprintf(body, sizeof body, "mov.u32 %%r9, 7; rem.u32 %%r1, %%ti, 3; setp.eq.u32 %%p1, %%r1, 1; @%%p1 bra E; setp.lt.u32 %%p0, %%ti, %u;"
                     "add.u32 %%r0, %%ti, -%u; %s @%%p0 sub.u64 %%rd1, %%rd1, 0x400000000; ld.global.u32 %%r9, [%%rd1+400]; E: st.global.u32 [%%o], %%r9;",
                     b, b, ways[w].text);
            fx_expect(name, 128, t % 3 == 1 ? 7 : fx_in[100 + t - b], fx_run(body, .block = 128));
        }
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
        for (size_t k = 0; k < sizeof xs / sizeof *xs; k++) {
            uint32_t x = xs[k], y = 192 / x;

            snprintf(name, sizeof name, "left of it in rows of %u, %s", x, ways[w].name);
            snprintf(body, sizeof body, "mov.u32 %%r9, 7; mov.u32 %%r0, %%tid.x; mov.u32 %%r1, %%tid.y; mad.lo.u32 %%r2, %%r1, %%n1, %%r0;"
                     "mad.wide.u32 %%rd2, %%r2, 4, %%out; setp.eq.u32 %%p0, %%r0, 0; add.u32 %%r0, %%r0, -1; @%%p0 bra E; %s"
                     "mad.wide.u32 %%rd1, %%r1, 512, %%rd1; ld.global.u32 %%r9, [%%rd1]; E: st.global.u32 [%%rd2], %%r9;", ways[w].text);
            fx_expect(name, x * y, t % x ? fx_in[t / x * 128 + t % x - 1] : 7, fx_run(body, .block = x, .block_y = y));
        }
}

int main(void)
{
    fx_setup();
    fill_in();
    test_behind();
    test_widths();
    test_spaces();
    test_copies();
    test_atomics();
    return tap_done();
}
