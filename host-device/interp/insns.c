/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction to one micro-operation, or a few. What is not in the table at the end is a lane operation.
 *
 * Guards: operations that only compute run for the lanes whose guard holds (run_guarded). Where lanes may part or wait, a
 * guard is a branch around the operation, so that only the lanes that execute it get there. */
#include "interp/isa.h"
#include "interp/lower.h"
#include "interp/slots.h"

#include <string.h>

struct uop *lower_emit(struct lower *lo, uop_fn *run, const uint32_t *refs, unsigned nd, unsigned ns)
{
    struct uop *u;

    lo->code = lower_grow(lo, lo->code, lo->n_code, &lo->code_room, sizeof *lo->code);
    for (unsigned i = 0; i < nd + ns; i++) {
        lo->refs = lower_grow(lo, lo->refs, lo->n_refs, &lo->refs_room, sizeof *lo->refs);
        lo->refs[lo->n_refs++] = refs[i];
    }
    u = &lo->code[lo->n_code++];
    *u = (struct uop){.run = run, .insn = lo->insn, .nd = (uint8_t)nd, .ns = (uint8_t)ns, .guard = REF_NONE,
                      .refs = (const uint32_t *)(uintptr_t)(lo->n_refs - nd - ns)};
    return u;
}

/* ---- Guards ---- */

static void set_guard(struct lower *lo, struct uop *u, bool when)
{
    u->guard = lo->place[lo->insn->guard] | BASE_FRAME;
    u->guard_flip = lo->insn->guard_negated == when ? ~0u : 0;
}

static void guard_last(struct lower *lo)
{
    struct uop *u = &lo->code[lo->n_code - 1];

    if (lo->insn->guard < 0)
        return;
    set_guard(lo, u, true);
    u->inner = u->run;
    u->run = run_guarded;
}

/* Lanes whose guard does not hold go on behind the instruction. */
static void branch_around(struct lower *lo)
{
    struct uop *u;

    if (lo->insn->guard < 0)
        return;
    u = lower_emit(lo, run_bra_if, NULL, 0, 0);
    set_guard(lo, u, false);
    u->target = (const struct uop *)(uintptr_t)(lo->insn - lo->f->insns + 1);
}

/* ---- Lane operations ---- */

struct operands {
    uint32_t refs[LANE_MAX_DST + LANE_MAX_SRC];
    struct lane_widths w;
    unsigned nd, ns;
};

static void add_destination(struct lower *lo, struct operands *x, const struct ptx_operand *o)
{
    unsigned bits;

    if (o->kind == PTX_OPERAND_VEC) {
        for (unsigned i = 0; i < o->n; i++)
            add_destination(lo, x, &o->elems[i]);
        return;
    }
    if (x->nd == LANE_MAX_DST || x->ns)
        lower_fail(lo, "%s has too many results", ptx_op_names[lo->insn->op]);
    x->refs[x->nd] = lower_destination(lo, o, &bits);
    x->w.d[x->nd++] = (uint8_t)bits;
}

static void add_source(struct lower *lo, struct operands *x, const struct ptx_operand *o, unsigned bits)
{
    if (o->kind == PTX_OPERAND_VEC) {
        for (unsigned i = 0; i < o->n; i++)
            add_source(lo, x, &o->elems[i], lo->insn->op == PTX_OP_mov ? bits / o->n : bits);
        return;
    }
    if (x->ns == LANE_MAX_SRC)
        lower_fail(lo, "%s has too many operands", ptx_op_names[lo->insn->op]);
    if (o->kind == PTX_OPERAND_MEM) {
        struct memory_operand m = lower_memory(lo, o, lo->insn->space);
        uint32_t refs[2] = {lower_temp(lo, 64), m.ref};
        struct uop *u = lower_emit(lo, run_address, refs, 1, 1);

        u->space = m.space;
        u->wide = m.wide;
        u->imm = m.imm;
        bits = 64;
        x->refs[x->nd + x->ns] = refs[0];
    } else {
        x->refs[x->nd + x->ns] = lower_source(lo, o, &bits);
    }
    x->w.s[x->ns++] = (uint8_t)bits;
}

/* Operations with an optional second result always have a place for it. */
static bool has_second_result(const struct ptx_insn *i)
{
    return i->op == PTX_OP_setp || i->op == PTX_OP_shfl || i->op == PTX_OP_match || i->op == PTX_OP_elect ||
           i->op == PTX_OP_lop3;
}

static void collect(struct lower *lo, struct operands *x)
{
    const struct ptx_insn *insn = lo->insn;
    bool first = slots_has_destination(insn);

    *x = (struct operands){.nd = 0};
    if (first)
        add_destination(lo, x, &insn->ops[0]);
    if (has_second_result(insn) || insn->dst2.kind != PTX_OPERAND_NONE)
        add_destination(lo, x, &insn->dst2);
    for (unsigned i = first; i < insn->nops; i++)
        add_source(lo, x, &insn->ops[i], operand_bits(insn, i));
}

static lane_op *select_or_fail(struct lower *lo, const struct operands *x)
{
    lane_op *op = interp_select(lo->insn, &x->w);

    if (!op)
        lower_fail(lo, "no engine has this form of %s", ptx_op_names[lo->insn->op]);
    return op;
}

static void lower_lane(struct lower *lo)
{
    struct operands x;
    uop_fn *run = run_lane;
    struct uop *u;

    collect(lo, &x);
    if (x.nd == 1 && x.ns == 1)
        run = run_lane_1_1;
    else if (x.nd == 1 && x.ns == 2)
        run = run_lane_1_2;
    else if (x.nd == 1 && x.ns == 3)
        run = run_lane_1_3;
    u = lower_emit(lo, run, x.refs, x.nd, x.ns);
    u->lane = select_or_fail(lo, &x);
    guard_last(lo);
}

static void emit_collective(struct lower *lo, bool masked)
{
    struct operands x;
    struct uop *u;
    uint8_t *bits;

    branch_around(lo);
    collect(lo, &x);
    bits = lower_keep(lo, x.nd + x.ns + 1u);
    memcpy(bits, x.w.d, x.nd);
    memcpy(bits + x.nd, x.w.s, x.ns);
    u = lower_emit(lo, masked ? run_collective : run_collective_all, x.refs, x.nd, x.ns);
    u->bits = bits;
    if (lo->insn->op != PTX_OP_bar)
        u->lane = select_or_fail(lo, &x);
}

/* shfl, vote, match, redux, elect: with .sync the lanes of the mask meet; the old forms take the lanes that are there. */
static void lower_masked(struct lower *lo)
{
    if (lo->insn->flags & PTX_FLAG_SYNC)
        emit_collective(lo, true);
    else
        lower_lane(lo);
}

static void lower_matrix(struct lower *lo)
{
    emit_collective(lo, false);
}

/* ---- Memory ---- */

static void set_memory(struct uop *u, const struct memory_operand *m, unsigned bytes, unsigned vec)
{
    u->space = m->space;
    u->wide = m->wide;
    u->imm = m->imm;
    u->bytes = (uint8_t)bytes;
    u->vec = (uint8_t)vec;
}

static unsigned element_bytes(const struct ptx_insn *insn)
{
    unsigned bits = ptx_type_bits[insn->types[0]];

    return bits < 8 ? 1 : bits / 8;
}

/* The elements of a vector operand, or the one it is. */
static unsigned elements(const struct ptx_operand *o, const struct ptx_operand **first)
{
    *first = o->kind == PTX_OPERAND_VEC ? o->elems : o;
    return o->kind == PTX_OPERAND_VEC ? o->n : 1;
}

static void lower_load_store(struct lower *lo)
{
    const struct ptx_insn *insn = lo->insn;
    bool store = insn->op == PTX_OP_st;
    const struct ptx_operand *data;
    unsigned n = elements(&insn->ops[store ? 1 : 0], &data), bytes = element_bytes(insn), bits = 0;
    struct memory_operand m = lower_memory(lo, &insn->ops[store ? 0 : 1], insn->space);
    uint32_t refs[1 + 8];
    uop_fn *run;
    struct uop *u;

    if (n > 8 || n * bytes > 32)
        lower_fail(lo, "access of %u bytes", n * bytes);
    refs[0] = m.ref;
    for (unsigned i = 0; i < n; i++) {
        unsigned b = operand_bits(insn, store ? 1 : 0);

        refs[1 + i] = store ? lower_source(lo, &data[i], &b) : lower_destination(lo, &data[i], &b);
        if (b && bits && b != bits)
            lower_fail(lo, "elements of different widths");
        bits = b ? b : bits;
    }
    if (!bits)
        bits = operand_bits(insn, store ? 1 : 0); /* everything goes to '_': the access still happens */
    run = memory_select(store, ptx_type_class[insn->types[0]] == 's', bytes, bits);
    if (!run)
        lower_fail(lo, "%s of %u bytes with registers of %u bits", ptx_op_names[insn->op], bytes, bits);
    u = lower_emit(lo, run, refs, 0, 1 + n);
    set_memory(u, &m, bytes, n);
    u->volatile_access = insn->sem != PTX_sem_none && insn->sem != PTX_sem_weak;
    guard_last(lo);
}

static void lower_atom(struct lower *lo)
{
    const struct ptx_insn *insn = lo->insn;
    bool result = insn->op == PTX_OP_atom;
    const struct ptx_operand *d = NULL, *b;
    unsigned bytes = element_bytes(insn), n = elements(&insn->ops[result ? 2 : 1], &b), bits, nd = 0;
    struct memory_operand m = lower_memory(lo, &insn->ops[result ? 1 : 0], insn->space);
    uint32_t refs[2 + 2 * 8];
    void (*fn)(void) = NULL;
    uop_fn *run = atom_select(insn, &fn);
    struct uop *u;

    if (!run || n > 8 || n * bytes > 32)
        lower_fail(lo, "no engine has this form of %s", ptx_op_names[insn->op]);
    if (result)
        nd = elements(&insn->ops[0], &d);
    refs[0] = m.ref;
    for (unsigned i = 0; i < n; i++) {
        refs[1 + i] = i < nd ? lower_destination(lo, &d[i], &bits) : REF_NONE;
        bits = operand_bits(insn, 2);
        refs[1 + n + i] = lower_source(lo, &b[i], &bits);
        if (bits != bytes * 8)
            lower_fail(lo, "operand of %u bits for a memory operation of %u", bits, bytes * 8);
    }
    refs[1 + 2 * n] = REF_NONE;
    if (result && insn->nops > 3) {
        bits = operand_bits(insn, 3);
        refs[1 + 2 * n] = lower_source(lo, &insn->ops[3], &bits);
    }
    u = lower_emit(lo, run, refs, 0, 2 + 2 * n);
    set_memory(u, &m, bytes, n);
    u->fn = fn;
    guard_last(lo);
}

static void lower_cp(struct lower *lo)
{
    const struct ptx_insn *insn = lo->insn;
    struct memory_operand to, from;
    uint32_t refs[4] = {REF_NONE, REF_NONE, REF_NONE, REF_NONE};
    struct uop *u;
    uint64_t n;

    if (insn->submode != PTX_mode_none) { /* commit_group, wait_group, wait_all: the copies are done already */
        lower_emit(lo, run_nop, NULL, 0, 0);
        return;
    }
    to = lower_memory(lo, &insn->ops[0], insn->space);
    from = lower_memory(lo, &insn->ops[1], insn->space2);
    if (from.space != ADDRESS_DEVICE || !from.wide)
        lower_fail(lo, "cp.async wants a 64-bit global address as its source");
    n = (uint64_t)insn->ops[2].imm;
    if (insn->ops[2].kind != PTX_OPERAND_IMM || (n != 4 && n != 8 && n != 16))
        lower_fail(lo, "cp.async copies 4, 8 or 16 bytes");
    refs[0] = to.ref;
    refs[1] = from.ref;
    if (insn->nops > 3 && insn->ops[3].kind != PTX_OPERAND_NONE) {
        unsigned bits = 32;
        uint32_t ref = lower_source(lo, &insn->ops[3], &bits);

        refs[bits == 1 ? 3 : 2] = ref;
    }
    u = lower_emit(lo, run_cp_async, refs, 0, 4);
    set_memory(u, &to, (unsigned)n, 1);
    u->imm2 = from.imm;
    guard_last(lo);
}

static uint8_t cvta_space(const struct lower *lo, uint8_t space)
{
    switch (space) {
    case PTX_SPACE_shared:
        return ADDRESS_SHARED;
    case PTX_SPACE_local:
        return ADDRESS_LOCAL;
    case PTX_SPACE_param:
        return lo->f->is_entry ? ADDRESS_PARAM : ADDRESS_LOCAL;
    default:
        return ADDRESS_DEVICE;
    }
}

static void lower_cvta(struct lower *lo)
{
    const struct ptx_insn *insn = lo->insn;
    unsigned db, sb = operand_bits(insn, 1);
    uint32_t refs[2];
    struct uop *u;

    refs[0] = lower_destination(lo, &insn->ops[0], &db);
    refs[1] = lower_source(lo, &insn->ops[1], &sb);
    u = lower_emit(lo, run_cvta, refs, 1, 1);
    u->space = cvta_space(lo, insn->space);
    u->wide = sb == 64;
    u->bytes = (uint8_t)(db / 8);
    u->imm = insn->flags & PTX_FLAG_TO ? -1 : 0;
    guard_last(lo);
}

static void lower_isspacep(struct lower *lo)
{
    const struct ptx_insn *insn = lo->insn;
    unsigned db, sb = 64;
    uint32_t refs[2];

    refs[0] = lower_destination(lo, &insn->ops[0], &db);
    refs[1] = lower_source(lo, &insn->ops[1], &sb);
    if (sb != 64)
        lower_fail(lo, "isspacep wants a 64-bit address");
    lower_emit(lo, run_isspacep, refs, 1, 1)->imm = insn->space;
    guard_last(lo);
}

/* A block is a cluster of its own: mapa gives the address back; the rank is 0; so is a cache policy. */
static void lower_mapa(struct lower *lo)
{
    struct uop *u;
    unsigned db, sb = operand_bits(lo->insn, 1);
    uint32_t refs[2];

    refs[0] = lower_destination(lo, &lo->insn->ops[0], &db);
    refs[1] = lower_source(lo, &lo->insn->ops[1], &sb);
    u = lower_emit(lo, run_cvta, refs, 1, 1);
    u->space = ADDRESS_DEVICE;
    u->wide = sb == 64;
    u->bytes = (uint8_t)(db / 8);
    guard_last(lo);
}

static void lower_zero(struct lower *lo)
{
    unsigned bits;
    uint32_t ref = lower_destination(lo, &lo->insn->ops[0], &bits);

    lower_emit(lo, run_move_const, &ref, 1, 0)->bytes = (uint8_t)(bits / 8);
    guard_last(lo);
}

/* ---- Barriers and order ---- */

static void lower_bar(struct lower *lo)
{
    const struct ptx_insn *insn = lo->insn;
    bool red = insn->mode == PTX_mode_red;
    uint32_t refs[4] = {REF_NONE, REF_NONE, REF_NONE, REF_NONE};
    unsigned bits, nd = 0, numbers = red ? insn->nops - 2u : insn->nops;

    if (insn->mode == PTX_mode_warp) {
        emit_collective(lo, true);
        return;
    }
    branch_around(lo);
    if (insn->scope == PTX_scope_cluster) { /* of one block: barrier.cluster.wait is where its threads meet */
        if (insn->mode != PTX_mode_wait)
            lower_emit(lo, run_fence, NULL, 0, 0);
        else {
            refs[0] = lower_const(lo, 32, 15);
            lower_emit(lo, run_barrier, refs, 0, 3);
        }
        return;
    }
    if (red)
        refs[nd++] = lower_destination(lo, &insn->ops[0], &bits);
    for (unsigned i = 0; i < numbers && i < 2; i++) {
        bits = 32;
        refs[nd + i] = lower_source(lo, &insn->ops[nd + i], &bits);
    }
    if (red) {
        bits = 1;
        refs[3] = lower_source(lo, &insn->ops[insn->nops - 1], &bits);
    }
    lower_emit(lo, run_barrier, refs, nd, 3);
}

static void lower_fence(struct lower *lo)
{
    lower_emit(lo, run_fence, NULL, 0, 0);
}

static void lower_nop(struct lower *lo)
{
    lower_emit(lo, run_nop, NULL, 0, 0);
}

static void lower_nanosleep(struct lower *lo)
{
    branch_around(lo);
    lower_emit(lo, run_yield, NULL, 0, 0);
}

/* alloca, stacksave, stackrestore: 'bytes' of the result, 'wide' a 64-bit source, imm alignment. */
static void lower_stack(struct lower *lo)
{
    const struct ptx_insn *insn = lo->insn;
    bool restores = insn->op == PTX_OP_stackrestore;
    uint64_t align = insn->nops > 2 ? (uint64_t)insn->ops[2].imm : 8;
    unsigned bits = operand_bits(insn, 0), source_bits = operand_bits(insn, insn->nops > 1 ? 1 : 0), n = 0;
    uint32_t refs[2];
    struct uop *u;

    if (!align || align & (align - 1) || align > VG_STACK_ALIGN)
        lower_fail(lo, "alloca: an alignment has to be a power of two, %u at most", VG_STACK_ALIGN);
    branch_around(lo);
    if (!restores)
        refs[n++] = lower_destination(lo, &insn->ops[0], &bits);
    if (insn->op != PTX_OP_stacksave)
        refs[n++] = lower_source(lo, &insn->ops[restores ? 0 : 1], &source_bits);
    u = lower_emit(lo, restores ? run_stackrestore : insn->op == PTX_OP_alloca ? run_alloca : run_stacksave, refs, !restores, n - !restores);
    u->bytes = (uint8_t)(bits / 8);
    u->wide = source_bits == 64;
    u->imm = (int64_t)align;
    lo->k->has_stack = true;
}

/* ---- Control flow ---- */

static void lower_bra(struct lower *lo)
{
    struct uop *u = lower_emit(lo, run_bra, NULL, 0, 0);

    if (lo->insn->guard >= 0) {
        u->run = run_bra_if;
        set_guard(lo, u, true);
    }
    u->target = (const struct uop *)(uintptr_t)lo->insn->ops[0].sym;
}

static void lower_brx(struct lower *lo)
{
    const struct ptx_table *t = &lo->f->tables[lo->insn->ops[1].sym];
    struct branch_table *table;
    unsigned bits = 32;
    uint32_t ref;

    branch_around(lo);
    ref = lower_source(lo, &lo->insn->ops[0], &bits);
    table = lower_keep(lo, sizeof *table + t->n * sizeof *table->targets);
    table->n = t->n;
    for (uint32_t i = 0; i < t->n; i++)
        table->targets[i] = (const struct uop *)(uintptr_t)t->targets[i];
    lower_emit(lo, run_brx, &ref, 0, 1)->table = table;
}

static void lower_end(struct lower *lo)
{
    static const struct { uint16_t op; uop_fn *run; } ends[] = {
        {PTX_OP_ret, run_ret}, {PTX_OP_exit, run_exit}, {PTX_OP_trap, run_trap}, {PTX_OP_brkpt, run_trap},
    };

    branch_around(lo);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends[i].op == lo->insn->op)
            lower_emit(lo, ends[i].run, NULL, 0, 0);
}

static struct call_value call_side(struct lower *lo, const struct ptx_operand *o)
{
    unsigned bits = 64;
    uint64_t address;
    uint32_t ref;

    if (o->kind == PTX_OPERAND_SYM) {
        if (lower_symbol(lo, o->sym, &address) != ADDRESS_FRAME)
            lower_fail(lo, "call passes %s, which is no parameter of the call", lo->k->m->symbols[o->sym].name);
        return (struct call_value){false, (uint32_t)address, (uint32_t)lo->k->m->symbols[o->sym].size};
    }
    ref = lower_source(lo, o, &bits);
    if (bits == 1)
        lower_fail(lo, "call passes a predicate");
    return (struct call_value){true, ref, bits / 8};
}

static void lower_call(struct lower *lo)
{
    const struct ptx_insn *insn = lo->insn;
    uint32_t n_rets = insn->nops > 1 && insn->ops[1].kind == PTX_OPERAND_VEC ? insn->ops[1].n : 0;
    uint32_t n_args = insn->nops > 2 && insn->ops[2].kind == PTX_OPERAND_VEC ? insn->ops[2].n : 0;
    struct call_site *site = lower_keep(lo, sizeof *site + (n_args + n_rets) * sizeof *site->args);

    branch_around(lo);
    site->n_args = n_args;
    site->n_rets = n_rets;
    for (uint32_t i = 0; i < n_args; i++)
        site->args[i] = call_side(lo, &insn->ops[2].elems[i]);
    for (uint32_t i = 0; i < n_rets; i++)
        site->args[n_args + i] = call_side(lo, &insn->ops[1].elems[i]);
    lo->k->has_stack = true;
    if (insn->ops[0].kind == PTX_OPERAND_FUNC) {
        const struct ptx_function *callee = &lo->k->m->functions[insn->ops[0].sym];

        if (!callee->has_body) {
            site->builtin = builtin_find(callee->name);
            if (!site->builtin)
                lower_fail(lo, "call of %s, which is external and nothing defines", callee->name);
        } else {
            site->callee = &lo->k->funcs[insn->ops[0].sym];
            lower_want(lo, insn->ops[0].sym);
        }
        lower_emit(lo, run_call, NULL, 0, 0)->call = site;
    } else {
        unsigned bits = 64;

        site->target = lower_source(lo, &insn->ops[0], &bits);
        if (bits != 64)
            lower_fail(lo, "indirect call wants a 64-bit address");
        lo->any_indirect = true;
        lower_emit(lo, run_call_indirect, NULL, 0, 0)->call = site;
    }
}

static const struct {
    uint16_t op;
    void (*lower)(struct lower *);
} special[] = {
    {PTX_OP_bra, lower_bra}, {PTX_OP_brx, lower_brx}, {PTX_OP_call, lower_call}, {PTX_OP_ret, lower_end},
    {PTX_OP_exit, lower_end}, {PTX_OP_trap, lower_end}, {PTX_OP_brkpt, lower_end}, {PTX_OP_ld, lower_load_store},
    {PTX_OP_ldu, lower_load_store}, {PTX_OP_st, lower_load_store}, {PTX_OP_atom, lower_atom}, {PTX_OP_red, lower_atom},
    {PTX_OP_cp, lower_cp}, {PTX_OP_cvta, lower_cvta}, {PTX_OP_isspacep, lower_isspacep}, {PTX_OP_mapa, lower_mapa},
    {PTX_OP_getctarank, lower_zero}, {PTX_OP_createpolicy, lower_zero}, {PTX_OP_bar, lower_bar}, {PTX_OP_barrier, lower_bar},
    {PTX_OP_membar, lower_fence}, {PTX_OP_fence, lower_fence}, {PTX_OP_nanosleep, lower_nanosleep},
    {PTX_OP_alloca, lower_stack}, {PTX_OP_stacksave, lower_stack}, {PTX_OP_stackrestore, lower_stack},
    {PTX_OP_prefetch, lower_nop}, {PTX_OP_prefetchu, lower_nop}, {PTX_OP_applypriority, lower_nop},
    {PTX_OP_discard, lower_nop}, {PTX_OP_pmevent, lower_nop}, {PTX_OP_setmaxnreg, lower_nop},
    {PTX_OP_griddepcontrol, lower_nop}, /* launches of a stream follow each other */
    {PTX_OP_shfl, lower_masked}, {PTX_OP_vote, lower_masked}, {PTX_OP_match, lower_masked}, {PTX_OP_redux, lower_masked},
    {PTX_OP_elect, lower_masked}, {PTX_OP_mma, lower_matrix}, {PTX_OP_wmma, lower_matrix}, {PTX_OP_ldmatrix, lower_matrix},
    {PTX_OP_stmatrix, lower_matrix}, {PTX_OP_movmatrix, lower_matrix},
};

void lower_insn(struct lower *lo)
{
    lo->temp_used = 0;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (special[i].op == lo->insn->op) {
            special[i].lower(lo);
            return;
        }
    lower_lane(lo);
}
