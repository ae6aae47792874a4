/* SPDX-License-Identifier: Apache-2.0 */
/* cuLogs...: the library's errors and warnings, for the program: the latest hundred are kept, and callbacks told of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cuda/driver.h"

enum { KEPT = 100, LINE = 256, CALLBACKS = 16 };
static const char cut_note[] = "[log truncated: older messages are not shown]\n";

struct CUlogsCallbackEntry_st {
    CUlogsCallback function;
    void *data;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[KEPT][LINE]; /* line number n is in n % KEPT, with its newline */
static CUlogIterator next_line;
static struct CUlogsCallbackEntry_st *callbacks[CALLBACKS];
static _Thread_local bool telling; /* what a callback causes is not told to callbacks */

static void keep(enum vgpu_log_level level, const char *text)
{
    struct CUlogsCallbackEntry_st told[CALLBACKS];
    struct timespec now;
    struct tm t;
    char line[LINE], clock[16];
    int count = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &t);
    strftime(clock, sizeof clock, "%T", &t);
    snprintf(line, sizeof line - 1, "[%s.%03ld][%d][CUDA][%c] %s", clock, now.tv_nsec / 1000000, (int)getpid(),
             level == VGPU_LOG_ERROR ? 'E' : 'W', text);
    size_t length = strlen(line);
    pthread_mutex_lock(&lock);
    memcpy(lines[next_line % KEPT], line, length);
    memcpy(lines[next_line % KEPT] + length, "\n", 2);
    next_line++;
    for (int i = 0; !telling && i < CALLBACKS; i++)
        if (callbacks[i])
            told[count++] = *callbacks[i];
    pthread_mutex_unlock(&lock);
    telling = true;
    for (int i = 0; i < count; i++)
        told[i].function(told[i].data, level == VGPU_LOG_ERROR ? 0 : 1, line, length);
    if (count)
        telling = false;
}

void vgpu_logs_begin(void)
{
    __atomic_store_n(&vgpu_log_sink, keep, __ATOMIC_RELEASE);
}

CUresult impl_cuLogsRegisterCallback(CUlogsCallback function, void *data, CUlogsCallbackHandle *handle)
{
    struct CUlogsCallbackEntry_st *entry = function ? calloc(1, sizeof *entry) : NULL;
    int i = 0;

    if (!entry)
        return function ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE;
    *entry = (struct CUlogsCallbackEntry_st){function, data};
    pthread_mutex_lock(&lock);
    while (i < CALLBACKS && callbacks[i])
        i++;
    if (i < CALLBACKS)
        callbacks[i] = entry;
    pthread_mutex_unlock(&lock);
    if (i == CALLBACKS) {
        free(entry);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (handle)
        *handle = entry;
    return 0;
}

CUresult impl_cuLogsUnregisterCallback(CUlogsCallbackHandle handle)
{
    int i = 0;

    pthread_mutex_lock(&lock);
    while (i < CALLBACKS && (!handle || callbacks[i] != handle))
        i++;
    if (i < CALLBACKS)
        callbacks[i] = NULL;
    pthread_mutex_unlock(&lock);
    if (i == CALLBACKS)
        return CUDA_ERROR_INVALID_VALUE;
    free(handle);
    return 0;
}

CUresult impl_cuLogsCurrent(CUlogIterator *iterator, uint32_t flags)
{
    if (!iterator || flags)
        return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&lock);
    *iterator = next_line;
    pthread_mutex_unlock(&lock);
    return 0;
}

/* The latest lines from *ITERATOR on that fit into ROOM bytes with their NUL, behind a note where some do not. Without BUFFER, how
 * much all of them need. */
static int dump(CUlogIterator *iterator, char *buffer, size_t *room)
{
    size_t used = 0, needed = 0, limit = *room ? *room - 1 : 0;
    int status = 0;

    pthread_mutex_lock(&lock);
    CUlogIterator oldest = next_line > KEPT ? next_line - KEPT : 0, from = iterator && *iterator > oldest ? *iterator : oldest;
    bool cut = iterator ? *iterator < oldest : oldest > 0;
    if (from > next_line)
        from = next_line;
    for (CUlogIterator i = from; i != next_line; i++)
        needed += strlen(lines[i % KEPT]);
    while (buffer && from != next_line && needed + (cut ? sizeof cut_note - 1 : 0) > limit) {
        needed -= strlen(lines[from++ % KEPT]);
        cut = true;
    }
    if (buffer && from == next_line && cut) {
        status = CUDA_ERROR_INVALID_VALUE; /* not even one */
    } else if (buffer) {
        if (cut) {
            memcpy(buffer, cut_note, sizeof cut_note - 1);
            used = sizeof cut_note - 1;
        }
        for (; from != next_line; from++) {
            size_t length = strlen(lines[from % KEPT]);
            memcpy(buffer + used, lines[from % KEPT], length);
            used += length;
        }
        if (*room)
            buffer[used] = 0;
        if (iterator)
            *iterator = next_line;
    } else {
        used = needed + sizeof cut_note;
    }
    pthread_mutex_unlock(&lock);
    *room = used;
    return status;
}

CUresult impl_cuLogsDumpToMemory(CUlogIterator *iterator, char *buffer, size_t *size, uint32_t flags)
{
    return buffer && size && !flags ? dump(iterator, buffer, size) : CUDA_ERROR_INVALID_VALUE;
}

CUresult impl_cuLogsDumpToFile(CUlogIterator *iterator, const char *path, uint32_t flags)
{
    static const size_t all = sizeof lines + sizeof cut_note;
    size_t size = all;

    if (!path || flags)
        return CUDA_ERROR_INVALID_VALUE;
    char *text = malloc(all);
    FILE *file = text ? fopen(path, "w") : NULL;
    int status = !text ? CUDA_ERROR_OUT_OF_MEMORY : !file ? CUDA_ERROR_INVALID_VALUE : dump(iterator, text, &size);
    if (file) {
        if (!status && fwrite(text, 1, size, file) != size)
            status = CUDA_ERROR_OPERATING_SYSTEM;
        if (fclose(file) && !status)
            status = CUDA_ERROR_OPERATING_SYSTEM;
    }
    free(text);
    return status;
}
