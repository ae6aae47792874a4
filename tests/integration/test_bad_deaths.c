/* SPDX-License-Identifier: Apache-2.0 */
/* Clients, executors and hostd that are killed or stopped in the middle of things: memory comes back, errors are clear and stay,
 * nothing waits for ever, and whoever was not concerned goes on. argv: vgpu-hostd, libcuda.so.1. */
#include "bad.h"

#include "raw_client.h"

enum { PATIENCE = 3000 }; /* in 10 ms: until what has to happen counts as not happening */
static const size_t block = (size_t)512 << 20;

/* ---- A client that tells when it has come to a certain point, and then waits to be killed ---- */

struct subject {
    pid_t pid;
    int said, tell;
};

static struct bad_client self;
static int say_fd, hear_fd;

static void say(void)
{
    char byte = 1;

    if (write(say_fd, &byte, 1) != 1)
        _exit(50);
}

static void hear(void)
{
    char byte;

    if (read(hear_fd, &byte, 1) != 1)
        _exit(51);
}

/* Starts one; returns when it has said something, or ended. */
static struct subject subject(int (*life)(void))
{
    struct subject s;
    int up[2], down[2];
    char byte;

    if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC))
        exit(2);
    fflush(stdout);
    s.pid = fork();
    if (s.pid < 0) /* it will be signalled, and -1 is everybody */
        exit(2);
    if (!s.pid) {
        close(up[0]);
        close(down[1]);
        say_fd = up[1];
        hear_fd = down[0];
        alarm(300);
        _exit(bad_begin(&self) ? 99 : life());
    }
    close(up[1]);
    close(down[0]);
    s.said = up[0];
    s.tell = down[1];
    if (read(s.said, &byte, 1) != 1)
        diag("the client ended before it came so far");
    return s;
}

static void tell(struct subject *s)
{
    char byte = 1;

    if (write(s->tell, &byte, 1) != 1)
        diag("the client is gone");
}

static int end_of(struct subject *s)
{
    int status;

    waitpid(s->pid, &status, 0);
    close(s->said);
    close(s->tell);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void kill_subject(struct subject *s)
{
    kill(s->pid, SIGKILL);
    is_u64(end_of(s), 1000 + SIGKILL, "the client is killed");
    ok(log_names("channel 1", "closed"), "the log says so");
}

/* Whether hostd has warned, from there on in the log, of a client that left its work behind. */
static bool warned(off_t from)
{
    static char text[1 << 16];
    int fd = open(bad_log, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text - 1, from);

    close(fd);
    text[n > 0 ? n : 0] = 0;
    return strstr(text, "while it was at work");
}

/* It will, within 10 s: a line that says "closed" may be that of a client before. */
static bool will_warn(off_t from)
{
    for (int i = 0; i < 1000 && !warned(from); i++)
        usleep(10000);
    return warned(from);
}

/* ---- What they do ---- */

static int endless(void)
{
    CUdeviceptr p;

    if (CU(cuMemAlloc_v2)(&p, block) || bad_launch(&self, "forever", 0, 0))
        return 1;
    say();
    CU(cuCtxSynchronize)();
    return 2;
}

/* Leaves a kernel that does not end behind, but by exit(). */
static int leaver(void)
{
    if (bad_launch(&self, "forever", 0, 0))
        return 1;
    say();
    hear();
    exit(0);
}

/* Launches, copies and allocations without end, killed somewhere in them. */
static int busy(void)
{
    static unsigned char bytes[1 << 20];
    CUdeviceptr p, q;

    if (CU(cuMemAlloc_v2)(&p, block))
        return 1;
    for (unsigned i = 0;; i++) {
        if (CU(cuMemcpyHtoDAsync_v2)(p, bytes, sizeof bytes, NULL) || bad_launch(&self, "store", p + i % 1000 * 4, i) ||
            CU(cuMemAlloc_v2)(&q, 1 << 20) || CU(cuMemsetD8Async)(q, 1, 1 << 20, NULL) || CU(cuMemcpyDtoH_v2)(bytes, q,
                sizeof bytes) ||
            CU(cuMemFree_v2)(q))
            return 2;
        if (i == 10)
            say();
    }
}

static int idle(void)
{
    CUdeviceptr p;

    if (CU(cuMemAlloc_v2)(&p, block))
        return 1;
    say();
    hear();
    return 2;
}

/* Goes on when told, and all has to be as it was. */
static int sleeper(void)
{
    unsigned seen = 0;
    CUdeviceptr p;

    if (CU(cuMemAlloc_v2)(&p, block) || bad_launch(&self, "store", p, 77))
        return 1;
    say();
    hear();
    if (CU(cuMemcpyDtoH_v2)(&seen, p, 4) || seen != 77)
        return 2;
    return bad_works(&self) ? 0 : 3;
}

/* Sees its GPU go away: 999 from everything, again and again, and every call returns. */
static int bereaved(void)
{
    CUdeviceptr p, q;
    int status = 0;

    if (CU(cuMemAlloc_v2)(&p, 4096) || bad_launch(&self, "store", p, 1) || CU(cuCtxSynchronize)())
        return 1;
    say();
    hear();
    for (int i = 0; i < PATIENCE && !status; i++) {
        status = bad_launch(&self, "store", p, 1);
        if (!status)
            status = CU(cuCtxSynchronize)();
        usleep(10000);
    }
    if (status != CUDA_ERROR_UNKNOWN)
        return 2;
    for (int i = 0; i < 3; i++)
        if (CU(cuCtxSynchronize)() != CUDA_ERROR_UNKNOWN || CU(cuMemAlloc_v2)(&q, block) != CUDA_ERROR_UNKNOWN ||
            CU(cuMemcpyDtoH_v2)(&status, p, 4) != CUDA_ERROR_UNKNOWN || bad_launch(&self, "store", p, 1) != CUDA_ERROR_UNKNOWN)
            return 3;
    return 0;
}

/* The same, but waiting inside a call for a kernel that does not end. */
static int bereaved_inside(void)
{
    if (bad_launch(&self, "forever", 0, 0))
        return 1;
    say();
    return CU(cuCtxSynchronize)() != CUDA_ERROR_UNKNOWN || CU(cuCtxSynchronize)() != CUDA_ERROR_UNKNOWN;
}

/* ---- What an onlooker sees ---- */

static size_t wanted_free;

static size_t free_now(void)
{
    size_t free_bytes = 0, total;

    CU(cuMemGetInfo_v2)(&free_bytes, &total);
    return free_bytes;
}

static int measure(struct bad_client *c)
{
    size_t n = free_now();

    (void)c;
    return n ? (int)(n >> 30) : 90;
}

static int memory_back(struct bad_client *c)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (free_now() >> 30 >= wanted_free)
            return bad_works(c) ? 0 : 1;
        usleep(10000);
    }
    diag("%zu MiB are free", free_now() >> 20);
    return 2;
}

static void others_go_on(void)
{
    ok(witness_works(), "another client is unharmed");
    is_u64(bad_run(memory_back), 0, "the memory is free again, and a new client works");
}

static pid_t newest_executor(pid_t *before, int n)
{
    pid_t now[16];
    int m = children_of(hostd_pid, "vgpu-executor", now, 16);

    for (int i = 0; i < m; i++) {
        bool old = false;

        for (int k = 0; k < n; k++)
            old = old || before[k] == now[i];
        if (!old)
            return now[i];
    }
    return 0;
}

static void executor_dies(int (*life)(void), const char *what)
{
    pid_t before[16];
    int n = children_of(hostd_pid, "vgpu-executor", before, 16);
    struct subject s = subject(life);
    pid_t executor = newest_executor(before, n);

    ok(executor > 0 && !kill(executor, SIGKILL), "%s: its executor is killed", what);
    if (life == bereaved)
        tell(&s);
    is_u64(end_of(&s), 0, "the client gets 999, for good, and does not hang");
    ok(log_names("lost", "signal 9"), "the log says whose executor was killed");
    others_go_on();
}

/* Connections that never speak, speak nonsense, or ask and go away. */
static void strangers(void)
{
    const char *path = getenv("VGPU_SOCKET");
    int silent[20];
    char noise[512];
    struct raw r;

    for (int i = 0; i < 20; i++)
        silent[i] = raw_connect(path);
    ok(witness_works(), "twenty connections that never speak disturb nobody");
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 37);
    for (int i = 0; i < 20; i++)
        if (silent[i] >= 0) {
            if (i % 2 && send(silent[i], noise, sizeof noise, MSG_NOSIGNAL) < 0)
                diag("noise refused");
            close(silent[i]);
        }
    for (int i = 0; i < 5; i++)
        if (raw_open(&r, path)) {
            memset(noise, 0xee, sizeof noise);
            raw_publish(&r, noise, sizeof noise);
            raw_close(&r);
        }
    others_go_on();
}

int main(int argc, char **argv)
{
    struct subject s, bystander;

    (void)argc;
    bad_setup(argv, "info");
    witness_start();
    wanted_free = (size_t)bad_run(measure);
    ok(wanted_free >= 1 && wanted_free < 90, "%zu GiB are free at first", wanted_free);

    off_t log_start = bad_log_seen;
    s = subject(leaver);
    tell(&s);
    is_u64(end_of(&s), 0, "a client exits while its kernel runs");
    ok(log_names("channel 1", "closed"), "the log says that it left");
    ok(!warned(log_start), "but not that it left its work behind: it was not killed");
    others_go_on();

    log_start = bad_log_seen;
    s = subject(endless);
    ok(witness_works(), "a kernel that never ends keeps nobody else from working");
    kill_subject(&s);
    ok(will_warn(log_start), "which also says that it was at work");
    others_go_on();

    s = subject(busy);
    kill_subject(&s);
    others_go_on();
    for (int i = 0; i < 5; i++) {
        s = subject(busy);
        usleep(3000 * i);
        kill_subject(&s);
    }
    others_go_on();

    s = subject(idle);
    kill_subject(&s);
    others_go_on();

    s = subject(sleeper);
    kill(s.pid, SIGSTOP);
    ok(witness_works(), "a stopped client keeps nobody from working");
    usleep(2000000);
    tell(&s);
    kill(s.pid, SIGCONT);
    is_u64(end_of(&s), 0, "when it wakes, its memory is as it was and it goes on");
    others_go_on();

    executor_dies(bereaved, "between calls");
    executor_dies(bereaved_inside, "inside a call");
    strangers();

    s = subject(bereaved);
    bystander = subject(bereaved_inside);
    kill(hostd_pid, SIGKILL);
    waitpid(hostd_pid, NULL, 0);
    hostd_pid = 0;
    tell(&s);
    is_u64(end_of(&s), 0, "hostd is killed: 999, for good, and no hang");
    is_u64(end_of(&bystander), 0, "also inside a call");
    ok(log_names("libcuda", "went away"), "the log says so");
    is_u64(bad_run(memory_back), 99, "a new client is refused");
    ok(!witness_works(), "the witness has lost its GPU too, and says so");
    witness_stop();
    hostd_pid = raw_start_hostd(bad_hostd, getenv("VGPU_SOCKET"), NULL);
    is_u64(bad_run(memory_back), 0, "with a hostd started again at the same place, a new client works");
    return tap_done();
}
