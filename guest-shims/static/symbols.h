/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that an ELF file of this machine's kind names: its symbol table, or the dynamic one where the file was stripped
 * of the other. Nothing in the file is believed that the file's size does not bear out. */
#ifndef VGPU_STATIC_SYMBOLS_H
#define VGPU_STATIC_SYMBOLS_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vgpu_symbols {
    const unsigned char *file;
    size_t size;
    const Elf64_Sym *table;
    size_t count;
    const char *names;
    size_t names_size;
};

/* False: not such a file, or no symbols; nothing to close then. The descriptor is not needed afterwards. */
bool vgpu_symbols_open(struct vgpu_symbols *symbols, int fd, size_t size);
void vgpu_symbols_close(struct vgpu_symbols *symbols);

/* The name of symbol I if it is a function, defined here, that is named as those of the CUDA runtime are; else NULL. */
const char *vgpu_symbols_runtime(const struct vgpu_symbols *symbols, size_t i);
/* Whether there is such a function of that name. */
bool vgpu_symbols_find(const struct vgpu_symbols *symbols, const char *name);

/* SIZE bytes of the file, or NULL where it has not so many at OFFSET. */
const void *vgpu_symbols_part(const struct vgpu_symbols *symbols, uint64_t offset, uint64_t size);

#endif
