/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores whose lanes lie apart in a known way: one test of a scalar decides that all is well, and what a vector
 * register holds is loaded at once, or spread from few places. */
#include "jit/emit_pattern.h"

#include <limits.h>
#include <string.h>

bool places_find(const struct access *a, struct places *p)
{
    const int64_t *lane = a->pattern->lane;

    p->lanes = a->pattern->row ? a->pattern->row : VG_WARP;
    p->row = p->lanes == VG_WARP;
    for (unsigned f = 0; f < VG_WARP; f += p->lanes) {
        int64_t low = 0, high = 0;

        for (unsigned l = f; l < f + p->lanes; l++) {
            int64_t d = lane[l] - lane[f];

            if (d % (int64_t)a->total || d < -(int64_t)JIT_SPAN_MAX || d > JIT_SPAN_MAX)
                return false;
            low = d < low ? d : low;
            high = d > high ? d : high;
        }
        p->first[f / p->lanes] = -low;
        p->span[f / p->lanes] = (uint64_t)(high - low) + a->total;
        for (unsigned l = f; l < f + p->lanes; l++) {
            p->at[l] = lane[l] - lane[f] - low;
            p->row &= p->at[l] == (int64_t)(l * a->total);
        }
    }
    return true;
}

void places_offsets(struct emit *e, const struct access *a, struct places *p)
{
    for (unsigned r = 0; r < VG_WARP / p->lanes; r++)
        p->low[r] = LLVMBuildSub(e->b, access_widen(e, a->rows[r]), emit_i64(e, (uint64_t)p->first[r]), "");
}

/* What lane l's place counts from. */
static V low_of(const struct places *p, unsigned l)
{
    return p->low[l / p->lanes];
}

/* Is lane 0's address surely a multiple of the access's size, or surely not, or is it to be tested? */
enum alignment { ALIGNED, MISALIGNED, UNKNOWN };
static enum alignment alignment(const struct access *a)
{
    if (a->aligned >= a->total)
        return ALIGNED;
    if (a->pattern->align < 63 && 1ull << a->pattern->align < a->total)
        return UNKNOWN;
    return ((uint64_t)a->pattern->lane[0] + a->plus) % a->total ? MISALIGNED : ALIGNED;
}

static bool surely_inside(struct emit *e, const struct access *a)
{
    uint64_t end;

    if (a->near || !a->shared)
        return a->near || e->shape.unconfined;
    return a->plus <= e->f->shared_size && !__builtin_add_overflow(a->pattern->high, a->plus + a->total, &end) &&
           end <= e->f->shared_size;
}

/* ---- A vector register's worth of lanes ---- */

static unsigned chunk_lanes(struct emit *e, const struct access *a, const struct places *p)
{
    unsigned n = emit_native(e) * 4 / a->bytes;

    return n < p->lanes ? n : p->lanes;
}

static bool is_row(const struct access *a, const struct places *p, unsigned from, unsigned n)
{
    for (unsigned l = 1; l < n; l++)
        if (p->at[from + l] != p->at[from] + (int64_t)(l * a->bytes))
            return false;
    return true;
}

static bool all_rows(struct emit *e, const struct access *a, const struct places *p)
{
    unsigned n = chunk_lanes(e, a, p);

    for (unsigned l = 0; l < VG_WARP; l += n)
        if (a->n > 1 || !is_row(a, p, l, n))
            return false;
    return true;
}

static V load(struct emit *e, const struct access *a, V low, int64_t at, unsigned n)
{
    LLVMTypeRef type = emit_int(e, 8 * a->bytes);
    V v = LLVMBuildLoad2(e->b, n == 1 ? type : LLVMVectorType(type, n), emit_at(e, low, (uint64_t)at), "");

    LLVMSetAlignment(v, a->bytes);
    return v;
}

/* Which of the different places each of n lanes has; returns how many there are. */
static unsigned find_different(const int64_t *at, unsigned n, int64_t *place, unsigned *which)
{
    unsigned count = 0;

    for (unsigned l = 0; l < n; l++) {
        which[l] = 0;
        while (which[l] < count && place[which[l]] != at[l])
            which[l]++;
        if (which[l] == count)
            place[count++] = at[l];
    }
    return count;
}

/* All that lies between the lowest and the highest place is within a page of one of the two: what can be loaded there can be
 * loaded in between. Worth it where that is fewer loads than places. */
#define PIECES_MAX 8
static bool in_pieces(const struct access *a, const int64_t *at, unsigned elements, unsigned n)
{
    unsigned pieces = elements / n + !!(elements % n), which[VG_WARP];
    int64_t place[VG_WARP];

    return pieces <= PIECES_MAX && 2 * pieces <= find_different(at, n, place, which);
}

/* Lane l's element is pick[l] of so many, at least two vectors' worth: two vectors at a time. */
static V load_pieces(struct emit *e, const struct access *a, V low, int64_t at, const unsigned *pick, unsigned elements, unsigned n)
{
    unsigned from_two[VG_WARP], merge[VG_WARP];
    V r = NULL, two;

    for (unsigned first = 0; first < elements; first += 2 * n) {
        unsigned second = first + 2 * n <= elements ? first + n : elements - n; /* the last one ends with the last element */
        unsigned begin = first + n <= elements ? first : elements - n;

        for (unsigned l = 0; l < n; l++) {
            bool mine = pick[l] >= first && pick[l] < first + 2 * n;

            from_two[l] = !mine ? l : pick[l] < begin + n ? pick[l] - begin : n + pick[l] - second;
            merge[l] = mine ? n + l : l;
        }
        two = emit_shuffle(e, load(e, a, low, at + (int64_t)begin * a->bytes, n), load(e, a, low, at + (int64_t)second * a->bytes, n),
                           from_two, n);
        r = r ? emit_shuffle(e, r, two, merge, n) : two;
    }
    return r;
}

/* From n lanes' lowest place on, so many elements up to the highest. */
static unsigned stretch(const struct access *a, const int64_t *at, unsigned n, int64_t *least)
{
    int64_t most = at[0];

    *least = at[0];
    for (unsigned l = 0; l < n; l++) {
        *least = at[l] < *least ? at[l] : *least;
        most = at[l] > most ? at[l] : most;
    }
    most = (most - *least) / a->bytes + 1;
    return most < UINT_MAX ? (unsigned)most : UINT_MAX;
}

/* Element k of n lanes from 'from' on, as a few long loads; NULL: those would not do. */
static V load_long(struct emit *e, const struct access *a, const struct places *p, unsigned from, unsigned n, unsigned k)
{
    const int64_t *at = p->at + from;
    V low = low_of(p, from);
    int64_t least, shift = k * a->bytes;
    unsigned pick[VG_WARP], elements = stretch(a, at, n, &least);

    if (is_row(a, p, from, n))
        return load(e, a, low, at[0] + shift, n);
    if (elements == 1)
        return NULL;
    for (unsigned l = 0; l < n; l++)
        pick[l] = (unsigned)((uint64_t)(at[l] - least) / a->bytes);
    if (elements <= 2 * n)
        return emit_shuffle(e, load(e, a, low, least + shift, elements), NULL, pick, n);
    return in_pieces(a, at, elements, n) ? load_pieces(e, a, low, least + shift, pick, elements, n) : NULL;
}

/* n lanes from 'from' on: each place once, all its elements, then to all its lanes. */
static void load_each(struct emit *e, const struct access *a, const struct places *p, unsigned from, unsigned n, V *values)
{
    unsigned pick[VG_WARP], which[VG_WARP], count, room = 1, words = a->total > 8 ? a->total / 8 : 1;
    int64_t place[VG_WARP];
    LLVMTypeRef unit = emit_int(e, 8 * a->total / words);
    V parts[VG_WARP], all;

    count = find_different(p->at + from, n, place, which);
    while (room < count)
        room *= 2;
    all = LLVMGetPoison(LLVMVectorType(unit, room));
    for (unsigned m = 0; m < room; m++) {
        V one = LLVMGetPoison(LLVMVectorType(unit, words));

        if (m < count) {
            one = LLVMBuildLoad2(e->b, words == 1 ? unit : LLVMVectorType(unit, words), emit_at(e, low_of(p, from), (uint64_t)place[m]), "");
            LLVMSetAlignment(one, a->bytes);
            if (words == 1)
                all = LLVMBuildInsertElement(e->b, all, one, emit_i32(e, m), "");
        }
        parts[m] = one;
    }
    if (words > 1)
        all = emit_join(e, parts, room);
    all = LLVMBuildBitCast(e->b, all, emit_many(e, 8 * a->bytes, room * a->n), "");
    for (unsigned k = 0; k < a->n; k++) {
        for (unsigned l = 0; l < n; l++)
            pick[l] = which[l] * a->n + k;
        values[k] = emit_shuffle(e, all, NULL, pick, n);
    }
}

static void load_chunks(struct emit *e, const struct access *a, const struct places *p, V *values)
{
    unsigned n = chunk_lanes(e, a, p);
    V parts[8][VG_WARP];

    for (unsigned l = 0; l < VG_WARP; l += n) {
        V chunk[8] = {NULL};

        for (unsigned k = 0; k < a->n; k++)
            chunk[k] = load_long(e, a, p, l, n, k);
        if (!chunk[0])
            load_each(e, a, p, l, n, chunk);
        for (unsigned k = 0; k < a->n; k++)
            parts[k][l / n] = chunk[k];
    }
    for (unsigned k = 0; k < a->n; k++)
        values[k] = emit_join(e, parts[k], VG_WARP / n);
}

void access_load_places(struct emit *e, const struct access *a, V low, const int64_t *at, V *values)
{
    struct places p = {.lanes = VG_WARP, .low = {low}};

    memcpy(p.at, at, sizeof p.at);
    load_chunks(e, a, &p, values);
}

static void load_all(struct emit *e, const struct access *a, const struct places *p, V *values)
{
    if (p->row)
        access_load_row(e, a, p->low[0], VG_WARP, values);
    else
        load_chunks(e, a, p, values);
    for (unsigned k = 0; k < a->n; k++)
        values[k] = access_to_register(e, a, values[k], true);
}

/* ---- Stores with gaps: pieces of memory as large as a vector register, of which some elements are stored ---- */

#define PIECE 64u

/* Where the first piece begins, before the row's lowest place: where it is aligned if the address register is. */
static unsigned piece_start(const struct access *a, const struct places *p, unsigned row)
{
    return (unsigned)(a->plus - (uint64_t)p->first[row]) & (PIECE - 1) & -a->bytes;
}

/* Worth it where a piece has several lanes' elements; two of one place would be in doubt. */
static bool has_gaps(const struct emit *e, const struct access *a, const struct places *p)
{
    unsigned pieces = 0;

    if (e->shape.isa != JIT_ISA_V4 || a->n > 1)
        return false;
    for (unsigned l = 0; l < VG_WARP; l++) {
        unsigned first = l - l % p->lanes, start = piece_start(a, p, l / p->lanes);
        bool begins = true;

        for (unsigned q = first; q < l; q++) {
            if (p->at[q] == p->at[l])
                return false;
            begins &= (p->at[q] + start) / PIECE != (p->at[l] + start) / PIECE;
        }
        pieces += begins;
    }
    return pieces <= VG_WARP / 4;
}

/* The piece that lane 'first' is the lowest of. mask: <32 x i1>, or NULL: all lanes. */
static void store_piece(struct emit *e, const struct access *a, const struct places *p, unsigned first, V v, V mask)
{
    unsigned row = first / p->lanes, start = piece_start(a, p, row), n = PIECE / a->bytes, from[PIECE], there[PIECE];
    int64_t piece = (p->at[first] + start) / PIECE;
    LLVMTypeRef overload[2] = {emit_many(e, 8 * a->bytes, n), e->ptr};
    V args[4] = {NULL, emit_at(e, p->low[row], (uint64_t)(piece * PIECE - start)), emit_i32(e, a->bytes), NULL}, all;

    for (unsigned k = 0; k < n; k++) {
        from[k] = first;
        there[k] = VG_WARP;
    }
    for (unsigned l = row * p->lanes; l < (row + 1) * p->lanes; l++)
        if ((p->at[l] + start) / PIECE == piece)
            from[(p->at[l] + start) % PIECE / a->bytes] = there[(p->at[l] + start) % PIECE / a->bytes] = l;
    all = mask ? mask : LLVMConstAllOnes(emit_vector(e->i1));
    args[0] = emit_shuffle(e, v, NULL, from, n);
    args[3] = emit_shuffle(e, all, LLVMConstNull(emit_vector(e->i1)), there, n);
    emit_call(e, "llvm.masked.store", overload, 2, args, 4);
}

static void store_gaps(struct emit *e, const struct access *a, const struct places *p, V mask)
{
    V v = access_to_memory(e, a, access_data(e, a, 0, true), true);

    for (unsigned l = 0; l < VG_WARP; l++) {
        unsigned row = l / p->lanes, start = piece_start(a, p, row);
        bool begins = true;

        for (unsigned q = row * p->lanes; q < l; q++)
            begins &= (p->at[q] + start) / PIECE != (p->at[l] + start) / PIECE;
        if (begins)
            store_piece(e, a, p, l, v, mask);
    }
}

/* Lane after lane: of several stores to one place the highest lane's stays. */
static void store_all(struct emit *e, const struct access *a, const struct places *p)
{
    unsigned n = chunk_lanes(e, a, p);
    V v, s;

    if (p->row) {
        access_store_row(e, a, p->low[0], 0, VG_WARP);
        return;
    }
    if (!all_rows(e, a, p) && has_gaps(e, a, p)) {
        store_gaps(e, a, p, NULL);
        return;
    }
    for (unsigned k = 0; k < a->n; k++) {
        v = access_to_memory(e, a, access_data(e, a, k, true), true);
        for (unsigned l = 0; l < VG_WARP; l += n)
            if (a->n == 1 && is_row(a, p, l, n)) {
                s = LLVMBuildStore(e->b, emit_part(e, v, l, n), emit_at(e, low_of(p, l), (uint64_t)p->at[l]));
                LLVMSetAlignment(s, a->bytes);
            } else {
                for (unsigned i = l; i < l + n; i++) {
                    s = LLVMBuildStore(e->b, emit_lane(e, v, i), emit_at(e, low_of(p, i), (uint64_t)p->at[i] + k * a->bytes));
                    LLVMSetAlignment(s, a->bytes);
                }
            }
    }
}

/* ---- Some lanes ---- */

static bool has_masks(const struct emit *e, const struct access *a)
{
    return e->shape.isa == JIT_ISA_V4 || (e->shape.isa == JIT_ISA_V3 && a->bytes >= 4);
}

static void masked_rows(struct emit *e, const struct access *a, const struct places *p, V *values)
{
    unsigned n = p->row ? VG_WARP : chunk_lanes(e, a, p);
    V lanes = emit_lanes(e, e->mask), parts[VG_WARP], v = NULL;
    LLVMTypeRef overload[2] = {emit_many(e, 8 * a->bytes, n), e->ptr};

    if (!all_rows(e, a, p)) {
        store_gaps(e, a, p, lanes);
        return;
    }
    if (a->store)
        v = access_to_memory(e, a, access_data(e, a, 0, true), true);
    for (unsigned l = 0; l < VG_WARP; l += n) {
        V at = emit_at(e, low_of(p, l), (uint64_t)p->at[l]), mask = emit_part(e, lanes, l, n);

        if (a->store) {
            V args[4] = {emit_part(e, v, l, n), at, emit_i32(e, a->bytes), mask};

            emit_call(e, "llvm.masked.store", overload, 2, args, 4);
        } else {
            V args[4] = {at, emit_i32(e, a->bytes), mask, LLVMConstNull(overload[0])};

            parts[l / n] = emit_call(e, "llvm.masked.load", overload, 2, args, 4);
        }
    }
    if (!a->store)
        values[0] = access_to_register(e, a, emit_join(e, parts, VG_WARP / n), true);
}

/* ---- Putting it together ---- */

/* Who touches memory, should the hardware stop it. In shared memory it does not. */
static void note(struct emit *e, const struct access *a, const struct places *p)
{
    uint32_t table[VG_WARP];

    if (a->shared)
        return;
    for (unsigned l = 0; l < VG_WARP; l++)
        table[l] = (uint32_t)p->at[l];
    emit_note(e, a->total, p->row ? a->total : JIT_STEP_TABLE(p->lanes), table, p->low[0]);
    for (unsigned r = 1; r < VG_WARP / p->lanes; r++)
        emit_note_row(e, r, p->low[r]);
}

/* Lanes are inside when the lowest and the highest are; that is one comparison, and aligned addresses another, or none. All rows
 * are in the window when no offset has a bit that it has not. */
static V is_good(struct emit *e, const struct access *a, const struct places *p)
{
    unsigned rows = VG_WARP / p->lanes;
    V good = NULL, first = p->low[0], low, one;

    if (access_is_window(a))
        for (; rows > 1; rows--)
            first = LLVMBuildOr(e->b, first, p->low[rows - 1], "");
    for (unsigned r = 0; r < rows; r++) {
        low = r ? p->low[r] : first;
        one = access_fits(e, a, low, p->span[r]);
        good = good ? LLVMBuildAnd(e->b, good, one, "") : one;
        if (alignment(a) != ALIGNED)
            good = LLVMBuildAnd(e->b, good, access_aligned(e, a, low), "");
    }
    return good;
}

static void find_pointers(struct emit *e, struct places *p)
{
    for (unsigned r = 0; r < VG_WARP / p->lanes; r++)
        p->low[r] = access_pointer(e, p->low[r]);
}

/* The lanes of the mask alone, where these are good: others may well be at places that do not exist. Not taken for all lanes, since
 * CPUs are slow at masked stores. */
static void some_lanes(struct emit *e, const struct access *a, struct places *p, bool rows, LLVMBasicBlockRef slow,
                       V *values)
{
    struct access vector = *a;

    vector.offset = emit_spread(e, a->pattern, vector.rows);
    if (slow) {
        LLVMBasicBlockRef good = emit_block(e, "good");

        emit_branch(e, access_all_fit(e, &vector), good, slow);
        LLVMPositionBuilderAtEnd(e->b, good);
    }
    if (rows) {
        note(e, a, p);
        find_pointers(e, p);
        masked_rows(e, a, p, values);
    } else {
        access_each(e, &vector, values);
    }
}

bool pattern_alone(struct emit *e, struct access *a)
{
    bool full = emit_is_full(e->mask), inside = surely_inside(e, a), rows, some;
    LLVMBasicBlockRef fast, part = NULL, slow = NULL;
    struct ways w = {.n = 0};
    struct places p, at;
    V cond;

    if (!places_find(a, &p) || alignment(a) == MISALIGNED)
        return false;
    inside &= alignment(a) == ALIGNED;
    rows = a->n == 1 && has_masks(e, a) && (all_rows(e, a, &p) || (a->store && has_gaps(e, a, &p)));
    some = !full && (rows || (e->shape.isa == JIT_ISA_V4 && (!a->store || a->bytes >= 4)));
    places_offsets(e, a, &p);
    w.join = emit_block(e, "accessed");
    fast = emit_block(e, "fast");
    cond = LLVMBuildICmp(e->b, LLVMIntEQ, e->mask, emit_i32(e, ~0u), "");
    if (!inside)
        cond = LLVMBuildAnd(e->b, cond, is_good(e, a, &p), "");
    for (unsigned r = 0; r < VG_WARP / p.lanes; r++)
        p.low[r] = LLVMBuildAdd(e->b, a->base, p.low[r], "");
    if (full && inside) {
        LLVMBuildBr(e->b, fast);
    } else {
        slow = some && inside ? NULL : emit_block(e, "slow");
        part = some ? emit_block(e, "some") : slow;
        emit_branch(e, cond, fast, part);
    }
    LLVMPositionBuilderAtEnd(e->b, fast);
    note(e, a, &p);
    at = p;
    find_pointers(e, &at);
    if (a->store)
        store_all(e, a, &at);
    else
        load_all(e, a, &at, w.values[0]);
    for (unsigned r = 0; !a->store && !a->shared && r < VG_WARP / p.lanes; r++)
        emit_ahead(e, e->insn->ops[1].reg, r, (int64_t)a->plus - p.first[r], at.low[r], p.span[r]);
    access_end_way(e, &w, true);
    LLVMBuildBr(e->b, w.join);
    if (some) {
        LLVMPositionBuilderAtEnd(e->b, part);
        some_lanes(e, a, &p, rows, slow, w.values[w.n]);
        access_end_way(e, &w, true);
        LLVMBuildBr(e->b, w.join);
    }
    if (slow) {
        LLVMPositionBuilderAtEnd(e->b, slow);
        access_operation_way(e, a, &w);
    }
    access_join_ways(e, a, &w);
    return true;
}

bool access_pattern(struct emit *e, struct access *a)
{
    return (a->store && emit_pair(e, a)) || pattern_alone(e, a);
}
