/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ptx/names.h"

static uint32_t hash_name(const char *s, uint32_t n)
{
    uint64_t h = n, w;

    for (; n >= 8; n -= 8, s += 8) {
        memcpy(&w, s, 8);
        h = (h ^ w) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    w = 0;
    memcpy(&w, s, n);
    h = (h ^ w) * 0x9e3779b97f4a7c15u;
    return h >> 32 ^ h >> 13;
}

bool ptx_names_init(struct ptx_names *t, struct ptx_arena *arena)
{
    *t = (struct ptx_names){.arena = arena, .room = 256};
    t->slots = ptx_arena_alloc(arena, t->room, sizeof *t->slots);
    return t->slots;
}

struct ptx_name *ptx_names_find(const struct ptx_names *t, const char *s, uint32_t n)
{
    uint32_t h = hash_name(s, n);
    struct ptx_name *e, *best = NULL;

    /* Later declarations stand first in a slot, but a register of an outer range may be made while an inner block is open. */
    for (e = t->slots[h & (t->room - 1)]; e; e = e->next)
        if (e->hash == h && e->n == n && e->kind != PTX_NAME_RANGE && !memcmp(e->s, s, n) && (!best || e->depth > best->depth))
            best = e;
    return best;
}

/* The innermost range with this prefix that reaches 'number', and lies deeper than 'best'. */
static struct ptx_name *range_of(const struct ptx_names *t, const char *s, uint32_t n, uint64_t number, struct ptx_name *best)
{
    uint32_t h = hash_name(s, n);
    struct ptx_name *e;

    for (e = t->slots[h & (t->room - 1)]; e; e = e->next)
        if (e->hash == h && e->n == n && e->kind == PTX_NAME_RANGE && !memcmp(e->s, s, n) && number < e->count &&
            (!best || e->depth > best->depth))
            best = e;
    return best;
}

struct ptx_name *ptx_names_find_range(const struct ptx_names *t, const char *s, uint32_t n)
{
    uint32_t digits = 0;
    uint64_t number = 0, scale = 1;
    struct ptx_name *best = NULL;

    /* Every split into prefix and number is possible: %r12 is %r<20>'s, or %r1<3>'s. */
    while (digits + 1 < n && digits < 10 && s[n - 1 - digits] >= '0' && s[n - 1 - digits] <= '9') {
        char c = s[n - 1 - digits++];

        number += (uint64_t)(c - '0') * scale;
        scale *= 10;
        if (c != '0' || digits == 1) /* no leading zeros */
            best = range_of(t, s, n - digits, number, best);
    }
    return best;
}

static bool grow(struct ptx_names *t)
{
    uint32_t room = t->room * 4;
    struct ptx_name **slots = ptx_arena_alloc(t->arena, room, sizeof *slots), *e, *next, *reversed;

    if (!slots)
        return false;
    for (uint32_t i = 0; i < t->room; i++) {
        reversed = NULL;
        for (e = t->slots[i]; e; e = next) {
            next = e->next;
            e->next = reversed;
            reversed = e;
        }
        for (e = reversed; e; e = next) {
            next = e->next;
            e->next = slots[e->hash & (room - 1)];
            slots[e->hash & (room - 1)] = e;
        }
    }
    t->slots = slots;
    t->room = room;
    return true;
}

struct ptx_name *ptx_names_add(struct ptx_names *t, const char *s, uint32_t n, uint8_t kind, uint32_t depth)
{
    struct ptx_name *e, **slot;

    if (t->n >= t->room && !grow(t))
        return NULL;
    e = ptx_arena_alloc(t->arena, 1, sizeof *e);
    if (!e)
        return NULL;
    e->s = s;
    e->n = n;
    e->hash = hash_name(s, n);
    e->kind = kind;
    e->depth = depth;
    slot = &t->slots[e->hash & (t->room - 1)];
    e->next = *slot;
    *slot = e;
    e->next_scope = t->scopes[depth];
    t->scopes[depth] = e;
    t->n++;
    if (kind == PTX_NAME_RANGE && depth > 1)
        t->inner_ranges++;
    return e;
}

void ptx_names_open(struct ptx_names *t)
{
    t->scopes[++t->depth] = NULL;
}

void ptx_names_close(struct ptx_names *t)
{
    struct ptx_name *e, **p;

    for (e = t->scopes[t->depth]; e; e = e->next_scope) {
        for (p = &t->slots[e->hash & (t->room - 1)]; *p != e; p = &(*p)->next)
            ;
        *p = e->next;
        t->n--;
        if (e->kind == PTX_NAME_RANGE && t->depth > 1)
            t->inner_ranges--;
    }
    t->depth--;
}
