/* SPDX-License-Identifier: Apache-2.0 */
#include "code/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_MB 512
#define NAME_SIZE (2 * CODE_KEY_SIZE + 1)
#define TEMPORARY ".new-"
#define TEMPORARY_SECONDS 3600 /* older ones were left behind by the dead */

struct code_cache {
    int dir;
    uint64_t bound, bytes; /* 'bytes' is what we know of: other processes write too */
};

/* Ours, and nobody else can write to it. */
static bool is_ours(const struct stat *st)
{
    return (st->st_uid == geteuid() || st->st_uid == 0) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static int open_dir(const char *path, bool make, bool private, char **why)
{
    struct stat st;
    int fd;

    if (make && g_mkdir_with_parents(path, 0700)) {
        *why = g_strdup_printf("%s: %s", path, g_strerror(errno));
        return -1;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        *why = errno == ENOENT ? NULL : g_strdup_printf("%s: %s", path, g_strerror(errno));
        return -1;
    }
    if (!fstat(fd, &st) && is_ours(&st) && !(private && st.st_mode & (S_IRWXG | S_IRWXO)))
        return fd;
    *why = g_strdup_printf("%s: it belongs to another user, or others have access to it", path);
    close(fd);
    return -1;
}

static uint64_t bound_bytes(void)
{
    const char *set = g_getenv("VGPU_CODE_CACHE_MB");
    guint64 mb;

    if (!set || !g_ascii_string_to_unsigned(set, 10, 0, 1 << 20, &mb, NULL))
        mb = DEFAULT_MB;
    return mb << 20;
}

/* ---- Files of the directory, oldest first ---- */

struct file {
    char name[NAME_SIZE];
    struct timespec used;
    uint64_t bytes;
};

static gint by_age(gconstpointer a, gconstpointer b)
{
    const struct file *x = a, *y = b;

    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    return x->used.tv_nsec < y->used.tv_nsec ? -1 : x->used.tv_nsec > y->used.tv_nsec;
}

static GArray *list(struct code_cache *c)
{
    GArray *files = g_array_new(FALSE, FALSE, sizeof(struct file));
    int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    time_t now = time(NULL);

    if (!d && fd >= 0)
        close(fd);
    c->bytes = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct file f = { 0 };
        struct stat st;

        if (fstatat(c->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
            continue;
        if (g_str_has_prefix(e->d_name, TEMPORARY) && st.st_mtime + TEMPORARY_SECONDS < now)
            unlinkat(c->dir, e->d_name, 0);
        if (g_strlcpy(f.name, e->d_name, sizeof f.name) != NAME_SIZE - 1)
            continue;
        f.used = st.st_mtim;
        f.bytes = (uint64_t)st.st_size;
        c->bytes += f.bytes;
        g_array_append_val(files, f);
    }
    if (d)
        closedir(d);
    g_array_sort(files, by_age);
    return files;
}

/* Down to three quarters, so that not every store has to look again. */
static void prune(struct code_cache *c)
{
    g_autoptr(GArray) files = list(c);

    for (guint i = 0; i < files->len && c->bytes > c->bound / 4 * 3; i++) {
        const struct file *f = &g_array_index(files, struct file, i);

        if (!unlinkat(c->dir, f->name, 0) || errno == ENOENT)
            c->bytes -= f->bytes;
    }
}

/* ---- */

struct code_cache *code_cache_open(const char *identity, bool make, char **why)
{
    const char *set = g_getenv("VGPU_CACHE");
    g_autofree char *base = set && *set ? g_strdup(set) : g_build_filename(g_get_user_cache_dir(), "vgpu-stub", NULL);
    g_autofree char *path = g_build_filename(base, "code", identity, NULL);
    struct code_cache *c;
    int dir = open_dir(path, make, strcmp(identity, CODE_CACHE_SHARED), why);

    if (dir < 0)
        return NULL;
    c = g_new0(struct code_cache, 1);
    c->dir = dir;
    c->bound = bound_bytes();
    if (make)
        g_array_free(list(c), TRUE);
    return c;
}

void code_cache_free(struct code_cache *c)
{
    if (!c)
        return;
    close(c->dir);
    g_free(c);
}

static void name_of(const uint8_t key[CODE_KEY_SIZE], char name[NAME_SIZE])
{
    for (int i = 0; i < CODE_KEY_SIZE; i++)
        g_snprintf(name + 2 * i, 3, "%02x", key[i]);
}

/* All of a file's bytes, to be freed; NULL when it is not one to be trusted or no entry can be that large. */
static void *read_file(int fd, size_t *n)
{
    struct stat st;
    uint8_t *bytes;
    size_t done = 0;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !is_ours(&st) || st.st_size > (off_t)CODE_FILE_MAX)
        return NULL;
    bytes = g_malloc((size_t)st.st_size + 1);
    while (done < (size_t)st.st_size) {
        ssize_t m = read(fd, bytes + done, (size_t)st.st_size - done);

        if (m <= 0)
            break;
        done += (size_t)m;
    }
    *n = done;
    return bytes;
}

static int to_memfd(const void *bytes, size_t n)
{
    int fd = code_memfd();

    if (fd >= 0 && code_write(fd, bytes, n) && code_memfd_seal(fd))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* By the clock itself: file systems count in ticks, within which a fast machine uses many. */
static void used_now(int fd)
{
    struct timespec now[2];

    clock_gettime(CLOCK_REALTIME, &now[0]);
    now[1] = now[0];
    futimens(fd, now);
}

int code_cache_find(struct code_cache *c, const uint8_t key[CODE_KEY_SIZE])
{
    char name[NAME_SIZE];
    g_autofree void *bytes = NULL;
    int fd, found = -1;
    size_t n = 0;

    name_of(key, name);
    fd = openat(c->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ELOOP)
            unlinkat(c->dir, name, 0);
        return -1;
    }
    bytes = read_file(fd, &n);
    if (bytes && code_entry_intact(bytes, n, key)) {
        used_now(fd);
        found = to_memfd(bytes, n);
    } else {
        unlinkat(c->dir, name, 0);
    }
    close(fd);
    return found;
}

bool code_cache_has(struct code_cache *c, const uint8_t key[CODE_KEY_SIZE])
{
    int fd = code_cache_find(c, key);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool write_named(struct code_cache *c, const char *name, const void *bytes, size_t n)
{
    g_autofree char *temporary = g_strdup_printf(TEMPORARY "%d-%08x", (int)getpid(), g_random_int());
    int fd = openat(c->dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), error;
    bool good = fd >= 0 && code_write(fd, bytes, n);

    error = errno;
    if (good)
        used_now(fd);
    if (fd >= 0 && close(fd) && good) {
        error = errno;
        good = false;
    }
    if (good && !renameat(c->dir, temporary, c->dir, name))
        return true;
    if (good)
        error = errno;
    if (fd >= 0)
        unlinkat(c->dir, temporary, 0);
    errno = error;
    return false;
}

bool code_cache_store(struct code_cache *c, const uint8_t key[CODE_KEY_SIZE], int fd)
{
    char name[NAME_SIZE];
    struct code_entry e;
    struct stat st;
    void *bytes;
    bool good;

    if (!code_entry_check(fd, key, &e) || fstat(fd, &st))
        return errno = EINVAL, false;
    if ((uint64_t)st.st_size > c->bound)
        return errno = EFBIG, false;
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return false;
    name_of(key, name);
    good = code_entry_intact(bytes, (size_t)st.st_size, key);
    errno = EINVAL;
    good = good && write_named(c, name, bytes, (size_t)st.st_size);
    munmap(bytes, (size_t)st.st_size);
    if (!good)
        return false;
    c->bytes += (uint64_t)st.st_size;
    if (c->bytes > c->bound)
        prune(c);
    return true;
}
