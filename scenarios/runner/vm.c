/* SPDX-License-Identifier: Apache-2.0 */
/* A VM for one scenario: restored from a saved one, or booted where that does not work. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "bench.h"
#include "disks.h"
#include "domain.h"
#include "hostd.h"
#include "json.h"
#include "kvm.h"
#include "machine.h"
#include "vm_xml.h"

#define BOOT_SECONDS 240 /* TCG on a busy machine */
#define RESTORE_SECONDS 60
#define ANSWER_SECONDS 60 /* the agent's, for one command */

struct vm {
    struct machine base;
    struct bench *bench;
    char *work; /* overlay, sockets; short */
    char *shell;
    struct hostd hostd;
    struct domain *domain;
};

static void G_GNUC_PRINTF(2, 3) note(struct vm *vm, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_ptr_array_add(vm->base.facts, g_strdelimit(g_strdup_vprintf(format, ap), "\n", ' '));
    va_end(ap);
}

/* ---- The guest agent ---- */

static bool agent_wait(struct vm *vm, int seconds, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;

    while (g_get_monotonic_time() < deadline && !interrupted() && domain_running(vm->domain)) {
        if (domain_agent(vm->domain, "{\"execute\":\"guest-ping\"}", 5, NULL, NULL))
            return true;
        g_usleep(100000);
    }
    if (interrupted())
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INTERRUPTED, "interrupted");
    else if (!domain_running(vm->domain))
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_BOOT, "the VM stopped before its agent answered (see console.log)");
    else
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_BOOT, "the guest agent did not answer within %d s (see console.log)", seconds);
    return false;
}

static char *decoded(const struct json *status, const char *name)
{
    const char *text = json_text(status, name);
    gsize n;
    guchar *bytes = text ? g_base64_decode(text, &n) : NULL;
    char *valid;

    if (!bytes)
        return g_strdup("");
    valid = g_utf8_make_valid((char *)bytes, (gssize)n);
    g_free(bytes);
    return valid;
}

static char *exec_command(const struct machine *m, const char *shell, const char *const *settings, int timeout)
{
    g_autofree char *quoted = json_quote(shell);
    GString *command = g_string_new(NULL);

    g_string_printf(command,
                    "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/usr/bin/timeout\",\"capture-output\":true,"
                    "\"arg\":[\"-k\",\"5\",\"%d\",\"/bin/sh\",\"-c\",%s],\"env\":[\"HOME=/root\"", timeout, quoted);
    for (char **v = m->variables; *v; v++) {
        g_autofree char *text = json_quote(*v);

        g_string_append_printf(command, ",%s", text);
    }
    for (; settings && *settings; settings++) {
        g_autofree char *text = json_quote(*settings);

        g_string_append_printf(command, ",%s", text);
    }
    g_string_append(command, "]}}");
    return g_string_free(command, FALSE);
}

static bool vm_exec(struct machine *m, const char *shell, const char *const *settings, int timeout, struct output *output,
                    GError **error)
{
    struct vm *vm = (struct vm *)m;
    g_autofree char *command = exec_command(m, shell, settings, timeout), *query = NULL;
    g_autoptr(Json) started = NULL;
    const char *pid, *code, *killer;
    gint64 deadline = g_get_monotonic_time() + (gint64)(timeout + 60) * G_USEC_PER_SEC;
    gulong pause = 10000;

    output->begin = g_get_real_time();
    if (!domain_agent(vm->domain, command, ANSWER_SECONDS, &started, error))
        return false;
    pid = json_text(json_member(started, "return"), "pid");
    if (!pid || strspn(pid, "0123456789") != strlen(pid)) {
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "the guest agent named no process");
        return false;
    }
    query = g_strdup_printf("{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":%s}}", pid);
    for (;;) {
        g_autoptr(Json) answer = NULL;
        const struct json *status;

        if (!domain_agent(vm->domain, query, ANSWER_SECONDS, &answer, error))
            return false;
        status = json_member(answer, "return");
        if (!g_strcmp0(json_text(status, "exited"), "true")) {
            code = json_text(status, "exitcode");
            killer = json_text(status, "signal");
            output->status = code ? atoi(code) : 128 + (killer ? atoi(killer) : 0);
            output->out = decoded(status, "out-data");
            output->err = decoded(status, "err-data");
            output->end = g_get_real_time();
            return true;
        }
        if (interrupted() || g_get_monotonic_time() > deadline) {
            g_set_error(error, BENCH_ERROR, interrupted() ? BENCH_ERROR_INTERRUPTED : BENCH_ERROR_INFRA, "%s",
                        interrupted() ? "interrupted" : "a command in the guest does not end");
            return false;
        }
        g_usleep(pause);
        pause = MIN(pause * 2, 160000);
    }
}

/* ---- Life ---- */

static bool overlay(const char *path, const char *backing, const char *format, GError **error)
{
    const char *const argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", format, path, NULL };

    return bench_run(argv, NULL, error);
}

static bool boot(struct vm *vm, const struct vm_spec *spec, GError **error)
{
    g_autofree char *root = g_build_filename(vm->bench->image, "root.ext4", NULL), *xml = vm_xml(spec);
    gint64 begin = g_get_monotonic_time();

    if (!overlay(spec->root, root, "raw", error))
        return false;
    vm->domain = domain_create(vm->bench->host, xml, error);
    if (!vm->domain || !agent_wait(vm, BOOT_SECONDS, error))
        return false;
    note(vm, "booted in %.1f s (%s)", (double)(g_get_monotonic_time() - begin) / 1e6, spec->kvm ? "KVM" : "TCG");
    return true;
}

/* Boots a VM with empty disks and saves it as DIR/state on DIR/root.qcow2. */
static bool save(struct vm *vm, const struct vm_spec *spec, const char *dir, GError **error)
{
    g_autofree char *base = g_path_get_dirname(dir), *tmp = g_strdup_printf("%s.tmp", dir);
    g_autofree char *root = g_build_filename(tmp, "root.qcow2", NULL), *state = g_build_filename(tmp, "state", NULL);
    g_autofree char *empty = g_build_filename(vm->work, "empty", NULL);
    struct vm_spec blank = *spec;
    struct output output = { 0 };
    bool done = true;

    bench_remove_tree(tmp); /* a killed run's: the lock is ours */
    g_mkdir_with_parents(tmp, 0755);
    g_mkdir_with_parents(empty, 0700);
    for (int i = 0; done && disks[i].name; i++) {
        g_autofree char *path = g_strdup_printf("%s/%s.ext4", empty, disks[i].name);

        done = disk_make_empty(path, disks[i].mib, error);
    }
    blank.root = root;
    blank.disks = empty;
    /* What boot leaves running settles first; the page cache need not be saved. */
    done = done && boot(vm, &blank, error) &&
           vm_exec(&vm->base, "systemctl is-system-running --wait >/dev/null; udevadm settle; sync; echo 3 >/proc/sys/vm/drop_caches",
                   NULL, 120, &output, error) &&
           domain_save(vm->domain, state, error);
    output_clear(&output);
    g_clear_pointer(&vm->domain, domain_free);
    if (done && rename(tmp, dir)) {
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s: %s", dir, g_strerror(errno));
        done = false;
    }
    if (!done)
        bench_remove_tree(tmp);
    return done;
}

/* The saved VM of this machine, made if there is none. */
static bool have_saved(struct vm *vm, const struct vm_spec *spec, const char *dir, GError **error)
{
    g_autofree char *state = g_build_filename(dir, "state", NULL), *base = g_path_get_dirname(dir);
    g_autofree char *lock = g_build_filename(base, ".lock", NULL);
    bool have;
    int fd;

    if (g_file_test(state, G_FILE_TEST_EXISTS))
        return true;
    g_mkdir_with_parents(base, 0755);
    fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || flock(fd, LOCK_EX)) {
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s: %s", lock, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    have = g_file_test(state, G_FILE_TEST_EXISTS) || save(vm, spec, dir, error);
    close(fd);
    return have;
}

static bool restore(struct vm *vm, const struct vm_spec *spec, GError **error)
{
    g_autofree char *key = vm_key(spec), *dir = g_build_filename(vm->bench->cache, "saved", key, NULL);
    g_autofree char *root = g_build_filename(dir, "root.qcow2", NULL), *state = g_build_filename(dir, "state", NULL);
    g_autofree char *xml = vm_xml(spec);
    gint64 begin;

    if (!have_saved(vm, spec, dir, error))
        return false;
    begin = g_get_monotonic_time();
    if (!overlay(spec->root, root, "qcow2", error))
        return false;
    vm->domain = domain_restore(vm->bench->host, state, spec->name, xml, error);
    if (!vm->domain || !agent_wait(vm, RESTORE_SECONDS, error)) {
        /* The next scenario makes a new one. */
        if (!interrupted())
            bench_remove_tree(dir);
        return false;
    }
    note(vm, "restored in %.1f s (%s)", (double)(g_get_monotonic_time() - begin) / 1e6, spec->kvm ? "KVM" : "TCG");
    return true;
}

/* The disks appear, and the guest's clock, which stood still while it was saved, is measured. */
static bool settle(struct vm *vm, GError **error)
{
    struct output mount = { 0 }, clock = { 0 };
    bool good = vm_exec(&vm->base, "vgpu-mount", NULL, 60, &mount, error) &&
                vm_exec(&vm->base, "date +%s%6N", NULL, 60, &clock, error);

    if (good && mount.status) {
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_BOOT, "the disks cannot be mounted: %s", g_strchomp(mount.err));
        good = false;
    }
    if (good)
        vm->base.clock_ahead = g_ascii_strtoll(clock.out, NULL, 10) - (clock.begin + clock.end) / 2;
    output_clear(&mount);
    output_clear(&clock);
    return good;
}

static void vm_end(struct machine *m)
{
    struct vm *vm = (struct vm *)m;

    g_clear_pointer(&vm->domain, domain_free);
    hostd_stop(&vm->hostd);
    bench_remove_tree(vm->work);
    g_ptr_array_unref(m->facts);
    g_strfreev(m->variables);
    g_free(vm->work);
    g_free(vm->shell);
    g_free(m->dir);
    g_free(vm);
}

static void vm_kill_hostd(struct machine *m)
{
    hostd_kill(&((struct vm *)m)->hostd);
}

static const struct machine_ops vm_ops = { vm_exec, vm_kill_hostd, vm_end };

const char *vm_console(const struct machine *m)
{
    return ((const struct vm *)m)->shell;
}

static bool open_host(struct bench *b, GError **error)
{
    g_autofree char *root = g_build_filename(b->run_dir, "lv", NULL), *log = g_build_filename(b->result_dir, "libvirt.log", NULL);

    if (!b->qemu)
        b->qemu = bench_recipe("qemu-patches/build-qemu", "QEMU (qemu-patches/build-qemu)", error);
    if (b->qemu && !b->image)
        b->image = bench_recipe("vm-images/build-image", "the guest image (vm-images/build-image)", error);
    if (b->image && !b->host)
        b->host = domain_host_open(root, log, error);
    return b->host != NULL;
}

struct machine *vm_begin(struct bench *bench, const char *profile, const char *dir, GError **error)
{
    static const char *const variables[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/vgpu/scenario/bin", "BIN=/vgpu/scenario/bin",
        "SHIMS=/vgpu/shims", "PAYLOAD=/vgpu/payload/lib/ollama", "MODELS=/vgpu/models", "OLLAMA=/usr/local/lib/ollama",
        "LIBCUDA=/usr/lib/x86_64-linux-gnu/libvgpu-cuda.so", "CUDA12_LIBS=/usr/local/lib/ollama/cuda_v12",
        "CUDA13_LIBS=/usr/local/lib/ollama/cuda_v13", "CUBLAS12_LIBS=/usr/local/lib/ollama/cuda_v12",
        "CUBLAS13_LIBS=/usr/local/lib/ollama/cuda_v13", NULL
    };
    g_autofree char *console = g_build_filename(dir, "console.log", NULL), *log = g_build_filename(dir, "hostd.log", NULL);
    g_autofree char *root = NULL, *socket = NULL;
    g_autoptr(GError) why = NULL;
    struct vm_spec spec = { .memory_mib = bench->memory_mib, .vcpus = bench->vcpus, .name = "vgpu-test", .profile = profile };
    struct vm *vm;

    if (!open_host(bench, error) || !bench_disks(bench, error))
        return NULL;
    vm = g_new0(struct vm, 1);
    vm->base = (struct machine){ .ops = &vm_ops, .dir = g_strdup(dir), .facts = g_ptr_array_new_with_free_func(g_free),
                                 .variables = g_strdupv((char **)variables) };
    vm->bench = bench;
    vm->work = g_build_filename(bench->run_dir, "vm", NULL);
    g_mkdir_with_parents(vm->work, 0700);
    root = g_build_filename(vm->work, "root.qcow2", NULL);
    socket = g_build_filename(vm->work, "hostd.sock", NULL);
    spec.kvm = kvm_works(bench);
    spec.qemu = bench->qemu;
    spec.image = bench->image;
    spec.root = root;
    spec.disks = bench->disks;
    spec.console = console;
    spec.socket = socket;
    spec.shell = vm->shell = g_build_filename(vm->work, "shell.sock", NULL);

    if (!hostd_start(&vm->hostd, socket, log, NULL, error))
        goto bad;
    if (bench->plain_boot || !restore(vm, &spec, &why)) {
        g_clear_pointer(&vm->domain, domain_free);
        if (interrupted() || g_error_matches(why, BENCH_ERROR, BENCH_ERROR_INTERRUPTED)) {
            g_propagate_error(error, g_steal_pointer(&why));
            goto bad;
        }
        if (why)
            note(vm, "no saved VM could be used, so it boots: %s", why->message);
        g_unlink(root);
        if (!boot(vm, &spec, error))
            goto bad;
    }
    if (settle(vm, error))
        return &vm->base;
bad:
    vm_end(&vm->base);
    return NULL;
}
