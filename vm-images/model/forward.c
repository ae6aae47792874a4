/* SPDX-License-Identifier: Apache-2.0 */
#include "forward.h"
#include "real.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pass {
    const struct net *net;
    struct variant variant;
    uint32_t position;
    double *keys, *values;      /* [layer][position][heads_kv * HEAD_SIZE] */
    double frequency[HEAD_SIZE / 2];
    double turn[HEAD_SIZE];     /* cos, sin of each pair at this position */
    double *scores;             /* ctx */
    double *x, *h, *q, *mix, *state;    /* embd */
    double *gate, *up;          /* ff */
};

struct pass *pass_new(const struct net *net, struct variant variant)
{
    const struct shape *s = &net->shape;
    struct pass *p = model_alloc(1, sizeof(*p));
    size_t cache = (size_t)s->layers * s->ctx * s->heads_kv * HEAD_SIZE;

    p->net = net;
    p->variant = variant;
    p->keys = model_alloc(cache, sizeof(double));
    p->values = model_alloc(cache, sizeof(double));
    p->scores = model_alloc(s->ctx, sizeof(double));
    p->x = model_alloc(5 * (size_t)s->embd, sizeof(double));
    p->h = p->x + s->embd;
    p->q = p->h + s->embd;
    p->mix = p->q + s->embd;
    p->state = p->mix + s->embd;
    p->gate = model_alloc(2 * (size_t)s->ff, sizeof(double));
    p->up = p->gate + s->ff;
    for (int i = 0; i < HEAD_SIZE / 2; i++)
        p->frequency[i] = variant.no_rope ? 0 : real_exp(-real_log(s->rope_base) * 2 * i / HEAD_SIZE);
    return p;
}

void pass_free(struct pass *p)
{
    free(p->keys);
    free(p->values);
    free(p->scores);
    free(p->x);
    free(p->gate);
    free(p);
}

/* Eight partial sums: their order is fixed, so that any compiler gives the same result. */
static double dot(const float *w, const double *x, uint32_t n)
{
    double sum[8] = { 0 };

    for (uint32_t i = 0; i < n; i += 8)
        for (int lane = 0; lane < 8; lane++)
            sum[lane] += w[i + lane] * x[i + lane];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static void round_blocks(double *x, uint32_t n)
{
    float block[QUANT_BLOCK];

    for (uint32_t i = 0; i < n; i += QUANT_BLOCK) {
        for (int j = 0; j < QUANT_BLOCK; j++)
            block[j] = (float)x[i + j];
        quant_round(&quant_q8_0, block, QUANT_BLOCK);
        for (int j = 0; j < QUANT_BLOCK; j++)
            x[i + j] = block[j];
    }
}

static void round_halves(double *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = half_to_float(half_from_float((float)x[i]));
}

static void multiply(const struct tensor *t, const double *x, double *y)
{
    for (uint32_t r = 0; r < t->rows; r++)
        y[r] = dot(t->data + (size_t)r * t->cols, x, t->cols);
}

/* Adds the product to y. */
static void multiply_add(const struct tensor *t, const double *x, double *y)
{
    for (uint32_t r = 0; r < t->rows; r++)
        y[r] += dot(t->data + (size_t)r * t->cols, x, t->cols);
}

static void norm(const struct pass *p, const struct tensor *weights, const double *x, double *y)
{
    uint32_t n = weights->cols;
    double sum = 0, scale;

    for (uint32_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    scale = 1 / sqrt(sum / n + p->net->shape.eps);
    for (uint32_t i = 0; i < n; i++)
        y[i] = x[i] * scale * weights->data[i];
    if (p->variant.round_activations)
        round_blocks(y, n);
}

static void rope(const struct pass *p, double *heads, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 2) {
        double c = p->turn[i % HEAD_SIZE], s = p->turn[i % HEAD_SIZE + 1], a = heads[i], b = heads[i + 1];

        heads[i] = a * c - b * s;
        heads[i + 1] = a * s + b * c;
    }
}

/* mix = attention of one query head over the positions up to this one. */
static void attend(struct pass *p, const double *q, const double *keys, const double *values, uint32_t stride, double *mix)
{
    uint32_t first = p->variant.self_only ? p->position : 0;
    double top = -INFINITY, total = 0;

    for (uint32_t i = first; i <= p->position; i++) {
        double score = 0;

        for (int j = 0; j < HEAD_SIZE; j++)
            score += q[j] * keys[(size_t)i * stride + j];
        p->scores[i] = score / 8;   /* sqrt(HEAD_SIZE) */
        top = fmax(top, p->scores[i]);
    }
    memset(mix, 0, HEAD_SIZE * sizeof(*mix));
    for (uint32_t i = first; i <= p->position; i++) {
        double share = real_exp(p->scores[i] - top);

        total += share;
        for (int j = 0; j < HEAD_SIZE; j++)
            mix[j] += share * values[(size_t)i * stride + j];
    }
    for (int j = 0; j < HEAD_SIZE; j++)
        mix[j] /= total;
}

static void attention(struct pass *p, uint32_t layer)
{
    const struct net *net = p->net;
    const struct shape *s = &net->shape;
    uint32_t kv = s->heads_kv * HEAD_SIZE, heads = s->embd / HEAD_SIZE;
    size_t start = (size_t)layer * s->ctx * kv, here = start + (size_t)p->position * kv;

    norm(p, net_layer_tensor(net, layer, ATTN_NORM), p->x, p->h);
    multiply(net_layer_tensor(net, layer, ATTN_Q), p->h, p->q);
    multiply(net_layer_tensor(net, layer, ATTN_K), p->h, p->keys + here);
    multiply(net_layer_tensor(net, layer, ATTN_V), p->h, p->values + here);
    rope(p, p->q, s->embd);
    rope(p, p->keys + here, kv);
    if (p->variant.round_activations) {
        round_halves(p->keys + here, kv);
        round_halves(p->values + here, kv);
    }
    for (uint32_t head = 0; head < heads; head++) {
        size_t of_kv = start + head / (heads / s->heads_kv) * HEAD_SIZE;

        attend(p, p->q + head * HEAD_SIZE, p->keys + of_kv, p->values + of_kv, kv, p->mix + head * HEAD_SIZE);
    }
    if (p->variant.round_activations)
        round_blocks(p->mix, s->embd);
    multiply_add(net_layer_tensor(net, layer, ATTN_OUTPUT), p->mix, p->x);
}

static void feed_forward(struct pass *p, uint32_t layer)
{
    const struct net *net = p->net;
    uint32_t ff = net->shape.ff;

    norm(p, net_layer_tensor(net, layer, FFN_NORM), p->x, p->h);
    multiply(net_layer_tensor(net, layer, FFN_GATE), p->h, p->gate);
    multiply(net_layer_tensor(net, layer, FFN_UP), p->h, p->up);
    for (uint32_t i = 0; i < ff; i++)
        p->gate[i] *= p->up[i] / (1 + real_exp(-p->gate[i]));
    if (p->variant.round_activations)
        round_blocks(p->gate, ff);
    multiply_add(net_layer_tensor(net, layer, FFN_DOWN), p->gate, p->x);
}

const double *pass_read(struct pass *p, uint32_t token)
{
    const struct net *net = p->net;
    uint32_t embd = net->shape.embd;
    const float *row = net->tensors[TENSOR_EMBD].data + (size_t)token * embd;

    for (int i = 0; i < HEAD_SIZE / 2; i++) {
        p->turn[2 * i] = real_cos(p->position * p->frequency[i]);
        p->turn[2 * i + 1] = real_sin(p->position * p->frequency[i]);
    }
    for (uint32_t i = 0; i < embd; i++)
        p->x[i] = row[i];
    for (uint32_t layer = 0; layer < net->shape.layers; layer++) {
        attention(p, layer);
        feed_forward(p, layer);
    }
    norm(p, &net->tensors[TENSOR_OUTPUT_NORM], p->x, p->state);
    p->position++;
    return p->state;
}

void pass_logits(const struct pass *p, const double *state, double *logits)
{
    multiply(&p->net->tensors[TENSOR_OUTPUT], state, logits);
}

uint32_t largest(const double *values, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (values[i] > values[best])
            best = i;
    return (uint32_t)best;
}

void greedy(const struct net *net, struct variant variant, const uint32_t *prompt, uint32_t n_prompt,
            uint32_t *said, uint32_t n)
{
    struct pass *p = pass_new(net, variant);
    double *logits = model_alloc(net->shape.vocab, sizeof(*logits));
    const double *state = NULL;

    for (uint32_t i = 0; i < n_prompt; i++)
        state = pass_read(p, prompt[i]);
    for (uint32_t i = 0; i < n; i++) {
        pass_logits(p, state, logits);
        said[i] = largest(logits, net->shape.vocab);
        if (i + 1 < n)
            state = pass_read(p, said[i]);
    }
    free(logits);
    pass_free(p);
}
