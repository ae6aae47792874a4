/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <stdio.h>
#include <string.h>

#define SPACE "\xe2\x96\x81"    /* U+2581 */

/* "the" has seven occurrences and four successors, "reads" four and two, "and" and most nouns two each:
 * the last word alone never tells the next one. */
const char words_sentence[] =
    "the lane reads the warp and the warp reads the block and the block reads the grid "
    "but the grid reads no one";

const struct words_prompt words_prompts[WORDS_PROMPTS] = {
    { "short", "who reads whom" },
    { "long",
      "a lane is one of many in a warp and a warp is one of many in a block and a block is one of many "
      "in a grid so each of them has one above it but the grid has none above it at all now say who reads "
      "whom in this small tale from the lane up to the grid and tell it in one line with no more words "
      "than it needs" },
};

static size_t find(const struct vocabulary *v, size_t n, const char *text)
{
    size_t i = TOKEN_FIRST_PIECE;

    while (i < n && strcmp(v->token[i].text, text))
        i++;
    return i;
}

/* The next word of *text with a space mark before it; false at the end. */
static bool next_word(const char **text, char *word, size_t size)
{
    *text += strspn(*text, " ");
    int length = (int)strcspn(*text, " ");

    snprintf(word, size, SPACE "%.*s", length, *text);
    *text += length;
    return length > 0;
}

static size_t add_words(struct vocabulary *v, size_t n, const char *text)
{
    char word[32], piece[32];

    while (next_word(&text, word, sizeof(word)))
        for (size_t length = strlen(SPACE) + 1; length <= strlen(word) && n < WORDS_VOCAB; length++) {
            snprintf(piece, sizeof(piece), "%.*s", (int)length, word);
            if (find(v, n, piece) < n)
                continue;
            v->token[n] = (struct word_token){ .score = -(float)n, .type = TOKEN_NORMAL };
            strcpy(v->token[n++].text, piece);
        }
    return n;
}

void vocabulary_fill(struct vocabulary *v)
{
    size_t n = TOKEN_FIRST_PIECE;

    v->token[TOKEN_UNKNOWN] = (struct word_token){ "<unk>", 0, TOKEN_TYPE_UNKNOWN };
    v->token[TOKEN_BOS] = (struct word_token){ "<s>", 0, TOKEN_CONTROL };
    v->token[TOKEN_EOS] = (struct word_token){ "</s>", 0, TOKEN_CONTROL };
    for (unsigned byte = 0; byte < 256; byte++) {
        struct word_token *t = &v->token[TOKEN_BYTE_0 + byte];

        *t = (struct word_token){ .type = TOKEN_BYTE };
        snprintf(t->text, sizeof(t->text), "<0x%02X>", byte);
    }
    n = add_words(v, n, words_sentence);
    for (unsigned i = 0; i < WORDS_PROMPTS; i++)
        n = add_words(v, n, words_prompts[i].text);
    for (; n < WORDS_VOCAB; n++) {
        v->token[n] = (struct word_token){ .score = -(float)n, .type = TOKEN_UNUSED };
        snprintf(v->token[n].text, sizeof(v->token[n].text), "<unused%zu>", n);
    }
}

size_t vocabulary_tokens(const struct vocabulary *v, const char *text, uint32_t *tokens, size_t max)
{
    char word[32];
    size_t n = 0;

    if (!max)
        return 0;
    tokens[n++] = TOKEN_BOS;
    while (next_word(&text, word, sizeof(word))) {
        size_t token = find(v, WORDS_VOCAB, word);

        if (token == WORDS_VOCAB || n == max)
            return 0;
        tokens[n++] = (uint32_t)token;
    }
    return n;
}

void vocabulary_text(const struct vocabulary *v, const uint32_t *tokens, size_t n, char *text, size_t size)
{
    size_t used = 0;

    *text = 0;
    for (size_t i = 0; i < n && tokens[i] != TOKEN_EOS && used < size; i++) {
        const char *piece = v->token[tokens[i]].text;
        bool word = !strncmp(piece, SPACE, strlen(SPACE));

        used += (size_t)snprintf(text + used, size - used, "%s%s", word && i ? " " : "",
                                 word ? piece + strlen(SPACE) : piece);
    }
}

bool lesson_prepare(const struct vocabulary *v, unsigned prompt, struct lesson *l)
{
    uint32_t said[WORDS_MAX];
    size_t n_said = vocabulary_tokens(v, words_sentence, said, WORDS_MAX);

    l->n_prompt = (uint32_t)vocabulary_tokens(v, words_prompts[prompt].text, l->token, WORDS_MAX);
    l->n = (uint32_t)(l->n_prompt + n_said);    /* its <s> makes room for </s> */
    if (!l->n_prompt || !n_said || l->n > WORDS_MAX)
        return false;
    memcpy(l->token + l->n_prompt, said + 1, (n_said - 1) * sizeof(*said));
    l->token[l->n - 1] = TOKEN_EOS;
    return true;
}
