/* SPDX-License-Identifier: Apache-2.0 */
#include "llama_api.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

struct field {
    const char *name;
    size_t offset, size;
    uint64_t bits;
};

#define MODEL_FIELD(type, name, bits) { #name, offsetof(struct llama_model_params, name), sizeof(type), bits },
static const struct field model_fields[] = { LLAMA_MODEL_PARAMS(MODEL_FIELD) { 0 } };

#define CONTEXT_FIELD(type, name, bits) { #name, offsetof(struct llama_context_params, name), sizeof(type), bits },
static const struct field context_fields[] = { LLAMA_CONTEXT_PARAMS(CONTEXT_FIELD) { 0 } };

/* Room for a structure that is larger than declared, and what it is filled with: as no default has
 * these bytes, a field that the library did not write is seen as well as one it wrote too far. */
enum { ROOM = 512, PATTERN = 0xa5 };

/* System V AMD64 ABI, 3.2.3: a structure of class MEMORY is returned through an address that is passed
 * as if it were the first argument. That address is what the guard has to choose. */
typedef void *returns_struct(void *result);
typedef void *returns_batch(void *result, int32_t *tokens, int32_t n_tokens);

static bool untouched(const unsigned char *room, size_t size)
{
    while (size < ROOM && room[size] == PATTERN)
        size++;
    return size == ROOM;
}

static bool fields_match(const char *what, const unsigned char *room, size_t size, const struct field *f, char *error)
{
    for (; f->name; f++) {
        uint64_t bits = 0;

        memcpy(&bits, room + f->offset, f->size);
        if (bits != f->bits) {
            snprintf(error, LLAMA_ERROR_SIZE, "libllama has another layout of %s: %s at offset %zu is %#llx, not %#llx", what,
                     f->name, f->offset, (unsigned long long)bits, (unsigned long long)f->bits);
            return false;
        }
    }
    if (!untouched(room, size)) {
        snprintf(error, LLAMA_ERROR_SIZE, "libllama has another layout of %s: it is larger than %zu bytes", what, size);
        return false;
    }
    return true;
}

bool llama_layouts_match(const struct llama_api *api, char *error)
{
    unsigned char room[ROOM];
    struct llama_batch *batch = (struct llama_batch *)room;
    int32_t token = 7;

    memset(room, PATTERN, ROOM);
    ((returns_struct *)(void (*)(void))api->llama_model_default_params)(room);
    if (!fields_match("llama_model_params", room, sizeof(struct llama_model_params), model_fields, error))
        return false;
    memset(room, PATTERN, ROOM);
    ((returns_struct *)(void (*)(void))api->llama_context_default_params)(room);
    if (!fields_match("llama_context_params", room, sizeof(struct llama_context_params), context_fields, error))
        return false;
    memset(room, PATTERN, ROOM);
    ((returns_batch *)(void (*)(void))api->llama_batch_get_one)(room, &token, 1);
    if (batch->n_tokens != 1 || batch->token != &token || batch->embd || batch->pos || batch->n_seq_id || batch->seq_id
        || batch->logits || !untouched(room, sizeof(*batch))) {
        snprintf(error, LLAMA_ERROR_SIZE, "libllama has another layout of llama_batch");
        return false;
    }
    return true;
}

/* libllama.so, libllama.v1.2.3.so, libllama.so.1 and the like, but not libllama-common.so. */
static void *open_library(const char *dir, char *error)
{
    char pattern[4096];
    glob_t found;
    void *handle = NULL;

    if (snprintf(pattern, sizeof(pattern), "%s/libllama.*", dir) >= (int)sizeof(pattern)) {
        snprintf(error, LLAMA_ERROR_SIZE, "the directory's name is too long");
        return NULL;
    }
    if (glob(pattern, 0, NULL, &found)) {
        snprintf(error, LLAMA_ERROR_SIZE, "no libllama in %.400s", dir);
        return NULL;
    }
    handle = dlopen(found.gl_pathv[0], RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        snprintf(error, LLAMA_ERROR_SIZE, "%s", dlerror());
    globfree(&found);
    return handle;
}

bool llama_open(struct llama_api *api, const char *dir, char *error)
{
    api->handle = open_library(dir, error);
    if (!api->handle)
        return false;
    /* dlsym also searches what the library depends on: libggml and libggml-base. */
#define RESOLVE(type, name, arguments) \
    *(void **)&api->name = dlsym(api->handle, #name); \
    if (!api->name) { \
        snprintf(error, LLAMA_ERROR_SIZE, "libllama has no %s", #name); \
        return false; \
    }
    LLAMA_FUNCTIONS(RESOLVE)
#undef RESOLVE
    return llama_layouts_match(api, error);
}
