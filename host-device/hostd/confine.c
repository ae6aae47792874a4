/* SPDX-License-Identifier: Apache-2.0 */
#include "hostd/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostd/hostd.h"

#define DESCRIPTORS 4096 /* 128 channels a guest, three each, and connections */
#define NOBODY 65534

/* What hostd does, and what a program that it starts does until it has confined itself further: being loaded, starting threads,
 * opening its files. */
static const int allowed[] = {
    /* descriptors and files */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(close),
    SCMP_SYS(close_range), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(fcntl), SCMP_SYS(dup),
    SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(memfd_create),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(rmdir), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rename), SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(utimensat), SCMP_SYS(umask), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
    /* sockets that are there, and pairs */
    SCMP_SYS(accept4), SCMP_SYS(socketpair), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(getsockopt), SCMP_SYS(shutdown),
    /* memory, threads, signals, time */
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mincore), SCMP_SYS(membarrier), SCMP_SYS(futex),
    SCMP_SYS(set_tid_address), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq), SCMP_SYS(arch_prctl),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity), SCMP_SYS(setpriority), SCMP_SYS(getpriority),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(alarm), SCMP_SYS(setitimer), SCMP_SYS(getrandom),
    SCMP_SYS(getcpu), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(getrusage), SCMP_SYS(times), SCMP_SYS(prlimit64), SCMP_SYS(getrlimit),
    SCMP_SYS(setrlimit),
    /* processes of its own */
    SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(execve), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(wait4), SCMP_SYS(waitid),
    SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(tgkill), SCMP_SYS(getpid),
    SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(getpgrp), SCMP_SYS(getpgid), SCMP_SYS(setsid), SCMP_SYS(setpgid),
    /* giving up privileges */
    SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups), SCMP_SYS(getresuid),
    SCMP_SYS(getresgid), SCMP_SYS(setgroups), SCMP_SYS(setresgid), SCMP_SYS(setresuid), SCMP_SYS(setgid), SCMP_SYS(setuid),
    SCMP_SYS(capget), SCMP_SYS(capset), SCMP_SYS(prctl), SCMP_SYS(seccomp),
};

#define NEW_NAMESPACES                                                                                                           \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static int filter_calls(void)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int failed = f ? 0 : -ENOMEM;

    for (size_t i = 0; i < G_N_ELEMENTS(allowed) && !failed; i++)
        failed = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
    /* Memory: writable or executable, never both. */
    for (int i = 0; i < 2 && !failed; i++) {
        const int call = i ? SCMP_SYS(mprotect) : SCMP_SYS(mmap);

        failed = seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (!failed)
            failed = seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC));
    }
    /* Threads and processes, no namespaces. clone3's flags are out of a filter's sight; without it libc uses clone. */
    if (!failed)
        failed = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, NEW_NAMESPACES, 0));
    if (!failed)
        failed = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (!failed)
        failed = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!failed)
        failed = seccomp_load(f);
    if (f)
        seccomp_release(f);
    return failed;
}

/* Of root's powers: giving executors another user, and ending them afterwards. */
static bool keep_few_capabilities(void)
{
    const uint32_t keep = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL;
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &head, data))
        return false;
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if ((cap >= 32 || !(keep >> cap & 1)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EPERM)
            return false;
    data[0].effective = data[0].permitted &= keep;
    data[0].inheritable = 0;
    data[1] = (struct __user_cap_data_struct){ 0, 0, 0 };
    return !syscall(SYS_capset, &head, data);
}

static bool find_user(const char *name, struct vg_user *user)
{
    const struct passwd *p = getpwnam(name);

    if (p)
        *user = (struct vg_user){ p->pw_uid, p->pw_gid };
    return p;
}

/* Where hostd runs as root in a container that has no other user, executors stay who they are. */
static bool may_become(struct vg_user user)
{
    pid_t child = fork();
    int status;

    if (!child)
        _exit(!vg_become(user, 0));
    return child > 0 && waitpid(child, &status, 0) == child && !status;
}

static int confine(struct vg_user own)
{
#ifdef __SANITIZE_ADDRESS__ /* whose run time asks for more: such builds are for tests alone */
    return 0;
#endif
    return vg_limit(DESCRIPTORS) && keep_few_capabilities() && vg_become(own, 0) ? filter_calls() : -errno;
}

bool hostd_confine(const char *name, struct vg_user *executors, GError **error)
{
    struct vg_user own = VG_SAME_USER;
    int failed;

    *executors = VG_SAME_USER;
    if (name && !find_user(name, &own)) {
        g_set_error(error, HOSTD_ERROR, ENOENT, "there is no user %s", name);
        return false;
    }
    if (!name && !geteuid()) {
        if (!find_user("nobody", executors))
            *executors = (struct vg_user){ NOBODY, NOBODY };
        if (!may_become(*executors)) {
            vg_log(VG_LOG_WARN, "executors cannot become another user here: they stay root, without its capabilities");
            *executors = VG_SAME_USER;
        }
    }
    failed = confine(own);
    if (failed)
        g_set_error(error, HOSTD_ERROR, -failed, "cannot confine itself: %s", g_strerror(-failed));
    return !failed;
}
