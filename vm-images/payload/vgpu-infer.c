/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-infer: greedy decoding with an unmodified libllama, reported in a form that a test can read.
 *
 *   vgpu-infer --lib DIR [--backend FILE | --backend-dir DIR]... --model FILE... --prompt TEXT...
 *
 * Runs every model with flash attention off and on (unless one is chosen) and every prompt in turn, all
 * in one process. The output is JSON:
 *
 *   version      of the library
 *   devices      name, type, description, total, free (bytes), as ggml lists them
 *   models       path, layers (the output counts as one), offloaded, and
 *     runs         flash_attn, prompt (its number), prompt_tokens (with <s>), tokens (without end), ended (the model
 *                  ended by itself), gap (smallest lead of a token over any other), prompt_us, decode_us, sentence
 *                  (without leading space)
 *   complete     all runs were made
 *   libraries    that the process has mapped
 *
 * Exit status: 0 all runs were made, 1 something failed (the message says what), 2 wrong usage. Whether
 * the sentence is right is for the caller to judge. */
#include "llama_api.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: vgpu-infer --lib DIR [--backend FILE | --backend-dir DIR]... --model FILE... --prompt TEXT...\n"
    "  --lib DIR          where libllama, libggml and libggml-base are\n"
    "  --backend FILE     load this backend; --backend-dir DIR: the best of each kind in DIR\n"
    "  --prompt-file FILE a prompt without the final newline of the file\n"
    "  --n N              tokens at most (64)\n"
    "  --ngl N            layers to offload (-1, all)\n"
    "  --flash-attn 0|1   without or with flash attention only\n"
    "  --ctx N            context length (512)\n"
    "  --threads N        of the CPU backend (2)\n"
    "  --verbose          what the libraries log, to stderr\n";

enum { LIST_MAX = 16, PROMPT_MAX = 65536, TOKENS_MAX = 4096, TEXT_MAX = 65536 };

struct list {
    const char *item[LIST_MAX];
    int n;
};

struct options {
    const char *lib;
    struct list backends, models, prompts;
    int n, ngl, flash_attn, ctx, threads;   /* flash_attn -1: both */
    bool verbose;
};

/* What the libraries say only by logging. */
struct heard {
    bool verbose;
    int layers, offloaded;
};

static void on_log(int level, const char *text, void *user_data)
{
    struct heard *heard = user_data;
    const char *offloaded = strstr(text, "offloaded ");

    if (offloaded)
        sscanf(offloaded, "offloaded %d/%d layers", &heard->offloaded, &heard->layers);
    if (heard->verbose || level == LLAMA_LOG_ERROR)
        fputs(text, stderr);
}

static bool fail(const char *what, const char *detail)
{
    fprintf(stderr, "vgpu-infer: %s%s\n", what, detail);
    return false;
}

static long long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static bool load_backends(const struct llama_api *api, const struct list *backends)
{
    for (int i = 0; i < backends->n; i++) {
        const char *path = backends->item[i];

        /* A directory was marked with a final slash by the option's parser. */
        if (path[strlen(path) - 1] == '/')
            api->ggml_backend_load_all_from_path(path);
        else if (!api->ggml_backend_load(path))
            return fail("this backend cannot be loaded: ", path);
    }
    return true;
}

static void print_devices(const struct llama_api *api)
{
    static const char *const types[] = { "cpu", "gpu", "igpu", "accel" };

    report_open("devices", '[');
    for (size_t i = 0; i < api->ggml_backend_dev_count(); i++) {
        struct ggml_backend_device *device = api->ggml_backend_dev_get(i);
        size_t free_bytes = 0, total_bytes = 0;
        int type = api->ggml_backend_dev_type(device);

        api->ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
        report_open(NULL, '{');
        report_text("name", api->ggml_backend_dev_name(device));
        report_text("type", type >= 0 && type <= GGML_DEVICE_ACCEL ? types[type] : "other");
        report_text("description", api->ggml_backend_dev_description(device));
        report_number("total", "%zu", total_bytes);
        report_number("free", "%zu", free_bytes);
        report_close();
    }
    report_close();
}

/* The likeliest token; *gap shrinks to its lead over the second. */
static int32_t choose(const float *logits, int32_t n, float *gap)
{
    int32_t best = 0;

    for (int32_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    for (int32_t i = 0; i < n; i++)
        if (i != best && !(logits[best] - logits[i] >= *gap))
            *gap = logits[best] - logits[i];
    return best;
}

struct result {
    int prompt_tokens, tokens;
    bool ended;
    float gap;
    long long prompt_us, decode_us;
    char text[TEXT_MAX];
};

static bool append_piece(const struct llama_api *api, const struct llama_vocab *vocab, int32_t token, char *text)
{
    size_t used = strlen(text);
    int32_t length = api->llama_token_to_piece(vocab, token, text + used, (int32_t)(TEXT_MAX - 1 - used), 0, true);

    if (length < 0)
        return fail("the text is too long", "");
    text[used + (size_t)length] = 0;
    return true;
}

static bool decode(const struct llama_api *api, struct llama_context *context, const struct llama_vocab *vocab,
                   const char *prompt, int n, struct result *r)
{
    static int32_t tokens[TOKENS_MAX];
    int32_t next, n_tokens = api->llama_tokenize(vocab, prompt, (int32_t)strlen(prompt), tokens, TOKENS_MAX, true, false);
    long long start = now_us();

    *r = (struct result){ .prompt_tokens = n_tokens, .gap = 1e30f };
    if (n_tokens <= 0)
        return fail("the prompt cannot be tokenised: ", prompt);
    for (;;) {
        const float *logits;

        if (api->llama_decode(context, api->llama_batch_get_one(tokens, n_tokens)))
            return fail("llama_decode failed", "");
        logits = api->llama_get_logits_ith(context, -1);
        if (!logits)
            return fail("there are no logits", "");
        next = choose(logits, api->llama_vocab_n_tokens(vocab), &r->gap);
        if (!r->prompt_us)
            r->prompt_us = now_us() - start;
        if (api->llama_vocab_is_eog(vocab, next)) {
            r->ended = true;
            break;
        }
        if (!append_piece(api, vocab, next, r->text))
            return false;
        if (++r->tokens == n)
            break;
        tokens[0] = next;
        n_tokens = 1;
    }
    r->decode_us = now_us() - start - r->prompt_us;
    return true;
}

static bool run(const struct llama_api *api, struct llama_model *model, const struct options *o, int flash_attn,
                const char *prompt, struct result *r)
{
    struct llama_context_params params = api->llama_context_default_params();
    struct llama_context *context;
    bool done;

    params.n_ctx = params.n_batch = (uint32_t)o->ctx;
    params.flash_attn_type = flash_attn;
    params.n_threads = params.n_threads_batch = o->threads;
    context = api->llama_init_from_model(model, params);
    if (!context)
        return fail("no context can be made", "");
    done = decode(api, context, api->llama_model_get_vocab(model), prompt, o->n, r);
    api->llama_free(context);
    return done;
}

static void report_run(int flash_attn, int prompt, const struct result *r)
{
    report_open(NULL, '{');
    report_number("flash_attn", "%d", flash_attn);
    report_number("prompt", "%d", prompt);
    report_number("prompt_tokens", "%d", r->prompt_tokens);
    report_number("tokens", "%d", r->tokens);
    report_number("ended", "%s", r->ended ? "true" : "false");
    report_number("gap", "%.3f", r->gap);
    report_number("prompt_us", "%lld", r->prompt_us);
    report_number("decode_us", "%lld", r->decode_us);
    report_text("sentence", r->text + (*r->text == ' '));
    report_close();
}

static bool run_model(const struct llama_api *api, const struct options *o, const char *path, struct heard *heard)
{
    static struct result result;
    struct llama_model_params params = api->llama_model_default_params();
    struct llama_model *model;
    bool done = true;

    params.n_gpu_layers = o->ngl;
    heard->layers = heard->offloaded = 0;
    model = api->llama_model_load_from_file(path, params);
    if (!model)
        return fail("the model cannot be loaded: ", path);
    report_open(NULL, '{');
    report_text("path", path);
    report_number("layers", "%d", heard->layers);
    report_number("offloaded", "%d", heard->offloaded);
    report_open("runs", '[');
    for (int flash_attn = 0; done && flash_attn < 2; flash_attn++)
        for (int prompt = 0; done && prompt < o->prompts.n; prompt++) {
            if (o->flash_attn >= 0 && flash_attn != o->flash_attn)
                continue;
            done = run(api, model, o, flash_attn, o->prompts.item[prompt], &result);
            if (done)
                report_run(flash_attn, prompt, &result);
        }
    report_close();
    report_close();
    api->llama_model_free(model);
    return done;
}

static const char *read_prompt(const char *path)
{
    char *text = malloc(PROMPT_MAX);
    FILE *f = fopen(path, "r");
    size_t size = f && text ? fread(text, 1, PROMPT_MAX, f) : 0;
    bool whole = f && text && !ferror(f) && size < PROMPT_MAX;

    if (f)
        fclose(f);
    if (!whole) {
        free(text);
        fail("this prompt cannot be read, or is too long: ", path);
        return NULL;
    }
    text[size] = 0;
    if (size && text[size - 1] == '\n')
        text[size - 1] = 0;
    return text;
}

static bool add(struct list *l, const char *item)
{
    if (!item || !*item || l->n == LIST_MAX)
        return fail("too many, or empty: ", item ? item : "");
    l->item[l->n++] = item;
    return true;
}

static bool add_dir(struct list *l, const char *dir)
{
    char *marked = malloc(strlen(dir) + 2);

    if (!marked)
        return false;
    sprintf(marked, "%s/", dir);
    return add(l, marked);
}

static bool number(const char *text, int min, int max, int *value)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < min || v > max)
        return fail("out of range: ", text);
    *value = (int)v;
    return true;
}

static const struct option long_options[] = {
    { "lib", required_argument, NULL, 'l' },
    { "backend", required_argument, NULL, 'b' },
    { "backend-dir", required_argument, NULL, 'd' },
    { "model", required_argument, NULL, 'm' },
    { "prompt", required_argument, NULL, 'p' },
    { "prompt-file", required_argument, NULL, 'f' },
    { "n", required_argument, NULL, 'n' },
    { "ngl", required_argument, NULL, 'g' },
    { "flash-attn", required_argument, NULL, 'a' },
    { "ctx", required_argument, NULL, 'c' },
    { "threads", required_argument, NULL, 't' },
    { "verbose", no_argument, NULL, 'v' },
    { 0 },
};

static bool parse(int argc, char **argv, struct options *o)
{
    bool good = true;
    int option;

    while (good && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        switch (option) {
        case 'l': o->lib = optarg; break;
        case 'b': good = add(&o->backends, optarg); break;
        case 'd': good = add_dir(&o->backends, optarg); break;
        case 'm': good = add(&o->models, optarg); break;
        case 'p': good = add(&o->prompts, optarg); break;
        case 'f': good = add(&o->prompts, read_prompt(optarg)); break;
        case 'n': good = number(optarg, 1, TOKENS_MAX, &o->n); break;
        case 'g': good = number(optarg, -1, 1000, &o->ngl); break;
        case 'a': good = number(optarg, 0, 1, &o->flash_attn); break;
        case 'c': good = number(optarg, 1, 1 << 20, &o->ctx); break;
        case 't': good = number(optarg, 1, 256, &o->threads); break;
        case 'v': o->verbose = true; break;
        default: good = false;
        }
    return good && optind == argc && o->lib;
}

int main(int argc, char **argv)
{
    struct options o = { .n = 64, .ngl = -1, .flash_attn = -1, .ctx = 512, .threads = 2 };
    struct llama_api api;
    struct heard heard = { 0 };
    char error[LLAMA_ERROR_SIZE];
    bool done;

    if (!parse(argc, argv, &o)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!llama_open(&api, o.lib, error))
        return !fail(error, "");
    heard.verbose = o.verbose;
    api.llama_log_set(on_log, &heard);
    api.ggml_log_set(on_log, &heard);
    report_open(NULL, '{');
    report_text("version", api.llama_version());
    done = load_backends(&api, &o.backends);
    api.llama_backend_init();
    print_devices(&api);
    report_open("models", '[');
    for (int i = 0; done && i < o.models.n; i++)
        done = run_model(&api, &o, o.models.item[i], &heard);
    report_close();
    report_number("complete", "%s", done ? "true" : "false");
    report_libraries();
    report_close();
    api.llama_backend_free();
    return !done;
}
