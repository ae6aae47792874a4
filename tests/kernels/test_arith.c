/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels.h"

typedef _Float16 half;

enum { N = 700 };

static u32 turn(u32 x, unsigned by)
{
    return by ? x << by | x >> (32 - by) : x;
}

static u64 reversed(u64 x, unsigned bits)
{
    u64 y = 0;

    for (unsigned i = 0; i < bits; i++)
        y |= (x >> i & 1) << (bits - 1 - i);
    return y;
}

/* Numbers that lie at the edges, and any. */
static u64 edgy(void)
{
    static const u64 edges[] = {0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
        0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffffe, 0xffffffff00000000, 0xffffffff80000000};
    u64 any = (u64)rnd() << 32 | rnd();

    return rnd() & 1 ? edges[rnd() % (sizeof edges / sizeof *edges)] : any >> (rnd() & 63);
}

static void ints64(void)
{
    static i64 a[N], b[N], want[N][16];
    u32 n = N;

    for (u32 i = 0; i < N; i++) {
        i64 x = a[i] = (i64)edgy(), y = b[i] = (i64)edgy();
        u64 ux = (u64)x, uy = (u64)y;
        u32 shift = uy & 63;
        int divides = y && !(y == -1 && ux == 1ull << 63);
        i64 row[16] = {(i64)(ux + uy), (i64)(ux - uy), (i64)(ux * uy), (i64)((unsigned __int128)ux * uy >> 64), (i64)((__int128)x * y >> 64), divides ? x / y : 0,
            divides ? x % y : 0, y ? (i64)(ux / uy) : 0, y ? (i64)(ux % uy) : 0, (i64)(ux << shift), x >> shift, (i64)(ux >> shift),
            __builtin_popcountll(ux) * 1000 + (ux ? __builtin_clzll(ux) : 64), (x < y) + 2 * (ux < uy) + 4 * (x == y) + 8 * (x >= y),
            (i64)(__builtin_bswap64(ux) ^ reversed(uy, 64)), (i64)(((unsigned __int128)ux << 64 | uy) * 12345 >> 37)};

        memcpy(want[i], row, sizeof row);
    }
    FOR_SHAPES(block) {
        CUdeviceptr at_a = gpu_copy(a, sizeof a), at_b = gpu_copy(b, sizeof b), out = gpu_zeros(sizeof want);
        u32 count = shape_count(*block);

        IS_ARRAY(LAUNCH("ints64", SHAPE((N + count - 1) / count), *block, 0, &at_a, &at_b, &n, &out), out, want[0], N * 16, "64-bit integers, blocks of %s",
            shape_text(*block));
        gpu_release();
    }
}

static void ints32(void)
{
    static i32 a[N], b[N], want[N][16], quotients[N][4];
    u32 n = N;

    for (u32 i = 0; i < N; i++) {
        i32 x = a[i] = (i32)edgy(), y = b[i] = (i32)edgy();
        u32 ux = (u32)x, uy = (u32)y;
        int divides = y && !(y == -1 && ux == 1u << 31);
        i8 y8 = (i8)y;
        u8 v8 = (u8)y;
        i16 y16 = (i16)y;
        i32 row[16] = {(i32)(ux * uy + 7), (i32)((u64)ux * uy >> 32), (i32)((i64)x * y >> 32), divides ? x / y : 0, divides ? x % y : 0, y ? (i32)(ux / uy) : 0,
            y ? (i32)(ux % uy) : 0, (i32)turn(ux, uy & 31), x / 7 + x % 10 + (i32)(ux / 1000003) + x / -5 + (i32)(ux % 641),
            (i32)(__builtin_bswap32(ux) ^ (u32)reversed(uy, 32)), (i8)x * y8 + (i8)(x >> 8) / (y8 ? y8 : 1), (u8)x % (v8 ? v8 : 1) + (i16)x / (y16 ? y16 : 1),
            (i16)(ux * 3) + (u16)(uy - 1) + (u8)(ux + uy) - (i8)(ux - uy), (x < y ? x : y) ^ (i32)(ux > uy ? ux : uy) ^ (x < 0 ? -(x + 1) : x),
            __builtin_popcount(ux) + (ux ? __builtin_ctz(ux) * 100 : 3200) + __builtin_ffs(y) * 10000, (i32)((ux >> 3 & 0x1ff) | (uy & 0xff) << 9 | (u32)(x < 0) << 31)};

        memcpy(want[i], row, sizeof row);
        /* The one quotient that does not fit wraps. */
        quotients[i][0] = !y ? 0 : divides ? x / y : x;
        quotients[i][1] = divides ? x % y : 0;
        quotients[i][2] = y ? (i32)(ux / uy) : 0;
        quotients[i][3] = !y ? 0 : y == -1 ? (i32)(0 - ux) : (i32)((u64)((i64)((u64)ux << 32) / y) >> 32);
    }
    FOR_SHAPES(block) {
        CUdeviceptr at_a = gpu_copy(a, sizeof a), at_b = gpu_copy(b, sizeof b), out = gpu_zeros(sizeof want);
        u32 count = shape_count(*block), grid = (N + count - 1) / count;

        IS_ARRAY(LAUNCH("ints32", SHAPE(grid), *block, 0, &at_a, &at_b, &n, &out), out, want[0], N * 16, "32-bit integers and narrower, blocks of %s", shape_text(*block));
        IS_ARRAY(LAUNCH("divisions", SHAPE(grid), *block, 0, &at_a, &at_b, &n, &out), out, quotients[0], N * 4, "divisions that would trap, blocks of %s",
            shape_text(*block));
        gpu_release();
    }
}

/* ---- Floating point; one NaN is as good as another ---- */

#define SAME_NAN(T, p, count) \
    for (u32 i_ = 0; i_ < (count); i_++) \
        if (isnan((double)((T *)(p))[i_])) \
            memset((T *)(p) + i_, 0xff, sizeof(T))

#define IS_REAL(T, launched, got, want, count, ...) \
    do { \
        int launched_ = (launched); \
        T *seen_ = malloc((count) * sizeof(T)); \
        gpu_read(seen_, got, (count) * sizeof(T)); \
        SAME_NAN(T, seen_, count); \
        SAME_NAN(T, want, count); \
        CU(cuMemcpyHtoD_v2)(got, seen_, (count) * sizeof(T)); \
        free(seen_); \
        is_array(launched_, got, want, count, sizeof(T), __VA_ARGS__); \
    } while (0)

static float any_float(void)
{
    static const u32 edges[] = {0, 0x80000000, 1, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x3effffff,
        0x3f000000, 0x4b000001, 0xcb7fffff, 0x477fe000, 0x33000000, 0x387fc000};

    switch (rnd() % 4) {
    case 0: return bits_float(edges[rnd() % (sizeof edges / sizeof *edges)]);
    case 1: return bits_float(rnd());
    }
    return rnd_float(-1000, 1000);
}

static void halves(void)
{
    static half a[N], b[N], want[N][8];
    static i32 flags[N];
    u32 n = N;

    for (u32 i = 0; i < N; i++) {
        u16 bits[2] = {(u16)rnd(), (u16)rnd()};
        float x, y, product;

        if (rnd() & 1)
            memcpy(&a[i], &bits[0], 2);
        else
            a[i] = (half)rnd_float(-50, 50);
        if (rnd() & 1)
            memcpy(&b[i], &bits[1], 2);
        else
            b[i] = (half)rnd_float(-50, 50);
        x = (float)a[i];
        y = (float)b[i];
        want[i][0] = (half)(x + y);
        want[i][1] = (half)(x - y);
        want[i][2] = (half)(x * y);
        want[i][3] = (half)(x / y);
        want[i][4] = (half)((double)x * y + x);
        product = (float)(half)(x * y);
        want[i][5] = (half)(product + x);
        product = (float)(half)(y * 1.5f);
        want[i][6] = (half)(product + y);
        want[i][7] = (half)-x;
        flags[i] = (x < y) + 2 * (x == y) + 4 * (x != x) + 8 * (x > -100 && x < 100 ? (i32)x + 1000 : 0);
    }
    FOR_SHAPES(block) {
        CUdeviceptr at_a = gpu_copy(a, sizeof a), at_b = gpu_copy(b, sizeof b), out = gpu_zeros(sizeof want), to_flags = gpu_zeros(sizeof flags);
        u32 count = shape_count(*block);
        int done = LAUNCH("halves", SHAPE((N + count - 1) / count), *block, 0, &at_a, &at_b, &n, &out, &to_flags);

        IS_REAL(half, done, out, want[0], N * 8, "halves, blocks of %s", shape_text(*block));
        IS_ARRAY(done, to_flags, flags, N, "comparisons of halves");
        gpu_release();
    }
}

static void floats(void)
{
    static float a[N], b[N], want[N][16];
    static double c[N], d[N], want64[N][10];
    u32 n = N;

    for (u32 i = 0; i < N; i++) {
        float x = a[i] = any_float(), y = b[i] = any_float();
        double p = c[i] = rnd() & 1 ? any_float() : any_float() * 1.0000000001 + 1e-9, q = d[i] = any_float() * (rnd() & 1 ? 1e200 : 1.1);
        float row[16] = {x + y, x * y, x / y, sqrtf(x < 0 ? -x : x), fmaf(x, y, -x), floorf(x) + ceilf(y) * 2, truncf(x) - rintf(y),
            fabsf(x) < 1e6f ? (float)(i32)x + (float)(u32)(y < 1e6f && y > -1e6f ? fabsf(y) : 1) : 0, x < y ? x : y, copysignf(x, y), (float)((double)x * y),
            (float)(half)x, (float)float_bits(x), (float)(i64)((u64)float_bits(x) << 20 | float_bits(y)),
            (float)((x < y) + 2 * (x <= y) + 4 * (x == y) + 8 * (x != y) + 16 * isunordered(x, y)), bits_float(float_bits(x) ^ 0x80000000)};
        double row64[10] = {p + q, p * q, p / q, sqrt(p < 0 ? -p : p), fma(p, q, -p), floor(p) + ceil(q) * 2, (double)(float)p, p > -1e15 && p < 1e15 ? (double)(i64)p : 0,
            p < q ? p : q, copysign(trunc(q), p)};

        memcpy(want[i], row, sizeof row);
        memcpy(want64[i], row64, sizeof row64);
    }
    FOR_SHAPES(block) {
        CUdeviceptr at_a = gpu_copy(a, sizeof a), at_b = gpu_copy(b, sizeof b), out = gpu_zeros(sizeof want);
        CUdeviceptr at_c = gpu_copy(c, sizeof c), at_d = gpu_copy(d, sizeof d), out64 = gpu_zeros(sizeof want64);
        u32 count = shape_count(*block), grid = (N + count - 1) / count;

        IS_REAL(float, LAUNCH("floats32", SHAPE(grid), *block, 0, &at_a, &at_b, &n, &out), out, want[0], N * 16, "floats, blocks of %s", shape_text(*block));
        IS_REAL(double, LAUNCH("floats64", SHAPE(grid), *block, 0, &at_c, &at_d, &n, &out64), out64, want64[0], N * 10, "doubles, blocks of %s", shape_text(*block));
        gpu_release();
    }
}

static void approximations(void)
{
    static float in[N], got[N][6];
    u32 n = N, wrong = 0;
    CUdeviceptr from, out = gpu_zeros(sizeof got);
    int done;

    for (u32 i = 0; i < N; i++)
        in[i] = rnd_float(-3, 3) + 0.001f;
    from = gpu_copy(in, sizeof in);
    done = LAUNCH("approximations", SHAPE(3, 3), SHAPE(96), 0, &from, &n, &out);
    gpu_read(got, out, sizeof got);
    for (u32 i = 0; i < N; i++) {
        double x = in[i], want[6] = {exp2(x), log2(fabs(x)), 1 / sqrt(fabs(x)), sin(x), cos(x), 1 / x};

        for (int k = 0; k < 6; k++)
            wrong += !(fabs(got[i][k] - want[k]) <= 1e-6 * (1 + fabs(want[k])));
    }
    is_true(done && !wrong, "approximations of functions are close");
    gpu_release();
}

/* ---- Programs ---- */

static void mandelbrots(void)
{
    enum { W = 60, H = 40 };
    static u32 single[W * H], twice[W * H];
    u32 w = W, h = H, limit = 200;

    for (u32 at = 0; at < W * H; at++) {
        float cr = (float)(at % w) / (float)w * 3 - 2, ci = (float)(at / w) / (float)h * 2 - 1, r = 0, i = 0;
        double dr = (double)(at % w) / w * 3 - 2, di = (double)(at / w) / h * 2 - 1, a = 0, b = 0;
        u32 k;

        for (k = 0; k < limit && r * r + i * i <= 4; k++) {
            float t = r * r - i * i + cr;

            i = 2 * r * i + ci;
            r = t;
        }
        single[at] = k;
        for (k = 0; k < limit; k++) {
            double t = a * a - b * b + dr;

            b = 2 * a * b + di;
            a = t;
            if (a * a + b * b > 4)
                break;
        }
        twice[at] = k;
    }
    FOR_SHAPES(block) {
        u32 by = block->y ? block->y : 1;
        CUdeviceptr out = gpu_zeros(sizeof single);

        IS_ARRAY(LAUNCH("mandelbrot", SHAPE((W + block->x - 1) / block->x, (H + by - 1) / by), *block, 0, &w, &h, &limit, &out), out, single, W * H,
            "Mandelbrot, blocks of %s", shape_text(*block));
        IS_ARRAY(LAUNCH("mandelbrot_double", SHAPE(2, 2), *block, 0, &w, &h, &limit, &out), out, twice, W * H, "Mandelbrot in doubles");
        gpu_release();
    }
}

static void black_scholes_options(void)
{
    static float price[N], strike[N], years[N], call[N], put[N];
    u32 n = N, far = 0;

    for (u32 i = 0; i < N; i++) {
        double d1, d2;

        price[i] = rnd_float(5, 30);
        strike[i] = rnd_float(1, 100);
        years[i] = rnd_float(0.25f, 10);
        black_scholes(price[i], strike[i], years[i], &call[i], &put[i]);
        d1 = (log((double)price[i] / strike[i]) + (0.02 + 0.045) * years[i]) / (0.3 * sqrt(years[i]));
        d2 = d1 - 0.3 * sqrt(years[i]);
        far += fabs(call[i] - (price[i] * erfc(-d1 / M_SQRT2) - strike[i] * exp(-0.02 * years[i]) * erfc(-d2 / M_SQRT2)) / 2) > 1e-3;
    }
    is_true(!far, "the reference of Black-Scholes agrees with libm");
    FOR_SHAPES(block) {
        CUdeviceptr at_price = gpu_copy(price, sizeof price), at_strike = gpu_copy(strike, sizeof strike), at_years = gpu_copy(years, sizeof years);
        CUdeviceptr to_call = gpu_zeros(sizeof call), to_put = gpu_zeros(sizeof put);
        int done = LAUNCH("options", SHAPE(2), *block, 0, &at_price, &at_strike, &at_years, &n, &to_call, &to_put);

        IS_ARRAY(done, to_call, call, N, "Black-Scholes, blocks of %s", shape_text(*block));
        IS_ARRAY(done, to_put, put, N, "its puts");
        gpu_release();
    }
}

/* The table of SHA-256: the first bits of the fractions of the primes' cube roots, in whole numbers. */
static u32 cube_root_fraction(u32 prime)
{
    u64 root = 0; /* of prime << 96, below 2^35 */

    for (int bit = 35; bit >= 0; bit--) {
        u64 r = root | 1ull << bit;
        unsigned __int128 square = (unsigned __int128)r * r;

        if (square <= ((unsigned __int128)prime << 96) / r)
            root = r;
    }
    return (u32)root;
}

static void digests(void)
{
    static const u32 zeros[8] = {0xf5a5fd42, 0xd16a2030, 0x2798ef6e, 0xd309979b, 0x43003d23, 0x20d9f0e8, 0xea9831a9, 0x2759fb4b}; /* of 64 zero bytes */
    static const u32 letters[8] = {0xffe054fe, 0x7ae0cb6d, 0xc65c3af9, 0xb61d5209, 0xf439851d, 0xb43d0ba5, 0x997337df, 0x154668eb}; /* of 64 times 'a' */
    u32 k[64], want[100][8], count = 0, n = 100;
    static u8 messages[100][64];
    CUdeviceptr table, in, out = gpu_zeros(sizeof want);
    size_t size;

    for (u32 p = 2; count < 64; p++) {
        u32 d = 2;

        while (p % d)
            d++;
        if (d == p)
            k[count++] = cube_root_fraction(p);
    }
    for (u32 i = 0; i < n; i++) {
        memset(messages[i], i % 3 ? 'a' : 0, 64);
        memcpy(want[i], i % 3 ? letters : zeros, 32);
    }
    CU(cuModuleGetGlobal_v2)(&table, &size, module, "sha_k");
    CU(cuMemcpyHtoD_v2)(table, k, sizeof k);
    in = gpu_copy(messages, sizeof messages);
    IS_ARRAY(LAUNCH("sha256", SHAPE(4), SHAPE(33), 0, &in, &n, &out), out, want[0], 800, "SHA-256");
    gpu_release();
}

const struct listed listed[] = {{0}};

void kernels_test(void)
{
    ints64();
    ints32();
    halves();
    floats();
    approximations();
    mandelbrots();
    black_scholes_options();
    digests();
}
