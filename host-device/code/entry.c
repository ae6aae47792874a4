/* SPDX-License-Identifier: Apache-2.0 */
#include "code/entry.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

_Static_assert(sizeof(struct code_entry) <= CODE_OFFSET, "the head fits its page");

void code_entry_sum(const struct code_entry *e, const void *code, uint8_t sum[32])
{
    GChecksum *c = g_checksum_new(G_CHECKSUM_SHA256);
    struct code_entry head = *e;
    gsize size = 32;

    memset(head.sum, 0, sizeof head.sum);
    g_checksum_update(c, (const guchar *)&head, sizeof head);
    g_checksum_update(c, code, (gssize)e->size);
    g_checksum_get_digest(c, sum, &size);
    g_checksum_free(c);
}

bool code_entry_plausible(const struct code_entry *e, uint64_t n, const uint8_t key[CODE_KEY_SIZE])
{
    return n >= CODE_OFFSET && n <= CODE_FILE_MAX && !memcmp(e->magic, CODE_MAGIC, sizeof e->magic) &&
           !memcmp(e->key, key, CODE_KEY_SIZE) && e->size == n - CODE_OFFSET && memchr(e->why, 0, sizeof e->why) &&
           (e->status == CODE_READY ? e->size > 0 : e->status == CODE_REFUSED && !e->size);
}

bool code_entry_intact(const void *file, size_t n, const uint8_t key[CODE_KEY_SIZE])
{
    struct code_entry e;
    uint8_t sum[32];

    if (n < CODE_OFFSET)
        return false;
    memcpy(&e, file, sizeof e);
    if (!code_entry_plausible(&e, n, key))
        return false;
    for (size_t i = sizeof e; i < CODE_OFFSET; i++)
        if (((const uint8_t *)file)[i])
            return false;
    code_entry_sum(&e, (const char *)file + CODE_OFFSET, sum);
    return !memcmp(sum, e.sum, sizeof sum);
}

int code_memfd(void)
{
    return memfd_create("vgpu-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

bool code_memfd_seal(int fd)
{
    return !fcntl(fd, F_ADD_SEALS, SEALS);
}

bool code_entry_check(int fd, const uint8_t key[CODE_KEY_SIZE], struct code_entry *e)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    void *page;

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) || st.st_size < (off_t)CODE_OFFSET)
        return false;
    page = mmap(NULL, CODE_OFFSET, PROT_READ, MAP_PRIVATE, fd, 0);
    if (page == MAP_FAILED)
        return false;
    memcpy(e, page, sizeof *e);
    munmap(page, CODE_OFFSET);
    return code_entry_plausible(e, (uint64_t)st.st_size, key);
}

void *code_entry_map(int fd, const struct code_entry *e)
{
    void *at = mmap(NULL, e->size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, CODE_OFFSET);

    return at == MAP_FAILED ? NULL : at;
}
