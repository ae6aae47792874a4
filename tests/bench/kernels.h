/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels that both sides run, in the language that CUDA C and OpenCL C have in common; kernels.cu and kernels.cl say what
 * the words in capitals mean. One text for both, so that algorithm, sizes and group shapes are the same. */

#define GLOBAL_X (GROUP_X * WIDTH_X + LOCAL_X)

/* ---- Arithmetic ---- */

#define CHAINS 8

/* Eight independent chains of n steps in each thread. */
KERNEL fma_chain(GLOBAL float *out, float a, float b, int n)
{
    float x[CHAINS], sum = 0;

    for (int c = 0; c < CHAINS; c++)
        x[c] = (float)(LOCAL_X + c);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < CHAINS; c++)
            x[c] = FMA(x[c], a, b);
    for (int c = 0; c < CHAINS; c++)
        sum += x[c];
    out[GLOBAL_X] = sum;
}

#define TILE 16

/* C = A * B, square, n a multiple of 16; groups of 16 x 16. */
KERNEL matmul_tiled(GLOBAL const float *a, GLOBAL const float *b, GLOBAL float *c, int n)
{
    SHARED float ta[TILE][TILE];
    SHARED float tb[TILE][TILE];
    int x = LOCAL_X, y = LOCAL_Y, row = GROUP_Y * TILE + y, column = GROUP_X * TILE + x;
    float sum = 0;

    for (int k = 0; k < n; k += TILE) {
        ta[y][x] = a[row * n + k + x];
        tb[y][x] = b[(k + y) * n + column];
        BARRIER();
        for (int i = 0; i < TILE; i++)
            sum = FMA(ta[y][i], tb[i][x], sum);
        BARRIER();
    }
    c[row * n + column] = sum;
}

KERNEL matmul_naive(GLOBAL const float *a, GLOBAL const float *b, GLOBAL float *c, int n)
{
    int row = GROUP_Y * WIDTH_Y + LOCAL_Y, column = GROUP_X * WIDTH_X + LOCAL_X;
    float sum = 0;

    for (int k = 0; k < n; k++)
        sum = FMA(a[row * n + k], b[k * n + column], sum);
    c[row * n + column] = sum;
}

/* Steps until z leaves the circle of radius 2, at most 'most'. */
KERNEL mandelbrot(GLOBAL int *steps, int width, float left, float top, float pixel, int most)
{
    int px = GROUP_X * WIDTH_X + LOCAL_X, py = GROUP_Y * WIDTH_Y + LOCAL_Y, i = 0;
    float cx = left + (float)px * pixel, cy = top + (float)py * pixel, x = 0, y = 0, xx = 0, yy = 0;

    while (i < most && xx + yy <= 4) {
        y = FMA(2 * x, y, cy);
        x = xx - yy + cx;
        xx = x * x;
        yy = y * y;
        i++;
    }
    steps[py * width + px] = i;
}

#define BODIES 256

/* Accelerations; positions and masses are four floats a body, groups of 256. */
KERNEL nbody(GLOBAL const float *bodies, GLOBAL float *force, int n)
{
    SHARED float tile[BODIES][4];
    int me = GLOBAL_X, t = LOCAL_X;
    float x = bodies[4 * me], y = bodies[4 * me + 1], z = bodies[4 * me + 2], fx = 0, fy = 0, fz = 0;

    for (int first = 0; first < n; first += BODIES) {
        for (int i = 0; i < 4; i++)
            tile[t][i] = bodies[4 * (first + t) + i];
        BARRIER();
        for (int i = 0; i < BODIES; i++) {
            float dx = tile[i][0] - x, dy = tile[i][1] - y, dz = tile[i][2] - z;
            float inverse = RSQRT(FMA(dx, dx, FMA(dy, dy, FMA(dz, dz, 0.01f))));
            float pull = tile[i][3] * inverse * inverse * inverse;

            fx = FMA(dx, pull, fx);
            fy = FMA(dy, pull, fy);
            fz = FMA(dz, pull, fz);
        }
        BARRIER();
    }
    force[3 * me] = fx;
    force[3 * me + 1] = fy;
    force[3 * me + 2] = fz;
}

/* The normal distribution's cumulative function, by a well-known polynomial of 1 / (1 + 0.2316419 |x|). */
FUNCTION float cdf(float x)
{
    float a = ABS(x), k = 1 / (1 + 0.2316419f * a);
    float w = k * (0.31938153f + k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f))));

    w *= 0.39894228f * EXP(-0.5f * a * a);
    return x < 0 ? w : 1 - w;
}

KERNEL black_scholes(GLOBAL const float *price, GLOBAL const float *strike, GLOBAL const float *years, GLOBAL float *call,
                     GLOBAL float *put, float rate, float volatility)
{
    int i = GLOBAL_X;
    float root = SQRT(years[i]), d1, d2, discounted, n1, n2;

    d1 = (LOG(price[i] / strike[i]) + (rate + 0.5f * volatility * volatility) * years[i]) / (volatility * root);
    d2 = d1 - volatility * root;
    discounted = strike[i] * EXP(-rate * years[i]);
    n1 = cdf(d1);
    n2 = cdf(d2);
    call[i] = price[i] * n1 - discounted * n2;
    put[i] = discounted * (1 - n2) - price[i] * (1 - n1);
}

/* ---- Memory ---- */

KERNEL copy(GLOBAL const float *x, GLOBAL float *y)
{
    y[GLOBAL_X] = x[GLOBAL_X];
}

KERNEL saxpy(float a, GLOBAL const float *x, GLOBAL float *y)
{
    y[GLOBAL_X] = FMA(a, x[GLOBAL_X], y[GLOBAL_X]);
}

#define REDUCE 256

/* Each group of 256 adds up 512 floats. */
KERNEL reduce(GLOBAL const float *in, GLOBAL float *sums)
{
    SHARED float part[REDUCE];
    int t = LOCAL_X, at = GROUP_X * REDUCE * 2 + t;

    part[t] = in[at] + in[at + REDUCE];
    BARRIER();
    for (int stride = REDUCE / 2; stride > 0; stride /= 2) {
        if (t < stride)
            part[t] += part[t + stride];
        BARRIER();
    }
    if (t == 0)
        sums[GROUP_X] = part[0];
}

#define SCAN 256

/* Inclusive sums within each group of 256, and the group's total. */
KERNEL scan_groups(GLOBAL const int *in, GLOBAL int *out, GLOBAL int *totals)
{
    SHARED int sum[2][SCAN];
    int t = LOCAL_X, from = 0;

    sum[0][t] = in[GLOBAL_X];
    BARRIER();
    for (int stride = 1; stride < SCAN; stride *= 2) {
        sum[1 - from][t] = t >= stride ? sum[from][t] + sum[from][t - stride] : sum[from][t];
        from = 1 - from;
        BARRIER();
    }
    out[GLOBAL_X] = sum[from][t];
    if (t == SCAN - 1)
        totals[GROUP_X] = sum[from][t];
}

/* What all earlier groups add up to. */
KERNEL scan_add(GLOBAL int *out, GLOBAL const int *totals)
{
    if (GROUP_X > 0)
        out[GLOBAL_X] += totals[GROUP_X - 1];
}

#define SQUARE 32

/* Groups of 32 x 8 move squares of 32 x 32. */
KERNEL transpose(GLOBAL const float *in, GLOBAL float *out, int n)
{
    SHARED float tile[SQUARE][SQUARE + 1];
    int x = LOCAL_X, y = LOCAL_Y;

    for (int i = 0; i < SQUARE; i += 8)
        tile[y + i][x] = in[(GROUP_Y * SQUARE + y + i) * n + GROUP_X * SQUARE + x];
    BARRIER();
    for (int i = 0; i < SQUARE; i += 8)
        out[(GROUP_X * SQUARE + y + i) * n + GROUP_Y * SQUARE + x] = tile[x][y + i];
}

#define BINS 256

/* Counts of byte values, first within the group; each thread takes 'each' words of four. */
KERNEL histogram(GLOBAL const uint *in, GLOBAL int *bins, int each)
{
    SHARED int local_bins[BINS];
    int t = LOCAL_X, first = GROUP_X * WIDTH_X * each + t;

    local_bins[t] = 0;
    BARRIER();
    for (int i = 0; i < each; i++) {
        uint word = in[first + i * WIDTH_X];

        for (int b = 0; b < 4; b++)
            ADD_SHARED(&local_bins[word >> 8 * b & 255], 1);
    }
    BARRIER();
    ADD_GLOBAL(&bins[t], local_bins[t]);
}

/* Five points of a plane; the border keeps its values. */
KERNEL stencil(GLOBAL const float *in, GLOBAL float *out, int n)
{
    int x = GROUP_X * WIDTH_X + LOCAL_X, y = GROUP_Y * WIDTH_Y + LOCAL_Y, at = y * n + x;

    if (x > 0 && x < n - 1 && y > 0 && y < n - 1)
        out[at] = 0.5f * in[at] + 0.125f * (in[at - 1] + in[at + 1] + in[at - n] + in[at + n]);
    else
        out[at] = in[at];
}
