/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu run [options] -- COMMAND: local emulation. The command's CUDA libraries are our shims (LD_LIBRARY_PATH), also
 * where NVIDIA's runtime is linked into a program (LD_PRELOAD), and reach vgpu-hostd through VGPU_SOCKET; a private hostd is
 * started when none answers there, and ended afterwards. */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *profile, *memory;
static gboolean verbose;

static bool answers(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool up;

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        return false;
    strcpy(address.sun_path, path);
    up = !connect(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return up;
}

/* First of 'places' below the program's directory that holds 'name'. */
static char *find(const char *const *places, const char *name)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = self ? g_path_get_dirname(self) : g_strdup(".");

    for (; *places; places++) {
        g_autofree char *path = g_path_is_absolute(*places) ? g_build_filename(*places, name, NULL)
                                                            : g_build_filename(dir, *places, name, NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&path);
    }
    return NULL;
}

static char *library_dir(void)
{
    static const char *const places[] = { "../lib", VGPU_LIBDIR, NULL };
    g_autofree char *found = find(places, "libcuda.so.1");

    return found ? g_path_get_dirname(found) : NULL;
}

/* A hostd of our own in a directory of our own; its pid, or 0. */
static GPid start_hostd(const char *socket_path)
{
    static const char *const places[] = { "../host-device/hostd", "../libexec/vgpu", ".", VGPU_LIBEXECDIR, NULL };
    g_autofree char *hostd = find(places, "vgpu-hostd");
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    GPid pid = 0;

    if (!hostd) {
        g_printerr("vgpu run: vgpu-hostd is not where it should be\n");
        return 0;
    }
    g_ptr_array_add(argv, hostd);
    g_ptr_array_add(argv, (char *)"--socket");
    g_ptr_array_add(argv, (char *)socket_path);
    g_ptr_array_add(argv, (char *)"--die-with-parent");
    if (profile) {
        g_ptr_array_add(argv, (char *)"--profile");
        g_ptr_array_add(argv, profile);
    }
    if (memory) {
        g_ptr_array_add(argv, (char *)"--memory");
        g_ptr_array_add(argv, memory);
    }
    g_ptr_array_add(argv, NULL);
    if (!g_spawn_async(NULL, (char **)argv->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL,
                       &pid, &error)) {
        g_printerr("vgpu run: %s\n", error->message);
        return 0;
    }
    for (int i = 0; i < 1000 && !answers(socket_path); i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return 0; /* it said why on stderr */
        g_usleep(5000);
    }
    return pid;
}

/* To a list whose entries have colons between them: the last that names an option is the one that holds. */
static void prepend_path(const char *variable, const char *dir)
{
    const char *old = g_getenv(variable);
    g_autofree char *value = old && *old ? g_strdup_printf("%s:%s", dir, old) : g_strdup(dir);

    g_setenv(variable, value, TRUE);
}

/* Lets our libcudart stand in for one that is linked into a program. The loader has no way to quote a path. */
static void preload(const char *libs)
{
    g_autofree char *path = g_build_filename(libs, "libvgpu-static.so", NULL);

    if (!strpbrk(path, ": ") && g_file_test(path, G_FILE_TEST_EXISTS)) {
        prepend_path("LD_PRELOAD", path);
        prepend_path("ASAN_OPTIONS", "verify_asan_link_order=0"); /* or programs built with it refuse to start behind a preloaded library */
    } else {
        g_printerr("vgpu run: %s cannot be preloaded: programs with a static CUDA runtime will find no driver\n", path);
    }
}

/* The child's end as a shell reports it. */
static int run(char **argv)
{
    pid_t child = fork();
    int status;

    if (child < 0) {
        perror("vgpu run: fork");
        return 126;
    }
    if (!child) {
        execvp(argv[0], argv);
        fprintf(stderr, "vgpu run: %s: %s\n", argv[0], strerror(errno));
        _exit(errno == ENOENT ? 127 : 126);
    }
    /* An interrupt from the terminal reaches the child too; we stay to clean up behind it. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        { "profile", 'p', 0, G_OPTION_ARG_STRING, &profile, "which GPU to be (default: VGPU_PROFILE, or h100-pcie)", "NAME" },
        { "memory", 0, 0, G_OPTION_ARG_STRING, &memory, "its memory (default: the profile's)", "MIB" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "say what is used", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("-- COMMAND [ARGUMENTS]");
    g_autofree char *private_dir = NULL, *libs = library_dir();
    g_autoptr(GError) error = NULL;
    const char *socket_path = g_getenv("VGPU_SOCKET");
    g_autofree char *own_path = NULL;
    GPid hostd = 0;
    int status;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_strict_posix(context, TRUE);
    g_option_context_set_summary(context, "Runs COMMAND with CUDA libraries that emulate a GPU on this machine's CPUs.");
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("vgpu run: %s\n", error->message);
        return 2;
    }
    if (argc > 1 && !strcmp(argv[1], "--")) {
        argv++;
        argc--;
    }
    if (argc < 2) {
        g_printerr("usage: vgpu run [--profile NAME] [--memory MIB] -- COMMAND [ARGUMENTS]\n");
        return 2;
    }
    if (!libs) {
        g_printerr("vgpu run: the CUDA libraries are not where they should be\n");
        return 2;
    }
    if (!socket_path || !*socket_path || !answers(socket_path)) {
        private_dir = g_dir_make_tmp("vgpu-XXXXXX", &error);
        if (!private_dir) {
            g_printerr("vgpu run: %s\n", error->message);
            return 2;
        }
        socket_path = own_path = g_build_filename(private_dir, "hostd.sock", NULL);
        hostd = start_hostd(socket_path);
        if (!hostd) {
            g_rmdir(private_dir);
            return 2;
        }
    } else if (profile || memory) {
        g_printerr("vgpu run: a hostd answers at %s; --profile and --memory are for a private one\n", socket_path);
        return 2;
    }
    g_setenv("VGPU_SOCKET", socket_path, TRUE);
    prepend_path("LD_LIBRARY_PATH", libs);
    preload(libs);
    if (verbose)
        g_printerr("vgpu run: libraries in %s, %s hostd at %s\n", libs, hostd ? "private" : "running", socket_path);

    status = run(argv + 1);

    if (hostd) {
        kill(hostd, SIGTERM);
        waitpid(hostd, NULL, 0);
        g_unlink(socket_path);
        g_rmdir(private_dir);
    }
    return status;
}
