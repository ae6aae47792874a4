/* SPDX-License-Identifier: Apache-2.0 */
/* The names behind the enums of ir.h, from the tables in ops.h. */
#include "ptx/parse.h"

const char *const ptx_op_names[PTX_OP_COUNT] = {
    [PTX_OP_NONE] = "(none)",
#define X(name) [PTX_OP_##name] = #name,
    PTX_OPS(X)
#undef X
};

const char *const ptx_type_names[PTX_TYPE_COUNT] = {
    [PTX_TYPE_NONE] = "(none)",
#define X(name, bits, class, packed) [PTX_TYPE_##name] = #name,
    PTX_TYPES(X)
#undef X
};

const uint8_t ptx_type_bits[PTX_TYPE_COUNT] = {
#define X(name, bits, class, packed) [PTX_TYPE_##name] = bits,
    PTX_TYPES(X)
#undef X
};

const char ptx_type_class[PTX_TYPE_COUNT] = {
#define X(name, bits, class, packed) [PTX_TYPE_##name] = class,
    PTX_TYPES(X)
#undef X
};

const char *const ptx_space_names[PTX_SPACE_COUNT] = {
#define X(name) [PTX_SPACE_##name] = #name,
    PTX_SPACES(X)
#undef X
};

const struct ptx_sreg_info ptx_sregs[PTX_SREG_COUNT] = {
#define X(name, components, type, uniform) [PTX_SREG_##name] = {#name, components, PTX_TYPE_##type},
    PTX_SREGS(X)
#undef X
};

#define X(name) [PTX_round_##name] = #name,
const char *const ptx_round_names[PTX_round_count] = { PTX_ROUNDS(X) };
#undef X
#define X(name) [PTX_cmp_##name] = #name,
const char *const ptx_cmp_names[PTX_cmp_count] = { PTX_CMPS(X) };
#undef X
#define X(name) [PTX_bool_##name] = #name,
const char *const ptx_bool_names[PTX_bool_count] = { PTX_BOOLS(X) };
#undef X
#define X(name) [PTX_atom_##name] = #name,
const char *const ptx_atom_names[PTX_atom_count] = { PTX_ATOMS(X) };
#undef X
#define X(name) [PTX_mul_##name] = #name,
const char *const ptx_mul_names[PTX_mul_count] = { PTX_MULS(X) };
#undef X
#define X(name) [PTX_mode_##name] = #name,
const char *const ptx_mode_names[PTX_mode_count] = { PTX_MODES(X) };
#undef X
#define X(name) [PTX_shape_##name] = #name,
const char *const ptx_shape_names[PTX_shape_count] = { PTX_SHAPES(X) };
#undef X
#define X(name) [PTX_sem_##name] = #name,
const char *const ptx_sem_names[PTX_sem_count] = { PTX_SEMS(X) };
#undef X
#define X(name) [PTX_scope_##name] = #name,
const char *const ptx_scope_names[PTX_scope_count] = { PTX_SCOPES(X) };
#undef X

const char *const ptx_flag_words[PTX_FLAG_COUNT] = {
#define X(word, name) [PTX_FLAG_BIT_##name] = word,
    PTX_FLAGS(X)
#undef X
};

int ptx_word_index(const char *const *words, int n, const char *s, size_t len)
{
    for (int i = 0; i < n; i++)
        if (words[i] && strlen(words[i]) == len && !memcmp(words[i], s, len))
            return i;
    return -1;
}
