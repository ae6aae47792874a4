/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-model: writes a small GGUF that says a known sentence. See README.md. */
#include "maker.h"
#include "model_file.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: vgpu-model -t f32|f16|q8_0 -o FILE [--zero TENSOR] [SHAPE]\n"
    "       vgpu-model --check [SHAPE]\n"
    "       vgpu-model --print\n"
    "\n"
    "  -t, --type TYPE   type of the weights\n"
    "  -o, --output FILE the GGUF to write\n"
    "  --zero TENSOR     with this tensor zeroed, the output matrix as in the intact model\n"
    "  --check           also damage the network in many ways; each must change the words\n"
    "  --print           the sentence and the prompts it follows, as key=value lines\n"
    "SHAPE: --seed N (1), --embd N (256), --ff N (512), --layers N (2)\n";

struct options {
    const struct quant_type *type;
    const char *output, *zero;
    bool check, print;
    uint64_t seed;
    struct shape shape;
};

enum { OPT_ZERO = 256, OPT_CHECK, OPT_PRINT, OPT_SEED, OPT_EMBD, OPT_FF, OPT_LAYERS, OPT_HELP };

static const struct option long_options[] = {
    { "type", required_argument, NULL, 't' },
    { "output", required_argument, NULL, 'o' },
    { "zero", required_argument, NULL, OPT_ZERO },
    { "check", no_argument, NULL, OPT_CHECK },
    { "print", no_argument, NULL, OPT_PRINT },
    { "seed", required_argument, NULL, OPT_SEED },
    { "embd", required_argument, NULL, OPT_EMBD },
    { "ff", required_argument, NULL, OPT_FF },
    { "layers", required_argument, NULL, OPT_LAYERS },
    { "help", no_argument, NULL, OPT_HELP },
    { 0 },
};

static int fail(const char *what, const char *detail)
{
    fprintf(stderr, "vgpu-model: %s%s\n", what, detail);
    return 1;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 10);
    return !errno && end != text && !*end && *text != '-' && *value <= max;
}

static bool parse(int argc, char **argv, struct options *o)
{
    uint64_t number = 0;
    int option;

    while ((option = getopt_long(argc, argv, "t:o:h", long_options, NULL)) != -1) {
        uint64_t max = option == OPT_SEED ? UINT64_MAX : UINT32_MAX;

        if (option >= OPT_SEED && option <= OPT_LAYERS && !parse_number(optarg, max, &number)) {
            fail("not a number: ", optarg);
            return false;
        }
        switch (option) {
        case 't':
            o->type = quant_by_name(optarg);
            if (!o->type) {
                fail("no such type: ", optarg);
                return false;
            }
            break;
        case 'o': o->output = optarg; break;
        case OPT_ZERO: o->zero = optarg; break;
        case OPT_CHECK: o->check = true; break;
        case OPT_PRINT: o->print = true; break;
        case OPT_SEED: o->seed = number; break;
        case OPT_EMBD: o->shape.embd = (uint32_t)number; break;
        case OPT_FF: o->shape.ff = (uint32_t)number; break;
        case OPT_LAYERS: o->shape.layers = (uint32_t)number; break;
        case 'h':
        case OPT_HELP:
            fputs(usage, stdout);
            exit(0);
        default:
            return false;
        }
    }
    return optind == argc && (o->print || o->check || (o->type && o->output));
}

static int print_texts(void)
{
    struct vocabulary v;

    vocabulary_fill(&v);
    printf("sentence=%s\n", words_sentence);
    for (unsigned i = 0; i < WORDS_PROMPTS; i++) {
        const struct words_prompt *prompt = &words_prompts[i];
        struct lesson l;

        if (!lesson_prepare(&v, i, &l))
            return fail("prompt and sentence do not fit: ", prompt->name);
        if (i == 0)
            printf("sentence_words=%u\nsentence_tokens_with_eos=%u\n", l.n - l.n_prompt - 1, l.n - l.n_prompt);
        printf("%s_prompt=%s\n", prompt->name, prompt->text);
        printf("%s_words=%u\n%s_tokens_with_bos=%u\n", prompt->name, l.n_prompt - 1, prompt->name, l.n_prompt);
    }
    return 0;
}

/* Prints the margins; an error when one of them is too small or a file's weights say something else. */
static int check_margins(const struct maker *m)
{
    struct margins g = maker_measure(m);
    double gap = margins_gap(&g);

    printf("gap=%.3f\n", gap);
    for (unsigned way = WAY_F16; way < WAYS; way++)
        printf("%s_shift=%.4f\n%s_ratio=%.1f\n", maker_ways[way].name, g.shift[way], maker_ways[way].name,
               gap / g.shift[way]);
    if (!margins_hold(&g))
        return fail("the gap between first and second choice is too small", "");
    for (unsigned way = 0; way < WAYS; way++) {
        struct net *net = net_copy(m->net);
        bool said = true;

        net_round(net, maker_ways[way].type);
        for (unsigned i = 0; i < WORDS_PROMPTS; i++)
            said &= maker_says(m, net, maker_ways[way].variant, i);
        net_free(net);
        if (!said)
            return fail("greedy decoding does not say the sentence: ", maker_ways[way].name);
    }
    return 0;
}

static int check_damages(const struct maker *m)
{
    int status = 0;

    for (unsigned damage = 0; maker_damage_name(m, damage); damage++)
        for (unsigned i = 0; i < WORDS_PROMPTS; i++) {
            bool shows = maker_damage_shows(m, damage, i);

            printf("damage=%s prompt=%s words=%s\n", maker_damage_name(m, damage), words_prompts[i].name,
                   shows ? "changed" : "unchanged");
            if (!shows)
                status = fail("a damage changes no word: ", maker_damage_name(m, damage));
        }
    return status;
}

static int write_file(struct maker *m, const struct options *o)
{
    if (o->zero) {
        struct tensor *t = net_find(m->net, o->zero);

        if (!t)
            return fail("no such tensor: ", o->zero);
        tensor_zero(t);
    }
    if (!model_file_write(o->output, m->net, &m->vocabulary, o->type)) {
        fprintf(stderr, "vgpu-model: %s: %s\n", o->output, strerror(errno));
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = { .seed = 1, .shape = shape_default };
    struct maker m;
    const char *error;
    int status;

    if (!parse(argc, argv, &o)) {
        fputs(usage, stderr);
        return 2;
    }
    if (o.print)
        return print_texts();
    if (!maker_init(&m, &o.shape, o.seed, &error))
        return fail(error, "");
    status = check_margins(&m);
    if (!status && o.check)
        status = check_damages(&m);
    if (!status && o.output)
        status = write_file(&m, &o);
    maker_free(&m);
    return status;
}
