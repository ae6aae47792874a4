/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu: finds and executes vgpu-COMMAND, as git does. Commands lie beside this program, in the build tree's folders, or in
 * the libexec directory it was configured with. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *what;
} commands[] = {
    { "run", "run a program with the emulated GPU, without a VM" },
    { "test", "play scenarios in a VM and judge them" },
    { "vm", "boot the VM, run commands in it" },
    { "model", "make the test model (GGUF)" },
    { "ptx", "check or dump the PTX of a file" },
    { "precompile", "compile kernels ahead of time, for all guests" },
    { "hostd", "the supervisor: serves VMs and local programs" },
};

/* Where commands are looked for, relative to this program's directory; "." first, then the build tree's. */
static const char *const places[] = {
    ".", "cli", "host-device/hostd", "host-device/compiler", "host-device/ptx", "scenarios/runner", "vm-images/model", "../libexec/vgpu", VGPU_LIBEXECDIR,
};

static void usage(FILE *to)
{
    fprintf(to, "usage: vgpu COMMAND [arguments]\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].what);
}

int main(int argc, char **argv)
{
    char self[PATH_MAX], path[2 * PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *name = argc > 1 ? argv[1] : NULL;

    if (!name || !strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h")) {
        usage(name ? stdout : stderr);
        return name ? 0 : 2;
    }
    if (!strcmp(name, "--version")) {
        puts("vgpu " VGPU_VERSION);
        return 0;
    }
    if (n < 0 || strchr(name, '/'))
        goto unknown;
    self[n] = 0;
    *strrchr(self, '/') = 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        const char *base = places[i][0] == '/' ? "" : self;

        if ((size_t)snprintf(path, sizeof(path), "%s%s%s/vgpu-%s", base, *base ? "/" : "", places[i], name) >= sizeof(path))
            continue;
        execv(path, argv + 1);
        if (errno != ENOENT && errno != ENOTDIR) {
            fprintf(stderr, "vgpu: %s: %s\n", path, strerror(errno));
            return 126;
        }
    }
unknown:
    fprintf(stderr, "vgpu: there is no command '%s'\n", name);
    usage(stderr);
    return 2;
}
