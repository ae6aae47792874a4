/* SPDX-License-Identifier: Apache-2.0 */
#include "model_file.h"
#include "gguf.h"

/* What the user says, and nothing around it. */
static const char chat_template[] = "{% for message in messages %}{{ message['content'] }}{% endfor %}";

static void add_shape(struct gguf *g, const struct shape *s)
{
    gguf_u32(g, "llama.context_length", s->ctx);
    gguf_u32(g, "llama.embedding_length", s->embd);
    gguf_u32(g, "llama.block_count", s->layers);
    gguf_u32(g, "llama.feed_forward_length", s->ff);
    gguf_u32(g, "llama.attention.head_count", s->embd / HEAD_SIZE);
    gguf_u32(g, "llama.attention.head_count_kv", s->heads_kv);
    gguf_u32(g, "llama.rope.dimension_count", HEAD_SIZE);
    gguf_u32(g, "llama.vocab_size", s->vocab);
    gguf_f32(g, "llama.attention.layer_norm_rms_epsilon", (float)s->eps);
    gguf_f32(g, "llama.rope.freq_base", (float)s->rope_base);
}

static void add_vocabulary(struct gguf *g, const struct vocabulary *v)
{
    gguf_string(g, "tokenizer.ggml.model", "llama");
    gguf_array_string(g, "tokenizer.ggml.tokens", WORDS_VOCAB);
    for (int i = 0; i < WORDS_VOCAB; i++)
        gguf_element_string(g, v->token[i].text);
    gguf_array_f32(g, "tokenizer.ggml.scores", WORDS_VOCAB);
    for (int i = 0; i < WORDS_VOCAB; i++)
        gguf_element_f32(g, v->token[i].score);
    gguf_array_i32(g, "tokenizer.ggml.token_type", WORDS_VOCAB);
    for (int i = 0; i < WORDS_VOCAB; i++)
        gguf_element_i32(g, v->token[i].type);
    gguf_u32(g, "tokenizer.ggml.bos_token_id", TOKEN_BOS);
    gguf_u32(g, "tokenizer.ggml.eos_token_id", TOKEN_EOS);
    gguf_u32(g, "tokenizer.ggml.unknown_token_id", TOKEN_UNKNOWN);
    gguf_bool(g, "tokenizer.ggml.add_bos_token", true);
    gguf_bool(g, "tokenizer.ggml.add_space_prefix", true);
    gguf_string(g, "tokenizer.chat_template", chat_template);
}

bool model_file_write(const char *path, const struct net *net, const struct vocabulary *v, const struct quant_type *type)
{
    struct gguf *g = gguf_new();
    bool written;

    gguf_string(g, "general.architecture", "llama");
    gguf_string(g, "general.name", "vgpu-stub known sentence");
    gguf_u32(g, "general.file_type", type->file_type);
    gguf_u32(g, "general.quantization_version", 2);
    gguf_u32(g, "general.alignment", GGUF_ALIGNMENT);
    add_shape(g, &net->shape);
    add_vocabulary(g, v);
    for (uint32_t i = 0; i < net->n_tensors; i++) {
        const struct tensor *t = &net->tensors[i];

        gguf_tensor(g, t->name, tensor_type(t, type), t->data, t->rows, t->cols);
    }
    written = gguf_write(g, path);
    gguf_free(g);
    return written;
}
