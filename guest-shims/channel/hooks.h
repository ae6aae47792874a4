/* SPDX-License-Identifier: Apache-2.0 */
/* What every entry point of a guest library passes through: log, tracer, faults.
 *
 * VGPU_LOG=LEVEL[:FILE]   error, warn (the default), info, debug, trace; to stderr or appended to FILE.
 *                         'trace' prints every call with its arguments and result.
 * VGPU_FAULT=FAULT,...    NAME=STATUS[@N]      the call returns STATUS instead of running, from the Nth
 *                                              time on (1: at once, the default)
 *                         NAME=sleep:SECONDS[@N]  the call runs SECONDS later
 *
 * Both are read at the first call, never in a constructor: a library that is only loaded does nothing.
 * When neither asks for anything, an entry point tests vgpu_hooks_on and goes on to its implementation. */
#ifndef VGPU_CHANNEL_HOOKS_H
#define VGPU_CHANNEL_HOOKS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define VGPU_EXPORT __attribute__((visibility("default")))

enum vgpu_log_level { VGPU_LOG_ERROR, VGPU_LOG_WARN, VGPU_LOG_INFO, VGPU_LOG_DEBUG, VGPU_LOG_TRACE };

/* Who speaks: the prefix of the log lines. A library's generated stubs define it; a program defines its own. */
extern const char *const vgpu_log_name;

/* One line, without its newline. errno is left alone. Any thread. */
void vgpu_log(enum vgpu_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool vgpu_log_wants(enum vgpu_log_level level);
/* Gets each warning and error too, whatever the level; NULL: nobody. */
extern void (*vgpu_log_sink)(enum vgpu_log_level level, const char *text);

/* Above 0 while a _ptds or _ptsz call without a stream argument runs on this thread: its work goes to the
 * per-thread default stream. Where the call has a stream argument, the wrapper has replaced the null stream by
 * VGPU_PER_THREAD_STREAM (CU_STREAM_PER_THREAD, cudaStreamPerThread) and this is not touched. */
extern _Thread_local unsigned vgpu_per_thread_stream;
#define VGPU_PER_THREAD_STREAM ((uintptr_t)2)
static inline void vgpu_leave_per_thread(unsigned *unused)
{
    vgpu_per_thread_stream--;
}
#define VGPU_PER_THREAD_SCOPE \
    __attribute__((cleanup(vgpu_leave_per_thread), unused)) unsigned scope_ = ++vgpu_per_thread_stream

/* ---- for generated code ---- */

enum vgpu_arg_kind {
    VGPU_ARG_I32,
    VGPU_ARG_U32,
    VGPU_ARG_I64,
    VGPU_ARG_U64,
    VGPU_ARG_HEX,
    VGPU_ARG_F64, /* the bits of a double, also for float */
    VGPU_ARG_STR,
    VGPU_ARG_PTR,
    VGPU_ARG_STRUCT, /* passed by value; the word points to it */
    VGPU_ARG_VOID,
};

struct vgpu_arg {
    const char *name;
    enum vgpu_arg_kind kind;
    bool written; /* a pointer to a value of that kind in host memory, which the call writes */
};

struct vgpu_call {
    const char *name;
    const struct vgpu_arg *args;
    int arg_count;
    enum vgpu_arg_kind result;
    bool status;          /* the result is the library's status: 0 is success, faults can set it */
    uint32_t unsupported; /* the status that says "not supported" */
    const char *reason;   /* why, or NULL */
    unsigned reported;    /* 1 once its being unsupported was logged */
    unsigned count;       /* times called while faults are set */
};

/* Nonzero: entry points must take the slow way. Nonzero from the start, so that the first call reads the
 * environment. */
extern int vgpu_hooks_on;

/* Before and after a call; WORDS holds its arguments. True: a fault replaces the call, whose status is *FAULT; FAULT
 * is NULL for calls that return something else, which can only be made to sleep. */
bool vgpu_call_enter(struct vgpu_call *call, const uint64_t *words, int *fault);
void vgpu_call_leave(struct vgpu_call *call, const uint64_t *words, uint64_t result);
/* The whole of a call that is not supported. Returns the status. */
uint32_t vgpu_call_unsupported(struct vgpu_call *call, const uint64_t *words);

static inline uint64_t vgpu_bits(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

#endif
