/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

static struct {
    char closing[REPORT_DEPTH];
    int depth, count[REPORT_DEPTH + 1];
} at;

static void put_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
            putchar(c);
        else
            printf("\\u%04x", c);
    }
    putchar('"');
}

static void begin(const char *name)
{
    if (at.count[at.depth]++)
        putchar(',');
    if (at.depth)
        printf("\n%*s", 2 * at.depth, "");
    if (name) {
        put_string(name);
        fputs(": ", stdout);
    }
}

void report_open(const char *name, char bracket)
{
    begin(name);
    putchar(bracket);
    at.closing[at.depth++] = bracket == '{' ? '}' : ']';
    at.count[at.depth] = 0;
}

void report_close(void)
{
    at.depth--;
    if (at.count[at.depth + 1])
        printf("\n%*s", 2 * at.depth, "");
    putchar(at.closing[at.depth]);
    if (!at.depth)
        putchar('\n');
    fflush(stdout);
}

void report_text(const char *name, const char *text)
{
    begin(name);
    if (text)
        put_string(text);
    else
        fputs("null", stdout);
}

void report_number(const char *name, const char *format, ...)
{
    va_list ap;

    begin(name);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
}

void report_libraries(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[PATH_MAX + 128], last[PATH_MAX] = "";

    report_open("libraries", '[');
    while (maps && fgets(line, sizeof(line), maps)) {
        char *path = strchr(line, '/'), *mode = strchr(line, ' ');

        if (!path || !mode || mode[3] != 'x')
            continue;
        path[strcspn(path, "\n")] = 0;
        if (strcmp(path, last))
            report_text(NULL, path);
        snprintf(last, sizeof(last), "%s", path);
    }
    if (maps)
        fclose(maps);
    report_close();
}
