/* SPDX-License-Identifier: Apache-2.0 */
/* The part of llama.cpp's C API that vgpu-infer uses, declared here because the pinned package brings
 * libllama without headers. Layouts are those of llama.cpp 0.5.0 (ggml 0.25.1), as in node-llama-cpp 3.22.1.
 *
 * Structures travel by value, so a layout that is off by one field would silently mean something else.
 * Therefore llama_open refuses a library whose default parameters, written into memory filled with a
 * pattern, do not lie exactly where these declarations say, with exactly these values and this size. */
#ifndef VGPU_PAYLOAD_LLAMA_API_H
#define VGPU_PAYLOAD_LLAMA_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each field: type, name, and the bits that the library's default has. */
#define LLAMA_MINUS_ONE 0xffffffffu     /* an int32_t -1: automatic, or as the model says */
#define LLAMA_MINUS_ONE_F 0xbf800000u   /* a float -1: as the model says */

#define LLAMA_MODEL_PARAMS(F) \
    F(void **, devices, 0) \
    F(const void *, tensor_buft_overrides, 0) \
    F(int32_t, n_gpu_layers, LLAMA_MINUS_ONE)   /* all */ \
    F(int32_t, split_mode, 1)                   /* by layers */ \
    F(int32_t, load_mode, LLAMA_MINUS_ONE) \
    F(int32_t, lazy_mode, 1)                    /* automatic */ \
    F(int32_t, main_gpu, 0) \
    F(const float *, tensor_split, 0) \
    F(void *, progress_callback, 0) \
    F(void *, progress_callback_user_data, 0) \
    F(const void *, kv_overrides, 0) \
    F(bool, vocab_only, 0) \
    F(bool, check_tensors, 0) \
    F(bool, use_extra_bufts, 1) \
    F(bool, no_host, 0) \
    F(bool, no_alloc, 0) \
    F(bool, load_mtp, 0)

#define LLAMA_CONTEXT_PARAMS(F) \
    F(uint32_t, n_ctx, 512) \
    F(uint32_t, n_batch, 2048) \
    F(uint32_t, n_ubatch, 512) \
    F(uint32_t, n_seq_max, 1) \
    F(uint32_t, n_rs_seq, 0) \
    F(uint32_t, n_outputs_max, 0) \
    F(uint32_t, n_outputs_max_per_seq, 1) \
    F(int32_t, n_threads, 4) \
    F(int32_t, n_threads_batch, 4) \
    F(int32_t, ctx_type, 0) \
    F(int32_t, rope_scaling_type, LLAMA_MINUS_ONE) \
    F(int32_t, pooling_type, LLAMA_MINUS_ONE) \
    F(int32_t, attention_type, LLAMA_MINUS_ONE) \
    F(int32_t, flash_attn_type, LLAMA_MINUS_ONE)    /* else 0 off, 1 on */ \
    F(float, rope_freq_base, 0) \
    F(float, rope_freq_scale, 0) \
    F(float, yarn_ext_factor, LLAMA_MINUS_ONE_F) \
    F(float, yarn_attn_factor, LLAMA_MINUS_ONE_F) \
    F(float, yarn_beta_fast, LLAMA_MINUS_ONE_F) \
    F(float, yarn_beta_slow, LLAMA_MINUS_ONE_F) \
    F(uint32_t, yarn_orig_ctx, 0) \
    F(float, defrag_thold, LLAMA_MINUS_ONE_F) \
    F(void *, cb_eval, 0) \
    F(void *, cb_eval_user_data, 0) \
    F(int32_t, type_k, 1)                           /* f16 */ \
    F(int32_t, type_v, 1) \
    F(void *, abort_callback, 0) \
    F(void *, abort_callback_data, 0) \
    F(bool, embeddings, 0) \
    F(bool, offload_kqv, 1) \
    F(bool, no_perf, 1) \
    F(bool, op_offload, 1) \
    F(bool, swa_full, 1) \
    F(bool, kv_unified, 0) \
    F(void *, samplers, 0) \
    F(size_t, n_samplers, 0) \
    F(void *, ctx_other, 0)

#define LLAMA_FIELD(type, name, bits) type name;
struct llama_model_params { LLAMA_MODEL_PARAMS(LLAMA_FIELD) };
struct llama_context_params { LLAMA_CONTEXT_PARAMS(LLAMA_FIELD) };
#undef LLAMA_FIELD

struct llama_batch {
    int32_t n_tokens;
    int32_t *token;
    float *embd;
    int32_t *pos;
    int32_t *n_seq_id;
    int32_t **seq_id;
    int8_t *logits;
};

struct llama_model;
struct llama_context;
struct llama_vocab;
struct ggml_backend_reg;
struct ggml_backend_device;

enum llama_log_level { LLAMA_LOG_DEBUG = 1, LLAMA_LOG_INFO, LLAMA_LOG_WARN, LLAMA_LOG_ERROR, LLAMA_LOG_CONTINUE };
typedef void llama_log_callback(int level, const char *text, void *user_data);

/* What ggml_backend_dev_type says. */
enum ggml_device_type { GGML_DEVICE_CPU, GGML_DEVICE_GPU, GGML_DEVICE_IGPU, GGML_DEVICE_ACCEL };

#define LLAMA_FUNCTIONS(F) \
    F(const char *, llama_version, (void)) \
    F(void, llama_log_set, (llama_log_callback *callback, void *user_data)) \
    F(void, llama_backend_init, (void)) \
    F(void, llama_backend_free, (void)) \
    F(struct llama_model_params, llama_model_default_params, (void)) \
    F(struct llama_context_params, llama_context_default_params, (void)) \
    F(struct llama_model *, llama_model_load_from_file, (const char *path, struct llama_model_params params)) \
    F(void, llama_model_free, (struct llama_model *model)) \
    F(const struct llama_vocab *, llama_model_get_vocab, (const struct llama_model *model)) \
    F(int32_t, llama_vocab_n_tokens, (const struct llama_vocab *vocab)) \
    F(bool, llama_vocab_is_eog, (const struct llama_vocab *vocab, int32_t token)) \
    F(int32_t, llama_tokenize, (const struct llama_vocab *vocab, const char *text, int32_t text_len, \
                                int32_t *tokens, int32_t n_max, bool add_special, bool parse_special)) \
    F(int32_t, llama_token_to_piece, (const struct llama_vocab *vocab, int32_t token, char *text, int32_t size, \
                                      int32_t lstrip, bool special)) \
    F(struct llama_context *, llama_init_from_model, (struct llama_model *model, struct llama_context_params params)) \
    F(void, llama_free, (struct llama_context *context)) \
    F(struct llama_batch, llama_batch_get_one, (int32_t *tokens, int32_t n_tokens)) \
    F(int32_t, llama_decode, (struct llama_context *context, struct llama_batch batch)) \
    F(float *, llama_get_logits_ith, (struct llama_context *context, int32_t i)) \
    F(void, ggml_log_set, (llama_log_callback *callback, void *user_data)) \
    F(struct ggml_backend_reg *, ggml_backend_load, (const char *path)) \
    F(void, ggml_backend_load_all_from_path, (const char *dir)) \
    F(size_t, ggml_backend_dev_count, (void)) \
    F(struct ggml_backend_device *, ggml_backend_dev_get, (size_t index)) \
    F(const char *, ggml_backend_dev_name, (struct ggml_backend_device *device)) \
    F(const char *, ggml_backend_dev_description, (struct ggml_backend_device *device)) \
    F(void, ggml_backend_dev_memory, (struct ggml_backend_device *device, size_t *free_bytes, size_t *total_bytes)) \
    F(int, ggml_backend_dev_type, (struct ggml_backend_device *device))

#define LLAMA_POINTER(type, name, arguments) type (*name) arguments;
struct llama_api {
    void *handle;
    LLAMA_FUNCTIONS(LLAMA_POINTER)
};
#undef LLAMA_POINTER

enum { LLAMA_ERROR_SIZE = 512 };

/* Opens the one libllama in a directory (whatever version its name carries) and checks the layouts. On
 * failure false, with a message in error (LLAMA_ERROR_SIZE bytes). */
bool llama_open(struct llama_api *api, const char *dir, char *error);
/* The check alone. */
bool llama_layouts_match(const struct llama_api *api, char *error);

#endif
