/* SPDX-License-Identifier: Apache-2.0 */
/* What hostd's and the executor's confinement forbids: a process confines itself as they do, then tries. And what a running hostd
 * and its executors show of themselves in /proc. argv: vgpu-hostd, libcuda.so.1. */
#include "integration/bad.h"

#include <errno.h>
#include <glib.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "executor/sandbox.h"
#include "hostd/hostd.h"
#include "hostd/confine.h"

/* ---- Attempts: 0 or more is success, -1 with errno is what is hoped for ---- */

static long open_file(void) { return open("/etc/hostname", O_RDONLY); }
static long create_file(void) { return open("/tmp/vgpu-escaped", O_WRONLY | O_CREAT, 0600); }
static long stat_file(void) { struct stat st; return stat("/etc/hostname", &st); }
static long unlink_file(void) { return unlink("/tmp/vgpu-nothing-here"); }
static long change_mode(void) { return chmod("/tmp", 0777); }
static long inet_socket(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static long unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long packet_socket(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long netlink_socket(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long start_program(void) { char *argv[] = {(char *)"true", NULL}; return execve("/bin/true", argv, NULL); }
static long fork_process(void) { long pid = syscall(SYS_fork); if (!pid) _exit(0); return pid; }
static long clone_thread(void) { long pid = syscall(SYS_clone, 0, NULL, NULL, NULL, 0); if (!pid) _exit(0); return pid; }
static long trace_parent(void) { return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL); }
static long read_parent(void)
{
    char buffer[8];
    struct iovec here = {buffer, 8}, there = {buffer, 8};

    return syscall(SYS_process_vm_readv, getppid(), &here, 1, &there, 1, 0);
}
static long kill_parent(void) { return kill(getppid(), 0); }
static long signal_parent(void) { return syscall(SYS_tgkill, getppid(), getppid(), 0); }
static long new_namespace(void) { return unshare(CLONE_NEWUSER); }
static long join_namespace(void) { return syscall(SYS_setns, 0, 0); }
static long clone_namespace(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

    if (!pid)
        _exit(0);
    return pid;
}
static long mount_something(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long change_root(void) { return chroot("/tmp"); }
static long load_bpf(void) { return syscall(SYS_bpf, 0, NULL, 0); }
static long use_io_uring(void) { struct io_uring_params p = {0}; return syscall(SYS_io_uring_setup, 1, &p); }
static long watch_events(void) { return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0); }
static long handle_faults(void) { return syscall(SYS_userfaultfd, 0); }
static long add_key(void) { return syscall(SYS_add_key, "user", "x", "x", 1, -4); }
static long become_root(void) { return syscall(SYS_setuid, 0); }
static long change_personality(void) { return syscall(SYS_personality, 0x0400000); }
static long make_memfd(void) { return memfd_create("code", 0); }
static long raise_limit(void) { struct rlimit r = {1 << 20, 1 << 20}; return setrlimit(RLIMIT_NOFILE, &r); }
static long dump_again(void) { return prctl(PR_SET_DUMPABLE, 1); }

static long map(int prot, int flags)
{
    return mmap(NULL, 4096, prot, flags, -1, 0) == MAP_FAILED ? -1 : 0;
}
static long map_all(void) { return map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS); }
static long map_write_execute(void) { return map(PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS); }
static long map_execute(void) { return map(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS); }
static long protect(int prot)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == MAP_FAILED ? 0 : mprotect(page, 4096, prot);
}
static long make_executable(void) { return protect(PROT_READ | PROT_EXEC); }
static long make_all(void) { return protect(PROT_READ | PROT_WRITE | PROT_EXEC); }
static long make_code_writable(void)
{
    return mprotect((void *)((uintptr_t)make_code_writable & ~(uintptr_t)4095), 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}
/* BAR2 is the guest's to write: never code. */
static long map_first_descriptors(void)
{
    for (int fd = 0; fd <= 5; fd++)
        if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED)
            return 0;
    return -1;
}
static long map_shared_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, 40, 0) == MAP_FAILED ? -1 : 0;
}

#define BOTH 1     /* forbidden to hostd and to executors */
#define EXECUTOR 2 /* to executors alone */

static const struct attempt {
    const char *name;
    long (*try)(void);
    int whom;
} attempts[] = {
    {"opening a file", open_file, EXECUTOR},
    {"creating a file", create_file, EXECUTOR},
    {"looking at a file", stat_file, EXECUTOR},
    {"removing a file", unlink_file, EXECUTOR},
    {"changing a file's mode", change_mode, BOTH},
    {"an internet socket", inet_socket, BOTH},
    {"a Unix socket", unix_socket, BOTH},
    {"a raw socket", packet_socket, BOTH},
    {"a netlink socket", netlink_socket, BOTH},
    {"starting a program", start_program, EXECUTOR},
    {"a child process", fork_process, EXECUTOR},
    {"a child process by clone", clone_thread, EXECUTOR},
    {"tracing another process", trace_parent, BOTH},
    {"reading another process", read_parent, BOTH},
    {"ending another process", kill_parent, EXECUTOR},
    {"a signal to another process's thread", signal_parent, EXECUTOR},
    {"a new namespace", new_namespace, BOTH},
    {"another process's namespace", join_namespace, BOTH},
    {"a child in a new namespace", clone_namespace, BOTH},
    {"mounting", mount_something, BOTH},
    {"changing the root", change_root, BOTH},
    {"BPF", load_bpf, BOTH},
    {"io_uring", use_io_uring, BOTH},
    {"performance counters", watch_events, BOTH},
    {"userfaultfd", handle_faults, BOTH},
    {"keys", add_key, BOTH},
    {"becoming root", become_root, EXECUTOR},
    {"another personality", change_personality, BOTH},
    {"a memory file of its own", make_memfd, EXECUTOR},
    {"raising a limit", raise_limit, EXECUTOR},
    {"being dumped", dump_again, EXECUTOR},
    {"memory to write and execute", map_write_execute, BOTH},
    {"memory to read, write and execute", map_all, BOTH},
    {"memory to execute", map_execute, EXECUTOR},
    {"making memory executable", make_executable, EXECUTOR},
    {"making memory writable and executable", make_all, BOTH},
    {"making code writable", make_code_writable, BOTH},
    {"executing what the guest can write", map_first_descriptors, EXECUTOR},
    {"executing a shared mapping", map_shared_code, EXECUTOR},
};


static bool as_executor(void)
{
    return vg_limit(64) && vgx_sandbox_enter(true);
}

static bool as_hostd(void)
{
    struct vg_user user;

    return hostd_confine(NULL, &user, NULL);
}

/* In a process of its own, since there is no way back: 0 is what is hoped for. */
static int attempt(bool (*confine)(void), long (*try)(void))
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (!child) {
        alarm(20);
        if (!confine())
            _exit(3);
        _exit(try() >= 0 ? 1 : errno == EPERM || errno == EACCES || errno == EBADF ? 0 : 2);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* ---- /proc ---- */

static long status_field(pid_t pid, const char *name, int base)
{
    char path[64], line[256];
    long value = -1;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            value = (long)strtoull(line + strlen(name) + 1, NULL, base);
    if (f)
        fclose(f);
    return value;
}

static int descriptors(pid_t pid)
{
    char path[64];
    DIR *d;
    int n = 0;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void running(void)
{
    pid_t executor = 0;

    witness_start();
    ok(witness_works() && children_of(hostd_pid, "vgpu-executor", &executor, 1) == 1, "hostd runs an executor");
    for (int i = 0; i < 2; i++) {
        pid_t pid = i ? executor : hostd_pid;
        const char *who = i ? "the executor" : "hostd";

        is_u64((uint64_t)status_field(pid, "Seccomp", 10), 2, "%s: its system calls are filtered", who);
        is_u64((uint64_t)status_field(pid, "NoNewPrivs", 10), 1, "%s: gains no privileges", who);
        /* Of all capabilities CAP_KILL, CAP_SETGID, CAP_SETUID at most. */
        is_u64((uint64_t)(status_field(pid, "CapEff", 16) & ~0xe0L), 0, "%s: has no capability that it does not need", who);
    }
    is_u64((uint64_t)status_field(executor, "Seccomp_filters", 10) >= 2, 1, "the executor: by hostd's filter and by its own");
    if (geteuid())
        skip(2, "not root: executors are the same user");
    else {
        long uid = status_field(executor, "Uid", 10);

        ok(uid > 0, "the executor: is another user (%ld)", uid);
        is_u64((uint64_t)status_field(executor, "CapEff", 16), 0, "the executor: has no capability at all");
    }
    /* Standard ones, BAR2, doorbell, control, the log, the compiler's socket. */
    ok(descriptors(executor) <= 8, "the executor: has no descriptor but those it was given (%d)", descriptors(executor));
    witness_stop();
}

int main(int argc, char **argv)
{
    (void)argc;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        const struct attempt *a = &attempts[i];

        is_u64(attempt(as_executor, a->try), 0, "an executor is refused: %s", a->name);
        if (a->whom == BOTH)
            is_u64(attempt(as_hostd, a->try), 0, "hostd is refused: %s", a->name);
    }
    bad_setup(argv, "warn");
    running();
    return tap_done();
}
