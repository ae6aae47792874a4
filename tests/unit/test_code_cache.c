/* SPDX-License-Identifier: Apache-2.0 */
/* Finished code at rest: what is not exactly an entry for the key asked for is no code, and goes; the directory's bound; who may own
 * what; several processes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "code/cache.h"
#include "tap.h"

static char root[] = "/tmp/vgpu-code-XXXXXX";

static void make_key(uint8_t key[CODE_KEY_SIZE], unsigned n)
{
    memset(key, 0x5a, CODE_KEY_SIZE);
    memcpy(key, &n, sizeof n);
}

static int put(const void *bytes, size_t n, bool seal)
{
    int fd = code_memfd();

    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || (seal && !code_memfd_seal(fd)))
        abort();
    return fd;
}

/* A whole entry's bytes, to be freed. */
static uint8_t *make_entry(unsigned n, size_t size, size_t *total)
{
    uint8_t *bytes = calloc(1, CODE_OFFSET + size);
    struct code_entry *e = (struct code_entry *)bytes;

    memcpy(e->magic, CODE_MAGIC, sizeof e->magic);
    make_key(e->key, n);
    e->status = size ? CODE_READY : CODE_REFUSED;
    e->size = size;
    for (size_t i = 0; i < size; i++)
        bytes[CODE_OFFSET + i] = (uint8_t)(i * 7 + n);
    code_entry_sum(e, bytes + CODE_OFFSET, e->sum);
    *total = CODE_OFFSET + size;
    return bytes;
}

static bool store(struct code_cache *c, unsigned n, size_t size)
{
    size_t total;
    uint8_t *bytes = make_entry(n, size, &total), key[CODE_KEY_SIZE];
    int fd = put(bytes, total, true);
    bool good;

    make_key(key, n);
    good = code_cache_store(c, key, fd);
    close(fd);
    free(bytes);
    return good;
}

static bool has(struct code_cache *c, unsigned n)
{
    uint8_t key[CODE_KEY_SIZE];

    make_key(key, n);
    return code_cache_has(c, key);
}

static char *path_of(const char *identity, unsigned n)
{
    GString *s = g_string_new(NULL);
    uint8_t key[CODE_KEY_SIZE];

    make_key(key, n);
    g_string_printf(s, "%s/code/%s/", root, identity);
    for (int i = 0; i < CODE_KEY_SIZE; i++)
        g_string_append_printf(s, "%02x", key[i]);
    return g_string_free(s, FALSE);
}

/* ---- What comes from another process ---- */

static bool takes(const uint8_t *bytes, size_t n, bool seal)
{
    uint8_t key[CODE_KEY_SIZE];
    struct code_entry e;
    int fd = put(bytes, n, seal);
    bool good;

    make_key(key, 1);
    good = code_entry_check(fd, key, &e);
    close(fd);
    return good;
}

static void strangers(void)
{
    size_t n;
    uint8_t *bytes = make_entry(1, 5000, &n), *more = calloc(1, n + 1);
    struct code_entry *e = (struct code_entry *)bytes, was = *e;
    int file = open("/dev/null", O_RDONLY), pipe_ends[2];
    uint8_t key[CODE_KEY_SIZE];

    ok(takes(bytes, n, true), "an entry is taken");
    ok(!takes(bytes, n, false), "not one that can still change");
    ok(!takes(bytes, n - 1, true), "not one whose code is cut");
    memcpy(more, bytes, n);
    ok(!takes(more, n + 1, true), "nor one with more behind it");
    ok(!takes(bytes, 100, true) && !takes(bytes, 0, true), "nor less than a page");
    e->size = UINT64_MAX - CODE_OFFSET + 1;
    ok(!takes(bytes, n, true), "code larger than any file");
    e->size = 1 << 20;
    ok(!takes(bytes, n, true), "code larger than this file");
    *e = was;
    e->key[31] ^= 1;
    ok(!takes(bytes, n, true), "another kernel's");
    *e = was;
    e->status = 7;
    ok(!takes(bytes, n, true), "an unknown status");
    e->status = CODE_REFUSED;
    ok(!takes(bytes, n, true), "a refusal with code");
    *e = was;
    memset(e->why, 'x', sizeof e->why);
    ok(!takes(bytes, n, true), "a reason without an end");
    *e = was;
    e->magic[0] ^= 1;
    ok(!takes(bytes, n, true), "something else");
    make_key(key, 1);
    ok(file >= 0 && !code_entry_check(file, key, e) && !pipe(pipe_ends) && !code_entry_check(pipe_ends[0], key, e), "no memory file at all");
    free(bytes);
    free(more);
}

/* ---- Files ---- */

/* Store entry 1, have 'spoil' change its file, and see that it is gone for good. */
static void spoiled(struct code_cache *c, const char *identity, void (*spoil)(const char *path), const char *what)
{
    g_autofree char *path = path_of(identity, 1);
    bool good = store(c, 1, 9000) && has(c, 1);

    spoil(path);
    ok(good && !has(c, 1) && access(path, F_OK), "%s: no code, and removed", what);
    ok(store(c, 1, 9000) && has(c, 1), "and made anew");
}

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t b;

    if (pread(fd, &b, 1, at) == 1) {
        b ^= 0x10;
        if (pwrite(fd, &b, 1, at) != 1)
            abort();
    }
    close(fd);
}

static void flip_code(const char *path)
{
    flip(path, CODE_OFFSET + 4321);
}

static void flip_head(const char *path)
{
    flip(path, offsetof(struct code_entry, instructions));
}

static void flip_sum(const char *path)
{
    flip(path, offsetof(struct code_entry, sum));
}

static void cut(const char *path)
{
    if (truncate(path, 5000))
        abort();
}

static void empty(const char *path)
{
    if (truncate(path, 0))
        abort();
}

static void lengthen(const char *path)
{
    if (truncate(path, 1 << 20))
        abort();
}

static void exchange(const char *path)
{
    g_autofree char *other = path_of("a", 2);

    if (rename(other, path))
        abort();
}

static void open_to_all(const char *path)
{
    chmod(path, 0666);
}

static void give_away(const char *path)
{
    if (chown(path, 65534, 65534))
        abort();
}

static void link_elsewhere(const char *path)
{
    g_autofree char *other = path_of("a", 3);

    unlink(path);
    if (symlink(other, path))
        abort();
}

static void make_fifo(const char *path)
{
    unlink(path);
    if (mkfifo(path, 0600))
        abort();
}

static void damage(struct code_cache *c)
{
    spoiled(c, "a", flip_code, "a bit of the code has changed");
    spoiled(c, "a", flip_head, "a bit of the head has");
    spoiled(c, "a", flip_sum, "a bit of the checksum has");
    spoiled(c, "a", cut, "cut off");
    spoiled(c, "a", empty, "empty");
    spoiled(c, "a", lengthen, "too long");
    store(c, 2, 9000);
    spoiled(c, "a", exchange, "another entry under this name");
    spoiled(c, "a", open_to_all, "writable for others");
    if (!geteuid())
        spoiled(c, "a", give_away, "another user's");
    store(c, 3, 9000);
    spoiled(c, "a", link_elsewhere, "a link");
    spoiled(c, "a", make_fifo, "a pipe");
}

static void random_damage(struct code_cache *c)
{
    g_autofree char *path = path_of("a", 1);
    unsigned survived = 0;

    srand(4711);
    for (int i = 0; i < 200; i++) {
        store(c, 1, 3000);
        flip(path, rand() % (CODE_OFFSET + 3000));
        survived += has(c, 1);
        unlink(path);
    }
    is_u64(survived, 0, "one changed bit anywhere");
}

/* ---- Directories ---- */

static void directories(void)
{
    g_autofree char *dir = g_strdup_printf("%s/code/open", root), *why = NULL, *none = NULL;
    struct code_cache *a = code_cache_open("a", true, &why), *b = code_cache_open("b", true, &why), *c;

    store(a, 50, 100);
    ok(has(a, 50) && !has(b, 50), "identities do not share");
    ok(!code_cache_open("absent", false, &none) && !none, "a directory that is not there is no error");
    g_mkdir_with_parents(dir, 0755);
    chmod(dir, 0755);
    ok(!code_cache_open("open", true, &why) && why, "one that others can look into is refused");
    chmod(dir, 0700);
    ok((c = code_cache_open("open", true, &why)) != NULL, "it is used once it is private");
    code_cache_free(a);
    code_cache_free(b);
    code_cache_free(c);
}

static void bound(void)
{
    g_autofree char *why = NULL, *first = path_of("bounded", 1), *left = g_strdup_printf("%s/code/bounded/.new-1-2", root);
    struct timespec old[2] = {{1000000, 0}, {1000000, 0}};
    struct code_cache *c;
    uint64_t bytes = 0;
    unsigned there = 0;

    setenv("VGPU_CODE_CACHE_MB", "1", 1);
    c = code_cache_open("bounded", true, &why);
    for (unsigned i = 1; i <= 3; i++)
        store(c, i, 300 << 10);
    utimensat(AT_FDCWD, first, old, 0);
    close(open(left, O_CREAT | O_WRONLY, 0600));
    utimensat(AT_FDCWD, left, old, 0);
    ok(has(c, 1), "the oldest is used again");
    for (unsigned i = 4; i <= 40; i++) {
        store(c, i, 300 << 10);
        has(c, 1);
    }
    for (unsigned i = 1; i <= 40; i++) {
        g_autofree char *path = path_of("bounded", i);
        struct stat st;

        if (stat(path, &st))
            continue;
        there++;
        bytes += (uint64_t)st.st_size;
    }
    ok(bytes <= 1 << 20 && there >= 2, "%u entries with %" PRIu64 " bytes are left below the bound", there, bytes);
    ok(has(c, 1) && has(c, 40) && !has(c, 4), "what is used stays, what is not goes");
    ok(access(left, F_OK), "what a dead process left goes too");
    ok(!store(c, 99, 2 << 20) && errno == EFBIG, "an entry beyond the bound is not kept");
    code_cache_free(c);
    unsetenv("VGPU_CODE_CACHE_MB");
}

static void together(void)
{
    pid_t children[4];
    unsigned good = 0;

    for (int k = 0; k < 4; k++) {
        children[k] = fork();
        if (!children[k]) {
            g_autofree char *why = NULL;
            struct code_cache *c = code_cache_open("many", true, &why);
            bool all = c;

            for (unsigned i = 0; i < 200 && all; i++)
                all = store(c, i % 20, 20000) && (has(c, i * 7 % 20) || i < 20);
            for (unsigned i = 0; i < 20 && all; i++)
                all = has(c, i);
            _exit(!all);
        }
    }
    for (int k = 0; k < 4; k++) {
        int status;

        waitpid(children[k], &status, 0);
        good += !status;
    }
    is_u64(good, 4, "four processes store and find the same entries");
}

int main(void)
{
    g_autofree char *why = NULL, *clean = NULL;
    struct code_cache *c;

    if (!mkdtemp(root))
        return 2;
    setenv("VGPU_CACHE", root, 1);
    strangers();
    c = code_cache_open("a", true, &why);
    ok(c && store(c, 7, 10000) && has(c, 7) && store(c, 8, 0) && has(c, 8) && !has(c, 9), "code and refusals are kept");
    damage(c);
    random_damage(c);
    code_cache_free(c);
    directories();
    bound();
    together();
    clean = g_strdup_printf("rm -rf %s", root);
    return system(clean) ? 2 : tap_done();
}
