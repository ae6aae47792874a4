/* SPDX-License-Identifier: Apache-2.0 */
/* apigen: reads the API tables and writes everything that follows from them.
 *
 * Two kinds of table exist. A *library table* (api/NAME.api) lists the entry points of one NVIDIA
 * library; a *ring table* (ring.api) lists the commands that travel over the command ring. Both are
 * parsed whole and checked before a byte is written. Any mistake ends the program with
 * "file:line:col: error: ..." and a caret under the place. See ../README.md for the syntax. */
#ifndef VGPU_APIGEN_H
#define VGPU_APIGEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* ---- reading (lex.c) ---- */

enum token_kind { T_END, T_WORD, T_STRING, T_PUNCT };

struct token {
    enum token_kind kind;
    int column; /* from 1 */
    char *text; /* without quotes */
};

struct line {
    const char *file;
    int number; /* from 1 */
    char *text;
    struct token *tokens; /* ends with T_END */
    int at;               /* the next token to be read */
};

struct source {
    struct line *lines; /* only lines that hold a token */
    int count;
};

struct source read_source(const char *path);

/* The mistake is at the token before LINE->at (the one just read), or at TOKEN. */
_Noreturn void fail_at(const struct line *line, const struct token *token, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct token *peek(struct line *line);
struct token *next(struct line *line);
bool accept(struct line *line, const char *text); /* a word or a punctuation mark */
void expect(struct line *line, const char *text);
void expect_end(struct line *line);
struct token *expect_name(struct line *line, const char *what); /* a C identifier */
uint32_t expect_number(struct line *line, const char *what, uint32_t max);

/* The table without comments and with single spaces: what its hash is taken over. */
uint64_t source_hash(const struct source *source);

/* Doubles ARRAY's room when COUNT reaches it; never returns on lack of memory. */
void *grow(void *array, int count, size_t element);
void *zalloc(size_t size);
char *copy_text(const char *text);

/* ---- library tables (table.c) ---- */

/* How a value is printed by the tracer; the names are those of enum vgpu_arg_kind in hooks.h. */
enum value_kind { V_I32, V_U32, V_I64, V_U64, V_HEX, V_F64, V_STR, V_PTR, V_STRUCT, V_VOID };

enum type_form { F_SCALAR, F_HANDLE, F_STREAM, F_ENUM, F_STRUCT, F_VALUE, F_CALLBACK };

struct arg;

struct type {
    char *name;  /* as the table writes it */
    char *c;     /* as C writes it */
    enum type_form form;
    bool builtin;
    enum value_kind value;
    char *tag;                   /* F_HANDLE, F_STREAM: struct TAG * */
    const struct type *result;   /* F_CALLBACK */
    struct arg *args;
    int arg_count;
};

enum direction { D_VALUE, D_IN, D_OUT, D_INOUT };

struct arg {
    enum direction direction;
    const struct type *type;
    char *name;
};

enum call_class { C_GUEST, C_NONE };

struct call {
    const struct line *line;
    const struct token *where;
    uint32_t number;
    char *name;
    char *impl;             /* the suffix of impl_... */
    int since, until;       /* 1209 is 12.9; until is 0 when still there */
    bool shared;            /* alias or variant: all below but per_thread is its target's */
    bool per_thread;        /* variant: the default stream is the per-thread one */
    enum call_class class;
    char *reason;
    const struct type *result;
    struct arg *args;
    int arg_count;
};

struct output {
    char *soname;
    char *node; /* version node, or NULL */
    int since, until;
};

struct table {
    char *name;
    const struct type *status;
    uint32_t unsupported;
    struct output *outputs;
    int output_count;
    struct type **types;
    int type_count;
    struct call *calls;
    int call_count;
};

struct table *read_table(const char *path);
const struct output *find_output(const struct table *table, const char *soname);
bool in_output(const struct call *call, const struct output *output);

void emit_types(FILE *out, const struct table *table);
void emit_impl(FILE *out, const struct table *table);
void emit_api(FILE *out, const struct table *table, const struct output *output);
void emit_stubs(FILE *out, const struct table *table, const struct output *output);
void emit_map(FILE *out, const struct table *table, const struct output *output);
void emit_coverage(FILE *out, struct table *const *tables, int count);
void emit_numbers(FILE *out, struct table *const *tables, int count);

/* ---- ring tables (ring.c) ---- */

struct field {
    char *name;
    char *type; /* u8 u16 u32 u64 i32 i64 f32 f64 */
    uint32_t size, count, offset;
    bool array, hex, pad;
};

struct layout {
    struct field *fields;
    int count;
    uint32_t size;
};

struct command {
    const struct line *line;
    uint32_t number;
    char *name;
    bool sync, tail, reply_tail;
    struct layout fixed, reply;
};

struct ring {
    struct command *commands;
    int count;
    uint64_t hash;
};

struct ring *read_ring(const char *path);
void emit_ring_commands(FILE *out, const struct ring *ring);
void emit_ring_encode(FILE *out, const struct ring *ring);
void emit_ring_decode_h(FILE *out, const struct ring *ring);
void emit_ring_decode_c(FILE *out, const struct ring *ring);

#endif
