/* SPDX-License-Identifier: Apache-2.0 */
#include "guest.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct cuda cu;

static const char kernels[] = ".version 6.0\n"
                              ".target sm_50\n"
                              ".address_size 64\n"
                              ".visible .entry spin(.param .u64 p, .param .u32 n)\n"
                              "{\n"
                              " .reg .b64 %a; .reg .b32 %v;\n"
                              " ld.param.u64 %a, [p];\n"
                              "again:\n"
                              " ld.volatile.global.u32 %v, [%a];\n"
                              " bra again;\n"
                              "}\n"
                              ".visible .entry slow(.param .u64 p, .param .u32 n)\n"
                              "{\n"
                              " .reg .b64 %a; .reg .b32 %i, %n; .reg .pred %more;\n"
                              " ld.param.u64 %a, [p];\n"
                              " ld.param.u32 %n, [n];\n"
                              " mov.u32 %i, 0;\n"
                              "again:\n"
                              " st.volatile.global.u32 [%a], %i;\n"
                              " add.u32 %i, %i, 1;\n"
                              " setp.lt.u32 %more, %i, %n;\n"
                              "@%more bra again;\n"
                              " st.global.u32 [%a], %i;\n"
                              " ret;\n"
                              "}\n"
                              ".visible .entry fill(.param .u64 p, .param .u32 k)\n"
                              "{\n"
                              " .reg .b64 %a, %o; .reg .b32 %t, %k;\n"
                              " ld.param.u64 %a, [p];\n"
                              " ld.param.u32 %k, [k];\n"
                              " mov.u32 %t, %tid.x;\n"
                              " mul.wide.u32 %o, %t, 4;\n"
                              " add.u64 %a, %a, %o;\n"
                              " add.u32 %k, %k, %t;\n"
                              " st.global.u32 [%a], %k;\n"
                              " ret;\n"
                              "}\n";

void cuda_load(const char *name)
{
#define ENTRY(name) {#name, (void **)&cu.name}
    static const struct {
        const char *name;
        void **at;
    } entries[] = {
        ENTRY(cuInit), ENTRY(cuDeviceGetCount), ENTRY(cuDeviceGetName), ENTRY(cuDevicePrimaryCtxRetain),
        ENTRY(cuDevicePrimaryCtxReset_v2), ENTRY(cuCtxSetCurrent), ENTRY(cuCtxSynchronize), ENTRY(cuModuleLoadData),
        ENTRY(cuModuleGetFunction), ENTRY(cuMemAlloc_v2), ENTRY(cuMemFree_v2), ENTRY(cuMemGetInfo_v2),
        ENTRY(cuMemcpyHtoD_v2), ENTRY(cuMemcpyDtoH_v2), ENTRY(cuLaunchKernel), ENTRY(cuGetErrorName),
    };
#undef ENTRY
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

    for (size_t i = 0; library && i < sizeof entries / sizeof *entries; i++) {
        *entries[i].at = dlsym(library, entries[i].name);
        if (!*entries[i].at)
            library = NULL;
    }
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
}

int cuda_open(void)
{
    void *context;
    int error = cu.cuInit(0);

    if (!error)
        error = cu.cuDevicePrimaryCtxRetain(&context, 0);
    if (!error)
        error = cu.cuCtxSetCurrent(context);
    if (!error)
        error = cu.cuModuleLoadData(&cu.module, kernels);
    return error;
}

int cuda_launch(const char *name, unsigned threads, device_ptr p, uint32_t n)
{
    void *function, *parameters[] = {&p, &n};
    int error = cu.cuModuleGetFunction(&function, cu.module, name);

    return error ? error : cu.cuLaunchKernel(function, 1, 1, 1, threads, 1, 1, 0, NULL, parameters, NULL);
}

int cuda_works(device_ptr p, uint32_t k)
{
    uint32_t words[256];
    int error = cuda_launch("fill", 256, p, k);

    if (!error)
        error = cu.cuCtxSynchronize();
    if (!error)
        error = cu.cuMemcpyDtoH_v2(words, p, sizeof words);
    for (uint32_t t = 0; !error && t < 256; t++)
        if (words[t] != k + t)
            error = -1;
    return error;
}

/* ---- the device ---- */

static int bar0_fd;
static const volatile uint32_t *bar0;

void registers_map(void)
{
    const char *path = "/sys/bus/pci/devices/0000:00:05.0/resource0";

    bar0_fd = open(path, O_RDWR | O_CLOEXEC);
    bar0 = bar0_fd < 0 ? MAP_FAILED : mmap(NULL, VGPU_BAR0_SIZE, PROT_READ, MAP_SHARED, bar0_fd, 0);
    if (bar0 == MAP_FAILED) {
        perror(path);
        exit(2);
    }
}

uint32_t reg(uint32_t offset)
{
    return bar0[offset / 4];
}

uint32_t channel_state(uint32_t n)
{
    return reg(VGPU_REG_CHANNEL_STATE + 4 * n);
}

unsigned channels_busy(void)
{
    unsigned busy = 0;

    for (uint32_t n = 0; n < VGPU_CHANNELS; n++)
        busy += channel_state(n) != VGPU_CHANNEL_FREE;
    return busy;
}

pid_t lock_owner(uint32_t n)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = n, .l_len = 1};

    return fcntl(bar0_fd, F_GETLK, &lock) || lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

int channel_of(pid_t pid)
{
    for (uint32_t n = 0; n < VGPU_CHANNELS; n++)
        if (lock_owner(n) == pid)
            return (int)n;
    return -1;
}

/* ---- processes ---- */

void nap_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

    nanosleep(&time, NULL);
}

double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int to_parent, from_parent;

struct child child_start(int (*run)(int argument), int argument)
{
    int up[2], down[2];

    fflush(stdout);
    if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC)) {
        perror("pipe");
        exit(2);
    }
    pid_t pid = fork();
    if (pid < 0) { /* it will be signalled, and -1 is everybody */
        perror("fork");
        exit(2);
    }
    if (!pid) {
        close(up[0]);
        close(down[1]);
        to_parent = up[1];
        from_parent = down[0];
        exit(run(argument));
    }
    close(up[1]);
    close(down[0]);
    return (struct child){pid, up[0], down[1]};
}

static int take(int fd)
{
    int word;

    return read(fd, &word, sizeof word) == sizeof word ? word : -1;
}

static void give(int fd, int word)
{
    ssize_t n = write(fd, &word, sizeof word);

    (void)n; /* whoever is gone will be missed where it is waited for */
}

void say(int word)
{
    give(to_parent, word);
}

int hear(void)
{
    return take(from_parent);
}

int child_hear(struct child *c)
{
    return take(c->in);
}

void child_tell(struct child *c, int word)
{
    give(c->out, word);
}

int child_end(struct child *c)
{
    int status = -1;

    close(c->in);
    close(c->out);
    waitpid(c->pid, &status, 0);
    return status;
}

int child_kill(struct child *c)
{
    kill(c->pid, SIGKILL);
    return child_end(c);
}
