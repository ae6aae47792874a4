/* SPDX-License-Identifier: Apache-2.0 */
/* What a library keeps with a context: a value for each key, and a function that is told when the context is gone. */
#include <stdlib.h>

#include "cuda/driver.h"

struct vgpu_storage {
    struct vgpu_storage *next;
    struct CUctx_st *context;
    void *key, *value;
    vgpu_storage_gone *gone;
};

/* The link that leads to KEY's, or to the end. */
static struct vgpu_storage **find(struct CUctx_st *context, const void *key)
{
    struct vgpu_storage **link = &context->storage;

    while (*link && (*link)->key != key)
        link = &(*link)->next;
    return link;
}

/* CONTEXT, or the current one for NULL; locks the driver unless it fails. */
static int enter(struct CUctx_st **context)
{
    int status = vgpu_enter_init();

    if (status)
        return status;
    if (!*context)
        *context = vgpu_current();
    if (!*context)
        return CUDA_ERROR_INVALID_CONTEXT;
    pthread_mutex_lock(&vgpu_driver.lock);
    status = vgpu_context_check(*context);
    if (status)
        pthread_mutex_unlock(&vgpu_driver.lock);
    return status;
}

int vgpu_storage_put(struct CUctx_st *context, void *key, void *value, vgpu_storage_gone *gone)
{
    struct vgpu_storage *new, **link;
    int status = enter(&context);

    if (status)
        return status;
    link = find(context, key);
    new = *link ? *link : malloc(sizeof *new);
    if (new)
        *new = (struct vgpu_storage){*link ? (*link)->next : NULL, context, key, value, gone};
    *link = new;
    pthread_mutex_unlock(&vgpu_driver.lock);
    return new ? 0 : CUDA_ERROR_OUT_OF_MEMORY;
}

int vgpu_storage_delete(struct CUctx_st *context, void *key)
{
    struct vgpu_storage *old, **link;
    int status = enter(&context);

    if (status)
        return status;
    link = find(context, key);
    old = *link;
    if (old)
        *link = old->next;
    pthread_mutex_unlock(&vgpu_driver.lock);
    free(old);
    return old ? 0 : CUDA_ERROR_INVALID_HANDLE;
}

int vgpu_storage_get(void **value, struct CUctx_st *context, void *key)
{
    const struct vgpu_storage *found;
    int status = value ? enter(&context) : CUDA_ERROR_INVALID_VALUE;

    if (status)
        return status;
    found = *find(context, key);
    if (found)
        *value = found->value;
    pthread_mutex_unlock(&vgpu_driver.lock);
    return found ? 0 : CUDA_ERROR_INVALID_HANDLE;
}

struct vgpu_storage *vgpu_storage_take(struct CUctx_st *context)
{
    struct vgpu_storage *all = context->storage;

    context->storage = NULL;
    return all;
}

void vgpu_storage_end(struct vgpu_storage *all)
{
    while (all) {
        struct vgpu_storage *next = all->next;

        if (all->gone)
            all->gone(all->context, all->key, all->value);
        free(all);
        all = next;
    }
}
