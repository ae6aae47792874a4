/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ptx/lexer.h"

enum { C_SPACE = 1, C_ID = 2, C_ID_START = 4, C_DIGIT = 8, C_BLOCK = 16 };

#define LETTERS(lo, hi) [lo ... hi] = C_ID | C_ID_START
static const uint8_t class[256] = {
    [' '] = C_SPACE, ['\t'] = C_SPACE, ['\r'] = C_SPACE, ['\v'] = C_SPACE, ['\f'] = C_SPACE,
    LETTERS('a', 'z'), LETTERS('A', 'Z'), ['_'] = C_ID | C_ID_START, ['$'] = C_ID | C_ID_START, ['%'] = C_ID_START,
    ['0' ... '9'] = C_ID | C_DIGIT,
    /* what matters when a block is skipped */
    ['{'] = C_BLOCK, ['}'] = C_BLOCK, ['"'] = C_BLOCK, ['/'] = C_BLOCK, ['\n'] = C_BLOCK, [0] = C_BLOCK,
};

static unsigned cls(const char *p)
{
    return class[(unsigned char)*p];
}

void ptx_lex_init(struct ptx_lexer *lx, const char *p, const char *end, uint32_t line)
{
    *lx = (struct ptx_lexer){.p = p, .end = end, .line_start = p, .line = line};
}

static void bad(struct ptx_lexer *lx, const char *why)
{
    lx->t.kind = PTX_TOKEN_BAD;
    lx->t.s = why;
    lx->t.n = strlen(why);
}

static void newline(struct ptx_lexer *lx, const char *p)
{
    lx->line++;
    lx->line_start = p + 1;
}

/* Behind a comment that starts at p ("//" or "/" "*"); NULL when it does not end. */
static const char *skip_comment(struct ptx_lexer *lx, const char *p)
{
    if (p[1] == '/') {
        p = memchr(p, '\n', lx->end - p);
        return p ? p : lx->end;
    }
    for (p += 2; p < lx->end; p++) {
        if (*p == '\n')
            newline(lx, p);
        else if (p[0] == '*' && p[1] == '/')
            return p + 2;
    }
    return NULL;
}

static bool is_comment(const char *p)
{
    return p[0] == '/' && (p[1] == '/' || p[1] == '*');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool digits(struct ptx_lexer *lx, const char **p, unsigned base)
{
    const char *first = *p;
    uint64_t v = 0;
    int d;

    for (; (d = hex_digit(**p)) >= 0 && d < (int)base; ++*p) {
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v)) {
            bad(lx, "integer constant has more than 64 bits");
            return false;
        }
    }
    if (*p == first) {
        bad(lx, "number without digits");
        return false;
    }
    lx->t.value = v;
    return true;
}

/* 0f and 8, 0d and 16 hexadecimal digits: chapter 4.5.2. */
static bool exact_float(struct ptx_lexer *lx, const char **p, int want)
{
    uint64_t v = 0;
    int n = 0, d;

    for (*p += 2; n < want && (d = hex_digit(**p)) >= 0; n++, ++*p)
        v = v << 4 | (unsigned)d;
    if (n != want) {
        bad(lx, want == 8 ? "0f needs 8 hexadecimal digits" : "0d needs 16 hexadecimal digits");
        return false;
    }
    lx->t.value = v;
    lx->t.kind = want == 8 ? PTX_TOKEN_F32 : PTX_TOKEN_F64;
    return true;
}

static bool decimal_float(struct ptx_lexer *lx, const char **p)
{
    char *end;
    double v;

    /* strtod would also take hexadecimal floats, infinity and NaN: here a decimal digit comes first. */
    v = strtod(*p, &end);
    if (end == *p) {
        bad(lx, "malformed number");
        return false;
    }
    *p = end;
    memcpy(&lx->t.value, &v, sizeof v);
    lx->t.kind = PTX_TOKEN_F64;
    return true;
}

/* Whether the decimal digits at p go on as a floating-point constant. */
static bool looks_float(const char *p)
{
    while (cls(p) & C_DIGIT)
        p++;
    if (*p == '.')
        return true;
    if ((*p | 0x20) != 'e')
        return false;
    p++;
    if (*p == '+' || *p == '-')
        p++;
    return cls(p) & C_DIGIT;
}

static const char *number(struct ptx_lexer *lx, const char *p)
{
    char c = p[0] == '0' ? p[1] | 0x20 : 0;

    lx->t.kind = PTX_TOKEN_INT;
    if (c == 'x') {
        p += 2;
        if (!digits(lx, &p, 16))
            return p;
    } else if (c == 'b') {
        p += 2;
        if (!digits(lx, &p, 2))
            return p;
    } else if (c == 'f' || c == 'd') {
        if (!exact_float(lx, &p, c == 'f' ? 8 : 16))
            return p;
    } else if (looks_float(p)) {
        if (!decimal_float(lx, &p))
            return p;
    } else if (!digits(lx, &p, p[0] == '0' ? 8 : 10)) {
        return p;
    }
    if (lx->t.kind == PTX_TOKEN_INT) {
        lx->t.is_unsigned = lx->t.value >> 63;
        if (*p == 'U') {
            lx->t.is_unsigned = true;
            p++;
        }
    }
    if (cls(p) & C_ID)
        bad(lx, "malformed number");
    return p;
}

static const char *string(struct ptx_lexer *lx, const char *p)
{
    const char *first = ++p;

    for (; p < lx->end && *p != '"' && *p != '\n'; p++)
        if (*p == '\\' && p + 1 < lx->end && p[1] != '\n')
            p++;
    if (p >= lx->end || *p != '"') {
        bad(lx, "string without an end");
        return p;
    }
    lx->t.kind = PTX_TOKEN_STR;
    lx->t.s = first;
    lx->t.n = p - first;
    return p + 1;
}

void ptx_lex_next(struct ptx_lexer *lx)
{
    const char *p = lx->p, *first;

    for (;; p++) {
        if (cls(p) & C_SPACE)
            continue;
        if (*p == '\n') {
            newline(lx, p);
        } else if (is_comment(p)) {
            uint32_t line = lx->line;
            const char *q = skip_comment(lx, p);

            if (!q) {
                lx->p = lx->end;
                lx->t = (struct ptx_token){.line = line, .column = 1};
                bad(lx, "comment without an end");
                return;
            }
            p = q - 1;
        } else {
            break;
        }
    }
    first = p;
    lx->t = (struct ptx_token){.s = p, .line = lx->line, .column = p - lx->line_start + 1};
    if (cls(p) & C_ID_START) {
        do
            p++;
        while (cls(p) & C_ID);
        lx->t.kind = PTX_TOKEN_ID;
        lx->t.n = p - first;
        if (lx->t.n == 1 && *first == '%') { /* the operator of constant expressions */
            lx->t.kind = PTX_TOKEN_PUNCT;
            lx->t.value = '%';
        }
    } else if (cls(p) & C_DIGIT) {
        p = number(lx, p);
        if (lx->t.kind != PTX_TOKEN_BAD)
            lx->t.n = p - first;
    } else if (*p == '.' && cls(p + 1) & C_ID) {
        p++;
        while (cls(p) & C_ID || (p[0] == ':' && p[1] == ':' && (cls(p + 2) & C_ID) && ++p))
            p++;
        lx->t.kind = PTX_TOKEN_DOT;
        lx->t.n = p - first;
    } else if (*p == '"') {
        p = string(lx, p);
    } else if (p >= lx->end) {
        lx->t.kind = PTX_TOKEN_END;
        p = lx->end;
    } else if ((unsigned char)*p > ' ' && (unsigned char)*p < 127) {
        lx->t.kind = PTX_TOKEN_PUNCT;
        lx->t.value = (unsigned char)*p++;
        lx->t.n = 1;
    } else {
        bad(lx, "stray character");
        p++;
    }
    lx->p = p;
}

bool ptx_lex_skip_block(struct ptx_lexer *lx, const char **close)
{
    const char *p = lx->p;
    int depth = 1;

    for (; p < lx->end; p++) {
        if (!(cls(p) & C_BLOCK))
            continue;
        if (*p == '\n') {
            newline(lx, p);
        } else if (*p == '{') {
            depth++;
        } else if (*p == '}') {
            if (!--depth) {
                *close = p;
                lx->p = p + 1;
                ptx_lex_next(lx);
                return true;
            }
        } else if (*p == '"') {
            p = string(lx, p);
            if (lx->t.kind == PTX_TOKEN_BAD)
                return false;
            p--;
        } else if (is_comment(p)) {
            const char *q = skip_comment(lx, p);

            if (!q)
                return false;
            p = q - 1;
        }
    }
    return false;
}
