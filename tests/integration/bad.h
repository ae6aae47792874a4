/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what goes wrong. The program itself never loads libcuda: clients are child processes that open it by its path,
 * as strangers would, and whose exit status is the verdict. One of them, the witness, lives through the whole test and is
 * asked after every mishap of another whether its GPU still works and its memory is as it was. */
#ifndef VGPU_TESTS_BAD_H
#define VGPU_TESTS_BAD_H

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>

#include "tap.h"
#include "with_hostd.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

static const char *bad_library, *bad_hostd;
static void *bad_handle;
static char bad_log[] = "/tmp/vgpu-bad-XXXXXX";

static inline void *bad_symbol(const char *name)
{
    void *p = bad_handle ? dlsym(bad_handle, name) : NULL;

    if (!p) {
        diag("%s: %s", name, dlerror());
        _exit(98);
    }
    return p;
}

/* An entry point of the library that was opened: CU(cuInit)(0). */
#define CU(name) ((__typeof__(&name))bad_symbol(#name))

static const char bad_ptx[] =
    ".version 7.0\n.target sm_50\n.address_size 64\n"
    ".extern .func __assertfail(.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);\n"
    ".global .align 1 .b8 said[7] = {120, 32, 61, 61, 32, 50, 0};\n" /* x == 2 */
    ".global .align 1 .b8 file[5] = {97, 46, 99, 117, 0};\n"         /* a.cu */
    ".visible .entry store(.param .u64 p, .param .u32 value)\n{ .reg .b64 %d; .reg .b32 %r; ld.param.u64 %d, [p];\n"
    "ld.param.u32 %r, [value];\nst.global.u32 [%d], %r;\nret; }\n"
    ".visible .entry load(.param .u64 p)\n{ .reg .b64 %d; .reg .b32 %r; ld.param.u64 %d, [p]; ld.u32 %r, [%d]; st.u32 [%d], %r;"
    "ret; }\n"
    ".visible .entry add(.param .u64 p)\n{ .reg .b64 %d; .reg .b32 %r; ld.param.u64 %d, [p]; atom.global.add.u32 %r, [%d], 1;"
    "ret; }\n"
    ".visible .entry stop()\n{ trap; }\n"
    ".visible .entry says()\n{ .param .b64 a, b, d, e; .param .b32 c; .reg .b64 %d; mov.u64 %d, said; cvta.global.u64 %d, %d;\n"
    "st.param.b64 [a], %d; st.param.b64 [d], %d; mov.u64 %d, file; cvta.global.u64 %d, %d; st.param.b64 [b], %d;\n"
    "st.param.b32 [c], 41; st.param.b64 [e], 1; call __assertfail, (a, b, c, d, e); ret; }\n"
    ".visible .entry forever()\n{\nL: bra L; }\n"
    ".visible .entry waits(.param .u64 p)\n{ .reg .b64 %d; .reg .b32 %r; .reg .pred %p; ld.param.u64 %d, [p];\n"
    "L: ld.volatile.global.u32 %r, [%d]; setp.eq.u32 %p, %r, 0; @%p bra L; ret; }\n"
    ".visible .entry beyond_shared()\n{ .shared .align 4 .b8 sm[64]; .reg .b32 %r; mov.u32 %r, sm; add.u32 %r, %r, 0x100000;"
    "st.shared.u32 [%r], %r; ret; }\n"
    ".visible .entry beyond_local()\n{ .local .align 4 .b8 l[64]; .reg .b64 %d; mov.u64 %d, l; add.u64 %d, %d, 0x10000000;"
    "st.local.u64 [%d], %d; ret; }\n"
    ".func deeper(.param .b32 n)\n{ .local .align 4 .b8 l[256]; .reg .b32 %r; .param .b32 m; ld.param.b32 %r, [n];"
    "st.local.u32 [l], %r; add.u32 %r, %r, 1;\n"
    "st.param.b32 [m], %r; call deeper, (m); ld.local.u32 %r, [l]; ret; }\n"
    ".visible .entry recursion()\n{ .param .b32 m; st.param.b32 [m], 0; call deeper, (m); ret; }\n"
    ".visible .entry nowhere()\n{ .reg .b64 %d; mov.u64 %d, 0x123456;\np: .callprototype _ ();\ncall %d, p; ret; }\n";

struct bad_client {
    CUmodule module;
    CUcontext context;
};

/* A context and the module above; 0 when all is well. */
static inline int bad_begin(struct bad_client *c)
{
    int status;

    bad_handle = dlopen(bad_library, RTLD_NOW);
    if (!bad_handle) {
        diag("%s", dlerror());
        return 97;
    }
    status = CU(cuInit)(0);
    if (!status)
        status = CU(cuDevicePrimaryCtxRetain)(&c->context, 0);
    if (!status)
        status = CU(cuCtxSetCurrent)(c->context);
    return status ? status : CU(cuModuleLoadData)(&c->module, bad_ptx);
}

/* Launch a kernel of one thread with up to two parameters; the status of the launch itself. */
static inline int bad_launch(struct bad_client *c, const char *name, CUdeviceptr p, unsigned value)
{
    CUfunction function;
    void *params[] = {&p, &value};
    int status = CU(cuModuleGetFunction)(&function, c->module, name);

    return status ? status : CU(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL);
}

/* Whether a client's GPU works: memory, a kernel, a copy. */
static inline int bad_works(struct bad_client *c)
{
    static unsigned value = 1000;
    unsigned seen = 0;
    CUdeviceptr p;

    value++;
    if (CU(cuMemAlloc_v2)(&p, 4096) || bad_launch(c, "store", p, value) || CU(cuMemcpyDtoH_v2)(&seen, p, sizeof seen) ||
        CU(cuMemFree_v2)(p))
        return 0;
    return seen == value;
}

/* ---- Clients ---- */

/* Run test() as a client of its own; its verdict, or 1000 + the signal that ended it. 300 s at most. */
static inline int bad_run(int (*test)(struct bad_client *))
{
    struct bad_client c = {0};
    pid_t child;
    int status;

    fflush(stdout);
    child = fork();
    if (!child) {
        alarm(300);
        status = bad_begin(&c) ? 99 : test(&c);
        fflush(stdout);
        _exit(status);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static struct {
    pid_t pid;
    int ask, answer;
} witness;

/* Memory that only the witness knows of: it is filled once, and has to stay so. */
static CUdeviceptr canary;
static unsigned canary_is[1 << 16], canary_seen[1 << 16];

static inline int canary_start(void)
{
    for (unsigned i = 0; i < 1 << 16; i++)
        canary_is[i] = (i + 1) * 2654435761u;
    return !CU(cuMemAlloc_v2)(&canary, sizeof canary_is) && !CU(cuMemcpyHtoD_v2)(canary, canary_is, sizeof canary_is);
}

static inline int canary_lives(void)
{
    return !CU(cuMemcpyDtoH_v2)(canary_seen, canary, sizeof canary_seen) && !memcmp(canary_seen, canary_is, sizeof canary_is);
}

static inline void witness_start(void)
{
    struct bad_client c = {0};
    int to[2], from[2];
    char byte = 0;

    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
        exit(2);
    fflush(stdout);
    witness.pid = fork();
    if (!witness.pid) {
        close(to[1]);
        byte = !bad_begin(&c) && canary_start();
        do
            byte = byte && bad_works(&c) && canary_lives();
        while (write(from[1], &byte, 1) == 1 && read(to[0], &byte, 1) == 1);
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    witness.ask = to[1];
    witness.answer = from[0];
    if (read(witness.answer, &byte, 1) != 1 || !byte)
        diag("the witness cannot work at all");
}

static inline int witness_works(void)
{
    char byte = 1;

    return write(witness.ask, &byte, 1) == 1 && read(witness.answer, &byte, 1) == 1 && byte;
}

static inline void witness_stop(void)
{
    close(witness.ask);
    close(witness.answer);
    waitpid(witness.pid, NULL, 0);
}

/* ---- The log ---- */

static off_t bad_log_seen;

/* Whether a line with both texts has been logged since the last call that found one; waits for it 10 s. */
static inline int log_names(const char *one, const char *other)
{
    static char text[1 << 20];

    for (int i = 0; i < 1000; i++) {
        int fd = open(bad_log, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text - 1, bad_log_seen);

        close(fd);
        text[n > 0 ? n : 0] = 0;
        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            if (strstr(line, one) && strstr(line, other)) {
                bad_log_seen += end + 1 - text;
                return 1;
            }
        }
        usleep(10000);
    }
    diag("the log does not name '%s' and '%s'", one, other);
    return 0;
}

/* The children of a process, by their program's name; returns how many of 'room' were found. */
static inline int children_of(pid_t parent, const char *name, pid_t *found, int room)
{
    DIR *proc = opendir("/proc");
    int n = 0;

    for (struct dirent *e; proc && n < room && (e = readdir(proc));) {
        char path[300], comm[64];
        int pid = atoi(e->d_name), ppid;
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        f = pid > 0 ? fopen(path, "r") : NULL;
        if (!f)
            continue;
        if (fscanf(f, "%*d (%63[^)]) %*c %d", comm, &ppid) == 2 && ppid == parent && !strncmp(comm, name, 15))
            found[n++] = pid;
        fclose(f);
    }
    if (proc)
        closedir(proc);
    return n;
}

static inline void bad_end(void)
{
    char path[80];

    if (getpid() != hostd_starter)
        return;
    unlink(bad_log);
    snprintf(path, sizeof path, "%s/hostd.sock", hostd_dir); /* a killed hostd leaves it */
    unlink(path);
    rmdir(hostd_dir);
}

/* argv: vgpu-hostd, libcuda.so.1. Their log is kept from 'level' up. */
static inline void bad_setup(char **argv, const char *level)
{
    int fd = mkstemp(bad_log);
    char setting[64];

    bad_hostd = argv[1];
    bad_library = argv[2];
    if (fd < 0 || !bad_hostd || !bad_library)
        exit(2);
    close(fd);
    atexit(bad_end);
    /* Libraries, hostd and executors all append to it. */
    snprintf(setting, sizeof setting, "%s:%s", level, bad_log);
    setenv("VGPU_LOG", setting, 1);
    start_hostd(bad_hostd, "h100-pcie", NULL);
}

#endif
