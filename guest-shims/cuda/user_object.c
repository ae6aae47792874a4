/* SPDX-License-Identifier: Apache-2.0 */
/* User objects: something of the program's with a counted life, which graphs can share. */
#include <stdlib.h>

#include "cuda/graph.h"

enum { NO_DESTRUCTOR_SYNC = 1, MOVE = 1, MOST = INT32_MAX };

struct CUuserObject_st {
    unsigned refs;
    void *data;
    void (*destroy)(void *);
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_object(CUuserObject object)
{
    return vgpu_handle_is(object, KIND_USER_OBJECT);
}

/* The program's destructor runs when the last reference goes, on the thread that lets it go. */
static void drop(struct CUuserObject_st *object, unsigned count)
{
    pthread_mutex_lock(&lock);
    object->refs -= count < object->refs ? count : object->refs;
    bool last = !object->refs;
    if (last)
        vgpu_handle_remove(object);
    pthread_mutex_unlock(&lock);
    if (last) {
        object->destroy(object->data);
        free(object);
    }
}

CUresult impl_cuUserObjectCreate(CUuserObject *result, void *data, CUhostFn destroy, uint32_t count, uint32_t flags)
{
    int status = vgpu_enter_init();

    if (!status && (!result || !destroy || flags != NO_DESTRUCTOR_SYNC || !count || count > MOST))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    struct CUuserObject_st *object = calloc(1, sizeof *object);
    if (!object)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *object = (struct CUuserObject_st){count, data, destroy};
    status = vgpu_handle_add(object, KIND_USER_OBJECT, NULL);
    if (status)
        free(object);
    else
        *result = object;
    return status;
}

static int check(CUuserObject object, uint32_t count)
{
    int status = vgpu_enter_init();

    return status ? status : is_object(object) && count && count <= MOST ? 0 : CUDA_ERROR_INVALID_VALUE;
}

CUresult impl_cuUserObjectRetain(CUuserObject object, uint32_t count)
{
    int status = check(object, count);

    if (status)
        return status;
    pthread_mutex_lock(&lock);
    object->refs += count;
    pthread_mutex_unlock(&lock);
    return 0;
}

CUresult impl_cuUserObjectRelease(CUuserObject object, uint32_t count)
{
    int status = check(object, count);

    if (!status)
        drop(object, count);
    return status;
}

/* ---- references that graphs hold ---- */

int vgpu_graph_hold(struct CUgraph_st *graph, CUuserObject object, unsigned count)
{
    for (size_t i = 0; i < graph->held_count; i++) {
        if (graph->held[i].object == object) {
            graph->held[i].count += count;
            return 0;
        }
    }
    struct vgpu_held *grown = realloc(graph->held, (graph->held_count + 1) * sizeof *grown);
    if (!grown)
        return CUDA_ERROR_OUT_OF_MEMORY;
    graph->held = grown;
    grown[graph->held_count++] = (struct vgpu_held){object, count};
    return 0;
}

/* A clone holds one reference of its own to each. */
int vgpu_graph_share(struct CUgraph_st *to, const struct CUgraph_st *from)
{
    int status = 0;

    for (size_t i = 0; !status && i < from->held_count; i++) {
        status = vgpu_graph_hold(to, from->held[i].object, 1);
        if (!status)
            impl_cuUserObjectRetain(from->held[i].object, 1);
    }
    return status;
}

void vgpu_graph_let_go(struct CUgraph_st *graph)
{
    for (size_t i = 0; i < graph->held_count; i++)
        if (is_object(graph->held[i].object))
            drop(graph->held[i].object, graph->held[i].count);
    free(graph->held);
    graph->held = NULL;
    graph->held_count = 0;
}

CUresult impl_cuGraphRetainUserObject(CUgraph graph, CUuserObject object, uint32_t count, uint32_t flags)
{
    int status = vgpu_graph_check(graph);

    if (!status)
        status = flags & ~(uint32_t)MOVE ? CUDA_ERROR_INVALID_VALUE : check(object, count);
    if (!status)
        status = vgpu_graph_hold(graph, object, count);
    if (!status && !(flags & MOVE))
        status = impl_cuUserObjectRetain(object, count);
    return status;
}

CUresult impl_cuGraphReleaseUserObject(CUgraph graph, CUuserObject object, uint32_t count)
{
    int status = vgpu_graph_check(graph);

    if (!status)
        status = check(object, count);
    for (size_t i = 0; !status && i < graph->held_count; i++) {
        if (graph->held[i].object != object || graph->held[i].count < count)
            continue;
        graph->held[i].count -= count;
        if (!graph->held[i].count)
            graph->held[i] = graph->held[--graph->held_count];
        drop(object, count);
        return 0;
    }
    return status ? status : CUDA_ERROR_INVALID_VALUE;
}
