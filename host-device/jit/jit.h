/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler: a kernel's PTX IR to native vector code, a warp to a vector of 32 lanes.
 *
 * Passes, one a file: flow.c (blocks, loops, order, liveness), uniform.c (what is the same for all lanes, where lanes wait),
 * refuse.c (what stays with the interpreter), emit*.c (LLVM IR), code.c (LLVM's optimiser and code generator), object.c (the
 * object to a relocation-free image). run.c maps and runs it.
 *
 * Whatever an instruction has no code for here, the interpreter's operation for it is called on the interpreter's own state, so
 * both engines are one in meaning, and so are faults and barriers. A kernel is compiled for blocks of one shape. */
#ifndef VGPU_JIT_JIT_H
#define VGPU_JIT_JIT_H

#include "interp/interp.h"
#include "jit/target.h"

struct jit_report {
    char why[256];            /* refused or failed: the reason */
    unsigned operations;      /* instructions that call an operation */
    unsigned instructions;    /* of the kernel */
    size_t code_bytes;
    double seconds;           /* of CPU time */
};

/* Set LLVM up, once, before any code is made and before the process confines itself. */
void jit_prepare(void);

/* Compile the kernel: malloc'd code of report->code_bytes, entered at its start, that runs wherever it lies. NULL when the
 * kernel stays with the interpreter: report->why says why. */
void *jit_generate(const struct interp_kernel *k, const struct jit_shape *shape, struct jit_report *report);

/* The same for this CPU and this process: the code is mapped read-execute, for jit_install() (run.h). For tests: a guest's
 * kernels are compiled in a process of their own. */
void *jit_translate(const struct interp_kernel *k, const struct jit_shape *shape, struct jit_report *report);

#endif
