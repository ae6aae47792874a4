/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of every width; what compilers make of it at -O0 and -O2. The last digit counts. */
#include "cuda_mini.h"
#include "both.h"

typedef half half2v __attribute__((ext_vector_type(2)));

KERNEL ints64(const i64 *a, const i64 *b, u32 n, i64 *out)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    i64 x = a[i], y = b[i], *to = out + i * 16;
    u64 ux = x, uy = y;
    u32 shift = (u32)y & 63;

    to[0] = (i64)(ux + uy);
    to[1] = (i64)(ux - uy);
    to[2] = (i64)(ux * uy);
    to[3] = (i64)((unsigned __int128)ux * uy >> 64);
    to[4] = (i64)((__int128)x * y >> 64);
    to[5] = y && !(y == -1 && ux == 1ull << 63) ? x / y : 0;
    to[6] = y && !(y == -1 && ux == 1ull << 63) ? x % y : 0;
    to[7] = y ? (i64)(ux / uy) : 0;
    to[8] = y ? (i64)(ux % uy) : 0;
    to[9] = (i64)(ux << shift);
    to[10] = x >> shift;
    to[11] = (i64)(ux >> shift);
    to[12] = __builtin_popcountll(ux) * 1000 + (ux ? __builtin_clzll(ux) : 64);
    to[13] = (x < y) + 2 * (ux < uy) + 4 * (x == y) + 8 * (x >= y);
    to[14] = (i64)__builtin_bswap64(ux) ^ (i64)__builtin_bitreverse64(uy);
    to[15] = (i64)(((unsigned __int128)ux << 64 | uy) * 12345 >> 37);
}

KERNEL ints32(const i32 *a, const i32 *b, u32 n, i32 *out)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    i32 x = a[i], y = b[i], *to = out + i * 16;
    u32 ux = x, uy = y;
    bool divides = y && !(y == -1 && ux == 1u << 31);

    to[0] = (i32)(ux * uy + 7);
    to[1] = (i32)((u64)ux * uy >> 32);
    to[2] = (i32)((i64)x * y >> 32);
    to[3] = divides ? x / y : 0;
    to[4] = divides ? x % y : 0;
    to[5] = y ? (i32)(ux / uy) : 0;
    to[6] = y ? (i32)(ux % uy) : 0;
    to[7] = (i32)__builtin_rotateleft32(ux, uy & 31);
    to[8] = x / 7 + x % 10 + (i32)(ux / 1000003) + x / -5 + (i32)(ux % 641);
    to[9] = (i32)(__builtin_bswap32(ux) ^ __builtin_bitreverse32(uy));
    to[10] = (i8)x * (i8)y + (i8)(x >> 8) / ((i8)y ? (i8)y : 1);
    to[11] = (u8)x % ((u8)y ? (u8)y : 1) + (i16)x / ((i16)y ? (i16)y : 1);
    to[12] = (i16)(ux * 3) + (u16)(uy - 1) + (u8)(ux + uy) - (i8)(ux - uy);
    to[13] = (x < y ? x : y) ^ (i32)(ux > uy ? ux : uy) ^ (x < 0 ? -(x + 1) : x);
    to[14] = __builtin_popcount(ux) + (ux ? __builtin_ctz(ux) * 100 : 3200) + __builtin_ffs(y) * 10000;
    to[15] = (i32)((ux >> 3 & 0x1ff) | (uy & 0xff) << 9 | (u32)(x < 0) << 31);
}

/* Divisions that trap on other machines: here they end, and the kernel goes on. */
KERNEL divisions(const i32 *a, const i32 *b, u32 n, i32 *out)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    i32 q, r;
    u32 uq;
    i64 q64, wide = (i64)((u64)(u32)a[i] << 32);

    asm volatile("div.s32 %0, %1, %2;" : "=r"(q) : "r"(a[i]), "r"(b[i]));
    asm volatile("rem.s32 %0, %1, %2;" : "=r"(r) : "r"(a[i]), "r"(b[i]));
    asm volatile("div.u32 %0, %1, %2;" : "=r"(uq) : "r"(a[i]), "r"(b[i]));
    asm volatile("div.s64 %0, %1, %2;" : "=l"(q64) : "l"(wide), "l"((i64)b[i]));
    out[i * 4] = b[i] ? q : 0;
    out[i * 4 + 1] = b[i] ? r : 0;
    out[i * 4 + 2] = b[i] ? (i32)uq : 0;
    out[i * 4 + 3] = b[i] ? (i32)(q64 >> 32) : 0;
}

/* Halves: each operation rounds to half. */
KERNEL halves(const half *a, const half *b, u32 n, half *out, i32 *flags)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    half x = a[i], y = b[i], *to = out + i * 8;
    half2v v = {x, y}, w = {y, (half)1.5f}, z = v * w + v;

    to[0] = x + y;
    to[1] = x - y;
    to[2] = x * y;
    to[3] = x / y;
    to[4] = __builtin_fmaf16(x, y, x);
    to[5] = z.x;
    to[6] = z.y;
    to[7] = -x;
    flags[i] = (x < y) + 2 * (x == y) + 4 * (x != x) + 8 * (i32)(x > (half)-100.0f && x < (half)100.0f ? (i32)x + 1000 : 0);
}

KERNEL floats32(const float *a, const float *b, u32 n, float *out)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    float x = a[i], y = b[i], *to = out + i * 16;

    to[0] = x + y;
    to[1] = x * y;
    to[2] = x / y;
    to[3] = __builtin_sqrtf(x < 0 ? -x : x);
    to[4] = __builtin_fmaf(x, y, -x);
    to[5] = __builtin_floorf(x) + __builtin_ceilf(y) * 2;
    to[6] = __builtin_truncf(x) - __builtin_rintf(y);
    to[7] = __builtin_fabsf(x) < 1e6f ? (float)(i32)x + (float)(u32)(y < 1e6f && y > -1e6f ? __builtin_fabsf(y) : 1) : 0;
    to[8] = x < y ? x : y;
    to[9] = __builtin_copysignf(x, y);
    to[10] = (float)((double)x * y);
    to[11] = (float)(half)x;
    to[12] = (float)float_bits(x);
    to[13] = (float)(i64)((u64)float_bits(x) << 20 | float_bits(y));
    to[14] = (float)((x < y) + 2 * (x <= y) + 4 * (x == y) + 8 * (x != y) + 16 * __builtin_isunordered(x, y));
    to[15] = bits_float(float_bits(x) ^ 0x80000000);
}

KERNEL floats64(const double *a, const double *b, u32 n, double *out)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    double x = a[i], y = b[i], *to = out + i * 10;

    to[0] = x + y;
    to[1] = x * y;
    to[2] = x / y;
    to[3] = __builtin_sqrt(x < 0 ? -x : x);
    to[4] = __builtin_fma(x, y, -x);
    to[5] = __builtin_floor(x) + __builtin_ceil(y) * 2;
    to[6] = (double)(float)x;
    to[7] = x > -1e15 && x < 1e15 ? (double)(i64)x : 0;
    to[8] = x < y ? x : y;
    to[9] = __builtin_copysign(__builtin_trunc(y), x);
}

/* The machine's approximations: checked with a tolerance. */
KERNEL approximations(const float *in, u32 n, float *out)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    float x = in[i], *to = out + i * 6;

    to[0] = __nvvm_ex2_approx_f(x);
    to[1] = __nvvm_lg2_approx_f(__builtin_fabsf(x));
    to[2] = __nvvm_rsqrt_approx_f(__builtin_fabsf(x));
    to[3] = __nvvm_sin_approx_f(x);
    to[4] = __nvvm_cos_approx_f(x);
    to[5] = __nvvm_rcp_approx_ftz_f(x);
}

/* ---- Programs ---- */

KERNEL mandelbrot(u32 w, u32 h, u32 limit, u32 *out)
{
    u32 x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, k = 0;

    if (x >= w || y >= h)
        return;
    float cr = (float)x / (float)w * 3 - 2, ci = (float)y / (float)h * 2 - 1, r = 0, i = 0;

    while (k < limit && r * r + i * i <= 4) {
        float t = r * r - i * i + cr;

        i = 2 * r * i + ci;
        r = t;
        k++;
    }
    out[y * w + x] = k;
}

KERNEL mandelbrot_double(u32 w, u32 h, u32 limit, u32 *out)
{
    for (u32 at = global_thread(); at < w * h; at += blocks() * threads()) {
        double cr = (double)(at % w) / w * 3 - 2, ci = (double)(at / w) / h * 2 - 1, r = 0, i = 0;
        u32 k = 0;

        for (; k < limit; k++) {
            double t = r * r - i * i + cr;

            i = 2 * r * i + ci;
            r = t;
            if (r * r + i * i > 4)
                break;
        }
        out[at] = k;
    }
}

KERNEL options(const float *price, const float *strike, const float *years, u32 n, float *call, float *put)
{
    for (u32 i = global_thread(); i < n; i += blocks() * threads())
        black_scholes(price[i], strike[i], years[i], &call[i], &put[i]);
}

__constant__ u32 sha_k[64];

/* SHA-256 of a thread's 64 bytes: one block, one of padding. */
KERNEL sha256(const u8 *messages, u32 n, u32 *digests)
{
    u32 i = global_thread();

    if (i >= n)
        return;
    u32 h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    for (u32 part = 0; part < 2; part++) {
        u32 w[64], s[8];

        for (u32 k = 0; k < 16; k++)
            if (part == 0) {
                const u8 *p = messages + i * 64 + k * 4;

                w[k] = (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
            } else
                w[k] = k == 0 ? 0x80000000 : k == 15 ? 512 : 0;
        for (u32 k = 16; k < 64; k++) {
            u32 a = w[k - 15], b = w[k - 2];

            a = __builtin_rotateright32(a, 7) ^ __builtin_rotateright32(a, 18) ^ a >> 3;
            b = __builtin_rotateright32(b, 17) ^ __builtin_rotateright32(b, 19) ^ b >> 10;
            w[k] = w[k - 16] + a + w[k - 7] + b;
        }
        for (u32 k = 0; k < 8; k++)
            s[k] = h[k];
        for (u32 k = 0; k < 64; k++) {
            u32 e = s[4], a = s[0];
            u32 t1 = s[7] + (__builtin_rotateright32(e, 6) ^ __builtin_rotateright32(e, 11) ^ __builtin_rotateright32(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + sha_k[k] + w[k];
            u32 t2 = (__builtin_rotateright32(a, 2) ^ __builtin_rotateright32(a, 13) ^ __builtin_rotateright32(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

            for (u32 j = 7; j; j--)
                s[j] = s[j - 1];
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (u32 k = 0; k < 8; k++)
            h[k] += s[k];
    }
    for (u32 k = 0; k < 8; k++)
        digests[i * 8 + k] = h[k];
}
