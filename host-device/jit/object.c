/* SPDX-License-Identifier: Apache-2.0 */
/* The small part of linking that one function needs: its code and constants side by side, PC-relative references between them
 * filled in. The object comes from LLVM on a guest's input, so it is read like any foreign file. */
#include "jit/code.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct link {
    const uint8_t *file;
    size_t n;
    const Elf64_Ehdr *head;
    const Elf64_Shdr *sections;
    uint64_t *place;        /* by section: where it lies in the image; UINT64_MAX: nowhere */
    uint8_t *image;
    size_t size;
    char *why;
    size_t why_size;
};
#define NOWHERE UINT64_MAX
#define IMAGE_MAX (64u << 20)

static bool bad(struct link *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool bad(struct link *k, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(k->why, k->why_size, fmt, ap);
    va_end(ap);
    return false;
}

static bool inside(const struct link *k, uint64_t offset, uint64_t n)
{
    return offset <= k->n && n <= k->n - offset;
}

static bool read_head(struct link *k)
{
    k->head = (const Elf64_Ehdr *)k->file;
    if (!inside(k, 0, sizeof *k->head) || memcmp(k->head->e_ident, ELFMAG, SELFMAG) || k->head->e_type != ET_REL ||
        k->head->e_machine != EM_X86_64 || k->head->e_shentsize != sizeof(Elf64_Shdr) || k->head->e_shoff % 8 ||
        !inside(k, k->head->e_shoff, (uint64_t)k->head->e_shnum * sizeof(Elf64_Shdr)))
        return bad(k, "not an x86-64 object");
    k->sections = (const Elf64_Shdr *)(k->file + k->head->e_shoff);
    for (unsigned i = 1; i < k->head->e_shnum; i++)
        if (k->sections[i].sh_type != SHT_NOBITS && !inside(k, k->sections[i].sh_offset, k->sections[i].sh_size))
            return bad(k, "an object's section lies outside it");
    return true;
}

static bool wanted(const Elf64_Shdr *s)
{
    return s->sh_type == SHT_PROGBITS && s->sh_flags & SHF_ALLOC;
}

/* Code first: the image is entered at its start. */
static bool lay_out(struct link *k)
{
    k->place = malloc(k->head->e_shnum * sizeof *k->place);
    if (!k->place)
        return bad(k, "out of memory");
    memset(k->place, 0xff, k->head->e_shnum * sizeof *k->place);
    for (int code = 1; code >= 0; code--)
        for (unsigned i = 1; i < k->head->e_shnum; i++) {
            const Elf64_Shdr *s = &k->sections[i];
            uint64_t align = s->sh_addralign ? s->sh_addralign : 1;

            if (!wanted(s) || !!(s->sh_flags & SHF_EXECINSTR) != code || !s->sh_size)
                continue;
            if (align > 4096 || align & (align - 1) || s->sh_size > IMAGE_MAX)
                return bad(k, "an object's section is too large");
            k->place[i] = (k->size + align - 1) & -align;
            k->size = k->place[i] + s->sh_size;
            if (k->size > IMAGE_MAX)
                return bad(k, "%zu bytes of code", k->size);
        }
    k->image = calloc(1, k->size + 1);
    if (!k->image || !k->size)
        return bad(k, "no code");
    for (unsigned i = 1; i < k->head->e_shnum; i++)
        if (k->place[i] != NOWHERE)
            memcpy(k->image + k->place[i], k->file + k->sections[i].sh_offset, k->sections[i].sh_size);
    return true;
}

static bool relocate(struct link *k, const Elf64_Shdr *target, uint64_t base, const Elf64_Rela *r, const Elf64_Shdr *symbols)
{
    uint64_t index = ELF64_R_SYM(r->r_info), type = ELF64_R_TYPE(r->r_info);
    unsigned n = type == R_X86_64_PC64 ? 8 : 4;
    const Elf64_Sym *s;
    int64_t value;

    if (index >= symbols->sh_size / sizeof *s || r->r_offset > target->sh_size || n > target->sh_size - r->r_offset)
        return bad(k, "a relocation outside its section");
    s = (const Elf64_Sym *)(k->file + symbols->sh_offset) + index;
    if (s->st_shndx == SHN_UNDEF || s->st_shndx >= k->head->e_shnum || k->place[s->st_shndx] == NOWHERE)
        return bad(k, "code that refers to something outside it");
    value = (int64_t)(k->place[s->st_shndx] + s->st_value) + r->r_addend - (int64_t)(base + r->r_offset);
    if (type == R_X86_64_PC64) {
        memcpy(k->image + base + r->r_offset, &value, 8);
    } else if (type == R_X86_64_PC32 || type == R_X86_64_PLT32) {
        int32_t narrow = (int32_t)value;

        memcpy(k->image + base + r->r_offset, &narrow, 4);
    } else {
        return bad(k, "a relocation of type %u", (unsigned)type);
    }
    return true;
}

static bool relocate_all(struct link *k)
{
    for (unsigned i = 1; i < k->head->e_shnum; i++) {
        const Elf64_Shdr *s = &k->sections[i];

        if (s->sh_type != SHT_RELA || s->sh_info >= k->head->e_shnum || k->place[s->sh_info] == NOWHERE)
            continue;
        if (s->sh_link >= k->head->e_shnum || s->sh_offset % 8 || k->sections[s->sh_link].sh_offset % 8)
            return bad(k, "an object without symbols");
        for (uint64_t r = 0; r < s->sh_size / sizeof(Elf64_Rela); r++)
            if (!relocate(k, &k->sections[s->sh_info], k->place[s->sh_info],
                          (const Elf64_Rela *)(k->file + s->sh_offset) + r, &k->sections[s->sh_link]))
                return false;
    }
    return true;
}

void *jit_object_link(const void *object, size_t n, size_t *image_size, char *why, size_t size)
{
    struct link k = {.file = object, .n = n, .why = why, .why_size = size};
    bool good = read_head(&k) && lay_out(&k) && relocate_all(&k);

    *image_size = k.size;
    free(k.place);
    if (good)
        return k.image;
    free(k.image);
    return NULL;
}
