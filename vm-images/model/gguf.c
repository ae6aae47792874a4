/* SPDX-License-Identifier: Apache-2.0 */
#include "gguf.h"
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum value_type { VALUE_U32 = 4, VALUE_I32 = 5, VALUE_F32 = 6, VALUE_BOOL = 7, VALUE_STRING = 8, VALUE_ARRAY = 9 };

struct buffer {
    uint8_t *data;
    size_t size, room;
};

struct gguf {
    struct buffer keys, tensors, data;
    uint64_t n_keys, n_tensors;
};

/* n more bytes, zeroed. */
static uint8_t *extend(struct buffer *b, size_t n)
{
    if (b->size + n > b->room) {
        uint8_t *data;

        b->room = 2 * (b->size + n);
        data = model_alloc(b->room, 1);
        if (b->size)
            memcpy(data, b->data, b->size);
        free(b->data);
        b->data = data;
    }
    b->size += n;
    return b->data + b->size - n;
}

static void put(struct buffer *b, const void *bytes, size_t n)
{
    memcpy(extend(b, n), bytes, n);
}

static void put_u32(struct buffer *b, uint32_t value)
{
    put(b, &value, 4);
}

static void put_u64(struct buffer *b, uint64_t value)
{
    put(b, &value, 8);
}

static void put_string(struct buffer *b, const char *s)
{
    put_u64(b, strlen(s));
    put(b, s, strlen(s));
}

static size_t padding(size_t size)
{
    return -size % GGUF_ALIGNMENT;
}

struct gguf *gguf_new(void)
{
    return model_alloc(1, sizeof(struct gguf));
}

void gguf_free(struct gguf *g)
{
    free(g->keys.data);
    free(g->tensors.data);
    free(g->data.data);
    free(g);
}

static void put_key(struct gguf *g, const char *key, enum value_type type)
{
    put_string(&g->keys, key);
    put_u32(&g->keys, type);
    g->n_keys++;
}

void gguf_u32(struct gguf *g, const char *key, uint32_t value)
{
    put_key(g, key, VALUE_U32);
    put_u32(&g->keys, value);
}

void gguf_f32(struct gguf *g, const char *key, float value)
{
    put_key(g, key, VALUE_F32);
    put(&g->keys, &value, 4);
}

void gguf_bool(struct gguf *g, const char *key, bool value)
{
    put_key(g, key, VALUE_BOOL);
    *extend(&g->keys, 1) = value;
}

void gguf_string(struct gguf *g, const char *key, const char *value)
{
    put_key(g, key, VALUE_STRING);
    put_string(&g->keys, value);
}

static void put_array(struct gguf *g, const char *key, enum value_type type, uint64_t n)
{
    put_key(g, key, VALUE_ARRAY);
    put_u32(&g->keys, type);
    put_u64(&g->keys, n);
}

void gguf_array_f32(struct gguf *g, const char *key, uint64_t n)
{
    put_array(g, key, VALUE_F32, n);
}

void gguf_array_i32(struct gguf *g, const char *key, uint64_t n)
{
    put_array(g, key, VALUE_I32, n);
}

void gguf_array_string(struct gguf *g, const char *key, uint64_t n)
{
    put_array(g, key, VALUE_STRING, n);
}

void gguf_element_f32(struct gguf *g, float value)
{
    put(&g->keys, &value, 4);
}

void gguf_element_i32(struct gguf *g, int32_t value)
{
    put(&g->keys, &value, 4);
}

void gguf_element_string(struct gguf *g, const char *value)
{
    put_string(&g->keys, value);
}

void gguf_tensor(struct gguf *g, const char *name, const struct quant_type *type, const float *data,
                 uint32_t rows, uint32_t cols)
{
    size_t n = (size_t)rows * cols;

    extend(&g->data, padding(g->data.size));
    put_string(&g->tensors, name);
    put_u32(&g->tensors, rows > 1 ? 2 : 1);
    put_u64(&g->tensors, cols);
    if (rows > 1)
        put_u64(&g->tensors, rows);
    put_u32(&g->tensors, type->ggml_type);
    put_u64(&g->tensors, g->data.size);
    g->n_tensors++;
    quant_encode(type, data, n, extend(&g->data, quant_bytes(type, n)));
}

bool gguf_write(const struct gguf *g, const char *path)
{
    struct buffer head = { 0 };
    FILE *f = fopen(path, "wb");
    bool written;

    if (!f)
        return false;
    put(&head, "GGUF", 4);
    put_u32(&head, 3);
    put_u64(&head, g->n_tensors);
    put_u64(&head, g->n_keys);
    put(&head, g->keys.data, g->keys.size);
    put(&head, g->tensors.data, g->tensors.size);
    extend(&head, padding(head.size));
    written = fwrite(head.data, 1, head.size, f) == head.size
           && fwrite(g->data.data, 1, g->data.size, f) == g->data.size;
    free(head.data);
    if ((fclose(f) == 0) & written)
        return true;

    int error = errno;

    remove(path);
    errno = error;
    return false;
}
