/* SPDX-License-Identifier: Apache-2.0 */
/* What the model says, what it is asked, and its vocabulary.
 *
 * The vocabulary is a SentencePiece one: <unk>, <s>, </s>, a token for each byte, then every beginning
 * of every word that occurs ("_t", "_th", "_the", with U+2581 for the space). A tokenizer that merges
 * neighbours into pieces can only grow a piece from its space to the right, so each word ends as one
 * token whatever the scores are. The rest, up to WORDS_VOCAB, are unused tokens. */
#ifndef VGPU_MODEL_WORDS_H
#define VGPU_MODEL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TOKEN_UNKNOWN, TOKEN_BOS, TOKEN_EOS, TOKEN_BYTE_0,
    TOKEN_FIRST_PIECE = TOKEN_BYTE_0 + 256,
    WORDS_VOCAB = 384,
    WORDS_PROMPTS = 2,
    WORDS_MAX = 128,        /* tokens in a prompt and the sentence after it */
};

/* Token types as tokenizer.ggml.token_type numbers them. */
enum token_type { TOKEN_NORMAL = 1, TOKEN_TYPE_UNKNOWN, TOKEN_CONTROL, TOKEN_USER, TOKEN_UNUSED, TOKEN_BYTE };

struct word_token {
    char text[32];
    float score;
    enum token_type type;
};

struct vocabulary {
    struct word_token token[WORDS_VOCAB];
};

/* One prompt and the sentence after it, as the network sees them: <s>, the prompt's words, the
 * sentence's words, </s>. The token at i + 1 is to follow the one at i for all i >= n_prompt - 1. */
struct lesson {
    uint32_t token[WORDS_MAX];
    uint32_t n_prompt;      /* <s> included */
    uint32_t n;
};

extern const char words_sentence[];
extern const struct words_prompt {
    const char *name, *text;
} words_prompts[WORDS_PROMPTS];

void vocabulary_fill(struct vocabulary *v);
/* Tokens of a text of known words, or 0 when one is not known or they are more than max; <s> first. */
size_t vocabulary_tokens(const struct vocabulary *v, const char *text, uint32_t *tokens, size_t max);
/* The text of word tokens up to </s> or n, without a leading space; other tokens as in the table. */
void vocabulary_text(const struct vocabulary *v, const uint32_t *tokens, size_t n, char *text, size_t size);
/* False when the texts do not fit the limits above. */
bool lesson_prepare(const struct vocabulary *v, unsigned prompt, struct lesson *l);

#endif
