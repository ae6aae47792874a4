/* SPDX-License-Identifier: Apache-2.0 */
/* Which registers never hold a subnormal f32: what .ftz has to do to operands is done already. */
#include "jit/flushed.h"

static bool is_flushed_bits(uint64_t v)
{
    return (v & 0x7f800000) || !(v & 0x007fffff);
}

/* Every value of this result is a normal number, zero, infinity or NaN. */
static bool defines_flushed(const struct ptx_insn *i, const uint8_t *flushed)
{
    switch (i->op) {
    case PTX_OP_add: case PTX_OP_sub: case PTX_OP_mul: case PTX_OP_fma: case PTX_OP_mad: case PTX_OP_div: case PTX_OP_sqrt:
    case PTX_OP_rsqrt: case PTX_OP_rcp: case PTX_OP_ex2: case PTX_OP_lg2: case PTX_OP_sin: case PTX_OP_cos: case PTX_OP_min:
    case PTX_OP_max: case PTX_OP_abs: case PTX_OP_neg:
        return i->types[0] == PTX_TYPE_f32 && i->flags & PTX_FLAG_FTZ;
    case PTX_OP_cvt: /* integers and halves: their smallest numbers are normal as f32 */
        return i->types[0] == PTX_TYPE_f32 && (ptx_type_class[i->types[1]] == 'u' || ptx_type_class[i->types[1]] == 's' ||
                                               i->types[1] == PTX_TYPE_f16);
    case PTX_OP_mov:
        return (i->ops[1].kind == PTX_OPERAND_IMM && is_flushed_bits((uint64_t)i->ops[1].imm)) ||
               (i->ops[1].kind == PTX_OPERAND_REG && i->ops[0].kind == PTX_OPERAND_REG && flushed[i->ops[1].reg]);
    case PTX_OP_selp:
        return (i->ops[1].kind == PTX_OPERAND_REG ? flushed[i->ops[1].reg]
                                                  : i->ops[1].kind == PTX_OPERAND_IMM && is_flushed_bits((uint64_t)i->ops[1].imm)) &&
               (i->ops[2].kind == PTX_OPERAND_REG ? flushed[i->ops[2].reg]
                                                  : i->ops[2].kind == PTX_OPERAND_IMM && is_flushed_bits((uint64_t)i->ops[2].imm));
    case PTX_OP_shfl: /* lanes of one register */
        return i->ops[1].kind == PTX_OPERAND_REG && flushed[i->ops[1].reg];
    default:
        return false;
    }
}

void jit_flushed_find(const struct ptx_function *f, uint8_t *flushed)
{
    struct jit_regs r;

    for (uint32_t k = 0; k < f->nregs; k++)
        flushed[k] = ptx_type_bits[f->regs[k].type] == 32;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < f->ninsns; i++) {
            if (defines_flushed(&f->insns[i], flushed))
                continue;
            jit_regs_of(&f->insns[i], &r);
            for (unsigned k = 0; k < r.n_written; k++) {
                changed |= flushed[r.written[k]];
                flushed[r.written[k]] = 0;
            }
        }
    }
}
