/* SPDX-License-Identifier: Apache-2.0 */
/* Finished code, as the compiler hands it over in a sealed memory file and as the cache keeps it on disk: a page that says what it
 * is, then the code, which needs no relocation. A kernel that stays with the interpreter has an entry without code, so that
 * nobody asks again. */
#ifndef VGPU_CODE_ENTRY_H
#define VGPU_CODE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "code/request.h"

#define CODE_MAGIC "vgpucode"
#define CODE_OFFSET 4096u       /* where code starts */
#define CODE_MAX (64u << 20)    /* bytes of it */
#define CODE_FILE_MAX ((uint64_t)CODE_OFFSET + CODE_MAX)

enum code_status { CODE_READY = 1, CODE_REFUSED };

struct code_entry {
    char magic[8];
    uint64_t sum[4];            /* checksum of this struct with the field zero, then the code */
    uint8_t key[CODE_KEY_SIZE]; /* of the request */
    uint32_t status;
    uint32_t instructions, operations, milliseconds;
    uint64_t size;              /* of the code, bytes; 0 when refused */
    char why[256];              /* refused: the reason */
};

/* The checksum of entry and code. It finds damage; whom to trust is decided by who may write where. */
void code_entry_sum(const struct code_entry *e, const void *code, uint64_t sum[4]);
/* What n bytes say is an entry for this key: everything but the checksum. */
bool code_entry_plausible(const struct code_entry *e, uint64_t n, const uint8_t key[CODE_KEY_SIZE]);
/* And the checksum: n bytes of a whole file. */
bool code_entry_intact(const void *file, size_t n, const uint8_t key[CODE_KEY_SIZE]);

/* All n bytes, or false with errno. */
bool code_write(int fd, const void *bytes, size_t n);
/* A memory file: writable, then sealed against any change. -1 and false with errno. */
int code_memfd(void);
bool code_memfd_seal(int fd);

/* A memory file from another process is sealed, and an entry for this key: *e is its head. */
bool code_entry_check(int fd, const uint8_t key[CODE_KEY_SIZE], struct code_entry *e);
/* Its code, e->size bytes mapped read-execute, after that check; NULL with errno. */
void *code_entry_map(int fd, const struct code_entry *e);

#endif
