/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "executor/start.h"

/* What the ring, the workers, the allocator and the log need on descriptors that are open already. Anything else fails with
 * EPERM: a library's fallback may go on, an attacker may not. */
static const int allowed[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
    SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(fallocate),
    SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday), SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrandom), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(exit), SCMP_SYS(exit_group),
};

bool vgx_sandbox_enter(bool compiles)
{
#ifdef __SANITIZE_ADDRESS__ /* whose run time asks for much more: such builds are for tests alone */
    return true;
#endif
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int failed = !filter ? -ENOMEM : prctl(PR_SET_DUMPABLE, 0) ? -errno : 0;

    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed) && !failed; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    /* Memory, but never memory that can be executed. */
    if (!failed)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (!failed)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    /* Signals for itself alone: abort(). */
    if (!failed)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    /* Code comes in a sealed memory file, which is looked at and mapped read-execute: nothing is ever writable and executable.
     * The files that the process was started with are the guest's to write. */
    if (!failed && compiles)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GET_SEALS));
    if (!failed && compiles)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 3, SCMP_A2(SCMP_CMP_EQ, PROT_READ | PROT_EXEC),
                                  SCMP_A3(SCMP_CMP_EQ, MAP_PRIVATE), SCMP_A4(SCMP_CMP_GT, VGX_FD_CONTROL));
    /* All threads at once: the workers run guest code too. */
    if (!failed)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!failed)
        failed = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    if (failed)
        errno = -failed;
    return !failed;
}
