/* SPDX-License-Identifier: Apache-2.0 */
/* What code is made for: instruction sets, and what CPUs have beyond them. Knows nothing of LLVM: who asks for code, and who
 * looks for it in the cache, ask here too. */
#include "jit/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {[JIT_ISA_BASE] = "base", [JIT_ISA_V3] = "v3", [JIT_ISA_V4] = "v4"};

static const char *const extension_names[] = {
#define X(name, isa) #name,
    JIT_EXTENSIONS(X)
#undef X
};

static const enum jit_isa extension_isa[] = {
#define X(name, isa) isa,
    JIT_EXTENSIONS(X)
#undef X
};

static bool has(unsigned isa)
{
    switch (isa) {
    case JIT_ISA_V4:
        return __builtin_cpu_supports("x86-64-v4");
    case JIT_ISA_V3:
        return __builtin_cpu_supports("x86-64-v3");
    default:
        return true;
    }
}

bool jit_isa_named(const char *name, enum jit_isa *isa)
{
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) {
            *isa = (enum jit_isa)i;
            return true;
        }
    return false;
}

bool jit_isa_find(const char *name, enum jit_isa *isa)
{
    enum jit_isa found;

    if (!jit_isa_named(name, &found) || !has(found))
        return false;
    *isa = found;
    return true;
}

enum jit_isa jit_isa_default(void)
{
    const char *want = getenv("VGPU_ISA");
    enum jit_isa isa;

    if (want && jit_isa_find(want, &isa))
        return isa;
    return jit_isa_find("v4", &isa) || jit_isa_find("v3", &isa) ? isa : JIT_ISA_BASE;
}

uint32_t jit_extensions(enum jit_isa isa)
{
    uint32_t have = 0;

#define X(name, least) have |= isa >= least && __builtin_cpu_supports(#name) ? 1u << JIT_EXT_BIT_##name : 0;
    JIT_EXTENSIONS(X)
#undef X
    return have;
}

bool jit_target_known(uint32_t isa, uint32_t extensions)
{
    if (isa > JIT_ISA_V4 || extensions >> JIT_EXT_COUNT)
        return false;
    for (unsigned i = 0; i < JIT_EXT_COUNT; i++)
        if (extensions >> i & 1 && isa < extension_isa[i])
            return false;
    return true;
}

const char *jit_extension_name(unsigned bit)
{
    return extension_names[bit];
}
