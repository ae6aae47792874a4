/* SPDX-License-Identifier: Apache-2.0 */
/* spoil DAMAGE IN OUT: copies a shared library with one of the mistakes that builds of such libraries were shipped with.
 *
 *   no-soname      as if linked without -soname
 *   version-node   as if its version script named the node wrongly: libcudart.so.12 becomes cudart.so.12
 *
 * For little-endian ELF64, at build time: the library is our own and whole. */
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *image;
static size_t size;

static void *at(uint64_t offset, uint64_t n)
{
    if (offset > size || n > size - offset) {
        fprintf(stderr, "spoil: the file is cut short\n");
        exit(1);
    }
    return image + offset;
}

/* The first section of that type; NULL when there is none. */
static Elf64_Shdr *section(uint32_t type)
{
    Elf64_Ehdr *header = at(0, sizeof(*header));

    for (unsigned i = 0; i < header->e_shnum; i++) {
        Elf64_Shdr *s = at(header->e_shoff + i * sizeof(*s), sizeof(*s));

        if (s->sh_type == type)
            return s;
    }
    return NULL;
}

/* Takes the entry out; those behind it move up, and DT_NULL fills the end. */
static bool no_soname(void)
{
    Elf64_Shdr *dynamic = section(SHT_DYNAMIC);
    Elf64_Dyn *d = dynamic ? at(dynamic->sh_offset, dynamic->sh_size) : NULL;
    size_t n = dynamic ? dynamic->sh_size / sizeof(*d) : 0;

    for (size_t i = 0; i < n; i++)
        if (d[i].d_tag == DT_SONAME) {
            memmove(d + i, d + i + 1, (n - i - 1) * sizeof(*d));
            return true;
        }
    return false;
}

static uint32_t elf_hash(const char *name)
{
    uint32_t h = 0;

    for (; *name; name++) {
        h = (h << 4) + (unsigned char)*name;
        h ^= (h & 0xf0000000) >> 24;
        h &= 0x0fffffff;
    }
    return h;
}

/* Every node but the base (which is the file's own name) is renamed to its name's tail, which the string table has already. */
static bool version_node(void)
{
    Elf64_Shdr *s = section(SHT_GNU_verdef), *strings;
    Elf64_Ehdr *header = at(0, sizeof(*header));
    uint64_t offset = s ? s->sh_offset : 0;
    bool changed = false;

    if (!s)
        return false;
    strings = at(header->e_shoff + s->sh_link * sizeof(*s), sizeof(*s));
    for (;;) {
        Elf64_Verdef *def = at(offset, sizeof(*def));
        Elf64_Verdaux *aux = at(offset + def->vd_aux, sizeof(*aux));

        if (!(def->vd_flags & VER_FLG_BASE)) {
            const char *name = at(strings->sh_offset + aux->vda_name, 4);

            if (strncmp(name, "lib", 3))
                return false;
            aux->vda_name += 3;
            def->vd_hash = elf_hash(name + 3);
            changed = true;
        }
        if (!def->vd_next)
            return changed;
        offset += def->vd_next;
    }
}

static const struct {
    const char *name;
    bool (*apply)(void);
} damages[] = { { "no-soname", no_soname }, { "version-node", version_node } };

static bool read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    long n;

    if (!f || fseek(f, 0, SEEK_END) || (n = ftell(f)) < (long)sizeof(Elf64_Ehdr))
        return false;
    rewind(f);
    size = (size_t)n;
    image = malloc(size);
    n = image && fread(image, 1, size, f) == size && !memcmp(image, ELFMAG, SELFMAG) && image[EI_CLASS] == ELFCLASS64;
    fclose(f);
    return n;
}

int main(int argc, char **argv)
{
    FILE *out;

    if (argc != 4 || !read_all(argv[2])) {
        fprintf(stderr, "usage: spoil DAMAGE IN OUT, where IN is an ELF library\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
        if (strcmp(damages[i].name, argv[1]))
            continue;
        out = damages[i].apply() ? fopen(argv[3], "wb") : NULL;
        if (!out || fwrite(image, 1, size, out) != size || fclose(out)) {
            fprintf(stderr, "spoil: %s: cannot be done or written\n", argv[1]);
            return 1;
        }
        return 0;
    }
    fprintf(stderr, "spoil: there is no damage '%s'\n", argv[1]);
    return 2;
}
