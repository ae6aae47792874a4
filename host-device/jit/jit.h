/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler: a kernel's PTX IR to native vector code, a warp to a vector of 32 lanes.
 *
 * Passes, one a file: flow.c (blocks, loops, order, liveness), uniform.c (what is the same for all lanes, where lanes wait),
 * refuse.c (what stays with the interpreter), emit*.c (LLVM IR), code.c (LLVM's optimiser and code generator), object.c (the
 * object to a sealed, relocation-free image, mapped read-execute). run.c runs it.
 *
 * Whatever an instruction has no code for here, the interpreter's operation for it is called on the interpreter's own state, so
 * both engines are one in meaning, and so are faults and barriers. A kernel is compiled for blocks of one shape. */
#ifndef VGPU_JIT_JIT_H
#define VGPU_JIT_JIT_H

#include "interp/interp.h"

enum jit_isa { JIT_ISA_BASE, JIT_ISA_V3, JIT_ISA_V4 };

/* What code is made for. */
struct jit_shape {
    uint32_t block[3];
    enum jit_isa isa;
};

struct jit_report {
    char why[256];            /* refused or failed: the reason */
    unsigned operations;      /* instructions that call an operation */
    unsigned instructions;    /* of the kernel */
    size_t code_bytes;
    double seconds;
};

/* The best instruction set of this CPU, or the one that VGPU_ISA names (base, v3, v4), if the CPU has it. */
enum jit_isa jit_isa_default(void);
bool jit_isa_find(const char *name, enum jit_isa *isa);

/* Compile the kernel and let the interpreter's workers run it from the next launch on whose blocks have this shape. False when it
 * stays with the interpreter: report->why says why. Call it for a kernel that no worker runs. The code goes when the kernel does. */
bool jit_compile(struct interp_kernel *k, const struct jit_shape *shape, struct jit_report *report);

#endif
