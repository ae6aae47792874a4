/* SPDX-License-Identifier: Apache-2.0 */
/* Products of bytes, summed in 32 bits.
 *
 * With VNNI four products of an unsigned with a signed byte are one instruction. Where both are of one kind, 128 is added to
 * (or taken from) one of them, and 128 times the sum of the other, which the same instruction finds, taken off the result.
 * Without, bytes become halves, and the even and the odd ones are multiplied apart. */
#include "jit/emit_mma.h"

typedef LLVMValueRef V;

struct bytes {
    V part[2];               /* the bytes; or the even ones and the odd ones, as halves */
};

struct way {
    unsigned n;              /* lanes of a native vector */
    unsigned parts;          /* of struct bytes */
    bool swapped;            /* VNNI: B is the unsigned operand */
};

static bool has_vnni(const struct emit *e)
{
    return e->shape.isa == JIT_ISA_V4 && e->shape.extensions & JIT_EXT_avx512vnni;
}

static bool is_signed(uint8_t type)
{
    return type == PTX_TYPE_s8;
}

static struct bytes bytes_of(struct emit *e, const struct way *w, V v, uint8_t type)
{
    unsigned n = 2 * LLVMGetVectorSize(LLVMTypeOf(v));
    V halves = LLVMBuildBitCast(e->b, v, emit_many(e, 16, n), ""), eight = emit_fill(e, 16, n, 8), low, high;

    if (w->parts == 1)
        return (struct bytes){{v}};
    low = LLVMBuildShl(e->b, halves, eight, "");
    low = is_signed(type) ? LLVMBuildAShr(e->b, low, eight, "") : LLVMBuildLShr(e->b, low, eight, "");
    high = is_signed(type) ? LLVMBuildAShr(e->b, halves, eight, "") : LLVMBuildLShr(e->b, halves, eight, "");
    return (struct bytes){{LLVMBuildBitCast(e->b, low, LLVMTypeOf(v), ""), LLVMBuildBitCast(e->b, high, LLVMTypeOf(v), "")}};
}

/* sum + a . b */
static V dot(struct emit *e, const struct way *w, V sum, const struct bytes *a, const struct bytes *b)
{
    static const char *const names[] = {[JIT_ISA_BASE] = "llvm.x86.sse2.pmadd.wd", [JIT_ISA_V3] = "llvm.x86.avx2.pmadd.wd",
                                        [JIT_ISA_V4] = "llvm.x86.avx512.pmaddw.d.512"};
    V args[3] = {sum, w->swapped ? b->part[0] : a->part[0], w->swapped ? a->part[0] : b->part[0]};
    LLVMTypeRef halves = emit_many(e, 16, 2 * w->n);

    if (w->parts == 1)
        return emit_call(e, "llvm.x86.avx512.vpdpbusd.512", NULL, 0, args, 3);
    for (unsigned k = 0; k < w->parts; k++) {
        args[0] = LLVMBuildBitCast(e->b, a->part[k], halves, "");
        args[1] = LLVMBuildBitCast(e->b, b->part[k], halves, "");
        sum = LLVMBuildAdd(e->b, sum, emit_call(e, names[e->shape.isa], NULL, 0, args, 2), "");
    }
    return sum;
}

/* Each lane gets the sum of its four. */
static V sum_of_four(struct emit *e, V v)
{
    unsigned n = LLVMGetVectorSize(LLVMTypeOf(v)), pick[VG_WARP];

    for (unsigned by = 1; by < 4; by *= 2) {
        for (unsigned l = 0; l < n; l++)
            pick[l] = l ^ by;
        v = LLVMBuildAdd(e->b, v, emit_shuffle(e, v, NULL, pick, n), "");
    }
    return v;
}

/* 128 times the sum of the bytes of a column of B, as columns 2 t + p. */
static V column_bias(struct emit *e, const struct way *w, const struct mma *m, unsigned p)
{
    struct bytes bias = {{emit_fill(e, 32, w->n, 0x80808080u)}};
    V sums[VG_WARP / 4];

    for (unsigned h = 0; h < VG_WARP / w->n; h++) {
        sums[h] = emit_fill(e, 32, w->n, 0);
        for (unsigned j = 0; j < m->columns; j++) {
            struct bytes b = {{emit_part(e, m->b[j], h * w->n, w->n)}};

            sums[h] = dot(e, w, sums[h], &bias, &b);
        }
        sums[h] = sum_of_four(e, sums[h]);
    }
    return mma_columns(e, emit_join(e, sums, VG_WARP / w->n), 0, p, w->n);
}

/* -128 times the sum of the bytes of a row of A. */
static V row_bias(struct emit *e, const struct way *w, const struct mma *m, unsigned r, unsigned h)
{
    struct bytes bias = {{emit_fill(e, 32, w->n, 0x80808080u)}};
    V sum = emit_fill(e, 32, w->n, 0);

    for (unsigned j = 0; j < m->columns; j++) {
        struct bytes a = {{emit_part(e, m->a[j * m->rows + r], h * w->n, w->n)}};

        sum = dot(e, w, sum, &a, &bias);
    }
    return sum_of_four(e, sum);
}

/* sums[r][p][h] += the products: A's parts of a register one by one, all of B's columns ready. */
static void multiply(struct emit *e, const struct way *w, const struct mma *m, V sums[2][2][VG_WARP / 4])
{
    for (unsigned j = 0; j < m->columns; j++) {
        struct bytes whole = bytes_of(e, w, m->b[j], m->types[2]), b[4][2];

        for (unsigned q = 0; q < 4; q++)
            for (unsigned p = 0; p < 2; p++)
                for (unsigned k = 0; k < w->parts; k++)
                    b[q][p].part[k] = mma_columns(e, whole.part[k], q, p, w->n);
        for (unsigned r = 0; r < m->rows; r++)
            for (unsigned h = 0; h < VG_WARP / w->n; h++) {
                struct bytes a = bytes_of(e, w, emit_part(e, m->a[j * m->rows + r], h * w->n, w->n), m->types[1]);

                for (unsigned q = 0; q < 4; q++) {
                    struct bytes spread;

                    for (unsigned k = 0; k < w->parts; k++)
                        spread.part[k] = mma_spread(e, a.part[k], q);
                    for (unsigned p = 0; p < 2; p++)
                        sums[r][p][h] = dot(e, w, sums[r][p][h], &spread, &b[q][p]);
                }
            }
    }
}

/* Where both operands are of one kind, make A unsigned or B signed, and begin with what that will be too much, negated. */
static void begin(struct emit *e, const struct way *w, struct mma *m, V sums[2][2][VG_WARP / 4])
{
    bool both_signed = w->parts == 1 && is_signed(m->types[1]) && is_signed(m->types[2]);
    bool both_unsigned = w->parts == 1 && !is_signed(m->types[1]) && !is_signed(m->types[2]);
    V flip = emit_fill(e, 32, VG_WARP, 0x80808080u), columns[2];

    for (unsigned p = 0; both_signed && p < 2; p++)
        columns[p] = column_bias(e, w, m, p);
    for (unsigned r = 0; r < m->rows; r++)
        for (unsigned p = 0; p < 2; p++)
            for (unsigned h = 0; h < VG_WARP / w->n; h++) {
                V zero = emit_fill(e, 32, w->n, 0), start = m->saturate ? zero : emit_part(e, m->c[2 * r + p], h * w->n, w->n);

                if (both_signed)
                    start = LLVMBuildSub(e->b, start, columns[p], "");
                if (both_unsigned)
                    start = LLVMBuildSub(e->b, start, row_bias(e, w, m, r, h), "");
                sums[r][p][h] = start;
            }
    for (unsigned k = 0; both_signed && k < m->rows * m->columns; k++)
        m->a[k] = LLVMBuildXor(e->b, m->a[k], flip, "");
    for (unsigned k = 0; both_unsigned && k < m->columns; k++)
        m->b[k] = LLVMBuildXor(e->b, m->b[k], flip, "");
}

void emit_mma_integer(struct emit *e, struct mma *m)
{
    struct way w = {.n = emit_native(e), .parts = has_vnni(e) ? 1 : 2};
    LLVMTypeRef type = emit_vector(e->i32);
    V sums[2][2][VG_WARP / 4];

    w.swapped = w.parts == 1 && is_signed(m->types[1]) && !is_signed(m->types[2]);
    begin(e, &w, m, sums);
    multiply(e, &w, m, sums);
    for (unsigned r = 0; r < m->rows; r++)
        for (unsigned p = 0; p < 2; p++) {
            V args[2] = {emit_join(e, sums[r][p], VG_WARP / w.n), m->c[2 * r + p]};

            m->d[2 * r + p] = m->saturate ? emit_call(e, "llvm.sadd.sat", &type, 1, args, 2) : args[0];
        }
}
