/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices, stencils, bodies, sorting: data laid out over blocks and grids of every shape. */
#include "cuda_mini.h"
#include "both.h"

extern __shared__ float dynamic[];

/* ---- Matrices: c = a b, row by row, n by n; the products are added in the order of k ---- */

/* A batch of products: the third dimension goes from one to the next. */
KERNEL matmul_naive(const float *a, const float *b, float *c, u32 n, u32 batch)
{
    u32 row = blockIdx.y * blockDim.y + threadIdx.y, column = blockIdx.x * blockDim.x + threadIdx.x, z = blockIdx.z * blockDim.z + threadIdx.z;
    float sum = 0;

    if (row >= n || column >= n || z >= batch)
        return;
    for (u32 k = 0; k < n; k++)
        sum = __builtin_fmaf(a[(z * n + row) * n + k], b[k * n + column], sum);
    c[(z * n + row) * n + column] = sum;
}

/* Any thread computes any element: the block's shape does not matter. */
KERNEL matmul_strided(const float *a, const float *b, float *c, u32 n)
{
    for (u32 i = global_thread(); i < n * n; i += blocks() * threads()) {
        float sum = 0;

        for (u32 k = 0; k < n; k++)
            sum = __builtin_fmaf(a[i / n * n + k], b[k * n + i % n], sum);
        c[i] = sum;
    }
}

KERNEL matmul_tiled(const float *a, const float *b, float *c, u32 n)
{
    __shared__ float as[16][16], bs[16][17];
    u32 x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
    float sum = 0;

    for (u32 k0 = 0; k0 < n; k0 += 16) {
        as[y][x] = row < n && k0 + x < n ? a[row * n + k0 + x] : 0;
        bs[y][x] = k0 + y < n && column < n ? b[(k0 + y) * n + column] : 0;
        __syncthreads();
        for (u32 k = 0; k < 16; k++)
            sum = __builtin_fmaf(as[y][k], bs[k][x], sum);
        __syncthreads();
    }
    if (row < n && column < n)
        c[row * n + column] = sum;
}

/* The same tiles by a block of any shape: whoever is next loads and adds up an element. */
KERNEL matmul_tiles(const float *a, const float *b, float *c, u32 n)
{
    __shared__ float as[16][16], bs[16][17], sums[16][16];
    u32 row = blockIdx.y * 16, column = blockIdx.x * 16;

    for (u32 i = linear_thread(); i < 256; i += threads())
        sums[i / 16][i % 16] = 0;
    for (u32 k0 = 0; k0 < n; k0 += 16) {
        for (u32 i = linear_thread(); i < 256; i += threads()) {
            u32 x = i % 16, y = i / 16;

            as[y][x] = row + y < n && k0 + x < n ? a[(row + y) * n + k0 + x] : 0;
            bs[y][x] = k0 + y < n && column + x < n ? b[(k0 + y) * n + column + x] : 0;
        }
        __syncthreads();
        for (u32 i = linear_thread(); i < 256; i += threads())
            for (u32 k = 0; k < 16; k++)
                sums[i / 16][i % 16] = __builtin_fmaf(as[i / 16][k], bs[k][i % 16], sums[i / 16][i % 16]);
        __syncthreads();
    }
    for (u32 i = linear_thread(); i < 256; i += threads())
        if (row + i / 16 < n && column + i % 16 < n)
            c[(row + i / 16) * n + column + i % 16] = sums[i / 16][i % 16];
}

/* Tiles in dynamic shared memory, as wide as the block, which is square; four results a thread. */
KERNEL matmul_dynamic(const float *a, const float *b, float *c, u32 n)
{
    u32 w = blockDim.x, x = threadIdx.x, y = threadIdx.y;
    float *as = dynamic, *bs = dynamic + w * w, sum[4] = {0, 0, 0, 0};
    u32 row = blockIdx.y * w + y, first = blockIdx.x * w * 4 + x;

    for (u32 k0 = 0; k0 < n; k0 += w) {
        as[y * w + x] = row < n && k0 + x < n ? a[row * n + k0 + x] : 0;
        for (u32 j = 0; j < 4; j++)
            bs[y * w * 4 + j * w + x] = k0 + y < n && first + j * w < n ? b[(k0 + y) * n + first + j * w] : 0;
        __syncthreads();
        for (u32 k = 0; k < w; k++)
            for (u32 j = 0; j < 4; j++)
                sum[j] = __builtin_fmaf(as[y * w + k], bs[k * w * 4 + j * w + x], sum[j]);
        __syncthreads();
    }
    for (u32 j = 0; j < 4; j++)
        if (row < n && first + j * w < n)
            c[row * n + first + j * w] = sum[j];
}

/* A warp a tile of 16 by 16 on the tensor cores; n is a multiple of 16. */
KERNEL matmul_wmma(const half *a, const half *b, float *c, u32 n)
{
    u32 tile = global_thread() / 32, row = tile / (n / 16) * 16, column = tile % (n / 16) * 16;
    int fa[8], fb[8];
    float fc[8] = {0, 0, 0, 0, 0, 0, 0, 0};

    if (row >= n)
        return;
    for (u32 k = 0; k < n; k += 16) {
        __hmma_m16n16k16_ld_a(fa, (const int *)(a + row * n + k), n, 0);
        __hmma_m16n16k16_ld_b(fb, (const int *)(b + k * n + column), n, 0);
        __hmma_m16n16k16_mma_f32f32(fc, fa, fb, fc, 0, 0);
    }
    __hmma_m16n16k16_st_c_f32(c + row * n + column, fc, n, 0);
}

/* Tiles of 32 by 32, with a column of padding; whoever is next moves an element. */
KERNEL transpose(const u32 *in, u32 rows, u32 columns, u32 *out)
{
    __shared__ u32 tile[32][33];
    u32 left = blockIdx.x * 32, top = blockIdx.y * 32;

    for (u32 i = linear_thread(); i < 1024; i += threads())
        if (left + i % 32 < columns && top + i / 32 < rows)
            tile[i / 32][i % 32] = in[(top + i / 32) * columns + left + i % 32];
    __syncthreads();
    for (u32 i = linear_thread(); i < 1024; i += threads())
        if (top + i % 32 < rows && left + i / 32 < columns)
            out[(left + i / 32) * rows + top + i % 32] = tile[i % 32][i / 32];
}

/* The same in blocks of 32 by 8. */
KERNEL transpose_32x8(const u32 *in, u32 rows, u32 columns, u32 *out)
{
    __shared__ u32 tile[32][33];
    u32 x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;

    for (u32 j = 0; j < 32; j += 8)
        if (x < columns && y + j < rows)
            tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * columns + x];
    __syncthreads();
    x = blockIdx.y * 32 + threadIdx.x;
    y = blockIdx.x * 32 + threadIdx.y;
    for (u32 j = 0; j < 32; j += 8)
        if (x < rows && y + j < columns)
            out[(y + j) * rows + x] = tile[threadIdx.x][threadIdx.y + j];
}

/* ---- Stencils ---- */

/* Radius 3, with the block's neighbourhood in shared memory. */
KERNEL stencil_1d(const float *in, float *out, u32 n)
{
    u32 t = linear_thread(), count = threads(), i = global_thread();
    int first = (int)(linear_block() * count) - 3;
    float sum = 0;

    for (u32 k = t; k < count + 6; k += count) {
        int from = first + (int)k;

        dynamic[k] = from >= 0 && from < (int)n ? in[from] : 0;
    }
    __syncthreads();
    for (int k = 0; k <= 6; k++)
        sum += dynamic[t + k] * (float)(4 - (k < 3 ? 3 - k : k - 3));
    if (i < n)
        out[i] = sum;
}

KERNEL stencil_2d(const float *in, float *out, u32 w, u32 h)
{
    u32 x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;

    if (x >= w || y >= h)
        return;
    float centre = in[y * w + x];
    float left = x ? in[y * w + x - 1] : centre, right = x + 1 < w ? in[y * w + x + 1] : centre;
    float up = y ? in[(y - 1) * w + x] : centre, down = y + 1 < h ? in[(y + 1) * w + x] : centre;

    out[y * w + x] = centre + 0.125f * (left + right + up + down - 4 * centre);
}

KERNEL stencil_3d(const int *in, int *out, u32 w, u32 h, u32 d)
{
    u32 x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, z = blockIdx.z * blockDim.z + threadIdx.z;
    int sum = 0;

    if (x >= w || y >= h || z >= d)
        return;
    for (int k = -1; k <= 1; k++)
        for (int j = -1; j <= 1; j++)
            for (int i = -1; i <= 1; i++) {
                u32 xx = x + i, yy = y + j, zz = z + k;

                if (xx < w && yy < h && zz < d)
                    sum += in[(zz * h + yy) * w + xx] * (4 >> ((i != 0) + (j != 0) + (k != 0)));
            }
    out[(z * h + y) * w + x] = sum;
}

/* ---- Bodies ---- */

struct alignas(16) body {
    float x, y, z, mass;
};

KERNEL nbody(const body *in, body *acceleration, u32 n)
{
    body *tile = (body *)dynamic;
    u32 t = linear_thread(), count = threads(), i = global_thread();
    body me = in[i < n ? i : 0], a = {0, 0, 0, 0};

    for (u32 first = 0; first < n; first += count) {
        u32 here = n - first < count ? n - first : count;

        if (t < here)
            tile[t] = in[first + t];
        __syncthreads();
        for (u32 k = 0; k < here; k++) {
            float dx = tile[k].x - me.x, dy = tile[k].y - me.y, dz = tile[k].z - me.z;
            float r2 = dx * dx + dy * dy + dz * dz + 0.01f, r = __builtin_sqrtf(r2), s = tile[k].mass / (r2 * r);

            a.x += dx * s;
            a.y += dy * s;
            a.z += dz * s;
        }
        __syncthreads();
    }
    if (i < n)
        acceleration[i] = a;
}

/* ---- Sorting ---- */

/* One block, any number of threads, 512 elements in shared memory. */
KERNEL bitonic_block(u32 *data)
{
    __shared__ u32 s[512];
    u32 t = linear_thread(), count = threads();

    for (u32 i = t; i < 512; i += count)
        s[i] = data[linear_block() * 512 + i];
    __syncthreads();
    for (u32 size = 2; size <= 512; size *= 2)
        for (u32 stride = size / 2; stride; stride /= 2) {
            for (u32 i = t; i < 512; i += count) {
                u32 other = i ^ stride;

                if (other > i && (s[i] > s[other]) == !(i & size)) {
                    u32 v = s[i];

                    s[i] = s[other];
                    s[other] = v;
                }
            }
            __syncthreads();
        }
    for (u32 i = t; i < 512; i += count)
        data[linear_block() * 512 + i] = s[i];
}

/* One step of a sort through global memory: a launch a step. */
KERNEL bitonic_step(u64 *data, u32 n, u32 size, u32 stride)
{
    for (u32 i = global_thread(); i < n; i += blocks() * threads()) {
        u32 other = i ^ stride;

        if (other > i && (data[i] > data[other]) == !(i & size)) {
            u64 v = data[i];

            data[i] = data[other];
            data[other] = v;
        }
    }
}

/* A warp sorts its 32 values by exchanging them. */
KERNEL bitonic_warp(int *data)
{
    u32 i = global_thread();
    int value = data[i];

    for (u32 size = 2; size <= 32; size *= 2)
        for (u32 stride = size / 2; stride; stride /= 2) {
            int other = __shfl_xor_sync(FULL, value, stride);
            bool keep_small = !(lane() & size) == !(lane() & stride);

            value = (value < other) == keep_small ? value : other;
        }
    data[i] = value;
}
