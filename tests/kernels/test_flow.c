/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

static void collatz(struct shape block)
{
    enum { N = 1500 };
    static u32 in[N], steps[N], highest[N];
    u32 n = N, count = shape_count(block);
    CUdeviceptr from, to_steps = gpu_zeros(sizeof in), to_highest = gpu_zeros(sizeof in);
    int done;

    for (u32 i = 0; i < N; i++) {
        u64 x = in[i] = i < 1000 ? i : rnd() >> 4, top = x;

        steps[i] = 0;
        for (; x > 1; steps[i]++) {
            x = x & 1 ? 3 * x + 1 : x >> 1;
            top = x > top ? x : top;
        }
        highest[i] = (u32)(top ^ top >> 32);
    }
    from = gpu_copy(in, sizeof in);
    done = LAUNCH("collatz", SHAPE((N + count - 1) / count), block, 0, &from, &n, &to_steps, &to_highest);
    IS_ARRAY(done, to_steps, steps, N, "steps");
    IS_ARRAY(done, to_highest, highest, N, "heights");
}

/* ---- Recursion ---- */

static u32 fibonacci(u32 n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static u32 ackermann(u32 m, u32 n)
{
    return !m ? n + 1 : !n ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static u32 frames(u32 depth, u32 seed)
{
    return (depth ? frames(depth - 1, mix(seed + (depth & 7))) : 0) + mix(seed + (seed & 7));
}

static void hanoi(u32 n, u32 from, u32 to, u8 *moves, u32 *count)
{
    if (!n)
        return;
    hanoi(n - 1, from, 3 - from - to, moves, count);
    moves[(*count)++] = (u8)(from << 4 | to);
    hanoi(n - 1, 3 - from - to, to, moves, count);
}

static void recursion(struct shape block)
{
    static u32 want[1024][4];
    u32 count = shape_count(block);
    CUdeviceptr to = gpu_zeros(sizeof want);

    for (u32 i = 0; i < count; i++) {
        want[i][0] = fibonacci(i % 12);
        want[i][1] = ackermann(i % 3, i % 5);
        want[i][2] = i % 40 % 2 ? 1 : 2;
        want[i][3] = frames(i % 20, i);
    }
    IS_ARRAY(LAUNCH("recursion", SHAPE(1), block, 0, &to), to, want[0], count * 4, "results");
}

static void towers(struct shape block)
{
    static u32 counts[1024];
    static u8 moves[1024][32];
    u32 count = shape_count(block);
    CUdeviceptr to_moves = gpu_zeros(sizeof moves), to_counts = gpu_zeros(sizeof counts);

    memset(moves, 0, sizeof moves);
    memset(counts, 0, sizeof counts);
    for (u32 i = 0; i < count; i++)
        hanoi(i % 6, 0, 2, moves[i], &counts[i]);
    IS_ARRAY(LAUNCH("towers", SHAPE(1), block, 0, &to_moves, &to_counts), to_moves, moves[0], count * 32, "moves");
    IS_ARRAY(1, to_counts, counts, count, "their number");
}

/* ---- Pointers ---- */

static u32 call(u32 which, u32 a, u32 b)
{
    switch (which) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a ^ b;
    }
    return call(a & 3, a, b) + call(3 - (b & 3), b, a);
}

static void pointers(struct shape block)
{
    for (u32 mode = 0; mode < 4; mode++) {
        static u32 a[1024], b[1024], want[1024];
        u32 count = shape_count(block);
        CUdeviceptr at_a, at_b, to = gpu_zeros(sizeof want);

        for (u32 i = 0; i < count; i++) {
            u32 which;

            a[i] = rnd();
            b[i] = rnd();
            which = (mode == 0 ? 1 : mode == 1 ? i % 32 : mode == 2 ? i / 32 : a[i]) % 5;
            want[i] = call(which, a[i], b[i]) ^ call(4 - which, b[i], a[i]);
        }
        at_a = gpu_copy(a, sizeof a);
        at_b = gpu_copy(b, sizeof b);
        IS_ARRAY(LAUNCH("pointers", SHAPE(1), block, 0, &at_a, &at_b, &to, &mode), to, want, count, "results, mode %u", mode);
    }
}

static void virtual_calls(struct shape block)
{
    u32 count = shape_count(block) * 3, *want = malloc(count * 4);
    CUdeviceptr out = gpu_zeros(count * 4);

    for (u32 i = 0; i < count; i++)
        want[i] = i % 3 ? i * i * 10 + 4 : (2 * (i + 3) + i) * 10 + 6;
    IS_ARRAY(LAUNCH("virtual_calls", SHAPE(3), block, 0, &out), out, want, count, "results");
    free(want);
}

static void stored_pointers(void)
{
    for (u32 which = 0; which < 4; which++) {
        CUdeviceptr to = gpu_zeros(8), out = gpu_zeros(64 * 4);
        u32 want[64];
        int done = LAUNCH("pointer_store", SHAPE(1), SHAPE(1), 0, &to, &which) && LAUNCH("pointer_call", SHAPE(1), SHAPE(64), 0, &to, &out);

        for (u32 i = 0; i < 64; i++)
            want[i] = i & 1 ? call(which, i, 1000) : i ^ 1000;
        IS_ARRAY(done, out, want, 64, "a pointer to function %u kept in memory between launches", which);
        gpu_release();
    }
}

const struct listed listed[] = {LISTED_FLOW(LISTED_ROW){0}};

/* ---- Switches ---- */

static u32 dense(u32 op, u32 x)
{
    switch (op) {
    case 0: return x + 1;
    case 1: return x * 3;
    case 2: return x ^ 0x55;
    case 3: return x >> 3;
    case 4: return (x + 7) << 2;
    case 5: return x << 2;
    case 6: return ~x;
    case 7: return x % 13;
    case 8: return x / 5;
    case 9: return (u32)__builtin_popcount(x);
    case 10: return x ? (u32)__builtin_clz(x) : 32;
    case 11:
        for (u32 i = op = 0; i < 32; i++)
            op |= (x >> i & 1) << (31 - i);
        return op;
    }
    return 0;
}

static u32 sparse(u32 x)
{
    return x == 0 ? 1 : x == 10 ? 2 : x == 1000 ? 3 : x == 100000 ? 4 : x == 0xffffffff ? 5 : x > 500 ? 6 : 7;
}

static u32 tangled(u32 x)
{
    u32 sum = 0;

    for (u32 a = 0; a < (x & 15) + 1; a++) {
        if ((x >> a & 7) == 3)
            continue;
        for (u32 b = a;; b += 3) {
            if (b > 20)
                break;
            if ((x >> (b & 31) & 3) == 1)
                goto next;
            sum += a * b + 1;
            do {
                sum = sum * 5 + 1;
            } while (sum % 4 != 1);
        }
        if (sum % 17 == 5)
            break;
        sum += 1000;
    next:;
    }
    return sum;
}

static void switches(void)
{
    enum { N = 1100 };
    static u32 in[N], want[N], tangle[N], table[N];
    u32 n = N;

    for (u32 i = 0; i < N; i++) {
        u32 x = in[i] = i < 20 ? (u32[]){0, 10, 1000, 100000, 0xffffffff}[i % 5] : rnd();

        want[i] = 0;
        for (u32 step = 0; step < 20; step++) {
            x = dense((x + step) % 13, x);
            want[i] += x;
        }
        x = in[i];
        want[i] += sparse(x % 7 == 0 ? 1000 : x % 11 == 0 ? 10 : x);
        tangle[i] = tangled(x);
        table[i] = (u32[]){x + 1, x * 5, x ^ 77, x ^ 77}[x & 3];
    }
    FOR_SHAPES(block) {
        u32 count = shape_count(*block), grid = (N + count - 1) / count;
        CUdeviceptr from = gpu_copy(in, sizeof in), to = gpu_zeros(sizeof in);

        IS_ARRAY(LAUNCH("switches", SHAPE(grid), *block, 0, &from, &n, &to), to, want, N, "switches, blocks of %s", shape_text(*block));
        IS_ARRAY(LAUNCH("tangled", SHAPE(grid), *block, 0, &from, &n, &to), to, tangle, N, "break, continue and goto, blocks of %s", shape_text(*block));
        grid = N / count;
        if (grid)
            IS_ARRAY(LAUNCH("branch_table", SHAPE(grid), *block, 0, &from, &to), to, table, grid * count, "brx.idx, blocks of %s", shape_text(*block));
        gpu_release();
    }
}

/* ---- Barriers ---- */

static void barriers(void)
{
    FOR_SHAPES(block) {
        u32 count = shape_count(*block), keeps[] = {1, count / 2, count - 1, count > 32 ? 32 : 1, count > 40 ? 40 : 1, count};
        static u32 want[1024];

        for (unsigned k = 0; k < sizeof keeps / sizeof *keeps; k++) {
            u32 keep = keeps[k];
            CUdeviceptr out = gpu_zeros(count * 4);

            for (u32 t = 0; t < count; t++)
                want[t] = t < keep ? (keep - 1 - t) * 3 : 0;
            IS_ARRAY(LAUNCH("early_return", SHAPE(1), *block, 0, &out, &keep), out, want, count, "%u of %s threads stay for the barrier", keep, shape_text(*block));
            gpu_release();
        }
    }
    for (u32 count = 64; count <= 1024; count *= 2) {
        static u32 s[1024], next[1024], want[1024];
        u32 first = count / 64 * 32;
        CUdeviceptr out = gpu_zeros(count * 4);

        for (u32 t = 0; t < count; t++)
            s[t] = mix(t);
        for (u32 step = 0; step < 7; step++) {
            for (u32 t = 0; t < count; t++)
                next[t] = t >= first ? s[t] ^ s[first + (t - first + 1) % (count - first)] * 3 : step < 4 ? s[t] + s[(t + 33) % first] : s[t];
            memcpy(s, next, sizeof s);
        }
        for (u32 t = 0; t < count; t++)
            want[t] = s[count - 1 - t];
        IS_ARRAY(LAUNCH("warp_barriers", SHAPE(1), SHAPE(count), 0, &out), out, want, count, "two halves of %u threads at barriers of their own", count);
        for (u32 t = 0; t < count; t++)
            want[t] = count - 1 - t;
        IS_ARRAY(LAUNCH("split_barrier", SHAPE(1), SHAPE(count), 0, &out), out, want, count, "one barrier from two places, %u threads", count);
        gpu_release();
    }
}

static void shuffles(void)
{
    u32 value[32], want[32];
    CUdeviceptr out = gpu_zeros(sizeof want);

    for (u32 l = 0; l < 32; l++)
        value[l] = l & 1 ? (l + 2) % 32 * 10 : (l ^ 4) * 100 + 10;
    for (u32 l = 0; l < 32; l++)
        want[l] = value[l] + (l ? value[l - 1] : value[l]) + 1000 + 20000;
    IS_ARRAY(LAUNCH("divergent_shuffles", SHAPE(1), SHAPE(32), 0, &out), out, want, 32, "shuffles and votes in divergent code");
    gpu_release();
}

static void loops(void)
{
    u32 rounds = 200000, want[96];
    CUdeviceptr out = gpu_zeros(sizeof want);

    for (u32 i = 0; i < 96; i++) {
        want[i] = i + 1;
        for (u32 k = 0; k < rounds; k++)
            want[i] = want[i] * 1664525 + 1013904223 + (k ^ i);
    }
    IS_ARRAY(LAUNCH("long_loop", SHAPE(2), SHAPE(48), 0, &rounds, &out), out, want, 96, "a loop of %u rounds", rounds);
    gpu_release();
}

void kernels_test(void)
{
    stored_pointers();
    switches();
    barriers();
    shuffles();
    loops();
}
