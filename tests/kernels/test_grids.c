/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels.h"

static float *floats(u32 n)
{
    float *p = malloc(n * sizeof *p);

    for (u32 i = 0; i < n; i++)
        p[i] = rnd_float(-4, 4);
    return p;
}

static u32 up(u32 n, u32 by)
{
    return (n + by - 1) / by;
}

static void multiply(const float *a, const float *b, float *c, u32 n)
{
    for (u32 row = 0; row < n; row++)
        for (u32 column = 0; column < n; column++) {
            float sum = 0;

            for (u32 k = 0; k < n; k++)
                sum = fmaf(a[row * n + k], b[k * n + column], sum);
            c[row * n + column] = sum;
        }
}

/* Each size of matrix, by a kernel that takes (a, b, c, n) and more. */
#define PRODUCTS(kernel, grid, batch_) \
    static void kernel(struct shape block) \
    { \
        static const u32 sizes[] = {1, 16, 37, 48}; \
        for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) { \
            u32 n = sizes[s], batch = batch_, all = n * n * batch; \
            float *a = floats(all), *b = floats(n * n), *want = malloc(all * 4); \
            CUdeviceptr at_a = gpu_copy(a, all * 4), at_b = gpu_copy(b, n * n * 4), to = gpu_zeros(all * 4); \
            for (u32 z = 0; z < batch; z++) \
                multiply(a + z * n * n, b, want + z * n * n, n); \
            IS_ARRAY(LAUNCH(#kernel, grid, block, 0, &at_a, &at_b, &to, &n, &batch), to, want, all, "products of %u by %u", n, n); \
            free(a); \
            free(b); \
            free(want); \
        } \
    }
PRODUCTS(matmul_naive, SHAPE(up(n, block.x), up(n, block.y ? block.y : 1), up(batch, block.z ? block.z : 1)), 3)
PRODUCTS(matmul_strided, SHAPE(2, 2), 1)
PRODUCTS(matmul_tiles, SHAPE(up(n, 16), up(n, 16)), 1)

/* Kernels for some shapes alone. */
static void matrices(void)
{
    static const u32 sizes[] = {1, 16, 37, 48};

    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        u32 n = sizes[s];
        float *a = floats(n * n), *b = floats(n * n), *want = malloc(n * n * 4);
        CUdeviceptr at_a = gpu_copy(a, n * n * 4), at_b = gpu_copy(b, n * n * 4), to = gpu_zeros(n * n * 4);

        multiply(a, b, want, n);
        IS_ARRAY(LAUNCH("matmul_tiled", SHAPE(up(n, 16), up(n, 16)), SHAPE(16, 16), 0, &at_a, &at_b, &to, &n), to, want, n * n, "tiled matmul of %u", n);
        for (u32 w = 4; w <= 32; w *= 2) {
            to = gpu_zeros(n * n * 4);
            IS_ARRAY(LAUNCH("matmul_dynamic", SHAPE(up(n, w * 4), up(n, w)), SHAPE(w, w), w * w * 5 * 4, &at_a, &at_b, &to, &n), to, want, n * n,
                "matmul of %u in tiles of %u in dynamic shared memory", n, w);
        }
        free(a);
        free(b);
        free(want);
        gpu_release();
    }
}

/* Whole numbers, so that no product or sum is rounded. */
static void tensors(void)
{
    enum { M = 48 };
    static _Float16 a[M * M], b[M * M];
    static float want[M * M];
    u32 n = M;

    for (u32 i = 0; i < M * M; i++) {
        a[i] = (_Float16)((int)(rnd() % 33) - 16);
        b[i] = (_Float16)((int)(rnd() % 33) - 16);
    }
    for (u32 i = 0; i < M * M; i++) {
        want[i] = 0;
        for (u32 k = 0; k < M; k++)
            want[i] += (float)a[i / M * M + k] * (float)b[k * M + i % M];
    }
    for (u32 warps = 1; warps <= 32; warps *= 2) {
        CUdeviceptr at_a = gpu_copy(a, sizeof a), at_b = gpu_copy(b, sizeof b), to = gpu_zeros(sizeof want);

        IS_ARRAY(LAUNCH("matmul_wmma", SHAPE(up(M / 16 * M / 16, warps)), SHAPE(32, warps), 0, &at_a, &at_b, &to, &n), to, want, M * M,
            "matmul on tensor cores, %u warps a block", warps);
        gpu_release();
    }
}

static void transpose_by(const char *kernel, struct shape block)
{
    static const u32 sizes[][2] = {{32, 32}, {1, 100}, {100, 1}, {45, 77}, {96, 64}};

    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        u32 rows = sizes[s][0], columns = sizes[s][1], n = rows * columns, *in = malloc(n * 4), *want = malloc(n * 4);
        CUdeviceptr from, to = gpu_zeros(n * 4);

        for (u32 i = 0; i < n; i++)
            want[i % columns * rows + i / columns] = in[i] = rnd();
        from = gpu_copy(in, n * 4);
        IS_ARRAY(LAUNCH(kernel, SHAPE(up(columns, 32), up(rows, 32)), block, 0, &from, &rows, &columns, &to), to, want, n, "%s of %u by %u", kernel, rows, columns);
        free(in);
        free(want);
    }
}

static void transpose(struct shape block)
{
    transpose_by("transpose", block);
}

static void stencil_1d(struct shape block)
{
    u32 line = 700, count = shape_count(block);
    float *in = floats(line), want[700];
    CUdeviceptr from = gpu_copy(in, line * 4), to = gpu_zeros(line * 4);

    for (u32 i = 0; i < line; i++) {
        want[i] = 0;
        for (int k = -3; k <= 3; k++)
            want[i] += ((int)i + k >= 0 && i + k < line ? in[i + k] : 0) * (float)(4 - abs(k));
    }
    IS_ARRAY(LAUNCH("stencil_1d", SHAPE(up(line, count)), block, (count + 6) * 4, &from, &to, &line), to, want, line, "sums");
    free(in);
}

static void stencil_2d(struct shape block)
{
    enum { W = 61, H = 18 };
    u32 w = W, h = H;
    float *in = floats(W * H), want[W * H];
    CUdeviceptr from = gpu_copy(in, sizeof want), to = gpu_zeros(sizeof want);

    for (u32 y = 0; y < h; y++)
        for (u32 x = 0; x < w; x++) {
            float centre = in[y * w + x], left = x ? in[y * w + x - 1] : centre, right = x + 1 < w ? in[y * w + x + 1] : centre;
            float above = y ? in[(y - 1) * w + x] : centre, below = y + 1 < h ? in[(y + 1) * w + x] : centre;

            want[y * w + x] = centre + 0.125f * (left + right + above + below - 4 * centre);
        }
    IS_ARRAY(LAUNCH("stencil_2d", SHAPE(up(w, block.x), up(h, block.y ? block.y : 1)), block, 0, &from, &to, &w, &h), to, want, W * H, "a plane");
    free(in);
}

static void stencil_3d(struct shape block)
{
    enum { W = 61, H = 18, D = 5, N = W * H * D };
    u32 w = W, h = H, d = D;
    int cells[N], sums[N] = {0};
    CUdeviceptr from, to = gpu_zeros(sizeof sums);

    for (u32 i = 0; i < N; i++)
        cells[i] = (int)(rnd() % 2000) - 1000;
    for (u32 i = 0; i < N; i++)
        for (int k = 0; k < 27; k++) {
            int dx = k % 3 - 1, dy = k / 3 % 3 - 1, dz = k / 9 - 1;
            u32 x = i % w + dx, y = i / w % h + dy, z = i / (w * h) + dz;

            if (x < w && y < h && z < d)
                sums[i] += cells[(z * h + y) * w + x] * (4 >> (abs(dx) + abs(dy) + abs(dz)));
        }
    from = gpu_copy(cells, sizeof cells);
    IS_ARRAY(LAUNCH("stencil_3d", SHAPE(up(w, block.x), up(h, block.y ? block.y : 1), up(d, block.z ? block.z : 1)), block, 0, &from, &to, &w, &h, &d), to,
        sums, N, "a volume");
}

static void nbody(struct shape block)
{
    struct body {
        float x, y, z, mass;
    } in[100], want[100];
    u32 n = 100;
    CUdeviceptr from, to = gpu_zeros(sizeof in);

    for (u32 i = 0; i < n; i++)
        in[i] = (struct body){rnd_float(-1, 1), rnd_float(-1, 1), rnd_float(-1, 1), rnd_float(0.5f, 2)};
    for (u32 i = 0; i < n; i++) {
        want[i] = (struct body){0};
        for (u32 k = 0; k < n; k++) {
            float dx = in[k].x - in[i].x, dy = in[k].y - in[i].y, dz = in[k].z - in[i].z;
            float r2 = dx * dx + dy * dy + dz * dz + 0.01f, r = sqrtf(r2), s = in[k].mass / (r2 * r);

            want[i].x += dx * s;
            want[i].y += dy * s;
            want[i].z += dz * s;
        }
    }
    from = gpu_copy(in, sizeof in);
    IS_ARRAY(LAUNCH("nbody", SHAPE(up(n, shape_count(block))), block, shape_count(block) * 16, &from, &to, &n), to, want, n, "accelerations");
}

#define COMPARE(name, T) \
    static int name(const void *a, const void *b) \
    { \
        T x = *(const T *)a, y = *(const T *)b; \
        return x < y ? -1 : x > y; \
    }
COMPARE(compare_u32, u32)
COMPARE(compare_u64, u64)
COMPARE(compare_int, int)

static void bitonic_block(struct shape block)
{
    static u32 data[3][512];
    CUdeviceptr at;
    int done;

    for (u32 i = 0; i < 3 * 512; i++)
        data[i / 512][i % 512] = i < 1024 ? rnd() : rnd() % 16;
    at = gpu_copy(data, sizeof data);
    done = LAUNCH("bitonic_block", SHAPE(1, 1, 3), block, 0, &at);
    for (u32 b = 0; b < 3; b++)
        qsort(data[b], 512, 4, compare_u32);
    IS_ARRAY(done, at, data[0], 3 * 512, "three blocks of numbers");
}

static void bitonic_step(struct shape block)
{
    u64 data[256];
    u32 n = 256;
    CUdeviceptr at;
    int done = 1;

    for (u32 i = 0; i < n; i++)
        data[i] = (u64)rnd() << 32 | rnd();
    at = gpu_copy(data, sizeof data);
    for (u32 size = 2; size <= n; size *= 2)
        for (u32 stride = size / 2; stride; stride /= 2)
            done &= LAUNCH("bitonic_step", SHAPE(2), block, 0, &at, &n, &size, &stride);
    qsort(data, n, 8, compare_u64);
    IS_ARRAY(done, at, data, n, "numbers");
}

const struct listed listed[] = {LISTED_GRIDS(LISTED_ROW){0}};

/* In whole warps alone. */
static void warp_sorts(void)
{
    for (u32 warps = 1; warps <= 32; warps *= 2) {
        static int data[1024];
        CUdeviceptr at;
        int done;

        for (u32 i = 0; i < warps * 32; i++)
            data[i] = (int)rnd() % 50;
        at = gpu_copy(data, warps * 128);
        done = LAUNCH("bitonic_warp", SHAPE(1), SHAPE(32, warps), 0, &at);
        for (u32 w = 0; w < warps; w++)
            qsort(data + w * 32, 32, 4, compare_int);
        IS_ARRAY(done, at, data, warps * 32, "bitonic sort by shuffles, %u warps", warps);
        gpu_release();
    }
}

void kernels_test(void)
{
    matrices();
    tensors();
    transpose_by("transpose_32x8", SHAPE(32, 8));
    gpu_release();
    warp_sorts();
}
