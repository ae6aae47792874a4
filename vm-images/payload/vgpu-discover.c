/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-discover: looks for GPUs as Ollama does, and reports as JSON what it found and how.
 *
 *   vgpu-discover [--lib DIR] [--variant NAME] [--timeout SECONDS]
 *
 * The parent starts a child with LD_LIBRARY_PATH and OLLAMA_LIBRARY_PATH naming DIR (default: ../lib/ollama from this program)
 * and DIR/NAME; VGPU_DISCOVER_FORGET names a variable that it then forgets, as broken parents do. The child is the runner:
 * it loads the backends of the directories in OLLAMA_LIBRARY_PATH, silently skipping what cannot be loaded, enumerates their
 * devices, and reads cudaDeviceProp where Ollama's build of ggml does. The parent prints
 *
 *   child        exit (status, 128 + N for a signal), seconds, timed_out, environment (what it was given)
 *   runner       the child's own report (null when it gave none):
 *     backends     file, loaded, error (dlerror)
 *     devices      backend, name, description, type, total_memory, free_memory, device_id
 *     properties   of each CUDA device at Ollama's offsets: name, uuid, total_memory, compute, pci_id (as Ollama formats it)
 *     driver       through libcuda: version, count, uuid;  nvml: driver_version, count, uuid
 *     log          what ggml said;  libraries: what the process has mapped
 *
 * Exit status: 0 when the child reported, whatever it found; 1 when not; 2 wrong usage. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

enum { REPORT_MAX = 1 << 20, LOG_MAX = 64, DEVICES_MAX = 16, PATHS_MAX = 4 * PATH_MAX };

/* ---- ggml's backend interface, API version 2 ---- */

struct ggml_backend_reg;
struct ggml_backend_device;
struct ggml_backend_dev_props {
    const char *name, *description;
    size_t memory_free, memory_total;
    int type;
    const char *device_id;
    bool async, host_buffer, buffer_from_host_ptr, events;
};

/* Of libggml-base; the payload's backends find the same copy beside themselves. */
static struct {
    const char *(*reg_name)(struct ggml_backend_reg *);
    size_t (*reg_dev_count)(struct ggml_backend_reg *);
    struct ggml_backend_device *(*reg_dev_get)(struct ggml_backend_reg *, size_t);
    void (*dev_get_props)(struct ggml_backend_device *, struct ggml_backend_dev_props *);
    void (*log_set)(void (*)(int, const char *, void *), void *);
} ggml;

static char said[LOG_MAX][512];
static int n_said;

static void on_log(int level, const char *text, void *data)
{
    if (n_said < LOG_MAX) {
        snprintf(said[n_said], sizeof(said[0]), "%s", text);
        said[n_said][strcspn(said[n_said], "\n")] = 0;
        n_said++;
    }
}

static bool load_base(const char *dir)
{
    static const struct {
        const char *name;
        void *where;
    } functions[] = {
        { "ggml_backend_reg_name", &ggml.reg_name }, { "ggml_backend_reg_dev_count", &ggml.reg_dev_count },
        { "ggml_backend_reg_dev_get", &ggml.reg_dev_get }, { "ggml_backend_dev_get_props", &ggml.dev_get_props },
        { "ggml_log_set", &ggml.log_set },
    };
    char path[PATHS_MAX + 32];
    void *handle;

    snprintf(path, sizeof(path), "%s/libggml-base.so", dir);
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        void *found = handle ? dlsym(handle, functions[i].name) : NULL;

        if (!found) {
            fprintf(stderr, "vgpu-discover: %s\n", dlerror());
            return false;
        }
        memcpy(functions[i].where, &found, sizeof(found));
    }
    ggml.log_set(on_log, NULL);
    return true;
}

/* ---- The child ---- */

/* Backends by kind, in ggml's order; of several CPU builds the child needs none that is better than the plain one. */
static const char *const kinds[] = { "libggml-cuda.so", "libggml-vulkan.so", "libggml-cpu.so", "libggml-cpu-x64.so" };

static struct ggml_backend_reg *regs[DEVICES_MAX];
static int n_regs;

static void load_backend(const char *dir, const char *kind)
{
    struct ggml_backend_reg *(*init)(void) = NULL, *reg = NULL;
    char path[PATHS_MAX + 32];
    void *handle, *symbol;

    snprintf(path, sizeof(path), "%s/%s", dir, kind);
    if (access(path, F_OK))
        return;
    report_open(NULL, '{');
    report_text("file", path);
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    symbol = handle ? dlsym(handle, "ggml_backend_init") : NULL;
    if (symbol) {
        memcpy(&init, &symbol, sizeof(init));
        reg = init();
    }
    report_number("loaded", "%s", reg ? "true" : "false");
    report_text("error", symbol ? (reg ? NULL : "ggml_backend_init returned nothing") : dlerror());
    report_close();
    if (reg && n_regs < DEVICES_MAX)
        regs[n_regs++] = reg;
}

/* A directory outside lib/ollama is not searched. */
static bool is_ollamas(const char *dir)
{
    char real[PATH_MAX];

    return realpath(dir, real) && strstr(dir, "lib/ollama");
}

static void load_backends(char *paths)
{
    report_open("backends", '[');
    for (char *rest, *dir = strtok_r(paths, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest))
        for (size_t k = 0; is_ollamas(dir) && k < sizeof(kinds) / sizeof(*kinds); k++)
            load_backend(dir, kinds[k]);
    report_close();
}

static void report_devices(void)
{
    static const char *const types[] = { "cpu", "gpu", "igpu", "accel" };

    report_open("devices", '[');
    for (int i = 0; i < n_regs; i++)
        for (size_t k = 0; k < ggml.reg_dev_count(regs[i]); k++) {
            struct ggml_backend_dev_props props = { 0 };

            ggml.dev_get_props(ggml.reg_dev_get(regs[i], k), &props);
            report_open(NULL, '{');
            report_text("backend", ggml.reg_name(regs[i]));
            report_text("name", props.name);
            report_text("description", props.description);
            report_text("type", props.type >= 0 && props.type < 4 ? types[props.type] : "other");
            report_number("total_memory", "%zu", props.memory_total);
            report_number("free_memory", "%zu", props.memory_free);
            report_text("device_id", props.device_id);
            report_close();
        }
    report_close();
}

/* The bytes of a UUID as NVIDIA writes it. */
static const char *uuid_text(const unsigned char *b)
{
    static char text[64];

    snprintf(text, sizeof(text), "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
             b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return text;
}

/* cudaDeviceProp, through whatever runtime the backend brought. */
static const struct runtime {
    const char *file, *function;
    size_t pci_bus, pci_device, pci_domain;
} runtimes[] = {
    { "libcudart.so.12", "cudaGetDeviceProperties_v2", 584, 588, 592 },
    { "libcudart.so.13", "cudaGetDeviceProperties", 568, 572, 576 },
};
enum { PROP_SIZE = 4096, PROP_NAME = 0, PROP_UUID = 256, PROP_MEMORY = 288, PROP_MAJOR = 360, PROP_MINOR = 364 };

static int int_at(const unsigned char *prop, size_t offset)
{
    int value;

    memcpy(&value, prop + offset, sizeof(value));
    return value;
}

static void report_property(const struct runtime *runtime, const unsigned char *prop)
{
    char pci_id[16], name[256];
    size_t memory;

    memcpy(&memory, prop + PROP_MEMORY, sizeof(memory));
    snprintf(name, sizeof(name), "%.255s", (const char *)prop + PROP_NAME);
    /* Cut to 15 characters, as in Ollama, when a number is not a small one. */
    if (snprintf(pci_id, sizeof(pci_id), "%04x:%02x:%02x.0", int_at(prop, runtime->pci_domain), int_at(prop, runtime->pci_bus),
                 int_at(prop, runtime->pci_device)) >= (int)sizeof(pci_id))
        fprintf(stderr, "vgpu-discover: the PCI id does not fit\n");
    report_open(NULL, '{');
    report_text("runtime", runtime->file);
    report_text("name", name);
    report_text("uuid", uuid_text(prop + PROP_UUID));
    report_number("total_memory", "%zu", memory);
    report_number("compute", "\"%d.%d\"", int_at(prop, PROP_MAJOR), int_at(prop, PROP_MINOR));
    report_text("pci_id", pci_id);
    report_close();
}

static void report_properties(void)
{
    static unsigned char prop[PROP_SIZE];

    report_open("properties", '[');
    for (size_t i = 0; i < sizeof(runtimes) / sizeof(*runtimes); i++) {
        void *handle = dlopen(runtimes[i].file, RTLD_NOW | RTLD_NOLOAD);
        int (*get)(void *, int), (*get_count)(int *), count = 0;
        void *symbols[2];

        if (!handle)
            continue;
        symbols[0] = dlsym(handle, runtimes[i].function);
        symbols[1] = dlsym(handle, "cudaGetDeviceCount");
        if (!symbols[0] || !symbols[1])
            continue;
        memcpy(&get, &symbols[0], sizeof(get));
        memcpy(&get_count, &symbols[1], sizeof(get_count));
        if (get_count(&count))
            continue;
        for (int k = 0; k < count && k < DEVICES_MAX; k++) {
            memset(prop, 0, sizeof(prop));
            if (!get(prop, k))
                report_property(&runtimes[i], prop);
        }
    }
    report_close();
}

static void report_driver(void)
{
    void *handle = dlopen("libcuda.so.1", RTLD_NOW);
    int (*init)(unsigned), (*version)(int *), (*count)(int *), (*uuid)(void *, int), n = 0, rc;
    static const char *const names[] = { "cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGetUuid" };
    void *const where[] = { &init, &version, &count, &uuid };
    unsigned char bytes[16];

    report_open("driver", '{');
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        void *symbol = handle ? dlsym(handle, names[i]) : NULL;

        if (!symbol) {
            report_text("error", dlerror());
            report_close();
            return;
        }
        memcpy(where[i], &symbol, sizeof(symbol));
    }
    rc = init(0);
    report_number("init", "%d", rc);
    if (!version(&n))
        report_number("version", "%d", n);
    if (!rc && !count(&n)) {
        report_number("count", "%d", n);
        if (n > 0 && !uuid(bytes, 0))
            report_text("uuid", uuid_text(bytes));
    }
    report_close();
}

static void report_nvml(void)
{
    void *handle = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    int (*init)(void), (*down)(void), (*version)(char *, unsigned), (*count)(unsigned *), (*by_index)(unsigned, void **),
        (*uuid)(void *, char *, unsigned), rc;
    static const char *const names[] = { "nvmlInit_v2", "nvmlShutdown", "nvmlSystemGetDriverVersion", "nvmlDeviceGetCount_v2",
                                         "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID" };
    void *const where[] = { &init, &down, &version, &count, &by_index, &uuid };
    char text[96];
    unsigned n = 0;
    void *device;

    report_open("nvml", '{');
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        void *symbol = handle ? dlsym(handle, names[i]) : NULL;

        if (!symbol) {
            report_text("error", dlerror());
            report_close();
            return;
        }
        memcpy(where[i], &symbol, sizeof(symbol));
    }
    rc = init();
    report_number("init", "%d", rc);
    if (!rc) {
        if (!version(text, sizeof(text)))
            report_text("driver_version", text);
        if (!count(&n))
            report_number("count", "%u", n);
        if (n && !by_index(0, &device) && !uuid(device, text, sizeof(text)))
            report_text("uuid", text);
        down();
    }
    report_close();
}

/* Where Ollama's libraries are, seen from its program. */
static void default_lib(char *dir, size_t size)
{
    char self[PATH_MAX] = "", relative[PATH_MAX + 32], real[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n > 0)
        self[n] = 0;
    snprintf(relative, sizeof(relative), "%s/../lib/ollama", dirname(self));
    snprintf(dir, size, "%s", realpath(relative, real) ? real : relative);
}

static int child(void)
{
    const char *given = getenv("OLLAMA_LIBRARY_PATH");
    char paths[PATHS_MAX], first[PATHS_MAX];

    if (given)
        snprintf(paths, sizeof(paths), "%s", given);
    else
        default_lib(paths, sizeof(paths));
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(paths, ":"), paths);
    if (!load_base(first))
        return 1;
    report_open(NULL, '{');
    load_backends(paths);
    report_devices();
    report_properties();
    report_driver();
    report_nvml();
    report_open("log", '[');
    for (int i = 0; i < n_said; i++)
        report_text(NULL, said[i]);
    report_close();
    report_libraries();
    report_close();
    return 0;
}

/* ---- The parent ---- */

static char answer[REPORT_MAX];

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* 'path' put in front of what the variable has. */
static void prepend(const char *variable, const char *path)
{
    const char *old = getenv(variable);
    char value[2 * PATHS_MAX];

    snprintf(value, sizeof(value), "%s%s%s", path, old && *old ? ":" : "", old ? old : "");
    setenv(variable, value, 1);
}

static void set_environment(const char *lib, const char *variant)
{
    const char *forget = getenv("VGPU_DISCOVER_FORGET");
    char paths[PATHS_MAX];

    if (variant)
        snprintf(paths, sizeof(paths), "%s:%s/%.255s", lib, lib, variant);
    else
        snprintf(paths, sizeof(paths), "%s", lib);
    prepend("LD_LIBRARY_PATH", paths);
    setenv("OLLAMA_LIBRARY_PATH", paths, 1);
    if (forget)
        unsetenv(forget);
}

/* Reads the child's report until it closes its end; false when 'limit_ms' is over first. */
static bool read_answer(int fd, long long limit_ms)
{
    long long deadline = now_ms() + limit_ms;
    size_t n = 0;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        long long left = deadline - now_ms();
        ssize_t got;

        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return false;
        got = read(fd, answer + n, sizeof(answer) - 1 - n);
        if (got <= 0)
            return true;
        n += (size_t)got;
    }
}

static int parent(const char *lib, const char *variant, int seconds)
{
    long long begin = now_ms();
    bool in_time;
    int fds[2], status;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) || (pid = fork()) < 0) {
        perror("vgpu-discover");
        return 1;
    }
    if (!pid) {
        dup2(fds[1], STDOUT_FILENO);
        set_environment(lib, variant);
        execl("/proc/self/exe", "vgpu-discover", "--runner", (char *)NULL);
        perror("vgpu-discover");
        _exit(127);
    }
    close(fds[1]);
    in_time = read_answer(fds[0], seconds * 1000ll);
    if (!in_time)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    report_open(NULL, '{');
    report_open("child", '{');
    report_number("exit", "%d", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    report_number("milliseconds", "%lld", now_ms() - begin);
    report_number("timed_out", "%s", in_time ? "false" : "true");
    report_close();
    status = in_time && WIFEXITED(status) && !WEXITSTATUS(status) && *answer == '{';
    answer[strlen(answer) - (status && answer[strlen(answer) - 1] == '\n')] = 0;
    report_number("runner", "%s", status ? answer : "null");
    report_close();
    return !status;
}

static int usage(void)
{
    fprintf(stderr, "usage: vgpu-discover [--lib DIR] [--variant NAME] [--timeout SECONDS]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "lib", required_argument, NULL, 'l' },
                                             { "variant", required_argument, NULL, 'v' },
                                             { "timeout", required_argument, NULL, 't' },
                                             { "runner", no_argument, NULL, 'r' },
                                             { 0 } };
    char lib[PATH_MAX + 32]; /* /../lib/ollama */
    const char *variant = NULL;
    int option, seconds = 30;

    default_lib(lib, sizeof(lib));
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'l': snprintf(lib, sizeof(lib), "%s", optarg); break;
        case 'v': variant = optarg; break;
        case 't': seconds = (int)strtol(optarg, NULL, 10); break;
        case 'r': return child();
        default: return usage();
        }
    if (optind != argc || seconds <= 0)
        return usage();
    return parent(lib, variant, seconds);
}
