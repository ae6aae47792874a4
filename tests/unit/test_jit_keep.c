/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that leave all registers as they are: each is made with known numbers in all of them, to a function that changes them all. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jit/keep.h"
#include "tap.h"

enum { VECTORS = 32, MASKS = 8, GENERAL = 9 };

static struct {
    uint8_t vectors[VECTORS][64];
    uint64_t masks[MASKS];
    uint64_t general[GENERAL]; /* rdi, rsi, rdx: the arguments; rax, rcx, r8 to r11 */
} before, after;
static unsigned calls;
static struct {
    struct jit_env *env;
    uint32_t i, mask;
} seen;

/* What a callee may change, it does. */
static void change_base(void)
{
    __asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\npcmpeqb %%xmm\\n, %%xmm\\n\n.endr\n"
                     "mov $-1, %%rax\nmov %%rax, %%rcx\nmov %%rax, %%rdx\nmov %%rax, %%rsi\nmov %%rax, %%rdi\nmov %%rax, %%r8\n"
                     "mov %%rax, %%r9\nmov %%rax, %%r10\nmov %%rax, %%r11"
                     ::: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                         "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

__attribute__((target("avx"))) static void change_v3(void)
{
    __asm__ volatile("vzeroall" ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                     "xmm13", "xmm14", "xmm15");
    change_base();
}

__attribute__((target("avx512bw"))) static void change_v4(void)
{
    __asm__ volatile(".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\nvpxorq %%zmm\\n, %%zmm\\n, %%zmm\\n\n.endr\n"
                     ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\nkxorq %%k\\n, %%k\\n, %%k\\n\n.endr"
                     ::: "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",
                         "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
    change_v3();
}

static void (*change)(void);

static void numbers(struct jit_env *env, uint32_t i, uint32_t mask)
{
    calls++;
    seen.env = env;
    seen.i = i;
    seen.mask = mask;
    change();
}

static void plain(struct jit_env *env)
{
    numbers(env, 0, 0);
}

/* keep_try_*(function, before, after): call it with all that is in 'before', and note in 'after' what is there then. */
#define LOW "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15"
#define HIGH ", 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31"
#define ALL(do, names, offset, step) "i = 0\n.irp r, " names "\n" do(offset, step) "i = i + 1\n.endr\n"
#define LOAD_GENERAL(offset, step) "mov " offset "+i*" step "(%r12), %\\r\n"
#define STORE_GENERAL(offset, step) "mov %\\r, " offset "+i*" step "(%r13)\n"
#define LOAD_MASK(offset, step) "kmovq " offset "+i*" step "(%r12), %k\\r\n"
#define STORE_MASK(offset, step) "kmovq %k\\r, " offset "+i*" step "(%r13)\n"
#define LOAD_base(offset, step) "movups " offset "+i*" step "(%r12), %xmm\\r\n"
#define STORE_base(offset, step) "movups %xmm\\r, " offset "+i*" step "(%r13)\n"
#define LOAD_v3(offset, step) "vmovups " offset "+i*" step "(%r12), %ymm\\r\n"
#define STORE_v3(offset, step) "vmovups %ymm\\r, " offset "+i*" step "(%r13)\n"
#define LOAD_v4(offset, step) "vmovups " offset "+i*" step "(%r12), %zmm\\r\n"
#define STORE_v4(offset, step) "vmovups %zmm\\r, " offset "+i*" step "(%r13)\n"
#define GENERALS "rdi, rsi, rdx, rax, rcx, r8, r9, r10, r11"
#define TRY(isa, vectors, load_masks, store_masks) \
    ".globl keep_try_" #isa "\nkeep_try_" #isa ":\npush %rbx\npush %r12\npush %r13\n" \
    "mov %rdi, %rbx\nmov %rsi, %r12\nmov %rdx, %r13\n" \
    ALL(LOAD_##isa, vectors, "0", "64") load_masks ALL(LOAD_GENERAL, GENERALS, "2112", "8") \
    "call *%rbx\n" \
    ALL(STORE_##isa, vectors, "0", "64") store_masks ALL(STORE_GENERAL, GENERALS, "2112", "8") \
    "pop %r13\npop %r12\npop %rbx\nret\n"
#define MASKS_OF "0, 1, 2, 3, 4, 5, 6, 7"
__asm__(".text\n" TRY(base, LOW, "", "") TRY(v3, LOW, "", "")
        TRY(v4, LOW HIGH, ALL(LOAD_MASK, MASKS_OF, "2048", "8"), ALL(STORE_MASK, MASKS_OF, "2048", "8")));
void keep_try_base(void (*function)(void), const void *from, void *to);
void keep_try_v3(void (*function)(void), const void *from, void *to);
void keep_try_v4(void (*function)(void), const void *from, void *to);

/* The variants, whichever this CPU would take. */
#define DECLARE(isa) \
    void jit_keep_operation_##isa(void); \
    void jit_keep_yield_##isa(void); \
    void jit_keep_park_##isa(void);
DECLARE(base)
DECLARE(v3)
DECLARE(v4)

static const struct {
    const char *name;
    void (*functions[3])(void);
    void (*attempt)(void (*function)(void), const void *from, void *to);
    void (*change)(void);
    unsigned vectors, bytes, masks;
} sets[] = {
#define SET(isa, ...) {#isa, {jit_keep_operation_##isa, jit_keep_yield_##isa, jit_keep_park_##isa}, keep_try_##isa, change_##isa, __VA_ARGS__}
    SET(base, 16, 16, 0), SET(v3, 16, 32, 0), SET(v4, 32, 64, 8),
};

static bool has(unsigned set)
{
    return set == 0 || (set == 1 ? __builtin_cpu_supports("avx") : __builtin_cpu_supports("avx512bw"));
}

int main(void)
{
    static const char *const names[] = {"operation", "yield", "park"};
    static struct jit_env env = {.operation = numbers, .yield = plain, .park = numbers};

    for (unsigned s = 0; s < 3; s++)
        for (unsigned f = 0; f < 3; f++) {
            bool kept;

            if (!has(s)) {
                skip(1, "this CPU has no such registers");
                continue;
            }
            for (size_t k = 0; k < sizeof before; k++)
                ((uint8_t *)&before)[k] = (uint8_t)(k * 37 + s + f);
            before.general[0] = (uint64_t)(uintptr_t)&env;
            memset(&after, 0, sizeof after);
            calls = 0;
            change = sets[s].change;
            sets[s].attempt(sets[s].functions[f], &before, &after);
            kept = !memcmp(before.general, after.general, sizeof before.general) &&
                   !memcmp(before.masks, after.masks, sets[s].masks * sizeof *before.masks);
            for (unsigned v = 0; v < sets[s].vectors; v++)
                kept &= !memcmp(before.vectors[v], after.vectors[v], sets[s].bytes);
            ok(kept, "%s, registers of %s are kept", names[f], sets[s].name);
            ok(calls == 1 && seen.env == &env && (f == 1 || (seen.i == (uint32_t)before.general[1] && seen.mask == (uint32_t)before.general[2])),
               "and its arguments arrive");
        }
    return tap_done();
}
