/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "kernels.h"

static const struct shape grids[] = {{3}, {2, 2}, {1, 2, 3}};

static void shapes(void)
{
    FOR_SHAPES(block)
        for (int g = 0; g < 3; g++) {
            u32 n = shape_count(*block), b = shape_count(grids[g]), bx = block->x, by = block->y ? block->y : 1, bz = block->z ? block->z : 1;
            u32 gx = grids[g].x, gy = grids[g].y ? grids[g].y : 1, gz = grids[g].z ? grids[g].z : 1, (*want)[14] = malloc(b * n * sizeof *want);
            CUdeviceptr out = gpu_zeros(b * n * sizeof *want);

            for (u32 i = 0; i < b * n; i++) {
                u32 t = i % n, at = i / n, left = n - t / 32 * 32;
                u32 row[14] = {t % bx, t / bx % by, t / bx / by, at % gx, at / gx % gy, at / gx / gy, bx, by, bz, gx, gy, gz, t % 32, left >= 32 ? ~0u : (1u << left) - 1};

                memcpy(want[i], row, sizeof row);
            }
            IS_ARRAY(LAUNCH("coordinates", grids[g], *block, 0, &out), out, want[0], b * n * 14, "coordinates in a grid of %s, blocks of %s", shape_text(grids[g]),
                shape_text(*block));
            free(want);
            gpu_release();
        }
}

/* ---- Variables ---- */

static CUdeviceptr variable(const char *name, size_t expected)
{
    CUdeviceptr at = 0;
    size_t size = 0;
    int status = CU(cuModuleGetGlobal_v2)(&at, &size, module, name);

    is_true(!status && size == expected, "%s has %zu bytes", name, expected);
    return at;
}

static void variables(void)
{
    struct {
        u8 tag;
        i16 small;
        u64 p, text;
        double real;
    } record = {.tag = 5, .small = -100};
    CUdeviceptr at = variable("constants", 256), at_record = variable("constant_record", sizeof record), at_variables = variable("variables", 16);
    u32 values[4] = {10, 20, 30, 0};

    for (u32 round = 0; round < 2; round++) {
        u32 constants[64], want[200];
        CUdeviceptr out = gpu_zeros(sizeof want);

        for (u32 i = 0; i < 64; i++)
            constants[i] = rnd();
        record.tag++;
        CU(cuMemcpyHtoD_v2)(at, constants, sizeof constants);
        CU(cuMemcpyHtoD_v2)(at_record, &record, sizeof record);
        for (u32 i = 0; i < 200; i++)
            want[i] = constants[i % 64] * 3 + constants[i / 50] + constants[3] + record.tag + (u32)record.small;
        IS_ARRAY(LAUNCH("read_constants", SHAPE(4), SHAPE(50), 0, &out), out, want, 200, "constants written by the host, round %u", round);
        gpu_release();
    }
    IS_ARRAY(1, at_variables, values, 4, "initial values");
    for (u32 by = 1; by < 3; by++) {
        u32 want[96];
        CUdeviceptr out = gpu_zeros(sizeof want);
        int done = LAUNCH("write_variables", SHAPE(1), SHAPE(32), 0, &by) && LAUNCH("read_variables", SHAPE(1), SHAPE(96), 0, &out);

        for (u32 i = 0; i < 4; i++)
            values[i] += by * (i + 1);
        for (u32 i = 0; i < 96; i++) {
            static const char *const text[] = {"one", "two", ""};
            u32 sum = (i % 3 + 1) * 1000 + (u32)(int[]){-5, -6, 7}[i % 3] + (i % 3 == 0) + (u32[]){values[1], values[2], 0}[i % 3];

            for (const char *c = text[i % 3]; *c; c++)
                sum = sum * 31 + (u8)*c;
            want[i] = sum + (i % 5 + 1) - (i % 3 + 1) + 6 + 2 * by + 3;
        }
        IS_ARRAY(done, out, want, 96, "variables with initial values, round %u", by);
        IS_ARRAY(done, at_variables, values, 4, "variables that a kernel changes");
        gpu_release();
    }
}

/* ---- Arguments ---- */

struct mixed {
    u8 a;
    u64 b;
    i16 c;
    float d;
    double e;
    u8 bytes[7];
    struct {
        u32 x : 5, y : 11, z : 16;
    } fields;
};

static void arguments(void)
{
    u8 byte = 200;
    u16 word = 60000;
    u64 p[2] = {1ull << 40, 77}, want_p[100][2];
    u32 want_word[100], big[300], want_big[100];
    struct mixed m, want[100];
    CUdeviceptr to = gpu_zeros(sizeof want), to_p = gpu_zeros(sizeof want_p), to_word = gpu_zeros(sizeof want_word);
    int done, same = 1;

    memset(&m, 0, sizeof m);
    m = (struct mixed){200, 1ull << 50, -3, 1.25f, -1e100, {1, 2, 3, 4, 5, 6, 7}, {9, 1000, 50000}};
    for (u32 i = 0; i < 100; i++) {
        memcpy(&want[i], &m, sizeof m);
        want[i].a += i;
        want[i].b ^= i;
        want[i].bytes[i % 7] = (u8)i;
        want[i].fields.y += i;
        want_p[i][0] = p[1];
        want_p[i][1] = p[0] + i;
        want_word[i] = 200 * 1000 + 60000;
    }
    done = LAUNCH("arguments", SHAPE(2), SHAPE(50), 0, &byte, &m, &word, p, &to, &to_p, &to_word);
    struct mixed got[100];
    gpu_read(got, to, sizeof got);
    /* Member by member: padding is nobody's. */
    for (u32 i = 0; i < 100; i++)
        same &= got[i].a == want[i].a && got[i].b == want[i].b && got[i].c == want[i].c && got[i].d == want[i].d && got[i].e == want[i].e &&
                !memcmp(got[i].bytes, want[i].bytes, 7) && got[i].fields.x == want[i].fields.x && got[i].fields.y == want[i].fields.y && got[i].fields.z == want[i].fields.z;
    is_true(done && same, "structs as arguments and results");
    IS_ARRAY(done, to_p, want_p[0], 200, "a pair of 64-bit values as argument and result");
    IS_ARRAY(done, to_word, want_word, 100, "bytes and shorts between them");
    for (u32 i = 0; i < 300; i++)
        big[i] = rnd();
    for (u32 i = 0; i < 100; i++) {
        want_big[i] = big[i];
        for (u32 k = i; k < 300; k += 7)
            want_big[i] += big[k];
    }
    IS_ARRAY(LAUNCH("big_argument", SHAPE(1), SHAPE(100), 0, big, &to_word), to_word, want_big, 100, "an argument of 1200 bytes");
    gpu_release();
}

/* ---- Copies ---- */

static void copies(void)
{
    static const char *const kernels[] = {"copy_bytes", "copy_words"};
    enum { SIZE = 1200 };
    static u8 from[SIZE], to[SIZE], want[SIZE];
    static const u32 lengths[] = {0, 1, 3, 4, 7, 64, 1001};

    FOR_SHAPES(block)
        for (u32 i = 0; i < 16; i++) {
            u32 a = i % 4, b = i / 4 * 5 % 8, n = lengths[(i + block->x) % 7];

            for (int k = 0; k < SIZE; k++) {
                from[k] = (u8)rnd();
                to[k] = want[k] = (u8)rnd();
            }
            memcpy(want + a, from + b, n);
            for (int k = 0; k < 2; k++) {
                CUdeviceptr at_from = gpu_copy(from, SIZE) + b, base = gpu_copy(to, SIZE), at_to = base + a;

                IS_ARRAY(LAUNCH(kernels[k], SHAPE(2), *block, 0, &at_to, &at_from, &n), base, want, SIZE, "%s: %u bytes from +%u to +%u, blocks of %s", kernels[k], n, b,
                    a, shape_text(*block));
                gpu_release();
            }
        }
    FOR_SHAPES(block) {
        u32 in[300][4], out[300][4], n = 300;
        struct __attribute__((packed)) packed {
            u8 a;
            u32 b;
            u64 c;
            u16 d;
        } *packed = malloc(1024 * sizeof *packed);
        u32 count = shape_count(*block);
        CUdeviceptr at_in, at_out = gpu_zeros(sizeof out), at_packed, to_packed = gpu_zeros(1024 * sizeof *packed);

        for (u32 i = 0; i < 300; i++)
            for (u32 k = 0; k < 4; k++)
                out[i][3 - k] = in[i][k] = rnd();
        at_in = gpu_copy(in, sizeof in);
        IS_ARRAY(LAUNCH("copy_vectors", SHAPE(2), *block, 0, &at_out, &at_in, &n), at_out, out[0], 1200, "vectors of four words, blocks of %s", shape_text(*block));
        for (u32 i = 0; i < 1024; i++)
            packed[i] = (struct packed){(u8)rnd(), rnd(), (u64)rnd() << 32 | rnd(), (u16)rnd()};
        at_packed = gpu_copy(packed, 1024 * sizeof *packed);
        for (u32 i = 0; i < count; i++)
            packed[i] = (struct packed){packed[i].a + 1, packed[i].b + 2, packed[i].c + 3, packed[i].d + 4};
        IS_ARRAY(LAUNCH("copy_packed", SHAPE(1), *block, 0, &to_packed, &at_packed), to_packed, packed, count, "packed structs, blocks of %s", shape_text(*block));
        free(packed);
        gpu_release();
    }
}

/* ---- Shared and local memory ---- */

static void carve(struct shape block, u32 bytes)
{
    u32 count = shape_count(block), *want = malloc(count * 2 * 4);
    u8 *dynamic = malloc(bytes);
    CUdeviceptr out = gpu_zeros(count * 2 * 4);

    for (u32 i = 0; i < bytes / 8; i++) {
        u64 v = i * 0x100000001ull;

        memcpy(dynamic + i * 8, &v, 8);
    }
    for (u32 i = 0; i < count * 2; i++) {
        want[i] = bytes;
        for (u32 k = i % count; k < bytes; k += count * 5)
            want[i] = want[i] * 3 + dynamic[bytes - 1 - k] + k % 16;
    }
    IS_ARRAY(LAUNCH("carve_shared", SHAPE(2), block, bytes, &out, &bytes), out, want, count * 2, "%u bytes of dynamic shared memory, blocks of %s", bytes, shape_text(block));
    free(want);
    free(dynamic);
    gpu_release();
}

static u32 heap_sum(u32 i, u32 seed)
{
    u32 heap[256] = {0}, n = 0;
    u8 bytes[64];
    u64 wide[16], sum = 0;

    for (u32 k = 0; k < 40; k++) {
        u32 at = n++;

        heap[at] = (seed + i) * 2654435761u >> (k % 13) ^ k * 40503;
        while (at && heap[(at - 1) / 2] < heap[at]) {
            u32 parent = (at - 1) / 2, v = heap[at];

            heap[at] = heap[parent];
            heap[parent] = v;
            at = parent;
        }
    }
    for (u32 k = 0; k < 64; k++)
        bytes[k] = (u8)(heap[k % 40] >> (k % 24));
    for (u32 k = 0; k < 16; k++)
        wide[k] = heap[bytes[k] % 40] * (u64)bytes[63 - k];
    for (u32 k = 0; k < 16; k++)
        sum = sum * 7 + wide[bytes[k] % 16];
    return (u32)(sum ^ sum >> 32);
}

static void spaces(void)
{
    FOR_SHAPES(block) {
        u32 count = shape_count(*block), seed = rnd(), global[8], constants[64], *want = malloc(count * 4);
        CUdeviceptr at_global, out = gpu_zeros(count * 16), at_constants;
        size_t size;

        carve(*block, 8);
        carve(*block, 4096);
        out = gpu_zeros(count * 16);
        for (u32 i = 0; i < 64; i++)
            constants[i] = global[i % 8] = rnd();
        at_global = gpu_copy(global, sizeof global);
        CU(cuModuleGetGlobal_v2)(&at_constants, &size, module, "constants");
        CU(cuMemcpyHtoD_v2)(at_constants, constants, sizeof constants);
        for (u32 i = 0; i < count; i++) {
            want[i] = 0;
            for (u32 k = 0; k < 8; k++)
                want[i] = want[i] * 5 + (i % 4 == 0 ? global[k] : i % 4 == 1 ? k * 100 : i % 4 == 2 ? (k - i) % 8 * i : constants[k]);
            want[i] += i % 4 == 0 ? 4 : i % 4 == 1 ? 1 : i % 4 == 2 ? 2 : 0;
        }
        IS_ARRAY(LAUNCH("any_space", SHAPE(1), *block, 0, &at_global, &out), out, want, count, "a pointer to any space, blocks of %s", shape_text(*block));
        for (u32 i = 0; i < count; i++)
            want[i] = heap_sum(i, seed);
        IS_ARRAY(LAUNCH("local_arrays", SHAPE(1), *block, 0, &out, &seed), out, want, count, "local arrays, blocks of %s", shape_text(*block));
        for (u32 i = 0; i < count; i++) {
            want[i] = 0;
            for (u32 k = i % 5 + 1; k-- > 0;)
                want[i] = want[i] * 3 + i * 10 + k;
        }
        IS_ARRAY(LAUNCH("lists", SHAPE(1), *block, 0, &out), out, want, count, "lists in the device's heap, blocks of %s", shape_text(*block));
        if (strstr(variant, "sm_80")) {
            u32 (*tile)[4] = malloc(1024 * sizeof *tile), (*turned)[4] = malloc(1024 * sizeof *turned);
            CUdeviceptr from;

            for (u32 i = 0; i < count; i++)
                for (u32 k = 0; k < 4; k++)
                    turned[count - 1 - i][k] = tile[i][k] = rnd();
            from = gpu_copy(tile, count * 16);
            if (count <= 256)
                IS_ARRAY(LAUNCH("copy_async", SHAPE(1), *block, 0, &out, &from), out, turned[0], count * 4, "cp.async, blocks of %s", shape_text(*block));
            for (u32 i = 0; i < count; i++) {
                want[i] = 0;
                for (u32 k = i % 17 + 1; k-- > 0;)
                    want[i] = want[i] * 3 + k * i;
            }
            IS_ARRAY(LAUNCH("stack_sized", SHAPE(1), *block, 0, &out), out, want, count, "arrays sized at run time, blocks of %s", shape_text(*block));
            free(tile);
            free(turned);
        }
        free(want);
        gpu_release();
    }
    carve(SHAPE(256), 48 << 10);
    carve(SHAPE(100), 100 << 10);
}

/* ---- printf ---- */

/* What a kernel prints, with the program's own output out of the way. */
static int heard(char *text, size_t size, const char *kernel, struct shape grid, struct shape block, void **args)
{
    char path[] = "/tmp/vgpu-kernels-XXXXXX";
    int file = mkstemp(path), out, done;
    ssize_t n;

    fflush(stdout);
    out = dup(1);
    dup2(file, 1);
    done = gpu_launch(kernel, grid, block, 0, 0, args);
    fflush(stdout);
    dup2(out, 1);
    close(out);
    n = pread(file, text, size - 1, 0);
    text[n > 0 ? n : 0] = 0;
    close(file);
    unlink(path);
    return done;
}

static void says(const char *got, const char *want, const char *what)
{
    if (!is_true(!strcmp(got, want), "%s", what))
        printf("# got:\n%s# want:\n%s", got, want);
}

static void printing(void)
{
    static char got[1 << 16], want[1 << 16];
    int number = 12345, done;
    u32 lines = 0, seen[3][32] = {0};

    done = heard(got, sizeof got, "say", SHAPE(1), SHAPE(1), (void *[]){&number});
    snprintf(want, sizeof want,
        "plain\n%d %i %u %x %X %o %c|%5d|%-5d|%05d|%+d\n%lld %llu %llx %ld\n%f %.2f %e %g %10.3f|%-10.1f|\n%s and %s, 100%%, %10s|%-10s|%.3s\n%f as float, %hd short, "
        "%hhd byte\n",
        -number, number, 3000000000u, 0xbeef, 0xbeef, 8, 'z', 42, 42, 42, 42, -1234567890123ll, 18446744073709551615ull, 0x123456789abcdefull, -5l, 1.5, 3.14159,
        12345.678, 0.0001, 2.71828, 9.99, "strings", "", "right", "left", "truncated", 0.25, (short)-7, (signed char)-9);
    is_true(done, "a kernel that prints");
    says(got, want, "what it prints");
    done = heard(got, sizeof got, "say_threads", SHAPE(3), SHAPE(4, 2, 4), NULL);
    for (char *line = got; *line; line = strchr(line, '\n') + 1, lines++) {
        u32 b = 3, x = 0, y = 0, z = 0;

        if (sscanf(line, "block %u thread %u,%u,%u", &b, &x, &y, &z) == 4 && b < 3 && x < 4 && y < 2 && z < 4)
            seen[b][(z * 2 + y) * 4 + x]++;
        if (!strchr(line, '\n'))
            break;
    }
    for (u32 i = 0; i < 96; i++)
        done &= seen[i / 32][i % 32] == 1;
    is_true(done && lines == 96, "every thread prints its line once (%u lines)", lines);
}

const struct listed listed[] = {{0}};

void kernels_test(void)
{
    shapes();
    variables();
    arguments();
    copies();
    spaces();
    printing();
}
