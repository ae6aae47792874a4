/* SPDX-License-Identifier: Apache-2.0 */
/* mma.sync: operands and results. A kernel with a few has their code in place; one with many calls a function for each kind of
 * them, since code that is run from the instruction cache's far side is slower than the calls. */
#include "jit/emit_mma.h"

#include <stdio.h>

#include "jit/code.h"

typedef LLVMValueRef V;
#define INLINE_MAX 12 /* of one kernel */

V mma_spread(struct emit *e, V a, unsigned q)
{
    unsigned pick[VG_WARP], n = LLVMGetVectorSize(LLVMTypeOf(a));

    for (unsigned l = 0; l < n; l++)
        pick[l] = l / 4 * 4 + q;
    return emit_shuffle(e, a, NULL, pick, n);
}

V mma_columns(struct emit *e, V b, unsigned q, unsigned p, unsigned n)
{
    unsigned pick[VG_WARP];

    for (unsigned l = 0; l < n; l++)
        pick[l] = 4 * (2 * (l % 4) + p) + q;
    return emit_shuffle(e, b, NULL, pick, n);
}

/* ---- What kinds there are ---- */

static const struct {
    uint8_t type, bits;
    bool is_float;
} formats[] = {
    {PTX_TYPE_s8, 8, false}, {PTX_TYPE_u8, 8, false},
    {PTX_TYPE_f16, 16, true}, {PTX_TYPE_bf16, 16, true}, {PTX_TYPE_tf32, 32, true},
};

static const struct {
    uint8_t shape, m, k;
} shapes[] = {
    {PTX_shape_m8n8k16, 8, 16}, {PTX_shape_m16n8k4, 16, 4}, {PTX_shape_m16n8k8, 16, 8}, {PTX_shape_m16n8k16, 16, 16},
    {PTX_shape_m16n8k32, 16, 32},
};

static mma_body *find(const struct emit *e, struct mma *m)
{
    const struct ptx_insn *i = e->insn;
    unsigned shape = 0, a = 0, b = 0;

    while (shape < sizeof shapes / sizeof *shapes && shapes[shape].shape != i->shape)
        shape++;
    while (a < sizeof formats / sizeof *formats && formats[a].type != i->types[1])
        a++;
    while (b < sizeof formats / sizeof *formats && formats[b].type != i->types[2])
        b++;
    if (shape == sizeof shapes / sizeof *shapes || a == sizeof formats / sizeof *formats || b == sizeof formats / sizeof *formats ||
        i->layout_a != 'r' || i->layout_b != 'c' || i->nops != 4 || i->types[0] != i->types[3] ||
        i->flags & ~(uint32_t)(PTX_FLAG_SYNC | PTX_FLAG_ALIGNED | PTX_FLAG_SATFINITE))
        return NULL;
    for (unsigned k = 0; k < 4; k++)
        m->types[k] = i->types[k];
    m->saturate = i->flags & PTX_FLAG_SATFINITE;
    m->rows = shapes[shape].m / 8;
    m->columns = shapes[shape].k * formats[a].bits / 128;
    m->n_c = i->types[0] == PTX_TYPE_f16 ? m->rows : 2 * m->rows;
    if (m->columns != 1 && (m->columns != 2 || m->rows != 2))
        return NULL;
    if (!formats[a].is_float)
        return !formats[b].is_float && i->types[0] == PTX_TYPE_s32 ? emit_mma_integer : NULL;
    if (i->types[1] != i->types[2] || m->saturate || m->rows != 2 || e->shape.isa == JIT_ISA_BASE)
        return NULL;
    return i->types[0] == PTX_TYPE_f32 || (i->types[0] == PTX_TYPE_f16 && i->types[1] == PTX_TYPE_f16) ? emit_mma_float : NULL;
}

/* ---- Operands ---- */

static const struct ptx_operand *element(const struct ptx_operand *o, unsigned k)
{
    return o->kind == PTX_OPERAND_VEC ? &o->elems[k] : o;
}

static bool fragment(struct emit *e, const struct ptx_operand *o, V *v, unsigned n)
{
    if ((o->kind == PTX_OPERAND_VEC ? o->n : 1) != n)
        return false;
    for (unsigned k = 0; k < n; k++)
        if (!(v[k] = emit_source(e, element(o, k), 32)))
            return false;
    return true;
}

/* ---- In place, or called ---- */

static unsigned count(const struct emit *e)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < e->f->ninsns; i++)
        n += e->f->insns[i].op == PTX_OP_mma;
    return n;
}

#define ARGUMENTS 10 /* C and D, A, B */
static V argument(struct emit *e, V base, unsigned k)
{
    return emit_at(e, base, (uint64_t)k * 4 * VG_WARP);
}

static V load(struct emit *e, V base, unsigned k)
{
    return LLVMBuildLoad2(e->b, emit_vector(e->i32), argument(e, base, k), "");
}

/* The function of this kind: its arguments lie in a row in memory; D takes C's place. */
static V function_of(struct emit *e, const struct mma *like, mma_body *body)
{
    struct mma m = *like;
    LLVMBasicBlockRef back = LLVMGetInsertBlock(e->b);
    char name[64];
    V fn, base;

    snprintf(name, sizeof name, "mma.%u.%u.%u.%u.%u.%u", m.rows, m.columns, m.types[0], m.types[1], m.types[2], m.saturate);
    if ((fn = LLVMGetNamedFunction(e->module, name)))
        return fn;
    fn = LLVMAddFunction(e->module, name, LLVMFunctionType(e->none, &e->ptr, 1, false));
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    jit_code_attributes(fn, &e->shape);
    LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->context, fn, ""));
    base = LLVMGetParam(fn, 0);
    for (unsigned k = 0; k < m.n_c; k++)
        m.c[k] = load(e, base, k);
    for (unsigned k = 0; k < m.rows * m.columns; k++)
        m.a[k] = load(e, base, 4 + k);
    for (unsigned k = 0; k < m.columns; k++)
        m.b[k] = load(e, base, 8 + k);
    body(e, &m);
    for (unsigned k = 0; k < m.n_c; k++)
        LLVMBuildStore(e->b, m.d[k], argument(e, base, k));
    LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, back);
    return fn;
}

static void call(struct emit *e, struct mma *m, mma_body *body)
{
    V fn = function_of(e, m, body);

    if (!e->arguments)
        e->arguments = emit_scratch(e, ARGUMENTS * 4 * VG_WARP);
    for (unsigned k = 0; k < m->n_c; k++)
        LLVMBuildStore(e->b, m->c[k], argument(e, e->arguments, k));
    for (unsigned k = 0; k < m->rows * m->columns; k++)
        LLVMBuildStore(e->b, m->a[k], argument(e, e->arguments, 4 + k));
    for (unsigned k = 0; k < m->columns; k++)
        LLVMBuildStore(e->b, m->b[k], argument(e, e->arguments, 8 + k));
    LLVMBuildCall2(e->b, LLVMFunctionType(e->none, &e->ptr, 1, false), fn, &e->arguments, 1, "");
    for (unsigned k = 0; k < m->n_c; k++)
        m->d[k] = load(e, e->arguments, k);
}

bool emit_mma(struct emit *e)
{
    const struct ptx_insn *i = e->insn;
    struct mma m = {.rows = 0};
    mma_body *body;

    if (i->op != PTX_OP_mma || !e->wide || !(body = find(e, &m)))
        return false;
    if (!fragment(e, &i->ops[1], m.a, m.rows * m.columns) || !fragment(e, &i->ops[2], m.b, m.columns) ||
        !fragment(e, &i->ops[3], m.c, m.n_c))
        return false;
    if (count(e) <= INLINE_MAX)
        body(e, &m);
    else
        call(e, &m, body);
    for (unsigned k = 0; k < m.n_c; k++)
        emit_result(e, element(&i->ops[0], k), m.d[k]);
    return true;
}
