/* SPDX-License-Identifier: Apache-2.0 */
#include "interp/address.h"

void address_judge(struct warp *w, const struct address_operand *a, unsigned n, uint32_t mask)
{
    struct address_range range = address_range(w, a->space);

    for (uint32_t m = mask; m; m &= m - 1) {
        int l = __builtin_ctz(m);
        uint64_t at = address_offset(w, a, (unsigned)l), offset = at + range.add;

        if (a->space == ADDRESS_DEVICE) {
            if (!window_contains(at, n))
                warp_fault(w, w->args.insn, l, VG_FAULT_ILLEGAL_ADDRESS, at, "address outside device memory");
        } else if (offset > range.size || n > range.size - offset || (a->space == ADDRESS_FRAME && at > range.size)) {
            warp_fault(w, w->args.insn, l, VG_FAULT_ILLEGAL_ADDRESS, at, "%s address outside its %llu bytes",
                       a->space == ADDRESS_SHARED ? "shared" : a->space == ADDRESS_PARAM ? "parameter" : "local",
                       (unsigned long long)range.size);
        }
        if (offset & (n - 1))
            warp_fault(w, w->args.insn, l, VG_FAULT_MISALIGNED, at, "address not aligned to %u bytes", n);
    }
}

/* The host address of an operand for operations that check for themselves (lane_check). A shared offset beyond the block's
 * shared memory becomes 0, which no check lets pass. */
const struct uop *run_address(struct warp *w, const struct uop *u)
{
    struct address_operand a = {u->refs[1], u->space, u->wide, u->imm};
    struct address_range range = address_range(w, u->space);
    uint64_t *d = warp_at(w, u->refs[0]);

    for (unsigned l = 0; l < VG_WARP; l++) {
        uint64_t offset = address_offset(w, &a, l) + range.add;

        if (!(w->args.mask >> l & 1))
            continue;
        d[l] = u->space == ADDRESS_DEVICE ? offset : offset < range.size ? range.base + l * range.stride + offset : 0;
    }
    return u + 1;
}

/* cvta: between a space's own addresses and generic ones. 'bytes' is the destination's width; imm is -1 for cvta.to. */
const struct uop *run_cvta(struct warp *w, const struct uop *u)
{
    struct address_operand a = {u->refs[1], u->space, u->wide, 0};
    struct address_range range = address_range(w, u->space);
    void *d = warp_at(w, u->refs[0]);

    for (unsigned l = 0; l < VG_WARP; l++) {
        uint64_t at = address_offset(w, &a, l), base = range.base + l * range.stride;

        if (!(w->args.mask >> l & 1))
            continue;
        at = u->imm < 0 ? at - base : at + base;
        if (u->bytes == 8)
            ((uint64_t *)d)[l] = at;
        else
            ((uint32_t *)d)[l] = (uint32_t)at;
    }
    return u + 1;
}

static bool in_const_variable(const struct interp_kernel *k, uint64_t address)
{
    for (uint32_t i = 0; i < k->m->nsymbols; i++) {
        const struct ptx_symbol *s = &k->m->symbols[i];

        if (s->space == PTX_SPACE_const && s->owner < 0 && address - (k->binding.data + s->offset) < s->size)
            return true;
    }
    return false;
}

/* isspacep; imm is the state space asked for. */
const struct uop *run_isspacep(struct warp *w, const struct uop *u)
{
    const struct interp_worker *worker = w->block->worker;
    const uint64_t *s = warp_at(w, u->refs[1]);
    uint32_t *d = warp_at(w, u->refs[0]), truth = 0;

    for (uint32_t m = w->args.mask; m; m &= m - 1) {
        unsigned l = (unsigned)__builtin_ctz(m);
        struct address_range local = address_range(w, ADDRESS_LOCAL), param = address_range(w, ADDRESS_PARAM);
        bool in;

        switch (u->imm) {
        case PTX_SPACE_shared:
            in = s[l] - w->block->shared_base < worker->shared_bytes;
            break;
        case PTX_SPACE_local:
            in = s[l] - (local.base + l * local.stride) < local.stride;
            break;
        case PTX_SPACE_param:
            in = s[l] - param.base < param.size;
            break;
        case PTX_SPACE_const:
            in = in_const_variable(worker->k, s[l]);
            break;
        default: /* global */
            in = s[l] - VGPU_WINDOW_BASE < VGPU_SCRATCH_BASE - VGPU_WINDOW_BASE;
        }
        truth |= (uint32_t)in << l;
    }
    *d = (*d & ~w->args.mask) | truth;
    return u + 1;
}
