/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the project's own corpus: own_corpus DIR. Prints how many entries it has. */
#include "own.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <sys/stat.h>

static const char *const pool_names[POOL_COUNT] = {"bits", "f32", "f64", "f16x2", "bf16x2", "small"};
static uint64_t pools[POOL_COUNT][THREADS * IN_SLOTS];
static uint64_t want[THREADS * MAX_OUT];
static const char *dir;
static char family[32];
static FILE *ptx, *index_file;
static int entries;

const struct own_format own_f16 = {5, 10, 15, false}, own_bf16 = {8, 7, 127, false}, own_e4m3 = {4, 3, 7, true},
                        own_e5m2 = {5, 2, 15, false};

/* ---- Texts, files, numbers ---- */

static void die(const char *what)
{
    fprintf(stderr, "own_corpus: %s: %s\n", what, strerror(errno));
    exit(1);
}

char *own_text(const char *fmt, ...)
{
    static struct chained {
        struct chained *next;
        char text[];
    } *texts; /* all there are: none is lost */
    struct chained *new;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    new = n < 0 ? NULL : malloc(sizeof *new + (size_t)n + 1);
    if (!new)
        die("memory");
    va_start(ap, fmt);
    vsnprintf(new->text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    new->next = texts;
    texts = new;
    return new->text;
}

static FILE *create(const char *folder, const char *name, const char *suffix)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s%s%s", dir, folder, name, suffix);
    f = fopen(path, "wb");
    if (!f)
        die(path);
    return f;
}

static void finish(FILE *f)
{
    if (f && fclose(f))
        die("cannot write the corpus");
}

static void write_slots(const char *folder, const char *name, const uint64_t *slots, size_t n)
{
    FILE *f = create(folder, name, ".bin");

    if (fwrite(slots, 8, n, f) != n)
        die("cannot write the corpus");
    finish(f);
}

/* xorshift64* */
uint64_t own_random(void)
{
    static uint64_t x = 0x9e3779b97f4a7c15;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    return x * 0x2545f4914f6cdd1d;
}

double own_decode(const struct own_format *f, unsigned code)
{
    unsigned top = (1u << f->exponent) - 1;
    unsigned mantissa = code & ((1u << f->mantissa) - 1), exponent = code >> f->mantissa & top;
    double x;

    if (exponent == top && (!f->finite || mantissa == (1u << f->mantissa) - 1))
        x = f->finite || mantissa ? NAN : INFINITY;
    else if (exponent)
        x = ldexp((double)(mantissa + (1u << f->mantissa)), (int)exponent - f->bias - f->mantissa);
    else
        x = ldexp((double)mantissa, 1 - f->bias - f->mantissa);
    return code >> (f->exponent + f->mantissa) & 1 ? -x : x;
}

unsigned own_encode(const struct own_format *f, double x, bool saturate)
{
    unsigned sign = 1u << (f->exponent + f->mantissa), lo = 0, hi, mid;
    unsigned top = f->finite ? sign - 2 : (((1u << f->exponent) - 1) << f->mantissa) - 1; /* the largest number */
    double y = fabs(x), below, above;

    if (isnan(x))
        return sign - 1;
    sign = signbit(x) ? sign : 0;
    /* The halfway point above the largest number rounds away from it: its code is odd but for e4m3, where it is even. */
    above = 2 * own_decode(f, top) - own_decode(f, top - 1);
    below = (own_decode(f, top) + above) / 2;
    if (y > below || (y == below && (top & 1)))
        return sign | (saturate ? top : f->finite ? top + 1 : top + 1);
    for (hi = top; lo < hi;) {
        mid = (lo + hi + 1) / 2;
        if (own_decode(f, mid) <= y)
            lo = mid;
        else
            hi = mid - 1;
    }
    if (lo == top)
        return sign | top;
    below = y - own_decode(f, lo);
    above = own_decode(f, lo + 1) - y;
    return sign | (above < below || (above == below && (lo & 1)) ? lo + 1 : lo);
}

static uint64_t pool_value(enum own_pool pool, uint64_t random)
{
    double x = ((double)(random >> 20 & 0xffff) - 32768) / 1024; /* +-32 */

    switch (pool) {
    case POOL_F32: return bits_f32((float)x * 1.37f);
    case POOL_F64: return bits_f64(x * 1.00390625 / 3);
    case POOL_F16X2: return own_encode(&own_f16, x, true) | own_encode(&own_f16, x * 0.7 + 1, true) << 16;
    case POOL_BF16X2: return own_encode(&own_bf16, x, true) | own_encode(&own_bf16, x * 0.7 + 1, true) << 16;
    case POOL_SMALL: return random >> 20 & 63;
    default: return random;
    }
}

/* ---- Families and entries ---- */

static const char prologue[] =
    "{\n"
    ".reg .b64 %in, %out, %pi, %po, %a<4>, %o<32>, %d<32>; .reg .b32 %ti, %ci, %nt, %gi, %lane, %warp, %w<4>, %r<64>;\n"
    ".reg .b16 %h<32>; .reg .f32 %f<32>; .reg .f64 %e<16>; .reg .pred %p<16>;\n"
    "ld.param.u64 %in, [pin]; ld.param.u64 %out, [pout]; mov.u32 %ti, %tid.x; mov.u32 %ci, %ctaid.x; mov.u32 %nt, %ntid.x;\n"
    "mad.lo.u32 %gi, %ci, %nt, %ti; and.b32 %lane, %ti, 31; shr.u32 %warp, %ti, 5;\n";

void own_family(const char *name, const char *head)
{
    finish(ptx);
    snprintf(family, sizeof family, "%s", name);
    ptx = create("ptx/", name, ".ptx");
    fprintf(ptx, ".version 8.7\n.target sm_90\n.address_size 64\n%s", head);
}

struct own_entry own_begin(struct own_entry e)
{
    e.nout = e.nout ? e.nout : 1;
    e.block = e.block ? e.block : 64;
    e.i = UINT32_MAX;
    entries++;
    e.in = pools[e.pool];
    e.out = want;
    memset(want, 0, sizeof want);

    fprintf(ptx, "\n%s\n.visible .entry %s(.param .u64 pin, .param .u64 pout)\n%s", e.before ? e.before : "", e.name, prologue);
    fprintf(ptx, "mad.wide.u32 %%pi, %%gi, %d, %%in; mad.wide.u32 %%po, %%gi, %d, %%out;\n", IN_SLOTS * 8, e.nout * 8);
    for (int i = 0; i < IN_SLOTS; i++)
        fprintf(ptx, "ld.global.b64 %%a%d, [%%pi+%d]; cvt.u32.u64 %%w%d, %%a%d;\n", i, 8 * i, i, i);
    for (int i = 0; i < e.nout; i++)
        fprintf(ptx, "mov.b64 %%o%d, 0; ", i);
    fprintf(ptx, "\n%s\n", e.body);
    for (int i = 0; i < e.nout; i++)
        fprintf(ptx, "st.global.b64 [%%po+%d], %%o%d; ", 8 * i, i);
    fprintf(ptx, "\nret;\n}\n");
    return e;
}

/* One type a slot: the entry's list, from its start again where it is too short. */
static void write_types(const struct own_entry *e)
{
    const char *types = e->types ? e->types : "u64", *at = types;

    for (int i = 0; i < e->nout; i++) {
        size_t n = strcspn(at, ",");

        fprintf(index_file, "%s%.*s", i ? "," : "", (int)n, at);
        at = at[n] ? at + n + 1 : types;
    }
}

bool own_next(struct own_entry *e)
{
    if (++e->i == THREADS) {
        write_slots("out/", e->name, want, (size_t)THREADS * (size_t)e->nout);
        fprintf(index_file, "%s\t%s\t%s\t%d\t%d\t", family, e->name, pool_names[e->pool], IN_SLOTS, e->nout);
        write_types(e);
        fprintf(index_file, "\t%d\t%s\n", e->block, e->class ? e->class : "exact");
        return false;
    }
    e->tid = e->i % (unsigned)e->block;
    e->cta = e->i / (unsigned)e->block;
    e->lane = e->tid % 32;
    return true;
}

int main(int argc, char **argv)
{
    static const char *const folders[] = {"", "/ptx", "/in", "/out"};
    static void (*const families[])(void) = {gen_call,    gen_flow,   gen_masks, gen_memory, gen_data,      gen_async,
                                             gen_barrier, gen_atomic, gen_fp8,   gen_mma,    gen_mma_sparse};
    char path[4096];

    if (argc != 2) {
        fprintf(stderr, "usage: own_corpus DIR\n");
        return 2;
    }
    dir = argv[1];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s%s", dir, folders[i]);
        if (mkdir(path, 0777) && errno != EEXIST)
            die(path);
    }
    for (int p = 0; p < POOL_COUNT; p++) {
        for (int i = 0; i < THREADS * IN_SLOTS; i++)
            pools[p][i] = pool_value(p, own_random());
        write_slots("in/", pool_names[p], pools[p], THREADS * IN_SLOTS);
    }
    index_file = create("", "index", ".tsv");
    fprintf(index_file, "#family\tentry\tinput\tnin\tnout\touttypes\tblock\tclass\n");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        families[i]();
    finish(ptx);
    finish(index_file);
    printf("%d\n", entries);
    return 0;
}
