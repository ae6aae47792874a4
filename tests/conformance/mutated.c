/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of a corpus with words exchanged and bits flipped, straight through front end and interpreter: refused, run, or ended by a
 * fault; the program lives.
 *
 *   mutated DIR [ROUNDS [FIRST]]
 *
 * TAP: one line a family. What does not end by itself is cancelled after a while. */
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "interp/interp.h"
#include "interp/window.h"
#include "tap.h"

#define IN_ADDRESS (VGPU_HEAP_BASE)
#define OUT_ADDRESS (VGPU_HEAP_BASE + 64 * VGPU_MIB)
#define DATA_ADDRESS (VGPU_HEAP_BASE + 128 * VGPU_MIB)
#define REGION (64 * VGPU_MIB)

enum { PATIENCE = 200000 /* microseconds */, WORDS_MAX = 1 << 18 };
static const char separators[] = " ,;:\n\t()[]{}+";

static const struct vg_binding binding = {DATA_ADDRESS, DATA_ADDRESS + REGION};
static struct interp_worker *worker;
static volatile uint32_t cancel;
static struct {
    unsigned ran, faults, refused;
} seen;

static void give_up(int signal)
{
    (void)signal;
    cancel = 1;
}

static uint64_t random_bits(uint64_t *x)
{
    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return *x * 0x2545f4914f6cdd1d;
}

/* ---- Mutation ---- */

struct text {
    char *bytes;
    size_t size, room;
};

static struct {
    const char *at;
    size_t n;
} words[WORDS_MAX];
static size_t n_words;

static void collect_words(const char *text)
{
    n_words = 0;
    for (const char *p = text; *p && n_words < WORDS_MAX;) {
        size_t n = strcspn(p, separators);

        if (n) {
            words[n_words].at = p;
            words[n_words++].n = n;
        }
        p += n + (p[n] != 0);
    }
}

/* Put another word of the text where the one at 'at' is. */
static void replace_word(struct text *t, size_t at, size_t with)
{
    size_t start = at, end = at, n = words[with].n;

    while (start && !strchr(separators, t->bytes[start - 1]))
        start--;
    while (end < t->size && !strchr(separators, t->bytes[end]))
        end++;
    if (t->size - (end - start) + n >= t->room)
        return;
    memmove(t->bytes + start + n, t->bytes + end, t->size - end + 1);
    memcpy(t->bytes + start, words[with].at, n);
    t->size += n - (end - start);
}

static void mutate(struct text *t, uint64_t seed)
{
    uint64_t x = 0x9e3779b97f4a7c15 * (seed + 1);

    for (uint64_t k = 0; k <= seed % 6; k++) {
        size_t at = random_bits(&x) % t->size;

        if (random_bits(&x) % 3)
            replace_word(t, at, random_bits(&x) % n_words);
        else
            t->bytes[at] ^= (char)(1 << random_bits(&x) % 7);
    }
}

/* ---- Running ---- */

static void run_entry(struct ptx_module *m, struct ptx_function *f)
{
    uint64_t params[16] = {IN_ADDRESS, OUT_ADDRESS};
    struct vg_launch l = {.grid = {2, 1, 1}, .block = {64, 1, 1}, .cluster = {1, 1, 1}, .params = params, .param_size = f->param_size,
                          .sm_count = 132, .cancel = &cancel};
    struct itimerval patience = {.it_value = {0, PATIENCE}}, none = {0};
    struct interp_grid grid = {.n_workers = 1};
    struct ptx_error err = {0};
    struct interp_kernel *k;

    if (f->param_size > sizeof params || !ptx_function_close(m, f, &err) || !(k = interp_kernel_new(m, f, &binding, &err))) {
        seen.refused++;
        return;
    }
    cancel = 0;
    setitimer(ITIMER_REAL, &patience, NULL);
    seen.ran++;
    seen.faults += !interp_run(worker, k, &l, &grid);
    setitimer(ITIMER_REAL, &none, NULL);
    interp_kernel_free(k);
}

static void run_text(const struct text *t)
{
    struct ptx_error err = {0};
    struct ptx_module *m = ptx_module_open(t->bytes, t->size, &err);

    if (!m || m->data_size > REGION) {
        seen.refused++;
    } else {
        vg_image_fill(m, &binding, (void *)DATA_ADDRESS);
        for (uint32_t i = 0; i < m->nfunctions; i++)
            if (m->functions[i].is_entry)
                run_entry(m, &m->functions[i]);
    }
    if (m)
        ptx_module_close(m);
}

static void run_family(const char *dir, const char *family, uint64_t first, uint64_t rounds)
{
    char path[4096];
    struct text t = {0};
    char *whole = NULL;
    long n = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/ptx/%s.ptx", dir, family);
    f = fopen(path, "rb");
    if (f && !fseek(f, 0, SEEK_END) && (n = ftell(f)) > 0 && (whole = calloc(1, (size_t)n + 1))) {
        rewind(f);
        t.size = fread(whole, 1, (size_t)n, f);
    }
    if (f)
        fclose(f);
    t.room = t.size + 4096;
    t.bytes = malloc(t.room);
    memset(&seen, 0, sizeof seen);
    if (t.bytes && t.size) {
        collect_words(whole);
        for (uint64_t seed = first; seed < first + rounds; seed++) {
            t.size = (size_t)n;
            memcpy(t.bytes, whole, t.size + 1);
            mutate(&t, seed);
            run_text(&t);
        }
    }
    ok(seen.ran, "%s: %u kernels ran, %u of them into a fault; %u refused", family, seen.ran, seen.faults, seen.refused);
    free(t.bytes);
    free(whole);
}

int main(int argc, char **argv)
{
    char path[4096], line[1024], family[64] = "", last[64] = "";
    FILE *index;

    if (argc < 2)
        return 2;
    snprintf(path, sizeof path, "%s/index.tsv", argv[1]);
    index = fopen(path, "r");
    if (!index || !window_map(IN_ADDRESS, REGION, -1, 0) || !window_map(OUT_ADDRESS, REGION, -1, 0) ||
        !window_map(DATA_ADDRESS, REGION, -1, 0) || !(worker = interp_worker_new(0))) {
        printf("Bail out! no corpus in %s, or no device window\n", argv[1]);
        return 2;
    }
    signal(SIGALRM, give_up);
    while (fgets(line, sizeof line, index))
        if (line[0] != '#' && sscanf(line, "%63[^\t]", family) == 1 && strcmp(family, last)) {
            strcpy(last, family);
            run_family(argv[1], family, argc > 3 ? strtoull(argv[3], NULL, 0) : 0, argc > 2 ? strtoull(argv[2], NULL, 0) : 20);
        }
    fclose(index);
    interp_worker_free(worker);
    return tap_done();
}
