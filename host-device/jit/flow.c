/* SPDX-License-Identifier: Apache-2.0 */
#include "jit/flow.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interp/slots.h"
#include "jit/meet.h"

/* ---- What an instruction names ---- */

static void add_reg(int32_t *list, unsigned *n, int32_t reg)
{
    if (*n < JIT_MAX_REGS)
        list[(*n)++] = reg;
}

static void add_operand(struct jit_regs *r, const struct ptx_operand *o, bool write)
{
    if (o->kind == PTX_OPERAND_REG) {
        if (write)
            add_reg(r->written, &r->n_written, o->reg);
        else
            add_reg(r->read, &r->n_read, o->reg);
    } else if (o->kind == PTX_OPERAND_MEM && o->reg >= 0) {
        add_reg(r->read, &r->n_read, o->reg);
    } else if (o->kind == PTX_OPERAND_VEC) {
        for (unsigned k = 0; k < o->n; k++)
            add_operand(r, &o->elems[k], write);
    }
}

void jit_regs_of(const struct ptx_insn *insn, struct jit_regs *r)
{
    bool first_is_result = slots_has_destination(insn), call = insn->op == PTX_OP_call;

    r->n_read = r->n_written = 0;
    if (insn->guard >= 0)
        add_reg(r->read, &r->n_read, insn->guard);
    for (unsigned k = first_is_result; k < insn->nops; k++)
        if (!(call && k == 1))
            add_operand(r, &insn->ops[k], false);
    if (first_is_result)
        add_operand(r, &insn->ops[0], true);
    if (call && insn->nops > 1)
        add_operand(r, &insn->ops[1], true);
    add_operand(r, &insn->dst2, true);
}

/* ---- Building ---- */

struct build {
    struct jit_flow *w;
    char *why;
    size_t why_size;
    uint32_t *block_of;      /* by instruction */
    struct jit_block *text;  /* blocks in text order, successors too */
    uint32_t n;
    uint32_t *rpo, *at;      /* reverse postorder of the reachable blocks, and each one's place in it (JIT_NONE: unreachable) */
    uint32_t n_rpo;
    uint32_t *idom;
    uint32_t *loop_of;       /* innermost loop by text block */
};

static bool refuse(struct build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct build *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(b->why, b->why_size, fmt, ap);
    va_end(ap);
    return false;
}

static bool ends_lanes(const struct ptx_insn *i)
{
    return i->op == PTX_OP_ret || i->op == PTX_OP_exit;
}

static bool split(struct build *b)
{
    const struct ptx_function *f = b->w->f;
    uint8_t *leader = calloc(f->ninsns + 2, 1);
    uint32_t k = 0;

    b->block_of = malloc((f->ninsns + 1) * sizeof *b->block_of);
    if (!leader || !b->block_of) {
        free(leader);
        return refuse(b, "out of memory");
    }
    leader[0] = 1;
    for (uint32_t i = 0; i < f->ninsns; i++) {
        const struct ptx_insn *insn = &f->insns[i];

        if (insn->op == PTX_OP_bra)
            leader[insn->ops[0].sym] = 1;
        if (insn->op == PTX_OP_bra || ends_lanes(insn))
            leader[i + 1] = 1;
        if (insn->op == PTX_OP_brx && insn->guard < 0) { /* a guarded one goes nowhere: see ptx/flat.h */
            free(leader);
            return refuse(b, "line %u: brx.idx", insn->line);
        }
    }
    for (uint32_t i = 0; i < f->ninsns; i++)
        b->n += leader[i];
    b->text = calloc(b->n + 1, sizeof *b->text);
    if (!b->text) {
        free(leader);
        return refuse(b, "out of memory");
    }
    for (uint32_t i = 0; i < f->ninsns; i++) {
        if (leader[i])
            b->text[k++].first = i;
        b->text[k - 1].end = i + 1;
        b->block_of[i] = k - 1;
    }
    free(leader);
    return true;
}

/* A block that does nothing but end its lanes: a branch there ends them at once, so that those that go on are all there are. */
static bool only_exits(const struct build *b, uint32_t k)
{
    const struct ptx_insn *insn = &b->w->f->insns[b->text[k].first];

    return ends_lanes(insn) && insn->guard < 0;
}

static uint32_t block_at(const struct build *b, uint32_t insn)
{
    if (insn >= b->w->f->ninsns || only_exits(b, b->block_of[insn]))
        return JIT_EXIT;
    return b->block_of[insn];
}

static void connect(struct build *b)
{
    for (uint32_t k = 0; k < b->n; k++) {
        struct jit_block *x = &b->text[k];
        const struct ptx_insn *last = &b->w->f->insns[x->end - 1];
        uint32_t next = block_at(b, x->end), to = next;

        if (last->op == PTX_OP_bra)
            to = block_at(b, (uint32_t)last->ops[0].sym);
        else if (ends_lanes(last))
            to = JIT_EXIT;
        x->succ[0] = to;
        x->n_succ = 1;
        if ((last->op == PTX_OP_bra || ends_lanes(last)) && last->guard >= 0 && to != next) {
            x->branch = last;
            x->succ[x->n_succ++] = next;
        }
    }
}

/* ---- Ends that are soon everybody's ---- */

#define SOON 256u /* instructions */

struct tail {
    struct build *b;
    uint32_t end;             /* the block that ends lanes */
    uint32_t *seen, pass;     /* by block: 2 * pass on the way to what follows it, one more when all that has been seen */
    uint32_t blocks[SOON], n, instructions;
};

/* Where way s out of block k leads, lanes' ends included. */
static uint32_t leads_to(const struct build *b, uint32_t k, uint32_t s)
{
    const struct ptx_insn *last = &b->w->f->insns[b->text[k].end - 1];
    uint32_t insn = last->op == PTX_OP_bra && !s ? (uint32_t)last->ops[0].sym : b->text[k].end;

    return (ends_lanes(last) && !s) || insn >= b->w->f->ninsns ? JIT_EXIT : b->block_of[insn];
}

/* All that follows is short, has no rounds, nothing at which lanes meet, and no other end. */
static bool ends_soon(struct tail *t, uint32_t k)
{
    const struct jit_block *x = &t->b->text[k];

    if (t->seen[k] >= 2 * t->pass)
        return t->seen[k] > 2 * t->pass;
    t->seen[k] = 2 * t->pass;
    t->instructions += x->end - x->first;
    if (t->instructions > SOON)
        return false;
    t->blocks[t->n++] = k;
    for (uint32_t i = x->first; i < x->end; i++)
        if (jit_is_meeting(&t->b->w->f->insns[i]) || t->b->w->f->insns[i].op == PTX_OP_call)
            return false;
    for (uint32_t s = 0; s < x->n_succ; s++)
        if (x->succ[s] == JIT_EXIT ? leads_to(t->b, k, s) != t->end : !ends_soon(t, x->succ[s]))
            return false;
    t->seen[k]++;
    return true;
}

static void end_in(struct build *b, uint32_t k, uint32_t end)
{
    for (uint32_t s = 0; s < b->text[k].n_succ; s++)
        if (b->text[k].succ[s] == JIT_EXIT)
            b->text[k].succ[s] = end;
}

/* Lanes that end where the others have a few instructions more to go wait for those, and all end together: one end is cheaper than
 * two. */
static bool end_together(struct build *b)
{
    struct tail t = {.b = b, .seen = calloc(b->n, sizeof *t.seen)};

    if (!t.seen)
        return refuse(b, "out of memory");
    for (uint32_t k = 0; k < b->n; k++) {
        const struct jit_block *x = &b->text[k];
        uint32_t s = x->n_succ == 2 && x->succ[1] == JIT_EXIT;

        if (x->n_succ != 2 || b->w->f->insns[x->end - 1].op != PTX_OP_bra || x->succ[s] != JIT_EXIT || x->succ[!s] == JIT_EXIT ||
            (t.end = leads_to(b, k, s)) == JIT_EXIT)
            continue;
        t.pass++;
        t.n = t.instructions = 0;
        if (!ends_soon(&t, x->succ[!s]) || t.seen[k] >= 2 * t.pass)
            continue;
        end_in(b, k, t.end);
        for (uint32_t i = 0; i < t.n; i++)
            end_in(b, t.blocks[i], t.end);
    }
    free(t.seen);
    return true;
}

static bool order_postfix(struct build *b)
{
    struct { uint32_t block, next; } *stack = malloc((b->n + 1) * sizeof *stack);
    uint32_t depth = 0, left = b->n;

    b->rpo = malloc((b->n + 1) * sizeof *b->rpo);
    b->at = malloc((b->n + 1) * sizeof *b->at);
    if (!stack || !b->rpo || !b->at) {
        free(stack);
        return refuse(b, "out of memory");
    }
    memset(b->at, 0xff, b->n * sizeof *b->at);
    stack[depth++].block = 0;
    stack[0].next = 0;
    b->at[0] = 0;
    while (depth) {
        uint32_t k = stack[depth - 1].block;

        if (stack[depth - 1].next < b->text[k].n_succ) {
            uint32_t s = b->text[k].succ[stack[depth - 1].next++];

            if (s != JIT_EXIT && b->at[s] == JIT_NONE) {
                b->at[s] = 0;
                stack[depth].block = s;
                stack[depth++].next = 0;
            }
        } else {
            b->rpo[--left] = k;
            depth--;
        }
    }
    free(stack);
    b->n_rpo = b->n - left;
    memmove(b->rpo, b->rpo + left, b->n_rpo * sizeof *b->rpo);
    for (uint32_t i = 0; i < b->n_rpo; i++)
        b->at[b->rpo[i]] = i;
    return true;
}

/* Dominators, by Cooper, Harvey and Kennedy; numbers are places in the reverse postorder. */
static uint32_t meet(const uint32_t *idom, uint32_t x, uint32_t y)
{
    while (x != y) {
        while (x > y)
            x = idom[x];
        while (y > x)
            y = idom[y];
    }
    return x;
}

static bool find_dominators(struct build *b)
{
    b->idom = malloc(b->n_rpo * sizeof *b->idom);
    if (!b->idom)
        return refuse(b, "out of memory");
    memset(b->idom, 0xff, b->n_rpo * sizeof *b->idom);
    b->idom[0] = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < b->n_rpo; i++)
            for (uint32_t k = 0; k < b->text[b->rpo[i]].n_succ; k++) {
                uint32_t s = b->text[b->rpo[i]].succ[k], j, d;

                if (s == JIT_EXIT || !(j = b->at[s]) || b->idom[i] == JIT_NONE)
                    continue;
                d = b->idom[j] == JIT_NONE ? i : meet(b->idom, b->idom[j], i);
                changed |= d != b->idom[j];
                b->idom[j] = d;
            }
    }
    return true;
}

static bool dominates(const struct build *b, uint32_t x, uint32_t y)
{
    while (y > x)
        y = b->idom[y];
    return x == y;
}

/* ---- Loops: found in reverse postorder of their headers, so outer ones first ---- */

static bool is_header(const struct build *b, uint32_t h, bool *irreducible)
{
    bool header = false;

    for (uint32_t i = h; i < b->n_rpo; i++)
        for (uint32_t k = 0; k < b->text[b->rpo[i]].n_succ; k++)
            if (b->text[b->rpo[i]].succ[k] == b->rpo[h]) {
                header = true;
                *irreducible |= !dominates(b, h, i);
            }
    return header;
}

/* Everything that reaches a back edge to h without passing h. */
static bool fill_loop(struct build *b, uint32_t h, uint32_t loop)
{
    uint8_t *in = calloc(b->n_rpo, 1);

    if (!in)
        return refuse(b, "out of memory");
    in[h] = 1;
    for (uint32_t i = h + 1; i < b->n_rpo; i++)
        for (uint32_t k = 0; k < b->text[b->rpo[i]].n_succ; k++)
            in[i] |= b->text[b->rpo[i]].succ[k] == b->rpo[h];
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = b->n_rpo; i-- > h + 1;)
            for (uint32_t k = 0; k < b->text[b->rpo[i]].n_succ && !in[i]; k++) {
                uint32_t s = b->text[b->rpo[i]].succ[k];

                if (s != JIT_EXIT && b->at[s] > h && in[b->at[s]] && dominates(b, h, i))
                    in[i] = changed = true;
            }
    }
    for (uint32_t i = h; i < b->n_rpo; i++)
        if (in[i])
            b->loop_of[b->rpo[i]] = loop;
    free(in);
    return true;
}

static bool find_loops(struct build *b)
{
    struct jit_flow *w = b->w;

    w->loops = calloc(b->n_rpo + 1, sizeof *w->loops);
    b->loop_of = malloc((b->n + 1) * sizeof *b->loop_of);
    if (!w->loops || !b->loop_of)
        return refuse(b, "out of memory");
    memset(b->loop_of, 0xff, b->n * sizeof *b->loop_of);
    for (uint32_t h = 0; h < b->n_rpo; h++) {
        bool irreducible = false;
        uint32_t parent = b->loop_of[b->rpo[h]];

        if (!is_header(b, h, &irreducible))
            continue;
        if (irreducible)
            return refuse(b, "line %u: irreducible control flow", w->f->insns[b->text[b->rpo[h]].first].line);
        w->loops[w->n_loops] = (struct jit_loop){b->rpo[h], parent, jit_depth(w, parent) + 1};
        if (!fill_loop(b, h, w->n_loops++))
            return false;
    }
    return true;
}

/* ---- The order: a block follows all that lead to it, but for back edges; a loop is not left before it is complete ---- */

static bool in_loop(const struct build *b, uint32_t k, uint32_t loop)
{
    uint32_t l = b->loop_of[k];

    while (l != JIT_NONE && l != loop)
        l = b->w->loops[l].parent;
    return l == loop;
}

static bool back_edge(const struct build *b, uint32_t from, uint32_t to)
{
    return b->at[to] <= b->at[from];
}

static bool arrange(struct build *b)
{
    struct jit_flow *w = b->w;
    uint32_t *waits = calloc(b->n + 1, sizeof *waits), *place = malloc((b->n + 1) * sizeof *place), loop = JIT_NONE;
    uint32_t *ready = malloc((b->n + 1) * sizeof *ready), n_ready = 0, *left = calloc(w->n_loops + 1, sizeof *left);
    bool good = waits && place && ready && left && (w->blocks = calloc(b->n_rpo + 1, sizeof *w->blocks));

    for (uint32_t i = 0; good && i < b->n_rpo; i++) {
        for (uint32_t k = 0; k < b->text[b->rpo[i]].n_succ; k++) {
            uint32_t s = b->text[b->rpo[i]].succ[k];

            if (s != JIT_EXIT && !back_edge(b, b->rpo[i], s))
                waits[s]++;
        }
        for (uint32_t l = b->loop_of[b->rpo[i]]; l != JIT_NONE; l = w->loops[l].parent)
            left[l]++;
    }
    if (good)
        ready[n_ready++] = 0;
    while (good && n_ready) {
        uint32_t best = JIT_NONE, k;

        while (loop != JIT_NONE && !left[loop])
            loop = w->loops[loop].parent;
        for (uint32_t i = 0; i < n_ready; i++)
            if ((loop == JIT_NONE || in_loop(b, ready[i], loop)) && (best == JIT_NONE || ready[i] < ready[best]))
                best = i;
        if (best == JIT_NONE) {
            good = refuse(b, "a loop that cannot be put in order");
            break;
        }
        k = ready[best];
        ready[best] = ready[--n_ready];
        place[k] = w->n;
        w->blocks[w->n++] = b->text[k];
        loop = b->loop_of[k];
        for (uint32_t l = loop; l != JIT_NONE; l = w->loops[l].parent)
            left[l]--;
        for (uint32_t i = 0; i < b->text[k].n_succ; i++) {
            uint32_t s = b->text[k].succ[i];

            if (s != JIT_EXIT && !back_edge(b, k, s) && !--waits[s])
                ready[n_ready++] = s;
        }
        w->blocks[w->n - 1].loop = b->loop_of[k];
    }
    for (uint32_t i = 0; good && i < w->n; i++)
        for (uint32_t k = 0; k < w->blocks[i].n_succ; k++)
            if (w->blocks[i].succ[k] != JIT_EXIT)
                w->blocks[i].succ[k] = place[w->blocks[i].succ[k]];
    for (uint32_t i = 0; good && i < b->n_rpo; i++)
        w->blocks[place[b->rpo[i]]].idom = place[b->rpo[b->idom[i]]];
    for (uint32_t l = 0; good && l < w->n_loops; l++)
        w->loops[l].header = place[w->loops[l].header];
    free(waits);
    free(place);
    free(ready);
    free(left);
    return good || (b->why[0] ? false : refuse(b, "out of memory"));
}

/* ---- Liveness ---- */

static bool find_live(struct build *b)
{
    struct jit_flow *w = b->w;
    uint64_t *use, *kill;
    struct jit_regs r;

    w->words = (w->f->nregs + 63) / 64 + !w->f->nregs;
    w->live_in = calloc((size_t)w->n * w->words, sizeof *w->live_in);
    use = calloc((size_t)w->n * w->words, sizeof *use);
    kill = calloc((size_t)w->n * w->words, sizeof *kill);
    if (!w->live_in || !use || !kill) {
        free(use);
        free(kill);
        return refuse(b, "out of memory");
    }
    for (uint32_t k = 0; k < w->n; k++)
        for (uint32_t i = w->blocks[k].first; i < w->blocks[k].end; i++) {
            uint64_t *u = use + (size_t)k * w->words, *d = kill + (size_t)k * w->words;

            jit_regs_of(&w->f->insns[i], &r);
            for (unsigned j = 0; j < r.n_read; j++)
                if (!jit_test(d, (uint32_t)r.read[j]))
                    jit_set(u, (uint32_t)r.read[j]);
            for (unsigned j = 0; j < r.n_written && w->f->insns[i].guard < 0; j++)
                jit_set(d, (uint32_t)r.written[j]);
        }
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t k = w->n; k-- > 0;)
            for (uint32_t j = 0; j < w->words; j++) {
                size_t at = (size_t)k * w->words + j;
                uint64_t out = 0, in;

                for (uint32_t s = 0; s < w->blocks[k].n_succ; s++)
                    if (w->blocks[k].succ[s] != JIT_EXIT)
                        out |= w->live_in[(size_t)w->blocks[k].succ[s] * w->words + j];
                in = use[at] | (out & ~kill[at]);
                changed |= in != w->live_in[at];
                w->live_in[at] = in;
            }
    }
    free(use);
    free(kill);
    return true;
}

bool jit_flow_find(struct jit_flow *w, const struct ptx_module *m, const struct ptx_function *f, char *why, size_t size)
{
    struct build b = {.w = w, .why = why, .why_size = size};
    bool good;

    *w = (struct jit_flow){.m = m, .f = f};
    why[0] = 0;
    good = f->ninsns ? split(&b) : refuse(&b, "an empty kernel");
    if (good) {
        connect(&b);
        good = end_together(&b) && order_postfix(&b) && find_dominators(&b) && find_loops(&b) && arrange(&b) && find_live(&b);
    }
    free(b.block_of);
    free(b.text);
    free(b.rpo);
    free(b.at);
    free(b.idom);
    free(b.loop_of);
    if (!good)
        jit_flow_free(w);
    return good;
}

void jit_flow_free(struct jit_flow *w)
{
    free(w->blocks);
    free(w->loops);
    free(w->live_in);
    w->blocks = NULL;
    w->loops = NULL;
    w->live_in = NULL;
}

/* ---- Questions ---- */

bool jit_in_loop(const struct jit_flow *w, uint32_t q, uint32_t l)
{
    uint32_t x = w->blocks[q].loop;

    while (x != l && x != JIT_NONE)
        x = w->loops[x].parent;
    return x == l;
}

uint32_t jit_common_loop(const struct jit_flow *w, uint32_t a, uint32_t b)
{
    uint32_t l = w->blocks[a].loop;

    while (l != JIT_NONE && !jit_in_loop(w, b, l))
        l = w->loops[l].parent;
    return l;
}

/* Higher runs first: depth of the loop that b goes on in, then forward before back. */
static uint64_t urgency(const struct jit_flow *w, uint32_t b, uint32_t q)
{
    uint32_t depth = jit_depth(w, q > b ? jit_common_loop(w, b, q) : w->blocks[q].loop);

    return (uint64_t)depth << 33 | (uint64_t)(q > b) << 32 | (UINT32_MAX - q);
}

bool jit_runs_before(const struct jit_flow *w, uint32_t b, uint32_t p, uint32_t q)
{
    return urgency(w, b, p) > urgency(w, b, q);
}

static void dump_name(FILE *file, uint32_t k)
{
    if (k == JIT_EXIT)
        fprintf(file, " exit");
    else
        fprintf(file, " b%u", k);
}

void jit_flow_dump(const struct jit_flow *w, void *file)
{
    for (uint32_t k = 0; k < w->n; k++) {
        const struct jit_block *b = &w->blocks[k];

        fprintf(file, "b%u: lines %u to %u", k, w->f->insns[b->first].line, w->f->insns[b->end - 1].line);
        if (b->loop != JIT_NONE)
            fprintf(file, ", loop of b%u", w->loops[b->loop].header);
        fprintf(file, " ->");
        for (uint32_t s = 0; s < b->n_succ; s++)
            dump_name(file, b->succ[s]);
        fprintf(file, "\n");
    }
}
