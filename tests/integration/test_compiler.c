/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-compiler by itself (argv[1]): requests good and bad, its death and that of its children, and what its sandbox refuses. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "code/entry.h"
#include "compiler/compiler.h"
#include "executor/socket.h"
#include "tap.h"

#define HEAD ".version 8.4\n.target sm_80\n.address_size 64\n"
#define WAIT_MS 120000

struct compiler {
    pid_t pid;
    int control;
};

static const char *program;

static struct compiler start(void)
{
    struct compiler c = {0};
    struct vg_packet p;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        exit(2);
    c.control = pair[0];
    c.pid = fork();
    if (!c.pid) {
        if (dup2(pair[1], COMPILER_FD_CONTROL) < 0 || (pair[1] == COMPILER_FD_CONTROL && fcntl(pair[1], F_SETFD, 0)))
            _exit(3);
        execl(program, program, "2", (char *)NULL);
        _exit(3);
    }
    close(pair[1]);
    ok(vg_msg_receive(c.control, &p) == VG_MSG_OK && p.msg.type == VGPU_MSG_READY, "the compiler is ready");
    return c;
}

static void stop(struct compiler *c)
{
    close(c->control);
    waitpid(c->pid, NULL, 0);
}

static int join(const struct compiler *c)
{
    struct vgpu_msg m = {.type = VGPU_MSG_CONNECT};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || !vg_msg_send(c->control, &m, NULL, 0, &pair[1], 1))
        exit(2);
    close(pair[1]);
    return pair[0];
}

/* A request as an executor makes it. */
static GByteArray *make_request(const char *ptx, const char *name)
{
    static const struct vg_binding place = {VGPU_IMAGE_BASE, VGPU_FUNCTION_BASE};
    struct jit_shape shape = {.block = {32, 1, 1}, .isa = jit_isa_default()};
    struct ptx_error err;
    struct ptx_module *m = ptx_module_open(ptx, strlen(ptx), &err);
    struct ptx_function *f = m ? ptx_find_function(m, name) : NULL;
    struct interp_kernel *k = f && ptx_function_close(m, f, &err) ? interp_kernel_new(m, f, &place, &err) : NULL;
    GByteArray *request;

    if (!k) {
        diag("%s", err.message);
        exit(2);
    }
    request = code_request_new(k, &shape);
    interp_kernel_free(k);
    ptx_module_close(m);
    return request;
}

static GByteArray *small_request(int constant)
{
    g_autofree char *ptx = g_strdup_printf(HEAD ".entry k(.param .u64 p)\n{ .reg .u64 %%a; .reg .u32 %%r; ld.param.u64 %%a, [p];\n"
                                           "mov.u32 %%r, %d; st.global.u32 [%%a], %%r; ret; }\n", constant);

    return make_request(ptx, "k");
}

/* Takes LLVM many seconds: so many dependent steps, lane by lane. */
static GByteArray *long_request(int steps)
{
    GString *s = g_string_new(HEAD ".entry k(.param .u64 p)\n{ .reg .u64 %a; .reg .u32 %r<9>; .reg .pred %p; ld.param.u64 %a, [p];\n"
                              "mov.u32 %r1, %tid.x;\n");
    GByteArray *request;

    for (int i = 0; i < steps; i++)
        g_string_append_printf(s, "setp.lt.u32 %%p, %%r1, %d;\n@%%p bra L%d;\nmul.lo.u32 %%r2, %%r1, %%r1;\nld.global.u32 %%r3, [%%a+%d];\n"
                               "add.u32 %%r1, %%r2, %%r3;\nL%d:\n", i, i, 4 * i, i);
    g_string_append(s, "st.global.u32 [%a], %r1; ret; }\n");
    request = make_request(s->str, "k");
    g_string_free(s, TRUE);
    return request;
}

static bool send_part(int fd, uint64_t number, uint64_t total, const void *bytes, size_t n)
{
    return vg_msg_send(fd, &(struct vgpu_msg){.type = VGPU_MSG_COMPILE, .a = number, .b = total}, bytes, n, NULL, 0);
}

static bool send_request(int fd, uint64_t number, const void *request, size_t n)
{
    for (size_t sent = 0, part; sent < n; sent += part) {
        part = MIN(n - sent, VGPU_MSG_MAX_PAYLOAD);
        if (!send_part(fd, number, n, (const uint8_t *)request + sent, part))
            return false;
    }
    return true;
}

/* READY, REFUSED; 0: an answer without an entry; -1: the connection is gone, or no answer comes. */
static int receive(int fd, uint64_t number, const GByteArray *request, struct code_entry *e)
{
    struct pollfd at = {fd, POLLIN, 0};
    uint8_t key[CODE_KEY_SIZE];
    struct vg_packet p;
    int result = -1;

    if (poll(&at, 1, WAIT_MS) != 1 || vg_msg_receive(fd, &p) != VG_MSG_OK)
        return -1;
    if (p.msg.type == VGPU_MSG_COMPILED && p.msg.a == number) {
        result = 0;
        code_request_key(request->data, request->len, key);
        if (!p.msg.status && p.n_fds == 1 && code_entry_check(p.fds[0], key, e))
            result = (int)e->status;
    }
    vg_packet_close_fds(&p);
    return result;
}

static int compile(int fd, const GByteArray *request, struct code_entry *e)
{
    static uint64_t number = 1000;

    return send_request(fd, ++number, request->data, request->len) ? receive(fd, number, request, e) : -1;
}

static bool is_kept(const struct compiler *c, const GByteArray *request)
{
    struct pollfd at = {c->control, POLLIN, 0};
    uint8_t key[CODE_KEY_SIZE];
    bool kept = false;

    code_request_key(request->data, request->len, key);
    while (!kept && poll(&at, 1, 0) == 1) {
        struct vg_packet p;
        struct code_entry e;

        if (vg_msg_receive(c->control, &p) != VG_MSG_OK)
            return false;
        kept = p.msg.type == VGPU_MSG_STORE && !memcmp(p.payload, key, sizeof key) && p.n_fds == 1 && code_entry_check(p.fds[0], key, &e);
        vg_packet_close_fds(&p);
    }
    return kept;
}

static void good_requests(const struct compiler *c)
{
    g_autoptr(GByteArray) first = small_request(1), second = small_request(2);
    g_autoptr(GByteArray) refused = small_request(9);
    int a = join(c), b = join(c);
    struct code_entry e;

    ok(compile(a, first, &e) == CODE_READY && e.size, "a kernel is compiled");
    ok(is_kept(c, first), "and given to hostd to keep");
    ok(send_request(a, 5, second->data, second->len) && send_request(b, 6, second->data, second->len) &&
       receive(a, 5, second, &e) == CODE_READY && receive(b, 6, second, &e) == CODE_READY, "two ask for one kernel");
    ((struct code_request *)(void *)refused->data)->measures.registers++;
    ok(compile(a, refused, &e) == CODE_REFUSED && e.why[0], "one that is refused");
    ok(is_kept(c, refused), "is remembered");
    close(a);
    close(b);
}

/* ---- Nonsense ---- */

static void one_bad(const struct compiler *c, const void *bytes, size_t n, const char *what)
{
    g_autoptr(GByteArray) request = g_byte_array_append(g_byte_array_new(), bytes, (guint)n), good = small_request(3);
    int fd = join(c);
    struct code_entry e;
    int got = compile(fd, request, &e);

    ok(got == CODE_REFUSED && compile(fd, good, &e) == CODE_READY, "%s: %s", what, got == CODE_REFUSED ? e.why : "?");
    close(fd);
}

static void bad_requests(const struct compiler *c)
{
    g_autoptr(GByteArray) good = small_request(4);
    g_autofree uint8_t *copy = g_memdup2(good->data, good->len), *noise = g_malloc(70000);
    struct code_request *head = (struct code_request *)copy, was = *head;

    srand(99);
    for (int i = 0; i < 70000; i++)
        noise[i] = (uint8_t)rand();
    one_bad(c, noise, 70000, "random bytes");
    one_bad(c, noise, 1, "one byte");
    one_bad(c, copy, good->len - 1, "cut off");
    head->text_size = UINT32_MAX;
    one_bad(c, copy, good->len, "text beyond its end");
    *head = was;
    head->n_offsets = 0x20000000;
    one_bad(c, copy, good->len, "places beyond its end");
    *head = was;
    head->block[0] = 0;
    one_bad(c, copy, good->len, "no threads");
    head->block[0] = 2048;
    one_bad(c, copy, good->len, "too many threads");
    *head = was;
    head->isa = 9;
    one_bad(c, copy, good->len, "an unknown instruction set");
    *head = was;
    head->measures.frame_bytes++;
    one_bad(c, copy, good->len, "another kernel's measures");
    *head = was;
    memset(copy + good->len - 40, '@', 40);
    one_bad(c, copy, good->len, "text that is no PTX");
    for (int i = 0; i < 60; i++) {
        g_autofree uint8_t *hit = g_memdup2(good->data, good->len);
        g_autoptr(GByteArray) r = NULL;
        struct code_entry e;
        int fd = join(c), got;

        hit[(unsigned)rand() % good->len] = (uint8_t)rand();
        r = g_byte_array_append(g_byte_array_new(), hit, good->len);
        got = compile(fd, r, &e);
        close(fd);
        if (got != CODE_READY && got != CODE_REFUSED) {
            ok(false, "changed byte, round %d", i);
            return;
        }
    }
    ok(true, "a changed byte anywhere: code or a reason");
}

/* Breaches of the protocol end the connection, and only that. */
static void bad_messages(const struct compiler *c)
{
    static const char *const names[] = {"another message", "a part beyond the request", "a request that changes its size",
        "an empty part", "a request beyond the bound", "no message at all", "a descriptor that nobody asked for"};
    g_autoptr(GByteArray) good = small_request(5);
    char bytes[64] = "";
    struct code_entry e;

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        int fd = join(c), other = join(c);
        struct pollfd at = {fd, POLLIN, 0};
        bool sent = true;

        switch (i) {
        case 0:
            sent = vg_msg_send(fd, &(struct vgpu_msg){.type = VGPU_MSG_GRANT}, NULL, 0, NULL, 0);
            break;
        case 1:
            sent = send_part(fd, 1, 10, bytes, sizeof bytes);
            break;
        case 2:
            sent = send_part(fd, 1, 100, bytes, 10) && send_part(fd, 1, 200, bytes, 10);
            break;
        case 3:
            sent = send_part(fd, 1, 100, NULL, 0);
            break;
        case 4:
            sent = send_part(fd, 1, UINT64_MAX, bytes, sizeof bytes);
            break;
        case 5:
            sent = send(fd, bytes, sizeof bytes, 0) > 0;
            break;
        case 6:
            sent = vg_msg_send(fd, &(struct vgpu_msg){.type = VGPU_MSG_COMPILE, .a = 1, .b = 10}, bytes, 10, &fd, 1);
            break;
        }
        ok(sent && poll(&at, 1, WAIT_MS) == 1 && recv(fd, bytes, sizeof bytes, 0) <= 0 && compile(other, good, &e) == CODE_READY,
           "%s: the connection ends, others go on", names[i]);
        close(fd);
        close(other);
    }
}

static void leaves_early(const struct compiler *c)
{
    g_autoptr(GByteArray) slow = long_request(40), good = small_request(6);
    struct code_entry e;
    int fd;

    for (int i = 0; i < 20; i++) {
        fd = join(c);
        send_part(fd, 1, slow->len, slow->data, 4000);
        close(fd);
    }
    for (int i = 0; i < 4; i++) {
        fd = join(c);
        send_request(fd, 1, slow->data, slow->len);
        close(fd);
    }
    fd = join(c);
    ok(compile(fd, good, &e) == CODE_READY, "some leave in the middle of a request or before its answer");
    close(fd);
}

/* ---- Death ---- */

/* A process whose parent is this one; 0 when there is none. */
static pid_t child_of(pid_t parent)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)parent, (int)parent), *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? (pid_t)strtol(text, NULL, 10) : 0;
}

static pid_t wait_for_child(pid_t parent)
{
    pid_t pid = 0;

    for (int i = 0; i < WAIT_MS && !pid; i++) {
        pid = child_of(parent);
        usleep(1000);
    }
    return pid;
}

static void deaths(const struct compiler *c)
{
    g_autoptr(GByteArray) slow = long_request(4000), slower = long_request(4100), good = small_request(7);
    int fd = join(c);
    struct code_entry e;
    pid_t child;

    send_request(fd, 1, slow->data, slow->len);
    child = wait_for_child(c->pid);
    ok(child && !kill(child, SIGKILL) && receive(fd, 1, slow, &e) == 0, "a compilation that is killed is answered");
    ok(!is_kept(c, slow), "and may be tried again");
    send_request(fd, 2, slow->data, slow->len);
    child = wait_for_child(c->pid);
    ok(child && !kill(child, SIGABRT) && receive(fd, 2, slow, &e) == CODE_REFUSED && strstr(e.why, "signal 6"), "one that crashes: %s", e.why);
    ok(is_kept(c, slow), "is remembered");
    send_request(fd, 3, slower->data, slower->len);
    child = wait_for_child(c->pid);
    kill(child, SIGSTOP);
    ok(compile(fd, good, &e) == CODE_READY, "while one stands still, others are compiled");
    ok(receive(fd, 3, slower, &e) == 0, "and it is ended at last");
    close(fd);
}

static void too_long(void)
{
    g_autoptr(GByteArray) slow = long_request(6000);
    struct compiler c = start();
    int fd = join(&c);
    struct code_entry e;

    ok(compile(fd, slow, &e) == CODE_REFUSED && strstr(e.why, "more than 1 s"), "a compilation that takes too long: %s", e.why);
    ok(is_kept(&c, slow), "is remembered");
    close(fd);
    stop(&c);
}

static void end_with_hostd(void)
{
    g_autoptr(GByteArray) slow = long_request(6000);
    struct compiler c = start();
    int fd = join(&c), status = -1;
    pid_t child;

    send_request(fd, 1, slow->data, slow->len);
    child = wait_for_child(c.pid);
    close(c.control);
    ok(waitpid(c.pid, &status, 0) == c.pid && WIFEXITED(status), "the compiler goes with hostd");
    for (int i = 0; i < WAIT_MS && !kill(child, 0); i++)
        usleep(1000);
    ok(child && kill(child, 0) && errno == ESRCH, "and its children with it");
    close(fd);
}

/* It may have gone before the child could ask to go with it. */
static void end_often(void)
{
    for (int i = 0; i < 5; i++)
        end_with_hostd();
}

/* ---- The sandbox ---- */

static bool open_file(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0 || open("/tmp/vgpu-escaped", O_WRONLY | O_CREAT, 0600) >= 0;
}

static bool open_relative(void)
{
    return openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY) >= 0 || syscall(SYS_open, "/proc/self/mem", O_RDWR) >= 0 ||
           syscall(SYS_creat, "/tmp/vgpu-escaped", 0600) >= 0;
}

static bool make_socket(void)
{
    int pair[2];

    return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || !socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static bool run_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0) >= 0;
}

static bool trace_parent(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)program, 1};

    return !ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) || syscall(SYS_process_vm_readv, getppid(), &here, 1, &there, 1, 0) > 0;
}

static bool run_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED || !mprotect(p, 4096, PROT_READ | PROT_EXEC) ||
           mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool change_user(void)
{
    return syscall(SYS_setuid, 0) == 0 || syscall(SYS_unshare, 0x10000000) == 0 || syscall(SYS_mount, "a", "/", "tmpfs", 0, NULL) == 0;
}

static bool kill_others(void)
{
    return !kill(getppid(), 0);
}

static bool make_process(void)
{
    pid_t pid = fork();

    if (!pid)
        _exit(0);
    return pid > 0;
}

static bool make_memory_file(void)
{
    return memfd_create("more", 0) >= 0;
}

static bool raise_limits(void)
{
    return !setrlimit(RLIMIT_CPU, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
}

/* What each of them can do: nothing. */
static const struct {
    const char *what;
    bool (*succeeds)(void);
    bool child_only;
} attempts[] = {
    {"opens a file", open_file}, {"opens a file in other ways", open_relative}, {"makes a socket", make_socket},
    {"runs a program", run_program}, {"reads another process", trace_parent}, {"runs memory", run_memory},
    {"changes its user or namespaces", change_user}, {"sends signals", kill_others, true}, {"makes a process", make_process, true},
    {"makes a memory file", make_memory_file, true}, {"raises its limits", raise_limits, true},
};

static bool attempt(unsigned i, bool parent)
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        if (!compiler_sandbox_parent() || (!parent && !compiler_sandbox_child()))
            _exit(2);
        _exit(attempts[i].succeeds());
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void sandbox(void)
{
#ifdef __SANITIZE_ADDRESS__ /* such builds are not confined */
    return;
#endif
    for (unsigned i = 0; i < G_N_ELEMENTS(attempts); i++) {
        if (!attempts[i].child_only)
            ok(attempt(i, true), "the compiler in vain %s", attempts[i].what);
        ok(attempt(i, false), "a compilation in vain %s", attempts[i].what);
    }
}

int main(int argc, char **argv)
{
    struct compiler c;

    if (argc != 2)
        return 2;
    program = argv[1];
    signal(SIGPIPE, SIG_IGN);
    c = start();
    good_requests(&c);
    bad_requests(&c);
    bad_messages(&c);
    leaves_early(&c);
    ok(waitpid(c.pid, NULL, WNOHANG) == 0, "the compiler has lived through all of it");
    stop(&c);
    setenv("VGPU_COMPILE_SECONDS", "1", 1);
    too_long();
    unsetenv("VGPU_COMPILE_SECONDS");
    end_often();
    setenv("VGPU_COMPILE_SECONDS", "1", 1);
    c = start();
    deaths(&c);
    stop(&c);
    sandbox();
    return tap_done();
}
