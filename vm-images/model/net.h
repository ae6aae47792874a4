/* SPDX-License-Identifier: Apache-2.0 */
/* The network: a llama of one fixed head size, its tensors under the names that GGUF files use.
 *
 * All weights are kept as floats, whatever type they are to have in a file: quant_round gives them
 * the values which that file will hold. Rows are outputs: y[r] = sum over c of w[r * cols + c] x[c]. */
#ifndef VGPU_MODEL_NET_H
#define VGPU_MODEL_NET_H

#include "quant.h"

#include <stdbool.h>

enum { HEAD_SIZE = 64 };

struct shape {
    uint32_t vocab;
    uint32_t embd;          /* a multiple of 256; embd / HEAD_SIZE query heads */
    uint32_t ff;            /* a multiple of 32 */
    uint32_t layers;
    uint32_t heads_kv;      /* divides embd / HEAD_SIZE */
    uint32_t ctx;
    double eps;             /* of the norms */
    double rope_base;
};

extern const struct shape shape_default;

struct tensor {
    char name[40];
    uint32_t rows, cols;    /* a vector has one row */
    float *data;
};

/* Places in net.tensors; those of layer l follow at TENSOR_LAYERS + l * LAYER_TENSORS. */
enum { TENSOR_EMBD, TENSOR_OUTPUT_NORM, TENSOR_OUTPUT, TENSOR_LAYERS };
enum layer_tensor {
    ATTN_NORM, ATTN_Q, ATTN_K, ATTN_V, ATTN_OUTPUT, FFN_NORM, FFN_GATE, FFN_UP, FFN_DOWN, LAYER_TENSORS
};

struct net {
    struct shape shape;
    uint32_t n_tensors;
    struct tensor *tensors;
};

bool shape_valid(const struct shape *s);
/* Random weights, the same for the same shape and seed; the output matrix is zero. Out of memory ends
 * the process, here and below. */
struct net *net_random(const struct shape *shape, uint64_t seed);
struct net *net_copy(const struct net *net);
void net_free(struct net *net);

const struct tensor *net_layer_tensor(const struct net *net, uint32_t layer, enum layer_tensor which);
/* NULL when there is none of that name. */
struct tensor *net_find(const struct net *net, const char *name);

size_t tensor_weights(const struct tensor *t);
void tensor_zero(struct tensor *t);
/* The type that a tensor has in a file of the given type. */
const struct quant_type *tensor_type(const struct tensor *t, const struct quant_type *file);
/* Rounds every weight to its value in a file of the given type. */
void net_round(struct net *net, const struct quant_type *file);

/* Zeroed memory, or the end of the process with a message. */
void *model_alloc(size_t n, size_t size);

#endif
