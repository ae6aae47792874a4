/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's compiled code: what the cache has of it, and the process that makes more. The cache is opened, and the compiler started,
 * when an executor asks for the first time. A compiler that dies or stands still is replaced when it is next asked for. */
#include "hostd/hostd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "code/cache.h"
#include "compiler/compiler.h"

#define PING_SECONDS 2
#define PINGS_MAX 5     /* that may stay unanswered */
#define DEATHS_MAX 16   /* of a guest's compilers; of those that were never ready, DEAD_BORN_MAX are enough */
#define DEAD_BORN_MAX 2

struct guest_code {
    struct guest *guest;
    struct code_cache *own, *shared;
    GPid pid;               /* of the compiler, 0 when none runs */
    int socket;
    guint socket_watch, child_watch, timer;
    bool ready;
    unsigned pings, deaths, dead_born;
};

/* ---- The cache ---- */

static struct code_cache *open_cache(const char *identity, bool make)
{
    g_autofree char *why = NULL;
    struct code_cache *c = code_cache_open(identity, make, &why);

    if (!c && why)
        vg_log(VG_LOG_WARN, "code is not kept: %s", why);
    return c;
}

static struct guest_code *code_of(struct guest *g)
{
    if (!g->code) {
        g->code = g_new0(struct guest_code, 1);
        g->code->guest = g;
        g->code->socket = -1;
        g->code->own = g->identity[0] ? open_cache(g->identity, true) : NULL;
        g->code->shared = open_cache(CODE_CACHE_SHARED, false);
    }
    return g->code;
}

int guest_code_find(struct guest *g, const uint8_t *key)
{
    struct guest_code *k = code_of(g);
    int fd = k->shared ? code_cache_find(k->shared, key) : -1;

    return fd < 0 && k->own ? code_cache_find(k->own, key) : fd;
}

/* ---- The compiler ---- */

static void close_socket(struct guest_code *k)
{
    if (k->socket_watch)
        g_source_remove(k->socket_watch);
    k->socket_watch = 0;
    if (k->socket >= 0)
        close(k->socket);
    k->socket = -1;
}

static void compiler_gone(GPid pid, gint status, gpointer data)
{
    struct guest_code *k = data;

    g_spawn_close_pid(pid);
    close_socket(k);
    g_source_remove(k->timer);
    k->pid = 0;
    k->child_watch = k->timer = 0;
    k->deaths++;
    k->dead_born += !k->ready;
    if (WIFSIGNALED(status))
        vg_log(VG_LOG_WARN, "%s: its compiler was killed by signal %d", k->guest->name, WTERMSIG(status));
    else
        vg_log(VG_LOG_WARN, "%s: its compiler ended with status %d", k->guest->name, WEXITSTATUS(status));
}

static void store(struct guest_code *k, const struct vg_packet *p)
{
    if (k->own && !code_cache_store(k->own, p->payload, p->fds[0]))
        vg_log(VG_LOG_WARN, "%s: code is not kept: %s", k->guest->name, g_strerror(errno));
}

/* False: the compiler broke the protocol. */
static bool compiler_message(struct guest_code *k, const struct vg_packet *p)
{
    switch (p->msg.type) {
    case VGPU_MSG_READY:
        k->ready = true;
        return true;
    case VGPU_MSG_PONG:
        k->pings = 0;
        return true;
    case VGPU_MSG_STORE:
        if (p->n_fds != 1 || p->msg.payload != CODE_KEY_SIZE)
            return false;
        store(k, p);
        return true;
    default:
        return false;
    }
}

static gboolean compiler_readable(gint fd, GIOCondition condition, gpointer data)
{
    struct guest_code *k = data;
    struct vg_packet p;
    enum vg_msg_result got = vg_msg_receive(fd, &p);

    if (got == VG_MSG_OK) {
        bool good = compiler_message(k, &p);

        vg_packet_close_fds(&p);
        if (good)
            return G_SOURCE_CONTINUE;
    }
    if (got != VG_MSG_CLOSED)
        vg_log(VG_LOG_ERROR, "%s: its compiler sent nonsense", k->guest->name);
    k->socket_watch = 0;
    kill(k->pid, SIGKILL); /* compiler_gone() does the rest */
    return G_SOURCE_REMOVE;
}

static gboolean ping(gpointer data)
{
    struct guest_code *k = data;

    if (k->pings++ >= PINGS_MAX || !vg_msg_send(k->socket, &(struct vgpu_msg){ .type = VGPU_MSG_PING }, NULL, 0, NULL, 0))
        kill(k->pid, SIGKILL);
    return G_SOURCE_CONTINUE;
}

/* In the child, between fork and exec. Async-signal-safe calls only. */
static void place_socket(gpointer data)
{
    int fd = *(const int *)data;

    if (fd == COMPILER_FD_CONTROL ? fcntl(fd, F_SETFD, 0) : dup2(fd, COMPILER_FD_CONTROL) < 0)
        _exit(127);
}

static bool start_compiler(struct guest_code *k)
{
    g_autofree char *jobs = g_strdup_printf("%u", MAX(g_get_num_processors() / 2, 1));
    char *argv[] = { compiler_path, jobs, NULL };
    g_autoptr(GError) error = NULL;
    int pair[2];

    if (k->pid)
        return k->socket >= 0;
    if (!compiler_path || k->deaths >= DEATHS_MAX || k->dead_born >= DEAD_BORN_MAX ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return false;
    if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN | G_SPAWN_STDOUT_TO_DEV_NULL,
                       place_socket, &pair[1], &k->pid, &error)) {
        vg_log(VG_LOG_ERROR, "%s: cannot start %s: %s", k->guest->name, compiler_path, error->message);
        k->dead_born++;
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    close(pair[1]);
    k->socket = pair[0];
    k->ready = false;
    k->pings = 0;
    k->socket_watch = g_unix_fd_add(k->socket, G_IO_IN | G_IO_HUP, compiler_readable, k);
    k->child_watch = g_child_watch_add(k->pid, compiler_gone, k);
    k->timer = g_timeout_add_seconds(PING_SECONDS, ping, k);
    vg_log(VG_LOG_INFO, "%s: compiler %d started", k->guest->name, (int)k->pid);
    return true;
}

int guest_code_connect(struct guest *g)
{
    struct guest_code *k = code_of(g);
    int pair[2];

    if (!start_compiler(k) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        return -1;
    if (!vg_msg_send(k->socket, &(struct vgpu_msg){ .type = VGPU_MSG_CONNECT }, NULL, 0, &pair[1], 1)) {
        close(pair[0]);
        pair[0] = -1;
    }
    close(pair[1]);
    return pair[0];
}

void guest_code_free(struct guest *g)
{
    struct guest_code *k = g->code;

    if (!k)
        return;
    close_socket(k);
    if (k->child_watch)
        g_source_remove(k->child_watch);
    if (k->timer)
        g_source_remove(k->timer);
    if (k->pid) {
        kill(k->pid, SIGKILL);
        waitpid(k->pid, NULL, 0);
    }
    code_cache_free(k->own);
    code_cache_free(k->shared);
    g_free(k);
}
