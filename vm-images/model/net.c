/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"
#include "rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct shape shape_default = {
    .vocab = 384, .embd = 256, .ff = 512, .layers = 2, .heads_kv = 2, .ctx = 512, .eps = 1e-5, .rope_base = 10000,
};

enum dimension { DIM_ONE, DIM_VOCAB, DIM_EMBD, DIM_KV, DIM_FF };

/* A matrix has entries of variance gain^2 / cols, so that inputs of unit variance give outputs of
 * standard deviation gain; a norm's weights are 1 with a spread of gain; growth multiplies the gain from
 * layer to layer. They are chosen so that
 *  - scores q.k / 8 spread by 1.4: a head looks at a few places, and which ones depends on words and
 *    distances, but no softmax is saturated;
 *  - in each layer, what attention adds, what the feed-forward part adds and what came in are of one
 *    size: no tensor is idle, and the last word alone does not determine the state. */
struct recipe {
    const char *name;
    enum dimension rows, cols;
    double gain, growth;
};

static const struct recipe global_recipe[TENSOR_LAYERS] = {
    [TENSOR_EMBD] = { "token_embd", DIM_VOCAB, DIM_EMBD, 1, 1 },
    [TENSOR_OUTPUT_NORM] = { "output_norm", DIM_ONE, DIM_EMBD, 0.1, 1 },
    [TENSOR_OUTPUT] = { "output", DIM_VOCAB, DIM_EMBD, 0, 1 },
};

static const struct recipe layer_recipe[LAYER_TENSORS] = {
    [ATTN_NORM] = { "attn_norm", DIM_ONE, DIM_EMBD, 0.1, 1 },
    [ATTN_Q] = { "attn_q", DIM_EMBD, DIM_EMBD, 1.2, 1 },
    [ATTN_K] = { "attn_k", DIM_KV, DIM_EMBD, 1.2, 1 },
    [ATTN_V] = { "attn_v", DIM_KV, DIM_EMBD, 1, 1 },
    [ATTN_OUTPUT] = { "attn_output", DIM_EMBD, DIM_EMBD, 3, 2 },
    [FFN_NORM] = { "ffn_norm", DIM_ONE, DIM_EMBD, 0.1, 1 },
    [FFN_GATE] = { "ffn_gate", DIM_FF, DIM_EMBD, 1, 1 },
    [FFN_UP] = { "ffn_up", DIM_FF, DIM_EMBD, 1, 1 },
    [FFN_DOWN] = { "ffn_down", DIM_EMBD, DIM_FF, 4, 2 },
};

void *model_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    if (!p) {
        fprintf(stderr, "vgpu-model: no memory for %zu times %zu bytes\n", n, size);
        exit(1);
    }
    return p;
}

bool shape_valid(const struct shape *s)
{
    return s->vocab && s->embd && s->embd % 256 == 0 && s->embd <= 8192 && s->ff && s->ff % QUANT_BLOCK == 0
        && s->ff <= 32768 && s->layers && s->layers <= 64 && s->heads_kv
        && s->embd / HEAD_SIZE % s->heads_kv == 0 && s->ctx;
}

size_t tensor_weights(const struct tensor *t)
{
    return (size_t)t->rows * t->cols;
}

static uint32_t dimension(const struct shape *s, enum dimension d)
{
    const uint32_t size[] = {
        [DIM_ONE] = 1, [DIM_VOCAB] = s->vocab, [DIM_EMBD] = s->embd, [DIM_KV] = s->heads_kv * HEAD_SIZE, [DIM_FF] = s->ff,
    };

    return size[d];
}

static void tensor_make(struct tensor *t, const struct shape *s, const struct recipe *r, uint32_t layer, uint64_t seed)
{
    struct rng rng = rng_stream(seed, t->name);
    /* An embedding is looked up, not multiplied: its entries themselves have the gain. */
    bool norm = r->rows == DIM_ONE, looked_up = r->rows == DIM_VOCAB;
    double spread = r->gain;

    t->rows = dimension(s, r->rows);
    t->cols = dimension(s, r->cols);
    t->data = model_alloc(tensor_weights(t), sizeof(float));
    for (uint32_t i = 0; i < layer; i++)
        spread *= r->growth;
    if (!norm && !looked_up)
        spread /= sqrt(t->cols);
    for (size_t i = 0; i < tensor_weights(t); i++)
        t->data[i] = (float)(norm + spread * rng_normal(&rng));
}

struct net *net_random(const struct shape *shape, uint64_t seed)
{
    struct net *net = model_alloc(1, sizeof(*net));

    net->shape = *shape;
    net->n_tensors = TENSOR_LAYERS + shape->layers * LAYER_TENSORS;
    net->tensors = model_alloc(net->n_tensors, sizeof(*net->tensors));
    for (uint32_t i = 0; i < TENSOR_LAYERS; i++) {
        snprintf(net->tensors[i].name, sizeof(net->tensors[i].name), "%s.weight", global_recipe[i].name);
        tensor_make(&net->tensors[i], shape, &global_recipe[i], 0, seed);
    }
    for (uint32_t i = 0; i < net->n_tensors - TENSOR_LAYERS; i++) {
        struct tensor *t = &net->tensors[TENSOR_LAYERS + i];
        const struct recipe *r = &layer_recipe[i % LAYER_TENSORS];

        snprintf(t->name, sizeof(t->name), "blk.%u.%s.weight", i / LAYER_TENSORS, r->name);
        tensor_make(t, shape, r, i / LAYER_TENSORS, seed);
    }
    return net;
}

struct net *net_copy(const struct net *net)
{
    struct net *copy = model_alloc(1, sizeof(*copy));

    *copy = *net;
    copy->tensors = model_alloc(net->n_tensors, sizeof(*net->tensors));
    for (uint32_t i = 0; i < net->n_tensors; i++) {
        const struct tensor *t = &net->tensors[i];

        copy->tensors[i] = *t;
        copy->tensors[i].data = model_alloc(tensor_weights(t), sizeof(float));
        memcpy(copy->tensors[i].data, t->data, tensor_weights(t) * sizeof(float));
    }
    return copy;
}

void net_free(struct net *net)
{
    if (!net)
        return;
    for (uint32_t i = 0; i < net->n_tensors; i++)
        free(net->tensors[i].data);
    free(net->tensors);
    free(net);
}

const struct tensor *net_layer_tensor(const struct net *net, uint32_t layer, enum layer_tensor which)
{
    return &net->tensors[TENSOR_LAYERS + layer * LAYER_TENSORS + which];
}

struct tensor *net_find(const struct net *net, const char *name)
{
    for (uint32_t i = 0; i < net->n_tensors; i++)
        if (!strcmp(net->tensors[i].name, name))
            return &net->tensors[i];
    return NULL;
}

void tensor_zero(struct tensor *t)
{
    memset(t->data, 0, tensor_weights(t) * sizeof(float));
}

const struct quant_type *tensor_type(const struct tensor *t, const struct quant_type *file)
{
    return t->rows == 1 ? &quant_f32 : file;
}

void net_round(struct net *net, const struct quant_type *file)
{
    for (uint32_t i = 0; i < net->n_tensors; i++) {
        struct tensor *t = &net->tensors[i];

        quant_round(tensor_type(t, file), t->data, tensor_weights(t));
    }
}
