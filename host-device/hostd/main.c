/* SPDX-License-Identifier: Apache-2.0 */
#include "hostd/hostd.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hostd/confine.h"
#include "profiles/profile.h"

#define PAUSE_MS 100    /* while there are no descriptors for more clients */
#define LAST_EVENTS 256 /* that are taken when hostd is to end */

struct options options;
struct vg_user executor_user;
char *executor_path;
char *compiler_path;
static gboolean stop;

static char *default_socket(void)
{
    const char *set = g_getenv("VGPU_SOCKET"), *run = g_getenv("XDG_RUNTIME_DIR");

    if (set && *set)
        return g_strdup(set);
    return run && *run ? g_build_filename(run, "vgpu", "hostd.sock", NULL) : g_strdup("/run/vgpu/hostd.sock");
}

/* A program of ours lies beside us when installed, in its own folder in the build tree. */
static char *find_program(const char *folder, const char *name)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = self ? g_path_get_dirname(self) : g_strdup(".");
    char *path = g_build_filename(dir, name, NULL);

    if (!g_file_test(path, G_FILE_TEST_IS_EXECUTABLE)) {
        g_free(path);
        path = g_build_filename(dir, "..", folder, name, NULL);
    }
    if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
        return path;
    g_free(path);
    return NULL;
}

static int listen_on(const char *path, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_autofree char *dir = g_path_get_dirname(path);
    int fd, probe;

    if (strlen(path) >= sizeof(address.sun_path)) {
        g_set_error(error, HOSTD_ERROR, ENAMETOOLONG, "%s: a socket's path has fewer than %zu bytes", path,
                    sizeof(address.sun_path));
        return -1;
    }
    strcpy(address.sun_path, path);
    g_mkdir_with_parents(dir, 0755);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (probe >= 0 && !connect(probe, (struct sockaddr *)&address, sizeof(address))) {
        g_set_error(error, HOSTD_ERROR, EADDRINUSE, "%s: another hostd answers there", path);
        close(probe);
        close(fd);
        return -1;
    }
    close(probe);
    unlink(path); /* nobody answers: left behind */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0600) || listen(fd, 64)) {
        g_set_error(error, HOSTD_ERROR, errno, "%s: %s", path, g_strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static gboolean acceptable(gint fd, GIOCondition condition, gpointer data);

static gboolean listen_again(gpointer data)
{
    g_unix_fd_add(GPOINTER_TO_INT(data), G_IO_IN, acceptable, NULL);
    return G_SOURCE_REMOVE;
}

static gboolean acceptable(gint fd, GIOCondition condition, gpointer data)
{
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (client < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        /* Whoever waits goes on waiting, and would be reported again at once. */
        g_timeout_add(PAUSE_MS, listen_again, GINT_TO_POINTER(fd));
        return G_SOURCE_REMOVE;
    }
    if (client >= 0)
        connection_new(client);
    return G_SOURCE_CONTINUE;
}

static gboolean on_signal(gpointer data)
{
    stop = TRUE;
    return G_SOURCE_CONTINUE;
}

static gboolean parse_mib(const gchar *name, const gchar *value, gpointer data, GError **error)
{
    guint64 mib;

    if (!g_ascii_string_to_unsigned(value, 10, 1, 1 << 22, &mib, error))
        return FALSE;
    *(strcmp(name, "--quota") ? &options.memory : &options.quota) = mib * VGPU_MIB;
    return TRUE;
}

static gboolean parse_seconds(const gchar *name, const gchar *value, gpointer data, GError **error)
{
    char *end;

    options.watchdog = g_ascii_strtod(value, &end);
    if (end != value && !*end && options.watchdog >= 0 && options.watchdog <= 1e6)
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s is no number of seconds", value);
    return FALSE;
}

int main(int argc, char **argv)
{
    gboolean with_parent = FALSE;
    const GOptionEntry entries[] = {
        { "socket", 's', 0, G_OPTION_ARG_FILENAME, &options.socket, "listen on PATH (default: VGPU_SOCKET, or in XDG_RUNTIME_DIR)", "PATH" },
        { "profile", 'p', 0, G_OPTION_ARG_STRING, &options.profile, "GPU that local clients see (default: VGPU_PROFILE, or h100-pcie)", "NAME" },
        { "memory", 0, 0, G_OPTION_ARG_CALLBACK, parse_mib, "memory of local clients' GPU (default: the profile's)", "MIB" },
        { "quota", 0, 0, G_OPTION_ARG_CALLBACK, parse_mib, "memory that a guest may really use (default: at most half the host's)", "MIB" },
        { "watchdog", 0, 0, G_OPTION_ARG_CALLBACK, parse_seconds, "end kernels that run longer (default: VGPU_WATCHDOG, or as the profile says)", "SECONDS" },
        { "user", 'u', 0, G_OPTION_ARG_STRING, &options.user, "become NAME once the socket listens (default, as root: only executors become another user)", "NAME" },
        { "die-with-parent", 0, 0, G_OPTION_ARG_NONE, &with_parent, "end when the process that started this one does", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- supervise the software GPU of VMs and local programs");
    g_autoptr(GError) error = NULL;
    int fd;

    g_option_context_add_main_entries(context, entries, NULL);
    if ((g_getenv("VGPU_WATCHDOG") && !parse_seconds(NULL, g_getenv("VGPU_WATCHDOG"), NULL, &error)) ||
        !g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("vgpu-hostd: %s\n", error->message);
        return 2;
    }
    vg_log_init("hostd");
    if (!options.socket)
        options.socket = default_socket();
    if (!options.profile)
        options.profile = g_strdup(g_getenv("VGPU_PROFILE") ? g_getenv("VGPU_PROFILE") : VGPU_DEFAULT_PROFILE);
    executor_path = find_program("executor", "vgpu-executor");
    compiler_path = find_program("compiler", "vgpu-compiler");
    fd = executor_path ? listen_on(options.socket, &error) : -1;
    if (fd < 0 || !hostd_confine(options.user, &executor_user, &error)) {
        g_printerr("vgpu-hostd: %s\n", error ? error->message : "vgpu-executor is not where it should be");
        return 2;
    }
    if (with_parent) /* after a change of user, which forgets it */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    g_unix_fd_add(fd, G_IO_IN, acceptable, NULL);
    g_unix_signal_add(SIGTERM, on_signal, NULL);
    g_unix_signal_add(SIGINT, on_signal, NULL);
    vg_log(VG_LOG_INFO, "listening on %s", options.socket);
    while (!stop)
        g_main_context_iteration(NULL, TRUE);
    /* What was sent before the end, code to be kept for one, counts. */
    for (int i = 0; i < LAST_EVENTS && g_main_context_iteration(NULL, FALSE); i++)
        ;
    unlink(options.socket);
    return 0;
}
