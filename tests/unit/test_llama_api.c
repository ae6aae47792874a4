/* SPDX-License-Identifier: Apache-2.0 */
/* The guard of vgpu-infer's own declarations: libraries whose structures lie otherwise are refused. The
 * libraries are played by functions here. */
#include "payload/llama_api.h"
#include "tap.h"

#define DEFAULT(type, name, bits) { uint64_t b_ = bits; memcpy(&p.name, &b_, sizeof(p.name)); }

static struct llama_model_params model_params(void)
{
    struct llama_model_params p;

    LLAMA_MODEL_PARAMS(DEFAULT)
    return p;
}

static struct llama_context_params context_params(void)
{
    struct llama_context_params p;

    LLAMA_CONTEXT_PARAMS(DEFAULT)
    return p;
}

static struct llama_batch batch_get_one(int32_t *tokens, int32_t n)
{
    return (struct llama_batch){ .n_tokens = n, .token = tokens };
}

/* Releases of the library that never were. */
struct larger_params {
    struct llama_model_params p;
    uint64_t new_field;
};

static struct larger_params larger(void)
{
    return (struct larger_params){ model_params(), 0 };
}

static struct llama_context_params shifted(void)
{
    struct llama_context_params p = context_params();

    memmove((char *)&p + 28, (char *)&p + 24, sizeof(p) - 28);
    return p;
}

struct shorter_params {
    char bytes[offsetof(struct llama_context_params, ctx_other)];
};

static struct shorter_params shorter(void)
{
    struct llama_context_params p = context_params();
    struct shorter_params s;

    memcpy(&s, &p, sizeof(s));
    return s;
}

struct larger_batch {
    struct llama_batch b;
    void *new_field;
};

static struct larger_batch batch_larger(int32_t *tokens, int32_t n)
{
    return (struct larger_batch){ batch_get_one(tokens, n), NULL };
}

#define AS(function, member) (__typeof__(((struct llama_api *)0)->member))(void (*)(void))(function)

int main(void)
{
    const struct llama_api good = {
        .llama_model_default_params = model_params,
        .llama_context_default_params = context_params,
        .llama_batch_get_one = batch_get_one,
    };
    struct llama_api other;
    char error[LLAMA_ERROR_SIZE] = "";

    ok(llama_layouts_match(&good, error), "the declared layouts are accepted %s", error);
    is_u64(sizeof(struct llama_model_params), 80, "llama_model_params of 0.5.0");
    is_u64(sizeof(struct llama_context_params), 160, "llama_context_params of 0.5.0");

    other = good;
    other.llama_model_default_params = AS(larger, llama_model_default_params);
    ok(!llama_layouts_match(&other, error) && strstr(error, "larger than 80"), "a field more at the end: %s", error);
    other = good;
    other.llama_context_default_params = shifted;
    ok(!llama_layouts_match(&other, error) && strstr(error, "n_threads at"), "a field more in the middle: %s", error);
    other = good;
    other.llama_context_default_params = AS(shorter, llama_context_default_params);
    ok(!llama_layouts_match(&other, error) && strstr(error, "ctx_other"), "a field fewer: %s", error);
    other = good;
    other.llama_batch_get_one = AS(batch_larger, llama_batch_get_one);
    ok(!llama_layouts_match(&other, error) && strstr(error, "llama_batch"), "a larger batch: %s", error);

    ok(!llama_open(&other, "/nonexistent", error) && strstr(error, "no libllama"), "no library: %s", error);
    return tap_done();
}
