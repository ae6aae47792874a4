/* SPDX-License-Identifier: Apache-2.0 */
#include "ptx/images.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ptx/fatbin.h"

#define LABEL 4096 /* room for a path with what stands behind it */

/* Containers stand one behind the other, aligned to 8 bytes. */
static void visit_section(const char *name, const uint8_t *p, size_t n, const struct ptx_image_visitor *v)
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
        v->container(v->arg, label, p + at, (size_t)(w.end - (p + at)));
        at = ((size_t)(w.end - p) + 7) & ~(size_t)7;
    }
}

static bool visit_elf(const char *name, const uint8_t *p, size_t n, const struct ptx_image_visitor *v)
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

bool ptx_images_visit(const char *program, const char *path, const struct ptx_image_visitor *v)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t *p;
    bool known = true;

    if (fd < 0 || fstat(fd, &st) || !st.st_size) {
        fprintf(stderr, "%s: %s: %s\n", program, path, fd < 0 ? strerror(errno) : "empty");
        if (fd >= 0)
            close(fd);
        return false;
    }
    p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED) {
        fprintf(stderr, "%s: %s: %s\n", program, path, strerror(errno));
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
        v->text(v->arg, path, (const char *)p, st.st_size);
        break;
    default:
        known = false;
    }
    if (!known)
        fprintf(stderr, "%s: %s: neither PTX nor a fatbin nor an ELF file with a section .nv_fatbin\n", program, path);
    munmap(p, st.st_size);
    return known;
}
