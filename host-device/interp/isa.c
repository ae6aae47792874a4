/* SPDX-License-Identifier: Apache-2.0 */
/* Which copy of the lane operations runs: the best one for this CPU, or the one a test asks for. */
#include "interp/isa.h"
#include "interp/warp.h"

#include <cpuid.h>
#include <string.h>

#define X(name) name##_base,
static lane_selector *const set_base[] = {LANE_SELECTORS(X)};
#undef X
#define X(name) name##_v3,
static lane_selector *const set_v3[] = {LANE_SELECTORS(X)};
#undef X
#define X(name) name##_v4,
static lane_selector *const set_v4[] = {LANE_SELECTORS(X)};
#undef X

static const struct isa {
    const char *name;
    lane_selector *const *set;
    memory_selector *memory;
} isas[] = {
    {"base", set_base, memory_select_base},
    {"v3", set_v3, memory_select_v3},
    {"v4", set_v4, memory_select_v4},
};

static const struct isa *_Atomic current;

/* Parts of x86-64-v3 that not every compiler's __builtin_cpu_supports knows by name. */
static bool has_f16c_movbe_lzcnt(void)
{
    unsigned a, b, c, d, extended;

    return __get_cpuid(1, &a, &b, &c, &d) && __get_cpuid(0x80000001, &a, &b, &extended, &d) && c & bit_F16C && c & bit_MOVBE &&
           extended & bit_LZCNT;
}

bool interp_isa_supported(const char *name)
{
    if (!strcmp(name, "v4"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && interp_isa_supported("v3");
    if (!strcmp(name, "v3"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
               __builtin_cpu_supports("bmi2") && has_f16c_movbe_lzcnt();
    return true;
}

bool interp_force_isa(const char *name)
{
    for (size_t i = sizeof isas / sizeof *isas; i-- > 0;)
        if ((!name || !strcmp(name, isas[i].name)) && interp_isa_supported(isas[i].name)) {
            current = &isas[i];
            return true;
        }
    return false;
}

static const struct isa *chosen(void)
{
    if (!current)
        interp_force_isa(NULL);
    return current;
}

lane_op *interp_select(const struct ptx_insn *insn, const struct lane_widths *w)
{
    const struct isa *isa = chosen();

    for (size_t i = 0; i < sizeof set_base / sizeof *set_base; i++) {
        lane_op *op = isa->set[i](insn, w);
        if (op)
            return op;
    }
    return NULL;
}

uop_fn *memory_select(bool store, bool is_signed, unsigned bytes, unsigned bits)
{
    return chosen()->memory(store, is_signed, bytes, bits);
}
