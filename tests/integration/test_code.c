/* SPDX-License-Identifier: Apache-2.0 */
/* Where code comes from, as a guest's program sees it: the compiler, the cache, vgpu precompile; and that kernels run whatever
 * happens to them. The log counts. argv: vgpu-run, vgpu-precompile, vgpu-hostd, vgpu-executor; or as the guest: "guest" and what. */
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

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
static char *log_path;

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
    g_autofree char *text = NULL;
    struct seen s = {.status = -1};

    waitpid(pid, &s.status, 0);
    if (!g_file_get_contents(log_path, &text, NULL, NULL))
        text = g_strdup("");
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

static bool is(struct seen s, unsigned compiled, unsigned cached, unsigned compilers)
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

/* ---- Processes below a run: vgpu-run, its hostd, that one's compiler, its child ---- */

static pid_t child_named(pid_t parent, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)parent, (int)parent), *text = NULL;
    g_auto(GStrv) pids = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    pids = g_strsplit(text, " ", -1);
    for (char **p = pids; *p; p++) {
        g_autofree char *comm_path = g_strdup_printf("/proc/%s/comm", *p), *comm = NULL;

        if (**p && g_file_get_contents(comm_path, &comm, NULL, NULL) && !strncmp(comm, name, strlen(name)))
            return (pid_t)strtol(*p, NULL, 10);
    }
    return 0;
}

/* Of the run, once it compiles 'big' (one and two are done quickly): the compiler, or its child. */
static pid_t find(pid_t run_pid, bool child)
{
    for (int i = 0; i < WAIT_MS; i++) {
        pid_t hostd = child_named(run_pid, "vgpu-hostd"), compiler = hostd ? child_named(hostd, "vgpu-compiler") : 0;
        pid_t below = compiler ? child_named(compiler, "vgpu-compiler") : 0;

        /* The same child for a while: it is 'big'. */
        if (below) {
            usleep(300000);
            if (child_named(compiler, "vgpu-compiler") == below)
                return child ? below : compiler;
        }
        usleep(1000);
    }
    return 0;
}

/* ---- */

static void cache(void)
{
    pid_t a, b;
    struct seen s;

    ok(is(run("fills"), 2, 0, 1), "two kernels are compiled");
    ok(is(run("fills"), 0, 2, 0), "the second start compiles nothing, and starts no compiler");
    shell("for f in %s/code/local/*; do printf x | dd of=$f bs=1 seek=5000 conv=notrunc status=none; break; done", root);
    ok(is(run("fills"), 1, 1, 1), "a damaged one is compiled anew");
    ok(is(run("fills"), 0, 2, 0), "once");
    shell("mv %s/code/local %s/code/vm-00112233445566778899aabbccddeeff", root, root);
    ok(is(run("fills"), 2, 0, 1), "another guest's code is not taken");
    shell("chmod 755 %s/code/local", root);
    ok(is(run("fills"), 2, 0, 1), "nor what lies in a directory that others can read");
    shell("rm -rf %s/code", root);
    a = begin("fills");
    b = begin("fills");
    s = finish(a);
    ok(!s.status && !finish(b).status, "two programs at once, each with a hostd");
    ok(is(run("fills"), 0, 2, 0), "and the cache is whole");
    setenv("VGPU_CODE_CACHE_MB", "0", 1);
    shell("rm -rf %s/code", root);
    run("fills");
    ok(is(run("fills"), 2, 0, 1), "a cache without room keeps nothing");
    unsetenv("VGPU_CODE_CACHE_MB");
    setenv("VGPU_ISA", "base", 1);
    run("fills");
    unsetenv("VGPU_ISA");
    ok(is(run("fills"), 2, 0, 1), "code is for one instruction set");
}

static void ahead(const char *precompile)
{
    g_autofree char *file = g_strdup_printf("%s/fills.ptx", root);

    g_file_set_contents(file, fills, -1, NULL);
    shell("rm -rf %s/code", root);
    ok(system(NULL) && !WEXITSTATUS(system(g_strdup_printf("%s --block %d --jobs 2 %s >%s/out", precompile, THREADS, file, root))), "vgpu precompile");
    ok(is(run("fills"), 0, 2, 0), "what it compiled is found by every guest");
    ok(!system(g_strdup_printf("%s --block %d --entry 'o*' %s | grep -q '^1 kernels: 0 compiled.* 1 there already'", precompile, THREADS, file)),
       "and not by itself again");
    ok(WEXITSTATUS(system(g_strdup_printf("%s %s/absent >%s/out 2>&1", precompile, root, root))) == 1 &&
       WEXITSTATUS(system(g_strdup_printf("%s --block 0 %s 2>%s/out", precompile, file, root))) == 2 &&
       WEXITSTATUS(system(g_strdup_printf("%s --isa x %s 2>%s/out", precompile, file, root))) == 2, "its exit status says what is wrong");
}

static void background(void)
{
    struct seen s;

    shell("rm -rf %s/code", root);
    unsetenv("VGPU_ENGINE");
    ok(is(run("fills"), 0, 0, 0), "by default small kernels that come once are interpreted");
    s = run("until compiled");
    ok(!s.status && s.compiled == 1 && s.compilers == 1, "what comes again is compiled meanwhile");
    setenv("VGPU_ENGINE", "interp", 1);
    ok(is(run("fills"), 0, 0, 0), "on request all are");
    setenv("VGPU_ENGINE", "jit", 1);
}

static void deaths(void)
{
    struct seen s;
    pid_t pid, victim;

    shell("rm -rf %s/code", root);
    pid = begin("big");
    victim = find(pid, true);
    ok(victim && !kill(victim, SIGKILL), "a compilation is killed");
    s = finish(pid);
    ok(saw(s, 2, 0, 1, 1), "its kernel is interpreted, the others are compiled");

    pid = begin("big");
    victim = find(pid, false);
    ok(victim && !kill(victim, SIGKILL), "the compiler is killed");
    s = finish(pid);
    ok(saw(s, 0, 2, 1, 1), "its kernel is interpreted");

    shell("rm -rf %s/code", root);
    pid = begin("big");
    victim = find(pid, false);
    ok(victim && !kill(victim, SIGSTOP), "the compiler is stopped");
    s = finish(pid);
    ok(saw(s, 2, 0, 1, 2), "it is replaced");

    setenv("VGPU_COMPILE_SECONDS", "1", 1);
    s = run("big");
    ok(saw(s, 0, 2, 1, 1), "a compilation that takes too long");
    unsetenv("VGPU_COMPILE_SECONDS");
    s = run("big");
    ok(saw(s, 0, 2, 1, 0), "is not tried again");
}

/* hostd and executor alone, as where the compiler's package is not installed. */
static void without(const char *hostd, const char *executor)
{
    g_autofree char *program = g_strdup_printf("%s/bin/vgpu-hostd", root), *socket_path = g_strdup_printf("%s/hostd.sock", root);
    struct seen s;
    pid_t pid;

    shell("rm -rf %s/code; mkdir %s/bin; cp %s %s %s/bin", root, root, hostd, executor, root);
    pid = fork();
    if (!pid) {
        execl(program, program, "--socket", socket_path, "--die-with-parent", (char *)NULL);
        _exit(3);
    }
    setenv("VGPU_SOCKET", socket_path, 1);
    for (int i = 0; i < WAIT_MS && access(socket_path, F_OK); i++)
        usleep(1000);
    s = run("fills");
    ok(!s.status && s.without == 1 && s.stays == 2, "without a compiler kernels are interpreted, which is said once");
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    unsetenv("VGPU_SOCKET");
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "guest"))
        return guest(argv[2]);
    if (argc != 5 || !mkdtemp(root))
        return 2;
    self = argv[0];
    run_program = argv[1];
    log_path = g_strdup_printf("%s/log", root);
    unsetenv("VGPU_SOCKET");
    setenv("VGPU_CACHE", root, 1);
    setenv("VGPU_ENGINE", "jit", 1);
    setenv("VGPU_LOG", g_strdup_printf("debug:%s", log_path), 1);
    cache();
    ahead(argv[2]);
    background();
    deaths();
    without(argv[3], argv[4]);
    shell("rm -rf %s", root);
    return tap_done();
}
