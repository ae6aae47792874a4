/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the just-in-time compiler. What it says goes into the caller's buffers; how well it is to compile is left to
 * the host. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cuda/driver.h"

enum { WALL_TIME = 2, INFO_LOG, INFO_LOG_SIZE, ERROR_LOG, ERROR_LOG_SIZE, LOG_VERBOSE = 12, OPTIONS = 35 };

/* An option's value is a pointer, or a number in a pointer's place. */
int vgpu_jit_options(uint32_t count, const int *options, void **values, struct vgpu_jit_log *log)
{
    *log = (struct vgpu_jit_log){.began = vgpu_now_ns()};
    if (count && (!options || !values))
        return CUDA_ERROR_INVALID_VALUE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = (uint32_t)(uintptr_t)values[i];
        if (options[i] < 0 || options[i] >= OPTIONS)
            return CUDA_ERROR_INVALID_VALUE;
        if (options[i] == ERROR_LOG)
            log->buffer = values[i];
        else if (options[i] == ERROR_LOG_SIZE)
            log->size = number;
        else if (options[i] == INFO_LOG)
            log->info = values[i];
        else if (options[i] == INFO_LOG_SIZE)
            log->info_size = number;
        else if (options[i] == LOG_VERBOSE)
            log->verbose = number;
    }
    if (log->buffer && log->size)
        *log->buffer = 0;
    if (log->info && log->info_size)
        *log->info = 0;
    return 0;
}

/* What the options give back: sizes with their NUL, milliseconds as a float's bits. */
void vgpu_jit_finish(uint32_t count, const int *options, void **values, const struct vgpu_jit_log *log)
{
    float milliseconds = (float)((double)(vgpu_now_ns() - log->began) / 1e6);

    for (uint32_t i = 0; i < count; i++) {
        if (options[i] == ERROR_LOG_SIZE)
            values[i] = (void *)(uintptr_t)(log->used ? log->used + 1 : 0);
        else if (options[i] == INFO_LOG_SIZE)
            values[i] = (void *)(uintptr_t)(log->info_used ? log->info_used + 1 : 0);
        else if (options[i] == WALL_TIME)
            memcpy(&values[i], &milliseconds, sizeof milliseconds);
    }
}

static void append(char *buffer, size_t size, size_t *used, const char *format, va_list arguments)
{
    if (!buffer || *used + 1 >= size)
        return;
    int n = vsnprintf(buffer + *used, size - *used, format, arguments);
    if (n < 0)
        return;
    *used += (size_t)n < size - *used ? (size_t)n : size - *used - 1;
    if (*used + 1 < size) {
        buffer[(*used)++] = '\n';
        buffer[*used] = 0;
    }
}

void vgpu_jit_error(struct vgpu_jit_log *log, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (log)
        append(log->buffer, log->size, &log->used, format, arguments);
    va_end(arguments);
}

void vgpu_jit_info(struct vgpu_jit_log *log, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (log)
        append(log->info, log->info_size, &log->info_used, format, arguments);
    va_end(arguments);
}
