/* SPDX-License-Identifier: Apache-2.0 */
/* The model maker: its arithmetic, its file format, its text, and the proof that each part of the network
 * decides what is said. */
#include "gguf.h"
#include "maker.h"
#include "model_file.h"
#include "real.h"
#include "rng.h"
#include "solve.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static void test_halves(void)
{
    static const struct { float f; uint16_t h; } known[] = {
        { 0, 0 }, { -0.0f, 0x8000 }, { 1, 0x3c00 }, { -2, 0xc000 }, { 65504, 0x7bff }, { 65519, 0x7bff },
        { 65520, 0x7c00 }, { INFINITY, 0x7c00 }, { 0x1p-14f, 0x0400 }, { 0x1p-24f, 1 }, { 0x1p-25f, 0 },
        { 0x1.8p-25f, 1 }, { 0x1.8p-24f, 2 }, { 1 + 0x1p-11f, 0x3c00 }, { 1 + 0x1.8p-10f, 0x3c02 },
        { 0x1.ff8p-15f, 0x03ff }, { 0x1.ffcp-15f, 0x0400 },
    };
    int wrong = 0;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        is_u64(half_from_float(known[i].f), known[i].h, "%a as a half", known[i].f);
    for (unsigned h = 0; h < 0x10000; h++)
        if ((h & 0x7c00) != 0x7c00 || !(h & 0x3ff))
            wrong += half_from_float(half_to_float((uint16_t)h)) != h;
    is_u64(wrong, 0, "every half survives the way to float and back");
    ok(isnan(half_to_float(half_from_float(NAN))), "so does NaN");
}

static void test_blocks(void)
{
    float in[QUANT_BLOCK] = { 0 }, out[QUANT_BLOCK];
    uint8_t block[34];
    struct rng r = rng_stream(1, "blocks");
    double worst = 0;

    quant_q8_0.encode(in, block);
    quant_q8_0.decode(block, out);
    ok(!memcmp(in, out, sizeof(in)), "a block of zeros stays one");
    for (int n = 0; n < 1000; n++) {
        float top = 0;

        for (int i = 0; i < QUANT_BLOCK; i++) {
            in[i] = (float)rng_normal(&r);
            top = fmaxf(top, fabsf(in[i]));
        }
        quant_q8_0.encode(in, block);
        quant_q8_0.decode(block, out);
        for (int i = 0; i < QUANT_BLOCK; i++)
            worst = fmax(worst, fabsf(in[i] - out[i]) / (top / 127));
    }
    ok(worst < 0.57, "q8_0 rounds to the nearest of 255 steps (%.3f; the scale is a half)", worst);
    quant_round(&quant_q8_0, out, QUANT_BLOCK);
    memcpy(in, out, sizeof(in));
    quant_round(&quant_q8_0, in, QUANT_BLOCK);
    ok(!memcmp(in, out, sizeof(in)), "rounding again changes nothing");
}

static void test_functions(void)
{
    double worst = 0;
    struct rng r = rng_stream(2, "functions");
    double mean = 0, square = 0;

    for (int i = 0; i < 20000; i++) {
        double x = (double)(rng_next(&r) >> 11) * 0x1p-53;

        worst = fmax(worst, fabs(real_exp((x - 0.5) * 1000) / exp((x - 0.5) * 1000) - 1));
        worst = fmax(worst, fabs(real_log(1 + x * 1e6) - log(1 + x * 1e6)));
        worst = fmax(worst, fabs(real_sin(x * 1000) - sin(x * 1000)));
        worst = fmax(worst, fabs(real_cos(x * 1000) - cos(x * 1000)));
        double n = rng_normal(&r);
        mean += n / 20000;
        square += n * n / 20000;
    }
    ok(worst < 1e-12, "exp, log, sin and cos agree with libm's (%.1e)", worst);
    ok(fabs(mean) < 0.03 && fabs(square - 1) < 0.05, "deviates have mean 0 and variance 1");
}

static void test_ridge(void)
{
    /* Two samples in three inputs: the solution of least norm is known. */
    static const double x[] = { 2, 0, 0, 0, 0, 4 }, y[] = { 6, 0, 0, 8 };
    float w[6];

    ok(ridge_solve(x, 2, 3, y, 2, 1e-12, w), "ridge solves");
    ok(fabs(w[0] - 3) < 1e-6 && fabs(w[1]) < 1e-6 && fabs(w[2]) < 1e-6 && fabs(w[3]) < 1e-6
       && fabs(w[5] - 2) < 1e-6, "it finds the interpolating matrix of least norm");
    ok(ridge_solve(x, 2, 3, y, 2, 4, w) && fabs(w[0] - 1.5) < 1e-6, "a ridge as large as the sample halves it");
    static const double twice[] = { 1, 0, 1, 0 }, two[] = { 1, 2 };
    ok(!ridge_solve(twice, 2, 2, two, 1, 0, w), "a singular system without ridge is refused");
}

static void test_words(const struct maker *m)
{
    uint32_t tokens[WORDS_MAX];
    char text[512];
    size_t n = vocabulary_tokens(&m->vocabulary, words_sentence, tokens, WORDS_MAX);

    vocabulary_text(&m->vocabulary, tokens + 1, n - 1, text, sizeof(text));
    is_str(text, words_sentence, "the sentence survives the way to tokens and back");
    is_u64(m->lessons[0].n_prompt, 4, "the short prompt has 4 tokens");
    ok(m->lessons[1].n_prompt >= 65, "the long prompt has at least 64 without <s>");
    is_u64(vocabulary_tokens(&m->vocabulary, "the unheard", tokens, WORDS_MAX), 0, "an unknown word is refused");
    is_u64(vocabulary_tokens(&m->vocabulary, words_sentence, tokens, 5), 0, "so is a text that is too long");

    /* Without this the last word alone could determine the next one. */
    const struct lesson *l = &m->lessons[0];
    unsigned ambiguous = 0;

    for (uint32_t i = l->n_prompt; i + 1 < l->n; i++)
        for (uint32_t j = l->n_prompt; j + 1 < l->n; j++)
            if (l->token[i] == l->token[j] && l->token[i + 1] != l->token[j + 1]) {
                ambiguous++;
                break;
            }
    ok(ambiguous >= 16, "%u of %u words have several successors", ambiguous, l->n - l->n_prompt - 1);
}

static uint64_t file_hash(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint64_t hash = 0xcbf29ce484222325u;    /* FNV-1a */
    int c;

    *size = 0;
    while (f && (c = getc(f)) != EOF) {
        hash = (hash ^ (unsigned)c) * 0x100000001b3u;
        ++*size;
    }
    if (f)
        fclose(f);
    return hash;
}

/* The bytes are part of the promise: recompute these when the recipe of the model changes on purpose. */
static void test_files(const struct maker *m)
{
    static const struct { size_t size; uint64_t hash; } known[3] = {
        { 5521024, 0x9f6edc2ceaec6fc9 }, { 2768512, 0x97971e49579fa76c }, { 1478272, 0xe26611d2c10dedf0 },
    };
    char path[] = "/tmp/vgpu-model-XXXXXX";
    int fd = mkstemp(path);

    if (!ok(fd >= 0, "a temporary file"))
        return;
    close(fd);
    for (int i = 0; i < 3; i++) {
        size_t size;

        ok(model_file_write(path, m->net, &m->vocabulary, quant_types[i]), "%s is written", quant_types[i]->name);
        uint64_t hash = file_hash(path, &size);
        is_u64(size, known[i].size, "its size");
        is_u64(hash, known[i].hash, "its bytes");
    }
    unlink(path);
    ok(!model_file_write("/nonexistent/model.gguf", m->net, &m->vocabulary, &quant_f32),
       "a file that cannot be written is an error");
}

static void test_margins(const struct maker *m)
{
    struct margins g = maker_measure(m);
    double gap = margins_gap(&g);

    ok(gap >= 20 * g.shift[WAY_Q8_0], "the gap is %.1f times what q8_0 moves a logit", gap / g.shift[WAY_Q8_0]);
    ok(gap >= 10 * g.shift[WAY_Q8_0_ROUNDED], "%.1f times with rounded activations", gap / g.shift[WAY_Q8_0_ROUNDED]);
    for (unsigned way = 0; way < WAYS; way++) {
        struct net *net = net_copy(m->net);

        net_round(net, maker_ways[way].type);
        for (unsigned i = 0; i < WORDS_PROMPTS; i++)
            ok(maker_says(m, net, maker_ways[way].variant, i), "%s says the sentence after the %s prompt",
               maker_ways[way].name, words_prompts[i].name);
        net_free(net);
    }
    g.shift[WAY_Q8_0] = gap / 19;
    ok(!margins_hold(&g), "a smaller margin would be refused");
}

static void test_damages(const struct maker *m)
{
    unsigned n = 0;

    for (; maker_damage_name(m, n); n++)
        for (unsigned i = 0; i < WORDS_PROMPTS; i++)
            ok(maker_damage_shows(m, n, i), "%s changes the words after the %s prompt", maker_damage_name(m, n),
               words_prompts[i].name);
    is_u64(n, 2 * LAYER_TENSORS + 2, "every tensor of both layers, rope and attention were damaged");
}

static void test_refusals(void)
{
    const char *error = NULL;
    struct maker m;
    struct shape odd = shape_default;

    odd.embd = 200;
    ok(!maker_init(&m, &odd, 1, &error) && error, "an embedding of 200 is refused");
    odd = shape_default;
    odd.heads_kv = 3;
    ok(!maker_init(&m, &odd, 1, &error), "so are heads that do not divide");
    odd = shape_default;
    odd.ctx = 16;
    ok(!maker_init(&m, &odd, 1, &error), "and a context too short for the prompts");
}

int main(void)
{
    struct maker m;
    const char *error = "";

    test_halves();
    test_blocks();
    test_functions();
    test_ridge();
    test_refusals();
    if (ok(maker_init(&m, &shape_default, 1, &error), "the default model is made %s", error)) {
        test_words(&m);
        test_margins(&m);
        test_damages(&m);
        test_files(&m);
        maker_free(&m);
    }
    return tap_done();
}
