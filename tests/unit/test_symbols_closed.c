/* SPDX-License-Identifier: Apache-2.0 */
/* Entry points of class 'none' fail closed, by calling all of them; log, tracer and faults; hostile VGPU_LOG
 * and VGPU_FAULT.
 *
 *   test_symbols_closed LIBRARY-DIR API-DIR */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static const struct {
    const char *soname, *table;
    int status;
} libraries[] = {
    {"libcuda.so.1", "cuda.api", 801},           {"libcudart.so.12", "cudart.api", 801},
    {"libcudart.so.13", "cudart.api", 801},      {"libcublas.so.12", "cublas.api", 15},
    {"libcublas.so.13", "cublas.api", 15},       {"libcublasLt.so.13", "cublaslt.api", 15},
    {"libnvidia-ml.so.1", "nvml.api", 3},
};

static char log_path[] = "/tmp/vgpu-test-XXXXXX";

static char *read_log(void)
{
    static char text[1 << 20];
    FILE *in = fopen(log_path, "r");
    size_t n = in ? fread(text, 1, sizeof text - 1, in) : 0;

    text[n] = 0;
    if (in)
        fclose(in);
    return text;
}

static int occurrences(const char *text, const char *part)
{
    int count = 0;

    while ((text = strstr(text, part))) {
        count++;
        text += strlen(part);
    }
    return count;
}

/* Runs BODY in a child with these settings; returns its exit status, or 128 + the signal. */
static int run(const char *log, const char *fault, int (*body)(void *), void *data)
{
    int status;

    fflush(stdout);
    if (truncate(log_path, 0))
        return 127;
    pid_t child = fork();
    if (child == 0) {
        setenv("VGPU_LOG", log, 1);
        setenv("VGPU_FAULT", fault, 1);
        alarm(20);
        _exit(body(data));
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 127;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct closed {
    const char *dir, *api;
    int library;
};

typedef int entry_point(long, long, long, long, long, long);

/* Calls every entry point of class 'none' that returns a status, twice. The exit status counts failures. */
static int call_all(void *data)
{
    const struct closed *c = data;
    char path[4096], line[8192], name[512];
    unsigned number;
    int called = 0, failed = 0;

    snprintf(path, sizeof path, "%s/%s", c->dir, libraries[c->library].soname);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return 100;
    snprintf(path, sizeof path, "%s/%s", c->api, libraries[c->library].table);
    FILE *in = fopen(path, "r");
    if (!in)
        return 101;
    while (fgets(line, sizeof line, in)) {
        char class[16];
        if (sscanf(line, "call %u %511s %15s", &number, name, class) != 3 || strcmp(class, "none") ||
            strstr(line, ") returns "))
            continue;
        entry_point *entry = (entry_point *)dlsym(library, name);
        if (!entry) /* of another CUDA version */
            continue;
        called++;
        for (int i = 0; i < 2; i++)
            if (entry(0, 0, 0, 0, 0, 0) != libraries[c->library].status && failed < 90)
                failed++;
    }
    fclose(in);
    return called ? failed : 0;
}

static void test_closed(const char *dir, const char *api)
{
    char log[128];

    snprintf(log, sizeof log, "warn:%s", log_path);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        struct closed closed = {dir, api, (int)i};
        is_u64(run(log, "", call_all, &closed), 0, "%s: all of class 'none' return %d", libraries[i].soname,
               libraries[i].status);
        const char *text = read_log();
        int repeated = 0;
        for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
            char copy[512];
            snprintf(copy, sizeof copy, "%.*s\n", (int)strcspn(line, "\n"), line);
            repeated += occurrences(text, copy) != 1;
        }
        is_u64(repeated, 0, "%s: each is named once in the log", libraries[i].soname);
    }
}

static void *driver(void *dir)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/libcuda.so.1", (char *)dir);
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* An entry point that will stay of class 'none': there is no VDPAU. */
static int call_thrice(void *dir)
{
    void *library = driver(dir);
    entry_point *entry = library ? (entry_point *)dlsym(library, "cuVDPAUGetDevice") : NULL;
    int status[3];

    if (!entry)
        return 100;
    for (int i = 0; i < 3; i++)
        status[i] = entry(0, 7, 0, 0, 0, 0);
    return status[0] == 801 && status[1] == 35 && status[2] == 35 ? 0 : 1;
}

static int call_once(void *dir)
{
    void *library = driver(dir);
    entry_point *entry = library ? (entry_point *)dlsym(library, "cuVDPAUGetDevice") : NULL;

    return entry && entry(0, 7, 0, 0, 0, 0) == 801 ? 0 : 1;
}

static int load_only(void *dir)
{
    return driver(dir) ? 0 : 1;
}

static void test_hooks(char *dir)
{
    char log[128];

    snprintf(log, sizeof log, "trace:%s", log_path);
    is_u64(run(log, "cuVDPAUGetDevice=35@2,cuNone=1", call_thrice, dir), 0, "a fault from the second call on");
    const char *text = read_log();
    ok(strstr(text, "cuVDPAUGetDevice(") && strstr(text, "vdpDevice=7") && strstr(text, ") = 801\n") &&
           occurrences(text, ") = 35\n") == 2, "the tracer shows arguments and results");
    is_u64(occurrences(text, "is not supported"), 1, "a replaced call is not reported as unsupported");
    is_u64(run(log, "cuVDPAUGetDevice=sleep:0", call_once, dir), 0, "a call that sleeps runs all the same");
    snprintf(log, sizeof log, "error:%s", log_path);
    is_u64(run(log, "", call_once, dir), 0, "level error");
    is_str(read_log(), "", "level error keeps warnings out");
    snprintf(log, sizeof log, "trace:%s", log_path);
    is_u64(run(log, "cuVDPAUGetDevice=1", load_only, dir), 0, "a library is loaded");
    is_str(read_log(), "", "a library that is only loaded does nothing");
}

static void test_hostile(char *dir)
{
    static const char alphabet[] = "cuInit=sleep:@,0123456789%sn-+x\"\\\n\xff";
    uint32_t seed = 12345;
    char fault[512], log[600], name[128];
    int died = 0;

    for (int round = 0; round < 60; round++) {
        int length = round * 8;
        for (int i = 0; i < length; i++) {
            seed = seed * 1664525u + 1013904223u;
            fault[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        fault[length] = 0;
        snprintf(log, sizeof log, "warn:%s", log_path);
        died += run(log, fault, call_once, dir) >= 100;
    }
    is_u64(died, 0, "random VGPU_FAULT harms nothing");
    memset(name, 'x', sizeof name);
    snprintf(fault, sizeof fault, "%.120s=1,cuInit=99999999999999999999,cuInit=-1,cuInit=sleep:99999999,=1,cuInit=1@0", name);
    is_u64(run(log, fault, call_once, dir), 0, "malformed faults are left out");
    is_u64(occurrences(read_log(), "VGPU_FAULT: "), 6, "and each is named");
    memset(fault, ',', sizeof fault - 1);
    fault[sizeof fault - 1] = 0;
    is_u64(run(log, fault, call_once, dir), 0, "nothing but commas");
    is_u64(run("loud", "", call_once, dir), 0, "an unknown level");
    is_u64(run("warn:/nonexistent/directory/file", "", call_once, dir), 0, "a log file that cannot be opened");
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int fd = mkstemp(log_path);
    if (fd < 0)
        return 2;
    close(fd);
    test_closed(argv[1], argv[2]);
    test_hooks(argv[1]);
    test_hostile(argv[1]);
    unlink(log_path);
    return tap_done();
}
