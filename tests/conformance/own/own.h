/* SPDX-License-Identifier: Apache-2.0 */
/* The project's own corpus: kernels whose expected output a plain C reference computes, one thread at a time, knowing nothing
 * of warps' engines. Written in the format of the recorded corpus (../oracle/README.md): thread i reads IN_SLOTS slots and
 * writes 'nout'; 512 threads in all.
 *
 *   ENTRY(.name = "add", .body = "add.u32 %r0, %w0, %w1; cvt.u64.u32 %o0, %r0;")
 *       OUT(0) = (uint32_t)(IN(0) + IN(1));
 *
 * The statement after ENTRY() runs once for every thread. What a body finds: %a0...%a3 its input slots (.b64), %w0...%w3 their
 * low words (.b32), %ti thread in block, %ci block, %nt threads a block, %gi thread in grid, %lane, %warp; %pi and %po, the
 * addresses of its slots; registers to play with: %r<64> .b32, %d<32> .b64, %h<32> .b16, %f<32> .f32, %e<16> .f64, %p<16>. What
 * it leaves in %o0... (.b64, zero before) is stored at the end, so a thread that exits early has to store for itself. */
#ifndef VGPU_TESTS_OWN_H
#define VGPU_TESTS_OWN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 512, IN_SLOTS = 4, MAX_OUT = 32 };

/* What the input slots hold. All but the first hold numbers of moderate size, no NaNs. */
enum own_pool { POOL_BITS, POOL_F32, POOL_F64, POOL_F16X2, POOL_BF16X2, POOL_SMALL, POOL_COUNT };

struct own_entry {
    const char *name, *body;
    const char *before;       /* module-level text */
    enum own_pool pool;
    int nout, block;          /* 0: 1 and 64 */
    const char *types;        /* of the output slots, in turn; NULL: u64, exact */
    const char *class;
    /* For the reference: */
    unsigned i, tid, cta, lane;
    uint64_t *in, *out;
};

#define ENTRY(...) \
    for (struct own_entry own = own_begin((struct own_entry){__VA_ARGS__}); own_next(&own);)

#define IN_OF(thread, slot) (own.in[(thread) * IN_SLOTS + (slot)])
#define IN(slot) IN_OF(own.i, slot)
#define OUT(slot) (own.out[own.i * (unsigned)own.nout + (slot)])
#define T (&own)

/* The text of an entry put together; lives until the program ends. */
__attribute__((format(printf, 1, 2))) char *own_text(const char *fmt, ...);

/* One file of PTX; 'head' is module-level text before its entries. */
void own_family(const char *name, const char *head);
struct own_entry own_begin(struct own_entry e);
bool own_next(struct own_entry *e);

/* The families. */
void gen_call(void);
void gen_flow(void);
void gen_masks(void);
void gen_memory(void);
void gen_data(void);
void gen_async(void);
void gen_barrier(void);
void gen_atomic(void);
void gen_fp8(void);
void gen_mma(void);
void gen_mma_sparse(void);

/* Numbers. */
static inline uint32_t bits_f32(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float f32_bits(uint64_t u)
{
    uint32_t low = (uint32_t)u;
    float x;

    memcpy(&x, &low, sizeof x);
    return x;
}

static inline uint64_t bits_f64(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static inline double f64_bits(uint64_t u)
{
    double x;

    memcpy(&x, &u, sizeof x);
    return x;
}

/* A small binary format by its widths, for references: 'finite' when the all-ones exponent holds numbers too (e4m3). */
struct own_format {
    int exponent, mantissa, bias;
    bool finite;
};
extern const struct own_format own_f16, own_bf16, own_e4m3, own_e5m2;

double own_decode(const struct own_format *f, unsigned code);
/* To nearest, ties to even, by search among all codes; overflow to infinity, or, with saturate, to the largest number. */
unsigned own_encode(const struct own_format *f, double x, bool saturate);

/* Pseudo-random numbers, the same everywhere. */
uint64_t own_random(void);

#endif
