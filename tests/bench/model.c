/* SPDX-License-Identifier: Apache-2.0 */
/* bench-model DIR BACKEND MODEL generate|prompt SENTENCE: a side (side.h): tokens a second of an unmodified libllama in DIR, on the
 * backend in the file BACKEND, or on the best of the CPU's where that is "cpu".
 *
 * First the model must say SENTENCE, word for word. Then each number is of a new context: of TOKENS words after the short prompt,
 * or of a prompt of PROMPT words. The first pass of either is not counted: it warms what a context keeps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llama_api.h"
#include "side.h"

enum { TOKENS = 32, PROMPT = 512, CONTEXT = 1024, THREADS = 2, TEXT_MAX = 4096, ALL_LAYERS = 99 };

static const char short_prompt[] = "who reads whom";

static struct llama_api api;
static struct llama_model *model;
static const struct llama_vocab *vocab;

static void on_log(int level, const char *text, void *user_data)
{
    (void)user_data;
    if (level == LLAMA_LOG_ERROR)
        fputs(text, stderr);
}

static struct llama_context *begin(void)
{
    struct llama_context_params params = api.llama_context_default_params();
    struct llama_context *context;

    params.n_ctx = params.n_batch = CONTEXT;
    params.n_threads = params.n_threads_batch = THREADS;
    params.flash_attn_type = 1;
    context = api.llama_init_from_model(model, params);
    if (!context)
        side_fail("no context can be made");
    return context;
}

/* The likeliest word after these. */
static int32_t decode(struct llama_context *context, int32_t *tokens, int32_t n)
{
    int32_t best = 0, words = api.llama_vocab_n_tokens(vocab);
    const float *logits;

    if (api.llama_decode(context, api.llama_batch_get_one(tokens, n)) || !(logits = api.llama_get_logits_ith(context, -1)))
        side_fail("llama_decode failed");
    for (int32_t i = 1; i < words; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static int32_t tokenise(const char *text, int32_t *tokens, int32_t room)
{
    int32_t n = api.llama_tokenize(vocab, text, (int32_t)strlen(text), tokens, room, true, false);

    if (n <= 0)
        side_fail("the prompt cannot be tokenised");
    return n;
}

static void check(const char *sentence)
{
    struct llama_context *context = begin();
    int32_t tokens[64], n = tokenise(short_prompt, tokens, 64);
    char text[TEXT_MAX] = "";

    while (!api.llama_vocab_is_eog(vocab, *tokens = decode(context, tokens, n))) {
        size_t used = strlen(text);
        int32_t length = api.llama_token_to_piece(vocab, *tokens, text + used, (int32_t)(sizeof text - 1 - used), 0, true);

        if (length < 0 || used > strlen(sentence) + 1)
            break;
        text[used + (size_t)length] = 0;
        n = 1;
    }
    api.llama_free(context);
    if (strcmp(text + (*text == ' '), sentence))
        side_fail("the model says '%s'", text);
}

static double generate(void *none)
{
    struct llama_context *context = begin();
    int32_t tokens[64], n = tokenise(short_prompt, tokens, 64), count = SIDE_SIZE(TOKENS, 2);
    double start;

    (void)none;
    *tokens = decode(context, tokens, n);
    *tokens = decode(context, tokens, 1);
    start = side_now();
    for (int32_t i = 0; i < count; i++)
        *tokens = decode(context, tokens, 1);
    start = side_now() - start;
    api.llama_free(context);
    return count / start;
}

static double prompt(void *none)
{
    struct llama_context *context = begin();
    int32_t count = SIDE_SIZE(PROMPT, 32), tokens[PROMPT], words[64], n = tokenise(short_prompt, words, 64);
    double start;

    (void)none;
    for (int32_t i = 0; i < count; i++)
        tokens[i] = words[i % n];
    start = side_now();
    decode(context, tokens, count);
    start = side_now() - start;
    api.llama_free(context);
    return count / start;
}

int main(int argc, char **argv)
{
    char error[LLAMA_ERROR_SIZE], cpus[4096];
    struct llama_model_params params;

    if (argc != 6) {
        fputs("usage: bench-model DIR BACKEND MODEL generate|prompt SENTENCE\n", stderr);
        return 2;
    }
    if (!llama_open(&api, argv[1], error))
        side_fail("%s", error);
    api.llama_log_set(on_log, NULL);
    api.ggml_log_set(on_log, NULL);
    snprintf(cpus, sizeof cpus, "%s/", argv[1]);
    api.ggml_backend_load_all_from_path(cpus);
    if (strcmp(argv[2], "cpu") && !api.ggml_backend_load(argv[2]))
        side_fail("%s cannot be loaded", argv[2]);
    api.llama_backend_init();
    params = api.llama_model_default_params();
    params.n_gpu_layers = strcmp(argv[2], "cpu") ? ALL_LAYERS : 0;
    model = api.llama_model_load_from_file(argv[3], params);
    if (!model)
        side_fail("%s cannot be loaded", argv[3]);
    vocab = api.llama_model_get_vocab(model);
    check(argv[5]);
    return side_serve(strcmp(argv[4], "prompt") ? generate : prompt, NULL);
}
