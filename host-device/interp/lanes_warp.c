/* SPDX-License-Identifier: Apache-2.0 */
/* Warp-wide operations, PTX ISA 9.7.9 and 9.7.13, on lanes that have all arrived: the mask is the set that takes part, so the
 * member mask operand has done its work before. The forms before sm_70, without .sync, are the same on the active lanes. */
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "interp/lanes_util.h"

/* out[l] = src[from[l]] */
static inline void permute_lanes(uint32_t *out, const uint32_t *src, const uint32_t *from)
{
#ifdef __AVX512F__
    __m512i low = _mm512_loadu_si512(src), high = _mm512_loadu_si512(src + 16);

    _mm512_storeu_si512(out, _mm512_permutex2var_epi32(low, _mm512_loadu_si512(from), high));
    _mm512_storeu_si512(out + 16, _mm512_permutex2var_epi32(low, _mm512_loadu_si512(from + 16), high));
#else
    for (unsigned l = 0; l < LANES_PER_WARP; l++)
        out[l] = src[from[l] % LANES_PER_WARP];
#endif
}

/* shfl: operand c holds the clamp in bits 0-4 and the segment mask in bits 8-12. A lane whose source is outside its segment
 * reads itself; one whose source does not take part reads 0, which the ISA leaves open: GPUs do so, and reductions over the
 * first few lanes of a warp count on it. */
#define SHFL(name, SOURCE, IN_RANGE) \
    static void name(const struct lane_args *args) \
    { \
        const uint32_t *b_ = args->s[1], *c_ = args->s[2]; \
        uint32_t from[LANES_PER_WARP], value[LANES_PER_WARP], *d = args->d[0], inside; \
        inside = LANE_BALLOT(({ \
            const uint32_t lane = l, b = b_[l] & 31, clamp = c_[l] & 31, segment = c_[l] >> 8 & 31; \
            const uint32_t first = lane & segment; \
            const int32_t last = (int32_t)(first | (clamp & ~segment)), j = (int32_t)(SOURCE); \
            (void)b, (void)first; \
            const uint32_t in = (IN_RANGE); \
            from[l] = (in ? (uint32_t)j : lane) & 31; \
            in; \
        })); \
        if (d) { \
            permute_lanes(value, args->s[0], from); \
            LANE_STORE(args->mask, d, value[l] & -(args->mask >> from[l] & 1)); \
        } \
        lane_set_pred(args->mask, args->d[1], inside); \
    }
SHFL(shfl_up, lane - b, j >= last)
SHFL(shfl_down, lane + b, j <= last)
SHFL(shfl_bfly, lane ^ b, j <= last)
SHFL(shfl_idx, first | (b & ~segment), j <= last)

/* Write one value, or one truth, to every lane that takes part. */
static inline void set_all(const struct lane_args *args, uint32_t value)
{
    uint32_t *d = args->d[0];

    if (d)
        LANE_STORE(args->mask, d, value);
}

#define VOTE(name, TRUTH) \
    static void name(const struct lane_args *args) \
    { \
        const uint32_t votes = *(const uint32_t *)args->s[0] & args->mask; \
        lane_set_pred(args->mask, args->d[0], (TRUTH) ? FULL_MASK : 0); \
    }
VOTE(vote_all, votes == args->mask)
VOTE(vote_any, votes != 0)
VOTE(vote_uni, votes == 0 || votes == args->mask)

static void vote_ballot(const struct lane_args *args)
{
    set_all(args, *(const uint32_t *)args->s[0] & args->mask);
}

static void activemask(const struct lane_args *args)
{
    set_all(args, args->mask);
}

#define MATCH(T, name) \
    static void match_any_##name(const struct lane_args *args) \
    { \
        const T *a_ = args->s[0]; \
        uint32_t *d = args->d[0], result[LANES_PER_WARP] = {0}; \
        for (uint32_t left = args->mask; left;) { \
            const T value = a_[__builtin_ctz(left)]; \
            const uint32_t same = LANE_BALLOT(a_[l] == value) & left; \
            FOR_LANES(l) result[l] = same & lane_bit[l] ? same : result[l]; \
            left &= ~same; \
        } \
        if (d) \
            LANE_STORE(args->mask, d, result[l]); \
    } \
    static void match_all_##name(const struct lane_args *args) \
    { \
        const T *a_ = args->s[0]; \
        const T value = a_[__builtin_ctz(args->mask)]; \
        const uint32_t all = !(LANE_BALLOT(a_[l] != value) & args->mask); \
        set_all(args, all ? args->mask : 0); \
        lane_set_pred(args->mask, args->d[1], all ? FULL_MASK : 0); \
    }
MATCH(uint32_t, b32)
MATCH(uint64_t, b64)

/* redux: lanes outside take the operation's neutral element. */
#define REDUX(name, T, NEUTRAL, EXPR) \
    static void redux_##name(const struct lane_args *args) \
    { \
        const T *a_ = args->s[0]; \
        T r = (NEUTRAL); \
        for (unsigned l = 0; l < LANES_PER_WARP; l++) { \
            const T a = args->mask & lane_bit[l] ? a_[l] : (T)(NEUTRAL); \
            r = (EXPR); \
        } \
        set_all(args, (uint32_t)r); \
    }
REDUX(add, uint32_t, 0, r + a)
REDUX(min_u32, uint32_t, UINT32_MAX, a < r ? a : r)
REDUX(max_u32, uint32_t, 0, a > r ? a : r)
REDUX(min_s32, int32_t, INT32_MAX, a < r ? a : r)
REDUX(max_s32, int32_t, INT32_MIN, a > r ? a : r)
REDUX(and, uint32_t, UINT32_MAX, r & a)
REDUX(or, uint32_t, 0, r | a)
REDUX(xor, uint32_t, 0, r ^ a)

/* f32 minimum and maximum, through integers in the order of the floats. NaNs are left out, or with .NaN win. */
static void redux_f32(const struct lane_args *args)
{
    const uint32_t *a = args->s[0], flags = args->insn->flags;
    int is_max = args->insn->atom == PTX_atom_max;
    uint32_t nan = 0, number = 0;
    int32_t best = 0;

    for (unsigned l = 0; l < LANES_PER_WARP; l++) {
        if (!(args->mask & lane_bit[l]))
            continue;
        uint32_t u = flags & PTX_FLAG_ABS ? a[l] & 0x7fffffffu : a[l];
        int32_t order = (int32_t)(u ^ ((uint32_t)((int32_t)u >> 31) & 0x7fffffffu));
        if ((u & 0x7fffffffu) > 0x7f800000u) {
            nan = 1;
        } else {
            best = !number || (is_max ? order > best : order < best) ? order : best;
            number = 1;
        }
    }
    if ((nan && flags & PTX_FLAG_NAN) || !number)
        set_all(args, 0x7fffffffu);
    else
        set_all(args, (uint32_t)best ^ ((uint32_t)(best >> 31) & 0x7fffffffu));
}

/* elect: the lowest lane, as on the H200. */
static void elect(const struct lane_args *args)
{
    unsigned leader = __builtin_ctz(args->mask);

    set_all(args, leader);
    lane_set_pred(args->mask, args->d[1], 1u << leader);
}

#define ROW(op, type, sub, flags, fn) {PTX_OP_##op, PTX_TYPE_##type, 0, sub, flags, fn}
#define VOTE_ROW(mode, type, fn) ROW(vote, type, PTX_mode_##mode, 0, fn)
static const struct lane_row mode_rows[] = {
    ROW(shfl, b32, PTX_mode_up, 0, shfl_up), ROW(shfl, b32, PTX_mode_down, 0, shfl_down),
    ROW(shfl, b32, PTX_mode_bfly, 0, shfl_bfly), ROW(shfl, b32, PTX_mode_idx, 0, shfl_idx),
    ROW(vote, pred, PTX_mode_all, 0, vote_all), ROW(vote, pred, PTX_mode_any, 0, vote_any),
    ROW(vote, pred, PTX_mode_uni, 0, vote_uni), ROW(vote, b32, PTX_mode_ballot, 0, vote_ballot),
    ROW(match, b32, PTX_mode_any, 0, match_any_b32), ROW(match, b32, PTX_mode_all, 0, match_all_b32),
    ROW(match, b64, PTX_mode_any, 0, match_any_b64), ROW(match, b64, PTX_mode_all, 0, match_all_b64),
    ROW(activemask, b32, 0, 0, activemask), ROW(elect, NONE, 0, 0, elect),
};

#define REDUX_ROW(operation, type, fn) ROW(redux, type, PTX_atom_##operation, 0, redux_##fn)
#define REDUX_F32(operation) \
    ROW(redux, f32, PTX_atom_##operation, 0, redux_f32), ROW(redux, f32, PTX_atom_##operation, PTX_FLAG_ABS, redux_f32), \
    ROW(redux, f32, PTX_atom_##operation, PTX_FLAG_NAN, redux_f32), \
    ROW(redux, f32, PTX_atom_##operation, PTX_FLAG_ABS | PTX_FLAG_NAN, redux_f32)
static const struct lane_row redux_rows[] = {
    REDUX_ROW(add, u32, add), REDUX_ROW(add, s32, add),
    REDUX_ROW(min, u32, min_u32), REDUX_ROW(max, u32, max_u32), REDUX_ROW(min, s32, min_s32), REDUX_ROW(max, s32, max_s32),
    REDUX_ROW(and, b32, and), REDUX_ROW(or, b32, or), REDUX_ROW(xor, b32, xor),
    REDUX_F32(min), REDUX_F32(max),
};

lane_op *LANES(lanes_select_warp)(const struct ptx_insn *insn, const struct lane_widths *w)
{
    struct ptx_insn plain = *insn;

    plain.flags &= ~(uint32_t)(PTX_FLAG_SYNC | PTX_FLAG_ALIGNED);
    return insn->op == PTX_OP_redux ? LANE_FIND(redux_rows, &plain, insn->atom) : LANE_FIND(mode_rows, &plain, insn->mode);
}
