/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

static void diffusion(struct shape block)
{
    static const struct shape grids[] = {{1}, {2}, {7}, {16}, {2, 3}, {2, 2, 3}};

    for (unsigned g = 0; g < sizeof grids / sizeof *grids; g++) {
        enum { N = 500 };
        u32 a[N], b[N], n = N, rounds = 6;
        CUdeviceptr at_a, at_b = gpu_zeros(sizeof b), barrier = gpu_zeros(8);

        for (u32 i = 0; i < N; i++)
            a[i] = rnd();
        at_a = gpu_copy(a, sizeof a);
        for (u32 round = 0; round < rounds; round++) {
            for (u32 i = 0; i < N; i++)
                b[i] = a[(i + N - 1) % N] + 2 * a[i] + a[(i + 1) % N];
            memcpy(a, b, sizeof a);
        }
        IS_ARRAY(LAUNCH_COOPERATIVE("diffusion", grids[g], block, 0, &at_a, &at_b, &n, &rounds, &barrier), at_a, a, N, "%s blocks", shape_text(grids[g]));
    }
}

/* As many blocks as the GPU says it holds, and one more. */
static void full_grid(void)
{
    CUfunction function;
    CUdevice device;
    int per_sm = 0, sms = 0, status = CU(cuModuleGetFunction)(&function, module, "diffusion");

    status = status ? status : CU(cuCtxGetDevice)(&device);
    status = status ? status : CU(cuDeviceGetAttribute)(&sms, 16, device); /* CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT */
    status = status ? status : CU(cuOccupancyMaxActiveBlocksPerMultiprocessor)(&per_sm, function, 256, 0);
    u32 a[8] = {1, 2, 3, 4, 5, 6, 7, 8}, want[8], n = 8, rounds = 1, grid = (u32)(per_sm * sms);
    CUdeviceptr at_a = gpu_copy(a, sizeof a), at_b = gpu_zeros(sizeof a), barrier = gpu_zeros(8);
    void *args[] = {&at_a, &at_b, &n, &rounds, &barrier};

    for (u32 i = 0; i < n; i++)
        want[i] = a[(i + 7) % 8] + 2 * a[i] + a[(i + 1) % 8];
    is_true(!status && grid >= 2, "%u blocks of 256 threads fit", grid);
    IS_ARRAY(gpu_launch("diffusion", SHAPE(grid), SHAPE(256), 0, 1, args), at_b, want, n, "a barrier of all blocks that fit");
    status = CU(cuLaunchCooperativeKernel)(function, grid + 1, 1, 1, 256, 1, 1, 0, NULL, args);
    is_true(status == 720, "one more is too large (%d)", status); /* CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE */
    gpu_release();
}

/* Blocks that wait for later ones, in a launch that does not promise to have all of them resident: hardware has, when they fit. */
static int launch_either(int cooperative, const char *kernel, unsigned grid, struct shape block, void **args)
{
    return gpu_launch(kernel, SHAPE(grid), block, 0, cooperative, args);
}

static void relay(struct shape block)
{
    for (int cooperative = 0; cooperative < 2; cooperative++) {
        u32 n = 9, rounds = 4, want[36];
        CUdeviceptr tokens = gpu_zeros(4), log = gpu_zeros(sizeof want);

        for (u32 i = 0; i < n * rounds; i++)
            want[i] = i ? want[i - 1] * 3 + i % n : 1;
        IS_ARRAY(launch_either(cooperative, "relay", n, block, (void *[]){&tokens, &rounds, &log}), log, want, n * rounds, "%s blocks",
            cooperative ? "cooperative" : "ordinary");
    }
}

static void produce_consume(struct shape block)
{
    for (u32 k = 0; k < 6; k++) {
        enum { ITEMS = 50 };
        u32 cooperative = k & 1, pairs = 1u << (k & 6), items = ITEMS, want[16 * ITEMS];
        CUdeviceptr rings = gpu_zeros(pairs * 40), out = gpu_zeros(sizeof want);

        for (u32 i = 0; i < pairs * ITEMS; i++)
            want[i] = mix(i / ITEMS * 1000 + i % ITEMS) + 1;
        IS_ARRAY(launch_either((int)cooperative, "produce_consume", pairs * 2, block, (void *[]){&rings, &items, &out}), out, want, pairs * ITEMS,
            "%u pairs of %s blocks", pairs, cooperative ? "cooperative" : "ordinary");
    }
}

const struct listed listed[] = {LISTED_SYNC(LISTED_ROW){0}};

static void chains(void)
{
    FOR_SHAPES(block) {
        u32 count = shape_count(*block), want[1024], v = 1;
        CUdeviceptr out = gpu_zeros(sizeof want);

        for (u32 t = 0; t < count; t++) {
            if (t % 32 == 0)
                v = v * 7 + t / 32;
            want[t] = v;
        }
        IS_ARRAY(LAUNCH("warp_chain", SHAPE(1), *block, 0, &out), out, want, count, "warps wait for one another, blocks of %s", shape_text(*block));
        gpu_release();
    }
}

static void announcements(void)
{
    for (u32 threads = 1; threads <= 64; threads *= 8) {
        u32 rounds = 20000, none[64] = {0};
        CUdeviceptr at = gpu_zeros(threads * 32), torn = gpu_zeros(sizeof none);

        IS_ARRAY(LAUNCH_COOPERATIVE("announced", SHAPE(2), SHAPE(threads), 0, &at, &rounds, &torn), torn, none, 64,
                 "a flag and its value travel together, %u threads", threads);
        gpu_release();
    }
}

static void locks(void)
{
    FOR_SHAPES(block) {
        u32 rounds = 2, grid = 3, want = shape_count(*block) * rounds * grid;
        CUdeviceptr lock = gpu_zeros(4), counter = gpu_zeros(4);

        IS_ARRAY(LAUNCH("locked_count", SHAPE(grid), *block, 0, &lock, &counter, &rounds), counter, &want, 1, "a lock, blocks of %s", shape_text(*block));
        gpu_release();
        if (shape_count(*block) > 96) /* the spinning grows with the square */
            continue;
        lock = gpu_zeros(4);
        counter = gpu_zeros(4);
        want = shape_count(*block) * grid;
        IS_ARRAY(LAUNCH("lane_lock", SHAPE(grid), *block, 0, &lock, &counter), counter, &want, 1, "a lock for every lane, blocks of %s", shape_text(*block));
        gpu_release();
    }
}

static void atomics(void)
{
    FOR_SHAPES(block) {
        u32 count = shape_count(*block), grid = 3, n = grid * count - count / 3;
        struct {
            u32 words[14];
            u64 longs[5];
            float floats[2];
            double doubles[2];
        } want = {.words = {[4] = 5, [6] = ~0u, [7] = ~0u, [11] = 1}, .longs = {[2] = INT64_MAX}}, begin = want;
        CUdeviceptr words = gpu_copy(begin.words, sizeof begin.words), longs = gpu_copy(begin.longs, sizeof begin.longs);
        CUdeviceptr floats = gpu_zeros(sizeof want.floats), doubles = gpu_zeros(sizeof want.doubles), counter = gpu_zeros(4), taken = gpu_zeros(grid * count * 4);
        int done = LAUNCH("atomics", SHAPE(grid), *block, 0, &words, &longs, &floats, &doubles, &n);
        u32 *ones = malloc(grid * count * 4);

        for (u32 i = 0; i < n; i++) {
            u32 v = mix(i);
            i64 low = (i64)((u64)v << 32) >> 5;

            want.words[0] += v;
            want.words[1] ^= v;
            want.words[2] = want.words[2] > v ? want.words[2] : v;
            want.words[3] = want.words[3] >= 99 ? 0 : want.words[3] + 1;
            want.words[4] = want.words[4] == 0 || want.words[4] > 77 ? 77 : want.words[4] - 1;
            want.words[5] |= 1u << (v & 31);
            want.words[6] &= ~(1u << (i & 7));
            want.words[7] = want.words[7] < v ? want.words[7] : v;
            want.longs[0] += (u64)v << 20;
            want.longs[1] = want.longs[1] > ((u64)v << 20 | i) ? want.longs[1] : (u64)v << 20 | i;
            want.longs[2] = (u64)((i64)want.longs[2] < low ? (i64)want.longs[2] : low);
            want.longs[3] ^= (u64)v * v;
            want.floats[0] += 0.5f;
            want.floats[1] += (float)(v & 1023);
            want.doubles[0] += 0.25;
            want.doubles[1] = want.doubles[1] > v ? want.doubles[1] : v;
            want.words[8] += v;
            want.words[9] -= v;
            want.words[10] |= 1u << (v & 31);
            want.words[11] = ~want.words[11];
            want.longs[4] += (u64)v * v;
            want.words[12] = (u8)(want.words[12] + 1);
            want.words[13] = (u16)(want.words[13] + 3);
        }
        IS_ARRAY(done, words, want.words, 14, "32-bit atomics, blocks of %s", shape_text(*block));
        IS_ARRAY(done, longs, want.longs, 5, "64-bit atomics");
        IS_ARRAY(done, floats, want.floats, 2, "atomics on floats");
        IS_ARRAY(done, doubles, want.doubles, 2, "atomics on doubles");
        for (u32 i = 0; i < grid * count; i++)
            ones[i] = 1;
        IS_ARRAY(LAUNCH("tickets", SHAPE(grid), *block, 0, &counter, &taken), taken, ones, grid * count, "each ticket once");
        IS_ARRAY(LAUNCH("clocks", SHAPE(grid), *block, 0, &taken), taken, ones, grid * count, "clocks go on");
        free(ones);
        gpu_release();
    }
}

void kernels_test(void)
{
    full_grid();
    chains();
    announcements();
    locks();
    atomics();
}
