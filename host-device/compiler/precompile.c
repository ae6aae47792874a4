/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu precompile: kernels of files into the part of the cache that all guests share, by a compiler process like a guest's. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "code/cache.h"
#include "compiler/compiler.h"
#include "executor/socket.h"
#include "jit/target.h"
#include "profiles/profile.h"
#include "ptx/fatbin.h"
#include "ptx/images.h"

#define JOBS_MAX 64
#define SHAPES_MAX 64

static char *profile, *isa;
static char **entries, **block_options, **files;
static int jobs;
static gboolean verbose;

static struct jit_shape target;
static uint32_t blocks[SHAPES_MAX][3]; /* given by --block */
static unsigned n_blocks;
static uint32_t cc;
static struct code_cache *cache;
static int control = -1, compiler = -1;

static struct {
    unsigned kernels, asked, compiled, there, refused, failed;
    uint64_t instructions, bytes;
    double cpu;
} total;

/* A request that the compiler works on. */
struct pending {
    uint64_t number;
    uint8_t key[CODE_KEY_SIZE];
    char *what; /* name and shape, for people */
};
static GArray *pending;

/* ---- The compiler ---- */

static void place_socket(gpointer data)
{
    int fd = *(const int *)data;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fd == COMPILER_FD_CONTROL ? fcntl(fd, F_SETFD, 0) : dup2(fd, COMPILER_FD_CONTROL) < 0)
        _exit(127);
}

/* It lies beside us, installed or in the build tree. */
static bool start_compiler(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = self ? g_path_get_dirname(self) : g_strdup(".");
    g_autofree char *path = g_build_filename(dir, "vgpu-compiler", NULL), *number = g_strdup_printf("%d", jobs);
    char *argv[] = {path, number, NULL};
    g_autoptr(GError) error = NULL;
    int pair[2], ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) {
        g_printerr("vgpu precompile: %s\n", g_strerror(errno));
        return false;
    }
    /* Not reaped by GLib, which would put a process that ends at once between us and a child that is to end with its parent. */
    if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_LEAVE_DESCRIPTORS_OPEN | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_DO_NOT_REAP_CHILD,
                       place_socket, &pair[1], NULL, &error)) {
        g_printerr("vgpu precompile: %s\n", error->message);
        return false;
    }
    close(pair[1]);
    control = pair[0];
    compiler = ends[0];
    if (!vg_msg_send(control, &(struct vgpu_msg){.type = VGPU_MSG_CONNECT}, NULL, 0, &ends[1], 1)) {
        g_printerr("vgpu precompile: the compiler does not start\n");
        return false;
    }
    close(ends[1]);
    return true;
}

static void progress(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%u kernels, %u compiled, %u there, %u refused, %u under way ", total.kernels, total.compiled, total.there,
                total.refused, pending->len);
}

static void take_entry(const struct pending *p, int fd)
{
    struct code_entry e;

    if (!code_entry_check(fd, p->key, &e)) {
        g_printerr("vgpu precompile: %s: the compiler sent nonsense\n", p->what);
        total.failed++;
    } else if (!code_cache_store(cache, p->key, fd)) {
        g_printerr("vgpu precompile: %s: cannot keep it: %s\n", p->what, g_strerror(errno));
        total.failed++;
    } else if (e.status == CODE_REFUSED) {
        if (verbose)
            g_printerr("%s stays with the interpreter: %s\n", p->what, e.why);
        total.refused++;
    } else {
        total.compiled++;
        total.instructions += e.instructions;
        total.bytes += e.size;
        total.cpu += e.milliseconds / 1e3;
        if (verbose)
            g_printerr("%s: %u instructions, %u ms, %" G_GUINT64_FORMAT " bytes\n", p->what, e.instructions, e.milliseconds, e.size);
    }
}

static bool take_answer(struct vg_packet *packet)
{
    for (guint i = 0; i < pending->len; i++) {
        struct pending *p = &g_array_index(pending, struct pending, i);

        if (packet->msg.type != VGPU_MSG_COMPILED || p->number != packet->msg.a)
            continue;
        if (!packet->msg.status && packet->n_fds == 1) {
            take_entry(p, packet->fds[0]);
        } else {
            packet->payload[MIN(packet->msg.payload, VGPU_MSG_MAX_PAYLOAD - 1)] = 0;
            g_printerr("vgpu precompile: %s: %s\n", p->what, (const char *)packet->payload);
            total.failed++;
        }
        g_free(p->what);
        g_array_remove_index_fast(pending, i);
        return true;
    }
    return false;
}

/* Until no more than 'most' requests are under way. What the compiler would have hostd keep comes with the answers too. */
static void wait_for_answers(guint most)
{
    while (pending->len > most) {
        struct pollfd at[2] = {{compiler, POLLIN, 0}, {control, POLLIN, 0}};
        bool good = true;

        if (poll(at, 2, -1) < 0 && errno != EINTR)
            exit(1);
        for (int i = 0; i < 2; i++) {
            struct vg_packet packet;

            if (!at[i].revents)
                continue;
            good &= vg_msg_receive(at[i].fd, &packet) == VG_MSG_OK && (i || take_answer(&packet));
            vg_packet_close_fds(&packet);
        }
        progress();
        if (!good) {
            g_printerr("vgpu precompile: the compiler was lost\n");
            exit(1);
        }
    }
}

static void send_request(const GByteArray *request, uint64_t number)
{
    for (size_t sent = 0, n; sent < request->len; sent += n) {
        struct vgpu_msg m = {.type = VGPU_MSG_COMPILE, .a = number, .b = request->len};

        n = MIN(request->len - sent, VGPU_MSG_MAX_PAYLOAD);
        if (!vg_msg_send(compiler, &m, request->data + sent, n, NULL, 0)) {
            g_printerr("vgpu precompile: the compiler was lost\n");
            exit(1);
        }
    }
}

/* ---- Kernels ---- */

static void compile(const struct interp_kernel *k, const char *name, const uint32_t block[3])
{
    struct jit_shape shape = target;
    g_autoptr(GByteArray) request = NULL;
    struct pending p = {.number = ++total.asked};

    memcpy(shape.block, block, sizeof shape.block);
    request = code_request_new(k, &shape);
    code_request_key(request->data, request->len, p.key);
    for (guint i = 0; i < pending->len; i++)
        if (!memcmp(g_array_index(pending, struct pending, i).key, p.key, sizeof p.key)) {
            total.there++;
            return;
        }
    if (request->len > CODE_REQUEST_MAX || code_cache_has(cache, p.key)) {
        total.there++;
        return;
    }
    p.what = g_strdup_printf("%s for %u,%u,%u", name, block[0], block[1], block[2]);
    wait_for_answers((guint)jobs);
    g_array_append_val(pending, p);
    send_request(request, p.number);
    progress();
}

/* The shapes that a kernel is launched with are the program's affair. Its bounds are a hint: a block of so many threads, in a row
 * or as warps. */
static void compile_shapes(const struct interp_kernel *k, const struct ptx_function *f)
{
    static const uint32_t common[][3] = {{32, 1, 1}, {128, 1, 1}, {256, 1, 1}, {1024, 1, 1}};
    uint32_t n = f->maxntid[0];

    for (unsigned i = 0; i < n_blocks; i++)
        compile(k, f->name, blocks[i]);
    if (n_blocks)
        return;
    if (f->reqntid[0]) {
        compile(k, f->name, f->reqntid);
    } else if (n && f->maxntid[1] * f->maxntid[2] > 1) {
        compile(k, f->name, f->maxntid);
    } else if (n) {
        compile(k, f->name, (uint32_t[]){n, 1, 1});
        if (n > 32 && n % 32 == 0)
            compile(k, f->name, (uint32_t[]){32, n / 32, 1});
    } else {
        for (unsigned i = 0; i < G_N_ELEMENTS(common); i++)
            compile(k, f->name, common[i]);
    }
}

static bool wanted(const char *name)
{
    for (char **e = entries; e && *e; e++)
        if (g_pattern_match_simple(*e, name))
            return true;
    return !entries;
}

static void refused(const char *label, const char *name, const struct ptx_error *err)
{
    g_printerr("vgpu precompile: %s: %s%s%s\n", label, name, *name ? ": " : "", err->message);
    total.failed++;
}

static void on_text(void *arg, const char *label, const char *text, size_t size)
{
    static const struct vg_binding anywhere = {VGPU_IMAGE_BASE, VGPU_FUNCTION_BASE};
    struct ptx_error err;
    struct ptx_module *m = ptx_module_open(text, size, &err);

    if (!m) {
        refused(label, "", &err);
        return;
    }
    for (uint32_t i = 0; i < m->nfunctions; i++) {
        struct ptx_function *f = &m->functions[i];
        struct interp_kernel *k;

        if (!f->is_entry || !f->has_body || !wanted(f->name))
            continue;
        k = ptx_function_close(m, f, &err) ? interp_kernel_new(m, f, &anywhere, &err) : NULL;
        if (!k) {
            refused(label, f->name, &err);
            continue;
        }
        total.kernels++;
        compile_shapes(k, f);
        interp_kernel_free(k);
    }
    ptx_module_close(m);
}

/* Of a container, the image that the profile's GPU would take. */
static void on_container(void *arg, const char *label, const uint8_t *p, size_t n)
{
    struct vg_fatbin_member member;
    struct ptx_error err;
    size_t size;
    char *text = NULL;

    if (fatbin_select(p, n, cc, &member, &err) && (text = fatbin_text(&member, &size, &err)))
        on_text(arg, label, text, size);
    else if (err.code != 209) /* no PTX for this GPU: nothing to do */
        refused(label, "", &err);
    free(text);
}

/* ---- Options ---- */

static bool parse_block(const char *text)
{
    uint32_t *b = blocks[n_blocks];
    uint64_t threads = 1;
    int used = 0;

    b[0] = b[1] = b[2] = 1;
    if (n_blocks + 1 == SHAPES_MAX || sscanf(text, "%u%n,%u%n,%u%n", &b[0], &used, &b[1], &used, &b[2], &used) < 1 || text[used])
        return false;
    for (int i = 0; i < 3; i++) {
        if (!b[i] || b[i] > 1024)
            return false;
        threads *= b[i];
    }
    n_blocks++;
    return threads <= 1024;
}

static bool prepare(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *why = NULL;
    struct vgpu_profile p;

    if (!profile)
        profile = g_strdup(g_getenv("VGPU_PROFILE") ? g_getenv("VGPU_PROFILE") : VGPU_DEFAULT_PROFILE);
    if (!profile_load(profile, &(struct profile_place){0}, &p, &error)) {
        g_printerr("vgpu precompile: %s\n", error->message);
        return false;
    }
    cc = p.cc_major * 10 + p.cc_minor;
    target.isa = jit_isa_default();
    if (isa && !jit_isa_named(isa, &target.isa)) {
        g_printerr("vgpu precompile: there is no instruction set '%s': base, v3 and v4 are known\n", isa);
        return false;
    }
    target.extensions = jit_extensions(target.isa);
    for (char **b = block_options; b && *b; b++)
        if (!parse_block(*b)) {
            g_printerr("vgpu precompile: '%s' is no block: X[,Y[,Z]], at most 1024 threads\n", *b);
            return false;
        }
    if (jobs < 1 || jobs > JOBS_MAX)
        jobs = (int)MIN(g_get_num_processors(), JOBS_MAX);
    cache = code_cache_open(CODE_CACHE_SHARED, true, &why);
    if (!cache)
        g_printerr("vgpu precompile: %s\n", why ? why : "there is no cache");
    return cache;
}

int main(int argc, char **argv)
{
    const GOptionEntry options[] = {
        {"profile", 'p', 0, G_OPTION_ARG_STRING, &profile, "GPU whose images to take (default: VGPU_PROFILE, or h100-pcie)", "NAME"},
        {"isa", 0, 0, G_OPTION_ARG_STRING, &isa, "instruction set: base, v3 or v4 (default: this CPU's best)", "NAME"},
        {"entry", 'e', 0, G_OPTION_ARG_STRING_ARRAY, &entries, "only kernels whose name matches, with * and ?; repeatable", "GLOB"},
        {"block", 'b', 0, G_OPTION_ARG_STRING_ARRAY, &block_options, "for blocks of this shape; repeatable (default: by the kernel's bounds, else common ones)", "X,Y,Z"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &jobs, "so many at once (default: one a CPU)", "N"},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "a line a kernel", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL, "FILE..."},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- compile kernels ahead of time, for all guests");
    g_autoptr(GError) error = NULL;
    gint64 start = g_get_monotonic_time();

    g_set_prgname("vgpu precompile");
    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_set_description(context,
        "A FILE is PTX, a fatbin, or a program or library with one. What is compiled lies in $VGPU_CACHE/code/shared, which guests read\n"
        "and never write. Exit status: 0; 1 when a file or a kernel could not be compiled, other than one that the interpreter keeps;\n"
        "2 for wrong usage.");
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("vgpu precompile: %s\n", error->message);
        return 2;
    }
    if (!files) {
        g_printerr("vgpu precompile: no FILE given\n");
        return 2;
    }
    if (!prepare())
        return 2;
    signal(SIGPIPE, SIG_IGN);
    pending = g_array_new(FALSE, FALSE, sizeof(struct pending));
    if (!start_compiler())
        return 1;
    for (char **f = files; *f; f++)
        total.failed += !ptx_images_visit("vgpu precompile", *f, &(struct ptx_image_visitor){on_container, on_text, NULL});
    wait_for_answers(0);
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
    printf("%u kernels: %u compiled (%" G_GUINT64_FORMAT " instructions, %" G_GUINT64_FORMAT " bytes, %.1f s of CPU time), "
           "%u there already, %u stay with the interpreter, %u failed; %.1f s\n", total.kernels, total.compiled, total.instructions,
           total.bytes, total.cpu, total.there, total.refused, total.failed, (double)(g_get_monotonic_time() - start) / 1e6);
    return total.failed ? 1 : 0;
}
