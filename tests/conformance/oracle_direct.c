/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance corpus (kernels with the bits that a real GPU wrote) straight through the front end and an engine.
 *
 *   oracle_direct DIR [-f FAMILY] [-e ENTRY] [-i ISA] [-j] [-v]
 *
 * -j: compiled code, for what the compiler takes. DIR holds index.tsv, ptx/FAMILY.ptx, in/POOL.bin and out/ENTRY.bin. TAP: one line an entry (failures only, without -v, then
 * one a family). Exit 0 when nothing failed, 1 otherwise, 2 when it could not run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interp/interp.h"
#include "interp/isa.h"
#include "interp/window.h"
#include "jit/jit.h"
#include "jit/run.h"

enum { THREADS = 512, MAX_TYPES = 32 };
#define IN_ADDRESS (VGPU_HEAP_BASE)
#define OUT_ADDRESS (VGPU_HEAP_BASE + 64 * VGPU_MIB)
#define DATA_ADDRESS (VGPU_HEAP_BASE + 128 * VGPU_MIB)
#define REGION (64 * VGPU_MIB)

static struct {
    const char *dir, *family, *entry;
    bool verbose, compile;
    enum jit_isa isa;
} options;

struct row {
    char family[32], entry[128], pool[64], types[256], class[32];
    int nin, nout, block;
};

static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    long n;

    if (!f)
        return NULL;
    if (!fseek(f, 0, SEEK_END) && (n = ftell(f)) >= 0 && (data = malloc((size_t)n + 1))) {
        rewind(f);
        *size = fread(data, 1, (size_t)n, f);
        data[*size] = 0;
    }
    fclose(f);
    return data;
}

/* ---- Comparison, by the classes of the corpus's README ---- */

/* A slot's element as a number, by its type. */
static double number(const char *type, uint64_t bits)
{
    uint32_t u = (uint32_t)bits;
    double d;
    float f;

    if (!strcmp(type, "f64")) {
        memcpy(&d, &bits, sizeof d);
        return d;
    }
    if (!strncmp(type, "bf16", 4))
        u <<= 16;
    if (!strncmp(type, "f16", 3)) {
        int exponent = u >> 10 & 31, mantissa = u & 1023;

        d = exponent == 31 ? (mantissa ? NAN : INFINITY) : exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
        return u & 0x8000 ? -d : d;
    }
    memcpy(&f, &u, sizeof f);
    return f;
}

/* The distance between neighbouring numbers of the type around x. */
static double ulp(const char *type, double x)
{
    int exponent, precision = !strcmp(type, "f64") ? 53 : !strcmp(type, "f32") ? 24 : !strncmp(type, "bf16", 4) ? 8 : 11;

    if (x == 0 || !isfinite(x))
        return strcmp(type, "f32") ? 0 : ldexp(1, -149);
    frexp(x, &exponent);
    return ldexp(1, exponent - precision);
}

static bool near(const char *class, const char *type, double got, double want, double in)
{
    double error = fabs(got - want);
    bool tiny = fabs(got) + fabs(want) < 1e-37;

    if (isnan(got) && isnan(want))
        return true;
    if (!strcmp(class, "exact") || isnan(got) || isnan(want))
        return false;
    if ((isinf(got) || isinf(want)) && got == want)
        return true;
    if (!strncmp(class, "ulp:", 4))
        return tiny || error <= (2 * atof(class + 4) + 1) * ulp(type, want);
    if (!strncmp(class, "rel:2^", 6))
        return tiny || error <= 2.1 * exp2(atof(class + 6)) * fabs(want) || error <= ulp(type, want);
    if (!strcmp(class, "lg2"))
        return error <= exp2(-21) * (1 + fabs(want));
    if (!strcmp(class, "trig"))
        return fabs(in) > 200 || error <= exp2(-19.5);
    if (!strcmp(class, "mma"))
        return error <= 1e-3;
    if (!strcmp(class, "mma16"))
        return error <= ldexp(1, -8) * fmax(fabs(want), 8);
    if (!strcmp(class, "mma64"))
        return error <= 1e-13 * (1 + fabs(want));
    return false;
}

static bool slot_matches(const struct row *r, const char *type, uint64_t got, uint64_t want, uint64_t in)
{
    double first = number("f32", in);

    if (got == want)
        return true;
    if (!strcmp(r->class, "mma16") && type[0] != 'f')
        type = "f16x2";
    if (!strcmp(type, "f16x2") || !strcmp(type, "bf16x2")) {
        for (int half = 0; half < 2; half++, got >>= 16, want >>= 16)
            if ((uint16_t)got != (uint16_t)want &&
                !near(r->class, type, number(type, (uint16_t)got), number(type, (uint16_t)want), first))
                return false;
        return true;
    }
    if (type[0] == 'f' || !strcmp(type, "bf16"))
        return near(r->class, type, number(type, got), number(type, want), first);
    return false;
}

static int compare(const struct row *r, const uint64_t *in, const uint64_t *got, const uint64_t *want, char *why, size_t n)
{
    char types[sizeof r->types], *list[MAX_TYPES], *save;
    int ntypes = 0, bad = 0;

    memcpy(types, r->types, sizeof types);
    for (char *t = strtok_r(types, ",", &save); t && ntypes < MAX_TYPES; t = strtok_r(NULL, ",", &save))
        list[ntypes++] = t;
    for (int i = 0; ntypes && i < THREADS * r->nout; i++) {
        const uint64_t *mine = in + (size_t)(i / r->nout) * r->nin;

        if (slot_matches(r, list[i % r->nout % ntypes], got[i], want[i], mine[0]))
            continue;
        if (!bad++)
            snprintf(why, n, "thread %d slot %d: got %#llx, want %#llx, in %#llx %#llx", i / r->nout, i % r->nout,
                     (unsigned long long)got[i], (unsigned long long)want[i], (unsigned long long)mine[0],
                     (unsigned long long)(r->nin > 1 ? mine[1] : 0));
    }
    return bad;
}

/* ---- Running ---- */

static struct interp_worker *worker;
static unsigned compiled, refused, operations, instructions;
static double compile_seconds;
static const struct vg_binding binding = {DATA_ADDRESS, DATA_ADDRESS + REGION};

static bool launch(struct ptx_module *m, const struct row *r, char *why, size_t n)
{
    struct ptx_function *f = ptx_find_function(m, r->entry);
    uint64_t params[2] = {IN_ADDRESS, OUT_ADDRESS};
    struct vg_launch l = {.grid = {THREADS / (uint32_t)r->block, 1, 1}, .block = {(uint32_t)r->block, 1, 1}, .cluster = {1, 1, 1},
                          .params = params, .param_size = sizeof params, .sm_count = 132};
    struct interp_grid grid = {.n_workers = 1};
    struct ptx_error err = {0};
    struct interp_kernel *k;
    bool good;

    if (!f) {
        snprintf(why, n, "no such entry");
        return false;
    }
    if (!ptx_function_close(m, f, &err) || !(k = interp_kernel_new(m, f, &binding, &err))) {
        snprintf(why, n, "%s", err.message);
        return false;
    }
    if (options.compile) {
        struct jit_shape shape = {.block = {(uint32_t)r->block, 1, 1}, .isa = options.isa};
        struct jit_report report;

        void *image = jit_translate(k, &shape, &report);

        if (image && jit_install(k, shape.block, image, report.code_bytes))
            compiled++;
        else {
            refused++;
            printf("# %s stays with the interpreter: %s\n", r->entry, report.why);
        }
        operations += report.operations;
        instructions += report.instructions;
        compile_seconds += report.seconds;
    }
    good = interp_run(worker, k, &l, &grid);
    if (!good)
        snprintf(why, n, "fault %d: %s", grid.fault.code, grid.fault.message);
    interp_kernel_free(k);
    return good;
}

static bool run_row(struct ptx_module *m, const struct row *r, char *why, size_t n)
{
    char path[4096];
    size_t in_size, out_size, want_in = (size_t)THREADS * r->nin * 8, want_out = (size_t)THREADS * r->nout * 8;
    char *in, *want;
    bool good = false;
    int bad;

    snprintf(path, sizeof path, "%s/in/%s.bin", options.dir, r->pool);
    in = read_file(path, &in_size);
    snprintf(path, sizeof path, "%s/out/%s.bin", options.dir, r->entry);
    want = read_file(path, &out_size);
    if (!in || !want || in_size != want_in || out_size != want_out || want_in > REGION || want_out > REGION) {
        snprintf(why, n, "corpus file missing or of the wrong size");
    } else {
        memcpy((void *)IN_ADDRESS, in, in_size);
        memset((void *)OUT_ADDRESS, 0xa5, out_size);
        if (launch(m, r, why, n)) {
            char where[200] = "";

            bad = compare(r, (void *)in, (const uint64_t *)OUT_ADDRESS, (void *)want, where, sizeof where);
            good = !bad;
            if (bad)
                snprintf(why, n, "%d of %d differ; %s", bad, THREADS * r->nout, where);
        }
    }
    free(in);
    free(want);
    return good;
}

static struct ptx_module *open_family(const char *family, struct ptx_error *err)
{
    char path[4096], *text;
    struct ptx_module *m;
    size_t n;

    snprintf(path, sizeof path, "%s/ptx/%s.ptx", options.dir, family);
    text = read_file(path, &n);
    if (!text) {
        snprintf(err->message, sizeof err->message, "cannot read ptx/%.100s.ptx", family);
        return NULL;
    }
    m = ptx_module_open(text, n, err);
    free(text);
    if (m && m->data_size > REGION) {
        snprintf(err->message, sizeof err->message, "more variables than fit");
        ptx_module_close(m);
        return NULL;
    }
    if (m)
        vg_image_fill(m, &binding, (void *)DATA_ADDRESS);
    return m;
}

static bool parse_row(char *line, struct row *r)
{
    return sscanf(line, "%31[^\t]\t%127[^\t]\t%63[^\t]\t%d\t%d\t%255[^\t]\t%d\t%31[^\t\n]", r->family, r->entry, r->pool, &r->nin,
                  &r->nout, r->types, &r->block, r->class) == 8 &&
           r->nin > 0 && r->nout > 0 && r->block > 0;
}

static int run_corpus(FILE *index)
{
    char line[1024], family[32] = "", why[640];
    struct ptx_module *m = NULL;
    struct ptx_error err = {0};
    struct row r;
    int passed = 0, failed = 0, count = 0, family_passed = 0, family_failed = 0;

    for (bool more = true; more;) {
        more = fgets(line, sizeof line, index);
        if (more && (line[0] == '#' || !parse_row(line, &r)))
            continue;
        if (!more || strcmp(family, r.family)) {
            if (family_passed + family_failed)
                printf("# %-8s %d passed, %d failed\n", family, family_passed, family_failed);
            family_passed = family_failed = 0;
            if (m)
                ptx_module_close(m);
            m = NULL;
            if (!more)
                break;
            snprintf(family, sizeof family, "%s", r.family);
            if (!options.family || !strcmp(options.family, family))
                m = open_family(family, &err);
        }
        if ((options.family && strcmp(options.family, family)) || (options.entry && strcmp(options.entry, r.entry)))
            continue;
        snprintf(why, sizeof why, "module: %s", err.message);
        count++;
        if (m && run_row(m, &r, why, sizeof why)) {
            passed++, family_passed++;
            if (options.verbose)
                printf("ok %d - %s/%s\n", count, family, r.entry);
        } else {
            failed++, family_failed++;
            printf("not ok %d - %s/%s: %s\n", count, family, r.entry, why);
        }
    }
    if (options.compile)
        printf("# %u kernels compiled in %.1f s, %u refused; %u of %u instructions left to operations\n", compiled,
               compile_seconds, refused, operations, instructions);
    printf("# %d passed, %d failed\n1..%d\n", passed, failed, count);
    return failed || !passed;
}

int main(int argc, char **argv)
{
    char path[4096];
    const char *isa = NULL;
    FILE *index;
    int status;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-f") && i + 1 < argc)
            options.family = argv[++i];
        else if (!strcmp(argv[i], "-e") && i + 1 < argc)
            options.entry = argv[++i];
        else if (!strcmp(argv[i], "-i") && i + 1 < argc)
            isa = argv[++i];
        else if (!strcmp(argv[i], "-j"))
            options.compile = true;
        else if (!strcmp(argv[i], "-v"))
            options.verbose = true;
        else
            options.dir = argv[i];
    }
    if (!options.dir) {
        fprintf(stderr, "usage: oracle_direct DIR [-f FAMILY] [-e ENTRY] [-i base|v3|v4] [-j] [-v]\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/index.tsv", options.dir);
    index = fopen(path, "r");
    if (!index) {
        perror(path);
        return 2;
    }
    if (!interp_force_isa(isa)) {
        printf("1..0 # SKIP this CPU does not run %s\n", isa);
        fclose(index);
        return 0;
    }
    options.isa = jit_isa_default();
    if (isa)
        jit_isa_find(isa, &options.isa);
    if (!window_map(IN_ADDRESS, REGION, -1, 0) || !window_map(OUT_ADDRESS, REGION, -1, 0) ||
        !window_map(DATA_ADDRESS, REGION, -1, 0) || !(worker = interp_worker_new(0))) {
        fprintf(stderr, "oracle_direct: cannot set up the device window\n");
        return 2;
    }
    status = run_corpus(index);
    interp_worker_free(worker);
    fclose(index);
    return status;
}
