/* SPDX-License-Identifier: Apache-2.0 */
/* The forward pass of a llama, one token at a time, in double precision.
 *
 *   x = token_embd[token]
 *   each layer:  h = norm(x);  q, k, v = Wq h, Wk h, Wv h;  q, k = rope(q, k)
 *                x = x + Wo attention(q, K, V)       a key head serves heads / heads_kv query heads
 *                h = norm(x);  x = x + Wdown (silu(Wgate h) * (Wup h))
 *   state = norm(x);  logits = output state
 *
 * norm(x) = x / sqrt(mean(x^2) + eps) * w. rope turns the pair (2i, 2i + 1) of each head at position p
 * by p base^(-2i / HEAD_SIZE). */
#ifndef VGPU_MODEL_FORWARD_H
#define VGPU_MODEL_FORWARD_H

#include "net.h"

struct variant {
    bool no_rope;           /* positions are not told */
    bool self_only;         /* a token attends to itself alone */
    /* What a GPU backend does on the way: activations that meet a matrix are rounded to blocks of 32
     * signed bytes with a binary16 scale, keys and values are kept as binary16. */
    bool round_activations;
};

/* A sequence being read: position and the keys and values so far. */
struct pass;

struct pass *pass_new(const struct net *net, struct variant variant);
void pass_free(struct pass *p);
/* Reads one token and returns the state after it: embd values, valid until the next call. At most
 * shape.ctx tokens may be read. */
const double *pass_read(struct pass *p, uint32_t token);
/* vocab logits of a state. */
void pass_logits(const struct pass *p, const double *state, double *logits);
/* The place of the largest value, the first of equals. */
uint32_t largest(const double *values, size_t n);
/* Reads the prompt, then n times says the likeliest token and reads it. */
void greedy(const struct net *net, struct variant variant, const uint32_t *prompt, uint32_t n_prompt,
            uint32_t *said, uint32_t n);

#endif
