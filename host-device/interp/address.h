/* SPDX-License-Identifier: Apache-2.0 */
/* What memory operands point at: spaces are resolved to host addresses, and every access is checked here and nowhere else.
 *
 * Accesses are naturally aligned powers of two of at most 32 bytes. So one OR over the lanes' offsets decides for all of
 * them: offsets in the window have no bit above its size, aligned ones none below the access's. */
#ifndef VGPU_INTERP_ADDRESS_H
#define VGPU_INTERP_ADDRESS_H

#include "interp/warp.h"

_Static_assert((VGPU_WINDOW_SIZE & (VGPU_WINDOW_SIZE - 1)) == 0 && VGPU_WINDOW_BASE % VGPU_WINDOW_SIZE == 0,
               "the window is a power of two and aligned");

struct address_operand {
    uint32_t ref;    /* register, or REF_NONE */
    uint8_t space;   /* enum address_space */
    bool wide;       /* register of 64 bits */
    int64_t imm;
};

static inline struct address_operand address_operand(const struct uop *u)
{
    return (struct address_operand){u->refs[0], u->space, u->wide, u->imm};
}

/* A lane's register value plus the constant, in the width of the register: 32-bit address arithmetic wraps. */
static inline uint64_t address_offset(const struct warp *w, const struct address_operand *a, unsigned l)
{
    const void *r = warp_at(w, a->ref);

    if (!r)
        return (uint64_t)a->imm;
    return a->wide ? ((const uint64_t *)r)[l] + (uint64_t)a->imm : ((const uint32_t *)r)[l] + (uint32_t)a->imm;
}

/* A space as a piece of the window: lane l's part is [base + l * stride, + size). */
struct address_range {
    uint64_t base, stride, size, add;
};

static inline struct address_range address_range(const struct warp *w, uint8_t space)
{
    const struct interp_worker *k = w->block->worker;

    switch (space) {
    case ADDRESS_SHARED:
        return (struct address_range){w->block->shared_base, 0, k->shared_size, 0};
    case ADDRESS_LOCAL:
        return (struct address_range){w->local_base, k->k->local_stride, k->k->local_stride, 0};
    case ADDRESS_FRAME:
        return (struct address_range){w->local_base, k->k->local_stride, k->k->local_stride, w->frame->local};
    case ADDRESS_PARAM:
        return (struct address_range){k->param_base, 0, k->k->f->param_size, 0};
    default:
        return (struct address_range){0};
    }
}

/* Find the lane in mask whose access of n bytes is bad and end the launch, if there is one. */
void address_judge(struct warp *w, const struct address_operand *a, unsigned n, uint32_t mask);

/* Fill w->ea for the active lanes with addresses at which n bytes may be touched, or end the launch. */
static inline void address_resolve(struct warp *w, const struct ptx_insn *insn, const struct address_operand *a, unsigned n)
{
    uint32_t mask = w->args.mask;
    uint64_t seen = 0, add;

    w->args.insn = insn;
    w->ea_bytes = n;
    w->ea_row = false;
    if (a->space == ADDRESS_DEVICE && a->wide && a->ref != REF_NONE) {
        const uint64_t *r = warp_at(w, a->ref);

        add = (uint64_t)a->imm;
        if (mask == ~0u)
            for (unsigned l = 0; l < VG_WARP; l++) {
                w->ea[l] = r[l] + add;
                seen |= w->ea[l] - VGPU_WINDOW_BASE;
            }
        else
            for (unsigned l = 0; l < VG_WARP; l++) {
                w->ea[l] = r[l] + add;
                seen |= (w->ea[l] - VGPU_WINDOW_BASE) & -(uint64_t)(mask >> l & 1);
            }
        if (__builtin_expect((seen & ~(VGPU_WINDOW_SIZE - 1)) | (seen & (n - 1)), 0))
            address_judge(w, a, n, mask);
    } else if (a->space == ADDRESS_SHARED && !a->wide && a->ref != REF_NONE) {
        const uint32_t *r = warp_at(w, a->ref);
        uint32_t seen32 = 0, add32 = (uint32_t)a->imm;
        uint64_t base = w->block->shared_base;

        for (unsigned l = 0; l < VG_WARP; l++) {
            uint32_t offset = r[l] + add32;

            seen32 |= offset & -(mask >> l & 1);
            w->ea[l] = base + offset;
        }
        if (__builtin_expect((uint64_t)seen32 + n > w->block->worker->shared_size || seen32 & (n - 1), 0))
            address_judge(w, a, n, mask);
    } else {
        struct address_range range = address_range(w, a->space);

        for (unsigned l = 0; l < VG_WARP; l++) {
            uint64_t offset = address_offset(w, a, l) + range.add;

            seen |= offset & -(uint64_t)(mask >> l & 1);
            w->ea[l] = range.base + l * range.stride + offset;
        }
        if (seen >= range.size || seen + n > range.size || seen & (n - 1))
            address_judge(w, a, n, a->ref == REF_NONE ? mask & -mask : mask);
    }
}

/* What most accesses are: all lanes active, and their addresses in a row, or all the same. Then w->ea[0] is filled in, the
 * whole is checked, and the answer is so; otherwise address_resolve() has to look at each lane. */
enum address_pattern { SCATTERED, UNIFORM, ROW };

#define ADDRESS_PATTERN(T) \
    ({ \
        const T *r_ = warp_at(w, a->ref); \
        T first_ = r_[0], stride_ = r_[1] - first_, differ_ = 0; \
\
        if (stride_ && stride_ != n) \
            return SCATTERED; \
        for (unsigned l = 0; l < VG_WARP; l++) \
            differ_ |= r_[l] - first_ - (T)l * stride_; \
        if (differ_) \
            return SCATTERED; \
        at = (T)(first_ + (T)a->imm); \
        length = stride_ ? (uint64_t)n * VG_WARP : n; \
    })

static inline enum address_pattern address_pattern(struct warp *w, const struct ptx_insn *insn, const struct address_operand *a,
                                                   unsigned n)
{
    uint64_t at, length = n;

    if (w->args.mask != ~0u)
        return SCATTERED;
    if (a->space == ADDRESS_DEVICE) {
        if (a->ref == REF_NONE)
            at = (uint64_t)a->imm;
        else if (a->wide)
            ADDRESS_PATTERN(uint64_t);
        else
            return SCATTERED;
        if (at - VGPU_WINDOW_BASE > VGPU_WINDOW_SIZE - length || at & (n - 1))
            return SCATTERED;
        w->ea[0] = at;
    } else if (a->space == ADDRESS_SHARED || a->space == ADDRESS_PARAM) {
        struct address_range range = address_range(w, a->space);

        if (a->ref == REF_NONE)
            at = (uint64_t)a->imm;
        else if (a->wide)
            ADDRESS_PATTERN(uint64_t);
        else
            ADDRESS_PATTERN(uint32_t);
        if (length > range.size || at > range.size - length || at & (n - 1))
            return SCATTERED;
        w->ea[0] = range.base + at;
    } else {
        return SCATTERED;
    }
    w->args.insn = insn;
    w->ea_bytes = n;
    w->ea_row = true;
    return length == n ? UNIFORM : ROW;
}

#endif
