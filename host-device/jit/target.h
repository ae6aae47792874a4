/* SPDX-License-Identifier: Apache-2.0 */
/* What code is made for: an instruction set (x86-64's levels), extensions of it, and blocks of one shape. */
#ifndef VGPU_JIT_TARGET_H
#define VGPU_JIT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

enum jit_isa { JIT_ISA_BASE, JIT_ISA_V3, JIT_ISA_V4 };

/* Extensions beyond a level that code uses where the CPU has them, by LLVM's names, and the level they are used with. */
#define JIT_EXTENSIONS(X) \
    X(avx512vnni, JIT_ISA_V4) \
    X(avx512vbmi, JIT_ISA_V4)

enum {
#define X(name, isa) JIT_EXT_BIT_##name,
    JIT_EXTENSIONS(X)
#undef X
    JIT_EXT_COUNT
};
enum jit_extension {
#define X(name, isa) JIT_EXT_##name = 1u << JIT_EXT_BIT_##name,
    JIT_EXTENSIONS(X)
#undef X
};

struct jit_shape {
    uint32_t block[3];
    enum jit_isa isa;
    uint32_t extensions; /* JIT_EXT_* */
    bool unconfined;     /* accesses anywhere: what confinement costs is measured so. No part of a request to the compiler */
};

/* The best instruction set of this CPU, or the one that VGPU_ISA names (base, v3, v4), if the CPU has it. */
enum jit_isa jit_isa_default(void);
/* By name; _find: only what this CPU has. */
bool jit_isa_named(const char *name, enum jit_isa *isa);
bool jit_isa_find(const char *name, enum jit_isa *isa);
/* What this CPU has beyond the level. */
uint32_t jit_extensions(enum jit_isa isa);
/* These numbers, from whoever, name a target. */
bool jit_target_known(uint32_t isa, uint32_t extensions);
const char *jit_extension_name(unsigned bit);

#endif
