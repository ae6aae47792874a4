/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-compiler: one process a guest, started by hostd when the guest's first kernel is worth it. LLVM is loaded here and nowhere
 * else. The process itself only takes requests from executors and hands out results; each kernel is compiled in a child of its
 * own, forked from it, that holds nothing but the request and the file for its result, so that a kernel that takes LLVM over, crashes it or
 * keeps it for ever spoils itself alone.
 *
 *   main.c     connections, the queue, the children
 *   child.c    one compilation
 *   sandbox.c  what the process, and then a child, may still ask of the kernel */
#ifndef VGPU_COMPILER_COMPILER_H
#define VGPU_COMPILER_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Descriptor of the socket to hostd (or vgpu precompile), SOCK_SEQPACKET: VGPU_MSG_CONNECT ... VGPU_MSG_STORE. */
#define COMPILER_FD_CONTROL 3

/* CPU time that a request of n bytes may take, seconds: VGPU_COMPILE_SECONDS, or a minute and what its length allows. */
unsigned compile_seconds(size_t n);

/* In a child: compile the request and write the result (code/entry.h, but for key and checksum, which the child is not
 * trusted with) to the file. Confines itself first. */
_Noreturn void compile_child(const void *request, size_t n, int file);

/* Be nobody, if we are root. False with errno. */
bool compiler_drop_privileges(void);
/* Confine the process that forks children, or a child. False with errno. */
bool compiler_sandbox_parent(void);
bool compiler_sandbox_child(void);

#endif
