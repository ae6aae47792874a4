/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

enum { BLOCKS = 5 };

static u32 *numbers(u32 n, u32 mask)
{
    u32 *p = malloc(n * sizeof *p);

    for (u32 i = 0; i < n; i++)
        p[i] = rnd() & mask;
    return p;
}

/* The order of additions of block_sum(). */
#define HALVING_SUM(s, count) \
    ({ \
        for (u32 n_ = (count); n_ > 1; n_ = (n_ + 1) / 2) \
            for (u32 h_ = (n_ + 1) / 2, k_ = 0; k_ + h_ < n_; k_++) \
                (s)[k_] += (s)[k_ + h_]; \
        (s)[0]; \
    })

#define REDUCE(kernel, T, value) \
    static void kernel(struct shape block) \
    { \
        u32 count = shape_count(block), all = count * BLOCKS, n = all - count / 3; \
        T *in = malloc(all * sizeof *in), want[BLOCKS], *part = malloc(count * sizeof *part); \
        CUdeviceptr from, to = gpu_zeros(sizeof want); \
        for (u32 i = 0; i < all; i++) \
            in[i] = (value); \
        for (u32 b = 0; b < BLOCKS; b++) { \
            for (u32 t = 0; t < count; t++) \
                part[t] = b * count + t < n ? in[b * count + t] : 0; \
            want[b] = HALVING_SUM(part, count); \
        } \
        from = gpu_copy(in, all * sizeof *in); \
        IS_ARRAY(LAUNCH(#kernel, SHAPE(BLOCKS), block, count * sizeof(T), &from, &n, &to), to, want, BLOCKS, "sums of blocks"); \
        free(in); \
        free(part); \
    }
REDUCE(reduce_int, u32, rnd()) /* the sums wrap */
REDUCE(reduce_shuffle, u32, rnd())
REDUCE(reduce_float, float, rnd_float(-10, 10))
REDUCE(reduce_double, double, rnd_float(-10, 10) * 1.000000001)

static void reduce_grid(struct shape block)
{
    u32 n = 5000, bits[3] = {~0u, 0, 0}, ticket = 0;
    int *in = (int *)numbers(n, ~0u), extremes[2] = {INT32_MAX, INT32_MIN};
    CUdeviceptr from = gpu_copy(in, n * 4), to = gpu_zeros(8), at_extremes = gpu_copy(extremes, 8), at_bits = gpu_copy(bits, 12);
    CUdeviceptr at_ticket = gpu_copy(&ticket, 4), saw = gpu_zeros(4);
    u64 sum = 0;
    u32 low;
    int done = LAUNCH("reduce_grid", SHAPE(2, 3, 2), block, 0, &from, &n, &to, &at_extremes, &at_bits, &at_ticket, &saw);

    for (u32 i = 0; i < n; i++) {
        sum += (u32)in[i];
        extremes[0] = extremes[0] < in[i] ? extremes[0] : in[i];
        extremes[1] = extremes[1] > in[i] ? extremes[1] : in[i];
        bits[0] &= (u32)in[i];
        bits[1] |= (u32)in[i];
        bits[2] ^= (u32)in[i];
    }
    low = (u32)sum;
    IS_ARRAY(done, to, &sum, 1, "the sum");
    IS_ARRAY(done, at_extremes, extremes, 2, "extremes");
    IS_ARRAY(done, at_bits, bits, 3, "bits");
    IS_ARRAY(done, saw, &low, 1, "the last block sees the sum");
    IS_ARRAY(done, at_ticket, &ticket, 1, "the ticket wraps to 0");
    free(in);
}

static void reduce_barrier(struct shape block)
{
    u32 count = shape_count(block), n = BLOCKS * count - count / 3, *in = numbers(n, ~0u), odd[BLOCKS][3] = {0};
    CUdeviceptr from = gpu_copy(in, n * 4), to = gpu_zeros(sizeof odd);

    for (u32 b = 0; b < BLOCKS; b++) {
        for (u32 t = 0; t < count; t++)
            odd[b][0] += b * count + t < n && (in[b * count + t] & 1);
        odd[b][1] = odd[b][0] == count;
        odd[b][2] = odd[b][0] > 0;
    }
    IS_ARRAY(LAUNCH("reduce_barrier", SHAPE(BLOCKS), block, 0, &from, &n, &to), to, odd[0], BLOCKS * 3, "counts of blocks");
    free(in);
}

#define HISTOGRAM(kernel) \
    static void kernel(struct shape block) \
    { \
        enum { N = 6000 }; \
        u8 in[N]; \
        u32 want[64] = {0}, n = N; \
        CUdeviceptr from, bins = gpu_zeros(sizeof want); \
        for (u32 i = 0; i < N; i++) { \
            in[i] = (u8)(rnd() & rnd()); \
            want[in[i] & 63]++; \
        } \
        from = gpu_copy(in, N); \
        IS_ARRAY(LAUNCH(#kernel, SHAPE(3, 2), block, 0, &from, &n, &bins), bins, want, 64, "bins"); \
    }
HISTOGRAM(histogram_global)
HISTOGRAM(histogram_shared)
HISTOGRAM(histogram_match)

static int ascending(const void *a, const void *b)
{
    u32 x = *(const u32 *)a, y = *(const u32 *)b;

    return x < y ? -1 : x > y;
}

static void filter_aggregated(struct shape block)
{
    u32 n = 3001, count = shape_count(block), passed = 0, got = 0, *in = numbers(n, ~0u), *want = malloc(n * 4), *out = malloc(n * 4);
    CUdeviceptr from = gpu_copy(in, n * 4), counter = gpu_zeros(4), to = gpu_zeros(n * 4);

    for (u32 i = 0; i < n; i++)
        if (in[i] % 3 == 0)
            want[passed++] = in[i];
    IS_ARRAY(LAUNCH("filter_aggregated", SHAPE((n + count - 1) / count), block, 0, &from, &n, &counter, &to), counter, &passed, 1, "the count");
    gpu_read(&got, counter, 4);
    gpu_read(out, to, n * 4);
    qsort(want, passed, 4, ascending);
    qsort(out, passed, 4, ascending);
    is_true(got == passed && !memcmp(out, want, passed * 4), "every element is kept");
    free(in);
    free(want);
    free(out);
}

/* In blocks, or of everything: want[i] is the sum up to i. */
#define SCAN(kernel, every, shared) \
    static void kernel(struct shape block) \
    { \
        u32 count = shape_count(block), grid = count < 64 ? 40 : 9, n = grid * count - count / 2, *in = numbers(n, ~0u), *want = malloc(n * 4); \
        CUdeviceptr from = gpu_copy(in, n * 4), to = gpu_zeros(n * 4), ticket = gpu_zeros(4), state = gpu_zeros(grid * 8); \
        int done = gpu_launch(#kernel, SHAPE(grid), block, shared, 0, (void *[]){&from, &n, &to, &ticket, &state}); \
        for (u32 i = 0, sum = 0; i < n; i++) \
            want[i] = sum = (i % (every) ? sum : 0) + in[i]; \
        IS_ARRAY(done, to, want, n, "sums"); \
        free(in); \
        free(want); \
    }
SCAN(scan_blocks, count, 0)
SCAN(scan_steps, count, count * 4)
SCAN(scan_lookback, n, 0)

static void softmax(struct shape block)
{
    enum { ROWS = 3, COLUMNS = 150 };
    float in[ROWS][COLUMNS], want[ROWS][COLUMNS], sums[1024];
    u32 count = shape_count(block), columns = COLUMNS;
    CUdeviceptr from, to = gpu_zeros(sizeof in);

    for (u32 r = 0; r < ROWS; r++) {
        float largest = -1e30f, sum;

        for (u32 c = 0; c < COLUMNS; c++) {
            in[r][c] = rnd_float(-20, 20);
            largest = largest > in[r][c] ? largest : in[r][c];
        }
        memset(sums, 0, sizeof sums);
        for (u32 c = 0; c < COLUMNS; c++)
            sums[c % count] += own_exp(in[r][c] - largest);
        sum = HALVING_SUM(sums, count);
        for (u32 c = 0; c < COLUMNS; c++)
            want[r][c] = own_exp(in[r][c] - largest) / sum;
    }
    from = gpu_copy(in, sizeof in);
    IS_ARRAY(LAUNCH("softmax", SHAPE(1, ROWS), block, count * 4, &from, &columns, &to), to, want[0], ROWS * COLUMNS, "rows");
}

const struct listed listed[] = {LISTED_REDUCE(LISTED_ROW){0}};

static void redux(void)
{
    if (!strstr(variant, "sm_80"))
        return;
    FOR_SHAPES(block) {
        u32 count = shape_count(*block);
        int *in = (int *)numbers(count, ~0u), *want = malloc(count * 4);
        CUdeviceptr from = gpu_copy(in, count * 4), to = gpu_zeros(count * 4);

        for (u32 first = 0; first < count; first += 32) {
            int low = INT32_MAX, high = INT32_MIN;
            u32 sum = 0, end = first + 32 < count ? first + 32 : count;

            for (u32 i = first; i < end; i++) {
                sum += (u32)in[i];
                low = low < in[i] ? low : in[i];
                high = high > in[i] ? high : in[i];
            }
            for (u32 i = first; i < end; i++)
                want[i] = (int)sum ^ low ^ high;
        }
        IS_ARRAY(LAUNCH("reduce_redux", SHAPE(1), *block, 0, &from, &to), to, want, count, "redux, blocks of %s", shape_text(*block));
        free(in);
        free(want);
        gpu_release();
    }
}

void kernels_test(void)
{
    redux();
}
