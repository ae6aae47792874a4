/* SPDX-License-Identifier: Apache-2.0 */
/* Where a guest program begins, in place of the C library's start file: that of glibc 2.34 and later asks for a
 * __libc_start_main of its own version, and the program would not start on an older one. Both take these arguments; the
 * constructors and destructors that older ones are given (init, fini) a program without any does not need. */
#include <stddef.h>

int main(int argc, char **argv, char **envp);
int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*loader_fini)(void), void *stack_end);
__asm__(".symver __libc_start_main,__libc_start_main@GLIBC_2.2.5");

/* By the x86-64 ABI (3.4.1): the stack holds argc, then argv; rdx holds what to call at the end; the frame chain ends here. */
__asm__(".text\n"
        ".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        " xor %ebp, %ebp\n"
        " mov %rsp, %rdi\n"
        " mov %rdx, %rsi\n"
        " and $-16, %rsp\n"
        " call vgpu_start\n"
        " hlt\n");

_Noreturn void vgpu_start(long *stack, void (*loader_fini)(void));

_Noreturn void vgpu_start(long *stack, void (*loader_fini)(void))
{
    __libc_start_main(main, (int)stack[0], (char **)(stack + 1), NULL, NULL, loader_fini, stack);
    __builtin_unreachable();
}
