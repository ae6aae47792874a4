/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels damaged at random: whatever still parses is run. Nothing may crash, and the engine must serve the next launch. */
#include <signal.h>
#include <sys/time.h>

#include "interp_fixture.h"

static const char *const bodies[] = {
    "mov.u32 %r0, %gi; mov.u32 %r1, 0; L: setp.le.u32 %p0, %r0, 1; @%p0 bra E; and.b32 %r2, %r0, 1; setp.eq.u32 %p1, %r2, 0;"
    "@%p1 bra H; mad.lo.u32 %r0, %r0, 3, 1; bra N; H: shr.u32 %r0, %r0, 1; N: add.u32 %r1, %r1, 1; bra L; E: st.global.u32 [%o], %r1;",
    ".shared .align 16 .b8 sm[512]; mov.u32 %r0, sm; mad.lo.u32 %r1, %ti, 4, %r0; st.shared.u32 [%r1], %ti; bar.sync 0;"
    "xor.b32 %r2, %ti, 5; mad.lo.u32 %r1, %r2, 4, %r0; ld.shared.u32 %r3, [%r1]; bar.red.popc.u32 %r4, 1, %p0;"
    "atom.shared.add.u32 %r5, [%r1], 7; cp.async.ca.shared.global [%r1], [%i], 4; st.global.u32 [%o], %r3;",
    ".local .align 16 .b8 d[64]; mov.u64 %rd0, d; cvta.local.u64 %rd1, %rd0; st.local.u32 [%rd0+4], %ti; ld.u32 %r0, [%rd1+4];"
    "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%in+16]; st.u8 [%o], %h0; ld.global.s8 %rd3, [%in+3]; red.global.max.s32 [%o], %r1;",
    "shfl.sync.bfly.b32 %r0|%p0, %ti, 1, 31, -1; vote.sync.ballot.b32 %r1, %p0, -1; match.any.sync.b32 %r2, %ti, -1;"
    "setp.lt.u32 %p1, %ti, 9; @%p1 bra A; redux.sync.add.u32 %r3, %ti, 0xfffffe00; bra E; A: bar.warp.sync 0x1ff;"
    "activemask.b32 %r4; E: bar.warp.sync -1; st.global.u32 [%o], %r2;",
    "and.b32 %r1, %ti, 3; T: .branchtargets A, B, C; brx.idx %r1, T; A: mov.u32 %r0, 1; B: call f, (%r0, %ti); C: exit;",
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%f0, %f1, %f2, %f3};"
    ".shared .align 16 .b8 sm[512]; mov.u32 %r7, sm; mad.lo.u32 %r7, %ti, 16, %r7;"
    "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r0, %r1, %r2, %r3}, [%r7]; dp4a.s32.s32 %r0, %r1, %r2, %r3; mov.b64 {%r1, %r2}, %rd0;",
    "mma.sp.sync.aligned.m16n8k64.row.col.s32.s8.u8.s32 {%r0, %r1, %r2, %r3}, {%r0, %r1, %ti, %r3}, {%r4, %r5, %gi, %r7},"
    "{%r0, %r1, %r2, %r3}, %r4, 0; mul.lo.u32 %r4, %ti, 0x9e3779b9;"
    "mma.sp.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3}, {%r0, %r1}, {%r2, %r3}, {%f0, %f1, %f2, %f3}, %r4, 3;",
    ".local .align 8 .b8 a[16]; mov.u64 %rd0, fmt; mov.u64 %rd1, a; cvta.local.u64 %rd1, %rd1; st.u32 [%rd1], 5;"
    "{ .param .b64 p; .param .b64 q; .param .b32 r; st.param.b64 [p], %rd0; st.param.b64 [q], %rd1; call (r), vprintf, (p, q); }",
};
static const char module[] =
    ".extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);\n"
    ".global .align 1 .b8 fmt[] = {37, 100, 32, 37, 115, 37, 42, 102, 10, 0};\n"
    ".func f(.reg .b32 a, .reg .b32 b) { .reg .pred %q; setp.eq.u32 %q, a, 0; @%q ret; sub.u32 a, a, 1; call f, (a, b); ret; }\n";

static uint32_t state = 1;

static uint32_t rnd(uint32_t n)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % n;
}

/* One change that often leaves valid PTX: another digit, a piece copied over another, an instruction dropped. */
static void damage(char *s)
{
    static const char digits[] = "0123456789";
    size_t n = strlen(s), at = rnd((uint32_t)n);

    switch (rnd(6)) {
    case 0:
        s[at] = (char)(32 + rnd(95));
        break;
    case 1: {
        char *end = strchr(s + at, ';');

        if (end)
            memmove(s + at, end, strlen(end) + 1);
        break;
    }
    case 2: {
        size_t from = rnd((uint32_t)n), k = rnd(12);

        for (size_t i = 0; i < k && from + i < n && at + i < n; i++)
            s[at + i] = s[from + i];
        break;
    }
    default:
        for (size_t i = at; i < n; i++)
            if (s[i] >= '0' && s[i] <= '9') {
                s[i] = digits[rnd(10)];
                break;
            }
    }
}

static volatile uint32_t cancel;

static void on_alarm(int sig)
{
    (void)sig;
    cancel = 1;
}

/* Functions that each call the next one twice, where no thread goes: put in place of their calls they would fill any memory. */
static void doubling_calls(void)
{
    static char text[1 << 14];
    size_t n = 0;

    for (int f = 40; f >= 0; f--)
        n += (size_t)snprintf(text + n, sizeof text - n, f == 40 ? ".func f%d() { ret; }\n" : ".func f%d() { call f%d; call f%d; ret; }\n", f, f + 1,
                              f + 1);
    ok(fx_run("setp.eq.u32 %p0, %n1, 0; @%p0 call f0; st.global.u32 [%o], %gi;", .before = text, .block = 33) && fx_out[32] == 32,
       "functions that call each other twice as often at each level");
}

/* Microseconds of this program's own time, compilation included, after which a kernel is cancelled. */
#ifdef FX_COMPILE
#define PATIENCE 100000
#else
#define PATIENCE 10000
#endif

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1500, parsed = 0, ran = 0;
    char body[4096];

    signal(SIGVTALRM, on_alarm);
    fx_setup();
    fx.quiet = true;
    for (int i = 0; i < rounds; i++) {
        struct itimerval soon = {.it_value = {.tv_usec = PATIENCE}};

        snprintf(body, sizeof body, "%s", bodies[rnd(sizeof bodies / sizeof *bodies)]);
        for (uint32_t k = 1 + rnd(3); k; k--)
            damage(body);
        cancel = 0;
        setitimer(ITIMER_VIRTUAL, &soon, NULL);
        fx_run(body, .before = module, .block = 1 + rnd(100), .grid = 1 + rnd(3), .cancel = &cancel, .cooperative = rnd(2));
        parsed += fx.fault.code != -1;
        ran += fx.fault.code == 0;
        if (fx.fault.code > 0 && (!fx.fault.message[0] || !memchr(fx.fault.message, 0, sizeof fx.fault.message)))
            ok(0, "fault %d of round %d has no message", fx.fault.code, i);
    }
    doubling_calls();
    diag("%d rounds, %d parsed, %d ran to their end", rounds, parsed, ran);
    ok(parsed > rounds / 10 && ran, "some damaged kernels still parse, some still run");
    ok(fx_run("st.global.u32 [%o], %gi;", .block = 64) && fx_out[63] == 63, "the engine runs the next launch");
    return tap_done();
}
