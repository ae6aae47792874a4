/* SPDX-License-Identifier: Apache-2.0 */
/* Lowering's own: what lower.c (the drive through a kernel's functions), operands.c (where operands lie) and insns.c (one
 * micro-operation or a few for each instruction) share. */
#ifndef VGPU_INTERP_LOWER_H
#define VGPU_INTERP_LOWER_H

#include "interp/warp.h"

/* A block of memory that lives as long as its function. */
struct kept {
    struct kept *next;
};

struct lower {
    jmp_buf fail;
    struct ptx_error *err;
    struct interp_kernel *k;
    struct func *fn;
    const struct ptx_function *f;
    const struct ptx_insn *insn;     /* being lowered */

    uint32_t *place;                 /* of registers in the frame */
    uint32_t temp_used;              /* bytes of the instruction's temporaries */
    uint32_t locals_end;             /* in a frame's local memory: where the parameters of its calls start */

    /* The code so far. Until the function is complete, uop.refs holds an index into refs, and branch targets are instruction
     * indices; then they become pointers. */
    struct uop *code;
    uint32_t n_code, code_room;
    uint32_t *refs;
    uint32_t n_refs, refs_room;
    uint32_t *first_uop;             /* by instruction */

    /* Of the whole kernel. */
    char *consts;
    uint32_t const_bytes, const_room;
    struct const_slot { uint64_t value; uint32_t at; uint32_t bits; } *const_slots;
    uint32_t n_consts, const_slots_room;
    uint32_t specials_room;
    uint32_t *pending;               /* functions that are called and not lowered yet */
    uint32_t n_pending, pending_room;
    bool *wanted;                    /* by function index: pending or lowered */
    bool any_indirect;
};

#define FRAME_TEMP_BYTES 4096

_Noreturn void lower_fail(struct lower *lo, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void lower_out_of_memory(struct lower *lo);
/* Make room for one more element; returns the (moved) array. */
void *lower_grow(struct lower *lo, void *array, uint32_t n, uint32_t *room, size_t size);
void *lower_keep(struct lower *lo, size_t n);
/* Lower function number f of the module, too. */
void lower_want(struct lower *lo, int32_t f);

/* ---- operands.c ---- */
/* Storage bits of an operand of type t. */
unsigned bits_of_type(uint8_t type);
/* Bits that an immediate or special register has as operand i of the instruction. */
unsigned operand_bits(const struct ptx_insn *insn, unsigned i);
unsigned reg_bits(const struct lower *lo, int32_t reg);
/* The array of a source operand; emits operations where it has to be computed first. *bits is in: of an immediate; out: of
 * the array (0: absent). */
uint32_t lower_source(struct lower *lo, const struct ptx_operand *o, unsigned *bits);
uint32_t lower_destination(struct lower *lo, const struct ptx_operand *o, unsigned *bits);
uint32_t lower_const(struct lower *lo, unsigned bits, uint64_t value);
uint32_t lower_temp(struct lower *lo, unsigned bits);
/* A symbol's address in its own space: a number, or (ADDRESS_FRAME) an offset in the frame's local memory. */
uint8_t lower_symbol(struct lower *lo, int32_t sym, uint64_t *address);

struct memory_operand {
    uint32_t ref;
    uint8_t space;
    bool wide;
    int64_t imm;
};
struct memory_operand lower_memory(struct lower *lo, const struct ptx_operand *o, uint8_t space);

/* ---- insns.c ---- */
/* A new micro-operation with n operand references; valid until the next one. */
struct uop *lower_emit(struct lower *lo, uop_fn *run, const uint32_t *refs, unsigned nd, unsigned ns);
void lower_insn(struct lower *lo);

#endif
