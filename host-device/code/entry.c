/* SPDX-License-Identifier: Apache-2.0 */
#include "code/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

_Static_assert(sizeof(struct code_entry) <= CODE_OFFSET, "the head fits its page");

/* Each step is reversible, so one changed word always changes the sum. */
static void mix(uint64_t sum[4], const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t words[4];

    for (; n; p += MIN(n, sizeof words), n -= MIN(n, sizeof words)) {
        memset(words, 0, sizeof words);
        memcpy(words, p, MIN(n, sizeof words));
        for (int i = 0; i < 4; i++) {
            sum[i] = (sum[i] ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
            sum[i] = sum[i] << 29 | sum[i] >> 35;
        }
    }
}

void code_entry_sum(const struct code_entry *e, const void *code, uint64_t sum[4])
{
    struct code_entry head = *e;

    memset(head.sum, 0, sizeof head.sum);
    for (int i = 0; i < 4; i++)
        sum[i] = (uint64_t)i + 1;
    mix(sum, &head, sizeof head);
    mix(sum, code, e->size);
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
    uint64_t sum[4];

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

bool code_write(int fd, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t m = write(fd, (const char *)bytes + done, n - done);

        if (m < 0 && errno == EINTR)
            continue;
        if (m <= 0)
            return false;
        done += (size_t)m;
    }
    return true;
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
    off_t n = lseek(fd, 0, SEEK_END); /* fstat() names a path, which an executor's sandbox does not let it */
    void *page;

    if (seals < 0 || (seals & SEALS) != SEALS || n < (off_t)CODE_OFFSET)
        return false;
    page = mmap(NULL, CODE_OFFSET, PROT_READ, MAP_PRIVATE, fd, 0);
    if (page == MAP_FAILED)
        return false;
    memcpy(e, page, sizeof *e);
    munmap(page, CODE_OFFSET);
    return code_entry_plausible(e, (uint64_t)n, key);
}

void *code_entry_map(int fd, const struct code_entry *e)
{
    void *at = mmap(NULL, e->size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, CODE_OFFSET);

    return at == MAP_FAILED ? NULL : at;
}
