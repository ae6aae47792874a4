/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that leave all of the caller's registers as they are, general and vector ones and masks: each saves those that the callee
 * may change, and calls env's function at the same distance from its first. */
#include "jit/keep.h"

#include <stddef.h>

/* Where they lie, for the text below. */
_Static_assert(offsetof(struct jit_env, operation) == 112 && offsetof(struct jit_env, yield) == 120 && offsetof(struct jit_env, park) == 128,
               "what code may call");

/* The stack is aligned to 16 bytes after nine registers and the address to return to. */
#define FUNCTION(name, isa, offset) \
    ".globl jit_keep_" #name "_" #isa "\n.hidden jit_keep_" #name "_" #isa "\n.type jit_keep_" #name "_" #isa ", @function\n" \
    ".p2align 4\njit_keep_" #name "_" #isa ":\n" \
    ".irp r, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11\npush %\\r\n.endr\n" \
    SAVE_##isa \
    "call *" #offset "(%rdi)\n" \
    LOAD_##isa \
    ".irp r, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax\npop %\\r\n.endr\nret\n" \
    ".size jit_keep_" #name "_" #isa ", .-jit_keep_" #name "_" #isa "\n"

#define LOW "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15"
#define HIGH ", 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31"
#define SAVE_base "sub $256, %rsp\n.irp n, " LOW "\nmovups %xmm\\n, 16*\\n(%rsp)\n.endr\n"
#define LOAD_base ".irp n, " LOW "\nmovups 16*\\n(%rsp), %xmm\\n\n.endr\nadd $256, %rsp\n"
#define SAVE_v3 "sub $512, %rsp\n.irp n, " LOW "\nvmovups %ymm\\n, 32*\\n(%rsp)\n.endr\nvzeroupper\n"
#define LOAD_v3 ".irp n, " LOW "\nvmovups 32*\\n(%rsp), %ymm\\n\n.endr\nadd $512, %rsp\n"
#define SAVE_v4 \
    "sub $2112, %rsp\n.irp n, " LOW HIGH "\nvmovups %zmm\\n, 64*\\n(%rsp)\n.endr\n" \
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\nkmovq %k\\n, 2048+8*\\n(%rsp)\n.endr\nvzeroupper\n"
#define LOAD_v4 \
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\nkmovq 2048+8*\\n(%rsp), %k\\n\n.endr\n" \
    ".irp n, " LOW HIGH "\nvmovups 64*\\n(%rsp), %zmm\\n\n.endr\nadd $2112, %rsp\n"

#define FUNCTIONS(isa) FUNCTION(operation, isa, 112) FUNCTION(yield, isa, 120) FUNCTION(park, isa, 128)
__asm__(".text\n" FUNCTIONS(base) FUNCTIONS(v3) FUNCTIONS(v4));

#define DECLARE(isa) \
    void jit_keep_operation_##isa(struct jit_env *env, uint32_t i, uint32_t mask); \
    void jit_keep_yield_##isa(struct jit_env *env); \
    void jit_keep_park_##isa(struct jit_env *env, uint32_t i, uint32_t mask);
DECLARE(base)
DECLARE(v3)
DECLARE(v4)

#define SET(env, isa) \
    ((env)->keep_operation = jit_keep_operation_##isa, (env)->keep_yield = jit_keep_yield_##isa, (env)->keep_park = jit_keep_park_##isa)

void jit_keep_set(struct jit_env *env)
{
    if (__builtin_cpu_supports("avx512bw"))
        SET(env, v4);
    else if (__builtin_cpu_supports("avx"))
        SET(env, v3);
    else
        SET(env, base);
}
