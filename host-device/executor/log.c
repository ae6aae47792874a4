/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "error", "warn", "info", "debug", "trace" };
static enum vg_log_level threshold = VG_LOG_WARN;
static int log_fd = STDERR_FILENO;
static char prefix[64] = "vgpu";

void vg_log_init(const char *who)
{
    const char *setting = getenv("VGPU_LOG");
    const char *file = setting ? strchr(setting, ':') : NULL;
    size_t n = file ? (size_t)(file - setting) : setting ? strlen(setting) : 0;

    snprintf(prefix, sizeof(prefix), "%s", who);
    for (int i = 0; i <= VG_LOG_TRACE; i++)
        if (n && strlen(level_names[i]) == n && !memcmp(setting, level_names[i], n))
            threshold = (enum vg_log_level)i;
    if (file && file[1] && log_fd == STDERR_FILENO) {
        int fd = open(file + 1, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

        if (fd >= 0)
            log_fd = fd;
        else
            vg_log(VG_LOG_ERROR, "cannot open the log file %s: %m", file + 1);
    }
}

bool vg_log_enabled(enum vg_log_level level)
{
    return level <= threshold;
}

void vg_log(enum vg_log_level level, const char *format, ...)
{
    char line[2048];
    struct timespec now;
    struct tm t;
    va_list ap;
    int n, m;

    if (level > threshold)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &t);
    n = (int)strftime(line, sizeof(line), "%FT%T", &t);
    n += snprintf(line + n, sizeof(line) - 1 - (size_t)n, ".%03ldZ vgpu %s: %s: ", now.tv_nsec / 1000000, prefix, level_names[level]);
    va_start(ap, format);
    m = vsnprintf(line + n, sizeof(line) - 1 - (size_t)n, format, ap);
    va_end(ap);
    n += m < 0 ? 0 : m;
    if ((size_t)n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    if (write(log_fd, line, (size_t)n) < 0)
        return; /* nowhere left to complain to */
}
