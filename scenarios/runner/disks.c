/* SPDX-License-Identifier: Apache-2.0 */
/* What scenarios find in the guest under /vgpu: four read-only disks. A VM is saved with empty disks of these sizes and restored
 * with filled ones, so the sizes are part of its machine and a rebuilt library needs no new VM. */
#include "disks.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "json.h"

const struct disk disks[] = { { "shims", 64 }, { "payload", 768 }, { "models", 128 }, { "scenario", 64 }, { NULL, 0 } };

bool disk_make_empty(const char *path, int mib, GError **error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool made = fd >= 0 && !ftruncate(fd, (off_t)mib << 20);

    if (!made)
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return made;
}

static bool make(const char *path, int mib, const char *tree, GError **error)
{
    const char *const argv[] = { "mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E",
                                 "lazy_itable_init=1,nodiscard,root_owner=0:0", "-d", tree, path, NULL };

    return disk_make_empty(path, mib, error) && bench_run(argv, NULL, error);
}

static int size_of(const char *name)
{
    for (const struct disk *d = disks; d->name; d++)
        if (!g_strcmp0(d->name, name))
            return d->mib;
    g_assert_not_reached();
}

/* 'from' (links followed) as TO/NAME. */
static bool copy(const char *from, const char *to, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(to, name, NULL);
    const char *const argv[] = { "cp", "-rL", "--", from, path, NULL };

    if (g_mkdir_with_parents(to, 0755)) {
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s: %s", to, g_strerror(errno));
        return false;
    }
    return bench_run(argv, NULL, error);
}

/* Each entry of FROM whose name ends so; a link to what has not been built is passed over. */
static bool copy_all(const char *from, const char *suffix, const char *to, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(from, 0, error);

    if (!dir)
        return false;
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(from, name, NULL);

        if (g_str_has_suffix(name, suffix) && g_file_test(path, G_FILE_TEST_EXISTS) && !copy(path, to, name, error))
            return false;
    }
    return true;
}

/* Where the guest script puts each library: beside the backend that is to find it, as Ollama's archive has them. */
static bool stage_shims(struct bench *bench, const char *tree, GError **error)
{
    static const struct {
        const char *name, *dir;
    } places[] = {
        { "libcuda.so.1", "lib" }, { "libnvidia-ml.so.1", "lib" },
        { "libcudart.so.12", "ollama/cuda_v12" }, { "libcublas.so.12", "ollama/cuda_v12" }, { "libcublasLt.so.12", "ollama/cuda_v12" },
        { "libcudart.so.13", "ollama/cuda_v13" }, { "libcublas.so.13", "ollama/cuda_v13" }, { "libcublasLt.so.13", "ollama/cuda_v13" },
    };
    g_autofree char *faults = bench_program("faults", error), *to_faults = g_build_filename(tree, "faults", NULL);
    g_autofree char *reaper = faults ? bench_program("vgpu-reaper", error) : NULL, *bin = g_build_filename(tree, "bin", NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *from = g_build_filename(bench->libs, places[i].name, NULL);
        g_autofree char *to = g_build_filename(tree, places[i].dir, NULL);

        if (!copy(from, to, places[i].name, error))
            return false;
    }
    return reaper && copy(reaper, bin, "vgpu-reaper", error) && copy_all(faults, ".so", to_faults, error);
}

static bool stage_scenario(struct bench *bench, const char *tree, GError **error)
{
    static const char *const programs[] = { "vgpu-discover", "vgpu-infer", "vgpu-loader-trace.so" };
    g_autofree char *bin = g_build_filename(tree, "bin", NULL), *guest = bench_source("scenarios/guest", error);
    g_autofree char *tests = bench_program("bundle", NULL), *to_tests = g_build_filename(tree, "tests", NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(programs); i++) {
        g_autofree char *from = bench_program(programs[i], error);

        if (!from || !copy(from, bin, programs[i], error))
            return false;
    }
    /* The tests of the device, and the corpus, are the build tree's alone. */
    return guest && copy(guest, tree, "guest", error) && (!tests || copy_all(tests, "", to_tests, error));
}

static bool make_staged(struct bench *bench, const char *name, bool (*stage)(struct bench *, const char *, GError **),
                        GError **error)
{
    g_autofree char *tree = g_build_filename(bench->run_dir, name, NULL);
    g_autofree char *file = g_strconcat(bench->disks, "/", name, ".ext4", NULL);
    bool made = stage(bench, tree, error) && make(file, size_of(name), tree, error);

    bench_remove_tree(tree);
    return made;
}

/* The payload is half a gigabyte and never changes: its disk stays in the cache, under the payload's own key. */
static bool make_payload(struct bench *bench, GError **error)
{
    g_autofree char *link = g_build_filename(bench->disks, "payload.ext4", NULL);
    g_autofree char *key = NULL, *dir = NULL, *file = NULL, *temporary = NULL;

    if (!bench->payload)
        return disk_make_empty(link, size_of("payload"), error);
    key = g_path_get_basename(bench->payload);
    dir = g_build_filename(bench->cache, "saved", NULL);
    file = g_strdup_printf("%s/payload-%d-%s.ext4", dir, size_of("payload"), key);
    temporary = g_strdup_printf("%s.%d.tmp", file, getpid());
    if (!g_file_test(file, G_FILE_TEST_EXISTS)) {
        g_mkdir_with_parents(dir, 0755);
        if (!make(temporary, size_of("payload"), bench->payload, error) || rename(temporary, file)) {
            g_unlink(temporary);
            return false;
        }
    }
    if (!symlink(file, link))
        return true;
    g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s: %s", link, g_strerror(errno));
    return false;
}

static bool make_models(struct bench *bench, GError **error)
{
    g_autofree char *file = g_build_filename(bench->disks, "models.ext4", NULL);

    return bench_models(bench, error) && make(file, size_of("models"), bench->models, error);
}

/* What the models say: `words` as vgpu-model prints it, and each of its values as a file of the key's name. */
static bool write_words(const char *dir, const char *text, GError **error)
{
    g_autofree char *all = g_build_filename(dir, "words", NULL);
    g_autoptr(Json) words = json_from_keys(text);

    for (guint i = 0; words && i < words->names->len; i++) {
        const struct json *value = words->values->pdata[i];
        g_autofree char *path = g_build_filename(dir, words->names->pdata[i], NULL);

        if (!g_file_set_contents(path, value->text, -1, error))
            return false;
    }
    return g_file_set_contents(all, text, -1, error);
}

/* The whole models, and some in which one tensor is zero: those must say something else. */
static const struct {
    const char *name, *type, *zero;
} model_files[] = {
    { "f32", "f32", NULL },
    { "f16", "f16", NULL },
    { "q8_0", "q8_0", NULL },
    { "damaged-attn-k", "q8_0", "blk.0.attn_k.weight" },
    { "damaged-attn-norm", "q8_0", "blk.0.attn_norm.weight" },
    { "damaged-ffn-up", "f16", "blk.1.ffn_up.weight" },
};

bool bench_models(struct bench *bench, GError **error)
{
    g_autofree char *program = bench_program("vgpu-model", error), *dir = g_build_filename(bench->run_dir, "models", NULL);
    g_autofree char *text = NULL;
    const char *const print[] = { program, "--print", NULL };

    if (bench->models)
        return true;
    if (!program)
        return false;
    g_mkdir_with_parents(dir, 0755);
    for (gsize i = 0; i < G_N_ELEMENTS(model_files); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s.gguf", dir, model_files[i].name);
        const char *const argv[] = { program, "-t", model_files[i].type, "-o", path, model_files[i].zero ? "--zero" : NULL,
                                     model_files[i].zero, NULL };

        if (!bench_run(argv, NULL, error))
            return false;
    }
    if (!bench_run(print, &text, error) || !write_words(dir, text, error))
        return false;
    bench->models = g_steal_pointer(&dir);
    return true;
}

bool bench_disks(struct bench *bench, GError **error)
{
    if (bench->disks)
        return true;
    bench->disks = g_build_filename(bench->run_dir, "disks", NULL);
    if (g_mkdir_with_parents(bench->disks, 0755) || !make_staged(bench, "shims", stage_shims, error) ||
        !make_staged(bench, "scenario", stage_scenario, error) || !make_payload(bench, error) || !make_models(bench, error)) {
        g_prefix_error(error, "making the disks: ");
        g_clear_pointer(&bench->disks, g_free);
        return false;
    }
    return true;
}
