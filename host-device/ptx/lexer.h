/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of PTX text, chapter 4. The text ends in a NUL that is not part of it. */
#ifndef VGPU_PTX_LEXER_H
#define VGPU_PTX_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ptx_token_kind {
    PTX_TOKEN_END,
    PTX_TOKEN_ID,    /* identifier, with its leading % or $ */
    PTX_TOKEN_DOT,   /* .word, with the dot; :: belongs to it (.shared::cta) */
    PTX_TOKEN_INT,   /* value: the bits */
    PTX_TOKEN_F32,   /* 0f...: value is the binary32 pattern */
    PTX_TOKEN_F64,   /* 0d... and decimal: value is the binary64 pattern */
    PTX_TOKEN_STR,   /* s and n without the quotes, escapes as written */
    PTX_TOKEN_PUNCT, /* value: the character */
    PTX_TOKEN_BAD,   /* s: what is wrong, a literal sentence */
};

struct ptx_token {
    uint8_t kind;
    bool is_unsigned; /* INT: U suffix, or too large for a signed 64-bit number */
    const char *s;
    uint32_t n;
    uint32_t line, column; /* from 1 */
    uint64_t value;
};

struct ptx_lexer {
    const char *p, *end;
    const char *line_start;
    uint32_t line;
    struct ptx_token t; /* the current token */
};

/* Start at p in a text that ends (with its NUL) at end; p is in line 'line'. Reads no token yet. */
void ptx_lex_init(struct ptx_lexer *lx, const char *p, const char *end, uint32_t line);
/* Step to the next token. */
void ptx_lex_next(struct ptx_lexer *lx);
/* The current token is '{': step behind its '}' without reading tokens. False when there is none. *close is the '}'. */
bool ptx_lex_skip_block(struct ptx_lexer *lx, const char **close);

#endif
