/* SPDX-License-Identifier: Apache-2.0 */
/* Loads that go together. What a thread reads of a structure, a compiler of CUDA C makes several small loads of, from one pointer and
 * something known: blocks of quantised numbers, of 34 bytes, in words of 16 bits. Here the first of them loads it all: one test, then
 * whole windows of memory out of which each load's lanes are picked; and two halves that become a word are picked as one.
 *
 * Between the first and the last there is nothing that writes to memory or waits for it, and all lanes run. The others' results are
 * kept until their turn. Where one of them and an access that stands between them both lead nowhere, the fault may be either's. */
#include "jit/emit_memory.h"

#include <string.h>

#include "jit/meet.h"

#define AHEAD 512             /* instructions in which others are looked for */
#define SPAN 4096             /* of all: what lies between two places is on the page of one of them */

struct member {
    uint32_t index;
    struct access a;
    int64_t at[VG_WARP];      /* from the lowest of all */
    V values[8];
};

/* 32 bits of each lane: an element, or two halves in a row. */
struct view {
    int64_t at[VG_WARP];
    struct window_set *from;
    V value;
    struct {
        struct member *m;
        unsigned element;
    } part[2];
    unsigned n;
};

/* Views that are picked out of the same memory: of each four lanes, between these. */
#define QUADS (VG_WARP / 4)
struct window_set {
    int64_t least[QUADS], most[QUADS];
    V words[VG_WARP / 4];     /* by vector register's worth of lanes: all their windows, in a row. NULL: there are none */
    int64_t place[VG_WARP];   /* of the lane's window */
    unsigned first[VG_WARP];  /* its first word in 'words' */
    bool good;
};

struct loads {
    struct member members[EMIT_EARLY];
    struct view views[EMIT_EARLY];
    struct window_set sets[EMIT_EARLY];
    unsigned n, n_views, n_sets, room;
    int64_t least, most;      /* from the first one's lane 0 */
    uint64_t align, rest;     /* what the lowest address is to be, modulo align */
    uint32_t site;
    V address;                /* i64, of the lowest */
    bool near;                /* none of them, nor of what is loaded in between, needs a test (reach.h) */
    V low;                    /* pointer */
};

/* ---- Who is in it ---- */

/* Nothing behind it may be loaded before: memory is another one then, or lanes are others. */
static bool ends_group(const struct ptx_insn *i)
{
    switch (i->op) {
    case PTX_OP_st: case PTX_OP_atom: case PTX_OP_red: case PTX_OP_cp: case PTX_OP_multimem: case PTX_OP_discard:
    case PTX_OP_membar: case PTX_OP_fence: case PTX_OP_mbarrier: case PTX_OP_griddepcontrol: case PTX_OP_nanosleep:
    case PTX_OP_wgmma: case PTX_OP_tcgen05:
    case PTX_OP_call: case PTX_OP_ret: case PTX_OP_exit: case PTX_OP_bra: case PTX_OP_brx: case PTX_OP_trap: case PTX_OP_brkpt:
        return true;
    case PTX_OP_ld: case PTX_OP_ldu:
        return i->sem != PTX_sem_none && i->sem != PTX_sem_weak;
    default:
        return jit_is_meeting(i);
    }
}

/* Not by generic addresses: these may be of shared memory, where the test would not hold. */
static bool is_loaded(const struct ptx_insn *i)
{
    return i->op == PTX_OP_ld && i->guard < 0 && i->space == PTX_SPACE_global &&
           i->ops[1].kind == PTX_OPERAND_MEM && i->ops[1].reg >= 0 && i->ops[1].sym < 0 &&
           (i->sem == PTX_sem_none || i->sem == PTX_sem_weak);
}

/* The access of instruction i, as the emitter of loads finds it when it comes to it. */
static bool find_access(struct emit *e, uint32_t i, struct access *a)
{
    const struct ptx_insn *insn = e->insn;
    bool good;

    *a = (struct access){0};
    e->insn = &e->f->insns[i];
    good = emit_reg_bits(e, e->insn->ops[1].reg) == 64 && access_find_data(e, a) && !access_is_dead(e, a);
    e->insn = insn;
    return good;
}

/* Each lane behind the one before: there is nothing to pick. */
static bool is_row(const struct member *m)
{
    for (unsigned l = 1; l < VG_WARP; l++)
        if (m->at[l] != m->at[0] + (int64_t)(l * m->a.total))
            return false;
    return true;
}

static void add_member(struct emit *e, struct loads *g, const struct access_root *first, uint32_t i)
{
    struct member *m = &g->members[g->n];
    int64_t least = g->least, most = g->most;
    struct access_root r;

    if (g->n == g->room || !is_loaded(&e->f->insns[i]) || !find_access(e, i, &m->a) || !access_find_root(e, i, &r) ||
        r.reg != first->reg || r.def != first->def)
        return;
    m->index = i;
    for (unsigned l = 0; l < VG_WARP; l++) {
        m->at[l] = (int64_t)((uint64_t)r.plus[l] - (uint64_t)first->plus[0]);
        if (m->at[l] < -SPAN || m->at[l] > SPAN)
            return;
        least = m->at[l] < least ? m->at[l] : least;
        most = m->at[l] + (int64_t)m->a.total > most ? m->at[l] + (int64_t)m->a.total : most;
    }
    if (most - least > SPAN || is_row(m))
        return;
    g->least = least;
    g->most = most;
    g->n++;
}

static void find_members(struct emit *e, struct loads *g, const struct access_root *first)
{
    uint32_t end = e->flow->blocks[e->block].end;

    g->near = true;
    for (uint32_t i = e->index; i < end && i - e->index < AHEAD && !ends_group(&e->f->insns[i]); i++) {
        add_member(e, g, first, i);
        g->near &= e->f->insns[i].op != PTX_OP_ld || jit_is_near(e->reach, i);
    }
}

/* Places are counted from the lowest from now on. False: some lane's is surely not aligned. */
static bool find_alignment(struct loads *g, const struct access *a)
{
    uint64_t known = a->aligned;

    g->align = 1;
    for (unsigned k = 0; k < g->n; k++) {
        struct member *m = &g->members[k];

        for (unsigned l = 0; l < VG_WARP; l++)
            m->at[l] -= g->least;
        if (m->a.total > g->align) {
            g->align = m->a.total;
            g->rest = -(uint64_t)m->at[0] & (g->align - 1);
        }
    }
    for (unsigned k = 0; k < g->n; k++)
        for (unsigned l = 0; l < VG_WARP; l++)
            if (((uint64_t)g->members[k].at[l] + g->rest) & (g->members[k].a.total - 1))
                return false;
    if (known < g->align)
        return true;
    g->align = 1; /* no need to test */
    return !((g->rest + (uint64_t)g->members[0].at[0]) & (known - 1) & (g->members[0].a.total - 1));
}

/* ---- Views ---- */

static bool is_packed(const struct emit *e, int32_t low, int32_t high, uint32_t from)
{
    for (uint32_t i = from; i < e->flow->blocks[e->block].end; i++) {
        const struct ptx_insn *insn = &e->f->insns[i];
        const struct ptx_operand *o = &insn->ops[1];

        if (insn->op == PTX_OP_mov && o->kind == PTX_OPERAND_VEC && o->n == 2 && ptx_type_bits[insn->types[0]] == 32 &&
            o->elems[0].kind == PTX_OPERAND_REG && o->elems[1].kind == PTX_OPERAND_REG && o->elems[0].reg == low && o->elems[1].reg == high)
            return true;
    }
    return false;
}

static bool follows(const struct member *a, const struct member *b)
{
    for (unsigned l = 0; l < VG_WARP; l++)
        if (b->at[l] != a->at[l] + (int64_t)a->a.bytes)
            return false;
    return true;
}

static struct view *new_view(struct loads *g, struct member *m, unsigned element)
{
    struct view *v = &g->views[g->n_views++];

    for (unsigned l = 0; l < VG_WARP; l++)
        v->at[l] = m->at[l] + element * m->a.bytes;
    v->part[0].m = m;
    v->part[0].element = element;
    v->n = 1;
    return v;
}

static bool is_half(const struct member *m)
{
    return m->a.n == 1 && m->a.bytes == 2 && m->a.bits == 16;
}

static void find_views(struct emit *e, struct loads *g)
{
    bool taken[EMIT_EARLY] = {false};

    for (unsigned k = 0; k < g->n; k++)
        for (unsigned j = 0; j < g->n && !taken[k]; j++) {
            struct member *low = &g->members[k], *high = &g->members[j];
            struct view *v;

            if (j == k || taken[j] || !is_half(low) || !is_half(high) || !follows(low, high) ||
                !is_packed(e, low->a.data->reg, high->a.data->reg, low->index < high->index ? high->index : low->index))
                continue;
            v = new_view(g, low, 0);
            v->part[1].m = high;
            v->n = 2;
            taken[k] = taken[j] = true;
        }
    for (unsigned k = 0; k < g->n; k++)
        for (unsigned c = 0; c < g->members[k].a.n && g->members[k].a.bytes == 4 && g->n_views < EMIT_EARLY; c++)
            new_view(g, &g->members[k], c);
}

/* ---- Windows ---- */

static int64_t span_of(const struct view *v, unsigned q, int64_t *least)
{
    int64_t most = v->at[4 * q];

    *least = v->at[4 * q];
    for (unsigned l = 4 * q; l < 4 * q + 4; l++) {
        *least = v->at[l] < *least ? v->at[l] : *least;
        most = v->at[l] > most ? v->at[l] : most;
    }
    return most + 4 - *least;
}

/* Lanes of four are whole words apart. */
static bool in_words(const struct view *v)
{
    for (unsigned l = 0; l < VG_WARP; l++)
        if ((v->at[l] - v->at[l - l % 4]) % 4)
            return false;
    return true;
}

static int64_t widest(const struct view *v)
{
    int64_t least, most = 0;

    for (unsigned q = 0; q < QUADS; q++) {
        int64_t n = span_of(v, q, &least);

        most = n > most ? n : most;
    }
    return most;
}

#define WINDOW 32 /* bytes, of four lanes */

static bool joins(struct window_set *s, const struct view *v)
{
    int64_t least[QUADS], most[QUADS];

    for (unsigned q = 0; q < QUADS; q++) {
        most[q] = span_of(v, q, &least[q]) + least[q];
        least[q] = s->least[q] < least[q] ? s->least[q] : least[q];
        most[q] = s->most[q] > most[q] ? s->most[q] : most[q];
        if (most[q] - least[q] > WINDOW || (v->at[4 * q] - s->least[q]) % 4)
            return false;
    }
    memcpy(s->least, least, sizeof least);
    memcpy(s->most, most, sizeof most);
    return true;
}

/* Widest first, so that those that fill a window together do. */
static void find_sets(struct loads *g)
{
    struct view *order[EMIT_EARLY];

    for (unsigned k = 0; k < g->n_views; k++) {
        unsigned j = k;

        for (; j && widest(order[j - 1]) < widest(&g->views[k]); j--)
            order[j] = order[j - 1];
        order[j] = &g->views[k];
    }
    for (unsigned k = 0; k < g->n_views; k++) {
        struct view *v = order[k];

        if (!in_words(v))
            continue;
        for (unsigned s = 0; s < g->n_sets && !v->from; s++)
            if (joins(&g->sets[s], v))
                v->from = &g->sets[s];
        if (v->from)
            continue;
        v->from = &g->sets[g->n_sets++];
        for (unsigned q = 0; q < QUADS; q++)
            v->from->most[q] = span_of(v, q, &v->from->least[q]) + v->from->least[q];
    }
}

static V load_words(struct emit *e, const struct loads *g, int64_t at, unsigned words)
{
    V v = LLVMBuildLoad2(e->b, LLVMVectorType(e->i32, words), emit_at(e, g->low, (uint64_t)at), "");

    LLVMSetAlignment(v, 1);
    return v;
}

/* So many windows of so many words for the lanes of a vector register, if that does: they hold all, and no more than there is. */
static bool open_windows(struct emit *e, struct loads *g, struct window_set *s, unsigned chunk, unsigned windows, unsigned words)
{
    unsigned lanes = emit_native(e), first = chunk * lanes, each = lanes / windows;
    int64_t bytes = 4 * (int64_t)words, place[VG_WARP / 4];
    V parts[VG_WARP / 4];

    for (unsigned w = 0; w < windows; w++) {
        int64_t least = INT64_MAX, most = 0, over;

        for (unsigned q = (first + w * each) / 4; q < (first + (w + 1) * each + 3) / 4; q++) {
            least = s->least[q] < least ? s->least[q] : least;
            most = s->most[q] > most ? s->most[q] : most;
        }
        over = least + bytes - (g->most - g->least);
        place[w] = over > 0 ? least - (over + 3) / 4 * 4 : least;
        if (place[w] < 0 || most - place[w] > bytes)
            return false;
        for (unsigned q = (first + w * each) / 4; q < (first + (w + 1) * each + 3) / 4; q++)
            if ((s->least[q] - place[w]) % 4)
                return false;
    }
    for (unsigned w = 0; w < windows; w++) {
        parts[w] = load_words(e, g, place[w], words);
        for (unsigned l = first + w * each; l < first + (w + 1) * each; l++) {
            s->place[l] = place[w];
            s->first[l] = w * words;
        }
    }
    s->words[chunk] = emit_join(e, parts, windows);
    return true;
}

/* From what costs least. A vector register has 4, 8 or 16 words. */
static bool open_set(struct emit *e, struct loads *g, struct window_set *s)
{
    unsigned n = emit_native(e), quads = n / 4;

    for (unsigned c = 0; c < VG_WARP / n; c++)
        if (!open_windows(e, g, s, c, 1, n) && !open_windows(e, g, s, c, 1, 2 * n) && !(quads > 1 && open_windows(e, g, s, c, quads, 4)) &&
            !(quads > 2 && open_windows(e, g, s, c, 2, n)) && !(quads > 1 && open_windows(e, g, s, c, quads, 8)))
            return false;
    return true;
}

static void pick_view(struct emit *e, struct view *v)
{
    unsigned n = emit_native(e), pick[VG_WARP];
    const struct window_set *s = v->from;
    V parts[VG_WARP / 4];

    for (unsigned c = 0; c < VG_WARP / n; c++) {
        for (unsigned l = 0; l < n; l++)
            pick[l] = s->first[c * n + l] + (unsigned)(v->at[c * n + l] - s->place[c * n + l]) / 4;
        parts[c] = emit_shuffle(e, s->words[c], NULL, pick, n);
    }
    v->value = emit_join(e, parts, VG_WARP / n);
}

static void load_views(struct emit *e, struct loads *g)
{
    for (unsigned s = 0; s < g->n_sets; s++)
        g->sets[s].good = open_set(e, g, &g->sets[s]);
    for (unsigned k = 0; k < g->n_views; k++) {
        struct view *v = &g->views[k];

        if (!v->from || !v->from->good)
            continue;
        pick_view(e, v);
        for (unsigned p = 0; p < v->n; p++)
            v->part[p].m->values[v->part[p].element] =
                v->n == 1 ? v->value
                          : LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, v->value, emit_splat(e, emit_i32(e, 16 * p)), ""), emit_vector(e->i16), "");
    }
}

/* ---- Putting it together ---- */

/* What the views have not given. Noted again: or LLVM takes lanes apart that an overlapping vector already holds, one by one. */
static void load_rest(struct emit *e, const struct loads *g, struct member *m)
{
    bool all = true;
    V values[8];

    for (unsigned c = 0; c < m->a.n; c++)
        all &= m->values[c] != NULL;
    if (all)
        return;
    emit_note_site(e, g->site, g->address);
    access_load_places(e, &m->a, g->low, m->at, values);
    for (unsigned c = 0; c < m->a.n; c++)
        m->values[c] = m->values[c] ? m->values[c] : values[c];
}

/* A fault is that of the first load, in the order of the kernel, whose memory is not there. */
static void note(struct emit *e, struct loads *g)
{
    uint32_t index = e->index, table[VG_WARP];

    for (unsigned k = 0; k < g->n; k++) {
        for (unsigned l = 0; l < VG_WARP; l++)
            table[l] = (uint32_t)g->members[k].at[l];
        e->index = g->members[k].index;
        if (k)
            emit_site_more(e, g->site, g->members[k].a.total, table);
        else
            g->site = emit_site(e, ~0u, g->members[k].a.total, JIT_STEP_TABLE(VG_WARP), table);
    }
    e->index = index;
    emit_note_site(e, g->site, g->address);
}

#define LINE 64
#define RUN (16 * LINE)

static bool is_touched(const struct loads *g, int64_t line)
{
    for (unsigned k = 0; k < g->n; k++)
        for (unsigned l = 0; l < VG_WARP; l++)
            if (g->members[k].at[l] < line + LINE && g->members[k].at[l] + (int64_t)g->members[k].a.total > line)
                return true;
    return false;
}

/* Runs of lines that are loaded from, in what the next block will load. */
static void ask_ahead(struct emit *e, const struct access *a, const struct loads *g)
{
    int64_t end = g->most - g->least;

    for (int64_t from = 0, to; from < end; from = to > from ? to : from + LINE) {
        for (to = from; to < end && to - from < RUN && is_touched(g, to);)
            to += LINE;
        if (to > from)
            emit_ahead(e, e->insn->ops[1].reg, 0, (int64_t)a->plus + g->least + from, emit_at(e, g->low, (uint64_t)from),
                       (uint64_t)((to < end ? to : end) - from));
    }
}

/* Where the first one's lane 0 lies at a->offset. */
static void load_group(struct emit *e, const struct access *a, struct loads *g)
{
    V low = LLVMBuildAdd(e->b, a->offset, emit_i64(e, (uint64_t)g->least), ""), good, rest;
    struct access all = *a;

    all.near &= g->near;
    good = access_fits(e, &all, low, (uint64_t)(g->most - g->least));
    if (g->align > 1) { /* the window begins at a multiple of it */
        rest = LLVMBuildAnd(e->b, low, emit_i64(e, g->align - 1), "");
        good = LLVMBuildAnd(e->b, good, LLVMBuildICmp(e->b, LLVMIntEQ, rest, emit_i64(e, g->rest), ""), "");
    }
    g->address = LLVMBuildAdd(e->b, a->base, low, "");
    if (!LLVMIsConstant(good))
        emit_leave_unless(e, good);
    note(e, g);
    g->low = access_pointer(e, g->address);
    load_views(e, g);
    for (unsigned k = 0; k < g->n; k++)
        load_rest(e, g, &g->members[k]);
    ask_ahead(e, a, g);
}

static void put_results(struct emit *e, const struct access *a, V *values)
{
    for (unsigned k = 0; k < a->n; k++)
        emit_result(e, &a->data[k], access_to_register(e, a, values[k], true));
}

static bool begin(struct emit *e, const struct access *a, const struct access_root *first)
{
    struct emit_early *early = &e->early;
    struct loads g = {.room = EMIT_EARLY - early->n};

    find_members(e, &g, first);
    if (g.n < 2 || g.members[0].index != e->index || !find_alignment(&g, a))
        return false;
    find_views(e, &g);
    find_sets(&g);
    if (!g.n_sets) /* each load alone does as well */
        return false;
    load_group(e, a, &g);
    for (unsigned k = 1; k < g.n; k++) {
        early->list[early->n].index = g.members[k].index;
        memcpy(early->list[early->n++].values, g.members[k].values, sizeof g.members[k].values);
    }
    put_results(e, a, g.members[0].values);
    return true;
}

bool access_group(struct emit *e, struct access *a)
{
    struct emit_early *early = &e->early;
    struct access_root first;

    if (early->block != e->block || early->copy != e->u)
        *early = (struct emit_early){.block = e->block, .copy = e->u};
    for (unsigned k = 0; k < early->n; k++)
        if (early->list[k].index == e->index) {
            put_results(e, a, early->list[k].values);
            early->list[k] = early->list[--early->n];
            return true;
        }
    if (!emit_is_full(e->mask) || a->shared || !is_loaded(e->insn) || !access_find_root(e, e->index, &first))
        return false;
    return begin(e, a, &first);
}
