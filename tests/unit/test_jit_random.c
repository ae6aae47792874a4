/* SPDX-License-Identifier: Apache-2.0 */
/* Random kernels (random/kernel.h) in both engines: what they write must be the same, bit for bit.
 *
 *   test_jit_random [FIRST_SEED [COUNT [SECONDS]]]
 *
 * COUNT 0: no end. With a time (0: none) it is a long run: one line a minute, each instruction set in turn unless VGPU_ISA
 * names one, and the end at the first difference, with the seed and the program. */
#include <time.h>

#include "interp_fixture.h"
#include "random/kernel.h"

#define COUNT 20

/* Seeds that stayed with the interpreter. */
static unsigned left_over;

static struct random_kernel kernel;

static bool run(bool interprets, struct vg_pool *pool)
{
    fx_interprets = interprets;
    fx.pool = pool;
    return fx_run(kernel.body, .before = kernel.functions, .block = kernel.block[0], .block_y = kernel.block[1], .block_z = kernel.block[2],
                  .grid = kernel.grid[0], .grid_y = kernel.grid[1], .grid_z = kernel.grid[2], .shared = kernel.shared);
}

/* Code runs on one worker or on two, with the CPU's extensions or without some. */
static bool same(uint64_t seed)
{
    static uint32_t want[RANDOM_WORDS];
    static struct vg_pool *two;
    uint32_t at = 0;
    bool first, second;

    random_kernel_make(&kernel, seed);
    fx_setup();
    if (!two)
        two = vg_pool_new(2);
    for (uint32_t k = 0; k < RANDOM_INPUT; k++)
        fx_in[k] = k * 2654435761u >> random_pick(20);
    first = run(true, NULL);
    memcpy(want, fx_out, sizeof want);
    fx_without = random_pick(4) ? 0 : random_pick(1u << JIT_EXT_COUNT);
    fx_report.why[0] = 0;
    second = run(false, random_pick(4) ? NULL : two);
    if (fx_report.why[0]) {
        diag("seed %llu stays with the interpreter: %s", (unsigned long long)seed, fx_report.why);
        left_over++;
    }
    while (at < RANDOM_WORDS && fx_out[at] == want[at])
        at++;
    if (at < RANDOM_WORDS)
        diag("word %u of the output: %#x, the interpreter has %#x", at, fx_out[at], want[at]);
    return first && second && at == RANDOM_WORDS;
}

static void print_kernel(uint64_t seed)
{
    diag("seed %llu, blocks of %ux%ux%u, a grid of %ux%ux%u, %u bytes of dynamic shared memory, %s without extensions %#x on %u workers:",
         (unsigned long long)seed, kernel.block[0], kernel.block[1], kernel.block[2], kernel.grid[0], kernel.grid[1], kernel.grid[2], kernel.shared,
         (const char *[]){"base", "v3", "v4"}[jit_isa_default()], fx_without, fx.pool ? vg_pool_workers(fx.pool) : 1);
    printf("%s%s%s%s\nret;\n}\n", FX_MODULE, kernel.functions, FX_HEAD, kernel.body);
}

/* Until the first difference, or the time is over. */
static int long_run(uint64_t seed, uint64_t count, time_t seconds)
{
    static const char *const isas[] = {"v4", "v3", "base"};
    time_t begin = time(NULL), told = begin, now = begin;
    bool all = !getenv("VGPU_ISA"), good = true;
    uint64_t first = seed;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; good && (!count || seed < first + count) && (!seconds || now < begin + seconds); seed++, now = time(NULL)) {
        if (all)
            setenv("VGPU_ISA", isas[seed % 3], 1);
        good = same(seed) && !left_over;
        if (!good)
            print_kernel(seed);
        if (now >= told + 60) {
            diag("seeds %llu to %llu", (unsigned long long)first, (unsigned long long)seed);
            told = now;
        }
    }
    ok(good, "%llu random kernels, from seed %llu", (unsigned long long)(seed - first), (unsigned long long)first);
    return tap_done();
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, count = argc > 2 ? strtoull(argv[2], NULL, 0) : COUNT;

    if (argc > 3)
        return long_run(first, count, strtol(argv[3], NULL, 0));
    for (uint64_t seed = first; seed < first + count; seed++)
        if (!ok(same(seed) && !left_over, "random kernel %llu", (unsigned long long)seed))
            print_kernel(seed);
    return tap_done();
}
