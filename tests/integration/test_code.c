/* SPDX-License-Identifier: Apache-2.0 */
/* Where code comes from, as a guest's program sees it: the compiler, the cache, vgpu precompile; and that kernels run whatever
 * happens to them. The log counts. argv: vgpu-run, vgpu-precompile, vgpu-hostd, vgpu-executor; or as the guest: "guest" and what. */
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "code_runs.h"

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

/* Code of 'one', which comes before 'big', is kept. */
static bool one_is_kept(void)
{
    g_autofree char *path = g_strdup_printf("%s/code/local", root);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

    return dir && g_dir_read_name(dir);
}

/* Of the run, once it compiles 'big': the compiler, or its child. */
static pid_t find(pid_t run_pid, bool child)
{
    for (int i = 0; i < WAIT_MS; i++) {
        pid_t hostd = child_named(run_pid, "vgpu-hostd"), compiler = hostd ? child_named(hostd, "vgpu-compiler") : 0;
        pid_t below = compiler ? child_named(compiler, "vgpu-compiler") : 0;

        /* The same child for a while: not the last one's, at its end. */
        if (below && one_is_kept()) {
            usleep(100000);
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

/* What lies where an entry should: another kernel's, a link to one, a pipe, a hole without end, another user's. */
static void forged(void)
{
    static const struct {
        const char *what, *how; /* a and b: the entries of two kernels */
    } rows[] = {
        {"another kernel's entry", "cp $b $a"},
        {"a link to a good entry", "mv $a away; ln -s $PWD/away $a"},
        {"a pipe", "rm $a; mkfifo $a"},
        {"a directory", "rm $a; mkdir $a"},
        {"a hole of four gigabytes behind it", "truncate -s 4G $a"},
        {"an entry that anybody may write", "chmod 666 $a"},
        {"nothing in it", ": >$a"},
        {"half of it", "truncate -s 5000 $a"},
    };

    shell("rm -rf %s/code", root);
    run("fills");
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct seen s;

        shell("cd %s/code/local && rm -f away && set -- * && a=$1 b=$2 && %s", root, rows[i].how);
        s = run("fills");
        ok(is(s, 1, 1, 1), "%s: it is compiled anew", rows[i].what);
        shell("cd %s/code/local && for f in *; do [ ! -d $f ] || rmdir $f; done", root);
        if (!is(run("fills"), 0, 2, 0))
            run("fills");
    }
}

#ifdef __SANITIZE_ADDRESS__ /* such a hostd does not confine itself */
#define IS_CONFINED false
#else
#define IS_CONFINED true
#endif

/* hostd as root has no power over what others keep to themselves. */
static void foreign_home(void)
{
    struct seen s;

    if (geteuid() || !IS_CONFINED) {
        skip(2, "only root has another user's home, and gives its power up");
        return;
    }
    shell("mkdir -m 700 %s/home && mkdir -m 700 %s/home/cache && chown -R nobody %s/home", root, root, root);
    setenv("VGPU_CACHE", g_strdup_printf("%s/home/cache", root), 1);
    s = run("fills");
    ok(!s.status && s.compiled == 2, "a cache below another user's home: kernels are compiled and run");
    ok(strstr(last_log, "code is not kept") && strstr(last_log, "home/cache"), "the log says where code is not kept");
    setenv("VGPU_CACHE", root, 1);
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
    if (strstr(last_log, "did not end")) { /* it never had its second: nothing is known of the kernel */
        skip(1, "the machine is too busy");
        return;
    }
    s = run("big");
    ok(saw(s, 0, 2, 1, 0), "is not tried again");
}

/* hostd and executor alone, as where the compiler's package is not installed. */
static void without(const char *hostd, const char *executor)
{
    struct seen s;

    shell("rm -rf %s/code; mkdir %s/bin; cp %s %s %s/bin", root, root, hostd, executor, root);
    start_own_hostd();
    s = run("fills");
    ok(!s.status && s.without == 1 && s.stays == 2, "without a compiler kernels are interpreted, which is said once");
    stop_own_hostd();
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "guest"))
        return guest(argv[2]);
    if (argc != 5)
        return 2;
    code_runs(argv[0], argv[1]);
    cache();
    forged();
    foreign_home();
    ahead(argv[2]);
    background();
    deaths();
    without(argv[3], argv[4]);
    shell("rm -rf %s", root);
    return tap_done();
}
