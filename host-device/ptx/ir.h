/* SPDX-License-Identifier: Apache-2.0 */
/* The PTX IR: what the front end makes of a module's text and what both engines execute.
 *
 * It stays close to PTX: one ptx_insn an instruction, in text order, with operands resolved (registers are numbers that are
 * unique in their function, so block scopes have vanished; labels are instruction indices; names are symbols) and suffixes
 * decoded into fields. Nothing in it depends on a launch, a device address or an engine, so a module can be shared read-only
 * between threads once parsed.
 *
 * A module is opened lazily: ptx_module_open() reads directives, variables and function heads and notes where the bodies
 * lie; ptx_function_parse() parses and checks one body, once, under the module's lock. What the checks refuse never reaches
 * an engine: operand counts, kinds and widths are as ptx/README.md's rules say, every branch target exists, every symbol and
 * callee is resolved. */
#ifndef VGPU_PTX_IR_H
#define VGPU_PTX_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ptx/ops.h"

enum ptx_op {
    PTX_OP_NONE,
#define X(name) PTX_OP_##name,
    PTX_OPS(X)
#undef X
    PTX_OP_COUNT
};

enum ptx_type {
    PTX_TYPE_NONE,
#define X(name, bits, class, packed) PTX_TYPE_##name,
    PTX_TYPES(X)
#undef X
    PTX_TYPE_COUNT
};

enum ptx_space {
#define X(name) PTX_SPACE_##name,
    PTX_SPACES(X)
#undef X
    PTX_SPACE_COUNT
};

enum ptx_sreg {
    PTX_SREG_NONE,
#define X(name, components, type, uniform) PTX_SREG_##name,
    PTX_SREGS(X)
#undef X
    PTX_SREG_COUNT
};

/* The suffix enums: 0 is "not given" in each. */
#define PTX_ENUM(NAME, LIST) \
    enum ptx_##NAME { PTX_##NAME##_none, LIST PTX_##NAME##_count }
#define X(name) PTX_round_##name,
PTX_ENUM(round, PTX_ROUNDS(X));
#undef X
#define X(name) PTX_cmp_##name,
PTX_ENUM(cmp, PTX_CMPS(X));
#undef X
#define X(name) PTX_bool_##name,
PTX_ENUM(bool, PTX_BOOLS(X));
#undef X
#define X(name) PTX_atom_##name,
PTX_ENUM(atom, PTX_ATOMS(X));
#undef X
#define X(name) PTX_mul_##name,
PTX_ENUM(mul, PTX_MULS(X));
#undef X
#define X(name) PTX_mode_##name,
PTX_ENUM(mode, PTX_MODES(X));
#undef X
#define X(name) PTX_shape_##name,
PTX_ENUM(shape, PTX_SHAPES(X));
#undef X
#define X(name) PTX_sem_##name,
PTX_ENUM(sem, PTX_SEMS(X));
#undef X
#define X(name) PTX_scope_##name,
PTX_ENUM(scope, PTX_SCOPES(X));
#undef X

enum ptx_flag_bit {
#define X(word, name) PTX_FLAG_BIT_##name,
    PTX_FLAGS(X)
#undef X
};
enum ptx_flag {
#define X(word, name) PTX_FLAG_##name = 1u << PTX_FLAG_BIT_##name,
    PTX_FLAGS(X)
#undef X
};

enum ptx_operand_kind {
    PTX_OPERAND_NONE,  /* absent, or '_' */
    PTX_OPERAND_REG,   /* reg; 'negated' for a predicate source written !p */
    PTX_OPERAND_IMM,   /* imm: the bits, already in the format of the instruction's operand type (0f3F800000 and 1.0 behind an
                          f32 operand are both 0x3f800000; integers sign-extended to 64 bits) */
    PTX_OPERAND_SREG,  /* sreg, component (0..3 for .x .y .z .w; the number for %envregN) */
    PTX_OPERAND_SYM,   /* address of symbol sym, plus imm */
    PTX_OPERAND_MEM,   /* [reg + imm], [sym + imm] or [imm]: reg or sym is -1 when absent */
    PTX_OPERAND_VEC,   /* n elements in elems, each REG, IMM or NONE ('_') */
    PTX_OPERAND_LABEL, /* sym: index of the instruction branched to */
    PTX_OPERAND_FUNC,  /* sym: the callee (index into module->functions) */
    PTX_OPERAND_TABLE, /* sym: brx.idx's .branchtargets or call's .calltargets/.callprototype: index into function->tables */
};

struct ptx_operand {
    uint8_t kind;      /* enum ptx_operand_kind */
    bool negated;      /* !p */
    uint8_t sreg;      /* enum ptx_sreg */
    uint8_t component;
    uint8_t sub;       /* selector of video operands: 0 none, 1..4 .b0...b3, 5..6 .h0 .h1; 7 .hXY, 8 .bWXYZ or a destination
                          mask of several bytes: its n digits are in imm, one a nibble, as written (.b3210 is 0x3210) */
    uint8_t n;         /* VEC: elements; sub 7 and 8: digits */
    int32_t reg;
    int32_t sym;
    int64_t imm;
    struct ptx_operand *elems;
};

#define PTX_MAX_OPERANDS 8
#define PTX_MAX_ELEMENTS 255 /* of a VEC: a call's arguments; anything else has at most 32 */
#define PTX_MAX_TYPES 4

/* One instruction. Operand order is PTX's own: destination first ('ops[0]'), then sources; 'dst2' is the second destination of
 * d|p forms (setp, shfl.sync, match.all, elect). An optional operand that is absent leaves no gap when it is the last one and
 * a NONE when it is not. Advisory cache-policy operands are dropped. 'call' has ops[0] = FUNC or REG (indirect), ops[1] = VEC of return
 * parameters (SYM), ops[2] = VEC of arguments (SYM, REG or IMM), ops[3] = TABLE for an indirect call's prototype.
 * The guard (@p, @!p) is 'guard' with 'guard_negated'. */
struct ptx_insn {
    uint16_t op;               /* enum ptx_op */
    uint8_t nops;
    uint8_t ntypes;
    uint8_t types[PTX_MAX_TYPES]; /* type suffixes in the order written: cvt = {dest, source}; mma = {d, a, b, c} */
    uint8_t space;             /* ld, st, atom ...: first state space; generic when none is written */
    uint8_t space2;            /* cp.async: source's space */
    uint8_t vec;               /* 1, 2, 4 or 8 for ld/st .v2 .v4 .v8 */
    uint8_t round, cmp, boolop, atom, mul, mode, submode, shape, sem, scope;
    uint8_t clampmode;         /* shf, bmsk, szext: PTX_mode_clamp or PTX_mode_wrap */
    uint8_t num;               /* .x1 .x2 .x4 of ldmatrix/stmatrix */
    uint8_t layout_a, layout_b; /* 'r' or 'c' for .row .col, 0 when absent (wmma.load has one: layout_a) */
    uint8_t fragment;          /* wmma.load.a/b/c, store.d: 'a' 'b' 'c' 'd' */
    bool guard_negated;
    int32_t guard;             /* predicate register, -1 when unguarded */
    uint32_t flags;            /* PTX_FLAG_* */
    uint32_t line;             /* in the module's text, from 1 */
    uint32_t loc;              /* .loc in force: index into function->locs + 1, 0 none */
    struct ptx_operand ops[PTX_MAX_OPERANDS];
    struct ptx_operand dst2;
};

struct ptx_reg {
    const char *name;
    uint8_t type; /* enum ptx_type */
};

/* An address stored in initialised data: the symbol's (generic, when 'generic') address plus addend, at offset. */
struct ptx_reloc {
    uint64_t offset;
    uint8_t bytes;   /* 1..8: width of the place */
    uint8_t shift;   /* mask(): which byte of the address, in bits */
    bool generic;
    bool function;   /* sym indexes module->functions */
    int32_t sym;
    int64_t addend;
};

enum ptx_linkage { PTX_LINK_LOCAL, PTX_LINK_VISIBLE, PTX_LINK_EXTERN, PTX_LINK_WEAK, PTX_LINK_COMMON };

/* A variable: of the module (global, const, shared, and initialised data) or of a function (shared, local, param). */
struct ptx_symbol {
    const char *name;
    uint8_t space, type, linkage;
    uint8_t vec;
    bool is_array, unsized;   /* unsized: .extern .shared x[]: the dynamic shared memory */
    bool managed;             /* the CPU reaches it too */
    uint32_t align;           /* bytes, a power of two */
    uint64_t size;            /* bytes; 0 when unsized */
    /* Where it lies: bytes from the start of its function's parameter buffer / local frame / call
     * param area; module-level global and const variables: from the start of the module's data image. Shared variables, of
     * the module or of functions, are laid out per kernel: offset is 0, ask ptx_shared_offset(). */
    uint64_t offset;
    const uint8_t *init;      /* the first init_size bytes (init_size <= size); what follows is zero */
    uint64_t init_size;
    struct ptx_reloc *relocs;
    uint32_t nrelocs;
    int32_t owner;            /* function index, or -1: the module's */
};

struct ptx_table { /* .branchtargets, .calltargets, .callprototype */
    const char *name;
    uint8_t kind;      /* 'b', 'c', 'p' */
    uint32_t n;
    int32_t *targets;  /* instruction indices or function indices */
    struct ptx_proto { uint32_t nparams, nrets; struct ptx_symbol *params, *rets; bool noreturn; } proto;
};

/* Where an instruction comes from. What was inlined there also says into what: name is where function_name's label stands in the
 * module's text (0: not inlined), skip the bytes behind it at which the name begins. */
struct ptx_loc {
    uint32_t file, line, column;
    uint32_t name, name_size, skip;
    uint32_t at_file, at_line, at_column;
};

struct ptx_function {
    const char *name;
    bool is_entry, has_body, parsed, failed, closed, noreturn;
    uint8_t linkage;
    const char *body;        /* text between and including the braces */
    size_t body_size;
    uint32_t line, body_line; /* of the head, of the body's { */
    uint32_t index;

    /* Formal parameters: symbols [first_param, first_param + nparams); .func returns likewise. A formal declared
     * .reg has 'space' reg and its register number in 'offset'. */
    uint32_t first_param, nparams, first_ret, nrets;
    uint32_t param_size;     /* bytes of the parameter buffer; .func: return values first, then parameters */
    uint32_t maxntid[3], reqntid[3], minnctapersm, maxnreg, cluster[3]; /* 0: not given */

    /* After ptx_function_parse(): */
    struct ptx_reg *regs;
    uint32_t nregs;
    struct ptx_insn *insns;
    uint32_t ninsns;
    struct ptx_table *tables;
    uint32_t ntables;
    struct ptx_loc *locs;
    uint32_t nlocs;
    uint32_t shared_size;    /* static shared memory of this function alone, and of module-level variables it names */
    uint32_t shared_align;
    uint32_t local_size;     /* bytes of local variables a lane */
    uint32_t call_param_size; /* bytes a lane of .param variables declared in the body; those of disjoint blocks share them */
    uint32_t barriers;       /* highest barrier number used + 1 */
    bool uses_dynamic_shared, has_calls, has_indirect_calls, has_barrier;
    /* Every shared variable, of the module or of a function, that this function (after ptx_function_close(): or a callee)
     * names, sorted by sym; see ptx_shared_offset(). Dynamic shared memory starts at shared_size. */
    struct ptx_shared_use { int32_t sym; uint32_t offset; } *shared_uses;
    uint32_t nshared_uses;
    /* After ptx_function_close(): the functions it can reach, itself first. */
    const uint32_t *reach;
    uint32_t nreach;
};

struct ptx_module {
    int version_major, version_minor; /* .version */
    int target;                       /* sm number: 90 for sm_90, sm_90a */
    bool target_arch_specific;        /* sm_90a */
    int address_size;                 /* 64; 32 is refused */
    struct ptx_symbol *symbols;       /* module-level and functions' variables, formal parameters included */
    uint32_t nsymbols;
    struct ptx_function *functions;
    uint32_t nfunctions;
    const char **files;               /* .file names, index = file number */
    uint32_t nfiles;
    bool is_part;                     /* of a program to be linked: what it declares is defined elsewhere */
    bool has_managed;                 /* some of them are .attribute(.managed) */
    uint64_t data_size;               /* bytes of all module-level .global and .const variables, laid out */
    uint32_t data_align;
    struct ptx_arena *arena;          /* owns everything above */
    const char *text;
    size_t text_size;
    void *lock;
};

/* What went wrong and where. 'code' is the CUresult that belongs to it (218 invalid PTX, 222 unsupported version,
 * 209 no kernel image, 801 valid but not supported, 2 out of memory). */
struct ptx_error {
    int code;
    uint32_t line, column;
    char message[256]; /* names the instruction or directive refused */
};

/* Open a module: text need not be NUL-terminated; trailing NULs are ignored; the text is copied.
 * Returns NULL and fills 'err' on failure. */
struct ptx_module *ptx_module_open(const char *text, size_t size, struct ptx_error *err);
/* The same for a part of a program, which is only to be checked: it may use variables that it declares and nobody defines. */
struct ptx_module *ptx_module_open_part(const char *text, size_t size, struct ptx_error *err);
void ptx_module_close(struct ptx_module *m);

/* Parse and check one function's body (idempotent, thread-safe). */
bool ptx_function_parse(struct ptx_module *m, struct ptx_function *f, struct ptx_error *err);
/* The same for f and everything it can call; computes f's shared layout over all of them. */
bool ptx_function_close(struct ptx_module *m, struct ptx_function *f, struct ptx_error *err);

/* Where shared variable sym lies in the shared memory of kernel f, a closed entry; -1 when f does not use it. A callee's
 * variables have no offset of their own: ask with the entry that was launched. */
int64_t ptx_shared_offset(const struct ptx_function *f, int32_t sym);

struct ptx_function *ptx_find_function(struct ptx_module *m, const char *name);
struct ptx_symbol *ptx_find_symbol(struct ptx_module *m, const char *name); /* module-level variables */

extern const char *const ptx_op_names[PTX_OP_COUNT];
extern const char *const ptx_type_names[PTX_TYPE_COUNT];
extern const uint8_t ptx_type_bits[PTX_TYPE_COUNT];
extern const char ptx_type_class[PTX_TYPE_COUNT]; /* 'b' 'u' 's' 'f' 'p' */

/* Where an instruction comes from, for people: "file.cu:12:3 (inlined from add into file.cu:40:9)", as far as the module says.
 * kernel is what runs: the module's, or one made from it (ptx/flat.h), which has instructions and places of its own. Returns the
 * length, 0 when nothing is said. Slow: for faults. */
size_t ptx_source_text(const struct ptx_module *m, const struct ptx_function *kernel, const struct ptx_insn *insn, char *text, size_t room);
/* Line n (from 1) of the module's text, without its indentation, n characters at most. */
size_t ptx_line_text(const struct ptx_module *m, uint32_t line, char *text, size_t room);

/* Print a function as text that reads like PTX with numbered registers, for dumps and tests. */
void ptx_function_print(const struct ptx_module *m, const struct ptx_function *f, void *file);

#endif
