/* SPDX-License-Identifier: Apache-2.0 */
#include "hostd.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static bool answers(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool up;

    if (fd < 0)
        return false;
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    up = !connect(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return up;
}

/* A Ctrl-C at the terminal is for vgpu-test, which ends its hostd when the VM is gone. */
static void own_group(gpointer data)
{
    setpgid(0, 0);
}

bool hostd_start(struct hostd *hostd, const char *socket_path, const char *log, const char *profile, GError **error)
{
    g_autofree char *program = bench_program("vgpu-hostd", error), *setting = g_strdup_printf("debug:%s", log);
    const char *argv[] = { program, "--socket", socket_path, profile ? "--profile" : NULL, profile, NULL };
    g_auto(GStrv) env = g_environ_setenv(g_get_environ(), "VGPU_LOG", setting, TRUE);

    if (!program)
        return false;
    if (!g_spawn_async(NULL, (char **)argv, env, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, own_group, NULL,
                       &hostd->pid, error)) {
        g_prefix_error(error, "vgpu-hostd: ");
        return false;
    }
    hostd->socket = g_strdup(socket_path);
    for (int i = 0; i < 2000 && !interrupted(); i++) {
        if (answers(socket_path))
            return true;
        if (waitpid(hostd->pid, NULL, WNOHANG) == hostd->pid) {
            hostd->pid = 0;
            break;
        }
        g_usleep(5000);
    }
    g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "vgpu-hostd did not come up at %s (its log: %s)", socket_path, log);
    hostd_stop(hostd);
    return false;
}

static void end(struct hostd *hostd, int number)
{
    if (hostd->pid <= 0)
        return;
    kill(hostd->pid, number);
    while (waitpid(hostd->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    g_spawn_close_pid(hostd->pid);
    hostd->pid = 0;
}

void hostd_kill(struct hostd *hostd)
{
    end(hostd, SIGKILL);
}

void hostd_stop(struct hostd *hostd)
{
    end(hostd, SIGTERM);
    if (hostd->socket)
        g_unlink(hostd->socket);
    g_clear_pointer(&hostd->socket, g_free);
}
