/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the front end share. Everything here runs under the module's lock.
 *
 * An error leaves the parse by longjmp (ptx_fail): all memory comes from arenas, so there is nothing to clean up on the way,
 * and no parsing function has an error path of its own. */
#ifndef VGPU_PTX_PARSE_H
#define VGPU_PTX_PARSE_H

#include <pthread.h>
#include <setjmp.h>
#include <string.h>

#include "ptx/arena.h"
#include "ptx/ir.h"
#include "ptx/lexer.h"
#include "ptx/names.h"

struct ptx_sreg_info {
    const char *name;
    uint8_t components, type;
};

#define X(word, name) +1
enum { PTX_FLAG_COUNT = 0 PTX_FLAGS(X) };
#undef X

extern const char *const ptx_space_names[PTX_SPACE_COUNT];
extern const struct ptx_sreg_info ptx_sregs[PTX_SREG_COUNT];
extern const char *const ptx_round_names[PTX_round_count];
extern const char *const ptx_cmp_names[PTX_cmp_count];
extern const char *const ptx_bool_names[PTX_bool_count];
extern const char *const ptx_atom_names[PTX_atom_count];
extern const char *const ptx_mul_names[PTX_mul_count];
extern const char *const ptx_mode_names[PTX_mode_count];
extern const char *const ptx_shape_names[PTX_shape_count];
extern const char *const ptx_sem_names[PTX_sem_count];
extern const char *const ptx_scope_names[PTX_scope_count];
extern const char *const ptx_flag_words[PTX_FLAG_COUNT];

/* Index of the word s[0..len) in a table of names, -1 when it is not there. */
int ptx_word_index(const char *const *words, int n, const char *s, size_t len);

/* CUresults of the front end. */
enum {
    PTX_ERROR_MEMORY = 2,
    PTX_ERROR_INVALID = 218,
    PTX_ERROR_VERSION = 222,
    PTX_ERROR_UNSUPPORTED = 801, /* valid PTX that this GPU does not execute */
};

/* How an immediate was written, kept in operand.sub until check.c knows the type it is converted to. */
enum ptx_literal { PTX_LITERAL_INT, PTX_LITERAL_F32, PTX_LITERAL_F64 };

/* What a module keeps beyond ir.h for parsing bodies. */
struct ptx_module_private {
    struct ptx_module m;
    pthread_mutex_t lock;
    struct ptx_names names;          /* module-level variables and functions */
    struct ptx_mnemonics *mnemonics; /* decoded "add.rn.f32" ..., see rules.h */
    uint32_t symbol_room, file_room;
    struct ptx_error **failures;     /* of the functions whose bodies were refused, by index */
};

/* A use of a label before it is known where the label stands: dst gets the instruction index. */
struct ptx_fixup {
    struct ptx_fixup *next;
    const char *name;
    uint32_t n, line;
    uint32_t insn;    /* its operand 0, when dst is NULL */
    int32_t *dst;
};

#define PTX_MAX_BLOCKS 256 /* nesting of { } in a body */

struct ptx_parser {
    jmp_buf fail;
    struct ptx_error *err;
    struct ptx_module_private *mp;
    struct ptx_module *m;
    struct ptx_arena *keep; /* the module's */
    struct ptx_arena *temp; /* this parse's */
    struct ptx_lexer lx;
    uint32_t function_room; /* while the module is opened */

    /* While a body is parsed: */
    struct ptx_function *f;
    struct ptx_names names; /* of the body */
    struct ptx_block {
        struct ptx_fixup *fixups;
        uint32_t param_top;
    } blocks[PTX_MAX_BLOCKS];
    uint32_t depth; /* of the innermost open block */
    uint32_t insn_room, reg_room, table_room, loc_room, shared_room;
    bool *shared_seen; /* by symbol: noted in shared_uses */
    uint32_t seen_room;
    uint32_t loc; /* in force */
    bool label_at_end; /* a label stands behind the last instruction */
};

_Noreturn void ptx_fail(struct ptx_parser *ps, int code, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* At the current token, whose text is appended. */
_Noreturn void ptx_fail_here(struct ptx_parser *ps, const char *what);

void *ptx_keep(struct ptx_parser *ps, size_t n, size_t size);
void *ptx_temp(struct ptx_parser *ps, size_t n, size_t size);
char *ptx_keep_string(struct ptx_parser *ps, const char *s, size_t n);
/* A larger copy of an array of n elements in the temporary arena (or the module's): amortised growth. */
void *ptx_grow(struct ptx_parser *ps, bool keep, const void *array, uint32_t n, uint32_t *room, size_t size);

/* Tokens: each looks at the current one; accept... steps over it when it fits, expect... fails when it does not. */
static inline bool ptx_at_punct(struct ptx_parser *ps, char c)
{
    return ps->lx.t.kind == PTX_TOKEN_PUNCT && ps->lx.t.value == (unsigned char)c;
}
static inline bool ptx_at_word(struct ptx_parser *ps, const char *word)
{
    return ps->lx.t.n == strlen(word) && !memcmp(ps->lx.t.s, word, ps->lx.t.n) &&
           (ps->lx.t.kind == PTX_TOKEN_DOT || ps->lx.t.kind == PTX_TOKEN_ID);
}
void ptx_next(struct ptx_parser *ps); /* fails on PTX_TOKEN_BAD */
bool ptx_accept(struct ptx_parser *ps, char c);
bool ptx_accept_word(struct ptx_parser *ps, const char *word);
void ptx_expect(struct ptx_parser *ps, char c);
struct ptx_token ptx_expect_id(struct ptx_parser *ps, const char *what);
uint64_t ptx_expect_u64(struct ptx_parser *ps, uint64_t max, const char *what);
int ptx_accept_type(struct ptx_parser *ps); /* PTX_TYPE_NONE when none stands here */

/* const.c: a constant expression; int or double, see enum ptx_literal. */
void ptx_parse_constant(struct ptx_parser *ps, uint8_t *literal, uint64_t *bits);
int64_t ptx_parse_constant_int(struct ptx_parser *ps);

/* convert.c: a literal in the format of a type. False when a type cannot take it (a float literal for an integer). */
bool ptx_convert_literal(uint8_t literal, uint64_t bits, uint8_t type, uint64_t *out);

/* vars.c: one declaration behind its linkage, from its state space directive to the ';'. 'owner' as in ptx_symbol. */
void ptx_parse_variables(struct ptx_parser *ps, uint8_t linkage, int32_t owner);
/* [.align N] [.ptr ...] [.vN] .type name [dims]: fills type, vec, align, size, is_array. */
struct ptx_symbol ptx_parse_declarator_head(struct ptx_parser *ps);
void ptx_parse_declarator(struct ptx_parser *ps, struct ptx_symbol *s);
uint32_t ptx_add_symbol(struct ptx_parser *ps, const struct ptx_symbol *s);
/* init.c: what stands behind '='. */
void ptx_parse_initialiser(struct ptx_parser *ps, struct ptx_symbol *s, const uint64_t *dims, unsigned ndims);

#define PTX_MAX_DIMS 16

/* heads.c */
void ptx_parse_function(struct ptx_parser *ps, uint8_t linkage, bool is_entry);
/* ( parameters ): for .callprototype and heads. */
uint32_t ptx_parse_formals(struct ptx_parser *ps, struct ptx_symbol **out);
uint32_t ptx_lay_out_params(struct ptx_parser *ps, struct ptx_symbol *s, uint32_t n, uint32_t top);

/* module.c: a directive that says nothing an engine needs; true when the current token was one. */
bool ptx_skip_directive(struct ptx_parser *ps);
/* A name of the body, then of the module; NULL when there is none. */
struct ptx_name *ptx_lookup(struct ptx_parser *ps, const char *s, uint32_t n);

/* body.c */
void ptx_parse_body(struct ptx_parser *ps);
uint32_t ptx_new_reg(struct ptx_parser *ps, const char *s, uint32_t n, uint8_t type);
void ptx_use_label(struct ptx_parser *ps, const struct ptx_token *t, int32_t *dst);
/* operand.c */
int32_t ptx_parse_guard(struct ptx_parser *ps, bool *negated);
void ptx_parse_operands(struct ptx_parser *ps, struct ptx_insn *insn);
/* call.c */
void ptx_parse_call(struct ptx_parser *ps, struct ptx_insn *insn);
void ptx_parse_table(struct ptx_parser *ps, const struct ptx_token *label);
/* An operand, as far as it can be known without its instruction. */
void ptx_parse_operand(struct ptx_parser *ps, struct ptx_operand *o);
/* check.c: against the rule; converts immediates, reads labels. 'name' is the mnemonic, for messages. */
struct ptx_mnemonic;
void ptx_check_insn(struct ptx_parser *ps, struct ptx_insn *insn, const struct ptx_mnemonic *mn);
/* layout.c */
void ptx_note_shared(struct ptx_parser *ps, int32_t sym);
void ptx_finish_layout(struct ptx_parser *ps);
void ptx_sort_shared(struct ptx_shared_use *uses, uint32_t n);
bool ptx_lay_out_shared(const struct ptx_module *m, struct ptx_function *f);

#endif
