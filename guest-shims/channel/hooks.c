/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/hooks.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

int vgpu_hooks_on = 1;
_Thread_local unsigned vgpu_per_thread_stream;

enum { FAULTS_MAX = 64, NAME_MAX_ = 96, LINE_MAX_ = 1024 };

struct fault {
    char name[NAME_MAX_];
    bool sleeps;
    int value; /* status, or seconds */
    unsigned from;
};

/* Read once, by whoever comes first; the others wait for it. The C library's own once-function is bound to
 * GLIBC_2.34 by newer link editors. */
static struct {
    atomic_int state; /* 0 not read, 1 being read, 2 read */
    int level, fd;
    int fault_count;
    struct fault faults[FAULTS_MAX];
} hooks = {.level = VGPU_LOG_WARN, .fd = STDERR_FILENO};

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};

static void write_line(int level, const char *text, int length)
{
    char line[LINE_MAX_ + 128];
    int n = snprintf(line, sizeof line, "%s[%d]: %s: %.*s\n", vgpu_log_name, (int)getpid(), level_names[level], length,
                     text);

    if (n >= (int)sizeof line) {
        n = (int)sizeof line - 1;
        line[n - 1] = '\n';
    }
    /* One write a line, so that lines of several processes stay whole. */
    ssize_t written = write(hooks.fd, line, (size_t)n);
    (void)written;
}

__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...)
{
    char text[LINE_MAX_];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    write_line(VGPU_LOG_WARN, text, n < (int)sizeof text ? n : (int)sizeof text - 1);
}

static void read_log(const char *text)
{
    size_t length = strcspn(text, ":");

    for (int i = 0; i <= VGPU_LOG_TRACE; i++) {
        if (strlen(level_names[i]) != length || strncmp(text, level_names[i], length))
            continue;
        hooks.level = i;
        if (!text[length])
            return;
        int fd = open(text + length + 1, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
        if (fd < 0)
            complain("VGPU_LOG: %.200s: %s", text + length + 1, strerror(errno));
        else
            hooks.fd = fd;
        return;
    }
    complain("VGPU_LOG=%.200s: the level is none of error, warn, info, debug, trace", text);
}

static bool read_number(const char **text, unsigned long max, unsigned long *value)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *value = strtoul(*text, &end, 10);
    *text = end;
    return !errno && *value <= max;
}

static bool read_fault(const char *text, size_t length, struct fault *fault)
{
    const char *equals = memchr(text, '=', length), *end = text + length;
    unsigned long value = 0, from = 1;

    if (!equals || equals == text || equals - text >= NAME_MAX_)
        return false;
    memcpy(fault->name, text, (size_t)(equals - text));
    fault->name[equals - text] = 0;
    text = equals + 1;
    fault->sleeps = !strncmp(text, "sleep:", 6);
    if (fault->sleeps)
        text += 6;
    if (!read_number(&text, fault->sleeps ? 86400 : INT_MAX, &value))
        return false;
    if (*text == '@' && text < end) {
        text++;
        if (!read_number(&text, UINT_MAX, &from) || !from)
            return false;
    }
    fault->value = (int)value;
    fault->from = (unsigned)from;
    return text == end;
}

static void read_faults(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, ",");
        if (length && hooks.fault_count == FAULTS_MAX) {
            complain("VGPU_FAULT: more than %d faults; the rest is left out", FAULTS_MAX);
            return;
        }
        if (length) {
            if (read_fault(text, length, &hooks.faults[hooks.fault_count]))
                hooks.fault_count++;
            else
                complain("VGPU_FAULT: '%.*s' is not NAME=STATUS[@N] or NAME=sleep:SECONDS[@N]",
                         length < 200 ? (int)length : 200, text);
        }
        text += length + (text[length] == ',');
    }
}

static void start(void)
{
    int fresh = 0;

    if (atomic_load_explicit(&hooks.state, memory_order_acquire) == 2)
        return;
    if (!atomic_compare_exchange_strong(&hooks.state, &fresh, 1)) {
        while (atomic_load_explicit(&hooks.state, memory_order_acquire) != 2)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        return;
    }
    int saved = errno;
    /* A program that runs with other rights than its caller takes no orders from the caller's environment. */
    const char *log = secure_getenv("VGPU_LOG"), *faults = secure_getenv("VGPU_FAULT");
    if (log && *log)
        read_log(log);
    if (faults && *faults)
        read_faults(faults);
    errno = saved;
    __atomic_store_n(&vgpu_hooks_on, hooks.level >= VGPU_LOG_TRACE || hooks.fault_count, __ATOMIC_RELAXED);
    atomic_store_explicit(&hooks.state, 2, memory_order_release);
}

bool vgpu_log_wants(enum vgpu_log_level level)
{
    start();
    return (int)level <= hooks.level;
}

void (*vgpu_log_sink)(enum vgpu_log_level level, const char *text);

void vgpu_log(enum vgpu_log_level level, const char *fmt, ...)
{
    char text[LINE_MAX_];
    int saved = errno;
    void (*sink)(enum vgpu_log_level, const char *) = __atomic_load_n(&vgpu_log_sink, __ATOMIC_ACQUIRE);
    va_list ap;

    if (level > VGPU_LOG_WARN)
        sink = NULL;
    if (!vgpu_log_wants(level) && !sink)
        return;
    va_start(ap, fmt);
    errno = saved; /* for %m */
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof text)
        n = (int)sizeof text - 1;
    if (n >= 0 && sink)
        sink(level, text);
    if (n >= 0 && vgpu_log_wants(level))
        write_line(level, text, n);
    errno = saved;
}

/* ---- the tracer ---- */

struct text {
    char at[LINE_MAX_];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *fmt, ...)
{
    size_t room = sizeof text->at - text->length;
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text->at + text->length, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        text->length += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_value(struct text *text, enum vgpu_arg_kind kind, uint64_t word)
{
    double number;

    switch (kind) {
    case VGPU_ARG_I32:
        put(text, "%" PRId32, (int32_t)word);
        break;
    case VGPU_ARG_U32:
        put(text, "%" PRIu32, (uint32_t)word);
        break;
    case VGPU_ARG_I64:
        put(text, "%" PRId64, (int64_t)word);
        break;
    case VGPU_ARG_U64:
        put(text, "%" PRIu64, word);
        break;
    case VGPU_ARG_F64:
        memcpy(&number, &word, sizeof number);
        put(text, "%g", number);
        break;
    case VGPU_ARG_STR:
        if (word)
            put(text, "\"%.200s\"", (const char *)(uintptr_t)word);
        else
            put(text, "NULL");
        break;
    case VGPU_ARG_HEX:
    case VGPU_ARG_PTR:
        put(text, "%#" PRIx64, word);
        break;
    case VGPU_ARG_STRUCT:
        put(text, "{...}");
        break;
    case VGPU_ARG_VOID:
        break;
    }
}

static uint64_t load(const void *at, enum vgpu_arg_kind kind)
{
    uint32_t narrow;
    uint64_t wide;

    if (kind == VGPU_ARG_I32 || kind == VGPU_ARG_U32) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, at, sizeof wide);
    return wide;
}

/* Calls do not nest on a thread except where one library calls another, which has its own copy of this. */
void vgpu_call_leave(struct vgpu_call *call, const uint64_t *words, uint64_t result)
{
    struct text text = {.length = 0};

    if (hooks.level < VGPU_LOG_TRACE)
        return;
    put(&text, "%s(", call->name);
    for (int i = 0; i < call->arg_count; i++) {
        const struct vgpu_arg *arg = &call->args[i];
        put(&text, "%s%s=", i ? ", " : "", arg->name);
        put_value(&text, arg->written ? VGPU_ARG_PTR : arg->kind, words[i]);
        if (arg->written && words[i] && call->status && !result) {
            put(&text, " [");
            put_value(&text, arg->kind, load((const void *)(uintptr_t)words[i], arg->kind));
            put(&text, "]");
        }
    }
    put(&text, ")");
    if (call->result != VGPU_ARG_VOID) {
        put(&text, " = ");
        put_value(&text, call->result, result);
    }
    int saved = errno;
    write_line(VGPU_LOG_TRACE, text.at, (int)text.length);
    errno = saved;
}

bool vgpu_call_enter(struct vgpu_call *call, const uint64_t *words, int *fault)
{
    bool replaced = false;

    start();
    if (!hooks.fault_count)
        return false;
    unsigned count = __atomic_add_fetch(&call->count, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < hooks.fault_count; i++) {
        const struct fault *f = &hooks.faults[i];
        if (strcmp(f->name, call->name) || count < f->from)
            continue;
        if (f->sleeps) {
            vgpu_log(VGPU_LOG_INFO, "fault: %s sleeps %d s", call->name, f->value);
            struct timespec left = {.tv_sec = f->value};
            while (nanosleep(&left, &left) && errno == EINTR)
                ;
        } else if (fault) {
            vgpu_log(VGPU_LOG_INFO, "fault: %s returns %d", call->name, f->value);
            *fault = f->value;
            replaced = true;
        }
    }
    return replaced;
}

uint32_t vgpu_call_unsupported(struct vgpu_call *call, const uint64_t *words)
{
    uint32_t status = call->unsupported;
    int fault;

    if (vgpu_call_enter(call, words, call->status ? &fault : NULL))
        status = (uint32_t)fault;
    else if (!__atomic_exchange_n(&call->reported, 1, __ATOMIC_RELAXED))
        vgpu_log(VGPU_LOG_WARN, "%s is not supported%s%s", call->name, call->reason ? ": " : "",
                 call->reason ? call->reason : "");
    vgpu_call_leave(call, words, status);
    return status;
}
