/* SPDX-License-Identifier: Apache-2.0 */
/* The weight types of a model file.
 *
 *   f32    4 bytes a weight
 *   f16    2 bytes a weight, IEEE binary16
 *   q8_0   blocks of 32 weights in 34 bytes: a binary16 scale d, then 32 signed bytes q; weight = d q
 *
 * Little-endian throughout. Vectors (the norms) are f32 in every file. */
#ifndef VGPU_MODEL_QUANT_H
#define VGPU_MODEL_QUANT_H

#include <stddef.h>
#include <stdint.h>

enum { QUANT_BLOCK = 32 };

struct quant_type {
    const char *name;
    uint32_t ggml_type;     /* as a GGUF tensor entry says it */
    uint32_t file_type;     /* as general.file_type says it */
    uint32_t block;         /* weights in a block */
    uint32_t block_bytes;
    void (*encode)(const float *in, uint8_t *out);      /* one block */
    void (*decode)(const uint8_t *in, float *out);
};

extern const struct quant_type quant_f32, quant_f16, quant_q8_0;
extern const struct quant_type *const quant_types[3];

/* NULL when there is no such type. */
const struct quant_type *quant_by_name(const char *name);
/* Bytes of n weights; n is a multiple of the type's block. */
size_t quant_bytes(const struct quant_type *type, size_t n);
void quant_encode(const struct quant_type *type, const float *in, size_t n, uint8_t *out);
/* Replaces n weights by the values that a file of this type holds for them. */
void quant_round(const struct quant_type *type, float *weights, size_t n);

/* Round to nearest, ties to even. */
uint16_t half_from_float(float f);
float half_to_float(uint16_t h);

#endif
