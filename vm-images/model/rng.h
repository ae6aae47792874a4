/* SPDX-License-Identifier: Apache-2.0 */
/* The model maker's source of random weights. It works on integers, and its normal deviates are sums:
 * the same on every machine. */
#ifndef VGPU_MODEL_RNG_H
#define VGPU_MODEL_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

/* A stream of its own for each (seed, name): adding a tensor leaves all others as they were. */
struct rng rng_stream(uint64_t seed, const char *name);
/* Uniform over 64 bits. */
uint64_t rng_next(struct rng *r);
/* Mean 0, variance 1, never beyond 6 (a sum of twelve uniforms). */
double rng_normal(struct rng *r);

#endif
