/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "code/entry.h"
#include "executor/log.h"
#include "executor/socket.h"
#include "jit/jit.h"

#define PEER_BYTES (2 * CODE_REQUEST_MAX) /* of requests that one connection may have under way */
#define PATIENCE 8                        /* a compilation may last so many times its CPU time: other work is done too */
#define JOBS_MAX 64

/* A connection from an executor. */
struct peer {
    int fd;
    GByteArray *request;    /* what has come of the next one; NULL between requests */
    uint64_t number, total; /* of that */
    uint64_t bytes;         /* of all its requests that are not answered */
};

struct waiter {
    struct peer *peer;
    uint64_t number;
};

struct job {
    GByteArray *request;
    uint8_t key[CODE_KEY_SIZE];
    GArray *waiters;        /* struct waiter; empty when all have gone */
    pid_t pid;              /* 0: in the queue */
    int file, pipe;         /* the result; the end of a pipe whose other end the child's death closes */
    double deadline;
    bool late;
};

static GPtrArray *peers, *jobs; /* jobs in order of arrival, running ones among them */
static unsigned running, jobs_max = 1;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Answers ---- */

static void close_peer(struct peer *p)
{
    for (guint i = 0; i < jobs->len; i++) {
        GArray *waiters = ((struct job *)jobs->pdata[i])->waiters;

        for (guint k = waiters->len; k-- > 0;)
            if (g_array_index(waiters, struct waiter, k).peer == p)
                g_array_remove_index_fast(waiters, k);
    }
    close(p->fd);
    if (p->request)
        g_byte_array_unref(p->request);
    g_ptr_array_remove_fast(peers, p);
    g_free(p);
}

/* fd -1: none, and 'why' is said. A peer that does not take its answers is given up. */
static void answer(struct job *j, int fd, const char *why)
{
    struct vgpu_msg m = {.type = VGPU_MSG_COMPILED, .status = fd < 0 ? 999 : 0};

    while (j->waiters->len) {
        struct waiter w = g_array_index(j->waiters, struct waiter, j->waiters->len - 1);

        g_array_set_size(j->waiters, j->waiters->len - 1);
        m.a = w.number;
        w.peer->bytes -= MIN(w.peer->bytes, j->request->len);
        if (!vg_msg_send(w.peer->fd, &m, why, fd < 0 ? strlen(why) + 1 : 0, &fd, fd >= 0))
            close_peer(w.peer);
    }
}

static void free_job(void *p)
{
    struct job *j = p;

    g_byte_array_unref(j->request);
    g_array_unref(j->waiters);
    g_free(j);
}

/* ---- Children ---- */

/* Make the child's file an entry: what it says of code it may say, but not which kernel this is. */
static bool finish_file(const struct job *j, struct code_entry *e)
{
    uint64_t n = CODE_OFFSET + e->size;
    void *bytes;

    memcpy(e->magic, CODE_MAGIC, sizeof e->magic);
    memcpy(e->key, j->key, sizeof e->key);
    memset(e->sum, 0, sizeof e->sum);
    if (ftruncate(j->file, (off_t)n) || !code_entry_plausible(e, n, j->key))
        return false;
    bytes = mmap(NULL, n, PROT_READ, MAP_SHARED, j->file, 0);
    if (bytes == MAP_FAILED)
        return false;
    code_entry_sum(e, (const char *)bytes + CODE_OFFSET, e->sum);
    munmap(bytes, n);
    return pwrite(j->file, e, sizeof *e, 0) == (ssize_t)sizeof *e && code_memfd_seal(j->file);
}

static bool read_result(const struct job *j, struct code_entry *e)
{
    off_t n = lseek(j->file, 0, SEEK_END);

    return n >= (off_t)CODE_OFFSET && n <= (off_t)CODE_FILE_MAX && pread(j->file, e, sizeof *e, 0) == (ssize_t)sizeof *e &&
           e->size == (uint64_t)n - CODE_OFFSET;
}

/* Why there is no code, when the child did not live to say it. True when it would end like this again. */
static bool explain(const struct job *j, int status, char *why, size_t size)
{
    if (j->late) {
        snprintf(why, size, "its compilation did not end");
        return false;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        snprintf(why, size, "its compilation took more than %u s", compile_seconds(j->request->len));
    else if (WIFSIGNALED(status))
        snprintf(why, size, "its compilation was ended by signal %d", WTERMSIG(status));
    else
        snprintf(why, size, "its compilation failed with status %d", WEXITSTATUS(status));
    return !WIFSIGNALED(status) || (WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM);
}

static void keep(const struct job *j)
{
    struct vgpu_msg m = {.type = VGPU_MSG_STORE};

    if (!vg_msg_send(COMPILER_FD_CONTROL, &m, j->key, sizeof j->key, &j->file, 1))
        vg_log(VG_LOG_WARN, "code is not kept: %s", strerror(errno));
}

static void reap(struct job *j)
{
    struct code_entry e = {.status = CODE_REFUSED};
    char why[sizeof e.why] = "its compilation gave no code";
    bool lasting = true, done;
    int status = 0;

    while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(j->pipe);
    running--;
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        lasting = explain(j, status, why, sizeof why);
        vg_log(VG_LOG_WARN, "a kernel is not compiled: %s", why);
        g_strlcpy(e.why, why, sizeof e.why);
        done = !ftruncate(j->file, 0) && finish_file(j, &e);
    } else {
        done = read_result(j, &e) && finish_file(j, &e);
    }
    if (done && lasting)
        keep(j);
    answer(j, done && lasting ? j->file : -1, why);
    close(j->file);
    g_ptr_array_remove(jobs, j);
}

static void start(struct job *j)
{
    pid_t self = getpid();
    int ends[2];

    j->file = code_memfd();
    if (j->file < 0 || pipe2(ends, O_CLOEXEC)) {
        if (j->file >= 0)
            close(j->file);
        answer(j, -1, "the compiler is out of descriptors");
        g_ptr_array_remove(jobs, j);
        return;
    }
    j->pid = fork();
    if (!j->pid) {
        /* Nothing of anybody else's: the file, the pipe, standard error. */
        if (dup2(ends[1], 0) || dup2(j->file, 1) != 1 || close_range(3, ~0u, 0))
            _exit(2);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self) /* it had died before that was said */
            _exit(2);
        compile_child(j->request->data, j->request->len, 1);
    }
    close(ends[1]);
    if (j->pid < 0) {
        close(ends[0]);
        close(j->file);
        answer(j, -1, "the compiler cannot fork");
        g_ptr_array_remove(jobs, j);
        return;
    }
    j->pipe = ends[0];
    j->deadline = now() + PATIENCE * (double)compile_seconds(j->request->len);
    running++;
}

/* Start what may start; kill what is late. A job that nobody waits for any more, and has not begun, is dropped. */
static void schedule(void)
{
    for (guint i = 0; i < jobs->len;) {
        struct job *j = jobs->pdata[i];
        guint before = jobs->len;

        if (!j->pid && !j->waiters->len)
            g_ptr_array_remove(jobs, j);
        else if (!j->pid && running < jobs_max)
            start(j);
        else if (j->pid && !j->late && now() > j->deadline)
            j->late = !kill(j->pid, SIGKILL);
        i += jobs->len == before;
    }
}

/* ---- Requests ---- */

static void take_request(struct peer *p)
{
    GByteArray *request = g_steal_pointer(&p->request);
    struct waiter w = {p, p->number};
    struct job *j = NULL;
    uint8_t key[CODE_KEY_SIZE];

    code_request_key(request->data, request->len, key);
    for (guint i = 0; i < jobs->len && !j; i++)
        if (!memcmp(((struct job *)jobs->pdata[i])->key, key, sizeof key))
            j = jobs->pdata[i];
    if (j) {
        g_byte_array_unref(request);
    } else {
        j = g_new0(struct job, 1);
        j->request = request;
        j->waiters = g_array_new(FALSE, FALSE, sizeof w);
        memcpy(j->key, key, sizeof key);
        g_ptr_array_add(jobs, j);
    }
    g_array_append_val(j->waiters, w);
}

/* The next bytes of a request. False: the peer does not keep to the protocol. */
static bool take_part(struct peer *p, const struct vg_packet *packet)
{
    const struct vgpu_msg *m = &packet->msg;

    if (m->type != VGPU_MSG_COMPILE || packet->n_fds || !m->payload || !m->b || m->b > CODE_REQUEST_MAX)
        return false;
    if (!p->request) {
        if (m->b > PEER_BYTES - MIN(p->bytes, PEER_BYTES))
            return false;
        p->request = g_byte_array_new();
        p->number = m->a;
        p->total = m->b;
        p->bytes += m->b;
    }
    if (m->a != p->number || m->b != p->total || m->payload > p->total - p->request->len)
        return false;
    g_byte_array_append(p->request, packet->payload, m->payload);
    if (p->request->len == p->total)
        take_request(p);
    return true;
}

static void peer_readable(struct peer *p)
{
    enum vg_msg_result got;
    struct vg_packet packet;
    bool good = true;

    while (good && (got = vg_msg_receive(p->fd, &packet)) != VG_MSG_AGAIN) {
        good = got == VG_MSG_OK && take_part(p, &packet);
        if (!good && got != VG_MSG_CLOSED)
            vg_log(VG_LOG_WARN, "an executor sent nonsense, connection closed");
        if (got == VG_MSG_OK)
            vg_packet_close_fds(&packet);
    }
    if (!good)
        close_peer(p);
}

static void control_readable(void)
{
    struct vg_packet packet;
    struct peer *p;

    if (vg_msg_receive(COMPILER_FD_CONTROL, &packet) != VG_MSG_OK)
        _exit(0); /* who started us has gone */
    if (packet.msg.type == VGPU_MSG_CONNECT && packet.n_fds == 1 && !fcntl(packet.fds[0], F_SETFL, O_NONBLOCK)) {
        p = g_new0(struct peer, 1);
        p->fd = packet.fds[0];
        packet.n_fds = 0;
        g_ptr_array_add(peers, p);
    } else if (packet.msg.type == VGPU_MSG_PING) {
        vg_msg_send(COMPILER_FD_CONTROL, &(struct vgpu_msg){.type = VGPU_MSG_PONG}, NULL, 0, NULL, 0);
    }
    vg_packet_close_fds(&packet);
}

/* ---- */

static void serve(void)
{
    g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(struct pollfd));

    for (;;) {
        struct pollfd at = {COMPILER_FD_CONTROL, POLLIN, 0};
        guint n_peers = peers->len;
        g_autoptr(GPtrArray) waiting = g_ptr_array_new(), talking = g_ptr_array_new();

        schedule();
        n_peers = peers->len;
        g_array_set_size(fds, 0);
        g_array_append_val(fds, at);
        for (guint i = 0; i < n_peers; i++) {
            at.fd = ((struct peer *)peers->pdata[i])->fd;
            g_array_append_val(fds, at);
            g_ptr_array_add(talking, peers->pdata[i]);
        }
        for (guint i = 0; i < jobs->len; i++)
            if (((struct job *)jobs->pdata[i])->pid) {
                at.fd = ((struct job *)jobs->pdata[i])->pipe;
                g_array_append_val(fds, at);
                g_ptr_array_add(waiting, jobs->pdata[i]);
            }
        if (poll((struct pollfd *)(void *)fds->data, fds->len, running ? 500 : -1) < 0 && errno != EINTR)
            _exit(1);
        for (guint i = 0; i < n_peers; i++)
            if (g_array_index(fds, struct pollfd, 1 + i).revents)
                peer_readable(talking->pdata[i]);
        for (guint i = 0; i < waiting->len; i++)
            if (g_array_index(fds, struct pollfd, 1 + n_peers + i).revents)
                reap(waiting->pdata[i]);
        if (g_array_index(fds, struct pollfd, 0).revents)
            control_readable();
    }
}

int main(int argc, char **argv)
{
    struct vgpu_msg ready = {.type = VGPU_MSG_READY};

    vg_log_init("compiler");
    if (argc != 2 || (jobs_max = (unsigned)strtoul(argv[1], NULL, 10)) < 1 || jobs_max > JOBS_MAX) {
        vg_log(VG_LOG_ERROR, "started with other arguments than hostd's");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    peers = g_ptr_array_new();
    jobs = g_ptr_array_new_with_free_func(free_job);
    jit_prepare();
    /* Who has changed its user has to say again with whom it dies. */
    if (!compiler_drop_privileges() || prctl(PR_SET_PDEATHSIG, SIGKILL) || !compiler_sandbox_parent()) {
        vg_log(VG_LOG_ERROR, "cannot confine itself: %s", strerror(errno));
        return 2;
    }
    if (!vg_msg_send(COMPILER_FD_CONTROL, &ready, NULL, 0, NULL, 0))
        return 2;
    serve();
}
