/* SPDX-License-Identifier: Apache-2.0 */
/* Where variables lie: shared memory of a kernel and its callees, a module's data image. */
#include <stdlib.h>

#include "ptx/launch.h"
#include "ptx/parse.h"

#define MAX_SHARED ((uint64_t)1 << 30)

void ptx_note_shared(struct ptx_parser *ps, int32_t sym)
{
    struct ptx_function *f = ps->f;

    while ((uint32_t)sym >= ps->seen_room)
        ps->shared_seen = ptx_grow(ps, false, ps->shared_seen, ps->seen_room, &ps->seen_room, sizeof *ps->shared_seen);
    if (ps->shared_seen[sym])
        return;
    ps->shared_seen[sym] = true;
    if (f->nshared_uses == ps->shared_room)
        f->shared_uses = ptx_grow(ps, false, f->shared_uses, f->nshared_uses, &ps->shared_room, sizeof *f->shared_uses);
    f->shared_uses[f->nshared_uses++].sym = sym;
}

static int by_symbol(const void *a, const void *b)
{
    int32_t x = ((const struct ptx_shared_use *)a)->sym, y = ((const struct ptx_shared_use *)b)->sym;

    return (x > y) - (x < y);
}

void ptx_sort_shared(struct ptx_shared_use *uses, uint32_t n)
{
    if (n)
        qsort(uses, n, sizeof *uses, by_symbol);
}

/* Give each used variable its place; the dynamic ones all start where the static ones end. False when it is too much. */
bool ptx_lay_out_shared(const struct ptx_module *m, struct ptx_function *f)
{
    uint64_t top = 0;
    uint32_t align = 1, dynamic_align = 1;

    ptx_sort_shared(f->shared_uses, f->nshared_uses);
    f->uses_dynamic_shared = false;
    for (uint32_t i = 0; i < f->nshared_uses; i++) {
        const struct ptx_symbol *s = &m->symbols[f->shared_uses[i].sym];

        if (align < s->align)
            align = s->align;
        if (s->unsized) {
            f->uses_dynamic_shared = true;
            if (dynamic_align < s->align)
                dynamic_align = s->align;
            continue;
        }
        top = (top + s->align - 1) & ~(uint64_t)(s->align - 1);
        f->shared_uses[i].offset = top;
        top += s->size;
        if (top > MAX_SHARED)
            return false;
    }
    top = (top + dynamic_align - 1) & ~(uint64_t)(dynamic_align - 1);
    for (uint32_t i = 0; i < f->nshared_uses; i++)
        if (m->symbols[f->shared_uses[i].sym].unsized)
            f->shared_uses[i].offset = top;
    f->shared_size = top;
    f->shared_align = align;
    return true;
}

void ptx_finish_layout(struct ptx_parser *ps)
{
    struct ptx_function *f = ps->f;
    struct ptx_shared_use *uses = ptx_keep(ps, f->nshared_uses, sizeof *uses);

    if (f->nshared_uses)
        memcpy(uses, f->shared_uses, f->nshared_uses * sizeof *uses);
    f->shared_uses = uses;
    if (!ptx_lay_out_shared(ps->m, f))
        ptx_fail(ps, PTX_ERROR_INVALID, f->line, "'%.100s' uses too much shared memory", f->name);
}

int64_t ptx_shared_offset(const struct ptx_function *f, int32_t sym)
{
    struct ptx_shared_use key = {.sym = sym}, *use;

    if (!f->nshared_uses)
        return -1;
    use = bsearch(&key, f->shared_uses, f->nshared_uses, sizeof key, by_symbol);
    return use ? (int64_t)use->offset : -1;
}

void vg_image_fill(const struct ptx_module *m, const struct vg_binding *b, uint8_t *image)
{
    memset(image, 0, m->data_size);
    for (uint32_t i = 0; i < m->nsymbols; i++) {
        const struct ptx_symbol *s = &m->symbols[i];

        if (s->init_size)
            memcpy(image + s->offset, s->init, s->init_size);
        for (uint32_t k = 0; k < s->nrelocs; k++) {
            const struct ptx_reloc *r = &s->relocs[k];
            uint64_t address = r->function ? b->functions + (uint64_t)r->sym * VG_FUNCTION_STRIDE
                                           : b->data + m->symbols[r->sym].offset;

            address = (address + r->addend) >> r->shift;
            memcpy(image + s->offset + r->offset, &address, r->bytes);
        }
    }
}
