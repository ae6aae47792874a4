/* SPDX-License-Identifier: Apache-2.0 */
/* Finished code on disk: a directory a guest identity, a file an entry (code/entry.h), named by its key. Code from here is run, so
 * directories and files must be ours alone; what is not, or is damaged, does not exist. Several processes may use one directory:
 * files appear by rename and are never changed. */
#ifndef VGPU_CODE_CACHE_H
#define VGPU_CODE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "code/entry.h"

struct code_cache;

/* The part of the cache that belongs to 'identity' (a file name), below VGPU_CACHE or XDG_CACHE_HOME; made when it is missing and
 * 'make' is set. NULL when it cannot be used: *why says why, to be freed; NULL there when there simply is none. */
struct code_cache *code_cache_open(const char *identity, bool make, char **why);
void code_cache_free(struct code_cache *c);

/* The identity that every guest may read, and only vgpu precompile writes. */
#define CODE_CACHE_SHARED "shared"

/* The entry as a sealed memory file, or -1. A damaged file is removed. */
int code_cache_find(struct code_cache *c, const uint8_t key[CODE_KEY_SIZE]);
bool code_cache_has(struct code_cache *c, const uint8_t key[CODE_KEY_SIZE]);
/* Keep an entry that a sealed memory file holds. False with errno (EINVAL: it is none). When the directory has grown beyond
 * its bound (VGPU_CODE_CACHE_MB, default 512), what has not been used for longest goes. */
bool code_cache_store(struct code_cache *c, const uint8_t key[CODE_KEY_SIZE], int fd);

#endif
