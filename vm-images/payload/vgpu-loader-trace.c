/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-loader-trace.so: for LD_AUDIT. Writes what the dynamic loader looks for and what it loads to the file that
 * VGPU_LOADER_TRACE names, one line an event: SECONDS PID COMMAND wanted NAME | tried PATH (RULE) | loaded PATH. A line is one
 * write to a file opened to append, so several processes can share it. */
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The auditing interface's version, and the two calls of it that are used. */
EXPORT unsigned int la_version(unsigned int version);
EXPORT char *la_objsearch(const char *name, uintptr_t *cookie, unsigned int flag);
EXPORT unsigned int la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie);

static int fd = -1;
static char command[32];

static void trace(const char *what, const char *name, const char *rule)
{
    struct timespec t;
    char line[4200];
    int n;

    if (fd < 0 || !*name)
        return;
    clock_gettime(CLOCK_REALTIME, &t);
    n = snprintf(line, sizeof(line), "%ld.%06ld %d %s %s %s%s\n", (long)t.tv_sec, t.tv_nsec / 1000, (int)getpid(), command, what,
                 name, rule);
    if (n > 0 && n < (int)sizeof(line) && write(fd, line, (size_t)n) < 0)
        fd = -1;
}

unsigned int la_version(unsigned int version)
{
    const char *file = getenv("VGPU_LOADER_TRACE"), *slash;
    char program[256];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    program[n > 0 ? n : 0] = 0;
    slash = strrchr(program, '/');
    snprintf(command, sizeof(command), "%.31s", slash ? slash + 1 : program);
    for (char *c = command; *c; c++)
        if (*c == ' ' || *c == '\n')
            *c = '_';
    /* What runs a scenario's command is of no interest. */
    if (file && strcmp(command, "dash") && strcmp(command, "timeout"))
        fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    return version < LAV_CURRENT ? version : LAV_CURRENT;
}

char *la_objsearch(const char *name, uintptr_t *cookie, unsigned int flag)
{
    static const struct {
        unsigned int flag;
        const char *what, *rule;
    } rules[] = {
        { LA_SER_ORIG, "wanted", "" }, { LA_SER_LIBPATH, "tried", " (LD_LIBRARY_PATH)" }, { LA_SER_RUNPATH, "tried", " (RUNPATH)" },
        { LA_SER_CONFIG, "tried", " (ld.so.cache)" }, { LA_SER_DEFAULT, "tried", " (default)" }, { LA_SER_SECURE, "tried", " (secure)" },
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (flag == rules[i].flag)
            trace(rules[i].what, name, rules[i].rule);
    return (char *)name;
}

unsigned int la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie)
{
    trace("loaded", map->l_name, "");
    return 0;
}
