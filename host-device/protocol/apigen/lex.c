/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and tokens: both kinds of table are lines of words, strings and punctuation, '#' to the end
 * of a line is a comment. */
#include "apigen.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void die(const char *fmt, ...)
{
    va_list ap;

    fputs("apigen: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

void fail_at(const struct line *line, const struct token *token, const char *fmt, ...)
{
    va_list ap;
    int column = token ? token->column : 1;

    fprintf(stderr, "%s:%d:%d: error: ", line->file, line->number, column);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n    %s\n    ", line->text);
    for (int i = 0; i + 1 < column && line->text[i]; i++)
        fputc(line->text[i] == '\t' ? '\t' : ' ', stderr);
    fputs("^\n", stderr);
    exit(1);
}

void *zalloc(size_t size)
{
    void *p = calloc(1, size);

    if (!p)
        die("out of memory");
    return p;
}

void *grow(void *array, int count, size_t element)
{
    /* Room is the next power of two, so it need not be stored. */
    if (count & (count - 1))
        return array;
    array = realloc(array, (count ? 2 * (size_t)count : 1) * element);
    if (!array)
        die("out of memory");
    return array;
}

char *copy_text(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        die("out of memory");
    return copy;
}

static char *copy_range(const char *start, const char *end)
{
    char *copy = strndup(start, (size_t)(end - start));

    if (!copy)
        die("out of memory");
    return copy;
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

static void add_token(struct line *line, int *count, enum token_kind kind, int column, char *text)
{
    line->tokens = grow(line->tokens, *count, sizeof *line->tokens);
    line->tokens[(*count)++] = (struct token){.kind = kind, .column = column, .text = text};
}

static int split(struct line *line)
{
    const char *p = line->text;
    int count = 0;

    while (*p && *p != '#') {
        const char *start = p;
        int column = (int)(p - line->text) + 1;

        if (*p == ' ' || *p == '\t') {
            p++;
        } else if (is_word_char(*p)) {
            while (is_word_char(*p))
                p++;
            add_token(line, &count, T_WORD, column, copy_range(start, p));
        } else if (*p == '"') {
            while (*++p && *p != '"')
                ;
            struct token here = {.column = column};
            if (!*p)
                fail_at(line, &here, "this string does not end");
            add_token(line, &count, T_STRING, column, copy_range(start + 1, p));
            p++;
        } else if (strchr("(),=[]", *p)) {
            p++;
            add_token(line, &count, T_PUNCT, column, copy_range(start, p));
        } else {
            struct token here = {.column = column};
            fail_at(line, &here, "a character that no table uses (0x%02x)", (unsigned char)*p);
        }
    }
    int words = count;
    add_token(line, &count, T_END, (int)strlen(line->text) + 1, copy_text(""));
    return words;
}

struct source read_source(const char *path)
{
    FILE *in = fopen(path, "r");
    struct source source = {0};
    const char *file = copy_text(path);
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    int number = 0;

    if (!in)
        die("%s: %s", path, strerror(errno));
    while ((length = getline(&text, &room, in)) >= 0) {
        struct line line = {.file = file, .number = ++number};

        if (memchr(text, 0, (size_t)length))
            die("%s:%d: the line holds a NUL byte", path, number);
        text[strcspn(text, "\r\n")] = 0;
        line.text = copy_text(text);
        if (!split(&line))
            continue;
        source.lines = grow(source.lines, source.count, sizeof *source.lines);
        source.lines[source.count++] = line;
    }
    if (ferror(in))
        die("%s: %s", path, strerror(errno));
    free(text);
    fclose(in);
    return source;
}

struct token *peek(struct line *line)
{
    return &line->tokens[line->at];
}

struct token *next(struct line *line)
{
    struct token *token = peek(line);

    if (token->kind != T_END)
        line->at++;
    return token;
}

bool accept(struct line *line, const char *text)
{
    struct token *token = peek(line);

    if (token->kind == T_END || token->kind == T_STRING || strcmp(token->text, text))
        return false;
    line->at++;
    return true;
}

void expect(struct line *line, const char *text)
{
    if (!accept(line, text))
        fail_at(line, peek(line), "'%s' expected here", text);
}

void expect_end(struct line *line)
{
    if (peek(line)->kind != T_END)
        fail_at(line, peek(line), "the line should end here");
}

struct token *expect_name(struct line *line, const char *what)
{
    struct token *token = next(line);
    bool good = token->kind == T_WORD && !isdigit((unsigned char)token->text[0]);

    for (const char *p = token->text; good && *p; p++)
        good = isalnum((unsigned char)*p) || *p == '_';
    if (!good)
        fail_at(line, token, "%s expected here", what);
    return token;
}

uint32_t expect_number(struct line *line, const char *what, uint32_t max)
{
    struct token *token = next(line);
    char *end;
    unsigned long long value;

    if (token->kind != T_WORD || !isdigit((unsigned char)token->text[0]))
        fail_at(line, token, "%s (a number) expected here", what);
    errno = 0;
    value = strtoull(token->text, &end, 0);
    if (*end || errno || value > max)
        fail_at(line, token, "%s must be a number up to %u", what, max);
    return (uint32_t)value;
}

uint64_t source_hash(const struct source *source)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, 64 bits */

    for (int i = 0; i < source->count; i++) {
        for (const struct token *t = source->lines[i].tokens; ; t++) {
            const char *text = t->kind == T_END ? "\n" : t->text;
            for (const char *p = text; *p; p++)
                hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
            if (t->kind == T_END)
                break;
            hash = (hash ^ ' ') * 0x100000001b3u;
        }
    }
    return hash;
}
