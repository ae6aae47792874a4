/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-ptx: look into device code with the executor's own front end. A FILE is PTX text, a fatbin, or an ELF file (program or
 * library) with a section .nv_fatbin.
 *
 *   vgpu-ptx [--sm N] check FILE...         parse and check every function; says what is refused and counts
 *   vgpu-ptx [--sm N] dump FILE [FUNCTION]  print the IR
 *   vgpu-ptx [--sm N] list FILE...          print the images and their functions
 *
 * --sm N: only PTX of this architecture. Exit status: 0, 1 when something was refused, 2 for wrong usage. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx/fatbin.h"
#include "ptx/images.h"

#define LABEL 4096 /* room for a path with what stands behind it */

static uint32_t only_sm;
static const char *only_function;

static struct {
    unsigned long images, entries, functions, instructions, refused;
    uint64_t bytes;
} total;

/* What a command does with a parsed image. */
typedef void visit(const char *name, struct ptx_module *m);

static void refused(const char *name, const char *function, const struct ptx_error *err)
{
    printf("%s: %s%s%s (error %d)\n", name, function, *function ? ": " : "", err->message, err->code);
    total.refused++;
}

static void check_module(const char *name, struct ptx_module *m)
{
    struct ptx_error err;

    for (uint32_t i = 0; i < m->nfunctions; i++) {
        struct ptx_function *f = &m->functions[i];

        if (!f->has_body)
            continue;
        ++*(f->is_entry ? &total.entries : &total.functions);
        if (!ptx_function_close(m, f, &err))
            refused(name, f->name, &err);
        total.instructions += f->ninsns;
    }
}

static void dump_module(const char *name, struct ptx_module *m)
{
    struct ptx_error err;

    for (uint32_t i = 0; i < m->nfunctions; i++) {
        struct ptx_function *f = &m->functions[i];

        if (!f->has_body || (only_function && strcmp(only_function, f->name)))
            continue;
        if (ptx_function_close(m, f, &err))
            ptx_function_print(m, f, stdout);
        else
            refused(name, f->name, &err);
    }
}

static void list_module(const char *name, struct ptx_module *m)
{
    printf("%s: PTX %d.%d for sm_%d%s, data %" PRIu64 " bytes\n", name, m->version_major, m->version_minor, m->target,
           m->target_arch_specific ? "a" : "", m->data_size);
    for (uint32_t i = 0; i < m->nfunctions; i++)
        printf("  %s %s%s, params %u bytes\n", m->functions[i].is_entry ? ".entry" : ".func", m->functions[i].name,
               m->functions[i].has_body ? "" : " (no body)", m->functions[i].param_size);
}

static void visit_text(const char *name, const char *text, size_t size, visit *v)
{
    struct ptx_error err;
    struct ptx_module *m = ptx_module_open(text, size, &err);

    total.images++;
    total.bytes += size;
    if (!m) {
        refused(name, "", &err);
        return;
    }
    v(name, m);
    ptx_module_close(m);
}

static void visit_container(const char *name, const uint8_t *p, size_t n, visit *v)
{
    struct vg_fatbin_walk w;
    struct vg_fatbin_member m;
    struct ptx_error err;
    char label[LABEL + 32];
    size_t size;
    char *text;
    int more;

    vg_fatbin_begin(&w, p, n);
    while ((more = vg_fatbin_next(&w, &m)) > 0) {
        if (v == list_module)
            printf("%s: kind %u sm_%u flags 0x%" PRIx64 ", %zu bytes, %zu unpacked\n", name, m.kind, m.sm, m.flags, m.size,
                   m.unpacked);
        if (m.kind != VG_FATBIN_PTX || (only_sm && m.sm != only_sm))
            continue;
        snprintf(label, sizeof label, "%.*s(sm_%u)", LABEL, name, m.sm);
        text = fatbin_text(&m, &size, &err);
        if (!text) {
            refused(label, "", &err);
            continue;
        }
        visit_text(label, text, size, v);
        free(text);
    }
    if (more < 0) {
        snprintf(err.message, sizeof err.message, "the fatbin is damaged");
        err.code = 200;
        refused(name, "", &err);
    }
}

static void on_container(void *v, const char *label, const uint8_t *p, size_t n)
{
    visit_container(label, p, n, *(visit **)v);
}

static void on_text(void *v, const char *label, const char *text, size_t size)
{
    visit_text(label, text, size, *(visit **)v);
}

static int usage(void)
{
    fputs("usage: vgpu-ptx [--sm N] check FILE...\n"
          "       vgpu-ptx [--sm N] dump FILE [FUNCTION]\n"
          "       vgpu-ptx [--sm N] list FILE...\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"sm", required_argument, NULL, 's'}, {0}};
    bool good = true;
    visit *v;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 's')
            return usage();
        only_sm = strtoul(optarg, NULL, 10);
    }
    argv += optind;
    argc -= optind;
    if (argc < 2)
        return usage();
    if (!strcmp(argv[0], "check")) {
        v = check_module;
    } else if (!strcmp(argv[0], "list")) {
        v = list_module;
    } else if (!strcmp(argv[0], "dump") && argc <= 3) {
        v = dump_module;
        only_function = argv[2];
        argc = 2;
    } else {
        return usage();
    }
    for (int i = 1; i < argc; i++)
        good &= ptx_images_visit("vgpu-ptx", argv[i], &(struct ptx_image_visitor){on_container, on_text, &v});
    if (v == check_module)
        printf("%lu images, %" PRIu64 " bytes, %lu entries, %lu functions, %lu instructions, %lu refused\n", total.images,
               total.bytes, total.entries, total.functions, total.instructions, total.refused);
    return good && !total.refused ? 0 : 1;
}
