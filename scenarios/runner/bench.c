/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "domain.h"

G_DEFINE_QUARK(vgpu-bench-error, bench_error)

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    signalled = number;
}

int interrupted(void)
{
    return signalled;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool bench_open(struct bench *b, const char *output, GError **error)
{
    const char *cache = g_getenv("VGPU_CACHE");

    catch_signals();
    b->run_dir = g_dir_make_tmp("vgpu-test-XXXXXX", error);
    if (!b->run_dir)
        return false;
    b->result_dir = output ? g_canonicalize_filename(output, NULL) : g_strconcat(b->run_dir, ".results", NULL);
    b->cache = cache && *cache ? g_strdup(cache) : g_build_filename(g_get_user_cache_dir(), "vgpu-stub", NULL);
    if (g_mkdir_with_parents(b->result_dir, 0755)) {
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s: %s", b->result_dir, g_strerror(errno));
        return false;
    }
    b->libs = bench_libraries(error);
    return b->libs != NULL;
}

void bench_close(struct bench *b)
{
    domain_host_close(b->host);
    if (b->run_dir && !b->keep)
        bench_remove_tree(b->run_dir);
    g_free(b->run_dir);
    g_free(b->result_dir);
    g_free(b->cache);
    g_free(b->libs);
    g_free(b->payload);
    g_free(b->qemu);
    g_free(b->image);
    g_free(b->disks);
    g_free(b->models);
}

bool bench_payload(struct bench *b, GError **error)
{
    if (!b->payload)
        b->payload = bench_recipe("vm-images/payload/fetch", "payload @node-llama-cpp/linux-x64-cuda (make payloads)", error);
    return b->payload != NULL;
}

/* Relative to vgpu-test: the build tree, then the installed places. */
static const struct {
    const char *name, *places[4];
} programs[] = {
    { "vgpu-hostd", { "../../host-device/hostd", ".", NULL } },
    { "vgpu-run", { "../../cli", ".", NULL } },
    { "vgpu-model", { "../../vm-images/model", "../vgpu-stub", NULL } },
    { "vgpu-infer", { "../../vm-images/payload", "../vgpu-stub", NULL } },
    { "vgpu-discover", { "../../vm-images/payload", "../vgpu-stub", NULL } },
    { "vgpu-loader-trace.so", { "../../vm-images/payload", "../vgpu-stub", NULL } },
    { "vgpu-reaper", { "../../guest-shims/doctor", "../vgpu-stub", NULL } },
    { "bundle", { "../../tests/guest", NULL } },
    { "faults", { "..", "../vgpu-stub", NULL } },
};

static char *own_dir(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);

    return self ? g_path_get_dirname(self) : g_strdup(".");
}

/* The first of 'places', taken from our own directory, that has 'name'. */
static char *find(const char *const *places, const char *name)
{
    g_autofree char *dir = own_dir();

    for (; *places; places++) {
        g_autofree char *path = g_path_is_absolute(*places) ? g_build_filename(*places, name, NULL)
                                                            : g_build_filename(dir, *places, name, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return g_canonicalize_filename(path, NULL);
    }
    return NULL;
}

char *bench_program(const char *name, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(programs); i++) {
        char *path = strcmp(programs[i].name, name) ? NULL : find(programs[i].places, name);

        if (path)
            return path;
    }
    g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s is not where it should be: build it", name);
    return NULL;
}

char *bench_libraries(GError **error)
{
    static const char *const places[] = { "../../lib", VGPU_LIBDIR, NULL };
    g_autofree char *library = find(places, "libcuda.so.1");

    if (!library)
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "the guest libraries are not where they should be: build them");
    return library ? g_path_get_dirname(library) : NULL;
}

char *bench_source(const char *path, GError **error)
{
    static const char *const places[] = { VGPU_SOURCE_DIR, "../../share/vgpu", NULL };
    char *found = find(places, path);

    if (!found)
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s is not where it should be", path);
    return found;
}

bool bench_run(const char *const *argv, char **out, GError **error)
{
    g_autofree char *said = NULL, *failed = NULL;
    int status;

    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &said, &failed, &status, error)) {
        g_prefix_error(error, "%s: ", argv[0]);
        return false;
    }
    if (!g_spawn_check_wait_status(status, NULL)) {
        g_strchomp(failed);
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s failed: %s", argv[0], *failed ? failed : "without a word");
        return false;
    }
    if (out)
        *out = g_steal_pointer(&said);
    return true;
}

char *bench_recipe(const char *recipe, const char *how, GError **error)
{
    g_autofree char *script = bench_source(recipe, error);
    const char *const argv[] = { script, "--find", NULL };
    char *result = NULL;

    if (!script)
        return NULL;
    if (!bench_run(argv, &result, NULL)) {
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_ABSENT, "%s", how);
        return NULL;
    }
    return g_strchomp(result);
}

void bench_remove_tree(const char *path)
{
    const char *const argv[] = { "rm", "-rf", "--one-file-system", "--", path, NULL };

    bench_run(argv, NULL, NULL);
}

void output_clear(struct output *output)
{
    g_clear_pointer(&output->out, g_free);
    g_clear_pointer(&output->err, g_free);
}
