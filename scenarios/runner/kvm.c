/* SPDX-License-Identifier: Apache-2.0 */
#include "kvm.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

/* Without a root disk the initrd says so on the console and powers off; by then the CPU, timers and interrupts have worked. */
static bool probe(struct bench *bench)
{
    g_autofree char *kernel = g_build_filename(bench->image, "vmlinuz", NULL), *initrd = g_build_filename(bench->image, "initrd", NULL);
    const char *const argv[] = { "timeout", "-k", "1", "20", bench->qemu, "-M", "q35,accel=kvm", "-cpu", "host", "-m", "256",
                                 "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", kernel,
                                 "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1 root=LABEL=none", NULL };
    g_autofree char *out = NULL;

    if (access("/dev/kvm", R_OK | W_OK))
        return false;
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL, NULL, NULL);
    return out && strstr(out, "initrd: no disk");
}

bool kvm_works(struct bench *bench)
{
    const char *wanted = g_getenv("VGPU_ACCEL");
    g_autofree char *dir = g_build_filename(bench->cache, "saved", NULL), *file = g_build_filename(dir, "kvm", NULL);
    g_autofree char *boot = NULL, *seen = NULL, *question = NULL, *answer = NULL;
    bool works;

    if (wanted && *wanted)
        return !strcmp(wanted, "kvm");
    if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
        boot = g_strdup("");
    question = g_strdup_printf("%s %s ", g_strchomp(boot), bench->qemu);
    if (g_file_get_contents(file, &seen, NULL, NULL) && g_str_has_prefix(seen, question))
        return !strcmp(seen + strlen(question), "yes\n");
    works = probe(bench);
    answer = g_strdup_printf("%s%s\n", question, works ? "yes" : "no");
    g_mkdir_with_parents(dir, 0755);
    g_file_set_contents(file, answer, -1, NULL);
    return works;
}
