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

typedef void *jit_translate_fn(const struct interp_kernel *k, const struct jit_shape *shape, struct jit_report *report);

/* The best instruction set of this CPU, or the one that VGPU_ISA names (base, v3, v4), if the CPU has it. */
enum jit_isa jit_isa_default(void);
bool jit_isa_find(const char *name, enum jit_isa *isa);

/* Compile the kernel: an image of report->code_bytes, mapped read-execute, for jit_install() (run.h). NULL when the kernel stays
 * with the interpreter: report->why says why. */
jit_translate_fn jit_translate;

/* What the loadable module exports, under the name vgpu_jit_module. The version changes with struct jit_env and with the
 * interpreter's structures: code and its runner are of one build. */
#define JIT_MODULE_VERSION 1
struct jit_module {
    uint32_t version;
    jit_translate_fn *translate;
    enum jit_isa (*isa_default)(void);
};

#endif
