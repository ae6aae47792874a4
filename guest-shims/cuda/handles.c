/* SPDX-License-Identifier: Apache-2.0 */
/* The table of handles: a hash set of addresses, each with its kind and owner. */
#include <stdlib.h>

#include "cuda/driver.h"

struct entry {
    uintptr_t object; /* 0: never used; 1: removed */
    enum vgpu_kind kind;
    const void *owner;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;
static size_t room, used, live; /* used: with removed ones */

/* Objects come from malloc, whose addresses are multiples of 16. */
static size_t slot_of(uintptr_t object)
{
    return (size_t)((object >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (room - 1);
}

static struct entry *lookup(uintptr_t object)
{
    if (!room || object < 2)
        return NULL;
    for (size_t i = slot_of(object);; i = (i + 1) & (room - 1)) {
        if (entries[i].object == object)
            return &entries[i];
        if (!entries[i].object)
            return NULL;
    }
}

static void insert(struct entry entry)
{
    size_t i = slot_of(entry.object);

    while (entries[i].object)
        i = (i + 1) & (room - 1);
    entries[i] = entry;
    used++;
}

static bool grow(void)
{
    struct entry *old = entries;
    size_t old_room = room, wanted = room && live * 4 < room ? room : room ? room * 2 : 256;
    struct entry *fresh = calloc(wanted, sizeof *fresh);

    if (!fresh)
        return false;
    entries = fresh;
    room = wanted;
    used = 0;
    for (size_t i = 0; i < old_room; i++)
        if (old[i].object > 1)
            insert(old[i]);
    free(old);
    return true;
}

int vgpu_handle_add(void *object, enum vgpu_kind kind, void *owner)
{
    int status = 0;

    pthread_mutex_lock(&lock);
    if (used * 2 >= room && !grow()) {
        status = CUDA_ERROR_OUT_OF_MEMORY;
    } else {
        insert((struct entry){(uintptr_t)object, kind, owner});
        live++;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

void vgpu_handle_remove(void *object)
{
    pthread_mutex_lock(&lock);
    struct entry *entry = lookup((uintptr_t)object);
    if (entry) {
        *entry = (struct entry){.object = 1};
        live--;
    }
    pthread_mutex_unlock(&lock);
}

bool vgpu_handle_is(const void *object, enum vgpu_kind kind)
{
    pthread_mutex_lock(&lock);
    const struct entry *entry = lookup((uintptr_t)object);
    bool is = entry && entry->kind == kind;
    pthread_mutex_unlock(&lock);
    return is;
}

void *vgpu_handle_of(const void *owner, enum vgpu_kind kind)
{
    void *object = NULL;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < room && !object; i++)
        if (entries[i].object > 1 && entries[i].owner == owner && entries[i].kind == kind)
            object = (void *)entries[i].object;
    pthread_mutex_unlock(&lock);
    return object;
}

size_t vgpu_handle_count(void)
{
    pthread_mutex_lock(&lock);
    size_t count = live;
    pthread_mutex_unlock(&lock);
    return count;
}
