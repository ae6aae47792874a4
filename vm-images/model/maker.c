/* SPDX-License-Identifier: Apache-2.0 */
#include "maker.h"
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct way maker_ways[WAYS] = {
    [WAY_F32] = { "f32", &quant_f32, { 0 } },
    [WAY_F16] = { "f16", &quant_f16, { 0 } },
    [WAY_Q8_0] = { "q8_0", &quant_q8_0, { 0 } },
    [WAY_Q8_0_ROUNDED] = { "q8_0_rounded", &quant_q8_0, { .round_activations = true } },
};

/* The logit of the word to be said; all others are to be 0. */
static const double target = 16;
/* Per state component, in units of its square: keeps the solution from leaning on differences so small
 * that another way of computing would blur them. */
static const double ridge_per_component = 0.01;

static struct net *rounded(const struct net *net, const struct quant_type *type)
{
    struct net *copy = net_copy(net);

    net_round(copy, type);
    return copy;
}

/* The states before each word of the sentence and before </s>, one row each. */
static size_t lesson_states(const struct net *net, struct variant variant, const struct lesson *l, double *states)
{
    uint32_t embd = net->shape.embd;
    struct pass *p = pass_new(net, variant);
    size_t n = 0;

    for (uint32_t i = 0; i + 1 < l->n; i++) {
        const double *state = pass_read(p, l->token[i]);

        if (i + 1 >= l->n_prompt)
            memcpy(states + n++ * embd, state, embd * sizeof(*states));
    }
    pass_free(p);
    return n;
}

static size_t lesson_words(const struct lesson *l)
{
    return l->n - l->n_prompt;
}

static bool solve_output(struct maker *m)
{
    const struct shape *s = &m->net->shape;
    size_t samples = 0, row = 0;
    double *x, *y;
    bool solved;

    for (unsigned i = 0; i < WORDS_PROMPTS; i++)
        samples += FILE_WAYS * lesson_words(&m->lessons[i]);
    x = model_alloc(samples * s->embd, sizeof(*x));
    y = model_alloc(samples * s->vocab, sizeof(*y));
    for (unsigned way = 0; way < FILE_WAYS; way++) {
        struct net *net = rounded(m->net, maker_ways[way].type);

        for (unsigned i = 0; i < WORDS_PROMPTS; i++) {
            const struct lesson *l = &m->lessons[i];
            size_t n = lesson_states(net, maker_ways[way].variant, l, x + row * s->embd);

            for (size_t word = 0; word < n; word++)
                y[(row + word) * s->vocab + l->token[l->n_prompt + word]] = target;
            row += n;
        }
        net_free(net);
    }
    solved = ridge_solve(x, samples, s->embd, y, s->vocab, ridge_per_component * s->embd,
                         m->net->tensors[TENSOR_OUTPUT].data);
    free(x);
    free(y);
    return solved;
}

bool maker_init(struct maker *m, const struct shape *shape, uint64_t seed, const char **error)
{
    *m = (struct maker){ 0 };
    if (!shape_valid(shape) || shape->vocab != WORDS_VOCAB || shape->ctx < WORDS_MAX) {
        *error = "the shape is out of range";
        return false;
    }
    vocabulary_fill(&m->vocabulary);
    for (unsigned i = 0; i < WORDS_PROMPTS; i++)
        if (!lesson_prepare(&m->vocabulary, i, &m->lessons[i])) {
            *error = "prompt and sentence do not fit vocabulary and length";
            return false;
        }
    m->net = net_random(shape, seed);
    if (!solve_output(m)) {
        *error = "no output matrix fits these states";
        maker_free(m);
        return false;
    }
    return true;
}

void maker_free(struct maker *m)
{
    net_free(m->net);
    m->net = NULL;
}

/* Logits at every word to be said, after all prompts in turn. */
static double *all_logits(const struct maker *m, unsigned way, size_t *n)
{
    const struct way *w = &maker_ways[way];
    struct net *net = rounded(m->net, w->type);
    uint32_t vocab = net->shape.vocab;
    double *states = model_alloc((size_t)WORDS_PROMPTS * WORDS_MAX * net->shape.embd, sizeof(*states)), *logits;
    struct pass *p = pass_new(net, w->variant);

    *n = 0;
    for (unsigned i = 0; i < WORDS_PROMPTS; i++)
        *n += lesson_states(net, w->variant, &m->lessons[i], states + *n * net->shape.embd);
    logits = model_alloc(*n * vocab, sizeof(*logits));
    for (size_t i = 0; i < *n; i++)
        pass_logits(p, states + i * net->shape.embd, logits + i * vocab);
    pass_free(p);
    free(states);
    net_free(net);
    return logits;
}

static double smallest_gap(const struct maker *m, const double *logits)
{
    uint32_t vocab = m->net->shape.vocab;
    double gap = INFINITY;

    for (unsigned i = 0; i < WORDS_PROMPTS; i++) {
        const struct lesson *l = &m->lessons[i];

        for (uint32_t at = l->n_prompt; at < l->n; at++, logits += vocab)
            for (uint32_t other = 0; other < vocab; other++)
                if (other != l->token[at])
                    gap = fmin(gap, logits[l->token[at]] - logits[other]);
    }
    return gap;
}

struct margins maker_measure(const struct maker *m)
{
    struct margins g = { 0 };
    double *exact = NULL;

    for (unsigned way = 0; way < WAYS; way++) {
        size_t n;
        double *logits = all_logits(m, way, &n);

        g.gap[way] = smallest_gap(m, logits);
        if (way == WAY_F32)
            exact = logits;
        for (size_t i = 0; i < n * m->net->shape.vocab; i++)
            g.shift[way] = fmax(g.shift[way], fabs(logits[i] - exact[i]));
        if (way != WAY_F32)
            free(logits);
    }
    free(exact);
    return g;
}

double margins_gap(const struct margins *g)
{
    double gap = INFINITY;

    for (unsigned way = 0; way < WAYS; way++)
        gap = fmin(gap, g->gap[way]);
    return gap;
}

bool margins_hold(const struct margins *g)
{
    double gap = margins_gap(g);

    return gap > 0 && gap >= MARGIN_Q8_0 * g->shift[WAY_Q8_0] && gap >= MARGIN_ROUNDED * g->shift[WAY_Q8_0_ROUNDED];
}

bool maker_says(const struct maker *m, const struct net *net, struct variant variant, unsigned prompt)
{
    const struct lesson *l = &m->lessons[prompt];
    uint32_t said[WORDS_MAX];

    greedy(net, variant, l->token, l->n_prompt, said, (uint32_t)lesson_words(l));
    return !memcmp(said, l->token + l->n_prompt, lesson_words(l) * sizeof(*said));
}

/* Damages are numbered: the layers' tensors, then these. */
static const struct {
    const char *name;
    struct variant variant;
} variant_damages[] = {
    { "no rope", { .no_rope = true } },
    { "attention to oneself", { .self_only = true } },
};

enum { VARIANT_DAMAGES = sizeof(variant_damages) / sizeof(variant_damages[0]) };

const char *maker_damage_name(const struct maker *m, unsigned damage)
{
    unsigned tensors = m->net->n_tensors - TENSOR_LAYERS;

    return damage < tensors ? m->net->tensors[TENSOR_LAYERS + damage].name
         : damage < tensors + VARIANT_DAMAGES ? variant_damages[damage - tensors].name : NULL;
}

bool maker_damage_shows(const struct maker *m, unsigned damage, unsigned prompt)
{
    unsigned tensors = m->net->n_tensors - TENSOR_LAYERS;
    struct net *net;
    bool shows;

    if (damage >= tensors)
        return !maker_says(m, m->net, variant_damages[damage - tensors].variant, prompt);
    net = net_copy(m->net);
    tensor_zero(&net->tensors[TENSOR_LAYERS + damage]);
    shows = !maker_says(m, net, (struct variant){ 0 }, prompt);
    net_free(net);
    return shows;
}
