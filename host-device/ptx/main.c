/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-ptx: look into device code with the executor's own front end. A FILE is PTX text, a fatbin, or an ELF file (program or
 * library) with a section .nv_fatbin.
 *
 *   vgpu-ptx [--sm N] check FILE...         parse and check every function; says what is refused and counts
 *   vgpu-ptx [--sm N] dump FILE [FUNCTION]  print the IR
 *   vgpu-ptx [--sm N] list FILE...          print the images and their functions
 *
 * --sm N: only PTX of this architecture. Exit status: 0, 1 when something was refused, 2 for wrong usage. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ptx/fatbin.h"

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

/* Containers stand one behind the other, aligned to 8 bytes. */
static void visit_section(const char *name, const uint8_t *p, size_t n, visit *v)
{
    struct vg_fatbin_walk w;
    char label[LABEL];
    unsigned count = 0;

    for (size_t at = 0; at + 16 <= n;) {
        if (!vg_fatbin_begin(&w, p + at, n - at)) {
            at += 8;
            continue;
        }
        snprintf(label, sizeof label, "%s[%u]", name, count++);
        visit_container(label, p + at, w.end - (p + at), v);
        at = ((size_t)(w.end - p) + 7) & ~(size_t)7;
    }
}

static bool visit_elf(const char *name, const uint8_t *p, size_t n, visit *v)
{
    Elf64_Ehdr eh;
    Elf64_Shdr sh, strings;
    bool found = false;

    if (n < sizeof eh)
        return false;
    memcpy(&eh, p, sizeof eh);
    if (eh.e_shentsize != sizeof sh || eh.e_shoff > n || (uint64_t)eh.e_shnum * sizeof sh > n - eh.e_shoff ||
        eh.e_shstrndx >= eh.e_shnum)
        return false;
    memcpy(&strings, p + eh.e_shoff + eh.e_shstrndx * sizeof sh, sizeof sh);
    if (strings.sh_offset > n || strings.sh_size > n - strings.sh_offset)
        return false;
    for (unsigned i = 0; i < eh.e_shnum; i++) {
        static const char want[] = ".nv_fatbin";

        memcpy(&sh, p + eh.e_shoff + i * sizeof sh, sizeof sh);
        if (sh.sh_name > strings.sh_size || strings.sh_size - sh.sh_name < sizeof want ||
            memcmp(p + strings.sh_offset + sh.sh_name, want, sizeof want) || sh.sh_offset > n || sh.sh_size > n - sh.sh_offset)
            continue;
        visit_section(name, p + sh.sh_offset, sh.sh_size, v);
        found = true;
    }
    return found;
}

static bool visit_file(const char *path, visit *v)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t *p;
    bool known = true;

    if (fd < 0 || fstat(fd, &st) || !st.st_size) {
        fprintf(stderr, "vgpu-ptx: %s: %s\n", path, fd < 0 ? strerror(errno) : "empty");
        if (fd >= 0)
            close(fd);
        return false;
    }
    p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED) {
        fprintf(stderr, "vgpu-ptx: %s: %s\n", path, strerror(errno));
        return false;
    }
    switch (vg_image_kind(p, st.st_size)) {
    case VG_IMAGE_FATBIN:
        visit_section(path, p, st.st_size, v);
        break;
    case VG_IMAGE_ELF:
        known = visit_elf(path, p, st.st_size, v);
        break;
    case VG_IMAGE_PTX:
        visit_text(path, (const char *)p, st.st_size, v);
        break;
    default:
        known = false;
    }
    if (!known)
        fprintf(stderr, "vgpu-ptx: %s: neither PTX nor a fatbin nor an ELF file with a section .nv_fatbin\n", path);
    munmap(p, st.st_size);
    return known;
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
        good &= visit_file(argv[i], v);
    if (v == check_module)
        printf("%lu images, %" PRIu64 " bytes, %lu entries, %lu functions, %lu instructions, %lu refused\n", total.images,
               total.bytes, total.entries, total.functions, total.instructions, total.refused);
    return good && !total.refused ? 0 : 1;
}
