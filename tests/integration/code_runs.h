/* SPDX-License-Identifier: Apache-2.0 */
/* Programs whose kernels are to be compiled, run under vgpu-run, and what the log says of their code. A test's main() calls
 * code_runs(), and for argv "guest" WHAT guest(). */
#ifndef VGPU_TESTS_CODE_RUNS_H
#define VGPU_TESTS_CODE_RUNS_H

#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"
#include "with_hostd.h"

#define THREADS 256
#define STEPS 5000
#define WAIT_MS 120000

/* ---- The guest ---- */

#define HEAD ".version 7.8\n.target sm_80\n.address_size 64\n"
#define FILL(name, factor) \
    ".visible .entry " name "(.param .u64 p)\n{ .reg .u64 %a, %b; .reg .u32 %t, %n, %c, %v; ld.param.u64 %a, [p]; mov.u32 %t, %tid.x;\n" \
    "mov.u32 %c, %ctaid.x; mov.u32 %n, %ntid.x; mad.lo.u32 %t, %c, %n, %t; mul.wide.u32 %b, %t, 4; add.u64 %a, %a, %b;\n" \
    "mul.lo.u32 %v, %t, " factor "; st.global.u32 [%a], %v; ret; }\n"
static const char fills[] = HEAD FILL("one", "3") FILL("two", "5");

/* Adds its number to every element, and takes the compiler long. */
static char *big_ptx(void)
{
    GString *s = g_string_new(HEAD FILL("one", "3") FILL("two", "5"));

    g_string_append(s, ".visible .entry big(.param .u64 p)\n{ .reg .u64 %a, %b; .reg .u32 %t, %v, %w; .reg .pred %p;\n"
                       "ld.param.u64 %a, [p]; mov.u32 %t, %tid.x; mul.wide.u32 %b, %t, 4; add.u64 %b, %a, %b; ld.global.u32 %v, [%b];\n");
    for (int i = 0; i < STEPS; i++)
        g_string_append_printf(s, "setp.lt.u32 %%p, %%t, %d;\n@%%p bra L%d;\nld.volatile.global.u32 %%w, [%%a]; xor.b32 %%v, %%v, %%w; xor.b32 %%v, %%v, %%w;\nL%d:\n",
                               i % THREADS, i, i);
    g_string_append(s, "add.u32 %v, %v, 1; bar.sync 0; st.global.u32 [%b], %v; ret; }\n");
    return g_string_free(s, FALSE);
}

static CUdeviceptr memory;

static bool launch(CUmodule m, const char *name, unsigned blocks)
{
    CUfunction f;
    void *params[] = {&memory};

    return !cuModuleGetFunction(&f, m, name) && !cuLaunchKernel(f, blocks, 1, 1, THREADS, 1, 1, 0, NULL, params, NULL) &&
           !cuCtxSynchronize();
}

static bool holds(unsigned n, uint32_t factor, uint32_t more)
{
    uint32_t *got = malloc(4 * n);
    bool same = !cuMemcpyDtoH_v2(got, memory, 4 * n);

    for (unsigned i = 0; i < n && same; i++)
        same = got[i] == i * factor + more;
    free(got);
    return same;
}

static bool logged(const char *what)
{
    const char *log = strchr(getenv("VGPU_LOG"), ':') + 1;
    g_autofree char *text = NULL;

    return g_file_get_contents(log, &text, NULL, NULL) && strstr(text, what);
}

static int guest(const char *what)
{
    bool big = !strcmp(what, "big");
    g_autofree char *ptx = big ? big_ptx() : g_strdup(fills);
    CUcontext context;
    CUmodule m;

    if (cuInit(0) || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context) || cuModuleLoadData(&m, ptx) ||
        cuMemAlloc_v2(&memory, 4 << 20))
        return 2;
    if (!strcmp(what, "until compiled")) { /* in the background: results are right before, while and after */
        for (int i = 0; i < WAIT_MS && !logged("came from the compiler"); i++)
            if (!launch(m, "one", 4096) || !holds(4096 * THREADS, 3, 0))
                return 3;
        return !logged("came from the compiler") || !launch(m, "one", 4096) || !holds(4096 * THREADS, 3, 0);
    }
    if (!launch(m, "one", 4) || !holds(4 * THREADS, 3, 0))
        return 4;
    if (big && (!launch(m, "big", 1) || !holds(THREADS, 3, 1)))
        return 5;
    return launch(m, "two", 4) && holds(4 * THREADS, 5, 0) ? 0 : 6;
}

/* ---- Running it ---- */

static char root[] = "/tmp/vgpu-code-XXXXXX";
static const char *self, *run_program;
static char *log_path, *last_log; /* of the run that has ended */

struct seen {
    int status;
    unsigned compiled, cached, stays, compilers, without;
};

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

static pid_t begin(const char *what)
{
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (!pid) {
        execl(run_program, run_program, "--", self, "guest", what, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static struct seen finish(pid_t pid)
{
    struct seen s = {.status = -1};
    char *text;

    waitpid(pid, &s.status, 0);
    g_free(last_log);
    if (!g_file_get_contents(log_path, &last_log, NULL, NULL))
        last_log = g_strdup("");
    text = last_log;
    unlink(log_path);
    s.compiled = count(text, "came from the compiler");
    s.cached = count(text, "came from the cache");
    s.stays = count(text, "stays with the interpreter");
    s.compilers = count(text, " started\n");
    s.without = count(text, "there is no compiler: ");
    if (s.status)
        diag("status %x, the log:\n%s", (unsigned)s.status, text);
    return s;
}

static struct seen run(const char *what)
{
    return finish(begin(what));
}

static bool saw(struct seen s, unsigned compiled, unsigned cached, unsigned stays, unsigned compilers)
{
    if (!s.status && s.compiled == compiled && s.cached == cached && s.stays == stays && s.compilers == compilers)
        return true;
    diag("status %x, %u compiled, %u cached, %u stay, %u compilers", (unsigned)s.status, s.compiled, s.cached, s.stays, s.compilers);
    return false;
}

__attribute__((unused)) static bool is(struct seen s, unsigned compiled, unsigned cached, unsigned compilers)
{
    return saw(s, compiled, cached, 0, compilers);
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    g_autofree char *command = NULL;
    va_list ap;

    va_start(ap, format);
    command = g_strdup_vprintf(format, ap);
    va_end(ap);
    if (system(command))
        diag("failed: %s", command);
}

/* Hosts and runs keep everything below a directory of this test's; all kernels are compiled before they run. */
static void code_runs(const char *program, const char *vgpu_run)
{
    if (!mkdtemp(root))
        exit(2);
    self = program;
    run_program = vgpu_run;
    log_path = g_strdup_printf("%s/log", root);
    unsetenv("VGPU_SOCKET");
    setenv("VGPU_CACHE", root, 1);
    setenv("VGPU_ENGINE", "jit", 1);
    setenv("VGPU_LOG", g_strdup_printf("debug:%s", log_path), 1);
}

/* A hostd of our own in root/bin, which finds its executor, and its compiler if there is one, beside itself; VGPU_SOCKET says where it
 * is. To be ended with stop_own_hostd(). */
static pid_t own_hostd;

__attribute__((unused)) static void start_own_hostd(void)
{
    g_autofree char *program = g_strdup_printf("%s/bin/vgpu-hostd", root), *socket_path = g_strdup_printf("%s/hostd.sock", root);

    own_hostd = fork();
    if (!own_hostd) {
        execl(program, program, "--socket", socket_path, "--die-with-parent", (char *)NULL);
        _exit(3);
    }
    setenv("VGPU_SOCKET", socket_path, 1);
    for (int i = 0; i < WAIT_MS && own_hostd > 0 && !waitpid(own_hostd, NULL, WNOHANG); i++) {
        if (hostd_answers(socket_path))
            return;
        usleep(1000);
    }
    printf("Bail out! %s does not start\n", program);
    exit(1);
}

__attribute__((unused)) static void stop_own_hostd(void)
{
    kill(own_hostd, SIGTERM);
    waitpid(own_hostd, NULL, 0);
    unsetenv("VGPU_SOCKET");
}

#endif
