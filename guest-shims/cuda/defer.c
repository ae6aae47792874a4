/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/defer.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAP_MIN 20000 /* ns between two looks at what is waited for */
#define NAP_MAX 1000000

enum kind { ITEM_COMMAND, ITEM_HOST, ITEM_CALLBACK, ITEM_VALUE, ITEM_RECORD, ITEM_AWAIT, ITEM_FREE };

/* A piece of kept work. Its stream has a reference while it is in the list; events, waiting threads and other items too. */
struct vgpu_item {
    enum kind kind;
    unsigned refs;
    bool done, running;
    uint64_t seq; /* done: the command that it ended with */
    const struct CUctx_st *ended; /* done without being carried out, at the end of this context */
    struct vgpu_item *next;
    union {
        struct {
            uint16_t command;
            size_t fixed_size, tail_size;
            unsigned char *bytes;
        } command;
        struct {
            void (*fn)(void *);
            CUstreamCallback callback;
            CUstream handle;
            void *data;
        } host;
        struct {
            uint64_t address, value;
            size_t size;
            int condition;
        } value;
        struct CUevent_st *event; /* NULL: recorded elsewhere since, or gone */
        struct vgpu_item *other;
        uint64_t address;
    } as;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change; /* an item was appended or is done */
static struct CUstream_st *busy; /* streams that keep work */
static bool started;
static int busy_count; /* atomic */
static _Thread_local bool in_function;

bool vgpu_in_host_function(void)
{
    return in_function;
}

bool vgpu_deferring_any(void)
{
    return __atomic_load_n(&busy_count, __ATOMIC_RELAXED) != 0;
}

static bool blocking(const struct CUstream_st *stream)
{
    return !stream->legacy && !(stream->flags & 1);
}

/* The legacy stream and the context's blocking streams wait for each other. */
static bool waits_for(const struct CUstream_st *stream, const struct CUstream_st *other)
{
    return other != stream && other->context == stream->context &&
           ((stream->legacy && blocking(other)) || (other->legacy && blocking(stream)));
}

bool vgpu_deferring(struct CUstream_st *stream)
{
    bool found = false;

    if (!vgpu_deferring_any())
        return false;
    pthread_mutex_lock(&lock);
    for (const struct CUstream_st *s = busy; s && !found; s = s->busy_next)
        found = s == stream || waits_for(stream, s);
    pthread_mutex_unlock(&lock);
    return found;
}

/* ---- the library's thread; the lock is held unless said otherwise ---- */

static void unref(struct vgpu_item *item)
{
    if (--item->refs)
        return;
    if (item->kind == ITEM_COMMAND)
        free(item->as.command.bytes);
    if (item->kind == ITEM_AWAIT)
        unref(item->as.other);
    free(item);
}

static bool lost(void)
{
    return vgpu_channel_status(&vgpu_driver.channel) != 0;
}

static bool satisfied(const struct vgpu_item *item)
{
    uint64_t seen = 0, value = item->as.value.value;
    bool wide = item->as.value.size == 8;

    if (vgpu_memory_copy(&vgpu_driver.memory, item->as.value.address, &seen, item->as.value.size, VGPU_FROM_DEVICE))
        return false;
    switch (item->as.value.condition) {
    case 0: /* greater or equal, cyclic */
        return wide ? (int64_t)(seen - value) >= 0 : (int32_t)((uint32_t)seen - (uint32_t)value) >= 0;
    case 1:
        return seen == value;
    case 2:
        return (seen & value) != 0;
    default: /* nor */
        return wide ? ~(seen | value) != 0 : ~((uint32_t)seen | (uint32_t)value) != 0;
    }
}

/* Runs a program's function, with the lock released. */
static void call(struct vgpu_item *item)
{
    CUresult status = vgpu_channel_status(&vgpu_driver.channel);

    item->running = true;
    pthread_mutex_unlock(&lock);
    in_function = true;
    if (item->kind == ITEM_CALLBACK)
        item->as.host.callback(item->as.host.handle, status, item->as.host.data);
    else if (!status)
        item->as.host.fn(item->as.host.data);
    in_function = false;
    pthread_mutex_lock(&lock);
    item->running = false;
}

/* All that STREAM put onto the ring before ITEM is done. */
static bool reached(struct CUstream_st *stream, struct vgpu_item *item)
{
    if (!item->seq)
        item->seq = vgpu_stream_last(stream);
    return lost() || vgpu_done(&vgpu_driver.channel, item->seq);
}

/* True: ITEM, the first of STREAM, is done. */
static bool step(struct CUstream_st *stream, struct vgpu_item *item)
{
    switch (item->kind) {
    case ITEM_COMMAND:
        vgpu_stream_put(stream, item->as.command.command, item->as.command.bytes, item->as.command.fixed_size,
                        item->as.command.bytes + item->as.command.fixed_size, item->as.command.tail_size);
        return true; /* a failure is the channel's, and sticky */
    case ITEM_HOST:
    case ITEM_CALLBACK:
        if (!reached(stream, item))
            return false;
        call(item);
        return true;
    case ITEM_VALUE:
        return reached(stream, item) && (lost() || satisfied(item));
    case ITEM_RECORD:
        if (item->as.event) {
            if (vgpu_event_put(item->as.event, stream))
                item->as.event->seq = vgpu_stream_last(stream); /* without a time, for want of memory */
            item->as.event->pending = NULL;
            item->as.event = NULL;
            unref(item);
        }
        return true;
    case ITEM_AWAIT:
        if (item->as.other->done && !stream->legacy)
            vgpu_stream_advance(stream, item->as.other->seq);
        return item->as.other->done && item->as.other->ended != stream->context;
    case ITEM_FREE:
        vgpu_memory_free(&vgpu_driver.memory, item->as.address, 1u << VGPU_RANGE_DEVICE);
        return true;
    }
    return true;
}

/* STREAM's first item is done. */
static void pop(struct CUstream_st *stream)
{
    struct vgpu_item *item = stream->kept;

    item->done = true;
    item->seq = vgpu_stream_last(stream);
    stream->kept = item->next;
    unref(item);
    if (!stream->kept) {
        struct CUstream_st **at = &busy;
        while (*at != stream)
            at = &(*at)->busy_next;
        *at = stream->busy_next;
        stream->kept_last = NULL;
        __atomic_fetch_sub(&busy_count, 1, __ATOMIC_RELAXED);
        if (stream->gone)
            free(stream);
    }
    pthread_cond_broadcast(&change);
}

/* Moves one item on; false: none can be. */
static bool advance(void)
{
    for (struct CUstream_st *stream = busy; stream; stream = stream->busy_next) {
        if (!step(stream, stream->kept))
            continue;
        pop(stream);
        return true;
    }
    return false;
}

static void nap(long ns)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ns;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&change, &lock, &until);
}

static void *work(void *unused)
{
    pthread_mutex_lock(&lock);
    for (long ns = NAP_MIN;;) {
        if (!busy) {
            pthread_cond_wait(&change, &lock);
        } else if (advance()) {
            ns = NAP_MIN;
        } else {
            nap(ns);
            ns = ns * 2 < NAP_MAX ? ns * 2 : NAP_MAX;
        }
    }
    return unused;
}

/* A library with a thread must not be unloaded. */
static void pin(void)
{
    Dl_info info;

    if (dladdr(&busy, &info))
        dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

/* Signals are the program's threads' business. */
static int start(void)
{
    pthread_condattr_t attributes;
    sigset_t all, before;
    pthread_t thread;

    if (started)
        return 0;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&change, &attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, work, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return CUDA_ERROR_OPERATING_SYSTEM;
    pthread_detach(thread);
    pin();
    __atomic_store_n(&started, true, __ATOMIC_RELEASE);
    return 0;
}

/* ---- appending ---- */

static void link_item(struct CUstream_st *stream, struct vgpu_item *item)
{
    if (stream->kept) {
        stream->kept_last->next = item;
    } else {
        stream->kept = item;
        stream->busy_next = busy;
        busy = stream;
        __atomic_fetch_add(&busy_count, 1, __ATOMIC_RELAXED);
    }
    stream->kept_last = item;
}

static struct vgpu_item *new_item(const struct vgpu_item *contents)
{
    struct vgpu_item *item = malloc(sizeof *item);

    if (!item)
        return NULL;
    *item = *contents;
    item->refs = 1;
    if (item->kind == ITEM_AWAIT)
        item->as.other->refs++;
    return item;
}

/* Appends a copy of CONTENTS, behind what STREAM waits for implicitly. With the lock. */
static int append(struct CUstream_st *stream, const struct vgpu_item *contents, struct vgpu_item **result)
{
    int status = start();

    for (struct CUstream_st *s = busy; !status && s; s = s->busy_next) {
        if (!waits_for(stream, s))
            continue;
        struct vgpu_item *wait = new_item(&(struct vgpu_item){.kind = ITEM_AWAIT, .as.other = s->kept_last});
        if (wait)
            link_item(stream, wait);
        else
            status = CUDA_ERROR_OUT_OF_MEMORY;
    }
    struct vgpu_item *item = status ? NULL : new_item(contents);
    if (!item)
        return status ? status : CUDA_ERROR_OUT_OF_MEMORY;
    link_item(stream, item);
    pthread_cond_broadcast(&change);
    if (result)
        *result = item;
    return 0;
}

static int append_locking(struct CUstream_st *stream, const struct vgpu_item *contents)
{
    pthread_mutex_lock(&lock);
    int status = append(stream, contents, NULL);
    pthread_mutex_unlock(&lock);
    return status;
}

int vgpu_defer_command(struct CUstream_st *stream, uint16_t command, const void *fixed, size_t fixed_size, const void *tail,
                       size_t tail_size)
{
    struct vgpu_item item = {.kind = ITEM_COMMAND, .as.command = {command, fixed_size, tail_size, malloc(fixed_size + tail_size)}};

    if (!item.as.command.bytes)
        return CUDA_ERROR_OUT_OF_MEMORY;
    memcpy(item.as.command.bytes, fixed, fixed_size);
    if (tail_size)
        memcpy(item.as.command.bytes + fixed_size, tail, tail_size);
    int status = append_locking(stream, &item);
    if (status)
        free(item.as.command.bytes);
    return status;
}

int vgpu_defer_host(struct CUstream_st *stream, void (*fn)(void *), void *data)
{
    return append_locking(stream, &(struct vgpu_item){.kind = ITEM_HOST, .as.host = {.fn = fn, .data = data}});
}

int vgpu_defer_callback(struct CUstream_st *stream, CUstream handle, CUstreamCallback fn, void *data)
{
    return append_locking(
        stream, &(struct vgpu_item){.kind = ITEM_CALLBACK, .as.host = {.callback = fn, .handle = handle, .data = data}});
}

int vgpu_defer_value(struct CUstream_st *stream, uint64_t address, uint64_t value, size_t size, int condition)
{
    return append_locking(stream, &(struct vgpu_item){.kind = ITEM_VALUE, .as.value = {address, value, size, condition}});
}

int vgpu_defer_free(struct CUstream_st *stream, uint64_t address)
{
    return append_locking(stream, &(struct vgpu_item){.kind = ITEM_FREE, .as.address = address});
}

/* ---- events ---- */

static void supersede(struct CUevent_st *event)
{
    struct vgpu_item *item = event->pending;

    if (!item)
        return;
    item->as.event = NULL;
    event->pending = NULL;
    unref(item);
}

void vgpu_event_supersede(struct CUevent_st *event)
{
    pthread_mutex_lock(&lock);
    supersede(event);
    pthread_mutex_unlock(&lock);
}

int vgpu_defer_record(struct CUstream_st *stream, struct CUevent_st *event)
{
    struct vgpu_item *item;

    pthread_mutex_lock(&lock);
    supersede(event);
    int status = append(stream, &(struct vgpu_item){.kind = ITEM_RECORD, .as.event = event}, &item);
    if (!status) {
        item->refs++;
        event->pending = item;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

bool vgpu_event_pending(struct CUevent_st *event)
{
    if (!vgpu_deferring_any())
        return false;
    pthread_mutex_lock(&lock);
    bool pending = event->pending != NULL;
    pthread_mutex_unlock(&lock);
    return pending;
}

int vgpu_defer_await(struct CUstream_st *stream, struct CUevent_st *event, bool *taken)
{
    int status = 0;

    *taken = false;
    if (!vgpu_deferring_any())
        return 0;
    pthread_mutex_lock(&lock);
    *taken = event->pending != NULL;
    if (*taken)
        status = append(stream, &(struct vgpu_item){.kind = ITEM_AWAIT, .as.other = event->pending}, NULL);
    pthread_mutex_unlock(&lock);
    return status;
}

/* ---- waiting, ending ---- */

static void wait_for(struct vgpu_item *item)
{
    item->refs++;
    while (!item->done)
        pthread_cond_wait(&change, &lock);
    unref(item);
}

void vgpu_event_settle(struct CUevent_st *event)
{
    pthread_mutex_lock(&lock);
    if (event->pending)
        wait_for(event->pending);
    pthread_mutex_unlock(&lock);
}

void vgpu_defer_settle(struct CUstream_st *stream)
{
    bool again = vgpu_deferring_any();

    pthread_mutex_lock(&lock);
    while (again) { /* first what it waits for, whose list changes meanwhile */
        again = false;
        for (struct CUstream_st *s = busy; s && !again; s = s->busy_next) {
            again = s == stream || waits_for(stream, s);
            if (again)
                wait_for(s->kept_last);
        }
    }
    pthread_mutex_unlock(&lock);
}

void vgpu_defer_settle_all(const struct CUctx_st *context)
{
    bool again = vgpu_deferring_any();

    pthread_mutex_lock(&lock);
    while (again) {
        again = false;
        for (struct CUstream_st *s = busy; s && !again; s = s->busy_next) {
            again = !context || s->context == context;
            if (again)
                wait_for(s->kept_last);
        }
    }
    pthread_mutex_unlock(&lock);
}

bool vgpu_defer_stream_gone(struct CUstream_st *stream)
{
    pthread_mutex_lock(&lock);
    stream->gone = stream->kept != NULL;
    bool now = !stream->gone;
    pthread_mutex_unlock(&lock);
    return now;
}

static void give_up(struct CUstream_st *stream)
{
    for (struct vgpu_item *item = stream->kept; item; item = item->next) {
        item->ended = stream->context;
        if (item->kind == ITEM_RECORD && item->as.event)
            supersede(item->as.event);
    }
    for (bool more = true; more;) {
        more = stream->kept->next != NULL;
        pop(stream); /* the last one may free the stream */
    }
}

void vgpu_defer_end(struct CUctx_st *context)
{
    bool left = vgpu_deferring_any();

    pthread_mutex_lock(&lock);
    while (left) {
        struct CUstream_st *stuck = NULL;
        left = false;
        for (struct CUstream_st *s = busy; s && !stuck; s = s->busy_next) {
            if (s->context != context)
                continue;
            left = true;
            if (s->kept->kind == ITEM_VALUE ? reached(s, s->kept) && !satisfied(s->kept)
                                            : s->kept->kind == ITEM_AWAIT && s->kept->as.other->ended == context)
                stuck = s;
        }
        if (stuck)
            give_up(stuck);
        else if (left)
            nap(NAP_MAX);
    }
    pthread_mutex_unlock(&lock);
}

/* The channel is about to be closed for good: whatever is kept stays so. */
void vgpu_defer_stop(void)
{
    if (__atomic_load_n(&started, __ATOMIC_ACQUIRE))
        pthread_mutex_lock(&lock);
}
