/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu vm [options] [-- COMMAND]: a VM with the GPU, prepared as a scenario's guest: runs COMMAND in it, or, without one, gives a
 * shell. It is gone afterwards. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "bench.h"

#define ESCAPE 0x1d /* Ctrl-] */

static struct {
    char *profile, *guest;
    gboolean plain;
    int memory, vcpus, timeout;
} o = { .memory = BENCH_MEMORY, .vcpus = BENCH_VCPUS, .timeout = 3600 };

static const GOptionEntry entries[] = {
    { "profile", 'p', 0, G_OPTION_ARG_STRING, &o.profile, "which GPU to be (h100-pcie)", "NAME" },
    { "guest", 'g', 0, G_OPTION_ARG_STRING, &o.guest, "how the guest is prepared: a script in scenarios/guest (ollama)", "NAME" },
    { "boot", 0, 0, G_OPTION_ARG_NONE, &o.plain, "boot; neither save nor restore a VM", NULL },
    { "memory", 0, 0, G_OPTION_ARG_INT, &o.memory, "of the VM (2048)", "MIB" },
    { "vcpus", 0, 0, G_OPTION_ARG_INT, &o.vcpus, "of the VM (2)", "N" },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &o.timeout, "of COMMAND (3600)", "SECONDS" },
    G_OPTION_ENTRY_NULL,
};

/* ---- The shell: this terminal and the VM's second console, byte by byte ---- */

static int connect_console(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    if (fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)))
        return fd;
    fprintf(stderr, "vgpu vm: the console %s: %s\n", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool pass_on(int from, int to, bool escape)
{
    char text[4096];
    ssize_t n = read(from, text, sizeof(text));

    if (n <= 0 || (escape && memchr(text, ESCAPE, (size_t)n)))
        return false;
    for (ssize_t done = 0, written; done < n; done += written)
        if ((written = write(to, text + done, (size_t)(n - done))) <= 0)
            return false;
    return true;
}

static int shell(const struct machine *m)
{
    bool terminal = isatty(STDIN_FILENO);
    struct termios before, raw;
    int fd = connect_console(vm_console(m));
    struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };

    if (fd < 0)
        return 1;
    fprintf(stderr, "The VM's console, as root; Ctrl-] ends it and the VM.\n");
    if (terminal && !tcgetattr(STDIN_FILENO, &before)) {
        raw = before;
        cfmakeraw(&raw);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    if (write(fd, "\n", 1) != 1) /* for a prompt */
        p[0].revents = POLLHUP;
    while (!interrupted() && (poll(p, 2, -1) >= 0 || errno == EINTR)) {
        if (p[0].revents && !pass_on(fd, STDOUT_FILENO, false))
            break;
        if (p[1].revents && !pass_on(STDIN_FILENO, fd, true))
            break;
    }
    if (terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    close(fd);
    fputc('\n', stderr);
    return 0;
}

/* ---- One command ---- */

static int run(struct machine *m, char **argv, GError **error)
{
    g_autoptr(GString) command = g_string_new(NULL);
    struct output output = { 0 };

    for (; *argv; argv++) {
        g_autofree char *quoted = g_shell_quote(*argv);

        g_string_append_printf(command, "%s ", quoted);
    }
    if (!m->ops->exec(m, command->str, NULL, o.timeout, &output, error))
        return 1;
    fputs(output.out, stdout);
    fputs(output.err, stderr);
    output_clear(&output);
    return output.status;
}

static bool prepare(struct machine *m, bool with_shell, GError **error)
{
    g_autofree char *command = g_strdup_printf("%ssh -eu /vgpu/scenario/guest/%s",
                                               with_shell ? "systemctl start serial-getty@hvc0 && " : "", o.guest ? o.guest : "ollama");
    struct output output = { 0 };
    bool done = m->ops->exec(m, command, NULL, 120, &output, error);

    if (done && output.status) {
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_SETUP, "preparing the guest: %s", g_strchomp(output.err));
        done = false;
    }
    output_clear(&output);
    return done;
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("[-- COMMAND [ARGUMENTS]]");
    g_autoptr(GError) error = NULL;
    struct bench bench = { 0 };
    struct machine *m = NULL;
    int status = 1;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_strict_posix(context, TRUE);
    g_option_context_set_summary(context, "A VM with the GPU: runs COMMAND in it, or gives a shell.");
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "vgpu vm: %s\n", error->message);
        return 2;
    }
    argv += argc > 1 && !strcmp(argv[1], "--") ? 2 : 1;
    bench.plain_boot = o.plain;
    bench.memory_mib = o.memory;
    bench.vcpus = o.vcpus;
    if (bench_open(&bench, NULL, &error) && bench_payload(&bench, &error))
        m = vm_begin(&bench, o.profile ? o.profile : "h100-pcie", bench.result_dir, &error);
    if (m && prepare(m, !*argv, &error))
        status = *argv ? run(m, argv, &error) : shell(m);
    if (error)
        fprintf(stderr, "vgpu vm: %s\n", error->message);
    if (m)
        m->ops->end(m);
    if (!error && bench.result_dir)
        bench_remove_tree(bench.result_dir);
    bench_close(&bench);
    return status;
}
