/* SPDX-License-Identifier: Apache-2.0 */
/* Products of f16, bf16 and tf32: exact in f32, summed there in the order of k by fused multiply-adds, and the accumulator
 * added at the end, as interp/lanes_mma.c does it. */
#include "jit/emit_mma.h"

typedef LLVMValueRef V;

static V as_floats(struct emit *e, V bits)
{
    return LLVMBuildBitCast(e->b, bits, emit_floats(e, LLVMGetVectorSize(LLVMTypeOf(bits))), "");
}

/* Element i of each word, as floats. */
static V element_of(struct emit *e, V words, unsigned i, uint8_t type)
{
    unsigned n = LLVMGetVectorSize(LLVMTypeOf(words));
    V half;

    switch (type) {
    case PTX_TYPE_f16:
        half = i ? LLVMBuildLShr(e->b, words, emit_fill(e, 32, n, 16), "") : words;
        half = LLVMBuildTrunc(e->b, half, emit_many(e, 16, n), "");
        half = LLVMBuildBitCast(e->b, half, LLVMVectorType(LLVMHalfTypeInContext(e->context), n), "");
        return LLVMBuildFPExt(e->b, half, emit_floats(e, n), "");
    case PTX_TYPE_bf16:
        return as_floats(e, i ? LLVMBuildAnd(e->b, words, emit_fill(e, 32, n, 0xffff0000u), "")
                              : LLVMBuildShl(e->b, words, emit_fill(e, 32, n, 16), ""));
    default: /* tf32 */
        return as_floats(e, LLVMBuildAnd(e->b, words, emit_fill(e, 32, n, 0xffffe000u), ""));
    }
}

static V canonical(struct emit *e, V bits, V of, unsigned width, uint64_t nan)
{
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, of, of, ""),
                           emit_fill(e, width, LLVMGetVectorSize(LLVMTypeOf(of)), nan), bits, "");
}

/* f32 to the bits of a register's half. */
static V narrow(struct emit *e, V v)
{
    unsigned n = LLVMGetVectorSize(LLVMTypeOf(v));
    V half = LLVMBuildFPTrunc(e->b, v, LLVMVectorType(LLVMHalfTypeInContext(e->context), n), "");

    half = canonical(e, LLVMBuildBitCast(e->b, half, emit_many(e, 16, n), ""), v, 16, 0x7fff);
    return LLVMBuildZExt(e->b, half, emit_many(e, 32, n), "");
}

/* sums[r][p] over lanes [first, first + n). */
static void multiply(struct emit *e, const struct mma *m, unsigned first, unsigned n, V sums[2][2])
{
    unsigned each = m->types[1] == PTX_TYPE_tf32 ? 1 : 2;
    LLVMTypeRef type = emit_floats(e, n);
    V a[2][2], b[2];

    for (unsigned r = 0; r < m->rows; r++)
        sums[r][0] = sums[r][1] = LLVMConstNull(type);
    for (unsigned j = 0; j < m->columns; j++) {
        for (unsigned i = 0; i < each; i++) {
            b[i] = element_of(e, m->b[j], i, m->types[2]);
            for (unsigned r = 0; r < m->rows; r++)
                a[i][r] = element_of(e, emit_part(e, m->a[j * m->rows + r], first, n), i, m->types[1]);
        }
        for (unsigned k = 0; k < 4 * each; k++)
            for (unsigned p = 0; p < 2; p++) {
                V column = mma_columns(e, b[k % each], k / each, p, n);

                for (unsigned r = 0; r < m->rows; r++) {
                    V args[3] = {mma_spread(e, a[k % each][r], k / each), column, sums[r][p]};

                    sums[r][p] = emit_call(e, "llvm.fma", &type, 1, args, 3);
                }
            }
    }
}

void emit_mma_float(struct emit *e, struct mma *m)
{
    unsigned n = emit_native(e);
    V parts[4][VG_WARP / 4];

    for (unsigned h = 0; h < VG_WARP / n; h++) {
        V sums[2][2];

        multiply(e, m, h * n, n, sums);
        for (unsigned r = 0; r < m->rows; r++)
            for (unsigned p = 0; p < 2; p++) {
                bool f16 = m->types[0] == PTX_TYPE_f16;
                V c = emit_part(e, m->c[f16 ? r : 2 * r + p], h * n, n), sum;

                sum = LLVMBuildFAdd(e->b, sums[r][p], f16 ? element_of(e, c, p, PTX_TYPE_f16) : as_floats(e, c), "");
                parts[2 * r + p][h] = f16 ? narrow(e, sum) : canonical(e, LLVMBuildBitCast(e->b, sum, emit_many(e, 32, n), ""), sum, 32, 0x7fffffff);
            }
        for (unsigned r = 0; r < m->rows && m->types[0] == PTX_TYPE_f16; r++)
            parts[r][h] = LLVMBuildOr(e->b, parts[2 * r][h], LLVMBuildShl(e->b, parts[2 * r + 1][h], emit_fill(e, 32, n, 16), ""), "");
    }
    for (unsigned k = 0; k < m->n_c; k++)
        m->d[k] = emit_join(e, parts[k], VG_WARP / n);
}
