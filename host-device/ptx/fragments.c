/* SPDX-License-Identifier: Apache-2.0 */
/* How many registers a lane holds of a matrix: chapters 9.7.14.5 (mma), 9.7.14.6 (mma.sp), 9.7.14.4 (wmma). */
#include "ptx/rules.h"

static const struct {
    uint16_t m, n, k;
} shapes[PTX_shape_count] = {
    [PTX_shape_m8n8k4] = {8, 8, 4}, [PTX_shape_m8n8k16] = {8, 8, 16}, [PTX_shape_m8n8k32] = {8, 8, 32},
    [PTX_shape_m8n8k128] = {8, 8, 128}, [PTX_shape_m16n8k4] = {16, 8, 4}, [PTX_shape_m16n8k8] = {16, 8, 8},
    [PTX_shape_m16n8k16] = {16, 8, 16}, [PTX_shape_m16n8k32] = {16, 8, 32}, [PTX_shape_m16n8k64] = {16, 8, 64},
    [PTX_shape_m16n8k128] = {16, 8, 128}, [PTX_shape_m16n8k256] = {16, 8, 256}, [PTX_shape_m16n16k16] = {16, 16, 16},
    [PTX_shape_m8n32k16] = {8, 32, 16}, [PTX_shape_m32n8k16] = {32, 8, 16}, [PTX_shape_m16n16k8] = {16, 16, 8},
};

static uint8_t element_type(const struct ptx_insn *insn, char fragment)
{
    if (insn->op == PTX_OP_wmma && insn->mode != PTX_mode_mma)
        return insn->types[0];
    if (insn->ntypes == 2) /* wmma of f16: only d and c are named */
        return fragment == 'd' ? insn->types[0] : fragment == 'c' ? insn->types[1] : PTX_TYPE_f16;
    return insn->types[strchr("dabc", fragment) - "dabc"];
}

/* wmma lets a type go with some shapes only. */
static bool wmma_takes(unsigned shape, uint8_t type, bool input)
{
    bool wide = shape == PTX_shape_m16n16k16 || shape == PTX_shape_m8n32k16 || shape == PTX_shape_m32n8k16;

    switch (type) {
    case PTX_TYPE_f16: case PTX_TYPE_bf16: case PTX_TYPE_u8: case PTX_TYPE_s8: return wide;
    case PTX_TYPE_tf32: return shape == PTX_shape_m16n16k8;
    case PTX_TYPE_f64: return shape == PTX_shape_m8n8k4;
    case PTX_TYPE_u4: case PTX_TYPE_s4: return shape == PTX_shape_m8n8k32;
    case PTX_TYPE_b1: return shape == PTX_shape_m8n8k128;
    case PTX_TYPE_f32: return !input && (wide || shape == PTX_shape_m16n16k8);
    case PTX_TYPE_s32: return !input && (wide || shape == PTX_shape_m8n8k32 || shape == PTX_shape_m8n8k128);
    }
    return false;
}

unsigned ptx_fragment_registers(const struct ptx_insn *insn, char fragment, uint8_t *type)
{
    uint8_t t = element_type(insn, fragment);
    unsigned m = shapes[insn->shape].m, n = shapes[insn->shape].n, k = shapes[insn->shape].k;
    unsigned elements = fragment == 'a' ? m * k : fragment == 'b' ? k * n : m * n;
    bool input = fragment == 'a' || fragment == 'b';

    *type = t == PTX_TYPE_f64 ? PTX_TYPE_f64 : t == PTX_TYPE_f32 ? PTX_TYPE_f32 : PTX_TYPE_b32;
    if (insn->op == PTX_OP_wmma) {
        if (!wmma_takes(insn->shape, t, input))
            return 0;
        if (t == PTX_TYPE_f16) /* inputs are held twice */
            return input ? 8 : 4;
    } else if (insn->shape == PTX_shape_m8n8k4 && element_type(insn, 'a') == PTX_TYPE_f16) {
        return input ? 2 : t == PTX_TYPE_f16 ? 4 : 8; /* four products at once */
    }
    if (insn->flags & PTX_FLAG_SP && fragment == 'a')
        elements /= 2;
    if (t == PTX_TYPE_f64)
        return elements / 32;
    return elements * ptx_type_bits[t] / 32 / 32;
}

unsigned ptx_sparsity_selectors(const struct ptx_insn *insn)
{
    unsigned bits = ptx_type_bits[insn->types[1]];
    unsigned chunk = bits == 4 ? 8 : bits == 32 ? 2 : 4; /* columns that four bits of metadata describe */
    unsigned holders = shapes[insn->shape].k / (4 * chunk);

    return 4 / holders;
}
