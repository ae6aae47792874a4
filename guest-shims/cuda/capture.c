/* SPDX-License-Identifier: Apache-2.0 */
/* Stream capture: calls on a capturing stream become nodes of a graph, and run nowhere. */
#include <stdlib.h>
#include <string.h>

#include "cuda/graph.h"

struct vgpu_capture {
    uint64_t id;
    struct CUgraph_st *graph;
    bool given; /* the caller's graph: not ours to free */
    struct CUctx_st *context;
    struct CUstream_st *origin;
    struct CUstream_st **streams; /* all that take part */
    size_t stream_count;
    struct CUgraphNode_st **left; /* where streams ended that were destroyed: to be joined like the others */
    size_t left_count;
    int mode;
    const void *thread;
    bool invalid;
    struct vgpu_capture *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vgpu_capture *captures;
static int active; /* how many; atomic, so that without any no lock is taken */

static _Thread_local int thread_mode = CAPTURE_MODE_GLOBAL;

/* Any address that belongs to this thread names it. */
static const void *this_thread(void)
{
    return &thread_mode;
}

static bool any_active(void)
{
    return __atomic_load_n(&active, __ATOMIC_RELAXED) != 0;
}

bool vgpu_capturing(struct CUstream_st *stream)
{
    return any_active() && __atomic_load_n(&stream->capture, __ATOMIC_ACQUIRE) != NULL;
}

static bool is_blocking(const struct CUstream_st *stream)
{
    return !stream->legacy && !(stream->flags & 1);
}

/* A capture in CONTEXT that takes in a stream which waits for the legacy stream. */
static struct vgpu_capture *blocking_capture(const struct CUctx_st *context)
{
    for (struct vgpu_capture *capture = captures; capture; capture = capture->next)
        for (size_t i = 0; capture->context == context && i < capture->stream_count; i++)
            if (is_blocking(capture->streams[i]))
                return capture;
    return NULL;
}

int vgpu_capture_implicit(struct CUstream_st *stream)
{
    int status = 0;

    if (!stream->legacy || !any_active())
        return 0;
    pthread_mutex_lock(&lock);
    struct vgpu_capture *capture = blocking_capture(stream->context);
    if (capture) {
        capture->invalid = true;
        status = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

int vgpu_capture_forbids(struct CUstream_st *stream)
{
    int status = 0;

    if (!any_active())
        return 0;
    pthread_mutex_lock(&lock);
    if (stream->capture) {
        stream->capture->invalid = true;
        status = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    pthread_mutex_unlock(&lock);
    return status ? status : vgpu_capture_implicit(stream);
}

int vgpu_capture_forbids_context(struct CUctx_st *context)
{
    int status = 0;

    if (!any_active())
        return 0;
    pthread_mutex_lock(&lock);
    for (struct vgpu_capture *capture = captures; capture; capture = capture->next) {
        if (capture->context != context)
            continue;
        capture->invalid = true;
        status = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

/* CUDA's rule for calls that could not be captured, by the thread's mode: relaxed ones go through; a thread must not make them
 * during its own captures but relaxed ones; nor, in global mode, during anybody's global one. */
int vgpu_capture_unsafe(void)
{
    int status = 0;

    if (!any_active() || thread_mode == CAPTURE_MODE_RELAXED)
        return 0;
    pthread_mutex_lock(&lock);
    for (struct vgpu_capture *capture = captures; capture; capture = capture->next) {
        bool own = capture->thread == this_thread() && capture->mode != CAPTURE_MODE_RELAXED;
        bool global = thread_mode == CAPTURE_MODE_GLOBAL && capture->mode == CAPTURE_MODE_GLOBAL;
        if (!own && !global)
            continue;
        capture->invalid = true;
        status = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

/* ---- streams in captures ---- */

static void set_tails(struct CUgraphNode_st ***tails, size_t *count, struct CUgraphNode_st **fresh, size_t fresh_count)
{
    free(*tails);
    *tails = fresh;
    *count = fresh_count;
}

static int copy_tails(struct CUgraphNode_st *const *from, size_t count, struct CUgraphNode_st ***to)
{
    *to = malloc((count + 1) * sizeof **to);
    if (!*to)
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (count)
        memcpy(*to, from, count * sizeof **to);
    return 0;
}

static int join(struct vgpu_capture *capture, struct CUstream_st *stream, struct CUgraphNode_st *const *tails, size_t count)
{
    struct CUgraphNode_st **own;
    struct CUstream_st **grown = realloc(capture->streams, (capture->stream_count + 1) * sizeof *grown);

    if (grown)
        capture->streams = grown;
    if (!grown || copy_tails(tails, count, &own))
        return CUDA_ERROR_OUT_OF_MEMORY;
    grown[capture->stream_count++] = stream;
    set_tails(&stream->tails, &stream->tail_count, own, count);
    __atomic_store_n(&stream->capture, capture, __ATOMIC_RELEASE);
    return 0;
}

static void leave(struct CUstream_st *stream)
{
    __atomic_store_n(&stream->capture, NULL, __ATOMIC_RELEASE);
    set_tails(&stream->tails, &stream->tail_count, NULL, 0);
}

/* Ends CAPTURE; its graph stays. */
static void finish(struct vgpu_capture *capture)
{
    struct vgpu_capture **at = &captures;

    while (*at != capture)
        at = &(*at)->next;
    *at = capture->next;
    __atomic_fetch_sub(&active, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < capture->stream_count; i++)
        leave(capture->streams[i]);
    free(capture->streams);
    free(capture->left);
    free(capture);
}

static void abandon(struct vgpu_capture *capture)
{
    if (!capture->given)
        vgpu_graph_free(capture->graph);
    finish(capture);
}

void vgpu_capture_stream_gone(struct CUstream_st *stream)
{
    pthread_mutex_lock(&lock);
    struct vgpu_capture *capture = stream->capture;
    if (capture && capture->origin == stream) {
        abandon(capture);
    } else if (capture) {
        size_t out = 0, count = capture->left_count + stream->tail_count;
        struct CUgraphNode_st **grown = realloc(capture->left, (count + 1) * sizeof *grown);
        if (grown) {
            if (stream->tail_count)
                memcpy(grown + capture->left_count, stream->tails, stream->tail_count * sizeof *grown);
            capture->left = grown;
            capture->left_count = count;
        }
        capture->invalid = capture->invalid || !grown;
        for (size_t i = 0; i < capture->stream_count; i++)
            if (capture->streams[i] != stream)
                capture->streams[out++] = capture->streams[i];
        capture->stream_count = out;
        leave(stream);
    }
    pthread_mutex_unlock(&lock);
}

void vgpu_captures_forget(struct CUctx_st *context)
{
    pthread_mutex_lock(&lock);
    for (struct vgpu_capture *capture = captures, *next; capture; capture = next) {
        next = capture->next;
        if (capture->context == context)
            abandon(capture);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- recording ---- */

/* Behind what STREAM has done. */
int vgpu_capture_node(struct CUstream_st *stream, const struct CUgraphNode_st *contents)
{
    struct CUgraphNode_st *node, **tails;
    int status = 0;

    pthread_mutex_lock(&lock);
    struct vgpu_capture *capture = stream->capture;
    if (!capture || capture->invalid)
        status = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!status)
        status = vgpu_node_add(capture->graph, contents->type, stream->tails, stream->tail_count, &node);
    if (!status)
        status = vgpu_node_assign(node, contents);
    if (!status)
        status = copy_tails(&node, 1, &tails);
    if (!status)
        set_tails(&stream->tails, &stream->tail_count, tails, 1);
    else if (capture)
        capture->invalid = true;
    pthread_mutex_unlock(&lock);
    return status;
}

static int record_command(struct CUstream_st *stream, struct CUfunc_st *function, uint16_t command, const void *fixed,
                          size_t fixed_size, const void *tail, size_t tail_size)
{
    struct CUgraphNode_st contents = {.type = NODE_KERNEL, .as.kernel.function = function};
    int status = vgpu_record_set(&contents.as.kernel.record, command, fixed, fixed_size, tail, tail_size);

    if (!status)
        status = vgpu_capture_node(stream, &contents);
    free(contents.as.kernel.record.bytes);
    return status;
}

int vgpu_capture_command(struct CUstream_st *stream, uint16_t command, const void *fixed, size_t fixed_size,
                         const void *tail, size_t tail_size)
{
    return record_command(stream, NULL, command, fixed, fixed_size, tail, tail_size);
}

int vgpu_capture_launch(struct CUstream_st *stream, struct CUfunc_st *function, const struct vgpu_cmd_launch *launch,
                        const void *params, size_t size)
{
    return record_command(stream, function, VGPU_CMD_LAUNCH, launch, sizeof *launch, params, size);
}

int vgpu_capture_copy(struct CUstream_st *stream, const struct CUDA_MEMCPY3D *copy)
{
    return vgpu_capture_node(stream, &(struct CUgraphNode_st){.type = NODE_MEMCPY, .as.copy = *copy});
}

int vgpu_capture_memset(struct CUstream_st *stream, const struct CUDA_MEMSET_NODE_PARAMS *params)
{
    return vgpu_capture_node(stream, &(struct CUgraphNode_st){.type = NODE_MEMSET, .as.fill = *params});
}

int vgpu_capture_host(struct CUstream_st *stream, void (*fn)(void *), void *data)
{
    return vgpu_capture_node(stream, &(struct CUgraphNode_st){.type = NODE_HOST, .as.host = {fn, data}});
}

int vgpu_capture_graph(struct CUstream_st *stream, struct CUgraph_st *graph)
{
    return vgpu_capture_node(stream, &(struct CUgraphNode_st){.type = NODE_GRAPH, .as.child = graph});
}

/* ---- events carry dependencies from stream to stream ---- */

int vgpu_capture_record(struct CUstream_st *stream, struct CUevent_st *event)
{
    struct CUgraphNode_st **tails;
    int status = 0;

    pthread_mutex_lock(&lock);
    struct vgpu_capture *capture = stream->capture;
    if (!capture || capture->invalid)
        status = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!status)
        status = copy_tails(stream->tails, stream->tail_count, &tails);
    if (!status) {
        set_tails(&event->tails, &event->tail_count, tails, stream->tail_count);
        event->capture_id = capture->id;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static struct vgpu_capture *by_id(uint64_t id)
{
    struct vgpu_capture *capture = captures;

    while (capture && capture->id != id)
        capture = capture->next;
    return capture;
}

static int add_tails(struct CUstream_st *stream, struct CUgraphNode_st *const *more, size_t count)
{
    struct CUgraphNode_st **tails = realloc(stream->tails, (stream->tail_count + count + 1) * sizeof *tails);

    if (!tails)
        return CUDA_ERROR_OUT_OF_MEMORY;
    stream->tails = tails;
    for (size_t i = 0; i < count; i++) {
        size_t have = 0;
        while (have < stream->tail_count && tails[have] != more[i])
            have++;
        if (have == stream->tail_count)
            tails[stream->tail_count++] = more[i];
    }
    return 0;
}

int vgpu_capture_wait(struct CUstream_st *stream, struct CUevent_st *event, bool *taken)
{
    int status = 0;

    if (!any_active() && !event->capture_id)
        return 0;
    pthread_mutex_lock(&lock);
    struct vgpu_capture *from = event->capture_id ? by_id(event->capture_id) : NULL, *to = stream->capture;
    *taken = from || to;
    if (event->capture_id && !from)
        status = CUDA_ERROR_CAPTURED_EVENT; /* that capture is over */
    else if (!from && to)
        status = CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    else if (from && from->invalid)
        status = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    else if (from && to && from != to)
        status = CUDA_ERROR_STREAM_CAPTURE_MERGE;
    else if (from && stream->legacy)
        status = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    else if (from && to)
        status = add_tails(stream, event->tails, event->tail_count);
    else if (from)
        status = join(from, stream, event->tails, event->tail_count);
    if (status && from)
        from->invalid = true;
    if (status && to)
        to->invalid = true;
    pthread_mutex_unlock(&lock);
    return status;
}

/* ---- entry points ---- */

static int enter(CUstream handle, struct CUstream_st **stream)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_stream(handle, context, stream);
}

CUresult impl_cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
    int status = vgpu_enter_init();

    if (!status && (!mode || *mode < CAPTURE_MODE_GLOBAL || *mode > CAPTURE_MODE_RELAXED))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    int before = thread_mode;
    thread_mode = *mode;
    *mode = before;
    return 0;
}

static int begin(CUstream handle, struct CUgraph_st *graph, const CUgraphNode *tails, size_t count, int mode)
{
    struct CUstream_st *stream;
    int status = enter(handle, &stream);

    if (!status && (mode < CAPTURE_MODE_GLOBAL || mode > CAPTURE_MODE_RELAXED))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status && stream->legacy)
        status = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (status)
        return status;
    struct vgpu_capture *capture = calloc(1, sizeof *capture);
    if (!capture)
        return CUDA_ERROR_OUT_OF_MEMORY;
    pthread_mutex_lock(&lock);
    if (stream->capture)
        status = CUDA_ERROR_ILLEGAL_STATE;
    if (!status) {
        *capture = (struct vgpu_capture){.id = vgpu_new_id(), .graph = graph, .given = graph != NULL,
                                         .context = stream->context, .origin = stream, .mode = mode,
                                         .thread = this_thread(), .next = captures};
        if (!graph && !(capture->graph = vgpu_graph_new(stream->context)))
            status = CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (!status)
        status = join(capture, stream, tails, count);
    if (!status) {
        captures = capture;
        __atomic_fetch_add(&active, 1, __ATOMIC_RELAXED);
    } else {
        if (!capture->given)
            vgpu_graph_free(capture->graph);
        free(capture->streams);
        free(capture);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

CUresult impl_cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode)
{
    return begin(stream, NULL, NULL, 0, mode);
}

CUresult impl_cuStreamBeginCapture(CUstream stream)
{
    return begin(stream, NULL, NULL, 0, CAPTURE_MODE_GLOBAL);
}

CUresult impl_cuStreamBeginCaptureToGraph(CUstream stream, CUgraph graph, const CUgraphNode *dependencies,
                                          const CUgraphEdgeData *data, size_t count, CUstreamCaptureMode mode)
{
    int status = vgpu_graph_check(graph);

    if (!status && (graph->inner || (count && !dependencies)))
        status = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; !status && i < count; i++)
        if (!vgpu_handle_is(dependencies[i], KIND_NODE) || dependencies[i]->graph != graph)
            status = CUDA_ERROR_INVALID_VALUE;
    return status ? status : begin(stream, graph, dependencies, count, mode);
}

/* All that was captured, in any stream, is waited for by the origin's end. */
static bool all_joined(const struct vgpu_capture *capture)
{
    const struct CUgraph_st *graph = capture->graph;
    bool joined = true;

    for (size_t i = 0; i < graph->count; i++)
        graph->nodes[i]->index = 0;
    for (size_t t = 0; t < capture->origin->tail_count; t++)
        capture->origin->tails[t]->index = 1;
    /* Nodes were added after what they depend on: backwards, all that the end depends on is marked. */
    for (size_t i = graph->count; i-- > 0;)
        for (size_t d = 0; graph->nodes[i]->index && d < graph->nodes[i]->dependency_count; d++)
            graph->nodes[i]->dependencies[d]->index = 1;
    for (size_t s = 0; s < capture->stream_count; s++)
        for (size_t t = 0; t < capture->streams[s]->tail_count; t++)
            joined = joined && capture->streams[s]->tails[t]->index;
    for (size_t t = 0; t < capture->left_count; t++)
        joined = joined && capture->left[t]->index;
    return joined;
}

CUresult impl_cuStreamEndCapture(CUstream handle, CUgraph *graph)
{
    struct CUstream_st *stream;
    int status = enter(handle, &stream);

    if (!status && !graph)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    *graph = NULL;
    pthread_mutex_lock(&lock);
    struct vgpu_capture *capture = stream->capture;
    if (!capture) {
        status = CUDA_ERROR_ILLEGAL_STATE;
    } else if (capture->origin != stream) {
        capture->invalid = true;
        status = CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    } else if (capture->mode != CAPTURE_MODE_RELAXED && capture->thread != this_thread()) {
        status = CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    } else if (capture->invalid || !all_joined(capture)) {
        status = capture->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
        abandon(capture);
    } else {
        *graph = capture->graph;
        finish(capture);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static int info(CUstream handle, CUstreamCaptureStatus *state, uint64_t *id, CUgraph *graph, void **dependencies,
                void **edge_data, size_t *count)
{
    struct CUstream_st *stream;
    int status = enter(handle, &stream);

    if (!status && !state)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    const struct vgpu_capture *capture = stream->capture;
    *state = !capture ? CAPTURE_NONE : capture->invalid ? CAPTURE_INVALIDATED : CAPTURE_ACTIVE;
    if (!capture && stream->legacy && blocking_capture(stream->context))
        status = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    if (*state == CAPTURE_ACTIVE) {
        if (id)
            *id = capture->id;
        if (graph)
            *graph = capture->graph;
        if (dependencies)
            *dependencies = stream->tails;
        if (edge_data)
            *edge_data = NULL; /* all edges are plain */
        if (count)
            *count = stream->tail_count;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

CUresult impl_cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *state)
{
    return info(stream, state, NULL, NULL, NULL, NULL, NULL);
}

CUresult impl_cuStreamGetCaptureInfo(CUstream stream, CUstreamCaptureStatus *state, uint64_t *id)
{
    return info(stream, state, id, NULL, NULL, NULL, NULL);
}

CUresult impl_cuStreamGetCaptureInfo_v2(CUstream stream, CUstreamCaptureStatus *state, uint64_t *id, CUgraph *graph,
                                        void **dependencies, size_t *count)
{
    return info(stream, state, id, graph, dependencies, NULL, count);
}

CUresult impl_cuStreamGetCaptureInfo_v3(CUstream stream, CUstreamCaptureStatus *state, uint64_t *id, CUgraph *graph,
                                        void **dependencies, void **edge_data, size_t *count)
{
    return info(stream, state, id, graph, dependencies, edge_data, count);
}

CUresult impl_cuStreamUpdateCaptureDependencies_v2(CUstream handle, CUgraphNode *dependencies, const CUgraphEdgeData *data,
                                                   size_t count, uint32_t flags)
{
    struct CUgraphNode_st **tails;
    struct CUstream_st *stream;
    int status = enter(handle, &stream);

    if (!status && (flags > 1 || (count && !dependencies)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    if (!stream->capture)
        status = CUDA_ERROR_ILLEGAL_STATE;
    for (size_t i = 0; !status && i < count; i++)
        if (!vgpu_handle_is(dependencies[i], KIND_NODE) || dependencies[i]->graph != stream->capture->graph)
            status = CUDA_ERROR_INVALID_VALUE;
    if (!status && flags) { /* in place of what there was */
        status = copy_tails(dependencies, count, &tails);
        if (!status)
            set_tails(&stream->tails, &stream->tail_count, tails, count);
    } else if (!status) {
        status = add_tails(stream, dependencies, count);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

CUresult impl_cuStreamUpdateCaptureDependencies(CUstream stream, CUgraphNode *dependencies, size_t count, uint32_t flags)
{
    return impl_cuStreamUpdateCaptureDependencies_v2(stream, dependencies, NULL, count, flags);
}
