/* SPDX-License-Identifier: Apache-2.0 */
/* A short deterministic run of a fuzz target, where libFuzzer is not: driver ROUNDS SEED... feeds each seed as it is, then
 * ROUNDS changed copies of it. The same changes every time; a crash names the seed and round by what was printed last. */
#include <stdlib.h>

#include "fuzz.h"
#include "tap.h"

#define MAX_SEED ((size_t)64 << 10)

static uint64_t state;
static uint64_t roll(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static size_t mutate(uint8_t *data, size_t n, size_t room)
{
    for (unsigned times = 1 + roll() % 6; times && n; times--) {
        size_t a = roll() % n, b = roll() % n, len = 1 + roll() % 64;

        if (len > n - a)
            len = n - a;
        switch (roll() % 6) {
        case 0: /* flip a bit */
            data[a] ^= 1 << roll() % 8;
            break;
        case 1: /* another byte */
            data[a] = roll();
            break;
        case 2: /* an extreme number */
            if (len >= 8)
                memcpy(data + a, (const uint64_t[]){0, UINT64_MAX, 0x7fffffff, 0x80000000ffffffff} + roll() % 4, 8);
            break;
        case 3: /* copy a piece over another */
            if (b + len <= n)
                memmove(data + b, data + a, len);
            break;
        case 4: /* double a piece */
            if (n + len <= room) {
                memmove(data + a + len, data + a, n - a);
                n += len;
            }
            break;
        case 5: /* drop a piece */
            memmove(data + a, data + a + len, n - a - len);
            n -= len;
            break;
        }
    }
    return n;
}

static void feed(const uint8_t *data, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1); /* of the exact size, so that a sanitizer sees reads past it */

    memcpy(exact, data, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

int main(int argc, char **argv)
{
    static uint8_t seed[MAX_SEED], copy[2 * MAX_SEED];
    long rounds = argc > 2 ? strtol(argv[1], NULL, 10) : 0;

    for (int i = 2; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        size_t n;

        if (!ok(f != NULL, "open %s", argv[i]))
            continue;
        n = fread(seed, 1, sizeof seed, f);
        fclose(f);
        feed(seed, n);
        state = 0x9e3779b97f4a7c15 + i;
        for (long r = 0; r < rounds; r++) {
            memcpy(copy, seed, n);
            feed(copy, mutate(copy, n, sizeof copy));
        }
        ok(1, "%ld changed copies", rounds);
    }
    return tap_done();
}
