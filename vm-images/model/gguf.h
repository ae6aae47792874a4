/* SPDX-License-Identifier: Apache-2.0 */
/* A writer of GGUF files, version 3. All little-endian:
 *
 *   "GGUF"  u32 version = 3  u64 number of tensors  u64 number of keys
 *   keys:     string key, u32 value type, value
 *   tensors:  string name, u32 number of dimensions, u64 each (the fastest first), u32 type,
 *             u64 offset from the start of the data, a multiple of the alignment
 *   padding to a multiple of the alignment (general.alignment, 32), then the tensors' data
 *
 * A string is u64 length and its bytes. An array is u32 element type, u64 number, elements. */
#ifndef VGPU_MODEL_GGUF_H
#define VGPU_MODEL_GGUF_H

#include "quant.h"

#include <stdbool.h>

enum { GGUF_ALIGNMENT = 32 };

struct gguf;

struct gguf *gguf_new(void);
void gguf_free(struct gguf *g);

void gguf_u32(struct gguf *g, const char *key, uint32_t value);
void gguf_f32(struct gguf *g, const char *key, float value);
void gguf_bool(struct gguf *g, const char *key, bool value);
void gguf_string(struct gguf *g, const char *key, const char *value);
/* The array's head; n elements of the same kind follow by gguf_element_*. */
void gguf_array_f32(struct gguf *g, const char *key, uint64_t n);
void gguf_array_i32(struct gguf *g, const char *key, uint64_t n);
void gguf_array_string(struct gguf *g, const char *key, uint64_t n);
void gguf_element_f32(struct gguf *g, float value);
void gguf_element_i32(struct gguf *g, int32_t value);
void gguf_element_string(struct gguf *g, const char *value);

/* rows 1 makes a vector. The weights are encoded at once. */
void gguf_tensor(struct gguf *g, const char *name, const struct quant_type *type, const float *data,
                 uint32_t rows, uint32_t cols);

/* False with errno set when the file cannot be written; nothing is left of it then. */
bool gguf_write(const struct gguf *g, const char *path);

#endif
