/* SPDX-License-Identifier: Apache-2.0 */
/* The guest libraries as a loader sees them: SONAME, every entry point of CUDA 12.9 and 13.0 and nothing
 * else, on the right version node, and nothing needed of a C library above GLIBC_2.28.
 *
 *   test_symbols LIBRARY-DIR SYMBOLS-DIR */
#include <stdlib.h>

#include "tap.h"

static const struct library {
    const char *soname;
    const char *lists[2]; /* what it exports: all names of these */
    const char *node;     /* version node, or NULL */
    const char *private;  /* a space-separated list of what it may export besides */
} libraries[] = {
    {"libcuda.so.1", {"cuda-12.9", "cuda-13.0"}, NULL, ""},
    {"libcudart.so.12", {"cudart-12.9"}, "libcudart.so.12", ""},
    {"libcudart.so.13", {"cudart-13.0"}, "libcudart.so.13", ""},
    {"libcublas.so.12", {"cublas-12.9"}, "libcublas.so.12", ""},
    {"libcublas.so.13", {"cublas-13.0"}, "libcublas.so.13", ""},
    {"libcublasLt.so.12", {"cublasLt-12.9"}, "libcublasLt.so.12", ""},
    {"libcublasLt.so.13", {"cublasLt-13.0"}, "libcublasLt.so.13", ""},
    {"libnvidia-ml.so.1", {"nvml-12.9", "nvml-13.0"}, NULL, " nvmlInternalGetExportTable "},
};

struct names {
    char **at;
    int count;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add(struct names *names, const char *name)
{
    names->at = realloc(names->at, ((size_t)names->count + 1) * sizeof *names->at);
    names->at[names->count++] = strdup(name);
}

static void sort_unique(struct names *names)
{
    int kept = 0;

    qsort(names->at, (size_t)names->count, sizeof *names->at, compare);
    for (int i = 0; i < names->count; i++) {
        if (!kept || strcmp(names->at[kept - 1], names->at[i]))
            names->at[kept++] = names->at[i];
        else
            free(names->at[i]);
    }
    names->count = kept;
}

static void clear(struct names *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->at[i]);
    free(names->at);
}

static int has(const struct names *names, const char *name)
{
    return names->count && bsearch(&name, names->at, (size_t)names->count, sizeof *names->at, compare) != NULL;
}

static int read_list(struct names *names, const char *dir, const char *list)
{
    char path[4096], line[512], previous[512] = "";
    int sorted = 1;

    snprintf(path, sizeof path, "%s/%s.symbols", dir, list);
    FILE *in = fopen(path, "r");
    if (!in)
        return 0;
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = 0;
        sorted &= strcmp(previous, line) < 0;
        strcpy(previous, line);
        add(names, line);
    }
    fclose(in);
    return ok(sorted, "%s is sorted, one name a line", list);
}

static FILE *tool(const char *command, const char *dir, const char *soname)
{
    char line[8192];

    snprintf(line, sizeof line, "%s '%s/%s'", command, dir, soname);
    return popen(line, "r");
}

/* The names that nm shows, and whether each is on the wanted node. */
static int read_exports(struct names *names, const char *dir, const struct library *library)
{
    char line[1024], name[512];
    int wrong = 0;
    FILE *in = tool("nm -D --defined-only --with-symbol-versions", dir, library->soname);

    while (in && fgets(line, sizeof line, in)) {
        char kind;
        if (sscanf(line, "%*x %c %511s", &kind, name) != 2 || kind == 'A')
            continue;
        char *node = strchr(name, '@');
        if (node)
            *node++ = 0;
        if (library->node ? !node || node[0] != '@' || strcmp(node + 1, library->node) : node != NULL) {
            diag("%s: %s is on node %s", library->soname, name, node ? node : "(none)");
            wrong++;
        }
        add(names, name);
    }
    return in && !pclose(in) && !wrong;
}

static int is_private(const struct library *library, const char *name)
{
    char spaced[512];

    snprintf(spaced, sizeof spaced, " %s ", name);
    return strstr(library->private, spaced) != NULL;
}

static void check_names(const char *dir, const char *symbols, const struct library *library)
{
    struct names wanted = {0}, got = {0};
    int missing = 0, extra = 0;

    for (int i = 0; i < 2 && library->lists[i]; i++)
        if (!ok(read_list(&wanted, symbols, library->lists[i]), "%s: list %s", library->soname, library->lists[i]))
            return;
    sort_unique(&wanted);
    ok(read_exports(&got, dir, library), "%s: every entry point is on %s", library->soname,
       library->node ? library->node : "no version node");
    sort_unique(&got);
    for (int i = 0; i < wanted.count; i++)
        if (!has(&got, wanted.at[i]) && ++missing)
            diag("%s does not export %s", library->soname, wanted.at[i]);
    for (int i = 0; i < got.count; i++)
        if (!has(&wanted, got.at[i]) && !is_private(library, got.at[i]) && ++extra)
            diag("%s exports %s besides", library->soname, got.at[i]);
    is_u64(missing, 0, "%s: exports all %d names", library->soname, wanted.count);
    is_u64(extra, 0, "%s: exports nothing else", library->soname);
    clear(&wanted);
    clear(&got);
}

static void check_dynamic(const char *dir, const struct library *library)
{
    char line[1024], want[128];
    int soname = 0, foreign = 0, now = 0;
    FILE *in = tool("LC_ALL=C readelf -dW", dir, library->soname);

    snprintf(want, sizeof want, "[%s]", library->soname);
    while (in && fgets(line, sizeof line, in)) {
        if (strstr(line, "(SONAME)"))
            soname = strstr(line, want) != NULL;
        if (strstr(line, "(NEEDED)") && !strstr(line, "[libc.so.6]") && !strstr(line, "[libpthread.so.0]") &&
            !strstr(line, "[libdl.so.2]") && !strstr(line, "[ld-linux") && !strstr(line, "[libcuda.so.1]") &&
            !strstr(line, "[libcudart.so.") && !strstr(line, "[libcublasLt.so.")) {
            diag("%s: %s", library->soname, line);
            foreign++;
        }
        if (strstr(line, "(FLAGS_1)"))
            now = strstr(line, "NOW") != NULL;
    }
    ok(in && !pclose(in) && soname, "%s: has its SONAME", library->soname);
    is_u64(foreign, 0, "%s: needs the C library alone, and its own kind", library->soname);
    ok(now, "%s: is bound at load time", library->soname);
}

static void check_floor(const char *dir, const struct library *library)
{
    char line[1024];
    int above = 0;
    FILE *in = tool("objdump -T", dir, library->soname);

    while (in && fgets(line, sizeof line, in)) {
        const char *version = strstr(line, "GLIBC_2.");
        if (version && atoi(version + 8) > 28) {
            diag("%s: %s", library->soname, line);
            above++;
        }
    }
    ok(in && !pclose(in) && !above, "%s: needs nothing above GLIBC_2.28", library->soname);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        check_names(argv[1], argv[2], &libraries[i]);
        check_dynamic(argv[1], &libraries[i]);
        check_floor(argv[1], &libraries[i]);
    }
    return tap_done();
}
