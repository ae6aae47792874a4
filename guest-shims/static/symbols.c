/* SPDX-License-Identifier: Apache-2.0 */
#include "static/symbols.h"

#include <string.h>
#include <sys/mman.h>

const void *vgpu_symbols_part(const struct vgpu_symbols *symbols, uint64_t offset, uint64_t size)
{
    return offset <= symbols->size && size <= symbols->size - offset ? symbols->file + offset : NULL;
}

static bool find_table(struct vgpu_symbols *symbols)
{
    const Elf64_Ehdr *head = vgpu_symbols_part(symbols, 0, sizeof *head);
    const Elf64_Shdr *sections, *table = NULL, *strings;

    if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) || head->e_ident[EI_CLASS] != ELFCLASS64 ||
        head->e_machine != EM_X86_64 || head->e_shentsize != sizeof *sections || head->e_shoff % 8)
        return false;
    sections = vgpu_symbols_part(symbols, head->e_shoff, (uint64_t)head->e_shnum * sizeof *sections);
    for (unsigned i = 0; sections && i < head->e_shnum; i++)
        if (sections[i].sh_type == SHT_SYMTAB || (sections[i].sh_type == SHT_DYNSYM && !table))
            table = &sections[i];
    if (!table || table->sh_link >= head->e_shnum || table->sh_offset % 8)
        return false;
    strings = &sections[table->sh_link];
    symbols->table = vgpu_symbols_part(symbols, table->sh_offset, table->sh_size);
    symbols->count = table->sh_size / sizeof *symbols->table;
    symbols->names = vgpu_symbols_part(symbols, strings->sh_offset, strings->sh_size);
    symbols->names_size = strings->sh_size;
    return symbols->table && symbols->names && symbols->names_size && !symbols->names[symbols->names_size - 1];
}

bool vgpu_symbols_open(struct vgpu_symbols *symbols, int fd, size_t size)
{
    void *file = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

    *symbols = (struct vgpu_symbols){.file = file, .size = size};
    if (file == MAP_FAILED)
        return false;
    if (!find_table(symbols)) {
        vgpu_symbols_close(symbols);
        return false;
    }
    return true;
}

void vgpu_symbols_close(struct vgpu_symbols *symbols)
{
    munmap((void *)symbols->file, symbols->size);
}

const char *vgpu_symbols_runtime(const struct vgpu_symbols *symbols, size_t i)
{
    const Elf64_Sym *s = &symbols->table[i];
    const char *name;

    if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || s->st_shndx == SHN_UNDEF || s->st_name >= symbols->names_size)
        return NULL;
    name = symbols->names + s->st_name;
    return !strncmp(name, "cuda", 4) || !strncmp(name, "__cuda", 6) ? name : NULL;
}

bool vgpu_symbols_find(const struct vgpu_symbols *symbols, const char *wanted)
{
    for (size_t i = 0; i < symbols->count; i++) {
        const char *name = vgpu_symbols_runtime(symbols, i);

        if (name && !strcmp(name, wanted))
            return true;
    }
    return false;
}
