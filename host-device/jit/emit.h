/* SPDX-License-Identifier: Apache-2.0 */
/* What the emitters share: a kernel on its way from PTX IR to LLVM IR.
 *
 * The code made is one function, void kernel(struct jit_env *): one warp from its start to its end, or small code all warps of the
 * block from that one on, as long as none calls for anything. A PTX register is a
 * variable, or a value after the other where it is needed within one block only: a scalar where the analysis found it uniform, else
 * a vector of 32 lanes (predicates: of i1). Floats are kept as
 * their bits. A block's lanes are a 32-bit mask; a block that runs for all lanes takes the mask of those that have not ended. */
#ifndef VGPU_JIT_EMIT_H
#define VGPU_JIT_EMIT_H

#include <llvm-c/Core.h>
#include <setjmp.h>

#include "interp/warp.h"
#include "jit/flushed.h"
#include "jit/jit.h"
#include "jit/reach.h"
#include "jit/run.h"
#include "jit/uniform.h"

/* A kernel may be in the function twice (emit_flow.c): what each copy knows and has of its own. */
struct emit_copy {
    const struct jit_uniform *u;
    LLVMValueRef *var;           /* by register; NULL: not named, a constant, or kept as values */
    LLVMValueRef (*value)[JIT_ROWS]; /* by register that is kept as values: what it is now, of each row where it is by rows */
    LLVMValueRef *waiting;       /* by block that is not whole: variable, the lanes that are to run there */
    LLVMBasicBlockRef *at;       /* by block */
    uint64_t *changed;           /* by block: registers that may differ, at its start, from what a parked warp's frame holds */
    bool stays;                  /* no lane ends before the others, and there are 32 */
};

/* What has been asked for in a block so far, from address registers that still hold what they held. */
#define EMIT_ASKED 8
struct emit_asked {
    const struct jit_uniform *copy;
    uint32_t block, next;        /* instructions before that one have been looked at */
    struct emit_asked_lines {
        int32_t reg;
        unsigned row;
        int64_t from, to;
    } list[EMIT_ASKED];
    unsigned turn;
};

/* Two stores that may be one (emit_pair.c), in this copy. */
struct emit_two {
    const struct jit_uniform *copy;
    uint32_t first, second;      /* instructions */
    LLVMValueRef good, low;      /* i1: they are one; i64: where it begins */
};

/* Values of loads of a block that others before them have brought along (emit_group.c). */
#define EMIT_EARLY 24
struct emit_early {
    const struct jit_uniform *copy;
    uint32_t block;
    unsigned n;
    struct {
        uint32_t index;
        LLVMValueRef values[8];  /* as they are in memory */
    } list[EMIT_EARLY];
};

struct emit {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMValueRef fn;
    const struct jit_uniform *u;
    const struct jit_flow *flow;
    const struct jit_reach *reach;
    const struct ptx_function *f;
    const struct interp_kernel *k;
    const struct func *func;     /* as lowered: where registers lie when operations are called */
    struct jit_shape shape;      /* block and instruction set compiled for */

    LLVMTypeRef i1, i8, i16, i32, i64, ptr, none;
    LLVMValueRef env;
    LLVMValueRef field[JIT_ENV_FIELDS]; /* what does not change while a warp runs; frame, special and local are the warp's own */
    LLVMValueRef *var;           /* by register; NULL: not named, a constant, or kept as values */
    LLVMValueRef (*value)[JIT_ROWS];
    uint32_t stretch, *set_in;   /* of instructions that follow each other without a barrier; by register: in which it was written last.
                                    What was kept as a value in another one nobody wants, and it may not be there */
    bool *common;                /* by register: the same for all warps of a block, computed before the first (emit_common.c) */
    bool before;                 /* what is emitted comes before any warp: operations have no frame there, */
    bool left_out;               /* and an instruction that needs one has not been emitted */
    bool *brief;                 /* by register: it is kept as values (brief.h) */
    uint8_t *flushed;            /* by register: it never holds a subnormal f32 */
    uint8_t *raw;                /* by register: its variable may hold NaNs that are not the hardware's (flushed.h) */
    bool daz;                    /* the CPU takes subnormal operands for zeros; a raw and flushed register's variable may hold some */
    LLVMValueRef *growth;        /* by register: variable (i64), by how much it grows from block to block (emit_ahead.c); NULL: not known */
    struct emit_asked asked;
    struct emit_early early;
    uint32_t (*origin)[2];       /* by instruction: which one of its block last wrote operand 1's register, and 2's; JIT_NONE: none */
    bool *read;                  /* by register: some instruction reads it */
    uint8_t *written;            /* by register: how many instructions write it; 2: several */
    const struct ptx_insn **constant; /* by register: its one definition, where that moves an immediate there; else NULL */
    LLVMValueRef *waiting;       /* by block that is not whole: variable, the lanes that are to run there */
    LLVMBasicBlockRef *at;       /* by block */
    uint64_t *changed;
    uint64_t *settled;           /* registers that a parked warp's frame holds since they were computed */
    bool stays;                  /* no lane ends before the others, and there are 32 */
    bool takes_all;              /* it goes on with other warps of the block by itself */
    bool parks;                  /* and warps wait for each other as data */
    LLVMBasicBlockRef begin, over, turn, taken; /* before any warp; where one ends; where the next is chosen; and where it begins or goes on */
    LLVMValueRef warp, parked, dispatch; /* variable: its number; its struct parked; the switch to where it goes on */
    bool *spins;                 /* by loop: lanes may wait there for lanes that have left it */
    LLVMValueRef present, fuel;  /* variables */
    struct emit_two pair;        /* the last of two stores that are one */
    LLVMValueRef stream;         /* i64: addresses with none of these bits are stored to past the caches; NULL: none is */
    LLVMValueRef arguments;      /* of functions that the kernel calls; NULL: none yet */
    struct emit_copy other;      /* u is NULL: the kernel is there once. Else u here is of the copy being emitted */
    struct jit_next next;
    unsigned operations;         /* instructions left to them */
    uint32_t *sites;             /* records of struct jit_site */
    uint32_t n_sites, room_sites; /* words */
    bool lists_operations;

    /* The instruction being emitted. */
    uint32_t block;
    const struct ptx_insn *insn;
    uint32_t index;
    bool wide;                   /* operands are vectors; else scalars, the same for all lanes */
    bool lane0;                  /* or those of lane 0, from which the result's pattern gives the others (pattern.h) */
    unsigned first;              /* or those of this lane, the first of a row */
    LLVMValueRef block_mask;     /* i32: lanes of the block */
    LLVMValueRef mask;           /* i32: and of these, those whose guard holds */
    LLVMValueRef guard;          /* i1 or <32 x i1>, or NULL */
    const struct ptx_operand *extends; /* its values extended to 64 bits, scalars for each row, have been found; NULL: no operand's have */
    LLVMValueRef extended[JIT_ROWS];
    bool met;                    /* the block's lanes have been found to be all that there are */
    bool was_parked;             /* behind it lanes are those that there are */
    jmp_buf fail;
    char *why;
    size_t why_size;
};

_Noreturn void emit_fail(struct emit *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- emit.c: types, values, operands ---- */
LLVMTypeRef emit_int(struct emit *e, unsigned bits);      /* scalar */
LLVMTypeRef emit_type(struct emit *e, unsigned bits);     /* in the instruction's shape */
LLVMTypeRef emit_vector(LLVMTypeRef element);
LLVMValueRef emit_const(struct emit *e, unsigned bits, uint64_t v); /* in the instruction's shape */
LLVMValueRef emit_i32(struct emit *e, uint32_t v);
LLVMValueRef emit_i64(struct emit *e, uint64_t v);
LLVMValueRef emit_splat(struct emit *e, LLVMValueRef scalar);
LLVMValueRef emit_lane(struct emit *e, LLVMValueRef vector, unsigned lane);
/* The lowest of these lanes (i32, mask); 0 when there is none. */
LLVMValueRef emit_first_lane(struct emit *e, LLVMValueRef lanes);
LLVMValueRef emit_bits(struct emit *e, LLVMValueRef predicates); /* <32 x i1> to i32 */
LLVMValueRef emit_lanes(struct emit *e, LLVMValueRef mask);      /* i32 to <32 x i1> */
LLVMValueRef emit_call(struct emit *e, const char *intrinsic, LLVMTypeRef *overload, unsigned n_overload, LLVMValueRef *args,
                       unsigned n);
LLVMValueRef emit_at(struct emit *e, LLVMValueRef base, uint64_t offset); /* pointer */
LLVMBasicBlockRef emit_block(struct emit *e, const char *name);
unsigned emit_reg_bits(const struct emit *e, int32_t reg);
/* A source operand in the instruction's shape; NULL when only an operation knows what it is (clocks, places in frames). */
LLVMValueRef emit_source(struct emit *e, const struct ptx_operand *o, unsigned bits);
/* Write a result of the instruction's shape (a scalar is spread where the register varies), for the lanes that run. */
void emit_result(struct emit *e, const struct ptx_operand *o, LLVMValueRef v);
/* All lanes of what has this pattern, from its value in lane 0, or in the first lane of each row. */
LLVMValueRef emit_spread(struct emit *e, const struct jit_pattern *p, LLVMValueRef *bases);
/* A register's value, one of its row of e->first: a vector, or a scalar for all lanes or those of a row. */
void emit_set(struct emit *e, int32_t reg, LLVMValueRef v);
/* The register as it is, a scalar or a vector. */
LLVMValueRef emit_reg(struct emit *e, int32_t reg, bool wide);
/* The same for float arithmetic, to which any NaN is one and, where the CPU flushes, a subnormal is zero. */
LLVMValueRef emit_raw_reg(struct emit *e, int32_t reg, bool wide);
LLVMValueRef emit_raw_source(struct emit *e, const struct ptx_operand *o, unsigned bits);
LLVMValueRef emit_raw_halves(struct emit *e, const struct ptx_operand *o, unsigned bits); /* the same for f16 */
/* A source that goes to d as it is. */
LLVMValueRef emit_passed_source(struct emit *e, const struct ptx_operand *d, const struct ptx_operand *o, unsigned bits);
/* A result may be written as it comes, with such a NaN or subnormal. */
static inline bool emit_is_raw(const struct emit *e, const struct ptx_operand *o)
{
    return o->kind == PTX_OPERAND_REG && e->raw[o->reg];
}
LLVMValueRef emit_flush(struct emit *e, LLVMValueRef v); /* .ftz of f32's bits */
/* Two ways from here, of which 'likely' is expected. */
void emit_branch(struct emit *e, LLVMValueRef cond, LLVMBasicBlockRef likely, LLVMBasicBlockRef other);

/* ---- emit_site.c: whom the hardware has stopped, should it (struct jit_site) ---- */
/* A record of the instruction being emitted; gives its number. table: 32, where 'step' names one. 0 for 'mask': what runs is not
 * known here. */
uint32_t emit_site(struct emit *e, uint32_t mask, uint32_t bytes, uint32_t step, const uint32_t *table);
/* The next record is of e->index, of a load that code does along with the one that 'first' is of. Its addresses are the same. */
void emit_site_more(struct emit *e, uint32_t first, uint32_t bytes, const uint32_t *table);
/* Before code touches memory as this record says. */
void emit_note_site(struct emit *e, uint32_t site, LLVMValueRef address);
/* Before code touches memory, for the lanes of e->mask: the record's number, and lane 0's address or all addresses. */
void emit_note(struct emit *e, uint32_t bytes, uint32_t step, const uint32_t *table, LLVMValueRef address);
/* And the address of a later row, where each has one. */
void emit_note_row(struct emit *e, unsigned row, LLVMValueRef address);
/* In the function's first block: where the records are. After the last of them. */
void emit_sites(struct emit *e);

/* ---- emit_stream.c: stores past the caches ---- */
/* In the function's first block: e->stream. */
void emit_stream_begin(struct emit *e);
/* Store a vector of integers: the instruction's, to global memory, in one piece. */
void emit_stream_store(struct emit *e, LLVMValueRef v, LLVMValueRef at, unsigned alignment);

/* The mask (i32) is known to be that of all 32 lanes. Others may be constants, too. */
static inline bool emit_is_full(LLVMValueRef mask)
{
    return LLVMIsAConstantInt(mask) && LLVMConstIntGetSExtValue(mask) == -1;
}

/* ---- emit_vector.c: vectors of any length ---- */
#define EMIT_SHUFFLE_MAX 256
/* Elements of a, and of b behind them (NULL: none). */
LLVMValueRef emit_shuffle(struct emit *e, LLVMValueRef a, LLVMValueRef b, const unsigned *pick, unsigned n);
/* n elements from 'first' on. */
LLVMValueRef emit_part(struct emit *e, LLVMValueRef v, unsigned first, unsigned n);
/* n parts (a power of two) in a row; the array is used up. */
LLVMValueRef emit_join(struct emit *e, LLVMValueRef *parts, unsigned n);
LLVMTypeRef emit_many(struct emit *e, unsigned bits, unsigned n);
LLVMTypeRef emit_floats(struct emit *e, unsigned n);
LLVMValueRef emit_fill(struct emit *e, unsigned bits, unsigned n, uint64_t v);
/* 32-bit lanes of a native vector. */
unsigned emit_native(const struct emit *e);
/* Memory of the kernel's stack frame, aligned to 64 bytes. */
LLVMValueRef emit_scratch(struct emit *e, unsigned bytes);

/* ---- emit_integer.c ---- */
/* The product as the instruction's .lo, .hi or .wide wants it, of its shape and type. */
LLVMValueRef emit_product(struct emit *e, LLVMValueRef a, LLVMValueRef b);

/* ---- emit_compare.c ---- */
/* A comparison's truth and the other predicate, if the instruction joins them. */
LLVMValueRef emit_boolop(struct emit *e, LLVMValueRef truth, LLVMValueRef other);

/* ---- emit_special.c ---- */
/* 2^x as ex2.approx has it, of floats. */
LLVMValueRef emit_exp2(struct emit *e, LLVMValueRef x);

/* ---- emit_operation.c ---- */
/* Let the interpreter's operations execute the instruction, for these lanes (i32), and fetch its results. */
void emit_operation(struct emit *e, LLVMValueRef lanes);
/* The same as far as the call, and one result, as a vector (or scalar, where the register is one). */
void emit_operation_call(struct emit *e, LLVMValueRef lanes);
/* And where that is hardly ever done. */
void emit_operation_aside(struct emit *e, LLVMValueRef lanes);
/* Call env's function at this offset with env and so many numbers (i32, at most 3). keeps: it is one that leaves registers alone. */
void emit_call_out(struct emit *e, size_t function, LLVMValueRef *numbers, unsigned n, bool keeps);
LLVMValueRef emit_operation_result(struct emit *e, int32_t reg);
/* What is before and behind the call; and the place of a register that operations know. */
void emit_operation_operands(struct emit *e);
void emit_operation_results(struct emit *e, LLVMValueRef lanes);
LLVMValueRef emit_operation_place(struct emit *e, int32_t reg);

/* ---- The instructions that have code of their own. Each says whether it emitted this one ---- */
typedef bool emit_fn(struct emit *e);
/* The instruction calls a function that is no part of the kernel's body, nor the engine's own. */
bool emit_calls_function(const struct emit *e);
#define JIT_EMITTERS(X) \
    X(barrier) \
    X(carry) \
    X(integer) \
    X(float) \
    X(compare) \
    X(move) \
    X(memory) \
    X(warp) \
    X(dot) \
    X(mma) \
    X(matrix) \
    X(half) \
    X(copy) \
    X(fields) \
    X(special) \
    X(convert) \
    X(calls) \
    X(atomic) \
    X(divide) \
    X(test) \
    X(rounded)
#define X(name) emit_fn emit_##name;
JIT_EMITTERS(X)
#undef X

/* ---- emit_leave.c: the interpreter goes on with the warp; each ends its LLVM block ---- */
/* From the instruction being emitted on. */
void emit_leave_here(struct emit *e);
/* The same where this does not hold; goes on here. */
void emit_leave_unless(struct emit *e, LLVMValueRef cond);
/* From the next instruction on. */
void emit_leave_behind(struct emit *e);
/* From the start of block 'to', where lanes wait, on. */
void emit_leave_edge(struct emit *e, uint32_t to);

/* ---- emit_root.c: where addresses come from ---- */
/* Fills e->origin; false when memory is short. */
bool emit_root_begin(struct emit *e);

/* ---- emit_ahead.c: what the next block will load ---- */
void emit_ahead_begin(struct emit *e);
/* Before the instruction is emitted. */
void emit_ahead_insn(struct emit *e);
/* From 'low' on (pointer), so many bytes are about to be loaded; that is this register, in this row, plus what is known here. */
void emit_ahead(struct emit *e, int32_t reg, unsigned row, int64_t offset, LLVMValueRef low, uint64_t span);

/* Registers that are read from instruction i of block b on: a set, to be freed. */
uint64_t *emit_live_at(struct emit *e, uint32_t b, uint32_t i);

/* ---- emit_zip.c ---- */
/* Lane l of a and lane l of b as elements 2 l and 2 l + 1; NULL: they have to be put together, since they do not come from pairs. */
LLVMValueRef emit_zip(struct emit *e, LLVMValueRef a, LLVMValueRef b);

/* ---- emit_common.c ---- */
void emit_find_common(struct emit *e);
/* The instruction computes such a register; emit_common() emits all of these, in front of the warps. */
bool emit_is_common(const struct emit *e, const struct ptx_insn *i);
void emit_common(struct emit *e);

/* ---- emit_barrier.c ---- */
/* The instruction is a barrier for all of the block, with this number. */
bool emit_barrier_number(const struct emit *e, const struct ptx_insn *i, uint32_t *number);
/* Whoever runs the warps makes this one wait. */
void emit_barrier_wait(struct emit *e, uint32_t number);

/* ---- emit_park.c: from warp to warp ---- */
/* The registers of the copy that change between barriers. */
void emit_find_changed(struct emit *e);
/* Registers that go to the frame where they are computed (emit_settle(), behind each instruction), and not at barriers. */
void emit_find_settled(struct emit *e);
void emit_settle(struct emit *e);
/* The barrier being emitted leaves the warp and goes on with others; false: it cannot. Behind it, and whatever its guard belongs to,
 * the block's lanes are taken anew: no LLVM value from before is there any more. */
bool emit_park(struct emit *e);
void emit_park_end(struct emit *e);
/* Where a warp is taken up: its numbers and addresses; then, with the variables of registers declared, to where it begins or goes on. */
void emit_turn_begin(struct emit *e);
void emit_turn_go(struct emit *e);
/* Its end, and the choice of the next. */
void emit_turn_end(struct emit *e);

/* ---- emit_extend.c ---- */
/* Lanes that the instruction's result has one scalar for. */
unsigned emit_row(const struct emit *e);
/* v, of the source operand o, extended. */
LLVMValueRef emit_extend(struct emit *e, const struct ptx_operand *o, LLVMValueRef v, unsigned bits, bool with_sign);
/* Before an instruction whose result's pattern holds only where that wraps nowhere. */
void emit_check_wrap(struct emit *e);

/* ---- emit_insn.c ---- */
/* It touches nothing but its registers, lane by lane: it may run for all lanes whatever they hold. */
bool emit_is_pure(const struct ptx_insn *i);
/* e->insn, of the block being emitted. */
void emit_insn(struct emit *e);

/* ---- emit_flow.c ---- */
/* i1: a mask has lanes. */
LLVMValueRef emit_nonzero(struct emit *e, LLVMValueRef mask);
/* A variable, with this value from here on. */
LLVMValueRef emit_variable(struct emit *e, LLVMTypeRef type, LLVMValueRef initial);
/* The whole function, from analyses to LLVM IR. */
void emit_function(struct emit *e);

#endif
