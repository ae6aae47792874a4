/* SPDX-License-Identifier: Apache-2.0 */
/* For programs that are linked with a guest library: a vgpu-hostd of their own, in local mode. */
#ifndef VGPU_TESTS_WITH_HOSTD_H
#define VGPU_TESTS_WITH_HOSTD_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t hostd_pid, hostd_starter; /* children that exit leave it running */
static char hostd_dir[] = "/tmp/vgpu-test-XXXXXX";

__attribute__((unused)) static void stop_hostd(void)
{
    if (getpid() != hostd_starter)
        return;
    if (hostd_pid > 0) {
        kill(hostd_pid, SIGTERM);
        waitpid(hostd_pid, NULL, 0);
        hostd_pid = 0;
    }
    rmdir(hostd_dir);
}

__attribute__((unused)) static int hostd_answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    int up = !connect(fd, (struct sockaddr *)&address, sizeof address);
    close(fd);
    return up;
}

/* Starts PROGRAM with the arguments given (NULL at the end), waits until it answers, sets VGPU_SOCKET. Its log is appended to
 * LOG, when that is set. */
__attribute__((unused)) static void start_hostd(const char *program, const char *profile, const char *log)
{
    static char path[64];

    if (!mkdtemp(hostd_dir))
        exit(2);
    snprintf(path, sizeof path, "%s/hostd.sock", hostd_dir);
    setenv("VGPU_SOCKET", path, 1);
    hostd_pid = fork();
    if (!hostd_pid) {
        if (log)
            if (!freopen(log, "w", stderr))
                _exit(3);
        execl(program, program, "--socket", path, "--profile", profile, "--die-with-parent", (char *)NULL);
        _exit(3);
    }
    for (int i = 0; i < 1000 && !hostd_answers(path); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    hostd_starter = getpid();
    atexit(stop_hostd);
}

#endif
