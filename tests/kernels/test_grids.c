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

static void matrices(void)
{
    static const u32 sizes[] = {1, 16, 37, 48};

    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        static const struct shape flat[] = {{32, 1}, {1, 32}, {31, 2}, {16, 16}, {33, 3}, {32, 32}, {96, 8}};
        u32 n = sizes[s];
        float *a = floats(n * n), *b = floats(n * n), *want = malloc(n * n * 4);
        CUdeviceptr at_a = gpu_copy(a, n * n * 4), at_b = gpu_copy(b, n * n * 4), to;

        multiply(a, b, want, n);
        for (unsigned f = 0; f < sizeof flat / sizeof *flat; f++) {
            to = gpu_zeros(n * n * 4);
            IS_ARRAY(LAUNCH("matmul_naive", SHAPE(up(n, flat[f].x), up(n, flat[f].y)), flat[f], 0, &at_a, &at_b, &to, &n), to, want, n * n,
                "naive matmul of %u, blocks of %s", n, shape_text(flat[f]));
        }
        FOR_SHAPES(block) {
            to = gpu_zeros(n * n * 4);
            IS_ARRAY(LAUNCH("matmul_strided", SHAPE(2, 2), *block, 0, &at_a, &at_b, &to, &n), to, want, n * n,
                "matmul of %u by any thread, blocks of %s", n, shape_text(*block));
        }
        to = gpu_zeros(n * n * 4);
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

static void transposes(void)
{
    static const u32 sizes[][2] = {{32, 32}, {1, 100}, {100, 1}, {45, 77}, {96, 64}};

    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        u32 rows = sizes[s][0], columns = sizes[s][1], n = rows * columns, *in = malloc(n * 4), *want = malloc(n * 4);

        for (u32 i = 0; i < n; i++)
            want[i % columns * rows + i / columns] = in[i] = rnd();
        CUdeviceptr from = gpu_copy(in, n * 4), to = gpu_zeros(n * 4);
        IS_ARRAY(LAUNCH("transpose", SHAPE(up(columns, 32), up(rows, 32)), SHAPE(32, 8), 0, &from, &rows, &columns, &to), to, want, n,
            "transpose of %u by %u", rows, columns);
        free(in);
        free(want);
        gpu_release();
    }
}

static void stencils(void)
{
    FOR_SHAPES(block) {
        u32 w = 61, h = 18, d = 5, n = w * h * d, plane = w * h, line = 700, count = shape_count(*block);
        u32 bx = block->x, by = block->y ? block->y : 1, bz = block->z ? block->z : 1;
        float *in = floats(n), *want = malloc(n * 4);
        int *cells = malloc(n * 4), *sums = calloc(n, 4);
        CUdeviceptr from = gpu_copy(in, n * 4), to = gpu_zeros(n * 4), at_cells;

        for (u32 i = 0; i < line; i++) {
            want[i] = 0;
            for (int k = -3; k <= 3; k++)
                want[i] += ((int)i + k >= 0 && i + k < line ? in[i + k] : 0) * (float)(4 - abs(k));
        }
        IS_ARRAY(LAUNCH("stencil_1d", SHAPE(up(line, count)), *block, (count + 6) * 4, &from, &to, &line), to, want, line, "1-D stencil, blocks of %s", shape_text(*block));
        for (u32 y = 0; y < h; y++)
            for (u32 x = 0; x < w; x++) {
                float centre = in[y * w + x], left = x ? in[y * w + x - 1] : centre, right = x + 1 < w ? in[y * w + x + 1] : centre;
                float above = y ? in[(y - 1) * w + x] : centre, below = y + 1 < h ? in[(y + 1) * w + x] : centre;

                want[y * w + x] = centre + 0.125f * (left + right + above + below - 4 * centre);
            }
        IS_ARRAY(LAUNCH("stencil_2d", SHAPE(up(w, bx), up(h, by)), *block, 0, &from, &to, &w, &h), to, want, plane, "2-D stencil, blocks of %s", shape_text(*block));
        for (u32 i = 0; i < n; i++)
            cells[i] = (int)(rnd() % 2000) - 1000;
        for (u32 i = 0; i < n; i++)
            for (int k = 0; k < 27; k++) {
                int dx = k % 3 - 1, dy = k / 3 % 3 - 1, dz = k / 9 - 1;
                u32 x = i % w + dx, y = i / w % h + dy, z = i / plane + dz;

                if (x < w && y < h && z < d)
                    sums[i] += cells[(z * h + y) * w + x] * (4 >> (abs(dx) + abs(dy) + abs(dz)));
            }
        at_cells = gpu_copy(cells, n * 4);
        IS_ARRAY(LAUNCH("stencil_3d", SHAPE(up(w, bx), up(h, by), up(d, bz)), *block, 0, &at_cells, &to, &w, &h, &d), to, sums, n, "3-D stencil, blocks of %s", shape_text(*block));
        free(in);
        free(want);
        free(cells);
        free(sums);
        gpu_release();
    }
}

static void bodies(void)
{
    struct body {
        float x, y, z, mass;
    } in[100], want[100];
    u32 n = 100;

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
    FOR_SHAPES(block) {
        CUdeviceptr from = gpu_copy(in, sizeof in), to = gpu_zeros(sizeof in);

        IS_ARRAY(LAUNCH("nbody", SHAPE(up(n, shape_count(*block))), *block, shape_count(*block) * 16, &from, &to, &n), to, want, n, "n-body, blocks of %s",
            shape_text(*block));
        gpu_release();
    }
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

static void sorts(void)
{
    FOR_SHAPES(block) {
        static u32 data[3][512];
        static u64 large[1024];
        u32 n = 1024;
        CUdeviceptr at;
        int done = 1;

        for (u32 i = 0; i < 3 * 512; i++)
            data[i / 512][i % 512] = i < 1024 ? rnd() : rnd() % 16;
        at = gpu_copy(data, sizeof data);
        done = LAUNCH("bitonic_block", SHAPE(1, 1, 3), *block, 0, &at);
        for (u32 b = 0; b < 3; b++)
            qsort(data[b], 512, 4, compare_u32);
        IS_ARRAY(done, at, data[0], 3 * 512, "bitonic sort, blocks of %s", shape_text(*block));
        if (shape_count(*block) < 256)
            continue;
        for (u32 i = 0; i < n; i++)
            large[i] = (u64)rnd() << 32 | rnd();
        at = gpu_copy(large, sizeof large);
        for (u32 size = 2; size <= n; size *= 2)
            for (u32 stride = size / 2; stride; stride /= 2)
                done &= LAUNCH("bitonic_step", SHAPE(2), *block, 0, &at, &n, &size, &stride);
        qsort(large, n, 8, compare_u64);
        IS_ARRAY(done, at, large, n, "bitonic sort launch by launch, blocks of %s", shape_text(*block));
        gpu_release();
    }
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
    transposes();
    stencils();
    bodies();
    sorts();
}
